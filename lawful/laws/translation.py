"""Translation: an encoder and a decoder, each with its own exponent."""

from __future__ import annotations

from lawful.law import Paper, amplitude, exponent, law, location, offset

ghorbani2021 = Paper(
    "ghorbani2021",
    "Behrooz Ghorbani, Orhan Firat, Markus Freitag, Ankur Bapna, Maxim Krikun, Xavier Garcia, Ciprian Chelba, "
    "Colin Cherry",
    "Scaling Laws for Neural Machine Translation",
    2021,
    arxiv="2109.07740",
    venue="ICLR 2022",
)


@law(ghorbani2021, topic="translation", status="memory", aliases=("ghorbani_nmt_bivariate",),
    over={"N_e": (1e7, 5e9), "N_d": (1e7, 5e9)}, identified="alpha * N_e0**p_e * N_d0**p_d: fix N_e0 and N_d0",
    optimum={
        "N_e": lambda C, v, N: N * v["p_e"] / (v["p_e"] + v["p_d"]),
        "N_d": lambda C, v, N: N * v["p_d"] / (v["p_e"] + v["p_d"]),
    },
)  # fmt: skip
def ghorbani_translation(
    N_e, N_d, *, alpha=amplitude(), p_e=exponent(), p_d=exponent(), L_inf=offset(),
    N_e0=location("N_e", "unit of size, fixed"), N_d0=location("N_d", "unit of size, fixed"),
):  # fmt: skip
    r"""$L = \alpha (N_{e0}/N_e)^{p_e} (N_{d0}/N_d)^{p_d} + L_\infty$
    Sizes of encoder and decoder without embeddings; of N parameters in all the encoder should have p_e/(p_e + p_d).
    Fitted: least squares.
    Trap: alpha absorbs the units of size; fix both.
    Trap: encoder and decoder grown together determine only p_e + p_d.
    """
    return alpha * (N_e0 / N_e) ** p_e * (N_d0 / N_d) ** p_d + L_inf
