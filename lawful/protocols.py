"""How the field fits, by name, so that a published fit can be repeated as it was made.

    lawful.fit("chinchilla", runs, protocol="besiroglu2024")
    lawful.fit("chinchilla", runs, protocol="scipy-bfgs:random", objective="log_huber:1e-3")

A protocol is an objective (summed or averaged: SciPy's stopping rules are absolute, so it matters), the numbers that
are moved (logs of some parameters, others as they are), a solver with its options, and starts: a grid, random draws, or
draws scaled to the data. Published protocols bring their own objective. What comes out is where the recipe stops, not
the optimum: compare its objective with that of a fit without a protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from math import inf
from typing import Any

import numpy as np

from lawful.bind import Model, Slot
from lawful.law import Parameter
from lawful.objectives import Objective, objective
from lawful.quantities import did_you_mean
from lawful.routes import Aim, adam, descend, least_squares
from lawful.search import Search, record, starts_for
from lawful.solve import Problems

SOLVERS = {"scipy-lbfgsb": "L-BFGS-B", "scipy-bfgs": "BFGS", "scipy-least-squares": "least squares", "adam": "Adam"}
STARTS = ("grid", "random", "data")
_MOST = 4500  # starts of a grid that no paper gives: as many as Hoffmann's
_DRAWS = {"random": 500, "data": 64}
_ADAM = 64  # Adam goes on from the best of the starts only


@dataclass(frozen=True)
class Protocol:
    """One recipe.

    objective: its name, or "" for the caller's. mean: losses are averaged. solver: one of `SOLVERS`.
    starts: grid, random or data. grid: the values that each number starts from, by the parameter's name or kind, in the
    space that is moved; empty: spread over the usual ranges. logs: the kinds of parameters moved as their logs.
    exact: slopes are exact, not finite differences. lower: least value of every number moved. options: the solver's.
    source: where the recipe is described, and what of it is ours.
    """

    solver: str
    starts: str
    objective: str = ""
    mean: bool = False
    grid: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    logs: tuple[str, ...] = ("amplitude", "scale", "offset")
    exact: bool = True
    lower: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""


def _steps(low: float, high: float, count: int) -> tuple[float, ...]:
    return tuple(map(float, np.linspace(low, high, count)))


_HOFFMANN_GRID = {
    "amplitude": _steps(0, 25, 6), "offset": _steps(-1, 1, 5), "exponent": _steps(0, 2, 5),
}  # fmt: skip
PUBLISHED = {
    "hoffmann2022": Protocol(
        "scipy-lbfgsb", "grid", "log_huber:1e-3", mean=True, grid=_HOFFMANN_GRID, exact=False,
        source="arXiv 2203.15556, app. D.3; averaged as arXiv 2404.10102 reports. SciPy's options are the defaults.",
    ),
    "besiroglu2024": Protocol(
        "scipy-lbfgsb", "grid", "log_huber:1e-3", grid=_HOFFMANN_GRID, exact=False,
        source="arXiv 2404.10102, the authors' notebook: sum of Huber losses from Hoffmann's grid, the values "
        "besiroglu2024_huber. Their Table 1 maximises a Huber likelihood with a scale, which is another objective.",
    ),
    "muennighoff2023": Protocol(
        "scipy-lbfgsb", "grid", "log_huber:1e-3",
        grid={"amplitude": _steps(0, 25, 5), "offset": _steps(-1, 1, 4), "exponent": _steps(0, 2, 4)},
        source="arXiv 2305.16264, the authors' notebook; give tied={'beta': 'alpha'}. Their L-BFGS is PyTorch's, here "
        "it is SciPy's.",
    ),
    "gadre2024": Protocol(
        "scipy-least-squares", "grid", "lsq", logs=(), exact=False,
        grid={"amplitude": (1e2, 3e2, 1e3, 3e3), "offset": (0.0, 1.0, 2.0, 10.0), "exponent": (0.1, 0.3)},
        source="arXiv 2403.08540, the authors' code: curve_fit on the loss itself.",
    ),
    "bhagia2024": Protocol(
        "scipy-lbfgsb", "grid", "log_huber:1e-3", logs=("amplitude",), lower=0.0,
        grid={"A": (3.0,), "B": (6.0,), "alpha": (0.1,), "beta": (0.2,), "E": (1.0,)},
        options={"ftol": 0.0, "gtol": 1e-10},
        source="arXiv 2412.04403, the authors' code (OLMo-ladder): one start, every number >= 0.",
    ),
}  # fmt: skip
_OPTIONS = {"scipy-least-squares": {"xtol": 1e-12, "ftol": 1e-12, "gtol": 1e-12}}
GENERIC = {
    f"{solver}:{starts}": Protocol(
        solver, starts, logs=("amplitude", "scale", "offset", "location", "width"), options=_OPTIONS.get(solver, {}),
        source="SciPy's or Adam's usual call, with exact slopes; 4500 starts at most.",
    )
    for solver in SOLVERS
    for starts in STARTS
}  # fmt: skip
PROTOCOLS = PUBLISHED | GENERIC


def find(name: str) -> Protocol:
    """The protocol of that name; a solver's name alone starts from the grid. Raises ValueError with the nearest."""
    protocol = PROTOCOLS.get(name) or PROTOCOLS.get(f"{name}:grid")
    if protocol is None:
        near = did_you_mean(name, list(PROTOCOLS)) or f"; there are {', '.join(PROTOCOLS)}"
        raise ValueError(f"protocol {name!r} is unknown{near}")
    return protocol


