r"""The other roads from runs to the best size at a budget: isoFLOP profiles and the lower envelope.

IsoFLOP profiles (Hoffmann et al. 2022, approach 2): at each of several budgets, runs of several sizes; a polynomial in
log N through their losses; its minimum; a power law N = k C^a through the minima. A parabola is what the papers take.
The curve is lopsided, though, and a parabola's minimum leans towards the side on which more sizes were tried; a cubic
leans far less, more so without the sizes farthest off, and costs precision. Both are one call::

    profiles(N, D, loss, degree=2).optimum(1e21)      # estimate, draws

The lower envelope (approach 1): of all runs and checkpoints, those that no cheaper one beats; a power law through
their sizes. It needs no law and no budgets, uses few points, and is biased where sizes are far apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lawful.findings import Finding, counted

_WINDOW = 0.2  # log range of C within one budget
_FEWEST = 4  # runs at a budget
_BENT = 0.2  # p of a lack of fit up to which cubics are narrowed
_REACH = 1.0  # a minimum in a draw may lie so many widths of the sizes tried beyond them
_POINTS = 12  # budgets per decade at which training curves are compared


@dataclass(frozen=True)
class Slice:
    """Runs of one budget. coefficients: of powers of log N - middle, lowest first. x, se: log of the best size and its
    standard error; nan where the polynomial has no minimum. why_not: empty, or why the power law leaves the budget out.
    """

    flops: float
    params: np.ndarray
    loss: np.ndarray
    middle: float
    coefficients: np.ndarray
    x: float = np.nan
    se: float = np.nan
    why_not: str = ""

    @property
    def best(self) -> float:
        """The size at the minimum."""
        return float(np.exp(self.x))

    @property
    def lowest(self) -> float:
        """The loss at the minimum."""
        return float(np.polynomial.polynomial.polyval(self.x - self.middle, self.coefficients))

    def curve(self, params: np.ndarray) -> np.ndarray:
        """The polynomial at sizes."""
        return np.polynomial.polynomial.polyval(np.log(params) - self.middle, self.coefficients)


@dataclass(frozen=True)
class Profiles:
    """A power law through the minima of isoFLOP curves: log N = level + a (log C - centre).

    slices: each budget. sigma: relative residual standard deviation, pooled over budgets. scatter: standard deviation
    of log N by which minima miss the power law beyond their own errors. level, a: the estimates; levels, slopes
    (draws,): with the noise of the runs drawn anew, nan where fewer than two budgets kept a minimum.
    """

    degree: int
    slices: tuple[Slice, ...]
    sigma: float
    scatter: float
    centre: float
    level: float
    a: float
    levels: np.ndarray
    slopes: np.ndarray
    findings: tuple[Finding, ...] = ()

    @property
    def k(self) -> float:
        """N = k C^a."""
        return float(np.exp(self.level - self.a * self.centre))

    def optimum(self, flops: float) -> tuple[float, np.ndarray]:
        """The best size at a budget, and by draw."""
        step = np.log(flops) - self.centre
        return float(np.exp(self.level + self.a * step)), np.exp(self.levels + self.slopes * step)


def profiles(
    params: np.ndarray, tokens: np.ndarray, loss: np.ndarray, flops: np.ndarray | None = None, *, degree: int = 2,
    draws: int = 1000, seed: int = 0,
) -> Profiles:  # fmt: skip
    """The power law of the best size by isoFLOP profiles of one degree, 2 (parabola) or 3 (cubic).

    params, tokens, loss (n,): the runs. flops (n,): their budgets (default 6 N D); runs within 20 % of each other
    are one budget (`budgets`). Budgets with fewer than degree + 2 sizes are left out, and those whose minimum is not
    inside the sizes tried; both are said. Cubics leave out sizes far from their minima while a quartic fits better.
    Draws take normal errors of the pooled relative size, with the uncertainty of that size, and the scatter of the
    minima round the power law.

    Raises ValueError where fewer than two budgets remain.
    """
    if degree not in (2, 3):
        raise ValueError(f"degree is {degree}; isoFLOP curves take 2 (parabola) or 3 (cubic)")
    N, L = np.asarray(params, float), np.asarray(loss, float)
    C = 6 * N * np.asarray(tokens, float) if flops is None else np.asarray(flops, float)
    own = [_slice(C[rows], N[rows], L[rows], degree) for rows in budgets(C)]
    fitted = [s for s in own if len(s.coefficients)]
    if degree == 3:
        own, fitted = _narrowed(own)
    dof = sum(len(s.loss) - degree - 1 for s in fitted)
    square = sum(float((((s.loss - s.curve(s.params)) / s.loss.mean()) ** 2).sum()) for s in fitted)
    sigma = float(np.sqrt(square / dof)) if dof > 0 else np.nan
    own = [_located(s, sigma) for s in own]
    used = [s for s in own if not s.why_not]
    if len(used) < 2:
        reasons = "; ".join(sorted({s.why_not for s in own if s.why_not})) or "there are no budgets with several sizes"
        raise ValueError(f"they need minima at two budgets or more; there are {len(used)}: {reasons}")
    made = _power_law(degree, tuple(own), used, sigma, dof, draws, seed)
    return replace(made, findings=(*made.findings, *_bent(fitted, degree, len(L))))


def budgets(flops: np.ndarray) -> list[np.ndarray]:
    """Rows of each budget: the fullest window of 20 % in C, then the fullest that does not touch it, down to four runs.
    Runs between budgets belong to none.
    """
    order = np.argsort(flops, kind="stable")
    x, found = np.log(np.asarray(flops, float)[order]), []
    free = np.ones(len(x), bool)
    while free.any():
        ends = np.searchsorted(x, x + _WINDOW, side="right")
        total = np.append(0, np.cumsum(free))
        counts = np.where(free, total[ends] - total[:-1], 0)
        first = int(np.argmax(counts))
        if counts[first] < _FEWEST:
            break
        inside = free & (np.arange(len(x)) >= first) & (np.arange(len(x)) < ends[first])
        found.append(order[inside])
        low, high = x[inside][[0, -1]]
        free &= (x < low - _WINDOW) | (x > high + _WINDOW)
    return sorted(found, key=lambda rows: float(np.median(flops[rows])))


def line(
    flops: np.ndarray, params: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, float]:
    """log N = level + a (log C - centre) by (weighted) least squares: level, a (...,) and centre, for params (..., m).

    Entries of params that are nan have no weight.
    """
    y = np.log(params)
    known = np.isfinite(y)
    w = np.where(known, 1.0 if weights is None else weights, 0.0)
    x = np.log(np.asarray(flops, float))
    base = np.ones(len(x)) if weights is None else weights
    centre = float((base * x).sum() / np.sum(base * np.ones(len(x))))
    z, y = x - centre, np.where(known, y, 0.0)
    S, Sx, Sxx = w.sum(-1), (w * z).sum(-1), (w * z * z).sum(-1)
    Sy, Sxy = (w * y).sum(-1), (w * z * y).sum(-1)
    with np.errstate(all="ignore"):
        bottom = S * Sxx - Sx**2
        bottom = np.where((known.sum(-1) >= 2) & (bottom > 0), bottom, np.nan)
        return (Sxx * Sy - Sx * Sxy) / bottom, (S * Sxy - Sx * Sy) / bottom, centre


def envelope(
    params: np.ndarray, tokens: np.ndarray, loss: np.ndarray, run: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Budgets, sizes and losses of the lower envelope.

    Without ``run``: the runs that none of at most their cost beats. With checkpoints of runs (labels in ``run``): at
    twelve budgets per decade, the lowest of the training curves, read off by lines in log C, where at least two are
    there.
    """
    N, L = np.asarray(params, float), np.asarray(loss, float)
    C = 6 * N * np.asarray(tokens, float)
    if run is None:
        order = np.lexsort((L, C))
        best = np.minimum.accumulate(np.append(np.inf, L[order]))[:-1]
        rows = order[L[order] < best]
        return C[rows], N[rows], L[rows]
    curves = [np.flatnonzero(run == r)[np.argsort(C[run == r])] for r in np.unique(run)]
    at = np.arange(np.ceil(_POINTS * np.log10(C.min())), _POINTS * np.log10(C.max())) / _POINTS
    table = np.stack([np.interp(at, np.log10(C[r]), L[r], left=np.inf, right=np.inf) for r in curves])
    first = table.argmin(0)
    kept = np.isfinite(table).sum(0) >= 2
    sizes = np.array([N[r[0]] for r in curves])
    return 10 ** at[kept], sizes[first[kept]], table.min(0)[kept]


