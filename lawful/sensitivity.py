"""Does the decision follow from the runs, or from how they were fitted?

Every combination of the choices that a table leaves open (`lawful.choices`) is fitted, those that share law and
objective in one batch, and each says what it would recommend: N and D for a budget, and the loss of one model. What
moves with the choices is not known to better than that, however narrow the interval of any one fit.

A choice's share is its main effect: the part of the variance of log N (or log D/N, or log loss) over all combinations
that lies between its options. What is left over belongs to choices together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from lawful.batch import joined, problems_of
from lawful.bind import bind
from lawful.bootstrap import bootstrap
from lawful.choices import Options, Table, as_law, chosen, data_of, effective_budget, examine, size_of
from lawful.findings import Finding
from lawful.law import Law
from lawful.objectives import objective
from lawful.points import Points
from lawful.search import find, starts_for
from lawful.uncertainty import Interval, percentiles

_MOST = 1000  # combinations
_HANGS = 1.5  # factor between the extremes from which a decision hangs on choices
_LOSS = 1.02  # the same for a loss
_DRAWS = 200
_LABELS = {"N": "N", "D": "D", "ratio": "tokens per parameter", "loss": "loss"}


@dataclass(frozen=True, repr=False)
class Sensitivity:
    """What each combination of choices recommends.

    options: the choices gone through, the default of each first. settings: one combination per row, the default first.
    outcomes: N, D, ratio (tokens per parameter) at ``flops``, and loss at ``at``, (rows,) each; nan where a combination
    cannot be fitted or has no optimum. n: points of each row. shares: outcome -> choice -> main effect, 0 to 1.
    noise: the default's own bootstrap interval (90 %) for each outcome. aside: rows that "no pullers" leaves out.
    """

    options: Options
    settings: tuple[Mapping[str, Any], ...]
    outcomes: Mapping[str, np.ndarray]
    n: tuple[int, ...]
    shares: Mapping[str, Mapping[str, float]]
    noise: Mapping[str, Interval]
    flops: float
    at: Mapping[str, float]
    aside: tuple[int, ...]
    findings: tuple[Finding, ...] = ()

    def range(self, outcome: str) -> tuple[float, float]:
        """The least and the largest of an outcome: "N", "D", "ratio" or "loss"."""
        good = self.outcomes[outcome][np.isfinite(self.outcomes[outcome])]
        return (float(good.min()), float(good.max())) if len(good) else (np.nan, np.nan)

    def table(self) -> Any:
        """A polars frame with a row for each combination: its choices, points, N, D, tokens per parameter, loss."""
        import polars as pl

        words = {name: [word(s[name]) for s in self.settings] for name in self.options}
        return pl.DataFrame(words | {"points": list(self.n)} | {k: v for k, v in self.outcomes.items()})

    def changes(self) -> list[tuple[str, str, int]]:
        """Choice, option and row of the default and of every setting that differs from it in one choice."""
        out, default = [("default", "", 0)], self.settings[0]
        for i, setting in enumerate(self.settings):
            differ = [name for name in self.options if word(setting[name]) != word(default[name])]
            if len(differ) == 1:
                out.append((differ[0], word(setting[differ[0]]), i))
        return out[:1] + sorted(out[1:], key=lambda row: list(self.options).index(row[0]))

    def __repr__(self) -> str:
        low, high = self.range("ratio")
        return f"<Sensitivity over {len(self.settings)} combinations: {low:.3g} to {high:.3g} tokens per parameter>"

    def __str__(self) -> str:
        default = ", ".join(f"{k} {word(v)}" for k, v in self.settings[0].items())
        lines = [
            f"{len(self.settings)} combinations of {', '.join(self.options)} at {self.flops:.3g} FLOP",
            f"default: {default}",
            "",
            f"{'one choice changed':<34}{'N':>11}{'D':>11}{'D/N':>8}{'loss':>9}",
        ]
        for name, option, i in self.changes():
            row = (f"{self.outcomes[k][i]:>{w}.3g}" for k, w in (("N", 11), ("D", 11), ("ratio", 8)))
            lines.append(f"{f'{name} {option}'.strip():<34}{''.join(row)}{self.outcomes['loss'][i]:>9.4g}")
        for end, what in enumerate(("least", "most")):
            ends = {k: self.range(k)[end] for k in self.outcomes}
            lines.append(
                f"{what + ' of all combinations':<34}{ends['N']:>11.3g}{ends['D']:>11.3g}{ends['ratio']:>8.3g}"
                f"{ends['loss']:>9.4g}"
            )
        place = ", ".join(f"{k} = {v:.4g}" for k, v in self.at.items())
        lines += [f"loss: forecast at {place}", ""]
        return "\n".join([*lines, *map(str, self.findings)])


def word(option: Any) -> str:
    """An option in a word: the name of a law, or the text itself."""
    return option.name if isinstance(option, Law) else str(option)


def sensitivity(
    runs: Any, choices: bool | Sequence[str] | Mapping[str, Any] = True, *, flops: float | None = None,
    at: Mapping[str, float] | None = None, laws: Sequence[str | Law] | None = None, target: str | None = None,
    seed: int = 0,
) -> Sensitivity:  # fmt: skip
    """Refit under every combination of choices, and say how the recommendation moves. See `lawful.compare`.

    flops: the budget (default: ten times the largest run's 6ND). at: {"N": ..., "D": ...} of the loss forecast
    (default: what the default choices recommend).
    """
    asked = dict(choices) if isinstance(choices, Mapping) else choices
    if laws and isinstance(asked, dict):
        asked.setdefault("law", tuple(laws))
    first = asked.get("objective", "log_lsq") if isinstance(asked, dict) else "log_lsq"
    given = (asked.get("law") if isinstance(asked, dict) else None) or laws
    given = [given] if isinstance(given, str | Law) else given
    table = examine(runs, given, first if isinstance(first, str) else first[0], target, seed)
    options = chosen(table, asked)
    if laws and not isinstance(asked, dict) and "law" in options:
        options["law"] = tuple(laws)
    count = int(np.prod([len(v) for v in options.values()]))
    if count > _MOST:
        raise ValueError(f"choices: {count} combinations; at most {_MOST} are fitted: leave out choices or options")
    settings = tuple(dict(zip(options, row)) for row in product(*options.values()))
    flops = flops or 10 * float(np.max(6 * table.base.points.X[table.size] * table.base.points.X["D"]))
    values, n = _fit_all(table, settings, seed)
    return _summary(table, options, settings, values, n, flops, dict(at or {}), seed)


def _fit_all(table: Table, settings: Sequence[Mapping[str, Any]], seed: int) -> tuple[list[dict | None], list[int]]:
    """The law's values under every setting (None where it cannot be fitted), one batch per law and objective."""
    batches: dict[tuple[str, Any], list[int]] = {}
    for i, setting in enumerate(settings):
        key = (word(setting.get("law", table.base.law)), setting.get("objective", table.base.objective))
        batches.setdefault(key, []).append(i)
    out: list[dict | None] = [None] * len(settings)
    n = [0] * len(settings)
    for (_, how), rows in batches.items():
        law = as_law(settings[rows[0]].get("law", table.base.law))
        unlike = [{k: v for k, v in settings[i].items() if k != "compute"} for i in rows]
        keys = [tuple(word(v) for v in s.values()) for s in unlike]  # compute needs no fit of its own
        sets: dict[Any, Points] = {key: data_of(table, law, s) for key, s in zip(keys, unlike)}
        found = dict(zip(sets, _solve(law, list(sets.values()), objective(how), seed)))
        for i, key in zip(rows, keys):
            out[i], n[i] = found[key], len(sets[key])
    return out, n


def _solve(law: Law, sets: list[Points], how: Any, seed: int) -> list[dict | None]:
    """The values of one law on several sets of points, in one batch."""
    model = bind(law, joined(sets).X)
    problems = problems_of(*sets)
    theta, F, _ = find(model, problems, how, starts_for(model, problems, how, None, seed))
    natural = model.natural(theta)
    enough = [len(one) >= model.size for one in sets]
    return [
        model.rebind(dict(zip(model.names, row))) if np.isfinite(f) and ok else None
        for row, f, ok in zip(natural, F, enough)
    ]


def _summary(
    table: Table, options: Options, settings: tuple[dict, ...], values: list[dict | None], n: list[int], flops: float,
    at: dict[str, float], seed: int,
) -> Sensitivity:  # fmt: skip
    laws = [as_law(s.get("law", table.base.law)) for s in settings]
    best = [_optimum(table, law, v, s, flops) for law, v, s in zip(laws, values, settings)]
    N, D = (np.array([pair[k] for pair in best]) for k in (0, 1))
    at = {**({"N": float(N[0]), "D": float(D[0])} if not {"N", "D"} <= at.keys() else {}), **at}
    loss = np.array([_loss(table, law, v, s, at) for law, v, s in zip(laws, values, settings)])
    outcomes = {"N": N, "D": D, "ratio": D / N, "loss": loss}
    shares = {k: _main_effects(np.log(v), options, settings) for k, v in outcomes.items()}
    noise = _noise(table, flops, at, settings[0], seed, outcomes)
    rows = tuple(int(table.base.points.rows[i]) for i in table.aside)
    made = Sensitivity(options, settings, outcomes, tuple(n), shares, noise, flops, at, rows)
    return replace(made, findings=tuple(_findings(made)))


def _optimum(table: Table, law: Law, v: dict | None, setting: Mapping[str, Any], flops: float) -> tuple[float, float]:
    """N and D that a fit recommends; N as the table's first column of sizes counts it."""
    if v is None:
        return np.nan, np.nan
    budget = effective_budget(table.runs, flops, setting.get("compute", "6ND"))
    with np.errstate(all="ignore"):
        N, D = (float(law.optimum[k](budget, v)) for k in (size_of(law), "D"))
    if not (np.isfinite([N, D]).all() and min(N, D) > 0):
        return np.nan, np.nan
    return float(_recounted(table, N, setting.get("params"), back=True)), D


def _loss(table: Table, law: Law, v: dict | None, setting: Mapping[str, Any], at: Mapping[str, float]) -> float:
    if v is None:
        return np.nan
    N = _recounted(table, at["N"], setting.get("params"))
    with np.errstate(all="ignore"):
        return float(law.at(v, **{size_of(law): N, "D": at["D"]}))


def _recounted(table: Table, N: Any, column: str | None, back: bool = False) -> Any:
    """A size in the table's first count as another column counts it, by the log-log line between them; or back."""
    first = table.base.points.columns[table.size]
    if column is None or column == first:
        return N
    x, y = (np.log(np.asarray(table.runs[c], float)) for c in ((column, first) if back else (first, column)))
    good = np.isfinite(x) & np.isfinite(y)
    slope, level = np.polyfit(x[good], y[good], 1)
    return np.exp(level + slope * np.log(N))


def _main_effects(z: np.ndarray, options: Options, settings: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    good = np.isfinite(z)
    total = float(((z - z[good].mean()) ** 2)[good].sum()) if good.any() else 0.0
    out = {}
    for name, levels in options.items():
        between = 0.0
        for level in levels:
            own = good & np.array([s[name] == level for s in settings])
            between += own.sum() * (z[own].mean() - z[good].mean()) ** 2 if own.any() else 0.0
        out[name] = float(between / total) if total > 0 else 0.0
    return out


def _noise(
    table: Table, flops: float, at: Mapping[str, float], default: Mapping[str, Any], seed: int,
    outcomes: Mapping[str, np.ndarray],
) -> dict[str, Interval]:  # fmt: skip
    """What the default's own runs leave open: bootstrap intervals, 90 %."""
    base = table.base
    method = "cluster" if base.points.cluster is not None else "pairs"
    made = bootstrap(base, method, _DRAWS, seed)
    rows = [base.model.rebind(dict(zip(made.names, row))) for row in made.values]
    pairs = np.array([_optimum(table, base.law, v, default, flops) for v in rows])
    loss = np.array([_loss(table, base.law, v, default, at) for v in rows])
    drawn = {"N": pairs[:, 0], "D": pairs[:, 1], "ratio": pairs[:, 1] / pairs[:, 0], "loss": loss}
    out = {}
    for k, sample in drawn.items():
        low, high, open_ = percentiles(sample, 0.9, float(outcomes[k][0]))
        verdict = "cannot tell: too many draws have no optimum" if open_ else ""
        out[k] = Interval(float(outcomes[k][0]), low, high, 0.9, method, verdict)
    return out


def _findings(made: Sensitivity) -> list[Finding]:
    lost = int((~np.isfinite(made.outcomes["N"])).sum())
    found = []
    if lost:
        text = f"{lost} of {len(made.settings)} combinations have no fit or no optimum within reach and are left out."
        found.append(Finding("no_optimum", "warning", text))
    found.append(_hangs(made, ("N", "ratio"), _HANGS, f"At {made.flops:.3g} FLOP", "decision"))
    place = ", ".join(f"{k} = {v:.3g}" for k, v in made.at.items())
    found.append(_hangs(made, ("loss",), _LOSS, f"At {place}", "forecast"))
    return found


def _hangs(made: Sensitivity, outcomes: tuple[str, ...], factor: float, where: str, what: str) -> Finding:
    """One sentence: how far the choices move these outcomes, how far noise does, and which choice matters most."""
    parts = []
    for k in outcomes:
        low, high = made.range(k)
        parts.append(f"{_LABELS[k]} from {low:.3g} to {high:.3g} (a factor of {high / low:.3g})")
    key = outcomes[-1]
    low, high = made.range(key)
    hangs = any(made.range(k)[1] >= factor * made.range(k)[0] for k in outcomes)
    noise = made.noise[key]
    own = f"the default's own 90% interval for {_LABELS[key]} is {noise.lower:.3g} to {noise.upper:.3g}"
    lead, share = max(made.shares[key].items(), key=lambda item: item[1], default=("", 0.0))
    leads = f"{lead} matters most ({share:.0%} of the variance of log {_LABELS[key]})" if lead and high > low else ""
    head = f"The {what} hangs on choices" if hangs else f"The {what} does not hang on choices"
    text = f"{head}. {where}, {len(made.settings)} defensible settings give {' and '.join(parts)}; {own}."
    text += f" Of the choices, {leads}." if leads else ""
    remedy = "Settle that choice before the budget is spent, or plan for the whole range." if hangs else ""
    return Finding(f"{what}_hangs" if hangs else f"{what}_holds", "warning" if hangs else "note", text, (), remedy)
