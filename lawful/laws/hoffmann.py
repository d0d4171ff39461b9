r"""Hoffmann et al. 2022 (Chinchilla): a loss that scale cannot remove, a term in parameters and a term in tokens.

The form that most of the field uses, with the values of the paper, its refits and other corpora. N counts every
parameter, C = 6 N D. Corpus and tokeniser set E, A and B: values of one paper do not carry over to another.
"""

from __future__ import annotations

import numpy as np

from lawful.law import Paper, amplitude, exponent, law, location, offset, values, width

hoffmann2022 = Paper(
    "hoffmann2022",
    "Jordan Hoffmann, Sebastian Borgeaud, Arthur Mensch, Elena Buchatskaya, Trevor Cai, Eliza Rutherford, "
    "Diego de Las Casas, Lisa Anne Hendricks, Johannes Welbl, Aidan Clark, Tom Hennigan, Eric Noland, Katie Millican, "
    "George van den Driessche, Bogdan Damoc, Aurelia Guy, Simon Osindero, Karen Simonyan, Erich Elsen, Jack W. Rae, "
    "Oriol Vinyals, Laurent Sifre",
    "Training Compute-Optimal Large Language Models",
    2022,
    arxiv="2203.15556",
)
besiroglu2024 = Paper(
    "besiroglu2024",
    "Tamay Besiroglu, Ege Erdil, Matthew Barnett, Josh You",
    "Chinchilla Scaling: A replication attempt",
    2024,
    arxiv="2404.10102",
)

_NOTEBOOK = "the authors' notebook (epoch-research/analyzing-chinchilla), "
_DATABLATIONS = "arXiv 2305.16264, the authors' notebook (huggingface/datablations), C4, 54 isoFLOP runs, "
CHINCHILLA = {
    "hoffmann2022": values(
        "paper's TeX source, unrounded", E=1.6933736809989528, A=406.4010175194737, B=410.7228269450398,
        alpha=0.33917084, beta=0.2849083,
    ),
    "hoffmann2022_rounded": values("Eq. 10, printed to two digits", E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28),
    "besiroglu2024": values("Table 1", E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658),
    "besiroglu2024_unrounded": values(
        _NOTEBOOK + "as computed", E=1.81686, A=482.00572, B=2085.4342, alpha=0.34781303, beta=0.36585412
    ),
    "besiroglu2024_huber": values(
        _NOTEBOOK + "sum of Huber losses from Hoffmann's grid", E=1.817235504463726, A=477.84171252965143,
        B=2143.8637880335505, alpha=0.34731265761033453, beta=0.3671826173946711,
    ),
    "sardana2024": values("arXiv 2401.00448", E=1.69, A=406.4, B=410.7, alpha=0.336, beta=0.283),
    "muennighoff2023": values(
        _DATABLATIONS + "alpha = beta", E=1.8691436784054858, A=520.8249516599187, B=1487.716093782861,
        alpha=0.3526596, beta=0.3526596,
    ),
    "muennighoff2023_untied": values(
        _DATABLATIONS + "alpha and beta free", E=1.8782183662781502, A=386.7267611021977, B=2736.777739880548,
        alpha=0.33480313, beta=0.38289225,
    ),
}  # fmt: skip


def optimal_params(C, v):
    """N that minimises E + A N**-alpha + B D**-beta on C = 6 N D (Eq. 4)."""
    a, b = v["alpha"], v["beta"]
    return (a * v["A"] / (b * v["B"])) ** (1 / (a + b)) * (C / 6) ** (b / (a + b))


def optimal_tokens(C, v):
    """D that belongs to `optimal_params`: C / (6 N)."""
    return C / (6 * optimal_params(C, v))


@law(
    hoffmann2022, values=CHINCHILLA, over={"N": (7e7, 1.6e10), "D": (5e9, 5e11)}, topic="pre-training",
    aliases=("hoffmann_l_nd", "besiroglu_refit", "hoffmann"), optimum={"N": optimal_params, "D": optimal_tokens},
)  # fmt: skip
def chinchilla(
    N, D, *, E=offset(), A=amplitude("N", "alpha"), B=amplitude("D", "beta"), alpha=exponent(), beta=exponent()
):
    r"""$L = E + A N^{-\alpha} + B D^{-\beta}$

    Fitted: Huber loss (delta 1e-3) of log loss, best of a grid of L-BFGS starts; the original stopped too early.
    Trap: never plan with the rounded values: the optimum at 5.88e23 FLOP has 93 tokens per parameter with them.
    Trap: it has 59 with the unrounded values, 18 with the refit; the paper's other approaches say 20.
    Trap: runs with D proportional to N cannot tell the two terms apart.
    Trap: delta 1e-3 is nearly least absolute deviations: Gauss-Newton standard errors are wrong, use a bootstrap.
    """
    return E + A * N**-alpha + B * D**-beta


# Approaches 1 and 2 of the paper, and the rule of thumb

_BUDGETS = {"C": (6e18, 3e21)}


@law(
    hoffmann2022, predicts="N", over=_BUDGETS, topic="allocation", aliases=("hoffmann_approach1",),
    values={
        "hoffmann2022": values("line through Table 3", status="derived", k=0.09915893230794971, a=0.4980986857771881)
    },
)  # fmt: skip
def hoffmann_n_opt(C, *, k=amplitude("C", "-a"), a=exponent(upper=1.0, start=(0.1, 0.9))):
    r"""$N = k C^{a}$

    Approach 1; the paper prints a = 0.50 (0.488 to 0.502).
    Fitted: a power law through the lowest loss over all training curves at each of many budgets; bootstrap intervals.
    Trap: at small budgets few sizes make the envelope, and warm-up must be left out.
    """
    return k * C**a


@law(
    hoffmann2022, predicts="D", over=_BUDGETS, topic="allocation",
    values={
        "hoffmann2022": values("line through Table 3", status="derived", k=1.6960843615010006, b=0.5018542648378526)
    },
)  # fmt: skip
def hoffmann_d_opt(C, *, k=amplitude("C", "-b"), b=exponent(upper=1.0, start=(0.1, 0.9))):
    r"""$D = k C^{b}$

    Approach 1; the paper prints b = 0.50 (0.501 to 0.512).
    """
    return k * C**b


@law(
    hoffmann2022, topic="allocation", aliases=("hoffmann_approach2_isoflop",), optimum={"N": lambda C, v: v["N_opt"]},
)  # fmt: skip
def isoflop_parabola(N, *, L_min=offset("loss at the optimum"), c=amplitude(meaning="curvature"), N_opt=location("N")):
    r"""$L = L_{min} + c (\ln N - \ln N_{opt})^2$

    Approach 2: one parabola per budget, then a power law through the N_opt; written by its vertex.
    Trap: chinchilla's isoFLOP curve is no parabola: the vertex is off where alpha and beta differ.
    Trap: it is also off where the sizes tried lie to one side of it; both errors grow with extrapolation.
    """
    return L_min + c * (np.log(N) - np.log(N_opt)) ** 2


@law(
    hoffmann2022, values={"twenty": values("Table 3, ratios of 19.9 to 22.4", status="derived", r=20)},
    predicts="N", over={"C": (1e18, 1e26)}, topic="allocation", aliases=("chinchilla_20_tokens",),
)  # fmt: skip
def tokens_per_parameter(C, *, r=width("tokens per parameter", start=(1, 500))):
    r"""$N = \sqrt{C / (6 r)}$

    From D = r N and C = 6 N D.
    Trap: a rule of thumb, not a formula of the paper.
    """
    return np.sqrt(C / (6 * r))
