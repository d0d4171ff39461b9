"""`lawful study`: run a published study again, and compare each of its numbers.

A study is a module of `lawful.studies` with a function ``run(seed) -> Study``; the golden numbers of its rows are what
--check compares.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lawful.cli_options import Json, Seed

if TYPE_CHECKING:
    from lawful.studies.results import Row, Study


def study(
    name: Annotated[str | None, typer.Argument(help="The study; without it, their names are listed.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where to write (default: out/NAME).")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare every number; exit 1 if a golden one is missed.")
    ] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Run a study: results.json, report.md, report.html and figures in a folder; or --check its numbers."""
    from lawful.cli_tables import working

    if name is None:
        typer.echo("\n".join(study_names()) or "there are no studies yet")
        return
    run = _runner(name)
    with working(f"running the study {name}"):
        made = run(seed=seed)
    missed = [row for row in made.rows if agrees(row) is False]
    if as_json:
        typer.echo(_json(made), nl=False)
    if check:
        _print_check(made, missed, err=as_json)
    if out is not None or not (check or as_json):
        folder = out or Path("out") / name
        with working("writing the report"):
            written = _write(made, folder)
        typer.echo(_summary(made, folder, written), err=as_json)
    if check and missed:
        raise typer.Exit(1)


def study_names() -> list[str]:
    """The studies there are: the modules of `lawful.studies` whose names are single words, results aside."""
    from pkgutil import iter_modules

    import lawful.studies

    return sorted(m.name for m in iter_modules(lawful.studies.__path__) if "_" not in m.name and m.name != "results")


def _runner(name: str) -> Any:
    from importlib import import_module

    from lawful.quantities import did_you_mean

    known = study_names()
    if name not in known:
        raise ValueError(f"there is no study {name!r}{did_you_mean(name, known)}")
    return import_module(f"lawful.studies.{name}").run


def agrees(row: "Row") -> bool | None:
    """Whether the recomputed number is the golden one, within its tolerance; None where there is none."""
    if row.golden is None:
        return None
    if isinstance(row.golden, str) or not isinstance(row.recomputed, int | float):
        return row.golden == row.recomputed
    return abs(row.recomputed - row.golden) <= row.tolerance


def _print_check(made: "Study", missed: list["Row"], err: bool) -> None:
    from lawful.describe import columns

    said = {True: "ok", False: "MISSED", None: "-"}
    head = ("golden", "recomputed", "published", "by us", "outcome", "what")
    rows = [
        (said[agrees(r)], _number(r.recomputed), _number(r.published), _number(r.golden), r.outcome, r.what)
        for r in made.rows
    ]
    typer.echo("\n".join(columns([head, *rows])), err=err)
    golden = sum(r.golden is not None for r in made.rows)
    outcomes = [r.outcome for r in made.rows]
    counted = ", ".join(f"{outcomes.count(o)} {o}" for o in dict.fromkeys(outcomes))
    typer.echo(f"\n{golden - len(missed)} of {golden} golden numbers met; published numbers: {counted}", err=err)


def _number(x: Any) -> str:
    return "" if x is None else x if isinstance(x, str) else f"{x:.6g}"


def _json(made: "Study") -> str:
    import json

    from lawful.fitfile import plain

    return json.dumps(plain(made.to_dict()), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _write(made: "Study", folder: Path) -> list[Path]:
    from lawful.files import write_text
    from lawful.report import write_study

    return [write_text(folder / "results.json", _json(made)), *write_study(made, folder)]


def _summary(made: "Study", folder: Path, written: list[Path]) -> str:
    import textwrap

    lines = [made.title, ""]
    for sentence in made.summary:
        lines += textwrap.wrap(sentence, 100, initial_indent="* ", subsequent_indent="  ")
    verdicts = [s.verdict for s in made.statements]
    counted = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(verdicts))
    return "\n".join([*lines, "", f"statements: {counted}", f"{folder}: {len(written)} files; open report.html"])
