"""Bootstraps: what would the fit have been, had the data come out otherwise?

* pairs: resample the points; * cluster: resample whole runs, for points that are checkpoints of one run;
* wild: keep every point, flip and stretch its residual (Mammen's two-point weights on HC3 residuals), for noise that
  grows or shrinks along the axis;
* parametric: draw new data from the fitted law, normal noise with the residual standard deviation (n - p), or binomial
  counts for accuracies.

All refits are one batched call. Each starts at the fit's optimum; with few points also from fresh starts, and every
optimum found is tried on every resample, since at n = 10 one refit in ten would otherwise stop in the wrong place.
No draw is ever dropped: `Draws` counts those that failed, lost a term or had too few distinct points, and an interval
made from draws that failed is widened, or open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawful.fit import Fit
from lawful.search import starts_for
from lawful.solve import Problems, solve, values
from lawful.spread import overdispersion

METHODS = ("pairs", "cluster", "wild", "parametric")
_FEW = 60  # up to here warm starts alone are not safe
_VERY_FEW = 20  # up to here three fresh starts are not enough either
_CHECKED = 25  # of so many quick refits one is made in full
_WORSE = 1e-3  # relative: a likelihood ratio of n / 1000, far below any interval's threshold
_DONORS = 6  # optima of other problems that a quick refit starts from
_MISSED = 0.05  # share of missed optima that a quick bootstrap may have
_BLOCK = 250  # resamples whose fresh starts are held at once


@dataclass(frozen=True)
class Draws:
    """Refits of resampled data: values (draws, p) by the names of the free numbers, slots theta, objectives F.

    failed: draws whose refit found no finite optimum (rows of nan). degenerate: resamples with no more distinct points
    than parameters, which the law passes through exactly. vanished: draws in which a term of the law is gone.
    """

    method: str
    names: tuple[str, ...]
    theta: np.ndarray
    values: np.ndarray
    F: np.ndarray
    failed: int
    degenerate: int
    vanished: int

    def __len__(self) -> int:
        return len(self.values)

    def column(self, name: str) -> np.ndarray:
        return self.values[:, self.names.index(name)]

    def sentence(self) -> str:
        """What became of the draws, in words."""
        parts = [f"{len(self)} {self.method} draws, all kept"]
        for count, what in (
            (self.failed, "failed to fit"), (self.degenerate, "had no more distinct points than parameters"),
            (self.vanished, "lost a term"),
        ):  # fmt: skip
            if count:
                parts.append(f"{count} {what}")
        return "; ".join(parts) + "."


def bootstrap(
    fit: Fit, method: str = "pairs", draws: int = 1000, seed: int = 0, *, quick: bool = False, student: bool = False
) -> Draws:  # fmt: skip
    """Refit ``draws`` resamples of the fit's points.

    method: pairs, cluster, wild or parametric (see the module). quick: few starts, as long as samples of the draws made
    in full find no better optima; the same draws, many times faster with few points. student: draw the parametric
    noise's own size too, sigma sqrt(dof / chi2), so that intervals are Student's rather than normal.
    Raises ValueError for another name, or for cluster where the points are not grouped into runs.
    """
    if method not in METHODS:
        raise ValueError(f"bootstrap method {method!r} is unknown; allowed: {', '.join(METHODS)}")
    if method == "cluster" and fit.points.cluster is None:
        raise ValueError("the cluster bootstrap needs runs with several points each: read the table with run=COLUMN")
    rng = np.random.default_rng(seed)
    problems, degenerate = resample(fit, method, draws, rng, student)
    theta, F = refit_quickly(fit, problems) if quick else refit(fit, problems)
    failed = ~np.isfinite(F)
    named = fit.model.natural(theta)
    named[failed] = np.nan
    gone = _vanished(fit, theta) & ~failed
    return Draws(method, fit.model.names, theta, named, F, int(failed.sum()), degenerate, int(gone.sum()))


def resample(
    fit: Fit, method: str, draws: int, rng: np.random.Generator, student: bool = False
) -> tuple[Problems, int]:  # fmt: skip
    base, n = fit.problems, fit.n
    if method in ("pairs", "cluster"):
        clusters = fit.points.cluster if method == "cluster" else None
        code = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
        strata = fit.points.group if fit.model.labels and clusters is None else None
        counts = _counts(rng, draws, code, strata)
        degenerate = int(((counts > 0).sum(1) <= len(fit.estimates)).sum())
        return Problems(base.X, base.y, counts * base.W), degenerate
    log = fit.objective.log
    f = fit.fitted
    if method == "parametric" and fit.objective.binomial:
        y = draw_accuracies(fit, np.broadcast_to(np.clip(f, 0, 1), (draws, n)), fit.points.items_or_one, rng)
    elif method == "parametric":
        noise = fit.sigma / np.sqrt(fit.points.w) * rng.standard_normal((draws, n))
        if student and fit.dof > 0:
            noise *= np.sqrt(fit.dof / rng.chisquare(fit.dof, draws))[:, None]
        y = f * np.exp(noise) if log else f + noise
    else:
        noise = fit.residuals / np.maximum(1 - _leverage(fit), 0.05) * _mammen(rng, (draws, n))
        y = f * np.exp(noise) if log else f + noise
    return Problems(base.X, y, np.broadcast_to(base.W, (draws, n))), 0


def _counts(rng: np.random.Generator, draws: int, code: np.ndarray, strata: np.ndarray | None) -> np.ndarray:
    """How often each point (n,) is drawn, (draws, n): whole codes at a time; inside strata, so that none is empty."""
    out = np.zeros((draws, len(code)))
    for rows in [np.arange(len(code))] if strata is None else [np.flatnonzero(strata == s) for s in np.unique(strata)]:
        own = np.unique(code[rows], return_inverse=True)[1]
        groups = int(own.max()) + 1
        drawn = rng.integers(0, groups, (draws, groups)) + groups * np.arange(draws)[:, None]
        counted = np.bincount(drawn.ravel(), minlength=draws * groups).reshape(draws, groups)
        out[:, rows] = counted[:, own]
    return out


def draw_accuracies(fit: Fit, p: np.ndarray, items: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Accuracies on ``items`` questions (n,) at expected accuracies p (draws, n).

    Binomial, or beta-binomial where the fit's residuals scatter more than binomial noise does: the same mean and
    `overdispersion` times the variance, as models differ by more than the sampling of questions.
    """
    extra = overdispersion(fit.sigma, fit.dof)
    if extra == 1:
        return rng.binomial(items.astype(int), p) / items
    rho = np.minimum((extra - 1) / np.maximum(items - 1, 1), 0.999)
    inner = np.clip(p, 1e-9, 1 - 1e-9)
    drawn = rng.beta(inner * (1 - rho) / rho, (1 - inner) * (1 - rho) / rho)
    return rng.binomial(items.astype(int), drawn) / items


