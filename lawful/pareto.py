"""Several objectives at once: loss, money, latency, memory, robustness; the choices that nothing beats in all of them.

    front = pareto(fit, objectives=("loss", "money", "token_ms"), hardware="8x h100", serve_on="l4")
    front = pareto({"web": fit_web, "code": fit_code}, objectives=("loss", "regret", "money"), hardware="8x h100")

Candidates are sizes, tokens and bits of serving on a grid. One is on the front if no other is as good in every
objective and better in one; ``front`` of a row is the share of the draws (of laws, prices and speeds) in which that
holds. The answer is the knee: the candidate whose worst objective, each scaled to its range on the front, is best.

With several groups (domains, languages, users) the loss is their weighted mean, and regret the largest loss over the
groups above what the best candidate reaches for that group: what the group served worst gives up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.assumptions import Sample, exactly, interval
from lawful.belief import Belief, belief
from lawful.findings import Finding
from lawful.hardware import DRAWS, Hardware, assumption_findings, hardware
from lawful.laws.precision import kumar_ptq
from lawful.limits import spending
from lawful.plan import NEAR, Plan, doubts
from lawful.quantities import did_you_mean
from lawful.roofline import BANDWIDTH, cache_bytes
from lawful.surface import surface
from lawful.uncertainty import Interval

OBJECTIVES = ("loss", "regret", "flops", "money", "days", "energy", "carbon", "token_ms", "memory")
_SHAPE = (24, 20)  # sizes and tokens on the grid
_CHECKED = 100  # draws in which the front is found again
_ROWS = 24
_CONTEXT = 1024


@dataclass(frozen=True)
class _Grid:
    """Candidates (m,): size, tokens, bits of serving; the loss that the bits add, and bytes to serve."""

    N: np.ndarray
    D: np.ndarray
    bits: np.ndarray
    added: np.ndarray
    memory: np.ndarray


def pareto(
    source: Any, *, objectives: Sequence[str] = ("loss", "money", "token_ms"), hardware: Any = None,
    serve_on: Any = None, params: tuple[float, float] = (1e8, 1e11), tokens: tuple[float, float] = (1e10, 1e13),
    bits: Sequence[int] = (16, 8, 4), inference_tokens: float = 0.0, at_most: Mapping[str, float] | None = None,
    weights: Mapping[str, float] | None = None, level: float = 0.9, seed: int = 0, **assumed: Any,
) -> Plan:  # fmt: skip
    """The front of ``objectives``, all of them to be small.

    source: what is believed, or {group: what is believed of it}. hardware: to train on; serve_on: one device to answer
    on (default a device of the same kind), batch 1, 1024 tokens of context. params, tokens: ranges searched. bits: of
    the served weights, at the added loss of kumar_ptq. inference_tokens: served over the life, for flops and money.
    at_most: {objective: limit}. weights: of the groups.

    Raises ValueError for unknown objectives, objectives that need hardware, and limits that leave nothing.
    """
    held = _groups(source, seed)
    at_most = dict(at_most or {})
    machine = _checked(objectives, at_most, held, hardware, assumed)
    served = _served(machine, serve_on)
    grid = _grid(params, tokens, bits)
    wanted = tuple(dict.fromkeys([*objectives, *at_most]))
    share = _weights(held, weights)
    spent = spending(machine, inference_tokens=inference_tokens, count=_draws(held), seed=seed)
    at = _score(held, share, spent, served, grid, wanted, None, seed)
    kept = np.all([at[n] <= limit for n, limit in at_most.items()], axis=0) if at_most else np.ones(len(grid.N), bool)
    if not kept.any():
        raise ValueError(_nothing(at, at_most))
    table = np.stack([at[n] for n in objectives], axis=1)
    front = np.flatnonzero(kept)[nondominated(table[kept])]
    base = {g: _loss(h, grid, None) for g, h in held.items()}
    samples = []
    if machine is not None or any(h.draws is not None for h in held.values()):
        samples = [_score(held, share, spent, served, grid, wanted, i, seed, base) for i in range(_CHECKED)]
    knee = _knee(table, front)
    shown = _spread(front, table)
    rows = [_row(grid, at, samples, objectives, i, kept, level) for i in shown]
    best = _row(grid, at, samples, objectives, knee, kept, level)
    names = {"N": "params", "D": "tokens", "P_post": "bits"}
    found = {k: Interval(float(best[v]), np.nan, np.nan, level, "none", "a choice on a grid") for k, v in names.items()}
    found |= {("L" if n == "loss" else n): best[n] for n in objectives}
    met = (f"{n} at most {x:g}: {int(np.sum(at[n] <= x))} of {len(grid.N)} candidates." for n, x in at_most.items())
    return Plan(
        f"the front of {', '.join(objectives)}: {len(front)} of {len(grid.N)} candidates", found,
        _near(grid, at, front, knee), choices=tuple(rows), limits=tuple(met),
        findings=_notes(held, machine, grid, knee, bits),
        source="; ".join(f"{g}: {h.source}" if g else h.source for g, h in held.items()),
        given={"objectives": list(objectives), "params": params, "tokens": tokens},
    )  # fmt: skip


def nondominated(table: np.ndarray) -> np.ndarray:
    """Indices of the rows (m, objectives) that no other row beats: as small everywhere and smaller somewhere."""
    return np.flatnonzero(~beaten(table, table))


def beaten(rows: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Which of the rows (k, objectives) some row of ``by`` (m, objectives) beats."""
    as_small = np.ones((len(rows), len(by)), bool)
    smaller = np.zeros((len(rows), len(by)), bool)
    for x, y in zip(rows.T, by.T):
        as_small &= y[None] <= x[:, None]
        smaller |= y[None] < x[:, None]
    return np.asarray((as_small & smaller).any(1))


