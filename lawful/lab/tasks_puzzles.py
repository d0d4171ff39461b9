"""Puzzles with an exact answer for every cell: 4x4 sudoku, where the posterior may be spread out, and mazes.

Both show the puzzle first, then ask about every cell in one pass, so each cell has its own level: how many
rounds of deduction, or how many steps of path, lie between the puzzle and the answer.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, permutations, product
from typing import ClassVar

import numpy as np

from .score import SOLVED, Batch, Choose, Score, blank, check, log0, uniform

_SEARCH = 9  # the level of a sudoku cell that no round of propagation decides


@dataclass(frozen=True)
class Sudoku4:
    """4x4 sudoku with `clues` given cells: 16 puzzle cells, then 16 questions. There are 288 grids.

    A grid is drawn uniformly, then the cells shown. The level of a blank cell is the round of propagation (a
    cell with one candidate left, or a digit with one place left in a row, column or box) that decides it, and
    9 if none does: there the posterior over the grids that agree with the clues, counted exactly, is what the
    true model knows.
    """

    clues: int = 6
    name: ClassVar[str] = "sudoku4"
    kind: ClassVar[str] = "reasoning"
    inputs: ClassVar[int] = 6
    outputs: ClassVar[int] = 4
    length: ClassVar[int] = 32

    def __post_init__(self) -> None:
        check(self.name, clues=(self.clues, 1 <= self.clues <= 15, "between 1 and 15"))

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(sorted(_sudoku_floors(self.clues)))

    def batch(self, rng: np.random.Generator, B: int) -> Batch:
        grid = sudoku4_grids()[rng.integers(0, 288, B)]
        shown = rng.random((B, 16)).argsort(1) < self.clues
        x = np.full((B, 32), 5)
        x[:, :16] = np.where(shown, grid, 4)
        y, level = blank(x)
        y[:, 16:] = np.where(shown, y[:, 16:], grid)
        level[:, 16:] = _rounds(x[:, :16])
        return x, y, level

    def bayes(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Loss of the exact posterior on each scored cell, nats."""
        p = _posterior(x[:, :16])
        loss = np.zeros(y.shape)
        truth = np.maximum(y[:, 16:], 0)
        loss[:, 16:] = -log0(np.take_along_axis(p, truth[..., None], 2)[..., 0]) * (y[:, 16:] >= 0)
        return loss

    def valid(self, x: np.ndarray, answer: np.ndarray) -> np.ndarray:
        """Whether each row of answers (16 digits, clues ignored) completes its puzzle to a legal grid."""
        full = np.where(x[:, :16] < 4, x[:, :16], answer)
        return (full[:, None] == sudoku4_grids()[None]).all(2).any(1)

    def answer(self, x: np.ndarray, choose: Choose) -> np.ndarray:
        """Fill the whole grid, (B, 16), all cells at once from ``choose(x, positions)``; clues stay."""
        return np.where(x[:, :16] < 4, x[:, :16], choose(x, slice(16, 32)))

    def floor(self, level: int) -> Score:
        return _sudoku_floors(self.clues)[level]

    def chance(self, level: int) -> Score:
        return uniform(4)


@lru_cache(maxsize=1)
def sudoku4_grids() -> np.ndarray:
    """All 288 completed grids, (288, 16), digits 0 to 3, row by row."""
    rows = np.array(list(permutations(range(4))))
    choice = np.array(list(product(range(24), repeat=4)))
    grid = rows[choice].reshape(-1, 16)
    full = [np.bitwise_or.reduce(1 << grid[:, list(unit)], axis=1) == 15 for unit in _UNITS]
    return grid[np.logical_and.reduce(full)]


_UNITS = (
    [tuple(range(4 * r, 4 * r + 4)) for r in range(4)]
    + [tuple(range(c, 16, 4)) for c in range(4)]
    + [(b, b + 1, b + 4, b + 5) for b in (0, 2, 8, 10)]
)


def _posterior(puzzle: np.ndarray) -> np.ndarray:
    """(B, 16, 4) share of the grids that agree with the clues, by cell and digit."""
    onehot = np.eye(4, dtype=np.float32)[sudoku4_grids()].reshape(288, 64)
    clue = (np.eye(5, dtype=np.float32)[puzzle][..., :4]).reshape(-1, 64)
    agree = (clue @ onehot.T == clue.sum(1, keepdims=True)).astype(np.float32)
    return (agree @ onehot / agree.sum(1, keepdims=True)).reshape(-1, 16, 4).astype(float)


def _rounds(puzzle: np.ndarray) -> np.ndarray:
    """(B, 16): round of propagation that decides each blank cell; 0 for clues, 9 if none does."""
    # (B, digit, cell), so that the sums over units and peers run over the last axis
    known = np.eye(5, dtype=bool)[puzzle][..., :4].swapaxes(1, 2)
    level = np.where(known.any(1), 0, _SEARCH)
    for step in range(1, _SEARCH):
        settled = known.any(axis=1, keepdims=True)
        candidate = np.where(settled, known, ~_over_cells(known, _PEERS))
        only_place = _over_cells(_count(candidate, _MEMBER.T) == 1, _MEMBER)
        decided = candidate & ((candidate.sum(1) == 1)[:, None] | only_place)
        fresh = decided.any(1) & ~known.any(1)
        if not fresh.any():
            break
        level[fresh] = step
        known = known | decided
    return level


_MEMBER = np.zeros((len(_UNITS), 16), dtype=np.float32)
for _u, _unit in enumerate(_UNITS):
    _MEMBER[_u, list(_unit)] = 1
