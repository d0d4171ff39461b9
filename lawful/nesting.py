"""Law against law on the same points: is the better fit of one more than noise would give it?

Whether a law contains another is found by evaluating both, not by reading them: B contains A if B can be made to pass
through curves of A, drawn at random, on points that reach a decade beyond the data. What B then has to do without (a
number at its bound, or one that no longer matters) decides which textbook test holds:

* F, where the restriction is an ordinary one (gamma = 1);
* F with its p halved, where one number lies on its bound (E = 0): the chance of the right side is a half
  (Chernoff 1954, Self and Liang 1987);
* none, where numbers lose their meaning under the smaller law (the exponent of a term that is gone; Davies 1977).

The test that always holds, and the one to be read, draws new data from one law as fitted, fits both laws again, and
counts how often the ratio of their objectives is as large as the one seen (Cox's test for laws of which neither
contains the other, Cox 1961, by simulation as Williams 1970 did). For such laws it is made in both directions.
`vuong` asks another question of them: which of two wrong laws is nearer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lawful.bind import Model, bind
from lawful.bootstrap import refit, resample
from lawful.fit import Fit
from lawful.information import log_densities
from lawful.objectives import LOG_LSQ, LSQ
from lawful.quantities import find as find_quantity
from lawful.search import draw, find, starts_for
from lawful.solve import Problems, jacobian, solve
from lawful.spread import overdispersion

_SAME = 1e-5  # relative distance at which two curves are the same
_GONE = 1e-6  # part of the level below which a term, or relative to its scale a slope, is gone
_POINTS, _STARTS = 48, 512  # of the design on which laws are compared
_VUONG = 30  # points from which the normal distribution serves


@dataclass(frozen=True)
class Restriction:
    """How a law contains a smaller one. at_bound, free_of_meaning: names of the larger law's numbers."""

    at_bound: tuple[str, ...]
    free_of_meaning: tuple[str, ...]


@dataclass(frozen=True)
class Against:
    """One law (the null) against another that fits better than it.

    statistic: F of the textbook for a nested pair, 2 ln of the likelihood ratio otherwise (or of the objectives').
    p: share of ``draws`` data sets drawn from the null that give as large a ratio. textbook: p of the F or chi2 test,
    nan where none holds, and why_not.
    """

    null: str
    alternative: str
    nested: bool
    statistic: float
    p: float
    draws: int
    textbook: float = np.nan
    why_not: str = ""


def contains(large: Fit, small: Fit, seed: int = 0) -> Restriction | None:
    """How ``large``'s law contains ``small``'s; None where it does not (or has no more numbers). See the module."""
    if len(large.estimates) < len(small.estimates) or small.points.group is not None:
        return None
    columns = _design(small, large, seed)
    found = None
    for theta in _curves(small, columns, seed):
        found = _through(large, columns, small, theta, seed)
        if found is None:
            return None
    return found


def _design(small: Fit, large: Fit, seed: int) -> dict[str, np.ndarray]:
    """Values of every column that the two laws use: at random, a decade beyond the data; the data's own for arrays."""
    rng = np.random.default_rng(seed)
    both = [(one, v) for one in (small, large) for v in one.law.variables]
    if any(v in one.law.arrays for one, v in both):
        return {_column(one, v): one.points.X[v] for one, v in both}
    out: dict[str, np.ndarray] = {}
    for one, v in both:
        x, name = one.points.X[v], _column(one, v)
        low, high = float(x.min()), float(x.max())
        u = rng.random(_POINTS)
        if name not in out:
            out[name] = np.exp(np.log(low / 10) + u * np.log(100 * high / low)) if low > 0 else low + u * (high - low)
    return out


