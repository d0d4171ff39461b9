"""Fronts: what nothing beats, limits, groups, draws, the picture, refusals."""

import time

import numpy as np
import pytest

from lawful.belief import belief
from lawful.laws import find
from lawful.pareto import beaten, nondominated, pareto
from lawful.plot_pareto import pareto_figure, plot_pareto

LAW = ("chinchilla", "besiroglu2024")


def drawn(**shift):
    """A belief with draws around published values."""
    v = {**find("chinchilla").published("besiroglu2024").values, **shift}
    rng = np.random.default_rng(0)
    one = belief("chinchilla", v)
    draws = {k: x * np.exp(0.003 * rng.standard_normal(120)) for k, x in v.items()}
    return type(one)(one.law, v, draws, "made", "pairs")


def test_nondominated_by_brute_force():
    table = np.random.default_rng(0).integers(0, 6, (200, 3)).astype(float)
    slow = [i for i, row in enumerate(table) if not any((o <= row).all() and (o < row).any() for o in table)]
    assert nondominated(table).tolist() == slow
    assert beaten(np.array([[2.0, 2.0]]), np.array([[2.0, 2.0]])).tolist() == [False]


def test_a_front_of_three():
    pareto(LAW, hardware="8x h100")
    start = time.process_time()
    plan = pareto(LAW, hardware="8x h100", serve_on="l4", inference_tokens=1e11)
    assert time.process_time() - start < 1.0
    rows = [np.array([r[n].estimate for n in ("loss", "money", "token_ms")]) for r in plan.choices]
    assert not any((a <= b).all() and (a < b).any() for a in rows for b in rows)
    assert {r["bits"] for r in plan.choices} <= {16, 8, 4} and all(0 <= r["front"] <= 1 for r in plan.choices)
    assert plan["money"].lower < plan["money"].estimate < plan["money"].upper
    assert plan["L"].verdict == "published without interval"
    low, high = plan.near["N"]
    assert low <= plan["N"].estimate <= high


def test_two_objectives_give_the_frontier_of_compute():
    """Loss against compute alone: the front's sizes are those of the closed form, up to the grid."""
    plan = pareto(LAW, objectives=("loss", "flops"), params=(1e8, 1e10), tokens=(1e9, 1e12), bits=[16])
    best = find("chinchilla").optimum["N"]
    inner = [r for r in plan.choices if 3e8 < r["params"] < 3e9]
    for row in inner:
        C = row["flops"].estimate
        assert row["params"] == pytest.approx(best(C, find("chinchilla").published("besiroglu2024").values), rel=0.8)
    assert len(inner) > 3 and "front" not in plan.choices[0]


def test_limits_cut_the_front():
    free, tight = (pareto(LAW, hardware="8x h100", serve_on="l4", at_most=m) for m in ({}, {"token_ms": 5.0}))
    assert max(r["token_ms"].estimate for r in tight.choices) <= 5.0 < max(r["token_ms"].estimate for r in free.choices)
    assert tight.limits[0].startswith("token_ms at most 5")


def test_groups_and_regret():
    groups = {"web": drawn(), "code": drawn(A=900.0, alpha=0.40)}
    plan = pareto(groups, objectives=("loss", "regret", "flops"))
    assert plan["regret"].estimate > 0 and plan["regret"].lower < plan["regret"].upper
    web = pareto(groups, objectives=("loss", "flops"), weights={"web": 1.0})
    alone = pareto(drawn(), objectives=("loss", "flops"))
    assert web["L"].estimate == pytest.approx(alone["L"].estimate)


def test_the_picture():
    plan = pareto(LAW, hardware="8x h100")
    figure = pareto_figure(plan)
    assert [p.title for p in figure.panels] == ["loss against money", "loss against time per token"]
    assert figure.panels[0].log_x and {layer.label for layer in figure.panels[0].layers} >= {"knee"}
    canvas = plot_pareto(plan)
    assert len(canvas.axes) == 2
    bars = pareto_figure(pareto(drawn(), objectives=("loss", "flops")))
    assert any(layer.kind == "interval" for layer in bars.panels[0].layers)


@pytest.mark.parametrize(
    "asked, words",
    [
        (dict(objectives=("loss",)), "two or more different ones"),
        (dict(objectives=("loss", "mony")), "did you mean 'money'"),
        (dict(objectives=("loss", "money")), "money needs hardware"),
        (dict(objectives=("loss", "regret")), "regret needs several groups"),
        (dict(objectives=("loss", "energy"), hardware="m1"), "power of m1 is not published"),
        (dict(objectives=("loss", "flops"), at_most={"loss": 1.0}), "loss binds: no candidate has at most 1"),
        (dict(objectives=("loss", "flops"), at_most={"loss": 2.1, "flops": 1e19}), "loss and flops bind together"),
        (dict(objectives=("loss", "flops"), params=(1e9, 1e8)), "give .low, high."),
        (dict(objectives=("loss", "flops"), bits=[1]), "between 2 and 16"),
        (dict(objectives=("loss", "flops"), weights={"x": 1}), "no group 'x'"),
    ],
)
def test_refusals(asked, words):
    with pytest.raises(ValueError, match=words):
        pareto(LAW, **asked)
    with pytest.raises(ValueError, match="no objectives"):
        import lawful

        pareto_figure(lawful.plan(LAW, flops=1e20))
