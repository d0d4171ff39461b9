"""Where a forecast is asked for: the law's variables at new points, from a table or from numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lawful.fit import Fit
from lawful.points import as_labels
from lawful.quantities import did_you_mean, find


def collect(
    fit: Fit, at: Any, variables: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], np.ndarray | None, dict[str, np.ndarray]]:
    """Variables of the law (m,), array variables (k, m), group codes (m,) or None, and the columns to show.

    Array variables are given as in a table, one point per row (m, k), or as one point (k,).
    Raises ValueError for a variable that is missing, unknown, given twice, no number, or of the wrong shape.
    """
    law, grouped = fit.law, fit.points.by if fit.points.group is not None else ""
    table = columns_of(at)
    for name in variables:
        known = [v for v in (*law.variables, grouped) if v]
        if name not in known:
            raise ValueError(f"law {law.name} has no variable {name!r}{did_you_mean(name, known)}")
        if at is not None and _held_by(fit, at, name) is not None:
            raise ValueError(f"{name} is given twice, in the table and by name: leave one out")
    given = dict(variables)
    for name in (*law.variables, *([grouped] if grouped else ())):
        if name not in given:
            given[name] = _from_table(fit, at, name)
    arrays = {v: _array(fit, v, given[v]) for v in law.arrays}
    flat = {v: _flat(fit, v, given[v], label=v == grouped) for v in given if v not in law.arrays}
    rows = [len(next(iter(table.values())))] if table else []
    lengths = {x.shape[-1] for x in (*flat.values(), *arrays.values())} | set(rows)
    if len(lengths - {1}) > 1:
        raise ValueError(
            f"forecast of law {law.name}: variables have {sorted(lengths)} values; give one or as many each"
        )
    if 0 in lengths:
        raise ValueError(f"forecast of law {law.name}: there are no points")
    m = max(lengths, default=1)
    X = {v: np.broadcast_to(flat[v], (m,)) for v in law.variables if v not in law.arrays}
    X |= {v: np.broadcast_to(x, (len(x), m)) for v, x in arrays.items()}
    group = group_codes(fit, np.broadcast_to(flat[grouped], (m,))) if grouped else None
    shown = {k: np.asarray(v) for k, v in table.items()}
    shown |= {v: np.broadcast_to(x, (m,)) for v, x in flat.items() if v in variables}
    shown |= {f"{v}[{i}]": x[i] for v, x in arrays.items() if v in variables for i in range(len(x))}
    return {v: X[v] for v in law.variables}, group, shown


def _flat(fit: Fit, name: str, value: Any, label: bool) -> np.ndarray:
    x = np.atleast_1d(np.asarray(value))
    if x.ndim > 1:
        raise ValueError(f"forecast of law {fit.law.name}: {name} has shape {x.shape}; give one number per point")
    if label:
        return x
    try:
        return x.astype(float)
    except (TypeError, ValueError):
        raise ValueError(f"forecast of law {fit.law.name}: {name} holds {x.ravel()[0]!r}, not numbers") from None


def _array(fit: Fit, name: str, value: Any) -> np.ndarray:
    """An array variable (k, m), from rows (m, k) or one point (k,)."""
    rows = np.asarray(value)
    rows = np.stack([np.asarray(r, float) for r in rows]) if rows.dtype == object else rows.astype(float)
    rows = np.atleast_2d(rows)
    k = len(fit.points.X[name])
    if rows.ndim != 2 or rows.shape[1] != k:
        raise ValueError(
            f"forecast of law {fit.law.name}: {name} has shape {rows.shape}; it needs (points, {k}), a row per point"
        )
    return rows.T


def _held_by(fit: Fit, at: Any, name: str) -> Any:
    """The table's column for a variable: under the symbol, the column used at fitting, or the canonical name."""
    column = fit.points.columns.get(name, name)
    quantity = find(name)
    table = columns_of(at) if not hasattr(at, "frame") else at
    if isinstance(column, (list, tuple)):
        return (
            np.stack([np.asarray(table[c], float) for c in column], axis=-1)
            if all(c in table for c in column)
            else None
        )
    other = find(str(column))
    if quantity and other and other.symbol != quantity.symbol:  # fitted on another column: its own name is not that
        names = [column, other.symbol, other.column]
    else:  # a law's x fitted on N is the column params
        names = [name, column, *(q.column for q in (quantity, other) if q)]
    if column == "6ND" and column not in table:
        N, D = (next((table[c] for c in some if c in table), None) for some in (("N", "params"), ("D", "tokens")))
        return None if N is None or D is None else 6 * np.asarray(N, float) * np.asarray(D, float)
    return next((table[c] for c in names if c in table), None)


def _from_table(fit: Fit, at: Any, name: str) -> Any:
    held = None if at is None else _held_by(fit, at, name)
    if held is not None:
        return held
    column = fit.points.columns.get(name, name)
    where = f"the table has no column for {name} ({column})" if at is not None else f"{name} is missing"
    raise ValueError(f"forecast of law {fit.law.name}: {where}; it needs {', '.join(fit.law.variables)}")


def columns_of(at: Any) -> dict[str, np.ndarray]:
    """The columns of `Runs`, a frame or a mapping, by name."""
    if at is None:
        return {}
    frame = getattr(at, "frame", at)
    names = list(frame.columns) if hasattr(frame, "columns") else list(frame)
    return {str(n): np.atleast_1d(np.asarray(frame[n])) for n in names}


def group_codes(fit: Fit, labels: np.ndarray) -> np.ndarray:
    """Codes of group labels; ValueError with the nearest label for one that the fit does not know."""
    known = list(fit.points.labels)
    labels = as_labels(labels)
    unknown = [str(x) for x in labels if str(x) not in known]
    if unknown:
        raise ValueError(f"the fit has no {fit.points.by} {unknown[0]!r}{did_you_mean(unknown[0], known)}")
    return np.array([known.index(str(x)) for x in labels])


def distance(fit: Fit, X: Mapping[str, np.ndarray]) -> tuple[np.ndarray, list[str]]:
    """Decades beyond the positive data (m,), the largest over the variables, and that variable's name."""
    m = np.shape(next(iter(X.values())))[-1] if X else 1
    far, name = np.zeros(m), [""] * m
    for v, x in X.items():
        seen = fit.points.X[v]
        if v in fit.law.arrays or seen.max() <= 0:
            continue
        low, high = seen[seen > 0].min(), seen.max()
        with np.errstate(all="ignore"):
            here = np.where(x > 0, np.maximum(np.log10(x / high), np.log10(low / x)), 0.0)
        for i in np.flatnonzero(here > far):
            far[i], name[i] = here[i], v
    return far, name
