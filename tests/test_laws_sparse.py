"""Closed-form optima of sparse, low-precision, distilled and reinforcement laws: printed numbers and optimiser."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from lawful.laws import find


def best(law, symbol, key, C=1.0, **given):
    return float(find(law).optimum[symbol](C, find(law).published(key), **given))


def least(f, lower, upper):
    """The minimiser of f on a log axis."""
    found = minimize_scalar(
        lambda t: f(np.exp(t)), bounds=np.log((lower, upper)), method="bounded", options={"xatol": 1e-9}
    )
    return float(np.exp(found.x))


@pytest.mark.parametrize(
    "C, experts, printed, digits",
    [
        (1e20, 1, 1.7e9, 0.02),
        (1e20, 8, 9.9e8, 0.005),
        (1e21, 8, 3.8e9, 0.01),
        (1e22, 1, 1.88e10, 0.01),
        (1e22, 32, 1.22e10, 0.01),
    ],
)
def test_joint_moe_law_gives_the_sizes_its_paper_prints(C, experts, printed, digits):
    law = find("ludziejewski_moe")
    size = best("ludziejewski_moe", "N_act", "ludziejewski2025", C, experts=experts)
    assert size == pytest.approx(printed, rel=digits)
    searched = least(lambda N: law.at("ludziejewski2025", N_act=N, D=C / 6 / N, experts=experts), 1e7, 1e12)
    assert size == pytest.approx(searched, rel=1e-3)
    assert best("ludziejewski_moe", "D", "ludziejewski2025", C, experts=experts) == pytest.approx(C / 6 / size)


def test_mixture_of_experts_shape_is_independent_of_scale():
    law, key = find("zhao_moe"), "zhao2025"
    assert best("zhao_moe", "experts_active", key) == pytest.approx(7, rel=0.05)  # "about 7"
    assert best("zhao_moe", "shared_ratio", key) == pytest.approx(0.31, rel=0.02)
    rest = dict(N=3e10, N_act=3e9, D=1e12)
    searched = least(lambda G: law.at(key, experts_active=G, shared_ratio=0.1, **rest), 1, 64)
    assert best("zhao_moe", "experts_active", key) == pytest.approx(searched, rel=1e-3)


@pytest.mark.parametrize("N_nonzero, C", [(4e7, 1e20), (8e7, 1e19), (4e7, 1e17)])
def test_best_weight_sparsity(N_nonzero, C):
    law, key = find("frantar_sparsity"), "frantar2023_t5"
    kept = least(lambda s: law.at(key, sparsity=1 - s, N_nonzero=N_nonzero, D=C / (6 * N_nonzero) * s), 1e-3, 1)
    assert best("frantar_sparsity", "sparsity", key, C, N_nonzero=N_nonzero) == pytest.approx(1 - kept, abs=1e-5)


def test_three_quarters_of_zeros_are_worth_216_percent_of_the_size():
    v = find("frantar_sparsity").published("frantar2023_t5")
    worth = ((v["a_S"] + v["c_S"]) / (v["a_S"] * 0.25 ** v["b_S"] + v["c_S"])) ** (1 / v["b_N"])
    law = find("frantar_sparsity")
    assert worth == pytest.approx(2.16, rel=2e-3)
    sparse, dense = (
        law.at("frantar2023_t5", sparsity=s, N_nonzero=n, D=1e10) for s, n in ((0.75, 1e7), (0, worth * 1e7))
    )
    assert sparse == pytest.approx(dense, rel=1e-12)


def test_effective_size_of_a_routed_model_is_the_dense_model_of_equal_loss():
    size = float(find("clark_effective").at("clark2022_sbase", N_act=5e6, experts=128))
    assert size == pytest.approx(55e6, rel=0.1)  # the paper's example
    routed, dense = (find("clark_routed").at("clark2022_sbase", N_act=n, experts=e) for n, e in ((5e6, 128), (size, 1)))
    assert routed == pytest.approx(dense, rel=1e-12)


def test_best_training_precision_is_seven_to_eight_bits_only_with_the_shifts():
    assert best("kumar_precision", "P_w", "kumar2024") == pytest.approx(7.00210936833881, rel=1e-9)
    assert best("kumar_precision", "P_w", "kumar2024_main") == pytest.approx(3.468751323534679, rel=1e-9)
    law = find("kumar_precision")
    for C, key in ((1e20, "kumar2024"), (1e22, "kumar2024"), (1e21, "kumar2024_main")):
        # at a cost of 6 N D P / 16 the best P is the one that gives the best effective size for N = const / P
        def loss(P, C=C, key=key):
            return law.at(key, N=1e10 / P, D=C / 1e10, P_w=P, P_a=P, P_kv=P)

        assert best("kumar_precision", "P_w", key, C) == pytest.approx(least(loss, 3.2, 16), rel=1e-4)


def test_data_beyond_which_float_training_gets_worse():
    shape = dict(N=1e9, bits_exp=2, bits_man=1, block=128)
    critical = best("sun_float", "D", "sun2025", **shape)
    assert critical == pytest.approx(3.92845e11, rel=1e-5)
    law = find("sun_float")
    assert critical == pytest.approx(least(lambda D: law.at("sun2025", D=D, **shape), 1e9, 1e14), rel=1e-3)


def test_outer_exponent_leaves_the_optimum_alone():
    law, C = find("chinchilla_outer"), 1e21
    size = best("chinchilla_outer", "N_nonemb", "busbridge2025", C)
    assert size == pytest.approx(3.05358e9, rel=1e-5)
    searched = least(lambda N: law.at("busbridge2025", N_nonemb=N, D=C / 6 / N), 1e7, 1e12)
    assert size == pytest.approx(searched, rel=1e-3)


def test_a_stronger_teacher_can_teach_worse():
    law = find("busbridge_distillation")
    losses = [float(law.at("busbridge2025", N_S=1.43e8, D_S=1.28e11, L_T=t)) for t in (1.8, 2.2, 2.5)]
    assert losses[1] < losses[0] and losses[1] < losses[2]


def test_distillation_is_found_again_once_the_student_alone_is_known():
    from lawful.fit import fit

    law, rng = find("busbridge_distillation"), np.random.default_rng(3)
    v = law.published("busbridge2025").values
    runs = {s: np.exp(rng.uniform(*np.log(law.over[s]), 90)) for s in law.variables}
    runs["loss"] = law.at("busbridge2025", **runs)
    alone = {name: v[name] for name in ("E", "A", "B", "alpha", "beta", "gamma")}
    found = fit(law, runs, target="loss", variables={s: s for s in law.variables}, fixed=alone)
    error = np.abs(found.predict(**{s: runs[s] for s in law.variables}) - runs["loss"]).max()
    assert error < 1e-4 * np.ptp(runs["loss"])
    assert found.values["c0"] == pytest.approx(v["c0"], rel=0.01)
    assert found.values["f1"] == pytest.approx(v["f1"], rel=0.02)


def test_encoder_and_decoder_share_a_budget():
    v, N = dict(alpha=0.5, p_e=0.18, p_d=0.31, L_inf=1.2, N_e0=1e8, N_d0=1e8), 1e9
    law = find("ghorbani_translation")
    encoder = law.optimum["N_e"](1.0, v, N=N)
    assert encoder == pytest.approx(least(lambda n: law.at(v, N_e=n, N_d=N - n), 1e6, N * 0.999), rel=1e-4)
    assert encoder + law.optimum["N_d"](1.0, v, N=N) == pytest.approx(N)


@pytest.mark.parametrize(
    "name, v, peak", [("gao_best_of_n", (1.0, 0.15), 3.33333), ("gao_policy", (1.0, 0.5), 2.71828)]
)
def test_where_a_proxy_reward_stops_helping(name, v, peak):
    law, named = find(name), dict(zip(("alpha", "beta"), v))
    assert law.optimum["sqrt_kl"](1.0, named) == pytest.approx(peak, rel=1e-5)
    assert least(lambda d: -law.at(named, sqrt_kl=d), 0.1, 50) == pytest.approx(peak, rel=1e-4)


def test_compute_for_perfect_play_grows_sevenfold_per_cell():
    compute = [best("jones_hex", "C", "jones2021", board=b) for b in (8, 9)]
    assert compute[1] == pytest.approx(1.64318e16, rel=1e-5)
    assert compute[1] / compute[0] == pytest.approx(7, rel=0.01)
    assert find("jones_hex").at("jones2021", C=compute[1], board=9) == pytest.approx(0, abs=1e-9)


def test_a_part_of_a_pass_lies_between_whole_passes():
    law, v = find("goyal_filtering"), dict(a=1.0, b=-0.12, tau=3.0, d=0.1)
    error = law.at(v, pool=128.0, epochs=np.array([1, 1.5, 2, 9.999999, 10]))
    assert np.all(np.diff(error) < 0)
    steps = np.arange(2, 11)
    product = np.prod((steps / (steps - 1)) ** (-0.12 * 0.5 ** ((steps - 1) / 3)))
    assert error[-1] == pytest.approx(128**-0.12 * product + 0.1, rel=1e-12)
    assert error[-1] == pytest.approx(0.584178, rel=1e-5)


def test_two_sources_are_worth_more_than_one():
    law = find("hashimoto_sources")
    v = dict(alpha=0.5, lam_1=(1.0, 0.2), lam_2=(0.1, 2.0), eps=0.2)
    loss = [float(law.at(v, examples=1e4, mixture=q)) for q in ([0.5, 0.5], [0.9, 0.1])]
    assert loss == pytest.approx([0.22619, 0.245352], rel=1e-5)


def test_best_vocabulary_at_a_fixed_size_and_compute():
    law, C, shape = find("vocab_loss"), 7.052393420318813e21, dict(N_nv=7e9, w=4096)
    best_v = best("vocab_loss", "V", "tao2024", C, **shape)
    assert best_v == pytest.approx(59547.57543945313, rel=1e-6)  # the released optimiser's

    def loss(V):
        return law.at("tao2024", V=V, D=C / (6 * (7e9 + V * 4096)), **shape)

    assert best_v == pytest.approx(least(loss, 1e3, 1e6), rel=1e-3)


def moe_runs(shared, router):
    import polars as pl

    runs = pl.read_parquet(shared / "data" / "moe_routing" / "curves.parquet").filter(pl.col("final"))
    routed = (pl.col("router_type") == router) & (pl.col("k") == 1) & (pl.col("routing_frequency") == 0.5)
    dense = (pl.col("router_type") == "Dense") & (pl.col("flop_increase") == 1)
    return runs.filter(routed | dense).drop_nulls("loss_validation")


@pytest.mark.parametrize("router, printed", [("S-Base", "sbase"), ("RL-R", "rlr"), ("Hash", "hash")])
def test_routed_law_fits_its_runs_better_than_its_printed_digits(shared, router, printed):
    from lawful.fit import fit

    columns = {"N_act": "params_dense", "experts": "experts"}
    found = fit("clark_routed", moe_runs(shared, router), target="loss_validation", variables=columns)
    law = find("clark_routed")
    published = np.log(law.at(f"clark2022_{printed}", **found.points.X) / found.points.y)
    ours = np.sqrt(np.mean(found.residuals**2))
    assert ours < 0.006 < 0.009 < np.sqrt(np.mean(published**2)) < 0.019
    assert found.search.agree > 0.9
    for name in ("a", "b", "c"):
        assert found.values[name] == pytest.approx(law.published(f"clark2022_{printed}")[name], rel=0.2)


def test_released_vocabulary_fit_counts_tokens_wrongly(shared):
    import polars as pl

    runs = pl.read_csv(shared / "data" / "vocab" / "runs.csv").filter(pl.col("flops") >= 2.18e17)
    N_nv, V, w, H, D, y = (
        runs[c].to_numpy()
        for c in ("params_nonvocab", "vocab_size", "embed_dim", "characters", "tokens", "loss_unigram_normalised")
    )

    def r2(tokens):
        p = find("vocab_loss").at("tao2024", N_nv=N_nv, V=V, w=w, D=tokens)
        return 1 - ((p - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()

    fertility = find("vocab_fertility")
    assert D == pytest.approx(H * fertility.at("tao2024", V=V), rel=1e-6)
    assert r2(H * fertility.at("tao2024", V=V / 1000)) == pytest.approx(0.97, abs=0.01)
    assert r2(D) < 0.1


def test_replayed_share_that_keeps_the_old_loss():
    law = find("ye_mixing")
    v = law.published("ye2024_github")
    share = np.log((1.35 - v["c"]) / v["k"]) / v["t"][0]
    assert share == pytest.approx(0.453056, rel=1e-5)
    assert law.at("ye2024_github", mixture=[share]) == pytest.approx(1.35)
