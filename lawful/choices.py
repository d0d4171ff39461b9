"""What could have been chosen otherwise? The defensible ways to fit one table of runs, read off the table itself.

Nobody is told by the data to take Huber's loss or squares, to keep or to drop the shortest runs, to count embeddings or
not. Each such question is a choice with options; `offered` lists those that a table leaves open, the default first:

    objective    log_lsq, log_huber:1e-3 (Hoffmann et al. 2022), log_huber:1e-2, lsq, log_lad
    law          laws that give the best N and D for a budget, and that the table has the variables for
    outliers     all; no pullers (the runs that `diagnose` sets aside); no top 2% (the highest losses, a common rule)
    params       the columns params and params_nonembed
    compute      6ND; counted (the budget buys as many N D as the table's own FLOPs do)
    checkpoints  all; last (of each run)
    weights      the table's column; equal
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lawful.diagnose_runs import pullers
from lawful.fit import Fit, fit
from lawful.law import Law
from lawful.laws import load
from lawful.objectives import objective
from lawful.points import Points, points
from lawful.quantities import did_you_mean

NAMES = ("law", "objective", "outliers", "params", "compute", "checkpoints", "weights")
OBJECTIVES = ("log_lsq", "log_huber:1e-3", "log_huber:1e-2", "lsq", "log_lad")
_LAWS = ("chinchilla", "xlstm")  # xlstm has Chinchilla's terms inside a power: one number more
_TOP = 0.02  # share of the highest losses that a filter drops
_MANY = 20  # runs from which dropping some is worth a thought
_AGREE = 1.02  # counted FLOPs this near to 6ND leave nothing to choose

Options = dict[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Table:
    """A table of runs with what its choices need: the target, the name of N in a law's eyes, and the runs set aside."""

    runs: Any
    target: str | None
    base: Fit
    aside: tuple[int, ...]  # positions in base.points

    @property
    def size(self) -> str:
        return next(v for v in ("N", "N_nonemb") if v in self.base.law.variables)


def examine(runs: Any, laws: Sequence[str | Law] | None, first: str, target: str | None, seed: int) -> Table:
    """Fit the default and find the runs that pull it. Raises ValueError where no law of N and D has an optimum."""
    law = as_law((laws or _LAWS)[0])
    if not {"N", "N_nonemb"} & law.optimum.keys():
        raise ValueError(
            f"choices: law {law.name} does not say which N and D are best for a budget; "
            f"laws that do: {', '.join(_LAWS)}, minicpm, chinchilla_outer"
        )
    variables = {size_of(law): column} if (column := (_sizes(runs) or ("",))[0]) else {}
    base = fit(law, runs, target=target, variables=variables, objective=first, seed=seed)
    assert isinstance(base, Fit)
    enough = base.n >= max(_MANY, 4 * len(base.estimates)) and not base.objective.binomial
    return Table(runs, target, base, tuple(pullers(base)[0]) if enough else ())


def as_law(given: str | Law) -> Law:
    return load(given) if isinstance(given, str) else given


def size_of(law: Law) -> str:
    """The variable of a law that is the model's size."""
    return next((v for v in ("N", "N_nonemb") if v in law.variables), "")


def _sizes(runs: Any) -> tuple[str, ...]:
    return tuple(c for c in ("N", "N_nonemb") if c in runs)


def offered(table: Table) -> Options:
    """The choices that a table leaves open, each with its options, the default first."""
    runs, n = table.runs, table.base.n
    found: Options = {"law": _LAWS, "objective": OBJECTIVES}
    outliers = ["all"] + ["no pullers"] * bool(table.aside) + ["no top 2%"] * (n >= _MANY)
    found["outliers"] = tuple(outliers)
    found["params"] = _sizes(runs)
    if all(c in runs for c in ("C", "N", "D")):
        excess = np.asarray(runs["C"], float) / (6 * np.asarray(runs["N"], float) * np.asarray(runs["D"], float))
        away = float(np.nanmax(np.abs(np.log(excess)))) > np.log(_AGREE)
        found["compute"] = ("6ND", "counted") if away else ("6ND",)
    if table.base.points.cluster is not None:
        found["checkpoints"] = ("all", "last")
    if getattr(runs, "weights", None):
        found["weights"] = (runs.weights, "equal")
    return {name: options for name, options in found.items() if len(options) > 1}


