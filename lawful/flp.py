"""Compute to loss to score: FLP and FLP-M (Chen et al. 2024).

The loss of a large run follows from its compute by a power law, and its score from the loss by a line, which only
holds where the task has been learnt a little. With two kinds of data, FLP-M has one loss for each kind.

>>> runs = {"flops": [1e18, 1e19, 1e20, 1e21], "loss": [4.0, 3.4, 2.89, 2.46], "acc": [0.3, 0.39, 0.47, 0.535]}
>>> print(round(score_at(flp(runs, "acc", chance=0.25, draws=50), C=1e22).estimate, 2))
0.59
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.bootstrap import bootstrap
from lawful.fit import Fit, fit
from lawful.skills import column, new_model
from lawful.uncertainty import Interval

_EMERGED = 0.05  # a score counts from this far above chance (their section 3)


@dataclass(frozen=True)
class Chain:
    """losses: the `Fit` of each loss from compute. weights: score = weights[0] + weights[1:] @ losses, from ``used``
    rows above chance. sample: draws of the weights, sigma: scatter of the score, dof: its degrees of freedom.
    """

    losses: Mapping[str, Fit]
    weights: np.ndarray
    sample: np.ndarray
    sigma: float
    dof: int
    used: int
    level: float
    seed: int


def flp(
    runs: Any, score: str, *, loss: str = "loss", flops: str = "flops", converged: str | None = None,
    chance: float = 0.0, run: str | None = None, level: float = 0.9, draws: int = 1000, seed: int = 0,
) -> Chain:  # fmt: skip
    """FLP: the law `flp_loss` of the loss in compute, and a line from the loss to a score, `flp_performance`.

    converged: a column that is true for the runs of the first step (default: all; the second step takes all rows).
    chance: the score of guessing; rows below chance + 0.05 do not enter the second step. run: column that names the
    run of a row; then whole runs are resampled for the line. A line leaves 0 to 1: predictions are clipped there.
    Raises ValueError where fewer than three rows are above chance.
    """
    L, C = column(runs, loss), column(runs, flops)
    own = np.isfinite(L) & np.isfinite(C)
    if converged is not None:
        own &= np.asarray(runs[converged]).astype(bool)
    made = fit("flp_loss", {"C": C[own], "L": L[own]}, objective="log_lsq", seed=seed)
    return _chain({loss: _one(made)}, runs, score, chance, run, level, draws, seed)


def flp_m(
    runs: Any, score: str, losses: Sequence[str], *, general: str = "C_general", code: str = "C_code",
    chance: float = 0.0, run: str | None = None, level: float = 0.9, draws: int = 1000, seed: int = 0,
) -> Chain:  # fmt: skip
    """FLP-M: each loss from the compute spent on two kinds of data (`flpm_loss`), and a plane from them to a score.

    The paper's second step is a small neural network; a plane is what a handful of runs can support. Rows need both
    computes positive. Arguments as in `flp`.
    """
    G, K = column(runs, general), column(runs, code)
    return _chain(
        {name: _domain_loss(G, K, column(runs, name), seed) for name in losses},
        runs, score, chance, run, level, draws, seed,
    )  # fmt: skip


def loss_at(chain: Chain, name: str, **compute: float) -> Interval:
    """A loss of the chain for a new run: ``loss_at(chain, "loss", C=1e21)``; FLP-M takes C_general and C_code."""
    made = chain.losses[name]
    X = {k: np.array([float(v)]) for k, v in compute.items()}
    return new_model(_new_loss(chain, name, X), float(made.at_points(X)[0]), chain.level, "parametric")


def score_at(chain: Chain, **compute: float) -> Interval:
    """The score of a new run: ``score_at(chain, C=1e21)``; a chain of FLP-M takes C_general and C_code."""
    X = {k: np.array([float(v)]) for k, v in compute.items()}
    rng = np.random.default_rng(chain.seed + 99)
    middle = np.array([1.0, *(one.at_points(X)[0] for one in chain.losses.values())]) @ chain.weights
    moved = np.column_stack([np.ones(len(chain.sample)), *(_new_loss(chain, name, X) for name in chain.losses)])
    noise = chain.sigma * rng.standard_t(max(chain.dof, 1), len(moved))
    sample = np.clip((moved * chain.sample).sum(1) + noise, 0, 1)
    return new_model(sample, float(np.clip(middle, 0, 1)), chain.level, "parametric")


def _new_loss(chain: Chain, name: str, X: Mapping[str, np.ndarray]) -> np.ndarray:
    made, seed = chain.losses[name], chain.seed + 1 + list(chain.losses).index(name)
    theta = bootstrap(made, "parametric", len(chain.sample), seed).theta
    rng = np.random.default_rng(seed + 7)
    middle = np.log(made.at_points(X)[0])
    deviation = np.log(_at(made, theta, X)[:, 0]) - middle + made.sigma * rng.standard_normal(len(theta))
    # sigma is itself estimated from dof residuals: Student's t instead of the normal
    return np.exp(middle + deviation * np.sqrt(made.dof / rng.chisquare(max(made.dof, 1), len(theta))))


def _domain_loss(G: np.ndarray, K: np.ndarray, L: np.ndarray, seed: int) -> Fit:
    """`flpm_loss` with the one scale that matters: the other two are fixed at 1 FLOP. Linear in logs, so solved."""
    known = np.isfinite(G) & np.isfinite(K) & np.isfinite(L)
    G, K, L = G[known], K[known], L[known]
    if len(L) and (min(G.min(), K.min()) <= 0):
        raise ValueError("flp_m: a compute is 0 or less; the law needs both kinds of data in every run")
    design = np.column_stack([np.log(G + K), np.log(G), np.log(K), np.ones(len(L))])
    *a, constant = np.linalg.lstsq(design, np.log(L), rcond=None)[0]
    largest = int(np.argmax(np.abs(a)))
    scales = ("C_T", "C_G", "C_C")
    start = {"a_1": a[0], "a_2": a[1], "a_3": a[2], scales[largest]: np.exp(-constant / a[largest])}
    fixed = {s: 1.0 for i, s in enumerate(scales) if i != largest}
    table = {"C_general": G, "C_code": K, "L": L}
    return _one(fit("flpm_loss", table, objective="log_lsq", fixed=fixed, starts=start, seed=seed))


def _chain(
    losses: Mapping[str, Fit],
    runs: Any,
    score: str,
    chance: float,
    run: str | None,
    level: float,
    draws: int,
    seed: int,
) -> Chain:
    """The second step by least squares, with draws of its weights."""
    y = column(runs, score)
    A = np.column_stack([np.ones(len(y)), *(column(runs, name) for name in losses)])
    kept = np.isfinite(A).all(1) & np.isfinite(y) & (y >= chance + _EMERGED)
    if kept.sum() <= A.shape[1]:
        raise ValueError(
            f"{score}: {kept.sum()} rows are {_EMERGED} above chance ({chance:g}); the second step needs more than "
            f"{A.shape[1]}: lower chance, or add runs that have learnt the task"
        )
    A, y = A[kept], y[kept]
    weights = np.linalg.lstsq(A, y, rcond=None)[0]
    dof = len(y) - A.shape[1]
    sigma = float(np.sqrt(((y - A @ weights) ** 2).sum() / dof))
    rng = np.random.default_rng(seed)
    if run is None:
        root = np.linalg.qr(A, mode="r")
        z = rng.standard_normal((draws, A.shape[1])) * np.sqrt(dof / rng.chisquare(dof, (draws, 1)))
        sample = weights + sigma * np.linalg.solve(root, z.T).T
    else:
        code = np.unique(np.asarray(runs[run]).astype(str)[kept], return_inverse=True)[1]
        groups = code.max() + 1
        counts = rng.multinomial(groups, np.full(groups, 1 / groups), size=draws)[:, code]
        root = np.sqrt(counts)
        sample = np.array([np.linalg.lstsq(A * r[:, None], y * r, rcond=None)[0] for r in root])
    return Chain(dict(losses), weights, sample, sigma, dof, len(y), level, seed)


def _one(made: Any) -> Fit:
    assert isinstance(made, Fit)  # no groups were asked for
    return made


def _at(made: Fit, theta: np.ndarray, X: Mapping[str, np.ndarray]) -> np.ndarray:
    """The law at points X (m,) for rows of slots: (rows, m)."""
    f = np.asarray(made.model.evaluate(theta, X, derivatives=False))
    return np.broadcast_to(f, (len(theta), np.shape(next(iter(X.values())))[-1]))
