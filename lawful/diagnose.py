"""Is this fit to be believed? Seven questions, each answered by sentences with a number in them.

* Identified: do the data determine each number, or do some trade off against others?
* Influence: which runs carry the conclusion? Each point is left out and the law fitted again; with enough points a
  robust fit first sets aside, one by one, those that pull it (Cook's distance on a robust scale), since outliers hide
  each other from a leave-one-out.
* Residuals: do they still follow a variable, a group or the order of the table?
* Lack of fit: does the law miss the means of repeated runs by more than their noise?
* Noise: how large is it between equal runs, and what of the residual spread does it explain?
* Range: is there a size below which the law fails, a break, a size from which a task is above chance?
* Tuning: are runs under-trained or mistuned, by what the table says of them beyond the law's own variables?

Tests are F tests of terms added to the law linearised at the optimum; their p-values are Holm-adjusted within a
question, so one sentence in twenty is false at most where nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from lawful.diagnose_range import holds, tuning
from lawful.diagnose_runs import added_terms, influence, linearised
from lawful.findings import Finding
from lawful.fit import Fit
from lawful.quantities import find
from lawful.spread import condition, slot_slopes
from lawful.uncertainty import Intervals, intervals

_TRADE = 0.95  # correlation of two numbers from which they trade off
_CONDITION = 1e3  # condition of the scaled Jacobian from which a direction is as good as free
_LINE = 0.999  # R2 from which one variable is a function of the others
_LEVEL = 0.05  # of all tests of one question together

_SECTIONS = {
    "identified": "Do the data determine the numbers?",
    "influence": "Which runs carry the conclusion?",
    "residuals": "What is left in the residuals?",
    "lack_of_fit": "Does the law pass through repeated runs?",
    "noise": "How large is the noise between equal runs?",
    "range": "Where does the law hold?",
    "tuning": "Were the runs trained well enough?",
}


@dataclass(frozen=True)
class Diagnosis:
    """What was found, by question, and the figures behind it (condition, correlations, distances, p-values)."""

    name: str
    n: int
    findings: Mapping[str, tuple[Finding, ...]]
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        return tuple(f for found in self.findings.values() for f in found)

    @property
    def worst(self) -> str:
        """The gravest severity: error, warning or note."""
        seen = {f.severity for f in self.all_findings}
        return next((s for s in ("error", "warning") if s in seen), "note")

    @property
    def verdict(self) -> str:
        """One line: whether to believe the fit."""
        errors, warnings = (sum(f.severity == s for f in self.all_findings) for s in ("error", "warning"))
        head = f"{self.name} on {self.n} points: "
        if errors:
            return f"{head}not to be believed as it stands: {_count(errors, 'error')}, {_count(warnings, 'warning')}"
        if warnings:
            return f"{head}usable with care: {_count(warnings, 'warning')}"
        return f"{head}nothing speaks against it"

    def sections(self) -> dict[str, tuple[Finding, ...]]:
        """The findings under their questions in words."""
        return {_SECTIONS[key]: found for key, found in self.findings.items()}

    def facts(self) -> dict[str, Any]:
        """The same as plain data."""
        found = {key: [asdict(f) for f in some] for key, some in self.findings.items()}
        return {"verdict": self.verdict, "worst": self.worst, "findings": found, "figures": dict(self.figures)}

    def __str__(self) -> str:
        from lawful.describe import finding_lines

        lines = [self.verdict]
        for heading, found in self.sections().items():
            lines += ["", heading, *(f"  {line}" for line in finding_lines(found, 98))]
        return "\n".join(lines)


def _count(n: int, word: str) -> str:
    return f"{n} {word}{'s' * (n != 1)}"


def diagnose(fit: Fit, level: float = 0.95, runs: Any = None) -> Diagnosis:
    """Examine a fit. level: of the intervals by which identification is judged.

    runs: the table that was fitted, whose other columns (learning rate, batch, width) may explain what the law leaves.

    Raises TypeError for `Fits`: diagnose each of its fits.
    """
    if not isinstance(fit, Fit):
        raise TypeError("diagnose takes one fit; for fits by group, diagnose each: {k: diagnose(f) for k, f in ...}")
    figures: dict[str, Any] = {}
    sure = intervals(fit, level)
    known = [name for name, one in sure.items() if not one.verdict]
    questions = {
        "identified": _identified(fit, sure, figures),
        "influence": influence(fit, known, figures),
        "residuals": _residuals(fit, figures),
        "lack_of_fit": _lack_of_fit(fit, figures),
        "noise": _noise(fit, figures),
        "range": holds(fit, figures),
        "tuning": tuning(fit, runs, figures),
    }
    return Diagnosis(fit.law.name, fit.n, {key: tuple(found) for key, found in questions.items()}, figures)


def _identified(fit: Fit, sure: Intervals, figures: dict[str, Any]) -> Iterator[Finding]:
    """The fit's own findings, intervals without end, design on a line, and numbers that trade off."""
    yield from fit.findings
    open_ = {name: one for name, one in sure.items() if one.verdict}
    for name, one in open_.items():
        text = f"{name} = {one.estimate:.4g}: {one.verdict} ({one.level * 100:g}% interval, {sure.method})."
        yield Finding("open_interval", "warning", text, (), f"Fix {name} if it is known, or add runs that show it.")
    yield from _on_a_line(fit)
    figures["condition"] = condition(fit.model, fit.theta, fit.problems, fit.objective)
    yield from _trading(fit, figures)
    if not open_ and not fit.findings:
        names = ", ".join(fit.estimates)
        yield Finding("identified", "note", f"All {len(sure)} numbers ({names}) have an interval with two ends.")


