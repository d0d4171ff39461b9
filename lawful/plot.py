"""Pictures of fits, profiles, forecasts and studies.

Each is made in two steps: first the data of the picture (points, curves, bands: a `Figure` of `studies.results`), then
the drawing, which is the same for all.

    plot_fit(made).savefig("fit.png")
    save(fit_figure(made), "figures")          # figures/fit.png and figures/fit.svg
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from lawful.plot_data import fit_figure, forecast_figure, profile_figure
from lawful.plot_style import RC, TONES, Style, set_ticks, styles
from lawful.studies.results import Figure, Layer, Panel

if TYPE_CHECKING:
    from lawful.fit import Fit
    from lawful.forecast import Forecast
    from lawful.profiles import Profile

Styles = dict[tuple[str, str], Style]
_BOXES = {1: (5.0, 2.9), 2: (3.2, 2.1), 3: (2.4, 1.75), 4: (1.9, 1.4)}  # inches of one plot, by number of columns
_PAGE_ALONE, _PAGE_MANY = (3.3, 2.1), (2.1, 1.4)  # of a plot on a page, which sets the panels itself
_RIGHT, _BOTTOM, _TOP, _LINE = 0.16, 0.46, 0.3, 0.21  # inches round a plot; of a legend's line


def draw(figure: Figure, ax: Any = None) -> Any:
    """Draw a figure and return matplotlib's. ax: axes of your own, for a figure of one panel.

    Raises ValueError for axes with a figure of several panels.
    """
    from matplotlib import rc_context

    found = styles(figure)
    if ax is not None:
        if len(figure.panels) != 1:
            raise ValueError(f"figure {figure.id} has {len(figure.panels)} panels; ax takes a figure with one")
        _paint(ax, figure.panels[0], found, 6, tuple(ax.get_position().size * ax.figure.get_size_inches()))
        _legend_inside(ax, figure, found)
        return ax.figure
    with rc_context(RC):
        return _grid(figure, found)


def plot_fit(fit: Fit, ax: Any = None) -> Any:
    """The data, the law with its 95 % band and what it leaves (residuals); with ax the first of the two alone."""
    return _in(fit_figure(fit), ax)


def plot_profile(profile: Profile, ax: Any = None) -> Any:
    """How much worse the best fit gets as one parameter is moved, with the threshold of its interval."""
    return _in(profile_figure(profile), ax)


def plot_forecast(forecast: Forecast, fit: Fit, ax: Any = None) -> Any:
    """The data, the law, and the forecast with its intervals."""
    return _in(forecast_figure(forecast, fit), ax)


def _in(figure: Figure, ax: Any) -> Any:
    return draw(figure if ax is None else Figure(figure.id, figure.section, figure.caption, figure.panels[:1]), ax)


def save(figure: Figure, folder: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write ``folder/id.png`` (200 dpi) and ``folder/id.svg``; the same figure gives the same bytes."""
    from matplotlib import rc_context

    drawn, place = draw(figure), Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    with rc_context(RC):
        png, svg = BytesIO(), BytesIO()
        drawn.savefig(png, format="png", dpi=200, metadata={"Software": None})
        drawn.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    return (
        write(place / f"{figure.id}.png", png.getvalue()),
        write(place / f"{figure.id}.svg", svg.getvalue()),
    )


def write(path: Path, content: bytes) -> Path:
    """Write a file that appears whole or not at all."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def panels_svg(figure: Figure) -> list[str]:
    """Each panel without its title as an SVG element for a page: text as text, ids of its own, the page's colours."""
    from matplotlib import rc_context

    found, out = styles(figure), []
    box = _PAGE_ALONE if len(figure.panels) == 1 else _PAGE_MANY
    with rc_context({**RC, "svg.fonttype": "none", "figure.facecolor": "none", "savefig.facecolor": "none"}):
        painted = [_painted((replace(panel, title=""),), found, 5, box) for panel in figure.panels]
        left = max(_left(axes[0]) for _, axes in painted)
        for i, (drawn, axes) in enumerate(painted):
            _place(drawn, axes, box, [left], head=0)
            file = BytesIO()
            drawn.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
            out.append(_for_page(file.getvalue().decode(), f"{figure.id}-{i}", figure.panels[i].title))
    return out


def legend_svg(figure: Figure) -> list[tuple[str, str]]:
    """A small SVG and its label for each entry of a figure's legend, for a page that sets the legend itself."""
    out = []
    for label, style, kinds in _entries(figure, styles(figure)):
        tone, marks = f"var(--{style.tone})", []
        if "band" in kinds:
            marks.append(f'<rect x="1" y="2" width="24" height="10" fill="{tone}" opacity="0.2"/>')
        if "line" in kinds:
            dash = {"--": "5 3", "-.": "6 2 1 2", ":": "1.5 2"}.get(style.dash, "none")
            marks.append(
                f'<path d="M1 7H25" stroke="{tone}" stroke-width="{style.width + 0.4}" stroke-dasharray="{dash}"/>'
            )
        if "interval" in kinds:
            marks.append(f'<path d="M13 1V13" stroke="{tone}" stroke-width="3" opacity="0.5"/>')
        if "points" in kinds:
            marks.append(_mark(style, tone))
        out.append((f'<svg class="key" viewBox="0 0 26 14" aria-hidden="true">{"".join(marks)}</svg>', label))
    return out


