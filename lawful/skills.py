"""Scores of large models from small ones and from other families: skills instead of one curve per benchmark.

Two procedures, each with an interval for a model that nobody has scored yet:

* `observational` (Ruan et al. 2024): principal components of benchmark scores are the capabilities of a model. They
  are linear in log compute within a family, and a sigmoid of them gives any other score.
* `skills` (Maia Polo et al. 2024, "sloth"): all benchmarks at once. A few skills grow with parameters and tokens in
  the same way for every family, families differ in where they begin.

Scores are fractions. Intervals are for one new model: its own scatter is in them, not only that of the mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.bootstrap import bootstrap
from lawful.fit import Fit, fit
from lawful.quantities import did_you_mean
from lawful.uncertainty import Interval, percentiles

_FEWEST = 5  # models with smaller siblings that the intervals of skills need

# Observational scaling


@dataclass(frozen=True)
class Capabilities:
    """Principal components of scores. benchmarks: b names. mean (b,). loadings (k, b): orthonormal rows, most scores
    rise along each. scores (n, k): of the models. explained (k,): shares of the variance. imputed: cells filled in.
    """

    benchmarks: tuple[str, ...]
    mean: np.ndarray
    loadings: np.ndarray
    scores: np.ndarray
    explained: np.ndarray
    imputed: int

    def of(self, runs: Any) -> np.ndarray:
        """Capabilities (m, k) of other models by the same loadings; a missing score is filled in from the first."""
        x = columns(runs, self.benchmarks) - self.mean
        first, known = self.loadings[0], np.isfinite(x)
        along = (np.where(known, x, 0.0) @ first) / np.maximum((known * first**2).sum(1), 1e-12)
        return np.where(known, x, along[:, None] * first) @ self.loadings.T


def capabilities(runs: Any, benchmarks: Sequence[str], components: int = 3) -> Capabilities:
    """The principal components of the scores in the columns ``benchmarks``, centred but not rescaled.

    A missing score is filled in from the first component, again and again until it no longer moves.
    Raises ValueError where a model has no score, or there are fewer models or benchmarks than ``components``.
    """
    x = columns(runs, benchmarks)
    known = np.isfinite(x)
    if not known.any(1).all():
        raise ValueError(f"benchmarks: row {np.flatnonzero(~known.any(1))[0]} has none of {', '.join(benchmarks)}")
    if not 1 <= components <= min(x.shape[1], x.shape[0] - 1):
        raise ValueError(f"components is {components}; {x.shape[0]} models and {x.shape[1]} benchmarks are given")
    filled = np.where(known, x, np.nanmean(x, 0))
    for _ in range(500):
        mean = filled.mean(0)
        U, s, V = np.linalg.svd(filled - mean, full_matrices=False)
        again = np.where(known, x, mean + s[0] * np.outer(U[:, 0], V[0]))
        moved, filled = np.abs(again - filled).max(), again
        if moved < 1e-10:
            break
    V = V[:components] * np.where(V[:components].sum(1) < 0, -1.0, 1.0)[:, None]
    explained = s[:components] ** 2 / (s**2).sum()
    return Capabilities(tuple(benchmarks), mean, V, (filled - mean) @ V.T, explained, int((~known).sum()))


@dataclass(frozen=True)
class Observational:
    """capabilities: of the models used. score: the sigmoid of them; sample (draws, k + 2): its beta, alpha and h over
    resampled families; scatter: its residuals in units of `spread`. The models behind the lines of each family:
    points (k, n), their log_flops (n,) relative to 1e21, and family_of (n,), a place in families.
    """

    capabilities: Capabilities
    score: Fit
    sample: np.ndarray
    scatter: np.ndarray
    families: tuple[str, ...]
    family_of: np.ndarray
    log_flops: np.ndarray
    points: np.ndarray
    shared_slope: bool
    level: float
    seed: int


def observational(
    runs: Any, target: str, benchmarks: Sequence[str], *, components: int = 3, floor: float | None = None,
    family: str = "family", flops: str = "flops", shared_slope: bool = True, level: float = 0.9, draws: int = 200,
    seed: int = 0,
) -> Observational:  # fmt: skip
    """Fit the observational scaling law of ``target`` (a column of fractions that is none of ``benchmarks``).

    floor: the score at no capability (default: free between 0 and 0.2, as in the paper's code).
    shared_slope: one slope in log compute for all families, each with its own intercept; the paper fits every family
    alone, for which three sizes of it are hardly enough. Rows without target serve the components and the lines;
    rows without flops serve all but the lines. The score's sampling error is that of resampled families; the loadings
    are held. Raises ValueError for unknown columns or too few models.
    """
    if target in benchmarks:
        raise ValueError(f"target {target!r} is among the benchmarks, so it would predict itself; leave it out there")
    found = capabilities(runs, benchmarks, components)
    names = np.asarray(runs[family]).astype(str)
    y, C = column(runs, target), column(runs, flops)
    known = np.isfinite(y)
    score, sample = _sigmoid(found.scores[known], y[known], names[known], floor, draws, seed)
    # a fit makes its own residuals smaller than those of new models
    scatter = score.residuals / spread(score.fitted) * np.sqrt(score.n / max(score.dof, 1))
    lined = np.isfinite(C) & (C > 0)
    labels, code, counts = np.unique(names[lined], return_inverse=True, return_counts=True)
    if not shared_slope:  # a slope of its own takes two sizes, and one more to say how sure it is
        keep = counts[code] >= 3
        lined[np.flatnonzero(lined)[~keep]] = False
        labels, code = np.unique(names[lined], return_inverse=True)
    return Observational(
        found, score, sample, scatter, tuple(map(str, labels)), code, np.log10(C[lined] / 1e21),
        found.scores[lined].T, shared_slope, level, seed,
    )  # fmt: skip


def _sigmoid(
    S: np.ndarray, y: np.ndarray, names: np.ndarray, floor: float | None, draws: int, seed: int
) -> tuple[Fit, np.ndarray]:
    """The law `ruan_downstream` of capabilities S (n, k), and its coefficients over resampled families."""
    from lawful.runs import read

    shares = {f"S{i}": s for i, s in enumerate(S.T)}
    table = read({**shares, "score": y, "family_name": names}, run="family_name", target="score")
    fixed = {} if floor is None else {"h": floor}
    made = fit(
        "ruan_downstream", table, target="score", variables={"capability": list(shares)}, objective="lsq",
        fixed=fixed, seed=seed, count=256,
    )  # fmt: skip
    assert isinstance(made, Fit)  # no groups were asked for
    with np.errstate(divide="ignore"):  # a task that most models score 0 on has no level to take the log of
        again = bootstrap(made, "cluster" if made.points.cluster is not None else "pairs", draws, seed)
    rows = again.values if floor is None else np.column_stack([again.values, np.full(draws, floor)])
    return made, rows


def score_from_benchmarks(found: Observational, runs: Any) -> list[Interval]:
    """The target's score of models whose benchmarks are known, one interval for each row.

    Beyond the capabilities of the models fitted the interval takes it for granted that the sigmoid goes on.
    """
    S = found.capabilities.of(runs)
    return _score_intervals(found, S, np.broadcast_to(S, (len(found.sample), *S.shape)))


def score_at_flops(found: Observational, family: str, flops: float) -> Interval:
    """The target's score of a model of that family trained with ``flops`` FLOP, none of whose scores are known.

    Raises ValueError for a family without a line.
    """
    middle, moved = capability_at(found, family, flops)
    return _score_intervals(found, middle[None], moved[:, None])[0]


def capability_at(found: Observational, family: str, flops: float) -> tuple[np.ndarray, np.ndarray]:
    """Capabilities (k,) of a model of the family at ``flops`` FLOP, and draws (draws, k) for one new model.

    Least squares of the law `ruan_capability`, Student's t; components are drawn together as their residuals are
    correlated. Raises ValueError for a family without a line.
    """
    if family not in found.families:
        raise ValueError(
            f"family: no line for {family!r}{did_you_mean(family, list(found.families))}; there is one for "
            f"{', '.join(found.families)}"
        )
    here, x = found.family_of == found.families.index(family), np.log10(flops / 1e21)
    if found.shared_slope:
        intercepts, at = (
            np.eye(len(found.families))[found.family_of],
            np.eye(len(found.families))[found.family_of[here]],
        )
        A, row, Y = np.column_stack([found.log_flops, intercepts]), np.append(x, at[0]), found.points.T
    else:
        A, Y = np.column_stack([found.log_flops, np.ones(len(here))])[here], found.points.T[here]
        row = np.array([x, 1.0])
    coefficients = np.linalg.lstsq(A, Y, rcond=None)[0]
    residuals, dof = Y - A @ coefficients, len(A) - A.shape[1]
    leverage = float(row @ np.linalg.pinv(A.T @ A) @ row)
    covariance = residuals.T @ residuals / max(dof, 1) * (1 + leverage)
    rng = np.random.default_rng(found.seed + 1)
    z = rng.multivariate_normal(np.zeros(len(covariance)), covariance, len(found.sample), method="svd")
    heavy = np.sqrt(max(dof, 1) / rng.chisquare(max(dof, 1), (len(z), 1)))
    return row @ coefficients, row @ coefficients + z * heavy


def _score_intervals(found: Observational, S: np.ndarray, moved: np.ndarray) -> list[Interval]:
    """Intervals from capabilities S (m, k) and their draws (draws, m, k): each draw its own sigmoid and scatter."""
    from scipy.special import expit

    rng = np.random.default_rng(found.seed + 99)
    beta, alpha, h = found.sample[:, None, :-2], found.sample[:, -2:-1], found.sample[:, -1:]
    mean = h + (1 - h) * expit((beta * moved).sum(-1) + alpha)
    noisy = np.clip(mean + rng.choice(found.scatter, mean.shape) * spread(mean), 0, 1)
    middle = found.score.at_points({"capability": S.T})
    return [new_model(noisy[:, i], m, found.level, "cluster") for i, m in enumerate(middle)]


# Skills of several benchmarks at once


@dataclass(frozen=True)
class Skills:
    """Scores floor + (1 - floor) sigmoid(loadings @ skill + ease), skill = intercept of the family + slopes @ x with
    x = (log10 N/1e9, log10 D/1e12, their product).

    loadings (b, d), ease (b,), intercepts (families, d), slopes (d, 3), floors (b,). Skills may be rotated into each
    other: only scores have a meaning. without (m, p): for each model with smaller siblings the fit without it and all
    as large or larger, flat; missed (m, b): what that fit said wrongly of it, in units of `spread`.
    sizes (families,): different sizes fitted.
    """

    benchmarks: tuple[str, ...]
    families: tuple[str, ...]
    loadings: np.ndarray
    ease: np.ndarray
    intercepts: np.ndarray
    slopes: np.ndarray
    floors: np.ndarray
    without: np.ndarray
    missed: np.ndarray
    sizes: np.ndarray
    level: float


def skills(
    runs: Any, benchmarks: Sequence[str], *, dimension: int = 2, floors: Mapping[str, float] | None = None,
    family: str = "family", params: str = "params", tokens: str = "tokens", delta: float = 0.01, level: float = 0.9,
) -> Skills:  # fmt: skip
    """Fit ``dimension`` skills to all benchmarks jointly (Huber loss of the score, threshold ``delta``, as in sloth).

    floors: the score at no skill of each benchmark (default: the lowest seen). Rows without size, tokens or any score
    are left out; other missing scores are only not fitted. The fit is repeated without each model, and those of its
    family that are as large or larger, where smaller ones remain: by how much it then misses is what intervals are
    made of, since a new model is mostly the next larger one.
    Raises ValueError where scores are fewer than the parameters, or fewer than five models have smaller siblings.
    """
    y, N, D = columns(runs, benchmarks), column(runs, params), column(runs, tokens)
    kept = np.isfinite(N) & np.isfinite(D) & np.isfinite(y).any(1)
    labels, code = np.unique(np.asarray(runs[family]).astype(str)[kept], return_inverse=True)
    y, x = y[kept], _sizes(N[kept], D[kept])
    low = np.array([(floors or {}).get(b, np.nanmin(y[:, i])) for i, b in enumerate(benchmarks)])
    shape = (len(benchmarks), len(labels), dimension)
    size, p = np.isfinite(y).sum(), dimension * (len(benchmarks) + len(labels) + 3 - dimension) + len(benchmarks)
    if not 1 <= dimension <= len(benchmarks) or size <= p:
        raise ValueError(f"dimension is {dimension}: {p} free numbers for {size} scores, {len(benchmarks)} benchmarks")
    theta = _solve_skills(_first_guess(y, code, x, low, shape), y, code, x, low, shape, delta)
    without, missed = [], []
    for i in range(len(y)):
        rest = (code != code[i]) | (x[:, 0] < x[i, 0])
        if not (rest & (code == code[i])).any():
            continue
        without.append(_solve_skills(theta, y[rest], code[rest], x[rest], low, shape, delta))
        mean = _scores(without[-1], code[[i]], x[[i]], low, shape)[0]
        missed.append((y[i] - mean) / spread(mean))
    if len(missed) < _FEWEST:
        raise ValueError(f"{family}: {len(missed)} models have smaller siblings; intervals need {_FEWEST}")
    loadings, ease, intercepts, slopes = _parts(theta, shape)
    return Skills(
        tuple(benchmarks), tuple(map(str, labels)), loadings, ease, intercepts, slopes, low, np.array(without),
        np.array(missed), np.array([len(np.unique(x[code == f, 0])) for f in range(len(labels))]), level,
    )  # fmt: skip


def scores_at(found: Skills, family: str, params: float, tokens: float) -> dict[str, Interval]:
    """Every benchmark's score of a new model of a known family: {benchmark: interval}.

    What the fits without a model and its larger siblings say, each with its miss added (the jackknife+ of Barber et
    al. 2021 in the direction of growth).
    Raises ValueError for a family that was not among the runs.
    """
    if family not in found.families:
        raise ValueError(
            f"family: {family!r} was not among the runs{did_you_mean(family, list(found.families))}; "
            f"there were {', '.join(found.families)}"
        )
    shape = (len(found.benchmarks), len(found.families), found.slopes.shape[0])
    code, x = np.array([found.families.index(family)]), _sizes(np.array([params]), np.array([tokens]))
    theta = np.concatenate([part.ravel() for part in (found.loadings, found.ease, found.intercepts, found.slopes)])
    middle = _scores(theta, code, x, found.floors, shape)[0]
    mean = np.array([_scores(t, code, x, found.floors, shape)[0] for t in found.without])
    sample = np.clip(mean + found.missed * spread(mean), 0, 1)
    known = np.isfinite(found.missed)
    few = "cannot tell: one size of the family does not say how it grows" if found.sizes[code[0]] < 2 else ""
    rows = ((b, new_model(sample[known[:, i], i], middle[i], found.level, "rolling origin", few))
            for i, b in enumerate(found.benchmarks))  # fmt: skip
    return dict(rows)


def _sizes(N: np.ndarray, D: np.ndarray) -> np.ndarray:
    s, t = np.log10(N / 1e9), np.log10(D / 1e12)
    return np.stack([s, t, s * t], axis=1)


def _parts(theta: np.ndarray, shape: tuple[int, int, int]) -> tuple[np.ndarray, ...]:
    """loadings (b, d), ease (b,), intercepts (f, d), slopes (d, 3) of a flat vector."""
    b, f, d = shape
    parts = np.split(theta, np.cumsum([b * d, b, f * d]))
    return parts[0].reshape(b, d), parts[1], parts[2].reshape(f, d), parts[3].reshape(d, 3)


def _scores(
    theta: np.ndarray, code: np.ndarray, x: np.ndarray, low: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    from scipy.special import expit

    loadings, ease, intercepts, slopes = _parts(theta, shape)
    return low + (1 - low) * expit((intercepts[code] + x @ slopes.T) @ loadings.T + ease)


def _first_guess(
    y: np.ndarray, code: np.ndarray, x: np.ndarray, low: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """Logits of each benchmark regressed on families and sizes; then the best coefficients of rank d (an SVD)."""
    b, f, d = shape
    q = np.clip((y - low) / (1 - low), 0.01, 0.99)
    logits = np.log(q / (1 - q))
    ease = np.nanmean(logits, 0)
    design = np.column_stack([np.eye(f)[code], x])
    ridge = 0.1 * np.eye(f + 3)  # a benchmark that no model of a family has leaves its coefficient at 0
    found = np.empty((f + 3, b))
    for j in range(b):
        known = np.isfinite(logits[:, j])
        A, r = design[known], logits[known, j] - ease[j]
        found[:, j] = np.linalg.solve(A.T @ A + ridge, A.T @ r)
    U, s, V = np.linalg.svd(found, full_matrices=False)
    left, right = U[:, :d] * np.sqrt(s[:d]), V[:d].T * np.sqrt(s[:d])
    return np.concatenate([right.ravel(), ease, left[:f].ravel(), left[f:].T.ravel()])


def _solve_skills(
    start: np.ndarray, y: np.ndarray, code: np.ndarray, x: np.ndarray, low: np.ndarray,
    shape: tuple[int, int, int], delta: float,
) -> np.ndarray:  # fmt: skip
    """Joint Huber fit. A weak pull to the start settles rotations and scales, which the scores leave open."""
    from scipy.optimize import least_squares

    known, ridge = np.isfinite(y), 1e-4

    def residuals(theta: np.ndarray) -> np.ndarray:
        return np.append((_scores(theta, code, x, low, shape) - y)[known], ridge * (theta - start))

    def slopes(theta: np.ndarray) -> np.ndarray:
        return np.vstack([_jacobian(theta, code, x, low, shape)[known], ridge * np.eye(len(theta))])

    options: Any = {"jac": slopes, "loss": "huber", "f_scale": delta, "max_nfev": 60, "ftol": 1e-7, "xtol": 1e-7}
    return least_squares(residuals, start, **options).x


def _jacobian(
    theta: np.ndarray, code: np.ndarray, x: np.ndarray, low: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """Slopes (n, b, parameters) of the scores."""
    b, f, d = shape
    loadings, _, intercepts, slopes = _parts(theta, shape)
    q = (_scores(theta, code, x, low, shape) - low) / (1 - low)
    rate = (1 - low) * q * (1 - q)
    skill = intercepts[code] + x @ slopes.T
    by_loading = np.einsum("nd,jb->njbd", skill, np.eye(b)).reshape(len(x), b, b * d)
    by_ease = np.broadcast_to(np.eye(b), (len(x), b, b))
    by_family = np.einsum("nf,jd->njfd", np.eye(f)[code], loadings).reshape(len(x), b, f * d)
    by_slope = np.einsum("jd,nx->njdx", loadings, x).reshape(len(x), b, d * 3)
    return rate[:, :, None] * np.concatenate([by_loading, by_ease, by_family, by_slope], axis=2)


def column(runs: Any, name: str) -> np.ndarray:
    """A column of numbers, missing ones as nan."""
    try:
        column = runs[name]
    except KeyError:
        raise ValueError(f"the table has no column {name!r}{did_you_mean(name, list(runs))}") from None
    return np.array([np.nan if v is None else v for v in column], float)


def columns(runs: Any, names: Sequence[str]) -> np.ndarray:
    return np.column_stack([column(runs, name) for name in names])


def spread(score: np.ndarray) -> np.ndarray:
    """How much scores scatter at a level: as a binomial's, but never less than at 0.01 or 0.99."""
    return np.sqrt(np.maximum(score * (1 - score), 0.01))


def new_model(sample: np.ndarray, estimate: float, level: float, method: str, verdict: str = "") -> Interval:
    lower, upper, open_end = percentiles(sample, level, float(estimate))
    verdict = "cannot tell: too many draws failed" if open_end else verdict
    return Interval(float(estimate), lower, upper, level, method, verdict)
