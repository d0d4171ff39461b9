"""Many comparisons: what one p-value is worth among those that were planned."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lawful.stats_result import check_choice, vector

CORRECTIONS = ("holm", "bonferroni", "bh")


def adjust_p(p: ArrayLike, method: str = "holm", planned: int | None = None) -> NDArray[np.float64]:
    """Adjusted p-values, in the order given.

    * "bonferroni": min(1, m p). Family-wise error.
    * "holm": running maximum of (m - i + 1) p_(i). Family-wise error too, never larger than Bonferroni's.
    * "bh": Benjamini & Hochberg (1995). False discovery rate.

    `planned` is m, the number of comparisons planned, which may exceed the number shown: those not shown
    count as p = 1, the cautious reading for all three. Raises ValueError for p outside [0, 1] or planned <
    len(p).

    >>> adjust_p([0.0004, 0.002, 0.004, 0.03, 0.2], "holm").tolist()
    [0.002, 0.008, 0.012, 0.06, 0.2]
    """
    check_choice("method", method, CORRECTIONS)
    shown = vector("p", p)
    outside = shown[(shown < 0) | (shown > 1)]
    if len(outside):
        raise ValueError(f"p must lie in [0, 1]; got {outside[0]}.")
    m = len(shown) if planned is None else planned
    if m != int(m) or m < len(shown):
        raise ValueError(f"planned must be a whole number of at least the {len(shown)} p-values shown; got {m!r}.")
    if method == "bonferroni":
        return np.minimum(1.0, m * shown)
    if method == "bh":
        from scipy.stats import false_discovery_control

        return false_discovery_control(np.concatenate([shown, np.ones(int(m) - len(shown))]))[: len(shown)]
    order = np.argsort(shown)
    stepped = np.maximum.accumulate((m - np.arange(len(shown))) * shown[order])
    adjusted = np.empty(len(shown))
    adjusted[order] = np.minimum(1.0, stepped)
    return adjusted
