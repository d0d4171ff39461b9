"""Hyper-parameters by scale: learning rate, batch size, weight decay, and DeepSeek's split of compute.

All are single powers; they differ in what is held fixed, and so even in the sign of an exponent. Step Law lets the
batch grow with the data, and its learning rate rises with them too; Bjorck keeps the batch, and it falls.
"""

from __future__ import annotations

import numpy as np

from lawful.law import Paper, amplitude, coefficient, exponent, law, values

li2025step = Paper(
    "li2025step", "Houyi Li, Wenzhen Zheng, Jingcheng Hu, others",
    "Predictable Scale: Part I, Step Law, Optimal Hyperparameter Scaling Law in Large Language Model Pretraining",
    2025, "2503.04715",
)  # fmt: skip
deepseek2024 = Paper(
    "deepseek2024", "DeepSeek-AI", "DeepSeek LLM: Scaling Open-Source Language Models with Longtermism", 2024,
    "2401.02954",
)  # fmt: skip
bjorck2024 = Paper(
    "bjorck2024", "Johan Bjorck, Alon Benhaim, Vishrav Chaudhary, Furu Wei, Xia Song",
    "Scaling Optimal LR Across Token Horizons", 2024, "2409.19913", "ICLR 2025",
)  # fmt: skip
zhang2024batch = Paper(
    "zhang2024batch",
    "Hanlin Zhang, Depen Morwani, Nikhil Vyas, Jingfeng Wu, Difan Zou, Udaya Ghai, Dean Foster, Sham Kakade",
    "How Does Critical Batch Size Scale in Pre-training?", 2024, "2410.21676", "ICLR 2025",
)  # fmt: skip
bergsma2025 = Paper(
    "bergsma2025", "Shane Bergsma, Nolan Dey, Gurpreet Gosal, Gavia Gray, Daria Soboleva, Joel Hestness",
    "Power Lines: Scaling Laws for Weight Decay and Batch Size in LLM Pre-training", 2025, "2505.13738", "NeurIPS 2025",
)  # fmt: skip
mckinzie2024 = Paper(
    "mckinzie2024", "Brandon McKinzie, Zhe Gan, Jean-Philippe Fauconnier, others",
    "MM1: Methods, Analysis & Insights from Multimodal LLM Pre-training", 2024, "2403.09611", "ECCV 2024",
)  # fmt: skip

_BOOTSTRAP = "mean of the 1000 released bootstrap fits (log intercept averaged)"


@law(
    li2025step,
    values={
        "li2025step": values("headline equation", A=1.79, a=-0.713, b=0.307),
        "li2025step_bootstrap": values(_BOOTSTRAP, A=1.7973399939, a=-0.7129222911869904, b=0.30749095041206964),
    },
    predicts="lr", status="official repository", topic="hyper-parameters",
    over={"N_nonemb": (6e7, 1.1e9), "D": (2e9, 1e11)}, aliases=("steplaw_learning_rate",),
)  # fmt: skip
def steplaw_lr(
    N_nonemb, D, *, A=amplitude(("N_nonemb", "D"), ("-a", "-b")), a=exponent(lower=-np.inf), b=exponent(lower=-np.inf),
):  # fmt: skip
    r"""$\eta = A N^{a} D^{b}$

    Best peak learning rate of AdamW when the batch follows `steplaw_batch`; the final rate was 1e-5 throughout.
    Fitted: settings within 0.25 % of the best loss at each N and D, least squares in logs, 1000 bootstraps.
    Trap: A goes with the exponents (sd of log A 0.62): average log A, never A.
    """
    return A * N_nonemb**a * D**b


@law(
    li2025step,
    values={
        "li2025step": values("headline equation", A=0.58, b=0.571),
        "li2025step_bootstrap": values(_BOOTSTRAP, A=0.5806877084495872, b=0.5709443646895045),
    },
    predicts="B", status="official repository", topic="hyper-parameters",
    over={"D": (2e9, 1e11)}, aliases=("steplaw_batch_size",),
)  # fmt: skip
def steplaw_batch(D, *, A=amplitude("D", "-b"), b=exponent(lower=-np.inf)):
    r"""$B = A D^{b}$

    Best batch in tokens, whatever the size of the model.
    Trap: the sweep knows powers of two only. Power Lines finds an exponent of 0.37 to 0.39 for the same quantity.
    """
    return A * D**b


_DEEPSEEK = {"topic": "hyper-parameters", "over": {"C": (1e17, 3e20)}, "status": "secondary source"}


@law(deepseek2024, {"deepseek2024": values("Eq. 1", A=0.3118, p=-0.125)}, predicts="lr",
     aliases=("deepseek_learning_rate",), **_DEEPSEEK)  # fmt: skip
def deepseek_lr(C, *, A=amplitude("C", "-p"), p=exponent(lower=-np.inf)):
    r"""$\eta = A C^{p}$

    C = M D with M as in `deepseek_scale`, not 6ND; another count changes A.
    Fitted: settings within 0.25 % of the lowest loss; power by least squares in logs.
    """
    return A * C**p


@law(deepseek2024, {"deepseek2024": values("Eq. 1", A=0.292, p=0.3271)}, predicts="B",
     aliases=("deepseek_batch_size",), **_DEEPSEEK)  # fmt: skip
