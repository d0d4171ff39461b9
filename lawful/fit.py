"""A law and runs make a `Fit`: plain data that says what was found, how it was looked for, and what is doubtful.

fit("chinchilla", runs)                                     # one law
fit("chinchilla", runs, by="family")                        # one fit per family, in one batch
fit("chinchilla", runs, by="family", shared=("alpha", "beta"))  # one fit, exponents in common
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from lawful.batch import joined, problems_of, with_group
from lawful.bind import Model, bind
from lawful.checks import check_fit
from lawful.findings import Finding
from lawful.law import Law
from lawful.laws import load
from lawful.objectives import Objective, objective
from lawful.points import Points, points
from lawful.quantities import find_part
from lawful.search import Search, final, find, find_from, starts_for
from lawful.solve import Problems
from lawful.spread import covariance


@dataclass(frozen=True)
class Settings:
    """What the user asked for: all that is needed to fit the same law again."""

    fixed: Mapping[str, Any] = field(default_factory=dict)
    tied: Mapping[str, str] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    shared: tuple[str, ...] | None = None
    seed: int = 0
    protocol: str = ""
    law_reference: str = ""  # its name, file.py:name, or nothing for a law made in a notebook


@dataclass(frozen=True, repr=False)
class Fit:
    """A fitted law.

    values: the law's arguments. estimates: each free number by name. theta: the same in the search space.
    F: the objective at the optimum. sigma: residual standard deviation with n - p degrees of freedom, in the
    space of the objective (relative for log objectives). covariance (p, p): of the estimates.
    points: the data. search: starts, agreement, other optima. findings: what is doubtful, in words.
    others: laws that share its forecasts, each with its weight (the rest is this law's own), as `choose` found.
    """

    law: Law
    values: Mapping[str, Any]
    estimates: Mapping[str, float]
    theta: np.ndarray
    objective: Objective
    F: float
    sigma: float
    covariance: np.ndarray
    points: Points
    search: Search
    findings: tuple[Finding, ...]
    settings: Settings
    fingerprint: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    others: tuple[tuple[float, Fit], ...] = ()

    @property
    def n(self) -> int:
        return len(self.points)

    @property
    def dof(self) -> int:  # of the residuals, n - p
        return self.n - len(self.estimates)

    @property
    def rss(self) -> float:
        """Weighted sum of squared residuals in the space of the objective."""
        return float((self.points.w * self.residuals**2).sum())

    @cached_property
    def model(self) -> Model:
        return bind_fit(self)

    @cached_property
    def problems(self) -> Problems:
        return problems_of(self.points)

    @cached_property
    def fitted(self) -> np.ndarray:
        """The law's value at each point (n,)."""
        return self.at_points(self.points.X, self.points.group)

    @cached_property
    def residuals(self) -> np.ndarray:
        """Data minus law (n,), in the space of the objective."""
        return self.objective.residuals(self.points.y, self.fitted)

    def at_points(self, X: Mapping[str, np.ndarray], group: np.ndarray | None = None) -> np.ndarray:
        """The law at other points (m,), variables as in ``points.X``; group codes where parameters differ by group."""
        return np.broadcast_to(
            np.asarray(self.model.evaluate(self.theta[None], with_group(X, self.points, group), derivatives=False))[0],
            (np.shape(next(iter(X.values())))[-1],) if X else (self.n,),
        ).copy()

    def predict(self, **variables: Any) -> np.ndarray:
        """The law's value at variables (numbers or arrays that broadcast), without interval: see `forecast`."""
        if self.points.group is not None:
            raise ValueError(f"parameters differ by {self.points.by}: use forecast, which knows the groups")
        return self.law.at(self.values, **variables)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value:.4g}" for name, value in self.estimates.items())
        return f"<Fit of {self.law.name} to {self.n} points: {shown}; print it for intervals and doubts>"

    def __str__(self) -> str:
        from lawful.describe import describe_fit

        return describe_fit(self)


