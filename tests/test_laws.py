"""One suite over every law of the catalogue. Adding a law adds its tests without writing one."""

from __future__ import annotations

import ast
import json
import math
import pickle
import re
from dataclasses import asdict
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from catalogue_names import NOT_ANALYTIC, NOT_RECOVERED, OWN_OPTIMUM_TEST
from law_cases import CASES, LAWS, complete_sets, every_case, flat, published_cases, sample

import lawful.laws
from lawful.dual import Dual
from lawful.fit import fit
from lawful.law import Law
from lawful.laws import find
from lawful.quantities import by_symbol

every_law = pytest.mark.parametrize("law", LAWS.values(), ids=list(LAWS))


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


# Laws that are special cases of others

X = np.geomspace(1e3, 1e12, 19)
ALIKE = {
    "kaplan_nd without a limit of data": lambda w: (w.kaplan_nd(X, 1e60, N_c=6e13, D_c=2e13, alpha_N=0.08, alpha_D=0.1),
                                                   w.kaplan_n(X, N_c=6e13, alpha=0.08)),
    "kaplan_nd without a limit of size": lambda w: (w.kaplan_nd(1e90, X, N_c=6e13, D_c=2e13, alpha_N=0.08, alpha_D=0.1),
                                                   w.kaplan_d(X, D_c=2e13, alpha=0.1)),
    "muennighoff within one epoch": lambda w: (
        w.muennighoff(1e8, X, 1e12, E=1.9, A=500.0, B=1500.0, alpha=0.35, beta=0.35, R_D_star=15.0, R_N_star=1e18),
        w.chinchilla(1e8, X, E=1.9, A=500.0, B=1500.0, alpha=0.35, beta=0.35)),
    "gadre on a budget": lambda w: (w.gadre(6 * X * 20 * X, 20.0, E=1.5, a=6**0.15 * 90, b=6**0.15 * 200, eta=0.15),
                                    w.chinchilla(X, 20 * X, E=1.5, A=90.0, B=200.0, alpha=0.3, beta=0.3)),
    "bnsl without breaks": lambda w: (w.bnsl_0(X, a=1.7, b=20.0, c0=0.1),
                                      w.power_law_constant(X, A=20.0, alpha=0.1, E=1.7)),
    "bnsl without bends": lambda w: (w.bnsl_1(X, a=1.7, b=20.0, c0=0.1, c1=0.0, d1=1e6, f1=0.3),
                                     w.bnsl_0(X, a=1.7, b=20.0, c0=0.1)),
    "m3 without a limit": lambda w: (w.m3(X, beta=2.0, gamma=0.0, c=0.3), w.m1(X, beta=2.0, c=-0.3)),
    "m4 without a plateau": lambda w: (w.m4(X, eps_inf=0.1, eps_0=9.0, beta=20.0, c=-0.4, alpha=0.0),
                                       w.m2(X, eps_inf=0.1, beta=20.0, c=-0.4)),
    "corrected by nothing": lambda w: (w.corrected(X, a=9.0, alpha=0.1, c=0.0, gamma=0.5, E=0.2),
                                       w.power_law_constant_n(X, a=9.0, alpha=0.1, E=0.2)),
    "a logistic without a floor": lambda w: (
        w.logistic_log_n(X, floor=0.0, ceiling=0.9, k=0.6, N_0=math.exp(20.0)),
        w.sigmoid_log_n(X, L=0.9, k=0.6, x0=20.0)),
}  # fmt: skip


@pytest.mark.parametrize("case", ALIKE)
def test_special_cases_agree(case: str) -> None:
    one, other = ALIKE[case](SimpleNamespace(**LAWS))
    np.testing.assert_allclose(one, other, rtol=1e-9)


# Optima

OPTIMA = [
    (law, key, values, symbol)
    for law, key, values in published_cases()
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


# Recovery: a law fitted to its own exact predictions finds itself

FIRST = {case[0].name: case for case in reversed(CASES) if case[0].parameters}
RECOVERED = [case for name, case in FIRST.items() if name not in NOT_RECOVERED]


# Half a second or more of CPU each: an implicit equation, sums over questions or schedules, many parameters
SLOW = "m4 vote_two_level multi_power tissue ludziejewski_moe abnar_moe zhao_moe kumar_precision".split()


@pytest.mark.parametrize(
    "law, key, values",
    [pytest.param(*c, id=c[0].name, marks=[pytest.mark.slow] if c[0].name in SLOW else []) for c in RECOVERED],
)
def test_recovers_itself_from_exact_data(law: Law, key: str, values: dict[str, Any]) -> None:
    """Its parameters to 1e-3, and its predictions to 1e-6 of their spread; predictions alone where it says so."""
    points = sample(law, values, max(40, 6 * len(flat(values))))
    y = np.asarray(law.at(values, **points))
    table, columns = {"outcome": y}, {}
    for v, x in points.items():
        columns[v] = [f"{v}_{i}" for i in range(len(x))] if v in law.arrays else v
        table |= dict(zip(columns[v], x)) if v in law.arrays else {v: x}
    grouped = {p.by: np.full(len(y), "one") for p in law.parameters if p.by}  # a law by groups, with one group
    found = fit(
        law, table | grouped, target="outcome", variables=columns, objective="log_lsq" if (y > 0).all() else "lsq",
        by=next(iter(grouped), None), shared=[p.name for p in law.parameters if not p.by] if grouped else None,
    )  # fmt: skip
    assert np.abs(found.fitted - y).max() / np.ptp(y) < 1e-6
    for name, value in values.items() if not law.identified else ():
        np.testing.assert_allclose(np.asarray(found.values[name], float), value, rtol=1e-3, err_msg=name)
