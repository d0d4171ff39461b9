"""A fit in words: what was fitted, every number with its interval, and what is doubtful.

The text is for a person who reads a terminal or a log; `facts` is the same as plain data, for programs.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lawful.quantities import find

if TYPE_CHECKING:
    from lawful.findings import Finding
    from lawful.fit import Fit
    from lawful.uncertainty import Interval, Intervals

WIDTH = 100


def describe_fit(fit: Fit, intervals: Intervals | None = None) -> str:
    """A fit as a person reads it. intervals: those to show (default: 95%, by the default method)."""
    intervals = _intervals(fit) if intervals is None else intervals
    rows = [(name, *interval_cells(one), one.verdict) for name, one in intervals.items()]
    lines = [headline(fit), *formula_lines(fit), *setting_lines(fit), ""]
    lines += columns([("", "estimate", interval_title(intervals), ""), *rows])
    lines += ["", *fact_lines(fit)]
    said = finding_lines(findings_of(fit, intervals))
    return "\n".join(lines + (["", *said] if said else []))


def _intervals(fit: Fit) -> Intervals:
    from lawful.uncertainty import intervals

    return intervals(fit)


def headline(fit: Fit) -> str:
    """``chinchilla fitted to 7 points: loss over N = params and D = tokens``"""
    columns = fit.points.columns
    over = {v: _column(columns.get(v, v)) for v in fit.law.variables}
    told = joined([v if column == v else f"{v} = {column}" for v, column in over.items()])
    by = f", by {fit.points.by}" if fit.points.by else ""
    target = _column(fit.points.target)
    return f"{fit.law.name} fitted to {fit.n} points: {target} over {told}{by}"


def _column(column: Any) -> str:
    """The name of a column in words: the vocabulary's for its symbols, otherwise the table's own."""
    if not isinstance(column, str):
        return f"({', '.join(map(str, column))})"
    quantity = find(column)
    return quantity.column if quantity is not None and column == quantity.symbol else column


def formula_lines(fit: Fit) -> list[str]:
    text = readable(fit.law.latex)
    paper = fit.law.paper
    source = f"{paper.authors.split(', ')[0]} et al. {paper.year}, {paper.title}" if paper else ""
    return [f"  {line}" for line in (text, source) if line]


def setting_lines(fit: Fit) -> list[str]:
    """What the user fixed, tied, bounded or asked for."""
    s = fit.settings
    parts = [f"{k} = {_number(v)} fixed" for k, v in s.fixed.items()]
    parts += [f"{k} tied to {v}" for k, v in s.tied.items()]
    parts += [f"{k} within [{a:g}, {b:g}]" for k, (a, b) in s.bounds.items()]
    parts += [f"{', '.join(s.shared)} shared by all groups"] if s.shared else []
    parts += [f"fitted by the protocol {s.protocol}"] if s.protocol else []
    return [f"  {'; '.join(parts)}"] if parts else []


def fact_lines(fit: Fit) -> list[str]:
    """Residual spread, objective and search, in words."""
    free = f"{fit.n} points, {len(fit.estimates)} free numbers, {fit.dof} degrees of freedom"
    said = {
        "residual sd": f"{spread_words(fit)} ({free})",
        "objective": f"{objective_words(fit)}, {fit.F:.6g} at the optimum",
        "search": search_words(fit),
    }
    return [
        line
        for name, text in said.items()
        for line in textwrap.wrap(text, WIDTH, initial_indent=f"{name:<13}", subsequent_indent=" " * 13)
    ]


def spread_words(fit: Fit) -> str:
    """The residual standard deviation in the unit in which it can be read."""
    if not np.isfinite(fit.sigma):
        return "unknown: no degrees of freedom"
    if fit.objective.binomial:
        return f"{fit.sigma:.3g} times the binomial one"
    target = _column(fit.points.target)
    return f"{percent(fit.sigma)} of {target}" if fit.objective.log else f"{fit.sigma:.3g} in {target}"


def objective_words(fit: Fit) -> str:
    """The objective's name and meaning: ``log_huber (Huber loss of log residuals, delta 0.001)``."""
    o = fit.objective
    if o.binomial:
        return "binomial (half the deviance)"
    what = "log residuals" if o.log else "residuals"
    if o.name.endswith("lad"):
        return f"{o.name} (absolute {what}, by Huber's loss with delta {o.delta:.2g})"
    if np.isfinite(o.delta):
        return f"{o.name} (Huber loss of {what}, delta {o.delta:g})"
    if o.tau != 0.5:
        return f"{o.name} (squared {what}, those above the curve weighing {o.tau:g})"
    return f"{o.name} (half the sum of squared {what})"


