"""What holds facts: parameters, the same parameters run again, sparse experts, or a datastore beside the model?

A table of facts asked equally often, each many times, scored on every fact. Bits stored are facts x (entropy of an
answer - loss) / ln 2: what the model tells about the answers beyond how common each is. Loops, experts and look-ups
are set against the ladder of dense models at equal numbers stored.

>>> made = study()                         # from the runs that come with lawful
>>> made = study(data="out/memory/runs")   # from runs of one's own
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.runs import Runs
from lawful.studies.lab_check import check as check
from lawful.studies.lab_check import gathered, settings, validity
from lawful.studies.lab_exponents import PLAIN, Contrast, over_seeds
from lawful.studies.lab_pairs import paired, say, verdict_of
from lawful.studies.lab_runs import lab_runs, pick, plain_number
from lawful.studies.parts import Part, floats
from lawful.studies.results import Figure, Layer, Panel, Study

_CAPACITY, _AGAINST, _VALID = "Bits per parameter", "Loops, experts and look-ups against parameters", "What was run"
SECTIONS = (_CAPACITY, _AGAINST, _VALID)
_CLAIMED = 2.0  # bits per parameter, Allen-Zhu and Li
_FULL = 0.95  # of the facts answered: from there on a larger model has nothing more to hold
_SMALL = 0.1  # a change by less than this share is called none
_CUT = (
    "The table that comes with lawful is the quick design: 1,024 facts, one amount of training (750 looks at each; "
    "the claim is about 1,000), five widths, one number of loops and one of experts, four seeds of five, no learning "
    "rates. Eight times the facts, and training from 100 to 3,000 looks, are in the full design alone."
)


@dataclass(frozen=True)
class Arm:
    """One model and how it is used. numbers: parameters and what a datastore holds; used: parameters per token.

    exposures: looks at each fact in training; seeds, bits, accuracy (s,).
    """

    kind: str
    detail: str
    keys: int
    exposures: float
    width: int
    numbers: float
    used: float
    seeds: np.ndarray
    bits: np.ndarray
    accuracy: np.ndarray

    @property
    def name(self) -> str:
        return f"width {self.width}{f', {self.detail}' if self.detail else ''}"


def study(data: Any = None, *, seed: int = 0) -> Study:
    """All parts, from the shipped runs or from `data`, a folder of runs or a table of them.

    Nothing is drawn at random: `seed` is recorded alone. Raises FileNotFoundError without runs, ValueError where no
    table of facts has three dense sizes with two seeds.
    """
    runs = lab_runs("memory", data)
    found = arms(runs)
    group = _richest(found)
    whole = Part()
    for part in (_capacity(found, group), _against(group), validity(runs, _VALID)):
        whole.add(part)
    if data is None:
        whole.say("cut", _VALID, _CUT, "note")
    return gathered(
        "memory",
        "What holds facts: parameters, loops, experts or a datastore",
        whole,
        SECTIONS,
        ("capacity", "loops", "experts", "experts_flops", "retrieval"),
        (
            "Allen-Zhu and Li 2024, Physics of Language Models 3.3: Knowledge Capacity Scaling Laws (arXiv 2404.05405)",
            "Khandelwal et al. 2020, Generalization through Memorization: Nearest Neighbor Language Models "
            "(arXiv 1911.00172)",
            "Fedus, Zoph and Shazeer 2022, Switch Transformers (arXiv 2101.03961)",
        ),
        settings(runs, data, seed),
    )


def arms(runs: Runs) -> list[Arm]:
    """Every model of the facts asked equally often, as trained and with each datastore, with two seeds and more."""
    found = pick(runs, task="facts", level=0, knob_zipf=0.0, **{**PLAIN, "part": ("end", "retrieval")})
    frame = found.frame
    keys = [c for c in ("knob_keys", "steps", "batch", "width", "depth", "loops", "experts", "part", "entries")
            if c in frame.columns]  # fmt: skip
    made = []
    for _, group in frame.group_by(keys, maintain_order=True):
        rates = group["lr"].value_counts(sort=True)
        group = group.filter(group["lr"] == rates["lr"][0]).sort("seed")
        if len(group) > 1:
            made.append(_arm(group))
    return sorted(made, key=lambda a: (a.keys, a.exposures, a.kind, a.numbers))


def _arm(group: Any) -> Arm:
    row = group.row(0, named=True)
    stored = row.get("stored_numbers") or 0 if row["part"] == "retrieval" else 0
    kind, detail = "dense", ""
    if row["part"] == "retrieval":
        kind, detail = "retrieval", f"{row['entries']} examples to look up"
    elif row["loops"] > 1:
        kind, detail = "loops", f"{row['loops']} loops"
    elif row["experts"] > 1:
        kind, detail = "experts", f"{row['experts']} experts"
    loss = group["loss"].to_numpy().astype(float)
    return Arm(
        kind, detail, row["knob_keys"], row["steps"] * row["batch"] / row["knob_keys"], row["width"],
        row["params"] + stored, row["params_used"], group["seed"].to_numpy(),
        row["knob_keys"] * (row["chance_loss"] - loss) / np.log(2), group["accuracy"].to_numpy().astype(float),
    )  # fmt: skip


def _richest(found: list[Arm]) -> list[Arm]:
    """The arms of the table and training with most kinds of models, then most of them."""
    groups: dict[tuple[int, float], list[Arm]] = {}
    for arm in found:
        groups.setdefault((arm.keys, arm.exposures), []).append(arm)
    best = max(groups.values(), key=lambda g: (len({a.kind for a in g}), len(g)), default=[])
    if len(_dense(best)) < 3:
        raise ValueError("the runs hold no table of facts (zipf 0) with three dense sizes of two seeds each")
    return best


def _dense(group: list[Arm]) -> list[Arm]:
    return [a for a in group if a.kind == "dense"]


def _capacity(found: list[Arm], group: list[Arm]) -> Part:
    part = Part()
    lines = [
        (a.keys, f"{a.exposures:.0f}", a.name, plain_number(a.numbers), len(a.seeds),
         round(float(a.accuracy.mean()), 3), str(over_seeds(a.bits / a.numbers)),
         "full" if a.accuracy.mean() >= _FULL else "")
        for a in _dense(found)
    ]  # fmt: skip
    columns = ("facts", "looks at each", "model", "params", "seeds", "facts known", "bits per parameter", "table")
    part.table("capacity", _CAPACITY, "What dense models hold", columns, lines,
               "All parameters counted, 95 % t intervals over seeds. Full: the model has nothing left to learn, so its "
               "bits say nothing of what it could hold.")  # fmt: skip
    open_ = [a for a in _dense(group) if a.accuracy.mean() < _FULL]
    if not open_:
        part.say("capacity", _CAPACITY, "Every size knows the whole table: capacity cannot be told; take more facts.",
                 "cannot tell")  # fmt: skip
        return part
    best = max(open_, key=lambda a: float((a.bits / a.numbers).mean()))
    one = over_seeds(best.bits / best.numbers)
    part.say(
        "capacity", _CAPACITY,
        f"The paper: two bits per parameter after 1,000 looks at each fact. Here the most that a model with room to "
        f"learn holds is {one} bits per parameter (width {best.width}, {plain_number(best.numbers)}, "
        f"{best.exposures:.0f} looks). "
        + ("That is below two; parameters this few also have to spell the keys." if one.upper < _CLAIMED else
           "That is above two." if one.lower > _CLAIMED else "Two is inside."),
        "supported" if one.lower <= _CLAIMED <= one.upper else "contradicted",
        estimate=one.estimate, lower=one.lower, upper=one.upper,
    )  # fmt: skip
    _say_growth(part, open_)
    part.figures.append(_figure(group))
    return part


def _say_growth(part: Part, ladder: list[Arm]) -> None:
    """Are bits proportional to parameters? The exponent of bits in parameters, once per seed."""
    ladder = [a for a in ladder if np.array_equal(a.seeds, ladder[0].seeds)]
    if len(ladder) < 2:
        return
    x = np.log([a.numbers for a in ladder])
    x = x - x.mean()
    one = over_seeds(np.log(np.array([a.bits for a in ladder])).T @ x / (x @ x))
    linear = one.lower <= 1 <= one.upper
    part.say(
        "growth", _CAPACITY,
        f"Bits grow as parameters to the power {one} over {len(ladder)} sizes that the table does not fill. "
        + ("That is in proportion." if linear else
           "That is faster than in proportion: the first parameters spell the keys." if one.lower > 1 else
           "That is slower than in proportion."),
        "supported" if linear else "contradicted", estimate=one.estimate, lower=one.lower, upper=one.upper,
    )  # fmt: skip


def dense_equivalent(arm: Arm, ladder: list[Arm]) -> np.ndarray:
    """Parameters (s,) of the dense model with as many bits, seed by seed: straight lines of ln N in bits.

    Beyond the ladder the last line is drawn on; a full table makes that a guess, which `outside` says.
    """
    found = []
    for s, bits in zip(arm.seeds, arm.bits):
        at = [(float(a.bits[list(a.seeds).index(s)]), np.log(a.numbers)) for a in ladder if s in a.seeds]
        b, ln_n = np.array(sorted(at)).T
        i = int(np.clip(np.searchsorted(b, bits), 1, len(b) - 1))
        found.append(ln_n[i - 1] + (bits - b[i - 1]) * (ln_n[i] - ln_n[i - 1]) / (b[i] - b[i - 1]))
    return np.exp(found)


def outside(arm: Arm, ladder: list[Arm]) -> bool:
    """Whether the arm holds more than the largest dense model, or less than the smallest."""
    means = [float(a.bits.mean()) for a in ladder]
    return not min(means) <= float(arm.bits.mean()) <= max(means)


def _against(group: list[Arm]) -> Part:
    part, ladder = Part(), _dense(group)
    others = [a for a in group if a.kind != "dense"]
    if not others:
        part.say("loops", _AGAINST, "No loops, experts or datastores in these runs.", "cannot tell")
        return part
    lines, tests = [], {}
    for arm in others:
        worth = dense_equivalent(arm, ladder)
        one = tests[arm.name] = paired(np.log(worth), np.full(len(worth), np.log(arm.numbers)), len(others))
        factor = np.exp([one.interval.estimate, one.interval.lower, one.interval.upper])
        mark = ", beyond the ladder" if outside(arm, ladder) else ""
        lines.append(
            (arm.name, plain_number(arm.numbers), len(arm.seeds), round(float(arm.accuracy.mean()), 3),
             str(over_seeds(arm.bits / arm.numbers)), f"{factor[0]:.2f} [{factor[1]:.2f}, {factor[2]:.2f}]{mark}",
             verdict_of(one, "better than parameters", "worse than parameters"))
        )  # fmt: skip
    columns = ("model", "numbers stored", "seeds", "facts known", "bits per number",
               "worth, as a multiple of its numbers", "verdict")  # fmt: skip
    part.table(
        "against", _AGAINST, "What each number stored is worth, in parameters of a dense model", columns, lines,
        "Numbers stored: parameters, and of a datastore every state and answer. Worth: parameters of the dense model "
        f"with as many bits, over the numbers stored; paired t intervals that hold together for {len(others)} "
        "comparisons.",
    )  # fmt: skip
    for kind in ("loops", "experts", "retrieval"):
        same = [a for a in others if a.kind == kind]
        if same:
            _say_kind(part, kind, _headline(same, ladder), ladder, tests)
    return part


def _headline(same: list[Arm], ladder: list[Arm]) -> Arm:
    """Of several arms of a kind the one with most numbers that lies within the ladder."""
    return max(same, key=lambda a: (not outside(a, ladder), a.numbers, a.detail))


def _say_kind(part: Part, kind: str, arm: Arm, ladder: list[Arm], tests: dict[str, Contrast]) -> None:
    base = next((a for a in ladder if a.width == arm.width and np.array_equal(a.seeds, arm.seeds)), None)
    gain = None if base is None else paired(arm.bits / base.bits.mean(), base.bits / base.bits.mean())
    if kind == "loops" and gain is not None:
        _say_loops(part, arm, gain)
        return
    one = tests[arm.name]
    factor = np.exp(one.interval.estimate)
    edge = " (beyond the ladder, so by drawing it on)" if outside(arm, ladder) else ""
    what = {"experts": "sparse experts", "retrieval": "a datastore"}[kind]
    say(
        part, kind, _AGAINST,
        f"At equal numbers stored {what} ({arm.name}, {plain_number(arm.numbers)}) holds as much as {factor:.2f} times "
        f"as many dense parameters{edge}; logarithm of that",
        one, "Each number stored there holds more.", "Each number stored there holds less than a dense parameter.",
    )  # fmt: skip
    if gain is not None:
        words = {
            "experts": (f"At nearly equal FLOPs, {arm.detail} hold more than one feed-forward network of the width, as "
                        "a share of its bits", "Experts add memory without adding FLOPs."),
            "retrieval": (f"Looking up {arm.detail.removesuffix(' to look up')} adds to the same model, as a share of "
                          "its bits", "Retrieval adds memory without adding parameters."),
        }[kind]  # fmt: skip
        say(part, f"{kind}_flops" if kind == "experts" else f"{kind}_adds", _AGAINST, words[0], gain, words[1],
            "It costs memory.")  # fmt: skip


def _say_loops(part: Part, arm: Arm, gain: Contrast) -> None:
    """Loops are claimed to do nothing for memory: is the change small, with its whole interval?"""
    one = gain.interval
    small = max(abs(one.lower), abs(one.upper)) < _SMALL
    text = (
        f"{arm.detail} of width {arm.width} change the bits stored by {one.estimate:+.1%} [{one.lower:+.1%}, "
        f"{one.upper:+.1%}], with no parameter more. "
    )
    text += (
        "Loops do nothing for memory, beyond a tenth." if small else
        "Loops help memory here." if gain.told and one.lower > 0 else
        "Loops cost memory." if gain.told else f"Cannot tell: {gain.needed} seeds would be needed."
    )  # fmt: skip
    verdict = "supported" if small or (gain.told and one.upper < 0) else "contradicted" if gain.told else "cannot tell"
    part.say("loops", _AGAINST, text, verdict, estimate=one.estimate, lower=one.lower, upper=one.upper)


def _figure(group: list[Arm]) -> Figure:
    layers = []
    names = {"dense": "dense", "loops": "looped", "experts": "sparse experts", "retrieval": "with look-ups"}
    for kind, label in names.items():
        rows = [a for a in group if a.kind == kind]
        if rows:
            x = floats(np.concatenate([np.full(len(a.bits), a.numbers) for a in rows]))
            layers.append(Layer("points", label, x, floats(np.concatenate([a.bits for a in rows])), role="ours"))
    ends = np.array([min(a.numbers for a in group), max(a.numbers for a in group)])
    top = group[0].keys * 5
    line = np.geomspace(ends[0], min(ends[1], top / _CLAIMED), 20)
    layers.append(Layer("line", "two bits per number", floats(line), floats(_CLAIMED * line), role="reference"))
    caption = (
        f"Bits stored of {group[0].keys:,} facts, every seed, against the numbers stored: parameters, and with "
        "look-ups the datastore."
    )
    panel = Panel("", "Numbers stored", "Bits", tuple(layers), log_x=True, log_y=True)
    return Figure("memory", _CAPACITY, caption, (panel,))
