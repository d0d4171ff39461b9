"""Train one model on one task and score it: config in, record out, the same bits for the same config.

AdamW (0.9, 0.98) without weight decay by default, gradients clipped, the learning rate at `lr` x 32/width for
hidden matrices (Yang et al. 2022, table 3), warmed up, constant, and decayed to zero over the last steps.
That rule carries a rate across widths, not across depths or loops: a sweep over those needs its own small
grid of rates.

One thread, so that runs side by side do not fight and the sums are always taken in the same order.
"""

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from .answer import solved
from .config import VERSION, Config, as_dict, key
from .losses import answer_loss, probabilities, variational_bound
from .measure import Answers, summary
from .models import Decoder, Mlp, build, cut, rates
from .probe import decodability
from .retrieve import build as datastore
from .reweight import Reweighter
from .score import UNSCORED
from .shape import forward_flops
from .tasks import Task, bayes_loss

_EVAL_SEED = 2_718_281  # one evaluation set per task in every run: differences between runs are paired
_EVAL_TOKENS = 32_768  # tokens scored at once
_BALANCE = 0.01  # weight of the experts' load-balance loss, as in Switch
_CURVE_POINTS = 50
_MEMBER = 100_000  # what is added to the seed for each further member of an ensemble
_HALT = 0.5  # weight of the halting head's loss, as in TRM
_STATUSES = ("ok", "timeout", "diverged")  # mildest first
_DIVERGED = 1000.0  # a training loss this many times that of guessing, or no number at all, is no run any more


def train(config: Config, device: str = "cpu", seconds: float = math.inf) -> dict[str, Any]:
    """Train and score the run, and return its record as JSON data.

    Of an ensemble, `tokens` are those that one member saw and `flops` those of all; curve and rungs are the first's.
    `status` is "ok", "diverged" (the training loss was no number, or above a
    thousand times that of guessing; loss is None) or "timeout" (`seconds`
    of wall time were up; scored as it then was, with the tokens and FLOPs it had seen). Under "measured"
    stands what differs from machine to machine: times, memory, versions. All else is a function of the
    config.
    """
    torch.set_num_threads(1)
    begun = time.perf_counter(), time.process_time()
    task = config.built_task
    runs = [Training(config, task, device, member) for member in range(config.members)]
    status = max((run.all_steps(begun[0] + seconds) for run in runs), key=_STATUSES.index)
    trained = time.perf_counter(), time.process_time()
    run, models = runs[0], [run.model for run in runs]
    scored = None if status == "diverged" else evaluate(models, task, config, device)
    for row in scored["levels"] if scored and hasattr(task, "data_floor") else []:
        row["data_floor_loss"] = task.data_floor(run.step * config.batch, row["level"])  # type: ignore[attr-defined]
    spent = sum(run.step for run in runs) / (config.n_steps * config.members)
    record = {
        "key": key(config),
        "version": VERSION,
        "status": status,
        "config": as_dict(config),
        "kind": task.kind,
        "params": config.members * config.size.total,
        "params_nonembed": config.members * config.size.nonembed,
        "params_used": config.members * config.size.used,
        "steps": run.step,
        "tokens": run.step * config.batch * task.length,
        "unique_tokens": min(config.unique or math.inf, run.step * config.batch) * task.length,
        "flops": config.train_flops * spent,
        **(scored or {"loss": None, "levels": []}),
        "test_loops": _other_loops(models, task, config, device) if scored else [],
        "retrieval": _retrieval(run.model, task, config, device) if scored else [],
        "forward_flops": forward_flops(config.shape, task, config.shape.loops * config.segments),
        "solved": solved(run.model, task, config, device) if scored and hasattr(task, "answer") else None,
        "probes": decodability(run.model, task, config, device) if scored and _probed(run.model, task) else [],
        "state_bytes": sum(run.state_bytes() for run in runs),
        "curve": run.curve(),
        "rungs": run.rungs,
        "source": getattr(task, "source", None),
    }
    record["measured"] = _measured(begun, trained, record, device)
    return record


