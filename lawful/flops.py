"""FLOPs, memory and caches of a transformer, each convention under its paper's name.

A training FLOP count is a sum of weights, each times what the paper charges per token: 6 for a matrix (2
forward, 4 backward), and 12 x layers x context x attention width for the scores. Papers differ only in which
terms they charge, so a convention is one row of `TRAINING_CONVENTIONS` and a count keeps its terms:

>>> gpt2 = Shape(layers=12, width=768, heads=12, vocab=50257, context=1024)
>>> print(training_flops(gpt2, tokens=1, convention="narayanan2021"))
FLOP, narayanan2021
  attention            1.69869e+08
  ffn                  3.39739e+08
  logits               2.31584e+08
  scores               1.13246e+08
  total                8.54438e+08

The same model costs from 5.1e8 (Kaplan's 6N) to 1.1e9 (Hoffmann's appendix F) FLOP per token.
"""

from dataclasses import dataclass
from typing import Literal

from lawful.shapes import Count, Shape, check_choice, cross_weights, parameters, stack_weights, weights


@dataclass(frozen=True)
class FlopRule:
    """What a paper charges per token, forward and backward together.

    matrices, vectors (biases and norms), embedding, positions, head: FLOPs per weight of that kind.
    scores: FLOPs per layer x context x attention width; 12 counts every pair, 6 the causal half.
    softmax: FLOPs per layer x context x head. relative: FLOPs per weight of Transformer-XL's position matrix.
    tied_once: a tied matrix is charged as embedding alone.
    """

    source: str
    matrices: int = 6
    vectors: int = 0
    embedding: int = 0
    positions: int = 0
    head: int = 6
    scores: int = 12
    softmax: int = 0
    relative: int = 6
    tied_once: bool = False


TRAINING_CONVENTIONS: dict[str, FlopRule] = {
    "6ND": FlopRule("N: parameters a token visits, embeddings too", 6, 6, 6, 6, 6, 0, tied_once=True),
    "6ND_non_embedding": FlopRule("arXiv 2001.08361, C = 6NBS", head=0, scores=0),
    "kaplan2020": FlopRule("arXiv 2001.08361 Table 1, training = 3 x forward", head=0, scores=6),
    "hoffmann2022": FlopRule("arXiv 2203.15556 appendix F as printed", embedding=6, relative=0, softmax=9),
    "hoffmann2022_table_A4": FlopRule("its Table A4 is met without embedding and logits",
                                      head=0, relative=0, softmax=9),
    "palm": FlopRule("arXiv 2204.02311 appendix B, 6N + 12LHQT", 6, 6, 6, 6, 6, 12, tied_once=True),
    "narayanan2021": FlopRule("arXiv 2104.04473 equation 3, without recomputation"),
    "deepseek2024": FlopRule("arXiv 2401.02954 equation 2, non-embedding FLOPs per token", head=0),
    "porian2024": FlopRule("arXiv 2406.19146, 'attention' count", scores=6),
    "bhagia2024": FlopRule("arXiv 2412.04403: OLMo; the embedding is looked up forward, trained backward",
                           vectors=6, embedding=4, positions=4, tied_once=True),
    "nanochat": FlopRule("github karpathy/nanochat gpt.py estimate_flops", vectors=6),
}  # fmt: skip


def training_flops(
    shape: Shape | float, tokens: float, convention: str = "6ND", *, source_tokens: float | None = None
) -> Count:
    """FLOPs to train on `tokens` tokens, by term; `TRAINING_CONVENTIONS` lists the conventions.

    Experts count as often as a token visits them, looped layers as often as they run. Recomputed activations
    are never counted. With a plain number N for `shape`, "6ND" is 6 N tokens; the others need the Shape.
    An encoder-decoder reads `source_tokens` in its encoder and `tokens` in its decoder. For a vision
    transformer a token is a patch or the class token, images x shape.context of them; the patch matrix is
    charged per patch, the head per image.

    Raises ValueError for an unknown convention, tokens below 0, or a missing fact.
    """
    check_choice(convention, TRAINING_CONVENTIONS, "training_flops: convention")
    _check_amount("training_flops: tokens", tokens)
    if not isinstance(shape, Shape):
        _check_amount("training_flops: shape, as a number of parameters", shape)
        if convention != "6ND":
            raise ValueError(
                f"training_flops: convention {convention!r} needs a Shape, got the number {shape!r};"
                " a number of parameters alone allows '6ND'."
            )
        return Count("6ND", "FLOP", {"parameters": 6 * shape * tokens})
    terms: dict[str, float] = {}
    for amount, quantities in _streams(shape, tokens, source_tokens):
        for name, charge in _charges(shape, convention).items():
            terms[name] = terms.get(name, 0) + amount * charge * quantities.get(name, 0)
    return Count(convention, "FLOP", {name: value for name, value in terms.items() if value})


