"""Next runs: the design's mathematics against plain matrices, the limits, when to stop, and the bar in known worlds."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import lawful
from lawful.cli import app
from lawful.decisions import best_size, loss_at, near_optimal, number_of, size_at, winner_at
from lawful.design_grid import candidates_for, limits_for
from lawful.design_information import outlook, root_covariance, weights_of
from lawful.designs import ladder, random_design
from lawful.laws.hoffmann import chinchilla, optimal_params
from lawful.next_runs import NextRuns, next_runs, rivals
from lawful.run_files import commands, shell_script, slurm_script, to_csv
from lawful.shapes import Shape, parameters

TRUE = dict(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)
LIKE = Shape(layers=12, width=768, heads=12, vocab=16000, context=1024)


def table(seed: int = 0, sigma: float = 0.005, **changed: float) -> dict[str, np.ndarray]:
    N = np.repeat(np.geomspace(1e7, 1.6e8, 5), 3)
    D = N * np.tile([5.0, 20.0, 80.0], 5)
    noise = sigma * np.random.default_rng(seed).standard_normal(len(N))
    return {"N": N, "D": D, "L": chinchilla.at(TRUE | changed, N=N, D=D) * np.exp(noise)}


SPENT = float((6 * table()["N"] * table()["D"]).sum())


@pytest.fixture(scope="module")
def made() -> lawful.Fit:
    return lawful.fit("chinchilla", table())


@pytest.fixture(scope="module")
def proposed(made) -> NextRuns:
    return next_runs(made, loss_at(1e22), flops=SPENT)


# ---- the decision


@pytest.mark.parametrize("C", [1e18, 1e22, 1e25])
def test_the_best_size_is_the_closed_form(made, C):
    assert best_size(made, C) == pytest.approx(optimal_params(C, made.values), rel=1e-4)


@pytest.mark.parametrize("decision", [size_at(1e22), loss_at(1e22), loss_at(N=7e10, D=1.4e12)], ids=str)
def test_slopes_of_a_decision_are_those_of_the_closed_form(made, decision):
    def number(theta):
        v = dict(zip(made.model.names, made.model.natural(theta)[0]))
        N = decision.N or optimal_params(1e22, v)
        D = decision.D or 1e22 / 6 / N
        return np.log(N if decision.kind == "size" else chinchilla.at(v, N=N, D=D))

    value, slope = number_of(made, decision)
    steps = 1e-5 * np.eye(made.model.size)
    numeric = [(number(made.theta + h) - number(made.theta - h)) / 2e-5 for h in steps]
    assert value == pytest.approx(number(made.theta), abs=1e-4)
    assert slope == pytest.approx(numeric, rel=2e-3, abs=1e-5)


def test_near_optimal_sizes_cost_half_a_percent(made):
    low, high = near_optimal(made, 1e22)
    best = made.predict(N=best_size(made, 1e22), D=1e22 / 6 / best_size(made, 1e22))
    for N in (low, high):
        assert made.predict(N=N, D=1e22 / 6 / N) / best == pytest.approx(1.005, abs=2e-4)


def test_a_law_of_compute_has_no_best_size():
    runs = table()
    runs = {"C": 6 * runs["N"] * runs["D"], "L": runs["L"]}
    one = lawful.fit("power_law_constant_c", runs)
    out = next_runs(one, loss_at(1e22), flops=SPENT)
    assert out.name == "for this decision" and all(r.D == pytest.approx(20 * r.N) for r in out.runs)
    assert max(r.seed for r in out.runs) > 0  # the same run again, where nothing else is of use
    with pytest.raises(ValueError, match="knows compute alone"):
        next_runs(one, size_at(1e22), flops=SPENT)


@pytest.mark.parametrize("wrong", [lambda: loss_at(), lambda: loss_at(1e22, N=1e9, D=1e9), lambda: loss_at(N=1e9)])
def test_a_loss_is_asked_at_a_budget_or_at_a_place(wrong):
    with pytest.raises(ValueError, match="one of the two"):
        wrong()


# ---- the information


def test_what_runs_tell_is_the_inverse_of_the_summed_information(made):
    """The factor after four runs against (M + sum g g' / sigma^2)^-1 written out."""
    menu = candidates_for(limits_for([made], SPENT))
    known = outlook([made], loss_at(1e22), menu.N, menu.D)
    runs = [3, 40, 40, len(menu) - 1]
    from lawful.decisions import log_law

    J = log_law(made, menu.N, menu.D)[1]
    slope = number_of(made, loss_at(1e22))[1]
    root = root_covariance(made)
    M = np.linalg.inv(root.T @ root) + J[:, runs] @ J[:, runs].T / made.sigma**2
    assert known.after(runs).spread == pytest.approx(np.sqrt(slope @ np.linalg.solve(M, slope)), rel=1e-8)
    assert known.spread**2 - known.after([40]).spread ** 2 == pytest.approx(known.gains()[40], rel=1e-8)


def test_the_spread_now_is_that_of_the_covariance(made):
    """The vague prior hardly counts where the runs determine the law."""
    J = lawful.forecast(made, N=7e9, D=1.4e11, method="sandwich", level=0.9)
    known = outlook([made], loss_at(N=7e9, D=1.4e11), np.array([1e7]), np.array([1e9]))
    assert known.half_width(0.9) == pytest.approx(np.log(J.upper[0] / J.lower[0]) / 2, rel=0.35)


def test_laws_that_fit_worse_weigh_less(made):
    others = rivals(made)
    assert {f.law.name for f in others} >= {"chinchilla", "xlstm"}
    w = weights_of([made, *others])
    assert w.sum() == pytest.approx(1) and w.max() == w[0]
    without_E = next(w for f, w in zip([made, *others], w) if f.settings.fixed)
    assert without_E == 0  # the runs show E
    with pytest.raises(ValueError, match="same runs"):
        weights_of([made, lawful.fit("chinchilla", table(1))])


def test_disagreement_between_laws_widens_the_interval(made):
    alone = next_runs(made, loss_at(1e22), SPENT, laws=[])
    rough = lawful.fit("chinchilla", table(), fixed={"E": 1.5})
    both = next_runs(made, loss_at(1e22), SPENT, laws=[rough])
    assert len(alone.laws) == 1
    if len(both.laws) == 2:
        assert both.before.upper / both.before.lower != alone.before.upper / alone.before.lower


# ---- what is proposed


def test_runs_keep_within_all_limits(made):
    asked = dict(run_flops=SPENT / 5, N=(2e7, 5e8), D=(2e8, 1e10), ratio=(4.0, 50.0), most=7, repeats=2)
    out = next_runs(made, size_at(1e23, tolerance=1e-6), SPENT, **asked)
    N, D, C = (np.array([getattr(r, k) for r in out.runs]) for k in ("N", "D", "flops"))
    assert 0 < len(out.runs) <= 7 and out.flops <= SPENT * 1.0001
    assert (6 * N * D).sum() == pytest.approx(out.flops) and C.max() <= SPENT / 5 * 1.0001
    for x, (low, high) in ((N, (2e7, 5e8)), (D, (2e8, 1e10)), (D / N, (4.0, 50.0))):
        assert low * 0.999 <= x.min() and x.max() <= high * 1.001
    assert [r.flops for r in out.runs] == sorted(r.flops for r in out.runs)


def test_the_design_beats_the_standard_ones_and_random_runs(proposed):
    width = {d.name: np.log(d.after.upper / d.after.lower) for d in proposed.designs}
    assert proposed.name == "for this decision"
    assert width["for this decision"] <= min(width.values()) * (1 + 1e-9)
    assert {"ladder of 4 sizes", "random (median of 20)"} <= set(width)
    assert proposed.before.upper - proposed.before.lower > proposed.after.upper - proposed.after.lower


def test_the_same_question_has_the_same_answer(made, proposed):
    assert str(next_runs(made, loss_at(1e22), flops=SPENT)) == str(proposed)


def test_d_optimal_runs_tell_more_of_the_law(made, proposed):
    law = next_runs(made, loss_at(1e22), flops=SPENT, criterion="law", laws=[])
    alone = next_runs(made, loss_at(1e22), flops=SPENT, laws=[])

    def determinant(out):
        N, D = (np.array([getattr(r, k) for r in out.runs]) for k in ("N", "D"))
        known = outlook([made], loss_at(1e22), N, D)
        return np.linalg.slogdet(np.eye(len(known.G)) + known.G @ known.G.T / known.noise[0] ** 2)[1]

    assert determinant(law) > determinant(alone)
    with pytest.raises(ValueError, match="c-optimal"):
        next_runs(made, loss_at(1e22), flops=SPENT, criterion="d")


def test_two_recipes_share_the_budget(made):
    other = lawful.fit("chinchilla", table(1, A=500.0))
    out = next_runs({"old": made, "new": other}, winner_at(1e22), flops=SPENT, most=10)
    assert {r.recipe for r in out.runs} == {"old", "new"} and out.flops <= SPENT * 1.0001
    assert out.probability is not None and 0 < out.probability < 1
    back = next_runs({"new": other, "old": made}, winner_at(1e22), flops=SPENT, most=10)
    assert back.probability == pytest.approx(1 - out.probability, abs=1e-9)
    with pytest.raises(ValueError, match="two fits by name"):
        next_runs(made, winner_at(1e22), flops=SPENT)


def test_fits_that_cannot_be_planned_from_are_named(made):
    both = {k: np.concatenate([v, v]) for k, v in table().items()} | {"family": np.repeat(["x", "y"], 15)}
    grouped = lawful.fit("chinchilla", both, by="family", shared=("alpha", "beta", "E"))
    with pytest.raises(ValueError, match="by family"):
        next_runs(grouped, loss_at(1e22), flops=SPENT)
    with pytest.raises(ValueError, match="variable 'U'"):
        runs = table() | {"U": table()["D"] / np.tile([1.0, 2.0, 4.0], 5)}
        next_runs(lawful.fit("muennighoff", runs), loss_at(1e22), flops=SPENT)


# ---- when to stop


def test_stop_when_enough_is_known(made):
    sure = lawful.fit("chinchilla", table(sigma=1e-4))
    for decision in (size_at(1e22), loss_at(1e21, tolerance=0.01)):
        out = next_runs(sure, decision, flops=SPENT)
        assert out.stop and not out.runs and out.reason.startswith("You know enough")
    far = lawful.fit("chinchilla", table(A=900.0))
    out = next_runs({"A": made, "B": far}, winner_at(1e19), flops=SPENT)
    assert out.stop and "A is the better" in out.reason


def test_stop_when_nothing_affordable_helps(made):
    out = next_runs(made, loss_at(1e24), flops=SPENT / 3000, worth=0.3)
    assert out.stop and not out.runs and "shrink" in out.reason and out.after == out.before


def test_no_more_runs_than_enough(made):
    """With a goal that is easily reached the design stops there, not at the budget."""
    out = next_runs(made, loss_at(1e22, tolerance=0.03), flops=100 * SPENT)
    assert out.flops < 20 * SPENT and "then you know enough" in out.reason
    assert np.log(out.after.upper / out.after.lower) / 2 <= np.log1p(0.03)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (dict(flops=1e10), "smallest run allowed"),
        (dict(flops=-1.0), "flops is -1.0"),
        (dict(flops=SPENT, N=(1e9, 1e7)), "lowest <= highest"),
        (dict(flops=SPENT, N=(1e12, 1e13)), "smallest run allowed"),
        (dict(flops=SPENT, D=(1e8, 1.1e8), ratio=(1000.0, 2000.0)), "smallest run allowed|widen one"),
    ],
)
def test_impossible_limits_are_named(made, limits, says):
    with pytest.raises(ValueError, match=says):
        next_runs(made, loss_at(1e22), **limits)


