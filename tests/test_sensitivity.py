"""Choices of fitting: which are open, how the decision moves, and which choice it hangs on."""

import numpy as np
import polars as pl
import pytest

import lawful
from lawful.choices import effective_budget
from lawful.laws import find
from lawful.plot_choices import choices_figure


@pytest.fixture(scope="module")
def chinchilla(shared):
    return lawful.read(shared / "data" / "chinchilla_epoch" / "chinchilla_points.csv")


@pytest.fixture(scope="module")
def swept(chinchilla):
    return lawful.compare(chinchilla, choices=True, flops=5.76e23).choices


def runs(noise=0.002, n=36, **more):
    rng = np.random.default_rng(3)
    N = np.repeat(np.logspace(7.5, 9.5, 6), 6)[:n]
    D = np.tile(np.logspace(9, 11, 6), 6)[:n]
    loss = (1.8 + 480 * N**-0.35 + 2080 * D**-0.366) * np.exp(noise * rng.standard_normal(n))
    return {"params": N, "tokens": D, "loss": loss} | {k: v(N, D) for k, v in more.items()}


def test_the_chinchilla_points_give_4_to_19_tokens_per_parameter_and_say_so(swept):
    low, high = swept.range("ratio")
    assert low < 4.3 and high > 19
    said = next(f for f in swept.findings if f.code == "decision_hangs")
    assert said.severity == "warning" and "tokens per parameter from 1.2 to 2" in said.message
    assert "outliers matters most" in said.message and "Settle that choice" in said.remedy
    assert len(swept.settings) == 30 == len(swept.table())


def test_every_setting_is_the_fit_that_it_names(chinchilla, swept):
    """Two rows of the batch against fits made one by one."""
    law = find("chinchilla")
    kept = chinchilla.take(np.flatnonzero(~chinchilla["outlier_epoch"].astype(bool)))
    for objective in ("log_huber:1e-3", "lsq"):
        row = swept.table().filter(
            (pl.col("law") == "chinchilla") & (pl.col("objective") == objective) & (pl.col("outliers") == "no top 2%")
        )
        own = lawful.fit("chinchilla", kept, objective=objective)  # the five highest losses are Epoch's five
        assert row["points"].item() == 240
        assert row["N"].item() == pytest.approx(float(law.optimum["N"](5.76e23, own.values)), rel=1e-4)
        assert row["ratio"].item() * row["N"].item() == pytest.approx(row["D"].item())


def test_main_effects_are_those_of_an_analysis_of_variance(swept):
    table = swept.table().with_columns(pl.col("ratio").log().alias("z"))
    total = ((table["z"] - table["z"].mean()) ** 2).sum()
    for choice in swept.options:
        means = table.with_columns(pl.col("z").mean().over(choice).alias("m"))["m"]
        assert swept.shares["ratio"][choice] == pytest.approx(((means - table["z"].mean()) ** 2).sum() / total)


def test_a_decision_that_holds_is_said_to_hold():
    made = lawful.compare(runs(), choices=["objective"], flops=1e22, at={"N": 1e10, "D": 2e11}).choices
    assert {f.code for f in made.findings} == {"decision_holds", "forecast_holds"}
    low, high = made.range("ratio")
    assert high / low < 1.5 and made.at == {"N": 1e10, "D": 2e11}
    assert made.noise["N"].lower < made.outcomes["N"][0] < made.noise["N"].upper


def test_the_table_decides_what_is_open():
    plain = lawful.compare(runs(), choices=True, flops=1e22).choices
    assert set(plain.options) == {"law", "objective", "outliers"}
    full = runs(params_nonembed=lambda N, D: N - 50_000 * N ** (1 / 3), flops=lambda N, D: 7.5 * N * D)
    made = lawful.compare(full, choices=["params", "compute"], flops=1e22).choices
    assert made.options == {"params": ("N", "N_nonemb"), "compute": ("6ND", "counted")}
    assert effective_budget(lawful.read(full), 1e22, "counted") == (pytest.approx(1e22 * 6 / 7.5))
    rows = {(s["params"], s["compute"]): i for i, s in enumerate(made.settings)}
    N, D = made.outcomes["N"], made.outcomes["D"]
    assert 6 * N[0] * D[0] == pytest.approx(1e22)
    assert 7.5 * N[rows["N", "counted"]] * D[rows["N", "counted"]] == pytest.approx(1e22)


def test_checkpoints_and_weights_are_choices_where_a_table_has_them(tmp_path):
    data = runs(weight=lambda N, D: D / D.min(), run=lambda N, D: np.array([f"r{i // 6}" for i in range(36)]))
    table = lawful.read(data, weights="weight", run="run")
    made = lawful.compare(table, choices=["checkpoints", "weights"], flops=1e22).choices
    assert made.options == {"checkpoints": ("all", "last"), "weights": ("weight", "equal")}
    last = [i for i, s in enumerate(made.settings) if s["checkpoints"] == "last"]
    assert {made.n[i] for i in last} == {6}


def test_options_of_ones_own():
    made = lawful.compare(runs(), choices={"objective": ["lsq", "log_lsq"], "law": ["chinchilla"]}, flops=1e22).choices
    assert [s["objective"] for s in made.settings] == ["lsq", "log_lsq"]
    assert "objective log_lsq" in str(made) and "default: objective lsq" in str(made)


@pytest.mark.parametrize(
    ("choices", "problem"),
    [
        (["objectiv"], "no choice 'objectiv'; did you mean 'objective'"),
        (["params"], "nothing to choose for 'params'"),
        ({"outliers": ["some"]}, "'some' is none of all, no pullers, no top 2%"),
        ({"law": ["power_law"]}, "does not say which N and D are best"),
        (
            {"objective": [f"log_huber:{k}e-4" for k in range(1, 500)], "law": ["chinchilla", "xlstm", "chinchilla"]},
            "at most",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(choices, problem):
    with pytest.raises(ValueError, match=problem):
        lawful.compare(runs(), choices=choices, flops=1e22)


def test_a_picture_shows_every_combination(swept):
    figure = choices_figure(swept)
    assert len(figure.panels) == 3
    shown = sum(len(layer.x) for layer in figure.panels[0].layers if layer.kind == "points" and layer.role == "data")
    assert shown == 30
    from lawful.plot import draw

    assert len(draw(figure).axes) == 3
