"""The commands that ask which law to trust: compare, and posterior."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lawful import cli_options as options
from lawful.cli_options import (
    By,
    Columns,
    FitFile,
    Json,
    Level,
    RunColumn,
    RunsFile,
    Seed,
    Target,
    Units,
    Weights,
    Where,
)


def compare(
    runs: RunsFile,
    laws: Annotated[str | None, typer.Option(metavar="A,B,...", help="Laws (default: those that suit).")] = None,
    choices: Annotated[
        str | None, typer.Option(metavar="all|objective,...", help="Choices to go through, instead of laws.")
    ] = None,
    flops: Annotated[float | None, typer.Option(help="With --choices: the budget of the decision.")] = None,
    at: Annotated[str | None, typer.Option(metavar="N=7e10,D=1.4e12", help="With --choices: forecast here.")] = None,
    variables: Annotated[str | None, typer.Option(metavar="x=flops,...", help="The laws' variable = column.")] = None,
    objective: Annotated[str | None, typer.Option(help="lsq, log_lsq, log_huber:1e-3, binomial, ...")] = None,
    axis: Annotated[str | None, typer.Option(metavar="COLUMN", help="The scale of the origins.")] = None,
    target: Target = None, columns: Columns = None, where: Where = None, by: By = None, weights: Weights = None,
    units: Units = None, run: RunColumn = None,
    draws: Annotated[int, typer.Option(help="Simulated data sets of each test.")] = 199,
    seed: Seed = 0,
    figure: Annotated[Path | None, typer.Option(metavar="FOLDER", help="With --choices: draw them here.")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Laws against laws by their errors on larger scales; or, with --choices, how a decision moves with how it is made.

    Choices: law, objective, outliers, params, compute, checkpoints, weights; all takes what the table leaves open.
    """
    from lawful.cli_tables import working
    from lawful.compare import Comparisons
    from lawful.compare import compare as compare_laws

    mapped = options.pairs("--variables", variables)
    table = options.read_runs(
        runs, columns=columns, target=target, where=where, by=by, weights=weights, run=run,
        units=options.pairs("--units", units) or None, need=list(mapped.values()) or None,
    )  # fmt: skip
    asked = None if choices is None else True if choices == "all" else options.names(choices)
    with working(f"comparing on {len(table)} rows"):
        made = compare_laws(
            table, options.names(laws) or None, asked, by, target=target, objective=objective, axis=axis,
            variables=mapped, flops=flops, at=options.numbers("--at", at) or None,
            draws=draws, seed=seed,
        )  # fmt: skip
    many = made.comparisons if isinstance(made, Comparisons) else {"": made}
    if figure is not None:
        _draw(many, figure)
    if as_json:
        _print({k: facts(one) for k, one in many.items()} if isinstance(made, Comparisons) else facts(made))
    else:
        from lawful.describe import wrapped

        typer.echo("\n".join(wrapped(str(made))))


def facts(made: Any) -> dict[str, Any]:
    """A comparison as plain data."""
    from dataclasses import asdict

    out: dict[str, Any] = {"rows": made.table().to_dicts(), "findings": [asdict(f) for f in made.findings]}
    if made.standings:
        out |= {"n": made.n, "axis": made.axis, "origins": made.origins, "held_out": made.held}
    if made.choices is not None:
        s = made.choices
        out |= {
            "flops": s.flops, "at": dict(s.at), "shares": {k: dict(v) for k, v in s.shares.items()},
            "range": {k: s.range(k) for k in s.outcomes}, "noise": {k: asdict(v) for k, v in s.noise.items()},
            "outliers": list(s.aside), "choice_findings": [asdict(f) for f in s.findings],
        }  # fmt: skip
    return out


def _draw(many: Any, folder: Path) -> None:
    from dataclasses import replace

    from lawful.plot import save
    from lawful.plot_choices import choices_figure

    for label, one in many.items():
        if one.choices is None:
            raise ValueError("--figure draws choices: add --choices")
        figure = choices_figure(one.choices)
        written = save(replace(figure, id=f"{figure.id}_{label}") if label else figure, folder)
        typer.echo(f"{written[0]}: written", err=True)


def posterior(
    fit: FitFile,
    prior: Annotated[
        str | None, typer.Option(metavar="literature|alpha=0.34:0.05,...", help="Default: flat; NAME=MEAN:SD.")
    ] = None,
    pool: Annotated[
        str | None, typer.Option(metavar="alpha,...", help="For fits by group: numbers that groups share in part.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Steps of each walker, at most.")] = 3200,
    level: Level = 0.95, seed: Seed = 0, as_json: Json = False,
) -> None:  # fmt: skip
    """What few runs say, given what is known from others: posterior intervals beside those of the runs alone.

    Needs the extra bayes. Exits with 1 if a chain has not settled.
    """
    from lawful.cli_tables import working
    from lawful.describe import wrapped
    from lawful.fitfile import load_fit
    from lawful.posterior import Posteriors
    from lawful.posterior import posterior as sample

    known: Any = prior if prior in (None, "literature") else _means(prior)
    with working("sampling"):
        try:
            made = sample(load_fit(fit), known, pool=tuple(options.names(pool)), steps=steps, seed=seed)
        except ImportError as problem:
            raise ValueError(str(problem)) from None
    many = made.posteriors if isinstance(made, Posteriors) else {"": made}
    if as_json:
        groups = {k: _posterior_facts(one, level) for k, one in many.items()}
        _print({"by": made.by, "groups": groups} if isinstance(made, Posteriors) else groups[""])
    else:
        typer.echo("\n".join(wrapped(str(made))))
    if not made.settled:
        raise typer.Exit(1)


def _means(text: str | None) -> dict[str, tuple[float, float]]:
    """``"alpha=0.34:0.05"`` as means and standard deviations."""
    return options.ranges("--prior", text)


def _posterior_facts(one: Any, level: float) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "posterior": {k: asdict(v) for k, v in one.intervals(level).items()},
        "alone": {k: asdict(v) for k, v in one.alone.items()},
        "priors": {k: str(v) for k, v in one.priors.items()},
        "findings": [asdict(f) for f in one.findings],
    }


def _print(data: Any) -> None:
    import json

    from lawful.fitfile import plain

    typer.echo(json.dumps(plain(data), indent=1, ensure_ascii=False, allow_nan=False))
