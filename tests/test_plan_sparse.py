"""Experts, granularity, sparsity, pruning and distillation against published tables and closed forms."""

import numpy as np
import pytest

import lawful
from lawful.belief import belief
from lawful.laws.distillation import busbridge_distillation
from lawful.laws.precision import chen_p2
from lawful.laws.sparse import krajewski_moe, ludziejewski_moe
from lawful.plan_distillation import alone, distillation, teacher_loss
from lawful.plan_sparse import experts, granularity, pruning, routed, sparsity


@pytest.mark.parametrize(
    "flops, sizes",  # published: Ludziejewski et al. 2025, Table 1
    [(1e20, {1: 1.7e9, 4: 1.2e9, 8: 0.99e9, 32: 0.669e9}), (1e21, {1: 5.7e9, 8: 3.8e9, 32: 2.85e9}),
     (1e22, {1: 18.8e9, 32: 12.2e9})],
)  # fmt: skip
def test_active_sizes_of_table_1(flops, sizes):
    rows = {r["experts"]: r for r in experts(flops=flops).choices}
    for E, N in sizes.items():
        assert rows[E]["N_act"].estimate == pytest.approx(N, rel=0.02)


def test_memory_decides_the_number_of_experts():
    free, tight, tiny = (experts(flops=1e21, memory=m) for m in (None, 2e10, 2e9))
    assert free["experts"].estimate == 32 and "not limited" in free.limits[0]
    assert 1 < tight["experts"].estimate < 32 and tight.limits[0].startswith("memory binds")
    assert tight["N"].estimate == pytest.approx(1e10)
    assert tiny["L"].estimate > tight["L"].estimate > free["L"].estimate
    low, high = tight.near["experts"]
    assert low < tight["experts"].estimate < high


def test_experts_of_a_fit_have_intervals():
    rng = np.random.default_rng(0)
    N, D, E = (x.ravel() for x in np.meshgrid([1e8, 3e8, 1e9, 3e9], [3e9, 1e10, 1e11], [1.0, 2.0, 4.0, 8.0, 32.0]))
    v = dict(ludziejewski_moe.published("ludziejewski2025").values)
    loss = ludziejewski_moe(N, D, E, **v) * np.exp(0.001 * rng.standard_normal(len(N)))
    table = {"params_active": N, "tokens": D, "experts": E, "loss": loss}
    fixed = {k: v[k] for k in ("E_start", "E_max", "gamma", "zeta", "c")}
    fit = lawful.fit("ludziejewski_moe", table, fixed=fixed)
    plan = experts(belief(fit, draws=60), flops=1e20, memory=1e10)
    assert plan["N_act"].lower <= plan["N_act"].estimate <= plan["N_act"].upper
    assert plan["experts"].lower <= plan["experts"].estimate <= plan["experts"].upper


def test_granularity_stops_where_routing_costs():
    plan = granularity(flops=1e20)
    assert 8 <= plan["G"].estimate <= 32 and plan.near["G"][0] < plan["G"].estimate < plan.near["G"][1]
    shares = [r["routing_share"] for r in plan.choices]
    assert shares == sorted(shares) and shares[0] < 0.01 < shares[-1]
    # computed independently: Krajewski's count of FLOP for d = 1024, 24 blocks, G = 8, 20B tokens
    N, d, layers = 12 * 1024**2 * 24, 1024, 24
    flops = (12 * d**2 * 6 + d * 64 * 8 * 14) * 20e9 * layers
    assert flops == pytest.approx(3.9762e19, rel=1e-4)
    row = next(r for r in granularity(flops=flops, options=[8], aspect=d / layers).choices)
    again = krajewski_moe.at("krajewski2024", N_nonemb=N, D=20e9, G=8)
    assert row["L"].estimate <= float(again)


def test_routing_as_published():
    plan = routed(params=5e6, experts=128)
    sbase = next(r for r in plan.choices if r["values"] == "clark2022_sbase")
    assert sbase["N_eff"] == pytest.approx(55e6, rel=0.06)  # published: about a dense 55M
    assert "not a confidence interval" in plan["worth"].verdict and any("this is 5e+06" in w for w in plan.warnings)
    beyond = routed(params=5e12)
    assert beyond["worth"].estimate == 1.0


