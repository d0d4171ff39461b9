"""Profile likelihood: how far can one number be moved before the data object?

For each value of the number everything else is fitted again. The values at which the objective stays below its
threshold are the interval. It may be lopsided, and it may have no end: then the data cannot tell, and the profile says
on which side. Two uses: a parameter is moved by fixing its slot (`profile`); a prediction by adding one more point that
pulls the law there (`prediction_profile`), since the best fit under such a pull is a point of the prediction's profile.

Thresholds, for least squares with n points and p parameters: RSS <= RSS_min (1 + F(level; 1, n - p) / (n - p)), exact
for a linear law with normal errors (Bates and Watts 1988, section 6.1.2). Binomial: half the chi2 quantile on the half
deviance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawful.bind import Model
from lawful.findings import Finding
from lawful.fit import Fit, bind_fit
from lawful.search import starts_for
from lawful.solve import Problems, solve, values
from lawful.spread import overdispersion

_STEPS = np.array([0.25, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 25, 50, 100, 250, 1000])


@dataclass(frozen=True)
class Profile:
    """values (m,) of one parameter and the best objective at each, in units of the threshold (1 = the edge).

    lower, upper: the interval. open_below, open_above: the threshold was not reached within the scan, so the interval
    has no end there and lower or upper is only the last value tried.
    """

    name: str
    estimate: float
    level: float
    values: np.ndarray
    excess: np.ndarray
    lower: float
    upper: float
    open_below: bool
    open_above: bool
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> str:
        """Empty, or "cannot tell" with the side on which the data set no limit."""
        if not (self.open_below or self.open_above):
            return ""
        side = "either side" if self.open_below and self.open_above else "below" if self.open_below else "above"
        return f"cannot tell: no limit {side} within [{self.values[0]:.3g}, {self.values[-1]:.3g}]"


def threshold(fit: Fit, level: float) -> float:
    """How much the objective may rise: RSS_min F / (2 (n - p)) for least squares, chi2 / 2 for binomial deviances."""
    from scipy.special import chdtri, stdtrit

    if fit.objective.binomial:
        extra = overdispersion(fit.sigma, fit.dof)
        if extra > 1:  # more scatter than the sampling of questions makes: F, scaled by it
            return 0.5 * extra * float(stdtrit(fit.dof, 0.5 + level / 2)) ** 2
        return 0.5 * float(chdtri(1, 1 - level))
    if fit.dof <= 0:
        return np.inf
    quantile = float(stdtrit(fit.dof, 0.5 + level / 2)) ** 2
    return fit.F * quantile / fit.dof


@np.errstate(all="ignore")
def profile(fit: Fit, name: str, level: float = 0.95, limits: tuple[float, float] | None = None) -> Profile:
    """The profile of one free number of a fit (a name in ``fit.estimates``) and its interval.

    limits: how far to scan (default: exponents from 1e-3 to 10, other positive parameters three decades each way,
    free ones ten times the level of the data each way, bounded ones to their bounds).
    Raises ValueError for an unknown name, or an objective without a likelihood (Huber, LAD, envelope: use a bootstrap).
    """
    if name not in fit.estimates:
        raise ValueError(f"the fit has no free number {name!r}; it has {', '.join(fit.estimates)}")
    _needs_likelihood(fit)
    model = bind_fit(fit, uncentred=(_parameter(fit, name),))
    k = model.names.index(name)
    centre = model.search(np.array([list(fit.estimates.values())]))[0]
    low, high = _limits(fit, model, k, limits)
    cut = threshold(fit, level)
    grid = _grid(fit, model, k, centre, low, high)
    F, theta = _refit(model, fit, grid, centre, k)
    for _ in range(4):
        more = _between_crossings(grid, (F - min(fit.F, F.min())) / cut)
        if not len(more):
            break
        near = theta[np.abs(grid[:, None] - more).argmin(0)]
        extra_F, extra = _solve_at(model, fit, more, near, k)
        grid, F, theta = np.append(grid, more), np.append(F, extra_F), np.vstack([theta, extra])
        order = np.argsort(grid)
        grid, F, theta = grid[order], F[order], theta[order]
    return _summarise(fit, model, name, k, level, grid, F, cut)


def _needs_likelihood(fit: Fit) -> None:
    if not (fit.objective.squares or fit.objective.binomial):
        raise ValueError(
            f"a profile needs least squares or a binomial likelihood; the fit minimised {fit.objective.name}: "
            "use a bootstrap (method='pairs')"
        )


def _parameter(fit: Fit, name: str) -> str:
    return next(s.parameter for s in fit.model.slots if s.name == name)


def _limits(fit: Fit, model: Model, k: int, limits: tuple[float, float] | None) -> tuple[float, float]:
    slot = model.slots[k]
    value = fit.estimates[slot.name]
    kind = next(p.kind for p in fit.law.parameters if p.name == slot.parameter)
    level = float(np.median(np.abs(fit.points.y)))
    if limits is None:
        if slot.kind == "below":
            reach = 10 * (level + abs(value))
            limits = (value - reach, slot.upper - 1e-6 * level)
        elif slot.kind == "free":
            reach = 10 * (level + abs(value))
            limits = (value - reach, value + reach)
        elif slot.kind == "between":
            margin = 1e-6 * (slot.upper - slot.lower)
            limits = (slot.lower + margin, slot.upper - margin)
        elif kind == "exponent":
            above = value - slot.lower
            limits = (slot.lower + (1e-3 if above > 1e-2 else 1e-3 * above), max(10.0, 10 * value))
        elif kind == "offset":
            limits = (slot.lower + 1e-6 * level, slot.lower + 10 * level)
        else:
            limits = (slot.lower + (value - slot.lower) * 1e-3, slot.lower + (value - slot.lower) * 1e3)
    at = model.search(np.array([list(fit.estimates.values())] * 2))
    for row, limit in zip(at, limits):
        row[k] = model.inverse(slot, np.array([limit]), at)[0]
    return (min(at[0, k], at[1, k]), max(at[0, k], at[1, k]))


def _grid(fit: Fit, model: Model, k: int, centre: np.ndarray, low: float, high: float) -> np.ndarray:
    """Slot values out from the estimate, in steps of its standard error, and evenly over the scan."""
    variance = np.diag(fit.covariance)[k]
    slope = abs(float(np.ravel(model.value(k, centre[None])[1][k])[0]))
    step = np.sqrt(variance) / slope if np.isfinite(variance) and slope > 0 else (high - low) / 20
    step = min(step, (high - low) / 4)
    fine = centre[k] + step * np.concatenate([-_STEPS[::-1], [0.0], _STEPS])
    grid = np.concatenate([fine, np.linspace(low, high, 25)])
    return np.unique(np.clip(grid, low, high))


def _refit(model: Model, fit: Fit, grid: np.ndarray, centre: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Best objective at each slot value: from the optimum, from fresh starts, then from neighbours."""
    nodes = starts_for(model, fit.problems, fit.objective, 64, fit.settings.seed)[0]
    rows = np.repeat(np.vstack([centre, nodes])[None], len(grid), 0)
    rows[:, :, k] = grid[:, None]
    count = rows.shape[1]
    flat = rows.reshape(-1, model.size)
    rank = values(model, flat, fit.problems, np.zeros(len(flat), int), fit.objective).reshape(len(grid), count)
    rank[:, 0] = -np.inf  # the optimum itself always takes part
    best = np.argsort(rank, axis=1)[:, : min(3, count)]
    chosen = np.take_along_axis(rows, best[:, :, None], 1)
    F, theta = _solve_rows(model, fit, chosen, k, iterations=60, tolerance=1e-8)
    for shift in (1, -1):
        other_F, other = _solve_at(model, fit, grid, np.roll(theta, shift, 0), k)
        better = other_F < F
        F, theta = np.where(better, other_F, F), np.where(better[:, None], other, theta)
    return F, theta


