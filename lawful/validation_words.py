"""What a validation says in words: its table, its errors by distance, and its findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawful.describe import percent
from lawful.findings import Finding, counted
from lawful.scores import relative_error
from lawful.uncertainty import Interval

if TYPE_CHECKING:
    from lawful.validation import Validation

_WORSE = 0.1  # a skill so far below 0 is an error; nearer to it a law is merely no better
_SHORT = {"last value": "value", "last two points": "points", "power law": "power"}


def table_rows(v: Validation) -> list[tuple[str, ...]]:
    """The title, of two lines, and one row per law and baseline, as text."""
    names = [b.name for b in v.baselines if b.name in v.scores]
    title = [
        "\n",
        "\nerror",
        "90%\ninterval",
        "RMSE\nof log",
        "\nR2",
        "\nCRPS",
        f"interval\nscore {100 * v.middle:g}%",
    ]
    title += [f"skill\n{_SHORT[n]}" for n in names] + [f"inside\n{100 * level:g}%" for level in v.levels]
    rows = [tuple(title)]
    for name, s in v.scores.items():
        error = v.error(name)
        span = "cannot tell" if error.verdict else f"{percent(error.lower)} to {percent(error.upper)}"
        skills = ["" if name == b else f"{round(v.skill(name, b).estimate, 2) + 0:.2f}" for b in names]
        inside = [f"{s.coverage[level]:.0%}" if level in s.coverage else "" for level in v.levels]
        score = _three(s.interval_score[v.middle]) if s.interval_score else ""
        cells = (percent(s.relative_error), span, f"{s.rmse_log:.4f}", f"{s.r2:.3f}", _three(s.crps), score)
        rows.append((name, *cells, *skills, *inside))
    return rows


def distance_rows(v: Validation) -> list[tuple[str, ...]]:
    """The title and one row per law and baseline: the error in each half decade beyond the runs seen."""
    bins = v.distances(v.best)
    rows = [("error by decades beyond", *(f"{b.lower:g} to {b.upper:g}" for b in bins))]
    rows += [(name, *(percent(b.value) for b in v.distances(name))) for name in v.scores]
    return [*rows, ("forecasts", *(str(b.points) for b in bins))]


def _three(x: float) -> str:
    return "no limit" if np.isinf(x) else f"{x:.3g}"


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows as aligned columns; a cell of two lines makes two of its row."""
    flat = [tuple(line) for row in rows for line in (zip(*(c.split("\n") for c in row)) if "\n" in row[0] else [row])]
    wide = [max(len(row[i]) for row in flat) for i in range(len(flat[0]))]
    cells = ([row[0].ljust(wide[0]), *(c.rjust(w) for c, w in zip(row[1:], wide[1:]))] for row in flat)
    return ["  ".join(line).rstrip() for line in cells]


# ---- findings


def findings_of(v: Validation) -> tuple[Finding, ...]:
    """Whether the best law earns its parameters, whether its intervals hold, and what could not be fitted."""
    said = (_verdict, _chosen, _intervals_hold, _open, _flagged, _missing)
    return (*(f for say in said for f in say(v)), *v.problems)


def _verdict(v: Validation) -> list[Finding]:
    base = v.best_baseline
    if base is None:
        return []
    found, units = v.skill(v.best, base), counted(len(v.units), v.unit)
    errors = percent(v.mean_error(v.best)), percent(v.mean_error(base))
    said = f"{v.best} errs by {errors[0]}, the best naive forecast ({base}) by {errors[1]}"
    if not v.sure:
        text = f"{said}; {units} held out are too few to tell which is better."
        return [Finding("few_scales", "warning", text, (), "Add runs at other scales.")]
    if found.lower > 0:
        return [Finding("beats_naive", "note", f"{said}: better, skill {_span(found)}.")]
    if found.upper < 0 and found.estimate <= -_WORSE:
        text = f"{said}: worse, skill {_span(found)}."
        return [Finding("naive_wins", "error", text, (), "Do not extrapolate on this law.")]
    if found.upper < 0:
        text = f"{said}: no better, skill {_span(found)}."
        return [Finding("naive_may_win", "warning", text, (), "Do not extrapolate on this law alone.")]
    text = f"{said}: cannot tell which is better, skill {_span(found)}."
    return [Finding("naive_may_win", "warning", text, (), "Do not extrapolate on this law alone.")]


