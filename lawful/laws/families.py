"""Laws of one family of models, or of many at once: refined loss surfaces, skills by family, context, diffusion."""

from __future__ import annotations

import numpy as np

from lawful.law import Paper, amplitude, coefficient, exponent, law, offset, scale, share, values, width
from lawful.laws.architecture import mcleish2025

li2025farseer = Paper(
    "li2025farseer", "Houyi Li, Wenzhen Zheng, Qiufeng Wang, others",
    "Predictable Scale: Part II, Farseer: A Refined Scaling Law in Large Language Models", 2025, "2506.10972",
    "NeurIPS 2025",
)  # fmt: skip
beck2025 = Paper(
    "beck2025", "Maximilian Beck, Kajetan Schweighofer, Sebastian Böck, Sebastian Lehner, Sepp Hochreiter",
    "xLSTM Scaling Laws: Competitive Performance with Linear Time-Complexity", 2025, "2510.02228", "ICLR 2026",
)  # fmt: skip
polo2024 = Paper(
    "polo2024", "Felipe Maia Polo, Seamus Somerstep, Leshem Choshen, Yuekai Sun, Mikhail Yurochkin",
    "Sloth: Scaling Laws for LLM Skills to Predict Multi-Benchmark Performance Across Families", 2024, "2412.06540",
)  # fmt: skip
xiong2023 = Paper(
    "xiong2023", "Wenhan Xiong, others", "Effective Long-Context Scaling of Foundation Models", 2023, "2309.16039",
    "NAACL 2024",
)  # fmt: skip
prabhudesai2025 = Paper(
    "prabhudesai2025", "Mihir Prabhudesai, Mengning Wu, Amir Zadeh, Katerina Fragkiadaki, Deepak Pathak",
    "Diffusion Beats Autoregressive in Data-Constrained Settings", 2025, "2507.15857", "NeurIPS 2025",
)  # fmt: skip


@law(
    li2025farseer,
    {"li2025farseer": values("not checked against the paper", a3=-0.021, gamma=0.169, b3=0.091, a2=88.01, beta=-0.1,
                             b2=-6.287, a1=-0.124, alpha=0.123, b1=0.424, status="memory")},
    predicts="bpc", topic="architecture and family laws", status="secondary source",
    over={"N_nonemb": (2e8, 2.5e10), "D": (2e9, 1e12)}, aliases=("li_farseer",),
)  # fmt: skip
def farseer(
    N_nonemb, D, *, a3=coefficient(start=(-0.1, 0.1)), gamma=exponent(lower=-np.inf, start=(0.05, 0.4)),
    b3=coefficient(), a2=coefficient(start=(-100.0, 100.0)), beta=exponent(lower=-np.inf, start=(-0.3, 0.3)),
    b2=coefficient(start=(-10.0, 10.0)), a1=coefficient(start=(-0.5, 0.5)),
    alpha=exponent(lower=-np.inf, start=(0.05, 0.4)), b1=coefficient(),
):  # fmt: skip
    r"""$L = e^{a_3 N^{\gamma} + b_3} + e^{a_2 N^{\beta} + b_2} D^{-\exp(a_1 N^{\alpha} + b_1)}$

    Bits per character; the exponent of D depends on N, and so do floor and amplitude.
    Fitted: in stages: differences in D at fixed N give that exponent, then each function of N is fitted.
    Trap: nine parameters of stretched exponentials, b_2 and a_2 N^beta nearly cancel: random starts do not find it.
    """
    power = np.exp(a1 * N_nonemb**alpha + b1)
    return np.exp(a3 * N_nonemb**gamma + b3) + np.exp(a2 * N_nonemb**beta + b2) * D**-power


def _logs(source, e, a, alpha, b, beta, **more):
    """The released coefficients are logarithms."""
    return values(source, E=float(np.exp(e)), A=float(np.exp(a)), B=float(np.exp(b)), alpha=alpha, beta=beta, **more)


