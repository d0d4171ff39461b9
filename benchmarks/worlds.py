"""Are the intervals right as often as they claim? Simulated worlds in which the truth is known.

In every world many data sets are drawn by seed; lawful fits each, by a named law and by its own choice, and forecasts
one new run at 0.3, 0.6 and 1 decade beyond the data. Where the law is right the intervals must cover as often as they
say, within 3 points; where it is wrong, or the world changes beyond the data, the forecast must say so: by a flag, or
by an interval wide enough to hold the truth.

    python benchmarks/worlds.py                       # 400 data sets for the named law, 60 for auto
    python benchmarks/worlds.py --worlds heavy,grid --named 1000 --auto 0
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np

import lawful

LEVELS = (0.5, 0.8, 0.9, 0.95)
BEYOND = (0.3, 0.6, 1.0)  # decades
SLACK = 0.03

Draw = Callable[[np.random.Generator], tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]]


@dataclass(frozen=True)
class World:
    """draw: runs, where to forecast, and one new run's outcome at each place. law: the named one. right: is it?"""

    name: str
    draw: Draw
    law: str
    right: bool
    what: str
    variables: dict[str, str] | None = None


@dataclass(frozen=True)
class Result:
    """coverage and width (log upper / lower, median) by level; shown: flagged or held by the 90 % interval."""

    world: World
    how: str
    sets: int
    points: int
    coverage: dict[float, float]
    width: dict[float, float]
    shown: float
    flagged: float
    seconds: float

    @property
    def met(self) -> bool:
        if not self.world.right:
            return self.shown >= 0.9
        slack = {p: SLACK + 1.64 * np.sqrt(p * (1 - p) / self.points) for p in self.coverage}
        return all(abs(c - p) <= slack[p] for p, c in self.coverage.items())


def _power(x: np.ndarray) -> np.ndarray:
    return 1.7 + 20.0 * x**-0.15


