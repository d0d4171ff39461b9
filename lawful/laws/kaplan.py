r"""Kaplan et al. 2020: the loss is a power law in size, in data and in compute, as long as the others do not limit it.

N counts parameters without embeddings here, D is in tokens, loss in nats per token of GPT-2's tokeniser on WebText2.
The paper's PF-days are FLOP here (1 PF-day = 8.64e19 FLOP). No law of this family has a loss that scale cannot remove.
Trap of the family: N_c and alpha differ between the paper's fits; never mix values of two of them.
"""

from __future__ import annotations

from lawful.law import Paper, amplitude, exponent, law, location, scale, values

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
    over=_SIZES, topic=_TOPIC, aliases=("kaplan_l_n",),
)  # fmt: skip
def kaplan_n(N_nonemb, *, N_c=scale("N_nonemb", "alpha"), alpha=exponent()):
    r"""$L = (N_c / N_{nonemb})^{\alpha}$

    Fitted: regression of log loss on log N over runs that data do not limit.
    Trap: a small change of alpha moves N_c by orders of magnitude; compare losses at a reference N, not N_c.
    """
    return (N_c / N_nonemb) ** alpha


@law(
    kaplan2020, values={"kaplan2020": values("Eq. 1.2", D_c=5.4e13, alpha=0.095)},
    over=_DATA, topic=_TOPIC, aliases=("kaplan_l_d",),
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


@law(
    kaplan2020, values={"kaplan2020": values("Table 5, C_c = 1.6e7 PF-days", C_c=1.6e7 * PF_DAY, alpha=0.057)},
    over={"C": (1e14, 1e21)}, topic=_TOPIC, aliases=("kaplan_l_c_fixed_batch",),
)  # fmt: skip
def kaplan_compute(C, *, C_c=scale("C", "alpha"), alpha=exponent()):
    r"""$L = (C_c / C)^{\alpha}$

    Trap: at a fixed batch of 2**19 tokens; kaplan_compute_min is the one that the paper recommends.
    """
    return (C_c / C) ** alpha


@law(
    kaplan2020,
    values={
        "kaplan2020": values("Eq. 1.3, C_c = 3.1e8 PF-days", C_c=3.1e8 * PF_DAY, alpha=0.050),
        "kaplan2020_figure1": values("label of Figure 1, C_c = 2.3e8 PF-days", C_c=2.3e8 * PF_DAY, alpha=0.050),
        "henighan2020": values("arXiv 2010.14701, Table 1, 3.47e8 PF-days", C_c=3.47e8 * PF_DAY, alpha=0.048),
    },
    over={"C_min": (1e14, 1e21)}, topic=_TOPIC, aliases=("kaplan_l_cmin",),
)  # fmt: skip
def kaplan_compute_min(C_min, *, C_c=scale("C_min", "alpha"), alpha=exponent()):
    r"""$L = (C_c / C_{min})^{\alpha}$

    C_min is the compute that a batch far below the critical one would have needed (kaplan_c_min).
    Trap: text and figure of the paper print different C_c; the losses differ by 1.5 %.
    """
    return (C_c / C_min) ** alpha


@law(
    kaplan2020, predicts="y", over=_SIZES | _DATA, topic=_TOPIC, aliases=("kaplan_overfit_penalty",),
    values={"kaplan2020": values("Table 2", N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103)},
    identified="alpha_D, alpha_N / alpha_D and D_c / N_c**(alpha_N / alpha_D)",
)  # fmt: skip
def kaplan_excess(
    N_nonemb, D, *, N_c=scale("N_nonemb", "alpha_N"), D_c=scale("D", "alpha_D"), alpha_N=exponent(),
    alpha_D=exponent(lower=1e-3),
):  # fmt: skip
    r"""$y = \left[1 + (N_{nonemb} / N_c)^{\alpha_N / \alpha_D} D_c / D\right]^{\alpha_D} - 1$

    The share by which the loss at D tokens exceeds the loss at unlimited data (Eq. 4.3); follows from kaplan_nd.
    Trap: copies print N_c / N; only N / N_c agrees with Eq. 1.5.
    """
    return (1 + (N_nonemb / N_c) ** (alpha_N / alpha_D) * D_c / D) ** alpha_D - 1


@law(
    kaplan2020, values={"kaplan2020": values("Eq. 4.4", k=5e3, e=0.74)}, predicts="D", over=_SIZES, topic=_TOPIC,
)  # fmt: skip
def kaplan_data_requirement(N_nonemb, *, k=amplitude("N_nonemb", "-e"), e=exponent()):
    r"""$D = k N_{nonemb}^{e}$

    Tokens that keep the excess loss below 2 %, the noise between runs.
    Trap: a bound against overfitting of repeated data, not a compute-optimal number of tokens.
    """
    return k * N_nonemb**e


@law(
    kaplan2020, values={"kaplan2020": values("Table 3", N_c=6.5e13, S_c=2.1e3, alpha_N=0.077, alpha_S=0.76)},
    over=_SIZES | {"S_min": (1e3, 2.5e5)}, topic=_TOPIC, aliases=("kaplan_l_ns",),
)  # fmt: skip
def kaplan_learning_curve(
    N_nonemb, S_min, *, N_c=scale("N_nonemb", "alpha_N"), S_c=scale("S_min", "alpha_S"), alpha_N=exponent(),
    alpha_S=exponent(),
):  # fmt: skip
    r"""$L = (N_c / N_{nonemb})^{\alpha_N} + (S_c / S_{min})^{\alpha_S}$

    Unlimited data, after the first transient; S_min as in kaplan_s_min.
    Trap: steps taken at a batch below the critical one are not S_min and bias alpha_S.
    """
    return (N_c / N_nonemb) ** alpha_N + (S_c / S_min) ** alpha_S


@law(
    kaplan2020, predicts="B_crit", over={"L": (2.0, 7.0)}, topic=_TOPIC,
    values={
        "kaplan2020": values("Eq. 1.4", B_star=2e8, alpha_B=0.21),
        "kaplan2020_worked": values("worked examples of Section 5.1", B_star=2.1e8, alpha_B=0.21),
    },
)  # fmt: skip
def kaplan_b_crit(L, *, B_star=amplitude(), alpha_B=exponent(start=(0.05, 1.0))):
    r"""$B_{crit} = B_{\star} / L^{1 / \alpha_B}$

    The batch, in tokens, at which time and compute are traded evenly; it depends on the loss alone.
    Trap: it goes to infinity as L goes to 0, although the loss has a floor.
    """
    return B_star / L ** (1 / alpha_B)


@law(
    kaplan2020, predicts="S_min", over={"S": (1e2, 2.5e5), "B": (1e4, 1e7), "B_crit": (1e4, 1e7)}, topic=_TOPIC,
)  # fmt: skip
def kaplan_s_min(S, B, B_crit):
    r"""$S_{min} = S / (1 + B_{crit} / B)$

    Steps that a batch far above the critical one would have needed (Eq. 5.4).
    """
    return S / (1 + B_crit / B)


@law(
    kaplan2020, predicts="C_min", over={"C": (1e14, 1e21), "B": (1e4, 1e7), "B_crit": (1e4, 1e7)}, topic=_TOPIC,
)  # fmt: skip
def kaplan_c_min(C, B, B_crit):
    r"""$C_{min} = C / (1 + B / B_{crit})$

    Compute that a batch far below the critical one would have needed (Eq. 5.5).
    """
    return C / (1 + B / B_crit)


@law(kaplan2020, predicts="D", topic=_TOPIC, aliases=("kaplan_step_example_tradeoff",))
def kaplan_steps_tokens(S, *, S_min=location("S", "fewest steps"), D_min=amplitude(meaning="fewest tokens")):
    r"""$D = D_{min} \left(1 + 1 / (S / S_{min} - 1)\right)$

    Tokens needed to reach one loss in S steps; D_min / S_min is the critical batch (Eqs 5.1 and 5.2).
    Fitted: S_min and D_min for each target loss.
    Trap: no solution at S <= S_min.
    """
    return D_min * (1 + 1 / (S / S_min - 1))


@law(
    kaplan2020, values={"kaplan2020": values("Eq. 5.7", S_c=2.1e3, alpha_S=0.76)}, predicts="S_stop",
    over={"L_ND": (2.5, 6.0), "L_Ninf": (1.8, 2.4)}, topic=_TOPIC,
)  # fmt: skip
def kaplan_early_stop(L_ND, L_Ninf, *, S_c=amplitude(), alpha_S=exponent()):
    r"""$S_{stop} = S_c / (L_{ND} - L_{N inf})^{1 / \alpha_S}$

    A lower bound of the step at which a run on finite data should stop. Undefined where L_ND <= L_Ninf.
    """
    return S_c / (L_ND - L_Ninf) ** (1 / alpha_S)


# Compute-efficient training: how the optimum grows with compute. k is converted from PF-days to FLOP.


def _table6(k: float, p: float) -> dict:
    return {"kaplan2020": values(f"Table 6, {k:g} at 1 PF-day", k=k / PF_DAY**p, p=p)}


_MIN = {"C_min": (1e14, 1e21)}
_GROWTH = {"upper": 1.0, "start": (0.02, 0.98)}


@law(kaplan2020, values=_table6(1.3e9, 0.73), predicts="N_nonemb", over=_MIN, topic="allocation")
def kaplan_n_opt(C_min, *, k=amplitude("C_min", "-p"), p=exponent(**_GROWTH)):
    r"""$N_{nonemb} = k C_{min}^{p}$

    Fitted: through the lower envelope of the learning curves.
    Trap: 0.73 against 0.5 of Hoffmann et al.; counting without embeddings and a fixed schedule explain most of it.
    """
    return k * C_min**p


@law(kaplan2020, values=_table6(2.0e6, 0.24), predicts="B", over=_MIN, topic="allocation")
def kaplan_b_opt(C_min, *, k=amplitude("C_min", "-p"), p=exponent(**_GROWTH)):
    r"""$B = k C_{min}^{p}$

    The critical batch at the optimum; training there takes twice S_min steps.
    """
    return k * C_min**p


@law(kaplan2020, values=_table6(5.4e3, 0.03), predicts="S_min", over=_MIN, topic="allocation")
def kaplan_smin_opt(C_min, *, k=amplitude("C_min", "-p"), p=exponent(upper=1.0, start=(0.002, 0.9))):
    r"""$S_{min} = k C_{min}^{p}$

    Serial steps at the optimum; an exponent of 0 is not excluded.
    """
    return k * C_min**p


@law(kaplan2020, values=_table6(2.0e10, 0.27), predicts="D", over=_MIN, topic="allocation")
def kaplan_d_opt(C_min, *, k=amplitude("C_min", "-p"), p=exponent(**_GROWTH)):
    r"""$D = k C_{min}^{p}$

    Tokens processed at the optimum, batch times steps.
    """
    return k * C_min**p


@law(
    kaplan2020, predicts="C_tok", topic="accounting",
    over={"depth": (2, 200), "w": (64, 12288), "n_ctx": (128, 8192), "d_attn": (64, 12288), "d_ff": (256, 49152)},
)  # fmt: skip
def kaplan_flops_per_token(depth, w, n_ctx, d_attn, d_ff):
    r"""$C_{tok} = 2 N + 2\, depth\, n_{ctx} d_{attn}, \quad N = 2\, w\, depth (2 d_{attn} + d_{ff})$

    Forward FLOP per token without embeddings (Table 1); training takes three times as many, about 6 N.
    """
    N = 2 * w * depth * (2 * d_attn + d_ff)
    return 2 * N + 2 * depth * n_ctx * d_attn
