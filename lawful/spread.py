"""How far the estimates may be off, from the slopes at the optimum: covariance and residual standard deviation."""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np

from lawful.bind import Model
from lawful.objectives import Objective
from lawful.solve import Problems, jacobian

_RANK = 1e-11  # singular values below this part of the largest are noise


def natural_jacobian(
    model: Model, theta: np.ndarray, problems: Problems, which: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The law (n,), its partials (n, p) by the parameters' own values, the data y and weights w of one problem."""
    X, y, w = problems.points(np.array([which]), slice(None), model.law.arrays)
    y, w = np.atleast_2d(y)[0], np.atleast_2d(w)[0]
    with np.errstate(all="ignore"):
        f, J = jacobian(model, theta[None], X, (1, len(y)), np.arange(model.size))
    slopes = slot_slopes(model, theta)
    with np.errstate(all="ignore"):
        own = np.linalg.solve(slopes.T, J[0]).T if model.size and np.all(np.diag(slopes) != 0) else J[0].T * np.nan
    return f[0], own, y, w


def slot_slopes(model: Model, theta: np.ndarray) -> np.ndarray:
    """d(value of parameter i) / d(slot k), (p, p)."""
    slopes = np.zeros((model.size, model.size))
    for i in range(model.size):
        for k, a in model.value(i, theta[None])[1].items():
            slopes[i, k] = np.ravel(a)[0]
    return slopes


@np.errstate(all="ignore")
def covariance(
    model: Model, theta: np.ndarray, problems: Problems, objective: Objective, cluster: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Covariance (p, p) of the estimates and residual standard deviation (n - p degrees of freedom).

    Least squares: sigma^2 (J'WJ)^-1, from a QR of sqrt(W) J. Binomial: the inverse Fisher information, times
    `overdispersion`. Every other loss, and points clustered by run: the sandwich H^-1 S H^-1, where H has
    Huber's indicator smoothed over the residuals, since at a small delta few points would decide it.
    Variances of parameters that the data do not determine are nan.
    """
    f, J, y, w = natural_jacobian(model, theta, problems)
    if objective.log:
        J = J / f[:, None]
    r = objective.residuals(y, f)
    dof = int((w > 0).sum()) - model.size
    if objective.binomial:
        v = np.clip(f * (1 - f), 1e-300, None)
        sigma = float(np.sqrt((w * r * r / v).sum() / dof)) if dof > 0 else np.nan
        return _inverse(J * np.sqrt(w / v)[:, None]) * overdispersion(sigma, dof), sigma
    sigma = float(np.sqrt((w * r * r).sum() / dof)) if dof > 0 else np.nan
    if objective.squares and cluster is None:
        return _inverse(J * np.sqrt(w)[:, None]) * sigma**2, sigma
    _, psi, curve = objective.terms(y, f, np.zeros(len(y)))
    if np.isfinite(objective.delta):
        curve = _smoothed(r, objective.delta)
    bread = _inverse(J * np.sqrt(w * curve)[:, None])
    score = J * (psi * w)[:, None]
    if cluster is not None:
        score = np.stack([score[cluster == c].sum(0) for c in np.unique(cluster)])
    groups = len(score)
    return bread @ (score.T @ score) @ bread * (groups / max(groups - 1, 1)), sigma


def overdispersion(sigma: float, dof: int) -> float:
    """sigma^2 = chi2 / dof where accuracies scatter significantly (5 %) more than binomial noise, else 1."""
    from scipy.special import chdtrc

    return sigma**2 if dof > 0 and chdtrc(dof, dof * sigma**2) < 0.05 else 1.0


def _smoothed(r: np.ndarray, delta: float) -> np.ndarray:
    """The indicator |r| < delta, convolved with a normal kernel of bandwidth 1.4826 MAD n^(-1/5)."""
    h = 1.4826 * float(np.median(np.abs(r))) * len(r) ** -0.2 + 1e-300
    return _normal((delta - r) / h) - _normal((-delta - r) / h)


def _normal(x: np.ndarray) -> np.ndarray:
    """The normal distribution function; below 10,000 points without SciPy, whose import takes longer than the fit."""
    if len(x) < 10_000:
        return np.array([0.5 * erfc(-v / sqrt(2)) for v in x])
    from scipy.special import ndtr

    return ndtr(x)


def _inverse(A: np.ndarray) -> np.ndarray:
    """(A'A)^-1 without forming A'A; nan for parameters that A does not determine."""
    p = A.shape[1]
    if not p or not np.isfinite(A).all():
        return np.full((p, p), np.nan)
    size = np.sqrt((A * A).sum(0))
    scale = np.where(size > 0, size, 1.0)
    _, s, Vt = np.linalg.svd(A / scale, full_matrices=len(A) < p)
    s = np.concatenate([s, np.zeros(p - len(s))])
    null = s <= _RANK * s[0]
    V = Vt.T[:, ~null] / s[~null]
    out = V @ V.T / scale[:, None] / scale[None, :]
    lost = (np.abs(Vt.T[:, null]) > 1e-6).any(1) | (size == 0)
    out[lost, :] = out[:, lost] = np.nan
    return out


def condition(model: Model, theta: np.ndarray, problems: Problems, objective: Objective) -> float:
    """Condition number of the Jacobian with columns scaled to unit length: above 1e3, parameters trade off."""
    f, J, _, w = natural_jacobian(model, theta, problems)
    if objective.log:
        J = J / f[:, None]
    A = J * np.sqrt(w)[:, None]
    size = np.sqrt((A * A).sum(0))
    if not np.isfinite(A).all() or (size == 0).any():
        return np.inf
    s = np.linalg.svd(A / size, compute_uv=False)
    return float(s[0] / s[-1]) if s[-1] > 0 else np.inf
