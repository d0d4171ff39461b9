"""Reasoning: what is learnt is a short rule, and the level is how many times it must be applied in sequence.

Every answer is asked for inside the same sequence, so one run measures all levels. None of these tasks holds
anything worth remembering; a model fails them by having too few serial steps, not too few parameters.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import ClassVar

import numpy as np

from .score import SOLVED, Batch, Score, blank, check, of_distribution, uniform


@dataclass(frozen=True)
class Swaps:
    r"""A ball under one of `cups` cups; pairs of cups are swapped; where is the ball after each swap?

    Level k is the number of swaps so far. A player who sees where the ball starts but follows no swap is
    right with probability $1/n + (1 - 1/n) \lambda^k$, $\lambda = 1 - 2/(n-1)$: the second eigenvalue of the
    walk ($1/2$ for 5 cups). With `scratchpad` the ball's place is fed back after each swap, so every answer
    is a single step: the control.
    """

    cups: int = 5
    steps: int = 16
    scratchpad: bool = False
    name: ClassVar[str] = "swaps"

    def __post_init__(self) -> None:
        check(
            self.name,
            cups=(self.cups, self.cups >= 3, "at least 3"),
            steps=(self.steps, self.steps >= 1, "at least 1"),
        )

    @property
    def kind(self) -> str:
        return "control" if self.scratchpad else "reasoning"

    @property
    def inputs(self) -> int:
        return self.cups + self.cups * (self.cups - 1) // 2

    @property
    def outputs(self) -> int:
        return self.cups

    @property
    def length(self) -> int:
        return 2 * self.steps if self.scratchpad else self.steps + 1

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(range(1, self.steps + 1))

    def batch(self, rng: np.random.Generator, B: int) -> Batch:
        n, pairs = self.cups, _after_swap(self.cups)
        swap = rng.integers(0, len(pairs), (B, self.steps))
        place = np.empty((B, self.steps + 1), dtype=np.int64)
        place[:, 0] = rng.integers(0, n, B)
        for t in range(self.steps):
            place[:, t + 1] = pairs[swap[:, t], place[:, t]]
        x = np.empty((B, self.length), dtype=np.int64)
        y, level = blank(x)
        if self.scratchpad:
            x[:, 0::2], x[:, 1::2] = place[:, :-1], n + swap
            asked = slice(1, None, 2)
        else:
            x[:, 0], x[:, 1:] = place[:, 0], n + swap
            asked = slice(1, None)
        y[:, asked], level[:, asked] = place[:, 1:], np.array(self.levels)
        return x, y, level

    def floor(self, level: int) -> Score:
        return SOLVED

    def chance(self, level: int) -> Score:
        """The ball's distribution when the swaps since the last place shown are not read."""
        n, unread = self.cups, 1 if self.scratchpad else level
        stay = 1 / n + (1 - 1 / n) * (1 - 2 / (n - 1)) ** unread
        return of_distribution(np.r_[stay, np.full(n - 1, (1 - stay) / (n - 1))])


@lru_cache
def _after_swap(cups: int) -> np.ndarray:
    """(pairs, cups): where a ball under each cup ends after each swap."""
    pairs = list(combinations(range(cups), 2))
    after = np.tile(np.arange(cups), (len(pairs), 1))
    for row, (i, j) in zip(after, pairs):
        row[[i, j]] = j, i
    return after


@dataclass(frozen=True)
class Hops:
    """Pointer chasing: the arrows of one random n-cycle in random order, a start s, then f(s), f(f(s)), ...

    Level k asks for the k-th hop. A single cycle, because on a random permutation "answer s" is right
    whenever the cycle's length divides k; and k <= n/2, because hop n-1 is one look-up backwards. Chance
    1/(n-1): never s itself.
    """

    nodes: int = 16
    steps: int = 8
    name: ClassVar[str] = "hops"
    kind: ClassVar[str] = "reasoning"

    def __post_init__(self) -> None:
        check(
            self.name,
            nodes=(self.nodes, self.nodes >= 4, "at least 4"),
            steps=(
                self.steps,
                1 <= self.steps <= self.nodes // 2,
                f"between 1 and nodes/2 = {self.nodes // 2}",
            ),
        )

    @property
    def inputs(self) -> int:
        return self.nodes + 1

    @property
    def outputs(self) -> int:
        return self.nodes

    @property
    def length(self) -> int:
        return 2 * self.nodes + self.steps

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(range(1, self.steps + 1))

    def batch(self, rng: np.random.Generator, B: int) -> Batch:
        n = self.nodes
        cycle = rng.permuted(np.tile(np.arange(n), (B, 1)), axis=1)
        order = rng.permuted(np.tile(np.arange(n), (B, 1)), axis=1)
        x = np.full((B, self.length), n)
        x[:, 0 : 2 * n : 2] = np.take_along_axis(cycle, order, 1)
        x[:, 1 : 2 * n : 2] = np.take_along_axis(cycle, (order + 1) % n, 1)
        start = rng.integers(0, n, (B, 1))
        x[:, 2 * n] = np.take_along_axis(cycle, start, 1)[:, 0]
        y, level = blank(x)
        y[:, 2 * n :] = np.take_along_axis(cycle, (start + 1 + np.arange(self.steps)) % n, 1)
        level[:, 2 * n :] = np.array(self.levels)
        return x, y, level

    def floor(self, level: int) -> Score:
        return SOLVED

    def chance(self, level: int) -> Score:
        return uniform(self.nodes - 1)


