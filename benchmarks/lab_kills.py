"""Sweeps killed again and again at random moments and resumed, against one that nobody disturbed.

    python benchmarks/lab_kills.py             # twenty sweeps, three to five minutes
    python benchmarks/lab_kills.py --sweeps 3

Each sweep is worked on by two processes that share its folder, as two machines would. The whole process group is
killed (SIGKILL) after a random time and started again until it ends by itself. Lost: runs of the plan, or files that
were there at a kill, that are not there at the end. Doubled: finished runs that a later attempt wrote again.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import signal
import tempfile
import time
from pathlib import Path

import numpy as np

from lawful.lab import store
from lawful.lab.config import config, key
from lawful.lab.cost import Speed
from lawful.lab.sweep import Sweep, grid, run, sweep

FORK = multiprocessing.get_context("fork")  # PyTorch is imported once
WRITERS = 2
SETTINGS = {"seed": [0, 1, 2, 3], "width": [4, 8], "depth": 1, "steps": 60, "batch": 32, "eval_sequences": 256}
TASKS = ({"task": "swaps"}, {"task": "facts", "knobs": {"keys": 256}}, {"task": "markov", "knobs": {"orders": [1]}})


def plan() -> Sweep:
    """Twenty-four runs of a fraction of a second."""
    return sweep("kills", [config(point) for task in TASKS for point in grid({**SETTINGS, **task})])


def work(planned: Sweep, out: Path) -> None:
    """A process group of its own: two writers, each making whatever run the other does not hold."""
    os.setsid()
    writers = [FORK.Process(target=run, args=(planned, out), kwargs={"speed": Speed()}) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()


def attempt(planned: Sweep, out: Path, seconds: float) -> bool:
    """Work on the sweep for so long, then kill the group; True if it had ended by itself."""
    group = FORK.Process(target=work, args=(planned, out))
    group.start()
    group.join(seconds)
    ended = not group.is_alive()
    if not ended:
        os.killpg(group.pid, signal.SIGKILL)
    group.join()
    return ended


def written(out: Path) -> dict[str, int]:
    return {path.stem: path.stat().st_mtime_ns for path in out.glob("*.json")}


def kept(out: Path) -> dict[str, dict]:
    """Every record, without what differs from machine to machine."""
    return {r["key"]: {k: v for k, v in r.items() if k != "measured"} for r in store.records(out)}


def killed(planned: Sweep, out: Path, rng: np.random.Generator, longest: float) -> dict[str, int]:
    """One sweep, killed and resumed until it ends: counts of kills, of kills amid a run, runs lost and doubled."""
    count = {"kills": 0, "amid a run": 0, "lost": 0, "doubled": 0}
    before: dict[str, int] = {}
    while not attempt(planned, out, float(rng.uniform(0.05, longest))):
        now = written(out)
        count["kills"] += 1
        count["amid a run"] += any(lease.stem not in now for lease in out.glob("*.lease"))
        count["doubled"] += sum(now.get(name, moment) != moment for name, moment in before.items())
        count["lost"] += len(before.keys() - now.keys())
        before = now
    now = written(out)
    count["doubled"] += sum(now.get(name, moment) != moment for name, moment in before.items())
    count["lost"] += len({key(c) for c in planned.configs} - now.keys())
    rows = [row["run"] for row in csv.DictReader((out / "runs.csv").read_text().splitlines()) if row["level"] == "0"]
    count["doubled"] += len(rows) - len(set(rows))
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sweeps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    planned, rng = plan(), np.random.default_rng(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run(planned, Path(folder) / "whole", speed=Speed())
        seconds = time.perf_counter() - started
        whole = kept(Path(folder) / "whole")
        total: dict[str, int] = {}
        changed, largest = 0, 0.0
        for trial in range(given.sweeps):
            out = Path(folder) / f"trial{trial}"
            for name, n in killed(planned, out, rng, seconds / 3).items():
                total[name] = total.get(name, 0) + n
            found = kept(out)
            changed += sum(found[name] != whole[name] for name in whole.keys() & found.keys())
            largest = max([largest, *(abs(found[n]["loss"] - whole[n]["loss"]) for n in whole.keys() & found.keys())])
    print(f"{given.sweeps} sweeps of {len(whole)} runs by {WRITERS} writers; one undisturbed takes {seconds:.0f} s")
    print(f"kills, each resumed: {total['kills']}, {total['amid a run']} of them amid a run")
    print(f"runs lost: {total['lost']}; doubled: {total['doubled']}")
    print(f"largest difference of loss: {largest:g}; records that differ in anything: {changed}")


if __name__ == "__main__":
    main()
