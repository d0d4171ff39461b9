"""The shape of a law, and its fit on data, as inline SVG in the colours of the page round it.

One curve for each published set of values where a law has one variable; a family of curves, one for each of three
values of the second variable, where it has more. Variables that are not drawn stay at the middle of their range. The
same input gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lawful.law import Law
from lawful.quantities import by_symbol

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D4F", "#7F7F7F")
_INK = "#010203"  # stands for the colour of the page's text
_POINTS = 80
_PEAK, _STEPS = 3e-4, (1000, 24_000)  # of the schedules drawn
_DECIMALS = re.compile(r"(\d+\.\d{2})\d+")


@dataclass(frozen=True)
class Curves:
    """What is drawn: y over x, one line for each label. caption says what was held where."""

    x: np.ndarray
    lines: Mapping[str, np.ndarray]
    x_label: str
    y_label: str
    caption: str
    log_x: bool


def complete_sets(law: Law) -> dict[str, dict[str, Any]]:
    """The published sets that give every parameter (the first group's, where groups differ); one empty set for none."""
    if not law.parameters:
        return {"": {}}
    return {
        key: {n: next(iter(x.values())) if isinstance(x, dict) else x for n, x in v.values.items()}
        for key, v in law.values.items()
        if not v.partial
    }


def shape(law: Law) -> Curves | None:
    """The law's curves over its stated range with its published values; None where no complete set was published."""
    sets = complete_sets(law)
    if not sets or not set(law.variables) <= set(law.over):
        return None
    key = next(iter(sets))
    if "lr_schedule" in law.variables:
        return _schedules(law, sets)
    if "mixture" in law.variables:
        return _mixtures(law, key, sets[key])
    if law.arrays:
        return _lists(law, key, sets[key])
    if len(law.variables) == 1:
        return _one_variable(law, sets)
    return _family(law, key, sets[key])


def _one_variable(law: Law, sets: dict[str, dict[str, Any]]) -> Curves:
    symbol = law.variables[0]
    x = _axis(law, symbol)
    lines = {k or "no values needed": np.asarray(law.at(sets[k], **{symbol: x})) for k in list(sets)[: len(COLOURS)]}
    rest = f" The first {len(lines)} of {len(sets)} sets." if len(sets) > len(lines) else ""
    caption = f"{_said(law, '')} over the stated range of {symbol}.{rest}"
    return Curves(x, lines, axis_label(symbol), axis_label(law.predicts), caption, _logarithmic(law, symbol))


def _family(law: Law, key: str, values: dict[str, Any]) -> Curves:
    first, second, *others = law.variables
    x = _axis(law, first)
    held = {v: middle(law, v) for v in others}
    levels = dict.fromkeys((law.over[second][0], middle(law, second), law.over[second][1]))
    lines = {
        f"{second} = {short(level)}": np.where(
            _impossible(first, x, second, level), np.nan, law.at(values, **{first: x, second: level, **held})
        )
        for level in levels
    }
    caption = f"{_said(law, key)} over the stated range of {first}, for three values of {second}{_held(held)}."
    return Curves(x, lines, axis_label(first), axis_label(law.predicts), caption, _logarithmic(law, first))


def _impossible(first: str, x: np.ndarray, second: str, level: float) -> Any:
    """A part cannot be larger than its whole."""
    return x < level if (first, second) in (("N", "N_act"), ("draws", "correct")) else False


def _mixtures(law: Law, key: str, values: dict[str, Any]) -> Curves:
    entries = next(len(values[p.name]) for p in law.parameters if p.size == "mixture")
    held = {v: middle(law, v) for v in law.variables if v != "mixture"}
    x = np.linspace(0.02, 0.98, _POINTS)
    lines = {}
    for i in range(min(entries, len(COLOURS))):
        mixture = np.tile((1 - x) / (entries - 1), (entries, 1))
        mixture[i] = x
        lines[f"domain {i + 1}"] = np.asarray(law.at(values, mixture=mixture, **held))
    caption = (
        f"{_said(law, key)} while the share of one of {entries} domains grows; the others share the rest "
        f"equally{_held(held)}."
    )
    return Curves(x, lines, "share of the domain named", axis_label(law.predicts), caption, False)


def _schedules(law: Law, sets: dict[str, dict[str, Any]]) -> Curves:
    key = next(iter(sets))
    held = {v: middle(law, v) for v in law.variables if v != "lr_schedule"}
    steps = np.unique(np.geomspace(*_STEPS, 14).astype(int))
    lines: dict[str, list[float]] = {"constant": [], "cosine to a tenth": [], "last fifth linear to a tenth": []}
    for n in steps:
        t = np.arange(n) / (n - 1)
        rates = (np.ones(n), 0.55 + 0.45 * np.cos(np.pi * t), np.where(t > 0.8, 1 - 4.5 * (t - 0.8), 1.0))
        for points, rate in zip(lines.values(), rates):
            points.append(float(law.at(sets[key], lr_schedule=_PEAK * rate, **held)))
    caption = (
        f"{_said(law, key)} at the end of runs of that many steps, three schedules with peak {_PEAK:g}{_held(held)}."
    )
    drawn = {k: np.array(v) for k, v in lines.items()}
    return Curves(steps, drawn, axis_label("S"), axis_label(law.predicts), caption, True)


def _lists(law: Law, key: str, values: dict[str, Any]) -> Curves:
    symbol = law.arrays[0]
    entries = next(len(values[p.name]) for p in law.parameters if p.size == symbol)
    x = _axis(law, symbol)
    lines = {}
    for i in range(entries):
        at = np.full((entries, _POINTS), middle(law, symbol))
        at[i] = x
        lines[f"entry {i + 1}"] = np.asarray(law.at(values, **{symbol: at}))
    caption = (
        f"{_said(law, key)} while one entry of {symbol} grows and the others stay at {short(middle(law, symbol))}."
    )
    return Curves(x, lines, "the entry named", axis_label(law.predicts), caption, True)


def _said(law: Law, key: str) -> str:
    outcome = by_symbol(law.predicts).column.replace("_", " ")
    outcome = "The outcome" if outcome == "y" else outcome[:1].upper() + outcome[1:]
    return f"{outcome} with the values {key}" if key else outcome


def _held(held: Mapping[str, float]) -> str:
    return "; held: " + ", ".join(f"{v} = {short(x)}" for v, x in held.items()) if held else ""


def _logarithmic(law: Law, symbol: str) -> bool:
    low, high = law.over[symbol]
    return low > 0 and high / low > 10 and by_symbol(symbol).kind != "fraction"


def _axis(law: Law, symbol: str) -> np.ndarray:
    low, high = law.over[symbol]
    x = np.geomspace(low, high, _POINTS) if _logarithmic(law, symbol) else np.linspace(low, high, _POINTS)
    return np.unique(np.round(x)) if by_symbol(symbol).kind == "integer" else x


def middle(law: Law, symbol: str) -> float:
    """The middle of the stated range, rounded: geometric where the range is positive."""
    low, high = law.over[symbol]
    x = (low * high) ** 0.5 if low > 0 else (low + high) / 2
    return float(round(x)) if by_symbol(symbol).kind == "integer" else float(f"{x:.2g}")


def short(x: float, letters: bool = True) -> str:
    """A number as people say it: 70M, 1.4T, 6·10²³, 0.12; powers of ten instead of M, B and T without letters."""
    size = abs(x)
    for limit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if letters and limit <= size < 1e15:
            return f"{x / limit:.4g}{letter}"
    if 1e-3 <= size < 1e6 or not size:
        return f"{x:,.0f}" if size >= 1e4 else f"{x:.4g}"
    digits, power = f"{x:.3g}".split("e") if "e" in f"{x:.3g}" else f"{x:.2e}".split("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return f"10{raised}" if digits == "1" else f"{digits}·10{raised}"


def axis_label(symbol: str) -> str:
    """``params N``; with the unit where the column's name does not say it: ``loss L (nats/token)``."""
    quantity = by_symbol(symbol)
    words = quantity.column.replace("_", " ")
    named = words if words == symbol else f"{words} {symbol}"
    plain = quantity.unit in ("1", "any", "fraction") or quantity.unit.split()[0] in words
    plain = plain or quantity.unit == "parameters"
    return named if plain else f"{named} ({quantity.unit})"


def draw(curves: Curves) -> str:
    """The curves as an HTML figure with inline SVG."""
    figure, axes = _canvas(curves.x_label, curves.y_label)
    for colour, (label, y) in zip(COLOURS, curves.lines.items()):
        axes.plot(curves.x, y, color=colour, lw=1.8, label=label)
    shown = np.concatenate([y[np.isfinite(y)] for y in curves.lines.values()])
    _scales(axes, curves.log_x, shown)
    if len(curves.lines) > 1 or next(iter(curves.lines)) != "no values needed":
        _legend(axes, len(curves.lines))
    return _html(figure, curves.caption)


def draw_fit(
    points: tuple[np.ndarray, np.ndarray], band: Sequence[np.ndarray], x_label: str, y_label: str, caption: str
) -> str:
    """Data, the fitted curve and its band (x, estimate, lower, upper) as an HTML figure with inline SVG."""
    figure, axes = _canvas(x_label, y_label)
    x, estimate, lower, upper = band
    axes.fill_between(x, lower, upper, color=COLOURS[0], alpha=0.2, lw=0, label="90 % interval")
    axes.plot(x, estimate, color=COLOURS[0], lw=1.8, label="fit")
    axes.plot(*points, "o", color=COLOURS[1], ms=5, label="runs")
    _scales(axes, True, np.concatenate([points[1], estimate]))
    _legend(axes, 3)
    return _html(figure, caption)


def _canvas(x_label: str, y_label: str) -> tuple[Any, Any]:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.6, 3.6))
    FigureCanvasSVG(figure)
    axes = figure.add_axes((0.12, 0.14, 0.86, 0.83))
    axes.set_xlabel(x_label, color=_INK)
    axes.set_ylabel(y_label, color=_INK)
    axes.tick_params(which="both", colors=_INK)
    axes.grid(which="major", color=_INK, alpha=0.12, lw=0.6)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_INK)
    return figure, axes


