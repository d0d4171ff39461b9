"""Laws that share a forecast: a fit and the others it carries, brought to the same points and put into one average.

The laws of an average know the points by different columns: one has N and D, another C. Given N and D, C is 6ND if it
was so in the runs that were fitted; a law whose variables cannot be had is left out and its weight goes to the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.fit import Fit
from lawful.origins import Record, scale_of
from lawful.places import columns_of
from lawful.quantities import find

_SAME = 0.1  # C is 6ND where all fitted runs agree so far (natural log)


@dataclass(frozen=True)
class Member:
    """One law of an average at m points: its weight, its fit, the variables X there."""

    weight: float
    fit: Fit
    X: Mapping[str, np.ndarray]


def members_of(fit: Fit) -> list[tuple[float, Fit]]:
    """A fit and the others that share its forecasts, with weights that sum to 1."""
    own = 1.0 - sum(w for w, _ in fit.others)
    return [(own, fit), *fit.others]


def led_by(law: str, others: int) -> str:
    """Who makes a forecast: a law alone, or the average that it leads."""
    return f"an average of {others + 1} laws led by {law}" if others else law


def known_columns(fits: Sequence[Fit]) -> dict[str, np.ndarray]:
    """The columns (n,) that some laws were fitted on, by their symbol."""
    out: dict[str, np.ndarray] = {}
    for fit in fits:
        for v, x in fit.points.X.items():
            if v not in fit.law.arrays:
                out.setdefault(_symbol(fit, v), x)
    return out


def axis_of(fit: Fit) -> tuple[str, np.ndarray]:
    """The scale (n,) along which the runs of a fit grow, in words and numbers; losses grow as they fall."""
    columns = known_columns([one for _, one in members_of(fit)])
    try:
        return scale_of(columns, "6ND" if "6ND" in columns and "C" not in columns else None)
    except ValueError:
        name, x = next(iter(columns.items()), ("", np.array([])))
        if name in ("L", "bpb") and len(x) and x.min() > 0:
            return f"falling {name}", 1 / x
        return name, x


def scale_at(axis: str, columns: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """The scale (m,) of points that have some columns, along an axis of `axis_of`; None where they lack it."""
    name = axis.removeprefix("falling ")
    parts = [columns.get(p) for p in (name.split("*") if name not in columns else [name])]
    if any(p is None for p in parts):
        return None
    x = np.prod([np.asarray(p, float) for p in parts], axis=0)
    with np.errstate(divide="ignore"):
        return 1 / x if axis.startswith("falling ") else x


def columns_at(fit: Fit, X: Mapping[str, np.ndarray], at: Any, variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """All that is known (m,) of the points where a fit's own law has variables X, by symbol."""
    m = np.shape(next(iter(X.values())))[-1] if X else 1
    there = {_symbol(fit, v): x for v, x in X.items() if v not in fit.law.arrays}
    for name, column in {**columns_of(at), **variables}.items():
        quantity = find(name)
        if np.asarray(column).dtype.kind in "iuf" and np.ndim(column) <= 1 and np.size(column) in (1, m):
            there.setdefault(quantity.symbol if quantity else name, np.broadcast_to(np.asarray(column, float), (m,)))
    if {"N", "D"} <= there.keys():
        there["6ND"] = 6 * there["N"] * there["D"]
        if "C" not in there and _six(fit):
            there["C"] = there["6ND"]
    return there


def members_at(fit: Fit, X: Mapping[str, np.ndarray], there: Mapping[str, np.ndarray]) -> list[Member]:
    """The laws of the average that can say something where the fit's own law has variables X.

    there: what else is known of the points, see `columns_at`.
    """
    out = [Member(members_of(fit)[0][0], fit, X)]
    for weight, one in fit.others:
        own = {v: X[v] if v in X and v in one.law.arrays else there.get(_symbol(one, v)) for v in one.law.variables}
        if all(x is not None for x in own.values()):
            out.append(Member(weight, one, {v: x for v, x in own.items() if x is not None}))
    total = sum(one.weight for one in out)
    return [Member(one.weight / total, one.fit, one.X) for one in out]


def _symbol(fit: Fit, variable: str) -> str:
    column = fit.points.columns.get(variable, variable)
    if not isinstance(column, str):
        return variable
    quantity = find(column)
    return quantity.symbol if quantity else column


def _six(fit: Fit) -> bool:
    """Whether compute was 6ND in the runs that were fitted."""
    seen = known_columns([one for _, one in members_of(fit)])
    if not {"C", "N", "D"} <= seen.keys():
        return False
    return bool(np.max(np.abs(np.log(seen["C"] / (6 * seen["N"] * seen["D"])))) < _SAME)


@dataclass(frozen=True)
class Mean:
    """An average of laws: value, standard error (of the laws, and between them) and noise of one run, (..., m) each in
    the space of the objective; dof: degrees of freedom, averaged."""

    value: np.ndarray
    se: np.ndarray
    noise: np.ndarray
    dof: np.ndarray


def mean_of(weights: np.ndarray, value: np.ndarray, se: np.ndarray, noise: np.ndarray, dof: np.ndarray) -> Mean:
    """The average over the first axis (laws); a law without a finite value has no say there.

    A law that escapes is pulled in to three times the usual distance from the weighted median (that distance and the
    median law's standard error), so that no single curve carries the average away.
    se: sum of w max(se, |law - average|). Laws fitted to the same points err together, so that nothing averages out
    (Buckland et al. 1997 add the two in squares; where the laws are nearly right that counts one doubt twice).
    """
    w = np.where(np.isfinite(value), weights.reshape(-1, *[1] * (value.ndim - 1)), 0.0)
    total = w.sum(0)
    with np.errstate(all="ignore"):
        w = w / total

        def average(x: np.ndarray) -> np.ndarray:
            return np.where(w > 0, w * x, 0.0).sum(0) + np.where(total > 0, 0.0, np.nan)

        middle, own = _weighted_median(value, w, se)
        usual, _ = _weighted_median(np.abs(value - middle), w, se)
        reach = 3 * (usual + np.where(np.isfinite(own), own, 0.0))
        value = np.where(np.isfinite(reach), np.clip(value, middle - reach, middle + reach), value)
        centre = average(value)
        return Mean(centre, average(np.fmax(se, np.abs(value - centre))), average(noise), average(dof))


def _weighted_median(x: np.ndarray, w: np.ndarray, beside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weighted median over the first axis, and what stands beside it."""
    order = np.argsort(np.where(w > 0, x, np.inf), axis=0)
    sums = np.cumsum(np.take_along_axis(w, order, 0), axis=0)
    at = np.take_along_axis(order, (sums < 0.5).sum(0)[None].clip(0, len(x) - 1), 0)
    return np.take_along_axis(x, at, 0)[0], np.take_along_axis(beside, at, 0)[0]


def mean_record(members: Sequence[tuple[float, Record]], root: np.ndarray) -> Mean:
    """The average of the laws' records in each split, (S, n). root (n,): square roots of the points' weights."""
    with np.errstate(all="ignore"):
        value = np.stack([np.log(r.predicted) if r.log else r.predicted for _, r in members])
    shape = value.shape[1:]
    se = np.stack([r.se for _, r in members])
    noise = np.stack([np.broadcast_to(r.sigma[:, None] / root, shape) for _, r in members])
    dof = np.stack([np.broadcast_to(r.dof[:, None].astype(float), shape) for _, r in members])
    return mean_of(np.array([w for w, _ in members]), value, se, noise, dof)
