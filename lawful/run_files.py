"""The next runs as files: a CSV to fill in, shell commands, and a Slurm job array.

A command is a template with names in braces, filled in for each run::

    python train.py --layers {layers} --width {width} --tokens {D} --lr {lr} --seed {seed} --out runs/{name}

Learning rate and batch are Step Law's (Li et al. 2025: `laws.tuning`), a start where nothing better is known. The CSV
has the columns that `lawful read` takes: add a column `loss` when the runs are done.
"""

from __future__ import annotations

import csv
import shlex
from collections.abc import Mapping
from io import StringIO
from string import Formatter
from typing import Any

from lawful.laws.tuning import steplaw_batch, steplaw_lr
from lawful.next_runs import NextRuns, Run
from lawful.quantities import did_you_mean
from lawful.shapes import parameters

PLAIN = "python train.py --params {N} --tokens {D} --lr {lr} --batch-tokens {batch} --seed {seed} --out runs/{name}"
SHAPED = (
    "python train.py --layers {layers} --width {width} --heads {heads} --ffn-width {ffn_width} --tokens {D} "
    "--lr {lr} --batch-tokens {batch} --seed {seed} --out runs/{name}"
)
_SHAPE = ("layers", "width", "heads", "kv_heads", "head_dim", "ffn_width", "vocab", "context")
_HEAD = {"time": "24:00:00", "ntasks": 1, "gres": "gpu:1"}


def settings_of(run: Run, number: int = 1) -> dict[str, Any]:
    """All that a template may name: name, recipe, N, D, flops, seed, lr, batch (tokens), and the shape's sizes."""
    inner = parameters(run.shape, "kaplan2020").total if run.shape else run.N
    lr = float(steplaw_lr.at("li2025step", N_nonemb=inner, D=run.D))
    out: dict[str, Any] = {
        "name": f"{number:03d}-{_short(run.N)}-{_short(run.D)}" + (f"-{run.recipe}" if run.recipe else ""),
        "recipe": run.recipe, "N": round(run.N), "D": round(run.D), "flops": f"{run.flops:.4g}", "seed": run.seed,
        "lr": f"{lr:.3g}", "batch": round(float(steplaw_batch.at("li2025step", D=run.D))),
    }  # fmt: skip
    return out | ({name: getattr(run.shape, name) for name in _SHAPE} if run.shape else {})


def _short(count: float) -> str:
    count = float(f"{count:.3g}")
    for unit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if count >= unit:
            return f"{count / unit:.3g}{letter}"
    return f"{count:.3g}"


def to_csv(made: NextRuns) -> str:
    """A row for each run: name, recipe (where there are two), params, tokens, flops, seed, lr, batch_tokens, shape."""
    rename = {"N": "params", "D": "tokens", "batch": "batch_tokens", "layers": "depth"}
    rows = [settings_of(run, i) for i, run in enumerate(made.runs, 1)]
    drop = {"vocab", "context"} | (set() if any(r["recipe"] for r in rows) else {"recipe"})
    file = StringIO()
    names = [k for k in (rows[0] if rows else settings_of(Run(1e6, 1e6, 6e12))) if k not in drop]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([rename.get(k, k) for k in names])
    writer.writerows([[row[k] for k in names] for row in rows])
    return file.getvalue()


def commands(made: NextRuns, template: str = "") -> list[str]:
    """A shell command for each run. template: see the module; by default `PLAIN`, or `SHAPED` where runs have shapes.

    Raises ValueError for a name in braces that a run has not.
    """
    template = template or (SHAPED if made.runs and made.runs[0].shape else PLAIN)
    rows = [settings_of(run, i) for i, run in enumerate(made.runs, 1)]
    return [_filled(template, row) for row in rows]


def _filled(template: str, row: Mapping[str, Any]) -> str:
    try:
        wanted = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
        for name in wanted:
            if name not in row:
                hint = "; give like=, a shape" if name in _SHAPE else did_you_mean(name, list(row))
                raise ValueError(f"{{{name}}} is not known of a run{hint}")
        return template.format_map({k: shlex.quote(v) if isinstance(v, str) else v for k, v in row.items()})
    except (ValueError, IndexError, KeyError) as problem:
        raise ValueError(f"template {template!r}: {problem}") from None


def shell_script(made: NextRuns, template: str = "") -> str:
    """All commands one after another, stopping at the first that fails."""
    lines = ["#!/usr/bin/env bash", f"# {_title(made)}", "set -euo pipefail", "", *commands(made, template)]
    return "\n".join(lines) + "\n"


def slurm_script(made: NextRuns, template: str = "", **head: Any) -> str:
    """A Slurm job array with one task for each run, cheapest first. head: sbatch options (``time="2:00:00"``).

    Raises ValueError where there are no runs to make.
    """
    if not made.runs:
        raise ValueError(f"there are no runs to make: {made.reason}")
    options = {"job-name": "lawful-next", "array": f"1-{len(made.runs)}", "output": "slurm-%A-%a.out"}
    options |= {**_HEAD, **{k.replace("_", "-"): v for k, v in head.items()}}
    lines = ["#!/usr/bin/env bash", *(f"#SBATCH --{k}={v}" for k, v in options.items()), f"# {_title(made)}"]
    lines += ["set -euo pipefail", "", 'case "$SLURM_ARRAY_TASK_ID" in']
    lines += [f"  {i}) {command} ;;" for i, command in enumerate(commands(made, template), 1)]
    lines += ['  *) echo "no run has the number $SLURM_ARRAY_TASK_ID" >&2; exit 2 ;;', "esac"]
    return "\n".join(lines) + "\n"


def _title(made: NextRuns) -> str:
    return f"{len(made.runs)} runs, {made.flops:.3g} FLOP, to decide on the {made.decision}"
