"""Other roads to the best size at a budget, from the same runs: how far does the answer depend on the road?

* the same law with squares exchanged for Huber's loss, or Huber's for squares;
* the same law without the runs farthest from it, a fiftieth of them;
* isoFLOP profiles, a parabola and a cubic per budget;
* the lower envelope.

Each gives the size, the tokens and, where it can, the loss. What they disagree about is not known, whatever the
interval of one of them says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lawful.describe import number
from lawful.findings import Finding, counted
from lawful.isoflop import Profiles, envelope, line, profiles
from lawful.objectives import Objective, objective
from lawful.plan_allocate import PER_TOKEN, Split
from lawful.solve import Problems, solve
from lawful.uncertainty import Interval, percentiles

_APART = 1.25  # answers that differ by less agree
_LINE = 0.999  # R2 of log D on log N from which they are one variable
_FARTHEST = 0.02  # share of runs left out
_MOST = 400  # draws of the envelope
_WORDS = {2: "by isoFLOP parabolas", 3: "by isoFLOP cubics"}


@dataclass(frozen=True)
class Table:
    """The runs of a belief: sizes, tokens, losses and, where rows are checkpoints, which run they are of, each (n,)."""

    N: np.ndarray
    D: np.ndarray
    L: np.ndarray
    run: np.ndarray | None

    def __len__(self) -> int:
        return len(self.N)


@dataclass(frozen=True)
class Roads:
    """Answers by road, profiles by degree for figures, and what there is to say."""

    answers: Mapping[str, Mapping[str, Interval]]
    profiles: Mapping[int, Profiles]
    findings: tuple[Finding, ...]


def table_of(way: Split) -> Table | None:
    """The runs that made a belief, with size and tokens; None where it was not fitted to such runs."""
    fit = way.held.fit
    if fit is None or way.others:
        return None
    X, p = fit.points.X, fit.points
    rows = np.arange(fit.n)
    if way.held.group and p.group is not None:
        rows = np.flatnonzero(p.group == p.labels.index(way.held.group))
    if way.size in X:
        N, D = X[way.size], X["D"]
    else:
        N = np.sqrt(X["C"] / (PER_TOKEN * X["TPP"]))
        D = N * X["TPP"]
    return Table(N[rows], D[rows], p.y[rows], None if p.cluster is None else p.cluster[rows])


def roads(way: Split, flops: float, level: float, draws: int = 1000, seed: int = 0) -> Roads:
    """All roads that the belief's runs allow, at one budget; none for published values."""
    runs = table_of(way)
    if runs is None:
        return Roads({}, {}, ())
    answers: dict[str, dict[str, Interval]] = dict(_refits(way, flops, level))
    made: dict[int, Profiles] = {}
    why = "rows are checkpoints of runs; the lower envelope reads their curves" if runs.run is not None else ""
    for degree, name in _WORDS.items() if not why else ():
        try:
            made[degree] = profiles(runs.N, runs.D, runs.L, degree=degree, draws=draws, seed=seed)
            answers[name] = _by_profiles(way, made[degree], flops, level, name)
        except ValueError as problem:
            why = str(problem)
    which = "isoFLOP cubics" if made else "isoFLOP profiles"
    said = (Finding("no_profiles", "note", f"No answer by {which}: {why}."),) if why else ()
    said = (*said, *dict.fromkeys(f for one in made.values() for f in one.findings if f.severity == "warning"))
    answers |= _by_envelope(way, runs, flops, level, seed)
    return Roads(answers, made, said)


