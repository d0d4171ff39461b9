"""From the columns of a file to the columns of the vocabulary: names, numbers, units.

Three steps, each of which refuses rather than guesses. A column is recognised by its name, and two candidates
for one quantity are an error. Text in a numeric column is an error that names the cell. A unit is what the
vocabulary says unless the user states another one; numbers or names that contradict it are an error.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lawful.findings import Finding, RunsError
from lawful.quantities import Quantity, did_you_mean, find, lookup, normalize
from lawful.tables import Table

if TYPE_CHECKING:
    import polars as pl

PF_DAY = 8.64e19  # FLOP: 1e15 FLOP/s for 86,400 s

_SCALES = {"thousands": 1e3, "millions": 1e6, "billions": 1e9, "trillions": 1e12}
# What the words in a column's name say about its unit.
_HINTS = {
    "thousands": "thousand thousands",
    "millions": "million millions mil",
    "billions": "billion billions bn",
    "trillions": "trillion trillions",
    "log10": "log10",
    "pf_days": "pfdays pfday pf_days petaflop",
    "bits": "bits bit bpb bpt bpc",
    "perplexity": "ppl perplexity",
    "percent": "percent pct",
}
_LONE_LETTERS = frozenset("NDCLUVxy")  # recognised as columns; any other single letter means too many things
_SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}


def parse_mapping(columns: Mapping[str, str] | str | None) -> dict[str, str]:
    """``"N=n_params,D=tok"`` or a mapping as a dictionary."""
    if columns is None:
        return {}
    if not isinstance(columns, str):
        return dict(columns)
    pairs = [pair.partition("=") for pair in columns.split(",") if pair.strip()]
    broken = [key for key, equals, value in pairs if not (key.strip() and equals and value.strip())]
    if broken:
        raise RunsError(f"columns {columns!r} cannot be read at {broken[0]!r}", allowed="'N=n_params,D=tok'")
    return {key.strip(): value.strip() for key, _, value in pairs}


def map_columns(table: Table, columns: Mapping[str, str]) -> tuple[Table, dict[str, str], list[Finding]]:
    """Give the columns their canonical names; returns also canonical name -> name in the file, and notes.

    What the user maps wins. Everything else is recognised by name; unknown columns stay as they are.
    """
    frame = table.frame
    named: dict[str, str] = {}
    for key, column in columns.items():
        if column not in frame.columns:
            near = did_you_mean(column, frame.columns)
            raise RunsError(f"there is no column {column!r}{near}", file=table.name, column=column)
        named[lookup(key).column] = column
    notes = _recognise(table, named)
    selected = []
    for column in frame.columns:
        names = [canonical for canonical, source in named.items() if source == column] or [column]
        if names == [column] and (displaced := _answers_for(column, named)):
            names = [f"{column}_other"]
            text = (
                f"{named[displaced]} is used as {displaced}; the {frame.height} values of the file's own "
                f"column {column} are kept as {column}_other."
            )
            notes.append(Finding("unused-column", "note", text))
        selected += [frame[column].alias(name) for name in names]
    return replace(table, frame=frame.select(selected)), named, notes


def _answers_for(column: str, named: Mapping[str, str]) -> str | None:
    """The quantity that this column's name would stand for although another column holds it."""
    quantity = find(column)
    if quantity is None or named.get(quantity.column, column) == column:
        return None
    return quantity.column if column in (quantity.symbol, quantity.column) else None


def _recognise(table: Table, named: dict[str, str]) -> list[Finding]:
    """Add to the mapped columns those whose names are known; two candidates for a number are an error."""
    notes = []
    for canonical, candidates in _candidates(table, set(named.values())).items():
        if canonical in named:
            continue
        if canonical in candidates or len(candidates) == 1:
            named[canonical] = canonical if canonical in candidates else candidates[0]
        elif lookup(canonical).kind != "label":
            raise RunsError(
                f"the columns {' and '.join(map(repr, candidates))} could each be {canonical}",
                file=table.name,
                column=candidates[0],
                remedy=f"Say which: columns={{{lookup(canonical).symbol!r}: {candidates[0]!r}}}.",
            )
        if len(candidates) > 1:
            others = [c for c in candidates if c != named.get(canonical)]
            text = f"{len(others)} more columns could be {canonical} and are left as they are: {others}."
            notes.append(Finding("unused-column", "note", text))
    return notes


def _candidates(table: Table, taken: set[str]) -> dict[str, list[str]]:
    """Canonical name -> the columns of the file that could be it; text is never taken for a number."""
    candidates: dict[str, list[str]] = {}
    for column in table.frame.columns:
        quantity = find(column) if len(column) > 1 or column in _LONE_LETTERS else None
        if quantity is not None and column not in taken and not _plain_text(table.frame[column], quantity):
            candidates.setdefault(quantity.column, []).append(column)
    return candidates


def _plain_text(series: "pl.Series", quantity: Quantity) -> bool:
    import polars as pl

    if series.dtype != pl.String or not quantity.numeric:
        return False
    return not series.drop_nulls().str.contains(r"^[\s+\-.]*\d").any()


def make_numeric(table: Table, named: Mapping[str, str]) -> Table:
    """Turn the columns of numeric quantities into numbers; RunsError names the first cell that is none."""
    import polars as pl

    frame = table.frame
    for canonical, column in named.items():
        series = frame[canonical]
        if not lookup(canonical).numeric or (series.dtype.is_numeric() and series.dtype != pl.Int128):
            continue
        if series.dtype in (pl.Null, pl.String, pl.Boolean, pl.Int128):  # FLOP can exceed 64 bits
            cast = series.cast(pl.Float64, strict=False)
        else:
            cast = pl.Series(canonical, [None] * len(series), dtype=pl.Float64)
        bad = (cast.is_null() & series.is_not_null()).arg_max() if len(series) else None
        if bad is not None and series[bad] is not None and cast[bad] is None:
            cell = series[bad]
            raise RunsError(
                f"{cell!r} is not a number",
                file=table.name,
                row=table.at(bad),
                column=column,
                value=cell,
                allowed=f"plain numbers ({lookup(canonical).unit})",
                remedy=_spelled_out(str(cell)),
            )
        frame = frame.with_columns(cast)
    return replace(table, frame=frame)


