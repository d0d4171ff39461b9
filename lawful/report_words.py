"""Values of a report's cells as words: the same in Markdown and on the page."""

from __future__ import annotations

import math
from typing import Any

NOTHING = "\N{EN DASH}"
_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"))
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def words(value: Any) -> str:
    """A cell: four significant digits, 2.6B for large counts, an en dash for nothing, ∞ where there is no limit."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, dict):
        return "; ".join(f"{key}: {words(one)}" for key, one in value.items()) or NOTHING
    if isinstance(value, list | tuple):
        return ", ".join(words(one) for one in value) or NOTHING
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return words(value.item())
    return str(value)


def number(value: float) -> str:
    """``0.3400``, ``-71.28``, ``2.6B``, ``1.2×10⁻⁵``, ``∞``."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size, sign = abs(value), "−" if value < 0 else ""
    if isinstance(value, int) and size < 1e6:
        return f"{sign}{size}"
    if size and not 1e-4 <= size < 1e15:
        front, power = f"{size:.3g}".split("e") if "e" in f"{size:.3g}" else f"{size:.2e}".split("e")
        return f"{sign}{front}×10{str(int(power)).translate(_RAISED)}"
    for unit, letter in _UNITS:
        if size >= unit:
            return f"{sign}{size / unit:.4g}{letter}"
    if size >= 1000:
        return f"{sign}{size:.0f}" if size == round(size) or size >= 1e4 else f"{sign}{size:.1f}"
    return f"{sign}{size:.4g}"


def is_number(value: Any) -> bool:
    """Whether a cell is set to the right."""
    return isinstance(value, int | float) and not isinstance(value, bool)
