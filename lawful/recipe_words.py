"""A comparison of recipes in words: who wins where, with which probability, and where nobody can tell."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lawful.recipes import Recipes

SURE = 0.95  # from this probability on, one recipe is said to be the better


def verdict(a: str, b: str, p: float) -> str:
    """ "A is better with probability 0.97", or "cannot tell" between 0.05 and 0.95."""
    if np.isnan(p):
        return "cannot tell: no draw could be fitted"
    better, chance = (a, p) if p >= 0.5 else (b, 1 - p)
    shown = f"{chance:.3f}" if chance < 0.9995 else "above 0.999"
    if chance < SURE:
        return f"cannot tell: {better} is better with probability {chance:.2f}"
    return f"{better} is better with probability {shown}"


def describe_recipes(made: Recipes) -> str:
    """Losses and winners at the largest run and at the target; up to four recipes pair by pair, with crossings."""
    low, high = made.seen
    scales = sorted({high, made.target})
    lines = [f"{len(made.names)} recipes, runs of {low:.3g} to {high:.3g} FLOP"]
    if made.laws:
        lines.append("laws: " + ", ".join(f"{name} {w:.2f}" for name, w in made.laws.items()))
    if np.isfinite(made.correlation):
        lines.append(f"noise shared at the same places: correlation {made.correlation:.2f}")
    for flops in scales:
        lines += ["", f"at {flops:.3g} FLOP{', beyond all runs' if flops > high else ''}"]
        chances = made.best(flops)
        for name in sorted(made.names, key=lambda n: -chances[n]):
            lines.append(f"  {name:<24} loss {made.loss(name, flops)}  lowest with probability {chances[name]:.3f}")
    if len(made.names) <= 4:
        for a, b in combinations(made.names, 2):
            lines += ["", *_pair(made, a, b, scales)]
    lines += [str(f) for f in made.findings if f.severity != "note"]
    return "\n".join(lines)


def _pair(made: Recipes, a: str, b: str, scales: list[float]) -> list[str]:
    lines = [f"{a} against {b}"]
    for flops in scales:
        p, m = made.probability(a, b, flops), made.multiplier(a, b, flops)
        lines.append(f"  at {flops:.3g} FLOP: {verdict(a, b, p)}")
        lines.append(f"    {b} needs {m} times the compute of {a}")
    low, high = made.seen
    for start, end in ((low, min(high, made.target)), (high, made.target)):
        if start < end:
            cross = made.crossing(a, b, end, start=start)
            lines.append(f"  {cross.verdict}" if cross.verdict else f"  the curves cross at {cross} FLOP")
    return lines
