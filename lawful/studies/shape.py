"""Deep or wide, MLP or attention, own or shared keys: which shape is best for so many parameters, and can a law say?

Models of (nearly) equal parameters without embeddings differ in depth, in the share of the MLP and in the sharing of
keys and values. Bian's conditional law is fitted to width and MLP share of one budget of parameters; the shape that it
predicts, the best shape of the grid and the usual shape are then trained with fresh seeds.

>>> made = study()                        # from the runs that come with lawful
>>> made = study(data="out/shape/runs")   # from runs of one's own
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lawful.studies.lab_check import check as check
from lawful.studies.lab_check import gathered, settings, validity
from lawful.studies.lab_exponents import contrast, over_seeds
from lawful.studies.lab_pairs import say
from lawful.studies.lab_runs import lab_runs, plain_number
from lawful.studies.parts import Part, floats
from lawful.studies.results import Figure, Layer, Panel, Study
from lawful.studies.shape_law import LAW, by_law
from lawful.studies.shape_models import Model, models

_DEPTH, _INSIDE, _VALID = "Depth against width", "Inside a block", "What was run"
SECTIONS = (_DEPTH, _INSIDE, LAW, _VALID)
_CUT = (
    "The table that comes with lawful is the quick design: one budget of 12 to 14 thousand parameters of three, 300 "
    "steps of 1,000, four seeds of five, the MLP share at depth 2 alone, no text, no learning rates. Widths are "
    "multiples of 4, so that parameters agree within a sixth, not exactly; width 32 has two heads, smaller have one."
)


def study(data: Any = None, *, seed: int = 0) -> Study:
    """All parts, from the shipped runs or from `data`, a folder of runs or a table of them.

    Nothing is drawn at random: `seed` is recorded alone. Raises FileNotFoundError without runs, ValueError where no
    two depths of one task have two seeds.
    """
    runs = lab_runs("shape", data)
    found = models(runs)
    if len({m.depth for m in found}) < 2:
        raise ValueError("the runs hold no two depths with two seeds each: there is nothing to compare")
    whole = Part()
    for part in (_depths(found), _inside(found), by_law(found), validity(runs, _VALID)):
        whole.add(part)
    if data is None:
        whole.say("cut", _VALID, _CUT, "note")
    return gathered(
        "shape",
        "The shape of a small model: depth, width, MLP and shared keys at equal parameters",
        whole,
        SECTIONS,
        ("deep_swaps", "deep_facts", "ratio", "shared", "law", "optimum"),
        (
            "Liu et al. 2024, MobileLLM (arXiv 2402.14905)",
            "Bian et al. 2025, Scaling Laws Meet Model Architecture (arXiv 2510.18245)",
            "Ainslie et al. 2023, GQA (arXiv 2305.13245)",
        ),
        settings(runs, data, seed),
    )


def _groups(found: list[Model], like: Any) -> dict[tuple[str, int], list[Model]]:
    """The models of a task and budget that are `like`, of the seeds that the law is fitted to."""
    groups: dict[tuple[str, int], list[Model]] = {}
    for model in found:
        if not model.fresh and like(model):
            groups.setdefault((model.task, model.budget), []).append(model)
    return {key: sorted(group, key=lambda m: m.depth) for key, group in groups.items() if len(group) > 1}


def _depths(found: list[Model]) -> Part:
    part = Part()
    groups = _groups(found, lambda m: m.usual)
    lines = [
        (m.task, m.depth, m.width, plain_number(m.N), len(m.seeds), str(over_seeds(m.loss)),
         round(float(m.reach.mean()), 2))
        for group in groups.values() for m in group
    ]  # fmt: skip
    part.table(
        "depths", _DEPTH, "Depth against width at equal parameters",
        ("task", "depth", "width", "params without embeddings", "seeds", "loss", "reach"), lines,
        "Four feed-forward units to a unit of width, own keys. 95 % t intervals over seeds. Reach: levels solved, of "
        "16 of swaps and of 17 octaves of facts.",
    )  # fmt: skip
    for (task, budget), group in groups.items():
        if budget == min(b for t, b in groups if t == task):
            _say_depth(part, task, group)
    part.figures.append(_figure(groups))
    return part


def _say_depth(part: Part, task: str, group: list[Model]) -> None:
    """MobileLLM's claim: deep and thin. The deepest half of the grid's best against one block."""
    wide = group[0]
    deep = min(group[1:], key=lambda m: m.loss.mean())
    one = contrast(np.log(wide.loss), np.log(deep.loss), len(group) - 1)
    best = min(group, key=lambda m: m.loss.mean())
    edge = "" if best.depth != group[-1].depth else ", the deepest tried, so the best may be deeper still"
    say(
        part, f"deep_{task}", _DEPTH,
        f"MobileLLM: deep and thin wins at equal parameters. The loss of {deep.depth} blocks of width {deep.width} on "
        f"{task} is {deep.loss.mean() / wide.loss.mean() - 1:+.1%} beside {wide.depth} of width {wide.width} (best: "
        f"depth {best.depth}{edge}); logarithm of the ratio, wide over deep",
        one, "Deep and thin wins here.", "Shallow and wide wins here.",
    )  # fmt: skip


def _inside(found: list[Model]) -> Part:
    """The share of the MLP, and keys shared by all heads, at equal parameters."""
    part = Part()
    groups = _groups(found, lambda m: m.task == "swaps" and m.depth == 2)
    if not groups:
        part.say("ratio", _INSIDE, "No models that differ inside a block alone.", "cannot tell")
        return part
    group = min(groups.items())[1]
    lines = [
        (m.mlp_ratio, round(m.r, 2), m.width, m.heads, m.kv_heads, plain_number(m.N), len(m.seeds),
         str(over_seeds(m.loss)), str(over_seeds(m.reach)))
        for m in sorted(group, key=lambda m: (m.kv_heads < m.heads, m.heads, m.mlp_ratio))
    ]  # fmt: skip
    columns = ("MLP units per width", "MLP / attention params", "width", "heads", "heads with keys", "params", "seeds",
               "loss", "reach")  # fmt: skip
    part.table("inside", _INSIDE, "Two blocks on swaps, built differently", columns, lines)
    plain = [m for m in group if not m.given_heads]
    usual = next((m for m in plain if m.mlp_ratio == 4), None)
    if usual and len(plain) > 1:
        other = min((m for m in plain if m is not usual), key=lambda m: m.loss.mean())
        say(
            part, "ratio", _INSIDE,
            f"Of the other MLP shares {other.mlp_ratio:g} units per width (MLP / attention {other.r:g}) is best; "
            "logarithm of the loss, usual 4 over that",
            contrast(np.log(usual.loss), np.log(other.loss), len(plain) - 1),
            "Another share of the MLP beats the usual one here.", "The usual four units per width are better.",
        )  # fmt: skip
    _say_shared(part, [m for m in group if m.given_heads])
    return part


def _say_shared(part: Part, group: list[Model]) -> None:
    own = next((m for m in group if m.kv_heads == m.heads), None)
    shared = [m for m in group if m.kv_heads < m.heads]
    if own is None or not shared:
        return
    fewest = min(shared, key=lambda m: m.kv_heads)
    say(
        part, "shared", _INSIDE,
        f"{fewest.kv_heads} of {fewest.heads} heads' keys and values kept and the parameters given to the MLP "
        f"({plain_number(fewest.N)} and {plain_number(own.N)} parameters); logarithm of the loss, own over shared",
        contrast(np.log(own.loss), np.log(fewest.loss)), "Sharing keys is better at equal parameters.",
        "Own keys are better at equal parameters.",
    )  # fmt: skip


def _figure(groups: dict[tuple[str, int], list[Model]]) -> Figure:
    panels = []
    for task in sorted({t for t, _ in groups}, reverse=True):
        layers = []
        for (name, _), group in groups.items():
            if name != task:
                continue
            x = floats([m.depth for m in group])
            means = [over_seeds(m.loss) for m in group]
            label = f"{plain_number(group[0].N)} parameters"
            layers.append(Layer("line", label, x, floats([m.estimate for m in means]), role="ours"))
            layers.append(
                Layer("interval", "", x, lower=floats([m.lower for m in means]), upper=floats([m.upper for m in means]))
            )
        panels.append(Panel(task.capitalize(), "Blocks", "Loss, nats", tuple(layers), log_x=True))
    caption = "Loss at equal parameters against depth; means and 95 % t intervals over seeds."
    return Figure("depths", _DEPTH, caption, tuple(panels))
