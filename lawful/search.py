"""Where a fit begins, and how it ends at the best optimum.

Starts follow from what the parameters mean: exponents and widths are drawn from their ranges, locations from the range
of the data, amplitudes so that their term is a part of the data's level. Coefficients in which the law is linear are
not drawn at all: for each draw of the others they are solved for (variable projection), which leaves Chinchilla two
dimensions to search instead of five.

All starts are ranked by the objective, the best are solved for a few steps, the best of those for more, the last few to
the end. The record says how many of these agree, and which other optima there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isfinite

import numpy as np

from lawful.bind import Model, Slot
from lawful.law import Parameter
from lawful.objectives import Objective
from lawful.solve import BLOCK, Problems, polish, solve, values

# Rows kept and the iterations that they get, stage by stage. The last stage runs to the end.
SCHEDULE = ((96, 8), (32, 24), (8, 400))
_LARGE, _SAMPLE = 20_000, 5_000  # from so many points on, a sample of so many tells one valley from another


@dataclass(frozen=True)
class Search:
    """The record of a search: starts drawn, solved to the end, the share of those that agree with the best
    (objective within 1e-6), and the distinct optima found (objective, slots), best first."""

    starts: int
    solved: int
    agree: float
    optima: tuple[tuple[float, tuple[float, ...]], ...]


def kronecker(count: int, dimensions: int, seed: int = 0) -> np.ndarray:
    """Low-discrepancy points in the unit cube: multiples of the powers of the generalised golden ratio, shifted."""
    root = 2.0
    for _ in range(40):
        root = (1 + root) ** (1 / (dimensions + 1))
    shift = np.random.default_rng(seed).random(dimensions)
    return (np.arange(1, count + 1)[:, None] * root ** -np.arange(1.0, dimensions + 1) + shift) % 1.0


def draw(model: Model, problems: Problems, objective: Objective, count: int, seed: int) -> np.ndarray:
    """Random starts (count, p) in the search space, scaled to the data."""
    y = problems.y[np.isfinite(problems.y)]
    u = kronecker(count, max(model.size, 1), seed)
    parameters = {p.name: p for p in model.law.parameters}
    theta = np.zeros((count, model.size))
    plain = [s for s in model.slots if not s.centre]
    for i, slot in enumerate(model.slots):
        if slot.centre:  # the term's size at the middle of the data, in parts of the level
            theta[:, i] = np.log(_level(y)) + np.log(1e-2) * u[:, i] + 0.3
    for i, slot in enumerate(model.slots):
        if slot in plain:
            theta[:, i] = _slot(slot, _draw_one(parameters[slot.parameter], slot, u[:, i], problems, y))
    return theta


def _level(y: np.ndarray) -> float:
    level = float(np.median(np.abs(y)))
    return level if level > 0 else float(np.max(np.abs(y), initial=0.0)) or 1.0


def _slot(slot: Slot, v: np.ndarray) -> np.ndarray:
    """Values of one uncentred parameter, moved inside its bounds, to its slot."""
    if slot.kind == "free":
        return v
    if slot.kind == "between":
        margin = 1e-3 * (slot.upper - slot.lower)
        q = (np.clip(v, slot.lower + margin, slot.upper - margin) - slot.lower) / (slot.upper - slot.lower)
        return np.log(q / (1 - q))
    distance = v - slot.lower if slot.kind == "above" else slot.upper - v
    return np.log(np.maximum(distance, 1e-3 * np.max(np.abs(distance), initial=1e-6)))


def _between(lo: float, hi: float, u: np.ndarray) -> np.ndarray:
    """Log-uniform where both ends are positive, uniform otherwise."""
    return lo * (hi / lo) ** u if 0 < lo < hi else lo + (hi - lo) * u


def _draw_one(p: Parameter, slot: Slot, u: np.ndarray, problems: Problems, y: np.ndarray) -> np.ndarray:
    if p.kind == "location":
        x = np.concatenate([np.asarray(problems.X[v], float).ravel() for v in p.on])
        x = x[np.isfinite(x)]
        if p.start is not None:
            return _between(*p.start, u)
        low, high = float(x.min()), float(x.max())
        return _between(low / 3, high * 3, u) if low > 0 else _between(low, high, u)
    if p.start is not None:
        lo, hi = max(p.start[0], slot.lower), min(p.start[1], slot.upper)
        return _between(lo, hi, u) if lo < hi else _between(*p.start, u)
    if p.kind == "share" and isfinite(slot.lower) and isfinite(slot.upper):
        return slot.lower + (slot.upper - slot.lower) * u
    if p.kind == "offset":
        bottom = float(y.min())
        base = 0.0 if bottom > 0 else bottom - float(np.ptp(y))
        return base + (bottom - base) * u
    return _level(y) * 10 ** (-2 + 2.3 * u)


def linear_slots(model: Model, problems: Problems, theta: np.ndarray) -> list[int]:
    """The slots in which the law is linear: offsets, amplitudes and coefficients whose columns do not change with them.

    Decided by evaluating the law, not by reading it: a candidate's column must not change when it moves itself, nor
    when any other of those chosen does. Of two that multiply each other the later one is left out.
    """
    kinds = {p.name: p.linear_candidate for p in model.law.parameters}
    candidates = [i for i, s in enumerate(model.slots) if kinds[s.parameter]]
    s, rows = len(candidates), min(4, len(theta))
    if not s:
        return []
    moved = np.repeat(theta[None, :rows], s + 1, axis=0)
    moved[np.arange(s), :, candidates] += 0.7
    which = np.zeros((s + 1) * rows, int)
    columns = _columns(model, moved.reshape(-1, model.size), problems, which, candidates)[0]
    columns = columns.reshape(s + 1, rows, s, -1)
    base, other = columns[-1], columns[:-1]
    with np.errstate(all="ignore"):
        bent = np.abs(other - base) / (np.abs(base) + np.abs(other) + 1e-300)
        # changes[j, i]: the column of candidate i is another one when candidate j moves
        changes = np.where(np.isfinite(bent), bent, 0.0).max((1, 3)) > 1e-9
    changes |= changes.T
    keep = ~np.diag(changes)
    while (conflicts := (changes & keep[:, None] & keep[None, :]).sum(0)).any():
        keep[s - 1 - int(conflicts[::-1].argmax())] = False
    return [i for i, k in zip(candidates, keep) if k]


def _columns(
    model: Model, theta: np.ndarray, problems: Problems, which: np.ndarray, linear: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Columns (rows, s, n) that multiply the linear parameters, and the rest of the law (rows, n)."""
    X, y, _ = problems.points(which, slice(None), model.law.arrays)
    shape = (len(theta), y.shape[-1])
    with np.errstate(all="ignore"):
        f = model.evaluate(theta, X)
        rest = np.array(np.broadcast_to(getattr(f, "v", f), shape))
        columns = np.zeros((shape[0], len(linear), shape[1]))
        for k, i in enumerate(linear):
            value, slope = model.value(i, theta)
            columns[:, k] = getattr(f, "d", {}).get(i, 0.0) / slope[i]
            rest -= value * columns[:, k]
    return columns, rest


