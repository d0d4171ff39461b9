"""`lawful plan`: what to train. A budget or a target is asked of runs, of a fit or of a published law.

`lawful plan RUNS --flops 1e21` is short for `lawful plan budget RUNS --flops 1e21`; the other questions are commands
of their own beside it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lawful import cli_options as options
from lawful.cli_options import Columns, Json, Level, Out, RunColumn, Seed, Units, Where

if TYPE_CHECKING:
    from lawful.plan import Plan

plans = typer.Typer(rich_markup_mode=None)
_FIRST = "budget"  # the question that `lawful plan` asks where none is named

Source = Annotated[
    str, typer.Argument(metavar="RUNS|FIT|LAW", help="A table of runs, a file of `fit --out`, or a law's name.")
]


@plans.callback(no_args_is_help=True)
def asked() -> None:
    """What to train: `lawful plan RUNS --flops 1e21` for a budget, --loss 2.2 for a target; other questions below."""


def named(args: list[str]) -> list[str]:
    """``plan runs.csv ...`` as ``plan budget runs.csv ...``: the question is put in where none is named."""
    known = {c.name or c.callback.__name__ for c in plans.registered_commands if c.callback}
    if args[:1] != ["plan"] or len(args) < 2 or args[1] in {*known, "--help", "-h"}:
        return args
    return ["plan", _FIRST, *args[1:]]


@plans.command(no_args_is_help=True)
def budget(
    source: Source,
    flops: Annotated[float | None, typer.Option(help="Training compute, FLOP.")] = None,
    loss: Annotated[float | None, typer.Option(help="A loss to reach.")] = None,
    accuracy: Annotated[float | None, typer.Option(help="An accuracy to reach, a fraction; needs --task.")] = None,
    task: Annotated[
        str | None, typer.Option(metavar="FIT|LAW:SET", help="The accuracy as a function of the loss.")
    ] = None,
    law: Annotated[str, typer.Option(metavar="NAME|FILE.py:law", help="The law fitted to runs.")] = "chinchilla",
    values: Annotated[str | None, typer.Option(metavar="SET", help="Published values of a law.")] = None,
    given: Annotated[str | None, typer.Option("--with", metavar="experts=8,...", help="What else it needs.")] = None,
    max_params: Annotated[float | None, typer.Option(help="The largest model allowed.")] = None,
    max_tokens: Annotated[float | None, typer.Option(help="The most tokens there are.")] = None,
    kind: Annotated[str | None, typer.Option(metavar="run|mean", help="Who reaches the target.")] = None,
    objective: Annotated[str | None, typer.Option(help="lsq, log_lsq, log_huber:1e-3, ...")] = None,
    columns: Columns = None, where: Where = None, units: Units = None, run: RunColumn = None,
    group: Annotated[str | None, typer.Option(help="Which group of a fit by groups.")] = None,
    figure: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write figures: contours, isoFLOP curves, near-optimal band.")
    ] = None,
    level: Level = 0.9,
    draws: Annotated[int, typer.Option(help="Draws of the parameters.")] = 1000,
    seed: Seed = 0, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Split a budget into size and tokens, or find the budget of a target; near-optimal ranges, and other roads.

    Exits with 1 where nothing reaches the target, or the runs cannot tell. --out writes the plan as JSON.
    """
    from lawful.belief import belief
    from lawful.cli_tables import working
    from lawful.plan import plan

    read = {"columns": columns, "where": where, "units": options.pairs("--units", units) or None, "run": run}
    held_by = believed(source, values, law, objective, read)
    wanted: dict[str, Any] = {
        "flops": flops, "loss": loss, "accuracy": accuracy, "task": _task(task), "max_params": max_params,
        "max_tokens": max_tokens, "kind": kind, **options.numbers("--with", given),
    }  # fmt: skip
    with working("planning"):
        held = belief(held_by, draws=draws, seed=seed, group=group)
        made = plan(held, level=level, seed=seed, **{k: v for k, v in wanted.items() if v is not None})
        if figure is not None:
            _draw(held, made, figure)
    show_plan(made, out, as_json)


def believed(source: str, values: str | None, law: str, objective: str | None, read: dict[str, Any]) -> Any:
    """What a word on the command line says to believe: a fit's file, runs (fitted now), or a law with its values."""
    from lawful.cli_laws import load_law
    from lawful.datasets import names

    path = Path(source)
    if path.suffix == ".json":
        from lawful.fitfile import load_fit

        return load_fit(path)
    if source in names() or (":" not in source and (path.suffix or len(path.parts) > 1 or path.exists())):
        from lawful.fit import fit

        if values is not None:
            raise ValueError(f"--values goes with a law; {source} is a table of runs: name the law alone")
        return fit(load_law(law), options.read_runs(source, **read), objective=objective)
    known = load_law(source)
    if values is not None and "=" in values:
        return known, options.numbers("--values", values)
    return (known, values) if values is not None else known


def _task(text: str | None) -> Any:
    """``fit.json``, or ``LAW:SET`` of the catalogue."""
    if text is None:
        return None
    law, colon, values = text.rpartition(":")
    if not colon:
        from lawful.fitfile import load_fit

        return load_fit(Path(text))
    from lawful.cli_laws import load_law

    return load_law(law), values


def show_plan(made: "Plan", out: Path | None, as_json: bool) -> None:
    """Print a plan, write it where asked, and exit with 1 where the answer is no."""
    import numpy as np

    if out is not None:
        from lawful.files import write_text

        write_text(out, made.to_json() + "\n")
        typer.echo(f"{out}: written", err=True)
    typer.echo(made.to_json() if as_json else str(made))
    never = any(np.isinf(one.estimate) for one in made.answers.values())
    if never or any(f.severity == "error" for f in made.findings):
        raise typer.Exit(1)


def _draw(held: Any, made: "Plan", folder: Path) -> None:
    from lawful.plot import save
    from lawful.plot_plan import plan_figures

    for one in plan_figures(held, made):
        for written in save(one, folder):
            typer.echo(f"{written}: written", err=True)
