"""Bits: Kumar's optimum and critical tokens, four bits at any memory, draws of fits, refusals."""

import numpy as np
import pytest

import lawful
from lawful.belief import belief
from lawful.laws.precision import kumar_precision
from lawful.plan_precision import OUYANG, serving, training


def test_bits_to_train_in():
    """The law's own closed form: 7.0 bits whatever the budget, and a wide flat range around it."""
    plans = [training(flops=C) for C in (1e18, 1e20)]
    wanted = float(kumar_precision.optimum["P_w"](1e18, kumar_precision.published("kumar2024").values))
    for plan in plans:
        assert plan["P_w"].estimate == pytest.approx(wanted, rel=1e-4) == pytest.approx(7.0, abs=0.05)
        low, high = plan.near["P_w"]
        assert low < 6 and high > 8
    rows = {r["bits"]: r["L"].estimate for r in plans[0].choices}
    assert rows[8] < rows[16] and rows[8] < rows[4]
    eight = training(flops=1e19, bits=8)
    assert 6 * eight["N"].estimate * eight["D"].estimate * 8 / 16 == pytest.approx(1e19)


def test_a_fixed_size_moves_the_bits():
    """Kumar et al.: with the size given, the best precision rises when data outgrow it."""
    few, many = (training(flops=C, params=1e8)["P_w"].estimate for C in (1e17, 1e20))
    assert many > few


def test_bits_to_serve_in():
    """Published: four bits are best at any memory (Dettmers and Zettlemoyer 2023); by this law up to 8e9 bytes."""
    for memory in (1e9, 2e9, 8e9):
        plan = serving(memory=memory)
        assert plan["P_post"].estimate == 4
        assert plan["N"].estimate == pytest.approx(memory * 2)
        low, high = plan.near["P_post"]
        assert low <= 4 <= high
    far = serving(memory=2e9, tokens_per_parameter=2000)
    assert far["P_post"].estimate > 4  # trained long, a model loses more by few bits


def test_tokens_beyond_which_training_hurts():
    plan = serving(params=1e9, tokens=3e11)
    # computed independently: stationary point of B D^-beta + C_T D^gamma_D ... at 4 bits
    assert plan["most_tokens"].estimate == pytest.approx(294599000000, rel=1e-4)
    assert [r["added"].estimate for r in plan.choices] == sorted(r["added"].estimate for r in plan.choices)


def test_other_laws_may_stand_in():
    plan = serving(("chinchilla", "besiroglu2024"), OUYANG, memory=4e9, tokens=1e12)
    assert plan["P_post"].estimate >= 4 and "ouyang" in plan.source


def test_a_fit_gives_intervals():
    rng = np.random.default_rng(0)
    N, D, P = (x.ravel() for x in np.meshgrid([3e7, 6e7, 1.2e8, 2.2e8], [2e9, 8e9, 2e10], [4.0, 6.0, 8.0, 16.0]))
    v = kumar_precision.published("kumar2024").values
    loss = kumar_precision(N, D, P, P, P, **v) * np.exp(0.002 * rng.standard_normal(len(N)))
    table = {"params": N, "tokens": D, "loss": loss, "precision_weights": P, "precision_activations": P,
             "precision_kv": P}  # fmt: skip
    shifts = {k: v[k] for k in ("n_w", "n_a", "n_kv", "g_a", "g_kv")}
    held = belief(lawful.fit("kumar_precision", table, fixed=shifts), draws=100)
    plan = training(held, flops=1e19)
    assert plan["P_w"].lower <= plan["P_w"].estimate <= plan["P_w"].upper and plan["N"].lower < plan["N"].upper
    served = serving(held, memory=1e9)
    assert served["P_post"].lower <= 4 <= served["P_post"].upper and served["L"].lower < served["L"].upper


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: training(flops=1e19, bits=2), "bits is 2; the law of training holds from 3.2 to 16"),
        (lambda: training(("chinchilla", "besiroglu2024"), flops=1e19), "needs kumar_precision"),
        (lambda: serving(), "either memory"),
        (lambda: serving(memory=1e9, params=1e9), "either memory"),
        (lambda: serving(memory=-1), "memory is -1"),
        (lambda: serving(added=("kumar_precision", "kumar2024"), memory=1e9), "needs kumar_ptq or ouyang_qid"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call()
