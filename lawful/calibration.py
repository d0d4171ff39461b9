"""How far to trust an interval: what rolling origins on these runs, and on the runs of others, say about its errors.

A law's own interval holds if the law is right. Here the error of a forecast of one new run is

    error = s (kappa se z + sigma e)

with the standard error se at that place (what the law claims, which grows with the distance as the spread between laws
that share a forecast does; where lawful chose the laws also a share of the change that they promise, see `doubt`), the
noise sigma e of one run, and s for what few degrees of freedom say of both. kappa says how many times farther off the
forecast is than that. Each rolling origin of these runs measures it: the mean error of the runs held out, in which
their noise averages out, against the se there. Few origins say little, so kappa has a prior: how it came out on
published sets of the same kind. The noise e is Student's t with the degrees of freedom that the residuals speak for.
The library holds facts about sets (how large kappa was), never their data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lawful.company import axis_of, known_columns, mean_record, members_of
from lawful.doubt import doubted, is_chosen, nearest, rows_of
from lawful.fit import Fit
from lawful.origins import Splits, backtest, rolling
from lawful.quantities import find_part
from lawful.search import kronecker

KINDS = ("curve", "surface", "checkpoints", "fraction")
_GRID = np.linspace(np.log(0.2), np.log(30.0), 81)  # of log kappa
_TEMPER = 0.5  # what one origin counts for: the runs held out at one are among those at the next
_PARTIAL = 0.2  # the same where these very origins chose the law: they judge it too kindly
_NEAR = 0.02  # decades that are no distance
_WIDE = (np.log(1.3), 0.7)  # mean and sd of log kappa where there is no library
_SHRINK = 2.0  # sets that the library as a whole counts for in a kind's own prior
_LEAST = 0.4  # least sd of log kappa between sets
_TAILS = (3.0, 5.0, 10.0, 1e6)  # degrees of freedom that the noise may have
_DRAWS = 4096
_LIBRARY = Path(__file__).with_name("backtests.json")


@dataclass(frozen=True)
class Evidence:
    """Rolling-origin errors of a fit on its own runs, in the space of the objective.

    kind: of curve, see `KINDS`. error, se, noise, dof (K,): at each origin the mean error of the runs held out, the
    standard error that the law claimed there, the noise of that mean, and the degrees of freedom.
    reach (K,): how far beyond the runs seen they lay on average, in decades; decades: the farthest of all.
    axis: the scale in words. levels: how many distinct scales the runs have. chosen: whether lawful chose the law.
    """

    kind: str
    error: np.ndarray
    se: np.ndarray
    noise: np.ndarray
    dof: np.ndarray
    reach: np.ndarray
    decades: float
    levels: int
    axis: str
    chosen: bool = False

    def __len__(self) -> int:
        return len(self.error)


@dataclass(frozen=True)
class Library:
    """kappa on public sets: a row per table and kind, with its set and kappa.

    kappa is in units of the doubted claim (see `doubt`), kappa_law, where a row has it, of what the law claims itself.
    """

    rows: tuple[Mapping[str, Any], ...]

    def without(self, *sets: str) -> Library:
        """The library without some sets."""
        return Library(tuple(r for r in self.rows if r["set"] not in sets))

    @property
    def sets(self) -> int:
        return len({r["set"] for r in self.rows})

    def prior(self, kind: str, chosen: bool = True) -> tuple[float, float]:
        """Mean and standard deviation of log kappa between sets of a kind, drawn towards those of all kinds.

        chosen: whether lawful chose the law, whose claim is then doubted, or somebody named it.
        """
        if self.sets < 3:
            return _WIDE
        common, own = (_by_set(some, chosen) for some in (self.rows, [r for r in self.rows if r["kind"] == kind]))
        n = len(own)
        mean = (_SHRINK * common.mean() + own.sum()) / (_SHRINK + n)
        square = (_SHRINK * common.var() + ((own - mean) ** 2).sum()) / (_SHRINK + n)
        return float(mean), float(max(np.sqrt(square), _LEAST))


def _by_set(rows: Sequence[Mapping[str, Any]], chosen: bool) -> np.ndarray:
    """Mean log kappa of each set."""
    found: dict[str, list[float]] = {}
    for r in rows:
        found.setdefault(r["set"], []).append(np.log(r["kappa"] if chosen else r.get("kappa_law", r["kappa"])))
    return np.array([np.mean(some) for some in found.values()])


@dataclass(frozen=True)
class Calibration:
    """What a forecast's interval rests on.

    posterior: weight of each log kappa of the grid. kappa: its geometric mean. missed: the same from the own origins
    alone (nan without any). words: all that in words.
    """

    posterior: np.ndarray
    kappa: float
    missed: float
    origins: int
    decades: float
    kind: str
    words: str


_left_out: ContextVar[tuple[str, ...]] = ContextVar("left_out", default=())


@contextmanager
def leave_out(*sets: str) -> Iterator[None]:
    """Within it, forecasts are calibrated without the library's rows of these sets: to judge a set by the others."""
    token = _left_out.set((*_left_out.get(), *sets))
    try:
        yield
    finally:
        _left_out.reset(token)


