"""'Scaling Laws Under the Microscope' (clawRxiv 2603.00375), twice: as published, and what the data support.

Part 1 recomputes every number by the study's own recipe. Part 2, `microscope_opinion`, says what the same published
data support. The study is a function of tables and laws: a family is a row of data, a task a column, a form a law.

>>> made = study()                                              # as published
>>> made = study(data="mine.csv", forms=(my_law,))              # with rows, columns and forms of one's own
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.law import Law
from lawful.studies import microscope_numbers as numbers
from lawful.studies import microscope_recipes as recipes
from lawful.studies.microscope_check import check as check
from lawful.studies.microscope_data import SOURCE, TARGET, Family, families
from lawful.studies.microscope_figures import figures, title
from lawful.studies.microscope_numbers import CARD, STUDY_METRIC, Extrapolated, Losses, TaskFits
from lawful.studies.microscope_published import (
    CORRELATION,
    EXTRAPOLATION,
    LOSS,
    METHODOLOGY,
    SECTIONS,
    TASK,
    TRANSFER,
    rows,
)  # fmt: skip
from lawful.studies.microscope_recipes import Form
from lawful.studies.results import Figure, Row, Statement, Study, Table

DRAWS, FEW = 1000, 50  # bootstrap draws for three parameters and for five; the study has 500 for all
QUICK = 10  # draws for five parameters in a quick run


@dataclass(frozen=True)
class AsPublished:
    """Part 1: what the study's recipe gives."""

    rows: tuple[Row, ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]


def study(data: Any = None, forms: Sequence[Law] = (), *, quick: bool = False, seed: int = 0) -> Study:
    """Both parts, from the shipped tables.

    data: a table (path, frame or mapping) laid over the shipped ones: family, size, params and any of tokens, loss and
    ``task/acc/0``. forms: laws of N, or of N and D, that are fitted beside the study's. quick: fewer bootstrap draws
    for the five-parameter forms. Raises RunsError for a table without family, size or params.
    """
    from lawful.studies.microscope_opinion import SECTIONS as OPINION
    from lawful.studies.microscope_opinion import second_opinion

    first, second = as_published(data, forms, quick=quick, seed=seed), second_opinion()
    return Study(
        name="microscope",
        title="Scaling Laws Under the Microscope: as published, and what the data support",
        summary=(_reproduced((*first.rows, *second.rows)), _told(second.statements)),
        sections=(*SECTIONS, *OPINION),
        rows=(*first.rows, *second.rows),
        statements=tuple(second.statements),
        tables=(*first.tables, *second.tables),
        figures=(*first.figures, *second.figures),
        sources=_sources(),
        settings={"seed": seed, "draws": DRAWS, "draws_five_parameters": QUICK if quick else FEW, **_versions()},
    )


def as_published(data: Any = None, forms: Sequence[Law] = (), *, quick: bool = False, seed: int = 0) -> AsPublished:
    """Part 1: every number, table and figure of the study by its own recipe."""
    known = families(data)
    source = known[SOURCE]
    others = {name: family for name, family in known.items() if name != SOURCE}
    extra = [_form(law, source) for law in forms]
    losses = numbers.fit_losses(source, extra, DRAWS, QUICK if quick else FEW, seed)
    tasks = numbers.fit_tasks(source)
    done = numbers.extrapolate(source, tasks)
    shipped = known if data is None else families()  # what the user adds is not compared with what was published
    own = {task: tasks[task] for task in shipped[SOURCE].tasks}
    found = {
        **numbers.loss_numbers(source, losses),
        **numbers.task_numbers(own),
        **numbers.correlation_numbers(shipped[SOURCE]),
        **numbers.extrapolation_numbers(done, list(own)),
        **numbers.transfer_numbers(own, shipped[TARGET]),
        **numbers.data_numbers(shipped),
    }
    tables = (
        _loss_table(losses, found), _task_table(tasks), _break_table(source, tasks), _pairs_table(source),
        _extrapolation_table(tasks, done), _transfer_table(tasks, others), _data_table(known),
    )  # fmt: skip
    return AsPublished(rows(found), tables, figures(source, losses, tasks, done))


def _form(law: Law, family: Family) -> Form:
    """A law of the user's: `lawful.fit` finds where the study's recipe shall start."""
    from lawful.fit import Fit, fit

    wrong = [name for name in law.variables if name not in ("N", "D")]
    if wrong:
        raise ValueError(f"law {law.name} depends on {wrong[0]}; a form of the study is a law of N, or of N and D")
    table = {"N": family.N, "D": family.D, "L": family.losses[CARD]}
    made = fit(law, {name: table[name] for name in (*law.variables, "L")}, target="L", objective="lsq")
    assert isinstance(made, Fit)  # there are no groups
    level = next((parameter.name for parameter in law.parameters if parameter.kind == "offset"), None)
    return Form(law.name, law, {name: float(value) for name, value in made.values.items()}, level)


def _reproduced(rows: Sequence[Row]) -> str:
    printed = [row for row in rows if row.published is not None]
    differ = [row.what for row in printed if row.outcome == "not reproduced"]
    count = sum(row.outcome == "reproduced" for row in printed)
    return (
        f"Of {len(printed)} numbers and claims that the study prints, its own recipe reproduces {count}; "
        f"{len(printed) - count - len(differ)} cannot be checked; "
        f"{len(differ)} it does not reproduce: {'; '.join(differ)}."
    )