# ---- what is written


@pytest.fixture(scope="module")
def shaped(made) -> NextRuns:
    return next_runs(made, loss_at(1e22), flops=SPENT, like=LIKE, most=5, N=(2e7, 1e9))


def test_shapes_can_be_built_and_count_as_said(shaped):
    for run in shaped.runs:
        assert run.shape is not None and parameters(run.shape).total == run.N
        assert run.shape.width % 64 == 0 and run.shape.heads * run.shape.head_dim == run.shape.width
        assert 64 / 1.5 <= run.shape.width / run.shape.layers <= 64 * 1.5


def test_the_csv_is_a_table_that_lawful_reads(shaped, tmp_path):
    lines = to_csv(shaped).splitlines()
    losses = ["loss", *("3.0" for _ in shaped.runs)]
    (tmp_path / "done.csv").write_text("\n".join(f"{line},{loss}" for line, loss in zip(lines, losses)))
    runs = lawful.read(tmp_path / "done.csv")
    assert list(runs["N"]) == [r.N for r in shaped.runs] and len(runs) == len(shaped.runs)


def test_scripts_run(shaped, tmp_path):
    script = tmp_path / "runs.sh"
    script.write_text(shell_script(shaped, "echo {N} {D} {layers} {width} {lr} {seed} {name}"))
    said = subprocess.run(["bash", str(script)], capture_output=True, text=True, check=True).stdout.split("\n")
    assert [int(line.split()[0]) for line in said if line] == [round(r.N) for r in shaped.runs]
    array = tmp_path / "array.sh"
    array.write_text(slurm_script(shaped, "echo {D}", time="1:00:00"))
    assert f"#SBATCH --array=1-{len(shaped.runs)}\n" in array.read_text() and "--time=1:00:00" in array.read_text()
    done = subprocess.run(["bash", str(array)], env={"SLURM_ARRAY_TASK_ID": "2"}, capture_output=True, text=True)
    assert done.stdout.strip() == str(round(shaped.runs[1].D))
    assert subprocess.run(["bash", str(array)], env={"SLURM_ARRAY_TASK_ID": "99"}, capture_output=True).returncode == 2


