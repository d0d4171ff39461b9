"""Whole solutions to puzzles that have several: how often every constraint holds, and what more tries buy.

Loss says how near the model is to the exact posterior; here it must commit. A greedy answer takes the
likeliest value at every step. A sampled one draws each value from the model or, for a model with latent
noise, takes the likeliest values along one noisy trajectory (GRAM's width: more trajectories, none longer).
Plain noise is drawn afresh at each step of the answer, variational latents once for the whole trajectory.
Of k answers either the right one is picked out, where checking is easier than answering (coverage), or the
commonest is taken (majority vote).
"""

from typing import Any

import numpy as np
import torch

from .config import Config
from .losses import probabilities
from .models import Decoder, Mlp
from .tasks import Task

_SEED = 3_141_592  # the same puzzles in every run
_PUZZLES = 256


@torch.no_grad()
def solved(
    model: Decoder | Mlp, task: Task, config: Config, device: str = "cpu", loops: int | None = None
) -> dict[str, Any]:
    """Greedy and sampled answers to 256 puzzles, after `loops` cycles (default: as many as in training).

    `greedy` is the share of puzzles whose greedy answer is a solution; `level` the level of each puzzle,
    `greedy_right` whether it was solved and `right` how many of `samples` sampled answers were, the counts
    from which coverage at k tries follows; `votes` the share solved by the commonest of 1, 2, 4 ... answers.
    """
    model.eval()
    x, _, level = task.batch(np.random.default_rng(_SEED), _PUZZLES)
    loops = loops or config.shape.loops * config.segments
    noisy = config.shape.noise > 0

    def choose(tokens: np.ndarray, positions: slice, draw: int) -> np.ndarray:
        if config.shape.variational:
            torch.manual_seed(_SEED + draw)
        hidden = model.hidden(torch.from_numpy(tokens).to(device), loops, draw > 0 and noisy)
        logits = model.readout(hidden[:, positions]).float()
        if not draw or noisy:
            return logits.argmax(-1).cpu().numpy()
        drawn = torch.multinomial(probabilities(logits, config.loss).flatten(0, 1), 1)
        return drawn.view(logits.shape[:2]).cpu().numpy()

    def one(draw: int) -> tuple[np.ndarray, np.ndarray]:
        answer = task.answer(x, lambda t, at: choose(t, at, draw))  # type: ignore[attr-defined]
        name = answer @ task.outputs ** np.arange(answer.shape[1])
        return name, task.valid(x, answer).astype(int)  # type: ignore[attr-defined]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        _, greedy = one(0)
        drawn = [one(i + 1) for i in range(config.answers)]
    names, right = (np.array([pair[i] for pair in drawn], dtype=np.int64).reshape(-1, len(x)) for i in (0, 1))
    return {
        "greedy": float(greedy.mean()),
        "samples": config.answers,
        "level": level.max(1).tolist(),
        "greedy_right": greedy.tolist(),
        "right": right.sum(0).tolist(),
        "votes": votes(names, right),
    }


def votes(names: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """Share of puzzles whose commonest answer of k is right, k = 1, 2, 4 ... up to the answers there are.

    names, right (answers, puzzles): the answer as a number, and whether it is a solution. A mean over all disjoint
    groups of k answers; of answers equally common the one drawn first is taken.
    """
    found, k = {}, 1
    while k <= len(names):
        groups = range(0, len(names) - k + 1, k)
        found[str(k)] = float(np.mean([_voted(names[at : at + k], right[at : at + k]) for at in groups]))
        k *= 2
    return found


def _voted(names: np.ndarray, right: np.ndarray) -> float:
    count = (names[:, None] == names[None]).sum(1)
    return float(np.take_along_axis(right, count.argmax(0)[None], 0).mean())
