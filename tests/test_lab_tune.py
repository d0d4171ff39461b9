"""The grid of rates, and when its best is believed."""

import pytest

from lawful.lab.config import as_dict, config
from lawful.lab.sweep import sweep
from lawful.lab.tune import best_rates, tuning


def records(losses, **settings):
    runs = [
        (config({"task": "swaps", "lr": lr, "seed": seed, **settings}), loss)
        for lr, by_seed in losses.items()
        for seed, loss in enumerate(by_seed)
    ]
    return [{"config": as_dict(c), "loss": loss} for c, loss in runs]


def test_the_grid_covers_the_extreme_shapes_of_each_kind_once():
    points = [
        config({"task": t, "width": w, "depth": 1, "loops": k, "block": b, "seed": s})
        for t in ("swaps", "markov")
        for b in ("attention", "conv")
        for w in (8, 16, 32)
        for k in (1, 2)
        for s in (3, 4)
    ]
    plan = tuning(sweep("p", points))
    assert len(plan.configs) == 2 * 2 * 2 * 3
    assert {(c.shape.width, c.shape.loops) for c in plan.configs} == {(8, 1), (32, 2)}
    assert {c.seed for c in plan.configs} == {3}
    assert sorted({round(c.lr, 6) for c in plan.configs}) == [0.002, 0.006, 0.018]


@pytest.mark.parametrize(
    ("losses", "best", "tuned"),
    [
        ({0.002: [1.5], 0.006: [1.2], 0.018: [1.4]}, 0.006, True),
        ({0.002: [1.5], 0.006: [1.2], 0.018: [1.0]}, 0.018, False),
        ({0.002: [1.5], 0.006: [1.01], 0.018: [1.0]}, 0.018, True),  # a plateau
        ({0.002: [1.2], 0.006: [1.5], 0.018: [None]}, 0.002, False),
        ({0.006: [1.2], 0.018: [1.4]}, 0.006, False),
        ({0.002: [1.5, 1.5], 0.006: [1.2, None], 0.018: [1.4, 1.3]}, 0.018, False),
        ({0.002: [None], 0.006: [None]}, None, False),
    ],
)
def test_the_best_rate_is_believed_inside_its_grid_only(losses, best, tuned):
    (found,) = best_rates(records(losses))
    assert found.lr == best and found.tuned is tuned
    assert ("not tuned" in str(found)) is not tuned


def test_runs_that_differ_in_more_are_kept_apart():
    narrow, wide = (records({0.002: [2.0], 0.006: [1.0]}, width=w) for w in (8, 16))
    assert len(best_rates([*narrow, *wide])) == 2
