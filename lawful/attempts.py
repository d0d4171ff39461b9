"""More samples at test time: how often a right answer is found, and how often it is chosen.

One number says how good a model is at one sample; how much more samples buy depends on how unequal the problems are.
Here the chance p of one sample being right varies over problems as a Beta(a, b): then the mean pass@k has the long
tail that is measured (Brown et al. 2024), although each single problem fails exponentially in k. From the same two
numbers follow, by counting:

* coverage: some sample is right, and a perfect verifier sees it (repeated sampling);
* vote: the most frequent answer, where wrong answers agree with a chance (Chen et al. 2024 is the case of two levels);
* best_of: a verifier accepts right answers with one probability and wrong ones with another, a random accepted one is
  taken;
* tree: search step by step, a verifier keeping a right step among ``width`` samples of each: perfect, so a bound.

Two points of a curve determine (a, b); counts per problem determine them with an interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

_NODES = 240


@dataclass(frozen=True)
class Problems:
    """How the chance of one sample being right varies over problems: Beta(a, b). draws (2, draws) of a, b, if any."""

    a: float
    b: float
    draws: np.ndarray | None = None
    source: str = ""

    @property
    def accuracy(self) -> float:
        """Mean over problems of one sample being right."""
        return self.a / (self.a + self.b)


def from_points(first: float, k: float, coverage: float, source: str = "") -> Problems:
    """Problems with the accuracy ``first`` of one sample and the given coverage of k samples (two published points).

    Raises ValueError for shares outside (0, 1), or a coverage that no Beta has: above independent equal problems'.
    """
    most = 1 - (1 - first) ** k if 0 < first < 1 else 0.0
    if not (0 < first < 1 and k > 1 and first < coverage < most):
        raise ValueError(
            f"attempts: one sample is right in {first:.4g}, {k:g} samples cover {coverage:.4g}; the second must lie "
            f"between the first and {most:.4g}, the coverage of problems that are all equally hard"
        )

    low, high = log(1e-6), log(1e8)  # of a + b: the larger, the more alike the problems and the higher the coverage
    for _ in range(80):
        middle = 0.5 * (low + high)
        s = float(np.exp(middle))
        low, high = (low, middle) if covered(k, first * s, (1 - first) * s) >= coverage else (middle, high)
    s = float(np.exp(high))
    return Problems(first * s, (1 - first) * s, None, source or f"{first:.4g} at 1 and {coverage:.4g} at {k:g} samples")


def from_counts(
    correct: Sequence[int] | np.ndarray, draws: int | Sequence[int] | np.ndarray, *, resamples: int = 200, seed: int = 0
) -> Problems:
    """Problems by maximum likelihood (beta-binomial) from how many of ``draws`` samples were right on each problem.

    Draws of (a, b) come from problems resampled with replacement. Raises ValueError for fewer than 8 problems, counts
    that cannot be, or fewer than two samples per problem (one sample says nothing of how unequal problems are).
    """
    c = np.asarray(correct, float)
    n = np.broadcast_to(np.asarray(draws, float), c.shape)
    if c.ndim != 1 or len(c) < 8 or np.any(c < 0) or np.any(c > n) or np.max(n, initial=0) < 2:
        raise ValueError(
            f"attempts: {c.size} problems with counts {c[:4].tolist()}... of {np.max(n, initial=0):g} samples; needs "
            "at least 8 problems, 0 <= correct <= draws, and two samples or more"
        )
    if c.sum() in (0, n.sum()):
        raise ValueError(
            f"attempts: {int(c.sum())} of {int(n.sum())} samples were right: nothing can be told from that"
        )
    pairs, weight = np.unique(np.stack([c, n]), axis=1, return_counts=True)
    rng = np.random.default_rng(seed)
    again = rng.multinomial(len(c), weight / len(c), size=resamples)
    at = _fit_beta(pairs[0], pairs[1], weight[None].astype(float), np.array([[0.0, 0.0]]))
    drawn = _fit_beta(pairs[0], pairs[1], again.astype(float), np.repeat(at, resamples, axis=0))
    ok = (again @ pairs[0] > 0) & (again @ (pairs[1] - pairs[0]) > 0)
    drawn[~ok] = np.nan
    a, b = np.exp(at[0])
    return Problems(float(a), float(b), np.exp(drawn.T), f"{len(c)} problems, up to {int(n.max())} samples each")


def _fit_beta(c: np.ndarray, n: np.ndarray, W: np.ndarray, x: np.ndarray) -> np.ndarray:
    """log (a, b) (m, 2) that maximise the weighted beta-binomial likelihoods, by damped Newton, all rows at once."""
    from scipy.special import digamma, gammaln, polygamma

    def parts(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        a, b = np.exp(x[:, :1]), np.exp(x[:, 1:])
        f = gammaln(c + a) + gammaln(n - c + b) - gammaln(n + a + b) - gammaln(a) - gammaln(b) + gammaln(a + b)
        both = digamma(a + b) - digamma(n + a + b)
        ga, gb = digamma(c + a) - digamma(a) + both, digamma(n - c + b) - digamma(b) + both
        cross = polygamma(1, a + b) - polygamma(1, n + a + b)
        haa = polygamma(1, c + a) - polygamma(1, a) + cross
        hbb = polygamma(1, n - c + b) - polygamma(1, b) + cross
        g = np.stack([(W * ga).sum(1) * a[:, 0], (W * gb).sum(1) * b[:, 0]], 1)
        H = np.empty((len(x), 2, 2))
        H[:, 0, 0] = (W * haa).sum(1) * a[:, 0] ** 2 + g[:, 0]
        H[:, 1, 1] = (W * hbb).sum(1) * b[:, 0] ** 2 + g[:, 1]
        H[:, 0, 1] = H[:, 1, 0] = (W * cross).sum(1) * a[:, 0] * b[:, 0]
        return (W * f).sum(1), g, H

    x, damp = x.copy(), np.full(len(x), 1e-3)
    value, g, H = parts(x)
    for _ in range(60):
        scale = np.abs(H[:, 0, 0]) + np.abs(H[:, 1, 1]) + 1e-9
        step = np.linalg.solve(-H + (damp * scale)[:, None, None] * np.eye(2), g[..., None])[..., 0]
        trial = np.clip(x + np.clip(step, -1.5, 1.5), -12, 12)
        new, g1, H1 = parts(trial)
        up = new >= value - 1e-12
        x[up], value[up], g[up], H[up] = trial[up], new[up], g1[up], H1[up]
        damp = np.where(up, damp / 4, damp * 8)
        if np.all(np.abs(g) < 1e-7 * (1 + np.abs(value))[:, None]):
            break
    return x


def covered(k: Any, a: Any, b: Any) -> Any:
    """Mean over problems of at least one of k samples being right: 1 - B(a, b + k) / B(a, b)."""
    from scipy.special import gammaln

    return -np.expm1(gammaln(b + k) - gammaln(a + b + k) - gammaln(b) + gammaln(a + b))


def needed(coverage: float, a: float, b: float) -> float:
    """Samples at which the coverage is reached, a real number; inf beyond 1e15."""
    if covered(1.0, a, b) >= coverage:
        return 1.0
    low, high = 0.0, np.log(1e15)
    if covered(np.exp(high), a, b) < coverage:
        return np.inf
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if covered(np.exp(middle), a, b) >= coverage else (middle, high)
    return float(np.exp(high))


def best_of(k: Any, a: float, b: float, accepts_right: float, accepts_wrong: float) -> Any:
    """Chance that a random accepted sample of k is right; where none is accepted, any sample.

    Given p: r = p s, w = (1 - p) f; r / (r + w) times the chance that any is accepted, plus the rest at p' (the chance
    of a sample being right given that it was not accepted).
    """
    p, weight = _beta_nodes(a, b)
    r, w = p * accepts_right, (1 - p) * accepts_wrong
    none = (1 - r - w)[:, None] ** np.atleast_1d(np.asarray(k, float))
    with np.errstate(all="ignore"):
        chosen = np.where(r + w > 0, r / (r + w), 0.0)[:, None]
        left = np.where(r + w < 1, (p - r) / (1 - r - w), 0.0)[:, None]
    return np.squeeze(weight @ (chosen * (1 - none) + left * none))


def vote(k: Any, a: float, b: float, agree: float = 1.0) -> Any:
    """Chance that the right answer is the most frequent of k; ties go by coin.

    agree: chance that a wrong sample gives the one strongest wrong answer (1: there are two answers only). Other wrong
    answers are taken never to win.
    """
    from scipy.special import betainc, gammaln

    p, weight = _beta_nodes(a, b)
    counts = np.atleast_1d(np.asarray(k, float)).round().astype(int)
    counting = p + (1 - p) * agree  # a sample that votes for one of the two
    half = np.maximum(np.arange(1, counts.max() + 2, 2) // 2, 0) + 1.0  # m votes, odd m; an even m is worth one less
    odd = betainc(half, half, (p / np.maximum(counting, 1e-300))[:, None])
    win = np.concatenate([np.zeros((len(p), 1)), np.repeat(odd, 2, axis=1)], axis=1)
    yes, no = np.log(np.maximum(counting, 1e-300))[:, None], np.log(np.maximum(1 - counting, 1e-300))[:, None]
    out = []
    for count in counts:
        m = np.arange(count + 1)
        logs = gammaln(count + 1) - gammaln(m + 1) - gammaln(count - m + 1) + m * yes + (count - m) * no
        out.append(weight @ np.sum(np.exp(logs) * win[:, : count + 1], axis=1))
    return np.squeeze(np.array(out))


def tree(width: Any, a: float, b: float, steps: int) -> Any:
    """Chance of a right answer by search in ``steps`` equal steps, the best of ``width`` samples kept at each.

    A sample is right throughout with p, so each of its steps with p^(1/steps); the step's verifier is perfect. It costs
    as much as ``width`` whole samples. A bound on every real tree search.
    """
    p, weight = _beta_nodes(a, b)
    miss = -np.expm1(np.log(np.maximum(p, 1e-300)) / steps)[:, None]  # 1 - p^(1/steps)
    return np.squeeze(weight @ (1 - miss ** np.atleast_1d(np.asarray(width, float))) ** steps)


def _beta_nodes(a: float, b: float) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights of the Beta(a, b): midpoints in its quantiles, finer towards both ends."""
    from scipy.special import betaincinv

    z = 0.5 * (1 + np.tanh(np.linspace(-5, 5, _NODES + 1)))
    z[0], z[-1] = 0.0, 1.0
    middle = 0.5 * (z[1:] + z[:-1])
    return np.asarray(betaincinv(a, b, middle)), np.diff(z)
