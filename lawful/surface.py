"""The loss over size and tokens, whatever the law, and the search for its lowest point.

A plan looks at L(N, D) alone: `surface` makes that of any law with one size and one number of tokens, repeated data
included where unique tokens are few (Muennighoff et al. 2023). `lowest` then minimises over log N for all draws of a
belief at once, by golden sections: every objective of a plan falls and then rises in N.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.belief import Belief
from lawful.findings import Finding
from lawful.laws.repetition import muennighoff

SIZES = ("N", "N_nonemb", "N_act")
REPETITION = muennighoff.published("muennighoff2023")
_GOLDEN = (5**0.5 - 1) / 2
_SECTIONS = 64

Mapped = Mapping[str, Any]


@dataclass(frozen=True)
class Surface:
    """L(values, N, D) of a law. size: which parameters its N counts. unique: unique tokens, inf where unlimited."""

    loss: Callable[[Mapped, Any, Any], Any]
    size: str
    unique: float
    findings: tuple[Finding, ...] = ()

    def tokens_for(self, values: Mapped, N: Any, target: Any) -> Any:
        """Tokens at which a model of N parameters reaches the loss ``target``; inf where it never does.

        By bisection of log D from 1 to 1e30: the loss of every law here falls with more tokens.
        """
        low = np.zeros(np.broadcast_shapes(np.shape(N), np.shape(target)))
        high = low + np.log(1e30)
        reached = self.loss(values, N, np.exp(high)) <= target
        for _ in range(60):
            middle = 0.5 * (low + high)
            above = self.loss(values, N, np.exp(middle)) > target
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        return np.where(reached, np.exp(high), np.inf)


def surface(held: Belief, unique_tokens: float | None = None) -> Surface:
    """The loss by size and tokens of what is believed, with tokens beyond ``unique_tokens`` worth less.

    Raises ValueError for a law with other variables, naming them.
    """
    law = held.law
    size = next((n for n in SIZES if n in law.variables), "")
    others = [v for v in law.variables if v not in (size, "D", "U")]
    if not size or "D" not in law.variables or others or law.predicts != "L":
        raise ValueError(
            f"law {law.name} gives {law.predicts} by {', '.join(law.variables)}; this plan needs a law of the loss by "
            "one number of parameters and tokens D, such as chinchilla"
        )
    unlimited = unique_tokens is None

    def plain(v: Mapped, N: Any, D: Any) -> Any:
        more = {"U": D if unlimited else unique_tokens} if "U" in law.variables else {}
        named = {size: N, "D": D} | more
        return law.function(*(named[x] for x in law.variables), **v)

    if unlimited or "U" in law.variables:
        return Surface(plain, size, np.inf if unlimited else float(unique_tokens))
    return _repeated(plain, size, float(unique_tokens), {"A", "B", "alpha", "beta", "E"} == set(law.parameter_names))


def _repeated(plain: Callable[..., Any], size: str, unique: float, same_form: bool) -> Surface:
    """Repeated tokens worth what Muennighoff measured; excess parameters too where the law has Chinchilla's form."""
    R_D, R_N = REPETITION["R_D_star"], REPETITION["R_N_star"]

    def repeated(v: Mapped, N: Any, D: Any) -> Any:
        if same_form:
            return muennighoff.function(N, D, unique, R_D_star=R_D, R_N_star=R_N, **v)
        return plain(v, N, worth(D, unique, R_D))

    message = (
        f"Repeated tokens are worth what was measured on C4 (R_D* = {R_D:.3g}"
        + (f", R_N* = {R_N:.3g}" if same_form else "")
        + "; published without interval, up to 9e9 parameters and 9e11 tokens)."
    )
    return Surface(repeated, size, unique, (Finding("repetition", "note", message),))


def worth(D: Any, unique: Any, R: Any = None) -> Any:
    """Tokens of fresh data that D tokens drawn from ``unique`` ones are worth (Muennighoff et al. 2023, equation 5)."""
    R = REPETITION["R_D_star"] if R is None else R
    U = np.minimum(unique, D)
    return U - U * R * np.expm1(-(D / U - 1) / R)


def lowest(f: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """x where f is least between low and high, elementwise over arrays, for f that falls and then rises.

    Where f is infinite on the left, the search moves right.
    """
    low, high = np.broadcast_arrays(np.asarray(low, float), np.asarray(high, float))
    a, b = low.copy(), high.copy()
    c, d = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
    fc, fd = f(c), f(d)
    for _ in range(_SECTIONS):
        left = fc < fd
        a, b = np.where(left, a, c), np.where(left, d, b)
        new = np.where(left, b - _GOLDEN * (b - a), a + _GOLDEN * (b - a))
        value = f(new)
        c, d = np.where(left, new, d), np.where(left, c, new)
        fc, fd = np.where(left, value, fd), np.where(left, fc, value)
    return 0.5 * (a + b)


def near_range(f: Callable[[Any], Any], best: float, low: float, high: float, near: float) -> tuple[float, float]:
    """The x around ``best`` where f stays within ``near`` times its value there, no wider than low to high."""
    limit = near * float(f(best))
    return _edge(f, best, low, limit), _edge(f, best, high, limit)


def _edge(f: Callable[[Any], Any], inside: float, outside: float, limit: float) -> float:
    if f(outside) <= limit:
        return outside
    for _ in range(60):
        middle = 0.5 * (inside + outside)
        inside, outside = (middle, outside) if f(middle) <= limit else (inside, middle)
    return float(inside)
