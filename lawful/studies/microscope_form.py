"""Second opinion, second part: which form, decided by forecasts of larger models and not by the fit to all of them.

Seven points carry few parameters: AICc with sigma counted does not exist for five of them. What can be asked of any
form is to predict a model that it has not seen, beside forecasts that need no theory at all (the last value, the line
through the last two points).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lawful.choose import Choice, choose
from lawful.fit import Fit, fit
from lawful.forecast import forecast
from lawful.studies.microscope_evidence import COLUMNS, TITLES, Evidence
from lawful.studies.parts import Part, floats
from lawful.studies.results import Figure, Layer, Panel
from lawful.task_forecast import mape
from lawful.tasks import Scores
from lawful.uncertainty import leave_one_out

SECTION = "Choice of form"
LOSS_SPLITS = (("cerebras", "loss_card", 4), ("cerebras", "loss", 4), ("mup", "loss", 3), ("pythia", "loss", 5))
PUBLISHED_ERROR = 6.9  # percent: the study's loss extrapolation, 4 smallest to 3 largest
_FREE = {"E": (-np.inf, np.inf)}
_FORMS = ("power_law", "power_law_constant")  # those that the study compares
_AICC = {"loss_card": {"power_law": -38.9, "power_law_constant": -24.9},
         "loss": {"power_law": -44.3, "power_law_constant": -31.9}}  # fmt: skip
_LEFT_OUT = {"loss_card": (1.29, 1.77, 2.13), "loss": (0.94, 1.23, 2.38)}  # percent: power law, with constant, line


def choice_of_form(evidence: Evidence) -> Part:
    """AICc, leave-one-out, rolling origin and the split that the study used."""
    part = Part()
    _in_sample(part, evidence["cerebras"])
    errors = {split: _extrapolate(evidence[split[0]], *split[1:]) for split in LOSS_SPLITS}
    _error_table(part, errors)
    choices = {split: _choose(part, evidence[split[0]], split) for split in LOSS_SPLITS}
    _published_claim(part, errors)
    _recipe(part, choices)
    part.figures.append(_figure(evidence, choices))
    return part


def aicc(n: int, rss: float, parameters: int) -> float | None:
    r"""$n \ln(RSS / n) + 2 K + 2 K (K + 1) / (n - K - 1)$ with sigma counted: K = parameters + 1.

    None where n - K - 1 <= 0: the correction has no value there, and no comparison may rest on it.
    Hurvich and Tsai 1989 (Biometrika 76), eq. 3.
    """
    K = parameters + 1
    return None if n - K - 1 <= 0 else float(n * np.log(rss / n) + 2 * K + 2 * K * (K + 1) / (n - K - 1))


def _two(table: dict[str, np.ndarray], constant: bool, objective: str = "lsq", **options) -> Fit:
    law = "power_law_constant" if constant else "power_law"
    made = fit(law, {"x": table["N"], "y": table["loss"]}, objective=objective, **options)
    assert isinstance(made, Fit)
    return made


def _table(answers: Scores, column: str, size: str) -> dict[str, np.ndarray]:
    return {"N": answers.column(size), "D": answers.column("tokens"), "loss": answers.column(column)}


def _in_sample(part: Part, answers: Scores) -> None:
    """AICc and leave-one-out of each form on all seven models."""
    lines, refused = [], set()
    for column, title in COLUMNS.items():
        table = _table(answers, column, "params_nominal")
        n = len(table["N"])
        fits = {"power_law": _two(table, False), "power_law_constant": _two(table, True, bounds=_FREE)}
        for name in ("corrected", "chinchilla"):
            fits[name] = fit(name, table, objective="lsq")  # pyright: ignore
        left = {"power_law": _left_out(fits["power_law"]), "power_law_constant": _left_out(fits["power_law_constant"])}
        line = _left_out_line(np.log(table["N"]), table["loss"])
        for name, one in fits.items():
            value = aicc(n, one.rss, len(one.estimates))
            if value is None:
                refused.add(name)
            elif name in _AICC[column]:
                part.check(
                    f"form.{column}.aicc.{name}", SECTION, f"AICc of {name}, {title}", value, _AICC[column][name], 0.1
                )
            shown = "refused: n - K - 1 <= 0" if value is None else round(value, 1)
            lines.append((title, name, len(one.estimates), shown, left.get(name, None)))
        lines.append((title, "line in ln N", 2, None, line))
        for what, value, golden in zip(("power law", "power law with constant", "line"), (*left.values(), line),
                                       _LEFT_OUT[column]):  # fmt: skip
            part.check(f"form.{column}.left_out.{what}", SECTION, f"leave-one-out error of the {what}, {title} (%)",
                       value, golden, 0.03)  # fmt: skip
        _best(part, column, fits, left)
    part.table(
        "form_in_sample", SECTION, "Forms on all seven models",
        ("losses", "form", "parameters", "AICc, sigma counted", "leave-one-out error (%)"), tuple(lines),
        "Leave-one-out errors of the five-parameter forms are left out: six points, five parameters.",
    )  # fmt: skip
    part.say(
        "form.aicc_refused", SECTION,
        f"AICc of the five-parameter forms ({', '.join(sorted(refused))}) on seven points does not exist: with sigma "
        "they "
        "have K = 6 parameters and n - K - 1 = 0." if refused else "AICc exists for every form.",
        "cannot tell" if refused else "note", refused=sorted(refused),
    )  # fmt: skip


def _best(part: Part, column: str, fits: dict[str, Fit], left: dict[str, float]) -> None:
    values = {name: aicc(f.n, f.rss, len(f.estimates)) for name, f in fits.items()}
    known = {name: v for name, v in values.items() if v is not None}
    best = min(known, key=lambda name: known[name])
    agrees = min(left, key=lambda name: left[name]) == best
    part.say(
        f"form.{column}.best", SECTION,
        f"{COLUMNS[column]} column: {best} has the lowest AICc ({known[best]:.1f}; "
        + ", ".join(f"{n} {v:.1f}" for n, v in known.items() if n != best)
        + f") and {'the' if agrees else 'not the'} lowest leave-one-out error ("
        + ", ".join(f"{n} {v:.2f} %" for n, v in left.items()) + "). The study's choice by AIC and BIC never tried it."
        * (best == "power_law"),
        "contradicted" if best == "power_law" else "supported", aicc=known, left_out=left,
    )  # fmt: skip


def _left_out(made: Fit) -> float:
    """Mean absolute error of each point's prediction without it, in percent."""
    estimates = leave_one_out(made)
    names = list(made.estimates)
    x = made.points.X["x"]
    predicted = [made.law.at({**made.values, **dict(zip(names, row))}, x=x[i]) for i, row in enumerate(estimates)]
    return float(mape(np.array(predicted, float).ravel(), made.points.y))


