"""A target loss, or accuracy on a task: which budget reaches it, and how surely?

For each draw of a belief the cheapest budget whose best split reaches the target is found; a draw whose loss cannot
fall so far counts as an infinite budget. The budget that reaches a target with probability p is the p-quantile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lawful.belief import Belief, belief, positive
from lawful.describe import number
from lawful.findings import Finding
from lawful.plan import Plan, doubts
from lawful.plan_allocate import Split, split
from lawful.plan_budget import allocation, binding, near
from lawful.plan_roads import one_line
from lawful.uncertainty import Interval

_LEAST, _MOST = 1e9, 1e36  # FLOP; beyond it a budget counts as infinite
_HALVINGS = (40, 22)  # of a law with a closed form for the best split, and of one without
CHANCES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def target(
    held: Belief, *, loss: float | None = None, accuracy: float | None = None, task: Any = None,
    flops: float | None = None, kind: str = "run", level: float = 0.9, max_params: float | None = None,
    max_tokens: float | None = None, seed: int = 0, **others: Any,
) -> Plan:  # fmt: skip
    """The budget that reaches a loss, or an accuracy on a task, with the size and tokens to spend it on.

    accuracy: a fraction; task: a fit, or (law, values), of the accuracy (or error) as a function of the loss.
    flops: a budget, for the probability that it is enough. kind: "run" (one new run reaches it, its own noise
    included) or "mean" (the average of runs does). max_params, max_tokens, others: as for a budget.

    Answers: C with its interval, and the size, tokens and ratio at that budget; choices: the budgets that reach the
    target with probability 10 % to 95 %; with ``flops`` also the probability itself, with its Monte Carlo error.
    Where no budget reaches it, C is infinite and the limit is named.
    Raises ValueError for numbers out of range, or an accuracy without a task.
    """
    if kind not in ("run", "mean"):
        raise ValueError(f"kind is {kind!r}; allowed: 'run' (one new run) and 'mean' (the average of runs)")
    way = split(held, others, max_params, max_tokens)
    symbol = held.law.predicts
    want, wants, extra = _wanted(held, symbol, loss, accuracy, task, seed)
    C, sample = reach(way, want, wants)
    answers = {"C": held.of_draws(C, sample, level)}
    noisy = sample if kind == "mean" else _one_run(way, wants if wants is not None else want, sample, seed)
    limits: tuple[str, ...] = ()
    if np.isfinite(C):
        answers |= {k: _at_target(way, k, one, sample, level) for k, one in allocation(way, C, level).items()}
        limits = binding(way, C)
    else:
        limits = (_why_never(way, want, symbol),)
    chances: tuple[Mapping[str, Any], ...] = ()
    if noisy is not None:
        chances = tuple({"probability": p, "flops": _quantile(noisy, p)} for p in CHANCES)
    if flops is not None:
        answers["probability"] = _probability(noisy, positive("flops", flops), level, held)
    what = f"{symbol} = {number(want)}" if accuracy is None else f"accuracy {accuracy:g}, {symbol} = {number(want)}"
    least = {way.size: answers[way.size].estimate, "D": answers["D"].estimate} if np.isfinite(C) else {}
    far, beyond = held.distance(**least)
    return Plan(
        question=f"{what}: which budget reaches it{', and does ' + number(flops) + ' FLOP' if flops else ''}?",
        answers=answers, near=near(way, C) if np.isfinite(C) else {}, choices=chances, limits=limits,
        findings=(*one_line(way), *extra, *_note(kind, noisy), *doubts(held, far, beyond)), source=held.source,
        distance=far, beyond=beyond, given=_given(loss=loss, accuracy=accuracy, flops=flops),
    )  # fmt: skip


def reach(way: Split, want: float, wants: np.ndarray | None = None) -> tuple[float, np.ndarray | None]:
    """The cheapest budget whose best split has a loss of at most ``want``; by draw for targets ``wants`` (draws,).

    Infinite where no budget up to 1e36 FLOP reaches it.
    """
    centre = float(_bisect(way, way.held.values, np.asarray(want)))
    if way.held.draws is None:
        return centre, None
    wants = np.full(len(way.held), want) if wants is None else wants
    return centre, _bisect(way, way.held.draws, wants)


def _bisect(way: Split, v: Mapping[str, Any], want: np.ndarray) -> np.ndarray:
    """log C halved between 1e9 and 1e36: the loss of the best split falls with the budget."""
    low, high = np.full(want.shape, np.log(_LEAST)), np.full(want.shape, np.log(_MOST))
    never = ~(np.asarray(way.lowest_loss(np.exp(high), v)) <= want)
    for _ in range(_HALVINGS[way.size not in way.held.law.optimum]):
        middle = 0.5 * (low + high)
        enough = np.asarray(way.lowest_loss(np.exp(middle), v)) <= want
        high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    failed = np.isnan(np.asarray(way.lowest_loss(np.exp(high), v)))
    return np.where(failed, np.nan, np.where(never, np.inf, np.exp(high)))


def _wanted(
    held: Belief, symbol: str, loss: float | None, accuracy: float | None, task: Any, seed: int
) -> tuple[float, np.ndarray | None, tuple[Finding, ...]]:
    """The loss to reach, by draw where it comes from an uncertain accuracy curve."""
    if accuracy is None:
        if task is not None:
            raise ValueError("task is given without accuracy: say which accuracy is wanted, such as accuracy=0.7")
        return positive("loss", loss), None, ()
    if loss is not None:
        raise ValueError("loss and accuracy are both given: a plan has one target; leave one out")
    if task is None:
        raise ValueError("accuracy needs task=: a fit (or law and values) of the accuracy as a function of the loss")
    a = positive("accuracy", accuracy)
    if a >= 1:
        raise ValueError(f"accuracy is {accuracy}; it must be a fraction below 1, such as 0.7")
    curve = belief(task, draws=max(len(held), 1), seed=seed + 1)
    if len(curve.law.variables) != 1 or curve.law.variables[0] != symbol:
        raise ValueError(
            f"task is the law {curve.law.name} of {', '.join(curve.law.variables)}; the plan's law predicts {symbol}: "
            "give a law of that alone"
        )
    centre = float(_loss_for(curve, curve.values, a, 1)[0])
    wants = None
    if held.draws is not None:
        wants = _loss_for(curve, curve.draws if curve.draws is not None else curve.values, a, len(held))
    said = [Finding("no_interval", "warning", f"The curve of the task is {curve.verdict}.")] if not len(curve) else []
    if np.isnan(centre):
        said.append(Finding("ceiling", "error", f"The curve of the task never reaches an accuracy of {a:g}."))
    elif symbol in curve.seen and centre < curve.seen[symbol][0]:
        text = f"The loss needed, {number(centre)}, is below all that the curve of the task was fitted to."
        said.append(Finding("far", "warning", text))
    return centre, wants, tuple(said)


def _loss_for(curve: Belief, v: Mapping[str, Any], accuracy: float, count: int) -> np.ndarray:
    """The highest loss (count,) at which the curve reaches the accuracy, by halving; nan where it never does."""
    wanted = 1 - accuracy if curve.law.predicts == "error" else accuracy
    sign = -1.0 if curve.law.predicts == "error" else 1.0
    named = {p: v[p] for p in curve.law.parameter_names}

    def enough(x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return sign * (np.asarray(curve.law.function(x, **named)) - wanted) >= 0

    low, high = np.full(count, 1e-6), np.full(count, 50.0)
    never = ~np.broadcast_to(enough(low), (count,))
    for _ in range(60):
        middle = 0.5 * (low + high)
        good = enough(middle)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    return np.where(never, np.nan, low)


def _one_run(way: Split, want: Any, sample: np.ndarray | None, seed: int) -> np.ndarray | None:
    """Budgets by draw for one run, whose own noise moves the loss that it has to reach on average."""
    fit = way.held.fit
    if sample is None or fit is None or not np.isfinite(fit.sigma):
        return sample
    noise = fit.sigma / np.sqrt(np.median(fit.points.w)) * np.random.default_rng([seed, 2]).standard_normal(len(sample))
    goal = want * np.exp(-noise) if fit.objective.log else want - noise
    return reach(way, float(np.mean(goal)), np.broadcast_to(goal, (len(sample),)))[1]


def _quantile(sample: np.ndarray, p: float) -> float:
    """The budget enough in a share p of the draws; draws that failed count as never."""
    ordered = np.sort(np.where(np.isnan(sample), np.inf, sample))
    return float(ordered[min(int(np.ceil(p * len(ordered))) - 1, len(ordered) - 1)])


def _probability(sample: np.ndarray | None, flops: float, level: float, held: Belief) -> Interval:
    """The share of draws for which a budget is enough, with the error of finitely many draws (Wilson 1927)."""
    from scipy.special import ndtri

    if sample is None:
        return Interval(np.nan, np.nan, np.nan, level, "none", held.verdict)
    n, z = len(sample), float(ndtri(0.5 + level / 2))
    p = float(np.mean(np.where(np.isnan(sample), np.inf, sample) <= flops))
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Interval(p, (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n), level, "draws")


def _at_target(way: Split, name: str, one: Interval, sample: np.ndarray | None, level: float) -> Interval:
    """What a size (or tokens, or ratio) would be at the budget that each draw needs; the loss is what was asked."""
    v = way.held.draws
    if v is None or sample is None or name == way.held.law.predicts:
        return one
    with np.errstate(all="ignore"):
        N, D = way.best(sample, v), way.tokens(sample, v)
        found = {way.size: N, "D": D, "TPP": D / N}[name]
    return replace(way.held.of_draws(one.estimate, np.where(np.isfinite(found), found, np.inf), level))


def _why_never(way: Split, want: float, symbol: str) -> str:
    """Which limit makes a target unreachable: the law's floor, or sizes and tokens."""
    if np.isnan(want):
        return "No loss reaches the accuracy: the limit that binds is the ceiling of the task's curve."
    goal, floor = f"{symbol} = {number(want)}", float(way.lowest_loss(_MOST, way.held.values))
    if way.limited:
        free = float(replace(way, max_params=np.inf, max_tokens=np.inf).lowest_loss(_MOST, way.held.values))
        if free <= want:
            named = {"parameters": way.max_params, "tokens": way.max_tokens}
            told = " and ".join(f"{number(x)} {k}" for k, x in named.items() if np.isfinite(x))
            return f"No budget reaches {goal} within {told}: the lowest is {number(floor)}. That limit binds."
    return f"No budget reaches {goal}: the law's floor is {number(floor)}, and that limit binds."


def _note(kind: str, sample: np.ndarray | None) -> tuple[Finding, ...]:
    if sample is None:
        return ()
    never = float(np.mean(~np.isfinite(sample)))
    what = "one run, its own noise included" if kind == "run" else "the average of runs"
    text = f"Probabilities are for {what}, if the law is right"
    text += f"; in {never:.1%} of the draws no budget is enough." if never else "."
    return (Finding("probabilities", "note", text),)


def _given(**named: Any) -> dict[str, Any]:
    return {k: x for k, x in named.items() if x is not None}
