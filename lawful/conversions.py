"""Units that cannot be converted without a fact, and the fact each one needs.

A loss in nats per token says nothing in bits per byte until somebody says how many bytes a token has. A
parameter count without embeddings says nothing about one with them until somebody says vocabulary and width.
These functions convert when they are told, name what is missing when they are not, and never assume a value.

>>> round(convert_loss(2.08, "nats/token", "bits/byte", bytes_per_token=4.3), 4)
0.6979
>>> convert_compute(3640, "PF-days", "FLOP")     # GPT-3
3.14496e+23
"""

from collections.abc import Mapping
from math import asinh, exp, isfinite, log, sinh, sqrt

from lawful.shapes import check_choice

_BYTES = "UTF-8 bytes of the text divided by its tokens"
_CHARACTERS = "characters of the text divided by its tokens"
_LOSS_UNITS = ("nats", "bits")
_TEXT_UNITS = ("token", "byte", "character")
_COMPUTE_UNITS = ("FLOP", "PF-days", "device-hours")
_PARAMETER_UNITS = ("non_embedding", "bhagia2024", "total")


def convert_loss(
    value: float,
    source: str,
    to: str,
    *,
    bytes_per_token: float | None = None,
    characters_per_token: float | None = None,
) -> float:
    """A loss from one unit to another: {nats, bits}/{token, byte, character}, or "perplexity" (per token).

    Raises ValueError that names the missing one of bytes_per_token, characters_per_token.
    """
    units = [*(f"{info}/{text}" for info in _LOSS_UNITS for text in _TEXT_UNITS), "perplexity"]
    facts = {"bytes_per_token": bytes_per_token, "characters_per_token": characters_per_token}
    check_choice(source, units, "convert_loss: source")
    check_choice(to, units, "convert_loss: to")
    if source == "perplexity":
        value, source = log(_positive("convert_loss: value", value)), "nats/token"
    target = "nats/token" if to == "perplexity" else to
    (from_info, from_text), (to_info, to_text) = source.split("/"), target.split("/")
    size = {"nats": 1.0, "bits": log(2)}
    route = f"{source} to {to}"
    per_token = {t: _text_per_token(t, facts, route) for t in {from_text, to_text} if from_text != to_text}
    value = value * size[from_info] / size[to_info]
    if per_token:
        value = value * per_token[from_text] / per_token[to_text]
    return exp(value) if to == "perplexity" else value


def convert_data(
    value: float,
    source: str,
    to: str,
    *,
    bytes_per_token: float | None = None,
    characters_per_token: float | None = None,
) -> float:
    """An amount of text between "tokens", "bytes" and "characters".

    Raises ValueError that names the missing one of bytes_per_token, characters_per_token.
    """
    facts = {"bytes_per_token": bytes_per_token, "characters_per_token": characters_per_token}
    units = [f"{text}s" for text in _TEXT_UNITS]
    check_choice(source, units, "convert_data: source")
    check_choice(to, units, "convert_data: to")
    if source == to:
        return value
    route = f"{source} to {to}"
    return value / _text_per_token(source[:-1], facts, route) * _text_per_token(to[:-1], facts, route)


def convert_compute(
    value: float,
    source: str,
    to: str,
    *,
    flops_per_second: float | None = None,
    utilisation: float | None = None,
) -> float:
    """Compute between "FLOP", "PF-days" (1e15 FLOP/s for a day, 8.64e19 FLOP) and "device-hours".

    Device-hours need the device's peak flops_per_second at the precision used and the utilisation, the share
    of it in (0, 1] that training reaches. Raises ValueError that names the missing one.
    """
    check_choice(source, _COMPUTE_UNITS, "convert_compute: source")
    check_choice(to, _COMPUTE_UNITS, "convert_compute: to")
    if source == to:
        return value
    size = {"FLOP": 1.0, "PF-days": 8.64e19}
    if "device-hours" in (source, to):
        route = f"{source} to {to}"
        peak = _fact("flops_per_second", flops_per_second, "the device's peak FLOP/s", route)
        share = _fact("utilisation", utilisation, "the share of the peak that is reached", route)
        if share > 1:
            raise ValueError(f"convert_compute: utilisation must lie in (0, 1], got {share!r}.")
        size["device-hours"] = 3600 * peak * share
    return value * size[source] / size[to]


def convert_params(
    value: float,
    source: str,
    to: str,
    *,
    vocab: float | None = None,
    width: float | None = None,
    aspect: float | None = None,
    tied: bool | None = None,
    learned_context: float = 0,
) -> float:
    """A parameter count between "non_embedding", "bhagia2024" (with one vocabulary matrix) and "total".

    non_embedding = total - m vocab width - learned_context width, m = 1 for tied embeddings, 2 otherwise;
    learned_context is the context if positions are learned weights. `tied` matters only for "total".
    Instead of the width, `aspect` = width / layers gives it by N_non_embedding = 12 width^3 / aspect (Pearce
    & Song 2024, arXiv 2406.12907: total = N + omega N^(1/3), omega = vocab (aspect / 12)^(1/3)).

    Raises ValueError that names the missing fact, or when the embeddings exceed the value.
    """
    check_choice(source, _PARAMETER_UNITS, "convert_params: source")
    check_choice(to, _PARAMETER_UNITS, "convert_params: to")
    _positive("convert_params: value", value)
    if source == to:
        return value
    route = f"{source} to {to}"
    vocab = _fact("vocab", vocab, "entries of the embedding matrix, padding included", route)
    rows = {"non_embedding": 0.0, "bhagia2024": vocab}
    if "total" in (source, to):
        if tied is None:
            raise ValueError(f"Converting {route} needs tied (is the output head the embedding matrix?).")
        rows["total"] = (1 if tied else 2) * vocab + learned_context
    width = _width(value, rows[source], width, aspect, route)
    converted = value + (rows[to] - rows[source]) * width
    if converted <= 0:
        raise ValueError(
            f"convert_params: {value!r} {source} parameters are fewer than the {value - converted:.4g} to be"
            " taken away; check vocab and width."
        )
    return converted


def _width(value: float, rows: float, width: float | None, aspect: float | None, route: str) -> float:
    """The width given, or the d with 12 d^3 / aspect + rows d = value by the hyperbolic root of the cubic."""
    if aspect is None:
        return _fact("width", width, "d_model; or aspect, width / layers", route)
    if width is not None:
        raise ValueError("convert_params: give width or aspect, not both.")
    _positive("convert_params: aspect", aspect)
    p, q = rows * aspect / 12, value * aspect / 12
    if p == 0:
        return q ** (1 / 3)
    return 2 * sqrt(p / 3) * sinh(asinh(1.5 * q / p * sqrt(3 / p)) / 3)


def _text_per_token(text: str, facts: Mapping[str, float | None], route: str) -> float:
    if text == "token":
        return 1.0
    name = f"{text}s_per_token"
    return _fact(name, facts[name], _BYTES if text == "byte" else _CHARACTERS, route)


def _fact(name: str, value: float | None, meaning: str, route: str) -> float:
    if value is None:
        raise ValueError(f"Converting {route} needs {name} ({meaning}); it was not given.")
    return _positive(name, value)


def _positive(where: str, value: float) -> float:
    if not (value > 0 and isfinite(value)):
        raise ValueError(f"{where} must be a finite number above 0, got {value!r}.")
    return value
