"""Scores from rolling origins, weights from scores, turns of a curve."""

import numpy as np
import pytest

from lawful.averaging import by_origin, relative_errors, scores, typical, weights, with_siblings
from lawful.monotone import turns
from lawful.origins import rolling

X = np.geomspace(1, 1e3, 9)
SPLITS = rolling(X)


def test_a_law_twice_as_good_scores_half_and_weighs_eight_times():
    base = np.linspace(1, 2, len(SPLITS))
    found = scores({"a": 0.01 * base, "b": 0.02 * base, "last value": 0.3 * base}, SPLITS, ["a", "b"])
    assert found["b"] / found["a"] == pytest.approx(1.58 / 0.92, rel=0.01) and found["last value"] > 10
    assert weights({"a": 1.0, "b": 2.0}, {"a": 2, "b": 3}) == pytest.approx({"a": 8 / 9, "b": 1 / 9})
    assert typical(np.full(len(SPLITS), 0.02), SPLITS, np.arange(3)) == pytest.approx(0.02, rel=1e-3)


def test_one_lucky_hit_does_not_decide():
    steady, lucky = np.full(6, 0.01), np.array([0.02, 0.02, 0.02, 0.02, 0.02, 1e-7])
    found = scores({"a": steady, "b": lucky}, SPLITS, ["a", "b"])
    assert set(weights(found, {"a": 2, "b": 2})) == {"a", "b"}


def test_a_law_much_worse_than_the_best_has_no_weight():
    assert set(weights({"a": 1.0, "b": 1.9, "c": 2.1, "d": np.inf}, dict.fromkeys("abcd", 2))) == {"a", "b"}
    assert weights({"a": np.inf}, {"a": 1}) == {}


def test_siblings_are_heard():
    own = {"g": {"a": 1.0, "b": 2.0}, "h": {"a": 2.0, "b": 1.0}, "i": {"a": 1.0, "b": 4.0}}
    drawn = with_siblings(own)
    assert drawn["h"]["b"] / drawn["h"]["a"] == pytest.approx(0.891, rel=0.01) and drawn["i"]["b"] < 4


def test_errors_of_positive_values_are_of_logs_and_capped():
    e = relative_errors(np.array([1.0, 2.0]), np.array([[np.e, 2e9], [np.nan, 2.0]]))
    assert e[0].tolist() == pytest.approx([1, 3]) and np.isnan(e[1, 0])
    assert np.isfinite(by_origin(np.ones((len(SPLITS), 9)), SPLITS)).all()


@pytest.mark.parametrize(
    ("f", "turned"),
    [
        (lambda x: 1 + x**-0.3, False),
        (lambda x: 2 + 0.25 * np.log10(x / 30) ** 2, True),
        (lambda x: 1 + x**-0.3 + 0.3 * np.exp(-8 * np.log10(x / 100) ** 2), True),  # double descent
        (lambda x: x**0.2, False),
    ],
)
def test_turns_are_seen_and_noise_is_not_one(f, turned):
    rng = np.random.default_rng(0)
    x = np.geomspace(1, 1e3, 20)
    found = [bool(turns(x, f(x) * np.exp(0.005 * rng.standard_normal(20)))) for _ in range(40)]
    assert np.mean(found) >= 0.95 if turned else np.mean(found) <= 0.05
