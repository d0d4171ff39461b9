"""Do the intervals of a plan's best size hold what they promise? Coverage of log N* by simulation.

    python benchmarks/plan_coverage.py [WORLDS]

Each world draws losses from a published Chinchilla law on isoFLOP grids with relative normal noise, plans at 1, 10 and
100 times its largest budget by each road, and asks whether the 90 % interval holds the law's own optimum. Grids lie
round the optimum, or off it by a factor of 3; sizes span a factor of 16 unless said.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

import lawful
from lawful.belief import belief
from lawful.isoflop import profiles
from lawful.laws.hoffmann import CHINCHILLA, chinchilla, optimal_params

AHEAD = (1, 10, 100)


@dataclass(frozen=True)
class World:
    """Runs of one law. shift: middle of the sizes tried over the optimum. wide: how far they reach either way."""

    values: str = "besiroglu2024"
    shift: float = 1.0
    wide: float = 4.0
    noise: float = 0.003
    sizes: int = 9
    budgets: tuple[float, ...] = tuple(np.geomspace(1e18, 1e21, 7))

    def best(self, C: float) -> float:
        return float(optimal_params(C, CHINCHILLA[self.values]))

    def runs(self, seed: int) -> dict[str, np.ndarray]:
        steps = self.shift * np.geomspace(1 / self.wide, self.wide, self.sizes)
        N = np.concatenate([self.best(C) * steps for C in self.budgets])
        D = np.repeat(self.budgets, self.sizes) / 6 / N
        own = [seed, round(1e4 * self.noise), round(100 * self.shift), self.sizes, len(self.values)]
        noise = np.random.default_rng(own).standard_normal(len(N))
        return {"params": N, "tokens": D, "loss": chinchilla.at(self.values, N=N, D=D) * np.exp(self.noise * noise)}


WORLDS = {
    "centred": World(),
    "centred, lopsided law": World("hoffmann2022"),
    "centred, few runs": World(sizes=5, budgets=tuple(np.geomspace(1e18, 1e20, 5))),
    "off by 3, small noise": World("hoffmann2022", shift=1 / 3, noise=0.001),
    "off by 3 the other way": World(shift=3, noise=0.001),
    "off by 2, wide": World("hoffmann2022", shift=2, wide=8, noise=0.001),
}


def road(name: str, runs: dict[str, np.ndarray], budgets: list[float], seed: int) -> list[np.ndarray]:
    """Draws of the best size at each budget by one road."""
    if name == "law":
        held = belief(lawful.fit("chinchilla", lawful.read(runs)), draws=400, seed=seed)
        return [np.asarray(held.draws and optimal_params(C, held.draws)) for C in budgets]
    made = profiles(runs["params"], runs["tokens"], runs["loss"], degree=int(name[-1]), draws=400, seed=seed)
    return [made.optimum(C)[1] for C in budgets]


def coverage(world: World, name: str, worlds: int, level: float = 0.9) -> tuple[np.ndarray, np.ndarray, int]:
    """Share of intervals that hold the truth, their median width in log N (3,), and worlds without a plan."""
    budgets = [world.budgets[-1] * ahead for ahead in AHEAD]
    truth = np.array([world.best(C) for C in budgets])
    ends, failed = [], 0
    for seed in range(worlds):
        try:
            sample = np.array(road(name, world.runs(seed), budgets, seed))
        except ValueError:
            failed += 1
            continue
        ends.append(np.nanquantile(sample, [(1 - level) / 2, (1 + level) / 2], axis=1))
    low, high = np.array(ends).transpose(1, 0, 2)
    return ((low <= truth) & (truth <= high)).mean(0), np.median(np.log(high / low), 0), failed


def main() -> None:
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print(f"{'world':<24} {'road':<9} {'coverage at 1x, 10x, 100x':<28} width of log N*")
    for label, world in WORLDS.items():
        for name in ("degree 2", "degree 3", "law"):
            held, wide, failed = coverage(world, name, worlds)
            shown = "  ".join(f"{100 * x:5.1f}" for x in held)
            note = f"  ({failed} without a plan)" if failed else ""
            print(f"{label:<24} {name:<9} {shown:<28} {'  '.join(f'{x:.2f}' for x in wide)}{note}", flush=True)


if __name__ == "__main__":
    main()
