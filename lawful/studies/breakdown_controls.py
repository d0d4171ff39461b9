"""Does the contrast depend on the family of models or on the data, and what else could look like a breakdown?"""

from __future__ import annotations

import numpy as np

from lawful.runs import Runs
from lawful.studies.lab_exponents import (
    Contrast,
    contrast,
    ladder,
    ladder_steps,
    over_seeds,
    plain,
    sizes_by_steps,
    slopes,
)
from lawful.studies.lab_pairs import paired, verdict_of
from lawful.studies.lab_runs import pick, plain_number, table_of, told, values_of
from lawful.studies.parts import Part, floats, span
from lawful.studies.results import Figure, Layer, Panel

FAMILIES, CONTROLS = "Families and data sizes", "Controls"
FAMILY_NAMES = {"attention": "transformer", "conv": "gated convolution", "hybrid": "hybrid"}
_TOP = 16  # the level of swaps that the contrast is about


def families(runs: Runs) -> Part:
    """The contrast in every family and at every data size that has both ladders, over the sizes that all have."""
    part, lines, points = Part(), [], []
    pairs = {block: _paired_steps(runs, block) for block in FAMILY_NAMES}
    widths = _common_widths(runs, pairs)
    for block, steps in ((block, pair) for block, found in pairs.items() for pair in found):
        facts, swaps = (
            slopes(ladder(runs, task, level, n, block=block, width=widths))
            for (task, level), n in zip((("facts", 0), ("swaps", _TOP)), steps)
        )
        if min(len(facts), len(swaps)) < 2:
            continue
        one, tokens = contrast(facts, swaps), ladder_tokens(runs, "facts", steps[0], block)
        verdict = "excludes 0" if one.told else f"cannot tell: {one.needed} seeds each"
        lines.append((
            FAMILY_NAMES[block], *steps, plain_number(tokens), min(len(facts), len(swaps)), str(over_seeds(facts)),
            str(over_seeds(swaps)), f"{one.interval.estimate:+.3f}", span(one.interval.lower, one.interval.upper),
            verdict,
        ))  # fmt: skip
        points.append((block, tokens, one))
    if len(lines) < 2:
        text = "One family at one data size: whether the contrast depends on either cannot be told."
        part.say("families", FAMILIES, text, "cannot tell")
        return part
    columns = ("family", "steps, facts", "steps, swaps", "tokens of facts", "seeds", "facts", f"swaps, level {_TOP}",
               "difference", "interval", "verdict")  # fmt: skip
    part.table("families", FAMILIES, f"Facts minus swaps at level {_TOP}, by family and data size", columns, lines,
               "Exponents with E known, 95 % intervals over seeds (t; Welch for the difference), one comparison "
               "each.")  # fmt: skip
    good = [p for p in points if p[2].told and p[2].interval.lower > 0]
    names = dict.fromkeys(FAMILY_NAMES[p[0]] for p in good)
    part.say(
        "families", FAMILIES,
        f"The difference is above 0 in {len(good)} of {len(points)} cells of family and data size, in the families "
        f"{told(names)}; it runs from {min(p[2].interval.estimate for p in points):+.2f} to "
        f"{max(p[2].interval.estimate for p in points):+.2f}.",
        "supported" if len(good) == len(points) else "cannot tell", cells=len(points), above=len(good),
    )  # fmt: skip
    _say_data(part, [p for p in points if p[0] == "attention"])
    part.figures.append(_family_figure(points))
    return part