def _groups(source: Any, seed: int) -> dict[str, Belief]:
    if isinstance(source, Mapping):
        if not source:
            raise ValueError("pareto: no groups; give {name: what is believed}")
        return {str(g): belief(s, seed=seed, draws=DRAWS) for g, s in source.items()}
    return {"": belief(source, seed=seed, draws=DRAWS)}


def _checked(
    objectives: Sequence[str], at_most: Mapping[str, float], held: Mapping[str, Belief], what: Any, assumed: dict
) -> Hardware | None:
    unknown = [n for n in (*objectives, *at_most) if n not in OBJECTIVES]
    if unknown:
        raise ValueError(f"pareto: no objective {unknown[0]!r}{did_you_mean(unknown[0], list(OBJECTIVES))}")
    if len(set(objectives)) < 2 or len(set(objectives)) < len(objectives):
        raise ValueError(f"pareto: objectives are {list(objectives)}; a front needs two or more different ones")
    if "regret" in objectives and len(held) < 2:
        raise ValueError("pareto: regret needs several groups; give {name: what is believed}")
    if what is None:
        needs = [n for n in (*objectives, *at_most) if n not in ("loss", "regret", "flops", "memory")]
        if needs:
            raise ValueError(f"pareto: {needs[0]} needs hardware, such as hardware='8x h100'")
        return None
    machine = hardware(what, **assumed)
    power = [n for n in (*objectives, *at_most) if n in ("energy", "carbon")]
    if power and not np.isfinite(machine.device.power):
        raise ValueError(f"pareto: the power of {machine.device.name} is not published: {power[0]} cannot be planned")
    return machine


def _served(machine: Hardware | None, serve_on: Any) -> Hardware | None:
    if serve_on is not None:
        return hardware(serve_on)
    return None if machine is None else hardware(machine.device)


