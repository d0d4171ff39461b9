"""A belief: values and draws of a law, from a fit or from published values."""

import numpy as np
import pytest

import lawful
from lawful.belief import belief
from lawful.laws import find

TRUE = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}


def grid(seed=0, noise=0.003, sizes=(1e7, 3e7, 1e8, 3e8, 1e9), ratios=(5, 20, 80)):
    """Runs of the chinchilla law on a grid of sizes and tokens per parameter."""
    N = np.repeat(np.array(sizes), len(ratios))
    D = N * np.tile(np.array(ratios, float), len(sizes))
    loss = find("chinchilla")(N, D, **TRUE) * np.exp(noise * np.random.default_rng(seed).standard_normal(len(N)))
    return {"params": N, "tokens": D, "loss": loss}


@pytest.fixture(scope="module")
def fit():
    return lawful.fit("chinchilla", lawful.read(grid()))


def test_draws_of_a_fit_scatter_as_its_covariance_says(fit):
    held = belief(fit, draws=500)
    assert held.method == "parametric" and len(held) == 500
    assert np.std(held.draws["alpha"]) == pytest.approx(np.sqrt(fit.covariance[3, 3]), rel=0.35)
    one = held.interval(lambda v: v["alpha"] / (v["alpha"] + v["beta"]))
    assert one.lower < one.estimate < one.upper and one.method == "parametric"


def test_every_draw_is_evaluated_at_once(fit):
    held = belief(fit, draws=50)
    at, sample = held.at(N=[1e8, 1e9], D=[2e9, 2e10])
    assert at.shape == (2,) and sample.shape == (50, 2)
    again = fit.law.at({k: x[7] for k, x in held.draws.items()}, N=1e9, D=2e10)
    assert sample[7, 1] == pytest.approx(float(again), rel=1e-12)


def test_fixed_and_tied_parameters_are_in_the_draws():
    held = belief(lawful.fit("chinchilla", lawful.read(grid()), fixed={"E": 1.8}, tied={"beta": "alpha"}), draws=20)
    assert set(held.draws["E"]) == {1.8} and np.array_equal(held.draws["alpha"], held.draws["beta"])


@pytest.mark.parametrize("method", ["pairs", "wild", "sandwich"])
def test_methods_agree_on_clean_data(fit, method):
    width = np.std(belief(fit, method=method, draws=300).draws["alpha"])
    assert width == pytest.approx(np.sqrt(fit.covariance[3, 3]), rel=0.6)


def test_a_group_of_a_fit_by_groups_is_a_belief():
    table = {k: np.append(x, x) for k, x in grid().items()}
    table["loss"] = table["loss"] + np.repeat([0.0, 0.3], 15)
    table["family"] = np.repeat(["a", "b"], 15)
    runs = lawful.read(table, by="family")
    both = lawful.fit("chinchilla", runs, by="family", shared=("alpha", "beta", "A", "B"))
    low, high = (belief(both, group=g, draws=30) for g in "ab")
    assert high.values["E"] - low.values["E"] == pytest.approx(0.3, abs=0.02)
    assert np.median(high.draws["E"] - low.draws["E"]) == pytest.approx(0.3, abs=0.03)
    with pytest.raises(ValueError, match="say which with group="):
        belief(both)
    each = lawful.fit("chinchilla", runs, by="family")
    assert belief(each, group="b", draws=10).values["E"] == each["b"].values["E"]
    with pytest.raises(ValueError, match="say which with group="):
        belief(each)


def test_published_values_have_no_interval_and_say_so():
    held = belief("chinchilla", "besiroglu2024")
    one = held.interval(lambda v: v["alpha"])
    assert one.verdict == "published without interval" and np.isnan([one.lower, one.upper]).all()
    assert belief(("chinchilla", "besiroglu2024")).values == held.values
    assert belief(held) is held
    assert held.distance(N=1.6e11, D=1e11) == (pytest.approx(1.0), "N")


@pytest.mark.parametrize(
    "source, values, said",
    [
        ("chinchilla", None, "say which values; name one of hoffmann2022"),
        ("chinchilla", "besiroglu", "no values called"),
        ("porian_n_opt", "porian2024_refinedweb_tuned", "k is not known"),
        ("chinchilla", {"E": 1.0}, "values lack A"),
    ],
)
def test_errors_name_the_values_there_are(source, values, said):
    with pytest.raises(ValueError, match=said):
        belief(source, values)
    with pytest.raises(TypeError, match="not int"):
        belief(3)


def test_checkpoints_of_few_runs_tell_nothing():
    table = grid(sizes=(1e8, 1e9, 1e10), ratios=(2, 5, 10, 20, 40, 80))
    table["run"] = np.repeat(["x", "y", "z"], 6)
    held = belief(lawful.fit("chinchilla", lawful.read(table, run="run")), draws=40)
    one = held.interval(lambda v: v["alpha"])
    assert held.method == "cluster" and one.verdict.startswith("cannot tell")
