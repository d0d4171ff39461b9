"""The shape of a model of given size: width, depth, MLP against attention, parallel streams."""

from __future__ import annotations

import numpy as np

from lawful.law import Paper, amplitude, coefficient, exponent, law, offset, scale, values, width

bian2025a = Paper(
    "bian2025a", "Song Bian, Minghao Yan, Shivaram Venkataraman", "Scaling Inference-Efficient Language Models", 2025,
    "2501.18107",
)  # fmt: skip
bian2025b = Paper(
    "bian2025b", "Song Bian, Tao Yu, Shivaram Venkataraman, Youngsuk Park",
    "Scaling Laws Meet Model Architecture: Toward Inference-Efficient LLMs", 2025, "2510.18245",
)  # fmt: skip
liu2024mobile = Paper(
    "liu2024mobile", "Zechun Liu, Changsheng Zhao, Forrest Iandola, others",
    "MobileLLM: Optimizing Sub-billion Parameter Language Models for On-Device Use Cases", 2024, "2402.14905",
)  # fmt: skip
mcleish2025 = Paper(
    "mcleish2025", "Sean McLeish, John Kirchenbauer, David Yu Miller, others",
    "Gemstones: A Model Suite for Multi-Faceted Scaling Laws", 2025, "2502.06857", "NeurIPS 2025",
)  # fmt: skip
chen2025parscale = Paper(
    "chen2025parscale", "Mouxiang Chen, Binyuan Hui, Zeyu Cui, Jiaxi Yang, others",
    "Parallel Scaling Law for Language Models", 2025, "2505.10475", "NeurIPS 2025",
)  # fmt: skip


@law(
    bian2025b, topic="architecture", over={"w": (512, 4096), "mlp_ratio": (0.5, 5), "N_nonemb": (8e7, 3e9),
    "D": (8e9, 1e11)}, identified="the product of (a0, a1, a2) and (b0, b1, b2) with each other and with L_opt",
    optimum={"mlp_ratio": lambda C, v: v["b2"] / v["b1"]},
)  # fmt: skip
def bian_conditional(
    w, mlp_ratio, N_nonemb, D, *, a0=coefficient(), a1=width(start=(0.01, 1.0)), a2=width(start=(0.001, 0.1)),
    b0=coefficient(), b1=width(start=(0.01, 1.0)), b2=width(start=(0.01, 1.0)), E=offset(),
    A=amplitude("N_nonemb", "alpha"), B=amplitude("D", "beta"), alpha=exponent(), beta=exponent(),
):  # fmt: skip
    r"""$L = (a_0 + a_1 \ln(d/\sqrt N) + a_2 \sqrt N/d) (b_0 + b_1 \ln r + b_2/r)
    (E + A N^{-\alpha} + B D^{-\beta})$

    Width d and MLP-to-attention ratio r of the model on top of the loss of the best shape (last factor).
    Best shape: d = (a_2/a_1) sqrt(N) and r = b_2/b_1. No values are known to us but the optimum near 0.08 and 1.
    Fitted: the last factor first, then the six shared coefficients by Levenberg-Marquardt; r outside 0.5 to 5 dropped.
    Trap: (a) times t with (b) over t is the same law: fix one factor at 1 at its minimum. Grouped queries are left out.
    Trap: the factors are assumed to be separate, and the coefficients move with scale.
    """
    z = w / np.sqrt(N_nonemb)
    by_width = a0 + a1 * np.log(z) + a2 / z
    by_ratio = b0 + b1 * np.log(mlp_ratio) + b2 / mlp_ratio
    return by_width * by_ratio * (E + A * N_nonemb**-alpha + B * D**-beta)


@law(
    bian2025a, topic="architecture", over={"N": (8e7, 3e9), "D": (8e9, 1e11), "aspect": (8, 256)}, status="memory",
    aliases=("bian_aspect_ratio",),
)  # fmt: skip
def bian_aspect(
    N, D, aspect, *, E=offset(), A=amplitude("N", "alpha"), B=amplitude("D", "beta"), alpha=exponent(),
    beta=exponent(), eps=width("penalty of width", start=(1e-5, 0.1)), gamma=exponent(),
):  # fmt: skip
    r"""$L = (E + A N^{-\alpha} + B D^{-\beta}) (1 + \varepsilon R^{\gamma})$

    R is width over depth. The form is from memory; no values are known to us.
    """
    return (E + A * N**-alpha + B * D**-beta) * (1 + eps * aspect**gamma)


_CONFIG = "README and configs of the official repository"


