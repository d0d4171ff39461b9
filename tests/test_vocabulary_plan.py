"""IsoFLOP vocabularies: found again in made-up runs, and near the published law on the published ones."""

import numpy as np
import pytest

from lawful.vocabulary_plan import isoflop_vocabulary, vocabulary_for

SIZES, WIDTHS = np.array([3e7, 1e8, 3e8, 1e9]), np.array([512, 768, 1024, 2048])
VOCABS = np.array([4096, 6144, 8192, 10240, 16384, 24576, 32768, 48128, 64512])


def made_up(noise=0.0, seed=0, K1=-2.4, K2=-1.2, a2=0.41):
    """Runs whose best vocabulary and size at compute F follow the laws: parabolas around both."""
    rng = np.random.default_rng(seed)
    rows = []
    for N, w in zip(SIZES, WIDTHS):
        for V in VOCABS:
            wander = noise * rng.standard_normal()
            for F in np.geomspace(0.1, 10, 12) * (N * np.exp(-K1)) ** 2:
                best = K2 + a2 * np.log(F) - np.log(w)
                loss = -0.4 * np.log(F) + 0.05 * (np.log(V) - best) ** 2
                loss += 0.3 * (np.log(N) - K1 - 0.5 * np.log(F)) ** 2 + wander
                rows.append((N, V, V * w, F, loss))
    columns = ("params_nonvocab", "vocab_size", "params_vocab", "flops", "loss_unigram")
    return dict(zip(columns, np.array(rows).T))


def test_exact_runs_give_back_the_laws():
    plan = isoflop_vocabulary(made_up(), budgets=40, draws=50)
    assert plan.a2.estimate == pytest.approx(0.41, abs=1e-6)
    assert plan.K2.estimate == pytest.approx(-1.2, abs=1e-4)
    assert plan.K1.estimate == pytest.approx(-2.4, abs=0.2)  # only four sizes to choose from
    best = vocabulary_for(plan, 1e8, 768)
    assert best.lower <= best.estimate <= best.upper
    exact = np.exp(-1.2) * (1e8 * np.exp(-plan.K1.estimate)) ** 0.82 / 768
    assert best.estimate == pytest.approx(exact, rel=1e-3)


def test_budgets_with_the_best_vocabulary_outside_are_reported_not_used():
    plan = isoflop_vocabulary(made_up(K2=-3.0), budgets=20, draws=20)
    assert len(plan.edge) and len(plan.edge) + len(plan.flops) == 20
    assert plan.a2.estimate == pytest.approx(0.41, abs=1e-6)
    with pytest.raises(ValueError, match="0 of 20 budgets have their best vocabulary inside"):
        isoflop_vocabulary(made_up(K2=-9.0), budgets=20)


def test_far_models_are_called_extrapolations():
    plan = isoflop_vocabulary(made_up(), draws=20)
    assert not vocabulary_for(plan, 2e9, 2048).verdict
    assert "70 times" in vocabulary_for(plan, 7e10, 8192).verdict


@pytest.mark.slow
def test_exponent_is_covered():
    reps = 100
    hits = 0
    for seed in range(reps):
        a2 = isoflop_vocabulary(made_up(0.01, seed), draws=200, seed=seed).a2
        hits += a2.lower <= 0.41 <= a2.upper
    assert hits / reps >= 0.82, hits


def test_published_runs(shared):
    import polars as pl

    runs = pl.read_csv(shared / "data" / "vocab" / "runs.csv")
    plan = isoflop_vocabulary(runs, "loss_unigram_normalised", draws=200)
    assert plan.a2.estimate == pytest.approx(0.416, abs=0.02)  # the paper's, from one vocabulary more
    assert plan.a2.lower < 0.416 < plan.a2.upper
    best = vocabulary_for(plan, 7e9, 4096)
    assert best.lower < 62281 < best.upper
