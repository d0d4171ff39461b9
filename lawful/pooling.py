r"""Groups that learn from each other: an exponent of each group, drawn from a normal of unknown mean and spread.

    alpha_g ~ Normal(mu, tau^2),   mu flat,   tau flat on 0 to T

(Gelman 2006 on the prior of tau; T is three times the range of the groups' own means, at least a tenth of their mean).
Each group is sampled by itself first, under a wide t prior about the groups' estimates. What mu and tau must explain is
then the average of Normal(alpha; mu, tau) over a group's draws, each divided by that t (Hogg, Myers and Bovy 2010), so
that the second step has two numbers per exponent, however many groups there are, and the wide prior is gone. A group's
draws are weighted by the same ratio. tau -> 0 is one exponent for all, tau -> infinity is no pooling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from lawful.ensemble import Mixture, around, sample
from lawful.findings import Finding
from lawful.fit import Fits
from lawful.posterior import Posterior, Posteriors, Prior, draw
from lawful.priors import StudentT
from lawful.uncertainty import Interval

_DRAWS, _WEIGHED = 400, 2000  # of each group: those whose average is taken, and those that are weighted
_HYPER = 1000  # draws of mean and spread, each of which is answered by two draws of a group
_WALKERS, _POINTS = 32, 1000
_THIN = 50  # effective draws of a group below which its weights rest on too few
_DOF = 3


def pooled(
    fits: Fits, priors: Mapping[str, Mapping[str, Prior]], pool: tuple[str, ...], steps: int, walkers: int, seed: int
) -> Posteriors:
    """Partial pooling over groups sampled one by one. See the module.

    Raises ValueError for fewer than three groups, an unknown number, or one that already has a prior.
    """
    _check(fits, priors, pool)
    wide = {name: _wide(np.array([f.estimates[name] for f in fits.values()])) for name in pool}
    groups = {
        label: draw(fit, {**priors[label], **wide}, steps, walkers, seed + i)
        for i, (label, fit) in enumerate(fits.items())
    }
    rng = np.random.default_rng(seed)
    own = {label: _own(one, wide, rng) for label, one in groups.items()}
    hyper, found = _hyper([x[rng.choice(len(x), _DRAWS)] for _, x in own.values()], wide, steps, seed)
    made = {}
    for label, one in groups.items():
        draws, effective = _weighted(*own[label], hyper, wide, rng)
        notes = (*one.notes, *_few(label, effective))
        made[label] = replace(one, draws=draws, priors=priors[label], notes=notes, shared=pool)
    spread = {name: (_interval(hyper[:, k]), _interval(hyper[:, len(pool) + k])) for k, name in enumerate(pool)}
    return Posteriors(fits.by, made, spread, found)


def _check(fits: Fits, priors: Mapping[str, Mapping[str, Prior]], pool: tuple[str, ...]) -> None:
    if len(fits) < 3:
        raise ValueError(f"pool: a spread over groups needs three or more; there are {len(fits)}")
    for label, fit in fits.items():
        for name in pool:
            if name not in fit.estimates:
                raise ValueError(f"pool: group {label} has no free number {name!r}; it has {', '.join(fit.estimates)}")
            if name in priors[label]:
                raise ValueError(f"pool: {name} has a prior already; pool it or give it one")


def _wide(estimates: np.ndarray) -> StudentT:
    """A t prior about the groups' estimates, twice as wide as their middle half says, which the weights take back."""
    low, middle, high = np.percentile(estimates, [25, 50, 75])
    scale = max(2 * (high - low) / 1.349, 0.2 * abs(middle), 1e-6)
    return StudentT(float(middle), float(scale), _DOF)


