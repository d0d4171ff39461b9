"""Effect sizes, correlations, calibration and weights against known answers and other implementations."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lawful import stats
from lawful.stats_calibration import bin_numbers

D = np.array([0.03, 0.05, -0.01, 0.04, 0.02, 0.06])
X = np.array([0.58, 0.60, 0.57, 0.61, 0.59, 0.62])
Y = X - D
CONFIDENCE = [0.95, 0.9, 0.8, 0.75, 0.6, 0.55, 0.3, 0.2]
CORRECT = [1, 1, 1, 0, 1, 0, 0, 1]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240607)


def f1(truth: np.ndarray, output: np.ndarray) -> float:
    hits, wrong = np.sum(truth * output), np.sum(truth != output)
    return 2 * hits / (2 * hits + wrong) if hits + wrong else 0.0


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
    draws = [0.4 * rng.choice(values[:80], 80).mean() + 0.6 * rng.choice(values[80:], 20).mean() for _ in range(3000)]
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