def _scales(axes: Any, log_x: bool, y: np.ndarray) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    log_y = bool(y.min() > 0 and y.max() / y.min() > 30)
    for axis, setter, log in ((axes.xaxis, axes.set_xscale, log_x), (axes.yaxis, axes.set_yscale, log_y)):
        low, high = axis.get_data_interval()
        if log:
            setter("log")
            axis.set_minor_locator(NullLocator())
            decades = np.log10(high / low)
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2 else (1, 3) if decades < 3 else (1,)))
        else:
            axis.set_major_locator(MaxNLocator(6))
        axis.set_major_formatter(FuncFormatter(partial(_tick, letters=high < 1e15)))


def _tick(value: float, _: Any, letters: bool) -> str:
    return short(value, letters)


def _legend(axes: Any, entries: int) -> None:
    if entries > 4:  # too many for the inside of the frame
        axes.set_position((0.12, 0.14, 0.55, 0.83))
        axes.legend(frameon=False, labelcolor=_INK, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    else:
        axes.legend(frameon=False, labelcolor=_INK, fontsize=9)


def _html(figure: Any, caption: str) -> str:
    from html import escape
    from io import StringIO

    from matplotlib import rc_context

    out = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "lawful"}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font: ([0-9.]+px)[^;\"]*", r"font-size: \1; font-family: inherit", svg)
    svg = _DECIMALS.sub(r"\1", svg.replace(_INK, "currentColor")).replace("\n", " ")
    svg = re.sub(r'width="[^"]*pt" height="[^"]*pt"|height="[^"]*pt" width="[^"]*pt"', "", svg, count=1)
    said = f"<figcaption>{escape(caption)}</figcaption>"
    return f'<figure class="law-figure">{svg}{said}</figure>'
