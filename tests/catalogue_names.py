"""How the names of shared/laws/catalogue.json map to those of the laws, for the checks in test_laws.py.

A law takes the catalogue's names unless it says otherwise here.

RENAMED: catalogue id -> {its name: ours, or (ours, factor) where the unit differs, or None where ours has no such name}.
"=" stands for the value of the law itself: {"=": 8.64e19} where the catalogue's outcome is in PF-days and ours in FLOP.
ADAPTED: catalogue id -> function of all the names of one check point, for what renaming cannot say. It returns our names;
"law" among them picks the law by name, where one catalogue entry is several laws of ours.
NOT_SHIPPED: catalogue id -> why there is no law for it.
NOT_ANALYTIC: law -> why its derivatives are checked by central differences (1e-5) and not by complex steps (1e-9).
NOT_RECOVERED: law -> why the recovery of its parameters from exact data is not tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Names = dict[str, Any]
RENAMED: dict[str, dict[str, Any]] = {}
ADAPTED: dict[str, Callable[[Names], Names]] = {}
NOT_SHIPPED: dict[str, str] = {}
NOT_ANALYTIC: dict[str, str] = {}
NOT_RECOVERED: dict[str, str] = {}

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

# Fine-tuning, transfer, inference, learning-rate schedules, hyper-parameters, architecture and family laws

_GEMSTONES = {"c_w": "C_w", "c_d": "C_d", "c_N": "C_N", "c_T": "C_T", "e": "E", "a": "A", "b": "B"}


def _exponentiated(**renamed: str) -> Callable[[Names], Names]:  # the catalogue's coefficients are logarithms
    def adapt(p: Names) -> Names:
        return {renamed.get(k) or _GEMSTONES.get(k, k): math.exp(v) if k in _GEMSTONES else v for k, v in p.items()}

    return adapt


def _millions(variable: str) -> Callable[[Names], Names]:  # the catalogue counts N and D in millions
    def adapt(p: Names) -> Names:
        more = {variable: p[variable] * 1e6} if variable in p else {}
        return {"k": p["k"] / 1e6 ** p["p"], "p": p["p"], **more}

    return adapt


def _sloth(p: Names) -> Names:  # one skill; sizes in billions, tokens in trillions
    (Lambda,), (alpha,), (row,) = p["Lam"], p["alpha"], p["B"]
    sizes = {"N": p["s"] * 1e9, "D": p["t"] * 1e12} if "s" in p else {}
    slopes = dict(zip(("B_s", "B_t", "B_st"), row))
    return {"g": p["g"], "b": p["b"], "Lambda": Lambda, "alpha": alpha, **slopes, **sizes}


RENAMED |= {
    "hernandez_transfer": {"D_F": "D_chars", "N": "N_nonemb"},
    "mikami_syn2real": {"n": "examples"},
    "mikami_full": {"n": "examples", "s": "D_f"},
    "zhang_multiplicative": {"X": "x"},
    "zhang_additive": {"X": "x"},
    "rectified_scaling_law": {"D": "D_f"},
    "vanilla_finetune_law": {"D": "D_f"},
    "vote_accuracy_two_level": {"K": "calls"},
    "vote_filter_scaling_model": {"K": "calls"},
    "snell_flops_matched": {"M": "size_ratio", "R": "R_inf"},
    "pass_at_k_unbiased": {"n": "draws", "c": "correct"},
    "wu_inference_optimal_size": {"C": "C_inf"},
    "shao_datastore_flops": {"N_LM": "N", "D_pretrain": "D"},
    "tissue_lr_annealing": {"lr": "lr_schedule"},
    "luo_multi_power": {"lr": "lr_schedule"},
    "steplaw_learning_rate": {"N": "N_nonemb"},
    "mckinzie_mm1_lr": {"N": "N_nonemb"},
    "bian_conditional": {"d": "w", "r": "mlp_ratio", "N": "N_nonemb"},
    "bian_aspect_ratio": {"R": "aspect"},
    "mobilellm_shapes": {"vocab": "V"},
    "chen_parscale": {"N": "N_nonemb", "P": "streams"},
    "li_farseer": {"N": "N_nonemb", "gam": "gamma", "bet": "beta", "alp": "alpha"},
    "xiong_context_length": {"c": "n_ctx"},
    "prabhudesai_diffusion_data_constrained": {"U_D": "U"},
}
ADAPTED |= {
    "zhang_critical_batch_model": _millions("N"),
    "zhang_critical_batch_data": _millions("D"),
    "gemstones_width_depth": _exponentiated(dp="depth", T="D"),
    "gemstones_parameters": _exponentiated(T="D"),
    "beck_xlstm_lnd": _exponentiated(),
    "polo_sloth": _sloth,
}
NOT_RECOVERED |= {
    "farseer": "one flat valley in nine parameters: the search ends 6e-5 of the spread off, parameters within 6 %",
}
