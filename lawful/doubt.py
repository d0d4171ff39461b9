"""How much a forecast asks to be believed: the change that it promises beyond the nearest run.

Errors of forecasts of larger scale, on 39 tables of published runs, go with that change rather than with the
standard error that the law claims: a quarter of what is promised does not come true, whichever law was chosen, and how
the law did on the smaller runs does not say on which tables. An accuracy, moreover, may leave the level at which a law
holds it, by 0.08 in a decade. Where lawful chose the law its claim is therefore widened, se* = sqrt(se^2 + (0.25
change)^2), in the rolling origins that judge it and in the forecast. Who names a law says that it holds: then it is
taken at its word, as far as its own rolling origins bear it out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lawful.fit import Fit

SHARE = 0.25  # of the promised change that does not come true: one standard deviation
MOVE = 0.3  # by which a fraction may move in a decade, whatever the law promises

Columns = Mapping[str, np.ndarray]


def doubted(se: np.ndarray, change: np.ndarray, decades: np.ndarray, kind: str) -> np.ndarray:
    """The standard error (..., m) of a forecast of change (..., m), that many decades (m,) beyond the runs."""
    known = np.nan_to_num(np.abs(change))
    stake = np.maximum(known, MOVE * np.nan_to_num(decades)) if kind == "fraction" else known
    return np.hypot(se, SHARE * stake)


def is_chosen(fit: Fit) -> bool:
    """Whether rolling origins chose the law, and not the user."""
    return any(f.code in ("chosen", "untested") for f in fit.findings)


def nearest(seen: Columns, there: Columns) -> np.ndarray:
    """For each of m points the run, of n, that is nearest in the columns known of all of both.

    Distances are of logs where a column is positive, else parts of its largest value where that is above one.
    """
    from scipy.spatial import KDTree

    both = [(np.asarray(seen[c], float), np.asarray(there[c], float)) for c in seen if c in there]
    both = [_measured(a, b) for a, b in both if np.isfinite(a).all() and np.isfinite(b).all()]
    if not both:
        return np.zeros(max((len(x) for x in there.values()), default=0), int)
    runs, points = (np.stack(some, axis=1) for some in zip(*both))
    runs, first = np.unique(runs, axis=0, return_index=True)  # repeats make the tree slow
    points, back = np.unique(points, axis=0, return_inverse=True)
    return first[KDTree(runs).query(points)[1]][back.ravel()]


def _measured(seen: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if min(seen.min(), there.min()) > 0:
        return np.log(seen), np.log(there)
    size = max(float(np.abs(seen).max()), 1.0)
    return seen / size, there / size


def rows_of(fit: Fit, X: Columns) -> dict[str, np.ndarray]:
    """The components of a law's array variables, (m,) each, by name: proportions of a mixture, say."""
    return {f"{v}[{i}]": x for v in fit.law.arrays if v in X for i, x in enumerate(X[v])}