def _balance(C, v):
    """Parameters at which N**-alpha and D**-beta fall equally fast for C = 6ND."""
    alpha, beta = v["alpha"], v["beta"]
    return (alpha * v["A"] / (beta * v["B"])) ** (1 / (alpha + beta)) * (C / 6) ** (beta / (alpha + beta))


_BEST = {"N": _balance, "D": lambda C, v: C / (6 * _balance(C, v))}


@law(
    mcleish2025,
    {
        "mcleish2025_hot_4": _logs(
            "approach_3_parameters, hot, Huber 1e-4", 0.7663168139, 5.4574988414, 0.2989180518, 14.9719740349,
            0.6928331414,
        ),
        "mcleish2025_512_3": _logs(
            "approach_3_parameters, models of width 512 only, Huber 1e-3: degenerate", 1.1059988569, 89.2055090232,
            4.9774617669, 11.7316596353, 0.5608748148,
        ),
        "mcleish2025_chinchilla_3": _logs(
            "approach_3_parameters, sampled like Chinchilla's runs, Huber 1e-3", 0.7095285231, 4.8385936211,
            0.275106095, 10.0267685734, 0.4580953782,
        ),
    },
    status="official repository", topic="architecture and family laws",
    over={"N": (5e7, 2e9), "D": (2e9, 3.5e11)}, optimum=_BEST,
)  # fmt: skip
def gemstones_parameters(
    N, D, *, E=offset(), A=amplitude("N", "alpha"), alpha=exponent(), B=amplitude("D", "beta"), beta=exponent()
):
    r"""$L = E + A N^{-\alpha} + B D^{-\beta}$

    Chinchilla's form on the Gemstones, where parts of one suite give beta/(alpha + beta) of 0.70, 0.10 and 0.62.
    Fitted: as `gemstones_shape`; the paper writes the logarithms of E, A and B.
    Trap: one width alone leaves the term in N undetermined (alpha = 4.98).
    """
    return E + A * N**-alpha + B * D**-beta


_XLSTM = "lowest objective of the released grid of fits (data_lnd_fits), D/N up to 5000, Huber 1e-3: "


@law(
    beck2025,
    {
        "beck2025_mlstm": _logs(
            _XLSTM + "mLSTM", 0.6251716862090855, 11.991982133947985, 0.6291775630520315, 13.89310417468852,
            0.6371588777981058, gamma=0.49884150185966797,
        ),
        "beck2025_llama": _logs(
            _XLSTM + "Llama", 0.4404798043728936, 12.978850760241691, 0.6408813111000676, 17.062457846057974,
            0.7289355131151419, gamma=0.3433045764291,
        ),
        "beck2025_mlstm_chinchilla": _logs(
            _XLSTM + "mLSTM, gamma fixed at 1", 0.7670916250770181, 8.347175223666715, 0.46305618023875056,
            10.018616355342816, 0.4836848639785807, gamma=1.0,
        ),
        "beck2025_llama_chinchilla": _logs(
            _XLSTM + "Llama, gamma fixed at 1", 0.6463703749930823, 4.391723230061283, 0.2414446839071118,
            9.990696006083427, 0.47642636835538604, gamma=1.0,
        ),
    },
    status="official repository", topic="architecture and family laws",
    over={"N": (8e7, 7e9), "D": (2e9, 2e12)}, optimum=_BEST, aliases=("beck_xlstm_lnd",),
)  # fmt: skip
def xlstm(
    N, D, *, E=offset(), A=amplitude("N", "alpha"), alpha=exponent(), B=amplitude("D", "beta"), beta=exponent(),
    gamma=exponent(),
):  # fmt: skip
    r"""$L = E + (A N^{-\alpha} + B D^{-\beta})^{\gamma}$

    Loss on DCLM at context 8192, xLSTM and Transformers; gamma = 1 is Chinchilla, and moves no optimum.
    Fitted: Huber on log loss (thresholds 1e-5 to 1e4), log-sum-exp, L-BFGS-B from a grid; logs of E, A, B released.
    Trap: runs with D/N below 100 alone give alpha = 0.006 and gamma = 8.9, or E = 0: not determined together there.
    Trap: gamma halves the objective, and moves E from 2.15 to 1.87.
    """
    return E + (A * N**-alpha + B * D**-beta) ** gamma


