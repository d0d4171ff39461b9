"""Right and wrong: tests on counts of correct answers.

Two systems on the same questions differ only on those that one got right and the other wrong: McNemar's test
looks at nothing else. One system against guessing is a binomial test; over many tasks its p-values are
Holm's.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from lawful.stats_multiplicity import adjust_p
from lawful.stats_result import (
    CANNOT_TELL,
    StatResult,
    check_choice,
    check_level,
    number,
    reach_warning,
    same_length,
    threshold,
    vector,
    verdict_words,
    zero_one,
)

_METHODS = ("exact", "mid-p", "chi2", "chi2-continuity")


def _whole(name: str, value: float) -> int:
    if value != int(value) or value < 0:
        raise ValueError(f"{name} must be a count, a whole number of at least 0; got {value!r}.")
    return int(value)


def _mcnemar_p(b: int, c: int) -> dict[str, float]:
    from scipy.stats import binom, chi2

    m, least = b + c, min(b, c)
    if m == 0:
        return dict.fromkeys(_METHODS, 1.0)
    tail, point = float(binom.cdf(least, m, 0.5)), float(binom.pmf(least, m, 0.5))
    return {
        "exact": min(1.0, 2 * tail),
        "mid-p": min(1.0, 2 * tail - point),
        "chi2": float(chi2.sf((b - c) ** 2 / m, 1)),
        "chi2-continuity": float(chi2.sf(max(abs(b - c) - 1, 0) ** 2 / m, 1)),
    }


def tango_interval(b: int, c: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Score interval for the difference (b - c) / n of two paired proportions (Tango 1998, Stat. Med. 17, eq.
    3-7).

    The limits solve (b - c - n delta) / sqrt(n (2 q + delta (1 - delta))) = -+ z, with q the
    maximum-likelihood share of pairs in cell c given delta. Keeps its coverage where the plain (Wald)
    interval fails: few discordant pairs.
    """
    from scipy.optimize import root_scalar
    from scipy.special import ndtri

    z = float(ndtri((1 + level) / 2))

    def score(delta: float) -> float:
        B = (2 * n - b + c) * delta - b - c
        q = (sqrt(max(B * B + 8 * n * c * delta * (1 - delta), 0.0)) - B) / (4 * n)
        variance = n * (2 * q + delta * (1 - delta))
        gap = b - c - n * delta
        return gap / sqrt(variance) if variance > 1e-300 else np.sign(gap) * np.inf

    def limit(target: float, start: float, end: float) -> float:
        clipped = lambda delta: float(np.clip(score(delta) - target, -1e6, 1e6))  # noqa: E731
        inner = start + (end - start) * 1e-12
        if clipped(inner) * clipped(end) > 0:
            return end
        return float(root_scalar(clipped, bracket=(inner, end), xtol=1e-12).root)

    centre = (b - c) / n
    low = -1.0 if centre == -1 else limit(z, centre, -1 + 1e-12)
    high = 1.0 if centre == 1 else limit(-z, centre, 1 - 1e-12)
    return max(low, -1.0), min(high, 1.0)


def mcnemar(
    b: int,
    c: int,
    n: int,
    *,
    method: str = "exact",
    level: float = 0.95,
    alpha: float = 0.05,
    comparisons: int = 1,
    unit: str = "instance",
) -> StatResult:
    """McNemar's test from counts: b units only the first got right, c only the second, n units in all.

    Two-sided p by `method`:

    * "exact": min(1, 2 P(Bin(b + c, 1/2) <= min(b, c)));
    * "mid-p": the same less P(X = min(b, c)) (Fagerland, Lydersen & Laake 2013);
    * "chi2": (b - c)^2 / (b + c) on 1 df; "chi2-continuity": (|b - c| - 1)^2 / (b + c); both for b + c >= 25
      only.

    `estimate` is (b - c) / n with Tango's score interval. `details` holds p by every method and both chi2
    values.

    >>> round(mcnemar(10, 2, 100).p, 6)
    0.038574
    """
    check_choice("method", method, _METHODS)
    check_level(level)
    alpha = threshold(alpha, comparisons)
    b, c, n = _whole("b", b), _whole("c", c), _whole("n", n)
    if n < max(b + c, 1):
        raise ValueError(f"n must be the number of all units, at least b + c = {b + c} and 1; got {n}.")
    m, p_values = b + c, _mcnemar_p(b, c)
    p, smallest = p_values[method], _mcnemar_p(m, 0)[method]
    warnings = list(reach_warning(smallest, alpha, "more units on which the two systems differ are needed"))
    if method.startswith("chi2") and m < 25:
        warnings.append(f"b + c = {m} is below 25, where the chi-square approximation fails; use 'exact'.")
    estimate = (b - c) / n
    chi2 = (b - c) ** 2 / m if m else 0.0
    chi2_continuity = max(abs(b - c) - 1, 0) ** 2 / m if m else 0.0
    return StatResult(
        test=f"McNemar ({method})",
        estimate=estimate,
        interval=tango_interval(b, c, n, level),
        p=p,
        n=n,
        unit=unit,
        smallest_p=smallest,
        alpha=alpha,
        level=level,
        verdict=verdict_words(estimate, p, smallest, alpha),
        warnings=tuple(warnings),
        details={
            "b": b,
            "c": c,
            "chi2": chi2,
            "chi2_continuity": chi2_continuity,
            **{f"p_{k.replace('-', '_')}": v for k, v in p_values.items()},
        },
    )


