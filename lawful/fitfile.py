"""A fit as a file: JSON out, JSON in, and the same forecasts to the last bit.

save(fit, "fit.json")
fit = load_fit("fit.json")

The file holds the points, so that forecasting needs no table of runs, and the law by reference: its name in the
catalogue, or the user's file and the name in it (as seen from the fit file, so that both can move together). Loading
evaluates the law again and refuses a law that is no longer the one that was fitted. The same fit gives the same bytes:
keys are sorted, floats are written by repr, and nothing says when it was written. Nan is null, infinity is "inf".
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lawful.files import write_text
from lawful.findings import Finding
from lawful.fit import Fit, Fits, Settings, bind_fit
from lawful.law import Law
from lawful.laws import load
from lawful.objectives import Objective
from lawful.points import Points
from lawful.search import Search

_ONE, _MANY = "lawful fit 1", "lawful fits 1"
_STRICT = {"extra": "forbid"}  # a field that nobody knows is a mistake
_SAME = 1e-9  # relative difference of the objective up to which the law is the one that was fitted


@dataclass(frozen=True)
class _Law:
    __pydantic_config__ = _STRICT

    name: str
    reference: str
    formula: str
    variables: tuple[str, ...]
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class _Points:
    __pydantic_config__ = _STRICT

    X: dict[str, list[float] | list[list[float]]]
    y: list[float]
    w: list[float]
    rows: list[int]
    target: str
    columns: dict[str, str | list[str]]
    group: list[int] | None
    labels: tuple[str, ...]
    by: str
    cluster: list[int] | None
    items: list[float] | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Fit:
    __pydantic_config__ = _STRICT

    format: Literal["lawful fit 1"]
    law: _Law
    values: dict[str, Any]
    estimates: dict[str, float]
    theta: list[float]
    objective: Objective
    F: float
    sigma: float | None
    covariance: list[list[float | None]]
    points: _Points
    search: Search
    findings: tuple[Finding, ...]
    settings: Settings
    fingerprint: str
    versions: dict[str, str]
    others: tuple[tuple[float, _Fit], ...] = ()


@dataclass(frozen=True)
class _Fits:
    __pydantic_config__ = _STRICT

    format: Literal["lawful fits 1"]
    by: str
    fits: dict[str, _Fit]
    failed: dict[str, str]


def save(fit: Fit | Fits, path: str | Path) -> Path:
    """Write a fit, or one fit per group, as JSON; returns the path written."""
    folder = Path(path).resolve().parent
    return write_text(path, to_json(fit, folder))


def to_json(fit: Fit | Fits, folder: Path | None = None) -> str:
    """The text of a fit file. folder: where it will lie, from which a law in the user's file is named."""
    folder = Path.cwd() if folder is None else folder
    if isinstance(fit, Fits):
        fits = {label: plain(_stored(one, folder)) for label, one in fit.fits.items()}
        data = {"format": _MANY, "by": fit.by, "fits": fits, "failed": dict(fit.failed)}
    else:
        data = plain(_stored(fit, folder))
    return json.dumps(data, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def load_fit(path: str | Path, law: Law | None = None) -> Fit | Fits:
    """Read a fit file. law: the law itself, needed where it was made in a notebook and has no file.

    A law in a user's file is run to be read: load only what you would run. Raises FileNotFoundError for a missing file
    or law file, ValueError naming file, field and value for a file that is no fit, or whose law has changed since.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no fit file {path}; `lawful fit RUNS --out {path}` writes one")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as problem:
        raise ValueError(f"{path} is not JSON ({problem}); {_REMEDY}") from None
    stored = _validated(path, data)
    if isinstance(stored, _Fits):
        return Fits(stored.by, {k: _restored(path, one, law) for k, one in stored.fits.items()}, stored.failed)
    return _restored(path, stored, law)


_REMEDY = "write it again with `lawful fit RUNS --out FILE` or fitfile.save"


def plain(x: Any) -> Any:
    """What JSON can hold: numbers, text, lists and dicts of them; nan as None, infinity as text ("inf", "-inf")."""
    if isinstance(x, Mapping):
        return {str(k): plain(v) for k, v in x.items()}
    if isinstance(x, np.ndarray):
        return plain(x.tolist())
    if isinstance(x, list | tuple):
        return [plain(v) for v in x]
    if isinstance(x, np.generic):
        x = x.item()
    if isinstance(x, float) and not np.isfinite(x):
        return None if np.isnan(x) else repr(x)
    return x


def _stored(fit: Fit, folder: Path) -> dict[str, Any]:
    law, p = fit.law, fit.points
    return {
        "format": _ONE,
        "law": asdict(_Law(
            law.name, _portable(fit.settings.law_reference, folder), law.latex, law.variables, law.parameter_names
        )),
        "values": fit.values,
        "estimates": fit.estimates,
        "theta": fit.theta,
        "objective": asdict(fit.objective),
        "F": fit.F,
        "sigma": fit.sigma,
        "covariance": fit.covariance,
        "points": {name: getattr(p, name) for name in _names(_Points)} | {"findings": _dicts(p.findings)},
        "search": asdict(fit.search),
        "findings": _dicts(fit.findings),
        "settings": {name: getattr(fit.settings, name) for name in _names(Settings)} | {"law_reference": ""},
        "fingerprint": fit.fingerprint,
        "versions": fit.versions,
    } | ({"others": [[w, _stored(one, folder)] for w, one in fit.others]} if fit.others else {})  # fmt: skip


def _names(kind: type) -> list[str]:
    return [f.name for f in fields(kind)]


def _dicts(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [asdict(f) for f in findings]


def _portable(reference: str, folder: Path) -> str:
    """A file's law as seen from the fit file; nothing where the file is not there (a notebook's cell)."""
    path, colon, name = reference.rpartition(":")
    if not colon:
        return reference
    if not Path(path).is_file():
        return ""
    try:
        seen = os.path.relpath(Path(path).resolve(), folder)
    except ValueError:  # another drive
        seen = str(Path(path).resolve())
    return f"{Path(seen).as_posix()}:{name}"


def _validated(path: Path, data: Any) -> _Fit | _Fits:
    from pydantic import TypeAdapter, ValidationError

    said = data.get("format") if isinstance(data, dict) else None
    if said not in (_ONE, _MANY):
        what = f"its format is {said!r}" if said else "it has no field 'format'"
        newer = isinstance(said, str) and said.startswith("lawful fit")
        remedy = "it was written by another version of lawful: use that one, or fit again" if newer else _REMEDY
        raise ValueError(f"{path} is not a fit file ({what}; allowed: {_ONE!r} or {_MANY!r}): {remedy}")
    kind = _Fit if said == _ONE else _Fits
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as problem:
        first, more = problem.errors()[0], problem.error_count() - 1
        field = ".".join(str(part) for part in first["loc"] if not str(part).startswith(("list[", "function-")))
        seen = "" if first["type"] == "missing" else f" (value {_short(first['input'])})"
        others = f" and {more} more fields" if more else ""
        what = first["msg"].lower().split(" or an instance of ")[0]
        raise ValueError(f"{path}: field {field!r}{others}: {what}{seen}; {_REMEDY}") from None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _restored(path: Path, stored: _Fit, law: Law | None) -> Fit:
    law = _law(path, stored, law)
    p = stored.points
    if set(p.X) != set(law.variables) or set(stored.values) != set(law.parameter_names):
        raise ValueError(
            f"{path}: law {law.name} takes {', '.join((*law.variables, *law.parameter_names))}, but the file was "
            f"fitted with {', '.join((*stored.law.variables, *stored.law.parameters))}: fit again"
        )
    points = Points(
        {v: np.array(p.X[v], float) for v in law.variables}, np.array(p.y, float), np.array(p.w, float),
        np.array(p.rows, int), p.target, p.columns, None if p.group is None else np.array(p.group, int), p.labels,
        p.by, None if p.cluster is None else np.array(p.cluster, int),
        None if p.items is None else np.array(p.items, float), p.findings,
    )  # fmt: skip
    _check_lengths(path, points)
    settings = replace(stored.settings, law_reference=_local(path, stored.law.reference))
    values = {name: _number(stored.values[name]) for name in law.parameter_names}
    fit = Fit(
        law, values, stored.estimates, np.array(stored.theta, float), stored.objective, stored.F,
        _nan(stored.sigma), np.array([[_nan(c) for c in row] for row in stored.covariance], float).reshape(
            len(stored.covariance), -1), points, stored.search, stored.findings, settings, stored.fingerprint,
        stored.versions,
    )  # fmt: skip
    others = tuple((w, _restored(path, one, None)) for w, one in stored.others)
    return replace(_checked(path, fit), others=others)


def _law(path: Path, stored: _Fit, law: Law | None) -> Law:
    if law is not None:
        return law
    if not stored.law.reference:
        raise ValueError(
            f"{path}: law {stored.law.name} was made in a session and has no file: pass it, load_fit(path, law=...), "
            "or declare it in a file and fit again"
        )
    return load(_local(path, stored.law.reference))


def _local(path: Path, reference: str) -> str:
    """A law's file as seen from here: beside the fit file, or as written."""
    file, colon, name = reference.rpartition(":")
    return f"{path.resolve().parent / file}:{name}" if colon else reference


