"""What a law says elsewhere, with its interval and a warning in words where it should not be used.

    forecast(fit, N=70e9, D=1.4e12)                  # the mean of runs there
    forecast(fit, N=70e9, D=1.4e12, kind="run")      # one new run: its own noise included

These intervals hold if the law is right. How far a wrong law goes astray is for `validate` to measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lawful.batch import with_group
from lawful.bootstrap import METHODS, bootstrap, draw_accuracies, few_runs
from lawful.findings import Finding
from lawful.fit import Fit, Fits
from lawful.places import collect, columns_of, distance
from lawful.points import as_labels
from lawful.profiles import prediction_profile
from lawful.quantities import did_you_mean
from lawful.solve import Problems
from lawful.spread import natural_jacobian
from lawful.uncertainty import method_for, percentiles, robust_covariance

_FAR = 1.0  # decades beyond the data from which a forecast is flagged


@dataclass(frozen=True, repr=False)
class Forecast:
    """Predictions with intervals, one per point.

    points: the variables (and group) of each point, as given. estimate, lower, upper (m,): an end is infinite (or 0 for
    a law fitted on logs) where the data set no limit. flag: for each point what speaks against using it, or "".
    distance (m,): decades beyond the data, the largest over the variables.
    """

    points: Mapping[str, np.ndarray]
    estimate: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    flag: tuple[str, ...]
    distance: np.ndarray
    level: float
    kind: str
    method: str
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return len(self.estimate)

    def to_frame(self) -> Any:
        """A polars frame: the points' columns, then estimate, lower, upper and flag."""
        import polars as pl

        return pl.DataFrame(
            {k: list(v) for k, v in self.points.items()}
            | {"estimate": self.estimate, "lower": self.lower, "upper": self.upper, "flag": list(self.flag)}
        )

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = []
        for i in range(len(self)):
            place = ", ".join(f"{k} = {_short(v[i])}" for k, v in self.points.items())
            text = f"{place}: {self.estimate[i]:.4g} [{self.lower[i]:.4g}, {self.upper[i]:.4g}]"
            lines.append(f"{text}  {self.flag[i]}" if self.flag[i] else text)
        return "\n".join([f"{100 * self.level:.4g} % intervals of {self.kind}, {self.method}", *lines])


def _short(x: Any) -> str:
    return f"{x:.4g}" if isinstance(x, float | np.floating) else str(x)


def forecast(
    fit: Fit | Fits, at: Any = None, *, level: float = 0.9, kind: str = "mean", method: str = "auto",
    draws: int = 1000, seed: int = 0, **variables: Any,
) -> Forecast:  # fmt: skip
    """Predict at new points.

    at: a table (`Runs`, a frame, or a mapping of columns) with the law's variables; or give them by name, numbers or
    arrays that broadcast. kind: "mean" (where the average of repeated runs lies) or "run" (one new run).
    method: "profile", "pairs", "cluster", "wild", "parametric", "sandwich" or "auto".
    Raises ValueError for a missing variable, an unknown group, kind, method or level.
    """
    if kind not in ("mean", "run"):
        raise ValueError(f"kind is {kind!r}; allowed: 'mean' (the average of runs) and 'run' (one new run)")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, such as 0.9")
    options: dict[str, Any] = {"level": level, "kind": kind, "method": method, "draws": draws, "seed": seed}
    if isinstance(fit, Fits):
        return _by_group(fit, at, variables, options)
    X, group, shown = collect(fit, at, variables)
    method = _method(fit, method)
    estimate = fit.at_points(X, group)
    if method == "profile":
        lower, upper = _profile_ends(fit, X, group, estimate, level)
    elif method == "sandwich":
        lower, upper = _linear_ends(fit, X, group, estimate, level, robust_covariance(fit))
    else:
        lower, upper = _bootstrap_ends(fit, X, group, estimate, level, kind, method, draws, seed)
    if kind == "run" and method in ("profile", "sandwich"):
        lower, upper = _with_noise(fit, estimate, lower, upper, level)
    far, flags = _flags(fit, X, estimate, lower, upper)
    return Forecast(shown, estimate, lower, upper, flags, far, level, kind, method, fit.findings)


def _method(fit: Fit, method: str) -> str:
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


