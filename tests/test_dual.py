"""Duals against the complex step, whose derivatives are exact to rounding, over random expressions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawful.dual import Dual, root, where

X = np.array([0.5, 1.0, 2.0, 7.0])
UNARY = {
    "exp": lambda u: np.exp(-u / (1 + u)), "log": lambda u: np.log(1 + u), "sqrt": np.sqrt, "tanh": np.tanh,
    "log1p": np.log1p, "inverse": lambda u: 1 / (1 + u), "square": np.square, "cube": lambda u: (u / (1 + u)) ** 3,
    "sin": lambda u: 2 + np.sin(u), "expm1": lambda u: np.expm1(u / (1 + u)), "cosh": lambda u: np.cosh(u / (1 + u)),
    "data power": lambda u: X ** -(u / (1 + u)), "arctan": np.arctan, "log10": lambda u: 1 + np.log10(1 + u),
}  # fmt: skip
BINARY = {
    "add": lambda u, v: u + v, "multiply": lambda u, v: u * v / (1 + u), "divide": lambda u, v: u / (1 + v),
    "power": lambda u, v: (1 + u) ** (v / (1 + v)), "less": lambda u, v: 5 + u / (1 + u) - v / (1 + v),
    "data": lambda u, v: X * u + v / X, "right": lambda u, v: 1.5 / (1 + u) + X * v,
}  # fmt: skip
LEAF = st.sampled_from([0, 1, 2])
TREE = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(sorted(UNARY)), inner), st.tuples(st.sampled_from(sorted(BINARY)), inner, inner)
    ),
    max_leaves=6,
)


def run(tree, numbers):
    if isinstance(tree, int):
        return numbers[tree]
    values = [run(branch, numbers) for branch in tree[1:]]
    return UNARY[tree[0]](*values) if len(values) == 1 else BINARY[tree[0]](*values)


@given(TREE, st.tuples(*[st.floats(0.1, 3.0)] * 3))
def test_partials_equal_the_complex_step(tree, values):
    found = run(tree, [Dual(np.array([v]), {i: 1.0}) for i, v in enumerate(values)])
    for i in range(3):
        step = [complex(v, 1e-30) if i == k else complex(v) for k, v in enumerate(values)]
        exact = np.asarray(run(tree, step))
        assert np.allclose(found.v, exact.real, rtol=1e-12)
        partial = np.broadcast_to(found.d.get(i, 0.0), np.broadcast_shapes(exact.shape, np.shape(found.v)))
        assert np.allclose(partial, exact.imag / 1e-30, rtol=1e-9, atol=1e-12)


def test_partials_that_are_zero_are_not_stored():
    a, b = Dual(np.array([2.0]), {0: 1.0}), Dual(np.array([3.0]), {1: 1.0})
    assert (a * X).d.keys() == {0}
    assert (a * X + b).d.keys() == {0, 1}
    assert (a + 5.0).d[0] == 1.0


def test_branches_and_bounds_take_the_partials_of_the_branch():
    a = Dual(np.array([1.0]), {0: 1.0})
    assert where(X > 1, a * X, 0.0).d[0].tolist() == [0.0, 0.0, 2.0, 7.0]
    assert np.maximum(a * X, 1.5).d[0].tolist() == [0.0, 0.0, 2.0, 7.0]
    assert np.clip(a * X, 0.7, 3.0).v.tolist() == [0.7, 1.0, 2.0, 3.0]
    assert (np.logaddexp(0.0, a * 1000.0).v, np.logaddexp(0.0, a * 1000.0).d[0]) == (1000.0, 1000.0)


def test_an_implicit_law_has_the_slopes_of_its_equation():
    a = Dual(np.array([3.0]), {0: 1.0})
    cube = root(lambda y: y**3 - a * X, 0.0, 10.0)
    assert cube.v == pytest.approx((3 * X) ** (1 / 3), rel=1e-14)
    assert cube.d[0] == pytest.approx(X ** (1 / 3) * 3 ** (-2 / 3) / 3, rel=1e-12)
    assert np.isnan(root(lambda y: y**3 + a * X, 0.0, 10.0).v).all()


def test_a_function_without_known_slope_is_named():
    with pytest.raises(TypeError, match="np.floor, whose derivative is not known"):
        np.floor(Dual(np.array([1.0]), {0: 1.0}))
    with pytest.raises(TypeError, match="np.sum on its parameters"):
        np.sum(Dual(np.array([1.0]), {0: 1.0}))
