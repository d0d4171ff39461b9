"""What a fit has to confess: terms that vanished, bounds that were hit, optima that compete, points outside delta."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lawful.bind import Slot
from lawful.findings import Finding, counted, listed
from lawful.spread import overdispersion

if TYPE_CHECKING:
    from lawful.fit import Fit

_GONE = 1e-6  # a term below this part of the data's level has vanished
_RIVAL = 0.01  # optima within this part of the best objective compete


def check_fit(fit: Fit) -> list[Finding]:
    """The findings of one fit, worst first."""
    found = [*_bounds(fit), *_freedom(fit), *_scatter(fit), *_agreement(fit), *_inside(fit)]
    rank = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda f: rank[f.severity])


def _bounds(fit: Fit) -> list[Finding]:
    """Terms that are gone and parameters that sit on a bound."""
    found = []
    level = float(np.median(np.abs(fit.points.y)))
    kinds = {p.name: p.kind for p in fit.law.parameters}
    for i, slot in enumerate(fit.model.slots):
        value = fit.estimates[slot.name]
        if slot.centre and np.exp(fit.theta[i]) < _GONE * level:
            found.append(Finding(
                "term_vanished", "warning",
                f"The term of {slot.name} is below {_GONE:g} of the data's level: the fit has dropped it, so its "
                "exponent means nothing.", (), "Choose a law without this term.",
            ))  # fmt: skip
        elif kinds[slot.parameter] == "offset" and slot.lower == 0 and value < _GONE * level:
            found.append(Finding(
                "term_vanished", "warning", f"{slot.name} went to 0: the data show no constant term.", (),
                "Choose a law without it, or fix it.",
            ))  # fmt: skip
        elif (edge := _edge(slot, value)) is not None:
            found.append(Finding(
                "bound_hit", "warning", f"{slot.name} = {value:.4g} sits on its bound {edge:g}.", (),
                "Widen the bound if it is not a fact; else fix the parameter there.",
            ))  # fmt: skip
    return found


def _edge(slot: Slot, value: float) -> float | None:
    if slot.kind == "between":
        span = slot.upper - slot.lower
        return next((e for e in (slot.lower, slot.upper) if abs(value - e) < 1e-5 * span), None)
    edge = {"above": slot.lower, "below": slot.upper}.get(slot.kind)
    if edge is None or slot.centre:
        return None
    return edge if abs(value - edge) < 1e-7 * max(1.0, abs(edge)) else None


def _freedom(fit: Fit) -> list[Finding]:
    found = []
    if fit.dof == 0:
        found.append(Finding(
            "no_freedom", "error",
            f"There are as many points as free parameters ({fit.n}): the law passes through all of them and "
            "nothing can be said of its error.", (), "Add runs, or fix parameters.",
        ))  # fmt: skip
    lost = [n for n, v in zip(fit.estimates, np.diag(fit.covariance)) if not np.isfinite(v)]
    if lost and fit.dof > 0:
        found.append(Finding(
            "not_determined", "error", f"The data do not determine {', '.join(lost)} at the optimum: "
            "its slopes vanish or cancel.", (), "Fix or tie parameters, or choose a law with fewer.",
        ))  # fmt: skip
    return found


def _scatter(fit: Fit) -> list[Finding]:
    """A law that explains nothing, and accuracies that scatter more than their items allow."""
    level = fit.objective.residuals(fit.points.y, np.full(fit.n, np.median(fit.points.y)))
    space = level - np.average(level, weights=fit.points.w)
    found = []
    if fit.n > 2 and fit.dof > 0 and fit.estimates and fit.rss >= float((fit.points.w * space**2).sum()) * 0.999 > 0:
        found.append(Finding(
            "explains_nothing", "error", f"The law fits no better than a constant: {fit.points.target} may rise where "
            "the law can only fall, be of the wrong sign, or not depend on the law's variables.", (),
            "Look at the data; give exponents other bounds, or choose another law.",
        ))  # fmt: skip
    robust = 1.4826 * float(np.median(np.abs(fit.residuals)))
    far = np.flatnonzero(np.abs(fit.residuals) > 6 * robust) if fit.n >= 10 and fit.objective.squares else []
    if 0 < len(far) <= fit.n // 10 and robust > 1e-9 * float(np.median(np.abs(fit.points.y))):
        rows = tuple(int(fit.points.rows[i]) for i in far)
        found.append(Finding(
            "far_points", "warning", f"More than 6 robust standard deviations from the law, which follows them: "
            f"{counted(len(far), 'point')}, in rows {listed(rows)}.", rows,
            "Look at them; leave them out with where=, or fit with objective log_huber.",
        ))  # fmt: skip
    if fit.objective.binomial and (extra := overdispersion(fit.sigma, fit.dof)) > 1:
        found.append(Finding(
            "overdispersed", "warning", f"The accuracies scatter {extra:.1f} times as much as their numbers of items "
            "explain: intervals are widened by that.", (), "Another law, or noise between models.",
        ))  # fmt: skip
    return found


def _agreement(fit: Fit) -> list[Finding]:
    search = fit.search
    found = []
    if search.solved > 1 and search.agree < 0.25:
        found.append(Finding(
            "few_starts_agree", "note", f"Of the {search.solved} starts solved to the end, {search.agree:.0%} "
            "reach the best optimum.", (), "Raise count= if the answer matters.",
        ))  # fmt: skip
    for F, theta in search.optima[1:]:
        if F <= search.optima[0][0] * (1 + _RIVAL) and len(theta) == fit.model.size:
            other = dict(zip(fit.model.names, fit.model.natural(np.array([theta]))[0]))
            differs = [n for n in other if abs(other[n] - fit.estimates[n]) > 0.1 * abs(fit.estimates[n])]
            if differs:
                listed = ", ".join(f"{n} = {other[n]:.3g} instead of {fit.estimates[n]:.3g}" for n in differs[:4])
                found.append(Finding(
                    "rival_optimum", "warning", f"Another optimum is only {F / search.optima[0][0] - 1:.2%} worse: "
                    f"{listed}.", (), "Read profile intervals, not this point.",
                ))  # fmt: skip
                break
    return found


def _inside(fit: Fit) -> list[Finding]:
    """With Huber's loss: how many points are squared at all."""
    delta = fit.objective.delta
    if not np.isfinite(delta) or fit.objective.binomial or fit.objective.name.endswith("lad"):
        return []
    share = float(np.mean(np.abs(fit.residuals) <= delta))
    meaning = "nearly least absolute deviations" if share < 0.3 else "between squares and absolute values"
    return [Finding(
        "inside_delta", "note", f"{share:.0%} of the points lie inside delta = {delta:g}"
        + (f": this is {meaning}." if share < 0.9 else "."), (), "",
    )]  # fmt: skip
