"""Learning rate and batch: Step Law's published numbers, its released bowls, schedules, refusals."""

import time

import numpy as np
import pytest
from known_shapes import needs_shared, rows

from lawful.laws.schedules import multi_power
from lawful.plan_tuning import BOWL, SCATTER, SETTINGS, _rates, loss_factor, schedule, tuning


def test_step_law():
    """Published: lr = 1.79 N^-0.713 D^0.307 and B = 0.58 D^0.571 (arXiv 2503.04715)."""
    plan = tuning(params=1e9, tokens=1e11)
    assert plan["lr"].estimate == pytest.approx(1.79 * 1e9**-0.713 * 1e11**0.307)
    assert plan["B"].estimate == pytest.approx(0.58 * 1e11**0.571)
    assert plan["S"].estimate == pytest.approx(1e11 / plan["B"].estimate)
    assert plan["lr"].lower < plan["lr"].estimate < plan["lr"].upper and not plan["lr"].verdict
    # weight decay by its definition: tau = B / (lr decay D)
    tau = plan["B"].estimate / (plan["lr"].estimate * plan["weight_decay"].estimate * 1e11)
    assert tau == pytest.approx(plan["tau"].estimate)


def test_near_optimal_ends_cost_half_a_percent():
    plan = tuning(params=4e8, tokens=2e10)
    for end in plan.near["lr"]:  # with the batch at its best for that rate
        batch = plan["B"].estimate * (end / plan["lr"].estimate) ** (-BOWL[0, 1] / BOWL[1, 1])
        assert loss_factor(end, batch, params=4e8, tokens=2e10) == pytest.approx(1.005, abs=1e-6)
    fixed = tuning(params=4e8, tokens=2e10, batch=2e5)
    for end in fixed.near["lr"]:
        assert loss_factor(end, 2e5, params=4e8, tokens=2e10) == pytest.approx(1.005, abs=1e-6)
    assert fixed["lr"].estimate < plan["lr"].estimate  # a smaller batch wants a lower rate
    assert loss_factor(plan["lr"].estimate, plan["B"].estimate, params=4e8, tokens=2e10) == pytest.approx(1.0)


@needs_shared
def test_the_bowls_of_the_released_runs():
    """The constants of the module, made again from the runs; and most runs' losses are met within half a per cent."""
    table = rows("data/steplaw/dense.csv")
    N, D, lr, B, loss = (np.array([float(r[k]) for r in table])
                         for k in ("params_nonembed", "tokens", "lr", "batch_tokens", "loss"))  # fmt: skip
    bowls, off, missed = [], [], []
    for n, d in sorted(set(zip(N, D))):
        here = (N == n) & (D == d)
        near = here & (loss <= 1.01 * loss[here].min())
        x, y, z = np.log(lr[near]), np.log(B[near]), np.log(loss[near])
        c = np.linalg.lstsq(np.stack([x**0, x, y, x * x, x * y, y * y], 1), z, rcond=None)[0]
        H = np.array([[2 * c[3], c[4]], [c[4], 2 * c[5]]])
        at = np.linalg.solve(H, -c[1:3])
        plan = tuning(params=float(n), tokens=float(d))
        bowls.append(H)
        off.append(at - np.log([plan["lr"].estimate, plan["B"].estimate]))
        told = [loss_factor(a, b, params=float(n), tokens=float(d)) for a, b in zip(lr[near], B[near])]
        missed.append(np.mean(np.abs(loss[near] / loss[here].min() - told)))
    assert len(bowls) == SETTINGS
    assert np.median(bowls, axis=0) == pytest.approx(BOWL, abs=2e-4)
    spread = np.sqrt(np.mean(np.square(off), axis=0))
    assert spread == pytest.approx([SCATTER["lr"], SCATTER["B"]], rel=0.1)
    assert np.mean(missed) < 0.005
    inside = np.abs(off) < 1.77 * np.sqrt(15 / 14) * np.array([SCATTER["lr"], SCATTER["B"]])
    assert inside.mean() >= 0.85


def test_what_limits_is_said():
    large = tuning(params=4e8, tokens=2e10, batch=8e6)
    assert "times the critical one" in large.limits[0] and large.limits[1].startswith("batch binds")
    far = tuning(params=7e10, tokens=1e13)
    assert "extrapolation" in far["lr"].verdict and len(far.warnings) == 2


def test_schedules():
    schedule(steps=2000)
    start = time.process_time()
    plan = schedule(steps=24000)
    assert time.process_time() - start < 1.0
    rows = {r["schedule"]: r for r in plan.choices}
    cosine = _rates(24000, 480, 3e-4, 1.0, "cosine")
    for name in multi_power.values:
        loss = float(multi_power.at(name, lr_schedule=cosine))
        assert rows["cosine"][name.removeprefix("luo2025_")] == pytest.approx(loss)
    # published (Luo et al. 2025): decay at the end beats cosine, constant is worst
    assert plan["gain_over_cosine"].lower > 0.02 > 0 > rows["constant"]["gain_over_cosine"].upper
    assert 0.05 <= plan["decay_share"].estimate <= 0.3
    assert max(cosine) == 3e-4 and cosine[-1] == pytest.approx(3e-5, rel=0.01)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: tuning(params=1e8, tokens=1e9, batch=2e9), "batch binds"),
        (lambda: tuning(params=0, tokens=1e9), "params is 0"),
        (lambda: schedule(steps=1_000_000), "up to 80000 steps"),
        (lambda: schedule(steps=100, warmup=99), "the warm-up 99"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call()