def search_words(fit: Fit) -> str:
    s = fit.search
    starts = f"{s.starts} start{'s' * (s.starts != 1)}, {s.solved} solved to the end, {percent(s.agree)} of these agree"
    near = [F for F, _ in s.optima[1:] if s.optima[0][0] < F <= 1.1 * s.optima[0][0]]
    if not near:
        return f"{starts}; no other optimum within 10%"
    count = f"{len(near)} other optim{'a' if len(near) > 1 else 'um'}"
    return f"{starts}; {count} within 10%, the nearest {percent(near[0] / s.optima[0][0] - 1)} worse"


def findings_of(fit: Fit, intervals: Intervals | None) -> list[Finding]:
    """The findings of a fit and of its intervals, each once, worst first."""
    rank = {"error": 0, "warning": 1, "note": 2}
    found = [*fit.findings, *(intervals.findings if intervals is not None else ())]
    return sorted(dict.fromkeys(found), key=lambda f: rank[f.severity])


def finding_lines(findings: Iterable[Finding], width: int = WIDTH) -> list[str]:
    """Each finding as a wrapped sentence with its severity in front, the remedy with it."""
    lines = []
    for f in findings:
        text = f"{f.message} {f.remedy}".strip()
        lines += textwrap.wrap(text, width, initial_indent=f"{f.severity:<8} ", subsequent_indent=" " * 9)
    return lines


def interval_title(intervals: Intervals) -> str:
    level = next((one.level for one in intervals.values()), 0.95)
    return f"{level * 100:g}% interval ({intervals.method})"


def interval_cells(one: Interval) -> tuple[str, str]:
    """An estimate and its interval as text; where the data set no limit the end of the scan is not shown as one."""
    below, above = (one.verdict.startswith(f"cannot tell: no limit {s}") for s in ("below", "above"))
    if one.verdict.startswith("cannot tell: no limit either side") or np.isinf([one.lower, one.upper]).all():
        return number(one.estimate), "no limit"
    lower = "no limit" if below or np.isinf(one.lower) else number(one.lower)
    upper = "no limit" if above or np.isinf(one.upper) else number(one.upper)
    return number(one.estimate), f"{lower} to {upper}"


def number(x: float) -> str:
    """Four significant digits, powers of ten from a million on and below a thousandth."""
    if np.isnan(x):
        return "unknown"
    if np.isinf(x):
        return "no limit"
    if x == 0 or 1e-3 <= abs(x) < 1e6:
        return f"{x:.4g}"
    mantissa, power = f"{x:.3e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(power)}"


def percent(x: float) -> str:
    """A share as a percentage of two significant digits: ``1.2%``; two parts in a million are ``0.0002%``."""
    digits = np.format_float_positional(100 * x, precision=3, fractional=False, trim="-")
    return f"{digits}%"


def _number(x: Any) -> str:
    return ", ".join(map(number, x)) if np.ndim(x) else number(float(x))


def columns(rows: list[tuple[str, ...]], width: int = WIDTH) -> list[str]:
    """Rows as aligned columns, two blanks between them; the last column is wrapped to the width."""
    wide = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        start = "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, wide)) + "  "
        rest = textwrap.wrap(row[-1], max(width - len(start), 30)) or [""]
        lines += [(start + rest[0]).rstrip(), *(" " * len(start) + more for more in rest[1:])]
    return lines


