"""Hold out by scale, never at random: what would a law have said of the larger runs, had it seen only the smaller?

    splits = rolling(runs["C"])                       # fit below each origin, predict all that lies beyond
    splits = groups_out(runs["family"], runs["C"])    # fit on the other groups, predict this one
    record, = backtest(load("chinchilla"), [data], [splits])
    record.predicted[splits.held]

A split is a weighting of the points: 1 where they are seen, 0 where they are held out. Splits of many sets of points
are as many problems of one batch, so a thousand groups with five origins each are one call. The batch is cut into
chunks of fixed size, whatever runs them: inside ``joblib.parallel_config(backend=..., n_jobs=...)`` they go to
processes (loky) or to a cluster (dask), with the same result to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.batch import joined, problems_of, with_group
from lawful.fit import Fit, Settings, bind_points
from lawful.law import Law
from lawful.objectives import Objective
from lawful.objectives import objective as find_objective
from lawful.points import Points, as_labels
from lawful.quantities import did_you_mean
from lawful.search import final, find, starts_for
from lawful.solve import BLOCK, Problems, jacobian

SIZES = ("N", "N_act", "N_nonemb", "N_nv", "N_act_nonemb")  # columns of scale, the usual first
DATA = ("D", "S", "step", "H", "examples", "D_f")
AXES = (*SIZES, *DATA, "C", "U", "x", "gpu_hours", "w", "depth", "V")
_ORIGINS = 6  # at most so many origins
_CHUNK = 64  # problems that are solved together; part of the result's definition, not a setting
_SCHEDULE = ((24, 8), (8, 24), (3, 300))  # rows kept and iterations: hundreds of small problems, not one hard one
_RANK = 1e-7  # singular values below this part of the largest are directions without information


@dataclass(frozen=True)
class Splits:
    """Ways to divide n points: seen, held (S, n) masks, distance (S, n) in decades of scale beyond the largest seen.

    names: each split in words. axis: the scale in words.
    """

    seen: np.ndarray
    held: np.ndarray
    distance: np.ndarray
    names: tuple[str, ...]
    axis: str = ""

    def __len__(self) -> int:
        return len(self.names)

    def take(self, index: Sequence[int] | np.ndarray) -> Splits:
        """Some of the splits."""
        i = np.asarray(index, int)
        return Splits(self.seen[i], self.held[i], self.distance[i], tuple(self.names[k] for k in i), self.axis)


@dataclass(frozen=True)
class Record:
    """What a law said in each split of one set of points.

    predicted (S, n): the law fitted on the points seen, at every point; nan where it could not be fitted.
    se (S, n): standard error of the law there if it is right, in the space of the objective (of the log, or the value).
    sigma, dof (S,): residual standard deviation of the fit and its degrees of freedom. theta (S, p): slots.
    parameters: free numbers of the law. log: whether distances are of logs. why_not: reasons, where a split has none.
    """

    law: str
    splits: Splits
    predicted: np.ndarray
    se: np.ndarray
    sigma: np.ndarray
    dof: np.ndarray
    theta: np.ndarray
    parameters: int
    log: bool
    why_not: tuple[str, ...]

    def errors(self, y: np.ndarray) -> np.ndarray:
        """Data minus law (S, n), in the space of the objective."""
        with np.errstate(all="ignore"):
            return np.log(y) - np.log(self.predicted) if self.log else y - self.predicted


def scale_of(runs: Any, axis: str | None = None) -> tuple[str, np.ndarray]:
    """The scale along which points are held out, and its values (n,).

    axis: a column, "6ND", or a product such as "N*step". Default: C where it varies, else size times data where both
    vary (6ND for params and tokens), else the first column of scale that varies.
    Raises ValueError where the table lacks it.
    """
    if axis is None:
        size, data = (next((s for s in some if s in runs and varies(runs[s])), None) for some in (SIZES, DATA))
        other = next((s for s in AXES if s in runs and varies(runs[s])), None)
        both = {("N", "D"): "6ND"}.get((size, data), f"{size}*{data}") if size and data else None
        axis = "C" if "C" in runs and varies(runs["C"]) else both or other
        if axis is None:
            raise ValueError(
                "the table has no column of scale that varies (params, tokens, flops, step or x); name one with axis="
            )
    if axis == "6ND" and axis not in runs:
        return axis, 6 * np.asarray(runs["N"], float) * np.asarray(runs["D"], float)
    if axis not in runs and "*" in axis:
        return axis, np.prod([scale_of(runs, part.strip())[1] for part in axis.split("*")], axis=0)
    if axis not in runs:
        have = list(runs.frame.columns) if hasattr(runs, "frame") else list(runs)
        raise ValueError(f"axis: the table has no column {axis!r}{did_you_mean(axis, have)}")
    return axis, np.asarray(runs[axis], float)


def varies(column: Any) -> bool:
    """Whether a column holds positive numbers that are more than 5 % apart."""
    x = np.asarray(column)
    if x.dtype == object or x.ndim != 1 or x.dtype.kind not in "iuf":
        return False
    x = x[np.isfinite(x)]
    return len(x) > 0 and bool(x.min() > 0 and x.max() > 1.05 * x.min())


def rolling(scale: np.ndarray, axis: str = "scale", *, most: int = _ORIGINS, least: int = 2) -> Splits:
    """Rolling origins: fit on the points below each origin, predict all points from there on.

    scale (n,): any positive column. most: at most so many origins, spread evenly over the distinct scales from a third
    of them on (all of them where there are fewer than eight). least: distinct scales that the first fit must see.
    Raises ValueError for fewer than ``least`` + 1 distinct scales.
    """
    scale = np.asarray(scale, float)
    levels = np.unique(scale[np.isfinite(scale)])
    last = len(levels) - 1
    first = least if last < 8 else max(least, len(levels) // 3)
    if last < first:
        raise ValueError(f"{axis} takes {len(levels)} distinct values; holding out by scale needs {least + 1} or more")
    # the last origin leaves a tenth of the scales, so that its score is not one run's luck
    last = max(first, min(last, len(levels) - max(1, len(levels) // 10)))
    at = sorted(set(np.linspace(first, last, min(most, last - first + 1)).astype(int)))
    origin = levels[at]
    seen = scale[None] < origin[:, None]
    held = scale[None] >= origin[:, None]
    return Splits(seen, held, _beyond(scale, seen), tuple(f"{axis} < {x:.3g}" for x in origin), axis)


def groups_out(labels: Any, scale: np.ndarray | None = None, axis: str = "scale") -> Splits:
    """Leave one group out at a time: fit on the others, predict it. distance: how far it lies beyond the others."""
    codes = as_labels(labels)
    names = list(dict.fromkeys(codes))
    if len(names) < 2:
        raise ValueError(f"leaving groups out needs two or more; all points are {names[0] if names else 'missing'}")
    held = np.stack([codes == name for name in names])
    x = np.ones(len(codes)) if scale is None else np.asarray(scale, float)
    return Splits(~held, held, _beyond(x, ~held), tuple(f"without {name}" for name in names), axis)


def _beyond(scale: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Decades (S, n) by which each point lies beyond the largest one seen; 0 inside."""
    out = np.zeros(seen.shape)
    for k, own in enumerate(seen):
        top = scale[own & (scale > 0)].max(initial=0.0)
        if top > 0:
            out[k] = np.log10(np.maximum(scale, top) / top)
    return out


