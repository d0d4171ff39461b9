r"""Sardana et al. 2024: what a model costs over its life, training and inference together.

Identities rather than fits: they count. The cheapest model of a given quality minimises them along a line of equal loss
of chinchilla; with much inference it is smaller and trained longer than the compute-optimal one.
"""

from __future__ import annotations

from lawful.law import Paper, Values, amplitude, law, share, values

sardana2024 = Paper(
    "sardana2024",
    "Nikhil Sardana, Jacob Portes, Sasha Doubov, Jonathan Frankle",
    "Beyond Chinchilla-Optimal: Accounting for Inference in Language Model Scaling Laws",
    2024,
    arxiv="2401.00448",
)
_LIFE = {"N": (1e8, 1e12), "D": (1e9, 1e14)}


@law(
    sardana2024, predicts="C_life", over=_LIFE | {"D_inf": (1e9, 1e15)}, topic="allocation",
    aliases=("sardana_inference_flops",),
)  # fmt: skip
def sardana_flops(N, D, D_inf):
    r"""$C_{life} = 6 N D + 2 N D_{inf}$

    Trap: assumes that demand does not depend on the model's size.
    Trap: the optimum lies far beyond 20 tokens per parameter, where fitted laws overrate more data.
    """
    return 6 * N * D + 2 * N * D_inf


def _prices(source: str, status: str, c_inf: float) -> Values:
    return values(source, status=status, c_tr=1.3354700854700856e-18, c_inf=c_inf, mfu_tr=0.5, mfu_in=0.5, mfu_out=0.01)


@law(
    sardana2024, predicts="cost", over=_LIFE | {"D_in": (1e8, 1e15), "D_out": (1e8, 1e15)}, topic="allocation",
    values={
        "sardana2024": _prices("Section 6; c_inf calibrated on its examples", "published", 4.407051282051283e-19),
        "sardana2024_a100": _prices("peak rates of A100 cards assumed", "memory", 4.8967236467236475e-19),
    },
    identified="c_tr / mfu_tr, c_inf / mfu_in and c_inf / mfu_out", aliases=("sardana_dollar_cost",),
)  # fmt: skip
def sardana_cost(
    N, D, D_in, D_out, *, c_tr=amplitude(meaning="price of a peak training FLOP"),
    c_inf=amplitude(meaning="price of a peak inference FLOP"), mfu_tr=share(), mfu_in=share(), mfu_out=share(),
):  # fmt: skip
    r"""$cost = 6 N D\, c_{tr} / mfu_{tr} + 2 N D_{in} c_{inf} / mfu_{in} + 2 N D_{out} c_{inf} / mfu_{out}$

    Dollars with the published values; mfu is the share of peak rate reached in training, prompts and generation.
    Trap: at 1 % utilisation a generated token costs 50 times a prompt token.
    """
    return 6 * N * D * c_tr / mfu_tr + 2 * N * c_inf * (D_in / mfu_in + D_out / mfu_out)