def _on_a_line(fit: Fit) -> Iterator[Finding]:
    """Is one variable a power of the others in all runs?"""
    logs = {
        v: np.log(x) for v, x in fit.points.X.items() if v not in fit.law.arrays and np.min(x) > 0 and np.ptp(x) > 0
    }
    for v, x in list(logs.items())[1:]:
        others = [logs[o] for o in list(logs)[: list(logs).index(v)]]
        A = np.column_stack([np.ones(fit.n), *others])
        beta = np.linalg.lstsq(A, x, rcond=None)[0]
        R2 = 1 - float(((x - A @ beta) ** 2).sum() / ((x - x.mean()) ** 2).sum())
        if R2 > _LINE:
            first = next(iter(logs))
            law = f"{v} is proportional to {first}^{beta[1]:.3g}" if len(others) == 1 else f"{v} follows the others"
            yield Finding(
                "confounded", "error", f"{law} in all {fit.n} points (R2 of the logs {R2:.5f}): the effects of "
                f"{v} and {first} cannot be told apart.", (), "Add runs off this line, or use a law of one variable.",
            )  # fmt: skip


def _slot_correlation(fit: Fit) -> np.ndarray:
    """Correlations of the free numbers, amplitudes being read at the middle of the data (nan where undetermined)."""
    S = slot_slopes(fit.model, fit.theta)
    keep = np.isfinite(np.diag(fit.covariance))
    out = np.full(fit.covariance.shape, np.nan)
    with np.errstate(all="ignore"):
        try:
            inverse = np.linalg.inv(S[np.ix_(keep, keep)])
        except np.linalg.LinAlgError:
            return out
        C = inverse @ fit.covariance[np.ix_(keep, keep)] @ inverse.T
        sd = np.sqrt(np.diag(C))
        out[np.ix_(keep, keep)] = C / sd[:, None] / sd[None]
    return out


def _trading(fit: Fit, figures: dict[str, Any]) -> Iterator[Finding]:
    """Pairs of numbers that the data move together, and how ill-conditioned the whole is."""
    names = list(fit.estimates)
    R = _slot_correlation(fit)
    said = [f"the term of {s.name}" if s.centre else s.name for s in fit.model.slots]
    traded = [(i, j) for i in range(len(names)) for j in range(i) if abs(R[i, j]) > _TRADE]
    figures["correlations"] = {f"{names[j]}, {names[i]}": float(R[i, j]) for i, j in traded}
    if traded:
        told = "; ".join(f"{said[j]} and {said[i]} ({R[i, j]:+.3f})" for i, j in sorted(traded, key=lambda p: p[::-1]))
        worst = figures["condition"]
        text = f"These trade off, correlation beyond {_TRADE:g}: {told}; condition of the Jacobian {worst:.2g}."
        severe = "warning" if worst > _CONDITION else "note"
        yield Finding("trade_off", severe, text, (), "Read them together, or forecasts, rather than one by one.")


