"""How fast a model answers: latency, throughput and price per token, from a roofline that is stated.

A step of a transformer takes at least as long as its arithmetic at the device's peak, and at least as long as its bytes
at the device's bandwidth; the larger of the two is the roofline. Reading a prompt is mostly arithmetic. Writing a token
reads every weight once for the whole batch, and every sequence's keys and values: mostly bytes, until the batch is
large. Real kernels reach a share of either roof, which is an assumption with a range::

    speed = serve(llama, "h100", batch=8, prompt=1000, generated=200)
    print(speed.token_ms, speed.bound, speed.largest_batch)

Left out: queues, scheduling, communication between devices beyond the assumed shares, speculative decoding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.assumptions import Assumption, Sample, assumed, exactly, interval, propagate
from lawful.flops import inference_flops, kv_cache_bytes
from lawful.hardware import DRAWS, Hardware, hardware
from lawful.shapes import Shape, parameters
from lawful.uncertainty import Interval

_COMPUTE = Assumption(0.55, 0.30, 0.75, "share of peak FLOP/s that reading a prompt reaches")
BANDWIDTH = Assumption(0.65, 0.40, 0.85, "share of peak bandwidth that writing tokens reaches")


@dataclass(frozen=True)
class Speed:
    """How fast one copy of a model answers on its devices.

    first_token_ms: from prompt to first token. token_ms: each further token of a sequence. answer_s: a whole answer.
    throughput: generated tokens per second, all sequences of the batch. price_per_million: generated tokens, by the
    devices' hourly price. bound: "bandwidth" or "compute", what limits writing tokens. memory: bytes of weights and
    caches, of those available. largest_batch: sequences that fit beside the weights. break_even_batch: from which
    writing tokens is limited by compute.
    """

    first_token_ms: Interval
    token_ms: Interval
    answer_s: Interval
    throughput: Interval
    price_per_million: Interval
    bound: str
    memory: float
    available: float
    largest_batch: int
    break_even_batch: float


def serve(
    model: Shape | float, machine: str | Hardware, *, batch: int = 1, prompt: int = 512, generated: int = 256,
    weight_bits: float = 16, kv_bits: float = 16, kv_bytes_per_token: float | None = None, active: float | None = None,
    compute: Any = None, bandwidth: Any = None, level: float = 0.9, seed: int = 0,
) -> Speed:  # fmt: skip
    """Latency, throughput and price of answers of ``generated`` tokens to prompts of ``prompt`` tokens.

    model: a Shape, or a number of parameters (then attention is left out of the arithmetic, ``active`` parameters serve
    a token, and the cache takes kv_bytes_per_token, by default that of a usual shape of that size). compute, bandwidth:
    shares of the roofs, numbers or ranges. Several devices share weights and work evenly.

    Raises ValueError where weights and caches do not fit, naming the largest batch or size that would.
    """
    machine = hardware(machine)
    if not (batch >= 1 and prompt >= 1 and generated >= 1):
        raise ValueError(f"serve: batch ({batch}), prompt ({prompt}) and generated ({generated}) must be at least 1")
    if not (1 <= weight_bits <= 32 and 1 <= kv_bits <= 32):
        raise ValueError(f"serve: weight_bits ({weight_bits}) and kv_bits ({kv_bits}) must lie between 1 and 32")
    per_token = cache_bytes(model, kv_bits, kv_bytes_per_token)
    weights = stored(model) * weight_bits / 8
    room = machine.count * machine.device.memory
    per_sequence = per_token * (prompt + generated)
    fits = int((room - weights) // per_sequence) if room > weights else 0
    if fits < batch:
        raise ValueError(_too_large(machine, weights, room, batch, fits, weight_bits))
    read, written = _arithmetic(model, prompt, generated, active)
    a = _shares(machine, compute, bandwidth, seed)
    share_of_weights = min(1.0, batch * visited(model, active) / stored(model))  # experts a batch meets, at most all
    step_bytes = weights * share_of_weights + batch * per_token * (prompt + generated / 2)
    first = propagate(_roof, (batch * read / machine.peak, None), (weights / _rate(machine), None), *a[:2])
    work = batch * written / machine.peak
    token = propagate(_roof, (work, None), (step_bytes / _rate(machine), None), *a[:2])
    answer = propagate(lambda f, t: f + (generated - 1) * t, first, token)
    throughput = propagate(lambda s: batch * generated / s, answer)
    price = propagate(lambda rate, p: machine.count * p / 3600 / rate * 1e6, throughput, a[2])
    by_bytes = step_bytes / _rate(machine) / a[1][0] > work / a[0][0]
    return Speed(
        *(_interval(x, level) for x in (_times(first, 1e3), _times(token, 1e3), answer, throughput, price)),
        bound="bandwidth" if by_bytes else "compute", memory=weights + batch * per_sequence, available=room,
        largest_batch=fits, break_even_batch=_break_even(model, machine, weights, active, a[0][0] / a[1][0]),
    )  # fmt: skip


def largest_model(
    machine: str | Hardware, *, token_ms: float | None = None, memory: bool = True, weight_bits: float = 16,
    bandwidth: Any = None, seed: int = 0, count: int = DRAWS,
) -> Sample:  # fmt: skip
    """Parameters of the largest dense model that a batch of one can be served from: by memory, and by milliseconds.

    A fifth of the memory is left for caches. The draws are those of the share of bandwidth reached.
    """
    machine = hardware(machine)
    room = 0.8 * machine.count * machine.device.memory * 8 / weight_bits if memory else np.inf
    if token_ms is None:
        return room, None
    share = assumed("bandwidth", bandwidth, BANDWIDTH)
    drawn = None if share.exact else share.draws(count, np.random.default_rng([seed, 78]))
    return propagate(
        lambda s: np.minimum(room, token_ms / 1e3 * _rate(machine) * s * 8 / weight_bits), (share.value, drawn)
    )


def stored(model: Shape | float) -> float:
    """Parameters kept in memory."""
    return parameters(model).total if isinstance(model, Shape) else float(model)


def visited(model: Shape | float, active: float | None = None) -> float:
    """Parameters that one token meets."""
    return parameters(model, "active").total if isinstance(model, Shape) else float(active or model)


def cache_bytes(model: Shape | float, kv_bits: float = 16, given: float | None = None) -> float:
    """Bytes of keys and values of one token. For a bare count: full attention with width 128 times the depth."""
    if given is not None:
        return given
    if isinstance(model, Shape):
        return kv_cache_bytes(model, 1, bytes_per_value=kv_bits / 8)
    depth = (float(model) / (12 * 128**2)) ** (1 / 3)  # 12 depth width^2, width = 128 depth
    return 2 * depth * 128 * depth * kv_bits / 8


def _arithmetic(model: Shape | float, prompt: int, generated: int, active: float | None) -> tuple[float, float]:
    """FLOP of reading one prompt, and of writing one token after it."""
    if isinstance(model, Shape):
        read = inference_flops(model, prompt, 1, "counted").total
        whole = inference_flops(model, prompt, generated + 1, "counted").total
        return read, (whole - read) / generated
    return 2 * visited(model, active) * prompt, 2 * visited(model, active)


def _roof(work: float, moved: float, compute: Any, bandwidth: Any) -> Any:
    """Seconds of a step: arithmetic at its share of the peak or bytes at theirs, whichever takes longer."""
    return np.maximum(work / compute, moved / bandwidth)


def _shares(machine: Hardware, compute: Any, bandwidth: Any, seed: int) -> list[Sample]:
    rng = np.random.default_rng([seed, 78])
    chosen = [assumed("bandwidth", bandwidth, BANDWIDTH), assumed("compute", compute, _COMPUTE), machine.price]
    band, work, price = ((one.value, None if one.exact else one.draws(DRAWS, rng)) for one in chosen)
    return [work, band, price]


def _rate(machine: Hardware) -> float:
    return machine.count * machine.device.bandwidth


def _break_even(model: Shape | float, machine: Hardware, weights: float, active: float | None, shares: float) -> float:
    """Batch whose arithmetic takes as long as reading the weights, caches left out."""
    return weights / _rate(machine) * machine.peak * shares / (2 * visited(model, active))


def _too_large(machine: Hardware, weights: float, room: float, batch: int, fits: int, bits: float) -> str:
    name = f"{machine.count}x {machine.device.name}"
    if weights >= room:
        return (
            f"serve: memory binds: the weights take {weights / 1e9:.3g} GB in {bits:g} bits, {name} has "
            f"{room / 1e9:.3g} GB; use more devices or fewer bits, or at most {room * 8 / bits:.3g} parameters"
        )
    return f"serve: memory binds: beside the weights {fits} sequences fit on {name}, batch is {batch}; lower batch"


def _times(sample: Sample, factor: float) -> Sample:
    return sample[0] * factor, None if sample[1] is None else sample[1] * factor


def _interval(sample: Sample, level: float) -> Interval:
    return exactly(sample[0], level) if sample[1] is None else interval(sample, level)
