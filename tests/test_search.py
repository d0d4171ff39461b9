"""The search finds the optimum of laws it has never seen, knows what is linear, and keeps an honest record."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lawful
from lawful import amplitude, coefficient, exponent, law, location, offset, width
from lawful.bind import bind
from lawful.laws import find as catalogue
from lawful.objectives import objective
from lawful.search import draw, find_from, linear_slots, project, sample, starts_for
from lawful.solve import Problems, solve


@law()
def kinked(N, *, E=offset(), A=amplitude("N", "a"), a=exponent(), m=location("N"), s=width(), h=coefficient()):
    return E + A * N**-a + h / (1 + (N / m) ** s)


@law(predicts="y")
def products(x, *, p=coefficient(), q=coefficient(), r=coefficient(), s=coefficient()):
    return p + q * np.exp(-r * x) + s * x


def problem(X, y):
    return Problems(X, y, np.ones((1, len(y))))


def test_noiseless_laws_are_found_from_nothing(rng):
    N = np.geomspace(1e6, 1e10, 40)
    truth = {"E": 1.5, "A": 300.0, "a": 0.4, "m": 1e8, "s": 2.0, "h": 0.8}
    fit = lawful.fit(kinked, {"N": N, "L": kinked.at(truth, N=N)})
    assert fit.estimates == pytest.approx(truth, rel=1e-5)


@pytest.mark.parametrize("n", [10, 25, 60])
@pytest.mark.parametrize("seed", range(3))
def test_the_default_search_is_as_good_as_many_full_solves(n, seed):
    rng = np.random.default_rng([n, seed])
    N, D = 10 ** rng.uniform(7, 10, n), 10 ** rng.uniform(9, 12, n)
    L = (1.8 + 480 * N**-0.35 + 2100 * D**-0.37) * np.exp(0.01 * rng.standard_t(3, n))
    fit = lawful.fit("chinchilla", {"N": N, "D": D, "L": L}, objective="log_huber:1e-3")
    starts = draw(fit.model, fit.problems, fit.objective, 400, seed + 100)
    full = solve(fit.model, starts, fit.problems, fit.objective, iterations=400)
    assert fit.F <= full.F.min() * (1 + 1e-9)


def test_linear_slots_are_the_largest_set_that_does_not_multiply_itself(rng):
    x = np.linspace(0.1, 5, 20)
    model = bind(products, {"x": x})
    problems = problem({"x": x}, np.exp(-x))
    starts = draw(model, problems, objective("lsq"), 8, 0)
    assert [model.names[i] for i in linear_slots(model, problems, starts)] == ["p", "q", "s"]
    N = np.geomspace(1e7, 1e9, 20)
    model = bind(catalogue("chinchilla"), {"N": N, "D": 20 * N})
    problems = problem({"N": N, "D": 20 * N}, 2 + N**-0.1)
    starts = draw(model, problems, objective("lsq"), 8, 0)
    assert [model.names[i] for i in linear_slots(model, problems, starts)] == ["E", "A", "B"]


def test_projected_slots_are_the_least_squares_values():
    x = np.linspace(0.1, 5, 20)
    y = 1 + 2 * np.exp(-0.7 * x) + 0.1 * np.sin(9 * x)
    model = bind(products, {"x": x})
    node = np.array([[0.0, 0.0, 0.7, 0.0]])
    theta = project(model, node, problem({"x": x}, y), objective("lsq"), [0, 1, 3])[0, 0]
    columns = np.stack([np.ones_like(x), np.exp(-0.7 * x), x], axis=1)
    assert theta[[0, 1, 3]] == pytest.approx(np.linalg.lstsq(columns, y, rcond=None)[0], rel=1e-5)
    assert theta[2] == 0.7


def test_projection_is_the_same_for_shared_points_and_for_points_of_each(rng):
    N = np.geomspace(1e7, 1e10, 12)
    y, W = 1 + 100 * N**-0.3, rng.integers(0, 3, (5, 12)).astype(float)
    model = bind(catalogue("power_law_constant"), {"x": N})
    shared = Problems({"x": N}, y, W)
    own = Problems({"x": np.tile(N, (5, 1))}, np.tile(y, (5, 1)), W)
    both = [starts_for(model, p, objective("log_lsq"), 16, 0) for p in (shared, own)]
    assert both[0] == pytest.approx(both[1], rel=1e-6, abs=1e-6)


def test_the_record_counts_starts_and_lists_other_optima(rng):
    x = np.geomspace(1, 100, 15)
    y = 1 + 3 * x**-0.5 + 0.02 * rng.standard_normal(15)
    fit = lawful.fit("power_law_constant", {"x": x, "y": y}, count=40)
    assert fit.search.starts == 40 and fit.search.solved == 8
    assert 0 < fit.search.agree <= 1
    F = [F for F, _ in fit.search.optima]
    assert F == sorted(F) and F[0] == pytest.approx(fit.F, rel=1e-6)


def test_given_starts_keep_the_labels_of_terms_that_could_change_places():
    @law(predicts="y")
    def two(x, *, a=coefficient(), b=coefficient(), c=coefficient(), d=coefficient()):
        return a * np.exp(-b * x) + c * np.exp(-d * x)

    x = np.linspace(0, 8, 40)
    y = 2 * np.exp(-0.3 * x) + 5 * np.exp(-1.5 * x)
    model = bind(two, {"x": x})
    for start, ends in (([1, 0.1, 1, 3], [2, 0.3, 5, 1.5]), ([1, 3, 1, 0.1], [5, 1.5, 2, 0.3])):
        theta, F, _ = find_from(model, problem({"x": x}, y), objective("lsq"), np.array([start], float))
        assert theta[0] == pytest.approx(ends, rel=1e-6)
    with pytest.raises(ValueError, match="not finite at any start"):
        find_from(model, problem({"x": x}, y), objective("lsq"), np.full((1, 4), np.nan))


def test_very_many_points_are_searched_on_a_sample_and_solved_on_all(rng):
    n = 30_000
    N = 10 ** rng.uniform(7, 10, n)
    y = (1.7 + 300 * N**-0.35) * np.exp(0.01 * rng.standard_normal(n))
    fit = lawful.fit("power_law_constant", {"x": N, "y": y})
    assert len(sample(fit.model, fit.problems).y) == 5000
    again = solve(fit.model, fit.theta[None], fit.problems, fit.objective)
    assert again.F[0] == pytest.approx(fit.F, rel=1e-11)
    assert fit.estimates["alpha"] == pytest.approx(0.35, abs=0.01)


NOTEBOOK = """
import joblib, numpy as np, lawful
from lawful import amplitude, exponent, law, offset

