r"""Which recipe is better at a scale that nobody has trained: probability, compute multiplier, crossing.

    found = recipes(runs, by="recipe")                 # one law per recipe, on one table
    found = recipes({"A": fit_a, "B": fit_b})          # or fits of one's own
    found.probability("A", "B", 1e22)                  # that A has the lower loss for 1e22 FLOP
    found.multiplier("A", "B", 1e22)                   # B needs so many times the compute to reach A's loss
    found.crossing("A", "B")                           # where the curves cross, or "cannot tell"

Loss is the law's at the best size for the compute (or at a given number of tokens per parameter). The numbers come from
draws: new data from the fitted laws, with noise whose size is itself uncertain, refitted. Where recipes were run at the
same places (the same sizes, tokens and seeds), the noise of a place is drawn for all recipes at once, from an inverse
Wishart distribution of the residuals' covariance (Box and Tiao 1973, section 8.2): what they share cancels. Several
laws take part by how well they fit all recipes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lawful.decisions import RATIO, both_scales, compute_of, variables_at
from lawful.design_information import aicc, name_of
from lawful.findings import Finding
from lawful.fit import Fit, Fits
from lawful.fit import fit as fit_law
from lawful.uncertainty import Interval, percentiles

_REACH = 1e3  # compute multipliers are looked for up to so many times, either way
_PER_DECADE = 16
_CHECKED = 100  # times the largest run, beyond which probabilities were too bold in simulations


@dataclass(frozen=True, repr=False)
class Recipes:
    """Recipes' losses over compute. flops (k,); losses: name -> (k,); draws: name -> (draws, k), nan where failed.

    seen: the least and the most compute of the runs. target: the compute that was asked about. correlation: of the
    recipes' noise at the same places, nan where the designs do not match. laws: law -> weight.
    points: name -> compute and loss of each run.
    """

    names: tuple[str, ...]
    flops: np.ndarray
    losses: Mapping[str, np.ndarray]
    draws: Mapping[str, np.ndarray]
    seen: tuple[float, float]
    target: float
    correlation: float
    laws: Mapping[str, float]
    points: Mapping[str, tuple[np.ndarray, np.ndarray]]
    findings: tuple[Finding, ...] = ()

    def loss(self, name: str, flops: float, level: float = 0.9) -> Interval:
        """A recipe's loss at a compute."""
        at = self._weights(flops)
        sample = np.exp(np.log(self.draws[self._known(name)]) @ at)
        return _interval(float(np.exp(np.log(self.losses[name]) @ at)), sample, level)

    def probability(self, a: str, b: str, flops: float) -> float:
        """Probability that recipe a has the lower loss at a compute, over the draws that did not fail."""
        return _share_below(self._difference(a, b) @ self._weights(flops))

    def best(self, flops: float) -> dict[str, float]:
        """Probability of each recipe to have the lowest loss of all."""
        at = self._weights(flops)
        values = np.stack([np.log(self.draws[name]) @ at for name in self.names])
        values = values[:, np.isfinite(values).all(0)]
        if not values.shape[1]:
            return dict.fromkeys(self.names, float("nan"))
        first = np.bincount(values.argmin(0), minlength=len(self.names)) / values.shape[1]
        return dict(zip(self.names, map(float, first)))

    def multiplier(self, a: str, b: str, flops: float, level: float = 0.9) -> Interval:
        """How many times a's compute recipe b needs to reach the loss of a at ``flops``: above 1, a is the better.

        An end is infinite (or 0) where b does not reach that loss (or has it) within a thousand times the compute.
        """
        at = self._weights(flops)
        for name in (a, b):
            self._known(name)
        x = np.log(self.flops / flops)
        estimate = _reached(x, np.log(self.losses[b])[None], np.log(self.losses[a])[None] @ at)[0]
        sample = _reached(x, np.log(self.draws[b]), np.log(self.draws[a]) @ at)
        return _interval(float(estimate), sample, level)

    def crossing(
        self, a: str, b: str, flops: float | None = None, level: float = 0.9, *, start: float | None = None
    ) -> Interval:
        """The first compute at which the curves cross, from ``start`` (default: the smallest run) up to ``flops``
        (default: the target).

        An open end and "cannot tell" where draws do not cross; "do not cross" where hardly any does.
        """
        low, high = self.seen[0] if start is None else start, self.target if flops is None else flops
        for end in (low, high):
            self._weights(end)
        if not low < high:
            raise ValueError(f"start is {low:.3g}; it must be below flops, {high:.3g}")
        inside = (self.flops >= low * 0.999) & (self.flops <= high * 1.001)
        x = np.log(self.flops[inside])
        sample = np.exp(_first_crossing(x, self._difference(a, b)[:, inside]))
        here = (np.log(self.losses[a]) - np.log(self.losses[b]))[inside]
        estimate = float(np.exp(_first_crossing(x, here[None])[0]))
        share = float(np.isfinite(sample).mean())
        made = _interval(estimate, sample, level)
        if share < (1 - level) / 2:
            verdict = f"the curves do not cross between {low:.3g} and {high:.3g} FLOP (in {1 - share:.1%} of draws)"
            return Interval(np.nan, np.nan, np.nan, level, made.method, verdict)
        if share < 1 - (1 - level) / 2 or not np.isfinite(estimate):
            verdict = f"cannot tell: the curves cross between {low:.3g} and {high:.3g} FLOP in {share:.0%} of draws"
            return Interval(estimate, max(made.lower, 0.0), made.upper, level, made.method, verdict)
        return made

    def facts(self, flops: float | None = None, level: float = 0.9) -> dict[str, Any]:
        """The comparison at a compute (default: the target) as plain data: losses, and every ordered pair."""
        at = self.target if flops is None else flops
        chances = self.best(at)
        rows = [
            {"recipe": name, "loss": asdict(self.loss(name, at, level)), "best": chances[name]} for name in self.names
        ]
        pairs = [
            {"a": a, "b": b, "probability": self.probability(a, b, at),
             "multiplier": asdict(self.multiplier(a, b, at, level)),
             "crossing": asdict(self.crossing(a, b, level=level))}
            for a in self.names for b in self.names if a != b
        ]  # fmt: skip
        return {"flops": at, "seen": self.seen, "laws": dict(self.laws), "recipes": rows, "pairs": pairs}

    def _known(self, name: str) -> str:
        from lawful.quantities import did_you_mean

        if name not in self.draws:
            raise ValueError(f"there is no recipe {name!r}{did_you_mean(name, list(self.names))}")
        return name

    def _difference(self, a: str, b: str) -> np.ndarray:
        """log L_a - log L_b (draws, k)."""
        return np.log(self.draws[self._known(a)]) - np.log(self.draws[self._known(b)])

    def _weights(self, flops: float) -> np.ndarray:
        """Weights (k,) that interpolate linearly in log compute."""
        x, low, high = np.log(self.flops), float(self.flops[0]), float(self.flops[-1])
        if not low * 0.999 <= flops <= high * 1.001:
            raise ValueError(f"flops is {flops:.3g}; this comparison was made for {low:.3g} to {high:.3g}")
        return np.array([np.interp(np.log(flops), x, row) for row in np.eye(len(x))])

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        from lawful.recipe_words import describe_recipes

        return describe_recipes(self)


