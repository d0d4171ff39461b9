r"""How good was a forecast? Scores of predictions and intervals against what then happened.

All are functions of arrays. One value per point, to be averaged or pooled as you like: `relative_error`, `width`,
`interval_score` and the CRPS (`crps_sample`, `crps_normal`, `crps_t`, `crps_interval`). One number for all points:
`rmse_log`, `r2`, `coverage`, `skill`. `by_distance` pools either kind by how far beyond its data a forecast reached;
`score_forecasts` gives all of them at once for forecasts with intervals at several levels.

Lower is better for all but `r2` and `skill`; `coverage` is best at its level. Interval score and CRPS are *proper*: no
one gains on average by stating another interval than the one believed in (Gneiting & Raftery 2007), so that a wide
interval that always covers does not win. In the logs of truth and interval they are free of units.

A prediction that is not a number gives a score that is not a number, never a smaller sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """All scores of a set of forecasts. Those of intervals are by level; they and the CRPS are of logs where `log`.

    relative_error: the mean. width, interval_score, crps: means; infinite where an interval has an open end.
    """

    points: int
    relative_error: float
    rmse_log: float
    r2: float
    coverage: Mapping[float, float]
    width: Mapping[float, float]
    interval_score: Mapping[float, float]
    crps: float
    log: bool


@dataclass(frozen=True)
class Bin:
    """A score pooled over the forecasts that reached more than ``lower`` and up to ``upper`` decades (0 included)."""

    lower: float
    upper: float
    points: int
    value: float

    def __str__(self) -> str:
        return f"{self.lower:g} to {self.upper:g} decades ({self.points} points): {self.value:.4g}"


def relative_error(truth: ArrayLike, predicted: ArrayLike) -> Array:
    r"""$|\hat y - y| / |y|$ of each point; the mean is the MRE (or MAPE / 100) that papers give. Truth must not be 0.

    >>> relative_error([2.0, 4.0], [2.2, 3.0])
    array([0.1 , 0.25])
    """
    y, p = _together(truth=truth, predicted=predicted)
    if (y == 0).any():
        raise ValueError(f"truth is 0 in row {int(np.argmax(y == 0))}: a relative error has no value there")
    return np.abs(p - y) / np.abs(y)


def rmse_log(truth: ArrayLike, predicted: ArrayLike) -> float:
    r"""$\sqrt{\mathrm{mean}\,(\ln \hat y - \ln y)^2}$: for small errors, the root mean square of the relative error.

    Truth must be positive; a prediction of 0 or less is infinitely wrong.
    """
    y, p = _together(truth=truth, predicted=predicted)
    if (y <= 0).any():
        row = int(np.argmax(y <= 0))
        raise ValueError(f"truth is {y[row]:g} in row {row}: a log needs positive values")
    gap = _log(p) - np.log(y)
    return float(np.sqrt(np.mean(gap**2)))


def r2(truth: ArrayLike, predicted: ArrayLike) -> float:
    r"""$1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2$: 1 is perfect, 0 no better than the mean of the truth.

    That mean is of the held-out points themselves, which no forecaster knew. Not a number where the truth is constant.
    """
    y, p = _together(truth=truth, predicted=predicted)
    around = float(np.sum((y - y.mean()) ** 2))
    return 1 - float(np.sum((y - p) ** 2)) / around if around > 0 else float("nan")


def skill(score: ArrayLike, baseline: ArrayLike) -> Array:
    r"""$1 - S / S_0$: the part of the baseline's mean score that a forecast saves.

    1 is perfect, 0 as good as the baseline, negative worse. For scores of which lower is better and 0 is best. Not a
    number where the baseline is perfect.
    """
    s, s0 = np.asarray(score, float), np.asarray(baseline, float)
    if (s < 0).any() or (s0 < 0).any():
        raise ValueError("skill compares scores that cannot be negative, such as errors; one given is below 0")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(s0 > 0, 1 - s / s0, np.nan)


def coverage(truth: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> float:
    """The share of points inside their interval, ends included: to be compared with the interval's level."""
    y, low, high = _interval(truth, lower, upper)
    inside = np.where(np.isnan(y) | np.isnan(low) | np.isnan(high), np.nan, (low <= y) & (y <= high))
    return float(np.mean(inside))


def width(lower: ArrayLike, upper: ArrayLike) -> Array:
    """upper - lower of each interval; infinite where an end is open."""
    low, high = _together(lower=lower, upper=upper)
    _check_order(low, high)
    return high - low


