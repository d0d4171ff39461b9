"""From predictions to the table: one line for each table of runs, and the totals against the bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from extrapolation_methods import LEVELS, Auto
from extrapolation_split import Task

FRACTIONS = ("accuracy", "error")
NAIVE = ("last value", "last two points", "power law")


@dataclass(frozen=True)
class Line:
    """What was measured on one table: mean absolute relative errors, means over groups; coverage over points.

    errors: of auto, the naive forecasts, the published form. rmse: of log, for auto. laws: error of every law that
    served every group. width: mean of log(upper / lower), or of the width over |y| where y is not positive.
    """

    name: str
    set: str
    target: str
    axis: str
    groups: int
    points: int
    decades: float
    chosen: str
    errors: dict[str, float]
    rmse: float
    laws: dict[str, float]
    coverage: dict[float, float]
    width: dict[float, float]
    flagged: float
    unflagged: float
    seconds: float
    failed: dict[str, str]
    notes: tuple[str, ...] = ()
    inside: dict[float, np.ndarray] = field(default_factory=dict, repr=False)
    rows: tuple[dict[str, object], ...] = field(default=(), repr=False)  # a record for each predicted point

    @property
    def best(self) -> str:
        return min(self.laws, key=lambda k: self.laws[k], default="")

    @property
    def regret(self) -> float:
        best = self.laws.get(self.best, np.nan)
        return self.errors["auto"] / best - 1 if best > 0 else np.nan


def relative(predicted: np.ndarray, y: np.ndarray, target: str = "") -> np.ndarray:
    """Absolute errors relative to the outcome; of fractions to a tenth at least, since they may be 0."""
    least = 0.1 if target in FRACTIONS else 1e-12
    with np.errstate(all="ignore"):
        return np.abs(predicted - y) / np.maximum(np.abs(y), least)


def by_group(task: Task, error: np.ndarray, groups: list[str]) -> float:
    """Mean over groups of the mean over points; nan where a group has no forecast."""
    means = [float(np.mean(error[task.series == g])) for g in groups]
    return float(np.mean(means)) if means and np.isfinite(means).all() else np.nan


def line(task: Task, made: Auto, others: dict[str, np.ndarray], laws: dict[str, np.ndarray]) -> Line:
    """Compare on the groups that auto served; those that it did not serve are named in ``failed``."""
    served = [g for g in task.groups if np.isfinite(made.estimate[task.series == g]).all()]
    failed = {g: made.failed.get(g, "forecasts that are not finite") for g in task.groups if g not in served}
    here = np.isin(task.series, served)
    errors = {"auto": by_group(task, relative(made.estimate, task.y, task.target), served)}
    errors |= {k: by_group(task, relative(p, task.y, task.target), served) for k, p in others.items()}
    scored = {k: by_group(task, relative(p, task.y, task.target), served) for k, p in laws.items()}
    with np.errstate(all="ignore"):
        logs = np.log(made.estimate / task.y)[here]
        inside = {p: ((made.lower[p] <= task.y) & (task.y <= made.upper[p]))[here] for p in made.lower}
        width = {p: _width(made.lower[p][here], made.upper[p][here], task.y[here]) for p in made.lower}
    flag = np.array([bool(f) for f in made.flag])[here]
    at = 0.9 if 0.9 in inside else next(iter(inside), 0.9)
    clean = inside[at][~flag] if here.any() else np.array([])
    chosen = Counter(made.chosen.get(g, "?") for g in served)
    return Line(
        task.name, task.set, task.target, task.axis, len(served), int(here.sum()),
        float(np.max(task.distance, initial=0.0)),
        ", ".join(f"{k} {n}/{len(served)}" if len(served) > 1 else k for k, n in chosen.most_common(2)), errors,
        float(np.sqrt(np.mean(logs**2))) if here.any() and np.isfinite(logs).all() else np.nan,
        {k: v for k, v in scored.items() if np.isfinite(v)}, {p: float(v.mean()) for p, v in inside.items() if v.size},
        width, float(flag.mean()) if flag.size else np.nan, float(clean.mean()) if clean.size else np.nan,
        made.seconds, failed, task.notes, inside, _rows(task, made),
    )  # fmt: skip


def _rows(task: Task, made: Auto) -> tuple[dict[str, object], ...]:
    """Every predicted point: what calibration and plots are made of."""
    out = []
    for i, y in enumerate(task.y):
        g = task.series[i]
        ends = {f"{end}_{100 * p:.0f}": getattr(made, end)[p][i] for p in made.lower for end in ("lower", "upper")}
        out.append({
            "set": task.set, "table": task.name, "series": g, "target": task.target, "axis": task.axis,
            "decades": task.distance[i], "y": y, "law": made.chosen.get(g, ""), "estimate": made.estimate[i], **ends,
            "flag": made.flag[i],
        })  # fmt: skip
    return tuple(out)


def _width(lower: np.ndarray, upper: np.ndarray, y: np.ndarray) -> float:
    if not len(y):
        return np.nan
    if np.all(y > 0) and np.all(lower >= 0):
        return float(np.mean(np.log(upper / np.maximum(lower, 1e-300))))
    return float(np.mean((upper - lower) / np.abs(y)))


def _percent(x: float | np.floating | None, digits: int = 2) -> str:
    return f"{100 * x:.{digits}f}" if x is not None and np.isfinite(x) else "-"


COLUMNS: dict[str, Callable[[Line], str]] = {
    "set": lambda x: x.name,
    "axis": lambda x: x.axis,
    "groups": lambda x: f"{x.groups}" + (f" (+{len(x.failed)} failed)" if x.failed else ""),
    "points": lambda x: f"{x.points}",
    "decades": lambda x: f"{x.decades:.1f}",
    "chosen": lambda x: x.chosen,
    "auto": lambda x: _percent(x.errors["auto"]),
    "RMSE log": lambda x: _percent(x.rmse),
    "best law": lambda x: x.best,
    "its error": lambda x: _percent(x.laws.get(x.best)),
    "regret": lambda x: _percent(x.regret, 0),
    **{name: lambda x, name=name: _percent(x.errors.get(name)) for name in (*NAIVE, "published")},
    **{f"cov {100 * p:.0f}": lambda x, p=p: _percent(x.coverage.get(p), 0) for p in LEVELS},
    **{f"width {100 * p:.0f}": lambda x, p=p: f"{x.width.get(p, np.nan):.3g}" for p in LEVELS},
    "flagged": lambda x: _percent(x.flagged, 0),
}
ERRORS = ["set", "axis", "groups", "decades", "chosen", "auto", "best law", "its error", "regret", *NAIVE, "published"]
INTERVALS = ["set", "points", *(c for c in COLUMNS if c.startswith(("cov", "width"))), "flagged"]


def table(lines: Iterable[Line], columns: Iterable[str] = tuple(COLUMNS)) -> str:
    """A Markdown table; errors, regret, coverage and flags in percent, widths as log(upper / lower)."""
    head = list(columns)
    rows = [head, ["---"] * len(head), *([COLUMNS[c](x) for c in head] for x in lines)]
    return "\n".join("| " + " | ".join(r) + " |" for r in rows)


def page(text: str, lines: list[Line], left: list[tuple[str, str]]) -> str:
    """A page with all after its heading "Results" written anew."""
    bars = [f"| {what} | {told} | {bar or '-'} | {('yes' if met else '**no**') if bar else '-'} |"
            for what, told, bar, met in totals(lines)]  # fmt: skip
    without = [f"* {x.name}, {g}: no forecast: {why}" for x in lines for g, why in x.failed.items()]
    without += [f"* {name}: {why}" for name, why in left]
    notes = [f"* {x.name}: {note}" for x in lines for note in x.notes if "sampled" in note]
    parts = [
        text.split("## Results")[0] + "## Results",
        "\n".join(["| | measured | bar | met |", "| --- | --- | --- | --- |", *bars]),
        "### Errors\n\nMean absolute relative errors in percent, means over the groups.", table(lines, ERRORS),
        "### Intervals\n\nShare of the outcomes inside, in percent; mean width as log(upper / lower).",
        table(lines, INTERVALS), "### Not used, not served, sampled", "\n".join(without + notes) or "Nothing.",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def totals(lines: list[Line]) -> list[tuple[str, str, str, bool]]:
    """Each bar: what it is about, what was measured, the bar, whether it is met."""
    out = []
    for rival in ("last value", "power law"):
        able = [x for x in lines if _best_law(x) < x.errors.get(rival, np.nan)]
        won = [x for x in able if x.errors["auto"] < x.errors[rival]]
        lost = ", ".join(x.name for x in able if x not in won)
        told = f"{len(won)} of {len(able)}" + (f"; not {lost}" if lost else "")
        out.append((f"beats the {rival} where any law does", told, "all", len(won) == len(able)))
    theirs = [x for x in lines if np.isfinite(x.errors.get("published", np.nan))]
    won = [x for x in theirs if x.errors["auto"] <= x.errors["published"]]
    lost = ", ".join(x.name for x in theirs if x not in won)
    told = f"{len(won)} of {len(theirs)}" + (f"; not {lost}" if lost else "")
    out.append(("at least as good as the published law", told, ">= 2/3", 3 * len(won) >= 2 * len(theirs)))
    regrets = np.array([x.regret for x in lines if np.isfinite(x.regret)])
    if len(regrets):
        told = f"{_percent(regrets.mean(), 1)} % (median {_percent(np.median(regrets), 1)} %)"
        out.append(("mean regret against the best law in hindsight", told, "<= 30 %", bool(regrets.mean() <= 0.3)))
    failed = [f"{x.name} {len(x.failed)}" for x in lines if x.failed]
    return [*out, *_coverage(lines), ("groups without a forecast", "; ".join(failed) or "none", "none", not failed)]


def _coverage(lines: list[Line]) -> list[tuple[str, str, str, bool]]:
    out = []
    for p in LEVELS:
        inside = [x.inside[p] for x in lines if p in x.inside and x.inside[p].size]
        if not inside:
            continue
        pooled, by_set = float(np.concatenate(inside).mean()), float(np.mean([i.mean() for i in inside]))
        told = f"{_percent(pooled, 1)} % of points, {_percent(by_set, 1)} % as a mean of sets"
        bar, met = ("85 to 95 %", 0.85 <= pooled <= 0.95) if p == 0.9 else ("", True)
        out.append((f"{100 * p:.0f} % intervals cover", told, bar, met))
    low = [x for x in lines if x.points > 20 and x.coverage.get(0.9, 1) < 0.75]
    bad = "; ".join(f"{x.name} {_percent(x.coverage[0.9], 0)} % of {x.points}" for x in low)
    return [*out, ("sets of more than 20 points below 75 % at 90 %", bad or "none", "none", not low)]


def _best_law(x: Line) -> float:
    return x.laws.get(x.best, np.nan)


def records(x: Line) -> dict[str, object]:
    """A line as flat columns, for a CSV file."""
    out: dict[str, object] = {
        "table": x.name, "set": x.set, "target": x.target, "axis": x.axis, "groups": x.groups, "points": x.points,
        "decades": x.decades, "chosen": x.chosen, "best_law": x.best, "best_law_error": x.laws.get(x.best),
        "regret": x.regret, "rmse_log": x.rmse, "flagged": x.flagged, "coverage90_unflagged": x.unflagged,
        "failed_groups": len(x.failed), "seconds": x.seconds,
    }  # fmt: skip
    out |= {f"error_{k.replace(' ', '_')}": v for k, v in x.errors.items()}
    out |= {f"coverage_{100 * p:.0f}": v for p, v in x.coverage.items()}
    out |= {f"width_{100 * p:.0f}": v for p, v in x.width.items()}
    return out
