"""What does computing more at test time buy, beside parameters: more answers, votes, noise, or more loops?

Graphs are coloured by models of several sizes. A puzzle may be answered once, or many times with the right answer
picked out (checking a colouring is easy: coverage) or the commonest taken; along trajectories of noise, or of latents
inferred with a bound, after GRAM; or after more loops than in training. All at equal inference FLOPs. Loops are also
set against width where each step of the answer needs another pass (swaps).

>>> made = study()                           # from the runs that come with lawful
>>> made = study(data="out/testtime/runs")   # from runs of one's own
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lawful.runs import Runs
from lawful.studies.lab_check import check as check
from lawful.studies.lab_check import gathered, settings, validity
from lawful.studies.lab_exponents import over_seeds
from lawful.studies.lab_pairs import paired, say
from lawful.studies.lab_runs import lab_runs, pick, values_of
from lawful.studies.parts import Part, floats
from lawful.studies.results import Figure, Layer, Panel, Study
from lawful.studies.testtime_answers import Asked, asked, brown
from lawful.studies.testtime_scale import CEILING, LOOPS, ceiling, swaps
from lawful.studies.testtime_trade import TRADE, trade

_MORE, _VALID = "More answers", "What was run"
SECTIONS = (_MORE, TRADE, CEILING, LOOPS, _VALID)
_HEADLINES = (
    "brown", "trade", "trade_vote", "noise", "variational", "variational_noise", "more_loops", "ceiling", "swaps_more",
    "swaps_width",
)  # fmt: skip
_NEAR = 0.02  # an error of coverage this small is called none
_CUT = (
    "The table that comes with lawful is the quick design: three sizes of five, 400 steps of 4,000, 64 answers of "
    "1,024, 256 puzzles, one strength of noise, four seeds of five, no queens, no learning rates; of swaps 400 steps "
    "of 1,000, at which a looped block of width 16 has not learnt to use its loops. Inferred latents are a plain "
    "conditional variational autoencoder in each loop, after the abstract of GRAM, whose network was not read."
)


def study(data: Any = None, *, seed: int = 0) -> Study:
    """All parts, from the shipped runs or from `data`, a folder of runs or a table of them.

    Nothing is drawn at random: `seed` is recorded alone. Raises FileNotFoundError without runs, ValueError where no
    two sizes of two seeds answered the puzzles.
    """
    runs = lab_runs("testtime", data)
    found = asked(runs)
    plain = [a for a in found if a.plain]
    if len({a.N for a in plain}) < 2:
        raise ValueError("the runs hold no two sizes with two seeds that answered puzzles: there is nothing to trade")
    whole = Part()
    for part in (
        _answers(found, plain, _edges(runs)),
        trade(found, plain),
        ceiling(runs),
        swaps(runs),
        validity(runs, _VALID),
    ):
        whole.add(part)
    if data is None:
        whole.say("cut", _VALID, _CUT, "note")
    return gathered(
        "testtime",
        "Compute at test time: more answers, votes, noise and loops against parameters",
        whole,
        SECTIONS,
        _HEADLINES,
        (
            "Brown et al. 2024, Large Language Monkeys (arXiv 2407.21787)",
            "Snell et al. 2024, Scaling LLM Test-Time Compute Optimally (arXiv 2408.03314)",
            "GRAM 2026 (arXiv 2605.19376), read as abstract and notes",
            "Geiping et al. 2025, Scaling up Test-Time Compute with Latent Reasoning (arXiv 2502.05171)",
        ),
        settings(runs, data, seed),
    )


def _edges(runs: Runs) -> list[int]:
    """The levels of the puzzles: their edges."""
    return [k for k in values_of(pick(runs, task="colouring"), "level") if k]


def _answers(found: list[Asked], plain: list[Asked], edges: list[int]) -> Part:
    """Coverage and votes against the number of answers, and Brown's law for coverage."""
    part, lines = Part(), []
    laws = {a.name: brown(a) for a in found if a.tries >= 16}
    for arm in found:
        one = laws.get(arm.name)
        lines.append(
            (arm.name, arm.tries, str(over_seeds(arm.greedy)), str(over_seeds(arm.coverage(1))),
             str(over_seeds(arm.coverage(arm.tries))), str(over_seeds(arm.vote(arm.tries))),
             "" if one is None else str(over_seeds(one.a)), "" if one is None else str(over_seeds(one.b)))
        )  # fmt: skip
    columns = ("model", "answers", "greedy", "one sampled", "one of all right", "vote of all", "Brown's a", "Brown's b")
    part.table("answers", _MORE, "Share of puzzles solved", columns, lines,
               "Coverage c = exp(a k^b) of k answers, fitted seed by seed; 95 % t intervals over seeds.")  # fmt: skip
    _say_brown(part, [a for a in plain if a.name in laws], laws)
    top, small = plain[-1], plain[0]
    part.say(
        "guessing", _MORE,
        f"One of {top.tries} random colourings is right for about {guessing(edges, top.tries):.2f} of the graphs, one "
        f"of as many answers of the smallest model for {small.coverage(top.tries).mean():.2f}, of the largest for "
        f"{top.coverage(top.tries).mean():.2f}; with one answer each it is {guessing(edges, 1):.2f}, "
        f"{small.coverage(1).mean():.2f} and {top.coverage(1).mean():.2f}. Coverage at many answers to puzzles this "
        "small says little of the model.", "note", tries=top.tries, guessing=guessing(edges, top.tries),
    )  # fmt: skip
    say(
        part, "vote", _MORE,
        f"The commonest of {top.tries} answers of the largest model solves {top.vote(top.tries).mean():.2f} of the "
        f"puzzles, its greedy answer {top.greedy.mean():.2f}",
        paired(top.vote(top.tries), top.greedy), "Voting beats the greedy answer.",
        "Voting is worse than the greedy answer: with several right answers the votes are split.",
    )  # fmt: skip
    part.figures.append(_figure(plain, laws, edges))
    return part


