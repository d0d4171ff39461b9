"""Which law? The one that would have forecast these runs best, from the smaller to the larger.

Rolling origin: fit each candidate on the smallest scales, predict the rest, move the origin up, and compare the errors
on the origins that all candidates can serve. The simplest law within a tenth of the best score is taken. Naive
forecasts (the last value, the line through the last two points) always take part: where they win, the choice says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lawful.findings import Finding
from lawful.fit import Fit, Fits, fit
from lawful.law import Law
from lawful.laws import load
from lawful.objectives import Objective
from lawful.points import as_labels
from lawful.quantities import find

_ORIGINS = 6  # at most so many origins
_SLACK = 1.1  # a simpler law may be so much worse
_LINE = 0.999  # R2 of log D on log N from which they are one variable


@dataclass(frozen=True)
class Candidate:
    """A law with the columns of its variables."""

    law: Law
    variables: Mapping[str, Any]


@dataclass(frozen=True)
class Score:
    """The rolling-origin record of one candidate. error: mean absolute relative error over all held-out points."""

    name: str
    parameters: int
    error: float
    points: int
    origins: tuple[int, ...]
    why_not: str = ""


@dataclass(frozen=True)
class Choice:
    """The chosen fit, the scores of all candidates, and the reason in words."""

    fit: Fit | Fits
    scores: tuple[Score, ...]
    reason: str
    axis: str

    def __str__(self) -> str:
        rows = [f"{'candidate':<24}{'parameters':>11}{'error':>9}  held-out points"]
        for s in self.scores:
            shown = f"{s.error:>9.2%}  {s.points}" if np.isfinite(s.error) else f"{'':>9}  {s.why_not}"
            rows.append(f"{s.name:<24}{s.parameters or '':>11}{shown}")
        return "\n".join([self.reason, *rows])


def choose(
    runs: Any, *, target: str | None = None, by: str | None = None, objective: str | Objective | None = None,
    seed: int = 0, candidates: Sequence[str | Law | Candidate] | None = None,
) -> Choice:  # fmt: skip
    """Choose a law by rolling origin over the scale of the runs, and fit it.

    candidates: laws to choose from (default: those that suit the table's variables). by: choose for each group.
    Raises ValueError where the table has no variable of scale, or too few points for any candidate.
    """
    if by:
        return _by_group(runs, by, dict(target=target, objective=objective, seed=seed, candidates=candidates))
    listed = [_as_candidate(c) for c in candidates] if candidates else suited(runs, target)
    axis, scale = _axis(runs, listed)
    order = np.unique(scale)
    made = [_errors(c, runs, scale, order, target, objective, seed) for c in listed]
    naive = _naive(scale, np.asarray(runs[_target_name(runs, listed, target)], float), order)
    common = _common_origins([m for m in made if m])
    scores = [_score(_name(c), _size(c), m, common) for c, m in zip(listed, made)]
    scores += [_score(name, 0, m, common) for name, m in naive.items()]
    usable = [(s, c) for s, c in zip(scores, listed) if np.isfinite(s.error)]
    if not usable:  # too few points to hold any out: the simplest law that can be fitted at all
        return _without_test(runs, listed, scores, axis, target, objective, seed)
    best = min(s.error for s, _ in usable)
    near = [(s, c) for s, c in usable if s.error <= best * _SLACK + 1e-12]
    chosen_score, chosen = min(near, key=lambda p: (p[0].parameters, p[0].error))
    made_fit = fit(chosen.law, runs, target=target, variables=chosen.variables, objective=objective, seed=seed)
    reason = _reason(chosen_score, scores, axis)
    note = Finding("chosen", "note", reason)
    warning = _naive_wins(chosen_score, scores)
    made_fit = replace(made_fit, findings=(*made_fit.findings, note, *warning))  # type: ignore[type-var]
    return Choice(made_fit, tuple(sorted(scores, key=lambda s: s.error)), reason, axis)


def _by_group(runs: Any, by: str, options: dict[str, Any]) -> Choice:
    labels = as_labels(runs[by])
    fits, failed, scores, reasons = {}, {}, [], []
    axis = ""
    for label in sorted(set(labels)):
        part = _rows(runs, np.flatnonzero(labels == label))
        try:
            one = choose(part, **options)
        except ValueError as problem:
            failed[label] = str(problem)
            continue
        fits[label], axis = one.fit, one.axis
        scores += [replace(s, name=f"{label}: {s.name}") for s in one.scores]
        reasons.append(f"{label}: {one.reason}")
    if not fits:
        raise ValueError(f"no group of {by!r} can be fitted: {next(iter(failed.values()))}")
    return Choice(Fits(by, fits, failed), tuple(scores), " ".join(reasons), axis)


def _rows(runs: Any, index: np.ndarray) -> Any:
    """These rows of `Runs`, no longer grouped, or of a mapping of arrays."""
    if hasattr(runs, "take"):
        return replace(runs.take(index), by=())
    return {k: np.asarray(v)[index] for k, v in runs.items()}


def suited(runs: Any, target: str | None = None) -> list[Candidate]:
    """The candidates for a table: by its target and the variables of scale that vary.

    Accuracies: logistics in loss or in log N, and the bounded power. Losses: Chinchilla where N and D vary apart, power
    laws with and without constant along one axis, a law with one break from 12 points on.
    """
    name = target or next((n for n in ("loss", "L") if n in runs), None) or getattr(runs, "target", None)
    quantity = find(name) if name else None
    varying = [s for s in ("N", "N_nonemb", "D", "C", "U", "S", "x") if s in runs and _varies(runs[s])]
    if not varying:
        raise ValueError("auto needs a column of scale that varies: params, tokens, flops, or x; name it with columns=")
    if quantity is not None and quantity.kind == "fraction":
        listed = [Candidate(load("logistic_loss"), {})] if "L" in runs and _varies(runs["L"]) else []
        listed += [Candidate(load(n), {"N": varying[0]}) for n in ("logistic_log_n", "bounded_power_accuracy")]
        return listed
    apart = "N" in varying and "D" in varying and not _one_line(runs["N"], runs["D"])
    axis = "C" if apart and "C" in varying else varying[0]
    listed = [Candidate(load("chinchilla"), {})] if apart else []
    listed += [Candidate(load(n), {"x": axis}) for n in ("power_law", "power_law_constant")]
    if not apart and len(np.unique(np.asarray(runs[axis], float))) >= 12:
        listed.append(Candidate(load("bnsl_1"), {"x": axis}))
    return listed


def _varies(column: Any) -> bool:
    x = np.asarray(column, float) if np.asarray(column).dtype != object else np.array([])
    x = x[np.isfinite(x) & (x > 0)]
    return len(x) > 0 and x.max() > 1.05 * x.min()


def _one_line(N: Any, D: Any) -> bool:
    a, b = np.log(np.asarray(N, float)), np.log(np.asarray(D, float))
    good = np.isfinite(a) & np.isfinite(b)
    return bool(np.corrcoef(a[good], b[good])[0, 1] ** 2 > _LINE)


def _as_candidate(given: str | Law | Candidate) -> Candidate:
    return given if isinstance(given, Candidate) else Candidate(load(given) if isinstance(given, str) else given, {})


def _name(c: Candidate) -> str:
    x = c.variables.get("x")
    return f"{c.law.name}({x})" if x else c.law.name


def _size(c: Candidate) -> int:
    return len(c.law.parameters)


def _axis(runs: Any, listed: Sequence[Candidate]) -> tuple[str, np.ndarray]:
    """The scale along which the origin moves: compute where it is known or 6ND, else the candidates' own variable."""
    if any(len(c.law.variables) > 1 for c in listed):
        if "C" in runs:
            return "C", np.asarray(runs["C"], float)
        if "N" in runs and "D" in runs:
            return "6ND", 6 * np.asarray(runs["N"], float) * np.asarray(runs["D"], float)
    variable = listed[0].law.variables[0]
    column = listed[0].variables.get(variable, variable)
    scale = np.asarray(runs[column], float)
    return column, -scale if column in ("L", "loss") else scale  # smaller losses come later


def _target_name(runs: Any, listed: Sequence[Candidate], target: str | None) -> str:
    from lawful.points import points

    return target or points(listed[0].law, runs, variables=listed[0].variables).target


def _origins(order: np.ndarray) -> list[int]:
    """How many of the distinct scales to fit on: at most six origins, from two scales or a third of them on."""
    last = len(order) - 1
    first = 2 if last < 8 else max(2, len(order) // 3)
    return sorted(set(np.linspace(first, last, min(_ORIGINS, last - first + 1)).astype(int))) if last >= first else []


Errors = dict[int, np.ndarray]  # absolute relative errors of the held-out points, by origin


def _errors(
    c: Candidate, runs: Any, scale: np.ndarray, order: np.ndarray, target: str | None,
    objective: str | Objective | None, seed: int,
) -> Errors:  # fmt: skip
    out: Errors = {}
    for k in _origins(order):
        seen, later = np.flatnonzero(scale < order[k]), np.flatnonzero(scale >= order[k])
        try:
            made = fit(c.law, _rows(runs, seen), target=target, variables=c.variables, objective=objective, seed=seed)
        except ValueError:
            continue
        assert isinstance(made, Fit)
        there = _points_of(made, runs, later)
        predicted = made.at_points(there[0])
        with np.errstate(all="ignore"):
            error = np.abs(predicted / there[1] - 1)
        if np.isfinite(error).all():
            out[k] = error
    return out


def _points_of(made: Fit, runs: Any, rows: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    columns = made.points.columns
    X = {v: np.asarray(runs[columns[v]], float)[rows] for v in made.law.variables}
    return X, np.asarray(runs[made.points.target], float)[rows]


def _naive(scale: np.ndarray, y: np.ndarray, order: np.ndarray) -> dict[str, Errors]:
    """The last value (of the best run at the largest scale seen), and the log-log line through the last two scales."""
    last: Errors = {}
    line: Errors = {}
    positive = order.min() > 0 and y.min() > 0
    for k in _origins(order):
        later = scale >= order[k]
        a, b = (float(np.median(y[scale == order[i]])) for i in (k - 2, k - 1))
        last[k] = np.abs(b / y[later] - 1)
        if positive:
            slope = np.log(b / a) / np.log(order[k - 1] / order[k - 2])
            with np.errstate(over="ignore"):
                line[k] = np.abs(b * (scale[later] / order[k - 1]) ** slope / y[later] - 1)
    return {"last value": last, "last two points": line} if positive else {"last value": last}


def _common_origins(made: Sequence[Errors]) -> tuple[int, ...]:
    """The origins that every candidate serves; a candidate that shares none with the simplest is left aside."""
    if not made:
        return ()
    widest = max(made, key=len)
    shared = set(widest)
    for m in made:
        if shared & set(m):
            shared &= set(m)
    return tuple(sorted(shared))


def _score(name: str, size: int, made: Errors, common: tuple[int, ...]) -> Score:
    if not common or not set(common) <= set(made):
        return Score(name, size, np.inf, 0, (), "too few points before the first origin" if not made else "not finite")
    errors = np.concatenate([made[k] for k in common])
    return Score(name, size, float(errors.mean()), len(errors), common)


def _without_test(
    runs: Any, listed: Sequence[Candidate], scores: Sequence[Score], axis: str, target: str | None,
    objective: str | Objective | None, seed: int,
) -> Choice:  # fmt: skip
    problem: ValueError | None = None
    for c in sorted(listed, key=_size):
        try:
            made = fit(c.law, runs, target=target, variables=c.variables, objective=objective, seed=seed)
        except ValueError as error:
            problem = error
            continue
        reason = f"{_name(c)} is the simplest candidate; there are too few points to test it on larger scales."
        note = Finding("untested", "warning", reason, (), "Add runs at other scales.")
        return Choice(replace(made, findings=(*made.findings, note)), tuple(scores), reason, axis)  # type: ignore[type-var]
    raise problem or ValueError("auto: no candidate can be fitted")


def _reason(chosen: Score, scores: Sequence[Score], axis: str) -> str:
    others = [s for s in scores if s.name != chosen.name and np.isfinite(s.error)]
    listed = ", ".join(f"{s.name} {s.error:.2%}" for s in sorted(others, key=lambda s: s.error))
    return (
        f"{chosen.name} was chosen by rolling origin over {axis}: mean error {chosen.error:.2%} on {chosen.points} "
        f"held-out points" + (f" ({listed})." if listed else ".")
    )


def _naive_wins(chosen: Score, scores: Sequence[Score]) -> list[Finding]:
    naive = [s for s in scores if s.parameters == 0 and s.error < chosen.error * _SLACK]
    if not naive:
        return []
    best = min(naive, key=lambda s: s.error)
    return [Finding(
        "naive_wins", "warning",
        f"No law forecast these runs clearly better than the {best.name}: {best.error:.2%} against {chosen.error:.2%}.",
        (), "Do not extrapolate on this law alone.",
    )]  # fmt: skip
