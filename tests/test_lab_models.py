"""The models: their parameters and FLOPs against PyTorch's own count, causality, and what their dials do."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="the lab's models need PyTorch: pip install 'lawful[lab]'")

from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from lawful.lab.config import config  # noqa: E402
from lawful.lab.models import build, rates  # noqa: E402
from lawful.lab.reweight import Reweighter  # noqa: E402
from lawful.lab.shape import Shape, forward_flops, size, width_for  # noqa: E402
from lawful.lab.tasks import task  # noqa: E402

SHAPES = {
    "plain": Shape(width=32, depth=2),
    "narrow": Shape(width=6, depth=1),
    "grouped": Shape(width=64, kv_heads=1),
    "ratio": Shape(width=24, mlp_ratio=2.5, heads=3),
    "looped": Shape(width=48, depth=3, loops=3),
    "conv": Shape(block="conv"),
    "short conv": Shape(block="conv", kernel=4),
    "hybrid": Shape(block="hybrid", depth=3),
    "experts": Shape(experts=4),
    "two experts": Shape(experts=4, active=2),
    "tiny": Shape(cell="tiny", loops=2),
    "hierarchical": Shape(cell="hierarchical", loops=2, inner=3),
    "halting": Shape(cell="tiny", halting=True),
    "variational": Shape(latent="variational", noise=0.5, loops=2),
    "mlp": Shape(block="mlp", depth=3, width=64),
}


def a_task(shape):
    return task("composition" if shape.block == "mlp" else "swaps")


@pytest.fixture(params=SHAPES, ids=list(SHAPES))
def shape(request):
    return SHAPES[request.param]


def test_parameters_and_flops_are_what_pytorch_counts(shape):
    t = a_task(shape)
    model = build(shape, t)
    assert sum(p.numel() for p in model.parameters()) == size(shape, t).total
    outside = ("token.", "position.", "readout.", "latent.answer.", "bias")
    inside = [p.numel() for n, p in model.named_parameters() if not n.startswith(outside)]
    assert sum(inside) + (shape.width if shape.block == "mlp" else 0) == size(shape, t).nonembed
    x = torch.zeros(7, t.length, dtype=torch.long)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    assert counter.get_total_flops() == 7 * forward_flops(shape, t)


def test_the_formula_of_the_plain_decoder():
    t, d, r, loops, depth = task("swaps"), 32, 4, 3, 2
    T, V = t.length, t.outputs
    per_token = loops * depth * (2 * (4 + 2 * r) * d**2 + 4 * T * d) + 2 * d * V
    assert forward_flops(Shape(width=d, depth=depth, loops=loops), t) == T * per_token
    assert forward_flops(Shape(width=d, depth=depth), t, loops=loops) == T * per_token


def test_a_prefix_is_all_a_position_sees(shape):
    if shape.block == "mlp":
        pytest.skip("the MLP reads the whole input by design")
    t = a_task(shape)
    model = build(shape, t).eval()
    torch.nn.init.normal_(model.readout.weight)
    x = torch.randint(0, t.inputs, (4, t.length))
    other = torch.cat([x[:, :9], torch.randint(0, t.inputs, (4, t.length - 9))], 1)
    with torch.no_grad():
        assert torch.allclose(model(x)[:, :9], model(other)[:, :9], atol=1e-5)
        assert not torch.allclose(model(x)[:, 9:], model(other)[:, 9:], atol=1e-3)


def test_the_last_position_sees_the_first(shape):
    if shape.block == "mlp" or shape.kernel:
        pytest.skip("the MLP is not causal, the short kernel is meant not to reach")
    t = a_task(shape)
    model = build(shape, t).eval()
    torch.nn.init.normal_(model.readout.weight)
    x = torch.randint(0, t.inputs, (4, t.length))
    other = x.clone()
    other[:, 0] = (x[:, 0] + 1) % t.inputs
    with torch.no_grad():
        assert (model(x)[:, -1] - model(other)[:, -1]).abs().max() > 1e-5


def test_the_same_seed_gives_the_same_weights(shape):
    t = a_task(shape)
    first, again, other = (list(build(shape, t, seed).parameters()) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    assert not all(torch.equal(a, b) for a, b in zip(first, other))


def test_loops_are_the_stack_applied_again():
    t = task("swaps")
    model = build(Shape(width=16, depth=1, loops=3), t).eval()
    x = torch.randint(0, t.inputs, (2, t.length))
    with torch.no_grad():
        e = model.token(x) + model.position.weight
        z = torch.zeros_like(e)
        for _ in range(3):
            z = model.stacks[0](z + e)
        assert torch.equal(model.hidden(x), model.norm(z))
        assert torch.equal(model.hidden(x, loops=3), model.hidden(x))
        assert not torch.equal(model.hidden(x, loops=4), model.hidden(x))


@pytest.mark.parametrize("cell", [{}, {"cell": "tiny"}, {"cell": "hierarchical", "inner": 1}])  # the last is HRM's step
def test_truncated_gradients_are_those_of_the_last_loops(cell):
    t = task("swaps")
    model = build(Shape(width=16, depth=1, loops=4, **cell), t)
    x = torch.randint(0, t.inputs, (2, t.length))
    e, state = model.start(x)
    with torch.no_grad():
        kept = model.run(e, state, 3)
    for stack in model.stacks:
        grads = []
        for out in (model.run(e, state, 4, grad_loops=1), model.run(e, kept, 1)):
            grads.append(torch.autograd.grad(out[1][..., 0].sum(), stack[0].mlp.up.weight, retain_graph=True)[0])
        assert torch.equal(*grads) and grads[0].abs().max() > 0


def test_the_width_rule_scales_hidden_matrices_only():
    model = build(Shape(width=64, block="hybrid"), task("swaps"))
    hidden, other = rates(model, 0.006)
    assert hidden["lr"] == 0.003 and other["lr"] == 0.006
    assert {id(p) for g in (hidden, other) for p in g["params"]} == {id(p) for p in model.parameters()}
    narrow = {id(model.token.weight), id(model.position.weight)}
    assert narrow < {id(p) for p in other["params"]} and id(model.readout.weight) in {id(p) for p in hidden["params"]}


def test_widths_match_a_parameter_count():
    t = task("swaps")
    for depth in (1, 2, 8):
        shape = Shape(depth=depth)
        w = width_for(50_000, shape, t)
        assert abs(size(replace(shape, width=w), t).nonembed / 50_000 - 1) < 0.2
    with pytest.raises(ValueError, match="nearest width, 4, has"):
        width_for(10, Shape(depth=16), t)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"block": "rnn"}, "block is 'rnn'; it must be one of attention"),
        ({"width": 30, "heads": 4}, "heads is 4; it must divide the width, 30"),
        ({"width": 64, "kv_heads": 3}, "kv_heads is 3; it must divide the heads, 4"),
        ({"experts": 2, "active": 3}, "active is 3, more than the 2 experts"),
        ({"loops": 0}, "loops is 0; it must be at least 1"),
        ({"block": "mlp", "loops": 2}, "block 'mlp' has no loops"),
    ],
)
def test_impossible_shapes_are_named(wrong, words):
    with pytest.raises(ValueError, match=words):
        Shape(**wrong)


def test_the_mlp_refuses_tasks_that_ask_elsewhere():
    with pytest.raises(ValueError, match="answers at the last position only; task 'swaps'"):
        build(Shape(block="mlp"), task("swaps"))


@pytest.mark.parametrize(("sign", "kept"), [("easy", [0, 1]), ("hard", [3, 2])])
def test_filtering_leaves_a_share_of_equal_weight(sign, kept):
    made = Reweighter(8, config({"task": "swaps", "reweight": sign, "reweight_keep": 0.5}))
    for _ in range(101):
        w = made.weights(torch.zeros(4, 8), torch.tensor([0.1, 0.5, 1.0, 2.0]))
    assert torch.nonzero(w)[:, 0].tolist() == sorted(kept) and w.sum() == 1


@pytest.mark.parametrize(("sign", "down"), [("easy", True), ("hard", False)])
@pytest.mark.parametrize("closed", [True, False])
def test_reweighting_leans_the_way_its_name_says(sign, down, closed):
    torch.manual_seed(0)
    hidden = torch.cat([torch.randn(50, 8) + 2, torch.randn(50, 8) - 2])
    loss = torch.cat([torch.full((50,), 0.1), torch.full((50,), 2.0)])  # the second half is hard
    settings = {"reweight": sign, "reweight_strength": 0.5, "reweight_closed": closed}
    made = Reweighter(8, config({"task": "swaps", **settings}))
    first = made.weights(hidden, loss)
    assert torch.allclose(first, torch.full((100,), 0.01))  # uniform while warming up
    for _ in range(400):
        w = made.weights(hidden, loss)
    assert w.sum() == pytest.approx(1, abs=1e-5) and not w.requires_grad
    assert (w[50:].sum() < 0.2) if down else (w[50:].sum() > 0.8)
