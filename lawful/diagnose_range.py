"""Where does the law hold, and were the runs trained well enough to show it?

* Range: the smallest scales are set aside level by level; where the law fitted to all larger ones misses a level by
  more than its noise (Chow's forecast test), and most levels below it too, it fails from there down. N, D and tokens
  per parameter are gone through; a failure at few tokens per parameter says that those runs are under-trained.
* Break: along one variable, a smoothly broken power law (BNSL, Caballero et al. 2022) against the plain one, its
  p-value from data simulated without a break, since place and width of a break mean nothing where there is none. Over
  tasks or other groups the p-values are Holm-adjusted (`breaks`).
* Chance: the size from which accuracies are above it.
* Tuning: what other columns of the table, such as the learning rate, explain of the residuals; and how far runs of
  equal design lie above the best of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lawful.bootstrap import refit
from lawful.diagnose_runs import added_terms, linearised
from lawful.findings import Finding, counted
from lawful.fit import Fit, fit
from lawful.laws import load
from lawful.nesting import against, contains
from lawful.objectives import LOG_LSQ, LSQ
from lawful.quantities import find, find_part
from lawful.solve import Problems

_ALPHA = 0.05
_RANGE = 0.01  # for the range: its test leans on noise that is alike and normal at every scale
_LEVELS = 12  # groups of scales at most
_BREAK = (9, 400)  # distinct scales that a break needs, points up to which it is looked for
_DRAWS = 99
_ABOVE = 0.01  # relative excess over the best run of a design from which a run is not tuned


def holds(one: Fit, figures: dict[str, Any]) -> Iterator[Finding]:
    """Where the law fails below, whether it breaks, and from where on accuracies are above chance."""
    yield from _fails_below(one, figures)
    yield from _broken(one, figures)
    yield from _above_chance(one, figures)


def _holm(p: list[float]) -> np.ndarray:
    from lawful.stats import adjust_p

    return np.asarray(adjust_p(np.array(p), "holm")) if p else np.array([])


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"= {value:.2g}"


# ---- the size below which a law fails


def _scales(one: Fit) -> dict[str, np.ndarray]:
    """Positive scalar variables with enough values, and tokens per parameter, by what to call them."""
    X = one.points.X
    found = {v: x for v, x in X.items() if v not in one.law.arrays and np.min(x) > 0}
    size = next((v for v in ("N", "N_nonemb") if v in found), None)
    if size and "D" in found:
        found["D/N"] = found["D"] / found[size]
    return {v: x for v, x in found.items() if len(np.unique(x)) >= 4}


def _fails_below(one: Fit, figures: dict[str, Any]) -> Iterator[Finding]:
    if one.points.cluster is not None or one.objective.binomial or one.points.group is not None:
        text = "Below which size the law fails is asked of independent losses of one group; these are not."
        yield Finding("range_not_tried", "note", text)
        return
    squares = replace(one, objective=LOG_LSQ if one.objective.log else LSQ)
    tests = {v: _levels(squares, x) for v, x in _scales(one).items()}
    tests = {v: t for v, t in tests.items() if t is not None}
    if not tests:
        text = f"Too few scales or points ({one.n}) to ask below which size the law fails."
        yield Finding("range_not_tried", "note", text, (), "Add runs at other scales.")
        return
    adjusted = iter(_holm([float(p) for t in tests.values() for p in t[1]]))
    said = False
    for v, (code, raw, thetas) in tests.items():
        p = np.array([next(adjusted) for _ in raw])
        failing = _first_failing(one, squares, code, p, thetas)
        figures.setdefault("fails_below", {})[v] = {"p": [float(q) for q in p], "levels": int(code.max()) + 1}
        if failing:
            said = True
            yield _failure(one, squares, v, code, failing, float(p[failing - 1]), thetas[failing])
    if not said:
        names = ", ".join(tests)
        yield Finding(
            "holds_below", "note", f"There is no size in {names} below which the law fails the smallest runs."
        )


def _levels(squares: Fit, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Level of each point (n,), Chow's p of each of the lowest levels against all above it, slots of those fits."""
    from scipy.special import fdtrc

    values = np.unique(x)
    edges = values if len(values) <= _LEVELS else np.quantile(x, np.arange(_LEVELS) / _LEVELS)
    code = np.unique(np.searchsorted(edges, x, side="right"), return_inverse=True)[1]
    size = len(squares.estimates)
    counts = np.array([(code >= k).sum() for k in range(code.max() + 1)])
    usable = int((counts >= max(2 * size + 3, len(x) / 2)).sum())  # what fails is the smaller part
    if usable < 2:
        return None
    W = np.where(code[None] >= np.arange(usable)[:, None], squares.problems.W, 0.0)
    theta, F = refit(squares, Problems(squares.problems.X, squares.problems.y, W))
    rss = 2 * np.minimum.accumulate(F)  # fewer points can only be fitted better
    gone = counts[: usable - 1] - counts[1:usable]
    dof = counts[1:usable] - size
    with np.errstate(all="ignore"):
        ratio = np.maximum(rss[:-1] - rss[1:], 0) / gone / (rss[1:] / dof)
    p = np.where(np.isfinite(ratio), fdtrc(gone, dof, np.nan_to_num(ratio)), 1.0)
    return code, p, theta


