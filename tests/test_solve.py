"""The batched solver against SciPy's, and its own promises: weights, padding, frozen slots, polish."""

import numpy as np
import pytest

from lawful.bind import bind
from lawful.laws import find
from lawful.objectives import objective
from lawful.solve import Problems, polish, solve, values

CHINCHILLA = find("chinchilla")
TRUTH = np.array([[1.8, 480.0, 2100.0, 0.35, 0.37]])


@pytest.fixture
def runs(rng):
    N, D = 10 ** rng.uniform(7, 10, 60), 10 ** rng.uniform(9, 12, 60)
    L = CHINCHILLA.at(dict(zip(CHINCHILLA.parameter_names, TRUTH[0])), N=N, D=D)
    return {"N": N, "D": D}, L * np.exp(0.01 * rng.standard_t(3, 60))


@pytest.fixture
def model(runs):
    return bind(CHINCHILLA, runs[0])


@pytest.mark.parametrize("name", ["lsq", "log_lsq", "log_huber:1e-2", "huber:1e-2"])
def test_optima_are_those_of_scipy(runs, model, name):
    from scipy.optimize import least_squares

    X, y = runs
    chosen = objective(name)
    problems = Problems(X, y, np.ones((1, 60)))
    found = solve(model, model.search(TRUTH), problems, chosen)
    huber = {"loss": "huber", "f_scale": chosen.delta} if np.isfinite(chosen.delta) else {}
    end = least_squares(
        lambda t: chosen.residuals(y, model.evaluate(t[None], X, False)[0]), model.search(TRUTH)[0], x_scale="jac",
        xtol=1e-15, ftol=1e-15, gtol=1e-15, **huber,
    )  # fmt: skip
    assert found.F[0] == pytest.approx(end.cost, rel=1e-8)
    assert found.F[0] <= end.cost * (1 + 1e-9)
    assert model.natural(found.theta)[0] == pytest.approx(model.natural(end.x[None])[0], rel=1e-3)


def test_a_weight_is_a_repeated_point(runs, model, rng):
    X, y = runs
    counts = rng.integers(0, 4, 60)
    repeated = {v: np.repeat(x, counts) for v, x in X.items()}
    chosen = objective("log_huber:1e-2")
    weighted = solve(model, model.search(TRUTH), Problems(X, y, counts[None].astype(float)), chosen)
    twice = Problems(repeated, np.repeat(y, counts), np.ones((1, counts.sum())))
    separate = solve(model, model.search(TRUTH), twice, chosen)
    assert weighted.F == pytest.approx(separate.F, rel=1e-10)
    assert weighted.theta == pytest.approx(separate.theta, abs=1e-4)


def test_padded_problems_are_solved_as_if_alone(runs, model):
    X, y = runs
    sizes = [60, 25, 40]
    W = (np.arange(60) < np.array(sizes)[:, None]).astype(float)
    padded = Problems({v: np.tile(x, (3, 1)) for v, x in X.items()}, np.tile(y, (3, 1)), W)
    chosen = objective("log_lsq")
    together = solve(model, np.repeat(model.search(TRUTH), 3, 0), padded, chosen, np.arange(3))
    for i, n in enumerate(sizes):
        one = Problems({v: x[:n] for v, x in X.items()}, y[:n], np.ones((1, n)))
        alone = solve(model, model.search(TRUTH), one, chosen)
        assert together.F[i] == pytest.approx(alone.F[0], rel=1e-10)


def test_slots_that_are_not_free_stay(runs, model):
    problems = Problems(*runs, np.ones((1, 60)))
    start = model.search(TRUTH * 1.1)
    found = solve(model, start, problems, objective("log_lsq"), free=[1, 2])
    assert (found.theta[:, [0, 3, 4]] == start[:, [0, 3, 4]]).all()
    everything = solve(model, start, problems, objective("log_lsq"))
    assert everything.F[0] < found.F[0] < values(model, start, problems, np.zeros(1, int), objective("log_lsq"))[0]


def test_a_start_where_the_law_is_not_finite_comes_back_infinite(runs, model):
    starts = np.concatenate([model.search(TRUTH), np.full((1, 5), np.nan)])
    found = solve(model, starts, Problems(*runs, np.ones((1, 60))), objective("log_lsq"))
    assert np.isfinite(found.F[0]) and found.F[1] == np.inf


@pytest.mark.parametrize("name", ["lsq", "log_huber:1e-3", "log_envelope:0.1"])
def test_polish_never_makes_it_worse(runs, model, name, rng):
    problems, chosen = Problems(*runs, np.ones((1, 60))), objective(name)
    for _ in range(5):
        start = model.search(TRUTH * rng.uniform(0.7, 1.4, 5))
        before = values(model, start, problems, np.zeros(1, int), chosen)[0]
        assert polish(model, start[0], problems, 0, chosen)[1] <= before * (1 + 1e-12)


def test_polish_leaves_rounding_only_of_exact_data(model, runs):
    X, _ = runs
    y = CHINCHILLA.at(dict(zip(CHINCHILLA.parameter_names, TRUTH[0])), **X)
    problems = Problems(X, y, np.ones((1, 60)))
    found = solve(model, model.search(TRUTH * 1.05), problems, objective("log_lsq"))
    theta, F = polish(model, found.theta[0], problems, 0, objective("log_lsq"))
    assert F < 1e-28
    assert model.natural(theta[None]) == pytest.approx(TRUTH, rel=1e-9)
