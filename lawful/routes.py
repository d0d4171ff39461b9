"""The optimisers that the field uses, each as it is usually called: SciPy's L-BFGS-B, BFGS and least squares, and Adam.

They are here to repeat published fits and to be compared with, not to be fast: `solve` is. An `Aim` is what they
minimise: a law in the parameters that a paper moved (logs of amplitudes, exponents as they are), its data, and a sum or
a mean of the losses, with exact slopes or with the finite differences that SciPy takes when it is given none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.bind import Model
from lawful.objectives import Objective
from lawful.solve import Problems, jacobian, values

_STEP = 1e-8  # of SciPy's finite differences for L-BFGS-B and BFGS
_FAR = 1e30  # stands for an objective that is not finite, which a line search could not step back from


@dataclass(frozen=True)
class Aim:
    """What is minimised. mean: losses are averaged, not summed. exact: slopes by duals, else by finite differences.

    lower: the least value of every number that is moved, where a paper set one (L-BFGS-B only).
    """

    model: Model
    problems: Problems
    objective: Objective
    mean: bool = False
    exact: bool = True
    lower: float | None = None

    @property
    def share(self) -> float:
        """Factor on the sum of the losses."""
        return 1 / self.problems.y.shape[-1] if self.mean else 1.0

    def value(self, theta: np.ndarray) -> np.ndarray:
        """The objective (m,) at rows theta (m, p)."""
        F = values(self.model, theta, self.problems, np.zeros(len(theta), int), self.objective)
        return np.minimum(F * self.share, _FAR)

    def slopes(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The objective (m,) and its slopes (m, p)."""
        if self.exact:
            f, J, psi, rho, w = self._points(theta)
            F, g = (rho * w).sum(-1), -np.matmul(J, (psi * w)[:, :, None])[:, :, 0]
            F, g = np.where(np.isfinite(F), F, _FAR), np.where(np.isfinite(g), g, 0.0)
            return F * self.share, g * self.share
        m, p = theta.shape
        moved = theta[:, None] + np.concatenate([np.zeros((1, p)), _STEP * np.eye(p)])
        F = self.value(moved.reshape(-1, p)).reshape(m, p + 1)
        return F[:, 0], (F[:, 1:] - F[:, :1]) / _STEP

    def residuals(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weighted residuals (n,) and their Jacobian (n, p) at one row theta (p,)."""
        f, J, _, _, w = self._points(theta[None])
        root = np.sqrt(w)
        r = root * self.objective.residuals(self.problems.y, f[0])
        return np.where(np.isfinite(r), r, _FAR), np.nan_to_num(-J[0] * root, posinf=0.0, neginf=0.0).T

    def _points(self, theta: np.ndarray) -> tuple[np.ndarray, ...]:
        """The law (m, n), its partials in the space of the objective (m, p, n), psi, rho (m, n) and weights (n,)."""
        X, y, w = self.problems.points(np.zeros(len(theta), int), slice(None), self.model.law.arrays)
        with np.errstate(all="ignore"):
            f, J = jacobian(self.model, theta, X, (len(theta), y.shape[-1]), np.arange(self.model.size))
            if self.objective.log:
                J /= f[:, None]
            rho, psi, _ = self.objective.terms(y, f, np.ones((len(theta), 1)))
        return f, J, psi, rho, w


def descend(aim: Aim, start: np.ndarray, method: str, options: Mapping[str, Any]) -> tuple[np.ndarray, float]:
    """`scipy.optimize.minimize` by L-BFGS-B or BFGS from one start (p,): where it stops, and the objective there."""
    from scipy.optimize import minimize

    def both(theta: np.ndarray) -> tuple[float, np.ndarray]:
        F, g = aim.slopes(theta[None])
        return float(F[0]), g[0]

    bounds = None if aim.lower is None else [(aim.lower, None)] * len(start)
    with np.errstate(all="ignore"):
        end = minimize(both, start, jac=True, method=method, bounds=bounds, options=dict(options))
    return end.x, float(end.fun)


def least_squares(aim: Aim, start: np.ndarray, options: Mapping[str, Any]) -> tuple[np.ndarray, float]:
    """`scipy.optimize.least_squares` from one start (p,): plain squares by Levenberg-Marquardt, Huber's loss by trf.

    Raises ValueError for an objective that is not a sum of squares or Huber losses of equally weighted points.
    """
    from scipy.optimize import least_squares as scipy_least_squares

    huber = np.isfinite(aim.objective.delta)
    weighted = bool((aim.problems.W != 1).any())
    if aim.objective.binomial or aim.objective.tau != 0.5 or aim.objective.delta == 0 or (huber and weighted):
        raise ValueError(
            f"SciPy's least_squares cannot minimise the objective {aim.objective.name}{' with weights' * weighted}; "
            "take scipy-lbfgsb or scipy-bfgs, or an objective of lsq, log_lsq, huber, log_huber"
        )
    more = {"loss": "huber", "f_scale": aim.objective.delta, "method": "trf"} if huber else {"method": "lm"}
    slopes: Any = (lambda theta: aim.residuals(theta)[1]) if aim.exact else "2-point"
    with np.errstate(all="ignore"):
        end = scipy_least_squares(lambda theta: aim.residuals(theta)[0], start, slopes, **more, **options)
    return end.x, float(aim.value(end.x[None])[0])


def adam(aim: Aim, starts: np.ndarray, rate: float = 0.05, steps: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Adam (Kingma and Ba 2015: betas 0.9 and 0.999) from starts (m, p) at once, its rate falling linearly to zero.

    Returns the best rows passed (m, p) and their objectives (m,).
    """
    theta, first, second = starts.copy(), np.zeros_like(starts), np.zeros_like(starts)
    best, least = starts.copy(), np.full(len(starts), np.inf)
    for t in range(1, steps + 1):
        F, g = aim.slopes(theta)
        better = F < least
        best[better], least[better] = theta[better], F[better]
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
        size = np.sqrt(second / (1 - 0.999**t))
        theta = theta - rate * (1 - t / steps) * (first / (1 - 0.9**t)) / (size + 1e-30)
    return best, least
