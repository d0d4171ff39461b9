r"""Alabdulmohsin et al. 2022: four forms, each with one parameter more, judged by how well they extrapolate.

M1 is a power law, M2 adds a limit, M3 bends at small x instead, M4 also has a plateau at random guessing.
The exponent c is negative in M1, M2 and M4, and positive in M3, as in the authors' code.
"""

from __future__ import annotations

import numpy as np

from lawful.dual import root
from lawful.law import Paper, amplitude, exponent, law, offset, values

alabdulmohsin2022 = Paper(
    "alabdulmohsin2022",
    "Ibrahim Alabdulmohsin, Behnam Neyshabur, Xiaohua Zhai",
    "Revisiting Neural Scaling Laws in Language and Vision",
    2022,
    arxiv="2209.06640",
)
_FALLING = {"lower": -np.inf, "upper": 0.0, "start": (-2.2, -0.03)}
_BANSAL = "Bansal et al. 2022 (arXiv 2202.01994), encoder loss of translation; x in million sentence pairs (inferred), "


@law(alabdulmohsin2022, predicts="y", topic="general", aliases=("alabdulmohsin_m1",))
def m1(x, *, beta=amplitude("x", "-c"), c=exponent(**_FALLING)):
    r"""$y = \beta x^{c}$

    A power law without a limit, c < 0.
    Fitted: log-log regression.
    """
    return beta * x**c


@law(alabdulmohsin2022, predicts="y", topic="general", aliases=("alabdulmohsin_m2",))
def m2(x, *, eps_inf=offset("limit of y"), beta=amplitude("x", "-c"), c=exponent(**_FALLING)):
    r"""$y = eps_{inf} + \beta x^{c}$

    Fitted: in turns, a regression for beta and c and a Newton step for the limit.
    """
    return eps_inf + beta * x**c


@law(
    alabdulmohsin2022, predicts="y", topic="general", aliases=("alabdulmohsin_m3",), over={"x": (0.5, 512.0)},
    values={
        "bansal2022_encoder_decoder": values(_BANSAL + "encoder-decoder", beta=1.969, gamma=0.057, c=0.285),
        "bansal2022_hybrid_lstm": values(_BANSAL + "hybrid LSTM", beta=1.817, gamma=0.110, c=0.285),
        "bansal2022_decoder_only": values(_BANSAL + "decoder only", beta=2.011, gamma=0.078, c=0.285),
    },
)  # fmt: skip
def m3(x, *, beta=amplitude("x", "c"), gamma=amplitude("x", "-1", "1/x where y levels off"), c=exponent()):
    r"""$y = \beta (x^{-1} + \gamma)^{c}$

    The limit is beta gamma**c; gamma = 0 gives M1.
    Fitted: regression for beta and c, a grid over gamma.
    """
    return beta * (1 / x + gamma) ** c


@law(alabdulmohsin2022, predicts="y", topic="general", aliases=("alabdulmohsin_m4",))
def m4(
    x, *, eps_inf=offset("limit of y"), eps_0=offset("level of random guessing"), beta=amplitude("x", "-c"),
    c=exponent(**_FALLING), alpha=exponent(start=(0.1, 1.5)),
):  # fmt: skip
    r"""$(y - eps_{inf}) / (eps_0 - y)^{\alpha} = \beta x^{c}$

    Solved for y by `root`. alpha = 0 is M2, alpha = 1 a logistic in log x.
    Fitted: a regression of log(y - eps_inf), in turns with Newton steps for both levels.
    Trap: without points near random guessing eps_0 is not identified; fix it to chance.
    """
    drive = np.log(beta) + c * np.log(x)
    span = eps_0 - eps_inf
    # the share u of the way from the limit to random guessing: log u - alpha log(1 - u) rises from -inf to inf
    share = root(lambda u: np.log(u) - alpha * np.log(1 - u) + (1 - alpha) * np.log(span) - drive, 0.0, 1.0)
    return eps_inf + span * share
