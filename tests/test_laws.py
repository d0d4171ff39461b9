"""One suite over every law of the catalogue. Adding a law adds its tests without writing one."""

from __future__ import annotations

import ast
import json
import math
import pickle
import re
from dataclasses import asdict
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from catalogue_names import ADAPTED, NOT_ANALYTIC, NOT_RECOVERED, NOT_SHIPPED, OWN_OPTIMUM_TEST, RENAMED

import lawful.laws
from lawful.dual import Dual
from lawful.law import Law, Values
from lawful.laws import all_laws, find
from lawful.quantities import by_symbol

LAWS = all_laws()
CATALOGUE = Path(__file__).parents[2] / "shared" / "laws" / "catalogue.json"
needs_catalogue = pytest.mark.skipif(not CATALOGUE.exists(), reason=f"needs {CATALOGUE.name} of the folder shared/")
every_law = pytest.mark.parametrize("law", LAWS.values(), ids=list(LAWS))


@cache
def catalogue() -> dict[str, dict[str, Any]]:
    return {entry["id"]: entry for entry in json.loads(CATALOGUE.read_text())} if CATALOGUE.exists() else {}


# Points at which laws are tried: their stated range at each complete set of published values


def complete_sets(law: Law) -> dict[str, dict[str, Any]]:
    """The sets that give every parameter; the empty set for a law without parameters. One group where groups differ."""
    if not law.parameters:
        return {"": {}}
    sets = {key: dict(v.values) for key, v in law.values.items() if not v.partial}
    return {
        key: {n: next(iter(x.values())) if isinstance(x, dict) else x for n, x in v.items()} for key, v in sets.items()
    }


def sample(law: Law, values: dict[str, Any], count: int = 40) -> dict[str, np.ndarray]:
    """Points (count,) over the stated range; arrays have their entries along the first axis."""
    rng = np.random.default_rng(11)
    points = {}
    for v in law.variables:
        low, high = law.over[v]
        shape: tuple[int, ...] = (count,)
        if v in law.arrays:
            entries = [len(values[p.name]) for p in law.parameters if p.size == v]
            shape = (entries[0] if entries else 12, count)
        u = rng.random(shape)
        x = low * (high / low) ** u if low > 0 else low + (high - low) * u
        if by_symbol(v).kind == "integer":
            x = np.round(x)
        points[v] = x / x.sum(0) if v == "mixture" else x
    return points


CASES = [(law, key, values) for law in LAWS.values() for key, values in complete_sets(law).items()]
every_case = pytest.mark.parametrize("law, key, values", CASES, ids=[f"{c[0].name}-{c[1]}" for c in CASES])


def as_formula(text: str) -> str:
    r"""LaTeX to plain names: \alpha_{N} is alphaN, \varepsilon_\infty is epsinf, c_0 is c0."""
    for latex, plain in {r"\star": "star", r"\varepsilon": r"\eps", r"\infty": r"\inf", r"\lambda": r"\lam"}.items():
        text = text.replace(latex, plain)
    text = re.sub(r"_\{\\?(?:rm |mathrm)?([^{}]*)\}", r"_\1", text).replace("_\\", "_").replace("_", "")
    return re.sub(r"[{}\\]", " ", text)


@every_law
def test_formula_names_every_parameter(law: Law) -> None:
    formula = as_formula(law.latex)
    for p in law.parameters:
        name = re.escape(as_formula(p.name)) + ("[ijkm]*" if p.size is not None else "")
        assert re.search(rf"(?<![A-Za-z]){name}(?![A-Za-z0-9])", formula), f"{p.name} is not in ${law.latex}$"


@every_law
def test_vocabulary(law: Law) -> None:
    for symbol in (*law.variables, law.predicts):
        by_symbol(symbol)  # raises with the nearest symbol
    assert set(law.over) <= set(law.variables)
    assert set(law.arrays) <= set(law.variables)
    assert all(by_symbol(a).kind == "array" for a in law.arrays)
    assert law.topic, "a law of the catalogue has a topic"


def test_names_and_aliases_are_unique() -> None:
    names = [name for law in LAWS.values() for name in (law.name, *law.aliases)]
    twice = sorted({n for n in names if names.count(n) > 1})
    assert not twice


