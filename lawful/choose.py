"""Which law? The ones that would have forecast these runs best, from the smaller to the larger, and how much of each.

Rolling origin: fit each candidate on the smallest scales, predict the rest, move the origin up, and compare the errors
on the origins that all candidates can serve. Laws that forecast nearly equally well share the forecast, with weights
that are shown; the fit returned is that of the largest weight and carries the others along. Naive forecasts (the last
value, the line through the last two points) are always scored: where they win, the choice says so. All groups of a
table go through one batch for each law.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lawful.averaging import by_origin, common_origins, relative_errors, scores, typical, weights, with_siblings
from lawful.baselines import NAIVE, last_two_points, last_value
from lawful.candidates import Candidate, candidate, suited
from lawful.choice import Choice, Score
from lawful.diagnose_runs import decision_hangs_on
from lawful.findings import Finding, counted
from lawful.fit import Fit, Fits, default_objective, fit_sets, reference
from lawful.law import Law
from lawful.monotone import turns
from lawful.objectives import Objective
from lawful.objectives import objective as find_objective
from lawful.origins import Splits, backtest, groups_out, rolling, scale_of
from lawful.points import Points, as_labels, points
from lawful.quantities import find_part

__all__ = ["Candidate", "Choice", "Score", "choose", "suited"]

_DELTA = 1e-3  # Huber's, as Hoffmann et al. 2022: distances count as they are, not squared
_ROWS = 10  # from which that is done
_BLIND = 1.5  # times the score of a law that ignores a variable: beyond its origins it did so much worse
_HUBER = 1.345  # robust standard deviations from which Huber's loss stops squaring: 95 % efficient for normal noise
_NO_AXIS, _FIFTHS = "fifths of the runs", 5  # held out one after the other where no scale varies


@dataclass(frozen=True)
class _Share:
    """A law of the average: its candidate's name, its weight, and the fit to all points."""

    name: str
    weight: float
    fit: Fit


@dataclass
class _Part:
    """One group: usable rows, scale and splits; by candidate its points, errors by origin, or why there are none."""

    runs: Any
    listed: list[Candidate]
    target: str
    axis: str
    scale: np.ndarray
    y: np.ndarray
    splits: Splits | None
    lost: int
    points: dict[str, Points] = field(default_factory=dict)
    objectives: dict[str, Objective] = field(default_factory=dict)
    errors: dict[str, np.ndarray] = field(default_factory=dict)
    why_not: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> dict[str, int]:
        return {c.name: c.parameters for c in self.listed} | dict.fromkeys(NAIVE, 0)


def choose(
    runs: Any, *, target: str | None = None, by: str | None = None, objective: str | Objective | None = None,
    seed: int = 0, candidates: Sequence[str | Law | Candidate] | None = None,
) -> Choice:  # fmt: skip
    """Choose laws by rolling origin over the scale of the runs, fit them, and say how much of each to believe.

    candidates: laws to choose from (default: those that suit the table's variables). by: choose for each group; the
    groups are scored together, see `averaging`.
    Raises ValueError where the table has no variable of scale, or too few points for any candidate.
    """
    given = [candidate(c) for c in candidates] if candidates else None
    parts, failed = {}, {}
    for label, part in _groups(runs, by).items():
        try:
            parts[label] = _part(part, target, given)
        except ValueError as problem:
            if not by:
                raise
            failed[label] = str(problem)
    for name in dict.fromkeys(c.name for part in parts.values() for c in part.listed):
        _try(name, parts, objective, seed)
    scored, shares = _shares(parts)
    fits, more = _fits(parts, shares, seed, getattr(runs, "fingerprint", ""))
    failed |= more
    if not fits:
        problem = next(iter(failed.values()))
        raise ValueError(f"no group of {by!r} can be fitted: {problem}" if by else problem)
    told = {label: _told(parts[label], one, scored[label]) for label, one in fits.items()}
    axis = next(iter(parts.values())).axis
    if not by:
        made, listed, reason = told[""]
        return Choice(made, listed, reason, axis)
    every = tuple(replace(s, name=f"{label}: {s.name}") for label, (_, some, _) in told.items() for s in some)
    chosen = Fits(by, {label: made for label, (made, _, _) in told.items()}, failed)
    return Choice(chosen, every, " ".join(f"{label}: {reason}" for label, (_, _, reason) in told.items()), axis)


