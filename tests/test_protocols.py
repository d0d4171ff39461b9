"""Published recipes repeat published fits, and every route reaches what its optimiser can."""

import csv
from dataclasses import replace

import numpy as np
import pytest

import lawful
from lawful import protocols
from lawful.laws import find
from lawful.protocols import GENERIC, PROTOCOLS, PUBLISHED, SOLVERS
from lawful.routes import Aim

# Grids cut to the starts around the answer, so that a test takes a second and not a minute.
NEAR = {"amplitude": (5.0, 10.0), "offset": (0.5,), "exponent": (0.0, 0.5)}
OPTIMUM = 0.0010182740178006  # of the 240 points, found by every exact solver


@pytest.fixture(scope="session")
def epoch(shared) -> dict[str, np.ndarray]:
    """The 245 runs read off Hoffmann et al.'s figure, without the five that Besiroglu et al. drop."""
    with (shared / "data" / "chinchilla_epoch" / "chinchilla_points.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["outlier_epoch"].lower() not in ("true", "1")]
    columns = {"N": "params", "D": "tokens", "L": "loss"}
    return {symbol: np.array([float(row[column]) for row in rows]) for symbol, column in columns.items()}


@pytest.fixture(scope="module")
def curve() -> dict[str, np.ndarray]:
    """Twelve exact points of a power law with a constant."""
    x = np.geomspace(1e7, 1e10, 12)
    return {"x": x, "y": 1.7 + 300 * x**-0.35}


@pytest.fixture
def few(monkeypatch):
    """Fewer starts than the protocols take."""
    monkeypatch.setattr(protocols, "_MOST", 32)
    monkeypatch.setattr(protocols, "_DRAWS", {"random": 24, "data": 8})
    monkeypatch.setattr(protocols, "_ADAM", 8)


def cut(name: str, monkeypatch) -> None:
    monkeypatch.setitem(PROTOCOLS, name, replace(PROTOCOLS[name], grid=NEAR))


def check_besiroglu(fit) -> None:
    published = find("chinchilla").published("besiroglu2024_huber").values
    assert OPTIMUM * (1 - 1e-12) <= fit.F <= OPTIMUM * (1 + 1e-6)
    for name, value in fit.estimates.items():
        assert value == pytest.approx(published[name], rel=1e-3), name


def test_the_recipe_of_besiroglu_gives_their_parameters(epoch, monkeypatch):
    assert len(epoch["L"]) == 240
    cut("besiroglu2024", monkeypatch)
    check_besiroglu(lawful.fit("chinchilla", epoch, protocol="besiroglu2024"))


@pytest.mark.slow
def test_the_whole_grid_of_besiroglu_gives_their_parameters(epoch):
    fit = lawful.fit("chinchilla", epoch, protocol="besiroglu2024")
    assert fit.search.starts == 4500
    check_besiroglu(fit)


def test_averaging_the_losses_stops_the_recipe_early(epoch, monkeypatch):
    cut("hoffmann2022", monkeypatch)
    fit = lawful.fit("chinchilla", epoch, protocol="hoffmann2022")
    assert fit.F > 1.05 * OPTIMUM
    again = lawful.fit("chinchilla", epoch, objective="log_huber:1e-3")
    assert again.F <= OPTIMUM * (1 + 1e-9)


def test_the_start_of_bhagia_is_theirs_and_its_numbers_stay_positive(epoch):
    fit = lawful.fit("chinchilla", epoch, protocol="bhagia2024")
    assert fit.search.starts == 1
    assert min(fit.estimates.values()) >= 0
    assert fit.objective.delta == 1e-3 and fit.objective.log


def test_the_recipe_of_gadre_is_least_squares_on_the_value(curve):
    fit = lawful.fit("power_law_constant", curve, protocol="gadre2024")
    assert fit.search.starts == 4 * 4 * 2
    assert fit.objective.name == "lsq"
    assert fit.estimates == pytest.approx({"A": 300, "alpha": 0.35, "E": 1.7}, rel=1e-4)


def test_exponents_may_be_tied_as_muennighoff_do(epoch, monkeypatch):
    cut("muennighoff2023", monkeypatch)
    fit = lawful.fit("chinchilla", epoch, protocol="muennighoff2023", tied={"beta": "alpha"})
    free = lawful.fit("chinchilla", epoch, objective="log_huber:1e-3", tied={"beta": "alpha"})
    assert fit.values["alpha"] == fit.values["beta"] == pytest.approx(free.values["alpha"], rel=1e-2)
    assert free.F <= fit.F <= free.F * 1.001


@pytest.mark.parametrize("name", GENERIC)
def test_every_generic_route_fits_an_exact_curve(name, curve, few):
    fit = lawful.fit("power_law_constant", curve, protocol=name, objective="log_lsq", seed=3)
    rough = name.startswith("adam")
    assert fit.fitted == pytest.approx(curve["y"], rel=0.05 if rough else 1e-3)
    assert fit.search.starts <= 32
    assert fit.settings.protocol == name


def test_a_route_minimises_the_objective_asked_for(epoch, few):
    fit = lawful.fit("chinchilla", epoch, protocol="scipy-least-squares:data", objective="log_huber:1e-3")
    assert fit.F == pytest.approx(OPTIMUM, rel=1e-9)


def test_a_seed_gives_the_same_draws_and_another_others(curve, few):
    fits = [lawful.fit("power_law_constant", curve, protocol="scipy-bfgs:random", seed=s) for s in (1, 1, 2)]
    assert fits[0].F == fits[1].F
    assert fits[0].search.optima != fits[2].search.optima


def test_a_grid_covers_laws_with_breaks(monkeypatch):
    monkeypatch.setattr(protocols, "_MOST", 4)  # fewer than two levels of six numbers: drawn from the grid
    x = np.geomspace(1, 1e4, 30)
    y = find("bnsl_1").at({"a": 0.1, "b": 2.0, "c0": 0.1, "c1": 0.6, "d1": 100.0, "f1": 0.3}, x=x)
    fit = lawful.fit("bnsl_1", {"x": x, "y": y}, protocol="scipy-lbfgsb:grid", objective="log_lsq")
    assert np.isfinite(fit.F) and fit.search.starts == 4


def test_slopes_by_finite_differences_agree_with_the_exact_ones(epoch):
    fit = lawful.fit("chinchilla", epoch, objective="log_huber:1e-2")
    moved = protocols._moved(fit.model, ("amplitude", "offset"))
    theta = moved.search(fit.model.natural(fit.theta[None])) * 1.01
    exact, rough = (Aim(moved, fit.problems, fit.objective, exact=e) for e in (True, False))
    assert exact.slopes(theta)[0] == pytest.approx(rough.slopes(theta)[0], rel=1e-12)
    assert exact.slopes(theta)[1] == pytest.approx(rough.slopes(theta)[1], rel=1e-4)
    mean = replace(exact, mean=True)
    assert mean.slopes(theta)[1] * 240 == pytest.approx(exact.slopes(theta)[1])
    assert mean.value(theta) * 240 == pytest.approx(exact.value(theta))


def test_every_protocol_says_where_it_comes_from():
    assert all(p.source and p.solver in SOLVERS for p in PROTOCOLS.values())
    assert all(p.objective and p.grid for p in PUBLISHED.values())
    assert np.prod([len(PUBLISHED["hoffmann2022"].grid[k]) for k in
                    ("offset", "amplitude", "amplitude", "exponent", "exponent")]) == 4500  # fmt: skip


@pytest.mark.parametrize(
    "law, options, message",
    [
        ("power_law_constant", {"protocol": "hofmann2022"}, "'hofmann2022' is unknown; did you mean 'hoffmann2022'"),
        ("power_law_constant", {"protocol": "hoffmann2022", "objective": "lsq"}, "minimises log_huber:1e-3, not lsq"),
        ("bnsl_1", {"protocol": "hoffmann2022"}, "no starts for d1, which is location.*Take scipy-lbfgsb:grid"),
        ("power_law", {"protocol": "scipy-least-squares", "objective": "log_envelope"}, "cannot minimise"),
    ],
)
def test_what_a_protocol_cannot_do_is_said(law, options, message, curve):
    with pytest.raises(ValueError, match=message):
        lawful.fit(law, curve, **options)


def test_values_that_the_law_forbids_are_refused_with_the_remedy(few):
    x = np.geomspace(1e7, 1e10, 12)
    rising = {"x": x, "y": 0.01 * x**0.2}
    with pytest.raises(ValueError, match=r"stops at alpha = -0\.2, .*bounds=\{'alpha': \(-inf, inf\)\}"):
        lawful.fit("power_law", rising, protocol="scipy-least-squares:grid")
    fit = lawful.fit("power_law", rising, protocol="scipy-least-squares:grid", bounds={"alpha": (-np.inf, np.inf)})
    assert fit.estimates["alpha"] == pytest.approx(-0.2)
