r"""Is there a break in a trend, or only a bend?

Two lines always fit better than one, and the place of the break is chosen to make them so. `break_test` therefore takes
the best break over all places and compares its gain with the gains that data on one line give by chance; with several
tasks the p-values are adjusted by Holm. `bend_test` asks the milder question first: one smooth quadratic term, with the
noise of the test known. Where a bend explains the gain, a break is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BreakTest:
    """The best break of each of t series.

    after (t,): position of the last point of the first line. gain (t,): (RSS of one line - RSS of two) / RSS of two.
    p (t,): share of simulated unbroken series that gain as much. adjusted (t,): Holm over the series.
    """

    after: np.ndarray
    gain: np.ndarray
    p: np.ndarray
    adjusted: np.ndarray

    def shown(self, alpha: float = 0.05) -> np.ndarray:
        """Whether a break is shown (t,), at family-wise alpha; where not, the data cannot tell a break from noise."""
        return self.adjusted <= alpha


def break_test(x: np.ndarray, y: np.ndarray, *, least: int = 2, draws: int = 20_000, seed: int = 0) -> BreakTest:
    """Two free lines against one, for each series y (t, n) over x (n,), the break anywhere.

    least: points that each line must have. The null is simulated: one line with normal errors, under which the gain
    does not depend on slope, level or noise, so one simulation serves all series.
    Raises ValueError where there are too few points for two lines and a residual.
    """
    from lawful.stats import adjust_p

    x, y = np.asarray(x, float), np.atleast_2d(np.asarray(y, float))
    if len(x) < max(2 * least, 5):
        raise ValueError(f"two lines need at least {max(2 * least, 5)} points; there are {len(x)}")
    null = _gain(x, np.random.default_rng(seed).standard_normal((draws, len(x))), least)[0]
    gain, after = _gain(x, y, least)
    p = (1 + (null >= gain[:, None]).sum(1)) / (1 + draws)
    return BreakTest(after, gain, p, adjust_p(p, "holm"))


def _gain(x: np.ndarray, y: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray]:
    n = len(x)
    places = range(least, n - least + 1)
    one = _rss(x, y)
    two = np.array([_rss(x[:k], y[:, :k]) + _rss(x[k:], y[:, k:]) for k in places])
    best = two.argmin(0)
    least_rss = np.maximum(two.min(0), 1e-300)
    return (one - least_rss) / least_rss, best + least - 1


def _rss(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    q = np.linalg.qr(np.column_stack([np.ones(len(x)), x]))[0]
    r = y - (y @ q) @ q.T
    return (r**2).sum(1)


@dataclass(frozen=True)
class BendTest:
    """Gain of a quadratic term over a line: chi2 (t,) with 1 degree of freedom, its p, and Holm over the series.

    line_chi2, bend_chi2 (t,): what each leaves, with n - 2 and n - 3 degrees of freedom.
    """

    chi2: np.ndarray
    p: np.ndarray
    adjusted: np.ndarray
    line_chi2: np.ndarray
    bend_chi2: np.ndarray


def bend_test(x: np.ndarray, accuracy: np.ndarray, items: np.ndarray) -> BendTest:
    """Smooth curvature of accuracies (t, n) over x (n,), weighted by binomial noise of items (t,) answers each.

    Weights are n / (p (1 - p)) at the accuracy measured; ValueError where one is 0 or 1, which has no weight.
    """
    from scipy.special import chdtrc

    from lawful.stats import adjust_p

    y = np.atleast_2d(np.asarray(accuracy, float))
    if not ((y > 0) & (y < 1)).all():
        raise ValueError("accuracy must lie strictly between 0 and 1 for binomial weights")
    root = np.sqrt(np.asarray(items, float)[:, None] / (y * (1 - y)))
    line, bend = (_weighted_rss(x, y, root, degree) for degree in (1, 2))
    p = chdtrc(1, line - bend)
    return BendTest(line - bend, p, adjust_p(p, "holm"), line, bend)


def _weighted_rss(x: np.ndarray, y: np.ndarray, root: np.ndarray, degree: int) -> np.ndarray:
    z = (np.asarray(x, float) - np.mean(x)) / np.std(x)
    q = np.linalg.qr(z[:, None] ** np.arange(degree + 1) * root[:, :, None])[0]
    scaled = y * root
    r = scaled - np.einsum("tnk,tk->tn", q, np.einsum("tnk,tn->tk", q, scaled))
    return (r**2).sum(1)
