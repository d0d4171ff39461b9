r"""Draws from any density of a few numbers: an ensemble of walkers that has learnt where to jump.

1. From normals about the maxima found from given starts, by steps of annealed importance: points are drawn, weighted by
   the density over that of where they came from, to the largest power that leaves a tenth of them effective, and a
   mixture of t distributions is fitted to the weighted points; from it the next points are drawn (population Monte
   Carlo; Cappe et al. 2004, 2008). A curved valley becomes a row of components.
2. emcee's ensemble (Foreman-Mackey et al. 2013) begins at such points. Most of its steps are proposals from the
   mixture, whatever the walker's place (an independence sampler); the others are differential evolution (ter Braak
   2006; Nelson et al. 2013), which the mixture's mistakes do not touch.
3. Each round of the chain is twice as long as the one before, begins where that ended, and proposes from a mixture
   fitted to that. Only the last round is kept, once it is settled: 50 autocorrelation times long (Sokal 1997), with
   a split R-hat below 1.05. Both are taken of normal ranks, which heavy tails do not disturb (Vehtari et al. 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Density = Callable[[np.ndarray], np.ndarray]
TIMES, RHAT = 50, 1.05  # autocorrelation times that a chain must be long; split R-hat below which its parts agree
_FIRST = 100  # steps of the first round
_ROUNDS, _EFFECTIVE = 12, 0.4  # of the approach; the effective share of points at which it ends
_NEWTON = 40
_COMPONENTS, _EM, _DOF = 20, 8, 10
_RIDGE = 1e-3  # least variance of a component, where that of all points is 1
_JUMPS = 0.8  # share of steps that are proposals from the mixture


@dataclass(frozen=True)
class Mixture:
    """Multivariate t distributions, 10 degrees of freedom: weights (K,), centres (K, p), factors of scale (K, p, p)."""

    weights: np.ndarray
    centres: np.ndarray
    factors: np.ndarray

    def draw(self, count: int, rng: Any) -> np.ndarray:
        """Points (count, p)."""
        p = self.centres.shape[1]
        k = rng.choice(len(self.weights), size=count, p=self.weights)
        z = rng.standard_normal((count, p)) / np.sqrt(rng.chisquare(_DOF, count) / _DOF)[:, None]
        return self.centres[k] + np.matmul(self.factors[k], z[:, :, None])[:, :, 0]

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """Up to a constant, (rows,) at x (rows, p)."""
        p = self.centres.shape[1]
        distance, log_det = _distances(x, self.centres, self.factors)
        each = np.log(self.weights)[:, None] - log_det[:, None] - 0.5 * (_DOF + p) * np.log1p(distance / _DOF)
        top = each.max(0)
        return top + np.log(np.exp(each - top).sum(0))


def _distances(x: np.ndarray, centres: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared Mahalanobis distances (K, rows) and log determinants of the factors (K,)."""
    inverse = np.linalg.inv(factors)
    z = np.matmul(inverse, (x[None] - centres[:, None]).transpose(0, 2, 1))
    return (z * z).sum(1), np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(1)


