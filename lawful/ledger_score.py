"""How good were the registered forecasts, now that runs have come?

A run belongs to a forecast where every variable of its law is within a per cent of the point, and the group is the
same. Only what was a forecast is scored: not a run that the law was fitted to, not one older than the line, and no
line that was changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lawful.findings import Finding, counted, in_rows, listed
from lawful.ledger import Entry, Ledger, read_ledger
from lawful.points import as_labels
from lawful.quantities import find
from lawful.scores import Scores, score_forecasts

_DATES = ("date", "finished", "created", "created_at", "time", "timestamp")


@dataclass(frozen=True)
class Outcome:
    """A run held against a registered forecast: line and point of the ledger, row of the runs.

    ends: level -> (lower, upper). why_not: why it is not scored, or "".
    """

    line: int
    point: int
    place: str
    row: int
    law: str
    truth: float
    estimate: float
    ends: Mapping[float, tuple[float, float]]
    distance: float
    why_not: str = ""


@dataclass(frozen=True, repr=False)
class LedgerScore:
    """What became of the forecasts of a ledger.

    outcomes: one per run and forecast that belong together. waiting: forecasts without a run yet, (line, point in
    words). unmatched: rows of the runs that no forecast is about. findings: lines that were changed, runs that were
    no news.
    """

    ledger: Ledger
    source: str
    outcomes: tuple[Outcome, ...]
    waiting: tuple[tuple[int, str], ...]
    unmatched: tuple[int, ...]
    findings: tuple[Finding, ...]

    @cached_property
    def scored(self) -> tuple[Outcome, ...]:
        """The outcomes that count."""
        return tuple(o for o in self.outcomes if not o.why_not)

    @cached_property
    def scores(self) -> Scores | None:
        """All scored outcomes pooled, at the levels that all of them have; None where nothing has come."""
        return _pooled(self.scored)

    def by_line(self) -> dict[int, Scores]:
        """The scores of each line that has any."""
        lines = dict.fromkeys(o.line for o in self.scored)
        found = {n: _pooled(tuple(o for o in self.scored if o.line == n)) for n in lines}
        return {n: one for n, one in found.items() if one is not None}

    def to_frame(self) -> Any:
        """A polars frame, one row per outcome: line, point, row, truth, estimate, ends and error."""
        import polars as pl

        levels = sorted({level for o in self.outcomes for level in o.ends})
        rows = [
            {"line": o.line, "law": o.law, "point": o.place, "row": o.row, "truth": o.truth, "estimate": o.estimate}
            | {"error": o.estimate / o.truth - 1 if o.truth else None, "distance": o.distance}
            | {f"{end}_{100 * v:g}": o.ends[v][i] if v in o.ends else None
               for v in levels for i, end in enumerate(("lower", "upper"))}
            | {"why_not": o.why_not}
            for o in self.outcomes
        ]  # fmt: skip
        return pl.DataFrame(rows, infer_schema_length=None)

    def facts(self) -> dict[str, Any]:
        """The same as plain data, for programs."""
        lines = {str(n): asdict(s) for n, s in self.by_line().items()}
        return {
            "ledger": self.ledger.path, "source": self.source, "registered": len(self.ledger), "lines": lines,
            "all": asdict(self.scores) if self.scores else None, "outcomes": [asdict(o) for o in self.outcomes],
            "waiting": self.waiting, "unmatched": self.unmatched, "findings": [asdict(f) for f in self.findings],
        }  # fmt: skip

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        head = (
            f"{self.ledger.path}: {counted(len(self.ledger), 'registered line')}, "
            f"{counted(len(self.scored), 'outcome')} scored against {self.source}"
        )
        lines = [head, *(_line_words(self.ledger[n - 1], s) for n, s in self.by_line().items())]
        if self.scores is not None and len(self.by_line()) > 1:
            lines.append(f"all lines: {_score_words(self.scores)}")
        if self.waiting:
            lines.append(f"no run yet: {'; '.join(f'line {n}, {place}' for n, place in self.waiting)}")
        return "\n".join([*lines, *map(str, self.findings)])


def score(ledger: str | Path | Ledger, runs: Any, *, tolerance: float = 0.01) -> LedgerScore:
    """Hold the runs that have come against a ledger's forecasts.

    runs: `Runs`, what `read` takes, or a mapping of arrays, with the variables of the laws and their targets. A column
    of dates (date, finished, created, time) shows which runs are older than the forecast. tolerance: relative
    difference up to which a run's variables are those of a point.
    Raises FileNotFoundError for a missing ledger, ValueError for a file that is none, or a tolerance below 0.
    """
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}; it is a relative difference, such as 0.01")
    book = ledger if isinstance(ledger, Ledger) else read_ledger(ledger)
    if not (isinstance(runs, Mapping) or hasattr(runs, "frame")):
        from lawful.runs import read

        runs = read(runs, need=())
    outcomes, waiting, missing = [], [], {}
    for entry in book:
        table = _columns(entry, runs)
        if isinstance(table, str):
            missing[entry.number] = table
            waiting += [(entry.number, entry.place(i)) for i in range(len(entry))]
            continue
        made, left = _outcomes(entry, table, runs, tolerance)
        outcomes += made
        waiting += [(entry.number, entry.place(i)) for i in left]
    rows = _rows(runs)
    known = {o.row for o in outcomes}
    unmatched = tuple(r for r in rows if r not in known)
    findings = (*book.findings, *_findings(book, runs, outcomes, missing, unmatched))
    source = getattr(runs, "source", "") or counted(len(rows), "row")
    return LedgerScore(book, source, tuple(outcomes), tuple(waiting), unmatched, findings)


# ---- which run belongs to which forecast


def _columns(entry: Entry, runs: Any) -> dict[str, np.ndarray] | str:
    """The variables of an entry's law, its groups and its target in the runs; or what they lack."""
    out = {}
    for v in entry.points:
        x = _column(runs, entry.columns.get(v, v), v)
        if x is None:
            return f"no column for {v} ({entry.columns.get(v, v)})"
        array = entry.points[v].ndim == 2
        out[v] = np.stack([np.asarray(row, float) for row in x], axis=-1) if array else np.asarray(x, float)
    if entry.groups:
        if entry.by not in runs:
            return f"no column {entry.by!r}, by which the law was fitted"
        out["by"] = as_labels(runs[entry.by])
    y = _column(runs, entry.target, entry.target)
    if y is None:
        return f"no column {entry.target!r}, which was forecast"
    return out | {"target": np.asarray(y, float)}


