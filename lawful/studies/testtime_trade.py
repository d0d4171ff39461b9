"""Parameters against answers at equal inference FLOPs, measured: Snell's trade."""

from __future__ import annotations

import numpy as np

from lawful.laws.inference import snell
from lawful.studies.lab_exponents import contrast, over_seeds
from lawful.studies.lab_pairs import paired, say, verdict_of
from lawful.studies.lab_runs import plain_number
from lawful.studies.parts import Part, floats, span
from lawful.studies.results import Figure, Layer, Panel
from lawful.studies.testtime_answers import Asked

TRADE = "Parameters against answers at equal inference FLOPs"
_SERVED = (0.1, 1.0, 10.0)  # inference tokens per training token


def trade(found: list[Asked], plain: list[Asked]) -> Part:
    """Every cheaper way of spending what one answer of the largest model costs, against that answer."""
    part, top = Part(), plain[-1]
    rivals = [(a, int(top.flops // a.flops)) for a in plain if a.flops <= top.flops / 1.5]
    lines = []
    tests = {}
    for arm, k in rivals:
        k = min(k, arm.tries)
        for how, value in (("one of them right", arm.coverage(k)), ("commonest", arm.vote(k))):
            one = tests[arm.name, how] = contrast(value, top.greedy, 2 * len(rivals))
            lines.append(
                (arm.name, k, how, f"{k * arm.flops / top.flops:.2f}", round(float(value.mean()), 3),
                 f"{one.interval.estimate:+.3f}", span(one.interval.lower, one.interval.upper),
                 verdict_of(one, "better", "worse"))
            )  # fmt: skip
    if not lines:
        part.say("trade", TRADE, "The sizes are too near each other for a trade.", "cannot tell")
        return part
    part.table(
        "trade", TRADE, f"What the FLOPs of one answer of {top.name} buy elsewhere",
        ("model", "answers", "used", "FLOPs, as a share", "solved", "less the large model's", "interval", "verdict"),
        lines,
        f"The large model's greedy answer solves {over_seeds(top.greedy)}. Welch intervals that hold together for "
        f"{len(tests)} comparisons. An answer costs one pass over its tokens; picking the right one out is free.",
    )  # fmt: skip
    small = min((a for a, _ in rivals), key=lambda a: a.N, default=None)
    if small is not None:
        k = min(int(top.flops // small.flops), small.tries)
        says = (
            ("trade", "one of them right", f"{k} answers of {small.name}, the right one picked out, against one greedy "
             f"answer of {top.name} at no more FLOPs",
             "More answers of the small model win where answers can be checked.",
             "Parameters win even where answers can be checked."),
            ("trade_vote", "commonest", f"The commonest of those {k} against the same", "Votes win.",
             "Where answers cannot be checked parameters win."),
        )  # fmt: skip
        for id, how, lead, up, down in says:
            say(part, id, TRADE, lead, tests[small.name, how], up, down)
        _snell(part, plain)
    _own_ways(part, found)
    part.figures.append(_figure(found, plain))
    return part


def _snell(part: Part, plain: list[Asked]) -> None:
    """The same with training counted: how many answers the small model may give, by the share of serving."""
    top, lines = plain[-1], []
    for arm in plain[:-1]:
        for R in _SERVED:
            m = float(snell(top.N / arm.N, R))
            k = min(int(m), arm.tries)
            one = contrast(arm.coverage(k), top.greedy, len(_SERVED) * (len(plain) - 1))
            capped = "" if k == int(m) else f" (of {int(m)} that it may)"
            lines.append(
                (arm.name, R, f"{top.N / arm.N:.2g}", f"{k}{capped}", round(float(arm.coverage(k).mean()), 3),
                 f"{one.interval.estimate:+.3f}", span(one.interval.lower, one.interval.upper),
                 verdict_of(one, "more answers", "parameters"))
            )  # fmt: skip
    part.table(
        "snell", TRADE, f"Snell's trade with training counted, against one answer of {plain_number(top.N)} parameters",
        ("model", "tokens served per token trained", "times smaller", "answers", "solved", "less the large model's",
         "interval", "better"), lines,
        "A model M times smaller that costs as much may answer M + 3 (M - 1) / R times as often, R tokens being served "
        "per training token. The right answer is picked out.",
    )  # fmt: skip
    wins = {R: [line[-1] for line in lines if line[1] == R] for R in _SERVED}
    counts = "; ".join(f"R = {R:g}: {w.count('more answers')} of {len(w)}" for R, w in wins.items())
    told = [w for w in sum(wins.values(), []) if not w.startswith("cannot")]
    part.say(
        "snell", TRADE,
        f"With training counted, smaller models asked more often are better than one answer of the largest in {counts} "
        "sizes: the more of the work is serving, the fewer answers a smaller model may give.",
        "note" if told else "cannot tell", **{f"wins_{R:g}": w.count("more answers") for R, w in wins.items()},
    )  # fmt: skip


def _own_ways(part: Part, found: list[Asked]) -> None:
    """Noise and inferred latents against sampling, and more loops than trained with."""
    noisy = next((a for a in found if a.noise and a.kl_weight is None), None)
    calm = next((a for a in found if a.plain and noisy is not None and a.width == noisy.width), None)
    if noisy is not None and calm is not None:
        _latents(part, [a for a in found if a.noise and a.width == calm.width], calm, noisy)
        k = max(1, int(noisy.tries * calm.flops // noisy.flops))
        say(
            part, "noise", TRADE,
            f"At equal inference FLOPs one of {k} noisy trajectories is right in {noisy.coverage(k).mean():.2f} of the "
            f"puzzles, one of {calm.tries} sampled answers of the same parameters in "
            f"{calm.coverage(calm.tries).mean():.2f}",
            contrast(noisy.coverage(k), calm.coverage(calm.tries)), "Latent noise is the better way to vary answers.",
            "Sampling the answer is the better way to vary it.",
        )  # fmt: skip
    _more_loops(part, found)


def _latents(part: Part, stirred: list[Asked], calm: Asked, noisy: Asked) -> None:
    """Noise trained through, latents inferred with a bound, and sampled answers, at equal inference FLOPs."""
    lines = []
    for budget in (4, 16, calm.tries):
        for arm in (calm, *stirred):
            k = min(int(budget * calm.flops // arm.flops), arm.tries)
            if k:
                kl = "" if arm.kl_weight is None else str(over_seeds(arm.kl))
                lines.append((budget, arm.name, k, str(over_seeds(arm.coverage(k))), str(over_seeds(arm.greedy)), kl))
    part.table(
        "ways", TRADE, "Ways to vary an answer at equal inference FLOPs",
        ("FLOPs, in plain answers", "model", "answers", "one of them right", "greedy", "KL, nats per answer"), lines,
        "A plain model draws each value; the others take the likeliest values along trajectories of noise, or of "
        "latents drawn from their prior. KL 0: the latents say nothing of the answer.",
    )  # fmt: skip
    inferred = max((a for a in stirred if a.kl_weight is not None), key=lambda a: a.kl_weight or 0.0, default=None)
    if inferred is None:
        return
    k = max(1, int(inferred.tries * calm.flops // inferred.flops))
    lead = (
        f"At equal inference FLOPs one of {k} trajectories of inferred latents (KL weight {inferred.kl_weight:g}, "
        f"{inferred.kl.mean():.2f} nats of it an answer) is right in {inferred.coverage(k).mean():.2f} of the puzzles, "
    )
    rivals = (
        ("variational", calm, calm.tries, "sampled answers of a model as wide", "sampling the answer"),
        ("variational_noise", noisy, max(1, int(noisy.tries * calm.flops // noisy.flops)),
         "trajectories of noise trained through", "noise trained through"),
    )  # fmt: skip
    for id, rival, n, words, other in rivals:
        say(
            part, id, TRADE, f"{lead}one of {n} {words} in {rival.coverage(n).mean():.2f}",
            contrast(inferred.coverage(k), rival.coverage(n), len(rivals)),
            f"Inferred latents are better than {other}.", f"Inferred latents are worse than {other}.",
        )  # fmt: skip


def _more_loops(part: Part, found: list[Asked]) -> None:
    """More loops at test time than in training."""
    looped = [a for a in found if a.trained_loops > 1 and not a.noise]
    if len(looped) > 1:
        trained = next((a for a in looped if a.loops == a.trained_loops), looped[0])
        more = max(looped, key=lambda a: a.loops)
        say(
            part, "more_loops", TRADE,
            f"{more.loops} loops at test time solve {more.greedy.mean():.2f} of the puzzles, {trained.loops}, as on "
            f"average in training, {trained.greedy.mean():.2f}",
            paired(more.greedy, trained.greedy), "More loops than trained with help here.",
            "More loops than trained with hurt here.",
        )  # fmt: skip


def _figure(found: list[Asked], plain: list[Asked]) -> Figure:
    layers = [
        Layer("line", "greedy, larger models", floats([a.flops for a in plain]),
              floats([a.greedy.mean() for a in plain]), role="reference"),
    ]  # fmt: skip
    for arm in found:
        if arm.tries >= 16 and (arm.plain or arm.noise):
            k = arm.counts
            solved = floats([arm.coverage(int(n)).mean() for n in k])
            layers.append(Layer("line", arm.name, floats(k * arm.flops), solved, role="ours"))
    best = _frontier(plain)
    layers.append(Layer("points", "best at this cost", floats(best[0]), floats(best[1]), role="data"))
    panel = Panel("", "Inference FLOPs for a puzzle", "Share of puzzles solved", tuple(layers), log_x=True)
    caption = (
        "Share of graphs coloured against the inference FLOPs spent on a puzzle, one of k answers right, means over "
        "seeds; points: the best of the sizes at each cost."
    )
    return Figure("trade", TRADE, caption, (panel,))


def _frontier(plain: list[Asked]) -> tuple[np.ndarray, np.ndarray]:
    """Costs and the most solved by any size at that cost, one of k answers right."""
    costs = np.geomspace(plain[0].flops, plain[-1].flops * plain[-1].tries, 12)
    solved = []
    for cost in costs:
        options = [(a, int(cost * (1 + 1e-9) // a.flops)) for a in plain if a.flops <= cost * (1 + 1e-9)]
        solved.append(max(float(a.coverage(min(k, a.tries)).mean()) for a, k in options))
    return costs, np.array(solved)