def _first_failing(one: Fit, squares: Fit, code: np.ndarray, p: np.ndarray, thetas: np.ndarray) -> int:
    """How many of the lowest levels lie outside the law, 0 if none.

    The highest level that the fit above it misses, if that fit misses two thirds of the levels from there down by two
    standard errors: looked for from above, since levels below the first bad one are tested against bad ones as well.
    """
    for k in map(int, np.flatnonzero(p < _RANGE)[::-1]):
        r = squares.objective.residuals(one.points.y, replace(squares, theta=thetas[k + 1]).at_points(one.points.X))
        r = r * np.sqrt(one.points.w)
        above = code > k
        sigma = np.sqrt((r[above] ** 2).sum() / (above.sum() - len(one.estimates)))
        z = [abs(r[code == j].mean()) * np.sqrt((code == j).sum()) / sigma for j in range(k + 1)]
        if np.mean(np.array(z) > 2) >= 2 / 3:
            return k + 1
    return 0


def _failure(one: Fit, squares: Fit, v: str, code: np.ndarray, failing: int, p: float, theta: np.ndarray) -> Finding:
    x = _scales(one)[v]
    low = code < failing
    edge = float(x[~low].min())
    fitted = replace(squares, theta=theta).at_points(one.points.X)
    missed = squares.objective.residuals(one.points.y, fitted)[low]
    by = f"{100 * np.expm1(missed.mean()):+.2g}%" if one.objective.log else f"{missed.mean():+.2g}"
    rows = tuple(int(r) for r in one.points.rows[low])
    name = "tokens per parameter" if v == "D/N" else _column(v)
    told = zip(one.estimates.items(), one.model.natural(theta[None])[0])
    moves = ", ".join(f"{k} {a:.4g} to {b:.4g}" for (k, a), b in told)
    why = " They are under-trained." if v == "D/N" and missed.mean() > 0 else ""
    return Finding(
        "fails_below", "warning",
        f"Below {edge:.3g} {name} the law fails: fitted to the {int((~low).sum())} points above, it misses the "
        f"{counted(len(rows), 'point')} below by {by} on average (p {_p(p)}, adjusted).{why} "
        f"Without them the estimates move: {moves}.", rows,
        "Leave them out (where=) when you extrapolate, or take a law that knows this regime.",
    )  # fmt: skip


def _column(v: str) -> str:
    quantity = find(v)
    return quantity.column if quantity is not None and quantity.symbol == v else v


# ---- breaks


def break_p(one: Fit) -> tuple[float, float] | None:
    """p of a break along the fit's only variable, and its place; None where it cannot be looked for."""
    if len(one.law.variables) != 1 or one.law.arrays or one.points.cluster is not None or one.points.group is not None:
        return None
    x = one.points.X[one.law.variables[0]]
    y = one.points.y
    quantity = find_part(one.points.target)
    if quantity is not None and quantity.kind == "fraction" and "err" not in one.points.target:
        y = 1 - y  # an error falls as a loss does
    if x.min() <= 0 or y.min() <= 0 or len(np.unique(x)) < _BREAK[0] or one.n > _BREAK[1]:
        return None
    how = "log_lsq" if one.objective.log else "lsq"
    try:
        plain, broken = (fit(load(k), {"x": x, "y": y}, target="y", objective=how) for k in ("bnsl_0", "bnsl_1"))
    except ValueError:
        return None
    assert isinstance(plain, Fit) and isinstance(broken, Fit)
    made = against(plain, broken, contains(broken, plain), _DRAWS, one.settings.seed)
    return made.p, broken.estimates["d1"]


