"""How sure is a fit? One interval for each of its numbers, and "cannot tell" where the data set no limit.

The method follows the data unless it is said: profile likelihood for least squares and binomial fits of few points,
whole runs resampled where points are checkpoints of one run, pairs otherwise, the sandwich for very many points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lawful.bootstrap import METHODS, Draws, bootstrap, cluster_count, few_runs
from lawful.findings import Finding
from lawful.fit import Fit
from lawful.profiles import profile

_MANY = 10_000  # points from which the sandwich is as good as a bootstrap
_FEW = 200  # points up to which a profile is the default


@dataclass(frozen=True)
class Interval:
    """One number and how far it may be off. verdict: empty, or "cannot tell" and why."""

    estimate: float
    lower: float
    upper: float
    level: float
    method: str
    verdict: str = ""

    def __str__(self) -> str:
        text = f"{self.estimate:.4g} [{self.lower:.4g}, {self.upper:.4g}]"
        return f"{text} ({self.verdict})" if self.verdict else text


@dataclass(frozen=True)
class Intervals(Mapping[str, Interval]):
    """Intervals by the name of the free number, and what there is to say about how they were made."""

    intervals: Mapping[str, Interval]
    method: str
    findings: tuple[Finding, ...] = ()
    draws: Draws | None = None

    def __getitem__(self, name: str) -> Interval:
        return self.intervals[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.intervals)

    def __len__(self) -> int:
        return len(self.intervals)

    def __str__(self) -> str:
        return "\n".join(f"{name} = {one}" for name, one in self.intervals.items())


def method_for(fit: Fit) -> str:
    """The default: cluster for clustered points, profile or pairs by objective and size, sandwich beyond 10,000."""
    if fit.n >= _MANY:
        return "sandwich"
    if fit.points.cluster is not None:
        return "cluster"
    if (fit.objective.squares or fit.objective.binomial) and fit.n <= _FEW:
        return "profile"
    return "pairs"


def intervals(
    fit: Fit, level: float = 0.95, method: str = "auto", *, draws: int = 1000, seed: int = 0, bca: bool = False
) -> Intervals:
    """Intervals for every free number of a fit.

    method: "profile", a bootstrap ("pairs", "cluster", "wild", "parametric"), "sandwich" or "auto" (`method_for`).
    bca: correct the bootstrap's percentiles for bias and skewness (Efron 1987) instead of taking them as they are.
    Raises ValueError for an unknown method or a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, such as 0.95")
    method = method_for(fit) if method == "auto" else method
    if method == "profile":
        return _by_profile(fit, level)
    if method == "sandwich":
        return _by_sandwich(fit, level)
    if method not in METHODS:
        raise ValueError(f"method {method!r} is unknown; allowed: auto, profile, sandwich, {', '.join(METHODS)}")
    made = bootstrap(fit, method, draws, seed)
    skew = acceleration(fit) if bca else None
    out = {}
    for i, name in enumerate(made.names):
        estimate = fit.estimates[name]
        lower, upper, open_end = percentiles(made.values[:, i], level, estimate, None if skew is None else skew[i])
        verdict = "cannot tell: too many draws failed" if open_end else _at_bound(fit, name, lower)
        if method == "cluster":
            lower, upper, verdict = _stretched(fit, name, lower, upper, level, verdict)
        if not lower <= estimate <= upper:
            verdict = "cannot tell: not an interval of this estimate, which is no optimum of its objective"
        out[name] = Interval(estimate, lower, upper, level, method + ("-bca" if bca else ""), verdict)
    note = Finding("draws", "warning" if made.failed else "note", made.sentence())
    return Intervals(out, method, (note,), made)


def _stretched(fit: Fit, name: str, lower: float, upper: float, level: float, verdict: str) -> tuple[float, float, str]:
    """A cluster bootstrap's interval for few runs: longer, or none."""
    factor = few_runs(fit, level)
    if np.isinf(factor):
        runs = cluster_count(fit)
        return -np.inf, np.inf, f"cannot tell: {fit.n} points from {runs} run{'s' * (runs != 1)}"
    slot = next(s for s in fit.model.slots if s.name == name)
    centre = fit.estimates[name]
    low, high = centre + factor * (lower - centre), centre + factor * (upper - centre)
    return max(low, slot.lower), min(high, slot.upper), verdict


