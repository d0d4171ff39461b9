"""Which of the candidate runs to make: standard designs, and the choice that the law's information makes.

A design is a list of candidates. `chosen` builds one greedily, each time the run that lowers the variance of the
decision most for its FLOP, then swaps runs for better ones while that helps (Fedorov 1972). Choosing per FLOP alone can
spend everything on small runs, choosing by gain alone on one large run, so both and a mean of them are tried and the
best is kept (Khuller, Moss and Naor 1999). Runs that hardly matter are left out at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lawful.design_grid import Candidates, Limits
from lawful.design_information import Outlook

_POWERS = (1.0, 0.5, 0.0)  # gain / cost^power
_PASSES = 3  # of swapping
_SWAPS = 16  # runs from which swapping is left out of a pass beyond the first
_HALVINGS = 7  # of the budget's logarithm
_SPARE = 1.005  # runs that only widen the interval to so many times when left out are left out
_LEVEL = 0.9  # of that interval


def chosen(
    known: Outlook, menu: Candidates, limits: Limits, criterion: str = "decision",
    enough: Callable[[Outlook], bool] = lambda _: False,
) -> list[int]:  # fmt: skip
    """The candidates to run, best first, within the limits.

    criterion: "decision" (c-optimal: the variance of the decision's number) or "law" (D-optimal: all parameters).
    enough: the least budget is sought for which this holds of what will be known.
    """
    if enough(known):
        return []
    best = _best(known, menu, limits, criterion)
    if not enough(known.after(best)):
        return best
    low, high = float(np.log(menu.cost[menu.open].min())), float(np.log(limits.flops))
    for _ in range(_HALVINGS):  # the least budget that is enough
        middle = 0.5 * (low + high)
        less = _best(known, menu, replace(limits, flops=float(np.exp(middle))), criterion)
        if enough(known.after(less)):
            best, high = less, middle
        else:
            low = middle
    return best


def _best(known: Outlook, menu: Candidates, limits: Limits, criterion: str) -> list[int]:
    tried = [_swapped(known, menu, limits, criterion, _greedy(known, menu, limits, criterion, e)) for e in _POWERS]
    best = min(tried, key=lambda one: _score(known, one, criterion))
    return _pruned(known, best) if criterion == "decision" else best


def _pruned(known: Outlook, design: list[int]) -> list[int]:
    """Leave out the least useful run, one after another, while all together widen the interval by 0.5 % at most.

    A run counts twice: by what it tells of the law, and as a degree of freedom of the noise.
    With A = I + sum g g' / sigma^2 over the runs, the variance is q' A^-1 q; leaving out v = g / sigma adds
    (q' A^-1 v)^2 / (1 - v' A^-1 v).
    """
    design = list(design)
    most = _SPARE * known.after(design).half_width(_LEVEL)
    while len(design) > 1:
        V = known.G[:, design] / known.noise[design]
        inverse = np.linalg.inv(np.eye(len(V)) + V @ V.T)
        rise = (known.q @ inverse @ V) ** 2 / np.maximum(1 - np.einsum("rk,rs,sk->k", V, inverse, V), 1e-12)
        least = int(rise.argmin())
        if known.after([*design[:least], *design[least + 1 :]]).half_width(_LEVEL) > most:
            break
        del design[least]
    return design


def _score(known: Outlook, design: list[int], criterion: str) -> float:
    """What a design leaves open: the decision's interval, or minus the log-determinant gained."""
    if criterion == "decision":
        return known.after(design).half_width(_LEVEL)
    total = 0.0
    for i in design:
        total += float(known.surprise()[i])
        known = known.after([i])
    return -total


def _value(known: Outlook, criterion: str) -> np.ndarray:
    return known.gains() if criterion == "decision" else known.surprise()


def _greedy(known: Outlook, menu: Candidates, limits: Limits, criterion: str, power: float) -> list[int]:
    out: list[int] = []
    left = limits.flops
    used = np.zeros(len(menu), int)
    while len(out) < limits.most:
        may = menu.open & (menu.cost <= left * (1 + 1e-9)) & (used < limits.repeats)
        if not may.any():
            break
        value = np.where(may, _value(known, criterion) / menu.cost**power, -1.0)
        best = int(value.argmax())
        if value[best] <= 0:
            break
        out.append(best)
        used[best] += 1
        left -= menu.cost[best]
        known = known.after([best])
    return out


def _swapped(known: Outlook, menu: Candidates, limits: Limits, criterion: str, design: list[int]) -> list[int]:
    """Take out each run in turn and put in the best that its FLOP, and what is left over, can buy."""
    design = list(design)
    for turn in range(_PASSES):
        moved = False
        if turn and len(design) > _SWAPS:
            break
        for k in range(len(design)):
            rest = design[:k] + design[k + 1 :]
            without = known.after(rest)
            left = limits.flops - menu.cost[rest].sum()
            used = np.bincount(rest, minlength=len(menu))
            may = menu.open & (menu.cost <= left * (1 + 1e-9)) & (used < limits.repeats)
            value = np.where(may, _value(without, criterion), -1.0)
            best = int(value.argmax())
            if value[best] > value[design[k]] * (1 + 1e-6):
                design[k], moved = best, True
        if not moved:
            break
    return design


def ladder(limits: Limits, ratio: float, rungs: int) -> tuple[np.ndarray, np.ndarray]:
    """N, D of models of halving size at one number of tokens per parameter, as large as the limits allow."""
    steps = 0.5 ** np.arange(rungs)
    ratio = float(np.clip(ratio, *limits.ratio))
    top = min(limits.flops / (6 * ratio * (steps**2).sum()), limits.run_flops / (6 * ratio)) ** 0.5
    N = min(top, limits.N[1]) * steps
    return N, ratio * N


def isoflops(
    limits: Limits, best_size: Callable[[float], float], budgets: int, sizes: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """N, D of ``sizes`` models round the best size at each of some budgets, a factor of 4 apart, all affordable."""
    steps = 0.25 ** np.arange(budgets)
    top = min(limits.flops / (sizes * steps.sum()), limits.run_flops)
    N, D = [], []
    for C in top * steps:
        low, high = (np.sqrt(C / (6 * r)) for r in limits.ratio[::-1])
        n = np.clip(best_size(C) * 2.0 ** (np.arange(sizes) - (sizes - 1) / 2), low, high)
        N.append(n)
        D.append(C / (6 * n))
    return np.concatenate(N), np.concatenate(D)


def random_design(rng: np.random.Generator, menu: Candidates, limits: Limits, flops: float | None = None) -> list[int]:
    """Affordable candidates at random, one after another, until none is affordable: what a design has to beat.

    flops: another budget than the limits', spent on any number of runs.
    """
    left, most = (limits.flops, limits.most) if flops is None else (flops, len(menu) * limits.repeats)
    used = np.zeros(len(menu), int)
    out: list[int] = []
    while len(out) < most:
        may = np.flatnonzero(menu.open & (menu.cost <= left * (1 + 1e-9)) & (used < limits.repeats))
        if not len(may):
            break
        out.append(int(rng.choice(may)))
        used[out[-1]] += 1
        left -= menu.cost[out[-1]]
    return out
