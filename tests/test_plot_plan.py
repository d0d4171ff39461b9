"""Figures of a plan show the plan's own numbers, and are drawn."""

import numpy as np
import pytest
from test_belief import grid

import lawful
from lawful.belief import belief
from lawful.laws.hoffmann import CHINCHILLA, chinchilla, optimal_params
from lawful.plan import plan
from lawful.plot import draw
from lawful.plot_plan import plan_figures


@pytest.fixture(scope="module")
def isoflops():
    """Runs at four budgets round the optimum of a published law."""
    v = CHINCHILLA["besiroglu2024"].values
    C = np.repeat([1e18, 1e19, 1e20, 1e21], 7)
    N = optimal_params(C, v) * np.tile(np.geomspace(0.25, 4, 7), 4)
    noise = np.exp(0.002 * np.random.default_rng(0).standard_normal(len(N)))
    runs = lawful.read({"params": N, "tokens": C / 6 / N, "loss": chinchilla(N, C / 6 / N, **v) * noise})
    return belief(lawful.fit("chinchilla", runs), draws=200)


def layers(figure, panel, label):
    return [one for one in figure.panels[panel].layers if one.label == label]


def test_all_figures_of_isoflop_runs(isoflops):
    made = plan(isoflops, flops=1e22)
    frontier, cost, slices = plan_figures(isoflops, made)
    (point,) = layers(frontier, 0, "plan")
    assert point.x[0] == pytest.approx(made["N"].estimate) and point.y[0] == pytest.approx(made["D"].estimate)
    contour = next(one for one in frontier.panels[0].layers if one.label.startswith("L = "))
    on = chinchilla.at(isoflops.values, N=np.array(contour.x), D=np.array(contour.y))
    assert on == pytest.approx(float(contour.label[4:]), rel=0.005) and np.ptp(on) < 1e-6
    curve = layers(cost, 0, "loss above the best")[0]
    within = np.array(curve.x)[np.array(curve.y) <= 0.5]
    assert within.min() >= made.near["N"][0] * 0.999 and within.max() <= made.near["N"][1] * 1.001
    assert len(layers(slices, 0, "minimum of the parabola")) == 4
    assert {one.label for one in slices.panels[1].layers} >= {"chinchilla", "parabola per budget", "cubic per budget"}
    for figure in (frontier, cost, slices):
        assert draw(figure).get_size_inches()[0] > 4 and "90 %" in figure.caption or figure is not frontier


def test_published_values_are_drawn_without_bands():
    held = belief("chinchilla", "besiroglu2024")
    figures = plan_figures(held, plan(held, loss=2.2))
    assert [one.id for one in figures] == ["plan_frontier", "plan_near"]
    assert not any(one.kind == "band" for one in figures[0].panels[0].layers)
    draw(figures[0])


def test_a_plan_that_nothing_reaches_has_no_figure():
    held = belief("chinchilla", "besiroglu2024")
    with pytest.raises(ValueError, match="no budget"):
        plan_figures(held, plan(held, loss=1.0))


def test_runs_without_budgets_have_no_isoflop_figure():
    held = belief(lawful.fit("chinchilla", lawful.read(grid())), draws=50)
    assert "plan_isoflop" not in [one.id for one in plan_figures(held, plan(held, flops=1e21))]
