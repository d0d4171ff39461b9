"""A law bound to data: from the parameters that a person reads to the numbers that a solver moves.

The solver walks in a *search space* without bounds. Each free number of a law is one slot of it:

* a positive parameter is the exponential of its slot, one between two bounds a logistic, any other the slot itself;
* an amplitude or scale is *centred*: its slot is the log of its term's size at the middle of the data, so that A and
  alpha in ``A * N**-alpha`` hardly trade off, and a slot far below the data's level means that the term is gone;
* a tied parameter shares the slot of another, a fixed one has none;
* a parameter with ``size=`` or ``by=`` has one slot per entry of its array variable or per group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any

import numpy as np

from lawful.dual import Dual
from lawful.law import Law, Parameter
from lawful.quantities import did_you_mean

_WALK = 300.0  # slots of positive parameters stay within exp(+-300)


@dataclass(frozen=True)
class Slot:
    """One free number: the parameter it belongs to, its entry or group, its bounds, and how it is centred."""

    name: str
    parameter: str
    lower: float
    upper: float
    # (slot of the exponent or a fixed number, sign * log of the variable's centre) for each variable of an amplitude
    centre: tuple[tuple[int | float, float], ...] = ()
    inside: bool = False  # the scale of a power, (N_c / N)**alpha, rather than its coefficient
    log_centre: float = 0.0

    @property
    def kind(self) -> str:
        if self.lower == -inf and self.upper == inf:
            return "free"
        if isfinite(self.lower) and isfinite(self.upper):
            return "between"
        return "above" if isfinite(self.lower) else "below"


@dataclass(frozen=True)
class Model:
    """A law with its slots. ``evaluate`` is all that the solver knows of it."""

    law: Law
    slots: tuple[Slot, ...]
    # how each parameter is read: a slot index, a fixed number, a tuple of either (one per entry),
    # or ("by", grouping variable, tuple) for one per group
    layout: Mapping[str, Any]
    grouping: str | None = None
    labels: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return len(self.slots)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.slots)

    def natural(self, theta: np.ndarray) -> np.ndarray:
        """Slots (rows, p) to parameter values (rows, p)."""
        theta = np.atleast_2d(theta)
        if not self.slots:
            return np.zeros((len(theta), 0))
        with np.errstate(all="ignore"):
            return np.concatenate([self.value(i, theta)[0] for i in range(self.size)], axis=1)

    def search(self, values: np.ndarray) -> np.ndarray:
        """Parameter values (rows, p) to slots (rows, p); the inverse of `natural`."""
        values = np.atleast_2d(np.asarray(values, float))
        out = np.empty_like(values)
        with np.errstate(all="ignore"):
            for i, slot in enumerate(self.slots):
                out[:, i] = self.inverse(slot, values[:, i], values)
        return out

    def inverse(self, slot: Slot, v: np.ndarray, values: np.ndarray) -> np.ndarray:
        if slot.kind == "free":
            return v
        if slot.kind == "below":
            return np.log(np.maximum(slot.upper - v, 1e-300))
        if slot.kind == "between":
            u = np.clip((v - slot.lower) / (slot.upper - slot.lower), 1e-12, 1 - 1e-12)
            return np.log(u / (1 - u))
        t = np.log(np.maximum(v - slot.lower, 1e-300))
        if slot.inside:
            power = self._exponent(slot.centre[0][0], values)
            return (t - slot.log_centre) * power
        for e, log_x in slot.centre:
            t = t + self._exponent(e, values) * log_x
        return t

    @staticmethod
    def _exponent(e: int | float, values: np.ndarray) -> np.ndarray | float:
        return values[:, e] if isinstance(e, int) else e

    def value(self, i: int, theta: np.ndarray) -> tuple[np.ndarray, dict[int, Any]]:
        """Value (rows, 1) of slot i and its partials by slot."""
        slot = self.slots[i]
        t = theta[:, i : i + 1]
        if slot.kind == "free":
            return t, {i: 1.0}
        if slot.kind == "between":
            u = 0.5 * (1 + np.tanh(0.5 * t))
            span = slot.upper - slot.lower
            return slot.lower + span * u, {i: span * u * (1 - u)}
        if slot.kind == "below":
            e = np.exp(np.clip(t, -_WALK, _WALK))
            return slot.upper - e, {i: -e}
        if slot.centre:
            return self._centred(slot, i, t, theta)
        e = np.exp(np.clip(t, -_WALK, _WALK))
        return slot.lower + e, {i: e}

    def _centred(self, slot: Slot, i: int, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, dict[int, Any]]:
        if slot.inside:  # v = centre * exp(t / power): the term (v / x)**power is exp(t) at the centre
            power, slopes = self._read(slot.centre[0][0], theta)
            v = np.exp(np.clip(slot.log_centre + t / power, -_WALK, _WALK))
            return v, {i: v / power} | {k: -v * t / power**2 * a for k, a in slopes.items()}
        shift, slopes = 0.0, {}
        for e, log_x in slot.centre:
            power, own = self._read(e, theta)
            shift = shift - power * log_x
            for k, a in own.items():
                slopes[k] = slopes.get(k, 0.0) - a * log_x
        v = np.exp(np.clip(t + shift, -2 * _WALK, 2 * _WALK))
        return v, {i: v} | {k: v * a for k, a in slopes.items()}

    def _read(self, e: int | float, theta: np.ndarray) -> tuple[Any, dict[int, Any]]:
        return self.value(e, theta) if isinstance(e, int) else (e, {})

    def evaluate(self, theta: np.ndarray, X: Mapping[str, np.ndarray], derivatives: bool = True) -> Any:
        """The law at slots (rows, p) and points X {variable: (n,) or (rows, n)}: a Dual (rows, n), or plain values."""
        numbers: dict[int, Any] = {}

        def number(e: int | float) -> Any:
            if not isinstance(e, int):
                return e
            if e not in numbers:
                v, d = self.value(e, theta)
                numbers[e] = Dual(v, d) if derivatives else v
            return numbers[e]

        named: dict[str, Any] = {}
        for name, read in self.layout.items():
            if isinstance(read, tuple) and read and read[0] == "by":
                named[name] = self._by_group([number(e) for e in read[1]], X[self.grouping or ""])
            elif isinstance(read, tuple):
                named[name] = tuple(number(e) for e in read)
            else:
                named[name] = number(read)
        return self.law.function(*(X[v] for v in self.law.variables), **named)

    @staticmethod
    def _by_group(entries: list[Any], codes: np.ndarray) -> Any:
        total: Any = 0.0
        for g, entry in enumerate(entries):
            total = total + entry * (codes == g).astype(float)
        return total

    def rebind(self, values: Mapping[str, float]) -> dict[str, Any]:
        """Slot values by name to the law's own arguments (numbers, arrays for sized, dicts for grouped)."""
        numbers = [values[s.name] for s in self.slots]

        def one(e: int | float) -> float:
            return float(numbers[e]) if isinstance(e, int) else e

        out: dict[str, Any] = {}
        for name, read in self.layout.items():
            if isinstance(read, tuple) and read and read[0] == "by":
                out[name] = {label: one(e) for label, e in zip(self.labels, read[1])}
            else:
                out[name] = tuple(one(e) for e in read) if isinstance(read, tuple) else one(read)
        return out


