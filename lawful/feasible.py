"""From a parameter count to shapes that can be built.

A law answers "1.3e9 parameters"; a model has whole layers, whole heads and widths that are multiples of 64
or 128. `nearest_shapes` lists the buildable shapes around a count; a shape to resemble says the rest:

>>> llama = Shape(layers=32, width=4096, heads=32, ffn_width=11008, vocab=32000, context=4096, gated=True,
...               tied=False, positions="rotary", biases="none", norm="rmsnorm")
>>> best = nearest_shapes(1.3e9, llama, head_dims=[128], multiple=128, aspect=(64, 128))[0]
>>> best.layers, best.width, best.heads, best.ffn_width, int(parameters(best).total)
(27, 1920, 15, 4992, 1297472640)
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import floor, inf, lcm, log

from lawful.shapes import Shape, parameters

_FFN_CHOICES = 9
"""Feed-forward widths tried per width; more only splits hairs in the distance."""


def nearest_shapes(
    params: float,
    like: Shape,
    *,
    convention: str = "total",
    multiple: int = 64,
    head_dims: Sequence[int] = (64, 128),
    aspect: tuple[float, float] = (16, 160),
    ffn_ratio: tuple[float, float] | None = None,
    within: float = 0.05,
    limit: int = 10,
) -> tuple[Shape, ...]:
    """Shapes of about `params` parameters under `convention`, nearest first by |log(N / params)|.

    `like` gives vocabulary, context, gating, ties, positions, norms, query heads per key/value head, loops;
    layers, width, heads and ffn_width are searched. Width and ffn_width are multiples of `multiple`, heads x
    head_dim is the width. aspect bounds width / layers (default: MobileLLM's to GPT-3's), ffn_ratio bounds
    ffn_width / width (default 2.5 to 3 when gated, 4 otherwise). `within` bounds the distance, as a fraction.

    Raises ValueError for a `like` with experts, an encoder or images, and when no shape is near enough.
    """
    _check_request(params, like, multiple, head_dims, aspect, within, limit)
    ratio = ffn_ratio or ((2.5, 3.0) if like.gated else (4.0, 4.0))
    # Layers >= width / aspect, each of at least 2 width^2 and 2 ratio width^2 weights, bound the width.
    widest = int((params * (1 + within) * aspect[1] / (2 + 2 * ratio[0])) ** (1 / 3)) + multiple
    found: list[tuple[float, Shape, int]] = []
    for head_dim in head_dims:
        for width in range(lcm(multiple, head_dim), widest + 1, lcm(multiple, head_dim)):
            for ffn_width in _ffn_widths(width, multiple, ratio):
                found += _two_depths(params, like, convention, width, head_dim, ffn_width)
    allowed = [row for row in found if aspect[0] <= row[1].width / row[2] <= aspect[1]]
    allowed.sort(key=lambda row: (row[0], row[1].width, row[1].head_dim, row[1].ffn_width))
    near = [row for row in allowed[:limit] if row[0] <= log(1 + within)]
    if not near:
        limits = f"aspect {aspect}, ffn_ratio {ratio}, multiple {multiple}, head_dims {tuple(head_dims)}"
        raise ValueError(_why_none(params, convention, within, limits, found, allowed))
    return tuple(_deep(one, layers) for _, one, layers in near)


def _two_depths(
    params: float, like: Shape, convention: str, width: int, head_dim: int, ffn_width: int
) -> Iterator[tuple[float, Shape, int]]:
    """(distance, shape of one layer, layers) for the two depths around the count (it is linear)."""
    heads, groups = width // head_dim, like.heads // like.kv_heads
    if heads % groups:
        return
    sizes = {"width": width, "heads": heads, "kv_heads": heads // groups, "head_dim": head_dim}
    one = replace(like, layers=1, looped_layers=0, ffn_width=ffn_width, **sizes)
    first = parameters(one, convention).total
    per_layer = parameters(_deep(one, 2), convention).total - first
    below = max(1, floor(1 + (params - first) / per_layer))
    for layers in (below, below + 1):
        yield abs(log((first + per_layer * (layers - 1)) / params)), one, layers


def _deep(one: Shape, layers: int) -> Shape:
    """The shape with so many layers, all of them looped if any is."""
    return replace(one, layers=layers, looped_layers=0)


def _ffn_widths(width: int, multiple: int, ratio: tuple[float, float]) -> list[int]:
    """Multiples of `multiple` within the ratio limits, at most _FFN_CHOICES of them, evenly spread."""
    lowest = -(-ratio[0] * width // multiple)
    highest = ratio[1] * width // multiple
    choices = range(int(lowest), int(highest) + 1)
    stride = -(-len(choices) // _FFN_CHOICES) or 1
    return [multiple * choice for choice in choices[::stride] if choice]


def _check_request(
    params: float,
    like: Shape,
    multiple: int,
    head_dims: Sequence[int],
    aspect: tuple[float, float],
    within: float,
    limit: int,
) -> None:
    partly_looped = like.looped_layers not in (0, like.layers)
    rules = [
        (not (like.experts or like.encoder_layers or like.patch or partly_looped),
         "`like` must be a decoder without experts, encoder, images or partly looped layers"),
        (0 < params < inf, f"params must be a finite number above 0, got {params!r}"),
        (multiple >= 1, f"multiple must be at least 1, got {multiple!r}"),
        (len(head_dims) and min(head_dims) >= 1, f"head_dims must be numbers above 0, got {head_dims!r}"),
        (0 < aspect[0] <= aspect[1] < inf, f"aspect must be (low, high), 0 < low <= high, got {aspect!r}"),
        (within > 0, f"within must be above 0, got {within!r}"),
        (limit >= 1, f"limit must be at least 1, got {limit!r}"),
    ]  # fmt: skip
    broken = [sentence for holds, sentence in rules if not holds]
    if broken:
        raise ValueError(f"nearest_shapes: {broken[0]}.")


def _why_none(
    params: float,
    convention: str,
    within: float,
    limits: str,
    found: list[tuple[float, Shape, int]],
    allowed: list[tuple[float, Shape, int]],
) -> str:
    """Which limit binds: `within`, the aspect, or the rest."""
    start = f"nearest_shapes: no shape within {within:.1%} of {params:.4g} parameters ({convention})"
    start += f" and {limits}."
    if allowed:
        distance, one, layers = allowed[0]
        count = parameters(_deep(one, layers), convention).total
        start += f" The nearest has {count:.4g} parameters; raise `within` or lower `multiple`."
    misses = [row for row in found if row not in allowed and row[0] <= log(1 + within)]
    if misses:
        aspects = [one.width / layers for _, one, layers in misses]
        start += f" Shapes near enough have aspect {min(aspects):.3g} to {max(aspects):.3g}; widen `aspect`."
    if not allowed and not misses:
        start += " Widen ffn_ratio or lower `multiple`; the vocabulary matrix alone may exceed the count."
    return start
