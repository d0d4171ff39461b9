"""Test-time compute: the Beta model against closed forms, simulation and Brown's law; choices and refusals."""

import numpy as np
import pytest

from lawful.attempts import Problems, best_of, covered, from_counts, from_points, needed, tree, vote
from lawful.laws.inference import monkeys
from lawful.plan_attempts import Candidate, Verifier, attempts, matched

SWE = from_points(0.159, 250, 0.56)  # published: Brown et al. 2024, SWE-bench Lite with DeepSeek


def test_two_points_are_met_and_the_curve_between_is_browns():
    assert SWE.accuracy == pytest.approx(0.159, rel=1e-9)
    assert covered(250.0, SWE.a, SWE.b) == pytest.approx(0.56, rel=1e-9)
    for k in (3, 10, 30, 100):
        law = float(monkeys.at("brown2024_swebench_deepseek", k=k))
        assert covered(float(k), SWE.a, SWE.b) == pytest.approx(law, abs=0.04)
    assert covered(needed(0.5, SWE.a, SWE.b), SWE.a, SWE.b) == pytest.approx(0.5, rel=1e-9)
    assert needed(0.1, SWE.a, SWE.b) == 1 and needed(1 - 1e-9, SWE.a, SWE.b) == np.inf


def test_by_simulation():
    rng = np.random.default_rng(0)
    a, b, k, n = 0.5, 1.5, 7, 400_000
    p = rng.beta(a, b, n)
    right = rng.binomial(k, p)
    assert covered(float(k), a, b) == pytest.approx(np.mean(right > 0), abs=0.004)
    rival = rng.binomial(k - right, 0.4)
    won = (right > rival) + 0.5 * ((right == rival) & (right > 0))
    assert vote(k, a, b, 0.4) == pytest.approx(np.mean(won), abs=0.004)
    passed, fooled = rng.binomial(right, 0.8), rng.binomial(k - right, 0.2)
    any_ = passed + fooled > 0
    left = np.where(k - passed - fooled > 0, (right - passed) / np.maximum(k - passed - fooled, 1), 0)
    taken = np.where(any_, passed / np.maximum(passed + fooled, 1), left)
    # given p, an accepted sample is right with r / (r + w) whatever their number: an identity of exchangeable samples
    assert best_of(k, a, b, 0.8, 0.2) == pytest.approx(np.mean(taken), abs=0.006)
    steps = 4
    kept = np.ones(n, bool)
    for _ in range(steps):
        kept &= rng.random(n) < 1 - (1 - p ** (1 / steps)) ** 3
    assert tree(3, a, b, steps) == pytest.approx(np.mean(kept), abs=0.004)


def test_special_cases():
    a, b = 0.7, 2.0
    one = a / (a + b)
    for f in (covered(1.0, a, b), vote(1, a, b), best_of(1, a, b, 0.9, 0.1), tree(1, a, b, 5)):
        assert float(f) == pytest.approx(one, rel=2e-3)
    assert best_of(40, a, b, 1.0, 0.0) == pytest.approx(float(covered(40.0, a, b)), rel=2e-3)  # a perfect verifier
    assert best_of(40, a, b, 0.5, 0.5) == pytest.approx(one, rel=2e-3)  # a useless one


def test_counts_give_intervals_that_cover():
    inside = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = from_counts(rng.binomial(16, rng.beta(0.4, 1.6, 300)), 16, resamples=100, seed=seed)
        truth = float(covered(100.0, 0.4, 1.6))
        drawn = covered(100.0, *found.draws)
        low, high = np.nanpercentile(drawn, [5, 95])
        inside += low <= truth <= high
    assert 15 <= inside <= 20


