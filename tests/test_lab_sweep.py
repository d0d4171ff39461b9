"""Sweeps: the grid, the cost, the store, and that a killed sweep resumed is the sweep uninterrupted."""

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lawful.lab import store
from lawful.lab.config import Config, key
from lawful.lab.cost import Speed, calibrate, seconds
from lawful.lab.sweep import Sweep, estimate, grid, load, run, shard, sweep

NEEDS_TORCH = "making runs needs PyTorch: pip install 'lawful[lab]'"
FILE = """
name = "little"
seed = [0, 1]
steps = 30
batch = 16
eval_sequences = 64

[[sweep]]
task = "swaps"
depth = 1
width = [4, 8]

[[sweep]]
task = "facts"
knobs = { keys = 64, values = [4, 8] }
width = 8
"""


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "little.toml").write_text(FILE)
    return load(tmp_path / "little.toml")


def kept(folder):
    """Every record, without what differs from machine to machine."""
    return {r["key"]: {k: v for k, v in r.items() if k != "measured"} for r in store.records(folder)}


# Planning, without PyTorch


def test_a_file_is_a_grid(plan):
    assert plan.name == "little" and len(plan.configs) == 8 and plan.repeated == 0
    assert {(c.task, c.shape.width, c.knobs.get("values"), c.seed) for c in plan.configs} == {
        (*run, seed)
        for run in [("swaps", 4, None), ("swaps", 8, None), ("facts", 8, 4), ("facts", 8, 8)]
        for seed in (0, 1)
    }
    assert sweep("twice", [*plan.configs, *plan.configs]).repeated == 8


def test_settings_that_are_lists_are_axes_only_as_lists_of_lists():
    points = list(grid({"task": "markov", "knobs": {"orders": [1, 2]}, "test_loops": [[2], [2, 4]]}))
    assert [p["test_loops"] for p in points] == [[2], [2, 4]]
    assert all(p["knobs"] == {"orders": [1, 2]} for p in points)
    assert len(list(grid({"knobs": {"orders": [[1], [2]], "vocab": [4, 8]}}))) == 4


def test_match_params_finds_the_width_of_each_depth(tmp_path):
    (tmp_path / "s.toml").write_text('task = "swaps"\nmatch_params = 20_000\ndepth = [1, 2, 4]')
    sizes = [c.size.nonembed for c in load(tmp_path / "s.toml").configs]
    assert len(set(sizes)) == 3 and all(abs(s / 20_000 - 1) < 0.2 for s in sizes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("task = ", "is not TOML"),
        (
            '[[sweep]]\ntask = "swaps"\n[[sweep]]\ntask = "swap"',
            "number 2: There is no task 'swap' .did you mean",
        ),
        ('task = "swaps"\nwidht = 3', "no setting 'widht'"),
        ('task = "swaps"\nwidth = []', "width is an empty list"),
        ('task = "swaps"\nsteps = "many"', "number 1"),
        ("steps = 3", "A run needs a task"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path, text, words):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(ValueError, match=words):
        load(tmp_path / "s.toml")
    with pytest.raises(FileNotFoundError, match="no sweep file"):
        load(tmp_path / "none.toml")


def test_shards_split_the_plan(plan):
    parts = [shard(plan, f"{i}/3") for i in (1, 2, 3)]
    names = [key(c) for p in parts for c in p.configs]
    assert sorted(names) == sorted(key(c) for c in plan.configs)
    for wrong in ("0/3", "4/3", "3", "a/b"):
        with pytest.raises(ValueError, match="must read i/n"):
            shard(plan, wrong)


def test_the_cost_adds_up(plan, tmp_path):
    speed = Speed()
    whole = estimate(plan, tmp_path, jobs=1, speed=speed)
    assert whole.runs == 8 and whole.done == 0 and "not calibrated" in str(whole)
    assert whole.core_seconds == pytest.approx(sum(seconds(c, speed) for c in plan.configs))
    assert whole.flops == pytest.approx(sum(c.train_flops for c in plan.configs))
    assert estimate(plan, tmp_path, jobs=1000, speed=speed).wall_seconds == max(seconds(c, speed) for c in plan.configs)
    big, small = (Config("swaps", steps=s) for s in (2000, 1000))
    assert seconds(big, speed) > 1.8 * seconds(small, speed)


# The store


def test_only_one_holds_a_lease(tmp_path):
    assert store.claim(tmp_path, "k", 1.0)
    assert not store.claim(tmp_path, "k", 1.0)
    store.release(tmp_path, "k")
    assert store.claim(tmp_path, "k", 1.0)


def dead_pid():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.mark.parametrize(
    ("change", "free"),
    [
        ({}, False),
        ({"pid": "dead"}, True),
        ({"pid": "dead", "host": "elsewhere"}, False),
        ({"time": -100.0}, True),
        ({"time": -100.0, "seconds": 50.0}, False),
        ({"host": "elsewhere", "time": -1000.0, "seconds": 50.0}, True),
    ],
)
def test_a_lease_is_taken_over_when_it_is_stale(tmp_path, change, free):
    store.claim(tmp_path, "k", 1.0)
    lease = tmp_path / "k.lease"
    held = json.loads(lease.read_text())
    if change.get("pid"):
        change = {**change, "pid": dead_pid()}
    if "time" in change:
        change = {**change, "time": time.time() + change["time"]}
    lease.write_text(json.dumps({**held, **change}))
    assert store.claim(tmp_path, "k", 1.0) is free
    assert not list(tmp_path.glob("*.stale"))


def test_a_lease_cut_short_while_written_goes_stale(tmp_path):
    (tmp_path / "k.lease").write_text("")
    assert not store.claim(tmp_path, "k", 1.0)
    os.utime(tmp_path / "k.lease", (time.time() - 60, time.time() - 60))
    assert store.claim(tmp_path, "k", 1.0)


def test_what_kills_leave_behind_is_removed(tmp_path):
    for name in ("a.json", "a.lease", "b.lease", "c.1.tmp", "d.2.tmp"):
        (tmp_path / name).write_text("")
    os.utime(tmp_path / "c.1.tmp", (0, 0))
    store.tidy(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"a.json", "b.lease", "d.2.tmp"}


def test_a_foreign_file_among_the_runs_is_named(tmp_path):
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="other.json: not the record of a run"):
        store.records(tmp_path)


