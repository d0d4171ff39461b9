"""Does the quick search find what an exhaustive one finds?

T12: 60 random sets of Chinchilla's law (10 to 240 points, t3 noise of 0.1 to 2 %, one to three decades of N), log-Huber
with delta 1e-3: the default search against all of Hoffmann's 4500 starts solved to the end by the same solver.
T13: resamples of 10 points: bootstraps whose objective is more than 1 % above the best of our bootstrap, of the default
search and of 40 more starts on the same resample.

See timing.py for the environment. T12 takes a few minutes: ``python benchmarks/robustness.py 20`` tries 20 sets.
"""

from __future__ import annotations

import sys
from time import process_time

import numpy as np
from chinchilla import hoffmann_grid
from timing import check_environment, verdict

import lawful
from lawful.bootstrap import _resample, bootstrap
from lawful.objectives import objective
from lawful.search import find, starts_for
from lawful.solve import Problems, solve

HUBER = objective("log_huber:1e-3")


def synthetic(rng: np.random.Generator, n: int | None = None) -> dict[str, np.ndarray]:
    """A random set of runs."""
    n = n or int(rng.choice([10, 15, 25, 60, 240]))
    noise, span = rng.choice([0.001, 0.005, 0.02]), rng.choice([1.0, 2.0, 3.0])
    log_n = np.log(10) * rng.uniform(7, 7 + span, n)
    log_d = log_n + np.log(20) + rng.normal(0, 1.2, n)
    E, alpha, beta = rng.uniform(0.5, 3), rng.uniform(0.15, 0.9), rng.uniform(0.15, 0.9)
    first = rng.uniform(0.1, 1.5) * np.exp(-alpha * (log_n - log_n.mean()))
    second = rng.uniform(0.1, 1.5) * np.exp(-beta * (log_d - log_d.mean()))
    L = (E + first + second) * np.exp(noise * rng.standard_t(3, n))
    return {"N": np.exp(log_n), "D": np.exp(log_d), "L": L}


def exhaustive(fit: lawful.Fit) -> float:
    """The best objective of all 4500 starts, each solved to the end."""
    a, b, e, alpha, beta = hoffmann_grid().T
    natural = np.stack([np.exp(e), np.exp(a), np.exp(b), np.maximum(alpha, 1e-3), np.maximum(beta, 1e-3)], axis=1)
    return float(solve(fit.model, fit.model.search(natural), fit.problems, HUBER, iterations=400).F.min())


def t12(sets: int) -> None:
    rng = np.random.default_rng(5)
    same, quick, full = 0, 0.0, 0.0
    for _ in range(sets):
        points = synthetic(rng)
        begin = process_time()
        fit = lawful.fit("chinchilla", points, objective=HUBER)
        middle = process_time()
        best = exhaustive(fit)
        quick, full = quick + middle - begin, full + process_time() - middle
        same += fit.F <= best * (1 + 1e-9) + 1e-15
    verdict("T12", f"{same} of {sets} as good as 4500 full solves; {1e3 * quick / sets:.0f} ms against "
            f"{1e3 * full / sets:.0f} ms of CPU per set", ">= 98 %", same >= 0.98 * sets)  # fmt: skip


def t13(sets: int = 12, draws: int = 100) -> None:
    rng = np.random.default_rng(6)
    worse = total = 0
    seconds = 0.0
    for seed in range(sets):
        fit = lawful.fit("chinchilla", synthetic(rng, 10), objective=HUBER)
        begin = process_time()
        found = bootstrap(fit, draws=draws, seed=seed)
        seconds += process_time() - begin
        problems, _ = _resample(fit, "pairs", draws, np.random.default_rng(seed))
        part = Problems(problems.X, problems.y, problems.W)
        best = np.minimum(found.F, find(fit.model, part, HUBER, starts_for(fit.model, part, HUBER, 256, 7))[1])
        more = starts_for(fit.model, part, HUBER, 40, 8)
        rows = np.repeat(np.arange(draws), more.shape[1])
        solved = solve(fit.model, more.reshape(-1, fit.model.size), part, HUBER, rows)
        best = np.minimum(best, solved.F.reshape(draws, -1).min(1))
        worse += int((found.F > best * 1.01 + 1e-12).sum())
        total += draws
    verdict("T13", f"{worse} of {total} resamples ({worse / total:.2%}) are more than 1 % off; "
            f"{1e3 * seconds / total:.2f} ms of CPU each", "<= 2 %", worse <= 0.02 * total)  # fmt: skip


if __name__ == "__main__":
    check_environment()
    t13()
    t12(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
