"""The recipe of the study, step by step as it describes it, through SciPy's `curve_fit`.

It is kept with its faults, so that the published numbers can be checked: the residual standard deviation of the
bootstrap divides by n - 1 whatever the number of parameters, draws with a negative L_inf are thrown away, the adjusted
R2 counts L_inf as a slope, and a fit ends where the optimiser stops. Starts are not published; those used here are
in `FORMS`, and where the answer hangs on them the study says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lawful.law import Law, amplitude, exponent, law
from lawful.laws.accuracy import bounded_power_accuracy
from lawful.laws.hoffmann import chinchilla
from lawful.laws.power import corrected, power_law_constant_n

EVALUATIONS, DRAW_EVALUATIONS = 10_000, 5_000  # of the law, for a fit of a table and for a bootstrap draw


@law(topic="pre-training")
def power_law_n(N, *, a=amplitude("N", "alpha"), alpha=exponent()):
    r"""$L = a N^{-\alpha}$

    The form that the study never tries: its "Kaplan" form without the constant.
    """
    return a * N**-alpha


@dataclass(frozen=True)
class Form:
    """A law of loss with the start that `curve_fit` is given. level: the parameter that the study calls L_inf."""

    title: str
    law: Law
    start: Mapping[str, float]
    level: str | None = "E"


KAPLAN = Form("Kaplan", power_law_constant_n, {"a": 10.0, "alpha": 0.1, "E": 1.5})
CHINCHILLA = Form("Chinchilla", chinchilla, {"E": 1.5, "A": 10.0, "B": 10.0, "alpha": 0.1, "beta": 0.1})
CORRECTED = Form("Corrected", corrected, {"a": 30.0, "alpha": 0.08, "c": 1000.0, "gamma": 0.3, "E": 0.5})
POWER = Form("Power law", power_law_n, {"a": 10.0, "alpha": 0.1}, level=None)
FORMS = (KAPLAN, CHINCHILLA, CORRECTED)  # the three of the study


@dataclass(frozen=True)
class Found:
    """Where a fit stopped. fitted, y: (n,). bounds_hit: parameters that ended on a bound."""

    law: Law
    values: Mapping[str, float]
    y: np.ndarray
    fitted: np.ndarray
    bounds_hit: tuple[str, ...] = ()

    @property
    def rss(self) -> float:
        return float(((self.y - self.fitted) ** 2).sum())

    @property
    def residuals(self) -> np.ndarray:
        return self.y - self.fitted

    def at(self, **variables: Any) -> np.ndarray:
        return self.law.at(self.values, **{name: x for name, x in variables.items() if name in self.law.variables})


def fit(
    law: Law, X: Mapping[str, np.ndarray], y: np.ndarray, start: Mapping[str, float],
    bounds: Mapping[str, tuple[float, float]] | None = None, evaluations: int = EVALUATIONS,
) -> Found:  # fmt: skip
    """Least squares by `curve_fit`: Levenberg-Marquardt, or trf where there are bounds.

    Raises RuntimeError where the optimiser uses up its evaluations, as `curve_fit` does.
    """
    from scipy.optimize import OptimizeWarning, curve_fit

    names = tuple(start)
    variables = [X[name] for name in law.variables]

    def model(_: Any, *values: float) -> np.ndarray:
        return law.function(*variables, **dict(zip(names, values)))

    limits = [(bounds or {}).get(name, (-np.inf, np.inf)) for name in names]
    options: dict[str, Any] = {"bounds": tuple(zip(*limits))} if bounds else {}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # no covariance at a degenerate stop; it is not used
        best = curve_fit(model, variables[0], y, p0=list(start.values()), maxfev=evaluations, **options)[0]
        values = {name: float(value) for name, value in zip(names, best)}
        hit = [
            name for name, (low, high) in zip(names, limits) if np.isclose(values[name], (low, high), rtol=1e-6).any()
        ]
        return Found(law, values, y, model(None, *best), tuple(hit))


def fit_task(law: Law, N: np.ndarray, accuracy: np.ndarray, ceiling: float = 1.0) -> Found:
    """The study's fit of a task: 1 - a N^-alpha, or the sigmoid in ln N with L at most `ceiling`."""
    if law is bounded_power_accuracy:
        start = {"a": 1.0, "alpha": 0.1}
        return fit(law, {"N": N}, accuracy, start, bounds={"a": (0, np.inf), "alpha": (0, 1)})
    start = {"L": 0.8, "k": 0.5, "x0": float(np.log(N).mean())}
    return fit(law, {"N": N}, accuracy, start, bounds={"L": (0, ceiling), "k": (0, np.inf)})


