"""Which law, and does it matter? Laws against laws, and ways of fitting against ways of fitting.

    compare(runs)                                         # the laws that suit the table
    compare(runs, laws=["chinchilla", "xlstm"])           # these
    compare(runs, choices=True, flops=5.76e23)            # does the recommended N and D hang on how it was fitted?
    compare(runs, choices=["objective", "outliers"], at={"N": 70e9, "D": 1.4e12})

Laws are ranked by what matters, their errors on larger scales than they were fitted on (rolling origin), beside the
forecasts that need no law. Two more views are information: AIC, AICc and BIC, which speak of the scales seen, and tests
of the best law against each other (`lawful.nesting`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lawful.averaging import by_origin, common_origins, relative_errors, scores, typical, weights
from lawful.baselines import NAIVE, last_two_points, last_value
from lawful.candidates import Candidate, candidate, suited
from lawful.duels import Duel, duels
from lawful.findings import Finding
from lawful.fit import Fit, fit
from lawful.information import NAMES, Information, information
from lawful.law import Law
from lawful.objectives import Objective
from lawful.origins import Splits, backtest, rolling, scale_of
from lawful.points import as_labels
from lawful.sensitivity import Sensitivity, sensitivity

_RIVALS = 4  # laws that the best is tested against


@dataclass(frozen=True)
class Standing:
    """One law, or one forecast without a law (parameters 0, no fit).

    error: of held-out points, typical over the origins that all can serve (`averaging.typical`); nan without them.
    score: the same relative to the usual law's at each origin (`averaging.scores`); laws are ranked by it. weight: in
    the average that `choose` would forecast with.
    """

    name: str
    parameters: int
    error: float
    fit: Fit | None = None
    information: Information | None = None
    why_not: str = ""
    score: float = np.nan
    weight: float = 0.0


@dataclass(frozen=True, repr=False)
class Comparison:
    """Laws by their errors on larger scales, and choices by how they move the decision.

    standings: best first. origins: how many, along which axis, held: points held out. duels: the best law's tests.
    choices: the sensitivity of the decision, where it was asked for.
    """

    n: int
    axis: str
    origins: int
    held: int
    standings: tuple[Standing, ...] = ()
    duels: tuple[Duel, ...] = ()
    choices: Sensitivity | None = None
    findings: tuple[Finding, ...] = ()

    def table(self) -> Any:
        """A polars frame: a row per law; or per combination of choices, where no laws were compared."""
        import polars as pl

        if not self.standings and self.choices is not None:
            return self.choices.table()
        rows = [
            {
                "law": s.name,
                "parameters": s.parameters,
                "error": s.error,
                "weight": s.weight,
                "residual_sd": s.fit.sigma if s.fit else None,
            }
            | {c: _criterion(s, c) for c in NAMES}
            | {"remark": s.why_not or "; ".join(_refused(s))}
            for s in self.standings
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def __repr__(self) -> str:
        best = f"{self.standings[0].name} first of {len(self.standings)}" if self.standings else repr(self.choices)
        return f"<Comparison: {best}; print it for the table>"

    def __str__(self) -> str:
        lines = _law_lines(self) if self.standings else []
        lines += [str(f) for f in self.findings]
        if self.choices is not None:
            lines += ["", str(self.choices)] if lines else [str(self.choices)]
        return "\n".join(lines)


@dataclass(frozen=True, repr=False)
class Comparisons(Mapping[str, Comparison]):
    """One `Comparison` per group of a column; failed: the groups that could not be compared, and why."""

    by: str
    comparisons: Mapping[str, Comparison]
    failed: Mapping[str, str]

    def __getitem__(self, label: str) -> Comparison:
        return self.comparisons[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self.comparisons)

    def __len__(self) -> int:
        return len(self.comparisons)

    def table(self) -> Any:
        """The groups' tables under each other, the group in the first column."""
        import polars as pl

        parts = [c.table().select(pl.lit(k).alias(self.by), pl.all()) for k, c in self.comparisons.items()]
        return pl.concat(parts, how="diagonal_relaxed")

    def __str__(self) -> str:
        parts = [f"{self.by} = {label}\n{one}" for label, one in self.comparisons.items()]
        return "\n\n".join([*parts, *(f"{self.by} = {k}: {why}" for k, why in self.failed.items())])


