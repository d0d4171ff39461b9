"""Skills and capabilities: simulated truths come back, intervals cover them, larger models of the published tables."""

import numpy as np
import pytest
from scipy.special import expit

import lawful
from lawful.skills import (
    capabilities,
    capability_at,
    observational,
    score_at_flops,
    score_from_benchmarks,
    scores_at,
    skills,
)

BENCHMARKS = ["a", "b", "c", "d", "e"]


def models(rng, families=8, sizes=5, noise=0.015, missing=0.0):
    """Two skills that grow alike in every family; scores of five benchmarks and of a hidden task."""
    code = np.repeat(np.arange(families), sizes)
    N = np.tile(np.geomspace(2e8, 2e10, sizes), families) * rng.uniform(0.8, 1.25, len(code))
    D = rng.uniform(0.3e12, 2e12, families)[code]
    x = np.stack([np.log10(N / 1e9), np.log10(D / 1e12)])
    skill = rng.normal(0, 0.5, (families, 2))[code] + x.T @ np.array([[0.9, 0.3], [0.4, 0.2]])
    loadings = np.array([[1.0, 0.0], [0.8, 0.3], [0.6, 0.6], [0.3, 0.9], [1.2, -0.2]])
    scores = 0.2 + 0.8 * expit(skill @ loadings.T + np.linspace(-1, 0.5, 5))
    seen = scores + noise * rng.standard_normal(scores.shape)
    seen[rng.random(seen.shape) < missing] = np.nan
    table = {b: seen[:, i] for i, b in enumerate(BENCHMARKS)}
    hidden = 0.05 + 0.95 * expit(4 * (scores @ [0.5, 0.1, 0.0, 0.1, 0.6] - 0.7))  # of the scores, as the law has it
    return table | {
        "family": np.array([f"f{c}" for c in code]), "params": N, "tokens": D, "flops": 6 * N * D,
        "hidden": np.clip(hidden + noise * rng.standard_normal(len(code)), 0, 1), "truth": scores,
    }  # fmt: skip


def rows(table, index):
    return {k: v[index] for k, v in table.items()}


def largest(table, sizes=5):
    place = np.arange(len(table["params"])) % sizes == sizes - 1
    return rows(table, ~place), rows(table, place)


def test_components_are_those_of_the_singular_values_and_fill_gaps_along_the_first(rng):
    table = models(rng, noise=0.0)
    x = np.column_stack([table[b] for b in BENCHMARKS])
    found = capabilities(table, BENCHMARKS, 2)
    s = np.linalg.svd(x - x.mean(0), compute_uv=False)
    assert found.explained == pytest.approx(s[:2] ** 2 / (s**2).sum())
    assert found.loadings @ found.loadings.T == pytest.approx(np.eye(2), abs=1e-12)
    assert found.of(table) == pytest.approx(found.scores)
    line = np.outer(rng.uniform(-1, 1, 30), [0.1, 0.2, 0.3]) + 0.5
    gone = line.copy()
    gone[[0, 5, 9], [0, 1, 2]] = np.nan
    filled = capabilities(dict(zip("xyz", gone.T)), list("xyz"), 1)
    assert filled.imputed == 3
    assert filled.mean + filled.scores @ filled.loadings == pytest.approx(line, abs=1e-6)
    assert filled.of(dict(zip("xyz", gone.T))) == pytest.approx(filled.scores, abs=1e-6)


def test_lines_are_those_of_the_catalogues_law(rng):
    table = models(rng)
    found = observational(table, "hidden", BENCHMARKS, components=1, shared_slope=False, draws=10)
    S = {"C": table["flops"], "S": found.capabilities.scores[:, 0], "family": table["family"]}
    line = lawful.fit("ruan_capability", S, target="S", by="family", objective="lsq")["f3"]
    assert capability_at(found, "f3", 1e24)[0][0] == pytest.approx(line.predict(C=1e24), rel=1e-8)


def test_exact_scores_give_exact_predictions_of_larger_models(rng):
    small, large = largest(models(rng, noise=0.0))
    found = skills(small, BENCHMARKS, floors=dict.fromkeys(BENCHMARKS, 0.2))
    for i, family in enumerate(large["family"]):
        made = scores_at(found, family, large["params"][i], large["tokens"][i])
        assert [made[b].estimate for b in BENCHMARKS] == pytest.approx(large["truth"][i], abs=2e-3)


def test_one_skill_is_not_enough_for_two(rng):
    small, large = largest(models(rng, noise=0.005))
    miss = {}
    for d in (1, 2):
        found = skills(small, BENCHMARKS, dimension=d, floors=dict.fromkeys(BENCHMARKS, 0.2))
        made = [scores_at(found, *(large[k][i] for k in ("family", "params", "tokens"))) for i in range(8)]
        estimates = np.array([[m[b].estimate for b in BENCHMARKS] for m in made])
        miss[d] = np.abs(estimates - large["truth"]).mean()
    assert miss[2] < 0.5 * miss[1]


@pytest.mark.slow
def test_intervals_of_larger_models_cover_what_they_score():
    by_skill, by_score, by_flops = [], [], []
    for seed in range(25):
        small, large = largest(models(np.random.default_rng(seed), missing=0.05))
        found = skills(small, BENCHMARKS, floors=dict.fromkeys(BENCHMARKS, 0.2))
        seen = observational(small, "hidden", BENCHMARKS, components=2, draws=100, seed=seed)
        scored = score_from_benchmarks(seen, large)
        for i, family in enumerate(large["family"]):
            made = scores_at(found, family, large["params"][i], large["tokens"][i])
            by_skill += [made[b].lower <= large[b][i] <= made[b].upper for b in BENCHMARKS if large[b][i] > 0]
            by_score.append(scored[i].lower <= large["hidden"][i] <= scored[i].upper)
            ahead = score_at_flops(seen, family, large["flops"][i])
            by_flops.append(ahead.lower <= large["hidden"][i] <= ahead.upper)
    shares = [float(np.mean(hits)) for hits in (by_skill, by_score, by_flops)]
    # of 90 % intervals; larger models are rarer than a rolling origin within small ones makes believe
    assert all(0.8 <= share <= 0.98 for share in shares), shares


def test_missing_scores_and_strangers_are_refused_in_words(rng):
    table = models(rng)
    with pytest.raises(ValueError, match="'f33' was not among the runs"):
        scores_at(skills(table, BENCHMARKS), "f33", 1e9, 1e12)
    with pytest.raises(ValueError, match="would predict itself"):
        observational(table, "a", BENCHMARKS)
    with pytest.raises(ValueError, match="components is 9; 40 models and 5 benchmarks"):
        capabilities(table, BENCHMARKS, 9)
    with pytest.raises(ValueError, match="no column 'z'"):
        capabilities(table, ["a", "z"], 1)
    alone = rows(table, slice(None, None, 5))
    with pytest.raises(ValueError, match="free numbers|smaller siblings"):
        skills(alone, BENCHMARKS, dimension=1)
    empty = {b: np.where(np.arange(40) == 7, np.nan, table[b]) for b in BENCHMARKS}
    with pytest.raises(ValueError, match="row 7 has none of a, b, c, d, e"):
        capabilities(empty, BENCHMARKS)
    with pytest.raises(ValueError, match="no line for 'g'"):
        score_at_flops(observational(table, "hidden", BENCHMARKS, draws=10), "g", 1e22)
