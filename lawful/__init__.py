"""Fit, check and apply neural scaling laws. No number without its interval."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

# The public surface: name -> module that holds it. Modules load when first used,
# so that ``import lawful`` and ``lawful --help`` stay quick.
_PUBLIC = {
    "Comparison": "compare",
    "Fit": "fit",
    "Fits": "fit",
    "Forecast": "forecast",
    "Interval": "uncertainty",
    "Intervals": "uncertainty",
    "Belief": "belief",
    "Law": "law",
    "Paper": "law",
    "Posterior": "posterior",
    "Plan": "plan",
    "Runs": "runs",
    "Validation": "validation",
    "amplitude": "law",
    "coefficient": "law",
    "decision_accuracy": "proxies",
    "diagnose": "diagnose",
    "exponent": "law",
    "belief": "belief",
    "bootstrap": "bootstrap",
    "choose": "choose",
    "compare": "compare",
    "fit": "fit",
    "forecast": "forecast",
    "intervals": "uncertainty",
    "law": "law",
    "load_fit": "fitfile",
    "loss_at": "decisions",
    "next_runs": "next_runs",
    "location": "law",
    "offset": "law",
    "posterior": "posterior",
    "plan": "plan",
    "profile": "profiles",
    "read": "runs",
    "recipes": "recipes",
    "report": "report",
    "save": "fitfile",
    "scale": "law",
    "share": "law",
    "validate": "validate",
    "size_at": "decisions",
    "values": "law",
    "width": "law",
    "winner_at": "decisions",
}

__all__ = sorted(_PUBLIC)  # pyright: ignore[reportUnsupportedDunderAll]


class _Package(ModuleType):
    """Keeps ``lawful.fit`` the function: importing the module lawful.fit would set the name to the module."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _PUBLIC and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __reduce__(self) -> Any:
        # a notebook's function that mentions `lawful` travels to other processes with the module's name
        return import_module, (self.__name__,)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(import_module(f"lawful.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'lawful' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
