"""Shapes: whole numbers, near-optimal by all three sets, ranked by speed; MobileLLM's for comparison; refusals."""

import time

import numpy as np
import pytest

from lawful.laws.architecture import gemstones_shape
from lawful.plan_architecture import architecture, mlp_ratio
from lawful.shapes import Shape, parameters


def built(plan, **more):
    a = {k: int(v.estimate) for k, v in plan.answers.items() if k in ("w", "depth", "heads", "kv_heads", "d_ff")}
    return Shape(
        layers=a["depth"], width=a["w"], heads=a["heads"], kv_heads=a["kv_heads"], ffn_width=a["d_ff"], vocab=32000,
        context=4096, gated=True, positions="rotary", biases="none", norm="rmsnorm", **more,
    )  # fmt: skip


@pytest.mark.parametrize("N", [6e7, 1.25e8, 1e9, 7e9, 7e10])
def test_shapes_can_be_built(N):
    architecture(params=1e8)  # imports
    start = time.process_time()
    plan = architecture(params=N)
    assert time.process_time() - start < 1.0
    shape = built(plan, tied=N < 1e9)
    assert parameters(shape).total == plan["N"].estimate == pytest.approx(N, rel=0.031)
    assert shape.width % (64 if N < 1e9 else 128) == 0 and shape.ffn_width % 64 == 0
    assert plan["mlp_ratio"].estimate == pytest.approx(mlp_ratio(shape))


def test_near_optimal_means_by_all_sets():
    plan = architecture(params=5e8, tokens=1e11)
    rows = [r for r in plan.choices if "name" not in r]
    losses = np.array([[float(gemstones_shape.at(s, w=r["width"], depth=r["depth"], N=5e8, D=1e11)) for r in rows]
                       for s in gemstones_shape.values])  # fmt: skip
    assert (losses / losses.min(1, keepdims=True) <= 1.0051).all()
    low, high = plan.near["w"]
    assert low < high and all(low <= r["width"] <= high for r in rows)
    assert "not a confidence interval" in plan["L"].verdict


def test_a_device_prefers_fast_shapes():
    plan = architecture(params=1.25e8, hardware="m1-max")
    times = [r["token_ms"].estimate for r in plan.choices if "token_ms" in r]
    assert plan["token_ms"].estimate <= min(times)
    assert plan["token_ms"].lower < plan["token_ms"].upper


def test_small_models_are_compared_with_mobilellm():
    names = [r["name"] for r in architecture(params=1.25e8).choices if "name" in r]
    assert names == ["mobile_125m"]
    row = next(r for r in architecture(params=3.5e8).choices if r.get("name") == "mobile_350m")
    assert row["params"] == pytest.approx(345355200, rel=1e-3) and row["width/depth"] == 30


def test_groups_save_cache():
    plan = architecture(params=1e9, group=4, head_dims=[64])
    full = architecture(params=1e9, head_dims=[64])
    each = [p["kv_bytes_per_token"].estimate / p["depth"].estimate / p["w"].estimate for p in (plan, full)]
    assert each[1] == pytest.approx(4 * each[0])
    assert any(f.code == "group" and "key and value heads" in f.message for f in full.findings)


def test_what_lies_outside_the_runs_is_said():
    words = " ".join(architecture(params=7e10).warnings)
    assert "N = 7e+10 lies outside" in words and "Bian" in words
    assert not any(f.code == "far" for f in architecture(params=5e8).findings)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: architecture(params=1e9, aspect=(1000, 1001)), "widen `aspect`"),
        (lambda: architecture(params=-1), "params is -1"),
        (lambda: architecture(params=1e8, group=0), "group is 0"),
        (lambda: architecture(params=1e6, vocab=100_000), "no shape within"),
        (lambda: architecture(params=1e9, hardware="nothing"), "no device is called"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call()
