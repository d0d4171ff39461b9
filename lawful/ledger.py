"""Forecasts written down before the runs are trained, and scored when the runs arrive.

    made = forecast(fit, N=70e9, D=1.4e12, kind="run")
    entry = register(made, fit, "forecasts.jsonl")       # one line more in the ledger; publish entry.sha256
    print(score("forecasts.jsonl", read("new_runs.csv")))

A ledger is a text file with one JSON line per forecast: date, law and values, fingerprint of the runs, points,
estimates, intervals at several levels. Each line holds the SHA-256 of its own content and of the line before it, so a
line that is changed, taken out or put in later does not fit any more. What a file cannot show by itself is that it was
not written anew as a whole, or that its last lines were cut off: that takes the last hash in somebody else's hands (a
commit, a mail, a paper). The date is this computer's clock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lawful.candidates import Candidate
from lawful.company import led_by
from lawful.findings import Finding
from lawful.fit import Fit, Fits
from lawful.fitfile import plain
from lawful.forecast import Forecast, forecast
from lawful.places import collect
from lawful.points import as_labels

FORMAT = "lawful forecast 1"
LEVELS = (0.5, 0.8, 0.9, 0.95)
_SAME = 1e-9  # relative difference up to which two numbers are the same one, written twice
_CONTENT = (
    "format", "date", "lawful", "law", "values", "target", "kind", "method", "fingerprint", "columns", "by", "groups",
    "calibration", "shared", "points", "estimate", "intervals", "distance", "flags", "seen", "note", "previous",
    "sha256",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One registered forecast: line `number` of a ledger.

    shared: the laws that share the forecast, and their weights. calibration: on what the intervals rest.
    points: variable -> values (m,), of an array variable (k, m). groups: the group of each point, where the law was
    fitted by group. intervals: level -> (lower, upper), each (m,). seen: for each point the outcomes of the runs at the
    same place that the law was fitted to. sound: whether the line is as it was written.
    """

    number: int
    date: str
    law: str
    values: Mapping[str, Any]
    target: str
    kind: str
    method: str
    calibration: str
    shared: Mapping[str, float]
    fingerprint: Any
    columns: Mapping[str, Any]
    by: str
    groups: tuple[str, ...]
    points: Mapping[str, np.ndarray]
    estimate: np.ndarray
    intervals: Mapping[float, tuple[np.ndarray, np.ndarray]]
    distance: np.ndarray
    flags: tuple[str, ...]
    seen: tuple[tuple[float, ...], ...]
    note: str
    lawful: str
    sha256: str
    sound: bool = True

    def __len__(self) -> int:
        return len(self.estimate)

    def __str__(self) -> str:
        who = led_by(self.law, len(self.shared))
        what = f"{len(self)} forecasts of {self.target}" if len(self) != 1 else f"a forecast of {self.target}"
        return f"line {self.number}, {self.date}: {what} by {who}; sha256 {self.sha256}"

    def place(self, i: int) -> str:
        """Point i in words: ``N = 7e+10, D = 1.4e+12``."""
        parts = [f"{self.by} = {self.groups[i]}"] if self.groups else []
        for name, x in self.points.items():
            shown = f"{x[i]:.4g}" if x.ndim == 1 else "(" + ", ".join(f"{v:.3g}" for v in x[:, i]) + ")"
            parts.append(f"{name} = {shown}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Ledger:
    """The forecasts of a ledger in the order of their lines, and what does not fit in it."""

    path: str
    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __getitem__(self, i: int) -> Entry:
        return self.entries[i]

    def __str__(self) -> str:
        return "\n".join([*map(str, self.entries), *map(str, self.findings)])


def register(
    made: Forecast, fit: Fit | Fits, ledger: str | Path = "forecasts.jsonl", *, levels: Sequence[float] = LEVELS,
    note: str = "",
) -> Entry:  # fmt: skip
    """Add a forecast to a ledger, with its intervals at these levels and its own; returns the line written.

    made: what `forecast` gave for this fit (kind="run" if it shall be held against runs). note: a word for the reader.
    The intervals are made with the forecast's kind and method. The file is made where it does not exist.
    Raises ValueError where the forecast is not of this fit, the file is no ledger, or a line of it was changed.
    """
    path = Path(ledger)
    before = read_ledger(path) if path.exists() else Ledger(str(path), ())
    broken = [f for f in before.findings if f.severity == "error"]
    if broken:
        raise ValueError(f"{path} is not added to: {broken[0].message} {broken[0].remedy}")
    content = _content(made, fit, tuple(levels), note)
    content["previous"] = before[-1].sha256 if len(before) else ""
    content["sha256"] = _digest(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = not path.exists() or path.read_bytes()[-1:] in (b"", b"\n")
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(f"{'' if whole else chr(10)}{_text(content)}\n")
    return _entry(len(before) + 1, json.loads(_text(content)), sound=True)


def read_ledger(path: str | Path) -> Ledger:
    """The lines of a ledger, each checked against its hash and the line before it.

    A line that was changed stays in, marked as not `sound`, with a finding; where two lines do not follow each other,
    both are marked. Raises FileNotFoundError for a missing file, ValueError naming the line that is no forecast.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no ledger {path}; `lawful forecast FIT --at POINTS --register {path}` makes one"
        )
    entries, findings, previous = [], [], ""
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")  # a note may hold other line ends
    for number, text in enumerate(lines if lines != [""] else [], 1):
        content = _parsed(path, number, text)
        said = []
        if content["sha256"] != _digest(content):
            said.append("its content does not match its SHA-256: it was changed after it was written")
        if content["previous"] != previous:
            said.append("it does not follow the line before it: a line was changed, taken out or put in")
            entries[-1:] = [replace(one, sound=False) for one in entries[-1:]]
        entries.append(_entry(number, content, sound=not said))
        for one in said:
            remedy = "Compare with a copy of the ledger from another place."
            findings.append(Finding("ledger_changed", "error", f"Line {number} of {path}: {one}.", (number,), remedy))
        previous = content["sha256"]
    return Ledger(str(path), tuple(entries), tuple(findings))


# ---- lines


def _content(made: Forecast, fit: Fit | Fits, levels: tuple[float, ...], note: str) -> dict[str, Any]:
    """All that a line says, but for the hashes, as plain data."""
    from lawful import __version__

    one = next(iter(fit.values())) if isinstance(fit, Fits) else fit
    by = fit.by if isinstance(fit, Fits) else (fit.points.by if fit.points.group is not None else "")
    groups = tuple(map(str, as_labels(_column(made, by)))) if by else ()
    points = _variables(made, fit, groups)
    again = {float(level): _again(made, fit, level) for level in sorted({*levels, made.level})}
    here = again[made.level].estimate
    if not np.allclose(here, made.estimate, rtol=_SAME, atol=0, equal_nan=True):
        raise ValueError(
            f"the forecast is not of this fit: it says {made.estimate[0]:.6g} at its first point, the fit {here[0]:.6g}"
        )
    if len(again) > 1 and not np.allclose(again[made.level].lower, made.lower, rtol=_SAME, atol=0, equal_nan=True):
        raise ValueError(
            "the intervals were made with options of their own (draws, seed, a library): register them alone, levels=()"
        )
    ends = {repr(level): [found.lower, found.upper] for level, found in again.items()}
    ends[repr(float(made.level))] = [made.lower, made.upper]
    many = fit.fits.items() if isinstance(fit, Fits) else ()
    shared = {_called(f): weight for weight, f in one.others} if made.method == "calibrated" else {}
    return plain({
        "format": FORMAT, "date": datetime.now(UTC).isoformat(timespec="seconds"), "lawful": __version__,
        "law": one.law.name, "shared": shared, "target": one.points.target, "by": by, "kind": made.kind,
        "method": made.method, "calibration": made.calibration,
        "values": {k: f.values for k, f in many} or one.values,
        "fingerprint": {k: f.fingerprint for k, f in many} or one.fingerprint,
        "columns": {v: one.points.columns.get(v, v) for v in one.law.variables},
        "groups": groups, "points": points, "estimate": made.estimate, "intervals": ends,
        "distance": made.distance, "flags": made.flag, "seen": _seen(fit, points, groups), "note": note,
    })  # fmt: skip


def _called(fit: Fit) -> str:
    """A law of an average by a name of its own: a law may be in it twice, with a tie, or over another column."""
    return Candidate(fit.law, fit.points.columns, fit.settings.fixed, fit.settings.tied).name


def _column(made: Forecast, name: str) -> np.ndarray:
    if name not in made.points:
        raise ValueError(f"the points of the forecast have no column {name!r}, by which the law was fitted")
    return made.points[name]


def _again(made: Forecast, fit: Fit | Fits, level: float) -> Forecast:
    table = {k: v for k, v in made.points.items() if "[" not in k} | _whole_arrays(made, fit)
    method = "auto" if made.method == "calibrated" else made.method
    return forecast(fit, table, level=level, kind=made.kind, method=method)


def _whole_arrays(made: Forecast, fit: Fit | Fits) -> dict[str, np.ndarray]:
    """Array variables given by name, which a forecast shows as one column per entry, as rows again."""
    one = next(iter(fit.values())) if isinstance(fit, Fits) else fit
    found = {v: [c for c in made.points if c.startswith(f"{v}[")] for v in one.law.arrays}
    return {v: np.stack([made.points[c] for c in names], axis=-1) for v, names in found.items() if names}


def _variables(made: Forecast, fit: Fit | Fits, groups: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The law's variables at the points (m,), arrays (k, m)."""
    one = fit[groups[0]] if isinstance(fit, Fits) else fit
    table = {k: v for k, v in made.points.items() if "[" not in k} | _whole_arrays(made, fit)
    return {v: np.asarray(x) for v, x in collect(one, table, {})[0].items()}


def _seen(fit: Fit | Fits, points: Mapping[str, np.ndarray], groups: tuple[str, ...]) -> list[list[float]]:
    """For each point, the outcomes of the fitted runs at the same place."""
    out = []
    for i in range(np.shape(next(iter(points.values())))[-1] if points else 0):
        one = fit[groups[i]] if isinstance(fit, Fits) else fit
        same = np.ones(one.n, bool)
        for v, x in points.items():
            close = np.isclose(one.points.X[v], np.asarray(x)[..., i, None] if np.ndim(x) == 2 else x[i], _SAME, 0)
            same &= close.all(0) if close.ndim == 2 else close
        if one.points.group is not None:
            same &= np.array(one.points.labels)[one.points.group] == groups[i]
        out.append(one.points.y[same].tolist())
    return out


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text({k: v for k, v in content.items() if k != "sha256"}).encode()).hexdigest()


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _parsed(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as problem:
        raise ValueError(f"{path}, line {number} is not JSON ({problem}): this is no ledger of forecasts") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        said = content.get("format") if isinstance(content, dict) else None
        raise ValueError(f"{path}, line {number} is no registered forecast: its format is {said!r}, not {FORMAT!r}")
    missing = [name for name in _CONTENT if name not in content]
    if missing:
        raise ValueError(f"{path}, line {number} lacks {', '.join(missing)}: compare with a copy from another place")
    return content


def _entry(number: int, c: Mapping[str, Any], sound: bool) -> Entry:
    return Entry(
        number, c["date"], c["law"], c["values"], c["target"], c["kind"], c["method"], c["calibration"],
        c["shared"], c["fingerprint"], c["columns"], c["by"], tuple(c["groups"]),
        {v: _numbers(x) for v, x in c["points"].items()}, _numbers(c["estimate"]),
        {float(level): (_numbers(low), _numbers(high)) for level, (low, high) in c["intervals"].items()},
        _numbers(c["distance"]), tuple(c["flags"]), tuple(tuple(y) for y in c["seen"]), c["note"], c["lawful"],
        c["sha256"], sound,
    )  # fmt: skip


def _numbers(values: Any) -> np.ndarray:
    """Numbers as `plain` wrote them: null is nan, "inf" infinite."""
    return np.array([_numbers(v) if isinstance(v, list) else np.nan if v is None else float(v) for v in values], float)
