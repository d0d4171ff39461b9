"""Diagnosis: what is wrong is named with rows and numbers, and what is right is left alone."""

import json
from importlib import import_module

import numpy as np
import pytest

import lawful
from lawful import datasets
from lawful.diagnose import diagnose
from lawful.diagnose_runs import added_terms
from lawful.fitfile import plain


def codes(diagnosis):
    return {f.code for f in diagnosis.all_findings}


def one(diagnosis, code):
    return next(f for f in diagnosis.all_findings if f.code == code)


@pytest.fixture(scope="module")
def chinchilla(shared):
    runs = lawful.read(shared / "data" / "chinchilla_epoch" / "chinchilla_points.csv")
    return diagnose(lawful.fit("chinchilla", runs)), runs


def test_the_outliers_of_chinchilla_are_named(chinchilla):
    diagnosis, runs = chinchilla
    outliers = one(diagnosis, "outliers")
    epoch = {runs.rows[i] for i in np.flatnonzero(runs["outlier_epoch"])}
    assert set(outliers.rows[:5]) == epoch  # the five that the replication drops come first
    assert len(outliers.rows) <= 10
    assert "Without them the estimates move: E 1.992 to 1.81" in outliers.message
    assert one(diagnosis, "carries").rows[0] in epoch
    assert diagnosis.worst == "warning" and "usable with care" in diagnosis.verdict


def test_a_design_on_a_line_is_an_error():
    diagnosis = diagnose(lawful.fit("chinchilla", datasets.load("cerebras_gpt")))
    assert one(diagnosis, "confounded").severity == "error"
    assert "D is proportional to N^1 in all 7 points" in one(diagnosis, "confounded").message
    opened = [f.message.split(" = ")[0] for f in diagnosis.all_findings if f.code == "open_interval"]
    assert set(opened) == {"E", "A", "B", "alpha", "beta"}
    assert diagnosis.worst == "error" and "not to be believed" in diagnosis.verdict
    assert diagnosis.figures["condition"] > 1e3


def made(rng, bend=0.0, sd=0.01, repeats=3, shift=0.0):
    x = np.repeat(np.logspace(8, 11, 10), repeats)
    z = np.log(x / x.mean())
    group = np.arange(len(x)) % 2
    y = (2 + 400 * x**-0.3) * np.exp(sd * rng.standard_normal(len(x)) + bend * z**2 + shift * group)
    return {"x": x, "y": y, "family": np.where(group, "a", "b")}


def test_what_is_right_is_left_alone(rng):
    diagnosis = diagnose(lawful.fit("power_law_constant", made(rng), target="y"))
    assert diagnosis.worst == "note"
    assert {"no_single_run", "no_outliers", "residuals_clean", "fits_replicates", "noise"} <= codes(diagnosis)
    low, high = (diagnosis.figures["noise"][end] for end in ("lower", "upper"))
    assert low < 0.01 < high


def test_a_wrong_form_is_seen_twice(rng):
    diagnosis = diagnose(lawful.fit("power_law", made(rng), target="y"))
    assert {"residual_structure", "lack_of_fit"} <= codes(diagnosis)
    assert "bend along log x" in one(diagnosis, "residual_structure").message


def test_groups_that_differ_are_named(rng):
    data = made(rng, shift=0.05)
    fit = lawful.fit("power_law_constant", data, target="y", by="family", shared=("A", "E", "alpha"))
    said = [f.message for f in diagnose(fit).all_findings if f.code == "residual_structure"]
    assert any("differ between the 2 groups of family" in text for text in said)


def test_a_planted_outlier_is_found(rng):
    data = made(rng)
    data["y"][27] *= 1.15
    found = one(diagnose(lawful.fit("power_law_constant", data, target="y")), "outliers")
    assert found.rows == (28,)  # rows of plain arrays count from 1


