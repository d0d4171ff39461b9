r"""Two steps to a downstream score: compute (or N and D) to a loss, and the loss to the score.

Gadre, the model ladder (Bhagia), FLP (Chen), observational scaling (Ruan), and why a smooth loss can look like a jump
(Schaeffer).
"""

from __future__ import annotations

import numpy as np

from lawful.law import Paper, amplitude, coefficient, exponent, law, location, offset, scale, share, values, width
from lawful.laws.porian import gadre2024

bhagia2024 = Paper(
    "bhagia2024",
    "Akshita Bhagia, Jiacheng Liu, Alexander Wettig, David Heineman, Oyvind Tafjord, Ananya Harsh Jha, others",
    "Establishing Task Scaling Laws via Compute-Efficient Model Ladders",
    2024,
    arxiv="2412.04403",
)
chen2024 = Paper(
    "chen2024",
    "Yangyi Chen, Binxuan Huang, Yifan Gao, Zhengyang Wang, Jingfeng Yang, Heng Ji",
    "Scaling Laws for Predicting Downstream Performance in LLMs",
    2024,
    arxiv="2410.08527",
)
ruan2024 = Paper(
    "ruan2024",
    "Yangjun Ruan, Chris J. Maddison, Tatsunori Hashimoto",
    "Observational Scaling Laws and the Predictability of Language Model Performance",
    2024,
    arxiv="2405.10938",
)
schaeffer2023 = Paper(
    "schaeffer2023",
    "Rylan Schaeffer, Brando Miranda, Sanmi Koyejo",
    "Are Emergent Abilities of Large Language Models a Mirage?",
    2023,
    arxiv="2304.15004",
)

_GADRE = {  # suite: k, gamma, eps
    "c4_17tasks": (2.07890716, 0.75612088, 0.84974201),
    "c4_46tasks": (1.28851604, 0.97216429, 0.75894944),
    "redpajama_17tasks": (2.20649009, 0.71459055, 0.85699193),
    "redpajama_46tasks": (1.32289889, 0.89070785, 0.76084951),
    "refinedweb_17tasks": (2.21481484, 0.7070485, 0.86527954),
    "refinedweb_46tasks": (1.12807423, 0.82152276, 0.76767921),
}
_LADDER_LOSS = {  # task: A, B, alpha, beta, E
    "mmlu": (38.07002725760596, 100.09210447348327, 0.22621645280109803, 0.23607558065953893, 0.45409306141574685),
    "hellaswag": (11.231288588543281, 60.36865736116255, 0.19553941359169152, 0.25649818063949176, 0.5019111462686837),
    "arc_challenge": (
        702974.7715984192,
        38.445723181271354,
        0.7877153473165206,
        0.19697609050012704,
        0.6546431611046604,
    ),
    "arc_easy": (79412.06932665413, 3957.5142772694658, 0.6610443518358851, 0.419453421717883, 0.5582433159329873),
    "piqa": (405.6597555896466, 10.159056565069637, 0.39783807715885633, 0.1532770995163165, 0.7217009668632013),
    "csqa": (56.85535071872851, 10.906581040741552, 0.23499140070075328, 0.11107671556315116, 0.0),
    "socialiqa": (1200.9352432515743, 7897.193394125211, 0.44730992685919707, 0.4767588411616781, 0.9489232928363932),
    "openbookqa": (86346.3241130168, 137.34999937640953, 0.6865362816257871, 0.26069432252113783, 1.198092217920803),
}
_LADDER_ACCURACY = {  # task: a, L_0, k, b
    "mmlu": (-0.74206424, 0.61595265, 4.83339233, 1.0), "hellaswag": (-0.73011144, 0.76673526, 12.74170747, 0.99210355),
    "arc_challenge": (-0.7776727, 0.70864073, 5.91060741, 1.0), "arc_easy": (-0.64627163, 0.7407136, 4.12984996, 1.0),
    "piqa": (-0.45856295, 0.96302285, 5.03295685, 1.0), "csqa": (-0.8555545, 1.13130714, 2.20851837, 1.0),
    "socialiqa": (-0.59852566, 0.89380701, 7.16437025, 0.99946778),
    "openbookqa": (-0.79060202, 1.08129063, 4.30974376, 1.0),
}  # fmt: skip