def _spelled_out(cell: str) -> str:
    """What the cell probably means, as a number."""
    bare = cell.strip().replace(",", "").replace("_", "").replace(" ", "")
    if match := re.fullmatch(r"([\d.]+(?:e[+-]?\d+)?)([kmbgt])\w*", bare, re.IGNORECASE):
        return f"Write {float(match[1]) * _SUFFIXES[match[2].lower()]:g} instead."
    if match := re.fullmatch(r"([\d.]+)%", bare):
        return f"Write {float(match[1]) / 100:g} instead."
    try:
        return f"Write {float(bare):g} instead."
    except ValueError:
        return "Write a number, or leave the cell empty if the value is missing."


def units_for(quantity: Quantity) -> tuple[str, ...]:
    """The units that can be stated for a quantity; the first leaves the numbers as they are."""
    if quantity.kind == "count":
        return ("counts", *_SCALES, "log10", *(("pf_days",) if quantity.unit == "FLOP" else ()))
    if quantity.unit == "nats/token":
        return ("nats", "bits", "perplexity")
    return ("fraction", "percent") if quantity.kind == "fraction" else ()


def convert_units(
    table: Table, named: Mapping[str, str], units: Mapping[str, str]
) -> tuple[Table, dict[str, str], list[Finding]]:
    """Convert the stated units to the vocabulary's; refuse columns whose name or numbers contradict it."""
    stated: dict[str, str] = {}
    notes: list[Finding] = []
    frame = table.frame
    for key, unit in units.items():
        quantity = lookup(key)
        allowed = units_for(quantity)
        if quantity.column not in named:
            raise RunsError(f"units states {key!r}, but there is no column {quantity.column}", file=table.name)
        if unit not in allowed:
            raise RunsError(
                f"the unit {unit!r} is not one for {quantity.column}{did_you_mean(unit, list(allowed))}",
                file=table.name,
                column=named[quantity.column],
                value=unit,
                allowed=", ".join(allowed) or "none: give it in " + quantity.unit,
            )
        stated[quantity.column] = unit
        if unit != allowed[0]:
            frame = frame.with_columns(_converted(frame[quantity.column], unit))
            text = f"{frame.height} values of {named[quantity.column]} were converted from {unit}."
            notes.append(Finding("unit", "note", text))
    for canonical, column in named.items():
        if canonical not in stated:
            _refuse_name(table, lookup(canonical), column)
            _refuse_numbers(table, lookup(canonical), column)
    return replace(table, frame=frame), stated, notes


def _converted(series: "pl.Series", unit: str) -> "pl.Series":
    import polars as pl

    numbers = series.cast(pl.Float64)
    if unit in _SCALES:
        return numbers * _SCALES[unit]
    if unit == "pf_days":
        return numbers * PF_DAY
    if unit == "percent":
        return numbers / 100
    if unit == "bits":
        return numbers * float(np.log(2))
    return numbers.log() if unit == "perplexity" else (numbers * float(np.log(10))).exp()


def _refuse_name(table: Table, quantity: Quantity, column: str) -> None:
    words = set(normalize(column).split("_"))
    for unit in units_for(quantity)[1:]:
        if words & set(_HINTS[unit].split()):
            raise RunsError(
                f"the name says {unit}, and {quantity.column} is kept in {quantity.unit}",
                file=table.name,
                column=column,
                value=column,
                allowed=", ".join(units_for(quantity)),
                remedy=f"State the unit, which is then converted: units={{{quantity.symbol!r}: {unit!r}}}.",
            )


def _refuse_numbers(table: Table, quantity: Quantity, column: str) -> None:
    """Counts with fractions that are far too small for counts: billions, log10 and the like."""
    if quantity.topic not in ("Model size", "Training data", "Compute, time and money"):
        return
    if quantity.kind != "count":
        return
    values = table.frame[quantity.column].to_numpy().astype(float)
    seen = values[np.isfinite(values) & (values > 0)]
    if not seen.size:
        return
    fractional = bool(np.any(seen != np.round(seen)))
    flop = quantity.unit == "FLOP"
    if not (seen.max() < 1e5 and (fractional or flop)):
        return
    guesses = _guesses(seen, flop)
    first = int(np.flatnonzero(values == seen[0])[0])
    raise RunsError(
        f"all {seen.size} values lie between {seen.min():g} and {seen.max():g}"
        f"{', with fractions' if fractional else ''}: this looks like {' or '.join(guesses)}",
        file=table.name,
        row=table.at(first),
        column=column,
        value=float(seen[0]),
        allowed=f"plain counts ({quantity.unit})",
        remedy=f"Pass units={{{quantity.symbol!r}: {guesses[0]!r}}}, or 'counts' to take them as they are.",
    )


def _guesses(seen: np.ndarray, flop: bool) -> list[str]:
    """The units that would make sense of the numbers, the likeliest first."""
    logs = seen.min() >= 5 and seen.max() <= (30 if flop else 14) and np.any(seen != np.round(seen))
    if flop:
        return ["log10", "pf_days"] if logs and seen.min() >= 14 else ["pf_days"]
    scaled = ["billions", "millions"] if np.median(seen) < 100 else ["millions", "billions"]
    return ["log10", *scaled[:1]] if logs else scaled
