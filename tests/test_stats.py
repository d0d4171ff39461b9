"""The testing protocol against known answers, independent implementations and simulated worlds."""

from __future__ import annotations

import csv
import doctest
import importlib
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lawful import stats
from lawful.stats_bootstrap import bca_interval, leave_one_out_means, resample_means
from lawful.stats_calibration import bin_numbers
from lawful.stats_permutation import exact_sign_flip_p

D = np.array([0.03, 0.05, -0.01, 0.04, 0.02, 0.06])
X = np.array([0.58, 0.60, 0.57, 0.61, 0.59, 0.62])
Y = X - D
CONFIDENCE = [0.95, 0.9, 0.8, 0.75, 0.6, 0.55, 0.3, 0.2]
CORRECT = [1, 1, 1, 0, 1, 0, 0, 1]
PIECES = "bootstrap permutation multiplicity counts effects correlation calibration weighting compare".split()
SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240607)


def f1(truth: np.ndarray, output: np.ndarray) -> float:
    hits, wrong = np.sum(truth * output), np.sum(truth != output)
    return 2 * hits / (2 * hits + wrong) if hits + wrong else 0.0


@pytest.mark.parametrize("piece", [*PIECES, "result", "pairs", "markdown"])
def test_examples_in_docstrings(piece):
    module = importlib.import_module(f"lawful.stats_{piece}")
    assert doctest.testmod(module).failed == 0


def test_the_door_lists_every_name():
    assert stats.__all__ == sorted(stats.__all__, key=lambda s: (s[0].islower(), s))
    assert all(hasattr(stats, name) for name in stats.__all__)


# Bootstrap


def test_paired_bootstrap_matches_exact_enumeration():
    every = np.array([sum(draw) for draw in product(D, repeat=6)]) / 6
    assert np.mean(every <= 1e-12) == pytest.approx(0.000857, abs=5e-7)
    assert np.quantile(every, [0.025, 0.975]) == pytest.approx([0.01333, 0.04833], abs=5e-6)
    found = stats.paired_bootstrap(X, Y, unit="seed", resamples=99_999, method="percentile")
    assert found.estimate == pytest.approx(D.mean())
    assert found.details["sd"] == pytest.approx(0.009255, rel=0.01)
    # P(T* <= .01167) is .02499, so the lower end falls on .01167 or .01333, the next possible value.
    assert found.interval[0] == pytest.approx(0.0125, abs=0.0009)
    assert found.interval[1] == pytest.approx(0.04833, abs=1e-5)
    assert found.p == pytest.approx(2 * 0.000857, rel=0.25)


def test_few_units_are_warned_about_and_judged_by_the_sign_flip():
    found = stats.paired_bootstrap(X, Y, unit="seed")
    assert found.p < 0.01
    assert found.verdict.startswith("cannot tell") and "0.0625" in found.verdict
    assert any("0.0625" in w for w in found.warnings)
    assert found.unit == "seed" and "seed" in str(found)


def test_bca_agrees_with_scipy(rng):
    scipy_stats = pytest.importorskip("scipy.stats")
    x, y = rng.exponential(size=40), rng.exponential(0.7, size=40)
    ours = stats.paired_bootstrap(x, y, resamples=20_000)
    theirs = scipy_stats.bootstrap((x - y,), np.mean, n_resamples=20_000, method="BCa", rng=rng)
    assert ours.interval == pytest.approx(theirs.confidence_interval, abs=0.02)
    assert ours.details["sd"] == pytest.approx(theirs.standard_error, rel=0.03)


def test_bca_of_strata_agrees_with_scipys_multi_sample_bca(rng):
    scipy_stats = pytest.importorskip("scipy.stats")
    d, strata = rng.exponential(size=60), np.repeat(["a", "b"], [40, 20])
    d[strata == "b"] *= 5
    ours = stats.paired_bootstrap(d, np.zeros(60), strata=strata, resamples=20_000)

    def pooled(a, b, axis):
        return (a.sum(axis=axis) + b.sum(axis=axis)) / 60

    theirs = scipy_stats.bootstrap(
        (d[:40], d[40:]), pooled, n_resamples=20_000, method="BCa", rng=rng, vectorized=True
    )
    assert ours.interval == pytest.approx(theirs.confidence_interval, rel=0.03)
    unstratified = stats.paired_bootstrap(d, np.zeros(60), resamples=20_000)
    assert ours.details["sd"] < unstratified.details["sd"]


