"""The library of backtests: how far off forecasts of larger scale were on public sets, in units of what was claimed.

Every table of a folder of sets is cut by scale as in `extrapolation.py`; lawful's choice is fitted to the lower part
and forecasts the upper. A row is written for each table and kind: kappa, the factor on the claimed standard error that
the signed mean errors of its groups ask for. Facts about the sets are kept, not their data.

    python benchmarks/backtests.py                       # the folder shared/data beside the repository
    python benchmarks/backtests.py FOLDER --out FILE --sets a,b
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from extrapolation_split import Task, split
from extrapolation_tables import declarations, frame_of, plans, prepare

import lawful
from lawful.calibration import evidence, kappa_of
from lawful.company import axis_of
from lawful.forecast import average_at
from lawful.forecast_law import to_space

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared" / "data"
LIBRARY = HERE.parent / "lawful" / "backtests.json"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=SHARED)
    parser.add_argument("--out", type=Path, default=LIBRARY)
    parser.add_argument("--sets", help="names of sets, with commas")
    options = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    for declared, path in plans(options.folder, declarations(HERE / "extrapolation.toml")):
        if declared.skip or (options.sets and declared.set not in options.sets.split(",")):
            continue
        try:
            task = split(prepare(frame_of(path), declared), 12, 0)
        except ValueError as problem:
            print(f"{declared.name}: {problem}", file=sys.stderr)
            continue
        made = backtested(task)
        rows += [{"set": declared.set, "table": declared.name, "paper": paper(path.parent)} | row for row in made]
        write(rows, options.out)
        print(f"{declared.name}: {len(made)} rows", file=sys.stderr, flush=True)
    return 0


def write(rows: list[dict[str, Any]], out: Path) -> None:
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    out.write_text(f'{{"rows": [\n{lines}\n]}}\n', encoding="utf-8")


def paper(folder: Path) -> str:
    """The paper that a set's README names."""
    readme = folder / "README.md"
    lines = readme.read_text(encoding="utf-8").splitlines() if readme.is_file() else []
    said = next((line.split("|")[2].strip() for line in lines if line.startswith("| paper |")), "")
    return said if len(said) <= 160 else said[:157] + "..."


def backtested(task: Task) -> list[dict[str, Any]]:
    """A row for each kind of the fits to the groups of a table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fits: Any = lawful.fit("auto", task.train, target=task.target, by="series")
        except ValueError:
            return []
        evidence(list(fits.values()))
        found = {g: _errors(task, fit, g) for g, fit in fits.items()}
    out = []
    for kind in sorted({evidence([f])[0].kind for f in fits.values()}):
        own = [g for g, f in fits.items() if evidence([f])[0].kind == kind]
        usable = np.array([found[g] for g in own if found[g] is not None])
        if len(usable):
            here = np.isin(task.series, own)
            out.append({
                "kind": kind, "axis": axis_of(fits[own[0]])[0], "groups": len(usable), "points": int(here.sum()),
                "decades": round(float(np.median(task.distance[here])), 2),
                "kappa": round(kappa_of(*usable[:, [0, 1, 3, 4]].T), 3),
                "kappa_law": round(kappa_of(*usable[:, [0, 2, 3, 4]].T), 3),
            })  # fmt: skip
    return out


def _errors(task: Task, fit: Any, group: str) -> tuple[float, ...] | None:
    """Mean error of a group's runs, standard error doubted and claimed, noise of their mean, degrees of freedom."""
    here = np.flatnonzero(task.series == group)
    if not len(here):
        return None
    test = task.test.take(here)
    at = {c: test[c] for c in test.frame.columns if c != "series"}
    mean, law = average_at(fit, at), average_at(fit, at, doubt=False)
    error = to_space(fit, task.y[here]) - mean.value
    good = np.isfinite(error) & np.isfinite(mean.se) & (mean.dof > 0)
    if not good.any():
        return None
    noise = float(np.sqrt(np.mean(mean.noise[good] ** 2) / good.sum()))
    dof = min(float(mean.dof[good].min()), max(evidence([fit])[0].levels - 1.0, 1.0))
    return float(error[good].mean()), float(mean.se[good].mean()), float(law.se[good].mean()), noise, dof


if __name__ == "__main__":
    sys.exit(main())
