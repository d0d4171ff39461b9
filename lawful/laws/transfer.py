"""Transfer: what pre-training on one distribution is worth on another.

Hernandez counts it in data (the tokens that one would have needed without pre-training), the vision papers in error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lawful.law import Paper, amplitude, exponent, law, offset, share, values

hernandez2021 = Paper(
    "hernandez2021", "Danny Hernandez, Jared Kaplan, Tom Henighan, Sam McCandlish", "Scaling Laws for Transfer", 2021,
    "2102.01293",
)  # fmt: skip
abnar2021 = Paper(
    "abnar2021", "Samira Abnar, Mostafa Dehghani, Behnam Neyshabur, Hanie Sedghi",
    "Exploring the Limits of Large Scale Pre-training", 2021, "2110.02095",
)  # fmt: skip
mikami2021 = Paper(
    "mikami2021",
    "Hiroaki Mikami, Kenji Fukumizu, Shogo Murai, Shuji Suzuki, Yuta Kikuchi, Taiji Suzuki, Shin-ichi Maeda, "
    "Kohei Hayashi",
    "A Scaling Law for Synthetic-to-Real Transfer: How Much Is Your Pre-training Effective?",
    2021,
    "2108.11018",
)


@law(
    hernandez2021,
    values={
        "hernandez2021_text": values("Table 1: text to Python", k=1.9e4, alpha=0.18, beta=0.38),
        "hernandez2021_text_code": values("Table 1: half text, half code to Python", k=2.1e5, alpha=0.096, beta=0.38),
    },
    predicts="D_T", topic="transfer", over={"D_chars": (3e5, 1e8), "N_nonemb": (1e5, 1e9)},
    aliases=("hernandez_transfer",),
)  # fmt: skip
def hernandez(
    D_chars, N_nonemb, *, k=amplitude(("D_chars", "N_nonemb"), ("-alpha", "-beta")),
    alpha=exponent("proximity of the two distributions", upper=1.0), beta=exponent(),
):  # fmt: skip
    r"""$D_T = k D_F^{\alpha} N^{\beta}$

    Characters, not tokens: D_T is the further fine-tuning text that pre-training is worth, on top of D_F.
    Fitted: logits of D_T/(D_F + D_T) at each D_F, then k, alpha and beta to those fits (appendix C).
    Trap: for little fine-tuning data only, D_F up to a tenth of D_F + D_T; a small pre-trained model with much data
    can end up worse than from scratch (D_T < 0), which the law cannot say.
    Trap: the closer the distributions, the smaller alpha.
    """
    return k * D_chars**alpha * N_nonemb**beta


def finetuned_loss(D_chars: Any, N_nonemb: Any, v: Mapping[str, float]) -> Any:
    r"""Loss after fine-tuning, by Kaplan's law at D_T characters: $[(N_c/N)^{\alpha_N/\alpha_D} + D_c/D_T]^{\alpha_D}$.

    D_chars characters of fine-tuning, N_nonemb parameters, v values of `hernandez`; eq. 6.1 of the paper, with
    Kaplan's N_c = 6.4e13, D_c = 1.8e13, alpha_N = 0.076, alpha_D = 0.103. For D_T much above D_F.
    """
    D_T = hernandez(D_chars, N_nonemb, **v)
    return ((6.4e13 / N_nonemb) ** (0.076 / 0.103) + 1.8e13 / D_T) ** 0.103


@law(
    abnar2021, predicts="error", topic="transfer", over={"e_US": (0.05, 0.95)}, aliases=("abnar_us_ds",),
)  # fmt: skip
def abnar(
    e_US, *, k=amplitude("e_US", "-alpha"), alpha=exponent(),
    e_IR=share("downstream error that no upstream progress removes"),
):  # fmt: skip
    r"""$e_{DS} = k e_{US}^{\alpha} + e_{IR}$

    Downstream error by upstream error, both 1 - accuracy. No values are known to us.
    Fitted: on the lower convex hull of many models' points, few-shot linear classifiers.
    Trap: fitted to all points instead of the hull, it underrates what transfer can reach.
    Trap: k, alpha and e_IR need upstream errors over a wide range.
    """
    return k * e_US**alpha + e_IR


_MIKAMI = "cg-transfer repository, results/plot_figures.ipynb, refitted with D fixed at 0.48: ResNet-50, "


@law(
    mikami2021,
    values={
        "mikami2021_objdet_imagenet": values(
            _MIKAMI + "object detection to ImageNet", D=0.48, alpha=0.47984278, C=0.81236699, status="recomputed"
        ),
        "mikami2021_mulclass_imagenet": values(
            _MIKAMI + "multi-label classification to ImageNet", D=0.48, alpha=0.22716129, C=0.79991604,
            status="recomputed",
        ),
        "mikami2021_semseg_coco": values(
            _MIKAMI + "segmentation to COCO", D=0.48, alpha=0.51674034, C=0.95244341, status="recomputed"
        ),
    },
    predicts="error", topic="transfer", over={"examples": (2e3, 1.28e6)}, aliases=("mikami_syn2real",),
)  # fmt: skip
def mikami(
    examples, *, D=amplitude("examples", "alpha"), alpha=exponent("rate of pre-training"), C=share("transfer gap"),
):  # fmt: skip
    r"""$e = D n^{-\alpha} + C$

    Error after fine-tuning (1 - score) by n synthetic images of pre-training; the fine-tuning set is fixed.
    Fitted: R's nls (port) with D = 0.48 fixed, alpha in [0.1, 1.5].
    Trap: seven sizes do not determine D, alpha and C together; with D free alpha runs to its bounds.
    """
    return D * examples**-alpha + C


@law(mikami2021, predicts="error", topic="transfer", status="memory",
     over={"examples": (2e3, 1.28e6), "D_f": (1e3, 1e6)})  # fmt: skip
def mikami_full(
    examples, D_f, *, delta=amplitude("D_f", "beta"), gamma=offset("transfer gap in units of delta s^-beta"),
    alpha=exponent("rate of pre-training"), beta=exponent("rate of fine-tuning"),
):  # fmt: skip
    r"""$e = \delta (\gamma + n^{-\alpha}) s^{-\beta}$

    n images of pre-training, s of fine-tuning; at fixed s this is `mikami` with C = delta gamma s^-beta.
    Trap: delta and gamma part only where n varies at fixed s.
    """
    return delta * (gamma + examples**-alpha) * D_f**-beta