@dataclass(frozen=True)
class Carry:
    """Addition, least significant digit first; the level of a digit is how far down its carry is decided.

    Level k: the k-1 digits below sum to base-1 and pass the carry on, the one below them makes or kills it,
    each with probability 1/2. In every sequence one chain of a length drawn uniformly is laid. So a player
    who looks at the m digits below is right at levels up to m and tosses a coin beyond: `chance` is that
    player with m = 0.
    """

    base: int = 10
    steps: int = 16
    name: ClassVar[str] = "carry"
    kind: ClassVar[str] = "reasoning"

    def __post_init__(self) -> None:
        check(
            self.name,
            base=(self.base, self.base >= 2, "at least 2"),
            steps=(self.steps, self.steps >= 1, "at least 1"),
        )

    @property
    def inputs(self) -> int:
        return self.base + 1

    @property
    def outputs(self) -> int:
        return self.base

    @property
    def length(self) -> int:
        return 3 * (self.steps + 1)

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(range(1, self.steps + 1))

    def batch(self, rng: np.random.Generator, B: int) -> Batch:
        n, place = self.steps + 1, np.arange(self.steps + 1)
        passes = rng.random((B, n)) < 1 / self.base
        chain = rng.integers(1, self.steps + 1, (B, 1))
        origin = rng.integers(0, n - chain)
        passes = np.where((place > origin) & (place < origin + chain), True, passes & (place != origin))
        passes[:, 0] = False
        a, b = _digits(self.base, passes, rng.random((B, n)) < 0.5, rng)
        decided = np.maximum.accumulate(np.where(passes, -1, place), axis=1)
        carry = np.take_along_axis(a + b >= self.base, decided, 1)
        x = np.full((B, self.length), self.base)
        x[:, 0::3], x[:, 1::3] = a, b
        y, level = blank(x)
        y[:, 5::3] = (a + b)[:, 1:] % self.base
        y[:, 5::3] = (y[:, 5::3] + carry[:, :-1]) % self.base
        level[:, 5::3] = place[1:] - decided[:, :-1]
        return x, y, level

    def floor(self, level: int) -> Score:
        return SOLVED

    def chance(self, level: int) -> Score:
        return self.shortcut(level, seen=0)

    def shortcut(self, level: int, seen: int) -> Score:
        """The score at `level` of a player who reads the digit asked for and the `seen` digits below it."""
        return SOLVED if level <= seen else uniform(2)


def _digits(
    base: int, passes: np.ndarray, makes: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Digit pairs, uniform given whether they pass the carry on (sum base-1), make one, or kill it."""
    pairs = np.array([(a, b) for a in range(base) for b in range(base)])
    total = pairs.sum(1)
    out = np.empty((*passes.shape, 2), dtype=np.int64)
    for wanted, pool in (
        (passes, pairs[total == base - 1]),
        (~passes & makes, pairs[total >= base]),
        (~passes & ~makes, pairs[total < base - 1]),
    ):
        out[wanted] = pool[rng.integers(0, len(pool), int(wanted.sum()))]
    return out[..., 0], out[..., 1]


@dataclass(frozen=True)
class Brackets:
    """Typed opening brackets and untyped closing ones: of which type is the bracket being closed?

    The level is the nesting height of what is closed: 1 for a pair with nothing inside, k for a pair whose
    deepest chain of pairs has k members. Types are independent and uniform, so anything but the matching
    bracket is right with probability 1/types at every level; a player who names the last bracket opened
    solves level 1 only.
    """

    types: int = 8
    depth: int = 16
    steps: int = 64
    name: ClassVar[str] = "brackets"
    kind: ClassVar[str] = "reasoning"

    def __post_init__(self) -> None:
        check(
            self.name,
            types=(self.types, self.types >= 2, "at least 2"),
            depth=(self.depth, self.depth >= 1, "at least 1"),
            steps=(self.steps, self.steps >= 2 * self.depth, f"at least twice the depth, {2 * self.depth}"),
        )

    @property
    def inputs(self) -> int:
        return self.types + 1

    @property
    def outputs(self) -> int:
        return self.types

    @property
    def length(self) -> int:
        return self.steps

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(range(1, self.depth + 1))

    def batch(self, rng: np.random.Generator, B: int) -> Batch:
        """Each sequence climbs to its own ceiling, then moves below it in runs of random length."""
        x = rng.integers(0, self.types, (B, self.steps))
        y, level = blank(x)
        row, ceiling = np.arange(B), rng.integers(1, self.depth + 1, B)
        kind = np.zeros((B, self.depth + 1), dtype=np.int64)
        height = np.zeros((B, self.depth + 1), dtype=np.int64)
        here, left, climbing = np.zeros(B, dtype=np.int64), ceiling.copy(), np.ones(B, dtype=bool)
        lengths = rng.random((B, self.steps))
        for t in range(self.steps):
            turn = left == 0
            climbing = np.where(turn, ~climbing, climbing)
            room = np.where(climbing, ceiling - here, here)
            left = np.where(turn, 1 + (lengths[:, t] * room).astype(int), left) - 1
            here = here + climbing
            up, down = row[climbing], row[~climbing]
            kind[up, here[up]], height[up, here[up]] = x[up, t], 1
            at = here[down]
            x[down, t], y[down, t], level[down, t] = self.types, kind[down, at], height[down, at]
            height[down, at - 1] = np.maximum(height[down, at - 1], height[down, at] + 1)
            here = here - ~climbing
        return x, y, level

    def floor(self, level: int) -> Score:
        return SOLVED

    def chance(self, level: int) -> Score:
        return uniform(self.types)
