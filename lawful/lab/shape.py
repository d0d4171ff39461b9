r"""The shape of a small model, and what follows from it: its parameters and its FLOPs.

One dial, `width`, sets the rest: heads of 16, a feed-forward layer four times as wide. Other dials leave it
where it is. `depth` blocks of different weights are run `loops` times over, so the serial depth is depth x
loops while the parameters count once. This file needs no PyTorch: a sweep is planned and costed without it.

The decoder is counted by `lawful.flops`; here stands only what that cannot say: convolutions, cells of two
states, the MLP. FLOPs are exact counts of the matrix products (2 per multiply-add, attention without the
discount for causality), as ``torch.utils.flop_counter`` counts them; a training step is three forward passes.
"""

from dataclasses import dataclass

from lawful import shapes
from lawful.flops import training_flops

from .tasks import Task

BLOCKS = ("attention", "conv", "hybrid", "mlp")
CELLS = ("loop", "tiny", "hierarchical")
LATENTS = ("noise", "variational")


@dataclass(frozen=True)
class Shape:
    """The dials of a model; 0 means "work it out".

    The cell says what a loop does. "loop" runs the stack on its state plus the input. "tiny", after TRM,
    keeps two states: in each loop the fast one is updated `inner` times, then the slow one once, all by the
    same stack. "hierarchical", after HRM, has a stack for each state, twice the parameters.
    """

    width: int = 32
    depth: int = 2  # blocks in a stack
    block: str = "attention"  # "conv": gated causal convolution; "hybrid": alternating, attention last; "mlp"
    heads: int = 0  # 0: width/16, rounded down to a divisor of the width
    kv_heads: int = 0  # 0: as many as heads; fewer is grouped-query attention
    mlp_ratio: float = 4.0
    experts: int = 1  # feed-forward networks per block, of which each token uses the best `active`
    active: int = 1
    kernel: int = 0  # taps of the convolution; 0: the whole sequence
    loops: int = 1
    cell: str = "loop"
    inner: int = 2
    noise: float = 0.0  # standard deviation of Gaussian noise added in each loop, after GRAM
    latent: str = "noise"  # "variational": its mean and deviation are learnt, see latent.py; `noise` is the first
    halting: bool = False  # a head that says after each segment whether the answer will do, after HRM and TRM

    def __post_init__(self) -> None:
        for name, allowed in (("block", BLOCKS), ("cell", CELLS), ("latent", LATENTS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(allowed)}.")
        for name in ("width", "depth", "experts", "active", "loops", "inner"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.active > self.experts:
            raise ValueError(f"active is {self.active}, more than the {self.experts} experts there are.")
        if self.width % self.n_heads:
            raise ValueError(f"heads is {self.heads}; it must divide the width, {self.width}.")
        if self.n_heads % self.n_kv_heads:
            raise ValueError(f"kv_heads is {self.kv_heads}; it must divide the heads, {self.n_heads}.")
        if self.latent == "variational" and self.noise <= 0:
            raise ValueError(
                f"noise is {self.noise}; latent 'variational' starts from a deviation above 0, such as 0.5."
            )
        recurrent = self.loops > 1 or self.cell != "loop" or self.noise or self.halting
        if self.block == "mlp" and (recurrent or self.experts > 1):
            raise ValueError(
                "block 'mlp' has no loops, cells, experts, noise or halting; leave them at their defaults."
            )

    @property
    def n_heads(self) -> int:
        if self.heads:
            return self.heads
        return max(h for h in range(1, max(1, self.width // 16) + 1) if self.width % h == 0)

    @property
    def n_kv_heads(self) -> int:
        return self.kv_heads or self.n_heads

    @property
    def hidden(self) -> int:
        """Width of the feed-forward layer."""
        return max(1, round(self.mlp_ratio * self.width))

    @property
    def mixers(self) -> tuple[str, ...]:
        """The token mixer of each block, first to last."""
        if self.block == "hybrid":
            return tuple("attention" if (self.depth - i) % 2 else "conv" for i in range(self.depth))
        return (self.block,) * self.depth

    def taps(self, length: int) -> int:
        """Length of the convolution kernel on sequences of `length` tokens."""
        return self.kernel or length

    @property
    def variational(self) -> bool:
        return self.latent == "variational"

    def passes(self, loops: int | None = None) -> int:
        """Times a stack of `depth` blocks is run in one forward pass."""
        loops = self.loops if loops is None else loops
        return loops if self.cell == "loop" else loops * (self.inner + 1)


@dataclass(frozen=True)
class Size:
    """Parameters: all of them, those without embeddings, positions and readout, and those one token uses."""

    total: int
    nonembed: int
    used: int


def decoder(shape: Shape, task: Task, loops: int | None = None) -> shapes.Shape:
    """The model as `lawful.flops` and `lawful.shapes` count it: one stack, attention wherever tokens are mixed."""
    return shapes.Shape(
        layers=shape.depth,
        width=shape.width,
        heads=shape.n_heads,
        kv_heads=shape.n_kv_heads,
        ffn_width=shape.hidden,
        vocab=task.outputs,
        context=task.length,
        tied=False,
        biases="none",
        norm="rmsnorm",
        experts=shape.experts if shape.experts > 1 else 0,
        active_experts=shape.active if shape.experts > 1 else 0,
        loops=shape.passes(loops),
    )


def size(shape: Shape, task: Task) -> Size:
    """Count the parameters of the model of this shape for this task. Looped weights count once."""
    d, depth = shape.width, shape.depth
    if shape.block == "mlp":
        nonembed = (depth - 1) * (d * d + d) + d
        total = nonembed + d * task.length * task.inputs + (d + 1) * task.outputs
        return Size(total, nonembed, nonembed)
    stacks = 2 if shape.cell == "hierarchical" else 1
    ends = d + (d + 1 if shape.halting else 0)  # the last norm, the halting head
    convs = shape.mixers.count("conv")

    def blocks(active: bool) -> int:
        one = shapes.stack_weights(decoder(shape, task), depth, active=active)
        attention = one["attention"] // depth
        mixers = (depth - convs) * attention + convs * (4 * d * d + d * shape.taps(task.length))
        return stacks * (mixers + one["ffn"] + one["router"] + one["norms"] - d) + ends

    latent = 2 * d * d + 2 * d if shape.variational else 0  # the prior; the posterior has as many, for training alone
    embeddings = task.inputs + task.length + task.outputs * (2 if shape.variational else 1)
    nonembed = blocks(active=False) + 2 * latent
    return Size(nonembed + d * embeddings, nonembed, blocks(active=True) + latent)


def forward_flops(shape: Shape, task: Task, loops: int | None = None) -> int:
    r"""FLOPs of one forward pass over one sequence of T tokens, from `lawful.flops.training_flops`.

    For the plain decoder $T (loops \cdot depth \cdot (2 (4 + 2 r) d^2 + 4 T d) + 2 d V)$ with r the
    feed-forward ratio, V the answers; grouped-query attention has $(2 + 2 kv/h) d^2$ for $4 d^2$. A halting head
    is not counted: 2 d per token and segment.
    """
    d, T = shape.width, task.length
    if shape.block == "mlp":
        return 2 * (shape.depth - 1) * d * d + 2 * d * task.outputs
    counted = training_flops(decoder(shape, task, loops), T, "narayanan2021").terms  # three forward passes
    forward = {name: round(flops) // 3 for name, flops in counted.items()}
    convs = shape.mixers.count("conv")
    attention = (forward["attention"] + forward["scores"]) // shape.depth
    conv = shape.passes(loops) * T * 2 * (4 * d * d + d * shape.taps(T))
    return sum(forward.values()) + convs * (conv - attention) + (loops or shape.loops) * latent_flops(shape, task)


def latent_flops(shape: Shape, task: Task) -> int:
    """FLOPs of the variational prior, and of the posterior, in one loop over one sequence."""
    return 4 * shape.width**2 * task.length if shape.variational else 0


def width_for(params: float, shape: Shape, task: Task, step: int = 4) -> int:
    """The width, a multiple of `step`, whose parameter count without embeddings comes nearest to `params`.

    Raises ValueError when the nearest misses by more than a fifth: such a run would not be matched.
    """
    from dataclasses import replace

    def count(width: int) -> int:
        return size(replace(shape, width=width), task).nonembed

    widths, w = [step], step
    while count(w) < params:
        w += step
        widths.append(w)
    best = min(widths, key=lambda w: abs(count(w) - params))
    if abs(count(best) / params - 1) > 0.2:
        raise ValueError(
            f"match_params is {params:g}; the nearest width, {best}, has {count(best)} parameters without "
            f"embeddings at depth {shape.depth}; ask for another size or depth."
        )
    return best