def _solve_rows(
    model: Model, fit: Fit, rows: np.ndarray, k: int, iterations: int = 200, tolerance: float = 1e-11
) -> tuple[np.ndarray, np.ndarray]:
    """The best of several starts (m, c, p) for each of m fixed values."""
    m, c, p = rows.shape
    free = [i for i in range(p) if i != k]
    found = solve(
        model, rows.reshape(-1, p), fit.problems, fit.objective, free=free, iterations=iterations, tolerance=tolerance
    )
    F, theta = found.F.reshape(m, c), found.theta.reshape(m, c, p)
    best = F.argmin(1)
    return F[np.arange(m), best], theta[np.arange(m), best]


def _solve_at(model: Model, fit: Fit, at: np.ndarray, start: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    start = start.copy()
    start[:, k] = at
    return _solve_rows(model, fit, start[:, None], k)


def _between_crossings(grid: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """Slot values where the profile should cross 1, by the secant of its square root in the cells of the crossings."""
    inside = excess <= 1
    cell = np.flatnonzero(inside[1:] != inside[:-1])
    root = np.sqrt(np.maximum(np.where(np.isfinite(excess), excess, 1e6), 0.0))
    a, b = grid[cell], grid[cell + 1]
    t = np.clip((1 - root[cell]) / (root[cell + 1] - root[cell]), 0.02, 0.98)
    wide = np.abs(root[cell + 1] - root[cell]) > 1e-5
    return (a + t * (b - a))[wide & (np.abs(b - a) > 1e-9 * (np.abs(a) + 1e-9))]


def _summarise(
    fit: Fit, model: Model, name: str, k: int, level: float, grid: np.ndarray, F: np.ndarray, cut: float
) -> Profile:
    least = min(fit.F, float(F.min()))
    excess = (F - least) / cut
    theta = np.repeat(model.search(np.array([list(fit.estimates.values())])), len(grid), 0)
    theta[:, k] = grid
    at = model.natural(theta)[:, k]
    order = np.argsort(at)
    at, excess = at[order], excess[order]
    inside = np.flatnonzero(excess <= 1)
    first, last = (inside[0], inside[-1]) if len(inside) else (0, len(at) - 1)
    lower = _cross(at, excess, first - 1, first) if first > 0 else at[0]
    upper = _cross(at, excess, last + 1, last) if last < len(at) - 1 else at[-1]
    found = ()
    if least < fit.F * (1 - 1e-6):
        found = (Finding(
            "better_optimum", "warning",
            f"Profiling {name} found an optimum {1 - least / fit.F:.2%} better than the fit's.",
            (), "Fit again with more starts (count=).",
        ),)  # fmt: skip
    return Profile(
        name, fit.estimates[name], level, at, excess, float(lower), float(upper), bool(first == 0),
        bool(last == len(at) - 1), found,
    )  # fmt: skip


def _cross(at: np.ndarray, excess: np.ndarray, outside: int, inside: int) -> float:
    a, b = np.sqrt(max(excess[outside], 0)), np.sqrt(max(excess[inside], 0))
    t = (1 - b) / (a - b) if np.isfinite(a) and a > b else 0.5
    return float(at[inside] + t * (at[outside] - at[inside]))


@dataclass(frozen=True)
class PredictionProfile:
    """For each of m points: the interval of the law's value, and whether it has no end on either side."""

    lower: np.ndarray
    upper: np.ndarray
    open_below: np.ndarray
    open_above: np.ndarray


@np.errstate(all="ignore")
def prediction_profile(
    fit: Fit, X: dict[str, np.ndarray], estimate: np.ndarray, se: np.ndarray, level: float
) -> PredictionProfile:
    """F-profile intervals of the law's value at m new points (least squares only).

    estimate, se (m,): the law and its standard error there, in the space of the objective (its log for log objectives).
    Each of a range of pulls adds one point with target estimate + k se and a weight that makes the law follow; the rise
    of the RSS of the true points at that optimum is the price of moving the prediction there.
    """
    from scipy.special import stdtrit

    scale = np.where(np.isfinite(se) & (se > 0), se, 0.05 * np.maximum(np.abs(estimate), 1e-3))
    t = float(stdtrit(max(fit.dof, 1), 0.5 + level / 2))
    cut = 2 * threshold(fit, level)
    pulls = t * np.array([0.3, 0.6, 0.85, 1.0, 1.15, 1.4, 1.8, 2.5, 4, 7, 14, 30])
    sides = {}
    for sign in (-1.0, 1.0):
        goal = estimate[:, None] + sign * pulls * scale[:, None]
        at, rise = _pull(fit, X, goal, scale, estimate)
        sides[sign] = _first_crossing(sign * (at - estimate[:, None]), rise / cut)
    low, open_low = sides[-1.0]
    high, open_high = sides[1.0]
    return PredictionProfile(estimate - low, estimate + high, open_low, open_high)


def _pull(
    fit: Fit, X: dict[str, np.ndarray], goal: np.ndarray, scale: np.ndarray, estimate: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Optima under a pull towards goal (m, g): the law's value there and the rise of the RSS, both (m, g)."""
    model, base, log = fit.model, fit.problems, fit.objective.log
    m, g = goal.shape
    weight = 400 * fit.sigma**2 / scale**2
    which = np.arange(m * g)
    stacked = {}
    for name, x in base.X.items():
        new = np.repeat(np.asarray(X[name]), g, axis=-1)
        old = np.broadcast_to(x[..., None, :], (*x.shape[:-1], m * g, x.shape[-1]))
        stacked[name] = np.concatenate([old, new[..., None]], axis=-1)
    aim = np.clip(goal.ravel(), -600, 600) if log else goal.ravel()
    y = np.concatenate([np.broadcast_to(base.y, (m * g, fit.n)), (np.exp(aim) if log else aim)[:, None]], axis=1)
    W = np.concatenate([np.broadcast_to(base.W, (m * g, fit.n)), np.repeat(weight, g)[:, None]], axis=1)
    problems = Problems(stacked, y, W)
    start = np.repeat(fit.theta[None], m * g, 0)
    found = solve(model, start, problems, fit.objective, which, iterations=200, damping=1e-4)
    best_F, theta = found.F.reshape(m, g), found.theta.reshape(m, g, -1)
    for j in range(1, g):  # each pull again from where the gentler one ended
        again = solve(
            model, theta[:, j - 1], problems, fit.objective, which.reshape(m, g)[:, j], iterations=200, damping=1e-4
        )
        better = again.F < best_F[:, j]
        best_F[:, j] = np.where(better, again.F, best_F[:, j])
        theta[:, j] = np.where(better[:, None], again.theta, theta[:, j])
    with np.errstate(all="ignore"):
        f = np.asarray(model.evaluate(theta.reshape(m * g, -1), stacked, derivatives=False))
        r = fit.objective.residuals(y, np.broadcast_to(f, y.shape))
    rise = (W[:, :-1] * r[:, :-1] ** 2).sum(1) - 2 * fit.F
    at = (aim - r[:, -1]).reshape(m, g)
    return np.where(np.isfinite(at), at, goal), np.where(np.isfinite(rise), rise, np.inf).reshape(m, g)


def _first_crossing(distance: np.ndarray, excess: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For rows of distances moved and threshold units paid: the distance at which 1 unit is paid, and whether never.

    The farthest distance that is still affordable counts, so that a dip beyond a hump is not cut off.
    """
    m, g = distance.shape
    out, never = np.zeros(m), np.zeros(m, bool)
    for i in range(m):
        order = np.argsort(distance[i])
        d = np.concatenate([[0.0], np.maximum(distance[i][order], 0.0)])
        root = np.concatenate([[0.0], np.sqrt(np.maximum(excess[i][order], 0.0))])
        inside = np.flatnonzero(root <= 1)
        last = inside[-1]
        if last == g:
            out[i], never[i] = d[-1], True
            continue
        a, b = root[last], root[last + 1]
        t = (1 - a) / (b - a) if np.isfinite(b) else 0.5
        out[i] = d[last] + t * (d[last + 1] - d[last])
    return out, never