@every_case
def test_finite_and_broadcasts(law: Law, key: str, values: dict[str, Any]) -> None:
    assert set(law.over) == set(law.variables), "a law with values states the range that they are for"
    points = sample(law, values)
    y = np.asarray(law.at(values, **points))
    assert y.shape == (40,) and np.isfinite(y).all()
    for i in (0, 17):  # one point at a time is the same
        one = law.at(values, **{v: x[..., i] for v, x in points.items()})
        assert np.ndim(one) == 0 and one == pytest.approx(y[i], rel=1e-12)
    plain = [v for v in law.variables if v not in law.arrays]
    if plain and len(law.variables) > 1:  # a column against a row
        table = law.at(values, **points | {plain[0]: points[plain[0]][:5, None]})
        assert np.shape(table) == (5, 40) and np.allclose(np.diagonal(table), y[:5], rtol=1e-12)


# Derivatives


class Analytic(np.ndarray):
    """Complex numbers with the analytic continuation of the functions that NumPy and SciPy have for reals only.

    For the complex step: f(x + ih) has f'(x) h as its imaginary part, exact to rounding.
    """

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(a, Dual) for a in args):
            return NotImplemented
        plain = [a.view(np.ndarray) if isinstance(a, Analytic) else a for a in args]
        out = CONTINUED.get(ufunc.__name__, getattr(ufunc, method))(*plain, **kwargs)
        return np.asarray(out).view(Analytic) if np.iscomplexobj(out) else out


def _logaddexp(a: Any, b: Any) -> Any:
    top = np.maximum(np.real(a), np.real(b))
    return np.log(np.exp(a - top) + np.exp(b - top)) + top


def _gammaln(x: Any) -> Any:
    from scipy.special import loggamma

    return loggamma(x)


CONTINUED: dict[str, Any] = {
    "maximum": lambda a, b: np.where(np.real(a) >= np.real(b), a, b),
    "minimum": lambda a, b: np.where(np.real(a) <= np.real(b), a, b),
    "absolute": lambda a: np.where(np.real(a) < 0, -a, a),
    "sign": lambda a: np.sign(np.real(a)),
    "less": lambda a, b: np.real(a) < np.real(b),
    "less_equal": lambda a, b: np.real(a) <= np.real(b),
    "greater": lambda a, b: np.real(a) > np.real(b),
    "greater_equal": lambda a, b: np.real(a) >= np.real(b),
    "expit": lambda a: 1 / (1 + np.exp(-a)),
    "logit": lambda a: np.log(a / (1 - a)),
    "log1p": lambda a: np.log1p(np.real(a)) + 1j * np.imag(a) / (1 + np.real(a)),
    "expm1": lambda a: np.expm1(np.real(a)) + 1j * np.imag(a) * np.exp(np.real(a)),
    "logaddexp": _logaddexp,
    "gammaln": _gammaln,
}


def flat(values: dict[str, Any]) -> list[tuple[str, int | None]]:
    return [(n, i) for n, v in values.items() for i in (range(len(v)) if np.ndim(v) else [None])]


def replaced(values: dict[str, Any], name: str, entry: int | None, new: Any) -> dict[str, Any]:
    if entry is None:
        return values | {name: new}
    return values | {name: tuple(new if i == entry else v for i, v in enumerate(values[name]))}


def as_duals(values: dict[str, Any]) -> dict[str, Any]:
    out = values
    for index, (name, entry) in enumerate(flat(values)):
        number = float(values[name] if entry is None else values[name][entry])
        out = replaced(out, name, entry, Dual(number, {index: 1.0}))
    return out


@every_case
def test_duals_agree_with_complex_step(law: Law, key: str, values: dict[str, Any]) -> None:
    points = sample(law, values)
    args = [points[v] for v in law.variables]
    dual = law(*args, **as_duals(values))
    for index, (name, entry) in enumerate(flat(values)):
        number = float(values[name] if entry is None else values[name][entry])
        if law.name in NOT_ANALYTIC:
            h, rtol = 1e-6 * max(abs(number), 1e-3), 1e-5
            high, low = (law(*args, **replaced(values, name, entry, number + s)) for s in (h, -h))
            want = (np.asarray(high) - np.asarray(low)) / (2 * h)
        else:
            h, rtol = 1e-30 * max(abs(number), 1e-3), 1e-9
            moved = np.asarray(number + 1j * h).view(Analytic)
            want = np.imag(np.asarray(law(*args, **replaced(values, name, entry, moved)))) / h
        got = dual.d.get(index, 0.0) if isinstance(dual, Dual) else 0.0
        got, want = (np.broadcast_to(x, (40,)) for x in (got, want))
        assert np.isfinite(got).all(), f"d/d{name}"
        np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-3 * rtol * np.abs(want).max(), err_msg=f"d/d{name}")


