"""Training: reproducible to the bit, scored against floors nobody beats, every option of a run."""

import json
import math

import numpy as np
import pytest

from lawful.lab.config import as_dict, config, from_dict, key
from lawful.lab.measure import Answers, calibration_error, reach, scores, summary
from lawful.lab.tasks import task

SMALL = {"task": "swaps", "width": 8, "depth": 1, "steps": 12, "batch": 16, "eval_sequences": 64}


@pytest.fixture
def train():
    pytest.importorskip("torch", reason="training needs PyTorch: pip install 'lawful[lab]'")
    from lawful.lab.train import train

    return train


def without_measured(record):
    return json.dumps({k: v for k, v in record.items() if k != "measured"}, sort_keys=True)


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"block": "hybrid", "depth": 2},
        {"experts": 2},
        {"loops": 2, "loops_train": [1, 3], "grad_loops": 1, "test_loops": [1, 4]},
        {"cell": "tiny", "segments": 2},
        {"cell": "hierarchical", "noise": 0.1, "samples": 2},
        {"reweight": "hard"},
        {"reweight": "easy", "reweight_closed": True},
        {"reweight": "hard", "reweight_encoder": "frozen", "reweight_keep": 0.5},
        {"members": 2},
        {"segments": 3, "halting": True},
        {"loops": 2, "noise": 0.3, "latent": "variational"},
        {"cell": "tiny", "segments": 2, "loss": "stablemax"},
        {"precision": "bf16"},
        {"unique": 40, "rungs": 2, "schedule": "cosine", "weight_decay": 0.1},
    ],
    ids=lambda e: "-".join(e) or "plain",
)
def test_the_same_config_gives_the_same_bits(train, extra):
    given = config({**SMALL, **extra})
    record = train(given)
    assert record["status"] == "ok" and record["steps"] == 12
    assert without_measured(record) == without_measured(train(given))
    assert without_measured(record) != without_measured(train(config({**SMALL, **extra, "seed": 1})))
    json.dumps(record, allow_nan=False)
    assert record["tokens"] == 12 * 16 * 17
    assert record["flops"] == pytest.approx(given.train_flops)
    assert from_dict(json.loads(json.dumps(record["config"]))) == given


def test_training_learns_and_no_model_beats_its_floor(train):
    knobs = {"orders": [1], "vocab": 4, "sharpness": 3.0}
    record = train(config({"task": "markov", "knobs": knobs, "width": 16, "depth": 1, "steps": 150, "batch": 32}))
    (level,) = record["levels"]
    way = (record["loss"] - record["bayes_loss"]) / (level["chance_loss"] - record["bayes_loss"])
    assert 0 < way < 0.1
    assert record["loss"] > record["bayes_loss"]
    assert level["accuracy"] <= level["floor_accuracy"] + 0.02
    assert record["curve"][-1][1] < 0.7 * record["curve"][0][1]
    assert record["curve"][-1][0] == 150


def test_facts_are_scored_exactly_over_all_keys(train):
    record = train(config({**SMALL, "task": "facts", "knobs": {"keys": 256, "values": 4}}))
    assert record["n"] == 256 and record["weight"] == pytest.approx(1)
    by_level = sum(row["weight"] * row["loss"] for row in record["levels"])
    assert by_level == pytest.approx(record["loss"])
    assert record["loss_capped"] <= math.log(4) + 1e-9


def test_an_mlp_learns_what_it_was_shown_and_is_also_asked_the_rest(train):
    knobs = {"coverage": 0.5, "functions": 4, "values": 4}
    dials = {"block": "mlp", "width": 64, "depth": 2, "steps": 300, "batch": 64}
    record = train(config({"task": "composition", "knobs": knobs, **dials}))
    seen, unseen = record["levels"]
    assert seen["accuracy"] == 1.0 and unseen["accuracy"] < 0.9


