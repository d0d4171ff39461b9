"""Studies of the lab on runs whose laws are known: what was planted is found, what is not there is not."""

import gzip
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from lab_records import FACTS, SWAPS, write_folder
from scipy import stats

from lawful.lab.config import key
from lawful.lab.cost import Speed
from lawful.lab.sweep import estimate, load
from lawful.studies import lab_exponents as exponents
from lawful.studies import names, shipped_runs, sweep_file
from lawful.studies.breakdown import check
from lawful.studies.breakdown import study as breakdown
from lawful.studies.breakdown_controls import controls
from lawful.studies.lab_runs import lab_runs, write_runs
from lawful.studies.recurrence import study as recurrence
from lawful.studies.recurrence_arms import arms
from lawful.studies.recurrence_rivals import against

STUDIES = Path(exponents.__file__).parent
LAB = ("breakdown", "recurrence")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: write_folder(sweep_file(name, True), tmp_path_factory.mktemp(name) / "runs") for name in LAB}


@pytest.fixture(scope="module")
def made(folders):
    return breakdown(folders["breakdown"])


def said(study, id):
    return next(one for one in study.statements if one.id == id)


def ladder(loss, N=(400.0, 1600.0, 6400.0, 25600.0), accuracy=None, chance=0.2, answers=2048):
    loss = np.asarray(loss, float)
    accuracy = np.full(loss.shape, 0.5) if accuracy is None else accuracy
    N, seeds = np.array(N), np.arange(len(loss))
    return exponents.Ladder("t", 1, False, N, N, seeds, loss, np.zeros(loss.shape), accuracy, chance, 1.0, answers, 0)


# ---- the breakdown


def test_planted_exponents_are_found(made):
    found = {(row[0], row[1]): row[2] for table in made.tables if table.id == "exponents" for row in table.rows}
    for name, planted in (("minimal", SWAPS[1]), ("medium", SWAPS[4]), ("extreme", SWAPS[16])):
        value = next(text for (task, level), text in found.items() if task == "swaps" and level.startswith(name))
        assert float(value.split()[0]) == pytest.approx(planted, abs=0.03)
    one = said(made, "contrast")
    assert one.verdict == "supported" and one.numbers["lower"] < FACTS - SWAPS[16] < one.numbers["upper"]
    assert said(made, "shallow").numbers["estimate"] == pytest.approx(FACTS - SWAPS[1], abs=0.03)
    assert said(made, "floors").verdict == "supported" and check(made)[1]


def test_a_table_in_place_of_the_folder_says_the_same(made, folders, tmp_path):
    again = breakdown(write_runs(folders["breakdown"], tmp_path / "runs.csv.gz"))
    for one in made.statements:
        if isinstance(one.numbers.get("estimate"), float):
            assert said(again, one.id).numbers["estimate"] == pytest.approx(one.numbers["estimate"], rel=1e-3)
    with gzip.open(tmp_path / "runs.csv.gz", "rt") as file:
        assert "run,task" in file.readline()


def test_a_beaten_floor_is_the_first_thing_said(folders, tmp_path):
    for path in folders["breakdown"].glob("*.json"):
        record = json.loads(path.read_text())
        if record["config"]["task"] == "swaps" and record["config"]["shape"]["width"] == 32:
            record["levels"][0]["bayes_loss"] = record["levels"][0]["loss"] + 0.1
        (tmp_path / path.name).write_text(json.dumps(record))
    made = breakdown(tmp_path)
    assert said(made, "floors").verdict == "contradicted" and not check(made)[1]


CONTROL = """
task = "swaps"
seed = [0, 1, 2, 3]
[[sweep]]
width = [8, 16, 32]
steps = 100
[[sweep]]
width = [8, 16]
steps = 400
"""


@pytest.mark.parametrize(("planted", "verdict"), [(0.2, "supported"), (0.0, "cannot tell")])
def test_longer_training_is_paired_and_may_show_nothing(tmp_path, planted, verdict):
    (tmp_path / "control.toml").write_text(CONTROL)
    folder = write_folder(tmp_path / "control.toml", tmp_path / "runs")
    for path in folder.glob("*.json"):
        record = json.loads(path.read_text())
        for row in record["levels"] if record["steps"] == 400 else []:
            row["accuracy"] = min(row["accuracy"] + planted * (row["level"] < 16), 1.0)
        path.write_text(json.dumps(record))
    found = said(controls(lab_runs("breakdown", folder)), "under_training")
    assert found.verdict == verdict and ("[" in found.text)
    assert len(found.numbers["gains"]) == 6  # two widths, three levels


# ---- recurrence


def test_loops_that_help_are_seen_and_the_control_decides(folders):
    made = recurrence(folders["recurrence"])
    assert said(made, "loops").verdict == "supported"
    assert said(made, "facts").verdict == "supported"  # planted: serial depth does nothing there
    assert said(made, "equal_flops").verdict == "contradicted"  # planted: untied blocks have more parameters


CELLS = """
task = "swaps"
seed = [0, 1, 2, 3]
steps = 100
depth = 1
[[sweep]]
width = [16, 24]
loops = [1, 4, 8]
[[sweep]]
width = 24
depth = 8
steps = [100, 400]
[[sweep]]
width = 24
cell = "tiny"
inner = 3
loops = 2
[[sweep]]
width = 16
cell = "hierarchical"
inner = 3
loops = 2
[[sweep]]
width = 16
loops = 4
steps = [50, 100]
"""