def _residuals(fit: Fit, figures: dict[str, Any]) -> Iterator[Finding]:
    """Trend and curvature along each variable, offsets between groups, correlation with the neighbour in the table."""
    if fit.dof < 3:
        text = f"With {_count(max(fit.dof, 0), 'degree')} of freedom the residuals can show nothing."
        yield Finding("residuals_few", "note", text, (), "Add runs.")
        return
    A, r = linearised(fit)
    tests = dict(_tests(fit, A, r))
    adjusted = _holm({name: p for name, (_, p, _) in tests.items()})
    figures["residual_tests"] = {name: {"share": t[0], "p": adjusted[name]} for name, t in tests.items()}
    seen = [name for name in tests if adjusted[name] < _LEVEL]
    for name in seen:
        share, _, words = tests[name]
        yield Finding(
            "residual_structure", "warning", f"The residuals {words}: this explains {share:.0%} of their squares "
            f"(p {_p(adjusted[name])}, adjusted for {_count(len(tests), 'test')}).", (),
            "Another law, a variable that is missing, or groups of their own may explain it." * (name == seen[0]),
        )  # fmt: skip
    if fit.objective.binomial and fit.sigma > 0:
        yield from _overdispersion(fit)
    if not seen:
        text = f"No structure by {', '.join(tests)} in {_count(fit.dof, 'degree')} of freedom"
        yield Finding("residuals_clean", "note", f"{text} (smallest adjusted p {_p(min(adjusted.values()))}).")


def _tests(fit: Fit, A: np.ndarray, r: np.ndarray) -> Iterator[tuple[str, tuple[float, float, str]]]:
    """Name -> share of squares explained, p-value, and what it would mean."""
    p = fit.points
    root = np.sqrt(p.w)
    for v, x in p.X.items():
        if v in fit.law.arrays or np.ptp(x) == 0:
            continue
        z = np.log(x) if np.min(x) > 0 else x
        z = (z - z.mean()) / z.std()
        share, value, k = added_terms(A, r, np.column_stack([z, z**2]) * root[:, None])
        if k:
            scale = "log " if np.min(x) > 0 else ""
            yield v, (share, value, f"bend along {scale}{_name(v)}")
    if p.group is not None and len(p.labels) > 1:
        shares = np.stack([p.group == g for g in range(len(p.labels))], axis=1).astype(float)
        share, value, k = added_terms(A, r, shares * root[:, None])
        if k:
            yield p.by, (share, value, f"differ between the {len(p.labels)} groups of {p.by}")
    yield "order", (*_neighbours(fit, r), f"resemble their neighbours in the table (correlation {_lag(fit, r):+.2f})")


def _name(v: str) -> str:
    quantity = find(v)
    return quantity.column if quantity is not None and quantity.symbol == v else v


def _lag(fit: Fit, r: np.ndarray) -> float:
    """Correlation of each residual with the one before it, within the run where points belong to runs."""
    order = np.argsort(fit.points.rows, kind="stable")
    r = r[order] - r.mean()
    pairs = r[1:] * r[:-1]
    if fit.points.cluster is not None:
        code = fit.points.cluster[order]
        pairs = pairs[code[1:] == code[:-1]]
    return float(pairs.sum() / max((r * r).sum(), 1e-300))


def _neighbours(fit: Fit, r: np.ndarray) -> tuple[float, float]:
    """Square of the lag-one correlation, and its p-value against random orders of the same residuals (999, seeded)."""
    rng = np.random.default_rng(fit.settings.seed)
    seen = _lag(fit, r)
    drawn = np.array([_lag(fit, rng.permutation(r)) for _ in range(999)])
    return seen**2, float((1 + (np.abs(drawn - drawn.mean()) >= abs(seen - drawn.mean())).sum()) / 1000)