def chosen(table: Table, asked: bool | Sequence[str] | Mapping[str, Any]) -> Options:
    """The choices to go through: all that are offered (True), those named, or options of one's own by name.

    Raises ValueError for a name that is none of `NAMES`, or a choice that the table does not leave open.
    """
    names = NAMES if asked is True else [asked] if isinstance(asked, str) else list(asked or ())
    open_ = offered(table)
    out: Options = {}
    for name in names:
        if name not in NAMES:
            raise ValueError(f"choices: there is no choice {name!r}{did_you_mean(name, list(NAMES))}")
        if isinstance(asked, Mapping):
            given = asked[name]
            out[name] = (given,) if isinstance(given, str | Law) else tuple(given)
            _check(table, name, out[name])
        elif name in open_:
            out[name] = open_[name]
        elif asked is not True:
            raise ValueError(
                f"choices: this table leaves nothing to choose for {name!r}; it does for {', '.join(open_)}"
            )
    return out


def _check(table: Table, name: str, options: tuple[Any, ...]) -> None:
    for option in options:
        if name == "law":
            as_law(option)
        elif name == "objective":
            objective(option)
        elif name in ("params", "weights") and option not in ("equal", "default") and option not in table.runs:
            raise ValueError(f"choices: {name}: the table has no column {option!r}")
        elif name in _WORDS and option not in _WORDS[name]:
            raise ValueError(f"choices: {name}: {option!r} is none of {', '.join(_WORDS[name])}")


_WORDS = {"outliers": ("all", "no pullers", "no top 2%"), "compute": ("6ND", "counted"), "checkpoints": ("all", "last")}


def data_of(table: Table, law: Law, setting: Mapping[str, Any]) -> Points:
    """The points that one setting of the choices fits."""
    size = size_of(law)
    column = setting.get("params") or next((c for c in (size, *_sizes(table.runs)) if c in table.runs), size)
    data = points(law, table.runs, target=table.target, variables={size: column} if size else {})
    keep = np.ones(len(data), bool)
    rule = setting.get("outliers", "all")
    if rule == "no pullers":
        keep &= ~np.isin(data.rows, table.base.points.rows[list(table.aside)])
    elif rule == "no top 2%":
        keep[np.argsort(-data.y, kind="stable")[: int(np.ceil(_TOP * len(data)))]] = False
    if setting.get("checkpoints") == "last" and data.cluster is not None:
        tokens = data.X["D"]
        keep &= np.array([d == tokens[data.cluster == c].max() for d, c in zip(tokens, data.cluster)])
    weights = setting.get("weights")
    if weights is not None:
        lookup = dict(zip(np.asarray(getattr(table.runs, "rows", range(1, len(data) + 1))), _weights(table, weights)))
        data = replace(data, w=np.array([lookup[r] for r in data.rows], float))
    return data.take(np.flatnonzero(keep & (data.w > 0)))


def _weights(table: Table, name: str) -> np.ndarray:
    count = len(table.runs) if hasattr(table.runs, "rows") else len(np.asarray(next(iter(table.runs.values()))))
    w = np.ones(count) if name == "equal" else np.asarray(table.runs[name], float)
    return w / np.nanmean(w)


def effective_budget(runs: Any, flops: float, rule: str) -> float:
    """What a budget is worth as 6ND: itself, or less where the table counts more FLOPs than 6ND for its largest runs.

    The factor is the median over the upper half of the runs by compute.
    """
    if rule != "counted":
        return flops
    C = np.asarray(runs["C"], float)
    ratio = C / (6 * np.asarray(runs["N"], float) * np.asarray(runs["D"], float))
    good = np.isfinite(ratio)
    upper = good & (np.median(C[good]) <= C)
    return flops / float(np.median(ratio[upper]))
