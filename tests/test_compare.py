"""Comparing laws: criteria that are refused, nesting found by evaluation, tests of the right size, and the table."""

import numpy as np
import polars as pl
import pytest

import lawful
from lawful import datasets
from lawful.candidates import Candidate
from lawful.compare import Comparison, Comparisons
from lawful.information import information
from lawful.law import coefficient, law
from lawful.laws import find
from lawful.nesting import against, contains, vuong


@law()
def line(x, *, a=coefficient(), b=coefficient()):
    return a + b * x


@law()
def parabola(x, *, a=coefficient(), b=coefficient(), c=coefficient()):
    return a + b * x + c * x**2


@law()
def exponential(x, *, a=coefficient(), b=coefficient()):
    return a + b * np.exp(x)


@law()
def rising(x, *, a=coefficient(), b=coefficient(), c=coefficient(lower=0.0)):
    return a + b * x + c * x**2


def straight(rng, n=40, sd=0.1, bend=0.0):
    x = np.linspace(0, 1, n)
    return {"x": x, "y": 1 + 2 * x + bend * x**2 + sd * rng.standard_normal(n)}


def fitted(one, data):
    return lawful.fit(one, data, target="y", objective="lsq")


@pytest.fixture(scope="module")
def chinchilla(shared):
    return lawful.read(shared / "data" / "chinchilla_epoch" / "chinchilla_points.csv")


@pytest.fixture(scope="module")
def two_ways(rng_module=np.random.default_rng(5)):
    """Twenty-four runs of Chinchilla's law, with N and D apart."""
    N = np.logspace(7, 11, 24)
    D = 20 * N[rng_module.permutation(24)]
    L = (1.7 + 400 * N**-0.34 + 2000 * D**-0.36) * np.exp(0.005 * rng_module.standard_normal(24))
    return {"N": N, "D": D, "loss": L}


def test_criteria_are_those_of_statsmodels(rng):
    regression = pytest.importorskip("statsmodels.regression.linear_model")
    data = straight(rng, 150)
    theirs = regression.OLS(data["y"], np.column_stack([np.ones(150), data["x"]])).fit()
    ours = information(fitted(line, data))
    assert ours.log_likelihood == pytest.approx(theirs.llf)
    assert ours.k == 3  # the spread of the errors is a number too; statsmodels leaves it out
    assert ours.criteria["AIC"] == pytest.approx(theirs.aic + 2)
    assert ours.criteria["BIC"] == pytest.approx(theirs.bic + np.log(150))
    assert ours.criteria["AICc"] == pytest.approx(theirs.aic + 2 + 2 * 3 * 4 / (150 - 4))


def test_few_points_have_only_the_corrected_criterion():
    fits = {
        name: lawful.fit(name, datasets.load("cerebras_gpt"), objective="lsq") for name in ("power_law_constant_n",)
    }
    few = information(fits["power_law_constant_n"])
    assert (few.k, few.n) == (4, 7) and "AICc" in few.criteria
    assert "40 points per number" in few.refused["AIC"] and "5 points per number" in few.refused["BIC"]


def test_criteria_are_refused_with_a_sentence(rng):
    assert "more than k + 1 = 5 points" in information(fitted(parabola, straight(rng, 5))).refused["AICc"]
    huber = lawful.fit(line, straight(rng), target="y", objective="huber:1e-2")
    assert "not a likelihood" in information(huber).refused["BIC"] and not information(huber).criteria
    run = np.repeat(list("abcdefgh"), 5)
    runs = lawful.read({"N": np.logspace(7, 9, 40), "L": 3 + rng.random(40), "run": run}, need=())
    assert "8 runs and not independent" in information(lawful.fit("power_law_constant_n", runs)).refused["AICc"]