def _groups(runs: Any, by: str | None) -> dict[str, Any]:
    if not by:
        return {"": runs}
    labels = as_labels(runs[by])
    return {str(x): _rows(runs, np.flatnonzero(labels == x)) for x in sorted(set(labels))}


def _rows(runs: Any, index: np.ndarray) -> Any:
    """These rows of `Runs`, no longer grouped, or of a mapping of arrays."""
    if hasattr(runs, "take"):
        return replace(runs.take(index), by=())
    return {k: np.asarray(v)[index] for k, v in runs.items()}


def _part(runs: Any, target: str | None, given: list[Candidate] | None) -> _Part:
    """What is to be chosen for one group; ValueError where it has no scale or no outcome."""
    listed = given or suited(runs, target)
    name = target or points(listed[0].law, runs, variables=listed[0].variables).target
    axis, scale = _scale(runs, given, name)
    y = np.asarray(runs[name], float)
    kept = np.isfinite(y) & np.isfinite(scale) & (scale > 0)
    if not kept.any():
        raise ValueError(f"no row has both {name} and {axis}")
    scale, y, lost = scale[kept], y[kept], int((~kept).sum())
    try:
        splits = groups_out(np.arange(len(y)) % _FIFTHS) if axis == _NO_AXIS else rolling(scale, axis)
    except ValueError:
        splits = None
    return _Part(_rows(runs, np.flatnonzero(kept)), listed, name, axis, scale, y, splits, lost)


def _scale(runs: Any, given: list[Candidate] | None, target: str) -> tuple[str, np.ndarray]:
    """The scale of the table; where the candidates are curves along one column, that column (losses fall)."""
    if given is None or any(len(c.law.variables) > 1 or c.law.arrays for c in given):
        try:
            return scale_of(runs)
        except ValueError:  # mixtures alone: there is no larger and smaller
            return _NO_AXIS, np.ones(len(np.asarray(runs[target])))
    first = points(given[0].law, runs, target=target, variables=given[0].variables)
    column = first.columns[given[0].law.variables[0]]
    axis, x = scale_of(runs, column)
    return (f"falling {axis}", 1 / x) if axis in ("L", "loss", "bpb") else (axis, x)


def _try(name: str, parts: Mapping[str, _Part], objective: str | Objective | None, seed: int) -> None:
    """Backtest one candidate in all groups that list it, in one batch for each objective."""
    ready: dict[str, list[_Part]] = {}
    law = None
    for part in parts.values():
        one = next((c for c in part.listed if c.name == name), None)
        if one is None:
            continue
        try:
            law = one
            chosen = _objective(one.law, part, objective)
            data = points(one.law, part.runs, target=part.target, variables=one.variables, items=chosen.binomial)
        except ValueError as problem:
            part.why_not[name] = str(problem)
            continue
        if len(data) < len(part.y):
            part.why_not[name] = f"{len(part.y) - len(data)} rows lack its variables"
            continue
        part.points[name], part.objectives[name] = data, chosen
        if part.splits is None:
            part.why_not[name] = "too few scales to hold any out"
        else:
            ready.setdefault(chosen.name, []).append(part)
    for some in ready.values():
        assert law is not None
        splits = [part.splits for part in some if part.splits is not None]
        made = backtest(law.law, [part.points[name] for part in some], splits,
                        objective=some[0].objectives[name], settings=law.settings(seed))  # fmt: skip
        for part, record in zip(some, made):
            part.errors[name] = by_origin(relative_errors(part.y, record.predicted), record.splits)
            if not np.isfinite(part.errors[name]).any():
                part.why_not[name] = next(filter(None, record.why_not), "not finite at the points held out")


def _objective(law: Law, part: _Part, given: str | Objective | None) -> Objective:
    """Absolute distances where squares are usual: the smallest runs, where laws fail, then weigh less.

    Fractions stay with squares, as do tables of so few rows that single ones would decide. Of values without logs
    delta is that part of their usual size.
    """
    chosen = default_objective(law, part.runs, part.target, given)
    quantity = find_part(part.target)
    fraction = quantity is not None and quantity.kind == "fraction"
    if given is not None or fraction or not chosen.squares or len(part.y) < _ROWS:
        return chosen
    if chosen.log:
        return find_objective(f"log_huber:{_DELTA:g}")
    level = float(np.median(np.abs(part.y)))
    return find_objective(f"huber:{_DELTA * level:.3g}") if level > 0 else chosen


