"""Procedural tasks whose difficulty is an exact knob and whose best possible loss is known.

A task is a frozen value. ``task.batch(rng, B)`` gives ``x, y, level``, each (B, length) whole numbers: the
tokens, the right answers (-100 where nothing is asked) and the level of each answer (0 where nothing is
asked). The level is the number of sequential steps an answer takes, or the order, rank octave, gap... a
pattern task varies; `LEVELS` names five. ``task.floor(level)`` is the score of the true model (None where
nobody knows it) and ``task.chance(level)`` that of the best player who does none of the steps; both are
computed from the task's own tables.

Some tasks know more: ``bayes(x, y)`` is the true model's loss on these very answers, ``cases()`` lists every
case with its probability, ``held_out(rng, B)`` draws what training never shows; of puzzles, ``answer(x,
choose)`` has a player write a whole solution and ``valid(x, answer)`` accepts any right one.
"""

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .score import Batch, Score
from .tasks_choices import Colouring, Composition, Queens
from .tasks_pattern import Copy, Facts, Markov, Text
from .tasks_puzzles import Maze, Sudoku4
from .tasks_steps import Brackets, Carry, Hops, Swaps

LEVELS = {"minimal": 1, "low": 2, "medium": 4, "high": 8, "extreme": 16}


@runtime_checkable
class Task(Protocol):
    """What training and evaluation ask of a task."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    @property
    def length(self) -> int: ...
    @property
    def levels(self) -> tuple[int, ...]: ...
    def batch(self, rng: np.random.Generator, B: int) -> Batch: ...
    def floor(self, level: int) -> Score | None: ...
    def chance(self, level: int) -> Score: ...


TASKS = (
    Facts,
    Markov,
    Copy,
    Text,
    Swaps,
    Hops,
    Carry,
    Brackets,
    Sudoku4,
    Maze,
    Queens,
    Colouring,
    Composition,
)


def task(name: str, knobs: Mapping[str, Any] | None = None) -> Task:
    """The task of that name with its knobs set, such as ``task("swaps", {"cups": 5})``; lists become tuples.

    Raises ValueError for an unknown task or knob, with the nearest right name, and for a knob out of range.
    """
    found: dict[str, Any] = {t.name: t for t in TASKS}
    if name not in found:
        raise ValueError(f"There is no task {name!r}{_near(name, list(found))}. Tasks: {', '.join(found)}.")
    allowed = [f.name for f in fields(found[name])]
    for knob in knobs or {}:
        if knob not in allowed:
            near = _near(knob, allowed)
            raise ValueError(f"Task {name!r} has no knob {knob!r}{near}. Knobs: {', '.join(allowed)}.")
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in (knobs or {}).items()}
    return found[name](**given)


def bayes_loss(task: Task, x: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    """The true model's loss on each answer, nats: zero where that is certain, None where nobody knows."""
    if hasattr(task, "bayes"):
        return task.bayes(x, y)  # type: ignore[attr-defined]
    return np.zeros(y.shape) if task.floor(task.levels[0]) is not None else None


def _near(name: str, names: list[str]) -> str:
    close = get_close_matches(name, names, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
