"""FLP and FLP-M: compute to loss to score, against the truth of simulated runs."""

import numpy as np
import pytest

from lawful.flp import flp, flp_m, loss_at, score_at


def simulated(rng, n=6, noise=0.004):
    C = np.geomspace(1e18, 1e21, n)
    L = (C / 3e27) ** -0.05 * np.exp(noise * rng.standard_normal(n))
    late = np.repeat(L, 4) * np.tile([1.3, 1.2, 1.1, 1.0], n)  # checkpoints: the last of each is the run's end
    acc = np.clip(1.05 - 0.22 * late + 0.01 * rng.standard_normal(4 * n), 0.25, 1)
    return {
        "flops": np.repeat(C, 4), "loss": late, "acc": acc, "done": np.tile([False, False, False, True], n),
        "run": np.repeat(np.arange(n), 4),
    }  # fmt: skip


def two_domains(rng, noise=0.0):
    share = rng.uniform(0.1, 0.9, 30)
    C = np.exp(rng.uniform(np.log(1e18), np.log(1e20), 30))
    G, K = C * share, C * (1 - share)
    noisy = np.exp(noise * rng.standard_normal((2, 30)))
    web = (C / 3e27) ** -0.05 * (G / 1e19) ** -0.02 * (K / 1e19) ** 0.004 * noisy[0]
    code = (C / 3e26) ** -0.05 * (G / 1e19) ** 0.002 * (K / 1e19) ** -0.04 * noisy[1]
    table = {"C_general": G, "C_code": K, "web": web, "code": code}
    return table | {"acc": 1.3 - 0.1 * web - 0.15 * code + 5 * noise * rng.standard_normal(30)}


def test_exact_chain_comes_back(rng):
    runs = simulated(rng, noise=0.0) | {}
    runs["acc"] = 1.05 - 0.22 * runs["loss"]
    chain = flp(runs, "acc", converged="done", draws=20)
    assert loss_at(chain, "loss", C=1e22).estimate == pytest.approx((1e22 / 3e27) ** -0.05, rel=1e-9)
    assert score_at(chain, C=1e22).estimate == pytest.approx(1.05 - 0.22 * (1e22 / 3e27) ** -0.05, rel=1e-9)
    assert score_at(chain, C=1e60).estimate == 1.0 or score_at(chain, C=1e60).upper <= 1.0


def test_rows_near_chance_do_not_enter_the_line(rng):
    runs = simulated(rng)
    bent = runs | {"acc": np.maximum(runs["acc"], 0.4)}
    chain = flp(bent, "acc", converged="done", chance=0.36, draws=20)
    assert chain.used == (bent["acc"] >= 0.41).sum() < 24
    assert chain.weights[1] == pytest.approx(-0.22, abs=0.05)
    with pytest.raises(ValueError, match="0 rows are 0.05 above chance"):
        flp(bent, "acc", chance=0.9)


def test_two_domains_come_back(rng):
    runs = two_domains(rng)
    chain = flp_m(runs, "acc", ["web", "code"], draws=20)
    found = chain.losses["code"].values
    assert [found[a] for a in ("a_1", "a_2", "a_3")] == pytest.approx([-0.05, 0.002, -0.04], abs=1e-7)
    at = {"C_general": 3e20, "C_code": 7e20}
    web = (1e21 / 3e27) ** -0.05 * 30**-0.02 * 70**0.004
    code = (1e21 / 3e26) ** -0.05 * 30**0.002 * 70**-0.04
    assert score_at(chain, **at).estimate == pytest.approx(1.3 - 0.1 * web - 0.15 * code, rel=1e-6)
    with pytest.raises(ValueError, match="both kinds of data"):
        flp_m(runs | {"C_code": np.append(0.0, runs["C_code"][1:])}, "acc", ["web"])


@pytest.mark.slow
@pytest.mark.parametrize("run", [None, "run"])
def test_score_of_a_larger_run_is_covered(run):
    hits = loss_hits = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        chain = flp(simulated(rng), "acc", converged="done", run=run, draws=150, seed=seed)
        L = (1e22 / 3e27) ** -0.05 * np.exp(0.004 * rng.standard_normal())
        made, loss = score_at(chain, C=1e22), loss_at(chain, "loss", C=1e22)
        hits += made.lower <= 1.05 - 0.22 * L + 0.01 * rng.standard_normal() <= made.upper
        loss_hits += loss.lower <= L <= loss.upper
    assert 0.82 <= hits / 80 <= 0.98 and 0.82 <= loss_hits / 80 <= 0.98, (hits, loss_hits)
