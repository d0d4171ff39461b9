"""What every test of the protocol hands back, and the words it uses.

A p-value alone misleads in two ways that this module makes visible. It may be unable to be small: an exact
sign-flip test on five seeds has 2^5 outcomes and cannot go below 2/32 = 0.0625, whatever the data. And it may
be judged against a threshold that forgets the other comparisons. So every result carries the smallest p its
test could have given and the threshold after its share for the planned comparisons, and its verdict is a
sentence that says "cannot tell" where the data cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

CANNOT_TELL = "cannot tell"
FEW_UNITS = 20  # below this a bootstrap's p and interval are optimistic, and exact enumeration is cheap


@dataclass(frozen=True)
class StatResult:
    """One number, how sure it is, and what may be said.

    `interval` has confidence `level`; `smallest_p` is the smallest p this test could have given on data of
    this size; `alpha` is the threshold after division by the planned comparisons; `details` holds the other
    figures of the test by name. `interval`, `p` and `smallest_p` are None where the quantity has none.
    """

    test: str
    estimate: float
    interval: tuple[float, float] | None
    p: float | None
    n: int
    unit: str
    smallest_p: float | None
    alpha: float
    level: float
    verdict: str
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f"{self.test}: {number(self.estimate)}"]
        if self.interval is not None:
            parts.append(f"{percent(self.level)} interval {interval_words(self.interval)}")
        if self.p is not None:
            parts.append(f"p = {number(self.p)}")
        parts.append(f"n = {self.n} ({self.unit})")
        return "; ".join([", ".join(parts), self.verdict, *self.warnings])


def number(value: float) -> str:
    """Four significant digits, as the reports print them."""
    return f"{value:.4g}"


def percent(share: float) -> str:
    """0.95 -> "95 %"."""
    return f"{100 * share:.4g} %"


def interval_words(interval: tuple[float, float] | None) -> str:
    """`[low, high]`, or words where the data bound nothing."""
    if interval is None or np.isnan(interval).any():
        return "no interval"
    if np.isinf(interval).all():
        return "unbounded"
    return f"[{number(interval[0])}, {number(interval[1])}]"


def verdict_words(
    estimate: float,
    p: float,
    smallest_p: float,
    alpha: float,
    above: str = "the first is higher",
    below: str = "the second is higher",
) -> str:
    """`above` or `below` where p <= alpha, else "cannot tell" with the reason."""
    if smallest_p > alpha:
        return f"{CANNOT_TELL}: this test cannot give p <= {number(alpha)} here (smallest {number(smallest_p)})"
    if p > alpha:
        return f"{CANNOT_TELL}: p = {number(p)} is above {number(alpha)}"
    return f"{above if estimate > 0 else below} (p = {number(p)})"


def threshold(alpha: float, comparisons: int) -> float:
    """alpha / comparisons, the Bonferroni share of one of several planned comparisons."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie strictly between 0 and 1; got {alpha!r}.")
    if comparisons != int(comparisons) or comparisons < 1:
        raise ValueError(f"comparisons must be a whole number of at least 1; got {comparisons!r}.")
    return alpha / comparisons


def resamples_needed(alpha: float, comparisons: int = 1) -> int:
    """Fewest random resamples R with 1 / (R + 1) <= alpha / comparisons.

    >>> resamples_needed(0.005, comparisons=25)
    4999
    """
    # Rounded first: 25 / 0.005 is 5000.000000000001 in floating point on some platforms.
    return max(ceil(round(1 / threshold(alpha, comparisons), 6)) - 1, 1)


def reach_warning(
    smallest_p: float, alpha: float, remedy: str = "take more units or fewer comparisons"
) -> tuple[str, ...]:
    """The warning, in words, that a test cannot reach the threshold asked; empty where it can."""
    if smallest_p <= alpha:
        return ()
    return (
        f"This test cannot reach the threshold {number(alpha)}: the smallest p it can give here is "
        f"{number(smallest_p)}; {remedy}.",
    )


def check_level(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, such as 0.95; got {level!r}.")
    return level


def check_resamples(resamples: int) -> int:
    if resamples != int(resamples) or resamples < 100:
        raise ValueError(f"resamples must be a whole number of at least 100; got {resamples!r}.")
    return int(resamples)


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is not allowed, and name the nearest that is."""
    if value in allowed:
        return
    from difflib import get_close_matches

    near = get_close_matches(str(value), allowed, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}.{hint}")


def vector(name: str, values: ArrayLike, at_least: int = 1) -> NDArray[np.float64]:
    """A finite 1-D float array, or an error that names the argument and the first bad row."""
    array = np.asarray(values, dtype=float)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional; got shape {array.shape}.")
    if len(array) < at_least:
        raise ValueError(f"{name} must have at least {at_least} values; got {len(array)}.")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise ValueError(f"{name} must be finite; row {bad[0]} is {array[bad[0]]} ({len(bad)} such rows).")
    return array


def zero_one(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """A vector of zeros and ones (wrong and right)."""
    array = vector(name, values)
    bad = np.flatnonzero((array != 0) & (array != 1))
    if len(bad):
        raise ValueError(f"{name} must hold only 0 and 1; row {bad[0]} is {array[bad[0]]}.")
    return array


def same_length(**arrays: Any) -> int:
    """The common length of several named arrays."""
    lengths = {name: len(array) for name, array in arrays.items() if array is not None}
    if len(set(lengths.values())) > 1:
        seen = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"Paired arguments must have one row per unit each: {seen}.")
    return next(iter(lengths.values()))
