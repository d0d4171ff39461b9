"""`lawful plan`: questions about runs and machines: limits, hardware, serving, fronts, advice."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lawful import cli_options as options
from lawful.cli_options import Columns, Json, Level, Out, Seed, Where
from lawful.cli_plan import Source, believed, plans, show_plan

LawName = Annotated[str, typer.Option("--law", metavar="NAME|FILE.py:law", help="The law fitted to runs.")]
ValuesName = Annotated[str | None, typer.Option("--values", metavar="SET", help="Published values of a law.")]
Machine = Annotated[str | None, typer.Option("--hardware", metavar='"8x h100"', help="Devices; see `plan hardware`.")]
Assumed = Annotated[
    str | None,
    typer.Option("--assume", metavar="price=2.2,utilisation=0.3:0.5", help="Your numbers, or ranges low:high."),
]
Parameters = Annotated[float | None, typer.Option("--params", help="Parameters of the model.")]
Bits = Annotated[str, typer.Option("--bits", metavar="16,8,4", help="Bits of the served weights.")]


@plans.command(no_args_is_help=True)
def limits(
    source: Source, law: LawName = "chinchilla", values: ValuesName = None,
    flops: Annotated[float | None, typer.Option(help="Compute, of the whole life where tokens are served.")] = None,
    days: Annotated[float | None, typer.Option(help="Days of training.")] = None,
    money: Annotated[float | None, typer.Option(help="Money, of the whole life where tokens are served.")] = None,
    energy: Annotated[float | None, typer.Option(help="Energy of training, kWh.")] = None,
    carbon: Annotated[float | None, typer.Option(help="Carbon of training, kg CO2e.")] = None,
    hardware: Machine = None, assume: Assumed = None,
    max_params: Annotated[float | None, typer.Option(help="The largest model allowed.")] = None,
    max_tokens: Annotated[float | None, typer.Option(help="The most training tokens.")] = None,
    token_ms: Annotated[float | None, typer.Option(help="Milliseconds a token may take when serving.")] = None,
    serve_on: Annotated[str | None, typer.Option(help="The device that answers; the weights must fit.")] = None,
    serve_bits: Annotated[float, typer.Option(help="Bits of a weight when serving.")] = 16,
    unique_tokens: Annotated[float | None, typer.Option(help="Distinct tokens; more are repeats.")] = None,
    inference_tokens: Annotated[float | None, typer.Option(help="Tokens served over the model's life.")] = None,
    input_tokens: Annotated[float | None, typer.Option(help="Prompt tokens served.")] = None,
    output_tokens: Annotated[float | None, typer.Option(help="Generated tokens served.")] = None,
    prices: Annotated[str | None, typer.Option(help="Published prices, such as sardana2024.")] = None,
    loss: Annotated[float | None, typer.Option(help="A loss to reach at least cost.")] = None,
    like: Annotated[float | None, typer.Option(help="Or the quality of an optimal model of this size.")] = None,
    minimise: Annotated[str | None, typer.Option(help="With --loss or --like: flops or money.")] = None,
    columns: Columns = None, where: Where = None, level: Level = 0.9, seed: Seed = 0, out: Out = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """The best model under several limits at once, or the cheapest that is good enough; says which limit binds."""
    from lawful.belief import belief
    from lawful.plan_limits import limited

    held = belief(_believed(source, law, values, columns, where), seed=seed)
    made = limited(
        held, flops=flops, days=days, money=money, energy=energy, carbon=carbon, max_tokens=max_tokens,
        unique_tokens=unique_tokens, max_params=max_params, inference_tokens=inference_tokens or 0.0,
        input_tokens=input_tokens or 0.0, output_tokens=output_tokens or 0.0, hardware=hardware, prices=prices,
        loss=loss, like=like, minimise=minimise, token_ms=token_ms, serve_on=serve_on, serve_bits=serve_bits,
        level=level, seed=seed, **ranges("--assume", assume),
    )  # fmt: skip
    show_plan(made, out, as_json)


@plans.command(no_args_is_help=True)
def overtraining(
    source: Source, flops: Annotated[float, typer.Option(help="Training compute, FLOP.")], law: LawName = "chinchilla",
    values: ValuesName = None,
    ratios: Annotated[str, typer.Option(metavar="20,80,320", help="Tokens per parameter.")] = "20,40,80,160,320,640",
    columns: Columns = None, where: Where = None, level: Level = 0.9, seed: Seed = 0, out: Out = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """What a smaller model on more tokens costs in loss and compute, and saves in serving."""
    from lawful.plan_overtraining import overtraining as cost

    held = _believed(source, law, values, columns, where)
    made = cost(held, flops=flops, ratios=listed("--ratios", ratios), level=level, seed=seed)
    show_plan(made, out, as_json)


@plans.command()
def hardware(
    what: Annotated[str | None, typer.Argument(metavar='"8x h100"', help="Devices; left out, all are listed.")] = None,
    flops: Annotated[float | None, typer.Option(help="A run's compute, for its bill.")] = None,
    assume: Assumed = None,
    level: Level = 0.9,
    as_json: Json = False,
) -> None:
    """What a run costs on a machine: days, money, energy and carbon; or the devices that are known."""
    import json

    from lawful.fitfile import plain
    from lawful.hardware import assumption_findings, bill, devices
    from lawful.hardware import hardware as machine_of

    if what is None:
        facts: Any = {n: plain({**vars(d), "peak": dict(d.peak)}) for n, d in devices().items()}
        lines = [f"{n:<11}{_device(d)}" for n, d in devices().items()]
    else:
        if flops is None:
            raise ValueError("plan hardware: give --flops, the compute of the run, or no device to list them all")
        machine = machine_of(what, **ranges("--assume", assume))
        found = bill(machine, flops, level=level)
        facts = plain({n: vars(one) for n, one in found.items()})
        lines = [
            str(machine),
            *(f"  {n:<13}{one}" for n, one in found.items()),
            *map(str, assumption_findings(machine)),
        ]
    typer.echo(json.dumps(facts, indent=1) if as_json else "\n".join(lines))


def _device(d: Any) -> str:
    peak = ", ".join(f"{x / 1e12:g} in {f}" for f, x in d.peak.items())
    return f"{peak} TFLOP/s; {d.memory / 1e9:g} GB at {d.bandwidth / 1e9:g} GB/s; {d.power:g} W; {d.source}, {d.year}"


@plans.command(no_args_is_help=True)
def serving(
    hardware: Machine = None, params: Parameters = None,
    active: Annotated[float | None, typer.Option(help="Parameters that one token meets, of experts.")] = None,
    prompt: Annotated[int, typer.Option(help="Tokens of a prompt.")] = 512,
    generated: Annotated[int, typer.Option(help="Tokens of an answer.")] = 256,
    token_ms: Annotated[float | None, typer.Option(help="Milliseconds a token may take.")] = None,
    first_token_ms: Annotated[float | None, typer.Option(help="Milliseconds until the first token.")] = None,
    bits: Bits = "16,8,4", assume: Assumed = None, level: Level = 0.9, seed: Seed = 0, out: Out = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Latency, throughput and price of serving a model, from a stated roofline; the batch and bits to serve in."""
    from lawful.plan_serving import speed

    if hardware is None or params is None:
        raise ValueError("plan serving: give --params and --hardware")
    made = speed(
        hardware=hardware, params=params, active=active, prompt=prompt, generated=generated, token_ms=token_ms,
        first_token_ms=first_token_ms, bits=whole("--bits", bits), level=level, seed=seed, **ranges("--assume", assume),
    )  # fmt: skip
    show_plan(made, out, as_json)