def compare(
    runs: Any, laws: Sequence[str | Law | Candidate] | None = None,
    choices: bool | Sequence[str] | Mapping[str, Any] | None = None, by: str | None = None, *,
    target: str | None = None, variables: Mapping[str, str] | None = None, objective: str | Objective | None = None,
    axis: str | None = None, flops: float | None = None, at: Mapping[str, float] | None = None, draws: int = 199,
    seed: int = 0,
) -> Comparison | Comparisons:  # fmt: skip
    """Compare laws, or defensible choices of fitting, on one table of runs.

    laws: names, laws or `Candidate` (default: those that suit the table). variables: {"x": "flops"}, for the laws that
    have them. axis: the scale of the origins (default: C, 6ND, N, ...). draws: simulated data sets for each test of the
    best law against the next four, at least 40 for each test made, so that none are too few to show anything.
    choices: True for all that the table leaves open, names of choices, or {"objective": ["lsq", ...], ...}
    (`lawful.choices.NAMES`); then the laws are options like the others, and the answer is how N and D for a budget of
    ``flops`` and the loss forecast ``at`` {"N": ..., "D": ...} move. by: compare in each group.

    Raises ValueError where no law can be fitted, or a choice is not open.
    """
    if not (isinstance(runs, Mapping) or hasattr(runs, "frame")):
        from lawful.runs import read

        runs = read(runs, target=target)
    options = dict(target=target, variables=variables, objective=objective, axis=axis, flops=flops, at=at, draws=draws)
    if by:
        return _by_group(runs, by, dict(laws=laws, choices=choices, seed=seed, **options))
    if choices:
        made = _choices(runs, choices, laws, objective, dict(flops=flops, at=at, target=target, seed=seed))
        return Comparison(len(made.settings), "", 0, 0, choices=made)
    return _laws(runs, laws, target, variables or {}, objective, axis, draws, seed)


def _choices(runs: Any, choices: Any, laws: Any, objective: Any, options: dict[str, Any]) -> Sensitivity:
    if not hasattr(runs, "frame"):  # choices are about columns under the vocabulary's names
        from lawful.runs import read

        runs = read(runs, target=options["target"])
    if any(isinstance(law, Candidate) for law in laws or ()):
        raise TypeError("choices: give laws by name or as laws; which column is N is the choice 'params'")
    if objective is not None:
        if not isinstance(choices, Mapping) or "objective" in choices:
            raise ValueError("choices: give the objectives among the choices: choices={'objective': [...], ...}")
        choices = {**choices, "objective": (objective,)}
    return sensitivity(runs, choices, laws=laws, **options)


def _by_group(runs: Any, by: str, options: dict[str, Any]) -> Comparisons:
    labels = as_labels(runs[by])
    made, failed = {}, {}
    for label in map(str, dict.fromkeys(labels)):
        try:
            made[label] = compare(_rows(runs, np.flatnonzero(labels == label)), **options)
        except ValueError as problem:
            failed[label] = str(problem)
    if not made:
        raise ValueError(f"no group of {by!r} can be compared: {next(iter(failed.values()))}")
    return Comparisons(by, made, failed)


def _rows(runs: Any, index: np.ndarray) -> Any:
    """These rows of `Runs`, no longer grouped, or of a mapping of arrays."""
    if hasattr(runs, "take"):
        return replace(runs.take(index), by=())
    return {k: np.asarray(v)[index] for k, v in runs.items()}


