"""One batched solver: many starts x many weightings x many data sets in one call.

A row of the batch is one (start, problem). A problem is a weighting of shared points, or padded points of its own (a
point that is not there has weight 0). So a bootstrap is 4000 problems with other weights, leave-one-out is n problems
with one weight at zero, three hundred small data sets are 300 problems with padded points, and a start grid is one
problem with many rows.

Each row takes damped Gauss-Newton steps on its objective, ``step = -(H + lam diag H)^-1 g`` with H = J' diag(w c) J,
where c is the curvature of the loss. A success shrinks the damping, a failure grows it; rows that are done leave the
batch. Trial points are evaluated once, with derivatives, over blocks that stay in the processor's cache.
Normal equations square the condition number, which the search can bear and the last digits cannot: `polish` finishes
a row by QR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from lawful.bind import Model
from lawful.objectives import Objective

BLOCK = 40_000  # elements of one temporary: 320 kB, inside the second-level cache
_STRIDE = 8.0  # longest step of a slot that is a log or a logit


@dataclass(frozen=True)
class Problems:
    """Points and weightings: X {variable: (n,) or (P, n)}, y (n,) or (P, n), W (P, n).

    Array variables have one axis more, in front.
    """

    X: Mapping[str, np.ndarray]
    y: np.ndarray
    W: np.ndarray

    @property
    def count(self) -> int:
        return len(self.W)

    def points(
        self, which: np.ndarray, cut: slice, arrays: Sequence[str]
    ) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
        """The block ``cut`` of the points of the problems ``which``."""
        y = self.y[cut] if self.y.ndim == 1 else self.y[which, cut]
        w = self.W[0, cut] if len(self.W) == 1 else self.W[which, cut]
        X = {}
        for name, x in self.X.items():
            shared = x.ndim == (2 if name in arrays else 1)
            X[name] = x[..., cut] if shared else x[..., which, cut]
        return X, y, w


@dataclass(frozen=True)
class Solution:
    """Slots theta (rows, p), objective F (rows,), iterations (rows,)."""

    theta: np.ndarray
    F: np.ndarray
    iterations: np.ndarray


@cache
def _keep_memory() -> None:
    # glibc maps every temporary above 128 kB afresh until one larger block has been freed: 1.5 times slower.
    del_me = np.empty(4_000_000)
    del del_me


def values(model: Model, theta: np.ndarray, problems: Problems, which: np.ndarray, objective: Objective) -> np.ndarray:
    """The objective at every row (rows,), without derivatives: for ranking starts."""
    F = np.zeros(len(theta))
    n = problems.y.shape[-1]
    rows = max(1, BLOCK // n)
    with np.errstate(all="ignore"):
        for s in range(0, len(theta), rows):
            part = slice(s, s + rows)
            X, y, w = problems.points(which[part], slice(None), model.law.arrays)
            F[part] = objective.total(y, model.evaluate(theta[part], X, derivatives=False), w)
    return np.where(np.isfinite(F), F, np.inf)


def jacobian(
    model: Model, theta: np.ndarray, X: Mapping[str, np.ndarray], shape: tuple[int, int], free: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Prediction (rows, n) and its partials by the free slots (rows, p, n)."""
    f = model.evaluate(theta, X)
    J = np.empty((shape[0], len(free), shape[1]))
    partials = getattr(f, "d", {})
    for k, i in enumerate(free):
        J[:, k] = partials.get(int(i), 0.0)
    v = np.broadcast_to(getattr(f, "v", f), shape)
    return v, J


