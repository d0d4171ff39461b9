"""Hardware: facts against an independent table, bills by hand, ranges carried, rooflines against arithmetic."""

import numpy as np
import pytest
from known_shapes import LLAMA_7B, LLAMA_70B, MIXTRAL

from lawful.assumptions import Assumption, assumed, interval, propagate
from lawful.flops import kv_cache_bytes
from lawful.hardware import assumption_findings, bill, compute_for, devices, hardware
from lawful.roofline import largest_model, serve
from lawful.shapes import parameters


@pytest.mark.parametrize(
    "name, bf16, eight",  # published: lightning_fabric 2.6.6, utilities/throughput.py (dense rows), in TFLOP/s
    [
        ("h100", 989.4, 1978.9),
        ("h100-pcie", 756, 1513),
        ("a100", 312, 624),
        ("l4", 121, 242),
        ("t4", 65, 130),
        ("a10g", 125, 250),
        ("tpu-v3", 123, None),
        ("tpu-v4", 275, None),
        ("tpu-v5e", 197, None),
    ],
)
def test_peaks_against_an_independent_table(name, bf16, eight):
    device = devices()[name]
    assert device.peak["bf16"] == pytest.approx(bf16 * 1e12, rel=1e-3)
    assert eight is None or device.peak["fp8"] == pytest.approx(eight * 1e12, rel=2e-3)


def test_devices_are_plausible():
    for device in devices().values():
        assert device.source and 2017 <= device.year <= 2026
        assert 1e9 <= device.memory <= 3e11 and 1e10 <= device.bandwidth <= 1e13
        assert list(device.peak.values()) == sorted(device.peak.values())


def test_a_bill_by_hand():
    machine = hardware("8x h100", utilisation=0.4, price=2.0, power_share=0.8, overhead=1.4, carbon=0.5)
    found = bill(machine, 1e22)
    hours = 1e22 / (8 * 989.4e12 * 0.4) / 3600
    wanted = {"days": hours / 24, "device_hours": 8 * hours, "money": 16 * hours, "energy": 8 * hours * 0.7 * 0.8 * 1.4}
    for name, value in wanted.items():
        assert found[name].estimate == pytest.approx(value, rel=1e-12)
        assert found[name].lower == found[name].upper == found[name].estimate
    assert found["carbon"].estimate == pytest.approx(wanted["energy"] * 0.5)
    assert compute_for(machine, days=found["days"].estimate)["days"][0] == pytest.approx(1e22)
    assert compute_for(machine, money=found["money"].estimate)["money"][0] == pytest.approx(1e22)


def test_ranges_are_carried():
    a = Assumption(2.0, 1.0, 6.0)
    draws = a.draws(200_000, np.random.default_rng(0))
    assert np.quantile(draws, [0.05, 0.5, 0.95]) == pytest.approx([1.0, 2.0, 6.0], rel=0.02)
    one = interval((2.0, draws), 0.9)
    assert (one.lower, one.upper) == pytest.approx((1.0, 6.0), rel=0.03)
    wide, narrow = bill(hardware("a100"), 1e20)["money"], bill(hardware("a100", price=2.0), 1e20)["money"]
    assert wide.upper / wide.lower > narrow.upper / narrow.lower > 1.5
    value, sample = propagate(lambda x, y: x * y, (2.0, None), (3.0, draws))
    assert value == 6 and sample is not None and np.allclose(sample, 2 * draws)


def test_what_was_assumed_is_said():
    words = str(assumption_findings(hardware("rtx4090", price=0.3))[0])
    assert "utilisation 0.35 (0.15 to 0.55)" in words and "price" not in words
    every = dict(utilisation=0.4, price=1, power_share=1, overhead=1, carbon=0.1)
    assert assumption_findings(hardware("a100", **every)) == ()


@pytest.mark.parametrize(
    "text, count", [("h100", 1), ("8x h100", 8), ("8xrtx4090", 8), ("4 X A100", 4), ("2xmi300x", 2)]
)
def test_names(text, count):
    assert hardware(text).count == count


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: hardware("h1000"), "no device is called 'h1000'; did you mean 'h100'"),
        (lambda: hardware("0x h100"), "count is 0"),
        (lambda: hardware("v100", format="fp8"), "no peak for 'fp8'; it has fp32, bf16"),
        (lambda: hardware("v100", utilisation=1.2), "at most 1"),
        (lambda: hardware("v100", price=(3, 2)), r"\(low, value, high\) in rising order"),
        (lambda: assumed("price", -1, Assumption(1, 1, 1)), "price is -1"),
        (lambda: compute_for(hardware("m1"), energy=3), "power of m1 is not published"),
        (lambda: compute_for(hardware("v100"), days=-1), "days is -1"),
        (lambda: compute_for(hardware("v100"), dais=1), "did you mean 'days'"),
        (lambda: serve(LLAMA_70B, "h100"), "memory binds: the weights take 138 GB"),
        (lambda: serve(LLAMA_7B, "rtx4090", batch=64), "memory binds: beside the weights"),
        (lambda: serve(LLAMA_7B, "h100", weight_bits=64), "between 1 and 32"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_roofline_by_hand():
    """One sequence: each token reads all weights and the cache; prompts are arithmetic."""
    speed = serve(LLAMA_7B, "a100", prompt=512, generated=256, compute=0.5, bandwidth=0.5)
    weights = 2 * parameters(LLAMA_7B).total
    moved = weights + kv_cache_bytes(LLAMA_7B, 512 + 128)
    assert speed.token_ms.estimate == pytest.approx(1e3 * moved / (2039e9 * 0.5))
    assert speed.bound == "bandwidth" and speed.memory == pytest.approx(weights + kv_cache_bytes(LLAMA_7B, 768))
    assert speed.first_token_ms.estimate == pytest.approx(1e3 * 2 * 6.6e9 * 512 / (312e12 * 0.5), rel=0.05)
    wide = serve(LLAMA_7B, "a100", batch=speed.largest_batch // 2, compute=0.5, bandwidth=0.5)
    assert wide.throughput.estimate > 20 * speed.throughput.estimate
    assert wide.price_per_million.estimate < speed.price_per_million.estimate / 20


def test_fewer_bits_are_faster_and_experts_cheaper():
    sixteen, four = (serve(LLAMA_7B, "rtx4090", weight_bits=b).token_ms.estimate for b in (16, 4))
    assert sixteen / four == pytest.approx(3.6, rel=0.1)
    dense = serve(parameters(MIXTRAL).total, "2x h100", kv_bytes_per_token=131072.0)
    assert serve(MIXTRAL, "2x h100").token_ms.estimate < 0.35 * dense.token_ms.estimate
    size, draws = largest_model("m1-max", token_ms=20)
    assert size == pytest.approx(0.020 * 400e9 * 0.65 / 2) and draws is not None
