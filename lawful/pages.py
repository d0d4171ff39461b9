"""The catalogue as documentation: one Markdown page for each law, written from its declaration and nothing else.

`page` says what there is to say about a law: its formula and shape, symbols with units, parameters with bounds,
published values with the status of their source, its optimum, how it was fitted, its traps, who used it and how to
cite it. `write_pages` writes all of them with an index by topic, the vocabulary and the table of the literature.
Zensical and MkDocs build the folder as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from lawful.files import write_text
from lawful.law import Law, Parameter
from lawful.laws import all_laws
from lawful.pages_example import example, shipped_fit
from lawful.pages_figure import draw, middle, shape, short
from lawful.pages_formula import formula
from lawful.pages_tables import arxiv, authors, cell, index, listed, literature, quantities, table
from lawful.quantities import by_symbol

_MEANINGS = {
    "offset": "constant term: the level that no scale removes",
    "amplitude": "coefficient of the power of {on}",
    "scale": "scale of {on}",
    "exponent": "exponent",
    "location": "place on the axis of {on}",
    "width": "width, sharpness or rate",
    "share": "a number between its bounds",
    "coefficient": "coefficient; the data decide its sign",
}
_STATUS = {
    "verified": "checked against the paper or its code",
    "official repository": "taken from the authors' repository",
    "paper text": "taken from the paper's text",
    "secondary source": "taken from a paper that quotes it",
    "memory": "not checked against the source",
    "doubtful": "doubtful: the sources disagree",
}
_VALUES_STATUS = (
    "published: in the paper or its code; recomputed: fitted again from published data; derived: follows from "
    "published numbers; memory: not checked against the source."
)
_BUDGETS = (1e20, 1e22, 1e24)


def page(law: Law, figures: bool = True) -> str:
    """The law's page as Markdown; without figures it takes milliseconds.

    Raises ValueError if the formula cannot be typeset.

    >>> page(lawful.laws.find("chinchilla")).splitlines()[0]
    '# chinchilla'
    """
    sections = (
        f"# {law.name}",
        _lead(law),
        formula(law.latex),
        *(cell(note) for note in _notes(law) if not note.startswith(("Fitted:", "Trap:"))),
        _shape(law) if figures else "",
        _symbols(law),
        _parameters(law),
        _values(law),
        _optimum(law),
        _fitted(law),
        example(law),
        shipped_fit(law) if figures else "",
        _literature(law),
        _citation(law),
    )
    return "\n\n".join(s for s in sections if s) + "\n"


def write_pages(folder: str | Path, names: Iterable[str] | None = None, figures: bool = True) -> list[Path]:
    """Write a page for each law (or those named), an index, the quantities and the literature; return the files.

    Files whose text has not changed are left alone, so that a site builder need not build them again.
    Raises OSError where the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    laws = all_laws()
    texts = {"index": index(), "quantities": quantities(), "literature": literature()}
    for name in laws if names is None else names:
        texts[name] = page(laws[name], figures)
    written = []
    for name, text in texts.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text("utf-8") != text:
            write_text(path, text)
        written.append(path)
    return written


def _notes(law: Law) -> list[str]:
    """The docstring after the formula, which may itself go over several lines."""
    return [note for note in (n.rpartition("$")[2].strip() for n in law.notes) if note]


def _lead(law: Law) -> str:
    outcome = by_symbol(law.predicts)
    given = ", ".join(f"{by_symbol(v).meaning} `{v}`" for v in law.variables)
    paper = law.paper
    source = f"{authors(paper.authors, paper.year)}, *{paper.title}*{arxiv(paper.arxiv)}. " if paper else ""
    form = f"The form is {_STATUS.get(law.status, law.status)}. " if paper else ""
    aliases = f"Also found as {', '.join(f'`{a}`' for a in law.aliases)}." if law.aliases else ""
    return f"Predicts **{outcome.meaning}** `{law.predicts}` from {given}. {source}{form}{aliases}".strip()


def _shape(law: Law) -> str:
    curves = shape(law)
    if curves is None:
        return "No complete set of values was published, so no curve is drawn here." if law.parameters else ""
    return draw(curves)


def _symbols(law: Law) -> str:
    rows = []
    for symbol in dict.fromkeys((*law.variables, law.predicts)):
        q = by_symbol(symbol)
        meaning = q.meaning + (f" ({q.convention})" if q.convention else "")
        span = " to ".join(short(x) for x in law.over[symbol]) if symbol in law.over else ""
        rows.append((f"`{symbol}`", f"`{q.column}`", q.unit, cell(meaning), span))
    return "## Symbols\n\n" + table(("symbol", "column", "unit", "meaning", "stated range"), rows)


