"""Pictures of a Pareto front: the first objective against each of the others.

save(pareto_figure(pareto(fit, hardware="8x h100")), "figures")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lawful.studies.results import Figure, Layer, Panel

if TYPE_CHECKING:
    from lawful.plan import Plan

_LABELS = {
    "loss": "loss (nats/token)", "regret": "largest regret of a group (nats)", "flops": "compute (FLOP)",
    "money": "money", "days": "days", "energy": "energy (kWh)", "carbon": "carbon (kg CO2e)",
    "token_ms": "time per token (ms)",
    "memory": "memory to serve (bytes)",
}  # fmt: skip


def pareto_figure(plan: Plan) -> Figure:
    """The front of a `pareto` plan: a panel per further objective, colours by bits of serving, the knee marked.

    Raises ValueError for a plan of another kind.
    """
    objectives = plan.given.get("objectives")
    if not objectives or not plan.choices:
        raise ValueError("pareto_figure: this plan has no objectives; give one that pareto made")
    first, *others = objectives
    panels = tuple(_panel(plan, first, other) for other in others)
    often = [row["front"] for row in plan.choices if "front" in row]
    rest = f" Each point shown is on the front in {min(often):.0%} to {max(often):.0%} of the draws." if often else ""
    caption = f"What nothing beats in {', '.join(objectives)}; bars are {_level(plan):.0%} intervals.{rest}"
    return Figure("pareto", "", caption, panels)


def plot_pareto(plan: Plan, ax: Any = None) -> Any:
    """Draw the front; with ax the first panel alone, in axes of your own."""
    from lawful.plot import draw

    figure = pareto_figure(plan)
    return draw(figure if ax is None else Figure(figure.id, figure.section, figure.caption, figure.panels[:1]), ax)


def _level(plan: Plan) -> float:
    return next(iter(plan.answers.values())).level


def _panel(plan: Plan, first: str, other: str) -> Panel:
    rows = sorted(plan.choices, key=lambda r: r[other].estimate)
    x = np.array([r[other].estimate for r in rows])
    layers: list[Layer] = []
    for bits in sorted({r["bits"] for r in rows}, reverse=True):
        mine = [r for r in rows if r["bits"] == bits]
        label = f"{bits} bits"
        at = tuple(float(r[other].estimate) for r in mine)
        y = tuple(float(r[first].estimate) for r in mine)
        ends = [(r[first].lower, r[first].upper) for r in mine]
        if np.isfinite(ends).all():
            low, high = (tuple(float(e[i]) for e in ends) for i in (0, 1))
            layers.append(Layer("interval", label, at, lower=low, upper=high, role="data"))
        layers.append(Layer("points", label, at, y, role="data"))
    name = "L" if first == "loss" else first
    knee = (float(plan[other if other != "loss" else "L"].estimate),), (float(plan[name].estimate),)
    layers.append(Layer("points", "knee", *knee, role="held_out"))
    wide = bool(x.min() > 0 and x.max() / x.min() > 10)
    return Panel(f"{_short(first)} against {_short(other)}", _LABELS[other], _LABELS[first], tuple(layers), log_x=wide)


def _short(objective: str) -> str:
    return {"token_ms": "time per token", "regret": "regret"}.get(objective, objective)
