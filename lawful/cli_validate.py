"""The command that holds runs out, or holds them against forecasts written down before: validate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lawful import cli_options as options
from lawful.cli_options import By, Columns, Json, Method, Out, RunColumn, RunsFile, Seed, Target, Units, Weights, Where

if TYPE_CHECKING:
    from lawful.ledger_score import LedgerScore
    from lawful.validation import Validation

_LEVELS = "0.5,0.8,0.9,0.95"


def validate(
    runs: RunsFile, target: Target = None,
    law: Annotated[str, typer.Option(metavar="NAME,...|auto|FILE.py:law", help="The law, or several.")] = "auto",
    over: Annotated[
        str | None, typer.Option(metavar="C|N|D|COLUMN|group", help="Scale to hold out by, or groups of --by.")
    ] = None,
    by: By = None, columns: Columns = None, where: Where = None,
    levels: Annotated[str, typer.Option(metavar="0.5,0.9,...", help="Levels of the intervals.")] = _LEVELS,
    origins: Annotated[int, typer.Option(help="At most so many origins.")] = 6,
    objective: Annotated[str | None, typer.Option(help="lsq, log_lsq, log_huber:1e-3, binomial, ...")] = None,
    variables: Annotated[str | None, typer.Option(metavar="x=flops,...", help="The law's variable = column.")] = None,
    weights: Weights = None, units: Units = None, run: RunColumn = None, method: Method = "auto", seed: Seed = 0,
    ledger: Annotated[
        Path | None, typer.Option(metavar="LEDGER", help="Score the forecasts registered in this file instead.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(metavar="PNG|SVG|PDF", help="Write the figure to this file.")] = None,
    out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Hold the larger runs out, forecast them from the smaller ones, and score the forecasts.

    --out writes every held-out forecast as CSV. With --ledger, the runs are held against forecasts that `lawful
    forecast --register` wrote down before they were trained. Exits with 1 if a finding is an error: a naive forecast
    is better, or a ledger was changed.
    """
    table = options.read_runs(
        runs, columns=columns, target=target, where=where, by=by, weights=weights, run=run,
        units=options.pairs("--units", units) or None, need=() if ledger is not None else None,
    )  # fmt: skip
    if ledger is not None:
        given = [name for name, value in (("--over", over), ("--figure", figure)) if value is not None]
        if given:
            raise ValueError(f"{given[0]} holds runs out; with --ledger there is nothing to hold out: leave one away")
        found: Validation | LedgerScore = _score(ledger, table)
    else:
        found = _validate(table, law, {
            "over": over, "by": by, "target": target, "levels": _numbers(levels), "origins": origins, "seed": seed,
            "method": method, "objective": objective, "variables": options.pairs("--variables", variables) or None,
        })  # fmt: skip
    _write(found, out, figure)
    if as_json:
        _print_json(found)
    else:
        typer.echo(str(found))
    if any(f.severity == "error" for f in found.findings):
        raise typer.Exit(1)


def _score(ledger: Path, table: Any) -> "LedgerScore":
    from lawful.ledger_score import score

    return score(ledger, table)


def _validate(table: Any, law: str, asked: dict[str, Any]) -> "Validation":
    from lawful.cli_laws import load_law
    from lawful.cli_tables import working
    from lawful.validate import validate as hold_out

    names = [name if name == "auto" else load_law(name) for name in options.names(law)]
    if "auto" in names:
        given = [f"--{name}" for name in ("variables",) if asked[name]]
        if given:
            raise ValueError(f"{', '.join(given)} needs a law: name it with --law (`lawful laws` lists them)")
    given = {k: v for k, v in asked.items() if v is not None}
    with working(f"holding out {len(table)} rows"):
        return hold_out(names, table, **given)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in options.names(text))
    except ValueError:
        raise ValueError(f"--levels: {text!r} cannot be read; write numbers such as 0.5,0.9") from None


def _write(found: "Validation | LedgerScore", out: Path | None, figure: Path | None) -> None:
    from lawful.files import write_text

    if out is not None:
        frame = found.to_frame()
        write_text(out, frame.write_csv())
        typer.echo(f"{out}: {frame.height} rows written", err=True)
    if figure is not None:
        from lawful.plot_validation import plot_validation

        if figure.suffix.lower() not in (".png", ".svg", ".pdf"):
            raise ValueError(f"--figure: {figure} ends in {figure.suffix or 'nothing'}; allowed: .png, .svg, .pdf")
        figure.parent.mkdir(parents=True, exist_ok=True)
        plot_validation(found).savefig(figure, dpi=200)  # type: ignore[arg-type]
        typer.echo(f"{figure}: written", err=True)


def _print_json(found: "Validation | LedgerScore") -> None:
    import json

    from lawful.fitfile import plain

    typer.echo(json.dumps(plain(found.facts()), indent=1, ensure_ascii=False, allow_nan=False))
