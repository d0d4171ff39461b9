"""'Neural Scaling Laws Break Down Below 100M Parameters': pattern matching against reasoning, made testable.

The paper's title says that scaling laws hold for pattern matching and fail for reasoning in small models; it shows no
parameter count and no fit. Here the level of reasoning is the number of sequential steps, the floor of every task is
computed, and the claim becomes a number: the exponent of memory minus the exponent of a reasoning level.

>>> made = study()                          # from the runs that come with lawful
>>> made = study(data="out/breakdown/runs")  # from runs of one's own
"""

from __future__ import annotations

from typing import Any

from lawful.studies import breakdown_controls as controls
from lawful.studies import breakdown_groups as groups
from lawful.studies import breakdown_levels as levels
from lawful.studies import breakdown_weighting as weighting
from lawful.studies.lab_check import check as check
from lawful.studies.lab_check import design, gathered, settings, validity
from lawful.studies.lab_runs import lab_runs
from lawful.studies.parts import Part
from lawful.studies.results import Study

_CLAIMS, _VALID = "What is claimed", "What was run"
SECTIONS = (
    _CLAIMS,
    levels.SECTION,
    levels.BREAKS,
    groups.SECTION,
    controls.FAMILIES,
    controls.CONTROLS,
    weighting.SECTION,
    _VALID,
)
PLANNED = 2043  # runs of breakdown.toml
_LEFT_OUT = (
    "the ladders of facts and swaps have all 8 sizes and 5 data sizes with 4 of 5 seeds, Markov chains with 2; "
    "the other families have 2 seeds at the larger data sizes, at the smaller ones some or no sizes, and no chains; "
    "the scratchpad has one size; no four times longer training. Carry chains, brackets, mazes, sudoku, "
    "hops, copying and text are in neither. Sizes end at 0.1M parameters, three decades below the 100M of the title."
)


def study(data: Any = None, *, seed: int = 0) -> Study:
    """All parts, from the shipped runs or from `data`, a folder of runs or a table of them.

    Nothing is drawn at random: `seed` is recorded alone. Raises FileNotFoundError without runs, RunsError for a table
    that lacks a column.
    """
    runs = lab_runs("breakdown", data)
    found = levels.series(runs)
    parts = (
        _claims(), levels.levels(found), levels.breaks(found), groups.groups(found), controls.families(runs),
        controls.controls(runs), weighting.weighting(runs), validity(runs, _VALID),
        design(runs, _VALID, PLANNED, data, _LEFT_OUT),
    )  # fmt: skip
    whole = Part()
    for part in parts:
        whole.add(part)
    return gathered(
        "breakdown",
        "Do scaling laws break below 100M parameters for reasoning?",
        whole,
        SECTIONS,
        ("contrast", "level_gradient", "chance", "weighting"),
        ("Neural Scaling Laws Break Down Below 100M Parameters (the breakdown paper)",),
        settings(runs, data, seed),
    )


def _claims() -> Part:
    """The paper in one table: what it says, and what is asked here instead."""
    part = Part()
    rows = (
        ("Scaling laws break below 100M parameters for reasoning and hold for pattern matching (title)",
         "The paper has no parameter count, no fit and no pattern-matching task; its scaling is training-set size.",
         "The exponent in parameters of facts minus that of swaps at each of 5 levels, family-wise 5 %"),
        ("Five reasoning levels", "Not defined", "Sequential steps 1, 2, 4, 8, 16"),
        ("SCAL-SMA gains 7.3 to 21.7 %", "Its tables contradict each other; the equations are missing",
         "A buildable reading with both signs, each part left out in turn, paired by seed"),
        ("Curriculum, ensemble and filtering were rejected", "No figures", "Run as baselines"),
    )  # fmt: skip
    part.table("claims", _CLAIMS, "The claims and the tests", ("claim", "what the paper shows", "tested here as"), rows)
    return part