def _charges(shape: Shape, convention: str) -> dict[str, int]:
    rule = TRAINING_CONVENTIONS[convention]
    matrices = ("attention", "cross_attention", "ffn", "router", "patches")
    return dict.fromkeys(matrices, rule.matrices) | {
        "biases": rule.vectors,
        "norms": rule.vectors,
        "embedding": rule.embedding,
        "positions": rule.positions,
        "logits": 0 if rule.tied_once and shape.tied and not shape.patch else rule.head,
        "relative": rule.relative,
        "scores": rule.scores,
        "softmax": rule.softmax,
    }


def _streams(shape: Shape, tokens: float, source_tokens: float | None) -> list[tuple[float, dict[str, float]]]:
    """(tokens, what each of them meets) of the decoder and, if there is one, of the encoder."""
    if not shape.encoder_layers:
        if source_tokens is not None:
            raise ValueError("training_flops: source_tokens is for encoder-decoders; this Shape has no encoder.")
        return [(tokens, _met(shape, weights(shape, active=True, unrolled=True), shape.depth, shape.context))]
    if source_tokens is None:
        raise ValueError("training_flops: an encoder-decoder needs source_tokens, the tokens its encoder reads.")
    _check_amount("training_flops: source_tokens", source_tokens)
    cross = cross_weights(shape)
    embedding = shape.vocab * shape.width
    learned = shape.width if shape.positions == "learned" else 0
    source: dict[str, float] = {**stack_weights(shape, shape.encoder_layers)}
    source |= {"cross_attention": cross["cross_key_value"], "embedding": embedding}
    source["positions"] += learned * shape.source_context
    target: dict[str, float] = {**stack_weights(shape, shape.layers)}
    target |= {"cross_attention": cross["cross_query"], "embedding": embedding}
    target["positions"] += learned * shape.context
    target["norms"] += cross["norms"]
    target["biases"] += cross["biases"]
    target |= {"logits": embedding}
    return [
        (source_tokens, _attend(shape, source, shape.encoder_layers * shape.source_context)),
        (tokens, _attend(shape, target, shape.layers * (shape.context + shape.source_context))),
    ]


def _met(shape: Shape, stored: dict[str, int], depth: int, context: int) -> dict[str, float]:
    """Weights a token meets. In a vision transformer not every token meets the patch matrix or the head."""
    met: dict[str, float] = {**stored}
    met["logits"] = met.pop("head") or shape.vocab * shape.width
    if shape.patch:
        met["logits"] = shape.width * shape.classes / context
        met["patches"] = shape.channels * shape.patch**2 * shape.width * (context - 1) / context
    return _attend(shape, met, depth * context)


def _attend(shape: Shape, met: dict[str, float], keys: float) -> dict[str, float]:
    """Add the products with `keys` keys, summed over layers."""
    return met | {"scores": keys * shape.attention_width, "softmax": keys * shape.heads}


def inference_flops(
    shape: Shape | float,
    prompt_tokens: float,
    generated_tokens: float = 0,
    convention: Literal["2ND", "counted"] = "2ND",
) -> Count:
    """FLOPs of one forward pass over a prompt and of generating from it with a cache, by term.

    "2ND": 2 N per token, N the parameters one token visits (Sardana et al. 2024, arXiv 2401.00448).
    "counted": 2 per weight of the matrices and token, 4 x layers x attention width per pair of a token and
    one it can see (itself and earlier ones), logits of the last prompt token and of generated tokens but the
    last, which is not fed back. Prompt and generated tokens must fit the context.

    With a plain number N for `shape`, "2ND" is 2 N (prompt + generated); "counted" needs a decoder's Shape.
    Multiply by the number of requests.
    """
    check_choice(convention, ("2ND", "counted"), "inference_flops: convention")
    _check_amount("inference_flops: prompt_tokens", prompt_tokens)
    _check_amount("inference_flops: generated_tokens", generated_tokens)
    if convention == "2ND":
        tokens = prompt_tokens + generated_tokens
        if isinstance(shape, Shape):
            _refuse_encoder(shape, "inference_flops")
            unrolled = {name: n for name, n in weights(shape, active=True, unrolled=True).items() if n}
            return Count("2ND", "FLOP", {name: 2 * n * tokens for name, n in unrolled.items()})
        _check_amount("inference_flops: shape, as a number of parameters", shape)
        return Count("2ND", "FLOP", {"parameters": 2 * shape * tokens})
    return _counted_inference(shape, prompt_tokens, generated_tokens)


def _counted_inference(shape: Shape | float, prompt_tokens: float, generated_tokens: float) -> Count:
    tokens = prompt_tokens + generated_tokens
    if not isinstance(shape, Shape):
        raise ValueError(f"inference_flops: convention 'counted' needs a Shape, got the number {shape!r}.")
    _refuse_encoder(shape, "inference_flops")
    if shape.patch:
        raise ValueError("inference_flops: a vision transformer generates nothing; use a third of training_flops.")
    if prompt_tokens < 1 or tokens > shape.context:
        raise ValueError(
            f"inference_flops: prompt_tokens ({prompt_tokens}) must be at least 1 and, with generated_tokens"
            f" ({generated_tokens}), at most context ({shape.context})."
        )
    fed = prompt_tokens + max(generated_tokens - 1, 0)
    met = weights(shape, active=True, unrolled=True)
    terms = {name: 2.0 * met[name] * fed for name in ("attention", "relative", "ffn", "router") if met[name]}
    terms["logits"] = 2.0 * shape.vocab * shape.width * max(generated_tokens, 1)
    terms["scores"] = 4.0 * shape.depth * shape.attention_width * fed * (fed + 1) / 2
    return Count("counted", "FLOP", terms)


