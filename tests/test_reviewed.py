"""What a stern review of fits and forecasts found: each stays mended."""

import numpy as np
import pytest

import lawful
from lawful.uncertainty import intervals

N = np.logspace(7, 10, 12)
Y = (2 + 300 * N**-0.3) * np.exp(0.005 * np.random.default_rng(0).standard_normal(12))


def line(weight, **options):
    runs = lawful.read({"params": N, "loss": Y, "w": [weight] * 12}, weights="w", columns={"N": "params"})
    return lawful.forecast(lawful.fit("power_law_constant", runs, variables={"x": "N"}), x=1e11, **options)


def mixture():
    @lawful.law(arrays=("r",))
    def mix(r, *, E=lawful.offset(), t=lawful.coefficient(size="r")):
        return E + np.exp(sum(a * b for a, b in zip(t, r)))

    rng = np.random.default_rng(1)
    shares = rng.dirichlet([1, 1, 1], 30)
    L = 1 + np.exp(shares @ np.array([-0.5, 0.3, -1])) * np.exp(0.001 * rng.standard_normal(30))
    return lawful.fit(mix, {"r": shares, "L": L}), shares, L


@pytest.mark.parametrize("points", [1, 3, 5])
def test_array_variables_come_as_rows(points):
    fit, shares, L = mixture()
    made = lawful.forecast(fit, {"r": shares[:points]})
    assert made.estimate == pytest.approx(L[:points], rel=0.01)
    assert lawful.forecast(fit, r=shares[0]).estimate == pytest.approx(L[:1], rel=0.01)
    with pytest.raises(ValueError, match=r"\(points, 3\)"):
        lawful.forecast(fit, r=[[0.5, 0.5]])


def test_one_run_says_nothing_and_few_runs_say_less():
    def fitted(runs):
        run = np.repeat([f"r{i}" for i in range(runs)], 12 // runs)
        table = lawful.read({"params": N, "tokens": N * 20, "loss": Y, "run": run}, run="run")
        return lawful.fit("power_law", table, variables={"x": "N"})

    one = fitted(1)
    assert intervals(one)["alpha"].verdict == "cannot tell: 12 points from 1 run"
    assert lawful.forecast(one, x=1e11).upper[0] == np.inf
    four = fitted(4)
    pairs, cluster = (intervals(four, method=m)["alpha"] for m in ("pairs", "cluster"))
    assert cluster.upper - cluster.lower > pairs.upper - pairs.lower


def test_whole_numbers_are_one_label_however_they_are_stored():
    data = {"N": np.tile(N, 2), "loss": np.concatenate([Y, 1.1 * Y]), "grp": np.repeat([1.0, 2.0], 12)}
    fits = lawful.fit("power_law_constant", data, by="grp")
    assert list(fits) == ["1", "2"]
    made = lawful.forecast(fits, {"x": [1e10, 1e10], "grp": [1, 2]})
    assert made.estimate[1] == pytest.approx(1.1 * made.estimate[0], rel=1e-6)


def test_the_unit_of_the_weights_does_not_matter():
    one, hundred = line(1.0, kind="run"), line(100.0, kind="run")
    assert hundred.lower == pytest.approx(one.lower, rel=1e-4)
    assert hundred.upper == pytest.approx(one.upper, rel=1e-4)


def test_accuracies_that_scatter_more_than_their_items_widen_the_intervals():
    rng = np.random.default_rng(2)
    sizes = np.geomspace(1e7, 1e10, 9)
    truth = 0.25 + 0.6 / (1 + (sizes / 3e8) ** -0.8)
    wild = np.clip(truth + 0.05 * rng.standard_normal(9), 0.01, 0.99)
    calm = rng.binomial(2000, truth) / 2000
    widths = {}
    for name, y in (("wild", wild), ("calm", calm)):
        fit = lawful.fit("logistic_log_n", {"N": sizes, "accuracy": y, "items": np.full(9, 2000)})
        assert ("overdispersed" in [f.code for f in fit.findings]) == (name == "wild")
        made = lawful.forecast(fit, N=3e10, kind="run", draws=300)
        widths[name] = float(made.upper[0] - made.lower[0])
    assert widths["wild"] > 2 * widths["calm"]


def test_an_open_end_is_no_number():
    exact = intervals(lawful.fit("power_law_constant", {"x": N[:3], "y": Y[:3]}))
    assert all(one.upper == np.inf and "cannot tell" in one.verdict for one in exact.values())


def test_a_law_that_has_no_value_on_the_points_is_not_fitted():
    with pytest.raises(ValueError, match="not finite.*zeros or negative"):
        lawful.fit("power_law_constant", {"x": -N, "y": Y})


def test_a_variable_is_given_once():
    fit = lawful.fit("power_law_constant", {"x": N, "y": Y})
    with pytest.raises(ValueError, match="given twice"):
        lawful.forecast(fit, {"x": [1e11, 1e12]}, x=5)
    with pytest.raises(ValueError, match="no points"):
        lawful.forecast(fit, x=[])
    with pytest.raises(ValueError, match="not numbers"):
        lawful.forecast(fit, x="abc")


def test_a_published_law_is_scored_on_new_runs():
    fit = lawful.fit("power_law_constant", {"x": N, "y": Y}, fixed={"E": 2.0, "A": 300.0, "alpha": 0.3})
    assert fit.estimates == {} and fit.sigma < 0.02 and fit.dof == 12
    made = lawful.forecast(fit, x=1e11)
    assert made.lower[0] == made.estimate[0] == made.upper[0]


def test_auto_follows_the_groups_of_the_runs():
    table = {"params": np.tile(N, 2), "loss": np.concatenate([Y, 1.1 * Y]), "fam": ["a"] * 12 + ["b"] * 12}
    fits = lawful.fit("auto", lawful.read(table, by="fam", columns={"N": "params"}))
    assert list(fits) == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fixed": {"alpha": 5.0}, "bounds": {"alpha": (0, 1)}}, "outside"),
        ({"fixed": {"E": 1.0}, "tied": {"E": "A"}}, "both fixed and tied"),
        ({"protocol": "hoffmann2022", "count": 5}, "its own starts"),
    ],
)
def test_contradictions_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        lawful.fit("power_law_constant", {"x": N, "y": Y}, **options)