def mcnemar_from_answers(a_right: ArrayLike, b_right: ArrayLike, **options) -> StatResult:
    """McNemar's test from one 0/1 (wrong/right) value per unit and system, in the same order."""
    a, b = zero_one("a_right", a_right), zero_one("b_right", b_right)
    n = same_length(a_right=a, b_right=b)
    return mcnemar(int(np.sum(a > b)), int(np.sum(a < b)), n, **options)


def binomial_test(
    right: int,
    n: int,
    chance: float,
    *,
    level: float = 0.95,
    alpha: float = 0.05,
    comparisons: int = 1,
    unit: str = "instance",
) -> StatResult:
    """Exact two-sided binomial test of right / n against `chance`, with the Clopper-Pearson interval.

    Two-sided because accuracies are also found *below* chance: unnormalised likelihoods prefer short answers.
    `estimate` is right / n (its difference from chance decides the verdict).
    """
    from scipy.stats import binomtest

    right, n = _whole("right", right), _whole("n", n)
    check_level(level)
    if not 0 <= chance < 1:
        raise ValueError(f"chance must lie in [0, 1), such as 1 / number of choices; got {chance!r}.")
    if n < 1 or right > n:
        raise ValueError(f"right must not exceed n, and n be at least 1; got right = {right}, n = {n}.")
    alpha = threshold(alpha, comparisons)
    found = binomtest(right, n, chance)
    smallest = min(float(binomtest(k, n, chance).pvalue) for k in (0, n))
    ci = found.proportion_ci(level)
    p = float(found.pvalue)
    return StatResult(
        test=f"exact binomial test against chance {number(chance)}",
        estimate=right / n,
        interval=(float(ci.low), float(ci.high)),
        p=p,
        n=n,
        unit=unit,
        smallest_p=smallest,
        alpha=alpha,
        level=level,
        verdict=verdict_words(right / n - chance, p, smallest, alpha, "above chance", "below chance"),
        warnings=reach_warning(smallest, alpha),
        details={"chance": chance, "right": right},
    )


def against_chance(
    tasks: Sequence[str],
    accuracy: ArrayLike,
    n: Sequence[int],
    chance: ArrayLike,
    *,
    alpha: float = 0.05,
    level: float = 0.95,
    planned: int | None = None,
) -> dict[str, StatResult]:
    """Every task (or task and model) against its chance level, exact, Holm over all of them.

    Verdicts follow the adjusted p (`details["p_holm"]`); `planned` counts tests not shown as well. Accuracies
    are turned to counts by rounding accuracy x n, and refused where that is more than one answer off.
    """
    accuracy, chance = vector("accuracy", accuracy), vector("chance", chance)
    count = same_length(tasks=tasks, accuracy=accuracy, n=n, chance=chance)
    if len(set(tasks)) < count:
        raise ValueError("tasks must be named once each; make the model part of the name where there are several.")
    outside = np.flatnonzero((accuracy < 0) | (accuracy > 1))
    if len(outside):
        raise ValueError(
            f"accuracy must be a share in [0, 1]; {tasks[outside[0]]!r} has {accuracy[outside[0]]}. "
            "Divide percents "
            "by 100."
        )
    results = [binomial_test(round(a * k), k, q, level=level) for a, k, q in zip(accuracy, n, chance)]
    adjusted = adjust_p(np.array([r.p for r in results], dtype=float), "holm", planned)
    family = count if planned is None else planned
    return {t: _after_holm(r, float(p), alpha, family) for t, r, p in zip(tasks, results, adjusted)}


def _after_holm(result: StatResult, p_holm: float, alpha: float, family: int) -> StatResult:
    from dataclasses import replace

    above = result.estimate - result.details["chance"]
    verdict = f"{'above' if above > 0 else 'below'} chance (Holm p = {number(p_holm)})"
    if p_holm > alpha:
        verdict = f"{CANNOT_TELL} from chance: Holm p = {number(p_holm)} over {family} tests"
    smallest = result.smallest_p or 0.0
    return replace(
        result,
        alpha=alpha,
        verdict=verdict,
        warnings=reach_warning(min(1.0, smallest * family), alpha),
        details={**result.details, "p_holm": p_holm, "family": family},
    )