def _check_lengths(path: Path, points: Points) -> None:
    n = len(points.y)
    sizes = {f"X.{v}": x.shape[-1] for v, x in points.X.items()}
    sizes |= {
        a: len(getattr(points, a)) for a in ("w", "rows", "group", "cluster", "items") if getattr(points, a) is not None
    }
    for name, size in sizes.items():
        if size != n:
            raise ValueError(f"{path}: field 'points.{name}' has {size} entries for {n} points; {_REMEDY}")


def _checked(path: Path, fit: Fit) -> Fit:
    """The fit with its estimates in the law's order, if the law still gives the objective that the file states."""
    model = bind_fit(fit)
    if set(model.names) != set(fit.estimates) or len(fit.theta) != model.size != 0:
        raise ValueError(
            f"{path}: field 'estimates' has {', '.join(fit.estimates)}, but law {fit.law.name} has the free numbers "
            f"{', '.join(model.names)}; fit again"
        )
    if fit.covariance.shape != (model.size, model.size):
        raise ValueError(f"{path}: field 'covariance' must be {model.size} x {model.size}; {_REMEDY}")
    fit = replace(fit, estimates={name: fit.estimates[name] for name in model.names})
    now = float(fit.objective.total(fit.points.y, fit.fitted, fit.points.w))
    if not abs(now - fit.F) <= _SAME * abs(fit.F) + 1e-15:
        raise ValueError(
            f"{path}: law {fit.law.name} gives the objective {now:.10g} at these values, the file says {fit.F:.10g}: "
            "the law or the file has changed since the fit; fit again"
        )
    return fit


def _nan(x: float | None) -> float:
    return np.nan if x is None else x


def _number(x: Any) -> Any:
    """A value of the law's argument as the fit had it: entries of an array in a tuple."""
    if isinstance(x, dict):
        return {label: _number(v) for label, v in x.items()}
    if isinstance(x, list):
        return tuple(map(_number, x))
    return x if x is None else float(x)