def test_multinomial_draws_have_the_distribution_of_row_draws(rng):
    d = rng.choice([-1.0, 0.0, 1.0], p=[0.1, 0.7, 0.2], size=400)
    counted = resample_means(d[:, None], [np.arange(400)], 20_000, rng)[:, 0]
    drawn = d[rng.integers(400, size=(20_000, 400))].mean(axis=1)
    assert np.quantile(counted, [0.1, 0.5, 0.9]) == pytest.approx(
        np.quantile(drawn, [0.1, 0.5, 0.9]), abs=0.003
    )


def test_bootstrap_of_a_metric_recomputes_it_on_the_draw(rng):
    truth = rng.integers(2, size=120)
    a = np.where(rng.random(120) < 0.9, truth, 1 - truth)
    b = np.where(rng.random(120) < 0.6, truth, 1 - truth)
    found = stats.paired_bootstrap(a, b, metric=f1, truth=truth, resamples=999)
    assert found.estimate == pytest.approx(f1(truth, a) - f1(truth, b))
    assert found.interval[0] > 0 and found.verdict.startswith("the first is higher")
    mean = stats.paired_bootstrap(a == truth, b == truth, resamples=999)
    as_metric = stats.paired_bootstrap(a == truth, b == truth, metric=np.mean, resamples=999)
    assert as_metric.interval == pytest.approx(mean.interval, abs=0.02)


def test_bootstrap_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="a has 3, b has 2"):
        stats.paired_bootstrap([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="stratum 'y' has 1 unit"):
        stats.paired_bootstrap([1, 2, 3], [1, 1, 1], strata=["x", "x", "y"])
    with pytest.raises(ValueError, match="Did you mean 'bca'"):
        stats.paired_bootstrap([1, 2], [0, 0], method="bcaa")
    with pytest.raises(ValueError, match="row 1 is nan"):
        stats.paired_bootstrap([1, np.nan], [0, 0])
    with pytest.raises(ValueError, match="not finite on"):
        stats.paired_bootstrap(
            [0, 1, 0], [1, 1, 1], metric=lambda o: 1.0 if o.sum() else np.nan, resamples=200
        )


def test_threshold_out_of_reach_of_the_resamples():
    assert stats.resamples_needed(0.005, 25) == 4999
    x = np.linspace(1, 2, 40)
    found = stats.paired_permutation(x, x - 1, resamples=999, alpha=0.005, comparisons=25)
    assert found.verdict.startswith("cannot tell") and any("raise resamples" in w for w in found.warnings)
    assert not stats.paired_permutation(x, x - 1, resamples=4999, alpha=0.005, comparisons=25).warnings


def test_same_seed_same_result():
    assert stats.paired_bootstrap(X, Y, seed=3) == stats.paired_bootstrap(X, Y, seed=3)


# Permutation


def test_sign_flip_known_answer():
    found = stats.paired_permutation(X, Y, unit="seed")
    assert found.p == pytest.approx(4 / 64) and found.smallest_p == 2 / 64
    assert found.interval == pytest.approx((-0.01, 0.06))
    assert stats.paired_permutation(X, Y, metric=np.mean).p == pytest.approx(4 / 64)


def test_five_seeds_cannot_reach_one_in_twenty():
    found = stats.paired_permutation([1, 2, 3, 4, 5], [0] * 5, unit="seed")
    assert found.p == found.smallest_p == 0.0625
    assert found.interval == (-np.inf, np.inf)
    assert found.verdict.startswith("cannot tell") and "0.0625" in found.warnings[0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=9))
def test_sign_flip_agrees_with_counting(d):
    d = np.array(d, dtype=float)
    sums = np.array([np.dot(signs, d) for signs in product([-1, 1], repeat=len(d))])
    assert exact_sign_flip_p(d) == pytest.approx(np.mean(np.abs(sums) >= abs(d.sum())))


def test_sign_flip_interval_is_the_inverse_of_the_test(rng):
    d = rng.normal(0.4, 1, size=10)
    low, high = stats.paired_permutation(d, np.zeros(10)).interval
    for edge, inside in ((low, 1), (high, -1)):
        assert (
            exact_sign_flip_p(d - edge - inside * 1e-6) > 0.05 >= exact_sign_flip_p(d - edge + inside * 1e-6)
        )


