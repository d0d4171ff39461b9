"""What held-out runs say of a law: scores, skill against naive forecasts, coverage, all with how sure they are.

All laws and baselines are scored on the same held-out runs, those that every law forecast. Runs of one scale, within a
tenth of a decade (of one group, where there are eight groups or more), share what a law gets wrong, so the intervals of
errors and skills resample whole scales (groups), and fewer than five of them give none: "cannot tell".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from lawful.describe import finding_lines
from lawful.findings import Finding, counted
from lawful.quantities import did_you_mean, find
from lawful.scores import Bin, Scores, by_distance, relative_error, score_forecasts, skill
from lawful.uncertainty import Interval
from lawful.validation_words import aligned, distance_rows, findings_of, table_rows

_FEW = 5  # units below which a score has no interval
_GROUPS = 8  # groups from which groups are the units
_WIDE = 0.1  # decades of scale that count as one scale
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
    fitted: split -> the law fitted, which "auto" chose.
    """

    name: str
    estimate: np.ndarray
    ends: Mapping[float, tuple[np.ndarray, np.ndarray]]
    flags: tuple[str, ...]
    why_not: Mapping[str, str] = field(default_factory=dict)
    fitted: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Validation:
    """Laws and baselines held against runs that they had not seen.

    over: the scale of the origins. held: the runs held out. laws, baselines: what was said of them, entry by entry.
    levels: of the intervals. problems: what was left out on the way.
    """

    target: str
    over: str
    by: str
    levels: tuple[float, ...]
    held: Held
    laws: tuple[Forecasts, ...]
    baselines: tuple[Forecasts, ...]
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
        return min((law.name for law in self.laws if law.name in self.scores), key=self.mean_error)

    @cached_property
    def best_baseline(self) -> str | None:
        """The baseline with the smallest mean relative error."""
        return min((b.name for b in self.baselines if b.name in self.scores), key=self.mean_error, default=None)

    def mean_error(self, name: str) -> float:
        """The mean relative error of a law or baseline."""
        return self.scores[name].relative_error

    def error(self, name: str) -> Interval:
        """The mean relative error of a law or baseline, with its 90 % interval."""
        lower, upper = np.percentile(self._resampled(name), _tails()) if self.sure else (np.nan, np.nan)
        return self._interval(self.mean_error(name), float(lower), float(upper))

    def skill(self, name: str, baseline: str) -> Interval:
        """1 - error / error of the baseline, with its 90 % interval: above 0 the law forecasts better."""
        value = float(skill(self.mean_error(name), self.mean_error(baseline)))
        if not self.sure:
            return self._interval(value, np.nan, np.nan)
        lower, upper = np.nanpercentile(skill(self._resampled(name), self._resampled(baseline)), _tails())
        return self._interval(value, float(lower), float(upper))

    def coverage(self, name: str, level: float, sure: float = _LEVEL) -> Interval:
        """The share of held-out runs inside their intervals of this level, with its exact binomial interval.

        Runs forecast from one origin err together, so the binomial counts origins (or groups), not runs.
        """
        from scipy.special import betaincinv

        i = self.common
        n = len(self.units) if self._by_groups else len(set(zip(self.held.group[i], self.held.split[i])))
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
    def units(self) -> list[np.ndarray]:
        """Positions within `common` of the runs that share what a law gets wrong."""
        group = self.held.group[self.common]
        keys: list[Any] = list(group)
        if not self._by_groups:
            keys = list(zip(group, np.round(np.log10(self.held.scale[self.common]) / _WIDE)))
        found: dict[Any, list[int]] = {}
        for i, key in enumerate(keys):
            found.setdefault(key, []).append(i)
        return [np.array(rows) for rows in found.values()]

    @property
    def _by_groups(self) -> bool:
        groups = len(set(self.held.group[self.common]))
        return groups >= _GROUPS or self.over.startswith("groups of")

    @property
    def unit(self) -> str:
        """What is resampled: ``group`` or ``scale``."""
        return "group" if self._by_groups else "scale"

    @property
    def sure(self) -> bool:
        """Whether there are enough units for an interval."""
        return len(self.units) >= _FEW

    def _resampled(self, name: str) -> np.ndarray:
        """Mean relative errors (draws,) over resampled units: the same for every law, so that they can be paired."""
        error = relative_error(self.held.truth[self.common], self[name].estimate[self.common])
        total = np.array([error[rows].sum() for rows in self.units])
        count = np.array([len(rows) for rows in self.units])
        drawn = np.random.default_rng(0).integers(len(count), size=(_DRAWS, len(count)))
        return total[drawn].sum(1) / count[drawn].sum(1)

    def _interval(self, value: float, lower: float, upper: float) -> Interval:
        why = "" if self.sure else f"cannot tell: {counted(len(self.units), self.unit)} held out"
        return Interval(value, lower, upper, _LEVEL, f"bootstrap of {self.unit}s", why)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Whether the best law earns its parameters, whether its intervals hold, and what could not be fitted."""
        return findings_of(self)

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
        notes += [f"interval score and CRPS are of {'the log of ' if self.log else ''}{self.what}"]
        parts = [self.headline, "", *aligned(table_rows(self)), "", *aligned(distance_rows(self)), "", *notes]
        return "\n".join([*parts, "", *finding_lines(self.findings)])

    @property
    def what(self) -> str:
        """The outcome in words: the vocabulary's name for a symbol."""
        quantity = find(self.target)
        return quantity.column if quantity is not None else self.target

    @property
    def headline(self) -> str:
        """``loss held out over C: 18 forecasts of 6 runs from 5 origins``"""
        i = self.common
        runs, origins = len(set(self.held.row[i])), len(set(self.held.split[i]))
        how = f"{counted(origins, 'group')} left out" if self.over.startswith("groups of") else f"{origins} origins"
        by = f", by {self.by}" if self.by and not self.over.startswith("groups of") else ""
        return f"{self.what} held out over {self.over}{by}: {len(i)} forecasts of {counted(runs, 'run')}, {how}"


def _tails() -> tuple[float, float]:
    return 50 * (1 - _LEVEL), 50 * (1 + _LEVEL)