@law(
    gadre2024, predicts="error", over={"L": (2.2, 4.5)}, topic="downstream",
    values={
        f"gadre2024_{suite}": values("authors' code on their runs", status="recomputed", k=k, gamma=gamma, eps=eps)
        for suite, (k, gamma, eps) in _GADRE.items()
    },
)  # fmt: skip
def gadre_error(L, *, eps=share("error at high loss"), k=amplitude(), gamma=width()):
    r"""$error = \varepsilon - k e^{-\gamma L}$

    Average error over a suite of tasks against the loss on C4; in perplexity, eps - k ppl**-gamma.
    Fitted: least squares on six runs.
    Trap: tight for averages of suites, not for single tasks; leaves 0 to eps outside the range.
    """
    return eps - k * np.exp(-gamma * L)


@law(
    bhagia2024, predicts="bpb", over={"N_nonemb": (1.9e8, 1.4e10), "D": (3.8e9, 5e12)}, topic="downstream",
    values={
        f"bhagia2024_{task}": values(
            "authors' code on their runs", status="recomputed", A=A, B=B, alpha=alpha, beta=beta, E=E
        )
        for task, (A, B, alpha, beta, E) in _LADDER_LOSS.items()
    },
)  # fmt: skip
def bhagia_task_loss(
    N_nonemb, D, *, A=amplitude("N_nonemb", "alpha"), B=amplitude("D", "beta"), alpha=exponent(), beta=exponent(),
    E=offset(),
):  # fmt: skip
    r"""$bpb = A / N_{nonemb}^{\alpha} + B / D^{\beta} + E$

    Step 1 of the ladder: bits per byte of the right answer, 16 models of 190M to 1.3B parameters.
    Fitted: Huber loss (1e-3) of logs, L-BFGS from a single start.
    Trap: single tasks are weakly identified: E = 0 for CommonsenseQA, alpha = 0.79 for ARC-Challenge.
    """
    return A / N_nonemb**alpha + B / D**beta + E


@law(
    bhagia2024, predicts="accuracy", over={"bpb": (0.4, 1.6)}, topic="downstream",
    values={
        f"bhagia2024_{task}": values("authors' code on their runs", status="recomputed", a=a, L_0=L_0, k=k, b=b)
        for task, (a, L_0, k, b) in _LADDER_ACCURACY.items()
    },
)  # fmt: skip
def bhagia_loss_to_accuracy(
    bpb, *, a=share("minus the height", lower=-1.0, upper=0.0), L_0=location("bpb"), k=width(start=(0.3, 20)),
    b=share("accuracy at zero loss"),
):  # fmt: skip
    r"""$accuracy = a / (1 + e^{-k (bpb - L_0)}) + b$

    Step 2 of the ladder; accuracy at high loss is a + b.
    Fitted: least squares on smoothed checkpoints and a made-up point at loss 0, accuracy 1.
    Trap: b = 1 holds for most tasks, and nothing keeps a + b at chance or above.
    """
    return a / (1 + np.exp(-k * (bpb - L_0))) + b


@law(chen2024, topic="downstream", aliases=("flp_flops_to_loss",))
def flp_loss(C, *, C_N=scale("C", "alpha"), alpha=exponent(lower=-np.inf, upper=0.0, start=(-1.0, -0.02))):
    r"""$L = (C / C_N)^{\alpha}$

    Stage 1 of FLP: converged models of 43M to 3B.
    Trap: alpha is negative in this writing; there is no constant.
    """
    return (C / C_N) ** alpha


@law(chen2024, predicts="score", topic="downstream", aliases=("flp_loss_to_performance",))
def flp_performance(L, *, w_0=coefficient(), w_1=coefficient()):
    r"""$score = w_0 + w_1 L$

    Stage 2 of FLP, for checkpoints whose score is at least five points above chance.
    Fitted: linear regression.
    Trap: the line leaves 0 to 1, and its slope depends on where "above chance" is drawn.
    """
    return w_0 + w_1 * L


