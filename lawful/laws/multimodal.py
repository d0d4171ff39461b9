r"""Images and mixed modalities: vision transformers (Zhai) and models of two modalities (Aghajanyan)."""

from __future__ import annotations

from lawful.law import Paper, amplitude, exponent, law, location, offset, share, values

zhai2022 = Paper(
    "zhai2022",
    "Xiaohua Zhai, Alexander Kolesnikov, Neil Houlsby, Lucas Beyer",
    "Scaling Vision Transformers",
    2022,
    arxiv="2106.04560",
)
aghajanyan2023 = Paper(
    "aghajanyan2023",
    "Armen Aghajanyan, Lili Yu, Alexis Conneau, Wei-Ning Hsu, Karen Hambardzumyan, Susan Zhang, Stephen Roller, "
    "Naman Goyal, Omer Levy, Luke Zettlemoyer",
    "Scaling Laws for Generative Mixed-Modal Language Models",
    2023,
    arxiv="2301.03728",
)


@law(
    zhai2022, predicts="error", over={"gpu_hours": (24.0, 2.4e5)}, topic="vision", aliases=("zhai_double_saturation",),
    values={
        "zhai2022_finetuned": values("Figure 2, ImageNet", a=0.26 * 24**0.35, b=0.35, c=0.09, d=0.01 * 24),
        "zhai2022_10shot": values("Figure 2, ImageNet, 10-shot", a=0.63 * 24**0.32, b=0.32, c=0.12, d=0.52 * 24),
    },
)  # fmt: skip
def zhai(gpu_hours, *, a=amplitude("gpu_hours", "b"), b=exponent(), c=share("limit"), d=location("gpu_hours")):
    r"""$error = a (gpu\_hours + d)^{-b} + c$

    Saturates at both ends. The published values are for TPUv3 core-hours (the unit core-days is inferred).
    Fitted: on the frontier of compute.
    Trap: a and d need runs with very little compute, c runs with very much.
    """
    return a * (gpu_hours + d) ** -b + c


@law(aghajanyan2023, predicts="L_i", topic="multimodal")
def aghajanyan_unimodal(
    N, D_i, *, E=offset(), A=amplitude("N", "alpha"), B=amplitude("D_i", "beta"), alpha=exponent(), beta=exponent()
):
    r"""$L_i = E + A / N^{\alpha} + B / D_i^{\beta}$

    Chinchilla's form for one of seven modalities (text, image, image-text, speech, speech-text, code, molecules).
    """
    return E + A / N**alpha + B / D_i**beta


@law(aghajanyan2023, topic="multimodal", status="memory")
def aghajanyan_bimodal(
    N, D_i, D_j, L_i, L_j, *, C_ij=amplitude(meaning="largest synergy"), A=amplitude("N", "alpha"),
    B=amplitude("D_i", "beta"), alpha=exponent(), beta=exponent(),
):  # fmt: skip
    r"""$L = (L_i + L_j) / 2 - C_{ij} + A / N^{\alpha} + B / (D_i + D_j)^{\beta}$

    The modalities compete until A / N**alpha + B / (D_i + D_j)**beta falls to C_ij, then help each other.
    Trap: the form is from memory; a survey prints one merged term. Check against the paper before use.
    Trap: C_ij, A and B need runs on both sides of that barrier.
    """
    return 0.5 * (L_i + L_j) - C_ij + A / N**alpha + B / (D_i + D_j) ** beta
