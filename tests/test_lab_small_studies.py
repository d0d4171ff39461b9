"""Shape, test time, coverage and memory on runs whose laws are known: what was planted is found, the rest is not."""

import json
import subprocess
import sys

import numpy as np
import pytest
from lab_records import record

from lawful.lab.config import key
from lawful.lab.cost import Speed
from lawful.lab.shape import forward_flops
from lawful.lab.sweep import estimate, load
from lawful.studies import load as study_of
from lawful.studies import shipped_runs, sweep_file
from lawful.studies.lab_exponents import over_seeds
from lawful.studies.lab_pairs import paired, pairs_needed
from lawful.studies.lab_runs import lab_runs
from lawful.studies.memory import Arm, dense_equivalent, outside
from lawful.studies.shape_law import best_shape, fitted_law, lack_of_fit, predicted, shape_at_one_budget
from lawful.studies.shape_models import Model
from lawful.studies.testtime_answers import Asked, brown

STUDIES = ("shape", "testtime", "coverage", "memory")
Z0, R0, BITS = 0.2, 1.0, 1.5  # planted: best width / sqrt(N), best MLP / attention, bits per number


def said(study, id):
    return next(one for one in study.statements if one.id == id)


def used(config, rng):
    """A record with what the studies read beyond losses; memory and composition follow the planted laws."""
    made = record(config)
    made |= {"retrieval": [], "probes": [], "forward_flops": forward_flops(config.shape, config.built_task)}
    if config.task == "facts" and config.knobs.get("zipf") == 0:
        _store(made, config, rng)
    elif config.task == "composition":
        accuracy = 0.125 + 0.6 * config.knobs["coverage"] * np.log2(config.shape.width) / 7
        made["levels"][1]["accuracy"] = accuracy + 0.01 * rng.standard_normal()
        made["probes"] = [{"layer": 1, "accuracy": 0.9 + 0.01 * rng.random(), "untrained": 0.5 + 0.01 * rng.random()}]
    elif config.task == "colouring":
        made["solved"] = solved(config, rng)
        made |= {"bound": 1.0, "kl": 0.25} if config.shape.variational else {}
    elif config.task == "swaps" and config.steps == 300:
        z, r = config.shape.width / np.sqrt(config.size.nonembed), config.shape.mlp_ratio / 2
        planted = shape_at_one_budget(z, r, best=1.2, a=0.5, z0=Z0, b=0.2, r0=R0)
        made["loss"] = float(planted * np.exp(0.01 * rng.standard_normal()))
    for n in config.test_loops:
        other = {"loops": n, "forward_flops": forward_flops(config.shape, config.built_task, n)}
        other["solved"] = solved(config, rng) if config.task == "colouring" else None
        shared = {name: made[name] for name in ("levels", "loss", "accuracy", "ece", "n", "bayes_loss", "loss_capped")}
        made["test_loops"].append({**shared, **other, "reach": made["reach"] * n**0.2})
    return made


def _store(made, config, rng):
    keys, top = 1024, np.mean([row["chance_loss"] for row in made["levels"]])
    weight = np.array([min(2 ** (row["level"] - 1), keys) for row in made["levels"]], float)
    for row, w in zip(made["levels"], weight):
        row["weight"] = float(w)
    top = np.average([row["chance_loss"] for row in made["levels"]], weights=weight)
    bits = BITS * config.size.total * np.exp(0.02 * rng.standard_normal())
    made |= {"loss": float(top - bits * np.log(2) / keys), "accuracy": 0.5}
    for entries in config.datastore:
        stored = entries * (config.shape.width + 1)
        loss = float(top - (bits + 0.5 * stored) * np.log(2) / keys)
        extra = {"entries": entries, "numbers": stored, "lookup_flops": 1}
        made["retrieval"].append({**{k: made[k] for k in ("levels", "accuracy", "ece", "n")}, **extra, "loss": loss})


def solved(config, rng):
    """256 puzzles, each solved by an answer with a probability of its own, higher in larger models."""
    p = rng.beta(0.5, 2.0 if config.shape.width < 32 else 0.5, 256)
    if config.shape.variational:
        p = rng.beta(5.0, 1.0, 256)
    right = rng.binomial(config.answers, p)
    greedy = (rng.random(256) < p).astype(int)
    votes = {str(2**i): float(p.mean()) for i in range(int(np.log2(config.answers)) + 1)}
    return {"greedy": float(greedy.mean()), "samples": config.answers, "level": [4, 8] * 128,
            "greedy_right": greedy.tolist(), "right": right.tolist(), "votes": votes}  # fmt: skip


