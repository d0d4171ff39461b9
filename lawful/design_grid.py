"""Runs that could be made: a grid of model sizes and tokens within limits, with shapes that can be built.

Cost is 6 N D unless a function of N and D says otherwise. The grid is even in log N and log D; with a shape to
resemble, its sizes are those of the nearest shapes with whole layers and heads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lawful.fit import Fit
from lawful.shapes import Shape

_PER_DECADE = 6  # sizes, and tokens, per factor of ten
_WIDER = 2.0  # how far beyond the tokens per parameter already trained the default limits reach
_RATIO = (2.0, 300.0)  # tokens per parameter, where the runs do not say: outside, few published laws were tested
_ASPECT = 1.5  # by how much width / layers may differ from the shape to resemble

Cost = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Limits:
    """What can be afforded and built.

    flops: for all runs together. run_flops: for the largest run. N, D: smallest and largest model and number of tokens.
    ratio: tokens per parameter. most: number of runs. repeats: runs at one N and D (more than one measures the noise).
    """

    flops: float
    run_flops: float
    N: tuple[float, float]
    D: tuple[float, float]
    ratio: tuple[float, float]
    most: int = 40
    repeats: int = 1


@dataclass(frozen=True)
class Candidates:
    """N, D, cost (m,); recipe (m,): which of the fits a run is for. open (m,): whether a free choice may take it.

    shapes: the shape of each size, where one was asked for.
    """

    N: np.ndarray
    D: np.ndarray
    cost: np.ndarray
    recipe: np.ndarray
    open: np.ndarray
    shapes: dict[float, Shape] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.N)

    def plus(self, N: np.ndarray, D: np.ndarray, cost: np.ndarray, recipe: np.ndarray) -> Candidates:
        """With more runs, of standard designs, that a free choice does not take."""
        return replace(
            self,
            N=np.append(self.N, N),
            D=np.append(self.D, D),
            cost=np.append(self.cost, cost),
            recipe=np.append(self.recipe, recipe),
            open=np.append(self.open, np.zeros(len(N), bool)),
        )


def limits_for(
    fits: Sequence[Fit], flops: float, *, run_flops: float | None = None, N: tuple[float, float] | None = None,
    D: tuple[float, float] | None = None, ratio: tuple[float, float] | None = None, most: int = 40, repeats: int = 1,
) -> Limits:  # fmt: skip
    """The limits given, and defaults for the rest, which keep near to what has been trained.

    Sizes from the smallest trained up to the largest that is affordable; tokens per parameter from half the fewest
    trained to twice the most.

    Raises ValueError for limits that leave nothing, naming the one that binds.
    """
    for name, value in (("flops", flops), ("run_flops", run_flops), ("most", most), ("repeats", repeats)):
        if value is not None and not 0 < value < np.inf:
            raise ValueError(f"{name} is {value}; it must be a number above 0")
    cap = min(run_flops if run_flops is not None else flops, flops)
    ratio = _pair("ratio", ratio) if ratio else _ratio_seen(fits)
    largest = float(np.sqrt(cap / (6 * ratio[0])))
    seen = [f.points.X[v] for f in fits for v in ("N", "N_nonemb") if v in f.points.X]
    least = min(float(x.min()) for x in seen) if seen else largest / 30
    N = _pair("N", N) if N else (least, max(least, largest))
    D = _pair("D", D) if D else (N[0] * ratio[0], cap / (6 * N[0]))
    if 6 * N[0] * max(D[0], ratio[0] * N[0]) > cap * (1 + 1e-9):
        raise ValueError(
            f"the smallest run allowed, N = {N[0]:.3g} with D = {max(D[0], ratio[0] * N[0]):.3g}, costs "
            f"{6 * N[0] * max(D[0], ratio[0] * N[0]):.3g} FLOP, more than the {cap:.3g} of the largest run allowed: "
            "raise flops or run_flops, or lower the least N, D or ratio"
        )
    return Limits(float(flops), float(cap), N, D, ratio, int(most), int(repeats))


def _ratio_seen(fits: Sequence[Fit]) -> tuple[float, float]:
    seen = []
    for fit in fits:
        N = next((fit.points.X[v] for v in ("N", "N_nonemb") if v in fit.points.X), None)
        if N is not None and "D" in fit.points.X:
            seen.append(fit.points.X["D"] / N)
    if not seen:
        return _RATIO
    every = np.concatenate(seen)
    return float(every.min()) / _WIDER, float(every.max()) * _WIDER


def _pair(name: str, given: tuple[float, float]) -> tuple[float, float]:
    low, high = map(float, given)
    if not 0 < low <= high < np.inf:
        raise ValueError(f"{name} is {given}; it must be (lowest, highest), 0 < lowest <= highest")
    return low, high


def candidates_for(
    limits: Limits, recipes: int = 1, *, like: Shape | None = None, cost: Cost | None = None, one_axis: float = 0.0
) -> Candidates:
    """The grid of runs within limits, the same for each recipe.

    like: a shape to resemble. one_axis: a number of tokens per parameter, for laws that know compute alone.
    """
    sizes, shapes = _sizes(limits, like)
    if one_axis:
        N, D = sizes, one_axis * sizes
    else:
        tokens = _geometric(*limits.D)
        N, D = (a.ravel() for a in np.meshgrid(sizes, tokens, indexing="ij"))
    price = cost_of(N, D, cost)
    good = (D >= limits.D[0] * 0.999) & (D <= limits.D[1] * 1.001) & (price <= limits.run_flops * (1 + 1e-9))
    if not one_axis:
        good &= (D / N >= limits.ratio[0] * 0.999) & (D / N <= limits.ratio[1] * 1.001)
    if not good.any():
        raise ValueError(
            f"no run with N in {limits.N}, D in {limits.D} and {limits.ratio[0]:g} to {limits.ratio[1]:g} tokens per "
            f"parameter costs at most {limits.run_flops:.3g} FLOP: widen one of these limits"
        )
    N, D, price = N[good], D[good], price[good]
    codes = np.repeat(np.arange(recipes), len(N))
    N, D, price = (np.tile(a, recipes) for a in (N, D, price))
    return Candidates(N, D, price, codes, np.ones(len(codes), bool), shapes)


def cost_of(N: np.ndarray, D: np.ndarray, cost: Cost | None = None) -> np.ndarray:
    """FLOP of each run (m,): 6 N D, or what ``cost`` says. Raises ValueError for a cost that is not positive."""
    price = np.asarray(6 * N * D if cost is None else cost(N, D), float) + np.zeros(np.shape(N))
    if not (np.isfinite(price) & (price > 0)).all():
        raise ValueError("cost: a function of N and D arrays that returns the FLOP of each run, all above 0")
    return price


def _geometric(low: float, high: float) -> np.ndarray:
    steps = int(np.ceil(_PER_DECADE * np.log10(high / low)))
    return np.geomspace(low, high, steps + 1) if high > low else np.array([low])


def _sizes(limits: Limits, like: Shape | None) -> tuple[np.ndarray, dict[float, Shape]]:
    wanted = _geometric(*limits.N)
    if like is None:
        return wanted, {}
    from lawful.feasible import nearest_shapes
    from lawful.shapes import parameters

    shapes: dict[float, Shape] = {}
    aspect = like.width / like.layers / _ASPECT, like.width / like.layers * _ASPECT
    for size in wanted:
        try:
            shape = nearest_shapes(size, like, within=0.15, aspect=aspect, limit=1)[0]
        except ValueError:  # too small for the vocabulary, or between two widths
            continue
        shapes[float(parameters(shape).total)] = shape
    if not shapes:
        raise ValueError(
            f"no shape like the one given has {limits.N[0]:.3g} to {limits.N[1]:.3g} parameters; its vocabulary of "
            f"{like.vocab} may exceed the count: allow larger N, or another shape"
        )
    return np.array(sorted(shapes)), shapes
