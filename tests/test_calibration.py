"""Calibrated forecasts: the factor follows the evidence, the library can be left out, intervals hold."""

import numpy as np
import pytest

import lawful
from lawful import calibration
from lawful.calibration import Evidence, Library, calibrate, evidence, half_widths, leave_out, library, tails
from lawful.company import mean_of

N = np.geomspace(1e6, 1e9, 20)


def curve(rng, noise=0.01, bend=0.0):
    x = np.log10(N / 1e6)
    return {"N": N, "L": (1.7 + 20 * N**-0.15) * np.exp(bend * x**2 + noise * rng.standard_normal(len(N)))}


def shelf(kappas, kind="curve"):
    return Library(tuple({"set": f"s{i}", "kind": kind, "kappa": k} for i, k in enumerate(kappas)))


def seen(error, se=0.01, noise=1e-4, K=6):
    own = (np.full(K, float(v)) for v in (error, se, noise, 30, 0.5))
    return Evidence("curve", *own, 1.0, 20, "N")


def test_the_factor_follows_the_evidence_and_few_origins_follow_the_library():
    right, wrong = (calibrate(seen(e), shelf([1, 1, 1, 1])) for e in (0.007, 0.08))
    assert right.kappa < 1.3 and wrong.kappa > 3 and wrong.missed > wrong.kappa
    near, far = (calibrate(seen(0.08), shelf([1, 1, 1, 1]), d).kappa for d in (0.3, 3.0))
    assert far < near == wrong.kappa
    none = [calibrate(seen(0, K=0), shelf([k] * 4)).kappa for k in (0.7, 3.0)]
    assert none[0] == pytest.approx(0.7, rel=0.15) and none[1] == pytest.approx(3.0, rel=0.15)


def test_a_law_that_bends_away_gets_wider_intervals_and_a_flag():
    rng = np.random.default_rng(0)
    straight, bent = (lawful.fit("power_law_constant", curve(rng, 0.002, b)) for b in (0.0, 0.03))
    said = [calibrate(evidence([f])[0], library()) for f in (straight, bent)]
    assert said[1].kappa > 2 * said[0].kappa
    made = lawful.forecast(bent, x=[2e9, 1e10])
    assert "off by" in made.flag[0] and "break" in made.flag[1]
    assert "rolling origins" in made.calibration and "calibrated on" in str(made)


def test_law_alone_is_the_interval_of_the_law():
    fit = lawful.fit("power_law_constant", curve(np.random.default_rng(1)))
    a, b = (lawful.forecast(fit, x=3e9, calibration="law", **m) for m in ({}, {"method": "profile"}))
    assert a.lower == b.lower and a.method == "profile" and not a.calibration
    with pytest.raises(ValueError, match="allowed: 'auto', 'law'"):
        lawful.forecast(fit, x=3e9, calibration="loose")


def test_a_set_can_be_left_out_of_the_library():
    names = {r["set"] for r in library().rows}
    assert len(names) > 10 and all(r["kind"] in calibration.KINDS and r["kappa"] > 0 for r in library().rows)
    with leave_out("vocab"):
        assert {r["set"] for r in library().rows} == names - {"vocab"}
    assert {r["set"] for r in library().rows} == names


def test_levels_are_nested_and_the_normal_case_is_the_normal_interval():
    found = calibrate(seen(0, K=0), shelf([1.0] * 4))
    sharp = calibration.Calibration(np.eye(81)[np.abs(calibration._GRID).argmin()], 1.0, np.nan, 0, 0.0, "curve", "")
    one = np.ones(1)
    halves = [half_widths(sharp, one, 0 * one, 1e6 * one, p, np.array([]))[0] for p in (0.5, 0.8, 0.9, 0.95)]
    kappa = np.exp(calibration._GRID[np.abs(calibration._GRID).argmin()])
    assert halves == pytest.approx(kappa * np.array([0.674, 1.282, 1.645, 1.96]), rel=0.04)
    assert half_widths(found, one, one, 0 * one, 0.9, np.array([]))[0] == np.inf
    few, many = (half_widths(found, one, one, d * one, 0.9, np.array([]))[0] for d in (2, 50))
    assert few > 1.4 * many


def test_heavy_tails_are_seen_in_many_residuals():
    rng = np.random.default_rng(2)
    heavy, normal = tails(rng.standard_t(3, 300) / np.sqrt(3))[0], tails(rng.standard_normal(300))[0]
    assert heavy[:2].sum() > 0.9 and normal[2:].sum() > 0.9


def test_a_law_that_escapes_does_not_carry_the_average_away():
    value = np.array([[0.0], [0.02], [-0.01], [8.0]])
    mean = mean_of(np.array([0.3, 0.3, 0.2, 0.2]), value, np.full((4, 1), 0.01), np.zeros((4, 1)), np.ones((4, 1)))
    assert abs(mean.value[0]) < 0.05


def test_points_off_the_line_of_all_runs_are_flagged():
    rng = np.random.default_rng(3)
    table = {
        "N": N,
        "D": 20 * N,
        "loss": (1.7 + 400 * N**-0.34 + 900 * N**-0.3) * np.exp(0.003 * rng.standard_normal(20)),
    }
    fit = lawful.fit("chinchilla", table)
    on, off = lawful.forecast(fit, N=[2e9, 2e9], D=[4e10, 1e12]).flag
    assert "one line" in off and "one line" not in on


def worlds(draws, noise=0.01):
    """Curves of one right law, fitted in one batch, and three new runs beyond each."""
    rng = np.random.default_rng(4)
    x = 1e9 * 10 ** np.array([0.3, 0.6, 1.0])
    seen, new = [], []
    for _ in range(draws):
        seen.append(curve(rng, noise)["L"])
        new.append((1.7 + 20 * x**-0.15) * np.exp(noise * rng.standard_normal(3)))
    world = np.arange(draws)
    runs = {"world": np.repeat(world, len(N)), "N": np.tile(N, draws), "L": np.concatenate(seen)}
    ahead = {"world": np.repeat(world, 3), "N": np.tile(x, draws)}
    return lawful.fit("power_law_constant", runs, by="world"), ahead, np.concatenate(new)


def coverage(fits, ahead, new, level=0.9):
    made = lawful.forecast(fits, ahead, kind="run", level=level)
    return np.mean((made.lower <= new) & (new <= made.upper))


def test_intervals_of_a_right_law_hold():
    assert 0.8 <= coverage(*worlds(25)) <= 0.99


@pytest.fixture(scope="module")
def many_worlds():
    return worlds(300)


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_intervals_of_a_right_law_hold_at_every_level(many_worlds, level):
    assert coverage(*many_worlds, level=level) == pytest.approx(level, abs=0.04)