@dataclass(frozen=True)
class Fits(Mapping[str, Fit]):
    """One fit per group of a column: a mapping from the group's label to its `Fit`."""

    by: str
    fits: Mapping[str, Fit]
    failed: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, label: str) -> Fit:
        return self.fits[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fits)

    def __len__(self) -> int:
        return len(self.fits)

    def __str__(self) -> str:
        parts = [f"{self.by} = {label}\n{one}" for label, one in self.fits.items()]
        return "\n\n".join([*parts, *(f"{self.by} = {k}: not fitted: {why}" for k, why in self.failed.items())])


def fit(
    law: Law | str,
    runs: Any,
    *,
    target: str | None = None,
    variables: Mapping[str, Any] | None = None,
    objective: str | Objective | None = None,
    fixed: Mapping[str, Any] | None = None,
    tied: Mapping[str, str] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    by: str | None = None,
    shared: Sequence[str] | None = None,
    starts: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    count: int | None = None,
    seed: int = 0,
    protocol: str | None = None,
) -> Fit | Fits:
    """Fit a law to runs.

    law: a `Law`, a name of the catalogue, ``file.py:law``, or "auto" (chosen by rolling origin, see `choose`).
    runs: `Runs`, what `read` takes (a file, a frame), or a mapping of arrays.
    target: the column predicted (default: what the law predicts).
    variables: the law's variable -> column where the names differ (``{"x": "flops"}``).
    objective: see `objectives.objective`. Default: binomial for accuracies with a column `items`, least squares for
    other accuracies, least squares on the log for everything else.
    fixed, tied, bounds: {"E": 1.69}, {"beta": "alpha"}, {"E": (-inf, inf)}.
    by: a column of groups: one fit for each (`Fits`); with ``shared`` parameters, one `Fit` in which all others differ.
    starts: values to start from instead of the search's own. count: number of the search's starts.
    protocol: fit as a paper did (``"hoffmann2022"``; `protocols.PROTOCOLS` lists them).

    Raises ValueError where the law's variables are not in the table, or there are fewer points than parameters.
    """
    if not (isinstance(runs, Mapping) or hasattr(runs, "frame")):
        from lawful.runs import read

        runs = read(runs, target=target)
    by = by if by is not None else _only(getattr(runs, "by", None))
    if law == "auto":
        from lawful.choose import choose

        asked = {"variables": variables, "fixed": fixed, "tied": tied, "bounds": bounds, "shared": shared,
                 "starts": starts, "count": count, "protocol": protocol}  # fmt: skip
        given = [name for name, value in asked.items() if value is not None]
        if given:
            raise ValueError(f"law='auto' chooses among laws and takes no {', '.join(given)}; name the law to use them")
        return choose(runs, target=target, by=by, objective=objective, seed=seed).fit
    law = load(law) if isinstance(law, str) else law
    if not isinstance(law, Law):
        raise TypeError(f"law is {law!r}; it must be a Law (decorate the function with @lawful.law()), or a name")
    own = next((p.by for p in law.parameters if p.by is not None), None)
    by = by if by is not None else own
    chosen = default_objective(law, runs, target, objective)
    settings = Settings(
        dict(fixed or {}), dict(tied or {}), dict(bounds or {}), tuple(shared) if shared is not None else None,
        seed, protocol or "", reference(law),
    )  # fmt: skip
    data = points(law, runs, target=target, variables=variables, by=by, items=chosen.binomial)
    fingerprint = getattr(runs, "fingerprint", "")
    if protocol:
        if count is not None or starts is not None:
            raise ValueError(f"protocol {protocol!r} has its own starts: leave count and starts out")
        if by:
            raise ValueError(f"a protocol fits one table at a time: select a group of {by} with where=")
        return _fit_by_protocol(protocol, law, data, settings, fingerprint, chosen, objective)
    given = [starts] if isinstance(starts, Mapping) else starts
    if by and shared is None and not own:
        if given is not None:
            raise ValueError("starts are for one fit: select a group with where=, or leave them out")
        return _fit_groups(law, data, chosen, settings, count, fingerprint)
    return fit_sets(law, [data], chosen, settings, given, count, [fingerprint])[0]