def _slice(C: np.ndarray, N: np.ndarray, L: np.ndarray, degree: int) -> Slice:
    middle = float(np.log(N).mean())
    made = Slice(float(np.exp(np.log(C).mean())), N, L, middle, np.zeros(0))
    if len(np.unique(N)) < degree + 2:
        return replace(made, why_not=f"{len(np.unique(N))} sizes at {made.flops:.3g} FLOP, and {degree + 2} are needed")
    return replace(made, coefficients=np.polynomial.polynomial.polyfit(np.log(N) - middle, L, degree))


def _located(s: Slice, sigma: float) -> Slice:
    """The slice with its minimum, the minimum's standard error, or why there is none."""
    if s.why_not:
        return s
    x = float(minimum(s.coefficients))
    low, high = np.log(s.params.min()) - s.middle, np.log(s.params.max()) - s.middle
    if not low <= x <= high:
        side = "larger" if not x < low else "smaller"
        return replace(s, why_not=f"no minimum inside the sizes tried at {s.flops:.3g} FLOP: try {side} ones")
    powers = np.arange(len(s.coefficients))
    bend = float((s.coefficients * powers * (powers - 1) * x ** np.maximum(powers - 2, 0)).sum())
    slope = -powers * x ** np.maximum(powers - 1, 0) / bend  # d x / d coefficients
    half = _root(s) @ slope * sigma * s.loss.mean()
    return replace(s, x=x + s.middle, se=float(np.sqrt(half @ half)))


