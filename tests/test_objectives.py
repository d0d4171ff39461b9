"""Objectives against their definitions: totals, slopes and curvatures, names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawful.objectives import objective

SMOOTH = ["lsq", "log_lsq", "huber:0.1", "log_huber:0.1", "envelope:0.2", "log_envelope:0.2", "binomial"]


@pytest.mark.parametrize("name", SMOOTH)
@given(y=st.floats(0.05, 0.95), f=st.floats(0.05, 0.95))
def test_slopes_and_curvatures_are_derivatives_of_the_loss(name, y, f):
    chosen = objective(name)
    rho, psi, curve = (np.ravel(a)[0] for a in chosen.terms(np.array([y]), np.array([[f]]), np.array([[0.0]])))
    assert chosen.total(np.array([y]), np.array([[f]]), np.ones(1))[0] == pytest.approx(rho, abs=1e-15)

    def loss(t: float) -> float:
        moved = f * np.exp(t) if chosen.log else f + t
        return float(chosen.total(np.array([y]), np.array([[moved]]), np.ones(1))[0])

    h = 1e-6
    assert -psi == pytest.approx((loss(h) - loss(-h)) / (2 * h), abs=2e-6 + 1e-5 * abs(psi))
    r = abs(np.log(y / f)) if chosen.log else abs(y - f)
    if not chosen.binomial and abs(r - chosen.delta) > 1e-3 and r > 1e-3:
        h = 1e-4
        second = (loss(h) - 2 * loss(0.0) + loss(-h)) / h**2
        assert curve == pytest.approx(second, abs=1e-4)


def test_reweighting_majorises_and_the_true_curvature_vanishes_outside_delta():
    chosen = objective("huber:0.1")
    y, f = np.array([1.0, 1.0]), np.array([[1.05, 3.0]])
    safe, fast = (chosen.terms(y, f, np.array([[kappa]]))[2][0] for kappa in (1.0, 0.0))
    assert safe == pytest.approx([1.0, 0.1 / 2.0])
    assert fast == pytest.approx([1.0, 0.0])


def test_an_undefined_law_costs_infinity_not_nan():
    for name in SMOOTH:
        assert objective(name).total(np.array([0.5]), np.array([[np.nan]]), np.ones(1))[0] == np.inf
    assert objective("log_lsq").total(np.array([0.5]), np.array([[-1.0]]), np.ones(1))[0] == np.inf
    assert objective("binomial").total(np.array([0.5]), np.array([[1.0]]), np.ones(1))[0] == np.inf


def test_binomial_is_half_the_deviance():
    counts, items, p = np.array([7.0, 0.0, 10.0]), 10.0, np.array([[0.6, 0.1, 0.9]])
    total = objective("binomial").total(counts / items, p, np.full(3, items))[0]
    from scipy.stats import binom

    logs = binom.logpmf(counts, items, p) - binom.logpmf(counts, items, np.maximum(counts / items, 0))
    assert total == pytest.approx(-logs.sum())


def test_names_round_trip_and_wrong_ones_list_what_is_allowed():
    assert objective("log_huber").delta == 1e-3 and objective("log_huber").log
    assert objective("envelope:0.01").tau == 0.01
    assert objective("lsq").squares and not objective("huber").squares
    for name in ("hubber", "lsq:3", "huber:x", "huber:-1", "envelope:2"):
        with pytest.raises(ValueError, match="objective '"):
            objective(name)
