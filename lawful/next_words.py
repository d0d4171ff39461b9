"""The next runs in words: why to make them or to stop, and tables of runs and designs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lawful.decisions import Decision, near_optimal
from lawful.uncertainty import Interval

if TYPE_CHECKING:
    from lawful.design_information import Outlook
    from lawful.fit import Fit
    from lawful.next_runs import NextRuns


def width(one: Interval) -> float:
    """Width of an interval of a positive number, in logs."""
    return float(np.log(one.upper) - np.log(one.lower))


def reason_for(
    decision: Decision, before: Interval, after: Interval, done: bool, useless: bool, then_done: bool, flops: float,
    worth: float, known: Outlook, fits: Mapping[str, Fit],
) -> str:  # fmt: skip
    """Why to stop, or what the runs would do, in one sentence or two."""
    if done:
        return f"You know enough: {_known(decision, before, known, fits)}. No run is needed for this decision."
    shrinks = 1 - width(after) / width(before)
    if useless:
        return (
            f"Stop: no runs for {flops:.3g} FLOP shrink the interval of the {decision} by {worth:.0%} "
            f"(the best by {max(shrinks, 0):.1%}). Spend more, allow larger runs, or decide with what you have."
        )
    text = f"These runs should shrink the interval of the {decision} by {shrinks:.0%}"
    return f"{text}, and then you know enough." if then_done else f"{text}; it stays wider than the decision needs."


def _known(decision: Decision, before: Interval, known: Outlook, fits: Mapping[str, Fit]) -> str:
    if decision.kind == "loss":
        half = np.expm1(width(before) / 2)
        return f"the {decision} is known to {half:.2%}, within the {decision.tolerance:.2%} asked for"
    if decision.kind == "winner":
        a, b = fits
        p = known.below_zero
        better, chance = (a, p) if p > 0.5 else (b, 1 - p)
        return f"{better} is the better at {decision.flops:.3g} FLOP with probability {chance:.3f}"
    assert decision.flops is not None
    low, high = near_optimal(next(iter(fits.values())), decision.flops, decision.tolerance)
    return (
        f"every size in the interval [{before.lower:.3g}, {before.upper:.3g}] lies in [{low:.3g}, {high:.3g}], where "
        f"the loss is within {decision.tolerance:.1%} of the lowest"
    )


def describe_next(made: NextRuns) -> str:
    """The whole answer: reason, interval before and after, runs, designs, laws, doubts."""
    lines = [made.reason, "", f"{made.decision}, {made.before.level:.0%} interval ({made.before.method})"]
    if made.recipes:
        lines.append(f"  loss of {made.recipes[0]} over loss of {made.recipes[1]}")
    lines.append(f"  now         {made.before}")
    if not made.stop:
        lines.append(f"  afterwards  {made.after}  (same estimate assumed)")
    if made.probability is not None:
        lines.append(f"  {made.recipes[0]} has the lower loss with probability {made.probability:.3f}")
    if made.runs:
        lines += ["", f"{len(made.runs)} runs, {made.flops:.3g} FLOP in all", *_runs_table(made)]
    lines += ["", *_designs_table(made)]
    if len(made.laws) > 1:
        lines += ["", "laws: " + ", ".join(f"{name} {weight:.2f}" for name, weight in made.laws.items())]
    lines += [str(f) for f in made.findings]
    return "\n".join(lines)


def _runs_table(made: NextRuns) -> list[str]:
    named = any(run.recipe for run in made.runs)
    shaped = any(run.shape for run in made.runs)
    head = f"  {'recipe  ' if named else ''}{'N':>10}{'D':>10}{'D/N':>8}{'FLOP':>10}{'seed':>6}"
    lines = [head + (f"{'layers':>8}{'width':>7}{'heads':>7}{'ffn':>7}" if shaped else "")]
    for run in made.runs:
        text = f"  {run.recipe:<8}" if named else "  "
        text += f"{run.N:>10.3g}{run.D:>10.3g}{run.D / run.N:>8.3g}{run.flops:>10.3g}{run.seed:>6}"
        if run.shape:
            s = run.shape
            text += f"{s.layers:>8}{s.width:>7}{s.heads:>7}{s.ffn_width:>7}"
        lines.append(text)
    return lines


def _designs_table(made: NextRuns) -> list[str]:
    now = width(made.before)
    lines = [f"{'design':<26}{'runs':>6}{'FLOP':>10}{'width':>9}"]
    for one in made.designs:
        taken = " <- these runs" if one.name == made.name else ""
        share = f"{width(one.after) / now:.0%}" if now > 0 else ""
        lines.append(f"{one.name:<26}{one.runs:>6}{one.flops:>10.3g}{share:>9}{taken}")
    return lines
