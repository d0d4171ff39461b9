"""How good are lawful's forecasts of larger scale? A folder of sets in, one table out.

Every table of every set is cut by scale (`extrapolation_split`): lawful sees the lower part, by its defaults, and its
forecasts of the upper part are compared with the outcomes, with naive forecasts, with every law of the catalogue in
hindsight, and with the published law refitted to the same lower part. Sets that it has not seen are read by the names
of their columns; what cannot be used is listed with the reason.

    python benchmarks/extrapolation.py                       # the folder shared/data beside the repository
    python benchmarks/extrapolation.py FOLDER --sets a,b     # some sets of another folder
    python benchmarks/extrapolation.py --train A --test B    # fit a set of A, predict the same files of B
    python benchmarks/extrapolation.py --quick               # fewer groups, small laws, 90 % alone
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import pickle
import sys
from pathlib import Path
from time import process_time

import numpy as np
from extrapolation_methods import LEVELS, auto, catalogue, hindsight, naive, published
from extrapolation_report import Line, line, page, records, table, totals
from extrapolation_split import Task, split
from extrapolation_tables import Declared, declarations, frame_of, plans, prepare
from joblib import Parallel, delayed

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared" / "data"


def main(argv: list[str] | None = None) -> int:
    options = _options(argv)
    folder = options.train or options.folder
    declared = declarations(options.declared) if options.declared.is_file() else []
    wanted = set(options.sets.split(",")) if options.sets else None
    chosen = [(d, p) for d, p in plans(folder, declared) if not wanted or {d.set, d.name} & wanted]
    done = Parallel(n_jobs=options.jobs)(delayed(one_table)(d, p, options) for d, p in chosen)
    lines = [found for found in done if isinstance(found, Line)]
    left = [(d.name, found) for (d, _), found in zip(chosen, done) if not isinstance(found, Line)]
    if options.points:
        _write(options.points, [row for x in lines for row in x.rows])
    report(lines, left, options)
    return 0


def one_table(entry: Declared, path: Path, options: argparse.Namespace) -> Line | str:
    """What was measured on a table, or why it cannot be used."""
    begin = process_time()
    try:
        out = measure(task_of(entry, path, options), options)
    except (ValueError, FileNotFoundError) as problem:
        return str(problem)
    print(f"{out.name}: {process_time() - begin:.0f} s, of which auto {out.seconds:.0f} s", file=sys.stderr, flush=True)
    return out


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=SHARED, help="a folder of sets, or one set")
    parser.add_argument("--sets", help="names of sets or tables (set:part), with commas")
    parser.add_argument("--train", type=Path, help="folder whose rows are fitted, all of them")
    parser.add_argument("--test", type=Path, help="folder whose rows are predicted: sets and files of the same names")
    parser.add_argument("--declared", type=Path, default=HERE / "extrapolation.toml", help="what is known of the sets")
    parser.add_argument("--groups", type=int, default=8, help="groups of a table at most, sampled by seed")
    parser.add_argument("--jobs", type=int, default=1, help="tables measured at once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="4 groups, laws up to 5 parameters, 90 %% intervals")
    parser.add_argument("--slow", action="store_true", help="all laws of the catalogue, the slow ones too")
    parser.add_argument("--cache", type=Path, help="folder in which predictions of the catalogue are kept")
    parser.add_argument("--csv", type=Path, help="write a line for each table here")
    parser.add_argument("--points", type=Path, help="write a line for each predicted point here")
    parser.add_argument("--page", type=Path, help="write the results into this page, after its heading Results")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args(argv)
    if (options.train is None) != (options.test is None):
        parser.error("--train and --test go together")
    return options


def task_of(entry: Declared, path: Path, options: argparse.Namespace) -> Task:
    """Read a table, with the rows of another folder to predict where there is one, and cut it."""
    from dataclasses import replace

    import polars as pl

    if entry.skip:
        raise ValueError(entry.skip)
    frame = frame_of(path)
    if options.test is not None:
        other = options.test / path.relative_to(options.train)
        if not other.is_file():
            raise FileNotFoundError(f"{options.test} has no {path.relative_to(options.train)}")
        parts = [f.with_columns(pl.lit(seen).alias("to_fit")) for f, seen in ((frame, True), (frame_of(other), False))]
        frame, entry = pl.concat(parts, how="diagonal_relaxed"), replace(entry, seen="to_fit")
    return split(prepare(frame, entry), 4 if options.quick else options.groups, options.seed)


def measure(task: Task, options: argparse.Namespace) -> Line:
    """All that is compared on one table."""
    made = auto(task, (0.9,) if options.quick else LEVELS)
    others = naive(task)
    theirs = published(task)
    if theirs is not None:
        others["published"] = theirs
    laws = _kept(task, options)
    return line(task, made, others, laws)


def _kept(task: Task, options: argparse.Namespace) -> dict[str, np.ndarray]:
    """`hindsight`, from the cache where the same table was fitted by the same laws before."""
    tell = (lambda text: print(text, file=sys.stderr, flush=True)) if options.verbose else None
    laws = catalogue(task, 5 if options.quick else 99, options.slow)
    if options.cache is None:
        return hindsight(task, laws, tell)
    names = sorted(name for name, _, _ in laws)
    what = hashlib.sha256(repr((task.name, task.train.fingerprint, task.test.fingerprint, names)).encode())
    file = options.cache / f"{what.hexdigest()[:24]}.pickle"
    if not file.is_file():
        options.cache.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pickle.dumps(hindsight(task, laws, tell)))
    return pickle.loads(file.read_bytes())


def report(lines: list[Line], left: list[tuple[str, str]], options: argparse.Namespace) -> None:
    print(table(lines))
    for what, told, bar, met in totals(lines) if lines else []:
        print(
            f"{'' if not bar else 'met    ' if met else 'MISSED '}{what}: {told}" + (f"   [bar: {bar}]" if bar else "")
        )
    for x in lines:
        for group, why in x.failed.items():
            print(f"no forecast: {x.name}, {group}: {why}")
    for name, why in left:
        print(f"not used: {name}: {why}")
    if options.page and lines:
        options.page.write_text(page(options.page.read_text("utf-8"), lines, left), "utf-8")
    if options.csv and lines:
        _write(options.csv, [records(x) for x in lines])


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    names = list(dict.fromkeys(k for r in rows for k in r))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    raise SystemExit(main())
