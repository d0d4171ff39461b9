"""Distillation or training alone, and from which teacher (Busbridge et al. 2025).

A teacher enters by its loss, and can be too good: `distillation` finds the teacher's loss that teaches a student of
given size and tokens best, what the student would reach alone on the same tokens, and what it would reach alone with
all the compute that distilling takes: the teacher's forward passes, and its training where it does not exist yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lawful.belief import Belief, belief, positive
from lawful.findings import Finding
from lawful.laws.distillation import busbridge_distillation, chinchilla_outer
from lawful.plan import NEAR, Plan, doubts
from lawful.surface import lowest, near_range
from lawful.uncertainty import Interval

_OUTER = chinchilla_outer.parameter_names
_TEACHER = (1.2, 4.0)  # losses of teachers that are looked at


def distillation(
    source: Any = (busbridge_distillation, "busbridge2025"), *, params: float, tokens: float,
    teachers: Sequence[tuple[float, float]] = (), teacher_exists: bool = True, level: float = 0.9, seed: int = 0,
) -> Plan:  # fmt: skip
    """Distil a student of ``params`` parameters on ``tokens`` tokens, or train it alone?

    teachers: (parameters, tokens) of those that could be used, whose losses follow from the same paper's law.
    teacher_exists: their training is paid for already. Answers: the best teacher loss, the student's loss with it,
    alone on the same tokens, and with the teacher given that gains most over alone_equal_compute: alone, for all the
    compute.
    """
    held = belief(source, seed=seed)
    if held.law.name != busbridge_distillation.name:
        raise ValueError(f"this plan needs busbridge_distillation, fitted or published, not {held.law.name}")
    N, D = positive("params", params), positive("tokens", tokens)

    def student(L_T: Any, v: Mapping[str, Any]) -> Any:
        return busbridge_distillation.function(N, D, L_T, **v)

    low, high = np.log(_TEACHER)
    x = float(lowest(lambda z: student(np.exp(z), held.values), low, high))
    drawn = taught = None
    if held.draws is not None:
        v = held.draws
        drawn = np.exp(lowest(lambda z: student(np.exp(z), v), np.full(len(held), low), high))
        taught = student(drawn, v)
    best = float(np.exp(x))
    found = {
        "L_T": held.of_draws(best, drawn, level),
        "L_S": held.of_draws(float(student(best, held.values)), taught, level),
        "L_alone": held.interval(lambda v: alone(v, N, D), level),
    }
    ends = near_range(lambda z: student(np.exp(z), held.values), x, low, high, NEAR)
    rows = tuple(_row(held, N, D, *one, teacher_exists, level) for one in teachers)
    words: tuple[str, ...] = ()
    if rows:
        top = max(rows, key=lambda r: r["gain"].estimate)
        found |= {"L_S_given": top["L_S"], "alone_equal_compute": top["alone_equal_compute"]}
        words = (_verdict(top, teacher_exists),)
    far, beyond = held.distance(N_S=N, D_S=D, L_T=best)
    note = Finding("gap", "note", "A teacher better than the best named here teaches worse: the capacity gap.")
    return Plan(
        f"distil {N:.4g} parameters on {D:.4g} tokens", found, {"L_T": tuple(np.exp(ends).tolist())}, choices=rows,
        limits=words, findings=(*doubts(held, far, beyond), note), source=held.source, distance=far, beyond=beyond,
        given={"params": N, "tokens": D},
    )  # fmt: skip


def alone(v: Mapping[str, Any], N: Any, D: Any) -> Any:
    """The loss of training without a teacher, by the same values."""
    return chinchilla_outer.function(N, D, **{k: v[k] for k in _OUTER})


def teacher_loss(params: float, tokens: float, source: Any = (chinchilla_outer, "busbridge2025")) -> Interval:
    """Loss of a teacher by size and tokens."""
    held = belief(source)
    return held.interval(lambda v: chinchilla_outer.function(params, tokens, **v))


def _row(held: Belief, N: float, D: float, N_T: float, D_T: float, exists: bool, level: float) -> dict[str, Any]:
    """One teacher: its loss, the student's, and training alone for the same compute."""
    N_T, D_T = positive("teacher params", N_T), positive("teacher tokens", D_T)
    total = 6 * N * D + 2 * N_T * D + (0.0 if exists else 6 * N_T * D_T)

    def distilled(v: Mapping[str, Any]) -> Any:
        return busbridge_distillation.function(N, D, alone(v, N_T, D_T), **v)

    return {
        "teacher_N": N_T, "teacher_D": D_T, "L_T": held.interval(lambda v: alone(v, N_T, D_T), level),
        "L_S": held.interval(distilled, level), "flops": total, "alone_tokens": total / (6 * N),
        "alone_equal_compute": held.interval(lambda v: alone(v, N, total / (6 * N)), level),
        "gain": held.interval(lambda v: alone(v, N, total / (6 * N)) - distilled(v), level),
    }  # fmt: skip


def _verdict(top: dict[str, Any], exists: bool) -> str:
    gain = top["gain"]
    cost = "its forward passes" if exists else "its training and forward passes"
    if np.isfinite(gain.lower) and gain.lower <= 0 <= gain.upper:
        return f"Cannot tell whether distilling beats training alone for the same compute ({cost} included)."
    word = "beats" if gain.estimate > 0 else "loses to"
    return (
        f"Distilling from the most economical teacher given {word} training alone for the same compute ({cost} "
        f"included) by {abs(gain.estimate):.3g} nats."
    )