def _mark(style: Style, tone: str) -> str:
    paint = f'fill="var(--paper)" stroke="{tone}"' if style.hollow else f'fill="{tone}" stroke="none"'
    shapes = {
        "s": '<rect x="9.5" y="3.5" width="7" height="7" {}/>',
        "D": '<path d="M13 2.5l4.5 4.5l-4.5 4.5l-4.5 -4.5z" {}/>',
        "^": '<path d="M13 2.5l4.5 8h-9z" {}/>',
        "v": '<path d="M13 11.5l4.5 -8h-9z" {}/>',
        "x": '<path d="M10 4l6 6m0 -6l-6 6" {}/>',
        "_": '<path d="M7 7h12" {}/>',
    }
    if style.marker in "x_":
        paint = f'fill="none" stroke="{tone}"'
    return shapes.get(style.marker, '<circle cx="13" cy="7" r="4" {}/>').format(f'{paint} stroke-width="1.4"')


def _for_page(svg: str, prefix: str, name: str) -> str:
    from html import escape

    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)
    body = re.sub(r'\b(id="|xlink:href="#|href="#)', rf"\g<1>{prefix}-", body)
    body = re.sub(r"url\(#", f"url(#{prefix}-", body)
    body = re.sub(r' xmlns(:\w+)?="[^"]*"', "", body).replace("xlink:href", "href")
    opening = rf'<svg \1 role="img" aria-label="{escape(name)}">'
    body = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', opening, body, count=1)
    body = re.sub(r"font: ([^;\"]*?)'DejaVu Sans'[^;\"]*", r"font: \1var(--font)", body)
    for tone, colour in TONES.items():
        body = re.sub(colour, f"var(--{tone})", body, flags=re.I)
    return body


# ---- axes


