"""What to train: a question, its answers with intervals, and the choices that are nearly as good.

    plan(fit, flops=1e21)                         # a budget: size, tokens, loss
    plan(fit, loss=2.2)                           # a target: the budget that reaches it
    plan(("chinchilla", "besiroglu2024"), flops=5.76e23)

`plan` asks the function that answers the question: each is a function of a `Belief` and what was asked, and makes a
`Plan`. A best point is worth little where a wide range is as good: `Plan.near` is the range in which the loss stays
within half a percent of the best.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from lawful.belief import Belief, belief
from lawful.belief import positive as positive
from lawful.findings import Finding
from lawful.uncertainty import Interval

NEAR = 1.005  # a choice whose loss is at most so many times the best is as good


@dataclass(frozen=True, repr=False)
class Plan:
    """An answer to a question about training.

    question: in words. answers: symbol -> `Interval` (N, D, C, L, TPP, ...). near: symbol -> the lowest and highest
    value among the choices whose loss is within 0.5 % of the best. roads: other routes to the same answers, by name.
    choices: a table of options, such as the points of a Pareto front, one mapping per row. limits: which limits bind, a
    sentence each. findings: what is doubtful. source: what is believed. distance: decades beyond the data, of the
    variable ``beyond``. given: the numbers that were asked for, by name.
    """

    question: str
    answers: Mapping[str, Interval]
    near: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    roads: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    choices: tuple[Mapping[str, Any], ...] = ()
    limits: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    source: str = ""
    distance: float = 0.0
    beyond: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Interval:
        return self.answers[name]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The findings that speak against using the plan as it stands."""
        return tuple(f.message for f in self.findings if f.severity in ("warning", "error"))

    def table(self) -> list[dict[str, Any]]:
        """A row for each answer of each road: road, name, estimate, lower, upper, near_low, near_high, verdict."""
        rows = []
        for road, answers in {"": self.answers, **self.roads}.items():
            for name, one in answers.items():
                low, high = self.near.get(name, (None, None)) if not road else (None, None)
                rows.append(
                    {"road": road, "name": name, "estimate": one.estimate, "lower": one.lower, "upper": one.upper,
                     "near_low": low, "near_high": high, "verdict": one.verdict}
                )  # fmt: skip
        return rows

    def facts(self) -> dict[str, Any]:
        """The plan as plain data that JSON can hold: nan as None, infinity as text."""
        from dataclasses import asdict

        from lawful.fitfile import plain

        return plain(asdict(self) | {"format": "lawful plan 1"})

    def to_json(self) -> str:
        return json.dumps(self.facts(), indent=1, ensure_ascii=False, allow_nan=False)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        from lawful.plan_words import describe_plan

        return describe_plan(self)


# The first row whose keyword is asked for answers: what is more special stands first.
_QUESTIONS = (
    ("loss", "plan_target", "target"),
    ("accuracy", "plan_target", "target"),
    ("flops", "plan_budget", "budget"),
)


def plan(source: Any, *, level: float = 0.9, draws: int = 1000, seed: int = 0, **asked: Any) -> Plan:
    """Answer a question about training.

    source: what is believed, anything that `belief` takes. asked: ``flops`` (a budget), ``loss`` or ``accuracy`` (a
    target), and what else the question knows; see the functions of the modules plan_*. level: of the intervals.
    draws: of a fit's parameters.
    Raises ValueError where nothing is asked, or where what is asked contradicts itself, naming the limit.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, such as 0.9")
    asked = {k: v for k, v in asked.items() if v is not None}
    for keyword, module, function in _QUESTIONS:
        if keyword in asked:
            held = belief(source, draws=draws, seed=seed, **_taken(asked, "group", "values", "method"))
            return getattr(import_module(f"lawful.{module}"), function)(held, level=level, **asked)
    known = ", ".join(dict.fromkeys(k for k, *_ in _QUESTIONS))
    raise ValueError(f"nothing was asked: give one of {known}")


def _taken(asked: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: asked.pop(name) for name in names if name in asked}


def doubts(held: Belief, far: float, beyond: str) -> tuple[Finding, ...]:
    """What is doubtful about any plan from this belief: no interval, far beyond the data, the fit's own findings."""
    out = []
    if held.draws is None:
        out.append(
            Finding("no_interval", "warning", f"The values are {held.verdict}: how far this may be off is open.")
        )
    if far > 1:
        message = f"The plan lies {far:.1f} decades beyond the data in {beyond}: the law was not checked that far."
        out.append(Finding("far", "warning", message))
    return (*out, *(f for f in held.findings if f.severity != "note"))