def kv_cache_bytes(shape: Shape, tokens: float, *, sequences: float = 1, bytes_per_value: float = 2) -> float:
    """Bytes of the keys and values kept for `sequences` sequences of `tokens` tokens.

    2 x depth x kv_heads x head_dim x bytes_per_value per token; every pass of a looped layer keeps its own.
    An encoder-decoder also keeps keys and values of source_context tokens for its cross-attention.

    >>> opt_13b = Shape(layers=40, width=5120, heads=40, vocab=50272, context=2048)
    >>> kv_cache_bytes(opt_13b, tokens=1)     # Kwon et al. 2023, section 1: 800 KB
    819200
    """
    _check_amount("kv_cache_bytes: tokens", tokens)
    _check_amount("kv_cache_bytes: sequences", sequences)
    _check_amount("kv_cache_bytes: bytes_per_value", bytes_per_value)
    if shape.patch:
        raise ValueError("kv_cache_bytes: a vision transformer keeps no cache.")
    kept = shape.depth * tokens + (shape.layers * shape.source_context if shape.encoder_layers else 0)
    return 2 * shape.kv_width * kept * sequences * bytes_per_value


def memory_bytes(
    shape: Shape,
    purpose: Literal["training", "serving"],
    *,
    sequences: float = 1,
    tokens: int = 0,
    weight_bytes: float = 2,
    gradient_bytes: float = 2,
    optimizer_bytes: float = 12,
    activations: Literal["all", "flash", "recompute"] = "flash",
    dropout: bool = False,
) -> Count:
    """Bytes held to train on, or serve, `sequences` sequences of `tokens` tokens (default context), by term.

    Training: weights, gradients and optimizer state, by default Adam in mixed precision, 2 + 2 + 12 bytes per
    parameter (Rajbhandari et al. 2020, section 3.1); activations in 16 bits (Korthikanti et al. 2022, section
    4.1): "all" stores s b h (34 + 5 a s / h) bytes per layer of a plain block with dropout, "flash" leaves
    out the a s^2 terms, "recompute" keeps the 2 s b h bytes a layer begins with; and the logits in 32 bits.
    Serving: weights, and the cache in 16 bits. Buffers, fragmentation and parallel copies are not counted.

    Activations are counted for decoders and vision transformers without experts only; else ValueError.
    """
    check_choice(purpose, ("training", "serving"), "memory_bytes: purpose")
    check_choice(activations, ("all", "flash", "recompute"), "memory_bytes: activations")
    amounts = dict(sequences=sequences, tokens=tokens, weight_bytes=weight_bytes,
                   gradient_bytes=gradient_bytes, optimizer_bytes=optimizer_bytes)  # fmt: skip
    for name, value in amounts.items():
        _check_amount(f"memory_bytes: {name}", value)
    tokens = tokens or shape.context
    stored = parameters(shape).total
    terms = {"weights": stored * weight_bytes}
    if purpose == "serving":
        cache = 0.0 if shape.patch else kv_cache_bytes(shape, tokens, sequences=sequences)
        return Count("serving", "bytes", terms | ({"kv_cache": cache} if cache else {}))
    terms["gradients"] = stored * gradient_bytes
    terms["optimizer"] = stored * optimizer_bytes
    per_layer = _activation_bytes(shape, tokens, activations, dropout)
    terms["activations"] = shape.depth * sequences * per_layer
    terms["logits"] = 4.0 * sequences * (shape.classes if shape.patch else shape.vocab * tokens)
    return Count(f"training, activations {activations}", "bytes", terms)


def _activation_bytes(shape: Shape, tokens: int, activations: str, dropout: bool) -> float:
    """Bytes one layer keeps for the backward pass of one sequence."""
    _refuse_encoder(shape, "memory_bytes")
    if shape.experts:
        raise ValueError("memory_bytes: activations of experts depend on routing and capacity; not counted.")
    if activations == "recompute":
        return 2.0 * tokens * shape.width
    norms = 2 * shape.block_norms * shape.width
    attention = 2 * shape.width + 4 * shape.attention_width + 4 * shape.kv_width
    ffn = 2 * shape.width + 2 * shape.ffn_width * (3 if shape.gated else 2)
    masks = 2 * shape.width if dropout else 0
    pairs = shape.heads * tokens**2 * (5 if dropout else 2) if activations == "all" else 0
    return float(tokens * (norms + attention + ffn + masks) + pairs)


def _refuse_encoder(shape: Shape, where: str) -> None:
    if shape.encoder_layers:
        raise ValueError(f"{where}: an encoder-decoder is not counted here; use training_flops.")


def _check_amount(where: str, value: float) -> None:
    if not 0 <= value < float("inf"):
        raise ValueError(f"{where} must be a finite number of at least 0, got {value!r}.")