def wrapped(text: str, width: int = WIDTH) -> list[str]:
    """Lines no longer than the width, the rest of a long one indented below it."""
    lines = []
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()))
        lines += textwrap.wrap(line.strip(), width, initial_indent=indent, subsequent_indent=f"{indent}  ") or [""]
    return lines


def joined(words: list[str]) -> str:
    """``a, b and c``"""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "nothing"


_WORDS = {
    r"\alpha": "alpha", r"\beta": "beta", r"\gamma": "gamma", r"\delta": "delta", r"\kappa": "kappa",
    r"\sigma": "sigma", r"\lambda": "lambda", r"\mu": "mu", r"\eta": "eta", r"\theta": "theta", r"\tau": "tau",
    r"\rho": "rho", r"\epsilon": "epsilon", r"\varepsilon": "epsilon", r"\phi": "phi", r"\omega": "omega",
    r"\infty": "inf", r"\cdot": "*", r"\times": "*", r"\left": "", r"\right": "", r"\big": "", r"\Big": "",
    r"\,": " ", r"\;": " ", r"\quad": "  ", r"\star": "*", r"\hat": "", r"\bar": "", r"\rm": "",
    r"\approx": "~", r"\sum": "sum", r"\prod": "prod", r"\log": "log", r"\exp": "exp",
    r"\min": "min", r"\max": "max", r"\ln": "ln", r"\le": "<=", r"\ge": ">=",
}  # fmt: skip


@cache
def _word_pattern() -> re.Pattern[str]:
    names = sorted(_WORDS, key=len, reverse=True)
    return re.compile("|".join(re.escape(n) + (r"(?![A-Za-z])" if n[1].isalpha() else "") for n in names))


def readable(latex: str) -> str:
    r"""A formula of the catalogue without TeX, where it is simple: ``L = E + A N^(-alpha)``; otherwise as it is."""
    text = latex
    for _ in range(4):
        text = re.sub(r"\\[dt]?frac\{((?:[^{}]|\{[^{}]*\})*)\}\{((?:[^{}]|\{[^{}]*\})*)\}", r"(\1)/(\2)", text)
        text = re.sub(r"\\(?:mathrm|text|operatorname|mathit)\{([^{}]*)\}", r"\1", text)
        text = re.sub(r"\\sqrt\{([^{}]*)\}", r"sqrt(\1)", text)
    text = _word_pattern().sub(lambda found: _WORDS[found[0]], text)
    text = re.sub(r"_\{([^{}]*)\}", r"_\1", text)
    text = re.sub(r"\^\{([A-Za-z0-9.]+)\}", r"^\1", text)
    text = re.sub(r"\^\{([^{}]*)\}", r"^(\1)", text)
    text = re.sub(r"\((\w+)\)/\((\w+)\)", r"\1/\2", text)
    return latex if re.search(r"[\\{}]", text) else re.sub(r"\s+", " ", text).strip()


def facts(fit: Fit, intervals: Intervals) -> dict[str, Any]:
    """The same as data: law, n, objective, each free number with its interval, search, findings."""
    from dataclasses import asdict

    return {
        "law": fit.law.name,
        "formula": fit.law.latex,
        "target": fit.points.target,
        "columns": dict(fit.points.columns),
        "n": fit.n,
        "dof": fit.dof,
        "objective": asdict(fit.objective) | {"value": fit.F},
        "residual_sd": fit.sigma,
        "level": next((one.level for one in intervals.values()), None),
        "method": intervals.method,
        "estimates": {name: _interval_facts(one) for name, one in intervals.items()},
        "fixed": dict(fit.settings.fixed),
        "tied": dict(fit.settings.tied),
        "search": {"starts": fit.search.starts, "solved": fit.search.solved, "agree": fit.search.agree},
        "findings": [asdict(f) for f in findings_of(fit, intervals)],
        "fingerprint": fit.fingerprint,
        "seed": fit.settings.seed,
    }


def _interval_facts(one: Interval) -> Mapping[str, Any]:
    return {"estimate": one.estimate, "lower": one.lower, "upper": one.upper, "verdict": one.verdict}
