"""Scores: known answers, independent integrals, and what a proper score must do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from lawful import scores

Y = np.array([1.0, 2.0, 4.0])
P = np.array([1.1, 1.8, 4.0])


def test_point_scores_by_hand() -> None:
    assert scores.relative_error(Y, P) == pytest.approx([0.1, 0.1, 0.0])
    assert scores.rmse_log(Y, P) == pytest.approx(np.sqrt((np.log(1.1) ** 2 + np.log(0.9) ** 2) / 3))
    assert scores.r2(Y, P) == pytest.approx(1 - 0.05 / (14 / 3))
    assert scores.skill(0.02, [0.04, 0.02, 0.01]) == pytest.approx([0.5, 0.0, -1.0])


def test_r2_is_zero_for_the_mean_and_not_a_number_for_constant_truth() -> None:
    assert scores.r2(Y, Y.mean()) == pytest.approx(0.0)
    assert np.isnan(scores.r2([3.0, 3.0], [3.0, 3.0]))


def test_rmse_log_of_an_impossible_prediction_is_infinite() -> None:
    assert scores.rmse_log([1.0, 1.0], [1.0, -2.0]) == np.inf
    assert scores.rmse_log([1.0], [0.0]) == np.inf


def test_interval_scores_by_hand() -> None:
    # inside: the width; outside: the width and 2 / alpha times the miss (Gneiting & Raftery 2007, eq. 43)
    got = scores.interval_score([0.0, 2.0, -1.5], -1.0, 1.0, 0.8)
    assert got == pytest.approx([2.0, 2 + 10 * 1.0, 2 + 10 * 0.5])
    assert scores.coverage([0.0, 2.0, 1.0], -1.0, 1.0) == pytest.approx(2 / 3)
    assert scores.width([0, 1], [2, np.inf]) == pytest.approx([2, np.inf])


@pytest.mark.parametrize("dof", [1.5, 3.0, 30.0, np.inf])
@pytest.mark.parametrize("y", [-3.0, 0.0, 0.7, 12.0])
def test_crps_is_the_integral_of_its_definition(dof: float, y: float) -> None:
    # int (F(x) - 1{x >= y})^2 dx for location 0.4 and scale 1.3
    law = stats.norm(0.4, 1.3) if np.isinf(dof) else stats.t(dof, 0.4, 1.3)
    below = integrate.quad(lambda x: law.cdf(x) ** 2, -np.inf, y, limit=200)[0]
    above = integrate.quad(lambda x: law.sf(x) ** 2, y, np.inf, limit=200)[0]
    assert scores.crps_t([y], 0.4, 1.3, dof)[0] == pytest.approx(below + above, rel=1e-6)


def test_crps_of_the_standard_normal_at_its_mean() -> None:
    # (sqrt 2 - 1) / sqrt pi, Gneiting et al. 2005
    assert scores.crps_normal([0.0], 0.0, 1.0)[0] == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi))
    assert scores.crps_normal([3.0], 1.0, 0.0)[0] == 2.0


def test_crps_of_an_interval_reads_the_normal_and_the_t_off_its_ends() -> None:
    y = np.array([0.2, 3.0])
    low, high = stats.norm(1, 2).interval(0.9)
    assert scores.crps_interval(y, low, high, 0.9) == pytest.approx(scores.crps_normal(y, 1, 2))
    low, high = stats.t(4, 1, 2).interval(0.5)
    assert scores.crps_interval(y, low, high, 0.5, dof=4) == pytest.approx(scores.crps_t(y, 1, 2, 4))
    assert scores.crps_interval([1.0], 0.0, np.inf, 0.9)[0] == np.inf


def test_crps_of_a_sample_is_its_pairs_and_tends_to_the_normal(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(7, 2)), np.array([0.5, -1.0])
    pairs = np.abs(x - y).mean(0) - np.abs(x[:, None] - x[None]).mean((0, 1)) / 2
    assert scores.crps_sample(y, x) == pytest.approx(pairs)
    assert scores.crps_sample(y, x[:1]) == pytest.approx(np.abs(x[0] - y))
    many = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)[:, None]
    assert scores.crps_sample([0.7], many)[0] == pytest.approx(scores.crps_normal([0.7], 0, 1)[0], abs=1e-4)


def test_stating_what_one_believes_scores_best(rng: np.random.Generator) -> None:
    y = rng.normal(size=20_000)

    def of(scale: float) -> tuple[float, float]:
        low, high = stats.norm(0, scale).interval(0.9)
        crps = scores.crps_interval(y, low, high, 0.9).mean()
        return float(scores.interval_score(y, low, high, 0.9).mean()), float(crps)

    honest, narrow, wide = of(1.0), of(0.6), of(1.6)
    assert honest[0] < min(narrow[0], wide[0])
    assert honest[1] < min(narrow[1], wide[1])


positive = st.lists(st.floats(0.1, 10.0), min_size=2, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    positive, st.floats(0.5, 2.0), st.floats(0.1, 10.0), st.floats(0.01, 3.0), st.sampled_from([0.5, 0.8, 0.9, 0.95])
)
def test_units_and_order(y: list[float], factor: float, unit: float, half: float, level: float) -> None:
    truth = np.array(y)
    predicted = truth * factor
    assert scores.relative_error(truth * unit, predicted * unit) == pytest.approx(
        scores.relative_error(truth, predicted)
    )
    assert scores.rmse_log(truth, predicted) == pytest.approx(abs(np.log(factor)), abs=1e-12)
    assert scores.r2(truth, truth) == 1 or np.ptp(truth) == 0
    got = scores.interval_score(truth, predicted - half, predicted + half, level)
    assert (got >= 2 * half * (1 - 1e-9)).all()
    scaled = scores.interval_score(truth * unit, (predicted - half) * unit, (predicted + half) * unit, level)
    assert scaled == pytest.approx(got * unit)
    crps = scores.crps_interval(truth, predicted - half, predicted + half, level)
    # never below zero, never above the absolute error of its centre by more than the distribution's own spread
    assert (crps > 0).all() and (crps <= np.abs(truth - predicted) + 1e-9 + half).all()


def test_bins_of_distance_hold_every_point_once() -> None:
    far = np.array([0.0, 0.2, 0.5, 0.3 + 0.2, 0.51, 1.0, 2.2])
    bins = scores.by_distance(far, np.mean, np.arange(7.0))
    assert [(b.lower, b.upper, b.points) for b in bins] == [(0, 0.5, 4), (0.5, 1, 2), (2.0, 2.5, 1)]
    assert [b.value for b in bins] == [1.5, 4.5, 6.0]
    inside = scores.by_distance(far, scores.coverage, far, 0.1, 1.0, step=1.0)
    assert [b.value for b in inside] == pytest.approx([5 / 6, 0.0])


def test_what_is_not_a_number_stays_so() -> None:
    assert np.isnan(scores.coverage([1.0, 2.0], [0.0, np.nan], [2.0, np.nan]))
    assert np.isnan(scores.interval_score([1.0], [np.nan], [2.0], 0.9)).all()
    assert np.isnan(scores.rmse_log([1.0, 1.0], [1.0, np.nan]))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: scores.relative_error([0.0], [1.0]), "truth is 0 in row 0"),
        (lambda: scores.rmse_log([1.0, -1.0], [1.0, 1.0]), "-1 in row 1"),
        (lambda: scores.interval_score([0.0], [1.0], [0.0], 0.9), "lower must not be above upper"),
        (lambda: scores.interval_score([0.0], [0.0], [1.0], 90), "level is 90"),
        (lambda: scores.coverage([], [], []), "no points"),
        (lambda: scores.relative_error([1.0, 2.0], [1.0, 2.0, 3.0]), r"truth \(2,\), predicted \(3,\)"),
        (lambda: scores.crps_t([0.0], 0.0, 1.0, 1.0), "more than 1 degree"),
        (lambda: scores.crps_t([0.0], 0.0, -1.0, 3.0), "scale is -1"),
        (lambda: scores.crps_sample([0.0], [1.0]), "shapes"),
        (lambda: scores.skill(-1.0, 1.0), "cannot be negative"),
        (lambda: scores.by_distance([-1.0], np.mean, [1.0]), "not negative"),
        (lambda: scores.by_distance([1.0], np.mean, [1.0], step=0), "step is 0"),
    ],
)
def test_errors_name_what_was_given(call: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()  # type: ignore[operator]


def test_all_scores_at_once_are_those_of_each_function() -> None:
    y, p = np.array([2.0, 3.0, 4.0]), np.array([2.1, 2.9, 4.4])
    ends = {0.5: (p / 1.02, p * 1.02), 0.8: (p / 1.06, p * 1.06)}
    got = scores.score_forecasts(y, p, ends)
    assert (got.points, got.r2) == (3, scores.r2(y, p))
    assert got.relative_error == pytest.approx(np.mean([0.05, 1 / 30, 0.1]))
    assert got.coverage == pytest.approx({0.5: 0.0, 0.8: 2 / 3})
    assert got.width == pytest.approx({0.5: 2 * np.log(1.02), 0.8: 2 * np.log(1.06)})
    low, high = np.log(ends[0.8][0]), np.log(ends[0.8][1])
    assert got.interval_score[0.8] == pytest.approx(scores.interval_score(np.log(y), low, high, 0.8).mean())
    assert got.crps == pytest.approx(scores.crps_interval(np.log(y), low, high, 0.8).mean())
    assert scores.score_forecasts(y, p, {}, log=False).crps == pytest.approx(np.abs(y - p).mean())


def test_an_interval_open_below_covers_and_has_no_width() -> None:
    got = scores.score_forecasts([1.0, 2.0], [1.0, 2.0], {0.9: ([0.0, 0.0], [1.5, 1.5])})
    assert got.coverage[0.9] == 0.5
    assert got.width[0.9] == got.crps == np.inf
    with pytest.raises(ValueError, match="log=False"):
        scores.score_forecasts([0.0], [1.0], {})
