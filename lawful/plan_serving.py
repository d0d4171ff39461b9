"""How a model is served: bits, batch and device, with latency, throughput and price from the stated roofline.

    print(speed(params=7e9, hardware="l4", token_ms=50))

`Plan.choices` has a row for every precision and batch that fits; the answer is the cheapest a token that keeps the
latency asked for, in the most bits that do. What bits cost in loss is `lawful.plan_precision`'s question.
"""

from __future__ import annotations

from typing import Any

from lawful.assumptions import exactly
from lawful.belief import positive
from lawful.findings import Finding
from lawful.hardware import Hardware, assumption_findings
from lawful.hardware import hardware as machine_of
from lawful.plan import NEAR, Plan
from lawful.roofline import Speed, largest_model, serve, stored
from lawful.shapes import Shape
from lawful.uncertainty import Interval

_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_BITS = (16, 8, 4)


def speed(
    *, hardware: Any, params: float | None = None, shape: Shape | None = None, active: float | None = None,
    prompt: int = 512, generated: int = 256, token_ms: float | None = None, first_token_ms: float | None = None,
    bits: tuple[int, ...] = _BITS, compute: Any = None, bandwidth: Any = None, level: float = 0.9, seed: int = 0,
    **assumed: Any,
) -> Plan:  # fmt: skip
    """Bits and batch to serve a model with: params (with ``active`` of them per token) or a Shape.

    token_ms, first_token_ms: latencies to keep. compute, bandwidth: shares of the roofs reached, numbers or ranges.
    Raises ValueError where the model does not fit, or no batch is quick enough, saying which limit binds.
    """
    if (params is None) == (shape is None):
        raise ValueError("speed: give either params or shape")
    machine = machine_of(hardware, **{k: v for k, v in assumed.items() if v is not None})
    model = shape if shape is not None else positive("params", params)
    roofs = dict(compute=compute, bandwidth=bandwidth, level=level, seed=seed, active=active)
    rows, failures = [], []
    for b in bits:
        for batch in _BATCHES:
            try:
                one = serve(model, machine, batch=batch, prompt=prompt, generated=generated, weight_bits=b, **roofs)
            except ValueError as problem:
                failures.append(str(problem))
                break
            rows.append(_row(b, batch, one))
    if not rows:
        raise ValueError(failures[-1])
    kept = [r for r in rows if _quick(r, token_ms, first_token_ms)]
    if not kept:
        raise ValueError(_too_slow(rows, machine, token_ms, first_token_ms, min(bits)))
    most = max(r["bits"] for r in kept)
    best = min((r for r in kept if r["bits"] == most), key=lambda r: r["price_per_million"].estimate)
    names = ("token_ms", "first_token_ms", "throughput", "price_per_million")
    found: dict[str, Interval] = {n: best[n] for n in names}
    found |= {"bits": exactly(best["bits"], level), "batch": exactly(best["batch"], level),
              "serving_bytes": exactly(best["memory"], level)}  # fmt: skip
    cheap = [r for r in kept if r["price_per_million"].estimate <= NEAR * best["price_per_million"].estimate]
    near = {n: (float(min(r[n] for r in cheap)), float(max(r[n] for r in cheap))) for n in ("bits", "batch")}
    words = [f"writing is limited by {best['bound']} at this batch."]
    if best["batch"] < _BATCHES[-1] and best["batch"] == max(r["batch"] for r in rows if r["bits"] == most):
        words.append("memory binds: no larger batch fits.")
    elif token_ms or first_token_ms:
        words.append("latency binds, or a larger batch is no cheaper.")
    note = Finding("roofline", "note", "A roofline: no queues, scheduling or communication beyond the shares assumed.")
    return Plan(
        f"serving {stored(model):.4g} parameters on {machine.count}x {machine.device.name}, {prompt} tokens in, "
        f"{generated} out",
        found, near, choices=tuple(rows), limits=tuple(words), findings=(note, *assumption_findings(machine)),
        source=f"{machine.device.source} ({machine.device.year})", given={"params": params, "token_ms": token_ms},
    )  # fmt: skip


def _row(bits: int, batch: int, one: Speed) -> dict[str, Any]:
    return {"bits": bits, "batch": batch, "token_ms": one.token_ms, "first_token_ms": one.first_token_ms,
            "throughput": one.throughput, "price_per_million": one.price_per_million, "bound": one.bound,
            "memory": one.memory}  # fmt: skip


def _quick(row: dict[str, Any], token_ms: float | None, first_token_ms: float | None) -> bool:
    wanted = (("token_ms", token_ms), ("first_token_ms", first_token_ms))
    return all(row[n].estimate <= most for n, most in wanted if most is not None)


def _too_slow(
    rows: list[dict[str, Any]], machine: Hardware, token_ms: float | None, first_token_ms: float | None, bits: int
) -> str:
    wanted = {"token_ms": token_ms, "first_token_ms": first_token_ms}
    alone = [n for n, most in wanted.items() if most is not None and min(r[n].estimate for r in rows) > most]
    name = alone[0] if alone else "token_ms and first_token_ms together"
    if not alone:
        return f"{name} bind: each can be met, not both at once; allow more of one"
    quickest = min(r[name].estimate for r in rows)
    text = f"{name} binds: the quickest is {quickest:.3g} ms, {wanted[name]:g} is asked for"
    if name == "token_ms":
        size, _ = largest_model(machine, token_ms=token_ms, weight_bits=bits)
        text += f"; in {bits} bits {size:.3g} parameters would keep it"
    return text
