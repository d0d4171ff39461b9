r"""One accuracy curve per task, all tasks at once, with everything that a few models leave open.

Each task's accuracy rises from a floor to 1 along a logistic of x (minus the loss, or the log of a size):

    accuracy = floor + (1 - floor) / (1 + exp(-(level + slope (x - centre))))

Four models fix three numbers per task badly. What tasks share helps: their slopes on the same x are of one size, so
log slope ~ Normal(mu, spread^2) with mu learnt from all tasks together (spread 0.35: a factor of two either way covers
95 % of tasks). The rest of the model: floor uniform between 0 and a stated most; level ~ Normal(0, 3^2), wide; binomial
noise from the number of items; and for each model a scatter of its own on the logit scale (0.03), since models of one
family are not exactly on one curve.

Nothing is sampled by chains: floor and slope lie on a grid, the level is normal given both (Newton's method, then
Laplace), and mu is summed over the same grid. Seven tasks take 0.03 s. A map from loss to accuracy and an extrapolation
in size are the same function with another x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LEVEL_SD = 3.0
_SLOPES = (0.05, 6.0)  # logits per standard deviation of x
_SLOPE_NODES = 61


@dataclass(frozen=True)
class Curves:
    """The posterior of t curves on a grid of f floors and b slopes.

    floor (t, f); slope (b,), logits per unit of x; weight (t, f, b), sums to 1 for each task; level, level_sd
    (t, f, b): of the logit at ``centre``, given floor and slope. items (t,). scatter: sd of a model on the logit scale.
    typical_slope: exp of the posterior mean of mu, the slope that the tasks share.
    """

    floor: np.ndarray
    slope: np.ndarray
    weight: np.ndarray
    level: np.ndarray
    level_sd: np.ndarray
    centre: float
    items: np.ndarray
    scatter: float
    typical_slope: float


@dataclass(frozen=True)
class Anchor:
    """Models of the family that is predicted whose accuracies are known: x (k,), accuracy (t, k).

    They move each curve up or down on the logit scale by an offset ~ Normal(0, sd^2).
    """

    x: np.ndarray
    accuracy: np.ndarray
    sd: float = 0.1


def fit_curves(
    x: np.ndarray,
    accuracy: np.ndarray,
    items: np.ndarray,
    floor_most: np.ndarray,
    *,
    spread: float = 0.35,
    scatter: float = 0.03,
) -> Curves:
    """The posterior of one curve per task.

    x (m,): of each model, growing with ability. accuracy (t, m). items (t,): size of each test set.
    floor_most (t,): the highest floor thought possible (chance, or the highest accuracy for a floor left free).
    Raises ValueError for fewer than two models, an x that does not vary, or accuracies outside 0 to 1.
    """
    x, accuracy, items, most = (np.asarray(a, float) for a in (x, accuracy, items, floor_most))
    _check(x, accuracy)
    centre, width = float(x.mean()), float(x.std())
    log_slope = np.linspace(np.log(_SLOPES[0] / width), np.log(_SLOPES[1] / width), _SLOPE_NODES)
    nodes = int(np.clip(np.ceil(60 * most.max()), 9, 25))
    floor = most[:, None] * (np.arange(nodes) + 0.5) / nodes
    step = np.exp(log_slope)[:, None] * (x - centre)
    level, precision, fit = _levels(accuracy[:, None, None, :], floor[:, :, None, None], step, items, scatter)
    weight, mu = _share_slopes(fit, log_slope, spread)
    return Curves(floor, np.exp(log_slope), weight, level, precision**-0.5, centre, items, scatter, float(np.exp(mu)))


def draw(
    curves: Curves, x: np.ndarray, *, draws: int = 4000, seed: int = 0, anchor: Anchor | None = None
) -> np.ndarray:
    """Accuracies (t, draws, m) of new models at x, (m,) or (draws, m) where x itself is uncertain.

    They carry the uncertainty of the curve and the scatter of a model, not yet the noise of a test: see `observe`.
    The i-th draw of x goes with the i-th draw of every curve, so that errors in x are shared by the tasks.
    """
    rng = np.random.default_rng(seed)
    x = np.asarray(x, float)
    x = np.broadcast_to(x, (draws, x.shape[-1]))
    noise = curves.scatter * rng.standard_normal(x.shape)
    out = np.empty((len(curves.floor), *x.shape))
    for t in range(len(out)):
        floor, level, slope = _sample(curves, t, draws, rng)
        if anchor is not None:
            floor, level, slope = _anchored(curves, t, anchor, floor, level, slope, rng)
        logit = level[:, None] + slope[:, None] * (x - curves.centre) + noise
        out[t] = floor[:, None] + (1 - floor[:, None]) * _logistic(logit)
    return out


def observe(accuracy: np.ndarray, items: np.ndarray, *, evaluator: float = 0.003, seed: int = 0) -> np.ndarray:
    """Measured accuracies (t, draws, m) for true ones: binomial noise of the test, and noise between evaluators.

    evaluator: sd of the difference that two evaluations of one checkpoint show for other reasons than the items
    (0.002 to 0.0045 in mean absolute value for Pythia v0 evaluated by Cerebras and by EleutherAI).
    """
    rng = np.random.default_rng(seed)
    n = np.asarray(items, int)[:, None, None]
    measured = rng.binomial(n, np.clip(accuracy, 0, 1)) / n
    return measured + evaluator * rng.standard_normal(measured.shape)


def _check(x: np.ndarray, accuracy: np.ndarray) -> None:
    if accuracy.ndim != 2 or accuracy.shape[1:] != x.shape:
        raise ValueError(f"accuracy must be (tasks, models) = (t, {len(x)}); got shape {accuracy.shape}")
    if len(x) < 2 or np.ptp(x) == 0:
        raise ValueError(f"curves need at least two models at different x; got x = {x.tolist()}")
    bad = np.argwhere(~((accuracy >= 0) & (accuracy <= 1)))
    if len(bad):
        t, m = bad[0]
        raise ValueError(f"accuracy must be a fraction from 0 to 1; task {t}, model {m} has {accuracy[t, m]}")


def _logistic(z: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def _curve(
    level: np.ndarray, floor: np.ndarray, step: np.ndarray, items: np.ndarray, scatter: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Accuracy, its slope in the logit, and the variance of a measurement."""
    s = _logistic(level + step)
    p = floor + (1 - floor) * s
    slope = (1 - floor) * s * (1 - s)
    return p, slope, p * (1 - p) / items + (scatter * slope) ** 2