@pytest.fixture(scope="module", params=STUDIES)
def made(request, tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp(request.param), np.random.default_rng(0)
    for config in load(sweep_file(request.param, True)).configs:
        (folder / f"{key(config)}.json").write_text(json.dumps(used(config, rng)))
    return study_of(request.param).study(folder)


def test_what_was_planted_is_found(made):
    if made.name == "coverage":
        for id in ("coverage", "width", "decodable"):
            assert said(made, id).verdict == "supported"
        planted = 0.6 * (0.875 - 0.25)
        assert said(made, "coverage").numbers["estimate"] == pytest.approx(planted, abs=0.03)
    elif made.name == "memory":
        assert said(made, "capacity").numbers["estimate"] == pytest.approx(BITS, rel=0.03)
        assert said(made, "growth").verdict == "supported" and said(made, "loops").verdict == "supported"
        assert said(made, "experts").verdict == "cannot tell"  # each of their parameters holds what a dense one does
        assert said(made, "retrieval").verdict == "contradicted" and said(made, "retrieval_adds").verdict == "supported"
    elif made.name == "shape":
        numbers = said(made, "law").numbers
        assert numbers["z0"] == pytest.approx(Z0, rel=0.1) and numbers["r0"] == pytest.approx(R0, rel=0.4)
        assert said(made, "law").verdict == "supported"
    else:
        assert said(made, "swaps_more").verdict == "supported"
        assert said(made, "ceiling").verdict == "cannot tell"
        assert said(made, "variational").verdict == said(made, "variational_noise").verdict == "supported"
        assert "0.25 nats" in said(made, "variational").text
        assert said(made, "trade").numbers["estimate"] != 0


def test_every_statement_has_a_section_and_nothing_blank(made):
    assert {one.section for one in made.statements} <= set(made.sections)
    assert all("nan" not in one.text for one in made.statements if one.verdict in ("supported", "contradicted"))
    assert made.figures and made.tables and study_of(made.name).check(made)[1]


@pytest.mark.parametrize("name", STUDIES)
def test_sweeps_are_what_they_say(name, tmp_path):
    full, quick = load(sweep_file(name)), load(sweep_file(name, True))
    planned = {key(c) for c in quick.configs}
    assert planned <= {key(c) for c in full.configs}
    assert estimate(quick, tmp_path, speed=Speed()).core_seconds < 400
    assert set(lab_runs(name)["run"]) == planned and shipped_runs(name).stat().st_size < 100_000


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_reports_are_rebuilt_without_pytorch(name, tmp_path):
    code = f"""
from importlib.machinery import PathFinder
found = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.split(".")[0] == "torch" else found(name, *rest)
from lawful.cli import main
main(["study", {name!r}, "--rebuild", "--out", {str(tmp_path)!r}, "--check"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").exists() and (tmp_path / "results.json").exists()


# ---- the statistics


def test_paired_intervals_cover_and_say_how_many_pairs_tell():
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(400):
        base = rng.standard_normal(4)
        one = paired(base + 0.5 + 0.1 * rng.standard_normal(4), base).interval
        inside += one.lower <= 0.5 <= one.upper
    assert 0.92 <= inside / 400 <= 0.98
    n = pairs_needed(np.array([-0.5, 0.0, 1.0, 1.5]))
    sd = np.std([-0.5, 0.0, 1.0, 1.5], ddof=1)
    told = [over_seeds(0.5 + sd * rng.standard_normal(n)).lower > 0 for _ in range(400)]
    assert 0.72 <= np.mean(told) <= 0.9
    assert pairs_needed(np.array([-1.0, 1.0])) == 10_000


def _models(rng, noise=0.01, bend=0.0):
    shapes = [(1, 32, 4), (2, 24, 4), (4, 16, 4), (8, 12, 4), (2, 32, 1), (2, 28, 2), (2, 16, 8), (3, 24, 2)]
    found = []
    for depth, width, ratio in shapes:
        N = depth * (4 + 2 * ratio) * width**2
        z, r = width / np.sqrt(N), ratio / 2
        mean = shape_at_one_budget(z, r, best=1.2, a=0.5, z0=Z0, b=0.2, r0=R0) * (1 + bend * (depth == 4))
        loss = mean * np.exp(noise * rng.standard_normal(4))
        found.append(Model("t", depth, width, ratio, 1, 1, False, N, False, np.arange(4), loss, loss))
    return found


def test_the_law_finds_its_optimum_and_sees_where_it_fails():
    rng = np.random.default_rng(2)
    group = _models(rng, noise=1e-4)
    made = fitted_law(group)
    assert made.values["z0"] == pytest.approx(Z0, rel=0.01) and made.values["r0"] == pytest.approx(R0, rel=0.02)
    depth, width, ratio = best_shape(group, made)
    assert ratio == 2 and width / np.sqrt(depth * 8 * width**2) == pytest.approx(Z0, rel=0.15)
    assert predicted(made, Z0, R0) == pytest.approx(1.2, rel=1e-3)
    assert lack_of_fit(_models(rng, bend=0.1), fitted_law(_models(rng, bend=0.1))) < 0.01


def test_dense_equivalents_are_read_off_the_ladder():
    seeds = np.arange(2)

    def arm(numbers, bits):
        return Arm("dense", "", 1024, 750, 8, numbers, numbers, seeds, np.array([bits, bits]), np.full(2, 0.5))

    ladder = [arm(1000, 1000.0), arm(2000, 2000.0), arm(4000, 3000.0)]
    assert dense_equivalent(arm(1.0, 2000.0), ladder) == pytest.approx([2000, 2000])
    assert dense_equivalent(arm(1.0, 1500.0), ladder) == pytest.approx([1000 * 2**0.5] * 2)
    assert not outside(arm(1.0, 2500.0), ladder) and outside(arm(1.0, 3500.0), ladder)


def test_browns_law_holds_where_it_should_and_fails_where_puzzles_are_alike():
    rng = np.random.default_rng(3)

    def arm(p):
        right = rng.binomial(256, p, (4, 4000))
        return Asked(
            8, 1, 1, 1, 0.0, None, 1e3, 1e3, 256, np.arange(4), np.ones(4), right, np.ones((4, 9)), np.zeros(4)
        )

    alike = brown(arm(np.full(4000, 0.05)))
    assert np.abs(alike.error).mean() > 0.02
    assert arm(np.full(4000, 0.05)).coverage(8).mean() == pytest.approx(1 - 0.95**8, abs=0.005)
    spread = brown(arm(np.exp(-rng.gamma(1.5, 2.0, 4000))))
    assert np.abs(spread.error).mean() < np.abs(alike.error).mean() or spread.residual < alike.residual
    assert (spread.a < 0).all() and (spread.b < 0).all()
