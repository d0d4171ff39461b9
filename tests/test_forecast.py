"""Forecasts: agreement with linear theory, coverage, flags, groups, refusals."""

import numpy as np
import pytest

import lawful

NOMINAL = np.array([111e6, 256e6, 590e6, 1.3e9, 2.7e9, 6.7e9, 13e9])
ARXIV = np.array([2.608, 2.349, 2.181, 1.997, 1.834, 1.704, 1.572])


def small_four():
    return lawful.fit("power_law", {"N": NOMINAL[:4], "loss": ARXIV[:4]})


@pytest.mark.parametrize("kind", ["mean", "run"])
def test_a_power_law_forecast_is_the_t_interval_of_the_log_log_line(kind):
    import statsmodels.api as sm

    line = sm.OLS(np.log(ARXIV[:4]), sm.add_constant(np.log(NOMINAL[:4]))).fit()
    frame = line.get_prediction(sm.add_constant(np.log(NOMINAL[4:]))).summary_frame(0.05)
    name = "mean" if kind == "mean" else "obs"
    made = lawful.forecast(small_four(), x=NOMINAL[4:], level=0.95, kind=kind, calibration="law")
    assert made.lower == pytest.approx(np.exp(frame[f"{name}_ci_lower"]), rel=1e-3)
    assert made.upper == pytest.approx(np.exp(frame[f"{name}_ci_upper"]), rel=1e-3)


def test_held_out_losses_lie_in_the_interval_of_one_run():
    made = lawful.forecast(small_four(), x=NOMINAL[4:], level=0.95, kind="run", calibration="law")
    assert np.all((made.lower <= ARXIV[4:]) & (ARXIV[4:] <= made.upper))
    half = (made.upper - made.lower) / 2 / made.estimate
    assert 0.05 < half[0] < half[2] < 0.09


@pytest.mark.parametrize("method", ["profile", "pairs", "wild", "parametric", "sandwich"])
def test_methods_agree_where_there_are_many_points(method):
    rng = np.random.default_rng(0)
    N = np.geomspace(1e7, 1e10, 150)
    loss = (1.5 + 60 * N**-0.25) * np.exp(0.01 * rng.standard_normal(150))
    fit = lawful.fit("power_law_constant", {"N": N, "loss": loss})
    made = lawful.forecast(fit, x=[1e8, 3e10], method=method, seed=1)
    known = lawful.forecast(fit, x=[1e8, 3e10], method="sandwich")
    assert made.upper - made.lower == pytest.approx(known.upper - known.lower, rel=0.25)


def test_flags_say_how_far_and_what_cannot_be_told():
    fit = lawful.fit("power_law_constant", {"N": NOMINAL[:4], "loss": ARXIV[:4]})
    near, far = lawful.forecast(fit, x=[2e9, 1e15], level=0.99).flag
    assert "decades" not in near
    assert "decades beyond the runs in x" in far
    exact = lawful.fit("power_law_constant", {"N": NOMINAL[:3], "loss": ARXIV[:3]})
    made = lawful.forecast(exact, x=2e9)
    assert made.lower[0] == 0 and made.upper[0] == np.inf and "cannot tell" in made.flag[0]


def test_groups_come_back_in_the_order_asked_for():
    data = {
        "N": np.tile(NOMINAL, 2),
        "loss": np.concatenate([ARXIV, 2 * ARXIV]),
        "family": np.repeat(["a", "b"], 7),
    }
    fits = lawful.fit("power_law", data, by="family")
    made = lawful.forecast(fits, {"x": [1e10, 2e10, 1e10], "family": ["b", "a", "a"]})
    assert made.estimate[0] == pytest.approx(2 * made.estimate[2])
    assert list(made.points["family"]) == ["b", "a", "a"]
    shared = lawful.fit("power_law", data, by="family", shared=["alpha"])
    again = lawful.forecast(shared, {"x": [1e10, 2e10, 1e10], "family": ["b", "a", "a"]})
    assert again.estimate == pytest.approx(made.estimate, rel=1e-6)
    with pytest.raises(ValueError, match="no fit for family 'c'"):
        lawful.forecast(fits, {"x": [1e10], "family": ["c"]})


def test_the_frame_has_the_points_and_the_answer():
    frame = lawful.forecast(small_four(), {"x": [1e10], "note": ["big"]}).to_frame()
    assert frame.columns == ["x", "note", "estimate", "lower", "upper", "flag"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"x": 1e9, "kind": "median"}, "'mean'.*'run'"),
        ({"x": 1e9, "level": 90}, "between 0 and 1"),
        ({"x": 1e9, "method": "magic"}, "allowed: auto"),
        ({"N": 1e9}, "no variable 'N'"),
        ({}, "needs x"),
    ],
)
def test_refusals_say_what_is_wrong(options, says):
    with pytest.raises(ValueError, match=says):
        lawful.forecast(small_four(), **options)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mean", "run"])
def test_intervals_cover_at_larger_scale(kind):
    """Nominal 90 % over 150 worlds of ten runs each, a decade beyond them."""
    rng = np.random.default_rng(5)
    N = np.geomspace(1e7, 1e9, 10)
    hits = 0
    for _ in range(150):
        loss = (1.2 + 50 * N**-0.22) * np.exp(0.01 * rng.standard_normal(10))
        fit = lawful.fit("power_law_constant", {"N": N, "loss": loss})
        made = lawful.forecast(fit, x=1e10, kind=kind, calibration="law")
        truth = (1.2 + 50 * 1e10**-0.22) * (np.exp(0.01 * rng.standard_normal()) if kind == "run" else 1.0)
        hits += made.lower[0] <= truth <= made.upper[0]
    assert 0.84 <= hits / 150 <= 0.96
