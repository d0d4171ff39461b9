"""Many small sets at once, and one large set.

T9: 300 sets of 8 to 30 points, 16 starts each: one padded batch against a loop over the sets, the same solver.
T10: a million points: one default fit of Chinchilla's law by least squares on the log.

See timing.py for the environment. CPU seconds, medians of 3 rounds.
"""

from __future__ import annotations

import resource
from time import process_time

import numpy as np
from timing import check_environment, interleaved, verdict

import lawful
from lawful.bind import bind
from lawful.laws import find as law
from lawful.objectives import objective
from lawful.solve import Problems, solve

HUBER = objective("log_huber:1e-3")


def small_sets(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and weights (count, 30) of noisy power laws with a constant; weight 0 where a set has no point."""
    rng = np.random.default_rng(3)
    x = 10 ** rng.uniform(7, 10, (count, 30))
    E, alpha = rng.uniform(0.5, 3, (count, 1)), rng.uniform(0.1, 0.6, (count, 1))
    y = (E + rng.uniform(0.5, 2, (count, 1)) * (x / 1e8) ** -alpha) * np.exp(0.01 * rng.standard_t(3, x.shape))
    return x, y, (np.arange(30) < rng.integers(8, 31, (count, 1))).astype(float)


def t9(count: int = 300, starts: int = 16) -> None:
    x, y, w = small_sets(count)
    model = bind(law("power_law_constant"), {"x": x.ravel()})
    rng = np.random.default_rng(4)
    values = np.stack(
        [rng.uniform(0.5, 2, (count, starts)) * 1e8**0.3, rng.uniform(0.1, 0.6, (count, starts)),
         rng.uniform(0.2, 2, (count, starts))], axis=-1,
    )  # fmt: skip
    theta = model.search(values.reshape(-1, 3))
    which = np.repeat(np.arange(count), starts)

    def batch() -> np.ndarray:
        return solve(model, theta, Problems({"x": x}, y, w), HUBER, which).F.reshape(count, starts).min(1)

    def loop() -> np.ndarray:
        best = []
        for i in range(count):
            there = w[i] > 0
            one = Problems({"x": x[i, there]}, y[i, there], w[i : i + 1, there])
            best.append(solve(model, theta[which == i], one, HUBER).F.min())
        return np.array(best)

    seconds, F = interleaved(3, loop=loop, batch=batch)
    ratio, same = seconds["loop"] / seconds["batch"], float(np.mean(np.abs(F["batch"] / F["loop"] - 1) < 1e-6))
    verdict("T9", f"{ratio:.1f}x: loop {seconds['loop']:.2f} s, batch {seconds['batch']:.2f} s; the same optimum in "
            f"{same:.1%}", ">= 5x", ratio >= 5)  # fmt: skip


def t10(n: int = 1_000_000) -> None:
    rng = np.random.default_rng(1)
    N, D = 10 ** rng.uniform(7, 10, n), 10 ** rng.uniform(9, 12, n)
    L = (1.8 + 480 * N**-0.35 + 2100 * D**-0.37) * np.exp(0.01 * rng.standard_normal(n))
    begin = process_time()
    lawful.fit("chinchilla", {"N": N, "D": D, "L": L})
    seconds = process_time() - begin
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    verdict("T10", f"one fit of {n:,} points {seconds:.2f} s, {megabytes:.0f} MB at the peak",
            "<= 1 s, <= 400 MB", seconds <= 1 and megabytes <= 400)  # fmt: skip


if __name__ == "__main__":
    check_environment()
    t10()  # first, for the peak of memory is the process's
    t9()
