"""A training budget: which size, how many tokens, and the loss that may be expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lawful.belief import Belief
from lawful.plan import NEAR, Plan, doubts, positive
from lawful.plan_allocate import PER_TOKEN, Split, crossing, split


def budget(
    held: Belief, *, flops: float, level: float = 0.9, max_params: float | None = None,
    max_tokens: float | None = None, **others: Any,
) -> Plan:  # fmt: skip
    """The best size and tokens for ``flops`` = 6 N D, within a largest size and a largest number of tokens.

    others: the law's further variables (experts=8). Answers: the size, D, TPP = D / N and the loss, each with its
    interval over the belief's draws; near: the range of each in which the loss is within 0.5 % of the best.
    Raises ValueError for a law without size and tokens, and for numbers that are not positive.
    """
    C = positive("flops", flops)
    way = split(held, others)
    low, high, limits = _room(C, max_params, max_tokens)

    def size(v: Mapping[str, Any]) -> Any:
        return np.clip(way.best(C, v), low, high)

    def tokens(v: Mapping[str, Any]) -> Any:
        return np.minimum(C / (PER_TOKEN * size(v)), np.inf if max_tokens is None else max_tokens)

    free = float(way.best(C, held.values))
    N, D = float(size(held.values)), float(tokens(held.values))
    told = {
        way.size: size, "D": tokens, "TPP": lambda v: tokens(v) / size(v),
        held.law.predicts: lambda v: way.loss(v, size(v), tokens(v)),
    }  # fmt: skip
    answers = {name: held.interval(f, level) for name, f in told.items()}
    far, beyond = held.distance(**{way.size: N, "D": D})
    return Plan(
        question=f"{C:.4g} FLOP, C = 6 {way.size} D: which size, how many tokens?",
        answers=answers, near=near(way, C, N, low, high), limits=(*limits, *_binding(way, free, N, D, C)),
        findings=doubts(held, far, beyond), source=held.source, distance=far, beyond=beyond, given={"flops": C},
    )  # fmt: skip


def near(way: Split, C: float, N: float, low: float = 1.0, high: float = np.inf) -> dict[str, tuple[float, float]]:
    """The sizes on C = 6 N D whose loss is within 0.5 % of that at N, with tokens, their ratio and the loss there."""
    v = way.held.values
    D = C / (PER_TOKEN * N)
    most = NEAR * float(way.loss(v, N, D))

    def good(x: np.ndarray) -> np.ndarray:
        M = np.exp(x)
        return np.asarray(way.loss(v, M, C / (PER_TOKEN * M))) <= most

    ends = (max(low, 1.0), min(high, C / PER_TOKEN))
    small, large = (float(np.exp(crossing(good, np.log(N), np.log(end)))) for end in ends)
    few, many = C / (PER_TOKEN * large), C / (PER_TOKEN * small)
    return {way.size: (small, large), "D": (few, many), "TPP": (few / large, many / small),
            way.held.law.predicts: (most / NEAR, most)}  # fmt: skip


def _room(C: float, max_params: float | None, max_tokens: float | None) -> tuple[float, float, tuple[str, ...]]:
    """The sizes allowed; where both limits leave budget over, the sentence that says so."""
    high = np.inf if max_params is None else positive("max_params", max_params)
    most = np.inf if max_tokens is None else positive("max_tokens", max_tokens)
    low = C / (PER_TOKEN * most)
    if low > high:
        spent = PER_TOKEN * high * most
        text = (
            f"The budget cannot be spent: {high:.4g} parameters on {most:.4g} tokens take {spent:.4g} FLOP, "
            f"{spent / C:.2g} of it. Size and tokens both bind."
        )
        return high, high, (text,)
    return low, high, ()


def _binding(way: Split, free: float, N: float, D: float, C: float) -> tuple[str, ...]:
    """Which of the limits moved the plan, and what it costs."""
    if not np.isfinite(free) or np.isclose(free, N):
        return ()
    v = way.held.values
    lost = float(way.loss(v, N, D)) / float(way.loss(v, free, C / (PER_TOKEN * free))) - 1
    what = "tokens: the model is larger" if free < N else "the size: it is trained longer"
    return (f"The limit that binds is on {what} than best ({free:.4g}), at {100 * lost:.2g} % more loss.",)