def fit_mixture(x: np.ndarray, rng: np.random.Generator) -> Mixture:
    """A mixture for points (rows, p): a few steps of expectation and maximisation from random centres."""
    rows, p = x.shape
    middle, whole = x.mean(0), _factor(np.atleast_2d(np.cov(x.T)))
    z = np.linalg.solve(whole, (x - middle).T).T
    K = max(1, min(_COMPONENTS, rows // (10 * p)))
    centres, factors = z[rng.choice(rows, K, replace=False)], np.repeat(0.5 * np.eye(p)[None], K, 0)
    weights = np.full(K, 1 / K)
    for _ in range(_EM):
        distance, log_det = _distances(z, centres, factors)
        each = np.log(weights)[:, None] - log_det[:, None] - 0.5 * distance
        share = np.exp(each - each.max(0))
        share /= share.sum(0)
        total = share.sum(1) + 1e-3
        centres = share @ z / total[:, None]
        away = z[None] - centres[:, None]
        spread = np.matmul((share[:, :, None] * away).transpose(0, 2, 1), away)
        spread += (5 * _RIDGE + _RIDGE * total)[:, None, None] * np.eye(p)
        factors, weights = np.linalg.cholesky(spread / total[:, None, None]), total / total.sum()
    # one wide component, so that nothing is out of reach
    weights = np.append(0.95 * weights, 0.05)
    centres, factors = np.vstack([centres, np.zeros(p)]), np.concatenate([factors, 2 * np.eye(p)[None]])
    return Mixture(weights, middle + centres @ whole.T, np.matmul(whole, factors))


def _factor(covariance: np.ndarray) -> np.ndarray:
    """Cholesky factor (p, p) of a covariance, also of one that is singular to rounding."""
    sd = np.sqrt(np.diag(covariance)) + 1e-9
    scaled = covariance / sd / sd[:, None]
    return sd[:, None] * np.linalg.cholesky(scaled + 1e-9 * np.eye(len(sd)))


def around(centres: np.ndarray, covariances: np.ndarray) -> Mixture:
    """A rough beginning: normals' places (K, p) and shapes (K, p, p), each with two wider ones."""
    factors = np.stack([_factor(one) for one in covariances])
    weights = np.repeat([0.5, 0.3, 0.2], len(centres)) / len(centres)
    return Mixture(weights, np.tile(centres, (3, 1)), np.concatenate([factors, 3 * factors, 8 * factors]))


def peak(density: Density, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A maximum (p,) near a start, and the covariance (p, p) of the normal that is as curved there.

    Newton's steps, halved until they gain, with differences for the derivatives: one call for a whole stencil. Where
    the density is flat, a standard deviation of 1 is taken.
    """
    x = start
    for _ in range(_NEWTON):
        value, slope, curve = _derivatives(density, x)
        lam, V = np.linalg.eigh(-curve)
        lam = np.maximum(np.abs(lam), 1.0)
        step = np.clip(V @ (V.T @ slope / lam), -3, 3)
        trial = x + 0.5 ** np.arange(12)[:, None] * step
        found = density(trial)
        best = int(np.argmax(found))
        if not found[best] > value:
            break
        x = trial[best]
        if found[best] < value + 1e-2:
            break
    lam, V = np.linalg.eigh(-_derivatives(density, x)[2])
    return x, (V / np.maximum(lam, 1.0)) @ V.T


def _derivatives(density: Density, x: np.ndarray, h: float = 1e-4) -> tuple[float, np.ndarray, np.ndarray]:
    """Value, slope (p,) and curvature (p, p) by central differences; 0 where the density ends."""
    p = len(x)
    i, j = np.triu_indices(p)
    e = h * np.eye(p)
    f = density(x + np.concatenate([np.zeros((1, p)), e, -e, e[i] + e[j], -e[i] - e[j]]))
    with np.errstate(all="ignore"):
        up, down, pairs, back = f[1 : p + 1], f[p + 1 : 2 * p + 1], f[2 * p + 1 : 2 * p + 1 + len(i)], f[-len(i) :]
        slope = (up - down) / (2 * h)
        curve = np.empty((p, p))
        second = pairs + back + 2 * f[0] - up[i] - up[j] - down[i] - down[j]
        curve[i, j] = curve[j, i] = second / (2 * h * h)
    return float(f[0]), np.nan_to_num(slope, posinf=0, neginf=0), np.nan_to_num(curve, posinf=0, neginf=0)


def approach(density: Density, start: Mixture, points: int, rng: np.random.Generator) -> tuple[Mixture, np.ndarray]:
    """A mixture near the density and points (rows, p) drawn nearly from it. Raises ValueError if all have none."""
    where = start
    for _ in range(_ROUNDS):
        x = where.draw(points, rng)
        log_w = density(x) - where.log_density(x)
        if not np.isfinite(log_w).any():
            raise ValueError("the prior excludes the neighbourhood of the fit: the two have nothing in common")
        w, power = _weights(log_w, 0.1 * points)
        effective = 1 / (w * w).sum()
        x = x[rng.choice(points, points, p=w)]
        if power == 1 and effective > _EFFECTIVE * points:
            break
        where = fit_mixture(x, rng)
    return where, x


def _weights(log_w: np.ndarray, least: float) -> tuple[np.ndarray, float]:
    """Weights to the largest power up to 1 of which ``least`` are effective."""
    log_w = log_w - log_w.max()
    low, high, power = 0.0, 1.0, 1.0
    for _ in range(20):
        w = np.exp(power * log_w)
        w /= w.sum()
        enough = 1 / (w * w).sum() >= least
        if enough and power == 1:
            break
        low, high = (power, high) if enough else (low, power)
        power = 0.5 * (low + high)
    return w, power


@dataclass(frozen=True)
class Chain:
    """places (steps, walkers, p) of the last round; rhat, tau (p,): of the numbers that were asked about."""

    places: np.ndarray
    rhat: np.ndarray
    tau: np.ndarray

    @property
    def steps(self) -> int:
        return len(self.places)

    @property
    def settled(self) -> bool:
        known = np.isfinite([self.rhat, self.tau]).all()
        return bool(known and self.rhat.max() < RHAT and self.steps >= TIMES * self.tau.max())


def sample(
    density: Density, start: Mixture, numbers: Callable[[np.ndarray], np.ndarray], steps: int, seed: int, *,
    walkers: int = 64, points: int = 3000,
) -> Chain:  # fmt: skip
    """A chain of a log density (rows, p) -> (rows,), from a rough beginning. See the module.

    numbers: what must settle, (rows, p) -> (rows, q). steps: of the longest round, at most. points: of the approach.
    Raises ImportError naming the extra without emcee, ValueError where the density is 0 at all points of the beginning.
    """
    rng = np.random.default_rng(seed)
    where, near = approach(density, start, points, rng)
    places = near[rng.choice(len(near), max(walkers, 2 * near.shape[1] + 2))]
    places = places + 1e-6 * (near.std(0) + 1e-9) * rng.standard_normal(places.shape)  # none twice
    length = min(_FIRST, steps)
    while True:
        chain = _round(density, places, where, length, int(rng.integers(2**31)))
        flat = chain.reshape(-1, chain.shape[2])
        ranked = _ranks(numbers(flat)).reshape(*chain.shape[:2], -1)
        made = Chain(chain, split_rhat(ranked), autocorrelation(ranked))
        if made.settled or length >= steps:
            return made
        places, length = chain[-1], min(2 * length, steps)
        where = fit_mixture(flat[rng.choice(len(flat), min(len(flat), points), replace=False)], rng)


def _round(density: Density, places: np.ndarray, where: Mixture, steps: int, seed: int) -> np.ndarray:
    try:
        import emcee
    except ImportError:
        raise ImportError("a posterior needs emcee, which is not installed: pip install 'lawful[bayes]'") from None

    walkers, p = places.shape
    sampler = emcee.EnsembleSampler(walkers, p, density, vectorize=True, moves=_moves(where))
    state = emcee.State(places, random_state=np.random.RandomState(seed).get_state())
    with np.errstate(all="ignore"):
        sampler.run_mcmc(state, steps)
    return np.asarray(sampler.get_chain())


def _moves(where: Mixture) -> list[tuple[Any, float]]:
    """Moves and their shares. emcee's snooker is not among them: in 3.1.6 it takes a distance for its square, and
    draws of a normal come out a fifth too narrow."""
    import emcee

    def anywhere(now: np.ndarray, random: Any) -> tuple[np.ndarray, np.ndarray]:
        new = where.draw(len(now), random)
        both = where.log_density(np.concatenate([now, new]))
        return new, both[: len(now)] - both[len(now) :]

    return [(emcee.moves.MHMove(anywhere), _JUMPS), (emcee.moves.DEMove(), 1 - _JUMPS)]


def _ranks(x: np.ndarray) -> np.ndarray:
    """Normal scores (rows, q) of the ranks in each column."""
    from scipy.special import ndtri

    rank = np.argsort(np.argsort(x, axis=0, kind="stable"), axis=0)
    return ndtri((rank + 0.625) / (len(x) + 0.25))


def split_rhat(chain: np.ndarray) -> np.ndarray:
    """Split R-hat (p,) of a chain (steps, walkers, p): each walker's halves against each other (Gelman et al. 2013)."""
    half = len(chain) // 2
    parts = np.concatenate([chain[:half], chain[half : 2 * half]], axis=1)
    within = parts.var(0, ddof=1).mean(0)
    between = parts.mean(0).var(0, ddof=1)
    with np.errstate(all="ignore"):
        return np.sqrt((half - 1) / half + between / within)


def autocorrelation(chain: np.ndarray) -> np.ndarray:
    """Integrated autocorrelation times (p,), in steps; nan where a walker never moved."""
    import emcee

    with np.errstate(all="ignore"):
        return emcee.autocorr.integrated_time(chain, tol=0)