def _parameters(law: Law) -> str:
    if not law.parameters:
        return "## Parameters\n\nNone: nothing to fit."
    rows = [(f"`{p.name}`", cell(_meaning(p)), _bounds(p)) for p in law.parameters]
    found = f"\n\nExact data determine only **{cell(law.identified)}**." if law.identified else ""
    return "## Parameters\n\n" + table(("parameter", "meaning", "allowed"), rows) + found


def _meaning(p: Parameter) -> str:
    said = p.meaning or _MEANINGS[p.kind].format(on=", ".join(p.on) or "the term")
    each = f"; one for each entry of {p.size}" if isinstance(p.size, str) else f"; {p.size} numbers" if p.size else ""
    return said + each + (f"; one for each {p.by}" if p.by else "")


def _bounds(p: Parameter) -> str:
    low, high = (str(x).replace("inf", "∞").replace("-", "−") if np.isinf(x) else f"{x:g}" for x in (p.lower, p.upper))
    return "any" if (p.lower, p.upper) == (-np.inf, np.inf) else f"{low} to {high}"


def _values(law: Law) -> str:
    if not law.parameters:
        return ""
    title = "## Published values\n\n"
    if not law.values:
        return title + "None that we know of: fit it, or bring your own."
    names = law.parameter_names
    if len(names) > 6 and len(law.values) < len(names):
        header = ("parameter", *(f"`{key}`" for key in law.values))
        rows = [(f"`{n}`", *(_value(v.values.get(n, "")) for v in law.values.values())) for n in names]
        sources = [(f"`{k}`", v.status, cell(v.source)) for k, v in law.values.items()]
        body = table(header, rows) + "\n\n" + table(("set", "status", "source"), sources)
    else:
        header = ("set", *(f"`{n}`" for n in names), "status", "source")
        body = table(header, [
            (f"`{k}`", *(_value(v.values.get(n, "")) for n in names), v.status, cell(v.source))
            for k, v in law.values.items()
        ])  # fmt: skip
    return f"{title}{body}\n\n{_VALUES_STATUS}"


def _value(x: Any) -> str:
    if isinstance(x, dict):
        return "; ".join(f"{k}: {_value(v)}" for k, v in x.items())
    if np.ndim(x):
        return ", ".join(_value(v) for v in x)
    return f"{x:.6g}" if isinstance(x, int | float | np.number) else cell(x)


def _optimum(law: Law) -> str:
    whole = {k: v for k, v in law.values.items() if not v.partial}
    if not law.optimum:
        return ""
    if not whole:
        return f"## Optimum\n\nA closed form for {listed(law.optimum)} comes with the law; no values were published."
    held = {s: {n: middle(law, n) for n in list(signature(f).parameters)[2:]} for s, f in law.optimum.items()}
    rows = []
    for key, v in whole.items():
        for budget in _BUDGETS:
            best = [np.asarray(closed(budget, v.values, **held[s])) for s, closed in law.optimum.items()]
            rows.append((f"`{key}`", short(budget), *(", ".join(short(float(x)) for x in b.flat) for b in best)))
    if all(row[2:] == rows[i - i % len(_BUDGETS)][2:] for i, row in enumerate(rows)):  # the same for any budget
        rows = [(row[0], "any", *row[2:]) for row in rows[:: len(_BUDGETS)]]
    said = f"In closed form: {listed(law.optimum)} for a compute budget `C`, `law.optimum[symbol](C, values)`"
    given = {name: x for extra in held.values() for name, x in extra.items()}
    said += "; here " + ", ".join(f"`{n}` = {short(x)}" for n, x in given.items()) + "." if given else "."
    return "## Optimum\n\n" + said + "\n\n" + table(("values", "C", *(f"`{s}`" for s in law.optimum)), rows)


def _fitted(law: Law) -> str:
    fitted = [cell(n.removeprefix("Fitted:").strip()) for n in _notes(law) if n.startswith("Fitted:")]
    traps = [cell(n.removeprefix("Trap:").strip()) for n in _notes(law) if n.startswith("Trap:")]
    parts = ["## How it was fitted\n\n" + " ".join(f[:1].upper() + f[1:] for f in fitted)] if fitted else []
    if traps:
        parts.append("## Traps\n\n" + "\n".join(f"- {t[:1].upper()}{t[1:]}" for t in traps))
    return "\n\n".join(parts)


def _literature(law: Law) -> str:
    from lawful import literature as survey

    rows = [
        (
            f"{authors(p.authors, p.year)}{arxiv(p.arxiv)}",
            cell(p.task),
            cell(p.model_range),
            cell(p.data_range),
            cell(p.check),
        )
        for p in survey.papers(law=law.name)
    ]
    header = ("paper", "task", "models", "data", "our check")
    return "## In the literature\n\n" + table(header, rows) if rows else ""


def _citation(law: Law) -> str:
    if law.paper is None:
        return ""
    return f"## Citation\n\nAs `lawful laws cite {law.name}` prints it:\n\n```bibtex\n{law.paper.bibtex()}\n```"
