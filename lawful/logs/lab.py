"""The log of the small-model lab: a folder with one JSON file per run, read as one table of scores.

A record (``KEY.json``) holds ``key``, ``status``, ``config`` (with ``shape`` and ``knobs``), the counts
``params, params_nonembed, params_used, tokens, unique_tokens, flops``, the scores of all answers together and, in
``levels``, of each level, the same after other numbers of loops (``test_loops``) and on the way (``rungs``), whole
answers to puzzles (``solved``) and what was ``measured`` (times, memory, versions). The table has one row per run,
moment and level:

* ``part``: "end", the finished run; "loops", other loops than trained with; "rung", on the way; "retrieval", answers
  looked up among ``entries`` examples, ``stored_numbers`` numbers, at ``lookup_flops`` more for each answer.
* ``level``: 0 for all answers together, otherwise the task's level.
* ``loss, loss_capped, bayes_loss``: nats per answer; of the model, with each answer at log(answers) at most, and of
  the true model on the same answers. ``floor_loss, chance_loss, floor_accuracy, chance_accuracy``: what the task knows
  of the level (level 0: means over the answers), ``data_floor_loss`` the least after so much data, where it knows that.
* ``test_loops``: cycles the model was run for, ``serial``: blocks in sequence, ``step``: training steps done,
  ``forward_flops``: of one pass over one sequence.
* of puzzles ``greedy``, the share that the greedy answer solves, ``tries`` and ``solved``, how many of so many sampled
  answers to each puzzle of the level are right, and ``votes``, the share that the commonest of 1, 2, 4 ... solves (the
  last three on one row for all levels).
* ``probe_1``, ``untrained_1`` ...: what a linear probe of the first hidden layer finds, after and before training.
* ``bound``, ``kl``: of variational latents, the negative lower bound that was minimised and the latents' part of it.
* every setting of the run by its name (``warmup_share`` and ``decay_share`` are shares of the steps, ``loss_function``
  what was minimised), a task's knobs as ``knob_NAME`` and their JSON as ``knobs``.

A loss of exactly 0, every answer certain, is written as 1e-12: laws live on logarithms. A diverged run has one row
without a loss: `lawful.read` drops it and says so.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lawful.findings import RunsError

_SCORES = (
    "loss", "loss_capped", "bayes_loss", "accuracy", "ece", "reach", "n", "weight", "segments_used", "bound", "kl",
    "floor_loss", "chance_loss", "floor_accuracy", "chance_accuracy", "data_floor_loss",
)  # fmt: skip
_COUNTS = ("params", "params_nonembed", "params_used", "tokens", "unique_tokens", "flops", "state_bytes")
_MEASURED = ("cpu_seconds", "train_cpu_seconds", "train_seconds", "tokens_per_second", "peak_memory_bytes")
_STORED = {"entries": "entries", "stored_numbers": "numbers", "lookup_flops": "lookup_flops"}
_FIRST = ("run", "task", "kind", "part", "level", "seed", "status", "step", *_COUNTS, "test_loops", "serial", *_SCORES)
_LEAST = 1e-12  # nats


def records(folder: str | Path) -> list[dict[str, Any]]:
    """Every finished run of a folder, by key. A JSON file that is no run raises RunsError naming it."""
    found = []
    for path in sorted(Path(folder).glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            found.append({**record, "config": record["config"], "key": record["key"]})
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise RunsError(
                f"not the record of a run ({type(error).__name__}: {error})",
                file=path.name,
                remedy=f"Move it out of {folder}.",
            ) from None
    return found


def rows(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row per run, moment and level, as the module says; a diverged run has one row without a loss."""
    table = []
    for record in found:
        shared = _shared(record)
        table += _scored(shared, record, "end")
        table += [row for other in record.get("test_loops", ()) for row in _scored(shared, other, "loops")]
        table += [row for other in record.get("retrieval", ()) for row in _scored(shared, other, "retrieval")]
        table += [row for rung in record.get("rungs", ()) for row in _scored(shared, rung, "rung")]
    return table


