"""Parameter counts against published tables, exact to the parameter wherever the source is."""

import json

import pytest
from known_shapes import (
    GPT2,
    GPT2_XL,
    LLAMA,
    LLAMA_7B,
    LLAMA_70B,
    MIXTRAL,
    SHARED,
    T5,
    T5_SMALL,
    count,
    needs_shared,
    rows,
)

from lawful.shapes import Shape, parameters

PYTHIA = [  # layers, width, heads, padded vocabulary, total, non-embedding (model card)
    (6, 512, 8, 50304, 70_426_624, 18_915_328),
    (12, 768, 12, 50304, 162_322_944, 85_056_000),
    (24, 1024, 16, 50304, 405_334_016, 302_311_424),
    (16, 2048, 8, 50304, 1_011_781_632, 805_736_448),
    (24, 2048, 16, 50304, 1_414_647_808, 1_208_602_624),
    (32, 2560, 32, 50304, 2_775_208_960, 2_517_652_480),
    (32, 4096, 32, 50432, 6_857_302_016, 6_444_163_072),
    (36, 5120, 40, 50688, 11_846_072_320, 11_327_027_200),
]
CEREBRAS = [  # layers, width, heads, total, non-embedding
    (10, 768, 12, 111_050_496, 70_880_256),
    (14, 1088, 17, 255_977_024, 199_069_184),
    (18, 1536, 12, 590_310_912, 509_970_432),
    (24, 2048, 16, 1_315_723_264, 1_208_602_624),
    (32, 2560, 32, 2_651_553_280, 2_517_652_480),
    (32, 4096, 32, 6_658_404_352, 6_444_163_072),
    (40, 5120, 40, 12_853_386_240, 12_585_584_640),
]


@pytest.mark.parametrize("layers, width, heads, vocab, total, non_embedding", PYTHIA)
def test_pythia(layers, width, heads, vocab, total, non_embedding):
    shape = Shape(layers=layers, width=width, heads=heads, vocab=vocab, context=2048, tied=False, positions="rotary")
    assert (count(shape), count(shape, "non_embedding")) == (total, non_embedding)


@pytest.mark.parametrize("layers, width, heads, total, non_embedding", CEREBRAS)
def test_cerebras(layers, width, heads, total, non_embedding):
    shape = Shape(layers=layers, width=width, heads=heads, vocab=50257, context=2048)
    assert (count(shape), count(shape, "non_embedding")) == (total, non_embedding)


# Published, typed from memory: Hoffmann et al. 2022, Table A9 (millions, d_model, kv size, heads, layers; the
# feed-forward width is 4 d_model in every row). The count meets every row to the million, which it would not
# with a wrong row or a wrong formula.
TABLE_A9 = """
44 512 64 8 8; 57 576 64 9 9; 74 640 64 10 10; 90 640 64 10 13; 106 640 64 10 16; 117 768 64 12 12;
140 768 64 12 15; 163 768 64 12 18; 175 896 64 14 14; 196 896 64 14 16; 217 896 64 14 18; 251 1024 64 16 16;
278 1024 64 16 18; 306 1024 64 16 20; 425 1280 128 10 18; 489 1280 128 10 21; 552 1280 128 10 24;
587 1408 128 11 21; 632 1536 128 12 19; 664 1408 128 11 24; 724 1536 128 12 22; 816 1536 128 12 25;
893 1792 128 14 20; 1018 1792 128 14 23; 1143 1792 128 14 26; 1266 2048 128 16 22; 1424 2176 128 17 22;
1429 2048 128 16 25; 1593 2048 128 16 28; 1609 2176 128 17 25; 1731 2304 128 18 24; 1794 2176 128 17 28;
2007 2304 128 18 28; 2283 2304 128 18 32; 2298 2560 128 20 26; 2639 2560 128 20 30; 2980 2560 128 20 34;
3530 2688 128 22 36; 3802 2816 128 22 36; 4084 2944 128 22 36; 4516 3072 128 24 36; 6796 3584 128 28 40;
9293 4096 128 32 42; 11452 4352 128 32 47; 12295 4608 128 36 44; 12569 4608 128 32 47; 13735 4864 128 32 47;
14940 4992 128 32 49; 16183 5120 128 40 47
"""


def chinchilla(width, head_dim, heads, layers):
    return Shape(
        layers=layers, width=width, heads=heads, head_dim=head_dim, vocab=32000, context=2048,
        positions="relative", norm="rmsnorm",
    )  # fmt: skip


@pytest.mark.parametrize("row", TABLE_A9.replace("\n", " ").split(";"))
def test_chinchilla_table_a9(row):
    millions, *sizes = map(int, row.split())
    assert round(count(chinchilla(*sizes), "hoffmann2022") / 1e6) == millions


