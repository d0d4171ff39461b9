"""Which runs carry a fit? Each is left out in turn, and those that pull it are set aside one after the other.

Leaving one point out finds the single run on which a conclusion hangs, but outliers hide each other. So with enough
points a robust fit (Huber's loss with delta 1.345 robust standard deviations) takes part as well: the point with the
largest Cook's distance, on the scale of the median absolute residual, is set aside and the rest fitted again, until no
distance exceeds 1 (Cook and Weisberg 1982, section 3.5, take 1 as the mark of a point that moves the whole fit).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lawful.findings import Finding, listed
from lawful.fit import Fit, with_group
from lawful.objectives import Objective
from lawful.solve import Problems, solve
from lawful.spread import natural_jacobian

_COOK = 1.0  # Cook's distance from which one point moves the whole fit
_MOVED = 1.0  # standard errors by which leaving one run out may move a number
_MANY = 2000  # points up to which every one is left out
_TUNING = 1.345  # Huber's delta in standard deviations: 95 % efficient for normal errors
_DECISION = 0.25  # relative move of a recommended size from which a decision hangs on runs
_MAD = 1.4826  # median absolute deviation to standard deviation, for normal errors


def linearised(fit: Fit, theta: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Weighted partials (n, p) and residuals (n,) at the optimum or another place, in units in which noise is even.

    Columns that the data do not determine are left out.
    """
    p = fit.points
    theta = fit.theta if theta is None else theta
    f, J, _, w = natural_jacobian(fit.model, theta, Problems(with_group(p.X, p, p.group), p.y, p.w[None]))
    if fit.objective.log:
        J = J / f[:, None]
    if fit.objective.binomial:
        w = w / np.clip(f * (1 - f), 1e-12, None)
    good = np.isfinite(J).all(0) & (np.abs(J).sum(0) > 0)
    return J[:, good] * np.sqrt(w)[:, None], fit.objective.residuals(p.y, f) * np.sqrt(w)


def added_terms(A: np.ndarray, r: np.ndarray, extra: np.ndarray) -> tuple[float, float, int]:
    """F test of extra columns (n, k) in a linear model with columns A (n, p): share of the RSS explained, p, k."""
    from scipy.special import fdtrc

    Q = _basis(A)
    left = r - Q @ (Q.T @ r)
    more = _basis(extra - Q @ (Q.T @ extra), np.abs(extra).max())
    k, dof = more.shape[1], len(r) - Q.shape[1] - more.shape[1]
    total = float(left @ left)
    if k == 0 or dof <= 0 or total <= 0:
        return 0.0, 1.0, k
    explained = float(((more.T @ left) ** 2).sum())
    F = explained / k / max((total - explained) / dof, 1e-300)
    return explained / total, float(fdtrc(k, dof, F)), k


def _basis(A: np.ndarray, size: float | None = None) -> np.ndarray:
    """An orthonormal basis of the columns of A, each scaled to unit length first."""
    scale = np.sqrt((A * A).sum(0))
    floor = 1e-8 * (size * np.sqrt(len(A)) if size is not None else 1e-300)
    A = A[:, scale > floor] / scale[scale > floor]
    if not A.shape[1]:
        return A
    U, s, _ = np.linalg.svd(A, full_matrices=False)
    return U[:, s > 1e-9 * s[0]]


def influence(fit: Fit, known: Sequence[str], figures: dict[str, Any]) -> Iterator[Finding]:
    """Runs that move the fit, alone or together. known: the numbers that the data determine; the others wander anyway.

    figures: filled with what each run does.
    """
    yield from _left_out(fit, known, figures)
    if not fit.objective.binomial and fit.n >= max(20, 4 * len(fit.estimates)):
        yield from _set_aside(fit, figures)
    told = any(f.code == "decision_hangs_on" for f in fit.findings)  # as `choose` does
    if not told and (hangs := decision_hangs_on(fit)) is not None:
        yield hangs


