r"""From loss, or size, to downstream accuracy: with floors, and with the noise of a finite test.

An accuracy is a count of right answers out of known items, so its noise is known before anything is fitted. That
gives three things no R2 can: a test against chance, a goodness of fit that can fail, and the error that the true curve
itself would be charged with (`expected_mape`). The curve that passes for language models is a logistic in the loss with
a floor that is fitted: guessing is the floor only where no model is significantly below it.

    runs = datasets.tasks("cerebras_gpt", where="shots == 0")
    answers = scores(runs)                      # accuracies (tasks, models), each task measured one way
    against_chance(answers).verdict("winogrande")
    curve = fit_map(answers)                    # logistic in loss, one per task; curve.p says whether it fits
    read_off(curve, [1.9, 1.7])                 # accuracies (tasks, 2)
    forecast_scores(curves(answers), ability("loss", [1.9, 1.7]), answers)    # with intervals: task_forecast
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from lawful.fit import Fit, fit
from lawful.hierarchy import Curves, fit_curves
from lawful.law import Law
from lawful.laws import load
from lawful.quantities import did_you_mean, find

_MEASURED_BY = ("metric", "shots", "evaluator", "harness")


@dataclass(frozen=True)
class Scores:
    """Accuracies of m models on t tasks, every task measured one way.

    accuracy (t, m), fractions. items (t,): answers each was counted over. chance (t,): what guessing gives.
    measured: for each task how it was measured ("acc, 0-shot"). columns: name -> (m,), numbers of the models (loss,
    params, ...).
    """

    tasks: tuple[str, ...]
    models: tuple[str, ...]
    accuracy: np.ndarray
    items: np.ndarray
    chance: np.ndarray
    measured: tuple[str, ...]
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    def column(self, name: str) -> np.ndarray:
        """One number per model (m,), by symbol or column name; ValueError if any model lacks it."""
        quantity = find(name)
        key = name if name in self.columns else quantity.column if quantity else name
        if key not in self.columns:
            raise ValueError(f"the scores have no column {name!r}{did_you_mean(name, list(self.columns))}")
        values = self.columns[key]
        if not np.isfinite(values).all():
            lacking = self.models[int(np.flatnonzero(~np.isfinite(values))[0])]
            raise ValueError(f"column {key!r} is missing for model {lacking}: leave it out with take()")
        return values

    def take(self, models: Sequence[int] | np.ndarray | slice) -> Scores:
        """The models at these positions."""
        index = np.arange(len(self.models))[models]
        return replace(
            self, models=tuple(self.models[i] for i in index), accuracy=self.accuracy[:, index],
            columns={name: values[index] for name, values in self.columns.items()},
        )  # fmt: skip

    def only(self, tasks: Sequence[str]) -> Scores:
        """These tasks, in this order."""
        for task in tasks:
            if task not in self.tasks:
                raise ValueError(f"no task is called {task!r}{did_you_mean(task, list(self.tasks))}")
        index = [self.tasks.index(task) for task in tasks]
        return replace(
            self, tasks=tuple(tasks), accuracy=self.accuracy[index], items=self.items[index],
            chance=self.chance[index], measured=tuple(self.measured[i] for i in index),
        )  # fmt: skip


def scores(runs: Any, *, model: Sequence[str] = ("family", "size"), tasks: Sequence[str] | None = None) -> Scores:
    """The `Scores` of a long table, one row per model and task (`datasets.tasks`), or of a mapping of such columns.

    model: the columns that name a model; those that the table has are used. tasks: which (default: all).
    Needs the columns task, accuracy, items and chance. Raises ValueError where a task was measured in two ways (acc
    and acc_norm, two numbers of shots: unlike numbers are not compared), a model has two rows or none for a task.
    """
    for name in ("task", "accuracy", "items", "chance"):
        if name not in runs:
            raise ValueError(f"the table has no column {name!r}; scores need task, accuracy, items and chance")
    label, task = _labels(runs, model), np.asarray(runs["task"]).astype(str).tolist()
    names = tuple(dict.fromkeys(task)) if tasks is None else tuple(tasks)
    for name in names:
        if name not in task:
            raise ValueError(f"no task is called {name!r}{did_you_mean(name, sorted(set(task)))}")
    models = tuple(dict.fromkeys(m for t, m in zip(task, label) if t in names))
    place = np.full((len(names), len(models)), -1)
    for row, (t, m) in enumerate(zip(task, label)):
        if t in names:
            cell = names.index(t), models.index(m)
            if place[cell] >= 0:
                _refuse_second(runs, t, m, place[cell], row)
            place[cell] = row
    if (place < 0).any():
        t, m = np.argwhere(place < 0)[0].tolist()
        raise ValueError(f"model {models[m]} has no accuracy on {names[t]}: name the tasks that all have with tasks=")
    measured = tuple(_one_measure(runs, name, place[t]) for t, name in enumerate(names))
    numbers = {name: values for name in _numeric(runs) if (values := _per_model(runs, name, place)) is not None}
    accuracy = np.asarray(runs["accuracy"], float)[place]
    if not ((accuracy >= 0) & (accuracy <= 1)).all():
        t, m = np.argwhere(~((accuracy >= 0) & (accuracy <= 1)))[0]
        raise ValueError(f"accuracy of {models[m]} on {names[t]} is {accuracy[t, m]}, not a fraction from 0 to 1")
    facts = [np.asarray(runs[name], float)[place[:, 0]] for name in ("items", "chance")]
    return Scores(names, models, accuracy, facts[0], facts[1], measured, numbers)


def matched(a: Scores, b: Scores) -> tuple[Scores, Scores]:
    """Both over the tasks of the first. Raises ValueError where the second lacks one or measured it in another way."""
    other = b.only(a.tasks)
    for task, one, two in zip(a.tasks, a.measured, other.measured):
        if one != two:
            raise ValueError(
                f"task {task} was measured as {one} in the first and as {two} in the second: unlike numbers are not "
                "compared; choose the rows of one metric and number of shots with where="
            )
    return a, other


def _labels(runs: Any, model: Sequence[str]) -> list[str]:
    present = [[str(v) for v in runs[name]] for name in model if name in runs]
    if not present:
        raise ValueError(f"none of the columns {', '.join(model)} is in the table: say which name a model with model=")
    varying = [column for column in present if len(set(column)) > 1] or present[-1:]
    return [" ".join(column[row] for column in varying) for row in range(len(varying[0]))]


def _measure(runs: Any, row: int) -> str:
    parts = {name: runs[name][row] for name in _MEASURED_BY if name in runs}
    shots = parts.pop("shots", None)
    words = [str(value) for value in parts.values()]
    return ", ".join(words + ([f"{int(shots)}-shot"] if shots is not None else [])) or "not stated"


def _one_measure(runs: Any, task: str, rows: np.ndarray) -> str:
    ways = list(dict.fromkeys(_measure(runs, int(row)) for row in rows))
    if len(ways) > 1:
        raise ValueError(
            f"task {task} was measured in {len(ways)} ways ({'; '.join(ways)}): unlike numbers are not compared; "
            "choose one with where="
        )
    return ways[0]


def _refuse_second(runs: Any, task: str, model: str, first: int, second: int) -> None:
    one, two = _measure(runs, first), _measure(runs, second)
    why = f"measured as {one} and as {two}: unlike numbers are not compared" if one != two else "there twice"
    raise ValueError(f"task {task} of model {model} is {why}; choose the rows with where=")


def _numeric(runs: Any) -> list[str]:
    names = list(runs.frame.columns) if hasattr(runs, "frame") else list(runs)
    kept = [n for n in names if n not in ("task", "accuracy", "items", "chance", *_MEASURED_BY)]
    return [n for n in kept if np.asarray(runs[n]).dtype.kind in "fiu"]


def _per_model(runs: Any, name: str, place: np.ndarray) -> np.ndarray | None:
    """The column as one number per model, or None where it differs between the tasks of one model."""
    values = np.asarray(runs[name], float)[place]
    same = (values == values[:1]) | (np.isnan(values) & np.isnan(values[:1]))
    return values[0] if same.all() else None


# ---- chance and noise


@dataclass(frozen=True)
class ChanceTest:
    """Each accuracy against guessing: exact two-sided binomial p (t, m), Holm-adjusted over all of them.

    chance (t,). side (t, m): 1 above chance, -1 below, 0 cannot tell, at family-wise alpha.
    """

    tasks: tuple[str, ...]
    models: tuple[str, ...]
    chance: np.ndarray
    p: np.ndarray
    adjusted: np.ndarray
    side: np.ndarray
    alpha: float

    def verdict(self, task: str) -> str:
        """One task in words: which models are above, which below, which cannot be told from guessing."""
        side = self.side[self.tasks.index(task)]
        if (side == side[0]).all():
            words = {1: "above chance at every size", -1: "below chance at every size"}
            return words.get(int(side[0]), "cannot tell from chance at any size")
        parts = ((1, "above chance"), (-1, "below chance"), (0, "cannot tell from chance"))
        lists = ((text, [m for m, s in zip(self.models, side) if s == value]) for value, text in parts)
        return "; ".join(f"{text}: {', '.join(models)}" for text, models in lists if models)


def against_chance(answers: Scores, alpha: float = 0.05) -> ChanceTest:
    """Exact binomial tests of every accuracy against the task's chance, Holm over all tasks and models."""
    from lawful.stats import against_chance as test

    shape = answers.accuracy.shape
    names = [f"{task}, {model}" for task in answers.tasks for model in answers.models]
    items, chance = (np.repeat(a, shape[1]) for a in (answers.items.astype(int), answers.chance))
    found = list(test(names, answers.accuracy.ravel(), [int(n) for n in items], chance, alpha=alpha).values())
    p = np.array([r.p for r in found], float).reshape(shape)
    adjusted = np.array([r.details["p_holm"] for r in found], float).reshape(shape)
    side = np.sign(answers.accuracy - answers.chance[:, None]) * (adjusted <= alpha)
    return ChanceTest(answers.tasks, answers.models, answers.chance, p, adjusted, side.astype(int), alpha)