def test_random_flips_approach_the_exact_binomial(rng):
    a, b = np.array([1] * 30 + [0] * 12 + [1] * 50), np.array([0] * 30 + [1] * 12 + [1] * 50)
    exact = stats.mcnemar(30, 12, 92)
    assert stats.paired_permutation(a, b, resamples=50_000).p == pytest.approx(exact.p, abs=0.002)
    x, y = rng.normal(0.5, size=21), rng.normal(size=21)
    brute = stats.paired_permutation(x, y, resamples=50_000).p
    assert stats.paired_permutation(x[:20], y[:20]).p == pytest.approx(
        stats.paired_permutation(x[:20], y[:20], metric=np.mean, resamples=20_000).p, abs=0.02
    )
    assert 0 < brute < 1


def test_identical_systems_give_p_one():
    assert stats.paired_permutation(X, X).p == 1
    assert stats.paired_permutation(X, X, metric=np.mean).p == 1
    assert stats.paired_bootstrap(X, X).p == 1


def test_unpaired_permutation_agrees_with_scipy(rng):
    scipy_stats = pytest.importorskip("scipy.stats")
    x, y = rng.normal(1, size=6), rng.normal(size=6)
    ours = stats.unpaired_permutation(x, y)
    theirs = scipy_stats.permutation_test((x, y), lambda a, b: a.mean() - b.mean(), n_resamples=np.inf)
    assert ours.p == pytest.approx(theirs.pvalue)
    assert ours.smallest_p == pytest.approx(2 / 924)
    assert ours.interval == pytest.approx(scipy_stats.ttest_ind(x, y, equal_var=False).confidence_interval())
    assert stats.unpaired_permutation([1, 2, 3], [4, 5, 6]).p == pytest.approx(0.1)
    large = stats.unpaired_permutation(rng.normal(2, size=50), rng.normal(size=50), resamples=999)
    assert large.p == 1 / 1000


# Many comparisons


def test_corrections_known_answers():
    p = [0.0004, 0.002, 0.004, 0.03, 0.2]
    assert stats.adjust_p(p, "bonferroni") == pytest.approx([0.002, 0.01, 0.02, 0.15, 1])
    assert stats.adjust_p(p, "holm") == pytest.approx([0.002, 0.008, 0.012, 0.06, 0.2])
    assert stats.adjust_p(p, "bh") == pytest.approx([0.002, 0.005, 0.0066667, 0.0375, 0.2], abs=1e-6)
    # .005 over 25 planned comparisons is .0002: none of .002, .003, .004 may be claimed.
    assert (stats.adjust_p([0.002, 0.003, 0.004], "bonferroni", planned=25) > 0.005).all()
    with pytest.raises(ValueError, match="at least the 5"):
        stats.adjust_p(p, planned=4)
    with pytest.raises(ValueError, match="Did you mean 'bonferroni'"):
        stats.adjust_p(p, "bonferoni")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.integers(0, 20))
def test_corrections_agree_with_statsmodels(p, unseen):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    padded = np.concatenate([p, np.ones(unseen)])
    names = {"bonferroni": "bonferroni", "holm": "holm", "bh": "fdr_bh"}
    adjusted = {}
    for ours, theirs in names.items():
        adjusted[ours] = stats.adjust_p(p, ours, planned=len(padded))
        assert adjusted[ours] == pytest.approx(multitest.multipletests(padded, method=theirs)[1][: len(p)])
    assert (adjusted["bonferroni"] >= adjusted["holm"] - 1e-12).all()
    assert (adjusted["holm"] >= adjusted["bh"] - 1e-12).all()


# Counts


def test_mcnemar_known_answer():
    found = stats.mcnemar(10, 2, 100)
    assert found.p == pytest.approx(0.038574, abs=5e-7)
    assert found.details["p_mid_p"] == pytest.approx(0.022461, abs=5e-7)
    assert found.details["chi2_continuity"] == pytest.approx(4.0833, abs=5e-5)
    assert found.details["p_chi2_continuity"] == pytest.approx(0.043308, abs=5e-7)
    assert found.details["chi2"] == pytest.approx(5.3333, abs=5e-5)
    assert found.details["p_chi2"] == pytest.approx(0.020921, abs=5e-7)
    assert found.estimate == 0.08
    assert "below 25" in stats.mcnemar(10, 2, 100, method="chi2").warnings[0]
    none = stats.mcnemar(0, 0, 50)
    assert none.p == 1 and none.verdict.startswith("cannot tell")
    assert none.interval[0] < 0 < none.interval[1]