def _grid(figure: Figure, found: Styles) -> Any:
    """All panels in rows, with one legend above them."""
    count = len(figure.panels)
    columns = count if count <= 3 else 2 if count == 4 else 3 if count in (5, 6, 9) else 4
    entries = _entries(figure, found)
    width = (_BOXES[columns][0] + 0.5) * columns
    abreast = _abreast([label for label, _, _ in entries], width)
    lines = -(-len(entries) // abreast) if len(entries) > 1 else 0
    drawn, axes = _painted(figure.panels, found, 7 if columns == 1 else 5, _BOXES[columns])
    _same_labels(axes, figure.panels, columns)
    _place(drawn, axes, _BOXES[columns], [max(map(_left, axes[c::columns])) for c in range(columns)], lines)
    if lines:
        handles = [_handle(*entry) for entry in entries]
        place = (0.1 / drawn.get_figwidth(), 1 - 0.03 / drawn.get_figheight())
        drawn.legend(handles=handles, loc="upper left", bbox_to_anchor=place, ncols=abreast, borderaxespad=0)
    return drawn


def _abreast(labels: list[str], width: float) -> int:
    """How many columns of a legend fit into a width (inches); matplotlib fills column by column."""
    for columns in range(len(labels), 1, -1):
        rows, fuller = divmod(len(labels), columns)  # the first columns have one entry more
        ends = [(rows + 1) * min(i, fuller) + rows * max(i - fuller, 0) for i in range(columns + 1)]
        longest = [max(map(len, labels[i:j])) for i, j in zip(ends, ends[1:])]
        if sum(0.066 * n + 0.58 for n in longest) <= width:
            return columns
    return 1


def _painted(panels: tuple[Panel, ...], found: Styles, most: int, box: tuple[float, float]) -> tuple[Any, list[Any]]:
    """Panels drawn in axes that have no place yet."""
    from matplotlib.figure import Figure as Canvas

    drawn = Canvas()
    axes = [drawn.add_axes((0, 0, 1, 1), label=str(i)) for i in range(len(panels))]
    for ax, panel in zip(axes, panels):
        _paint(ax, panel, found, most, box)
    return drawn, axes


def _place(drawn: Any, axes: list[Any], box: tuple[float, float], left: list[float], head: int) -> None:
    """Axes in rows, every plot of the size ``box``. left: inches before each column; head: lines of legend above."""
    columns = len(left)
    edge = [sum(left[: c + 1]) + c * (box[0] + _RIGHT) for c in range(columns)]
    titles = [ax.get_title(loc="left") for ax in axes]
    top = max(_TOP + 0.15 * title.count("\n") if title else _RIGHT for title in titles)
    rows, step = -(-len(axes) // columns), box[1] + _BOTTOM + top
    width, height = edge[-1] + box[0] + _RIGHT, rows * step + _LINE * head
    drawn.set_size_inches(width, height)
    for i, ax in enumerate(axes):
        x, y = edge[i % columns], (rows - 1 - i // columns) * step + _BOTTOM
        ax.set_position((x / width, y / height, box[0] / width, box[1] / height))


def _left(ax: Any) -> float:
    """Inches that the numbers and the label of a vertical axis need."""
    texts = [re.sub(r"[${}^]", "", text) for text in ax.yaxis.get_major_formatter().seq]
    numbers = max((sum(0.036 if c == "." else 0.073 for c in text) for text in texts), default=0)
    label = ax.get_ylabel()
    return 0.2 + numbers + (0.1 + 0.14 * (1 + label.count("\n")) if label else 0)


def _same_labels(axes: list[Any], panels: tuple[Panel, ...], columns: int) -> None:
    """Say what all panels share once: y in the first column, x in the last panel of each column."""
    for i, (ax, panel) in enumerate(zip(axes, panels)):
        if i % columns and panels[i - 1].y == panel.y:
            ax.set_ylabel("")
        if i + columns < len(panels) and panels[i + columns].x == panel.x:
            ax.set_xlabel("")


def _legend_inside(ax: Any, figure: Figure, found: Styles) -> None:
    entries = _entries(figure, found)
    if len(entries) > 1:
        ax.legend(handles=[_handle(*entry) for entry in entries], frameon=False)


# ---- layers

_ORDER = {"band": 1, "interval": 2, "line": 3, "points": 4}


def _paint(ax: Any, panel: Panel, found: Styles, most: int, box: tuple[float, float]) -> None:
    """Draw a panel. most: numbers on its horizontal axis. box: width and height of the plot in inches."""
    if panel.log_x:
        ax.set_xscale("log")
    if panel.log_y:
        ax.set_yscale("log")
    for layer in panel.layers:
        _layer(ax, layer, found[layer.role, layer.label])
    ax.margins(x=0.05, y=0.08)
    ax.set_title(fill(panel.title, max(18, int(box[0] / 0.08))))
    ax.set_xlabel(_capital(panel.x))
    ax.set_ylabel(fill(_capital(panel.y), max(18, int(box[1] / 0.064))))
    ax.set_xlim(ax.get_xlim())
    ax.set_ylim(ax.get_ylim())
    marks = [x for layer in panel.layers if layer.kind == "points" for x in layer.x]
    whole = bool(marks) and all(float(x).is_integer() and abs(x) < 1000 for x in marks)
    set_ticks(ax.xaxis, ax.get_xlim(), panel.log_x, whole, most)
    set_ticks(ax.yaxis, ax.get_ylim(), panel.log_y, False, 6)


def _capital(text: str) -> str:
    return text if text[:2].isupper() or "_" in text.split(" ")[0] else text[:1].upper() + text[1:]


def _layer(ax: Any, layer: Layer, style: Style) -> None:
    order = _ORDER[layer.kind]
    if layer.kind == "band":
        ax.fill_between(layer.x, layer.lower, layer.upper, color=style.colour, alpha=0.15, linewidth=0, zorder=order)
    elif layer.kind == "interval":
        ax.vlines(layer.x, layer.lower, layer.upper, color=style.colour, alpha=0.45, linewidth=2.6, zorder=order)
    elif layer.kind == "line":
        ax.plot(layer.x, layer.y, style.dash, color=style.colour, linewidth=style.width, zorder=order)
    else:
        ax.plot(layer.x, layer.y, linestyle="none", zorder=order + 0.1 * style.hollow, **_marker(style))


def _marker(style: Style) -> dict[str, Any]:
    size = {"D": 4.4, "s": 4.6, "x": 5, "_": 11}.get(style.marker, 5.2) * (0.75 if style.thin else 1)
    face = TONES["paper"] if style.hollow else style.colour
    return {
        "marker": style.marker, "markersize": size, "markerfacecolor": face, "markeredgecolor": style.colour,
        "markeredgewidth": 1.8 if style.marker == "_" else 1.2 if style.hollow or style.marker == "x" else 0.0,
    }  # fmt: skip


def _entries(figure: Figure, found: Styles) -> list[tuple[str, Style, frozenset[str]]]:
    """The legend: label, style and the kinds of layer that have it."""
    kinds: dict[tuple[str, str], set[str]] = {}
    for layer in (layer for panel in figure.panels for layer in panel.layers):
        if layer.label:
            kinds.setdefault((layer.role, layer.label), set()).add(layer.kind)
    return [(label, found[role, label], frozenset(kind)) for (role, label), kind in kinds.items()]


def _handle(label: str, style: Style, kinds: frozenset[str]) -> Any:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if kinds == {"band"}:
        return Patch(facecolor=style.colour, alpha=0.2, linewidth=0, label=label)
    if kinds == {"interval"}:
        return Line2D([], [], linestyle="none", marker="|", markersize=9, markeredgewidth=2.6, alpha=0.45,
                      color=style.colour, label=label)  # fmt: skip
    line = {"linestyle": style.dash if "line" in kinds else "none", "linewidth": style.width, "color": style.colour}
    return Line2D([], [], label=label, **line, **(_marker(style) if "points" in kinds else {}))
