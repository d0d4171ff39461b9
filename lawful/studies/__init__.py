"""Studies as code: a study is a module here with a function ``study(...) -> Study``.

A study of the lab has beside its module ``NAME.toml``, the full sweep, ``NAME_quick.toml``, five minutes of it, and
``NAME_runs.csv.gz``, the runs that were made of it, so that its report can be rebuilt without training anything.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from lawful.quantities import did_you_mean

_NAMES = ("microscope", "breakdown", "recurrence", "shape", "testtime", "coverage", "memory")
_FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """The studies there are."""
    return _NAMES


def load(name: str) -> ModuleType:
    """The module of a study: ``study`` computes it, ``check`` compares its numbers.

    Raises ValueError with the studies there are.
    """
    if name not in _NAMES:
        near = did_you_mean(name, list(_NAMES)) or f"; there is {', '.join(_NAMES)}"
        raise ValueError(f"no study is called {name!r}{near}")
    return import_module(f"lawful.studies.{name}")


def sweep_file(name: str, quick: bool = False) -> Path:
    """The sweep of a study of the lab; ValueError for a study that trains nothing."""
    load(name)
    path = _FOLDER / f"{name}{'_quick' if quick else ''}.toml"
    if not path.is_file():
        trained = ", ".join(n for n in _NAMES if (_FOLDER / f"{n}.toml").is_file())
        raise ValueError(f"study {name} trains nothing: leave out --quick and --full (they are for {trained})")
    return path


def shipped_runs(name: str) -> Path:
    """The table of runs that comes with a study of the lab; FileNotFoundError where none was made yet."""
    path = _FOLDER / f"{name}_runs.csv.gz"
    if not path.is_file():
        raise FileNotFoundError(
            f"study {name} comes without runs: make them with `lawful study {name} --quick`, or give yours as --data"
        )
    return path