QWEN = LLAMA | dict(context=32768, vocab=151936)
RELEASED = [  # published weights, typed from memory, exact
    (GPT2, 124_439_808),
    (GPT2_XL, 1_557_611_200),
    (LLAMA_7B, 6_738_415_616),
    (LLAMA_70B, 68_976_648_192),
    (MIXTRAL, 46_702_792_704),
    (Shape(layers=24, width=896, heads=14, kv_heads=2, ffn_width=4864, **QWEN | dict(biases="qkv")),
     494_032_768),
    (Shape(layers=28, width=1024, heads=16, kv_heads=8, head_dim=128, ffn_width=3072, qk_norm="head", **QWEN),
     596_049_920),
    (T5_SMALL, 60_506_624),
    (Shape(layers=24, encoder_layers=24, width=1024, heads=32, head_dim=128, ffn_width=16384, **T5),
     2_851_598_336),
    (Shape(layers=12, width=768, heads=12, image=224, patch=16, classes=1000), 86_567_656),
    (Shape(layers=32, width=1280, heads=16, image=224, patch=14, classes=1000), 632_045_800),
]  # fmt: skip


@pytest.mark.parametrize("shape, total", RELEASED)
def test_released_models_exactly(shape, total):
    assert count(shape) == total


@needs_shared
def test_sizes_in_published_run_tables():
    for row in rows("data/gemstones_small/checkpoints.csv.gz"):
        width = int(row["width"])
        shape = Shape(
            layers=int(row["depth"]), width=width, heads=width // 128, kv_heads=max(1, width // 256),
            ffn_width=4 * width, vocab=50304, context=2048, tied=False, **LLAMA,
        )  # fmt: skip
        assert count(shape) == float(row["params"])
    for row in rows("data/xlstm_llama_ctx8k/runs.csv"):
        width = int(row["width"])
        shape = Shape(
            layers=int(row["layers"]), width=width, heads=width // int(float(row["head_dim"])), vocab=50304,
            ffn_width=64 * -(-width // 24), context=8192, tied=False, **LLAMA,
        )  # fmt: skip
        assert count(shape) == float(row["params"])
    for row in rows("data/steplaw/dense.csv"):
        shape = Shape(
            layers=int(row["layers"]), width=int(row["width"]), heads=int(row["heads"]), vocab=1,
            context=2048, ffn_width=int(row["ffn_width"]), **LLAMA,
        )  # fmt: skip
        assert parameters(shape, "kaplan2020").total == float(row["params_nonembed"])


@needs_shared
def test_experts_of_step_law():
    """Its counts leave out routers and norms; a layer of 16 is dense with 3904 units (see its run names)."""
    for row in rows("data/steplaw/moe.csv"):
        shape = Shape(
            layers=16, width=1408, heads=11, vocab=1, context=2048, ffn_width=3904, dense_layers=1,
            experts=int(row["experts"]), active_experts=int(row["top_k"]), shared_experts=1,
            expert_width=int(row["expert_ffn"]), shared_width=int(row["shared_ffn"]), **LLAMA,
        )  # fmt: skip
        for convention, column in [
            ("non_embedding", "params_total"),
            ("active_non_embedding", "params_active"),
        ]:
            terms = parameters(shape, convention).terms
            assert terms["attention"] + terms["ffn"] == float(row[column])


def test_active_parameters_of_mixtral():
    assert count(MIXTRAL, "active") / 1e9 == pytest.approx(12.9, abs=0.05)  # published, typed from memory


@needs_shared
def test_mobilellm_of_the_catalogue():
    laws = {law["id"]: law for law in json.loads((SHARED / "laws" / "catalogue.json").read_text())}
    sets = {s["name"]: s["values"] for s in laws["mobilellm_shapes"]["param_sets"]}
    for check in laws["mobilellm_shapes"]["checks"]:
        v = sets[check["set"]]
        shape = Shape(
            layers=v["layers"], width=v["d"], heads=v["heads"], kv_heads=v["kv_heads"], ffn_width=v["ff"],
            vocab=check["inputs"]["vocab"], context=2048, **LLAMA,
        )  # fmt: skip
        assert count(shape) == pytest.approx(check["output"], rel=1e-5)


SMALL = dict(layers=2, width=64, heads=4, vocab=100, context=32)


@pytest.mark.parametrize(
    "fields, message",
    [
        (dict(heads=5), "width 64 is not a multiple of heads 5; give head_dim"),
        (dict(gated=True), "needs ffn_width"),
        (dict(kv_heads=3), "multiple of kv_heads"),
        (dict(layers=0), "layers must be at least 1, got 0"),
        (dict(vocab=-1), "vocab must be at least 0"),
        (dict(positions="rotory"), "Did you mean 'rotary'"),
        (dict(experts=4), "active_experts must lie between 1 and experts"),
        (dict(active_experts=2), "need experts"),
        (dict(looped_layers=1), "needs loops above 1"),
        (dict(vocab=0), "needs vocab and context"),
        (dict(patch=16), "needs image, patch, channels and classes"),
        (dict(encoder_layers=2, loops=2), "without experts, loops or images"),
        (dict(source_context=5), "needs encoder_layers"),
    ],
)
def test_shapes_that_contradict_themselves(fields, message):
    with pytest.raises(ValueError, match=message):
        Shape(**SMALL | fields)


@pytest.mark.parametrize("value", [2.5, "4", True, None])
def test_sizes_are_whole_numbers(value):
    with pytest.raises(TypeError, match="layers must be a whole number"):
        Shape(**SMALL | dict(layers=value))


def test_conventions_have_near_misses():
    with pytest.raises(ValueError, match="Did you mean 'kaplan2020'"):
        parameters(GPT2, "kaplan")
