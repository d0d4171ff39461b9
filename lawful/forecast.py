"""What a law says elsewhere, with an interval that has been tested and a warning in words where it should not be used.

    forecast(fit, N=70e9, D=1.4e12)                  # the mean of runs there
    forecast(fit, N=70e9, D=1.4e12, kind="run")      # one new run: its own noise included
    forecast(fit, N=70e9, D=1.4e12, calibration="law")   # the law's own interval, which holds if the law is right

By default the standard error of the law (or of the laws that share the forecast, and the spread between them) is
multiplied by what rolling origins on these runs and on published sets say about its errors: see `calibration`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lawful.bootstrap import cluster_count
from lawful.calibration import Calibration, Library, calibrate, evidence, half_widths, kind_of, library
from lawful.choice import Choice
from lawful.company import Mean, Member, axis_of, columns_at, known_columns, mean_of, members_at, members_of, scale_at
from lawful.doubt import doubted, is_chosen, nearest, rows_of
from lawful.findings import Finding
from lawful.fit import Fit, Fits
from lawful.forecast_law import cluster_errors, from_space, law_ends, method_of, to_space
from lawful.origins import errors_at
from lawful.places import collect, columns_of, distance
from lawful.points import as_labels
from lawful.quantities import did_you_mean

_FAR = 0.25  # decades beyond the data from which a forecast is flagged
_MISSED = 3.0  # times what was claimed that the law's own origins missed by, from which a forecast is flagged
_OFF = 0.15  # decades off the line on which all runs lie, from which a forecast is flagged
_LINE = 0.99  # R2 of two variables' logs from which the runs lie on a line
_SEVERE = ("far_points", "not_monotone", "naive_wins", "untested")  # findings that speak against any forecast


@dataclass(frozen=True, repr=False)
class Forecast:
    """Predictions with intervals, one per point.

    points: the variables (and group) of each point, as given. estimate, lower, upper (m,): an end is infinite (or 0 for
    a law fitted on logs) where the data set no limit. flag: for each point what speaks against using it, or "".
    distance (m,): decades beyond the data, the largest over the variables. calibration: on what the intervals rest.
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
    calibration: str = ""

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
            text += f", {self.distance[i]:.2g} decades beyond the runs" if self.distance[i] > 0 else ""
            lines.append(f"{text}  {self.flag[i]}" if self.flag[i] else text)
        rests = f"calibrated on {self.calibration}" if self.calibration else self.method
        return "\n".join([f"{100 * self.level:.4g} % intervals of {self.kind}, {rests}", *lines])


def _short(x: Any) -> str:
    return f"{x:.4g}" if isinstance(x, float | np.floating) else str(x)


def forecast(
    fit: Fit | Fits | Choice, at: Any = None, *, level: float = 0.9, kind: str = "mean", method: str = "auto",
    calibration: str | Library = "auto", draws: int = 1000, seed: int = 0, **variables: Any,
) -> Forecast:  # fmt: skip
    """Predict at new points. A fit that carries others (see `choose`) forecasts with all of them.

    at: a table (`Runs`, a frame, or a mapping of columns) with the law's variables; or give them by name, numbers or
    arrays that broadcast. kind: "mean" (where the average of repeated runs lies) or "run" (one new run).
    calibration: "auto" (errors of rolling origins on these runs, and the shipped library), a `Library` instead of
    that, or "law": the interval that holds if the law is right, by itself.
    method, draws, seed: how the law's own interval is made ("profile", "pairs", "cluster", "wild", "parametric",
    "sandwich" or "auto"); naming one asks for calibration="law".
    Raises ValueError for a missing variable, an unknown group, kind, method, calibration or level.
    """
    if kind not in ("mean", "run"):
        raise ValueError(f"kind is {kind!r}; allowed: 'mean' (the average of runs) and 'run' (one new run)")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, such as 0.9")
    if isinstance(calibration, str) and calibration not in ("auto", "law"):
        raise ValueError(f"calibration is {calibration!r}; allowed: 'auto', 'law', or a Library of backtests")
    fit = fit.fit if isinstance(fit, Choice) else fit
    own: dict[str, Any] = {"level": level, "kind": kind, "method": method, "draws": draws, "seed": seed}
    if isinstance(fit, Fits):
        return _by_group(fit, at, variables, own | {"calibration": calibration})
    if calibration == "law" or method != "auto":
        return _by_law(fit, at, variables, own)
    return _calibrated(fit, at, variables, level, kind, library() if isinstance(calibration, str) else calibration)


