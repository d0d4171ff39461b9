"""Tasks where more than one answer is right, and one where the share of cases ever shown is a knob.

The constraint tasks write their solution step by step, each step fed back, the truth drawn uniformly from all
solutions: the floor is the entropy of that choice, by enumeration, and `valid` says whether an answer is a
solution.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, permutations, product
from typing import ClassVar

import numpy as np

from .score import SOLVED, Batch, Choose, Score, blank, check, uniform


@dataclass(frozen=True)
class Queens:
    """Complete an n-queens board row by row; the level is the number of queens still to place.

    A solution is drawn uniformly (92 for n = 8), then the rows hidden. `chance` is the player who knows that
    columns differ but nothing of diagonals: log(k!)/k nats per hidden queen.
    """

    n: int = 8
    hidden: tuple[int, ...] = (2, 3, 4, 6, 8)
    name: ClassVar[str] = "queens"
    kind: ClassVar[str] = "satisfaction"

    def __post_init__(self) -> None:
        check(
            self.name,
            n=(self.n, 4 <= self.n <= 8, "between 4 and 8"),
            hidden=(
                self.hidden,
                2 <= min(self.hidden) and max(self.hidden) <= self.n,
                f"between 2 and n = {self.n}",
            ),
        )

    @property
    def inputs(self) -> int:
        return self.n + 2

    @property
    def outputs(self) -> int:
        return self.n

    @property
    def length(self) -> int:
        return 2 * self.n

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(sorted(self.hidden))

    def batch(self, rng: np.random.Generator, B: int) -> Batch:
        boards = queens_boards(self.n)
        board = boards[rng.integers(0, len(boards), B)]
        k = rng.choice(self.hidden, B)[:, None]
        shown = rng.random((B, self.n)).argsort(1) >= k
        x = np.full((B, self.length), self.n + 1)
        x[:, : self.n] = np.where(shown, board, self.n)
        x[:, self.n + 1 :] = board[:, :-1]
        y, level = blank(x)
        y[:, self.n :] = np.where(shown, y[:, self.n :], board)
        level[:, self.n :] = np.where(shown, 0, k)
        return x, y, level

    def bayes(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Loss of the exact posterior on each scored queen, given clues and earlier queens, nats."""
        clue, truth = x[:, : self.n], y[:, self.n :]
        board = np.where(truth >= 0, truth, clue)
        p, _ = _row_by_row(queens_boards(self.n), board, truth < 0)
        return np.c_[np.zeros(clue.shape), -np.log(p) * (truth >= 0)]

    def valid(self, x: np.ndarray, answer: np.ndarray) -> np.ndarray:
        """Whether each row of answers (n columns, clues ignored) completes its board without an attack."""
        full = np.where(x[:, : self.n] < self.n, x[:, : self.n], answer)
        return (full[:, None] == queens_boards(self.n)[None]).all(2).any(1)

    def answer(self, x: np.ndarray, choose: Choose) -> np.ndarray:
        """Write a whole board, (B, n): each from ``choose(x, positions)``, fed back to place the next."""
        x, clue = x.copy(), x[:, : self.n]
        board = np.empty_like(clue)
        for j in range(self.n):
            column = choose(x, slice(self.n + j, self.n + j + 1))[:, 0]
            board[:, j] = np.where(clue[:, j] < self.n, clue[:, j], column)
            x[:, self.n + 1 + j : self.n + 2 + j] = board[:, j : j + 1]
        return board

    def floor(self, level: int) -> Score:
        return _queens_floor(self.n, level)

    def chance(self, level: int) -> Score:
        left = np.arange(1, level + 1)
        return Score(loss=float(np.log(left).mean()), accuracy=float((1 / left).mean()))


@lru_cache
def queens_boards(n: int) -> np.ndarray:
    """Every solution of the n-queens problem, (solutions, n): the column of the queen in each row."""
    board, row = np.array(list(permutations(range(n)))), np.arange(n)
    apart = [(np.diff(np.sort(board + sign * row, axis=1), axis=1) > 0).all(1) for sign in (1, -1)]
    return board[apart[0] & apart[1]]


