"""Intervals: known answers, nothing dropped, and coverage over simulated worlds."""

from math import inf

import numpy as np
import pytest

import lawful
from lawful.bootstrap import bootstrap
from lawful.profiles import profile
from lawful.uncertainty import intervals, leave_one_out, percentiles

NOMINAL = np.array([111e6, 256e6, 590e6, 1.3e9, 2.7e9, 6.7e9, 13e9])
CARD = np.array([2.566, 2.299, 2.184, 1.996, 1.834, 1.704, 1.575])
ARXIV = np.array([2.608, 2.349, 2.181, 1.997, 1.834, 1.704, 1.572])
FREE = {"E": (-inf, inf)}


def kaplan(L, N=NOMINAL, bounds=None):
    return lawful.fit("power_law_constant", {"N": N, "loss": L}, objective="lsq", bounds=bounds)


def test_profiles_of_the_study():
    free, held = kaplan(CARD, bounds=FREE), kaplan(CARD)
    limit = profile(free, "E")
    assert limit.open_below and limit.lower < -20 and limit.upper == pytest.approx(1.23, abs=0.01)
    assert limit.verdict.startswith("cannot tell")
    alpha = profile(free, "alpha")
    assert alpha.lower <= 0.0011 and alpha.upper == pytest.approx(0.253, abs=0.001)
    assert profile(held, "alpha").lower == pytest.approx(0.091, abs=0.0015)
    paper = kaplan(ARXIV, bounds=FREE)
    assert profile(paper, "E").lower == pytest.approx(-2.0, abs=0.1)
    assert profile(paper, "E").upper == pytest.approx(1.06, abs=0.01)
    assert profile(paper, "alpha").lower == pytest.approx(0.053, abs=0.002)
    assert profile(paper, "alpha").upper == pytest.approx(0.219, abs=0.001)


def test_profile_of_a_line_is_the_t_interval():
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, 12)
    y = 2 + 3 * x + 0.1 * rng.standard_normal(12)

    @lawful.law(predicts="y")
    def line(x, *, a=lawful.coefficient(), b=lawful.coefficient()):
        return a + b * x

    import statsmodels.api as sm

    fit = lawful.fit(line, {"x": x, "y": y}, objective="lsq")
    reference = sm.OLS(y, sm.add_constant(x)).fit().conf_int(0.1)
    for name, (low, high) in zip(("a", "b"), reference):
        p = profile(fit, name, 0.9)
        assert (p.lower, p.upper) == pytest.approx((low, high), rel=1e-4)


def test_profile_agrees_with_minos():
    from iminuit import Minuit

    fit = kaplan(ARXIV, bounds=FREE)
    s2 = fit.rss / fit.dof
    m = Minuit(
        lambda A, alpha, E: (((ARXIV - E - A * NOMINAL**-alpha) ** 2).sum()) / s2,
        *[fit.estimates[k] for k in ("A", "alpha", "E")],
    )
    m.migrad()
    from scipy.stats import f

    errors = m.minos("alpha", cl=float(np.sqrt(f.ppf(0.95, 1, fit.dof)))).merrors["alpha"]
    p = profile(fit, "alpha")
    assert p.upper - fit.estimates["alpha"] == pytest.approx(errors.upper, rel=2e-3)
    assert p.lower - fit.estimates["alpha"] == pytest.approx(errors.lower, rel=2e-2)


def test_leave_one_out_of_the_study():
    left = leave_one_out(kaplan(CARD, bounds=FREE))
    assert left[:, 1] == pytest.approx([0.026, 0.098, 0.138, 0.113, 0.096, 0.102, 0.129], abs=1.2e-3)
    assert left[:, 2] == pytest.approx([-5.4, -0.10, 0.56, 0.23, -0.08, 0.02, 0.48], abs=0.03)


def test_no_draw_is_dropped():
    draws = bootstrap(kaplan(CARD, bounds=FREE), "pairs", 600, seed=1)
    assert len(draws) == 600 and draws.values.shape == (600, 3)
    assert 0.03 < draws.degenerate / 600 < 0.12
    assert "all kept" in draws.sentence() and "distinct" in draws.sentence()


def test_failed_draws_widen_the_interval_and_then_open_it():
    sample = np.concatenate([np.linspace(0, 1, 99), [np.nan]])
    low, high, is_open = percentiles(sample, 0.9, 0.5)
    assert not is_open and low == pytest.approx(0.04, abs=0.002) and high == pytest.approx(0.96, abs=0.002)
    assert percentiles(np.concatenate([np.linspace(0, 1, 90), [np.nan] * 10]), 0.9, 0.5) == (-inf, inf, True)


def test_an_offset_that_may_be_zero_cannot_be_told():
    table = intervals(kaplan(CARD))
    assert table["E"].verdict == "cannot tell: 0 is not excluded"
    assert table["alpha"].verdict == ""


