"""Pictures of a plan: iso-loss contours with the efficient frontier, isoFLOP curves, the near-optimal band."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lawful.describe import number
from lawful.plan import NEAR
from lawful.plan_allocate import PER_TOKEN, Split, split
from lawful.plan_budget import near
from lawful.plan_roads import Table, table_of
from lawful.plan_words import meaning
from lawful.quantities import find
from lawful.studies.results import Figure, Layer, Panel

if TYPE_CHECKING:
    from lawful.belief import Belief
    from lawful.isoflop import Profiles
    from lawful.plan import Plan

_GRID = 60  # points of a curve
_LEVELS = 5  # contours
_DRAWS = 300  # of a band
_WAYS = {2: "parabola", 3: "cubic"}
_MINIMUM = {2: "minimum of the parabola", 3: "minimum of the cubic"}


def plan_figures(held: Belief, plan: Plan) -> list[Figure]:
    """All figures that a plan of a budget or a target has: two, and isoFLOP curves where the runs have budgets.

    Raises ValueError for a plan without a budget, such as a target that nothing reaches.
    """
    C = plan.given.get("flops", plan.answers["C"].estimate if "C" in plan.answers else np.nan)
    if not np.isfinite(C):
        raise ValueError("the plan has no budget, so there is nothing to draw")
    others = {k: x for k, x in plan.given.items() if k in held.law.variables}
    way = split(held, others)
    found = [frontier_figure(way, C), near_figure(way, C)]
    slices = isoflop_figure(way, C)
    return found if slices is None else [*found, slices]


def frontier_figure(way: Split, flops: float) -> Figure:
    """Contours of the loss over size and tokens, the best split at every budget with its interval, the runs."""
    runs, v = table_of(way), way.held.values
    C = _budgets(way, runs, flops)
    N = np.array([float(way.best(c, v)) for c in C])
    tokens = C / PER_TOKEN / N
    least, most = tokens.min(), tokens.max()
    if runs is not None:
        least, most = min(least, runs.D.min()), max(most, runs.D.max())
    wide = np.geomspace(N.min() / 4, N.max() * 4, 8 * _GRID)
    layers: list[Layer] = []
    for c in np.geomspace(C.min(), C.max(), _LEVELS):
        level = float(way.lowest_loss(c, v))
        D = _tokens_at(way, wide, level)
        inside = (D > least / 4) & (D < most * 4)
        label = f"{way.held.law.predicts} = {level:.3g}"
        layers.append(Layer("line", label, *_floats(wide[inside], D[inside]), role="ours"))
    band = _frontier_band(way, C, N)
    if band is not None:
        x, low, high = band
        layers.append(_span("band", "best split", x, low, high, "published"))
    layers.append(Layer("line", "best split", *_floats(N, tokens), role="published"))
    if runs is not None:
        across, up = _floats(runs.N, runs.D)
        layers.append(Layer("points", "runs", across, up))
    best = float(way.best(flops, v))
    ends = np.array([best / 4, best * 4])
    layers.append(Layer("line", f"{number(flops)} FLOP", *_floats(ends, flops / PER_TOKEN / ends), role="reference"))
    layers.append(Layer("points", "plan", (best,), (flops / PER_TOKEN / best,), role="published"))
    interval = "" if band is None else " The band is the 90 % interval of the best split."
    caption = f"{way.held.source}. Contours of the loss; the best split of every budget C = 6 {way.size} D.{interval}"
    panel = Panel("Loss and the best split", _label(way.size), "training tokens D", tuple(layers), True, True)
    return Figure("plan_frontier", "", caption, (panel,))


def near_figure(way: Split, flops: float) -> Figure:
    """What another size costs at the budget, and the near-optimal sizes over budgets."""
    v, best = way.held.values, float(way.best(flops, way.held.values))
    ends = near(way, flops)[way.size]
    x = np.geomspace(ends[0] / 2, ends[1] * 2, _GRID)
    excess, low, high = _excess(way, flops, x)
    layers = [Layer("line", "loss above the best", *_floats(x, excess), role="ours")]
    if low is not None:
        layers.insert(0, _span("band", "90 % interval", x, low, high, "ours"))
    layers += [
        Layer("line", "0.5 % above the best", *_floats(x[[0, -1]], np.full(2, 100 * (NEAR - 1))), role="reference"),
        Layer("points", "best", (best,), (0.0,), role="published"),
    ]
    size = _label(way.size)
    cost = Panel(
        f"What another size costs at {number(flops)} FLOP", size, "loss above the best (%)", tuple(layers), True
    )
    C = _budgets(way, table_of(way), flops)
    ranges = np.array([near(way, c)[way.size] for c in C])
    middle = np.array([float(way.best(c, v)) for c in C])
    over = (
        _span("band", "within 0.5 % of the best", C, ranges[:, 0], ranges[:, 1], "published"),
        Layer("line", "best", *_floats(C, middle), role="published"),
        Layer("points", "best", (float(flops),), (best,), role="published"),
    )
    wide = Panel("Sizes within 0.5 % of the best loss", "training FLOP C", size, over, True, True)
    factor = np.sqrt(ends[1] / ends[0])
    caption = (
        f"{way.held.source}. At {number(flops)} FLOP every size from {ends[0]:.3g} to {ends[1]:.3g}, a factor of "
        f"{factor:.2g} about either way, has a loss within 0.5 % of the best."
    )
    return Figure("plan_near", "", caption, (cost, wide))


def isoflop_figure(way: Split, flops: float) -> Figure | None:
    """The losses at each budget with their polynomials, and the minima over budgets; None without budgets."""
    from lawful.isoflop import profiles

    runs = table_of(way)
    if runs is None or runs.run is not None:
        return None
    made: dict[int, Profiles] = {}
    for degree in _WAYS:
        try:
            made[degree] = profiles(runs.N, runs.D, runs.L, degree=degree, draws=400)
        except ValueError:
            continue
    if not made:
        return None
    curves, minima = [], []
    first = next(iter(made.values()))
    for s in (s for s in first.slices if len(s.coefficients)):
        label = f"{number(float(np.format_float_scientific(s.flops, 1)))} FLOP"
        x = np.geomspace(s.params.min(), s.params.max(), _GRID)
        curves += [
            Layer("line", label, *_floats(x, s.curve(x)), role="ours"),
            Layer("points", label, *_floats(s.params, s.loss), role="ours"),
        ]
        if not s.why_not:
            minima.append(Layer("points", _MINIMUM[first.degree], (s.best,), (s.lowest,), role="held_out"))
    size, loss = _label(way.size), meaning(way.held.law.predicts)
    title = f"A {_WAYS[first.degree]} at each budget"
    left = Panel(title, size, f"{loss} (nats per token)", (*curves, *minima), True)
    by_road = tuple(_by_road(way, made, runs, flops))
    right = Panel("Best size by each road", "training FLOP C", size, by_road, True, True)
    caption = f"{way.held.source}. IsoFLOP curves, their minima, and what each road makes of them at larger budgets."
    return Figure("plan_isoflop", "", caption, (left, right))


def _by_road(way: Split, made: Mapping[int, Profiles], runs: Table, flops: float) -> list[Layer]:
    C = _budgets(way, runs, flops)
    layers = []
    if way.held.draws is not None:
        ends = [way.held.interval(lambda v, c=c: way.best(c, v)) for c in C]
        low, high = np.array([e.lower for e in ends]), np.array([e.upper for e in ends])
        if np.isfinite([low, high]).all():
            layers.append(_span("band", way.held.law.name, C, low, high, "published"))
    best = np.array([float(way.best(c, way.held.values)) for c in C])
    layers.append(Layer("line", way.held.law.name, *_floats(C, best), role="published"))
    for degree, one in made.items():
        centre = np.array([one.optimum(c)[0] for c in C])
        layers.append(Layer("line", f"{_WAYS[degree]} per budget", *_floats(C, centre), role="naive"))
    first = next(iter(made.values()))
    kept = [s for s in first.slices if not s.why_not]
    x = np.array([s.flops for s in kept])
    y, se = np.array([s.x for s in kept]), np.array([s.se for s in kept])
    if np.isfinite(se).all():
        ends = np.exp(y - 1.645 * se), np.exp(y + 1.645 * se)
        layers.append(_span("interval", _MINIMUM[first.degree], x, *ends, "held_out"))
    layers.append(Layer("points", _MINIMUM[first.degree], *_floats(x, np.exp(y)), role="held_out"))
    return layers


def _budgets(way: Split, runs: Table | None, flops: float) -> np.ndarray:
    """Budgets of a curve: from the smallest of the runs to three times the plan's, or three decades round the plan."""
    low = flops / 1e3 if runs is None else min(float((PER_TOKEN * runs.N * runs.D).min()), flops / 10)
    return np.geomspace(low, 3 * flops, _GRID)