def _levels(
    y: np.ndarray, floor: np.ndarray, step: np.ndarray, items: np.ndarray, scatter: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best level for each floor and slope, its precision, and the log likelihood with the level integrated out."""
    n = items[:, None, None, None]
    share = np.clip((y.mean(-1) - floor[..., 0]) / (1 - floor[..., 0]), 0.003, 0.997)
    level = np.broadcast_to(np.log(share / (1 - share)), (*floor.shape[:2], len(step))).copy()
    prior = _LEVEL_SD**-2
    for _ in range(25):
        p, slope, v = _curve(level[..., None], floor, step, n, scatter)
        gradient = ((y - p) * slope / v).sum(-1) - prior * level
        move = gradient / ((slope**2 / v).sum(-1) + prior)
        level += np.clip(move, -1, 1)
        if np.abs(move).max() < 1e-9:
            break
    p, slope, v = _curve(level[..., None], floor, step, n, scatter)
    precision = (slope**2 / v).sum(-1) + prior
    fit = -0.5 * ((y - p) ** 2 / v + np.log(v)).sum(-1) - 0.5 * prior * level**2 - 0.5 * np.log(precision)
    return level, precision, fit


def _share_slopes(fit: np.ndarray, log_slope: np.ndarray, spread: float) -> tuple[np.ndarray, float]:
    """Weights of floors and slopes (t, f, b) with mu summed out, and the posterior mean of mu.

    For task t: w(floor, slope) ~ likelihood x sum over mu of N(log slope; mu, spread) P(mu | all) / P(task t | mu), the
    posterior of mu without task t times the task's own likelihood.
    """
    like = np.exp(fit - fit.max(axis=(1, 2), keepdims=True))
    prior = np.exp(-0.5 * ((log_slope[:, None] - log_slope) / spread) ** 2)  # (slope, mu)
    prior /= prior.sum(0)
    evidence = like.mean(1) @ prior  # (t, mu)
    log_mu = np.log(np.maximum(evidence, 1e-300)).sum(0)
    mu = np.exp(log_mu - log_mu.max())
    mu /= mu.sum()
    others = mu / np.maximum(evidence, 1e-300)  # (t, mu)
    weight = like * (others @ prior.T)[:, None, :]
    return weight / weight.sum(axis=(1, 2), keepdims=True), float(mu @ log_slope)


def _sample(curves: Curves, t: int, draws: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weight = curves.weight[t]
    f, b = np.unravel_index(rng.choice(weight.size, draws, p=weight.ravel()), weight.shape)
    level = curves.level[t, f, b] + curves.level_sd[t, f, b] * rng.standard_normal(draws)
    return curves.floor[t, f], level, curves.slope[b]


def _anchored(
    curves: Curves, t: int, anchor: Anchor, floor: np.ndarray, level: np.ndarray, slope: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Curves resampled by how well they fit the anchor's models, each moved by a draw of its offset."""
    step = slope[:, None] * (np.asarray(anchor.x, float) - curves.centre)
    p, steep, v = _curve(level[:, None], floor[:, None], step, curves.items[t], curves.scatter)
    r = np.asarray(anchor.accuracy, float)[t] - p
    precision = (steep**2 / v).sum(1) + anchor.sd**-2
    offset = (steep * r / v).sum(1) / precision
    fit = -0.5 * (r**2 / v + np.log(v)).sum(1) + 0.5 * offset**2 * precision - 0.5 * np.log(precision)
    weight = np.exp(fit - fit.max())
    kept = rng.choice(len(weight), len(weight), p=weight / weight.sum())
    moved = level + offset + rng.standard_normal(len(level)) * precision**-0.5
    return floor[kept], moved[kept], slope[kept]