def test_mcnemar_agrees_with_statsmodels():
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    for b, c in [(10, 2), (3, 9), (7, 7), (40, 25), (0, 6)]:
        ours = stats.mcnemar(b, c, 200).details
        for exact, correction, key in [
            (True, False, "p_exact"),
            (False, True, "p_chi2_continuity"),
            (False, False, "p_chi2"),
        ]:
            # Without continuity correction |b - c| < 1 cannot occur; with it our statistic stops at 0.
            if key == "p_chi2_continuity" and b == c:
                continue
            theirs = tables.mcnemar([[50, b], [c, 50]], exact=exact, correction=correction)
            assert ours[key] == pytest.approx(theirs.pvalue)


def test_tango_interval_is_symmetric_and_bounded():
    low, high = stats.tango_interval(10, 2, 100)
    assert stats.tango_interval(2, 10, 100) == pytest.approx((-high, -low), abs=1e-8)
    assert stats.tango_interval(5, 0, 5)[1] == 1


def test_tango_interval_inverts_the_score_test():
    from scipy.stats import norm

    b, c, n, z = 15, 6, 80, norm.ppf(0.975)
    for delta in stats.tango_interval(b, c, n):
        grid = np.linspace(max(0.0, -delta) + 1e-9, (1 - delta) / 2, 400_001)  # q = P(only the second right)
        with np.errstate(divide="ignore"):
            loglik = b * np.log(grid + delta) + c * np.log(grid) + (n - b - c) * np.log1p(-2 * grid - delta)
        q = grid[np.nanargmax(loglik)]
        score = (b - c - n * delta) / np.sqrt(n * (2 * q + delta * (1 - delta)))
        assert abs(score) == pytest.approx(z, abs=1e-3)


def test_mcnemar_from_answers_counts_discordant_pairs():
    found = stats.mcnemar_from_answers([1, 1, 0, 0, 1], [0, 1, 1, 0, 0])
    assert (found.details["b"], found.details["c"], found.n) == (2, 1, 5)
    with pytest.raises(ValueError, match="only 0 and 1"):
        stats.mcnemar_from_answers([0.5, 1], [0, 1])


def test_binomial_against_chance():
    worse = stats.binomial_test(195, 1172, 0.25)
    assert worse.verdict.startswith("below chance")
    assert stats.binomial_test(3, 3, 0.5).verdict.startswith("cannot tell: this test cannot give p")
    with pytest.raises(ValueError, match="Divide percents"):
        stats.against_chance(["a"], [55.0], [100], [0.5])


def test_published_tasks_against_chance():
    path = SHARED / "microscope_data.csv"
    if not path.exists():
        pytest.skip(f"needs {path.name} in the folder shared/ beside the repository")
    n = dict(hellaswag=10042, piqa=1838, winogrande=1267, arc_easy=2376, arc_challenge=1172, openbookqa=500)
    with path.open() as lines:
        rows = [
            r
            for r in csv.DictReader(line for line in lines if not line.startswith("#"))
            if r["family"] == "cerebras-gpt" and r["shots"] == "0"
        ]
    keys = [(t, r["model"]) for r in rows for t in n]
    found = stats.against_chance(
        [f"{t} {m}" for t, m in keys],
        [float(r[f"{t}_acc"]) for r in rows for t in n],
        [n[t] for t, _ in keys],
        [0.5 if t in ("piqa", "winogrande") else 0.25 for t, _ in keys],
    )
    above = {t: [m for k, m in keys if k == t and found[f"{t} {m}"].verdict.startswith("above")] for t in n}
    for task in ("piqa", "arc_easy", "hellaswag"):
        assert len(above[task]) == 7
    assert above["winogrande"] == ["2.7B", "6.7B", "13B"]
    assert above["arc_challenge"] == ["13B"] and above["openbookqa"] == []
    assert found["arc_challenge 111M"].verdict.startswith("below chance")


# Effect sizes


