"""Advice on what is trained: size or data, architecture, data, experts."""

from __future__ import annotations

from typing import Any

import numpy as np

from lawful.advise import OBJECTIONS, Advice, Wish, code_published, measured, spread, unknown
from lawful.belief import belief
from lawful.laws import find
from lawful.plan import plan
from lawful.plan_architecture import architecture
from lawful.plan_data import vocabulary
from lawful.plan_sparse import experts, granularity
from lawful.surface import surface, worth

# Fits of Chinchilla's form on text; the second is a refit of the first one's runs.
FITS = (
    ("chinchilla", "hoffmann2022"), ("chinchilla", "besiroglu2024"), ("chinchilla", "muennighoff2023_untied"),
    ("gemstones_parameters", "mcleish2025_hot_4"), ("gemstones_parameters", "mcleish2025_chinchilla_3"),
    ("xlstm", "beck2025_llama"), ("chinchilla_outer", "busbridge2025"),
)  # fmt: skip


def size(wish: Wish, name: str, question: str) -> Advice:
    """The split of the budget, what doubling either side is worth, and how far published fits agree."""
    held = belief(wish.source)
    made = plan(held, flops=wish.flops, level=wish.level, **_served(wish))
    form = surface(held)
    N, D = made[form.size].estimate, made["D"].estimate

    def gain(n: float, d: float):
        return lambda v: form.loss(v, N, D) - form.loss(v, N * n, D * d)

    numbers = {form.size: made[form.size], "D": made["D"], "loss": made["L"],
               "loss_saved_by_2N": held.interval(gain(2, 1), wish.level),
               "loss_saved_by_2D": held.interval(gain(1, 2), wish.level),
               "exponent_of_N": spread([_exponent(*one) for one in FITS], wish.level, "published fits"),
               "TPP_of_fits": spread([_ratio(*one, wish.flops) for one in FITS], wish.level, "published "
                                                                                             "fits")}  # fmt: skip
    two_N, two_D = numbers["loss_saved_by_2N"].estimate, numbers["loss_saved_by_2D"].estimate
    more = "parameters" if two_N > two_D else "data"
    close = "about alike" if max(two_N, two_D) < 1.25 * min(two_N, two_D) else f"{more} save more"
    low, high = made.near[form.size]
    a, r = numbers["exponent_of_N"], numbers["TPP_of_fits"]
    answer = (
        f"For {wish.flops:.3g} FLOP train {N:.3g} parameters on {D:.3g} tokens ({D / N:.3g} each); anything from "
        f"{low:.3g} "
        f"to {high:.3g} parameters loses at most half a percent. From there doubling parameters or data saves "
        f"{two_N:.3g} "
        f"or {two_D:.3g} nats: {close}. Published fits let N grow as C to the {a.lower:.2f} to {a.upper:.2f} and put "
        f"{r.lower:.3g} to {r.upper:.3g} tokens on a parameter here, so the ratio is known far worse than any one "
        "fit says."
    )
    law = held.law.name
    return Advice(name, question, answer, numbers, tuple(dict.fromkeys([law, *(one for one, _ in FITS)])),
                  measured(law, **{form.size: N, "D": D}),
                  (OBJECTIONS["reproducibility"], OBJECTIONS["population of models"],
                   code_published("chinchilla")))  # fmt: skip


def _served(wish: Wish) -> dict[str, Any]:
    extra = {"unique_tokens": wish.unique_tokens, "inference_tokens": wish.inference_tokens or None}
    return {k: v for k, v in extra.items() if v is not None}


def _exponent(law: str, values: str) -> float:
    v = find(law).published(values)
    return v["beta"] / (v["alpha"] + v["beta"])


def _ratio(law: str, values: str, C: float) -> float:
    found = find(law)
    key = next(k for k in ("N", "N_nonemb") if k in found.optimum)
    N = float(found.optimum[key](C, found.published(values).values))
    return C / 6 / N**2


def shape(wish: Wish, name: str, question: str) -> Advice:
    """Width and depth of the best size, the vocabulary, and two architectures fitted by one team."""
    N, D = split(wish)
    made = architecture(params=N, tokens=D, hardware=wish.hardware, level=wish.level)
    words = vocabulary(params=made["N_nonemb"].estimate, width=made["w"].estimate, level=wish.level)
    gap = [_compared(wish.flops, end) for end in ("", "_chinchilla")]
    numbers = {k: made[k] for k in ("w", "depth", "heads", "mlp_ratio", "L") if k in made.answers}
    numbers |= {"V": words["V"], "loss_of_mlstm_minus_llama": spread(gap, wish.level, "fits by the same team")}
    (low, high), (few, many) = made.near["w"], made.near["depth"]
    if min(gap) < 0 < max(gap):
        other = "its two fits disagree whether xLSTM or Transformer has the lower loss at this compute"
    else:
        best = "Transformer" if min(gap) > 0 else "xLSTM"
        other = f"one team's fits put the {best} ahead at this compute, by {min(map(abs, gap)):.3g} nats or more"
    free = "so let speed decide" if high >= 1.3 * low else "little room, at so small a size"
    answer = (
        f"A decoder of width {made['w'].estimate:.0f} and {made['depth'].estimate:.0f} layers; widths of {low:.0f} to "
        f"{high:.0f} with {many:.0f} to {few:.0f} layers are as good within half a percent: {free}. "
        f"A vocabulary of about {words['V'].estimate:.0f}. Between architectures {other}."
    )
    warned = [f.message for f in made.findings if f.code == "disagreement"]
    return Advice(name, question, answer, numbers, ("gemstones_shape", "bian_conditional", "vocab_isoflop", "xlstm"),
                  measured("gemstones_shape", N=N, D=D, w=made["w"].estimate, depth=made["depth"].estimate),
                  (*warned, "The ranking of architectures changes with scale (Tay et al. 2022): what wins small may "
                            "lose "
                   "large, and few were fitted beyond 1e21 FLOP.", OBJECTIONS["reproducibility"]))  # fmt: skip


