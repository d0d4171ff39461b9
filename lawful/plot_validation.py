"""The picture of a validation: errors by distance, held-out forecasts against the truth, coverage of the intervals.

plot_validation(v).savefig("validation.png")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lawful.plot import draw
from lawful.studies.results import Figure, Layer, Panel

if TYPE_CHECKING:
    from lawful.validation import Validation

_MOST = 36  # forecasts that are drawn one by one
_BESIDE = 0.05  # decades between forecasts of one distance, at most


def plot_validation(validation: Validation, ax: Any = None) -> Any:
    """Draw a validation and return matplotlib's figure; with ax the errors by distance alone."""
    made = validation_figure(validation)
    return draw(made if ax is None else Figure(made.id, made.section, made.caption, made.panels[:1]), ax)


def validation_figure(v: Validation) -> Figure:
    """Error by distance of all; forecasts of the best law less the truth, with intervals; coverage by level."""
    drawn = _drawn(v)
    panels = (_by_distance(v), _forecasts(v, drawn), _coverage(v))
    some = f", {len(drawn)} of {len(v.common)}, evenly over distance" if len(drawn) < len(v.common) else ""
    caption = (
        f"{v.headline}. Middle: forecasts of {v.best} with {100 * v.middle:g} % intervals for one run, 0 being the "
        f"truth{some}; an interval that leaves the panel is wider than shown."
    )
    return Figure("validation", "", caption, panels)


def _by_distance(v: Validation) -> Panel:
    layers = []
    for one in _in_order(v):
        bins = v.distances(one.name)
        x, y = _floats([(b.lower + b.upper) / 2 for b in bins]), _floats([100 * b.value for b in bins])
        role = "naive" if one in v.baselines else "ours"
        layers += [Layer("line", one.name, x, y, role=role), Layer("points", one.name, x, y, role=role)]
    values = [y for layer in layers for y in layer.y]
    log = min(values) > 0 and max(values) > 5 * min(values)
    return Panel("Error by distance", _far(v), "mean error (%)", tuple(layers), log_y=log)


def _in_order(v: Validation) -> list[Any]:
    """The best law first, then the others, then the baselines; without those that have no score."""
    laws = sorted(v.laws, key=lambda one: one.name != v.best)
    return [one for one in (*laws, *v.baselines) if one.name in v.scores]


def _drawn(v: Validation) -> np.ndarray:
    """Positions of the forecasts to draw, by distance."""
    i = v.common[np.argsort(v.held.distance[v.common], kind="stable")]
    return i[np.unique(np.linspace(0, len(i) - 1, min(_MOST, len(i))).astype(int))]


def _forecasts(v: Validation, i: np.ndarray) -> Panel:
    one, truth = v[v.best], v.held.truth[i]
    low, high = ((one.ends[v.middle][k][i] / truth - 1) * 100 for k in (0, 1))
    error = (one.estimate[i] / truth - 1) * 100
    # a few intervals many times as wide as the errors would flatten all others
    reach = np.maximum(np.abs(low), np.abs(high))
    roof = 1.1 * max(np.abs(error).max(), float(np.quantile(reach, 0.75, method="lower")))
    roof = roof if np.isfinite(roof) else 3 * np.abs(error).max()
    x = _beside(v.held.distance[i])
    ends = _floats(np.clip(low, -roof, roof)), _floats(np.clip(high, -roof, roof))
    layers = (
        Layer("line", "truth", (float(x.min()), float(x.max())), (0.0, 0.0), role="reference"),
        Layer("interval", v.best, _floats(x), (), *ends, role="ours"),
        Layer("points", v.best, _floats(x), _floats(error), role="ours"),
    )
    return Panel("Forecast against truth", _far(v), "forecast less truth (%)", layers)


def _beside(x: np.ndarray) -> np.ndarray:
    """Sorted distances, those that are all but the same moved apart so that their marks stand side by side."""
    out = x.copy()
    same = np.split(np.arange(len(x)), np.flatnonzero(np.diff(x) > 0.02) + 1)
    centres = np.array([x[part].mean() for part in same])
    room = 0.8 * np.diff(centres).min() if len(centres) > 1 else 1.0
    for part in same:
        step = min(_BESIDE, room / len(part))
        out[part] = x[part].mean() + step * (np.arange(len(part)) - (len(part) - 1) / 2)
    return out


def _coverage(v: Validation) -> Panel:
    ends = (100 * min(v.levels), 100 * max(v.levels))
    layers = [Layer("line", "as stated", ends, ends, role="reference")]
    for one in _in_order(v):
        if one not in v.baselines:
            x = _floats([100 * level for level in v.levels])
            y = _floats([100 * v.scores[one.name].coverage[level] for level in v.levels])
            layers += [Layer("line", one.name, x, y, role="ours"), Layer("points", one.name, x, y, role="ours")]
    return Panel("Intervals", "level (%)", "held-out runs inside (%)", tuple(layers))


def _far(v: Validation) -> str:
    return f"decades of {v.over} beyond the fit" if not v.over.startswith("groups of") else "decades beyond the fit"


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(x) for x in np.ravel(values))