def _by_law(fit: Fit, at: Any, variables: Mapping[str, Any], options: dict[str, Any]) -> Forecast:
    X, group, shown = collect(fit, at, variables)
    options = options | {"method": method_of(fit, options["method"])}
    estimate = fit.at_points(X, group)
    lower, upper = law_ends(fit, X, group, estimate, **options)
    beyond = _beyond(fit, X, columns_at(fit, X, at, variables))
    flags = _flags(fit, X, estimate, lower, upper, None, beyond)
    level, kind, method = (options[name] for name in ("level", "kind", "method"))
    return Forecast(shown, estimate, lower, upper, flags, beyond[0], level, kind, method, fit.findings)


def _calibrated(fit: Fit, at: Any, variables: Mapping[str, Any], level: float, kind: str, shelf: Library) -> Forecast:
    X, group, shown = collect(fit, at, variables)
    own = evidence([fit])[0]
    columns = columns_at(fit, X, at, variables)
    beyond = _beyond(fit, X, columns)
    mean = _mean(fit, X, group, columns)
    mean = _doubted(fit, mean, X, columns) if is_chosen(fit) else mean
    noise = mean.noise if kind == "run" else 0.0 * mean.noise
    dof = np.minimum(np.rint(mean.dof), max(own.levels - 1, 1))  # runs at one scale share what is particular to it
    residuals = fit.residuals * np.sqrt(fit.points.w) / (noise_of(fit) or 1.0)
    far = np.round(beyond[0], 1)
    half, found = np.empty(len(far)), calibrate(own, shelf)
    for d in np.unique(far):
        here = np.flatnonzero(far == d)
        there = calibrate(own, shelf, float(d))
        half[here] = half_widths(there, mean.se[here], noise[here], dof[here], level, residuals)
    estimate = from_space(fit, mean.value)
    lower, upper = from_space(fit, mean.value - half), from_space(fit, mean.value + half)
    if found.kind == "fraction":
        estimate, lower, upper = (np.clip(x, 0.0, 1.0) for x in (estimate, lower, upper))
    flags = _flags(fit, X, estimate, lower, upper, found, beyond)
    return Forecast(
        shown, estimate, lower, upper, flags, beyond[0], level, kind, "calibrated", fit.findings, found.words
    )


def average_at(fit: Fit, at: Any = None, *, doubt: bool | None = None, **variables: Any) -> Mean:
    """The average of a fit's laws at new points, in the space of the objective.

    doubt: whether its claims are doubted (see `doubt`); by default where lawful chose the laws.
    """
    X, group, _ = collect(fit, at, variables)
    columns = columns_at(fit, X, at, variables)
    mean = _mean(fit, X, group, columns)
    return _doubted(fit, mean, X, columns) if (is_chosen(fit) if doubt is None else doubt) else mean


def _mean(fit: Fit, X: dict[str, np.ndarray], group: np.ndarray | None, columns: Mapping[str, np.ndarray]) -> Mean:
    """The average of the laws at new points, in the space of the objective, with what they claim to know of it."""
    members = members_at(fit, X, columns)
    value = np.stack([to_space(one.fit, one.fit.at_points(one.X, group)) for one in members])
    se = np.stack([_claimed(one, group) for one in members])
    shape = np.ones(value.shape)
    noise = np.array([noise_of(one.fit) / np.sqrt(np.median(one.fit.points.w)) for one in members])
    dof = np.array([_freedom(one.fit) for one in members])
    weights = np.array([one.weight for one in members])
    return mean_of(weights, value, se, noise[:, None] * shape, dof[:, None] * shape)


def _doubted(fit: Fit, mean: Mean, X: Mapping[str, np.ndarray], columns: Mapping[str, np.ndarray]) -> Mean:
    """The average with its claims doubted for the change from the nearest run, see `doubt`."""
    axis, scale = axis_of(fit)
    there, top = scale_at(axis, columns), scale.max(initial=0.0)
    decades = np.zeros(len(mean.value)) if there is None or top <= 0 else np.log10(np.maximum(there / top, 1.0))
    like = nearest(_runs_of(fit), {**columns, **rows_of(fit, X)})
    change = mean.value - _said_of_runs(fit)[like]
    return replace(mean, se=doubted(mean.se, change, decades, kind_of(fit, axis)))


def _runs_of(fit: Fit) -> dict[str, np.ndarray]:
    return known_columns([one for _, one in members_of(fit)]) | rows_of(fit, fit.points.X)


def _said_of_runs(fit: Fit) -> np.ndarray:
    """What the average says of the runs that were fitted (n,), in the space of the objective."""
    members = [(w, one) for w, one in members_of(fit) if one.n == fit.n]
    value = [to_space(one, one.at_points(dict(one.points.X), one.points.group)) for _, one in members]
    return np.average(value, axis=0, weights=[w for w, _ in members])