def _interval(estimate: float, sample: np.ndarray, level: float) -> Interval:
    """Percentiles; infinite draws count as far out, nan ones as anywhere."""
    big = np.where(np.isinf(sample), np.sign(sample) * 1e300, sample)
    lower, upper, is_open = percentiles(big, level, estimate)
    lower, upper = (v if abs(v) < 1e299 else float(np.sign(v)) * np.inf for v in (lower, upper))
    return Interval(estimate, lower, upper, level, "draws", "cannot tell: no limit" if is_open else "")


def _share_below(values: np.ndarray) -> float:
    good = values[np.isfinite(values)]
    return float(np.mean(good < 0) + 0.5 * np.mean(good == 0)) if len(good) else float("nan")


def _reached(x: np.ndarray, curve: np.ndarray, level: np.ndarray) -> np.ndarray:
    """exp of the x at which falling curves (draws, k) come down to levels (draws,); inf where never, 0 where before."""
    out = np.full(len(curve), np.nan)
    for i, (row, goal) in enumerate(zip(curve, level)):
        if np.isfinite(goal) and np.isfinite(row).all():
            falling = np.minimum.accumulate(row)
            out[i] = np.exp(np.interp(-goal, -falling, x, left=-np.inf, right=np.inf))
    return out


def _first_crossing(x: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """Where rows (draws, k) first change sign along x; nan where they never do."""
    falls = np.diff(np.sign(difference), axis=1)
    change = (np.abs(falls) == 2) & np.isfinite(difference).all(1, keepdims=True)
    first = change.argmax(1)
    rows = np.arange(len(first))
    a, b = difference[rows, first], difference[rows, first + 1]
    with np.errstate(all="ignore"):
        at = x[first] + a / (a - b) * (x[first + 1] - x[first])
    return np.where(change.any(1), at, np.nan)


def recipes(
    source: Any, *, by: str = "recipe", law: str | Sequence[str] | None = None, flops: float | None = None,
    ratio: float | None = None, paired: bool | None = None, draws: int = 500, seed: int = 0, **options: Any,
) -> Recipes:  # fmt: skip
    """Compare recipes at scales beyond their runs.

    source: `Runs` (or what `read` takes) with a column of recipes, or fits by recipe (`Fits` or a mapping).
    by: the column. law: one or several laws to fit to every recipe (default: Chinchilla's where size and tokens vary
    apart, else power laws with and without a constant); several take part, half the weight equal and half by AICc.
    flops: the largest compute asked about (default: ten times the largest run). ratio: tokens per parameter of the
    models compared (default: each recipe's best). paired: draw the noise of the same places together (default: where
    they match). options: of `fit`, such as ``target``.

    Raises ValueError for fewer than two recipes, or a recipe that cannot be fitted.
    """
    from lawful.recipe_draws import places_shared

    families, findings = _families(source, by, law, options)
    first = next(iter(families.values()))[0]
    names = tuple(families)
    compute = np.concatenate([compute_of(f[0]) for f in families.values()])
    seen = float(compute.min()), float(compute.max())
    if flops is not None and not 0 < flops < np.inf:
        raise ValueError(f"flops is {flops}; it must be a number above 0, the compute that is asked about")
    high = 10 * seen[1] if flops is None else float(flops)
    low, top = min(seen[0], high) / _REACH, max(high, seen[1]) * _REACH
    grid = np.geomspace(low, top, int(np.log10(top / low) * _PER_DECADE) + 2)
    weights = _weights_of(families)
    shared = places_shared([f[0] for f in families.values()]) if paired is not False else None
    if paired and shared is None:
        raise ValueError("paired: the recipes share too few places (sizes, tokens, seeds) for their noise to be paired")
    joined, centre = _curves(families, weights, shared, grid, ratio, draws, seed)
    laws = {name_of(f): float(w) for f, w in zip(families[names[0]], weights) if w > 0}
    rho = shared.correlation if shared is not None else float("nan")
    where = "the best size for each compute" if ratio is None else f"{ratio:g} tokens per parameter"
    note = Finding("where", "note", f"Losses are at {where if both_scales(first) else 'each compute'}.")
    notes = [*findings, note]
    if high > _CHECKED * seen[1]:
        notes.append(Finding(
            "far", "warning", f"{high:.3g} FLOP is {high / seen[1]:.0f} times the largest run: in simulations of 1000 "
            "times, probabilities were too bold.", (), "Ask nearer to the runs, or run larger ones.",
        ))  # fmt: skip
    points = {name: (compute_of(fits[0]), fits[0].points.y) for name, fits in families.items()}
    return Recipes(names, grid, centre, joined, seen, high, rho, laws, points, tuple(notes))


def _curves(
    families: Mapping[str, Sequence[Fit]], weights: np.ndarray, shared: Any, grid: np.ndarray, ratio: float | None,
    draws: int, seed: int,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:  # fmt: skip
    """Loss over compute by recipe: draws (draws, k), as many of each law as its weight says, and the estimate (k,)."""
    from lawful.recipe_draws import drawn

    rng = np.random.default_rng(seed)
    counts = np.diff(np.rint(np.append(0, np.cumsum(weights)) * draws).astype(int))
    sample: dict[str, list[np.ndarray]] = {name: [] for name in families}
    for k, count in enumerate(counts):
        fits = [laws[k] for laws in families.values()]
        for name, one, theta in zip(families, fits, drawn(fits, shared, int(count), rng) if count else ()):
            sample[name].append(loss_curve(one, theta, grid, ratio))
    centre = {}
    for name, laws in families.items():
        curves = [np.log(loss_curve(one, one.theta[None], grid, ratio)[0]) for one in laws]
        centre[name] = np.exp(weights @ np.array(curves))
    return {name: np.concatenate(parts) for name, parts in sample.items()}, centre


def _families(
    source: Any, by: str, law: str | Sequence[str] | None, options: Mapping[str, Any]
) -> tuple[dict[str, list[Fit]], tuple[Finding, ...]]:
    """The fits of each recipe, one for each law."""
    if isinstance(source, Mapping) and source and all(isinstance(f, Fit) for f in source.values()):
        failed = dict(source.failed) if isinstance(source, Fits) else {}
        found = {str(name): [one] for name, one in source.items()}
    else:
        found, failed = _fitted(source, by, law, options)
    if len(found) < 2:
        why = f": {next(iter(failed.items()))}" if failed else ""
        raise ValueError(f"recipes are compared two or more at a time; there {'is one' if found else 'is none'}{why}")
    notes = tuple(Finding("not_fitted", "warning", f"{by} {k} was left out: {why}") for k, why in failed.items())
    return found, notes


def _fitted(
    runs: Any, by: str, law: str | Sequence[str] | None, options: Mapping[str, Any]
) -> tuple[dict[str, list[Fit]], dict[str, str]]:
    from lawful.choose import suited
    from lawful.quantities import did_you_mean

    if not (isinstance(runs, Mapping) or hasattr(runs, "frame")):
        from lawful.runs import read

        runs = read(runs)
    if by not in runs:
        frame = getattr(runs, "frame", None)
        have = list(runs) if frame is None else list(frame.columns)
        near = did_you_mean(by, have) or "; name the column of recipes"
        raise ValueError(f"by: the table has no column {by!r}{near}")
    if law is None:
        listed = [(c.law, c.variables) for c in suited(runs, options.get("target"))]
        chinchilla = [one for one in listed if one[0].name == "chinchilla"]
        listed = chinchilla or [one for one in listed if one[0].name.startswith("power_law")]
    else:
        listed = [(one, {}) for one in ([law] if isinstance(law, str) else law)]
    found: dict[str, list[Fit]] = {}
    failed: dict[str, str] = {}
    made = [fit_law(one, runs, by=by, **{"variables": v or None, **options}) for one, v in listed]
    for fits in made:
        assert isinstance(fits, Fits)
        failed |= fits.failed
        for name, one in fits.items():
            found.setdefault(name, []).append(one)
    return {k: v for k, v in found.items() if k not in failed}, failed


def _weights_of(families: Mapping[str, Sequence[Fit]]) -> np.ndarray:
    """Half of the weight is equal for all laws, the other half by AICc summed over recipes: a law has to suit all.

    On few runs AICc alone would drop a constant that nobody doubts.
    """
    score = np.sum([[aicc(f) for f in fits] for fits in families.values()], axis=0)
    w = np.ones(len(score))
    if np.isfinite(score).any():
        w = np.exp(-0.5 * (score - score[np.isfinite(score)].min()))
    return 0.5 * w / w.sum() + 0.5 / len(w)


def loss_curve(fit: Fit, theta: np.ndarray, flops: np.ndarray, ratio: float | None = None) -> np.ndarray:
    """The law at compute (k,) for slots (rows, p), (rows, k): at the best size, or at a number of tokens per parameter.

    The best sizes are found at eleven computes and drawn through them in logs; the loss is flat there.
    """
    if ratio is not None or not both_scales(fit):
        N = np.sqrt(flops / (6 * (ratio or RATIO)))
        return _law(fit, theta, N, flops / (6 * N))
    nodes = np.geomspace(flops[0], flops[-1], 11)
    best = np.stack([_best_log_size(fit, theta, C) for C in nodes], axis=1)
    hats = np.array([np.interp(np.log(flops), np.log(nodes), row) for row in np.eye(len(nodes))])
    N = np.exp(best @ hats)
    return _law(fit, theta, N, flops / (6 * N))


def _best_log_size(fit: Fit, theta: np.ndarray, C: float) -> np.ndarray:
    """log N* (rows,): the lowest point of a grid on log N, refined by the parabola through it and its neighbours."""
    u = 0.5 * np.log(C / (6 * RATIO)) + np.linspace(-7.0, 7.0, 71)
    value = np.log(_law(fit, theta, np.exp(u), C / (6 * np.exp(u))))
    i = np.clip(np.where(np.isfinite(value), value, np.inf).argmin(1), 1, len(u) - 2)
    rows = np.arange(len(theta))
    a, b, c = value[rows, i - 1], value[rows, i], value[rows, i + 1]
    with np.errstate(all="ignore"):
        shift = 0.5 * (a - c) / (a - 2 * b + c)
    return u[i] + np.clip(np.nan_to_num(shift), -1, 1) * (u[1] - u[0])


def _law(fit: Fit, theta: np.ndarray, N: np.ndarray, D: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        f = fit.model.evaluate(theta, variables_at(fit, N, D), derivatives=False)
    return np.array(np.broadcast_to(np.asarray(f), (len(theta), np.shape(N)[-1])), float)
