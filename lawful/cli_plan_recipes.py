"""`lawful plan recipes` and `lawful plan proxies`: which recipe wins at scale, and whether small runs can say so."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lawful.cli_options import Columns, Json, Level, Out, Seed, Target, Units, Where, names, pairs, read_runs

Sources = Annotated[list[str], typer.Argument(metavar="RUNS|FIT...", help="One table, or files of `lawful fit --out`.")]
Table = Annotated[str, typer.Argument(metavar="RUNS", help="CSV, TSV, JSONL or Parquet, or a published table.")]
Recipe = Annotated[str, typer.Option("--by", metavar="COLUMN", help="Column of recipes.")]


def recipes_command(
    sources: Sources,
    by: Recipe = "recipe",
    flops: Annotated[
        float | None, typer.Option(help="Compute asked about (default: ten times the largest run).")
    ] = None,
    law: Annotated[str | None, typer.Option(metavar="NAME,...", help="Law or laws to fit to every recipe.")] = None,
    ratio: Annotated[float | None, typer.Option(help="Tokens per parameter (default: the best).")] = None,
    unpaired: Annotated[bool, typer.Option("--unpaired", help="Draw the noise of each recipe by itself.")] = False,
    columns: Columns = None,
    where: Where = None,
    units: Units = None,
    level: Level = 0.9,
    draws: Annotated[int, typer.Option(help="Draws of the fitted laws.")] = 500,
    seed: Seed = 0,
    figure: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Draw curves and probability here.")] = None,
    json: Json = False,
    out: Out = None,
) -> None:
    """Say which recipe has the lower loss at a compute, with which probability, and how much compute that is worth."""
    from lawful.recipes import recipes

    source = _source(sources, columns=pairs("--columns", columns) or None, where=where, units=pairs("--units", units))
    made = recipes(
        source, by=by, law=names(law) or None, flops=flops, ratio=ratio, paired=False if unpaired else None,
        draws=draws, seed=seed,
    )  # fmt: skip
    _say(str(made), made.facts(level=level), json, out)
    if figure is not None:
        from lawful.plot import save
        from lawful.plot_design import recipes_figure

        for path in save(recipes_figure(made, level), figure):
            typer.echo(f"{path}: written", err=True)


def proxies_command(
    source: Table,
    by: Recipe = "recipe",
    along: Annotated[str | None, typer.Option(metavar="COLUMN", help="Scale (default: flops, params, tokens).")] = None,
    target: Target = None,
    at: Annotated[float | None, typer.Option(help="Scale that is decided at (default: the largest).")] = None,
    columns: Columns = None,
    where: Where = None,
    level: Level = 0.9,
    seed: Seed = 0,
    json: Json = False,
    out: Out = None,
) -> None:
    """Say how often smaller runs put recipes in the order that they have at the largest scale."""
    from dataclasses import asdict

    from lawful.proxies import decision_accuracy

    runs = read_runs(source, columns=pairs("--columns", columns) or None, where=where, need=())
    made = decision_accuracy(runs, by=by, along=along, target=target, at=at, level=level, seed=seed)
    _say(str(made), asdict(made), json, out)


def _source(sources: list[str], units: dict[str, str], **options: Any) -> Any:
    if len(sources) == 1 and not sources[0].endswith(".json"):
        return read_runs(sources[0], **options, **({"units": units} if units else {}))
    from lawful.fit import Fits
    from lawful.fitfile import load_fit

    found: dict[str, Any] = {}
    for name in sources:
        if not name.endswith(".json"):
            raise ValueError(f"{name} is no fit file: give one table with --by, or several files of `lawful fit --out`")
        one = load_fit(Path(name))
        found |= dict(one) if isinstance(one, Fits) else {Path(name).stem: one}
    return found


def _say(text: str, facts: dict[str, Any], as_json: bool, out: Path | None) -> None:
    import json

    from lawful.files import write_text
    from lawful.fitfile import plain

    data = json.dumps(plain(facts), indent=1, ensure_ascii=False, allow_nan=False)
    typer.echo(data if as_json else text)
    if out is not None:
        write_text(out, data + "\n")