def _fit_by_protocol(
    name: str, law: Law, data: Points, settings: Settings, fingerprint: str, default: Objective,
    stated: str | Objective | None,
) -> Fit:  # fmt: skip
    from lawful.protocols import run

    model = bind_points(law, data, settings)
    _check_enough(model, data)
    theta, F, ended, record = run(name, model, problems_of(data), settings.seed, default, stated)
    return assemble(model, theta, F, data, ended, record, settings, fingerprint)


def _only(by: Any) -> str | None:
    if not by:
        return None
    names = [by] if isinstance(by, str) else list(by)
    if len(names) > 1:
        raise ValueError(f"the runs are grouped by {', '.join(names)}; say which of them with by=")
    return names[0]


def reference(law: Law) -> str:
    if law.module.startswith("lawful.laws"):
        return law.name
    path = getattr(getattr(law.function, "__code__", None), "co_filename", "")
    return f"{path}:{law.name}" if path.endswith(".py") else ""


def default_objective(law: Law, runs: Any, target: str | None, given: str | Objective | None) -> Objective:
    """The objective of a fit; any part of a task's column, such as lambada/acc/0, can say what it measures."""
    if given is not None:
        return objective(given)
    quantity = find_part(target or law.predicts)
    if quantity is not None and quantity.kind == "fraction":
        return objective("binomial" if "items" in runs and quantity.symbol == "accuracy" else "lsq")
    name = target if target else (quantity.column if quantity and quantity.column in runs else law.predicts)
    if name in runs and np.nanmin(np.asarray(runs[name], float)) <= 0:
        return objective("lsq")
    return objective("log_lsq")


def bind_fit(fit: Fit, uncentred: Sequence[str] = ()) -> Model:
    """The model of a fit again, with some amplitudes not centred, so that their slots are the parameters alone."""
    return bind_points(fit.law, fit.points, fit.settings, uncentred)


def bind_points(law: Law, data: Points, settings: Settings, uncentred: Sequence[str] = ()) -> Model:
    grouped: tuple[str, ...] = ()
    own = any(p.by is not None and p.name not in settings.fixed for p in law.parameters)
    if data.by and settings.shared is not None:
        taken = {*settings.shared, *settings.fixed, *settings.tied}
        grouped = tuple(p for p in law.parameter_names if p not in taken)
        for name in settings.shared:
            if name not in law.parameter_names:
                raise ValueError(
                    f"shared: law {law.name} has no parameter {name!r}; it has {', '.join(law.parameter_names)}"
                )
    return bind(
        law, data.X, fixed=settings.fixed, tied=settings.tied, bounds=settings.bounds, by=grouped,
        grouping=data.by or None, labels=data.labels if grouped or own else (), uncentred=uncentred,
    )  # fmt: skip


def _fit_groups(
    law: Law, data: Points, chosen: Objective, settings: Settings, count: int | None, fingerprint: str
) -> Fits:
    sets, failed = {}, {}
    assert data.group is not None
    for code, label in enumerate(data.labels):
        one = replace(data.take(np.flatnonzero(data.group == code)), by="", group=None, labels=())
        try:
            _check_enough(bind_points(law, one, settings), one)
            sets[label] = one
        except ValueError as problem:
            failed[label] = str(problem)
    if not sets:
        raise ValueError(f"no group of {data.by!r} can be fitted: {next(iter(failed.values()))}")
    prints = [f"{fingerprint}:{label}" for label in sets]
    try:
        fits = fit_sets(law, list(sets.values()), chosen, settings, None, count, prints)
        return Fits(data.by, dict(zip(sets, fits)), failed)
    except ValueError:  # one group stops the batch: each by itself, so that only that one is named
        made = {}
        for (label, one), its_print in zip(sets.items(), prints):
            try:
                made[label] = fit_sets(law, [one], chosen, settings, None, count, [its_print])[0]
            except ValueError as problem:
                failed[label] = str(problem)
    if not made:
        raise ValueError(f"no group of {data.by!r} can be fitted: {next(iter(failed.values()))}")
    return Fits(data.by, made, failed)