class Training:
    """A run under way: model, optimiser, data order, and where it stands."""

    def __init__(self, config: Config, task: Task, device: str = "cpu", member: int = 0) -> None:
        config = replace(config, seed=config.seed + _MEMBER * member)
        self.config, self.task, self.device = config, task, device
        self.model = model = build(config.shape, task, config.seed).to(device)
        self.optimiser = torch.optim.AdamW(
            rates(model, config.lr), betas=(0.9, 0.98), weight_decay=config.weight_decay, fused=True
        )
        self.base = [group["lr"] for group in self.optimiser.param_groups]
        self.next_batch = _batches(config, task)
        self.loops = np.random.default_rng([config.seed, 2])
        self.encoder = _frozen(config.encoder, task, device)
        self.reweighter = None
        if config.reweight:
            width = config.shape.width if self.encoder is None else self.encoder.shape.width
            self.reweighter = Reweighter(width, config).to(device)
        self.step, self.losses, self.rungs = 0, [], []

    def state_bytes(self) -> int:
        """Memory of the training state: weights, gradients and two moments of what is trained, frozen weights."""
        trained = [*self.model.parameters(), *(self.reweighter.parameters() if self.reweighter else ())]
        frozen = self.encoder.parameters() if self.encoder else ()
        return sum(16 * p.numel() for p in trained) + sum(4 * p.numel() for p in frozen)

    def all_steps(self, deadline: float) -> str:
        stops = {self.config.n_steps >> i for i in range(1, self.config.rungs + 1)} - {0}
        self.model.train()
        while self.step < self.config.n_steps:
            if time.perf_counter() > deadline:
                return "timeout"
            self.losses.append(self.one_step())
            self.step += 1
            if not self.losses[-1] < _DIVERGED * math.log(self.task.outputs):
                return "diverged"
            if self.step in stops:
                scored = evaluate([self.model], self.task, self.config, self.device)
                self.rungs.append({"step": self.step, **scored})
                self.model.train()
        return "ok"

    def one_step(self) -> float:
        rate = schedule(self.config, self.step / self.config.n_steps, 1 / self.config.n_steps)
        for group, base in zip(self.optimiser.param_groups, self.base):
            group["lr"] = base * rate
        x, y = (torch.from_numpy(a).to(self.device) for a in self.asked())
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.config.precision == "bf16"):
            loss = self.backward(x, y)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimiser.step()
        return loss

    def asked(self) -> tuple[np.ndarray, np.ndarray]:
        """The next batch, with the levels not to be trained on, or not yet, left unscored."""
        levels = self.task.levels
        top = self.config.max_level or levels[-1]
        if self.config.curriculum:
            unlocked = int(len(levels) * self.step / (self.config.n_steps * self.config.curriculum))
            top = min(top, levels[min(unlocked, len(levels) - 1)])
        while True:
            x, y, level = self.next_batch()
            if top < levels[-1]:
                y = np.where(level > top, UNSCORED, y)
            if (y != UNSCORED).any():
                return x, y

    def backward(self, x: Tensor, y: Tensor) -> float:
        """Gradients of the mean loss over the segments; the state passes between them without gradient."""
        config, model = self.config, self.model
        if isinstance(model, Mlp):
            return self._backward(x, model.hidden(x), y)
        loops = config.shape.loops
        if config.loops_train:
            loops = int(self.loops.integers(config.loops_train[0], config.loops_train[1], endpoint=True))
        state, total = None, 0.0
        for _ in range(config.segments):
            e, start = model.start(x)
            kept = start if state is None else state
            state = model.run(e, kept, loops, noisy=True, grad_loops=config.grad_loops, answers=y)
            total += self._backward(x, model.norm(state[1]), y)
            state = cut(state)
        return total / config.segments

    def _backward(self, x: Tensor, hidden: Tensor, y: Tensor) -> float:
        asked, kind = y != UNSCORED, self.config.loss
        logits = self.model.readout(hidden).float()
        if self.reweighter is None:
            loss = plain = answer_loss(logits.flatten(0, 1), y.flatten(), kind)
        else:
            each = answer_loss(logits[asked], y[asked], kind, reduction="none")
            with torch.no_grad():
                features = hidden if self.encoder is None else self.encoder.hidden(x)
            loss, plain = (self.reweighter.weights(features[asked], each) * each).sum(), each.mean()
        if self.config.shape.experts > 1:
            loss = loss + _BALANCE * self.model.balance()
        if isinstance(self.model, Decoder) and self.model.latent is not None:
            loss = loss + self.config.kl_weight * self.model.latent.kl
        if isinstance(self.model, Decoder) and self.model.halt is not None:
            right = (logits.argmax(-1) == y)[asked].float()
            said = self.model.halt(hidden)[..., 0].float()[asked]
            loss = loss + _HALT * F.binary_cross_entropy_with_logits(said, right)
        (loss / self.config.segments).backward()
        return plain.item()

    def curve(self) -> list[list[float]]:
        """Mean training loss over equal stretches of steps: [last step, loss], finite losses only."""
        finite = [v for v in self.losses if math.isfinite(v)]
        edges = np.unique(np.linspace(0, len(finite), _CURVE_POINTS + 1).astype(int))
        return [[int(b), float(np.mean(finite[a:b]))] for a, b in zip(edges, edges[1:])]


