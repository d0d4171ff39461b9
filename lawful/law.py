"""A law is one declaration: a plain function whose signature says everything.

Positional arguments are variables (columns of a table of runs), keyword-only arguments are parameters, and a
parameter's default says what it *means*. From the meaning follow its bounds, its starting values and its place in the
search, so nothing else has to be written. Two laws of the literature in this form::

    @law(kaplan2020, values={"kaplan2020": dict(N_c=8.8e13, alpha=0.076)})
    def kaplan_n(N_nonemb, *, N_c=scale("N_nonemb", "alpha"), alpha=exponent()):
        r'''$L = (N_c / N_{nonemb})^{\\alpha}$'''
        return (N_c / N_nonemb) ** alpha

    @law(hoffmann2022, values={"hoffmann2022_rounded": dict(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)})
    def chinchilla(N, D, *, E=offset(), A=amplitude("N", "alpha"), B=amplitude("D", "beta"),
                   alpha=exponent(), beta=exponent()):
        r'''$L = E + A N^{-\\alpha} + B D^{-\\beta}$'''
        return E + A * N**-alpha + B * D**-beta

A user's own function, decorated in the user's own file, is a law like any other.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from types import MappingProxyType
from typing import Any

import numpy as np

from lawful.quantities import did_you_mean

STATUSES = ("published", "recomputed", "derived", "memory")


@dataclass(frozen=True)
class Paper:
    """Where a law comes from. ``key`` is author and year, as in a bibliography: hoffmann2022."""

    key: str
    authors: str
    title: str
    year: int
    arxiv: str = ""
    venue: str = ""

    def bibtex(self) -> str:
        rows = {
            "author": " and ".join(self.authors.split(", ")),
            "title": f"{{{self.title}}}",
            "year": self.year,
        }
        if self.arxiv:
            rows |= {"eprint": self.arxiv, "archivePrefix": "arXiv"}
        if self.venue:
            rows["note"] = self.venue
        body = ",\n".join(f"  {name} = {{{value}}}" for name, value in rows.items())
        return f"@misc{{{self.key},\n{body}\n}}"


@dataclass(frozen=True)
class Values:
    """One published set of parameter values and the status of its source.

    status: ``published`` (in the paper or its code), ``recomputed`` (fitted again from published data),
    ``derived`` (follows from published numbers) or ``memory`` (not checked against the source).
    ``partial`` sets give some parameters only (an exponent without its scale).
    """

    values: Mapping[str, Any]
    source: str = ""
    status: str = "published"
    partial: bool = False

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __reduce__(self) -> Any:
        return Values, (dict(self.values), self.source, self.status, self.partial)


def values(source: str = "", /, *, status: str = "published", **named: Any) -> Values:
    """A set of values with its source in words: ``values("Table A3", E=1.69, A=406.4)``."""
    return Values(MappingProxyType(named), source, status)


@dataclass(frozen=True)
class Parameter:
    """What a keyword argument of a law means. Made by the functions below, named by the law's signature.

    kind: offset, amplitude, scale, exponent, location, width, share, coefficient.
    lower, upper: the values allowed (open ends where they are 0 or infinite).
    start: the range that random starts are drawn from, where the data give none.
    on, power: the variables that an amplitude, scale or location belongs to, and their exponents.
    size: the array variable along which the parameter has one value per entry.
    by: the grouping column along which it has one value per group.
    """

    kind: str
    lower: float
    upper: float
    start: tuple[float, float] | None = None
    on: tuple[str, ...] = ()
    power: tuple[str, ...] = ()
    size: str | int | None = None
    by: str | None = None
    meaning: str = ""
    name: str = ""

    @property
    def linear_candidate(self) -> bool:
        return self.kind in ("offset", "amplitude", "coefficient")


def _names(x: str | tuple[str, ...]) -> tuple[str, ...]:
    return (x,) if isinstance(x, str) else tuple(x)


def offset(meaning: str = "", *, lower: float = 0.0, upper: float = inf, **more: Any) -> Any:
    """A constant term: between 0 and the level of the data (the loss that no scale removes)."""
    return Parameter("offset", lower, upper, meaning=meaning, **more)


def amplitude(on: str | tuple[str, ...] = (), power: str | tuple[str, ...] = (), meaning: str = "", **more: Any) -> Any:
    """The positive coefficient of a power: A in ``A * N**-alpha`` is ``amplitude("N", "alpha")``.

    For a rising power write the exponent's sign: ``amplitude("D", "-beta")`` is B in ``B * D**beta``.
    """
    more.setdefault("lower", 0.0)
    more.setdefault("upper", inf)
    return Parameter("amplitude", on=_names(on), power=_names(power), meaning=meaning, **more)


def scale(on: str, power: str, meaning: str = "", **more: Any) -> Any:
    """The scale inside a power: N_c in ``(N_c / N)**alpha``. Far outside the data when alpha is small."""
    more.setdefault("lower", 0.0)
    more.setdefault("upper", inf)
    return Parameter("scale", on=(on,), power=(power,), meaning=meaning, **more)


def exponent(meaning: str = "", *, lower: float = 0.0, upper: float = inf, **more: Any) -> Any:
    """The exponent of a power, positive unless ``lower`` says otherwise. Starts: 0.03 to 2.2."""
    more.setdefault("start", (0.03, 2.2) if lower >= 0 else (-2.2, 2.2))
    return Parameter("exponent", lower, upper, meaning=meaning, **more)


def location(on: str, meaning: str = "", **more: Any) -> Any:
    """A place on a variable's axis: a break, a midpoint, a threshold. Starts: the range of the data."""
    more.setdefault("lower", 0.0)
    more.setdefault("upper", inf)
    return Parameter("location", on=(on,), meaning=meaning, **more)


