"""Is "A beats B with probability p" right in p of cases? Pairs of recipes with known laws, compared from small runs.

In each world two recipes are run at the same fifteen places; their noise is shared to a degree drawn at random. The
probability that the first has the lower loss at ten, and at a thousand, times the compute of the largest run is set
beside what is true.

    python benchmarks/recipes.py                   # 200 worlds
"""

from __future__ import annotations

import sys

import numpy as np

from lawful.laws.hoffmann import chinchilla
from lawful.recipes import recipes

FACTORS = (10, 1000)


def world(seed: int) -> tuple[dict[str, np.ndarray], list[dict[str, float]], float]:
    """A table of two recipes at the same places, their values, and the compute of the largest run."""
    rng = np.random.default_rng(seed)
    N = np.repeat(np.geomspace(1e7, 1.6e8, 5), 3)
    D = N * np.tile([5.0, 20.0, 80.0], 5)
    first = dict(E=1.8, A=480.0, B=2100.0, alpha=0.348, beta=0.366)
    change = rng.standard_normal(4) * [0.03, 0.04, 0.04, 0.008]
    second = dict(
        E=1.8 + change[0], A=480.0 * np.exp(change[1] + change[3] * 18), B=2100.0 * np.exp(change[2]),
        alpha=0.348 + change[3], beta=0.366,
    )  # fmt: skip
    sigma, rho = float(np.exp(rng.uniform(np.log(0.003), np.log(0.01)))), rng.uniform(0, 0.9)
    common = rng.standard_normal(len(N))
    table: dict[str, list] = {"N": [], "D": [], "L": [], "recipe": []}
    for name, values in (("a", first), ("b", second)):
        noise = sigma * (np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.standard_normal(len(N)))
        table["L"] += list(chinchilla.at(values, N=N, D=D) * np.exp(noise))
        table["N"], table["D"] = table["N"] + list(N), table["D"] + list(D)
        table["recipe"] += [name] * len(N)
    return {k: np.array(v) for k, v in table.items()}, [first, second], float((6 * N * D).max())


def best_loss(values: dict[str, float], C: float) -> float:
    N = chinchilla.optimum["N"](C, values)
    return float(chinchilla.at(values, N=N, D=C / 6 / N))


def score(seed: int, draws: int = 200, paired: bool | None = None) -> list[tuple[float, bool, bool]]:
    """For each factor: the probability stated, whether a is better, whether the multiplier's interval holds."""
    table, (first, second), largest = world(seed)
    made = recipes(table, draws=draws, flops=max(FACTORS) * largest, paired=paired, seed=seed)
    out = []
    for factor in FACTORS:
        C = factor * largest
        goal = best_loss(first, C)
        grid = C * np.geomspace(1e-3, 1e3, 4001)
        reached = np.array([best_loss(second, c) for c in grid]) <= goal
        true = float(grid[reached.argmax()] / C) if reached.any() else np.inf
        m = made.multiplier("a", "b", C, level=0.9)
        p = made.probability("a", "b", C)
        out.append((p, goal < best_loss(second, C), m.lower <= true <= m.upper))
    return out


def summary(p: np.ndarray, wins: np.ndarray) -> dict[str, float]:
    """Brier score, what it would be if p were exact, and how often p beyond 0.95 either way was right."""
    sure = np.abs(p - 0.5) > 0.45
    return {
        "brier": float(np.mean((p - wins) ** 2)),
        "brier if exact": float(np.mean(p * (1 - p))),
        "brier of 1/2": 0.25,
        "sure (p beyond 0.95)": float(np.mean(sure)),
        "right when sure": float(np.mean((p > 0.5)[sure] == wins[sure])) if sure.any() else float("nan"),
    }


def main(worlds: int = 200) -> None:
    for paired in (None, False):
        rows = [score(seed, paired=paired) for seed in range(worlds)]
        for k, factor in enumerate(FACTORS):
            p, wins, held = (np.array([row[k][i] for row in rows], float) for i in range(3))
            print(f"{'paired' if paired is None else 'unpaired'}, {factor} times the largest run:",
                  {name: round(v, 3) for name, v in summary(p, wins).items()},
                  f"multiplier's 90 % interval holds in {held.mean():.1%}", flush=True)  # fmt: skip
            for low in (0.0, 0.2, 0.4, 0.6, 0.8):
                inside = (p >= low) & (p < low + 0.2 + (low == 0.8))
                if inside.any():
                    print(f"  p from {low:.1f}: mean {p[inside].mean():.2f}, won {wins[inside].mean():.2f}"
                          f" of {inside.sum()}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
