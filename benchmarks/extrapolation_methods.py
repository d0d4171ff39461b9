"""What is compared: lawful's choice and its intervals, naive forecasts, every law of the catalogue, the paper's law.

Each returns predictions (m,) at the test rows of a `Task`, nan where it has none. Every law is fitted as lawful does by
default, to each group by itself; the published form, with the published objective, to the same lower part.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from time import process_time
from typing import Any

import numpy as np
from extrapolation_split import Task, levels

import lawful
from lawful.law import Law
from lawful.laws import all_laws
from lawful.quantities import find

LEVELS = (0.5, 0.8, 0.9, 0.95)
SLOW = ("m4",)  # implicit in y: costs more than all others together; --slow asks for it
_LIKE = {  # what laws may predict for a kind of outcome
    "loss": ("L", "y", "bpb", "bpc"),
    "bpb": ("bpb", "L", "y", "bpc"),
    "loss_unigram": ("L_u", "y"),
    "accuracy": ("accuracy", "score", "y"),
    "error": ("error", "y", "L"),
}


@dataclass(frozen=True)
class Auto:
    """lawful's forecast. lower, upper: by level, (m,) each. chosen: law by group. failed: reason by group."""

    estimate: np.ndarray
    lower: dict[float, np.ndarray]
    upper: dict[float, np.ndarray]
    flag: np.ndarray
    chosen: dict[str, str]
    failed: dict[str, str]
    seconds: float = 0.0


def auto(task: Task, wanted: tuple[float, ...] = LEVELS) -> Auto:
    """`lawful.fit("auto", ...)` on each group, and its forecasts of one new run, all by default."""
    m, begin = len(task.y), process_time()
    out = Auto(np.full(m, np.nan), *({p: np.full(m, np.nan) for p in wanted} for _ in range(2)), np.full(m, "", object),
               {}, {})  # fmt: skip
    with without(task.set), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fits: Any = lawful.fit("auto", task.train, target=task.target, by="series")
        except ValueError as problem:
            return replace(out, failed={g: str(problem) for g in task.groups})
        failed = dict(fits.failed)
        served = [list(fits)]
        while served:  # all groups in one call; where one stops it, each by itself
            some = served.pop()
            try:
                _forecast(task, fits, some, out)
            except ValueError as problem:
                if len(some) == 1:
                    failed[some[0]] = f"fitted, but: {problem}"
                else:
                    served += [[g] for g in some]
    chosen = {k: named(f) for k, f in fits.items()}
    return replace(out, chosen=chosen, failed=failed, seconds=process_time() - begin)


def _forecast(task: Task, fits: Any, groups: list[str], out: Auto) -> None:
    """Write the forecasts of some groups into ``out``."""
    known = np.flatnonzero(np.isin(task.series, groups))
    test = task.test.take(known)
    for p in out.lower:
        made = lawful.forecast(fits, test, kind="run", level=p)
        out.estimate[known], out.flag[known] = made.estimate, made.flag
        out.lower[p][known], out.upper[p][known] = made.lower, made.upper


def without(name: str) -> AbstractContextManager[Any]:
    """Keep a set out of what forecasts are calibrated on, so that no set is judged by its own errors."""
    try:
        from lawful.calibration import leave_out  # type: ignore[import-not-found]
    except ImportError:
        return nullcontext()
    return leave_out(name)


def named(fit: Any) -> str:
    """A fit's law with the column that stands for x, and how many laws share its forecast."""
    x = fit.points.columns.get("x") if "x" in fit.law.variables else None
    more = len(getattr(fit, "others", ()))
    return (f"{fit.law.name}({x})" if x else fit.law.name) + (f" +{more}" if more else "")


