"""Posteriors: known answers, priors with their sources, pooling, and chains that say when they have not settled."""

import sys
from pathlib import Path

import numpy as np
import pytest

import lawful
from lawful.ensemble import Mixture, _moves, around, fit_mixture, peak, sample, split_rhat
from lawful.law import coefficient, law
from lawful.laws import all_laws, find
from lawful.posterior import Posterior, Posteriors, posterior
from lawful.priors import FACTS, Normal, StudentT, literature_priors, published

pytest.importorskip("emcee", reason="needs the extra bayes: emcee")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from posterior_coverage import PROPER, simulate, truth_of


@law()
def line(x, *, a=coefficient(), b=coefficient()):
    return a + b * x


@law()
def level(x, *, a=coefficient()):
    return a + 0 * x


def straight(rng, n=10, sd=0.1):
    x = np.linspace(-1, 1, n)
    return {"x": x, "y": 1 + 2 * x + sd * rng.standard_normal(n)}


def fitted(one, data, **more):
    return lawful.fit(one, data, target="y", objective="lsq", **more)


def test_a_flat_prior_gives_least_squares(rng):
    """The posterior of a linear law is Student's t about the estimates, with the standard errors as its scale."""
    fit = fitted(line, straight(rng))
    made = posterior(fit)
    assert isinstance(made, Posterior) and made.settled
    for i, (name, one) in enumerate(made.intervals().items()):
        se, t = np.sqrt(fit.covariance[i, i]), 2.306  # 8 degrees of freedom
        assert one.estimate == pytest.approx(fit.estimates[name], abs=0.15 * se)
        assert (one.lower, one.upper) == pytest.approx(
            (fit.estimates[name] - t * se, fit.estimates[name] + t * se), abs=0.3 * se
        )
        assert made.alone[name].lower == pytest.approx(fit.estimates[name] - t * se, rel=1e-3)


def test_a_normal_prior_and_normal_errors_have_a_closed_form(rng):
    """200 points, so that the spread is known: precisions add, and the mean is weighted by them."""
    data = straight(rng, 200, 0.5)
    fit = fitted(level, data)
    variance, m, s = fit.covariance[0, 0], 0.9, 0.03
    made = posterior(fit, {"a": (m, s)}, steps=1500)
    precision = 1 / variance + 1 / s**2
    mean = (fit.estimates["a"] / variance + m / s**2) / precision
    assert made.draws.mean() == pytest.approx(mean, abs=0.15 * precision**-0.5)
    assert made.draws.std() == pytest.approx(precision**-0.5, rel=0.08)


def on_a_grid(u, v, log_p):
    """Means and standard deviations of two numbers whose log density is known on a grid (u, v)."""
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    (mu, mv) = (p * u).sum(), (p * v).sum()
    return np.array([mu, mv]), np.sqrt([(p * (u - mu) ** 2).sum(), (p * (v - mv) ** 2).sum()])


@pytest.mark.parametrize(
    ("name", "scale", "prior"),
    [
        ("power_law", "A", {"alpha": (0.25, 0.03)}),
        ("power_law", "A", {"A": (6.2, 0.3)}),
        (
            "kaplan_n",
            "N_c",
            {"N_c": (30.0, 1.0)},
        ),  # its slot is not its log: the slope counts
        ("kaplan_n", "N_c", {}),
    ],
)
def test_two_numbers_agree_with_a_sum_over_a_grid(rng, name, scale, prior):
    """p(log A, alpha | y) = prior RSS^(-n / 2), summed; flat are alpha on 0 to 5 and the log of the term's size."""
    x = 10 ** rng.uniform(6, 9, 8)
    y = (1e13 / x) ** 0.2 * np.exp(0.15 * rng.standard_normal(8))
    made = posterior(lawful.fit(name, {find(name).variables[0]: x, "y": y}, target="y"), prior)
    assert isinstance(made, Posterior) and made.settled
    alpha = np.linspace(0.005, 0.6, 600)[None]
    term = np.log(np.median(y)) + np.linspace(-1, 1, 600)[:, None]  # log size at the middle of the data
    middle = np.median(np.log(x))
    log_scale = term + alpha * middle if scale == "A" else middle + term / alpha
    residual = np.log(y) - (term[:, :, None] - alpha[:, :, None] * (np.log(x) - middle))
    log_p = -4 * np.log((residual**2).sum(2))  # n / 2 = 4
    for one, (mean, sd) in prior.items():
        log_p = log_p - 0.5 * (((alpha if one == "alpha" else log_scale) - mean) / sd) ** 2
        log_p = log_p - (np.log(alpha) if one == "N_c" else 0)  # d log N_c = d log(term) / alpha
    mean, sd = on_a_grid(np.broadcast_to(alpha, log_p.shape), np.broadcast_to(term, log_p.shape), log_p)
    drawn = made.draws[:, made.names.index("alpha")], np.log(made.draws[:, made.names.index(scale)])
    ours = np.stack([drawn[0], drawn[1] - drawn[0] * middle if scale == "A" else (drawn[1] - middle) * drawn[0]])
    assert ours.mean(1) == pytest.approx(mean, abs=0.1 * sd.min())
    assert ours.std(1) == pytest.approx(sd, rel=0.08)


