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

import numpy as np

import lawful
from lawful.quantities import find

SUFFIXES = (".csv", ".csv.gz", ".parquet")
_LEVELS = 6  # distinct scales that a group needs to be held out by scale
_WORDS = {
    "accuracy": "acc accuracy em exact_match pass",
    "error": "error err",
    "bpb": "bpb",
    "loss": "loss ce nll xent entropy nats",
    "perplexity": "ppl perplexity",
}
_KEPT = ("items", "chance")  # columns of the topic "What is measured" that are no outcomes
_SIZES = ("params", "params_nonembed", "params_active", "params_nonvocab")
_DATA = ("tokens", "examples", "finetune_examples", "steps", "step")
_AXES = ("flops", *_SIZES, *_DATA, "unique_tokens", "characters", "vocab_size", "width", "depth", "x")


@dataclass(frozen=True)
class Declared:
    """What is known of a table beforehand; the keys of `extrapolation.toml`.

    part: tells apart several tables of one set. file, target, axis: names. kind: the vocabulary's name for the outcome
    (loss, accuracy, error, ...). groups: columns of which every combination is extrapolated by itself. where: rows, as
    SQL. make: new columns, as SQL. columns: symbol -> column, as for `lawful.read`. best: keep the row with the lowest
    target of each combination of these. wide: outcomes in columns of their own, made one column, each a group.
    mixture: columns that are one array. run: column of runs with several rows. seen: rows to fit on, as SQL, instead of
    a cut by scale. rows: at most so many of each group.
    published: law, objective, fixed, tied, variables of the paper. skip: why a set is not used.
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
    wide: tuple[str, ...] = ()
    mixture: tuple[str, ...] = ()
    run: str = ""
    seen: str = ""
    rows: int = 60
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
    """The sets of a folder: its folders that hold tables, or itself."""
    inner = [f for f in sorted(folder.iterdir()) if f.is_dir() and files_of(f)]
    return inner or ([folder] if files_of(folder) else [])


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
    frame = frame.with_columns(pl.sql_expr(sql).alias(name) for name, sql in declared.make.items())
    frame = frame.filter(pl.sql_expr(declared.where)) if declared.where else frame
    if declared.wide:
        kept = [c for c in frame.columns if c not in declared.wide]
        frame = frame.unpivot(list(declared.wide), index=kept, variable_name="outcome", value_name="outcome_value")
    target = declared.target or ("outcome_value" if declared.wide else _outcome(frame))
    frame = frame.filter(pl.col(target).is_not_null() & pl.col(target).is_finite())
    if declared.best:
        frame = frame.sort(target).unique(list(declared.best), keep="first", maintain_order=True)
    kind = declared.kind or _kind(target, frame)
    frame, notes = _arrays(frame, declared)
    axis = _named_axis(frame, declared, target)
    groups = _groups(frame, declared, target, axis)
    series = pl.concat_str([pl.col(g).cast(pl.String) for g in groups], separator=" | ") if groups else pl.lit("all")
    frame = frame.with_columns(series.alias("series"))
    frame = frame.filter(pl.col("series").is_not_null())
    runs = _read(frame, declared, target, kind, groups)
    y = runs.target or target
    name, scale = _scale(runs, axis)
    seen = runs.frame["seen_rows"].to_numpy().astype(bool) if "seen_rows" in runs.frame.columns else None
    notes = (*notes, f"groups: {', '.join(groups) or 'none'}")
    return Table(declared, runs, y, name, scale, seen, notes)


def _read(frame: Any, declared: Declared, target: str, kind: str, groups: list[str]) -> lawful.Runs:
    """The columns that lawful knows, the outcome under its name; no other outcome goes along."""
    import polars as pl

    used = set(declared.columns.values())
    kept = [c for c in frame.columns if c in used or _design(c) and c not in groups and c != target]
    kept += [c for c in ("mixture", "series", "seen_rows") if c in frame.columns and c not in kept]
    if declared.run:
        kept = [c for c in kept if c != "run"]
    parts = [pl.col(c) for c in kept] + [pl.col(target).alias(kind)]
    parts += [pl.col(declared.run).cast(pl.String).alias("run")] if declared.run else []
    if declared.seen:
        parts.append(pl.sql_expr(declared.seen).alias("seen_rows"))
    table = frame.select(parts)
    columns = dict(declared.columns)
    for size in ("params_nominal", "params_dense"):  # the only size there is
        if size in table.columns and not columns and not any(s in table.columns for s in _SIZES):
            columns["N"] = size
    return lawful.read(table, columns=columns or None, by="series", target=kind, name=declared.name)


def _design(column: str) -> bool:
    """Whether a column is a variable of scale or design that lawful knows, or says which rows are one run."""
    quantity = find(column)
    if quantity is None:
        return False
    if quantity.topic == "What is measured":
        return quantity.column in _KEPT
    return quantity.kind != "label" or quantity.column == "run"


def _outcome(frame: Any) -> str:
    """The column that is predicted: loss by name, else another outcome, else a column that sounds like one."""
    numeric = [c for c, t in frame.schema.items() if t.is_numeric()]
    by_name = {q.column: c for c in numeric if (q := find(c)) and q.topic == "What is measured"}
    for wanted in ("loss", "bpb", "loss_unigram", "error", "accuracy", "perplexity", "score", "y"):
        if wanted in by_name:
            return by_name[wanted]
    rest = [c for c in numeric if find(c) is None or c == "y"]
    sounding = [c for c in rest if _word(c) and not re.search(r"std|err$|_lo\d*|_hi\d*|lo95|hi95|baseline", c)]
    sounding.sort(key=lambda c: (list(_WORDS).index(_word(c)) if _word(c) != "loss" else -1, "val" not in c, c))
    if sounding:
        return sounding[0]
    if "value" in rest:
        return "value"
    fractions = [c for c in rest if 0 <= (frame[c].min() or 0) and (frame[c].max() or 2) <= 1 and _many(frame[c])]
    if fractions:
        return fractions[0]
    raise ValueError("no column sounds like an outcome (loss, accuracy, error, ...)")


def _many(series: Any) -> bool:
    return series.drop_nulls().n_unique() > 5


def _word(column: str) -> str:
    parts = set(re.split(r"[^a-z]+", column.lower()))
    return next((k for k, words in _WORDS.items() if parts & set(words.split())), "")


def _kind(target: str, frame: Any) -> str:
    """The vocabulary's name for an outcome."""
    quantity = find(target)
    if quantity is not None and quantity.topic == "What is measured":
        return quantity.column
    low, high = frame[target].min(), frame[target].max()
    if "metric" in frame.columns and frame["metric"].drop_nulls().n_unique() == 1:
        target = f"{frame['metric'][0]}_{target}"
    word = _word(target)
    if word == "loss" and low <= 0:
        return "loss_unigram"  # the vocabulary's loss that may be negative
    if word:
        return word
    return "accuracy" if 0 <= low and high <= 1 else "score" if low <= 0 else "y"


