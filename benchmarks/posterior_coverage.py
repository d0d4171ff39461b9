"""Do posterior intervals hold what they promise? Coverage by simulation, with truths drawn from the prior.

    python benchmarks/posterior_coverage.py [COUNT] ["all 20" ...]

Each world draws its truth, then runs from the truth, and asks whether the 90 % intervals hold the truth, and where it
lies among the draws (its rank, uniform if the posterior is right: simulation-based calibration, Talts et al. 2018).

* all: every number of the Chinchilla law has a proper prior, the exponents the published one; so coverage must be
  nominal whatever the runs. The spread of errors is drawn from a part of its prior 1 / sigma, 0.003 to 0.03: telling
  the posterior these ends moves those of intervals by less than 1 % of their length.
* published: the exponents are drawn from the published prior, which is all that the posterior is told; the constant
  and the terms have plausible values, and their prior is the flat one.
* pooled: eight groups of ten runs, whose exponents are normal about 0.35 with a standard deviation of 0.06.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import exp, log

import emcee  # noqa: F401  imported here, so that its seconds count for no world
import numpy as np

import lawful
from lawful.laws import find
from lawful.posterior import Posterior, posterior
from lawful.priors import Normal, StudentT, literature_priors

MIDDLE = (10**8.5, 10**9.9)  # of params and tokens
WORLDS = ("all 20", "published 20", "published 50", "pooled")  # the number of runs
AHEAD = {"N": 7e10, "D": 1.4e12}
PUBLISHED = literature_priors(find("chinchilla"), ("alpha", "beta"))
PROPER = {**PUBLISHED, "E": Normal(1.8, 0.3), "A": Normal(log(480), 0.7), "B": Normal(log(2080), 0.7)}


@dataclass
class Tally:
    """By quantity: whether the interval held the truth, and the share of draws below it."""

    held: dict[str, list[bool]] = field(default_factory=dict)
    rank: dict[str, list[float]] = field(default_factory=dict)
    settled: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, name: str, truth: float, drawn: np.ndarray, level: float = 0.9) -> None:
        below = float(np.mean(drawn < truth))
        self.held.setdefault(name, []).append((1 - level) / 2 <= below <= (1 + level) / 2)
        self.rank.setdefault(name, []).append(below)

    def coverage(self, name: str) -> tuple[float, float]:
        """Share of intervals that held, and its standard error."""
        share = float(np.mean(self.held[name]))
        return share, float(np.sqrt(0.09 / len(self.held[name])))

    def uniform(self, name: str) -> float:
        """p-value of chi2 with ten bins against uniform ranks."""
        from scipy.special import chdtrc

        count = np.histogram(self.rank[name], 10, (0, 1))[0]
        expected = count.sum() / 10
        return float(chdtrc(9, ((count - expected) ** 2 / expected).sum()))


def positive(prior: StudentT, rng: np.random.Generator) -> float:
    """A draw of an exponent: the prior ends at 0 and 5."""
    while not 0 < (value := prior.mean + prior.scale * rng.standard_t(prior.dof)) < 5:
        pass
    return value


def truth_of(world: str, rng: np.random.Generator) -> dict[str, float]:
    a, b = (positive(PUBLISHED[name], rng) for name in ("alpha", "beta"))
    if world == "all":
        A, B = (exp(rng.normal(PROPER[name].mean, PROPER[name].sd)) for name in ("A", "B"))
        return {"E": rng.normal(1.8, 0.3), "A": A, "B": B, "alpha": a, "beta": b}
    terms = np.exp(rng.uniform(log(0.2), log(1.5), 2)) * (MIDDLE[0] ** a, MIDDLE[1] ** b)
    return {"E": rng.uniform(1.4, 2.2), "A": terms[0], "B": terms[1], "alpha": a, "beta": b}


def one_study(world: str, seed: int, runs: int, tally: Tally) -> None:
    rng = np.random.default_rng([seed, runs, len(world)])
    truth, sigma = truth_of(world, rng), exp(rng.uniform(log(0.003), log(0.03)))
    N, D = 10 ** rng.uniform(7.5, 9.5, runs), 10 ** rng.uniform(9, 10.8, runs)
    law = find("chinchilla")
    fit = lawful.fit(law, {"N": N, "D": D, "loss": law.at(truth, N=N, D=D) * np.exp(sigma * rng.standard_normal(runs))})
    began = time.process_time()
    made = posterior(fit, PROPER if world == "all" else "literature", seed=seed)
    tally.seconds.append(time.process_time() - began)
    tally.settled.append(made.settled)
    for k, name in enumerate(made.names):
        tally.add(name, truth[name], made.draws[:, k])
    drawn = law.at(dict(zip(made.names, made.draws.T)), **AHEAD)
    tally.add("forecast", float(law.at(truth, **AHEAD)), drawn)


def one_pool(seed: int, tally: Tally, groups: int = 8, runs: int = 10) -> None:
    rng = np.random.default_rng([seed, groups, runs])
    exponents = rng.normal(0.35, 0.06, groups)
    x = 10 ** rng.uniform(7.5, 9.5, (groups, runs))
    floor, term = rng.uniform(1.4, 2.2, (groups, 1)), rng.uniform(0.3, 1.5, (groups, 1))
    y = floor + term * (x / MIDDLE[0]) ** -exponents[:, None]
    y = y * np.exp(0.005 * rng.standard_normal(y.shape))
    labels = [f"g{i}" for i in range(groups)]
    table = {"x": x.ravel(), "y": y.ravel(), "family": np.repeat(labels, runs)}
    fits = lawful.fit("power_law_constant", table, target="y", by="family")
    began = time.process_time()
    made = posterior(fits, pool=("alpha",), seed=seed)
    tally.seconds.append(time.process_time() - began)
    tally.settled.append(made.settled)
    for i, label in enumerate(labels):
        one: Posterior = made[label]
        tally.add("alpha of a group", exponents[i], one.draws[:, one.names.index("alpha")])
        tally.add("its constant", float(floor[i, 0]), one.draws[:, one.names.index("E")])
    for name, truth, interval in zip(("mean (95 %)", "sd (95 %)"), (0.35, 0.06), made.pooled["alpha"]):
        tally.held.setdefault(name, []).append(interval.lower <= truth <= interval.upper)


def rows(label: str, tally: Tally) -> Iterator[str]:
    share, cost = 100 * np.mean(tally.settled), np.median(tally.seconds)
    for name in tally.held:
        held, error = tally.coverage(name)
        p = f"{tally.uniform(name):.2f}" if name in tally.rank else ""
        yield f"{label:<22}{name:<18}{100 * held:6.1f} +- {100 * error:3.1f}   {p:<8}{share:5.1f} %  {cost:6.2f}"


def simulate(label: str, count: int) -> Tally:
    """Worlds of a kind, "all 20" or "published 50" (runs) or "pooled"."""
    world, _, runs = label.partition(" ")
    tally = Tally()
    for seed in range(count):
        if world == "pooled":
            one_pool(seed, tally)
        else:
            one_study(world, seed, int(runs), tally)
    return tally


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"{'world':<22}{'quantity':<18}{'coverage of 90 %':<17}{'ranks p':<8}{'settled':<9}CPU s, median")
    for label in sys.argv[2:] or WORLDS:
        print("\n".join(rows(label, simulate(label, count))), flush=True)


if __name__ == "__main__":
    main()
