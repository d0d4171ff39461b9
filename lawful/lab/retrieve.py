r"""Retrieval from a datastore: what a model need not remember it looks up, after Khandelwal et al. 2020 (kNN-LM).

The datastore holds the last hidden state and the answer of examples drawn as in training. A question takes the answer
of the nearest state at squared distance $\delta$, and the probabilities are mixed:
$p = g\,[nearest] + (1 - g)\,p_{model}$ with $g = \lambda e^{-\delta/\tau}$. The two numbers are chosen on examples of
their own. One neighbour and a gate by distance is simpler than the paper's: here an answer is a table look-up.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .models import Decoder
from .score import UNSCORED
from .tasks import Task

_TUNE = 4096  # examples that choose the gate
_ROWS = 2048  # questions looked up at once
_LAMBDAS = (0.0, 0.5, 0.9, 0.99, 0.999)
_TAUS = (1e-4, 1e-2, 1e-1, 1.0)  # times the median squared distance to the nearest state


@dataclass(frozen=True)
class Datastore:
    """Hidden states (entries, width), their answers, and the gate."""

    states: Tensor
    answers: Tensor
    strength: float = 0.0
    tau: float = 1.0

    @property
    def numbers(self) -> int:
        """Numbers stored: a state and an answer per entry."""
        return len(self.states) * (self.states.shape[1] + 1)

    @property
    def flops(self) -> int:
        """FLOPs of one look-up: a product with every state."""
        return 2 * self.states.numel()

    def nearest(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Squared distance to the nearest entry, and its answer, of each state."""
        found = [_nearest(part, self.states) for part in states.split(_ROWS)]
        distance, at = (torch.cat(t) for t in zip(*found))
        return distance, self.answers[at]

    def mix(self, p: Tensor, states: Tensor) -> Tensor:
        """The model's probabilities (n, outputs), mixed with the answers found for its states."""
        distance, answer = self.nearest(states)
        return _mixed(p, distance, answer, self.strength, self.tau)


def _nearest(queries: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
    return (queries.square().sum(1)[:, None] - 2 * queries @ states.T + states.square().sum(1)).clamp(min=0).min(1)


def _mixed(p: Tensor, distance: Tensor, answer: Tensor, strength: float, tau: float) -> Tensor:
    gate = strength * torch.exp(-distance / tau)[:, None]
    return (1 - gate) * p + gate * torch.nn.functional.one_hot(answer, p.shape[1])


@torch.no_grad()
def build(model: Decoder, task: Task, entries: int, seed: int, device: str = "cpu") -> Datastore:
    """A datastore of so many different examples (fewer if drawing four times as many finds fewer), its gate chosen."""

    def states(B: int, stream: int, different: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        x, y, _ = task.batch(np.random.default_rng([seed, stream]), B)
        if different:
            kept = np.sort(np.unique(x, axis=0, return_index=True)[1])[:entries]
            x, y = x[kept], y[kept]
        asked = torch.from_numpy(y != UNSCORED).to(device)
        hidden = model.hidden(torch.from_numpy(x).to(device))[asked].double()
        return hidden, torch.from_numpy(y).to(device)[asked], model.readout(hidden.float()).double().softmax(-1)

    model.eval()
    kept, answers, _ = states(4 * entries, 3, different=True)
    plain = Datastore(kept, answers)
    queries, truth, p = states(_TUNE, 4)
    distance, found = plain.nearest(queries)
    scale = float(distance.median()) or float(distance.mean()) or 1.0
    loss: Callable[[tuple[float, float]], float] = lambda gate: float(  # noqa: E731
        -_mixed(p, distance, found, *gate).gather(1, truth[:, None]).clamp(min=1e-300).log().mean()
    )
    strength, tau = min(((s, t * scale) for s in _LAMBDAS for t in _TAUS), key=loss)
    return Datastore(kept, answers, strength, tau)
