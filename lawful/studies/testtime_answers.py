"""The arms of the test-time study: a model, how often it is asked, and the share of puzzles that this solves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.fit import Fit, fit
from lawful.laws.inference import pass_at_k
from lawful.runs import Runs
from lawful.studies.lab_exponents import PLAIN
from lawful.studies.lab_runs import pick, plain_number


@dataclass(frozen=True)
class Asked:
    """One model on the puzzles at one number of loops. N: all parameters; flops: one answer, states kept.

    kl_weight: of inferred latents, None where noise is only added; kl (s,): what they say of an answer, nats.
    greedy (s,): share solved by the likeliest answer; right (s, puzzles): how many of `tries` sampled answers are
    right; votes (s, v): share solved by the commonest of 1, 2, 4 ... 2^(v-1) answers. In order of the seeds.
    """

    width: int
    depth: int
    loops: int
    trained_loops: int
    noise: float
    kl_weight: float | None
    N: float
    flops: float
    tries: int
    seeds: np.ndarray
    greedy: np.ndarray
    right: np.ndarray
    votes: np.ndarray
    kl: np.ndarray

    @property
    def plain(self) -> bool:
        return self.trained_loops == 1 and not self.noise

    @property
    def name(self) -> str:
        loops = f", {self.loops} loops" if self.trained_loops > 1 else ""
        noise = f", noise {self.noise:g}" if self.noise else ""
        if self.kl_weight is not None:
            noise = f", latents of KL weight {self.kl_weight:g}"
        return f"width {self.width}{loops}{noise}, {plain_number(self.N)}"

    def coverage(self, k: int) -> np.ndarray:
        """Share of puzzles (s,) that at least one of k answers solves: the unbiased estimate from all tries."""
        return np.asarray(pass_at_k(self.tries, self.right, k)).mean(1)

    @property
    def counts(self) -> np.ndarray:
        """1, 2, 4 ... up to the tries."""
        return 2 ** np.arange(int(np.log2(self.tries)) + 1)

    def vote(self, k: int) -> np.ndarray:
        """Share (s,) solved by the commonest of k answers, k rounded down to a power of two."""
        return self.votes[:, min(int(np.log2(max(k, 1))), self.votes.shape[1] - 1)]


def asked(runs: Runs, task: str = "colouring") -> list[Asked]:
    """Every model of the puzzles with two seeds and more at the fewest steps with most models, smallest first."""
    found = pick(runs, task=task, level=0, **{**PLAIN, "part": ("end", "loops")}).frame
    if not len(found) or "solved" not in found.columns:
        return []
    found = found.filter(found["solved"].is_not_null())
    if "latent" not in found.columns:
        found = found.with_columns(latent=None, kl_weight=None, kl=None)
    shapes = ["width", "depth", "loops", "noise", "latent", "kl_weight", "test_loops"]
    steps = max(found["steps"].unique().to_list(), key=lambda s: (len(found.filter(found["steps"] == s)), -s))
    made = []
    for _, group in found.filter(found["steps"] == steps).group_by(shapes, maintain_order=True):
        rates = group["lr"].value_counts(sort=True)
        group = group.filter(group["lr"] == rates["lr"][0]).sort("seed")
        if len(group) > 1:
            made.append(_asked(group))
    return sorted(made, key=lambda a: (not a.plain, a.noise, a.kl_weight or 0.0, a.loops, a.N))


def _asked(group: Any) -> Asked:
    row = group.row(0, named=True)
    numbers = lambda name, kind: np.array([np.array(text.split(), kind) for text in group[name]])  # noqa: E731
    return Asked(
        row["width"], row["depth"], row["test_loops"], row["loops"], row["noise"],
        row["kl_weight"] if row["latent"] == "variational" else None, row["params"], row["forward_flops"],
        row["tries"], group["seed"].to_numpy(), group["greedy"].to_numpy().astype(float), numbers("solved", int),
        numbers("votes", float), group["kl"].to_numpy().astype(float),
    )  # fmt: skip


@dataclass(frozen=True)
class Monkeys:
    """Brown's law of one arm, seed by seed: a, b (s,), and what a fit to few answers says of all less that seen."""

    a: np.ndarray
    b: np.ndarray
    few: int
    error: np.ndarray
    residual: float


def brown(arm: Asked, share: int = 8) -> Monkeys:
    """Coverage fitted by ``c = exp(a k^b)`` at k = 1, 2, 4 ...; and by k up to tries/share alone, drawn on to tries.

    Points of one curve come from the same answers, so that the seed is the unit: one fit for each.
    """
    k = arm.counts
    few = k[k <= max(arm.tries // share, 4)]
    curves = np.array([arm.coverage(int(n)) for n in k]).T
    whole = [_fitted(k, c) for c in curves]
    part = [_fitted(few, c[: len(few)]) for c in curves]
    said = np.array([float(np.exp(p["a"] * k[-1] ** p["b"])) for p in part])
    drawn = np.array([[np.exp(p["a"] * n ** p["b"]) for n in k] for p in whole])
    return Monkeys(
        np.array([p["a"] for p in whole]), np.array([p["b"] for p in whole]), int(few[-1]), said - curves[:, -1],
        float(np.abs(drawn - curves).max()),
    )  # fmt: skip


def _fitted(k: np.ndarray, c: np.ndarray) -> dict[str, float]:
    made = fit("monkeys", {"k": k.astype(float), "coverage": np.clip(c, 1e-6, 1 - 1e-9)})
    assert isinstance(made, Fit)  # there are no groups
    return dict(made.values)
