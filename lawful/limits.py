"""Limits on a training run: compute, days, money, energy, carbon, tokens, size; each says how many tokens it allows.

Every budget that counts work is a line in the tokens: training costs ``per_run`` for each parameter and token, and
what follows training (inference) ``per_model`` for each parameter. So N parameters may see

    D = (amount - per_model N) / (per_run N)

tokens under that limit, and the smallest D among the limits is the one that binds. Lifetime compute is
per_run = 6, per_model = 2 x inference tokens (Sardana et al. 2024); money is the same with prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.assumptions import Assumption, Sample, propagate
from lawful.findings import Finding
from lawful.hardware import DRAWS, Hardware, bill_samples, hardware
from lawful.laws.inference_cost import sardana_cost
from lawful.roofline import largest_model

_READ = Assumption(0.40, 0.20, 0.60, "share of peak reached on prompts in serving")
_WRITTEN = Assumption(0.02, 0.005, 0.15, "share of peak reached on generated tokens in serving")
LARGEST = 1e16  # parameters; what is searched where nothing caps the size
_WORDS = {
    "flops": "{:.4g} FLOP", "days": "{:.4g} days", "money": "a cost of {:.4g}", "energy": "{:.4g} kWh",
    "carbon": "{:.4g} kg CO2e", "max_tokens": "{:.4g} tokens",
}  # fmt: skip


@dataclass(frozen=True)
class Limit:
    """What may be spent and what is spent per parameter and token, and per parameter. per_run 0: a cap on tokens."""

    name: str
    amount: float
    per_run: Sample = (0.0, None)
    per_model: Sample = (0.0, None)

    def tokens(self, N: Any, drawn: bool = False, factor: float = 1.0) -> Any:
        """Tokens that N parameters may see; not positive where the size alone exceeds the limit."""
        a, b = (one[1] if drawn and one[1] is not None else one[0] for one in (self.per_run, self.per_model))
        if self.per_run[0] == 0:
            return np.full(np.shape(N), factor * self.amount)
        return (factor * self.amount - b * N) / (a * N)

    def __str__(self) -> str:
        return _WORDS[self.name].format(self.amount)


def spending(
    machine: Hardware | None, *, inference_tokens: float = 0.0, input_tokens: float = 0.0, output_tokens: float = 0.0,
    prices: str | Mapping[str, float] | None = None, count: int = DRAWS, seed: int = 0,
) -> dict[str, tuple[Sample, Sample]]:  # fmt: skip
    """(per_run, per_model) of flops, and with hardware or prices of days, money, energy and carbon.

    prices: the name of a published set of `sardana_cost`, or its values: dollars per peak FLOP and shares of peak.
    """
    served = inference_tokens + input_tokens + output_tokens
    out: dict[str, tuple[Sample, Sample]] = {"flops": ((6.0, None), (2.0 * served, None))}
    if machine is not None:
        one = bill_samples(machine, (1.0, None), seed, count)
        for name in ("days", "energy", "carbon"):
            if name in one:
                out[name] = propagate(lambda x: 6 * x, one[name]), (0.0, None)
        out["money"] = (
            propagate(lambda x: 6 * x, one["money"]),
            _serving_money(machine, inference_tokens + input_tokens, output_tokens, count, seed),
        )
    if prices is not None:
        v = sardana_cost.published(prices).values if isinstance(prices, str) else prices
        missing = [p for p in sardana_cost.parameter_names if p not in v]
        if missing:
            raise ValueError(f"prices lack {', '.join(missing)}; they are {', '.join(sardana_cost.parameter_names)}")
        read = (inference_tokens + input_tokens) / v["mfu_in"] + output_tokens / v["mfu_out"]
        out["money"] = (6 * v["c_tr"] / v["mfu_tr"], None), (2 * v["c_inf"] * read, None)
    return out


def _serving_money(machine: Hardware, read: float, written: float, count: int, seed: int) -> Sample:
    """Money per parameter for the tokens served, on the same devices at the shares of peak assumed in serving."""
    if read + written == 0:
        return 0.0, None
    rng = np.random.default_rng([seed, 79])
    hour = machine.samples(count, seed)["price"]
    shares = [(one.value, one.draws(count, rng)) for one in (_READ, _WRITTEN)]
    peak = machine.device.peak[machine.format]
    return propagate(lambda p, r, w: 2 * p / 3600 / peak * (read / r + written / w), hour, *shares)


def serving_note(spent: Mapping[str, tuple[Sample, Sample]]) -> tuple[Finding, ...]:
    """What was assumed of serving, where its money was counted on hardware."""
    if "days" not in spent or not spent["money"][1][0]:
        return ()
    text = f"Assumed for serving on the same devices: {_READ} of peak on prompts, {_WRITTEN} on generated tokens."
    return (Finding("assumed", "note", text, remedy="Give prices instead, or plan the serving by itself."),)


def gather(
    spent: Mapping[str, tuple[Sample, Sample]], amounts: Mapping[str, float | None], *, max_tokens: float | None = None
) -> list[Limit]:
    """The limits that were given. Raises ValueError for one that needs hardware or prices that were not given."""
    limits = []
    for name, amount in amounts.items():
        if amount is None:
            continue
        if name not in spent:
            power = " whose power is published" if name in ("energy", "carbon") else ""
            prices = " or prices" if name == "money" else ""
            raise ValueError(
                f"the limit {name}={amount:g} needs hardware{power}{prices} to count with, such as hardware='8x h100'"
            )
        limits.append(Limit(name, float(amount), *spent[name]))
    if max_tokens is not None:
        limits.append(Limit("max_tokens", float(max_tokens)))
    return limits


def allowed(limits: Sequence[Limit], N: Any, drawn: bool = False, factors: Sequence[float] | None = None) -> Any:
    """Tokens that all limits together allow N parameters."""
    factors = factors or [1.0] * len(limits)
    return np.min([np.broadcast_to(one.tokens(N, drawn, f), np.shape(N)) for one, f in zip(limits, factors)], axis=0)


def ceiling(
    given: dict[str, float], machine: Hardware | None, serve_on: Any, bits: float, count: int, seed: int
) -> tuple[Sample, str]:
    """The largest size, and which limit sets it: max_params, token_ms, the memory served from, or none."""
    most: Sample = (LARGEST, None)
    cap = ""
    if "max_params" in given and given["max_params"] < most[0]:
        most, cap = (given["max_params"], None), "max_params"
    ms = given.get("token_ms")
    if ms is None and serve_on is None:
        return most, cap
    if serve_on is None and machine is None:
        raise ValueError(f"the limit token_ms={ms:g} needs serve_on, the device that answers, such as serve_on='l4'")
    device = hardware(serve_on if serve_on is not None else machine.device)  # type: ignore[union-attr]
    room, _ = largest_model(device, weight_bits=bits)
    found = largest_model(device, token_ms=ms, weight_bits=bits, seed=seed, count=count)
    name = "token_ms" if found[0] < room else f"memory of {device.count}x {device.device.name}"
    if found[0] >= most[0]:
        return most, cap
    return (found[0], None if found[1] is None else np.minimum(found[1], most[0])), name


def machine_for(named: Any, assumed: dict[str, Any]) -> Hardware | None:
    """The hardware named, with what is assumed of it. Raises ValueError for an assumption it does not take."""
    assumed = {k: v for k, v in assumed.items() if v is not None}
    known = ("utilisation", "price", "power_share", "overhead", "carbon_intensity", "format", "count")
    unknown = [k for k in assumed if k not in known]
    if unknown and unknown[0] in ("accuracy", "task"):
        raise ValueError("limits are planned with a loss: ask plan(..., accuracy=..., task=...) alone for it first")
    if unknown:
        raise ValueError(f"a plan knows no {unknown[0]!r}; of the hardware it takes {', '.join(known)}")
    if named is None:
        if assumed:
            raise ValueError(f"{next(iter(assumed))} is given without hardware; say hardware='8x h100' or the like")
        return None
    if "carbon_intensity" in assumed:
        assumed["carbon"] = assumed.pop("carbon_intensity")
    return hardware(named, **assumed)