# Against the published numbers


def translate(entry: dict[str, Any], given: dict[str, Any], chosen: str) -> tuple[Law, dict[str, Any], float]:
    """Our law for a catalogue entry, the given names as ours, and the unit of the outcome."""
    if entry["id"] in ADAPTED:
        names = dict(ADAPTED[entry["id"]](given | {"set": chosen}))
        law = find(names.pop("law", entry["id"]))
        return law, names, names.pop("=", 1.0)
    renamed = RENAMED.get(entry["id"], {})
    names = {}
    for name, value in given.items():
        new = renamed.get(name, name)
        new, factor = new if isinstance(new, tuple) else (new, 1.0)
        if new is not None:
            names[new] = np.asarray(value) * factor if factor != 1.0 else value
    return find(entry["id"]), names, renamed.get("=", 1.0)


def evaluate(entry: dict[str, Any], point: dict[str, Any]) -> Any:
    scope = {"np": np, "math": math}
    exec(entry.get("helpers") or "", scope)
    sets = {s["name"]: s["values"] for s in entry["param_sets"]}
    given = {
        k: eval(v[5:], scope) if isinstance(v, str) and v.startswith("expr:") else v
        for k, v in {**sets.get(point["set"], {}), **point["inputs"]}.items()
    }
    law, names, unit = translate(entry, given, point["set"])
    parameters = {k: names[k] for k in law.parameter_names}
    return np.asarray(law.at(parameters, **{k: names[k] for k in law.variables})) / unit


ENTRIES = [e for e in catalogue() if e not in NOT_SHIPPED]


def require(entry_id: str) -> dict[str, Any]:
    entry = catalogue()[entry_id]
    try:
        translate(entry, {}, "")
    except KeyError:
        pass  # an adapter that wants values: the law is there
    except ValueError as missing:
        pytest.skip(f"no law yet: {missing}")  # test_every_entry_is_a_law reports it as a failure, once
    return entry


@needs_catalogue
def test_every_entry_is_a_law() -> None:
    known = {name for law in LAWS.values() for name in (law.name, *law.aliases)}
    missing = [e for e in ENTRIES if e not in known]
    assert not missing, f"{len(missing)} of {len(catalogue())} entries have no law: {', '.join(missing)}"


@needs_catalogue
@pytest.mark.parametrize("entry_id", ENTRIES)
def test_check_points(entry_id: str) -> None:
    entry = require(entry_id)
    for point in entry["checks"]:
        got = evaluate(entry, point)
        np.testing.assert_allclose(got, np.asarray(point["output"], float), rtol=2e-5, atol=1e-12, err_msg=str(point))


@needs_catalogue
@pytest.mark.parametrize("entry_id", [e for e in ENTRIES if catalogue()[e]["anchors"]])
def test_anchors(entry_id: str) -> None:
    """The numbers that a paper or its code print, to the digits that they give."""
    entry = require(entry_id)
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


@needs_catalogue
@pytest.mark.parametrize("entry_id", ENTRIES)
def test_values_are_the_published_ones(entry_id: str) -> None:
    """Every published set is shipped with its status, and nothing made up is."""
    entry = require(entry_id)
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


# The declaration itself


@every_law
def test_pickles_and_survives_json(law: Law) -> None:
    assert pickle.loads(pickle.dumps(law)) is law
    for key, values in law.values.items():
        read = json.loads(json.dumps(dict(values.values)))
        assert {n: list(v) if isinstance(v, tuple) else v for n, v in values.values.items()} == read, key
        if key in complete_sets(law):
            points = sample(law, complete_sets(law)[key], 5)
            read = {n: next(iter(x.values())) if isinstance(x, dict) else x for n, x in read.items()}
            np.testing.assert_array_equal(law.at(read, **points), law.at(complete_sets(law)[key], **points))
    facts = {
        "variables": list(law.variables), "parameters": [asdict(p) for p in law.parameters], "notes": list(law.notes),
        "paper": asdict(law.paper) if law.paper else None, "over": {k: list(v) for k, v in law.over.items()},
    }  # fmt: skip
    again = json.loads(json.dumps(facts))
    assert again["parameters"] == json.loads(json.dumps(again["parameters"]))
    assert [p["name"] for p in again["parameters"]] == list(law.parameter_names)


