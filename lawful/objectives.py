"""What a fit minimises. Each objective is a loss of the distance between data and law, point by point.

* least squares on the value, or on its log (relative errors);
* log-Huber with any delta, the field's habit since Hoffmann et al. 2022 (app. D.3): squares inside delta, absolute
  values outside. At their delta of 1e-3 most points are outside, so it is nearly least absolute deviations;
* LAD, reached by shrinking delta in steps;
* lower envelope: squares that weigh points above the curve by tau and points below by 1 - tau;
* binomial: half the deviance of accuracies measured on a known number of items.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np


@dataclass(frozen=True)
class Objective:
    """name; log: distances of logs; delta: Huber's threshold (inf: squares); tau: weight of points above the curve."""

    name: str
    log: bool = False
    delta: float = inf
    tau: float = 0.5
    binomial: bool = False

    @property
    def squares(self) -> bool:
        """Plain least squares on the value or on its log: exact F-profiles and certified digits apply."""
        return self.delta == inf and self.tau == 0.5 and not self.binomial

    def residuals(self, y: np.ndarray, f: np.ndarray) -> np.ndarray:
        """Data minus law, in the space where distances are measured."""
        with np.errstate(all="ignore"):
            return np.log(y) - np.log(f) if self.log else y - f

    def total(self, y: np.ndarray, f: np.ndarray, w: np.ndarray) -> np.ndarray:
        """The objective, summed over the last axis: weights times the loss of each point. inf where undefined."""
        with np.errstate(all="ignore"):
            if self.binomial:
                rho = _half_deviance(y, f)
            else:
                r = self.residuals(y, f)
                a = np.abs(r)
                c = np.minimum(a, self.delta)
                rho = c * (a - 0.5 * c)
                if self.tau != 0.5:
                    rho = rho * 2 * np.where(r > 0, self.tau, 1 - self.tau)
            F = (rho * w).sum(-1)
        return np.where(np.isfinite(F), F, inf)

    def terms(self, y: np.ndarray, f: np.ndarray, kappa: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Loss, minus its slope and its curvature in the law's value (or log value), point by point.

        kappa blends the curvature of points outside delta: 1 is iteratively reweighted least squares (safe), 0 the
        true curvature (fast near the optimum).
        """
        if self.binomial:
            inside = (f > 0) & (f < 1)
            v = np.where(inside, f * (1 - f), np.nan)
            return _half_deviance(y, f), (y - f) / v, 1 / v
        r = self.residuals(y, f)
        if self.delta == inf:
            rho, psi, curve = 0.5 * r * r, r, np.ones_like(r)
        else:
            # in place where it can be: a bootstrap spends a fifth of its time here
            a = np.abs(r)
            c = np.minimum(a, self.delta)
            rho = a - 0.5 * c
            rho *= c
            c /= np.maximum(a, 1e-300)
            psi = r * c
            curve = np.multiply(c, kappa, out=c, where=a > self.delta)
        if self.tau != 0.5:
            side = 2 * np.where(r > 0, self.tau, 1 - self.tau)
            rho, psi, curve = rho * side, psi * side, curve * side
        return rho, psi, curve


def _half_deviance(y: np.ndarray, f: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        hit = np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / f), 0.0)
        miss = np.where(y < 1, (1 - y) * np.log(np.where(y < 1, 1 - y, 1) / (1 - f)), 0.0)
        return np.where((f > 0) & (f < 1), hit + miss, inf)


LSQ = Objective("lsq")
LOG_LSQ = Objective("log_lsq", log=True)


def objective(spec: str | Objective) -> Objective:
    """The objective of a name: lsq, log_lsq, huber, log_huber, lad, log_lad, envelope, log_envelope or binomial.

    A number after a colon sets the threshold: ``log_huber:1e-3`` (delta, default 1e-3), ``envelope:0.05`` (tau).
    Raises ValueError for any other name.
    """
    if isinstance(spec, Objective):
        return spec
    name, _, number = spec.partition(":")
    log, plain = name.startswith("log_"), name.removeprefix("log_")
    try:
        value = float(number) if number else None
    except ValueError:
        raise ValueError(f"objective {spec!r}: {number!r} after the colon is not a number") from None
    if value is not None and value <= 0:
        raise ValueError(f"objective {spec!r}: the number after the colon must be positive")
    if plain == "lsq" and value is None:
        return Objective(name, log=log)
    if plain == "huber":
        return Objective(name, log=log, delta=value or 1e-3)
    if plain == "lad" and value is None:
        return Objective(name, log=log, delta=0.0)  # the delta is set by the data's scale, see search.polish
    if plain == "envelope" and (value is None or value < 1):
        return Objective(name, log=log, tau=value or 0.05)
    if name == "binomial" and value is None:
        return Objective(name, binomial=True)
    allowed = "lsq, log_lsq, huber:DELTA, log_huber:DELTA, lad, log_lad, envelope:TAU, log_envelope:TAU, binomial"
    raise ValueError(f"objective {spec!r} is unknown; allowed: {allowed}")