def _along(f: Callable[[np.ndarray], np.ndarray], noise: Callable[..., np.ndarray], n: int = 20) -> Draw:
    """One curve over three decades of x, from 1e6 to 1e9."""

    def draw(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
        x, ahead = np.geomspace(1e6, 1e9, n), 1e9 * 10 ** np.array(BEYOND)
        y, new = f(x) * np.exp(noise(rng, x)), f(ahead) * np.exp(noise(rng, ahead))
        return {"N": x, "L": y}, {"N": ahead}, new

    return draw


def _normal(size: float) -> Callable[..., np.ndarray]:
    return lambda rng, x: size * rng.standard_normal(len(x))


def _heavy(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    return 0.01 * rng.standard_t(3, len(x)) / np.sqrt(3)  # standard deviation 0.01


def _growing(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    return 0.02 * (x / 1e6) ** -0.15 * rng.standard_normal(len(x))  # noise that falls with scale


def _surface(N: np.ndarray, D: np.ndarray) -> np.ndarray:
    return 1.69 + 406.4 * N**-0.34 + 410.7 * D**-0.28


def _grid(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Six sizes by six lengths; both grow beyond them."""
    N, D = (a.ravel() for a in np.meshgrid(np.geomspace(3e7, 1e9, 6), np.geomspace(1e9, 3e10, 6)))
    more = 10 ** np.array(BEYOND)
    ahead = {"N": 1e9 * more, "D": 3e10 * more}
    new = _surface(**ahead) * np.exp(0.005 * rng.standard_normal(3))
    return {"N": N, "D": D, "L": _surface(N, D) * np.exp(0.005 * rng.standard_normal(36))}, ahead, new


def _checkpoints(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Ten runs of eight checkpoints each: a run's own error is in all of its checkpoints."""
    sizes, lengths = np.geomspace(3e7, 1e9, 10), np.geomspace(1e9, 3e10, 8)
    N, D = np.repeat(sizes, 8), np.tile(lengths, 10)
    own = np.repeat(0.008 * rng.standard_normal(10), 8)
    y = _surface(N, D) * np.exp(own + 0.003 * rng.standard_normal(80))
    more = 10 ** np.array(BEYOND)
    ahead = {"N": 1e9 * more, "D": 3e10 * more}
    new = _surface(**ahead) * np.exp(np.hypot(0.008, 0.003) * rng.standard_normal(3))
    return {"N": N, "D": D, "L": y, "run": np.repeat(np.arange(10), 8).astype(str)}, ahead, new


def _wrong(x: np.ndarray) -> np.ndarray:
    return 1.7 + 1.6 / (1 + (x / 3e7) ** 0.4)  # bends down and then levels out: no straight line


def _broken(x: np.ndarray) -> np.ndarray:
    return _power(x) * (1 + (x / 2.5e9) ** 4) ** 0.1  # from 0.4 decades beyond the data it turns up


def _turning(x: np.ndarray) -> np.ndarray:
    return 2.0 + 0.25 * np.log10(x / 1e8) ** 2  # falls and rises again within the data


def _saturating(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Accuracies of 1000 items that leave chance and level out."""

    def f(x: np.ndarray) -> np.ndarray:
        return 0.25 + 0.6 / (1 + np.exp(-1.8 * (np.log(x) - np.log(1e8))))

    x, ahead = np.geomspace(1e6, 1e9, 16), 1e9 * 10 ** np.array(BEYOND)
    y, new = (rng.binomial(1000, f(a)) / 1000 for a in (x, ahead))
    return {"N": x, "accuracy": y}, {"N": ahead}, new


WORLDS = (
    World("lognormal", _along(_power, _normal(0.01)), "power_law_constant", True, "20 points, 1 % noise"),
    World("heavy", _along(_power, _heavy), "power_law_constant", True, "20 points, Student's t with 3 degrees, 1 %"),
    World("growing", _along(_power, _growing), "power_law_constant", True, "noise that falls with scale"),
    World("nine", _along(_power, _normal(0.005), 9), "power_law_constant", True, "one curve of 9 points, 0.5 % noise"),
    World("grid", _grid, "chinchilla", True, "6 x 6 runs in N and D, 0.5 % noise"),
    World("checkpoints", _checkpoints, "chinchilla", True, "10 runs of 8 checkpoints with a run's own error"),
    World("saturating", _saturating, "logistic_log_n", True, "16 accuracies of 1000 items that level out"),
    World("wrong law", _along(_wrong, _normal(0.005)), "power_law", False, "a curve that levels out, a straight line"),
    World("break", _along(_broken, _normal(0.005)), "power_law_constant", False, "turns up beyond the data"),
    World("turning", _along(_turning, _normal(0.005)), "power_law_constant", False, "falls and rises within the data"),
)  # fmt: skip


def simulate(world: World, sets: int, law: str | None, seed: int = 0) -> Result:
    """Draw data sets, fit ``law`` (None: lawful's choice) to each, and score the forecasts of one new run."""
    rng, begin = np.random.default_rng(seed), process_time()
    drawn = [world.draw(rng) for _ in range(sets)]
    labels = [f"{i:05d}" for i in range(sets)]
    seen = {k: np.concatenate([d[0][k] for d in drawn]) for k in drawn[0][0]}
    seen["series"] = np.repeat(labels, [len(d[0]["N"]) for d in drawn])
    if "run" in seen:
        seen["run"] = np.char.add(np.char.add(seen["series"], "/"), seen["run"].astype(str))
    ahead = {k: np.concatenate([d[1][k] for d in drawn]) for k in drawn[0][1]}
    new, series = np.concatenate([d[2] for d in drawn]), np.repeat(labels, len(BEYOND))
    runs = lawful.read(seen, by="series", target="accuracy" if "accuracy" in seen else "L")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits: Any = lawful.fit(law or "auto", runs, by="series")
        kept = np.isin(series, list(fits))
        at = {**{k: v[kept] for k, v in ahead.items()}, "series": series[kept]}
        made = {p: lawful.forecast(fits, at, kind="run", level=p, draws=400) for p in LEVELS}
    y, coverage, width = new[kept], {}, {}
    for p, f in made.items():
        coverage[p] = float(((f.lower <= y) & (y <= f.upper)).sum() / len(new))  # what has no forecast is not covered
        with np.errstate(all="ignore"):
            width[p] = float(np.median(np.log(f.upper / f.lower)))
    flag = np.array([bool(f) for f in made[0.9].flag])
    held = (made[0.9].lower <= y) & (y <= made[0.9].upper)
    shown = float(((flag | held).sum() + (~kept).sum()) / len(new))
    return Result(
        world, law or "auto", sets, len(new), coverage, width, shown, float(flag.mean()), process_time() - begin
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", help="names, with commas")
    parser.add_argument("--named", type=int, default=400, help="data sets for the named law")
    parser.add_argument("--auto", type=int, default=60, help="data sets for lawful's choice")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    wanted = options.worlds.split(",") if options.worlds else [w.name for w in WORLDS]
    print("| world | law | sets | cov 50 | cov 80 | cov 90 | cov 95 | width 90 | flagged | shown | bar | CPU s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for world in (w for w in WORLDS if w.name in wanted):
        for law, sets in ((world.law, options.named), (None, options.auto)):
            if sets:
                print(row(simulate(world, sets, law, options.seed)), flush=True)
    return 0


def row(r: Result) -> str:
    shares = [f"{100 * r.coverage[p]:.1f}" for p in LEVELS]
    told = "met" if r.met else "MISSED"
    cells = [r.world.name, r.how, f"{r.sets}", *shares, f"{r.width[0.9]:.3f}", f"{100 * r.flagged:.0f}",
             f"{100 * r.shown:.1f}", told, f"{r.seconds:.0f}"]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    raise SystemExit(main())