def _row_by_row(boards: np.ndarray, board: np.ndarray, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior probability of the truth, and of the likeliest column, given clues and earlier rows."""
    n = boards.shape[1]
    same = board[:, None] == boards[None]
    alive = (same | ~shown[:, None]).all(2)
    p, best = np.ones(board.shape), np.ones(board.shape)
    for j in range(n):
        count = alive.astype(float) @ np.eye(n)[boards[:, j]]
        share = count / count.sum(1, keepdims=True)
        p[:, j] = np.take_along_axis(share, board[:, j : j + 1], 1)[:, 0]
        best[:, j] = share.max(1)
        alive &= same[:, :, j]
    return p, best


@lru_cache
def _queens_floor(n: int, hidden: int) -> Score:
    """Over every solution and every choice of hidden rows."""
    boards = queens_boards(n)
    rows = np.array(list(combinations(range(n), hidden)))
    shown = np.ones((len(rows), n), dtype=bool)
    np.put_along_axis(shown, rows, False, 1)
    loss = accuracy = 0.0
    for board in boards:
        p, best = _row_by_row(boards, np.tile(board, (len(rows), 1)), shown)
        loss, accuracy = loss - np.log(p)[~shown].mean(), accuracy + best[~shown].mean()
    return Score(loss=float(loss / len(boards)), accuracy=float(accuracy / len(boards)))


@dataclass(frozen=True)
class Colouring:
    """Colour the `nodes` of a graph so that no edge joins two of a colour; the level is the number of edges.

    The graph is uniform among the colourable ones with that many edges, the truth uniform among its
    colourings, and the floor is the mean of log(colourings)/nodes over all such graphs. Chance: any colour.
    """

    nodes: int = 6
    colours: int = 3
    edges: tuple[int, ...] = (2, 4, 6, 8, 10)
    name: ClassVar[str] = "colouring"
    kind: ClassVar[str] = "satisfaction"

    def __post_init__(self) -> None:
        most = self.nodes * (self.nodes - 1) // 2
        check(
            self.name,
            nodes=(self.nodes, 3 <= self.nodes <= 6, "between 3 and 6"),
            colours=(self.colours, 2 <= self.colours <= 4, "between 2 and 4"),
            edges=(self.edges, 1 <= min(self.edges) and max(self.edges) <= most, f"between 1 and {most}"),
        )
        for e in self.edges:
            if not len(_graphs(self.nodes, self.colours, e)[0]):
                raise ValueError(
                    f"Task 'colouring': no graph of {self.nodes} nodes and {e} edges has "
                    f"{self.colours} colours; take fewer edges."
                )

    @property
    def pairs(self) -> int:
        return self.nodes * (self.nodes - 1) // 2

    @property
    def inputs(self) -> int:
        return 2 + 1 + self.colours

    @property
    def outputs(self) -> int:
        return self.colours

    @property
    def length(self) -> int:
        return self.pairs + self.nodes

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(sorted(self.edges))

    def batch(self, rng: np.random.Generator, B: int) -> Batch:
        colourings, _ = _colourings(self.nodes, self.colours)
        graph, colour = np.empty((B, self.pairs), dtype=np.int64), np.empty((B, self.nodes), dtype=np.int64)
        edges = rng.choice(self.edges, B)
        for e in np.unique(edges):
            rows = np.flatnonzero(edges == e)
            graphs, proper = _graphs(self.nodes, self.colours, int(e))
            which = rng.integers(0, len(graphs), len(rows))
            pick = (rng.random((len(rows), 1)) * proper[which].sum(1, keepdims=True)).astype(int)
            graph[rows] = graphs[which]
            colour[rows] = colourings[(proper[which].cumsum(1) <= pick).sum(1)]
        x = np.empty((B, self.length), dtype=np.int64)
        x[:, : self.pairs], x[:, self.pairs], x[:, self.pairs + 1 :] = graph, 2, 3 + colour[:, :-1]
        y, level = blank(x)
        y[:, self.pairs :], level[:, self.pairs :] = colour, edges[:, None]
        return x, y, level

    def _proper(self, x: np.ndarray) -> np.ndarray:
        _, clash = _colourings(self.nodes, self.colours)
        return x[:, : self.pairs].astype(np.float32) @ clash.T == 0

    def bayes(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Loss of the exact posterior on each node, given the graph and the colours before it, nats."""
        p = _prefix_shares(self._proper(x), self.nodes, self.colours)
        loss, prefix = np.zeros(y.shape), np.zeros(len(y), dtype=np.int64)
        for j, share in enumerate(p):
            prefix = prefix * self.colours + y[:, self.pairs + j]
            loss[:, self.pairs + j] = -np.log(share.reshape(len(y), -1)[np.arange(len(y)), prefix])
        return loss

    def valid(self, x: np.ndarray, answer: np.ndarray) -> np.ndarray:
        """Whether each row of answers (a colour per node) leaves every edge with two colours."""
        ends = np.array(list(combinations(range(self.nodes), 2)))
        return ~((answer[:, ends[:, 0]] == answer[:, ends[:, 1]]) & (x[:, : self.pairs] == 1)).any(1)

    def answer(self, x: np.ndarray, choose: Choose) -> np.ndarray:
        """Write a whole colouring, (B, nodes): each from ``choose(x, positions)``, fed back."""
        x, colours = x.copy(), []
        for j in range(self.pairs, self.length):
            colours.append(choose(x, slice(j, j + 1)))
            x[:, j + 1 : j + 2] = 3 + colours[-1]
        return np.concatenate(colours, axis=1)

    def floor(self, level: int) -> Score:
        return _colouring_floor(self.nodes, self.colours, level)

    def chance(self, level: int) -> Score:
        return uniform(self.colours)


def _prefix_counts(proper: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Colourings left after each prefix: (graphs, prefixes, colours), for prefixes one node shorter."""
    return proper.reshape(*shape, -1).sum(3)


def _prefix_shares(proper: np.ndarray, nodes: int, colours: int) -> list[np.ndarray]:
    """For each node, (graphs, prefixes, colours): posterior of its colour given the colours before it."""
    shares = []
    for j in range(nodes):
        count = _prefix_counts(proper, (len(proper), colours**j, colours))
        shares.append(count / np.maximum(count.sum(2, keepdims=True), 1))
    return shares


@lru_cache
def _colouring_floor(nodes: int, colours: int, edges: int) -> Score:
    _, proper = _graphs(nodes, colours, edges)
    total, right = proper.sum(1), 0.0
    for share in _prefix_shares(proper, nodes, colours):
        reach = _prefix_counts(proper, share.shape).sum(2) / total[:, None]
        right += (reach * share.max(2)).sum(1).mean() / nodes
    return Score(loss=float(np.log(total).mean() / nodes), accuracy=float(right))


@lru_cache
def _colourings(nodes: int, colours: int) -> tuple[np.ndarray, np.ndarray]:
    """All colours^nodes colourings, first node slowest, and (colourings, pairs): 1 where the ends agree."""
    every = np.array(list(product(range(colours), repeat=nodes)))
    ends = np.array(list(combinations(range(nodes), 2)))
    return every, (every[:, ends[:, 0]] == every[:, ends[:, 1]]).astype(np.float32)


@lru_cache
def _graphs(nodes: int, colours: int, edges: int) -> tuple[np.ndarray, np.ndarray]:
    """Every colourable graph with that many edges, 0/1 over the pairs, and its proper colourings."""
    chosen = np.array(list(combinations(range(nodes * (nodes - 1) // 2), edges)))
    graphs = np.zeros((len(chosen), nodes * (nodes - 1) // 2), dtype=np.int64)
    np.put_along_axis(graphs, chosen, 1, 1)
    proper = graphs.astype(np.float32) @ _colourings(nodes, colours)[1].T == 0
    keep = proper.any(1)
    return graphs[keep], proper[keep]


@dataclass(frozen=True)
class Composition:
    """f_a(g_b(x)), `functions` of each, permutations of `values`; a share of the pairs is never shown.

    Level 1 is the pairs seen in training, level 2 the others, met only in `held_out`. Every f and every g is
    seen equally often, in coverage x functions pairs. Floor 0 for who knows the functions; chance 1/values.
    """

    coverage: float = 0.5
    functions: int = 16
    values: int = 8
    table: int = 0
    name: ClassVar[str] = "composition"
    kind: ClassVar[str] = "composition"
    length: ClassVar[int] = 3
    levels: ClassVar[tuple[int, ...]] = (1, 2)

    def __post_init__(self) -> None:
        seen = self.coverage * self.functions
        check(
            self.name,
            coverage=(
                self.coverage,
                1 <= round(seen) < self.functions,
                f"between 1/{self.functions} and below 1",
            ),
            values=(self.values, self.values >= 2, "at least 2"),
        )

    @property
    def inputs(self) -> int:
        return max(self.functions, self.values)

    @property
    def outputs(self) -> int:
        return self.values

    def batch(self, rng: np.random.Generator, B: int) -> Batch:
        x, y, level, _ = self.cases()
        seen = np.flatnonzero(level[:, -1] == 1)
        rows = seen[rng.integers(0, len(seen), B)]
        return x[rows], y[rows], level[rows]

    def held_out(self, rng: np.random.Generator, B: int) -> Batch:
        x, y, level, _ = self.cases()
        rows = rng.integers(0, len(x), B)
        return x[rows], y[rows], level[rows]

    def cases(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Every (a, b, x), each with the same probability, for an exact expectation."""
        return _compositions(self)

    def constituent(self) -> np.ndarray:
        """g_b(x) of every case, in the order of `cases`: what a probe should find in the hidden layers."""
        n, V = self.functions, self.values
        _, g, _ = _functions(self)
        return np.tile(g[np.arange(n)[:, None], np.arange(V)].ravel(), n)

    def floor(self, level: int) -> Score:
        return SOLVED

    def chance(self, level: int) -> Score:
        return uniform(self.values)


def _functions(task: Composition) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, V = task.functions, task.values
    rng = np.random.default_rng([task.table, n, V])
    f, g = (rng.permuted(np.tile(np.arange(V), (n, 1)), axis=1) for _ in range(2))
    rotation = (rng.permutation(n)[:, None] + rng.permutation(n)) % n
    return f, g, rotation < round(task.coverage * n)


@lru_cache(maxsize=16)
def _compositions(task: Composition) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    n, V = task.functions, task.values
    f, g, seen = _functions(task)
    a, b, v = (grid.ravel() for grid in np.meshgrid(np.arange(n), np.arange(n), np.arange(V), indexing="ij"))
    x = np.stack([a, b, v], axis=1)
    y, level = blank(x)
    y[:, -1], level[:, -1] = f[a, g[b, v]], np.where(seen[a, b], 1, 2)
    return x, y, level, np.full(len(x), 1 / len(x))