def floors(test: ChanceTest) -> dict[str, float | None]:
    """The floor of each task: its chance if no model is significantly below it, otherwise None, to be fitted.

    Accuracies by raw likelihood lie below chance where the metric misleads: small models prefer short answers.
    """
    return {task: None if min(row) < 0 else float(c) for task, row, c in zip(test.tasks, test.side, test.chance)}


def undecided(test: ChanceTest) -> tuple[str, ...]:
    """A flag per task: "cannot tell" where no model differs from guessing: nothing says where learning begins."""
    why = f"cannot tell: none of the {len(test.models)} models differs from chance"
    return tuple("" if any(row) else why for row in test.side)


def expected_mape(truth: np.ndarray, items: np.ndarray) -> np.ndarray:
    r"""Mean absolute percentage error that the true accuracy itself would have, from binomial noise alone.

    $100 \sqrt{2 (1 - p) / (\pi n p)}$ for accuracies truth (..., m) and items (...,), averaged over the m models.
    Models share the test's items, so errors of one test go together and a lucky method can be below it.
    """
    p, n = np.asarray(truth, float), np.asarray(items, float)
    return (100 * np.sqrt(2 * (1 - p) / (np.pi * n[..., None] * p))).mean(-1)


@dataclass(frozen=True)
class Goodness:
    """Pearson's chi2 (t,) of accuracies round a curve, its degrees of freedom, and p: small if the curve is wrong."""

    chi2: np.ndarray
    dof: np.ndarray
    p: np.ndarray


