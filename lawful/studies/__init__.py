"""Published studies as code: a study is a module here with a function ``study(...) -> Study``."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from lawful.quantities import did_you_mean

_NAMES = ("microscope",)


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
