r"""Laws from theory: what exponents to expect, from the data's dimension, its spectrum or its frequencies.

Constants are unspecified by the theorems and free here; the exponents are what can be tested.
"""

from __future__ import annotations

import numpy as np

from lawful.law import Paper, amplitude, coefficient, exponent, law, location, offset, values, width

sharma2020 = Paper(
    "sharma2020",
    "Utkarsh Sharma, Jared Kaplan",
    "A Neural Scaling Law from the Dimension of the Data Manifold",
    2020,
    arxiv="2004.10802",
)
bahri2021 = Paper(
    "bahri2021",
    "Yasaman Bahri, Ethan Dyer, Jared Kaplan, Jaehoon Lee, Utkarsh Sharma",
    "Explaining Neural Scaling Laws",
    2021,
    arxiv="2102.06701",
)
hutter2021 = Paper("hutter2021", "Marcus Hutter", "Learning Curve Theory", 2021, arxiv="2102.04074")
lin2024 = Paper(
    "lin2024",
    "Licong Lin, Jingfeng Wu, Sham M. Kakade, Peter L. Bartlett, Jason D. Lee",
    "Scaling Laws in Linear Regression: Compute, Parameters, and Data",
    2024,
    arxiv="2406.08466",
)
bordelon2024 = Paper(
    "bordelon2024",
    "Blake Bordelon, Alexander Atanasov, Cengiz Pehlevan",
    "A Dynamical Model of Neural Scaling Laws",
    2024,
    arxiv="2402.01092",
)


@law(
    sharma2020, over={"N": (1e5, 1e11)}, topic="theory", identified="d and L_ref N_ref**(4 / d)",
    values={
        "kaplan2020": values(
            "d for Kaplan's exponent of 0.076", status="derived", d=52.631578947368425, L_ref=2.376, N_ref=1e9
        )
    },
    aliases=("sharma_kaplan_manifold",),
)  # fmt: skip
def sharma_kaplan(N, *, d=width("intrinsic dimension", start=(2, 100)), L_ref=amplitude(), N_ref=location("N")):
    r"""$L = L_{ref} (N / N_{ref})^{-4 / d}$

    4 / d is a lower bound of the exponent for generic smooth targets.
    Fitted: d from nearest neighbours in the last hidden layer.
    Trap: estimates of a large d are biased low.
    """
    return L_ref * (N / N_ref) ** (-4.0 / d)


@law(bahri2021, predicts="y", topic="theory")
def bahri_variance_limited(x, *, L_inf=offset(), a=amplitude("x", "1")):
    r"""$y = L_{\infty} + a / x$

    x is data at a fixed model, or width at fixed data, whichever is plentiful: the exponent is 1 for any model.
    """
    return L_inf + a / x


@law(bahri2021, predicts="y", topic="theory", identified="alpha and L_ref x_ref**alpha")
def bahri_resolution_limited(x, *, L_ref=amplitude(), x_ref=location("x"), alpha=exponent()):
    r"""$y = L_{ref} (x / x_{ref})^{-\alpha}$

    x is data with an unlimited model or the reverse; in the kernel limit both have the same alpha.
    alpha is about 1 / d or more, d the dimension of the data (4 / d for piecewise-linear fits).
    """
    return L_ref * (x / x_ref) ** -alpha


@law(
    hutter2021, predicts="error", over={"examples": (1e2, 1e8)}, topic="theory", aliases=("hutter_learning_curve",),
    values={"hutter2021": values("alpha = 1, z = 1 / zeta(2)", status="derived", alpha=1.0, z=0.6079271018540267)},
)  # fmt: skip
def hutter(examples, *, alpha=exponent("tail of the features' frequencies"), z=width("their normalisation")):
    r"""$error = \frac{z^{1 / (1 + \alpha)}}{1 + \alpha} \Gamma\left(\frac{\alpha}{1 + \alpha}\right)
    examples^{-\alpha / (1 + \alpha)}$

    Memorising features that occur with frequencies z i**-(1 + alpha): the error after so many samples, for many.
    """
    from scipy.special import gammaln

    beta = alpha / (1 + alpha)
    return z ** (1 / (1 + alpha)) / (1 + alpha) * np.exp(gammaln(beta)) * examples**-beta


@law(lin2024, predicts="y", topic="theory", status="memory", aliases=("lin_linear_regression_risk",))
def lin_regression(
    sketch, examples, lr, *, a=exponent("decay of the spectrum", lower=1.0, start=(1.1, 4.0)), sigma2=offset("noise"),
    c_1=amplitude(), c_2=amplitude(),
):  # fmt: skip
    r"""$y = \sigma2 + c_1\, sketch^{-(a - 1)} + c_2 (examples \cdot lr)^{-(a - 1) / a}$

    Risk of one pass of SGD on sketched features with spectrum i**-a; one exponent sets the other.
    Trap: orders only, from memory; the variance term is of higher order, which is the paper's point.
    """
    return sigma2 + c_1 * sketch ** -(a - 1) + c_2 * (examples * lr) ** (-(a - 1) / a)


@law(bordelon2024, predicts="y", topic="theory", status="memory", aliases=("bordelon_dynamical_exponents",))
def bordelon(
    S, N, examples, *, a=exponent("decay of the target", lower=1.0, start=(1.1, 4.0)),
    b=exponent("decay of the spectrum", lower=1.0, start=(1.1, 3.0)), c_t=coefficient(), c_N=coefficient(),
    c_P=coefficient(),
):  # fmt: skip
    r"""$y = c_t S^{-(a - 1) / b} + c_N N^{-r} + c_P\, examples^{-r}, \quad r = \min(a - 1, 2 b)$

    Sum of the limits by time, size and data of a model of random features; an interpolation, not its solution.
    Trap: exponents from memory; terms in 1 / N and 1 / examples come before these limits.
    """
    r = np.minimum(a - 1, 2 * b)
    return c_t * S ** (-(a - 1) / b) + c_N * N**-r + c_P * examples**-r