def _grid(params: tuple[float, float], tokens: tuple[float, float], bits: Sequence[int]) -> _Grid:
    for name, (low, high) in (("params", params), ("tokens", tokens)):
        if not 0 < low <= high < np.inf:
            raise ValueError(f"pareto: {name} is ({low!r}, {high!r}); give (low, high), both positive")
    if not bits or any(not 2 <= b <= 16 for b in bits):
        raise ValueError(f"pareto: bits is {list(bits)}; bits of served weights lie between 2 and 16")
    axes = np.geomspace(*params, _SHAPE[0]), np.geomspace(*tokens, _SHAPE[1]), np.array(sorted(set(bits)), float)
    N, D, P = (x.ravel() for x in np.meshgrid(*axes, indexing="ij"))
    added = np.asarray(kumar_ptq.at("kumar2024", N=N, D=D, P_post=P))
    cache = np.repeat([cache_bytes(float(n)) for n in axes[0]], len(N) // len(axes[0]))
    return _Grid(N, D, P, added, N * P / 8 + _CONTEXT * cache)


def _weights(held: Mapping[str, Belief], weights: Mapping[str, float] | None) -> np.ndarray:
    given = dict(weights or {})
    unknown = [g for g in given if g not in held]
    if unknown:
        raise ValueError(f"pareto: no group {unknown[0]!r}{did_you_mean(unknown[0], list(held))}")
    share = np.array([float(given.get(g, 0.0 if given else 1.0)) for g in held])
    if np.any(share < 0) or share.sum() <= 0:
        raise ValueError(f"pareto: weights are {given}; they are at least 0 and not all 0")
    return share / share.sum()


def _draws(held: Mapping[str, Belief]) -> int:
    return max(len(h) for h in held.values()) or DRAWS


def _score(
    held: Mapping[str, Belief], share: np.ndarray, spent: Mapping[str, tuple[Sample, Sample]], served: Hardware | None,
    grid: _Grid, wanted: Sequence[str], draw: int | None, seed: int,
    base: Mapping[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Every objective of every candidate, at the values believed or by one draw of everything."""
    out: dict[str, np.ndarray] = {}
    if {"loss", "regret"} & set(wanted):
        known = {} if base is None else base
        losses = np.array([_loss(h, grid, draw) if h.draws is not None or g not in known else known[g]
                           for g, h in held.items()])  # fmt: skip
        out["loss"] = share @ losses
        out["regret"] = (losses - losses.min(1, keepdims=True)).max(0)
    for name, (a, b) in spent.items():
        per_run, per_model = (x[0] if draw is None or x[1] is None else float(x[1][draw]) for x in (a, b))
        out[name] = per_run * grid.N * grid.D + per_model * grid.N
    out["memory"] = grid.memory
    if served is not None:
        rng = np.random.default_rng([seed, 80, draw or 0])
        reached = BANDWIDTH.value if draw is None else float(BANDWIDTH.draws(1, rng)[0])
        out["token_ms"] = 1e3 * out["memory"] / (served.count * served.device.bandwidth * reached)
    return {n: out[n] for n in wanted}


def _loss(held: Belief, grid: _Grid, draw: int | None) -> np.ndarray:
    v: Mapping[str, Any] = held.values
    if draw is not None and held.draws is not None:
        v = {k: x[..., draw % len(held)] for k, x in held.draws.items()}
    return np.asarray(surface(held).loss(v, grid.N, grid.D), float) + grid.added


def _how_often(samples: list, objectives: Sequence[str], kept: np.ndarray, i: int) -> float:
    """Share of the draws in which candidate i is on the front."""
    tables = (np.stack([one[n] for n in objectives], axis=1) for one in samples)
    return float(np.mean([not beaten(t[i : i + 1], t[kept])[0] for t in tables]))


def _knee(table: np.ndarray, front: np.ndarray) -> int:
    """The front's candidate whose worst objective is best, each on a log scale (losses as they are) from 0 to 1."""
    x = table[front].copy()
    for j in range(x.shape[1]):
        wide = x[:, j].min() > 0 and x[:, j].max() / x[:, j].min() > 10
        x[:, j] = np.log(x[:, j]) if wide else x[:, j]
    span = np.maximum(x.max(0) - x.min(0), 1e-300)
    return int(front[np.argmin(((x - x.min(0)) / span).max(1))])


def _spread(front: np.ndarray, table: np.ndarray) -> np.ndarray:
    """At most so many of the front, evenly by rank in the first objective."""
    ordered = front[np.argsort(table[front, 0])]
    return ordered[np.unique(np.linspace(0, len(ordered) - 1, _ROWS).round().astype(int))]


def _row(
    grid: _Grid,
    at: Mapping[str, np.ndarray],
    samples: list,
    objectives: Sequence[str],
    i: int,
    kept: np.ndarray,
    level: float,
) -> dict[str, Any]:
    row: dict[str, Any] = {"params": float(grid.N[i]), "tokens": float(grid.D[i]), "bits": int(grid.bits[i])}
    for n in objectives:
        drawn = np.array([s[n][i] for s in samples]) if samples else np.zeros(0)
        if drawn.size and np.ptp(drawn) > 0:
            row[n] = interval((float(at[n][i]), drawn), level, "draws")
        elif n in ("loss", "regret"):
            row[n] = Interval(float(at[n][i]), np.nan, np.nan, level, "none", "published without interval")
        else:
            row[n] = exactly(float(at[n][i]), level)
    return row | ({"front": _how_often(samples, objectives, kept, i)} if samples else {})


def _near(grid: _Grid, at: Mapping[str, np.ndarray], front: np.ndarray, knee: int) -> dict[str, tuple[float, float]]:
    """Sizes, tokens and bits on the front whose loss is within half a percent of the knee's."""
    if "loss" not in at:
        return {}
    ratio = at["loss"][front] / at["loss"][knee]
    good = front[(ratio <= NEAR) & (ratio >= 1 / NEAR)]
    columns = (("N", grid.N), ("D", grid.D), ("P_post", grid.bits))
    return {n: (float(x[good].min()), float(x[good].max())) for n, x in columns}


def _nothing(at: Mapping[str, np.ndarray], at_most: Mapping[str, float]) -> str:
    alone = [n for n, x in at_most.items() if not np.any(at[n] <= x)]
    if alone:
        n = alone[0]
        return f"{n} binds: no candidate has at most {at_most[n]:g}; the least is {at[n].min():.4g}"
    return f"{' and '.join(at_most)} bind together: each can be met, not all at once; raise one of them"


def _notes(
    held: Mapping[str, Belief], machine: Hardware | None, grid: _Grid, knee: int, bits: Sequence[int]
) -> tuple[Finding, ...]:
    notes: list[Finding] = []
    for one in held.values():
        notes += [f for f in doubts(one, *one.distance(N=float(grid.N[knee]), D=float(grid.D[knee]))) if f not in notes]
    if min(bits) < 16:
        text = "The loss that few bits add is kumar_ptq's, of models of 30M to 220M parameters."
        notes.append(Finding("bits", "warning", text))
    if machine is not None:
        notes += assumption_findings(machine)
    return tuple(notes)