def width(meaning: str = "", *, lower: float = 0.0, upper: float = inf, **more: Any) -> Any:
    """A positive width, sharpness or rate. Starts: 0.05 to 5."""
    more.setdefault("start", (0.05, 5.0))
    return Parameter("width", lower, upper, meaning=meaning, **more)


def share(meaning: str = "", *, lower: float = 0.0, upper: float = 1.0, **more: Any) -> Any:
    """A number between two bounds, 0 and 1 unless said otherwise: a floor, a ceiling, a fraction."""
    return Parameter("share", lower, upper, meaning=meaning, **more)


def coefficient(meaning: str = "", *, lower: float = -inf, upper: float = inf, **more: Any) -> Any:
    """Any real number: the coefficient of a term whose sign the data decide."""
    more.setdefault("start", (-2.0, 2.0))
    return Parameter("coefficient", lower, upper, meaning=meaning, **more)


@dataclass(frozen=True)
class Law:
    """A formula and where it comes from. Made by the decorator `law`; called like the function it wraps.

    ``chinchilla(N, D, E=..., ...)`` evaluates the formula; ``chinchilla.at("hoffmann2022", N=70e9, D=1.4e12)``
    evaluates it with a published set of values (a name, or a dict).
    """

    name: str
    function: Callable[..., Any]
    variables: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    paper: Paper | None = None
    values: Mapping[str, Values] = field(default_factory=dict)
    predicts: str = "L"
    over: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    arrays: tuple[str, ...] = ()
    optimum: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    identified: str = ""
    topic: str = ""
    status: str = "verified"
    aliases: tuple[str, ...] = ()
    module: str = ""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    @property
    def latex(self) -> str:
        """The formula between the dollar signs of the docstring."""
        parts = (self.function.__doc__ or "").split("$")
        return parts[1].strip() if len(parts) > 2 else ""

    @property
    def notes(self) -> tuple[str, ...]:
        """The docstring after the formula, a paragraph or a "Fitted:" or "Trap:" each."""
        paragraphs: list[str] = [""]
        text = inspect.cleandoc(self.function.__doc__ or "")
        after = text.split("$", 2)[2] if text.startswith("$") else text
        for line in after.lstrip(" ,.;").splitlines():
            text = line.strip()
            if not text or text.startswith(("Fitted:", "Trap:")):
                paragraphs.append("")
            paragraphs[-1] = f"{paragraphs[-1]} {text}".strip()
        return tuple(p for p in paragraphs if p)

    def published(self, name: str) -> Values:
        """The published values of that name; raises ValueError with the names there are."""
        if name not in self.values:
            have = did_you_mean(name, list(self.values)) or "; none were published"
            raise ValueError(f"law {self.name} has no values called {name!r}{have}")
        return self.values[name]

    def at(self, values: str | Mapping[str, Any], **variables: Any) -> Any:
        """The prediction at ``variables`` (numbers or arrays that broadcast) with published or given values."""
        named = dict(self.published(values).values if isinstance(values, str) else values)
        missing = [p for p in self.parameter_names if p not in named]
        absent = [v for v in self.variables if v not in variables]
        if missing or absent:
            lacks = ", ".join([*(f"parameter {p}" for p in missing), *(f"variable {v}" for v in absent)])
            raise ValueError(
                f"law {self.name} needs {', '.join(self.variables)} and values for all parameters; missing: {lacks}"
            )
        unknown = [v for v in variables if v not in self.variables]
        if unknown:
            raise ValueError(
                f"law {self.name} has no variable {unknown[0]!r}{did_you_mean(unknown[0], list(self.variables))}"
            )
        points = {v: np.asarray(x, float) for v, x in variables.items()}
        return self.function(*(points[v] for v in self.variables), **{p: named[p] for p in self.parameter_names})

    def __reduce__(self) -> Any:
        # A law found under its own name in its module travels by that name; one from a notebook by value.
        module = sys.modules.get(self.module)
        if self.module != "__main__" and getattr(module, self.name, None) is self:
            return _import_law, (self.module, self.name)
        state = {f: getattr(self, f) for f in self.__dataclass_fields__}
        return _rebuild_law, (state | {"values": dict(self.values)},)