def _measure(
    model: Model, theta: np.ndarray, problems: Problems, which: np.ndarray, objective: Objective,
    kappa: np.ndarray, free: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Objective (m,), gradient (m, p) and curvature (m, p, p), summed over blocks of points."""
    m, n, p = len(theta), problems.y.shape[-1], len(free)
    F, g, H = np.zeros(m), np.zeros((m, p)), np.zeros((m, p, p))
    block = max(1, BLOCK // m)
    for s in range(0, n, block):
        X, y, w = problems.points(which, slice(s, s + block), model.law.arrays)
        v, J = jacobian(model, theta, X, (m, y.shape[-1]), free)
        if objective.log:
            J /= v[:, None]
        rho, psi, curve = objective.terms(y, v, kappa[:, None])
        F += np.einsum("mn,mn->m", rho, np.broadcast_to(w, rho.shape))
        g -= np.matmul(J, (psi * w)[:, :, None])[:, :, 0]
        H += np.matmul(J * (curve * w)[:, None], np.swapaxes(J, 1, 2))
    return F, g, H


def _steps(g: np.ndarray, H: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """-(H + lam diag H)^-1 g for every row, scaled to a unit diagonal first."""
    k = np.arange(H.shape[1])
    M = H.copy()
    M[:, k, k] = (H[:, k, k] + 1e-290) * (1 + lam[:, None])
    scale = 1 / np.sqrt(M[:, k, k])
    M *= scale[:, :, None]
    M *= scale[:, None, :]
    M[:, k, k] = 1 + 1e-14
    right = -(g * scale)[:, :, None]
    try:
        step = np.linalg.solve(M, right)
    except np.linalg.LinAlgError:  # one exactly singular row would stop the whole batch
        step = np.matmul(np.linalg.pinv(np.where(np.isfinite(M), M, 0.0)), right)
    return step[:, :, 0] * scale


def solve(
    model: Model,
    starts: np.ndarray,
    problems: Problems,
    objective: Objective,
    which: np.ndarray | None = None,
    *,
    free: Sequence[int] | None = None,
    iterations: int = 200,
    tolerance: float = 1e-12,
    damping: float = 1e-2,
    kappa: float = 1.0,
) -> Solution:
    """Minimise the objective from every start.

    starts (rows, p) in the search space; which (rows,): the problem of each row (default: problem 0 for all).
    free: slots that move; the others stay at their starting values, row by row (a profile is one call).
    damping, kappa: begin cold with the defaults, warm (from an optimum of a similar problem) with 1e-4 and 0.1.
    Stops on the relative decrease of the objective, never on absolute numbers. Starts where the law is not finite come
    back with F = inf.
    """
    _keep_memory()
    theta = np.array(starts, float)
    which = np.zeros(len(theta), int) if which is None else np.asarray(which)
    moving = np.arange(model.size) if free is None else np.asarray(free, int)
    F, count = np.full(len(theta), np.inf), np.zeros(len(theta), int)
    n = problems.y.shape[-1]
    rows = max(1, BLOCK // n)
    with np.errstate(all="ignore"):
        for s in range(0, len(theta), rows):
            part = slice(s, min(len(theta), s + rows))
            batch = _Batch.begin(model, theta[part], problems, which[part], objective, moving, damping, kappa)
            theta[part], F[part], count[part] = batch.run(iterations, tolerance)
    return Solution(theta, F, count)


@dataclass
class _Batch:
    """The rows that are solved together. ``alive`` maps the working rows to rows of the result."""

    model: Model
    problems: Problems
    objective: Objective
    free: np.ndarray
    bounded: np.ndarray  # which free slots are logs or logits
    theta: np.ndarray
    which: np.ndarray
    f: np.ndarray
    g: np.ndarray
    H: np.ndarray
    lam: np.ndarray
    kappa: np.ndarray
    settled: np.ndarray  # successive steps with no gain worth the name

    @classmethod
    def begin(
        cls, model: Model, theta: np.ndarray, problems: Problems, which: np.ndarray, objective: Objective,
        free: np.ndarray, damping: float, kappa: float,
    ) -> _Batch:  # fmt: skip
        m = len(theta)
        kap = np.full(m, kappa)
        f, g, H = _measure(model, theta, problems, which, objective, kap, free)
        bounded = np.array([model.slots[i].kind != "free" for i in free], bool)
        lam, settled = np.full(m, damping), np.zeros(m, int)
        return cls(model, problems, objective, free, bounded, theta.copy(), which, f, g, H, lam, kap, settled)

    def run(self, iterations: int, tolerance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        theta = self.theta.copy()
        finite = np.isfinite(self.f) & np.isfinite(self.g).all(1) & np.isfinite(self.H).all((1, 2))
        F = np.where(finite, self.f, np.inf)
        count = np.zeros(len(F), int)
        alive, done = np.arange(len(F)), ~finite
        for _ in range(iterations if len(self.free) else 0):
            if done.any():
                alive = alive[~done]
                self._keep(~done)
            if not len(alive):
                break
            done = self._step(tolerance)
            count[alive] += 1
            theta[alive], F[alive] = self.theta, self.f
        return theta, F, count

    def _keep(self, rows: np.ndarray) -> None:
        for name in ("theta", "which", "f", "g", "H", "lam", "kappa", "settled"):
            setattr(self, name, getattr(self, name)[rows])

    def _step(self, tolerance: float) -> np.ndarray:
        """One trial step for every row; returns which rows are done."""
        step = _steps(self.g, self.H, self.lam)
        step = np.where(self.bounded, np.clip(step, -_STRIDE, _STRIDE), step)
        promised = -0.5 * np.einsum("mp,mp->m", self.g, step)
        trial = self.theta.copy()
        trial[:, self.free] += step
        f, g, H = _measure(self.model, trial, self.problems, self.which, self.objective, self.kappa, self.free)
        good = (f < self.f) & np.isfinite(g).all(1) & np.isfinite(H).all((1, 2))
        gain = self.f - f
        flat = good & ((promised < tolerance * self.f) | (gain < tolerance * self.f))
        self.settled = np.where(good, np.where(flat, self.settled + 1, 0), self.settled)
        stuck = ~good & (promised < 1e-3 * tolerance * self.f)
        slow = good & (gain < 3e-2 * self.f)  # leave the robust phase only once progress has slowed
        self.theta = np.where(good[:, None], trial, self.theta)
        self.g = np.where(good[:, None], g, self.g)
        self.H = np.where(good[:, None, None], H, self.H)
        self.f = np.where(good, f, self.f)
        self.lam = np.where(good, np.maximum(self.lam * 0.2, 1e-12), np.maximum(self.lam * 5, 1e-6))
        back = np.minimum(1.0, np.maximum(self.kappa, 1e-3) * 5)
        self.kappa = np.where(slow, self.kappa * 0.3, np.where(good, self.kappa, back))
        newton = flat & (self.kappa < 1e-2) & (self.lam < 1e-3)  # nothing left to gain, at a quadratic rate
        return (self.settled >= 2) | newton | stuck | (self.lam > 1e13)


def polish(
    model: Model, theta: np.ndarray, problems: Problems, which: int, objective: Objective,
    *, free: Sequence[int] | None = None, linear: Sequence[int] = (), iterations: int = 60, damping: float = 1e-6,
) -> tuple[np.ndarray, float]:  # fmt: skip
    """Finish one row (p,) by Levenberg-Marquardt steps from a QR of [sqrt(w c) J; sqrt(lam) D].

    D holds the largest column norms met so far (More 1978); the damping follows the ratio of the gain to what was
    promised (Nielsen 1999). linear: slots without bounds in which the law is linear; after every step they are solved
    for (Ruhe and Wedin 1980), which crosses narrow curved valleys in a few steps.
    Returns slots and objective, worse than given by no more than rounding. Least squares keeps all digits (J is never
    squared); other losses use the triangular factor with their own gradient.
    """
    moving = np.arange(model.size) if free is None else np.asarray(free, int)
    theta = theta.copy()
    with np.errstate(all="ignore"):
        now = _rows(model, theta, problems, which, objective, moving)
        if len(linear) and np.isfinite(now.F):
            theta, now = _projected(model, theta, now, problems, which, objective, linear)
        lam, growth, scale = damping, 2.0, np.zeros(len(moving))
        for _ in range(iterations if len(moving) and np.isfinite(now.F) else 0):
            # the largest norms keep a far step short; along a solved-for valley they would keep it from moving at all
            scale = np.maximum(np.sqrt((now.J**2).sum(0)), 0.0 if len(linear) else scale)
            step = _qr_step(now, lam, scale, objective)
            promised = 0.5 * float(((now.J @ step) ** 2).sum()) + lam * float(((scale * step) ** 2).sum())
            if not promised > 1e-17 * now.F or lam > 1e20:
                break
            trial = theta.copy()
            trial[moving] += step
            new = _rows(model, trial, problems, which, objective, moving)
            if len(linear) and np.isfinite(new.F):
                trial, new = _projected(model, trial, new, problems, which, objective, linear)
            ratio = min((now.F - new.F) / promised, 1.0)
            if ratio > 0:
                theta, now = trial, new
                lam, growth = lam * max(1 / 3, 1 - (2 * ratio - 1) ** 3), 2.0
            else:
                lam, growth = max(lam, 1e-20) * growth, growth * 2
        theta, now = _last_digits(model, theta, now, problems, which, objective, moving)
    return theta, now.F


@dataclass(frozen=True)
class _Rows:
    """Objective, weighted residuals (n,), weighted Jacobian (n, p) and gradient (p,) of one row."""

    F: float
    r: np.ndarray
    J: np.ndarray
    g: np.ndarray


def _rows(
    model: Model, theta: np.ndarray, problems: Problems, which: int, objective: Objective, free: np.ndarray
) -> _Rows:
    X, y, w = problems.points(np.array([which]), slice(None), model.law.arrays)
    y, w = np.atleast_2d(y)[0], np.atleast_2d(w)[0]
    v, J = jacobian(model, theta[None], X, (1, len(y)), free)
    v, J = v[0], J[0].T
    if objective.log:
        J = J / v[:, None]
    rho, psi, curve = objective.terms(y, v, np.zeros(len(y)))
    there = w > 0
    F = float((rho * w)[there].sum())
    if not (np.isfinite(F) and np.isfinite(J[there]).all()):
        return _Rows(np.inf, psi, J, psi)
    rho, psi, curve, w, J = rho[there], psi[there], curve[there], w[there], J[there]
    root = np.sqrt(curve * w)
    r = root * psi / np.where(curve > 0, curve, 1.0)
    return _Rows(F, r, root[:, None] * J, -(J * (psi * w)[:, None]).sum(0))


def _qr_step(now: _Rows, lam: float, scale: np.ndarray, objective: Objective) -> np.ndarray:
    scale = np.where(scale > 1e-150, scale, 1.0)
    p = now.J.shape[1]
    A = np.vstack([now.J / scale, np.sqrt(lam) * np.eye(p)])
    if objective.delta == np.inf:  # residuals carry the whole gradient
        return np.linalg.lstsq(A, np.concatenate([now.r, np.zeros(p)]), rcond=1e-15)[0] / scale
    R = np.asarray(np.linalg.qr(A, mode="r"))
    if np.abs(np.diag(R)).min() < 1e-14:
        R = R + 1e-14 * np.eye(p)
    return -np.linalg.solve(R, np.linalg.solve(R.T, now.g / scale)) / scale


def _projected(
    model: Model, theta: np.ndarray, now: _Rows, problems: Problems, which: int, objective: Objective,
    linear: Sequence[int],
) -> tuple[np.ndarray, _Rows]:  # fmt: skip
    """The row with its linear slots at their best values, if that is better."""
    A = now.J[:, linear]
    scale = np.sqrt((A * A).sum(0))
    scale = np.where(scale > 1e-150, scale, 1.0)
    trial = theta.copy()
    trial[list(linear)] += np.linalg.lstsq(A / scale, now.r, rcond=1e-13)[0] / scale
    new = _rows(model, trial, problems, which, objective, np.arange(model.size))
    return (trial, new) if new.F < now.F else (theta, now)


def _last_digits(
    model: Model, theta: np.ndarray, now: _Rows, problems: Problems, which: int, objective: Objective, free: np.ndarray
) -> tuple[np.ndarray, _Rows]:
    """Undamped steps while they shrink. The objective is flat here to rounding, so the length of the step decides."""
    length = np.inf
    for _ in range(10 if len(free) and np.isfinite(now.F) else 0):
        scale = np.sqrt((now.J**2).sum(0))
        step = _qr_step(now, 0.0, scale, objective)
        before, length = length, float(np.linalg.norm(scale * step))
        if not length < 0.5 * before:
            break
        trial = theta.copy()
        trial[free] += step
        new = _rows(model, trial, problems, which, objective, free)
        if not new.F <= now.F * (1 + 1e-12):
            break
        theta, now = trial, new
    return theta, now
