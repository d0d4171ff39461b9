"""Correlation on few points: usually "cannot tell".

Six first differences need |r| > 0.81 for p < 0.05, find a true correlation of 0.5 in 17 % of studies, and
leave an interval like [-0.89, 0.68]. So a correlation comes with its interval, the |r| that would have been
needed, and the chance that the study had. Over ordered levels (easy ... hard) only ranks are used, with an
exact p: five means have 120 orders, so p cannot go below 2/120.
"""

from __future__ import annotations

from itertools import permutations
from math import atanh, sqrt, tanh

import numpy as np
from numpy.typing import ArrayLike

from lawful.stats_bootstrap import Floats
from lawful.stats_result import (
    CANNOT_TELL,
    StatResult,
    check_choice,
    check_level,
    check_resamples,
    interval_words,
    number,
    reach_warning,
    same_length,
    threshold,
    vector,
)

_EXACT_POINTS = 8  # 8! = 40,320 orders


def critical_correlation(n: int, alpha: float = 0.05) -> float:
    """Smallest |r| of n points with two-sided p <= alpha: t / sqrt(n - 2 + t^2), t of n - 2 df.

    >>> round(critical_correlation(6), 4)
    0.8114
    """
    from scipy.stats import t

    if n < 3:
        raise ValueError(f"n must be at least 3 points; got {n}.")
    quantile = float(t.ppf(1 - threshold(alpha, 1) / 2, n - 2))
    return quantile / sqrt(n - 2 + quantile**2)


def correlation_power(rho: float, n: int, alpha: float = 0.05) -> float:
    """Probability that n normal pairs with true correlation rho give a two-sided p <= alpha; exact.

    Given x, t = r sqrt((n-2)/(1-r^2)) is noncentral t with noncentrality rho / sqrt(1 - rho^2) sqrt(S_xx),
    and S_xx ~ chi2(n - 1); the power is integrated over it (midpoint rule on 400 quantiles). Fisher's z
    approximation with its bias term gives 0.180 where the exact power is 0.170 (rho = 0.5, n = 6).

    >>> round(correlation_power(0.5, 6), 2)
    0.17
    """
    from scipy.stats import chi2, nct, t

    if not -1 < rho < 1:
        raise ValueError(f"rho must lie strictly between -1 and 1; got {rho!r}.")
    if n < 3:
        raise ValueError(f"n must be at least 3 points; got {n}.")
    quantile = t.ppf(1 - threshold(alpha, 1) / 2, n - 2)
    S_xx = chi2.ppf((np.arange(400) + 0.5) / 400, n - 1)
    shift = rho / sqrt(1 - rho**2) * np.sqrt(S_xx)
    return float(np.mean(nct.sf(quantile, n - 2, shift) + nct.sf(quantile, n - 2, -shift)))


def _fisher_interval(r: float, n: int, method: str, level: float) -> tuple[float, float] | None:
    """tanh(atanh r -+ z se). se: Pearson 1/sqrt(n-3); Spearman sqrt((1+r^2/2)/(n-3)) (Bonett & Wright 2000,
    eq. 4); Kendall sqrt(0.437/(n-4)) (Fieller, Hartley & Pearson 1957). None at |r| = 1, where no such
    formula holds."""
    from scipy.special import ndtri

    free = n - (4 if method == "kendall" else 3)
    if abs(r) >= 1 - 1e-12:
        return None
    if free <= 0:
        return -1.0, 1.0
    variance = {"pearson": 1.0, "spearman": 1 + r**2 / 2, "kendall": 0.437}[method] / free
    half = float(ndtri((1 + level) / 2)) * sqrt(variance)
    return tanh(atanh(r) - half), tanh(atanh(r) + half)


def correlation_from_r(
    r: float,
    n: int,
    *,
    level: float = 0.95,
    alpha: float = 0.05,
    comparisons: int = 1,
    rho: float = 0.5,
    unit: str = "point",
) -> StatResult:
    """What a printed Pearson r of n points can carry: interval, p, the |r| needed, power for a true rho.

    >>> correlation_from_r(-0.288, 6).verdict.split(":")[0]
    'cannot tell'
    """
    from scipy.stats import t

    check_level(level)
    alpha = threshold(alpha, comparisons)
    if not -1 <= r <= 1:
        raise ValueError(f"r must lie in [-1, 1]; got {r!r}.")
    needed, power = critical_correlation(n, alpha), correlation_power(rho, n, alpha)
    p = 0.0 if abs(r) == 1 else float(2 * t.sf(abs(r) * sqrt((n - 2) / (1 - r * r)), n - 2))
    interval = _fisher_interval(r, n, "pearson", level)
    return StatResult(
        test="Pearson correlation",
        estimate=float(r),
        interval=interval,
        p=p,
        n=n,
        unit=unit,
        smallest_p=0.0,
        alpha=alpha,
        level=level,
        verdict=_correlation_words(r, p, alpha, interval),
        warnings=_power_warning(n, needed, power, rho) + _no_interval(interval),
        details={"critical": needed, "power": power, "power_at": rho},
    )