def backtest(
    law: Law, sets: Sequence[Points], splits: Sequence[Splits], *, objective: str | Objective = "log_lsq",
    settings: Settings | None = None, count: int | None = 64,
) -> list[Record]:  # fmt: skip
    """Fit a law in every split of every set of points, in one batch, and evaluate each fit at all points of its set.

    settings: fixed, tied and bounded parameters, and the seed. count: starts of each problem (None: the search's own).
    A split in which there are fewer points than parameters, or where the law is not finite, has nan and a reason.
    """
    from joblib import Parallel, delayed

    chosen, settings = find_objective(objective), settings or Settings()
    if len(sets) != len(splits):
        raise ValueError(f"backtest: {len(sets)} sets of points but {len(splits)} splits; give one Splits for each set")
    work = [(i, k) for i, s in enumerate(splits) for k in range(len(s))]
    own = any(s.group is not None for s in sets)  # parameters by group: a set's labels are its own
    work.sort(key=lambda ik: (ik[0] if own else 0, int(splits[ik[0]].seen[ik[1]].sum()), ik))
    chunks = _chunks(work, [ik[0] for ik in work] if own else None)
    jobs = ([(sets[i], splits[i].seen[k]) for i, k in chunk] for chunk in chunks)
    done: Any = Parallel()(delayed(_refit)(law, job, chosen, settings, count) for job in jobs)
    answers = {ik: one for chunk, some in zip(chunks, done) for ik, one in zip(chunk, some)}
    return [
        _record(law, splits[i], [answers[i, k] for k in range(len(splits[i]))], chosen.log) for i in range(len(sets))
    ]


