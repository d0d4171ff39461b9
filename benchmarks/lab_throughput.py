"""Training steps per second of the lab against a plain PyTorch loop of the same model; the bar is a ratio of 0.95.

    python benchmarks/lab_throughput.py            # one core, about a minute

Both loops take turns in short blocks on one thread, and CPU time is counted, so that other work on the machine falls on
both alike; the ratio is the median over pairs of blocks.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from lawful.lab.config import Config, config
from lawful.lab.models import build, rates
from lawful.lab.train import Training

SHAPES = (
    {"task": "swaps", "width": 8}, {"task": "swaps", "width": 16}, {"task": "swaps", "width": 32},
    {"task": "swaps", "width": 64}, {"task": "facts", "width": 16, "batch": 384},
    {"task": "swaps", "width": 32, "depth": 1, "loops": 8},
)  # fmt: skip
BLOCKS, STEPS = 15, 8


def plain_loop(given: Config) -> Callable[[], float]:
    """One step of the loop that anybody would write for this model."""
    task, model = given.built_task, build(given.shape, given.built_task)
    optimiser = torch.optim.AdamW(rates(model, given.lr), betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    rng = np.random.default_rng(0)
    model.train()

    def step() -> float:
        x, y, _ = task.batch(rng, given.batch)
        logits = model(torch.from_numpy(x))
        loss = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(y).flatten(), ignore_index=-100)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), given.clip)
        optimiser.step()
        return loss.item()

    return step


def seconds(step: Callable[[], float]) -> float:
    """CPU seconds of one block of steps."""
    start = time.process_time()
    for _ in range(STEPS):
        step()
    return time.process_time() - start


def main() -> None:
    torch.set_num_threads(1)
    for settings in SHAPES:
        given = config({**settings, "steps": 10_000})
        lab, plain = Training(given, given.built_task).one_step, plain_loop(given)
        for step in (lab, plain):
            seconds(step)
        pairs = np.array([(seconds(plain), seconds(lab)) for _ in range(BLOCKS)])
        ratio = np.median(pairs[:, 0] / pairs[:, 1])
        words = ", ".join(f"{name} {value}" for name, value in settings.items())
        print(f"{words}: {STEPS / np.median(pairs[:, 1]):.0f} steps per CPU second, ratio to plain {ratio:.3f}")


if __name__ == "__main__":
    main()
