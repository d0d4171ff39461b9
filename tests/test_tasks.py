"""Tasks: chance, floors, maps, the hierarchical curves, forecasts and breaks, against enumeration and simulation."""

import numpy as np
import pytest
from scipy import optimize, stats

from lawful import datasets, fit
from lawful.breaks import bend_test, break_test
from lawful.hierarchy import Anchor, draw, fit_curves, observe
from lawful.task_forecast import (
    Scatter,
    forecast_scores,
    interval_score,
    judge,
    mape,
    pooled_scatter,
    power_law_draws,
)
from lawful.tasks import (
    ability,
    against_chance,
    curves,
    expected_mape,
    fit_map,
    floors,
    goodness,
    matched,
    read_off,
    scores,
    undecided,
)

N = np.array([1e8, 3e8, 6e8, 1.3e9, 2.7e9, 6.7e9, 1.3e10])


def family(name: str, metric: str = "acc", **options):
    return scores(datasets.tasks(name, where=f"metric == '{metric}' and shots == 0"), **options)


@pytest.fixture(scope="module")
def cerebras():
    return family("cerebras_gpt")


@pytest.fixture(scope="module")
def pythia():
    return family("pythia_v0")


def table(**changes):
    """Two tasks, three models, in long form."""
    rows = {
        "size": ["a", "b", "c"] * 2, "task": ["one"] * 3 + ["two"] * 3, "accuracy": [0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
        "items": [100] * 6, "chance": [0.25] * 6, "loss": [3.0, 2.5, 2.0] * 2, "metric": ["acc"] * 6,
    }  # fmt: skip
    return {name: np.array(values) for name, values in {**rows, **changes}.items()}


# ---- scores


def test_scores_are_a_matrix_of_tasks_by_models(cerebras):
    made = scores(table())
    assert made.tasks == ("one", "two") and made.models == ("a", "b", "c") and made.measured == ("acc", "acc")
    assert made.accuracy.tolist() == [[0.3, 0.4, 0.5], [0.6, 0.7, 0.8]]
    assert made.column("L").tolist() == [3.0, 2.5, 2.0]
    assert cerebras.accuracy.shape == (7, 7) and set(cerebras.measured) == {"acc, 0-shot"}
    assert cerebras.take(slice(4)).models == ("111M", "256M", "590M", "1.3B")
    assert cerebras.only(["piqa"]).items.tolist() == [1838]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": ["acc"] * 5 + ["acc_norm"]}, "measured in 2 ways"),
        ({"size": ["a", "b", "c", "a", "b", "b"]}, "task two of model b is there twice"),
        ({"task": ["one"] * 3 + ["two"] * 2 + ["three"]}, "model c has no accuracy on two"),
        ({"accuracy": [0.3, 0.4, 0.5, 60, 0.7, 0.8]}, "accuracy of a on two is 60.0, not a fraction"),
    ],
)
def test_tables_that_would_mislead_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        scores(table(**changes))


def test_unlike_metrics_are_refused(cerebras):
    with pytest.raises(ValueError, match="as acc, 0-shot and as acc_norm, 0-shot: unlike numbers"):
        scores(datasets.tasks("pythia_v1", where="shots == 0"), tasks=["arc_challenge"])
    norm = family("pythia_v1", "acc_norm", tasks=["arc_challenge"])
    with pytest.raises(ValueError, match="acc, 0-shot in the first and as acc_norm, 0-shot in the second"):
        matched(cerebras.only(["arc_challenge"]), norm)
    with pytest.raises(ValueError, match="did you mean|no task"):
        matched(cerebras, family("pythia_v1", tasks=["piqa"]))


def test_names_that_are_not_there_are_answered(cerebras):
    with pytest.raises(ValueError, match="no column 'items'; scores need"):
        scores({name: values for name, values in table().items() if name != "items"})
    with pytest.raises(ValueError, match="none of the columns run is in the table"):
        scores(table(), model=("run",))
    with pytest.raises(ValueError, match="no task is called 'pika'"):
        cerebras.only(["pika"])
    with pytest.raises(ValueError, match="no column 'lost'"):
        cerebras.column("lost")
    with pytest.raises(ValueError, match="no task is called 'wsc'"):
        scores(table(), tasks=["wsc"])
    with pytest.raises(ValueError, match="floor must be 'fitted'"):
        fit_map(cerebras, floor="none")
    with pytest.raises(ValueError, match="must be positive"):
        ability("params", np.array([0.0, 1.0]))


# ---- chance and noise


