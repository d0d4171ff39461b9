"""Well-known shapes and the shared tables, for the tests of counting."""

import csv
import gzip
from pathlib import Path

import pytest

from lawful.shapes import Shape, parameters

# Beside the repository, or one level up for a git worktree.
SHARED = next((p / "shared" for p in Path(__file__).parents[2:4] if (p / "shared").exists()), Path("absent"))
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the folder shared/ is not beside the repository")

LLAMA = dict(positions="rotary", biases="none", norm="rmsnorm", gated=True)
T5 = dict(positions="buckets", biases="none", norm="rmsnorm", vocab=32128, context=512)
GPT2 = Shape(layers=12, width=768, heads=12, vocab=50257, context=1024)
GPT2_XL = Shape(layers=48, width=1600, heads=25, vocab=50257, context=1024)
LLAMA_7B = Shape(layers=32, width=4096, heads=32, ffn_width=11008, vocab=32000, context=4096, tied=False, **LLAMA)
LLAMA_70B = Shape(
    layers=80,
    width=8192,
    heads=64,
    kv_heads=8,
    ffn_width=28672,
    vocab=32000,
    context=4096,
    tied=False,
    **LLAMA,
)
MIXTRAL = Shape(
    layers=32, width=4096, heads=32, kv_heads=8, ffn_width=14336, vocab=32000, context=32768, tied=False,
    experts=8, active_experts=2, **LLAMA,
)  # fmt: skip
T5_SMALL = Shape(layers=6, encoder_layers=6, width=512, heads=8, **T5)


def count(shape: Shape, convention: str = "total") -> int:
    return int(parameters(shape, convention).total)


def rows(path: str) -> list[dict[str, str]]:
    opened = gzip.open(SHARED / path, "rt") if path.endswith(".gz") else open(SHARED / path)
    with opened as file:
        return list(csv.DictReader(file))
