"""Plans under several limits at once: compute, days, money, energy, data, size, and tokens to be served afterwards.

    plan(fit, flops=1e22, unique_tokens=2e10)                       # data run out: repeat, or grow the model
    plan(fit, days=14, hardware="8x h100", money=5000)              # which of the two binds?
    plan(fit, flops=1e23, inference_tokens=1e13)                    # compute over the model's life
    plan(fit, loss=2.3, inference_tokens=1e12, hardware="a100")     # the cheapest model that is good enough

With a budget the loss is minimised; with a loss (or the quality of a compute-optimal model of ``like`` parameters) the
cost is. Each limit allows N parameters some number of tokens (`lawful.limits`); the smallest binds. `Plan.choices`
gives, for each limit, how often it binds over the draws and what doubling it would gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lawful.assumptions import Sample, interval
from lawful.belief import Belief, positive
from lawful.findings import Finding
from lawful.hardware import DRAWS, Hardware, assumption_findings
from lawful.limits import Limit, allowed, ceiling, gather, machine_for, serving_note, spending
from lawful.plan import NEAR, Plan, doubts
from lawful.plan_allocate import split
from lawful.plan_budget import known
from lawful.plan_roads import one_line
from lawful.surface import Surface, lowest, near_range, surface
from lawful.uncertainty import Interval

_BUDGETS = ("flops", "days", "money", "energy", "carbon")
_SMALLEST = np.log(1e3)


@dataclass(frozen=True)
class _Problem:
    """What is believed, the loss surface, the limits, and what things cost."""

    held: Belief
    surface: Surface
    limits: Sequence[Limit]
    spent: dict[str, tuple[Sample, Sample]]
    largest: Sample
    cap: str
    machine: Hardware | None
    level: float

    @property
    def top(self) -> float:
        """The log of the largest size allowed."""
        return float(np.log(self.largest[0]))

    @property
    def tops(self) -> Any:
        """`top`, by draw where the cap is uncertain."""
        return np.log(self.largest[0] if self.largest[1] is None else self.largest[1])

    @property
    def drawn(self) -> bool:
        sources = [x for one in self.spent.values() for x in one]
        return self.held.draws is not None or any(x[1] is not None for x in [*sources, self.largest])

    @property
    def count(self) -> int:
        return len(self.held) or DRAWS

    def values(self, drawn: bool) -> Any:
        return self.held.draws if drawn and self.held.draws is not None else self.held.values

    def loss(self, x: Any, drawn: bool = False, factors: Sequence[float] | None = None) -> Any:
        """The loss of exp(x) parameters with all tokens that the limits allow; large and rising where none is."""
        N = np.exp(x)
        D = allowed(self.limits, N, drawn, factors)
        with np.errstate(all="ignore"):
            found = self.surface.loss(self.values(drawn), N, np.maximum(D, 1e-30))
        return np.where(D > 1, found, 1e30 * (1 + np.maximum(x, 0)))

    def interval(self, sample: Sample) -> Interval:
        """Percentiles over the draws, of the law, of the assumptions, or of both."""
        if self.held.draws is not None:
            return self.held.of_draws(*sample, self.level)
        return interval(sample, self.level, verdict=self.held.verdict if sample[1] is None else "assumptions alone")


def limited(
    held: Belief, *, flops: float | None = None, days: float | None = None, money: float | None = None,
    energy: float | None = None, carbon: float | None = None, max_tokens: float | None = None,
    unique_tokens: float | None = None, max_params: float | None = None, inference_tokens: float = 0.0,
    input_tokens: float = 0.0, output_tokens: float = 0.0, hardware: Any = None, prices: Any = None,
    loss: float | None = None, like: float | None = None, minimise: str | None = None, level: float = 0.9,
    token_ms: float | None = None, serve_on: Any = None, serve_bits: float = 16, seed: int = 0, **assumed: Any,
) -> Plan:  # fmt: skip
    """The best model under the limits given; or, with ``loss`` or ``like``, the cheapest that is good enough.

    flops, days, money, energy (kWh), carbon (kg CO2e): budgets; where tokens are served afterwards, flops and money are
    those of the whole life. max_tokens: a cap on training tokens. unique_tokens: how many are distinct; more
    are repeats. max_params: a cap on size. inference_tokens (or input_tokens and output_tokens, which cost differently
    in money): tokens served over the life. hardware: such as "8x h100"; prices: of `sardana_cost`. minimise: with a
    loss, "flops" or "money". token_ms: milliseconds a token may take on serve_on (default one device of the hardware)
    with weights of serve_bits; serve_on alone asks that the weights fit. assumed: utilisation, price, power_share,
    overhead, carbon_intensity and format of the hardware.

    Raises ValueError where nothing limits the run, or the limits leave no model, saying which binds.
    """
    machine = machine_for(hardware, assumed)
    served = dict(inference_tokens=inference_tokens, input_tokens=input_tokens, output_tokens=output_tokens)
    for name, value in served.items():
        if not 0 <= value < np.inf:
            raise ValueError(f"{name} is {value!r}; it must be 0 or a positive number")
    amounts = {"flops": flops, "days": days, "money": money, "energy": energy, "carbon": carbon}
    amounts = {n: None if a is None else positive(n, a) for n, a in amounts.items()}
    caps = {"max_tokens": max_tokens, "unique_tokens": unique_tokens, "max_params": max_params, "loss": loss,
            "like": like, "token_ms": token_ms}  # fmt: skip
    given = {n: positive(n, a) for n, a in caps.items() if a is not None}
    spent = spending(machine, **served, prices=prices, count=len(held) or DRAWS, seed=seed)
    limits = gather(spent, amounts, max_tokens=given.get("max_tokens"))
    form = surface(held, given.get("unique_tokens"))
    most, cap = ceiling(given, machine, serve_on, serve_bits, len(held) or DRAWS, seed)
    problem = _Problem(held, form, limits, spent, most, cap, machine, level)
    asked = {n: a for n, a in {**amounts, **given, **served}.items() if a}
    if loss is not None or like is not None:
        return _cheapest(problem, given, minimise, asked)
    if not any(one.name in _BUDGETS for one in limits):
        _closed(problem)
    return _best(problem, asked)


def _closed(problem: _Problem) -> None:
    """Without a budget of work, a cap on tokens and one on size still leave a best model: the largest, seen once."""
    if not (problem.limits and problem.cap):
        raise ValueError(
            f"nothing limits the run: give one of {', '.join(_BUDGETS)}, or both max_tokens and max_params; "
            "without them the best model is the largest"
        )


def _best(problem: _Problem, asked: dict[str, Any]) -> Plan:
    """The least loss under the limits."""
    x = float(lowest(problem.loss, _SMALLEST, problem.top))
    if problem.loss(x) >= 1e29:
        raise ValueError(_nothing_fits(problem))
    N, D = float(np.exp(x)), float(allowed(problem.limits, np.exp(x)))
    sizes = tokens = losses = None
    if problem.drawn:
        xs = lowest(lambda z: problem.loss(z, True), np.full(problem.count, _SMALLEST), problem.tops)
        sizes, tokens = np.exp(xs), allowed(problem.limits, np.exp(xs), True)
        losses = problem.loss(xs, True)
    found = _answers(problem, (N, sizes), (D, tokens), (float(problem.loss(x)), losses))
    low, high = near_range(problem.loss, x, _SMALLEST, problem.top, NEAR)
    grid = np.exp(np.linspace(low, high, 101))
    rows, words = _which_binds(problem, x, sizes)
    budget = " and ".join(str(one) for one in problem.limits)
    return _plan(
        problem, f"the best model within {budget}", found, _near(problem, grid, allowed(problem.limits, grid)),
        rows, words, asked, {problem.surface.size: N, "D": D},
    )  # fmt: skip


def _cheapest(problem: _Problem, given: dict[str, float], minimise: str | None, asked: dict[str, Any]) -> Plan:
    """The least cost at a quality."""
    if "loss" in given and "like" in given:
        raise ValueError("give loss, or like (the size of a compute-optimal model of the same quality), not both")
    unit = minimise or ("money" if "money" in problem.spent and not problem.limits else "flops")
    if unit not in problem.spent:
        raise ValueError(f"minimise is {unit!r}; it can be {', '.join(problem.spent)} (money needs hardware or prices)")
    target = _target(problem, given)
    N, D, cost = _least_cost(problem, unit, target[0], False)
    if not np.isfinite(cost):
        raise ValueError(_unreachable(problem, float(target[0])))
    draws = _least_cost(problem, unit, target[1], True) if problem.drawn else (None, None, None)
    found = _answers(problem, (float(N), draws[0]), (float(D), draws[1]), target)
    found[f"least_{unit}"] = problem.interval((float(cost), draws[2]))
    if "like" in given:
        found |= _against(problem, unit, given["like"], (float(N), draws[0]), (float(D), draws[1]))
    limits = tuple(_kept(problem, one, float(N), float(D), draws) for one in problem.limits)
    budget = replace(problem, limits=[Limit(unit, float(cost), *problem.spent[unit])])
    low, high = near_range(budget.loss, float(np.log(N)), _SMALLEST, problem.top, NEAR)
    grid = np.exp(np.linspace(low, high, 101))
    quality = f"loss {target[0]:.4g}" if "loss" in given else f"the quality of {given['like']:.3g} optimal parameters"
    return _plan(
        problem, f"the least {unit} over the model's life for {quality}", found,
        _near(problem, grid, allowed(budget.limits, grid)), (), limits, asked,
        {problem.surface.size: float(N), "D": float(D)},
    )  # fmt: skip


def _target(problem: _Problem, given: dict[str, float]) -> Sample:
    """The loss to reach: a number, or by draw that of the compute-optimal model with ``like`` parameters."""
    if "loss" in given:
        return given["loss"], np.full(problem.count, given["loss"]) if problem.drawn else None
    N = given["like"]

    def quality(drawn: bool) -> Any:
        return problem.surface.loss(problem.values(drawn), N, optimal_tokens(problem.surface, problem.values(drawn), N))

    drawn = np.broadcast_to(quality(True), (problem.count,)) if problem.drawn else None
    return float(quality(False)), drawn


def optimal_tokens(form: Surface, values: Any, N: float) -> Any:
    """Tokens with which N parameters are the best size for the compute 6 N D: where both slopes in the logs agree."""
    size = np.shape(next(iter(values.values()), 0.0))[-1:]
    low, high = np.zeros(size), np.full(size, np.log(1e30))
    step = 1e-4
    for _ in range(60):
        middle = 0.5 * (low + high)
        D = np.exp(middle)
        larger = form.loss(values, N * np.exp(step), D * np.exp(-step))
        smaller = form.loss(values, N * np.exp(-step), D * np.exp(step))
        more = larger > smaller  # a smaller model with more tokens would be better: too few tokens for N
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return np.exp(0.5 * (low + high))


def _least_cost(problem: _Problem, unit: str, target: Any, drawn: bool) -> tuple[Any, Any, Any]:
    a, b = (x[1] if drawn and x[1] is not None else x[0] for x in problem.spent[unit])
    v = problem.values(drawn)

    def cost(x: Any) -> Any:
        N = np.exp(x)
        with np.errstate(all="ignore"):
            return a * N * problem.surface.tokens_for(v, N, target) + b * N

    low = np.full(problem.count, _SMALLEST) if drawn else _SMALLEST
    x = lowest(cost, low, problem.tops if drawn else problem.top)
    return np.exp(x), problem.surface.tokens_for(v, np.exp(x), target), cost(x)


def _answers(problem: _Problem, N: Sample, D: Sample, L: Sample) -> dict[str, Interval]:
    """N, D, loss and what they cost."""

    def both(f: Any, *inputs: Sample) -> Sample:
        centre = f(*(x[0] for x in inputs))
        return centre, f(*(x[0] if x[1] is None else x[1] for x in inputs)) if problem.drawn else None

    found = {
        problem.surface.size: N, "D": D, "L": L, "TPP": both(lambda n, d: d / n, N, D),
        "C": both(lambda n, d: 6 * n * d, N, D),
    }  # fmt: skip
    if np.isfinite(problem.surface.unique):
        found["epochs"] = both(lambda d: np.maximum(d / problem.surface.unique, 1.0), D)
    for name, (a, b) in problem.spent.items():
        if name != "flops":
            found[name] = both(lambda n, d, p, q: p * n * d + q * n, N, D, a, b)
        elif b[0]:
            found["C_life"] = both(lambda n, d, p, q: p * n * d + q * n, N, D, a, b)
    return {name: problem.interval(sample) for name, sample in found.items()}


def _near(problem: _Problem, N: np.ndarray, D: np.ndarray) -> dict[str, tuple[float, float]]:
    """Ranges of the choices along the near-optimal sizes."""
    with np.errstate(all="ignore"):
        L = problem.surface.loss(problem.held.values, N, D)
    ranges = {problem.surface.size: N, "D": D, "L": L, "TPP": D / N, "C": 6 * N * D}
    for name, (a, b) in problem.spent.items():
        ranges["C_life" if name == "flops" else name] = a[0] * N * D + b[0] * N
    if not problem.spent["flops"][1][0]:
        ranges.pop("C_life")
    if np.isfinite(problem.surface.unique):
        ranges["epochs"] = np.maximum(D / problem.surface.unique, 1.0)
    return {name: (float(np.min(x)), float(np.max(x))) for name, x in ranges.items()}


def _which_binds(problem: _Problem, x: float, sizes: Any) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """For each limit: tokens it allows the best size, the share of draws in which it binds, the gain of doubling it."""
    N, rows = np.exp(x), []
    most = float(allowed(problem.limits, N))
    base = float(problem.loss(x))
    for i, one in enumerate(problem.limits):
        at = float(one.tokens(N))
        share = float(at <= most * 1.001)
        if sizes is not None:
            share = float(np.mean(one.tokens(sizes, True) <= allowed(problem.limits, sizes, True) * 1.001))
        doubled = [2.0 if i == j else 1.0 for j in range(len(problem.limits))]
        again = float(lowest(lambda z, f=doubled: problem.loss(z, False, f), _SMALLEST, problem.top))
        rows.append(
            {"limit": one.name, "amount": one.amount, "tokens_allowed": at, "binds": at <= most * 1.001,
             "binds_share": share, "loss_if_doubled": float(problem.loss(again, False, doubled)),
             "gain_if_doubled": base - float(problem.loss(again, False, doubled))}
        )  # fmt: skip
    words = tuple(
        f"{row['limit']} binds"
        + (f" in {row['binds_share']:.0%} of the draws" if sizes is not None and row["binds_share"] < 1 else "")
        + f": doubling it alone would lower the loss by {row['gain_if_doubled']:.3g}."
        for row in rows
        if row["binds"] or row["binds_share"] > 0.05
    )
    if x > problem.top - 1e-3:
        words = (f"{problem.cap} binds: the best size lies above {problem.largest[0]:.4g}.", *words)
    return tuple(rows), words


def _kept(problem: _Problem, one: Limit, N: float, D: float, draws: Any) -> str:
    """Whether a limit holds for the cheapest model. Raises ValueError where it does not at the values believed."""
    if D > one.tokens(N) * (1 + 1e-9):
        needed = one.per_run[0] * N * D + one.per_model[0] * N if one.per_run[0] else D
        raise ValueError(
            f"{one.name} binds: the cheapest model that is good enough needs {needed:.4g} and the limit is "
            f"{one.amount:.4g}; raise it, or leave loss out to see what {one} reaches"
        )
    if draws[0] is None:
        return f"{one} is enough."
    share = float(np.mean(draws[1] <= one.tokens(draws[0], True)))
    return f"{one} is enough in {share:.0%} of the draws."


def _against(problem: _Problem, unit: str, N_c: float, N: Sample, D: Sample) -> dict[str, Interval]:
    """Cost and tokens relative to the compute-optimal model of the same quality."""

    def ratios(drawn: bool) -> tuple[Any, Any]:
        n: Any
        d: Any
        D_c = optimal_tokens(problem.surface, problem.values(drawn), N_c)
        a, b = (x[1] if drawn and x[1] is not None else x[0] for x in problem.spent[unit])
        n, d = (N[1], D[1]) if drawn else (N[0], D[0])
        return (a * n * d + b * n) / (a * N_c * D_c + b * N_c), d / D_c

    here, there = ratios(False), ratios(True) if problem.drawn else (None, None)
    names = (f"{unit}_ratio", "tokens_ratio")
    return {n: problem.interval((float(np.squeeze(c)), s)) for n, c, s in zip(names, here, there)}


def _nothing_fits(problem: _Problem) -> str:
    N = np.exp(_SMALLEST)
    worst = min(problem.limits, key=lambda one: float(one.tokens(N)))
    return f"{worst.name} binds: even a model of {N:.0f} parameters exceeds {worst}; raise it or serve fewer tokens"


def _unreachable(problem: _Problem, target: float) -> str:
    floor = float(problem.surface.loss(problem.held.values, problem.largest[0], 1e30))
    data = f" with {problem.surface.unique:.3g} unique tokens" if np.isfinite(problem.surface.unique) else ""
    if problem.cap:
        best = f"{problem.largest[0]:.4g} parameters{data} reach {floor:.4g} at best"
        return f"{problem.cap} binds: {best}, not {target:.4g}"
    return f"loss {target:.4g} is out of reach: {problem.held.source}{data} does not fall below {floor:.4g} at any size"


def _plan(
    problem: _Problem, question: str, found: dict[str, Interval], near: dict[str, tuple[float, float]],
    rows: tuple[dict[str, Any], ...], limits: tuple[str, ...], asked: dict[str, Any], at: dict[str, float],
) -> Plan:  # fmt: skip
    far, beyond = problem.held.distance(**at)
    lost = (
        one_line(split(problem.held, {}))
        if problem.held.fit is not None and "U" not in problem.held.law.variables
        else ()
    )
    found = {name: known(name, one, lost) for name, one in found.items()}
    near = {} if lost else near
    notes = [*lost, *doubts(problem.held, far, beyond), *problem.surface.findings]
    if problem.held.draws is None and problem.drawn:
        text = "The intervals hold what is assumed of machines and prices alone, not how far the law may be off."
        notes.append(Finding("assumptions_alone", "warning", text))
    if problem.machine is not None:
        notes += [*assumption_findings(problem.machine), *serving_note(problem.spent)]
    ratio = at["D"] / at[problem.surface.size]
    if ratio > 200:
        message = f"{ratio:.3g} tokens per parameter: laws fitted near 20 overrate more data so far out."
        notes.append(Finding("overtrained", "warning", message))
    return Plan(
        question, found, near, choices=rows, limits=limits, findings=tuple(notes), source=problem.held.source,
        distance=far, beyond=beyond, given=asked,
    )  # fmt: skip
