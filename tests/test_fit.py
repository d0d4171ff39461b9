"""Fits: golden numbers, every way to constrain one, groups, objectives, findings, refusals."""

from math import inf

import numpy as np
import pytest

import lawful
from lawful import datasets
from lawful.fit import Fit, Fits

NOMINAL = np.array([111e6, 256e6, 590e6, 1.3e9, 2.7e9, 6.7e9, 13e9])
CARD = np.array([2.566, 2.299, 2.184, 1.996, 1.834, 1.704, 1.575])
ARXIV = np.array([2.608, 2.349, 2.181, 1.997, 1.834, 1.704, 1.572])
FREE = {"E": (-inf, inf)}


@lawful.law()
def plain(N, *, E=lawful.offset(), A=lawful.amplitude("N", "alpha"), alpha=lawful.exponent()):
    return E + A * N**-alpha


@lawful.law()
def two_terms(
    N,
    D,
    *,
    E=lawful.offset(),
    A=lawful.amplitude("N", "alpha"),
    B=lawful.amplitude("D", "beta"),
    alpha=lawful.exponent(),
    beta=lawful.exponent(),
):
    return E + A * N**-alpha + B * D**-beta


def table(noise=0.0, seed=0, n=40):
    rng = np.random.default_rng(seed)
    N = 10 ** rng.uniform(7, 10, n)
    D = 10 ** rng.uniform(9, 12, n)
    L = two_terms(N, D, E=1.7, A=400.0, B=2000.0, alpha=0.34, beta=0.37) * np.exp(noise * rng.standard_normal(n))
    return {"N": N, "D": D, "L": L}


@pytest.mark.parametrize("start", [None, {"E": 1.0, "A": 5.0, "alpha": 0.5}, {"E": -3.0, "A": 900.0, "alpha": 0.02}])
def test_golden_numbers_of_the_card_losses(start):
    fit = lawful.fit(plain, {"N": NOMINAL, "L": CARD}, objective="lsq", bounds=FREE, starts=start)
    assert fit.estimates["alpha"] == pytest.approx(0.10609, abs=5e-6)
    assert fit.estimates["E"] == pytest.approx(0.11292, abs=5e-6)
    assert fit.estimates["A"] == pytest.approx(17.390, abs=5e-4)
    assert fit.rss == pytest.approx(0.003647, abs=5e-7)
    aic = 7 * np.log(fit.rss / 7) + 2 * 3
    assert aic == pytest.approx(-46.918, abs=5e-4)
    assert aic - 6 + 3 * np.log(7) == pytest.approx(-47.080, abs=5e-4)


def test_golden_numbers_of_the_paper_losses():
    fit = lawful.fit(plain, {"N": NOMINAL, "L": ARXIV}, objective="lsq", bounds=FREE)
    assert fit.estimates["alpha"] == pytest.approx(0.1351, abs=5e-5)
    assert fit.estimates["E"] == pytest.approx(0.4536, abs=5e-5)


def test_the_makers_own_law_on_compute():
    runs = datasets.load("cerebras_gpt")
    fit = lawful.fit("power_law_constant", runs, variables={"x": "C"}, objective="lsq")
    assert fit.estimates["alpha"] == pytest.approx(0.0737, rel=0.02)
    assert fit.estimates["E"] == pytest.approx(0.5066, rel=0.02)


def test_besiroglu_objective_is_reached(shared):
    runs = lawful.read(shared / "data/chinchilla_epoch/chinchilla_points.csv", where="outlier_epoch == false")
    fit = lawful.fit("chinchilla", runs, objective="log_huber:1e-3")
    assert fit.n == 240
    assert fit.F <= 0.0010182740178006 * (1 + 1e-9)
    assert fit.estimates["alpha"] == pytest.approx(0.347311, abs=2e-6)
    assert any(f.code == "inside_delta" and "16%" in f.message for f in fit.findings)


@pytest.mark.parametrize("objective", ["lsq", "log_lsq", "huber:0.01", "log_huber", "lad", "log_lad", "envelope:0.1"])
def test_exact_data_give_back_their_parameters(objective):
    fit = lawful.fit(two_terms, table(), objective=objective)
    truth = {"E": 1.7, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.37}
    assert fit.estimates == pytest.approx(truth, rel=1e-4)


