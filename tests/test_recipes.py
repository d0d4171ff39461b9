"""Recipes: probabilities, multipliers and crossings against laws written down; shared noise; proxies; calibration."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

import lawful
from lawful.cli import app
from lawful.datasets import load
from lawful.laws.hoffmann import chinchilla
from lawful.proxies import decision_accuracy
from lawful.recipe_draws import drawn, places_shared
from lawful.recipes import Recipes, _first_crossing, _reached, loss_curve, recipes

VALUES = dict(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)


def compared(sigma: float = 0.003, rho: float = 0.8, seed: int = 0, places: int = 15, **changed: float):
    """A table of recipe a (VALUES) and recipe b (changed), at the same places, with noise that they share."""
    rng = np.random.default_rng(seed)
    N = np.repeat(np.geomspace(1e7, 1.6e8, 5), 3)[:places]
    D = N * np.tile([5.0, 20.0, 80.0], 5)[:places]
    common = rng.standard_normal(len(N))
    parts = []
    for name, values in (("a", VALUES), ("b", VALUES | changed)):
        noise = sigma * (np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.standard_normal(len(N)))
        parts.append((name, chinchilla.at(values, N=N, D=D) * np.exp(noise)))
    return {
        "N": np.tile(N, 2),
        "D": np.tile(D, 2),
        "L": np.concatenate([y for _, y in parts]),
        "recipe": np.repeat(["a", "b"], len(N)),
    }


@pytest.fixture(scope="module")
def better() -> Recipes:
    """b has 6 % more of both reducible terms: a is better everywhere, by the same multiplier at every compute."""
    return recipes(compared(sigma=0.0005, A=482.01 * 1.06, B=2085.43 * 1.06), draws=100)


def test_the_better_recipe_is_found_with_its_multiplier(better):
    C = 1e20
    assert better.probability("a", "b", C) > 0.95
    assert better.probability("a", "b", C) + better.probability("b", "a", C) == pytest.approx(1)
    # L - E falls as C^(-alpha beta / (alpha + beta)): 6 % of it is worth 1.06 to the inverse of that power
    true = 1.06 ** ((0.3478 + 0.3658) / (0.3478 * 0.3658))
    m = better.multiplier("a", "b", C)
    assert m.lower < true < m.upper and m.estimate == pytest.approx(true, rel=0.15)
    back = better.multiplier("b", "a", C)
    assert back.estimate == pytest.approx(1 / m.estimate, rel=0.1)
    assert better.best(C)["a"] == pytest.approx(better.probability("a", "b", C))
    assert (
        "do not cross" in better.crossing("a", "b", 1e20).verdict or "cannot tell" in better.crossing("a", "b").verdict
    )


def test_a_crossing_is_found_where_it_is():
    """b is steeper and starts worse: the curves cross once, at a place that the laws give."""
    other = dict(A=482.01 * 3.3, alpha=0.3478 + 0.07)
    made = recipes(compared(sigma=0.0003, **other), flops=1e20, draws=100)
    C = np.geomspace(1e16, 1e20, 4001)
    curves = []
    for values in (VALUES, VALUES | other):
        N = chinchilla.optimum["N"](C, values)
        curves.append(chinchilla.at(values, N=N, D=C / 6 / N))
    true = C[np.flatnonzero(np.diff(np.sign(curves[0] - curves[1])))[0]]
    cross = made.crossing("a", "b")
    assert not cross.verdict and cross.lower < true < cross.upper and cross.estimate == pytest.approx(true, rel=0.5)
    assert made.probability("a", "b", true / 30) > 0.95 and made.probability("b", "a", 1e20) > 0.95


def test_equal_recipes_cannot_be_told_apart():
    made = recipes(compared(sigma=0.01, rho=0.0), draws=100)
    C = 10 * made.seen[1]
    assert 0.05 < made.probability("a", "b", C) < 0.95
    m = made.multiplier("a", "b", C)
    assert m.lower < 1 < m.upper
    assert "cannot tell" in made.crossing("a", "b").verdict and "cannot tell" in str(made)


def test_losses_are_at_the_best_size_or_at_a_ratio(better):
    C = 1e20
    fit = lawful.fit("chinchilla", {k: v[:15] for k, v in compared(sigma=0.0005).items()})
    N = chinchilla.optimum["N"](C, fit.values)
    best = float(fit.predict(N=N, D=C / 6 / N))
    grid = np.geomspace(1e16, 1e24, 60)
    curve = loss_curve(fit, fit.theta[None], grid)[0]
    assert np.exp(np.interp(np.log(C), np.log(grid), np.log(curve))) == pytest.approx(best, rel=1e-4)
    at_five = loss_curve(fit, fit.theta[None], np.array([C]), ratio=5.0)[0, 0]
    assert at_five == pytest.approx(float(fit.predict(N=np.sqrt(C / 30), D=5 * np.sqrt(C / 30)))) and at_five > best


# ---- shared noise


def test_noise_shared_at_the_same_places_cancels():
    """Interval of the difference, paired against not: with a correlation of 0.95 it is far shorter."""
    table = compared(sigma=0.005, rho=0.95, A=490.0)
    spread = {}
    for paired in (None, False):
        made = recipes(table, paired=paired, draws=100)
        x = made.draws["a"], made.draws["b"]
        spread[paired] = np.nanstd((np.log(x[0]) - np.log(x[1])) @ made._weights(1e19))
        assert np.isfinite(made.correlation) == (paired is None)
    assert spread[None] < 0.6 * spread[False]


def test_drawn_noise_has_the_covariance_of_the_residuals():
    """Refits of a line (a linear law): the intercepts' difference against the matrix t distribution's variance."""
    rng = np.random.default_rng(3)
    x = np.geomspace(1.0, 10.0, 12)

    @lawful.law(predicts="L")
    def line(N, *, a=lawful.coefficient(), b=lawful.coefficient()):
        return a + b * np.log(N)

    common = rng.standard_normal(12)
    fits = [
        lawful.fit(line, {"N": x, "L": k - np.log(x) + 0.1 * (common + 0.3 * rng.standard_normal(12))}, objective="lsq")
        for k in (5.0, 6.0)
    ]
    shared = places_shared(fits)
    assert shared is not None and shared.correlation > 0.8
    a, b = (f.model.natural(theta)[:, 0] for f, theta in zip(fits, drawn(fits, shared, 1500, rng)))
    d = fits[0].residuals - fits[1].residuals
    A = np.stack([np.ones(12), np.log(x)], axis=1)
    dof = 12 - 2 - 2 + 1  # of one combination of two inverse Wishart recipes
    scale = np.sqrt(d @ d / dof * np.linalg.inv(A.T @ A)[0, 0])
    centred = (a - b - (fits[0].estimates["a"] - fits[1].estimates["a"])) / scale
    assert stats.kstest(centred, stats.t(dof).cdf).pvalue > 0.01


def test_designs_that_do_not_match_are_not_paired():
    table = compared()
    moved = table | {"N": np.where(table["recipe"] == "b", table["N"] * 1.3, table["N"])}
    assert np.isnan(recipes(moved, draws=20).correlation)
    with pytest.raises(ValueError, match="too few places"):
        recipes(moved, paired=True, draws=20)


# ---- parts


def test_levels_never_reached_are_infinite_and_crossings_first():
    x = np.linspace(0, 3, 4)
    curve = np.array([[4.0, 3.0, 2.5, 2.4], [4.0, 3.0, 2.5, 2.4], [np.nan] * 4])
    out = _reached(x, curve, np.array([3.5, 2.0, 1.0]))
    assert out[0] == pytest.approx(np.exp(0.5)) and out[1] == np.inf and np.isnan(out[2])
    assert _reached(x, curve[:1], np.array([5.0]))[0] == 0
    rows = np.array([[1.0, -1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    assert _first_crossing(x, rows)[0] == pytest.approx(0.5) and np.isnan(_first_crossing(x, rows)[1])


def test_the_shipped_family_in_two_parametrisations():
    """Cerebras-GPT with and without muP: at 13B they cannot be told apart, and laws of size alone are compared."""
    made = recipes(load("cerebras_gpt", "cerebras_gpt_mup"), by="family", draws=60)
    assert made.loss("cerebras_gpt", 2e22).estimate == pytest.approx(1.572, abs=0.02)
    assert set(made.laws) <= {"power_law", "power_law_constant"}
    facts = made.facts()
    assert facts["pairs"][0]["probability"] + facts["pairs"][1]["probability"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda t: recipes(t, by="recipes"), "'recipe'"),
        (lambda t: recipes({k: v[:15] for k, v in t.items()}), "two or more"),
        (lambda t: recipes(t, flops=-1.0), "above 0"),
        (lambda t: recipes(t, law="chinchila"), "chinchilla"),
        (lambda t: recipes(t, draws=20).probability("a", "c", 1e19), "no recipe 'c'"),
        (lambda t: recipes(t, draws=20).loss("a", 1e40), "was made for"),
    ],
)
def test_what_cannot_be_compared_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        call(compared())


# ---- proxies


def test_decision_accuracy_counts_pairs():
    """Four recipes: at 1e6 the order is 1 2 3 4, at 1e7 2 1 3 4, so that five of six pairs agree."""
    table = {
        "recipe": ["w", "x", "y", "z"] * 2,
        "params": [1e6] * 4 + [1e7] * 4,
        "loss": [3.0, 3.1, 3.2, 3.3, 2.1, 2.0, 2.2, 2.3],
    }
    made = decision_accuracy(table)
    (one,) = made.proxies
    assert one.accuracy.estimate == pytest.approx(5 / 6) and one.pairs == 6 and not one.picks_winner
    assert one.regret == pytest.approx(0.1) and one.share == pytest.approx(0.1)
    up = decision_accuracy(table | {"accuracy": table["loss"]}, target="accuracy")
    assert up.proxies[0].picks_winner and up.proxies[0].regret == 0  # z, the last, in both
    with pytest.raises(ValueError, match="no smaller params"):
        decision_accuracy(table, at=1e6)
    with pytest.raises(ValueError, match="along"):
        decision_accuracy(table, along="size")


def test_decision_accuracy_of_published_mixtures(shared):
    """Twenty mixtures of five domains (Ye et al.): 70M models order nine pairs of ten as 410M models do."""
    import polars as pl

    folder = shared / "data" / "mixing_laws"
    runs = pl.read_parquet(folder / "losses.parquet").filter((pl.col("series") == "5Mix") & (pl.col("step") == 30000))
    weighed = runs.join(pl.read_csv(folder / "valid_weights.csv"), on="eval_domain")
    mean = (pl.col("loss") * pl.col("weight")).sum() / pl.col("weight").sum()
    table = weighed.group_by("mixture", "params_nominal").agg(mean.alias("loss"))
    columns = {"recipe": table["mixture"].to_list(), "params": table["params_nominal"].to_numpy()}
    made = decision_accuracy(columns | {"loss": table["loss"].to_numpy()})
    assert [p.recipes for p in made.proxies] == [20, 20, 20]
    found = [p.accuracy.estimate for p in made.proxies]
    assert found == sorted(found) and found[0] == pytest.approx(0.905, abs=0.001)
    tau = stats.kendalltau(
        *(table.filter(pl.col("params_nominal") == n).sort("mixture")["loss"].to_numpy() for n in (7e7, 4.1e8))
    ).statistic
    assert found[0] == pytest.approx((1 + tau) / 2, abs=1e-9)


# ---- command line


def test_on_the_command_line(tmp_path):
    import polars as pl

    table = compared(A=520.0)
    pl.DataFrame({"params": table["N"], "tokens": table["D"], "loss": table["L"], "recipe": table["recipe"]}).write_csv(
        tmp_path / "runs.csv"
    )
    done = CliRunner().invoke(app, ["plan", "recipes", str(tmp_path / "runs.csv"), "--flops", "1e20", "--draws", "40"])
    assert done.exit_code == 0, done.output
    assert "times the compute of a" in done.output and "do not cross" in done.output
    files = []
    for name in "ab":
        one = lawful.fit("chinchilla", {k: v[table["recipe"] == name] for k, v in table.items()})
        files.append(str(tmp_path / f"{name}.json"))
        lawful.save(one, files[-1])
    done = CliRunner().invoke(app, ["plan", "recipes", *files, "--flops", "1e20", "--draws", "40", "--json"])
    assert done.exit_code == 0 and {p["a"] for p in json.loads(done.stdout)["pairs"]} == {"a", "b"}
    done = CliRunner().invoke(app, ["plan", "proxies", str(tmp_path / "runs.csv"), "--along", "params"])
    assert done.exit_code == 0 and "same order of pairs" in done.output


@pytest.mark.simulation
def test_probabilities_are_calibrated():
    """Over 60 worlds: the Brier score is no worse than exact probabilities would have, and beats one half."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
    try:
        from recipes import score, summary  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    rows = [score(seed)[0] for seed in range(60)]
    p, wins, held = (np.array(column, float) for column in zip(*rows))
    found = summary(p, wins)
    noise = np.sqrt(np.mean((1 - 2 * p) ** 2 * p * (1 - p)) / len(p))
    assert found["brier"] < min(found["brier if exact"] + 2 * noise, 0.22)
    assert abs(np.sum(wins - p)) < 2.6 * np.sqrt(np.sum(p * (1 - p)))
    assert held.mean() >= 0.85
