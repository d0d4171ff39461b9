"""Which laws could describe a table? Those whose variables are in it and vary.

A loss that falls along one axis is offered straight lines in log-log, levels under them, a start that is bent, and from
twelve scales on a break. Where size and data vary apart, the laws in both; where the table has a column that only some
laws know (unique tokens, experts, vocabulary, a mixture, a schedule, shapes), those laws too. Accuracies are offered
curves between two levels. The list is short on purpose: each candidate more is one more chance to be fooled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lawful.fit import Settings
from lawful.law import Law
from lawful.laws import all_laws, load
from lawful.origins import AXES, DATA, SIZES, scale_of, varies
from lawful.quantities import find_part

_LINE = 0.99  # R2 of log D on log N from which they are one variable
_BREAKS = {1: 12, 2: 24}  # distinct scales from which so many breaks may be looked for
_PER_PARAMETER = 1.5  # rows that a law must have for each parameter
# Laws in these are offered by the rules below; any other variable is special, and brings its laws with it.
_USUAL = {*SIZES, *DATA, "C", "x", "L", "bpb", "C_min", "S_min", "TPP"}
_LEFT_OUT = {"busbridge_distillation", "kaplan_learning_curve", "sun_float", "hashimoto_sources", "lin_regression"}
_UP = {"alpha": (-5.0, 0.0)}  # a power law that rises
_PREDICTS = {  # what a law may predict to be offered for an outcome
    "L": ("L", "y", "bpb", "bpc"), "L_u": ("L_u", "y"), "error": ("error", "y"), "accuracy": ("accuracy",),
}  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A law with the columns of its variables, and what is fixed, tied or bounded in it."""

    law: Law
    variables: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    tied: Mapping[str, str] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        said = [f"{k} = {v}" for k, v in {**self.tied, **self.fixed}.items()]
        alone = self.law.variables[0] if len(self.law.variables) == 1 else ""
        said += [str(self.variables[alone])] if alone in self.variables else []
        return f"{self.law.name}({', '.join(said)})" if said else self.law.name

    @property
    def parameters(self) -> int:
        """Free numbers, counting an array parameter once."""
        return len(self.law.parameters) - len(self.tied) - len(self.fixed)

    def settings(self, seed: int = 0) -> Settings:
        return Settings(dict(self.fixed), dict(self.tied), dict(self.bounds), None, seed)


def candidate(given: str | Law | Candidate) -> Candidate:
    """A candidate of a law or its name."""
    return given if isinstance(given, Candidate) else Candidate(load(given) if isinstance(given, str) else given)


def suited(runs: Any, target: str | None = None) -> list[Candidate]:
    """The candidates for a table, by its target and the variables that vary; the simplest first.

    Raises ValueError where no variable of scale varies.
    """
    y, symbol = _outcome(runs, target)
    varying = [s for s in AXES if s in runs and varies(runs[s])]
    special = _special(runs, symbol)
    if not varying and not special:
        raise ValueError("auto needs a column of scale that varies: params, tokens, flops, or x; name it with columns=")
    listed = [*special, *(_fractions(runs, varying, symbol, y) if symbol in ("accuracy", "error") else [])]
    if symbol != "accuracy" and varying:
        listed += _losses(runs, varying, y)
    rows = int(np.isfinite(y).sum())
    fits = [c for c in listed if rows >= _PER_PARAMETER * c.parameters or c.parameters <= 3]
    return sorted(fits, key=lambda c: c.parameters)


def one_line(a: Any, b: Any) -> bool:
    """Whether one column is a power of the other: R2 of their logs beyond 0.99."""
    u, v = np.log(np.asarray(a, float)), np.log(np.asarray(b, float))
    good = np.isfinite(u) & np.isfinite(v)
    return bool(np.corrcoef(u[good], v[good])[0, 1] ** 2 > _LINE)


def _outcome(runs: Any, target: str | None) -> tuple[np.ndarray, str]:
    """The values predicted, and their symbol in the vocabulary ("L" for all that is not a fraction or normalised)."""
    name = target or getattr(runs, "target", None) or next((n for n in ("loss", "L", "y") if n in runs), None)
    if name is None:
        raise ValueError("auto does not know which column to predict: name it with target=")
    quantity = find_part(str(name))
    y = np.asarray(runs[name], float)
    if quantity is None:
        return y, "L"
    if quantity.kind == "fraction":
        return y, "error" if quantity.symbol in ("error", "e_US") else "accuracy"
    return y, quantity.symbol if quantity.symbol == "L_u" or quantity.topic != "What is measured" else "L"


