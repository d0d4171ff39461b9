"""Numbers that nobody has measured for you: a price, a utilisation, the carbon of a grid.

A plan needs them and a law does not know them. Each has a value, a range in which it lies nine times out of ten, and a
reason; the range is carried into every interval that depends on it::

    price = assumed("price", None, Assumption(2.5, 1.5, 7.0, "rental per hour"))    # the default, with its range
    price = assumed("price", 1.99, ...)                                             # yours: exact
    price = assumed("price", (1.5, 2.5), ...)                                       # yours: a range
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.uncertainty import Interval, percentiles

_Z90 = 1.6448536269514722  # normal quantile of 0.95: lower and upper enclose 90 %

Sample = tuple[float, np.ndarray | None]
"""A number at the values believed, and its draws (draws,), or None where there are none."""


@dataclass(frozen=True)
class Assumption:
    """A positive number with the range that holds it in nine of ten cases, and why. Exact where the ends meet."""

    value: float
    lower: float
    upper: float
    why: str = ""

    @property
    def exact(self) -> bool:
        return self.lower == self.upper

    def draws(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draws (count,): log-normal on either side of the value, each with its own width."""
        z = rng.standard_normal(count)
        below, above = np.log(self.value / self.lower) / _Z90, np.log(self.upper / self.value) / _Z90
        return self.value * np.exp(z * np.where(z < 0, below, above))

    def __str__(self) -> str:
        return f"{self.value:g}" if self.exact else f"{self.value:g} ({self.lower:g} to {self.upper:g})"


def assumed(name: str, given: Any, default: Assumption) -> Assumption:
    """What is assumed: the default, a number of the user's own, (low, high), or (low, value, high).

    Raises ValueError for anything that is not positive and in order.
    """
    if given is None:
        return default
    if isinstance(given, Assumption):
        return given
    ends = [float(x) for x in given] if isinstance(given, Sequence) and not isinstance(given, str) else [float(given)]
    if not (1 <= len(ends) <= 3 and all(0 < x < np.inf for x in ends) and ends == sorted(ends)):
        raise ValueError(
            f"{name} is {given!r}; allowed: a positive number, (low, high), or (low, value, high) in rising order"
        )
    middle = ends[1] if len(ends) == 3 else float(np.sqrt(ends[0] * ends[-1]))
    return Assumption(middle, ends[0], ends[-1], "given")


def propagate(f: Any, *inputs: Sample) -> Sample:
    """f of uncertain numbers, drawn independently of each other: at the values, and by draw where any input has draws.

    Draws of one input keep their order, so that two results from the same draws stay correlated.
    """
    with np.errstate(all="ignore"):
        centre = float(f(*(value for value, _ in inputs)))
        if all(draws is None for _, draws in inputs):
            return centre, None
        return centre, np.asarray(f(*(value if draws is None else draws for value, draws in inputs)), float)


def interval(sample: Sample, level: float = 0.9, method: str = "assumptions", verdict: str = "") -> Interval:
    """The interval of a number with draws; without any, nan ends and ``verdict``."""
    estimate, draws = sample
    if draws is None:
        return Interval(estimate, np.nan, np.nan, level, "none", verdict or "given without interval")
    lower, upper, is_open = percentiles(np.asarray(draws), level, estimate)
    return Interval(estimate, lower, upper, level, method, verdict or ("cannot tell: no limit" if is_open else ""))


def exactly(value: float, level: float = 0.9) -> Interval:
    """A number that follows from what was asked by counting alone: both ends at the value."""
    return Interval(float(value), float(value), float(value), level, "counted")
