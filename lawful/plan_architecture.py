"""The shape of a model of given size: width and depth, MLP against attention, grouped queries, whole numbers.

Only shapes that can be built are looked at (`lawful.feasible`): whole layers and heads, widths that are multiples of 64
or 128. Their losses come from the one published law of width and depth with values, Gemstones, by each of its three
sets of values: what they agree on is near-optimal, and their spread is all the interval there is. Bian et al. 2025
published where the best shape lies (width over the root of N near 0.08, as many MLP as attention weights) but not the
coefficients, so it is a second road, not a loss. No law prices grouped queries: memory and speed are counted, the
choice is yours. Among near-optimal shapes the fastest on your device is the answer, or the one of least loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lawful.assumptions import exactly
from lawful.belief import positive
from lawful.feasible import nearest_shapes
from lawful.findings import Finding
from lawful.flops import kv_cache_bytes, memory_bytes
from lawful.hardware import hardware as machine_of
from lawful.laws.architecture import gemstones_shape, mobilellm_shapes
from lawful.plan import NEAR, Plan
from lawful.roofline import serve
from lawful.shapes import Shape, parameters
from lawful.uncertainty import Interval

WIDTH_OF_BIAN = 0.08  # width over the root of the parameters, and MLP over attention weights, at the best shape
RATIO_OF_BIAN = 1.0
_SMALL = 1e9  # below it the embedding is shared and shapes are multiples of 64


def architecture(
    *, params: float, tokens: float | None = None, like: Shape | None = None, vocab: int = 32_000,
    context: int = 4096, group: int = 1, aspect: tuple[float, float] = (8, 256), multiple: int | None = None,
    head_dims: Sequence[int] | None = None, ffn_ratio: tuple[float, float] | None = None, hardware: Any = None,
    weight_bits: float = 16, level: float = 0.9,
) -> Plan:  # fmt: skip
    """Shapes of about ``params`` parameters, and which of them to build.

    tokens: of training (default 20 per parameter). like: a Shape that says the rest; by default a gated decoder with
    rotary positions, ``vocab`` tokens (shared with the output below 1e9 parameters) and ``context``. group: query heads
    per key and value head. ffn_ratio: MLP width over width (default 2.5 to 3 when gated). hardware: by whose speed of
    generation the near-optimal shapes are ranked.
    Raises ValueError where no whole shape lies within 3 % of the size, saying which limit binds.
    """
    N = positive("params", params)
    D = 20 * N if tokens is None else positive("tokens", tokens)
    start = like or _usual(N, vocab, context, group)
    step = multiple or (64 if N < _SMALL else 128 if N < 2e10 else 256)
    dims = head_dims or ((64,) if N < _SMALL else (128,))
    shapes = nearest_shapes(
        N, start, multiple=step, head_dims=dims, aspect=aspect, ffn_ratio=ffn_ratio, within=0.03, limit=4000
    )
    found = _one_per_width(shapes)
    losses = _losses([s.width for s in found], [s.layers for s in found], N, D)  # (shapes, sets)
    excess = losses / losses.min(0) - 1
    good = np.flatnonzero((excess <= NEAR - 1).all(1))
    good = good if len(good) else np.array([int(np.argmin(excess.max(1)))])
    machine = None if hardware is None else machine_of(hardware)
    rows = [_row(found[i], losses[i], float(excess[i].max()), machine, weight_bits, level) for i in good]
    pick = min(
        range(len(rows)), key=lambda i: rows[i]["token_ms"].estimate if machine is not None else rows[i]["excess"]
    )
    best = found[good[pick]]
    answers = _answers(best, rows[pick], losses[good[pick]], D, level)
    near = {n: (float(min(r[k] for r in rows)), float(max(r[k] for r in rows)))
            for n, k in (("w", "width"), ("depth", "depth"), ("aspect", "width/depth"))}  # fmt: skip
    roads = {"bian2025b": _bian(N, best, level)}
    table = [*_thinned(rows), *_references(N, D)]
    return Plan(
        f"the shape of a model of {N:.4g} parameters trained on {D:.4g} tokens", answers, near, roads, tuple(table),
        findings=(*_notes(N, D, best, len(found), near["w"]), *_grouped(best, machine, weight_bits)),
        source="gemstones_shape, three published sets", given={"params": N, "tokens": D},
    )  # fmt: skip


def _usual(N: float, vocab: int, context: int, group: int) -> Shape:
    """A gated decoder as most are built now; layers, width and heads are replaced by the search."""
    if group < 1:
        raise ValueError(f"group is {group}; it is the number of query heads per key and value head, at least 1")
    return Shape(
        layers=1, width=64 * 8 * group, heads=8 * group, kv_heads=8, ffn_width=1408, vocab=vocab, context=context,
        gated=True, tied=N < _SMALL, positions="rotary", biases="none", norm="rmsnorm",
    )  # fmt: skip


def _one_per_width(shapes: Sequence[Shape]) -> list[Shape]:
    """Of all shapes of one width, depth and head size the nearest in size."""
    kept: dict[tuple[int, int], Shape] = {}
    for shape in shapes:  # nearest first
        kept.setdefault((shape.width, shape.layers), shape)
    return list(kept.values())


def _losses(widths: Sequence[float], depths: Sequence[float], N: float, D: float) -> np.ndarray:
    """The losses (shapes, sets) by each set of values, at the same number of parameters for all shapes."""
    return np.stack([gemstones_shape.at(s, w=widths, depth=depths, N=N, D=D) for s in gemstones_shape.values], axis=1)


def _row(shape: Shape, losses: np.ndarray, excess: float, machine: Any, bits: float, level: float) -> dict[str, Any]:
    out: dict[str, Any] = {
        "width": shape.width, "depth": shape.layers, "heads": shape.heads, "kv_heads": shape.kv_heads,
        "d_ff": shape.ffn_width, "params": parameters(shape).total, "width/depth": shape.width / shape.layers,
        "mlp_ratio": mlp_ratio(shape), "kv_bytes": kv_cache_bytes(shape, 1), "L": float(np.median(losses)),
        "excess": excess,
    }  # fmt: skip
    if machine is not None:
        out["token_ms"] = serve(shape, machine, weight_bits=bits, level=level, prompt=_prompt(shape)).token_ms
    return out


def _prompt(shape: Shape) -> int:
    return max(1, min(512, shape.context // 2))


def mlp_ratio(shape: Shape) -> float:
    """MLP weights over attention weights of a block."""
    attention = 2 * shape.width * (shape.attention_width + shape.kv_width)
    return (3 if shape.gated else 2) * shape.width * shape.ffn_width / attention


def _answers(shape: Shape, row: dict[str, Any], losses: np.ndarray, D: float, level: float) -> dict[str, Interval]:
    spread = Interval(float(np.median(losses)), float(losses.min()), float(losses.max()), level,
                      "range of published values", "a range over three sets, not a confidence interval")  # fmt: skip
    counted = {
        "w": shape.width, "depth": shape.layers, "heads": shape.heads, "kv_heads": shape.kv_heads,
        "d_ff": shape.ffn_width, "N": parameters(shape).total, "N_nonemb": parameters(shape, "non_embedding").total,
        "mlp_ratio": mlp_ratio(shape), "kv_bytes_per_token": kv_cache_bytes(shape, 1),
        "serving_bytes": memory_bytes(shape, "serving").total,
        "training_bytes": memory_bytes(shape, "training").total,
    }  # fmt: skip
    out = {name: exactly(value, level) for name, value in counted.items()} | {"L": spread}
    return out | ({"token_ms": row["token_ms"]} if "token_ms" in row else {})


def _bian(N: float, shape: Shape, level: float) -> dict[str, Interval]:
    inner = parameters(shape, "non_embedding").total
    told = "the published optimum, about; no interval"
    return {
        "w": Interval(WIDTH_OF_BIAN * inner**0.5, np.nan, np.nan, level, "none", told),
        "mlp_ratio": Interval(RATIO_OF_BIAN, np.nan, np.nan, level, "none", told),
    }


def _grouped(shape: Shape, machine: Any, bits: float) -> tuple[Finding, ...]:
    """What groups of query heads save: cache, and time where a device is given."""
    out = []
    for g in (1, 2, 4, 8):
        if shape.heads % g or g == shape.heads // shape.kv_heads:
            continue
        other = replace(shape, kv_heads=shape.heads // g)
        text = f"{other.kv_heads} key and value heads: {kv_cache_bytes(other, 1):.4g} bytes of cache a token"
        text += f", {parameters(other).total:.4g} parameters"
        if machine is not None:
            speed = serve(other, machine, weight_bits=bits, prompt=_prompt(other))
            text += f", {speed.token_ms.estimate:.3g} ms a token, {speed.largest_batch} sequences fit"
        out.append(Finding("group", "note", f"With {text}."))
    return tuple(out)


def _references(N: float, D: float) -> list[dict[str, Any]]:
    """MobileLLM's shapes of about the size, for comparison: built, and strong for their size."""
    out = []
    for name, entry in mobilellm_shapes.values.items():
        v = entry.values
        size = float(mobilellm_shapes.at(name, V=32000))
        if abs(np.log(size / N)) > np.log(1.6):
            continue
        losses = _losses([v["d"]], [v["layers"]], N, D)
        out.append({"width": v["d"], "depth": v["layers"], "heads": v["heads"], "kv_heads": v["kv_heads"],
                    "d_ff": v["ff"],
                    "params": size, "width/depth": v["d"] / v["layers"], "L": float(np.median(losses)),
                    "name": name.removeprefix("liu2024")})  # fmt: skip
    return out