def schedule(config: Config, done: float, one: float) -> float:
    """The learning rate, as a share of its peak, for the step from share `done` to `done + one`."""
    if done < config.warmup:
        return (done + one) / max(config.warmup, one)
    if config.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (done - config.warmup) / (1 - config.warmup)))
    return min(1.0, (1 - done) / config.decay) if config.decay else 1.0


def _batches(config: Config, task: Task) -> Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Fresh batches, or epochs in a new order each over a fixed pool of `unique` sequences."""
    rng = np.random.default_rng([config.seed, 1])
    if not config.unique:
        return lambda: task.batch(rng, config.batch)
    pool = task.batch(rng, config.unique)
    queue = np.empty(0, dtype=np.int64)

    def draw() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        nonlocal queue
        while len(queue) < config.batch:
            queue = np.r_[queue, rng.permutation(config.unique)]
        rows, queue = queue[: config.batch], queue[config.batch :]
        return pool[0][rows], pool[1][rows], pool[2][rows]

    return draw


def _frozen(config: Config | None, task: Task, device: str) -> Decoder | Mlp | None:
    """The encoder of that config, trained and from now on left as it is."""
    if config is None:
        return None
    run = Training(config, task, device)
    run.all_steps(math.inf)
    return run.model.eval().requires_grad_(False)


def evaluate(
    models: Sequence[Decoder | Mlp], task: Task, config: Config, device: str = "cpu", loops: int | None = None
) -> dict[str, Any]:
    """Score the model: exactly over all cases where the task lists them, else on the task's evaluation set.

    `loops` cycles (default: as many as in training, all segments). Noisy shapes average the probabilities of
    `samples` passes; one sample is a pass without noise. Several models answer with their mean probability. With
    a halting head `segments_used` is the mean over answers, out of all segments; with variational latents `bound` is
    the negative lower bound of the first model, `kl` its part that the latents cost.
    """
    for model in models:
        model.eval()
    x, y, level, weight = _questions(task, config)
    right_p, best_p, right, used = _answer(models, x, y, config, device, loops)
    own = {"segments_used": float(used.mean())} if config.shape.halting and loops is None else {}
    if config.shape.variational and loops is None:
        given = (torch.from_numpy(a).to(device) for a in (x, y))
        own |= variational_bound(models[0], *given, config)  # type: ignore[arg-type]
    return {**_scores(task, (x, y, level, weight), right_p, best_p, right), **own}


def _questions(task: Task, config: Config) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Tokens, answers, levels and the weight of each row: every case, or the task's evaluation set."""
    cases = getattr(task, "cases", lambda: None)()
    if cases is not None:
        return cases
    draw = getattr(task, "held_out", task.batch)
    x, y, level = draw(np.random.default_rng(_EVAL_SEED), config.eval_sequences)
    return x, y, level, np.ones(len(x))


def _scores(
    task: Task, questions: tuple[np.ndarray, ...], right_p: np.ndarray, best_p: np.ndarray, right: np.ndarray
) -> dict[str, Any]:
    x, y, level, weight = questions
    asked = y != UNSCORED
    bayes = bayes_loss(task, x, y)
    answers = Answers(
        loss=-np.log(np.maximum(right_p, 1e-300)),
        right=right,
        confidence=best_p,
        level=level[asked],
        weight=np.broadcast_to(weight[:, None], y.shape)[asked],
        bayes=None if bayes is None else bayes[asked],
    )
    return summary(task, answers)