def _column(runs: Any, name: Any, variable: str) -> np.ndarray | None:
    """A column under the name it had, the symbol or the vocabulary's name."""
    if isinstance(name, list | tuple):
        return np.stack([np.asarray(runs[c], float) for c in name], axis=-1) if all(c in runs for c in name) else None
    quantity = find(variable) or find(name)
    tried = (name, variable, *((quantity.column, quantity.symbol) if quantity else ()))
    return next((np.asarray(runs[c]) for c in tried if c in runs), None)


def _rows(runs: Any) -> tuple[int, ...]:
    if hasattr(runs, "rows"):
        return tuple(map(int, runs.rows))
    return tuple(range(1, len(next(iter(runs.values()))) + 1))


def _outcomes(
    entry: Entry, table: Mapping[str, np.ndarray], runs: Any, tolerance: float
) -> tuple[list[Outcome], list[int]]:
    """The runs of each point of an entry, and the points that have none."""
    made, left, rows, dates = [], [], _rows(runs), _dates(runs)
    for i in range(len(entry)):
        same = np.isfinite(table["target"])
        for v, x in entry.points.items():
            close = np.isclose(table[v], x[..., i, None] if x.ndim == 2 else x[i], rtol=tolerance, atol=0)
            same &= close.all(0) if close.ndim == 2 else close
        if entry.groups:
            same &= table["by"] == entry.groups[i]
        ends = {level: (float(low[i]), float(high[i])) for level, (low, high) in entry.intervals.items()}
        for k in np.flatnonzero(same):
            truth = float(table["target"][k])
            made.append(Outcome(
                entry.number, i, entry.place(i), rows[k], entry.law, truth, float(entry.estimate[i]), ends,
                float(entry.distance[i]), _why_not(entry, i, truth, dates[k] if dates else None),
            ))  # fmt: skip
        if not same.any():
            left.append(i)
    return made, left


