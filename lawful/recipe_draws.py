"""Draws of several recipes' laws together, with the noise that their runs share.

Recipes trained at the same places (sizes, tokens, the number of the seed) share some of their noise: the order of the
data, the evaluation set. The residuals of a place, one per recipe, then have a covariance; its estimate from n places
and p parameters has n - p degrees of freedom, and given the residuals' cross-products S the covariance itself is
inverse Wishart (Box and Tiao 1973, section 8.2). Each draw takes one such covariance, new noise for every place, and
refits every recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lawful.bootstrap import bootstrap, refit_quickly
from lawful.fit import Fit
from lawful.solve import Problems


@dataclass(frozen=True)
class Shared:
    """Which point of each recipe (recipes, places) is at which shared place, and the residuals' mean correlation."""

    index: np.ndarray
    correlation: float


def places_shared(fits: Sequence[Fit]) -> Shared | None:
    """The places that all recipes have, or None where they are too few for a covariance, or the noise is not normal."""
    if not all(_normal(f) for f in fits):
        return None
    keys = [_keys(f) for f in fits]
    common = sorted(set(keys[0]).intersection(*keys[1:]))
    p = max(len(f.estimates) for f in fits)
    if len(common) - p < len(fits) + 1:  # an inverse Wishart distribution with a mean needs as many
        return None
    index = np.array([[own[place] for place in common] for own in keys])
    return Shared(index, _correlation(_residuals(fits, index)))


def _normal(fit: Fit) -> bool:
    return fit.objective.squares and fit.points.cluster is None and fit.dof > 0


def _keys(fit: Fit) -> dict[tuple[float, ...], int]:
    """Place -> point; the second run at a place is another place, as another seed is."""
    out: dict[tuple[float, ...], int] = {}
    X = np.stack([np.atleast_2d(x)[0] for x in fit.points.X.values()], axis=1)
    for i, row in enumerate(X):
        seed = 0
        while (key := (*(float(f"{v:.6g}") for v in row), float(seed))) in out:
            seed += 1
        out[key] = i
    return out


def _residuals(fits: Sequence[Fit], index: np.ndarray) -> np.ndarray:
    """Weighted residuals (places, recipes)."""
    return np.stack([(f.residuals * np.sqrt(f.points.w))[i] for f, i in zip(fits, index)], axis=1)


def _correlation(r: np.ndarray) -> float:
    c = np.corrcoef(r.T)
    return float(np.mean(c[np.triu_indices(len(c), 1)]))


def drawn(fits: Sequence[Fit], shared: Shared | None, draws: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Slots (draws, p) of every recipe; rows of nan where a refit failed. Row i of all recipes has the same noise."""
    out = []
    joint = _joint_noise(fits, shared, draws, rng) if shared is not None else None
    for k, fit in enumerate(fits):
        if not _normal(fit):
            method = "cluster" if fit.points.cluster is not None else "pairs"
            made = bootstrap(fit, method, draws, int(rng.integers(2**31)))
            theta, F = made.theta, made.F
        else:
            noise = _own_noise(fit, draws, rng)
            if joint is not None and shared is not None:
                noise[:, shared.index[k]] = joint[:, :, k]
            noise /= np.sqrt(fit.points.w)
            y = fit.fitted * np.exp(noise) if fit.objective.log else fit.fitted + noise
            theta, F = refit_quickly(fit, Problems(fit.problems.X, y, np.broadcast_to(fit.problems.W, y.shape)))
        out.append(np.where(np.isfinite(F)[:, None], theta, np.nan))
    return out


def _own_noise(fit: Fit, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Noise (draws, n) with a standard deviation that is as uncertain as n - p degrees of freedom leave it."""
    sd = fit.sigma * np.sqrt(fit.dof / rng.chisquare(fit.dof, draws))
    return sd[:, None] * rng.standard_normal((draws, fit.n))


def _joint_noise(fits: Sequence[Fit], shared: Shared, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Noise (draws, places, recipes) with a covariance from the inverse Wishart distribution of the residuals."""
    from scipy.stats import invwishart

    r = _residuals(fits, shared.index)
    places, recipes = r.shape
    dof = places - max(len(f.estimates) for f in fits)
    S = r.T @ r
    S = S + np.eye(recipes) * 1e-9 * np.trace(S) / recipes
    covariance = np.reshape(invwishart.rvs(dof, S, size=draws, random_state=rng), (draws, recipes, recipes))
    root = np.linalg.cholesky(covariance)
    return np.einsum("dij,dpj->dpi", root, rng.standard_normal((draws, places, recipes)))
