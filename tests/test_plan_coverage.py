"""Coverage of a plan's intervals by simulation; benchmarks/plan_coverage.py has the worlds and prints the table."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from plan_coverage import WORLDS, coverage


@pytest.mark.simulation
@pytest.mark.parametrize("road", ["degree 2", "degree 3", "law"])
def test_intervals_of_the_best_size_cover_at_1_10_and_100_times_the_largest_budget(road):
    held, _, failed = coverage(WORLDS["centred"], road, worlds=250)
    assert failed == 0 and (held > 0.855).all() and (held < 0.945).all(), held


@pytest.mark.simulation
def test_a_cubic_covers_off_the_middle_where_a_parabola_does_not():
    world = WORLDS["off by 3, small noise"]
    parabola, cubic = (coverage(world, f"degree {d}", worlds=250)[0] for d in (2, 3))
    assert parabola[0] < 0.75 and (cubic > 0.88).all(), (parabola, cubic)
