"""Every law against the catalogue of the literature: check points, printed numbers, values, optima."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from law_cases import CATALOGUE, ENTRIES, LAWS, catalogue, names_of, translate
from scipy.optimize import minimize_scalar

from lawful.law import Law, Values

pytestmark = pytest.mark.skipif(not CATALOGUE.exists(), reason=f"needs {CATALOGUE.name} of the folder shared/")


def evaluate(entry: dict[str, Any], point: dict[str, Any]) -> Any:
    law, names, unit = names_of(entry, point)
    parameters = {k: names[k] for k in law.parameter_names}
    return np.asarray(law.at(parameters, **{k: names[k] for k in law.variables})) / unit


def test_every_entry_is_a_law() -> None:
    known = {name for law in LAWS.values() for name in (law.name, *law.aliases)}
    missing = [e for e in ENTRIES if e not in known]
    assert not missing, f"{len(missing)} of {len(catalogue())} entries have no law: {', '.join(missing)}"


@pytest.mark.parametrize("entry_id", ENTRIES)
def test_check_points(entry_id: str) -> None:
    entry = catalogue()[entry_id]
    for point in entry["checks"]:
        got = evaluate(entry, point)
        np.testing.assert_allclose(got, np.asarray(point["output"], float), rtol=2e-5, atol=1e-12, err_msg=str(point))


@pytest.mark.parametrize("entry_id", [e for e in ENTRIES if catalogue()[e]["anchors"]])
def test_anchors(entry_id: str) -> None:
    """The numbers that a paper or its code print, to the digits that they give."""
    entry = catalogue()[entry_id]
    for point in entry["anchors"]:
        want = np.asarray(point["published"], float)
        np.testing.assert_allclose(evaluate(entry, point), want, rtol=point["rtol"], err_msg=str(point))


def kind_of(entry_set: dict[str, Any]) -> str:
    kind = entry_set["kind"]
    if kind == "published" and entry_set["verified"] is False:
        return "memory"
    return kind


def translated_set(entry: dict[str, Any], entry_set: dict[str, Any]) -> tuple[Law, dict[str, Any]]:
    law, names, _ = translate(entry, dict(entry_set["values"]), entry_set["name"])
    return law, {k: v for k, v in names.items() if k in law.parameter_names}


def agrees(shipped: Values, ours: dict[str, Any]) -> bool:
    try:
        return all(n in ours and np.allclose(np.asarray(v, float), np.asarray(ours[n], float), rtol=1e-6) for n, v in
                   shipped.values.items())  # fmt: skip
    except (TypeError, ValueError):
        return False


@pytest.mark.parametrize("entry_id", ENTRIES)
def test_values_are_the_published_ones(entry_id: str) -> None:
    """Every published set is shipped with its status, and nothing made up is."""
    entry = catalogue()[entry_id]
    for entry_set in entry["param_sets"]:
        if not entry_set["values"]:
            continue
        law, ours = translated_set(entry, entry_set)
        matches = [v for v in law.values.values() if agrees(v, ours)]
        if kind_of(entry_set) == "illustrative":
            assert not [v for v in matches if not v.partial], f"made-up values of {entry_set['name']} are shipped"
        elif ours and kind_of(entry_set) != "no parameters":
            assert matches, f"the set {entry_set['name']} is not among the values of {law.name}"
            assert kind_of(entry_set) in {v.status for v in matches}, f"{entry_set['name']}: status"


def test_no_value_is_invented() -> None:
    """Every value shipped is in a set of the catalogue for a law of its family, and that set is not made up."""
    known: dict[str, list[dict[str, Any]]] = {}
    for entry_id in ENTRIES:
        for entry_set in catalogue()[entry_id]["param_sets"]:
            if entry_set["values"] and kind_of(entry_set) != "illustrative":
                law, ours = translated_set(catalogue()[entry_id], entry_set)
                known.setdefault(law.module, []).append(ours)
    invented = [
        f"{law.name}: {key}"
        for law in LAWS.values()
        for key, shipped in law.values.items()
        if not any(agrees(shipped, ours) for ours in known.get(law.module, []))
    ]
    assert not invented


def test_chinchilla_optima() -> None:
    """N_opt and D_opt of the form at the budgets for which papers print them."""
    entry = catalogue()["hoffmann_l_nd"]
    seen = 0
    for optimum in entry["optimum"]:
        symbol = {"N_opt(C)": "N", "D_opt(C)": "D"}.get(optimum["what"])
        for point in [*optimum["checks"], *optimum["anchors"]] if symbol else []:
            values = next(s["values"] for s in entry["param_sets"] if s["name"] == point["set"])
            got = LAWS["chinchilla"].optimum[symbol](point["inputs"]["C"], values)
            assert got == pytest.approx(point.get("output", point.get("published")), rel=point.get("rtol", 1e-5))
            seen += 1
    assert seen >= 8


def lowest(f: Any, low: float, high: float) -> float:
    """The size at which f is lowest."""
    bounds = (math.log(low), math.log(high))
    found = minimize_scalar(lambda z: f(math.exp(z)), bounds=bounds, method="bounded", options={"xatol": 1e-10})
    return math.exp(found.x)


def tokens_for(loss: float, N: float, v: Any) -> float:
    """D at which chinchilla has this loss; infinite where no data are enough."""
    left = loss - v["E"] - v["A"] * N ** -v["alpha"]
    return (v["B"] / left) ** (1 / v["beta"]) if left > 0 else math.inf


@pytest.mark.parametrize("entry_id", ["sardana_inference_flops", "sardana_dollar_cost"])
def test_cheapest_model_of_a_quality(entry_id: str) -> None:
    """Sardana's optima: the least lifetime cost along the line of equal loss of a compute-optimal model."""
    v = LAWS["chinchilla"].values["sardana2024"]
    G = (v["alpha"] * v["A"] / (v["beta"] * v["B"])) ** (1 / (v["alpha"] + v["beta"]))
    cost = LAWS["sardana_cost"].values["sardana2024"]
    for anchor in catalogue()[entry_id]["optimum"][0]["anchors"]:
        given = anchor["inputs"]
        N = given["N_c"]
        D = G ** -(1 + v["alpha"] / v["beta"]) * N ** (v["alpha"] / v["beta"])
        loss = LAWS["chinchilla"].at(dict(v.values), N=N, D=D)

        def total(n: float, d: float, given: Any = given) -> float:
            if "D_inf" in given:
                return float(LAWS["sardana_flops"](n, d, given["D_inf"]))
            served = 70 * given["requests"], 215 * given["requests"]  # prompt and generated tokens of a request
            return float(LAWS["sardana_cost"](n, d, *served, **cost.values))

        best = lowest(lambda n, loss=loss: total(n, tokens_for(loss, n, v)), N / 30, 3 * N)
        more = tokens_for(loss, best, v)
        got = (best, more, total(best, more), total(best, more) / total(N, D), more / D)
        for value, printed in zip(got, anchor["published"], strict=True):
            assert printed is None or value == pytest.approx(printed, rel=anchor["rtol"]), anchor


