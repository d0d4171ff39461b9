"""The shipped tables agree with their sources, describe themselves, and grow by a row or a column."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

import lawful.datasets as datasets
from lawful.datasets import TASKS, card, load, names, tasks
from lawful.runs import RunsError

SHARED = Path(__file__).parents[2] / "shared"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the folder shared/ is not beside the repository")
FAMILIES = {
    "Cerebras": "cerebras_gpt",
    "Cerebras muP": "cerebras_gpt_mup",
    "Pythia": "pythia_v0",
    "Pythia deduped": "pythia_v0_deduped",
    "NeoX": "gpt_neox",
    "GPT-J": "gpt_j",
    "OPT": "opt",
}


@pytest.mark.parametrize("name", names())
def test_every_data_set_describes_itself(name):
    runs, about = load(name), card(name)
    assert len(runs) == about.rows > 0 and not runs.dropped
    assert about.title and about.source and about.paper and about.licence and about.traps
    assert all(about.columns.values()), [c for c, meaning in about.columns.items() if not meaning]
    answers = tasks(name)
    assert set(answers["task"]) <= set(TASKS) and not answers.dropped
    assert np.all((answers["accuracy"] > 0) & (answers["accuracy"] < 1))


def test_cerebras_gpt():
    runs = load("cerebras_gpt")
    assert len(runs) == 7 and runs.target == "loss"
    assert runs["L"].tolist() == [2.608, 2.349, 2.181, 1.997, 1.834, 1.704, 1.572]
    assert load("cerebras_gpt", columns={"L": "loss_card"})["L"].tolist() == [
        2.566, 2.299, 2.184, 1.996, 1.834, 1.704, 1.575]  # fmt: skip
    assert np.allclose(runs["D"] / runs["N"], 20, atol=0.003)
    assert np.allclose(runs["S"] * runs["B"], runs["D"], rtol=2e-3)
    # 6ND of the two tables: ratio 1.76 at 111M, 1.16 at 13B.
    assert (runs["C"] / (6 * runs["N"] * runs["D"])).round(2)[[0, -1]].tolist() == [1.76, 1.16]
    assert {"confounded", "flops-6nd"} == {finding.code for finding in runs.findings}


def test_sizes_follow_from_the_architecture():
    cerebras, pythia = load("cerebras_gpt"), load("pythia_v0", "pythia_v1")
    # tied embeddings of 50257 tokens and 2048 learned positions
    assert np.array_equal(cerebras["N"] - cerebras["N_nonemb"], (50257 + 2048) * cerebras["w"])
    depth, width = pythia["depth"], pythia["w"]
    assert np.array_equal(pythia["N_nonemb"], depth * (12 * width**2 + 13 * width) + 2 * width)


def test_the_two_evaluators_agree_on_what_they_should():
    """v0 and v1 are different runs of the same models: close, and never the same."""
    select = "shots == 0 and metric == 'acc' and task in ('piqa', 'arc_easy', 'winogrande')"
    apart = tasks("pythia_v0", where=select)["accuracy"] - tasks("pythia_v1", where=select)["accuracy"]
    assert len(apart) == 24 and 0 < np.abs(apart).mean() < 0.02


def test_tasks_are_tidy():
    answers = tasks("cerebras_gpt", "pythia_v0")
    assert len(answers) == (7 + 8) * 7 * 2 and answers.by == ("task", "metric", "shots")
    piqa = answers.groups()["piqa", "acc", 0]
    assert piqa["accuracy"][:7].tolist() == [0.594, 0.613, 0.627, 0.664, 0.701, 0.739, 0.766]
    assert set(piqa["items"]) == {1838} and set(piqa["chance"]) == {0.5}
    assert len(piqa["L"]) == 15 and set(piqa["family"]) == {"cerebras_gpt", "pythia_v0"}


def test_what_was_not_published_is_missing_and_can_be_left_out():
    runs = load("pythia_v0", "gpt_neox", "opt")
    assert len(runs) == 9 and {d.reason for d in runs.dropped} == {"loss is missing"}  # OPT: six rows
    assert np.isnan(runs["N"][-1]) and runs["C"][-1] == 6.4e22
    assert runs.complete("N").dropped[-1].reason == "params is missing" and len(runs.complete("C")) == 9


def test_unlike_metrics_are_refused():
    with pytest.raises(RunsError, match=r"column 'metric'.*'acc', 'acc_norm'"):
        tasks("pythia_v1", by="task", where="shots == 0")
    arc = tasks("pythia_v1", by=None, where="task == 'arc_challenge' and metric == 'acc_norm' and shots == 0")
    assert arc["accuracy"].round(3).tolist() == [0.221, 0.233, 0.243, 0.271, 0.286, 0.333, 0.351, 0.348]


def test_items_explain_the_published_digits():
    """Accuracies are whole numbers of items: openbookqa has 500 and three decimals, so multiples of 0.002."""
    right = tasks("cerebras_gpt", "opt", where="task == 'openbookqa'")["accuracy"] * TASKS["openbookqa"].items
    assert len(right) == 26 and np.allclose(right, right.round(), atol=1e-9)
    # EleutherAI's six decimals give the number of items back.
    for task in ("lambada", "piqa", "arc_challenge", "logiqa", "wsc"):
        right = tasks("pythia_v1", where=f"task == '{task}' and metric == 'acc'")["accuracy"] * TASKS[task].items
        assert np.abs(right - right.round()).max() < TASKS[task].items * 5.1e-7, task


def test_unknown_names():
    with pytest.raises(ValueError, match="no data set is called 'cerebras'; did you mean 'cerebras_gpt'"):
        load("cerebras")
    with pytest.raises(ValueError, match="name at least one data set: cerebras_gpt"):
        load()


@needs_shared
def test_against_the_staged_table():
    import polars as pl

    staged = pl.read_csv(SHARED / "data" / "cerebras_gpt" / "table.csv")
    for row in staged.iter_rows(named=True):
        model = load(FAMILIES[row["family"]]).where(f"size == '{row['size']}'")
        assert model["params_nominal"][0] == row["params_nominal"]
        assert math.isclose(model["flops"][0], row["flops"])
        if row["loss_pile_test"] is not None:
            assert model["loss"][0] == row["loss_pile_test"]
        for column in (c for c in staged.columns if c.startswith(("acc0_", "acc5_")) and c != "acc0_avg"):
            shots, task = column[3], column[5:]
            assert model[f"{task}/acc/{shots}"][0] == row[column], (row["family"], row["size"], column)


def test_a_family_is_a_row_and_a_task_a_column(tmp_path, monkeypatch):
    shutil.copytree(datasets.FOLDER, tmp_path / "data", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    table = tmp_path / "data" / "cerebras.csv"
    header, *rows = table.read_text().splitlines()
    cells = dict.fromkeys(header.split(","), "") | {
        "family": "my_family", "size": "1B", "params": "1000000000", "tokens": "20000000000",
        "loss": "2.1", "piqa/acc/0": "0.69"}  # fmt: skip
    table.write_text(
        "\n".join([header + ",my_task/acc/0", *(row + "," for row in rows), ",".join(cells.values()) + ",0.4"])
    )
    with open(tmp_path / "data" / "tasks.csv", "a") as file:
        file.write("my_task,200,0.25,\n")
    monkeypatch.setattr(datasets, "FOLDER", tmp_path / "data")
    assert "my_family" in names() and load("my_family")["L"].tolist() == [2.1]
    answers = tasks("my_family")
    assert dict(zip(answers["task"], answers["accuracy"])) == {"piqa": 0.69, "my_task": 0.4}
    assert answers["items"].tolist() == [1838, 200]
    about = card("my_family")
    assert about.rows == 1 and about.columns["my_task/acc/0"] == "acc of my_task, 0-shot; 200 items, chance 0.25"
