"""The five figures of the study as data, each with the study's curves and the one that predicts better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lawful.studies import microscope_recipes as recipes
from lawful.studies.microscope_data import Family
from lawful.studies.microscope_numbers import ARXIV, TRAIN, Extrapolated, Losses, TaskFits
from lawful.studies.microscope_published import EXTRAPOLATION, LOSS, TASK, TITLES
from lawful.studies.microscope_recipes import POWER, Found
from lawful.studies.results import Figure, Layer, Panel

SIZE, NATS, ACCURACY = "Parameters", "Pile test loss (nats per token)", "Accuracy (fraction)"


def figures(
    family: Family, losses: Losses, tasks: Mapping[str, TaskFits], done: Mapping[str, Extrapolated]
) -> tuple[Figure, ...]:
    """loss_scaling, task_scaling, residuals, model_selection and extrapolation, as the study names them."""
    return (
        _loss_scaling(family, losses),
        _task_scaling(family, tasks),
        _residuals(family, losses),
        _model_selection(losses),
        _extrapolation(family, tasks, done),
    )


def title(task: str) -> str:
    """The name of a task as the study prints it."""
    return TITLES.get(task, task)


def _tuple(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _grid(N: np.ndarray) -> np.ndarray:
    return np.geomspace(N[0], N[-1], 60)


def _points(label: str, x: np.ndarray, y: np.ndarray, role: str = "data") -> Layer:
    return Layer("points", label, _tuple(x), _tuple(y), role=role)


def _curve(label: str, found: Found, grid: np.ndarray, role: str, tokens: float) -> Layer:
    """A fitted law along the sizes; tokens: how many per parameter, for a law of both."""
    return Layer("line", label, _tuple(grid), _tuple(found.at(N=grid, D=tokens * grid)), role=role)


def _role(form: str) -> str:
    return "ours" if form == POWER.title else "published"


def _loss_scaling(family: Family, losses: Losses) -> Figure:
    grid, tokens = _grid(family.N), float(np.mean(family.D / family.N))
    curves = [_curve(name, found, grid, _role(name), tokens) for name, found in losses.fits.items()]
    points = [
        _points("Model card", family.N, losses.y),
        _points("arXiv 2304.03208", family.N, family.losses[ARXIV], "reference"),
    ]
    panel = Panel("Cerebras-GPT", SIZE, NATS, (*points, *curves), log_x=True)
    caption = (
        "Loss of seven Cerebras-GPT models, with the study's three forms as its recipe fits them to the model card's "
        "losses and the power law without a constant. The published curves differ by less than the two published "
        "columns of losses do."
    )
    return Figure("loss_scaling", LOSS, caption, (panel,))


def _task_scaling(family: Family, tasks: Mapping[str, TaskFits]) -> Figure:
    grid = _grid(family.N)

    def panel(task: str, fits: TaskFits) -> Panel:
        layers = (
            _points("Zero-shot accuracy", family.N, fits.accuracy),
            _curve("1 - a N^-alpha", fits.power, grid, "published", 0),
            _curve("Sigmoid in ln N", fits.sigmoid, grid, "published", 0),
            _curve("Sigmoid, L = 1", fits.to_one, grid, "ours", 0),
        )
        return Panel(title(task), SIZE, ACCURACY, layers, log_x=True)

    caption = (
        "Accuracy of Cerebras-GPT on each task with the study's two forms, and the sigmoid with its ceiling fixed at "
        "1, which has the power law's two parameters."
    )
    return Figure("task_scaling", TASK, caption, tuple(panel(task, fits) for task, fits in tasks.items()))


def _residuals(family: Family, losses: Losses) -> Figure:
    zero = Layer("line", "No error", _tuple(family.N[[0, -1]]), (0.0, 0.0), role="reference")
    panels = [
        Panel(name, SIZE, "Loss minus fit (nats per token)", (
            _points(name, family.N, found.residuals, _role(name)), zero), log_x=True)
        for name, found in losses.fits.items()
    ]  # fmt: skip
    caption = "What each fit leaves of the losses. The pattern is nearly the same for two, three and five parameters."
    return Figure("residuals", LOSS, caption, tuple(panels))


def _model_selection(losses: Losses) -> Figure:
    scores = {"AIC": recipes.aic, "BIC": recipes.bic, "Adjusted R2": recipes.adjusted_r2}

    def panel(label: str, score: Any) -> Panel:
        layers = [
            Layer("points", name, (float(len(found.values)),), (score(found),), role=_role(name))
            for name, found in losses.fits.items()
        ]
        return Panel(label, "Parameters of the form", f"{label}, the study's convention", tuple(layers))

    caption = (
        "Scores of the forms by the study's conventions: lower AIC and BIC are better, higher adjusted R2. The power "
        "law without a constant is not in the study."
    )
    return Figure("model_selection", LOSS, caption, tuple(panel(label, score) for label, score in scores.items()))


def _extrapolation(family: Family, tasks: Mapping[str, TaskFits], done: Mapping[str, Extrapolated]) -> Figure:
    N, grid = family.N, _grid(family.N)

    def panel(name: str, y: str, curves: list[Layer]) -> Panel:
        truth = done[name].truth
        points = [
            _points("Fitted", N[:TRAIN], truth[:TRAIN]),
            _points("Held out", N[TRAIN:], truth[TRAIN:], "held_out"),
        ]
        last = Layer("line", "Last value", _tuple(N[[TRAIN - 1, -1]]), (float(truth[TRAIN - 1]),) * 2, role="naive")
        heading = f"{'Loss' if name == 'loss' else title(name)}: {done[name].error:.1f} %"
        return Panel(heading, SIZE, y, (*points, *curves, last), log_x=True)

    def curve(name: str, label: str, role: str) -> Layer:
        found = done[name].found
        assert found is not None
        return _curve(label, found, grid, role, 0)

    loss = [curve("loss", "Kaplan form", "published"), curve("loss.power", "Power law", "ours")]
    panels = [panel("loss", NATS, loss)]
    panels += [panel(task, ACCURACY, [curve(task, "1 - a N^-alpha", "published")]) for task in tasks]
    caption = (
        "The four smallest models predict the three largest. Headings give the mean absolute percentage error of the "
        "study's form."
    )
    return Figure("extrapolation", EXTRAPOLATION, caption, tuple(panels))