def interval_score(truth: ArrayLike, lower: ArrayLike, upper: ArrayLike, level: float) -> Array:
    r"""The interval score of a central interval of the given level, with $\alpha = 1 - \mathrm{level}$:

    $$(u - l) + \frac{2}{\alpha}(l - y)\,1\{y < l\} + \frac{2}{\alpha}(y - u)\,1\{y > u\}$$

    The width, and a fine for each miss. Gneiting & Raftery 2007 (JASA 102), eq. 43; also called Winkler's score.

    >>> interval_score([0.0, 2.0], -1.0, 1.0, 0.9)   # inside; 1 above the upper end
    array([ 2., 22.])
    """
    y, low, high = _interval(truth, lower, upper)
    fine = 2 / (1 - _level(level))
    with np.errstate(invalid="ignore"):
        miss = np.where(y < low, low - y, 0.0) + np.where(y > high, y - high, 0.0)
    return np.where(np.isnan(y) | np.isnan(low) | np.isnan(high), np.nan, (high - low) + fine * miss)


def crps_sample(truth: ArrayLike, sample: ArrayLike) -> Array:
    r"""The continuous ranked probability score of a sample, $E|X - y| - \frac{1}{2} E|X - X'|$, in units of the truth.

    truth (n,), sample (draws, n). Exact for the distribution that puts equal weight on each draw (Gneiting & Raftery
    2007, eq. 21); one draw gives the absolute error.
    """
    y, x = np.asarray(truth, float), np.asarray(sample, float)
    if y.ndim != 1 or x.ndim != 2 or x.shape[1] != len(y) or not len(x):
        raise ValueError(f"truth (n,) and sample (draws, n) do not match: shapes {y.shape} and {x.shape}")
    m = len(x)
    # the mean over all pairs of |x_i - x_j| from the sorted draws, without m**2 differences
    ranks = (2 * np.arange(1, m + 1) - m - 1)[:, None]
    return np.abs(x - y).mean(0) - (ranks * np.sort(x, axis=0)).sum(0) / m**2


def crps_normal(truth: ArrayLike, mean: ArrayLike, sd: ArrayLike) -> Array:
    r"""CRPS of a normal, with $z = (y - \mu)/\sigma$: $\sigma [z(2\Phi(z) - 1) + 2\varphi(z) - 1/\sqrt\pi]$.

    Gneiting, Raftery, Westveld & Goldman 2005 (Monthly Weather Review 133), eq. 5. sd = 0 gives the absolute error.
    """
    return crps_t(truth, mean, sd, np.inf)


def crps_t(truth: ArrayLike, location: ArrayLike, scale: ArrayLike, dof: float) -> Array:
    r"""CRPS of Student's t with location, scale and more than 1 degree of freedom (infinitely many: the normal).

    $$\sigma \left[ z(2F(z) - 1) + 2f(z)\frac{\nu + z^2}{\nu - 1}
      - \frac{2\sqrt\nu}{\nu - 1}\frac{B(1/2, \nu - 1/2)}{B(1/2, \nu/2)^2} \right]$$

    Jordan, Krueger & Lerch 2019 (J. Stat. Software 90(12)), Appendix A.
    """
    from scipy.special import betaln, ndtr, stdtr

    y, mu, sigma = _together(truth=truth, location=location, scale=scale)
    if (sigma < 0).any():
        raise ValueError(f"scale is {sigma.min():g}; it must not be negative")
    if not dof > 1:
        raise ValueError(f"dof is {dof}; the CRPS of a t exists for more than 1 degree of freedom")
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(sigma > 0, (y - mu) / sigma, 0.0)
        if np.isinf(dof):
            F, tail, own = ndtr(z), np.exp(-z * z / 2) / np.sqrt(2 * np.pi), 1 / np.sqrt(np.pi)
        else:
            log_f = -betaln(0.5, dof / 2) - 0.5 * np.log(dof) - (dof + 1) / 2 * np.log1p(z * z / dof)
            F, tail = stdtr(dof, z), np.exp(log_f) * (dof + z * z) / (dof - 1)
            own = 2 * np.sqrt(dof) / (dof - 1) * np.exp(betaln(0.5, dof - 0.5) - 2 * betaln(0.5, dof / 2))
        score = sigma * (z * (2 * F - 1) + 2 * tail - own)
    return np.where(sigma > 0, score, np.abs(y - mu))


def crps_interval(truth: ArrayLike, lower: ArrayLike, upper: ArrayLike, level: float, dof: float = np.inf) -> Array:
    """CRPS of the normal (or the t with ``dof``) whose central interval of that level has these two ends.

    For forecasts stated as an interval; take the logs of all three where the interval is symmetric in the log. Infinite
    where an end is open.
    """
    from scipy.special import ndtri, stdtrit

    y, low, high = _interval(truth, lower, upper)
    tail = 0.5 + _level(level) / 2
    half = float(ndtri(tail) if np.isinf(dof) else stdtrit(dof, tail))
    open_ = np.isinf(low) | np.isinf(high)
    a, b = np.where(open_, 0.0, low), np.where(open_, 0.0, high)
    return np.where(open_, np.inf, crps_t(y, (a + b) / 2, (b - a) / 2 / half, dof))


