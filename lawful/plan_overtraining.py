"""Over-training: a smaller model on more tokens than is best for its compute, and what that costs.

    print(overtraining(("gadre", "gadre2024_c4"), flops=1e21, ratios=[20, 80, 320]))

For each number of tokens per parameter at the same compute: the size and the loss, how much less compute the best split
would have needed for that loss, and how much a token served is cheaper. Gadre et al. 2024 found the exponent unchanged
by over-training up to 640 tokens per parameter; by any other law of size and tokens the question is answered alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lawful.belief import belief, positive
from lawful.plan import Plan, doubts
from lawful.plan_allocate import PER_TOKEN, Split, split
from lawful.plan_budget import near
from lawful.uncertainty import Interval

DEFAULT = ("gadre", "gadre2024_c4")


def overtraining(
    source: Any = DEFAULT, *, flops: float, ratios: Sequence[float] = (20, 40, 80, 160, 320, 640), level: float = 0.9,
    seed: int = 0,
) -> Plan:  # fmt: skip
    """What each of ``ratios`` tokens per parameter costs at ``flops``, against the best.

    Rows: TPP, N, D, L, excess (of the loss over the best), wasted (share of the compute that the best split would have
    saved for that loss) and serving (compute of a token served, over that of the best size).
    Raises ValueError for a law without size and tokens, and for ratios that are not positive.
    """
    held = belief(source, seed=seed)
    C = positive("flops", flops)
    way = split(held, {})
    wanted = sorted(positive("ratios", r) for r in ratios)
    if not wanted:
        raise ValueError("overtraining: ratios is empty; give tokens per parameter, such as 20, 80 and 320")

    def best(v: Mapping[str, Any]) -> Any:
        return way.best(C, v)

    def lowest(v: Mapping[str, Any]) -> Any:
        return way.loss(v, best(v), C / (PER_TOKEN * best(v)))

    def at(r: float):
        N = float(np.sqrt(C / (PER_TOKEN * r)))
        return N, lambda v: way.loss(v, N, r * N)

    rows = []
    for r in wanted:
        N, loss = at(r)
        rows.append(
            {"TPP": r, "N": N, "D": r * N, "L": held.interval(loss, level),
             "excess": held.interval(lambda v, f=loss: f(v) / lowest(v) - 1, level),
             "wasted": held.interval(lambda v, f=loss: 1 - _enough(way, v, f(v), C) / C, level),
             "serving": held.interval(lambda v, n=N: n / best(v), level)}
        )  # fmt: skip
    N = float(best(held.values))
    found: dict[str, Interval] = {
        way.size: held.interval(best, level), "TPP": held.interval(lambda v: C / PER_TOKEN / best(v) ** 2, level),
        "L": held.interval(lowest, level),
    }  # fmt: skip
    seen = {"C": C, "TPP": wanted[-1], way.size: rows[-1]["N"], "D": rows[-1]["D"]}
    far, beyond = held.distance(**seen)
    return Plan(
        f"over-training at {C:.4g} FLOP", found, near(way, C), choices=tuple(rows),
        findings=doubts(held, far, beyond), source=held.source, distance=far, beyond=beyond, given={"flops": C},
    )  # fmt: skip


def _enough(way: Split, v: Mapping[str, Any], target: Any, C: float) -> Any:
    """Compute at which the best split reaches the loss ``target``, at most C; by bisection of its log."""
    low, high = np.full(np.shape(target), np.log(C) - 12.0), np.full(np.shape(target), np.log(C))
    for _ in range(50):
        middle = 0.5 * (low + high)
        N = way.best(np.exp(middle), v)
        short = way.loss(v, N, np.exp(middle) / (PER_TOKEN * N)) > target
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.exp(high)