def small_study(rng, n=10):
    N, D = 10 ** rng.uniform(7.5, 9.5, n), 10 ** rng.uniform(9, 10.8, n)
    L = (1.8 + 480 * N**-0.34 + 2080 * D**-0.36) * np.exp(0.01 * rng.standard_normal(n))
    return lawful.fit("chinchilla", {"N": N, "D": D, "loss": L})


def test_published_exponents_narrow_a_small_study(rng):
    fit = small_study(rng)
    made = posterior(fit, "literature", steps=300)
    assert set(made.priors) == {"alpha", "beta"}
    mine, alone = made.intervals()["beta"], made.alone["beta"]
    assert mine.upper - mine.lower < alone.upper - alone.lower
    assert "hoffmann2022" in str(made) and "runs alone" in str(made)
    (forecast,) = made.predict(N=7e10, D=1.4e12)
    assert forecast.lower < forecast.estimate < forecast.upper and forecast.method == "posterior"


def test_every_published_exponent_has_a_source():
    for variable, form in (("N", "E"), ("D", "E"), ("N", "0")):
        studies = published(variable, form)
        assert len(studies) >= 3 and len(studies) == len(set(studies))
    assert published("N", "E")["hoffmann2022"] == pytest.approx(0.343, abs=0.01)  # the paper and its refits, once
    assert all(f.source and f.study for f in FACTS)
    prior = literature_priors(find("chinchilla"), ("E", "alpha", "beta"))["alpha"]
    x = np.array(list(published("N", "E").values()))
    assert isinstance(prior, StudentT) and prior.dof == len(x) - 1
    assert (prior.mean, prior.scale) == pytest.approx((x.mean(), x.std(ddof=1) * np.sqrt(1 + 1 / len(x))))


def test_facts_are_those_of_the_table_of_published_exponents(shared):
    import polars as pl

    table = pl.read_csv(shared / "data" / "published_exponents" / "exponents.csv").filter(
        pl.col("work") == "Olmo Hybrid"
    )
    for variable, column in (("N", "alpha"), ("D", "beta")):
        assert sorted(f.value for f in FACTS if f.variable == variable) == sorted(table[column].to_list())


def test_priors_are_densities_with_the_ends_they_say():
    x = np.linspace(-40, 40, 400_001)
    for prior in (Normal(1.0, 0.5), StudentT(1.0, 0.5, 4)):
        p = np.exp(prior.log_density(x))
        low, high = prior.ends(0.9)
        assert p[(x > low) & (x < high)].sum() / p.sum() == pytest.approx(0.9, abs=1e-3)


def groups(rng, count=5):
    """Lines with slopes about 2 +- 0.2, each known to 0.15 or so."""
    x = np.linspace(-1, 1, 12)
    y = [1 + (2 + 0.2 * rng.standard_normal()) * x + 0.3 * rng.standard_normal(12) for _ in range(count)]
    data = {"x": np.tile(x, count), "y": np.concatenate(y), "family": np.repeat(list("abcdefghij")[:count], 12)}
    return fitted(line, data, by="family")


