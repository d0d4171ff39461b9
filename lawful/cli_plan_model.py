"""`lawful plan`: questions about a model: shape, learning rate, schedule, experts, sparsity, distillation, bits."""

from typing import Annotated, Any

import typer

from lawful.cli_options import Json, Level, Out
from lawful.cli_plan import believed, plans, show_plan
from lawful.cli_plan_run import Machine, pair, whole

Budget = Annotated[float, typer.Option("--flops", help="Training compute, FLOP.")]
Size = Annotated[float, typer.Option("--params", help="Parameters of the model.")]
Tokens = Annotated[float | None, typer.Option("--tokens", help="Training tokens.")]
Believe = Annotated[
    str | None, typer.Option("--believe", metavar="FIT|LAW", help="A fit of the law, in place of its published values.")
]
ValuesName = Annotated[str | None, typer.Option("--values", metavar="SET", help="Published values of the law.")]


@plans.command(no_args_is_help=True)
def architecture(
    params: Size, tokens: Tokens = None,
    vocab: Annotated[int, typer.Option(help="Tokens of the vocabulary.")] = 32_000,
    context: Annotated[int, typer.Option(help="Context length.")] = 4096,
    group: Annotated[int, typer.Option(help="Query heads per key and value head.")] = 1,
    multiple: Annotated[int | None, typer.Option(help="Widths are multiples of this.")] = None,
    aspect: Annotated[str, typer.Option(metavar="LOW:HIGH", help="Width over depth.")] = "8:256",
    hardware: Machine = None, level: Level = 0.9, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Width, depth, heads and MLP of a model of given size: the shapes that can be built and are near-optimal."""
    from lawful.plan_architecture import architecture as shape

    made = shape(
        params=params, tokens=tokens, vocab=vocab, context=context, group=group, multiple=multiple,
        aspect=pair("--aspect", aspect), hardware=hardware, level=level,
    )  # fmt: skip
    show_plan(made, out, as_json)


@plans.command(no_args_is_help=True)
def tuning(
    params: Size, tokens: Tokens = None,
    batch: Annotated[float | None, typer.Option(help="Tokens of a batch that is given.")] = None,
    level: Level = 0.9, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Learning rate, batch, steps and weight decay, and how far each may be off (--tokens: 20 per parameter)."""
    from lawful.plan_tuning import tuning as tune

    show_plan(tune(params=params, tokens=tokens or 20 * params, batch=batch, level=level), out, as_json)


@plans.command(no_args_is_help=True)
def schedule(
    steps: Annotated[int, typer.Option(help="Steps of the run.")],
    peak: Annotated[float, typer.Option(help="Peak learning rate.")] = 3e-4,
    warmup: Annotated[int | None, typer.Option(help="Steps of warm-up (default 2 %).")] = None,
    level: Level = 0.9, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """How the learning rate should fall: cosine, linear or warm-up-stable-decay, by the multi-power law."""
    from lawful.plan_tuning import schedule as fall

    show_plan(fall(steps=steps, peak=peak, warmup=warmup, level=level), out, as_json)


@plans.command(no_args_is_help=True)
def experts(
    flops: Budget,
    options: Annotated[str, typer.Option("--experts", metavar="1,2,4,...", help="Numbers tried.")] = "1,2,4,8,16,32",
    memory: Annotated[float | None, typer.Option(help="Bytes that all weights may take.")] = None,
    weight_bits: Annotated[float, typer.Option(help="Bits of a weight.")] = 16, believe: Believe = None,
    values: ValuesName = None, level: Level = 0.9, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """How many experts of which active size, within a memory."""
    from lawful.plan_sparse import experts as choose

    more = _source(believe, values)
    made = choose(flops=flops, options=whole("--experts", options), memory=memory, weight_bits=weight_bits, level=level,
                  **more)  # fmt: skip
    show_plan(made, out, as_json)


@plans.command(no_args_is_help=True)
def granularity(
    flops: Budget, number: Annotated[int, typer.Option("--experts", help="Experts at granularity 1.")] = 64,
    believe: Believe = None, values: ValuesName = None, level: Level = 0.9, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """How fine experts should be, the cost of routing included."""
    from lawful.plan_sparse import granularity as choose

    show_plan(choose(flops=flops, experts=number, level=level, **_source(believe, values)), out, as_json)


@plans.command(no_args_is_help=True)
def sparsity(
    flops: Budget, nonzero: Annotated[float, typer.Option(help="Weights that are not zero.")],
    believe: Believe = None, values: ValuesName = None, level: Level = 0.9, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """The share of weights to set to zero when the number of others is given."""
    from lawful.plan_sparse import sparsity as choose

    show_plan(choose(flops=flops, nonzero=nonzero, level=level, **_source(believe, values)), out, as_json)


@plans.command(no_args_is_help=True)
def pruning(
    believe: Annotated[str, typer.Option("--believe", metavar="FIT", help="A fit of chen_p2; it has no values.")],
    params: Size, loss: Annotated[float, typer.Option(help="The loss before pruning.")],
    rate: Annotated[float, typer.Option(help="The share pruned.")], tokens: Tokens = None,
    most: Annotated[float | None, typer.Option(help="The loss allowed, for the tokens it takes.")] = None,
    level: Level = 0.9, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """The loss after pruning and post-training, or the tokens that a loss takes."""
    from lawful.plan_sparse import pruning as prune

    source = believed(believe, None, "chen_p2", None, {})
    show_plan(prune(source, params=params, loss=loss, rate=rate, tokens=tokens, most=most, level=level), out, as_json)


@plans.command(no_args_is_help=True)
def distillation(
    params: Size, tokens: Tokens = None,
    teacher: Annotated[list[str] | None, typer.Option(metavar="PARAMS:TOKENS", help="A teacher; may repeat.")] = None,
    train_teacher: Annotated[bool, typer.Option("--train-teacher", help="The teacher must be trained first.")] = False,
    believe: Believe = None, values: ValuesName = None, level: Level = 0.9, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Distil or train alone, and from how good a teacher (--tokens: 20 per parameter)."""
    from lawful.plan_distillation import distillation as distil

    made = distil(
        params=params, tokens=tokens or 20 * params, teachers=[pair("--teacher", t) for t in teacher or ()],
        teacher_exists=not train_teacher, level=level, **_source(believe, values),
    )  # fmt: skip
    show_plan(made, out, as_json)


@plans.command(no_args_is_help=True)
def precision(
    flops: Annotated[float | None, typer.Option(help="Compute in 16 bits: the bits to train in.")] = None,
    memory: Annotated[float | None, typer.Option(help="Bytes for the weights: the bits to serve in.")] = None,
    params: Annotated[float | None, typer.Option(help="A finished model: what each precision adds.")] = None,
    tokens: Tokens = None, believe: Believe = None, values: ValuesName = None, level: Level = 0.9, out: Out = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Bits to train in (--flops) or to serve in (--memory or --params, with --tokens)."""
    from lawful.plan_precision import serving, training

    more = _source(believe, values)
    if flops is not None:
        made = training(flops=flops, params=params, level=level, **more)
    else:
        made = serving(memory=memory, params=params, tokens=tokens, level=level, **more)
    show_plan(made, out, as_json)


def _source(believe: str | None, values: str | None) -> dict[str, Any]:
    """What is believed, where it is not the published default."""
    if believe is None:
        if values is not None:
            raise ValueError("--values names a set of a law: name the law with --believe")
        return {}
    return {"source": believed(believe, values, "", None, {})}
