"""The models of the shape study: one shape of one task with its seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.runs import Runs
from lawful.studies.lab_exponents import PLAIN
from lawful.studies.lab_runs import pick

FRESH = 10  # seeds from here on never enter the fit of the law: they check what it predicts


@dataclass(frozen=True)
class Model:
    """One shape at one task. N: parameters without embeddings; r: MLP over attention parameters; z: width / sqrt(N).

    fresh: whether its seeds are those of the check; loss, reach (s,) in order of the seeds.
    """

    task: str
    depth: int
    width: int
    mlp_ratio: float
    heads: int
    kv_heads: int
    given_heads: bool
    N: float
    fresh: bool
    seeds: np.ndarray
    loss: np.ndarray
    reach: np.ndarray

    @property
    def r(self) -> float:
        """MLP over attention parameters: 2 m d^2 over (2 + 2 kv/h) d^2."""
        return self.mlp_ratio / (1 + self.kv_heads / self.heads)

    @property
    def z(self) -> float:
        return self.width / float(np.sqrt(self.N))

    @property
    def budget(self) -> int:
        """Which budget of parameters, in powers of four: budgets lie a factor of four apart."""
        return round(np.log(self.N) / np.log(4))

    @property
    def usual(self) -> bool:
        """Four feed-forward units to a unit of width, heads as the width sets them."""
        return self.mlp_ratio == 4 and not self.given_heads

    @property
    def name(self) -> str:
        return f"depth {self.depth}, width {self.width}, {self.mlp_ratio:g} MLP units per width"


def models(runs: Runs) -> list[Model]:
    """Every shape with two seeds and more at the usual number of steps of its task and the usual rate."""
    found = pick(runs, block="attention", loops=1, level=0, **PLAIN).frame
    made = []
    names = [n for n in ("task", "width", "depth", "mlp_ratio", "heads", "kv_heads") if n in found.columns]
    for (task, *_), group in found.group_by(names, maintain_order=True):
        steps = found.filter(found["task"] == task)["steps"].value_counts().sort("count", "steps")["steps"][-1]
        group = group.filter(group["steps"] == steps)
        if not len(group):
            continue
        rates = group["lr"].value_counts(sort=True)
        group = group.filter(group["lr"] == rates["lr"][0]).sort("seed")
        for fresh in (False, True):
            here = group.filter((group["seed"] >= FRESH) == fresh)
            if len(here) > 1:
                made.append(_model(here, fresh))
    return made


def _model(group: Any, fresh: bool) -> Model:
    row = group.row(0, named=True)
    heads = row.get("heads")
    worked_out = max(h for h in range(1, max(1, row["width"] // 16) + 1) if row["width"] % h == 0)
    reach = group["reach"].to_numpy().astype(float)
    return Model(
        row["task"], row["depth"], row["width"], row["mlp_ratio"], heads or worked_out,
        row.get("kv_heads") or heads or worked_out, heads is not None, row["params_nonembed"], fresh,
        group["seed"].to_numpy(), group["loss"].to_numpy().astype(float), reach,
    )  # fmt: skip