def test_cohens_d_known_answers():
    d = {v: stats.cohens_d(X, Y, v, unit="seed", resamples=999) for v in ("d_z", "d_s", "d_av")}
    assert d["d_z"].details["d"] == pytest.approx(1.275197, abs=5e-7)
    assert d["d_z"].estimate == pytest.approx(1.073850, abs=5e-7)
    assert d["d_s"].details["d"] == pytest.approx(2.009485, abs=5e-7)
    assert d["d_av"].details["d"] == pytest.approx(2.055017, abs=5e-7)
    assert stats.hedges_factor(5) == pytest.approx(0.842105, abs=5e-7)
    assert all(r.interval[0] < r.estimate < r.interval[1] and r.warnings for r in d.values())
    with pytest.raises(ValueError, match="standard deviation is zero"):
        stats.cohens_d(X, X - 0.1)


@pytest.mark.parametrize("variant", ["d_z", "d_s", "d_av"])
def test_effect_interval_agrees_with_plain_resampling(variant, rng):
    x, y = rng.normal(0.8, 1.5, size=60), rng.normal(size=60)
    found = stats.cohens_d(x, y, variant, hedges=False, resamples=4999)

    def effect(u, v):
        sd = {"d_z": (u - v).std(ddof=1), "d_av": (u.std(ddof=1) + v.std(ddof=1)) / 2}
        return (u.mean() - v.mean()) / sd.get(variant, np.sqrt((u.var(ddof=1) + v.var(ddof=1)) / 2))

    draws = []
    for _ in range(3000):
        i, j = rng.integers(60, size=(2, 60))
        draws.append(effect(x[i], y[i if variant != "d_s" else j]))
    assert found.estimate == pytest.approx(effect(x, y))
    assert found.interval == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.1)


# Correlation


def test_correlation_on_six_points():
    found = stats.correlation_from_r(-0.288, 6)
    assert found.interval == pytest.approx((-0.89, 0.68), abs=0.005)
    assert found.verdict.startswith("cannot tell")
    assert found.details["critical"] == pytest.approx(0.811, abs=5e-4)
    assert "|r| > 0.81" in found.warnings[0]


def test_correlation_power_agrees_with_simulation(rng):
    x, z = rng.normal(size=(2, 100_000, 6))
    y = 0.5 * x + np.sqrt(0.75) * z
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    r = (x * y).sum(1) / np.sqrt((x**2).sum(1) * (y**2).sum(1))
    share = np.mean(np.abs(r) >= stats.critical_correlation(6))
    assert stats.correlation_power(0.5, 6) == pytest.approx(share, abs=0.005)
    # The usual Fisher-z figure is 18 %; the exact one is 17 %.
    assert stats.correlation_power(0.5, 6) == pytest.approx(0.18, abs=0.011)
    assert stats.correlation_power(0.0, 6) == pytest.approx(0.05, abs=1e-9)


def test_level_correlation_is_exact_and_bounded():
    found = stats.level_correlation([1, 2, 3, 4, 5], [0.9, 0.8, 0.7, 0.6, 0.5])
    assert found.estimate == -1 and found.p == pytest.approx(2 / 120) and found.interval is None
    assert found.smallest_p == pytest.approx(0.0167, abs=5e-5)
    strict = stats.level_correlation([1, 2, 3, 4, 5], [0.9, 0.8, 0.7, 0.6, 0.5], comparisons=5)
    assert strict.verdict.startswith("cannot tell") and "cannot reach" in strict.warnings[0]
    with pytest.raises(ValueError, match="refused"):
        stats.level_correlation([1, 2, 3], [1, 2, 4], "pearson")
    with pytest.raises(ValueError, match="y is constant"):
        stats.correlation([1, 2, 3], [1, 1, 1])


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(7)))
def test_rank_correlations_agree_with_scipy(order):
    scipy_stats = pytest.importorskip("scipy.stats")
    x = np.arange(7)
    kendall = scipy_stats.kendalltau(x, order, method="exact")
    ours = stats.correlation(x, order, "kendall")
    assert (ours.estimate, ours.p) == pytest.approx((kendall.statistic, kendall.pvalue))
    tied = np.minimum(order, 4)
    for method, theirs in (("kendall", scipy_stats.kendalltau), ("spearman", scipy_stats.spearmanr)):
        assert stats.correlation(x, tied, method).estimate == pytest.approx(theirs(x, tied).statistic)