def test_sparsity_as_published():
    plan = sparsity(nonzero=4e7, flops=1e20)
    assert plan["sparsity"].estimate == pytest.approx(0.696026, abs=1e-5)  # computed independently
    more = sparsity(nonzero=4e7, flops=1.35e20)
    assert more["sparsity"].estimate == pytest.approx(0.72, abs=0.02)
    at_75 = next(C for C in np.geomspace(1e20, 1e21, 400) if sparsity(nonzero=4e7, flops=C)["sparsity"].estimate > 0.75)
    assert sparsity(nonzero=4e7, flops=at_75)["worth"].estimate == pytest.approx(2.16, rel=0.01)  # published
    dense = sparsity(nonzero=4e9, flops=1e18)
    assert dense["sparsity"].estimate == 0 and dense.limits[0].startswith("flops binds")


P2 = dict(gamma=-0.6, delta=0.05, N_C=2.0, alpha=0.15, D_C=300.0, beta=0.45, E=0.1)


def test_pruning_needs_a_fit_and_inverts():
    held = belief(chen_p2, P2)
    after = pruning(held, params=8e9, loss=2.0, rate=0.3, tokens=1e9)
    assert after["dL"].estimate == pytest.approx(after["L"].estimate - 2.0)
    back = pruning(held, params=8e9, loss=2.0, rate=0.3, most=after["L"].estimate)
    assert back["D_post"].estimate == pytest.approx(1e9, rel=1e-6)
    with pytest.raises(ValueError, match="out of reach: pruning 0.3 leaves"):
        pruning(held, params=8e9, loss=2.0, rate=0.3, most=2.0001)
    with pytest.raises(ValueError, match="say which values; none were published"):
        pruning("chen_p2", params=8e9, loss=2.0, rate=0.3, tokens=1e9)


def test_the_teacher_can_be_too_good():
    plan = distillation(params=3e8, tokens=2e10, teachers=[(1e9, 2e10), (7e9, 1.4e11)])
    best = plan["L_T"].estimate
    v = busbridge_distillation.published("busbridge2025").values
    losses = [float(busbridge_distillation(3e8, 2e10, best + d, **v)) for d in (-0.1, 0.0, 0.1)]
    assert losses[1] == min(losses) == pytest.approx(plan["L_S"].estimate)
    low, high = plan.near["L_T"]
    assert low < best < high
    assert plan["L_S"].estimate < plan["L_alone"].estimate == pytest.approx(float(alone(v, 3e8, 2e10)))
    assert teacher_loss(7e9, 1.4e11).estimate == pytest.approx(plan.choices[1]["L_T"].estimate)


def test_compute_decides_for_or_against_a_teacher():
    """Published (Busbridge et al. 2025): with the teacher's cost counted, training alone wins at equal compute."""
    exists, new = (
        distillation(params=3e8, tokens=2e10, teachers=[(1e9, 2e10)], teacher_exists=e) for e in (True, False)
    )
    assert "loses to" in new.limits[0]
    assert new["alone_equal_compute"].estimate < exists["alone_equal_compute"].estimate


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: experts(("chinchilla", "besiroglu2024"), flops=1e20), "needs the law ludziejewski_moe"),
        (lambda: granularity(flops=0), "flops is 0"),
        (lambda: sparsity(("chinchilla", "besiroglu2024"), nonzero=1e8, flops=1e20), "needs the law frantar_sparsity"),
        (lambda: pruning((chen_p2, P2), params=1e9, loss=2, rate=1.5, tokens=1), "rate is 1.5"),
        (lambda: pruning((chen_p2, P2), params=1e9, loss=2, rate=0.5), "give tokens .* or most"),
        (lambda: distillation(("chinchilla", "besiroglu2024"), params=1, tokens=1), "needs busbridge_distillation"),
        (lambda: distillation(params=1e8, tokens=1e9, teachers=[(-1, 1)]), "teacher params is -1"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call()