def _broken(one: Fit, figures: dict[str, Any]) -> Iterator[Finding]:
    found = break_p(one)
    if found is None:
        text = f"Breaks are looked for along one variable with {_BREAK[0]} or more values, in up to {_BREAK[1]} points."
        yield Finding("break_not_tried", "note", text)
        return
    p, place = found
    figures["break"] = {"p": p, "place": place}
    yield _break_finding(_column(one.law.variables[0]), p, place)


def _break_finding(name: str, p: float, place: float) -> Finding:
    told = f"p {_p(p)} from {_DRAWS} simulated data sets without one"
    if p < _ALPHA:
        text = f"A break is shown near {name} = {place:.3g} ({told})."
        remedy = "Fit a broken law (bnsl_1), or only the runs beyond it; do not extrapolate a plain one."
        return Finding("break", "warning", text, (), remedy)
    return Finding(
        "no_break", "note", f"No break along {name} is shown: one is no better than noise makes it ({told})."
    )


def breaks(fits: Mapping[str, Fit]) -> tuple[Finding, ...]:
    """Breaks in each of several fits (tasks, families), their p-values Holm-adjusted over all."""
    found = {k: one for k, f in fits.items() if (one := break_p(f)) is not None}
    adjusted = _holm([p for p, _ in found.values()])
    out = []
    for (label, (p, place)), q in zip(found.items(), adjusted):
        if q < _ALPHA:
            told = f"p {_p(p)}, {_p(float(q))} adjusted for {len(found)} tests"
            text = f"{label}: a break is shown near {place:.3g} ({told})."
            out.append(Finding("break", "warning", text, (), "Do not extrapolate a plain law for it."))
    if found and not out:
        least = min(float(q) for q in adjusted)
        limit = "" if len(found) / (_DRAWS + 1) < _ALPHA else f" {_DRAWS} simulations cannot show one in so many tests."
        text = f"No break is shown in any of {len(found)} groups (smallest adjusted p {_p(least)}).{limit}"
        out.append(Finding("no_break", "note", text))
    return tuple(out)


# ---- accuracies and chance


def _above_chance(one: Fit, figures: dict[str, Any]) -> Iterator[Finding]:
    from scipy.special import bdtrc

    if one.points.items is None or len(one.law.variables) != 1:
        return
    chance = one.settings.fixed.get("floor")
    if chance is None:
        text = "The level of chance is not known, so the size from which the task is above it cannot be told."
        yield Finding("chance_unknown", "note", text, (), "Fix the floor at it: fixed={'floor': 0.25}.")
        return
    v = one.law.variables[0]
    x = -one.points.X[v] if v == "L" else one.points.X[v]
    items = one.points.items_or_one
    hits = np.rint(one.points.y * items)
    p = _holm([float(bdtrc(h - 1, int(n), float(chance))) if h > 0 else 1.0 for h, n in zip(hits, items)])
    order = np.argsort(x, kind="stable")
    below = np.flatnonzero(p[order] >= _ALPHA)
    first = int(below[-1]) + 1 if len(below) else 0
    figures["above_chance"] = {"p": p.tolist(), "chance": float(chance)}
    if first == len(x):
        text = f"At no {_column(v)} are the accuracies shown to be above chance ({chance:g}; exact binomial, adjusted)."
        yield Finding(
            "at_chance", "error", text, (), "There is nothing to extrapolate yet: add larger models or items."
        )
    elif first:
        rows = tuple(int(r) for r in one.points.rows[order[:first]])
        edge = abs(float(x[order[first]]))
        text = (
            f"From {_column(v)} = {edge:.3g} on the task is above chance ({chance:g}); the {first} before cannot tell."
        )
        yield Finding(
            "above_chance", "note", text, rows, "Those before say where the curve begins, not how steep it is."
        )
    else:
        yield Finding("above_chance", "note", f"All {len(x)} accuracies are above chance ({chance:g}).")


# ---- tuning


def tuning(one: Fit, runs: Any, figures: dict[str, Any]) -> Iterator[Finding]:
    """What columns that the law does not use say of its residuals, and runs far above the best of their design."""
    if runs is None:
        text = "Whether runs are mistuned shows in columns that a law does not use: diagnose(fit, runs=runs)."
        yield Finding("tuning_not_tried", "note", text)
        return
    index = {int(r): i for i, r in enumerate(getattr(runs, "rows", range(1, len(one.points) + 1)))}
    missing = [int(r) for r in one.points.rows if int(r) not in index]
    if missing:
        raise ValueError(f"diagnose: row {missing[0]} of the fit is not in runs; give the table that was fitted")
    pick = [index[int(r)] for r in one.points.rows]
    others = dict(_others(one, runs, pick))
    yield from _explained(one, others, figures)
    yield from _above_best(one, others)


