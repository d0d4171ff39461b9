"""Any table becomes a polars frame whose rows remember where they stood.

Text files (CSV, TSV, JSONL, also gzipped) count rows as an editor counts lines, the header being line 1, so
that a message can say ``runs.csv, line 7``. Parquet files and data frames count rows from 0, as they do
themselves. Nothing is interpreted here beyond text, numbers, true and false, and missing.
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lawful.findings import RunsError
from lawful.quantities import did_you_mean

if TYPE_CHECKING:
    import polars as pl

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})


@dataclass(frozen=True, eq=False)
class Table:
    """A frame with the place of each of its rows; native is the kind of frame that the user gave."""

    frame: "pl.DataFrame"
    rows: tuple[int, ...]
    name: str
    place: Literal["line", "row"] = "row"
    native: str = "polars"

    def at(self, index: int) -> str:
        """Where the row with this index stood: ``line 7`` or ``row 5``."""
        return f"{self.place} {self.rows[index]}"


def load(source: Any, name: str | None = None) -> Table:
    """Read a path (a file, or a folder of logs), a mapping of columns, or a frame of any library that narwhals knows.

    Raises FileNotFoundError with the nearest file name, RunsError for a file that is no table, and TypeError
    for anything else.
    """
    if isinstance(source, (str, PathLike)):
        return _from_path(Path(fspath(source)))
    if isinstance(source, Mapping):
        return _from_columns({str(k): v for k, v in source.items()}, name or "the columns given", "polars")
    return _from_frame(source, name or "the frame given")


def to_native(frame: "pl.DataFrame", native: str) -> Any:
    """The frame in the library it came from (``"pandas"``, ``"pyarrow"``, ...)."""
    if native == "polars":
        return frame
    import narwhals as nw

    columns = {column: frame[column].to_list() for column in frame.columns}
    return nw.from_dict(columns, backend=native).to_native()  # pyright: ignore[reportArgumentType]


def _from_path(path: Path) -> Table:
    if path.is_dir():
        from lawful.logs import folder_columns

        return _from_columns(folder_columns(path), path.name, "polars")
    suffixes = [s.lower() for s in path.suffixes]
    kind = next((s for s in reversed(suffixes) if s != ".gz"), "")
    if not path.is_file():
        raise _no_such_file(path)
    if kind not in _READERS:
        raise RunsError(
            f"the ending {path.suffix!r} is not one that is read here",
            file=path.name,
            allowed=", ".join(_READERS) + ", each but .parquet also with .gz",
        )
    return _READERS[kind](path)


def _no_such_file(path: Path) -> FileNotFoundError:
    folder = path.parent
    if not folder.is_dir():
        return FileNotFoundError(f"there is no file {path}: its folder {folder} does not exist")
    near = did_you_mean(path.name, sorted(p.name for p in folder.iterdir() if p.is_file()))
    return FileNotFoundError(f"there is no file {path.name} in {folder.resolve()}{near}")


def _text(path: Path) -> str:
    data = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise RunsError(
            f"the byte {data[error.start]:#x} is not UTF-8",
            file=path.name,
            row=f"line {line}",
            allowed="UTF-8",
        ) from None
    if not text.strip():
        raise RunsError("the file is empty: 0 lines of data", file=path.name, remedy="Write a header and rows.")
    return text


def _from_delimited(path: Path) -> Table:
    lines = csv.reader(io.StringIO(text := _text(path), newline=""), delimiter=_delimiter(text))
    header: list[str] = []
    cells: list[list[str]] = []
    rows: list[int] = []
    end = 0
    for row in lines:
        start, end = end + 1, lines.line_num
        if not any(cell.strip() for cell in row) or row[0].startswith("#"):
            continue
        if not header:
            header = _header([cell.strip() for cell in row], path.name, start)
        elif len(row) != len(header):
            raise RunsError(
                f"the row has {len(row)} cells and the header {len(header)}",
                file=path.name,
                row=f"line {start}",
                value=row,
                remedy="Quote cells that hold the delimiter, and leave empty cells empty.",
            )
        else:
            cells.append(row)
            rows.append(start)
    columns = {name: _typed(name, values) for name, values in zip(header, zip(*cells))}
    return _table(columns or dict.fromkeys(header, ()), tuple(rows), path.name, "line")


def _delimiter(text: str) -> str:
    head = next(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return max(",;\t", key=head.count)


def _header(names: list[str], file: str, line: int) -> list[str]:
    names = [name or f"column_{i}" for i, name in enumerate(names, 1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RunsError(
            f"the name {twice[0]!r} heads {names.count(twice[0])} columns",
            file=file,
            row=f"line {line}",
            column=twice[0],
            remedy="Give every column its own name.",
        )
    return names


def _typed(name: str, cells: tuple[str, ...]) -> "pl.Series":
    """Whole numbers, numbers, true/false or text: the first that fits every cell that is not missing."""
    import polars as pl

    stripped = [cell.strip() for cell in cells]
    series = pl.Series(name, [None if cell.lower() in MISSING else cell for cell in stripped], dtype=pl.String)
    for dtype in (pl.Int64, pl.Float64):
        cast = series.cast(dtype, strict=False)
        if cast.null_count() == series.null_count():
            return cast
    if set(series.drop_nulls().str.to_lowercase()) <= {"true", "false"}:
        return series.str.to_lowercase() == "true"
    return series


def _from_jsonl(path: Path) -> Table:
    records, rows = [], []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            record = error.msg
        if not isinstance(record, dict):
            raise RunsError(f"{line[:40]!r} is not a JSON object", file=path.name, row=f"line {number}", value=line)
        records.append(record)
        rows.append(number)
    names = dict.fromkeys(key for record in records for key in record)
    return _table({n: [record.get(n) for record in records] for n in names}, tuple(rows), path.name, "line")


def _from_parquet(path: Path) -> Table:
    import polars as pl

    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise RunsError(f"not a Parquet file ({error})", file=path.name) from None
    return Table(frame, tuple(range(frame.height)), path.name)


def _from_frame(source: Any, name: str) -> Table:
    import narwhals as nw

    try:
        frame = nw.from_native(source)
    except TypeError:
        raise TypeError(
            f"runs cannot be read from a {type(source).__name__}; give a file ({', '.join(_READERS)}), "
            "a mapping of columns, or a data frame (pandas, polars, pyarrow, ...)"
        ) from None
    eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    native = eager.implementation.value
    if native == "polars":
        return Table(eager.to_native(), tuple(range(len(eager))), name)
    return _from_columns({str(c): eager[c].to_list() for c in eager.columns}, name, native)


def _from_columns(columns: Mapping[str, Any], name: str, native: str) -> Table:
    lengths = {column: len(values) for column, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{column} {n}" for column, n in lengths.items())
        raise RunsError(f"the columns have different lengths: {told}", file=name)
    return _table(columns, tuple(range(next(iter(lengths.values()), 0))), name, "row", native)


def _table(
    columns: Mapping[str, Any],
    rows: tuple[int, ...],
    name: str,
    place: Literal["line", "row"],
    native: str = "polars",
) -> Table:
    import polars as pl

    frame = pl.DataFrame({column: _series(column, values) for column, values in columns.items()})
    return Table(frame, rows, name, place, native)


def _series(name: str, values: Any) -> "pl.Series":
    """A column of values of any kind; a column of mixed kinds becomes text, to be read cell by cell."""
    import polars as pl

    if isinstance(values, pl.Series):
        return values.alias(name)
    if hasattr(values, "dtype") and getattr(values, "ndim", 1) == 1 and values.dtype.kind in "fiub":
        return pl.Series(name, values)
    values = values.tolist() if hasattr(values, "tolist") else values
    values = [None if type(v).__name__ in ("NAType", "NaTType") else v for v in values]  # pandas' own missing
    kinds = {type(v) for v in values if v is not None}
    if str in kinds and len(kinds) > 1:
        return pl.Series(name, [None if v is None or v != v else str(v) for v in values], dtype=pl.String)
    if kinds <= {int, float} and any(isinstance(v, int) and abs(v) >= 2**63 for v in values):
        values = [None if v is None else float(v) for v in values]  # FLOP outgrow 64-bit integers
    return pl.Series(name, values, strict=False)


_READERS: dict[str, Callable[[Path], Table]] = {
    ".csv": _from_delimited,
    ".tsv": _from_delimited,
    ".jsonl": _from_jsonl,
    ".ndjson": _from_jsonl,
    ".parquet": _from_parquet,
}
