"""Vocabulary: larger models deserve larger vocabularies.

Three roads to the best vocabulary of one paper: a power law through IsoFLOP optima, a power law through the sizes
where FLOP per character are least, and a loss in non-vocabulary parameters, vocabulary parameters (V times the
width) and tokens. The loss is taken relative to a unigram model, which makes tokenisers comparable.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lawful.dual import root
from lawful.law import Paper, amplitude, coefficient, exponent, law, location, values

tao2024 = Paper(
    "tao2024",
    "Chaofan Tao, Qian Liu, Longxu Dou, Niklas Muennighoff, Zhongwei Wan, Ping Luo, Min Lin, Ngai Wong",
    "Scaling Laws with Vocabulary: Larger Models Deserve Larger Vocabularies",
    2024,
    arxiv="2407.13623",
    venue="NeurIPS 2024",
)
V_CLAMP = 200_000  # beyond it the parabola of the fertility would turn up


@law(tao2024, predicts="N_v", topic="vocabulary", status="official repository", aliases=("tao_vocab_isoflop",),
    over={"N_nv": (3.3e7, 1.1e9)}, identified="a2 and K2 - 2 a2 K1",
    values={
        "tao2024": values(
            "approach 1, optimal_Nv_predict.py", K1=-2.4846510161625193, K2=-1.589031299255507, a2=0.4163622634135234
        )
    },
)  # fmt: skip
def vocab_isoflop(N_nv, *, K1=coefficient(), K2=coefficient(), a2=exponent(upper=1)):
    r"""$N_v = e^{K_2} F^{a_2}, F = (N_{nv} e^{-K_1})^2$
    Best vocabulary parameters on the compute-optimal path; the vocabulary is N_v over the width.
    Fitted: Huber loss (delta 1e-3) of logs, L-BFGS-B over a grid; N_nv grows as F**0.5 by decree.
    Trap: only on the compute-optimal path, where data grow with parameters.
    """
    return np.exp(K2) * ((N_nv * np.exp(-K1)) ** 2) ** a2


@law(tao2024, predicts="N_v", topic="vocabulary", status="official repository", aliases=("tao_vocab_derivative",),
    over={"N_nv": (3.3e7, 1.1e9)}, identified="gamma and Nv0 * Nnv0**-gamma",
    values={
        "tao2024": values("approach 2, optimal_Nv_predict.py", Nv0=3145728.0, Nnv0=33000000.0, gamma=0.8353974035228025)
    },
)  # fmt: skip
def vocab_derivative(N_nv, *, Nv0=amplitude(start=(1e6, 1e7)), Nnv0=location("N_nv"), gamma=exponent(upper=1)):
    r"""$N_v = N_{v0} (N_{nv}/N_{nv0})^{\gamma}$
    Best vocabulary parameters where FLOP per character are least, from one small model that anchors the law.
    Fitted: root of the derivative at every size, then Huber loss of log ratios for gamma.
    Trap: FLOP per character are a stand-in for the loss and ignore how well tokens represent text.
    """
    return Nv0 * (N_nv / Nnv0) ** gamma


def _best_vocabulary(C: Any, v: Any, N_nv: Any, w: Any) -> Any:
    """V where the tokens that a larger vocabulary costs lose what its embeddings gain, at C = 6 (N_nv + V w) D."""

    def balance(log_v):
        N = N_nv + np.exp(log_v) * w
        lost = v["beta"] * v["B"] * (C / (6e9 * N)) ** -v["beta"] * np.exp(log_v) * w / N
        won = v["alpha2"] * v["A2"] * (np.exp(log_v) * w / 1e6) ** -v["alpha2"]
        return np.log(lost) - np.log(won)

    return np.exp(root(balance, 0.0, 25.0))


@law(tao2024, optimum={"V": _best_vocabulary}, predicts="L_u", topic="vocabulary", status="official repository",
    aliases=("tao_vocab_parametric",),
    over={"N_nv": (3.3e7, 1.1e9), "V": (4096, 96256), "w": (512, 2048), "D": (1e9, 1e11)},
    values={
        "tao2024": values(
            "approach 3, optimal_Nv_predict.py",
            E=5.5327846803337435, A1=1.8313851559554126, alpha1=0.44660634152009615, A2=0.19584238398665638,
            alpha2=0.6707374679896795, B=2.1241123120064955, beta=0.44660634152009615,
        )
    },
)  # fmt: skip
def vocab_loss(
    N_nv, V, w, D, *, E=coefficient("unigram loss that the model can save", start=(0, 10)),
    A1=amplitude(start=(0.1, 10)), alpha1=exponent(upper=1), A2=amplitude(start=(0.01, 10)), alpha2=exponent(upper=1),
    B=amplitude(start=(0.1, 10)), beta=exponent(upper=1),
):  # fmt: skip
    r"""$L_u = -E + A_1 (N_{nv}/10^6)^{-\alpha_1} + A_2 (V w/10^6)^{-\alpha_2} + B (D/10^9)^{-\beta}$
    Loss relative to a unigram model's, negative; A_1, A_2 and B are per million parameters and per billion tokens.
    Fitted: Huber loss (delta 1e-3) of L_u, L-BFGS-B over a grid, alpha_1 = beta tied, runs above 2.18e17 FLOP.
    Trap: the released fit puts V in thousands into its token count, so its D is not tokens: on the released runs R2 is
    0.97 with that slip and about 0 with true tokens. Fit your own before you trust the level: with true tokens that
    reaches 0.98 too, but at a quite different alpha_2, near 0: best vocabularies by this road are not settled.
    """
    return -E + A1 * (N_nv / 1e6) ** -alpha1 + A2 * (V * w / 1e6) ** -alpha2 + B * (D / 1e9) ** -beta


@law(tao2024,
    values={"tao2024": values("f(V) of the official code, 24 vocabularies", a=0.00639222, b=-0.15811069, c=1.20470122)},
    predicts="fertility", topic="vocabulary", status="official repository", aliases=("tao_fertility",),
    over={"V": (1024, 1e6)})  # fmt: skip
def vocab_fertility(V, *, a=coefficient(), b=coefficient(), c=coefficient()):
    r"""$f = a \ln^2 V + b \ln V + c$
    Tokens per character of a byte-pair tokeniser with V tokens; constant beyond V = 200000.
    Fitted: least squares on 24 tokenisers, SlimPajama.
    Trap: the parabola turns up at V = 235021; without the clamp larger vocabularies would mean longer texts.
    """
    log_v = np.log(np.minimum(V, V_CLAMP))
    return a * log_v**2 + b * log_v + c