def _span(x: Interval) -> str:
    return f"{x.estimate:.2f} [{x.lower:.2f}, {x.upper:.2f}]"


def _intervals_hold(v: Validation) -> list[Finding]:
    """Of each law, the level whose coverage is surely too low, or that they hold as far as can be told."""
    said = []
    for one in v.laws:
        if one.name not in v.scores:
            continue
        shares = {level: v.coverage(one.name, level, sure=0.98) for level in v.levels}
        narrow = [level for level, c in shares.items() if c.upper < level]
        if narrow:
            level = max(narrow)
            c = shares[level]
            text = (
                f"Intervals of {one.name} are too narrow: those of {100 * level:g} % hold {c.estimate:.0%} "
                f"[{c.lower:.0%}, {c.upper:.0%}] of the held-out runs."
            )
            said.append(Finding("too_narrow", "warning", text, (), "Widen them, or do not forecast this far."))
    return said


def _chosen(v: Validation) -> list[Finding]:
    """Which laws "auto" took."""
    said = []
    for one in v.laws:
        names = list(one.fitted.values())
        if one.name.startswith("auto") and names:
            counts = sorted({n: names.count(n) for n in names}.items(), key=lambda item: -item[1])
            told = ", ".join(f"{n} {count} times" if count > 1 else f"{n} once" for n, count in counts)
            said.append(Finding("chosen", "note", f"{one.name} chose {told}."))
    return said


def _open(v: Validation) -> list[Finding]:
    """Intervals without an end, which cover whatever comes."""
    said = []
    for one in v.laws:
        if one.name not in v.scores:
            continue
        low, high = (one.ends[v.middle][k][v.common] for k in (0, 1))
        count = int((np.isinf(high) | np.isinf(low) | (v.log & (low <= 0))).sum())
        if count:
            text = f"{count} of {len(low)} intervals of {one.name} ({100 * v.middle:g} %) have no limit"
            said.append(Finding("open_intervals", "note", f"{text}: the runs below the origin set none."))
    return said


def _flagged(v: Validation) -> list[Finding]:
    """What the flags were worth: errors of the best law's forecasts with and without one."""
    i, one = v.common, v[v.best]
    flagged = np.array([bool(one.flags[k]) for k in i])
    if not flagged.any():
        return []
    error = relative_error(v.held.truth[i], one.estimate[i])
    head = f"{int(flagged.sum())} of {len(i)} forecasts of {v.best} were flagged"
    text = f"{head}; they err by {percent(error[flagged].mean())}"
    rest = f", the others by {percent(error[~flagged].mean())}." if (~flagged).any() else "."
    return [Finding("flagged", "note", text + rest)]


def _missing(v: Validation) -> list[Finding]:
    said = []
    for one in v.laws:
        if one.why_not:
            where, why = next(iter(one.why_not.items()))
            more = f" and {len(one.why_not) - 1} more" if len(one.why_not) > 1 else ""
            text = f"{one.name} made no forecast from {where}{more}: {why.rstrip('.')}."
            said.append(Finding("not_fitted", "warning", text, (), "These held-out runs are scored for no law."))
    for one in v.baselines:
        if one.name not in v.scores:
            count = int(np.isnan(one.estimate[v.common]).sum())
            text = f"The {one.name} says nothing of {count} of {len(v.common)} held-out forecasts and is not scored."
            said.append(Finding("no_baseline", "note", text))
    return said
