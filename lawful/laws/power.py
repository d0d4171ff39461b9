r"""Power laws as such: y falls as a straight line in log-log, with or without a floor below it.

Most laws of the literature are one of these with a name for x. The forms in ``x`` fit any positive column; those in
``N`` carry the values that a study found for the number of parameters.
"""

from __future__ import annotations

import numpy as np

from lawful.law import Paper, amplitude, coefficient, exponent, law, offset, values

microscope2026 = Paper(
    "microscope2026",
    "Unknown",
    "Scaling Laws Under the Microscope: When Power Laws Predict and When They Don't",
    2026,
    venue="clawRxiv 2603.00375",
)
sengupta2025 = Paper(
    "sengupta2025",
    "Ayan Sengupta, Yash Goel, Tanmoy Chakraborty",
    "How to Upscale Neural Networks with Scaling Law? A Survey and Practical Guidelines",
    2025,
    arxiv="2502.12051",
)
tay2022 = Paper(
    "tay2022",
    "Yi Tay, Mostafa Dehghani, Samira Abnar, Hyung Won Chung, William Fedus, Jinfeng Rao, Sharan Narang, Vinh Q. Tran, "
    "Dani Yogatama, Donald Metzler",
    "Scaling Laws vs Model Architectures: How does Inductive Bias Influence Scaling?",
    2022,
    arxiv="2207.10551",
)


@law(predicts="y", topic="general")
def power_law(x, *, A=amplitude("x", "alpha"), alpha=exponent()):
    r"""$y = A x^{-\alpha}$

    A straight line in log-log; y goes to 0. Give alpha a negative lower bound for a rising outcome.
    """
    return A * x**-alpha


@law(predicts="y", topic="general")
def power_law_constant(x, *, A=amplitude("x", "alpha"), alpha=exponent(), E=offset()):
    r"""$y = A x^{-\alpha} + E$

    Trap: E and alpha trade off: over less than two decades of x, both low fit as well as both high.
    """
    return A * x**-alpha + E


_CARD = "Cerebras-GPT model-card losses, nominal sizes; alpha and E as printed, a recomputed"
_BILLION = "Cerebras-GPT model-card losses, best fit with E >= 0 and gamma <= 5, converted from N in 1e9"


@law(
    microscope2026,
    values={"microscope2026": values(_CARD, status="recomputed", a=17.389959936827474, alpha=0.10609019, E=0.11292228)},
    over={"N": (1.11e8, 1.3e10)}, topic="pre-training", aliases=("power_law_plus_constant_n",),
)  # fmt: skip
def power_law_constant_n(N, *, a=amplitude("N", "alpha"), alpha=exponent(), E=offset()):
    r"""$L = a N^{-\alpha} + E$

    Fitted: least squares on the loss of seven Cerebras-GPT models, 20 tokens per parameter.
    Trap: the study calls it Kaplan's law; Kaplan et al. have no constant, and an exponent of 0.076.
    Trap: D grows with N, so alpha mixes both terms; E = 0.11 nats is far below the entropy of text: not identified.
    """
    return a * N**-alpha + E


@law(
    microscope2026,
    values={
        "microscope2026": values(
            _BILLION, status="recomputed", a=2.03829 * 1e9**0.0973298, alpha=0.0973298, c=8.97434e-07 * 1e9**4.45761,
            gamma=4.45761, E=1.8e-10,
        )
    },
    over={"N": (1.11e8, 1.3e10)}, topic="pre-training", aliases=("corrected_power_law",),
)  # fmt: skip
def corrected(
    N,
    *,
    a=amplitude("N", "alpha"),
    alpha=exponent(),
    c=coefficient("relative correction"),
    gamma=exponent(),
    E=offset(),
):
    r"""$L = a N^{-\alpha} (1 + c N^{-\gamma}) + E$

    Fitted: least squares on seven models, five parameters.
    Trap: with seven runs gamma goes to its bound and corrects the smallest model only, and E goes to 0.
    Trap: c = 0 or gamma = 0 gives back the law without the correction; there the other of the two is free.
    """
    return a * N**-alpha * (1 + c * N**-gamma) + E


@law(predicts="L", topic="pre-training", aliases=("saturating_power_law_compute",))
def power_law_constant_c(C, *, E=offset(), A=amplitude("C", "alpha"), alpha=exponent()):
    r"""$L = E + A C^{-\alpha}$

    The loss of compute-optimal runs, used so by Porian et al. 2024 (arXiv 2406.19146, Section 4.1).
    Fitted: log residuals from a grid of starts, the best by Huber loss; 1e16 to 5e17 FLOP only.
    Trap: extrapolates well only where the hyper-parameters were tuned at every size.
    """
    return E + A * C**-alpha


@law(
    sengupta2025, predicts="y", arrays=("xs",), over={"xs": (1e8, 1e12)}, topic="general",
    values={
        "hoffmann2022_rounded": values("Chinchilla, xs = (N, D)", a=(406.4, 410.7), b=(0.34, 0.28), E=1.69)
    },
    aliases=("generic_sum_of_powers",),
)  # fmt: skip
def sum_of_powers(xs, *, a=amplitude(size="xs"), b=exponent(size="xs"), E=offset()):
    r"""$y = \sum_i a_i x_i^{-b_i} + E$

    Any number of scales, each with a term of its own (the survey's Eq. 1, there without E).
    Trap: scales that grow in step cannot be told apart.
    """
    return sum(a_i * x**-b_i for a_i, b_i, x in zip(a, b, xs)) + E


@law(tay2022, predicts="y", topic="pre-training", aliases=("tay_arch_power_law",))
def tay_architecture(C, *, beta=amplitude("C", "-alpha"), alpha=exponent(lower=-np.inf, start=(-0.5, 0.5))):
    r"""$y = \beta C^{\alpha}$

    One line in log-log for each architecture (group by family); y is negative log-perplexity or a score.
    Fitted: linear regression of logs.
    Trap: only slopes compare; the ranges of the architectures differ.
    """
    return beta * C**alpha
