"""A thousand groups at once: every law of a list, from every origin, in each of them, on one machine or on a cluster.

1,000 curves x 12 laws x 5 origins x 64 starts through `lawful.origins.backtest`, which hands its chunks to whatever
joblib is told to use: this process, processes of this machine (loky), or Dask workers, one of which is killed on the
way. The answers must agree to the last bit.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/cluster.py                 # two processes, timed
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/cluster.py --dask --kill 20   # and two Dask workers
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from time import perf_counter, sleep
from typing import Any

import numpy as np

from lawful.laws import load
from lawful.origins import Record, Splits, backtest, rolling
from lawful.points import Points, points

LAWS = (
    "power_law", "power_law_constant", "m1", "m2", "m3", "m4", "bnsl_0", "bahri_resolution_limited", "autoscale_domain",
    "tay_architecture", "zhai", "vanilla_finetuning",
)  # fmt: skip
STARTS, ORIGINS, POINTS = 64, 5, 12


def curves(groups: int, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Losses along three decades of x, each curve with a floor, a slope and noise of its own."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(groups):
        x = np.geomspace(1e6, 1e9, POINTS) * rng.uniform(0.5, 2)
        clean = rng.uniform(0.5, 2) + rng.uniform(10, 60) * x ** -rng.uniform(0.15, 0.35)
        out.append({"x": x, "y": clean * np.exp(0.005 * rng.standard_normal(POINTS))})
    return out


def work(tables: list[dict[str, np.ndarray]], name: str) -> tuple[list[Points], list[Splits]]:
    law = load(name)
    names = {v: "x" for v in law.variables}
    sets = [points(law, t, target="y", variables=names) for t in tables]
    return sets, [rolling(t["x"], "x", most=ORIGINS, least=5) for t in tables]


def run(groups: int, laws: tuple[str, ...] = LAWS, ready: Callable[[], None] = lambda: None) -> dict[str, list[Record]]:
    """The rolling-origin records of every law in every group, by whatever joblib is told to use.

    ready: waits, before each law, for workers that are coming back: with one alone joblib would stay in this process.
    """
    tables, out = curves(groups), {}
    for name in laws:
        ready()
        out[name] = backtest(load(name), *work(tables, name), count=STARTS)
    return out


def digest(made: dict[str, list[Record]]) -> str:
    """SHA-256 of every predicted number and every slot."""
    out = hashlib.sha256()
    for name, records in made.items():
        out.update(name.encode())
        for record in records:
            out.update(np.ascontiguousarray(record.predicted).tobytes())
            out.update(np.ascontiguousarray(record.theta).tobytes())
    return out.hexdigest()


@contextmanager
def dask_workers(workers: int, killed: list[int], kill_after: float | None = None) -> Iterator[Callable[[], None]]:
    """joblib on a local cluster of worker processes; one is killed after so many seconds, and noted in ``killed``."""
    from distributed import Client, LocalCluster
    from joblib import parallel_config

    options: dict[str, Any] = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    done = threading.Event()
    with LocalCluster(processes=True, **options) as cluster, Client(cluster) as client:
        first = client.run(os.getpid)

        def kill() -> None:
            if kill_after is not None and not done.wait(kill_after):
                pid = next(iter(first.values()))
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

        thread = threading.Thread(target=kill, daemon=True)
        thread.start()
        with parallel_config(backend="dask"):
            yield lambda: client.wait_for_workers(workers, timeout=60)
        done.set()
        thread.join()
        sleep(0.2)  # let the last heartbeats arrive before the cluster closes


@contextmanager
def processes(workers: int) -> Iterator[None]:
    """joblib on processes of this machine, ended on leaving so that their CPU time is known."""
    from joblib import parallel_config
    from joblib.externals.loky import get_reusable_executor

    with parallel_config(backend="loky", n_jobs=workers):
        yield
    get_reusable_executor().shutdown(wait=True)


def timed(label: str, groups: int, where: AbstractContextManager[Any]) -> str:
    """Run there, print the time with the start of the workers, and return the digest."""
    begin, used = perf_counter(), _cpu()
    with where as ready:
        made = run(groups, ready=ready or (lambda: None))
    wall, lost, found = perf_counter() - begin, _lost(made), digest(made)
    fits = groups * len(LAWS) * ORIGINS
    print(f"{label}: {wall:.0f} s, {_cpu() - used:.0f} s of CPU, for {fits} fits of {STARTS} starts each; "
          f"{lost} without a finite fit; sha256 {found[:16]}", flush=True)  # fmt: skip
    return found


def _lost(made: dict[str, list[Record]]) -> int:
    return sum(bool(why) for records in made.values() for r in records for why in r.why_not)


def _cpu() -> float:
    return sum(u.ru_utime + u.ru_stime for u in (getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--alone", action="store_true", help="also in this process alone")
    parser.add_argument("--dask", action="store_true", help="also on Dask workers")
    parser.add_argument("--kill", type=float, metavar="SECONDS", help="kill a Dask worker after so long")
    options = parser.parse_args(argv)
    found = [timed("this process", options.groups, nullcontext())] if options.alone else []
    found.append(timed(f"{options.workers} processes", options.groups, processes(options.workers)))
    if options.dask:
        killed: list[int] = []
        workers = dask_workers(options.workers, killed, options.kill)
        found.append(timed(f"{options.workers} Dask workers", options.groups, workers))
        print("a worker was killed on the way" if killed else "no worker was killed")
    print("the same to the last bit" if len(set(found)) == 1 else "DIFFERENT RESULTS")
    return int(len(set(found)) > 1)


if __name__ == "__main__":
    raise SystemExit(main())
