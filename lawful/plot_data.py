"""What a picture of a fit, a profile or a forecast shows, as plain points, curves and bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lawful.forecast import forecast
from lawful.quantities import find
from lawful.studies.results import Figure, Layer, Panel

if TYPE_CHECKING:
    from lawful.fit import Fit
    from lawful.forecast import Forecast
    from lawful.profiles import Profile

_GRID = 60  # points of a curve
_LEVELS = 4  # iso-lines of a law of two variables
_DRAWS = 200  # of a bootstrap band, where a profile is not to be had


def fit_figure(fit: Fit, level: float = 0.95) -> Figure:
    """Data, law and band over the law's first variable, and below it the residuals.

    A law of two variables has one line per value of the second (up to four); where the second follows from the first
    in all runs, as 20 tokens per parameter, it has one line along the runs.
    """
    x = fit.law.variables[0] if fit.law.variables else ""
    _needs_scalar(fit, x)
    path = _path(fit)
    data = _along(fit, path, level) if path is not None else _iso_lines(fit)
    X = fit.points.X[x]
    log_y = fit.objective.log and _wide(fit.points.y)
    top = Panel(_title(fit), _label(fit, x), _label(fit, "target"), tuple(data), _log(X), log_y)
    ends = (float(X.min()), float(X.max()))
    rest = (
        Layer("line", "no error", ends, (0.0, 0.0), role="reference"),
        Layer("points", "data", _floats(X), _floats(fit.residuals), role="data"),
    )
    unit = "data minus law (log)" if fit.objective.log else "data minus law"
    caption = f"{fit.law.name}, {fit.n} points, {len(fit.estimates)} free numbers. Right: what the law leaves."
    below = Panel("Residuals", _label(fit, x), unit, rest, _log(X))
    return Figure(f"fit_{fit.law.name}", "", caption, (top, below))


def profile_figure(profile: Profile, within: float = 4.0) -> Figure:
    """The rise of the objective over one parameter, in units of the interval's threshold, up to ``within`` of them."""
    inside = (profile.excess <= within) & np.isfinite(profile.excess)
    x, y = profile.values[inside], profile.excess[inside]
    wide = len(x) > 1 and x.min() > 0 and x.max() / x.min() > 30
    layers = (
        Layer("line", "best fit at each value", _floats(x), _floats(y), role="ours"),
        Layer("line", f"{profile.level:.0%} threshold", _floats(x[[0, -1]]), (1.0, 1.0), role="reference"),
        Layer("points", "estimate", (float(profile.estimate),), (0.0,), role="data"),
    )
    ends = [f"{profile.lower:.4g}", f"{profile.upper:.4g}"]
    ends = ["no limit" if o else e for e, o in zip(ends, (profile.open_below, profile.open_above))]
    title = f"{profile.name} = {profile.estimate:.4g} [{', '.join(ends)}]"
    caption = f"How much worse the best fit gets as {profile.name} is moved. {_sentence(profile.verdict)}".strip()
    panel = Panel(title, profile.name, "rise of the objective / threshold", layers, bool(wide))
    return Figure(f"profile_{profile.name}", "", caption, (panel,))


def forecast_figure(made: Forecast, fit: Fit) -> Figure:
    """The data, the law where it is a curve, and the forecast with its intervals."""
    x = fit.law.variables[0] if fit.law.variables else ""
    _needs_scalar(fit, x)
    seen, new = fit.points.X[x], np.asarray(made.points[x], float)
    layers: list[Layer] = []
    if len(fit.law.variables) == 1 and fit.points.group is None:
        grid = _spread(np.concatenate([seen, new]))
        layers = _band(fit, {x: grid}, grid, made.level, made.kind)
    what = f"forecast, {made.level:.0%} for {'one new run' if made.kind == 'run' else 'the mean'}"
    finite = np.isfinite(made.lower) & np.isfinite(made.upper)
    ends = _floats(new[finite]), (), _floats(made.lower[finite]), _floats(made.upper[finite])
    layers += [
        Layer("points", "fitted", _floats(seen), _floats(fit.points.y)),
        Layer("interval", what, *ends, role="ours"),
        Layer("points", what, _floats(new), _floats(made.estimate), role="ours"),
    ]
    log_y = fit.objective.log and _wide(np.concatenate([fit.points.y, made.estimate]))
    both = np.concatenate([seen, new])
    panel = Panel(_title(fit), _label(fit, x), _label(fit, "target"), tuple(layers), _log(both), log_y)
    open_ = int((~finite).sum())
    caption = f"Forecast by {fit.law.name} from {fit.n} points, method {made.method}."
    caption += f" {open_} without limits: the data set none." if open_ else ""
    return Figure(f"forecast_{fit.law.name}", "", caption, (panel,))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _needs_scalar(fit: Fit, x: str) -> None:
    if not x or x in fit.law.arrays:
        raise ValueError(f"law {fit.law.name} has no number as its first variable; there is no axis to draw it over")


