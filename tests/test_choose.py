"""The chooser: the right form for each family, baselines always shown, words for what it could not test."""

import numpy as np
import pytest

import lawful
from lawful import datasets
from lawful.choose import choose


def split(name, target, small):
    runs = datasets.load(name)
    choice = choose(runs.take(range(small)), target=target)
    rest = runs.take(range(small, len(runs)))
    predicted = lawful.forecast(choice.fit, x=rest["N"]).estimate
    return choice, float(np.mean(np.abs(predicted / rest[target] - 1)))


@pytest.mark.parametrize("target", ["loss", "loss_card"])
def test_compute_optimal_family_takes_the_straight_line(target):
    choice, error = split("cerebras_gpt", target, 4)
    assert choice.fit.law.name == "power_law"
    assert error <= 0.015


def test_fixed_token_family_takes_the_constant():
    choice, error = split("pythia_v0", "loss", 5)
    assert choice.fit.law.name == "power_law_constant"
    assert error <= 0.045


def test_two_variables_take_chinchilla(shared):
    runs = lawful.read(shared / "data/chinchilla_epoch/chinchilla_points.csv")
    choice = choose(runs)
    assert choice.fit.law.name == "chinchilla"
    assert {"last value", "last two points"} <= {s.name for s in choice.scores}
    assert "rolling origin over C" in str(choice)


def test_auto_is_the_chooser_and_says_why():
    fit = lawful.fit("auto", datasets.load("cerebras_gpt"))
    note = next(f for f in fit.findings if f.code == "chosen")
    assert "rolling origin" in note.message and "last value" in note.message


def test_naive_winner_is_admitted():
    N = np.geomspace(1e7, 1e10, 9)
    loss = np.where(N > 3e8, 2.0, 3.0)  # a step: every law overshoots, the last value does not
    fit = lawful.fit("auto", {"N": N, "loss": loss})
    assert any(f.code == "naive_wins" and f.severity == "warning" for f in fit.findings)


def test_too_few_points_to_test_are_said_to_be():
    fit = lawful.fit("auto", {"N": [1e8, 1e9], "loss": [3.0, 2.5]})
    assert fit.law.name == "power_law" and any(f.code == "untested" for f in fit.findings)


def test_each_group_gets_its_own_law():
    runs = datasets.load("cerebras_gpt", "pythia_v0")
    fits = lawful.fit("auto", runs, by="family", target="loss")
    assert len({f.law.name for f in fits.values()}) == 2


def test_a_table_without_scale_is_refused():
    with pytest.raises(ValueError, match="column of scale"):
        lawful.fit("auto", {"lr": [1e-3, 1e-4], "loss": [3.0, 2.5]})
