"""Who a looped block is compared with: itself once, untied, deeper and wider blocks, two-state cells, more training."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from lawful.studies.lab_exponents import Contrast, contrast
from lawful.studies.parts import Part, span
from lawful.studies.recurrence_arms import Arm

SECTION = "Loops against depth, width and training"
_ALPHA, _EQUAL = 0.05, 0.2  # sizes and FLOPs within a fifth of each other are equal
_LONG = 3  # so many times the steps are "longer training"
_ONCE, _UNTIED, _LONGER, _WIDER = (
    "the same block once",
    "untied, equal FLOPs",
    "untied, trained longer",
    "wider, equal FLOPs",
)


@dataclass(frozen=True)
class Pair:
    """A looped model and a rival, and why they are compared."""

    kind: str
    looped: Arm
    rival: Arm


def against(found: list[Arm]) -> Part:
    """Every looped block against its rivals, family-wise for each length of training; ValueError where none is looped.

    The conclusions are of the longest training whose looped blocks have rivals that were trained longer still.
    """
    part = Part()
    lengths = sorted({arm.steps for arm in found if arm.looped and arm.depth == 1})
    if not lengths:
        raise ValueError("the runs hold no looped block of depth 1 with two seeds: there is nothing to compare")
    compared = {steps: _pairs(found, steps) for steps in lengths}
    controlled = [steps for steps, pairs in compared.items() if any(p.kind == _LONGER for p in pairs)]
    for steps in [n for n in lengths if compared[n]]:
        pairs = compared[steps]
        tests = [contrast(p.looped.reach, p.rival.reach, len(pairs), _ALPHA) for p in pairs]
        _table(part, steps, pairs, tests)
        if steps == max(controlled or lengths[:1]):
            _say(part, pairs, tests)
            _say_cells(part, pairs, tests)
    return part


def _table(part: Part, steps: int, pairs: list[Pair], tests: list[Contrast]) -> None:
    lines = [
        (p.looped.name, p.kind, p.rival.name, p.rival.steps, f"{p.rival.N_nonemb / p.looped.N_nonemb:.2g}",
         f"{p.rival.flops / p.looped.flops:.2g}", f"{len(p.looped.seeds)}, {len(p.rival.seeds)}",
         f"{t.interval.estimate:+.2f}", span(t.interval.lower, t.interval.upper), f"{t.test.p:.3g}",
         f"{t.test.smallest_p:.3g}", _better(t))
        for p, t in zip(pairs, tests)
    ]  # fmt: skip
    columns = ("looped", "compared with", "rival", "steps", "params", "FLOPs", "seeds", "loops gain", "interval",
               "permutation p", "smallest p", "verdict")  # fmt: skip
    note = (
        "Levels of reach that the looped model has over its rival; the rival's parameters and FLOPs as multiples of "
        f"its own. Welch intervals at {1 - _ALPHA / len(pairs):.1%}, so that all {len(pairs)} hold together with 95 %; "
        "exact permutation p, not corrected."
    )
    part.table(f"against_{steps}", SECTION, f"Blocks looped for {steps} steps against the others", columns, lines, note)


def _pairs(found: list[Arm], steps: int) -> list[Pair]:
    looped = [arm for arm in found if arm.looped and arm.depth == 1 and arm.steps == steps]
    plain = [arm for arm in found if arm.cell == "loop" and arm.loops == 1]
    longer = {arm.width for arm in plain if arm.depth > 1 and arm.steps >= _LONG * steps}
    top = max(looped, key=lambda arm: (len(arm.seeds), arm.width in longer, arm.loops, arm.width))
    out = []
    for one in (arm for arm in looped if arm.width == top.width):
        for rival in (arm for arm in plain if arm.width == one.width and arm.depth == one.loops):
            if rival.steps != steps and rival.steps < _LONG * steps:
                continue
            out.append(Pair(_UNTIED if rival.steps == steps else _LONGER, one, rival))
    for rival in (arm for arm in plain if arm.steps == steps):
        if rival.width == top.width and rival.depth == 1:
            out.insert(0, Pair(_ONCE, top, rival))
        elif rival.depth > 1 and _alike(rival.N_nonemb, top.N_nonemb):
            out.append(Pair(f"deeper, equal parameters ({rival.depth} blocks)", top, rival))
        elif rival.depth == 1 and _alike(rival.flops, top.flops):
            out.append(Pair(_WIDER, top, rival))
    cells = [arm for arm in found if arm.cell != "loop" and arm.steps == steps]
    return out + [Pair(arm.name.rsplit(", width", 1)[0], _as_deep(looped, arm), arm) for arm in cells]


def _as_deep(looped: list[Arm], cell: Arm) -> Arm:
    """The looped block with as many blocks in sequence as the cell, as nearly as there is, and then of its size."""
    return min(looped, key=lambda arm: (abs(log(arm.serial / cell.serial)), abs(log(arm.N_nonemb / cell.N_nonemb))))


def _alike(a: float, b: float) -> bool:
    return abs(a / b - 1) <= _EQUAL


def _better(one: Contrast) -> str:
    if not one.told:
        return f"cannot tell: {one.needed} seeds each"
    return "loops are better" if one.interval.lower > 0 else "loops are worse"


def _say(part: Part, pairs: list[Pair], tests: list[Contrast]) -> None:
    """One conclusion for each kind of rival: of the most-looped model that has one."""
    last = {pair.kind: (pair, test) for pair, test in zip(pairs, tests)}
    words = {
        _ONCE: ("loops", "Loops buy levels without a parameter.", "Loops cost levels."),
        _UNTIED: ("equal_flops", "At equal FLOPs and training the tied block wins with {:.1f} times fewer parameters.",
                  "Untied blocks win at equal FLOPs and training."),
        _WIDER: ("wider", "The same FLOPs in width do not buy what they buy in sequence.", "Width wins."),
    }  # fmt: skip
    for kind, (id, better, worse) in words.items():
        if kind not in last:
            continue
        pair, one = last[kind]
        wins = one.told and one.interval.lower > 0
        text = better.format(pair.rival.N_nonemb / pair.looped.N_nonemb) if wins else worse if one.told else ""
        part.say(
            id, SECTION,
            f"{pair.looped.name} reaches {pair.looped.reach.mean():.1f} of 16 levels, {pair.rival.name} "
            f"{pair.rival.reach.mean():.1f}: {one}. {text}".strip(),
            "supported" if wins else "contradicted" if one.told else "cannot tell",
            estimate=one.interval.estimate, lower=one.interval.lower, upper=one.interval.upper, p=one.test.p,
            needed=one.needed,
        )  # fmt: skip
    longer = [(pair, one) for pair, one in zip(pairs, tests) if pair.kind == _LONGER]
    if longer:
        pair, one = next((found for found in reversed(longer) if found[1].told), longer[-1])
        untied = next((p.rival for p in pairs if p.kind == _UNTIED and p.looped == pair.looped), None)
        _say_training(part, pair, one, untied)


def _say_cells(part: Part, pairs: list[Pair], tests: list[Contrast]) -> None:
    """The best of each kind of two-state cell against the plain loop with as many passes."""
    for cell, (id, name) in {"tiny": ("trm", "TRM-like"), "hierarchical": ("hrm", "HRM-like")}.items():
        rivals = [(pair, one) for pair, one in zip(pairs, tests) if pair.rival.cell == cell]
        if not rivals:
            continue
        pair, one = max(rivals, key=lambda r: r[0].rival.reach.mean())
        better = one.told and one.interval.upper < 0
        words = ("Two states buy levels beyond plain loops." if better else "Two states cost levels." if one.told else
                 "What two states add to plain loops cannot be told.")  # fmt: skip
        part.say(
            id, SECTION,
            f"The best {name} model ({pair.rival.name}) reaches {pair.rival.reach.mean():.1f} levels with "
            f"{pair.rival.flops / pair.looped.flops:.2g} times the FLOPs of {pair.looped.name}, which reaches "
            f"{pair.looped.reach.mean():.1f}: plain loops gain {one}. {words}",
            "supported" if better else "contradicted" if one.told else "cannot tell",
            estimate=one.interval.estimate, lower=one.interval.lower, upper=one.interval.upper, needed=one.needed,
        )  # fmt: skip


def _say_training(part: Part, pair: Pair, one: Contrast, untied: Arm | None) -> None:
    """What may be claimed: that only looping can, or that serial depth does it however it is made?"""
    looped, rival = pair.looped, pair.rival
    text = (
        f"With {rival.steps / looped.steps:.0f} times the training {rival.name} reaches {rival.reach.mean():.1f} "
        f"levels, {looped.name} {looped.reach.mean():.1f} with the short training: {one}."
    )
    gap = 0.0 if untied is None else float(looped.reach.mean() - untied.reach.mean())
    closed = None if untied is None or gap <= 0 else float(rival.reach.mean() - untied.reach.mean()) / gap
    if untied is not None:
        text += f" With equal training it reaches {untied.reach.mean():.1f}."
    if one.told and one.interval.upper < 0:
        verdict = "contradicted"
        text += (
            " 'Only recurrence can' is not what these runs show: serial depth, tied or not, is what the task needs, "
            "and tying saves parameters and training."
        )
    elif one.told and one.interval.lower > 0:
        verdict, text = "supported", text + " Longer training does not make up for tying here."
    else:
        verdict, text = "cannot tell", text + " Whether tying is more than a saving of training cannot be told."
    part.say("training", SECTION, text, verdict, estimate=one.interval.estimate, closed=closed, needed=one.needed)
