"""Inference: what more samples, more calls or a datastore buy once a model is trained.

Coverage (a right answer among k) rises for ever; a vote (the right answer most often) rises for questions that one call
gets right more often than not and falls for the others, so a mixture of both has an optimal number of calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, inf, log

import numpy as np

from lawful.law import Paper, coefficient, exponent, law, share, values, width

chen2024a = Paper(
    "chen2024a",
    "Lingjiao Chen, Jared Quincy Davis, Boris Hanin, Peter Bailis, Ion Stoica, Matei Zaharia, James Zou",
    "Are More LLM Calls All You Need? Towards Scaling Laws of Compound Inference Systems",
    2024,
    "2403.02419",
)
snell2024 = Paper(
    "snell2024", "Charlie Snell, Jaehoon Lee, Kelvin Xu, Aviral Kumar",
    "Scaling LLM Test-Time Compute Optimally Can Be More Effective than Scaling Model Parameters", 2024, "2408.03314",
)  # fmt: skip
brown2024 = Paper(
    "brown2024",
    "Bradley Brown, Jordan Juravsky, Ryan Ehrlich, Ronald Clark, Quoc V. Le, Christopher Ré, Azalia Mirhoseini",
    "Large Language Monkeys: Scaling Inference Compute with Repeated Sampling",
    2024,
    "2407.21787",
)
wu2024 = Paper(
    "wu2024", "Yangzhen Wu, Zhiqing Sun, Shanda Li, Sean Welleck, Yiming Yang",
    "Inference Scaling Laws: An Empirical Analysis of Compute-Optimal Inference for Problem-Solving with Language "
    "Models",
    2024, "2408.00724",
)  # fmt: skip
shao2024 = Paper(
    "shao2024",
    "Rulin Shao, Jacqueline He, Akari Asai, Weijia Shi, Tim Dettmers, Sewon Min, Luke Zettlemoyer, Pang Wei Koh",
    "Scaling Retrieval-Based Language Models with a Trillion-Token Datastore",
    2024,
    "2407.12854",
)


def _majority(calls, p):
    """Probability that most of an odd number of calls are right; an even number is worth one less (ties by coin)."""
    pairs = np.floor((np.asarray(calls, float) - 1) / 2)
    total, term, choose = p + 0.0 * pairs, p * 0 + 1.0, 0.5
    for m in range(1, int(np.max(pairs, initial=0)) + 1):
        choose *= (2 * m - 1) / (2 * m)  # C(2m - 1, m) / 4**m
        term = term * (4 * p * (1 - p))
        total = total + np.where(pairs >= m, choose, 0.0) * (2 * p - 1) * term
    return total


@law(
    chen2024a, predicts="accuracy", topic="inference", over={"calls": (1, 1001)}, aliases=("vote_accuracy_two_level",),
)  # fmt: skip
def vote_two_level(
    calls, *, alpha=share("easy questions"), p1=share("accuracy of one call on easy questions", lower=0.5),
    p2=share("accuracy of one call on hard questions", upper=0.5),
):  # fmt: skip
    r"""$F = \alpha I(p_1) + (1 - \alpha) I(p_2), \quad I(p) = I_p(\frac{K+1}{2}, \frac{K+1}{2})$

    Accuracy of the majority of K calls, right or wrong answers, alpha of the questions easy; I is the regularised
    incomplete beta function. Computed as p + sum of C(2m-1, m) (2p - 1) (p - p^2)^m for m up to (K - 1)/2.
    Trap: the limit of many calls is alpha. With p_1 + p_2 > 1 it rises, then falls (or falls throughout); with
    p_1 + p_2 < 1 it rises throughout, or falls, then rises. Summaries that swap the two cases are wrong.
    """
    return alpha * _majority(calls, p1) + (1 - alpha) * _majority(calls, p2)


def optimal_calls(v: Mapping[str, float]) -> int | float:
    """The number of calls with the highest `vote_two_level` accuracy: an odd number, or inf where more is better.

    v: alpha, p1, p2. F(2m + 1) - F(2m - 1) changes sign once, at m = K*/2 with the paper's
    K* = 2 log[alpha (2 p1 - 1) / ((1 - alpha)(1 - 2 p2))] / log[p2 (1 - p2) / (p1 (1 - p1))]: a maximum where
    p1 + p2 > 1, otherwise a minimum, and then the better of one call and infinitely many is the answer.
    Raises ValueError where p1 is not above and p2 not below one half.
    """
    alpha, p1, p2 = v["alpha"], v["p1"], v["p2"]
    if not (0.5 < p1 < 1 and 0 < p2 < 0.5 and 0 < alpha < 1):
        raise ValueError(
            f"optimal_calls: needs 0 < alpha < 1 and p2 below, p1 above one half; got alpha={alpha}, p1={p1}, p2={p2}"
        )
    gain, loss = alpha * (2 * p1 - 1), (1 - alpha) * (1 - 2 * p2)
    fading = log(p2 * (1 - p2) / (p1 * (1 - p1)))  # pace at which the easy questions stop to gain
    if p1 + p2 <= 1:
        return inf if alpha >= alpha * p1 + (1 - alpha) * p2 else 1
    return max(1, 2 * ceil(log(gain / loss) / fading) - 1)


@law(chen2024a, predicts="accuracy", topic="inference", over={"calls": (1, 1e4), "mode_correct": (0, 1)},
     aliases=("vote_filter_scaling_model",))  # fmt: skip
def vote_question(calls, mode_correct, *, a1=width(lower=1e-6, start=(1e-4, 1.0)),
                  a2=width(lower=1e-6, start=(1e-3, 1.0)), a3=coefficient()):  # fmt: skip
    r"""$G = c (1 - u) + (1 - c) u, \quad u = \exp(-a_1 K - a_2 \sqrt{K} - a_3)$

    Accuracy on one question by K calls; c is 1 where the right answer is the most frequent one, 0 where not.
    A benchmark's accuracy is the mean over its questions; with t answers tied for most frequent divide G by t.
    Fitted: squared errors at K = 1 to 10^4 from (1, 1, 1), a1 and a2 at least 1e-6.
    """
    u = np.exp(-a1 * calls - a2 * np.sqrt(calls) - a3)
    return mode_correct * (1 - u) + (1 - mode_correct) * u


@law(snell2024, predicts="inference_multiplier", topic="inference", over={"size_ratio": (1, 20), "R_inf": (0.1, 30)},
     aliases=("snell_flops_matched",))  # fmt: skip
def snell(size_ratio, R_inf):
    r"""$m = M + \frac{3}{R} (M - 1)$

    By how much a small model may raise its inference compute to cost as much as one M times larger, R inference
    tokens being served per training token: training counts 6ND, inference 2ND. An identity, nothing is fitted.
    """
    return size_ratio + 3 / R_inf * (size_ratio - 1)


_BROWN = "solved from two published points, not the paper's fit: "


@law(
    brown2024,
    values={
        "brown2024_swebench_deepseek": values(
            _BROWN + "SWE-bench Lite, DeepSeek, 15.9 % at 1 and 56 % at 250", a=-1.8388510767619055,
            b=-0.2090354604688152, status="derived",
        ),
        "brown2024_math_llama3_8b": values(
            _BROWN + "MATH, Llama-3-8B-Instruct, 82.9 % at 100 and 98.44 % at 10 000", a=-2.236819379786062,
            b=-0.5382741485996705, status="derived",
        ),
    },
    predicts="coverage", topic="inference", over={"k": (1, 1e4)}, aliases=("brown_coverage",),
)  # fmt: skip
def monkeys(
    k, *, a=coefficient("log coverage at one sample", upper=0.0, start=(-3.0, -0.1)),
    b=coefficient(upper=0.0, start=(-1.0, -0.05)),
):  # fmt: skip
    r"""$c = \exp(a k^{b})$

    Coverage, the mean pass@k over problems; a and b are negative.
    Trap: c tends to 1, so problems that no sample solves have no place in it.
    Trap: one problem fails exponentially in k; the power comes from averaging over unequal problems.
    Trap: over less than two decades of k, a and b are nearly collinear.
    """
    return np.exp(a * k**b)


@law(brown2024, predicts="coverage", topic="inference", over={"draws": (100, 1e4), "correct": (1, 50), "k": (1, 100)},
     status="memory", aliases=("pass_at_k_unbiased",))  # fmt: skip
def pass_at_k(draws, correct, k):
    r"""$1 - \binom{n-c}{k} / \binom{n}{k}$

    Unbiased estimate of one problem's pass@k from c right among n draws, k up to n; average it over problems.
    With fewer than k wrong draws it is 1. An estimator: nothing is fitted.
    """
    from scipy.special import gammaln

    wrong = draws - correct
    rest = np.maximum(wrong - k, 0)
    miss = gammaln(wrong + 1) + gammaln(draws - k + 1) - gammaln(rest + 1) - gammaln(draws + 1)
    return np.where(wrong >= k, -np.expm1(miss), 1.0)


@law(wu2024, values={"wu2024": values("Section 4.2", m=1.19, b=2.03)}, predicts="N", topic="inference",
     over={"C_inf": (1e11, 1e15)}, aliases=("wu_inference_optimal_size",))  # fmt: skip
def wu_optimal_size(C_inf, *, m=exponent(), b=coefficient("log10 of the FLOP of one parameter", start=(-5.0, 5.0))):
    r"""$N = 10^{(\log_{10} C - b)/m}$

    Best model size for C FLOP of inference per problem (Pythia on GSM8K, voting over samples).
    Fitted: least squares of log10 C on log10 N. Trap: that is not the regression of N on C, which is what one uses.
    """
    return 10.0 ** ((np.log10(C_inf) - b) / m)


@law(shao2024, predicts="C", topic="inference", aliases=("shao_datastore_flops",),
     over={"N": (1e8, 1e10), "D": (1e10, 1e13), "N_ret": (1e8, 1e9), "D_store": (1e10, 2e12)})  # fmt: skip
def datastore_flops(N, D, N_ret, D_store):
    r"""$C = 6 N D + 2 N_{ret} D_{store}$

    Compute of pre-training plus building the datastore (retriever of 177e6 parameters, flat index in the paper).
    An identity. The paper draws Pareto frontiers and publishes no law of accuracy by datastore size.
    """
    return 6 * N * D + 2 * N_ret * D_store
