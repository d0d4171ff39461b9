r"""Scores of a set of answers: loss, accuracy, calibration, per level and together, beside floor and chance.

*Reach* is the sum over levels of chance-corrected accuracy $(a - chance) / (best - chance)$: the expected
number of levels solved. Levels where chance is already the best possible count nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .tasks import Task


@dataclass(frozen=True)
class Answers:
    """One entry per scored answer, with the true model's loss on it (None where nobody knows that)."""

    loss: np.ndarray
    right: np.ndarray
    confidence: np.ndarray
    level: np.ndarray
    weight: np.ndarray
    bayes: np.ndarray | None


def calibration_error(confidence: np.ndarray, right: np.ndarray, weight: np.ndarray, bins: int = 10) -> float:
    r"""Expected calibration error, $\sum_b w_b |\bar{conf}_b - \bar{acc}_b|$ over equal bins of confidence.

    Naeini, Cooper and Hauskrecht 2015. Weights need not sum to one.
    """
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(bin_of, weight * (confidence - right), bins)
    return float(np.abs(gap).sum() / weight.sum())


def scores(answers: Answers, outputs: int) -> dict[str, Any]:
    """Weighted means over the answers; `loss_capped` counts each answer at log outputs at most."""
    w = answers.weight
    mean = lambda v: float((w * v).sum() / w.sum())  # noqa: E731
    return {
        "n": len(w),
        "weight": float(w.sum()),
        "loss": mean(answers.loss),
        "loss_capped": mean(np.minimum(answers.loss, np.log(outputs))),
        "accuracy": mean(answers.right),
        "ece": calibration_error(answers.confidence, answers.right, w),
        "bayes_loss": None if answers.bayes is None else mean(answers.bayes),
    }


def by_level(task: Task, answers: Answers) -> list[dict[str, Any]]:
    """`scores` of each level that was asked, with the task's floor and chance."""
    table = []
    for k in task.levels:
        here = answers.level == k
        if not here.any():
            continue
        bayes = None if answers.bayes is None else answers.bayes[here]
        one = Answers(
            answers.loss[here], answers.right[here], answers.confidence[here], answers.level[here],
            answers.weight[here], bayes,
        )  # fmt: skip
        floor, chance = task.floor(k), task.chance(k)
        known = {} if floor is None else {"floor_loss": floor.loss, "floor_accuracy": floor.accuracy}
        base = {"chance_loss": chance.loss, "chance_accuracy": chance.accuracy}
        table.append({"level": k, **scores(one, task.outputs), **known, **base})
    return table


def reach(levels: list[dict[str, Any]]) -> float | None:
    """Expected number of levels solved; None where the best possible accuracy is unknown."""
    total = 0.0
    for row in levels:
        if "floor_accuracy" not in row:
            return None
        room = row["floor_accuracy"] - row["chance_accuracy"]
        if room > 1e-9:
            total += (row["accuracy"] - row["chance_accuracy"]) / room
    return total


def summary(task: Task, answers: Answers) -> dict[str, Any]:
    """Scores over all answers, reach, and the table of levels."""
    levels = by_level(task, answers)
    return {**scores(answers, task.outputs), "reach": reach(levels), "levels": levels}
