"""From rolling-origin errors to scores, and from scores to the weights of an average.

A law's score is its error relative to the usual one: at each origin the mean absolute error of the candidate over the
median of all candidates', geometrically averaged over the origins, each weighted by the square of the share of points
seen (an early origin asks for a far forecast from few points, the last is most like the forecast that will be asked).
Ratios make origins of different reach comparable; a quarter of the median is added so that one lucky hit of a single
point does not decide. Of groups that are scored together half of a law's log score is that of all groups: a form that
forecasts the siblings is a better bet than one that wins on five points of one's own.

Forecasts are then averaged with weights inverse to the third power of the score, over the laws that are no worse than
twice the best: near-equals share, and a law that is clearly worse has hardly a say (inverse squares, as Bates and
Granger 1969, left it enough to spoil short series, and a fourth power made single laws of near-equals).
More parameters are not punished beyond that: a law that overfits already shows it at its origins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lawful.origins import Splits

_FLOOR = 0.25  # of the median error, added to every law's
_SIBLINGS = 0.5  # share of the groups' common score in each group's own
_POWER = 3  # of the inverse score, in the weights
_CUT = 2.0  # a law this many times worse than the best has no weight
_SMALL = 0.02  # a smaller weight is not worth a fit
_MOST = 5  # laws in an average
_TINY = 1e-6


def relative_errors(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Absolute errors (S, n) of predictions (S, n) of y (n,): of logs where all y are positive, else by the level.

    At most 3 (a factor of 20), so that one escaped curve counts as bad and not as infinitely bad; nan stays.
    """
    with np.errstate(all="ignore"):
        if y.min() > 0:
            e = np.abs(np.log(np.maximum(predicted, 1e-300) / y))
        else:
            e = np.abs(predicted - y) / np.median(np.abs(y))
    return np.where(np.isnan(predicted), np.nan, np.minimum(e, 3.0))


def by_origin(errors: np.ndarray, splits: Splits) -> np.ndarray:
    """Mean error (S,) over the points held out in each split; nan where any of them has none."""
    return np.array([e[h].mean() if h.any() else np.nan for e, h in zip(errors, splits.held)])


def common_origins(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Positions of the origins that all candidates serve; one that shares none with the others is left aside."""
    served = [set(np.flatnonzero(np.isfinite(t))) for t in tables]
    shared = set().union(*served)
    for own in sorted(served, key=len, reverse=True):
        shared = shared & own or shared
    return np.array(sorted(shared), int)


def scores(tables: Mapping[str, np.ndarray], splits: Splits, laws: Sequence[str]) -> dict[str, float]:
    """Relative score of each candidate from its errors by origin (S,); inf for one that misses a common origin.

    laws: the candidates whose median is the measure (naive forecasts are measured, but measure nothing).
    """
    out = dict.fromkeys(tables, np.inf)
    at = common_origins([tables[name] for name in laws])
    served = [name for name in tables if len(at) and np.isfinite(tables[name][at]).all()]
    measures = [name for name in served if name in laws]
    if not measures:
        return out
    share = splits.seen.sum(1)[at] / splits.seen.shape[1]
    w = share**2 / (share**2).sum()
    middle = np.median([tables[name][at] for name in measures], axis=0) + _TINY
    for name in served:
        out[name] = float(np.exp((w * np.log(tables[name][at] / middle + _FLOOR)).sum()))
    return out


def typical(errors: np.ndarray, splits: Splits, at: np.ndarray) -> float:
    """The error (S,) of one candidate over the origins ``at``: geometric mean, weighted as in `scores`."""
    if not len(at) or not np.isfinite(errors[at]).all():
        return np.inf
    share = splits.seen.sum(1)[at] / splits.seen.shape[1]
    return float(np.exp((share**2 * np.log(errors[at] + _TINY)).sum() / (share**2).sum()))


def with_siblings(own: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Scores by group drawn half-way, in logs, to each law's mean over the groups that it was scored in."""
    logs = {g: {k: np.log(v) for k, v in s.items() if np.isfinite(v)} for g, s in own.items()}
    known = {k for s in logs.values() for k in s}
    mean = {k: np.mean([s[k] for s in logs.values() if k in s]) for k in known}
    return {
        g: {k: float(np.exp((1 - _SIBLINGS) * logs[g][k] + _SIBLINGS * mean[k])) if k in logs[g] else np.inf for k in s}
        for g, s in own.items()
    }


def weights(scored: Mapping[str, float], size: Mapping[str, int]) -> dict[str, float]:
    """Weights of the laws in an average, largest first; empty where none has a score. Ties go to the simpler law."""
    finite = {k: v for k, v in scored.items() if np.isfinite(v)}
    if not finite:
        return {}
    best = min(finite.values())
    raw = {k: (best / v) ** _POWER for k, v in finite.items() if v <= _CUT * best}
    order = sorted(raw, key=lambda k: (-round(raw[k], 3), size[k]))[:_MOST]
    kept = {k: raw[k] for k in order if raw[k] >= _SMALL * sum(raw[j] for j in order)}
    total = sum(kept.values())
    return {k: v / total for k, v in kept.items()}
