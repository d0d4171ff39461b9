"""`lawful plan`: questions about data and samples: filtering, mixtures, continued training, vocabulary, attempts."""

from typing import Annotated, Any

import typer

from lawful import cli_options as options
from lawful.cli_options import Columns, Json, Level, Out, RunsFile, Seed, Target, Where
from lawful.cli_plan import Source, believed, plans, show_plan
from lawful.cli_plan_run import LawName, ValuesName, listed


@plans.command(no_args_is_help=True)
def filtering(
    source: Source, flops: Annotated[float, typer.Option(help="Training compute, FLOP.")],
    unique_tokens: Annotated[float, typer.Option(help="Tokens of the whole pool.")],
    kept: Annotated[str, typer.Option(metavar="0.1,0.3,1", help="Shares of the pool that could be kept.")],
    worth: Annotated[str, typer.Option(metavar="1.8,1.4,1", help="Worth of a kept token, in tokens of the pool.")],
    law: LawName = "chinchilla", values: ValuesName = None, columns: Columns = None, where: Where = None,
    level: Level = 0.9, seed: Seed = 0, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """How much of the data to keep at this compute, and from which compute on more of it."""
    from lawful.plan_data import filtering as filter_

    held = believed(source, values, law, None, {"columns": columns, "where": where})
    made = filter_(held, flops=flops, unique_tokens=unique_tokens, kept=listed("--kept", kept),
                   worth=listed("--worth", worth), level=level, seed=seed)  # fmt: skip
    show_plan(made, out, as_json)


@plans.command(no_args_is_help=True)
def mixture(
    runs: RunsFile, target: Target = None,
    domains: Annotated[str, typer.Option("--mixture", metavar="web,code,...", help="Columns of the shares.")] = "",
    method: Annotated[str, typer.Option(metavar="ye|regmix", help="Fit a mixing law, or regress and simulate.")] = "ye",
    columns: Columns = None, where: Where = None, level: Level = 0.9, seed: Seed = 0, as_json: Json = False,
) -> None:  # fmt: skip
    """The best mixture of domains, from small runs over many mixtures; each share with its interval."""
    import json

    from lawful.fitfile import plain
    from lawful.mixtures import best_mixture, regmix

    names = options.names(domains)
    if not names or target is None:
        raise ValueError("plan mixture: give --mixture, the columns of the shares, and --target, that of the loss")
    if method not in ("ye", "regmix"):
        raise ValueError(f"plan mixture: --method is {method!r}; allowed: ye, regmix")
    table = options.read_runs(runs, columns=columns, target=target, where=where, need=[*names, target]).frame
    chosen = {name: table[name].to_numpy() for name in (*names, target)}
    if method == "ye":
        made = best_mixture(chosen, names, {target: 1.0}, level=level, seed=seed)
    else:
        made = regmix(chosen, names, target, level=level, seed=seed)
    facts = {"shares": {n: vars(x) for n, x in made.shares.items()}, "loss": vars(made.loss), "gain": vars(made.gain)}
    typer.echo(json.dumps(plain(facts), indent=1) if as_json else str(made))


@plans.command(no_args_is_help=True)
def continued(
    tokens: Annotated[float, typer.Option(help="Tokens of continued training.")],
    domain: Annotated[str | None, typer.Option(metavar="FIT", help="A fit of dcpt to the domain's loss.")] = None,
    general: Annotated[str | None, typer.Option(metavar="FIT", help="A fit of dcpt to the general loss.")] = None,
    params: Annotated[float | None, typer.Option(help="Parameters of the model.")] = None,
    weight: Annotated[float, typer.Option(help="The domain's weight in the objective.")] = 0.5,
    level: Level = 0.9, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """The share of domain data when a model goes on training; without fits, published critical shares."""
    from lawful.plan_data import continued as mix

    fits = [None if f is None else believed(f, None, "dcpt", None, {}) for f in (domain, general)]
    made = mix(tokens=tokens, source=fits[0], general=fits[1], params=params, weight=weight, level=level)
    show_plan(made, out, as_json)


@plans.command(no_args_is_help=True)
def vocabulary(
    params: Annotated[float, typer.Option(help="Parameters without the vocabulary's.")],
    width: Annotated[float, typer.Option(help="Width of the embedding.")],
    flops: Annotated[float | None, typer.Option(help="Training compute (default: compute-optimal).")] = None,
    level: Level = 0.9, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """The size of the vocabulary, by three published roads."""
    from lawful.plan_data import vocabulary as size

    show_plan(size(params=params, width=width, flops=flops, level=level), out, as_json)


@plans.command(no_args_is_help=True)
def attempts(
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:PARAMS:ACC:K:COVERAGE", help="Accuracy of one sample, coverage of K; may repeat."),
    ] = None,
    flops_per_question: Annotated[float | None, typer.Option(help="What a question may cost, FLOP.")] = None,
    accuracy: Annotated[float | None, typer.Option(help="Or an accuracy to reach at least cost.")] = None,
    tokens: Annotated[float, typer.Option(help="Tokens of a sample.")] = 1000.0,
    strategies: Annotated[str, typer.Option(help="coverage, vote, best_of, tree.")] = "coverage,vote,best_of,tree",
    accepts_right: Annotated[float, typer.Option(help="How often a verifier passes a right answer.")] = 0.9,
    accepts_wrong: Annotated[float, typer.Option(help="How often it passes a wrong one.")] = 0.1,
    level: Level = 0.9, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """A small model asked often or a large one asked once: repeated samples, votes, best of n, tree search."""
    from lawful.plan_attempts import Verifier
    from lawful.plan_attempts import attempts as ask

    made = ask(
        [_candidate(text, tokens) for text in model or ()], flops_per_question=flops_per_question, accuracy=accuracy,
        strategies=options.names(strategies), verifier=Verifier(accepts_right, accepts_wrong), level=level,
    )  # fmt: skip
    show_plan(made, out, as_json)


def _candidate(text: str, tokens: float) -> Any:
    from lawful.attempts import from_points
    from lawful.plan_attempts import Candidate

    name, *cells = text.split(":")
    try:
        params, first, k, coverage = map(float, cells)
    except ValueError:
        raise ValueError(f"--model: {text!r} cannot be read; write NAME:PARAMS:ACC:K:COVERAGE") from None
    return Candidate(name, params, from_points(first, k, coverage), tokens)
