"""The best mixture of training data, from small runs over many mixtures.

Two roads, both ending in a `MixturePlan`: shares and a loss, each with its interval over resampled runs.

* `regmix` (Liu et al. 2024): regress the loss on the shares, simulate many mixtures, average those predicted best.
  A linear regression alone would put everything on one domain; simulated mixtures stay like those a prior allows.
* `best_mixture` (Ye et al. 2024): fit one mixing law to each validation loss and minimise their weighted sum. The sum
  is convex, so there is one optimum; it is searched within the shares that were tried unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.bootstrap import bootstrap
from lawful.fit import Fit, fit
from lawful.law import Law
from lawful.uncertainty import Interval, percentiles

_ROUNDING = 0.03  # shares that are printed with few digits sum to 1 within this


@dataclass(frozen=True)
class MixturePlan:
    """A mixture with its loss. shares: an interval for every domain. loss: of the mean run there.

    gain: loss of the average of the tried mixtures minus loss of this one; "cannot tell" where its interval holds 0.
    fits: the fitted law of each validation loss.
    """

    shares: Mapping[str, Interval]
    loss: Interval
    gain: Interval
    fits: Mapping[str, Fit]

    @property
    def mixture(self) -> np.ndarray:
        return np.array([share.estimate for share in self.shares.values()])

    def __str__(self) -> str:
        rows = [f"{name}: {share}" for name, share in self.shares.items()]
        return "\n".join([*rows, f"loss: {self.loss}", f"gain over the average mixture tried: {self.gain}"])


def regmix(
    runs: Any, mixture: Sequence[str], target: str, *, law: Law | str = "regmix_linear",
    prior: Sequence[float] | None = None, simulated: int = 20_000, best: int = 100, level: float = 0.9,
    draws: int = 200, seed: int = 0,
) -> MixturePlan:  # fmt: skip
    """RegMix: fit ``law`` to the runs, simulate mixtures around ``prior``, average the ``best`` of them.

    runs: a table. mixture: its columns of shares (rows sum to 1, up to rounding). target: its column of the loss.
    prior: the shares that simulated mixtures scatter around (default: the average of the tried ones), widely or
    closely as in the paper's code; those with a share beyond the runs' are left out. A linear regression still
    underrates the loss of mixtures of many domains: trust the ranking more than the level.
    Raises ValueError for shares that do not sum to 1, or where too few simulated mixtures remain.
    """
    table, tried = _table(runs, mixture, (target,))
    rng = np.random.default_rng(seed)
    centre = tried.mean(0) if prior is None else np.asarray(prior, float) / np.sum(prior)
    strength = np.exp(rng.uniform(np.log(0.1), np.log(5.0), simulated)) * len(centre)
    made = rng.standard_gamma(np.maximum(centre * strength[:, None], 1e-3)) * (centre > 0)
    candidates = made / made.sum(1, keepdims=True)
    candidates = candidates[((candidates >= tried.min(0)) & (candidates <= tried.max(0))).all(1)]
    if len(candidates) < best:
        raise ValueError(
            f"regmix: {len(candidates)} of {simulated} simulated mixtures lie within the shares tried, and best is "
            f"{best}; raise simulated, lower best, or give a prior inside the runs"
        )

    def choose(predict: Callable[[np.ndarray], np.ndarray], start: np.ndarray | None) -> np.ndarray:
        return candidates[np.argpartition(predict(candidates), best - 1)[:best]].mean(0)

    fits = {target: _fit(law, table, target, mixture, "lsq", seed)}
    return _plan(fits, {target: 1.0}, list(mixture), tried, choose, level, draws, seed)


def best_mixture(
    runs: Any, mixture: Sequence[str], targets: Mapping[str, float], *, law: Law | str = "ye_mixing",
    limits: str | Mapping[str, tuple[float, float]] = "tried", level: float = 0.9, draws: int = 200, seed: int = 0,
) -> MixturePlan:  # fmt: skip
    """Fit a mixing law to every loss of ``targets`` {column: weight} and minimise the weighted sum over mixtures.

    limits: "tried" (no share beyond those of the runs), "none" (the whole simplex), or {domain: (low, high)}.
    Raises ValueError for shares that do not sum to 1, or limits that leave no mixture.
    """
    table, tried = _table(runs, mixture, targets)
    names = list(mixture)
    low, high = _limits(limits, names, tried)

    def choose(predict: Callable[[np.ndarray], np.ndarray], start: np.ndarray | None) -> np.ndarray:
        return _minimise(predict, np.clip(tried.mean(0), low, high) if start is None else start, low, high)

    fits = {t: _fit(law, table, t, names, "huber:0.02", seed) for t in targets}
    return _plan(fits, targets, names, tried, choose, level, draws, seed)


def _fit(
    law: Law | str, table: Mapping[str, np.ndarray], target: str, mixture: Sequence[str], objective: str, seed: int
) -> Fit:
    made = fit(law, table, target=target, variables={"mixture": list(mixture)}, objective=objective, seed=seed)
    assert isinstance(made, Fit)  # no groups were asked for
    return made


def _table(runs: Any, mixture: Sequence[str], targets: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The columns needed, with shares rescaled to sum to 1, and the shares (n, k)."""
    tried = np.column_stack([np.asarray(runs[name], float) for name in mixture])
    total = tried.sum(1)
    bad = np.flatnonzero(~(np.abs(total - 1) <= _ROUNDING) | (tried < 0).any(1))
    if len(bad):
        raise ValueError(
            f"mixture: row {bad[0]} has shares that sum to {total[bad[0]]:.4g}, the lowest {tried[bad[0]].min():.4g}; "
            f"shares are at least 0 and sum to 1; the columns given are {', '.join(mixture)}"
        )
    tried = tried / total[:, None]
    table = {name: tried[:, i] for i, name in enumerate(mixture)}
    return table | {t: np.asarray(runs[t], float) for t in targets}, tried


