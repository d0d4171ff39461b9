"""Is the learning rate right? A mistuned rung ruins a law, so every study asks before it fits.

The width rule carries one rate across widths; it says nothing about depth, loops or another kind of block.
`tuning` plans a small grid of rates on the cheapest and the dearest shape of each kind, with one seed;
`best_rates` reads the runs and says where the best rate lies at the edge of its grid, so that it is not known
to be the best.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .config import Config
from .sweep import Sweep, sweep

_NEAR = 0.02  # losses within this share of each other are one plateau: seeds alone differ by 1 to 4 per cent


@dataclass(frozen=True)
class BestRate:
    """The best of the rates tried for one run: its mean loss over seeds by rate (None: diverged).

    `tuned` is False where fewer than three rates were tried or the best is the lowest or the highest of them
    and clearly better than its neighbour: the optimum may lie beyond.
    """

    run: dict[str, Any]
    lr: float | None
    losses: dict[float, float | None]
    tuned: bool

    def __str__(self) -> str:
        tried = ", ".join(f"{lr:g}: {'diverged' if v is None else f'{v:.4g}'}" for lr, v in self.losses.items())
        verdict = "tuned" if self.tuned else "not tuned: try rates beyond, or more than two"
        shape = {k: v for k, v in self.run["shape"].items() if k in ("block", "width", "depth", "loops")}
        return f"{self.run['task']} {shape}: best lr {self.lr} of {{{tried}}}, {verdict}"


def tuning(plan: Sweep, factors: Sequence[float] = (1 / 3, 1.0, 3.0)) -> Sweep:
    """The runs to make before `plan`: lr x each factor on each kind's cheapest and dearest shape, one seed.

    Runs are of a kind when they differ in nothing but width, depth, loops and seed.
    """
    kinds: dict[str, list[Config]] = {}
    for c in plan.configs:
        loose = replace(c, seed=0, shape=replace(c.shape, width=48, depth=1, loops=1, heads=0, kv_heads=0))
        kinds.setdefault(str(loose), []).append(c)
    extremes = []
    for runs in kinds.values():
        seed = min(c.seed for c in runs)
        ordered = sorted((c for c in runs if c.seed == seed), key=lambda c: c.step_flops)
        extremes += [ordered[0], ordered[-1]]
    return sweep(f"{plan.name} rates", [replace(c, lr=c.lr * f) for c in extremes for f in factors])


def best_rates(found: Iterable[dict[str, Any]]) -> list[BestRate]:
    """The best rate of every run in these records, runs that differ only in lr and seed taken together."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in found:
        fixed = {k: v for k, v in record["config"].items() if k not in ("lr", "seed")}
        groups.setdefault(json.dumps(fixed, sort_keys=True), []).append(record)
    return [_best(json.loads(name), group) for name, group in sorted(groups.items())]


def _best(run: dict[str, Any], group: list[dict[str, Any]]) -> BestRate:
    losses: dict[float, float | None] = {}
    for lr in sorted({r["config"]["lr"] for r in group}):
        here = [r["loss"] for r in group if r["config"]["lr"] == lr]
        losses[lr] = None if None in here else sum(here) / len(here)
    alive = {lr: loss for lr, loss in losses.items() if loss is not None}
    if not alive:
        return BestRate(run, None, losses, tuned=False)
    best = min(alive, key=lambda lr: alive[lr])
    rates = list(losses)
    at = rates.index(best)
    inside = 0 < at < len(rates) - 1
    beside = losses[rates[1 if at == 0 else at - 1]] if len(rates) > 1 else None
    flat = beside is not None and beside <= alive[best] * (1 + _NEAR)
    return BestRate(run, best, losses, tuned=len(rates) > 2 and (inside or flat))
