"""Compression and precision: what pruning and low-precision numbers cost.

Two ideas recur. Training in few bits acts as if the model had fewer parameters (Kumar's effective parameters); and
compressing a finished model adds a loss that grows with the tokens it was trained on and shrinks with its size, so
that beyond some amount of data more training makes the compressed model worse. The added loss is `dL`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lawful.dual import root
from lawful.law import Paper, amplitude, coefficient, exponent, law, offset, values, width

chen2024p2 = Paper(
    "chen2024p2",
    "Xiaodong Chen, Yuxuan Hu, Jing Zhang, Xiaokang Zhang, Cuiping Li, Hong Chen",
    "Scaling Law for Post-training after Model Pruning",
    2024,
    arxiv="2411.10272",
    venue="ACL 2025",
)
dettmers2023 = Paper(
    "dettmers2023",
    "Tim Dettmers, Luke Zettlemoyer",
    "The Case for 4-bit Precision: k-bit Inference Scaling Laws",
    2023,
    arxiv="2212.09720",
    venue="ICML 2023",
)
cao2024 = Paper(
    "cao2024",
    "Zeyu Cao, Cheng Zhang, Pedro Gimenes, Jianqiao Lu, Jianyi Cheng, Yiren Zhao",
    "Scaling Laws for Mixed Quantization in Large Language Models",
    2024,
    arxiv="2410.06722",
)
kumar2024 = Paper(
    "kumar2024",
    "Tanishq Kumar, Zachary Ankner, Benjamin F. Spector, Blake Bordelon, Niklas Muennighoff, Mansheej Paul, "
    "Cengiz Pehlevan, Christopher Ré, Aditi Raghunathan",
    "Scaling Laws for Precision",
    2024,
    arxiv="2411.04330",
    venue="ICLR 2025",
)
sun2025 = Paper(
    "sun2025",
    "Xingwu Sun, others",
    "Scaling Laws for Floating Point Quantization Training",
    2025,
    arxiv="2501.02423",
    venue="ICML 2025",
)
chen2025qat = Paper(
    "chen2025qat", "Mengzhao Chen, others", "Scaling Law for Quantization-Aware Training", 2025, arxiv="2505.14302"
)
ouyang2024 = Paper(
    "ouyang2024",
    "Xu Ouyang, others",
    "Low-Bit Quantization Favors Undertrained LLMs",
    2024,
    arxiv="2411.17691",
    venue="ACL 2025",
)


@law(chen2024p2, topic="compression and precision", status="doubtful",
    aliases=("chen_p2_post_training_after_pruning",),
    over={"L_0": (1.5, 4), "N_0": (5e8, 8e9), "rho": (0.05, 0.6), "D_post": (1e7, 5e8)},
    identified="predictions: delta, alpha and the scales of the bracket trade off within a decade of N_0")  # fmt: skip
def chen_p2(
    L_0, N_0, rho, D_post, *, gamma=coefficient("negative: a larger share pruned costs more"), delta=coefficient(),
    N_C=amplitude("N_0", "alpha"), alpha=exponent(), D_C=amplitude("D_post", "beta"), beta=exponent(),
    E=coefficient(start=(0, 2)),
):  # fmt: skip
    r"""$L = L_0 + (1/\rho)^{\gamma} (1/N_0)^{\delta} (N_C N_0^{-\alpha} + D_C D^{-\beta} + E)$
    Loss after pruning the share rho of N_0 parameters and D tokens of post-training; L_0 is the loss before.
    Trap: the form is doubtful: a survey prints it without the factor in N_0, and no coefficients were found.
    Trap: N_0**-delta and N_0**-alpha are nearly the same within one decade of N_0; E may be negative.
    """
    return L_0 + (1 / rho) ** gamma * (1 / N_0) ** delta * (N_C / N_0**alpha + D_C / D_post**beta + E)


@law(dettmers2023, predicts="accuracy", topic="compression and precision", status="doubtful",
    aliases=("dettmers_kbit_inference",), over={"N": (1.9e7, 1.76e11), "P_bits": (3, 16)})  # fmt: skip
def dettmers_bits(N, P_bits, *, a0=coefficient(), a1=coefficient("gain per doubling of the bits", start=(0, 0.1))):
    r"""$\mathrm{acc} = a_0 + a_1 \log_2(N P)$
    Mean zero-shot accuracy against all bits of the weights, P bits each with the overhead of the scales.
    Fitted: the paper interpolates between measured points and claims no formula; this line stands for its figures.
    Trap: a_0 differs by precision (fit it by group); curves run parallel from 4 bits up, 3 bits breaks away.
    Trap: use it only between chance and ceiling.
    """
    return a0 + a1 * np.log2(N * P_bits)


@law(cao2024, predicts="N", topic="compression and precision", status="doubtful", aliases=("cao_mixed_quantization",),
    over={"Q_r": (0, 1)})  # fmt: skip
def cao_mixed(Q_r, *, A=amplitude(start=(1e8, 1e10)), b=width()):
    r"""$N = A e^{b Q_r}$
    Smallest model that keeps a loss budget with the share Q_r of its parameters (or operations) in low precision.
    Trap: rebuilt from one sentence of a survey; the paper's own equation was not seen.
    """
    return A * np.exp(b * Q_r)


def _kumar_precision(C: Any, v: Any) -> Any:
    """The common precision beyond which a bit buys less than the parameters that it costs, at a cost of N D P."""
    pairs = [(v["g_w"], v["n_w"]), (v["g_a"], v["n_a"]), (v["g_kv"], v["n_kv"])]

    def balance(P):
        return sum(P / g / (np.exp(P / g - n) - 1) for g, n in pairs) - 1

    return root(balance, max(max(g * n, 0.0) for g, n in pairs) + 1e-6, 64.0)


_KUMAR: dict[str, Any] = dict(
    A=4299.0, alpha=0.4965, B=18060.0, beta=0.4965, E=2.7648, g_w=2.6745, g_a=2.2102, g_kv=0.9578
)


@law(kumar2024, optimum=dict.fromkeys(("P_w", "P_a", "P_kv"), _kumar_precision), topic="compression and precision",
    status="paper text", aliases=("kumar_precision_training",),
    over={"N": (3e7, 2.2e8), "D": (1.5e9, 2.6e10), "P_w": (3, 16), "P_a": (4, 16), "P_kv": (3, 16)},
    values={
        "kumar2024": values("Appendix K, Table 2, with shifts", **_KUMAR, n_w=0.3037, n_a=1.4072, n_kv=2.4185),
        "kumar2024_main": values("Appendix K, Table 2, without shifts", **_KUMAR, n_w=0.0, n_a=0.0, n_kv=0.0),
    },
)  # fmt: skip
def kumar_precision(
    N, D, P_w, P_a, P_kv, *, A=amplitude("N", "alpha"), alpha=exponent(upper=2), B=amplitude("D", "beta"),
    beta=exponent(upper=2), E=offset(), g_w=width("bits that weights need"), n_w=coefficient("shift"),
    g_a=width("bits that activations need"), n_a=coefficient("shift"), g_kv=width("bits that attention needs"),
    n_kv=coefficient("shift"),
):  # fmt: skip
    r"""$L = A N_{eff}^{-\alpha} + B D^{-\beta} + E,
    N_{eff} = N (1 - e^{n_w - P_w/g_w})(1 - e^{n_a - P_a/g_a})(1 - e^{n_{kv} - P_{kv}/g_{kv}})$
    Loss after training in P bits; the best common P at a cost of N D P (7.0 bits) does not depend on the budget.
    Fitted: 465 runs, alpha = beta tied.
    Trap: the main text leaves the shifts n out; the table's widths without them give 3.5 bits, not the 7 to 8 claimed.
    Trap: undefined (nan) at P <= g n: below 3.11 bits for activations. The constants are not expected to carry over.
    """
    bits = (1 - np.exp(n_w - P_w / g_w)) * (1 - np.exp(n_a - P_a / g_a)) * (1 - np.exp(n_kv - P_kv / g_kv))
    return A * (N * bits) ** -alpha + B * D**-beta + E


_KUMAR_PTQ: dict[str, Any] = dict(C_T=0.0598, gamma_D=0.5068, gamma_N=0.3439, gamma_post=0.5907)


@law(kumar2024, predicts="dL", topic="compression and precision", status="paper text",
    aliases=("kumar_ptq_degradation",), over={"N": (3e7, 2.2e8), "D": (1.5e9, 2.6e10), "P_post": (3, 16)},
    identified="C_T * exp(b)",
    values={
        "kumar2024": values("Appendix K, Table 2, as the main text writes it", **_KUMAR_PTQ, b=0.0),
        "kumar2024_shift": values("Appendix K, Table 2, its b read as a shift (doubtful)", **_KUMAR_PTQ, b=1.1277),
    },
)  # fmt: skip
def kumar_ptq(
    N, D, P_post, *, C_T=amplitude(("D", "N"), ("-gamma_D", "gamma_N")), gamma_D=exponent(), gamma_N=exponent(),
    gamma_post=width("bits"), b=coefficient("shift, 0 in the main text"),
):  # fmt: skip
    r"""$\delta_{PTQ} = C_T D^{\gamma_D} N^{-\gamma_N} e^{-P_{post}/\gamma_{post} + b}$
    Loss that is added by quantising the weights to P bits after training.
    Fitted: over 1000 points, R2 0.90, GPTQ; AWQ and RTN have other constants.
    Trap: only C_T e^b is determined. The unified law has a further factor whose constants were not published.
    """
    return C_T * D**gamma_D / N**gamma_N * np.exp(b - P_post / gamma_post)


def _sun_tokens(C: Any, v: Any, N: Any, bits_exp: Any, bits_man: Any, block: Any) -> Any:
    grid = (bits_exp + 0.5) ** v["delta"] * (bits_man + 0.5) ** v["nu"]
    return (v["d"] * v["gamma"] * N ** v["alpha"] * grid / np.log2(block)) ** (1 / (2 * v["beta"]))


@law(sun2025, optimum={"D": _sun_tokens}, topic="compression and precision", status="paper text",
    aliases=("sun_floating_point_quantization",),
    over={"N": (4e7, 7e8), "D": (1e10, 1e11), "bits_exp": (1, 5), "bits_man": (0, 10), "block": (32, 512)},
    values={
        "sun2025": values(
            "Table 2",
            n=69.2343, alpha=0.2368, d=68973.0621, beta=0.5162, eps=1.9061, gamma=11334.5197, delta=3.1926, nu=2.9543,
        )
    },
)  # fmt: skip
def sun_float(
    N, D, bits_exp, bits_man, block, *, n=amplitude("N", "alpha"), alpha=exponent(), d=amplitude("D", "beta"),
    beta=exponent(), eps=offset(), gamma=amplitude(start=(1e2, 1e6)), delta=exponent(start=(0.5, 5)),
    nu=exponent(start=(0.5, 5)),
):  # fmt: skip
    r"""$L = n N^{-\alpha} + d D^{-\beta} + \varepsilon
    + \frac{D^{\beta}}{N^{\alpha}} \frac{\log_2 B}{\gamma (E + 0.5)^{\delta} (M + 0.5)^{\nu}}$
    Training with E exponent and M mantissa bits, B elements to a scale. Beyond the optimum D more data hurts.
    Trap: gamma is determined only because both terms share the exponents of N and D.
    """
    noise = np.log2(block) / (gamma * (bits_exp + 0.5) ** delta * (bits_man + 0.5) ** nu)
    return n / N**alpha + d / D**beta + eps + D**beta / N**alpha * noise


@law(chen2025qat, predicts="dL", topic="compression and precision", status="memory", aliases=("chen_qat_error",),
    over={"N": (7e7, 6e8), "D": (1e10, 1e11), "group": (32, 256)},
    values={
        "chen2025qat": values(
            "W4A4, from memory", status="memory", k=0.1582, gamma_N=0.2186, gamma_D=0.0745, gamma_G=0.7779
        )
    },
)  # fmt: skip
def chen_qat(
    N, D, group, *, k=amplitude(("D", "N"), ("-gamma_D", "gamma_N")), gamma_D=exponent(), gamma_G=exponent(),
    gamma_N=exponent(),
):  # fmt: skip
    r"""$\delta_p = k D^{\gamma_D} (\log_2 G)^{\gamma_G} N^{-\gamma_N}$
    Loss of quantisation-aware training above 16-bit training, G elements to a quantisation group.
    Fitted: 268 runs.
    Trap: that the error falls with N and rises with D and G is confirmed by a second source, the numbers are not.
    """
    return k * D**gamma_D * np.log2(group) ** gamma_G / N**gamma_N


@law(ouyang2024,
    values={"ouyang2024": values("from memory", status="memory", k=0.017, alpha=0.2261, beta=0.5251, gamma=5.4967)},
    predicts="dL", topic="compression and precision", status="memory", aliases=("ouyang_low_bit_undertrained",),
    over={"N_nonemb": (1e8, 1.2e10), "D": (1e9, 3e11), "P_bits": (2, 4)})  # fmt: skip
def ouyang_qid(
    N_nonemb, D, P_bits, *, k=amplitude(("D", "N_nonemb", "P_bits"), ("-beta", "alpha", "gamma")), alpha=exponent(),
    beta=exponent(), gamma=exponent("exponent of the bits", start=(1, 10)),
):  # fmt: skip
    r"""$\Delta_q L = k D^{\beta} N^{-\alpha} P^{-\gamma}$
    Loss that is added by quantising to P bits after training: a model that loses little is undertrained.
    Trap: 2 to 4 bits cannot tell this power of P from Kumar's exponential.
    """
    return k * D**beta / (N_nonemb**alpha * P_bits**gamma)
