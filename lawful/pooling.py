r"""Groups that learn from each other: an exponent of each group, drawn from a normal of unknown mean and spread.

    alpha_g ~ Normal(mu, tau^2),   mu flat,   tau flat on 0 to T

(Gelman 2006 on the prior of tau; T is three times the range of the groups' own means, at least a tenth of their mean).
Each group is sampled by itself first. What mu and tau must explain is then the average of Normal(alpha; mu, tau) over a
group's draws (Hogg, Myers and Bovy 2010), so that the second step has two numbers per exponent, however many groups
there are, and a group's draws are weighted by the same normal. tau -> 0 is one exponent for all, tau -> infinity is no
pooling. The first step must be flat in the pooled numbers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lawful.findings import Finding
from lawful.posterior import Posterior, Posteriors, sample, split_rhat
from lawful.uncertainty import Interval

_DRAWS = 400  # of each group, on which the average is taken
_STEPS, _WALKERS = 1500, 24
_THIN = 50  # effective draws of a group below which its weights rest on too few


def pooled(by: str, groups: dict[str, Posterior], pool: tuple[str, ...], seed: int) -> Posteriors:
    """Partial pooling over groups sampled one by one. See the module.

    Raises ValueError for fewer than three groups, an unknown number, or one that already has a prior.
    """
    if len(groups) < 3:
        raise ValueError(f"pool: a spread over groups needs three or more; there are {len(groups)}")
    for label, one in groups.items():
        for name in pool:
            if name not in one.names:
                raise ValueError(f"pool: group {label} has no free number {name!r}; it has {', '.join(one.names)}")
            if name in one.priors:
                raise ValueError(f"pool: {name} has a prior already; pool it or give it one")
    rng = np.random.default_rng(seed)
    own = [one.draws[:, [one.names.index(name) for name in pool]] for one in groups.values()]
    few = np.stack([x[rng.choice(len(x), min(_DRAWS, len(x)), replace=len(x) < _DRAWS)] for x in own])  # (G, S, K)
    hyper, found = _hyper(few, seed)
    shrunken = {}
    for (label, one), x in zip(groups.items(), own):
        draws, effective = _weighted(one.draws, x, hyper, rng)
        note = _few(label, effective)
        shrunken[label] = replace(one, draws=draws, findings=(*one.findings, *note))
    spread = {name: (_interval(hyper[:, k, 0]), _interval(hyper[:, k, 1])) for k, name in enumerate(pool)}
    return Posteriors(by, shrunken, spread, found)


def _hyper(few: np.ndarray, seed: int) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """Draws (S, K, 2) of mu and tau of each pooled number, from draws (G, S, K) of the groups."""
    K = few.shape[2]
    means = few.mean(1)
    top = 3 * np.maximum(np.ptp(means, axis=0), 0.1 * np.abs(means.mean(0)))

    def density(h: np.ndarray) -> np.ndarray:
        mu, tau = h[:, None, None, :K], h[:, None, None, K:]
        with np.errstate(all="ignore"):
            z = -0.5 * ((few - mu) / tau) ** 2 - np.log(tau)  # (rows, G, S, K)
            each = z.sum(-1)
            best = each.max(-1, keepdims=True)
            out = (best[..., 0] + np.log(np.exp(each - best).mean(-1))).sum(-1)
        inside = ((h[:, K:] > 1e-3 * top) & (h[:, K:] < top)).all(1)
        return np.where(inside & np.isfinite(out), out, -np.inf)

    rng = np.random.default_rng(seed)
    start = np.concatenate(
        [
            means.mean(0) + 0.1 * means.std(0) * rng.standard_normal((_WALKERS, K)),
            top / 6 * np.exp(0.3 * rng.standard_normal((_WALKERS, K))),
        ],
        axis=1,
    )
    chain = sample(density, start, _STEPS, seed)[0][_STEPS // 4 :]
    worst = float(np.nanmax(split_rhat(chain)))
    settled = worst < 1.05
    text = f"The chain of the groups' mean and spread has {'' if settled else 'not '}settled: split R-hat {worst:.3f}."
    note = Finding("converged" if settled else "not_converged", "note" if settled else "warning", text)
    flat = chain.reshape(-1, 2 * K)[:: max(1, chain.shape[0] * _WALKERS // 2000)]
    return np.stack([flat[:, :K], flat[:, K:]], axis=2), (note,)


def _weighted(
    draws: np.ndarray, own: np.ndarray, hyper: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Draws of a group given the others, one for each draw of mu and tau; and how many of its draws carry them."""
    out = np.empty((len(hyper), draws.shape[1]))
    effective = []
    for i, h in enumerate(hyper):
        z = (-0.5 * ((own - h[:, 0]) / h[:, 1]) ** 2).sum(1)
        w = np.exp(z - z.max())
        w /= w.sum()
        effective.append(1 / (w**2).sum())
        out[i] = draws[np.searchsorted(np.cumsum(w), rng.random() * (1 - 1e-12))]
    return out, float(np.median(effective))


def _few(label: str, effective: float) -> tuple[Finding, ...]:
    if effective >= _THIN:
        return ()
    text = f"Pooling {label} rests on {effective:.0f} of its draws: the other groups expect what it hardly allows."
    return (Finding("pooling_thin", "warning", text, (), "Take more steps=, or leave this group out of the pool."),)


def _interval(sample_: np.ndarray) -> Interval:
    low, high = np.percentile(sample_, [2.5, 97.5])
    return Interval(float(sample_.mean()), float(low), float(high), 0.95, "posterior")