def test_pooling_is_the_normal_normal_model(rng):
    """Against the closed form: given mu and tau, each estimate is shrunk to mu by its precision."""
    fits = groups(rng)
    made = posterior(fits, pool=("b",), steps=850)
    assert isinstance(made, Posteriors) and set(made) == set(fits)
    mu, tau = made.pooled["b"]
    b = np.array([f.estimates["b"] for f in fits.values()])
    se = np.array([np.sqrt(f.covariance[1, 1]) for f in fits.values()])
    # E(alpha_g | y) by summing the closed form over a grid of mu and tau, flat in both
    M, T = np.meshgrid(
        np.linspace(b.min() - 0.2, b.max() + 0.2, 301), np.linspace(1e-3, 3 * np.ptp(b), 300), indexing="ij"
    )
    v = se[:, None, None] ** 2 + T**2
    log_w = (-0.5 * np.log(v) - 0.5 * (b[:, None, None] - M) ** 2 / v).sum(0)
    w = np.exp(log_w - log_w.max())
    shrunk = (b[:, None, None] / se[:, None, None] ** 2 + M / T**2) / (1 / se[:, None, None] ** 2 + 1 / T**2)
    expected = (shrunk * w).sum((1, 2)) / w.sum()
    ours = [one.intervals()["b"].estimate for one in made.values()]
    assert ours == pytest.approx(expected, abs=0.3 * se.mean())
    assert mu.estimate == pytest.approx((M * w).sum() / w.sum(), abs=0.3 * se.mean())
    assert np.std(ours) < np.std(b) and 0 < tau.lower < tau.estimate < tau.upper
    assert "mean" in str(made) and "family = a" in str(made)


def test_a_prior_against_the_runs_is_said_to_be(rng):
    made = posterior(fitted(line, straight(rng)), {"b": (5.0, 0.1)}, steps=200)
    assert any(f.code == "prior_conflict" and f.severity == "warning" for f in made.findings)


def test_a_chain_too_short_is_not_believed(rng):
    made = posterior(small_study(rng), steps=60)
    assert not made.settled
    assert "not settled" in next(f.message for f in made.findings if f.code == "not_converged")
    assert made.intervals()["alpha"].verdict.startswith("cannot tell")


def test_split_rhat_is_its_textbook_formula(rng):
    chain = rng.standard_normal((1000, 8, 2))
    assert split_rhat(chain) == pytest.approx(1.0, abs=0.01)
    chain[:, 0, 1] += 3
    assert split_rhat(chain)[0] < 1.01 < 1.2 < split_rhat(chain)[1]
    parts = np.concatenate([chain[:500, :, 0], chain[500:, :, 0]], axis=1)
    W, B = parts.var(0, ddof=1).mean(), 500 * parts.mean(0).var(ddof=1)
    assert split_rhat(chain)[0] == pytest.approx(np.sqrt((499 / 500 * W + B / 500) / W))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"prior": "books"}, "prior is 'books'; allowed: 'literature'"),
        ({"prior": {"gamma": (1, 1)}}, "no free number 'gamma'; it has a, b"),
        ({"prior": {"b": (1, 0)}}, "the sd positive"),
        ({"prior": "literature"}, "fewer than 3 studies"),
        ({"pool": ("b",)}, "this is one fit"),
    ],
)
def test_what_cannot_be_asked_is_refused(rng, options, problem):
    with pytest.raises(ValueError, match=problem):
        posterior(fitted(line, straight(rng)), **options)


def test_robust_fits_have_no_likelihood(rng):
    fit = lawful.fit(line, straight(rng), target="y", objective="huber:1e-2")
    with pytest.raises(ValueError, match="needs a likelihood, and huber"):
        posterior(fit)


def test_without_emcee_the_extra_is_named(rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "emcee", None)
    with pytest.raises(ImportError, match=r"pip install 'lawful\[bayes\]'"):
        posterior(fitted(line, straight(rng)))


def test_laws_named_in_the_priors_are_in_the_catalogue():
    from lawful import priors

    named = {k for form in priors._FORMS.values() for k in form} | {k for s in priors._SETS.values() for k, _ in s}
    assert named <= set(all_laws())


def test_a_mixture_is_a_density_and_finds_two_valleys(rng):
    """Two narrow normals far apart, begun at one of them: annealed importance finds the other, and their shares."""

    def density(x):
        first = -0.5 * ((x[:, 0] + 3) ** 2 + x[:, 1] ** 2) / 0.3**2
        second = -0.5 * ((x[:, 0] - 3) ** 2 + (x[:, 1] - 1) ** 2) / 0.3**2 + np.log(2)
        return np.logaddexp(first, second)

    start = around(np.array([[-3.0, 0.0]]), np.eye(2)[None])
    made = sample(density, start, lambda x: x, 1600, 0)
    assert made.settled
    assert (made.places[..., 0] > 0).mean() == pytest.approx(2 / 3, abs=0.03)
    grid = np.stack(np.meshgrid(np.linspace(-40, 40, 801), np.linspace(-40, 40, 801)), -1).reshape(-1, 2)
    where = fit_mixture(made.places.reshape(-1, 2)[:4000], rng)
    p = np.exp(where.log_density(grid))
    x = where.draw(100_000, rng)
    assert x.mean(0) == pytest.approx((p[:, None] * grid).sum(0) / p.sum(), abs=0.05)


