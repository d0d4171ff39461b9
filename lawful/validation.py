"""What held-out runs say of a law: scores, skill against naive forecasts, coverage, all with how sure they are.

All laws and baselines are scored on the same held-out runs, those that every law forecast. Runs of one scale (of one
group, where there are eight groups or more) share what a law gets wrong, so the intervals of errors and skills
resample whole scales (groups), and fewer than five of them give none: "cannot tell".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from lawful.describe import finding_lines, percent
from lawful.findings import Finding, counted
from lawful.quantities import did_you_mean, find
from lawful.scores import Bin, Scores, by_distance, relative_error, score_forecasts, skill
from lawful.uncertainty import Interval

_FEW = 5  # units below which a score has no interval
_GROUPS = 8  # groups from which groups are the units
_DRAWS = 2000
_LEVEL = 0.9  # of the intervals of scores


@dataclass(frozen=True)
class Held:
    """The held-out runs, one entry (n,) per run and origin; distance: decades of scale beyond the largest run seen."""

    group: np.ndarray
    split: np.ndarray
    row: np.ndarray
    scale: np.ndarray
    distance: np.ndarray
    truth: np.ndarray


@dataclass(frozen=True)
class Forecasts:
    """What a law or baseline said of the held-out runs: estimate (n,), nan where nothing.

    ends: level -> (lower, upper). flags: what `forecast` said against using it. why_not: split -> why there is none.
    """

    name: str
    estimate: np.ndarray
    ends: Mapping[float, tuple[np.ndarray, np.ndarray]]
    flags: tuple[str, ...]
    why_not: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Validation:
    """Laws and baselines held against runs that they had not seen.

    over: the scale of the origins. held: the runs held out. laws, baselines: what was said of them, entry by entry.
    seen: scale, truth and group of all runs. levels: of the intervals. problems: what was left out on the way.
    """

    target: str
    over: str
    by: str
    levels: tuple[float, ...]
    held: Held
    laws: tuple[Forecasts, ...]
    baselines: tuple[Forecasts, ...]
    seen: Mapping[str, np.ndarray]
    problems: tuple[Finding, ...] = ()

    def __getitem__(self, name: str) -> Forecasts:
        found = {one.name: one for one in (*self.laws, *self.baselines)}
        if name not in found:
            raise KeyError(f"there is no {name!r} in this validation{did_you_mean(name, list(found))}")
        return found[name]

    @cached_property
    def common(self) -> np.ndarray:
        """Positions of the held-out runs that every law, of those that made any forecast, has forecast."""
        made = [np.isfinite(one.estimate) for one in self.laws if np.isfinite(one.estimate).any()]
        return np.flatnonzero(np.logical_and.reduce(made))

    @cached_property
    def log(self) -> bool:
        """Whether intervals are scored on logs: for everything positive that is no share."""
        quantity = find(self.target)
        return bool(self.held.truth.min() > 0) and (quantity is None or quantity.kind != "fraction")

    @cached_property
    def scores(self) -> Mapping[str, Scores]:
        """The scores of each law and baseline on the common held-out runs; one that failed on them is not there."""
        i = self.common
        out = {}
        for one in (*self.laws, *self.baselines):
            if len(i) and np.isfinite(one.estimate[i]).all():
                ends = {level: (low[i], high[i]) for level, (low, high) in one.ends.items()}
                out[one.name] = score_forecasts(self.held.truth[i], one.estimate[i], ends, log=self.log)
        return out

    @property
    def middle(self) -> float:
        """The level that is shown where there is room for one: the nearest to 90 %."""
        return min(self.levels, key=lambda level: abs(level - 0.9))

    @cached_property
    def best(self) -> str:
        """The law with the smallest mean relative error."""
        return min((law.name for law in self.laws if law.name in self.scores), key=self._error)

    @cached_property
    def best_baseline(self) -> str | None:
        """The baseline with the smallest mean relative error."""
        return min((b.name for b in self.baselines if b.name in self.scores), key=self._error, default=None)

    def _error(self, name: str) -> float:
        return self.scores[name].relative_error

    def error(self, name: str) -> Interval:
        """The mean relative error of a law or baseline, with its 90 % interval."""
        lower, upper = np.percentile(self._resampled(name), _tails()) if self._sure else (np.nan, np.nan)
        return self._interval(self._error(name), float(lower), float(upper))

    def skill(self, name: str, baseline: str) -> Interval:
        """1 - error / error of the baseline, with its 90 % interval: above 0 the law forecasts better."""
        value = float(skill(self._error(name), self._error(baseline)))
        if not self._sure:
            return self._interval(value, np.nan, np.nan)
        lower, upper = np.nanpercentile(skill(self._resampled(name), self._resampled(baseline)), _tails())
        return self._interval(value, float(lower), float(upper))

    def coverage(self, name: str, level: float, sure: float = _LEVEL) -> Interval:
        """The share of held-out runs inside their intervals of this level, with its exact binomial interval.

        Runs forecast from one origin err together, so the binomial counts origins (or groups), not runs.
        """
        from scipy.special import betaincinv

        i = self.common
        n = len(self._units) if self._by_groups else len(set(zip(self.held.group[i], self.held.split[i])))
        c, a = self.scores[name].coverage[level], (1 - sure) / 2
        lower = betaincinv(c * n, n - c * n + 1, a) if c > 0 else 0.0
        upper = betaincinv(c * n + 1, n - c * n, 1 - a) if c < 1 else 1.0
        return Interval(c, float(lower), float(upper), sure, "Clopper-Pearson")

    def distances(self, name: str, step: float = 0.5) -> tuple[Bin, ...]:
        """The mean relative error by decades beyond the runs seen."""
        i = self.common
        far, truth, said = self.held.distance[i], self.held.truth[i], self[name].estimate[i]
        return by_distance(far, relative_error, truth, said, step=step)

    @cached_property
    def _units(self) -> list[np.ndarray]:
        """Positions within `common` of the runs that share what a law gets wrong."""
        group = self.held.group[self.common]
        keys = list(group) if self._by_groups else list(zip(group, self.held.scale[self.common]))
        found: dict[Any, list[int]] = {}
        for i, key in enumerate(keys):
            found.setdefault(key, []).append(i)
        return [np.array(rows) for rows in found.values()]

    @property
    def _by_groups(self) -> bool:
        groups = len(set(self.held.group[self.common]))
        return groups >= _GROUPS or self.over.startswith("groups of")

    @property
    def _sure(self) -> bool:
        return len(self._units) >= _FEW

    def _resampled(self, name: str) -> np.ndarray:
        """Mean relative errors (draws,) over resampled units: the same for every law, so that they can be paired."""
        error = relative_error(self.held.truth[self.common], self[name].estimate[self.common])
        total = np.array([error[rows].sum() for rows in self._units])
        count = np.array([len(rows) for rows in self._units])
        drawn = np.random.default_rng(0).integers(len(count), size=(_DRAWS, len(count)))
        return total[drawn].sum(1) / count[drawn].sum(1)

    def _interval(self, value: float, lower: float, upper: float) -> Interval:
        why = "" if self._sure else f"cannot tell: {counted(len(self._units), 'scale')} held out"
        return Interval(value, lower, upper, _LEVEL, "bootstrap of scales", why)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Whether the best law earns its parameters, whether its intervals hold, and what could not be fitted."""
        return (*_verdict(self), *_intervals_hold(self), *_flagged(self), *_missing(self), *self.problems)

    def table(self) -> Any:
        """A polars frame, one row per law and baseline: every score with what is known of its interval."""
        import polars as pl

        rows = []
        for name, s in self.scores.items():
            error = self.error(name)
            row = {"law": name, "runs": s.points, "error": error.estimate, "error_lower": error.lower}
            row |= {"error_upper": error.upper, "rmse_log": s.rmse_log, "r2": s.r2, "crps": s.crps}
            for b in self.baselines:
                found = self.skill(name, b.name) if b.name in self.scores else None
                key = f"skill_{b.name.replace(' ', '_')}"
                row |= {key: found and found.estimate, f"{key}_lower": found and found.lower,
                        f"{key}_upper": found and found.upper}  # fmt: skip
            for level in self.levels:
                at = f"{100 * level:g}"
                values = (s.coverage, s.width, s.interval_score)
                row |= {f"{k}_{at}": v.get(level) for k, v in zip(("inside", "width", "interval_score"), values)}
            rows.append(row)
        return pl.DataFrame(rows, infer_schema_length=None)

    def to_frame(self) -> Any:
        """A polars frame, one row per held-out run, origin and law: truth, estimate, ends and flag."""
        import polars as pl

        h, parts = self.held, []
        for one in (*self.laws, *self.baselines):
            ends = {f"{end}_{100 * v:g}": one.ends[v][j] if v in one.ends else np.full(len(h.truth), np.nan)
                    for v in self.levels for j, end in enumerate(("lower", "upper"))}  # fmt: skip
            columns = {"group": list(h.group), "split": list(h.split), "row": h.row, "scale": h.scale}
            numbers = {"distance": h.distance, "truth": h.truth, "estimate": one.estimate} | ends
            parts.append(pl.DataFrame({"law": [one.name] * len(h.truth)} | columns | numbers | {"flag": one.flags}))
        return pl.concat(parts)

    def facts(self) -> dict[str, Any]:
        """The table, errors by distance and findings as plain data, for programs."""
        far = {name: [asdict(b) for b in self.distances(name)] for name in self.scores}
        return {
            "target": self.target, "over": self.over, "by": self.by, "levels": self.levels, "best": self.best,
            "forecasts": len(self.common), "table": self.table().to_dicts(), "by_distance": far,
            "findings": [asdict(f) for f in self.findings],
        }  # fmt: skip

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        notes = ["skill: 1 - error / error of the last value, the line through the last two points, a plain power law"]
        notes += [f"interval score and CRPS are of {'the log of ' if self.log else ''}{self.target}"]
        parts = [self.headline, "", *_lines(table_rows(self)), "", *_lines(distance_rows(self)), "", *notes]
        return "\n".join([*parts, "", *finding_lines(self.findings)])

    @property
    def headline(self) -> str:
        """``loss held out over C: 18 forecasts of 6 runs from 5 origins``"""
        i = self.common
        runs, origins = len(set(self.held.row[i])), len(set(self.held.split[i]))
        how = f"{counted(origins, 'group')} left out" if self.over.startswith("groups of") else f"{origins} origins"
        by = f", by {self.by}" if self.by else ""
        return f"{self.target} held out over {self.over}{by}: {len(i)} forecasts of {counted(runs, 'run')}, {how}"


