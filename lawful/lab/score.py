"""What a task knows about itself: the best and the effortless score, in the same two numbers a model gets.

``Score.loss`` is in nats per scored answer, ``Score.accuracy`` a probability. A task's *floor* is the score
of the true model (no learner can expect less loss); its *chance* is the score of the best player who does
none of the steps.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

UNSCORED = -100  # the label of a position nobody is asked about; also what torch's cross-entropy ignores

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]
Choose = Callable[[np.ndarray, slice], np.ndarray]  # tokens (B, length), positions -> answers (B, positions)


@dataclass(frozen=True)
class Score:
    """Loss in nats per scored answer, and the probability that the best answer is right."""

    loss: float
    accuracy: float


SOLVED = Score(loss=0.0, accuracy=1.0)


def of_distribution(p: np.ndarray) -> Score:
    """The score of answering from the distribution `p` when the truth is drawn from it: entropy and mode."""
    p = np.asarray(p, dtype=float)
    return Score(loss=float(-(p * log0(p)).sum()), accuracy=float(p.max()))


def uniform(n: int) -> Score:
    """The score of guessing among `n` equally likely answers."""
    return Score(loss=float(np.log(n)), accuracy=1.0 / n)


def log0(p: np.ndarray) -> np.ndarray:
    """log p with log 0 taken as 0, for sums of p log p."""
    return np.log(np.where(p > 0, p, 1.0))


def blank(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and levels of a batch shaped like `x` where nothing is scored yet."""
    return np.full(x.shape, UNSCORED, dtype=np.int64), np.zeros(x.shape, dtype=np.int64)


def check(task: str, **allowed: tuple[object, bool, str]) -> None:
    """Raise ValueError for the first knob that fails: ``knob=(value, holds, "what is allowed")``."""
    for knob, (value, holds, words) in allowed.items():
        if not holds:
            raise ValueError(f"Task {task!r}: {knob} is {value!r}; it must be {words}.")
