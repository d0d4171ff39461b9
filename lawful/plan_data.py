"""Data as the limit: repeat it, filter it, mix it, and cut it into tokens.

Repetition under a budget is a limit like any other: ``plan(fit, flops=1e22, unique_tokens=2e10)``. Here are the
questions about the data themselves: what filtering is worth at this compute (`filtering`), how much of a domain to mix
in when a model goes on training (`continued`), and how large the vocabulary should be (`vocabulary`). Mixtures of many
domains are fitted to runs by `lawful.mixtures`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lawful.assumptions import exactly
from lawful.belief import Belief, belief, positive
from lawful.findings import Finding
from lawful.laws.mixture import cmr, dcpt
from lawful.laws.quality import goyal_filtering
from lawful.laws.vocabulary import vocab_derivative, vocab_isoflop, vocab_loss
from lawful.plan import NEAR, Plan, doubts
from lawful.surface import lowest, near_range, surface
from lawful.uncertainty import Interval

_SIZES = (np.log(1e3), np.log(1e16))


def filtering(
    source: Any, *, flops: float, unique_tokens: float, kept: Sequence[float], worth: Sequence[float],
    level: float = 0.9, seed: int = 0,
) -> Plan:  # fmt: skip
    """How much of a pool of ``unique_tokens`` to keep, at this compute.

    kept: shares of the pool, 1 for all of it. worth: of each share, how many tokens of the whole pool one of its tokens
    is worth (measured by small runs of the same length: the tokens at which both reach the same loss). Fewer, better
    tokens are repeated sooner, so the best share grows with compute (Goyal et al. 2024, here with Muennighoff's worth
    of repeats). Answers: the share, size, tokens and loss; crossing: compute from which the next larger share wins.

    Raises ValueError for shares that are not in (0, 1] or not as many as their worths.
    """
    held = belief(source, seed=seed)
    C, U = positive("flops", flops), positive("unique_tokens", unique_tokens)
    shares, gains = np.asarray(kept, float), np.asarray(worth, float)
    if shares.ndim != 1 or shares.shape != gains.shape or not len(shares):
        raise ValueError(f"filtering: kept has {shares.size} shares and worth {gains.size}; give one worth per share")
    if np.any(shares <= 0) or np.any(shares > 1) or np.any(gains <= 0):
        raise ValueError(f"filtering: kept is {list(kept)}, worth {list(worth)}; shares lie in (0, 1], worths above 0")
    order = np.argsort(shares)
    options = [_option(held, C, U, float(shares[i]), float(gains[i])) for i in order]
    losses = [o["L"][0] for o in options]
    best = int(np.argmin(losses))
    drawn = None
    if held.draws is not None:
        drawn = shares[order][np.argmin([o["L"][1] for o in options], axis=0)]
    rows = [
        {"kept": float(shares[i]), "worth": float(gains[i]), "L": held.of_draws(*o["L"], level), "N": o["N"][0],
         "D": o["D"][0], "epochs": o["D"][0] / (U * float(shares[i]))}
        for i, o in zip(order, options)
    ]  # fmt: skip
    found = {name: held.of_draws(*options[best][name], level) for name in ("N", "D", "L")}
    found = {"kept": held.of_draws(float(shares[order[best]]), drawn, level)} | found
    found["epochs"] = exactly(rows[best]["epochs"], level)
    if best + 1 < len(order):
        i, j = order[best], order[best + 1]
        found["crossing"] = _crossing(held, U, (shares[i], gains[i]), (shares[j], gains[j]), level)
    good = [r["kept"] for r, loss in zip(rows, losses) if loss <= NEAR * losses[best]]
    sharp = "the worths are yours and taken as exact; worth of repeats from C4 (muennighoff2023)"
    notes = (*doubts(held, *held.distance(D=options[best]["D"][0])), Finding("worth", "note", f"Filtering: {sharp}."))
    return Plan(
        f"which share of {U:.4g} tokens to keep for {C:.4g} FLOP", found, {"kept": (min(good), max(good))},
        choices=tuple(rows), findings=notes, source=held.source, given={"flops": C, "unique_tokens": U},
    )  # fmt: skip


def _option(held: Belief, C: float, U: float, share: float, gain: float) -> dict[str, tuple[float, Any]]:
    """Best size, tokens and loss for a share of the pool whose tokens are worth ``gain`` each."""
    form = surface(held, U * share * gain)  # in tokens of the whole pool

    def loss(x: Any, v: Mapping[str, Any]) -> Any:
        N = np.exp(x)
        return form.loss(v, N, np.maximum(gain * C / (6 * N), 1e-30))

    def solved(v: Mapping[str, Any], size: int | None) -> tuple[Any, Any, Any]:
        low = _SIZES[0] if size is None else np.full(size, _SIZES[0])
        x = lowest(lambda z: loss(z, v), low, _SIZES[1])
        return np.exp(x), C / (6 * np.exp(x)), loss(x, v)

    with np.errstate(all="ignore"):
        here = solved(held.values, None)
        there = solved(held.draws, len(held)) if held.draws is not None else (None, None, None)
    return {name: (float(c), s) for name, c, s in zip(("N", "D", "L"), here, there)}


def _crossing(held: Belief, U: float, small: tuple[Any, Any], large: tuple[Any, Any], level: float) -> Interval:
    """Compute at which the larger share becomes the better one; by the values believed."""
    low, high = np.log(1e15), np.log(1e30)

    def ahead(log_c: float) -> bool:
        losses = [_option_loss(held, float(np.exp(log_c)), U, *map(float, one)) for one in (small, large)]
        return losses[1] < losses[0]

    if not ahead(high) or ahead(low):
        at = np.inf if not ahead(high) else np.exp(low)
        return Interval(float(at), np.nan, np.nan, level, "none", "outside 1e15 to 1e30 FLOP")
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if ahead(middle) else (middle, high)
    return Interval(float(np.exp(high)), np.nan, np.nan, level, "none", held.verdict or "at the values believed")


def _option_loss(held: Belief, C: float, U: float, share: float, gain: float) -> float:
    point = Belief(held.law, held.values, None, held.source)
    return _option(point, C, U, share, gain)["L"][0]


def pools(
    values: Mapping[str, Any], sizes: Sequence[float], *, examples: float, d: float, level: float = 0.9,
) -> Plan:  # fmt: skip
    """Goyal's own law for pools of different quality: which of them to train on for so many examples seen.

    values: a (shared), and per pool, best first, b (utility) and tau (wear), as lists: your own fits, since the paper
    published none. sizes: examples per pool. The first k pools together are seen examples / sum(sizes) times; their
    utility is the mean of their b weighted by size, and each tau stretches k-fold (the paper's rule for mixed pools).
    """
    b, tau, n = (np.asarray(x, float) for x in (values["b"], values["tau"], sizes))
    if not (b.shape == tau.shape == n.shape and b.ndim == 1 and len(b)):
        raise ValueError(f"pools: b has {b.size}, tau {tau.size} and sizes {n.size} entries; give one of each per pool")
    E = positive("examples", examples)
    rows = []
    for k in range(1, len(n) + 1):
        total, weight = n[:k].sum(), n[:k] / n[:k].sum()
        passes = E / total
        error = goyal_filtering(
            min(E, total),
            max(passes, 1.0),
            a=values["a"],
            b=float(weight @ b[:k]),
            tau=float(weight @ tau[:k]) * k,
            d=d,
        )
        rows.append({"pools": k, "examples": float(total), "epochs": passes, "error": float(np.squeeze(error))})
    best = min(rows, key=lambda r: r["error"])
    good = [r["pools"] for r in rows if r["error"] <= NEAR * best["error"]]
    given = "given without interval"
    found = {n: Interval(float(best[n]), np.nan, np.nan, level, "none", given) for n in ("pools", "epochs", "error")}
    return Plan(
        f"which pools for {E:.4g} examples seen", found, {"pools": (min(good), max(good))}, choices=tuple(rows),
        source="goyal_filtering with given values", given={"examples": E},
    )  # fmt: skip


def continued(
    *, tokens: float, source: Any = None, params: float | None = None, general: Any = None, weight: float = 0.5,
    level: float = 0.9,
) -> Plan:  # fmt: skip
    """Which share of domain data when a model goes on training on ``tokens`` tokens.

    Without a source: the critical shares that Gu et al. 2024 published for four sizes (CMR), the largest that leave the
    general loss acceptable. With source and general, fits of `dcpt` to the loss on the domain and on general data: the
    share that minimises weight x domain loss + (1 - weight) x general loss at ``params`` parameters.
    """
    D = positive("tokens", tokens)
    if source is None:
        return _critical(D, level)
    if params is None or general is None:
        raise ValueError("continued: with a fit of dcpt give params, and general: the fit of the loss on general data")
    N = positive("params", params)
    domain, rest = belief(source), belief(general)
    for held in (domain, rest):
        if held.law.name != dcpt.name:
            raise ValueError(f"continued: needs fits of dcpt, got {held.law.name}; the share is its variable")
    if not 0 <= weight <= 1:
        raise ValueError(f"continued: weight is {weight!r}; it is the domain's share of the objective, 0 to 1")

    def objective(r: Any, v: Mapping[str, Any], w: Mapping[str, Any]) -> Any:
        return weight * dcpt.function(N, D, r, **v) + (1 - weight) * dcpt.function(N, D, 1 - r, **w)

    r = float(lowest(lambda x: objective(x, domain.values, rest.values), 1e-4, 1 - 1e-4))
    sample = None
    if domain.draws is not None and rest.draws is not None:
        count = min(len(domain), len(rest))
        v, w = ({k: x[..., :count] for k, x in h.draws.items()} for h in (domain, rest))  # type: ignore[union-attr]
        sample = lowest(lambda x: objective(x, v, w), np.full(count, 1e-4), 1 - 1e-4)
    near = near_range(lambda x: objective(x, domain.values, rest.values), r, 1e-4, 1 - 1e-4, NEAR)
    return Plan(
        f"share of domain data in {D:.4g} tokens of continued training", {"share": domain.of_draws(r, sample, level)},
        {"share": near}, findings=doubts(domain, *domain.distance(N=N, D_cpt=D)),
        source=f"domain: {domain.source}; general: {rest.source}", given={"tokens": D, "params": N, "weight": weight},
    )  # fmt: skip


def _critical(D: float, level: float) -> Plan:
    rows = []
    for name, entry in cmr.values.items():
        share = float(cmr.at(name, D_cpt=D))
        rows.append({"params": name.removeprefix("gu2024_"), "share": min(share, 1.0), "source": entry.source})
    shares = [r["share"] for r in rows]
    low, high = cmr.over["D_cpt"]
    notes = [Finding("spread", "warning", "The four published sizes have curves of different sign: between sizes and "
                     "beyond them nothing is known.")]  # fmt: skip
    if not low <= D <= high:
        notes.append(Finding("far", "warning", f"Published for {low:.3g} to {high:.3g} tokens; {D:.3g} lies outside."))
    one = Interval(float(np.median(shares)), min(shares), max(shares), level, "range of the published sizes",
                   "a range over sizes, not a confidence interval")  # fmt: skip
    return Plan(
        f"largest share of domain data in {D:.4g} tokens of continued training that keeps the general loss",
        {"share": one}, choices=tuple(rows), findings=tuple(notes), source="cmr (gu2024, Table 5)", given={"tokens": D},
    )  # fmt: skip


def vocabulary(*, params: float, width: float, flops: float | None = None, level: float = 0.9) -> Plan:
    """Size of the vocabulary for ``params`` parameters without it and an embedding of ``width``; three roads of Tao.

    By IsoFLOP optima, by the derivative of FLOP per character, and by the loss law at C = ``flops`` (default: what is
    compute-optimal by the first road). The answer is the middle road with the range of all three: no interval was
    published, and the loss law's rests on a token count with a slip (see its traps).
    """
    N, w = positive("params", params), positive("width", width)
    v1 = vocab_isoflop.published("tao2024")
    C = positive("flops", flops) if flops is not None else float((N * np.exp(-v1["K1"])) ** 2)
    roads = {
        "isoflop": float(vocab_isoflop.at("tao2024", N_nv=N)) / w,
        "derivative": float(vocab_derivative.at("tao2024", N_nv=N)) / w,
        "loss": float(vocab_loss.optimum["V"](C, vocab_loss.published("tao2024").values, N, w)),
    }
    sizes = sorted(roads.values())
    one = Interval(sizes[1], sizes[0], sizes[2], level, "range of three roads", "a range, not a confidence interval")
    near = _near_vocabulary(C, N, w, roads["loss"])
    low, high = vocab_isoflop.over["N_nv"]
    notes = []
    if not low <= N <= 10 * high:
        notes.append(Finding("far", "warning", f"Tao's runs have {low:.3g} to {high:.3g} parameters; this is {N:.3g}."))
    notes.append(
        Finding("multiple", "note", f"A multiple of 128 is kinder to hardware: {128 * round(sizes[1] / 128)}.")
    )
    answers = {"V": one, "params_vocab": Interval(one.estimate * w, one.lower * w, one.upper * w, level, one.method)}
    unknown = "published without interval"
    held = {k: {"V": Interval(x, np.nan, np.nan, level, "none", unknown)} for k, x in roads.items()}
    return Plan(
        f"vocabulary for {N:.4g} other parameters, width {w:.0f}, {C:.4g} FLOP", answers, {"V": near}, held,
        findings=tuple(notes), source="tao2024, official values", given={"params": N, "width": w, "flops": C},
    )  # fmt: skip


def _near_vocabulary(C: float, N: float, w: float, best: float) -> tuple[float, float]:
    """Vocabularies whose loss (relative to a unigram model) is within 0.5 % of the best by the loss law."""
    v = vocab_loss.published("tao2024").values

    def behind(log_v: Any) -> Any:
        V = np.exp(log_v)
        loss = vocab_loss.function(N, V, w, C / (6 * (N + V * w)), **v)
        return 1 + (loss - floor) / abs(floor)

    floor = float(vocab_loss.function(N, best, w, C / (6 * (N + best * w)), **v))
    low, high = near_range(behind, float(np.log(best)), np.log(256.0), np.log(1e7), NEAR)
    return float(np.exp(low)), float(np.exp(high))