def test_small_and_often_against_large_and_once():
    small = Candidate("small", 1e9, Problems(0.3, 0.9), tokens=1000)
    large = Candidate("large", 3e10, Problems(1.2, 0.8), tokens=1000)
    rich = attempts([small, large], flops_per_question=1e16)
    assert rich.question.split(":")[1].strip().startswith("large")
    poor = attempts([small, large], flops_per_question=3e13)  # too little for a single sample of the large model
    assert poor["N"].estimate == 1e9 and poor["k"].estimate > 1
    assert all(row["model"] == "small" for row in poor.choices)
    low, high = poor.near["k"]
    assert low <= poor["k"].estimate <= high
    perfect = attempts([small, large], accuracy=0.6, strategies=["coverage"])
    assert perfect["N"].estimate == 1e9 and perfect["C_inf"].estimate < large.flops_per_sample


def test_training_is_shared_over_the_questions():
    one = Candidate("one", 1e9, Problems(0.3, 0.9), tokens=1000, training_flops=1e20)
    alone = attempts([one], accuracy=0.5, strategies=["coverage"])["C_inf"].estimate
    few = attempts([one], accuracy=0.5, strategies=["coverage"], questions=1e6)["C_inf"].estimate
    assert few == pytest.approx(alone + 1e14)


def test_intervals_come_from_resampled_problems():
    rng = np.random.default_rng(3)
    known = from_counts(rng.binomial(8, rng.beta(0.4, 1.6, 100)), 8)
    plan = attempts([Candidate("m", 1e9, known)], flops_per_question=1e14)
    assert plan["accuracy"].lower < plan["accuracy"].estimate < plan["accuracy"].upper
    other = from_counts(rng.binomial(8, rng.beta(0.5, 1.4, 100)), 8, seed=1)
    both = attempts([Candidate("m", 1e9, known), Candidate("n", 1e9, other)], flops_per_question=1e14)
    for how in ("coverage", "vote"):
        shares = [row["best"] for row in both.choices if row["strategy"] == how]
        assert sum(shares) == pytest.approx(1.0) and shares[1] > 0.5
    told = attempts([Candidate("m", 1e9, SWE)], flops_per_question=1e14)
    assert told["accuracy"].verdict == "published without interval"


def test_snell():
    """Published: the identity at R = 0.16, 0.79 and 22 for a model 14 times larger (arXiv 2408.03314)."""
    for R, factor in ((0.16, 257.75), (0.79, 63.3671), (22.0, 15.7727)):
        assert matched(14, R)["inference_multiplier"].estimate == pytest.approx(factor, rel=1e-5)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: from_points(0.5, 10, 0.4), "must lie between the first and 0.999"),
        (lambda: from_points(0.5, 2, 0.8), "between the first and 0.75"),
        (lambda: from_counts([0] * 20, 5), "0 of 100 samples were right"),
        (lambda: from_counts([1, 2], 5), "at least 8 problems"),
        (lambda: from_counts([1] * 20, 1), "two samples or more"),
        (lambda: attempts([], accuracy=0.5), "no candidates"),
        (lambda: attempts([Candidate("m", 1e9, SWE)]), "either flops_per_question or accuracy"),
        (lambda: attempts([Candidate("m", 1e9, SWE)], flops_per_question=1e9), "flops_per_question binds: one sample"),
        (
            lambda: attempts([Candidate("m", 1e9, SWE)], accuracy=0.99, strategies=["vote"]),
            "out of reach within 257 samples",
        ),
        (lambda: attempts([Candidate("m", 1e9, SWE)], accuracy=1.2), "a share between 0 and 1"),
        (lambda: attempts([Candidate("m", 1e9, SWE)], accuracy=0.5, strategies=["vot"]), "did you mean 'vote'"),
        (lambda: matched(0.5, 1), "at least 1"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_sharp_verifier_is_worth_more_samples():
    one = [Candidate("m", 1e9, SWE)]
    blunt, sharp = (
        attempts(one, flops_per_question=1e15, strategies=["best_of"], verifier=Verifier(0.9, w))["accuracy"].estimate
        for w in (0.3, 0.01)
    )
    assert sharp > blunt + 0.05