def _beyond(fit: Fit, X: Mapping[str, np.ndarray], columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, list[str]]:
    """Decades beyond the runs (m,), the most over the law's variables and the runs' own scale, and its name."""
    far, name = distance(fit, X)
    axis, scale = axis_of(fit)
    there = scale_at(axis, columns)
    if there is None or not len(scale) or not scale.max() > 0:
        return far, name
    with np.errstate(all="ignore"):
        along = np.log10(there / scale.max())
    return np.fmax(far, along), [axis if a > f else n for a, f, n in zip(along, far, name)]


def _claimed(one: Member, group: np.ndarray | None) -> np.ndarray:
    """A law's standard error (m,); for checkpoints of runs from the sums of each run, whose errors go together."""
    fit = one.fit
    if fit.points.cluster is None:
        return errors_at(fit, one.X, group)
    runs, size = cluster_count(fit), len(fit.estimates)
    few = np.sqrt(runs / (runs - size)) if runs > size else np.sqrt(runs)
    return few * cluster_errors(fit, dict(one.X), group)


def noise_of(fit: Fit) -> float:
    """Residual standard deviation of a point of weight 1, in the space of the objective."""
    return float(np.sqrt(fit.rss / fit.dof)) if fit.dof > 0 else 0.0


def _freedom(fit: Fit) -> float:
    """Degrees of freedom; checkpoints of a run are no independent points, so runs count, and one alone says nothing."""
    if fit.points.cluster is None:
        return float(fit.dof)
    runs = cluster_count(fit)
    return float(max(min(fit.dof, runs - len(fit.estimates)), 1)) if runs > 1 else 0.0


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
    if options["calibration"] != "law" and options["method"] == "auto":
        evidence([fits[x] for x in parts])  # all groups in one batch
    made = {x: forecast(fits[x], {k: v[i] for k, v in columns.items()}, **options) for x, i in parts.items()}
    back = np.argsort(np.concatenate(list(parts.values())))
    numbers = ("estimate", "lower", "upper", "distance")
    joined = {a: np.concatenate([getattr(f, a) for f in made.values()])[back] for a in numbers}
    flags = np.concatenate([np.array(f.flag, object) for f in made.values()])[back]
    first = next(iter(made.values()))
    findings = tuple(x for f in made.values() for x in f.findings)
    words = "; ".join(dict.fromkeys(f.calibration for f in made.values() if f.calibration))
    return replace(first, points=columns, **joined, flag=tuple(map(str, flags)), findings=findings, calibration=words)


def _flags(
    fit: Fit, X: dict[str, np.ndarray], estimate: np.ndarray, lower: np.ndarray, upper: np.ndarray,
    found: Calibration | None, far_beyond: tuple[np.ndarray, list[str]],
) -> tuple[str, ...]:  # fmt: skip
    """For each point what speaks against its forecast. far_beyond: decades beyond the runs (m,), and in what."""
    far, beyond = far_beyond
    severe = [f.message for f in fit.findings if f.severity == "error" or f.code in _SEVERE]
    severe += _missed(found)
    off = off_line(fit, X)
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
        if off[i]:
            said.append(off[i])
        if far[i] > _FAR:
            tested = f"; tested over {found.decades:.1f}" if found and found.origins else ""
            said.append(f"{far[i]:.1f} decades beyond the runs in {beyond[i]}: no run would have shown a break{tested}")
        flags.append("; ".join(said))
    return tuple(flags)


def _missed(found: Calibration | None) -> list[str]:
    if found is None or not found.origins or found.missed < _MISSED:
        return []
    return [f"at its own rolling origins the law was off by {found.missed:.1f} times what it allowed for"]


def off_line(fit: Fit, X: Mapping[str, np.ndarray]) -> list[str]:
    """For each point (m,): what to say where all runs lie on one line of two variables and it does not, or ""."""
    m = np.shape(next(iter(X.values())))[-1] if X else 1
    out = [""] * m
    names = [v for v in X if v not in fit.law.arrays and fit.points.X[v].min() > 0 and np.ptp(fit.points.X[v]) > 0]
    for a, b in ((a, b) for i, a in enumerate(names) for b in names[i + 1 :]):
        u, v = np.log10(fit.points.X[a]), np.log10(fit.points.X[b])
        if fit.n < 3 or np.corrcoef(u, v)[0, 1] ** 2 < _LINE:
            continue
        slope, level = np.polyfit(u, v, 1)
        with np.errstate(all="ignore"):
            gap = np.abs(np.log10(X[b]) - level - slope * np.log10(X[a]))
        for i in np.flatnonzero(gap > _OFF):
            out[i] = f"all runs lie on one line of {a} and {b}, this point {gap[i]:.1f} decades off it: cannot tell"
    return out
