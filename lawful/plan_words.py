"""A plan as a person reads it: the question, the answers with their intervals, and what speaks against them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lawful.describe import WIDTH, columns, finding_lines, interval_cells, number, wrapped
from lawful.quantities import find

if TYPE_CHECKING:
    from lawful.plan import Plan
    from lawful.uncertainty import Interval


_FIRST = ("error", "warning", "note")


def describe_plan(plan: Plan) -> str:
    """The plan in lines of at most 100 characters."""
    lines = [*wrapped(plan.question), *wrapped(f"  {plan.source}"), ""]
    if plan.answers:
        lines += _answers(plan)
    lines += _roads(plan)
    lines += _choices(plan)
    said = [
        line for text in plan.limits
        for line in textwrap.wrap(text, WIDTH, initial_indent="limit    ", subsequent_indent=" " * 9)
    ]  # fmt: skip
    said += finding_lines(sorted(plan.findings, key=lambda f: _FIRST.index(f.severity)))
    return "\n".join(lines + (["", *said] if said else []))


def meaning(name: str) -> str:
    """What an answer's name stands for: the vocabulary's meaning, or the name in words."""
    quantity = find(name)
    own = {"probability": "that the budget is enough"}
    return quantity.meaning if quantity is not None else own.get(name, name.replace("_", " "))


def cells(one: Interval) -> tuple[str, str]:
    """An estimate and its interval as text; an interval that nobody has is a dash, an infinite estimate is none."""
    if np.isinf(one.estimate):
        lower = number(one.lower) if np.isfinite(one.lower) else ""
        return "none", f"{lower} to none" if lower else "-"
    if np.isnan([one.lower, one.upper]).all():
        return number(one.estimate), "-"
    return interval_cells(one)


def _answers(plan: Plan) -> list[str]:
    level = next(iter(plan.answers.values())).level
    verdicts = {one.verdict for one in plan.answers.values()}
    said = verdicts.pop() if len(verdicts) == 1 and plan.findings else ""  # of all of them: the findings say it once
    rows = [("", "best", f"{level * 100:g}% interval", "within 0.5% of the best", "")]
    for name, one in plan.answers.items():
        near = " to ".join(map(number, plan.near[name])) if name in plan.near else ""
        rows.append((name, *cells(one), near, "; ".join(filter(None, (meaning(name), one.verdict.removeprefix(said))))))
    if not plan.near:
        rows = [(*row[:3], row[4]) for row in rows]
    return columns(rows)


def _roads(plan: Plan) -> list[str]:
    """The same answers by other routes, one line each."""
    if not plan.roads:
        return []
    names = [n for n in plan.answers if any(n in road for road in plan.roads.values())]
    rows = [("other roads", *names)]
    for road, answers in plan.roads.items():
        held = (" ".join(_short(answers[n])) if n in answers else "" for n in names)
        rows.append((road, *held))
    return ["", *columns(rows, width=max(WIDTH, 200))]


def _short(one: Interval) -> tuple[str, ...]:
    estimate, ends = cells(one)
    return (estimate,) if ends == "-" else (estimate, f"({ends})")


def _choices(plan: Plan) -> list[str]:
    """The table of options under its own heading row."""
    if not plan.choices:
        return []
    names = list(dict.fromkeys(n for row in plan.choices for n in row))
    return ["", *columns([tuple(names), *(tuple(_cell(row, n) for n in names) for row in plan.choices)], width=200)]


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name, "")
    if isinstance(value, bool) or isinstance(value, str):
        return str(value)
    if hasattr(value, "estimate"):
        return " ".join(_short(value))
    if isinstance(value, int | np.integer) and abs(value) < 1e6:
        return str(value)
    return "none" if np.isinf(value) else number(float(value))
