"""The figure at the head of the README: three large models forecast from four small ones and another family.

The loss of the three largest Cerebras-GPT models is extrapolated by a power law through the four smallest; accuracy is
read off curves over the loss that were fitted on Pythia alone. No accuracy of Cerebras-GPT is used.

    python docs/figures/readme.py           # writes docs/figures/readme.png and readme.svg
"""

from pathlib import Path

import numpy as np

from lawful import datasets, fit
from lawful.plot import save
from lawful.studies.results import Figure, Layer, Panel
from lawful.task_forecast import TaskForecast, forecast_scores, pooled_scatter, power_law_draws
from lawful.tasks import Scores, ability, curves, matched, scores

SEEN = 4  # models that the loss is extrapolated from
TITLES = {
    "lambada": "LAMBADA", "hellaswag": "HellaSwag", "piqa": "PIQA", "winogrande": "WinoGrande", "arc_easy": "ARC-Easy",
    "arc_challenge": "ARC-Challenge", "openbookqa": "OpenBookQA",
}  # fmt: skip


def family(name: str) -> Scores:
    """Zero-shot accuracies of a family, its models from small to large."""
    return scores(datasets.tasks(name, where="metric == 'acc' and shots == 0"))


def predict() -> tuple[Scores, TaskForecast]:
    """The measured accuracies of all seven models, and the forecast of the last three."""
    ours, pythia = matched(family("cerebras_gpt"), family("pythia_v0"))
    small, large, sibling = ours.take(slice(SEEN)), ours.take(slice(SEEN, None)), family("cerebras_gpt_mup")
    laws = [
        fit(law, {"x": some.column("params_nominal"), "y": some.column("loss")}, objective="log_lsq")
        for law, some in (("power_law", small), ("power_law", sibling), ("power_law_constant", pythia))
    ]  # how far one run's loss lies off the law of its family
    N, loss = small.column("params_nominal"), small.column("loss")
    losses = power_law_draws(N, loss, large.column("params_nominal"), scatter=pooled_scatter(*laws))
    return ours, forecast_scores(curves(pythia), ability("loss", losses), large, level=0.95)


def figure(ours: Scores, made: TaskForecast) -> Figure:
    """A panel per task, with the models that were held out."""
    N = tuple(ours.column("params_nominal").tolist())

    def panel(t: int, task: str) -> Panel:
        y, low, high = (tuple(np.asarray(v[t]).tolist()) for v in (ours.accuracy, made.lower, made.upper))
        layers = (
            Layer("interval", "95 % interval", N[SEEN:], (), low, high, "ours"),
            Layer("points", "forecast", N[SEEN:], tuple(made.estimate[t].tolist()), role="ours"),
            Layer("points", "measured, held out", N[SEEN:], y[SEEN:], role="held_out"),
            Layer("points", "measured, smaller models (only their losses are used)", N[:SEEN], y[:SEEN]),
        )
        return Panel(TITLES.get(task, task), "Parameters", "Accuracy", layers, log_x=True)

    caption = (
        "Accuracies of three Cerebras-GPT models forecast from the losses of four smaller ones and Pythia's curves."
    )
    return Figure("readme", "", caption, tuple(panel(t, task) for t, task in enumerate(ours.tasks)))


if __name__ == "__main__":
    for path in save(figure(*predict()), Path(__file__).parent):
        print(path.name)