def _candidates(runs: Any, laws: Any, target: str | None, variables: Mapping[str, str]) -> list[Candidate]:
    if laws is None:
        return suited(runs, target)
    listed = []
    for one in [laws] if isinstance(laws, str | Law | Candidate) else laws:
        c = candidate(one)
        own = {v: x for v, x in variables.items() if v in c.law.variables}
        listed.append(replace(c, variables={**own, **c.variables}))
    return listed


def _laws(
    runs: Any, laws: Any, target: str | None, variables: Mapping[str, str], objective: str | Objective | None,
    axis: str | None, draws: int, seed: int,
) -> Comparison:  # fmt: skip
    listed = _candidates(runs, laws, target, variables)
    target = target or getattr(runs, "target", None) or next((n for n in ("loss", "L") if n in runs), None)
    runs, fits, why = _fitted(runs, listed, target, objective, seed)
    if not fits:
        raise ValueError(f"compare: no law can be fitted: {next(iter(why.values()))}")
    name, scale = scale_of(runs, axis)
    first = next(iter(fits.values()))
    at = dict(zip(map(int, getattr(runs, "rows", range(1, len(scale) + 1))), scale))
    scale = np.array([at[int(row)] for row in first.points.rows])
    errors, scored, splits, untested = _errors(fits, scale, name)
    size = {k: len(f.estimates) for k, f in fits.items()}
    weight = weights({k: scored.get(k, np.inf) for k in fits}, size)
    standings = [
        Standing(k, size[k], errors.get(k, np.nan), f, information(f), "", scored.get(k, np.inf), weight.get(k, 0.0))
        for k, f in fits.items()
    ]
    standings += [Standing(k, 0, errors.get(k, np.nan), score=scored[k]) for k in NAIVE if k in scored]
    standings += [Standing(k, 0, np.nan, why_not=reason, score=np.inf) for k, reason in why.items()]
    standings.sort(key=lambda s: (s.score, s.fit is None, s.parameters))
    best = next(s for s in standings if s.fit is not None)
    rivals = [s for s in standings if s.fit is not None and s is not best]
    met = duels(best.name, {s.name: s.fit for s in [best, *rivals[:_RIVALS]] if s.fit is not None}, draws, seed)
    verdicts = [Finding("duel", "note", duel.sentence) for duel in met]
    found = [*untested, *_baseline(standings, best), *verdicts, *_not_met(rivals[_RIVALS:]), *_no_criteria(standings)]
    held = int(splits.held.any(0).sum()) if splits is not None else 0
    return Comparison(
        first.n, name, len(splits) if splits is not None else 0, held, tuple(standings), tuple(met), None,
        tuple(found),
    )  # fmt: skip


def _fitted(
    runs: Any, listed: Sequence[Candidate], target: str | None, objective: Any, seed: int
) -> tuple[Any, dict[str, Fit], dict[str, str]]:
    """Every candidate fitted to the rows that all of them can use."""
    for _ in range(2):
        fits: dict[str, Fit] = {}
        why: dict[str, str] = {}
        for c in listed:
            try:
                made = fit(
                    c.law, runs, target=target, variables=c.variables, objective=objective, seed=seed, fixed=c.fixed,
                    tied=c.tied, bounds=c.bounds,
                )  # fmt: skip
            except ValueError as problem:
                why[c.name] = str(problem)
                continue
            assert isinstance(made, Fit)
            fits[c.name] = made
        used = [set(map(int, f.points.rows)) for f in fits.values()]
        if not used or all(u == used[0] for u in used):
            break
        rows = np.asarray(getattr(runs, "rows", np.arange(1, 1 + max(map(max, used)))))
        runs = _rows(runs, np.flatnonzero(np.isin(rows, list(set.intersection(*used)))))
    return runs, fits, why


