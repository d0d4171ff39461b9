"""What the second opinion on 'Scaling Laws Under the Microscope' is built from: the families, and the parts of it.

Every family was evaluated by Cerebras on the same seven tasks with one harness, so that like is compared with like. A
split says how many of a family's smallest models are fitted; the rest are predicted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lawful.tasks import Scores, scores

COLUMNS = {"loss_card": "model card", "loss": "arXiv"}  # the two published loss columns of Cerebras-GPT
SEED_NOISE = 0.0035  # relative sd of the loss between runs that differ by seed (Cerebras-GPT paper, section 3.3)
_FAMILIES = {  # name: data set, shots
    "cerebras": ("cerebras_gpt", 0), "cerebras_5": ("cerebras_gpt", 5), "mup": ("cerebras_gpt_mup", 0),
    "pythia": ("pythia_v0", 0), "pythia_5": ("pythia_v0", 5), "deduped": ("pythia_v0_deduped", 0), "opt": ("opt", 0),
}  # fmt: skip
TITLES = {
    "cerebras": "Cerebras-GPT", "cerebras_5": "Cerebras-GPT, 5-shot", "mup": "Cerebras-GPT muP", "pythia": "Pythia v0",
    "pythia_5": "Pythia v0, 5-shot", "deduped": "Pythia v0 deduplicated", "opt": "OPT",
}  # fmt: skip
SPLITS = (  # family, number of smallest models that are fitted
    ("cerebras", 4), ("cerebras_5", 4), ("mup", 3), ("pythia", 5), ("pythia", 4), ("deduped", 5), ("pythia_5", 5),
    ("opt", 3),
)  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """The scores of every family, models from small to large, with their sizes, tokens, FLOPs and losses."""

    families: dict[str, Scores]

    def __getitem__(self, name: str) -> Scores:
        return self.families[name]


def gather() -> Evidence:
    """Read the shipped tables."""
    from lawful import datasets

    found = {}
    for name, (dataset, shots) in _FAMILIES.items():
        found[name] = scores(datasets.tasks(dataset, where=f"metric == 'acc' and shots == {shots}"))
    return Evidence(found)


def size(answers: Scores) -> np.ndarray:
    """Nominal sizes, which the study uses as N and every family has."""
    return answers.column("params_nominal")


def in_order(answers: Scores) -> Scores:
    """Without models whose loss is above that of a smaller model of their family (deduplicated Pythia 1.4B)."""
    loss = answers.column("loss")
    return answers.take(np.flatnonzero(loss <= np.minimum.accumulate(loss)))
