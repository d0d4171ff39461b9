"""Is there a ceiling of satisfied constraints over size, and what do more loops buy where each step needs one?"""

from __future__ import annotations

import numpy as np

from lawful.fit import Fit, fit
from lawful.runs import Runs
from lawful.studies.lab_exponents import PLAIN, contrast, over_seeds
from lawful.studies.lab_pairs import paired, say
from lawful.studies.lab_runs import pick, plain_number, values_of
from lawful.studies.parts import Part, floats
from lawful.studies.results import Figure, Layer, Panel
from lawful.uncertainty import intervals

CEILING, LOOPS = "Satisfaction over scale", "Loops where every step needs one"
_EQUAL = 0.35  # inference FLOPs within this share of each other are called equal: widths come in steps


def ceiling(runs: Runs) -> Part:
    """Share of puzzles left unsolved by the greedy answer against size; does it end above zero?"""
    part = Part()
    found = pick(runs, task="colouring", loops=1, noise=0.0, **PLAIN)
    found = found.take(np.flatnonzero([v is not None for v in found.frame["greedy"].to_list()]))
    if not len(found):
        return part
    steps = max(values_of(found, "steps"), key=lambda s: (len(pick(found, steps=s)), -s))
    found = pick(found, steps=steps, lr=6e-3)
    lines = []
    for level in values_of(found, "level"):
        here = pick(found, level=level).frame
        for (N,), group in here.group_by(["params"], maintain_order=True):
            if len(group) > 1:
                share = over_seeds(group["greedy"].to_numpy().astype(float))
                lines.append((level or "all", N, plain_number(N), len(group), str(share)))
    lines = [(line[0], *line[2:]) for line in sorted(lines, key=lambda line: (str(line[0]), line[1]))]
    part.table("ceiling", CEILING, "Puzzles solved by the greedy answer", ("edges", "params", "seeds", "solved"), lines,
               "Every graph has a colouring: the most that can be solved is 1.")  # fmt: skip
    top = max(values_of(found, "level"))
    _say_ceiling(part, pick(found, level=top), top)
    return part


def _say_ceiling(part: Part, hard: Runs, level: int) -> None:
    """Failures as a power of size with a floor: is the floor above zero?"""
    N, failed = hard.frame["params"].to_numpy().astype(float), 1 - hard.frame["greedy"].to_numpy().astype(float)
    sizes = np.unique(N)
    if len(sizes) < 3 or not (failed > 0).all():
        part.say("ceiling", CEILING, "It takes three sizes that leave puzzles unsolved to look for a ceiling.",
                 "cannot tell")  # fmt: skip
        return
    made = fit("power_law_constant", {"x": N, "y": failed})
    assert isinstance(made, Fit)  # there are no groups
    sure = intervals(made, method="profile")
    E = sure["E"]
    last = failed[N == sizes[-1]].mean()
    there = np.isfinite(E.lower) and E.lower > 0.01 and not E.verdict
    part.say(
        "ceiling", CEILING,
        f"On graphs of {level} edges the greedy answer of the largest model leaves {last:.0%} unsolved, that of the "
        f"smallest {failed[N == sizes[0]].mean():.0%}. Failures as E + A N^-alpha have E = {E} and alpha = "
        f"{sure['alpha']}. "
        + ("Satisfaction ends below 1 over these sizes." if there else
           f"Whether there is a ceiling below 1 cannot be told from {len(sizes)} sizes over a factor of "
           f"{sizes[-1] / sizes[0]:.0f}; two more decades of size, or five sizes a decade, would be needed."),
        "supported" if there else "cannot tell", E=E.estimate, lower=E.lower, upper=E.upper,
    )  # fmt: skip


def swaps(runs: Runs) -> Part:
    """Reach of a looped block at several numbers of loops, and of wider blocks, against inference FLOPs."""
    part = Part()
    found = pick(runs, task="swaps", level=0, **{**PLAIN, "part": ("end", "loops")}).frame
    if not len(found):
        return part
    steps = max(found["steps"].unique().to_list(), key=lambda s: (len(found.filter(found["steps"] == s)), -s))
    arms = []
    keys = ["width", "loops", "test_loops"]
    for (width, loops, tested), group in found.filter(found["steps"] == steps).group_by(keys, maintain_order=True):
        group = group.sort("seed")
        if len(group) > 1:
            row = group.row(0, named=True)
            reach = group["reach"].to_numpy().astype(float)
            arms.append((loops > 1, width, tested, loops, row["params"], row["forward_flops"], reach))
    arms.sort(key=lambda a: a[:3])
    lines = [
        (f"width {w}", tested, f"{loops} on average" if looped else 1, plain_number(N), f"{flops:.3g}",
         str(over_seeds(reach)))
        for looped, w, tested, loops, N, flops, reach in arms
    ]  # fmt: skip
    columns = ("model", "loops at test", "loops in training", "params", "FLOPs of a pass", "reach")
    part.table("swaps", LOOPS, "Levels of swaps solved, of 16", columns, lines)
    looped = [a for a in arms if a[0]]
    if looped:
        _say_swaps(part, looped, [a for a in arms if not a[0]])
        part.figures.append(_figure(arms))
    return part


def _say_swaps(part: Part, looped: list[tuple], wide: list[tuple]) -> None:
    trained = next((a for a in looped if a[2] == a[3]), looped[0])
    more = looped[-1]
    if more is not trained:
        say(
            part, "swaps_more", LOOPS,
            f"On swaps one block of width {more[1]}, trained with {trained[3]} loops on average, reaches "
            f"{trained[6].mean():.1f} levels with {trained[2]} loops and {more[6].mean():.1f} with {more[2]}",
            paired(more[6], trained[6]), "More compute at test time buys levels without training.",
            "More loops than it was trained for cost levels.",
        )  # fmt: skip
    pairs = [(a, b) for a in looped for b in wide if abs(a[5] / b[5] - 1) <= _EQUAL and a[4] < b[4]]
    if not pairs:
        part.say("swaps_width", LOOPS, "No wider model has about the inference FLOPs of the looped one.", "cannot tell")
        return
    a, b = max(pairs, key=lambda p: p[0][5])
    say(
        part, "swaps_width", LOOPS,
        f"With {a[5] / b[5]:.2f} times the inference FLOPs, {plain_number(a[4])} parameters looped {a[2]} times reach "
        f"{a[6].mean():.1f} levels, {plain_number(b[4])} of width {b[1]} {b[6].mean():.1f}",
        contrast(a[6], b[6]), "FLOPs in sequence buy more than FLOPs in width.",
        "FLOPs in width buy more than FLOPs in sequence.",
    )  # fmt: skip


def _figure(arms: list[tuple]) -> Figure:
    layers = []
    for is_looped, label in ((True, "one block, more loops"), (False, "wider blocks")):
        rows = sorted((a for a in arms if a[0] == is_looped), key=lambda a: a[5])
        if not rows:
            continue
        x, means = floats([a[5] for a in rows]), [over_seeds(a[6]) for a in rows]
        role = "ours" if is_looped else "reference"
        layers.append(Layer("line", label, x, floats([m.estimate for m in means]), role=role))
        layers.append(
            Layer("interval", "", x, lower=floats([m.lower for m in means]), upper=floats([m.upper for m in means]))
        )
    caption = "Levels of swaps solved against the FLOPs of one pass; means and 95 % t intervals over seeds."
    panel = Panel("", "Inference FLOPs of a sequence", "Levels solved, of 16", tuple(layers), log_x=True)
    return Figure("swaps", LOOPS, caption, (panel,))
