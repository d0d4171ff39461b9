"""Pictures of designs and recipes: what they show is what was computed, and they are drawn without a warning."""

import numpy as np
import pytest

import lawful
from lawful import plot
from lawful.decisions import loss_at, size_at, winner_at
from lawful.laws.hoffmann import chinchilla
from lawful.next_runs import next_runs
from lawful.plot_design import design_figure, recipes_figure
from lawful.recipes import recipes

VALUES = dict(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)


def fitted(seed: int, sigma: float = 0.005, **changed: float) -> lawful.Fit:
    N = np.repeat(np.geomspace(1e7, 1.6e8, 5), 3)
    D = N * np.tile([5.0, 20.0, 80.0], 5)
    noise = sigma * np.random.default_rng(seed).standard_normal(15)
    return lawful.fit("chinchilla", {"N": N, "D": D, "L": chinchilla.at(VALUES | changed, N=N, D=D) * np.exp(noise)})


@pytest.fixture(scope="module")
def two() -> dict[str, lawful.Fit]:
    return {"old": fitted(0), "new": fitted(1, A=500.0)}


def layers(panel, kind):
    return [one for one in panel.layers if one.kind == kind]


def test_the_design_before_and_after(two):
    made = next_runs(two["old"], loss_at(1e22), 2e19)
    figure = design_figure(made, two["old"])
    where, path, designs = figure.panels
    there, proposed = layers(where, "points")
    assert len(there.x) == 15 and sorted(proposed.x) == sorted(run.N for run in made.runs)
    for line in layers(where, "line"):
        C = 6 * np.array(line.x) * np.array(line.y)
        assert C[0] == pytest.approx(C[1]) and np.log10(C[0]) == pytest.approx(round(np.log10(C[0])))
    (band,) = layers(path, "band")
    assert (band.lower[0], band.upper[0]) == (made.before.lower, made.before.upper)
    assert band.upper[-1] == pytest.approx(made.after.upper) and band.x[-1] == pytest.approx(made.flops)
    assert np.all(np.diff(np.array(band.upper) - np.array(band.lower)) <= 1e-12)
    assert len(layers(designs, "points")) == len(made.designs)
    assert len(plot.draw(figure).axes) == 3


def test_two_recipes_and_no_runs_are_drawn(two):
    both = design_figure(next_runs(two, winner_at(1e22), 2e19, most=6), two)
    assert {"runs made, old", "runs made, new"} <= {one.label for one in both.panels[0].layers}
    plot.draw(both)
    sure = fitted(0, sigma=1e-4)
    stopped = design_figure(next_runs(sure, size_at(1e21), 2e19), sure)
    assert [panel.title for panel in stopped.panels] == ["No run proposed", "Designs within the budget"]
    plot.draw(stopped)


def test_recipes_with_probability_and_multiplier(two):
    made = recipes(two, draws=60, flops=1e21)
    figure = recipes_figure(made)
    curves, chances, multiplier = figure.panels
    assert {one.role for one in curves.layers} == {"ours", "published"}
    old, new = layers(chances, "line")[:2]
    assert np.array(old.y) + np.array(new.y) == pytest.approx(1)
    (band,) = layers(multiplier, "band")
    assert band.x[-1] == pytest.approx(1e21) and band.upper[-1] > band.lower[-1] > 0
    assert len(plot.draw(figure).axes) == 3
    three = recipes(two | {"third": fitted(2)}, draws=30)
    assert len(recipes_figure(three).panels) == 2
