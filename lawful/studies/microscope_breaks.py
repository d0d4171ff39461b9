"""Second opinion, fifth part: breaks, correlations, and the list of what these data cannot tell."""

from __future__ import annotations

import numpy as np

from lawful.breaks import bend_test, break_test
from lawful.studies.microscope_evidence import COLUMNS, Evidence
from lawful.studies.parts import Part
from lawful.studies.results import Statement
from lawful.tasks import Scores

BREAKS, UNKNOWN = "Breaks", "What cannot be told"
_BREAK_P = (0.21, 0.016, 0.020, 0.075, 0.115, 0.094, 0.38)  # in the order of the tasks
_BEND = {"hellaswag": 203.0, "arc_easy": 17.0, "arc_challenge": 16.0, "winogrande": 12.0}
_CORRELATION = {"loss_card": (-0.288, -0.29), "loss": (-0.62, None)}


def breaks(evidence: Evidence) -> Part:
    """Two lines against one, with the null simulated, and the smooth bend that explains the gain."""
    part, answers = Part(), evidence["cerebras"]
    x = np.log(answers.column("params_nominal"))
    two, bend = break_test(x, answers.accuracy), bend_test(x, answers.accuracy, answers.items)
    shown = two.shown()
    lines = [
        (task, answers.models[two.after[t]], two.gain[t], two.p[t], two.adjusted[t], bend.chi2[t], bend.p[t])
        for t, task in enumerate(answers.tasks)
    ]
    part.table(
        "breaks", BREAKS, "Two free lines against one, and one quadratic term, accuracy over ln N",
        ("task", "best break after", "gain", "p, simulated", "p, Holm", "chi2(1) of a bend", "p of a bend"), lines,
        "Gain: (RSS of one line - RSS of two) / RSS of two. The bend is weighted by binomial noise.",
    )  # fmt: skip
    for t, task in enumerate(answers.tasks):
        part.check(f"breaks.p.{task}", BREAKS, f"p of a break in {task}", two.p[t], _BREAK_P[t], 0.006)
        if task in _BEND:
            part.check(f"breaks.bend.{task}", BREAKS, f"chi2(1) of a bend in {task}", bend.chi2[t], _BEND[task], 0.5)
        _say_break(part, task, bool(shown[t]), float(two.p[t]), float(two.adjusted[t]), float(bend.p[t]))
    least = int(two.adjusted.argmin())
    part.check("breaks.smallest", BREAKS, "smallest p of a break after Holm", two.adjusted[least], 0.11, 0.01)
    part.say(
        "breaks.all", BREAKS,
        f"{int(shown.sum())} of {len(shown)} tasks show a break after Holm (smallest p {two.adjusted[least]:.2f}, "
        f"{answers.tasks[least]}); a smooth bend is significant in {int((bend.adjusted < 0.05).sum())}.",
        "supported" if shown.any() else "cannot tell", adjusted=two.adjusted, bend=bend.adjusted,
    )  # fmt: skip
    return part


def _say_break(part: Part, task: str, shown: bool, p: float, adjusted: float, bend: float) -> None:
    text = f"{task}: p = {p:.3f} for a break at the best place, {adjusted:.2f} after Holm"
    reason = "" if shown else "; so few points cannot tell a break from noise"
    smooth = f". A smooth bend explains the gain (p = {bend:.1g})" if bend < 0.01 and not shown else ""
    part.say(
        f"breaks.{task}",
        BREAKS,
        f"{text}{reason}{smooth}.",
        "supported" if shown else "cannot tell",
        p=p,
        adjusted=adjusted,
    )


def correlations(evidence: Evidence) -> Part:
    """First differences of loss and accuracy, as the study correlates them, and their levels."""
    part, answers = Part(), evidence["cerebras"]
    for column in COLUMNS:
        _differences(part, answers, column)
    _levels(part, answers)
    return part


def _differences(part: Part, answers: Scores, column: str) -> None:
    from lawful.stats import correlation, correlation_power, critical_correlation

    loss, mean = np.diff(answers.column(column)), np.diff(answers.accuracy.mean(0))
    found = correlation(-loss, mean)
    golden, published = _CORRELATION[column]
    what = f"r of the first differences, {COLUMNS[column]}"
    part.check(f"correlation.{column}", UNKNOWN, what, found.estimate, golden, 0.01, published)
    low, high = found.interval or (-1.0, 1.0)
    needed, power = critical_correlation(len(loss)), correlation_power(0.5, len(loss))
    unknown = low <= 0 <= high
    part.say(
        f"correlation.{column}", UNKNOWN,
        f"Improvement in loss against improvement in mean accuracy from size to size, {COLUMNS[column]} column: r = "
        f"{found.estimate:.2f}, 95 % [{low:.2f}, {high:.2f}], p = {found.p:.2f}, n = {len(loss)}. So few differences "
        f"need |r| > {needed:.2f} and would show a true r of 0.5 in {power:.0%} of studies.",
        "cannot tell" if unknown else "supported", r=found.estimate, lower=low, upper=high, needed=needed, power=power,
    )  # fmt: skip


def _levels(part: Part, answers: Scores) -> None:
    from lawful.stats import correlation

    loss = answers.column("loss_card")
    rank = [float(correlation(loss, row, "spearman").estimate) for row in answers.accuracy]
    mean = float(correlation(loss, answers.accuracy.mean(0)).estimate)
    perfect = sum(r < -0.999 for r in rank)
    part.check("correlation.perfect", UNKNOWN, "tasks whose rank correlation with the loss is -1", perfect, 5, 0)
    part.check("correlation.levels", UNKNOWN, "r of the loss and mean accuracy", mean, -0.97, 0.006)
    part.say(
        "correlation.levels", UNKNOWN,
        f"That loss and accuracy are unrelated: accuracy is in perfect order of the loss on {perfect} of {len(rank)} "
        f"tasks, the weakest rank correlation is {max(rank):.2f}, and the mean accuracy has r = {mean:.2f}. (First "
        "differences of a smooth convex curve over unequal steps are negatively related by construction.)",
        "contradicted" if max(rank) < -0.9 else "cannot tell", spearman=dict(zip(answers.tasks, rank)), pearson=mean,
    )  # fmt: skip


def unknown(statements: list[Statement]) -> Part:
    """All that was found to be beyond these data, in one table."""
    part = Part()
    lines = [(s.section, s.text) for s in statements if s.verdict == "cannot tell"]
    part.table("cannot_tell", UNKNOWN, "Questions on which these data give no answer", ("section", "finding"), lines)
    part.say(
        "unknown.count", UNKNOWN,
        f"{len(lines)} of {len(statements)} conclusions are that the data cannot tell.", "note", count=len(lines),
    )  # fmt: skip
    return part
