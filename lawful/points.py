"""From a table of runs to the points of a fit: which column is which variable of the law, what is predicted, which
rows belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lawful.findings import Finding
from lawful.law import Law
from lawful.quantities import did_you_mean, find

# What a law's generic x stands for when nobody says: the first of these that the table has.
_SCALES = ("N", "D", "C", "N_nonemb", "U", "S")


@dataclass(frozen=True)
class Points:
    """What a fit sees of the runs: variables X {name: (n,), array variables (k, n)}, target y (n,), weights w (n,).

    rows: row numbers in the table. group: code of each point's group, labels: the groups' names.
    cluster: code of the run that each point belongs to (points of one run are not independent), or None.
    items: test items of each accuracy, where the binomial likelihood counts them; w then holds weight times items.
    columns: the table's column for each variable and for the target.
    """

    X: Mapping[str, np.ndarray]
    y: np.ndarray
    w: np.ndarray
    rows: np.ndarray
    target: str
    columns: Mapping[str, Any]
    group: np.ndarray | None = None
    labels: tuple[str, ...] = ()
    by: str = ""
    cluster: np.ndarray | None = None
    items: np.ndarray | None = None
    findings: tuple[Finding, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: np.ndarray) -> Points:
        """The points at these positions."""
        pick = {k: v[..., index] for k, v in self.X.items()}
        group = None if self.group is None else self.group[index]
        cluster = None if self.cluster is None else self.cluster[index]
        items = None if self.items is None else self.items[index]
        return replace(
            self, X=pick, y=self.y[index], w=self.w[index], rows=self.rows[index], group=group, cluster=cluster,
            items=items,
        )  # fmt: skip

    @property
    def items_or_one(self) -> np.ndarray:
        """Test items of each point (n,), at least 1."""
        return np.maximum(np.rint(np.ones(len(self)) if self.items is None else self.items), 1)


def points(
    law: Law,
    runs: Any,
    *,
    target: str | None = None,
    variables: Mapping[str, Any] | None = None,
    by: str | None = None,
    items: bool = False,
) -> Points:
    """Collect the columns that a law needs from `Runs`, or from a mapping of arrays.

    variables: the law's variable -> column, where the name does not say it; a list of columns for an array variable.
    items: multiply the weights by the number of test items (binomial objective).
    Raises ValueError naming the variable, the law, and the nearest column.
    """
    variables = dict(variables or {})
    for v in variables:
        if v not in law.variables:
            raise ValueError(f"variables: law {law.name} has no variable {v!r}{did_you_mean(v, list(law.variables))}")
    columns: dict[str, Any] = {}
    notes: list[Finding] = []
    X = {}
    for v in law.variables:
        columns[v] = variables.get(v) or _column_of(law, v, runs, notes)
        X[v] = _values(runs, columns[v], array=v in law.arrays)
    y_name = target or _target(law, runs)
    y = _values(runs, y_name)
    by_name = by if by is not None else ""
    if by_name and by_name not in runs:
        raise ValueError(f"by: the table has no column {by_name!r}{did_you_mean(by_name, _names(runs))}")
    group, labels = _codes(runs[by_name]) if by_name else (None, ())
    weight_column = getattr(runs, "weights", None)
    w = np.ones(len(y)) if weight_column is None else _values(runs, weight_column)
    if items:
        if "items" not in runs:
            raise ValueError(
                "the binomial objective needs the number of test items of each accuracy: "
                "a column `items` (or columns={'items': ...})"
            )
        asked = _values(runs, "items")
        w = asked * w / np.mean(w[np.isfinite(w)])  # weights say which points count more, items how much they say
    run_column = getattr(runs, "run_column", None)
    cluster = _codes(runs[run_column])[0] if run_column else None
    if cluster is not None and len(np.unique(cluster)) == len(y):
        cluster = None
    columns[law.predicts] = y_name
    rows = np.asarray(getattr(runs, "rows", np.arange(1, len(y) + 1)))
    _check_lengths(law, X, y)
    out = Points(
        X, y, w, rows, y_name, columns, group, labels, by_name, cluster, asked if items else None, tuple(notes)
    )
    return _complete(out)


def _check_lengths(law: Law, X: Mapping[str, np.ndarray], y: np.ndarray) -> None:
    for name, x in X.items():
        if x.shape[-1] != len(y):
            raise ValueError(f"law {law.name}: {name} has {x.shape[-1]} values for {len(y)} of the target")
    if not len(y):
        raise ValueError(f"law {law.name}: there are no points to fit")


def _complete(p: Points) -> Points:
    """Leave out points with a missing value, and say so."""
    good = np.isfinite(p.y) & np.isfinite(p.w) & (p.w > 0)
    for x in p.X.values():
        good &= np.isfinite(x).all(0) if x.ndim == 2 else np.isfinite(x)
    if good.all():
        return p
    if not good.any():
        raise ValueError(f"no row has {p.target}, every variable of the law and a positive weight")
    kept = p.take(np.flatnonzero(good))
    lost = tuple(int(r) for r in p.rows[~good])
    note = Finding(
        "incomplete_points", "warning",
        f"{len(lost)} of {len(p)} rows lack {p.target}, a variable or a positive weight and were left out.", lost,
        "Fill the cells, or select the rows you mean with where=.",
    )  # fmt: skip
    return replace(kept, findings=(*p.findings, note))


def _column_of(law: Law, variable: str, runs: Any, notes: list[Finding]) -> str:
    if variable in runs:
        return variable
    quantity = find(variable)
    if quantity is not None and quantity.column in runs:
        return quantity.column
    if variable == "x":
        for symbol in _SCALES:
            if symbol in runs:
                notes.append(
                    Finding(
                        "x_chosen",
                        "note",
                        f"The law's x is taken to be {symbol}.",
                        (),
                        "Say variables={'x': ...} for another.",
                    )
                )
                return symbol
    have = _names(runs)
    raise ValueError(
        f"law {law.name} needs its variable {variable}"
        + (f" (column {quantity.column!r}: {quantity.meaning})" if quantity else "")
        + f", which the table lacks{did_you_mean(variable, have)}. "
        f"Name its column with variables={{{variable!r}: ...}}."
    )


def _target(law: Law, runs: Any) -> str:
    quantity = find(law.predicts)
    for name in (law.predicts, quantity.column if quantity else law.predicts):
        if name in runs:
            return name
    if law.predicts == "y":  # a generic law predicts whatever the runs are about
        given = getattr(runs, "target", None) or next((n for n in ("loss", "L") if n in runs), None)
        if given is not None:
            return given
    raise ValueError(
        f"law {law.name} predicts {law.predicts}, which the table lacks{did_you_mean(law.predicts, _names(runs))}. "
        "Name the column with target=."
    )


def _names(runs: Any) -> list[str]:
    return list(runs.frame.columns) if hasattr(runs, "frame") else list(runs)


def _values(runs: Any, column: Any, array: bool = False) -> np.ndarray:
    """A column as floats (n,); an array variable as (k, n), from one list column or from several columns."""
    if isinstance(column, (list, tuple)):
        return np.stack([_values(runs, c) for c in column])
    if column == "6ND" and column not in runs:
        return 6 * _values(runs, _first(runs, "N")) * _values(runs, _first(runs, "D"))
    if column not in runs:
        raise ValueError(f"the table has no column {column!r}{did_you_mean(str(column), _names(runs))}")
    x = np.asarray(runs[column])
    try:
        x = np.asarray([np.asarray(row, float) for row in x]) if x.dtype == object else x.astype(float)
    except (TypeError, ValueError):
        raise ValueError(f"column {column!r} holds {x.ravel()[0]!r}, not numbers") from None
    return x.T if array and x.ndim == 2 else x


def _first(runs: Any, symbol: str) -> str:
    """The table's name for a symbol: itself, or the quantity's column."""
    quantity = find(symbol)
    return symbol if symbol in runs or quantity is None else quantity.column


def _codes(column: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    labels, codes = np.unique(as_labels(column), return_inverse=True)
    return codes, tuple(map(str, labels))


def as_labels(column: Any) -> np.ndarray:
    """Group names as text, alike for 1, 1.0 and "1"."""
    x = np.asarray(column)
    whole = x.dtype.kind == "f" and bool(np.isfinite(x).all()) and bool((x == np.rint(x)).all())
    return (x.astype(np.int64) if whole else x).astype(str)