@law(
    chen2024, topic="downstream", status="memory", aliases=("flpm_domain_loss",),
    identified="a_1, a_2, a_3 and C_T**-a_1 C_G**-a_2 C_C**-a_3",
)  # fmt: skip
def flpm_loss(
    C_general, C_code, *, C_T=location("C_general"), C_G=location("C_general"), C_C=location("C_code"),
    a_1=exponent(lower=-np.inf, start=(-0.3, 0.1)), a_2=exponent(lower=-np.inf, start=(-0.3, 0.1)),
    a_3=exponent(lower=-np.inf, start=(-0.3, 0.1)),
):  # fmt: skip
    r"""$L = ((C_{general} + C_{code}) / C_T)^{a_1} (C_{general} / C_G)^{a_2} (C_{code} / C_C)^{a_3}$

    FLP-M: loss on one domain from the compute on two; the form is from memory, Eq. 5 is misprinted in version 1.
    Trap: the three scales are one prefactor.
    Trap: no general data, or no code, gives 0 or infinity.
    """
    return ((C_general + C_code) / C_T) ** a_1 * (C_general / C_G) ** a_2 * (C_code / C_C) ** a_3


@law(ruan2024, predicts="score", topic="downstream", aliases=("ruan_capability_loglinear",))
def ruan_capability(C, *, theta=coefficient("compute efficiency"), nu=coefficient()):
    r"""$score = \theta \log_{10}(C / 10^{21}) + \nu$

    One principal component of benchmark scores; fit by family of models.
    Fitted: least squares per family, after PCA of imputed scores (three components).
    """
    return theta * np.log10(C / 1e21) + nu


@law(
    ruan2024, predicts="accuracy", arrays=("capability",), topic="downstream", aliases=("ruan_downstream_sigmoid",),
)  # fmt: skip
def ruan_downstream(
    capability, *, beta=coefficient(size="capability"), alpha=coefficient(), h=share("floor", upper=0.2)
):
    r"""$accuracy = h + (1 - h) / (1 + e^{-(\sum_i \beta_i S_i + \alpha)}), \quad S = capability$

    Fitted: least squares from one start, the floor between 0 and 0.2.
    Trap: freeze the components' loadings on the models of the fit; with all scores at the floor beta is free.
    """
    return h + (1 - h) / (1 + np.exp(-(sum(b * s for b, s in zip(beta, capability)) + alpha)))


_KAPLAN = {"kaplan2020": values("Kaplan's L(N)", c=8.8e13, alpha=0.076)}
_ANY_N = {"N": (1e5, 1e12)}
_LENGTH = {"length": (1.0, 20.0)}


@law(
    schaeffer2023, values=_KAPLAN, predicts="p_correct", over=_ANY_N, topic="downstream",
)  # fmt: skip
def mirage_per_token(N, *, c=scale("N", "alpha"), alpha=exponent()):
    r"""$p_{correct} = \exp(-(c / N)^{\alpha})$

    What a loss of (c / N)**alpha nats means for one token; the paper writes (N / c) with a negative exponent.
    """
    return np.exp(-((c / N) ** alpha))


@law(
    schaeffer2023, values=_KAPLAN, predicts="accuracy", over=_ANY_N | _LENGTH, topic="downstream",
)  # fmt: skip
def mirage_exact_match(N, length, *, c=scale("N", "alpha"), alpha=exponent()):
    r"""$accuracy = \exp(-length (c / N)^{\alpha})$

    All tokens of the answer right, taken as independent: sharp in N although the loss is smooth.
    Trap: a long answer gives accuracies below 1 / items, which a test shows as 0.
    """
    return np.exp(-length * (c / N) ** alpha)


@law(
    schaeffer2023, values=_KAPLAN, predicts="edit_distance", over=_ANY_N | _LENGTH, topic="downstream",
    aliases=("mirage_token_edit_distance",),
)  # fmt: skip
def mirage_edit_distance(N, length, *, c=scale("N", "alpha"), alpha=exponent()):
    r"""$d = length (1 - \exp(-(c / N)^{\alpha}))$

    Expected token edits d to the right answer: smooth where exact match is sharp.
    """
    return length * (1 - np.exp(-((c / N) ** alpha)))