def test_fixed_tied_and_bounded_parameters():
    data = table(noise=0.01)
    fixed = lawful.fit(two_terms, data, fixed={"E": 1.5})
    assert fixed.values["E"] == 1.5 and "E" not in fixed.estimates
    tied = lawful.fit(two_terms, data, tied={"beta": "alpha"})
    assert tied.values["beta"] == tied.values["alpha"] and len(tied.estimates) == 4
    bounded = lawful.fit(two_terms, data, bounds={"alpha": (0.4, 0.6)})
    assert bounded.values["alpha"] == pytest.approx(0.4, abs=1e-4)
    assert any(f.code == "bound_hit" and "alpha" in f.message for f in bounded.findings)
    free = lawful.fit(two_terms, data)
    assert free.F <= min(fixed.F, tied.F, bounded.F)


def test_groups_in_one_batch_equal_groups_one_by_one():
    rng = np.random.default_rng(3)
    sizes, parts = [7, 9, 12, 30], []
    for i, n in enumerate(sizes):
        N = 10 ** rng.uniform(7, 10, n)
        parts.append((N, (1 + 0.3 * i + 20 * N ** -(0.2 + 0.05 * i)) * np.exp(0.005 * rng.standard_normal(n))))
    together = {
        "N": np.concatenate([p[0] for p in parts]),
        "L": np.concatenate([p[1] for p in parts]),
        "family": np.repeat(["a", "b", "c", "d"], sizes),
    }
    fits = lawful.fit(plain, together, by="family")
    assert isinstance(fits, Fits) and list(fits) == ["a", "b", "c", "d"]
    for label, (N, L) in zip(fits, parts):
        alone = lawful.fit(plain, {"N": N, "L": L})
        assert fits[label].F == pytest.approx(alone.F, rel=1e-8)
        assert fits[label].estimates == pytest.approx(alone.estimates, rel=1e-4)


def test_shared_parameters_make_one_fit():
    data = {
        "N": np.tile(NOMINAL, 2),
        "L": np.concatenate([CARD, ARXIV * 1.1]),
        "column": np.repeat(["card", "paper"], 7),
    }
    fit = lawful.fit(plain, data, by="column", shared=["alpha"])
    assert isinstance(fit, Fit)
    assert set(fit.estimates) == {"E[card]", "E[paper]", "A[card]", "A[paper]", "alpha"}
    assert fit.values["A"].keys() == {"card", "paper"}
    each = lawful.fit(plain, data, by="column")
    assert isinstance(each, Fits)
    assert fit.F >= sum(f.F for f in each.values()) * (1 - 1e-9)


def test_a_group_that_cannot_be_fitted_is_named_not_dropped():
    data = {"N": np.append(NOMINAL, 1e9), "L": np.append(CARD, 2.0), "family": ["a"] * 7 + ["b"]}
    fits = lawful.fit(plain, data, by="family")
    assert list(fits) == ["a"]
    assert "3 free parameters" in fits.failed["b"] and "1 points" in fits.failed["b"]


def test_weights_are_repeated_points():
    data = table(noise=0.02, n=20)
    repeated = {k: np.concatenate([v, v[:5]]) for k, v in data.items()}
    runs = lawful.read({**data, "w": np.array([2.0] * 5 + [1.0] * 15)}, weights="w", units={"N": "counts"})
    weighted = lawful.fit(two_terms, runs)
    plain_fit = lawful.fit(two_terms, repeated)
    assert weighted.F == pytest.approx(plain_fit.F, rel=1e-9)
    assert weighted.estimates == pytest.approx(plain_fit.estimates, rel=1e-5)


def test_binomial_likelihood_agrees_with_a_logistic_regression():
    import statsmodels.api as sm

    x = np.linspace(-3, 3, 12)
    rng = np.random.default_rng(0)
    y = rng.binomial(500, 1 / (1 + np.exp(-(0.3 + 0.8 * x)))) / 500

    @lawful.law(predicts="accuracy")
    def logit(x, *, a=lawful.coefficient(), b=lawful.coefficient()):
        return 1 / (1 + np.exp(-(a + b * x)))

    fit = lawful.fit(logit, {"x": x, "accuracy": y, "items": np.full(12, 500)})
    counts = np.column_stack([500 * y, 500 * (1 - y)])
    reference = sm.GLM(counts, sm.add_constant(x), family=sm.families.Binomial()).fit()
    assert list(fit.estimates.values()) == pytest.approx(reference.params, rel=1e-6)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(reference.bse, rel=1e-5)


