"""Reports: a study as a folder that can be handed on, any fit or forecast as one page.

A page is one file: styles, figures and data are inside it, so that it opens anywhere, without a network.

    write_study(made, "out/microscope")        # report.md, report.html, figures/*.png, figures/*.svg
    report(fit, forecast, to="report.html")
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lawful.describe import readable
from lawful.fit import Fit, Fits
from lawful.forecast import Forecast
from lawful.plot import fit_figure, forecast_figure, legend_svg, panels_svg, save, write
from lawful.plot_validation import validation_figure
from lawful.report_markdown import row_table, study_markdown
from lawful.report_words import is_number, words
from lawful.studies.results import Figure, Study
from lawful.validation import Validation
from lawful.validation_words import distance_rows, table_rows

_TEMPLATES = Path(__file__).parent / "templates"


def write_study(study: Study, out: str | os.PathLike[str]) -> list[Path]:
    """Write report.md, report.html and figures/ID.png and .svg into the folder ``out``; return the files written.

    Raises ValueError for a row, statement, table or figure whose section the study does not list.
    """
    _check(study)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    written = [path for figure in study.figures for path in save(figure, folder / "figures")]
    page = _render("study.html.j2", study=study, contents=_contents(study), tally=_tally(study))
    written.append(write(folder / "report.md", study_markdown(study).encode()))
    written.append(write(folder / "report.html", page.encode()))
    return written


def report(
    fit: Fit | Fits, *more: Fit | Fits | Forecast | Validation, to: str | os.PathLike[str] = "report.html"
) -> Path:
    """Write one page on fits, forecasts and validations: values with intervals, figures, doubts, how it was made.

    A forecast is drawn with the fit before it. Raises TypeError for anything else.
    """
    parts: list[dict[str, Any]] = []
    last: Fit | Fits = fit
    for one in (fit, *more):
        if isinstance(one, Forecast):
            parts.append(_forecast_part(one, last))
        elif isinstance(one, Validation):
            parts.append(_validation_part(one))
        elif isinstance(one, Fit | Fits):
            last = one
            labelled = one.fits.items() if isinstance(one, Fits) else [("", one)]
            parts += [_fit_part(each, f"{one.by} = {k}" if isinstance(one, Fits) else "") for k, each in labelled]
        else:
            raise TypeError(f"report takes fits, forecasts and validations; it was given a {type(one).__name__}")
    path = Path(to)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, _render("fit.html.j2", parts=parts, title=f"{parts[0]['law']}: fit report").encode())


# ---- studies


def _check(study: Study) -> None:
    for thing in (*study.rows, *study.statements, *study.tables, *study.figures):
        if thing.section not in study.sections:
            raise ValueError(
                f"{type(thing).__name__} {thing.id!r} is in section {thing.section!r}; the study has "
                f"{', '.join(study.sections)}"
            )


def _contents(study: Study) -> list[dict[str, Any]]:
    """Each section with what belongs to it, ready for the page."""
    out = []
    for section in study.sections:
        rows = [row for row in study.rows if row.section == section]
        columns, lines = row_table(rows)
        out.append({
            "title": section,
            "anchor": anchor(section),
            "statements": [one for one in study.statements if one.section == section],
            "rows": table_part("", columns, lines) if rows else None,
            "tables": [table_part(t.title, t.columns, t.rows, t.note) for t in study.tables if t.section == section],
            "figures": [figure_part(one) for one in study.figures if one.section == section],
        })  # fmt: skip
    return out


def _tally(study: Study) -> list[tuple[str, int, str]]:
    """How many rows came out how, and how many statements: word, count, what is counted."""
    told = [row.outcome for row in study.rows if row.published is not None]
    said = [one.verdict for one in study.statements]
    counts = [
        (word, told.count(word), "published numbers") for word in ("reproduced", "not reproduced", "not checkable")
    ]
    counts += [(word, said.count(word), "conclusions") for word in ("supported", "contradicted", "cannot tell")]
    return [one for one in counts if one[1]]


# ---- parts of a page


@dataclass(frozen=True)
class Cell:
    """Text of a table's cell. style: its classes. badge: the class of a verdict or outcome."""

    text: str
    style: str = ""
    badge: str = ""


_BADGES = {
    "reproduced": "good", "supported": "good", "not reproduced": "bad", "contradicted": "bad",
    "cannot tell": "open", "not checkable": "open", "note": "plain",
}  # fmt: skip


def table_part(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], note: str = "") -> dict[str, Any]:
    """A table as the templates take it."""
    right = [any(is_number(row[i]) for row in rows) for i in range(len(columns))]
    cells = [[_cell(value, r) for value, r in zip(row, right)] for row in rows]
    return {"title": title, "columns": list(zip(columns, right)), "rows": cells, "note": note}


def _cell(value: Any, right: bool) -> Cell:
    text = words(value)
    style = "right" if right and len(text) <= 14 else "long" if len(text) > 50 else ""
    return Cell(text, style, _BADGES.get(value, "") if isinstance(value, str) else "")


