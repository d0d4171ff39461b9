"""Two systems over benchmarks and levels, in one call.

Every cell, every pooled row and the trend over levels is one comparison of the family, and the correction
counts them all (and those planned but not shown). Rows pooled over cells weigh every unit alike. A separate
row takes the benchmark as the unit: it is the only one that speaks about other benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lawful.stats_bootstrap import paired_bootstrap
from lawful.stats_correlation import level_correlation
from lawful.stats_counts import mcnemar_from_answers
from lawful.stats_effects import cohens_d
from lawful.stats_multiplicity import CORRECTIONS, adjust_p
from lawful.stats_pairs import PairedCell, check_crossed, paired_cells, table_columns
from lawful.stats_permutation import paired_permutation
from lawful.stats_result import (
    CANNOT_TELL,
    FEW_UNITS,
    StatResult,
    check_choice,
    check_level,
    check_resamples,
    interval_words,
    number,
    resamples_needed,
    threshold,
)

BENCHMARKS_AS_UNITS = "benchmarks as units"


@dataclass(frozen=True)
class ComparisonRow:
    """One comparison: where, both scores, the difference with interval, test, adjusted p, effect size,
    verdict.

    `scope` is "cell", "benchmark" (pooled over levels), "level" (pooled over benchmarks), "all" or
    "benchmarks as units". `effect` is g_z, None where the metric is no mean over units or the differences do
    not vary or are only two.
    """

    scope: str
    benchmark: Hashable
    level: Hashable
    n: int
    unit: str
    scores: tuple[float, float]
    difference: float
    interval: tuple[float, float]
    test: StatResult
    p_adjusted: float
    effect: StatResult | None
    verdict: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """All rows, the trend of the difference over ordered levels (None where no order was given), and the
    plan."""

    systems: tuple[Hashable, Hashable]
    unit: str
    crossed: bool
    metric: str
    rows: tuple[ComparisonRow, ...]
    trend: StatResult | None
    correction: str
    planned: int
    alpha: float
    confidence: float
    resamples: int
    seed: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Planned:
    scope: str
    cells: tuple[PairedCell, ...]
    benchmark: Hashable = None
    level: Hashable = None


def _plan(cells: Sequence[PairedCell]) -> list[_Planned]:
    """The rows, fixed before any score is looked at."""
    benchmarks = list(dict.fromkeys(c.benchmark for c in cells))
    levels = list(dict.fromkeys(c.level for c in cells))
    rows = [_Planned("cell", (c,), c.benchmark, c.level) for c in cells]
    if len(benchmarks) > 1 and len(levels) > 1:
        rows += [_Planned("benchmark", tuple(c for c in cells if c.benchmark == k), k) for k in benchmarks]
        rows += [_Planned("level", tuple(c for c in cells if c.level == k), level=k) for k in levels]
    if len(cells) > 1:
        rows.append(_Planned("all", tuple(cells)))
    if len(benchmarks) > 1:
        rows.append(_Planned(BENCHMARKS_AS_UNITS, tuple(cells)))
    return rows


@dataclass(frozen=True)
class _Paired:
    """The units of one row: outputs of both systems, and the cell each unit was drawn in."""

    a: np.ndarray
    b: np.ndarray
    truth: np.ndarray | None
    strata: np.ndarray | None
    unit: str


def _score(output: np.ndarray, truth: np.ndarray | None, metric: Callable[..., float] | None) -> float:
    if metric is None:
        return float(output.mean())
    return float(metric(output) if truth is None else metric(truth, output))


def _gather(row: _Planned, crossed: bool, metric: Callable[..., float] | None, unit: str) -> _Paired:
    cells = row.cells
    if row.scope == BENCHMARKS_AS_UNITS:
        names = list(dict.fromkeys(c.benchmark for c in cells))
        each = [[c for c in cells if c.benchmark == name] for name in names]
        a = np.array([np.mean([_score(c.a, c.truth, metric) for c in group]) for group in each])
        b = np.array([np.mean([_score(c.b, c.truth, metric) for c in group]) for group in each])
        return _Paired(a, b, None, None, "benchmark")
    if crossed and len(cells) > 1:
        order = [[c.units.index(u) for u in cells[0].units] for c in cells]
        a = np.mean([c.a[i] for c, i in zip(cells, order)], axis=0)
        b = np.mean([c.b[i] for c, i in zip(cells, order)], axis=0)
        return _Paired(a, b, None, None, unit)
    strata = np.repeat(np.arange(len(cells)), [len(c.a) for c in cells]) if len(cells) > 1 else None
    truths = [c.truth for c in cells if c.truth is not None]
    a, b = (np.concatenate([getattr(c, side) for c in cells]) for side in "ab")
    return _Paired(a, b, np.concatenate(truths) if truths else None, strata, unit)


def _test_row(
    data: _Paired,
    metric: Callable[..., float] | None,
    resamples: int,
    confidence: float,
    seed: np.random.Generator,
) -> tuple[StatResult, tuple[float, float], StatResult | None]:
    """The test, the interval of the difference, and the effect size.

    0/1 scores: McNemar exact (the sign-flip test without its random error). Below 20 units the interval is
    the sign-flip test's own; from 20 on, BCa inside cells.
    """
    a, b, n = data.a, data.b, len(data.a)
    flip = partial(paired_permutation, unit=data.unit, resamples=resamples, level=confidence, seed=seed)
    boot = partial(paired_bootstrap, strata=data.strata, resamples=resamples, level=confidence, seed=seed)
    if metric is not None and data.unit != "benchmark":
        test = flip(a, b, metric=metric, truth=data.truth, strata=data.strata)
        return test, test.interval or (-np.inf, np.inf), None
    a, b = a.astype(float), b.astype(float)
    binary = np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all()
    test = mcnemar_from_answers(a, b, level=confidence, unit=data.unit) if binary else flip(a, b)
    if n >= FEW_UNITS:
        interval = boot(a, b).interval
    else:
        interval = test.interval if not binary else flip(a, b).interval
    spread = n > 2 and (a - b).std() > 1e-12 * max(np.abs(a).max(), np.abs(b).max(), 1e-300)
    effect = cohens_d(a, b, unit=data.unit, resamples=resamples, level=confidence, seed=seed) if spread else None
    return test, interval or (-np.inf, np.inf), effect


def _judge(
    test: StatResult, interval: tuple[float, float], p: float, alpha: float, family: int, systems: tuple
) -> tuple[str, tuple[str, ...]]:
    smallest = min(1.0, (test.smallest_p or 0.0) * family)
    warnings = []
    if smallest > alpha:
        warnings.append(
            f"n = {test.n} ({test.unit}): the smallest p this test can give is "
            f"{number(test.smallest_p or 0.0)}, "
            f"{number(smallest)} after {family} comparisons; it cannot reach {number(alpha)}."
        )
    if p > alpha:
        return f"{CANNOT_TELL} (adjusted p {number(p)})", tuple(warnings)
    if interval[0] <= 0 <= interval[1]:
        warnings.append(f"The interval {interval_words(interval)} holds 0 although adjusted p = {number(p)}.")
        return f"{CANNOT_TELL}: test and interval disagree", tuple(warnings)
    return f"{systems[0] if test.estimate > 0 else systems[1]} higher", tuple(warnings)


def _trend(rows: list[ComparisonRow], levels: Sequence[Hashable], level: float) -> StatResult:
    scopes = ("level",) if any(r.scope == "level" for r in rows) else ("cell",)
    by_level = {r.level: r.difference for r in rows if r.scope in scopes}
    if len(set(levels)) != len(levels) or set(levels) != set(by_level):
        raise ValueError(f"levels must name each level once, in order; got {list(levels)}, seen {list(by_level)}.")
    return level_correlation(range(len(levels)), [by_level[k] for k in levels], level=level)


def compare_systems(
    table: Any,
    *,
    system: str = "system",
    score: str = "score",
    unit: str = "instance",
    benchmark: str | None = "benchmark",
    level: str | None = None,
    truth: str | None = None,
    metric: Callable[..., float] | None = None,
    systems: tuple[Hashable, Hashable] | None = None,
    crossed: bool | None = None,
    levels: Sequence[Hashable] | None = None,
    correction: str = "holm",
    planned: int | None = None,
    alpha: float = 0.05,
    confidence: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare two systems over benchmarks and levels.

    `table` is a frame (pandas, polars, pyarrow) or a mapping of arrays, one row per system and unit; the
    string arguments name its columns. `unit` is what was sampled: "instance" or "seed", say. `score` is a
    number per unit whose mean counts; with `metric(truth, output)` (F1, say; `truth` names a column) it is
    the system's output. `systems` orders the two (default: order of appearance). `crossed`: see
    `stats_pairs.check_crossed`; it must be said where unit labels repeat across cells. `levels` orders the
    levels and adds the trend of the difference over them. `planned` counts all comparisons planned, at least
    those made. `resamples` defaults to what the correction needs, at least 9,999.

    Intervals have the stated confidence each; only p-values are corrected. Raises ValueError for unmatched or
    repeated units, missing scores, and unknown columns.

    >>> table = dict(system=["a"] * 3 + ["b"] * 3, instance=[1, 2, 3] * 2, score=[1, 1, 0, 0, 1, 0])
    >>> compare_systems(table, benchmark=None).rows[0].verdict
    'cannot tell (adjusted p 1)'
    """
    check_choice("correction", correction, CORRECTIONS)
    check_level(confidence)
    threshold(alpha, 1)
    named = dict(system=system, score=score, unit=unit, benchmark=benchmark, level=level, truth=truth)
    pair, cells = paired_cells(table_columns(table, named), systems)
    crossed = check_crossed(cells, crossed, unit)
    if metric is not None and crossed and len(cells) > 1:
        raise ValueError("metric with crossed=True is not supported: score each unit, compare the scores.")
    plan = _plan(cells)
    family = _family(len(plan) + (levels is not None), planned)
    draws = check_resamples(resamples or max(9999, 2 * resamples_needed(alpha, family)))
    rng = np.random.default_rng(seed)
    rows = [_row(p, _gather(p, crossed, metric, unit), metric, draws, confidence, rng) for p in plan]
    trends = [] if levels is None else [_trend(rows, levels, confidence)]
    p_values = [r.test.p for r in rows] + [t.p for t in trends]
    adjusted = adjust_p(np.array(p_values, dtype=float), correction, family)
    judged = [_with_adjusted(r, float(p), alpha, family, pair) for r, p in zip(rows, adjusted)]
    trends = [_trend_with_adjusted(t, float(adjusted[-1]), alpha, family) for t in trends]
    warnings = [w for r in [*judged, *trends] for w in r.warnings]
    return Comparison(
        systems=pair,
        unit=unit,
        crossed=crossed,
        metric="mean score" if metric is None else getattr(metric, "__name__", "metric"),
        rows=tuple(judged),
        trend=trends[0] if trends else None,
        correction=correction,
        planned=family,
        alpha=alpha,
        confidence=confidence,
        resamples=draws,
        seed=seed,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _family(made: int, planned: int | None) -> int:
    if planned is not None and planned < made:
        raise ValueError(f"planned must be at least the {made} comparisons made here; got {planned}.")
    return made if planned is None else planned


def _row(
    planned: _Planned, data: _Paired, metric, resamples: int, confidence: float, rng: np.random.Generator
) -> ComparisonRow:
    test, interval, effect = _test_row(data, metric, resamples, confidence, rng)
    on_units = metric if data.unit != "benchmark" else None
    scores = (_score(data.a, data.truth, on_units), _score(data.b, data.truth, on_units))
    return ComparisonRow(
        scope=planned.scope,
        benchmark=planned.benchmark,
        level=planned.level,
        n=len(data.a),
        unit=data.unit,
        scores=scores,
        difference=scores[0] - scores[1],
        interval=interval,
        test=test,
        p_adjusted=np.nan,
        effect=effect,
        verdict="",
        warnings=(),
    )


def _with_adjusted(row: ComparisonRow, p: float, alpha: float, family: int, systems: tuple) -> ComparisonRow:
    verdict, warnings = _judge(row.test, row.interval, p, alpha, family, systems)
    return replace(row, p_adjusted=p, verdict=verdict, warnings=warnings)


def _trend_with_adjusted(trend: StatResult, p: float, alpha: float, family: int) -> StatResult:
    smallest = min(1.0, (trend.smallest_p or 0.0) * family)
    verdict = f"the difference {'grows' if trend.estimate > 0 else 'shrinks'} with level"
    warnings = ()
    if p > alpha:
        verdict = f"{CANNOT_TELL} whether the difference changes with level"
    if smallest > alpha:
        warnings = (
            f"Trend over {trend.n} levels: the smallest p is {number(trend.smallest_p or 0.0)}, "
            f"{number(smallest)} after "
            f"{family} comparisons; it cannot reach {number(alpha)}.",
        )
    details = {**trend.details, "p_adjusted": p}
    return replace(trend, alpha=alpha, verdict=verdict, warnings=warnings, details=details)
