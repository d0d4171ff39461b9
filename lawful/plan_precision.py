"""How many bits: to train in, and to serve in.

Training in few bits costs less per parameter and acts as if there were fewer parameters (Kumar et al. 2024): `training`
finds the size, tokens and bits for a budget of bit operations. Serving in few bits adds a loss that grows with the
tokens the model has seen: `serving` finds the bits for a memory, and the tokens beyond which more training would make
the compressed model worse.

The constants come from models of 30 to 220 million parameters, and other methods of quantising have others: what
carries over is the shape, and the sentences say so. Dettmers and Zettlemoyer 2023 found four bits best at any memory
for finished models, without a formula; `serving` asks the fitted laws the same question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.assumptions import Sample, exactly
from lawful.belief import Belief, belief, positive
from lawful.findings import Finding
from lawful.laws.precision import kumar_precision, kumar_ptq, ouyang_qid
from lawful.plan import NEAR, Plan, doubts
from lawful.surface import lowest, near_range
from lawful.uncertainty import Interval

TRAIN = (kumar_precision, "kumar2024")
SERVE = (kumar_ptq, "kumar2024")
OUYANG = (ouyang_qid, "ouyang2024")  # an alternative to SERVE, from memory
_BITS = (3.2, 16.0)
_FORMATS = (16, 8, 4)
_SERVED = (16, 8, 6, 4, 3, 2)
_FULL = 16


@dataclass(frozen=True)
class _Training:
    """A budget of C FLOP in 16 bits; the size is given, or the best at each precision."""

    C: float
    params: float | None

    def size(self, P: Any, v: Mapping[str, Any]) -> Any:
        if self.params is not None:
            return self.params + 0 * P
        a, b = v["alpha"], v["beta"]
        work = self.C * _FULL / (6 * P)
        return (a * v["A"] * _effective(P, v) ** -a / (b * v["B"])) ** (1 / (a + b)) * work ** (b / (a + b))

    def tokens(self, P: Any, v: Mapping[str, Any]) -> Any:
        return self.C * _FULL / (6 * P * self.size(P, v))

    def loss(self, P: Any, v: Mapping[str, Any]) -> Any:
        return kumar_precision.function(self.size(P, v), self.tokens(P, v), P, P, P, **v)

    def best(self, v: Mapping[str, Any], count: int | None) -> Any:
        low = _BITS[0] if count is None else np.full(count, _BITS[0])
        return lowest(lambda p: self.loss(p, v), low, _BITS[1])


def training(
    source: Any = TRAIN, *, flops: float, bits: float | None = None, params: float | None = None, level: float = 0.9,
    seed: int = 0,
) -> Plan:  # fmt: skip
    """Size, tokens and bits for a budget of ``flops`` FLOP in 16 bits, an operation in P bits costing P/16 of one.

    bits: the precision is given, find the rest; params: the size is given. The common precision of weights,
    activations and attention; the best does not depend on the budget unless the size is given.
    Raises ValueError where bits lie outside the formula's range (3.2 to 16).
    """
    held = _held(belief(source, seed=seed), "kumar_precision")
    C = positive("flops", flops)
    if bits is not None and not _BITS[0] <= bits <= _BITS[1]:
        raise ValueError(f"bits is {bits:g}; the law of training holds from {_BITS[0]:g} to {_BITS[1]:g} bits")
    run = _Training(C, None if params is None else positive("params", params))
    P = float(bits if bits is not None else run.best(held.values, None))
    drawn = None
    if held.draws is not None:
        drawn = np.full(len(held), P) if bits is not None else run.best(held.draws, len(held))
    told = {"N": run.size, "D": run.tokens, "L": run.loss}
    found = {"P_w": held.of_draws(P, drawn, level)} | {n: _over(held, f, P, drawn, level) for n, f in told.items()}
    rows = []
    for p in sorted({*_FORMATS, round(P, 2)}, reverse=True):
        same = None if held.draws is None else np.full(len(held), float(p))
        rows.append({"bits": p, **{n: _over(held, f, float(p), same, level) for n, f in told.items()}})
    far, beyond = held.distance(N=found["N"].estimate, D=found["D"].estimate)
    notes = (*doubts(held, far, beyond), Finding("small", "warning", "The constants are those of models of 30M to 220M "
             "parameters and integer types; hardware offers 16, 8 and few other formats."))  # fmt: skip
    return Plan(
        f"bits to train in for {C:.4g} FLOP in 16 bits, cost in proportion to bits", found,
        {} if bits is not None else {"P_w": near_range(lambda p: run.loss(p, held.values), P, *_BITS, NEAR)},
        choices=tuple(rows), findings=notes, source=held.source, distance=far, beyond=beyond, given={"flops": C},
    )  # fmt: skip


def _over(held: Belief, f: Any, P: float, drawn: np.ndarray | None, level: float) -> Interval:
    sample = None if drawn is None or held.draws is None else f(drawn, held.draws) + 0 * drawn
    return held.of_draws(float(f(P, held.values)), sample, level)


def _effective(P: Any, v: Mapping[str, Any]) -> Any:
    """Share of the parameters that P bits for weights, activations and attention leave (kumar_precision)."""
    pairs = (("g_w", "n_w"), ("g_a", "n_a"), ("g_kv", "n_kv"))
    out: Any = 1.0
    for g, n in pairs:
        out = out * np.maximum(1 - np.exp(v[n] - P / v[g]), 1e-12)
    return out


@dataclass(frozen=True)
class _Serving:
    """What is served: so many bits of room, or so many parameters; its tokens, given or in proportion to its size."""

    held: Belief
    extra: Belief
    room: float | None
    params: float | None
    tokens: float | None
    ratio: float

    def model(self, P: Any) -> tuple[Any, Any]:
        N = self.params + 0 * P if self.params is not None else (self.room or 0.0) / P
        return N, self.tokens + 0 * N if self.tokens is not None else self.ratio * N

    def added(self, P: Any, w: Mapping[str, Any]) -> Any:
        return _added(self.extra, w, *self.model(P), P)

    def loss(self, P: Any, v: Mapping[str, Any], w: Mapping[str, Any]) -> Any:
        return _plain(self.held, v, *self.model(P)) + self.added(P, w)


def serving(
    source: Any = TRAIN, added: Any = SERVE, *, memory: float | None = None, params: float | None = None,
    tokens: float | None = None, tokens_per_parameter: float = 20.0, level: float = 0.9, seed: int = 0,
) -> Plan:  # fmt: skip
    """Bits of the weights after training, for so many bytes of ``memory``, or for a given model.

    source: a law of the loss before quantising (kumar_precision at 16 bits, or any law of N and D). added: a law of the
    loss that quantising adds (kumar_ptq, or ouyang_qid). With memory: the size that fills it at each precision, trained
    on tokens (or tokens_per_parameter each). With params: the same model at each precision, and most_tokens, beyond
    which more training makes the 4-bit model worse.
    Raises ValueError unless exactly one of memory and params is given.
    """
    if (memory is None) == (params is None):
        raise ValueError("serving: give either memory (bytes for the weights) or params")
    held, extra = belief(source, seed=seed), _held(belief(added, seed=seed), "kumar_ptq", "ouyang_qid")
    room = None if memory is None else positive("memory", memory) * 8
    M = None if params is None else positive("params", params)
    fixed = None if tokens is None else positive("tokens", tokens)
    case = _Serving(held, extra, room, M, fixed, positive("tokens_per_parameter", tokens_per_parameter))
    rows, chosen = _served(case, level)
    made = held if held.draws is not None else extra
    best = min(rows, key=lambda r: r["L"].estimate)
    near = [r["bits"] for r in rows if r["L"].estimate <= NEAR * best["L"].estimate]
    found = {"P_post": made.of_draws(float(best["bits"]), chosen, level), "L": best["L"]}
    found["N"] = exactly(best["N"], level)
    if M is None:
        at = float(lowest(lambda P: case.loss(P, held.values, extra.values), 1.5, 16.0))
        found["P_bits"] = Interval(at, np.nan, np.nan, level, "none", "not rounded to a format")
    else:
        found["most_tokens"] = _most_tokens(held, extra, M, 4.0, level)
    far, beyond = extra.distance(**{"N": best["N"], "N_nonemb": best["N"], "D": best["D"]})
    note = Finding("method", "warning", "Other methods of quantising add another loss (these are GPTQ's and "
                   "comparable); measure one model before you trust the level.")  # fmt: skip
    where = f"{memory:.4g} bytes" if memory is not None else f"{M:.4g} parameters"
    return Plan(
        f"bits to serve in, {where}", found, {"P_post": (float(min(near)), float(max(near)))}, choices=tuple(rows),
        findings=(*doubts(extra, far, beyond), note), source=f"{held.source}; added: {extra.source}", distance=far,
        beyond=beyond, given={"memory": memory, "params": M, "tokens": fixed},
    )  # fmt: skip


def _served(case: _Serving, level: float) -> tuple[list[dict[str, Any]], np.ndarray | None]:
    """A row for each precision, and the best precision by draw."""
    samples = {P: _sample(case, P) for P in _SERVED}
    made = case.held if case.held.draws is not None else case.extra
    rows = []
    for P, sample in samples.items():
        N, D = case.model(float(P))
        more = case.extra.of_draws(*case.extra.apply(lambda w, p=P: case.added(p, w)), level)
        rows.append({"bits": P, "N": float(N), "D": float(D), "L": made.of_draws(*sample, level), "added": more})
    drawn = [s for _, s in samples.values() if s is not None]
    return rows, np.array(_SERVED)[np.nanargmin(drawn, axis=0)].astype(float) if drawn else None


def _plain(held: Belief, v: Mapping[str, Any], N: Any, D: Any) -> Any:
    """The loss before quantising."""
    if held.law is kumar_precision:
        return kumar_precision.function(N, D, 16.0, 16.0, 16.0, **v)
    from lawful.surface import surface

    return surface(held).loss(v, N, D)


def _added(extra: Belief, w: Mapping[str, Any], N: Any, D: Any, P: Any) -> Any:
    return extra.law.function(N, D, P, **w)


def _sample(case: _Serving, P: float) -> Sample:
    """The loss in P bits, over the draws of whichever of the two laws has them."""
    both = (case.held, case.extra)
    here = float(case.loss(float(P), *(x.values for x in both)))
    if all(x.draws is None for x in both):
        return here, None
    count = min(len(x) for x in both if x.draws is not None)
    v, w = (x.values if x.draws is None else {k: d[..., :count] for k, d in x.draws.items()} for x in both)
    return here, np.asarray(case.loss(float(P), v, w)) + np.zeros(count)


def _most_tokens(held: Belief, extra: Belief, N: float, P: float, level: float) -> Interval:
    """Tokens at which loss plus added loss is least, for N parameters in P bits."""

    def at(v: Mapping[str, Any], w: Mapping[str, Any], count: int | None) -> Any:
        low = np.log(1e6) if count is None else np.full(count, np.log(1e6))
        x = lowest(lambda z: _plain(held, v, N, np.exp(z)) + _added(extra, w, N, np.exp(z), P), low, np.log(1e20))
        return np.exp(x)

    here = float(at(held.values, extra.values, None))
    if held.draws is None:
        return held.of_draws(here, None, level)
    return held.of_draws(here, at(held.draws, extra.values, len(held)), level)


def _held(found: Belief, *names: str) -> Belief:
    if found.law.name not in names:
        raise ValueError(f"this plan needs {' or '.join(names)}, fitted or with published values, not {found.law.name}")
    return found