def test_optima_without_closed_form() -> None:
    """Repetition under limited data (Muennighoff), the budget of a size (Pearce), over-training (Gadre), MiniCPM."""
    v, C, U = LAWS["muennighoff"].values["muennighoff2023"].values, 1e22, 25e9
    N = lowest(lambda n: float(LAWS["muennighoff"](n, C / (6 * n), U, **v)), 1e8, 1e12)
    assert [N, C / (6 * N)] == pytest.approx([7.02639e9, 2.37201e11], rel=1e-3)
    for key, N in {"besiroglu2024": 54338800.0, "hoffmann2022": 62680600.0}.items():
        assert LAWS["pearce_compute"].at(key, N_nonemb=N) == pytest.approx(1e18, rel=1e-4)
    gadre = LAWS["gadre"]
    assert gadre.optimum["TPP"](1e20, gadre.values["gadre2024_redpajama"]) == pytest.approx(7.41913, rel=1e-5)
    minicpm = LAWS["minicpm"]
    N, D = (minicpm.optimum[s](1e21, minicpm.values["hu2024_figure"]) for s in ("N_nonemb", "D"))
    assert N / D == pytest.approx(0.0109638, rel=1e-5)
    # the data that keep the excess loss of kaplan_nd at 2 %
    assert LAWS["kaplan_excess"].at("kaplan2020", N_nonemb=1e9, D=24135800000.0) == pytest.approx(0.02, rel=1e-5)