_PEERS = np.where(np.eye(16) == 1, 0, _MEMBER.T @ _MEMBER).astype(np.float32)


def _count(marked: np.ndarray, table: np.ndarray) -> np.ndarray:
    flat = marked.reshape(-1, marked.shape[-1]).astype(np.float32) @ table
    return flat.reshape(*marked.shape[:-1], table.shape[1])


def _over_cells(marked: np.ndarray, table: np.ndarray) -> np.ndarray:
    return _count(marked, table) > 0


@lru_cache
def _sudoku_floors(clues: int) -> dict[int, Score]:
    """Exact floor of every level, over all 12 grids (up to renaming the digits) and all choices of clues."""
    grids = sudoku4_grids()
    cells = np.array(list(combinations(range(16), clues)))
    masks = np.zeros((len(cells), 16), dtype=bool)
    np.put_along_axis(masks, cells, True, 1)
    total: dict[int, np.ndarray] = {}
    for grid in grids[(grids[:, :4] == np.arange(4)).all(1)]:
        puzzle = np.where(masks, grid, 4)
        p, level = _posterior(puzzle), _rounds(puzzle)
        entropy, best = -(p * log0(p)).sum(2), p.max(2)
        for k in np.unique(level[level > 0]):
            here = level == k
            sums = np.array([here.sum(), entropy[here].sum(), best[here].sum()])
            total[int(k)] = total.get(int(k), np.zeros(3)) + sums
    return {k: Score(loss=float(s[1] / s[0]), accuracy=float(s[2] / s[0])) for k, s in total.items()}


@dataclass(frozen=True)
class Maze:
    """A maze without loops: from every cell, which way to the goal? The level is the distance.

    The puzzle gives each cell's open sides (and marks the goal); then one question per cell that is no dead
    end. The maze is the minimum spanning tree of the grid under random weights, so the way is unique and the
    floor 0. `chance` is the player who reads only the openings of the cell asked about, measured on 4,096
    mazes of a fixed seed.
    """

    side: int = 5
    longest: int = 12
    name: ClassVar[str] = "maze"
    kind: ClassVar[str] = "reasoning"
    outputs: ClassVar[int] = 4
    inputs: ClassVar[int] = 33  # 16 sets of open sides, with and without the goal, and the question

    def __post_init__(self) -> None:
        cells = self.side**2
        check(
            self.name,
            side=(self.side, self.side >= 2, "at least 2"),
            longest=(self.longest, 1 <= self.longest < cells, f"between 1 and side^2 - 1 = {cells - 1}"),
        )

    @property
    def length(self) -> int:
        return 2 * self.side**2

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(range(1, self.longest + 1))

    def batch(self, rng: np.random.Generator, B: int) -> Batch:
        cells = self.side**2
        open_sides, way, distance = _tree(self.side, rng, B)
        x = np.full((B, 2 * cells), 32)
        x[:, :cells] = open_sides + 16 * (distance == 0)
        y, level = blank(x)
        asked = (distance > 0) & (distance <= self.longest) & (np.bitwise_count(open_sides) > 1)
        y[:, cells:] = np.where(asked, way, y[:, cells:])
        level[:, cells:] = np.where(asked, distance, 0)
        return x, y, level

    def floor(self, level: int) -> Score:
        return SOLVED

    def chance(self, level: int) -> Score:
        """Guessing among the cell's own openings: the mean over the cells asked about at this distance."""
        openings, distance = _openings(self.side)
        degree = openings[(distance == level) & (openings > 1)]
        if not len(degree):  # no such cell in thousands of mazes: the least a cell asked about can offer
            return uniform(2)
        return Score(loss=float(np.log(degree).mean()), accuracy=float((1 / degree).mean()))


def _tree(side: int, rng: np.random.Generator, B: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Open sides (bits of N, E, S, W), way to the goal (0 to 3), distance to it: Prim's tree from there."""
    source, target, side_of = _edges(side)
    weight = rng.random((B, len(source) // 2))
    weight = np.concatenate([weight, weight], axis=1)  # the two directions of an edge weigh the same
    row, cells = np.arange(B), side**2
    goal = rng.integers(0, cells, B)
    reached = np.zeros((B, cells), dtype=bool)
    reached[row, goal] = True
    open_sides, way, distance = (np.zeros((B, cells), dtype=np.int64) for _ in range(3))
    for _ in range(cells - 1):
        crossing = reached[:, target] & ~reached[:, source]
        edge = np.where(crossing, weight, 2.0).argmin(1)
        new, old, towards = source[edge], target[edge], side_of[edge]
        reached[row, new] = True
        way[row, new], distance[row, new] = towards, distance[row, old] + 1
        open_sides[row, new] |= 1 << towards
        open_sides[row, old] |= 1 << (towards + 2) % 4
    return open_sides, way, distance


@lru_cache
def _edges(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directed edges of the grid: from, to, and the side of `from` it leaves by (N, E, S, W = 0..3)."""
    cell = np.arange(side**2).reshape(side, side)
    east = (cell[:, :-1].ravel(), cell[:, 1:].ravel())
    south = (cell[:-1].ravel(), cell[1:].ravel())
    source, target = np.r_[east[0], south[0]], np.r_[east[1], south[1]]
    side_of = np.r_[np.full(len(east[0]), 1), np.full(len(south[0]), 2)]
    return np.r_[source, target], np.r_[target, source], np.r_[side_of, (side_of + 2) % 4]


@lru_cache
def _openings(side: int) -> tuple[np.ndarray, np.ndarray]:
    open_sides, _, distance = _tree(side, np.random.default_rng(20_240_601), 4096)
    return np.bitwise_count(open_sides), distance