def declarations() -> dict[str, int]:
    """Lines of each declaration, from its decorator to its last line."""
    lengths = {}
    for path in Path(lawful.laws.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            decorators = getattr(node, "decorator_list", [])
            if any(isinstance(d, ast.Call) and getattr(d.func, "id", "") == "law" for d in decorators):
                lengths[node.name] = node.end_lineno - decorators[0].lineno + 1
    return lengths


def test_declarations_are_short() -> None:
    lengths = declarations()
    assert len(lengths) >= 0.8 * len(LAWS)  # a few laws are made by functions
    assert median(lengths.values()) <= 15, f"median {median(lengths.values())} lines"


def test_search_by_name() -> None:
    assert find("chinchilla") is find("hoffmann_l_nd") is LAWS["chinchilla"]
    with pytest.raises(ValueError, match="near it: chinchilla"):
        find("chinchila")
    with pytest.raises(ValueError, match="several laws match"):
        find("kaplan")


# Optima

OPTIMA = [
    (law, key, values, symbol)
    for law, key, values in CASES
    if law.name not in OWN_OPTIMUM_TEST
    for symbol in law.optimum
]


def best_on_budget(law: Law, values: dict[str, Any], symbol: str, C: float, guess: float) -> float:
    """The variable that minimises the law on a budget, by search: C fixed, or C = 6 N D, or no budget at all."""
    from scipy.optimize import minimize_scalar

    middle = {v: math.sqrt(low * high) for v, (low, high) in law.over.items()}
    size = next((v for v in ("N", "N_nonemb", "N_act") if v in law.variables), None)
    if "C" in law.variables:

        def point(x: float) -> dict[str, float]:
            return middle | {"C": C, symbol: x}
    elif symbol in (size, "D") and {size, "D"} <= set(law.variables):

        def point(x: float) -> dict[str, float]:
            return middle | {"D" if symbol == size else str(size): C / (6 * x), symbol: x}
    else:

        def point(x: float) -> dict[str, float]:
            return middle | {symbol: x}

    z = math.log(guess)
    found = minimize_scalar(
        lambda t: float(law.at(values, **point(math.exp(t)))), bounds=(z - 3, z + 3.3), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    return math.exp(found.x)


@pytest.mark.parametrize("law, key, values, symbol", OPTIMA, ids=[f"{o[0].name}-{o[1]}-{o[3]}" for o in OPTIMA])
def test_closed_form_optimum(law: Law, key: str, values: dict[str, Any], symbol: str) -> None:
    for C in (1e20, 6e23):
        closed = float(law.optimum[symbol](C, values))
        assert best_on_budget(law, values, symbol, C, closed) == pytest.approx(closed, rel=1e-4)


@needs_catalogue
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


# Recovery: a law fitted to its own exact predictions finds itself


FIRST = [next((c for c in CASES if c[0] is law), None) for law in LAWS.values() if law.parameters]
RECOVERED = [case for case in FIRST if case and case[0].name not in NOT_RECOVERED]
QUICK = {"chinchilla", "kaplan_n", "power_law_constant_n", "m3", "sigmoid_log_n"}


@pytest.mark.parametrize(
    "law, key, values",
    [pytest.param(*c, marks=[] if c[0].name in QUICK else [pytest.mark.slow], id=c[0].name) for c in RECOVERED],
)
def test_recovers_itself_from_exact_data(law: Law, key: str, values: dict[str, Any]) -> None:
    """Its parameters to 1e-3, and its predictions to 1e-6 of their spread; predictions alone where it says so."""
    from lawful.fit import fit

    points = sample(law, values, max(40, 6 * len(flat(values))))
    y = np.asarray(law.at(values, **points))
    table, columns = {"outcome": y}, {}
    for v, x in points.items():
        columns[v] = [f"{v}_{i}" for i in range(len(x))] if v in law.arrays else v
        table |= dict(zip(columns[v], x)) if v in law.arrays else {v: x}
    found = fit(law, table, target="outcome", variables=columns, objective="log_lsq" if (y > 0).all() else "lsq")
    error = np.abs(found.predict(**points) - y).max() / np.ptp(y)
    assert error < 1e-6
    if not law.identified:
        for name, value in values.items():
            np.testing.assert_allclose(np.asarray(found.values[name], float), value, rtol=1e-3, err_msg=name)
