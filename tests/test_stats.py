"""Resampling, multiplicity and counts against known answers and independent implementations."""

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
from lawful.stats_permutation import exact_sign_flip_p

D = np.array([0.03, 0.05, -0.01, 0.04, 0.02, 0.06])
X = np.array([0.58, 0.60, 0.57, 0.61, 0.59, 0.62])
Y = X - D
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

    theirs = scipy_stats.bootstrap((d[:40], d[40:]), pooled, n_resamples=20_000, method="BCa", rng=rng, vectorized=True)
    assert ours.interval == pytest.approx(theirs.confidence_interval, rel=0.03)
    unstratified = stats.paired_bootstrap(d, np.zeros(60), resamples=20_000)
    assert ours.details["sd"] < unstratified.details["sd"]


def test_multinomial_draws_have_the_distribution_of_row_draws(rng):
    d = rng.choice([-1.0, 0.0, 1.0], p=[0.1, 0.7, 0.2], size=400)
    counted = resample_means(d[:, None], [np.arange(400)], 20_000, rng)[:, 0]
    drawn = d[rng.integers(400, size=(20_000, 400))].mean(axis=1)
    assert np.quantile(counted, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(drawn, [0.1, 0.5, 0.9]), abs=0.003)


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
        stats.paired_bootstrap([0, 1, 0], [1, 1, 1], metric=lambda o: 1.0 if o.sum() else np.nan, resamples=200)


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
        assert exact_sign_flip_p(d - edge - inside * 1e-6) > 0.05 >= exact_sign_flip_p(d - edge + inside * 1e-6)


def test_random_flips_approach_the_exact_binomial(rng):
    a, b = np.array([1] * 30 + [0] * 12 + [1] * 50), np.array([0] * 30 + [1] * 12 + [1] * 50)
    exact = stats.mcnemar(30, 12, 92)
    assert stats.paired_permutation(a, b, resamples=20_000).p == pytest.approx(exact.p, abs=0.002)
    x, y = rng.normal(0.5, size=20), rng.normal(size=20)
    assert stats.paired_permutation(x, y).p == pytest.approx(
        stats.paired_permutation(x, y, metric=np.mean, resamples=5000).p, abs=0.03
    )


def test_output_swap_of_many_instances(rng):
    truth = rng.integers(2, size=1500)
    found = stats.paired_permutation(truth, 1 - truth, metric=f1, truth=truth, resamples=100)
    assert found.p == found.smallest_p == 1 / 101 and found.interval[0] > 0.9


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


def test_degenerate_bca_is_refused():
    columns = np.ones((5, 1))
    flat = leave_one_out_means(columns)[:, 0]
    assert bca_interval(np.ones(100), 1.0, flat, [np.arange(5)], 0.95) is None