def deepseek_batch(C, *, A=amplitude("C", "-p"), p=exponent(lower=-np.inf)):
    r"""$B = A C^{p}$

    Batch in tokens. C and fit as in `deepseek_lr`.
    """
    return A * C**p


@law(deepseek2024, {"deepseek2024": values("Eq. 4", A=0.1715, p=0.5243)}, predicts="C_tok",
     aliases=("deepseek_model_scale",), **_DEEPSEEK)  # fmt: skip
def deepseek_scale(C, *, A=amplitude("C", "-p"), p=exponent(lower=-np.inf)):
    r"""$M = A C^{p}$

    Best size of the model, counted as M = 72 n_layer d^2 + 12 n_layer d n_ctx, its FLOP per token without embeddings.
    Fitted: IsoFLOP profiles at 8 budgets, bits per byte.
    Trap: the exponent moves with the quality of the data: 0.450 early, 0.524 current, 0.578 OpenWebText2.
    """
    return A * C**p


@law(deepseek2024, {"deepseek2024": values("Eq. 4", A=5.8316, p=0.4757)}, predicts="D",
     aliases=("deepseek_data_scale",), **_DEEPSEEK)  # fmt: skip
def deepseek_tokens(C, *, A=amplitude("C", "-p"), p=exponent(lower=-np.inf)):
    r"""$D = A C^{p}$

    Best number of tokens; with `deepseek_scale` M D = C.
    """
    return A * C**p


@law(
    bjorck2024, {"bjorck2024": values("exponents only", alpha=0.23, beta=0.32, status="memory")}, predicts="lr",
    topic="hyper-parameters", over={"N": (5e7, 1e10), "D": (1e10, 1e12)}, status="memory",
    aliases=("bjorck_lr_horizon",),
)  # fmt: skip
def bjorck_lr(N, D, *, C=amplitude(("N", "D"), ("alpha", "beta")), alpha=exponent(), beta=exponent()):
    r"""$\eta = C N^{-\alpha} D^{-\beta}$

    Best learning rate at a fixed batch; from horizon D_1 to D_2 multiply it by (D_2/D_1)^-beta.
    Trap: the exponent of D has the other sign than in `steplaw_lr`, where the batch grows with D. Do not mix them.
    """
    return C * N**-alpha * D**-beta


@law(
    zhang2024batch,
    {"zhang2024batch": values("plots/chinchilla.ipynb, k = 93.196814043949 for N in millions",
                              k=93.196814043949 / 1e6**0.4682782328130422, p=0.4682782328130422)},
    predicts="B_seqs", status="official repository", topic="hyper-parameters",
    over={"N": (8.5e7, 1.2e9)}, aliases=("zhang_critical_batch_model",),
)  # fmt: skip
def zhang_critical_batch(N, *, k=amplitude("N", "-p"), p=exponent(lower=-np.inf)):
    r"""$B^* = k N^{p}$

    Critical batch in sequences of 512 tokens, D growing with N as Chinchilla has it: the batch that needs 20 % more
    than linear scaling from 256 sequences would, B* = b/(5a) + 307.2 from a fit of steps = a + b/B.
    Fitted: log steps on each size, then the power in logs over five sizes.
    Trap: the constant 307.2 makes the exponent: B_crit = b/a of the same data is 146.1 (N/1e6)^0.619.
    Trap: N and D grow together here; the paper's other runs say that D matters.
    """
    return k * N**p


@law(
    zhang2024batch,
    {"zhang2024batch": values("k = 22.91 for D in millions, the unit inferred", k=22.91 / 1e6**0.47, p=0.47,
                              status="memory")},
    predicts="B_seqs", topic="hyper-parameters", over={"D": (1e9, 1e11)}, status="secondary source",
)  # fmt: skip
def zhang_critical_batch_data(D, *, k=amplitude("D", "-p"), p=exponent(lower=-np.inf)):
    r"""$B^* = k D^{p}$

    Critical batch as in `zhang_critical_batch`, by tokens at a fixed size of 302M.
    Trap: k is from memory and the unit of D inferred; the exponent is what two sources agree on.
    """
    return k * D**p


@law(
    bergsma2025, {"bergsma2025": values("third-party notes", c=1.084, m=-0.527)}, predicts="tau",
    topic="hyper-parameters", over={"TPP": (1, 1000)}, status="secondary source",
    aliases=("bergsma_weight_decay_timescale",),
)  # fmt: skip
def power_lines(TPP, *, c=amplitude("TPP", "-m"), m=exponent(lower=-np.inf)):
    r"""$\tau = c (D/N)^{m}$

    Best memory of AdamW as a share of the run, tau = B/(eta lambda D); so the weight decay is
    lambda = B/(eta D tau), the one that multiplies eta as in PyTorch, with B and D in the same unit.
    """
    return c * TPP**m


@law(
    mckinzie2024, {"mckinzie2024": values("third-party notes", a=-0.4214, b=-0.5535)}, predicts="lr",
    topic="hyper-parameters", over={"N_nonemb": (9e6, 3e10)}, status="secondary source", aliases=("mckinzie_mm1_lr",),
)  # fmt: skip
def mm1_lr(N_nonemb, *, a=exponent(lower=-np.inf), b=coefficient()):
    r"""$\eta = \exp(a \ln N + b)$

    Best peak learning rate of a multimodal model.
    Trap: at one number of steps for all sizes, so its exponent is not that of `steplaw_lr` (-0.713).
    """
    return np.exp(a * np.log(N_nonemb) + b)