def _left_out_line(x: np.ndarray, y: np.ndarray) -> float:
    n = len(x)
    predicted = [np.polyval(np.polyfit(np.delete(x, i), np.delete(y, i), 1), x[i]) for i in range(n)]
    return float(mape(np.array(predicted), y))


def _forms() -> dict[str, Callable[[dict[str, np.ndarray], np.ndarray], np.ndarray]]:
    def line(log_y: bool, last: int | None = None):
        def predict(t: dict[str, np.ndarray], new: np.ndarray) -> np.ndarray:
            x, y = np.log(t["N"]), np.log(t["loss"]) if log_y else t["loss"]
            f = np.polyval(np.polyfit(x[-last:] if last else x, y[-last:] if last else y, 1), np.log(new))
            return np.exp(f) if log_y else f

        return predict

    def law(constant: bool, objective: str = "lsq", **options):
        return lambda t, new: _two(t, constant, objective, **options).predict(x=new)

    return {
        "last value": lambda t, new: np.full(len(new), t["loss"][-1]),
        "last two points, log-log": line(True, 2),
        "line in ln N": line(False),
        "power law with constant": law(True, bounds=_FREE),
        "power law, least squares": law(False),
        "power law, log-log": law(False, "log_lsq"),
        "power law, L_inf = 0.5066": law(True, fixed={"E": 0.5066}),
    }


def _extrapolate(answers: Scores, column: str, seen: int) -> dict[str, float]:
    """MAPE of each form on the larger models, fitted on the ``seen`` smallest; nan where it has too few points."""
    whole = _table(answers, column, "params_nominal")
    small = {name: values[:seen] for name, values in whole.items()}
    out = {}
    for name, predict in _forms().items():
        enough = seen > 3 if name == "power law with constant" else True
        out[name] = float(mape(predict(small, whole["N"][seen:]), whole["loss"][seen:])) if enough else float("nan")
    return out


def _error_table(part: Part, errors: dict[tuple[str, str, int], dict[str, float]]) -> None:
    heads = [f"{TITLES[f]}, {COLUMNS[c] if f == 'cerebras' else 'arXiv'}, fitted on {k}" for f, c, k in errors]
    names = list(next(iter(errors.values())))
    lines = tuple((name, *(round(e[name], 2) for e in errors.values())) for name in names)
    part.table(
        "loss_extrapolation", SECTION, "Loss of the larger models predicted from the smaller, MAPE (%)",
        ("form", *heads), lines, "Nominal sizes, as in the study. No form was chosen by looking at this table.",
    )  # fmt: skip


