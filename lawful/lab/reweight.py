r"""Weighting the training instances by a learned score: an ablation, not a recommendation.

After SCAL-SMA of the breakdown paper, whose equations are missing: this is one buildable reading. Instances are
the scored answers of a batch, with losses $l_i$. Their features $\phi_i$ are last hidden states, gradient
stopped, of the model itself ("own") or of a smaller one of its family trained beforehand ("frozen");
$s_i = v \cdot relu(W \phi_i + b)$ with 16 features and $v = 0$ at the start;
weights $w = softmax(s / temperature)$; the regulariser is $KL(w \| uniform) = \log n + \sum w \log w$. The
model minimises $\sum w_i l_i$. What decides everything is who optimises the weights, so the sign is in the
name:

* "easy": the scorer also *minimises* $\sum w l + \lambda KL$. Its best free weights are proportional to
  $\exp(-l/\lambda)$: hard instances count less. The model can lower this objective by giving up on them;
  nothing is guaranteed.
* "hard": the scorer *maximises* $\sum w l - \lambda KL$; its best free weights are proportional to
  $\exp(l/\lambda)$. The objective is then $\lambda \log mean \exp(l/\lambda) \ge mean\ l$: a bound, the
  distributionally robust reading.

`closed` uses those best free weights in place of the scorer; `keep` filters instead: the easiest, or hardest,
share of the answers has weight, all of it alike. On `swaps` no variant helped and "easy" hurt.
"""

import math

import torch
from torch import Tensor, nn

from .config import Config

_FEATURES, _WARMUP_STEPS, _SCORER_LR = 16, 100, 3e-3


class Reweighter(nn.Module):
    """Weights for the losses of a batch; the scorer takes one step of its own at each call."""

    def __init__(self, width: int, config: Config) -> None:
        super().__init__()
        self.sign = {"easy": -1.0, "hard": 1.0}[config.reweight or ""]
        self.strength, self.temperature = config.reweight_strength, config.reweight_temperature
        self.closed, self.keep = config.reweight_closed, config.reweight_keep
        self.project = nn.Linear(width, _FEATURES)
        self.v = nn.Parameter(torch.zeros(_FEATURES))
        self.optimiser = torch.optim.Adam(self.parameters(), lr=_SCORER_LR)
        self.calls = 0

    @torch.enable_grad()
    def weights(self, hidden: Tensor, loss: Tensor) -> Tensor:
        """Weights (n,) summing to one, for hidden states (n, width) and losses (n,), both detached here."""
        hidden, loss = hidden.detach().float(), loss.detach().float()
        n = len(loss)
        self.calls += 1
        if self.keep:
            kept = (self.sign * loss).argsort(descending=True)[: max(1, round(self.keep * n))]
            w = torch.zeros_like(loss).index_fill(0, kept, 1 / len(kept))
        elif self.closed:
            w = (self.sign * loss / self.strength).softmax(0)
        else:
            w = (self.project(hidden).relu() @ self.v / self.temperature).softmax(0)
            kl = math.log(n) + (w * w.clamp_min(1e-30).log()).sum()
            self.optimiser.zero_grad()
            (self.strength * kl - self.sign * (w * loss).sum()).backward()
            self.optimiser.step()
        return torch.full_like(loss, 1 / n) if self.calls <= _WARMUP_STEPS else w.detach()
