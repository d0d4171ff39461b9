"""What a clean table can and cannot tell, in words.

`refuse` raises where going on would give a wrong answer: unlike metrics mixed, accuracies in percent, FLOP
off by a constant factor. `examine` lists the findings that leave the choice to the user. A check is a
function of runs that yields findings; adding one is writing it and naming it in ``CHECKS``.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from lawful.findings import Finding, RunsError, counted
from lawful.quantities import QUANTITIES, find, lookup

if TYPE_CHECKING:
    from lawful.runs import Runs

# Columns that say how an outcome was measured: two values of one are two different outcomes.
_MEASURED_BY = ("task", "metric", "shots", "evaluator")
# Topics of the vocabulary that describe how a run was designed.
_DESIGN = (
    "Model size",
    "Training data",
    "Training",
    "Shape of the model",
    "Precision",
    "Mixtures of training data",
    "Inference",
)
_LOSS_LIMIT = 12.5  # ln(256,000): a uniform guess over the largest vocabularies in use
_MANY = 6  # distinct token counts of one model size before they look like one run's checkpoints


def refuse(runs: "Runs") -> None:
    """Raise RunsError if the table mixes unlike things or contradicts its own units."""
    _refuse_mixture(runs)
    _refuse_percent(runs)
    _refuse_flops(runs)


def examine(runs: "Runs") -> tuple[Finding, ...]:
    """Every finding of every check, in a fixed order."""
    return tuple(finding for check in CHECKS for finding in check(runs))


def design_columns(runs: "Runs") -> list[str]:
    """The columns that must agree for two rows to be replicates: design, groups and way of measuring.

    Replicates differ in run and seed. Text and flags outside the vocabulary count as design, unless every row
    has its own; FLOP follow from N and D where both are known.
    """
    labels = {*_MEASURED_BY, "model", "family", "dataset", "split", "x", "x1", "x2", "xs", *runs.by}
    if any(c not in runs.frame.columns or np.isnan(runs[c]).any() for c in ("params", "tokens")):
        labels.add("flops")

    def counts(column: str) -> bool:
        quantity = find(column)
        if quantity is not None and quantity.column == column:
            return column in labels or quantity.topic in _DESIGN
        series = runs.frame[column]
        told = str(series.dtype) in ("String", "Boolean", "Categorical") and series.n_unique() < len(runs)
        return column in labels or told

    columns = [column for column in runs.frame.columns if counts(column)]
    return columns if any((quantity := find(c)) and quantity.numeric for c in columns) else []


def _size_column(runs: "Runs") -> str | None:
    return next((c for c in ("params", "params_nonembed", "params_active", "params_nominal") if c in runs), None)


def _refuse_mixture(runs: "Runs") -> None:
    for column in _MEASURED_BY:
        if column not in runs.frame.columns or column in runs.by:
            continue
        values = runs.frame[column].drop_nulls().unique(maintain_order=True).to_list()
        if len(values) > 1:
            first = runs.frame[column].to_list().index(values[1])
            shown = ", ".join(repr(v) for v in values[:6]) + (", ..." if len(values) > 6 else "")
            raise RunsError(
                f"{len(values)} different values ({shown}) are unlike measurements",
                file=runs.source,
                row=runs.at(first),
                column=runs.columns.get(column, column),
                value=values[1],
                allowed="one value, or one per group",
                remedy=f'Choose one, where="{column} == {values[0]!r}", or keep them apart, by="{column}".',
            )


def _refuse_percent(runs: "Runs") -> None:
    for quantity in QUANTITIES:
        if quantity.kind != "fraction" or quantity.column not in runs:
            continue
        values = runs[quantity.column]
        bad = np.flatnonzero((values > 1) | (values < 0))
        if bad.size:
            percent = values[bad[0]] > 1 and np.nanmax(values) <= 100 and np.nanmin(values) >= 0
            units = f"units={{{quantity.symbol!r}: 'percent'}}"
            raise RunsError(
                f"{values[bad[0]]:g} is no fraction ({bad.size} of {len(runs)} values lie outside 0 to 1)",
                file=runs.source,
                row=runs.at(int(bad[0])),
                column=runs.columns.get(quantity.column, quantity.column),
                value=float(values[bad[0]]),
                allowed="0 to 1",
                remedy=f"If these are percent, pass {units}." if percent else "Correct the value or leave it out.",
            )


def _flops_ratio(runs: "Runs") -> np.ndarray | None:
    """C/(6ND) for every row, or None where a column is missing."""
    size = _size_column(runs)
    if size is None or "tokens" not in runs or "flops" not in runs:
        return None
    with np.errstate(all="ignore"):
        ratio = runs["flops"] / (6 * runs[size] * runs["tokens"])
    return np.where(np.isfinite(ratio) & (ratio > 0), ratio, np.nan)


def _refuse_flops(runs: "Runs") -> None:
    ratio = _flops_ratio(runs)
    if ratio is None or np.isnan(ratio).all():
        return
    low, middle, high = np.nanmin(ratio), np.nanmedian(ratio), np.nanmax(ratio)
    if 1e-3 < middle < 1e3 or high > 10 * low:
        return
    first = int(np.flatnonzero(~np.isnan(ratio))[0])
    raise RunsError(
        f"flops is {middle:.3g} times 6 x params x tokens ({low:.3g} to {high:.3g} over {len(runs)} rows): "
        "a constant factor of this size is a slip of units",
        file=runs.source,
        row=runs.at(first),
        column=runs.columns.get("flops", "flops"),
        value=float(runs["flops"][first]),
        allowed="FLOP, parameters and tokens as plain counts",
        remedy="Say which column is in other units, for example units={'C': 'pf_days'} or {'D': 'billions'}.",
    )


def _high_losses(runs: "Runs") -> Iterator[Finding]:
    if "loss" not in runs:
        return
    values = runs["loss"]
    high = np.flatnonzero(values > _LOSS_LIMIT)
    if high.size:
        worst = int(high[np.argmax(values[high])])
        yield Finding(
            "high-loss",
            "error",
            f"{high.size} of {len(runs)} losses exceed {_LOSS_LIMIT} nats per token, worse than a uniform "
            f"guess over 256,000 tokens (largest: {values[worst]:g} in {runs.at(worst)}).",
            runs.numbers(high),
            "If it is not nats, pass units={'L': 'bits'} or 'perplexity'; leave diverged runs out.",
        )


def _small_counts(runs: "Runs") -> Iterator[Finding]:
    for column in ("params", "params_nonembed", "tokens", "unique_tokens"):
        if column not in runs.frame.columns or column in runs.units:
            continue
        largest = np.nanmax(runs[column], initial=0)
        if 0 < largest < 1e4:
            symbol = lookup(column).symbol
            yield Finding(
                "small-counts",
                "warning",
                f"All {len(runs)} values of {column} are below 10,000 (largest {largest:g}).",
                remedy=f"If they are no plain counts, pass units={{{symbol!r}: 'millions'}} or 'billions'.",
            )


def _flops_disagree(runs: "Runs") -> Iterator[Finding]:
    ratio = _flops_ratio(runs)
    if ratio is None:
        return
    limit = runs.flops_tolerance
    apart = np.flatnonzero((ratio > limit) | (ratio < 1 / limit))
    if not apart.size:
        return
    low, high = ratio[apart].min(), ratio[apart].max()
    if np.all(np.abs(np.log(3 * ratio[apart])) < 0.1):
        cause = "this is 2ND, the forward pass alone"
    elif low > 1:
        cause = "attention or embeddings may be counted, or sizes be nominal"
    else:
        cause = "sizes may be nominal, without embeddings or of all experts, or C follow another convention"
    yield Finding(
        "flops-6nd",
        "warning",
        f"flops is {low:.3g} to {high:.3g} times 6 x params x tokens in {apart.size} of {len(runs)} rows, "
        f"more than the factor {limit:g} allowed: {cause}.",
        runs.numbers(apart),
        "Use one convention for the whole study; lawful.flops computes the usual ones.",
    )


def _confounded(runs: "Runs") -> Iterator[Finding]:
    size = _size_column(runs)
    if size is None or "tokens" not in runs:
        return
    groups = runs.positions()
    told = {name: _one_direction(runs[size][p], runs["tokens"][p]) for name, p in groups.items()}
    told = {name: words for name, words in told.items() if words}
    if told:
        where = f" in {len(told)} of {len(groups)} groups" if runs.by else ""
        how = "; ".join(f"{name}: {words}" if runs.by else words for name, words in told.items())
        rows = runs.numbers(i for name in told for i in groups[name])
        text = f"N and D cannot be told apart{where}: {how}."
        remedy = "Effects of N and D in a law of both are not identified; add runs off this line."
        yield Finding("confounded", "warning", text, rows, remedy)


def _one_direction(N: np.ndarray, D: np.ndarray) -> str | None:
    """How D follows from N in every run, in words; None if the two vary apart."""
    usable = np.isfinite(N) & np.isfinite(D) & (N > 0) & (D > 0)
    design = np.unique(np.log(np.column_stack([N[usable], D[usable]])), axis=0)
    if len(design) < 2:
        return None
    logN, logD = design.T
    if np.ptp(logD) < 1e-6:
        return f"D is {np.exp(logD[0]):.4g} tokens in all {usable.sum()} runs"
    if np.ptp(logN) < 1e-6:
        return f"N is {np.exp(logN[0]):.4g} in all {usable.sum()} runs"
    ratio = logD - logN
    if np.ptp(ratio) < np.log(1.1) and np.ptp(logN) > 2 * np.log(1.1):
        return f"D is {np.exp(ratio.mean()):.3g} times N in all {usable.sum()} runs"
    R2 = np.corrcoef(logN, logD)[0, 1] ** 2
    slope = np.polyfit(logN, logD, 1)[0]
    if len(design) > 2 and R2 > 0.999:
        return f"D goes as N^{slope:.2f} in all {usable.sum()} runs (R2 {R2:.5f} in logarithms)"
    return None


def _replicates(runs: "Runs") -> Iterator[Finding]:
    groups = runs.replicates()
    if groups and runs.run_column is None:
        rows = [i for group in groups for i in group]
        text = f"{len(rows)} rows are replicates, {counted(len(groups), 'design')} run more than once."
        remedy = "Their spread is the noise between runs, and tests of fit use it."
        yield Finding("replicates", "note", text, runs.numbers(rows), remedy)


def _checkpoints(runs: "Runs") -> Iterator[Finding]:
    clock = next((c for c in ("tokens", "step", "flops") if c in runs), None)
    if runs.run_column is None or clock is None:
        return
    seen: dict[object, list[int]] = {}
    for i, run in enumerate(runs.frame[runs.run_column].to_list()):
        seen.setdefault(run, []).append(i)
    curves = [rows for rows in seen.values() if len(np.unique(runs[clock][rows])) > 1]
    if curves:
        rows = [i for curve in curves for i in curve]
        text = (
            f"{len(rows)} rows are checkpoints of {counted(len(curves), 'run')} (column {runs.run_column}): "
            "they are not independent."
        )
        remedy = "Intervals must resample whole runs; between, the learning rate was not yet low."
        yield Finding("checkpoints", "warning", text, runs.numbers(rows), remedy)


def _unnamed_curves(runs: "Runs") -> Iterator[Finding]:
    if "run" in runs or "tokens" not in runs or _size_column(runs) is None:
        return
    clock = {"tokens", "flops", "step", "steps", "epochs", "tokens_per_param", "repetitions"}
    fixed = [c for c in design_columns(runs) if c not in clock]
    curves = [g for g in runs.equal_rows(fixed) if len(np.unique(runs["tokens"][list(g)])) >= _MANY]
    if curves:
        rows = [i for curve in curves for i in curve]
        text = f"{len(rows)} rows share {counted(len(curves), 'design')} but for tokens; no run is named."
        remedy = "If they are checkpoints, name the run, run='COLUMN', so that intervals allow for it."
        yield Finding("curves", "note", text, runs.numbers(rows), remedy)


CHECKS = (
    _high_losses,
    _small_counts,
    _flops_disagree,
    _confounded,
    _replicates,
    _checkpoints,
    _unnamed_curves,
)