@torch.no_grad()
def _answer(
    models: Sequence[Decoder | Mlp], x: np.ndarray, y: np.ndarray, config: Config, device: str, loops: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Probability of the truth and of the likeliest answer, whether that is the truth, segments used; per answer."""
    rows = max(1, _EVAL_TOKENS // x.shape[1])
    parts = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_EVAL_SEED)
        for at in range(0, len(x), rows):
            truth = torch.from_numpy(y[at : at + rows])
            tokens = torch.from_numpy(x[at : at + rows]).to(device)
            asked = (truth != UNSCORED).to(device)
            p, passes = torch.zeros(()), len(models) * config.samples
            for model in (m for m in models for _ in range(config.samples)):
                hidden, used = _hidden(model, tokens, config, loops)
                p = p + probabilities(model.readout(hidden[asked]).double(), config.loss).cpu() / passes
            wanted = truth[truth != UNSCORED]
            best, chosen = p.max(-1)
            parts.append((p.gather(1, wanted[:, None])[:, 0], best, chosen == wanted, used[asked].cpu()))
    p, best, right, used = (torch.cat(t).numpy() for t in zip(*parts))
    return p, best, right.astype(float), used


def _hidden(model: Decoder | Mlp, tokens: Tensor, config: Config, loops: int | None) -> tuple[Tensor, Tensor]:
    """The states to answer from, and the segments each took; asked for other loops, nothing halts."""
    shape, segments = config.shape, torch.full(tokens.shape, float(config.segments))
    if loops is None and isinstance(model, Decoder) and model.halt is not None:
        return model.halted(tokens, shape.loops, config.segments)
    return model.hidden(tokens, loops or shape.loops * config.segments, config.samples > 1), segments.to(tokens.device)


def _other_loops(models: Sequence[Decoder | Mlp], task: Task, config: Config, device: str) -> list[dict[str, Any]]:
    """Scores with other numbers of loops than trained with: test-time compute without a parameter more."""
    found = []
    for n in config.test_loops:
        one: dict[str, Any] = {"loops": n, "forward_flops": forward_flops(config.shape, task, n)}
        if config.answers and hasattr(task, "answer"):
            one["solved"] = solved(models[0], task, config, device, n)
        found.append({**one, **evaluate(models, task, config, device, n)})
    return found


def _probed(model: Decoder | Mlp, task: Task) -> bool:
    return isinstance(model, Mlp) and hasattr(task, "constituent")


@torch.no_grad()
def _retrieval(model: Decoder | Mlp, task: Task, config: Config, device: str) -> list[dict[str, Any]]:
    """Scores with answers looked up in datastores: numbers stored and FLOPs of a look-up stand beside them."""
    if not config.datastore or not isinstance(model, Decoder):
        return []
    x, y, level, weight = _questions(task, config)
    asked = torch.from_numpy(y != UNSCORED).to(device)
    rows = max(1, _EVAL_TOKENS // x.shape[1])
    parts = torch.from_numpy(x).to(device).split(rows)
    hidden = torch.cat([model.hidden(part)[here] for part, here in zip(parts, asked.split(rows))])
    p, truth = model.readout(hidden).double().softmax(-1), torch.from_numpy(y).to(device)[asked]
    found = []
    for entries in config.datastore:
        kept = datastore(model, task, entries, config.seed, device)
        mixed = kept.mix(p, hidden.double())
        best, chosen = mixed.max(-1)
        of_truth, right = mixed.gather(1, truth[:, None])[:, 0], (chosen == truth).double()
        scored = _scores(task, (x, y, level, weight), *(t.cpu().numpy() for t in (of_truth, best, right)))
        found.append({"entries": len(kept.states), "numbers": kept.numbers, "lookup_flops": kept.flops, **scored})
    return found


def _measured(
    begun: tuple[float, float], trained: tuple[float, float], record: dict[str, Any], device: str
) -> dict[str, Any]:
    import resource

    wall, cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if device.startswith("cuda"):
        peak = torch.cuda.max_memory_allocated(device)
    return {
        "wall_seconds": wall,
        "cpu_seconds": cpu,
        "train_seconds": trained[0] - begun[0],
        "train_cpu_seconds": trained[1] - begun[1],
        "tokens_per_second": record["tokens"] / max(trained[0] - begun[0], 1e-9),
        "peak_memory_bytes": int(peak),
        "weight_bytes": 4 * record["params"],
        "device": device,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }
