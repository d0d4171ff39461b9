"""What one part of a study says, collected while it is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lawful.studies.results import Figure, Row, Statement, Table


@dataclass(frozen=True)
class Part:
    """Rows, statements, tables and figures of one part; the lists grow while it is computed."""

    rows: list[Row] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)

    def check(
        self, id: str, section: str, what: str, value: float, golden: float, tolerance: float,
        published: float | None = None, reason: str = "",
    ) -> None:  # fmt: skip
        """A number that an independent computation has as well; published: what the study prints, if it does."""
        same = published is not None and abs(value - published) <= tolerance
        outcome = "not checkable" if published is None else "reproduced" if same else "not reproduced"
        self.rows.append(Row(id, section, what, published, float(value), outcome, reason, golden, tolerance))

    def say(self, id: str, section: str, text: str, verdict: Any, **numbers: Any) -> None:
        """A conclusion with its numbers."""
        plain = {name: _plain(value) for name, value in numbers.items()}
        self.statements.append(Statement(id, section, text, verdict, plain))

    def table(self, id: str, section: str, title: str, columns: Any, rows: Any, note: str = "") -> None:
        """A table of plain numbers and words."""
        lines = tuple(tuple(_plain(cell) for cell in row) for row in rows)
        self.tables.append(Table(id, section, title, tuple(columns), lines, note))

    def add(self, other: Part) -> None:
        """Append all that another part says."""
        for name in ("rows", "statements", "tables", "figures"):
            getattr(self, name).extend(getattr(other, name))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value


def floats(values: Any) -> tuple[float, ...]:
    """A tuple of plain floats, for the layers of a figure."""
    return tuple(float(v) for v in np.ravel(values))


def span(low: float, high: float, open_below: bool = False, open_above: bool = False, digits: int = 3) -> str:
    """An interval in words; an end that the scan did not reach is marked."""
    return f"[{'< ' if open_below else ''}{low:.{digits}g}, {'> ' if open_above else ''}{high:.{digits}g}]"