def _thinned(rows: list[dict[str, Any]], most: int = 12) -> list[dict[str, Any]]:
    """At most so many rows, by width, evenly spread."""
    ordered = sorted(rows, key=lambda r: (r["width"], r["depth"]))
    return [ordered[i] for i in np.unique(np.linspace(0, len(ordered) - 1, most).round().astype(int))]


def _notes(N: float, D: float, shape: Shape, count: int, widths: tuple[float, float]) -> tuple[Finding, ...]:
    notes = [
        Finding("shapes", "note", f"{count} buildable shapes were compared; losses at equal parameters and tokens."),
        Finding("gqa", "note", "No law here prices grouped queries or the MLP ratio in loss: only size and speed are "
                "counted for them."),
    ]  # fmt: skip
    other = WIDTH_OF_BIAN * parameters(shape, "non_embedding").total ** 0.5
    if not widths[0] <= other <= widths[1]:
        text = (
            f"The other published road (Bian et al. 2025) would be {other:.0f} wide, outside the near-optimal widths."
        )
        notes.append(Finding("disagreement", "warning", text))
    for name, value in (("N", N), ("D", D), ("w", shape.width), ("depth", shape.layers)):
        low, high = gemstones_shape.over[name]
        if not low <= value <= high:
            text = f"{name} = {value:.4g} lies outside the {low:.3g} to {high:.3g} of the law's runs."
            notes.append(Finding("far", "warning", text))
    return tuple(notes)
