"""What a straight line can read off a hidden layer: linear decodability of what a model must compute on the way.

The probe is ridge regression onto one-hot answers, in closed form, fitted on the cases that training shows and scored
on those it never shows. It is fitted to the untrained network too, since wide random layers can be read as well:
what training adds is the difference.
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from .config import Config
from .models import Mlp, build
from .tasks import Task

_RIDGE = 1e-3  # times the number of cases; the layers are standardised


@torch.no_grad()
def decodability(model: nn.Module, task: Task, config: Config, device: str = "cpu") -> list[dict[str, Any]]:
    """Share of unseen cases whose constituent a linear probe of each hidden layer finds, first layer first.

    `accuracy` of the trained model, `untrained` of the same model before training. The task lists its `cases`, levels
    1 (seen) and 2 (unseen), and their `constituent`.
    """
    x, _, level, _ = task.cases()  # type: ignore[attr-defined]
    wanted = task.constituent()  # type: ignore[attr-defined]
    seen = level[:, -1] == 1
    before = build(config.shape, task, config.seed).to(device)
    assert isinstance(model, Mlp) and isinstance(before, Mlp)  # other models have no hidden answer at one place
    tokens = torch.from_numpy(x).to(device)
    found = []
    for i, (trained, untrained) in enumerate(zip(model.activations(tokens), before.activations(tokens)), 1):
        scores = (readable(h.double().cpu().numpy(), wanted, seen) for h in (trained, untrained))
        found.append({"layer": i, **dict(zip(("accuracy", "untrained"), scores))})
    return found


def readable(layer: np.ndarray, wanted: np.ndarray, seen: np.ndarray) -> float:
    """Accuracy of the ridge probe on the rows not `seen`, fitted on those seen; layer (n, d), wanted (n,)."""
    mean, spread = layer[seen].mean(0), layer[seen].std(0)
    H = (layer - mean) / np.where(spread > 0, spread, 1.0)
    onehot = np.eye(wanted.max() + 1)[wanted]
    centre = onehot[seen].mean(0)
    gram = H[seen].T @ H[seen] + _RIDGE * seen.sum() * np.eye(H.shape[1])
    weights = np.linalg.solve(gram, H[seen].T @ (onehot[seen] - centre))
    return float(((H[~seen] @ weights + centre).argmax(1) == wanted[~seen]).mean())
