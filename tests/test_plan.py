"""Plans: budgets split by published and fitted laws."""

import json
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_belief import grid

import lawful
from lawful.belief import belief
from lawful.laws import find
from lawful.plan import plan
from lawful.plan_allocate import split

HOFFMANN = find("chinchilla")


@pytest.fixture(scope="module")
def fit():
    return lawful.fit("chinchilla", lawful.read(grid()))


@pytest.mark.parametrize("key", list(HOFFMANN.values))
def test_the_optimum_of_each_published_set_is_reproduced(key):
    found = plan(("chinchilla", key), flops=5.88e23)
    v = HOFFMANN.published(key)
    a, b = v["alpha"], v["beta"]
    G = (a * v["A"] / (b * v["B"])) ** (1 / (a + b))
    assert found["N"].estimate == pytest.approx(G * (5.88e23 / 6) ** (b / (a + b)), rel=1e-12)
    assert found["N"].estimate * found["D"].estimate * 6 == pytest.approx(5.88e23, rel=1e-12)
    low, high = found.near["N"]
    loss = HOFFMANN.at(key, N=np.array([low, high]), D=5.88e23 / 6 / np.array([low, high]))
    assert loss == pytest.approx(1.005 * found["L"].estimate, rel=1e-9)


def test_tokens_per_parameter_are_those_the_literature_knows():
    at = {k: plan(("chinchilla", k), flops=5.88e23)["TPP"].estimate for k in HOFFMANN.values}
    assert round(at["hoffmann2022"]) == 59 and round(at["hoffmann2022_rounded"]) == 93
    assert round(at["besiroglu2024"]) == 18


@pytest.mark.parametrize("law, key, others", [
    ("chinchilla", "besiroglu2024", {}), ("xlstm", "beck2025_llama", {}),
    ("ludziejewski_moe", "ludziejewski2025", {"experts": 8}), ("chinchilla_outer", "busbridge2025", {}),
])  # fmt: skip
def test_the_search_finds_what_the_closed_form_says(law, key, others):
    held = belief(law, key)
    way = split(held, others)
    assert float(way.searched(1e21, held.values)) == pytest.approx(float(way.best(1e21, held.values)), rel=1e-4)


def test_a_fit_plans_with_intervals(fit):
    found = lawful.plan(fit, flops=1e21, draws=300)
    assert all(one.lower < one.estimate < one.upper for one in found.answers.values())
    assert found.distance == pytest.approx(np.log10(found["N"].estimate / 1e9))
    assert json.loads(found.to_json())["answers"]["N"]["estimate"] == found["N"].estimate
    assert "90% interval" in str(found) and found.table()[0]["name"] == "N"


def test_limits_that_bind_are_named():
    held = belief("chinchilla", "besiroglu2024")
    data = plan(held, flops=1e23, max_tokens=1e11)
    assert data["D"].estimate == pytest.approx(1e11) and "on tokens" in data.limits[0]
    size = plan(held, flops=1e23, max_params=7e9)
    assert size["N"].estimate == 7e9 and "on the size" in size.limits[0]
    both = plan(held, flops=1e23, max_params=7e9, max_tokens=1e11)
    assert both["D"].estimate == 1e11 and "cannot be spent" in both.limits[0]
    assert plan(held, flops=1e23, max_params=1e12).limits == ()


@pytest.mark.parametrize("asked, said", [
    ({}, "nothing was asked"), ({"flops": -1}, "flops is -1"), ({"flops": "many"}, "flops is 'many'"),
    ({"flops": 1e21, "experts": 8}, "takes no 'experts'"), ({"flops": 1e21, "level": 2}, "level is 2"),
])  # fmt: skip
def test_what_cannot_be_answered_is_a_sentence(asked, said):
    with pytest.raises(ValueError, match=said):
        plan(("chinchilla", "besiroglu2024"), **asked)
    with pytest.raises(ValueError, match="needs experts"):
        plan(("ludziejewski_moe", "ludziejewski2025"), flops=1e21)
    with pytest.raises(ValueError, match="laws of size and tokens"):
        plan(("kaplan_compute", "kaplan2020"), flops=1e21)


def test_the_limits_of_the_runs_own_line_are_said():
    table = grid(ratios=(20,))
    found = plan(belief(lawful.fit("chinchilla", lawful.read(table), fixed={"E": 1.8}), draws=50), flops=1e21)
    assert found["N"].verdict.startswith("cannot tell") and found.near == {} and found.roads == {}
    assert found.findings[0].code == "not_identified"


