"""A row of the table of real fits, and how published values score on the points that we fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

import lawful
from lawful.laws import load


@dataclass(frozen=True)
class Row:
    """A figure as published and as found here. published is nan where none was printed.

    objective: lower is better; "same" where the published values come from the same points, "part" where they come
    from more or other runs than we have, so that ours being lower is no reproach. seconds: CPU of the fit.
    """

    data: str
    what: str
    published: float
    ours: float
    reason: str
    objective: str = ""
    seconds: float | None = None

    @property
    def difference(self) -> float:
        """Relative, nan without a published figure."""
        return (self.ours - self.published) / abs(self.published) if self.published else np.nan

    def line(self) -> str:
        printed = "-" if np.isnan(self.published) else f"{self.published:.6g}"
        apart = f"{self.difference:+.2%}" if np.isfinite(self.difference) else "-"
        better = ""
        if self.objective and self.difference < -1e-4:
            better = " (a better optimum)" if self.objective == "same" else " (lower on these rows)"
        took = f" {self.seconds:.1f} s." if self.seconds is not None else ""
        return f"| {self.data} | {self.what} | {printed} | {self.ours:.6g} | {apart}{better} | {self.reason}{took} |"


def table(rows: list[Row]) -> str:
    head = "| data | figure | published | ours | difference | why |\n| --- | --- | --- | --- | --- | --- |"
    return "\n".join([head, *(row.line() for row in rows)])


def timed(law: Any, runs: Any, **options: Any) -> tuple[lawful.Fit, float]:
    """A fit and its CPU seconds."""
    begin = process_time()
    made = lawful.fit(law, runs, **options)
    return made, process_time() - begin


def objective_at(fit: lawful.Fit, values: Mapping[str, float] | str) -> float:
    """The objective of a fit at other values of its law (a published set by name), on the same points."""
    if isinstance(values, str):
        values = load(fit.law.name).published(values).values
    f = fit.law.at(dict(values), **fit.points.X)
    return float(fit.objective.total(fit.points.y, f, fit.points.w))


def against(
    data: str, what: str, fit: lawful.Fit, values: Any, reason: str, seconds: float | None = None, points: str = "part"
) -> Row:
    """The objective at published values and at our optimum, both on the points of the fit."""
    what = f"{what}: {fit.objective.name} objective, n = {fit.n}"
    return Row(data, what, objective_at(fit, values), fit.F, reason, points, seconds)


def frame(path: Path) -> Any:
    import polars as pl

    return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