def _tokens_at(way: Split, N: np.ndarray, level: float) -> np.ndarray:
    """Tokens at which a size has a loss, by halving; nan where it never falls so low."""
    v = way.held.values
    low, high = np.zeros(len(N)), np.full(len(N), np.log(1e24))
    reached = np.asarray(way.loss(v, N, np.exp(high))) <= level
    for _ in range(60):
        middle = 0.5 * (low + high)
        enough = np.asarray(way.loss(v, N, np.exp(middle))) <= level
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(reached, np.exp(high), np.nan)


def _frontier_band(way: Split, C: np.ndarray, N: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The 90 % interval of the tokens on the frontier at each size."""
    if way.held.draws is None:
        return None
    v = {k: np.asarray(x)[..., :_DRAWS] for k, x in way.held.draws.items()}
    wide = np.geomspace(C.min() / 30, C.max() * 30, _GRID)
    sizes = np.array([np.broadcast_to(way.best(c, v), (len(next(iter(v.values())).T),)) for c in wide])
    good = np.isfinite(sizes).all(0) & (np.diff(np.log(sizes), axis=0) > 0).all(0)
    if good.mean() < 0.9:
        return None
    at = np.log(N)
    D = [np.interp(at, np.log(s), np.log(wide / PER_TOKEN / s), left=np.nan, right=np.nan) for s in sizes[:, good].T]
    low, high = np.nanquantile(np.array(D), [0.05, 0.95], axis=0)
    return N, np.exp(low), np.exp(high)


def _excess(way: Split, flops: float, x: np.ndarray) -> tuple[np.ndarray, Any, Any]:
    """Loss at sizes x over the best, in percent: at the values, and the 90 % interval over draws (None without)."""

    def over(v: Mapping[str, Any], sizes: np.ndarray) -> np.ndarray:
        return 100 * (np.asarray(way.loss(v, sizes, flops / PER_TOKEN / sizes)) / way.lowest_loss(flops, v) - 1)

    centre = over(way.held.values, x)
    if way.held.draws is None:
        return centre, None, None
    v = {k: np.asarray(y)[..., :_DRAWS] for k, y in way.held.draws.items()}
    low, high = np.nanquantile(over(v, x[:, None]), [0.05, 0.95], axis=1)
    return centre, low, high


def _span(kind: Literal["band", "interval"], label: str, x: Any, low: Any, high: Any, role: str) -> Layer:
    across, lower, upper = _floats(x, low, high)
    return Layer(kind, label, across, (), lower, upper, role)


def _label(symbol: str) -> str:
    quantity = find(symbol)
    return f"parameters {symbol}" if quantity is None or symbol == "N" else f"{quantity.meaning} {symbol}"


def _floats(*arrays: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(x) for x in np.ravel(a)) for a in arrays)
