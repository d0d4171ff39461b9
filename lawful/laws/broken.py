r"""Caballero et al. 2022: a broken neural scaling law is a power law whose exponent changes smoothly at n breaks.

Between breaks the slopes in log-log are -c0, -(c0 + c1), -(c0 + c1 + c2) and so on; f says how sharp a break is.
The product is computed as a sum of logs: (x / d)**(1 / f) itself overflows at sharp breaks.
`bnsl(n)` is the law with n breaks; those with none to three are in the catalogue.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import numpy as np

from lawful.law import Law, Paper, amplitude, exponent, law, location, offset, values, width

caballero2022 = Paper(
    "caballero2022",
    "Ethan Caballero, Kshitij Gupta, Irina Rish, David Krueger",
    "Broken Neural Scaling Laws",
    2022,
    arxiv="2210.14891",
)

_VALUES = {
    1: {
        "caballero2022_addition": values(
            "authors' code, Figure 4 (right), four-digit addition; x is examples", a=0.41388453071629455,
            b=2.2772722897737556, c0=0.055077348404973955, c1=5.662903816010331, d1=612.5836172918001,
            f1=0.059193036393742314,
        )
    },
    3: {
        "caballero2022_figure1": values(
            "authors' code, Figure 1", a=0.001, b=4660.0, c0=0.05, c1=0.49, c2=-0.811, c3=2.1, d1=3e6, d2=1e14, d3=2e20,
            f1=1.1, f2=1.425, f3=0.05,
        )
    },
}  # fmt: skip
_OVER = {1: {"x": (144.0, 980.0)}, 3: {"x": (1.0, 1e21)}}


@cache
def bnsl(breaks: int) -> Law:
    r"""The law with that many breaks, named bnsl_0, bnsl_1, ...: parameters a, b, c0 and c, d, f of every break.

    Raises ValueError for a number of breaks that is not a whole number >= 0.
    """
    if breaks != int(breaks) or breaks < 0:
        raise ValueError(f"bnsl: breaks is {breaks!r}; it must be a whole number, 0 or more")

    def formula(x: Any, **p: Any) -> Any:
        log_x = np.log(x)
        slope = -p["c0"] * log_x
        for i in range(1, breaks + 1):
            c, d, f = p[f"c{i}"], p[f"d{i}"], p[f"f{i}"]
            slope = slope - c * f * np.logaddexp(0.0, (log_x - np.log(d)) / f)
        return p["a"] + p["b"] * np.exp(slope)

    formula.__name__ = f"bnsl_{breaks}"
    formula.__doc__ = _doc(breaks)
    formula.__signature__ = _signature(breaks)  # type: ignore[attr-defined]
    declared = law(
        caballero2022, values=_VALUES.get(breaks), over=_OVER.get(breaks, {}), predicts="y", topic="pre-training",
        aliases=("bnsl",) if breaks == 1 else (),
    )  # fmt: skip
    return declared(formula)


def _doc(breaks: int) -> str:
    product = " ".join(
        rf"\left(1 + (x / d_{{{i}}})^{{1 / f_{{{i}}}}}\right)^{{-c_{{{i}}} f_{{{i}}}}}" for i in range(1, breaks + 1)
    )
    return rf"""$y = a + b x^{{-c_0}} {product}$

    Fitted: a grid, then Levenberg-Marquardt on log(y + 1); the number of breaks by the largest x held out.
    Trap: {3 * breaks + 3} parameters: with fewer than {3 * breaks + 5} points the curve interpolates.
    Trap: a break outside the data cannot be seen; c_i = 0 leaves d_i and f_i free.
    """


def _signature(breaks: int) -> inspect.Signature:
    slope = {"lower": -np.inf, "start": (-0.5, 0.5)}
    meanings = {"a": offset("limit"), "b": amplitude("x", "c0"), "c0": exponent("first slope", **slope)}
    for i in range(1, breaks + 1):
        meanings[f"c{i}"] = exponent("change of slope", **slope)
        meanings[f"d{i}"] = location("x", "place of the break")
        meanings[f"f{i}"] = width("smoothness of the break", start=(0.2, 1.5))
    keyword = inspect.Parameter.KEYWORD_ONLY
    named = [inspect.Parameter(name, keyword, default=p) for name, p in meanings.items()]
    return inspect.Signature([inspect.Parameter("x", inspect.Parameter.POSITIONAL_OR_KEYWORD), *named])


bnsl_0, bnsl_1, bnsl_2, bnsl_3 = (bnsl(n) for n in range(4))


def __getattr__(name: str) -> Law:
    # bnsl_7 exists as soon as it is asked for, so that it can be pickled by its name like the others
    if name.startswith("bnsl_") and name[5:].isdigit():
        return bnsl(int(name[5:]))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
