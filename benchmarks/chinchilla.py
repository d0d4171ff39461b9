"""The standard problem: Chinchilla's law on 240 points, log-Huber with delta 1e-3.

T1: our default fit against Epoch's (L-BFGS-B with finite differences from Hoffmann's 4500 starts). A sample of 90
starts is timed and scaled to 4500; the objective is compared with the best one known.
T2b: our bootstrap against the best tuned SciPy one: `least_squares`, Huber's loss, exact Jacobian, from the optimum.
Own: a law that a user writes in six lines against the shipped one, fit and bootstrap.

See timing.py for the environment. CPU seconds, medians of 7 rounds (T1: Epoch once, our fit 7 times).
"""

from __future__ import annotations

from itertools import product
from time import process_time

import numpy as np
from timing import check_environment, chinchilla_points, interleaved, verdict

import lawful
from lawful import amplitude, exponent, law, offset
from lawful.bootstrap import bootstrap

BEST = 0.0010182740178006
OBJECTIVE = "log_huber:1e-3"


@law()
def mine(N, D, *, E=offset(), A=amplitude("N", "a"), B=amplitude("D", "b"), a=exponent(), b=exponent()):
    return E + A * N**-a + B * D**-b


def epoch_start(theta: np.ndarray, points: dict[str, np.ndarray]) -> float:
    """Epoch's fit from one start: log of the sum, Huber loss, SciPy's L-BFGS-B as it comes."""
    from scipy.optimize import minimize

    log_n, log_d, log_l = (np.log(points[name]) for name in "NDL")

    def objective(theta: np.ndarray) -> float:
        a, b, e, alpha, beta = theta
        r = np.abs(log_l - np.log(np.exp(a - alpha * log_n) + np.exp(b - beta * log_d) + np.exp(e)))
        return float(np.where(r <= 1e-3, 0.5 * r * r, 1e-3 * (r - 0.5e-3)).sum())

    return float(minimize(objective, theta, method="L-BFGS-B").fun)


def hoffmann_grid() -> np.ndarray:
    """The 4500 starts (a, b, e, alpha, beta)."""
    amplitudes, exponents = np.arange(0, 30, 5.0), np.arange(0, 2.5, 0.5)
    return np.array(list(product(amplitudes, amplitudes, np.arange(-1, 1.5, 0.5), exponents, exponents)))


def t1(points: dict[str, np.ndarray]) -> None:
    sample = hoffmann_grid()[25::50]
    begin = process_time()
    least = min(epoch_start(theta, points) for theta in sample)
    theirs = (process_time() - begin) * 4500 / len(sample)
    seconds, result = interleaved(7, ours=lambda: lawful.fit("chinchilla", points, objective=OBJECTIVE))
    F = result["ours"].F
    ratio = theirs / seconds["ours"]
    verdict(
        "T1", f"{ratio:.0f}x: Epoch {theirs:.1f} s ({len(sample)} of 4500 starts, scaled), ours "
        f"{seconds['ours']:.4f} s; F {F:.16g}, {F / BEST - 1:+.1e} of the best "
        f"known; best of Epoch's sample {least / BEST - 1:+.1e}",
        ">= 400x, F <= F*(1 + 1e-9)", ratio >= 400 and F <= BEST * (1 + 1e-9),
    )  # fmt: skip


def scipy_bootstrap(points: dict[str, np.ndarray], start: np.ndarray, draws: int) -> np.ndarray:
    """The objectives of warm refits by SciPy: each resample's rows repeated by their weights' roots."""
    from scipy.optimize import least_squares

    rng = np.random.default_rng(0)
    logs = np.stack([np.log(points[name]) for name in "NDL"])
    out = []
    for _ in range(draws):
        log_n, log_d, log_l = logs[:, rng.integers(0, logs.shape[1], logs.shape[1])]

        def terms(theta: np.ndarray) -> tuple[np.ndarray, ...]:
            a, b, e, alpha, beta = theta
            A, B, E = np.exp(a - alpha * log_n), np.exp(b - beta * log_d), np.exp(e)  # noqa: B023
            return A, B, E, A + B + E

        def residuals(theta: np.ndarray) -> np.ndarray:
            return np.log(terms(theta)[3]) - log_l  # noqa: B023

        def jacobian(theta: np.ndarray) -> np.ndarray:
            A, B, E, f = terms(theta)
            return np.stack([A, B, np.full_like(A, E), -A * log_n, -B * log_d], axis=1) / f[:, None]  # noqa: B023

        end = least_squares(
            residuals, start, jacobian, loss="huber", f_scale=1e-3, x_scale="jac", xtol=1e-10, ftol=1e-10, gtol=1e-10
        )
        out.append(end.cost)
    return np.array(out)


def t2b(points: dict[str, np.ndarray]) -> None:
    fit = lawful.fit("chinchilla", points, objective=OBJECTIVE)
    v = fit.values
    start = np.array([np.log(v["A"]), np.log(v["B"]), np.log(v["E"]), v["alpha"], v["beta"]])
    seconds, _ = interleaved(
        5, scipy=lambda: scipy_bootstrap(points, start, 40), ours=lambda: bootstrap(fit, draws=1000)
    )
    theirs, ours = seconds["scipy"] / 40, seconds["ours"] / 1000
    verdict("T2b", f"{theirs / ours:.1f}x: SciPy {1e3 * theirs:.3f} ms per resample, ours {1e3 * ours:.4f} ms",
            ">= 10x", theirs >= 10 * ours)  # fmt: skip


def own_law(points: dict[str, np.ndarray]) -> None:
    fits = {
        "shipped": lambda: lawful.fit("chinchilla", points, objective=OBJECTIVE),
        "mine": lambda: lawful.fit(mine, points, objective=OBJECTIVE),
    }
    seconds, made = interleaved(7, **fits)
    boots, _ = interleaved(
        5, shipped=lambda: bootstrap(made["shipped"], draws=500), mine=lambda: bootstrap(made["mine"], draws=500)
    )
    ratios = seconds["mine"] / seconds["shipped"], boots["mine"] / boots["shipped"]
    verdict("Own", f"a law of one's own takes {ratios[0]:.2f} of the shipped one's time to fit, {ratios[1]:.2f} to "
            "bootstrap", "1 within 25 %", max(ratios) < 1.25)  # fmt: skip


if __name__ == "__main__":
    check_environment()
    points = chinchilla_points()
    t1(points)
    t2b(points)
    own_law(points)