def _refits(way: Split, flops: float, level: float) -> dict[str, dict[str, Interval]]:
    """The same law, fitted with another objective and without the farthest runs, from the fit's own optimum."""
    fit = way.held.fit
    if fit is None or fit.dof <= 1 or fit.objective.binomial:
        return {}
    out = {}
    other = _other(fit.objective)
    far = max(1, round(_FARTHEST * fit.n))
    weights = fit.problems.W.copy()
    weights[0, np.argsort(-np.abs(fit.residuals))[:far]] = 0.0
    fewer = Problems(fit.problems.X, fit.problems.y, weights)
    for name, problems, chosen in (
        (f"by {fit.law.name} with {other.name}", fit.problems, other),
        (f"without the {counted(far, 'run')} farthest off", fewer, fit.objective),
    ):
        found = solve(fit.model, fit.theta[None], problems, chosen, damping=1e-2)
        if not np.isfinite(found.F[0]):
            continue
        v = fit.model.rebind(dict(zip(fit.model.names, map(float, fit.model.natural(found.theta)[0]))))
        v = {k: x[way.held.group] if isinstance(x, Mapping) else x for k, x in v.items()}
        N = float(way.best(flops, v))
        D = flops / (PER_TOKEN * N)
        told = {way.size: N, "D": D, "TPP": D / N, way.held.law.predicts: float(way.loss(v, N, D))}
        out[name] = {k: Interval(x, np.nan, np.nan, level, name, "a check, without interval") for k, x in told.items()}
    return out


def _other(chosen: Objective) -> Objective:
    """Squares for a robust objective, Huber's loss for squares, in the same space."""
    if chosen.squares:
        return objective("log_huber:1e-3" if chosen.log else "huber:1e-3")
    return objective("log_lsq" if chosen.log else "lsq")


def _by_profiles(way: Split, made: Profiles, flops: float, level: float, name: str) -> dict[str, Interval]:
    N, sample = made.optimum(flops)
    held = [s for s in made.slices if not s.why_not]
    C, L = np.array([s.flops for s in held]), np.array([s.lowest for s in held])
    return _of_size(way, N, sample, flops, level, name) | _loss(way, C, L, flops, level, name)


def _of_size(
    way: Split, N: float, sample: np.ndarray, flops: float, level: float, name: str
) -> dict[str, Interval]:  # fmt: skip
    pairs = flops / PER_TOKEN
    told = {way.size: lambda x: x, "D": lambda x: pairs / x, "TPP": lambda x: pairs / x**2}
    out = {}
    for key, f in told.items():
        lower, upper, is_open = percentiles(f(sample), level, f(N))
        verdict = "cannot tell: too many draws had no minimum" if is_open else ""
        out[key] = Interval(f(N), lower, upper, level, name, verdict)
    return out


def _loss(way: Split, C: np.ndarray, L: np.ndarray, flops: float, level: float, name: str) -> dict[str, Interval]:
    """The loss at the budget by E + A C^-alpha through the losses at the optima, where there are enough of them."""
    from lawful.fit import Fit, fit
    from lawful.forecast import forecast

    if len(np.unique(C)) < 5:
        return {}
    curve = fit("power_law_constant_c", {"C": C, "L": L})
    assert isinstance(curve, Fit)
    f = forecast(curve, C=flops, level=level)
    lower, upper = float(f.lower[0]), float(f.upper[0])
    verdict = "cannot tell: no limit" if not (np.isfinite(upper) and lower > 0) else ""
    return {way.held.law.predicts: Interval(float(f.estimate[0]), lower, upper, level, name, verdict)}


def _by_envelope(way: Split, runs: Table, flops: float, level: float, seed: int) -> dict[str, dict[str, Interval]]:
    """The lower envelope with runs drawn anew."""
    C, N, L = envelope(runs.N, runs.D, runs.L, runs.run)
    if len(np.unique(C)) < 3 or len(np.unique(N)) < 2:
        return {}

    def size(C: np.ndarray, N: np.ndarray) -> float:
        top, a, centre = line(C, N)
        return float(np.exp(top + a * (np.log(flops) - centre)))

    rng = np.random.default_rng(seed)
    code = np.arange(len(runs)) if runs.run is None else np.unique(runs.run, return_inverse=True)[1]
    members = [np.flatnonzero(code == c) for c in range(code.max() + 1)]
    sample = np.full(_MOST, np.nan)
    for i in range(_MOST):
        drawn = np.unique(rng.integers(0, len(members), len(members)))
        rows = np.concatenate([members[c] for c in drawn])
        run = None if runs.run is None else runs.run[rows]
        if run is None or len(drawn) > 1:
            sample[i] = size(*envelope(runs.N[rows], runs.D[rows], runs.L[rows], run)[:2])
    name = "by the lower envelope"
    return {name: _of_size(way, size(C, N), sample, flops, level, name) | _loss(way, C, L, flops, level, name)}