def _correlation_words(r: float, p: float, alpha: float, interval: tuple[float, float] | None) -> str:
    if p > alpha or (interval is not None and interval[0] <= 0 <= interval[1]):
        return f"{CANNOT_TELL}: r = {number(r)}, interval {interval_words(interval)}, p = {number(p)}"
    direction = "rise together" if r > 0 else "one falls as the other rises"
    return f"{direction}: r = {number(r)}, interval {interval_words(interval)}"


def _no_interval(interval: tuple[float, float] | None) -> tuple[str, ...]:
    return () if interval else ("The order is perfect, |r| = 1: no interval formula holds there; p is all there is.",)


def _power_warning(n: int, needed: float, power: float, rho: float) -> tuple[str, ...]:
    if power >= 0.8:
        return ()
    return (
        f"{n} points need |r| > {needed:.2f} and would find a true correlation of {number(rho)} in only "
        f"{100 * power:.0f} % of studies.",
    )


def correlation(
    x: ArrayLike,
    y: ArrayLike,
    method: str = "pearson",
    *,
    level: float = 0.95,
    alpha: float = 0.05,
    comparisons: int = 1,
    resamples: int = 9999,
    seed: int | np.random.Generator = 0,
    unit: str = "point",
) -> StatResult:
    """Pearson, Spearman or Kendall correlation with interval and p.

    Pearson's p is the t test's. The rank correlations' p is a permutation p: exact for n <= 8, else (1 + #) /
    (1 + R) over R = `resamples` random orders. Raises ValueError for a constant argument (no correlation
    exists).
    """
    check_choice("method", method, ("pearson", "spearman", "kendall"))
    x, y = vector("x", x, 3), vector("y", y, 3)
    n = same_length(x=x, y=y)
    for name, array in (("x", x), ("y", y)):
        if np.ptp(array) == 0:
            raise ValueError(f"{name} is constant ({array[0]}): a correlation with it does not exist.")
    if method == "pearson":
        r = float(np.clip(np.corrcoef(x, y)[0, 1], -1, 1))
        return correlation_from_r(r, n, level=level, alpha=alpha, comparisons=comparisons, unit=unit)
    check_level(level)
    check_resamples(resamples)
    alpha = threshold(alpha, comparisons)
    r, p, smallest = _rank_test(x, y, method, resamples, np.random.default_rng(seed))
    interval = _fisher_interval(r, n, method, level)
    words = _correlation_words(r, p, alpha, interval)
    return StatResult(
        test=f"{method.capitalize()} rank correlation" + (" (exact p)" if n <= _EXACT_POINTS else ""),
        estimate=r,
        interval=interval,
        p=p,
        n=n,
        unit=unit,
        smallest_p=smallest,
        alpha=alpha,
        level=level,
        verdict=words,
        warnings=reach_warning(smallest, alpha, "take more levels, or a regression on instances")
        + _no_interval(interval),
        details={"exact": n <= _EXACT_POINTS},
    )


def _rank_test(x: Floats, y: Floats, method: str, resamples: int, rng) -> tuple[float, float, float]:
    """The correlation, its permutation p, and the smallest p that these ties allow."""
    from scipy.stats import rankdata

    n, exact = len(x), len(x) <= _EXACT_POINTS
    if exact:
        orders = np.array(list(permutations(range(n))))
    else:
        orders = rng.permuted(np.tile(np.arange(n), (resamples, 1)), axis=1)
    if method == "spearman":
        u, v = rankdata(x), rankdata(y)
        u, v = u - u.mean(), v - v.mean()
        null, observed, most = v[orders] @ u, u @ v, np.sqrt((u @ u) * (v @ v))
    else:
        i, j = np.triu_indices(n, 1)
        su, sv = np.sign(x[i] - x[j]), np.sign(y[:, None] - y[None, :])
        null = sum(s * sv[orders[:, a], orders[:, b]] for s, a, b in zip(su, i, j))
        observed = su @ sv[i, j]  # tau-b divides by the pairs that are not tied
        most = np.sqrt(np.count_nonzero(su) * np.count_nonzero(sv[i, j]))
    r, null = observed / most, np.abs(np.asarray(null))
    hits = int(np.sum(null >= abs(observed) - 1e-9))
    if exact:
        return float(r), hits / len(null), float(np.mean(null >= null.max() - 1e-9))
    return float(r), (1 + hits) / (1 + resamples), 1 / (1 + resamples)


def level_correlation(levels: ArrayLike, scores: ArrayLike, method: str = "kendall", **options) -> StatResult:
    """Trend of a score over ordered levels: one mean score per level, ranks only, exact p for up to 8 levels.

    Pearson is refused: on five means its p rests on normality that nobody can check. Levels are numbers in
    their order (1, 2, 3 ...). With five levels p cannot go below 2/120 = 0.0167.

    >>> round(level_correlation([1, 2, 3, 4, 5], [.9, .8, .7, .6, .5]).p, 4)
    0.0167
    """
    if method == "pearson":
        raise ValueError("method 'pearson' is refused on level means; use 'kendall' or 'spearman'.")
    return correlation(levels, scores, method, **{"unit": "level", **options})
