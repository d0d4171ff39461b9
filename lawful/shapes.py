"""The shape of a transformer, and how many weights it has.

A `Shape` says what a configuration file says: layers, width, heads, vocabulary. Every count in `lawful.flops`
follows from it. Papers disagree on which weights N counts, and the disagreement moves scaling exponents
(Porian et al. 2024, Pearce & Song 2024), so a count always carries the name of its convention:

>>> gpt2 = Shape(layers=12, width=768, heads=12, vocab=50257, context=1024)
>>> int(parameters(gpt2).total), int(parameters(gpt2, "kaplan2020").total)
(124439808, 84934656)

Dense decoders, grouped queries, experts, looped layers, encoder-decoders and vision transformers are all the
one noun with some fields at their defaults.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

_T5_BUCKETS = 32
"""Relative-position buckets of T5 (Raffel et al. 2020, section 2.1); a stack's layers share one table."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes of a transformer. A 0 means "the usual value", filled in when the shape is made.

    layers, width: blocks (of the decoder, if there is an encoder) and d_model.
    heads, kv_heads, head_dim: query heads; key/value heads (default heads); width of a head (width / heads).
    ffn_width, gated: hidden units of the feed-forward layer (default 4 width; must be given when gated, as
        families round 8/3 width differently); gated layers (SwiGLU, GeGLU) have three matrices, others two.
    vocab, context, tied: tokens in the vocabulary, sequence length, one matrix for embedding and logits.
    positions: "learned" has context x width weights; "relative" is Transformer-XL's, a width x attention
        matrix and two bias vectors per layer (Gopher, Chinchilla); "buckets" is T5's; "rotary" has none.
    biases: on "all" linear layers, on "qkv" only, or "none". norm: "layernorm" has gain and bias, "rmsnorm" a
        gain, "fixed" no weights; block_norms of them per layer and one at the end of a stack.
    qk_norm: gains on queries and keys over the whole "width" or over each "head", or "none".
    experts, active_experts, shared_experts: routed experts per layer, how many a token visits, and experts
        every token visits; widths expert_width (default ffn_width) and shared_width (default expert_width);
        dense_layers of the layers have an ordinary feed-forward layer instead.
    loops, looped_layers: looped_layers (default all) run `loops` times with the same weights.
    encoder_layers, source_context: an encoder, and cross-attention in every decoder layer.
    image, patch, channels, classes: a vision transformer; context is then (image / patch)^2 + 1.

    Raises ValueError for sizes that contradict each other, TypeError for sizes that are not whole numbers.
    """

    layers: int
    width: int
    heads: int
    vocab: int = 0
    context: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    ffn_width: int = 0
    gated: bool = False
    tied: bool = True
    positions: Literal["learned", "rotary", "relative", "buckets", "none"] = "learned"
    biases: Literal["all", "qkv", "none"] = "all"
    norm: Literal["layernorm", "rmsnorm", "fixed"] = "layernorm"
    block_norms: int = 2
    qk_norm: Literal["none", "width", "head"] = "none"
    experts: int = 0
    active_experts: int = 0
    shared_experts: int = 0
    expert_width: int = 0
    shared_width: int = 0
    dense_layers: int = 0
    loops: int = 1
    looped_layers: int = 0
    encoder_layers: int = 0
    source_context: int = 0
    image: int = 0
    patch: int = 0
    channels: int = 3
    classes: int = 0

    def __post_init__(self) -> None:
        _check_numbers(self)
        _check_words(self)
        for name, value in _usual_values(self).items():
            if getattr(self, name) == 0:
                object.__setattr__(self, name, value)
        _check_agreement(self)

    @property
    def attention_width(self) -> int:
        """heads x head_dim: Kaplan's d_attn."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """kv_heads x head_dim."""
        return self.kv_heads * self.head_dim

    @property
    def depth(self) -> int:
        """Layers a token passes through, each loop counted."""
        return self.layers + (self.loops - 1) * self.looped_layers


def _check_numbers(shape: Shape) -> None:
    at_least_one = {"layers", "width", "heads", "loops"}
    for name, value in vars(shape).items():
        if name in ("gated", "tied", "positions", "biases", "norm", "qk_norm"):
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"Shape: {name} must be a whole number (int), got {value!r}.")
        if value < (name in at_least_one):
            raise ValueError(f"Shape: {name} must be at least {int(name in at_least_one)}, got {value}.")


def _check_words(shape: Shape) -> None:
    allowed = {
        "positions": ("learned", "rotary", "relative", "buckets", "none"),
        "biases": ("all", "qkv", "none"),
        "norm": ("layernorm", "rmsnorm", "fixed"),
        "qk_norm": ("none", "width", "head"),
    }
    for name, words in allowed.items():
        check_choice(getattr(shape, name), words, f"Shape: {name}")


