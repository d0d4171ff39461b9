"""Does running one block over and over replace parameters? Loops against depth, width, and four times the training.

Looped, HRM-like and TRM-like models beside deeper and wider ones, at equal parameters and at equal FLOPs, on swaps
(where the answer takes up to 16 sequential steps) and on facts (where it takes none). Serial depth, blocks run in
sequence, enters the law as a variable. What decides the claim is the control: the untied model trained four times as
long.

>>> made = study()                            # from the runs that come with lawful
>>> made = study(data="out/recurrence/runs")  # from runs of one's own
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lawful.fit import Fit, fit
from lawful.law import amplitude, exponent, law
from lawful.runs import Runs
from lawful.studies.lab_check import check as check
from lawful.studies.lab_check import design, settings, validity
from lawful.studies.lab_exponents import Contrast, contrast, over_seeds
from lawful.studies.lab_runs import LEVELS, lab_runs, plain_number, values_of
from lawful.studies.parts import Part, floats, span
from lawful.studies.recurrence_arms import Arm, arms
from lawful.studies.results import Figure, Layer, Panel, Study
from lawful.uncertainty import intervals

_ARMS, _AGAINST, _LAW, _FACTS, _VALID = (
    "What was built", "Loops against depth, width and training", "Serial depth in the law", "Where nothing is computed",
    "What was run",
)  # fmt: skip
SECTIONS = (_ARMS, _AGAINST, _LAW, _FACTS, _VALID)
_ALPHA, _EQUAL = 0.05, 0.2  # sizes and FLOPs within a fifth of each other are equal
PLANNED = 464  # runs of recurrence.toml
_LEFT_OUT = (
    "one width and the shorter of two lengths of training instead of four widths and two lengths, 4 seeds instead of "
    "5, no longer training of the looped model, so what more training gives to loops is not told."
)


@law(predicts="y", topic="general")
def size_and_serial_depth(
    x1, x2, *, A=amplitude(("x1", "x2"), ("alpha", "beta")), alpha=exponent(lower=-np.inf), beta=exponent(lower=-np.inf)
):
    r"""$y = A x_1^{-\alpha} x_2^{-\beta}$ with $x_1$ parameters and $x_2$ blocks run in sequence."""
    return A * x1**-alpha * x2**-beta


def study(data: Any = None, *, seed: int = 0) -> Study:
    """All parts, from the shipped runs or from `data`, a folder of runs or a table of them.

    Nothing is drawn at random: `seed` is recorded alone. Raises FileNotFoundError without runs, ValueError where no
    looped model has two seeds.
    """
    runs = lab_runs("recurrence", data)
    found = arms(runs)
    whole = Part()
    for part in (_built(found), _against(found), _serial(found), _facts(runs), validity(runs, _VALID)):
        whole.add(part)
    whole.add(design(runs, _VALID, PLANNED, data, _LEFT_OUT))
    said = {one.id: one for one in whole.statements}
    headlines = ("loops", "equal_flops", "training", "serial", "facts")
    return Study(
        name="recurrence",
        title="Loops instead of parameters: what recurrence buys small models",
        summary=tuple(f"{said[id].text} ({said[id].verdict})" for id in headlines if id in said),
        sections=SECTIONS,
        rows=(),
        statements=tuple(whole.statements),
        tables=tuple(whole.tables),
        figures=tuple(whole.figures),
        sources=(
            "Saunshi et al. 2025, Reasoning with Latent Thoughts (arXiv 2502.17416)",
            "Wang et al. 2025, Hierarchical Reasoning Model (arXiv 2506.21734)",
            "Jolicoeur-Martineau 2025, Less is More: Recursive Reasoning with Tiny Networks (arXiv 2510.04871)",
        ),
        settings=settings(runs, data, seed),
    )


def _built(found: list[Arm]) -> Part:
    part = Part()
    lines = []
    for arm in found:
        accuracy = [round(float(a), 2) for a in arm.accuracy.mean(0)]
        used = "" if arm.used is None else f"{arm.used:.2f} of {arm.segments}"
        lines.append(
            (
                arm.name,
                arm.steps,
                arm.serial,
                f"{arm.flops:.2g}",
                len(arm.seeds),
                str(over_seeds(arm.reach)),
                *accuracy,
                used,
            )
        )
    columns = (
        "model",
        "steps",
        "blocks in sequence",
        "FLOPs",
        "seeds",
        "reach",
        *(f"level {k}" for k in LEVELS.values()),
        "segments used",
    )
    note = (
        "Reach: expected number of the 16 levels solved, with t intervals over seeds. N without embeddings. Levels: "
        "accuracy, guessing is right in 0.6 at level 1 and 0.2 at 16."
    )
    part.table("arms", _ARMS, "Every model on swaps", columns, lines, note)
    part.figures.append(_reach_figure(found))
    return part


def _against(found: list[Arm]) -> Part:
    """The most-looped block against every other model at equal parameters or equal FLOPs, and the longer training."""
    part = Part()
    looped = [arm for arm in found if arm.looped and arm.depth == 1]
    if not looped:
        raise ValueError("the runs hold no looped block of depth 1 with two seeds: there is nothing to compare")
    steps = min(arm.steps for arm in looped)
    looped = [arm for arm in looped if arm.steps == steps]
    top = max(looped, key=lambda arm: (len(arm.seeds), arm.loops, arm.width))
    others = _rivals(found, top)
    tests = {kind: contrast(top.reach, arm.reach, len(others), _ALPHA) for kind, arm in others.items()}
    lines = [
        (
            kind,
            arm.name,
            arm.steps,
            f"{arm.N_nonemb / top.N_nonemb:.2g}",
            f"{arm.flops / top.flops:.2g}",
            len(arm.seeds),
            f"{tests[kind].interval.estimate:+.2f}",
            span(tests[kind].interval.lower, tests[kind].interval.upper),
            f"{tests[kind].test.p:.3g}",
            f"{tests[kind].test.smallest_p:.3g}",
            _better(tests[kind]),
        )
        for kind, arm in others.items()
    ]
    columns = ("compared with", "model", "steps", "params", "FLOPs", "seeds", "loops gain", "interval", "permutation p",
               "smallest p", "verdict")  # fmt: skip
    note = (
        f"Levels of reach that {top.name} has over the other; parameters and FLOPs as multiples of its own. Welch "
        f"intervals at {1 - _ALPHA / len(others):.1%}, so that all {len(others)} hold together with 95 %; exact "
        "permutation p, not corrected."
    )
    part.table("against", _AGAINST, "The looped block against the others", columns, lines, note)
    _say(part, top, others, tests)
    return part


def _rivals(found: list[Arm], top: Arm) -> dict[str, Arm]:
    """Who the looped model is compared with, and why."""
    same = [arm for arm in found if arm.steps == top.steps]
    plain = [arm for arm in same if arm.cell == "loop" and arm.loops == 1]
    alike = lambda a, b: abs(a / b - 1) <= _EQUAL  # noqa: E731
    out = {}
    for arm in plain:
        if arm.width == top.width and arm.depth == 1:
            out["the same block once"] = arm
        elif arm.width == top.width and arm.depth == top.loops:
            out["as many blocks untied, equal FLOPs"] = arm
        elif alike(arm.N_nonemb, top.N_nonemb) and arm.depth > 1:
            out[f"deeper at equal parameters ({arm.depth} blocks)"] = arm
        elif arm.depth == 1 and alike(arm.flops, top.flops):
            out["wider at equal FLOPs"] = arm
    for arm in (arm for arm in same if arm.cell != "loop"):
        out[arm.name.rsplit(", width", 1)[0]] = arm
    longer = [arm for arm in found if arm.steps > top.steps and arm.cell == "loop" and arm.depth == top.loops]
    if longer:
        out[f"untied with {longer[-1].steps / top.steps:.0f}x the training"] = longer[-1]
    return out


def _better(one: Contrast) -> str:
    if not one.told:
        return f"cannot tell: {one.needed} seeds each"
    return "loops are better" if one.interval.lower > 0 else "loops are worse"


def _say(part: Part, top: Arm, others: dict[str, Arm], tests: dict[str, Contrast]) -> None:
    def say(id: str, kind: str, better: str, worse: str) -> None:
        if kind not in tests:
            return
        one, arm = tests[kind], others[kind]
        text = better if one.told and one.interval.lower > 0 else worse if one.told else "The two are not told apart."
        verdict = "cannot tell" if not one.told else "supported" if one.interval.lower > 0 else "contradicted"
        part.say(
            id, _AGAINST,
            f"{top.name} reaches {top.reach.mean():.1f} of 16 levels, {arm.name} {arm.reach.mean():.1f}: {one}. {text}",
            verdict, estimate=one.interval.estimate, lower=one.interval.lower, upper=one.interval.upper,
            p=one.test.p, needed=one.needed,
        )  # fmt: skip

    say("loops", "the same block once", "Loops buy levels without a parameter.", "Loops cost levels.")
    ratio = _ratio(others, "as many blocks untied, equal FLOPs", top)
    say("equal_flops", "as many blocks untied, equal FLOPs",
        f"At equal FLOPs and equal training the tied block wins with {ratio} fewer "
        f"parameters.", "Untied blocks win.")  # fmt: skip
    say("wider", "wider at equal FLOPs", "The same FLOPs in width do not buy what they buy in sequence.", "Width wins.")
    for kind in (kind for kind in tests if kind.startswith("untied with")):
        _say_training(part, top, others, tests[kind], kind)


def _ratio(others: dict[str, Arm], kind: str, top: Arm) -> str:
    return f"{others[kind].N_nonemb / top.N_nonemb:.1f} times" if kind in others else ""


def _say_training(part: Part, top: Arm, others: dict[str, Arm], one: Contrast, kind: str) -> None:
    """What may be claimed: that only looping can, or that serial depth does it however it is made?"""
    arm, untied = others[kind], others.get("as many blocks untied, equal FLOPs")
    text = (
        f"With {arm.steps / top.steps:.0f} times the training the untied model reaches {arm.reach.mean():.1f} levels, "
        f"the looped one {top.reach.mean():.1f} with the short training: {one}."
    )
    gap = 0.0 if untied is None else float(top.reach.mean() - untied.reach.mean())
    closed = None if untied is None or gap <= 0 else float(arm.reach.mean() - untied.reach.mean()) / gap
    if untied is not None and closed is not None:
        text += f" That closes {closed:.0%} of the gap that there is at equal training."
    if closed is not None and closed > 0.5:
        verdict = "contradicted"
        text += (
            " So 'only recurrence can' is not what these runs show: serial depth, tied or not, is what the task "
            "needs, and tying is the way that costs the fewest parameters and steps."
        )
    elif one.told and one.interval.lower > 0:
        verdict, text = "supported", text + " Longer training does not make up for tying here."
    else:
        verdict, text = "cannot tell", text + " Whether tying is more than a saving of training cannot be told."
    part.say("training", _AGAINST, text, verdict, estimate=one.interval.estimate, closed=closed, needed=one.needed)


def _serial(found: list[Arm]) -> Part:
    """Loss as a law of parameters and of serial depth: which of the two carries it?"""
    part = Part()
    steps = min(arm.steps for arm in found)
    chosen = [arm for arm in found if arm.cell == "loop" and arm.steps == steps]
    if len({arm.serial for arm in chosen}) < 2 or len({arm.N_nonemb for arm in chosen}) < 3:
        part.say("serial", _LAW, "Too few sizes and depths for a law of both.", "cannot tell")
        return part
    x1 = np.concatenate([np.full(len(arm.loss), arm.N_nonemb) for arm in chosen])
    x2 = np.concatenate([np.full(len(arm.loss), float(arm.serial)) for arm in chosen])
    y = np.concatenate([arm.loss for arm in chosen])
    both = _fitted(size_and_serial_depth, {"x1": x1, "x2": x2, "y": y})
    alone = {"parameters": _fitted("power_law", {"x": x1, "y": y}, bounds={"alpha": (-np.inf, np.inf)}),
             "serial depth": _fitted("power_law", {"x": x2, "y": y}, bounds={"alpha": (-np.inf, np.inf)})}  # fmt: skip
    found_ = intervals(both, method="profile")
    one = {name: intervals(made, method="profile")["alpha"] for name, made in alone.items()}
    lines = (
        ("both", str(found_["alpha"]), str(found_["beta"]), both.sigma),
        ("parameters alone", str(one["parameters"]), "", alone["parameters"].sigma),
        ("serial depth alone", "", str(one["serial depth"]), alone["serial depth"].sigma),
    )
    note = (
        f"L = A N^-alpha S^-beta on {len(y)} runs of swaps, floor 0; N without embeddings, S blocks in sequence. "
        "Intervals are profiles."
    )
    part.table("serial", _LAW, "Mean loss as a law of size and serial depth",
               ("law of", "exponent of N", "exponent of S", "residual sd of ln L"), lines, note)  # fmt: skip
    alpha, beta = found_["alpha"], found_["beta"]
    ahead = beta.lower > max(alpha.upper, 0)
    part.say(
        "serial", _LAW,
        f"The loss falls with serial depth to the power {beta} and with parameters to the power {alpha}. "
        + ("Serial depth carries the law; parameters add little." if ahead else "Which of them carries it is not told.")
        + f" Residual scatter: {both.sigma:.1%} with both, {alone['serial depth'].sigma:.1%} with serial depth alone, "
        f"{alone['parameters'].sigma:.1%} with parameters alone.",
        "supported" if ahead else "cannot tell", alpha=alpha.estimate, beta=beta.estimate,
    )  # fmt: skip
    _say_tied(part, chosen, both)
    return part


def _fitted(form: Any, table: dict[str, np.ndarray], **options: Any) -> Fit:
    made = fit(form, table, **options)
    assert isinstance(made, Fit)  # there are no groups
    return made


def _say_tied(part: Part, chosen: list[Arm], both: Fit) -> None:
    """Once size and serial depth are in the law, do tied models still differ?"""
    left = np.split(both.residuals, np.cumsum([len(arm.loss) for arm in chosen])[:-1])
    tied = np.array([r.mean() for r, arm in zip(left, chosen) if arm.looped])
    untied = np.array([r.mean() for r, arm in zip(left, chosen) if not arm.looped and arm.depth > 1])
    if min(len(tied), len(untied)) < 2:
        return
    one = contrast(tied, untied)
    part.say(
        "tied", _LAW,
        f"At equal size and serial depth by this law looped models have {one.interval.estimate:+.0%} of the loss of "
        f"untied ones, {span(one.interval.lower, one.interval.upper)} over shapes"
        + ("." if one.told else ": cannot tell, with so few shapes."),
        "note" if one.told else "cannot tell", estimate=one.interval.estimate,
    )  # fmt: skip


def _facts(runs: Runs) -> Part:
    """The same loops on a table of facts."""
    part = Part()
    if "facts" not in values_of(runs, "task"):
        return part
    found = arms(runs, "facts")
    once = next((arm for arm in found if arm.loops == 1 and arm.depth == 1), None)
    more = [arm for arm in found if arm.looped]
    if once is None or not more:
        return part
    lines = [(arm.name, f"{arm.flops:.2g}", len(arm.seeds), str(over_seeds(arm.loss))) for arm in found]
    part.table("facts", _FACTS, "Loss on facts", ("model", "FLOPs", "seeds", "loss"), lines)
    one = contrast(np.log(more[-1].loss), np.log(once.loss))
    interval = one.interval
    small = max(abs(interval.lower), abs(interval.upper)) < 0.1
    part.say(
        "facts", _FACTS,
        f"On facts {more[-1].loops} loops change the loss of {plain_number(once.N_nonemb)} parameters by "
        f"{interval.estimate:+.1%} [{interval.lower:+.1%}, {interval.upper:+.1%}]. "
        + ("Loops do nothing for memory, beyond a tenth." if small else
           "Loops help memory a little." if one.told and interval.upper < 0 else
           "Loops cost memory." if one.told else f"Cannot tell: {one.needed} seeds each would be needed."),
        "supported" if small or (one.told and interval.lower > 0) else "contradicted" if one.told else "cannot tell",
        estimate=interval.estimate, lower=interval.lower, upper=interval.upper,
    )  # fmt: skip
    return part


def _reach_figure(found: list[Arm]) -> Figure:
    kinds = {
        "one block, looped": lambda a: a.cell == "loop" and a.depth == 1 and a.steps == steps,
        "untied blocks": lambda a: a.cell == "loop" and a.depth > 1 and a.steps == steps,
        "two-state cells": lambda a: a.cell != "loop" and a.steps == steps,
        "untied, more training": lambda a: a.steps > steps,
    }
    steps = min(arm.steps for arm in found)
    panels = []
    for title, axis in (("Blocks in sequence", "serial"), ("Parameters without embeddings", "N_nonemb")):
        layers = []
        for label, is_kind in kinds.items():
            rows = [arm for arm in found if is_kind(arm)]
            if rows:
                x = floats(np.concatenate([np.full(len(a.reach), float(getattr(a, axis))) for a in rows]))
                layers.append(Layer("points", label, x, floats(np.concatenate([a.reach for a in rows])), role="ours"))
        panels.append(Panel("", title, "Levels solved, of 16", tuple(layers), log_x=True))
    caption = "Reach on swaps, every seed, against serial depth and against parameters."
    return Figure("reach", _ARMS, caption, tuple(panels))
