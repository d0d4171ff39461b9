"""The catalogue: every module of this folder declares one family of laws; a law is found by its name."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from lawful.law import Law
from lawful.quantities import did_you_mean


@cache
def all_laws() -> dict[str, Law]:
    """Every law of the catalogue by name, in the order of the families' modules."""
    modules = sorted(m.name for m in iter_modules(__path__))
    members = (vars(import_module(f"{__name__}.{name}")).values() for name in modules)
    return {law.name: law for module in members for law in module if isinstance(law, Law)}


def find(name: str) -> Law:
    """The law of that name, or the only one whose name or paper contains it ("krajewski").

    Raises ValueError with the candidates, or the nearest names, otherwise.
    """
    laws = all_laws()
    for law in laws.values():
        if name == law.name or name in law.aliases:
            return law
    hits = [k for k, law in laws.items() if name in k or (law.paper is not None and name in law.paper.key)]
    if len(hits) == 1:
        return laws[hits[0]]
    if hits:
        raise ValueError(f"several laws match {name!r}: {', '.join(hits)}; name one of them")
    from difflib import get_close_matches

    near = ", ".join(get_close_matches(name, laws, n=3, cutoff=0.5))
    raise ValueError(f"there is no law {name!r}" + (f"; near it: {near}" if near else "; `lawful laws` lists them"))


def load(reference: str) -> Law:
    """The law ``mine.py:my_law`` from a user's file, or the shipped law of that name.

    Raises FileNotFoundError for a missing file, ValueError with the laws found for a wrong name.
    """
    path, colon, name = reference.rpartition(":")
    if not colon:
        return find(reference)
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    if not Path(path).is_file():
        raise FileNotFoundError(f"law {reference!r}: there is no file {path}")
    spec = spec_from_file_location(Path(path).stem, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = {k: v for k, v in vars(module).items() if isinstance(v, Law)}
    if name not in found:
        raise ValueError(f"{path} declares no law {name!r}{did_you_mean(name, list(found)) or '; it declares none'}")
    return found[name]
