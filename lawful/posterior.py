r"""What do these few runs say, given what is known from others? A posterior, beside the answer of the runs alone.

    made = posterior(fit, prior="literature")     # published exponents of the law as a prior
    made = posterior(fit, prior={"alpha": (0.34, 0.05), "E": (1.7, 0.2)})   # normal: mean and sd
    made = posterior(fits, pool=("alpha", "beta"))        # groups learn from each other
    print(made)

The likelihood is the fit's: normal errors of unknown spread, which is integrated out, or binomial counts. Where nothing
else is said the prior is flat, within limits (`density`). For a law that is linear in its numbers the flat posterior is
the t distribution of least squares. Draws are made by emcee (extra `bayes`, `ensemble`), until 50 autocorrelation times
of every number and a split R-hat below 1.05; if that is not reached, a finding says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import log
from typing import Any

import numpy as np

from lawful.density import Density, log_posterior, range_of
from lawful.doubt import is_chosen
from lawful.ensemble import RHAT, TIMES, Chain, Mixture, around, peak, sample
from lawful.findings import Finding
from lawful.fit import Fit, Fits, fit_sets
from lawful.objectives import objective as find_objective
from lawful.priors import Normal, StudentT, literature_priors
from lawful.uncertainty import Interval, intervals

Prior = Normal | StudentT
_REFITTED = "refitted"
_KEPT = 4000  # draws kept
_BELOW = 20  # log density below the best at which a maximum is no place to begin
_BATCHES, _DRAWN = 6, 80  # batches of draws from the priors, the best of each a start; draws in a batch


@dataclass(frozen=True, repr=False)
class Posterior:
    """Draws from the posterior of one fit, and its unpooled intervals beside them.

    draws (S, p): the free numbers by ``names``. priors: what was known, by name. shared: numbers pooled over groups.
    rhat (p,), tau (p,): split R-hat and autocorrelation times, in steps; steps: length of the chain that was kept.
    notes: what there is to say about the sampling.
    """

    fit: Fit
    names: tuple[str, ...]
    draws: np.ndarray
    priors: Mapping[str, Prior]
    rhat: np.ndarray
    tau: np.ndarray
    steps: int
    notes: tuple[Finding, ...] = ()
    shared: tuple[str, ...] = ()

    @cached_property
    def alone(self) -> Mapping[str, Interval]:
        """95% intervals of the runs alone."""
        return intervals(self.fit)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Whether the chain has settled, which numbers the prior decides, and where the runs contradict it."""
        return (*self.notes, *_tension(self))

    def intervals(self, level: float = 0.95) -> dict[str, Interval]:
        """Posterior median and equal-tailed interval of each number."""
        return dict(zip(self.names, self._summary(self.draws, level)))

    @property
    def settled(self) -> bool:
        """Whether the chain is long enough and its parts agree."""
        return not any(f.code == "not_converged" for f in self.notes)

    def predict(self, level: float = 0.9, **variables: Any) -> list[Interval]:
        """The law at points (numbers or arrays that broadcast): posterior median and interval of the mean of runs."""
        from lawful.places import collect

        X, group, _ = collect(self.fit, None, variables)
        theta = self.fit.model.search(self.draws)
        with np.errstate(all="ignore"):
            f = np.asarray(self.fit.model.evaluate(theta, X, derivatives=False))
        m = np.shape(next(iter(X.values())))[-1]
        return self._summary(np.broadcast_to(f, (len(theta), m)), level)

    def _summary(self, sample_: np.ndarray, level: float) -> list[Interval]:
        tail = 50 * (1 - level)
        doubt = "" if self.settled else "cannot tell: the chain has not settled"
        ends = np.percentile(sample_, [50, tail, 100 - tail], axis=0).T
        return [Interval(float(m), float(low), float(high), level, "posterior", doubt) for m, low, high in ends]

    def __repr__(self) -> str:
        told = ", ".join(f"{k}={v.estimate:.4g}" for k, v in self.intervals().items())
        return f"<Posterior of {self.fit.law.name}: {told}; print it for intervals and priors>"

    def __str__(self) -> str:
        mine = self.intervals()
        lines = [
            f"{self.fit.law.name} on {self.fit.n} points, 95% intervals: with the prior, and from these runs alone", "",
            f"{'':<12}{'posterior':<34}{'runs alone':<40}prior",
        ]  # fmt: skip
        for name in self.names:
            prior = self.priors.get(name) or ("the other groups" if name in self.shared else "flat")
            own = self.alone[name]
            alone = f"{own.estimate:.4g} [{own.lower:.4g}, {own.upper:.4g}]"
            lines.append(f"{name:<12}{str(replace(mine[name], verdict='')):<34}{alone:<40}{prior}")
        return "\n".join([*lines, "", *map(str, self.findings)])