def test_chance_verdicts_of_cerebras_gpt(cerebras):
    test = against_chance(cerebras)
    side = dict(zip(test.tasks, test.side.tolist()))
    assert all(side[task] == [1] * 7 for task in ("piqa", "arc_easy", "hellaswag", "lambada"))
    assert side["winogrande"] == [0] * 4 + [1] * 3
    assert side["arc_challenge"] == [-1] * 3 + [0] * 3 + [1]
    assert side["openbookqa"] == [-1] * 4 + [0] * 3
    assert test.verdict("piqa") == "above chance at every size"
    assert (
        test.verdict("winogrande") == "above chance: 2.7B, 6.7B, 13B; cannot tell from chance: 111M, 256M, 590M, 1.3B"
    )
    fitted = [task for task, floor in floors(against_chance(cerebras)).items() if floor is None]
    assert fitted == ["arc_challenge", "openbookqa"]
    flags = dict(zip(cerebras.tasks, undecided(against_chance(cerebras.take(slice(4))))))
    assert [task for task, flag in flags.items() if flag] == ["winogrande"]
    assert flags["winogrande"].startswith("cannot tell")


def test_p_values_are_the_binomial_ones(cerebras):
    test = against_chance(cerebras.only(["winogrande"]))
    exact = [stats.binomtest(round(a * 1267), 1267, 0.5).pvalue for a in cerebras.only(["winogrande"]).accuracy[0]]
    assert test.p[0] == pytest.approx(exact)


def test_expected_mape_is_what_a_known_truth_shows():
    p, n = np.array([[0.2, 0.6], [0.3, 0.7]]), np.array([500, 2000])
    seen = np.random.default_rng(0).binomial(n[:, None, None], p[:, :, None], (2, 2, 40_000)) / n[:, None, None]
    simulated = 100 * np.abs(seen / p[:, :, None] - 1).mean(axis=(1, 2))
    assert expected_mape(p, n) == pytest.approx(simulated, rel=0.02)


def test_goodness_of_the_truth_is_uniform():
    rng = np.random.default_rng(1)
    p, n = np.tile(np.linspace(0.2, 0.8, 6), (3000, 1)), np.full(3000, 1000)
    found = goodness(rng.binomial(1000, p) / 1000, p, n, 0)
    assert stats.kstest(found.p, "uniform").pvalue > 0.01
    assert goodness(p[:1], p[:1], n[:1], 6).p == pytest.approx([np.nan], nan_ok=True)


# ---- maps


def test_map_is_the_maximum_of_the_binomial_likelihood(cerebras):
    task = "hellaswag"
    one = cerebras.only([task])
    x, y, n = one.column("loss"), one.accuracy[0], one.items[0]

    def deviance(theta):
        floor, level, slope = theta
        p = np.clip(floor + (1 - floor) / (1 + np.exp(-level - slope * (2 - x))), 1e-9, 1 - 1e-9)
        return n * (y * np.log(y / p) + (1 - y) * np.log((1 - y) / (1 - p))).sum()

    starts = [(f, a, b) for f in (0.1, 0.24) for a in (-4, -2) for b in (2, 5)]
    best = min(optimize.minimize(deviance, s, method="Nelder-Mead", options={"maxiter": 4000}).fun for s in starts)
    made = fit_map(one)
    assert made.fits[task].F == pytest.approx(best, rel=1e-4)
    assert read_off(made, x)[0] == pytest.approx(made.fits[task].fitted)
    assert made.goodness.dof.tolist() == [4]


def test_floor_rule_fixes_chance_only_where_it_may(cerebras):
    made = fit_map(cerebras, "logistic_log_n", x="params_nominal", floor=floors(against_chance(cerebras)))
    assert made.tasks == cerebras.tasks
    assert "floor" in made.fits["openbookqa"].estimates and "floor" not in made.fits["piqa"].estimates
    assert made.fits["piqa"].values["floor"] == 0.5
    assert made.goodness.dof.tolist() == [5, 5, 5, 5, 5, 4, 4]
    chance = fit_map(cerebras.only(["piqa"]), "logistic_log_n", x="params_nominal", floor="chance")
    assert chance.fits["piqa"].estimates == pytest.approx(made.fits["piqa"].estimates)


# ---- hierarchical curves


def test_one_curve_is_the_posterior_by_brute_force():
    """One task, no scatter: the grid with Laplace's step against plain integration over level, slope and floor."""
    x, n, most = np.array([0.0, 1.0, 2.0, 3.0]), 800, 0.25
    y = np.array([0.22, 0.30, 0.41, 0.58])
    made = fit_curves(x, y[None], np.array([n]), np.array([most]), scatter=0.0, spread=50.0)
    found = draw(made, np.array([4.0]), draws=40_000)[0, :, 0]
    width = x.std()
    floor = (np.arange(40) + 0.5) / 40 * most
    slope = np.exp(np.linspace(np.log(0.05), np.log(6), 120)) / width
    level = np.linspace(-4, 2, 240)
    f, b, a = np.meshgrid(floor, slope, level, indexing="ij")
    log = -0.5 * (a / 3) ** 2
    for xi, yi in zip(x, y):
        p = f + (1 - f) / (1 + np.exp(-a - b * (xi - x.mean())))
        v = p * (1 - p) / n
        log += -0.5 * (yi - p) ** 2 / v - 0.5 * np.log(v)
    w = np.exp(log - log.max())
    new = f + (1 - f) / (1 + np.exp(-a - b * (4.0 - x.mean())))
    mean = (w * new).sum() / w.sum()
    sd = np.sqrt((w * (new - mean) ** 2).sum() / w.sum())
    assert found.mean() == pytest.approx(mean, abs=0.15 * sd)
    assert found.std() == pytest.approx(sd, rel=0.1)