def _along(fit: Fit, path: dict[str, np.ndarray], level: float) -> list[Layer]:
    """One curve with its band; one curve per group where parameters differ by group."""
    x = fit.law.variables[0]
    group = fit.points.group
    if group is None:
        points = Layer("points", "data", _floats(fit.points.X[x]), _floats(fit.points.y))
        return [*_band(fit, path, path[x], level, "mean"), points]
    layers = []
    for code, label in enumerate(fit.points.labels):
        mine = np.flatnonzero(group == code)
        grid = _spread(fit.points.X[x][mine])
        at = {v: np.interp(grid, path[x], values) for v, values in path.items()} | {x: grid}
        y = fit.at_points(at, np.full(len(grid), code))
        layers.append(Layer("line", str(label), _floats(grid), _floats(y), role="ours"))
        layers.append(
            Layer("points", str(label), _floats(fit.points.X[x][mine]), _floats(fit.points.y[mine]), role="ours")
        )
    return layers


def _band(fit: Fit, path: dict[str, np.ndarray], grid: np.ndarray, level: float, kind: str) -> list[Layer]:
    made = forecast(fit, level=level, kind=kind, draws=_DRAWS, **path)
    finite = np.isfinite(made.lower) & np.isfinite(made.upper)
    who = "the mean" if kind == "mean" else "one new run"
    curve = Layer("line", fit.law.name, _floats(grid), _floats(made.estimate), role="ours")
    if not finite.any():
        return [curve]
    ends = _floats(grid[finite]), (), _floats(made.lower[finite]), _floats(made.upper[finite])
    return [Layer("band", f"{level:.0%} for {who}", *ends, role="ours"), curve]


def _iso_lines(fit: Fit) -> list[Layer]:
    """A law over its first variable at some values of the second, the others at their middle."""
    x, second, *rest = fit.law.variables
    held = {v: np.median(fit.points.X[v], axis=-1) for v in rest}
    values = fit.points.X[second]
    levels = np.unique(np.quantile(values, np.linspace(0, 1, _LEVELS), method="nearest"))
    scale = np.log if values.min() > 0 else np.asarray
    nearest = np.abs(scale(values)[:, None] - scale(levels)).argmin(1)
    grid, layers = _spread(fit.points.X[x]), []
    for i, level in enumerate(levels):
        at = {x: grid, second: np.full(len(grid), level)}
        at |= {v: np.repeat(np.asarray(h)[..., None], len(grid), -1) for v, h in held.items()}
        label = f"{second} = {_number(level)}"
        for code, name in enumerate(fit.points.labels if fit.points.group is not None else [""]):
            y = fit.at_points(at, np.full(len(grid), code) if name else None)
            text = f"{label}, {name}" if name else label
            layers.append(Layer("line", text, _floats(grid), _floats(y), role="ours"))
            mine = nearest == i
            if name and fit.points.group is not None:
                mine &= fit.points.group == code
            layers.append(
                Layer("points", text, _floats(fit.points.X[x][mine]), _floats(fit.points.y[mine]), role="ours")
            )
    return layers


def _path(fit: Fit) -> dict[str, np.ndarray] | None:
    """Values of all variables along the runs, or None where the others do not follow from the first."""
    x, *others = fit.law.variables
    X = fit.points.X
    grid = _spread(X[x])
    if not others:
        return {x: grid}
    if any(v in fit.law.arrays or X[v].min() <= 0 for v in others) or X[x].min() <= 0:
        return None
    first, index = np.unique(X[x], return_index=True)
    path = {x: grid}
    for v in others:
        if any(np.ptp(np.log(X[v][X[x] == one])) > 0.02 for one in first):
            return None
        y = np.log(X[v][index])
        if len(first) > 2 and not (np.diff(y) >= 0).all() and not (np.diff(y) <= 0).all():
            return None
        path[v] = np.exp(np.interp(np.log(grid), np.log(first), y))
    return path


def _spread(values: np.ndarray) -> np.ndarray:
    """A grid from the smallest to the largest, even in the logs where the values are wide."""
    low, high = float(values.min()), float(values.max())
    return np.geomspace(low, high, _GRID) if _log(values) else np.linspace(low, high, _GRID)


def _log(values: np.ndarray) -> bool:
    return bool(values.min() > 0 and values.max() / values.min() > 5)


def _wide(values: np.ndarray) -> bool:
    return bool(values.min() > 0 and values.max() / values.min() > 1.5)


def _title(fit: Fit) -> str:
    return f"{fit.law.name} fitted to {fit.n} points"


def _label(fit: Fit, variable: str) -> str:
    """``Training tokens D (tokens)``: the column in words and its unit, as the vocabulary has it."""
    column: Any = fit.points.target if variable == "target" else fit.points.columns.get(variable, variable)
    quantity = find(column) if isinstance(column, str) else None
    if quantity is None:
        return str(column)
    name = quantity.column.replace("_", " ")
    return f"{name} ({quantity.unit})" if quantity.unit and quantity.unit not in (name, quantity.column) else name


def _number(value: float) -> str:
    for unit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if abs(value) >= unit:
            return f"{value / unit:.3g}{letter}" if abs(value) < 1e15 else f"{value:.2g}"
    return f"{value:.3g}"


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(v) for v in np.ravel(values))