@law()
def mine(N, *, E=offset(), A=amplitude("N", "alpha"), alpha=exponent()):
    return E + A * N**-alpha

def alpha(seed):
    N = np.geomspace(1e7, 1e10, 12)
    L = (1.7 + 300 * N**-0.35) * np.exp(1e-3 * np.random.default_rng(seed).standard_normal(12))
    return lawful.fit(mine, {"N": N, "L": L}).estimates["alpha"]

fits = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(alpha)(s) for s in range(3))
N = np.geomspace(1e7, 1e10, 12)
exact = {"N": N, "L": 1.7 + 300 * N**-0.35}
fit = joblib.Parallel(n_jobs=2, backend="loky")([joblib.delayed(lawful.fit)(mine, exact)])[0]
assert fit.law.name == "mine" and abs(fit.estimates["alpha"] - 0.35) < 1e-6, fit.estimates
assert all(abs(a - 0.35) < 0.05 for a in fits), fits
print("pickled")
"""


def test_a_law_of_a_notebook_travels_through_joblib(tmp_path):
    root = Path(lawful.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == "pickled", done.stderr[-2000:]


def test_a_shipped_law_travels_by_its_name():
    import pickle

    law = catalogue("chinchilla")
    assert pickle.loads(pickle.dumps(law)) is law
    fit = lawful.fit("power_law", {"x": np.array([1.0, 2, 4, 8]), "y": np.array([4.0, 3, 2.2, 1.7])})
    again = pickle.loads(pickle.dumps(fit))
    assert again.estimates == fit.estimates and again.law is fit.law
