"""Mixtures of training data: how the loss depends on the shares of the domains.

A mixture is an array variable with one share per domain, which a law receives with the domains along the first axis.
Most laws here are for the loss on one validation domain: one fit per domain, then a weighted sum. Shares sum to 1,
so that a constant added to every domain's coefficient cannot be told from a change of the intercept.
"""

from __future__ import annotations

import numpy as np

from lawful.law import Paper, amplitude, coefficient, exponent, law, offset, values

ye2024 = Paper(
    "ye2024",
    "Jiasheng Ye, Peiju Liu, Tianxiang Sun, Jun Zhan, Yunhua Zhou, Xipeng Qiu",
    "Data Mixing Laws: Optimizing Data Mixtures by Predicting Language Modeling Performance",
    2024,
    arxiv="2403.16952",
    venue="ICLR 2025",
)
liu2024regmix = Paper(
    "liu2024regmix",
    "Qian Liu, Xiaosen Zheng, Niklas Muennighoff, Guangtao Zeng, Longxu Dou, Tianyu Pang, Jing Jiang, Min Lin",
    "RegMix: Data Mixture as Regression for Language Model Pre-training",
    2024,
    arxiv="2407.01492",
    venue="ICLR 2025",
)
kang2024 = Paper(
    "kang2024",
    "Feiyang Kang, Yifan Sun, Bingbing Wen, Si Chen, Dawn Song, Rafid Mahmood, Ruoxi Jia",
    "AutoScale: Automatic Prediction of Compute-optimal Data Composition for Training LLMs",
    2024,
    arxiv="2407.20177",
    venue="COLM 2025",
)
que2024 = Paper(
    "que2024",
    "Haoran Que, Jiaheng Liu, Ge Zhang, Chenchen Zhang, Xingwei Qu, Yinghao Ma, Feiyu Duan, Zhiqi Bai, Jiakai Wang, "
    "Yuanxing Zhang, Xu Tan, Jie Fu, Wenbo Su, Jiamang Wang, Lin Qu, Bo Zheng",
    "D-CPT Law: Domain-specific Continual Pre-Training Scaling Law for Large Language Models",
    2024,
    arxiv="2406.01375",
    venue="NeurIPS 2024",
)
gu2024 = Paper(
    "gu2024",
    "Jiawei Gu, others",
    "CMR Scaling Law: Predicting Critical Mixture Ratios for Continual Pre-training of Language Models",
    2024,
    arxiv="2407.17467",
    venue="EMNLP 2024",
)
shukor2025 = Paper(
    "shukor2025",
    "Mustafa Shukor, others",
    "Scaling Laws for Optimal Data Mixtures",
    2025,
    arxiv="2507.09404",
    venue="NeurIPS 2025",
)
ge2024 = Paper("ge2024", "Ce Ge, others", "BiMix: Bivariate Data Mixing Law", 2024, arxiv="2405.14908")
hashimoto2021 = Paper(
    "hashimoto2021",
    "Tatsunori Hashimoto",
    "Model Performance Scaling with Multiple Data Sources",
    2021,
    venue="ICML 2021, PMLR 139:4107-4116",
)

_NOTEBOOK = "official notebook, 70M parameters, 30k steps, order academic, prose, dialogue, symbolic, internet"
_REFIT = "released two-domain runs, 70M parameters, 30k steps; the mixture is the share of this domain alone"


def _dot(coefficients, shares):
    return sum(t * r for t, r in zip(coefficients, shares, strict=True))


@law(ye2024, topic="data mixture and quality", status="official repository",
    aliases=("ye_data_mixing_exponential", "ye"), over={"mixture": (0, 1)}, arrays=("mixture",),
    identified="c and k * exp(t_j): with shares that sum to 1 a constant added to every t_j is a factor of k",
    values={
        "ye2024_academic": values(
            _NOTEBOOK, c=2.6511672, k=0.1177608, t=(-10.0864, 2.714, 2.7106, 2.6083, 1.5866)
        ),
        "ye2024_internet": values(
            _NOTEBOOK, c=3.4563047, k=0.1421319, t=(1.1897, 0.8697, -0.5184, 1.7122, -3.087)
        ),
        "ye2024_github": values(_REFIT, status="recomputed", c=1.110283, k=0.505185, t=(-1.645415,)),
        "ye2024_pilecc": values(_REFIT, status="recomputed", c=3.418221, k=0.532949, t=(-2.510987,)),
    },
)  # fmt: skip
def ye_mixing(mixture, *, c=offset(), k=amplitude(), t=coefficient("negative: the domain helps", size="mixture")):
    r"""$L = c + k \exp(t \cdot r)$
    Loss on one validation domain after training on the shares r; convex in r, so the best mixture is easy to find.
    With one replayed domain the old loss L0 is kept from its share ln((L0 - c)/k)/t on.
    Fitted: Huber loss (delta 0.02 or 0.05), L-BFGS over a grid of starts, one fit per validation domain.
    Trap: fix one t or k. Two domains may be given as the share of the first alone; then t is determined.
    Trap: c and k hardly part over a narrow range of shares; outside the mixtures tried the law is a guess.
    """
    return c + k * np.exp(_dot(t, mixture))