def bind(
    law: Law,
    points: Mapping[str, np.ndarray],
    *,
    fixed: Mapping[str, float] | None = None,
    tied: Mapping[str, str] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    by: Sequence[str] = (),
    grouping: str | None = None,
    labels: Sequence[str] = (),
    uncentred: Sequence[str] = (),
) -> Model:
    """Bind a law to points {variable: (n,) array}: fixed, tied and bounded parameters, one value per group for ``by``.

    Raises ValueError for a name that is not a parameter, an empty interval, or a fixed value outside its bounds.
    """
    fixed, tied, bounds = dict(fixed or {}), dict(tied or {}), dict(bounds or {})
    _check_names(law, fixed=fixed, tied=tied, bounds=bounds, by=dict.fromkeys(by))
    for one, other, what in ((fixed, tied, "fixed and tied"), (tied, bounds, "tied and bounded")):
        if both := sorted(one.keys() & other.keys()):
            raise ValueError(f"law {law.name}: {both[0]} is both {what}; say one of them")
    slots: list[Slot] = []
    layout: dict[str, Any] = {}
    for p in law.parameters:
        if p.name in tied:
            continue
        if p.name in fixed:
            value = fixed[p.name]
            low, high = bounds.get(p.name, (p.lower, p.upper))
            if not np.all((np.asarray(value) >= low) & (np.asarray(value) <= high)):
                raise ValueError(f"fixed: {p.name} = {value} of law {law.name} lies outside [{low:g}, {high:g}]")
            layout[p.name] = tuple(map(float, np.ravel(value))) if np.ndim(value) else float(value)
            continue
        lower, upper = bounds.get(p.name, (p.lower, p.upper))
        if not lower < upper:
            raise ValueError(
                f"law {law.name}: bounds of {p.name} are [{lower}, {upper}]; the lower must be below the upper"
            )
        entries = _entries(p, points, labels if (p.name in by or p.by) else ())
        first = len(slots)
        slots += [Slot(p.name + e, p.name, lower, upper) for e in entries]
        indices = tuple(range(first, len(slots)))
        grouped = p.name in by or p.by is not None
        layout[p.name] = ("by", indices) if grouped else indices if p.size is not None else first
    for name in tied:
        layout[name] = layout[_tie_end(law, name, tied)]
    layout = {p.name: layout[p.name] for p in law.parameters}
    centred = [_centre(law, s, layout, points) if s.parameter not in uncentred else s for s in slots]
    return Model(law, tuple(centred), layout, grouping, tuple(labels))


