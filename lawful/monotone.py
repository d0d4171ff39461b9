"""Does a curve turn? Double descent, U shapes and late rises are not for a law that can only fall.

The largest move against the trend is compared with the noise, which is read from how far each level lies off the line
between its neighbours, so that no law is needed. Under noise alone every pair of levels may be such a move: the
threshold is that of all pairs at one per cent.
"""

from __future__ import annotations

import numpy as np

from lawful.findings import Finding

_LEVELS = 6  # distinct scales below which a turn cannot be told from noise
_LEAST = 0.02  # of the curve's range: smaller turns are not worth a word


def turns(scale: np.ndarray, y: np.ndarray, axis: str = "scale", target: str = "the outcome") -> list[Finding]:
    """A finding where a curve y (n,) over scale (n,) goes against its own trend by more than its noise, else none."""
    from scipy.special import ndtri

    x, middle = levels(scale, y)
    n = len(x)
    if n < _LEVELS:
        return []
    falling = middle[0] >= middle[-1] if abs(middle[0] - middle[-1]) > 0 else True
    z = middle if falling else -middle
    lowest = np.minimum.accumulate(z)
    end = int((z - lowest).argmax())
    begin = int(z[: end + 1].argmin())
    rise, span = float(z[end] - z[begin]), float(np.ptp(z))
    pairs = n * (n - 1) / 2
    noise = _noise(np.log(x), z) * (1 + 6 / n)
    if rise <= max(np.sqrt(2) * noise * ndtri(1 - 0.01 / pairs), _LEAST * span):
        return []
    way, back = ("falls", "rises") if falling else ("rises", "falls")
    return [Finding(
        "not_monotone", "warning", f"{target} {way} over {axis} but {back} by {rise:.3g} from {axis} = {x[begin]:.3g} "
        f"to {x[end]:.3g}, {rise / max(noise, 1e-300):.0f} times its noise: a law that only {way} does not hold there.",
        (), "Do not extrapolate it far; fit the part beyond the turn, or a law with breaks.",
    )]  # fmt: skip


def levels(scale: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct positive scales (m,), ascending, and the median outcome at each."""
    x = np.unique(scale[scale > 0])
    return x, np.array([np.median(y[scale == v]) for v in x])


def _noise(x: np.ndarray, y: np.ndarray) -> float:
    """Standard deviation of y about a smooth curve, from the median distance to the line between the neighbours."""
    left = (x[2:] - x[1:-1]) / (x[2:] - x[:-2])
    off = y[1:-1] - left * y[:-2] - (1 - left) * y[2:]
    return float(np.median(np.abs(off) / np.sqrt(1 + left**2 + (1 - left) ** 2)) / 0.6745)