@law(liu2024regmix, topic="data mixture and quality", status="official repository",
    aliases=("liu_regmix_linear", "regmix"), over={"mixture": (0, 1)}, arrays=("mixture",),
    values={
        "liu2024regmix_pilecc": values(
            "512 released runs of 1M parameters, loss on Pile-CC, least squares, R2 0.77; order arxiv, freelaw, "
            "nih_exporter, pubmed_central, wikipedia_en, dm_mathematics, github, philpapers, stackexchange, "
            "enron_emails, gutenberg_pg_19, pile_cc, ubuntu_irc, europarl, hackernews, pubmed_abstracts, "
            "uspto_backgrounds",
            status="recomputed",
            w=(6.134996, 5.893067, 4.612153, 6.026381, 5.329378, 6.012621, 6.233799, 4.413044, 5.884124, 2.220195,
               5.52043, 4.814509, 5.16715, 5.550745, 4.609011, 5.850805, 5.917469),
        )
    },
)  # fmt: skip
def regmix_linear(mixture, *, w=coefficient("loss of the domain alone", size="mixture")):
    r"""$L = w \cdot r$
    The linear regression of RegMix: small proxies rank mixtures; `lawful.mixtures.regmix` is the whole procedure.
    Fitted: least squares on 512 proxies of 1M parameters and 1B tokens; the paper prefers boosted trees.
    Trap: its best mixture is always a single domain: use it to rank. No intercept: shares already sum to 1.
    """
    return _dot(w, mixture)


@law(kang2024, predicts="D_i", topic="data mixture and quality", status="official repository",
    aliases=("kang_autoscale_composition", "autoscale"),
    over={"D_scale1": (1e6, 1e11), "D_scale2": (1e6, 1e11), "scale_step": (-1, 4)})  # fmt: skip
def autoscale_composition(D_scale1, D_scale2, scale_step):
    r"""$n^{(2+j)} = n^{(2)} (n^{(2)}/n^{(1)})^{j}$
    Best tokens of a domain j steps beyond the second of two scales where they are known; no parameters.
    Trap: the budget is what comes out, not what goes in: solve for j to meet one.
    Trap: a domain at its lower bound at both scales is extrapolated from the bound, not from data.
    """
    return D_scale2 * (D_scale2 / D_scale1) ** scale_step


@law(kang2024, predicts="y", topic="data mixture and quality", status="official repository",
    aliases=("kang_ddo_domain_power", "ddo"), over={"x": (0.2, 3)},
    values={
        "kang2024_commoncrawl": values(
            "official notebook, Common Crawl, GPT-2 Large, 1.2B tokens",
            a=2.6658731959247985, b=1.2492023890295736, c=0.8026540600177617,
        )
    },
)  # fmt: skip
def autoscale_domain(x, *, a=amplitude(meaning="data that other domains stand for", start=(0.05, 10)), b=exponent(),
                     c=coefficient(start=(0, 1))):  # fmt: skip
    r"""$y = (x + a)^{-b} + c$
    Validation perplexity relative to the base run, as one domain's data change to x times their amount.
    Fitted: three points for three parameters; then domains are given data until their marginal gains are equal.
    Trap: no degree of freedom is left. The code cuts a domain to 1/5, the paper speaks of 1/3.
    """
    return (x + a) ** -b + c


@law(que2024, topic="data mixture and quality", status="secondary source", aliases=("que_dcpt", "d_cpt"),
    over={"N": (5e8, 4e9), "D_cpt": (1e8, 2.6e10), "share": (0.05, 1)})  # fmt: skip
def dcpt(
    N, D_cpt, share, *, E=offset(), A=amplitude("N", "alpha"), alpha=exponent(), B=amplitude("D_cpt", "beta"),
    eta=exponent(), beta=exponent(), C=amplitude(), eps=amplitude(meaning="keeps r = 0 finite", start=(0.001, 0.5)),
    gamma=exponent(),
):  # fmt: skip
    r"""$L = E + A N^{-\alpha} + B r^{\eta} D^{-\beta} + C (r + \varepsilon)^{-\gamma}$
    Continued pre-training on D tokens; the share r of them is of the corpus whose loss is predicted.
    Trap: eps and C part only with small r; eta and gamma only with several D. No coefficients were found published.
    Trap: it need not fall with r: check that B eta r**(eta - 1) D**-beta < C gamma (r + eps)**-(gamma + 1).
    """
    return E + A / N**alpha + B * share**eta / D_cpt**beta + C / (share + eps) ** gamma


