"""The arms of the recurrence study: ways of building and training a model, each with its seeds on the same answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.runs import Runs
from lawful.studies.lab_exponents import PLAIN
from lawful.studies.lab_runs import LEVELS, pick, plain_number

_CELLS = {"tiny": "TRM-like", "hierarchical": "HRM-like"}
_SHAPE = ("block", "cell", "width", "depth", "loops", "inner", "segments", "halting", "steps")


@dataclass(frozen=True)
class Arm:
    """One shape at one amount of training. N_nonemb, flops, serial: parameters, training FLOPs, blocks in sequence.

    reach (s,), accuracy (s, 5) at the five levels, loss (s,) over all answers; in order of the seeds.
    """

    cell: str
    width: int
    depth: int
    loops: int
    segments: int
    halting: bool
    steps: int
    lr: float
    N_nonemb: float
    flops: float
    serial: int
    seeds: tuple[int, ...]
    reach: np.ndarray
    accuracy: np.ndarray
    loss: np.ndarray
    used: float | None

    @property
    def looped(self) -> bool:
        return self.cell == "loop" and self.loops > 1

    @property
    def name(self) -> str:
        size = f"width {self.width}, {plain_number(self.N_nonemb)}"
        if self.cell != "loop":
            more = f", {self.segments} supervised segments" if self.segments > 1 else ""
            return f"{_CELLS[self.cell]}, {self.serial} passes{more}{', halting' if self.halting else ''}, {size}"
        what = f"{self.depth} block{'s' * (self.depth > 1)}"
        return f"{what}{f', {self.loops} loops' if self.loops > 1 else ''}, {size}"


def arms(runs: Runs, task: str = "swaps") -> list[Arm]:
    """Every shape of a task with two seeds and more, smallest serial depth first, at the rate with most seeds."""
    found = pick(runs, task=task, knobs=None, level=0, **PLAIN)
    made = []
    for _, group in found.frame.group_by(list(_SHAPE), maintain_order=True):
        rates = {lr: group.filter(group["lr"] == lr)["loss"] for lr in group["lr"].unique()}
        lr = max(rates, key=lambda lr: (len(rates[lr]), -float(rates[lr].mean())))  # type: ignore[arg-type]
        if len(rates[lr]) > 1:
            row = group.row(0, named=True)
            made.append(_arm(runs, task, {name: row[name] for name in _SHAPE}, lr))
    return sorted(made, key=lambda arm: (arm.steps, arm.cell != "loop", arm.serial, arm.N_nonemb, arm.loops))


def _arm(runs: Runs, task: str, shape: dict[str, Any], lr: float) -> Arm:
    rows = pick(runs, task=task, knobs=None, lr=lr, **PLAIN, **shape)
    whole = pick(rows, level=0)
    order = np.argsort(whole["seed"])
    first = whole.frame.row(0, named=True)
    by_level = []
    for level in LEVELS.values():
        here = pick(rows, level=level)
        by_level.append(here["accuracy"][np.argsort(here["seed"])])
    used = first.get("segments_used")
    return Arm(
        shape["cell"], shape["width"], shape["depth"], shape["loops"], shape["segments"], shape["halting"],
        shape["steps"], lr, first["params_nonembed"], first["flops"], first["serial"],
        tuple(int(s) for s in np.sort(whole["seed"])), whole["reach"][order], np.array(by_level).T,
        whole["loss"][order], None if used is None else float(whole["segments_used"].mean()),
    )  # fmt: skip