def columns(table: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows as columns in a fixed order: what identifies a row and its scores first, settings by name, knobs last."""
    table = list(table)
    names = {name for row in table for name in row}
    rest = sorted(names - set(_FIRST), key=lambda name: (name.startswith("knob"), name))
    ordered = [*(name for name in _FIRST if name in names), *rest]
    return {name: [row.get(name) for row in table] for name in ordered}


def _shared(record: Mapping[str, Any]) -> dict[str, Any]:
    """What all rows of a run have in common."""
    config = dict(record["config"])
    shape, knobs = config.pop("shape"), config.pop("knobs")
    for name in ("test_loops", "datastore"):
        config.pop(name, None)
    for name in ("warmup", "decay"):
        config[f"{name}_share"] = config.pop(name)  # elsewhere these names are counts of steps
    if "loss" in config:  # elsewhere this name is a score
        config["loss_function"] = config.pop("loss")
    for name in ("heads", "kv_heads", "kernel"):
        shape[name] = shape[name] or None  # 0 is "worked out", no count
    settings = {name: _cell(value) for name, value in {**config, **shape}.items()}
    return {
        **settings,
        "run": record["key"],
        "status": record["status"],
        "kind": record["kind"],
        "step": record["steps"],
        **{name: record.get(name) for name in _COUNTS},
        **{name: record["measured"].get(name) for name in _MEASURED},
        "knobs": json.dumps(knobs, sort_keys=True) if knobs else None,
        **{f"knob_{name}": _cell(value) for name, value in knobs.items()},
        **{f"probe_{one['layer']}": one["accuracy"] for one in record.get("probes", ())},
        **{f"untrained_{one['layer']}": one["untrained"] for one in record.get("probes", ())},
    }


def _scored(shared: Mapping[str, Any], scored: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    """Rows of one evaluation: all answers, then level by level."""
    loops = scored.get("loops", shared["loops"] * shared["segments"])
    row = {
        **shared,
        "part": part,
        "test_loops": loops,
        "serial": shared["depth"] * loops * (1 if shared["cell"] == "loop" else shared["inner"] + 1),
    }
    if part == "rung":  # tokens and FLOPs grow with the steps
        done = scored["step"] / max(shared["step"], 1)
        row |= {"step": scored["step"], "tokens": round(shared["tokens"] * done), "flops": shared["flops"] * done}
    if part == "retrieval":
        row |= {name: scored[old] for name, old in _STORED.items()}
    row["forward_flops"] = scored.get("forward_flops")
    solved, levels = scored.get("solved") or {}, scored.get("levels", [])
    table = [{**row, "level": 0, **_answers(solved), **_whole(scored, levels)}]
    for one in levels:
        table.append({**row, **{name: one.get(name) for name in ("level", *_SCORES)}, **_answers(solved, one["level"])})
    for one in table:
        one["loss"] = _LEAST if one["loss"] == 0 else one["loss"]
    return table


def _answers(solved: Mapping[str, Any], level: int = 0) -> dict[str, Any]:
    """Whole answers to the puzzles of a level, 0 for all: share solved greedily, and sampled answers."""
    here = [i for i, k in enumerate(solved.get("level", ())) if level in (0, k)]
    if not here:
        return {}
    found = {"greedy": sum(solved["greedy_right"][i] for i in here) / len(here)}
    if solved["samples"]:
        found |= {"tries": solved["samples"], "solved": _cell([solved["right"][i] for i in here])}
        if level == 0 and "votes" in solved:
            found["votes"] = _cell(list(solved["votes"].values()))
    return found


def _whole(scored: Mapping[str, Any], levels: list[dict[str, Any]]) -> dict[str, Any]:
    """The scores of all answers, with floor and chance as means over the levels asked."""
    found = {name: scored.get(name) for name in _SCORES}
    for name in ("floor_loss", "chance_loss", "floor_accuracy", "chance_accuracy", "data_floor_loss"):
        if levels and all(name in one for one in levels):
            found[name] = sum(one["weight"] * one[name] for one in levels) / sum(one["weight"] for one in levels)
    return found


def _cell(value: Any) -> Any:
    """Lists as text, so that a table can hold them."""
    return " ".join(str(v) for v in value) if isinstance(value, (list, tuple)) else value
