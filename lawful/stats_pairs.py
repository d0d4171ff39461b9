"""From a long table of scores to paired cells: two systems, the same units, one cell per benchmark and level.

A unit without its partner, a score twice, a column misspelt: each is an error that names the rows. Nothing is
dropped, because a comparison on the rows that happen to match is a comparison of something else.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PairedCell:
    """Both systems' scores (or outputs) on the units of one benchmark and level, in the same order."""

    benchmark: Hashable
    level: Hashable
    units: tuple[Hashable, ...]
    a: NDArray[Any]
    b: NDArray[Any]
    truth: NDArray[Any] | None

    @property
    def name(self) -> str:
        return f"benchmark {self.benchmark!r}" + ("" if self.level is None else f", level {self.level!r}")


def table_columns(table: Any, needed: Mapping[str, str | None]) -> dict[str, list]:
    """Columns of a pandas, polars or pyarrow frame or a mapping of arrays; `needed` is {argument: column or
    None}."""
    if isinstance(table, Mapping):
        available = {str(k): v for k, v in table.items()}
    else:
        import narwhals as nw

        frame = nw.from_native(table, eager_only=True)
        available = {name: frame[name] for name in frame.columns}
    found: dict[str, list] = {}
    for argument, column in needed.items():
        if column is None:
            continue
        if column not in available:
            near = get_close_matches(column, list(available), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{argument}: the table has no column {column!r}; it has {list(available)}.{hint}")
        values = available[column]
        found[argument] = values.tolist() if isinstance(values, np.ndarray) else list(values)
    lengths = {needed[k]: len(v) for k, v in found.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise ValueError(f"The columns must be equally long and not empty; their lengths are {lengths}.")
    return found


def _check_systems(seen: Sequence[Hashable], systems: Sequence[Hashable] | None) -> tuple[Hashable, Hashable]:
    if systems is None:
        systems = list(dict.fromkeys(seen))
    if len(systems) != 2 or systems[0] == systems[1]:
        raise ValueError(f"Two systems are compared; got {list(systems)}. Name the two with systems=(first, second).")
    missing = [s for s in systems if s not in set(seen)]
    if missing:
        raise ValueError(f"systems: {missing[0]!r} is not in the table; it has {list(dict.fromkeys(seen))}.")
    return systems[0], systems[1]


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not np.isfinite(value))


def paired_cells(
    columns: dict[str, list], systems: Sequence[Hashable] | None
) -> tuple[tuple[Hashable, Hashable], list[PairedCell]]:
    """Systems and cells, in order of first appearance; `columns` as `table_columns` gives them.

    Rows of systems that were not asked for are left out only if `systems` names the two.
    """
    first, second = _check_systems(columns["system"], systems)
    rows = len(columns["system"])
    benchmark = columns.get("benchmark", ["all"] * rows)
    level = columns.get("level", [None] * rows)
    truth = columns.get("truth")
    grouped: dict[tuple, dict[Hashable, dict[Hashable, int]]] = {}
    for i, system in enumerate(columns["system"]):
        if system not in (first, second):
            continue
        if _missing(columns["score"][i]):
            raise ValueError(f"score: row {i} is {columns['score'][i]!r}; give every unit a finite score.")
        cell = grouped.setdefault((benchmark[i], level[i]), {first: {}, second: {}})
        unit = columns["unit"][i]
        if unit in cell[system]:
            raise ValueError(
                f"Unit {unit!r} of system {system!r} occurs twice (rows {cell[system][unit]} and {i}) in "
                "benchmark "
                f"{benchmark[i]!r}, level {level[i]!r}. One row per unit: average over seeds first, or "
                "make the seed "
                "the unit."
            )
        cell[system][unit] = i
    return (first, second), [
        _cell(key, by_system[first], by_system[second], columns["score"], truth, (first, second))
        for key, by_system in grouped.items()
    ]


def _cell(
    key: tuple, first: dict, second: dict, score: list, truth: list | None, systems: tuple[Hashable, Hashable]
) -> PairedCell:
    where = f"benchmark {key[0]!r}" + ("" if key[1] is None else f", level {key[1]!r}")
    for has, lacks, name in ((first, second, systems[1]), (second, first, systems[0])):
        alone = [u for u in has if u not in lacks]
        if alone:
            raise ValueError(
                f"{where}: system {name!r} has no score for {len(alone)} unit(s), first {alone[0]!r}. "
                "Paired tests "
                "need both; supply them or remove the unit from both systems."
            )
    if len(first) < 2:
        raise ValueError(f"{where} has 1 unit; at least 2 are needed to know any spread.")
    units = tuple(first)
    i, j = [first[u] for u in units], [second[u] for u in units]
    if truth is not None and any(truth[p] != truth[q] for p, q in zip(i, j)):
        raise ValueError(f"{where}: the truth of a unit differs between the two systems' rows.")
    return PairedCell(
        benchmark=key[0],
        level=key[1],
        units=units,
        a=np.array([score[p] for p in i]),
        b=np.array([score[q] for q in j]),
        truth=None if truth is None else np.array([truth[p] for p in i]),
    )


def check_crossed(cells: Sequence[PairedCell], crossed: bool | None, column: str) -> bool:
    """Whether a unit's label means the same unit in every cell; asked for where labels repeat, never
    guessed."""
    sets = [set(cell.units) for cell in cells]
    repeats = sum(map(len, sets)) > len(set().union(*sets))
    if repeats and crossed is None:
        raise ValueError(
            f"The labels of column {column!r} repeat across benchmarks or levels. Say crossed=True where "
            "a label is "
            "the same unit everywhere (seed 1 is one training run: pooled rows then average within it), or "
            "crossed=False where they are merely numbered anew."
        )
    if crossed and any(s != sets[0] for s in sets):
        uneven = next(cell for cell, s in zip(cells, sets) if s != sets[0])
        raise ValueError(
            f"crossed=True needs every unit in every cell; {uneven.name} has other units than {cells[0].name}."
        )
    return bool(crossed)
