"""`lawful study microscope --check`: every recomputed number against the published one and the golden one.

Only a missed golden number fails: whether a published number is reproduced is a result, not a condition.
"""

from __future__ import annotations

from lawful.studies.results import Row, Study


def check(study: Study) -> tuple[tuple[str, ...], bool]:
    """One line for each row, a last line with the counts, and whether every golden number was met."""
    lines = [_line(row) for row in study.rows]
    missed = [row.id for row in study.rows if not meets(row)]
    printed = [row for row in study.rows if row.published is not None]
    golden = sum(row.golden is not None for row in study.rows)
    told = {
        word: sum(row.outcome == word for row in printed) for word in ("reproduced", "not reproduced", "not checkable")
    }
    lines.append(
        f"{len(printed)} published numbers: {', '.join(f'{count} {word}' for word, count in told.items())}. "
        f"{golden} golden numbers: {golden - len(missed)} met, {len(missed)} missed"
        + (f" ({', '.join(missed)})." if missed else ".")
    )
    return tuple(lines), not missed


def meets(row: Row) -> bool:
    """Whether a row meets its golden number; true where there is none."""
    if row.golden is None:
        return True
    if isinstance(row.golden, str) or not isinstance(row.recomputed, (int, float)):
        return row.recomputed == row.golden
    return abs(row.recomputed - row.golden) <= row.tolerance


def _line(row: Row) -> str:
    if not meets(row):
        word = "golden missed"
    else:
        word = {
            "reproduced": "ok",
            "not reproduced": "differs",
            "not checkable": "ok" if row.golden is not None else "-",
        }[row.outcome]
    parts = [f"{word:14}{row.id}: {_text(row.recomputed)}"]
    if row.published is not None:
        parts.append(f"published {_text(row.published)}")
    if row.golden is not None:
        parts.append(f"golden {_text(row.golden)}" + (f" +- {row.tolerance:.2g}" if row.tolerance else ""))
    return ", ".join(parts)


def _text(value: float | str | None) -> str:
    return "none" if value is None else value if isinstance(value, str) else f"{value:.6g}"
