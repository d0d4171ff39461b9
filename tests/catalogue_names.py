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
