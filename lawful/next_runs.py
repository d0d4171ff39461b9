"""Which runs to make next: those that shrink the interval of a decision most for their FLOP, and when to stop.

    made = next_runs(fit, size_at(1e22), flops=1e20)     # up to 1e20 FLOP of runs, to know the best size at 1e22
    print(made)                                          # the runs, the interval now and afterwards, or "stop"
    next_runs({"A": fit_a, "B": fit_b}, winner_at(1e22), flops=1e20)

Ladders and IsoFLOP grids are set beside a design made for the decision from the law's information. Other laws that fit
the runs nearly as well take part (`rivals`), so that runs which would tell the laws apart count. Intervals here are
linear in the parameters; the refit on the finished runs has the last word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lawful.decisions import RATIO, SIZES, Decision, best_size, both_scales, compute_of, near_optimal, symbol_of
from lawful.design_grid import Candidates, Cost, Limits, candidates_for, cost_of, limits_for
from lawful.design_information import Outlook, name_of, outlook, paired
from lawful.designs import chosen, isoflops, ladder, random_design
from lawful.findings import Finding
from lawful.fit import Fit
from lawful.fit import fit as fit_law
from lawful.next_words import reason_for, width
from lawful.shapes import Shape
from lawful.uncertainty import Interval

_RIVALS: tuple[tuple[str, Mapping[str, float]], ...] = (
    ("chinchilla", {}),
    ("chinchilla", {"E": 0.0}),
    ("xlstm", {}),
    ("kaplan_nd", {}),
)
_RIVALS_ONE = (("power_law_constant", {}), ("power_law", {}))
_AGAIN = 4  # runs at one place, for laws that know compute alone
_RANDOM = 20  # random designs, for comparison
RANDOM = "random (median of 20)"
METHOD = "linear, laws averaged"


@dataclass(frozen=True)
class Run:
    """One run to make. recipe: where there are two. flops: its cost. shape: where one was asked for."""

    N: float
    D: float
    flops: float
    recipe: str = ""
    seed: int = 0
    shape: Shape | None = None


@dataclass(frozen=True)
class Design:
    """A set of runs and what it would leave: FLOP in all, number of runs, the decision's interval afterwards."""

    name: str
    flops: float
    runs: int
    after: Interval


@dataclass(frozen=True, repr=False)
class NextRuns:
    """What to run next for a decision, or why to stop.

    runs: cheapest first; empty where ``stop``. before, after: the decision's interval now and when they are done, in
    parameters (size), nats (loss), or as loss of A over loss of B (winner). probability: that A wins (winner only).
    designs: what was compared; ``name``: which of them the runs are. laws: name -> weight. reason: one sentence.
    path: the interval after none, one, two, ... of the runs in their order. recipes: whose losses the winner compares.
    """

    decision: Decision
    runs: tuple[Run, ...]
    before: Interval
    after: Interval
    designs: tuple[Design, ...]
    name: str
    stop: bool
    reason: str
    laws: Mapping[str, float]
    limits: Limits
    path: tuple[Interval, ...] = ()
    findings: tuple[Finding, ...] = ()
    probability: float | None = None
    recipes: tuple[str, ...] = ()

    @property
    def flops(self) -> float:
        return sum(run.flops for run in self.runs)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        from lawful.next_words import describe_next

        return describe_next(self)


