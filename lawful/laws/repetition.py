r"""When data are limited: repeating them (Muennighoff et al. 2023) and pruning them (Sorscher et al. 2022)."""

from __future__ import annotations

import numpy as np

from lawful.law import Paper, amplitude, exponent, law, offset, values, width

muennighoff2023 = Paper(
    "muennighoff2023",
    "Niklas Muennighoff, Alexander M. Rush, Boaz Barak, Teven Le Scao, Aleksandra Piktus, Nouamane Tazi, "
    "Sampo Pyysalo, Thomas Wolf, Colin Raffel",
    "Scaling Data-Constrained Language Models",
    2023,
    arxiv="2305.16264",
)
sorscher2022 = Paper(
    "sorscher2022",
    "Ben Sorscher, Robert Geirhos, Shashank Shekhar, Surya Ganguli, Ari S. Morcos",
    "Beyond neural scaling laws: beating power law scaling via data pruning",
    2022,
    arxiv="2206.14486",
)


@law(
    muennighoff2023, over={"N": (1e7, 9e9), "D": (1e8, 9e11), "U": (1e8, 1.8e11)}, topic="data",
    values={
        "muennighoff2023": values(
            "authors' notebook, C4, alpha = beta", E=1.8691436784054858, A=520.8249516599187, B=1487.716093782861,
            alpha=0.3526596, beta=0.3526596, R_D_star=15.387756, R_N_star=5.309743,
        ),
        "muennighoff2023_untied": values(
            "authors' notebook, C4, first stage", E=1.8294913913498547, A=752.1646880204286, B=1969.7076308853946,
            alpha=0.3724021, beta=0.36468068, R_D_star=16.257626, R_N_star=4.9642363,
        ),
    },
    aliases=("muennighoff_data_constrained",),
)  # fmt: skip
def muennighoff(
    N, D, U, *, E=offset(), A=amplitude("N", "alpha"), B=amplitude("D", "beta"), alpha=exponent(), beta=exponent(),
    R_D_star=width("worth of repeated data", start=(0.5, 50)), R_N_star=width("of excess size", start=(0.5, 50)),
):  # fmt: skip
    r"""$L = E + A / N'^{\alpha} + B / D'^{\beta}, \quad D' = U + U R_{D\star} (1 - e^{-(D/U - 1) / R_{D\star}}),
    \quad N' = U_N + U_N R_{N\star} (1 - e^{-(N/U_N - 1) / R_{N\star}})$

    U_N is the size that is optimal for U tokens, at most N; U counts at most D. Within one epoch this is chinchilla.
    Fitted: the five of chinchilla on 54 runs without repeats, then both R on runs with repeats (Huber loss of logs).
    Trap: both R need many epochs and sizes far above U_N; refitting A, B, alpha or beta moves N'.
    Trap: more epochs never hurt here; in real runs they do beyond about 40.
    """
    U = np.minimum(U, D)
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    U_N = np.minimum(N, (U * G) ** (beta / alpha) * G)
    tokens = U - U * R_D_star * np.expm1(-(D / U - 1) / R_D_star)
    size = U_N - U_N * R_N_star * np.expm1(-(N / U_N - 1) / R_N_star)
    return E + A / size**alpha + B / tokens**beta


@law(sorscher2022, predicts="error", topic="data", status="memory")
def sorscher_random(examples, *, a=amplitude("examples", "nu"), nu=exponent()):
    r"""$error = a\, examples^{-\nu}$

    Examples kept at random. With any fixed share kept, pruning comes back to this exponent.
    """
    return a * examples**-nu


@law(sorscher2022, predicts="error", topic="data", status="memory", aliases=("sorscher_pruning",))
def sorscher_pruned(examples, *, a=amplitude(), k=amplitude("examples", "-1", "rate per example")):
    r"""$error = a e^{-k\, examples}$

    The best share kept at every number of examples. An envelope of the theory, which has no closed form.
    Trap: the form is from memory and has no published coefficients; the share kept must shrink as examples grow.
    """
    return a * np.exp(-k * examples)