def _usual_values(shape: Shape) -> dict[str, int]:
    """What a size left at 0 becomes; a size that cannot be inferred is an error."""
    usual = {"kv_heads": shape.heads}
    if shape.head_dim == 0:
        if shape.width % shape.heads:
            raise ValueError(f"Shape: width {shape.width} is not a multiple of heads {shape.heads}; give head_dim.")
        usual["head_dim"] = shape.width // shape.heads
    if shape.ffn_width == 0 and shape.gated:
        raise ValueError("Shape: a gated feed-forward layer needs ffn_width; no single usual value exists.")
    usual["ffn_width"] = 4 * shape.width
    if shape.experts:
        usual["expert_width"] = shape.ffn_width or usual["ffn_width"]
        usual["shared_width"] = shape.expert_width or usual["expert_width"]
    if shape.loops > 1:
        usual["looped_layers"] = shape.layers
    if shape.encoder_layers:
        usual["source_context"] = shape.context
    if shape.patch and shape.image % shape.patch == 0:
        usual["context"] = (shape.image // shape.patch) ** 2 + 1
    return usual


def _check_agreement(shape: Shape) -> None:
    vision = bool(shape.patch or shape.image or shape.classes)
    vision_sizes = all([shape.patch, shape.image, shape.classes, shape.channels])
    rules = [
        (vision or (shape.vocab and shape.context), "a language model needs vocab and context"),
        (not vision or vision_sizes, "a vision transformer needs image, patch, channels and classes"),
        (not vision or not shape.vocab, "vocab belongs to a language model, image to a vision transformer"),
        (not vision or shape.image % shape.patch == 0, "image must be a multiple of patch"),
        (not vision or shape.context == (shape.image // shape.patch) ** 2 + 1,
         "context of a vision transformer is (image / patch)^2 + 1; leave it out"),
        (shape.heads % shape.kv_heads == 0, "heads must be a multiple of kv_heads"),
        (not shape.experts or 1 <= shape.active_experts <= shape.experts,
         "active_experts must lie between 1 and experts"),
        (shape.experts or not (shape.active_experts or shape.shared_experts or shape.dense_layers
                               or shape.expert_width or shape.shared_width),
         "active_experts, shared_experts, dense_layers and expert widths need experts"),
        (shape.dense_layers <= shape.layers, "dense_layers must not exceed layers"),
        (shape.looped_layers <= shape.layers, "looped_layers must not exceed layers"),
        (shape.loops > 1 or not shape.looped_layers, "looped_layers needs loops above 1"),
        (not (shape.dense_layers and 0 < shape.looped_layers < shape.layers),
         "dense_layers with part of the layers looped leaves open which are looped"),
        (not shape.encoder_layers or not (shape.experts or shape.loops > 1 or vision),
         "an encoder-decoder is counted without experts, loops or images"),
        (shape.encoder_layers or not shape.source_context, "source_context needs encoder_layers"),
    ]  # fmt: skip
    broken = [sentence for holds, sentence in rules if not holds]
    if broken:
        raise ValueError(f"Shape: {broken[0]}; got {shape}.")


@dataclass(frozen=True)
class Count:
    """A number and the terms it is the sum of, under a named convention.

    `terms` holds only terms the convention counts. `float(count)` is the total.
    """

    convention: str
    unit: str
    terms: Mapping[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.terms.values())

    def __float__(self) -> float:
        return float(self.total)

    def __str__(self) -> str:
        rows = [*self.terms.items(), ("total", self.total)]
        lines = [f"  {name:<18}{value:>14.6g}" for name, value in rows]
        return "\n".join([f"{self.unit}, {self.convention}", *lines])


@dataclass(frozen=True)
class _ParameterRule:
    """Which weights a paper's N counts."""

    source: str
    vocabulary: Literal["stored", "one", "none"]
    active: bool = False
    leaves_out: tuple[str, ...] = ("positions",)


_KAPLAN_OMITS = ("positions", "relative", "biases", "norms")
PARAMETER_CONVENTIONS: dict[str, _ParameterRule] = {
    "total": _ParameterRule("every stored weight once", "stored", leaves_out=()),
    "active": _ParameterRule("total, with the experts one token visits", "stored", True, ()),
    "non_embedding": _ParameterRule("total less embeddings, positions and output head", "none"),
    "active_non_embedding": _ParameterRule("non_embedding, with the experts one token visits", "none", True),
    "kaplan2020": _ParameterRule("arXiv 2001.08361 Table 1: matrices of the blocks", "none", True, _KAPLAN_OMITS),
    "hoffmann2022": _ParameterRule("arXiv 2203.15556 Table A9: total less the norms", "stored", False, ("norms",)),
    "porian2024": _ParameterRule("arXiv 2406.19146: Kaplan's and the output head", "one", True, _KAPLAN_OMITS),
    "bhagia2024": _ParameterRule("arXiv 2412.04403: blocks and one vocabulary matrix", "one"),
}


def parameters(shape: Shape, convention: str = "total") -> Count:
    """Number of weights, by term. `PARAMETER_CONVENTIONS` lists the conventions with their sources.

    "total" counts every stored weight once: a tied embedding once, looped layers once, all experts.
    "active" counts the experts one token visits. "non_embedding" (Pythia, Cerebras-GPT) leaves out
    embeddings, learned positions and the output head, keeps biases and norms; "kaplan2020" leaves those out
    as well: N = 2 d_model n_layer (2 d_attn + d_ff).

    Raises ValueError for an unknown convention.
    """
    check_choice(convention, PARAMETER_CONVENTIONS, "parameters: convention")
    rule = PARAMETER_CONVENTIONS[convention]
    terms = weights(shape, active=rule.active)
    if rule.vocabulary == "one":
        terms["head"] = terms["head"] or terms["embedding"]
    omitted = set(rule.leaves_out)
    if rule.vocabulary != "stored":
        omitted |= {"embedding", "patches"}
    if rule.vocabulary == "none":
        omitted.add("head")
    counted = {name: value for name, value in terms.items() if value and name not in omitted}
    return Count(convention, "parameters", counted)


def weights(shape: Shape, *, active: bool = False, unrolled: bool = False) -> dict[str, int]:
    """Stored weights by kind; with `active` only experts a token visits, `unrolled` repeats looped layers."""
    depth = shape.depth if unrolled else shape.layers
    terms = stack_weights(shape, depth, active=active)
    if shape.encoder_layers:
        cross = cross_weights(shape)
        encoder = stack_weights(shape, shape.encoder_layers, active=active)
        terms = {name: value + encoder[name] + cross.get(name, 0) for name, value in terms.items()}
        terms["cross_attention"] = cross["cross_query"] + cross["cross_key_value"]
    terms |= {"embedding": shape.vocab * shape.width, "head": 0, "patches": 0}
    if shape.patch:
        terms["embedding"] = shape.width  # the class token
        terms["patches"] = (shape.channels * shape.patch**2 + 1) * shape.width
        terms["head"] = (shape.width + 1) * shape.classes
    elif not shape.tied:
        terms["head"] = shape.vocab * shape.width
    if shape.positions == "learned":
        terms["positions"] += (shape.context + shape.source_context) * shape.width
    return terms


def stack_weights(shape: Shape, layers: int, *, active: bool = False) -> dict[str, int]:
    """Weights of `layers` self-attention blocks and the norm after them, by kind."""
    d, a, kv = shape.width, shape.attention_width, shape.kv_width
    attention = 2 * d * a + 2 * d * kv
    bias = {"all": a + 2 * kv + d, "qkv": a + 2 * kv, "none": 0}[shape.biases]
    if shape.positions == "relative":
        bias += 2 * a
    gains = {"width": a + kv, "head": 2 * shape.head_dim, "none": 0}[shape.qk_norm]
    norm = {"layernorm": 2 * d, "rmsnorm": d, "fixed": 0}[shape.norm]
    ffn, ffn_bias, router = _ffn_weights(shape, layers, active)
    return {
        "attention": layers * attention,
        "relative": layers * d * a if shape.positions == "relative" else 0,
        "ffn": ffn,
        "router": router,
        "biases": layers * bias + ffn_bias,
        "norms": layers * (shape.block_norms * norm + gains) + norm,
        "positions": _T5_BUCKETS * shape.heads if shape.positions == "buckets" else 0,
    }


def _ffn_weights(shape: Shape, layers: int, active: bool) -> tuple[int, int, int]:
    """Matrices, biases and routers of the feed-forward layers of `layers` blocks."""
    # Layers with experts keep their share when all layers are looped.
    dense = layers if not shape.experts else shape.dense_layers * (layers // shape.layers)
    sparse = layers - dense
    routed = shape.active_experts if active else shape.experts
    hidden = dense * shape.ffn_width
    hidden += sparse * (routed * shape.expert_width + shape.shared_experts * shape.shared_width)
    outputs = dense + sparse * (routed + shape.shared_experts)
    ups = 2 if shape.gated else 1
    bias = ups * hidden + outputs * shape.width if shape.biases == "all" else 0
    return (ups + 1) * shape.width * hidden, bias, sparse * shape.width * shape.experts


def cross_weights(shape: Shape) -> dict[str, int]:
    """Weights of the decoder's cross-attention; query and output side apart from key and value side."""
    d, a, kv, layers = shape.width, shape.attention_width, shape.kv_width, shape.layers
    norm = {"layernorm": 2 * d, "rmsnorm": d, "fixed": 0}[shape.norm]
    bias = {"all": a + 2 * kv + d, "qkv": a + 2 * kv, "none": 0}[shape.biases]
    return {
        "cross_query": layers * 2 * d * a,
        "cross_key_value": layers * 2 * d * kv,
        "norms": layers * norm,
        "biases": layers * bias,
    }


def check_choice(value: str, allowed: Iterable[str], where: str) -> None:
    """Raise ValueError unless `value` is one of `allowed`, naming the nearest."""
    allowed = list(allowed)
    if value in allowed:
        return
    near = get_close_matches(str(value), allowed, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{where} must be one of {', '.join(map(repr, allowed))}; got {value!r}.{hint}")
