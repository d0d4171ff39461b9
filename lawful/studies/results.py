"""What a study says, as plain data: rows against the published numbers, statements with a verdict, tables, figures.

A study is a function that returns a `Study`. Reports, figures, the JSON file and the checks are made from it alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["supported", "contradicted", "cannot tell", "note"]
Outcome = Literal["reproduced", "not reproduced", "not checkable"]


@dataclass(frozen=True)
class Row:
    """One published number against ours. golden: what an independent computation found, where there is one.

    tolerance: largest absolute difference from golden that counts as the same. reason: why it is reproduced or not.
    """

    id: str
    section: str
    what: str
    published: float | str | None
    recomputed: float | str | None
    outcome: Outcome
    reason: str = ""
    golden: float | str | None = None
    tolerance: float = 0.0


@dataclass(frozen=True)
class Statement:
    """One conclusion: a sentence with its number and interval, and what the data say of it."""

    id: str
    section: str
    text: str
    verdict: Verdict
    numbers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table of a report. rows: one tuple per line, in the order of columns."""

    id: str
    section: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Layer:
    """Part of a panel: x and y of points and lines; x, lower and upper of bands and intervals."""

    kind: Literal["points", "line", "band", "interval"]
    label: str
    x: tuple[float, ...]
    y: tuple[float, ...] = ()
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    role: str = "data"  # data | held_out | published | ours | naive | reference


@dataclass(frozen=True)
class Panel:
    """One set of axes. x, y: labels with units."""

    title: str
    x: str
    y: str
    layers: tuple[Layer, ...]
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Figure:
    """A figure as data: ``plot.draw`` makes the picture, the page its own."""

    id: str
    section: str
    caption: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Study:
    """All that a study says. sections: headings in order, the second opinion's after the published ones."""

    name: str
    title: str
    summary: tuple[str, ...]
    sections: tuple[str, ...]
    rows: tuple[Row, ...]
    statements: tuple[Statement, ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    sources: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
