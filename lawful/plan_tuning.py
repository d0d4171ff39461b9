"""Learning rate, batch, weight decay and schedule for a given size and number of tokens.

`tuning` gives Step Law's learning rate and batch with an interval: over the 14 released settings of size and tokens,
the minimum of a bowl fitted to the losses scatters by 17 % in the learning rate and 22 % in the batch around the law.
The same bowls say how far one may stray for half a percent of loss, and that a larger batch wants a higher rate.
DeepSeek's law, the critical batch and the memory of AdamW stand beside it. `schedule` compares ways to decay.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lawful.belief import positive
from lawful.findings import Finding
from lawful.laws.schedules import multi_power
from lawful.laws.tuning import (
    deepseek_batch,
    deepseek_lr,
    power_lines,
    steplaw_batch,
    steplaw_lr,
    zhang_critical_batch,
)
from lawful.plan import NEAR, Plan
from lawful.uncertainty import Interval

# Quadratics of log loss in (log rate, log batch), fitted to the released runs within 1 % of the best in each of the 14
# settings (215M to 537M parameters, 4 to 80 billion tokens): median curvature, and the scatter of their minima.
BOWL = np.array([[0.0132, -0.0057], [-0.0057, 0.0126]])
SCATTER = {"lr": 0.17, "B": 0.22}
SETTINGS = 14
_CONTEXT = 512  # of the critical batch's sequences
_MOST_STEPS = 80_000


def tuning(
    *, params: float, tokens: float, batch: float | None = None, params_total: float | None = None,
    level: float = 0.9,
) -> Plan:  # fmt: skip
    """Peak learning rate, batch (tokens), steps and weight decay of AdamW for ``params`` non-embedding parameters.

    batch: where it is given (by memory, say), the rate is the best for it, along the valley of the bowl. params_total:
    with embeddings, for the tokens per parameter of the weight decay (default params).
    near: of each by itself with the others at their best; a rate and a batch that are off together cost more.
    """
    from scipy.special import stdtrit

    N, D = positive("params", params), positive("tokens", tokens)
    t = float(stdtrit(SETTINGS - 1, 0.5 + level / 2))
    free = float(steplaw_batch.at("li2025step", D=D))
    B = free if batch is None else positive("batch", batch)
    off = np.log(B / free)
    valley = -BOWL[0, 1] / BOWL[0, 0] * off  # the best log rate at a batch so far off
    lr = float(steplaw_lr.at("li2025step", N_nonemb=N, D=D)) * float(np.exp(valley))
    if B > D:
        raise ValueError(f"batch binds: {B:.4g} tokens a step are more than the {D:.4g} of the whole run; lower batch")

    def around(x: float, name: str) -> Interval:
        wide = np.exp(t * SCATTER[name] * np.sqrt(1 + 1 / SETTINGS))
        return Interval(x, x / wide, x * wide, level, "scatter of 14 settings", _beyond(N, D))

    steps = D / B
    tau = float(power_lines.at("bergsma2025", TPP=D / (params_total or N)))
    decay = B / (lr * D * tau)
    unknown = "published without interval"
    found = {
        "lr": around(lr, "lr"),
        "B": around(B, "B") if batch is None else Interval(B, B, B, level, "given"),
        "S": around(steps, "B") if batch is None else Interval(steps, steps, steps, level, "given"),
        "weight_decay": Interval(decay, np.nan, np.nan, level, "none", unknown),
        "tau": Interval(tau, np.nan, np.nan, level, "none", unknown),
    }
    lost = 0.5 * (BOWL[1, 1] - BOWL[0, 1] ** 2 / BOWL[0, 0]) * off**2
    return Plan(
        f"learning rate and batch for {N:.4g} parameters on {D:.4g} tokens", found, _near(lr, B, batch is None, off),
        _roads(N, D, level), limits=_critical(N, B, lost if batch is not None else 0.0), findings=_notes(N, D),
        source="li2025step, official values; bowls of the released runs", given={"params": N, "tokens": D},
    )  # fmt: skip


def loss_factor(lr: float, batch: float, *, params: float, tokens: float) -> float:
    """The loss over the best one, for a rate and a batch that are off; a few per cent at most, by the bowls."""
    x = np.log([lr / float(steplaw_lr.at("li2025step", N_nonemb=params, D=tokens)),
                batch / float(steplaw_batch.at("li2025step", D=tokens))])  # fmt: skip
    return float(np.exp(0.5 * x @ BOWL @ x))


def _near(lr: float, B: float, free: bool, off: float) -> dict[str, tuple[float, float]]:
    """Half a per cent of loss: along each axis with the other at its best for it, or the batch fixed."""
    budget = 2 * np.log(NEAR)
    if not free:
        lost = (BOWL[1, 1] - BOWL[0, 1] ** 2 / BOWL[0, 0]) * off**2
        wide = np.exp(np.sqrt(max(budget - lost, 0.0) / BOWL[0, 0]))
        return {"lr": (lr / wide, lr * wide)}
    inverse = np.linalg.inv(BOWL)
    one, two = (float(np.exp(np.sqrt(budget * inverse[i, i]))) for i in (0, 1))
    return {"lr": (lr / one, lr * one), "B": (B / two, B * two)}


def _roads(N: float, D: float, level: float) -> dict[str, dict[str, Interval]]:
    def told(x: float, why: str) -> Interval:
        return Interval(x, np.nan, np.nan, level, "none", why)

    C = 6 * N * D
    deepseek = "published without interval; C as 6ND, the paper counts attention too"
    sizes = "published without interval"
    return {
        "deepseek2024": {"lr": told(float(deepseek_lr.at("deepseek2024", C=C)), deepseek),
                         "B": told(float(deepseek_batch.at("deepseek2024", C=C)), deepseek)},
        "zhang2024batch, critical": {"B": told(critical_batch(N), sizes)},
    }  # fmt: skip


def critical_batch(N: float) -> float:
    """Tokens of the batch from which more of it saves fewer steps than in proportion (Zhang et al. 2024)."""
    return _CONTEXT * float(zhang_critical_batch.at("zhang2024batch", N=N))


def _critical(N: float, B: float, lost: float) -> tuple[str, ...]:
    crit = critical_batch(N)
    out = []
    if B > crit:
        out.append(
            f"The batch is {B / crit:.2g} times the critical one: more of it no longer saves steps in proportion."
        )
    if lost > np.log(NEAR):
        out.append(f"batch binds: so far from the best, {100 * lost:.2g} % of loss is lost at the best rate for it.")
    return tuple(out)


def _beyond(N: float, D: float) -> str:
    low, high = steplaw_lr.over["N_nonemb"]
    few, many = steplaw_lr.over["D"]
    inside = low <= N <= high and few <= D <= many
    return "" if inside else "an extrapolation: the scatter was seen inside the range of the runs"


def _notes(N: float, D: float) -> tuple[Finding, ...]:
    notes = [Finding("setting", "note", "For AdamW with a final rate of 1e-5 and a cosine; another optimiser, schedule "
                     "or parametrisation has another best rate.")]  # fmt: skip
    for name, value in (("N_nonemb", N), ("D", D)):
        low, high = steplaw_lr.over[name]
        if not low <= value <= high:
            text = f"{name} = {value:.4g} lies outside the {low:.3g} to {high:.3g} of the law's runs."
            notes.append(Finding("far", "warning", text))
    return tuple(notes)


def schedule(*, steps: int, peak: float = 3e-4, warmup: int | None = None, level: float = 0.9) -> Plan:
    """How to let the learning rate fall: the loss of cosine, linear and warm-up-stable-decay by the multi-power law.

    By each of the three published sets (25M, 100M and 400M parameters): the range over them is no confidence interval,
    but where they agree on an order, it is worth something. near: shares of the run spent decaying.
    Raises ValueError for runs longer than 80 000 steps, where the law was not seen, or a warm-up that leaves nothing.
    """
    total = int(positive("steps", steps))
    ramp = max(1, total // 50) if warmup is None else int(warmup)
    rate = positive("peak", peak)
    if not 0 <= ramp < total - 20 or total > _MOST_STEPS:
        raise ValueError(
            f"schedule: steps is {total}, the warm-up {ramp}; allowed: up to {_MOST_STEPS} steps, 20 of them after it"
        )
    shares = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0])
    kinds = {"constant": (1.0, "none"), "cosine": (1.0, "cosine")}
    kinds |= {f"decay {s:.0%}, {shape}": (float(s), shape) for s in shares for shape in ("linear", "1 - sqrt")}
    rates = np.stack([_rates(total, ramp, rate, *kind) for kind in kinds.values()], axis=1)
    losses = np.array([multi_power.at(name, lr_schedule=rates) for name in multi_power.values])  # (sets, kinds)
    gain = losses[:, list(kinds).index("cosine")][:, None] - losses
    rows = [
        {"schedule": name, "decay_share": kind[0], "gain_over_cosine": _over_sets(gain[:, i], level),
         **{n.removeprefix("luo2025_"): float(x) for n, x in zip(multi_power.values, losses[:, i])}}
        for i, (name, kind) in enumerate(kinds.items())
    ]  # fmt: skip
    best = int(np.argmax(np.median(gain, axis=0)))
    excess = (losses / losses.min(1, keepdims=True)).max(0)
    good = [r["decay_share"] for r, e in zip(rows, excess) if e <= NEAR]
    found = {"decay_share": _over_sets(np.array([list(kinds.values())[i][0] for i in losses.argmin(1)]), level),
             "gain_over_cosine": rows[best]["gain_over_cosine"]}  # fmt: skip
    notes = []
    low, high = multi_power.over["lr_schedule"]
    if not low <= rate <= high * (1 + 1e-9):
        notes.append(Finding("far", "warning", f"Fitted to rates of {low:g} to {high:g}; the peak here is {rate:g}."))
    notes.append(Finding("traps", "warning", "Three curves of 25M to 400M parameters do not determine this law (see "
                         "its traps): train the two best before you believe their order."))  # fmt: skip
    return Plan(
        f"how the rate should fall in {total} steps: {rows[best]['schedule']}", found,
        {"decay_share": (min(good), max(good))}, choices=tuple(rows), findings=tuple(notes),
        source="multi_power, three published sets", given={"steps": total, "peak": rate},
    )  # fmt: skip


def _rates(steps: int, warmup: int, peak: float, share: float, shape: str) -> np.ndarray:
    """Rates by step: linear warm-up, a plateau, then the last ``share`` of the run down to a tenth of the peak."""
    rate = np.full(steps, peak)
    rate[:warmup] = peak * np.arange(warmup) / max(warmup, 1)
    if shape == "none":
        return rate
    start = max(warmup, round(steps * (1 - share)))
    x = np.arange(steps - start) / max(steps - start, 1)
    falls: dict[str, Any] = {"cosine": 0.5 * (1 + np.cos(np.pi * x)), "linear": 1 - x, "1 - sqrt": 1 - np.sqrt(x)}
    rate[start:] = peak * (0.1 + 0.9 * falls[shape])
    return rate


def _over_sets(x: np.ndarray, level: float) -> Interval:
    told = "a range over three sets, not a confidence interval"
    if x.min() < 0 < x.max():
        told = "cannot tell: the three sets disagree in sign"
    return Interval(float(np.median(x)), float(x.min()), float(x.max()), level, "range of published values", told)