def minimum(coefficients: np.ndarray) -> np.ndarray:
    """The local minimum of parabolas or cubics with coefficients (..., degree + 1), lowest first; nan where none is."""
    c1, c2 = coefficients[..., 1], coefficients[..., 2]
    c3 = coefficients[..., 3] if coefficients.shape[-1] > 3 else np.zeros_like(c2)
    with np.errstate(all="ignore"):
        root = np.sqrt(c2 * c2 - 3 * c1 * c3)  # half the second derivative at the minimum
        x = np.where(c2 > 0, -c1 / (c2 + root), (root - c2) / (3 * c3))
        return np.where((root > 0) & np.isfinite(x), x, np.nan)


def _root(s: Slice) -> np.ndarray:
    """R with R'R = (X'X)^-1, so that coefficients vary as sigma z R."""
    X = np.polynomial.polynomial.polyvander(np.log(s.params) - s.middle, len(s.coefficients) - 1)
    return np.linalg.pinv(np.linalg.qr(X, mode="r")).T


def _narrowed(own: list[Slice]) -> tuple[list[Slice], list[Slice]]:
    """Cubics without the sizes farthest from their minima, one after the other, while a quartic fits better.

    All slices, and those that were fitted.
    """
    while True:
        fitted = [s for s in own if len(s.coefficients)]
        if _lack_of_fit(fitted, 3) > _BENT or all(len(np.unique(s.params)) <= 6 for s in fitted):
            return own, fitted
        own = [_without_farthest(s) if len(np.unique(s.params)) > 6 and len(s.coefficients) else s for s in own]


def _without_farthest(s: Slice) -> Slice:
    x = float(minimum(s.coefficients)) + s.middle
    x = x if np.log(s.params.min()) <= x <= np.log(s.params.max()) else float(np.log(s.params[s.loss.argmin()]))
    distance = np.abs(np.log(s.params) - x)
    kept = distance < distance.max() * (1 - 1e-9)
    return _slice(np.full(kept.sum(), s.flops), s.params[kept], s.loss[kept], len(s.coefficients) - 1)


