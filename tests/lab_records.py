"""Records of runs that nobody trained: the lab's format, with losses that follow laws known beforehand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lawful.lab.config import Config, as_dict, key
from lawful.lab.sweep import load

FACTS, SWAPS = 0.40, {1: 1.2, 2: 0.9, 4: 0.35, 8: 0.05, 16: 0.0}  # exponents of the excess in params_nonembed


def record(config: Config, noise: float = 0.02) -> dict[str, Any]:
    """A finished run whose loss is a power law of size (and of serial steps, for swaps), with seeded noise."""
    rng = np.random.default_rng([config.seed, config.shape.width, config.steps])
    task, size = config.built_task, config.size
    serial = config.shape.passes() * config.shape.depth * config.segments
    levels = [_level(config, level, size.nonembed, serial, rng, noise) for level in task.levels]
    whole = {
        k: float(np.mean([row[k] for row in levels])) for k in ("loss", "loss_capped", "accuracy", "ece", "bayes_loss")
    }
    room = [(r["accuracy"] - r["chance_accuracy"], r["floor_accuracy"] - r["chance_accuracy"]) for r in levels]
    reach = sum(gained / best for gained, best in room if best > 1e-9)
    return {
        "key": key(config), "version": 1, "status": "ok", "config": as_dict(config), "kind": task.kind,
        "params": size.total, "params_nonembed": size.nonembed, "params_used": size.used, "steps": config.n_steps,
        "tokens": config.tokens, "unique_tokens": config.tokens, "flops": config.train_flops, "n": 2048, "weight": 1.0,
        **whole, "reach": reach, "levels": levels, "test_loops": [], "solved": None, "state_bytes": 16 * size.total,
        "curve": [], "rungs": [], "source": None,
        "measured": {"cpu_seconds": 1.0, "train_cpu_seconds": 1.1 if config.reweight else 1.0, "train_seconds": 1.0,
                     "wall_seconds": 1.0, "tokens_per_second": 1.0, "peak_memory_bytes": 1},
    }  # fmt: skip


def _level(config: Config, level: int, N: int, serial: int, rng: np.random.Generator, noise: float) -> dict[str, Any]:
    task = config.built_task
    floor, chance = task.floor(level), task.chance(level)
    assert floor is not None
    near = min(SWAPS, key=lambda k: abs(k - level))
    exponent = (
        FACTS if task.name == "facts" else SWAPS[near] if task.name == "swaps" else (0.8, 0.6, 0.02)[min(level, 3) - 1]
    )
    if config.knobs.get("scratchpad"):
        exponent = 2.0
    excess = (chance.loss - floor.loss) * (N / 300) ** -exponent * np.exp(noise * rng.standard_normal())
    if task.name == "swaps":
        excess *= serial ** -(0.2 + exponent)
    share = float(np.clip(excess / (chance.loss - floor.loss), 0, 1)) if chance.loss > floor.loss else 1.0
    accuracy = floor.accuracy - share * (floor.accuracy - chance.accuracy)
    return {
        "level": level, "n": 2048, "weight": 1.0, "loss": floor.loss + float(excess), "accuracy": float(accuracy),
        "loss_capped": floor.loss + float(excess), "ece": 0.01, "bayes_loss": floor.loss, "floor_loss": floor.loss,
        "floor_accuracy": floor.accuracy, "chance_loss": chance.loss, "chance_accuracy": chance.accuracy,
    }  # fmt: skip


def write_folder(sweep: Path, folder: Path, noise: float = 0.02) -> Path:
    """A folder as `lawful train` leaves it, of every run of a sweep file."""
    folder.mkdir(parents=True, exist_ok=True)
    for config in load(sweep).configs:
        (folder / f"{key(config)}.json").write_text(json.dumps(record(config, noise)))
    return folder
