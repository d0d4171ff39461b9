"""Every number of the study, computed: one function per section, each a dictionary from a row's id to its value.

Nothing here knows what was published; `microscope_published` has those numbers under the same ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.law import Law
from lawful.laws.accuracy import bounded_power_accuracy, sigmoid_log_n
from lawful.laws.kaplan import kaplan_n
from lawful.studies import microscope_recipes as recipes
from lawful.studies.microscope_data import SOURCE, TARGET, Family
from lawful.studies.microscope_recipes import FORMS, KAPLAN, POWER, Form, Found

CARD, ARXIV = "loss_card", "loss"
TRAIN = 4  # sizes that an extrapolation is fitted on
POOR = 0.85  # adjusted R2 below which the study calls a fit poor
STUDY_METRIC = {"arc_challenge": "acc_norm"}  # what the study took from Pythia; acc everywhere else
FEWEST = 10  # draws that an interval is read from
Numbers = dict[str, Any]


@dataclass(frozen=True)
class Losses:
    """Each form's fit to the card losses, and its bootstrap."""

    X: Mapping[str, np.ndarray]
    y: np.ndarray
    forms: Mapping[str, Form]
    fits: Mapping[str, Found]
    draws: Mapping[str, recipes.Draws]
    draws_np: recipes.Draws  # Kaplan's form, sd with n - p


def fit_losses(family: Family, extra: Sequence[Form], draws: int, few: int, seed: int) -> Losses:
    """Fit the study's forms, the power law and the extra ones; bootstrap all (few draws for more than 3 parameters)."""
    X, y = {"N": family.N, "D": family.D}, family.losses[CARD]
    forms = {form.title: form for form in (*FORMS, POWER, *extra)}
    fits = {title: recipes.fit(form.law, X, y, form.start) for title, form in forms.items()}
    sets = {
        title: recipes.bootstrap(form, fits[title], X, draws if len(form.start) <= 3 else few, seed)
        for title, form in forms.items()
        if "alpha" in form.start and form is not POWER
    }
    free = recipes.bootstrap(KAPLAN, fits["Kaplan"], X, draws, seed, lost=3)
    return Losses(X, y, forms, fits, sets, free)


def loss_numbers(family: Family, losses: Losses) -> Numbers:
    """The section Loss Scaling."""
    out: Numbers = {}
    for title, found in losses.fits.items():
        key = f"loss.{title.lower().replace(' ', '_')}"
        form = losses.forms[title]
        out |= {f"{key}.{name}": value for name, value in found.values.items()}
        out |= {
            f"{key}.L_inf": found.values[form.level] if form.level else None,
            f"{key}.rss": found.rss,
            f"{key}.adj_r2": recipes.adjusted_r2(found),
            f"{key}.adj_r2_np": recipes.adjusted_r2(found, 0),
            f"{key}.aic": recipes.aic(found),
            f"{key}.bic": recipes.bic(found),
        }
        if title in losses.draws:
            draws = losses.draws[title]
            low, high = draws.interval("alpha", discard=True) if draws.kept.sum() >= FEWEST else (None, None)
            out |= {f"{key}.ci_lower": low, f"{key}.ci_upper": high, f"{key}.counts": draws.counts}
    out |= _interval_numbers(losses)
    out |= _choice_numbers(losses)
    other = recipes.fit(KAPLAN.law, losses.X, family.losses[ARXIV], KAPLAN.start)
    return out | {"loss.arxiv.alpha": other.values["alpha"], "loss.arxiv.L_inf": other.values["E"]}


def _interval_numbers(losses: Losses) -> Numbers:
    """What the bootstrap's discard and its divisor do, and what the interval says of Kaplan's exponent."""
    draws, kaplan = losses.draws["Kaplan"], kaplan_n.published("kaplan2020")["alpha"]
    all_low, all_high = draws.interval("alpha", discard=False)
    np_low, np_high = losses.draws_np.interval("alpha", discard=False)
    low, high = draws.interval("alpha", discard=True)
    left, right = losses.draws["Chinchilla"].interval("alpha", discard=True)
    return {
        "loss.kaplan.discarded": float(100 * (1 - draws.kept.mean())),
        "loss.kaplan.ci_all_lower": all_low, "loss.kaplan.ci_all_upper": all_high,
        "loss.kaplan.ci_np_lower": np_low, "loss.kaplan.ci_np_upper": np_high,
        "loss.claim.kaplan2020": _yes(low <= kaplan <= high), "loss.kaplan2020": kaplan,
        "loss.claim.wider": _yes(right - left > high - low),
    }  # fmt: skip