def _chunks(work: list[tuple[int, int]], apart: list[int] | None) -> list[list[tuple[int, int]]]:
    """Cut the problems, in order, into chunks of fixed size that never mix what must stay apart."""
    out: list[list[tuple[int, int]]] = []
    for j, ik in enumerate(work):
        if not out or len(out[-1]) >= _CHUNK or (apart is not None and apart[j] != out[-1][0][0]):
            out.append([])
        out[-1].append(ik)
    return out


@dataclass(frozen=True)
class _Answer:
    predicted: np.ndarray
    se: np.ndarray
    sigma: float
    dof: int
    theta: np.ndarray
    why_not: str = ""


def _refit(
    law: Law, job: list[tuple[Points, np.ndarray]], chosen: Objective, settings: Settings, count: int | None
) -> list[_Answer]:
    """Solve one chunk: fit on the points seen (nothing of the others enters, not even a start), then look at all."""
    parts = [data.take(np.flatnonzero(seen)) for data, seen in job]
    sizes = [bind_points(law, data, settings).size if seen.any() else 0 for data, seen in job[:1]]
    ready = [i for i, part in enumerate(parts) if len(part) >= max(sizes[0], 1) and _allowed(part, chosen)]
    answers = [_none(data, len(part), sizes[0]) for (data, _), part in zip(job, parts)]
    if not ready:
        return answers
    try:
        model = bind_points(law, joined([parts[i] for i in ready]), settings)
        problems = problems_of(*[parts[i] for i in ready])
        starts = starts_for(model, problems, chosen, count, settings.seed)
        theta, F, _ = find(model, problems, chosen, starts, _SCHEDULE)
    except (ValueError, FloatingPointError) as problem:
        return [_none(data, len(part), sizes[0], str(problem)) for (data, _), part in zip(job, parts)]
    ended = final(chosen, problems)
    everywhere = problems_of(*[job[i][0] for i in ready])
    f, J = _evaluated(model, theta, everywhere, ended)
    seen = np.stack([_padded(job[i][1], f.shape[1]) for i in ready])
    w = everywhere.W if len(everywhere.W) == len(ready) else np.repeat(everywhere.W, len(ready), 0)
    y = everywhere.y if everywhere.y.ndim == 2 else everywhere.y[None]
    r = ended.residuals(y, f)
    se, sigma, dof = _errors(J, r, w * seen, model.size)
    for row, i in enumerate(ready):
        n = len(job[i][0])
        good = np.isfinite(F[row])
        why = "" if good else "the law is not finite on the points at any start"
        value = f[row, :n] if good else np.full(n, np.nan)
        answers[i] = _Answer(value.copy(), se[row, :n].copy(), float(sigma[row]), int(dof[row]), theta[row].copy(), why)
    return answers


