"""How long the command line takes to start: CPU seconds of a fresh process, the best of several.

python benchmarks/cli_start.py [REPEATS]
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = (["--help"], ["fit", "--help"], ["laws"], ["laws", "show", "chinchilla"], ["--version"])


def cpu(arguments: list[str]) -> float:
    """User and system seconds of one fresh interpreter."""
    before = os.times()
    subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main(repeats: int) -> None:
    for name, command in [
        *((f"lawful {' '.join(c)}", ["-m", "lawful", *c]) for c in COMMANDS),
        *((f"import {m}", ["-c", f"import {m}"]) for m in ("lawful", "numpy", "typer")),
    ]:
        best = min(cpu([sys.executable, *command]) for _ in range(repeats))
        print(f"{name:<32}{best:.2f} s CPU")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