def goodness(accuracy: np.ndarray, expected: np.ndarray, items: np.ndarray, free: np.ndarray | int) -> Goodness:
    r"""$\chi^2 = \sum_m n (y_m - p_m)^2 / (p_m (1 - p_m))$ for accuracy and expected (t, m), with m - free degrees."""
    from scipy.special import chdtrc

    chi2 = (np.asarray(items)[:, None] * (accuracy - expected) ** 2 / (expected * (1 - expected))).sum(1)
    dof = np.broadcast_to(accuracy.shape[1] - np.asarray(free), chi2.shape)
    p = np.where(dof > 0, chdtrc(np.maximum(dof, 1), chi2), np.nan)
    return Goodness(chi2, dof, p)


# ---- maps


@dataclass(frozen=True)
class AccuracyMap:
    """One accuracy curve per task, fitted with binomial noise: fits by task, x the column that it reads."""

    tasks: tuple[str, ...]
    x: str
    fits: Mapping[str, Fit]

    @cached_property
    def goodness(self) -> Goodness:
        fits = [self.fits[task] for task in self.tasks]
        y, f = (np.array(rows) for rows in ([one.points.y for one in fits], [one.fitted for one in fits]))
        items = np.array([one.points.w[0] for one in fits])
        return goodness(y, f, items, np.array([len(one.estimates) for one in fits]))