def figure_part(figure: Figure) -> dict[str, Any]:
    """A figure as the templates take it: panels and legend as SVG, and the numbers behind its marks."""
    panels = list(zip([panel.title for panel in figure.panels], panels_svg(figure)))
    return {
        "id": figure.id, "caption": figure.caption, "panels": panels, "legend": legend_svg(figure),
        "data": _numbers(figure),
    }  # fmt: skip


def _numbers(figure: Figure) -> dict[str, Any]:
    """What the marks and intervals of a figure show, as a table; curves and bands are in results.json."""
    lines = []
    for panel in figure.panels:
        for layer in panel.layers:
            if layer.kind not in ("points", "interval"):
                continue
            size = len(layer.x)
            ends = (layer.y or (None,) * size, layer.lower or (None,) * size, layer.upper or (None,) * size)
            lines += [(panel.title, layer.label, *row) for row in zip(layer.x, *ends)]
    return table_part("", ("panel", "series", "x", "y", "lower", "upper"), lines)


def anchor(text: str) -> str:
    """``Loss Scaling`` -> ``loss-scaling``."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _render(template: str, **values: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    pages = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    pages.filters |= {"words": words, "svg": Markup, "anchor": anchor}
    pages.globals |= {"badges": _BADGES, "styles": Markup((_TEMPLATES / "page.css").read_text("utf-8"))}
    return pages.get_template(template).render(**values)


# ---- fits and forecasts


def _fit_part(fit: Fit, label: str) -> dict[str, Any]:
    from lawful.diagnose import diagnose
    from lawful.uncertainty import intervals

    found = intervals(fit)
    level = next((one.level for one in found.values()), 0.95)
    columns = ("number", "estimate", "lower", "upper", "what the data say")
    lines = [(name, one.estimate, one.lower, one.upper, one.verdict) for name, one in found.items()]
    note = f"{level:.0%} intervals, method {found.method}."
    doubts = [*fit.findings, *(f for f in found.findings if f.severity != "note"), *diagnose(fit).all_findings]
    return {
        "kind": "fit", "law": fit.law.name, "title": f"{fit.law.name}{f', {label}' if label else ''}",
        "formula": readable(fit.law.latex), "n": fit.n, "dof": fit.dof,
        "table": table_part("Values", columns, lines, note),
        "figure": _figure_or_reason(lambda: fit_figure(fit)),
        "doubts": list({str(f): f for f in doubts}.values()), "made": _made(fit),
    }  # fmt: skip


def _forecast_part(made: Forecast, fit: Fit | Fits) -> dict[str, Any]:
    columns = (*made.points, "estimate", "lower", "upper", "flag")
    columns_of = (*made.points.values(), made.estimate, made.lower, made.upper, made.flag)
    lines = list(zip(*(np.asarray(one).tolist() for one in columns_of)))
    kind = "one new run" if made.kind == "run" else "the mean of runs"
    rests = f"calibrated on {made.calibration}" if made.calibration else "which hold if the law is right"
    note = f"{made.level:.0%} intervals for {kind}, method {made.method}: {rests}."
    figure = _figure_or_reason(lambda: forecast_figure(made, fit)) if isinstance(fit, Fit) else {"reason": ""}
    return {"kind": "forecast", "law": "", "title": "Forecast", "table": table_part("", columns, lines, note),
            "figure": figure}  # fmt: skip


def _validation_part(made: Validation) -> dict[str, Any]:
    scores, errors = ([tuple(c.replace("\n", " ").strip() for c in row) for row in rows(made)]
                      for rows in (table_rows, distance_rows))  # fmt: skip
    note = "Skill: 1 - error / error of the last value, of the line through the last two points, of a power law."
    return {
        "kind": "validation", "law": "", "title": "Held out", "lead": made.headline,
        "table": table_part("", scores[0], scores[1:], note),
        "more": table_part("Error by distance", errors[0], errors[1:]),
        "figure": figure_part(validation_figure(made)), "doubts": made.findings,
    }  # fmt: skip


def _figure_or_reason(make: Any) -> dict[str, Any]:
    try:
        return figure_part(make())
    except ValueError as problem:  # a law without an axis to draw it over is no reason to have no report
        return {"reason": str(problem)}


def _made(fit: Fit) -> Mapping[str, Any]:
    """How the fit was made, in the order a reader asks."""
    s = fit.settings
    rows = {
        "law": fit.law.name, "paper": fit.law.paper.title if fit.law.paper else "", "objective": fit.objective.name,
        "points": fit.n, "free numbers": len(fit.estimates), "residual scatter": fit.sigma,
        "fixed": dict(s.fixed), "tied": dict(s.tied), "bounds": {k: str(v) for k, v in s.bounds.items()},
        "shared": s.shared, "protocol": s.protocol, "starts": fit.search.starts,
        "starts that agree": f"{fit.search.agree:.0%}", "seed": s.seed, "fingerprint of the runs": fit.fingerprint,
        "versions": dict(fit.versions),
    }  # fmt: skip
    return {k: v for k, v in rows.items() if v not in (None, "", {}, ())}