def _holm(values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjustment of p-values."""
    out, running, m = {}, 0.0, len(values)
    for i, (name, p) in enumerate(sorted(values.items(), key=lambda item: item[1])):
        running = max(running, min(1.0, (m - i) * p))
        out[name] = running
    return out


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"= {value:.2g}"


def _overdispersion(fit: Fit) -> Iterator[Finding]:
    from scipy.special import chdtrc

    squares = fit.sigma**2
    p = float(chdtrc(fit.dof, squares * fit.dof))
    if p < _LEVEL:
        yield Finding(
            "overdispersed", "warning", f"The accuracies miss the curve by {fit.sigma:.2f} times what counting "
            f"errors of their items explain (chi2 = {squares * fit.dof:.1f} on {fit.dof}, p {_p(p)}).", (),
            "Read intervals from a bootstrap of the points (method='pairs'), not from counting errors.",
        )  # fmt: skip


def _replicates(fit: Fit) -> np.ndarray:
    """A code for each point: equal where all variables and the group are equal."""
    rows = [x for v in fit.points.X.values() for x in np.atleast_2d(v)]
    rows += [] if fit.points.group is None else [fit.points.group.astype(float)]
    return np.unique(np.stack(rows), axis=1, return_inverse=True)[1].reshape(-1)


def _pure_error(fit: Fit) -> tuple[float, int, int]:
    """Weighted squares within repeated designs, their degrees of freedom, and the number of designs repeated."""
    code = _replicates(fit)
    r, w = fit.residuals, fit.points.w
    squares, dof, repeated = 0.0, 0, 0
    for c in np.unique(code):
        own = code == c
        if own.sum() > 1:
            mean = np.average(r[own], weights=w[own])
            squares += float((w[own] * (r[own] - mean) ** 2).sum())
            dof, repeated = dof + int(own.sum()) - 1, repeated + 1
    return squares, dof, repeated


def _lack_of_fit(fit: Fit, figures: dict[str, Any]) -> Iterator[Finding]:
    """Residual squares beyond those between repeats, against them (the classical lack-of-fit F test)."""
    from scipy.special import fdtrc

    squares, dof, repeated = _pure_error(fit)
    rest = fit.dof - dof
    if not dof:
        text = f"None of the {fit.n} designs is repeated, so a wrong law cannot be told from noise by this test."
        yield Finding("no_replicates", "note", text, (), "Repeat some runs with other seeds.")
        return
    if rest <= 0 or squares <= 0:
        text = f"{_count(repeated, 'repeated design')}, but nothing is left to test: {rest} degrees of freedom."
        yield Finding("no_lack_of_fit", "note", text, (), "Add runs at other scales.")
        return
    F = max(fit.rss - squares, 0.0) / rest / (squares / dof)
    p = float(fdtrc(rest, dof, F))
    figures["lack_of_fit"] = {"F": F, "dof": [rest, dof], "p": p}
    told = f"F = {F:.3g} on {rest} and {dof} degrees of freedom, p {_p(p)}"
    if p < _LEVEL:
        text = f"The law misses the means of {_count(repeated, 'repeated design')} by more than their noise ({told})."
        yield Finding("lack_of_fit", "warning", text, (), "The form is wrong somewhere: compare laws.")
    else:
        text = f"The law passes through {_count(repeated, 'repeated design')} as well as their noise allows ({told})."
        yield Finding("fits_replicates", "note", text)


def _noise(fit: Fit, figures: dict[str, Any]) -> Iterator[Finding]:
    """Standard deviation between equal runs with its interval, beside that of the residuals."""
    from scipy.special import chdtri

    squares, dof, repeated = _pure_error(fit)
    if not dof:
        yield Finding("noise_unknown", "note", "Cannot tell: no design is repeated, so the noise between seeds is "
                      f"only known to be part of the residual sd, {_spread(fit, fit.sigma)}.")  # fmt: skip
        return
    sd = np.sqrt(squares / dof)
    low, high = (float(np.sqrt(squares / chdtri(dof, q))) for q in (0.025, 0.975))
    figures["noise"] = {"sd": float(sd), "lower": low, "upper": high, "dof": dof}
    yield Finding(
        "noise", "note", f"Between equal runs the sd is {_spread(fit, float(sd))} (95% interval {_spread(fit, low)} to "
        f"{_spread(fit, high)}, {dof} degrees of freedom); the residual sd is {_spread(fit, fit.sigma)}.",
    )  # fmt: skip


def _spread(fit: Fit, sd: float) -> str:
    if not np.isfinite(sd):
        return "unknown"
    return f"{100 * sd:.3g}%" if fit.objective.log else f"{sd:.3g}"
