"""Published runs, typed as facts: each table with its source, licence, traps and published fits.

A CSV file of this folder is a table of models; the TOML file of the same name is its card. Everything is
discovered: **adding a family is a row of data, adding a task a column.** The column ``family`` names the data
set. A column ``piqa/acc/0`` holds an evaluation: task, metric, shots. ``tasks.csv`` gives the number of items
and the accuracy of guessing of every task.

>>> runs = load("cerebras_gpt")                       # one row per model, loss over params, tokens, flops
>>> runs = load("cerebras_gpt", columns={"L": "loss_card"})     # the other published loss
>>> answers = tasks("cerebras_gpt", "pythia_v0")      # one row per model, task, metric and number of shots
"""

import csv
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawful.quantities import did_you_mean, find
from lawful.runs import Runs, read

if TYPE_CHECKING:
    import polars as pl

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Task:
    """A test set: how many items it has, and the accuracy of guessing."""

    name: str
    items: int
    chance: float
    note: str = ""


@dataclass(frozen=True)
class DatasetCard:
    """Where a data set comes from, what its columns mean, and what to beware of."""

    name: str
    title: str
    source: str
    paper: str
    licence: str
    rows: int
    columns: dict[str, str]
    traps: tuple[str, ...]
    published: tuple[str, ...]


def read_tasks() -> dict[str, Task]:
    """The facts about every task, by name."""
    with open(FOLDER / "tasks.csv", encoding="utf-8", newline="") as file:
        return {
            row["task"]: Task(row["task"], int(row["items"]), float(row["chance"]), row["note"])
            for row in csv.DictReader(file)
        }


TASKS: dict[str, Task] = read_tasks()


def names() -> tuple[str, ...]:
    """Every data set that ships."""
    return tuple(name for table in _tables().values() for name in table["family"].unique(maintain_order=True))


def load(*names: str, columns: dict[str, str] | str | None = None, **options: Any) -> Runs:
    """One or several data sets as `Runs`, one row per model; columns and options are those of `lawful.read`.

    What was not published is missing (NaN); `Runs.complete` leaves such rows out. Raises ValueError with the
    nearest name for an unknown data set.
    """
    return read(_models(names), columns, name=" + ".join(names), **{"need": (), **options})


def tasks(*names: str, columns: dict[str, str] | str | None = None, **options: Any) -> Runs:
    """The accuracies of one or several data sets: one row per model, task, metric and number of shots.

    Adds the columns task, metric, shots, accuracy (a fraction), items and chance; grouped by task, metric and
    shots unless ``by`` says otherwise. ``tasks("pythia_v1", where="metric == 'acc' and shots == 0")``
    """
    import polars as pl

    wide = _models(names)
    measured = {column: key for column in wide.columns if (key := _evaluation(column))}
    facts = read_tasks()
    parts = []
    for column, (task, metric, shots) in measured.items():
        if not metric.startswith("acc"):
            continue
        fact = facts.get(task)
        part = wide.drop(measured).with_columns(
            pl.lit(task).alias("task"),
            pl.lit(metric).alias("metric"),
            pl.lit(shots).alias("shots"),
            wide[column].cast(pl.Float64).alias("accuracy"),
            pl.lit(fact.items if fact else None, dtype=pl.Int64).alias("items"),
            pl.lit(fact.chance if fact else None, dtype=pl.Float64).alias("chance"),
        )
        parts.append(part.filter(pl.col("accuracy").is_not_null()))
    options = {"target": "accuracy", "by": ("task", "metric", "shots"), "need": (), **options}
    return read(pl.concat(parts), columns, name=" + ".join(names) + " tasks", **options)


def card(name: str) -> DatasetCard:
    """The card of a data set: what its file's card says, and what its own section adds."""
    stem = _stem(name)
    path = FOLDER / f"{stem}.toml"
    shared = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    own = shared.get("family", {}).get(name, {})
    frame = _models((name,))
    told = {**shared.get("columns", {}), **own.get("columns", {})}
    return DatasetCard(
        name=name,
        title=own.get("title", shared.get("title", name)),
        source="; ".join(text for text in (shared.get("source"), own.get("source")) if text),
        paper=own.get("paper", shared.get("paper", "")),
        licence=own.get("licence", shared.get("licence", "not stated")),
        rows=frame.height,
        columns={column: told.get(column) or _meaning(column) for column in frame.columns},
        traps=(*own.get("traps", ()), *shared.get("traps", ())),
        published=(*own.get("published", ()), *shared.get("published", ())),
    )


def _meaning(column: str) -> str:
    if key := _evaluation(column):
        task, metric, shots = key
        fact = read_tasks().get(task)
        return f"{metric} of {task}, {shots}-shot" + (f"; {fact.items} items, chance {fact.chance:g}" if fact else "")
    quantity = find(column)
    return f"{quantity.meaning}, {quantity.unit}" if quantity else ""


def _evaluation(column: str) -> tuple[str, str, int] | None:
    """``"piqa/acc/0"`` as task, metric and shots; None for any other column."""
    parts = column.split("/")
    return (parts[0], parts[1], int(parts[2])) if len(parts) == 3 and parts[2].isdigit() else None


def _tables() -> dict[str, "pl.DataFrame"]:
    from lawful.tables import load as load_table

    paths = sorted(path for path in FOLDER.glob("*.csv") if path.stem != "tasks")
    return {path.stem: load_table(path).frame for path in paths}


def _stem(name: str) -> str:
    for stem, table in _tables().items():
        if name in table["family"]:
            return stem
    raise ValueError(f"no data set is called {name!r}{did_you_mean(name, list(names()))}")


def _models(chosen: tuple[str, ...]) -> "pl.DataFrame":
    """The rows of these families, without the columns that none of them has."""
    import polars as pl

    if not chosen:
        raise ValueError(f"name at least one data set: {', '.join(names())}")
    tables = _tables()
    parts = [tables[_stem(name)].filter(pl.col("family") == name) for name in chosen]
    frame = pl.concat(parts, how="diagonal_relaxed")
    return frame.select(column for column in frame.columns if frame[column].null_count() < frame.height)
