"""Do small runs pick the recipe that wins at scale? Decision accuracy of small proxies, from tables of many recipes.

    print(decision_accuracy(runs, by="recipe"))

At each smaller scale, recipes are ranked by what was measured there, and set beside the ranking at the largest scale:
the share of pairs of recipes that are in the same order (decision accuracy of DataDecide, Magnusson et al. 2025,
section 3), how often the winner is the same one, and what following the small runs costs at the large scale. Intervals
resample recipes, as another set of recipes would have been another test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.points import as_labels
from lawful.quantities import did_you_mean, find_part
from lawful.uncertainty import Interval, percentiles

_SCALES = ("flops", "C", "params", "N", "tokens", "D")


@dataclass(frozen=True)
class Proxy:
    """One small scale. accuracy: share of pairs in the same order as at the target. regret: target of the recipe that
    wins here less that of the true winner, in units of the target column. share: of the target's scale."""

    scale: float
    share: float
    recipes: int
    pairs: int
    accuracy: Interval
    picks_winner: bool
    regret: float


@dataclass(frozen=True)
class DecisionAccuracy:
    """Every smaller scale against the largest. target: the scale decided at; along, measured: columns."""

    target: float
    along: str
    measured: str
    proxies: tuple[Proxy, ...]

    def __str__(self) -> str:
        lines = [f"ranking by {self.measured} at smaller {self.along} against {self.along} = {self.target:.4g}"]
        head = (
            f"{self.along:>12}{'of target':>11}{'recipes':>9}{'pairs':>7}  same order of pairs    same winner  regret"
        )
        lines.append(head)
        for p in self.proxies:
            a = p.accuracy
            shown = f"{a.estimate:.1%} [{a.lower:.1%}, {a.upper:.1%}]" if not a.verdict else a.verdict
            lines.append(
                f"{p.scale:>12.4g}{p.share:>11.2%}{p.recipes:>9}{p.pairs:>7}  {shown:<22} "
                f"{'yes' if p.picks_winner else 'no':<12} {p.regret:.4g}"
            )
        return "\n".join(lines)


def decision_accuracy(
    runs: Any, *, by: str = "recipe", along: str | None = None, target: str | None = None, at: float | None = None,
    higher_is_better: bool | None = None, level: float = 0.9, draws: int = 2000, seed: int = 0,
) -> DecisionAccuracy:  # fmt: skip
    """How well each smaller scale ranks recipes as the largest does.

    by: the column of recipes. along: the column of scale (default: flops, params or tokens). target: what is measured
    (default: the loss). at: the scale decided at (default: the largest). Rows of one recipe at one scale are averaged.
    higher_is_better: default by what the column is (a loss is better low, an accuracy high).
    Raises ValueError for a missing column, fewer than two recipes at ``at``, or no smaller scale.
    """
    if not (hasattr(runs, "frame") or isinstance(runs, dict)):
        from lawful.runs import read

        runs = read(runs)
    along = _column(runs, along, _SCALES, "along")
    measured = _column(runs, target, (getattr(runs, "target", None) or "loss", "loss", "L"), "target")
    if by not in runs:
        near = did_you_mean(by, _names(runs)) or "; name the column of recipes"
        raise ValueError(f"by: the table has no column {by!r}{near}")
    sign = -1.0 if (_rises(measured) if higher_is_better is None else higher_is_better) else 1.0
    labels = np.asarray(as_labels(runs[by]))
    scale = np.asarray(runs[along], float)
    value = sign * np.asarray(runs[measured], float)
    good = np.isfinite(scale) & np.isfinite(value)
    table = _averaged(labels[good], scale[good], value[good])
    goal = max(table) if at is None else at
    if goal not in table:
        raise ValueError(f"at is {at}; the table has {along} of {', '.join(f'{s:.4g}' for s in sorted(table))}")
    if len(table[goal]) < 2:
        raise ValueError(f"only one {by} was run at {along} = {goal:.4g}: nothing is decided there; choose at=")
    rng = np.random.default_rng(seed)
    rows = []
    for small in sorted(s for s in table if s < goal):
        both = sorted(set(table[small]) & set(table[goal]))
        if len(both) >= 2:
            a, b = (np.array([table[s][name] for name in both]) for s in (small, goal))
            rows.append(_proxy(small, small / goal, a, b, level, draws, rng))
    if not rows:
        raise ValueError(f"no smaller {along} than {goal:.4g} has two of the {by}s that are there")
    return DecisionAccuracy(float(goal), along, measured, tuple(rows))


def _averaged(labels: np.ndarray, scale: np.ndarray, value: np.ndarray) -> dict[float, dict[str, float]]:
    """Mean value by scale and recipe; scales are the same to three digits, as shapes of one size differ a little."""
    near = np.array([float(f"{s:.3g}") for s in scale])
    out: dict[float, dict[str, float]] = {}
    for s in np.unique(near):
        here = near == s
        out[float(s)] = {str(name): float(value[here & (labels == name)].mean()) for name in np.unique(labels[here])}
    return out


def _proxy(
    scale: float, share: float, a: np.ndarray, b: np.ndarray, level: float, draws: int, rng: np.random.Generator
) -> Proxy:
    same = _agreement(a, b)
    count = len(a)
    i, j = np.triu_indices(count, 1)
    sample = np.full(draws, np.nan)
    for k in range(draws):
        weight = np.bincount(rng.integers(0, count, count), minlength=count)
        w = weight[i] * weight[j]  # a pair of two copies of one recipe says nothing
        sample[k] = (w @ same[i, j]) / w.sum() if w.sum() else np.nan
    estimate = float(same[i, j].mean())
    lower, upper, is_open = percentiles(sample, level, estimate)
    verdict = "cannot tell: too few recipes" if is_open or count < 4 else ""
    accuracy = Interval(estimate, max(lower, 0.0), min(upper, 1.0), level, "bootstrap of recipes", verdict)
    picked, won = int(a.argmin()), int(b.argmin())
    return Proxy(scale, float(share), count, len(i), accuracy, picked == won, float(b[picked] - b[won]))


def _agreement(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """1 where a pair has the same order in both, 0 where the other, a half where either has a tie."""
    product = np.sign(a[:, None] - a[None]) * np.sign(b[:, None] - b[None])
    return 0.5 * (1 + product)


def _rises(column: str) -> bool:
    quantity = find_part(column)
    return quantity is not None and quantity.kind == "fraction"


def _names(runs: Any) -> list[str]:
    return list(runs.frame.columns) if hasattr(runs, "frame") else list(runs)


def _column(runs: Any, given: str | None, usual: tuple[str, ...], argument: str) -> str:
    if given is not None:
        if given not in runs:
            raise ValueError(f"{argument}: the table has no column {given!r}{did_you_mean(given, _names(runs))}")
        return given
    found = next((name for name in usual if name in runs), None)
    if found is None:
        raise ValueError(f"{argument}: the table has none of {', '.join(usual)}; name the column")
    return found
