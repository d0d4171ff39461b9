"""What a table of runs is about, from the names of its columns and from what varies with what.

Outcome, rows, groups and axis of scale of a table that nobody has declared. Each guess that leaves rows out is a note.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from lawful.quantities import find

SIZES = ("params", "params_nonembed", "params_active", "params_nonvocab", "params_nominal")
DATA = ("tokens", "examples", "finetune_examples", "steps", "step")
AXES = ("flops", *SIZES, *DATA, "unique_tokens", "characters", "vocab_size", "width", "depth", "x")
_LEVELS = 6  # distinct scales that a group needs to be held out by scale
_SPAN = 0.35  # of the decades of the whole table that a usual group must span; less, and the label names the scale
_WORDS = {
    "accuracy": "acc accuracy em exact_match pass",
    "error": "error err",
    "bpb": "bpb",
    "loss": "loss ce nll xent entropy nats",
    "perplexity": "ppl perplexity",
}
_BAD = re.compile(r"outlier|diverged|excluded|duplicate|failed")
_GOOD = re.compile(r"^(final|finished|converged|complete|completed)$")
_TUNED = ("lr", "batch_tokens", "batch_seqs", "weight_decay", "warmup_steps")
_OURS = ("series", "run", "to_fit")


def outcome(frame: Any) -> str:
    """The column that is predicted: loss by name, else another outcome, else a column that sounds like one."""
    numeric = [c for c, t in frame.schema.items() if t.is_numeric()]
    measured = [(q.column, c) for c in numeric if (q := find(c)) and q.topic == "What is measured"]
    by_name = dict(sorted(measured, key=lambda one: one[0] == one[1]))  # the exact name wins over an alias
    for wanted in ("loss", "bpb", "loss_unigram", "error", "accuracy", "perplexity", "score", "y"):
        if wanted in by_name:
            return by_name[wanted]
    rest = [c for c in numeric if find(c) is None]
    sounding = [c for c in rest if _word(c) and not re.search(r"std|err$|_lo\d*|_hi\d*|lo95|hi95|baseline", c)]
    sounding.sort(key=lambda c: (list(_WORDS).index(_word(c)) if _word(c) != "loss" else -1, "val" not in c, c))
    if sounding:
        return sounding[0]
    if "value" in rest:
        return "value"
    fractions = [c for c in rest if 0 <= (frame[c].min() or 0) and (frame[c].max() or 2) <= 1 and _many(frame[c])]
    if fractions:
        return fractions[0]
    raise ValueError("no column sounds like an outcome (loss, accuracy, error, ...)")


def _many(series: Any) -> bool:
    return series.drop_nulls().n_unique() > 5


def _word(column: str) -> str:
    parts = set(re.split(r"[^a-z]+", column.lower()))
    return next((k for k, words in _WORDS.items() if parts & set(words.split())), "")


def kind(target: str, frame: Any) -> str:
    """The vocabulary's name for an outcome."""
    quantity = find(target)
    if quantity is not None and quantity.topic == "What is measured":
        return quantity.column
    low, high = frame[target].min(), frame[target].max()
    if "metric" in frame.columns and frame["metric"].drop_nulls().n_unique() == 1:
        target = f"{frame['metric'][0]}_{target}"
    word = _word(target)
    if word == "loss" and low <= 0:
        return "loss_unigram"  # the vocabulary's loss that may be negative
    if word:
        return word
    return "accuracy" if 0 <= low and high <= 1 else "score" if low <= 0 else "y"


def rows(frame: Any) -> tuple[Any, list[str]]:
    """Without rows flagged as bad, with those flagged as final alone, of one metric; and what was left out."""
    import polars as pl

    notes = []
    for c, t in frame.schema.items():
        good, bad = _GOOD.search(c.lower()), _BAD.search(c.lower())
        if t != pl.Boolean or c in _OURS or not (good or bad):
            continue
        kept = frame.filter(pl.col(c) if good else ~pl.col(c))
        if 0 < len(kept) < len(frame):
            notes.append(f"{len(frame) - len(kept)} rows left out by {c}")
            frame = kept
    if "metric" in frame.columns and frame["metric"].n_unique() > 1 and "value" in frame.columns:
        most = frame["metric"].cast(pl.String).value_counts(sort=True)["metric"][0]
        frame = frame.filter(pl.col("metric").cast(pl.String) == most)
        notes.append(f"metric {most} alone")
    return frame, notes


