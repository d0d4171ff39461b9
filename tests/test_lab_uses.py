"""What a trained model is asked beyond its loss: whole answers and votes, look-ups, linear probes."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs PyTorch: pip install 'lawful[lab]'")

import torch

from lawful.lab.answer import votes
from lawful.lab.config import config
from lawful.lab.probe import readable
from lawful.lab.retrieve import Datastore
from lawful.lab.train import train
from lawful.logs.lab import rows

PUZZLE = {"task": "colouring", "knobs": {"nodes": 4, "edges": [2, 4]}, "width": 8, "depth": 1, "steps": 20, "batch": 16}


def test_the_commonest_answer_is_taken_and_of_equals_the_first():
    names = np.array([[7, 1], [5, 2], [5, 3], [9, 2]])
    right = np.array([[0, 1], [1, 0], [1, 0], [0, 0]])
    assert votes(names, right) == {"1": 3 / 8, "2": (0 + 1 + 1 + 0) / 4, "4": 0.5}
    assert votes(names[:0], right[:0]) == {}


def test_answers_are_kept_for_every_number_of_loops_and_level():
    given = config({**PUZZLE, "answers": 4, "loops": 2, "test_loops": [1, 4], "eval_sequences": 64})
    table = rows([json.loads(json.dumps(train(given)))])
    assert {(row["part"], row["test_loops"]) for row in table} == {("end", 2), ("loops", 1), ("loops", 4)}
    for part in ("end", "loops"):
        whole, low, high = [row for row in table if row["part"] == part][:3]
        assert (whole["level"], low["level"], high["level"]) == (0, 2, 4)
        counts = [[int(n) for n in row["solved"].split()] for row in (whole, low, high)]
        assert sorted(counts[0]) == sorted(counts[1] + counts[2]) and len(counts[0]) == 256
        share = (len(counts[1]) * low["greedy"] + len(counts[2]) * high["greedy"]) / 256
        assert whole["greedy"] == pytest.approx(share)
        assert float(whole["votes"].split()[0]) == pytest.approx(np.mean(counts[0]) / 4)
        assert low.get("votes") is None
    once, often = (next(r["forward_flops"] for r in table if r["test_loops"] == n) for n in (1, 4))
    assert 3 < often / once < 4


def test_a_datastore_of_everything_answers_everything():
    given = config({"task": "facts", "knobs": {"keys": 64, "zipf": 0.0, "values": 8}, "width": 8, "depth": 1,
                    "steps": 30, "batch": 64, "datastore": [8, 64]})  # fmt: skip
    record = train(given)
    few, all_ = record["retrieval"]
    assert few["entries"] == 8 and few["numbers"] == 8 * 9 and few["lookup_flops"] == 2 * 8 * 8
    assert all_["accuracy"] > 0.9 > record["accuracy"] and all_["loss"] < few["loss"] < record["loss"]
    assert few["accuracy"] <= record["accuracy"] + 8 / 64 + 1e-9
    table = [row for row in rows([record]) if row["part"] == "retrieval" and row["level"] == 0]
    assert [row["entries"] for row in table] == [8, all_["entries"]] and table[0]["stored_numbers"] == 72
    with pytest.raises(ValueError, match="a datastore holds the states of one decoder"):
        config({"task": "facts", "datastore": [8], "members": 2})


def test_the_gate_closes_with_distance():
    kept = Datastore(torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.tensor([1, 2]), strength=0.5, tau=25.0)
    distance, found = kept.nearest(torch.tensor([[0.0, 1.0], [3.0, 4.0]]))
    assert distance.tolist() == [1.0, 0.0] and found.tolist() == [1, 2]
    mixed = kept.mix(torch.full((2, 4), 0.25), torch.tensor([[0.0, 5.0], [3.0, 4.0]]))
    assert mixed.sum(1) == pytest.approx([1.0, 1.0]) and mixed[1, 2] == pytest.approx(0.5 + 0.5 * 0.25)
    assert mixed[0].max() < mixed[1].max()


def test_a_probe_finds_what_is_linear_and_nothing_in_noise():
    rng = np.random.default_rng(0)
    wanted = rng.integers(0, 4, 800)
    seen = np.arange(800) < 400
    layer = np.eye(4)[wanted] @ rng.normal(size=(4, 6)) + 0.01 * rng.normal(size=(800, 6))
    assert readable(layer, wanted, seen) == 1.0
    assert readable(rng.normal(size=(800, 6)), wanted, seen) == pytest.approx(0.25, abs=0.07)


def test_an_mlp_is_probed_before_and_after_training():
    dials = {"block": "mlp", "width": 32, "depth": 2, "steps": 200, "batch": 64}
    record = train(config({"task": "composition", "knobs": {"functions": 4, "values": 4}, **dials}))
    assert [one["layer"] for one in record["probes"]] == [1, 2]
    (row,) = (row for row in rows([record]) if row["level"] == 2)
    assert row["probe_1"] == record["probes"][0]["accuracy"] and 0 <= row["untrained_2"] <= 1
