r"""Exponents of ladders of small models: how fast the excess over a known floor falls with size.

A ladder is one task and level at one amount of data, a number of sizes with the same seeds at each. The exponent with E
known is the slope of $-\ln(loss - floor)$ on $\ln N$, once per seed: the seed is the unit, so intervals are Student's t
over seeds and differences Welch's. The exponent with E free is fitted to all runs and its interval is a profile.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, inf
from typing import Any

import numpy as np

from lawful.runs import Runs
from lawful.stats import StatResult, unpaired_permutation
from lawful.studies.lab_runs import pick, table_of, usual, values_of
from lawful.uncertainty import Interval

PLAIN = {"part": "end", "status": "ok", "reweight": None, "members": 1, "curriculum": 0.0}
FLAT = 0.02  # an exponent whose interval lies within this of zero is called flat: ten times the size gains 5 per cent


@dataclass(frozen=True)
class Ladder:
    """One task and level over sizes. N, N_nonemb (n,): parameters with and without embeddings; seeds (s,).

    loss, floor, accuracy (s, n): loss of the model and of the best there can be on the same answers; accuracy of the
    model, with that of guessing (chance) and of the best. answers: how many were asked at this level. data_floor:
    whether the floor is that of the data. missing: sizes left out since a seed of theirs is missing.
    """

    task: str
    level: int
    data_floor: bool
    N: np.ndarray
    N_nonemb: np.ndarray
    seeds: np.ndarray
    loss: np.ndarray
    floor: np.ndarray
    accuracy: np.ndarray
    chance: float
    best: float
    answers: int
    missing: int

    @property
    def excess(self) -> np.ndarray:
        return self.loss - self.floor

    @property
    def name(self) -> str:
        return self.task if self.level == 0 else f"{self.task}, level {self.level}"


def plain(runs: Runs, task: str, **settings: Any) -> Runs:
    """The finished runs of a task with plain training, at the usual learning rate and with the settings given."""
    found = pick(runs, task=task, **{"knobs": None, "block": "attention", **PLAIN, **settings})
    return pick(found, lr=usual(found, "lr")) if len(found) else found


def sizes_by_steps(runs: Runs, task: str, **settings: Any) -> dict[int, list[int]]:
    """The widths that a task was trained at, by the number of steps, fewest steps first."""
    found = plain(runs, task, level=0, **settings)
    return {steps: values_of(pick(found, steps=steps), "width") for steps in values_of(found, "steps")}


def ladder_steps(runs: Runs, task: str, **settings: Any) -> int:
    """The number of steps at which a task has most sizes; of several, the largest."""
    sizes = sizes_by_steps(runs, task, **settings)
    return max(sizes, key=lambda steps: (len(sizes[steps]), steps))


def ladder(
    runs: Runs, task: str, level: int, steps: int | None = None, floor: str = "bayes_loss", **settings: Any
) -> Ladder:
    """The ladder of a task and level, at the most steps unless they are given.

    floor: its column; the true model's loss on the same answers, or what any learner must expect after so much data
    ("data_floor_loss"). Raises ValueError where fewer than two sizes have all seeds.
    """
    steps = ladder_steps(runs, task, **settings) if steps is None else steps
    found = plain(runs, task, level=level, steps=steps, **settings)
    seeds, N, loss = table_of(found, "seed", "params")
    whole = np.isfinite(loss).all(0)
    if whole.sum() < 2:
        raise ValueError(f"task {task}, level {level}, {steps} steps: {whole.sum()} sizes have all seeds, 2 are needed")
    grid = {name: table_of(found, "seed", "params", name)[2][:, whole] for name in (floor, "accuracy")}
    nonemb = table_of(found, "seed", "params", "params_nonembed")[2][0, whole]
    first = found.frame.row(0, named=True)
    return Ladder(
        task, level, floor == "data_floor_loss", N[whole].astype(float), nonemb, seeds, loss[:, whole], grid[floor],
        grid["accuracy"], float(first["chance_accuracy"]), float(first["floor_accuracy"]), int(first["n"]),
        int((~whole).sum()),
    )  # fmt: skip


def slopes(one: Ladder, embeddings: bool = False) -> np.ndarray:
    """The exponent of each seed (s,), E known; of the sizes at which no seed touches the floor."""
    above = (one.excess > 0).all(0)
    if above.sum() < 2:
        return np.full(len(one.seeds), np.nan)
    x = np.log((one.N if embeddings else one.N_nonemb)[above])
    x = x - x.mean()
    return -np.log(one.excess[:, above]) @ x / (x @ x)


def over_seeds(values: np.ndarray, level: float = 0.95) -> Interval:
    """The mean over seeds with Student's t interval; "cannot tell" from one seed."""
    from scipy.special import stdtrit

    n, mean = len(values), float(np.mean(values))
    if n < 2 or not np.isfinite(mean):
        why = "one seed" if n < 2 else "the floor is reached at all sizes but one"
        return Interval(mean, -inf, inf, level, "t over seeds", f"cannot tell: {why}")
    half = float(stdtrit(n - 1, 0.5 + level / 2) * np.std(values, ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half, level, "t over seeds")


def free_exponent(one: Ladder, embeddings: bool = False) -> tuple[Interval, Interval]:
    """Exponent and E of L = E + A N^-a, both free, with their profile intervals."""
    from lawful.fit import Fit, fit
    from lawful.uncertainty import intervals

    if not (one.loss > 0).all():
        none = Interval(np.nan, -inf, inf, 0.95, "profile", "cannot tell: a loss is not positive")
        return none, none
    N = one.N if embeddings else one.N_nonemb
    table = {"x": np.tile(N, len(one.seeds)), "y": one.loss.ravel()}
    made = fit("power_law_constant", table)
    assert isinstance(made, Fit)  # there are no groups
    found = intervals(made, method="profile")
    return found["alpha"], found["E"]


def bends(one: Ladder) -> tuple[float, float, float]:
    """Does the straight line in log-log hold? p of its lack of fit, and the local exponents of the two ends.

    F test of the sizes' means about the line against the scatter of seeds about those means (pure error), n - 2 and
    n (s - 1) degrees of freedom. Not a number where there are fewer than three sizes or two seeds.
    """
    from scipy.special import fdtrc

    above = (one.excess > 0).all(0)
    y, x = np.log(one.excess[:, above]), np.log(one.N_nonemb[above])
    s, n = y.shape
    if n < 3 or s < 2:
        return np.nan, np.nan, np.nan
    mean = y.mean(0)
    slope, level = np.polyfit(x, mean, 1)
    lack = s * ((mean - level - slope * x) ** 2).sum() / (n - 2)
    pure = ((y - mean) ** 2).sum() / (n * (s - 1))
    ends = [-(mean[b] - mean[a]) / (x[b] - x[a]) for a, b in ((0, 1), (n - 2, n - 1))]
    return float(fdtrc(n - 2, n * (s - 1), lack / pure)), float(ends[0]), float(ends[1])


def leaves_chance(one: Ladder, alpha: float = 0.05) -> float | None:
    """The least size from which on every larger one is above chance; None if the largest is not.

    One-sided at alpha over the number of sizes. The accuracy of a size varies with the seed and with the answers drawn,
    which all seeds share: variance s^2 / seeds + p (1 - p) / answers.
    """
    from scipy.special import ndtri

    p = one.accuracy.mean(0)
    spread = one.accuracy.var(0, ddof=1) / len(one.seeds) if len(one.seeds) > 1 else 0.0
    se = np.sqrt(spread + np.maximum(one.chance * (1 - one.chance), p * (1 - p)) / one.answers)
    above = p - float(ndtri(1 - alpha / len(p))) * se > one.chance
    below = np.flatnonzero(~above)
    first = below[-1] + 1 if len(below) else 0
    return float(one.N_nonemb[first]) if first < len(p) else None


@dataclass(frozen=True)
class Contrast:
    """A difference of means over seeds: Welch's interval at the family-wise level and the exact permutation p.

    seeds: how many per arm there are; needed: how many would settle it at the same spread (None: settled).
    """

    test: StatResult
    interval: Interval
    seeds: int
    needed: int | None

    @property
    def told(self) -> bool:
        return self.needed is None

    def __str__(self) -> str:
        one = self.interval
        text = f"{one.estimate:+.3g} [{one.lower:.3g}, {one.upper:.3g}]"
        return text if self.told else f"{text}, cannot tell: {self.needed} seeds each would be needed"


def contrast(x: np.ndarray, y: np.ndarray, comparisons: int = 1, alpha: float = 0.05) -> Contrast:
    """mean(x) - mean(y) over seeds, at alpha over the planned comparisons (Bonferroni)."""
    level = 1 - alpha / comparisons
    test = unpaired_permutation(x, y, unit="seed", level=level, alpha=alpha, comparisons=comparisons)
    low, high = test.interval or (test.estimate, test.estimate)
    told = not low <= 0 <= high
    interval = Interval(test.estimate, low, high, level, "Welch", "" if told else "cannot tell: 0 is inside")
    needed = None if told else seeds_needed(x, y, comparisons, alpha)
    return Contrast(test, interval, min(len(x), len(y)), needed)


def seeds_needed(x: np.ndarray, y: np.ndarray, comparisons: int = 1, alpha: float = 0.05) -> int:
    """Seeds per arm at which a t interval at alpha over comparisons would exclude 0 with 80 % power, as seen here.

    n >= (t + t_power)^2 (var x + var y) / difference^2; at least so many that a permutation test could say it too. At
    most 10,000, which means "no difference to be seen".
    """
    from scipy.special import stdtrit

    gap, spread = float(np.mean(x) - np.mean(y)), float(np.var(x, ddof=1) + np.var(y, ddof=1))
    for n in (*range(2, 200), *range(200, 10_001, 50)):
        t = stdtrit(2 * n - 2, 1 - alpha / comparisons / 2) + stdtrit(2 * n - 2, 0.8)
        if 2 / comb(2 * n, n) <= alpha / comparisons and n * gap**2 >= t**2 * spread:
            return n
    return 10_000
