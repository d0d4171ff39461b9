"""What the commands print for a person: tables that fit the terminal, findings in colour where there is any."""

import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lawful import describe

if TYPE_CHECKING:
    import polars as pl

    from lawful.diagnose import Diagnosis
    from lawful.findings import Finding
    from lawful.fit import Fit, Fits
    from lawful.forecast import Forecast
    from lawful.runs import Runs
    from lawful.uncertainty import Intervals

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}


def console() -> Console:
    """Standard output: as wide as the terminal up to 120 columns, 100 where it is a file."""
    out = Console(highlight=False, markup=False, emoji=False)
    return Console(highlight=False, markup=False, emoji=False, width=min(out.width, 120) if out.is_terminal else 100)


def working(what: str) -> AbstractContextManager[Any]:
    """A spinner while something long runs, on a terminal only."""
    if not sys.stderr.isatty():
        return nullcontext()
    return Console(stderr=True).status(f"{what} ...")


def _grid(*titles: str, numbers: tuple[int, ...] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for i, title in enumerate(titles):
        table.add_column(title, justify="right" if i in numbers else "left", no_wrap=i < len(titles) - 1)
    return table


def show_fit(made: "Fit | Fits", sure: "Mapping[str, Intervals]", runs: "Runs") -> None:
    """One fit, or each group's: values with intervals, spread, search, findings; then what the runs had to say."""
    from lawful.fit import Fits

    out = console()
    many = made.fits if isinstance(made, Fits) else {"": made}
    for label, one in many.items():
        if isinstance(made, Fits):
            out.print(Text(f"{made.by} = {label}", "bold underline"))
        _show_one(out, one, sure[label])
        out.print()
    for label, why in (made.failed if isinstance(made, Fits) else {}).items():
        out.print(Text(f"{label}: not fitted: {why}", "yellow"))
    show_runs(out, runs)


def _show_one(out: Console, fit: "Fit", sure: "Intervals") -> None:
    out.print(Text(describe.headline(fit), "bold"))
    for line in describe.formula_lines(fit) + describe.setting_lines(fit):
        out.print(Text(line, "dim"))
    table = _grid("", "estimate", describe.interval_title(sure), "", numbers=(1,))
    for name, one in sure.items():
        table.add_row(name, *describe.interval_cells(one), Text(one.verdict, "yellow"))
    out.print(table)
    for line in describe.fact_lines(fit):
        out.print(line)
    show_findings(out, describe.findings_of(fit, sure))


def show_findings(out: Console, findings: "Iterable[Finding]") -> None:
    """Severity in front, the sentence and its remedy beside it."""
    table = Table.grid(padding=(0, 1))
    for f in findings:
        table.add_row(Text(f.severity, _COLOURS[f.severity]), Text(f"{f.message} {f.remedy}".strip()))
    if table.row_count:
        out.print()
        out.print(table)


def show_runs(out: Console, runs: "Runs") -> None:
    """What reading the runs dropped and found."""
    from lawful.findings import listed

    reasons: dict[str, list[int]] = {}
    for d in runs.dropped:
        reasons.setdefault(d.reason, []).append(d.row)
    lines = [f"dropped {len(rows)}: {why} ({runs.place} {listed(rows)})" for why, rows in reasons.items()]
    if lines or runs.findings:
        out.print(Text(f"runs: {len(runs)} rows from {runs.source}", "bold"))
        for line in lines:
            out.print(Text(line, "yellow"))
        show_findings(out, runs.findings)


def show_forecast(found: "Forecast", made: "Fit | Fits", frame: "pl.DataFrame") -> None:
    """The points, each with its forecast; a column of the points is left out only where there is no room."""
    from lawful.company import led_by
    from lawful.fit import Fits

    one = next(iter(made.values())) if isinstance(made, Fits) else made
    out = console()
    what = "the mean of runs" if found.kind == "mean" else "one new run"
    target = one.points.target
    who = led_by(one.law.name, len(one.others) if found.method == "calibrated" else 0)
    out.print(Text(f"{target} of {what} by {who}, {found.level * 100:g}% intervals ({found.method})", "bold"))
    if found.calibration:
        out.print(Text(f"calibrated on {found.calibration}", "dim"))
    names = [n for n in frame.columns if n not in ("estimate", "lower", "upper", "flag")]
    shown = names[:4]
    numeric = [i for i, n in enumerate(shown) if frame[n].dtype.is_numeric()]
    table = _grid(*shown, "estimate", "interval", "flag", numbers=(*numeric, len(shown)))
    for row, low, high, flag in zip(frame.to_dicts(), found.lower, found.upper, found.flag):
        ends = f"{describe.number(low)} to {describe.number(high)}"
        table.add_row(*(_cell(row[n]) for n in shown), describe.number(row["estimate"]), ends, Text(flag, "yellow"))
    out.print(table)
    if len(names) > len(shown):
        out.print(Text(f"{len(names) - len(shown)} more columns of the points are in --out and --json", "dim"))


def _cell(value: Any) -> str:
    return describe.number(float(value)) if isinstance(value, int | float) else "" if value is None else str(value)


def show_diagnosis(diagnosis: "Diagnosis", title: str = "") -> None:
    """The verdict, then each question with what was found."""
    out = console()
    if title:
        out.print(Text(title, "bold underline"))
    out.print(Text(diagnosis.verdict, "bold"))
    for heading, findings in diagnosis.sections().items():
        out.print(Text(f"\n{heading}", "bold"))
        table = Table.grid(padding=(0, 1))
        for f in findings:
            table.add_row(Text(f.severity, _COLOURS[f.severity]), Text(f"{f.message} {f.remedy}".strip()))
        out.print(Padding(table, (0, 0, 0, 2)))