def fit_map(
    answers: Scores, law: Law | str = "logistic_loss", *, x: str | None = None,
    floor: str | Mapping[str, float | None] = "fitted", seed: int = 0,
) -> AccuracyMap:  # fmt: skip
    """Fit one curve per task by binomial likelihood.

    law: logistic_loss, logistic_log_n, or another law of one variable that predicts an accuracy; a parameter
    ``ceiling`` is fixed to 1. x: the column that it reads (default: the law's variable).
    floor: "fitted", "chance" (each task's own), or a floor per task, None where it is to be fitted (`floors`).
    """
    law = load(law) if isinstance(law, str) else law
    variable = law.variables[0]
    x = x or variable
    values, names = answers.column(x), law.parameter_names
    given = _floors_given(answers, floor) if "floor" in names else dict.fromkeys(answers.tasks)
    ceiling = {"ceiling": 1.0} if "ceiling" in names else {}
    together = [t for t, task in enumerate(answers.tasks) if given[task] is None]
    fits: dict[str, Fit] = {}
    if together:
        table = _table(answers, together, variable, values)
        fits.update(fit(law, table, by="task", fixed=ceiling, objective="binomial", seed=seed))  # pyright: ignore
    for t, task in enumerate(answers.tasks):
        if given[task] is not None:
            fixed = {**ceiling, "floor": given[task]}
            table = _table(answers, [t], variable, values)
            fits[task] = fit(law, table, fixed=fixed, objective="binomial", seed=seed)  # pyright: ignore
    return AccuracyMap(answers.tasks, x, fits)


def _floors_given(answers: Scores, floor: str | Mapping[str, float | None]) -> Mapping[str, float | None]:
    if isinstance(floor, Mapping):
        return floor
    if floor == "chance":
        return dict(zip(answers.tasks, map(float, answers.chance)))
    if floor == "fitted":
        return dict.fromkeys(answers.tasks)
    raise ValueError(f"floor must be 'fitted', 'chance' or a floor per task; got {floor!r}")


def _table(answers: Scores, which: Sequence[int], variable: str, x: np.ndarray) -> dict[str, np.ndarray]:
    m = len(answers.models)
    return {
        variable: np.tile(x, len(which)),
        "accuracy": answers.accuracy[list(which)].ravel(),
        "items": np.repeat(answers.items[list(which)], m),
        "task": np.repeat([answers.tasks[t] for t in which], m),
    }


def read_off(curve: AccuracyMap, x: Sequence[float] | np.ndarray) -> np.ndarray:
    """Accuracies (t, m) that the map gives at x (m,), without intervals: for those see `forecast_scores`."""
    at = np.asarray(x, float)
    return np.array([one.predict(**{one.law.variables[0]: at}) for one in (curve.fits[t] for t in curve.tasks)])


def curves(
    answers: Scores, x: str = "loss", *, floor: str = "fitted", spread: float = 0.35, scatter: float = 0.03
) -> Curves:
    """The posterior of all tasks' curves together (`hierarchy.fit_curves`), in loss or in the log of any other column.

    floor: "fitted" (anywhere below the best accuracy; for maps that interpolate) or "below chance" (at most chance; for
    extrapolation in size from few models, where a high floor and a steep rise would fit as well).
    """
    most = {"fitted": np.minimum(answers.accuracy.max(1), 0.99), "below chance": answers.chance}
    if floor not in most:
        raise ValueError(f"floor must be 'fitted' or 'below chance'; got {floor!r}")
    at = ability(x, answers.column(x))
    return fit_curves(at, answers.accuracy, answers.items, most[floor], spread=spread, scatter=scatter)


def ability(name: str, values: np.ndarray) -> np.ndarray:
    """The number that accuracy rises with: minus a loss, the log of anything else (a size, tokens, FLOPs).

    A loss is the column ``loss`` under any of its names, or one whose name begins with "loss" (``loss_card``).
    """
    quantity = find(name)
    if name.startswith("loss") or (quantity is not None and quantity.column == "loss"):
        return -np.asarray(values, float)
    if np.min(values) <= 0:
        raise ValueError(f"column {name!r} holds {np.min(values)}; its log is needed, so it must be positive")
    return np.log(np.asarray(values, float))
