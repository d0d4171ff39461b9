"""The best split of a budget between size and data, C = 6 N D, by any law that has both.

Closed forms are the catalogue's (``law.optimum``); where a law has none, the split is searched on log N, for all
draws of a belief at once. What a law needs besides (experts, unique tokens, bits) is given by name and held fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.belief import Belief, positive
from lawful.quantities import did_you_mean

SIZES = ("N", "N_nonemb", "N_act", "N_nonzero", "N_nv", "N_act_nonemb")
PER_TOKEN = 6.0  # training FLOP per parameter and token
_GRID, _ZOOM, _ZOOMS = 33, 7, 11


@dataclass(frozen=True)
class Split:
    """How one law splits a budget. size: its variable for parameters. others: its further variables, held fixed.
    max_params, max_tokens: limits; where one binds, the other takes the budget, and where both do, budget is left over.
    """

    held: Belief
    size: str
    others: Mapping[str, float]
    max_params: float = np.inf
    max_tokens: float = np.inf

    def loss(self, v: Mapping[str, Any], N: Any, D: Any) -> Any:
        """The law at sizes and tokens, with values or draws v."""
        law = self.held.law
        given = {**self.others, self.size: N, "D": D}
        if self.size not in law.variables:  # written in compute and tokens per parameter
            given |= {"C": PER_TOKEN * N * D, "TPP": D / N}
        with np.errstate(all="ignore"):
            return law.function(*(given[x] for x in law.variables), **{p: v[p] for p in law.parameter_names})

    def best(self, C: Any, v: Mapping[str, Any]) -> Any:
        """The size that makes the loss smallest on C = 6 N D, within the limits."""
        return np.minimum(np.maximum(self.free(C, v), C / (PER_TOKEN * self.max_tokens)), self.max_params)

    def tokens(self, C: Any, v: Mapping[str, Any]) -> Any:
        """The tokens that belong to `best`."""
        with np.errstate(all="ignore"):
            return np.minimum(C / (PER_TOKEN * self.best(C, v)), self.max_tokens)

    def free(self, C: Any, v: Mapping[str, Any]) -> Any:
        """`best` without limits."""
        law = self.held.law
        with np.errstate(all="ignore"):
            if self.size in law.optimum:
                return law.optimum[self.size](C, v, **self.others)
            if "TPP" in law.optimum:
                return np.sqrt(C / (PER_TOKEN * law.optimum["TPP"](C, v, **self.others)))
        return self.searched(C, v)

    def searched(self, C: Any, v: Mapping[str, Any]) -> Any:
        """`free` without the closed form: a grid on log N from 1 to C / 6, zoomed in."""
        C = np.asarray(C, float)
        span = np.log(C / PER_TOKEN)

        def f(x: np.ndarray) -> np.ndarray:
            N = np.exp(x)
            return self.loss(v, N, C / (PER_TOKEN * N))

        return np.exp(lowest(f, np.zeros_like(span), span))

    def lowest_loss(self, C: Any, v: Mapping[str, Any]) -> Any:
        """The loss of the best size and its tokens."""
        return self.loss(v, self.best(C, v), self.tokens(C, v))

    @property
    def limited(self) -> bool:
        return np.isfinite(self.max_params) or np.isfinite(self.max_tokens)


def split(
    held: Belief, others: Mapping[str, Any], max_params: float | None = None, max_tokens: float | None = None
) -> Split:
    """How the law of a belief splits a budget; ``others`` are the values of its further variables.

    Raises ValueError where the law has no size and tokens to split a budget between, or a variable is missing.
    """
    law = held.law
    size = next((s for s in SIZES if s in law.variables), None)
    if {"C", "TPP"} <= set(law.variables):
        size, own = "N", {"C", "TPP"}
    elif size is not None and "D" in law.variables:
        own = {size, "D"}
    else:
        raise ValueError(
            f"law {law.name} has the variables {', '.join(law.variables)}: a budget is split by laws of size and "
            "tokens (N and D), such as chinchilla"
        )
    wanted = [x for x in law.variables if x not in own]
    for name in others:
        if name not in wanted:
            raise ValueError(
                f"law {law.name} takes no {name!r} here{did_you_mean(name, wanted) or '; it needs nothing besides'}"
            )
    missing = [x for x in wanted if x not in others]
    if missing:
        raise ValueError(f"law {law.name} needs {', '.join(missing)} too: give {missing[0]}=")
    most = [
        np.inf if x is None else positive(k, x) for k, x in (("max_params", max_params), ("max_tokens", max_tokens))
    ]
    return Split(held, size, {k: positive(k, others[k]) for k in wanted}, *most)


def lowest(f: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where f is smallest between low and high (...,): a grid along a new first axis, then zooms round its best point.

    f takes points (m, ...) and returns values that broadcast to (m, draws). nan counts as large. A minimum at an end
    comes out as that end.
    """
    count = _GRID
    for _ in range(1 + _ZOOMS):
        steps = np.linspace(0.0, 1.0, count)
        x = low + (high - low) * steps.reshape(-1, *(1,) * max(np.ndim(low), 1))
        y = np.asarray(f(x), float)
        y = np.where(np.isfinite(y), y, np.inf)
        x = np.broadcast_to(x, y.shape)
        at = y.argmin(0)
        low, high, best = (
            np.take_along_axis(x, i[None], 0)[0]
            for i in (np.maximum(at - 1, 0), np.minimum(at + 1, count - 1), at)
        )  # fmt: skip
        count = _ZOOM
    return best if best.size > 1 else best.reshape(())


def crossing(f: Callable[[np.ndarray], np.ndarray], inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Where f, true at ``inside``, stops being true on the way to ``outside``; ``outside`` where it never does."""
    inside, outside = np.asarray(inside, float), np.asarray(outside, float)
    end, always = outside, np.asarray(f(outside))
    for _ in range(60):
        middle = 0.5 * (inside + outside)
        good = np.asarray(f(middle))
        inside, outside = np.where(good, middle, inside), np.where(good, outside, middle)
    return np.where(always, end, inside)
