"""SCAL-SMA, made precise: does weighting the training instances by a learned score help, and does any part of it?

Every variant is compared with uniform weights seed by seed, at equal steps (the ensemble at equal FLOPs), on reach: the
expected number of levels solved. The family of comparisons is all variants that were run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lawful.runs import Runs
from lawful.stats import adjust_p, paired_permutation
from lawful.studies.lab_exponents import over_seeds
from lawful.studies.lab_runs import LEVELS, pick, told, usual, values_of
from lawful.studies.parts import Part, floats, span
from lawful.studies.results import Figure, Layer, Panel
from lawful.uncertainty import Interval

SECTION = "SCAL-SMA"
_FULL: dict[str, Any] = {
    "reweight_encoder": "frozen",
    "reweight_closed": False,
    "reweight_keep": 0.0,
    "reweight_strength": 0.5,
    "reweight_temperature": 1.0,
    "members": 1,
    "curriculum": 0.0,
}
_CLAIMED = 0.07  # the least relative gain that the paper claims
_SIGNS = {"easy": "as written (easy)", "hard": "min-max (hard)"}
_PARTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("whole method", {}),
    ("own states, no frozen encoder", {"reweight_encoder": "own"}),
    ("no learned scores: closed form", {"reweight_encoder": "own", "reweight_closed": True}),
    ("no divergence from uniform", {"reweight_strength": 0.0}),
    ("temperature 4", {"reweight_temperature": 4.0}),
    ("filtering: half the answers", {"reweight_encoder": "own", "reweight_keep": 0.5}),
)
_REJECTED = (
    ("curriculum", {"reweight": None, "curriculum": 0.5}),
    ("ensemble of two, equal FLOPs", {"reweight": None, "members": 2}),
)


@dataclass(frozen=True)
class Variant:
    """A way of training and what it does to reach, loss, calibration and cost, paired with uniform weights by seed."""

    name: str
    seeds: int
    base: float  # reach with uniform weights
    gain: Interval
    p: float
    smallest_p: float
    loss: float
    ece: float
    levels: tuple[float, ...]
    seconds: float
    memory: float


def weighting(runs: Runs) -> Part:
    """The ablation, the rejected ideas beside it, overhead, and the verdict."""
    part = Part()
    variants = _variants(runs)
    if not variants:
        part.say("weighting", SECTION, "No reweighted runs: nothing can be said of SCAL-SMA.", "cannot tell")
        return part
    adjusted = adjust_p([v.p for v in variants], "holm")
    lines = [
        (v.name, v.seeds, f"{v.gain.estimate:+.3f}", span(v.gain.lower, v.gain.upper), f"{p:.3g}", f"{v.loss:+.3f}",
         f"{v.ece:+.3f}", f"{v.seconds:+.0%}", f"{v.memory:+.0%}", _verdict(v, p, len(variants)))
        for v, p in zip(variants, adjusted)
    ]  # fmt: skip
    columns = ("variant", "seeds", "gain in reach", "interval", "p, Holm", "loss", "ECE", "time", "memory", "verdict")
    family = 1 - 0.05 / len(variants)
    note = (
        f"Against uniform weights, paired by seed. Intervals: t at {family:.1%}, so that all {len(variants)} hold "
        "together with 95 %; p: exact sign flips over seeds. Time: CPU seconds of training with a frozen encoder's "
        "own; memory: weights, gradients and moments. 'Easy': the scorer joins the model in lowering the weighted "
        "loss, so hard answers lose weight; 'hard': it raises it."
    )
    part.table("weighting", SECTION, "The method, its parts and the rejected ideas", columns, lines, note)
    part.table("weighting_levels", SECTION, "Gain in accuracy by level", ("variant", *map(str, LEVELS.values())),
               [(v.name, *(round(g, 3) for g in v.levels)) for v in variants])  # fmt: skip
    _say(part, variants, adjusted)
    part.figures.append(_figure(variants))
    return part


def _variants(runs: Runs) -> list[Variant]:
    swaps = pick(runs, task="swaps", part="end", knobs=None, block="attention")
    weighted = pick(swaps, reweight=("easy", "hard"))
    if not len(weighted):
        return []
    same = {name: usual(weighted, name) for name in ("width", "depth", "loops", "lr", "batch", "steps")}
    swaps = pick(swaps, **{name: value for name, value in same.items() if name != "steps"})
    base = pick(swaps, steps=same["steps"], reweight=None, members=1, curriculum=0.0)
    wanted = [(f"{title}: {name}", {**_FULL, **changed, "reweight": sign, "steps": same["steps"]})
              for sign, title in _SIGNS.items() for name, changed in _PARTS]  # fmt: skip
    for name, changed in _REJECTED:
        steps = same["steps"] // changed.get("members", 1)
        wanted.append((name, {"members": 1, "curriculum": 0.0, "steps": steps, **changed}))
    found = [(name, pick(swaps, **settings)) for name, settings in wanted]
    present = [(name, rows) for name, rows in found if len(_seeds(rows) & _seeds(base)) > 1]
    return [_variant(name, rows, base, len(present)) for name, rows in present]


def _seeds(runs: Runs) -> set[int]:
    return set(values_of(pick(runs, level=0), "seed"))


def _variant(name: str, rows: Runs, base: Runs, planned: int) -> Variant:
    seeds = sorted(_seeds(rows) & _seeds(base))

    def column(runs: Runs, what: str, level: int = 0) -> np.ndarray:
        here = pick(runs, level=level)
        by_seed = dict(zip(here["seed"], here[what]))
        return np.array([by_seed[s] for s in seeds])

    reach, plain = column(rows, "reach"), column(base, "reach")
    test = paired_permutation(reach, plain, unit="seed")
    change = {what: float((column(rows, what) - column(base, what)).mean()) for what in ("loss", "ece")}
    cost = {what: float(column(rows, what).mean() / column(base, what).mean() - 1)
            for what in ("train_cpu_seconds", "state_bytes")}  # fmt: skip
    levels = tuple(float((column(rows, "accuracy", k) - column(base, "accuracy", k)).mean()) for k in LEVELS.values())
    return Variant(
        name, len(seeds), float(plain.mean()), over_seeds(reach - plain, 1 - 0.05 / planned), float(test.p or 1.0),
        float(test.smallest_p or 1.0), change["loss"], change["ece"], levels, cost["train_cpu_seconds"],
        cost["state_bytes"],
    )  # fmt: skip


def _verdict(v: Variant, p: float, planned: int) -> str:
    if v.gain.lower > 0:
        return "helps"
    if v.gain.upper < 0:
        return "hurts"
    half = (v.gain.upper - v.gain.lower) / 2
    if half <= 0.1:
        return "no effect of a tenth of a level"
    return f"cannot tell: {int(np.ceil(v.seeds * (half / 0.1) ** 2))} seeds for a tenth of a level"


def _say(part: Part, variants: list[Variant], adjusted: np.ndarray) -> None:
    helps = [v for v in variants if v.gain.lower > 0]
    hurts = [v for v in variants if v.gain.upper < 0]
    best = max(variants, key=lambda v: v.gain.estimate)
    scal = [v for v in variants if v.name.startswith(tuple(_SIGNS.values()))]
    helping = [v for v in scal if v in helps]
    ruled_out = all(v.gain.upper < _CLAIMED * v.base for v in scal)
    part.say(
        "weighting", SECTION,
        (f"SCAL-SMA does not help: none of its {len(scal)} variants raises reach at family-wise 5 %"
         if not helping else f"{told(v.name for v in helping)} raise reach")
        + (f", and {len([v for v in hurts if v in scal])} of them lower it" if hurts else "")
        + f". The best of all {len(variants)} is {best.name} with {best.gain.estimate:+.2f} "
        f"{span(best.gain.lower, best.gain.upper)} levels. The paper claims gains of 7 to 22 %; 7 % of the reach with "
        f"uniform weights, {variants[0].base:.2f} levels, is {'above every' if ruled_out else 'inside some'} interval.",
        "note" if helping else "contradicted" if ruled_out else "cannot tell",
        variants=len(variants), helps=[v.name for v in helps], hurts=[v.name for v in hurts],
        smallest_p=min(v.smallest_p for v in variants),
    )  # fmt: skip
    learned = [v for v in scal if "closed" not in v.name and "filter" not in v.name]
    if learned:
        low, high = (f(v.seconds for v in learned) for f in (min, max))
        part.say(
            "overhead", SECTION,
            f"Learned scores cost {low:.0%} to {high:.0%} more training time and {min(v.memory for v in learned):.0%} "
            f"to {max(v.memory for v in learned):.0%} more training state, a frozen encoder's own training included.",
            "note", low=low, high=high,
        )  # fmt: skip


def _figure(variants: list[Variant]) -> Figure:
    place = floats(range(1, len(variants) + 1))
    low, high = floats([v.gain.lower for v in variants]), floats([v.gain.upper for v in variants])
    layers = (
        Layer("interval", "gain", place, lower=low, upper=high, role="ours"),
        Layer("points", "gain", place, floats([v.gain.estimate for v in variants]), role="ours"),
        Layer("line", "uniform weights", (0.5, len(variants) + 0.5), (0.0, 0.0), role="reference"),
    )
    caption = "Gain in reach over uniform weights, family-wise 95 %: " + "; ".join(
        f"{i} {v.name}" for i, v in enumerate(variants, 1)
    )
    return Figure("weighting", SECTION, caption + ".", (Panel("", "Variant", "Levels gained", layers),))
