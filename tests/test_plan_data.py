"""Data as the limit: Tao's and Gu's published numbers, filtering against its own limits, fits of D-CPT, refusals."""

import numpy as np
import pytest

import lawful
from lawful.belief import belief
from lawful.laws import find
from lawful.laws.mixture import dcpt
from lawful.plan_data import continued, filtering, pools, vocabulary

BESIROGLU = ("chinchilla", "besiroglu2024")
POOL = dict(kept=[1.0, 0.1, 0.3], worth=[1.0, 1.8, 1.4])  # in any order


def test_vocabulary_as_published():
    plan = vocabulary(params=7e9, width=4096)
    # published: output of the official optimal_Nv_predict.py
    assert plan.roads["isoflop"]["V"].estimate == pytest.approx(62280.97, rel=1e-5)
    assert plan.roads["derivative"]["V"].estimate == pytest.approx(276276206 / 4096, rel=1e-5)
    assert plan.roads["loss"]["V"].estimate == pytest.approx(59547.57, rel=1e-4)
    assert plan["V"].lower < plan["V"].estimate < plan["V"].upper and "not a confidence" in plan["V"].verdict
    low, high = plan.near["V"]
    assert low < 60000 < high
    small = vocabulary(params=3e7, width=512)
    assert small["V"].estimate < 10_000 and not small.warnings[:1] == ("far",)


def test_critical_shares_as_published():
    rows = {r["params"]: r["share"] for r in continued(tokens=2e10).choices}
    # published: 29.8, 34.9, 41.4 and 47.8 % at 20B tokens
    assert list(rows.values()) == pytest.approx([0.298, 0.349, 0.414, 0.478], abs=1e-3)
    assert any("lies outside" in text for text in continued(tokens=1e12).warnings)


def test_filtering_depends_on_compute():
    """Little compute: the best tokens alone. Much: all of them. In between the range is wide."""
    low, middle, high = (filtering(BESIROGLU, flops=C, unique_tokens=1e10, **POOL) for C in (1e17, 1e19, 1e23))
    assert low["kept"].estimate == 0.1 and high["kept"].estimate == 1.0
    assert middle.near["kept"][0] < middle.near["kept"][1]
    assert [r["kept"] for r in low.choices] == [0.1, 0.3, 1.0]
    crossing = low["crossing"].estimate
    below, above = (filtering(BESIROGLU, flops=f * crossing, unique_tokens=1e10, **POOL) for f in (0.9, 1.1))
    losses = [[r["L"].estimate for r in plan.choices[:2]] for plan in (below, above)]
    assert losses[0][0] < losses[0][1] and losses[1][0] > losses[1][1]


def test_unlimited_data_filter_to_the_best_and_worth_is_tokens():
    """With data enough, tokens worth q each are a budget q times larger in tokens: a closed form."""
    plan = filtering(BESIROGLU, flops=1e20, unique_tokens=1e20, kept=[0.5], worth=[2.0])
    v = find("chinchilla").published("besiroglu2024").values
    N = find("chinchilla").optimum["N"](1e20, {**v, "B": v["B"] / 2.0 ** v["beta"]})
    assert plan["N"].estimate == pytest.approx(N, rel=1e-5)


def test_pools_of_goyal():
    values = dict(a=1.0, b=[-0.12, -0.10, -0.07], tau=[3.0, 4.0, 5.0])
    few, many = (pools(values, [1e7, 2e7, 3e7], examples=x, d=0.1) for x in (1e7, 3e9))
    assert few["pools"].estimate == 1 and many["pools"].estimate >= few["pools"].estimate
    once = find("goyal_filtering")(np.array(1e7), 1.0, a=1.0, b=-0.12, tau=3.0, d=0.1)
    assert few["error"].estimate == pytest.approx(float(once))


def test_continued_training_from_fits():
    """Two fits of dcpt: the best share is where the weighted slopes cancel, with an interval over both fits' draws."""
    r = np.tile([0.1, 0.3, 0.5, 0.7, 0.9], 8)
    N = np.repeat([5e8, 1e9, 2e9, 4e9], 10)
    D = np.tile(np.repeat([2e9, 1e10], 5), 4)
    true = dict(E=1.2, A=300.0, alpha=0.34, B=200.0, eta=0.8, beta=0.3, C=0.4, eps=0.1, gamma=0.5)
    rng = np.random.default_rng(0)
    fixed = {k: true[k] for k in ("E", "alpha", "beta", "eps", "eta")}
    fits = []
    for _ in range(2):
        loss = dcpt(N, D, r, **true) * np.exp(0.002 * rng.standard_normal(len(N)))
        fits.append(lawful.fit("dcpt", {"params": N, "continued_tokens": D, "share": r, "loss": loss}, fixed=fixed))
    held = [belief(f, draws=100) for f in fits]
    plan = continued(tokens=1e10, source=held[0], general=held[1], params=1e9)
    assert plan["share"].lower < plan["share"].estimate < plan["share"].upper
    assert plan["share"].estimate == pytest.approx(0.5, abs=0.05)  # the two losses mirror each other
    tilted = continued(tokens=1e10, source=held[0], general=held[1], params=1e9, weight=0.9)
    assert tilted["share"].estimate > plan["share"].upper


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: filtering(BESIROGLU, flops=1e20, unique_tokens=1e9, kept=[0.5], worth=[1, 2]), "1 shares and worth 2"),
        (lambda: filtering(BESIROGLU, flops=1e20, unique_tokens=1e9, kept=[1.5], worth=[1]), r"lie in \(0, 1\]"),
        (lambda: filtering(BESIROGLU, flops=-1, unique_tokens=1e9, kept=[1], worth=[1]), "flops is -1"),
        (lambda: continued(tokens=1e9, source=("chinchilla", "besiroglu2024")), "give params, and general"),
        (lambda: continued(tokens=1e9, source=BESIROGLU, general=BESIROGLU, params=1e9), "needs fits of dcpt"),
        (lambda: vocabulary(params=0, width=512), "params is 0"),
        (lambda: pools(dict(a=1, b=[-0.1], tau=[3, 4]), [1e7], examples=1e7, d=0), "one of each per pool"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call()
