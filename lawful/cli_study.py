"""`lawful study`: run a study, write what it says and compare its numbers; a study of the lab may train first."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lawful.cli_options import Json, Seed

if TYPE_CHECKING:
    from lawful.studies.results import Study


def study(
    name: Annotated[str | None, typer.Argument(help="The study; without it, their names are listed.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where to write (default: out/NAME).")] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="Rows beside the shipped ones; for a study of the lab, a folder of runs."),
    ] = None,
    form: Annotated[
        list[str] | None, typer.Option(metavar="FILE.py:law", help="A form of your own beside the study's.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare each number; exit 1 if a golden one differs.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Train the five-minute sweep first (needs PyTorch).")] = False,
    full: Annotated[bool, typer.Option("--full", help="Train the full sweep first: hours; resumed.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="From the shipped runs, the default.")] = False,
    jobs: Annotated[int, typer.Option(help="Runs at a time (0: one per core).")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Run a study: results.json, report.md, report.html and figures in a folder.

    --check prints each number beside the published and the golden one; it writes only where --out says so.
    --quick and --full train small models first and keep every run, in FOLDER/quick and FOLDER/runs; the report is
    made of those runs alone.
    """
    from lawful.cli_tables import working
    from lawful.laws import load as load_law
    from lawful.studies import load, names

    if name is None:
        typer.echo("\n".join(names()))
        return
    module, folder = load(name), out or Path("out") / name
    if sum((quick, full, rebuild, data is not None)) > 1:
        raise ValueError("give one of --quick, --full, --rebuild and --data: each says which rows are used")
    if quick or full:
        data = _trained(name, folder, quick, jobs, device)
    with working(f"running the study {name}"):
        own = {"data": data, "forms": tuple(load_law(f) for f in form or ())}
        made = module.study(seed=seed, **{name: value for name, value in own.items() if value})
    if as_json:
        _print_json(made)
    if out is not None or not (check or as_json):
        with working("writing the report"):
            written = _write(made, folder)
        typer.echo(_summary(made, folder, len(written)), err=as_json)
    if check:
        lines, met = module.check(made)
        typer.echo("\n".join(lines), err=as_json)
        if not met:
            raise typer.Exit(1)


def _trained(name: str, folder: Path, quick: bool, jobs: int, device: str) -> Path:
    """Train a study's sweep, keep the small table of them beside it, and return the folder."""
    import os

    from lawful.cli_train import make_runs
    from lawful.studies import sweep_file
    from lawful.studies.lab_runs import write_runs

    runs = folder / ("quick" if quick else "runs")
    make_runs(sweep_file(name, quick), runs, jobs or os.cpu_count() or 1, device)
    write_runs(runs, folder / f"{runs.name}.csv.gz")
    return runs


def _print_json(made: "Study") -> None:
    import json

    from lawful.fitfile import plain

    typer.echo(json.dumps(plain(made.to_dict()), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False))


def _write(made: "Study", folder: Path) -> list[Path]:
    from lawful.report import write_study
    from lawful.studies.schema import write_results

    folder.mkdir(parents=True, exist_ok=True)
    return [write_results(made, folder), *write_study(made, folder)]


def _summary(made: "Study", folder: Path, files: int) -> str:
    from lawful.describe import wrapped

    lines = [made.title, "", *(line for text in made.summary for line in wrapped(f"* {text}"))]
    verdicts = [s.verdict for s in made.statements]
    counted = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(verdicts))
    return "\n".join([*lines, "", f"statements: {counted}", f"{folder}: {files} files; open report.html"])
