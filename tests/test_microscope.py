"""The microscope study by its own recipe: the numbers, the verdicts, the check, the file, and how to extend it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lawful import amplitude, exponent, law, offset
from lawful.findings import RunsError
from lawful.studies import load, names
from lawful.studies import microscope_numbers as numbers
from lawful.studies import microscope_recipes as recipes
from lawful.studies.microscope import as_published
from lawful.studies.microscope_check import check
from lawful.studies.microscope_data import SOURCE, TARGET, families
from lawful.studies.microscope_published import SECTIONS, compare, half_unit, printed
from lawful.studies.microscope_recipes import KAPLAN, POWER
from lawful.studies.results import Study
from lawful.studies.schema import write_results

# What an independent examination of the study concluded, claim by claim.
VERDICTS = {
    "reproduced": """loss.kaplan.alpha loss.kaplan.L_inf loss.kaplan.adj_r2 loss.kaplan.aic loss.kaplan.bic
        loss.kaplan.ci_lower loss.kaplan.ci_upper loss.claim.aic_of_three loss.claim.bic_of_three loss.chinchilla.alpha
        loss.chinchilla.L_inf loss.chinchilla.adj_r2 loss.chinchilla.aic loss.corrected.adj_r2 loss.corrected.aic
        task.poor task.sigmoid_better extrapolation.loss extrapolation.tasks extrapolation.claim.winogrande
        correlation.r correlation.r_p correlation.rho correlation.rho_p transfer.average transfer.piqa
        transfer.winogrande transfer.lambada transfer.arc_challenge data.target.missing""",
    "not reproduced": """loss.claim.kaplan2020 loss.claim.aic loss.claim.bic loss.chinchilla.ci_lower
        loss.chinchilla.ci_upper extrapolation.claim.worst loss.claim.log_negligible""",
    "not checkable": "text.minutes text.pearce loss.corrected.ci_lower",
}


@pytest.fixture(scope="module")
def part():
    return as_published()


@pytest.fixture(scope="module")
def made(part):
    return Study("microscope", "Title", ("One.",), SECTIONS, part.rows, (), part.tables, part.figures, ("Source",))


def test_verdicts_are_those_of_an_independent_examination(part):
    outcome = {row.id: row.outcome for row in part.rows}
    expected = {id: verdict for verdict, ids in VERDICTS.items() for id in ids.split()}
    assert {id: outcome[id] for id in expected} == expected
    tasks = [row for row in part.rows if row.section == "Task Scaling" and row.id.count(".") == 2 and row.published]
    assert len(tasks) == 3 * 7 + 1 and {row.outcome for row in tasks} == {"reproduced"}


def test_every_golden_number_is_met(made):
    lines, ok = check(made)
    assert ok and len(lines) == len(made.rows) + 1
    assert "107 golden numbers: 107 met, 0 missed." in lines[-1]
    assert any(line.startswith("differs") and "extrapolation.claim.worst: hellaswag" in line for line in lines)


def test_a_missed_golden_number_fails_the_check(made):
    rows = tuple(replace(row, recomputed=0.11) if row.id == "loss.kaplan.alpha" else row for row in made.rows)
    lines, ok = check(replace(made, rows=rows))
    assert not ok and lines[-1].endswith("1 missed (loss.kaplan.alpha).")
    assert "golden missed loss.kaplan.alpha: 0.11, published 0.106, golden 0.10609 +- 6e-06" in lines


def test_a_published_number_that_differs_does_not_fail_the_check(made):
    rows = tuple(replace(row, outcome="not reproduced") if row.golden is None else row for row in made.rows)
    assert check(replace(made, rows=rows))[1]


def test_outcomes_follow_from_the_numbers():
    line = {line.id: line for line in printed()}["correlation.rho"]
    assert half_unit("0.106") == pytest.approx(5e-4) and half_unit("7") == pytest.approx(0.5)
    told = {"correlation.arxiv.rho": -0.657}
    assert [compare(line, ours, told).outcome for ours in (-0.0949, -0.0951, None)] == [
        "reproduced", "not reproduced", "not checkable"]  # fmt: skip
    assert compare(line, -0.09, told).reason == "With the other published losses -0.66."


def test_every_line_is_computed_or_says_why_not(part):
    ids = [line.id for line in printed()]
    assert len(ids) == len(set(ids)) and {row.section for row in part.rows} == set(SECTIONS)
    unknown = [row for row in part.rows if row.recomputed is None]
    assert all(row.outcome == "not checkable" and row.reason for row in unknown)
    assert {row.id for row in unknown} == {
        "text.minutes", "text.pearce", "text.reasoning", "text.breaks", "loss.corrected.ci_lower",
        "loss.corrected.ci_upper"}  # fmt: skip


@pytest.mark.parametrize("column", ["loss_card", "loss"])
def test_kaplan_from_any_start_is_the_global_optimum(column, rng):
    """Against a scan of alpha, where a and L_inf are linear."""
    family = families()[SOURCE]
    y, X = family.losses[column], {"N": family.N}

    def rss(alpha):
        columns = np.column_stack([family.N**-alpha, np.ones(7)])
        columns /= columns[0]
        return np.linalg.lstsq(columns, y)[1][0]

    best = min(rss(alpha) for alpha in np.linspace(0.01, 0.5, 4901))
    for _ in range(20):
        start = {"a": rng.uniform(1, 50), "alpha": rng.uniform(0.03, 0.4), "E": rng.uniform(0, 1.7)}
        assert recipes.fit(KAPLAN.law, X, y, start).rss == pytest.approx(best, rel=1e-5)


def test_the_chinchilla_stop_does_not_depend_on_a_lucky_start(rng):
    """Most starts with small exponents end on the same ridge: alpha 0.102, L_inf 0.485, negative B."""
    family = families()[SOURCE]
    X, y, there = {"N": family.N, "D": family.D}, family.losses["loss_card"], 0
    for _ in range(10):
        start = {"E": rng.uniform(0, 1.7), "A": rng.uniform(1, 20), "B": rng.uniform(5, 20), "alpha": 0.1, "beta": 0.1}
        at = recipes.fit(recipes.CHINCHILLA.law, X, y, start).values
        there += abs(at["alpha"] - 0.1016) < 5e-4 and abs(at["E"] - 0.485) < 5e-3 and at["B"] < -50
    assert there >= 5


def test_scores_by_hand():
    found = recipes.Found(POWER.law, {"a": 1.0, "alpha": 0.1}, np.array([1.0, 2, 3, 6]), np.array([1.0, 2, 3, 5]))
    assert recipes.adjusted_r2(found) == pytest.approx(1 - 1 / 14 * 3 / 1)
    assert recipes.adjusted_r2(found, 0) == pytest.approx(1 - 1 / 14 * 3 / 2)
    assert recipes.aic(found) == pytest.approx(4 * np.log(1 / 4) + 4)
    assert recipes.bic(found) == pytest.approx(4 * np.log(1 / 4) + 2 * np.log(4))
    assert recipes.aicc(found) == np.inf


def test_two_lines_find_a_break():
    x = np.arange(8.0)
    found = recipes.two_lines(x, np.where(x < 5, 0.0, x - 4))
    assert found.after == 5 and found.gain == pytest.approx(1)


def test_the_discard_pins_the_lower_end(part):
    found = {row.id: row.recomputed for row in part.rows}
    zero = found["loss.kaplan.ci_lower"]
    family = families()[SOURCE]
    power = recipes.fit(POWER.law, {"N": family.N}, family.losses["loss_card"], POWER.start).values["alpha"]
    assert zero == pytest.approx(power, abs=0.003) and found["loss.kaplan.ci_all_lower"] < 0.05


def test_figures(part):
    by_name = {figure.id: figure for figure in part.figures}
    assert list(by_name) == ["loss_scaling", "task_scaling", "residuals", "model_selection", "extrapolation"]
    assert [len(figure.panels) for figure in part.figures] == [1, 7, 4, 3, 8]
    roles = {layer.role for figure in part.figures for panel in figure.panels for layer in panel.layers}
    assert roles == {"data", "reference", "published", "ours", "held_out", "naive"}
    layers = [layer for figure in part.figures for panel in figure.panels for layer in panel.layers]
    assert all(len(layer.x) == len(layer.y) and np.isfinite(layer.y).all() for layer in layers)


def test_results_are_checked_and_written_whole(made, tmp_path):
    path = write_results(made, tmp_path / "out")
    text = path.read_text("utf-8")
    assert json.loads(text)["rows"][0]["id"] == "loss.kaplan.alpha" and [p.name for p in path.parent.iterdir()] == [
        path.name
    ]
    odd = replace(made, settings={"end": -np.inf, "count": np.int64(3)})
    assert json.loads(write_results(odd, tmp_path / "out").read_text("utf-8"))["settings"] == {
        "end": "-inf",
        "count": 3,
    }
    wrong = replace(made, rows=(replace(made.rows[0], outcome="perhaps"),))  # pyright: ignore
    with pytest.raises(ValueError, match=r"rows.0.outcome"):
        write_results(wrong, tmp_path / "out")
    assert json.loads(path.read_text("utf-8"))["settings"]["count"] == 3 and len(list(path.parent.iterdir())) == 1


def test_the_same_seed_gives_the_same_draws():
    family = families()[SOURCE]
    X = {"N": family.N}
    found = recipes.fit(KAPLAN.law, X, family.losses["loss_card"], KAPLAN.start)
    first, again, other = (recipes.bootstrap(KAPLAN, found, X, 30, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.values["alpha"], again.values["alpha"])
    assert not np.array_equal(first.values["alpha"], other.values["alpha"])


# ---- extending


@law(topic="pre-training")
def log_linear(N, *, E=offset(), A=amplitude("N", "alpha"), alpha=exponent(), shift=offset(upper=1e8)):
    r"""$L = E + A (N + shift)^{-\alpha}$"""
    return E + A * (N + shift) ** -alpha


@pytest.fixture(scope="module")
def mine():
    """A family of two new models, and a task that the source family and the new one have."""
    sizes = list(families()[SOURCE].sizes)
    cerebras = [0.3, 0.32, 0.35, 0.4, 0.45, 0.5, 0.55]
    return {
        "family": ["cerebras_gpt"] * 7 + ["mine"] * 2,
        "size": [*sizes, "1B", "3B"],
        "params": [None] * 7 + [1e9, 3e9],
        "boolq/acc/0": [*cerebras, 0.42, 0.5],
        "piqa/acc/0": [None] * 7 + [0.65, 0.71],
    }


def test_a_family_is_a_row_and_a_task_a_column(mine):
    known = families(mine)
    assert known[SOURCE].tasks == (*families()[SOURCE].tasks, "boolq") and known["mine"].N.tolist() == [1e9, 3e9]
    assert np.isnan(known[TARGET].D).sum() == 0 and known[TARGET].tasks == families()[TARGET].tasks
    fits = numbers.fit_tasks(known[SOURCE])
    found = numbers.task_numbers(fits)
    assert 0 < found["task.boolq.alpha"] < 1
    carried = numbers.transfer(fits, known["mine"], {})
    assert set(carried) == {"boolq", "piqa"} and carried["piqa"].truth.tolist() == [0.65, 0.71]


def test_family_task_and_form_reach_the_tables(mine, part):
    more = as_published(mine, (log_linear,), quick=True)
    table = {table.id: table for table in more.tables}
    assert "boolq" in [row[0] for row in table["task_fits"].rows]
    assert ("mine", "PIQA", 2) in [row[:3] for row in table["transfer"].rows]
    assert "mine" in [row[0] for row in table["families"].rows]
    form = next(row for row in table["loss_fits"].rows if row[0] == "log_linear")
    assert 0 < form[1] < 1 and form[-2] == 4 and form[5] < 1
    assert any(
        panel.title == "log_linear" for figure in more.figures if figure.id == "residuals" for panel in figure.panels
    )
    assert any(
        panel.title == "boolq" for figure in more.figures if figure.id == "task_scaling" for panel in figure.panels
    )
    changed = {row.id for row, old in zip(more.rows, part.rows) if row.recomputed != old.recomputed}
    assert all(".ci" in id for id in changed)  # fewer draws; nothing else of the study moves


def test_a_table_cannot_change_what_was_published():
    with pytest.raises(RunsError, match=r"cerebras_gpt 111M has a published value.*Give the row another family"):
        families({"family": ["cerebras_gpt"], "size": ["111M"], "piqa/acc/0": [0.9]})
    with pytest.raises(RunsError, match="column .size.: a table for the study needs family and size"):
        families({"family": ["mine"], "params": [1e9]})
    with pytest.raises(RunsError, match="cerebras_gpt has no size 20B in the study.*another family"):
        families({"family": ["cerebras_gpt"], "size": ["20B"], "params": [2e10]})
    with pytest.raises(RunsError, match="a new model needs its number of parameters"):
        families({"family": ["mine"], "size": ["1B"], "piqa/acc/0": [0.6]})


def test_a_form_of_other_variables_is_refused():
    with pytest.raises(
        ValueError, match="law by_compute depends on C; a form of the study is a law of N, or of N and D"
    ):

        @law(topic="pre-training")
        def by_compute(C, *, A=amplitude("C", "alpha"), alpha=exponent()):
            r"""$L = A C^{-\alpha}$"""
            return A * C**-alpha

        as_published(forms=(by_compute,), quick=True)


def test_studies_are_found_by_name():
    assert "microscope" in names() and all(callable(load(name).study) for name in names())
    with pytest.raises(ValueError, match="no study is called 'microscpe'; did you mean 'microscope'"):
        load("microscpe")
