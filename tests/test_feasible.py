"""Buildable shapes near a count: within their limits, and none nearer left out."""

import numpy as np
import pytest

from lawful.feasible import nearest_shapes
from lawful.shapes import Shape, parameters

LLAMA = dict(positions="rotary", biases="none", norm="rmsnorm", gated=True, tied=False, vocab=32000, context=4096)
LLAMA_7B = Shape(layers=32, width=4096, heads=32, ffn_width=11008, **LLAMA)
LLAMA_70B = Shape(layers=80, width=8192, heads=64, kv_heads=8, ffn_width=28672, **LLAMA)


def distance(shape: Shape, params: float) -> float:
    return abs(np.log(parameters(shape).total / params))


@pytest.mark.parametrize("params", [1e8, 1.3e9, 7e10])
def test_limits_hold(params):
    found = nearest_shapes(params, LLAMA_70B, aspect=(20, 128), multiple=128, head_dims=[64, 128], within=0.2)
    distances = [distance(shape, params) for shape in found]
    assert distances == sorted(distances) and distances[-1] <= np.log(1.2)
    for shape in found:
        assert shape.width % 128 == shape.ffn_width % 128 == 0
        assert shape.heads * shape.head_dim == shape.width and shape.heads == 8 * shape.kv_heads
        assert 20 <= shape.width / shape.layers <= 128
        assert 2.5 <= shape.ffn_width / shape.width <= 3
        assert (shape.vocab, shape.tied, shape.gated) == (32000, False, True)


@pytest.mark.parametrize("loops", [1, 3])
def test_against_every_shape(loops):
    def shape(layers, width):
        return Shape(layers=layers, width=width, heads=width // 64, vocab=1000, context=64, loops=loops)

    every = [shape(layers, width) for width in range(64, 1025, 64) for layers in range(1, 100)
             if 10 <= width / layers <= 60]  # fmt: skip
    best = sorted(distance(one, 9e6) for one in every)[:3]
    found = nearest_shapes(9e6, shape(2, 128), head_dims=[64], aspect=(10, 60), limit=3, within=0.5)
    assert [distance(one, 9e6) for one in found] == pytest.approx(best)
    assert all(one.loops == loops and one.looped_layers in (0, one.layers) for one in found)


def test_a_published_model_is_found():
    like = Shape(layers=1, width=128, heads=2, vocab=50257, context=2048)
    cerebras = nearest_shapes(2_651_553_280, like, head_dims=[80])[0]
    assert (cerebras.layers, cerebras.width, cerebras.heads) == (32, 2560, 32)


def test_refusals_say_which_limit_binds():
    with pytest.raises(ValueError, match=r"have aspect .* widen `aspect`"):
        nearest_shapes(1.3e9, LLAMA_7B, aspect=(2000, 2100))
    with pytest.raises(ValueError, match=r"nearest has 4\.149e\+06 parameters; raise `within`"):
        nearest_shapes(1e6, LLAMA_7B)
    with pytest.raises(ValueError, match="Widen ffn_ratio"):
        nearest_shapes(1e8, LLAMA_7B, ffn_ratio=(2.5001, 2.5002))
    experts = Shape(layers=2, width=4096, heads=32, ffn_width=64, experts=8, active_experts=2, **LLAMA)
    with pytest.raises(ValueError, match="without experts"):
        nearest_shapes(1e9, experts)
    with pytest.raises(ValueError, match="params must be .* got -1"):
        nearest_shapes(-1, LLAMA_7B)
