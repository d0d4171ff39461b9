"""The models, in PyTorch: a causal decoder whose stack of blocks may be run over and over, and a plain MLP.

Pre-norm residual blocks, RMSNorm, learned positions, GELU. What is unusual is only the loop: the state starts
at zero, and each pass runs the whole stack on state + embedded input. This module imports PyTorch: install
`lawful[lab]`.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from .latent import Latent
from .shape import Shape
from .tasks import Task

_EMBEDDINGS = ("token", "position", "latent.answer")
State = tuple[Tensor | None, Tensor | None]  # (fast, slow); None is zero, and costs no addition


class Attention(nn.Module):
    """Causal softmax attention, with `kv_heads` shared keys and values when fewer than heads."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d, self.h, self.kv = shape.width, shape.n_heads, shape.n_kv_heads
        self.qkv = nn.Linear(d, d + 2 * d * self.kv // self.h, bias=False)
        self.out = nn.Linear(d, d, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        B, T, d = x.shape
        heads = self.qkv(x).view(B, T, self.h + 2 * self.kv, -1).transpose(1, 2)
        q, k, v = heads.split((self.h, self.kv, self.kv), dim=1)
        if self.kv < self.h:
            k, v = (t.repeat_interleave(self.h // self.kv, dim=1) for t in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(B, T, d))


class GatedConv(nn.Module):
    """A causal depthwise convolution between two multiplicative gates (as in H3, Hyena and LFM2)."""

    def __init__(self, shape: Shape, length: int) -> None:
        super().__init__()
        d, self.taps = shape.width, shape.taps(length)
        self.mix = nn.Linear(d, 3 * d, bias=False)
        self.kernel = nn.Parameter(torch.empty(d, 1, self.taps))
        self.out = nn.Linear(d, d, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        before, after, value = self.mix(x).chunk(3, dim=-1)
        u = F.pad((before * value).transpose(1, 2), (self.taps - 1, 0))
        u = F.conv1d(u, self.kernel, groups=u.shape[1])
        return self.out(after * u.transpose(1, 2))


class FeedForward(nn.Module):
    """up, GELU, down."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.up = nn.Linear(shape.width, shape.hidden, bias=False)
        self.out = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.gelu(self.up(x)))


class Experts(nn.Module):
    """Each token goes to its `active` likeliest feed-forward networks, weighted by probability.

    `balance` is the Switch loss of the last pass (Fedus et al. 2022, eq. 4): 1 when the load is even.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.active = shape.active
        self.router = nn.Linear(shape.width, shape.experts, bias=False)
        self.experts = nn.ModuleList(FeedForward(shape) for _ in range(shape.experts))
        self.balance = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.reshape(-1, x.shape[-1])
        p = self.router(tokens).float().softmax(-1)
        weight, chosen = p.topk(self.active, dim=-1)
        if self.active > 1:
            weight = weight / weight.sum(-1, keepdim=True)
        out = torch.zeros_like(tokens)
        for e, expert in enumerate(self.experts):
            token, slot = (chosen == e).nonzero(as_tuple=True)
            out = out.index_add(0, token, weight[token, slot, None].to(x.dtype) * expert(tokens[token]).to(x.dtype))
        load = F.one_hot(chosen[:, 0], len(self.experts)).float().mean(0)
        self.balance = len(self.experts) * (load * p.mean(0)).sum()
        return out.view_as(x)


class Block(nn.Module):
    """Mix the tokens, then transform each; both as residuals of a normalised input."""

    def __init__(self, shape: Shape, mixer: str, length: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(shape.width), nn.RMSNorm(shape.width)
        self.mixer = Attention(shape) if mixer == "attention" else GatedConv(shape, length)
        self.mlp = Experts(shape) if shape.experts > 1 else FeedForward(shape)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mixer(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Decoder(nn.Module):
    """Embed, run the stack `loops` times, normalise, read out: logits (B, T, outputs)."""

    def __init__(self, shape: Shape, task: Task) -> None:
        super().__init__()
        d = shape.width
        self.shape = shape
        self.token, self.position = nn.Embedding(task.inputs, d), nn.Embedding(task.length, d)
        stacks = 2 if shape.cell == "hierarchical" else 1
        self.stacks = nn.ModuleList(
            nn.Sequential(*(Block(shape, m, task.length) for m in shape.mixers)) for _ in range(stacks)
        )
        self.norm = nn.RMSNorm(d)
        self.readout = nn.Linear(d, task.outputs, bias=False)
        self.halt = nn.Linear(d, 1) if shape.halting else None
        self.latent = Latent(shape, task.outputs) if shape.variational else None

    def start(self, x: Tensor) -> tuple[Tensor, State]:
        """The embedded input, and the two states (fast, slow) before the first pass."""
        e = self.token(x) + self.position.weight[: x.shape[1]]
        return e, (None, None)

    def cycle(self, e: Tensor, state: State, noisy: bool, answers: Tensor | None = None) -> State:
        """One loop: (fast, slow) -> (fast, slow); a plain loop keeps only the slow state."""
        fast, slow = state
        if self.latent is not None:
            e = e + self.latent(_sum(slow, e), noisy, answers)
        elif noisy and self.shape.noise:
            e = e + self.shape.noise * torch.randn_like(e)
        if self.shape.cell == "loop":
            return fast, self.stacks[0](_sum(slow, e))
        for _ in range(self.shape.inner):
            fast = _unit(self.stacks[0](_sum(fast, slow, e)))
        return fast, _unit(self.stacks[-1](_sum(fast, slow)))

    def run(
        self, e: Tensor, state: State, loops: int, noisy: bool = False, grad_loops: int = 0,
        answers: Tensor | None = None,
    ) -> State:  # fmt: skip
        """`loops` cycles from `state`; with `grad_loops`, only the last so many keep gradients.

        Variational latents look at `answers`, and count anew how far they move from their prior.
        """
        if self.latent is not None and answers is not None:
            self.latent.kl = torch.zeros((), device=e.device)
        free = loops - grad_loops if grad_loops else 0
        for i in range(loops):
            with torch.set_grad_enabled(torch.is_grad_enabled() and i >= free):
                state = self.cycle(e, state, noisy, answers)
        return state

    def hidden(self, x: Tensor, loops: int | None = None, noisy: bool = False) -> Tensor:
        """The normalised last state, (B, T, width)."""
        e, state = self.start(x)
        return self.norm(self.run(e, state, loops or self.shape.loops, noisy)[1])

    def halted(self, x: Tensor, loops: int, segments: int) -> tuple[Tensor, Tensor]:
        """Each position's normalised state at the segment after which the halting head said so, and that segment.

        (B, T, width) and (B, T), counted from 1; positions that never halt have the last.
        """
        assert self.halt is not None
        e, state = self.start(x)
        kept, used = torch.zeros_like(e), torch.zeros(x.shape, device=x.device)
        for segment in range(1, segments + 1):
            state = self.run(e, state, loops)
            now = self.norm(state[1])
            going = used == 0
            stop = going & ((self.halt(now)[..., 0] > 0) | (segment == segments))
            kept, used = torch.where(stop[..., None], now, kept), used + segment * stop
        return kept, used

    def forward(self, x: Tensor, loops: int | None = None) -> Tensor:
        return self.readout(self.hidden(x, loops, noisy=self.training))

    def balance(self) -> Tensor:
        """Mean load-balance loss of the experts in the last pass; zero without experts."""
        found = [m.balance for m in self.modules() if isinstance(m, Experts)]
        return torch.stack(found).mean() if found else torch.zeros(())


class Mlp(nn.Module):
    """All tokens at once into `depth` GELU layers; an answer at the last position, zeros elsewhere."""

    def __init__(self, shape: Shape, task: Task) -> None:
        super().__init__()
        self.shape, self.inputs, self.length = shape, task.inputs, task.length
        self.token = nn.Embedding(task.length * task.inputs, shape.width)
        self.bias = nn.Parameter(torch.zeros(shape.width))
        self.layers = nn.ModuleList(nn.Linear(shape.width, shape.width) for _ in range(shape.depth - 1))
        self.readout = nn.Linear(shape.width, task.outputs)

    def activations(self, x: Tensor) -> list[Tensor]:
        """The hidden layers after their GELU, first to last, each (B, width)."""
        place = self.inputs * torch.arange(self.length, device=x.device)
        h = [F.gelu(self.token(x + place).sum(1) + self.bias)]
        for layer in self.layers:
            h.append(F.gelu(layer(h[-1])))
        return h

    def hidden(self, x: Tensor, loops: int | None = None, noisy: bool = False) -> Tensor:
        h = self.activations(x)[-1][:, None]
        return F.pad(h, (0, 0, self.length - 1, 0))

    def forward(self, x: Tensor, loops: int | None = None) -> Tensor:
        return F.pad(self.readout(self.activations(x)[-1])[:, None], (0, 0, self.length - 1, 0))

    def balance(self) -> Tensor:
        return torch.zeros(())


def _sum(*terms: Tensor | None) -> Tensor:
    present = [t for t in terms if t is not None]
    return sum(present[1:], present[0])


def cut(state: State) -> State:
    """The state without its gradient, as it passes from one supervised segment to the next."""
    fast, slow = state
    return None if fast is None else fast.detach(), None if slow is None else slow.detach()


def _unit(z: Tensor) -> Tensor:
    """Root-mean-square 1: the states of the two-state cells are normalised, or they grow with every cycle."""
    return F.rms_norm(z, z.shape[-1:])


def build(shape: Shape, task: Task, seed: int = 0) -> Decoder | Mlp:
    """A freshly initialised model; the same seed gives the same weights, bit for bit.

    Matrices start at standard deviation 1/sqrt(3 fan-in), PyTorch's own for linear layers, embeddings at 0.3,
    the readout at zero. Larger matrices, or smaller ones where they write to the residual stream, cost the
    looped model one to two levels of `swaps`.
    """
    if shape.block == "mlp" and task.name not in ("facts", "composition"):
        raise ValueError(f"block 'mlp' answers at the last position only; task {task.name!r} asks elsewhere too.")
    torch.manual_seed(seed)
    model = Mlp(shape, task) if shape.block == "mlp" else Decoder(shape, task)
    for name, p in model.named_parameters():
        if name.startswith(("readout", "halt", "latent.prior", "latent.posterior")):
            nn.init.zeros_(p)
        elif name.startswith(_EMBEDDINGS):
            nn.init.normal_(p, std=0.3)
        elif p.dim() > 1:
            nn.init.normal_(p, std=1 / math.sqrt(3 * p.shape[1:].numel()))
    return model


def rates(model: Decoder | Mlp, lr: float) -> list[dict]:
    """Optimiser groups of the width rule: hidden matrices and readout at lr x 32/width, the rest at lr."""
    width = model.shape.width
    hidden, other = [], []
    for name, p in model.named_parameters():
        narrow = p.dim() < 2 or name.startswith(_EMBEDDINGS) or name.endswith("kernel")
        (other if narrow else hidden).append(p)
    return [{"params": hidden, "lr": lr * 32 / width}, {"params": other, "lr": lr}]