# ---- tables in words


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
        skills = ["" if name == b else f"{v.skill(name, b).estimate:.2f}" for b in names]
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


def _lines(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows as aligned columns; a cell of two lines makes two of its row."""
    flat = [tuple(line) for row in rows for line in (zip(*(c.split("\n") for c in row)) if "\n" in row[0] else [row])]
    wide = [max(len(row[i]) for row in flat) for i in range(len(flat[0]))]
    cells = ([row[0].ljust(wide[0]), *(c.rjust(w) for c, w in zip(row[1:], wide[1:]))] for row in flat)
    return ["  ".join(line).rstrip() for line in cells]


def _tails() -> tuple[float, float]:
    return 50 * (1 - _LEVEL), 50 * (1 + _LEVEL)


# ---- findings


def _verdict(v: Validation) -> list[Finding]:
    base = v.best_baseline
    if base is None:
        return []
    found, units = v.skill(v.best, base), counted(len(v._units), "scale")
    said = (
        f"{v.best} errs by {percent(v._error(v.best))}, the best naive forecast ({base}) by {percent(v._error(base))}"
    )
    if not v._sure:
        text = f"{said}; {units} held out are too few to tell which is better."
        return [Finding("few_scales", "warning", text, (), "Add runs at other scales.")]
    if found.lower > 0:
        return [Finding("beats_naive", "note", f"{said}: better, skill {_span(found)}.")]
    if found.upper < 0:
        text = f"{said}: worse, skill {_span(found)}."
        return [Finding("naive_wins", "error", text, (), "Do not extrapolate on this law.")]
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
    return said