def test_cells_of_two_states_meet_loops_as_deep_and_as_large(tmp_path):
    (tmp_path / "cells.toml").write_text(CELLS)
    found = against(arms(lab_runs("recurrence", write_folder(tmp_path / "cells.toml", tmp_path / "runs"))))
    assert [t.id for t in found.tables if "against" in t.id] == ["against_100"]  # at 50 steps there is no rival
    for id in ("trm", "hrm"):
        text = said(found, id).text
        assert "1 block, 8 loops, width 24" in text and said(found, id).numbers["needed"] != 0
    assert "With 4 times the training 8 blocks" in said(found, "training").text


@pytest.mark.parametrize("name", LAB)
def test_sweeps_are_what_they_say(name, tmp_path):
    full, quick = load(sweep_file(name)), load(sweep_file(name, True))
    assert len(full.configs) == import_module(f"lawful.studies.{name}").PLANNED
    assert {c.seed for c in quick.configs} >= {0, 1, 2, 3}
    assert estimate(quick, tmp_path, speed=Speed()).core_seconds < 500
    with pytest.raises(ValueError, match="study microscope trains nothing"):
        sweep_file("microscope")


@pytest.mark.parametrize("name", LAB)
def test_shipped_runs_are_runs_of_the_plan(name):
    planned = {key(c) for c in load(sweep_file(name)).configs}
    assert set(lab_runs(name)["run"]) <= planned
    assert shipped_runs(name).stat().st_size < 400_000


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in names() if n in LAB])
def test_reports_are_rebuilt_without_pytorch(name, tmp_path):
    code = f"""
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("no torch here")
sys.meta_path.insert(0, NoTorch())
from lawful.cli import main
main(["study", {name!r}, "--rebuild", "--out", {str(tmp_path)!r}, "--check"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").exists() and (tmp_path / "results.json").exists()


def test_training_without_pytorch_says_what_is_missing(tmp_path):
    code = f"""
import sys
sys.modules["torch"] = None
import importlib.util
importlib.util.find_spec = (lambda old: lambda n, p=None: None if n == "torch" else old(n, p))(importlib.util.find_spec)
from lawful.cli import main
main(["study", "recurrence", "--quick", "--out", {str(tmp_path)!r}])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and "pip install 'lawful[lab]'" in done.stderr and "Traceback" not in done.stderr


# ---- the statistics


def test_the_slope_of_an_exact_law_is_its_exponent():
    one = ladder([[3 * N**-0.4 for N in (400, 1600, 6400, 25600)]] * 3)
    assert exponents.slopes(one) == pytest.approx([0.4] * 3)
    interval = exponents.over_seeds(exponents.slopes(one))
    assert interval.lower == pytest.approx(0.4) and interval.upper == pytest.approx(0.4)
    assert exponents.over_seeds(np.array([0.4])).verdict == "cannot tell: one seed"


def test_intervals_of_contrasts_cover():
    rng = np.random.default_rng(0)
    x, y = rng.normal(0.35, 0.02, (200, 4)), rng.normal(0.0, 0.005, (200, 4))
    inside = 0
    for a, b in zip(x, y):
        one = exponents.contrast(a, b).interval
        inside += one.lower <= 0.35 <= one.upper
    assert 0.92 <= inside / 200 <= 0.99


def test_seeds_needed_have_the_power_they_promise():
    rng = np.random.default_rng(1)
    x, y = 0.03 * rng.standard_normal(4) + 0.05, 0.03 * rng.standard_normal(4)
    x, y = x - x.mean() + 0.03, y - y.mean()
    n = exponents.seeds_needed(x, y)
    sd = np.sqrt((x.var(ddof=1) + y.var(ddof=1)) / 2)
    draws = rng.standard_normal((2, 300, n)) * sd + np.array([0.03, 0.0])[:, None, None]
    told = stats.ttest_ind(*draws, axis=1, equal_var=False).pvalue < 0.05
    assert 0.72 <= np.mean(told) <= 0.95
    alike = exponents.contrast(x - x.mean(), y)
    assert not alike.told and "cannot tell" in str(alike) and alike.needed == 10_000
    assert exponents.seeds_needed(np.array([1.0, 1.001]), np.array([0.0, 0.001]), comparisons=5) == 5  # permutations


def test_lack_of_fit_keeps_its_level_and_sees_a_bend():
    rng = np.random.default_rng(2)
    x = np.log([400.0, 1600.0, 6400.0, 25600.0])

    def p(curve):
        return exponents.bends(ladder(np.exp(curve - 0.4 * x + 0.03 * rng.standard_normal((4, 4)))))[0]

    straight = np.array([p(0.0) for _ in range(400)])
    assert 0.02 <= np.mean(straight < 0.05) <= 0.09
    assert np.mean([p(0.05 * (x - x.mean()) ** 2) < 0.05 for _ in range(50)]) > 0.9
    assert np.isnan(exponents.bends(ladder([[3.0, 2.0]], N=(400.0, 1600.0)))[0])


def test_chance_is_left_from_the_first_size_that_stays_above():
    accuracy = np.tile([0.21, 0.2, 0.3, 0.6], (4, 1)) + 0.002 * np.arange(4)[:, None]
    assert exponents.leaves_chance(ladder(np.ones((4, 4)), accuracy=accuracy)) == 6400
    assert exponents.leaves_chance(ladder(np.ones((4, 4)), accuracy=np.full((4, 4), 0.2))) is None
    noisy = np.random.default_rng(3)
    false = sum(
        exponents.leaves_chance(ladder(np.ones((4, 4)), accuracy=0.2 + 0.009 * noisy.standard_normal((1, 4))
                                       + 0.004 * noisy.standard_normal((4, 4)))) is not None
        for _ in range(300)
    )  # fmt: skip
    assert false / 300 <= 0.05