def test_rank_correlation_of_many_points_uses_random_orders(rng):
    scipy_stats = pytest.importorskip("scipy.stats")
    x = rng.normal(size=40)
    y = 0.25 * x + rng.normal(size=40)
    for method, theirs in (("kendall", scipy_stats.kendalltau), ("spearman", scipy_stats.spearmanr)):
        assert stats.correlation(x, y, method).p == pytest.approx(theirs(x, y).pvalue, abs=0.015)
    assert stats.correlation(x, y).p == pytest.approx(scipy_stats.pearsonr(x, y).pvalue)
    pearson = scipy_stats.pearsonr(x, y).confidence_interval()
    assert stats.correlation(x, y).interval == pytest.approx((pearson.low, pearson.high))


# Calibration


def test_ece_known_answers():
    wide = stats.expected_calibration_error(CONFIDENCE, CORRECT, bins=5)
    mass = stats.expected_calibration_error(CONFIDENCE, CORRECT, bins=4, binning="equal-mass")
    assert wide.estimate == pytest.approx(0.243750)
    assert mass.estimate == pytest.approx(0.168750)
    assert stats.brier_score(CONFIDENCE, CORRECT).estimate == pytest.approx(0.225938, abs=5e-7)
    assert wide.verdict.startswith("cannot tell")


def test_bins_are_closed_on_the_right_and_keep_ties_together():
    assert bin_numbers(np.array([0, 0.2, 0.2001, 1.0]), 5, "equal-width").tolist() == [0, 0, 1, 4]
    assert bin_numbers(np.array([0.6, 0.8]), 5, "equal-width").tolist() == [2, 3]
    tied = bin_numbers(np.array([0.9, 0.5, 0.5, 0.5, 0.5, 0.1]), 3, "equal-mass")
    assert len(set(tied[1:5])) == 1


def test_ece_bias_is_shown_and_miscalibration_found(rng):
    confidence = rng.uniform(0.5, 1, size=400)
    right = rng.random(400) < confidence
    calm = stats.expected_calibration_error(confidence, right, resamples=499)
    assert calm.details["expected_if_calibrated"] == pytest.approx(0.05, abs=0.015)
    assert calm.verdict.startswith("cannot tell") and calm.interval[0] == 0
    boastful = stats.expected_calibration_error(confidence, rng.random(400) < confidence - 0.2, resamples=499)
    assert boastful.verdict.startswith("not calibrated") and boastful.interval[0] > 0.1
    with pytest.raises(ValueError, match="row 0 is 95"):
        stats.expected_calibration_error([95, 0.9], [1, 1])


# Weights


def test_stratified_accuracy_known_answer():
    found = stats.stratified_accuracy([0.8, 0.5, 0.2], [100, 50, 10], [0.2, 0.3, 0.5])
    assert found.estimate == pytest.approx(0.41)
    assert found.details["se"] == pytest.approx(0.067186, abs=5e-7)
    assert found.details["unweighted"] == pytest.approx(0.66875)
    assert found.details["weights"] == pytest.approx((0.32, 0.96, 8.0))
    assert found.details["ess"] == pytest.approx(36.765, abs=5e-4)
    with pytest.raises(ValueError, match="Stratum 1 has target share 0.5 but no sample"):
        stats.stratified_accuracy([0.8, 0.5], [100, 0], [0.5, 0.5])
    with pytest.raises(ValueError, match="sum to 1"):
        stats.stratified_accuracy([0.8, 0.5], [100, 10], [0.5, 0.6])


def test_stratified_mean_is_the_weighted_mean_of_instances(rng):
    strata = np.repeat(["easy", "hard"], [80, 20])
    values = rng.normal(size=100) + (strata == "hard")
    shares = {"easy": 0.4, "hard": 0.6}
    w = np.where(strata == "easy", 0.4 / 0.8, 0.6 / 0.2)
    found = stats.stratified_mean(values, strata, shares)
    assert found.estimate == pytest.approx(np.average(values, weights=w))
    assert found.details["ess"] == pytest.approx(w.sum() ** 2 / (w**2).sum())
    draws = [
        0.4 * rng.choice(values[:80], 80).mean() + 0.6 * rng.choice(values[80:], 20).mean()
        for _ in range(3000)
    ]
    assert found.details["se"] == pytest.approx(np.std(draws), rel=0.08)
    with pytest.raises(ValueError, match="no share for stratum 'hard'"):
        stats.stratified_mean(values, strata, {"easy": 1.0})
    with pytest.raises(ValueError, match="'expert' has target share 0.1 but no sample"):
        stats.stratified_mean(values, strata, {"easy": 0.4, "hard": 0.5, "expert": 0.1})