@cache
def _shipped() -> Library:
    return Library(tuple(json.loads(_LIBRARY.read_text(encoding="utf-8"))["rows"]))


def library() -> Library:
    """The library that comes with the package, without the sets left out (see `leave_out`)."""
    return _shipped().without(*_left_out.get())


def evidence(fits: Sequence[Fit]) -> list[Evidence]:
    """Rolling-origin errors of some fits on their own runs; each law refitted in one batch, and kept with the fit."""
    new = [fit for fit in fits if "_evidence" not in fit.__dict__]
    for fit, one in zip(new, _examined(new) if new else []):
        fit.__dict__["_evidence"] = one
    return [fit.__dict__["_evidence"] for fit in fits]


def _examined(fits: Sequence[Fit]) -> list[Evidence]:
    scales = [axis_of(fit) for fit in fits]
    splits = [_splits(axis, x) for axis, x in scales]
    batches: dict[str, list[tuple[int, float, Fit]]] = {}
    for i, fit in enumerate(fits):
        for weight, one in members_of(fit) if splits[i] is not None else []:
            s = one.settings
            same = (one.law.name, one.law.module, one.objective, s.fixed, s.tied, s.bounds, s.shared, s.seed)
            batches.setdefault(repr(same), []).append((i, weight, one))
    records: dict[int, list[Any]] = {}
    for jobs in batches.values():
        first = jobs[0][2]
        made = backtest(first.law, [one.points for _, _, one in jobs], [splits[i] for i, _, _ in jobs],  # type: ignore
                        objective=first.objective, settings=first.settings)  # fmt: skip
        for (i, weight, _), record in zip(jobs, made):
            records.setdefault(i, []).append((weight, record))
    return [_judged(fit, *scales[i], splits[i], records.get(i)) for i, fit in enumerate(fits)]


def _splits(axis: str, scale: np.ndarray) -> Splits | None:
    try:
        good = len(scale) > 0 and np.isfinite(scale).all() and scale.min() > 0
        return rolling(scale, axis) if good else None
    except ValueError:
        return None


def _judged(fit: Fit, axis: str, scale: np.ndarray, splits: Splits | None, records: list[Any] | None) -> Evidence:
    kind, none = kind_of(fit, axis), np.array([])
    if splits is None or not records:
        return Evidence(kind, none, none, none, none, none, 0.0, distinct(scale), axis, is_chosen(fit))
    average = mean_record(records, np.sqrt(fit.points.w))
    with np.errstate(all="ignore"):
        y = np.log(fit.points.y) if fit.objective.log else fit.points.y
    columns = known_columns([one for _, one in members_of(fit)]) | rows_of(fit, fit.points.X)
    found, far = [], 0.0
    for k in range(len(splits)):
        h = splits.held[k] & np.isfinite(average.value[k]) & np.isfinite(average.se[k])
        if not h.any() or not average.dof[k, h].min() > 0:
            continue
        e, sigma = (y - average.value[k])[h], float(np.sqrt(np.mean(average.noise[k, h] ** 2)))
        runs = int(h.sum()) if fit.points.cluster is None else len(np.unique(fit.points.cluster[h]))
        seen = splits.seen[k]
        like = np.flatnonzero(seen)[nearest(*({c: x[own] for c, x in columns.items()} for own in (seen, h)))]
        change = average.value[k, h] - average.value[k, like]
        se = doubted(average.se[k, h], change, splits.distance[k, h], kind) if is_chosen(fit) else average.se[k, h]
        reach = splits.distance[k, h].mean()
        found.append((e.mean(), se.mean(), sigma / np.sqrt(runs), average.dof[k, h].min(), reach))
        far = max(far, float(splits.distance[k, h].max()))
    error, se, noise, dof, reach = np.array(found).reshape(-1, 5).T
    return Evidence(kind, error, se, noise, dof, reach, far, distinct(scale), axis, is_chosen(fit))


def distinct(scale: np.ndarray) -> int:
    """How many scales there are, those within one per cent being one."""
    x = np.sort(scale[np.isfinite(scale) & (scale > 0)])
    return int(1 + (np.diff(np.log(x)) > 0.01).sum()) if len(x) else 0


def kind_of(fit: Fit, axis: str) -> str:
    """Which part of the library speaks of a fit: of fractions, of checkpoints, of surfaces or of curves."""
    quantity = find_part(fit.points.target)
    if quantity is not None and quantity.kind == "fraction":
        return "fraction"
    if fit.points.cluster is not None or axis.split("*")[-1] in ("step", "S"):
        return "checkpoints"
    return "surface" if len(fit.law.variables) > 1 else "curve"


