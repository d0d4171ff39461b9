"""The tables round the laws' pages: the index by topic, the vocabulary, the literature; and how to write a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lawful.law import Law
from lawful.laws import all_laws
from lawful.quantities import QUANTITIES


def cell(text: Any) -> str:
    """Text for a cell of a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;").replace("*", "\\*")


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; empty where there are no rows."""
    lines = ["| " + " | ".join(row) + " |" for row in ([str(x) or " " for x in r] for r in rows)]
    return "\n".join(["| " + " | ".join(header) + " |", "|" + " --- |" * len(header), *lines]) if lines else ""


def authors(names: str, year: int) -> str:
    """Up to three authors by name, more as "and others", with the year."""
    people = names.split(", ")
    if people[0] == "Unknown":
        return f"A study of {year}"
    more = "others" if people[-1] == "others" else f"{len(people) - 1} others"
    return f"{', '.join(people) if len(people) <= 3 and more != 'others' else f'{people[0]} and {more}'} ({year})"


def arxiv(number: str) -> str:
    """A link to the paper, after a comma; empty without a number."""
    return f", [arXiv {number}](https://arxiv.org/abs/{number})" if number else ""


def listed(symbols: Iterable[str]) -> str:
    """Symbols as code, with commas."""
    return ", ".join(f"`{s}`" for s in symbols)


def index() -> str:
    """The page that lists every law under its topic."""
    laws = all_laws()
    topics = sorted({law.topic for law in laws.values()}, key=lambda t: (t == "general", t.casefold()))
    parts = [
        f"# Laws\n\n{len(laws)} laws of the literature, each one declaration. The same list on the command line: "
        "`lawful laws`; the vocabulary: [quantities](quantities.md); who measured what: [literature](literature.md)."
    ]
    for topic in topics:
        rows = [
            (f"[{law.name}]({law.name}.md)", f"`{law.predicts}`", listed(law.variables), _short_source(law), _sets(law))
            for law in laws.values()
            if law.topic == topic
        ]
        parts.append(
            f"## {topic[:1].upper()}{topic[1:]}\n\n" + table(("law", "predicts", "from", "paper", "values"), rows)
        )
    return "\n\n".join(parts) + "\n"


def _short_source(law: Law) -> str:
    return f"{law.paper.authors.split(', ')[0].split()[-1]} {law.paper.year}" if law.paper else ""


def _sets(law: Law) -> str:
    return str(len(law.values)) if law.values else "none needed" if not law.parameters else ""


def quantities() -> str:
    """The page of the vocabulary: symbol, column, unit and meaning of every quantity."""
    parts = ["# Quantities\n\nOne symbol, one column, one unit and one meaning each. Counts are plain numbers."]
    for topic in dict.fromkeys(q.topic for q in QUANTITIES):
        rows = [
            (f"`{q.symbol}`", f"`{q.column}`", q.unit, cell(q.meaning + (f"; {q.convention}" if q.convention else "")),
             listed(q.aliases))
            for q in QUANTITIES
            if q.topic == topic
        ]  # fmt: skip
        parts.append(f"## {topic}\n\n" + table(("symbol", "column", "unit", "meaning", "also read as"), rows))
    return "\n\n".join(parts) + "\n"


def literature() -> str:
    """The page of the literature table: which paper measured what, over which range, with which code public."""
    from lawful import literature as survey

    laws = all_laws()
    known = {alias: law.name for law in laws.values() for alias in (law.name, *law.aliases)}
    public = {True: "yes", False: "no", None: ""}
    said = "Ranges, variables and code as surveyed; an empty cell means that the survey does not say."
    parts = [f"---\nhide:\n  - toc\n---\n\n# Literature\n\n{said}"]  # the table needs the width
    groups = dict.fromkeys((p.taxonomy[0] if p.taxonomy else "") for p in survey.papers())
    for group in groups:
        rows = [
            (f"{authors(p.authors, p.year)}{arxiv(p.arxiv)}", cell(p.task), cell(p.predicts),
             cell(", ".join(p.variables)), cell(p.model_range), cell(p.data_range),
             public[p.training_code], public[p.analysis_code],
             ", ".join(f"[{n}]({n}.md)" for n in dict.fromkeys(known[a] for a in p.laws if a in known)), cell(p.check))
            for p in survey.papers()
            if (p.taxonomy[0] if p.taxonomy else "") == group
        ]  # fmt: skip
        header = "paper, task, predicts, from, models, data, training code, analysis code, laws, our check".split(", ")
        parts.append(f"## {(group[:1].upper() + group[1:]) or 'Not placed'}\n\n" + table(header, rows))
    return "\n\n".join(parts) + "\n"
