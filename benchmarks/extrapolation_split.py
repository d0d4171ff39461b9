"""Hold out by scale: the lower part of a group's scale is fitted, the rest predicted.

The cut is at 60 % of the range of the scale in decades (so that a curve of checkpoints that are equally far apart is
predicted by a factor of several, too), moved up until at least five points at four distinct scales lie below it and
down until one lies above. Scales within 1 % are one level. Long groups are thinned to the same number of rows, evenly
along the scale, on both sides of the cut; more groups than asked for are sampled by seed. Both are stated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from extrapolation_tables import Table

import lawful

SHARE = 0.6  # of the decades of scale
_POINTS, _LEVELS = 5, 4  # fitted at least
_ROWS, _ALL = 60, 480  # rows of a group, and of all groups, on each side


@dataclass(frozen=True)
class Task:
    """What one call of lawful gets, and what it is judged on: groups in the column ``series``.

    train: runs to fit. test: runs to predict, without the outcome. y (m,): the outcomes of test. series (m,): group of
    each. distance (m,): decades beyond the largest scale fitted in its group. before, level: scale and outcome of the
    fitted rows by group, for the naive forecasts. lost: groups that could not be held out, with the reason.
    """

    name: str
    set: str
    target: str
    axis: str
    train: lawful.Runs
    test: lawful.Runs
    y: np.ndarray
    series: np.ndarray
    scale: np.ndarray
    distance: np.ndarray
    before: dict[str, np.ndarray]
    level: dict[str, np.ndarray]
    lost: dict[str, str]
    notes: tuple[str, ...]
    published: dict

    @property
    def groups(self) -> list[str]:
        return list(self.before)


def levels(scale: np.ndarray) -> np.ndarray:
    """The number of each point's level (n,): scales within 1 % of a neighbour are one."""
    order = np.argsort(scale, kind="stable")
    with np.errstate(all="ignore"):
        steps = np.diff(np.log(scale[order])) > 0.01
    out = np.empty(len(scale), int)
    out[order] = np.concatenate([[0], np.cumsum(steps)]) if len(scale) else []
    return out


def cut(scale: np.ndarray, share: float = SHARE) -> np.ndarray:
    """Which points are fitted (n,), by the rule of this module; ValueError with the reason where there is no cut."""
    if not len(scale) or scale.min() <= 0:
        raise ValueError("the scale is not positive")
    level = levels(scale)
    last = int(level.max())
    if last < _LEVELS or len(scale) <= _POINTS:
        raise ValueError(f"{len(scale)} rows at {last + 1} distinct scales are too few to hold any out")
    edge = np.log(scale.min()) + share * np.log(scale.max() / scale.min())
    top = int(level[np.log(scale) <= edge + 1e-9].max())
    while top < last and (top + 1 < _LEVELS or (level <= top).sum() < _POINTS):
        top += 1
    if top >= last:
        top = last - 1
    return level <= top


def thin(scale: np.ndarray, rows: int) -> np.ndarray:
    """Positions of at most so many rows, evenly along the logarithm of the scale and over rows that share one."""
    n = len(scale)
    if n <= rows:
        return np.arange(n)
    order = np.argsort(scale, kind="stable")
    where = np.log(scale[order])
    if len(np.unique(levels(scale))) < rows:  # a grid
        return np.sort(order[np.linspace(0, n - 1, rows).round().astype(int)])
    wanted = np.linspace(where[0], where[-1], rows)
    near = np.unique(np.abs(where[None] - wanted[:, None]).argmin(1))
    return np.sort(order[near])


def split(table: Table, most: int = 12, seed: int = 0) -> Task:
    """The `Task` of a table; ValueError where no group can be held out. most: groups at most, sampled by seed."""
    runs, declared = table.runs, table.declared
    labels, y = runs.frame["series"].to_numpy().astype(str), runs[table.target]
    usable = np.isfinite(table.scale) & (table.scale > 0) & np.isfinite(y)
    kept: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    lost: dict[str, str] = {}
    rows = declared.rows or max(_ROWS, _ALL // len(set(labels)))
    for label in dict.fromkeys(labels):
        index = np.flatnonzero((labels == label) & usable)
        try:
            kept[label] = _halves(table, index, rows)
        except ValueError as problem:
            lost[label] = str(problem)
    if not kept:
        raise ValueError(f"no group can be held out by scale: {next(iter(lost.values()))}")
    notes = list(table.notes)
    if len(kept) > most:
        chosen = np.random.default_rng(seed).choice(len(kept), most, replace=False)
        notes.append(f"{most} of {len(kept)} groups, sampled")
        kept = {k: v for i, (k, v) in enumerate(kept.items()) if i in chosen}
    seen, later = (np.concatenate([h[i] for h in kept.values()]) for i in (0, 1))
    far = np.concatenate([np.log10(table.scale[b] / table.scale[a].max()) for a, b in kept.values()])
    test = runs.take(later)
    test = replace(test, frame=test.frame.drop(table.target), target=None)
    return Task(
        table.name, declared.set, table.target, table.axis, _without_marks(runs.take(seen)), _without_marks(test),
        y[later], labels[later], table.scale[later], np.maximum(far, 0.0),
        {k: table.scale[a] for k, (a, _) in kept.items()}, {k: y[a] for k, (a, _) in kept.items()},
        lost, tuple(notes), dict(declared.published),
    )  # fmt: skip


def _halves(table: Table, index: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    if table.seen is None:
        first = cut(table.scale[index])
    else:
        first = table.seen[index]
        if first.sum() < _POINTS or first.all():
            raise ValueError(f"{int(first.sum())} rows to fit and {int((~first).sum())} to predict are too few")
    below, above = index[first], index[~first]
    return below[thin(table.scale[below], rows)], above[thin(table.scale[above], rows)]


def _without_marks(runs: lawful.Runs) -> lawful.Runs:
    dropped = [c for c in ("seen_rows", "scale_rows") if c in runs.frame.columns]
    return replace(runs, frame=runs.frame.drop(dropped)) if dropped else runs