def run(
    name: str | Protocol, model: Model, problems: Problems, seed: int, default: Objective | None = None,
    stated: str | Objective | None = None,
) -> tuple[np.ndarray, float, Objective, Search]:  # fmt: skip
    """Fit as a protocol does: slots (p,), summed objective, the objective, and the record of all its starts.

    default, stated: the objective that the law would have, and the one that the caller asked for, if any.
    Raises ValueError where the caller states another objective than a published protocol has, where its grid does not
    cover the law, or where it stops at values that the law does not allow.
    """
    protocol = find(name) if isinstance(name, str) else name
    label = name if isinstance(name, str) else "given"
    chosen = _objective(label, protocol, default, stated)
    moved = _moved(model, protocol.logs)
    aim = Aim(moved, problems, chosen, protocol.mean, protocol.exact, protocol.lower)
    starts = _starts(label, protocol, moved, model, problems, chosen, seed)
    if protocol.solver == "adam":
        starts = starts[np.argsort(aim.value(starts))[:_ADAM]]
        ends, F = adam(aim, starts, **protocol.options)
    else:
        pairs = [_one(aim, start, protocol) for start in starts]
        ends, F = np.array([end for end, _ in pairs]), np.array([value for _, value in pairs])
    F = np.where(np.isfinite(F) & (F < 1e29), F, inf) / aim.share
    best = int(F.argmin())
    if not np.isfinite(F[best]):
        raise ValueError(f"protocol {label}: law {model.law.name} is not finite from any of its {len(starts)} starts")
    values = moved.natural(ends)
    _check_allowed(label, model, values[best])
    slots = model.search(values)
    return slots[best], float(F[best]), chosen, record(len(starts), slots, F, float(F[best]))


def _one(aim: Aim, start: np.ndarray, protocol: Protocol) -> tuple[np.ndarray, float]:
    if protocol.solver == "scipy-least-squares":
        return least_squares(aim, start, protocol.options)
    return descend(aim, start, SOLVERS[protocol.solver], protocol.options)


def _objective(name: str, protocol: Protocol, default: Objective | None, stated: str | Objective | None) -> Objective:
    if not protocol.objective:
        return objective(stated if stated is not None else default or "log_lsq")
    own = objective(protocol.objective)
    if stated is not None and objective(stated) != own:
        raise ValueError(
            f"protocol {name} minimises {protocol.objective}, not {objective(stated).name}: leave objective= out, "
            f"or take {protocol.solver}:{protocol.starts}"
        )
    return own


def _moved(model: Model, logs: tuple[str, ...]) -> Model:
    """The model in the numbers that a paper moves: logs of the kinds named, other half-open parameters as they are."""
    kinds = {p.name: p.kind for p in model.law.parameters}

    def one(slot: Slot) -> Slot:
        plain = replace(slot, centre=(), inside=False)
        if slot.kind == "above" and slot.lower == 0 and kinds[slot.parameter] not in logs:
            return replace(plain, lower=-inf)
        return plain

    return replace(model, slots=tuple(one(s) for s in model.slots))


def _starts(
    name: str, protocol: Protocol, moved: Model, model: Model, problems: Problems, chosen: Objective, seed: int
) -> np.ndarray:
    if protocol.starts == "data":
        drawn = starts_for(model, problems, chosen, _DRAWS["data"], seed)[0]
        return moved.search(model.natural(drawn))
    parameters = {p.name: p for p in model.law.parameters}
    rng = np.random.default_rng(seed)
    if protocol.grid:
        axes = [_axis(name, protocol, slot, parameters[slot.parameter]) for slot in moved.slots]
        return np.array(list(product(*axes)), float)
    ranges = [_range(slot, parameters[slot.parameter], problems) for slot in moved.slots]
    low, high = np.array(ranges).T
    if protocol.starts == "random":
        return low + (high - low) * rng.random((_DRAWS["random"], moved.size))
    levels = max(2, int(_MOST ** (1 / moved.size) + 1e-9))
    if levels**moved.size <= _MOST:
        return np.array(list(product(*(np.linspace(a, b, levels) for a, b in ranges))))
    return low + (high - low) * rng.integers(0, levels, (_MOST, moved.size)) / (levels - 1)


def _axis(name: str, protocol: Protocol, slot: Slot, parameter: Parameter) -> tuple[float, ...]:
    axis = protocol.grid.get(parameter.name) or protocol.grid.get(parameter.kind)
    if axis is None:
        raise ValueError(
            f"protocol {name} has no starts for {slot.name}, which is {parameter.kind}; it has them for "
            f"{', '.join(protocol.grid)}. Take {protocol.solver}:grid, which fits any law"
        )
    return axis


def _range(slot: Slot, parameter: Parameter, problems: Problems) -> tuple[float, float]:
    """The usual range of one number in the space that is moved."""
    if slot.kind == "between":
        return (-2.0, 2.0)
    if parameter.kind == "location":
        x = np.concatenate([np.ravel(problems.X[v]) for v in parameter.on])
        x = np.log(x[x > 0]) if slot.kind == "above" else x
        return float(x.min()), float(x.max())
    ranges = {"amplitude": (0.0, 25.0), "scale": (0.0, 40.0), "offset": (-1.0, 1.0), "exponent": (0.0, 2.0)}
    return ranges.get(parameter.kind, (-2.0, 2.0))


def _check_allowed(name: str, model: Model, values: np.ndarray) -> None:
    for slot, value in zip(model.slots, values):
        if not slot.lower <= value <= slot.upper:
            raise ValueError(
                f"protocol {name} stops at {slot.name} = {value:.4g}, which law {model.law.name} does not allow: "
                f"give bounds={{{slot.parameter!r}: (-inf, inf)}}"
            )
