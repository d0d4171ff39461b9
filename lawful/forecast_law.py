"""The interval of one law at new points, if that law is right: profile, standard error or bootstrap.

How far a wrong law goes astray is for `calibration` to say.
"""

from __future__ import annotations

import numpy as np

from lawful.batch import with_group
from lawful.bootstrap import METHODS, bootstrap, draw_accuracies, few_runs
from lawful.fit import Fit
from lawful.profiles import prediction_profile
from lawful.solve import Problems
from lawful.spread import natural_jacobian
from lawful.uncertainty import method_for, percentiles, robust_covariance


def method_of(fit: Fit, method: str) -> str:
    """The method by which a law's own forecast interval is made; ValueError for one that does not apply."""
    if method == "auto":
        method = method_for(fit)
        return "parametric" if method == "profile" and fit.objective.binomial else method
    allowed = ("profile", "sandwich", *METHODS)
    if method not in allowed:
        raise ValueError(f"method {method!r} is unknown; allowed: auto, {', '.join(allowed)}")
    if method == "profile" and not fit.objective.squares:
        raise ValueError(
            f"profile forecasts need least squares; the fit minimised {fit.objective.name}: use method='pairs'"
        )
    return method


def law_ends(
    fit: Fit, X: dict[str, np.ndarray], group: np.ndarray | None, estimate: np.ndarray, level: float, kind: str,
    method: str, draws: int, seed: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Lower and upper ends (m,) of a law's own interval at new points."""
    if method == "profile":
        lower, upper = _profile_ends(fit, X, group, estimate, level)
    elif method == "sandwich":
        lower, upper = _linear_ends(fit, X, group, estimate, level, robust_covariance(fit))
    else:
        lower, upper = _bootstrap_ends(fit, X, group, estimate, level, kind, method, draws, seed)
    if kind == "run" and method in ("profile", "sandwich"):
        lower, upper = _with_noise(fit, estimate, lower, upper, level)
    return lower, upper


def cluster_errors(fit: Fit, X: dict[str, np.ndarray], group: np.ndarray | None) -> np.ndarray:
    """Standard errors (m,) from the fit's own covariance, which for checkpoints of runs is that of the runs' sums."""
    m = np.shape(next(iter(X.values())))[-1]
    return _standard_error(_new_slopes(fit, X, group, m), fit.covariance)


def _new_slopes(fit: Fit, X: dict[str, np.ndarray], group: np.ndarray | None, m: int) -> np.ndarray:
    """Partials (m, p) of the law at new points by the parameters, in the space of the objective."""
    there = Problems(with_group(X, fit.points, group), np.ones(m), np.ones((1, m)))
    f, J, _, _ = natural_jacobian(fit.model, fit.theta, there)
    return J / f[:, None] if fit.objective.log else J


def _standard_error(J: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """sqrt(J C J') (m,); nan where J leans on a parameter without variance."""
    lost = ~np.isfinite(np.diag(covariance))
    C = np.where(np.isfinite(covariance), covariance, 0.0)
    se = np.sqrt(np.maximum(np.einsum("mp,pq,mq->m", np.nan_to_num(J), C, np.nan_to_num(J)), 0.0))
    return np.where((np.abs(np.nan_to_num(J[:, lost], nan=1.0)) > 0).any(1), np.nan, se)


def to_space(fit: Fit, value: np.ndarray) -> np.ndarray:
    """Values in the space of the objective: their logs, or themselves."""
    with np.errstate(all="ignore"):
        return np.log(value) if fit.objective.log else value


def from_space(fit: Fit, value: np.ndarray) -> np.ndarray:
    """The inverse of `to_space`."""
    with np.errstate(over="ignore"):
        return np.exp(value) if fit.objective.log else value


def _profile_ends(
    fit: Fit, X: dict[str, np.ndarray], group: np.ndarray | None, estimate: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    centre = to_space(fit, estimate)
    if not fit.estimates:
        return estimate, estimate
    if fit.dof <= 0:
        return from_space(fit, centre - np.inf), from_space(fit, centre + np.inf)
    se = _standard_error(_new_slopes(fit, X, group, len(estimate)), fit.covariance)
    made = prediction_profile(fit, with_group(X, fit.points, group), centre, se, level)
    lower = np.where(made.open_below, -np.inf, made.lower)
    upper = np.where(made.open_above, np.inf, made.upper)
    return from_space(fit, lower), from_space(fit, upper)


def _linear_ends(
    fit: Fit, X: dict[str, np.ndarray], group: np.ndarray | None, estimate: np.ndarray, level: float, C: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import stdtrit

    se = _standard_error(_new_slopes(fit, X, group, len(estimate)), C)
    half = float(stdtrit(max(fit.dof, 1), 0.5 + level / 2)) * np.where(np.isfinite(se), se, np.inf)
    centre = to_space(fit, estimate)
    return from_space(fit, centre - half), from_space(fit, centre + half)


def _bootstrap_ends(
    fit: Fit, X: dict[str, np.ndarray], group: np.ndarray | None, estimate: np.ndarray, level: float, kind: str,
    method: str, draws: int, seed: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Percentiles of the law over refits; for one new run each refit gets a residual (or binomial) error of its own."""
    made = bootstrap(fit, method, draws, seed)
    with np.errstate(all="ignore"):
        f = fit.model.evaluate(made.theta, with_group(X, fit.points, group), derivatives=False)
    sample = np.broadcast_to(np.asarray(f), (len(made), len(estimate))).copy()
    sample[~np.isfinite(made.F)] = np.nan
    if kind == "run":
        sample = _noisy(fit, sample, np.random.default_rng(seed + 1))
    ends = [percentiles(sample[:, j], level, float(estimate[j])) for j in range(len(estimate))]
    lower, upper = np.array([e[0] for e in ends]), np.array([e[1] for e in ends])
    if method != "cluster":
        return lower, upper
    centre, factor = to_space(fit, estimate), few_runs(fit, level)
    if np.isinf(factor):
        return from_space(fit, centre - np.inf), from_space(fit, centre + np.inf)
    low, high = (centre + factor * (to_space(fit, end) - centre) for end in (lower, upper))
    return from_space(fit, low), from_space(fit, high)


def _noisy(fit: Fit, sample: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if fit.objective.binomial:
        items = np.full(sample.shape[1], np.median(fit.points.items_or_one))
        known = np.nan_to_num(np.clip(sample, 0, 1), nan=0.5)
        return np.where(np.isfinite(sample), draw_accuracies(fit, known, items, rng), np.nan)
    pool = fit.residuals * np.sqrt(fit.points.w / np.median(fit.points.w) * fit.n / max(fit.dof, 1))
    noise = rng.choice(pool, size=(len(sample), 1))  # alike at every point, so that an interval is the point's own
    return from_space(fit, to_space(fit, sample) + noise)


def _with_noise(
    fit: Fit, estimate: np.ndarray, lower: np.ndarray, upper: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Add one run's own error: the distances to the ends and t sigma add in squares, on each side by itself."""
    from scipy.special import stdtrit

    typical = fit.sigma / np.sqrt(np.median(fit.points.w))  # a new run weighs as much as the usual one
    own = float(stdtrit(max(fit.dof, 1), 0.5 + level / 2)) * typical if fit.dof > 0 else np.inf
    centre, low, high = to_space(fit, estimate), to_space(fit, lower), to_space(fit, upper)
    down, up = np.hypot(centre - low, own), np.hypot(high - centre, own)
    return from_space(fit, centre - down), from_space(fit, centre + up)
