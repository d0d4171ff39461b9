"""What the next runs are to decide, and how that number hangs on the parameters of a law.

    size_at(1e22)                    # how large a model for 1e22 FLOP
    loss_at(N=7e10, D=1.4e12)        # the loss there
    loss_at(flops=1e22)              # the loss of the best model for 1e22 FLOP
    winner_at(1e22)                  # which of two recipes has the lower loss for 1e22 FLOP

Each is a number q of a law with parameters theta: log N*, log L, or log L_A - log L_B. Its slope dq/dtheta says which
directions of theta matter, and so which runs are worth their FLOP. C = 6 N D throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

import numpy as np

from lawful.fit import Fit
from lawful.quantities import find
from lawful.solve import jacobian

SIZES = ("N", "N_nonemb")
RATIO = 20.0  # tokens per parameter, where a law knows compute alone
_SPAN = (log(1e2), log(1e15))  # log of the model sizes looked at for an optimum
_H = 0.02  # step of the differences along log N


@dataclass(frozen=True)
class Decision:
    """A question with a number for an answer. kind: size, loss or winner.

    flops: the budget, or None for a loss at ``N`` and ``D``. tolerance: what is near enough: by how much (a share) the
    loss at a chosen size may exceed the lowest, how far a loss may be off, or how probable the wrong winner may be.
    """

    kind: str
    flops: float | None = None
    N: float | None = None
    D: float | None = None
    tolerance: float = 0.005

    def __str__(self) -> str:
        where = f"{self.flops:.3g} FLOP" if self.flops is not None else f"N = {self.N:.3g}, D = {self.D:.3g}"
        return {"size": f"model size for {where}", "loss": f"loss at {where}", "winner": f"winner at {where}"}[
            self.kind
        ]


def size_at(flops: float, tolerance: float = 0.005) -> Decision:
    """Which model size for a budget. tolerance: the share of loss that a wrong size may cost."""
    return _checked(Decision("size", float(flops), tolerance=tolerance))


def loss_at(
    flops: float | None = None, *, N: float | None = None, D: float | None = None, tolerance: float = 0.005
) -> Decision:
    """The loss of the best model for a budget, or at ``N`` and ``D``. tolerance: how far it may be off, as a share."""
    if (flops is None) == (N is None or D is None):
        raise ValueError("loss_at takes a budget (flops=) or a place (N= and D=), one of the two")
    return _checked(Decision("loss", *(None if v is None else float(v) for v in (flops, N, D)), tolerance=tolerance))


def winner_at(flops: float, tolerance: float = 0.05) -> Decision:
    """Which of two recipes is better at a budget. tolerance: how probable the wrong one may be."""
    return _checked(Decision("winner", float(flops), tolerance=tolerance))


def _checked(decision: Decision) -> Decision:
    for name in ("flops", "N", "D", "tolerance"):
        value = getattr(decision, name)
        if value is not None and not 0 < value < np.inf:
            raise ValueError(f"{name} is {value}; it must be a number above 0")
    return decision


def symbol_of(fit: Fit, variable: str) -> str:
    """The symbol of a law's variable: its name, or for the x of a generic law that of the column it was fitted on."""
    column = str(fit.points.columns[variable]) if variable == "x" else variable
    quantity = find(column)
    return quantity.symbol if quantity else column


def variables_at(fit: Fit, N: np.ndarray, D: np.ndarray) -> dict[str, np.ndarray]:
    """The law's variables at sizes N and tokens D (m,): N, D and compute 6ND under whatever name the law has for them.

    Raises ValueError for a law with another variable, which a plan of sizes and tokens does not set.
    """
    out = {}
    for v in fit.law.variables:
        symbol = symbol_of(fit, v)
        if symbol in SIZES:
            out[v] = N
        elif symbol in ("D", "C"):
            out[v] = D if symbol == "D" else 6 * N * D
        else:
            raise ValueError(
                f"law {fit.law.name} has the variable {v!r} (column {fit.points.columns[v]!r}); runs are planned for "
                "laws of model size, tokens and compute alone"
            )
    return {v: np.asarray(x, float) for v, x in out.items()}