def _say_brown(part: Part, plain: list[Asked], laws: dict[str, Any]) -> None:
    """Does the law fitted to few answers say how many are solved by all?"""
    if not plain:
        return
    tests = [over_seeds(laws[a.name].error, 1 - 0.05 / len(plain)) for a in plain]
    few, tries = laws[plain[0].name].few, plain[0].tries
    small = all(max(abs(t.lower), abs(t.upper)) < _NEAR for t in tests)
    off = [a.name for a, t in zip(plain, tests) if t.lower > 0 or t.upper < 0]
    errors = "; ".join(f"{a.name}: {t.estimate:+.3f} [{t.lower:+.3f}, {t.upper:+.3f}]" for a, t in zip(plain, tests))
    part.say(
        "brown", _MORE,
        f"Brown's law fitted to at most {few} answers and drawn on to {tries} misses the coverage seen by {errors} "
        f"(intervals hold together). Fitted to all it is nowhere further off than "
        f"{max(laws[a.name].residual for a in plain):.3f}. "
        + (f"It holds within {_NEAR}." if small else
           f"It is wrong for {len(off)} of {len(plain)} sizes: one law with the limit 1 does not describe puzzles this "
           "alike." if off else "Whether it holds further out is not told by these seeds."),
        "supported" if small else "contradicted" if off else "cannot tell", wrong=len(off), sizes=len(plain),
    )  # fmt: skip


def guessing(edges: list[int], k: int) -> float:
    """Share of graphs, of these numbers of edges alike, that one of k random 3-colourings colours.

    About: each edge is right with probability 2/3, taken as independent, which holds without cycles.
    """
    return float(np.mean([1 - (1 - (2 / 3) ** e) ** k for e in edges]))


def _figure(plain: list[Asked], laws: dict[str, Any], edges: list[int]) -> Figure:
    panels = []
    for title, value in (("One of k right", "coverage"), ("Commonest of k", "vote")):
        layers = []
        for arm in plain:
            k = arm.counts
            means = floats([getattr(arm, value)(int(n)).mean() for n in k])
            layers.append(Layer("points", arm.name, floats(k), means, role="ours"))
            if value == "coverage" and arm.name in laws:
                one = laws[arm.name]
                line = floats([np.exp(one.a * n**one.b).mean() for n in k])
                label = "Brown's law" if arm is plain[0] else ""
                layers.append(Layer("line", label, floats(k), line, role="reference"))
        if value == "coverage":
            guesses = floats([guessing(edges, int(n)) for n in k])
            layers.append(Layer("line", "random colours", floats(k), guesses, role="naive"))
        panels.append(Panel(title, "Answers to a puzzle, k", "Share of puzzles solved", tuple(layers), log_x=True))
    caption = "Share of graphs coloured by k sampled answers, means over seeds; the law fitted to all k."
    return Figure("answers", _MORE, caption, tuple(panels))
