"""Fine-tuning: loss by the size of the fine-tuning set, and by what the base model brings to it.

Zhang multiplies the powers of both; Lin lets a pre-trained model start as if it had seen D_l already, which bends the
line in log-log axes; for choosing among models by small subsets Lin fits the straight part alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lawful.law import Paper, amplitude, exponent, law, offset, values

zhang2024 = Paper(
    "zhang2024", "Biao Zhang, Zhongtao Liu, Colin Cherry, Orhan Firat",
    "When Scaling Meets LLM Finetuning: The Effect of Data, Model and Finetuning Method", 2024, "2402.17193",
)  # fmt: skip
lin2024a = Paper(
    "lin2024a",
    "Haowei Lin, Baizhou Huang, Haotian Ye, Qinyu Chen, Zihao Wang, Sujian Li, Jianzhu Ma, Xiaojun Wan, James Zou, "
    "Yitao Liang",
    "Selecting Large Language Model to Fine-tune via Rectified Scaling Law",
    2024,
    "2402.02314",
)

# Table 4: task and method; beta and E shared by its factors; A and alpha of model size, pre-training tokens and
# tuned parameters (the last only where fewer than all are tuned).
_TABLE4 = """
wmt14_ende_fmt    0.15  0.75    1.2e5 0.52  6.3e2 0.21
wmt14_ende_prompt 0.051 0.62    3.9e3 0.40  2.7e2 0.21   1.0 0.0027
wmt14_ende_lora   0.081 0.62    2.1e3 0.36  1.4e2 0.18   1.4 -0.0017
wmt19_enzh_fmt    0.14  1.0     3.3e3 0.34  2.4e2 0.17
wmt19_enzh_prompt 0.015 0.77    8.5e2 0.33  2.0e2 0.20   1.0 0.0019
wmt19_enzh_lora   0.025 0.73    6.6e2 0.31  1.3e2 0.18   1.2 0.0044
mlsum_fmt         0.087 0.98    3.3e2 0.24  4.2e1 0.11
mlsum_prompt      0.025 0.00051 2.3e1 0.10  1.6e1 0.069  2.6 0.0026
mlsum_lora        0.03  0.2     2.6e1 0.11  1.7e1 0.073  2.4 0.00022
"""


def _table4() -> dict:
    sets = {}
    for name, *cells in (line.split() for line in _TABLE4.strip().splitlines()):
        beta, E, *pairs = map(float, cells)
        for factor, A, alpha in zip(("model_size", "pretrain_tokens", "pet_params"), pairs[::2], pairs[1::2]):
            sets[f"zhang2024_{name}_{factor}"] = values("Table 4", A=A, alpha=alpha, beta=beta, E=E)
    return sets


@law(
    zhang2024, values=_table4(), topic="fine-tuning", over={"x": (1e9, 1.6e10), "D_f": (1e3, 1e7)},
    aliases=("zhang_multiplicative",),
)  # fmt: skip
def zhang_finetuning(
    x, D_f, *, A=amplitude(("x", "D_f"), ("alpha", "beta")), alpha=exponent(lower=-np.inf), beta=exponent(),
    E=offset(),
):  # fmt: skip
    r"""$L = A X^{-\alpha} D_f^{-\beta} + E$

    X is one of parameters, pre-training tokens or tuned parameters; D_f counts examples.
    The paper says perplexity; E below 1 shows that the logarithm is meant.
    Fitted: Huber (1e-3), L-BFGS from a grid; beta and E for all X of a task together, then A and alpha of each.
    Trap: fitted per X, beta and E overfit. |alpha| below 0.01 (tuned parameters) is no effect; below 0 more is worse.
    Trap: with X fixed and beta near 0, A and E are one number.
    """
    return A * x**-alpha * D_f**-beta + E


def critical_examples(x: float, first: Mapping[str, float], second: Mapping[str, float]) -> float:
    r"""Fine-tuning examples at which two methods lower the loss equally: $D_f^c = H X^{\gamma}$ (eq. 3 of Zhang).

    first, second: values of `zhang_finetuning` for the same x. Irreducible losses are left out, as in the paper.
    Its printed H come from unrounded values and differ from those of its Table 4 by up to a factor of 3.
    Raises ValueError where both have the same beta.
    """
    slope = first["beta"] - second["beta"]
    if slope == 0:
        raise ValueError(f"critical_examples: both methods have beta = {first['beta']}; their losses never cross")
    return (first["A"] / second["A"]) ** (1 / slope) * x ** ((second["alpha"] - first["alpha"]) / slope)


@law(zhang2024, topic="fine-tuning", over={"x": (1e9, 1.6e10), "D_f": (1e3, 1e7)})
def zhang_additive(
    x, D_f, *, A=amplitude("x", "alpha"), alpha=exponent(), B=amplitude("D_f", "beta"), beta=exponent(), E=offset()
):
    r"""$L = A X^{-\alpha} + B D_f^{-\beta} + E$

    The alternative that the paper rejects: held-out deviation 0.0079 against 0.0048 of `zhang_finetuning` by model
    size, 0.0069 against 0.0068 by pre-training tokens, 0.005 against 0.004 by tuned parameters (WMT14).
    """
    return A * x**-alpha + B * D_f**-beta + E


@law(zhang2024, topic="fine-tuning", over={"D_f": (1e3, 1e7)}, aliases=("zhang_single_data",))
def zhang_data(D_f, *, A=amplitude("D_f", "beta"), beta=exponent(), E=offset()):
    r"""$L = A D_f^{-\beta} + E$

    Fine-tuning examples alone, for one base model and one method.
    """
    return A * D_f**-beta + E


@law(
    lin2024a,
    values={
        "lin2024_gpt124m_flan": values(
            "repository's fit_our_law on its README data (LaMini-GPT-124M, FLAN, 14 sizes)", B=562.2727395059109,
            D_l=165.5193403939876, beta=0.45496755231822544, E=1.0681960686190537, status="recomputed",
        ),
        "lin2024_gpt124m_flan_ls": values(
            "least squares in log loss on the same data", B=563.8231203069188, D_l=166.0563472532728,
            beta=0.4552798445304229, E=1.069236496072067, status="recomputed",
        ),
    },
    topic="fine-tuning", over={"D_f": (200, 1.6e6)}, aliases=("rectified_scaling_law",),
)  # fmt: skip
def rectified(D_f, *, B=amplitude("D_f", "beta"), D_l=offset("what pre-training taught, as D^beta"), beta=exponent(),
              E=offset()):  # fmt: skip
    r"""$L = B / (D_l + D^{\beta}) + E$

    D counts examples; D = 0 is the model before fine-tuning, E + B/D_l.
    Fitted: squared error in log loss, BFGS with an auxiliary variable.
    Trap: D_l = 0 is a plain power law; only sizes small enough to show the flat part determine D_l.
    Trap: B, D_l and beta are strongly correlated.
    """
    return B / (D_l + D_f**beta) + E


@law(lin2024a, topic="fine-tuning", over={"D_f": (200, 1.6e6)}, aliases=("vanilla_finetune_law",))
def vanilla_finetuning(D_f, *, B=amplitude(), beta=exponent(), E=offset(), alpha=exponent()):
    r"""$L = (B D^{-\beta} + E)^{\alpha}$

    The baseline that `rectified` is compared with.
    Fitted: Huber (1e-3) on log loss, ten random starts in [0, 1]^4.
    Trap: the repository writes 1/(B D^beta): its B is the inverse of this one.
    """
    return (B * D_f**-beta + E) ** alpha


def accept_then_stop(
    examples: Sequence[float], losses: Sequence[float], target: float, k: int = 3, delta: float = 5.0
) -> float:
    """The loss after fine-tuning on ``target`` examples, from losses on smaller subsets (Lin, Algorithm 1).

    A line in log-log axes through the k largest subsets takes in one smaller subset after another, and stops at the
    first that lies more than delta residual standard deviations off: there the flat part of `rectified` begins.
    examples and losses in any order; k + 1 subsets or more, otherwise all are fitted. No interval: the rule
    ranks models, and its line lies above the curve that flattens towards E.

    Raises ValueError for fewer than two subsets, or sizes or losses that are not positive.

    >>> round(accept_then_stop([200, 400, 800, 1600, 3200], [4.25, 4.19, 4.09, 3.95, 3.81], 6400), 2)
    3.68
    """
    x, y = np.asarray(examples, float), np.asarray(losses, float)
    if x.shape != y.shape or x.size < 2 or np.any(x <= 0) or np.any(y <= 0):
        raise ValueError(
            f"accept_then_stop: needs two or more positive sizes and as many positive losses; "
            f"got examples {list(examples)} and losses {list(losses)}"
        )
    order = np.argsort(x)
    x, y = np.log(x[order]), np.log(y[order])
    kept = min(k, x.size)
    while kept < x.size:
        slope, level = np.polyfit(x[-kept:], y[-kept:], 1)
        spread = np.std(y[-kept:] - slope * x[-kept:] - level)
        if abs(y[-kept - 1] - slope * x[-kept - 1] - level) > delta * spread:
            break
        kept += 1
    slope, level = np.polyfit(x[-kept:], y[-kept:], 1)
    return float(np.exp(slope * np.log(target) + level))