def _limits(limits: Any, names: list[str], tried: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if limits == "tried":
        return tried.min(0), tried.max(0)
    if limits != "none" and (isinstance(limits, str) or set(limits) - set(names)):
        raise ValueError(
            f"limits is {limits!r}; allowed: 'tried', 'none', or (low, high) for any of {', '.join(names)}"
        )
    given = {} if limits == "none" else limits
    low, high = (np.array([given.get(name, (0.0, 1.0))[i] for name in names]) for i in (0, 1))
    if (low > high).any() or low.sum() > 1 or high.sum() < 1:
        raise ValueError(f"limits leave no mixture: the lows sum to {low.sum():.4g}, the highs to {high.sum():.4g}")
    return low, high


def _minimise(
    predict: Callable[[np.ndarray], np.ndarray], start: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """The mixture within limits at which a smooth convex prediction is least."""
    from scipy.optimize import minimize

    step = 1e-6 * np.eye(len(start))

    def slopes(r: np.ndarray) -> np.ndarray:
        return (predict(r + step) - predict(r - step)) / 2e-6

    found = minimize(
        lambda r: float(predict(r[None])[0]), start, jac=slopes, method="SLSQP", bounds=list(zip(low, high)),
        constraints={"type": "eq", "fun": lambda r: r.sum() - 1, "jac": lambda r: np.ones(len(r))},
        options={"ftol": 1e-10, "maxiter": 300},
    )  # fmt: skip
    r = np.clip(np.where(np.abs(found.x) < 1e-9, 0.0, found.x), low, high)
    return r / r.sum()


def _plan(
    fits: Mapping[str, Fit], weights: Mapping[str, float], names: list[str], tried: np.ndarray,
    choose: Callable[..., np.ndarray], level: float, draws: int, seed: int,
) -> MixturePlan:  # fmt: skip
    """Choose by the fits, then again by every resample of the runs (the same runs for all losses)."""
    made = {t: bootstrap(f, "pairs", draws, seed) for t, f in fits.items()}

    def predictor(draw: int | None) -> Callable[[np.ndarray], np.ndarray]:
        def predict(mixtures: np.ndarray) -> np.ndarray:
            total = np.zeros(len(mixtures))
            for t, f in fits.items():
                theta = f.theta if draw is None else made[t].theta[draw]
                X = {"mixture": mixtures.T}
                with np.errstate(over="ignore"):
                    total += weights[t] * np.asarray(f.model.evaluate(theta[None], X, derivatives=False))[0]
            return total

        return predict

    chosen = choose(predictor(None), None)
    ok = np.all([np.isfinite(m.values).all(1) for m in made.values()], axis=0)
    again = np.array([choose(predictor(i), chosen) if ok[i] else np.full(len(names), np.nan) for i in range(draws)])
    pair = np.array([chosen, tried.mean(0)])
    levels = np.array([predictor(i)(pair) if ok[i] else (np.nan, np.nan) for i in range(draws)])
    here, middle = predictor(None)(pair)
    shares = {name: _interval(again[:, i], chosen[i], level) for i, name in enumerate(names)}
    loss = _interval(levels[:, 0], here, level)
    gain = _interval(levels[:, 1] - levels[:, 0], middle - here, level, "it is better than the average mixture tried")
    return MixturePlan(shares, loss, gain, dict(fits))


def _interval(sample: np.ndarray, estimate: float, level: float, claim: str = "") -> Interval:
    lower, upper, open_end = percentiles(sample, level, float(estimate))
    verdict = "cannot tell: too many resamples failed" if open_end else ""
    if claim and lower <= 0 <= upper:
        verdict = f"cannot tell whether {claim}"
    return Interval(float(estimate), lower, upper, level, "pairs", verdict)
