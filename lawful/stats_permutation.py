"""Permutation tests: if the systems were alike, their labels could be exchanged.

Paired: on each unit the two outputs may be swapped. For a difference of means a swap flips the sign of d_i =
a_i - b_i; for F1 and its like the outputs themselves are swapped and the metric computed anew. With n units
there are 2^n equally likely outcomes, all of them counted while n <= 20. Unpaired: the labels are dealt out
again. On 0/1 scores the sign-flip test is McNemar's exact test.

The interval of the sign-flip test is its own inverse: the centres of symmetry that it would not reject. They
lie between order statistics of the means of all subsets of d (Hartigan 1969, "Using subsample values as
typical values", JASA 64), so five units bound nothing at 95 %, just as they cannot give p < 0.0625.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from math import comb, floor, log2

import numpy as np
from numpy.typing import ArrayLike

from lawful.stats_bootstrap import Floats, metric_difference, paired_bootstrap
from lawful.stats_result import (
    StatResult,
    check_level,
    check_resamples,
    reach_warning,
    same_length,
    threshold,
    vector,
    verdict_words,
)

_EXACT_UNITS = 20  # 2^20 sign patterns take a few milliseconds
_EXACT_DEALS = 200_000


def _all_subset_sums(d: Floats) -> tuple[Floats, Floats]:
    """Sum and size of each of the 2^n subsets, the empty one first."""
    sums, sizes = np.zeros(1), np.zeros(1)
    for value in d:
        sums = np.concatenate([sums, sums + value])
        sizes = np.concatenate([sizes, sizes + 1])
    return sums, sizes


def _random_subset_sums(d: Floats, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The same for random subsets; equal values are drawn together, as binomial counts."""
    values, counts = np.unique(d, return_counts=True)
    if 20 * len(values) <= len(d):
        taken = rng.binomial(counts, 0.5, size=(count, len(values)))
        return taken @ values, taken.sum(axis=1).astype(float)
    sums, sizes = np.empty(count), np.empty(count)
    batch, width = max(4_000_000 // len(d), 1), -(-len(d) // 8)
    for start in range(0, count, batch):
        rows = min(batch, count - start)
        coins = np.frombuffer(rng.bytes(rows * width), np.uint8).reshape(rows, width)
        taken = np.unpackbits(coins, axis=1, count=len(d)).astype(float)
        sums[start : start + rows], sizes[start : start + rows] = taken @ d, taken.sum(axis=1)
    return sums, sizes


def _share_as_large(sums: Floats, d: Floats, plus_one: bool) -> float:
    # Flipping the subset S turns sum(d) into sum(d) - 2 sum(S).
    flipped, slack = np.abs(d.sum() - 2 * sums), 1e-12 * np.abs(d).sum()
    hits = int(np.sum(flipped >= abs(d.sum()) - slack))
    return (1 + hits) / (1 + len(sums)) if plus_one else hits / len(sums)


def exact_sign_flip_p(d: ArrayLike) -> float:
    """Two-sided p of the exact sign-flip test on differences d (n <= 20), without the rest of the result."""
    d = np.asarray(d, dtype=float)
    return _share_as_large(_all_subset_sums(d)[0], d, plus_one=False)


def _subset_interval(sums: Floats, sizes: Floats, outcomes: int, level: float) -> tuple[float, float]:
    """Order statistics k and outcomes - k of the subset means, k = floor(outcomes (1 - level) / 2)."""
    means = np.sort(sums[sizes > 0] / sizes[sizes > 0])
    k = floor(outcomes * (1 - level) / 2 + 1e-9)
    if k < 1:
        return -np.inf, np.inf
    return float(means[k - 1]), float(means[len(means) - k])


def _sign_flip(d: Floats, resamples: int, level: float, rng: np.random.Generator) -> dict:
    n, moved = len(d), int(np.count_nonzero(d))
    exact = n <= _EXACT_UNITS
    sums, sizes = _all_subset_sums(d) if exact else _random_subset_sums(d, resamples, rng)
    smallest = min(1.0, 2.0 ** (1 - moved))  # units without a difference flip nothing
    return {
        "estimate": float(d.mean()),
        "p": _share_as_large(sums, d, plus_one=not exact),
        "smallest_p": smallest if exact else max(smallest, 1 / (resamples + 1)),
        "interval": _subset_interval(sums, sizes, 2**n if exact else resamples + 1, level),
        "exact": exact,
    }


def _metric_swap(
    a: ArrayLike, b: ArrayLike, truth: ArrayLike | None, metric: Callable[..., float], resamples: int, rng
) -> dict:
    a, b = np.asarray(a), np.asarray(b)
    movable = np.flatnonzero((a != b).reshape(len(a), -1).any(axis=1))
    exact = len(movable) <= log2(resamples + 1)
    count = 2 ** len(movable) if exact else resamples

    def contrast(left: np.ndarray, right: np.ndarray) -> float:
        rows = None if truth is None else np.asarray(truth)
        return metric_difference(left, right, metric, rows)(np.arange(len(left)))

    def difference(swap: np.ndarray) -> float:
        left, right = a.copy(), b.copy()
        left[swap], right[swap] = b[swap], a[swap]
        return contrast(left, right)

    observed = difference(movable[:0])
    hits = 0
    for i in range(count):
        bits = (i >> np.arange(len(movable))) & 1 if exact else rng.integers(2, size=len(movable))
        hits += abs(difference(movable[bits == 1])) >= abs(observed) * (1 - 1e-12) - 1e-15
    smallest = min(1.0, 2.0 ** (1 - len(movable)))
    return {
        "estimate": observed,
        "p": hits / count if exact else (1 + hits) / (1 + count),
        "smallest_p": smallest if exact else max(smallest, 1 / (resamples + 1)),
        "exact": exact,
    }


def paired_permutation(
    a: ArrayLike,
    b: ArrayLike,
    *,
    metric: Callable[..., float] | None = None,
    truth: ArrayLike | None = None,
    strata: Sequence[Hashable] | ArrayLike | None = None,
    unit: str = "instance",
    resamples: int = 9999,
    level: float = 0.95,
    alpha: float = 0.05,
    comparisons: int = 1,
    seed: int | np.random.Generator = 0,
) -> StatResult:
    """Paired permutation test of two systems on the same units; two-sided.

    Without `metric`, the sign-flip test of mean(a) - mean(b): exact for n <= 20, p = #{|T| >= |T_obs|} / 2^n,
    else `resamples` random flips and p = (1 + #) / (1 + resamples). `interval` inverts the test (module
    docstring). With `metric` (as in `paired_bootstrap`) the outputs are swapped unit by unit, exactly where
    2^(units whose outputs differ) <= resamples + 1; `interval` is then the paired bootstrap's (inside
    `strata`, which no test needs). `smallest_p` counts only units whose outputs differ: the others cannot
    move the statistic.
    """
    check_resamples(resamples)
    check_level(level)
    alpha, rng = threshold(alpha, comparisons), np.random.default_rng(seed)
    n = same_length(a=a, b=b, truth=truth)
    if metric is None:
        found = _sign_flip(vector("a", a) - vector("b", b), resamples, level, rng)
    else:
        found = _metric_swap(a, b, truth, metric, resamples, rng)
        found["interval"] = paired_bootstrap(
            a, b, metric=metric, truth=truth, strata=strata, resamples=resamples, level=level, seed=rng
        ).interval
    exact, kind = found.pop("exact"), "sign-flip" if metric is None else "output-swap"
    limited = not exact and found["smallest_p"] == 1 / (resamples + 1)
    remedy = "raise resamples" if limited else "take more units or fewer comparisons"
    return StatResult(
        test=f"{'exact ' if exact else ''}{kind} permutation test",
        **found,
        n=n,
        unit=unit,
        alpha=alpha,
        level=level,
        verdict=verdict_words(found["estimate"], found["p"], found["smallest_p"], alpha),
        warnings=reach_warning(found["smallest_p"], alpha, remedy),
        details={"exact": exact, "resamples": None if exact else resamples},
    )


def unpaired_permutation(
    x: ArrayLike,
    y: ArrayLike,
    *,
    unit: str = "seed",
    resamples: int = 9999,
    level: float = 0.95,
    alpha: float = 0.05,
    comparisons: int = 1,
    seed: int | np.random.Generator = 0,
) -> StatResult:
    """Label permutation test of mean(x) - mean(y) for units that are not paired; two-sided.

    Exact where there are at most 200,000 deals of the labels; `interval` is Welch's t interval.
    """
    from scipy import stats

    check_resamples(resamples)
    check_level(level)
    alpha = threshold(alpha, comparisons)
    x, y = vector("x", x, 2), vector("y", y, 2)
    deals = comb(len(x) + len(y), len(x))
    exact = deals <= _EXACT_DEALS
    null = stats.permutation_test(
        (x, y),
        lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
        permutation_type="independent",
        vectorized=True,
        n_resamples=deals if exact else resamples,
        batch=max(2_000_000 // (len(x) + len(y)), 1),
        rng=np.random.default_rng(seed),
    ).null_distribution
    observed = float(x.mean() - y.mean())
    slack = 1e-12 * max(np.abs(x).max(), np.abs(y).max())
    hits = int(np.sum(np.abs(null) >= abs(observed) - slack))
    smallest = (2 if len(x) == len(y) else 1) / deals  # equal sizes: the mirror deal is as extreme
    p = hits / len(null) if exact else (1 + hits) / (1 + resamples)
    smallest = smallest if exact else max(smallest, 1 / (resamples + 1))
    constant = np.ptp(x) == 0 and np.ptp(y) == 0
    welch = None if constant else stats.ttest_ind(x, y, equal_var=False).confidence_interval(level)
    return StatResult(
        test=f"{'exact ' if exact else ''}unpaired permutation test",
        estimate=observed,
        interval=None if welch is None else (float(welch.low), float(welch.high)),
        p=p,
        n=len(x) + len(y),
        unit=unit,
        smallest_p=smallest,
        alpha=alpha,
        level=level,
        verdict=verdict_words(observed, p, smallest, alpha),
        warnings=reach_warning(smallest, alpha)
        + (("Both samples are constant: no interval can be given.",) if constant else ()),
        details={"exact": exact, "resamples": None if exact else resamples},
    )