@law(
    liu2024mobile,
    {
        "liu2024mobile_125m": values(_CONFIG, d=576, layers=30, ff=1536, heads=9, kv_heads=3),
        "liu2024mobile_350m": values(_CONFIG, d=960, layers=32, ff=2560, heads=15, kv_heads=5),
        "liu2024mobile_600m": values(_CONFIG, d=1152, layers=40, ff=3072, heads=18, kv_heads=6),
        "liu2024mobile_1b": values(_CONFIG, d=1280, layers=54, ff=3584, heads=20, kv_heads=5),
        "liu2024mobile_1_5b": values(_CONFIG, d=1600, layers=54, ff=4352, heads=25, kv_heads=5),
    },
    predicts="N", topic="architecture", over={"V": (8e3, 2.6e5)}, identified="the slope d and the rest",
)  # fmt: skip
def mobilellm_shapes(
    V, *, d=width("width", start=(64, 4096)), layers=width("depth", start=(2, 80)),
    ff=width("width of the MLP", start=(128, 16384)), heads=width("query heads", start=(1, 64)),
    kv_heads=width("key and value heads", start=(1, 64)),
):  # fmt: skip
    r"""$N = layers (2 d^2 + 2 d^2 kv_heads / heads + 3 d ff + 2 d) + V d + d$

    Parameters of a Llama-like model with V tokens and shared embeddings; the published values are MobileLLM's shapes
    (width over depth 19 to 30). An identity: the paper states no law of depth and width, and its 2.7 and 4.3 points
    are over earlier models of the size, not over wider ones.
    """
    return layers * (2 * d * d + 2 * d * d * kv_heads / heads + 3 * d * ff + 2 * d) + V * d + d


def _gemstones(source, c_w, a_w, c_d, a_d, c_N, a_N, c_T, a_T, e):
    """The released coefficients are logarithms."""
    C_w, C_d, C_N, C_T, E = np.exp([c_w, c_d, c_N, c_T, e]).tolist()
    return values(source, E=E, C_w=C_w, a_w=a_w, C_d=C_d, a_d=a_d, C_N=C_N, a_N=a_N, C_T=C_T, a_T=a_T)


@law(
    mcleish2025,
    {
        "mcleish2025_100b_4": _gemstones(
            "fit named 100b+, Huber 1e-4: parameters_delta-4", 1.082043835, 0.2195783536, -0.2186969889,
            0.4758917337, 6.0902355695, 0.3636454068, 10.4720427681, 0.4935127042, 0.4282048563,
        ),
        "mcleish2025_100b_3": _gemstones(
            "fit named 100b+, Huber 1e-3: parameters_delta-3", 1.0738807871, 0.205280776, -0.2097602665,
            0.4741415976, 6.2174536361, 0.372096494, 10.9040518165, 0.5116481093, 0.3966401522,
        ),
        "mcleish2025_cooldown_3": _gemstones(
            "fit named cool_end, Huber 1e-3: parameters_delta-3", 1.5262220266, 0.3540096969, -0.1780173948,
            0.464087269, 6.3319550722, 0.3941362557, 11.5393125864, 0.5364845902, 0.5874913187,
        ),
    },
    status="official repository", topic="architecture",
    over={"w": (256, 3072), "depth": (3, 80), "N": (5e7, 2e9), "D": (2e9, 3.5e11)}, aliases=("gemstones_width_depth",),
)  # fmt: skip
def gemstones_shape(
    w, depth, N, D, *, E=offset(), C_w=amplitude("w", "a_w"), a_w=exponent(), C_d=amplitude("depth", "a_d"),
    a_d=exponent(), C_N=amplitude("N", "a_N"), a_N=exponent(), C_T=amplitude("D", "a_T"), a_T=exponent(),
):  # fmt: skip
    r"""$L = E + C_w w^{-a_w} + C_d d^{-a_d} + C_N N^{-a_N} + C_T T^{-a_T}$

    Width w, depth d, parameters N with embeddings, tokens T. The paper writes the logarithms of E and the C.
    Fitted: log-sum-exp, Huber (1e-3 or 1e-4) on log loss, L-BFGS-B from a grid of up to 135 000 starts.
    Trap: N is nearly w^2 d; exponents move from 0.36 to 0.51 with the Huber threshold or the choice of runs.
    Trap: without the term in N the floor vanishes (log E = -155 or -4555): width and depth alone do not determine it.
    """
    return E + C_w * w**-a_w + C_d * depth**-a_d + C_N * N**-a_N + C_T * D**-a_T


_PARSCALE = "minimum of the objective of the official parametric_fit.py on the data in it: "


@law(
    chen2025parscale,
    {
        "chen2025parscale_stack": values(
            _PARSCALE + "Stack-V2 Python", E=0.6912948539213194, A=11307221.677456575, alpha=0.18940452983129372,
            k=0.3934265637638641,
        ),
        "chen2025parscale_pile": values(
            _PARSCALE + "Pile", E=1.2888503644008165, A=197279119.21129534, alpha=0.19636257226128623,
            k=0.33443087817985273,
        ),
    },
    status="official repository", topic="architecture",
    over={"N_nonemb": (5.4e8, 4.4e9), "streams": (1, 8)}, identified="A**alpha", aliases=("chen_parscale",),
)  # fmt: skip
def parscale(
    N_nonemb, streams, *, E=offset(), A=scale("N_nonemb", "alpha"), alpha=exponent(),
    k=width("parameters that a log stream is worth"),
):  # fmt: skip
    r"""$L = E + (A / (N (k \ln P + 1)))^{\alpha}$

    P parallel streams are worth N (k ln P + 1) parameters. After 42e9 tokens; A in parameters (the code: billions).
    Fitted: Huber (1e-3) on log loss of 24 runs, L-BFGS-B from 300 starts.
    Trap: the power takes in the whole ratio, so that A is not Chinchilla's and only A^alpha is well determined.
    """
    return E + (A / (N_nonemb * (k * np.log(streams) + 1))) ** alpha