def _choose(part: Part, answers: Scores, split: tuple[str, str, int]) -> Choice:
    """The form that the tool chooses from the fitted models alone, and how it then does."""
    family, column, seen = split
    table = {"N": answers.column("params_nominal"), "loss": answers.column(column)}
    choice = choose({name: values[:seen] for name, values in table.items()}, target="loss", candidates=_FORMS)
    made = choice.fit
    assert isinstance(made, Fit)
    variable = made.law.variables[0]
    error = float(mape(made.predict(**{variable: table["N"][seen:]}), table["loss"][seen:]))
    naive = float(mape(np.full(len(answers.models) - seen, table["loss"][seen - 1]), table["loss"][seen:]))
    label = f"{TITLES[family]}, {COLUMNS[column] if family == 'cerebras' else 'arXiv'} losses"
    part.say(
        f"form.chosen.{family}.{column}", SECTION,
        f"{label}: {choice.reason} On the {len(answers.models) - seen} larger models it is off by {error:.2f} % (last "
        f"value {naive:.1f} %, skill {1 - error / naive:.2f}).",
        "supported" if error < naive else "contradicted", mape=error, naive=naive, law=made.law.name,
    )  # fmt: skip
    return choice


def _published_claim(part: Part, errors: dict[tuple[str, str, int], dict[str, float]]) -> None:
    for column, three, two, log in (("loss_card", 6.91, 0.88, 0.94), ("loss", 3.60, 1.07, 0.98)):
        found = errors["cerebras", column, 4]
        for name, golden, published in (
            ("power law with constant", three, PUBLISHED_ERROR if column == "loss_card" else None),
            ("power law, least squares", two, None), ("power law, log-log", log, None),
        ):  # fmt: skip
            part.check(f"form.{column}.extrapolation.{name}", SECTION, f"MAPE of the {name}, {COLUMNS[column]} (%)",
                       found[name], golden, 0.02, published)  # fmt: skip
    card = errors["cerebras", "loss_card", 4]
    fitted, simple = card["power law with constant"], card["power law, least squares"]
    part.say(
        "form.overfitting", SECTION,
        f"The study's extrapolation error of the loss, {PUBLISHED_ERROR} % (here {fitted:.2f} %), is that of three "
        f"parameters on four points. Two parameters on the same points are off by {simple:.2f} %.",
        "contradicted" if simple < fitted / 2 else "supported", three=fitted, two=simple,
    )  # fmt: skip


def _recipe(part: Part, choices: dict[tuple[str, str, int], Choice]) -> None:
    names = {split: choice.fit.law.name for split, choice in choices.items() if isinstance(choice.fit, Fit)}
    grown = {name for (family, _, _), name in names.items() if family in ("cerebras", "mup")}
    fixed = {name for (family, _, _), name in names.items() if family == "pythia"}
    differ = not grown & fixed
    part.say(
        "form.recipe", SECTION,
        f"Where tokens grow with size (Cerebras-GPT) rolling origin takes {', '.join(sorted(grown))}; where every "
        f"size saw the same tokens (Pythia) it takes {', '.join(sorted(fixed))}."
        + (" Which law fits depends on the recipe, so no form is right for all families." if differ else ""),
        "supported" if differ else "cannot tell", tokens_grow=sorted(grown), tokens_fixed=sorted(fixed),
    )  # fmt: skip


def _figure(evidence: Evidence, choices: dict[tuple[str, str, int], Choice]) -> Figure:
    panels = []
    for family, column, seen in (split for split in LOSS_SPLITS if split[0] in ("cerebras", "pythia")):
        answers = evidence[family]
        table = _table(answers, column, "params_nominal")
        small = {name: values[:seen] for name, values in table.items()}
        grid = np.geomspace(table["N"][0], table["N"][-1], 24)
        made = choices[family, column, seen].fit
        assert isinstance(made, Fit)
        band = forecast(made, level=0.95, kind="run", calibration="law", **{made.law.variables[0]: grid})
        other = _two(small, constant=made.law.name == "power_law", bounds=_FREE if made.law.name == "power_law" else {})
        layers = (
            Layer("band", "95 % for one new model", floats(grid), (), floats(band.lower), floats(band.upper), "ours"),
            Layer("line", made.law.name, floats(grid), floats(band.estimate), role="ours"),
            Layer("line", other.law.name, floats(grid), floats(other.predict(x=grid)), role="naive"),
            Layer("points", "fitted", floats(small["N"]), floats(small["loss"])),
            Layer("points", "held out", floats(table["N"][seen:]), floats(table["loss"][seen:]), role="held_out"),
        )
        name = f"{TITLES[family]}, {COLUMNS[column]} losses" if family == "cerebras" else TITLES[family]
        panels.append(Panel(name, "parameters", "Pile test loss (nats per token)", layers, log_x=True, log_y=True))
    return Figure(
        "loss_forecast", SECTION,
        "Losses of the larger models forecast from the smaller: the form chosen by rolling origin with its 95 % "
        "interval "
        "for one new model, and the other form.", tuple(panels),
    )  # fmt: skip
