"""The tables of the study as arrays: the shipped ones, and whatever rows and columns the user adds to them.

A family is rows, a task a column ``name/acc/0`` (task, metric, shots). A table of the user's own is laid over the
shipped one: a row with a known family and size gets its new columns, any other row is a new model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lawful import datasets
from lawful.findings import RunsError

if TYPE_CHECKING:
    import polars as pl

SOURCE, TARGET = "cerebras_gpt", "pythia_v1"  # the study fits the first and predicts the second
KEYS = ("family", "size")


@dataclass(frozen=True)
class Family:
    """Models of one family by size. N, D: nominal parameters and tokens (n,).

    losses: column -> nats per token (n,). accuracies: (task, metric) -> zero-shot fraction (n,).
    What was not published is NaN.
    """

    name: str
    sizes: tuple[str, ...]
    N: np.ndarray
    D: np.ndarray
    steps: np.ndarray
    losses: Mapping[str, np.ndarray]
    accuracies: Mapping[tuple[str, str], np.ndarray]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks with an accuracy (metric ``acc``) for every model."""
        full = [task for (task, metric), x in self.accuracies.items() if metric == "acc" and np.isfinite(x).all()]
        return tuple(full)


def families(data: Any = None) -> dict[str, Family]:
    """The study's two families and those of the user's table, by name.

    data: None, or a table (path, frame or mapping of columns) with the columns family, size, params and any of tokens,
    loss, and ``task/acc/0``. Raises RunsError where family, size or params are missing, and where a row
    would change the study's own models.
    """
    frames = [datasets.load(name).frame for name in (SOURCE, TARGET)]
    if data is not None:
        frames = _laid_over(frames, data)
    found = [_family(part) for frame in frames for part in frame.partition_by("family", maintain_order=True)]
    return {family.name: family for family in found}


def _laid_over(frames: list[pl.DataFrame], data: Any) -> list[pl.DataFrame]:
    from lawful.tables import load

    table = load(data)
    for column in KEYS:
        if column not in table.frame.columns:
            raise RunsError("a table for the study needs family and size", file=table.name, column=column)
    added = [column for column in table.frame.columns if column not in KEYS]
    joined, rest = [], table.frame
    for frame in frames:
        known = rest.join(frame.select(KEYS), on=KEYS, how="semi")
        rest = rest.join(known.select(KEYS), on=KEYS, how="anti")
        clash = [column for column in added if column in frame.columns and known[column].null_count() < known.height]
        if clash:
            raise RunsError(
                f"{known['family'][0]} {known['size'][0]} has a published value of its own",
                file=table.name, column=clash[0], remedy="Give the row another family, or leave the cell empty.",
            )  # fmt: skip
        joined.append(
            frame.join(known.drop(column for column in added if column in frame.columns), on=KEYS, how="left")
        )
    taken = rest.filter(rest["family"].is_in([SOURCE, TARGET]))
    if taken.height:
        raise RunsError(
            f"{taken['family'][0]} has no size {taken['size'][0]} in the study",
            file=table.name, column="size", remedy="Give a new model another family.",
        )  # fmt: skip
    if rest.height and "params" not in rest.columns:
        raise RunsError("a new model needs its number of parameters", file=table.name, column="params")
    return [*joined, rest] if rest.height else joined


def _family(frame: pl.DataFrame) -> Family:
    import polars as pl

    def column(*names: str) -> np.ndarray:
        """The first of these columns that the family has."""
        for name in names:
            if name in frame.columns and frame[name].null_count() < frame.height:
                return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        return np.full(frame.height, np.nan)

    N = column("params_nominal", "params")
    order = np.argsort(N, kind="stable")
    measured = [name.split("/") for name in frame.columns if name.endswith("/0") and name.count("/") == 2]
    return Family(
        name=str(frame["family"][0]),
        sizes=tuple(str(frame["size"][int(i)]) for i in order),
        N=N[order],
        D=column("tokens_nominal", "tokens")[order],
        steps=column("steps")[order],
        losses={name: column(name)[order] for name in ("loss_card", "loss") if name in frame.columns},
        accuracies={(task, metric): column(f"{task}/{metric}/0")[order] for task, metric, _ in measured},
    )