@pytest.mark.parametrize("name", ["queens", "colouring", "sudoku4"])
def test_whole_answers_are_checked_for_every_constraint(train, name):
    knobs = {
        "queens": {"n": 5, "hidden": [2]},
        "colouring": {"nodes": 4, "edges": [2]},
        "sudoku4": {"clues": 14},
    }
    given = {**SMALL, "task": name, "knobs": knobs[name], "width": 16, "batch": 32, "answers": 3}
    before, after = (train(config({**given, "steps": n}))["solved"] for n in (1, 60))
    assert after["greedy"] > before["greedy"]
    assert len(after["right"]) == len(after["level"]) == 256 and max(after["right"]) <= after["samples"] == 3
    assert np.mean(after["greedy_right"]) == after["greedy"]
    noisy = train(config({**given, "steps": 5, "noise": 0.5, "loops": 2}))["solved"]
    assert 0 <= np.mean(noisy["right"]) <= 3


def test_levels_can_be_left_out_or_unlocked_one_by_one():
    pytest.importorskip("torch", reason="training needs PyTorch: pip install 'lawful[lab]'")
    from lawful.lab.train import Training

    def levels_asked(step, **extra):
        given = config({**SMALL, **extra})
        training = Training(given, given.built_task)
        training.step = step
        return int((training.asked()[1] >= 0).sum(1).max())

    assert levels_asked(0) == 16
    assert levels_asked(0, max_level=3) == 3
    assert [levels_asked(s, curriculum=0.5) for s in (0, 3, 6, 11)] == [1, 9, 16, 16]
    with pytest.raises(ValueError, match="max_level is 1; task 'queens' has no level below 2"):
        config({"task": "queens", "max_level": 1})


def test_an_ensemble_costs_what_its_members_do_and_answers_with_their_mean(train):
    one, two = (config({**SMALL, "steps": 60, "members": m}) for m in (1, 2))
    assert two.train_flops == 2 * one.train_flops
    alone, both = train(one), train(two)
    assert both["params"] == 2 * alone["params"] and both["state_bytes"] == 2 * alone["state_bytes"]
    other = train(config({**SMALL, "steps": 60, "seed": 100_000}))
    assert both["loss"] < (alone["loss"] + other["loss"]) / 2  # the logarithm is concave
    assert both["curve"] == alone["curve"]


def test_a_halting_head_spends_segments_where_they_are_needed(train):
    given = {
        "task": "swaps",
        "knobs": {"steps": 2},
        "width": 16,
        "depth": 1,
        "batch": 64,
        "segments": 3,
        "halting": True,
    }
    begun, trained = (train(config({**given, "steps": n, "eval_sequences": 256})) for n in (2, 150))
    assert begun["segments_used"] > 2.9  # nothing is known yet, so nothing halts
    assert 1 <= trained["segments_used"] < 2.5 and trained["accuracy"] > begun["accuracy"]
    with pytest.raises(ValueError, match="set segments to 2 or more"):
        config({**given, "segments": 1})


def test_a_frozen_encoder_is_trained_and_paid_for(train):
    own, frozen = (config({**SMALL, "width": 16, "reweight": "hard", "reweight_encoder": e}) for e in ("own", "frozen"))
    assert frozen.encoder is not None and own.encoder is None
    assert (frozen.encoder.shape.width, frozen.encoder.steps) == (8, 6)
    extra = frozen.encoder.train_flops + 12 * frozen.encoder.step_flops / 3
    assert frozen.train_flops == pytest.approx(own.train_flops + extra)
    assert train(frozen)["state_bytes"] > train(own)["state_bytes"]


def test_divergence_is_a_record(train):
    record = train(config({**SMALL, "lr": 1e30, "steps": 200, "clip": 1e30}))
    assert record["status"] == "diverged" and record["loss"] is None and record["levels"] == []
    assert record["steps"] < 200 and record["flops"] < config({**SMALL, "steps": 200}).train_flops
    json.dumps(record, allow_nan=False)


def test_time_running_out_is_a_record_of_what_was_seen(train):
    record = train(config({**SMALL, "steps": 10**6}), seconds=0.3)
    assert record["status"] == "timeout" and 0 < record["steps"] < 10**6 and record["loss"] > 0
    assert record["tokens"] == record["steps"] * 16 * 17