def test_cluster_bootstrap_is_wider_for_clustered_points():
    rng = np.random.default_rng(4)
    N = np.repeat(np.geomspace(1e7, 1e10, 12), 8)
    shift = np.repeat(0.03 * rng.standard_normal(12), 8)
    loss = 40 * N**-0.2 * np.exp(shift + 0.002 * rng.standard_normal(96))
    run = np.repeat([f"r{i}" for i in range(12)], 8)
    tokens = np.tile(np.geomspace(1e9, 1e10, 8), 12)
    runs = lawful.read({"params": N, "tokens": tokens, "loss": loss, "run": run}, run="run")
    fit = lawful.fit("power_law", runs, variables={"x": "N"})
    by_run = intervals(fit)
    assert by_run.method == "cluster"
    by_point = intervals(fit, method="pairs")
    assert by_run["alpha"].upper - by_run["alpha"].lower > 1.8 * (by_point["alpha"].upper - by_point["alpha"].lower)


@pytest.mark.parametrize("method", ["pairs", "parametric", "wild"])
def test_a_quick_bootstrap_gives_the_same_draws(method):
    rng = np.random.default_rng(2)
    N = np.geomspace(1e7, 1e10, 14)
    loss = 1.8 + 20 * N**-0.2 * np.exp(0.01 * rng.standard_normal(14))
    fit = lawful.fit("power_law_constant", {"N": N, "loss": loss})
    full, quick = (bootstrap(fit, method, 100, quick=q) for q in (False, True))
    assert quick.F == pytest.approx(full.F, rel=1e-6)
    assert np.quantile(quick.values, 0.9, axis=0) == pytest.approx(np.quantile(full.values, 0.9, axis=0), rel=1e-3)


def test_student_noise_makes_t_intervals():
    N, noise = np.geomspace(1e7, 1e10, 5), np.random.default_rng(3).standard_normal(5)
    fit = lawful.fit("power_law", {"N": N, "loss": 40 * N**-0.2 * np.exp(0.01 * noise)}, variables={"x": "N"})
    sample = bootstrap(fit, "parametric", 4000, quick=True, student=True).column("alpha")
    exact = intervals(fit, 0.9, "profile")["alpha"]
    assert np.quantile(sample, [0.05, 0.95]) == pytest.approx([exact.lower, exact.upper], rel=0.02)


def test_a_profile_needs_a_likelihood_and_a_known_name():
    fit = lawful.fit("power_law", {"N": NOMINAL, "loss": CARD}, objective="log_huber")
    with pytest.raises(ValueError, match="use a bootstrap"):
        profile(fit, "alpha")
    with pytest.raises(ValueError, match="no free number 'gamma'"):
        profile(fit, "gamma")
    with pytest.raises(ValueError, match="allowed: auto"):
        intervals(fit, method="jackknife")
    with pytest.raises(ValueError, match="between 0 and 1"):
        intervals(fit, level=95)


# alpha, E and residual sd of the five worlds; a puts the law through the middle of the card losses
WORLDS = [(0.106, 0.11, 0.030), (0.100, 0.0, 0.030), (0.134, 0.507, 0.018), (0.165, 0.8, 0.018), (0.165, 0.8, 0.030)]


def coverage(alpha, E, sd, bounds, worlds, seed):
    rng = np.random.default_rng(seed)
    a = float(np.mean((CARD - E) * NOMINAL**alpha))
    hits = 0
    for _ in range(worlds):
        L = E + a * NOMINAL**-alpha + sd * rng.standard_normal(7)
        p = profile(kaplan(L, bounds=bounds), "alpha")
        hits += (p.lower <= alpha or p.open_below) and (alpha <= p.upper or p.open_above)
    return hits / worlds


@pytest.mark.parametrize(
    "worlds", [pytest.param(60, marks=pytest.mark.slow), pytest.param(150, marks=pytest.mark.simulation)]
)
@pytest.mark.parametrize("bounds", [FREE, None], ids=["free", "E>=0"])
@pytest.mark.parametrize("world", WORLDS, ids=[f"alpha{a}-E{e}-sd{s}" for a, e, s in WORLDS])
def test_profile_intervals_cover_in_the_five_worlds(world, bounds, worlds):
    covered = coverage(*world, bounds, worlds, seed=11)
    assert covered >= 0.90, f"covered {covered:.3f}"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["pairs", "wild", "parametric", "sandwich"])
def test_bootstraps_cover_at_moderate_n(method):
    rng = np.random.default_rng(6)
    N = np.geomspace(1e7, 1e10, 40)
    hits = 0
    for i in range(100):
        L = (1.5 + 60 * N**-0.25) * np.exp(0.01 * rng.standard_normal(40))
        fit = lawful.fit("power_law_constant", {"N": N, "loss": L})
        one = intervals(fit, 0.9, method, draws=300, seed=i)["alpha"]
        hits += one.lower <= 0.25 <= one.upper
    assert 0.82 <= hits / 100 <= 0.97
