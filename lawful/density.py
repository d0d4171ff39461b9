r"""The density that a posterior is sampled from, in the search space of the fit.

A fit with normal errors of unknown spread has, with the prior 1 / sigma,
$p(\theta | y) \propto \pi(\theta) RSS(\theta)^{-n/2}$; a binomial fit has its own likelihood.
pi is the prior of each number where one is given, and else flat:

* on offsets, shares and coefficients within their bounds, and on exponents up to 5: few runs would allow any;
  an offset ends at a hundred times the data's level, where a fit of logs would still allow it;
* on the log of what has no natural size: an amplitude's or scale's term at the middle of the data, from a millionth of
  the data's level to a hundred times it; a location, from a thousandth of the smallest value to a thousand times the
  largest; a width, from 1e-3 to 1e3.

A prior of a number with a log is on its log. The search space has other coordinates than either, so the slope of one by
the other (the Jacobian of the change of variables) belongs to the density.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from typing import Protocol

import numpy as np

from lawful.bind import Slot
from lawful.fit import Fit
from lawful.solve import values as objective_values

Density = Callable[[np.ndarray], np.ndarray]
_TERM = (log(1e-6), log(1e2))  # a term's size at the middle of the data, as a part of the data's level
_EXPONENT = 5.0


class Prior(Protocol):
    """What is known of a number before, up to a constant; of its log where it has one."""

    def log_density(self, x: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Range:
    """Where a number may lie. on: "slot" (its place in the search space, a log) or "number"."""

    on: str
    low: float
    high: float


def log_posterior(fit: Fit, priors: Mapping[str, Prior]) -> Density:
    """The log posterior (rows,) at slots (rows, p), up to a constant; -inf outside the ranges. See the module."""
    model, n, problems, how = fit.model, fit.n, fit.problems, fit.objective
    ranges = [range_of(fit, slot) for slot in model.slots]
    zeros = np.zeros(0, int)

    def density(theta: np.ndarray) -> np.ndarray:
        nonlocal zeros
        if len(zeros) < len(theta):
            zeros = np.zeros(len(theta), int)
        with np.errstate(all="ignore"):
            F = objective_values(model, theta, problems, zeros[: len(theta)], how)
            out = -F if how.binomial else -0.5 * n * np.log(F)
            for i, (slot, one) in enumerate(zip(model.slots, ranges)):
                out = out + _prior_of(i, one, priors.get(slot.name), theta, *model.value(i, theta))
        return np.where(np.isfinite(out), out, -np.inf)

    return density


def _prior_of(
    i: int, one: Range, prior: Prior | None, theta: np.ndarray, value: np.ndarray, slopes: Mapping[int, np.ndarray]
) -> np.ndarray:
    """Log prior (rows,) of the number of slot i, per unit of the slot."""
    v, slope = value[:, 0], np.abs(np.broadcast_to(slopes[i], value.shape)[:, 0])
    if one.on == "number":
        inside = (v > one.low) & (v < one.high)
        out = np.log(slope) if prior is None else np.log(slope) + prior.log_density(v)
    else:
        inside = (theta[:, i] > one.low) & (theta[:, i] < one.high)
        out = 0.0 if prior is None else np.log(slope / v) + prior.log_density(np.log(v))
    return np.where(inside, out, -np.inf)


def range_of(fit: Fit, slot: Slot) -> Range:
    """Where the number of a slot may lie, and on which scale its prior is flat unless one is given."""
    kind, on = next((p.kind, p.on) for p in fit.law.parameters if p.name == slot.parameter)
    level = float(np.median(np.abs(fit.points.y)))
    positive = slot.kind == "above" and slot.lower == 0
    if slot.centre:
        own = 0.0 if slot.inside else log(level)
        return Range("slot", own + _TERM[0], own + _TERM[1])
    if positive and kind in ("location", "scale"):
        x = np.concatenate([np.ravel(fit.points.X[v]) for v in on])
        x = x[x > 0]
        return Range("slot", log(x.min() / 1e3), log(x.max() * 1e3))
    if positive and kind == "width":
        return Range("slot", log(1e-3), log(1e3))
    most = {"exponent": _EXPONENT, "offset": 100 * level}.get(kind, np.inf)
    return Range("number", max(slot.lower, -most), min(slot.upper, most))