@dataclass(frozen=True, repr=False)
class Posteriors(Mapping[str, Posterior]):
    """One `Posterior` per group; pooled: for each number that groups share, its mean and spread over groups."""

    by: str
    posteriors: Mapping[str, Posterior]
    pooled: Mapping[str, tuple[Interval, Interval]]
    findings: tuple[Finding, ...] = ()

    def __getitem__(self, label: str) -> Posterior:
        return self.posteriors[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self.posteriors)

    def __len__(self) -> int:
        return len(self.posteriors)

    @property
    def settled(self) -> bool:
        """Whether all chains have settled, that of the groups' mean and spread too."""
        return all(one.settled for one in self.values()) and not any(f.code == "not_converged" for f in self.findings)

    def __str__(self) -> str:
        lines = [f"{k} over {len(self)} groups: mean {m}; sd between groups {s}" for k, (m, s) in self.pooled.items()]
        parts = [f"{self.by} = {label}\n{one}" for label, one in self.posteriors.items()]
        return "\n\n".join(["\n".join([*lines, *map(str, self.findings)])] * bool(lines or self.findings) + parts)


def posterior(
    fit: Fit | Fits, prior: str | Mapping[str, Any] | None = None, *, pool: Sequence[str] = (), steps: int = 3200,
    walkers: int = 64, seed: int = 0,
) -> Posterior | Posteriors:  # fmt: skip
    """Sample the posterior of a fit, or of fits by group.

    prior: None (flat), "literature" (`priors.literature_priors`), or {name: (mean, sd) | `Normal` | `StudentT`}.
    pool: for `Fits`, numbers that are normal over groups with unknown mean and spread (`lawful.pooling`).
    steps: of each walker, at most; the chain ends as soon as it has settled.
    A law that lawful chose, and fitted by absolute distances, is fitted again by squares, and that is said.
    Raises ImportError naming the extra without emcee, ValueError for an unknown name or a fit without a likelihood.
    """
    fit = replace(fit, fits={k: _likely(f) for k, f in fit.items()}) if isinstance(fit, Fits) else _likely(fit)
    if isinstance(fit, Fits) and pool:
        from lawful.pooling import pooled

        known = {label: _priors(one, prior) for label, one in fit.items()}
        return pooled(fit, known, tuple(pool), steps, walkers, seed)
    if isinstance(fit, Fits):
        made = {k: draw(f, _priors(f, prior), steps, walkers, seed + i) for i, (k, f) in enumerate(fit.items())}
        return Posteriors(fit.by, made, {})
    if pool:
        raise ValueError("pool: groups learn from each other, and this is one fit: fit with by=COLUMN")
    return draw(fit, _priors(fit, prior), steps, walkers, seed)


def draw(fit: Fit, priors: Mapping[str, Prior], steps: int, walkers: int, seed: int) -> Posterior:
    """The posterior of one fit under priors by name."""
    density = log_posterior(fit, priors)
    made = sample(density, _start(fit, priors, density, seed), fit.model.natural, steps, seed, walkers=walkers)
    flat = made.places.reshape(-1, len(fit.theta))
    draws = fit.model.natural(flat[np.linspace(0, len(flat) - 1, min(_KEPT, len(flat))).astype(int)])
    names = fit.model.names
    said = [f for f in fit.findings if f.code == _REFITTED]
    findings = (*said, *_convergence(names, made))
    return Posterior(fit, names, draws, priors, made.rhat, made.tau, made.steps, findings)


def _likely(fit: Fit) -> Fit:
    """The fit, or that of squares where lawful chose to minimise what is no likelihood."""
    if fit.objective.squares or fit.objective.binomial or not is_chosen(fit):
        return fit
    squares = find_objective("log_lsq" if fit.objective.log else "lsq")
    made = fit_sets(fit.law, [fit.points], squares, fit.settings, None, None, [fit.fingerprint])[0]
    text = f"{fit.law.name} was fitted again by {squares.name}: {fit.objective.name}, which chose it, is no likelihood."
    return replace(made, findings=(*made.findings, Finding(_REFITTED, "note", text)))


def _priors(fit: Fit, given: str | Mapping[str, Any] | None) -> Mapping[str, Prior]:
    if not (fit.objective.squares or fit.objective.binomial):
        raise ValueError(f"a posterior needs a likelihood, and {fit.objective.name} is none: fit with log_lsq or lsq")
    if not fit.estimates:
        raise ValueError(f"the fit of {fit.law.name} has no free number")
    if given == "literature":
        return literature_priors(fit.law, tuple(fit.estimates))
    if isinstance(given, str):
        raise ValueError(f"prior is {given!r}; allowed: 'literature', or a mapping from names to (mean, sd)")
    out: dict[str, Prior] = {}
    for name, one in (given or {}).items():
        if name not in fit.estimates:
            raise ValueError(f"prior: the fit has no free number {name!r}; it has {', '.join(fit.estimates)}")
        out[name] = one if isinstance(one, Normal | StudentT) else Normal(float(one[0]), float(one[1]))
    return out


