"""Second opinion, third part: task accuracy of one family, with floors and the noise of the tests.

The study fitted 1 - a N^-alpha, which has no floor and is concave everywhere, and judged it by adjusted R2. Here every
form is asked whether binomial noise explains what it leaves, and what it says of larger models.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lawful.hierarchy import draw
from lawful.studies.microscope_evidence import SPLITS, TITLES, Evidence, size
from lawful.studies.microscope_figures import title
from lawful.studies.parts import Part, floats
from lawful.studies.results import Figure, Layer, Panel
from lawful.task_forecast import forecast_scores, judge, mape
from lawful.tasks import (
    AccuracyMap,
    ChanceTest,
    Goodness,
    Scores,
    ability,
    against_chance,
    curves,
    expected_mape,
    fit_map,
    floors,
    goodness,
    read_off,
    undecided,
)  # fmt: skip

SECTION = "Task accuracy through loss"
PUBLISHED_ERROR = 13.1  # percent: the study's task extrapolation, 4 smallest to 3 largest
PAPER_FORM = "1 - a N^-alpha (the study)"
_SEEN = 4
_CHI2 = (0.7, 1.6, 0.2, None, 0.7, 0.7, 0.6)  # logistic in arXiv loss, per degree of freedom
_EXPECTED = (0.85, 0.89, 1.12, 1.82, 1.22, 3.62, 6.34)


def accuracy(evidence: Evidence) -> Part:
    """Chance, floors, goodness of fit, and extrapolation within one family."""
    part, answers = Part(), evidence["cerebras"]
    test, flags = against_chance(answers), undecided(against_chance(answers.take(slice(_SEEN))))
    _chance(part, answers, test, flags)
    maps = _fits(part, answers, floors(test))
    _noise(part, answers)
    _extrapolation(part, answers, flags)
    _splits(part, evidence)
    part.figures.append(_figure(evidence, maps))
    return part


def _chance(part: Part, answers: Scores, test: ChanceTest, flags: tuple[str, ...]) -> None:
    floor = floors(test)
    lines = tuple(
        (task, int(n), c, test.verdict(task), "chance" if floor[task] is not None else "fitted")
        for task, n, c in zip(answers.tasks, answers.items, answers.chance)
    )
    part.table(
        "chance", SECTION, "Accuracies against guessing, Cerebras-GPT zero-shot",
        ("task", "items", "chance", "verdict", "floor"), lines,
        "Exact binomial tests, Holm over all tasks and sizes at 5 %. The floor is chance only where no model is "
        "significantly below it.",
    )  # fmt: skip
    below = [task for task in answers.tasks if floor[task] is None]
    part.say(
        "accuracy.below_chance", SECTION,
        f"That 1 / choices is the floor of every task: significantly below it at some size: "
        f"{', '.join(below) or 'none'}"
        + (", since raw likelihoods prefer short answers." if below else "."),
        "contradicted" if below else "supported", tasks=below,
    )  # fmt: skip
    small = answers.take(slice(_SEEN))
    for task, flag in zip(answers.tasks, flags):
        if flag:
            part.say(
                f"accuracy.{task}.from_small", SECTION,
                f"{task} from the {_SEEN} smallest models: {flag}; where its rise begins is not in these data.",
                "cannot tell", accuracy=small.accuracy[small.tasks.index(task)],
            )  # fmt: skip


def _fits(part: Part, answers: Scores, floor: dict[str, float | None]) -> dict[str, AccuracyMap]:
    maps = {
        PAPER_FORM: fit_map(answers, "bounded_power_accuracy", x="params_nominal"),
        "logistic in ln N, chance floor unless below": fit_map(
            answers, "logistic_log_n", x="params_nominal", floor=floor
        ),
        "logistic in loss (arXiv), fitted floor": fit_map(answers),
        "logistic in loss (model card), fitted floor": fit_map(answers, x="loss_card"),
    }
    found = {name: one.goodness for name, one in maps.items()}
    x = np.log(answers.column("params_nominal"))
    found["line in ln N"] = goodness(answers.accuracy, _weighted_line(answers, x), answers.items, 2)
    lines = tuple((name, *np.round(g.chi2 / g.dof, 1), f"{_adequate(g)} of {len(g.p)}") for name, g in found.items())
    part.table(
        "goodness", SECTION, "Chi2 per degree of freedom from binomial noise alone, seven models",
        ("form", *answers.tasks, "adequate"), lines,
        "Adequate: p > 0.01. All fitted by binomial likelihood, the line by binomial weights.",
    )  # fmt: skip
    ours, theirs = found["logistic in loss (arXiv), fitted floor"], found[PAPER_FORM]
    for task, value, golden in zip(answers.tasks, ours.chi2 / ours.dof, _CHI2):
        if golden is not None:
            what = f"chi2 per degree of freedom of {task}, logistic in arXiv loss"
            part.check(f"accuracy.chi2.{task}", SECTION, what, value, golden, 0.05)
    for id, name, golden in (("paper", PAPER_FORM, 2), ("line", "line in ln N", 3),
                             ("log_n", "logistic in ln N, chance floor unless below", 6),
                             ("loss", "logistic in loss (arXiv), fitted floor", 7)):  # fmt: skip
        part.check(
            f"accuracy.adequate.{id}", SECTION, f"tasks that the form fits: {name}", _adequate(found[name]), golden, 0
        )
    good, bad = _adequate(ours), len(theirs.p) - _adequate(theirs)
    part.say(
        "accuracy.scales", SECTION,
        f"That accuracy does not scale smoothly: the study's curve is rejected by the noise of the tests on {bad} of "
        f"{len(ours.p)} tasks, but a logistic in the Pile loss with a fitted floor fits {good} of them.",
        "contradicted" if good == len(ours.p) else "cannot tell" if good > len(ours.p) / 2 else "supported",
        p_logistic=ours.p, p_study=theirs.p,
    )  # fmt: skip
    return maps


def _adequate(found: Goodness) -> int:
    return int((found.p > 0.01).sum())


def _weighted_line(answers: Scores, x: np.ndarray) -> np.ndarray:
    y = answers.accuracy
    root = np.sqrt(answers.items[:, None] / (y * (1 - y)))
    return np.array([np.polyval(np.polyfit(x, row, 1, w=w), x) for row, w in zip(y, root)])


def _noise(part: Part, answers: Scores) -> None:
    held = answers.take(slice(_SEEN, None))
    floor = expected_mape(held.accuracy, held.items)
    for task, value, golden in zip(held.tasks, floor, _EXPECTED):
        part.check(f"accuracy.noise.{task}", SECTION, f"expected MAPE of the truth on {task} (%)", value, golden, 0.01)
    part.say(
        "accuracy.noise", SECTION,
        f"If the true accuracies of the {len(held.models)} largest models were known, binomial noise alone would give "
        f"a MAPE of {floor.mean():.2f} % ({floor.min():.2f} % on {held.tasks[floor.argmin()]}, {floor.max():.2f} % on "
        f"{held.tasks[floor.argmax()]}). No forecast can be asked for much less.",
        "note", per_task=floor,
    )  # fmt: skip


Predict = Callable[[Scores, np.ndarray], np.ndarray]  # small models and larger sizes -> accuracies (t, k)


def study_form(small: Scores, new: np.ndarray) -> np.ndarray:
    """Least squares of 1 - a N^-alpha, as the study fits it."""
    from lawful.fit import fit

    m = len(small.models)
    table = {"N": np.tile(size(small), len(small.tasks)), "accuracy": small.accuracy.ravel(),
             "task": np.repeat(small.tasks, m)}  # fmt: skip
    fits = fit("bounded_power_accuracy", table, by="task", objective="lsq")
    return np.array([fits[task].predict(N=new) for task in small.tasks])  # pyright: ignore


def _line(last: int | None) -> Predict:
    def predict(small: Scores, new: np.ndarray) -> np.ndarray:
        x = np.log(size(small))[-last if last else None :]
        y = small.accuracy[:, -last if last else None :]
        slope, level = np.polyfit(x, y.T, 1)
        return level[:, None] + slope[:, None] * np.log(new)

    return predict


def _logistic(floor: str) -> Predict:
    def predict(small: Scores, new: np.ndarray) -> np.ndarray:
        return read_off(fit_map(small, "logistic_log_n", x="params_nominal", floor=floor), new)

    return predict


def hierarchical(small: Scores, new: np.ndarray) -> np.ndarray:
    """Posterior mean of the hierarchical logistic in ln N, floors at most chance."""
    made = curves(small, "params_nominal", floor="below chance")
    return draw(made, ability("params_nominal", new)).mean(1)


FORMS: dict[str, Predict] = {
    "last value": lambda small, new: np.repeat(small.accuracy[:, -1:], len(new), 1),
    PAPER_FORM: study_form,
    "line in ln N": _line(None),
    "last two points, line": _line(2),
    "logistic in ln N, chance floor": _logistic("chance"),
    "logistic in ln N, fitted floor": _logistic("fitted"),
    "hierarchical logistic in ln N": hierarchical,
}


def _extrapolation(part: Part, answers: Scores, flags: tuple[str, ...]) -> None:
    small, held = answers.take(slice(_SEEN)), answers.take(slice(_SEEN, None))
    errors = {name: mape(predict(small, size(held)), held.accuracy) for name, predict in FORMS.items()}
    unclear = [task for task, flag in zip(answers.tasks, flags) if flag]
    part.table(
        "task_extrapolation", SECTION, "Accuracy of the three largest models from the four smallest, MAPE (%)",
        ("form", "mean", *answers.tasks), [(n, round(float(e.mean()), 2), *np.round(e, 1)) for n, e in errors.items()],
        f"Cannot tell from these sizes: {', '.join(unclear) or 'no task'} (no fitted model differs from chance).",
    )  # fmt: skip
    forecast = forecast_scores(
        curves(small, "params_nominal", floor="below chance"),
        ability("params_nominal", size(held)),
        held,
        flag=flags,
    )
    told = judge(forecast, held, small.accuracy[:, -1])
    order = [answers.tasks[i] for i in np.argsort(-errors[PAPER_FORM])]
    part.say(
        "accuracy.worst", SECTION,
        f"The study's worst task by its own form is {order[0]}; WinoGrande, which it names, is number "
        f"{1 + order.index('winogrande')} of {len(order)}.",
        "supported" if order[0] == "winogrande" else "contradicted", order=order,
    )  # fmt: skip
    ours = errors["hierarchical logistic in ln N"].mean()
    part.say(
        "accuracy.one_family", SECTION,
        f"Task accuracy extrapolates with an error of {PUBLISHED_ERROR} %, says the study "
        f"({errors[PAPER_FORM].mean():.1f} % here). From the same four models alone, with floors, test noise and one "
        f"prior for the slopes of all tasks, the three largest are predicted with {ours:.1f} % (last value "
        f"{errors['last value'].mean():.1f} %, noise alone {expected_mape(held.accuracy, held.items).mean():.1f} %). "
        f"Its 95 % intervals cover {told.covered} of {told.count}"
        + (": curves in size alone are not quite right." if told.covered < 0.9 * told.count else "."),
        "contradicted" if ours < errors[PAPER_FORM].mean() else "supported",
        mape=float(ours), covered=told.covered, count=told.count, score=told.score, flags=unclear,
    )  # fmt: skip


def _splits(part: Part, evidence: Evidence) -> None:
    """The same over eight splits of six families: a figure on one split alone is partly luck."""
    chosen = (PAPER_FORM, "line in ln N", "last two points, line", "hierarchical logistic in ln N")
    lines, total = [], {name: [] for name in chosen}
    for family, seen in SPLITS:
        small, held = evidence[family].take(slice(seen)), evidence[family].take(slice(seen, None))
        for name in chosen:
            total[name].append(float(mape(FORMS[name](small, size(held)), held.accuracy).mean()))
        lines.append((f"{TITLES[family]}, {seen} to {len(held.models)}", *(round(total[n][-1], 2) for n in chosen)))
    means = {name: float(np.mean(values)) for name, values in total.items()}
    lines.append(("mean", *(round(means[name], 2) for name in chosen)))
    part.table(
        "task_splits", SECTION, "Task extrapolation over eight splits, MAPE (%)", ("family and split", *chosen),
        tuple(lines), "The prior of the hierarchical form is the same in all.",
    )  # fmt: skip
    best = [min(chosen, key=lambda n: total[n][i]) for i in range(len(SPLITS))]
    ours = "hierarchical logistic in ln N"
    part.say(
        "accuracy.splits", SECTION,
        f"Over {len(SPLITS)} splits of six families the mean MAPE is {means[ours]:.1f} % for the hierarchical "
        f"logistic, {means['last two points, line']:.1f} % for the last two points and {means[PAPER_FORM]:.1f} % for "
        f"the study's form. The hierarchical form is the best on {best.count(ours)}: "
        + ("no form wins everywhere." if best.count(ours) < len(SPLITS) else "it wins everywhere."),
        "supported" if means[ours] <= min(means.values()) else "cannot tell", means=means,
    )  # fmt: skip


def _figure(evidence: Evidence, maps: dict[str, AccuracyMap]) -> Figure:
    ours, answers, other = maps["logistic in loss (arXiv), fitted floor"], evidence["cerebras"], evidence["pythia"]
    grid = np.linspace(1.5, 2.65, 60)
    lines, panels = read_off(ours, grid), []
    for t, task in enumerate(answers.tasks):
        half = 1.96 * np.sqrt(answers.accuracy[t] * (1 - answers.accuracy[t]) / answers.items[t])
        loss = answers.column("loss")
        layers = (
            Layer("line", "logistic fitted on Cerebras-GPT", floats(grid), floats(lines[t]), role="ours"),
            Layer("interval", "binomial 95 %", floats(loss), (), floats(answers.accuracy[t] - half),
                  floats(answers.accuracy[t] + half)),
            Layer("points", "Cerebras-GPT", floats(loss), floats(answers.accuracy[t])),
            Layer("points", "Pythia v0", floats(other.column("loss")), floats(other.accuracy[t]), role="held_out"),
            Layer("line", "guessing", floats((grid[0], grid[-1])), floats(answers.chance[[t, t]]), role="reference"),
        )  # fmt: skip
        panels.append(Panel(title(task), "Pile test loss (nats per token)", "Accuracy", layers))
    return Figure(
        "accuracy_by_loss", SECTION,
        "Accuracy over loss. The curve is fitted on Cerebras-GPT; Pythia v0, which it has not seen, lies on it.",
        tuple(panels),
    )  # fmt: skip
