"""Test-time compute against parameters: a small model asked often, or a large one asked once?

    small = Candidate("8B", 8e9, from_points(0.30, 100, 0.83), tokens=500)
    large = Candidate("70B", 7e10, from_points(0.51, 100, 0.92), tokens=500)
    plan = attempts([small, large], flops_per_question=1e15)

Every candidate is asked by every strategy as often as the budget of one question allows (`lawful.attempts` says what
that gives), and the best is taken; with ``accuracy`` the cheapest that reaches it. `matched` is the identity of Snell
et al. 2024: how much more inference a smaller model may do for the same compute over its life.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.assumptions import Sample, exactly, interval
from lawful.attempts import Problems, best_of, covered, tree, vote
from lawful.belief import positive
from lawful.findings import Finding
from lawful.laws.inference import snell, wu_optimal_size
from lawful.plan import Plan
from lawful.quantities import did_you_mean
from lawful.uncertainty import Interval

STRATEGIES = ("coverage", "vote", "best_of", "tree")
_COUNTS = np.unique(np.round(np.geomspace(1, 1e6, 73)))
_VOTES = np.array([1, 3, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257.0])  # odd: an even one adds nothing
_DRAWS = 50


@dataclass(frozen=True)
class Candidate:
    """A model to be asked. params: active ones. tokens: of a sample. training_flops: shared over the questions."""

    name: str
    params: float
    problems: Problems
    tokens: float = 1000.0
    training_flops: float = 0.0

    @property
    def flops_per_sample(self) -> float:
        """2 N tokens (Sardana et al. 2024; prompts and attention left out)."""
        return 2 * self.params * self.tokens


@dataclass(frozen=True)
class Verifier:
    """accepts_right, accepts_wrong: how often a checked answer passes. agree: how often wrong answers are the same one.

    steps: of a solution, each checked perfectly by the tree search. cost: FLOP of a check over those of a sample.
    """

    accepts_right: float = 0.9
    accepts_wrong: float = 0.1
    agree: float = 0.3
    steps: int = 8
    cost: float = 1.0


def attempts(
    candidates: Sequence[Candidate], *, flops_per_question: float | None = None, accuracy: float | None = None,
    questions: float | None = None, strategies: Sequence[str] = STRATEGIES, verifier: Verifier | None = None,
    level: float = 0.9,
) -> Plan:  # fmt: skip
    """Which model, asked how, how often.

    flops_per_question: what a question may cost (training included, shared over ``questions``, where given).
    accuracy: or the least compute that reaches it. strategies: coverage needs a perfect verifier (tests that code must
    pass, a proof checker); vote needs none; best_of has the verifier's errors; tree is a bound.

    Raises ValueError where no candidate can be asked once, or none reaches the accuracy, with the best there is.
    """
    if not candidates:
        raise ValueError("attempts: no candidates; give one or more models with what is known of them")
    unknown = [s for s in strategies if s not in STRATEGIES]
    if unknown:
        raise ValueError(f"attempts: no strategy {unknown[0]!r}{did_you_mean(unknown[0], list(STRATEGIES))}")
    if (flops_per_question is None) == (accuracy is None):
        raise ValueError("attempts: give either flops_per_question or accuracy")
    check = verifier or Verifier()
    rows = [_curve(one, s, check, questions) for one in candidates for s in strategies]
    if accuracy is not None:
        return _cheapest(rows, _share("accuracy", accuracy), check, level)
    return _best(rows, positive("flops_per_question", flops_per_question), check, level)


@dataclass(frozen=True)
class _Curve:
    """Accuracy of one model and strategy by the number of samples. drawn (draws, counts), or None."""

    who: Candidate
    how: str
    counts: np.ndarray
    cost: np.ndarray
    accuracy: np.ndarray
    drawn: np.ndarray | None


def _curve(who: Candidate, how: str, check: Verifier, questions: float | None) -> _Curve:
    counts = _VOTES if how == "vote" else _COUNTS
    each = who.flops_per_sample * (1 + (check.cost if how in ("best_of", "tree") else 0.0))
    cost = counts * each + (who.training_flops / questions if questions else 0.0)
    p = who.problems
    drawn = None
    if p.draws is not None:
        kept = p.draws[:, np.isfinite(p.draws).all(0)]
        step = max(1, kept.shape[1] // (_DRAWS if how != "coverage" else 400))
        drawn = np.array([_accuracy(how, counts, a, b, check) for a, b in kept[:, ::step].T])
    return _Curve(who, how, counts, cost, _accuracy(how, counts, p.a, p.b, check), drawn)


def _accuracy(how: str, k: np.ndarray, a: float, b: float, check: Verifier) -> np.ndarray:
    if how == "coverage":
        return np.asarray(covered(k, a, b))
    if how == "vote":
        return np.maximum.accumulate(np.asarray(vote(k, a, b, check.agree)))  # nobody asks more often for less
    if how == "best_of":
        return np.asarray(best_of(k, a, b, check.accepts_right, check.accepts_wrong))
    return np.asarray(tree(k, a, b, check.steps))


def _best(rows: list[_Curve], budget: float, check: Verifier, level: float) -> Plan:
    cheapest = min(float(r.cost[0]) for r in rows)
    if cheapest > budget:
        raise ValueError(
            f"flops_per_question binds: one sample of the cheapest candidate takes {cheapest:.3g} FLOP, the budget is "
            f"{budget:.3g}"
        )
    scored = []
    for r in rows:
        i = int(np.searchsorted(r.cost, budget, side="right")) - 1
        if i >= 0:
            i = int(np.argmax(r.accuracy[: i + 1]))
            one = _interval((float(r.accuracy[i]), None if r.drawn is None else r.drawn[:, i]), level)
            scored.append((float(r.accuracy[i]), r, i, one))
    table = _ranked(scored)
    real = [s for s in scored if s[1].how in ("vote", "best_of")] or scored
    _, r, i, one = max(real, key=lambda s: s[0])
    inside = r.accuracy >= r.accuracy[i] / 1.005
    inside &= r.cost <= budget
    found = {"accuracy": one, "k": exactly(r.counts[i], level), "C_inf": exactly(r.cost[i], level),
             "N": exactly(r.who.params, level), **_wu(budget, level)}  # fmt: skip
    near = {n: (float(np.min(x[inside])), float(np.max(x[inside]))) for n, x in (("k", r.counts), ("C_inf", r.cost))}
    question = f"{budget:.4g} FLOP a question: {r.who.name} by {r.how}, {r.counts[i]:.0f} samples"
    return _plan(question, found, near, table, check, [c.who for c in rows], {"flops_per_question": budget})


def _ranked(scored: list[tuple[float, _Curve, int, Interval]]) -> list[dict[str, Any]]:
    """A row for each model and strategy; best: the share of the draws in which its model is the better one by it."""
    rows = []
    for _, r, i, one in scored:
        row = _row(r, i, one)
        rivals = [(s.drawn, j) for _, s, j, _ in scored if s.how == r.how and s is not r]
        if r.drawn is not None and rivals and all(d is not None for d, _ in rivals):
            count = min(len(r.drawn), *(len(d) for d, _ in rivals if d is not None))
            others = np.max([d[:count, j] for d, j in rivals if d is not None], axis=0)
            row["best"] = float(np.mean(r.drawn[:count, i] > others))
        rows.append(row)
    return rows


def _wu(budget: float, level: float) -> dict[str, Interval]:
    """The best size for that compute by the line of Wu et al. 2024 (Pythia, GSM8K), another road."""
    size = float(wu_optimal_size.at("wu2024", C_inf=budget))
    return {"wu_N": Interval(size, np.nan, np.nan, level, "none", "Pythia on GSM8K; published without interval")}


def _cheapest(rows: list[_Curve], wanted: float, check: Verifier, level: float) -> Plan:
    reached = [(float(r.cost[i]), r, i) for r in rows if (i := _first(r.accuracy >= wanted)) is not None]
    if not reached:
        top = max(rows, key=lambda r: float(r.accuracy.max()))
        raise ValueError(
            f"accuracy {wanted:g} is out of reach within {top.counts[-1]:.0f} samples: the best is "
            f"{top.accuracy.max():.4g}, {top.who.name} by {top.how}"
        )
    table = [_row(r, i, _interval((float(r.accuracy[i]), None if r.drawn is None else r.drawn[:, i]), level))
             for _, r, i in sorted(reached, key=lambda x: x[0])]  # fmt: skip
    real = [x for x in reached if x[1].how in ("vote", "best_of")] or reached
    cost, r, i = min(real, key=lambda x: x[0])
    drawn = None if r.drawn is None else np.array([_cost(r, _first(a >= wanted)) for a in r.drawn])
    inside = (r.accuracy >= wanted / 1.005) & (r.accuracy <= wanted * 1.005)
    found = {"C_inf": _interval((cost, drawn), level), "k": _interval(_over(r, (cost, drawn)), level),
             "N": exactly(r.who.params, level), "accuracy": exactly(float(r.accuracy[i]), level)}  # fmt: skip
    near = {"k": (float(r.counts[inside].min()), float(r.counts[inside].max()))} if inside.any() else {}
    question = f"accuracy {wanted:g}: {r.who.name} by {r.how}, {r.counts[i]:.0f} samples, is cheapest"
    return _plan(question, found, near, table, check, [c.who for c in rows], {"accuracy": wanted})


def _over(r: _Curve, cost: Sample) -> Sample:
    fixed = float(r.cost[0] - r.counts[0] * (r.cost[1] - r.cost[0]) / (r.counts[1] - r.counts[0]))
    each = float((r.cost[1] - r.cost[0]) / (r.counts[1] - r.counts[0]))
    return (cost[0] - fixed) / each, None if cost[1] is None else (cost[1] - fixed) / each


def _cost(r: _Curve, i: int | None) -> float:
    return np.nan if i is None else float(r.cost[i])


def _first(reached: np.ndarray) -> int | None:
    return int(np.argmax(reached)) if reached.any() else None


def _row(r: _Curve, i: int, accuracy: Interval) -> dict[str, Any]:
    return {"model": r.who.name, "strategy": r.how, "samples": int(r.counts[i]), "accuracy": accuracy,
            "flops_per_question": float(r.cost[i])}  # fmt: skip


def _interval(sample: Sample, level: float) -> Interval:
    return interval(sample, level, "problems resampled", "published without interval" if sample[1] is None else "")


def _plan(
    question: str, found: dict[str, Interval], near: dict[str, tuple[float, float]], table: list[dict[str, Any]],
    check: Verifier, asked: list[Candidate], given: dict[str, Any],
) -> Plan:  # fmt: skip
    notes = [
        Finding("verifier", "warning",
                f"Assumed: a verifier that accepts {check.accepts_right:g} of right and {check.accepts_wrong:g} of "
                f"wrong answers at {check.cost:g} times a sample's compute; wrong answers agree in {check.agree:g}; "
                f"{check.steps} steps.", remedy="Measure yours: the choice turns on it."),
        Finding("bounds", "note", "coverage needs a perfect verifier and tree a perfect one of every step: bounds, "
                "which are chosen only if nothing else was allowed."),
        Finding("beta", "note", "Chances are Beta over problems: unsolvable problems have no place in it, so coverage "
                "far beyond the samples drawn is too hopeful."),
    ]  # fmt: skip
    source = "; ".join(dict.fromkeys(f"{c.name}: {c.problems.source}" for c in asked))
    return Plan(question, found, near, choices=tuple(table), findings=tuple(notes), source=source, given=given)


def matched(size_ratio: float, inference_ratio: float, *, level: float = 0.9) -> Plan:
    """By how much the smaller model may raise its inference compute to cost as much as one ``size_ratio`` times larger.

    inference_ratio: inference tokens over training tokens. Snell et al. 2024, section 7; counting alone.
    """
    M, R = positive("size_ratio", size_ratio), positive("inference_ratio", inference_ratio)
    if M < 1:
        raise ValueError(f"size_ratio is {M:g}; it is the larger model over the smaller, at least 1")
    factor = float(snell(M, R))
    note = Finding("easy", "note", "In the paper the smaller model with more samples won on easy and medium questions "
                   "and for few inference tokens, the larger one on hard questions.")  # fmt: skip
    return Plan(
        f"a model {M:g} times larger, or more samples, at {R:g} inference tokens per training token",
        {"inference_multiplier": exactly(factor, level), "samples_of_equal_length": exactly(factor, level)},
        findings=(note,), source="snell2024, an identity", given={"size_ratio": M, "inference_ratio": R},
    )  # fmt: skip


def _share(name: str, value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value!r}; it is a share between 0 and 1")
    return float(value)