def _choice_numbers(losses: Losses) -> Numbers:
    """The form that AIC and BIC choose, among the study's three and with the power law; and the fit to log losses."""
    out: Numbers = {}
    three = {form.title: losses.fits[form.title] for form in FORMS}
    for name, score in (("aic", recipes.aic), ("bic", recipes.bic)):
        out[f"loss.claim.{name}_of_three"] = min(three, key=lambda title: score(three[title]))
        four = three | {POWER.title: losses.fits[POWER.title]}
        out[f"loss.claim.{name}"] = min(four, key=lambda title: score(four[title]))
    kaplan = losses.fits["Kaplan"]
    lower = all(recipes.adjusted_r2(three[t]) < recipes.adjusted_r2(kaplan) for t in ("Chinchilla", "Corrected"))
    out["loss.claim.lower_r2"] = _yes(lower)
    logged = fit_log(losses.X["N"], losses.y, kaplan.values)
    out["loss.log.L_inf"] = logged.values["E"]
    out["loss.claim.log_negligible"] = _yes(abs(logged.values["E"] - kaplan.values["E"]) < 0.01)
    return out


def fit_log(N: np.ndarray, y: np.ndarray, start: Mapping[str, float]) -> Found:
    """The study's Kaplan form by least squares on ln L; fitted values on the scale of L."""
    logged = Law("log_kaplan", lambda N, *, a, alpha, E: np.log(a * N**-alpha + E), ("N",), KAPLAN.law.parameters)
    found = recipes.fit(logged, {"N": N}, np.log(y), start)
    return Found(KAPLAN.law, found.values, y, np.exp(found.fitted))


def _yes(true: Any) -> str:
    return "yes" if true else "no"


@dataclass(frozen=True)
class TaskFits:
    """The study's two fits of one task, and the sigmoid with its ceiling fixed at 1."""

    accuracy: np.ndarray
    power: Found
    sigmoid: Found
    to_one: Found
    break_: recipes.TwoLines


def fit_tasks(family: Family) -> dict[str, TaskFits]:
    """Every task of the family, fitted on all its models."""
    out = {}
    for task in family.tasks:
        y = family.accuracies[task, "acc"]
        power, sigmoid = (recipes.fit_task(law, family.N, y) for law in (bounded_power_accuracy, sigmoid_log_n))
        start = {"k": 0.2, "x0": float(np.log(family.N).mean())}
        to_one = recipes.fit(recipes.sigmoid_to_one, {"N": family.N}, y, start)
        out[task] = TaskFits(y, power, sigmoid, to_one, recipes.two_lines(np.log(family.N), y))
    return out


def task_numbers(fits: Mapping[str, TaskFits]) -> Numbers:
    """The section Task Scaling."""
    out: Numbers = {}
    r2, score = recipes.adjusted_r2, recipes.aicc
    for task, f in fits.items():
        out |= {f"task.{task}.alpha": f.power.values["alpha"], f"task.{task}.power": r2(f.power),
                f"task.{task}.sigmoid": r2(f.sigmoid), f"task.{task}.L": f.sigmoid.values["L"]}  # fmt: skip
    poor = [task for task, f in fits.items() if r2(f.power) < POOR]
    return out | {
        "task.poor": len(poor),
        "task.claim.poor_names": ", ".join(sorted(poor)),
        "task.poor_np": sum(r2(f.power, 0) < POOR for f in fits.values()),
        "task.worst_r2": min(r2(f.power) for f in fits.values()),
        "task.sigmoid_better": sum(r2(f.sigmoid) > r2(f.power) for f in fits.values()),
        "task.sigmoid_better_aicc": sum(score(f.sigmoid) < score(f.power) for f in fits.values()),
        "task.to_one_better": sum(f.to_one.rss < f.power.rss for f in fits.values()),
        "task.at_bound": sum("L" in f.sigmoid.bounds_hit for f in fits.values()),
    }


def correlation_numbers(family: Family) -> Numbers:
    """The section Cross-Metric Correlation: loss removed against mean accuracy gained, step by step."""
    from scipy.stats import pearsonr, spearmanr

    out: Numbers = {}
    mean = np.mean([family.accuracies[task, "acc"] for task in family.tasks], axis=0)
    for key, column in (("correlation", CARD), ("correlation.arxiv", ARXIV)):
        drop, gain = -np.diff(family.losses[column]), np.diff(mean)
        pearson: Any = pearsonr(drop, gain)
        spearman: Any = spearmanr(drop, gain)
        out |= {
            f"{key}.r": float(pearson.statistic), f"{key}.r_p": float(pearson.pvalue),
            f"{key}.rho": float(spearman.statistic), f"{key}.rho_p": float(spearman.pvalue), f"{key}.pairs": len(drop),
        }  # fmt: skip
    return out


@dataclass(frozen=True)
class Extrapolated:
    """A law fitted on the smallest models. predicted: at every size (n,). error: MAPE of the larger ones, percent."""

    found: Found | None
    truth: np.ndarray
    predicted: np.ndarray

    @property
    def error(self) -> float:
        return recipes.mape(self.truth[TRAIN:], self.predicted[TRAIN:])

    @property
    def short(self) -> float:
        """How far the prediction for the largest model lies below the truth, percent of the truth."""
        return float(100 * (1 - self.predicted[-1] / self.truth[-1]))


