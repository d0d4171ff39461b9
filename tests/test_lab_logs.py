"""The lab's folder of runs is read like anybody's table; nothing is lost without being said."""

import json
from pathlib import Path

import numpy as np
import pytest
from lab_records import FACTS, record, write_folder

import lawful
from lawful.lab import store
from lawful.lab.config import config, key
from lawful.logs import lab

FILE = """
seed = [0, 1, 2]
[[sweep]]
task = "facts"
width = [4, 8, 16, 32]
steps = 100
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("lab")
    (path / "sweep.toml").write_text(FILE)
    return write_folder(path / "sweep.toml", path / "runs")


def test_a_folder_of_runs_is_fitted_like_any_table(folder):
    runs = lawful.read(folder, where="level == 0")
    assert len(runs) == 12 and runs.target == "loss" and runs.source == "runs"
    assert set(runs["part"]) == {"end"} and set(runs["task"]) == {"facts"}
    made = lawful.fit("power_law", runs, variables={"x": "params_nonembed"}, target="loss")
    assert made.estimates["alpha"] == pytest.approx(FACTS, abs=0.02)


def test_every_level_is_a_row_with_its_floor_and_chance(folder):
    runs = lawful.read(folder)
    assert len(runs) == 12 * 18 and runs.run_column == "run"
    assert np.array_equal(np.unique(runs["level"]), np.arange(18))
    assert (runs["floor_loss"] == 0).all() and (runs["chance_accuracy"] < 1 + 1e-12).all()


def test_other_loops_and_rungs_are_parts_of_their_own():
    given = record(config({"task": "swaps", "loops": 2, "depth": 3, "steps": 100}))
    scored = {k: given[k] for k in ("loss", "accuracy", "levels")}
    given["test_loops"] = [{"loops": 8, **scored}]
    given["rungs"] = [{"step": 25, **scored}]
    rows = [row for row in lab.rows([given]) if row["level"] == 0]
    assert [(row["part"], row["serial"], row["test_loops"], row["step"]) for row in rows] == [
        ("end", 6, 2, 100), ("loops", 24, 8, 100), ("rung", 6, 2, 25),
    ]  # fmt: skip
    assert rows[2]["flops"] == rows[0]["flops"] / 4 and rows[2]["tokens"] == rows[0]["tokens"] / 4
    assert rows[0]["warmup_share"] == 0.05 and rows[0]["heads"] is None


def test_a_diverged_run_is_dropped_and_listed(folder, tmp_path):
    for path in folder.glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    bad = record(config({"task": "facts", "width": 8, "lr": 1e9}))
    bad |= {"status": "diverged", "loss": None, "levels": []}
    (tmp_path / f"{bad['key']}.json").write_text(json.dumps(bad))
    runs = lawful.read(tmp_path, where="level == 0")
    assert len(runs) == 12 and [d.reason for d in runs.dropped] == ["loss is missing"]


def test_the_table_beside_the_runs_says_the_same(folder):
    table = lawful.read(store.write_table(folder), where="level == 0")
    runs = lawful.read(folder, where="level == 0")
    assert np.array_equal(np.sort(table["loss"]), np.sort(runs["loss"]))


def test_tasks_are_kept_apart(tmp_path):
    for task in ("facts", "swaps"):
        given = config({"task": task})
        (tmp_path / f"{key(given)}.json").write_text(json.dumps(record(given)))
    with pytest.raises(lawful.RunsError if hasattr(lawful, "RunsError") else ValueError, match="unlike measurements"):
        lawful.read(tmp_path)
    assert len(lawful.read(tmp_path, by="task", where="level == 0").groups()) == 2


def test_folders_that_are_no_logs_are_explained(tmp_path):
    with pytest.raises(IsADirectoryError, match="folder without runs of the lab"):
        lawful.read(tmp_path)
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ValueError, match="x.json: not the record of a run"):
        lawful.read(tmp_path)
