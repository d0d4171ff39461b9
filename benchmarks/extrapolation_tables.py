"""From a folder of sets to tables that can be extrapolated: read, declared in part, inferred for the rest.

A set is a folder with tables (csv, csv.gz, parquet). What is known of a table beforehand stands in
`extrapolation.toml`; every key may be left out there, and a set that is not named there at all is read by the same
inference: outcome, groups and axis of scale from the names of the columns and from what varies with what.
Whatever cannot be used is returned with the reason.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import extrapolation_inference as guess
import numpy as np

import lawful
from lawful.quantities import find

SUFFIXES = (".csv", ".csv.gz", ".parquet")
_KEPT = ("items", "chance")  # columns of the topic "What is measured" that are no outcomes


@dataclass(frozen=True)
class Declared:
    """What is known of a table beforehand; the keys of `extrapolation.toml`.

    part: tells apart several tables of one set. file, target, axis: names. kind: the vocabulary's name for the outcome
    (loss, accuracy, error, ...). groups: columns of which every combination is extrapolated by itself. where: rows, as
    SQL. make: new columns, as SQL. columns: symbol -> column, as for `lawful.read`. best: keep one row of each
    combination of these, that of the lowest target, or of the column lowest. wide: outcomes in columns of their own,
    made one column, each a group. mixture: columns that are one array. run: column of runs with several rows. seen:
    rows to fit on, as SQL, instead of a cut by scale. rows: at most so many of each group on either side of the cut
    (0: 480 over all groups, 60 at least). published: law, objective, fixed, tied, variables of the paper. skip: why a
    set is not used.
    """

    set: str
    part: str = ""
    file: str = ""
    target: str = ""
    kind: str = ""
    axis: str = ""
    groups: tuple[str, ...] | None = None
    where: str = ""
    make: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    best: tuple[str, ...] = ()
    lowest: str = ""
    wide: tuple[str, ...] = ()
    mixture: tuple[str, ...] = ()
    run: str = ""
    seen: str = ""
    rows: int = 0
    published: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    skip: str = ""

    @property
    def name(self) -> str:
        return f"{self.set}:{self.part}" if self.part else self.set


@dataclass(frozen=True)
class Table:
    """A table ready to be extrapolated: runs under the vocabulary's names, grouped by the column ``series``.

    target: the outcome's column. axis: what is held out, scale (n,) its values, larger is later. seen (n,): rows to
    fit on where the source says so, else None.
    """

    declared: Declared
    runs: lawful.Runs
    target: str
    axis: str
    scale: np.ndarray
    seen: np.ndarray | None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.declared.name


def declarations(path: Path) -> list[Declared]:
    """The tables of a TOML file."""
    entries = tomllib.loads(path.read_text())["table"]
    lists = ("groups", "best", "wide", "mixture")
    return [Declared(**{k: tuple(v) if k in lists else v for k, v in e.items()}) for e in entries]


def sets_of(folder: Path) -> list[Path]:
    """The sets of a folder: itself where it holds tables, else its folders."""
    return [folder] if files_of(folder) else [f for f in sorted(folder.iterdir()) if f.is_dir()]


def files_of(folder: Path) -> list[Path]:
    return [f for f in sorted(folder.iterdir()) if f.name.endswith(SUFFIXES)]


def plans(folder: Path, declared: list[Declared]) -> list[tuple[Declared, Path]]:
    """What to try: the declared tables of each set, and every file of a set that nobody declared."""
    out = []
    for place in sets_of(folder):
        own = [d for d in declared if d.set == place.name]
        out += [(d, place / d.file) for d in own]
        if not own:
            files = files_of(place)
            out += [] if files else [(Declared(place.name, skip="the folder has no CSV or Parquet table"), place)]
            parts = [f.name.split(".")[0] if len(files) > 1 else "" for f in files]
            out += [(Declared(place.name, part, f.name), f) for part, f in zip(parts, files)]
    return out


def frame_of(path: Path) -> Any:
    """A table as a polars frame; text that says true and false is not numbers."""
    import polars as pl

    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)
    labels = [c for c, t in frame.schema.items() if isinstance(t, pl.Categorical | pl.Enum)]
    wide = [c for c, t in frame.schema.items() if t == pl.Int128]  # counts of FLOP beyond 64 bits
    return frame.with_columns(pl.col(labels).cast(pl.String), pl.col(wide).cast(pl.Float64))


def prepare(frame: Any, declared: Declared) -> Table:
    """A `Table` of a frame; ValueError with the reason where it cannot be extrapolated."""
    import polars as pl

    if declared.skip:
        raise ValueError(declared.skip)
    frame, target, notes = _selected(frame, declared)
    kind = declared.kind or guess.kind(target, frame)
    frame, more = _arrays(frame, declared)
    axis = declared.axis or guess.axis(frame, target)
    groups = list(declared.groups) if declared.groups is not None else guess.groups(frame, axis, declared.run)
    if declared.groups is None:
        frame, best = guess.tuned(frame, target, kind, groups)
        notes += best
    series = pl.concat_str([pl.col(g).cast(pl.String) for g in groups], separator=" | ") if groups else pl.lit("all")
    frame = frame.with_columns(series.alias("series"), pl.Series("scale_rows", _scale(frame, axis)))
    runs = _read(frame.filter(pl.col("series").is_not_null()), declared, target, kind, groups, axis)
    seen = runs.frame["seen_rows"].to_numpy().astype(bool) if "seen_rows" in runs.frame.columns else None
    notes = (*notes, *more, f"groups: {', '.join(groups) or 'none'}")
    return Table(declared, runs, runs.target or target, axis, runs["scale_rows"], seen, notes)


def _selected(frame: Any, declared: Declared) -> tuple[Any, str, list[str]]:
    """The rows that are meant, with their outcome in one column."""
    import polars as pl

    notes: list[str] = []
    frame = frame.with_columns(pl.sql_expr(sql).alias(name) for name, sql in declared.make.items())
    if declared.where:
        frame = frame.filter(pl.sql_expr(declared.where))
    elif declared.groups is None:
        frame, notes = guess.rows(frame)
    if declared.wide:
        kept = [c for c in frame.columns if c not in declared.wide]
        frame = frame.unpivot(list(declared.wide), index=kept, variable_name="outcome", value_name="outcome_value")
    target = declared.target or ("outcome_value" if declared.wide else guess.outcome(frame))
    frame = frame.filter(pl.col(target).is_not_null() & pl.col(target).is_finite())
    if declared.best:
        frame = frame.sort(declared.lowest or target).unique(list(declared.best), keep="first", maintain_order=True)
    return frame, target, notes


def _read(frame: Any, declared: Declared, target: str, kind: str, groups: list[str], axis: str) -> lawful.Runs:
    """The columns that lawful knows, the outcome under its name; no other outcome goes along."""
    import polars as pl

    columns = dict(declared.columns)
    if not columns and not any(q for c in frame.columns if (q := find(c)) and q.column in guess.SIZES[:-1]):
        columns |= {"N": "params_nominal"} if "params_nominal" in frame.columns else {}  # the only size there is
    alone = guess.parts_of(axis)
    if find(alone[0]) is None and alone[0] in frame.columns and alone[0] not in columns.values():
        columns["x"] = alone[0]
    used = set(columns.values())
    kept = [c for c in frame.columns if c in used or _design(c) and c not in groups and c != target]
    kept += [c for c in ("mixture", "series", "scale_rows") if c in frame.columns and c not in kept]
    if declared.run:
        kept = [c for c in kept if c != "run"]
    parts = [pl.col(c) for c in kept] + [pl.col(target).alias(kind)]
    parts += [pl.col(declared.run).cast(pl.String).alias("run")] if declared.run else []
    if declared.seen:
        parts.append(pl.sql_expr(declared.seen).alias("seen_rows"))
    table = frame.select(parts)
    return lawful.read(table, columns=columns or None, by="series", target=kind, name=declared.name)


def _design(column: str) -> bool:
    """Whether a column is a variable of scale or design that lawful knows, or says which rows are one run."""
    quantity = find(column)
    if quantity is None:
        return False
    if quantity.topic == "What is measured":
        return quantity.column in _KEPT
    return quantity.kind != "label" or quantity.column == "run"


def _arrays(frame: Any, declared: Declared) -> tuple[Any, tuple[str, ...]]:
    """Join the shares of a mixture to one column."""
    import polars as pl

    shares = list(declared.mixture) or [c for c in frame.columns if re.fullmatch(r"mix_\w+", c)]
    if shares:
        frame = frame.filter(pl.all_horizontal(pl.col(shares).is_not_null()))
        frame = frame.with_columns(pl.concat_list(pl.col(shares).cast(pl.Float64)).alias("mixture"))
        return frame, (f"mixture of {len(shares)} columns",)
    return frame, ()


def _scale(frame: Any, axis: str) -> np.ndarray:
    """The values along the axis (n,), larger is later."""
    import polars as pl

    columns = [guess.column(frame, part) for part in guess.parts_of(axis)]
    if not all(columns):  # an expression in columns
        return frame.select(pl.sql_expr(axis).cast(pl.Float64))[:, 0].to_numpy()
    out = np.full(len(frame), 6.0 if axis == "6ND" else 1.0)
    for c in columns:
        out = out * frame[c].cast(pl.Float64).to_numpy()
    return 1 / out if axis.startswith("-") else out