def _check_enough(model: Model, data: Points) -> None:
    if len(data) < model.size:
        raise ValueError(
            f"law {model.law.name} has {model.size} free parameters ({', '.join(model.names)}) but there are "
            f"{len(data)} points: fix or tie some, choose a law with fewer, or add runs"
        )


def fit_sets(
    law: Law, sets: list[Points], chosen: Objective, settings: Settings,
    given: Sequence[Mapping[str, Any]] | None, count: int | None, fingerprints: list[str],
) -> list[Fit]:  # fmt: skip
    """Fit one law to several sets of points in one batch."""
    model = bind_points(law, sets[0] if len(sets) == 1 else joined(sets), settings)
    for one in sets:
        _check_enough(model, one)
        _check_target(law, one, chosen)
    problems = problems_of(*sets)
    if given is not None:
        theta, F, records = find_from(model, problems, chosen, _given_slots(model, given))
    else:
        starts = starts_for(model, problems, chosen, count, settings.seed)
        theta, F, records = find(model, problems, chosen, starts)
    if not np.isfinite(F).all():
        raise ValueError(
            f"law {law.name} is not finite on the points at any start: look for zeros or negative values in "
            f"{', '.join(law.variables)}, or a function of the law that has no value there"
        )
    ended = final(chosen, problems)
    fits = []
    for i, one in enumerate(sets):
        own = bind_points(law, one, settings)
        values = model.natural(theta[i : i + 1])
        fits.append(
            assemble(own, own.search(values)[0], float(F[i]), one, ended, records[i], settings, fingerprints[i])
        )
    return fits


def _check_target(law: Law, data: Points, chosen: Objective) -> None:
    if chosen.log and data.y.min() <= 0:
        row = int(data.rows[data.y.argmin()])
        raise ValueError(
            f"objective {chosen.name} takes logs, but {data.target} is {data.y.min():g} in row {row}: "
            "use an objective on the value (lsq, huber, lad) or correct the row"
        )
    if chosen.binomial and (data.y.min() < 0 or data.y.max() > 1):
        row = int(data.rows[np.argmax(np.abs(data.y - 0.5))])
        raise ValueError(f"the binomial objective takes accuracies between 0 and 1; {data.target} in row {row} is not")


def _given_slots(model: Model, given: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """The user's starts (K, p) in the search space."""
    rows = []
    for one in given:
        missing = [s.name for s in model.slots if s.name not in one]
        if missing:
            raise ValueError(f"starts: a start for {', '.join(missing)} is missing")
        rows.append([float(one[s.name]) for s in model.slots])
    return model.search(np.array(rows))


def assemble(
    model: Model, theta: np.ndarray, F: float, data: Points, ended: Objective, record: Search,
    settings: Settings, fingerprint: str,
) -> Fit:  # fmt: skip
    """The `Fit` of an optimum that some road has found: values, spread, covariance and findings."""
    estimates = dict(zip(model.names, map(float, model.natural(theta[None])[0])))
    spread, sigma = covariance(model, theta, problems_of(data), ended, data.cluster)
    estimates = {name: _snap(model, name, v, data) for name, v in estimates.items()}
    made = Fit(
        model.law, model.rebind(estimates), estimates, theta, ended, F, sigma, spread, data, record, (),
        settings, fingerprint, _versions(),
    )  # fmt: skip
    return replace(made, findings=(*data.findings, *check_fit(made)))


def _snap(model: Model, name: str, value: float, data: Points) -> float:
    """An offset that the walk has driven towards its bound is at the bound: 0, not 1e-130."""
    slot = next(s for s in model.slots if s.name == name)
    near = slot.kind == "above" and not slot.centre and value - slot.lower < 1e-12 * np.median(np.abs(data.y))
    kind = next(p.kind for p in model.law.parameters if p.name == slot.parameter)
    return slot.lower if near and kind == "offset" else value


def _versions() -> dict[str, str]:
    from lawful import __version__

    return {"lawful": __version__, "numpy": np.__version__}