def project(model: Model, nodes: np.ndarray, problems: Problems, objective: Objective, linear: list[int]) -> np.ndarray:
    """Starts (P, K, p): for each problem and node (K, p) the linear slots at their least-squares values within bounds.

    With shared points the sums for all nodes and all weightings are one matrix product (a Gram table), so a thousand
    bootstrap resamples cost little more than one. Weights w / y^2 make least squares stand in for distances of logs.
    """
    P, K = problems.count, len(nodes)
    shared = problems.y.ndim == 1
    theta = np.broadcast_to(nodes, (P, K, model.size)).copy()
    rows = nodes if shared else theta.reshape(P * K, -1)
    which = np.zeros(K, int) if shared else np.repeat(np.arange(P), K)
    size = max(1, BLOCK // problems.y.shape[-1])
    parts = [slice(i, i + size) for i in range(0, len(rows), size)]
    tables = (_gram(model, rows[part], problems, which[part], objective, linear) for part in parts)
    if shared:
        sums = np.concatenate([np.matmul(problems.W, np.swapaxes(t, 1, 2)) for t in tables], axis=2).swapaxes(0, 1)
    else:
        weighed = [np.einsum("crn,rn->cr", t, problems.W[which[part]]) for t, part in zip(tables, parts)]
        sums = np.concatenate(weighed, axis=1).reshape(-1, P, K).swapaxes(0, 1)
    v = _within_bounds(np.moveaxis(sums, 1, -1), [model.slots[i] for i in linear], _level(problems.y))
    natural = np.broadcast_to(model.natural(nodes), (P, K, model.size)).reshape(P * K, -1)
    for k, i in enumerate(linear):
        theta[:, :, i] = model.inverse(model.slots[i], v[..., k].ravel(), natural).reshape(P, K)
    return theta


def _gram(
    model: Model, theta: np.ndarray, problems: Problems, which: np.ndarray, objective: Objective, linear: list[int]
) -> np.ndarray:
    """Products (pairs and right sides, rows, n) whose weighted sums are the normal equations of the linear slots."""
    columns, rest = _columns(model, theta, problems, which, linear)
    y = problems.y if problems.y.ndim == 1 else problems.y[which]
    s = len(linear)
    with np.errstate(all="ignore"):
        omega = 1 / (y * y) if objective.log else np.ones_like(y)
        pairs = [columns[:, i] * columns[:, j] * omega for i in range(s) for j in range(i, s)]
        right = [columns[:, i] * (y - rest) * omega for i in range(s)]
    table = np.stack(pairs + right)
    table[~np.isfinite(table)] = 0.0
    return table


def _within_bounds(sums: np.ndarray, slots: list[Slot], level: float) -> np.ndarray:
    """Solve the normal equations (..., pairs + right sides) and push what leaves its bounds to the edge, one by one."""
    s = len(slots)
    G = np.empty((*sums.shape[:-1], s, s))
    c = 0
    for i in range(s):
        for j in range(i, s):
            G[..., i, j] = G[..., j, i] = sums[..., c]
            c += 1
    b = sums[..., c:]
    k = np.arange(s)
    d = np.sqrt(np.maximum(G[..., k, k], 1e-300))
    G = G / d[..., None] / d[..., None, :]
    b = b / d
    # the edge in scaled units: a ten-thousandth of the largest right side stands for "almost gone"
    small = 1e-4 * np.abs(b).max(-1, keepdims=True) + 1e-300
    lower = np.where(np.isfinite([q.lower for q in slots]), [q.lower for q in slots], -inf) * d + small
    upper = np.where(np.isfinite([q.upper for q in slots]), [q.upper for q in slots], inf) * d - small
    active = np.ones(b.shape, bool)
    v = np.zeros(b.shape)
    for _ in range(s + 1):
        M = np.where(active[..., None] & active[..., None, :], G, 0.0)
        M[..., k, k] = np.where(active, 1 + 1e-9, 1.0)
        edge = np.where(active, 0.0, v)
        free = np.linalg.solve(M, (np.where(active, b - np.matmul(G, edge[..., None])[..., 0], 0.0))[..., None])[..., 0]
        v = np.where(active, free, v)
        low, high = active & (v < lower), active & (v > upper)
        v = np.where(low, lower, np.where(high, upper, v))
        active &= ~(low | high)
        if not (low | high).any():
            break
    return v / d


def starts_for(
    model: Model, problems: Problems, objective: Objective, count: int | None = None, seed: int = 0
) -> np.ndarray:
    """Starts (P, K, p) for every problem: random draws with the linear slots projected."""
    problems = sample(model, problems)
    rough = draw(model, problems, objective, 8, seed)
    linear = [] if objective.binomial else linear_slots(model, problems, rough)
    bent = model.size - len(linear)
    if count is None:
        count = int(np.clip(64 * 2**bent, 128, 4096)) if bent else 1
    nodes = draw(model, problems, objective, count, seed)
    if not linear:
        return np.broadcast_to(nodes, (problems.count, *nodes.shape)).copy()
    return project(model, nodes, problems, objective, linear)


def find(
    model: Model, problems: Problems, objective: Objective, starts: np.ndarray,
    schedule: tuple[tuple[int, int], ...] = SCHEDULE,
) -> tuple[np.ndarray, np.ndarray, list[Search]]:  # fmt: skip
    """The best optimum of every problem from starts (P, K, p): slots (P, p), objectives (P,) and the search records."""
    if (few := sample(model, problems)) is not problems:
        return _find_large(model, problems, few, objective, starts, schedule)
    stages = _continuation(objective, problems)
    P, K, p = starts.shape
    if not p:  # nothing to search: a law whose values are all given is scored
        F = values(model, np.zeros((P, 0)), problems, np.arange(P), stages[-1])
        return np.zeros((P, 0)), F, [Search(0, 0, 1.0, ()) for _ in range(P)]
    theta, which = starts.reshape(P * K, p), np.repeat(np.arange(P), K)
    F = values(model, theta, problems, which, stages[0]).reshape(P, K)
    theta = theta.reshape(P, K, p)
    for keep, iterations in schedule:
        keep = min(keep, F.shape[1])
        order = np.argsort(F, axis=1)[:, :keep]
        theta = np.take_along_axis(theta, order[:, :, None], 1)
        found = solve(
            model,
            theta.reshape(-1, p),
            problems,
            stages[0],
            np.repeat(np.arange(P), keep),
            iterations=iterations,
        )
        theta, F = found.theta.reshape(P, keep, p), found.F.reshape(P, keep)
    for stage in stages[1:]:
        keep = F.shape[1]
        found = solve(model, theta.reshape(-1, p), problems, stage, np.repeat(np.arange(P), keep), kappa=1.0)
        theta, F = found.theta.reshape(P, keep, p), found.F.reshape(P, keep)
    best = F.argmin(1)
    out = theta[np.arange(P), best]
    objectives = F[np.arange(P), best]
    if P <= 16:
        for i in range(P):
            out[i], objectives[i] = polish(model, out[i], problems, i, stages[-1])
    records = [record(K, theta[i], F[i], objectives[i]) for i in range(P)]
    return out, objectives, records


def sample(model: Model, problems: Problems) -> Problems:
    """The problems themselves, or a random part of their points where these are shared and very many."""
    n = problems.y.shape[-1]
    if n < _LARGE or problems.y.ndim > 1:
        return problems
    index = np.sort(np.random.default_rng(n).choice(n, _SAMPLE, replace=False))
    return Problems({v: x[..., index] for v, x in problems.X.items()}, problems.y[index], problems.W[:, index])


def _find_large(
    model: Model, problems: Problems, few: Problems, objective: Objective, starts: np.ndarray,
    schedule: tuple[tuple[int, int], ...],
) -> tuple[np.ndarray, np.ndarray, list[Search]]:  # fmt: skip
    """Search on a sample of the points, then solve for all of them from its optimum. The record is the sample's."""
    theta, _, records = find(model, few, objective, starts, schedule)
    found = solve(model, theta, problems, final(objective, few), np.arange(len(theta)), damping=1e-4, kappa=0.1)
    lost = ~np.isfinite(found.F)
    if lost.any():
        raise ValueError(f"law {model.law.name} is not finite at all points where it fits a sample of them")
    return found.theta, found.F, records


def find_from(
    model: Model, problems: Problems, objective: Objective, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[Search]]:
    """The best optimum of one problem from given starts (K, p), as `find` returns it.

    A start far from the optimum can lead anywhere, so several roads are taken from each: batched steps with the linear
    coefficients as given and solved for, and QR steps that keep solving for them, in several dampings. Of optima
    that are equally good (a law may allow its terms to change places) the nearest to a start is taken.
    Raises ValueError where the law is not finite at any start.
    """
    ended = final(objective, problems)
    nowhere = f"starts: law {model.law.name} is not finite at any start given"
    starts = starts[np.isfinite(starts).all(1)]
    if not len(starts):
        raise ValueError(nowhere)
    solved_for = linear_slots(model, problems, starts)
    rows = np.vstack([starts, project(model, starts, problems, objective, solved_for)[0]]) if solved_for else starts
    found = [solve(model, rows, problems, ended, damping=d, iterations=300) for d in (1e-4, 1e-2, 1.0, 1e2)]
    theta, F = np.concatenate([s.theta for s in found]), np.concatenate([s.F for s in found])
    best = np.argsort(F)[:4]
    ends = [polish(model, theta[i], problems, 0, ended, iterations=300) for i in best if isfinite(F[i])]
    if not ends:
        raise ValueError(nowhere)
    if objective.squares:
        linear = [i for i in solved_for if model.slots[i].kind == "free"]
        for solved in ((), linear) if linear else ((),):
            for damping in (1e-6, 1e-3, 1.0):
                roads = (
                    polish(model, t, problems, 0, ended, linear=solved, iterations=800, damping=damping) for t in starts
                )
                ends += [end for end in roads if isfinite(end[1])]
    theta, F = np.array([t for t, _ in ends]), np.array([f for _, f in ends])
    good = np.flatnonzero(F <= F.min() * (1 + 1e-9))
    nearest = theta[good[_apart(theta[good, None], starts).min(1).argmin()]]
    same = good[_apart(theta[good], nearest) < 1e-4]
    best = same[F[same].argmin()]
    return theta[[best]], F[[best]], [record(len(starts), theta, F, float(F[best]))]


def _apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Relative distance of slots, the worst of them."""
    return (np.abs(a - b) / (np.abs(a) + np.abs(b) + 1e-300)).max(-1)


def _continuation(objective: Objective, problems: Problems) -> list[Objective]:
    """LAD is Huber's loss with delta shrunk in steps of ten, from a tenth of the data's spread to nearly nothing."""
    if objective.delta != 0.0:
        return [objective]
    y = np.log(problems.y) if objective.log else problems.y
    spread = float(np.nanstd(y[np.isfinite(y)])) or 1.0
    deltas = spread * 10.0 ** -np.arange(2.0, 9.0)
    return [replace(objective, delta=float(d)) for d in deltas]


def final(objective: Objective, problems: Problems) -> Objective:
    """The objective that the fit ends with: itself, or the last step of LAD's continuation."""
    return _continuation(objective, problems)[-1]


def record(starts: int, theta: np.ndarray, F: np.ndarray, best: float) -> Search:
    """The record of a search that ended at slots theta (k, p) with objectives F (k,), the best of them ``best``."""
    order = np.argsort(F)
    optima: list[tuple[float, tuple[float, ...]]] = []
    for i in order[np.isfinite(F[order])]:
        if not optima or F[i] > optima[-1][0] * (1 + 1e-6) + 1e-300:
            optima.append((float(F[i]), tuple(map(float, theta[i]))))
    agree = float(np.mean(F <= best * (1 + 1e-6) + 1e-300)) if len(F) else 0.0
    return Search(starts, len(F), agree, tuple(optima))