def _start(fit: Fit, priors: Mapping[str, Prior], density: Density, seed: int) -> Mixture:
    """Normals about the maxima that are reached from the optimum of the runs, and from draws of the priors.

    The density has many maxima where runs and prior disagree. Neither the runs' optimum nor the priors' means need lie
    near the highest; of hundreds of draws some do. The best of each batch is taken, so that not all are neighbours.
    """
    runs = _inside(fit)
    starts = [runs]
    if priors:
        drawn = _drawn(fit, priors, runs, np.random.default_rng(seed))
        height = density(drawn).reshape(_BATCHES, _DRAWN)
        best = drawn.reshape(_BATCHES, _DRAWN, -1)[np.arange(_BATCHES), height.argmax(1)]
        starts += [x for x, h in zip(best, height.max(1)) if np.isfinite(h)]
    found = [peak(density, start) for start in starts]
    height = density(np.stack([x for x, _ in found]))
    kept = [one for one, h in zip(found, height) if h >= height.max() - _BELOW]
    return around(np.stack([x for x, _ in kept]), np.stack([S for _, S in kept]))


def _drawn(fit: Fit, priors: Mapping[str, Prior], runs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Slots (rows, p) with numbers from their priors, and where there is none, from the optimum of the runs."""
    ranges = {slot.name: range_of(fit, slot).on for slot in fit.model.slots}
    out = np.tile(runs, (_BATCHES * _DRAWN, 1))
    for on in ("number", "slot"):  # the place of an amplitude hangs on its exponent, which goes first
        for name, prior in priors.items():
            if ranges[name] == on:
                k, values, drawn = fit.model.names.index(name), fit.model.natural(out), prior.draw(len(out), rng)
                values[:, k] = drawn if on == "number" else np.exp(drawn)
                out[:, k] = fit.model.search(values)[:, k]
    return out


def _inside(fit: Fit) -> np.ndarray:
    """The optimum's slots (p,), or the nearest place that the ranges of `density` allow."""
    ranges = [range_of(fit, slot) for slot in fit.model.slots]
    values = fit.model.natural(fit.theta)
    for i, one in enumerate(ranges):
        if one.on == "number":
            values[0, i] = np.clip(values[0, i], min(one.low, 0.9 * one.low), 0.9 * one.high)
    centre = fit.model.search(values)[0]
    level = log(float(np.median(np.abs(fit.points.y))))
    for i, (slot, one) in enumerate(zip(fit.model.slots, ranges)):
        if one.on == "slot":
            centre[i] = np.clip(centre[i], one.low + 0.5, one.high - 0.5)
        if slot.centre or slot.kind == "above":  # a term that is gone begins where it can still be seen
            centre[i] = max(centre[i], (level if slot.centre else 0.0) - 6.0)
    return centre


def _convergence(names: Sequence[str], made: Chain) -> Iterator[Finding]:
    worst, slow = (int(np.argmax(np.nan_to_num(x, nan=np.inf))) for x in (made.rhat, made.tau))
    times = f"{made.steps} steps are {made.steps / made.tau[slow]:.0f} autocorrelation times of {names[slow]}"
    told = f"{times}, split R-hat {made.rhat[worst]:.3f}"
    if not made.settled:
        text = f"The chain has not settled: {told} ({names[worst]}); {TIMES} and {RHAT} are asked for."
        yield Finding("not_converged", "warning", text, (), "Take more steps=, or a prior on what the runs leave open.")
    else:
        yield Finding("converged", "note", f"The chain has settled: {told}.")


def _tension(made: Posterior) -> Iterator[Finding]:
    """Which numbers the prior decides, and where the runs contradict it."""
    for name, prior in made.priors.items():
        slot = made.fit.model.slots[made.names.index(name)]
        log_scale = range_of(made.fit, slot).on == "slot"
        drawn, own = made.draws[:, made.names.index(name)], made.alone[name]
        low, high = map(np.exp, prior.ends(0.95)) if log_scale else prior.ends(0.95)
        if own.lower > high or own.upper < low:
            text = (
                f"The runs alone put {name} at {own.lower:.3g} to {own.upper:.3g}, outside what the prior expects, "
                f"{low:.3g} to {high:.3g}."
            )
            yield Finding("prior_conflict", "warning", text, (), "Believe neither before you know why.")
        elif float(np.std(np.log(drawn) if log_scale else drawn)) > 0.8 * prior.sd:
            text = f"{name} is hardly known from these runs: its posterior is the prior's."
            yield Finding("prior_decides", "note", text)
