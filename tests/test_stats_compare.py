"""Two systems in one call, and what the intervals cover over many simulated worlds."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from lawful import stats
from lawful.stats_calibration import bin_numbers


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240607)


def f1(truth: np.ndarray, output: np.ndarray) -> float:
    hits, wrong = np.sum(truth * output), np.sum(truth != output)
    return 2 * hits / (2 * hits + wrong) if hits + wrong else 0.0


# Two systems in one call


def long_table(rng, benchmarks=("arc", "piqa"), levels=(1, 2, 3), n=60, gain=0.25, ids="unique", seeds=False):
    rows: dict[str, list] = {k: [] for k in ("system", "instance", "benchmark", "level", "score")}
    for k, (benchmark, level) in enumerate(product(benchmarks, levels)):
        for system in ("base", "ours"):
            p = 0.5 + gain * (system == "ours")
            score = rng.normal(p, 0.05, size=n) if seeds else (rng.random(n) < p).astype(int)
            rows["score"] += score.tolist()
            rows["instance"] += [i if ids == "repeated" else k * n + i for i in range(n)]
            for name, value in (("system", system), ("benchmark", benchmark), ("level", level)):
                rows[name] += [value] * n
    return rows


def test_compare_systems_over_benchmarks_and_levels(rng):
    table = long_table(rng)
    c = stats.compare_systems(table, level="level", systems=("ours", "base"), levels=[1, 2, 3], resamples=999)
    assert [r.scope for r in c.rows].count("cell") == 6
    assert c.planned == 6 + 2 + 3 + 1 + 1 + 1
    score = np.array(table["score"])
    ours = np.array(table["system"]) == "ours"
    pooled = next(r for r in c.rows if r.scope == "all")
    assert pooled.difference == pytest.approx(score[ours].mean() - score[~ours].mean())
    assert pooled.verdict == "ours higher" and pooled.test.test == "McNemar (exact)"
    as_units = next(r for r in c.rows if r.scope == "benchmarks as units")
    assert as_units.n == 2 and as_units.verdict.startswith("cannot tell") and as_units.warnings
    assert c.trend is not None and c.trend.verdict.startswith("cannot tell")
    p = [r.test.p for r in c.rows] + [c.trend.p]
    assert [r.p_adjusted for r in c.rows] == pytest.approx(stats.adjust_p(p, "holm")[:-1])
    report = stats.comparison_report(c)
    assert report.count("\n| ") == 1 + 1 + len(c.rows)
    assert "14 planned comparisons" in report and "benchmark as the unit" in report
    assert "Unit of resampling: instance" in report


def test_compare_systems_takes_any_frame(rng):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    table = long_table(rng, levels=(1,), n=30)
    results = [stats.compare_systems(t, resamples=500) for t in (table, pd.DataFrame(table), pl.DataFrame(table))]
    assert results[0] == results[1] == results[2]


def test_five_seeds_over_benchmarks_cannot_tell(rng):
    table = long_table(rng, benchmarks=("a", "b", "c"), levels=(1,), n=5, ids="repeated", seeds=True)
    table["seed"] = table.pop("instance")
    with pytest.raises(ValueError, match="crossed=True"):
        stats.compare_systems(table, unit="seed")
    c = stats.compare_systems(table, unit="seed", crossed=True, resamples=500)
    pooled = next(r for r in c.rows if r.scope == "all")
    assert pooled.n == 5 and pooled.test.smallest_p == 0.0625
    assert all(r.verdict.startswith("cannot tell") for r in c.rows)
    assert any("0.0625" in w for w in c.warnings)
    anew = stats.compare_systems(table, unit="seed", crossed=False, resamples=500)
    assert next(r for r in anew.rows if r.scope == "all").n == 15


def test_compare_systems_with_a_metric(rng):
    truth = rng.integers(2, size=80)
    good = np.where(rng.random(80) < 0.9, truth, 1 - truth)
    poor = np.where(rng.random(80) < 0.55, truth, 1 - truth)
    table = {
        "system": ["good"] * 80 + ["poor"] * 80,
        "instance": [*range(80)] * 2,
        "output": [*good, *poor],
        "truth": [*truth, *truth],
    }
    c = stats.compare_systems(table, score="output", truth="truth", metric=f1, benchmark=None, resamples=499)
    assert c.rows[0].difference == pytest.approx(f1(truth, good) - f1(truth, poor))
    assert c.rows[0].verdict == "good higher" and c.rows[0].effect is None and c.metric == "f1"


def test_compare_systems_never_drops_rows(rng):
    table = long_table(rng, levels=(1,), n=10)
    short = {k: v[:-1] for k, v in table.items()}
    with pytest.raises(ValueError, match="system 'ours' has no score for 1 unit"):
        stats.compare_systems(short)
    with pytest.raises(ValueError, match="Did you mean 'score'"):
        stats.compare_systems(table, score="scores")
    twice = {k: [*v, v[0]] for k, v in table.items()}
    with pytest.raises(ValueError, match="occurs twice"):
        stats.compare_systems(twice)
    with pytest.raises(ValueError, match="row 3 is nan"):
        stats.compare_systems({**table, "score": [*table["score"][:3], float("nan"), *table["score"][4:]]})
    with pytest.raises(ValueError, match="at least the 4 comparisons"):
        stats.compare_systems(table, planned=3)
    with pytest.raises(ValueError, match="Two systems are compared"):
        stats.compare_systems({**table, "system": ["one"] * 40})


def test_more_planned_comparisons_weaken_the_verdict(rng):
    table = long_table(rng, levels=(1,), n=200, gain=0.2)
    few = stats.compare_systems(table, resamples=500)
    many = stats.compare_systems(table, resamples=500, planned=10_000_000)
    assert few.rows[0].verdict.endswith("higher") and few.systems == ("base", "ours")
    assert few.rows[0].verdict == "ours higher"
    assert stats.comparison_report(many).count("10000000 planned") == 1
    assert all(r.p_adjusted >= s.p_adjusted for r, s in zip(many.rows, few.rows))


# Coverage: what a 95 % interval says, over many worlds


def covered(intervals, truth):
    return np.mean([low - 1e-12 <= truth <= high + 1e-12 for low, high in intervals])


def test_coverage_of_mcnemars_interval(rng):
    worlds = [(0.12, 0.05, 60), (0.03, 0.02, 200), (0.3, 0.1, 40), (0.0, 0.02, 100)]
    for only_first, only_second, n in worlds:
        draws = rng.multinomial(n, [only_first, only_second, 1 - only_first - only_second], size=1500)
        counts, times = np.unique(draws, axis=0, return_counts=True)
        ends = [stats.tango_interval(int(b), int(c), n) for b, c, _ in counts]
        inside = [low <= only_first - only_second <= high for low, high in ends]
        assert 0.93 <= np.average(inside, weights=times) <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_coverage_of_the_paired_bootstrap(method, rng):
    draws = {
        "normal": (lambda n: rng.normal(0.2, 1, n), 0.2),
        "skewed": (lambda n: rng.exponential(size=n), 1.0),
        "heavy": (lambda n: rng.standard_t(4, n), 0.0),
        "right or wrong": (lambda n: rng.choice([-1.0, 0, 1], p=[0.1, 0.7, 0.2], size=n), 0.1),
    }
    for name, (draw, truth) in draws.items():
        worlds = [draw(100) for _ in range(1000)]
        found = [
            stats.paired_bootstrap(d, np.zeros(100), method=method, resamples=999, seed=rng).interval for d in worlds
        ]
        assert 0.92 <= covered(found, truth) <= 0.97, name


@pytest.mark.slow
def test_coverage_of_the_sign_flip_interval_on_few_units(rng):
    for n in (6, 8, 12):
        worlds = [rng.standard_t(3, n) + 0.5 for _ in range(1500)]
        found = [stats.paired_permutation(d, np.zeros(n)).interval for d in worlds]
        assert 0.94 <= covered(found, 0.5) <= 0.985


@pytest.mark.slow
def test_coverage_of_the_effect_size_interval(rng):
    found = [
        stats.cohens_d(rng.normal(0.5, 1, 60), np.zeros(60), hedges=False, resamples=999, seed=rng).interval
        for _ in range(1000)
    ]
    assert 0.92 <= covered(found, 0.5) <= 0.97


@pytest.mark.slow
def test_coverage_of_the_ece_interval(rng):
    many = rng.beta(4, 1.5, size=1_000_000)
    for excess in (0.0, 0.06, 0.2):
        gaps = np.bincount(bin_numbers(many, 15, "equal-width"), -excess * many, 15)
        truth, found = np.abs(gaps).sum() / len(many), []
        for _ in range(250):
            confidence = rng.beta(4, 1.5, size=300)
            right = rng.random(300) < (1 - excess) * confidence
            found.append(stats.expected_calibration_error(confidence, right, resamples=299, seed=rng).interval)
        assert covered(found, truth) >= 0.88


@pytest.mark.slow
def test_false_alarms_over_a_family_stay_below_alpha(rng):
    alarms = 0
    for _ in range(200):
        c = stats.compare_systems(long_table(rng, levels=(1,), n=40, gain=0.0), resamples=199)
        alarms += any(r.p_adjusted <= 0.05 for r in c.rows)
    assert alarms / 200 <= 0.08