def likelihood(error: np.ndarray, se: np.ndarray, noise: np.ndarray, dof: np.ndarray) -> np.ndarray:
    """Log likelihood (grid, K) of log kappa by mean errors (K,): Student's t with variance kappa^2 se^2 + noise^2."""
    variance = np.exp(2 * _GRID)[:, None] * se**2 + noise**2 + 1e-24
    return -0.5 * np.log(variance) - (dof + 1) / 2 * np.log1p(error**2 / variance / dof)


def calibrate(found: Evidence, shelf: Library, decades: float = 0.0) -> Calibration:
    """Weigh kappa by the own origins and the library, for a forecast that many decades beyond the runs.

    An origin that reached less far counts for less, in proportion: what holds over a tenth of a decade says little of
    a whole one.
    """
    mean, sd = shelf.prior(found.kind, found.chosen)
    weight = (_PARTIAL if found.chosen else _TEMPER) * np.minimum(1.0, (found.reach + _NEAR) / (decades + _NEAR))
    own = (weight * likelihood(found.error, found.se, found.noise, found.dof)).sum(1)
    posterior = _normalised(own - 0.5 * ((_GRID - mean) / sd) ** 2)
    missed = float(np.exp(_normalised(own) @ _GRID)) if len(found) else np.nan
    said = f"{len(found)} rolling origins of these runs, up to {found.decades:.2g} decades beyond those seen"
    lent = f"{shelf.sets} public sets" if shelf.rows else "no library"
    words = f"{said}, and {lent}" if len(found) else f"{lent} alone: too few scales to hold any of these runs out"
    words += "" if found.chosen else "; the law was named, so that a break of its form is not allowed for"
    kappa = float(np.exp(posterior @ _GRID))
    return Calibration(posterior, kappa, missed, len(found), found.decades, found.kind, words)


def kappa_of(error: np.ndarray, se: np.ndarray, noise: np.ndarray, dof: np.ndarray) -> float:
    """kappa of one table from the mean errors (G,) of its groups, which share a bias and count as sqrt(G) groups.

    Drawn weakly (a factor of e) towards 1.3, so that no table is beyond all bounds.
    """
    own = likelihood(error, se, noise, dof).sum(1) / np.sqrt(len(error))
    return float(np.exp(_normalised(own - 0.5 * (_GRID - _WIDE[0]) ** 2) @ _GRID))


def _normalised(log: np.ndarray) -> np.ndarray:
    w = np.exp(log - log.max())
    return w / w.sum()


def half_widths(
    found: Calibration, se: np.ndarray, noise: np.ndarray, dof: np.ndarray, level: float, residuals: np.ndarray
) -> np.ndarray:
    """Half the interval (m,) that holds an error with standard error se and noise (m,), dof (m,) of both.

    residuals: standardised, of the fit; they say how heavy the noise's tails are. The distribution of the error has no
    formula; its quantile is taken over 4096 low-discrepancy draws, the same at every level.
    """
    from scipy.special import chdtri, ndtri, stdtrit

    u = np.clip(kronecker(_DRAWS, 5, 0), 1e-6, 1 - 1e-6)
    kappa = np.exp(np.interp(u[:, 0], np.cumsum(found.posterior) - found.posterior / 2, _GRID))
    shape, size = tails(residuals)
    which = np.minimum(np.searchsorted(np.cumsum(shape), u[:, 1]), len(_TAILS) - 1)
    e = size[which] * stdtrit(np.array(_TAILS)[which], u[:, 2])
    z = kappa * ndtri(u[:, 3])
    out = np.full(len(se), np.inf)
    for d in np.unique(dof[np.isfinite(se) & np.isfinite(noise) & (dof > 0)]):
        s = np.sqrt(d / chdtri(d, u[:, 4]))
        here = np.flatnonzero((dof == d) & np.isfinite(se) & np.isfinite(noise))
        drawn = np.abs((s * z)[:, None] * se[here] + (s * e)[:, None] * noise[here])
        out[here] = np.quantile(drawn, level, axis=0)
    return out


def tails(residuals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of each degree of freedom in the noise, given standardised residuals, and the size of each."""
    r = residuals[np.isfinite(residuals)]
    if len(r) < 8 or not np.abs(r).max() > 0:
        return np.eye(len(_TAILS))[-1], np.ones(len(_TAILS))
    from scipy.special import gammaln

    nu = np.array(_TAILS)[:, None, None]
    size = np.exp(np.linspace(np.log(0.2), np.log(1.5), 60))[None, :, None] * np.sqrt(np.mean(r**2))
    log = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(nu) - np.log(size)
    F = (log - (nu + 1) / 2 * np.log1p((r / size) ** 2 / nu)).sum(2)
    best = F.argmax(1)
    return _normalised(F.max(1)), size[0, best, 0]