def _on(fit: Fit, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {v: columns[_column(fit, v)] for v in fit.law.variables}


def _column(fit: Fit, variable: str) -> str:
    """The column of a variable by its symbol: params and N are one column."""
    name = str(fit.points.columns[variable])
    quantity = find_quantity(name)
    return quantity.symbol if quantity is not None else name


def _curves(small: Fit, columns: dict[str, np.ndarray], seed: int) -> list[np.ndarray]:
    """Two draws of the small law that are finite on the design, no term of them gone."""
    drawn = draw(small.model, small.problems, small.objective, 16, seed)
    good = []
    for theta in drawn:
        y = _values(small.model, theta, _on(small, columns))
        if np.isfinite(y).all() and np.abs(y).min() > 0 and np.abs(y).max() < 1e12 * np.abs(y).min():
            good.append(theta)
    return good[:2]


def _values(model: Model, theta: np.ndarray, X: dict[str, np.ndarray]) -> np.ndarray:
    with np.errstate(all="ignore"):
        f = np.asarray(model.evaluate(theta[None], X, derivatives=False))
    return np.broadcast_to(f.reshape(-1, f.shape[-1])[0], next(iter(X.values())).shape[-1:]).copy()


def _through(
    large: Fit, columns: dict[str, np.ndarray], small: Fit, theta: np.ndarray, seed: int
) -> Restriction | None:
    """Fit the large law to one curve of the small one; None where it cannot follow."""
    y, X = _values(small.model, theta, _on(small, columns)), _on(large, columns)
    how = LOG_LSQ if y.min() > 0 else LSQ
    model = bind(large.law, X, fixed=large.settings.fixed, tied=large.settings.tied, bounds=large.settings.bounds)
    problems = Problems(X, y, np.ones((1, len(y))))
    starts = starts_for(model, problems, how, None, seed)[:, :_STARTS]
    found = find(model, problems, how, starts)[0][0]
    f = _values(model, found, X)
    if not np.abs(f - y).max() < _SAME * np.abs(y).min():
        return None
    return _restriction(model, found, X, y, {p.name: p.kind for p in large.law.parameters})


def _restriction(
    model: Model, theta: np.ndarray, X: dict[str, np.ndarray], y: np.ndarray, kinds: dict[str, str]
) -> Restriction:
    level = float(np.median(np.abs(y)))
    natural = model.natural(theta)[0]
    gone = []
    for i, slot in enumerate(model.slots):
        if slot.kind == "above":
            size = np.exp(theta[i]) if slot.centre else natural[i] - slot.lower
            scale = level if slot.centre or kinds[slot.parameter] in ("offset", "amplitude") else 1.0
            if size < 10 * _GONE * scale:
                gone.append(i)
    J = jacobian(model, theta[None], X, (1, len(y)), np.arange(model.size))[1][0]
    left = [i for i in range(model.size) if i not in gone]
    dead = [i for i in left if np.abs(J[i]).max() < 10 * _GONE * level]
    left = [i for i in left if i not in dead]
    if left:  # what is left may still only be known together, as E and B are where beta = 0
        A = J[left] / np.sqrt((J[left] ** 2).sum(1, keepdims=True))
        U, s, _ = np.linalg.svd(A, full_matrices=True)
        s = np.concatenate([s, np.zeros(len(left) - len(s))])
        dead += [i for k, i in enumerate(left) if (np.abs(U[k, s < 1e-7 * s[0]]) > 0.1).any()]
    return Restriction(tuple(model.names[i] for i in gone), tuple(model.names[i] for i in dead))


def against(null: Fit, other: Fit, restriction: Restriction | None, draws: int = 199, seed: int = 0) -> Against:
    """Test ``null`` against ``other``. restriction: how ``other`` contains it (`contains`), or None."""
    names = null.law.name, other.law.name
    embedded = _embedded(null, other)
    seen = _ratio(null, null.F, min(other.F, _at(other, embedded)))
    problems = _drawn(null, draws, seed)
    F = refit(null, problems)[1]
    other_F = np.minimum(refit(replace(other, theta=embedded), _for(other, problems))[1], _warm(other, problems))
    drawn = _ratio(null, F, other_F)
    p = float((1 + (np.nan_to_num(drawn, nan=np.inf) >= seen).sum()) / (1 + draws))
    statistic, textbook, why = seen, np.nan, "neither law contains the other"
    if restriction is not None:
        statistic, textbook, why = _textbook(null, other, restriction, seen)
    return Against(*names, restriction is not None, float(statistic), p, draws, textbook, why)


def _embedded(null: Fit, other: Fit) -> np.ndarray:
    """The slots of ``other`` that come nearest to the fitted curve of ``null``."""
    problems = Problems(other.problems.X, null.fitted, other.problems.W)
    with np.errstate(all="ignore"):
        usable = np.isfinite(null.fitted).all() and (null.fitted.min() > 0 or not other.objective.log)
        if not usable:
            return other.theta
        how = other.objective
        found = find(other.model, problems, how, starts_for(other.model, problems, how, None, other.settings.seed))
    return found[0][0] if np.isfinite(found[1][0]) else other.theta


def _at(fit: Fit, theta: np.ndarray) -> float:
    """The objective that ``fit`` reaches on its own data from another start."""
    return float(solve(fit.model, theta[None], fit.problems, fit.objective, iterations=400).F[0])


def _ratio(fit: Fit, small: np.ndarray | float, large: np.ndarray | float) -> np.ndarray:
    """2 ln likelihood ratio: n ln(F / F') for losses with a spread of their own, 2 (F - F') for binomial deviances."""
    with np.errstate(all="ignore"):
        if fit.objective.binomial:
            return 2 * (np.asarray(small) - large) / overdispersion(fit.sigma, fit.dof)
        return fit.n * np.log(np.asarray(small) / large)


def _drawn(null: Fit, draws: int, seed: int) -> Problems:
    """New data from a fitted law: normal errors (or binomial counts); residuals drawn again where the loss is robust;
    whole runs' residuals with a random sign where points belong to runs (Cameron, Gelbach and Miller 2008)."""
    rng = np.random.default_rng(seed)
    if null.objective.binomial or (null.objective.squares and null.points.cluster is None):
        return resample(null, "parametric", draws, rng)[0]
    r = null.residuals * np.sqrt(null.n / max(null.dof, 1))
    if null.points.cluster is not None:
        codes, code = np.unique(null.points.cluster, return_inverse=True)
        noise = r * rng.choice([-1.0, 1.0], (draws, len(codes)))[:, code]
    else:
        noise = rng.choice(r - np.median(r), (draws, null.n))
    f = null.fitted
    y = f * np.exp(noise) if null.objective.log else f + noise
    return Problems(null.problems.X, y, np.broadcast_to(null.problems.W, (draws, null.n)))


def _for(other: Fit, problems: Problems) -> Problems:
    return Problems(other.problems.X, problems.y, np.broadcast_to(other.problems.W, problems.W.shape))


def _warm(other: Fit, problems: Problems) -> np.ndarray:
    count = problems.count
    rows = np.repeat(other.theta[None], count, 0)
    return solve(other.model, rows, _for(other, problems), other.objective, np.arange(count)).F


def _textbook(null: Fit, other: Fit, how: Restriction, ratio: np.ndarray) -> tuple[float, float, str]:
    """F (or chi2 for counts), its p (halved at a bound), or the reason why there is none."""
    from scipy.special import chdtrc, fdtrc

    d = len(other.estimates) - len(null.estimates)
    gain = float(np.expm1(max(float(ratio), 0.0) / null.n)) * other.dof / d if d and other.dof > 0 else np.nan
    statistic = float(ratio) if null.objective.binomial else gain
    if how.free_of_meaning:
        names = ", ".join(how.free_of_meaning)
        mean = "mean" if len(how.free_of_meaning) > 1 else "means"
        return statistic, np.nan, f"{names} {mean} nothing where {null.law.name} holds"
    if len(how.at_bound) > 1 or (how.at_bound and d > 1):
        return statistic, np.nan, f"{', '.join(how.at_bound)} lie on their bounds together"
    if not d or other.dof <= 0 or not (null.objective.squares or null.objective.binomial):
        return statistic, np.nan, "there is no likelihood to test with"
    if null.points.cluster is not None:
        return statistic, np.nan, "the points are not independent"
    p = float(chdtrc(d, statistic)) if null.objective.binomial else float(fdtrc(d, other.dof, statistic))
    return statistic, (p / 2 if statistic > 0 else 1.0) if how.at_bound else p, ""


@dataclass(frozen=True)
class Vuong:
    """Which of two laws is nearer to the truth: z > 0 for the first; p two-sided; "cannot tell" for few points."""

    z: float
    p: float
    verdict: str = ""


def vuong(one: Fit, two: Fit) -> Vuong:
    """Vuong's (1989) test with Schwarz's correction: z = (LR - (k - k') ln(n) / 2) / (sqrt(n) omega).

    LR is the sum and omega the standard deviation of the points' log likelihood ratios.
    """
    from scipy.special import ndtr

    if not (one.objective.squares or one.objective.binomial) or one.points.cluster is not None:
        return Vuong(np.nan, np.nan, "cannot tell: Vuong's test needs independent points and a likelihood")
    if one.n < _VUONG:
        return Vuong(np.nan, np.nan, f"cannot tell: Vuong's test needs {_VUONG} points; there are {one.n}")
    ratio = log_densities(one) - log_densities(two)
    spread = float(ratio.std())
    if spread < 1e-9:
        return Vuong(0.0, 1.0, "cannot tell: the two laws are the same curve here")
    extra = len(one.estimates) - len(two.estimates)
    z = float((ratio.sum() - 0.5 * extra * np.log(one.n)) / (np.sqrt(one.n) * spread))
    return Vuong(z, float(2 * ndtr(-abs(z))))
