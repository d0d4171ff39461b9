"""What a check has to say: a `Finding` when the work can go on, a `RunsError` when it cannot.

Both are sentences with a number in them, and both say what to do. A finding belongs to a result and never
interrupts; the caller decides what to make of its severity.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that a check has seen.

    code: one word that never changes, for programs. message: a sentence with a number, for people.
    rows: where, counted as `Runs.rows` counts. remedy: what to do about it.
    """

    code: str
    severity: Severity
    message: str
    rows: tuple[int, ...] = ()
    remedy: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (f"{self.severity}: {self.message}", self.remedy) if part)


class RunsError(ValueError):
    """A table that cannot be used as runs.

    The message names file, row, column, the value seen, the values allowed and the remedy, as far as they
    apply; each is an attribute too.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | None = None,
        row: str | None = None,
        column: str | None = None,
        value: object = None,
        allowed: str | None = None,
        remedy: str | None = None,
    ):
        place = ", ".join(p for p in (file, row, column and f"column {column!r}") if p)
        parts = [f"{place}: {problem}" if place else problem]
        if allowed:
            parts.append(f"Allowed: {allowed}.")
        if remedy:
            parts.append(remedy)
        super().__init__(" ".join(p if p.endswith((".", "?", ")")) else p + "." for p in parts))
        self.file, self.row, self.column, self.value = file, row, column, value
        self.allowed, self.remedy = allowed, remedy


def counted(number: int, thing: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def listed(numbers: tuple[int, ...] | list[int], most: int = 8) -> str:
    """``3, 4, 5 and 12 more``: row numbers for a sentence."""
    shown = ", ".join(str(n) for n in numbers[:most])
    return shown if len(numbers) <= most else f"{shown} and {len(numbers) - most} more"


def in_rows(numbers: tuple[int, ...] | list[int]) -> str:
    """``row 3``, ``rows 3, 4``: where something was seen, in brackets."""
    return f"{'row' if len(numbers) == 1 else 'rows'} {listed(numbers)}"