def cluster_count(fit: Fit) -> int:
    """How many runs the points are from, where several are of one run; else how many points."""
    return fit.n if fit.points.cluster is None else len(np.unique(fit.points.cluster))


def few_runs(fit: Fit, level: float) -> float:
    """By how much to stretch a cluster bootstrap's interval: with few runs it is too short, with one it says nothing.

    sqrt(G / (G - 1)) t(G - 1) / z below 30 runs; infinite where there are no more runs than parameters.
    """
    from scipy.special import ndtri, stdtrit

    runs = cluster_count(fit)
    if runs <= len(fit.estimates) or runs < 2:
        return np.inf
    tail = 0.5 + level / 2
    return float(np.sqrt(runs / (runs - 1)) * stdtrit(runs - 1, tail) / ndtri(tail)) if runs < 30 else 1.0


def _mammen(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Mammen's (1993) two-point weights: mean 0, variance 1, third moment 1."""
    root = np.sqrt(5)
    low = rng.random(shape) < (root + 1) / (2 * root)
    return np.where(low, (1 - root) / 2, (1 + root) / 2)


def _leverage(fit: Fit) -> np.ndarray:
    """Diagonal of the hat matrix (n,), from a QR of the weighted Jacobian."""
    from lawful.spread import natural_jacobian

    f, J, _, w = natural_jacobian(fit.model, fit.theta, fit.problems)
    if fit.objective.log:
        J = J / f[:, None]
    A = np.nan_to_num(J * np.sqrt(w)[:, None])
    size = np.sqrt((A * A).sum(0))
    U, s, _ = np.linalg.svd(A / np.where(size > 0, size, 1.0), full_matrices=False)
    return (U[:, s > 1e-10 * s[0]] ** 2).sum(1)


def refit(fit: Fit, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    """Fit the law of ``fit`` to many problems (weightings or targets of its points): slots (P, p), objectives (P,)."""
    P = problems.count
    warm = np.repeat(fit.theta[None], P, 0)
    found = solve(fit.model, warm, problems, fit.objective, np.arange(P), damping=1e-4, kappa=0.1)
    theta, F = found.theta, found.F
    if fit.n > _FEW:
        lost = np.flatnonzero(~np.isfinite(F))
        if len(lost):
            again = solve(fit.model, warm[lost], problems, fit.objective, lost, damping=1.0)
            theta[lost], F[lost] = again.theta, again.F
        return theta, F
    for s in range(0, P, _BLOCK):
        _fresh(fit, problems, np.arange(s, min(P, s + _BLOCK)), theta, F)
    if problems.y.ndim == 1:
        _donate(fit, problems, theta, F)
    return theta, F


def refit_quickly(fit: Fit, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    """`refit` with few starts: the fit's optimum and, of the optima of every 25th problem made in full, the best six.

    Everything is made in full where a second such sample of problems finds that better optima were missed.
    """
    if fit.n > _FEW:
        return refit(fit, problems)
    P = problems.count
    first, second = (np.arange(i % P, P, _CHECKED) for i in (0, _CHECKED // 2))
    donors = refit(fit, _part(problems, first))[0]
    starts = np.concatenate(
        [np.repeat(fit.theta[None, None], P, 0), _best_donors(fit, problems, donors, _DONORS)], axis=1
    )
    keep, p = starts.shape[1:]
    which = np.repeat(np.arange(P), keep)
    found = solve(fit.model, starts.reshape(-1, p), problems, fit.objective, which, damping=1e-4, kappa=0.1)
    F = found.F.reshape(P, keep)
    best = (np.arange(P), F.argmin(1))
    theta, F = found.theta.reshape(P, keep, p)[best], F[best]
    full = refit(fit, _part(problems, second))[1]
    missed = ~(F[second] <= full * (1 + _WORSE) + 1e-300)
    return (theta, F) if np.isfinite(F).all() and missed.mean() <= _MISSED else refit(fit, problems)


def _part(problems: Problems, rows: np.ndarray) -> Problems:
    return Problems(problems.X, problems.y if problems.y.ndim == 1 else problems.y[rows], problems.W[rows])


def _best_donors(fit: Fit, problems: Problems, donors: np.ndarray, keep: int) -> np.ndarray:
    """Of donors (d, p), the ``keep`` at which each problem's objective is lowest: (P, keep, p)."""
    P, d = problems.count, len(donors)
    out = []
    for s in range(0, P, _BLOCK):
        rows = np.arange(s, min(P, s + _BLOCK))
        tiled = np.tile(donors, (len(rows), 1))
        score = values(fit.model, tiled, problems, np.repeat(rows, d), fit.objective).reshape(len(rows), d)
        out.append(donors[np.argsort(score, axis=1)[:, :keep]])
    return np.concatenate(out)


def _fresh(fit: Fit, problems: Problems, rows: np.ndarray, theta: np.ndarray, F: np.ndarray) -> None:
    """Try the best three or twelve of fresh starts on each of some problems; keep what is better."""
    own = problems.y if problems.y.ndim == 1 else problems.y[rows]
    part = Problems(problems.X, own, problems.W[rows])
    few = fit.n <= _VERY_FEW
    nodes = starts_for(fit.model, part, fit.objective, 256 if few else 64, fit.settings.seed)
    K, p = nodes.shape[1:]
    rank = values(fit.model, nodes.reshape(-1, p), part, np.repeat(np.arange(len(rows)), K), fit.objective)
    best = np.argsort(rank.reshape(len(rows), K), axis=1)[:, : 12 if few else 3]
    starts = np.take_along_axis(nodes, best[:, :, None], 1)
    keep = best.shape[1]
    found = solve(fit.model, starts.reshape(-1, p), part, fit.objective, np.repeat(np.arange(len(rows)), keep))
    G = found.F.reshape(len(rows), keep)
    first = G.argmin(1)
    better = G[np.arange(len(rows)), first] < F[rows]
    theta[rows[better]] = found.theta.reshape(len(rows), keep, p)[np.arange(len(rows)), first][better]
    F[rows[better]] = G[np.arange(len(rows)), first][better]


def _donate(fit: Fit, problems: Problems, theta: np.ndarray, F: np.ndarray) -> None:
    """Score every optimum on every resample; where another's is better than the own, start from it."""
    good = np.flatnonzero(np.isfinite(F))
    donors = theta[good[:: max(1, len(good) // 400)]]
    X, y, _ = problems.points(np.zeros(len(donors), int), slice(None), fit.law.arrays)
    with np.errstate(all="ignore"):
        f = np.broadcast_to(np.asarray(fit.model.evaluate(donors, X, derivatives=False)), (len(donors), fit.n))
        rho = fit.objective.terms(y, f, np.ones((len(donors), 1)))[0]
    scores = np.where(np.isfinite(rho), rho, 1e30) @ problems.W.T
    best = scores.argmin(0)
    rows = np.flatnonzero(scores[best, np.arange(len(F))] < F * (1 - 1e-9))
    if not len(rows):
        return
    found = solve(fit.model, donors[best[rows]], problems, fit.objective, rows, damping=1e-4)
    better = found.F < F[rows]
    theta[rows[better]], F[rows[better]] = found.theta[better], found.F[better]


def _vanished(fit: Fit, theta: np.ndarray) -> np.ndarray:
    """Rows in which a term, at the middle of the data, is below a millionth of the level."""
    level = np.log(1e-6 * float(np.median(np.abs(fit.points.y))))
    kinds = {p.name: p.kind for p in fit.law.parameters}
    gone = np.zeros(len(theta), bool)
    for i, slot in enumerate(fit.model.slots):
        if slot.centre or (kinds[slot.parameter] == "offset" and slot.kind == "above" and slot.lower == 0):
            gone |= theta[:, i] < level
    return gone