def score_forecasts(
    truth: ArrayLike, predicted: ArrayLike, ends: Mapping[float, tuple[ArrayLike, ArrayLike]], *, log: bool = True
) -> Scores:
    """Every score of forecasts (n,) with intervals, ends = {level: (lower, upper)}; without ends those of points alone.

    log: score intervals and CRPS on logs, where they are relative. The CRPS is that of the normal with the ends of the
    interval nearest to 68 %, whose ends depend least on the tails; without intervals it is the mean absolute error.
    rmse_log is not a number where the truth is not positive.
    """
    y, p = _together(truth=truth, predicted=predicted)
    if log and (y <= 0).any():
        raise ValueError("the truth is not positive everywhere: score intervals on the value, log=False")
    spans = {level: (_log(low), _log(high)) if log else (low, high) for level, (low, high) in ends.items()}
    here, there = (np.log(y), _log(p)) if log else (y, p)
    if spans:
        middle = min(spans, key=lambda level: abs(level - 0.68))
        crps = crps_interval(here, *spans[middle], middle)
    else:
        crps = np.abs(here - there)
    return Scores(
        len(y), float(relative_error(y, p).mean()), rmse_log(y, p) if (y > 0).all() else float("nan"), r2(y, p),
        {level: coverage(here, *span) for level, span in spans.items()},
        {level: float(width(*span).mean()) for level, span in spans.items()},
        {level: float(interval_score(here, *span, level).mean()) for level, span in spans.items()},
        float(crps.mean()), log,
    )  # fmt: skip


def _log(x: ArrayLike) -> Array:
    """Logs; of 0 and less, minus infinity."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(x, float) <= 0, -np.inf, np.log(np.asarray(x, float)))


def by_distance(
    distance: ArrayLike, score: Callable[..., object], *arrays: ArrayLike, step: float = 0.5
) -> tuple[Bin, ...]:
    """A score pooled over bins of distance: each bin reaches `step` decades further than the one before it.

    distance (n,): decades beyond the data. score: any function of this module, or np.mean; it is called with the rows
    of ``arrays`` in each bin, and its values are averaged. Bins without a point are left out.

    >>> [str(b) for b in by_distance([0.1, 0.4, 0.9], relative_error, [1, 1, 1], [1.1, 1.3, 1.5])]
    ['0 to 0.5 decades (2 points): 0.2', '0.5 to 1 decades (1 points): 0.5']
    """
    far = np.asarray(distance, float)
    if not step > 0:
        raise ValueError(f"step is {step}; bins need a width in decades, such as 0.5")
    if not (np.isfinite(far).all() and (far >= 0).all()):
        raise ValueError("distance must be decades beyond the data: finite numbers that are not negative")
    rows = [np.broadcast_to(np.asarray(a, float), far.shape) for a in arrays]
    # a distance that is an exact multiple of the step, but for rounding, closes the bin below it
    which = np.maximum(np.ceil(np.round(far / step, 9)).astype(int) - 1, 0)
    bins = []
    for k in np.unique(which):
        of = which == k
        value = float(np.mean(np.asarray(score(*(a[of] for a in rows)), float)))
        bins.append(Bin(float(k * step), float((k + 1) * step), int(of.sum()), value))
    return tuple(bins)


def _together(**given: ArrayLike) -> tuple[Array, ...]:
    """Arrays (n,) of one length; a number stands for all points."""
    arrays = {name: np.asarray(a, float) for name, a in given.items()}
    lengths = {name: a.shape for name, a in arrays.items() if a.ndim}
    if any(len(shape) > 1 for shape in lengths.values()) or len(set(lengths.values())) > 1:
        raise ValueError(
            f"one value per point is needed; shapes are {', '.join(f'{k} {v}' for k, v in lengths.items())}"
        )
    n = next(iter(lengths.values()), (1,))
    if n == (0,):
        raise ValueError("there are no points to score")
    return tuple(np.broadcast_to(a, n) for a in arrays.values())


def _interval(truth: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> tuple[Array, ...]:
    y, low, high = _together(truth=truth, lower=lower, upper=upper)
    _check_order(low, high)
    return y, low, high


def _check_order(low: Array, high: Array) -> None:
    if (low > high).any():
        row = int(np.argmax(low > high))
        raise ValueError(f"lower is {low[row]:g} and upper {high[row]:g} in row {row}: lower must not be above upper")


def _level(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, such as 0.9")
    return level
