"""The laws, the catalogue of published numbers, and the points and values at which every law is tried."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogue_names import ADAPTED, EXAMPLES, NOT_SHIPPED, RENAMED

from lawful.law import Law
from lawful.laws import all_laws, find
from lawful.quantities import QUANTITIES

LAWS = all_laws()
CATALOGUE = Path(__file__).parents[2] / "shared" / "laws" / "catalogue.json"
KINDS = {q.symbol: q.kind for q in QUANTITIES}
Case = tuple[Law, str, dict[str, Any]]


@cache
def catalogue() -> dict[str, dict[str, Any]]:
    return {entry["id"]: entry for entry in json.loads(CATALOGUE.read_text())} if CATALOGUE.exists() else {}


ENTRIES = [e for e in catalogue() if e not in NOT_SHIPPED]


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


def names_of(entry: dict[str, Any], point: dict[str, Any]) -> tuple[Law, dict[str, Any], float]:
    """Our law, our names and the outcome's unit for one check point."""
    scope = {"np": np, "math": math}
    exec(entry.get("helpers") or "", scope)
    sets = {s["name"]: s["values"] for s in entry["param_sets"]}
    given = {
        k: eval(v[5:], scope) if isinstance(v, str) and v.startswith("expr:") else v
        for k, v in {**sets.get(point["set"], {}), **point["inputs"]}.items()
    }
    return translate(entry, given, point["set"])


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
        if KINDS.get(v) == "integer":
            x = np.round(x)
        points[v] = x / x.sum(0) if v == "mixture" else x
    return points


def flat(values: dict[str, Any]) -> list[tuple[str, int | None]]:
    """Every number of a set of values: its parameter, and its place where the parameter has one per entry."""
    return [(n, i) for n, v in values.items() for i in (range(len(v)) if np.ndim(v) else [None])]


def published_cases() -> list[Case]:
    return [(law, key, values) for law in LAWS.values() for key, values in complete_sets(law).items()]


def made_up_cases() -> list[Case]:
    """Laws without published values at made-up ones: our own (EXAMPLES), or those of the catalogue's check points."""
    cases = {}
    for name, (values, over) in EXAMPLES.items():
        cases[name] = (replace(LAWS[name], over=dict(LAWS[name].over) | over), "made-up", values)
    for entry_id in ENTRIES:
        for point in catalogue()[entry_id]["checks"]:
            law, names, _ = names_of(catalogue()[entry_id], point)
            if law.name not in cases and not complete_sets(law):
                values = {p: tuple(names[p]) if np.ndim(names[p]) else names[p] for p in law.parameter_names}
                over = {v: law.over.get(v) or decade(v, np.asarray(names[v], float)) for v in law.variables}
                cases[law.name] = (replace(law, over=over), "made-up", values)
    return list(cases.values())


def decade(symbol: str, x: np.ndarray) -> tuple[float, float]:
    """The range of a variable round its values at a check point."""
    if KINDS.get(symbol) == "fraction":
        return 0.02, 0.98
    return (x.min() / 10, x.max() * 10) if x.min() > 0 else (x.min() - 1, x.max() + 1)


CASES = [*published_cases(), *made_up_cases()]
every_case = pytest.mark.parametrize("law, key, values", CASES, ids=[f"{c[0].name}-{c[1]}" for c in CASES])
