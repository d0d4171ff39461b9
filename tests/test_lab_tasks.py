"""Every task's invariants, and its floor and chance against simulation and independent counting."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lawful.lab import tasks as lab
from lawful.lab.score import UNSCORED
from lawful.lab.tasks_choices import Colouring, Composition, Queens, queens_boards
from lawful.lab.tasks_pattern import Copy, Facts, Markov, Text
from lawful.lab.tasks_puzzles import Maze, Sudoku4, sudoku4_grids
from lawful.lab.tasks_steps import Brackets, Carry, Hops, Swaps

# Small knobs beside the defaults, so that the suite is quick and the knobs are exercised.
EVERY = [
    Facts(keys=512, values=8),
    Facts(keys=300, values=8, noise=0.2),
    Markov(vocab=6),
    Copy(),
    Text(path=__file__),
    Swaps(),
    Swaps(cups=4, scratchpad=True),
    Hops(),
    Carry(),
    Brackets(),
    Sudoku4(clues=13),
    Maze(),
    Queens(n=6, hidden=(2, 4, 6)),
    Colouring(nodes=5, edges=(2, 6)),
    Composition(),
]
names = [f"{t.name}{i}" for i, t in enumerate(EVERY)]


def draw(task, B=2000, seed=0):
    return getattr(task, "held_out", task.batch)(np.random.default_rng(seed), B)


@pytest.mark.parametrize("task", EVERY, ids=names)
def test_batches_keep_the_contract(task):
    assert isinstance(task, lab.Task)
    x, y, level = draw(task)
    assert x.shape == y.shape == level.shape == (2000, task.length)
    assert x.min() >= 0 and x.max() < task.inputs
    asked = y != UNSCORED
    assert np.array_equal(asked, level > 0)
    assert asked.any(1).mean() > 0.9  # mazes may hold few cells worth asking; most sequences ask something
    assert y[asked].min() >= 0 and y[asked].max() < task.outputs
    assert set(np.unique(level)) - {0} <= set(task.levels)
    for a, b in zip(draw(task), (x, y, level)):
        assert np.array_equal(a, b)
    assert not np.array_equal(draw(task, seed=1)[0], x)


@pytest.mark.parametrize("task", EVERY, ids=names)
def test_the_true_model_scores_the_floor(task):
    x, y, level = draw(task, 4000, seed=3)
    loss = lab.bayes_loss(task, x, y)
    if task.kind == "text":
        assert loss is None and task.floor(1) is None
        return
    assert np.all(loss[y == UNSCORED] == 0)
    for k in np.unique(level[level > 0]):
        mine = level == k
        per_sequence = loss.sum(1, where=mine) - task.floor(k).loss * mine.sum(1)
        error = per_sequence.std() / np.sqrt(len(x)) + 1e-12
        assert abs(per_sequence.mean()) < 4.5 * error, (k, per_sequence.mean() / error)
        assert task.chance(k).loss >= task.floor(k).loss
        assert 0 <= task.chance(k).accuracy <= 1


@pytest.mark.parametrize("name", ["swap", "Facts", "sudoku"])
def test_unknown_names_are_answered_with_the_nearest(name):
    with pytest.raises(ValueError, match="There is no task"):
        lab.task(name)
    with pytest.raises(ValueError, match="did you mean 'swaps'"):
        lab.task("swap")
    with pytest.raises(ValueError, match="no knob 'cup' .did you mean 'cups'"):
        lab.task("swaps", {"cup": 3})
    with pytest.raises(ValueError, match="steps is 9; it must be between 1 and nodes/2 = 8"):
        lab.task("hops", {"steps": 9})
    assert lab.task("markov", {"orders": [1, 2]}) == Markov(orders=(1, 2))


def test_every_task_builds_with_its_defaults():
    for declared in lab.TASKS:
        assert lab.task(declared.name) == declared()


# --- pattern


def test_facts_are_one_table_and_cases_are_its_exact_expectation():
    task = Facts(keys=512, values=8)
    x, y, level, p = task.cases()
    assert p.sum() == pytest.approx(1) and len({tuple(r) for r in x}) == 512
    table = {tuple(a): b for a, b in zip(x, y[:, -1])}
    bx, by, _ = draw(task)
    assert all(table[tuple(a)] == b for a, b in zip(bx, by[:, -1]))
    marginal = np.bincount(y[:, -1], p, 8)
    by_level = [p[level[:, -1] == k].sum() * task.chance(k).loss for k in task.levels]
    assert sum(by_level) == pytest.approx(-(marginal * np.log(marginal)).sum())
    assert Facts(noise=0.1).cases() is None


def test_the_data_floor_of_facts_is_the_published_figure_and_the_simulated_one():
    assert Facts().data_floor(1.15e6) == pytest.approx(0.0209, abs=2e-4)
    task, rng, draws = Facts(keys=200, values=8), np.random.default_rng(1), 300
    p = task.cases()[3]
    unseen = [p[np.bincount(rng.choice(200, draws, p=p), minlength=200) == 0].sum() for _ in range(400)]
    error = np.std(unseen) / 20 * np.log(8)
    assert task.data_floor(draws) == pytest.approx(np.mean(unseen) * np.log(8), abs=4 * error)
    assert task.data_floor(0) == pytest.approx(np.log(8))
    assert task.data_floor(draws, level=1) < task.data_floor(draws, level=8)


def test_noisy_facts_are_wrong_as_often_as_stated():
    task = Facts(keys=50, values=4, noise=0.3)
    x, y, _ = draw(task, 20000)
    loss = task.bayes(x, y)[:, -1]
    assert (loss > -np.log(0.7) + 1e-9).mean() == pytest.approx(0.3, abs=0.015)
    rest = 0.3 * np.log(0.1) + 0.7 * np.log(0.7)
    assert task.floor(1).loss == pytest.approx(-rest) and task.floor(1).accuracy == pytest.approx(0.7)


def test_markov_entropy_rate_agrees_with_the_eigenvector_of_the_transition_matrix():
    task = Markov(orders=(2,), vocab=4)
    from lawful.lab.tasks_pattern import _chain

    P, pi = _chain(task, 2)
    full = np.zeros((16, 16))
    for s in range(16):
        for v in range(4):
            full[s, (4 * s + v) % 16] = P[s, v]
    values, vectors = np.linalg.eig(full.T)
    exact = np.real(vectors[:, np.argmax(values.real)])
    assert np.allclose(pi, exact / exact.sum(), atol=1e-10)
    x, _, _ = draw(Markov(orders=(2,), vocab=4, steps=8), 60000)
    pairs = np.bincount(x[:, 1] * 4 + x[:, 2], minlength=16) / 60000
    assert np.abs(pairs - pi).max() < 0.01  # the very first pair is already stationary


def test_copy_is_a_string_found_again_by_its_mark():
    task = Copy(string=5)
    x, y, level = draw(task)
    for row in range(200):
        first, second = np.flatnonzero(x[row] == task.vocab)
        assert np.array_equal(x[row, first + 1 : first + 6], y[row, second:])
        assert second - first - 1 - task.string == level[row, -1]


def test_text_is_bytes_of_the_file_with_its_end_held_out():
    task = Text(path=__file__, steps=16)
    whole = Path(__file__).read_bytes()
    x, y, _ = task.held_out(np.random.default_rng(0), 50)
    for a, b in zip(x, y):
        assert bytes(np.r_[a, b[-1]].astype(np.uint8)) in whole[-len(whole) // 10 - 1 :]
    assert "sha256" in task.source and 2 < task.chance(1).loss < np.log(256)
    with pytest.raises(FileNotFoundError, match="no file 'absent.txt'"):
        Text(path="absent.txt").batch(np.random.default_rng(0), 1)


# --- reasoning


def test_swaps_track_a_permutation_and_the_shortcut_is_what_simulation_gives():
    task = Swaps()
    x, y, level = draw(task, 40000)
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]
    for row in range(50):
        place = x[row, 0]
        for t in range(1, 17):
            i, j = pairs[x[row, t] - 5]
            place = {i: j, j: i}.get(place, place)
            assert y[row, t] == place and level[row, t] == t
    for k in (1, 2, 4, 16):
        stays = (y[:, k] == x[:, 0]).mean()
        assert task.chance(k).accuracy == pytest.approx(1 / 5 + 4 / 5 * 0.5**k)
        assert stays == pytest.approx(task.chance(k).accuracy, abs=0.012)


def test_the_scratchpad_shows_the_place_before_each_swap():
    x, y, _ = draw(Swaps(scratchpad=True))
    assert np.array_equal(y[:, 1:-1:2], x[:, 2::2])
    assert {Swaps(scratchpad=True).chance(k).accuracy for k in (1, 7, 16)} == {Swaps().chance(1).accuracy}


@settings(max_examples=15, deadline=None)
@given(st.integers(4, 12), st.integers(0, 99))
def test_hops_are_on_one_cycle_and_never_return(nodes, seed):
    task = Hops(nodes=nodes, steps=nodes // 2)
    x, y, _ = draw(task, 20, seed)
    for row in range(20):
        arrow = dict(zip(x[row, 0 : 2 * nodes : 2], x[row, 1 : 2 * nodes : 2]))
        orbit, here = [], x[row, 2 * nodes]
        for _ in range(nodes):
            here = arrow[here]
            orbit.append(here)
        assert len(set(orbit)) == nodes
        assert np.array_equal(y[row, 2 * nodes :], orbit[: task.steps])
        assert x[row, 2 * nodes] not in orbit[: task.steps]


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 12), st.integers(0, 99))
def test_carry_adds_and_its_level_is_the_chain(base, seed):
    task = Carry(base=base, steps=9)
    x, y, level = draw(task, 50, seed)
    a, b = x[:, 0::3], x[:, 1::3]
    for row in range(50):
        number = sum(int(d) * base**i for i, d in enumerate(a[row] + b[row]))
        for i in range(1, 10):
            assert y[row, 3 * i + 2] == number // base**i % base
            k = 1
            while a[row, i - k] + b[row, i - k] == base - 1:
                k += 1
            assert level[row, 3 * i + 2] == k


def test_carry_cannot_be_guessed_from_fewer_digits():
    task = Carry()
    x, y, level = draw(task, 40000)
    plain = (x[:, 3::3] + x[:, 4::3]) % 10
    for k in (1, 2, 8, 16):
        mine = level[:, 5::3] == k
        assert mine.sum() > 1000
        assert (y[:, 5::3] == plain)[mine].mean() == pytest.approx(0.5, abs=2.5 / np.sqrt(mine.sum()))
    assert task.shortcut(4, seen=4).accuracy == 1 and task.shortcut(5, seen=4).accuracy == 0.5


def test_brackets_match_a_stack_and_every_depth_occurs():
    task = Brackets()
    x, y, level = draw(task)
    assert set(np.unique(level)) == set(range(17))
    for row in range(100):
        stack = []
        for t in range(task.length):
            if x[row, t] < task.types:
                stack.append([x[row, t], 1])
                assert len(stack) <= task.depth
            else:
                kind, height = stack.pop()
                assert y[row, t] == kind and level[row, t] == height
                if stack:
                    stack[-1][1] = max(stack[-1][1], height + 1)


# --- puzzles and choices


def test_there_are_288_grids_and_the_posterior_counts_them():
    grids = sudoku4_grids()
    assert len(grids) == len({tuple(g) for g in grids}) == 288
    task = Sudoku4(clues=4)
    x, y, level = draw(task, 40)
    loss = task.bayes(x, y)
    for row in range(40):
        clue = x[row, :16]
        left = grids[((clue == 4) | (grids == clue)).all(1)]
        truth = np.where(clue < 4, clue, y[row, 16:])
        assert np.allclose(np.exp(-loss[row, 16:]), (left == truth).mean(0))
        assert task.valid(x[[row]], truth[None])[0]
        sure = (level[row, 16:] > 0) & (level[row, 16:] < 9)
        assert ((left == truth).all(0) | ~sure).all()  # what propagation decides is the same in all grids left
    assert not task.valid(x, np.zeros((40, 16), int)).any()


def test_mazes_are_trees_and_the_way_leads_to_the_goal_in_level_steps():
    task = Maze(side=4, longest=8)
    x, y, level = draw(task, 200)
    step = np.array([-4, 1, 4, -1])
    for row in range(200):
        doors = x[row, :16] % 16
        goal = int(np.flatnonzero(x[row, :16] >= 16)[0])
        assert np.bitwise_count(doors).sum() == 2 * 15
        way = {c: y[row, 16 + c] for c in range(16) if level[row, 16 + c]}
        for cell in way:
            assert np.bitwise_count(doors[cell]) > 1
            here = cell
            for _ in range(level[row, 16 + cell]):
                assert doors[here] >> way[here] & 1
                here += step[way[here]]
            assert here == goal


def test_queens_have_the_known_number_of_solutions():
    assert [len(queens_boards(n)) for n in (4, 5, 6, 7, 8)] == [2, 10, 4, 40, 92]
    task = Queens(n=6, hidden=(3, 6))
    assert task.floor(6).loss == pytest.approx(np.log(4) / 6)
    x, y, _ = draw(task, 100)
    answer = np.maximum(y[:, 6:], 0)
    assert task.valid(x, answer).all()
    assert not task.valid(x, np.zeros((100, 6), int)).any()
    assert task.chance(3).loss == pytest.approx(np.log(6) / 3)


def test_colourings_are_proper_and_uniform():
    task = Colouring(nodes=4, edges=(5,))
    x, y, _ = draw(task, 30000)
    colour = y[:, task.pairs :]
    assert task.valid(x, colour).all()
    mine = (x[:, : task.pairs] == x[0, : task.pairs]).all(1)
    _, count = np.unique(colour[mine], axis=0, return_counts=True)
    assert len(count) == 6 and count.std() < 4 * np.sqrt(count.mean())  # K4 minus an edge has 3! colourings
    assert task.floor(5).loss == pytest.approx(np.log(6) / 4)
    with pytest.raises(ValueError, match="no graph of 4 nodes and 6 edges has 3 colours"):
        Colouring(nodes=4, edges=(6,))


def test_composition_shows_every_function_equally_and_holds_the_rest_out():
    task = Composition(coverage=0.25)
    x, y, level, _ = task.cases()
    seen = level[:, -1] == 1
    assert seen.mean() == 0.25
    for column in (0, 1):
        assert set(np.unique(x[seen, column], return_counts=True)[1]) == {0.25 * 16 * 8}
    assert (task.batch(np.random.default_rng(0), 500)[2][:, -1] == 1).all()
    inner = task.constituent()  # the answer depends on (b, x) only through g_b(x)
    answers = {(a, g): v for a, g, v in zip(x[:, 0], inner, y[:, -1])}
    assert all(answers[a, g] == v for a, g, v in zip(x[:, 0], inner, y[:, -1]))
    assert len(answers) == 16 * 8


@pytest.mark.slow
@pytest.mark.parametrize("clues", [4, 6, 8])
def test_sudoku_floor_over_all_puzzles(clues):
    task = Sudoku4(clues=clues)
    x, y, level = draw(task, 20000)
    loss = task.bayes(x, y)
    for k in task.levels:
        mine = level == k
        excess = loss.sum(1, where=mine) - task.floor(k).loss * mine.sum(1)
        assert abs(excess.mean()) < 4 * excess.std() / np.sqrt(len(x)) + 1e-12


@pytest.mark.parametrize("task", [t for t in EVERY if hasattr(t, "answer")], ids=lambda t: t.name)
def test_a_player_who_knows_a_solution_writes_a_valid_one(task):
    x, y, _ = draw(task, 60)
    truth = np.maximum(y, 0)
    assert task.valid(x, task.answer(x, lambda tokens, at: truth[:, at])).all()
    assert not task.valid(x, task.answer(x, lambda tokens, at: 0 * truth[:, at])).all()
    seen = []

    def watch(tokens, at):
        seen.append(tokens.copy())
        return truth[:, at]

    task.answer(x, watch)
    assert np.array_equal(seen[-1], x)  # what was fed back is what the training sequences show