def _arrays(frame: Any, declared: Declared) -> tuple[Any, tuple[str, ...]]:
    """Join the shares of a mixture to one column."""
    import polars as pl

    shares = list(declared.mixture) or [c for c in frame.columns if re.fullmatch(r"mix_\w+", c)]
    if shares:
        frame = frame.filter(pl.all_horizontal(pl.col(shares).is_not_null()))
        frame = frame.with_columns(pl.concat_list(pl.col(shares).cast(pl.Float64)).alias("mixture"))
        return frame, (f"mixture of {len(shares)} columns",)
    return frame, ()


def _named_axis(frame: Any, declared: Declared, target: str) -> str:
    """The column along which to hold out, "6ND", or "" where lawful's columns are to decide."""
    if declared.axis:
        return declared.axis
    numeric = [c for c, t in frame.schema.items() if t.is_numeric() and c != target and _varies(frame[c])]
    known = {q.column: c for c in numeric if (q := find(c))}
    sizes, data = ([known[s] for s in names if s in known] for names in (_SIZES, _DATA))
    apart = next(((a, b) for a in sizes for b in data if not _line(frame[a], frame[b])), None)
    if apart:
        return known.get("flops", "6ND" if "params" in known and "tokens" in known else apart[0])
    named = [known[a] for a in _AXES if a in known]
    unknown = [c for c in numeric if find(c) is None]
    named += [c for c in unknown if re.search(r"param|token|flop|size|step|sample|example", c.lower())]
    if named:
        return named[0]
    raise ValueError("no column of scale varies (params, tokens, flops, steps, examples, ...)")


def _varies(series: Any) -> bool:
    x = series.drop_nulls().to_numpy().astype(float)
    x = x[np.isfinite(x) & (x > 0)]
    return x.size > 0 and x.max() > 1.5 * x.min()


def _line(a: Any, b: Any) -> bool:
    u, v = (np.asarray(c.to_numpy(), float) for c in (a, b))
    good = np.isfinite(u) & np.isfinite(v) & (u > 0) & (v > 0)
    if good.sum() < 3:
        return True
    with np.errstate(all="ignore"):
        return bool(np.corrcoef(np.log(u[good]), np.log(v[good]))[0, 1] ** 2 > 0.99)


def _groups(frame: Any, declared: Declared, target: str, axis: str) -> list[str]:
    """Columns of labels within which the scale still varies: the settings of which each is extrapolated by itself."""
    import polars as pl

    if declared.groups is not None:
        return list(declared.groups)
    scale = ["params", "tokens"] if axis == "6ND" else [axis]
    chosen: list[str] = []
    for c, t in frame.schema.items():
        quantity = find(c)
        label = t in (pl.String, pl.Boolean) or (quantity is not None and quantity.column in ("shots",))
        if not label or c in ("series", "run", "to_fit") or frame[c].n_unique() < 2 or c == declared.run:
            continue
        levels = frame.group_by([*chosen, c]).agg(pl.struct(scale).n_unique().alias("n"))["n"]
        if levels.median() >= _LEVELS:
            chosen.append(c)
    return chosen


def _scale(runs: lawful.Runs, axis: str) -> tuple[str, np.ndarray]:
    if axis == "6ND":
        return "6ND", 6 * runs["params"] * runs["tokens"]
    falling = axis.startswith("-")
    column = axis.removeprefix("-")
    quantity = find(column)
    if column not in runs:
        column = quantity.column if quantity is not None and quantity.column in runs else column
    if column not in runs:
        raise ValueError(f"the axis {column!r} is no variable that lawful knows; map it with columns")
    scale = np.asarray(runs[column], float)
    return axis, 1 / scale if falling else scale
