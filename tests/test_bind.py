"""A law bound to data: parameters to slots and back, slopes of every kind of slot, ties, groups and entries."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawful import amplitude, coefficient, exponent, law, location, offset, scale, share, width
from lawful.bind import bind
from lawful.laws import find

N = np.geomspace(1e7, 1e10, 9)
D = 20 * N**1.1
RANGES = {"E": (0.1, 5), "A": (1, 1e5), "k": (1e6, 1e12), "alpha": (0.05, 2), "m": (1e7, 1e10), "s": (0.05, 5),
          "p": (0.1, 0.9), "c": (-3, 3)}  # fmt: skip


@law()
def every(
    N, *, E=offset(), A=amplitude("N", "alpha"), k=scale("N", "alpha"), alpha=exponent(), m=location("N"), s=width(),
    p=share(), c=coefficient(),
):  # fmt: skip
    """One parameter of each kind."""
    return E + A * N**-alpha + (k / N) ** alpha + p / (1 + (N / m) ** s) + c * np.log(N)


drawn = st.tuples(*[st.floats(lo, hi) for lo, hi in RANGES.values()])


@given(drawn)
def test_natural_undoes_search(values):
    model = bind(every, {"N": N})
    assert model.names == tuple(RANGES)
    back = model.natural(model.search(np.array([values])))
    assert np.allclose(back, values, rtol=1e-8)


@given(drawn)
def test_slopes_of_the_slots_are_exact(values):
    model = bind(every, {"N": N})
    theta = model.search(np.array([values]))
    f = model.evaluate(theta, {"N": N})
    assert np.allclose(f.v, every(N, **dict(zip(RANGES, values))), rtol=1e-8)
    for i in range(model.size):
        h = 1e-6 * max(1.0, abs(theta[0, i]))
        up, down = (model.evaluate(theta + sign * h * np.eye(model.size)[i], {"N": N}, False) for sign in (1, -1))
        assert np.allclose(f.d[i], (up - down) / (2 * h), rtol=1e-4, atol=1e-5 * np.abs(f.v).max())


def test_an_amplitude_is_its_term_at_the_middle_of_the_data():
    model = bind(find("power_law"), {"x": N})
    theta = np.array([[np.log(2.5), np.log(0.3)]])
    assert model.evaluate(theta, {"x": np.array([np.median(N)])}, False) == pytest.approx(2.5)
    plain = bind(find("power_law"), {"x": N}, uncentred=["A"])
    assert plain.natural(np.array([[3.0, 0.0]])) == pytest.approx(np.array([[np.exp(3), 1.0]]))


def test_fixed_and_tied_parameters_have_no_slot():
    model = bind(find("chinchilla"), {"N": N, "D": D}, fixed={"E": 1.7}, tied={"beta": "alpha"})
    assert model.names == ("A", "B", "alpha")
    assert model.rebind({"A": 1.0, "B": 2.0, "alpha": 0.3}) == {"E": 1.7, "A": 1, "B": 2, "alpha": 0.3, "beta": 0.3}
    values = np.array([[400.0, 500.0, 0.3]])
    f = model.evaluate(model.search(values), {"N": N, "D": D}, False)
    assert f[0] == pytest.approx(1.7 + 400 * N**-0.3 + 500 * D**-0.3)


def test_bounds_are_kept_for_every_slot_value():
    model = bind(
        find("chinchilla"), {"N": N, "D": D}, bounds={"alpha": (0.2, 0.5), "E": (-inf, inf), "beta": (0.1, inf)}
    )
    extremes = model.natural(np.array([[-1e3] * 5, [1e3] * 5]))
    named = dict(zip(model.names, extremes.T))
    assert (named["alpha"] >= 0.2).all() and (named["alpha"] <= 0.5).all()
    assert named["beta"].min() >= 0.1
    assert named["E"].tolist() == [-1e3, 1e3]


def test_groups_have_their_own_values():
    codes = np.array([0, 1] * 4 + [0])
    model = bind(find("power_law"), {"x": N, "family": codes}, by=["A"], grouping="family", labels=["a", "b"])
    assert model.names == ("A[a]", "A[b]", "alpha")
    theta = model.search(np.array([[2.0, 5.0, 0.4]]))
    f = model.evaluate(theta, {"x": N, "family": codes})
    assert f.v[0] == pytest.approx(np.where(codes == 0, 2.0, 5.0) * N**-0.4)
    assert model.rebind({"A[a]": 2.0, "A[b]": 5.0, "alpha": 0.4})["A"] == {"a": 2.0, "b": 5.0}


def test_a_sized_parameter_has_one_value_per_entry():
    @law(arrays=("r",))
    def mixed(r, *, t=coefficient(size="r"), c=offset()):
        return c + sum(t_i * r_i for t_i, r_i in zip(t, r))

    r = np.arange(12.0).reshape(3, 4)
    model = bind(mixed, {"r": r})
    assert model.names == ("t[0]", "t[1]", "t[2]", "c")
    f = model.evaluate(model.search(np.array([[1.0, -2.0, 0.5, 3.0]])), {"r": r}, False)
    assert f[0] == pytest.approx(3 + r[0] - 2 * r[1] + 0.5 * r[2])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"fixed": {"gamma": 1.0}}, "no parameter 'gamma'"),
        ({"bounds": {"E": (2.0, 1.0)}}, "the lower must be below the upper"),
        ({"tied": {"alpha": "beta", "beta": "alpha"}}, "alpha = beta = alpha is a circle"),
    ],
)
def test_what_cannot_be_bound_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        bind(find("chinchilla"), {"N": N, "D": D}, **options)
