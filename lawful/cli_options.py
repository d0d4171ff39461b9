"""The options that several commands share, and how their text becomes arguments."""

from pathlib import Path
from typing import Annotated, Any

import typer

RunsFile = Annotated[str, typer.Argument(metavar="RUNS", help="CSV, TSV, JSONL or Parquet, or a published table.")]
FitFile = Annotated[Path, typer.Argument(metavar="FIT", help="A file that `lawful fit --out` wrote.")]
Target = Annotated[str | None, typer.Option(help="Column predicted (default: what the law predicts).")]
Columns = Annotated[str | None, typer.Option(metavar="N=params,...", help="Symbol = the file's column.")]
Where = Annotated[str | None, typer.Option(metavar="EXPR", help='Rows to use, such as "loss < 5 and N > 1e8".')]
By = Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of groups.")]
Weights = Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of positive weights.")]
Units = Annotated[str | None, typer.Option(metavar="N=billions,...", help="Units other than plain counts and nats.")]
RunColumn = Annotated[str | None, typer.Option("--run", metavar="COLUMN", help="Column naming each row's run.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Write to this file.")]
Level = Annotated[float, typer.Option(help="Confidence level.")]
Method = Annotated[str, typer.Option(help="auto, profile, pairs, cluster, wild, parametric or sandwich.")]


def pairs(option: str, text: str | None) -> dict[str, str]:
    """``"E=1.69,A=406"`` as a dictionary; ValueError naming the option and the part that cannot be read."""
    out: dict[str, str] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value):
            raise ValueError(f"{option}: {part.strip()!r} cannot be read; write NAME=VALUE, several with commas")
        if name in out:
            raise ValueError(f"{option}: {name} is given twice, as {out[name]} and as {value}")
        out[name] = value
    return out


def numbers(option: str, text: str | None) -> dict[str, float]:
    """``"E=1.69"`` as numbers."""
    return {name: _number(option, name, value) for name, value in pairs(option, text).items()}


def ranges(option: str, text: str | None) -> dict[str, tuple[float, float]]:
    """``"E=-inf:inf"`` as pairs of numbers; an empty end is infinite."""
    out = {}
    for name, value in pairs(option, text).items():
        low, colon, high = value.partition(":")
        if not colon:
            raise ValueError(f"{option}: {name}={value} cannot be read; write {name}=LOWER:UPPER, such as {name}=0:5")
        out[name] = (_number(option, name, low or "-inf"), _number(option, name, high or "inf"))
    return out


def _number(option: str, name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{option}: {name}={value} is not a number; write {option} {name}=1.69") from None


def names(text: str | None) -> list[str]:
    """``"alpha,beta"`` as a list."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def read_runs(source: str, **options: Any) -> Any:
    """The runs of a file, or of a published table that ships, by its name."""
    from lawful.quantities import did_you_mean

    path = Path(source)
    if path.exists() or path.suffix or len(path.parts) > 1:
        from lawful.runs import read

        return read(path, **options)
    from lawful.datasets import load, names

    if source not in names():
        near = did_you_mean(source, list(names()))
        raise FileNotFoundError(f"there is no file and no published table {source!r}{near}")
    return load(source, **{k: v for k, v in options.items() if v is not None})
