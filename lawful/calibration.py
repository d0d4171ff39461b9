"""How far to trust an interval: what rolling origins on these runs, and on the runs of others, say about its errors.

A law's own interval holds if the law is right. Here its standard error is multiplied by a factor that the errors of its
own forecasts set: each rolling origin of these runs gives errors in units of what the law claimed at that distance (its
standard error grows with the distance, and so does the spread between laws that share a forecast). Few origins say
little, so their mean square is drawn towards that of a library: the same errors, in the same units, on published sets.

    factor^2 = (nu prior^2 + sum of own squares) / (nu + origins),    t quantiles with nu + origins degrees of freedom

If the law is right, the errors are as large as it claimed and the factor stays near one; if it is wrong, they are
larger and so is the factor. The library holds facts about sets (how large errors were), never their data.
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

from lawful.company import axis_of, mean_record, members_of
from lawful.fit import Fit
from lawful.origins import Splits, backtest, rolling
from lawful.quantities import find

KINDS = ("curve", "surface", "checkpoints", "fraction")
_CAP = 5.0  # an error this many times what was claimed counts as so much: one escaped curve is not all evidence
_TESTED = 3  # origins of which the mean square says something by itself
_NU = 3.0  # what the library counts for, in origins
_LIBRARY = Path(__file__).with_name("backtests.json")


@dataclass(frozen=True)
class Evidence:
    """Rolling-origin errors of a fit on its own runs.

    kind: of curve, see `KINDS`. squares (K,): mean square at each origin of the error in units of what the law claimed.
    decades: how far beyond the runs seen the farthest point held out lay. axis: the scale in words.
    """

    kind: str
    squares: tuple[float, ...]
    decades: float
    axis: str


@dataclass(frozen=True)
class Library:
    """Errors on public sets: a row per table, with its set, its kind and its squared error in units of the claim."""

    rows: tuple[Mapping[str, Any], ...]

    def without(self, *sets: str) -> Library:
        """The library without some sets."""
        return Library(tuple(r for r in self.rows if r["set"] not in sets))

    @property
    def sets(self) -> int:
        return len({r["set"] for r in self.rows})

    def prior(self, kind: str, averaged: bool) -> float:
        """Typical squared error of forecasts in units of what was claimed, over sets of this kind.

        The median over the sets, each counting once, drawn in logs towards that of all kinds as if that were two sets.
        """
        rows = [r for r in self.rows if r["averaged"] == averaged]
        if not rows:
            return 1.0
        every = {s: float(np.median([r["square"] for r in rows if r["set"] == s])) for s in {r["set"] for r in rows}}
        own = {r["set"]: 0.0 for r in rows if r["kind"] == kind}
        for s in own:
            own[s] = float(np.median([r["square"] for r in rows if r["set"] == s and r["kind"] == kind]))
        common = float(np.median(np.log(list(every.values()))))
        logs = [common, common, *np.log(list(own.values()))]
        return float(np.exp(np.mean(logs)))


@dataclass(frozen=True)
class Calibration:
    """The factor on a forecast's standard error, its degrees of freedom, and on what it rests in words.

    missed: root mean square of the own errors, in units of what was claimed.
    """

    factor: float
    dof: float
    origins: int
    decades: float
    kind: str
    missed: float
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
    return [_judged(fit, scales[i][0], splits[i], records.get(i)) for i, fit in enumerate(fits)]


def _splits(axis: str, scale: np.ndarray) -> Splits | None:
    try:
        good = len(scale) > 0 and np.isfinite(scale).all() and scale.min() > 0
        return rolling(scale, axis) if good else None
    except ValueError:
        return None


def _judged(fit: Fit, axis: str, splits: Splits | None, records: list[Any] | None) -> Evidence:
    kind = kind_of(fit, axis)
    if splits is None or not records:
        return Evidence(kind, (), 0.0, axis)
    average = mean_record(records, np.sqrt(fit.points.w))
    with np.errstate(all="ignore"):
        y = np.log(fit.points.y) if fit.objective.log else fit.points.y
        u = claimed(y - average.value, np.hypot(average.se, average.noise), average.dof)
    squares, far = [], 0.0
    for k in range(len(splits)):
        own = splits.held[k] & np.isfinite(u[k])
        if own.any():
            squares.append(float(np.minimum(u[k, own] ** 2, _CAP**2).mean()))
            far = max(far, float(splits.distance[k, own].max()))
    return Evidence(kind, tuple(squares), far, axis)


def claimed(error: np.ndarray, sd: np.ndarray, dof: np.ndarray) -> np.ndarray:
    """Errors in units of the standard deviation claimed, on the normal scale: t with few dof is not held against it."""
    from scipy.special import ndtri, stdtr

    with np.errstate(all="ignore"):
        t = np.abs(error) / sd
        tail = stdtr(np.maximum(dof, 1.0), -np.where(np.isfinite(sd), t, np.nan))
        return np.where(dof > 0, np.minimum(-ndtri(np.maximum(tail, 1e-16)), t), np.nan)


def kind_of(fit: Fit, axis: str) -> str:
    """Which part of the library speaks of a fit: of fractions, of checkpoints, of surfaces or of curves."""
    quantity = find(fit.points.target)
    if quantity is not None and quantity.kind == "fraction":
        return "fraction"
    if fit.points.cluster is not None or axis.split("*")[-1] in ("step", "S"):
        return "checkpoints"
    return "surface" if len(fit.law.variables) > 1 else "curve"


def calibrate(found: Evidence, averaged: bool, shelf: Library) -> Calibration:
    """The factor for a forecast: own evidence drawn towards the library."""
    prior = shelf.prior(found.kind, averaged)
    own = len(found.squares)
    factor = float(np.sqrt((_NU * prior + sum(found.squares)) / (_NU + own)))
    said = f"{own} rolling origins of these runs (up to {found.decades:.2g} decades beyond those seen)" if own else ""
    lent = f"{shelf.sets} public sets" if shelf.rows else "no library"
    words = f"{said} and {lent}" if said else f"{lent} alone: too few scales to hold any of these runs out"
    missed = float(np.sqrt(np.mean(found.squares))) if own else np.nan
    return Calibration(factor, _NU + own, own, found.decades, found.kind, missed, words)
