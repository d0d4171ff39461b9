"""AIC, AICc and BIC of a fit, or the reason why the data are too few for them.

    AIC = -2 ln L + 2 k,   AICc = AIC + 2 k (k + 1) / (n - k - 1),   BIC = -2 ln L + k ln n

ln L is the largest log likelihood of normal errors (of log values for the log objectives; then of the values
themselves, so that ln y is taken off) or of binomial counts; k counts the free numbers and, for normal errors, their
spread. Differences between laws fitted to the same points are what they are for; they speak of the scales that were
seen and not of larger ones, for which there are rolling origins.

Refused: all three where the points are not independent or the objective is no likelihood; AICc where n - k - 1 <= 0;
AIC below n / k = 40 (Burnham and Anderson 2002, section 2.4: take AICc there); BIC below n / k = 5, where the
approximation that it is made of is usually wrong (Kass and Raftery 1995, section 4.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lawful.fit import Fit

NAMES = ("AICc", "AIC", "BIC")
_AIC, _BIC = 40, 5  # points per number


@dataclass(frozen=True)
class Information:
    """log_likelihood, k and n; criteria: those that can be had; refused: the others, each with its reason."""

    log_likelihood: float
    k: int
    n: int
    criteria: Mapping[str, float]
    refused: Mapping[str, str]


def information(fit: Fit) -> Information:
    """The criteria of a fit. See the module for the formulas and for what is refused."""
    k = len(fit.estimates) + (not fit.objective.binomial)
    n, why = fit.n, _no_likelihood(fit)
    if why:
        return Information(np.nan, k, n, {}, dict.fromkeys(NAMES, why))
    log_likelihood = float(log_densities(fit).sum())
    aic = -2 * log_likelihood + 2 * k
    refused: dict[str, str] = {}
    if n - k - 1 <= 0:
        refused["AICc"] = f"AICc needs more than k + 1 = {k + 1} points; there are {n}"
    if n < _AIC * k:
        refused["AIC"] = f"AIC needs {_AIC} points per number of the law and its spread; there are {n}: read AICc"
    if n < _BIC * k:
        refused["BIC"] = f"BIC needs {_BIC} points per number of the law and its spread; there are {n}"
    found = {"AIC": aic, "BIC": aic + k * (np.log(n) - 2)}
    if "AICc" not in refused:
        found["AICc"] = aic + 2 * k * (k + 1) / (n - k - 1)
    return Information(log_likelihood, k, n, {c: float(found[c]) for c in NAMES if c not in refused}, refused)


def _no_likelihood(fit: Fit) -> str:
    if fit.points.cluster is not None:
        runs = len(np.unique(fit.points.cluster))
        return f"the {fit.n} points are from {runs} runs and not independent, so n is not the number of observations"
    if not (fit.objective.squares or fit.objective.binomial):
        return f"{fit.objective.name} is not a likelihood: fit with log_lsq, lsq or binomial"
    if fit.rss <= 0:
        return "the law passes through every point, so the spread cannot be estimated"
    return ""


def log_densities(fit: Fit) -> np.ndarray:
    """ln of the likelihood of each point (n,) at the optimum, the spread at its own maximum."""
    y, f, w = fit.points.y, fit.fitted, fit.points.w
    if fit.objective.binomial:
        return _binomial(y, f, fit.points.items_or_one) * w / fit.points.items_or_one
    variance = fit.rss / fit.n
    jacobian = np.log(y) if fit.objective.log else 0.0
    return 0.5 * (np.log(w) - np.log(2 * np.pi * variance)) - 0.5 * w * fit.residuals**2 / variance - jacobian


def _binomial(y: np.ndarray, f: np.ndarray, items: np.ndarray) -> np.ndarray:
    from scipy.special import gammaln, xlog1py, xlogy

    hits = np.rint(y * items)
    ways = gammaln(items + 1) - gammaln(hits + 1) - gammaln(items - hits + 1)
    return ways + xlogy(hits, f) + xlog1py(items - hits, -f)
