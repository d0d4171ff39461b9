"""A target loss or accuracy: the budget, and the probability of reaching it."""

import numpy as np
import pytest
from test_belief import TRUE, grid

import lawful
from lawful.belief import belief
from lawful.laws import find
from lawful.laws.hoffmann import CHINCHILLA, optimal_params
from lawful.plan import plan
from lawful.plan_allocate import split
from lawful.plan_target import reach

PUBLISHED = ("chinchilla", "besiroglu2024")


@pytest.fixture(scope="module")
def held():
    return belief(lawful.fit("chinchilla", lawful.read(grid(noise=0.005))), draws=600)


@pytest.mark.parametrize("loss", [2.9, 2.2, 1.95])
def test_a_target_is_the_inverse_of_a_budget(loss):
    found = plan(PUBLISHED, loss=loss)
    again = plan(PUBLISHED, flops=found["C"].estimate)
    assert again["L"].estimate == pytest.approx(loss, rel=1e-9)
    assert again["N"].estimate == pytest.approx(found["N"].estimate, rel=1e-9)
    assert found.choices == ()  # no draws, no probabilities


def test_the_closed_form_of_the_budget():
    v = CHINCHILLA["besiroglu2024"]
    a, b = v["alpha"], v["beta"]
    C = plan(PUBLISHED, loss=2.1)["C"].estimate
    N = optimal_params(C, v)
    # at the optimum alpha A N^-alpha = beta B D^-beta
    assert a * v["A"] * N**-a == pytest.approx(b * v["B"] * (C / 6 / N) ** -b, rel=1e-9)
    assert v["E"] + (1 + a / b) * v["A"] * N**-a == pytest.approx(2.1, rel=1e-9)


def test_a_law_without_closed_form_is_inverted_too():
    found = plan(("kaplan_nd", "kaplan2020"), loss=2.2)
    way = split(belief("kaplan_nd", "kaplan2020"), {})
    assert float(way.lowest_loss(found["C"].estimate, way.held.values)) == pytest.approx(2.2, rel=1e-6)


def test_probabilities_rise_with_the_budget_and_run_noise_widens_them(held):
    run, mean = (plan(held, loss=2.3, kind=k) for k in ("run", "mean"))
    spread = [np.log(p.choices[4]["flops"] / p.choices[0]["flops"]) for p in (run, mean)]
    assert spread[0] > spread[1] > 0
    assert all(np.diff([row["flops"] for row in run.choices]) >= 0)
    half = run.choices[2]["flops"]
    at = [plan(held, loss=2.3, flops=f * half)["probability"].estimate for f in (0.5, 1, 2)]
    assert at[1] == pytest.approx(0.5, abs=0.01) and at[0] < at[1] < at[2]
    assert run["C"].lower < run["C"].estimate < run["C"].upper


@pytest.mark.slow
def test_the_probability_is_calibrated():
    hits, chance = [], []
    for seed in range(150):
        made = lawful.fit("chinchilla", lawful.read(grid(seed, noise=0.005)))
        truth = find("chinchilla")
        noise = 0.005 * np.random.default_rng(1000 + seed).standard_normal()
        N = optimal_params(1e21, made.values)
        loss = float(truth(N, 1e21 / 6 / N, **TRUE)) * np.exp(noise)
        found = plan(belief(made, draws=100), loss=2.36, flops=1e21)
        chance.append(found["probability"].estimate)
        hits.append(loss <= 2.36)
    assert np.mean(hits) == pytest.approx(np.mean(chance), abs=0.09)


def test_what_no_budget_reaches_names_the_limit(held):
    floor = plan(PUBLISHED, loss=1.7)
    assert np.isinf(floor["C"].estimate) and "floor is 1.81" in floor.limits[0]
    size = plan(PUBLISHED, loss=1.95, max_params=1e9)
    assert "within 1e9 parameters" in size.limits[0] and "none" in str(size)
    both = plan(PUBLISHED, loss=2.1, max_tokens=1e11, max_params=1e10)
    assert "1e10 parameters and 1e11 tokens" in both.limits[0]
    low = plan(held, loss=1.83)
    assert low["C"].verdict.startswith("cannot tell") or np.isfinite(low["C"].upper)


def test_a_limit_that_can_be_met_costs_budget():
    free, small = plan(PUBLISHED, loss=2.2), plan(PUBLISHED, loss=2.2, max_params=3e9)
    assert small["N"].estimate == 3e9 and small["C"].estimate > free["C"].estimate
    assert small["L"].estimate == pytest.approx(2.2, rel=1e-9)


def test_an_accuracy_goes_through_the_curve_of_the_task(held):
    curve = find("logistic_loss")
    values = {"floor": 0.25, "ceiling": 1.0, "k": 4.0, "L_0": 2.4}
    found = plan(held, accuracy=0.7, task=(curve, values))
    wanted = 2.4 + np.log((1.0 - 0.7) / (0.7 - 0.25)) / 4.0
    assert float(curve(wanted, **values)) == pytest.approx(0.7, rel=1e-9)
    assert found["L"].estimate == pytest.approx(wanted, rel=1e-6)
    assert "given without interval" in found.warnings[0]
    L = np.linspace(2, 3, 9)
    noisy = {"L": L, "accuracy": np.round(curve(L, **values) * 1000) / 1000, "items": np.full(9, 1000)}
    fitted = lawful.fit("logistic_loss", noisy, fixed={"ceiling": 1.0})
    wide = plan(held, accuracy=0.7, task=fitted)
    assert wide["C"].upper / wide["C"].lower > plan(held, loss=wanted)["C"].upper / plan(held, loss=wanted)["C"].lower
    assert "ceiling of the task" in plan(held, accuracy=0.99, task=(curve, {**values, "ceiling": 0.9})).limits[0]


def test_draws_that_never_reach_it_are_infinite(held):
    centre, sample = reach(split(held, {}), 1.83)
    assert sample is not None and np.isinf(sample).any() and not np.isnan(sample).any()


@pytest.mark.parametrize("asked, said", [
    ({"loss": -1}, "loss is -1"), ({"accuracy": 0.7}, "accuracy needs task="),
    ({"accuracy": 1.2, "task": ("logistic_loss", {})}, "must be a fraction"), ({"loss": 2, "kind": "all"}, "kind is"),
    ({"loss": 2, "accuracy": 0.7, "task": 1}, "one target"), ({"loss": 2, "task": 1}, "without accuracy"),
])  # fmt: skip
def test_contradictions_are_sentences(asked, said):
    with pytest.raises(ValueError, match=said):
        plan(PUBLISHED, **asked)
