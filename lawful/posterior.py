r"""What do these few runs say, given what is known from others? A posterior, beside the answer of the runs alone.

    made = posterior(fit, prior="literature")     # published exponents of the law as a prior
    made = posterior(fit, prior={"alpha": (0.34, 0.05), "E": (1.7, 0.2)})   # normal: mean and sd
    made = posterior(fits, pool=("alpha", "beta"))        # groups learn from each other
    print(made)

The likelihood is the fit's: normal errors of unknown spread, which is integrated out with the prior 1 / sigma, so that
$p(\theta | y) \propto \pi(\theta) RSS(\theta)^{-n/2}$; or binomial counts. Where nothing else is said, pi is flat:

* on offsets, shares and coefficients within their bounds, and on exponents up to 5: few runs would allow any;
* on the log of what has no natural size: an amplitude's or scale's term at the middle of the data, from a millionth of
  the data's level to a hundred times it; a location, from a thousandth of the smallest value to a thousand times the
  largest; a width, from 1e-3 to 1e3.

For a law that is linear in its numbers the flat posterior is the t distribution of least squares.

Sampling is emcee's affine-invariant ensemble (Goodman and Weare 2010; Foreman-Mackey et al. 2013), extra `bayes`. It
is believed where the chain is 50 autocorrelation times long and split R-hat is below 1.05; else a finding says no.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any

import numpy as np

from lawful.findings import Finding
from lawful.fit import Fit, Fits
from lawful.priors import Normal, StudentT, literature_priors
from lawful.solve import values as objective_values
from lawful.spread import slot_slopes
from lawful.uncertainty import Interval, intervals

Prior = Normal | StudentT
_TIMES, _RHAT = 50, 1.05  # autocorrelation times that a chain must be long; split R-hat from which it has not settled
_KEPT = 4000  # draws kept
_TURNS = 2  # a chain that has not settled is continued once, to three times its length


@dataclass(frozen=True, repr=False)
class Posterior:
    """Draws from the posterior of one fit, and its unpooled intervals beside them.

    draws (S, p): the free numbers by ``names``. priors: what was known, by name. alone: intervals of the runs alone.
    rhat (p,), tau (p,): split R-hat and autocorrelation times, in steps; steps: length of the chain after burn-in.
    """

    fit: Fit
    names: tuple[str, ...]
    draws: np.ndarray
    priors: Mapping[str, Prior]
    alone: Mapping[str, Interval]
    rhat: np.ndarray
    tau: np.ndarray
    steps: int
    findings: tuple[Finding, ...] = ()

    def intervals(self, level: float = 0.95) -> dict[str, Interval]:
        """Posterior mean and equal-tailed interval of each number."""
        tail = 50 * (1 - level)
        ends = np.percentile(self.draws, [tail, 100 - tail], axis=0)
        doubt = "" if self.settled else "cannot tell: the chain has not settled"
        return {
            name: Interval(
                float(self.draws[:, i].mean()), float(ends[0, i]), float(ends[1, i]), level, "posterior", doubt
            )
            for i, name in enumerate(self.names)
        }

    @property
    def settled(self) -> bool:
        """Whether the chain is long enough and its parts agree."""
        return not any(f.code == "not_converged" for f in self.findings)

    def predict(self, level: float = 0.9, **variables: Any) -> list[Interval]:
        """The law at points (numbers or arrays that broadcast): posterior mean and interval of the mean of runs."""
        from lawful.places import collect

        X, group, _ = collect(self.fit, None, variables)
        theta = self.fit.model.search(self.draws)
        with np.errstate(all="ignore"):
            f = np.asarray(self.fit.model.evaluate(theta, X, derivatives=False))
        m = np.shape(next(iter(X.values())))[-1]
        f = np.broadcast_to(f, (len(theta), m))
        tail = 50 * (1 - level)
        low, high = np.percentile(f, [tail, 100 - tail], axis=0)
        doubt = "" if self.settled else "cannot tell: the chain has not settled"
        return [
            Interval(float(f[:, j].mean()), float(low[j]), float(high[j]), level, "posterior", doubt) for j in range(m)
        ]

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
            prior = self.priors.get(name)
            own = self.alone[name]
            alone = f"{own.estimate:.4g} [{own.lower:.4g}, {own.upper:.4g}]"
            lines.append(f"{name:<12}{str(replace(mine[name], verdict='')):<34}{alone:<40}{prior or 'flat'}")
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

    def __str__(self) -> str:
        lines = [f"{k} over {len(self)} groups: mean {m}; sd between groups {s}" for k, (m, s) in self.pooled.items()]
        parts = [f"{self.by} = {label}\n{one}" for label, one in self.posteriors.items()]
        return "\n\n".join(["\n".join([*lines, *map(str, self.findings)])] * bool(lines or self.findings) + parts)


def posterior(
    fit: Fit | Fits, prior: str | Mapping[str, Any] | None = None, *, pool: Sequence[str] = (), steps: int = 2000,
    walkers: int = 48, seed: int = 0,
) -> Posterior | Posteriors:  # fmt: skip
    """Sample the posterior of a fit, or of fits by group.

    prior: None (flat), "literature" (`priors.literature_priors`), or {name: (mean, sd) | `Normal` | `StudentT`}.
    pool: for `Fits`, numbers that are normal over groups with unknown mean and spread (`lawful.pooling`).
    steps: of each walker, three times as many where the chain has not settled; the first quarter is left out.
    Raises ImportError naming the extra without emcee, ValueError for an unknown name or a fit without a likelihood.
    """
    if isinstance(fit, Fits):
        made = {
            k: posterior(f, prior, steps=steps, walkers=walkers, seed=seed + i) for i, (k, f) in enumerate(fit.items())
        }
        single = {k: m for k, m in made.items() if isinstance(m, Posterior)}
        if not pool:
            return Posteriors(fit.by, single, {})
        from lawful.pooling import pooled

        return pooled(fit.by, single, tuple(pool), seed)
    if pool:
        raise ValueError("pool: groups learn from each other, and this is one fit: fit with by=COLUMN")
    known = _priors(fit, prior)
    density, start = _density(fit, known), _start(fit, max(walkers, 2 * len(fit.estimates) + 2), seed)
    natural, rhat, tau = _settle(fit, density, start, steps, seed)
    flat = natural.reshape(-1, natural.shape[-1])
    draws = flat[np.linspace(0, len(flat) - 1, min(_KEPT, len(flat))).astype(int)]
    alone = intervals(fit)
    found = (*_convergence(fit.model.names, rhat, tau, len(natural)), *_tension(fit, known, draws, alone))
    return Posterior(fit, fit.model.names, draws, known, alone, rhat, tau, len(natural), found)


def _settle(
    fit: Fit, density: Callable[[np.ndarray], np.ndarray], start: np.ndarray, steps: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A chain of the numbers themselves (steps, walkers, p), continued where it has not settled; R-hat and tau (p,)."""
    state: Any = start
    natural = np.empty((0, *start.shape))
    for turn in range(_TURNS):
        chain, state = sample(density, state, steps * 2**turn, seed + turn)
        natural = np.concatenate([natural, fit.model.natural(chain.reshape(-1, start.shape[1])).reshape(chain.shape)])
        kept = natural[len(natural) // 4 :]
        rhat, tau = split_rhat(kept), _autocorrelation(kept)
        if _is_settled(rhat, tau, len(kept)):
            break
    return kept, rhat, tau


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


def _density(fit: Fit, priors: Mapping[str, Prior]) -> Callable[[np.ndarray], np.ndarray]:
    """Log posterior (rows,) at slots (rows, p), up to a constant."""
    model, n, problems, how = fit.model, fit.n, fit.problems, fit.objective
    boxes = [_box(fit, i) for i in range(model.size)]

    def log_density(theta: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            F = objective_values(model, theta, problems, np.zeros(len(theta), int), how)
            out = -F if how.binomial else -0.5 * n * np.log(F)
            natural = model.natural(theta)
            for i, (on_slot, low, high) in enumerate(boxes):
                v = theta[:, i] if on_slot else natural[:, i]
                out = np.where((v > low) & (v < high), out, -np.inf)
                if not on_slot:  # flat on the number itself: the slope of the map from the slot comes in
                    out = out + np.log(np.abs(np.broadcast_to(model.value(i, theta)[1][i], (len(theta), 1))[:, 0]))
            for name, one in priors.items():
                k = model.names.index(name)
                out = out + one.log_density(np.log(natural[:, k]) if boxes[k][0] else natural[:, k])
        return np.where(np.isfinite(out), out, -np.inf)

    return log_density


def _box(fit: Fit, i: int) -> tuple[bool, float, float]:
    """Whether the prior of slot i is flat on the slot (a log) or on the number itself, and from where to where."""
    slot = fit.model.slots[i]
    one = next(p for p in fit.law.parameters if p.name == slot.parameter)
    if slot.centre:
        level = 0.0 if slot.inside else log(float(np.median(np.abs(fit.points.y))))
        return True, level + log(1e-6), level + log(1e2)
    if slot.kind == "above" and slot.lower == 0 and one.kind in ("location", "scale"):
        x = np.concatenate([np.ravel(fit.points.X[v]) for v in one.on])
        x = x[x > 0]
        return True, log(x.min() / 1e3), log(x.max() * 1e3)
    if slot.kind == "above" and slot.lower == 0 and one.kind == "width":
        return True, log(1e-3), log(1e3)
    if one.kind == "exponent":
        return False, max(slot.lower, -5.0), min(slot.upper, 5.0)
    return False, slot.lower, slot.upper


def _start(fit: Fit, walkers: int, seed: int) -> np.ndarray:
    """Walkers (walkers, p) about the optimum: within its standard errors where those are known, else nearby."""
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        try:
            inverse = np.linalg.inv(slot_slopes(fit.model, fit.theta))
            sd = np.sqrt(np.diag(inverse @ np.nan_to_num(fit.covariance) @ inverse.T))
        except np.linalg.LinAlgError:
            sd = np.zeros(len(fit.theta))
    sd = np.clip(np.where(np.isfinite(sd) & (sd > 0), sd, 0.05), 1e-6, 0.3 + 0.1 * np.abs(fit.theta))
    centre = fit.theta.copy()
    level = log(float(np.median(np.abs(fit.points.y))))
    for i, slot in enumerate(fit.model.slots):  # a term that is gone begins where it can still be seen
        if slot.centre or slot.kind == "above":
            centre[i] = max(centre[i], (level if slot.centre else 0.0) - 6.0)
    return centre + 0.5 * sd * rng.standard_normal((walkers, len(centre)))


def sample(
    density: Callable[[np.ndarray], np.ndarray], start: np.ndarray, steps: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """A chain (steps, walkers, p) from walkers (walkers, p), and where the walkers end."""
    try:
        import emcee
    except ImportError:
        raise ImportError("a posterior needs emcee, which is not installed: pip install 'lawful[bayes]'") from None
    start, rng = start.copy(), np.random.default_rng(seed)
    for _ in range(50):  # walkers that began outside the prior begin beside one that did not
        bad = ~np.isfinite(density(start))
        if not bad.any():
            break
        if bad.all():
            raise ValueError("the prior excludes the neighbourhood of the fit: the two have nothing in common")
        pick = rng.choice(np.flatnonzero(~bad), int(bad.sum()))
        start[bad] = start[pick] + 1e-3 * (1 + np.abs(start[pick])) * rng.standard_normal((len(pick), start.shape[1]))
    moves = [(emcee.moves.DEMove(), 0.6), (emcee.moves.DESnookerMove(), 0.1), (emcee.moves.StretchMove(), 0.3)]
    walkers, free = start.shape
    sampler = emcee.EnsembleSampler(walkers, free, density, vectorize=True, moves=moves)
    state = np.random.RandomState(seed).get_state()
    with np.errstate(all="ignore"):
        end = sampler.run_mcmc(emcee.State(start, random_state=state), steps)
    return np.asarray(sampler.get_chain()), np.asarray(end.coords)  # type: ignore[union-attr]


def split_rhat(chain: np.ndarray) -> np.ndarray:
    """Split R-hat (p,) of a chain (steps, walkers, p): each walker's halves against each other (Gelman et al. 2013)."""
    half = len(chain) // 2
    parts = np.concatenate([chain[:half], chain[half : 2 * half]], axis=1)
    within = parts.var(0, ddof=1).mean(0)
    between = parts.mean(0).var(0, ddof=1)
    with np.errstate(all="ignore"):
        return np.sqrt((half - 1) / half + between / within)


def _autocorrelation(chain: np.ndarray) -> np.ndarray:
    import emcee

    with np.errstate(all="ignore"):  # a walker that never moved has no autocorrelation: nan, and not settled
        return emcee.autocorr.integrated_time(chain, tol=0)


def _is_settled(rhat: np.ndarray, tau: np.ndarray, steps: int) -> bool:
    return bool(np.isfinite([rhat, tau]).all() and rhat.max() < _RHAT and steps >= _TIMES * tau.max())


def _convergence(names: Sequence[str], rhat: np.ndarray, tau: np.ndarray, steps: int) -> Iterator[Finding]:
    worst, slow = (int(np.argmax(np.nan_to_num(x, nan=np.inf))) for x in (rhat, tau))
    times = f"{steps} steps are {steps / tau[slow]:.0f} autocorrelation times of {names[slow]}"
    told = f"{times}, split R-hat {rhat[worst]:.3f}"
    if not _is_settled(rhat, tau, steps):
        text = f"The chain has not settled: {told} ({names[worst]}); {_TIMES} and {_RHAT} are asked for."
        yield Finding("not_converged", "warning", text, (), "Take more steps=, or a prior on what the runs leave open.")
    else:
        yield Finding("converged", "note", f"The chain has settled: {told}.")


def _tension(
    fit: Fit, priors: Mapping[str, Prior], draws: np.ndarray, alone: Mapping[str, Interval]
) -> Iterator[Finding]:
    """Which numbers the prior decides, and where the runs contradict it."""
    for name, prior in priors.items():
        sample_, own = draws[:, fit.model.names.index(name)], alone[name]
        low, high = prior.ends(0.95)
        if own.lower > high or own.upper < low:
            text = (
                f"The runs alone put {name} at {own.lower:.3g} to {own.upper:.3g}, outside what the prior expects, "
                f"{low:.3g} to {high:.3g}."
            )
            yield Finding("prior_conflict", "warning", text, (), "Believe neither before you know why.")
        elif float(np.std(sample_)) > 0.8 * prior.sd:
            text = f"{name} is hardly known from these runs: its posterior is the prior's."
            yield Finding("prior_decides", "note", text)
