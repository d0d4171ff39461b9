"""Weights: a test set that is not the target's mix, and instances that should count for more.

Strata. When a stratum is 6 % of the test set but 50 % of the target, each of its instances must stand for
eight. The estimate is then right on average, and its uncertainty is that of far fewer instances: Kish's
effective sample size says how many.

Reweighting by score. w_i proportional to exp(score_i / tau) is penalised by its distance from uniform,
KL(w || u). The sign decides what it does. Minimising sum w l + lambda KL gives w ~ exp(-l / lambda), which
turns away from hard instances; emphasis on them needs max_w sum w l - lambda KL, so w ~ exp(+l / lambda).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lawful.stats_bootstrap import Floats, percentile_interval, strata_groups
from lawful.stats_result import (
    CANNOT_TELL,
    StatResult,
    check_choice,
    check_level,
    check_resamples,
    interval_words,
    number,
    percent,
    same_length,
    vector,
)


def _check_shares(shares: Floats, sizes: NDArray[np.int_], names: Sequence[Hashable]) -> None:
    if (shares < 0).any() or abs(shares.sum() - 1) > 1e-9:
        raise ValueError(f"shares must be at least 0 and sum to 1; got {shares.tolist()}, sum {shares.sum():.6g}.")
    for name, share, size in zip(names, shares, sizes):
        if size == 0 and share > 0:
            raise ValueError(
                f"Stratum {name!r} has target share {number(share)} but no sample: the target's mean "
                "cannot be "
                "estimated. Sample it, or restrict the target and say so."
            )


def _weighted(
    means: Floats,
    variances: Floats,
    sizes: Floats,
    shares: Floats,
    level: float,
    unit: str,
    warnings: list[str],
) -> StatResult:
    from scipy.special import ndtri

    used = sizes > 0
    means, variances, sizes, pi = means[used], variances[used], sizes[used], shares[used]
    n = sizes.sum()
    M = float(pi @ means)
    se = float(np.sqrt(np.sum(pi**2 * variances / sizes)))
    w = pi / (sizes / n)
    ess = float((sizes @ w) ** 2 / (sizes @ w**2))
    if ess < n / 2:
        warnings.append(f"The weights leave the information of {ess:.4g} of {n:.0f} units (Kish).")
    half = float(ndtri((1 + level) / 2)) * se
    interval = (M - half, M + half)
    return StatResult(
        test="stratified, importance-weighted mean",
        estimate=M,
        interval=interval,
        p=None,
        n=int(n),
        unit=unit,
        smallest_p=None,
        alpha=1 - level,
        level=level,
        verdict=f"{number(M)}, {percent(level)} interval {interval_words(interval)} at the target's mix",
        warnings=tuple(warnings),
        details={"se": se, "ess": ess, "unweighted": float(sizes @ means / n), "weights": tuple(w.tolist())},
    )


def stratified_accuracy(
    accuracy: ArrayLike,
    sizes: Sequence[int],
    shares: ArrayLike,
    *,
    level: float = 0.95,
    unit: str = "instance",
) -> StatResult:
    """Accuracy at the target's mix of strata: M = sum_k pi_k a_k, Var = sum_k pi_k^2 a_k (1 - a_k) / n_k.

    Accuracy a_k, sample size n_k and target share pi_k per stratum. `details`: se, Kish's ess = (sum w)^2 /
    sum w^2 with w = pi_k / (n_k / n), the unweighted accuracy, one weight per sampled stratum. The interval
    is normal; a warning names strata with fewer than 5 right or wrong, where it is too narrow. Raises
    ValueError where n_k = 0 and pi_k > 0. Only for metrics that are means over instances: for F1 use
    `stratified_f1`.

    >>> round(stratified_accuracy([.8, .5, .2], [100, 50, 10], [.2, .3, .5]).estimate, 4)
    0.41
    """
    check_level(level)
    a, pi, k = vector("accuracy", accuracy), vector("shares", shares), np.asarray(sizes, dtype=int)
    same_length(accuracy=a, sizes=k, shares=pi)
    if (a < 0).any() or (a > 1).any():
        raise ValueError(f"accuracy must lie in [0, 1]; got {a.tolist()}.")
    if (k < 0).any():
        raise ValueError(f"sizes must be counts of at least 0; got {k.tolist()}.")
    _check_shares(pi, k, range(len(k)))
    warnings = [
        f"Stratum {i} has fewer than 5 right or 5 wrong: the interval is too narrow."
        for i in np.flatnonzero((k > 0) & (pi > 0) & (k * np.minimum(a, 1 - a) < 5 - 1e-9))
    ]
    return _weighted(a, a * (1 - a), k.astype(float), pi, level, unit, warnings)


def _shares_of(strata: Sequence[Hashable], shares: Mapping[Hashable, float]) -> tuple[list[Hashable], Floats]:
    """Names of all strata and their shares; a stratum of the sample without a share is refused, not
    dropped."""
    for label in dict.fromkeys(strata):
        if label not in shares:
            raise ValueError(
                f"shares names no share for stratum {label!r} of the sample; it names {list(shares)}. "
                "Give it 0 to "
                "leave it out."
            )
    return list(shares), vector("shares", list(shares.values()))


def _labels(strata: Sequence[Hashable] | NDArray) -> list[Hashable]:
    return strata.tolist() if isinstance(strata, np.ndarray) else list(strata)


def stratified_mean(
    values: ArrayLike,
    strata: Sequence[Hashable],
    shares: Mapping[Hashable, float],
    *,
    level: float = 0.95,
    unit: str = "instance",
) -> StatResult:
    """The same for any score that is a mean over instances (or a paired difference of two systems' scores).

    One value and one stratum label per instance; v_k is the sample variance (ddof 1), so each stratum with a
    share needs two instances. Raises ValueError for a stratum without sample, without a share, or with one
    instance.
    """
    check_level(level)
    x, labels = vector("values", values), _labels(strata)
    same_length(values=x, strata=labels)
    names, pi = _shares_of(labels, shares)
    code = {name: i for i, name in enumerate(names)}
    codes = np.array([code[label] for label in labels])
    sizes = np.bincount(codes, minlength=len(names))
    _check_shares(pi, sizes, names)
    for name, size, share in zip(names, sizes, pi):
        if size == 1 and share > 0:
            raise ValueError(f"Stratum {name!r} has one {unit}: its variance cannot be known. Merge it.")
    parts = [x[codes == i] for i in range(len(names))]
    means = np.array([part.mean() if len(part) else 0.0 for part in parts])
    variances = np.array([part.var(ddof=1) if len(part) > 1 else 0.0 for part in parts])
    warnings = [
        f"Stratum {name!r} does not vary in its {len(part)} units: the interval is too narrow."
        for name, part, v, share in zip(names, parts, variances, pi)
        if len(part) and v == 0 and share > 0
    ]
    return _weighted(means, variances, sizes.astype(float), pi, level, unit, warnings)


def _f1(truth: Floats, predicted: Floats, w: Floats) -> float:
    hit, wrong = np.sum(w * truth * predicted), np.sum(w * (truth != predicted))
    return float(2 * hit / (2 * hit + wrong)) if hit + wrong > 0 else 0.0


def stratified_f1(
    truth: ArrayLike,
    predicted: ArrayLike,
    strata: Sequence[Hashable],
    shares: Mapping[Hashable, float],
    *,
    resamples: int = 1999,
    level: float = 0.95,
    unit: str = "instance",
    seed: int | np.random.Generator = 0,
) -> StatResult:
    """F1 at the target's mix, from weighted counts: 2 TP / (2 TP + FP + FN), each instance weighing pi_k /
    (n_k / n).

    It is not the average of the strata's F1s. Percentile interval from a stratified bootstrap. 0 where there
    are no positives, true or predicted. Classes are 0 and 1.
    """
    from lawful.stats_result import zero_one

    check_level(level)
    check_resamples(resamples)
    t, q, labels = zero_one("truth", truth), zero_one("predicted", predicted), _labels(strata)
    n = same_length(truth=t, predicted=q, strata=labels)
    names, pi = _shares_of(labels, shares)
    sizes = np.array([labels.count(name) for name in names])
    _check_shares(pi, sizes, names)
    weight = {name: share * n / size if size else 0.0 for name, share, size in zip(names, pi, sizes)}
    w = np.array([weight[label] for label in labels])
    code = {name: i for i, name in enumerate(names)}
    groups, rng = strata_groups([code[label] for label in labels], n), np.random.default_rng(seed)
    draws = (np.concatenate([rng.choice(g, len(g)) for g in groups]) for _ in range(resamples))
    interval = percentile_interval(np.array([_f1(t[i], q[i], w[i]) for i in draws]), level)
    f1, ess = _f1(t, q, w), float(w.sum() ** 2 / np.sum(w**2))
    low_ess = f"The weights leave the information of {ess:.4g} of {n} units (Kish)."
    return StatResult(
        test="stratified, importance-weighted F1",
        estimate=f1,
        interval=interval,
        p=None,
        n=n,
        unit=unit,
        smallest_p=None,
        alpha=1 - level,
        level=level,
        verdict=f"{number(f1)}, {percent(level)} interval {interval_words(interval)} at the target's mix",
        warnings=(low_ess,) if ess < n / 2 else (),
        details={"ess": ess, "unweighted": _f1(t, q, np.ones(n))},
    )


@dataclass(frozen=True)
class Reweighting:
    """Instance weights (sum 1), KL(w || u) in nats, ess = 1 / sum w^2, the objective's value, and what it
    does."""

    weights: tuple[float, ...]
    kl: float
    ess: float
    value: float | None
    verdict: str
    warnings: tuple[str, ...] = ()


def _reweighting(log_w: Floats, value: Callable[[Floats, float], float | None], verdict: str) -> Reweighting:
    from scipy.special import logsumexp

    log_w = log_w - float(logsumexp(log_w))  # pyright: ignore[reportArgumentType]
    w, n = np.exp(log_w), len(log_w)
    kl = max(0.0, float(np.log(n) + w @ np.where(w > 0, log_w, 0.0)))
    ess = float(1 / np.sum(w**2))
    few = f"{ess:.3g} of {n} instances carry the weight (effective sample size)."
    return Reweighting(
        weights=tuple(w.tolist()),
        kl=kl,
        ess=ess,
        value=value(w, kl),
        verdict=verdict,
        warnings=(few,) if ess < n / 2 else (),
    )


def reweight(
    scores: ArrayLike,
    tau: float,
    losses: ArrayLike | None = None,
    penalty: float = 0.0,
    sign: str = "minimise",
) -> Reweighting:
    """w_i = exp(s_i / tau) / sum_j exp(s_j / tau), and J = sum w l + penalty KL ("minimise") or - penalty KL
    ("maximise").

    KL(w || u) = log n + sum w log w lies in [0, log n], 0 at uniform (tau -> infinity). `value` is J, None
    without `losses`. The verdict says how the weights lie to the losses.

    >>> round(reweight([2, 1, 0, -1], tau=1).kl, 4)
    0.4388
    """
    check_choice("sign", sign, ("minimise", "maximise"))
    s = vector("scores", scores)
    _positive("tau", tau)
    if losses is None:
        return _reweighting(s / tau, lambda w, kl: None, "no losses given: the direction of the emphasis is unknown")
    loss = vector("losses", losses)
    same_length(scores=s, losses=loss)
    signed = penalty if sign == "minimise" else -penalty
    w = np.exp((s - s.max()) / tau)
    shift = float(w @ loss / w.sum() - loss.mean())
    verdict = f"{CANNOT_TELL} a direction: the weighted loss equals the plain mean"
    if abs(shift) > 1e-12 * np.abs(loss).max():
        words = "emphasises" if shift > 0 else "turns away from"
        verdict = f"{words} hard instances (weighted - plain loss {number(shift)})"
    return _reweighting(s / tau, lambda w, kl: float(w @ loss + signed * kl), verdict)


def best_reweighting(losses: ArrayLike, penalty: float, sign: str = "maximise") -> Reweighting:
    """The weights that are best for a KL penalty, in closed form.

    * "minimise": min_w sum w l + penalty KL -> w ~ exp(-l / penalty), value -penalty log mean exp(-l /
      penalty);
    * "maximise": max_w sum w l - penalty KL -> w ~ exp(+l / penalty), value penalty log mean exp(+l /
      penalty).

    >>> round(best_reweighting([.1, .5, 1, 2], penalty=1).value, 6)
    1.167923
    """
    check_choice("sign", sign, ("minimise", "maximise"))
    loss = vector("losses", losses)
    _positive("penalty", penalty)
    up = 1 if sign == "maximise" else -1
    words = "emphasises" if up > 0 else "turns away from"
    return _reweighting(
        up * loss / penalty, lambda w, kl: float(w @ loss - up * penalty * kl), f"{words} hard instances"
    )


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{name} must be greater than 0; got {value!r}.")