def _by_group(fits: Fits, at: Any, variables: Mapping[str, Any], options: dict[str, Any]) -> Forecast:
    """Each row by the fit of its group; rows come back in the order given."""
    if fits.by not in variables and fits.by not in columns_of(at):
        raise ValueError(f"these are fits by {fits.by}: the points need a column {fits.by!r}")
    columns = columns_of(at) or {k: np.atleast_1d(np.asarray(v)) for k, v in variables.items()}
    m = np.broadcast_shapes(*(np.shape(v) for v in columns.values()))
    columns = {k: np.broadcast_to(v, m) for k, v in columns.items()}
    labels = as_labels(columns[fits.by])
    for label in dict.fromkeys(labels):
        if label not in fits:
            raise ValueError(f"there is no fit for {fits.by} {str(label)!r}{did_you_mean(str(label), list(fits))}")
    parts = {x: np.flatnonzero(labels == x) for x in dict.fromkeys(labels)}
    made = {x: forecast(fits[x], {k: v[i] for k, v in columns.items()}, **options) for x, i in parts.items()}
    back = np.argsort(np.concatenate(list(parts.values())))
    numbers = ("estimate", "lower", "upper", "distance")
    joined = {a: np.concatenate([getattr(f, a) for f in made.values()])[back] for a in numbers}
    flags = np.concatenate([np.array(f.flag, object) for f in made.values()])[back]
    first = next(iter(made.values()))
    findings = tuple(x for f in made.values() for x in f.findings)
    return replace(first, points=columns, **joined, flag=tuple(map(str, flags)), findings=findings)


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


def _to_space(fit: Fit, value: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.log(value) if fit.objective.log else value


def _from_space(fit: Fit, value: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.exp(value) if fit.objective.log else value


def _profile_ends(
    fit: Fit, X: dict[str, np.ndarray], group: np.ndarray | None, estimate: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    centre = _to_space(fit, estimate)
    if not fit.estimates:
        return estimate, estimate
    if fit.dof <= 0:
        return _from_space(fit, centre - np.inf), _from_space(fit, centre + np.inf)
    se = _standard_error(_new_slopes(fit, X, group, len(estimate)), fit.covariance)
    made = prediction_profile(fit, with_group(X, fit.points, group), centre, se, level)
    lower = np.where(made.open_below, -np.inf, made.lower)
    upper = np.where(made.open_above, np.inf, made.upper)
    return _from_space(fit, lower), _from_space(fit, upper)


def _linear_ends(
    fit: Fit, X: dict[str, np.ndarray], group: np.ndarray | None, estimate: np.ndarray, level: float, C: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import stdtrit

    se = _standard_error(_new_slopes(fit, X, group, len(estimate)), C)
    half = float(stdtrit(max(fit.dof, 1), 0.5 + level / 2)) * np.where(np.isfinite(se), se, np.inf)
    centre = _to_space(fit, estimate)
    return _from_space(fit, centre - half), _from_space(fit, centre + half)


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
    centre, factor = _to_space(fit, estimate), few_runs(fit, level)
    if np.isinf(factor):
        return _from_space(fit, centre - np.inf), _from_space(fit, centre + np.inf)
    low, high = (centre + factor * (_to_space(fit, end) - centre) for end in (lower, upper))
    return _from_space(fit, low), _from_space(fit, high)


def _noisy(fit: Fit, sample: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if fit.objective.binomial:
        items = np.full(sample.shape[1], np.median(fit.points.items_or_one))
        known = np.nan_to_num(np.clip(sample, 0, 1), nan=0.5)
        return np.where(np.isfinite(sample), draw_accuracies(fit, known, items, rng), np.nan)
    pool = fit.residuals * np.sqrt(fit.points.w / np.median(fit.points.w) * fit.n / max(fit.dof, 1))
    noise = rng.choice(pool, size=(len(sample), 1))  # alike at every point, so that an interval is the point's own
    return _from_space(fit, _to_space(fit, sample) + noise)


def _with_noise(
    fit: Fit, estimate: np.ndarray, lower: np.ndarray, upper: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Add one run's own error: the distances to the ends and t sigma add in squares, on each side by itself."""
    from scipy.special import stdtrit

    typical = fit.sigma / np.sqrt(np.median(fit.points.w))  # a new run weighs as much as the usual one
    own = float(stdtrit(max(fit.dof, 1), 0.5 + level / 2)) * typical if fit.dof > 0 else np.inf
    centre, low, high = _to_space(fit, estimate), _to_space(fit, lower), _to_space(fit, upper)
    down, up = np.hypot(centre - low, own), np.hypot(high - centre, own)
    return _from_space(fit, centre - down), _from_space(fit, centre + up)


def _flags(
    fit: Fit, X: dict[str, np.ndarray], estimate: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Decades beyond the data (m,), and for each point what speaks against its forecast."""
    far, beyond = distance(fit, X)
    severe = [f.message for f in fit.findings if f.severity == "error" or f.code == "far_points"]
    level = np.median(np.abs(fit.points.y))
    flags = []
    for i in range(len(estimate)):
        said = list(severe)
        if not np.isfinite(estimate[i]):
            said.append("the law is not finite here")
        elif lower[i] == -np.inf or upper[i] == np.inf or (fit.objective.log and lower[i] == 0):
            said.append("cannot tell: the data set no limit")
        elif upper[i] - lower[i] > level:
            said.append("cannot tell: the interval is wider than the level of the data")
        if far[i] > _FAR:
            said.append(f"{far[i]:.1f} decades beyond the runs in {beyond[i]}: not checked that far")
        flags.append("; ".join(said))
    return far, tuple(flags)