# Running


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])  # workers import PyTorch anew
def test_a_sweep_runs_once_and_resumes(plan, tmp_path, jobs):
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    out = tmp_path / "runs"
    half = Sweep("half", plan.configs[:4])
    assert run(half, out, speed=Speed()).statuses == {"ok": 4}
    first = {p: p.stat().st_mtime_ns for p in out.glob("*.json")}
    outcome = run(plan, out, jobs=jobs, speed=Speed())
    assert outcome.statuses == {"ok": 4} and outcome.found == 4 and not outcome.errors
    assert all(p.stat().st_mtime_ns == t for p, t in first.items())
    assert run(plan, out).statuses == {}
    assert set(kept(out)) == {key(c) for c in plan.configs}
    assert {p.suffix for p in out.iterdir()} == {".json", ".csv"}
    assert estimate(plan, out, speed=Speed()).runs == 0

    table = list(csv.DictReader((out / "runs.csv").read_text().splitlines()))
    whole = [r for r in table if r["level"] == "0"]
    assert len(whole) == 8 and len(table) == 8 + 4 * 16 + 4 * 7
    for r in whole:
        record = kept(out)[r["run"]]
        assert float(r["loss"]) == record["loss"] and float(r["flops"]) == record["flops"] > 0
        assert int(r["params"]) == record["params"] and int(r["tokens"]) == record["tokens"]
    assert {r["floor_loss"] for r in table if r["level"] == "3"} == {"0.0"}


def test_a_run_that_cannot_be_made_ends_nothing_else(plan, tmp_path):
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    from lawful.lab.config import config

    broken = config({"task": "text", "knobs": {"path": str(tmp_path / "soon.txt")}, "steps": 1, "width": 4})
    (tmp_path / "soon.txt").write_text("too short")
    outcome = run(Sweep("mixed", (broken, plan.configs[0])), tmp_path / "runs", speed=Speed())
    assert outcome.statuses == {"ok": 1, "failed": 1}
    assert "fewer than steps=64" in outcome.errors[0]
    assert not list((tmp_path / "runs").glob("*.lease"))


def test_progress_is_drawn_on_request(plan, tmp_path, capfd):
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    run(Sweep("one", plan.configs[:1]), tmp_path, show=True, speed=Speed())
    assert "1 of 1 runs" in capfd.readouterr().err


def test_calibration_measures_this_core():
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    speed = calibrate()
    assert speed.measured and speed.gflops > 1 and 1e-6 <= speed.per_block < 0.1


def kill_one_process(plan, out, finished, after):
    """Run the sweep in a fork of this process, and kill it some time after so many runs are finished."""
    child = multiprocessing.get_context("fork").Process(target=run, args=(plan, out), kwargs={"speed": Speed()})
    child.start()
    wait_for(out, finished, child.is_alive)
    time.sleep(after)
    child.kill()
    child.join()


CHILD = """
import sys
from lawful.lab.cost import Speed
from lawful.lab.sweep import load, run
run(load(sys.argv[1]), sys.argv[2], jobs=2, speed=Speed())
"""


def kill_all_workers(plan, out, finished, after):
    """The same with two workers: start a process group of its own, and kill the whole group."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CHILD, str(out.parent / "little.toml"), str(out)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment, start_new_session=True) as child:
        wait_for(out, finished, lambda: child.poll() is None)
        time.sleep(after)
        os.killpg(child.pid, signal.SIGKILL)


def wait_for(out, finished, going_on):
    while going_on() and (len(list(out.glob("*.json"))) < finished or not list(out.glob("*.lease"))):
        time.sleep(0.001)


@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
@pytest.mark.parametrize(
    ("trials", "kill"),
    [
        (3, kill_one_process),
        pytest.param(20, kill_one_process, marks=pytest.mark.slow),
        pytest.param(4, kill_all_workers, marks=pytest.mark.slow),
    ],
)
def test_killed_sweeps_resumed_are_the_sweep_uninterrupted(plan, tmp_path, trials, kill):
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    run(plan, tmp_path / "whole", speed=Speed())
    whole = kept(tmp_path / "whole")
    rng = np.random.default_rng(5)
    broken_off = 0
    for trial in range(trials):
        out = tmp_path / f"trial{trial}"
        kill(plan, out, int(rng.integers(0, len(plan.configs) - 2)), rng.uniform(0, 0.1))
        first = {p: p.stat().st_mtime_ns for p in out.glob("*.json")}
        broken_off += bool(list(out.glob("*.lease")))
        outcome = run(plan, out, speed=Speed())
        assert outcome.found == len(first) and sum(outcome.statuses.values()) == len(whole) - len(first)
        assert all(p.stat().st_mtime_ns == t for p, t in first.items())  # nothing is done twice
        assert kept(out) == whole  # nothing is lost, and the losses are the same to the bit
        assert not list(out.glob("*.lease")) and (out / "runs.csv").exists()
    assert broken_off > trials / 2  # the kills fell into runs, not between them
