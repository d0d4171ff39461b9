"""Differences between runs that share their seed or are one model used in two ways, and how a study says them."""

from __future__ import annotations

import numpy as np

from lawful.stats import paired_permutation
from lawful.studies.lab_exponents import Contrast, over_seeds
from lawful.studies.parts import Part
from lawful.uncertainty import Interval


def paired(x: np.ndarray, y: np.ndarray, comparisons: int = 1, alpha: float = 0.05) -> Contrast:
    """mean(x) - mean(y) over seeds that both have, in the same order: Student's t on the differences, sign-flip p."""
    level = 1 - alpha / comparisons
    test = paired_permutation(x, y, unit="seed", level=level, alpha=alpha, comparisons=comparisons)
    one = over_seeds(np.asarray(x, float) - np.asarray(y, float), level)
    told = not one.lower <= 0 <= one.upper
    interval = Interval(
        one.estimate, one.lower, one.upper, level, "paired t", "" if told else "cannot tell: 0 is inside"
    )
    needed = None if told else pairs_needed(np.asarray(x, float) - np.asarray(y, float), comparisons, alpha)
    return Contrast(test, interval, len(x), needed)


def pairs_needed(d: np.ndarray, comparisons: int = 1, alpha: float = 0.05) -> int:
    """Seeds at which the paired t interval at alpha over comparisons would exclude 0 with 80 % power, as seen here.

    n >= (t + t_power)^2 var / mean^2; at most 10,000, which means "no difference to be seen".
    """
    from scipy.special import stdtrit

    mean, spread = float(np.mean(d)), float(np.var(d, ddof=1)) if len(d) > 1 else np.inf
    for n in (*range(2, 200), *range(200, 10_001, 50)):
        t = stdtrit(n - 1, 1 - alpha / comparisons / 2) + stdtrit(n - 1, 0.8)
        if n * mean**2 >= t**2 * spread:
            return n
    return 10_000


def say(part: Part, id: str, section: str, lead: str, one: Contrast, up: str, down: str) -> None:
    """A difference in words: `up` where it is above zero (supported), `down` where below (contradicted)."""
    interval = one.interval
    words = ("The two are not told apart." if not one.told else up if interval.lower > 0 else down).strip()
    verdict = "cannot tell" if not one.told else "supported" if interval.lower > 0 else "contradicted"
    part.say(
        id, section, f"{lead}: {one}. {words}", verdict, estimate=interval.estimate, lower=interval.lower,
        upper=interval.upper, p=one.test.p, needed=one.needed,
    )  # fmt: skip


def verdict_of(one: Contrast, better: str, worse: str) -> str:
    """The same in the cell of a table."""
    if not one.told:
        return f"cannot tell: {one.needed} seeds"
    return better if one.interval.lower > 0 else worse