def test_binomial_likelihood_is_that_of_the_counts():
    from scipy.stats import binom

    N = np.logspace(7, 10, 8)
    data = {"N": N, "accuracy": np.round(200 * (0.3 + 0.05 * np.arange(8))) / 200, "items": np.full(8, 200.0)}
    fit = lawful.fit("logistic_log_n", data, fixed={"floor": 0.25, "ceiling": 1.0})
    theirs = binom.logpmf(np.rint(200 * data["accuracy"]), 200, fit.fitted).sum()
    assert information(fit).log_likelihood == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("small", "large", "at_bound", "meaningless"),
    [
        (("power_law", {"x": "N"}), ("power_law_constant", {"x": "N"}), ("E",), ()),
        (("chinchilla", {}), ("xlstm", {}), (), ()),
        (("power_law_constant", {"x": "D"}), ("chinchilla", {}), ("A",), ("alpha",)),
        (("power_law", {"x": "N"}), ("kaplan_n", {"N_nonemb": "N"}), (), ()),
    ],
)
def test_nesting_is_found_by_evaluation(two_ways, small, large, at_bound, meaningless):
    a, b = (lawful.fit(name, two_ways, variables=variables) for name, variables in (small, large))
    found = contains(b, a)
    assert found is not None and (found.at_bound, found.free_of_meaning) == (at_bound, meaningless)


def test_a_column_is_one_under_both_of_its_names(two_ways):
    runs = lawful.read({"params": two_ways["N"], "tokens": two_ways["D"], "loss": two_ways["loss"]})
    small, large = lawful.fit("power_law", runs, variables={"x": "params"}), lawful.fit("chinchilla", runs)
    assert contains(large, small) is not None


def test_laws_that_do_not_contain_each_other(two_ways):
    a = lawful.fit("kaplan_nd", two_ways, variables={"N_nonemb": "N"})
    b = lawful.fit("chinchilla", two_ways)
    assert contains(b, a) is None and contains(a, b) is None


def test_nested_test_is_the_textbook_f_test(rng):
    regression = pytest.importorskip("statsmodels.regression.linear_model")
    data = straight(rng, bend=0.5)
    small, large = fitted(line, data), fitted(parabola, data)
    made = against(small, large, contains(large, small), draws=999)
    x = data["x"]
    theirs = regression.OLS(data["y"], np.column_stack([np.ones(40), x, x**2])).fit()
    F, p, _ = theirs.compare_f_test(regression.OLS(data["y"], np.column_stack([np.ones(40), x])).fit())
    assert (made.statistic, made.textbook) == (pytest.approx(F), pytest.approx(p))
    assert made.p == pytest.approx(p, abs=3 * np.sqrt(p * (1 - p) / 999) + 1e-3)


def test_a_bound_halves_p(rng):
    data = straight(rng, bend=0.4)
    small = fitted(line, data)
    free, bounded = (fitted(one, data) for one in (parabola, rising))
    how = contains(bounded, small)
    assert how is not None and how.at_bound == ("c",)
    assert against(small, bounded, how, 19).textbook == pytest.approx(
        against(small, free, contains(free, small), 19).textbook / 2
    )


def test_vuong_is_its_formula_and_needs_points(rng):
    data = straight(rng)
    one, two = fitted(line, data), fitted(exponential, data)
    ratio = -0.5 * np.log(one.rss / two.rss) - 20 * (one.residuals**2 / one.rss - two.residuals**2 / two.rss)
    assert vuong(one, two).z == pytest.approx(ratio.sum() / (np.sqrt(40) * ratio.std()))
    assert vuong(two, one).z == pytest.approx(-vuong(one, two).z)
    few = straight(rng, 12)
    assert "30 points" in vuong(fitted(line, few), fitted(exponential, few)).verdict


def test_two_laws_are_ranked_tested_and_told(two_ways):
    made = lawful.compare(
        two_ways, ["kaplan_nd", "chinchilla", "power_law"], variables={"x": "N", "N_nonemb": "N"}, draws=99
    )
    assert isinstance(made, Comparison)
    assert made.standings[0].name == "chinchilla" and made.standings[0].error < 0.01
    said = {d.other: d.sentence for d in made.duels}
    assert said["kaplan_nd"].startswith("kaplan_nd is rejected in favour of chinchilla")
    assert "chinchilla contains power_law(N)" in said["power_law(N)"] and "no textbook test" in said["power_law(N)"]
    assert {"last value", "last two points"} <= {s.name for s in made.standings}
    frame = made.table()
    assert isinstance(frame, pl.DataFrame) and frame["law"][0] == "chinchilla" and "AICc" in frame.columns
    assert "errors on" in str(made) and "AICc +" in str(made)


