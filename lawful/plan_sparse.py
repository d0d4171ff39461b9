"""Sparse models: how many experts, how fine, how many weights removed, and what that is worth.

Experts add parameters that a token does not pay for. Whether they help depends on what is scarce: with compute alone
more experts are always better; with memory for the weights a number in between is (Ludziejewski et al. 2025). Finer
experts help until routing costs more than it gives (Krajewski et al. 2024). Sparse weights are worth a dense model of
some multiple of their number (Frantar et al. 2023). Pruning a finished model and healing it is Chen's P2, whose
coefficients were never published: it needs a fit of one's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lawful.assumptions import exactly
from lawful.belief import Belief, belief, positive
from lawful.findings import Finding
from lawful.laws.precision import chen_p2
from lawful.laws.sparse import clark_effective, clark_routed, frantar_sparsity, krajewski_moe, ludziejewski_moe
from lawful.plan import NEAR, Plan, doubts
from lawful.surface import lowest, near_range
from lawful.uncertainty import Interval

FFN_SHARE = 2 / 3  # of a dense block's weights that experts replace, at d_ff = 4 d and full attention
_ROUTE = (6.0, 14.0)  # FLOP per weight and per router weight in Krajewski's count; the second from memory
_SIZE = (np.log(1e5), np.log(1e15))


def experts(
    source: Any = (ludziejewski_moe, "ludziejewski2025"), *, flops: float,
    options: Sequence[int] = (1, 2, 4, 8, 16, 32), memory: float | None = None, weight_bits: float = 16,
    ffn_share: float = FFN_SHARE, level: float = 0.9, seed: int = 0,
) -> Plan:  # fmt: skip
    """How many experts of which active size for ``flops``, all weights within ``memory`` bytes where that is limited.

    All weights are N_act (1 + ffn_share (experts - 1)): every expert replaces the feed-forward part of a block.
    Raises ValueError for other laws, and where not even the dense model fits.
    """
    held = _held(belief(source, seed=seed), ludziejewski_moe.name)
    C = positive("flops", flops)
    room = np.inf if memory is None else positive("memory", memory) * 8 / weight_bits
    best_size = ludziejewski_moe.optimum["N_act"]

    def size(v: Mapping[str, Any], E: float) -> Any:
        return np.minimum(best_size(C, v, E), room / (1 + ffn_share * (E - 1)))

    def loss(v: Mapping[str, Any], E: float) -> Any:
        N = size(v, E)
        return ludziejewski_moe.function(N, C / (6 * N), E, **v)

    rows = []
    for E in sorted(options):
        N = held.interval(lambda v, e=E: size(v, e), level)
        tight = room / (1 + ffn_share * (E - 1)) < float(best_size(C, held.values, E))
        rows.append({"experts": E, "N_act": N, "N": N.estimate * (1 + ffn_share * (E - 1)), "D": C / (6 * N.estimate),
                     "L": held.interval(lambda v, e=E: loss(v, e), level), "memory_binds": tight})  # fmt: skip
    best = min(rows, key=lambda r: r["L"].estimate)
    drawn = _argmin(held, [lambda v, e=r["experts"]: loss(v, e) for r in rows], [r["experts"] for r in rows])
    near = [r for r in rows if r["L"].estimate <= NEAR * best["L"].estimate]
    found = {"experts": held.of_draws(float(best["experts"]), drawn, level), "N_act": best["N_act"], "L": best["L"]}
    found |= {
        "D": held.interval(lambda v, e=best["experts"]: C / (6 * size(v, e)), level),
        "N": exactly(best["N"], level),
    }
    limits = _tight(rows, best, memory)
    far, beyond = held.distance(N_act=best["N_act"].estimate, D=best["D"], experts=float(best["experts"]))
    ranges = {n: (float(min(r[n] for r in near)), float(max(r[n] for r in near))) for n in ("experts", "N", "D")}
    return Plan(
        f"experts for {C:.4g} FLOP" + (f" and {memory:.4g} bytes of weights" if memory else ""), found, ranges,
        choices=tuple(rows), limits=limits, findings=doubts(held, far, beyond), source=held.source, distance=far,
        beyond=beyond, given={"flops": C, "memory": memory},
    )  # fmt: skip


def _tight(rows: list[dict[str, Any]], best: dict[str, Any], memory: float | None) -> tuple[str, ...]:
    if memory is None:
        return ("Memory is not limited: then the most experts allowed are best, at any compute.",)
    bound = [str(r["experts"]) for r in rows if r["memory_binds"]]
    if not bound:
        return (f"memory does not bind: {memory:.4g} bytes hold every option.",)
    here = "binds for the best" if best["memory_binds"] else "does not bind for the best"
    return (f"memory {here}; the size is cut with {', '.join(bound)} experts.",)


def granularity(
    source: Any = (krajewski_moe, "krajewski2024"), *, flops: float, experts: int = 64,
    options: Sequence[int] = (1, 2, 4, 8, 16, 32, 64), aspect: float = 64.0, level: float = 0.9, seed: int = 0,
) -> Plan:  # fmt: skip
    """How fine the experts should be: granularity, active size and tokens for ``flops``, routing paid for.

    FLOP are (12 d^2 c_f + d E G c_r) D layers (Krajewski et al. 2024; c_f = 6, c_r = 14 from memory), width over depth
    ``aspect``, N = 12 d^2 layers without embeddings. Without the cost of routing the finest would always win.
    """
    held = _held(belief(source, seed=seed), krajewski_moe.name)
    C, ratio = positive("flops", flops), positive("aspect", aspect)

    def tokens(N: Any, G: float) -> Any:
        d = (N * ratio / 12) ** (1 / 3)
        return C / ((12 * d**2 * _ROUTE[0] + d * experts * G * _ROUTE[1]) * d / ratio)

    def solved(v: Mapping[str, Any], G: float, count: int | None) -> tuple[Any, Any]:
        def loss(x: Any) -> Any:
            return krajewski_moe.function(np.exp(x), tokens(np.exp(x), G), G, **v)

        x = lowest(loss, _SIZE[0] if count is None else np.full(count, _SIZE[0]), _SIZE[1])
        return np.exp(x), loss(x)

    rows, losses = [], []
    for G in sorted(options):
        N, L = solved(held.values, G, None)
        drawn = (None, None) if held.draws is None else solved(held.draws, G, len(held))
        losses.append(drawn[1])
        share = 1 - tokens(float(N), G) / tokens(float(N), 0.0)
        rows.append({"G": G, "N_nonemb": held.of_draws(float(N), drawn[0], level), "D": float(tokens(N, G)),
                     "L": held.of_draws(float(L), drawn[1], level), "routing_share": float(share)})  # fmt: skip
    best = min(rows, key=lambda r: r["L"].estimate)
    chosen = None if held.draws is None else np.array(sorted(options), float)[np.argmin(losses, axis=0)]
    near = [r["G"] for r in rows if r["L"].estimate <= NEAR * best["L"].estimate]
    found = {"G": held.of_draws(float(best["G"]), chosen, level), **{n: best[n] for n in ("N_nonemb", "L")}}
    far, beyond = held.distance(N_nonemb=best["N_nonemb"].estimate, D=best["D"], G=float(best["G"]))
    note = Finding(
        "routing", "warning", "The cost of routing is from memory; on your hardware fine experts may cost more."
    )
    return Plan(
        f"granularity of {experts} experts for {C:.4g} FLOP", found, {"G": (min(near), max(near))}, choices=tuple(rows),
        findings=(*doubts(held, far, beyond), note), source=held.source, distance=far, beyond=beyond,
        given={"flops": C, "experts": experts},
    )  # fmt: skip


def routed(*, params: float, experts: int = 64, level: float = 0.9) -> Plan:
    """What routing is worth: the dense model that a routed one of ``params`` active parameters equals (Clark 2022).

    By router, published and refitted to the released runs; the range over them stands in for an interval that nobody
    published. ends: the size at which routing stops helping, 10**(-b/c); it moves 30-fold between the sets, and later
    work found it an artefact of a fixed 130B tokens.
    """
    N, E = positive("params", params), positive("experts", experts)
    roads, rows = {}, []
    for name, entry in clark_effective.values.items():
        v = clark_routed.published(name).values
        end = 10 ** (-v["b"] / v["c"])
        equal = float(clark_effective.at(name, N_act=N, experts=E)) if N < end else N
        rows.append({"values": name, "status": entry.status, "N_eff": equal, "worth": equal / N, "ends": float(end)})
        roads[name] = {"N_eff": Interval(equal, np.nan, np.nan, level, "none", "published without interval")}

    def spread(key: str) -> Interval:
        found = sorted(r[key] for r in rows)
        return Interval(float(np.median(found)), found[0], found[-1], level, "range of published values",
                        "a range over routers, not a confidence interval")  # fmt: skip

    low, high = clark_effective.over["N_act"]
    notes = [] if low <= N <= high else [
        Finding("far", "warning", f"Clark's runs have {low:.2g} to {high:.2g} active parameters; this is {N:.3g}.")
    ]  # fmt: skip
    return Plan(
        f"what {E:.0f} experts are worth at {N:.4g} active parameters",
        {k: spread(k) for k in ("N_eff", "worth", "ends")},
        roads=roads, choices=tuple(rows), findings=tuple(notes), source="clark2022, Table 3 and refits",
        given={"params": N, "experts": E},
    )  # fmt: skip


def sparsity(
    source: Any = (frantar_sparsity, "frantar2023_t5"),
    *,
    nonzero: float,
    flops: float,
    level: float = 0.9,
    seed: int = 0,
) -> Plan:
    """The share of weights to set to zero, ``nonzero`` of them remaining, when sparse training costs as dense does.

    Answers: sparsity, the loss, and worth: the dense model's weights over the non-zero ones at equal loss.
    """
    held = _held(belief(source, seed=seed), frantar_sparsity.name)
    N, C = positive("nonzero", nonzero), positive("flops", flops)

    def best(v: Mapping[str, Any]) -> Any:
        return frantar_sparsity.optimum["sparsity"](C, v, N)

    def loss(S: Any, v: Mapping[str, Any]) -> Any:
        return frantar_sparsity.function(S, N, C * (1 - S) / (6 * N), **v)

    def worth(v: Mapping[str, Any]) -> Any:
        full = v["a_S"] + v["c_S"]
        return (full / (v["a_S"] * (1 - best(v)) ** v["b_S"] + v["c_S"])) ** (1 / v["b_N"])

    S = float(best(held.values))
    found = {
        "sparsity": held.interval(best, level), "worth": held.interval(worth, level),
        "L": held.interval(lambda v: loss(best(v), v), level),
        "gain": held.interval(lambda v: loss(0.0, v) - loss(best(v), v), level),
    }  # fmt: skip
    near = {"sparsity": near_range(lambda s: loss(s, held.values), S, 0.0, 0.99, NEAR)}
    rows = tuple({"sparsity": s, "L": held.interval(lambda v, s=s: loss(s, v), level)} for s in (0.0, 0.5, 0.75, 0.875))
    far, beyond = held.distance(N_nonzero=N, D=C * (1 - S) / (6 * N))
    words = () if S > 0 else ("flops binds: with so few tokens the dense model is best.",)
    note = Finding(
        "sparse_cost", "note", "Gradual pruning is charged as dense training; gains need kernels that use zeros."
    )
    return Plan(
        f"sparsity with {N:.4g} weights left and {C:.4g} FLOP", found, near, choices=rows, limits=words,
        findings=(*doubts(held, far, beyond), note), source=held.source, distance=far, beyond=beyond,
        given={"nonzero": N, "flops": C},
    )  # fmt: skip


def pruning(
    source: Any, *, params: float, loss: float, rate: float, tokens: float | None = None, most: float | None = None,
    level: float = 0.9, seed: int = 0,
) -> Plan:  # fmt: skip
    """Prune the share ``rate`` of a finished model of ``params`` parameters and loss ``loss``, then train on.

    source: a fit of `chen_p2`. tokens: of post-training, for the loss after it; or most: the loss that is allowed, for
    the tokens it takes. Raises ValueError for other laws, and a loss that no amount of post-training reaches.
    """
    held = _held(belief(source, seed=seed), chen_p2.name)
    N, L0 = positive("params", params), positive("loss", loss)
    if not 0 < rate < 1:
        raise ValueError(f"rate is {rate!r}; it is the share of parameters pruned, between 0 and 1")
    if (tokens is None) == (most is None):
        raise ValueError("pruning: give tokens (for the loss after them) or most (for the tokens it takes)")

    def after(v: Mapping[str, Any], D: Any) -> Any:
        return chen_p2.function(L0, N, rate, D, **v)

    if tokens is not None:
        D = positive("tokens", tokens)
        found = {
            "L": held.interval(lambda v: after(v, D), level),
            "dL": held.interval(lambda v: after(v, D) - L0, level),
        }
    else:
        wanted = positive("most", most)

        def needed(v: Mapping[str, Any]) -> Any:
            scale = (1 / rate) ** v["gamma"] * (1 / N) ** v["delta"]
            left = (wanted - L0) / scale - v["N_C"] * N ** -v["alpha"] - v["E"]
            return np.where(left > 0, (v["D_C"] / np.where(left > 0, left, 1.0)) ** (1 / v["beta"]), np.inf)

        if not np.isfinite(needed(held.values)):
            floor = float(after(held.values, 1e30))
            raise ValueError(f"loss {wanted:g} is out of reach: pruning {rate:g} leaves {floor:.4g} after any training")
        found = {"D_post": held.interval(needed, level), "L": exactly(wanted, level)}
    far, beyond = held.distance(N_0=N, rho=rate, L_0=L0)
    return Plan(
        f"pruning {rate:g} of {N:.4g} parameters at loss {L0:g}", found, findings=doubts(held, far, beyond),
        source=held.source, distance=far, beyond=beyond,
        given={"params": N, "loss": L0, "rate": rate, "tokens": tokens},
    )  # fmt: skip


def _argmin(held: Belief, losses: Sequence[Any], options: Sequence[float]) -> np.ndarray | None:
    """By draw, the option with the least loss."""
    if held.draws is None:
        return None
    drawn = [np.broadcast_to(f(held.draws), (len(held),)) for f in losses]
    return np.array(options, float)[np.argmin(np.where(np.isfinite(drawn), drawn, np.inf), axis=0)]


def _held(found: Belief, name: str) -> Belief:
    if found.law.name != name:
        raise ValueError(f"this plan needs the law {name}, fitted or with published values, not {found.law.name}")
    return found
