"""A run is a pure function of its config: the task, the shape of the model, and how it is trained.

`Config` is that argument; `key` names the run, so a run that exists is never done again. Nothing here needs
PyTorch.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from .shape import Shape, Size, forward_flops, latent_flops, size, width_for
from .tasks import Task, task

VERSION = 1  # raised when a change to tasks, models or training changes the numbers of a run
TRAIN_FORWARDS = 3  # a training step costs three forward passes: one forward, two for the gradients


@dataclass(frozen=True)
class Config:
    """One run: the task and its knobs, the model's shape, and the settings of its training and scoring."""

    task: str
    knobs: dict[str, Any] = field(default_factory=dict)
    shape: Shape = Shape()
    seed: int = 0  # weights and data order; the evaluation set is the same in all runs of a task
    steps: int = 1000
    batch: int = 96  # sequences per step
    match_flops: float = 0.0  # a training budget that sets the steps (compute-matched runs); 0: `steps` stands
    unique: int = 0  # train on so many sequences over and over; 0: always fresh ones
    max_level: int = 0  # train on no answer above this level; 0: on all
    curriculum: float = 0.0  # share of the steps over which levels are unlocked one by one, lowest first
    lr: float = 6e-3  # at width 32; hidden matrices get lr x 32/width
    schedule: str = "wsd"  # warm up, constant, linear decay; or "cosine"
    warmup: float = 0.05  # share of the steps
    decay: float = 0.3  # share of the steps
    clip: float = 1.0  # largest gradient norm
    weight_decay: float = 0.0
    loops_train: tuple[int, int] | None = None  # draw the loops of each step from lo..hi
    grad_loops: int = 0  # keep gradients through the last so many loops only; 0: through all
    segments: int = 1  # deep supervision: a loss after each of so many rounds of loops, the state carried on
    loss: str = "cross_entropy"  # "stablemax": TRM's, see losses.py
    kl_weight: float = 1.0  # of the latents' divergence from their prior, where latent is "variational"
    reweight: str | None = None  # "easy" or "hard": see reweight.py
    reweight_strength: float = 0.5
    reweight_temperature: float = 1.0
    reweight_closed: bool = False
    reweight_keep: float = 0.0  # filtering: only this share of the answers, easiest or hardest, counts; 0: all do
    reweight_encoder: str = "own"  # features of the scorer; "frozen": of a smaller model trained beforehand
    members: int = 1  # an ensemble: so many models, their probabilities averaged
    precision: str = "fp32"  # or "bf16", autocast: pays from width 128
    eval_sequences: int = 2048
    rungs: int = 0  # evaluations on the way, at steps/2, steps/4, ...
    test_loops: tuple[int, ...] = ()  # further numbers of loops to evaluate with
    samples: int = 1  # noisy passes whose probabilities are averaged; 1: one pass without noise
    answers: int = 0  # whole answers sampled to each test puzzle, on tasks with several right ones
    datastore: tuple[int, ...] = ()  # numbers of examples to look answers up in, in evaluations of their own

    def __post_init__(self) -> None:
        choices = {
            "schedule": ("wsd", "cosine"),
            "precision": ("fp32", "bf16"),
            "loss": ("cross_entropy", "stablemax"),
            "reweight": (None, "easy", "hard"),
            "reweight_encoder": ("own", "frozen"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                words = ", ".join(repr(a) for a in allowed)
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {words}.")
        for name in ("steps", "batch", "segments", "samples", "eval_sequences", "members"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.lr <= 0 or self.warmup < 0 or self.decay < 0 or self.warmup + self.decay > 1:
            raise ValueError(
                f"lr={self.lr}, warmup={self.warmup}, decay={self.decay}: lr must be above 0, the two shares "
                "0 or more and together at most 1."
            )
        if not 0 <= self.curriculum <= 1:
            raise ValueError(f"curriculum is {self.curriculum}; it must be a share of the steps, 0 to 1.")
        if not 0 <= self.reweight_keep < 1:
            raise ValueError(f"reweight_keep is {self.reweight_keep}; it must be a share of the answers, below 1.")
        if self.kl_weight < 0:
            raise ValueError(f"kl_weight is {self.kl_weight}; it must be 0 or more.")
        if self.datastore and self.loss != "cross_entropy":
            raise ValueError("a datastore mixes probabilities of the softmax: leave loss at 'cross_entropy'.")
        if self.datastore and (self.shape.block == "mlp" or self.members > 1 or self.shape.halting):
            raise ValueError("a datastore holds the states of one decoder: no block 'mlp', no ensemble, no halting.")
        if any(entries < 1 for entries in self.datastore):
            raise ValueError(f"datastore is {self.datastore}; each number of entries must be at least 1.")
        if self.shape.halting and (self.segments < 2 or self.members > 1 or self.samples > 1):
            raise ValueError("halting decides after each segment: set segments to 2 or more, members and samples to 1.")
        if self.shape.block == "mlp" and (self.loops_train or self.segments > 1 or self.test_loops):
            raise ValueError("block 'mlp' does not loop: leave loops_train, segments and test_loops unset.")

    @cached_property
    def built_task(self) -> Task:
        return task(self.task, self.knobs)

    @property
    def size(self) -> Size:
        return size(self.shape, self.built_task)

    @property
    def loops(self) -> float:
        """Loops of a training step, on average, over all segments."""
        one = sum(self.loops_train) / 2 if self.loops_train else self.shape.loops
        return one * self.segments

    @property
    def step_flops(self) -> float:
        """Training FLOPs of one step: three forward passes over the batch, with the posterior where there is one."""
        low = forward_flops(self.shape, self.built_task, 1)
        per_loop = forward_flops(self.shape, self.built_task, 2) - low if self.shape.block != "mlp" else 0
        posterior = self.loops * latent_flops(self.shape, self.built_task)
        return TRAIN_FORWARDS * self.batch * (low + (self.loops - 1) * per_loop + posterior)

    @property
    def n_steps(self) -> int:
        return max(1, round(self.match_flops / self.step_flops)) if self.match_flops else self.steps

    @property
    def encoder(self) -> "Config | None":
        """The run that makes the frozen encoder: half the width, half the steps, every answer weighted alike."""
        if self.reweight is None or self.reweight_encoder == "own":
            return None
        shape = replace(self.shape, width=max(4, self.shape.width // 2), heads=0, kv_heads=0)
        steps = max(1, self.n_steps // 2)
        return replace(self, shape=shape, steps=steps, match_flops=0.0, reweight=None, rungs=0, members=1)

    @property
    def train_flops(self) -> float:
        """Of all members; a frozen encoder costs its own training and one forward pass per step."""
        one = self.n_steps * self.step_flops
        if self.encoder is not None:
            one += self.encoder.train_flops + self.n_steps * self.encoder.step_flops / TRAIN_FORWARDS
        return self.members * one

    @property
    def tokens(self) -> int:
        return self.n_steps * self.batch * self.built_task.length


def config(given: Mapping[str, Any]) -> Config:
    """A config from flat settings: names of `Config`, of `Shape`, a table `knobs`, and `match_params`.

    `match_params` sets the width whose parameter count without embeddings comes nearest. Raises ValueError
    for a name that does not exist, with the nearest that does.
    """
    rest = dict(given)
    match = rest.pop("match_params", None)
    shape_names = {f.name for f in fields(Shape)}
    run_names = {f.name for f in fields(Config)} - {"shape"}
    for name in rest:
        if name not in shape_names | run_names:
            known = sorted(shape_names | run_names | {"match_params"})
            close = get_close_matches(name, known, n=1)
            near = f" (did you mean {close[0]!r}?)" if close else ""
            raise ValueError(f"There is no setting {name!r}{near}. Settings: {', '.join(known)}.")
    if "task" not in rest:
        raise ValueError('A run needs a task; add task = "swaps" or another.')
    if match is not None and "width" in rest:
        raise ValueError("Give width or match_params, not both: match_params sets the width.")
    shape = Shape(**{k: rest.pop(k) for k in list(rest) if k in shape_names})
    made = from_dict({**rest, "shape": asdict(shape)})
    if match is not None:
        made = replace(made, shape=replace(shape, width=width_for(match, shape, made.built_task)))
    lowest = made.built_task.levels[0]
    if 0 < made.max_level < lowest:
        raise ValueError(f"max_level is {made.max_level}; task {made.task!r} has no level below {lowest}.")
    return made


def as_dict(given: Config) -> dict[str, Any]:
    """The config as plain JSON data; `from_dict` reads it back."""
    return json.loads(json.dumps(asdict(given)))


def from_dict(data: Mapping[str, Any]) -> Config:
    settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    return Config(**{**settings, "shape": Shape(**settings["shape"])})


def key(given: Config) -> str:
    """Sixteen hexadecimal digits that name the run: a hash of what it sets and of the version of the code.

    Settings and knobs left at their defaults are not hashed, so a new setting renames no old run; a changed
    default must raise `VERSION`. The checksum of a text is part of it.
    """
    made = given.built_task
    named = {
        "version": VERSION,
        "run": _changed(as_dict(replace(given, shape=Shape(), knobs={})), as_dict(Config(task=""))),
        "shape": _changed(asdict(given.shape), asdict(Shape())),
        "knobs": _changed(asdict(made), asdict(type(made)())),  # type: ignore[call-overload]
        "source": getattr(made, "source", None),
    }
    text = json.dumps(named, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _changed(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if v != defaults[k]}