def _shares(parts: Mapping[str, _Part]) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Scores by group and candidate, naive forecasts among them, and the weights of the laws."""
    scored = {}
    for label, part in parts.items():
        if part.splits is None:
            scored[label] = {}
            continue
        for name, naive in (("last value", last_value), ("last two points", last_two_points)):
            found = relative_errors(part.y, naive(part.scale, part.y, part.splits))
            part.errors[name] = by_origin(found, part.splits)
        scored[label] = scores(part.errors, part.splits, [n for n in part.errors if n not in NAIVE])
    if len(parts) > 1:
        scored = with_siblings(scored)
    shares = {}
    for label, part in parts.items():
        blind = _blind(part.listed)
        laws = {n: v * (_BLIND if n in blind else 1.0) for n, v in scored[label].items() if n not in NAIVE}
        shares[label] = weights(laws, part.size)
    return scored, shares


def _blind(listed: Sequence[Candidate]) -> set[str]:
    """Laws of one variable where others know two: their origins hold only while both grow together."""
    known = {c.name: len(c.law.variables) for c in listed}
    return {name for name, count in known.items() if count == 1 < max(known.values())}


def _fits(
    parts: Mapping[str, _Part], shares: dict[str, dict[str, float]], seed: int, fingerprint: str
) -> tuple[dict[str, list[_Share]], dict[str, str]]:
    """The laws of each group's average, fitted to all its points, each law in one batch; the largest weight first."""
    made: dict[tuple[str, str], Fit] = {}
    for name in dict.fromkeys(n for share in shares.values() for n in share):
        using = {label: parts[label] for label, share in shares.items() if name in share}
        made |= _fit_many(name, using, seed, fingerprint)
    fits, failed = {}, {}
    for label, part in parts.items():
        found = [_Share(name, w, made[name, label]) for name, w in shares[label].items() if (name, label) in made]
        if not found:  # nothing could be tested: the simplest law that can be fitted at all
            simple = sorted(part.points, key=lambda n: part.size[n])
            made_so = (_fit_many(n, {label: part}, seed, fingerprint) for n in simple)
            found = [_Share(name, 0.0, one) for some in made_so for (name, _), one in some.items()][:1]
        if found:
            total = sum(s.weight for s in found) or 1.0
            fits[label] = _robust([replace(s, weight=s.weight / total) for s in found])
        else:
            failed[label] = next(iter(part.why_not.values()), "no candidate can be fitted")
    return fits, failed


def _robust(shares: list[_Share]) -> list[_Share]:
    """The same laws by Huber's loss where a few points lie far off the first of them, which least squares follows."""
    first = shares[0].fit
    if not first.objective.squares or all(f.code != "far_points" for f in first.findings):
        return shares
    delta = _HUBER * 1.4826 * float(np.median(np.abs(first.residuals)))
    chosen = find_objective(f"{'log_' if first.objective.log else ''}huber:{delta:.2g}")
    out = []
    for s in shares:
        try:
            made = fit_sets(s.fit.law, [s.fit.points], chosen, s.fit.settings, None, None, [s.fit.fingerprint])[0]
        except ValueError:
            return shares
        out.append(replace(s, fit=made))
    said = next(f for f in first.findings if f.code == "far_points")
    text = f"{counted(len(said.rows), 'point')} far off the law: fitted by {chosen.name} (delta {delta:.2g}) instead."
    note = Finding("robust_fit", "warning", text, said.rows, "Look at these rows; leave them out with where=.")
    out[0] = replace(out[0], fit=replace(out[0].fit, findings=(*out[0].fit.findings, note)))
    return out