def test_laws_are_compared_on_the_rows_that_all_can_use(two_ways):
    D = two_ways["D"].copy()
    D[3] = np.nan
    made = lawful.compare({**two_ways, "D": D}, ["chinchilla", "power_law"], variables={"x": "N"}, draws=19)
    assert {s.fit.n for s in made.standings if s.fit} == {23} and made.n == 23


def test_a_law_that_cannot_be_fitted_says_why(two_ways):
    made = lawful.compare(two_ways, ["chinchilla", "muennighoff"], draws=19)
    assert "needs its variable U" in next(s for s in made.standings if s.name == "muennighoff").why_not
    with pytest.raises(ValueError, match="no law can be fitted"):
        lawful.compare(two_ways, ["muennighoff"])


def test_groups_are_compared_one_by_one():
    runs = datasets.load("cerebras_gpt", "pythia_v0")
    made = lawful.compare(runs, ["power_law", "power_law_constant"], by="family", target="loss", variables={"x": "N"})
    assert isinstance(made, Comparisons) and set(made) == {"cerebras_gpt", "pythia_v0"}
    assert {"family", "law", "error"} <= set(made.table().columns)
    assert "family = pythia_v0" in str(made)


def test_few_scales_are_said_to_be_untested():
    made = lawful.compare(
        {"N": [1e8, 1e8, 1e9, 1e9], "loss": [3.0, 3.01, 2.5, 2.51]}, [Candidate(find("power_law"), {"x": "N"})]
    )
    assert any(f.code == "untested" for f in made.findings) and made.origins == 0


def test_the_chinchilla_points_reject_one_variable(chinchilla):
    made = lawful.compare(chinchilla, ["chinchilla", "power_law"], variables={"x": "flops"}, draws=99)
    assert made.standings[0].name == "chinchilla"
    assert made.duels[0].p[1] <= 0.02 and made.duels[0].nearer.z > 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("other", "nested", "tables"), [(parabola, True, 400), (rising, True, 400), (exponential, False, 200)],
    ids=["interior", "bound", "apart"],
)  # fmt: skip
def test_tests_have_the_size_they_claim(other, nested, tables):
    """Tables in which the smaller law, or the first of two separate laws, holds: at 5 %, within 3 standard errors of
    it. Of 39 draws one may be beyond, which is a test of exactly 5 %."""
    rng, p = np.random.default_rng(1), []
    for i in range(tables):
        data = straight(rng, 15)
        small, large = fitted(line, data), fitted(other, data)
        if i == 0:
            how = contains(large, small)  # the points' x are the same in every table
            assert (how is not None) == nested
        p.append(against(small, large, how, 39, seed=i).p)
    share = float(np.mean(np.array(p) <= 0.05))
    assert abs(share - 0.05) <= 3 * np.sqrt(0.05 * 0.95 / tables), share


@pytest.mark.slow
def test_size_where_a_number_loses_its_meaning():
    """Power law against one with a break: 100 tables without a break, at most 5 % plus 3 standard errors rejected.
    To be beyond all of 19 draws is a test of exactly 5 %."""
    rng, rejected = np.random.default_rng(2), 0
    x = np.logspace(7, 11, 16)
    for i in range(100):
        data = {"x": x, "y": 30 * x**-0.1 * np.exp(0.01 * rng.standard_normal(16))}
        small, large = (lawful.fit(name, data, target="y") for name in ("power_law", "bnsl_1"))
        if i == 0:
            how = contains(large, small)  # the points' x are the same in every table
            assert how is not None and how.free_of_meaning
        rejected += against(small, large, how, 19, seed=i).p <= 0.05
    assert rejected <= 100 * 0.05 + 3 * np.sqrt(100 * 0.05 * 0.95)