def _own(one: Posterior, wide: Mapping[str, StudentT], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws (S, p) of a group, and of its pooled numbers (S, K)."""
    draws = one.draws[rng.choice(len(one.draws), min(_WEIGHED, len(one.draws)), replace=False)]
    return draws, draws[:, [one.names.index(name) for name in wide]]


def _log_ratio(x: np.ndarray, hyper: np.ndarray, wide: Mapping[str, StudentT]) -> np.ndarray:
    """Log of Normal(x; mu, tau) over the wide prior, (rows, S), at draws (S, K) and mu, tau (rows, 2K)."""
    K = len(wide)
    mu, tau = hyper[:, :K], hyper[:, K:]
    # the square, multiplied out, is one product of matrices; about the middle, where it does not cancel
    middle = np.array([one.mean for one in wide.values()])
    x_, mu_ = x - middle, mu - middle
    square = (0.5 / tau**2) @ (x_**2).T - (mu_ / tau**2) @ x_.T + (0.5 * mu_**2 / tau**2).sum(1)[:, None]
    taken = sum(one.log_density(x[:, k]) for k, one in enumerate(wide.values()))
    return -square - np.log(tau).sum(1)[:, None] - taken


def _hyper(
    few: list[np.ndarray], wide: Mapping[str, StudentT], steps: int, seed: int
) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """Draws (S, 2K) of mu and tau of each pooled number, from draws (S, K) of each group."""
    K = len(wide)
    means = np.array([x.mean(0) for x in few])
    top = 3 * np.maximum(np.ptp(means, axis=0), 0.1 * np.abs(means.mean(0)))

    def numbers(h: np.ndarray) -> np.ndarray:
        return np.concatenate([h[:, :K], np.exp(h[:, K:])], axis=1)

    def density(h: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            at = numbers(h)
            out = h[:, K:].sum(1)  # flat on tau, which is walked on its log
            for x in few:
                each = _log_ratio(x, at, wide)
                best = each.max(1)
                out = out + best + np.log(np.exp(each - best[:, None]).mean(1))
        inside = ((at[:, K:] > 1e-3 * top) & (at[:, K:] < top)).all(1)
        return np.where(inside & np.isfinite(out), out, -np.inf)

    chain = sample(density, _beginning(means, top), numbers, steps, seed, walkers=_WALKERS, points=_POINTS)
    worst, times = float(np.max(chain.rhat)), chain.steps / float(np.max(chain.tau))
    text = (
        f"{'has' if chain.settled else 'has not'} settled: split R-hat {worst:.3f}, {times:.0f} autocorrelation times."
    )
    code, severity = ("converged", "note") if chain.settled else ("not_converged", "warning")
    flat = chain.places.reshape(-1, 2 * K)
    few_rows = numbers(flat[np.linspace(0, len(flat) - 1, min(_HYPER, len(flat))).astype(int)])
    return few_rows, (Finding(code, severity, f"The chain of the groups' mean and spread {text}"),)


def _beginning(means: np.ndarray, top: np.ndarray) -> Mixture:
    groups, K = means.shape
    sd = np.concatenate([means.std(0) / np.sqrt(groups) + 1e-3 * top, np.full(K, 0.5)])
    centre = np.concatenate([np.median(means, 0), np.log(np.maximum(means.std(0), 0.02 * top))])
    return around(centre[None], np.diag(sd**2)[None])


def _weighted(
    draws: np.ndarray, own: np.ndarray, hyper: np.ndarray, wide: Mapping[str, StudentT], rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Draws of a group given the others, two for each draw of mu and tau; and how many of its draws carry them."""
    log_w = _log_ratio(own, hyper, wide)
    w = np.exp(log_w - log_w.max(1)[:, None])
    total = np.cumsum(w, axis=1)
    effective = total[:, -1] ** 2 / (w * w).sum(1)
    u = rng.random((len(hyper), 2)) * (1 - 1e-12)
    picks = [np.searchsorted(t, t[-1] * one) for t, one in zip(total, u)]
    return draws[np.ravel(picks)], float(np.median(effective))


def _few(label: str, effective: float) -> tuple[Finding, ...]:
    if effective >= _THIN:
        return ()
    text = f"Pooling {label} rests on {effective:.0f} of its draws: the other groups expect what it hardly allows."
    return (Finding("pooling_thin", "warning", text, (), "Take more steps=, or leave this group out of the pool."),)


def _interval(drawn: np.ndarray) -> Interval:
    low, middle, high = map(float, np.percentile(drawn, [2.5, 50, 97.5]))
    return Interval(middle, low, high, 0.95, "posterior")
