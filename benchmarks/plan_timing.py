"""How long does a plan take after the fit? CPU seconds of `plan` with 1,000 draws, and of 2,000 bootstrap plans.

    python benchmarks/plan_timing.py

Runs are made from Chinchilla's law (Besiroglu's values), 0.3 % noise; the draws are part of the time.
"""

from __future__ import annotations

from time import process_time

import numpy as np

import lawful
from lawful import datasets
from lawful.belief import belief
from lawful.laws.hoffmann import chinchilla
from lawful.plan import plan


def runs(sizes: int, ratios: int) -> dict[str, np.ndarray]:
    N = np.repeat(np.geomspace(3e7, 3e9, sizes), ratios)
    D = N * np.tile(np.geomspace(4, 100, ratios), sizes)
    noise = np.exp(0.003 * np.random.default_rng(0).standard_normal(len(N)))
    return {"params": N, "tokens": D, "loss": chinchilla.at("besiroglu2024", N=N, D=D) * noise}


def main() -> None:
    fits = {
        "15 runs": lawful.fit("chinchilla", lawful.read(runs(5, 3))),
        "60 runs": lawful.fit("chinchilla", lawful.read(runs(12, 5))),
        "240 runs": lawful.fit("chinchilla", lawful.read(runs(24, 10))),
        "240 runs, log_huber": lawful.fit("chinchilla", lawful.read(runs(24, 10)), objective="log_huber:1e-3"),
        "Kaplan's law, no closed form": lawful.fit(
            "kaplan_nd", lawful.read(runs(12, 5)), variables={"N_nonemb": "params"}
        ),
        "Cerebras-GPT, not identified": lawful.fit("chinchilla", datasets.load("cerebras_gpt")),
    }
    plan(fits["15 runs"], flops=1e21, draws=20)  # imports
    print(f"{'':<30} {'budget':>8} {'target':>8} {'2000 bootstrap plans':>22}")
    for name, fit in fits.items():
        spent = []
        for asked in ({"flops": 1e22}, {"loss": 2.6}):
            begin = process_time()
            plan(fit, **asked)
            spent.append(process_time() - begin)
        begin = process_time()
        held = belief(fit, draws=2000)
        size = next(v for v in ("N", "N_nonemb") if v in held.law.variables)
        if size in held.law.optimum:
            held.interval(lambda v, own=held, size=size: own.law.optimum[size](1e22, v))
        spent.append(process_time() - begin)
        print(f"{name:<30} {spent[0]:>7.2f}s {spent[1]:>7.2f}s {spent[2]:>21.2f}s", flush=True)


if __name__ == "__main__":
    main()