@law(predicts="accuracy", topic="downstream")
def sigmoid_to_one(N, *, k=exponent(), x0=exponent(lower=-np.inf)):
    r"""$accuracy = 1 / (1 + e^{-k (\ln N - x_0)})$"""
    return 1 / (1 + np.exp(-k * (np.log(N) - x0)))


def adjusted_r2(found: Found, lost: int = 1) -> float:
    """1 - (1 - R2)(n - 1)/(n - k - 1), with k all parameters as in the study (lost=1); lost=0 is n - k."""
    n, k = len(found.y), len(found.values)
    total = ((found.y - found.y.mean()) ** 2).sum()
    return float(1 - found.rss / total * (n - 1) / (n - k - lost))


def aic(found: Found) -> float:
    """n ln(RSS/n) + 2k, sigma not counted."""
    n = len(found.y)
    return float(n * np.log(found.rss / n) + 2 * len(found.values))


def bic(found: Found) -> float:
    """n ln(RSS/n) + k ln n, sigma not counted."""
    n = len(found.y)
    return float(n * np.log(found.rss / n) + len(found.values) * np.log(n))


def aicc(found: Found) -> float:
    """n ln(RSS/n) + 2K + 2K(K+1)/(n-K-1) with K = k + 1: sigma is counted. Infinite where n <= K + 1."""
    n, K = len(found.y), len(found.values) + 1
    return float(n * np.log(found.rss / n) + 2 * K + 2 * K * (K + 1) / (n - K - 1)) if n > K + 1 else np.inf


@dataclass(frozen=True)
class Draws:
    """Parametric bootstrap. values: name -> estimate per successful draw. failed: draws that never converged."""

    values: Mapping[str, np.ndarray]
    failed: int
    level: str | None = field(default="E")

    @property
    def kept(self) -> np.ndarray:
        """Draws that the study keeps: those with L_inf >= 0."""
        first = next(iter(self.values.values()))
        return self.values[self.level] >= 0 if self.level else np.ones(len(first), bool)

    @property
    def counts(self) -> str:
        """How many draws went where, in words."""
        finished, kept = len(self.kept), int(self.kept.sum())
        return f"of {finished + self.failed} draws {self.failed} did not converge, {finished - kept} were discarded"

    def interval(self, name: str, discard: bool) -> tuple[float, float]:
        """The 2.5 and 97.5 % points, with or without the study's discard."""
        chosen = self.values[name][self.kept] if discard else self.values[name]
        if not len(chosen):
            return np.nan, np.nan
        low, high = np.percentile(chosen, (2.5, 97.5))
        return float(low), float(high)


def bootstrap(form: Form, found: Found, X: Mapping[str, np.ndarray], draws: int, seed: int, lost: int = 1) -> Draws:
    """Refit the fitted curve plus Gaussian noise. lost: the noise's sd divides by n - lost; the study's lost is 1."""
    rng = np.random.default_rng(seed)
    sd = np.std(found.residuals, ddof=lost)
    estimates, failed = [], 0
    for noise in rng.normal(0, sd, (draws, len(found.y))):
        try:
            estimates.append(fit(form.law, X, found.fitted + noise, form.start, evaluations=DRAW_EVALUATIONS).values)
        except RuntimeError:
            failed += 1
    return Draws({name: np.array([e[name] for e in estimates]) for name in found.values}, failed, form.level)


def mape(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Mean absolute percentage error."""
    return float(100 * np.mean(np.abs(prediction - truth) / np.abs(truth)))


@dataclass(frozen=True)
class TwoLines:
    """Two least-squares lines with a break between them. gain: share of the one-line RSS that they remove."""

    after: int
    gain: float


def two_lines(x: np.ndarray, y: np.ndarray) -> TwoLines:
    """The best break, each side with at least two points: the study's search for a phase transition."""

    def rss(part: slice) -> float:
        line = np.polyfit(x[part], y[part], 1)
        return float(((y[part] - np.polyval(line, x[part])) ** 2).sum())

    splits = {i: rss(slice(0, i)) + rss(slice(i, None)) for i in range(2, len(x) - 1)}
    after = min(splits, key=splits.__getitem__)
    return TwoLines(after, 1 - splits[after] / rss(slice(None)))
