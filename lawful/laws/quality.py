"""Quality of data: what filtered, repeated or single examples are worth, and how much a model can know.

Filtering keeps better data and less of it; repeating it wears it out. Both are one law here: every pool has a
utility exponent, and the exponent halves every tau passes.
"""

from __future__ import annotations

from math import ceil

import numpy as np

from lawful.law import Paper, amplitude, coefficient, exponent, law, share, values, width

goyal2024 = Paper(
    "goyal2024",
    "Sachin Goyal, Pratyush Maini, Zachary C. Lipton, Aditi Raghunathan, J. Zico Kolter",
    "Scaling Laws for Data Filtering: Data Curation cannot be Compute Agnostic",
    2024,
    arxiv="2404.07177",
    venue="CVPR 2024",
)
covert2024 = Paper(
    "covert2024",
    "Ian Covert, Wenlong Ji, Tatsunori Hashimoto, James Zou",
    "Scaling Laws for the Value of Individual Data Points in Machine Learning",
    2024,
    arxiv="2405.20456",
    venue="ICML 2024",
)
allenzhu2024 = Paper(
    "allenzhu2024",
    "Zeyuan Allen-Zhu, Yuanzhi Li",
    "Physics of Language Models: Part 3.3, Knowledge Capacity Scaling Laws",
    2024,
    arxiv="2404.05405",
    venue="ICLR 2025",
)


@law(goyal2024, predicts="error", topic="data mixture and quality", status="official repository",
    aliases=("goyal_data_filtering_utility",), over={"pool": (1e6, 1.28e8), "epochs": (1, 10)})  # fmt: skip
def goyal_filtering(
    pool, epochs, *, a=amplitude("pool", "-b"), b=coefficient("utility", upper=0, start=(-0.5, -0.005)),
    tau=width("passes until the utility is halved", start=(1, 10)), d=share("error that no data removes"),
):  # fmt: skip
    r"""$y = a n^{b} \prod_{j=2}^{K} (j/(j-1))^{b_j} + d, b_j = b\, 2^{-(j-1)/\tau}$
    Zero-shot error after K passes over a pool of n examples; a part of a pass counts by its share.
    Fitted: grid search of squared errors over a, b and tau with d = 0.1; p mixed pools stretch each tau p-fold.
    Trap: the code counts n in units of 100000, a n inside the power, and multiplies d by the product as well.
    Trap: a and b part only with several pool sizes; a is shared by all pools. No values were found published.
    """
    passes = range(2, ceil(np.max(epochs)) + 1)
    worn = sum(0.5 ** ((j - 1) / tau) * np.log(np.clip(epochs, j - 1, j) / (j - 1)) for j in passes)
    return a * pool**b * np.exp(b * worn) + d


@law(covert2024, predicts="y", topic="data mixture and quality", status="official repository",
    aliases=("covert_individual_data_value",), over={"examples": (1e2, 1e4)})  # fmt: skip
def covert_value(examples, *, c=coefficient("signed: a harmful point lowers performance"), alpha=exponent(upper=7.39)):
    r"""$\psi_k = c\, k^{-\alpha}$
    Expected gain in performance from adding one data point to k others; every point has its own c and alpha.
    Fitted: Gaussian likelihood, standard deviation sigma k**(-beta/2); c and sigma in closed form, the rest by Adam.
    Trap: fits of logs lose the sign of c; with much noise alpha of a single point is hardly determined.
    """
    return c * examples**-alpha


@law(allenzhu2024, predicts="knowledge", topic="data mixture and quality", status="paper text",
    aliases=("allenzhu_knowledge_capacity",), over={"N": (1e6, 1e10)},
    values={
        "allenzhu2024": values("1000 exposures; quoted by Sengupta et al. 2025", R=2.0),
        "allenzhu2024_100": values("100 exposures, from memory", status="memory", R=1.0),
        "allenzhu2024_int4": values("1000 exposures, 4-bit weights, from memory", status="memory", R=0.7),
    },
)  # fmt: skip
def knowledge_capacity(N, *, R=amplitude("N", "-1", "bits per parameter")):
    r"""$\mathrm{bits} = R N$
    Facts that the weights can hold, as bits.
    Fitted: lower bounds on synthetic biographies, the ratio of bits learned to parameters.
    Trap: a peak on synthetic facts, each seen 1000 times; no law for text of the web.
    """
    return R * N