@pytest.mark.parametrize("which", [0, 1])
def test_each_move_alone_leaves_a_normal_as_it_is(which):
    """Five numbers of scale 0.05, and for the jumps a mixture that is off. (emcee's snooker gives 0.6 of the scale.)"""
    import emcee

    where = Mixture(
        np.array([0.6, 0.4]), np.array([[0.03] * 5, [0.0] * 5]), np.stack([0.04 * np.eye(5), 0.1 * np.eye(5)])
    )
    move = _moves(where)[which][0]
    run = emcee.EnsembleSampler(64, 5, lambda x: -0.5 * ((x / 0.05) ** 2).sum(1), vectorize=True, moves=move)
    begin = 0.05 * np.random.default_rng(1).standard_normal((64, 5))
    run.run_mcmc(emcee.State(begin, random_state=np.random.RandomState(1).get_state()), 1500)
    x = run.get_chain(discard=100, flat=True)
    assert x.std(0) == pytest.approx(0.05, rel=0.05)
    assert x.mean(0) == pytest.approx(0.0, abs=0.004)


def test_the_highest_maximum_is_found_though_the_runs_point_elsewhere():
    """A world in which loss hardly falls with data: chains begun at the runs' optimum and at the priors' means settled
    at a maximum whose log density is eight lower, and beta's interval was wrong by several of its lengths."""
    rng = np.random.default_rng([48, 20, 3])
    truth = truth_of("all", rng)
    sigma = np.exp(rng.uniform(np.log(0.003), np.log(0.03)))
    N, D = 10 ** rng.uniform(7.5, 9.5, 20), 10 ** rng.uniform(9, 10.8, 20)
    loss = find("chinchilla").at(truth, N=N, D=D) * np.exp(sigma * rng.standard_normal(20))
    made = posterior(lawful.fit("chinchilla", {"N": N, "D": D, "loss": loss}), PROPER, seed=48)
    low, high = np.percentile(made.draws[:, made.names.index("beta")], [0.5, 99.5])
    assert made.settled and low < truth["beta"] < high < 0.1


def test_a_peak_is_found_with_its_curvature():
    S = np.array([[0.04, 0.03], [0.03, 0.09]])
    inverse = np.linalg.inv(S)
    place, covariance = peak(lambda x: -0.5 * np.einsum("ri,ij,rj->r", x - 2, inverse, x - 2), np.zeros(2))
    assert place == pytest.approx([2, 2], abs=1e-4) and covariance == pytest.approx(S, rel=1e-3)


@pytest.mark.slow
def test_intervals_hold_truths_drawn_from_the_prior():
    """20 worlds in which every number has a proper prior: coverage, and ranks of the truth among the draws.
    The full table is that of benchmarks/posterior_coverage.py."""
    tally = simulate("all 20", 20)
    assert np.mean(tally.settled) >= 0.9
    for name in ("alpha", "beta", "E", "forecast"):
        held, error = tally.coverage(name)
        assert abs(held - 0.9) <= 0.03 + 2.6 * error, (name, held)
        assert tally.uniform(name) > 1e-3, (name, tally.rank[name])


@pytest.mark.simulation
def test_intervals_hold_in_the_worlds_of_the_table():
    for label, worlds in (("all 20", 200), ("published 50", 200), ("pooled", 60)):
        tally = simulate(label, worlds)
        assert np.mean(tally.settled) >= 0.95, label
        for name in ("alpha", "beta", "forecast", "alpha of a group"):
            if name in tally.held:
                held, error = tally.coverage(name)
                assert abs(held - 0.9) <= 0.03 + 2 * error, (label, name, held)


def test_a_chosen_law_is_fitted_again_by_squares():
    x = np.geomspace(1e6, 1e9, 12)
    runs = {"N": x, "L": (1.7 + 20 * x**-0.15) * np.exp(0.003 * np.random.default_rng(0).standard_normal(12))}
    chosen = lawful.fit("auto", runs)
    assert chosen.objective.name == "log_huber"
    made = lawful.posterior(chosen, steps=400)
    assert made.fit.objective.name == "log_lsq" and "fitted again by log_lsq" in str(made)
    named = lawful.fit("power_law_constant", runs, objective="log_huber:1e-3")
    with pytest.raises(ValueError, match="is none: fit with log_lsq"):
        lawful.posterior(named)
