"""Conversions that need facts: right with them, refused without."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lawful.conversions import convert_compute, convert_data, convert_loss, convert_params
from lawful.shapes import Shape, parameters


def test_losses_and_data():
    assert convert_loss(2.0, "nats/token", "bits/token") == pytest.approx(2 / np.log(2))
    assert convert_loss(2.0, "nats/token", "bits/byte", bytes_per_token=4) == pytest.approx(0.5 / np.log(2))
    per_byte = convert_loss(1.0, "bits/character", "bits/byte", bytes_per_token=4.4, characters_per_token=4)
    assert per_byte == pytest.approx(4 / 4.4)
    assert convert_loss(np.log(20), "nats/token", "perplexity") == pytest.approx(20)
    assert convert_loss(20, "perplexity", "bits/byte", bytes_per_token=4) == pytest.approx(np.log2(20) / 4)
    assert convert_data(1e9, "tokens", "bytes", bytes_per_token=4) == 4e9
    assert convert_data(4e9, "bytes", "characters", bytes_per_token=4, characters_per_token=3) == 3e9


@settings(max_examples=50, deadline=None)
@given(st.floats(0.1, 10), st.floats(1, 8), st.floats(1, 8))
def test_losses_round_trip(loss, bytes_per_token, characters_per_token):
    facts = dict(bytes_per_token=bytes_per_token, characters_per_token=characters_per_token)
    route = ["nats/token", "bits/byte", "nats/character", "bits/token", "nats/token"]
    value = loss
    for source, to in zip(route, route[1:]):
        value = convert_loss(value, source, to, **facts)
    assert value == pytest.approx(loss)


@pytest.mark.parametrize("tied, positions", [(True, "learned"), (False, "rotary")])
def test_parameter_counts_convert_as_shapes_do(tied, positions):
    shape = Shape(layers=12, width=768, heads=12, vocab=50257, context=1024, tied=tied, positions=positions)
    learned = shape.context if positions == "learned" else 0
    facts = dict(vocab=shape.vocab, width=shape.width, tied=tied, learned_context=learned)
    counts = {c: parameters(shape, c).total for c in ("non_embedding", "bhagia2024", "total")}
    for source, value in counts.items():
        assert {to: convert_params(value, source, to, **facts) for to in counts} == counts


@settings(max_examples=50, deadline=None)
@given(st.floats(1e4, 1e12), st.floats(5, 300), st.booleans())
def test_width_from_aspect(params, aspect, tied):
    """Pearce & Song: total = N + omega N^(1/3); their omega is 47491 at vocabulary 32000, aspect 39.2."""
    facts = dict(vocab=50257, aspect=aspect, tied=tied)
    total = convert_params(params, "non_embedding", "total", **facts)
    assert total == pytest.approx(params + (2 - tied) * 50257 * (aspect / 12 * params) ** (1 / 3))
    assert convert_params(total, "total", "non_embedding", **facts) == pytest.approx(params, rel=1e-5)
    published = convert_params(params, "non_embedding", "total", vocab=32000, aspect=39.2, tied=True)
    assert published == pytest.approx(params + 47491 * params ** (1 / 3), rel=1e-3)


def test_compute():
    facts = dict(flops_per_second=312e12, utilisation=0.5)
    assert convert_compute(1, "device-hours", "FLOP", **facts) == 3600 * 156e12
    assert convert_compute(1, "PF-days", "device-hours", **facts) == pytest.approx(24e15 / 156e12)
    # Published, typed from memory: GPT-3 Table D.1.
    for flops, pf_days in [(2.25e20, 2.60), (2.38e21, 27.5), (3.14e23, 3640)]:
        assert convert_compute(flops, "FLOP", "PF-days") == pytest.approx(pf_days, rel=3e-3)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: convert_loss(2, "nats/token", "bits/byte"), "needs bytes_per_token"),
        (lambda: convert_loss(2, "nats/byte", "bits/character", bytes_per_token=4), "characters_per_token"),
        (lambda: convert_loss(2, "nat/token", "bits/byte"), "Did you mean 'nats/token'"),
        (lambda: convert_loss(0, "perplexity", "nats/token"), "value must be a finite number above 0, got 0"),
        (lambda: convert_loss(2, "nats/token", "bits/byte", bytes_per_token=0), "bytes_per_token must be"),
        (lambda: convert_data(2, "tokens", "characters"), "needs characters_per_token"),
        (lambda: convert_compute(1, "FLOP", "device-hours", utilisation=0.4), "needs flops_per_second"),
        (lambda: convert_compute(1, "FLOP", "device-hours", flops_per_second=1e15), "needs utilisation"),
        (
            lambda: convert_compute(1, "FLOP", "device-hours", flops_per_second=1, utilisation=40),
            r"in \(0, 1\]",
        ),
        (lambda: convert_params(1e9, "total", "non_embedding", width=9, tied=True), "needs vocab"),
        (lambda: convert_params(1e9, "total", "non_embedding", vocab=9, width=9), "needs tied"),
        (lambda: convert_params(1e9, "total", "non_embedding", vocab=9, tied=True), "needs width"),
        (
            lambda: convert_params(1e9, "total", "bhagia2024", vocab=9, tied=True, width=1, aspect=1),
            "not both",
        ),
        (
            lambda: convert_params(1e6, "total", "non_embedding", vocab=5e4, width=512, tied=True),
            "taken away",
        ),
    ],
)
def test_refusals_name_the_missing_fact(call, message):
    with pytest.raises(ValueError, match=message):
        call()