def _allowed(part: Points, chosen: Objective) -> bool:
    return not chosen.log or bool(part.y.min(initial=1.0) > 0)


def _none(data: Points, seen: int, size: int, why: str = "") -> _Answer:
    nothing = np.full(len(data), np.nan)
    why = why or (f"{seen} points for {size} parameters" if seen < size else "values that have no logarithm")
    return _Answer(nothing, nothing, np.nan, seen - size, np.full(size, np.nan), why)


def _padded(mask: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate([mask, np.zeros(length - len(mask), bool)])


def _evaluated(model: Any, theta: np.ndarray, problems: Problems, chosen: Objective) -> tuple[np.ndarray, np.ndarray]:
    """The law (P, n) and its partials by the slots (P, p, n), in the space of the objective."""
    P, n = len(theta), problems.y.shape[-1]
    f, J = np.empty((P, n)), np.empty((P, model.size, n))
    rows = max(1, BLOCK // n)
    with np.errstate(all="ignore"):
        for s in range(0, P, rows):
            part = np.arange(s, min(P, s + rows))
            which = part if problems.count > 1 else np.zeros(len(part), int)
            X, _, _ = problems.points(which, slice(None), model.law.arrays)
            f[part], J[part] = jacobian(model, theta[part], X, (len(part), n), np.arange(model.size))
        if chosen.log:
            J /= f[:, None]
    return f, J


def _errors(J: np.ndarray, r: np.ndarray, w: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard errors (P, n) of the law at all points, sigma (P,) and degrees of freedom (P,) of the fits.

    Directions in which the points seen say nothing are cut off (they move no prediction near the data); a fit without
    degrees of freedom has infinite errors.
    """
    there = w > 0
    dof = there.sum(1) - size
    with np.errstate(all="ignore"):
        rss = np.where(there, w * r * r, 0.0).sum(1)
        sigma = np.where(dof > 0, np.sqrt(rss / np.maximum(dof, 1)), np.nan)
    J = np.where(np.isfinite(J), J, 0.0)
    A = J * np.sqrt(w)[:, None]
    length = np.sqrt((A * A).sum(2))
    length = np.where(length > 0, length, 1.0)
    _, s, V = np.linalg.svd(np.swapaxes(A / length[:, :, None], 1, 2), full_matrices=False)  # (P, n, p)
    keep = s > _RANK * s[:, :1]
    root = np.where(keep, 1 / np.where(keep, s, 1.0), 0.0)[:, :, None] * V / length[:, None]
    se = sigma[:, None] * np.sqrt((np.matmul(root, J) ** 2).sum(1))
    return np.where((dof > 0)[:, None], se, np.inf), sigma, dof


def errors_at(fit: Fit, X: Mapping[str, np.ndarray], group: np.ndarray | None = None) -> np.ndarray:
    """Standard error (m,) of a fit at new points, as `backtest` gives it: in the space of the objective."""
    p = fit.points
    old, new = with_group(p.X, p, p.group), with_group(X, p, group)
    both = {v: np.concatenate([x, new[v]], axis=-1) for v, x in old.items()}
    m = both[next(iter(both))].shape[-1] - len(p)
    problems = Problems(both, np.ones(len(p) + m), np.concatenate([p.w, np.zeros(m)])[None])
    f, J = _evaluated(fit.model, fit.theta[None], problems, fit.objective)
    r = np.concatenate([fit.residuals, np.zeros(m)])[None]
    return _errors(J, r, problems.W, fit.model.size)[0][0, len(p) :]


def _record(law: Law, splits: Splits, answers: list[_Answer], log: bool) -> Record:
    size = max(len(a.theta) for a in answers)
    return Record(
        law.name, splits, np.stack([a.predicted for a in answers]), np.stack([a.se for a in answers]),
        np.array([a.sigma for a in answers]), np.array([a.dof for a in answers]),
        np.stack([a.theta for a in answers]), size, log, tuple(a.why_not for a in answers),
    )  # fmt: skip
