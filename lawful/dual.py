"""Derivatives of any law that is written with ordinary operators.

A `Dual` is a number that carries its derivatives: a value and, for each parameter that it depends on, a partial.
The operators and NumPy functions below apply the chain rule, so a law runs unchanged on plain arrays (a prediction) and
on duals (a prediction and its Jacobian, exact to rounding).
Two examples: ``A * N**-alpha`` with duals for A and alpha has the partials ``N**-alpha`` and ``-A N**-alpha log N``;
a constant law has none, and costs nothing.

The partials are *sparse*: a dict from parameter index to array, holding only what is not zero, each in the smallest
shape that broadcasts. That makes the general code nearly as fast as a Jacobian written by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any  # float, NumPy array or Dual: a law's body takes them all


def _erf_slope(x: Array, f: Array) -> Array:
    return 2 / np.sqrt(np.pi) * np.exp(-x * x)


def _gammaln_slope(x: Array, f: Array) -> Array:
    from scipy.special import digamma

    return digamma(x)


# Slope of each one-argument function, given its argument x and its value f. By name, so that SciPy's
# functions (expit, erf, gammaln) are known without importing SciPy.
_SLOPES: dict[str, Callable[[Array, Array], Array]] = {
    "exp": lambda x, f: f,
    "exp2": lambda x, f: f * np.log(2),
    "expm1": lambda x, f: f + 1,
    "log": lambda x, f: 1 / x,
    "log2": lambda x, f: 1 / (x * np.log(2)),
    "log10": lambda x, f: 1 / (x * np.log(10)),
    "log1p": lambda x, f: 1 / (1 + x),
    "sqrt": lambda x, f: 0.5 / f,
    "square": lambda x, f: 2 * x,
    "reciprocal": lambda x, f: -f * f,
    "sin": lambda x, f: np.cos(x),
    "cos": lambda x, f: -np.sin(x),
    "tan": lambda x, f: 1 + f * f,
    "arctan": lambda x, f: 1 / (1 + x * x),
    "sinh": lambda x, f: np.cosh(x),
    "cosh": lambda x, f: np.sinh(x),
    "tanh": lambda x, f: 1 - f * f,
    "absolute": lambda x, f: np.sign(x),
    "expit": lambda x, f: f * (1 - f),
    "logit": lambda x, f: 1 / (x * (1 - x)),
    "erf": _erf_slope,
    "gammaln": _gammaln_slope,
}


def _sum(p: dict[int, Array], q: dict[int, Array]) -> dict[int, Array]:
    out = dict(p)
    for i, a in q.items():
        out[i] = out[i] + a if i in out else a
    return out


class Dual:
    """A value with its sparse partial derivatives: ``v`` an array, ``d`` a dict {parameter index: array}."""

    __slots__ = ("v", "d")
    __array_priority__ = 1000

    def __init__(self, v: Array, d: dict[int, Array]):
        self.v, self.d = v, d

    def _chain(self, v: Array, slope: Array) -> Dual:
        return Dual(v, {i: slope * a for i, a in self.d.items()})

    def __add__(self, o: Array) -> Dual:
        if isinstance(o, Dual):
            return Dual(self.v + o.v, _sum(self.d, o.d))
        return Dual(self.v + o, self.d)

    __radd__ = __add__

    def __neg__(self) -> Dual:
        return Dual(-self.v, {i: -a for i, a in self.d.items()})

    def __pos__(self) -> Dual:
        return self

    def __sub__(self, o: Array) -> Dual:
        return self + (-o)

    def __rsub__(self, o: Array) -> Dual:
        return (-self) + o

    def __mul__(self, o: Array) -> Dual:
        if isinstance(o, Dual):
            left = {i: a * o.v for i, a in self.d.items()}
            return Dual(self.v * o.v, _sum(left, {i: self.v * a for i, a in o.d.items()}))
        return self._chain(self.v * o, o)

    __rmul__ = __mul__

    def __truediv__(self, o: Array) -> Dual:
        if isinstance(o, Dual):
            return self * o._inverse()
        return self._chain(self.v / o, 1 / o)

    def __rtruediv__(self, o: Array) -> Dual:
        return self._inverse() * o

    def _inverse(self) -> Dual:
        f = 1 / self.v
        return self._chain(f, -f * f)

    def __pow__(self, o: Array) -> Dual:
        if isinstance(o, Dual):
            return np.exp(o * np.log(self))  # type: ignore[return-value]
        return self._chain(self.v**o, o * self.v ** (o - 1))

    def __rpow__(self, o: Array) -> Dual:
        """Data to the power of a parameter. ``0**p`` has value and slope 0 for p > 0."""
        o = np.asarray(o)
        if np.all(o > 0):
            log = np.log(o)
            f = np.exp(self.v * log)
        else:
            log = np.log(np.where(o > 0, o, 1.0))
            f = np.power(o, self.v)
        return self._chain(f, f * log)

    def __abs__(self) -> Dual:
        return self._chain(np.abs(self.v), np.sign(self.v))

    def __lt__(self, o: Array) -> Array:
        return self.v < plain(o)

    def __le__(self, o: Array) -> Array:
        return self.v <= plain(o)

    def __gt__(self, o: Array) -> Array:
        return self.v > plain(o)

    def __ge__(self, o: Array) -> Array:
        return self.v >= plain(o)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            return NotImplemented
        name = ufunc.__name__
        if len(args) == 1 and name in _SLOPES:
            f = ufunc(self.v)
            return self._chain(f, _SLOPES[name](self.v, f))
        if name in _BINARY:
            return _BINARY[name](*args)
        raise TypeError(
            f"a law uses np.{name}, whose derivative is not known here; "
            f"write it with {', '.join(sorted({*_SLOPES, *_BINARY}))}, np.where or np.clip"
        )

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.where and len(args) == 3:
            return where(*args)
        if function is np.clip and len(args) == 3:
            return _maximum(_minimum(args[0], args[2]), args[1])
        raise TypeError(
            f"a law uses np.{function.__name__} on its parameters, whose derivative is not known here; "
            "write it with ordinary operators, Python's sum, np.where or np.clip"
        )

    def __repr__(self) -> str:
        return f"Dual({self.v!r}, partials of {sorted(self.d)})"


def plain(x: Array) -> Array:
    """The value of a dual, or the number itself."""
    return x.v if isinstance(x, Dual) else x


def where(condition: Array, a: Array, b: Array) -> Dual:
    """``np.where`` for duals: the partials are those of the branch taken."""
    condition = plain(condition)
    da, db = getattr(a, "d", {}), getattr(b, "d", {})
    partials = {i: np.where(condition, da.get(i, 0.0), db.get(i, 0.0)) for i in {**da, **db}}
    return Dual(np.where(condition, plain(a), plain(b)), partials)


def _maximum(a: Array, b: Array) -> Dual:
    return where(plain(a) >= plain(b), a, b)


def _minimum(a: Array, b: Array) -> Dual:
    return where(plain(a) <= plain(b), a, b)


def _logaddexp(a: Array, b: Array) -> Array:
    top = np.maximum(plain(a), plain(b))
    return np.log(np.exp(a - top) + np.exp(b - top)) + top


def _power(a: Array, b: Array) -> Array:
    return a**b if isinstance(a, Dual) else b.__rpow__(a)


_BINARY: dict[str, Callable[..., Array]] = {
    # np's own scalars and arrays on the left reach these through the ufunc, so each names the dual's method
    "add": lambda a, b: a + b if isinstance(a, Dual) else b + a,
    "subtract": lambda a, b: a - b if isinstance(a, Dual) else (-b) + a,
    "multiply": lambda a, b: a * b if isinstance(a, Dual) else b * a,
    "divide": lambda a, b: a / b if isinstance(a, Dual) else b.__rtruediv__(a),
    "power": _power,
    "float_power": _power,
    "negative": lambda a: -a,
    "positive": lambda a: a,
    "maximum": _maximum,
    "minimum": _minimum,
    "logaddexp": _logaddexp,
    "less": lambda a, b: plain(a) < plain(b),
    "less_equal": lambda a, b: plain(a) <= plain(b),
    "greater": lambda a, b: plain(a) > plain(b),
    "greater_equal": lambda a, b: plain(a) >= plain(b),
    "isfinite": lambda a: np.isfinite(plain(a)),
}

_UNKNOWN = -1  # partial index of the unknown of `root`; parameters count from 0


def root(equation: Callable[[Array], Array], lower: Array, upper: Array, steps: int = 80) -> Array:
    """The L in (lower, upper) with ``equation(L) = 0``: for laws that are given implicitly.

    The equation must be monotone in L with opposite signs at the ends (an end may be infinite in value, as
    log(L - E) is at E). Solved by safeguarded Newton steps inside a shrinking bracket, for all points at once;
    derivatives by the implicit function theorem, dL/dtheta = -(dG/dtheta) / (dG/dL).
    Where the ends do not bracket a root, the result is nan. Complex parameters (the complex-step oracle of the
    tests) take one Newton step from the real root, which is exact to first order.
    """
    probe = equation(Dual(0.5 * (_real(lower) + _real(upper)), {_UNKNOWN: 1.0}))
    shape = np.shape(plain(probe))
    low = np.broadcast_to(_real(lower), shape).astype(float)
    high = np.broadcast_to(_real(upper), shape).astype(float)
    x = 0.5 * (low + high)
    rising = np.broadcast_to(np.real(_slope(probe)), shape) > 0
    with np.errstate(all="ignore"):
        for _ in range(steps):
            g = equation(Dual(x, {_UNKNOWN: 1.0}))
            value = np.real(plain(g))
            above = (value > 0) == rising
            high, low = np.where(above, x, high), np.where(above, low, x)
            newton = x - value / np.real(_slope(g))
            inside = (newton > low) & (newton < high)
            new = np.where(inside, newton, 0.5 * (low + high))
            moving = (np.abs(new - x) > 1e-12 * np.abs(x)) & (high - low > 1e-12 * np.abs(x))
            if not moving.any():  # points without a root, all nan, do not hold up the others
                x = new
                break
            x = new
        g = equation(Dual(x, {_UNKNOWN: 1.0}))
        value, slope = plain(g), _slope(g)
        x = np.where(np.abs(np.real(value / slope)) <= 1e-6 * (np.abs(x) + 1e-12), x - value / slope, np.nan)
    partials = {i: -a / slope for i, a in getattr(g, "d", {}).items() if i != _UNKNOWN}
    return Dual(x, partials) if partials else x


def _real(x: Array) -> Array:
    return np.real(plain(x))


def _slope(g: Array) -> Array:
    if not isinstance(g, Dual) or _UNKNOWN not in g.d:
        raise ValueError("root: the equation does not depend on its unknown")
    return g.d[_UNKNOWN]
