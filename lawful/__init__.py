"""Fit, check and apply neural scaling laws. No number without its interval."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# The public surface: name -> module that holds it. Modules load when first used,
# so that ``import lawful`` and ``lawful --help`` stay quick.
_PUBLIC: dict[str, str] = {}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f"lawful.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'lawful' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
