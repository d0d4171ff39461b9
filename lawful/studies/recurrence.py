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
from lawful.studies.lab_check import design, gathered, settings, validity
from lawful.studies.lab_exponents import contrast, over_seeds
from lawful.studies.lab_runs import LEVELS, lab_runs, plain_number, values_of
from lawful.studies.parts import Part, floats, span
from lawful.studies.recurrence_arms import Arm, arms
from lawful.studies.recurrence_rivals import SECTION as AGAINST
from lawful.studies.recurrence_rivals import against
from lawful.studies.results import Figure, Layer, Panel, Study
from lawful.uncertainty import intervals

_ARMS, _LAW, _FACTS, _VALID = (
    "What was built", "Serial depth in the law", "Where nothing is computed", "What was run",
)  # fmt: skip
SECTIONS = (_ARMS, AGAINST, _LAW, _FACTS, _VALID)
PLANNED = 473  # runs of recurrence.toml
_LEFT_OUT = (
    "the shorter of two lengths of training at all four widths, mostly 4 seeds instead of 5, two-state cells with 3, "
    "rates tuned at widths 24 and 32 with one seed, four times the training at width 24; nothing at 1,000 or 4,000."
)
_TOO_FEW = (
    "A law of size and serial depth takes three sizes, here are {}, and two depths, here are {}: one more size with "
    "two seeds at each depth would be the least."
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
    for part in (_built(found), against(found), _serial(found), _facts(runs), validity(runs, _VALID)):
        whole.add(part)
    whole.add(design(runs, _VALID, PLANNED, data, _LEFT_OUT))
    return gathered(
        "recurrence",
        "Loops instead of parameters: what recurrence buys small models",
        whole,
        SECTIONS,
        ("loops", "equal_flops", "training", "trm", "hrm", "serial", "facts"),
        (
            "Saunshi et al. 2025, Reasoning with Latent Thoughts (arXiv 2502.17416)",
            "Wang et al. 2025, Hierarchical Reasoning Model (arXiv 2506.21734)",
            "Jolicoeur-Martineau 2025, Less is More: Recursive Reasoning with Tiny Networks (arXiv 2510.04871)",
        ),
        settings(runs, data, seed),
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


def _serial(found: list[Arm]) -> Part:
    """Loss as a law of parameters and of serial depth: which of the two carries it?"""
    part = Part()
    steps = min(arm.steps for arm in found)
    chosen = [arm for arm in found if arm.cell == "loop" and arm.steps == steps]
    depths, sizes = len({arm.serial for arm in chosen}), len({arm.N_nonemb for arm in chosen})
    if depths < 2 or sizes < 3:
        part.say("serial", _LAW, _TOO_FEW.format(sizes, depths), "cannot tell", sizes=sizes, depths=depths)
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
        + ("Serial depth carries the law; parameters add nothing to it." if ahead else "Which does is not told.")
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
        "At equal size and serial depth by this law looped models have a loss different from untied ones by "
        f"{one.interval.estimate:+.0%} {span(one.interval.lower, one.interval.upper)} over shapes"
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
