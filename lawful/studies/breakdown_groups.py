"""Pattern matching against reasoning: the exponent of facts minus that of swaps at each level, family-wise."""

from __future__ import annotations

from lawful.studies.breakdown_levels import ALPHA, Series, interval_text
from lawful.studies.lab_exponents import Contrast, contrast
from lawful.studies.lab_runs import LEVELS
from lawful.studies.parts import Part, span
from lawful.studies.results import Table

SECTION = "Pattern matching against reasoning"


def groups(found: list[Series]) -> Part:
    """The contrast of exponents: facts as a whole minus swaps at each level, and the plateau of a pattern task."""
    part = Part()
    facts = next((s for s in found if s.ladder.task == "facts" and s.ladder.level == 0), None)  # E = 0
    swaps = [s for s in found if s.ladder.task == "swaps"]
    if facts is None or not swaps:
        part.say("contrast", SECTION, "The sweep lacks facts or swaps: the groups cannot be compared.", "cannot tell")
        return part
    tests = {s.ladder.level: contrast(facts.by_seed, s.by_seed, len(swaps), ALPHA) for s in swaps}
    part.tables.append(_table(facts, swaps, tests))
    last, first = swaps[-1].ladder.level, swaps[0].ladder.level
    part.say(
        "contrast", SECTION,
        f"Facts minus swaps at {last} sequential steps: {tests[last]} (family-wise 95 %). "
        + ("Where the answer takes many steps in sequence, size at fixed depth buys nothing while memory scales."
           if tests[last].told and tests[last].interval.lower > 0 else "The groups are not told apart."),
        "supported" if tests[last].told and tests[last].interval.lower > 0 else "cannot tell",
        estimate=tests[last].interval.estimate, lower=tests[last].interval.lower, upper=tests[last].interval.upper,
        p=tests[last].test.p, needed=tests[last].needed, by_level={str(k): str(v) for k, v in tests.items()},
    )  # fmt: skip
    if tests[first].told and tests[first].interval.upper < 0:
        part.say(
            "shallow", SECTION,
            f"Shallow reasoning scales better than memory: facts minus swaps at {first} step: {tests[first]}. "
            "'Reasoning breaks down' is wrong as a statement about the group; it is about the number of sequential "
            "steps.",
            "supported", estimate=tests[first].interval.estimate,
        )  # fmt: skip
    _say_plateau(part, found)
    return part


def _table(facts: Series, swaps: list[Series], tests: dict[int, Contrast]) -> Table:
    lines = [
        (name, level, interval_text(s.known), f"{tests[level].interval.estimate:+.3f}",
         span(tests[level].interval.lower, tests[level].interval.upper), f"{tests[level].test.p:.3g}",
         f"{tests[level].test.smallest_p:.3g}", _difference(tests[level]))
        for (name, level), s in zip(LEVELS.items(), swaps)
    ]  # fmt: skip
    columns = ("level", "steps", "exponent of swaps", "facts minus swaps", "interval", "permutation p", "smallest p",
               "facts scale")  # fmt: skip
    one = tests[swaps[-1].ladder.level]
    note = (
        f"Facts: {facts.known}. Unit: the seed, {one.seeds} per arm. Intervals: Welch at {one.interval.level:.0%}, so "
        f"that all {len(swaps)} hold together with 95 %. The exact permutation test needs 5 seeds per arm to reach "
        "that level."
    )
    title = "Exponent of facts minus exponent of swaps, E known"
    return Table("contrast", SECTION, title, columns, tuple(lines), note)


def _say_plateau(part: Part, found: list[Series]) -> None:
    chains = [s for s in found if s.ladder.task == "markov"]
    if len(chains) < 2:
        return
    last = chains[-1]
    flat = last.known.upper < 0.25 * chains[1].known.estimate
    part.say(
        "plateau", SECTION,
        f"A plateau is not the mark of reasoning: chains of order {chains[1].ladder.level} scale with "
        f"{chains[1].known}, of order {last.ladder.level} with {last.known}; that table is larger than these models "
        "and their data.",
        "supported" if flat else "cannot tell", exponents=[s.known.estimate for s in chains],
    )  # fmt: skip


def _difference(one: Contrast) -> str:
    if not one.told:
        return f"cannot tell: {one.needed} seeds each"
    return "faster" if one.interval.lower > 0 else "slower"