def _lack_of_fit(fitted: Sequence[Slice], degree: int) -> float:
    """p of an F test, pooled over budgets, that one degree more fits no better; 1 where there are too few sizes."""
    from scipy.special import fdtrc

    small = large = 0.0
    more = left = 0
    for s in fitted:
        if len(np.unique(s.params)) < degree + 3:
            continue
        x, level = np.log(s.params) - s.middle, s.loss.mean()
        better = np.polynomial.polynomial.polyval(x, np.polynomial.polynomial.polyfit(x, s.loss, degree + 1))
        large += float((((s.loss - s.curve(s.params)) / level) ** 2).sum())
        small += float((((s.loss - better) / level) ** 2).sum())
        more, left = more + 1, left + len(s.loss) - degree - 2
    if left <= 0 or not small > 0:
        return 1.0
    return float(fdtrc(more, left, max(large - small, 0.0) / more / (small / left)))


def _bent(fitted: Sequence[Slice], degree: int, runs: int) -> list[Finding]:
    """What there is to say about curves that are no polynomials of the degree."""
    name, p = {2: "parabolas", 3: "cubics"}[degree], _lack_of_fit(fitted, degree)
    kept = sum(len(s.params) for s in fitted)
    if p <= 0.01:
        message = (
            f"The isoFLOP curves are no {name} over the sizes tried (p {p:.1g} against one degree more): minima lean."
        )
        return [Finding("lack_of_fit", "warning", message, (), "Leave out sizes far from the minimum.")]
    if degree == 3 and kept < runs:
        return [Finding("narrowed", "note", f"The cubics use the {kept} of {runs} runs nearest to the minima.")]
    return []


def _power_law(
    degree: int, own: tuple[Slice, ...], used: Sequence[Slice], sigma: float, dof: int, draws: int, seed: int
) -> Profiles:  # fmt: skip
    C, x = np.array([s.flops for s in used]), np.array([s.x for s in used])
    se = np.array([s.se for s in used])
    known = bool(np.isfinite(se).all() and (se > 0).all())
    tau = _scatter(C, x, se) if known else 0.0
    w = 1 / (se**2 + tau**2) if known else np.ones(len(C))
    level, a, centre = line(C, np.exp(x), w)
    sample = _draws(used, sigma, dof, tau, draws, seed)
    levels, slopes, _ = line(C, np.exp(sample), w)
    found = [
        Finding("no_minimum", "warning" if len(s.coefficients) else "note", f"IsoFLOP: {s.why_not}.")
        for s in own if s.why_not
    ]  # fmt: skip
    lost = int((~np.isfinite(sample)).any(1).sum())
    if lost:
        found.append(Finding("draws", "note", f"In {counted(lost, 'draw')} of {draws} some budget had no minimum."))
    return Profiles(
        degree, own, sigma, tau, centre, float(level), float(a), np.asarray(levels), np.asarray(slopes), tuple(found)
    )


def _scatter(C: np.ndarray, x: np.ndarray, se: np.ndarray) -> float:
    """Scatter of minima round the power law beyond their errors (DerSimonian and Laird 1986); 0 unless Cochran's Q is
    significant at 25 %."""
    from scipy.special import chdtri

    w = 1 / se**2
    level, a, centre = line(C, np.exp(x), w)
    z = np.log(C) - centre
    Q, dof = float((w * (x - level - a * z) ** 2).sum()), len(C) - 2
    if dof < 1 or chdtri(dof, 0.25) > Q:
        return 0.0
    X = np.stack([np.ones(len(C)), z], 1)
    hat = np.linalg.solve(X.T @ (w[:, None] * X), X.T @ (w[:, None] ** 2 * X))
    return float(np.sqrt((Q - dof) / (w.sum() - np.trace(hat))))


def _draws(used: Sequence[Slice], sigma: float, dof: int, tau: float, draws: int, seed: int) -> np.ndarray:
    """Logs of the minima (draws, budgets) with the noise of the runs drawn anew."""
    if dof <= 0:
        return np.full((draws, len(used)), np.nan)
    rng = np.random.default_rng(seed)
    spread = sigma * np.sqrt(dof / rng.chisquare(dof, draws))[:, None]
    out = []
    for s in used:
        z = rng.standard_normal((draws, len(s.coefficients)))
        x = minimum(s.coefficients + spread * s.loss.mean() * (z @ _root(s)))
        span = np.ptp(np.log(s.params))
        x = np.clip(x + s.middle, np.log(s.params.min()) - _REACH * span, np.log(s.params.max()) + _REACH * span)
        out.append(x + tau * rng.standard_normal(draws))
    return np.stack(out, 1)