SHARED = Path(__file__).parents[2] / "shared/data"
chinchilla_points = pytest.mark.skipif(
    not SHARED.exists(), reason="needs shared/data/chinchilla_epoch beside the repository"
)


@chinchilla_points
@pytest.mark.parametrize("objective", ["log_lsq", "log_huber:1e-3"])
def test_outliers_in_the_published_points_do_not_move_a_plan_unseen(objective):
    runs = lawful.read(SHARED / "chinchilla_epoch/chinchilla_points.csv")
    every, kept = (
        plan(belief(lawful.fit("chinchilla", r, objective=objective), draws=200), flops=5.76e23)
        for r in (runs, runs.where("outlier_epoch == False"))
    )
    moved = abs(every["N"].estimate / kept["N"].estimate - 1)
    flagged = "roads_disagree" in {f.code for f in every.findings}
    assert len(runs) == 245 and (flagged or moved < 0.25)
    assert "roads_disagree" not in {f.code for f in kept.findings}
    assert every.roads["by isoFLOP parabolas"]["N"].lower < kept["N"].estimate


@chinchilla_points
def test_a_plan_is_quick():
    runs = lawful.read(SHARED / "chinchilla_epoch/chinchilla_points.csv").where("outlier_epoch == False")
    held = belief(lawful.fit("chinchilla", runs, objective="log_huber:1e-3"), draws=2000)
    begin = process_time()
    best = held.interval(lambda v: HOFFMANN.optimum["N"](5.76e23, v))
    middle = process_time()
    found = plan(held, flops=5.76e23)
    assert middle - begin < 0.2 and process_time() - middle < 2  # 0.7 s on an idle core
    assert found["N"] == best


@settings(deadline=None)
@given(st.floats(17, 27), st.floats(7, 12), st.floats(8, 13))
def test_plans_keep_to_their_limits(c, n, d):
    C, most_N, most_D = 10**c, 10**n, 10**d
    found = plan(("chinchilla", "besiroglu2024"), flops=C, max_params=most_N, max_tokens=most_D)
    N, D = found["N"].estimate, found["D"].estimate
    assert N <= most_N * (1 + 1e-9) and D <= most_D * (1 + 1e-9) and 6 * N * D <= C * (1 + 1e-9)
    free = plan(("chinchilla", "besiroglu2024"), flops=C)
    assert found["L"].estimate >= free["L"].estimate * (1 - 1e-12)
    assert bool(found.limits) == (not np.isclose(N, free["N"].estimate) or not np.isclose(6 * N * D, C))
    for name in ("N", "D", "TPP"):
        assert found.near[name][0] * (1 - 1e-9) <= found[name].estimate <= found.near[name][1] * (1 + 1e-9)


def test_limited_data_is_planned_by_the_published_law():
    law = ("muennighoff", "muennighoff2023")
    at = find("muennighoff").at("muennighoff2023", N=[6.34e9, 8.67e9], D=[2.42e11, 1.78e11], U=2.5e10)
    assert at == pytest.approx([2.2256440889984477, 2.2269634075087867], rel=1e-6)  # the authors' README
    found = plan(law, flops=1e22, U=2.5e10)
    assert found["N"].estimate == pytest.approx(7.02639e9, rel=1e-3)  # a fine grid
    assert found["L"].estimate == pytest.approx(2.22213, rel=3e-6)
    theirs = at[0] if 6 * 6.34e9 * 2.42e11 <= 1e22 else np.inf
    assert found["L"].estimate < theirs
    plenty = plan(law, flops=1e22, U=1e13)
    assert plenty["N"].estimate == pytest.approx(
        plan(("chinchilla", "muennighoff2023"), flops=1e22)["N"].estimate, rel=1e-4
    )


def test_as_many_parameters_as_runs_tell_nothing():
    table = {k: x[[0, 1, 5, 8, 12]] for k, x in grid().items()}
    found = plan(belief(lawful.fit("chinchilla", lawful.read(table)), draws=40), flops=1e21)
    assert all(one.verdict.startswith("cannot tell") for one in found.answers.values())
    assert "no_freedom" in {f.code for f in found.findings} and "no limit" in str(found)
