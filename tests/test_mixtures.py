"""Best mixtures: against published runs, brute force, and the truth of simulated ones."""

import numpy as np
import pytest

from lawful.laws import find
from lawful.mixtures import best_mixture, regmix

DOMAINS = ["web", "code", "books"]
TRUTH = {
    "loss_web": dict(c=2.6, k=0.4, t=(-2.0, 0.6, 0.2)),
    "loss_code": dict(c=1.1, k=0.9, t=(0.3, -3.5, 0.5)),
}
WEIGHTS = {"loss_web": 0.7, "loss_code": 0.3}


def simulated(rng, n=30, noise=0.01):
    shares = rng.dirichlet(np.ones(3), n)
    runs = {name: shares[:, i] for i, name in enumerate(DOMAINS)}
    for target, v in TRUTH.items():
        runs[target] = find("ye_mixing").at(v, mixture=shares.T) + noise * rng.standard_normal(n)
    return runs


def true_loss(mixture):
    mixture = np.atleast_2d(mixture).T
    return sum(w * find("ye_mixing").at(TRUTH[t], mixture=mixture) for t, w in WEIGHTS.items())


def test_exact_runs_lead_to_the_true_optimum(rng):
    plan = best_mixture(simulated(rng, noise=0.0), DOMAINS, WEIGHTS, limits="none", draws=5)
    grid = rng.dirichlet(np.ones(3), 200_000)
    assert plan.loss.estimate == pytest.approx(true_loss(plan.mixture)[0], abs=1e-8)
    assert true_loss(grid).min() - 1e-4 < plan.loss.estimate < true_loss(grid).min()
    assert plan.mixture == pytest.approx(grid[true_loss(grid).argmin()], abs=0.01)
    assert plan.mixture.sum() == pytest.approx(1)


def test_no_share_beyond_the_limits(rng):
    runs = simulated(rng)
    capped = best_mixture(runs, DOMAINS, WEIGHTS, limits={"code": (0.0, 0.1)}, draws=5)
    assert capped.shares["code"].estimate == pytest.approx(0.1)
    assert capped.shares["code"].upper <= 0.1 + 1e-9
    tried = best_mixture(runs, DOMAINS, {"loss_web": 1.0}, draws=5)
    assert all(runs[d].min() - 1e-9 <= tried.shares[d].estimate <= runs[d].max() + 1e-9 for d in DOMAINS)


@pytest.mark.parametrize(
    "limits, said",
    [
        (dict.fromkeys(DOMAINS, (0, 0.1)), "the highs to 0.3"),
        ("hull", "'tried', 'none'"),
        ({"cod": (0, 1)}, "web, code, books"),
    ],
)
def test_impossible_limits_are_refused(rng, limits, said):
    with pytest.raises(ValueError, match=said):
        best_mixture(simulated(rng), DOMAINS, WEIGHTS, limits=limits)


def test_shares_must_sum_to_one(rng):
    runs = simulated(rng)
    runs["web"] = runs["web"] + np.eye(30)[4] * 0.2
    with pytest.raises(ValueError, match="row 4 has shares that sum to 1.2"):
        regmix(runs, DOMAINS, "loss_web")


def test_noise_alone_gains_nothing(rng):
    runs = simulated(rng) | {"loss_web": 3 + 0.01 * rng.standard_normal(30)}
    gain = regmix(runs, DOMAINS, "loss_web", simulated=2000, draws=60).gain
    assert gain.lower < 0.02 and abs(gain.estimate) < 0.03


@pytest.mark.slow
def test_loss_at_the_best_mixture_is_covered():
    reps, hits, gains = 60, 0, 0
    for seed in range(reps):
        runs = simulated(np.random.default_rng(seed))
        plan = best_mixture(runs, DOMAINS, WEIGHTS, draws=100, seed=seed)
        truth = true_loss(plan.mixture)[0]
        hits += plan.loss.lower <= truth <= plan.loss.upper
        middle = true_loss(np.mean([runs[d] for d in DOMAINS], axis=1))[0]
        gains += plan.gain.lower <= middle - truth <= plan.gain.upper
    assert hits / reps >= 0.8 and gains / reps >= 0.8, (hits, gains)  # of 90 % intervals, sampling error 4 %


@pytest.mark.slow
def test_loss_of_regmix_is_covered_where_the_regression_is_right():
    reps, hits, w = 100, 0, np.array([3.0, 2.0, 2.5])
    for seed in range(reps):
        rng = np.random.default_rng(seed)
        runs = simulated(rng, n=60)
        shares = np.column_stack([runs[d] for d in DOMAINS])
        runs["loss"] = shares @ w + 0.1 * rng.standard_normal(60)
        plan = regmix(runs, DOMAINS, "loss", simulated=2000, best=20, draws=200, seed=seed)
        hits += plan.loss.lower <= plan.mixture @ w <= plan.loss.upper
    assert hits / reps >= 0.82, hits


def table(path, **options):
    import polars as pl

    return pl.read_csv(path, **options)


def test_regmix_ranks_unseen_mixtures_as_its_paper_says(shared):
    from scipy.stats import spearmanr

    train, test = (table(shared / "data" / "regmix" / f"{part}_1m.csv") for part in ("train", "test"))
    mixture = [c for c in train.columns if c.startswith("mix_")]
    plan = regmix(train, mixture, "loss_pile_cc", draws=20)
    fitted = plan.fits["loss_pile_cc"]
    published = find("regmix_linear").published("liu2024regmix_pilecc")["w"]
    assert fitted.values["w"] == pytest.approx(published, abs=0.05)  # theirs without rescaling rounded shares to 1
    unseen, loss = test.select(mixture).to_numpy(), test["loss_pile_cc"].to_numpy()
    assert spearmanr(fitted.predict(mixture=unseen.T), loss)[0] == pytest.approx(0.90, abs=0.005)
    assert max(plan.shares, key=lambda name: plan.shares[name].estimate) == "mix_pile_cc"
    assert plan.gain.lower > 0


def test_mixing_laws_of_five_domains(shared):
    import polars as pl

    folder = shared / "data" / "mixing_laws"
    losses = pl.read_parquet(folder / "losses.parquet").filter(
        (pl.col("series") == "5Mix") & (pl.col("step") == 30000) & (pl.col("size") == "70M")
    )
    losses = losses.join(table(folder / "valid_weights.csv"), on="eval_domain")
    shares = [f"p{i}" for i in range(1, 6)]
    mean = (pl.col("loss") * pl.col("weight")).sum() / pl.col("weight").sum()
    groups = losses.group_by("mixture_id", "group", *shares, maintain_order=True).agg(mean.alias("loss"))
    runs = groups.pivot(on="group", index=["mixture_id", *shares], values="loss")
    plan = best_mixture(runs, shares, {"academic": 0.5, "internet": 0.5}, draws=10)
    for group, printed in (("academic", "ye2024_academic"), ("internet", "ye2024_internet")):
        fitted = plan.fits[group]
        assert 1 - fitted.rss / ((fitted.points.y - fitted.points.y.mean()) ** 2).sum() > 0.98
        law, mixture = find("ye_mixing"), fitted.points.X["mixture"]
        # the published fit had six more mixtures
        assert np.abs(law.at(printed, mixture=mixture) - fitted.points.y).max() < 0.08
        assert fitted.values["c"] == pytest.approx(law.published(printed)["c"], abs=0.02)
    assert plan.shares["p1"].estimate + plan.shares["p5"].estimate > 0.7
