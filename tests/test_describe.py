"""Fits in words: no value without its interval, no interval that the data do not give."""

import re

import numpy as np
import pytest

import lawful
from lawful import datasets, describe
from lawful.findings import Finding
from lawful.laws import all_laws
from lawful.uncertainty import Interval, Intervals


@pytest.fixture(scope="module")
def power():
    return lawful.fit("power_law_constant", datasets.load("cerebras_gpt"), variables={"x": "C"})


@pytest.fixture(scope="module")
def text(power):
    return str(power)


def test_a_fit_is_said_in_full(power, text):
    assert text.startswith("power_law_constant fitted to 7 points: loss over x = flops\n  y = A x^(-alpha) + E\n")
    intervals = lawful.intervals(power)
    for name, one in intervals.items():
        line = next(line for line in text.splitlines() if line.split()[:1] == [name])
        assert describe.number(one.estimate) in line
        assert f"{describe.number(one.lower)} to {describe.number(one.upper)}" in line
    assert re.search(r"residual sd +0\.87\d*% of loss \(7 points, 3 free numbers, 4 degrees of freedom\)", text)
    assert re.search(r"search +128 starts, 8 solved to the end, \d+% of these agree", text)
    assert "cannot tell: 0 is not excluded" in text
    assert max(map(len, text.splitlines())) <= 100


def test_what_the_user_asked_for_is_said(power):
    fit = lawful.fit(
        "power_law_constant", datasets.load("cerebras_gpt"), variables={"x": "N"}, fixed={"E": 0.5},
        bounds={"alpha": (0, 2)},
    )  # fmt: skip
    assert describe.setting_lines(fit) == ["  E = 0.5 fixed; alpha within [0, 2]"]
    assert describe.setting_lines(power) == []


def test_intervals_given_are_those_shown(power):
    mine = Intervals({"A": Interval(44.0, 1.0, np.inf, 0.8, "pairs", "cannot tell: too many draws failed")}, "pairs")
    text = describe.describe_fit(power, mine)
    assert "80% interval (pairs)" in text
    assert re.search(r"A +44 +1 to no limit +cannot tell: too many draws failed", text)


@pytest.mark.parametrize(
    "verdict, shown",
    [
        ("", "0.1 to 0.3"),
        ("cannot tell: no limit below within [0, 1]", "no limit to 0.3"),
        ("cannot tell: no limit above within [0, 1]", "0.1 to no limit"),
        ("cannot tell: no limit either side within [0, 1]", "no limit"),
    ],
)
def test_the_end_of_a_scan_is_no_limit(verdict, shown):
    assert describe.interval_cells(Interval(0.2, 0.1, 0.3, 0.95, "profile", verdict)) == ("0.2", shown)


@pytest.mark.parametrize(
    "value, text",
    [(0.0, "0"), (1.5, "1.5"), (123456.0, "1.235e+05"), (2.135e74, "2.135e74"), (1e23, "1e23"), (2e-6, "2e-6"),
     (-3e-9, "-3e-9"), (np.nan, "unknown"), (np.inf, "no limit")],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert describe.number(value) == text.replace("1.235e+05", describe.number(123456.0))
    if np.isfinite(value):
        assert float(describe.number(value)) == pytest.approx(value, rel=1e-3)


def test_findings_are_wrapped_worst_first(power):
    noted = Intervals({}, "profile", (Finding("x", "error", "An error. " * 15), Finding("y", "note", "A note.")))
    found = describe.findings_of(power, noted)
    assert [f.severity for f in found] == sorted((f.severity for f in found), key=["error", "warning", "note"].index)
    lines = describe.finding_lines(found)
    assert lines[0].startswith("error    An error.") and lines[1].startswith(" " * 9 + "An error.")


def test_every_formula_of_the_catalogue_is_readable():
    for law in all_laws().values():
        assert describe.readable(law.latex), law.name
    assert describe.readable(r"L = E + A N^{-\alpha} + \frac{B}{D^{\beta}}") == "L = E + A N^(-alpha) + (B)/(D^beta)"
    assert describe.readable(r"\weird{x}") == r"\weird{x}"


def test_facts_hold_every_number_with_its_interval(power):
    data = describe.facts(power, lawful.intervals(power))
    assert set(data["estimates"]) == set(power.estimates)
    assert all(set(one) == {"estimate", "lower", "upper", "verdict"} for one in data["estimates"].values())
    assert data["n"] == 7 and data["level"] == 0.95 and data["search"]["starts"] == 128


def test_other_objectives_have_words():
    rng = np.random.default_rng(5)
    x = np.logspace(1, 4, 30)
    data = {"x": x, "y": 2 * x**-0.3 * np.exp(0.02 * rng.standard_normal(30))}
    said = {
        "log_huber:0.01": "log_huber (Huber loss of log residuals, delta 0.01)",
        "lsq": "lsq (half the sum of squared residuals)",
        "envelope:0.1": "envelope (squared residuals, those above the curve weighing 0.1)",
    }
    for objective, words in said.items():
        assert describe.objective_words(lawful.fit("power_law", data, target="y", objective=objective)) == words
    lad = describe.objective_words(lawful.fit("power_law", data, target="y", objective="log_lad"))
    assert lad.startswith("log_lad (absolute log residuals")
