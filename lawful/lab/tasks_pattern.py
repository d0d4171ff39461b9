"""Pattern matching: what is learnt is a table, and more parameters hold more of it.

`Facts` is a table of keys met with Zipf's frequencies, `Markov` a table of next-token probabilities, `Copy`
the circuit that finds an earlier occurrence, `Text` the bytes of real files, whose floor nobody knows.
"""

import hashlib
import sys
import sysconfig
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from .score import SOLVED, Batch, Score, blank, check, log0, of_distribution, uniform


@dataclass(frozen=True)
class Facts:
    r"""Key to value: a fixed random table, the key of rank r asked with probability $\propto r^{-zipf}$.

    The key is spelt in `digits` base-`base` digits that say nothing about its rank; the value is read off at
    the last digit. Level k holds the keys of ranks $2^{k-1} \ldots 2^k - 1$. With `noise`, that share of
    answers is replaced by another value drawn uniformly, and the floor is $h(noise) + noise \log(values -
    1)$.
    """

    keys: int = 65536
    zipf: float = 1.5
    values: int = 32
    base: int = 16
    noise: float = 0.0
    table: int = 0
    name: ClassVar[str] = "facts"
    kind: ClassVar[str] = "pattern"

    def __post_init__(self) -> None:
        check(
            self.name,
            keys=(self.keys, self.keys >= 2, "at least 2"),
            values=(self.values, self.values >= 2, "at least 2"),
            base=(self.base, self.base >= 2, "at least 2"),
            noise=(self.noise, 0 <= self.noise < 1, "in [0, 1)"),
        )

    @property
    def inputs(self) -> int:
        return self.base

    @property
    def outputs(self) -> int:
        return self.values

    @property
    def length(self) -> int:
        digits = 1
        while self.base**digits < self.keys:
            digits += 1
        return digits

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(range(1, self.keys.bit_length() + 1))

    def batch(self, rng: np.random.Generator, B: int) -> Batch:
        p, digits, value, octave = _facts(self)
        rank = np.searchsorted(np.cumsum(p)[:-1], rng.random(B), side="right")
        answer = value[rank]
        if self.noise:
            wrong = rng.random(B) < self.noise
            answer = np.where(wrong, (answer + rng.integers(1, self.values, B)) % self.values, answer)
        return _answered_last(digits[rank], answer, octave[rank])

    def cases(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
        """Every key with its probability, for an exact expectation; None with label noise."""
        if self.noise:
            return None
        p, digits, value, octave = _facts(self)
        return (*_answered_last(digits, value, octave), p)

    def bayes(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Loss of who knows the table and the noise, on each scored answer, nats."""
        code = x @ self.base ** np.arange(self.length)[::-1]
        right = _facts(self)[2][_rank_of(self)[code]] == y[:, -1]
        loss = np.zeros(y.shape)
        loss[:, -1] = np.where(right, -np.log1p(-self.noise), -log0(np.array(self.noise / (self.values - 1))))
        return loss

    def floor(self, level: int) -> Score:
        if not self.noise:
            return SOLVED
        rest = np.full(self.values - 1, self.noise / (self.values - 1))
        return of_distribution(np.r_[1 - self.noise, rest])

    def chance(self, level: int) -> Score:
        """The marginal distribution of the values: the best answer without reading the key."""
        p, _, value, octave = _facts(self)
        clean = np.bincount(value, p, self.values)
        spread = self.noise / (self.values - 1)
        marginal = spread + (1 - self.noise - spread) * clean
        here = octave == level
        share = np.bincount(value[here], p[here], self.values) / p[here].sum()
        share = spread + (1 - self.noise - spread) * share
        return Score(loss=float(-(share * log0(marginal)).sum()), accuracy=float(share[marginal.argmax()]))

    def data_floor(self, draws: float, level: int | None = None) -> float:
        r"""The least loss any learner can expect after `draws` random keys.

        $\sum_r p_r [q_r \log V + (1 - q_r) h]$, where
        $q_r = (1 - p_r)^{draws}$ is the chance that a key was never met, $V$ the number of values, $h$ the
        floor. Over one level or, by default, over all keys.
        """
        p, _, _, octave = _facts(self)
        unseen = np.exp(draws * np.log1p(-p))
        each = unseen * np.log(self.values) + (1 - unseen) * self.floor(1).loss
        weight = p if level is None else p * (octave == level)
        return float((weight * each).sum() / weight.sum())


@lru_cache(maxsize=4)
def _facts(task: Facts) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng([task.table, task.keys, task.values])
    rank = np.arange(1, task.keys + 1)
    p = rank.astype(float) ** -task.zipf
    code = rng.permutation(task.base**task.length)[: task.keys]
    digits = code[:, None] // task.base ** np.arange(task.length)[::-1] % task.base
    return (
        p / p.sum(),
        digits,
        rng.integers(0, task.values, task.keys),
        np.floor(np.log2(rank)).astype(int) + 1,
    )


@lru_cache(maxsize=4)
def _rank_of(task: Facts) -> np.ndarray:
    digits = _facts(task)[1]
    rank = np.zeros(task.base**task.length, dtype=np.int64)
    rank[digits @ task.base ** np.arange(task.length)[::-1]] = np.arange(task.keys)
    return rank


def _answered_last(x: np.ndarray, answer: np.ndarray, level: np.ndarray) -> Batch:
    y, where = blank(x)
    y[:, -1], where[:, -1] = answer, level
    return x.astype(np.int64), y, where


@dataclass(frozen=True)
class Markov:
    r"""A fixed random Markov chain of each order in `orders`, the level; the first token says which.

    Logits of the next token are normal with standard deviation `sharpness`. Sequences start in the stationary
    distribution $\pi$, so every scored token has the entropy rate $-\sum_s \pi_s \sum_v P_{sv} \log P_{sv}$
    as its floor.
    """

    orders: tuple[int, ...] = (1, 2, 3)
    vocab: int = 16
    steps: int = 32
    sharpness: float = 2.0
    table: int = 0
    name: ClassVar[str] = "markov"
    kind: ClassVar[str] = "pattern"

    def __post_init__(self) -> None:
        longest = max(self.orders)
        check(
            self.name,
            orders=(self.orders, min(self.orders) >= 1, "positive whole numbers"),
            vocab=(
                self.vocab,
                2 <= self.vocab and self.vocab**longest <= 2**20,
                "2 or more, vocab^order <= 2^20",
            ),
            steps=(self.steps, self.steps > longest, f"more than the largest order, {longest}"),
        )

    @property
    def inputs(self) -> int:
        return self.vocab + len(self.orders)

    @property
    def outputs(self) -> int:
        return self.vocab

    @property
    def length(self) -> int:
        return self.steps

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(sorted(self.orders))

    def batch(self, rng: np.random.Generator, B: int) -> Batch:
        x = np.empty((B, self.steps), dtype=np.int64)
        y, level = blank(x)
        which = rng.integers(0, len(self.orders), B)
        for i, k in enumerate(self.orders):
            rows = np.flatnonzero(which == i)
            s = _walk(self, k, rng, len(rows))
            x[rows, 0], x[rows, 1:] = self.vocab + i, s[:, :-1]
            y[rows, k:], level[rows, k:] = s[:, k:], k
        return x, y, level

    def floor(self, level: int) -> Score:
        P, pi = _chain(self, level)
        return Score(loss=float(-pi @ (P * np.log(P)).sum(1)), accuracy=float(pi @ P.max(1)))

    def chance(self, level: int) -> Score:
        """The stationary frequencies of the tokens: the best answer that looks at no context."""
        _, pi = _chain(self, level)
        return of_distribution(pi.reshape(self.vocab, -1).sum(1))

    def bayes(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Loss of the true chain on each scored token of these sequences, nats."""
        loss = np.zeros(y.shape)
        for i, k in enumerate(self.orders):
            P, _ = _chain(self, k)
            rows = x[:, 0] == self.vocab + i
            state = sum(x[rows, 1 + j : self.steps - k + 1 + j] * self.vocab ** (k - 1 - j) for j in range(k))
            loss[rows, k:] = -np.log(P[state, y[rows, k:]])
        return loss


@lru_cache(maxsize=16)
def _chain(task: Markov, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Transition table (states, vocab) of one order and its stationary distribution, by power iteration."""
    V = task.vocab
    logits = np.random.default_rng([task.table, order, V]).normal(0, task.sharpness, (V**order, V))
    P = np.exp(logits - logits.max(1, keepdims=True))
    P /= P.sum(1, keepdims=True)
    pi = np.full(V**order, V**-order, dtype=float)
    for _ in range(10_000):  # the next state drops the oldest token and appends the new one
        new = (pi[:, None] * P).reshape(V, -1).sum(0)
        if np.abs(new - pi).sum() < 1e-14:
            break
        pi = new
    return P, pi / pi.sum()


def _walk(task: Markov, order: int, rng: np.random.Generator, B: int) -> np.ndarray:
    P, pi = _chain(task, order)
    V = task.vocab
    state = rng.choice(len(pi), size=B, p=pi)
    s = np.empty((B, task.steps), dtype=np.int64)
    s[:, :order] = state[:, None] // V ** np.arange(order)[::-1] % V
    cumulative = P.cumsum(1)[:, :-1]
    for t in range(order, task.steps):
        s[:, t] = (rng.random((B, 1)) > cumulative[state]).sum(1)
        state = (state * V + s[:, t]) % V**order
    return s


@dataclass(frozen=True)
class Copy:
    """A marked random string comes back after a gap of distractors; the level is the gap.

    ``filler, mark, string, gap, mark, string``: the string moves with the gap while the copy stays put, so it
    must be found by its mark, not by a fixed offset. Floor 0, chance 1/vocab.
    """

    vocab: int = 16
    string: int = 8
    gaps: tuple[int, ...] = (1, 2, 4, 8, 16)
    name: ClassVar[str] = "copy"
    kind: ClassVar[str] = "pattern"

    def __post_init__(self) -> None:
        check(
            self.name,
            vocab=(self.vocab, self.vocab >= 2, "at least 2"),
            string=(self.string, self.string >= 1, "at least 1"),
            gaps=(self.gaps, min(self.gaps) >= 1, "positive whole numbers"),
        )

    @property
    def inputs(self) -> int:
        return self.vocab + 1

    @property
    def outputs(self) -> int:
        return self.vocab

    @property
    def length(self) -> int:
        return max(self.gaps) + 2 * self.string + 1

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(sorted(self.gaps))

    def batch(self, rng: np.random.Generator, B: int) -> Batch:
        n, longest = self.string, max(self.gaps)
        gap = rng.choice(self.gaps, B)
        x = rng.integers(0, self.vocab, (B, self.length))
        first = (longest - gap)[:, None] + 1
        string = np.take_along_axis(x, first + np.arange(n), 1)
        np.put_along_axis(x, first - 1, self.vocab, 1)
        x[:, longest + n + 1] = self.vocab
        x[:, longest + n + 2 :] = string[:, :-1]
        y, level = blank(x)
        y[:, longest + n + 1 :], level[:, longest + n + 1 :] = string, gap[:, None]
        return x, y, level

    def floor(self, level: int) -> Score:
        return SOLVED

    def chance(self, level: int) -> Score:
        return uniform(self.vocab)


@dataclass(frozen=True)
class Text:
    """The next byte of real text: Python's own standard library, or the file at `path`.

    Its floor is unknown and is never called one. Every tenth file of the library (the last tenth of a single
    file) is held out. `source` names what was read, with its checksum: the library changes with the Python
    version.
    """

    path: str = ""
    steps: int = 64
    name: ClassVar[str] = "text"
    kind: ClassVar[str] = "text"
    inputs: ClassVar[int] = 256
    outputs: ClassVar[int] = 256
    levels: ClassVar[tuple[int, ...]] = (1,)

    @property
    def length(self) -> int:
        return self.steps

    @property
    def source(self) -> str:
        return _corpus(self.path)[2]

    def batch(self, rng: np.random.Generator, B: int) -> Batch:
        return self._windows(_corpus(self.path)[0], rng, B)

    def held_out(self, rng: np.random.Generator, B: int) -> Batch:
        return self._windows(_corpus(self.path)[1], rng, B)

    def _windows(self, text: np.ndarray, rng: np.random.Generator, B: int) -> Batch:
        if len(text) <= self.steps:
            raise ValueError(f"Task 'text': {self.source} leaves {len(text)} bytes, fewer than steps={self.steps} + 1.")
        at = rng.integers(0, len(text) - self.steps, B)[:, None] + np.arange(self.steps + 1)
        window = text[at].astype(np.int64)
        return window[:, :-1], window[:, 1:], np.ones((B, self.steps), dtype=np.int64)

    def floor(self, level: int) -> None:
        return None

    def chance(self, level: int) -> Score:
        """The byte frequencies of the training text, scored on the held-out text."""
        train, held, _ = _corpus(self.path)
        p = (np.bincount(train, minlength=256) + 1) / (len(train) + 256)
        q = np.bincount(held, minlength=256) / len(held)
        return Score(loss=float(-q @ np.log(p)), accuracy=float(q[p.argmax()]))


@lru_cache(maxsize=2)
def _corpus(path: str) -> tuple[np.ndarray, np.ndarray, str]:
    if path:
        if not Path(path).is_file():
            raise FileNotFoundError(
                f"Task 'text': there is no file {path!r}; give a path, or none for Python's library."
            )
        whole = Path(path).read_bytes()
        cut = len(whole) - len(whole) // 10
        train, held, label = whole[:cut], whole[cut:], Path(path).name
    else:
        library = Path(sysconfig.get_paths()["stdlib"])
        skipped = {"test", "tests", "idle_test", "site-packages", "dist-packages"}
        files = [f for f in sorted(library.rglob("*.py")) if not skipped & set(f.relative_to(library).parts)]
        pieces = [f.read_bytes() for f in files]
        train = b"".join(p for i, p in enumerate(pieces) if i % 10 != 9)
        held = b"".join(pieces[9::10])
        label = f"Python {sys.version.split()[0]} standard library"
    digest = hashlib.sha256(train + held).hexdigest()
    as_bytes = (np.frombuffer(part, dtype=np.uint8) for part in (train, held))
    return (*as_bytes, f"{label}, sha256 {digest}")  # type: ignore[return-value]
