r"""Latents that are inferred, not only added: the loops of a decoder as a conditional variational autoencoder.

After GRAM, of which the abstract was read and not the network; this is the plain form (Sohn, Lee and Yan 2015). In loop
$i$ each position draws $z_i$ and adds it to its input. The *prior* $N(\mu(h), \sigma(h)^2)$ sees the state $h$ alone;
the *posterior*, in training, also the answer $y$ of its position. Minimised is the negative evidence lower bound,

$$E_q[-\log p(y \mid z, x)] + \beta \sum_i KL(q(z_i \mid h_i, y) \,\|\, p(z_i \mid h_i)),$$

per answer, with $\beta$ = `kl_weight`. Asked without an answer the model draws from the prior: each draw is another
trajectory, and how many are drawn is a width of compute at test time. Positions without an answer draw from the prior.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from .score import UNSCORED
from .shape import Shape

Gaussian = tuple[Tensor, Tensor]  # mean and log standard deviation


class Latent(nn.Module):
    """Prior and posterior. Both start as N(0, noise^2), and the posterior's numbers are added to the prior's.

    `kl` is that of the loops since it was last set to zero: nats per answer, a mean over answers.
    """

    def __init__(self, shape: Shape, outputs: int) -> None:
        super().__init__()
        d = shape.width
        self.noise = shape.noise
        self.prior, self.posterior = nn.Linear(d, 2 * d), nn.Linear(d, 2 * d)
        self.answer = nn.Embedding(outputs, d)
        self.kl = torch.zeros(())

    def forward(self, state: Tensor, noisy: bool, answers: Tensor | None = None) -> Tensor:
        """z (B, T, width): from the posterior where answers (B, T) are scored, else the prior; calm, its mean."""
        h = F.rms_norm(state, state.shape[-1:])
        numbers = self.prior(h)
        if answers is not None:
            asked = answers != UNSCORED
            prior, known = numbers[asked], self.answer(answers[asked])
            posterior = prior + self.posterior(h[asked] + known)
            self.kl = self.kl + divergence(posterior.chunk(2, -1), prior.chunk(2, -1)).mean()
            numbers = numbers.index_put((asked,), posterior)
        mean, spread = numbers.chunk(2, -1)
        return self.noise * (mean + spread.exp() * torch.randn_like(mean) if noisy else mean)


def divergence(q: Gaussian, p: Gaussian) -> Tensor:
    r"""KL(q || p) of diagonal Gaussians, summed over the last dimension, nats.

    $\sum_j \log(\sigma_p / \sigma_q) + (\sigma_q^2 + (\mu_q - \mu_p)^2) / (2 \sigma_p^2) - 1/2$.
    """
    ratio = q[1].float() - p[1].float()
    gap = (q[0] - p[0]).float() * (-p[1].float()).exp()
    return (0.5 * ((2 * ratio).exp() + gap.square() - 1) - ratio).sum(-1)
