"""A training budget: which size, how many tokens, and the loss that may be expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lawful.belief import Belief, positive
from lawful.describe import number
from lawful.findings import Finding
from lawful.plan import NEAR, Plan, doubts
from lawful.plan_allocate import PER_TOKEN, SIZES, Split, crossing, split
from lawful.plan_roads import Roads, disagreement, leaning, one_line, roads
from lawful.uncertainty import Interval

_WIDE = {"TPP": 1e4, "L": 2.0}  # an interval from x to so many times x says nothing; 100 for sizes and tokens


def budget(
    held: Belief, *, flops: float, level: float = 0.9, max_params: float | None = None,
    max_tokens: float | None = None, seed: int = 0, **others: Any,
) -> Plan:  # fmt: skip
    """The best size and tokens for ``flops`` = 6 N D, within a largest size and a largest number of tokens.

    others: the law's further variables (experts=8). Answers: the size, D, TPP = D / N and the loss, each with its
    interval over the belief's draws; near: the range of each in which the loss is within 0.5 % of the best; roads: the
    size and tokens by `plan_roads.roads`, unless a limit binds, and what they disagree about.
    Raises ValueError for a law without size and tokens, and for numbers that are not positive.
    """
    C = positive("flops", flops)
    way = split(held, others, max_params, max_tokens)
    bound = binding(way, C)
    lost = one_line(way)
    answers = {name: _known(name, one, lost) for name, one in allocation(way, C, level).items()}
    N, D = answers[way.size].estimate, answers["D"].estimate
    others_say = Roads({}, {}, ()) if bound or lost else roads(way, C, level, seed=seed)
    far, beyond = held.distance(**{way.size: N, "D": D})
    found = (
        *lost, *disagreement(way, answers[way.size], others_say), *leaning(way, C, others_say),
        *others_say.findings, *doubts(held, far, beyond),
    )  # fmt: skip
    return Plan(
        question=f"{number(C)} FLOP, C = 6 {way.size} D: which size, how many tokens?", answers=answers,
        near={} if lost else near(way, C), roads=others_say.answers, limits=bound, findings=found, source=held.source,
        distance=far, beyond=beyond, given={"flops": C},
    )  # fmt: skip


def allocation(way: Split, C: float, level: float) -> dict[str, Interval]:
    """Size, tokens, their ratio and the loss at a budget, with intervals."""

    def ratio(v: Mapping[str, Any]) -> Any:
        return way.tokens(C, v) / way.best(C, v)

    told = {
        way.size: lambda v: way.best(C, v), "D": lambda v: way.tokens(C, v), "TPP": ratio,
        way.held.law.predicts: lambda v: way.lowest_loss(C, v),
    }  # fmt: skip
    return {name: way.held.interval(f, level) for name, f in told.items()}


def _known(name: str, one: Interval, lost: tuple[Finding, ...]) -> Interval:
    """An interval that says nothing carries that verdict: the runs do not tell a split, or it is too wide."""
    if lost and name in (*SIZES, "D", "TPP"):
        return replace(one, verdict="cannot tell: the runs do not say how to split a budget")
    if not one.verdict and one.lower > 0 and one.upper > _WIDE.get(name, 100.0) * one.lower:
        return replace(one, verdict=f"cannot tell: the interval spans a factor of {one.upper / one.lower:.2g}")
    return one


def near(way: Split, C: float) -> dict[str, tuple[float, float]]:
    """The sizes whose loss at the budget is within 0.5 % of the best, with tokens, their ratio and the loss there."""
    v = way.held.values
    N, D = float(way.best(C, v)), float(way.tokens(C, v))
    most = NEAR * float(way.loss(v, N, D))

    def tokens(M: Any) -> Any:
        return np.minimum(C / (PER_TOKEN * M), way.max_tokens)

    def good(x: np.ndarray) -> np.ndarray:
        return np.asarray(way.loss(v, np.exp(x), tokens(np.exp(x)))) <= most

    ends = (1.0, min(way.max_params, C / PER_TOKEN))
    small, large = (float(np.exp(crossing(good, np.log(N), np.log(end)))) for end in ends)
    few, many = float(tokens(large)), float(tokens(small))
    return {way.size: (small, large), "D": (few, many), "TPP": (few / large, many / small),
            way.held.law.predicts: (most / NEAR, most)}  # fmt: skip


def binding(way: Split, C: float) -> tuple[str, ...]:
    """Which of the limits moves the plan, and what it costs; a sentence each."""
    v = way.held.values
    free, N, D = float(way.free(C, v)), float(way.best(C, v)), float(way.tokens(C, v))
    if not np.isfinite(free) or (np.isclose(free, N) and np.isclose(PER_TOKEN * N * D, C)):
        return ()
    lost = float(way.loss(v, N, D)) / float(way.loss(v, free, C / (PER_TOKEN * free))) - 1
    if PER_TOKEN * N * D < C * (1 - 1e-9):
        spent = PER_TOKEN * N * D
        return (
            f"The budget cannot be spent: {number(N)} parameters on {number(D)} tokens take {number(spent)} FLOP, "
            f"{spent / C:.2g} of it. Size and tokens both bind, at {100 * lost:.2g} % more loss than without limits.",
        )
    what = "tokens: the model is larger" if free < N else "the size: it is trained longer"
    return (f"The limit that binds is on {what} than best ({number(free)}), at {100 * lost:.2g} % more loss.",)
