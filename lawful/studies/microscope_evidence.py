"""What the second opinion on 'Scaling Laws Under the Microscope' is built from: the families, and the parts of it.

Every family was evaluated by Cerebras on the same seven tasks with one harness, so that like is compared with like. A
split says how many of a family's smallest models are fitted; the rest are predicted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lawful.studies.results import Figure, Row, Statement, Table
from lawful.tasks import Scores, scores

COLUMNS = {"loss_card": "model card", "loss": "arXiv"}  # the two published loss columns of Cerebras-GPT
SEED_NOISE = 0.0035  # relative sd of the loss between runs that differ by seed (Cerebras-GPT paper, section 3.3)
_FAMILIES = {  # name: data set, shots
    "cerebras": ("cerebras_gpt", 0), "cerebras_5": ("cerebras_gpt", 5), "mup": ("cerebras_gpt_mup", 0),
    "pythia": ("pythia_v0", 0), "pythia_5": ("pythia_v0", 5), "deduped": ("pythia_v0_deduped", 0), "opt": ("opt", 0),
}  # fmt: skip
TITLES = {
    "cerebras": "Cerebras-GPT", "cerebras_5": "Cerebras-GPT, 5-shot", "mup": "Cerebras-GPT muP", "pythia": "Pythia v0",
    "pythia_5": "Pythia v0, 5-shot", "deduped": "Pythia v0 deduplicated", "opt": "OPT",
}  # fmt: skip
SPLITS = (  # family, number of smallest models that are fitted
    ("cerebras", 4), ("cerebras_5", 4), ("mup", 3), ("pythia", 5), ("pythia", 4), ("deduped", 5), ("pythia_5", 5),
    ("opt", 3),
)  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """The scores of every family, models from small to large, with their sizes, tokens, FLOPs and losses."""

    families: dict[str, Scores]

    def __getitem__(self, name: str) -> Scores:
        return self.families[name]


def gather() -> Evidence:
    """Read the shipped tables."""
    from lawful import datasets

    found = {}
    for name, (dataset, shots) in _FAMILIES.items():
        found[name] = scores(datasets.tasks(dataset, where=f"metric == 'acc' and shots == {shots}"))
    return Evidence(found)


def size(answers: Scores) -> np.ndarray:
    """Nominal sizes, which the study uses as N and every family has."""
    return answers.column("params_nominal")


def in_order(answers: Scores) -> Scores:
    """Without models whose loss is above that of a smaller model of their family (deduplicated Pythia 1.4B)."""
    loss = answers.column("loss")
    return answers.take(np.flatnonzero(loss <= np.minimum.accumulate(loss)))


@dataclass(frozen=True)
class Part:
    """What one part of the second opinion says; the lists grow while it is computed."""

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
