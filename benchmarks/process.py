"""Whole processes: what a person waits for who runs a script.

T3: import, read, fit, 4000 bootstraps and leave-one-out on the 240 points of Chinchilla; the peak of resident memory.
T11: ``import lawful`` against ``import numpy`` and ``import scipy.optimize``.

See timing.py for the environment. CPU seconds of fresh interpreters (user and system), medians of 5 runs in turn.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from timing import check_environment, verdict

ROOT = Path(__file__).resolve().parents[1]
END = """
import resource
use = resource.getrusage(resource.RUSAGE_SELF)
print(use.ru_utime + use.ru_stime, use.ru_maxrss / 1024)
"""
WHOLE = """
import numpy as np
import lawful
from lawful.bootstrap import refit
from lawful.solve import Problems
from timing import chinchilla_points
fit = lawful.fit("chinchilla", chinchilla_points(), objective="log_huber:1e-3")
draws = lawful.bootstrap(fit, draws=4000)
left_out = refit(fit, Problems(fit.problems.X, fit.problems.y, np.ones((fit.n, fit.n)) - np.eye(fit.n)))
assert len(draws) == 4000 and np.isfinite(left_out[1]).all()
"""


def measure(code: str) -> tuple[float, float]:
    """CPU seconds and megabytes of a fresh interpreter that runs the code."""
    done = subprocess.run(
        [sys.executable, "-c", code + END], cwd=ROOT / "benchmarks", env={**_environment()}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}


def main() -> None:
    codes = {"whole": WHOLE, "nothing": "", "numpy": "import numpy", "scipy": "import scipy.optimize",
             "lawful": "import lawful", "command": "import lawful.fit"}  # fmt: skip
    runs = {name: [] for name in codes}
    for _ in range(5):
        for name, code in codes.items():
            runs[name].append(measure(code))
    cpu, memory = ({name: float(np.median([r[i] for r in rows])) for name, rows in runs.items()} for i in (0, 1))
    verdict("T3", f"{cpu['whole']:.2f} s CPU, {memory['whole']:.0f} MB at the peak", "<= 2 s, <= 150 MB",
            cpu["whole"] <= 2 and memory["whole"] <= 150)  # fmt: skip
    own = {name: cpu[name] - cpu["nothing"] for name in ("lawful", "command", "numpy", "scipy")}
    verdict("T11", f"import lawful {own['lawful']:.3f} s, lawful.fit {own['command']:.3f} s; numpy "
            f"{own['numpy']:.3f} s, scipy.optimize {own['scipy']:.3f} s; less a bare {cpu['nothing']:.3f} s",
            "<= 0.15 s", max(own["lawful"], own["command"]) <= 0.15)  # fmt: skip


if __name__ == "__main__":
    check_environment()
    main()