def _others(one: Fit, runs: Any, pick: list[int]) -> Iterator[tuple[str, np.ndarray]]:
    """Numeric columns that vary, are complete, are no outcome, and do not follow from the law's variables."""
    names = list(runs.frame.columns) if hasattr(runs, "frame") else list(runs)
    logs = [np.log(x) for v, x in one.points.X.items() if v not in one.law.arrays and np.min(x) > 0]
    A = np.column_stack([np.ones(one.n), *logs])
    for name in names:
        if name == one.points.target or _outcome(name) or _flag(runs, name):
            continue
        column = np.asarray(runs[name])[pick]
        if column.dtype.kind not in "fiu" or not np.isfinite(column.astype(float)).all():
            continue
        z = np.log(column) if column.min() > 0 else column.astype(float)
        rest = z - A @ np.linalg.lstsq(A, z, rcond=None)[0]
        if np.std(rest) > 0.01 * max(np.std(z), 1e-300) and np.std(z) > 0:
            yield name, z


def _outcome(name: str) -> bool:
    """Whether a column is what runs are judged by: a loss, or a task's accuracy such as lambada/acc/0."""
    quantities = [q for part in name.split("/") if (q := find(part)) is not None]
    return name.startswith("loss") or any(q.symbol == "L" or q.kind == "fraction" for q in quantities)


def _flag(runs: Any, name: str) -> bool:
    """True and false say which runs, not how they were trained."""
    kind = str(runs.frame[name].dtype) if hasattr(runs, "frame") else str(np.asarray(runs[name]).dtype)
    return kind.lower().startswith("bool")


def _explained(one: Fit, others: dict[str, np.ndarray], figures: dict[str, Any]) -> Iterator[Finding]:
    A, r = linearised(one)
    root = np.sqrt(one.points.w)
    tests = {}
    for name, z in others.items():
        u = (z - z.mean()) / z.std()
        tests[name] = added_terms(A, r, np.column_stack([u, u**2]) * root[:, None])
    adjusted = dict(zip(tests, _holm([t[1] for t in tests.values()])))
    figures["other_columns"] = {k: {"share": t[0], "p": float(adjusted[k])} for k, t in tests.items()}
    seen = sorted((k for k in tests if adjusted[k] < _ALPHA), key=lambda k: -tests[k][0])
    if seen:
        told = ", ".join(f"{k} {tests[k][0]:.0%} (p {_p(float(adjusted[k]))})" for k in seen[:4])
        text = f"Columns that the law does not use explain its residuals: {told} of their squares."
        yield Finding(
            "unused_columns", "warning", text, (), "Keep the tuned runs only, or take a law with that variable."
        )
    elif tests:
        yield Finding("unused_columns_clean", "note", f"The residuals follow none of {', '.join(tests)}.")


def _above_best(one: Fit, others: dict[str, np.ndarray]) -> Iterator[Finding]:
    """Runs of equal N, D, ... that differ in a column of the recipe, and lie above the best of them."""
    recipe = [
        name for name in others if any(w in name.lower() for w in ("lr", "learning_rate", "batch", "warmup", "decay"))
    ]
    if not recipe or one.objective.binomial or one.points.y.min() <= 0:
        return
    scalar = [x for v, x in one.points.X.items() if v not in one.law.arrays]
    code = np.unique(np.stack(scalar), axis=1, return_inverse=True)[1].reshape(-1)
    best = np.array([one.points.y[code == c].min() for c in code])
    repeated = np.array([(code == c).sum() > 1 for c in code])
    excess = one.points.y / best - 1
    bad = repeated & (excess > _ABOVE)
    if not repeated.any():
        return
    designs, typical = len(np.unique(code[repeated])), np.median(excess[bad]) if bad.any() else 0.0
    text = (
        f"{int(bad.sum())} of {int(repeated.sum())} runs in {counted(designs, 'design')} with several "
        f"{', '.join(recipe)} lie more than {_ABOVE:.0%} above the best of their design (median of those "
        f"{typical:.1%}); the spread between equal runs is of these, not of seeds."
    )
    remedy = "They are mistuned: fit the best run of each design." if bad.any() else ""
    rows = tuple(int(r) for r in one.points.rows[bad])
    yield Finding("mistuned", "warning" if bad.mean() > 0.05 else "note", text, rows, remedy)