def test_curves_do_not_depend_on_the_unit_of_x(cerebras):
    small = cerebras.take(slice(4))
    x = np.log(small.column("params"))
    one = fit_curves(x, small.accuracy, small.items, small.chance)
    two = fit_curves(7 * x - 3, small.accuracy, small.items, small.chance)
    assert draw(two, 7 * np.array([23.0]) - 3) == pytest.approx(draw(one, np.array([23.0])))


def simulated(rng, tasks=7, models=7, scatter=0.03):
    """Accuracies drawn from the model itself: x, truth (t, m), measured (t, m), items, chance."""
    x = np.log(N[:models])
    chance = rng.choice([0.0, 0.25, 0.5], tasks)
    floor = chance * rng.random(tasks)
    slope = 0.4 * np.exp(0.35 * rng.standard_normal(tasks))
    logit = rng.normal(-0.5, 0.8, tasks)[:, None] + slope[:, None] * (x - x[:4].mean())
    logit = logit + scatter * rng.standard_normal((tasks, models))
    truth = floor[:, None] + (1 - floor[:, None]) / (1 + np.exp(-logit))
    items = rng.choice([500, 1200, 2400, 5000], tasks)
    return x, truth, rng.binomial(items[:, None], truth) / items[:, None], items, chance


def test_intervals_of_the_hierarchical_curves_cover():
    rng, inside = np.random.default_rng(2), []
    for k in range(30):
        x, _, seen, items, chance = simulated(rng)
        made = fit_curves(x[:4], seen[:, :4], items, chance)
        new = observe(draw(made, x[4:], draws=1500, seed=k), items, evaluator=0.0, seed=k)
        low, high = np.quantile(new, [0.025, 0.975], axis=1)
        inside.append((seen[:, 4:] >= low) & (seen[:, 4:] <= high))
    assert 0.92 <= np.mean(inside) <= 0.985


def test_sharing_slopes_beats_fitting_each_task():
    rng, shared, alone = np.random.default_rng(3), [], []
    for _ in range(12):
        x, truth, seen, items, chance = simulated(rng)
        for spread, out in ((0.35, shared), (50.0, alone)):
            made = fit_curves(x[:4], seen[:, :4], items, chance, spread=spread)
            out.append(mape(draw(made, x[4:], draws=1000).mean(1), truth[:, 4:]).mean())
    assert np.mean(shared) < np.mean(alone)


def test_anchor_moves_the_curves_to_the_family():
    rng = np.random.default_rng(4)
    x, truth, _, items, chance = simulated(rng, scatter=0.0)
    made = fit_curves(x, truth, items, chance)
    odds = truth / (1 - truth) * np.exp(0.3)
    family = odds / (1 + odds)
    anchored = draw(made, x[4:], anchor=Anchor(x[:4], family[:, :4], sd=0.5)).mean(1)
    plain = draw(made, x[4:]).mean(1)
    assert np.abs(anchored - family[:, 4:]).mean() < 0.5 * np.abs(plain - family[:, 4:]).mean()


def test_curves_refuse_what_cannot_be_fitted():
    good = np.array([[0.3, 0.4]])
    with pytest.raises(ValueError, match="at least two models"):
        fit_curves(np.array([1.0, 1.0]), good, np.array([100]), np.array([0.2]))
    with pytest.raises(ValueError, match="fraction from 0 to 1"):
        fit_curves(np.array([1.0, 2.0]), good * 100, np.array([100]), np.array([0.2]))
    with pytest.raises(ValueError, match=r"\(t, 3\)"):
        fit_curves(np.array([1.0, 2.0, 3.0]), good, np.array([100]), np.array([0.2]))


def test_observing_adds_the_noise_of_the_test():
    seen = observe(np.full((1, 50_000, 1), 0.4), np.array([1000]), evaluator=0.004)
    assert seen.std() == pytest.approx(np.sqrt(0.4 * 0.6 / 1000 + 0.004**2), rel=0.02)
    assert seen.mean() == pytest.approx(0.4, abs=1e-3)


# ---- forecasts