@plans.command(no_args_is_help=True)
def pareto(
    source: Source, law: LawName = "chinchilla", values: ValuesName = None,
    objectives: Annotated[str, typer.Option(help="loss, regret, flops, money, days, energy, carbon, token_ms, memory.")]
    = "loss,money,token_ms",
    hardware: Machine = None,
    serve_on: Annotated[str | None, typer.Option(help="The device that answers.")] = None,
    params: Annotated[str, typer.Option(metavar="LOW:HIGH", help="Sizes searched.")] = "1e8:1e11",
    tokens: Annotated[str, typer.Option(metavar="LOW:HIGH", help="Tokens searched.")] = "1e10:1e13",
    bits: Bits = "16,8,4",
    inference_tokens: Annotated[float, typer.Option(help="Tokens served over the model's life.")] = 0.0,
    at_most: Annotated[str | None, typer.Option(metavar="money=1e5,...", help="Limits on objectives.")] = None,
    group: Annotated[str | None, typer.Option(metavar="NAME=FIT,...", help="More groups, as files of fits.")] = None,
    figure: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write the picture of the front.")] = None,
    assume: Assumed = None, columns: Columns = None, where: Where = None, level: Level = 0.9, seed: Seed = 0,
    out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """The choices that nothing beats in several objectives at once, and the knee among them."""
    from lawful.pareto import pareto as front

    one = _believed(source, law, values, columns, where)
    groups = options.pairs("--group", group)
    held = {"": one} | {g: believed(f, None, law, None, {}) for g, f in groups.items()} if groups else one
    made = front(
        held, objectives=[o.strip() for o in objectives.split(",")], hardware=hardware, serve_on=serve_on,
        params=pair("--params", params), tokens=pair("--tokens", tokens), bits=whole("--bits", bits),
        inference_tokens=inference_tokens, at_most=options.numbers("--at-most", at_most), level=level, seed=seed,
        **ranges("--assume", assume),
    )  # fmt: skip
    if figure is not None:
        from lawful.plot import save
        from lawful.plot_pareto import pareto_figure

        for path in save(pareto_figure(made), figure):
            typer.echo(f"{path}: written", err=True)
    show_plan(made, out, as_json)


@plans.command(no_args_is_help=True)
def advise(
    flops: Annotated[float, typer.Option(help="Training compute, FLOP.")],
    source: Annotated[str | None, typer.Option("--believe", metavar="RUNS|FIT|LAW", help="What is believed.")] = None,
    law: LawName = "chinchilla", values: ValuesName = None,
    questions: Annotated[str | None, typer.Option("--on", metavar="size,data,...", help="Some questions only.")] = None,
    unique_tokens: Annotated[float | None, typer.Option(help="Distinct tokens there are.")] = None,
    inference_tokens: Annotated[float | None, typer.Option(help="Tokens served over the model's life.")] = None,
    memory: Annotated[float | None, typer.Option(help="Bytes for the weights when serving.")] = None,
    examples: Annotated[float | None, typer.Option(help="Examples to fine-tune on.")] = None,
    size_ratio: Annotated[float | None, typer.Option(help="Size of the larger model compared at test time.")] = None,
    hardware: Machine = None, level: Level = 0.9, as_json: Json = False,
) -> None:  # fmt: skip
    """Eight questions about scaling, answered from the laws for your numbers, with citation, range and objection."""
    import json

    from lawful.advise import advise as ask

    held = None if source is None else _believed(source, law, values, None, None)
    found = ask(
        held, flops=flops, questions=options.names(questions) or None, level=level, unique_tokens=unique_tokens,
        inference_tokens=inference_tokens, memory=memory, examples=examples, size_ratio=size_ratio, hardware=hardware,
    )  # fmt: skip
    text = json.dumps([one.facts() for one in found], indent=1, ensure_ascii=False)
    typer.echo(text if as_json else "\n\n".join(map(str, found)))


def _believed(source: str, law: str, values: str | None, columns: str | None, where: str | None) -> Any:
    return believed(source, values, law, None, {"columns": columns, "where": where})


def ranges(option: str, text: str | None) -> dict[str, Any]:
    """``"price=2.2,utilisation=0.3:0.5"`` as numbers and pairs of numbers; other words stay words."""
    out: dict[str, Any] = {}
    for name, value in options.pairs(option, text).items():
        try:
            ends = [float(x) for x in value.split(":")]
        except ValueError:
            out[name] = value
            continue
        out[name] = ends[0] if len(ends) == 1 else tuple(ends)
    return out


def whole(option: str, text: str) -> tuple[int, ...]:
    """``"16,8,4"`` as whole numbers. Raises ValueError naming the option."""
    try:
        return tuple(int(x) for x in text.split(",") if x.strip())
    except ValueError:
        raise ValueError(f"{option}: {text!r} cannot be read; write whole numbers, several with commas") from None


def listed(option: str, text: str) -> list[float]:
    """``"0.1,0.3,1"`` as numbers. Raises ValueError naming the option."""
    try:
        return [float(x) for x in text.split(",") if x.strip()]
    except ValueError:
        raise ValueError(f"{option}: {text!r} cannot be read; write numbers, several with commas") from None


def pair(option: str, text: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    try:
        return float(low), float(high if colon else low)
    except ValueError:
        raise ValueError(f"{option}: {text!r} cannot be read; write LOW:HIGH, such as 1e8:1e10") from None
