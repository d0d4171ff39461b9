r"""Henighan et al. 2020: Kaplan's law with a constant, for images, video, mathematics and text with images.

The constant estimates the entropy of the data; what is above it is the divergence from the truth. N counts parameters
without embeddings, PF-days are FLOP here. With language data the constant is not identified: it was fitted as 0.
"""

from __future__ import annotations

from lawful.law import exponent, law, offset, scale, values
from lawful.laws.kaplan import PF_DAY, henighan2020

_SIZE = {  # domain: L_inf, x_0, alpha
    "language": (0.0, 1.47e14, 0.07), "image_8x8": (3.12, 80.0, 0.24), "image_16x16": (2.64, 280.0, 0.22),
    "image_32x32": (2.2, 63.0, 0.13), "image_vq16": (3.99, 2.7e4, 0.13), "image_vq32": (3.07, 1.9e4, 0.14),
    "text2im_text": (0.0, 5.6e8, 0.037), "text2im_image": (2.0, 5.1e3, 0.16), "im2text_text": (0.0, 7.0e8, 0.039),
    "im2text_image": (2.0, 5.5e3, 0.15), "video_vq": (1.01, 3.7e4, 0.24), "math_extrapolate": (0.28, 1.1e4, 0.16),
}  # fmt: skip
_COMPUTE = {  # domain: L_inf, x_0 in PF-days, alpha
    "language": (0.0, 3.47e8, 0.048), "image_8x8": (3.13, 1.8e-8, 0.19), "image_16x16": (2.64, 1.6e-8, 0.16),
    "image_32x32": (2.21, 3.6e-9, 0.1), "image_vq16": (4.09, 6.1e-7, 0.11), "image_vq32": (3.17, 2.6e-6, 0.12),
    "text2im_image": (1.93, 1.5e-6, 0.15), "im2text_image": (1.97, 1.5e-6, 0.16), "video_vq": (0.95, 2.2e-5, 0.14),
    "math_extrapolate": (0.14, 1.4e-5, 0.17),
}  # fmt: skip
_OPTIMAL = {  # domain: c_0 in PF-days, beta
    "language": (3.3e-13, 0.73), "image_8x8": (5.3e-14, 0.64), "image_16x16": (4.8e-12, 0.75),
    "image_32x32": (1.6e-13, 0.65), "image_vq16": (6.2e-14, 0.64), "image_vq32": (9.4e-13, 0.7),
    "text2im": (9.4e-13, 0.7), "im2text": (3.3e-12, 0.72), "video_vq": (1.13e-12, 0.71),
    "math_extrapolate": (2.3e-12, 0.69),
}  # fmt: skip


@law(
    henighan2020, over={"N_nonemb": (1e5, 3e9)}, topic="multimodal", aliases=("henighan_power_plus_constant",),
    values={
        f"henighan2020_{key}": values("Table 1, L(N)", L_inf=floor, x_0=x_0, alpha=alpha)
        for key, (floor, x_0, alpha) in _SIZE.items()
    },
)  # fmt: skip
def henighan_n(N_nonemb, *, L_inf=offset(), x_0=scale("N_nonemb", "alpha"), alpha=exponent()):
    r"""$L = L_{\infty} + (x_0 / N_{nonemb})^{\alpha}$

    Fitted: converged runs, with the curve kept below the compute frontier.
    Trap: L_inf and alpha are strongly anti-correlated where the range of N is short.
    """
    return L_inf + (x_0 / N_nonemb) ** alpha


@law(
    henighan2020, over={"C": (1e15, 1e21)}, topic="multimodal",
    values={
        f"henighan2020_{key}": values(f"Table 1, {x_0:g} PF-days", L_inf=floor, x_0=x_0 * PF_DAY, alpha=alpha)
        for key, (floor, x_0, alpha) in _COMPUTE.items()
    },
)  # fmt: skip
def henighan_c(C, *, L_inf=offset(), x_0=scale("C", "alpha"), alpha=exponent()):
    r"""$L = L_{\infty} + (x_0 / C)^{\alpha}$

    Fitted: the frontier of all runs.
    Trap: weight decay distorts the fit for mathematics.
    """
    return L_inf + (x_0 / C) ** alpha


@law(
    henighan2020, predicts="N_nonemb", over={"C": (1e15, 1e21)}, topic="allocation",
    values={
        f"henighan2020_{key}": values(f"Table 1, c_0 = {c_0:g} PF-days", c_0=c_0 * PF_DAY, beta=beta)
        for key, (c_0, beta) in _OPTIMAL.items()
    },
)  # fmt: skip
def henighan_n_opt(C, *, c_0=scale("C", "beta"), beta=exponent(upper=1.0, start=(0.1, 0.9))):
    r"""$N_{nonemb} = (C / c_0)^{\beta}$

    Fitted: a power law along the frontier.
    Trap: one schedule for all lengths, so the exponents are biased upwards.
    """
    return (C / c_0) ** beta
