"""The points of a forecast: a table in the user's own words becomes the variables of a fit, and comes back whole."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawful.cli_options import pairs

if TYPE_CHECKING:
    import polars as pl

    from lawful.fit import Fit, Fits
    from lawful.forecast import Forecast
    from lawful.runs import Runs

_ADDED = ("estimate", "lower", "upper", "flag")


def own_columns(made: "Fit | Fits", runs: "Runs") -> "Fit | Fits":
    """The fit with the file's own column names, so that points under these names are found again.

    Beside ``{"N": "n_par"}`` stands ``{"n_par": "params"}``, the canonical column. A column whose unit was converted
    keeps the canonical name alone: under its own name the points would be in the other unit.
    """
    from lawful.fit import Fits

    if isinstance(made, Fits):
        return replace(made, fits={label: own_columns(one, runs) for label, one in made.fits.items()})
    columns = dict(made.points.columns)
    for variable, column in made.points.columns.items():
        canonical = _canonical(column, runs)
        if canonical is None:
            continue
        own = canonical if runs.units.get(canonical, "counts") != "counts" else runs.columns.get(canonical, column)
        columns[variable] = own
        if own != canonical:
            columns[own] = canonical
    return replace(made, points=replace(made.points, columns=columns))


def _canonical(column: Any, runs: "Runs") -> str | None:
    """The column of the checked table that a symbol, a canonical or the file's own name stands for."""
    from lawful.quantities import find

    quantity = find(column) if isinstance(column, str) else None
    if quantity is not None and quantity.column in runs.frame.columns:
        return quantity.column
    return next((c for c, own in runs.columns.items() if own == column), None)


def read_points(
    made: "Fit | Fits", path: Path, columns: str | None, units: str | None
) -> tuple["pl.DataFrame", "Runs"]:
    """The table as it is, and the same under the vocabulary's names, each variable checked for usable values.

    A variable is found under its symbol, its canonical column, or the column it had when the law was fitted.
    Raises RunsError naming file, row and column.
    """
    from lawful.fit import Fits
    from lawful.runs import Runs
    from lawful.runs_columns import convert_units, make_numeric, map_columns, parse_mapping
    from lawful.tables import load

    table = load(path)
    fits = list(made.values()) if isinstance(made, Fits) else [made]
    explicit = parse_mapping(columns)
    for one in fits:
        explicit = _remembered(one, table.frame.columns) | explicit
    mapped, named, _ = map_columns(table, explicit)
    mapped, _, _ = convert_units(make_numeric(mapped, named), named, pairs("--units", units))
    points = Runs(mapped.frame, mapped.rows, table.name, named, place=table.place)
    for one in fits:
        points = _with_canonical(one, points)
    _check(fits, points)
    return table.frame, points


def _remembered(fit: "Fit", columns: list[str]) -> dict[str, str]:
    """Symbol -> the column it had at fitting, where the points have that column and not the symbol's own."""
    from lawful.quantities import find

    out = {}
    for variable in fit.law.variables:
        quantity, own = find(variable), fit.points.columns.get(variable)
        if quantity is not None and isinstance(own, str) and own in columns:
            if not {quantity.symbol, quantity.column} & set(columns):
                out[quantity.symbol] = own
    return out


def _with_canonical(fit: "Fit", points: "Runs") -> "Runs":
    """The points with each variable that they have only under the canonical column of the runs (x as params)."""
    columns = fit.points.columns
    for variable in fit.law.variables:
        own = columns.get(variable)
        canonical = columns.get(own) if isinstance(own, str) else None
        if canonical is not None and variable not in points and own not in points and canonical in points:
            points = replace(points, frame=points.frame.with_columns(points.frame[canonical].alias(variable)))
    return points


def _check(fits: list["Fit"], points: "Runs") -> None:
    """Each variable is there, finite, and positive where it is a size."""
    import numpy as np

    from lawful.findings import RunsError
    from lawful.quantities import did_you_mean, find

    if not len(points):
        raise RunsError("the table has a header and 0 rows", file=points.source, remedy="Write one row per point.")
    for fit in fits:
        for variable in fit.law.variables:
            own = fit.points.columns.get(variable, variable)
            column = next((c for c in (variable, own) if isinstance(c, str) and c in points), None)
            quantity = find(variable)
            if column is None and isinstance(own, str):
                tried = dict.fromkeys([variable, quantity.column if quantity else variable, own])
                near = did_you_mean(own, points.frame.columns)
                raise RunsError(
                    f"law {fit.law.name} needs {variable}, and there is no column {' or '.join(tried)}{near}",
                    file=points.source, remedy=f"Rename it, or say --columns {variable}=COLUMN",
                )  # fmt: skip
            if column is None or variable in fit.law.arrays:
                continue
            values = np.asarray(points[column])
            numeric = values.dtype.kind == "f"
            for i, value in enumerate(values):
                usable = numeric and np.isfinite(value) and not (quantity and quantity.positive and value <= 0)
                if not usable:
                    said = "a missing value" if value is None or value != value else f"{value}"
                    raise RunsError(
                        f"{said} cannot be forecast at", file=points.source,
                        row=points.at(i), column=column, allowed="finite numbers, above 0 where a size is meant",
                    )  # fmt: skip


def with_forecast(table: "pl.DataFrame", found: "Forecast") -> "pl.DataFrame":
    """The points' columns as they came, then estimate, lower, upper and flag."""
    import polars as pl

    taken = [name for name in _ADDED if name in table.columns]
    if taken:
        raise ValueError(f"the points have columns {', '.join(taken)} already, which forecast adds: rename them")
    new = [pl.Series(name, getattr(found, name)) for name in _ADDED[:3]]
    return table.with_columns(*new, pl.Series("flag", list(found.flag), dtype=pl.String))
