"""How many FLOP must random runs spend to do what the proposed runs do? Worlds with known laws, refits for real.

In each world a small grid of runs is made and fitted; runs for as many FLOP again are proposed for a decision, made
(with noise of their own), and everything is fitted and given its interval again. The same is done with affordable runs
drawn at random from the same candidates for 1, 2, 4 and 8 times the FLOP. The multiple at which the random runs' median
interval is as narrow as the proposed runs' is the figure; beyond 8 it counts as 8.

    python benchmarks/next_runs.py                 # 20 worlds for each decision
    python benchmarks/next_runs.py 5 winner        # five worlds of one
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np

import lawful
from lawful.belief import belief
from lawful.decisions import Decision, loss_at, size_at, winner_at
from lawful.design_grid import candidates_for
from lawful.designs import random_design
from lawful.fit import Fit
from lawful.laws.hoffmann import chinchilla, optimal_params
from lawful.next_runs import next_runs

TARGET = 1e22
DECISIONS = {
    "size": size_at(TARGET, tolerance=1e-9), "loss": loss_at(TARGET, tolerance=1e-9),
    "winner": winner_at(TARGET, tolerance=1e-9),
}  # fmt: skip
MULTIPLES = (1, 2, 4, 8)
REPEATS = 5  # noises of the proposed runs, and random designs at each multiple
LEVEL = 0.9


@dataclass(frozen=True)
class World:
    """A law, its noise, and the runs that are there: sizes with three numbers of tokens per parameter each."""

    values: dict[str, float]
    sigma: float
    N: np.ndarray
    D: np.ndarray

    @property
    def spent(self) -> float:
        return float((6 * self.N * self.D).sum())

    def losses(self, N: np.ndarray, D: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return chinchilla.at(self.values, N=N, D=D) * np.exp(self.sigma * rng.standard_normal(len(N)))


def world(seed: int) -> World:
    """Exponents of 0.28 to 0.40, E of 1.5 to 2, 10 to 40 tokens per parameter best at 1e21, noise of 0.3 to 1 %."""
    rng = np.random.default_rng(seed)
    alpha, beta = rng.uniform(0.28, 0.40, 2)
    N = np.sqrt(1e21 / 6 / np.exp(rng.uniform(np.log(10), np.log(40))))
    D = 1e21 / 6 / N
    reducible = rng.uniform(0.4, 0.7)  # what is left above E at 1e21, shared so that N is the best size
    A = reducible * beta / (alpha + beta) * N**alpha
    B = reducible * alpha / (alpha + beta) * D**beta
    sizes = np.geomspace(1e7, 1e7 * rng.uniform(8, 20), 5)
    grid = np.repeat(sizes, 3), np.tile([5.0, 20.0, 80.0], 5)
    values = dict(E=rng.uniform(1.5, 2.0), A=A, B=B, alpha=alpha, beta=beta)
    return World(values, float(np.exp(rng.uniform(np.log(0.003), np.log(0.01)))), grid[0], grid[0] * grid[1])


def other(one: World) -> World:
    """A second recipe, a little better in size: what two recipes that are worth comparing differ by."""
    values = one.values | {"A": one.values["A"] * 1.2, "alpha": one.values["alpha"] + 0.01}
    return replace(one, values=values)


def width(fits: list[Fit], decision: Decision) -> float:
    """Width of the interval of log N*, of log L at N*, or of log L_a - log L_b there, by refits of data drawn from the
    laws (90 %)."""

    def number(v):
        N = optimal_params(TARGET, v)
        if decision.kind == "size":
            return np.log(N)
        return np.log(v["E"] + v["A"] * N ** -v["alpha"] + v["B"] * (TARGET / 6 / N) ** -v["beta"])

    held = [belief(fit, method="parametric", draws=200, seed=k) for k, fit in enumerate(fits)]
    draws = [np.asarray(one.apply(number)[1], float) for one in held]
    sample = draws[0] if len(draws) == 1 else draws[0] - draws[1]
    low, high = np.nanquantile(sample, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(high - low)


Runs = list[tuple[np.ndarray, np.ndarray]]  # N, D of the new runs of each recipe


def refitted(worlds: list[World], losses: list[np.ndarray], new: Runs, rng: np.random.Generator) -> list[Fit]:
    """The fits when the new runs have been made as well."""
    out = []
    for one, seen, (N, D) in zip(worlds, losses, new):
        table = {"N": np.append(one.N, N), "D": np.append(one.D, D), "L": np.append(seen, one.losses(N, D, rng))}
        out.append(lawful.fit("chinchilla", table))
    return out


def multiple(seed: int, name: str) -> dict[str, float]:
    """One world: widths before, after the proposed runs and after random runs, and the multiple of FLOP they need."""
    worlds, decision = [world(seed)], DECISIONS[name]
    worlds += [other(worlds[0])] if name == "winner" else []
    labels = ["a", "b"][: len(worlds)]
    rng = np.random.default_rng(1000 + seed)
    losses = [one.losses(one.N, one.D, rng) for one in worlds]
    first = [lawful.fit("chinchilla", {"N": one.N, "D": one.D, "L": y}) for one, y in zip(worlds, losses)]
    spent = sum(one.spent for one in worlds)
    made = next_runs(dict(zip(labels, first)) if len(first) > 1 else first[0], decision, spent, worth=0.0)
    own = [[run for run in made.runs if run.recipe in (label, "")] for label in labels]
    new = [(np.array([run.N for run in runs]), np.array([run.D for run in runs])) for runs in own]
    ours = float(np.median([width(refitted(worlds, losses, new, rng), decision) for _ in range(REPEATS)]))
    menu = candidates_for(made.limits, len(worlds))
    theirs = []
    for times in MULTIPLES:
        widths = []
        for _ in range(REPEATS):
            at = np.array(random_design(rng, menu, made.limits, times * spent))
            parts = [at[menu.recipe[at] == k] for k in range(len(worlds))]
            widths.append(width(refitted(worlds, losses, [(menu.N[i], menu.D[i]) for i in parts], rng), decision))
        theirs.append(float(np.median(widths)))
    expected = np.log(made.after.upper / made.after.lower)
    return {"world": seed, "before": width(first, decision), "ours": ours, "expected": expected, "runs": len(made.runs),
            **{f"random x{k}": w for k, w in zip(MULTIPLES, theirs)}, "multiple": crossing(ours, theirs)}  # fmt: skip


def crossing(ours: float, theirs: list[float]) -> float:
    """Where the random runs' width, a line between multiples on log axes, comes down to ours: at most the last."""
    x, y = np.log(MULTIPLES), np.log(np.minimum.accumulate(theirs))
    if y[0] <= np.log(ours):
        return float(np.exp((np.log(ours) - y[0]) / min((y[-1] - y[0]) / (x[-1] - x[0]), -0.1)))  # below one
    if y[-1] > np.log(ours):
        return float(MULTIPLES[-1])
    return float(np.exp(np.interp(-np.log(ours), -y, x)))


def main(worlds: str = "20", *names: str) -> None:
    for name in names or DECISIONS:
        rows = [multiple(seed, name) for seed in range(int(worlds))]
        print(f"{name}: " + "  ".join(rows[0]))
        for row in rows:
            print("  ".join(f"{v:.3g}" for v in row.values()), flush=True)
        found = np.array([row["multiple"] for row in rows])
        double = np.mean([row["random x2"] > row["ours"] for row in rows])
        print(f"{name}: median multiple {np.median(found):.2f}, quartiles {np.quantile(found, [0.25, 0.75]).round(2)}; "
              f"random runs for twice the FLOP are wider in {double:.0%} of worlds")  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