def naive(task: Task) -> dict[str, np.ndarray]:
    """Last value, the line through the last two levels, and the straight line of all levels, in log-log."""
    out = {k: np.full(len(task.y), np.nan) for k in ("last value", "last two points", "power law")}
    for g in task.groups:
        here, x, y = task.series == g, task.before[g], task.level[g]
        level = levels(x)
        middle = [np.median(y[level == k]) for k in range(level.max() + 1)]
        at = [np.exp(np.median(np.log(x[level == k]))) for k in range(level.max() + 1)]
        out["last value"][here] = middle[-1]
        if y.min() <= 0:
            continue
        slope = np.log(middle[-1] / middle[-2]) / np.log(at[-1] / at[-2])
        out["last two points"][here] = middle[-1] * (task.scale[here] / at[-1]) ** slope
        line = np.polyfit(np.log(x), np.log(y), 1)
        out["power law"][here] = np.exp(np.polyval(line, np.log(task.scale[here])))
    return out


def catalogue(task: Task, most: int = 99, slow: bool = False) -> list[tuple[str, Law, dict[str, Any]]]:
    """Every law of the catalogue whose variables the table has, with x along the axis and along N, D and C alone."""
    out: list[tuple[str, Law, dict[str, Any]]] = []
    like = _LIKE.get(task.target, (task.target, "y", "L"))
    quantity = find(task.axis.removeprefix("-"))
    axis = quantity.symbol if quantity is not None else task.axis.removeprefix("-")
    along = dict.fromkeys(s for s in (axis, "N", "D", "C") if s in task.train and _varies(task, s))
    numbers = min(len(task.level[g]) for g in task.groups)
    for law in all_laws().values():
        if law.predicts not in like or not 0 < len(law.parameters) <= most or (law.name in SLOW and not slow):
            continue
        if any(p.by for p in law.parameters):
            continue  # has groups of its own
        if "x" in law.variables:
            others = [v for v in law.variables if v != "x"]
            if all(v in task.train for v in others):
                out += [(f"{law.name}({c})", law, {"x": c}) for c in _unlike(task, along)]
        elif all(v in task.train and (v in law.arrays or _varies(task, v) or v in ("w", "V")) for v in law.variables):
            out.append((law.name, law, {}))
    return [entry for entry in out if len(entry[1].parameters) <= numbers]


def _unlike(task: Task, along: dict[str, None]) -> list[str]:
    """Without those that are the same column under another name."""
    seen: list[str] = []
    for c in along:
        if not any(np.array_equal(task.train[c], task.train[s]) for s in seen):
            seen.append(c)
    return seen


def _varies(task: Task, column: str) -> bool:
    x = task.train[column]
    return bool(x.ndim == 1 and np.isfinite(x).all() and x.min() > 0 and x.max() > 1.02 * x.min())


def fitted(task: Task, law: Law, variables: dict[str, Any], **options: Any) -> np.ndarray:
    """Predictions of one law, fitted to each group; nan for groups that it cannot serve."""
    out = np.full(len(task.y), np.nan)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fits: Any = lawful.fit(
                law, task.train, target=task.target, by="series", variables=variables or None, **options
            )
    except (ValueError, TypeError):
        return out
    for g, one in fits.items():
        here = np.flatnonzero(task.series == g)
        X = {}
        for v in law.variables:
            column = one.points.columns[v]
            x = np.asarray(task.test[column], float)[here]
            X[v] = x.T if v in law.arrays else x
        with np.errstate(all="ignore"):
            out[here] = one.at_points(X)
    return out


def published(task: Task) -> np.ndarray | None:
    """The paper's law in the paper's way, refitted to the lower part; None where the paper has none."""
    if not task.published:
        return None
    entry = dict(task.published)
    law = all_laws()[entry.pop("law")]
    return fitted(task, law, entry.pop("variables", {}), **entry)


def hindsight(
    task: Task, laws: list[tuple[str, Law, dict[str, Any]]], tell: Callable[[str], None] | None = None
) -> dict[str, np.ndarray]:
    """Predictions of every law of a `catalogue`."""
    out = {}
    for name, law, variables in laws:
        begin = process_time()
        out[name] = fitted(task, law, variables)
        if tell:
            tell(f"    {name} {process_time() - begin:.1f} s")
    return out
