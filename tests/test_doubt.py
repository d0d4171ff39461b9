"""What a chosen law promises beyond the runs is doubted by a quarter; distances count along the scale of the runs."""

import dataclasses

import numpy as np
import pytest

import lawful
from lawful.calibration import evidence
from lawful.candidates import candidate
from lawful.choose import _blind
from lawful.doubt import MOVE, SHARE, doubted, is_chosen, nearest
from lawful.forecast import average_at

N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e9, 1e11, 6)))
KEPT = N * D < 3e18  # the largest models saw little data
N, D = N[KEPT], D[KEPT]
GRID = {"N": N, "D": D, "L": (1.7 + 400 * N**-0.34 + 410 * D**-0.28) * np.exp(0.003 * np.sin(np.arange(len(N)) * 7.0))}


@pytest.fixture(scope="module")
def chosen():
    return lawful.fit("auto", GRID)


def test_a_quarter_of_the_change_is_doubted_and_a_fraction_may_always_move():
    se, change, far = np.array([0.03, 0.03, 0.0]), np.array([-0.16, np.nan, 0.02]), np.array([1.0, 1.0, 0.5])
    assert doubted(se, change, far, "curve") == pytest.approx([0.05, 0.03, SHARE * 0.02])
    assert doubted(se, change, far, "fraction") == pytest.approx(np.hypot(se, SHARE * MOVE * far))


def test_the_nearest_run_is_found_in_logs_whatever_is_missing_or_repeated():
    seen = {"N": np.array([1e7, 1e7, 1e8, 1e9]), "D": np.array([1e9, 1e9, 1e10, 1e11])}
    there = {"N": np.array([2e7, 4e8, 1e10]), "D": np.array([2e9, 9e10, 1e12])}
    assert nearest(seen, there).tolist() == [0, 3, 3]
    assert nearest(seen, there | {"D": np.array([1.0, np.nan, 1.0])}).tolist() == [0, 3, 3]
    assert nearest(seen, {"U": np.ones(2)}).tolist() == [0, 0]


def test_a_chosen_law_is_doubted_and_a_named_one_taken_at_its_word(chosen):
    ahead = {"N": np.array([1e10]), "D": np.array([1e12])}
    plain, wide = (average_at(chosen, ahead, doubt=d) for d in (False, True))
    change = np.log(1.7 + 400 * 1e10**-0.34 + 410 * 1e12**-0.28) - np.log(np.min(GRID["L"]))
    assert is_chosen(chosen) and wide.se[0] > 0.15 * abs(change) and wide.se[0] > plain.se[0]
    assert average_at(chosen, ahead).se == wide.se
    named = lawful.fit("chinchilla", GRID)
    assert not is_chosen(named) and average_at(named, ahead).se < average_at(named, ahead, doubt=True).se
    assert (
        "named" in lawful.forecast(named, ahead).calibration
        and "named" not in lawful.forecast(chosen, ahead).calibration
    )
    assert evidence([chosen])[0].chosen and not evidence([named])[0].chosen


def test_distance_counts_along_compute_where_no_variable_is_new(chosen):
    corner = lawful.forecast(chosen, {"N": np.array([1e9, 3e7]), "D": np.array([1e11, 2e9])})
    assert corner.distance[0] == pytest.approx(np.log10(1e20 / (N * D).max()), abs=0.01) and corner.distance[1] == 0
    assert "6ND" in corner.flag[0] and not corner.flag[1]


def test_losses_are_fitted_by_absolute_distances_from_ten_rows_on(chosen):
    x = np.geomspace(1e6, 1e9, 12)
    loss, accuracy = 1.7 + 20 * x**-0.15, 0.2 + 0.05 * np.log10(x / 1e6)
    assert chosen.objective.name == "log_huber"
    assert lawful.fit("auto", {"N": x[:9], "L": loss[:9]}).objective.name == "log_lsq"
    assert lawful.fit("auto", {"N": x, "accuracy": accuracy}, target="accuracy").objective.name == "lsq"


def test_laws_that_ignore_a_variable_are_told_from_those_that_have_no_other():
    curve, surface = candidate("power_law"), candidate("chinchilla")
    assert _blind([curve, surface]) == {curve.name} and not _blind([curve, dataclasses.replace(curve)])