def _fit_many(name: str, parts: Mapping[str, _Part], seed: int, fingerprint: str) -> dict[tuple[str, str], Fit]:
    """One law fitted to several groups; where one of them stops the batch, each by itself."""
    out = {}
    batches: dict[str, list[str]] = {}
    for label, part in parts.items():
        batches.setdefault(part.objectives[name].name, []).append(label)
    for labels in batches.values():
        for some in (labels, *([label] for label in labels)):
            left = [label for label in some if (name, label) not in out]
            sets = [parts[label].points[name] for label in left]
            if not sets:
                continue
            first = parts[left[0]]
            one = next(c for c in first.listed if c.name == name)
            settings = replace(one.settings(seed), law_reference=reference(one.law))
            prints = [f"{fingerprint}:{label}" if label else fingerprint for label in left]
            try:
                made = fit_sets(one.law, sets, first.objectives[name], settings, None, None, prints)
            except ValueError as problem:
                first.why_not[name] = str(problem)
                continue
            out |= {(name, label): fit for label, fit in zip(left, made)}
    return out


def _told(part: _Part, fits: list[_Share], scored: Mapping[str, float]) -> tuple[Fit, tuple[Score, ...], str]:
    """The fit with its company and its findings, the scores, and the reason in words."""
    weight = {s.name: s.weight for s in fits}
    main = fits[0]
    listed = [_one_score(part, name, weight.get(name, 0.0)) for name in part.size]
    listed.sort(key=lambda s: (s.error, -s.weight, s.parameters))
    if weight[main.name] == 0:
        reason = f"{main.name} is the simplest candidate; there are too few points to test it on larger scales."
        notes = [Finding("untested", "warning", reason, (), "Add runs at other scales.")]
    else:
        reason = _reason(part, fits, listed)
        notes = [Finding("chosen", "note", reason), *_naive_wins(fits, scored)]
    if part.lost:
        text = f"{counted(part.lost, 'row')} without {part.target} or {part.axis} were left out."
        notes.append(Finding("incomplete_points", "warning", text, (), "Fill the cells, or select rows with where=."))
    if all(len(c.law.variables) == 1 for c in part.listed):
        notes += turns(part.scale, part.y, part.axis, part.target)
    if (hangs := decision_hangs_on(main.fit)) is not None:
        notes.append(hangs)
    others = tuple((s.weight, s.fit) for s in fits[1:])
    return replace(main.fit, others=others, findings=(*main.fit.findings, *notes)), tuple(listed), reason


def _one_score(part: _Part, name: str, weight: float) -> Score:
    size, why = part.size[name], part.why_not.get(name, "too few points before the first origin")
    if part.splits is None or name not in part.errors:
        return Score(name, size, np.inf, 0, (), why)
    at = common_origins([e for n, e in part.errors.items() if n not in NAIVE])
    error = typical(part.errors[name], part.splits, at)
    if not np.isfinite(error):
        return Score(name, size, np.inf, 0, (), why)
    seen = tuple(int(k) for k in part.splits.seen.sum(1)[at])
    return Score(name, size, error, int(part.splits.held[at].sum()), seen, "", weight)


def _reason(part: _Part, fits: list[_Share], listed: Sequence[Score]) -> str:
    by_name = {s.name: s for s in listed}
    main = by_name[fits[0].name]
    rest = [s for s in listed if s.name not in {f.name for f in fits} and np.isfinite(s.error)]
    rest.sort(key=lambda s: s.name not in NAIVE)
    shared = ", ".join(f"{s.name} {s.weight:.0%} (error {by_name[s.name].error:.2%})" for s in fits)
    said = f"{main.name} was chosen" if len(fits) == 1 else f"{main.name} leads an average of {len(fits)} laws"
    others = ", ".join(f"{s.name} {s.error:.2%}" for s in rest[:6])
    return (
        f"{said} by rolling origin over {part.axis}, {main.points} held-out points: {shared}"
        + (f"; left out: {others}" if others else "") + "."
    )  # fmt: skip


def _naive_wins(fits: list[_Share], scored: Mapping[str, float]) -> list[Finding]:
    """A naive forecast scored better than every law of the average."""
    naive = {name: scored[name] for name in NAIVE if np.isfinite(scored.get(name, np.inf))}
    best = min(scored[s.name] for s in fits)
    if not naive or min(naive.values()) >= best:
        return []
    winner = min(naive, key=lambda name: naive[name])
    return [Finding(
        "naive_wins", "warning", f"No law forecast these runs better than the {winner}: relative score "
        f"{naive[winner]:.2f} against {best:.2f}.", (), "Do not extrapolate on these laws alone.",
    )]  # fmt: skip
