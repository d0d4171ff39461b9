"""Bootstrap intervals: draw the units again, with replacement, and see how far the number moves.

Two systems are compared on the *same* units, so each draw takes the same rows for both: what varies is the
difference, not the difficulty of the rows. Strata are drawn inside themselves, so that their sizes stay as
planned. A metric that is not a mean over instances (F1) is recomputed on every draw.

SciPy's `bootstrap` knows no strata and no p-value, and its BCa interval needs n leave-one-out samples of n -
1 rows. Here everything that is a smooth function of means (a difference, Cohen's d) works on sums of columns,
and rows that repeat (0/1 scores) are drawn as multinomial counts, so that 40,000 instances cost a fraction of
a second.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lawful.stats_result import (
    CANNOT_TELL,
    FEW_UNITS,
    StatResult,
    check_choice,
    check_level,
    check_resamples,
    interval_words,
    number,
    percent,
    reach_warning,
    same_length,
    threshold,
    vector,
    verdict_words,
)

Floats = NDArray[np.float64]
Groups = list[NDArray[np.intp]]
_CELLS = 4_000_000  # numbers held at once while drawing


def strata_groups(strata: Sequence[Hashable] | ArrayLike | None, n: int) -> Groups:
    """Row numbers of each stratum; one group where there are no strata."""
    if n < 2:
        raise ValueError(f"A bootstrap needs at least 2 units; got {n}.")
    if strata is None:
        return [np.arange(n)]
    labels, codes = np.unique(np.asarray(strata), return_inverse=True)
    groups = [np.flatnonzero(codes == k) for k in range(len(labels))]
    for label, rows in zip(labels.tolist(), groups):
        if len(rows) < 2:
            raise ValueError(
                f"strata: stratum {label!r} has 1 unit, which would never vary and make the interval too "
                "narrow; "
                "merge it with another stratum."
            )
    return groups


def resample_means(columns: Floats, groups: Groups, resamples: int, rng: np.random.Generator) -> Floats:
    """Column means of `resamples` draws: columns (n, k) -> (resamples, k)."""
    total = np.zeros((resamples, columns.shape[1]))
    for rows in groups:
        part, size = columns[rows], len(rows)
        distinct, counts = np.unique(part, axis=0, return_counts=True)
        if 20 * len(distinct) <= size:  # few distinct rows: their counts are multinomial
            total += rng.multinomial(size, counts / size, size=resamples) @ distinct
            continue
        batch = max(_CELLS // part.size, 1)
        for start in range(0, resamples, batch):
            stop = min(start + batch, resamples)
            drawn = rng.integers(size, size=(stop - start, size), dtype=np.int32)
            for j in range(part.shape[1]):
                total[start:stop, j] += np.ascontiguousarray(part[:, j])[drawn].sum(axis=1)
    return total / len(columns)


def leave_one_out_means(columns: Floats) -> Floats:
    """Column means without each row in turn: (n, k) -> (n, k)."""
    return (columns.sum(axis=0) - columns) / (len(columns) - 1)


def percentile_interval(replicates: Floats, level: float) -> tuple[float, float]:
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return float(low), float(high)


def bca_interval(
    replicates: Floats, observed: float, leave_one_out: Floats, groups: Groups, level: float
) -> tuple[float, float] | None:
    """Bias-corrected and accelerated interval (Efron & Tibshirani 1993, eq. 14.9-14.15); None where
    degenerate.

    The acceleration of several strata is that of the multi-sample problem: a = (1/6) sum_k sum_i U_ki^3 /
    n_k^3 / (sum_k sum_i U_ki^2 / n_k^2)^(3/2), U_ki = (n_k - 1)(mean_k - theta_(ki)).
    """
    from scipy.special import ndtr, ndtri

    below = np.mean(replicates < observed) + np.mean(replicates == observed) / 2
    if not np.isfinite(leave_one_out).all():
        return None
    U = [(len(g) - 1) * (leave_one_out[g].mean() - leave_one_out[g]) for g in groups]
    spread = sum(np.sum(u**2) / len(u) ** 2 for u in U)
    if not (0 < below < 1 and spread > 0):
        return None
    a = sum(np.sum(u**3) / len(u) ** 3 for u in U) / spread**1.5 / 6
    z0 = ndtri(below)
    z = z0 + ndtri([(1 - level) / 2, (1 + level) / 2])
    if np.any(a * z >= 1):
        return None
    low, high = np.quantile(replicates, ndtr(z0 + z / (1 - a * z)), method="inverted_cdf")
    return float(low), float(high)


def bootstrap_p(replicates: Floats) -> float:
    """Two-sided p = 2 min((1 + #{T* <= 0}) / (B + 1), (1 + #{T* >= 0}) / (B + 1)), at most 1."""
    tail = min(np.sum(replicates <= 0), np.sum(replicates >= 0))
    return float(min(1.0, 2 * (1 + tail) / (len(replicates) + 1)))


def snap(replicates: Floats, scale: float, *targets: float) -> Floats:
    """Replicates within rounding of a target set to it, so that ties are counted as ties."""
    for target in targets:
        replicates[np.abs(replicates - target) <= 1e-12 * scale] = target
    return replicates


def metric_difference(
    a: NDArray[Any], b: NDArray[Any], metric: Callable[..., float], truth: NDArray[Any] | None
) -> Callable[[NDArray[np.intp]], float]:
    """Rows -> metric of a minus metric of b on those rows; the metric takes (truth, output), or (output)."""
    if truth is None:
        return lambda rows: float(metric(a[rows])) - float(metric(b[rows]))
    return lambda rows: float(metric(truth[rows], a[rows])) - float(metric(truth[rows], b[rows]))


def _replicate_metric(
    difference: Callable[[NDArray[np.intp]], float], groups: Groups, resamples: int, rng: np.random.Generator
) -> tuple[float, Floats, Floats]:
    n = sum(map(len, groups))
    observed = difference(np.arange(n))
    draws = (np.concatenate([rng.choice(g, len(g)) for g in groups]) for _ in range(resamples))
    replicates = np.array([difference(rows) for rows in draws])
    leave_one_out = np.array([difference(np.delete(np.arange(n), i)) for i in range(n)])
    if not np.isfinite(replicates).all():
        raise ValueError(
            f"metric is not finite on {np.sum(~np.isfinite(replicates))} of {resamples} draws; give it a "
            "value "
            "there (F1 without positives is usually 0), so that no draw is dropped."
        )
    return observed, snap(replicates, np.ptp(replicates) + abs(observed), 0.0, observed), leave_one_out


def _replicate_mean(
    d: Floats, groups: Groups, resamples: int, rng: np.random.Generator
) -> tuple[float, Floats, Floats]:
    replicates = resample_means(d[:, None], groups, resamples, rng)[:, 0]
    replicates = snap(replicates, float(np.abs(d).max()), 0.0, float(d.mean()))
    return float(d.mean()), replicates, leave_one_out_means(d[:, None])[:, 0]


def paired_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    *,
    metric: Callable[..., float] | None = None,
    truth: ArrayLike | None = None,
    strata: Sequence[Hashable] | ArrayLike | None = None,
    unit: str = "instance",
    method: str = "bca",
    resamples: int = 9999,
    level: float = 0.95,
    alpha: float = 0.05,
    comparisons: int = 1,
    seed: int | np.random.Generator = 0,
) -> StatResult:
    """Difference between two systems on the same units, with a bootstrap interval and p.

    `a` and `b` have one row per `unit` (an instance, a seed, a benchmark), in the same order. Without
    `metric` the statistic is mean(a) - mean(b). With it, metric(a) - metric(b), or metric(truth, a) -
    metric(truth, b) where `truth` is given, recomputed on every draw. `strata` (one label per row) are
    resampled inside themselves. `method` ("bca" or "percentile") chooses `interval`; `details` holds both,
    and the sd of the draws.

    Below 20 units a bootstrap p is too small; the verdict then also asks the exact sign-flip test, and says
    so. Raises ValueError for unequal lengths, strata of one unit, or a metric that is not finite on some
    draw.

    >>> paired_bootstrap([.58, .60, .57], [.55, .55, .58], unit="seed").n
    3
    """
    check_choice("method", method, ("bca", "percentile"))
    check_resamples(resamples)
    check_level(level)
    alpha = threshold(alpha, comparisons)
    rng = np.random.default_rng(seed)
    groups = strata_groups(strata, same_length(a=a, b=b, truth=truth, strata=strata))
    if metric is None:
        d = vector("a", a) - vector("b", b)
        observed, replicates, leave_one_out = _replicate_mean(d, groups, resamples, rng)
    else:
        d = None
        labels = None if truth is None else np.asarray(truth)
        outputs = metric_difference(np.asarray(a), np.asarray(b), metric, labels)
        observed, replicates, leave_one_out = _replicate_metric(outputs, groups, resamples, rng)
    percentile = percentile_interval(replicates, level)
    bca = bca_interval(replicates, observed, leave_one_out, groups, level)
    p, smallest = bootstrap_p(replicates), 2 / (resamples + 1)
    warnings = list(reach_warning(smallest, alpha, "raise resamples"))
    if method == "bca" and bca is None:
        warnings.append("The BCa interval is degenerate (constant draws); the percentile one is given.")
    verdict = verdict_words(observed, p, smallest, alpha)
    n = len(leave_one_out)
    if n < FEW_UNITS:
        verdict, more = _few_units(verdict, d, n, alpha)
        warnings.append(more)
    return StatResult(
        test=f"{'stratified ' if strata is not None else ''}paired bootstrap",
        estimate=observed,
        interval=bca if method == "bca" and bca is not None else percentile,
        p=p,
        n=n,
        unit=unit,
        smallest_p=smallest,
        alpha=alpha,
        level=level,
        verdict=verdict,
        warnings=tuple(warnings),
        details={"percentile": percentile, "bca": bca, "sd": float(replicates.std()), "resamples": resamples},
    )


def _few_units(verdict: str, d: Floats | None, n: int, alpha: float) -> tuple[str, str]:
    """The verdict and the warning for fewer units than a bootstrap should be trusted with."""
    from lawful.stats_permutation import exact_sign_flip_p

    exact = 2.0 ** (1 - n) if d is None else exact_sign_flip_p(d)
    what = "cannot give less than" if d is None else "gives"
    warning = f"n = {n} is few: bootstrap p and interval are optimistic; the exact sign-flip test {what} p = "
    if exact > alpha and not verdict.startswith(CANNOT_TELL):
        verdict = f"{CANNOT_TELL}: the exact sign-flip test {what} p = {number(exact)}, above {number(alpha)}"
    return verdict, f"{warning}{number(exact)}."


def bootstrap_mean(
    values: ArrayLike,
    *,
    name: str = "mean",
    unit: str = "instance",
    strata: Sequence[Hashable] | ArrayLike | None = None,
    resamples: int = 9999,
    level: float = 0.95,
    seed: int | np.random.Generator = 0,
) -> StatResult:
    """Mean of one system's scores with its BCa interval (no p: there is nothing to test against)."""
    check_resamples(resamples)
    check_level(level)
    array = vector("values", values, 2)
    groups = strata_groups(strata, same_length(values=array, strata=strata))
    estimate, replicates, leave_one_out = _replicate_mean(array, groups, resamples, np.random.default_rng(seed))
    interval = bca_interval(replicates, estimate, leave_one_out, groups, level)
    interval = interval or percentile_interval(replicates, level)
    few = (f"n = {len(array)} is few: the bootstrap interval is optimistic.",) if len(array) < FEW_UNITS else ()
    return StatResult(
        test=name,
        estimate=estimate,
        interval=interval,
        p=None,
        n=len(array),
        unit=unit,
        smallest_p=None,
        alpha=1 - level,
        level=level,
        verdict=f"{number(estimate)}, {percent(level)} interval {interval_words(interval)}",
        warnings=few,
    )
