"""Whole solutions to puzzles that have several: how often every constraint holds, and what more tries buy.

Loss says how near the model is to the exact posterior; here it must commit. A greedy answer takes the
likeliest value at every step. A sampled one draws each value from the model or, for a model with latent
noise, takes the likeliest values along one noisy trajectory (GRAM's width: more trajectories, none longer).
"""

from typing import Any

import numpy as np
import torch

from .config import Config
from .models import Decoder, Mlp
from .tasks import Task

_SEED = 3_141_592  # the same puzzles in every run
_PUZZLES = 256


@torch.no_grad()
def solved(model: Decoder | Mlp, task: Task, config: Config, device: str = "cpu") -> dict[str, Any]:
    """Greedy and sampled answers to 256 puzzles.

    `greedy` is the share of puzzles whose greedy answer is a solution; `level` the level of each puzzle,
    `greedy_right` whether it was solved and `right` how many of `samples` sampled answers were, the counts
    from which coverage at k tries follows.
    """
    model.eval()
    x, _, level = task.batch(np.random.default_rng(_SEED), _PUZZLES)
    loops = config.shape.loops * config.segments
    noisy = config.shape.noise > 0

    def choose(tokens: np.ndarray, positions: slice, sampled: bool) -> np.ndarray:
        hidden = model.hidden(torch.from_numpy(tokens).to(device), loops, sampled and noisy)
        logits = model.readout(hidden[:, positions]).float()
        if not sampled or noisy:
            return logits.argmax(-1).cpu().numpy()
        drawn = torch.multinomial(logits.softmax(-1).flatten(0, 1), 1)
        return drawn.view(logits.shape[:2]).cpu().numpy()

    def one(sampled: bool) -> np.ndarray:
        answer = task.answer(x, lambda t, at: choose(t, at, sampled))  # type: ignore[attr-defined]
        return task.valid(x, answer).astype(int)  # type: ignore[attr-defined]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        greedy = one(sampled=False)
        right = sum((one(sampled=True) for _ in range(config.answers)), np.zeros(len(x), dtype=int))
    return {
        "greedy": float(greedy.mean()),
        "samples": config.answers,
        "level": level.max(1).tolist(),
        "greedy_right": greedy.tolist(),
        "right": right.tolist(),
    }