def test_runs_of_several_points_are_left_out_whole(rng):
    run = np.repeat(list("abcd"), 6)  # d alone reaches the large scales
    x = np.tile(np.logspace(8, 9, 6), 4) * np.where(run == "d", 1e3, 1.0)
    y = 30 * x**-0.1 * np.exp(0.005 * rng.standard_normal(24) + 0.1 * (run == "d"))
    runs = lawful.read({"N": x, "L": y, "run": run}, need=())
    diagnosis = diagnose(lawful.fit("power_law", runs, variables={"x": "N"}))
    carries = one(diagnosis, "carries")
    assert carries.rows == tuple(int(r) for r in np.flatnonzero(run == "d")) and "the run in rows" in carries.message


def test_more_spread_than_counting_explains(rng):
    N = np.logspace(7.5, 10.5, 12)
    p = 0.25 + 0.6 / (1 + (N / 1e9) ** -0.8)
    data = {"N": N, "accuracy": np.clip(p + 0.05 * rng.standard_normal(12), 0.01, 0.99), "items": np.full(12, 5000.0)}
    fit = lawful.fit("logistic_log_n", data, fixed={"floor": 0.25})
    assert fit.objective.binomial
    assert one(diagnose(fit), "overdispersed").severity == "warning"


def test_as_many_points_as_numbers():
    diagnosis = diagnose(lawful.fit("power_law", {"x": [1e3, 1e4], "y": [2.0, 1.0]}, target="y"))
    assert diagnosis.worst == "error" and {"no_freedom", "residuals_few", "left_out_not_tried"} <= codes(diagnosis)


def test_a_diagnosis_is_text_and_plain_data(chinchilla):
    diagnosis, _ = chinchilla
    text = str(diagnosis)
    assert all(heading in text for heading in diagnosis.sections()) and max(map(len, text.splitlines())) <= 100
    assert json.loads(json.dumps(plain(diagnosis.facts()), allow_nan=False))["worst"] == "warning"


def test_fits_by_group_are_diagnosed_one_by_one(rng):
    fits = lawful.fit("power_law_constant", made(rng), target="y", by="family")
    with pytest.raises(TypeError, match="for fits by group, diagnose each"):
        diagnose(fits)
    assert diagnose(fits["a"]).n == 15


def test_the_added_terms_test_is_the_textbook_f_test(rng):
    statsmodels = pytest.importorskip("statsmodels.regression.linear_model")
    A = np.column_stack([np.ones(40), rng.standard_normal(40)])
    extra = rng.standard_normal((40, 2))
    y = A @ [1.0, 2.0] + 0.3 * extra[:, 0] + rng.standard_normal(40)
    small = statsmodels.OLS(y, A).fit()
    large = statsmodels.OLS(y, np.column_stack([A, extra])).fit()
    _, p, k = large.compare_f_test(small)
    share, ours, columns = added_terms(A, small.resid, extra)
    assert (ours, columns) == (pytest.approx(p), k)
    assert share == pytest.approx(1 - large.ssr / small.ssr)


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_they_claim(monkeypatch):
    """400 tables with nothing wrong: residual tests and lack of fit each speak up in at most 1 of 20, plus 3 errors."""
    # where the law holds takes nine tenths of the time, and is for test_diagnose_range
    monkeypatch.setattr(import_module("lawful.diagnose"), "holds", lambda fit, figures: ())
    said = {"residual_structure": 0, "lack_of_fit": 0, "outliers": 0}
    for seed in range(400):
        diagnosis = diagnose(lawful.fit("power_law", linear(np.random.default_rng(seed)), target="y"))
        for code in said:
            said[code] += code in codes(diagnosis)
    limit = 400 * 0.05 + 3 * np.sqrt(400 * 0.05 * 0.95)
    assert max(said.values()) <= limit, said


def linear(rng):
    x = np.repeat(np.logspace(8, 11, 12), 2)
    return {"x": x, "y": 30 * x**-0.1 * np.exp(0.02 * rng.standard_normal(24))}
