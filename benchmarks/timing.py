"""How the benchmarks measure: CPU seconds of one thread, alternatives in turn in the same run, medians.

The processor is often shared, so wall time means little and the alternatives are interleaved. Run the scripts with one
thread and without settings that slow OpenBLAS down:

    unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/chinchilla.py
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

SHARED = Path(__file__).resolve().parents[2] / "shared"


def check_environment() -> None:
    """Stop where a setting of the environment would make the figures meaningless."""
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        if name in os.environ:
            raise SystemExit(f"unset {name}: it makes matrix products up to twice as slow")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        if os.environ.get(name) != "1":
            raise SystemExit(f"set {name}=1: the CPU time of idle threads would be counted")
    if not SHARED.is_dir():
        raise SystemExit("the folder shared, with the papers' data, is not beside the repository")


def interleaved(runs: int, **alternatives: Callable[[], Any]) -> tuple[dict[str, float], dict[str, Any]]:
    """Median CPU seconds of each alternative over `runs` rounds, and what each returned last. The first round warms."""
    seconds: dict[str, list[float]] = {name: [] for name in alternatives}
    results: dict[str, Any] = {}
    for _ in range(runs + 1):
        for name, call in alternatives.items():
            begin = process_time()
            results[name] = call()
            seconds[name].append(process_time() - begin)
    return {name: float(np.median(s[1:])) for name, s in seconds.items()}, results


def verdict(name: str, measured: str, bar: str, met: bool) -> None:
    """One line of a report."""
    print(f"{name:4s} {'met   ' if met else 'MISSED'} {measured}   [bar: {bar}]", flush=True)


def chinchilla_points() -> dict[str, np.ndarray]:
    """The 240 points of Besiroglu et al. 2024: N, D and L."""
    with (SHARED / "data" / "chinchilla_epoch" / "chinchilla_points.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["outlier_epoch"] == "False"]
    columns = {"N": "params", "D": "tokens", "L": "loss"}
    return {symbol: np.array([float(row[column]) for row in rows]) for symbol, column in columns.items()}
