"""Do plain networks combine what they know in ways they were never shown, once enough combinations were shown?

MLPs learn f_a(g_b(x)) from a share of the pairs (a, b), every f and every g equally often, and are asked about the
other pairs, all of them. The share is the coverage. A linear probe reads g_b(x) off the first hidden layer on pairs
never shown: what the network must compute on the way, if it computes the composition at all.

>>> made = study()                           # from the runs that come with lawful
>>> made = study(data="out/coverage/runs")   # from runs of one's own
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.runs import Runs
from lawful.stats import correlation, correlation_from_r
from lawful.studies.lab_check import check as check
from lawful.studies.lab_check import gathered, settings, validity
from lawful.studies.lab_exponents import PLAIN, contrast, over_seeds
from lawful.studies.lab_pairs import paired, say
from lawful.studies.lab_runs import lab_runs, pick, plain_number
from lawful.studies.parts import Part, floats, span
from lawful.studies.results import Figure, Layer, Panel, Study

_UNSEEN, _PROBE, _VALID = "Combinations never shown", "What the hidden layer holds", "What was run"
SECTIONS = (_UNSEEN, _PROBE, _VALID)
_SOLVED = 0.95  # accuracy from which on unseen combinations count as solved
_CUT = (
    "The table that comes with lawful is the quick design: two widths of the six, 1,500 steps instead of 5,000, four "
    "seeds instead of five, longer training in one cell alone, and neither other numbers of functions nor learning "
    "rates. What it shows is about networks this small, trained this briefly."
)


@dataclass(frozen=True)
class Cell:
    """One width, coverage and amount of training; unseen, seen, probe, untrained (s,) in order of the seeds."""

    width: int
    coverage: float
    functions: int
    steps: int
    N: float
    chance: float
    seeds: np.ndarray
    unseen: np.ndarray
    seen: np.ndarray
    probe: np.ndarray
    untrained: np.ndarray


def study(data: Any = None, *, seed: int = 0) -> Study:
    """All parts, from the shipped runs or from `data`, a folder of runs or a table of them.

    `seed` draws the permutations of the rank correlation. Raises FileNotFoundError without runs, ValueError where no
    width has two coverages with two seeds each.
    """
    runs = lab_runs("coverage", data)
    found = cells(runs)
    steps = _usual_steps(found)
    whole = Part()
    for part in (_unseen(found, steps), _training(found), _probes(found, steps, seed), validity(runs, _VALID)):
        whole.add(part)
    if data is None:
        whole.say("cut", _VALID, _CUT, "note")
    return gathered(
        "coverage",
        "Combinations never shown: compositional generalisation against training coverage",
        whole,
        SECTIONS,
        ("coverage", "width", "solved", "longer", "decodable"),
        (
            "Redhardt, Akram and Schug 2025, Scaling can lead to compositional generalization (arXiv 2507.07207)",
            "Alain and Bengio 2016, Understanding intermediate layers using linear classifier probes "
            "(arXiv 1610.01644)",
        ),
        settings(runs, data, seed),
    )


def cells(runs: Runs) -> list[Cell]:
    """Every cell with two seeds and more, at the learning rate that has most seeds."""
    found = pick(runs, task="composition", **PLAIN)
    keys = [c for c in ("width", "knob_coverage", "knob_functions", "steps") if c in found.frame.columns]
    made = []
    for _, group in found.frame.group_by(keys, maintain_order=True):
        rates = group["lr"].value_counts(sort=True)
        group = group.filter(group["lr"] == rates["lr"][0]).sort("seed")
        unseen, seen, whole = (group.filter(group["level"] == k) for k in (2, 1, 0))
        if len(unseen) < 2:
            continue
        row = unseen.row(0, named=True)
        columns = (unseen["accuracy"], seen["accuracy"], whole["probe_1"], whole["untrained_1"])
        made.append(
            Cell(
                row["width"],
                row["knob_coverage"],
                row.get("knob_functions") or 16,
                row["steps"],
                row["params"],
                row["chance_accuracy"],
                unseen["seed"].to_numpy(),
                *(c.to_numpy().astype(float) for c in columns),
            )  # fmt: skip
        )
    return sorted(made, key=lambda c: (c.functions, c.steps, c.width, c.coverage))


def _usual_steps(found: list[Cell]) -> int:
    """The steps at which most cells were trained, the longest of several."""
    counts = {c.steps: sum(o.steps == c.steps and o.functions == 16 for o in found) for c in found}
    if not counts or max(counts.values()) < 2:
        raise ValueError("the runs hold no two cells of the composition task with two seeds each at the same steps")
    return max(counts, key=lambda s: (counts[s], s))


def _grid(found: list[Cell], steps: int) -> list[Cell]:
    return [c for c in found if c.steps == steps and c.functions == 16]


def _unseen(found: list[Cell], steps: int) -> Part:
    part, grid = Part(), _grid(found, steps)
    lines = [
        (c.functions, c.width, plain_number(c.N), c.steps, c.coverage, len(c.seeds), str(over_seeds(c.unseen)),
         round(float(c.seen.mean()), 3), round(c.chance, 3))
        for c in found
    ]  # fmt: skip
    columns = ("functions", "width", "params", "steps", "coverage", "seeds", "accuracy, never shown", "accuracy, shown",
               "guessing")  # fmt: skip
    part.table("cells", _UNSEEN, "Accuracy on pairs of functions never shown together", columns, lines,
               "Every pair and value is asked; 95 % t intervals over seeds.")  # fmt: skip
    part.figures.append(_figure(grid))
    widest = max(c.width for c in grid)
    row = [c for c in grid if c.width == widest]
    low, high = row[0], row[-1]
    comparisons = 2
    say(
        part, "coverage", _UNSEEN,
        f"At width {widest} and {steps:,} steps accuracy on pairs never shown is {low.unseen.mean():.2f} at "
        f"{low.coverage:.0%} coverage and {high.unseen.mean():.2f} at {high.coverage:.0%} (guessing: {low.chance:.3f})",
        contrast(high.unseen, low.unseen, comparisons), "Coverage buys generalisation.", "Coverage costs it.",
    )  # fmt: skip
    column = [c for c in grid if c.coverage == high.coverage]
    if len(column) > 1:
        say(
            part, "width", _UNSEEN,
            f"At {high.coverage:.0%} coverage width {column[-1].width} has more of it than width {column[0].width}",
            contrast(column[-1].unseen, column[0].unseen, comparisons), "Parameters help too.", "Wider is worse here.",
        )  # fmt: skip
    _say_solved(part, max(grid, key=lambda c: c.unseen.mean()))
    return part


def _say_solved(part: Part, best: Cell) -> None:
    """The claim is that MLPs generalise given coverage; how far do the best of these?"""
    one = over_seeds(best.unseen)
    whole = one.lower >= _SOLVED
    partly = one.upper < _SOLVED
    part.say(
        "solved", _UNSEEN,
        f"The paper: plain MLPs generalise compositionally once coverage and size suffice. Here the best cell (width "
        f"{best.width}, {best.coverage:.0%}, {best.steps:,} steps) has {one} on pairs never shown, "
        f"{best.seen.mean():.2f} on those shown. "
        + ("They do." if whole else f"Partial, below {_SOLVED}; whether larger networks get there is not in these runs."
           if partly else f"Whether that is {_SOLVED} or more is not told by {len(best.seeds)} seeds."),
        "supported" if whole else "cannot tell",
        estimate=one.estimate, lower=one.lower, upper=one.upper,
    )  # fmt: skip


def _training(found: list[Cell]) -> Part:
    """Cells that were trained at two lengths: is the failure one of training?"""
    part = Part()
    pairs = [
        (a, b) for a in found for b in found
        if (a.width, a.coverage, a.functions) == (b.width, b.coverage, b.functions) and a.steps < b.steps
        and np.array_equal(a.seeds, b.seeds)
    ]  # fmt: skip
    if not pairs:
        part.say("longer", _UNSEEN, "No cell was trained at two lengths: that the rest is a lack of training cannot be "
                 "excluded.", "cannot tell")  # fmt: skip
        return part
    short, long = max(pairs, key=lambda p: (p[1].steps / p[0].steps, p[0].width))
    say(
        part, "longer", _UNSEEN,
        f"{long.steps / short.steps:.0f} times the training at width {short.width} and {short.coverage:.0%} coverage "
        f"takes accuracy on pairs never shown from {short.unseen.mean():.2f} to {long.unseen.mean():.2f}",
        paired(long.unseen, short.unseen), "Part of what looks like a limit is a lack of training.",
        "Longer training makes it worse: what was shown is then memorised.",
    )  # fmt: skip
    return part


def _probes(found: list[Cell], steps: int, seed: int) -> Part:
    """Linear decodability of the constituent, against an untrained network and against success."""
    part, grid = Part(), _grid(found, steps)
    lines = [
        (c.width, c.coverage, str(over_seeds(c.probe)), round(float(c.untrained.mean()), 3),
         round(float((c.probe - c.untrained).mean()), 3))
        for c in grid
    ]  # fmt: skip
    part.table(
        "probes", _PROBE, "Share of unseen cases whose g_b(x) a linear probe of the first hidden layer finds",
        ("width", "coverage", "trained", "untrained", "gain of training"), lines,
        "Ridge probe fitted on shown pairs, scored on the others. The untrained network has the same start; its probe "
        "is fitted on more cases as coverage grows, too.",
    )  # fmt: skip
    best = max(grid, key=lambda c: (c.width, c.coverage))
    say(
        part, "decodable", _PROBE,
        f"At width {best.width} and {best.coverage:.0%} a linear probe finds the inner value in "
        f"{best.probe.mean():.2f} of unseen cases, before training in {best.untrained.mean():.2f}",
        paired(best.probe, best.untrained), "Training makes the constituent linearly readable.",
        "Training hides the constituent.",
    )  # fmt: skip
    _say_within(part, grid, seed)
    return part


def _say_within(part: Part, grid: list[Cell], seed: int) -> None:
    """Does decodability go with success where width and coverage are the same?

    Correlation of the deviations from the means of the cells, a degree of freedom less for every mean.
    """
    probe = np.concatenate([c.probe - c.probe.mean() for c in grid])
    unseen = np.concatenate([c.unseen - c.unseen.mean() for c in grid])
    between = correlation([c.probe.mean() for c in grid], [c.unseen.mean() for c in grid], "spearman", seed=seed)
    r = float(np.corrcoef(probe, unseen)[0, 1])
    within = correlation_from_r(r, max(4, len(probe) - len(grid) + 1))
    low, high = within.interval or (-1.0, 1.0)
    told = not low <= 0 <= high
    needed = int(np.ceil((2.8 / np.arctanh(min(max(abs(r), 0.03), 0.99))) ** 2 + 3)) + len(grid)
    part.say(
        "within", _PROBE,
        f"Over the {len(grid)} cells decodability and success go together (rank correlation {between.estimate:.2f}, "
        f"p {between.p:.2g}). But coverage and width move both. Among runs of one cell, where nothing but the seed "
        f"differs, the correlation is {within.estimate:+.2f} {span(low, high)} (p {within.p:.2g})"
        + (": the network that holds the parts is the one that combines them." if told and within.estimate > 0 else
           "." if told else f": cannot tell; about {needed} runs would be needed for one this strong."),
        ("supported" if within.estimate > 0 else "contradicted") if told else "cannot tell",
        estimate=within.estimate, lower=low, upper=high, between=between.estimate, p=within.p, needed=needed,
    )  # fmt: skip


def _figure(grid: list[Cell]) -> Figure:
    panels = []
    for title, y, value in (
        ("Pairs never shown", "Accuracy", "unseen"), ("Inner value, first layer", "Share a linear probe finds", "probe")
    ):  # fmt: skip
        layers = []
        for width in sorted({c.width for c in grid}):
            row = [c for c in grid if c.width == width]
            x = floats([100 * c.coverage for c in row])
            means = [over_seeds(getattr(c, value)) for c in row]
            layers.append(Layer("line", f"width {width}", x, floats([m.estimate for m in means]), role="ours"))
            layers.append(
                Layer("interval", "", x, lower=floats([m.lower for m in means]), upper=floats([m.upper for m in means]))
            )
        x = floats([100 * c.coverage for c in row])
        if value == "unseen":
            layers.append(Layer("line", "guessing", x, floats([c.chance for c in row]), role="reference"))
        else:
            layers.append(Layer("line", "untrained", x, floats([c.untrained.mean() for c in row]), role="reference"))
        panels.append(Panel(title, "Pairs of functions shown in training, %", y, tuple(layers)))
    caption = (
        "Accuracy on combinations never shown and decodability of their inner value against coverage; means and 95 % t "
        "intervals over seeds. Untrained: the widest network before training."
    )
    return Figure("coverage", _UNSEEN, caption, tuple(panels))
