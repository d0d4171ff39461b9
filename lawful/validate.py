"""Would this law have forecast the larger runs from the smaller ones?

    print(validate("chinchilla", runs, over="C"))                  # rolling origin over compute
    print(validate(["chinchilla", "auto"], runs, over="N"))        # laws side by side, on the same held-out runs
    print(validate("power_law", runs, over="group", by="family"))  # leave one family out

Held out by scale, never at random: runs picked at random lie between the others, and any smooth curve is good there.
At each origin the law is fitted to the runs below it, as a user would have, and `forecast` says what lies above, with
its intervals for one new run. Forecasts that need no law (the last value, the line through the last two points, a plain
power law) do the same, and a law that does not beat them has not earned its parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lawful.baselines import last_two_points, last_value
from lawful.calibration import evidence
from lawful.findings import Finding, listed
from lawful.fit import Fit, Fits, fit
from lawful.forecast import forecast
from lawful.law import Law
from lawful.laws import load
from lawful.origins import Splits, backtest, groups_out, rolling, scale_of
from lawful.points import as_labels, points
from lawful.quantities import did_you_mean, find
from lawful.validation import Forecasts, Held, Validation

LEVELS = (0.5, 0.8, 0.9, 0.95)


def validate(
    law: Any, runs: Any, *, over: str | None = None, by: str | None = None, target: str | None = None,
    levels: Sequence[float] = LEVELS, origins: int = 6, least: int = 2, calibration: Any = "auto",
    method: str = "auto", draws: int = 1000, seed: int = 0, **options: Any,
) -> Validation:  # fmt: skip
    """Hold runs out by scale, forecast them, and score the forecasts.

    law: a `Law`, a name, "auto" (chosen anew at each origin), a `Fit` (its law and settings, fitted anew; an
    average is chosen anew), or a list of these. runs: `Runs`, what `read` takes, or a mapping of arrays.
    over: the column along which the origin moves ("C", "N", "D", any positive column, "6ND"; default: the first there
    is; C is 6ND in a table without it), or "group": leave out one group of ``by`` after the other.
    by: a law of its own for each group of this column. levels: of the intervals. origins: at most so many.
    least: distinct scales that the first fit sees.
    calibration, method, draws: of the intervals, as in `forecast`. options: of `fit`, for all laws (variables, ...).

    The jobs, one per law and origin, run through joblib. What cannot be fitted is said in the findings.
    Raises ValueError where there are too few scales or groups to hold any out, or no law can be fitted.
    """
    if not (isinstance(runs, Mapping) or hasattr(runs, "frame")):
        from lawful.runs import read

        runs = read(runs, target=target)
    _check(levels, origins)
    listed_ = list(law) if isinstance(law, list | tuple) else [law]
    asked = [_asked(one, target, options, seed) for one in listed_]
    by = by if by is not None else _only(getattr(runs, "by", None))
    y_name = _target(asked, runs, target)
    plan = _plan(runs, y_name, over, by, origins, least)
    said = {"levels": tuple(levels), "calibration": calibration, "method": method, "draws": draws, "seed": seed}
    made = _forecasts(asked, runs, plan, said)
    held = _held(runs, plan)
    done = [Forecasts(name, *_joined(parts, plan, len(held.truth), tuple(levels))) for name, parts in made.items()]
    if not any(np.isfinite(one.estimate).any() for one in done):
        reasons = dict.fromkeys(why for one in done for why in one.why_not.values())
        raise ValueError(f"no law can be fitted below any origin: {'; '.join(list(reasons)[:3])}")
    found = Validation(
        y_name, plan.over, by or "", tuple(sorted(levels)), held, tuple(done), _naive(plan), plan.findings
    )
    if not len(found.common):
        raise ValueError(f"no held-out run is forecast by all of {', '.join(made)}: validate them apart")
    return found


# ---- what is asked for


@dataclass(frozen=True)
class _Asked:
    """A law by the name it is shown under, and how to fit it."""

    name: str
    law: Any
    options: Mapping[str, Any]


def _asked(one: Any, target: str | None, options: Mapping[str, Any], seed: int) -> _Asked:
    own = {"target": target, "seed": seed, **options}
    if isinstance(one, Fits):
        one = next(iter(one.values()))
    if isinstance(one, Fit) and one.others:  # an average: its laws and weights were chosen, so they are chosen anew
        one = "auto"
    if isinstance(one, Fit):
        s, columns = one.settings, one.points.columns
        kept = {
            "variables": {v: columns[v] for v in one.law.variables if v in columns}, "objective": one.objective,
            "fixed": s.fixed, "tied": s.tied, "bounds": s.bounds, "shared": s.shared, "protocol": s.protocol or None,
        }  # fmt: skip
        return _Asked(one.law.name, one.law, {"target": target or one.points.target, "seed": seed, **kept, **options})
    if one == "auto":
        return _Asked("auto", "auto", own)
    chosen = load(one) if isinstance(one, str) else one
    if not isinstance(chosen, Law):
        raise TypeError(f"law is {one!r}; it must be a Law, a name of the catalogue, 'auto', a Fit, or a list of these")
    return _Asked(chosen.name, chosen, own)


def _check(levels: Sequence[float], origins: int) -> None:
    wrong = [level for level in levels if not 0 < level < 1]
    if wrong or not levels:
        raise ValueError(f"levels is {tuple(levels)}; each must lie between 0 and 1, such as (0.5, 0.8, 0.9, 0.95)")
    if origins < 1:
        raise ValueError(f"origins is {origins}; at least one is needed")


def _only(by: Any) -> str | None:
    names = [by] if isinstance(by, str) else list(by or ())
    if len(names) > 1:
        raise ValueError(f"the runs are grouped by {', '.join(names)}; say which of them with by=")
    return names[0] if names else None


def _target(asked: Sequence[_Asked], runs: Any, given: str | None) -> str:
    """The column that all laws predict."""
    found = []
    for one in asked:
        if one.options["target"]:
            found.append(one.options["target"])
        elif isinstance(one.law, Law):
            found.append(points(one.law, runs, variables=one.options.get("variables")).target)
        else:
            name = getattr(runs, "target", None) or next((n for n in ("loss", "L", "y") if n in runs), None)
            if name is None:
                raise ValueError("say with target= which column is forecast: the table has no loss")
            found.append(name)
    columns = [q.column if (q := find(name)) is not None else name for name in found]
    if len(set(columns)) > 1:
        told = ", ".join(f"{one.name} {name}" for one, name in zip(asked, found))
        raise ValueError(f"the laws predict different columns ({told}): validate them apart, or say target=")
    if found[0] not in runs:
        have = list(runs.frame.columns) if hasattr(runs, "frame") else list(runs)
        raise ValueError(f"target: the table has no column {found[0]!r}{did_you_mean(found[0], have)}")
    return found[0]


# ---- what is held out


@dataclass(frozen=True)
class _Plan:
    """Scale, outcome and group of every row (n,); for each set of rows its positions and splits."""

    over: str
    by: str
    y: np.ndarray
    scale: np.ndarray
    labels: np.ndarray
    sets: tuple[tuple[str, np.ndarray, Splits], ...]
    findings: tuple[Finding, ...]

    @property
    def rounds(self) -> int:
        return max(len(s) for _, _, s in self.sets)

    def of(self, k: int) -> Iterator[tuple[int, str, np.ndarray, np.ndarray]]:
        """Round k: number and label of each set, the positions of its rows seen and held."""
        for i, (label, rows, splits) in enumerate(self.sets):
            if k < len(splits):
                yield i, label, rows[splits.seen[k]], rows[splits.held[k]]


def _plan(runs: Any, target: str, over: str | None, by: str | None, origins: int, least: int) -> _Plan:
    y = np.asarray(runs[target], float)
    if by and by not in runs:
        have = list(runs.frame.columns) if hasattr(runs, "frame") else list(runs)
        raise ValueError(f"by: the table has no column {by!r}{did_you_mean(by, have)}")
    labels = as_labels(runs[by]) if by else np.full(len(y), "")
    if over == "group":
        return _groups(runs, y, labels, by, target)
    counted_as = over == "C" and "C" not in runs and "N" in runs and "D" in runs
    axis, scale = scale_of(runs, "6ND" if counted_as else over)
    use = np.isfinite(y) & np.isfinite(scale) & (scale > 0)
    _check_nonzero(runs, y, use, target)
    findings = list(_left_out(runs, ~use, f"{target} or a positive {axis}"))
    sets, problem = [], None
    for label in dict.fromkeys(labels):
        rows = np.flatnonzero(use & (labels == label))
        try:
            sets.append((str(label), rows, rolling(scale[rows], axis, most=origins, least=least)))
        except ValueError as short:
            problem = short
            text = f"{by} {label} is not held out: {short}." if by else ""
            findings.append(Finding("too_few_scales", "warning", text, (), "Add runs at other scales."))
    if not sets:
        raise ValueError(
            f"nothing can be held out: {problem}. Add runs at other scales, or hold out over another column"
        )
    return _Plan(axis, by or "", y, scale, labels, tuple(sets), tuple(findings))


def _check_nonzero(runs: Any, y: np.ndarray, use: np.ndarray, target: str) -> None:
    if (y[use] == 0).any():
        row = int(_rows(runs)[use & (y == 0)][0])
        raise ValueError(f"{target} is 0 in row {row}, where a relative error has no value: leave it out with where=")


def _groups(runs: Any, y: np.ndarray, labels: np.ndarray, by: str | None, target: str) -> _Plan:
    if not by:
        raise ValueError("over='group' leaves out one group after the other: say which column holds them with by=")
    try:
        axis, scale = scale_of(runs)
    except ValueError:
        axis, scale = "", np.ones(len(y))
    use = np.isfinite(y) & np.isfinite(scale)
    _check_nonzero(runs, y, use, target)
    rows = np.flatnonzero(use)
    splits = groups_out(labels[rows], scale[rows], axis)
    findings = tuple(_left_out(runs, ~use, "the target or the scale"))
    # the fits pool the groups: one set of rows, with as many splits as there are groups
    return _Plan(f"groups of {by}", "", y, scale, labels, (("", rows, splits),), findings)


def _left_out(runs: Any, lost: np.ndarray, what: str) -> Iterator[Finding]:
    if lost.any():
        rows = tuple(int(r) for r in _rows(runs)[lost])
        text = f"{len(rows)} of {len(lost)} rows lack {what} and are neither seen nor held out (rows {listed(rows)})."
        yield Finding("incomplete_rows", "warning", text, rows, "Fill the cells, or select rows with where=.")


def _rows(runs: Any) -> np.ndarray:
    n = len(runs) if hasattr(runs, "rows") else len(next(iter(runs.values())))
    return np.asarray(getattr(runs, "rows", np.arange(1, n + 1)))


def _held(runs: Any, plan: _Plan) -> Held:
    """All held-out forecasts, round by round: what is to be said, and what was true."""
    columns: dict[str, list[np.ndarray]] = {a: [] for a in Held.__dataclass_fields__}
    numbers = _rows(runs)
    for k in range(plan.rounds):
        for i, _, _, held in plan.of(k):
            splits = plan.sets[i][2]
            columns["group"].append(plan.labels[held])
            columns["split"].append(np.full(len(held), splits.names[k], object))
            columns["row"].append(numbers[held])
            columns["scale"].append(plan.scale[held])
            columns["distance"].append(splits.distance[k][splits.held[k]])
            columns["truth"].append(plan.y[held])
    return Held(**{a: np.concatenate(parts) for a, parts in columns.items()})


# ---- what the laws said


def _forecasts(asked: Sequence[_Asked], runs: Any, plan: _Plan, options: Mapping[str, Any]) -> dict[str, list[Any]]:
    """For each law, by a name of its own, what it said in each round."""
    from joblib import Parallel, delayed

    jobs = [(one, k) for one in asked for k in range(plan.rounds)]
    said = list(Parallel()(delayed(_round)(one, runs, list(plan.of(k)), plan.by, options) for one, k in jobs))
    names: list[str] = []
    for one in asked:
        count = sum(name.split(" (")[0] == one.name for name in names)
        names.append(f"{one.name} ({count + 1})" if count else one.name)
    return {name: said[i * plan.rounds : (i + 1) * plan.rounds] for i, name in enumerate(names)}


def _round(
    one: _Asked, runs: Any, sets: list[tuple[int, str, np.ndarray, np.ndarray]], by: str, options: Mapping[str, Any]
) -> list[Any]:
    """Fit below the origin, forecast above it: for each set the law and its forecasts by level, or why not."""
    seen = np.concatenate([rows for _, _, rows, _ in sets])
    given = {k: v for k, v in one.options.items() if v}
    try:
        made = fit(one.law, _take(runs, seen), by=by or None, **{"seed": options["seed"], **given})
    except ValueError as problem:
        return [str(problem)] * len(sets)
    if isinstance(made, Fits) and options["method"] == "auto" and options["calibration"] != "law":
        evidence(list(made.values()))  # in one batch for all groups; each fit keeps its own
    out: list[Any] = []
    for _, label, _, held in sets:
        if isinstance(made, Fits) and label not in made:
            out.append(made.failed.get(label, "it was not fitted"))
            continue
        own = made[label] if isinstance(made, Fits) else made
        try:
            name = f"an average led by {own.law.name}" if own.others else own.law.name
            out.append((name, _at_levels(own, _take(runs, held), options)))
        except ValueError as problem:
            out.append(str(problem))
    return out


def _at_levels(made: Fit, there: Any, options: Mapping[str, Any]) -> dict[float, Any]:
    rest = {k: options[k] for k in ("calibration", "method", "draws", "seed")}
    return {level: forecast(made, there, level=level, kind="run", **rest) for level in options["levels"]}


def _take(runs: Any, index: np.ndarray) -> Any:
    """These rows of `Runs`, no longer grouped, or of a mapping of arrays."""
    if hasattr(runs, "take"):
        return replace(runs.take(index), by=())
    return {k: np.asarray(v)[index] for k, v in runs.items()}


def _joined(parts: list[Any], plan: _Plan, size: int, levels: tuple[float, ...]) -> tuple[Any, ...]:
    """The rounds in the order of `_held`: estimates, ends by level, flags, why some are missing, the laws fitted."""
    estimate, flags, reasons, chosen, at = np.full(size, np.nan), [""] * size, {}, {}, 0
    ends = {level: (np.full(size, np.nan), np.full(size, np.nan)) for level in sorted(levels)}
    for k, said in enumerate(parts):
        for (i, label, _, held), one in zip(plan.of(k), said):
            here = slice(at, at + len(held))
            at = here.stop
            split = f"{label}, {plan.sets[i][2].names[k]}" if label else plan.sets[i][2].names[k]
            if isinstance(one, str):
                reasons[split] = one
                continue
            chosen[split] = one[0]
            for level, found in one[1].items():
                ends[level][0][here], ends[level][1][here] = found.lower, found.upper
                estimate[here], flags[here] = found.estimate, found.flag
    return estimate, ends, tuple(flags), reasons, chosen


def _naive(plan: _Plan) -> tuple[Forecasts, ...]:
    """The forecasts of the baselines, nan where they can say nothing."""
    said: dict[str, dict[tuple[int, int], np.ndarray]] = {"last value": {}, "last two points": {}, "power law": {}}
    law = load("power_law")
    data = [points(law, {"x": plan.scale[rows], "y": plan.y[rows]}) for _, rows, _ in plan.sets]
    log = bool(min(d.y.min() for d in data) > 0)
    straight = backtest(law, data, [s for _, _, s in plan.sets], objective="log_lsq" if log else "lsq")
    for i, (_, rows, splits) in enumerate(plan.sets):
        x, y = plan.scale[rows], plan.y[rows]
        found = (last_value(x, y, splits), last_two_points(x, y, splits), straight[i].predicted)
        for name, predicted in zip(said, found):
            said[name] |= {(k, i): predicted[k][splits.held[k]] for k in range(len(splits))}
    order = [(k, i) for k in range(plan.rounds) for i, *_ in plan.of(k)]
    joined = {name: np.concatenate([parts[ki] for ki in order]) for name, parts in said.items()}
    return tuple(Forecasts(name, x, {}, ("",) * len(x)) for name, x in joined.items())
