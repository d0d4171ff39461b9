"""The 27 nonlinear regressions that NIST certifies to eleven digits, each declared as a user would: in a few lines.

Statistical Reference Datasets (StRD), Nonlinear Regression; `read` takes NIST's own files. Every parameter is free and
without bounds, as in the certified fits. Nelson's response is the log of its column y.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lawful import coefficient as b
from lawful import law


@law(predicts="y")
def misra1a(x, *, b1=b(), b2=b()):
    return b1 * (1 - np.exp(-b2 * x))


box_bod = misra1a


@law(predicts="y")
def misra1b(x, *, b1=b(), b2=b()):
    return b1 * (1 - (1 + b2 * x / 2) ** -2)


@law(predicts="y")
def misra1c(x, *, b1=b(), b2=b()):
    return b1 * (1 - (1 + 2 * b2 * x) ** -0.5)


@law(predicts="y")
def misra1d(x, *, b1=b(), b2=b()):
    return b1 * b2 * x / (1 + b2 * x)


@law(predicts="y")
def dan_wood(x, *, b1=b(), b2=b()):
    return b1 * x**b2


@law(predicts="y")
def bennett5(x, *, b1=b(), b2=b(), b3=b()):
    return b1 * (b2 + x) ** (-1 / b3)


@law(predicts="y")
def chwirut(x, *, b1=b(), b2=b(), b3=b()):
    return np.exp(-b1 * x) / (b2 + b3 * x)


@law(predicts="y")
def enso(x, *, b1=b(), b2=b(), b3=b(), b4=b(), b5=b(), b6=b(), b7=b(), b8=b(), b9=b()):
    year, first, second = 2 * np.pi * x / 12, 2 * np.pi * x / b4, 2 * np.pi * x / b7
    seasons = b2 * np.cos(year) + b3 * np.sin(year)
    return b1 + seasons + b5 * np.cos(first) + b6 * np.sin(first) + b8 * np.cos(second) + b9 * np.sin(second)


@law(predicts="y")
def eckerle4(x, *, b1=b(), b2=b(), b3=b()):
    return b1 / b2 * np.exp(-0.5 * ((x - b3) / b2) ** 2)


@law(predicts="y")
def gauss(x, *, b1=b(), b2=b(), b3=b(), b4=b(), b5=b(), b6=b(), b7=b(), b8=b()):
    peaks = b3 * np.exp(-((x - b4) ** 2) / b5**2) + b6 * np.exp(-((x - b7) ** 2) / b8**2)
    return b1 * np.exp(-b2 * x) + peaks


@law(predicts="y")
def cubic_ratio(x, *, b1=b(), b2=b(), b3=b(), b4=b(), b5=b(), b6=b(), b7=b()):
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


@law(predicts="y")
def kirby2(x, *, b1=b(), b2=b(), b3=b(), b4=b(), b5=b()):
    return (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2)


@law(predicts="y")
def lanczos(x, *, b1=b(), b2=b(), b3=b(), b4=b(), b5=b(), b6=b()):
    return b1 * np.exp(-b2 * x) + b3 * np.exp(-b4 * x) + b5 * np.exp(-b6 * x)


@law(predicts="y")
def mgh09(x, *, b1=b(), b2=b(), b3=b(), b4=b()):
    return b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4)


@law(predicts="y")
def mgh10(x, *, b1=b(), b2=b(), b3=b()):
    return b1 * np.exp(b2 / (x + b3))


@law(predicts="y")
def mgh17(x, *, b1=b(), b2=b(), b3=b(), b4=b(), b5=b()):
    return b1 + b2 * np.exp(-x * b4) + b3 * np.exp(-x * b5)


@law(predicts="log_y")
def nelson(x1, x2, *, b1=b(), b2=b(), b3=b()):
    return b1 - b2 * x1 * np.exp(-b3 * x2)


@law(predicts="y")
def rat42(x, *, b1=b(), b2=b(), b3=b()):
    return b1 / (1 + np.exp(b2 - b3 * x))


@law(predicts="y")
def rat43(x, *, b1=b(), b2=b(), b3=b(), b4=b()):
    return b1 / (1 + np.exp(b2 - b3 * x)) ** (1 / b4)


@law(predicts="y")
def roszman1(x, *, b1=b(), b2=b(), b3=b(), b4=b()):
    return b1 - b2 * x - np.arctan(b3 / (x - b4)) / np.pi


LAWS = {
    "Bennett5": bennett5, "BoxBOD": box_bod, "Chwirut1": chwirut, "Chwirut2": chwirut, "DanWood": dan_wood,
    "ENSO": enso, "Eckerle4": eckerle4, "Gauss1": gauss, "Gauss2": gauss, "Gauss3": gauss, "Hahn1": cubic_ratio,
    "Kirby2": kirby2, "Lanczos1": lanczos, "Lanczos2": lanczos, "Lanczos3": lanczos, "MGH09": mgh09, "MGH10": mgh10,
    "MGH17": mgh17, "Misra1a": misra1a, "Misra1b": misra1b, "Misra1c": misra1c, "Misra1d": misra1d, "Nelson": nelson,
    "Rat42": rat42, "Rat43": rat43, "Roszman1": roszman1, "Thurber": cubic_ratio,
}  # fmt: skip


@dataclass(frozen=True)
class Certified:
    """One of NIST's files: points {variable: (n,)}, start 1 and 2 (p,), certified values and standard errors (p,)."""

    points: dict[str, np.ndarray]
    starts: np.ndarray
    values: np.ndarray
    errors: np.ndarray


def read(file: Path) -> Certified:
    """A file of NIST's: the lines ``b1 = start start value error``, then the table under ``Data:``."""
    lines = file.read_text().splitlines()
    table = np.array([line.split("=")[1].split() for line in lines if line.lstrip()[:1] == "b" and "=" in line], float)
    head = max(i for i, line in enumerate(lines) if line.startswith("Data:"))
    columns = np.array([line.split() for line in lines[head + 1 :] if line.strip()], float).T
    names = ["x"] if len(columns) == 2 else ["x1", "x2"]
    points = dict(zip(["y", *names], columns))
    points["log_y"] = np.log(np.where(columns[0] > 0, columns[0], 1.0))
    return Certified(points, table[:, :2].T, table[:, 2], table[:, 3])


def digits(found: np.ndarray, certified: np.ndarray) -> float:
    """The number of digits that agree, for the worst entry: -log10 of the relative error, at most 11."""
    error = np.abs(np.asarray(found) - certified) / np.abs(certified)
    return float(np.clip(-np.log10(np.maximum(error, 1e-11)), 0, 11).min()) if np.isfinite(error).all() else 0.0