def _left_out(fit: Fit, known: Sequence[str], figures: dict[str, Any]) -> Iterator[Finding]:
    from lawful.uncertainty import leave_one_out

    if fit.n > _MANY:
        text = f"{fit.n} points are too many to leave each out in turn; none of them can move the fit far by itself."
        yield Finding("left_out_not_tried", "note", text)
        return
    if fit.dof < 1:
        yield Finding("left_out_not_tried", "note", "Without degrees of freedom no point can be left out.")
        return
    if not known:
        yield Finding("left_out_not_tried", "note", "The data determine none of the numbers, so none can be moved.")
        return
    names = list(fit.estimates)
    pick = [names.index(name) for name in known]
    without = leave_one_out(fit)[:, pick]
    whole = np.array([fit.estimates[name] for name in known])
    rows = _rows_left_out(fit)
    with np.errstate(all="ignore"):
        moved = (without - whole) / np.sqrt(np.diag(fit.covariance)[pick])
    size = np.where(np.isfinite(moved), np.abs(moved), 0.0)
    lost = tuple(r for i in np.flatnonzero(~np.isfinite(without).all(1)) for r in rows[i])
    if lost:
        yield Finding("fit_hangs_on", "warning", f"Without {_named(fit, lost)} the law cannot be fitted at all.", lost)
    order = [int(i) for i in np.argsort(-size.max(1), kind="stable") if size[i].max() > _MOVED][:5]
    figures["left_out"] = {str(rows[i][0]): dict(zip(known, map(float, without[i]))) for i in order}
    for i in order:
        told = [
            f"{known[k]} from {whole[k]:.4g} to {without[i, k]:.4g} ({size[i, k]:.2g} standard errors)"
            for k in map(int, np.flatnonzero(size[i] > _MOVED))
        ]
        remedy = "Check this run: a conclusion that needs it is not yet one." if i == order[0] else ""
        text = f"Leaving out {_named(fit, rows[i])} moves {', '.join(told)}."
        yield Finding("carries", "warning", text, rows[i], remedy)
    if not order and not lost:
        i, k = map(int, np.unravel_index(int(size.argmax()), size.shape))
        one = "run" if fit.points.cluster is not None else "point"
        move = f"{size[i, k]:.2g} standard errors of {known[k]}"
        text = f"No single {one} carries the fit: the largest move, by {_named(fit, rows[i])}, is {move}."
        yield Finding("no_single_run", "note", text)


def _rows_left_out(fit: Fit) -> list[tuple[int, ...]]:
    """The rows of each leave-one-out fit: one, or all of a run."""
    code = fit.points.cluster if fit.points.cluster is not None else np.arange(fit.n)
    return [tuple(int(r) for r in fit.points.rows[code == c]) for c in np.unique(code)]


def _named(fit: Fit, rows: tuple[int, ...]) -> str:
    what = "the run in rows" if fit.points.cluster is not None and len(rows) > 1 else "row"
    return f"{what}{'s' * (len(rows) > 1 and what == 'row')} {listed(rows)}"


def _set_aside(fit: Fit, figures: dict[str, Any]) -> Iterator[Finding]:
    """Points that pull a robust fit, worst first, and what becomes of the estimates without them."""
    aside, distances, relative = pullers(fit)
    rows = tuple(int(fit.points.rows[i]) for i in aside)
    figures["set_aside"] = {str(r): {"cook": d, "residuals": z} for r, d, z in zip(rows, distances, relative)}
    if not aside:
        yield Finding("no_outliers", "note", f"No point has a Cook's distance above {_COOK:g} from a robust fit.")
        return
    told = ", ".join(f"{r} ({d:.2g}; {z:+.0f} sd)" for r, d, z in list(zip(rows, distances, relative))[:12])
    more = f" and {len(rows) - 12} more" if len(rows) > 12 else ""
    yield Finding(
        "outliers", "warning",
        f"{len(rows)} of {fit.n} points pull the fit, worst first: row {told}{more} (Cook's distance from a robust "
        f"fit when set aside; residual in robust sd). {_moves(fit, aside)}", rows,
        "Find out what is special about them, and state the fit with and without.",
    )  # fmt: skip


