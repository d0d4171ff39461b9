"""Runs: a tidy table of training runs, checked on the way in.

`read` takes a file, a data frame or a mapping of columns and returns `Runs`: columns under the names of the
vocabulary, values as they were, and a record of what was dropped and why, what looks wrong, and what the
table cannot tell. What would give a wrong answer is refused with file, row, column, value and remedy.

>>> runs = read({"N": [1e8, 1e9, 1e10], "D": [2e9, 2e10, 2e11], "L": [3.1, 2.6, 2.2]})
>>> [finding.code for finding in runs.findings]   # D is 20 times N
['confounded']
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lawful import runs_checks as checks
from lawful.findings import Finding as Finding
from lawful.findings import RunsError as RunsError
from lawful.findings import counted, listed
from lawful.quantities import did_you_mean, find, lookup
from lawful.runs_columns import convert_units, make_numeric, map_columns, parse_mapping
from lawful.tables import Table, load, to_native

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Dropped:
    """A row that was left out, where it stood, and why."""

    row: int
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class Runs:
    """A checked table of runs; made by `read`, never changed.

    frame: polars, one row per observation, columns under canonical names.
    rows: where each row stood (lines of a text file, the header being line 1; rows from 0 otherwise).
    columns: canonical name -> name in the source. units: the units that the user stated.
    target: the outcome. by: columns that split the table into groups. weights: column of positive weights.
    run_column: the column that says which rows belong to one run, where rows are not independent.
    dropped: what was left out, and why.
    """

    frame: "pl.DataFrame"
    rows: tuple[int, ...]
    source: str
    columns: Mapping[str, str]
    target: str | None = None
    by: tuple[str, ...] = ()
    weights: str | None = None
    run_column: str | None = None
    dropped: tuple[Dropped, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Finding, ...] = ()
    place: Literal["line", "row"] = "row"
    native: str = "polars"
    flops_tolerance: float = 1.5

    def __len__(self) -> int:
        return self.frame.height

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._column(name) is not None

    def __getitem__(self, name: str) -> np.ndarray:
        """The column with this symbol or name: float64 for numbers, 2-D for arrays of equal length."""
        column = self._column(name)
        if column is None:
            known = [*self.frame.columns, *(lookup(c).symbol for c in self.frame.columns if find(c))]
            raise RunsError(f"there is no column {name!r}{did_you_mean(name, known)}", file=self.source, column=name)
        return _array(self.frame[column])

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What was noted on reading, and what the checks say of the table as it is now."""
        return (*self.notes, *checks.examine(self))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the content: the same for any order of rows and columns, and for 1 and 1.0."""
        names = sorted(self.frame.columns)
        lines = sorted(repr([_plain(v) for v in row]) for row in self.frame.select(names).iter_rows())
        return hashlib.sha256("\n".join([repr(names), *lines]).encode()).hexdigest()

    def at(self, position: int) -> str:
        """Where the row at this position stood: ``line 7`` or ``row 5``."""
        return f"{self.place} {self.rows[position]}"

    def numbers(self, positions: Iterable[int]) -> tuple[int, ...]:
        """The row numbers in the source of these positions."""
        return tuple(self.rows[int(i)] for i in positions)

    def where(self, expression: str) -> "Runs":
        """The rows for which the expression holds: ``runs.where("loss < 5 and family == 'pythia'")``."""
        from lawful.expressions import select

        chosen = np.flatnonzero(select(self.frame, expression, self._column, self.source))
        if not len(chosen):
            raise RunsError(f"where {expression!r} holds for none of {len(self)} rows", file=self.source)
        return self.take(chosen)

    def take(self, positions: Iterable[int]) -> "Runs":
        """The rows at these positions, in this order."""
        index = [int(i) for i in positions]
        return replace(self, frame=self.frame[index], rows=self.numbers(index))

    def complete(self, *names: str) -> "Runs":
        """The rows in which these columns have usable values; the others are added to `dropped`."""
        return _drop(self, [self._known(name) for name in names])

    def groups(self) -> dict[Any, "Runs"]:
        """One `Runs` per group, keyed by the value of `by` (a tuple for several columns), as first seen."""
        return {name: replace(self.take(index), by=()) for name, index in self.positions().items()}

    def positions(self) -> dict[Any, list[int]]:
        """The positions of every group's rows; without `by` one group called ``"all"``."""
        if not self.by:
            return {"all": list(range(len(self)))}
        found: dict[Any, list[int]] = {}
        for i, key in enumerate(self.frame.select(self.by).iter_rows()):
            found.setdefault(key[0] if len(key) == 1 else key, []).append(i)
        return found

    def with_columns(self, **columns: Any) -> "Runs":
        """Add or replace columns: ``runs.with_columns(C=6 * runs["N"] * runs["D"])``."""
        import polars as pl

        new = []
        for name, values in columns.items():
            quantity = find(name)
            canonical = self._column(name) or (quantity.column if quantity else name)
            if len(values) != len(self):
                raise RunsError(f"{name} has {len(values)} values for {len(self)} rows", file=self.source)
            new.append(pl.Series(canonical, values, strict=False))
        return replace(self, frame=self.frame.with_columns(new))

    def replicates(self) -> tuple[tuple[int, ...], ...]:
        """Positions of rows with equal design, seed and outcome aside; groups of two and more."""
        return self.equal_rows(checks.design_columns(self))

    def equal_rows(self, columns: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        """Positions of rows that agree in these columns; groups of two and more."""
        found: dict[str, list[int]] = {}
        if columns:
            for i, key in enumerate(self.frame.select(columns).iter_rows()):
                found.setdefault(repr(key), []).append(i)
        return tuple(tuple(group) for group in found.values() if len(group) > 1)

    def to_native(self) -> Any:
        """The table as the kind of frame that came in (polars for files)."""
        return to_native(self.frame, self.native)

    def summary(self) -> str:
        """The table in words: what it holds, what was dropped, what was found."""
        head = f"{counted(len(self), 'row')} from {self.source}"
        if self.by:
            head += f" in {len(self.positions())} groups by {', '.join(self.by)}"
        lines = [head + (f"; target {self.target}" if self.target else "")]
        for column in self.frame.columns:
            quantity = find(column)
            if quantity and quantity.column == column and self.frame[column].dtype.is_numeric():
                values = self[column]
                seen = values[np.isfinite(values)]
                span = f"{seen.min():.4g} to {seen.max():.4g} {quantity.unit}" if seen.size else "no value"
                told = f", {len(values) - seen.size} missing" if seen.size < len(values) else ""
                lines.append(f"  {quantity.symbol} = {column}: {span.removesuffix(' 1')}{told}")
        for reason in dict.fromkeys(d.reason for d in self.dropped):
            out = [d.row for d in self.dropped if d.reason == reason]
            lines.append(f"  dropped {len(out)}: {reason} ({self.place} {listed(out)})")
        return "\n".join([*lines, *(f"  {finding}" for finding in self.findings)])

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"Runs({len(self)} rows from {self.source!r}: {', '.join(self.frame.columns)})"

    def _column(self, name: str) -> str | None:
        if name in self.frame.columns:
            return name
        quantity = find(name)
        if quantity is not None and quantity.column in self.frame.columns:
            return quantity.column
        return next((c for c, original in self.columns.items() if original == name and c in self.frame.columns), None)

    def _known(self, name: str) -> str:
        column = self._column(name)
        if column is None:
            near = did_you_mean(name, self.frame.columns)
            raise RunsError(f"there is no column {name!r}{near}", file=self.source, column=name)
        return column


def read(
    source: Any,
    columns: Mapping[str, str] | str | None = None,
    *,
    where: str | None = None,
    by: str | Sequence[str] | None = None,
    weights: str | None = None,
    units: Mapping[str, str] | None = None,
    target: str | None = None,
    run: str | None = None,
    need: Sequence[str] | None = None,
    flops_tolerance: float = 1.5,
    name: str | None = None,
) -> Runs:
    """Read runs from a CSV, TSV, JSONL or Parquet file, a data frame, or a mapping of columns.

    columns: symbol (or canonical name) -> the source's column, as a mapping or ``"N=n_params,D=tok"``; other
        columns are recognised by their names or kept as they are.
    where: which rows, see `lawful.expressions`.
    by: columns whose values are groups. weights: a column of positive weights.
    units: units other than the vocabulary's: ``{"N": "billions", "L": "bits", "accuracy": "percent"}``.
    target: the outcome (loss if it is there). run: the column that names the run, if runs have several rows.
    need: columns without which a row is dropped; by default the design variables mapped, or N and D (C if one
        of them is absent) if none is mapped. Target, weights, run and groups are needed always.
    flops_tolerance: the factor by which C may differ from 6ND. name: what to call a source that is no file.

    Dropped rows are listed in the result. Raises RunsError and FileNotFoundError.
    """
    explicit = parse_mapping(columns)
    runs = replace(_enter(load(source, name), explicit, units or {}), flops_tolerance=flops_tolerance)
    runs = _with_roles(runs, target, by, weights, run)
    runs = _chosen(runs, where) if where is not None else runs
    runs = _drop(_drop_duplicates(runs), _needed(runs, explicit, need))
    checks.refuse(runs)
    return runs


def _enter(table: Table, columns: Mapping[str, str], units: Mapping[str, str]) -> Runs:
    """The table under canonical names and in canonical units, not yet checked."""
    table, named, notes = map_columns(table, columns)
    table, stated, converted = convert_units(make_numeric(table, named), named, units)
    if not table.rows:
        raise RunsError("the table has a header and 0 rows", file=table.name, remedy="Write one row per run.")
    return Runs(
        frame=table.frame,
        rows=table.rows,
        source=table.name,
        columns=named,
        units=stated,
        notes=(*notes, *converted),
        place=table.place,
        native=table.native,
    )


def _chosen(runs: Runs, where: str) -> Runs:
    kept = runs.where(where)
    return replace(kept, notes=(*kept.notes, _note("where", f"{len(kept)} of {len(runs)} rows have {where}.")))


def _note(code: str, text: str) -> Finding:
    return Finding(code, "note", text)


def _with_roles(
    runs: Runs, target: str | None, by: str | Sequence[str] | None, weights: str | None, run: str | None
) -> Runs:
    """Resolve the names of target, groups, weights and run; a run column counts only if a run recurs."""
    if isinstance(by, str):
        by = [by] if by in runs else [part.strip() for part in by.split(",")]
    if target is None and "loss" in runs:
        target = "loss"
    run_column = runs._known(run) if run else None
    if run_column is None and "run" in runs.frame.columns and runs.frame["run"].n_unique() < len(runs):
        run_column = "run"
    return replace(
        runs,
        target=runs._known(target) if target else None,
        by=tuple(runs._known(column) for column in by or ()),
        weights=runs._known(weights) if weights else None,
        run_column=run_column,
    )


def _needed(runs: Runs, explicit: Mapping[str, str], need: Sequence[str] | None) -> list[str]:
    """The columns without which a row says nothing."""
    mapped = [lookup(key) for key in explicit]
    design = [quantity.column for quantity in mapped] if need is None else [runs._known(c) for c in need]
    if need is None and all(quantity.topic == "What is measured" for quantity in mapped):
        design += [column for column in ("params", "tokens") if column in runs.frame.columns]
        design += ["params_nonembed"] if "params" not in design and "params_nonembed" in runs else []
        design += ["flops"] if "flops" in runs and not {"params", "tokens"} <= set(design) else []
    roles = [runs.target, runs.weights, runs.run_column, *runs.by]
    return list(dict.fromkeys([*design, *(role for role in roles if role)]))


def _drop(runs: Runs, needed: Sequence[str]) -> Runs:
    """Leave out rows without a usable value in a needed column, and list them."""
    reasons: dict[int, str] = {}
    for column in needed:
        series = runs.frame[column]
        if not series.dtype.is_numeric():
            missing = np.flatnonzero(series.is_null().to_numpy())
            reasons |= {int(i): f"{column} is missing" for i in missing if int(i) not in reasons}
            continue
        quantity = find(column)
        positive = column == runs.weights or (quantity is not None and quantity.positive)
        for i, value in enumerate(series.to_list()):
            told = _unusable(value, positive)
            if told and i not in reasons:
                reasons[i] = f"{column} is {told}"
    if not reasons:
        return runs
    if len(reasons) == len(runs):
        first = next(iter(reasons))
        raise RunsError(
            f"all {len(runs)} rows would be dropped: {', '.join(sorted(set(reasons.values())))}",
            file=runs.source,
            row=runs.at(first),
            column=reasons[first].split(" is ")[0],
            allowed="finite numbers, above 0 where the quantity is a size",
            remedy="Map the columns that hold the values, columns={'N': ..., 'D': ..., 'L': ...}.",
        )
    dropped = tuple(Dropped(runs.rows[i], reasons[i]) for i in sorted(reasons))
    kept = runs.take(i for i in range(len(runs)) if i not in reasons)
    return replace(kept, dropped=(*runs.dropped, *dropped))


def _unusable(value: Any, positive: bool) -> str | None:
    if value is None or value != value:
        return "missing"
    if value in (float("inf"), float("-inf")):
        return "not finite"
    return f"{value:g}, not positive" if positive and value <= 0 else None


def _drop_duplicates(runs: Runs) -> Runs:
    first: dict[str, int] = {}
    copies: dict[int, int] = {}
    for i, row in enumerate(runs.frame.iter_rows()):
        earlier = first.setdefault(repr(row), i)
        if earlier != i:
            copies[i] = earlier
    if not copies:
        return runs
    dropped = tuple(
        Dropped(runs.rows[i], f"the same as {runs.at(first)} in every column") for i, first in copies.items()
    )
    kept = runs.take(i for i in range(len(runs)) if i not in copies)
    text = f"{counted(len(copies), 'row')} repeated another in every column and was left out."
    return replace(kept, dropped=(*runs.dropped, *dropped), notes=(*runs.notes, _note("duplicates", text)))


def _array(series: "pl.Series") -> np.ndarray:
    import polars as pl

    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        return series.cast(pl.Float64).to_numpy(writable=True)
    values = series.to_list()
    if not series.dtype.is_nested():
        return np.array(values, dtype=object)
    if len({None if value is None else len(value) for value in values}) == 1 and values[0] is not None:
        return np.array(values, dtype=float)
    ragged = np.empty(len(values), dtype=object)
    ragged[:] = [None if value is None else np.asarray(value) for value in values]
    return ragged


def _plain(value: Any) -> Any:
    """Numbers as floats, arrays as lists: what counts as the same content."""
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (int, float)):
        return float(value)
    return [_plain(v) for v in value] if isinstance(value, Sequence) else str(value)
