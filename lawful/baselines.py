"""What anyone could have said without a law: the forecasts that a law has to beat.

* last value: the median outcome at the largest scale seen, for everything beyond;
* last two points: the log-log line through the medians at the two largest scales seen;
* power law: a straight line in log-log through all points seen (``origins.backtest`` of the law ``power_law``).
"""

from __future__ import annotations

import numpy as np

from lawful.origins import Splits

NAIVE = ("last value", "last two points")


def last_value(scale: np.ndarray, y: np.ndarray, splits: Splits) -> np.ndarray:
    """Predictions (S, n): the median of y (n,) at the largest scale (n,) seen in each split."""
    out = np.full(splits.seen.shape, np.nan)
    for k, seen in enumerate(splits.seen):
        if seen.any():
            out[k] = np.median(y[seen & (scale == scale[seen].max())])
    return out


def last_two_points(scale: np.ndarray, y: np.ndarray, splits: Splits) -> np.ndarray:
    """Predictions (S, n): the log-log line through the medians at the two largest scales seen.

    nan where only one scale was seen, or a scale or value has no logarithm.
    """
    out = np.full(splits.seen.shape, np.nan)
    for k, seen in enumerate(splits.seen):
        levels = np.unique(scale[seen])[-2:]
        if len(levels) < 2 or levels[0] <= 0:
            continue
        a, b = (float(np.median(y[seen & (scale == x)])) for x in levels)
        if a > 0 and b > 0:
            slope = np.log(b / a) / np.log(levels[1] / levels[0])
            with np.errstate(over="ignore"):
                out[k] = b * (np.where(scale > 0, scale, np.nan) / levels[1]) ** slope
    return out
