"""What is believed about a law before anything is planned: its values, and how far they may be off together.

Plans are functions of a law's parameters: the best size at a budget, the loss there, the budget of a loss. A `Belief`
holds one set of values and many draws of them, so that any such function, given once, has an estimate and an interval::

    b = belief(fit)                                            # refits of resampled data
    b = belief("chinchilla", "besiroglu2024")                  # published values: no interval, and it says so
    b.interval(lambda v: chinchilla.optimum["N"](1e21, v))     # best size for 1e21 FLOP

A fit's draws are refits of resampled runs. Published values come without draws: nobody printed how A, alpha and the
rest vary together, and intervals of each by itself say nothing of an optimum. Fitting the paper's runs, where they are
published, gives draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lawful.bootstrap import METHODS, bootstrap, few_runs
from lawful.findings import Finding
from lawful.fit import Fit, Fits
from lawful.law import Law
from lawful.laws import load
from lawful.quantities import did_you_mean
from lawful.uncertainty import Interval, method_for, percentiles, robust_covariance

UNKNOWN = "published without interval"

_UNSURE = ("term_vanished", "not_determined")  # each resample then needs a whole search, for ends that nobody can tell
_FEW = 200  # draws in that case


@dataclass(frozen=True, repr=False)
class Belief:
    """A law, its values, and draws of them.

    values: the law's arguments; numbers, or (k,) per array parameter. draws: the same names, (draws,) or (k, draws);
    None where only point values are known, and then ``verdict`` says so. Draws that failed are nan, and counted by
    every interval. source: where it comes from, in words. seen: the range of each variable in the data that made it
    (the fit's runs, or the range a paper states). fit: where the belief is one.
    """

    law: Law
    values: Mapping[str, Any]
    draws: Mapping[str, np.ndarray] | None
    source: str
    method: str = ""
    verdict: str = ""
    seen: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    fit: Fit | None = None
    group: str = ""
    findings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        return f"<Belief in {self.law.name}: {self.source}>"

    def __len__(self) -> int:
        """How many draws there are."""
        return 0 if self.draws is None else np.shape(next(iter(self.draws.values()), np.zeros(0)))[-1]

    def apply(self, f: Callable[[Mapping[str, Any]], Any]) -> tuple[float, np.ndarray | None]:
        """f of the values, and of all draws at once (draws,): write f with NumPy's operations."""
        with np.errstate(all="ignore"):
            centre = float(f(self.values))
            if self.draws is None:
                return centre, None
            return centre, np.broadcast_to(np.asarray(f(self.draws), float), (len(self),))

    def interval(self, f: Callable[[Mapping[str, Any]], Any], level: float = 0.9) -> Interval:
        """f of the parameters with its interval, percentiles over the draws."""
        return self.of_draws(*self.apply(f), level)

    def of_draws(self, estimate: float, sample: np.ndarray | None, level: float = 0.9) -> Interval:
        """The interval of a number of which ``sample`` (draws,) holds the draws; nan ends where there are none.

        Infinite draws (a budget that is never enough) are numbers like others; failed ones, nan, count at both ends.
        """
        if sample is None:
            return Interval(estimate, np.nan, np.nan, level, "none", self.verdict or UNKNOWN)
        if np.isinf(sample).any():
            return _with_infinite(estimate, np.asarray(sample), level, self.method)
        lower, upper, is_open = percentiles(np.asarray(sample), level, estimate)
        if self.method == "cluster" and self.fit is not None:
            lower, upper = _stretch(estimate, lower, upper, few_runs(self.fit, level))
            is_open = is_open or not np.isfinite(upper - lower)
        return Interval(estimate, lower, upper, level, self.method, "cannot tell: no limit" if is_open else "")

    def at(self, **variables: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """The law at points (m,): its value (m,), and by draw (draws, m). Raises ValueError for a wrong variable."""
        points = {k: np.atleast_1d(np.asarray(x, float)) for k, x in variables.items()}
        with np.errstate(all="ignore"):
            centre = np.asarray(self.law.at(self.values, **points))
            if self.draws is None:
                return centre, None
            columns = {k: x[..., None] for k, x in self.draws.items()}
            return centre, np.asarray(self.law.at(columns, **points))

    def distance(self, **variables: float) -> tuple[float, str]:
        """Decades beyond the data, the largest over the variables given, and that variable's name."""
        far = {v: self._beyond(v, x) for v, x in variables.items() if v in self.seen}
        name = max(far, key=lambda v: far[v], default="")
        return (far[name], name) if name and far[name] > 0 else (0.0, "")

    def _beyond(self, name: str, x: float) -> float:
        low, high = self.seen[name]
        if not (x > 0 and high > 0):
            return 0.0
        return float(max(np.log10(x / high), np.log10(low / x) if low > 0 else 0.0, 0.0))


def belief(
    source: Any, values: str | Mapping[str, Any] | None = None, *, method: str = "auto", draws: int = 1000,
    group: str | None = None, seed: int = 0,
) -> Belief:  # fmt: skip
    """What is believed about a law.

    source: a `Fit`, a `Law` or its name, ``(law, values)``, or a `Belief` (returned as it is). values: with a law, the
    name of a published set or a mapping; may be left out where there is only one set. method: how a fit's draws are
    made: pairs, cluster, wild, parametric, sandwich (normal draws from the robust covariance), or auto: cluster where
    points are checkpoints of runs, parametric for least squares and binomial fits of up to 200 points, sandwich from
    10,000, pairs otherwise. draws: 200 at most where the fit lost a term or does not determine a parameter.
    group: which group of a fit by groups.

    Raises ValueError for unknown values, groups or methods, TypeError for what cannot be believed.
    """
    if isinstance(source, Belief):
        return source
    if isinstance(source, tuple) and len(source) == 2:
        source, values = source
    if isinstance(source, Fits):
        source, group = _pick(source, group), None
    if isinstance(source, Fit):
        if values is not None:
            raise ValueError("a fit has its own values: leave values out, or give the law instead of the fit")
        return _of_fit(source, method, draws, group, seed)
    law = load(source) if isinstance(source, str) else source
    if not isinstance(law, Law):
        raise TypeError(
            f"a plan needs a Fit, a Law or its name, (law, values) or a Belief, not {type(source).__name__}"
        )
    return _of_values(law, values)


def _pick(fits: Fits, group: str | None) -> Fit:
    if group is None or str(group) not in fits:
        near = did_you_mean(str(group), list(fits)) if group is not None else f"; the groups are {', '.join(fits)}"
        raise ValueError(f"these are fits by {fits.by}: say which with group=" + (near or ""))
    return fits[str(group)]


def _of_values(law: Law, values: str | Mapping[str, Any] | None) -> Belief:
    """Published or given values: a point without draws."""
    if values is None:
        whole = [k for k, v in law.values.items() if not v.partial]
        if len(whole) != 1:
            have = f"name one of {', '.join(whole)}" if whole else "none were published: give them as a mapping"
            raise ValueError(f"law {law.name}: say which values; {have}")
        values = whole[0]
    if isinstance(values, str):
        entry = law.published(values)
        if entry.partial:
            lacks = ", ".join(p for p in law.parameter_names if p not in entry.values)
            raise ValueError(f"law {law.name}, values {values}: only some were published; {lacks} is not known")
        where = f", {entry.source}" if entry.source else ""
        source, verdict = f"{law.name} with the values {values} ({entry.status}{where})", UNKNOWN
        return Belief(law, dict(entry.values), None, source, verdict=verdict, seen=dict(law.over))
    missing = [p for p in law.parameter_names if p not in values]
    if missing:
        raise ValueError(f"law {law.name}: values lack {', '.join(missing)}")
    return Belief(law, dict(values), None, f"{law.name} with given values", verdict="given without interval")


def _of_fit(fit: Fit, method: str, draws: int, group: str | None, seed: int) -> Belief:
    chosen = draw_method(fit) if method == "auto" else method
    if any(f.code in _UNSURE for f in fit.findings):
        draws = min(draws, _FEW)
    if fit.dof <= 0 and chosen in ("sandwich", *METHODS):
        sample, note = np.full((draws, len(fit.estimates)), np.nan), "no degree of freedom says how noisy they are"
    elif chosen == "sandwich":
        sample, note = _normal(fit, draws, seed), f"{draws} normal draws from the robust covariance"
    elif chosen in METHODS:
        made = bootstrap(fit, chosen, draws, seed, quick=True, student=True)
        sample, note = made.values, made.sentence().rstrip(".")
    else:
        raise ValueError(f"method {method!r} is unknown; allowed: auto, sandwich, {', '.join(METHODS)}")
    label = _group_of(fit, group)
    values = {k: v[label] if isinstance(v, Mapping) else v for k, v in fit.values.items()}
    columns = _columns(fit, sample, label)
    which = f" ({fit.points.by} = {label})" if label else ""
    source = f"{fit.law.name} fitted to {fit.n} points{which}; {note}"
    seen = {v: (float(np.min(x)), float(np.max(x))) for v, x in fit.points.X.items() if v not in fit.law.arrays}
    return Belief(fit.law, values, columns, source, chosen, "", seen, fit, label, fit.findings)


def draw_method(fit: Fit) -> str:
    """How a fit's draws are made by default: as its intervals are, with draws from the fitted law for profiles."""
    return "parametric" if method_for(fit) == "profile" else method_for(fit)


def _group_of(fit: Fit, group: str | None) -> str:
    labels = fit.model.labels
    if not labels:
        if group is not None:
            raise ValueError(f"group is {group!r}, but the fit has one set of parameters for all runs: leave it out")
        return ""
    if group is None or str(group) not in labels:
        raise ValueError(f"parameters differ by {fit.points.by}: say which with group=; they are {', '.join(labels)}")
    return str(group)


def _columns(fit: Fit, sample: np.ndarray, label: str) -> dict[str, np.ndarray]:
    """Draws of the free numbers (draws, p) as draws of the law's arguments: fixed, tied, sized and grouped ones too."""

    def one(e: int | float) -> np.ndarray:
        return sample[:, e] if isinstance(e, int) else np.full(len(sample), float(e))

    out = {}
    for name, read in fit.model.layout.items():
        if isinstance(read, tuple) and read and read[0] == "by":
            out[name] = one(read[1][fit.model.labels.index(label)])
        elif isinstance(read, tuple):
            out[name] = np.stack([one(e) for e in read])
        else:
            out[name] = one(read)
    return out


def _normal(fit: Fit, draws: int, seed: int) -> np.ndarray:
    """Normal draws (draws, p) in the search's space, where amplitudes are centred logs, by the robust covariance."""
    from lawful.spread import slot_slopes

    back = np.linalg.inv(slot_slopes(fit.model, fit.theta))
    C = back @ robust_covariance(fit) @ back.T
    if not np.isfinite(C).all():
        return np.full((draws, len(C)), np.nan)
    theta = np.random.default_rng(seed).multivariate_normal(fit.theta, C, draws, method="eigh")
    return fit.model.natural(theta)


def _with_infinite(estimate: float, sample: np.ndarray, level: float, method: str) -> Interval:
    """Ends by rank, so that an infinite draw can be one."""
    known = np.sort(sample[~np.isnan(sample)])
    tail, lost = (1 - level) / 2, 1 - len(known) / len(sample)
    low, high = tail - lost, 1 - tail + lost
    if low <= 0:
        return Interval(estimate, -np.inf, np.inf, level, method, "cannot tell: no limit")
    lower, upper = (float(np.quantile(known, q, method="inverted_cdf")) for q in (low, high))
    sides = [side for end, side in ((lower, "below"), (upper, "above")) if np.isinf(end)]
    verdict = {0: "", 1: f"cannot tell: no limit {''.join(sides)}", 2: "cannot tell: no limit either side"}[len(sides)]
    return Interval(estimate, lower, upper, level, method, verdict)


def _stretch(estimate: float, lower: float, upper: float, factor: float) -> tuple[float, float]:
    """Ends moved away from the estimate by a factor, on the log scale for positive numbers."""
    if not np.isfinite(factor):
        return -np.inf, np.inf
    if min(estimate, lower) > 0:
        return estimate * (lower / estimate) ** factor, estimate * (upper / estimate) ** factor
    return estimate + factor * (lower - estimate), estimate + factor * (upper - estimate)


def positive(name: str, value: Any) -> float:
    """A number asked for, checked: finite and above 0. Raises ValueError naming it."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}; it must be a positive number, such as 1e21") from None
    if not (np.isfinite(number) and number > 0):
        raise ValueError(f"{name} is {value!r}; it must be a positive number, such as 1e21")
    return number
