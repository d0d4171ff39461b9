"""Every law against the catalogue of the literature: check points, printed numbers, values, optima."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from law_cases import CATALOGUE, ENTRIES, LAWS, catalogue, names_of, translate

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


def test_published_optima() -> None:
    """N_opt and D_opt of the Chinchilla form at the budgets for which papers print them."""
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