def extrapolate(family: Family, fits: Mapping[str, TaskFits]) -> dict[str, Extrapolated]:
    """Fit on the four smallest models: the loss under several recipes ("loss.*"), every task under the study's."""
    N, y = family.N, family.losses[CARD]
    few = {"N": N[:TRAIN]}
    out = {}
    for name, form in (("loss", KAPLAN), ("loss.power", POWER)):
        found = recipes.fit(form.law, few, y[:TRAIN], form.start)
        out[name] = Extrapolated(found, y, found.at(N=N))
    found = fit_log(N[:TRAIN], y[:TRAIN], out["loss"].found.values)
    out["loss.log"] = Extrapolated(found, y, found.at(N=N))
    line = np.polyfit(np.log(N[:TRAIN]), np.log(y[:TRAIN]), 1)
    out["loss.ols"] = Extrapolated(None, y, np.exp(np.polyval(line, np.log(N))))
    out["loss.last"] = Extrapolated(None, y, np.full(len(y), y[TRAIN - 1]))
    for task, f in fits.items():
        found = recipes.fit_task(bounded_power_accuracy, N[:TRAIN], f.accuracy[:TRAIN])
        out[task] = Extrapolated(found, f.accuracy, found.at(N=N))
        out[f"{task}.last"] = Extrapolated(None, f.accuracy, np.full(len(y), f.accuracy[TRAIN - 1]))
    return out


def extrapolation_numbers(done: Mapping[str, Extrapolated], tasks: Sequence[str]) -> Numbers:
    """The section Extrapolation Risk."""
    out: Numbers = {f"extrapolation.{name}": case.error for name, case in done.items()}
    mean = float(np.mean([done[task].error for task in tasks]))
    short = {task: done[task].short for task in tasks}
    return out | {f"extrapolation.{task}.short": value for task, value in short.items()} | {
        "extrapolation.tasks": mean,
        "extrapolation.tasks_last": float(np.mean([done[f"{task}.last"].error for task in tasks])),
        "extrapolation.ratio": mean / done["loss"].error,
        "extrapolation.ratio_power": mean / done["loss.power"].error,
        "extrapolation.claim.winogrande": _yes(short["winogrande"] > 16),
        "extrapolation.claim.worst": max(tasks, key=lambda task: done[task].error),
        "extrapolation.winogrande.rank": sorted(short, key=lambda task: -short[task]).index("winogrande") + 1,
    }  # fmt: skip


def transfer(fits: Mapping[str, TaskFits], target: Family, metrics: Mapping[str, str]) -> dict[str, Extrapolated]:
    """The source's bounded power laws at the target's sizes, for the tasks that both have."""
    out = {}
    for task, f in fits.items():
        truth = target.accuracies.get((task, metrics.get(task, "acc")))
        if truth is not None and np.isfinite(truth).all():
            out[task] = Extrapolated(f.power, truth, f.power.at(N=target.N))
    return out


def transfer_numbers(fits: Mapping[str, TaskFits], target: Family) -> Numbers:
    """The section Cross-Family Transfer, with the study's metrics and with acc throughout."""
    as_study, alike = transfer(fits, target, STUDY_METRIC), transfer(fits, target, {})
    errors = {task: recipes.mape(case.truth, case.predicted) for task, case in as_study.items()}
    same = {task: recipes.mape(case.truth, case.predicted) for task, case in alike.items()}
    smallest = as_study["lambada"]
    return {f"transfer.{task}": value for task, value in errors.items()} | {
        "transfer.average": float(np.mean(list(errors.values()))),
        "transfer.arc_challenge_acc": same["arc_challenge"],
        "transfer.average_acc": float(np.mean(list(same.values()))),
        "transfer.tasks": len(errors),
        "transfer.lambada.smallest": float(100 * (smallest.predicted[0] / smallest.truth[0] - 1)),
    }


def data_numbers(families: Mapping[str, Family]) -> Numbers:
    """What the sections Data and Methods say of the two families."""
    source, target = families[SOURCE], families[TARGET]
    ratio = source.D / source.N
    missing = [task for task in source.tasks if task not in target.tasks]
    return {
        "data.source.sizes": len(source.sizes), "data.source.smallest": source.sizes[0],
        "data.source.largest": source.sizes[-1], "data.source.tasks": len(source.tasks),
        "data.target.sizes": len(target.sizes), "data.target.smallest": target.sizes[0],
        "data.target.largest": target.sizes[-1], "data.target.tokens": float(target.D.mean()),
        "data.target.step": int(target.steps[-1]), "data.ratio": float(ratio.mean()),
        "data.ratio_spread": float(ratio.max() / ratio.min()), "data.target.missing": ", ".join(sorted(missing)),
        "data.forms": len(FORMS), "data.claim.confounded": _yes(ratio.max() / ratio.min() < 1.05),
    }  # fmt: skip