def test_weighted_f1_is_not_the_average_of_f1s(rng):
    metrics = pytest.importorskip("sklearn.metrics") if importlib.util.find_spec("sklearn") else None
    strata = np.repeat(["easy", "hard"], [80, 40])
    truth = (rng.random(120) < np.where(strata == "easy", 0.7, 0.1)).astype(int)
    predicted = np.where(rng.random(120) < 0.8, truth, 1 - truth)
    shares = {"easy": 0.2, "hard": 0.8}
    found = stats.stratified_f1(truth, predicted, strata, shares, resamples=300)
    w = np.where(strata == "easy", 0.2 * 120 / 80, 0.8 * 120 / 40)
    hit, wrong = w @ (truth * predicted), w @ (truth != predicted)
    assert found.estimate == pytest.approx(2 * hit / (2 * hit + wrong))
    if metrics is not None:
        assert found.estimate == pytest.approx(metrics.f1_score(truth, predicted, sample_weight=w))
    average = sum(shares[s] * f1(truth[strata == s], predicted[strata == s]) for s in shares)
    assert abs(found.estimate - average) > 0.01
    assert found.interval[0] < found.estimate < found.interval[1]


def test_reweighting_known_answers():
    scores, losses = [2, 1, 0, -1], [0.1, 0.5, 1, 2]
    half = stats.reweight(scores, 0.5)
    assert half.weights == pytest.approx((0.864955, 0.117059, 0.015842, 0.002144), abs=5e-7)
    assert (half.kl, half.ess) == pytest.approx((0.930866, 1.312), abs=5e-4)
    one = stats.reweight(scores, 1)
    assert one.weights == pytest.approx((0.643914, 0.236883, 0.087144, 0.032059), abs=5e-7)
    assert one.kl == pytest.approx(0.438757, abs=5e-7)
    assert stats.reweight(scores, 2).kl == pytest.approx(0.141244, abs=5e-7)
    assert stats.reweight(scores, 100).kl == pytest.approx(0.000062, abs=5e-7)
    easy, hard = (stats.best_reweighting(losses, 1, sign) for sign in ("minimise", "maximise"))
    assert easy.weights == pytest.approx((0.449144, 0.301070, 0.182608, 0.067178), abs=5e-7)
    assert hard.weights == pytest.approx((0.085930, 0.128193, 0.211355, 0.574522), abs=5e-7)
    assert (easy.value, hard.value) == pytest.approx((0.685882, 1.167923), abs=5e-7)
    assert easy.verdict.startswith("turns away") and hard.verdict.startswith("emphasises")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=8), st.floats(0.1, 10), st.floats(0.1, 10))
def test_closed_form_weights_are_optimal(losses, penalty, tau):
    best = stats.best_reweighting(losses, penalty, "minimise")
    other = stats.reweight(losses[::-1], tau, losses, penalty, "minimise")
    assert best.value <= other.value + 1e-9
    most = stats.best_reweighting(losses, penalty, "maximise")
    assert most.value >= stats.reweight(losses[::-1], tau, losses, penalty, "maximise").value - 1e-9
    assert 0 <= other.kl <= np.log(len(losses)) + 1e-9


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
    results = [
        stats.compare_systems(t, resamples=500) for t in (table, pd.DataFrame(table), pl.DataFrame(table))
    ]
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
    assert few.rows[0].verdict == "ours higher" or few.rows[0].verdict == "base higher"
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
            stats.paired_bootstrap(d, np.zeros(100), method=method, resamples=999, seed=rng).interval
            for d in worlds
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
            found.append(
                stats.expected_calibration_error(confidence, right, resamples=299, seed=rng).interval
            )
        assert covered(found, truth) >= 0.88


@pytest.mark.slow
def test_false_alarms_over_a_family_stay_below_alpha(rng):
    alarms = 0
    for _ in range(200):
        c = stats.compare_systems(long_table(rng, levels=(1,), n=40, gain=0.0), resamples=199)
        alarms += any(r.p_adjusted <= 0.05 for r in c.rows)
    assert alarms / 200 <= 0.08


def test_degenerate_bca_is_refused():
    columns = np.ones((5, 1))
    flat = leave_one_out_means(columns)[:, 0]
    assert bca_interval(np.ones(100), 1.0, flat, [np.arange(5)], 0.95) is None
