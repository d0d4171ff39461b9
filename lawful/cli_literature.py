"""`lawful laws papers`, `at` and `optimum`: the surveyed literature, and a law evaluated with its published values."""

import json
from dataclasses import asdict
from inspect import signature
from typing import Annotated, Any

import typer

from lawful.cli_laws import Name, laws, load_law
from lawful.cli_options import Json, pairs

Values = Annotated[str | None, typer.Option(metavar="SET", help="Published values (default: the law's first set).")]


@laws.command()
def papers(
    variable: Annotated[str | None, typer.Option(metavar="N", help="Papers that scale this variable.")] = None,
    modality: Annotated[str | None, typer.Option(help="language, code, vision, ...")] = None,
    year: Annotated[int | None, typer.Option(help="Papers of this year.")] = None,
    predicts: Annotated[str | None, typer.Option(help="Papers that predict this, such as loss.")] = None,
    taxonomy: Annotated[str | None, typer.Option(help="model, data, post-training, inference, criticism, ...")] = None,
    code: Annotated[bool, typer.Option("--code", help="Training and analysis code are public.")] = False,
    data: Annotated[bool, typer.Option("--data", help="Results of the runs are known to be public.")] = False,
    law: Annotated[str | None, typer.Option(metavar="NAME", help="Papers that a law of the catalogue is from.")] = None,
    as_json: Json = False,
) -> None:
    """List the surveyed papers: what each scales, predicts and shares, and what we found in its equations."""
    from lawful import literature

    public = {"training_code": True, "analysis_code": True} if code else {}
    found = literature.papers(
        variable=variable, modality=modality, year=year, predicts=predicts, taxonomy=taxonomy, law=law,
        data=True if data else None, **public,
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False))
        return
    typer.echo("\n".join(line for one in found for line in _entry(one)) or "no paper matches")
    typer.echo(f"{len(found)} papers", err=True)


def _entry(one: Any) -> list[str]:
    from lawful.describe import wrapped

    public = {"training code": one.training_code, "analysis code": one.analysis_code, "data": one.data}
    ranges = f"models {one.model_range or '?'}; data {one.data_range or '?'}"
    said = [
        f"{', '.join(one.taxonomy) or 'no place in the survey'}; {', '.join(one.modality)}; {one.task}".rstrip("; "),
        f"predicts {one.predicts} from {', '.join(one.variables)}; {ranges}",
        f"public: {', '.join(name for name, yes in public.items() if yes) or 'not known'}",
    ]
    said += [f"laws: {', '.join(one.laws)}"] if one.laws else []
    said += [f"check: {one.check}"] if one.check else []
    head = f"{one.key}: {one.title} ({one.authors}, {one.year})"
    return [*wrapped(head), *(f"  {line}" for text in said for line in wrapped(text))]


@laws.command(no_args_is_help=True)
def at(
    name: Name,
    point: Annotated[str, typer.Argument(metavar="N=70e9,D=1.4e12", help="The law's variables.")],
    values: Values = None,
    as_json: Json = False,
) -> None:
    """Evaluate a law with published values: a point without interval, since papers publish none with their values."""
    law = load_law(name)
    chosen = _set(law, values)
    variables = {k: float(v) for k, v in pairs("point", point).items()}
    y = float(law.at(chosen, **variables))
    said = f"{law.predicts} = {y:.6g} with {chosen}; no interval: none is published"
    typer.echo(json.dumps({"law": law.name, "values": chosen, "at": variables, law.predicts: y}) if as_json else said)


@laws.command(no_args_is_help=True)
def optimum(
    name: Name,
    budget: Annotated[float, typer.Argument(metavar="FLOP", help="Training compute C.")],
    values: Values = None,
    given: Annotated[str | None, typer.Option("--with", metavar="w=4096,...", help="Other variables it needs.")] = None,
    as_json: Json = False,
) -> None:
    """The closed-form optimum of a law at a compute budget, with published values."""
    law = load_law(name)
    if not law.optimum:
        raise ValueError(f"law {law.name} declares no closed-form optimum")
    chosen = _set(law, values)
    named = dict(law.published(chosen).values)
    more = {k: float(v) for k, v in pairs("--with", given).items()}
    needed = {n for formula in law.optimum.values() for n in list(signature(formula).parameters)[2:]}
    if needed != set(more):
        raise ValueError(f"--with: the optimum of law {law.name} needs {', '.join(sorted(needed)) or 'nothing more'}")
    found = {symbol: float(formula(budget, named, **more)) for symbol, formula in law.optimum.items()}
    said = ", ".join(f"{symbol} = {x:.4g}" for symbol, x in found.items())
    if as_json:
        typer.echo(json.dumps({"law": law.name, "values": chosen, "C": budget, **found}))
    else:
        typer.echo(f"{said} at C = {budget:g} with {chosen}; no interval: none is published")


def _set(law: Any, values: str | None) -> str:
    """The set asked for, or the first that gives every parameter."""
    if values is not None:
        law.published(values)
        return values
    whole = [key for key, one in law.values.items() if not one.partial]
    if not whole:
        raise ValueError(f"no complete set of values was published for law {law.name}; fit it to your runs")
    return whole[0]
