"""Second opinion, fourth part: through the loss from one family to another, with intervals.

Stage one extrapolates the loss of the large models by a power law through the four small ones. Stage two reads their
accuracies off curves that were fitted on a sibling family alone: no accuracy of the family itself is used.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lawful.fit import Fit, fit
from lawful.forecast import forecast
from lawful.hierarchy import Anchor, draw
from lawful.studies.microscope_accuracy import PAPER_FORM, PUBLISHED_ERROR, study_form
from lawful.studies.microscope_evidence import COLUMNS, TITLES, Evidence, in_order, size
from lawful.studies.microscope_figures import title
from lawful.studies.parts import Part, floats
from lawful.studies.results import Figure, Layer, Panel
from lawful.task_forecast import (
    Judged,
    Scatter,
    TaskForecast,
    forecast_scores,
    interval_score,
    judge,
    mape,
    pooled_scatter,
    power_law_draws,
)  # fmt: skip
from lawful.tasks import Scores, ability, curves, expected_mape, fit_map, matched, read_off

TRANSFER, INTERVALS = "Transfer through loss", "Prediction intervals"
PUBLISHED_TRANSFER = 12.7  # percent, five tasks, one of them acc against acc_norm
_SEEN, _LEVEL = 4, 0.95
_GOLDEN = {"loss": 1.79, "loss_card": 2.04}  # percent: map on Pythia v0 by maximum likelihood


def transfer(evidence: Evidence) -> Part:
    """Two stages to the large models, transfer to other families, and what the intervals are worth."""
    part = Part()
    scatters = {column: loss_scatter(evidence, column) for column in COLUMNS}
    losses = {column: _losses(evidence, column, scatters[column]) for column in COLUMNS}
    found = {column: _two_stage(part, evidence, column, losses[column]) for column in COLUMNS}
    _reach(part, evidence, losses)
    _siblings(part, evidence, losses)
    _families(part, evidence)
    _intervals(part, evidence, found, scatters)
    part.figures.extend(_figure(evidence, column, *found[column]) for column in COLUMNS)
    return part


def loss_scatter(evidence: Evidence, column: str) -> Scatter:
    """One run's scatter round its law: from the four small models, muP and Pythia v0, each round its own law.

    Families trained and evaluated alike; none of the losses that are predicted takes part.
    """
    own, mup, other = evidence["cerebras"].take(slice(_SEEN)), evidence["mup"], evidence["pythia"]
    made = [
        fit("power_law", {"x": size(own), "y": own.column(column)}, objective="log_lsq"),
        fit("power_law", {"x": size(mup), "y": mup.column("loss")}, objective="log_lsq"),
        fit("power_law_constant", {"x": size(other), "y": other.column("loss")}, objective="log_lsq"),
    ]
    return pooled_scatter(*(one for one in made if isinstance(one, Fit)))


def _losses(evidence: Evidence, column: str, scatter: Scatter) -> np.ndarray:
    """Draws (draws, 3) of the losses of the three large models, from the four small."""
    N, loss = size(evidence["cerebras"]), evidence["cerebras"].column(column)
    return power_law_draws(N[:_SEEN], loss[:_SEEN], N[_SEEN:], scatter=scatter)


def _two_stage(part: Part, evidence: Evidence, column: str, losses: np.ndarray) -> tuple[TaskForecast, Judged]:
    answers, sibling = matched(evidence["cerebras"], evidence["pythia"])
    held, name = answers.take(slice(_SEEN, None)), COLUMNS[column]
    made = forecast_scores(curves(sibling), ability("loss", losses), held, level=_LEVEL)
    told = judge(made, held, answers.accuracy[:, _SEEN - 1])
    likely = mape(read_off(fit_map(sibling), np.exp(np.log(losses).mean(0))), held.accuracy)
    what = f"two-stage MAPE, {name} losses, map by maximum likelihood (%)"
    part.check(f"transfer.two_stage.{column}", TRANSFER, what, likely.mean(), _GOLDEN[column], 0.25)
    skill = 1 - told.mape.mean() / told.naive.mean()
    part.say(
        f"transfer.two_stage.{column}", TRANSFER,
        f"That loss is an unreliable proxy for accuracy, {name} losses: with the loss of the three large models "
        f"extrapolated from the four small, and the accuracy read off curves of Pythia v0 alone, the MAPE is "
        f"{told.mape.mean():.2f} % over {len(held.tasks)} tasks (study, one family: {PUBLISHED_ERROR} %; noise of the "
        f"tests alone: {told.noise.mean():.2f} %; skill {skill:.2f} against the last value).",
        "contradicted" if told.mape.mean() < 2 * told.noise.mean() else "supported",
        mape=told.mape.mean(), per_task=dict(zip(held.tasks, told.mape.tolist())), likelihood=likely.mean(),
        points=told.points.tolist(), largest_z=float(np.abs(told.z).max()),
    )  # fmt: skip
    return made, told


def _reach(part: Part, evidence: Evidence, losses: dict[str, np.ndarray]) -> None:
    """Whether the curves are read inside the losses that they were fitted on."""
    read = np.concatenate([np.exp(np.log(draws).mean(0)) for draws in losses.values()])
    known = evidence["pythia"].column("loss")
    inside = known.min() <= read.min() and read.max() <= known.max()
    part.say(
        "transfer.reach", TRANSFER,
        f"The two stages read the curves at losses from {read.min():.3f} to {read.max():.3f}; Pythia v0 spans "
        f"{known.min():.3f} to {known.max():.3f}. "
        + ("In loss this is interpolation: it says nothing of models below all known losses." if inside else
           "The lowest lies below all losses that the curves were fitted on."),
        "note", read=(read.min(), read.max()), known=(known.min(), known.max()),
    )  # fmt: skip


def _siblings(part: Part, evidence: Evidence, losses: dict[str, np.ndarray]) -> None:
    """Which curves are used matters little; an offset learnt from the small models is an option."""
    answers, pythia, deduped = evidence["cerebras"], evidence["pythia"], in_order(evidence["deduped"])
    held, small = answers.take(slice(_SEEN, None)), answers.take(slice(_SEEN))
    both = _joined(pythia, deduped)
    lines = []
    for label, other in ((TITLES["pythia"], pythia), (f"{TITLES['pythia']} and deduplicated", both)):
        made, likely = curves(other), fit_map(other)
        for column in COLUMNS:
            middle, true = np.exp(np.log(losses[column]).mean(0)), held.column(column)
            anchor = Anchor(ability(column, small.column(column)), small.accuracy)
            lines.append((
                label, COLUMNS[column], _mean(read_off(likely, middle), held),
                _mean(draw(made, ability("loss", losses[column])).mean(1), held),
                _mean(draw(made, ability("loss", losses[column]), anchor=anchor).mean(1), held),
                _mean(draw(made, ability("loss", true)).mean(1), held),
            ))  # fmt: skip
    part.table(
        "two_stage", TRANSFER, "Two stages to the three large Cerebras-GPT models, MAPE over seven tasks (%)",
        ("map fitted on", "losses", "maximum likelihood", "hierarchical", "with level offset", "with the true loss"),
        lines,
        "Offset: each task's curve moved by the accuracies of the four small models, prior sd 0.1 on the logit scale.",
    )  # fmt: skip


def _mean(estimate: np.ndarray, held: Scores) -> float:
    return round(float(mape(estimate, held.accuracy).mean()), 2)


def _joined(a: Scores, b: Scores) -> Scores:
    """Two families as one set of models, over the loss alone."""
    a, b = matched(a, b)
    return Scores(
        a.tasks, (*a.models, *b.models), np.hstack([a.accuracy, b.accuracy]), a.items, a.chance, a.measured,
        {"loss": np.concatenate([a.column("loss"), b.column("loss")])},
    )  # fmt: skip


def _families(part: Part, evidence: Evidence) -> None:
    """Curves fitted on the seven Cerebras-GPT models, read at the sizes, FLOPs or losses of other families."""
    source, lines, found = evidence["cerebras"], [], {}
    ways: dict[str, Callable[[Scores], np.ndarray]] = {
        f"{PAPER_FORM}": lambda other: study_form(source, size(other)),
        "logistic in ln N": _through(source, "params_nominal"),
        "logistic in ln FLOPs": _through(source, "flops"),
        "logistic in loss, maximum likelihood": _through(source, "loss"),
        "logistic in loss, hierarchical": lambda o: draw(curves(source), ability("loss", o.column("loss"))).mean(1),
        "logistic in card loss, maximum likelihood": lambda o: read_off(
            fit_map(source, x="loss_card"), o.column("loss")
        ),
    }
    targets = {"pythia": evidence["pythia"], "deduped": in_order(evidence["deduped"]), "mup": evidence["mup"]}
    targets = {name: matched(source, other)[1] for name, other in targets.items()}
    for way, predict in ways.items():
        errors = {name: mape(predict(other), other.accuracy) for name, other in targets.items()}
        found[way] = errors
        lines.append((way, *(round(float(e.mean()), 2) for e in errors.values()), *np.round(errors["pythia"], 1)))
    part.table(
        "transfer", TRANSFER, "Curves of Cerebras-GPT at the models of other families, MAPE (%)",
        ("form", *(TITLES[n] for n in targets), *(f"Pythia v0 {t}" for t in source.tasks)), lines,
        "All acc, zero-shot, one evaluator. Without deduplicated Pythia 1.4B, whose published loss is out of order.",
    )  # fmt: skip
    by_loss, by_size = (found[w]["pythia"].mean() for w in ("logistic in loss, maximum likelihood", PAPER_FORM))
    part.check(
        "transfer.pythia.loss", TRANSFER, "transfer to Pythia v0 through loss, seven tasks (%)", by_loss, 2.63, 0.4
    )
    part.check("transfer.pythia.paper", TRANSFER, "transfer to Pythia v0 by the study's form, seven tasks (%)", by_size,
               11.1, 0.1)  # fmt: skip
    hierarchical = found["logistic in loss, hierarchical"]["pythia"].mean()
    noise = expected_mape(targets["pythia"].accuracy, source.items).mean()
    part.say(
        "transfer.pythia", TRANSFER,
        f"From Cerebras-GPT to Pythia v0, seven tasks measured alike: {by_loss:.2f} % through loss (hierarchical "
        f"{hierarchical:.2f} %, noise alone {noise:.2f} %), {by_size:.1f} % by the study's form in size, which "
        f"ignores that Pythia saw more tokens. The study reports {PUBLISHED_TRANSFER} %.",
        "contradicted" if by_loss < by_size / 2 else "supported", loss=by_loss, size=by_size, hierarchical=hierarchical,
    )  # fmt: skip


def _through(source: Scores, column: str) -> Callable[[Scores], np.ndarray]:
    law = "logistic_loss" if column == "loss" else "logistic_log_n"
    made = fit_map(source, law, x=column)
    return lambda other: read_off(made, other.column(column))


# ---- intervals


def _intervals(
    part: Part, evidence: Evidence, found: dict[str, tuple[TaskForecast, Judged]], scatters: dict[str, Scatter]
) -> None:
    answers = evidence["cerebras"]
    held = answers.take(slice(_SEEN, None))
    lower, upper = _paper_intervals(answers.take(slice(_SEEN)), size(held))
    score = float(interval_score(lower, upper, held.accuracy, _LEVEL).mean())
    covered = int(((held.accuracy >= lower) & (held.accuracy <= upper)).sum())
    lines = [
        (f"{PAPER_FORM}, F-profile for one run", covered, held.accuracy.size, float((upper - lower).mean()), score)
    ]
    for column, (_, told) in found.items():
        scatter = scatters[column]
        lines.append((f"two stages, {COLUMNS[column]} losses", told.covered, told.count, told.width, told.score))
        enough = told.covered >= 0.9 * told.count
        part.say(
            f"intervals.two_stage.{column}", INTERVALS,
            f"{COLUMNS[column]} losses: 95 % intervals of the two stages hold {told.covered} of {told.count} "
            f"accuracies that were held out, mean width {told.width:.3f}, interval score {told.score:.3f} (the "
            f"study's form: {covered} and {score:.3f}). One run's loss is taken to scatter by {scatter.sd:.2%} round "
            f"its law, from {scatter.dof} degrees of freedom in three families.",
            "supported" if enough and told.score < score else "contradicted", covered=told.covered, count=told.count,
            width=told.width, score=told.score, scatter=scatter.sd, dof=scatter.dof,
        )  # fmt: skip
        _loss_intervals(part, evidence, column, scatter)
    part.table(
        "intervals", INTERVALS, "95 % intervals of the 21 accuracies held out",
        ("forecast", "covered", "of", "mean width", "interval score"), lines,
        "The interval score is the width plus 40 times the distance of a value outside: smaller is better.",
    )  # fmt: skip


def _paper_intervals(small: Scores, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    made = [
        forecast(
            fit("bounded_power_accuracy", {"N": size(small), "accuracy": row}, objective="lsq"), N=new, level=_LEVEL,
            kind="run", calibration="law",
        )
        for row in small.accuracy
    ]  # fmt: skip
    return np.array([one.lower for one in made]), np.array([one.upper for one in made])


def _loss_intervals(part: Part, evidence: Evidence, column: str, scatter: Scatter) -> None:
    """The loss forecast alone: by its own four points, and with the pooled scatter."""
    answers = evidence["cerebras"]
    N, loss = size(answers), answers.column(column)
    parts, counts = [], {}
    for label, given in (("their own residuals", None), ("the pooled scatter", scatter)):
        draws = power_law_draws(N[:_SEEN], loss[:_SEEN], N[_SEEN:], scatter=given)
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        half = (high - low) / (low + high)
        counts[label] = int(((loss[_SEEN:] >= low) & (loss[_SEEN:] <= high)).sum())
        parts.append(f"{counts[label]} of 3 inside half-widths of {half.min():.1%} to {half.max():.1%} by {label}")
    part.say(
        f"intervals.loss.{column}", INTERVALS,
        f"Losses of the three large models, {COLUMNS[column]} column, 95 %: {'; '.join(parts)}.",
        "supported" if min(counts.values()) == 3 else "contradicted", covered=counts,
    )  # fmt: skip


def _figure(evidence: Evidence, column: str, made: TaskForecast, told: Judged) -> Figure:
    answers = evidence["cerebras"]
    N, panels = size(answers), []
    for t, task in enumerate(made.tasks):
        y = answers.accuracy[t]
        layers = (
            Layer(
                "interval", "95 % forecast", floats(N[_SEEN:]), (), floats(made.lower[t]), floats(made.upper[t]), "ours"
            ),
            Layer("points", "forecast", floats(N[_SEEN:]), floats(made.estimate[t]), role="ours"),
            Layer("points", "small models (accuracies not used)", floats(N[:_SEEN]), floats(y[:_SEEN])),
            Layer("points", "held out", floats(N[_SEEN:]), floats(y[_SEEN:]), role="held_out"),
        )
        heading = f"{title(task)}: {told.mape[t]:.1f} %"
        panels.append(Panel(heading, "Parameters", "Accuracy", layers, log_x=True))
    return Figure(
        f"two_stage_{column}", INTERVALS,
        f"Two-stage forecast of the three large Cerebras-GPT models, {COLUMNS[column]} losses: loss from the four "
        "small models, accuracy from curves of Pythia v0. The intervals carry loss, curve, model, test and "
        "evaluator.",
        tuple(panels),
    )  # fmt: skip