@law(
    polo2024, predicts="score", status="official repository", topic="architecture and family laws",
    over={"N": (7e7, 7e10), "D": (1.5e11, 1.5e13)},
    identified="Lambda times alpha, B_s, B_t and B_st; Lambda alpha + b of each family", aliases=("polo_sloth",),
)  # fmt: skip
def sloth(
    N, D, *, g=share("chance"), Lambda=coefficient("loading of the benchmark on the skill"),
    alpha=coefficient("skill of the family at 1e9 parameters and 1e12 tokens", by="family"), B_s=coefficient(),
    B_t=coefficient(), B_st=coefficient(), b=coefficient("ease of the benchmark"),
):  # fmt: skip
    r"""$y = g + (1 - g) \sigma(\Lambda \theta + b), \quad \theta = \alpha + B_s s + B_t t + B_{st} s t,
    \quad s = \log_{10}\frac{N}{10^9}, \quad t = \log_{10}\frac{D}{10^{12}}$

    Score of one benchmark; alpha belongs to the family. Many skills load on a single benchmark through their sum
    alone, so for one benchmark this is the law of any number of skills.
    No loadings are published. Fitted: g fixed at chance, smooth L1 (0.01) with Adam, early stopping.
    Trap: Lambda scales alpha and B and b shifts alpha: fix Lambda = 1 and b = 0 for one benchmark. Over several
    benchmarks skills can be rotated into each other.
    """
    from scipy.special import expit

    s, t = np.log10(N / 1e9), np.log10(D / 1e12)
    skill = alpha + B_s * s + B_t * t + B_st * s * t
    return g + (1 - g) * expit(Lambda * skill + b)


@law(
    xiong2023,
    {
        "xiong2023_7b": values("third-party notes: 7B", a=25.4, beta=0.45, g=1.56),
        "xiong2023_70b": values("third-party notes: 70B", a=17.9, beta=0.51, g=1.35),
    },
    topic="architecture and family laws", over={"n_ctx": (128, 32768)}, status="secondary source",
    identified="a**beta", aliases=("xiong_context_length",),
)  # fmt: skip
def xiong_context(n_ctx, *, a=scale("n_ctx", "beta"), beta=exponent(), g=offset()):
    r"""$L = (a/c)^{\beta} + g$

    Loss at context length c, of one model; the paper writes \alpha and \gamma for a and g.
    """
    return (a / n_ctx) ** beta + g


@law(
    prabhudesai2025,
    {
        "prabhudesai2025_diffusion": values("R* of masked diffusion alone", R_star=494.0, status="memory"),
        "muennighoff2023_autoregressive": values(
            "Muennighoff's fit to C4, for comparison", E=1.87, A=521.0, alpha=0.353, B=1488.0, beta=0.353,
            R_star=15.387756,
        ),
    },
    topic="architecture and family laws", status="memory", over={"U": (1e7, 1e11), "R_D": (0, 500),
    "N_eff": (1e7, 1e10)}, aliases=("prabhudesai_diffusion_data_constrained",),
)  # fmt: skip
def prabhudesai_diffusion(
    U, R_D, N_eff, *, E=offset(), A=amplitude("N_eff", "alpha"), alpha=exponent(), B=amplitude("U", "beta"),
    beta=exponent(), R_star=width("repeats at which repeating has paid off by 1 - 1/e", start=(1.0, 1000.0)),
):  # fmt: skip
    r"""$L = E + A N'^{-\alpha} + B D'^{-\beta}, \quad D' = U + U R_\star (1 - e^{-R_D/R_\star})$

    Muennighoff's form for masked diffusion: U unique tokens, R_D repeats; D' never exceeds U (1 + R_star).
    Trap: where no run overfits R_star has no upper bound.
    Trap: a diffusion model's loss bounds the likelihood; beside an autoregressive loss it is not the same quantity.
    """
    D_eff = U + U * R_star * (1 - np.exp(-R_D / R_star))
    return E + A * N_eff**-alpha + B * D_eff**-beta
