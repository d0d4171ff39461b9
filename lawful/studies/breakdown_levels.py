"""The exponent as a function of the level: does a power law to the known floor hold, where does it bend, who leaves
chance, and do pattern matching and reasoning differ?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawful.breaks import BreakTest, break_test
from lawful.runs import Runs
from lawful.stats import adjust_p
from lawful.studies.lab_exponents import (
    FLAT,
    Ladder,
    bends,
    free_exponent,
    ladder,
    leaves_chance,
    over_seeds,
    sizes_by_steps,
    slopes,
)
from lawful.studies.lab_runs import LEVELS, plain_number, told
from lawful.studies.parts import Part, floats, span
from lawful.studies.results import Figure, Layer, Panel
from lawful.uncertainty import Interval

SECTION, BREAKS = "Exponents by level", "Breaks and chance"
_SIZE = "Parameters without embeddings"
ALPHA = 0.05


@dataclass(frozen=True)
class Series:
    """A ladder with its exponents: by seed and with their interval, against sizes without and with embeddings."""

    ladder: Ladder
    by_seed: np.ndarray
    known: Interval
    known_total: Interval
    free: Interval
    floor: Interval
    lack: tuple[float, float, float]


def series(runs: Runs) -> list[Series]:
    """Facts as a whole and by level, chains and swaps by level; facts also above what their data can teach."""
    tasks = ("facts", "markov", "swaps")
    present = [t for t in tasks if any(len(w) > 1 for w in sizes_by_steps(runs, t).values())]
    wanted = [("facts", level) for level in (0, *LEVELS.values())] if "facts" in present else []
    wanted += [("markov", level) for level in (1, 2, 3)] if "markov" in present else []
    wanted += [("swaps", level) for level in LEVELS.values()] if "swaps" in present else []
    found = [_series(ladder(runs, task, level)) for task, level in wanted]
    if "facts" in present and "data_floor_loss" in runs:
        found.insert(1, _series(ladder(runs, "facts", 0, floor="data_floor_loss")))
    return found


def _series(one: Ladder) -> Series:
    by_seed = slopes(one)
    total = over_seeds(slopes(one, embeddings=True))
    return Series(one, by_seed, over_seeds(by_seed), total, *free_exponent(one), bends(one))


def levels(found: list[Series]) -> Part:
    """The table of exponents, and what may be said of each."""
    part = Part()
    lack = _adjusted([s.lack[0] for s in found])
    lines = []
    for s, p in zip(found, lack):
        lines.append((
            s.ladder.task, _level_name(s.ladder),
            *(interval_text(one) for one in (s.known, s.known_total, s.free, s.floor)),
            f"{p:.3g}" if np.isfinite(p) else "cannot tell",
            f"{s.lack[1]:.2f} to {s.lack[2]:.2f}" if np.isfinite(p) else "", _holds(s, p),
        ))  # fmt: skip
    columns = ("task", "level", "exponent, E known", "with embeddings", "exponent, E free", "E free", "lack of fit p",
               "local exponents", "power law to the floor")  # fmt: skip
    note = (
        "Of the excess over the known floor against parameters without embeddings; 95 % intervals: Student's t over "
        f"seeds, profile for E free. Lack of fit: F against the scatter of seeds, Holm over {len(found)} series. Local "
        "exponents: first and last step of the ladder."
    )
    part.table("exponents", SECTION, "Exponents by task and level", columns, lines, note)
    _say_power_law(part, found, lack)
    _say_known_or_free(part, found)
    _say_levels(part, found)
    part.figures.append(_loss_figure(found))
    part.figures.append(_exponent_figure(found))
    return part


def _holds(s: Series, p: float) -> str:
    if abs(s.known.lower) < FLAT and abs(s.known.upper) < FLAT:
        return "flat: size buys nothing"
    if s.known.lower <= 0 <= s.known.upper:
        return "cannot tell: an exponent of 0 is inside"
    if not np.isfinite(p):
        return "cannot tell: too few sizes or seeds"
    return "no departure shown" if p > ALPHA else ("bends up" if s.lack[2] < s.lack[1] else "bends down")


def _say_power_law(part: Part, found: list[Series], lack: np.ndarray) -> None:
    """Does a straight line in log-log hold, for the pattern task as a whole?"""
    whole = [(s, p) for s, p in zip(found, lack) if s.ladder.task == "facts" and s.ladder.level == 0 and np.isfinite(p)]
    if not whole:
        return
    words = [
        f"{'above the floor of the data' if s.ladder.data_floor else 'to E = 0'} lack of fit p = {p:.2g}, local "
        f"exponents {s.lack[1]:.2f} to {s.lack[2]:.2f}"
        for s, p in whole
    ]  # fmt: skip
    tested = lack[np.isfinite(lack)]
    holds = any(p > ALPHA for _, p in whole)
    part.say(
        "power_law", SECTION,
        f"A straight power law to the known floor is rejected in {(tested <= ALPHA).sum()} of {len(tested)} series at "
        f"family-wise 5 %. For facts as a whole: {'; '.join(words)}. "
        + ("'Laws hold for pattern matching' stands with that floor." if holds else
           "The loss falls smoothly, yet 'laws hold for pattern matching' is not literally true either: the seeds "
           "agree better with each other than with a straight line."),
        "supported" if holds else "contradicted", p=[float(p) for _, p in whole],
    )  # fmt: skip


def _say_known_or_free(part: Part, found: list[Series]) -> None:
    moving = [s for s in found if s.known.lower > FLAT]
    if not moving:
        return
    wide = [
        (s.free.upper - s.free.lower) / (s.known.upper - s.known.lower) for s in moving if np.isfinite(s.free.upper)
    ]
    apart = sum(not s.free.lower <= s.known.estimate <= s.free.upper for s in moving)
    open_ = sum(bool(s.free.verdict) or not np.isfinite(s.free.upper) for s in moving)
    gap = np.median([abs(s.known_total.estimate / s.known.estimate - 1) for s in moving])
    part.say(
        "known_or_free", SECTION,
        f"Freeing E widens the interval of the exponent {np.median(wide):.1f}-fold (median of {len(wide)} series that "
        f"scale); in {apart} of {len(moving)} the known-floor exponent is outside the free-floor interval and in "
        f"{open_} the free exponent has no upper limit. Counting embeddings moves it by {gap:.0%} (median). An "
        "exponent from these sizes is a statement about the floor and the count that were assumed."
        if wide else "With E free no exponent has an upper limit at these sizes.",
        "note", widening=float(np.median(wide)) if wide else None, outside=apart, open=open_, embeddings=float(gap),
    )  # fmt: skip


def _say_levels(part: Part, found: list[Series]) -> None:
    swaps = [s for s in found if s.ladder.task == "swaps"]
    if len(swaps) < 2:
        return
    first, last = swaps[0], swaps[-1]
    steady = all(a.known.estimate > b.known.estimate for a, b in zip(swaps, swaps[1:]))
    part.say(
        "level_gradient", SECTION,
        "In reasoning the exponent falls with the number of sequential steps: "
        f"{told(f'{s.known.estimate:.3g} at {s.ladder.level}' for s in swaps)}"
        f"{', each below the one before' if steady else ''}; from {first.known} to {last.known}.",
        "supported" if first.known.lower > last.known.upper else "cannot tell",
        exponents=[s.known.estimate for s in swaps], levels=[s.ladder.level for s in swaps],
    )  # fmt: skip


def breaks(found: list[Series]) -> Part:
    """Two lines against one in log-log, and the size at which each level leaves chance."""
    part = Part()
    long = [s for s in found if (s.ladder.excess > 0).all() and len(s.ladder.N) >= 5]
    tests = {id(s): test for s, test in zip(long, _break_tests(long))} if long else {}
    lines = []
    for s in found:
        test, one = tests.get(id(s)), s.ladder
        at = leaves_chance(one, ALPHA)
        words = ("cannot tell: fewer than 5 sizes", "") if test is None else test
        first, last = one.accuracy.mean(0)[[0, -1]]
        lines.append((one.task, _level_name(one), *words, round(one.chance, 3), f"{first:.3f} to {last:.3f}",
                      _from(one, at)))  # fmt: skip
    columns = ("task", "level", "break", "p", "chance", "accuracy, smallest to largest", "above chance from N")
    note = (
        "Break: best place of two free lines against one in ln N and mean ln excess, p by simulation, Holm over the "
        "series. Above chance: one-sided, 5 % over the sizes, the seeds and the answers both counted as noise. N "
        "without embeddings."
    )
    part.table("breaks", BREAKS, "Breaks, and the size at which a level leaves chance", columns, lines, note)
    shown = [s for s in long if tests[id(s)][0].startswith("after")]
    part.say(
        "breaks", BREAKS,
        f"A break is shown in {len(shown)} of {len(long)} series at family-wise 5 %"
        + (f" ({told(s.ladder.name for s in shown)})" if shown else "")
        + ". Two lines fitting better than one is not by itself a threshold: a level that is learnt within the ladder "
        "bends as well." if long else "Fewer than 5 sizes: whether there is a break cannot be told.",
        "note" if long else "cannot tell", series=len(long), shown=len(shown),
    )  # fmt: skip
    _say_chance(part, found)
    return part


def _break_tests(long: list[Series]) -> list[tuple[str, str]]:
    words: list[tuple[str, str]] = [("", "")] * len(long)
    for n in {len(s.ladder.N) for s in long}:
        rows = [i for i, s in enumerate(long) if len(s.ladder.N) == n]
        y = np.array([np.log(long[i].ladder.excess).mean(0) for i in rows])
        test: BreakTest = break_test(np.log(long[rows[0]].ladder.N_nonemb), y)
        adjusted = adjust_p(test.p, "holm", planned=len(long))
        for k, i in enumerate(rows):
            N = long[i].ladder.N_nonemb[test.after[k]]
            found = f"after {plain_number(N)}" if adjusted[k] <= ALPHA else "none shown"
            words[i] = (found, f"{adjusted[k]:.3g}")
    return words


def _say_chance(part: Part, found: list[Series]) -> None:
    room = [s for s in found if s.ladder.best - s.ladder.chance > 0.01]  # the commonest fact is what one would guess
    stuck = [s for s in room if leaves_chance(s.ladder, ALPHA) is None]
    swaps = [s for s in stuck if s.ladder.task == "swaps"]
    largest = max(s.ladder.N_nonemb[-1] for s in found)
    part.say(
        "chance", BREAKS,
        f"Up to {plain_number(largest)} parameters {told(s.ladder.name for s in stuck)} stay at chance."
        if stuck else "Every level leaves chance within the ladder.",
        "supported" if swaps else "note", stuck=[s.ladder.name for s in stuck],
    )  # fmt: skip


def _from(one: Ladder, at: float | None) -> str:
    if one.best - one.chance <= 0.01:
        return "guessing is as good as it gets"
    return "at none of the sizes" if at is None else plain_number(at)


def _adjusted(p: list[float]) -> np.ndarray:
    known = np.isfinite(p)
    out = np.full(len(p), np.nan)
    if known.any():
        out[known] = adjust_p(np.array(p)[known], "holm")
    return out


def _level_name(one: Ladder) -> str:
    if one.level == 0:
        return "all, above the floor of the data" if one.data_floor else "all"
    if one.task == "markov":
        return f"order {one.level}"
    return f"{next(name for name, k in LEVELS.items() if k == one.level)} ({one.level})"


def interval_text(one: Interval) -> str:
    if not np.isfinite(one.lower + one.upper):
        ends = [f"{v:.2g}" if np.isfinite(v) else "?" for v in (one.lower, one.upper)]
        return f"{one.estimate:.3g} [{', '.join(ends)}]"
    return f"{one.estimate:.3g} {span(one.lower, one.upper, digits=2)}"


def _loss_figure(found: list[Series]) -> Figure:
    panels = []
    for task in dict.fromkeys(s.ladder.task for s in found):
        layers: list[Layer] = []
        for s in (s for s in found if s.ladder.task == task and (s.ladder.excess > 0).all()):
            if task == "facts" and (s.ladder.level or s.ladder.data_floor):
                continue
            role = "ours" if s.ladder.level else "data"
            x, y = s.ladder.N_nonemb, np.log(s.ladder.excess)
            line = np.exp(y.mean() - s.known.estimate * (np.log(x) - np.log(x).mean()))
            label = _level_name(s.ladder)
            layers.append(Layer("points", label, floats(np.tile(x, len(y))), floats(np.exp(y).ravel()), role=role))
            layers.append(Layer("line", label, floats(x), floats(line), role=role))
        if layers:
            panels.append(Panel(task, _SIZE, "Loss above the floor (nats)", tuple(layers), log_x=True, log_y=True))

    caption = "Loss above the known floor against size, every seed, with the power law of each level."
    return Figure("losses", SECTION, caption, tuple(panels))


def _exponent_figure(found: list[Series]) -> Figure:
    layers = []
    for task in dict.fromkeys(s.ladder.task for s in found):
        rows = [s for s in found if s.ladder.task == task and s.ladder.level > 0 and np.isfinite(s.known.lower)]
        x = floats([s.ladder.level for s in rows])
        low, high = floats([s.known.lower for s in rows]), floats([s.known.upper for s in rows])
        role = {"swaps": "published", "facts": "ours"}.get(task, "data")  # three colours
        layers += [Layer("interval", task, x, lower=low, upper=high, role=role),
                   Layer("line", task, x, floats([s.known.estimate for s in rows]), role=role)]  # fmt: skip
    whole = next((s for s in found if s.ladder.task == "facts" and s.ladder.level == 0), None)
    if whole is not None:
        layers.append(Layer("line", "facts, all", (1.0, 16.0), floats([whole.known.estimate] * 2), role="reference"))
    panel = Panel("", "Level", "Exponent, E known", tuple(layers), log_x=True)
    caption = (
        "Exponent by level with 95 % intervals over seeds: sequential steps of swaps, octave of rank of facts, order "
        "of chains."
    )
    return Figure("exponents", SECTION, caption, (panel,))
