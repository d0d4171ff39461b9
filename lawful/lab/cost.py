"""What a run will cost, before it starts: its FLOPs at the core's matrix rate, its activations, its blocks.

Three terms because small models are not bound by FLOPs: at width 16 a core reaches a quarter of its matrix
rate, at width 64 two thirds. `calibrate` measures the three on this machine; planning works without it, and
without PyTorch.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from .config import Config, config
from .shape import forward_flops


@dataclass(frozen=True)
class Speed:
    """What a core does: matrix GFLOP/s, seconds per block and step, seconds per activation of a block.

    The default is a desktop core of 2025; `measured` says whether it is this one.
    """

    gflops: float = 100.0
    per_block: float = 1e-3
    per_element: float = 1e-8
    measured: bool = False


def seconds(run: Config, speed: Speed) -> float:
    """Expected core-seconds of a run, training and evaluation."""
    shape, task = run.shape, run.built_task
    passes = shape.passes(1) * run.loops * shape.depth
    elements = run.batch * task.length * (shape.width * passes + task.outputs)
    step = run.step_flops / (speed.gflops * 1e9) + speed.per_block * (1 + passes) + speed.per_element * elements
    tested = 1 + run.rungs + sum(run.test_loops) / run.loops
    scored = run.eval_sequences * forward_flops(shape, task) * run.segments * tested * run.samples
    return run.n_steps * step + 2 * scored / (speed.gflops * 1e9) + 0.2


def calibrate() -> Speed:
    """Measure this core in a second or two; without PyTorch, the unmeasured default.

    Matrix rate from a 512 x 512 product, cost per block from steps too small to compute anything, cost per
    activation from what a step of width 32 takes beyond both. The least of several repeats, since other work
    only adds.
    """
    try:
        import torch
    except ImportError:
        return Speed()
    torch.set_num_threads(1)
    a = torch.randn(512, 512)
    gflops = 2 * 512**3 / _least(lambda: a @ a) / 1e9
    shallow = _step_seconds(config({"task": "swaps", "width": 4, "depth": 1, "batch": 2}))
    deep = _step_seconds(config({"task": "swaps", "width": 4, "depth": 5, "batch": 2}))
    per_block = max((deep - shallow) / 4, 1e-6)
    run = config({"task": "swaps", "width": 32, "depth": 2})
    rest = _step_seconds(run) - 3 * per_block - run.step_flops / (gflops * 1e9)
    elements = run.batch * run.built_task.length * (32 * 2 + run.built_task.outputs)
    return Speed(gflops, per_block, max(rest, 0.0) / elements, measured=True)


def _step_seconds(run: Config) -> float:
    from .train import Training

    return _least(Training(run, run.built_task).one_step)


def _least(work: Callable[[], object], repeats: int = 20) -> float:
    work()
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best