_CMR = {
    "460m": (0.22524761, 0.26944345, -0.48139982),
    "940m": (0.7520627, 0.13720245, -1.06581937),
    "1.6b": (-2.36384831, -0.15125569, 1.59223649),
    "3.1b": (-2.5368197, -0.42071423, 0.84375368),
}


@law(gu2024, values={f"gu2024_{size}": values("Table 5", a=a, s=s, b=b) for size, (a, s, b) in _CMR.items()},
    predicts="share", topic="data mixture and quality", status="secondary source",
    aliases=("gu_cmr_critical_mixture",), over={"D_cpt": (2e9, 4e10)})  # fmt: skip
def cmr(D_cpt, *, a=coefficient(), s=coefficient(start=(-1, 1)), b=coefficient()):
    r"""$R = a T^{s} + b, T = D / (2 \cdot 10^8)$
    Largest share of domain data that leaves the general loss acceptable after D tokens of continued pre-training.
    Trap: the paper's T counts steps of 0.2B tokens; T = 100 is 20B.
    Trap: a and s change sign between sizes: one decade of T does not determine three parameters, and the two smaller
    sets pass R = 1 near T = 1100 and 1600.
    """
    return a * (D_cpt / 2e8) ** s + b


@law(shukor2025, topic="data mixture and quality", status="memory", aliases=("shukor_mixture_additive",),
    over={"N": (1e8, 1e10), "D": (1e9, 1e12), "mixture": (0.02, 1)}, arrays=("mixture",))  # fmt: skip
def shukor_mixture(
    N, D, mixture, *, E=offset(), C=amplitude(size="mixture"), g=exponent(size="mixture"),
    A=amplitude("N", "alpha"), alpha=exponent(), B=amplitude("D", "beta"), beta=exponent(),
):  # fmt: skip
    r"""$L = E + 1/(C \cdot h^{g}) + A N^{-\alpha} + B D^{-\beta}$
    Loss on a target domain at shares h; the best h does not depend on scale (a joint version lets A and B depend on h).
    Trap: the mixture's term is from memory; no coefficients were found. E and that term part only if h varies widely.
    """
    worth = sum(c * h**p for c, h, p in zip(C, mixture, g, strict=True))
    return E + 1 / worth + A / N**alpha + B / D**beta


@law(ge2024, topic="data mixture and quality", status="memory", aliases=("ge_bimix",),
    over={"share": (0.05, 1), "step": (1e3, 1e5)}, identified="A B, A C, alpha and beta: fix A = 1")  # fmt: skip
def bimix(
    share, step, *, A=amplitude("share", "alpha"), alpha=exponent(), B=amplitude("step", "beta"), beta=exponent(),
    C=offset(),
):  # fmt: skip
    r"""$L_i = A r_i^{-\alpha} (B s^{-\beta} + C)$
    Loss on domain i by its own share and the step s alone; with one alpha for all domains the best shares are
    proportional to (alpha A_i (B_i s**-beta_i + C_i))**(1/(1 + alpha)).
    Trap: A is redundant with B and C. The form is from memory.
    """
    return A / share**alpha * (B / step**beta + C)


@law(hashimoto2021, topic="data mixture and quality", status="doubtful", aliases=("hashimoto_multi_source_rational",),
    over={"examples": (1e2, 1e6), "mixture": (0.02, 1)}, arrays=("mixture",),
    identified="the pair lam_1, lam_2 in either order")  # fmt: skip
def hashimoto_sources(
    examples, mixture, *, alpha=exponent(), lam_1=amplitude(size="mixture"), lam_2=amplitude(size="mixture"),
    eps=offset(),
):  # fmt: skip
    r"""$L = \varepsilon + n^{-\alpha} (1/(\lambda_1 \cdot q) + 1/(\lambda_2 \cdot q))$
    n examples from sources in the shares q: what one more source is worth. The paper's sum may have more terms.
    Fitted: Adam on residuals of logs.
    Trap: that the law is a rational function of q is confirmed by the abstract; this sum is from memory.
    Trap: the terms may change places.
    """
    return (1 / _dot(lam_1, mixture) + 1 / _dot(lam_2, mixture)) * examples**-alpha + eps