def _paired_steps(runs: Runs, block: str) -> list[tuple[int, int]]:
    """Steps of facts and of swaps, most data first, where both have ladders of more than half of the sizes."""
    both = []
    for task in ("facts", "swaps"):
        sizes = sizes_by_steps(runs, task, block=block) if len(plain(runs, task, block=block)) else {}
        least = max(2, max(map(len, sizes.values()), default=0) // 2)  # fewer would cut every ladder down to theirs
        both.append([steps for steps, widths in sorted(sizes.items(), reverse=True) if len(widths) > least])
    return list(zip(*both))


def _common_widths(runs: Runs, pairs: dict[str, list[tuple[int, int]]]) -> tuple[int, ...]:
    """The widths that every family has at every one of these data sizes: a curve has another slope elsewhere."""
    found = [
        set(sizes_by_steps(runs, task, block=block)[n])
        for block, every in pairs.items() for steps in every for task, n in zip(("facts", "swaps"), steps)
    ]  # fmt: skip
    return tuple(sorted(set.intersection(*found))) if found else ()


def ladder_tokens(runs: Runs, task: str, steps: int, block: str = "attention") -> float:
    """The tokens of a ladder's runs."""
    return float(plain(runs, task, level=0, steps=steps, block=block)["tokens"][0])


def _say_data(part: Part, points: list) -> None:
    if len(points) < 3:
        return
    x = np.log([p[1] for p in points])
    y = np.array([p[2].interval.estimate for p in points])
    part.say(
        "data_sizes", FAMILIES,
        f"With {len(points)} data sizes over a factor of {np.exp(np.ptp(x)):.0f} the difference goes from "
        f"{y[np.argmin(x)]:+.2f} (least data) to {y[np.argmax(x)]:+.2f} (most): the exponent of facts is limited by "
        "the data, as in any law of both; that of deep swaps is near 0 at all of them.",
        "note", tokens=[p[1] for p in points], difference=y.tolist(),
    )  # fmt: skip


def _family_figure(points: list) -> Figure:
    layers = []
    for block, title in FAMILY_NAMES.items():
        rows = sorted((p for p in points if p[0] == block), key=lambda p: p[1])
        if rows:
            x = floats([p[1] * (1 + 0.04 * list(FAMILY_NAMES).index(block)) for p in rows])  # side by side
            low, high = floats([p[2].interval.lower for p in rows]), floats([p[2].interval.upper for p in rows])
            layers += [
                Layer("interval", title, x, lower=low, upper=high, role="ours"),
                Layer("points", title, x, floats([p[2].interval.estimate for p in rows]), role="ours"),
            ]
    span_x = floats([min(p[1] for p in points), max(p[1] for p in points)])
    layers.append(Layer("line", "no difference", span_x, (0.0, 0.0), role="reference"))
    panel = Panel(
        "", "Training tokens of facts", f"Exponent of facts minus swaps, level {_TOP}", tuple(layers), log_x=True
    )
    caption = "The contrast by data size and family, with 95 % intervals over seeds."
    return Figure("families", FAMILIES, caption, (panel,))


def controls(runs: Runs) -> Part:
    """A scratchpad, four times the training, and how near the largest models come to the floors."""
    part = Part()
    _scratchpad(part, runs)
    _longer(part, runs)
    _nearest(part, runs)
    return part


def _scratchpad(part: Part, runs: Runs) -> None:
    pads = [k for k in values_of(pick(runs, task="swaps"), "knobs") if "scratchpad" in k]
    found = plain(runs, "swaps", knobs=pads[0], level=_TOP) if pads else None
    if found is None or not len(found):
        return
    best = plain(runs, "swaps", level=_TOP, steps=ladder_steps(runs, "swaps"))
    sizes = np.unique(found["N"])
    reached = [n for n in sizes if found["accuracy"][found["N"] == n].min() > 0.99]
    least = f"from {plain_number(reached[0])} parameters on" if reached else "at no size"
    part.say(
        "scratchpad", CONTROLS,
        f"With the state fed back after each swap, the same {_TOP} swaps are answered with more than 99 % accuracy "
        f"{least} (teacher-forced); without it the largest model, {plain_number(best['N'].max())}, is right in "
        f"{best['accuracy'][best['N'] == best['N'].max()].mean():.1%}. The steps are learnable at this size; doing "
        "them in one pass is not.",
        "supported" if reached else "cannot tell", sizes=sizes.tolist(),
        accuracy=[float(found["accuracy"][found["N"] == n].mean()) for n in sizes],
    )  # fmt: skip


def _longer(part: Part, runs: Runs) -> None:
    """More steps at the same sizes: the gain of each level, paired by seed, all at once family-wise."""
    usual_steps = ladder_steps(runs, "swaps")
    longer = [s for s in values_of(plain(runs, "swaps", level=0), "steps") if s > usual_steps]
    if not longer:
        return
    top = longer[-1]
    cells = [(w, level) for w in values_of(plain(runs, "swaps", level=0, steps=top), "width") for level in (4, 8, _TOP)]
    gains = {cell: found for cell in cells if (found := _gain(runs, *cell, usual_steps, top, len(cells))) is not None}
    if not gains:
        return
    lines = [
        (width, level, f"{before:.3f}", f"{after:.3f}", f"{one.interval.estimate:+.3f}",
         span(one.interval.lower, one.interval.upper), verdict_of(one, "more", "less"))
        for (width, level), (before, after, one) in gains.items()
    ]  # fmt: skip
    part.table("longer", CONTROLS, f"Accuracy on swaps after {usual_steps} and {top} steps",
               ("width", "level", f"{usual_steps} steps", f"{top} steps", "gain", "interval", "verdict"), lines,
               f"Paired by seed; the {len(gains)} intervals hold together with 95 %.")  # fmt: skip
    best = {last: max((one for (_, level), (_, _, one) in gains.items() if (level == _TOP) == last),
                      key=lambda one: one.interval.lower) for last in (False, True)}  # fmt: skip
    seen = best[False].told and best[False].interval.lower > 0
    part.say(
        "under_training", CONTROLS,
        f"With {top / usual_steps:.0f} times the steps at the same size, gains of accuracy are at most {best[False]} "
        f"on levels 4 and 8, and {best[True]} on level {_TOP}. "
        + ("Under-training looks like breakdown: a plateau at one training length is not yet a limit of size." if seen
           else "That under-training looks like breakdown is not seen here."),
        "supported" if seen else "cannot tell", gains=[one.interval.estimate for _, _, one in gains.values()],
    )  # fmt: skip


def _gain(
    runs: Runs, width: int, level: int, few: int, many: int, comparisons: int
) -> tuple[float, float, Contrast] | None:
    """Accuracy after few and many steps, over the seeds that have both, and their difference; None below two seeds."""
    _, _, grid = table_of(
        plain(runs, "swaps", level=level, width=width, steps=(few, many)), "seed", "steps", "accuracy"
    )
    both = grid[np.isfinite(grid).all(1)] if grid.shape[1] == 2 else grid[:0]
    if len(both) < 2:
        return None
    return float(both[:, 0].mean()), float(both[:, 1].mean()), paired(both[:, 1], both[:, 0], comparisons)


def _nearest(part: Part, runs: Runs) -> None:
    """The share of the way from chance to the floor that the largest models leave."""
    lines = []
    for task, level in (("facts", 0), ("markov", 1), ("markov", 2)):
        found = pick(runs, task=task, level=level, part="end", status="ok")
        if not len(found):
            continue
        row = min(found.frame.iter_rows(named=True), key=lambda r: r["loss"])
        floor = row["bayes_loss"]
        data = row.get("data_floor_loss")
        left = (row["loss"] - floor) / (row["chance_loss"] - floor)
        capped = (row["loss_capped"] - floor) / (row["chance_loss"] - floor)
        reachable = None if data is None else (row["loss"] - data) / (row["chance_loss"] - data)
        lines.append(
            (task, level or "all", plain_number(row["params"]), plain_number(row["tokens"]), left, capped, reachable)
        )
    if not lines:
        return
    columns = (
        "task",
        "level",
        "params",
        "tokens",
        "left of the way",
        "losses capped at guessing",
        "to the floor of the data",
    )
    note = (
        "(loss - floor) / (chance - floor) of the best model. The floor of the data is the least any learner can "
        "expect after so many random keys, since keys never met can only be guessed."
    )
    part.table("nearest", CONTROLS, "How near the best models come to the floors", columns, lines, note)
    worst = max(line[4] for line in lines)
    part.say(
        "nearest", CONTROLS,
        f"The best models come within {worst:.1%} of the way from chance to the floor on "
        f"{told(f'{line[0]} {line[1]}' for line in lines)}.",
        "supported" if worst <= 0.03 else "note", left=[line[4] for line in lines],
    )  # fmt: skip
