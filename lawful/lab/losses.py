r"""From logits to probabilities and losses: softmax, or the stablemax with which TRM trains.

Stablemax (Prieto et al. 2025, arXiv 2501.04697): $p_i = s(x_i) / \sum_j s(x_j)$ with $s(x) = x + 1$ from zero up and
$1 / (1 - x)$ below. It grows linearly where softmax grows exponentially, so a sure answer takes a large logit and no
probability is rounded to 0 or 1. A model is trained and scored with the same of the two.
"""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from .config import Config
from .models import Decoder
from .score import UNSCORED


def probabilities(logits: Tensor, loss: str) -> Tensor:
    """Probabilities of the answers, (..., outputs), under the loss "cross_entropy" (softmax) or "stablemax"."""
    if loss == "cross_entropy":
        return logits.softmax(-1)
    s = torch.where(logits < 0, 1 / (1 - logits.clamp(max=0)), 1 + logits)
    return s / s.sum(-1, keepdim=True)


def answer_loss(logits: Tensor, y: Tensor, loss: str, reduction: str = "mean") -> Tensor:
    """-log p(y) in nats for logits (n, outputs) and answers (n,), unscored ones left out of the mean."""
    log_p = logits.log_softmax(-1) if loss == "cross_entropy" else probabilities(logits, loss).log()
    return F.nll_loss(log_p, y, ignore_index=UNSCORED, reduction=reduction)


@torch.no_grad()
def variational_bound(model: Decoder, x: Tensor, y: Tensor, config: Config) -> dict[str, float]:
    """What a model of variational latents minimises, at KL weight 1 and in nats per answer.

    `bound` is the loss under the posterior plus `kl`, what its latents know of the answer beyond the prior: one draw
    of the latents. In expectation it is no less than the loss of the model, and so than the floor.
    """
    assert model.latent is not None
    model.eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        e, state = model.start(x)
        state = model.run(e, state, config.shape.loops * config.segments, noisy=True, answers=y)
    asked = y != UNSCORED
    kl = float(model.latent.kl)
    plain = answer_loss(model.readout(model.norm(state[1])[asked]).float(), y[asked], config.loss)
    return {"bound": float(plain) + kl, "kl": kl}
