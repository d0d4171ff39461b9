"""From sets of points to the problems of one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lawful.points import Points
from lawful.solve import Problems


def with_group(X: Mapping[str, np.ndarray], data: Points, group: np.ndarray | None) -> dict[str, np.ndarray]:
    """The variables, and the group codes under the grouping column's name."""
    return dict(X) if group is None or not data.by else {**X, data.by: group}


def problems_of(*sets: Points) -> Problems:
    """One problem per set of points: shared arrays for one set, padded ones for several."""
    if len(sets) == 1:
        p = sets[0]
        return Problems(with_group(p.X, p, p.group), p.y, p.w[None])
    longest = max(len(p) for p in sets)
    each = [with_group(p.X, p, p.group) for p in sets]
    X = {name: np.stack([_pad(x[name], longest) for x in each], axis=-2) for name in each[0]}
    y, w = (np.stack([_pad(getattr(p, a), longest) for p in sets]) for a in ("y", "w"))
    for i, p in enumerate(sets):
        w[i, len(p) :] = 0.0
    return Problems(X, y, w)


def _pad(x: np.ndarray, length: int) -> np.ndarray:
    """Repeat the last point: a value the law can be evaluated at, whose weight is zero."""
    spare = np.repeat(x[..., -1:], length - x.shape[-1], axis=-1)
    return np.concatenate([x, spare], axis=-1)


def joined(sets: Sequence[Points]) -> Points:
    """All points of several sets as one, for scaling starts and centring amplitudes."""
    X = {name: np.concatenate([p.X[name] for p in sets], axis=-1) for name in sets[0].X}
    y, w, rows = (np.concatenate([getattr(p, a) for p in sets]) for a in ("y", "w", "rows"))
    return replace(sets[0], X=X, y=y, w=w, rows=rows, cluster=None, items=None)
