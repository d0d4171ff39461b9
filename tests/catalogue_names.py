"""How the names of shared/laws/catalogue.json map to those of the laws, for the checks in test_laws.py.

A law takes the catalogue's names unless it says otherwise here.

RENAMED: catalogue id -> {its name: ours, or (ours, factor) where the unit differs, or None where ours has no such name}.
"=" stands for the value of the law itself: {"=": 8.64e19} where the catalogue's outcome is in PF-days and ours in FLOP.
ADAPTED: catalogue id -> function of all the names of one check point, for what renaming cannot say. It returns our names;
"law" among them picks the law by name, where one catalogue entry is several laws of ours.
NOT_SHIPPED: catalogue id -> why there is no law for it.
NOT_ANALYTIC: law -> why its derivatives are checked by central differences (1e-5) and not by complex steps (1e-9).
OWN_OPTIMUM_TEST: law -> the budget of its optimum, which the general test does not know, and where it is tested.
NOT_RECOVERED: law -> why the recovery of its parameters from exact data is not tried.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Names = dict[str, Any]
RENAMED: dict[str, dict[str, Any]] = {}
ADAPTED: dict[str, Callable[[Names], Names]] = {}
NOT_SHIPPED: dict[str, str] = {}
NOT_ANALYTIC: dict[str, str] = {}
NOT_RECOVERED: dict[str, str] = {}
OWN_OPTIMUM_TEST: dict[str, str] = {}

# Sparsity, precision, distillation, mixtures, vocabulary, translation, reinforcement learning, interpretability

RENAMED |= {
    "clark_routed_bilinear": {"N": "N_act", "E": "experts"},
    "clark_effective_parameter_count": {"N": "N_act", "E": "experts"},
    "krajewski_fine_grained_moe": {"N": "N_nonemb"},
    "yun_moe_inference_optimal": {"E": "experts"},
    "ludziejewski_joint_moe": {"E": "experts"},
    "zhao_comprehensive_moe": {"N_a": "N_act", "G": "experts_active", "S": "shared_ratio"},
    "abnar_moe_sparsity": {"S": "moe_sparsity"},
    "frantar_sparse_foundation": {"S": "sparsity", "N": "N_nonzero"},
    "chen_p2_post_training_after_pruning": {"D": "D_post"},
    "dettmers_kbit_inference": {"k": "P_bits"},
    "sun_floating_point_quantization": {"E": "bits_exp", "M": "bits_man", "B": "block"},
    "chen_qat_error": {"G": "group"},
    "ouyang_low_bit_undertrained": {"N": "N_nonemb"},
    "busbridge_supervised": {"N": "N_nonemb"},
    "ye_data_mixing_exponential": {"r": "mixture"},
    "liu_regmix_linear": {"r": "mixture"},
    "kang_autoscale_composition": {"n1": "D_scale1", "n2": "D_scale2", "j": "scale_step"},
    "que_dcpt": {"D": "D_cpt", "r": "share"},
    "gu_cmr_critical_mixture": {"T": ("D_cpt", 2e8)},  # the paper counts steps of 0.2B tokens
    "goyal_data_filtering_utility": {"n": "pool", "K": "epochs"},
    "shukor_mixture_additive": {"h": "mixture"},
    "ge_bimix": {"r_i": "share", "s": "step"},
    "covert_individual_data_value": {"k": "examples"},
    "allenzhu_knowledge_capacity": {"P": "N"},
    "tao_vocab_parametric": {"N_nv": ("N_nv", 1e6), "V": ("V", 1e3), "d": ("w", 1e3), "Dn": ("D", 1e9)},
    "ghorbani_nmt_bivariate": {"Nbar_e": "N_e0", "Nbar_d": "N_d0"},
    "jones_hex_compute_frontier": {"b": "board"},
    "jones_train_test_tradeoff": {"C_train": "C"},
    "neumann_alphazero_elo": {"X1": "x1", "X2": "x2"},
    "hilton_intrinsic_performance": {"N": "N_nonemb", "E": "env_steps"},
    "gao_rm_overoptimization_bon": {"d": "sqrt_kl"},
    "gao_rm_overoptimization_rl": {"d": "sqrt_kl"},
    "khatri_scalerl_sigmoid": {"C": "gpu_hours"},
    "rl_posttraining_learning_efficiency": {"X": "x"},
    "gao_sae_joint": {"n": "latents", "k": "latents_active"},
}


def _hashimoto(p: Names) -> Names:  # the rows of a matrix are parameters of their own
    names = {"n": "examples", "q": "mixture"}
    rows = {f"lam_{i}": tuple(row) for i, row in enumerate(p["lam"], 1)}
    return {names.get(k, k): v for k, v in p.items() if k != "lam"} | rows


ADAPTED["hashimoto_multi_source_rational"] = _hashimoto
OWN_OPTIMUM_TEST |= {
    "ludziejewski_moe": "6 N_act D at given experts, in test_laws_sparse.py",
    "frantar_sparsity": "dense-cost training at a given size, in test_laws_sparse.py",
    "kumar_precision": "a cost of N D P with one precision for all, in test_laws_sparse.py",
    "vocab_loss": "6 (N_nv + V w) D at a given size, in test_laws_sparse.py",
    "sun_float": "no budget but a given size, in test_laws_sparse.py",
    "jones_hex": "perfect play, in test_laws_sparse.py",
}
NOT_RECOVERED["busbridge_distillation"] = "15 parameters along a ridge: predictions to 3e-5 of their spread, not 1e-6"

# Pre-training, allocation, accounting, general, downstream, theory, data, vision, multimodal, hyperparameters

_PF_DAY = 8.64e19
_KAPLAN = {"N": "N_nonemb"}
RENAMED |= {
    "kaplan_l_n": _KAPLAN | {"alpha_N": "alpha"},
    "kaplan_l_d": {"alpha_D": "alpha"},
    "kaplan_l_nd": _KAPLAN,
    "power_law_plus_constant_n": {"L_inf": "E"},
    "sigmoid_log_n": {"Lmax": "L"},
}


def _bnsl(p: Names) -> Names:
    named = {f"{k}{i}": v for k in "cdf" for i, v in enumerate(p[k], 1)}
    return {"law": f"bnsl_{len(p['c'])}", **{k: p[k] for k in ("x", "a", "b", "c0") if k in p}, **named}


def _corrected(p: Names) -> Names:  # the catalogue's set is for N in 1e9 parameters
    out = {"a": p["a"] * 1e9 ** p["alpha"], "c": p["c"] * 1e9 ** p["gamma"], "E": p["L_inf"]}
    return out | {k: p[k] for k in ("alpha", "gamma")} | ({"N": p["N"] * 1e9} if "N" in p else {})


ADAPTED |= {"bnsl": _bnsl, "corrected_power_law": _corrected}
