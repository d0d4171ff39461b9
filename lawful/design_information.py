r"""What a run would tell: the moments of a decision and of all runs that could be made, and how each run changes them.

One factor G holds what is known. Its columns are the candidate runs (their log loss) and the decision's number q; the
covariance of any two is the product of their columns. A law with weight w, information M on its slots and slopes
J (p, m) at the candidates gives the rows sqrt(w) M^{-1/2} J, and where several laws fit nearly as well each adds a row
sqrt(w) (f - mean f), so that the candidates on which laws disagree are informative too::

    Var q  -  Cov(q, x)^2 / (Var x + sigma^2)          after one run at x, with noise sigma

is c-optimal design (Elfving 1952; Atkinson, Donev and Tobias 2007, chapter 10) written for several laws at once, and
G after the run is G less a matrix of rank one (Potter's square root, in Bierman 1977, section II.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lawful.decisions import Decision, log_law, number_of
from lawful.fit import Fit
from lawful.solve import jacobian

_VAGUE = 3.0  # what is taken as known of a slot beforehand: a log to within a factor of e^3, one standard deviation
_LAW = 0.05  # laws with less weight than this are left aside


@dataclass(frozen=True)
class Outlook:
    """G (r, m) of candidates, its column of the decision (r,), its expectation, noise (m,) as a standard deviation.

    dof: of the noise's estimate. laws: name -> weight of the laws that take part.
    """

    G: np.ndarray
    q: np.ndarray
    expected: float
    noise: np.ndarray
    dof: int
    laws: tuple[tuple[str, float], ...]

    @property
    def spread(self) -> float:
        """Standard deviation of the decision's number."""
        return float(np.sqrt(self.q @ self.q))

    @property
    def below_zero(self) -> float:
        """Probability that the decision's number is negative: that the first of two recipes has the lower loss."""
        from scipy.special import stdtr

        return float(stdtr(max(self.dof, 1), -self.expected / max(self.spread, 1e-300)))

    def after(self, chosen: Sequence[int]) -> Outlook:
        """What will be known when these candidates have been run."""
        G, q = self.G.copy(), self.q.copy()
        for i in chosen:
            g = G[:, i].copy()
            size = g @ g
            if size > 0:
                total = size + self.noise[i] ** 2
                shrink = (1 - self.noise[i] / np.sqrt(total)) / size
                G -= shrink * np.outer(g, g @ G)
                q -= shrink * g * (g @ q)
        return Outlook(G, q, self.expected, self.noise, self.dof + len(chosen), self.laws)

    def gains(self) -> np.ndarray:
        """By how much each candidate alone would lower the variance of the decision's number (m,)."""
        return (self.q @ self.G) ** 2 / ((self.G**2).sum(0) + self.noise**2)

    def surprise(self) -> np.ndarray:
        """Each candidate's gain in log-determinant of the information, log(1 + Var x / sigma^2): D-optimal design."""
        return np.log1p((self.G**2).sum(0) / self.noise**2)

    def half_width(self, level: float) -> float:
        """Half the interval of the decision's number."""
        from scipy.special import stdtrit

        return float(stdtrit(max(self.dof, 1), 0.5 + level / 2)) * self.spread


def outlook(
    fits: Sequence[Fit], decision: Decision, N: np.ndarray, D: np.ndarray, sigma: float | None = None
) -> Outlook:
    """What fits of one table say of a decision and of candidate runs at N, D (m,).

    The first law has half of the weight, and all share the other half by `weights_of`: on few runs AICc alone would
    drop a constant that nobody doubts.
    sigma: the noise of one run, in log loss (default: as each fit estimates it).
    """
    shares = 0.5 * weights_of(fits)
    shares[0] += 0.5
    taking = [(f, w) for f, w in zip(fits, shares) if w > 0]
    means, rows, columns, noise = [], [], [], 0.0
    for fit, w in taking:
        value, slopes = log_law(fit, N, D)
        number, slope = number_of(fit, decision)
        noise += w * (sigma if sigma is not None else _log_noise(fit)) ** 2
        root = np.sqrt(w) * root_covariance(fit)
        rows.append(root @ slopes)
        columns.append(root @ slope)
        means.append(np.append(value, number))
    between, centre = _between(np.array(means), np.array([w for _, w in taking]))
    G = np.vstack([*rows, between[:, :-1]])
    q = np.concatenate([*columns, between[:, -1]])
    laws = tuple((name_of(f), float(w)) for f, w in taking)
    return Outlook(G, q, float(centre[-1]), np.full(len(N), np.sqrt(noise)), taking[0][0].dof, laws)