def _by_profile(fit: Fit, level: float) -> Intervals:
    out, found = {}, []
    for name, estimate in fit.estimates.items():
        p = profile(fit, name, level)
        found += p.findings
        verdict = p.verdict if fit.dof > 0 else "cannot tell: as many parameters as points"
        verdict = verdict if p.open_above or fit.dof <= 0 else _at_bound(fit, name, p.lower) or verdict
        slot = next(s for s in fit.model.slots if s.name == name)
        lower = -np.inf if fit.dof <= 0 or p.open_below else p.lower
        lower = slot.lower if _at_bound(fit, name, p.lower) else lower
        upper = np.inf if fit.dof <= 0 or p.open_above else p.upper
        out[name] = Interval(estimate, lower, upper, level, "profile", verdict)
    return Intervals(out, "profile", tuple(found))


def _at_bound(fit: Fit, name: str, lower: float) -> str:
    """An interval that reaches the natural end of its parameter: the data do not show that it is there at all."""
    slot = next(s for s in fit.model.slots if s.name == name)
    level = float(np.median(np.abs(fit.points.y)))
    kind = next(p.kind for p in fit.law.parameters if p.name == slot.parameter)
    if kind == "offset" and slot.kind == "above" and lower - slot.lower < 1e-5 * level:
        return f"cannot tell: {slot.lower:g} is not excluded"
    return ""


def _by_sandwich(fit: Fit, level: float) -> Intervals:
    from scipy.special import stdtrit

    t = float(stdtrit(max(fit.dof, 1), 0.5 + level / 2))
    out = {}
    for name, estimate, variance in zip(fit.estimates, fit.estimates.values(), np.diag(robust_covariance(fit))):
        half = t * float(np.sqrt(variance))
        verdict = "" if np.isfinite(half) else "cannot tell: not determined by the data"
        out[name] = Interval(estimate, estimate - half, estimate + half, level, "sandwich", verdict)
    note = Finding("sandwich", "note", "Sandwich intervals are first-order: right for many points, rough for few.")
    return Intervals(out, "sandwich", (note,))


def robust_covariance(fit: Fit) -> np.ndarray:
    """H^-1 S H^-1 (p, p), for any objective and for points whose noise differs (by run where points are clustered)."""
    from lawful.spread import covariance

    cluster = fit.points.cluster if fit.points.cluster is not None else np.arange(fit.n)
    return covariance(fit.model, fit.theta, fit.problems, fit.objective, cluster)[0]


def percentiles(
    sample: np.ndarray, level: float, estimate: float, skew: float | None = None
) -> tuple[float, float, bool]:
    """Percentile ends of a bootstrap sample, BCa if the acceleration ``skew`` is given; True if an end is open.

    A failed draw could have been anywhere, so it counts at both ends: with a share q failed the ends are taken at
    (1 - level) / 2 - q. Where nothing is left there, the end is infinite.
    """
    from scipy.special import ndtr, ndtri

    good = sample[np.isfinite(sample)]
    lost = 1 - len(good) / len(sample)
    tail = (1 - level) / 2
    low, high = tail, 1 - tail
    if skew is not None and len(good):
        below = np.clip((np.mean(good < estimate) + np.mean(good <= estimate)) / 2, 1e-6, 1 - 1e-6)
        z0 = float(ndtri(below))
        low, high = (float(ndtr(z0 + (z0 + z) / (1 - skew * (z0 + z)))) for z in (ndtri(tail), ndtri(1 - tail)))
    low, high = low - lost, high + lost
    if low <= 0 or high >= 1:
        return -np.inf, np.inf, True
    return float(np.quantile(good, low)), float(np.quantile(good, high)), False


def acceleration(fit: Fit) -> np.ndarray:
    """BCa's acceleration (p,) by jackknife: sum d^3 / (6 (sum d^2)^1.5), d the deviations of leave-one-out fits."""
    left_out = leave_one_out(fit)
    d = np.nanmean(left_out, 0) - left_out
    with np.errstate(all="ignore"):
        a = np.nansum(d**3, 0) / (6 * np.nansum(d**2, 0) ** 1.5)
    return np.where(np.isfinite(a), a, 0.0)


def leave_one_out(fit: Fit) -> np.ndarray:
    """The free numbers (m, p) of the fits that leave out each point, or each run where points are clustered."""
    from lawful.bootstrap import refit
    from lawful.solve import Problems

    code = fit.points.cluster if fit.points.cluster is not None else np.arange(fit.n)
    labels = np.unique(code)
    W = np.where(code[None] == labels[:, None], 0.0, fit.problems.W)
    theta, F = refit(fit, Problems(fit.problems.X, fit.problems.y, W))
    out = fit.model.natural(theta)
    out[~np.isfinite(F)] = np.nan
    return out
