"""Digits of NIST's certified values and standard errors (27 regressions), beside SciPy's.

    python benchmarks/nist.py [DATA_SETS ...]

Each law is fitted from NIST's start 1 (far) and start 2 (near) with one call, ``lawful.fit(law, data, starts=...)``.
SciPy is `least_squares` from the same start by lm, trf and dogbox, with the exact and the 2-point Jacobian, unscaled
and scaled: the best of the twelve. The data sets are in the folder ``shared`` beside the repository.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import numpy as np

import lawful
from lawful.bind import bind
from lawful.solve import jacobian

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from nist_laws import LAWS, Certified, digits, read  # noqa: E402


def ours(law: lawful.Law, certified: Certified, start: np.ndarray) -> tuple[float, float]:
    """Digits of values and of standard errors."""
    columns = {column: certified.points[column] for column in (*law.variables, law.predicts)}
    begin = dict(zip(law.parameter_names, start))
    fit = lawful.fit(law, columns, target=law.predicts, objective="lsq", starts=begin)
    values, errors = np.array(list(fit.estimates.values())), np.sqrt(np.diag(fit.covariance))
    return digits(values, certified.values), digits(errors, certified.errors)


def scipy_best(law: lawful.Law, certified: Certified, start: np.ndarray) -> tuple[float, str]:
    """Digits of values of SciPy's best method, and which it was."""
    from scipy.optimize import least_squares

    X, y = {v: certified.points[v] for v in law.variables}, certified.points[law.predicts]
    model = bind(law, X)
    free = np.arange(model.size)

    def residuals(theta: np.ndarray) -> np.ndarray:
        return model.evaluate(theta[None], X, derivatives=False)[0] - y

    def exact(theta: np.ndarray) -> np.ndarray:
        return jacobian(model, theta[None], X, (1, len(y)), free)[1][0].T

    best = (0.0, "none")
    for method, slopes, scale in product(("lm", "trf", "dogbox"), (exact, "2-point"), (1.0, "jac")):
        with np.errstate(all="ignore"):
            try:
                end = least_squares(
                    residuals, start, slopes, method=method, x_scale=scale, xtol=1e-15, ftol=1e-15, gtol=1e-15,
                    max_nfev=5000,
                )  # fmt: skip
            except ValueError:  # residuals that are not finite
                continue
        name = f"{method}, {'exact' if slopes is exact else slopes}, {'unscaled' if scale == 1.0 else 'scaled'}"
        best = max(best, (digits(end.x, certified.values), name))
    return best


def main(names: list[str]) -> None:
    folder = ROOT.parent / "shared" / "data" / "nist_strd"
    if not folder.is_dir():
        raise SystemExit(f"no folder {folder.name} under shared/data beside the repository")
    print(f"{'':9s}      lawful            SciPy's best")
    print(f"{'':9s} start values errors   values")
    for name in names or LAWS:
        law, certified = LAWS[name], read(folder / f"{name}.dat")
        for i, start in enumerate(certified.starts, start=1):
            values, errors = ours(law, certified, start)
            best, how = scipy_best(law, certified, start)
            print(f"{name:9s} {i:5d} {values:6.1f} {errors:6.1f}   {best:6.1f}  {how}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