def _tie_end(law: Law, name: str, tied: Mapping[str, str]) -> str:
    seen = [name]
    while seen[-1] in tied:
        seen.append(tied[seen[-1]])
        if seen[-1] in seen[:-1]:
            raise ValueError(f"tied: law {law.name}: {' = '.join(seen)} is a circle; leave one of them out")
    return seen[-1]


def _check_names(law: Law, **given: Mapping[str, Any]) -> None:
    known = law.parameter_names
    for argument, names in given.items():
        for name in [*names, *(names.values() if argument == "tied" else ())]:
            if name not in known:
                raise ValueError(
                    f"{argument}: law {law.name} has no parameter {name!r}{did_you_mean(name, list(known))}"
                )


def _entries(p: Parameter, points: Mapping[str, np.ndarray], labels: Sequence[str]) -> list[str]:
    if labels:
        return [f"[{label}]" for label in labels]
    if p.size is None:
        return [""]
    count = p.size if isinstance(p.size, int) else len(points[p.size])
    return [f"[{i}]" for i in range(count)]


def _centre(law: Law, slot: Slot, layout: Mapping[str, Any], points: Mapping[str, np.ndarray]) -> Slot:
    """Centre a positive amplitude or scale on the data, where its variables are positive and it has one exponent."""
    p = next(q for q in law.parameters if q.name == slot.parameter)
    if not p.power or slot.lower != 0 or slot.upper != inf or p.kind not in ("amplitude", "scale"):
        return slot
    logs = []
    for v in p.on:
        x = np.asarray(points[v], float)
        x = x[np.isfinite(x)]
        if x.size == 0 or x.min() <= 0:
            return slot
        logs.append(float(np.median(np.log(x))))
    centre = []
    for e, log_x in zip(p.power, logs):
        sign = -1.0 if e.startswith("-") else 1.0
        read = layout.get(e.lstrip("-"))
        if read is None:
            read = float(e.lstrip("-"))
        if isinstance(read, tuple):
            return slot
        # the amplitude A of A * x**-power has the term's size exp(t) = A * x**-power at the centre
        centre.append((read, -sign * log_x))
    return replace(slot, centre=tuple(centre), inside=p.kind == "scale", log_centre=logs[0])