def _told(statements: Sequence[Statement]) -> str:
    told = [statement.verdict for statement in statements]
    counts = ", ".join(f"{told.count(verdict)} {verdict}" for verdict in ("supported", "contradicted", "cannot tell"))
    return f"What the same published data support, conclusion by conclusion: {counts}."


def _loss_table(losses: Losses, found: Mapping[str, Any]) -> Table:
    def line(name: str, fit: recipes.Found) -> tuple[Any, ...]:
        key = f"loss.{name.lower().replace(' ', '_')}"
        cells = [found[f"{key}.{cell}"] for cell in ("L_inf", "adj_r2", "aic", "bic", "rss")]
        ends = [found.get(f"{key}.{end}") for end in ("ci_lower", "ci_upper")]
        return (name, fit.values.get("alpha"), *ends, *cells, len(fit.values), found.get(f"{key}.counts", ""))

    columns = ("form", "alpha", "lower", "upper", "L_inf", "adjusted R2", "AIC", "BIC", "RSS", "parameters", "draws")
    lines = tuple(line(name, fit) for name, fit in losses.fits.items())
    note = "Intervals by the study's bootstrap, draws with L_inf < 0 thrown away; none where fewer than 10 are left."
    return Table("loss_fits", LOSS, "Forms fitted to the model card's losses", columns, lines, note)


def _task_table(tasks: Mapping[str, TaskFits]) -> Table:
    lines = tuple(
        (title(task), f.power.values["alpha"], recipes.adjusted_r2(f.power), recipes.adjusted_r2(f.power, 0),
         recipes.adjusted_r2(f.sigmoid), f.sigmoid.values["L"], recipes.adjusted_r2(f.to_one))
        for task, f in tasks.items()
    )  # fmt: skip
    columns = ("task", "alpha", "power law", "power law, n - p", "sigmoid", "L of the sigmoid", "sigmoid, L = 1")
    return Table("task_fits", TASK, "Adjusted R2 of the task fits on Cerebras-GPT", columns, lines)


def _break_table(family: Family, tasks: Mapping[str, TaskFits]) -> Table:
    lines = tuple((title(task), family.sizes[f.break_.after - 1], f.break_.gain) for task, f in tasks.items())
    note = "Two free lines always gain: four parameters and a place on seven points. The gain is not a test."
    columns = ("task", "break after", "share of the line's RSS removed")
    return Table("breaks", TASK, "Two lines in ln N by the study's search", columns, lines, note)


def _pairs_table(family: Family) -> Table:
    mean = np.mean([family.accuracies[task, "acc"] for task in family.tasks], axis=0)
    steps = [f"{small} to {large}" for small, large in zip(family.sizes, family.sizes[1:])]
    drops = zip(steps, -np.diff(family.losses[CARD]), np.diff(mean))
    lines = tuple((step, float(drop), float(gain)) for step, drop, gain in drops)
    return Table("steps", CORRELATION, "Improvement from size to size", ("step", "loss", "mean accuracy"), lines)


def _extrapolation_table(tasks: Mapping[str, TaskFits], done: Mapping[str, Extrapolated]) -> Table:
    lines = [("Loss", done["loss"].error, done["loss.last"].error, done["loss"].short)]
    lines += [(title(task), done[task].error, done[f"{task}.last"].error, done[task].short) for task in tasks]
    columns = ("series", "error %", "error of the last value %", "largest model underestimated by %")
    note = "Mean absolute percentage error of the three largest models from the four smallest, the study's form."
    return Table("extrapolation", EXTRAPOLATION, "Extrapolation error", columns, tuple(lines), note)


def _transfer_table(tasks: Mapping[str, TaskFits], targets: Mapping[str, Family]) -> Table:
    lines = []
    for name, target in targets.items():
        alike = numbers.transfer(tasks, target, {})
        for task, case in (numbers.transfer(tasks, target, STUDY_METRIC) | alike).items():
            mixed = numbers.transfer({task: tasks[task]}, target, STUDY_METRIC).get(task)
            errors = [recipes.mape(one.truth, one.predicted) if one else None for one in (mixed, alike.get(task))]
            lines.append((name, title(task), len(case.truth), *errors))
    columns = ("target", "task", "models", "error % as published", "error %, acc on both sides")
    note = "The bounded power law in N, fitted on Cerebras-GPT, at the sizes of the target."
    return Table("transfer", TRANSFER, "Transfer error", columns, tuple(lines), note)


def _data_table(known: Mapping[str, Family]) -> Table:
    lines = tuple(
        (name, len(family.sizes), family.sizes[0], family.sizes[-1], float(family.D.min()), float(family.D.max()),
         len(family.tasks))
        for name, family in known.items()
    )  # fmt: skip
    columns = ("family", "models", "smallest", "largest", "fewest tokens", "most tokens", "tasks")
    return Table("families", METHODOLOGY, "Data, nominal sizes and rounded tokens", columns, lines)


def _sources() -> tuple[str, ...]:
    from lawful.datasets import card

    cards = [card(name) for name in (SOURCE, TARGET)]
    return (
        "Scaling Laws Under the Microscope, clawRxiv 2603.00375",
        *(f"{c.title}: {c.paper}; {c.source}" for c in cards),
    )


def _versions() -> dict[str, str]:
    import scipy

    from lawful import __version__

    return {"lawful": __version__, "numpy": np.__version__, "scipy": scipy.__version__}
