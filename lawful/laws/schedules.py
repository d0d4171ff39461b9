"""The loss under any learning-rate schedule: what the sum of rates bought, minus what its falls released.

Both laws read the whole schedule of a run up to the point of the loss, one learning rate per step with the last step
last: an array variable of shape (steps,) for one run or (steps, runs). Before its first step a run has the rate 0, so a
run shorter than the longest has zeros in front. Without a fall both laws are a power of S_1, the sum of the rates.

The sums over falls need one term per step of each run, times every start of a search. `changes` makes them short: it
merges neighbouring steps whose age differs by less than 1/32, each group at the place where its change happens. The
last 32 steps and every isolated jump stay exact; for a smooth schedule the loss moves by less than 1e-5 nats. 24 000
steps become about 450 groups. The schedule itself, (steps, runs) floats, must fit in memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.law import Paper, amplitude, exponent, law, offset, share, values, width

tissue2024 = Paper(
    "tissue2024", "Howe Tissue, Venus Wang, Lu Wang", "Scaling Law with Learning Rate Annealing", 2024, "2408.11029"
)
luo2025 = Paper(
    "luo2025",
    "Kairong Luo, Haodong Wen, Shengding Hu, Zhenbo Sun, Zhiyuan Liu, Maosong Sun, Kaifeng Lyu, Wenguang Chen",
    "A Multi-Power Law for Loss Curve Prediction Across Learning Rate Schedules",
    2025,
    "2503.12811",
    "ICLR 2025",
)


@dataclass(frozen=True)
class Changes:
    """A schedule without parameters: the sum of its rates, and its changes by group.

    total (runs): sum of the rates. fall (groups, runs): decrease of the rate, negative for a rise.
    rate, area, age (groups, runs): the rate after the change, the sum of the rates from there to the end, and the
    number of steps from there to the end, averaged over the group with the changes as weights.
    warmup (groups, runs): whether the rate had never fallen before.
    """

    total: np.ndarray
    fall: np.ndarray
    rate: np.ndarray
    area: np.ndarray
    age: np.ndarray
    warmup: np.ndarray


_POWER = 0.4  # of the rate in the gain of a change, near gamma beta of the published fits: rates are averaged in it
_REMEMBERED: OrderedDict[tuple[Any, ...], Changes] = OrderedDict()  # a search asks for the same schedules every time


def changes(lr_schedule: np.ndarray) -> Changes:
    """The changes of schedules (steps, ...), remembered by content.

    Raises ValueError for a rate that is negative or missing.
    """
    lr = np.ascontiguousarray(lr_schedule, float).reshape(len(lr_schedule), -1)
    weights = 2 * np.arange(1, len(lr) + 1, dtype=np.int64) ** 2 + 1
    key = (lr.shape, np.einsum("t,tn->n", weights, lr.view(np.int64)).tobytes())
    if key not in _REMEMBERED:
        _REMEMBERED[key] = _changes(lr)
        if len(_REMEMBERED) > 16:
            _REMEMBERED.popitem(last=False)
    found = _REMEMBERED[key]
    shape = np.shape(lr_schedule)[1:]
    return Changes(*(x.reshape((*x.shape[:-1], *shape)) for x in vars(found).values()))


def _changes(lr: np.ndarray) -> Changes:
    if not np.all(lr >= 0):
        step, run = np.argwhere(~(lr >= 0))[0]
        raise ValueError(
            f"lr_schedule: run {run} has the learning rate {lr[step, run]} at step {step}; rates are 0 or more, "
            "and a run that is shorter than the others has zeros before its first step"
        )
    fall = -np.diff(lr, axis=0, prepend=0.0)
    area = np.cumsum(lr[::-1], axis=0)[::-1]
    age = np.arange(len(lr), 0, -1)[:, None]
    past = np.maximum(np.arange(len(lr))[:, None] - (lr > 0).argmax(axis=0), 0) + 1
    warmup = np.cumsum(fall > 0, axis=0) == 0
    group = _groups(len(lr))
    by_age = np.broadcast_to(group[age - 1], lr.shape)
    # a warm-up begins near rate 0, where the gain bends: there, groups that grow from the first step on
    by_end = np.where(past < age, group[past - 1], group[-1] + 1 + by_age)
    parts = [
        _merged(np.where(warmup, fall, 0.0), by_end, lr, area),
        _merged(np.where(warmup, 0.0, np.minimum(fall, 0.0)), by_age, lr, area),
        _merged(np.maximum(fall, 0.0), by_age, lr, area),
    ]
    size, rate, left, since = (np.concatenate(x) for x in zip(*parts))
    before = np.arange(len(size)) < len(parts[0][0])
    return Changes(area[0], size, rate, left, since, np.broadcast_to(before[:, None], size.shape))


def _merged(part: np.ndarray, group: np.ndarray, lr: np.ndarray, area: np.ndarray) -> list[np.ndarray]:
    """Changes by group (groups, runs): their sum, and the mean rate, area and age, weighted by the changes."""
    step, run = np.nonzero(part)
    runs, weights = part.shape[1], part[step, run]
    groups, place = np.unique(group[step, run], return_inverse=True)

    def total(x: Any) -> np.ndarray:
        flat = np.bincount(place * runs + run, weights * x, minlength=len(groups) * runs)
        return flat.reshape(len(groups), runs)

    size = total(1.0)
    rate, left, since = (
        total(x) / np.where(size == 0, 1.0, size) for x in (lr[step, run] ** _POWER, area[step, run], len(lr) - step)
    )
    # no change, or a fall to rate 0 that leaves nothing to gain: any rate will do
    return [size, np.where(rate == 0, 1.0, rate) ** (1 / _POWER), np.where(rate == 0, 0.0, left), since]


def _groups(steps: int) -> np.ndarray:
    """Group of the ages 1, 2, ..., steps: groups grow with age, from one step to 1/32 of the age."""
    group: list[int] = []
    while len(group) < steps:
        group += [group[-1] + 1 if group else 0] * max(1, len(group) // 32)
    return np.array(group[:steps])


def annealing(lr_schedule: np.ndarray, lam: Any) -> Any:
    """Tissue's annealing area S_2: every fall of the rate, counted lam**0 + lam**1 + ... to the end of the run.

    The first rise, the warm-up, does not count.
    """
    c = changes(lr_schedule)
    terms = zip(c.fall * ~c.warmup, c.age)
    return sum((fall * (1 - lam**age) for fall, age in terms if np.any(fall)), np.zeros(c.total.shape)) / (1 - lam)


_REFIT = "refit on the three training curves of arXiv:2503.12811, warm-up counted in S_1 only"


@law(
    tissue2024,
    values={
        "tissue2024_25m": values(
            _REFIT + "; 25M", L0=3.149075315429803, A=0.5240856315804183, alpha=0.5005438592454723,
            C=1.9133476033525771, lam=0.995, status="recomputed",
        ),
        "tissue2024_100m": values(
            _REFIT + "; 100M", L0=2.7888957494352486, A=0.592568912730266, alpha=0.45497765121109,
            C=0.4812191856868049, lam=0.999, status="recomputed",
        ),
        "tissue2024_400m": values(
            _REFIT + "; 400M", L0=2.524621573198541, A=0.6536057439028562, alpha=0.4204984573176062,
            C=0.5700476359782451, lam=0.999, status="recomputed",
        ),
    },
    arrays=("lr_schedule",), status="paper text", topic="learning-rate schedules", over={"lr_schedule": (3e-5, 3e-4)},
    identified="C/(1 - lam)", aliases=("tissue_lr_annealing",),
)  # fmt: skip
def tissue(
    lr_schedule, *, L0=offset(), A=amplitude(), alpha=exponent(upper=2.0),
    C=amplitude(meaning="gain per annealing area"), lam=share("memory of the annealing", lower=0.9, upper=0.9999),
):  # fmt: skip
    r"""$L = L_0 + A S_1^{-\alpha} - C S_2, \quad S_1 = \sum_i \eta_i, \quad S_2 = \sum_i m_i, \quad
    m_i = \lambda m_{i-1} + \eta_{i-1} - \eta_i$

    Rates eta as trained with, lam is lambda: A and C depend on the scale of the rates.
    Warm-up counts in S_1, not in S_2.
    Fitted: Huber (1e-3) on log L, L-BFGS-B, lam on a grid of 0.99 to 0.999.
    Trap: C and lam are nearly collinear; C/(1 - lam) is what schedules of this kind determine.
    Trap: S_2 has no bound, so a very long anneal is overrated and warming up again is always a loss.
    """
    S1 = changes(lr_schedule).total
    return L0 + A * S1**-alpha - C * annealing(lr_schedule, lam)


@law(tissue2024, arrays=("lr_schedule",), topic="learning-rate schedules", status="memory", identified="C/(1 - lam)")
def tissue_size(
    lr_schedule, N, *, L0=offset(), A=amplitude(), alpha=exponent(upper=2.0), B=amplitude("N", "beta"),
    beta=exponent(), C=amplitude(meaning="gain per annealing area"), lam=share(lower=0.9, upper=0.9999),
):  # fmt: skip
    r"""$L = L_0 + A S_1^{-\alpha} + B N^{-\beta} - C S_2(\lambda)$

    S_1 and S_2 as in `tissue`, plus a power of the size of the model.
    Trap: one annealing gain C for all sizes, though the refits of `tissue` give each size its own.
    """
    return tissue(lr_schedule, L0=L0, A=A, alpha=alpha, C=C, lam=lam) + B * N**-beta


_LUO = "Table of parameters in the official repository, src/config.py; "


@law(
    luo2025,
    values={
        "luo2025_25m": values(
            _LUO + "25M", L0=3.04045406, A=0.52468604, alpha=0.50786857, B=363.78751622, C=2.06560812,
            beta=0.58279013, gamma=0.64142257,
        ),
        "luo2025_100m": values(
            _LUO + "100M", L0=2.6514477, A=0.60115152, alpha=0.45295811, B=437.9464276, C=2.13245612,
            beta=0.59785199, gamma=0.65523644,
        ),
        "luo2025_400m": values(
            _LUO + "400M", L0=2.37474466, A=0.65421216, alpha=0.42878731, B=523.42464371, C=2.02462735,
            beta=0.59350493, gamma=0.63472457,
        ),
    },
    arrays=("lr_schedule",), status="official repository", topic="learning-rate schedules",
    over={"lr_schedule": (3e-5, 3e-4)}, aliases=("luo_multi_power",),
)  # fmt: skip
def multi_power(
    lr_schedule, *, L0=offset(), A=amplitude(), alpha=exponent(), B=amplitude(start=(10.0, 1e4)),
    C=width("pace of the gain"), beta=exponent(), gamma=exponent(),
):  # fmt: skip
    r"""$L = L_0 + A S_1^{-\alpha} - B \sum_k (\eta_{k-1} - \eta_k) \left[1 - (1 + C \eta_k^{-\gamma} S_k)^{-\beta}
    \right], \quad S_k = \sum_{i \ge k} \eta_i$

    S_1 is the sum of all rates, those of the warm-up included.
    The sum runs over the warm-up too, whose rises raise L: give the schedule from its first step.
    Fitted: L-BFGS-B without the inner power over a grid, then AdamW on the Huber loss (1e-3) of log L; three curves.
    Trap: B, C, beta and gamma trade off; another scale of the learning rate changes all but the exponents.
    Trap: the published values are no optimum on their three curves: Huber sums of 1.4e-4 for 2.9e-4 (25M) and 2.1e-5
    for 2.8e-4 (100M) exist, at quite other values, and predict the six unseen schedules worse (0.0065 for 0.0041 and
    0.0062 for 0.0052 nats): three curves do not determine the law.
    """
    c = changes(lr_schedule)
    gains = (fall * (1 - (1 + C * rate**-gamma * area) ** -beta) for fall, rate, area in zip(c.fall, c.rate, c.area))
    return L0 + A * c.total**-alpha - B * sum(gains, np.zeros(c.total.shape))


def optimal_schedule(v: Mapping[str, float], steps: int, peak: float, warmup: int = 0, knots: int = 24) -> np.ndarray:
    """The schedule (steps,) with the lowest final loss by `multi_power` among those that never rise after the warm-up.

    v: its values. peak: the rate at the end of the linear warm-up, which keeps the range that the law was fitted on.
    The rate is linear between ``knots`` moments, denser towards the end, each at 0 to 1 of the one before; found by
    L-BFGS-B from a slow decay. Like the paper's it stays high and then falls to almost nothing.
    Outside the schedules that v was fitted on this is a hypothesis to train, not a result.

    Raises ValueError for a warm-up that leaves fewer than ``knots`` steps.
    """
    from scipy.optimize import minimize

    if not 0 <= warmup <= steps - knots:
        raise ValueError(
            f"optimal_schedule: a warm-up of {warmup} of {steps} steps leaves fewer steps than the {knots} knots; "
            "shorten the warm-up or give fewer knots"
        )
    moments = np.append(0, steps - warmup - np.geomspace(steps - warmup, 1, knots + 1)[1:].round())
    time = np.arange(steps - warmup)
    ramp = peak * np.arange(warmup) / max(warmup, 1)

    def schedule(kept: np.ndarray) -> np.ndarray:
        return np.append(ramp, peak * np.interp(time, moments, np.append(1.0, np.cumprod(kept))))

    def loss(kept: np.ndarray) -> tuple[float, np.ndarray]:
        moved = [kept, *(kept - 1e-4 * row for row in np.eye(knots))]
        losses = multi_power(np.stack([schedule(k) for k in moved], axis=1), **v)
        return float(losses[0]), (losses[0] - losses[1:]) / 1e-4

    found = minimize(loss, np.full(knots, 0.98), jac=True, method="L-BFGS-B", bounds=[(2e-4, 1.0)] * knots)
    return schedule(found.x)