def next_runs(
    fit: Fit | Mapping[str, Fit], decision: Decision, flops: float, *, laws: Sequence[Fit] | None = None,
    run_flops: float | None = None, N: tuple[float, float] | None = None, D: tuple[float, float] | None = None,
    ratio: tuple[float, float] | None = None, most: int = 40, repeats: int | None = None, like: Shape | None = None,
    cost: Cost | None = None, criterion: str = "decision", level: float = 0.9, worth: float = 0.1,
    sigma: float | None = None, seed: int = 0,
) -> NextRuns:  # fmt: skip
    """Propose runs for a decision within a budget.

    fit: of a law of size and tokens (or compute alone); two by name for `winner_at`. decision: `size_at`, `loss_at`,
    `winner_at`. flops, run_flops: in total and for one run. N, D, ratio: (least, most) of size, tokens, and tokens per
    parameter. most, repeats: runs in total, and at one place (default: one; four where the law knows compute alone,
    at 20 tokens per parameter). like: a shape to resemble, so that sizes can be built.
    cost: FLOP of runs from N and D (default 6 N D). laws: other fits of the same runs to average over (default: what
    `rivals` finds; an empty list for none). criterion: "decision" (c-optimal) or "law" (D-optimal).
    worth: by what share the interval must shrink for runs to be proposed. sigma: noise of a run in log loss (default:
    as estimated).

    Raises ValueError for limits that leave no run, and for a decision that the fits cannot answer.
    """
    fits = _named(fit, decision)
    if criterion not in ("decision", "law"):
        raise ValueError(f"criterion is {criterion!r}; allowed: 'decision' (c-optimal), 'law' (D-optimal)")
    if not (0 < level < 1 and 0 <= worth < 1):
        raise ValueError(f"level is {level} and worth {worth}; both are shares, such as 0.9 and 0.1")
    first = next(iter(fits.values()))
    axis = 0.0 if both_scales(first) else RATIO
    if axis:  # one size for each compute: the same run again is the only other run of that cost
        ratio, repeats = ratio or (axis, axis), repeats or _AGAIN
    limits = limits_for(
        list(fits.values()), flops, run_flops=run_flops, N=N, D=D, ratio=ratio, most=most, repeats=repeats or 1
    )
    menu = candidates_for(limits, len(fits), like=like, cost=cost, one_axis=axis)
    menu, standard = _with_standard(menu, limits, first, len(fits), axis, cost)
    families = [[f, *(rivals(f) if laws is None else laws)] for f in fits.values()]
    known = _outlook(families, decision, menu, sigma)
    enough = enough_for(first, decision, level)
    rows = {"for this decision" if criterion == "decision" else "for the law": chosen(
        known, menu, limits, criterion, enough if criterion == "decision" else lambda _: False
    )}  # fmt: skip
    rows |= standard if criterion == "decision" else {}
    rng = np.random.default_rng(seed)
    drawn = sorted((random_design(rng, menu, limits) for _ in range(_RANDOM)), key=lambda one: known.after(one).spread)
    rows[RANDOM] = drawn[_RANDOM // 2]
    return _result(fits, decision, known, menu, limits, rows, level, worth, seed, enough)


def rivals(fit: Fit) -> list[Fit]:
    """Other laws fitted to the runs of a fit: of size and tokens Chinchilla's with and without E, with a common power,
    and Kaplan's; of compute alone a power law with and without a constant.

    Those that cannot be fitted (more parameters than runs), have no best size, or are the same curve under another name
    are left out; `weights_of` weighs the rest by how well they fit. A weighted fit has none: give ``laws`` yourself.
    """
    if fit.points.group is not None or np.ptp(fit.points.w) > 0:
        return []
    symbols = {v: symbol_of(fit, v) for v in fit.law.variables}
    table = {symbol: fit.points.X[v] for v, symbol in symbols.items()} | {"loss": fit.points.y}
    both = both_scales(fit)
    out: list[Fit] = []
    for law, fixed in _RIVALS if both else _RIVALS_ONE:
        size = next((s for s in symbols.values() if s in SIZES), "")
        where = (
            {"N_nonemb" if law == "kaplan_nd" else "N": size, "D": "D"}
            if both
            else {"x": symbols[fit.law.variables[0]]}
        )
        try:
            made = fit_law(
                law, table, target="loss", variables=where, fixed=fixed, objective=fit.objective, seed=fit.settings.seed
            )
            assert isinstance(made, Fit)
            if both:
                best_size(made, float(np.max(6 * table[size] * table["D"])))
        except ValueError:
            continue
        if not any(_same_curve(made, other) for other in (fit, *out)):
            out.append(made)
    return out


def _same_curve(a: Fit, b: Fit) -> bool:
    return len(a.estimates) == len(b.estimates) and bool(np.allclose(a.fitted, b.fitted, rtol=1e-5))


def _named(fit: Fit | Mapping[str, Fit], decision: Decision) -> dict[str, Fit]:
    fits = {"": fit} if isinstance(fit, Fit) else dict(fit)
    wanted = 2 if decision.kind == "winner" else 1
    if len(fits) != wanted or not all(isinstance(f, Fit) for f in fits.values()):
        raise ValueError(
            f"deciding on the {decision} takes {'one fit' if wanted == 1 else 'two fits by name, {name: fit}'}, "
            f"not {len(fits)}"
        )
    for one in fits.values():
        if one.points.group is not None or one.objective.binomial:
            what = f"has parameters by {one.points.by}" if one.points.group is not None else "is of accuracies"
            raise ValueError(f"the fit of {one.law.name} {what}; runs are planned from a fit of losses of one group")
    return fits


def _outlook(families: list[list[Fit]], decision: Decision, menu: Candidates, sigma: float | None) -> Outlook:
    parts = [outlook(laws, decision, menu.N, menu.D, sigma) for laws in families]
    return parts[0] if len(parts) == 1 else paired(parts[0], parts[1], menu.recipe == 1)


def _with_standard(
    menu: Candidates, limits: Limits, fit: Fit, recipes: int, axis: float, cost: Cost | None
) -> tuple[Candidates, dict[str, list[int]]]:
    """The menu with the runs of ladders and IsoFLOP grids, and which they are by the design's name."""
    share = replace(limits, flops=limits.flops / recipes)
    drawn = {f"ladder of {k} sizes": ladder(share, axis or RATIO, k) for k in (4, 6)}
    for k in () if axis else (1, 2):
        try:
            drawn[f"IsoFLOP, 5 sizes at {k} budget{'s' * (k > 1)}"] = isoflops(share, lambda C: best_size(fit, C), k)
        except ValueError:  # the law has no best size at these budgets
            continue
    places: dict[str, list[int]] = {}
    for name, (N, D) in drawn.items():
        if menu.shapes:  # the nearest size that can be built
            built = np.array(sorted(menu.shapes))
            N = built[np.abs(np.log(built[:, None] / N)).argmin(0)]
        price = cost_of(N, D, cost)
        if len(N) * recipes > limits.most or not (price.sum() <= share.flops * 1.05 and _allowed(limits, N, D, price)):
            continue
        for code in range(recipes):
            places[name] = [*places.get(name, []), *range(len(menu), len(menu) + len(N))]
            menu = menu.plus(N, D, price, np.full(len(N), code))
    return menu, places


def _allowed(limits: Limits, N: np.ndarray, D: np.ndarray, price: np.ndarray) -> bool:
    pairs = ((N, limits.N), (D, limits.D), (D / N, limits.ratio), (price, (0.0, limits.run_flops)))
    return all(low * 0.999 <= x.min() and x.max() <= high * 1.001 for x, (low, high) in pairs)


def enough_for(fit: Fit, decision: Decision, level: float) -> Callable[[Outlook], bool]:
    """Whether the decision is known well enough, as a test of what is known: see `Decision.tolerance`."""
    if decision.kind == "winner":
        return lambda known: min(known.below_zero, 1 - known.below_zero) <= decision.tolerance
    if decision.kind == "loss":
        return lambda known: known.half_width(level) <= np.log1p(decision.tolerance)
    assert decision.flops is not None
    low, high = np.log(near_optimal(fit, decision.flops, decision.tolerance))

    def inside(known: Outlook) -> bool:
        half = known.half_width(level)
        return bool(low <= known.expected - half and known.expected + half <= high)

    return inside


def _interval(known: Outlook, level: float) -> Interval:
    half = known.half_width(level)
    with np.errstate(over="ignore"):
        estimate, lower, upper = (float(np.exp(known.expected + d)) for d in (0.0, -half, half))
    return Interval(estimate, lower, upper, level, METHOD)


def _result(
    fits: Mapping[str, Fit], decision: Decision, known: Outlook, menu: Candidates, limits: Limits,
    rows: Mapping[str, list[int]], level: float, worth: float, seed: int, enough: Callable[[Outlook], bool],
) -> NextRuns:  # fmt: skip
    before = _interval(known, level)
    left = {name: known.after(one) for name, one in rows.items()}
    designs = tuple(
        Design(name, float(menu.cost[one].sum()), len(one), _interval(left[name], level)) for name, one in rows.items()
    )
    best = next(iter(rows))  # the design for this decision, unless a standard one is better, or as good for less
    if not enough(left[best]):
        best = min((name for name in rows if name != RANDOM), key=lambda name: left[name].half_width(level))
    after = _interval(left[best], level)
    done = enough(known)
    useless = not rows[best] or not (enough(left[best]) or width(after) <= (1 - worth) * width(before))
    stop = done or useless
    reason = reason_for(decision, before, after, done, useless, enough(left[best]), limits.flops, worth, known, fits)
    taken = sorted(rows[best], key=lambda i: (menu.cost[i], menu.recipe[i], menu.N[i]))
    runs = () if stop else _runs(menu, taken, list(fits), seed)
    path = tuple(_interval(known.after(taken[:i]), level) for i in range(len(runs) + 1))
    chance = known.below_zero if decision.kind == "winner" else None
    return NextRuns(
        decision, runs, before, before if stop else after, designs, "" if stop else best, stop, reason,
        dict(known.laws), limits, path, _doubts(fits, known, decision), chance, tuple(fits) if len(fits) > 1 else (),
    )  # fmt: skip


def _runs(menu: Candidates, taken: Sequence[int], labels: Sequence[str], seed: int) -> tuple[Run, ...]:
    made: dict[tuple[str, float, float], int] = {}
    out = []
    for i in taken:
        place = str(labels[int(menu.recipe[i])]), float(menu.N[i]), float(menu.D[i])
        made[place] = made.get(place, -1) + 1
        shape = menu.shapes.get(place[1])
        out.append(Run(place[1], place[2], float(menu.cost[i]), place[0], seed + made[place], shape))
    return tuple(out)


def _doubts(fits: Mapping[str, Fit], known: Outlook, decision: Decision) -> tuple[Finding, ...]:
    out = []
    asked = decision.flops or 6 * (decision.N or 0.0) * (decision.D or 0.0)
    far = np.log10(asked / min(float(compute_of(one).max()) for one in fits.values()))
    if far > 1:
        out.append(Finding(
            "far", "warning", f"The decision lies {far:.1f} decades of compute beyond the runs.", (),
            "The intervals hold if one of the laws holds that far.",
        ))  # fmt: skip
    if known.dof < 5:
        out.append(Finding(
            "few_dof", "warning", f"The noise is estimated from {known.dof} degrees of freedom only.",
            (), "Give sigma= if the noise of a run is known, or plan repeats.",
        ))  # fmt: skip
    if any(one.points.cluster is not None for one in fits.values()):
        out.append(Finding(
            "checkpoints", "warning", "Some points are checkpoints of one run; their noise is taken as independent.",
            (), "Fit the last checkpoint of each run, or expect wider intervals.",
        ))  # fmt: skip
    for label, one in fits.items():
        others = {name: w for name, w in known.laws if name not in map(name_of, fits.values()) and w > 0.25}
        if others:
            name = f"{label}: {one.law.name}" if label else one.law.name
            better = ", ".join(others)
            out.append(Finding(
                "other_laws", "warning", f"{better} fits these runs with fewer parameters, or better, than {name}.",
                (), "The interval holds the disagreement between laws; runs that tell them apart count.",
            ))  # fmt: skip
    return tuple(out)
