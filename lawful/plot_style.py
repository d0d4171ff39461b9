"""One look for every picture: colours that colour-blind readers can tell apart, and ticks that read as 100M, 1B, 10B."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from lawful.studies.results import Figure, Layer

# Okabe and Ito's colours. A page may replace each by name, for its dark version.
TONES = {
    "ink": "#24292f", "muted": "#7a828b", "grid": "#e4e7eb", "paper": "#fdfdfe",
    "blue": "#0072b2", "sky": "#3d9bd1", "green": "#009e73", "vermilion": "#d55e00", "purple": "#b4568e",
    "amber": "#c98a00",
}  # fmt: skip
RC = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 8.5, "axes.titlesize": 9,
    "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 7, "axes.labelsize": 8.5,
    "axes.labelcolor": TONES["ink"], "axes.edgecolor": TONES["muted"], "axes.linewidth": 0.7, "text.color": TONES["ink"],
    "axes.titlecolor": TONES["ink"],
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": TONES["grid"],
    "grid.linewidth": 0.6, "axes.axisbelow": True, "xtick.color": TONES["muted"], "ytick.color": TONES["muted"],
    "xtick.labelcolor": TONES["ink"], "ytick.labelcolor": TONES["ink"], "xtick.labelsize": 8, "ytick.labelsize": 8,
    "xtick.major.size": 3, "ytick.major.size": 3, "xtick.minor.size": 1.8, "ytick.minor.size": 1.8,
    "legend.frameon": False, "legend.fontsize": 8.5, "legend.handlelength": 1.9, "legend.columnspacing": 1.6,
    "axes.unicode_minus": True, "svg.hashsalt": "lawful", "svg.fonttype": "path", "path.simplify": False,
    "figure.facecolor": TONES["paper"], "axes.facecolor": "none", "savefig.facecolor": TONES["paper"],
}  # fmt: skip

# Per role: colours in turn, and whether lines are dashed and points hollow.
_ROLES: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "data": (("ink", "muted", "green", "purple"), ("-", "--", "-.", ":"), "osD^"),
    "held_out": (("ink", "vermilion", "green", "purple"), ("-", "--", "-.", ":"), "osD^"),
    "published": (("vermilion", "purple", "amber", "green"), ("-", "--", "-.", ":"), "s^Dv"),
    "ours": (("blue", "green", "sky", "purple", "amber"), ("-", "--", "-.", ":"), "Do^s"),
    "naive": (("muted", "amber"), ("--", "-.", ":"), "xx"),
    "reference": (("muted",), (":", "--"), ".."),
}


@dataclass(frozen=True)
class Style:
    """How the layers of one role and label look, wherever they are in a figure."""

    tone: str
    dash: str
    marker: str
    hollow: bool
    thin: bool

    @property
    def colour(self) -> str:
        return TONES[self.tone]

    @property
    def width(self) -> float:
        return 0.9 if self.thin else 1.6


def styles(figure: Figure) -> dict[tuple[str, str], Style]:
    """A style for each role and label of a figure, in order of appearance; a band has the colour of its role."""
    found: dict[tuple[str, str], Style] = {}
    seen: dict[tuple[str, str], int] = {}
    for layer in (layer for panel in figure.panels for layer in panel.layers):
        key = (layer.role, layer.label)
        if key in found:
            continue
        group = (layer.role, _group(layer))
        turn = seen.get(group, 0)
        seen[group] = turn + 1
        tones, dashes, markers = _ROLES.get(layer.role, _ROLES["data"])
        found[key] = Style(
            tones[turn % len(tones)], dashes[turn % len(dashes)], markers[turn % len(markers)],
            layer.role == "held_out", layer.role == "reference",
        )  # fmt: skip
    return found


def _group(layer: Layer) -> str:
    """Bands and intervals take the role's first colour; lines and points take turns, each by themselves."""
    return layer.kind


def tick_text(value: float) -> str:
    """A number on an axis: 100M, 1B, 0.25, 10^21."""
    size = abs(value)
    sign = "\N{MINUS SIGN}" if value < 0 else ""
    if size == 0:
        return "0"
    if size >= 1e15 or size < 1e-4:
        power = floor(log10(size) + 1e-9)
        front = size / 10.0**power
        return f"{sign}${'' if abs(front - 1) < 1e-6 else f'{front:.3g}×'}10^{{{power}}}$"
    for unit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if size >= max(unit, 1e4) * (1 - 1e-12):
            return f"{sign}{size / unit:.4g}{letter}"
    return f"{sign}{size:.6g}"


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Where a log axis from low to high has its numbers: decades, or 1-2-5, or even steps on a short axis."""
    first, last = floor(log10(low)), ceil(log10(high))

    def within(steps: Iterable[float], every: int = 1) -> list[float]:
        all_ = [s * 10.0**k for k in range(first, last + 1, every) for s in steps]
        return [v for v in all_ if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]

    for every in (1, 2, 3, 5, 10):
        decades = within((1,), every)
        if 3 <= len(decades) <= most:
            return decades
    for steps in ((1, 2, 5), (1, 3), (1, 1.5, 2, 3, 5, 7)):
        found = within(steps)
        if 3 <= len(found) <= most:
            return found
    return _even(low, high, most)


def _even(low: float, high: float, most: int) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(nbins=most - 1, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(v) for v in ticks if v > 0 and low <= v <= high]


def set_ticks(axis: Any, limits: tuple[float, float], log: bool, whole: bool, most: int) -> None:
    """Ticks of an axis whose limits are final. whole: only whole numbers make sense."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

    low, high = limits
    if not log:
        axis.set_major_locator(MaxNLocator(nbins=most - 1, integer=whole, steps=[1, 2, 2.5, 5, 10]))
    else:
        major = log_ticks(low, high, most)
        span = range(floor(log10(low)), ceil(log10(high)))
        minor = [s * 10.0**k for k in span for s in range(1, 10) if low <= s * 10.0**k <= high]
        axis.set_major_locator(FixedLocator(major))
        many = len(span) > 6 or high / low < 3
        axis.set_minor_locator(NullLocator() if many else FixedLocator(minor))
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(float(f"{value:.10g}"))))
