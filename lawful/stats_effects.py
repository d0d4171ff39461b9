"""Cohen's d, by name: three different numbers go under one letter.

On the same six paired scores d_z is 1.28 and d_s is 2.01, so a "d" without its variant says nothing. Each
comes with Hedges' correction for small samples and a bootstrap interval.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from lawful.stats_bootstrap import (
    Floats,
    Groups,
    bca_interval,
    leave_one_out_means,
    percentile_interval,
    resample_means,
)
from lawful.stats_result import (
    CANNOT_TELL,
    FEW_UNITS,
    StatResult,
    check_choice,
    check_level,
    check_resamples,
    interval_words,
    number,
    same_length,
    vector,
)

VARIANTS = ("d_z", "d_av", "d_s")


def hedges_factor(df: float) -> float:
    """J = 1 - 3 / (4 df - 1), which removes most of d's small-sample bias (Hedges 1981).

    >>> round(hedges_factor(5), 6)
    0.842105
    """
    if df < 2:
        raise ValueError(f"df must be at least 2 (three pairs), below which J is no correction; got {df!r}.")
    return 1 - 3 / (4 * df - 1)


def _divide(difference: Floats, variance: Floats, whole: Floats) -> Floats:
    """difference / sd; a draw without spread counts as an infinite effect, not as a draw to be dropped."""
    flat = variance <= 1e-12 * whole
    safe = np.sqrt(np.where(flat, 1.0, variance))
    endless = np.where(difference == 0, 0.0, np.copysign(np.inf, difference))
    return np.where(flat, endless, difference / safe)


def _columns(x: Floats, y: Floats, variant: str) -> tuple[Floats, Groups, Callable[[Floats], Floats], float]:
    """Columns whose means give d, the groups to draw within, d of those means, and Hedges' df."""
    n = len(x)
    if variant == "d_z":
        d = x - y
        centred, shift = d - d.mean(), d.mean()
        whole = d.var()

        def d_z(m: Floats) -> Floats:
            return _divide(m[..., 0] + shift, (m[..., 1] - m[..., 0] ** 2) * n / (n - 1), whole)

        return np.column_stack([centred, centred**2]), [np.arange(n)], d_z, n - 1
    u, v, shift = x - x.mean(), y - y.mean(), x.mean() - y.mean()
    if variant == "d_av":

        def d_av(m: Floats) -> Floats:
            sd_x = np.sqrt(np.maximum(m[..., 1] - m[..., 0] ** 2, 0) * n / (n - 1))
            sd_y = np.sqrt(np.maximum(m[..., 3] - m[..., 2] ** 2, 0) * n / (n - 1))
            gap = m[..., 0] - m[..., 2] + shift
            return _divide(gap, ((sd_x + sd_y) / 2) ** 2, x.var() + y.var())

        return np.column_stack([u, u**2, v, v**2]), [np.arange(n)], d_av, n - 1
    k, total = len(y), n + len(y)
    blocks = np.zeros((total, 4))  # rows of x fill the first two columns, rows of y the last two
    blocks[:n, 0], blocks[:n, 1], blocks[n:, 2], blocks[n:, 3] = u, u**2, v, v**2

    def d_s(m: Floats) -> Floats:
        # A draw keeps n rows of x and k of y; leaving one row out is centred within its own sample by BCa.
        mx, sx, my, sy = np.moveaxis(m, -1, 0) * total / np.array([n, n, k, k]).reshape(4, *[1] * (m.ndim - 1))
        pooled = (n * (sx - mx**2) + k * (sy - my**2)) / (total - 2)
        return _divide(mx - my + shift, pooled, x.var() + y.var())

    return blocks, [np.arange(n), np.arange(n, total)], d_s, total - 2


def cohens_d(
    x: ArrayLike,
    y: ArrayLike,
    variant: str = "d_z",
    *,
    hedges: bool = True,
    unit: str = "instance",
    resamples: int = 9999,
    level: float = 0.95,
    seed: int | np.random.Generator = 0,
) -> StatResult:
    """Standardised mean difference of x over y with its BCa bootstrap interval.

    * "d_z" (paired): mean(d) / sd(d), d = x - y;
    * "d_av" (paired): (mean x - mean y) / mean of the two sds;
    * "d_s" (independent): (mean x - mean y) / pooled sd.

    All sds have ddof = 1. `estimate` is g = J d with Hedges' factor J (df = n - 1 for the paired two, n_x +
    n_y - 2 for d_s), or d itself with hedges=False; `details` holds d, g, J and df. Raises ValueError where
    the sd is zero: d is undefined, report the raw difference.

    >>> round(cohens_d([3, 5, 4, 6], [2, 3, 3, 3], hedges=False).estimate, 4)
    1.8278
    """
    check_choice("variant", variant, VARIANTS)
    check_level(level)
    check_resamples(resamples)
    x, y = vector("x", x, 2), vector("y", y, 2)
    if variant != "d_s":
        same_length(x=x, y=y)
    columns, groups, statistic, df = _columns(x, y, variant)
    d = float(statistic(columns.mean(axis=0)))
    spread = (x - y).std() if variant == "d_z" else x.std() + y.std()
    if not np.isfinite(d) or spread <= 1e-12 * max(np.abs(x).max(), np.abs(y).max()):
        raise ValueError(f"{variant} is undefined: the standard deviation is zero. Report the raw difference.")
    J = hedges_factor(df)
    factor = J if hedges else 1.0
    replicates = statistic(resample_means(columns, groups, resamples, np.random.default_rng(seed)))
    interval = bca_interval(replicates, d, statistic(leave_one_out_means(columns)), groups, level)
    low, high = interval or percentile_interval(replicates, level)
    interval = (factor * low, factor * high)
    n = len(columns)
    few = n < FEW_UNITS
    warning = f"n = {n} is few: the bootstrap interval of {variant} is only approximate."
    name = variant.replace("d_", "g_") if hedges else variant
    return StatResult(
        test=f"Cohen's {variant}" + (f" with Hedges' factor ({name})" if hedges else ""),
        estimate=factor * d,
        interval=interval,
        p=None,
        n=n,
        unit=unit,
        smallest_p=None,
        alpha=1 - level,
        level=level,
        verdict=_effect_words(name, factor * d, interval),
        warnings=(warning,) if few else (),
        details={"d": d, "g": J * d, "J": J, "df": df, "variant": variant},
    )


def _effect_words(name: str, estimate: float, interval: tuple[float, float]) -> str:
    words = f"{name} = {number(estimate)}, interval {interval_words(interval)}"
    if interval[0] <= 0 <= interval[1]:
        return f"{CANNOT_TELL} the sign: {words} holds 0"
    return words