def test_a_fixed_pool_is_seen_in_whole_epochs():
    pytest.importorskip("torch", reason="training needs PyTorch: pip install 'lawful[lab]'")
    from lawful.lab.train import _batches

    given = config({**SMALL, "unique": 20, "batch": 10})
    draw = _batches(given, given.built_task)
    epochs = [np.concatenate([draw()[0], draw()[0]]) for _ in range(3)]
    rows = [sorted(map(tuple, e)) for e in epochs]
    assert rows[0] == rows[1] == rows[2] and not np.array_equal(epochs[0], epochs[1])


@pytest.mark.parametrize(
    ("at", "rate"), [(0.0, 0.2), (0.04, 1.0), (0.05, 1.0), (0.69, 1.0), (0.85, 0.5), (0.99, 1 / 30)]
)
def test_the_rate_warms_up_stays_and_decays(at, rate):
    pytest.importorskip("torch", reason="training needs PyTorch: pip install 'lawful[lab]'")
    from lawful.lab.train import schedule

    assert schedule(config(SMALL), at, 0.01) == pytest.approx(rate)


# Without PyTorch


def test_a_budget_of_flops_sets_the_steps():
    narrow, wide = (config({**SMALL, "width": w, "match_flops": 1e9}) for w in (8, 16))
    assert narrow.n_steps > wide.n_steps
    for c in (narrow, wide):
        assert c.train_flops == pytest.approx(1e9, rel=0.1)
    looped = config({**SMALL, "loops": 4})
    assert looped.size == config(SMALL).size and looped.step_flops > 3.5 * config(SMALL).step_flops
    assert config({**SMALL, "loops": 4, "loops_train": [2, 6]}).step_flops == looped.step_flops


def test_a_key_names_what_a_run_sets_and_nothing_else():
    same = [SMALL, {**SMALL, "warmup": 0.05}, {**SMALL, "knobs": {"cups": 5}}, {**SMALL, "knobs": {}}]
    assert len({key(config(s)) for s in same}) == 1
    other = [
        {**SMALL, "seed": 1},
        {**SMALL, "knobs": {"cups": 6}},
        {**SMALL, "width": 12},
        {**SMALL, "lr": 1e-3},
    ]
    assert len({key(config(s)) for s in [SMALL, *other]}) == 5
    assert from_dict(as_dict(config(other[1]))) == config(other[1])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"widht": 3}, "no setting 'widht' .did you mean 'width'"),
        ({"knobs": {"cpus": 3}}, "no knob 'cpus' .did you mean 'cups'"),
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"reweight": "both"}, "reweight is 'both'; it must be one of None, 'easy', 'hard'"),
        ({"warmup": 0.8}, "two shares 0 or more and together at most 1"),
        ({"match_params": 1e4}, "Give width or match_params, not both"),
    ],
)
def test_wrong_settings_are_named(wrong, words):
    with pytest.raises(ValueError, match=words):
        config({**SMALL, **wrong})


def test_calibration_error_of_known_answers():
    confidence = np.array([0.95, 0.95, 0.65, 0.65])
    right = np.array([1.0, 1.0, 1.0, 0.0])
    assert calibration_error(confidence, right, np.ones(4)) == pytest.approx(0.5 * 0.05 + 0.5 * 0.15)
    assert calibration_error(confidence, right, np.array([1.0, 1, 0, 0])) == pytest.approx(0.05)


def test_a_calibrated_player_has_no_calibration_error():
    rng = np.random.default_rng(0)
    confidence = rng.random(200_000)
    assert calibration_error(confidence, rng.random(200_000) < confidence, np.ones(200_000)) < 0.01


def test_reach_counts_the_levels_solved():
    t = task("swaps", {"steps": 4})
    level = np.repeat([1, 2, 3, 4], 1000)
    chance = np.array([t.chance(k).accuracy for k in (1, 2, 3, 4)])
    for solved in (0, 2, 4):
        right = np.where(level <= solved, 1.0, chance[level - 1])
        n = len(level)
        found = summary(t, Answers(np.zeros(n), right, right, level, np.ones(n), np.zeros(n)))
        assert found["reach"] == pytest.approx(solved)
    assert reach([{"accuracy": 1.0, "chance_accuracy": 0.5}]) is None
    assert scores(Answers(np.full(3, 9.0), *[np.ones(3)] * 2, np.ones(3), np.ones(3), None), 4)["loss_capped"] == (
        pytest.approx(math.log(4))
    )