def _import_law(module: str, name: str) -> Law:
    from importlib import import_module

    return getattr(import_module(module), name)


def _rebuild_law(state: dict[str, Any]) -> Law:
    return Law(**state)


def law(
    paper: Paper | None = None,
    values: Mapping[str, Values | Mapping[str, Any]] | None = None,
    **facts: Any,
) -> Callable[[Callable[..., Any]], Law]:
    r"""Declare a law. Every argument is optional: ``@law()`` is enough for a law of one's own.

    paper: the source. values: published parameter sets by name, a dict or `values(source, ...)` each.
    predicts: symbol of what is predicted (default L). over: stated range {variable: (low, high)}.
    arrays: names of variables that hold an array per run (a mixture, a schedule); the law receives it with the
    entries along the first axis, so ``sum(t_i * r_i for t_i, r_i in zip(t, r))`` reads as the formula does.
    optimum: closed forms {symbol: function of the values}. identified: what exact data determine, where that is
    not every parameter by itself. topic: the heading in the catalogue. status: of the form's source.
    aliases: other names that find the law.

    Raises TypeError where an argument is neither a variable nor a parameter with a meaning.
    """

    def declare(function: Callable[..., Any]) -> Law:
        variables, parameters = [], []
        for arg in inspect.signature(function).parameters.values():
            if arg.kind is arg.KEYWORD_ONLY:
                if not isinstance(arg.default, Parameter):
                    raise TypeError(
                        f"law {function.__name__}: parameter {arg.name} needs a meaning as its default, "
                        "one of offset(), amplitude(), scale(), exponent(), location(), width(), share(), coefficient()"
                    )
                parameters.append(replace(arg.default, name=arg.name))
            elif arg.kind is arg.POSITIONAL_OR_KEYWORD and arg.default is arg.empty:
                variables.append(arg.name)
            else:
                raise TypeError(
                    f"law {function.__name__}: argument {arg.name} is neither a variable (positional, without default) "
                    "nor a parameter (after the *)"
                )
        _check_references(function.__name__, variables, parameters)
        sets = {key: _as_values(function.__name__, key, v, parameters) for key, v in (values or {}).items()}
        return Law(
            function.__name__, function, tuple(variables), tuple(parameters), paper,
            MappingProxyType(sets), module=function.__module__, **facts,
        )  # fmt: skip

    return declare


def _check_references(law: str, variables: list[str], parameters: list[Parameter]) -> None:
    names = [p.name for p in parameters]
    for p in parameters:
        for v in p.on:
            if v not in variables:
                raise TypeError(
                    f"law {law}: {p.name} refers to variable {v!r}; the variables are {', '.join(variables)}"
                )
        for e in p.power:
            if e.lstrip("-") not in names and not _is_number(e):
                raise TypeError(f"law {law}: {p.name} refers to exponent {e!r}; the parameters are {', '.join(names)}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _as_values(law: str, key: str, given: Values | Mapping[str, Any], parameters: list[Parameter]) -> Values:
    entry = given if isinstance(given, Values) else Values(MappingProxyType(dict(given)))
    names = [p.name for p in parameters]
    unknown = [n for n in entry.values if n not in names]
    if unknown:
        raise TypeError(f"law {law}, values {key!r}: {unknown[0]} is not a parameter; they are {', '.join(names)}")
    if entry.status not in STATUSES:
        raise TypeError(f"law {law}, values {key!r}: status {entry.status!r} is none of {', '.join(STATUSES)}")
    return replace(entry, partial=len(entry.values) < len(names))