def test_power_law_draws_are_the_t_interval_of_regression():
    loss = 12 * N[:5] ** -0.08 * np.exp([0.01, -0.012, 0.004, 0.006, -0.008])
    x, y, new = np.log(N[:5]), np.log(loss), np.log(N[5:])
    line = stats.linregress(x, y)
    s = np.sqrt(((y - line.intercept - line.slope * x) ** 2).sum() / 3)
    spread = ((x - x.mean()) ** 2).sum()
    half = stats.t.ppf(0.975, 3) * s * np.sqrt(1 + 1 / 5 + (new - x.mean()) ** 2 / spread)
    made = np.log(np.quantile(power_law_draws(N[:5], loss, N[5:], draws=200_000), [0.025, 0.975], axis=0))
    centre = line.intercept + line.slope * new
    assert made[0] == pytest.approx(centre - half, abs=1e-3)
    assert made[1] == pytest.approx(centre + half, abs=1e-3)


def test_scatter_is_pooled_over_families():
    one, two = (
        fit("power_law", {"x": N[:k], "y": 12 * N[:k] ** -0.08 * np.exp(0.01 * np.sin(k * np.arange(k)))},
            objective="log_lsq") for k in (4, 6)
    )  # fmt: skip
    made = pooled_scatter(one, two)
    assert made.dof == 6 and made.sd == pytest.approx(np.sqrt((2 * one.sigma**2 + 4 * two.sigma**2) / 6))
    with pytest.raises(ValueError, match="no degree of freedom"):
        pooled_scatter(fit("power_law", {"x": N[:2], "y": [3.0, 2.5]}, objective="log_lsq"))
    with pytest.raises(ValueError, match="objective='log_lsq'"):
        pooled_scatter(fit("power_law", {"x": N[:4], "y": [3.0, 2.6, 2.5, 2.3]}, objective="lsq"))
    with pytest.raises(ValueError, match="pass a scatter"):
        power_law_draws(N[:2], np.array([3.0, 2.5]), N[5:])


def test_forecast_carries_the_uncertainty_of_the_loss(pythia):
    made = curves(pythia)
    sure = forecast_scores(made, ability("loss", np.array([1.8])), pythia)
    losses = power_law_draws(N[:4], 12 * N[:4] ** -0.08, np.array([2e10]), scatter=Scatter(0.02, 10))
    unsure = forecast_scores(made, ability("loss", losses * 1.8 / losses.mean()), pythia)
    assert sure.estimate.shape == (7, 1)
    assert (unsure.upper - unsure.lower > 1.1 * (sure.upper - sure.lower)).all()
    assert unsure.estimate == pytest.approx(sure.estimate, rel=0.02)


def test_judging_a_forecast(cerebras, pythia):
    held = cerebras.take(slice(4, None))
    made = forecast_scores(curves(pythia), ability("loss", held.column("loss")), held)
    told = judge(made, held, cerebras.accuracy[:, 3])
    assert told.count == 21 and told.score >= told.width
    assert told.mape == pytest.approx(mape(made.estimate, held.accuracy))
    assert told.skill[0] == pytest.approx(1 - told.mape[0] / mape(np.full(3, 0.462), held.accuracy[0]))
    assert interval_score(np.array([0.0]), np.array([1.0]), np.array([1.1]), 0.95) == pytest.approx([5.0])


# ---- breaks


def test_break_test_keeps_its_level_and_finds_a_break():
    rng, x = np.random.default_rng(5), np.log(N)
    null = break_test(x, 0.3 + 0.1 * x + 0.02 * rng.standard_normal((2000, 7)), draws=4000)
    assert np.mean(null.p <= 0.05) == pytest.approx(0.05, abs=0.015)
    broken = np.where(x > x[3], 0.2 + 0.3 * (x - x[3]), 0.2) + 0.002 * rng.standard_normal(7)
    found = break_test(x, broken)
    assert found.shown().all() and found.after[0] in (2, 3)
    with pytest.raises(ValueError, match="at least 5 points"):
        break_test(x[:4], broken[:4])


def test_bend_test_is_the_difference_of_weighted_fits(cerebras):
    x = np.log(cerebras.column("params"))
    found = bend_test(x, cerebras.accuracy, cerebras.items)
    y, n = cerebras.accuracy[1], cerebras.items[1]
    w = np.sqrt(n / (y * (1 - y)))
    left = [((w * (y - np.polyval(np.polyfit(x, y, k, w=w), x))) ** 2).sum() for k in (1, 2)]
    assert found.chi2[1] == pytest.approx(left[0] - left[1], rel=1e-6)
    assert found.line_chi2[1] == pytest.approx(left[0], rel=1e-6)
    with pytest.raises(ValueError, match="strictly between"):
        bend_test(x, np.zeros((1, 7)), np.array([100]))
