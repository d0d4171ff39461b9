"""The commands from runs to forecasts: read, fit, forecast, diagnose."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lawful import cli_options as options
from lawful.cli_options import (
    By,
    Columns,
    FitFile,
    Json,
    Level,
    Method,
    Out,
    RunColumn,
    RunsFile,
    Seed,
    Target,
    Units,
    Weights,
    Where,
)

if TYPE_CHECKING:
    from lawful.fit import Fit, Fits
    from lawful.runs import Runs


def read(
    runs: RunsFile, target: Target = None, columns: Columns = None, where: Where = None, by: By = None,
    weights: Weights = None, units: Units = None, run: RunColumn = None, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Check a table of runs: what it holds, what was dropped and why, what looks wrong.

    Exits with 1 if a finding is an error. --out writes the checked table as CSV under the vocabulary's names.
    """
    from lawful.describe import wrapped

    table = _read(runs, target, columns, where, by, weights, units, run)
    if out is not None:
        _write(out, table.frame.write_csv())
    if as_json:
        _print_json(_table_facts(table))
    elif out is None:
        typer.echo("\n".join(wrapped(table.summary())))
    if any(f.severity == "error" for f in table.findings):
        raise typer.Exit(1)


def fit(
    runs: RunsFile, target: Target = None,
    law: Annotated[str, typer.Option(metavar="NAME|auto|FILE.py:law", help="The law.")] = "auto",
    columns: Columns = None, where: Where = None, by: By = None,
    objective: Annotated[str | None, typer.Option(help="lsq, log_lsq, log_huber:1e-3, binomial, ...")] = None,
    fix: Annotated[str | None, typer.Option(metavar="E=1.69,...", help="Parameters held fixed.")] = None,
    tie: Annotated[str | None, typer.Option(metavar="beta=alpha,...", help="Parameters made equal.")] = None,
    bounds: Annotated[str | None, typer.Option(metavar="E=-inf:inf,...", help="Ranges of parameters.")] = None,
    shared: Annotated[str | None, typer.Option(metavar="alpha,...", help="With --by: one fit sharing these.")] = None,
    variables: Annotated[str | None, typer.Option(metavar="x=flops,...", help="The law's variable = column.")] = None,
    weights: Weights = None, units: Units = None, run: RunColumn = None,
    protocol: Annotated[str | None, typer.Option(help="Fit as a paper did, such as hoffmann2022.")] = None,
    seed: Seed = 0, level: Level = 0.95, method: Method = "auto", out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Fit a law to runs: every value with its interval, and what is doubtful.

    --out keeps the fit in a file for forecast and diagnose.
    """
    from lawful.cli_tables import show_fit, working

    chosen = {
        "objective": objective, "fixed": options.numbers("--fix", fix), "tied": options.pairs("--tie", tie),
        "bounds": options.ranges("--bounds", bounds), "variables": options.pairs("--variables", variables),
        "shared": options.names(shared) or None, "protocol": protocol,
    }  # fmt: skip
    table = _read(runs, target, columns, where, by, weights, units, run, [*chosen["variables"].values()])
    with working(f"fitting {law} to {len(table)} rows"):
        made = _fit(table, law, target, seed, chosen)
    if out is not None:
        from lawful.fitfile import save

        save(made, out)
        typer.echo(f"{out}: written", err=True)
    with working("finding intervals"):
        sure = _intervals(made, level, method, seed)
    if as_json:
        _print_json(_fit_facts(made, sure) | {"runs": _table_facts(table)})
    else:
        show_fit(made, sure, table)


def forecast(
    fit: FitFile,
    at: Annotated[Path, typer.Option(metavar="POINTS", help="Table of the points, one per row.")],
    level: Level = 0.9,
    kind: Annotated[str, typer.Option(metavar="mean|run", help="The mean of runs there, or one new run.")] = "mean",
    columns: Columns = None,
    units: Units = None,
    method: Method = "auto",
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Predict at new points, with intervals and a flag in words where a forecast should not be used.

    Adds the columns estimate, lower, upper and flag to those of the points; --out writes them as CSV.
    """
    from lawful.cli_points import read_points, with_forecast
    from lawful.cli_tables import show_forecast, working
    from lawful.fitfile import load_fit, plain
    from lawful.forecast import forecast as forecast_at

    made = load_fit(fit)
    table, points = read_points(made, at, columns, units)
    with working(f"forecasting {len(points)} points"):
        found = forecast_at(made, points, level=level, kind=kind, method=method, seed=seed)
    frame = with_forecast(table, found)
    if out is not None:
        _write(out, frame.write_csv())
    if as_json:
        head = {"level": level, "kind": kind, "method": found.method, "target": _target(made),
                "calibration": found.calibration}  # fmt: skip
        _print_json(plain(head | {"points": frame.to_dicts(), "findings": _dicts(found.findings)}))
    elif out is None:
        show_forecast(found, made, frame)
    else:
        flagged = sum(bool(f) for f in found.flag)
        typer.echo(f"{out}: {len(found)} forecasts with {level * 100:g}% intervals, {flagged} flagged")


def diagnose(
    fit: FitFile, level: Level = 0.95,
    runs: Annotated[str | None, typer.Option(metavar="RUNS", help="The table that was fitted.")] = None,
    columns: Columns = None, where: Where = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Is this fit to be believed? What is not identified, which runs carry it, where it holds, what residuals show.

    With --runs the table's other columns (learning rate, batch, ...) are asked what they explain. Exits with 1 if a
    finding is an error.
    """
    from lawful.cli_tables import console, show_diagnosis, show_findings, working
    from lawful.diagnose import diagnose as examine
    from lawful.diagnose_range import breaks
    from lawful.fit import Fits
    from lawful.fitfile import load_fit, plain

    made = load_fit(fit)
    many = made.fits if isinstance(made, Fits) else {"": made}
    table = None if runs is None else options.read_runs(runs, columns=columns, where=where, need=[])
    with working("examining the fit"):
        found = {label: examine(one, level=level, runs=table) for label, one in many.items()}
        over = breaks(many) if len(many) > 1 else ()
    if as_json:
        facts = {label: d.facts() for label, d in found.items()}
        many_facts = {"groups": facts, "breaks": _dicts(over)}
        _print_json(plain({"by": made.by} | many_facts if isinstance(made, Fits) else facts[""]))
    else:
        for label, diagnosis in found.items():
            show_diagnosis(diagnosis, f"{made.by} = {label}" if isinstance(made, Fits) else "")
        show_findings(console(), over)
    if any(d.worst == "error" for d in found.values()):
        raise typer.Exit(1)


def _read(
    source: str, target: str | None, columns: str | None, where: str | None, by: str | None, weights: str | None,
    units: str | None, run: str | None, need: list[str] | None = None,
) -> "Runs":  # fmt: skip
    return options.read_runs(
        source, columns=columns, target=target, where=where, by=by, weights=weights, run=run,
        units=options.pairs("--units", units) or None, need=need or None,
    )  # fmt: skip


def _fit(table: "Runs", law: str, target: str | None, seed: int, chosen: dict[str, Any]) -> "Fit | Fits":
    from lawful.cli_laws import load_law
    from lawful.cli_points import own_columns
    from lawful.fit import fit as fit_law

    by = table.by[0] if len(table.by) == 1 else None
    if law == "auto":
        given = [f"--{'fix tie'.split()[k == 'tied'] if k in ('fixed', 'tied') else k}" for k, v in chosen.items() if v]
        refused = [option for option in given if option != "--objective"]
        if refused:
            raise ValueError(f"{', '.join(refused)} needs a law: name it with --law (`lawful laws` lists them)")
        made = fit_law("auto", table, target=target, by=by, objective=chosen["objective"], seed=seed)
    else:
        made = fit_law(load_law(law), table, target=target, seed=seed, **chosen)
    return own_columns(made, table)


def _intervals(made: "Fit | Fits", level: float, method: str, seed: int) -> dict[str, Any]:
    """Intervals by group; one group without a name for a single fit."""
    from lawful.fit import Fits
    from lawful.uncertainty import intervals

    many = made.fits if isinstance(made, Fits) else {"": made}
    return {label: intervals(one, level, method, seed=seed) for label, one in many.items()}


def _fit_facts(made: "Fit | Fits", sure: dict[str, Any]) -> dict[str, Any]:
    from lawful.describe import facts
    from lawful.fit import Fits

    if not isinstance(made, Fits):
        return facts(made, sure[""])
    groups = {label: facts(one, sure[label]) for label, one in made.fits.items()}
    return {"by": made.by, "groups": groups, "failed": dict(made.failed)}


def _table_facts(table: "Runs") -> dict[str, Any]:
    dropped = [{"row": d.row, "reason": d.reason} for d in table.dropped]
    return {
        "source": table.source, "rows": len(table), "columns": table.frame.columns, "target": table.target,
        "by": table.by, "dropped": dropped, "findings": _dicts(table.findings), "fingerprint": table.fingerprint,
    }  # fmt: skip


def _dicts(findings: Any) -> list[dict[str, Any]]:
    from dataclasses import asdict

    return [asdict(f) for f in findings]


def _target(made: "Fit | Fits") -> str:
    from lawful.fit import Fits

    return (next(iter(made.values())) if isinstance(made, Fits) else made).points.target


def _print_json(data: Any) -> None:
    from lawful.fitfile import plain

    typer.echo(json.dumps(plain(data), indent=1, ensure_ascii=False, allow_nan=False))


def _write(path: Path, text: str) -> None:
    from lawful.files import write_text

    write_text(path, text)