def tuned(frame: Any, target: str, kind: str, groups: list[str]) -> tuple[Any, list[str]]:
    """The best setting of each size and length, where a table sweeps learning rates or batches."""
    numeric = [c for c, t in frame.schema.items() if t.is_numeric() and c != target]
    known = {q.column: c for c in numeric if (q := find(c)) and frame[c].n_unique() > 1}
    swept = [c for name, c in known.items() if name in _TUNED]
    cell = [c for name, c in known.items() if name in (*SIZES, "tokens", "step", "flops", "unique_tokens", "experts")]
    if kind not in ("loss", "error", "bpb") or not swept or not cell:
        return frame, []
    best = frame.sort(target).unique([*groups, *cell], keep="first", maintain_order=True)
    if 1.5 * len(best) > len(frame):  # hardly any cell has more than one setting
        return frame, []
    return best, [f"best of {', '.join(swept)} in each of {len(best)} cells"]


def axis(frame: Any, target: str) -> str:
    """The column along which to hold out; compute, or size times data, where size and data vary apart."""
    numeric = [c for c, t in frame.schema.items() if t.is_numeric() and c != target and _varies(frame[c])]
    known = {q.column: c for c in numeric if (q := find(c))}
    sizes, data = ([known[s] for s in names if s in known] for names in (SIZES, DATA))
    apart = next(((a, b) for a in sizes for b in data if not _line(frame[a], frame[b])), None)
    if apart:
        usual = [find(c) for c in apart] == [find("N"), find("D")]
        return known.get("flops", "6ND" if usual else "*".join(apart))
    named = [known[a] for a in AXES if a in known]
    unknown = [c for c in numeric if find(c) is None]
    named += [c for c in unknown if re.search(r"param|token|flop|size|step|sample|example", c.lower())]
    if named:
        return named[0]
    raise ValueError("no column of scale varies (params, tokens, flops, steps, examples, ...)")


def _varies(series: Any) -> bool:
    x = series.drop_nulls().to_numpy().astype(float)
    x = x[np.isfinite(x) & (x > 0)]
    return x.size > 0 and x.max() > 1.5 * x.min()


def _line(a: Any, b: Any) -> bool:
    u, v = (np.asarray(c.to_numpy(), float) for c in (a, b))
    good = np.isfinite(u) & np.isfinite(v) & (u > 0) & (v > 0)
    if good.sum() < 3:
        return True
    with np.errstate(all="ignore"):
        return bool(np.corrcoef(np.log(u[good]), np.log(v[good]))[0, 1] ** 2 > 0.99)


def parts_of(axis: str) -> list[str]:
    """The columns of an axis: "6ND", a product "a*b", or a column, with a minus where smaller is later."""
    return ["params", "tokens"] if axis == "6ND" else axis.removeprefix("-").split("*")


def groups(frame: Any, axis: str, run: str = "") -> list[str]:
    """Columns of labels within which the scale still varies: the settings of which each is extrapolated by itself.

    A label that only names a size (each of its values has one) is none where there are sizes enough for a law in N, nor
    is one whose values span little of the scale.
    """
    import polars as pl

    columns = [c for p in parts_of(axis) if (c := column(frame, p))]
    scale = pl.sum_horizontal(pl.col(c).cast(pl.Float64).log(10) for c in columns)
    frame = frame.with_columns(scale.alias("decades")).filter(pl.col("decades").is_finite())
    whole = (frame["decades"].max() or 0) - (frame["decades"].min() or 0)
    size = next((c for s in SIZES if (c := column(frame, s))), "")
    chosen: list[str] = []
    for c, t in frame.schema.items():
        label = t in (pl.String, pl.Boolean) or (q := find(c)) is not None and q.column == "shots"
        if not label or c in (*_OURS, run) or frame[c].n_unique() < 2:
            continue
        if size and frame[size].n_unique() > 3 and frame.group_by(c).agg(pl.col(size).n_unique())[size].max() == 1:
            continue
        held = frame.group_by([*chosen, c]).agg(
            pl.struct(columns).n_unique().alias("levels"),
            (pl.col("decades").max() - pl.col("decades").min()).alias("span"),
        )
        if held["levels"].median() >= _LEVELS and held["span"].median() >= _SPAN * whole:
            chosen.append(c)
    return chosen


def column(frame: Any, name: str) -> str:
    """The frame's column for a name of the vocabulary, or that column itself."""
    if name in frame.columns:
        return name
    return next((c for c in frame.columns if (q := find(c)) is not None and q.column == name), "")