def _fractions(runs: Any, varying: Sequence[str], symbol: str, y: np.ndarray) -> list[Candidate]:
    listed = []
    loss = next((s for s in ("L", "bpb") if s in runs and varies(runs[s])), None)
    if symbol == "error":
        return [Candidate(load("gadre_error"), {"L": loss})] if loss else []
    if loss:
        listed.append(Candidate(load("logistic_loss"), {"L": loss}))
    for x in _axes(runs, varying):
        if not rises(scale_of(runs, x)[1], y):
            listed.append(Candidate(load("ruan_capability"), {"C": x}))
            continue
        listed += [Candidate(load(n), {"N": x}) for n in ("bounded_power_accuracy", "logistic_log_n")]
        listed.append(Candidate(load("power_law"), {"x": x}, bounds=_UP))
        listed.append(Candidate(load("ruan_capability"), {"C": x}))
    return listed


def _losses(runs: Any, varying: Sequence[str], y: np.ndarray) -> list[Candidate]:
    free = {"E": (-np.inf, np.inf)} if np.nanmin(y) <= 0 else {}
    size, data = (next((s for s in some if s in varying), None) for some in (SIZES, DATA))
    apart = size is not None and data is not None and not one_line(runs[size], runs[data])
    if not apart:
        return _curves(varying[0], np.asarray(runs[varying[0]], float), y, free)
    both = {"N": size, "D": data}
    listed = [Candidate(load("chinchilla"), both, tied={"beta": "alpha"}, bounds=free),
              Candidate(load("chinchilla"), both, bounds=free)]  # fmt: skip
    if not free:
        listed += [Candidate(load("kaplan_nd"), {"N_nonemb": size, "D": data}), Candidate(load("xlstm"), both)]
    for x in _axes(runs, varying):
        listed += [Candidate(load("power_law"), {"x": x})] if not free else []
        listed.append(Candidate(load("power_law_constant"), {"x": x}, bounds=free))
    return listed


def _axes(runs: Any, varying: Sequence[str]) -> list[str]:
    """Columns to draw a curve along: compute (6ND) and the first that vary, without powers of one before."""
    kept: list[str] = []
    six = ["6ND"] if "C" not in runs and {"N", "D"} <= set(varying) else []
    for s in dict.fromkeys(s for s in ("C", *six, *AXES) if s in varying or s in six):
        if not any(one_line(scale_of(runs, s)[1], scale_of(runs, k)[1]) for k in kept):
            kept.append(s)
    return kept[:2]


def _curves(x: str, values: np.ndarray, y: np.ndarray, free: Mapping[str, tuple[float, float]]) -> list[Candidate]:
    """Laws along one column: falling, rising, or of values that have no logarithm."""
    line = Candidate(load("ruan_capability"), {"C": x})
    if free:
        return [line, Candidate(load("power_law_constant"), {"x": x}, bounds=free)]
    if rises(values, y):
        return [Candidate(load("power_law"), {"x": x}, bounds=_UP), line,
                Candidate(load("power_law_constant"), {"x": x}, bounds=_UP)]  # fmt: skip
    listed = [Candidate(load(n), {"x": x}) for n in ("power_law", "power_law_constant", "m3")]
    listed += [Candidate(load("zhai"), {"gpu_hours": x}), Candidate(load("vanilla_finetuning"), {"D_f": x})]
    levels = len(np.unique(values[np.isfinite(values)]))
    return listed + [Candidate(load(f"bnsl_{k}"), {"x": x}) for k, least in _BREAKS.items() if levels >= least]


def rises(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether y goes up with x: by the sign of the rank correlation."""
    good = np.isfinite(x) & np.isfinite(y)
    a, b = (np.argsort(np.argsort(v[good])).astype(float) for v in (x, y))
    return bool(len(a) > 1 and np.corrcoef(a, b)[0, 1] > 0)


def _special(runs: Any, symbol: str) -> list[Candidate]:
    """Laws with a variable that only they know, where the table has all of theirs and that one varies."""
    listed = []
    for law in all_laws().values():
        direct = law.predicts == symbol and symbol not in _PREDICTS  # a law of this very quantity: lr, batch size, ...
        own = [v for v in law.variables if direct or v not in _USUAL]
        if not own or law.predicts not in (*_PREDICTS.get(symbol, ()), symbol):
            continue
        if law.name in _LEFT_OUT or not law.parameters:
            continue
        if all(v in runs for v in law.variables) and all(v in law.arrays or varies(runs[v]) for v in own):
            listed.append(Candidate(law))
    return listed
