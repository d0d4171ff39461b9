r"""Kaplan et al. 2020: the loss is a power law in size, in data and in compute, as long as the others do not limit it.

N counts parameters without embeddings here, D is in tokens, loss in nats per token of GPT-2's tokeniser on WebText2.
The paper's PF-days are FLOP here (1 PF-day = 8.64e19 FLOP). No law of this family has a loss that scale cannot remove.
Trap of the family: N_c and alpha differ between the paper's fits; never mix values of two of them.
"""

from __future__ import annotations

from lawful.law import Paper, exponent, law, scale, values

PF_DAY = 8.64e19  # FLOP

kaplan2020 = Paper(
    "kaplan2020",
    "Jared Kaplan, Sam McCandlish, Tom Henighan, Tom B. Brown, Benjamin Chess, Rewon Child, Scott Gray, Alec Radford, "
    "Jeffrey Wu, Dario Amodei",
    "Scaling Laws for Neural Language Models",
    2020,
    arxiv="2001.08361",
)
henighan2020 = Paper(
    "henighan2020",
    "Tom Henighan, Jared Kaplan, Mor Katz, Mark Chen, Christopher Hesse, Jacob Jackson, Heewoo Jun, Tom B. Brown, "
    "Prafulla Dhariwal, Scott Gray, Chris Hallacy, Benjamin Mann, Alec Radford, Aditya Ramesh, Nick Ryder, "
    "Daniel M. Ziegler, John Schulman, Dario Amodei, Sam McCandlish",
    "Scaling Laws for Autoregressive Generative Modeling",
    2020,
    arxiv="2010.14701",
)

_SIZES = {"N_nonemb": (768.0, 1.5e9)}
_DATA = {"D": (22e6, 23e9)}
_TOPIC = "pre-training"


@law(
    kaplan2020,
    values={
        "kaplan2020": values("Eq. 1.1", N_c=8.8e13, alpha=0.076),
        "henighan2020": values("arXiv 2010.14701, Table 1, with the runs of GPT-3", N_c=1.47e14, alpha=0.070),
    },
    over=_SIZES, identified="alpha and N_c**alpha", topic=_TOPIC, aliases=("kaplan_l_n",),
)  # fmt: skip
def kaplan_n(N_nonemb, *, N_c=scale("N_nonemb", "alpha"), alpha=exponent()):
    r"""$L = (N_c / N_{nonemb})^{\alpha}$

    Fitted: regression of log loss on log N over runs that data do not limit.
    Trap: a small change of alpha moves N_c by orders of magnitude; compare losses at a reference N, not N_c.
    """
    return (N_c / N_nonemb) ** alpha


@law(
    kaplan2020, values={"kaplan2020": values("Eq. 1.2", D_c=5.4e13, alpha=0.095)},
    over=_DATA, identified="alpha and D_c**alpha", topic=_TOPIC, aliases=("kaplan_l_d",),
)  # fmt: skip
def kaplan_d(D, *, D_c=scale("D", "alpha"), alpha=exponent()):
    r"""$L = (D_c / D)^{\alpha}$

    Fitted: large models with early stopping.
    Trap: the exponent is 0.095 here and 0.103 in the joint law; the data rule N**0.74 comes from the latter.
    """
    return (D_c / D) ** alpha


@law(
    kaplan2020, values={"kaplan2020": values("Table 2", N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103)},
    over=_SIZES | _DATA, topic=_TOPIC, aliases=("kaplan_l_nd",),
)  # fmt: skip
def kaplan_nd(
    N_nonemb, D, *, N_c=scale("N_nonemb", "alpha_N"), D_c=scale("D", "alpha_D"), alpha_N=exponent(),
    alpha_D=exponent(lower=1e-3),
):  # fmt: skip
    r"""$L = \left[(N_c / N_{nonemb})^{\alpha_N / \alpha_D} + D_c / D\right]^{\alpha_D}$

    Eq. 1.5. Unlimited data give kaplan_n, an unlimited model gives kaplan_d.
    Fitted: four parameters at once on early-stopped losses, 10 % dropout.
    Trap: a survey prints it as a sum of two power laws; that is another law.
    """
    return ((N_c / N_nonemb) ** (alpha_N / alpha_D) + D_c / D) ** alpha_D
