"""One look for every picture: colours that colour-blind readers tell apart, ticks that read as 100M, 1B, 10B."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from lawful.studies.results import Figure

# Okabe and Ito's colours. A page may replace each by name, for its dark version.
TONES = {
    "ink": "#24292f", "muted": "#7a828b", "grid": "#e4e7eb", "paper": "#fdfdfe",
    "blue": "#0072b2", "sky": "#3d9bd1", "green": "#009e73", "vermilion": "#d55e00", "purple": "#b4568e",
    "amber": "#c98a00",
}  # fmt: skip
RC = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 8.5, "axes.titlesize": 9,
    "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 7, "axes.labelsize": 8.5,
    "axes.labelcolor": TONES["ink"], "axes.edgecolor": TONES["muted"], "axes.linewidth": 0.7,
    "text.color": TONES["ink"], "axes.titlecolor": TONES["ink"],
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
    "ours": (("blue", "sky", "green", "purple", "amber"), ("-", "--", "-.", ":"), "Do^s"),
    "naive": (("muted",), ("--", "-.", ":"), "xx"),
    "reference": (("muted",), (":", "--"), "s^"),
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
    """A style for each role and label of a figure. Lines, points and bands of a role take its colours in turn."""
    found: dict[tuple[str, str], Style] = {}
    seen: dict[tuple[str, str], int] = {}
    bars = {(one.role, one.kind) for panel in figure.panels for one in panel.layers if one.role == "ours"}
    for layer in (layer for panel in figure.panels for layer in panel.layers):
        key, group = (layer.role, layer.label), (layer.role, layer.kind)
        if key in found:
            continue
        turn = seen.get(group, 0)
        seen[group] = turn + 1
        tones, dashes, markers = _ROLES.get(layer.role, _ROLES["data"])
        if (layer.role, "interval") in bars:
            markers = "_" + markers  # the estimate is a tick on its bar, which a mark at the truth does not hide
        found[key] = Style(
            tones[turn % len(tones)], dashes[turn % len(dashes)], markers[turn % len(markers)],
            layer.role == "held_out", layer.role == "reference",
        )  # fmt: skip
    return found


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
    return [v for v in linear_ticks(low, high, most) if v > 0]


def linear_ticks(low: float, high: float, most: int = 6, whole: bool = False) -> list[float]:
    """Even, round numbers between low and high."""
    from matplotlib.ticker import MaxNLocator

    steps = [1, 2, 5, 10] if whole else [1, 2, 2.5, 5, 10]
    ticks = MaxNLocator(nbins=most - 1, integer=whole, steps=steps).tick_values(low, high)
    slack = 1e-9 * (high - low)
    return [float(f"{v:.10g}") for v in ticks if low - slack <= v <= high + slack]


def tick_texts(ticks: list[float]) -> list[str]:
    """The numbers of an axis, with the same number of decimals."""
    texts = [tick_text(v) for v in ticks]
    if all(1e-4 <= abs(v) < 1e4 or v == 0 for v in ticks):
        places = max((len(t.partition(".")[2]) for t in texts), default=0)
        texts = [f"{v:.{places}f}".replace("-", "\N{MINUS SIGN}") for v in ticks]
    return texts


def set_ticks(axis: Any, limits: tuple[float, float], log: bool, whole: bool, most: int) -> None:
    """Ticks of an axis whose limits are final. whole: only whole numbers make sense."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter

    low, high = limits
    major = log_ticks(low, high, most) if log else linear_ticks(low, high, most, whole)
    minor: list[float] = []
    if log and high / low >= 3 and high / low < 1e6:
        span = range(floor(log10(low)), ceil(log10(high)))
        minor = [s * 10.0**k for k in span for s in range(2, 10) if low <= s * 10.0**k <= high]
    axis.set_major_locator(FixedLocator(major))
    axis.set_minor_locator(FixedLocator([v for v in minor if v not in major]))
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FixedFormatter([tick_text(v) for v in major] if log else tick_texts(major)))