def test_rising_data_under_a_falling_law_are_called_by_name():
    fit = lawful.fit("power_law", {"x": N, "y": Y[::-1]})
    assert fit.findings[0].code == "explains_nothing" and "rise" in fit.findings[0].message


def test_a_nearly_flat_exponent_has_an_interval_around_it():
    y = 3 * N**-0.0004 * np.exp(2e-6 * np.random.default_rng(3).standard_normal(12))
    one = intervals(lawful.fit("power_law", {"x": N, "y": y}))["alpha"]
    assert 0 < one.lower < one.estimate < one.upper < 1e-3 and one.verdict == ""


def test_outliers_reach_the_forecast():
    y = Y.copy()
    y[1] *= 1.5
    fit = lawful.fit("power_law_constant", {"x": np.append(N, N * 1.3), "y": np.append(y, Y)})
    note = next(f for f in fit.findings if f.code == "far_points")
    assert 2 in note.rows
    assert "robust" in lawful.forecast(fit, x=1e11).flag[0]


def test_an_undecorated_function_is_no_law():
    with pytest.raises(TypeError, match="decorate"):
        lawful.fit(lambda N: N, {"N": N, "L": Y})  # type: ignore[arg-type]


def test_files_and_frames_are_read_on_the_way(tmp_path):
    import pandas as pd
    import polars as pl

    table = {"params": N, "loss": Y}
    pl.DataFrame(table).write_csv(tmp_path / "runs.csv")
    known = lawful.fit("power_law_constant", table, variables={"x": "params"})
    for runs in (tmp_path / "runs.csv", pl.DataFrame(table), pd.DataFrame(table)):
        fit = lawful.fit("power_law_constant", runs, variables={"x": "N"})
        assert fit.estimates == pytest.approx(known.estimates, rel=1e-6)
