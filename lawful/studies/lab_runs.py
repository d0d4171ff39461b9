"""The runs behind a study of the lab: read from a folder or a table, and kept as a small one."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lawful.runs import Runs, read
from lawful.studies import shipped_runs
from lawful.tables import load

LEVELS = {
    "minimal": 1,
    "low": 2,
    "medium": 4,
    "high": 8,
    "extreme": 16,
}  # sequential steps, or octave of rank, or order
_KEPT = (0, *LEVELS.values(), 3)  # all answers together, the five levels, the third Markov order
_DIGITS = 6


def lab_runs(name: str, data: Any = None) -> Runs:
    """The runs of a study: those that come with it, or `data`, a folder of runs or a table of them.

    Runs that diverged have no loss; they are listed in ``dropped``.
    """
    return read(shipped_runs(name) if data is None else data, by="task")


def write_runs(data: str | PathLike[str], to: str | PathLike[str]) -> Path:
    """Write a folder of runs as one gzipped CSV with the levels that studies read, six digits a number."""
    import polars as pl
    import polars.selectors as cs

    frame = load(data).frame.filter(pl.col("level").is_in(_KEPT))
    frame = frame.select(s for s in frame if s.null_count() < len(s)).with_columns(cs.float().round_sig_figs(_DIGITS))
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        file.write(frame.write_csv().encode())
    path = Path(to)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed.getvalue())
    return path


def pick(runs: Runs, **settings: Any) -> Runs:
    """The rows whose columns have these values (a tuple: one of them; None: empty); maybe none.

    A column that the table lacks is empty in every row.
    """
    keep = np.ones(len(runs), bool)
    for name, wanted in settings.items():
        values = runs.frame[name].to_list() if name in runs.frame.columns else [None] * len(runs)
        allowed = wanted if isinstance(wanted, tuple) else (wanted,)
        keep &= np.array([value in allowed for value in values], bool)
    return runs.take(np.flatnonzero(keep))


def values_of(runs: Runs, column: str) -> list[Any]:
    """The different values of a column, sorted; none where the column is not there."""
    if column not in runs.frame.columns:
        return []
    return sorted(runs.frame[column].drop_nulls().unique().to_list())


def usual(runs: Runs, column: str) -> Any:
    """The commonest value of a column, the larger of two as common."""
    counts = runs.frame[column].value_counts()
    return max(counts.iter_rows(), key=lambda row: (row[1], row[0]))[0]


def table_of(runs: Runs, rows: str, columns: str, value: str = "loss") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A value by two columns: (m,), (n,) and (m, n), not a number where a run is missing."""
    index, across = (np.array(values_of(runs, name)) for name in (rows, columns))
    grid = np.full((len(index), len(across)), np.nan)
    for i, j, v in runs.frame.select(rows, columns, value).iter_rows():
        grid[np.searchsorted(index, i), np.searchsorted(across, j)] = np.nan if v is None else v
    return index, across, grid


def told(values: Iterable[Any]) -> str:
    """Numbers and words in a row: 4, 8 and 16."""
    words = [f"{v:g}" if isinstance(v, float) else str(v) for v in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"


def plain_number(value: Any) -> str:
    """A count as people say it: 404, 13.6k, 1.2M."""
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.0f}"
