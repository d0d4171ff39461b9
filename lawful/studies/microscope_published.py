"""Every number and claim that the study prints, under the id that `microscope_numbers` computes it by.

They are typed as facts in microscope_published.csv, one a line. A published number is text as printed: its last digit
says how close ours must come, unless the column ``within`` does. Where an independent computation of the same quantity
exists, its result is the golden number, with the largest difference that counts as the same. The verdict is in no
column: `compare` finds it from the numbers. The remarks put computed numbers into words: ``{loss.kaplan.a:.3f}``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lawful.studies.results import Outcome, Row

LOSS, TASK, CORRELATION = "Loss Scaling", "Task Scaling", "Cross-Metric Correlation"
EXTRAPOLATION, TRANSFER = "Extrapolation Risk", "Cross-Family Transfer"
METHODOLOGY, LIMITATIONS = "Methodology", "Limitations"
SECTIONS = (LOSS, TASK, CORRELATION, EXTRAPOLATION, TRANSFER, METHODOLOGY, LIMITATIONS)
TITLES = {  # tasks as the study names them
    "lambada": "LAMBADA", "hellaswag": "HellaSwag", "piqa": "PIQA", "winogrande": "WinoGrande", "arc_easy": "ARC-Easy",
    "arc_challenge": "ARC-Challenge", "openbookqa": "OpenBookQA",
}  # fmt: skip
NEVER = "never"  # in the column within: no table of results can decide it


@dataclass(frozen=True)
class Printed:
    """A line of the file. published: as printed, empty for a number that only the independent computation has."""

    id: str
    section: str
    what: str
    published: str
    golden: str
    tolerance: str
    within: str
    remark: str


def printed() -> tuple[Printed, ...]:
    """The lines of microscope_published.csv."""
    with open(Path(__file__).with_suffix(".csv"), encoding="utf-8", newline="") as file:
        return tuple(Printed(**line) for line in csv.DictReader(file))


def compare(line: Printed, ours: Any, numbers: Mapping[str, Any]) -> Row:
    """The row of a printed number: its outcome follows from the two values."""
    published = _value(line.published)
    outcome: Outcome
    if published is None or ours is None or line.within == NEVER:
        outcome = "not checkable"
    elif isinstance(published, str):
        outcome = "reproduced" if ours == published else "not reproduced"
    else:
        within = float(line.within) if line.within else half_unit(line.published)
        outcome = "reproduced" if abs(ours - published) <= within else "not reproduced"
    remark = re.sub(r"\{([\w.]+)(?::([\w.]+))?\}", lambda found: _told(numbers[found[1]], found[2] or ""), line.remark)
    golden, tolerance = _value(line.golden), float(line.tolerance or 0)
    return Row(line.id, line.section, line.what, published, ours, outcome, remark, golden, tolerance)


def half_unit(text: str) -> float:
    """Half a unit of the last printed digit: 0.0005 for "0.106". A hair more, since a half may round either way."""
    return 0.5 * 10.0 ** -len(text.partition(".")[2]) * (1 + 1e-9)


def rows(numbers: Mapping[str, Any]) -> tuple[Row, ...]:
    """One row per printed or golden number, section by section."""
    return tuple(compare(line, numbers.get(line.id), numbers) for line in printed())


def _value(text: str) -> float | str | None:
    try:
        return float(text)
    except ValueError:
        return text or None


def _told(value: Any, form: str) -> str:
    return "none" if value is None else format(value, form)