def test_least_absolute_deviations_agree_with_a_linear_programme():
    from scipy.optimize import linprog

    rng = np.random.default_rng(1)
    x = rng.uniform(0, 5, 25)
    y = 1 + 2 * x + rng.standard_t(2, 25)

    @lawful.law(predicts="y")
    def line(x, *, a=lawful.coefficient(), b=lawful.coefficient()):
        return a + b * x

    fit = lawful.fit(line, {"x": x, "y": y}, objective="lad")
    n = len(x)
    A = np.column_stack([np.ones(n), x])
    equal = np.hstack([A, np.eye(n), -np.eye(n)])
    cost = np.concatenate([np.zeros(2), np.ones(2 * n)])
    best = linprog(cost, A_eq=equal, b_eq=y, bounds=[(None, None)] * 2 + [(0, None)] * 2 * n).fun
    assert np.abs(fit.residuals).sum() == pytest.approx(best, rel=1e-5)


def test_an_envelope_lies_below_most_points():
    data = table(noise=0.05, n=60)
    middle, low = (lawful.fit(two_terms, data, objective=o) for o in ("lsq", "envelope:0.02"))
    assert np.mean(low.residuals < 0) < 0.15 < np.mean(middle.residuals < 0)


def test_findings_name_what_vanished_and_what_competes():
    N = np.geomspace(1e7, 1e10, 12)
    gone = lawful.fit(plain, {"N": N, "L": 30 * N**-0.2})
    assert gone.estimates["E"] < 1e-6 and "term_vanished" in [f.code for f in gone.findings]
    exact = lawful.fit(plain, {"N": N[:3], "L": 30 * N[:3] ** -0.2 + 1})
    assert exact.findings[0].code == "no_freedom" and exact.findings[0].severity == "error"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"law": "chinchila"}, "chinchilla"),
        ({"fixed": {"gamma": 1}}, "no parameter 'gamma'"),
        ({"tied": {"A": "E", "E": "A"}}, "circle"),
        ({"bounds": {"E": (2, 1)}}, r"bounds of E are \[2, 1\]"),
        ({"target": "los"}, "no column 'los'"),
        ({"variables": {"M": "N"}}, "no variable 'M'"),
        ({"objective": "hubber"}, "unknown; allowed"),
        ({"objective": "huber:-1"}, "must be positive"),
        ({"starts": {"E": 1.0}}, "A, alpha is missing"),
        ({"objective": "binomial"}, "items"),
    ],
)
def test_refusals_say_what_is_wrong(options, says):
    law = options.pop("law", plain)
    with pytest.raises(ValueError, match=says):
        lawful.fit(law, {"N": NOMINAL, "L": CARD}, **options)


def test_too_few_points_and_logs_of_negatives_are_refused():
    with pytest.raises(ValueError, match="3 free parameters.*2 points"):
        lawful.fit(plain, {"N": NOMINAL[:2], "L": CARD[:2]})
    with pytest.raises(ValueError, match="row 3"):
        lawful.fit(plain, {"N": NOMINAL, "L": np.where(np.arange(7) == 2, -1.0, CARD)}, objective="log_lsq")


def test_rows_with_gaps_are_left_out_and_listed():
    fit = lawful.fit(plain, {"N": NOMINAL, "L": np.where(np.arange(7) == 2, np.nan, CARD)})
    note = next(f for f in fit.findings if f.code == "incomplete_points")
    assert fit.n == 6 and note.rows == (3,)


def test_the_same_seed_gives_the_same_fit():
    one, two = (lawful.fit(two_terms, table(noise=0.02), seed=5) for _ in range(2))
    assert one.estimates == two.estimates and one.F == two.F


def test_a_law_with_a_value_per_group_finds_its_column():
    @lawful.law(predicts="L")
    def levels(N, *, A=lawful.amplitude("N", "alpha", by="family"), alpha=lawful.exponent()):
        return A * N**-alpha

    data = {"N": np.tile(NOMINAL, 2), "L": np.concatenate([20 * NOMINAL**-0.1, 30 * NOMINAL**-0.1])}
    fit = lawful.fit(levels, {**data, "family": np.repeat(["a", "b"], 7)})
    assert fit.estimates == pytest.approx({"A[a]": 20, "A[b]": 30, "alpha": 0.1}, rel=1e-6)
    with pytest.raises(ValueError, match="'family'"):
        lawful.fit(levels, data)
