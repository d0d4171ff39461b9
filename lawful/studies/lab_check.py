"""What every study of the lab must be able to say before its conclusions: floors held, rates tuned, nothing lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lawful.runs import Runs
from lawful.studies.lab_exponents import PLAIN
from lawful.studies.lab_runs import pick, told, values_of
from lawful.studies.parts import Part
from lawful.studies.results import Study

_NEAR = 0.02  # losses within this share of each other are one plateau: seeds alone differ by 1 to 4 per cent


def check(study: Study) -> tuple[tuple[str, ...], bool]:
    """One line for each statement; false where a floor was beaten, since then nothing else holds."""
    lines = tuple(f"{one.verdict:14}{one.id}: {one.text}" for one in study.statements)
    return lines, not any(one.id == "floors" and one.verdict == "contradicted" for one in study.statements)


def settings(runs: Runs, data: Any, seed: int) -> dict[str, Any]:
    """What a study of the lab was made of."""
    import scipy

    from lawful import __version__

    return {
        "runs": len(values_of(runs, "run")),
        "from": "the runs that come with lawful" if data is None else str(data),
        "fingerprint": runs.fingerprint[:16],
        "core_seconds": round(float(pick(runs, part="end", level=0)["cpu_seconds"].sum())),
        "seed": seed,
        "lawful": __version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def validity(runs: Runs, section: str) -> Part:
    """Floors, learning rates, diverged and missing runs."""
    part = Part()
    _floors(part, runs, section)
    _rates(part, runs, section)
    lost = [d for d in runs.dropped if "loss" in d.reason]
    part.say(
        "lost", section,
        f"Of {len(values_of(runs, 'run')) + len(lost)} runs {len(lost)} ended without a loss; every other is in the "
        "tables.",
        "note", diverged=len(lost),
    )  # fmt: skip
    return part


def design(runs: Runs, section: str, planned: int, data: Any, left_out: str) -> Part:
    """Every cell of the design that has runs, and how much of the full design the shipped runs are."""
    part = Part()
    cell = (
        "task", "knobs", "block", "cell", "depth", "loops", "segments", "steps", "lr", "members", "curriculum",
        "reweight", "reweight_encoder", "reweight_closed", "reweight_keep", "reweight_strength", "reweight_temperature",
    )  # fmt: skip
    found = pick(runs, part="end", level=0).frame
    names = [name for name in cell if name in found.columns and found[name].n_unique() > 1]
    lines = []
    for _, group in sorted(found.group_by(names), key=lambda item: tuple(str(v) for v in item[0])):
        row = group.row(0, named=True)
        widths, seeds = (sorted(group[name].unique().to_list()) for name in ("width", "seed"))
        lines.append((*(row[name] for name in names), told(widths), told(seeds), group.height))
    part.table("design", section, "The runs behind this report", (*names, "widths", "seeds", "runs"), lines)
    if data is None:
        share = found.height / planned
        part.say(
            "cut", section,
            f"Of the {planned:,} runs of the full design, {found.height} were made for the table that comes with "
            f"lawful ({share:.0%}): {left_out} The table of runs says which sizes and seeds each cell has; `lawful "
            "study NAME --full` makes all of them.",
            "note", planned=planned, made=found.height,
        )  # fmt: skip
    return part


def _floors(part: Part, runs: Runs, section: str) -> None:
    """No model may beat the true one by more than the sampling of answers allows.

    Accuracy: standard errors above the floor, p (1 - p) / n, Bonferroni over all rows. Loss, against the true model's
    on the same answers: more than 0.01 nats below, several standard errors at the numbers of answers in use.
    """
    from scipy.special import ndtri

    found = pick(runs, part="end")
    frame = found.frame.drop_nulls(["floor_accuracy", "accuracy", "n"])
    p, floor, n = (frame[name].to_numpy().astype(float) for name in ("accuracy", "floor_accuracy", "n"))
    z = (p - floor) / np.sqrt(np.maximum(floor * (1 - floor), 1e-12) / n)
    limit = float(ndtri(1 - 0.05 / len(z)))
    loss = frame.drop_nulls(["bayes_loss", "loss"])
    excess = (loss["loss"] - loss["bayes_loss"]).to_numpy()
    beaten = int((z > limit).sum() + (excess < -0.01).sum())
    verdict = "contradicted" if beaten else "supported"
    part.say(
        "floors", section,
        f"No model beats a computed floor: of {len(z)} accuracies none is above that of the true model by more than "
        f"sampling allows ({limit:.1f} standard errors, family-wise 5 %; the most is {z.max():.1f}), and the least "
        f"loss over the true model's on the same answers is {excess.min():+.4f} nats."
        if not beaten else f"{beaten} scores are better than the true model's: something leaks.",
        verdict, rows=len(z), beaten=beaten, largest_z=float(z.max()), least_excess=float(excess.min()),
    )  # fmt: skip


def _rates(part: Part, runs: Runs, section: str) -> None:
    """Runs that differ in the learning rate alone: is the rate used within one plateau of the best?"""
    found = pick(runs, level=0, **PLAIN)
    same = ["task", "knobs", "block", "cell", "width", "depth", "loops", "segments", "steps", "seed"]
    lines, bad = [], 0
    for _, group in found.frame.group_by([c for c in same if c in found.frame.columns], maintain_order=True):
        if group["lr"].n_unique() < 3:
            continue
        group = group.sort("lr")
        rates, losses = group["lr"].to_list(), group["loss"].to_list()
        best = int(np.argmin(losses))
        used = rates.index(6e-3) if 6e-3 in rates else best
        worse = losses[used] / losses[best] - 1
        inside = 0 < best < len(rates) - 1
        verdict = "tuned" if worse <= _NEAR else f"{worse:.0%} worse than the best"
        bad += worse > _NEAR
        row = group.row(0, named=True)
        shape = f"width {row['width']}, depth {row['depth']}, {row['loops']} loops, {row['cell']}"
        scores = ", ".join(f"{lr:g}: {loss:.4g}" for lr, loss in zip(rates, losses))
        lines.append((row["task"], shape, scores, rates[best], "inside" if inside else "at the edge", verdict))
    if not lines:
        part.say(
            "rates", section, "Learning rates were not tuned in this sweep: the width rule is trusted.", "cannot tell"
        )
        return
    columns = ("task", "shape", "loss by learning rate", "best", "of the grid", "the rate used")
    part.table("rates", section, "Learning rates on the extreme shapes, one seed", columns, lines)
    part.say(
        "rates", section,
        f"On {len(lines) - bad} of {len(lines)} extreme shapes the rate used is within 2 % of the best of its grid"
        + (f"; it is not for {told(str(line[1]) for line in lines if line[5] != 'tuned')}: those runs read as too "
           "weak." if bad else "."),
        "cannot tell" if bad else "supported", shapes=len(lines), mistuned=bad,
    )  # fmt: skip


def gathered(
    name: str, title: str, whole: Part, sections: Sequence[str], headlines: Sequence[str], sources: Sequence[str],
    recorded: dict[str, Any],
) -> Study:  # fmt: skip
    """The study of all its parts. headlines: the statements, by id, that its summary repeats with their verdicts."""
    said = {one.id: one for one in whole.statements}
    return Study(
        name=name,
        title=title,
        summary=tuple(f"{said[id].text} ({said[id].verdict})" for id in headlines if id in said),
        sections=tuple(sections),
        rows=tuple(whole.rows),
        statements=tuple(whole.statements),
        tables=tuple(whole.tables),
        figures=tuple(whole.figures),
        sources=tuple(sources),
        settings=recorded,
    )