def _why_not(entry: Entry, i: int, truth: float, dated: datetime | None) -> str:
    if not entry.sound:
        return "the line was changed"
    if any(np.isclose(truth, y, rtol=1e-9, atol=0) for y in entry.seen[i]):
        return "the law was fitted to this run"
    if dated is not None and dated < datetime.fromisoformat(entry.date):
        return "the run is older than the forecast"
    return "" if np.isfinite(entry.estimate[i]) else "the forecast is no number"


def _dates(runs: Any) -> list[datetime | None] | None:
    """When each run was finished, from the first column of dates; None for a cell that is no date."""
    names = list(runs.frame.columns) if hasattr(runs, "frame") else list(runs)
    name = next((n for n in names if n.lower() in _DATES), None)
    return None if name is None else [_moment(x) for x in runs[name]]


def _moment(x: Any) -> datetime | None:
    """A date, a time or ISO text as a moment in UTC; a day is its end, so that a run of the same day is no older."""
    if isinstance(x, np.datetime64):
        x = x.item()
    try:
        if isinstance(x, str):
            x = date.fromisoformat(x) if len(x) == 10 else datetime.fromisoformat(x)
        if not isinstance(x, date):
            return None
    except ValueError:
        return None
    moment = x if isinstance(x, datetime) else datetime(x.year, x.month, x.day, 23, 59, 59)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# ---- words


def _pooled(outcomes: tuple[Outcome, ...]) -> Scores | None:
    if not outcomes:
        return None
    y, p = (np.array([getattr(o, a) for o in outcomes]) for a in ("truth", "estimate"))
    levels = sorted(set.intersection(*(set(o.ends) for o in outcomes)))
    ends = {v: tuple(np.array([o.ends[v][k] for o in outcomes]) for k in (0, 1)) for v in levels}
    return score_forecasts(y, p, ends, log=bool(y.min() > 0 and p.min() > 0))  # type: ignore[arg-type]


def _line_words(entry: Entry, s: Scores) -> str:
    return f"line {entry.number}, {entry.date[:10]}, {entry.law} for {entry.target}: {_score_words(s)}"


def _score_words(s: Scores) -> str:
    inside = ", ".join(f"{round(c * s.points)} in {100 * v:g} %" for v, c in s.coverage.items())
    return f"{counted(s.points, 'run')}, mean error {s.relative_error:.2%}; inside: {inside}; CRPS {s.crps:.3g}"


def _findings(
    book: Ledger, runs: Any, outcomes: list[Outcome], missing: Mapping[int, str], unmatched: tuple[int, ...]
) -> list[Finding]:
    said = []
    for number, what in missing.items():
        said.append(Finding(
            "no_column", "warning", f"Line {number} cannot be scored: the runs have {what}.", (),
            "Name the column as it was when the law was fitted, or with columns=.",
        ))  # fmt: skip
    for reason in dict.fromkeys(o.why_not for o in outcomes if o.why_not):
        rows = tuple(o.row for o in outcomes if o.why_not == reason)
        text = f"{counted(len(rows), 'outcome')} not scored: {reason} ({in_rows(rows)})."
        said.append(Finding("not_scored", "warning", text, rows))
    print_ = getattr(runs, "fingerprint", "")
    same = [e.number for e in book if print_ and print_ in _prints(e.fingerprint)]
    if same:
        text = f"These are the very runs that line {listed(same)} was fitted to, by their fingerprint."
        said.append(Finding("same_runs", "error", text, (), "Score a forecast on runs that came after it."))
    means = [e.number for e in book if e.kind == "mean" and any(o.line == e.number and not o.why_not for o in outcomes)]
    if means:
        text = f"Line {listed(means)} holds intervals of the mean; a run's own noise is not in them."
        said.append(Finding("mean_intervals", "warning", text, (), "Register forecasts of kind='run'."))
    if outcomes and _dates(runs) is None:
        text = "The runs have no column of dates: whether they are younger than the forecast is not checked."
        said.append(Finding("no_dates", "note", text))
    if unmatched:
        text = f"No forecast is about {counted(len(unmatched), 'run')} ({in_rows(unmatched)})."
        said.append(Finding("unmatched", "note", text, unmatched))
    return said


def _prints(fingerprint: Any) -> set[str]:
    """Fingerprints of the tables that a line was fitted to; of a group it is the table's, a colon and the label."""
    given = fingerprint.values() if isinstance(fingerprint, Mapping) else [fingerprint]
    return {str(f).partition(":")[0] for f in given}