def disagreement(way: Split, best: Interval, found: Roads) -> tuple[Finding, ...]:
    """Roads whose best size is a quarter off the plan's and further than both intervals together allow.

    A road with an interval of its own: further than the two half-widths added in squares (on logs). One without, a
    refit of the same law: further than half the plan's own.
    """
    if not 0 < best.lower < best.upper < np.inf:
        return ()
    apart = []
    for name, answers in found.answers.items():
        one = answers[way.size]
        step = float(np.log(one.estimate / best.estimate))
        own = np.log((best.upper if step > 0 else best.lower) / best.estimate)
        if np.isnan(one.lower):
            limit = 0.5 * abs(own)
        else:
            end = one.lower if step > 0 else one.upper
            limit = float(np.hypot(own, np.log(end / one.estimate))) if 0 < end < np.inf else np.inf
        if abs(step) > max(np.log(_APART), limit):
            apart.append(f"{number(one.estimate)} {name} ({np.exp(step):.2g} times)")
    if not apart:
        return ()
    message = (
        f"The roads disagree by more than their intervals allow: the best {way.size} is {number(best.estimate)} here, "
        f"{', '.join(apart)}."
    )
    return (Finding("roads_disagree", "warning", message, (), "Trust none before you know why: see diagnose."),)


def leaning(way: Split, flops: float, found: Roads) -> tuple[Finding, ...]:
    """The bias of each isoFLOP road: what it makes of the law's own losses, without noise, at the sizes tried."""
    runs = table_of(way)
    out = []
    if runs is None:
        return ()
    v = way.held.values
    loss = np.asarray(way.loss(v, runs.N, runs.D))
    truth = float(way.best(flops, v))
    for degree, made in found.profiles.items():
        try:
            clean = profiles(runs.N, runs.D, loss, degree=degree, draws=1)
        except ValueError:
            continue
        off = clean.optimum(flops)[0] / truth - 1
        _, sample = made.optimum(flops)
        width = float(np.nanstd(np.log(sample)))
        severe = abs(np.log1p(off)) > width
        message = (
            f"Bias of {_WORDS[degree][3:]}: were {way.held.law.name} exactly right, they would put the best {way.size} "
            f"{abs(off):.1%} too {'high' if off > 0 else 'low'} ({abs(np.log1p(off)) / max(width, 1e-12):.1f} of their "
            "standard errors)."
        )
        out.append(Finding("isoflop_bias", "warning" if severe else "note", message))
    return tuple(out)


def one_line(way: Split) -> tuple[Finding, ...]:
    """The finding that size and tokens are one variable in the runs, so that no split can be told from another."""
    runs = table_of(way)
    if runs is None or len(runs) < 3:
        return ()
    x, y = np.log(runs.N), np.log(runs.D)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        what = way.size if np.ptp(x) == 0 else "D"
        return (_unidentified(f"All runs have the same {what}"),)
    R2 = float(np.corrcoef(x, y)[0, 1] ** 2)
    return (
        (_unidentified(f"{way.size} and D lie on one line in the runs (R2 of the logs {R2:.5f})"),)
        if R2 > _LINE
        else ()
    )


def _unidentified(what: str) -> Finding:
    return Finding(
        "not_identified", "error", f"{what}: they cannot say how to split a budget.", (),
        "Add runs of one size with other numbers of tokens.",
    )  # fmt: skip