def compute_of(fit: Fit) -> np.ndarray:
    """Training compute of a fit's points (n,): C, 6 N D, or of 20 tokens per parameter where only one is known.

    Raises ValueError for a law without size, tokens or compute.
    """
    named = {symbol_of(fit, v): x for v, x in fit.points.X.items()}
    if "C" in named:
        return named["C"]
    size = next((named[s] for s in SIZES if s in named), None)
    tokens = named.get("D")
    if size is None and tokens is None:
        raise ValueError(f"law {fit.law.name} has no size, tokens or compute: there is no scale to plan along")
    if size is None or tokens is None:
        return 6 * RATIO * size**2 if size is not None else 6 / RATIO * np.asarray(tokens) ** 2
    return 6 * size * tokens


def both_scales(fit: Fit) -> bool:
    """Whether the law tells model size from tokens: not so if it knows one of them, or compute, alone."""
    made = [
        variables_at(fit, np.array([N]), np.array([D])) for N, D in ((2.0, 3.0), (2.0, 5.0), (7.0, 3.0), (3.0, 2.0))
    ]
    return all(any(made[0][v] != other[v] for v in other) for other in made[1:])


def log_law(fit: Fit, N: np.ndarray, D: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log of the law (m,) and its slopes by the slots of the search space (p, m)."""
    X = variables_at(fit, N, D)
    p, m = fit.model.size, len(N)
    with np.errstate(all="ignore"):
        f, J = jacobian(fit.model, fit.theta[None], X, (1, m), np.arange(p))
    return np.log(f[0]), np.nan_to_num(J[0] / f[0])


def best_size(fit: Fit, flops: float) -> float:
    """N* with the lowest loss on C = 6 N D.

    Raises ValueError where the law has no lowest loss there: it falls, or rises, over all sizes.
    """
    if not both_scales(fit):
        return float(np.sqrt(flops / (6 * RATIO)))
    u = np.linspace(_SPAN[0], _SPAN[1], 400)
    for _ in range(5):
        value = _along(fit, flops, u)[0]
        i = int(np.nanargmin(value))
        if i in (0, len(u) - 1):
            raise ValueError(
                f"law {fit.law.name} has no best model size at {flops:.3g} FLOP: its loss is lowest at an end of "
                f"{exp(_SPAN[0]):.0g} to {exp(_SPAN[1]):.0g} parameters; decide on a loss at N and D instead"
            )
        u = np.linspace(u[i - 1], u[i + 1], 41)
    return exp(u[int(np.nanargmin(_along(fit, flops, u)[0]))])


def _along(fit: Fit, flops: float, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    N = np.exp(u)
    return log_law(fit, N, flops / (6 * N))


def number_of(fit: Fit, decision: Decision) -> tuple[float, np.ndarray]:
    """The decision's number q for one law, and dq/dslot (p,).

    size: log N*, whose slope is -(d2 log L / du dtheta) / (d2 log L / du2) at u = log N*. loss, winner: log L; at the
    best size its slope is that of the law itself there, as the loss is flat in N (envelope theorem).
    """
    if decision.N is not None and decision.D is not None:
        value, slopes = log_law(fit, np.array([decision.N]), np.array([decision.D]))
        return float(value[0]), slopes[:, 0]
    assert decision.flops is not None
    u = log(best_size(fit, decision.flops))
    value, slopes = _along(fit, decision.flops, u + np.array([-_H, 0.0, _H]))
    if decision.kind != "size":
        return float(value[1]), slopes[:, 1]
    if not both_scales(fit):
        raise ValueError(f"law {fit.law.name} knows compute alone: it has no best model size; fit a law of N and D")
    bend = (value[0] - 2 * value[1] + value[2]) / _H**2
    return u, -(slopes[:, 2] - slopes[:, 0]) / (2 * _H) / bend


def near_optimal(fit: Fit, flops: float, share: float = 0.005) -> tuple[float, float]:
    """The model sizes whose loss at a budget is within ``share`` of the lowest."""
    u = np.linspace(_SPAN[0], _SPAN[1], 4000)
    value = _along(fit, flops, u)[0]
    inside = np.flatnonzero(value <= np.nanmin(value) + np.log1p(share))
    return exp(u[inside[0]]), exp(u[inside[-1]])