def pullers(fit: Fit) -> tuple[list[int], list[float], list[float]]:
    """Positions in the order in which they are set aside, Cook's distance then, residual in robust sd at the end."""
    base, keep = fit.problems, np.ones(fit.n, bool)
    theta, p = fit.theta, len(fit.estimates)
    scale = _MAD * float(np.median(np.abs(linearised(fit)[1])))
    order: list[int] = []
    distances: list[float] = []
    r = fit.residuals
    while len(order) < fit.n // 10 and scale > 0:
        robust = Objective("huber", fit.objective.log, _TUNING * scale)
        found = solve(fit.model, theta[None], Problems(base.X, base.y, base.W * keep), robust, iterations=300)
        if not np.isfinite(found.F[0]):
            break
        theta = found.theta[0]
        A, r = linearised(fit, theta)
        scale = _MAD * float(np.median(np.abs(r[keep]))) * np.sqrt(keep.sum() / max(keep.sum() - p, 1))
        U, s, _ = np.linalg.svd(A[keep], full_matrices=False)
        h = np.minimum((U[:, s > 1e-10 * s[0]] ** 2).sum(1), 1 - 1e-9)
        with np.errstate(all="ignore"):
            cook = (r[keep] / scale) ** 2 * h / (1 - h) ** 2 / p
        worst = int(np.nan_to_num(cook).argmax())
        if not cook[worst] > _COOK:
            break
        position = int(np.flatnonzero(keep)[worst])
        order.append(position)
        distances.append(float(cook[worst]))
        keep[position] = False
    return order, distances, [float(r[i] / scale) for i in order]


def _without(fit: Fit, aside: list[int]) -> dict[str, float] | None:
    """The free numbers by the fit's own objective without these points; None where it cannot be fitted from here."""
    keep = np.ones(fit.n, bool)
    keep[aside] = False
    base = fit.problems
    found = solve(fit.model, fit.theta[None], Problems(base.X, base.y, base.W * keep), fit.objective, iterations=500)
    return dict(zip(fit.estimates, map(float, fit.model.natural(found.theta)[0]))) if np.isfinite(found.F[0]) else None


def _moves(fit: Fit, aside: list[int]) -> str:
    """What the fit's own objective says without these points."""
    without = _without(fit, aside)
    if without is None:
        return "Without them the law cannot be fitted from here."
    told = [f"{name} {value:.4g} to {without[name]:.4g}" for name, value in fit.estimates.items()]
    return f"Without them the estimates move: {', '.join(told)}."


def decision_hangs_on(fit: Fit, flops: float | None = None) -> Finding | None:
    """Does the size that the law recommends for a budget move by a quarter without the points that pull the fit?

    flops: the budget (default: ten times the largest run's 6ND). None where it does not, or the law has no optimum.
    """
    size = next((v for v in ("N", "N_nonemb") if v in fit.law.optimum and v in fit.points.X), None)
    large_enough = fit.n >= max(20, 4 * len(fit.estimates)) and not fit.objective.binomial
    if size is None or "D" not in fit.points.X or fit.points.group is not None or not large_enough:
        return None
    aside = pullers(fit)[0]
    without = _without(fit, aside) if aside else None
    if without is None:
        return None
    flops = flops or 10 * float(np.max(6 * fit.points.X[size] * fit.points.X["D"]))
    with np.errstate(all="ignore"):
        before, after = (float(fit.law.optimum[size](flops, fit.model.rebind(v))) for v in (fit.estimates, without))
    if not (np.isfinite([before, after]).all() and abs(after / before - 1) >= _DECISION):
        return None
    rows = tuple(int(fit.points.rows[i]) for i in aside)
    return Finding(
        "decision_hangs_on", "warning",
        f"The decision hangs on {len(rows)} of {fit.n} points: without row {listed(rows)} the {size} recommended at "
        f"{flops:.3g} FLOP moves from {before:.3g} to {after:.3g} ({after / before - 1:+.0%}).", rows,
        "Find out what is special about them before the budget is spent; compare(runs, choices=True) shows more.",
    )  # fmt: skip
