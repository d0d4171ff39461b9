"""Sparse models: mixtures of experts, where a token meets few of the parameters, and weights that are zero.

Each law extends loss in size and data by what makes the model sparse: the number of experts, their granularity,
the share of experts that rest, the share of weights removed. They differ in which parameters they count, so every
law names its own count: active (`N_act`), non-embedding (`N_nonemb`), non-zero (`N_nonzero`) or all (`N`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lawful.law import Paper, amplitude, coefficient, exponent, law, location, offset, scale, values

clark2022 = Paper(
    "clark2022",
    "Aidan Clark, Diego de las Casas, Aurelia Guy, Arthur Mensch, Michela Paganini, Jordan Hoffmann, Bogdan Damoc, "
    "Blake Hechtman, Trevor Cai, Sebastian Borgeaud, George van den Driessche, Eliza Rutherford, Tom Hennigan, "
    "Matthew Johnson, Katie Millican, Albin Cassirer, Chris Jones, Elena Buchatskaya, David Budden, Laurent Sifre, "
    "Simon Osindero, Oriol Vinyals, Jack Rae, Erich Elsen, Koray Kavukcuoglu, Karen Simonyan",
    "Unified Scaling Laws for Routed Language Models",
    2022,
    arxiv="2202.01169",
    venue="ICML 2022",
)
frantar2023 = Paper(
    "frantar2023",
    "Elias Frantar, Carlos Riquelme, Neil Houlsby, Dan Alistarh, Utku Evci",
    "Scaling Laws for Sparsely-Connected Foundation Models",
    2023,
    arxiv="2309.08520",
    venue="ICLR 2024",
)
krajewski2024 = Paper(
    "krajewski2024",
    "Jakub Krajewski, Jan Ludziejewski, Kamil Adamczewski, Maciej Pióro, Michał Krutul, Szymon Antoniak, "
    "Kamil Ciebiera, Krystian Król, Tomasz Odrzygóźdź, Piotr Sankowski, Marek Cygan, Sebastian Jaszczur",
    "Scaling Laws for Fine-Grained Mixture of Experts",
    2024,
    arxiv="2402.07871",
    venue="ICML 2024",
)
yun2024 = Paper(
    "yun2024",
    "Longfei Yun, Yonghao Zhuang, Yao Fu, Eric P. Xing, Hao Zhang",
    "Toward Inference-optimal Mixture-of-Expert Large Language Models",
    2024,
    arxiv="2404.02852",
)
ludziejewski2025 = Paper(
    "ludziejewski2025",
    "Jan Ludziejewski, Maciej Pióro, Jakub Krajewski, others",
    "Joint MoE Scaling Laws: Mixture of Experts Can Be Memory Efficient",
    2025,
    arxiv="2502.05172",
    venue="ICML 2025",
)
zhao2025 = Paper(
    "zhao2025",
    "Guoliang Zhao, others",
    "Towards a Comprehensive Scaling Law of Mixture-of-Experts",
    2025,
    arxiv="2509.23678",
)
abnar2025 = Paper(
    "abnar2025",
    "Samira Abnar, Harshay Shah, Dan Busbridge, Alaaeldin Ali, Josh Susskind, Vimal Thilak",
    "Parameters vs FLOPs: Scaling Laws for Optimal Sparsity for Mixture-of-Experts Language Models",
    2025,
    arxiv="2501.12370",
    venue="ICML 2025",
)

_ROUTERS = {  # a, b, c, d, E_start, E_max of Table 3; the refits are of the 58 and 56 released runs
    "clark2022_sbase": ("Table 3, S-BASE", "published", (-0.082, -0.108, 0.009, 1.104, 1.847, 314.478)),
    "clark2022_rlr": ("Table 3, RL-R", "published", (-0.083, -0.126, 0.012, 1.111, 1.88, 469.982)),
    "clark2022_hash": ("Table 3, HASH", "published", (-0.087, -0.136, 0.012, 1.157, 4.175, 477.741)),
    "clark2022_sbase_refit": (
        "58 released runs, least squares of log10 L, RMS 0.74 %",
        "recomputed",
        (-0.0830253, -0.11804367, 0.00992483, 1.11357999, 2.07456789, 238.67489),
    ),
    "clark2022_hash_refit": (
        "56 released runs, least squares of log10 L, RMS 0.69 %",
        "recomputed",
        (-0.0873567, -0.13836389, 0.01263523, 1.15953068, 4.2687702, 427.322959),
    ),
}


def _router_values(*names: str) -> dict[str, Any]:
    order = ("a", "b", "c", "d", "E_start", "E_max")
    return {
        key: values(source, status=status, **{n: v for n, v in zip(order, numbers) if n in names})
        for key, (source, status, numbers) in _ROUTERS.items()
    }


def _saturated(experts: Any, E_start: Any, E_max: Any) -> Any:
    """E-hat: E_start at one expert, about the number of experts in between, E_max for ever more of them."""
    return 1 / (1 / (experts - 1 + 1 / (1 / E_start - 1 / E_max)) + 1 / E_max)


@law(clark2022, values=_router_values("a", "b", "c", "d", "E_start", "E_max"), topic="MoE and sparsity",
    status="official repository", aliases=("clark_routed_bilinear",),
    over={"N_act": (1.5e7, 1.3e9), "experts": (1, 512)})  # fmt: skip
def clark_routed(
    N_act, experts, *, a=coefficient("slope in size", upper=0, start=(-0.3, -0.01)),
    b=coefficient("slope in experts", upper=0, start=(-0.3, -0.01)),
    c=coefficient("how fast routing loses its worth with size", lower=0, start=(0.001, 0.05)), d=coefficient(),
    E_start=location("experts", "E-hat of a dense model", lower=1, start=(1.1, 8)),
    E_max=location("experts", "limit of E-hat", lower=1, start=(50, 1000)),
):  # fmt: skip
    r"""$\log_{10} L = a \log_{10} N_{act} + b \log_{10} \hat E + c \log_{10} N_{act} \log_{10} \hat E + d,
    1/\hat E = 1/(E - 1 + (1/E_{start} - 1/E_{max})^{-1}) + 1/E_{max}$
    Routed language models after 130B tokens; logs are base 10, and d has its value only there.
    Fitted: least squares of log10 L, L-BFGS-B, best of 500 random starts, one fit per router, dense runs as E = 1.
    Trap: routing stops helping at N = 10**(-b/c), which rounded coefficients miss by a factor of up to 3.
    Trap: there is no D; that routing loses its worth at scale has been traced to this omission.
    Trap: official code holds E_start and E_max as powers of two; others fit natural logs: numbers do not carry over.
    """
    n, e = np.log10(N_act), np.log10(_saturated(experts, E_start, E_max))
    return 10 ** (a * n + b * e + c * n * e + d)


@law(clark2022, values=_router_values("a", "b", "c", "E_start", "E_max"), predicts="N_eff", topic="MoE and sparsity",
    status="official repository", aliases=("clark_effective_parameter_count",),
    over={"N_act": (1.5e7, 1.3e9), "experts": (1, 512)},
    identified="a / c, b / c, E_start, E_max: all three of a, b, c may share a factor")  # fmt: skip
def clark_effective(
    N_act, experts, *, a=coefficient(start=(-0.3, -0.01)), b=coefficient(start=(-0.3, -0.01)),
    c=coefficient(start=(0.001, 0.05)), E_start=location("experts", lower=1, start=(1.1, 8)),
    E_max=location("experts", lower=1, start=(50, 1000)),
):  # fmt: skip
    r"""$\bar N = N_{act}^{\alpha(\hat E)/\alpha(E_{start})} (\hat E/E_{start})^{b/\alpha(E_{start})},
    \alpha(x) = a + c \log_{10} x, 1/\hat E = 1/(E - 1 + (1/E_{start} - 1/E_{max})^{-1}) + 1/E_{max}$
    Size of the dense model with the same loss, by the law clark_routed; derived from it, never fitted by itself.
    Trap: only where a + c log10 E-hat is negative; it diverges near the size where routing stops helping.
    """
    e = _saturated(experts, E_start, E_max)
    dense = a + c * np.log10(E_start)
    return N_act ** ((a + c * np.log10(e)) / dense) * (e / E_start) ** (b / dense)


@law(clark2022, values={"clark2022": values("fit of the dense baseline", N_c=3.568e13, alpha=0.078)},
    topic="MoE and sparsity", status="secondary source", aliases=("clark_dense_power",),
    over={"N": (1.5e7, 1.3e9)})  # fmt: skip
def clark_dense(N, *, N_c=scale("N", "alpha"), alpha=exponent()):
    r"""$L = (N_c/N)^{\alpha}$
    Dense baseline of the routed models, after 130B tokens.
    Fitted: least squares of logs.
    Trap: no irreducible term, so the exponent compares with no law that has one.
    """
    return (N_c / N) ** alpha


def _frantar_sparsity(C: Any, v: Any, N_nonzero: Any) -> Any:
    """Sparse training at the cost of the dense model, so that D = C / (6 N_nonzero) * (1 - S)."""
    data = v["b_D"] * v["a_D"] ** v["b_D"] * (C / (6 * N_nonzero)) ** -v["b_D"]
    kept = (data * N_nonzero ** v["b_N"] / (v["a_S"] * v["b_S"])) ** (1 / (v["b_S"] + v["b_D"]))
    return np.maximum(0.0, 1 - kept)


@law(frantar2023, topic="MoE and sparsity", status="secondary source", aliases=("frantar_sparse_foundation",),
    over={"sparsity": (0, 0.875), "N_nonzero": (1e6, 8.5e7), "D": (1e8, 6.5e10)},
    values={
        "frantar2023_t5": values(
            "coefficient table, T5 on C4",
            a_S=16.8, b_S=0.722, c_S=45.0, b_N=0.245, a_D=6.9e8, b_D=0.203, c=0.651,
        ),
        "frantar2023_vit": values(
            "coefficient table, ViT on JFT-4B; D in images",
            a_S=294.0, b_S=0.821, c_S=468.0, b_N=0.392, a_D=2.37e8, b_D=0.89, c=4.517,
        ),
    },
    optimum={"sparsity": _frantar_sparsity},
)  # fmt: skip
def frantar_sparsity(
    sparsity, N_nonzero, D, *, a_S=amplitude("N_nonzero", "b_N"), b_S=exponent(), c_S=amplitude("N_nonzero", "b_N"),
    b_N=exponent(), a_D=scale("D", "b_D"), b_D=exponent(), c=offset(),
):  # fmt: skip
    r"""$L = (a_S (1 - S)^{b_S} + c_S) N^{-b_N} + (a_D/D)^{b_D} + c$
    N counts the non-zero weights. A sparse model is worth ((a_S + c_S)/(a_S (1 - S)**b_S + c_S))**(1/b_N) times its N.
    Fitted: Huber loss (delta 1e-3), BFGS from random starts.
    Trap: all weights in place of non-zero ones shift everything by (1 - S)**b_S.
    Trap: a_S and c_S part only with sparsities above 0.5; at S = 1 a finite loss is left, an artefact.
    Trap: D counts tokens for T5 and images for ViT; renderings with the data term multiplied are wrong.
    """
    return (a_S * (1 - sparsity) ** b_S + c_S) * (1 / N_nonzero) ** b_N + (a_D / D) ** b_D + c


@law(krajewski2024, topic="MoE and sparsity", status="secondary source", aliases=("krajewski_fine_grained_moe",),
    over={"N_nonemb": (1.3e8, 3.7e9), "D": (1.6e10, 1.3e11), "G": (1, 16)},
    values={
        "krajewski2024": values(
            "Table 1, 64 experts", a=18.1, alpha=0.115, b=30.8, beta=0.147, g=2.1, gamma=0.58, c=0.47
        ),
        "krajewski2024_dense": values(
            "Table 1, dense: no granularity, so g = 0 and gamma is without effect",
            a=16.3, alpha=0.126, b=26.7, beta=0.127, g=0.0, gamma=1.0, c=0.47,
        ),
    },
)  # fmt: skip
def krajewski_moe(
    N_nonemb, D, G, *, a=amplitude("N_nonemb", "alpha"), alpha=exponent(upper=2), b=amplitude("D", "beta"),
    beta=exponent(upper=2), g=amplitude("N_nonemb", "alpha", "what coarse experts lose"),
    gamma=exponent("exponent of granularity"), c=offset(),
):  # fmt: skip
    r"""$L = c + (g/G^{\gamma} + a) N^{-\alpha} + b D^{-\beta}$
    Experts of size d_ff/G, 64 times the dense feed-forward in all; N without embeddings.
    Fitted: Huber loss (delta 0.1) of the loss itself, BFGS with weight decay 5e-4; RMSE 0.015.
    Trap: granularity saturates at a; g and gamma need runs from G = 1 to 16 at least.
    Trap: c is small, hence exponents near 0.12: compare no exponents with papers that found a larger offset.
    """
    return c + (g / G**gamma + a) / N_nonemb**alpha + b / D**beta


@law(yun2024, topic="MoE and sparsity", status="secondary source", aliases=("yun_moe_inference_optimal",),
    over={"N": (1e8, 7.3e8), "D": (2e9, 2e10), "experts": (1, 32)})  # fmt: skip
def yun_moe(
    N, D, experts, *, A=amplitude("N", "alpha"), alpha=exponent(), B=amplitude("experts", "beta"), beta=exponent(),
    C=amplitude("D", "gamma"), gamma=exponent(), F=offset(), d=coefficient("interaction", start=(-0.01, 0.01)),
):  # fmt: skip
    r"""$L = (A N^{-\alpha} + B E^{-\beta} + C D^{-\gamma} + F) \exp(d \ln N \ln E)$
    E experts. The base of the logs in the interaction is assumed natural: the paper's was not seen.
    Trap: no coefficients were found published.
    Trap: with few values of E, F and the interaction hardly part; with E = 1 alone only B + F is determined.
    """
    return (A / N**alpha + B / experts**beta + C / D**gamma + F) * np.exp(d * np.log(N) * np.log(experts))


def _ludziejewski_size(C: Any, v: Any, experts: Any) -> Any:
    e = _saturated(experts, v["E_start"], v["E_max"])
    mu, nu = -(v["alpha"] + v["gamma"] * np.log(e)), -(v["beta"] + v["zeta"] * np.log(e))
    m, n = v["a"] * e ** v["delta"], v["b"] * e ** v["omega"]
    return (mu * m / (nu * n)) ** (1 / (mu + nu)) * (C / 6) ** (nu / (mu + nu))


@law(ludziejewski2025, topic="MoE and sparsity", status="paper text", aliases=("ludziejewski_joint_moe",),
    over={"N_act": (1e8, 5e9), "D": (1e9, 2.5e11), "experts": (1, 32)},
    values={
        "ludziejewski2025": values(
            "Table 3",
            a=35.91, alpha=-0.1889, delta=-0.2285, gamma=0.0098, b=35.98, beta=-0.1775, omega=0.5529, zeta=-0.0259,
            E_start=2.0732, E_max=290.4521, c=1.3637,
        )
    },
    optimum={
        "N_act": _ludziejewski_size,
        "D": lambda C, v, experts: C / 6 / _ludziejewski_size(C, v, experts),
    },
)  # fmt: skip
def ludziejewski_moe(
    N_act, D, experts, *, a=amplitude("N_act", "-alpha"), alpha=exponent(lower=-np.inf, upper=0, start=(-1, -0.03)),
    delta=coefficient(), gamma=coefficient(start=(-0.1, 0.1)), b=amplitude("D", "-beta"),
    beta=exponent(lower=-np.inf, upper=0, start=(-1, -0.03)), omega=coefficient(), zeta=coefficient(start=(-0.1, 0.1)),
    E_start=location("experts", lower=1, start=(1.1, 8)), E_max=location("experts", lower=1, start=(50, 1000)),
    c=offset(),
):  # fmt: skip
    r"""$L = a \hat E^{\delta} N_{act}^{\alpha + \gamma \ln \hat E} + b \hat E^{\omega} D^{\beta + \zeta \ln \hat E}
    + c, 1/\hat E = 1/(E - 1 + (1/E_{start} - 1/E_{max})^{-1}) + 1/E_{max}$
    Active parameters with embedding and unembedding; exponents carry their sign (alpha and beta are negative).
    Fitted: Huber loss (delta 0.01) of log L, L-BFGS over a grid of starts, runs of high loss weighted down, 280 runs.
    Trap: some summaries flip the signs of all exponents.
    Trap: at a fixed number of experts this is Chinchilla's form; begin with those fits.
    """
    e = _saturated(experts, E_start, E_max)
    size = a * e**delta * N_act ** (alpha + gamma * np.log(e))
    return size + b * e**omega * D ** (beta + zeta * np.log(e)) + c


@law(zhao2025, topic="MoE and sparsity", status="secondary source", aliases=("zhao_comprehensive_moe",),
    values={
        "zhao2025": values(
            "joint law, from notes that quote the paper",
            e=0.1577, f=7.2446, m=5.1395, n=-3.2363, k=0.0013, h=0.045, a=38.051, alpha=0.2383, b=27129.05,
            beta=0.4694, c=31.096, eps=1.8182,
        )
    },
    over={"N": (1e9, 7e11), "N_act": (2e8, 4e10), "D": (1e10, 1.5e13), "experts_active": (1, 32),
          "shared_ratio": (0, 1)},
    optimum={
        "experts_active": lambda C, v: np.sqrt(v["f"] / v["e"]),
        "shared_ratio": lambda C, v: -v["n"] / (2 * v["m"]),
    },
)  # fmt: skip
def zhao_moe(
    N, N_act, D, experts_active, shared_ratio, *, e=amplitude(), f=amplitude(), m=coefficient(start=(-10, 10)),
    n=coefficient(start=(-10, 10)), k=amplitude(start=(1e-4, 1)), h=amplitude(start=(1e-3, 1)),
    a=amplitude("N", "alpha"), alpha=exponent(), b=amplitude("D", "beta"), beta=exponent(),
    c=amplitude("N_act", "alpha"), eps=offset(),
):  # fmt: skip
    r"""$L = (e G + f/G + m S^2 + n S)(N^{-\alpha} + k N_{act}^{-\alpha} + h N_{act}/N)
    + a N^{-\alpha} + b D^{-\beta} + c N_{act}^{-\alpha} + \varepsilon$
    G experts serve a token, of which the share S serves every token; the best G and S do not depend on scale.
    Trap: twelve parameters, of which k and h are tiny: weakly determined.
    """
    G, S = experts_active, shared_ratio
    routing = (e * G + f / G + m * S**2 + n * S) * (1 / N**alpha + k / N_act**alpha + h * N_act / N)
    return routing + a / N**alpha + b / D**beta + c / N_act**alpha + eps


@law(abnar2025, topic="MoE and sparsity", status="secondary source", aliases=("abnar_moe_sparsity",),
    over={"N": (1e8, 1e11), "D": (1e9, 1e12), "moe_sparsity": (0, 0.98)},
    values={
        "abnar2025": values(
            "Table 3",
            a=16612.5, alpha=0.5962, b=5455.67, beta=0.3954, c=0.4598, lam=-0.1666, d=17.26, delta=0.1603,
            gamma=0.1595, e=0.94,
        )
    },
)  # fmt: skip
def abnar_moe(
    N, D, moe_sparsity, *, a=amplitude("N", "alpha"), alpha=exponent(), b=amplitude("D", "beta"), beta=exponent(),
    c=amplitude(), lam=exponent(lower=-np.inf), d=amplitude("N", "gamma"), delta=exponent(lower=-np.inf),
    gamma=exponent(), e=offset(),
):  # fmt: skip
    r"""$L = a N^{-\alpha} + b D^{-\beta} + c (1 - S)^{-\lambda} + d (1 - S)^{-\delta} N^{-\gamma} + e$
    N counts all parameters, S is the share of experts that a token does not meet.
    Fitted: Huber loss (delta 1e-3), L-BFGS over a grid; R2 0.99 where fitted, 0.68 on runs held out at S = 0.98.
    Trap: lambda is negative, so S acts by the difference of two weakly determined terms: do not extrapolate in S.
    Trap: c and e part only if S varies.
    """
    active = 1 - moe_sparsity
    return a / N**alpha + b / D**beta + c / active**lam + d / (active**delta * N**gamma) + e
