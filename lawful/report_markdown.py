"""A study as Markdown: its sections in order, with rows, statements, tables and figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from lawful.report_words import is_number, words
from lawful.studies.results import Figure, Row, Statement, Study, Table


def study_markdown(study: Study) -> str:
    """The whole report. Figures are ``figures/ID.png`` beside it."""
    lines = [f"# {plain(study.title)}", ""]
    for sentence in study.summary:
        lines += [plain(sentence), ""]
    for section in study.sections:
        lines += [f"## {plain(section)}", "", *_section(study, section)]
    lines += ["## Sources and settings", "", *(f"* {plain(source)}" for source in study.sources), ""]
    lines += ["How it was made: " + ", ".join(f"{plain(k)} {cell(v)}" for k, v in study.settings.items()) + ".", ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _section(study: Study, section: str) -> list[str]:
    def of(things: Iterable[Any]) -> list[Any]:
        return [thing for thing in things if thing.section == section]

    statements, rows, tables, figures = of(study.statements), of(study.rows), of(study.tables), of(study.figures)
    lines = [_statement(one) for one in statements] + [""]
    for figure in figures:
        lines += [*_figure(figure), ""]
    if rows:
        lines += ["**Number by number**", "", *_rows(rows), ""]
    for table in tables:
        lines += [*_table(table), ""]
    return lines if statements or rows or tables or figures else ["Nothing was computed for this section.", ""]


def _statement(one: Statement) -> str:
    return f"* **{one.verdict}**: {plain(one.text)}"


def _figure(figure: Figure) -> list[str]:
    return [
        f"![{plain(figure.caption)}](figures/{figure.id}.png)",
        "",
        f"*Figure {figure.id}. {plain(figure.caption)}*",
    ]


def _table(table: Table) -> list[str]:
    note = ["", plain(table.note)] if table.note else []
    return [f"**{plain(table.title)}**", "", *grid(table.columns, table.rows), *note]


def _rows(rows: Sequence[Row]) -> list[str]:
    columns, lines = row_table(rows)
    return grid(columns, lines)


def row_table(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns and lines of the published numbers against ours; golden numbers where there are any."""
    golden = any(row.golden is not None for row in rows)
    columns = ("what", "published", "recomputed", *(["independent"] if golden else []), "outcome", "reason")
    return columns, [
        (row.what, row.published, row.recomputed, *([row.golden] if golden else []), row.outcome, row.reason)
        for row in rows
    ]


def grid(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """A table of Markdown, numbers to the right."""
    right = [any(is_number(row[i]) for row in rows) for i in range(len(columns))]
    head = [f"| {' | '.join(cell(c) for c in columns)} |", f"| {' | '.join('--:' if r else ':--' for r in right)} |"]
    return head + [f"| {' | '.join(cell(one) for one in row)} |" for row in rows]


def cell(value: Any) -> str:
    """A value within a table: one line, no bar that would end the cell."""
    return plain(words(value)).replace("|", "\\|")


def plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    text = " ".join(text.split())
    text = re.sub(r"([\\*`\[\]])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
