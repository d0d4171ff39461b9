r"""Accuracies that nobody has measured yet, with intervals that carry everything that is uncertain.

Two stages: the loss of the larger model is extrapolated by a law, then its accuracy is read off curves fitted on this
family or on a sibling. The interval is made of four parts, each drawn and none left out:

* the loss: the law's coefficients, and the scatter of one model round its law (`power_law_draws`);
* the curve: floor, slope and level of each task (`hierarchy.draw`);
* the model: it lies off the curve by its own scatter;
* the test: binomial noise of the items, and the noise between two evaluators.

The scatter round a loss law is badly known from four models: `pooled_scatter` takes it from several families that were
trained and evaluated alike, which turns 2 degrees of freedom into 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lawful.fit import Fit
from lawful.hierarchy import Anchor, Curves, draw, observe
from lawful.tasks import Scores, expected_mape


@dataclass(frozen=True)
class Scatter:
    """Relative standard deviation of a run's loss round its law, and the degrees of freedom it was found with."""

    sd: float
    dof: int


def pooled_scatter(*fits: Fit) -> Scatter:
    """The scatter round several fits of the log loss: sqrt(sum of their RSS / sum of their n - p).

    Raises ValueError where a fit is not least squares on the log, or there are no degrees of freedom.
    """
    for one in fits:
        if not (one.objective.log and one.objective.squares):
            raise ValueError(f"scatter is relative: fit with objective='log_lsq', not {one.objective.name!r}")
    dof = sum(one.dof for one in fits)
    if dof <= 0:
        raise ValueError("the fits have as many parameters as points: no degree of freedom is left to find the scatter")
    return Scatter(float(np.sqrt(sum(one.rss for one in fits) / dof)), dof)


def power_law_draws(
    x: np.ndarray, loss: np.ndarray, new: np.ndarray, *, scatter: Scatter | None = None, draws: int = 4000,
    seed: int = 0,
) -> np.ndarray:  # fmt: skip
    """Losses (draws, k) of new runs at ``new`` (k,), by a straight line in log-log through x and loss (m,).

    Predictive draws of the linear model: coefficients ~ estimate + sd chol((X'X)^-1) z, plus one run's scatter, where
    sd^2 ~ scatter^2 dof / chi2(dof). scatter: from elsewhere, see `pooled_scatter` (default: this line's own
    residuals, n - 2). For the line's own scatter the quantiles are the t prediction interval of ordinary regression.
    """
    x, loss, new = (np.log(np.asarray(a, float)) for a in (x, loss, new))
    X, at = np.column_stack([np.ones(len(x)), x]), np.column_stack([np.ones(len(new)), new])
    beta = np.linalg.lstsq(X, loss, rcond=None)[0]
    if scatter is None:
        if len(x) < 3:
            raise ValueError(f"a line through {len(x)} runs has no residual: pass a scatter from other runs")
        scatter = Scatter(float(np.sqrt(((loss - X @ beta) ** 2).sum() / (len(x) - 2))), len(x) - 2)
    rng = np.random.default_rng(seed)
    sd = scatter.sd * np.sqrt(scatter.dof / rng.chisquare(scatter.dof, draws))[:, None]
    root = np.linalg.cholesky(np.linalg.inv(X.T @ X))
    error = rng.standard_normal((draws, 2)) @ root.T @ at.T + rng.standard_normal((draws, len(new)))
    return np.exp(at @ beta + sd * error)


@dataclass(frozen=True)
class TaskForecast:
    """Accuracies of k models on t tasks: estimate (mean), lower, upper (t, k) at ``level``, for a measurement to come.

    flag (t,): empty, or "cannot tell" with the reason.
    """

    tasks: tuple[str, ...]
    estimate: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    level: float
    flag: tuple[str, ...]


def forecast_scores(
    curves: Curves, ability: np.ndarray, answers: Scores, *, level: float = 0.95, anchor: Anchor | None = None,
    flag: Sequence[str] = (), evaluator: float = 0.003, draws: int = 4000, seed: int = 0,
) -> TaskForecast:  # fmt: skip
    """Accuracies of new models whose x (k,), or draws of it (draws, k), is ``ability`` (`tasks.ability`).

    answers: the scores that name the tasks and their items. anchor: models of the predicted family with known
    accuracies, for a level offset. evaluator: see `hierarchy.observe`. flag: a word per task (`tasks.undecided`).
    """
    at = np.asarray(ability, float)
    count = len(at) if at.ndim == 2 else draws
    true = draw(curves, at, draws=count, seed=seed, anchor=anchor)
    seen = observe(true, answers.items, evaluator=evaluator, seed=seed + 1)
    lower, upper = np.quantile(seen, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return TaskForecast(
        answers.tasks, true.mean(1), np.clip(lower, 0, 1), np.clip(upper, 0, 1), level,
        tuple(flag) or ("",) * len(answers.tasks),
    )  # fmt: skip


# ---- judging


def mape(estimate: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean absolute percentage error over the last axis."""
    return 100 * np.abs(np.asarray(estimate) / np.asarray(truth) - 1).mean(-1)


def interval_score(lower: np.ndarray, upper: np.ndarray, truth: np.ndarray, level: float) -> np.ndarray:
    r"""Width plus $2 / (1 - level)$ times the distance of a truth outside; smaller is better.

    Gneiting and Raftery 2007 (J. Am. Stat. Assoc. 102), eq. 43.
    """
    miss = np.maximum(lower - truth, 0) + np.maximum(truth - upper, 0)
    return upper - lower + 2 / (1 - level) * miss


@dataclass(frozen=True)
class Judged:
    """A forecast against what came. mape (t,): percent. points (t,): mean absolute error, fractions.

    naive (t,): MAPE of the last value known. skill (t,): 1 - mape / naive; comparable between losses and accuracies, as
    MAPE is not.
    noise (t,): MAPE that the truth itself is expected to have. z (t, k): error in binomial standard errors.
    covered of count intervals; width, score: their means.
    """

    mape: np.ndarray
    points: np.ndarray
    naive: np.ndarray
    skill: np.ndarray
    noise: np.ndarray
    z: np.ndarray
    covered: int
    count: int
    width: float
    score: float


def judge(forecast: TaskForecast, truth: Scores, last: np.ndarray) -> Judged:
    """Compare a forecast with the accuracies measured later; last (t,): the last value known when it was made."""
    y = truth.accuracy
    error = mape(forecast.estimate, y)
    naive = mape(np.broadcast_to(np.asarray(last, float)[:, None], y.shape), y)
    se = np.sqrt(y * (1 - y) / truth.items[:, None])
    inside = (y >= forecast.lower) & (y <= forecast.upper)
    score = interval_score(forecast.lower, forecast.upper, y, forecast.level)
    return Judged(
        error, np.abs(forecast.estimate - y).mean(-1), naive, 1 - error / naive, expected_mape(y, truth.items),
        (forecast.estimate - y) / se, int(inside.sum()), inside.size, float((forecast.upper - forecast.lower).mean()),
        float(score.mean()),
    )  # fmt: skip
