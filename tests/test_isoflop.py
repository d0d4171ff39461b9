"""The other roads to the best size at a budget: isoFLOP profiles and the lower envelope."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawful.isoflop import budgets, envelope, line, minimum, profiles
from lawful.laws.hoffmann import CHINCHILLA, chinchilla, optimal_params

PORIAN = Path(__file__).parents[2] / "shared/data/porian_refinedweb"


def curves(degree=2, noise=0.0, seed=0, a=0.5, sizes=9):
    """Exact polynomials in log N at five budgets, with minima on N = 0.1 C^a."""
    C = np.repeat(np.geomspace(1e18, 1e20, 5), sizes)
    best = 0.1 * C**a
    N = best * np.tile(np.geomspace(0.3, 3, sizes), 5)
    z = np.log(N / best)
    L = 2 + 0.05 * z**2 + (0.01 * z**3 if degree == 3 else 0)
    return N, C / 6 / N, L * np.exp(noise * np.random.default_rng(seed).standard_normal(len(N)))


@pytest.mark.parametrize("degree", [2, 3])
@pytest.mark.parametrize("a", [0.3, 0.5, 0.8])
def test_exact_curves_give_their_power_law(degree, a):
    made = profiles(*curves(degree, a=a), degree=degree, draws=5)
    assert made.a == pytest.approx(a, abs=1e-8) and made.k == pytest.approx(0.1, rel=1e-6)
    assert made.optimum(1e22)[0] == pytest.approx(0.1 * 1e22**a, rel=1e-7)
    assert made.slices[0].lowest == pytest.approx(2, rel=1e-9)


def test_a_parabola_leans_where_a_cubic_does_not():
    N, D, L = curves(3)
    low = N < np.repeat(0.1 * np.geomspace(1e18, 1e20, 5) ** 0.5, 9) * 1.8
    off = [abs(np.log(profiles(N[low], D[low], L[low], degree=d, draws=2).optimum(1e20)[0] / 1e9)) for d in (2, 3)]
    assert off[0] > 0.02 and off[1] < 1e-6


def test_curves_that_are_no_parabolas_are_said():
    bent, plain = (profiles(*curves(d, noise=1e-4), draws=2) for d in (3, 2))
    assert "lack_of_fit" in {f.code for f in bent.findings} and plain.findings == ()
    assert "lack_of_fit" not in {f.code for f in profiles(*curves(3, noise=1e-4), degree=3, draws=2).findings}


def test_cubics_leave_out_sizes_far_from_their_minima():
    v = CHINCHILLA["besiroglu2024"].values
    C = np.repeat(np.geomspace(1e18, 1e21, 7), 13)
    N = optimal_params(C, v) * np.tile(np.geomspace(0.2, 64, 13), 7)
    noise = np.exp(0.001 * np.random.default_rng(0).standard_normal(len(N)))
    made = profiles(N, C / 6 / N, chinchilla.at(v, N=N, D=C / 6 / N) * noise, degree=3, draws=2)
    assert "narrowed" in {f.code for f in made.findings} and max(len(s.params) for s in made.slices) < 13
    assert made.optimum(1e21)[0] == pytest.approx(float(optimal_params(1e21, v)), rel=0.15)


def test_draws_scatter_as_repeated_experiments_do():
    estimates = [np.log(profiles(*curves(noise=0.002, seed=s), draws=1).optimum(1e21)[0]) for s in range(60)]
    sample = np.log(profiles(*curves(noise=0.002), draws=2000).optimum(1e21)[1])
    assert np.std(sample) == pytest.approx(np.std(estimates), rel=0.3)


@given(st.floats(-1, 1), st.floats(0.01, 2), st.floats(-0.3, 0.3))
def test_a_minimum_has_no_slope_and_bends_upwards(x, bend, c3):
    # c1 + 2 c2 z + 3 c3 z^2 with its upward root at x
    c2 = bend - 3 * c3 * x
    c1 = -2 * c2 * x - 3 * c3 * x * x
    assert float(minimum(np.array([1.0, c1, c2, c3]))) == pytest.approx(x, abs=1e-6)


def test_curves_without_a_minimum_are_left_out_and_named():
    N, D, L = curves()
    L[:9] = 2 + 0.01 * np.log(N[:9])  # falls towards small sizes all the way
    made = profiles(N, D, L, draws=5)
    assert made.slices[0].why_not.startswith("no minimum") and "no_minimum" in {f.code for f in made.findings}
    with pytest.raises(ValueError, match="two budgets or more; there are 1"):
        profiles(N[:18], D[:18], L[:18], draws=5)
    with pytest.raises(ValueError, match="degree is 4"):
        profiles(N, D, L, degree=4)


def test_budgets_are_found_among_other_runs():
    C = np.r_[np.full(6, 1e19) * np.linspace(0.95, 1.05, 6), np.full(5, 3e19), 1e17, 1e18, 2e20]
    shuffled = np.random.default_rng(0).permutation(len(C))
    found = [sorted(np.round(C[shuffled][g] / 1e19, 2)) for g in budgets(C[shuffled])]
    assert [len(g) for g in found] == [6, 5] and set(found[1]) == {3.0}


def test_the_envelope_of_final_runs_is_what_no_cheaper_run_beats():
    N, D = np.array([1e8, 2e8, 4e8, 8e8]), np.array([2e9, 4e9, 1e9, 1.6e10])
    C, sizes, lowest = envelope(N, D, np.array([3.0, 2.8, 2.9, 2.5]))
    assert list(sizes) == [1e8, 4e8, 2e8, 8e8]
    assert (np.diff(lowest) < 0).all() and (np.diff(C) > 0).all()


def test_the_envelope_of_training_curves_follows_the_law():
    v = CHINCHILLA["besiroglu2024"]
    N = np.repeat(np.geomspace(1e7, 1e10, 25), 60)
    D = np.tile(np.geomspace(1e8, 1e12, 60), 25)
    C, sizes, _ = envelope(N, D, chinchilla.at("besiroglu2024", N=N, D=D), np.repeat(np.arange(25), 60))
    inside = (sizes > 1e7) & (sizes < 1e10)
    level, a, centre = line(C[inside], sizes[inside])
    assert float(a) == pytest.approx(v["beta"] / (v["alpha"] + v["beta"]), abs=0.01)
    at = np.exp(level + a * (np.log(1e21) - centre))
    assert at == pytest.approx(float(optimal_params(1e21, v)), rel=0.1)


_KEYS = ("hparams", "warmup", "decay", "param_count", "loss_split")


@pytest.mark.skipif(not PORIAN.exists(), reason="needs shared/data/porian_refinedweb beside the repository")
@pytest.mark.parametrize("method", ["basic", "weighted"])
def test_exponents_from_kaplan_to_chinchilla_are_those_of_the_paper(method):
    import polars as pl

    pairs = pl.read_csv(PORIAN / "optimal_pairs.csv").drop_nulls("params_opt")
    printed = pl.read_csv(PORIAN / "published_fits.csv").filter(pl.col("method") == method)
    for row in printed.iter_rows(named=True):
        own = pairs.filter(pl.all_horizontal([pl.col(k) == row[k] for k in _KEYS]))
        C, N, sd = (own[c].to_numpy() for c in ("flops", "params_opt", "params_opt_log_std"))
        level, a, centre = line(C, N, 1 / sd**2 if method == "weighted" else None)
        assert float(a) == pytest.approx(row["n_exponent"], abs=5e-7)
        assert float(np.exp(level - a * centre)) == pytest.approx(row["n_coef"], rel=1e-5)
    assert len(printed) == 10


@pytest.mark.skipif(not PORIAN.exists(), reason="needs shared/data/porian_refinedweb beside the repository")
def test_our_parabolas_find_the_step_from_kaplan_to_chinchilla():
    import polars as pl

    points = pl.read_csv(PORIAN / "isoflop_points.csv")
    chain = (("base", "long", "kaplan", "kaplan", 0.834), ("base", "long", "kaplan", "standard", 0.701),
             ("base", "short", "kaplan", "standard", 0.604), ("base", "short", "chinchilla", "standard", 0.571),
             ("tuned", "short", "const", "standard", 0.497))  # fmt: skip
    for *key, printed in chain:
        own = points.filter(pl.all_horizontal([pl.col(k) == x for k, x in zip(_KEYS, key)]))
        # the paper interpolates near the minimum: far from it, small budgets are no parabola
        own = own.filter(pl.col("loss") < 1.1 * pl.col("loss").min().over("flops"))
        made = profiles(*(own[c].to_numpy() for c in ("params", "tokens", "loss", "flops")), draws=2)
        assert made.a == pytest.approx(printed, abs=0.06)