def _compared(C: float, end: str) -> float:
    """Loss of the best mLSTM less that of the best Llama at a compute, by the same team's fits."""
    law = find("xlstm")
    losses = []
    for kind in ("mlstm", "llama"):
        values = f"beck2025_{kind}{end}"
        N = float(law.optimum["N"](C, law.published(values).values))
        losses.append(float(law.at(values, N=N, D=C / (6 * N))))
    return losses[0] - losses[1]


def data(wish: Wish, name: str, question: str) -> Advice:
    """Repetition at this budget, and how good filtered data must be to pay."""
    held = belief(wish.source)
    free = plan(held, flops=wish.flops, level=wish.level)
    size_name = surface(held).size
    wanted = free["D"].estimate
    U = wish.unique_tokens or wanted / 4
    made = plan(held, flops=wish.flops, unique_tokens=U, level=wish.level)
    epochs, lost = made["epochs"].estimate, made["L"].estimate - free["L"].estimate
    fresh = float(worth(made["D"].estimate, U))
    pays = _break_even(wish, U)
    told = "" if wish.unique_tokens else " (assumed: a quarter of what the budget wants; say yours)"
    numbers = {"D_wanted": free["D"], "epochs": made["epochs"], size_name: made[size_name], "L": made["L"],
               "loss_by_repeating": unknown(lost, wish.level), "fresh_tokens_worth": unknown(fresh, wish.level),
               "worth_at_which_keeping_30_percent_pays": unknown(pays, wish.level)}  # fmt: skip
    answer = (
        f"The budget wants {wanted:.3g} tokens, there are {U:.3g}{told}. Train {made[size_name].estimate:.3g} "
        "parameters for "
        f"{epochs:.3g} epochs: the repeats are worth {fresh:.3g} fresh tokens and the shortage costs {lost:.3g} nats. "
        f"Keeping the best 30 % of the data pays if each of its tokens is worth {pays:.3g} of the whole pool's or "
        "more; "
        "measure that with small runs. The mixture of domains cannot be told without runs of your own: 20 or more "
        "small "
        "ones over different mixtures, then `lawful plan mixture`."
    )
    return Advice(name, question, answer, numbers,
                  ("muennighoff", "goyal_filtering", "ye_mixing", "regmix_linear", "dcpt"),
                  measured("muennighoff", N=made[size_name].estimate, D=made["D"].estimate, U=U),
                  (OBJECTIONS["pruning"], OBJECTIONS["populations"],
                   "More epochs never hurt in this law; in real runs they did beyond about 40."))  # fmt: skip


def _break_even(wish: Wish, U: float, kept: float = 0.3) -> float:
    """The worth of a kept token at which keeping that share of the pool equals keeping all, at this compute."""
    from lawful.plan_data import filtering

    rows = filtering(wish.source, flops=wish.flops, unique_tokens=U, kept=[1.0], worth=[1.0]).choices
    all_of_it = rows[0]["L"].estimate
    low, high = 0.0, np.log(100.0)
    for _ in range(25):
        middle = 0.5 * (low + high)
        made = filtering(wish.source, flops=wish.flops, unique_tokens=U, kept=[kept], worth=[float(np.exp(middle))])
        low, high = (low, middle) if made["L"].estimate <= all_of_it else (middle, high)
    return float(np.exp(high))


def sparse(wish: Wish, name: str, question: str) -> Advice:
    """Experts under the memory, their granularity, and what routing is worth."""
    made = experts(flops=wish.flops, memory=wish.memory, level=wish.level)
    rows = {r["experts"]: r for r in made.choices}
    best, dense = made["experts"].estimate, rows[1]
    gain = dense["L"].estimate - made["L"].estimate
    fine = granularity(flops=wish.flops, level=wish.level)
    numbers = {k: made[k] for k in ("experts", "N_act", "N", "L")}
    numbers |= {"gain_over_dense": unknown(gain, wish.level), "G": fine["G"]}
    room = f"in {wish.memory:.3g} bytes of weights" if wish.memory else "with memory to spare (say memory to limit it)"
    low, high = made.near["experts"]
    answer = (
        f"{best:.0f} experts {room}: {made['N_act'].estimate:.3g} active of {made['N'].estimate:.3g} parameters, "
        f"{gain:.3g} "
        f"nats below the dense model of the same compute; {low:.0f} to {high:.0f} experts are within half a "
        "percent. Fine "
        f"experts help, to a granularity near {fine['G'].estimate:.0f}. " + " ".join(made.limits)
        if best > 1
        else f"Dense {room}: experts would force the active size too low. " + " ".join(made.limits)
    )
    return Advice(name, question, answer, numbers,
                  ("ludziejewski_moe", "krajewski_moe", "clark_routed", "frantar_sparsity"),
                  measured("ludziejewski_moe", N_act=made["N_act"].estimate, D=made["D"].estimate, experts=best),
                  ("Clark et al. 2022 found that routing stops helping at size; that was traced to a fixed number of "
                   "tokens (its law has no D).", code_published("krajewski_moe"), OBJECTIONS["population of "
                                                                                             "models"]))  # fmt: skip


def split(wish: Wish) -> tuple[float, float]:
    """Size and tokens of the plan that the other answers build on."""
    held = belief(wish.source)
    made = plan(held, flops=wish.flops, **_served(wish))
    return made[surface(held).size].estimate, made["D"].estimate