def test_templates_are_checked(proposed, shaped):
    assert "--layers" in commands(shaped)[0] and "--params" in commands(proposed)[0]
    with pytest.raises(ValueError, match="layers.*give like="):
        commands(proposed, "x {layers}")
    with pytest.raises(ValueError, match="tokns"):
        commands(proposed, "x {tokns}")
    with pytest.raises(ValueError, match="template"):
        commands(proposed, "x {N")


def test_on_the_command_line(made, tmp_path):
    lawful.save(made, tmp_path / "fit.json")
    files = {k: str(tmp_path / f"next.{k}") for k in ("csv", "shell", "slurm")}
    more = [x for k, v in files.items() for x in (f"--{k}", v)]
    args = ["plan", "next", str(tmp_path / "fit.json"), "--decide", "loss", "--at", "C=1e22", "--flops", "2e19", *more]
    args += ["--figure", str(tmp_path / "figures")]
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0, done.output
    assert "90% interval" in done.output and "FLOP in all" in done.output
    assert all(Path(file).stat().st_size for file in [*files.values(), tmp_path / "figures" / "next_runs.png"])
    wrong = CliRunner().invoke(app, [*args[:6], "C=1e22,N=3", "--flops", "1e19"])
    assert isinstance(wrong.exception, ValueError) and "--at" in str(wrong.exception)


# ---- parts


def test_ladders_double_and_spend_the_budget(made):
    limits = limits_for([made], SPENT)
    N, D = ladder(limits, 20, 4)
    assert N[:-1] / N[1:] == pytest.approx(2) and D / N == pytest.approx(20)
    assert (6 * N * D).sum() == pytest.approx(SPENT)


def test_random_designs_are_affordable(made, rng):
    limits = limits_for([made], SPENT)
    menu = candidates_for(limits)
    for times in (1, 4):
        design = random_design(rng, menu, limits, times * SPENT)
        assert menu.cost[design].sum() <= times * SPENT * 1.0001 and len(set(design)) == len(design)


@pytest.mark.simulation
@pytest.mark.parametrize("name", ["size", "loss", "winner"])
def test_random_runs_need_twice_the_flop(name):
    """The bar: median over 20 worlds, everything refitted on simulated runs."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
    try:
        from next_runs import multiple  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    found = [multiple(seed, name) for seed in range(20)]
    assert np.median([row["multiple"] for row in found]) >= 2
    assert np.mean([row["random x2"] > row["ours"] for row in found]) > 0.5