def _errors(
    fits: Mapping[str, Fit], scale: np.ndarray, axis: str
) -> tuple[dict[str, float], dict[str, float], Splits | None, list[Finding]]:
    """Typical relative errors and scores of laws and naive forecasts, on the origins that the laws can serve."""
    try:
        splits = rolling(scale, axis)
    except ValueError as problem:
        text = f"No law could be tested on larger scales: {problem}."
        return {}, {}, None, [Finding("untested", "warning", text, (), "Add runs at other scales.")]
    y = next(iter(fits.values())).points.y
    said = {
        name: backtest(f.law, [f.points], [splits], objective=f.objective, settings=f.settings)[0].predicted
        for name, f in fits.items()
    }
    said |= {"last value": last_value(scale, y, splits), "last two points": last_two_points(scale, y, splits)}
    tables = {k: by_origin(relative_errors(y, p), splits) for k, p in said.items()}
    at = common_origins([tables[k] for k in fits])
    if not len(at):
        text = "No origin leaves enough points to fit a law before it, so errors cannot be compared."
        return (
            {},
            {},
            None,
            [Finding("untested", "warning", text, (), "Compare laws with fewer parameters, or add runs.")],
        )
    found = []
    if len(at) < len(splits):
        few = ", ".join(k for k in fits if not np.isfinite(tables[k]).all())
        text = f"{len(splits) - len(at)} of {len(splits)} origins are left out: there {few} cannot be fitted."
        found.append(Finding("origins_left_out", "note", text))
    used, scored = splits.take(at), scores(tables, splits, list(fits))
    errors = {k: typical(tables[k], splits, at) for k in said if np.isfinite(scored[k])}
    return errors, scored, used, found


def _not_met(rest: Sequence[Standing]) -> Iterator[Finding]:
    if rest:
        names = ", ".join(s.name for s in rest)
        yield Finding("duel_not_made", "note", f"Not tested against the best, being further behind: {names}.")


def _baseline(standings: Sequence[Standing], best: Standing) -> Iterator[Finding]:
    naive = [s for s in standings if s.name in NAIVE and s.score < best.score]
    if naive:
        errors = f"{naive[0].error:.2%} against {best.error:.2%}"
        text = f"No law forecast these runs better than the {naive[0].name}: {errors}."
        yield Finding("naive_wins", "warning", text, (), "Do not extrapolate on these laws alone.")


def _no_criteria(standings: Sequence[Standing]) -> Iterator[Finding]:
    seen: dict[str, list[str]] = {}
    for s in standings:
        for reason in _refused(s):
            seen.setdefault(reason, []).append(s.name)
    for reason, names in seen.items():
        yield Finding("criterion_refused", "note", f"Refused for {', '.join(names)}: {reason}.")


def _refused(s: Standing) -> list[str]:
    return list(dict.fromkeys(s.information.refused.values())) if s.information is not None else []


def _criterion(s: Standing, name: str) -> float | None:
    return s.information.criteria.get(name) if s.information is not None else None


def _law_lines(made: Comparison) -> list[str]:
    """The table of laws: errors, then each criterion as its distance from the least."""
    least = {c: min((v for s in made.standings if (v := _criterion(s, c)) is not None), default=None) for c in NAMES}
    shown = [c for c in NAMES if least[c] is not None]
    tested = (
        f"errors on {made.held} points beyond {made.origins} origins in {made.axis}" if made.origins else "not tested"
    )
    lines = [f"{made.n} points; {tested}", ""]
    lines.append(f"{'law':<32}{'numbers':>8}{'error':>9}{'weight':>8}" + "".join(f"{c + ' +':>10}" for c in shown))
    for s in made.standings:
        error = f"{s.error:>9.2%}" if np.isfinite(s.error) else f"{'':>9}"
        error += f"{s.weight:>8.2f}" if s.weight else f"{'':>8}"
        cells = []
        for c in shown:
            value, base = _criterion(s, c), least[c]
            cells.append(f"{value - base:>10.2f}" if value is not None and base is not None else f"{'':>10}")
        remark = f"  {s.why_not}" if s.why_not else ""
        lines.append(f"{s.name:<32}{s.parameters or '':>8}{error}{''.join(cells)}{remark}")
    return [*lines, ""]