def _between(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows sqrt(w) (f - mean f) and the mean, from values (laws, m)."""
    centre = weights @ values
    return np.sqrt(weights)[:, None] * (values - centre), centre


def paired(a: Outlook, b: Outlook, of_b: np.ndarray) -> Outlook:
    """Two recipes' outlooks on the same candidates as one; the decision's number is a's less b's.

    of_b (m,): which candidates are runs of b; a run of one recipe tells nothing of the other.
    """
    G = np.vstack([a.G * ~of_b, b.G * of_b])
    noise = np.where(of_b, b.noise, a.noise)
    laws = tuple(dict.fromkeys((*a.laws, *b.laws)))
    return Outlook(G, np.concatenate([a.q, -b.q]), a.expected - b.expected, noise, min(a.dof, b.dof), laws)


def root_covariance(fit: Fit) -> np.ndarray:
    """R (p, p) with R'R the covariance of the slots: from the slopes at the points, and a vague prior.

    The prior bounds what the runs do not determine, so that a run which determines it is worth a finite amount.
    """
    f, J, w = _slopes_at_points(fit)
    sigma = fit.sigma if np.isfinite(fit.sigma) and fit.sigma > 0 else 1.0
    A = np.vstack([J * np.sqrt(w)[:, None] / sigma, np.diag(1 / _vague(fit))])
    _, s, Vt = np.linalg.svd(A, full_matrices=False)
    return Vt / s[:, None]


def _slopes_at_points(fit: Fit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The law (n,), its slopes by slots (n, p) in the space of the objective, and the weights (n,)."""
    X, _, w = fit.problems.points(np.zeros(1, int), slice(None), fit.law.arrays)
    with np.errstate(all="ignore"):
        f, J = jacobian(fit.model, fit.theta[None], X, (1, fit.n), np.arange(fit.model.size))
    J = J[0] / f[0] if fit.objective.log else J[0]
    return f[0], np.nan_to_num(J.T), np.atleast_2d(w)[0]


def _vague(fit: Fit) -> np.ndarray:
    """Prior standard deviation of each slot (p,): e^3 for logs and logits, the level of the data for free ones."""
    level = float(np.median(np.abs(fit.points.y)))
    return np.array(
        [max(abs(t), level, 1.0) if s.kind == "free" else _VAGUE for s, t in zip(fit.model.slots, fit.theta)]
    )


def _log_noise(fit: Fit) -> float:
    """Standard deviation of one usual run about the law, relative to its loss."""
    typical = fit.sigma / np.sqrt(np.median(fit.points.w))
    return typical if fit.objective.log else typical / float(np.median(np.abs(fit.points.y)))


def weights_of(fits: Sequence[Fit]) -> np.ndarray:
    """Akaike weights (k,) of fits of the same points by AICc; 0 below 0.05 of the total, the rest adding to 1.

    n log(RSS / n) + 2 K + 2 K (K + 1) / (n - K - 1) with K = p + 1 (Burnham and Anderson 2002, sections 2.4 and 2.9).
    Raises ValueError for fits of different points, whose RSS cannot be compared.
    """
    if len(fits) == 1:
        return np.ones(1)
    first = fits[0]
    for other in fits[1:]:
        if other.n != first.n or not np.array_equal(other.points.y, first.points.y):
            raise ValueError(
                f"laws are weighed on the same runs, but {first.law.name} was fitted to {first.n} points and "
                f"{other.law.name} to {other.n} others: fit both to one table"
            )
    score = np.array([aicc(f) for f in fits])
    w = np.exp(-0.5 * (score - score.min())) if np.isfinite(score).any() else np.ones(len(fits))
    w = np.where(w / w.sum() < _LAW, 0.0, w)
    return w / w.sum()


def aicc(fit: Fit) -> float:
    n, K = fit.n, len(fit.estimates) + 1
    r = np.log(fit.points.y / fit.fitted)  # all in logs, whatever each fit minimised
    rss = float((fit.points.w * r**2).sum())
    return n * np.log(max(rss, 1e-300) / n) + 2 * K + 2 * K * (K + 1) / (n - K - 1) if n > K + 1 else np.inf


def name_of(fit: Fit) -> str:
    """The law, and what was fixed of it."""
    fixed = ", ".join(f"{k} = {v:g}" for k, v in fit.settings.fixed.items() if np.ndim(v) == 0)
    return f"{fit.law.name} ({fixed})" if fixed else fit.law.name
