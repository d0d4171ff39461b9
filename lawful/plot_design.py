"""Pictures of designs and of recipes: where the next runs lie and what they tell, and which recipe wins where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lawful.fit import Fit
from lawful.next_runs import NextRuns
from lawful.next_words import width
from lawful.plot_style import tick_text
from lawful.recipes import Recipes
from lawful.studies.results import Figure, Layer, Panel

_POINTS = 60  # of a curve
_ROLES = ("ours", "published")  # of recipes in turn, so that neighbours differ in colour
_UNITS = {"size": "parameters", "loss": "loss (nats per token)", "winner": "loss of the first over the second"}


def design_figure(made: NextRuns, fit: Fit | Mapping[str, Fit]) -> Figure:
    """The design before and after.

    Where the runs lie that are there and those proposed; how the decision's interval shrinks as they finish, cheapest
    first; and how wide it would be after each of the designs that were compared.
    """
    fits = {"": fit} if isinstance(fit, Fit) else dict(fit)
    panels = (_where(made, fits), *((_path(made),) if made.runs else ()), _designs(made))
    return Figure("next_runs", "", f"{made.reason} The decision: {made.decision}.", panels)


def _where(made: NextRuns, fits: Mapping[str, Fit]) -> Panel:
    layers: list[Layer] = []
    for label, one in fits.items():
        N = next((one.points.X[v] for v in ("N", "N_nonemb") if v in one.points.X), None)
        if N is not None and "D" in one.points.X:
            layers.append(Layer("points", _of("runs made", label), _floats(N), _floats(one.points.X["D"])))
    for label in fits:
        own = [run for run in made.runs if run.recipe == label]
        if own:
            places = _floats([r.N for r in own]), _floats([r.D for r in own])
            layers.append(Layer("points", _of("runs proposed", label), *places, role="held_out"))
    N, D = (np.concatenate([np.asarray(getattr(one, v)) for one in layers]) for v in "xy")
    title = f"{len(made.runs)} runs, {tick_text(float(f'{made.flops:.2g}'))} FLOP" if made.runs else "No run proposed"
    return Panel(title, "parameters N", "tokens D", (*_equal_compute(N, D), *layers), True, True)


def _of(what: str, label: str) -> str:
    return f"{what}, {label}" if label else what


def _equal_compute(N: np.ndarray, D: np.ndarray) -> list[Layer]:
    """Lines of 6 N D, a factor of ten or a hundred apart, as far as they lie between the runs."""
    powers = np.log10(6 * N * D)
    first, last = int(np.ceil(powers.min())), int(np.floor(powers.max()))
    layers = []
    for power in range(first, last + 1, 1 if last - first < 5 else 2):
        low = max(N.min(), 10.0**power / 6 / D.max())
        high = min(N.max(), 10.0**power / 6 / D.min())
        if low < high:
            ends = np.array([low, high])
            line = _floats(ends), _floats(10.0**power / 6 / ends)
            layers.append(Layer("line", "equal compute, decades", *line, role="reference"))
    return layers


def _path(made: NextRuns) -> Panel:
    """The interval over the FLOP spent so far, as steps."""
    spent = np.concatenate([[0.0], np.cumsum([run.flops for run in made.runs])])
    x = np.repeat(spent, 2)[1:]
    lower, upper = (np.repeat([getattr(one, end) for one in made.path], 2)[:-1] for end in ("lower", "upper"))
    layers = (
        Layer("band", f"{made.before.level:.0%} interval", _floats(x), (), _floats(lower), _floats(upper), "ours"),
        Layer("line", "estimate now", (0.0, float(x[-1])), (made.before.estimate,) * 2, role="ours"),
    )
    tall = made.before.upper / made.before.lower > 3
    what = {"size": "Best size", "loss": "Loss", "winner": "Winner"}[made.decision.kind]
    return Panel(f"{what} as the runs finish", "FLOP spent", _UNITS[made.decision.kind], layers, False, tall)


def _designs(made: NextRuns) -> Panel:
    """Width of the interval after each design, as a share of now, over the number of runs."""
    now = width(made.before)
    layers = [Layer("line", "", (0.0, float(max(d.runs for d in made.designs))), (1.0, 1.0), role="reference")]
    for one in made.designs:
        role = "ours" if one.name.startswith("for ") else "naive" if one.name.startswith("random") else "published"
        layers.append(Layer("points", one.name, (float(one.runs),), (width(one.after) / now,), role=role))
    return Panel("Designs within the budget", "runs", "width of the interval, share of now", tuple(layers))


def recipes_figure(made: Recipes, level: float = 0.9) -> Figure:
    """Loss of every recipe over compute with its band; the probability of being the best; for two recipes the compute
    multiplier."""
    low, high = made.seen[0], max(made.target, made.seen[1])
    grid = np.geomspace(low, high, _POINTS)
    panels = [_curves(made, grid, level), _chances(made, grid)]
    caption = f"Runs of {low:.2g} to {made.seen[1]:.2g} FLOP; bands and ends are {level:.0%} intervals."
    if len(made.names) == 2:
        panels.append(_multipliers(made, grid, level))
        cross = made.crossing(*made.names, level=level)
        caption += f" The curves cross first at {cross} FLOP." if not cross.verdict else f" {cross.verdict}."
        caption += f" The multiplier is how much more compute {made.names[1]} needs for the loss of {made.names[0]}."
    return Figure("recipes", "", caption, tuple(panels))


def _roles(made: Recipes) -> dict[str, str]:
    return {name: _ROLES[i % len(_ROLES)] for i, name in enumerate(made.names)}


def _curves(made: Recipes, grid: np.ndarray, level: float) -> Panel:
    layers = []
    for name, role in _roles(made).items():
        every = [made.loss(name, C, level) for C in grid]
        lower, upper = (_floats([getattr(one, end) for one in every]) for end in ("lower", "upper"))
        layers.append(Layer("band", name, _floats(grid), (), lower, upper, role))
        layers.append(Layer("line", name, _floats(grid), _floats([one.estimate for one in every]), role=role))
        layers.append(Layer("points", name, *map(_floats, made.points[name]), role=role))
    wide = max(max(one.upper) for one in layers if one.kind == "band")
    wide /= min(min(one.lower) for one in layers if one.kind == "band")
    return Panel("Loss and runs", "compute (FLOP)", "loss (nats per token)", tuple(layers), True, bool(wide > 1.5))


def _chances(made: Recipes, grid: np.ndarray) -> Panel:
    chances = [made.best(C) for C in grid]
    layers = [
        Layer("line", name, _floats(grid), _floats([one[name] for one in chances]), role=role)
        for name, role in _roles(made).items()
    ]
    ends = float(grid[0]), float(grid[-1])
    layers += [Layer("line", "5 % and 95 %", ends, (p, p), role="reference") for p in (0.05, 0.95)]
    layers.append(Layer("line", "largest run", (made.seen[1],) * 2, (0.0, 1.0), role="naive"))
    return Panel("Probability of the lowest loss", "compute (FLOP)", "probability", tuple(layers), True)


def _multipliers(made: Recipes, grid: np.ndarray, level: float) -> Panel:
    a, b = made.names
    every = [made.multiplier(a, b, C, level) for C in grid]
    lower, upper = (np.array([getattr(one, end) for one in every]) for end in ("lower", "upper"))
    reach = 1e3
    layers = (
        Layer("line", "", (float(grid[0]), float(grid[-1])), (1.0, 1.0), role="reference"),
        Layer(
            "band", "compute multiplier", _floats(grid), (), _floats(np.clip(lower, 1 / reach, reach)),
            _floats(np.clip(upper, 1 / reach, reach)), "data",
        ),
        Layer("line", "compute multiplier", _floats(grid), _floats([one.estimate for one in every]), role="data"),
    )  # fmt: skip
    return Panel("Compute multiplier", "compute (FLOP)", "times the compute", layers, True, True)


def _floats(values: Sequence[Any] | np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
