"""A comparison of two systems as the table and sentences of a paper."""

from __future__ import annotations

from lawful.stats_compare import BENCHMARKS_AS_UNITS, Comparison, ComparisonRow
from lawful.stats_result import FEW_UNITS, interval_words, number, percent


def comparison_report(comparison: Comparison) -> str:
    """The comparison as Markdown: the table, what it shows in sentences, and how it was done."""
    c, (first, second) = comparison, comparison.systems
    head = (
        f"| benchmark | level | n | {first} | {second} | difference [{percent(c.confidence)}] | g_z | p | "
        f"p ({c.correction}) | verdict |"
    )
    lines = [f"## {first} against {second}", "", head, "|" + " --- |" * 10]
    lines += [_table_line(row) for row in c.rows]
    lines += ["", *_findings(c), "", _methods(c)]
    if c.warnings:
        lines += ["", "Warnings:", "", *(f"- {w}" for w in c.warnings)]
    return "\n".join(lines) + "\n"


def _table_line(row: ComparisonRow) -> str:
    name = {"level": "all", "all": "all", BENCHMARKS_AS_UNITS: BENCHMARKS_AS_UNITS}.get(row.scope, row.benchmark)
    level = "" if row.level is None and row.scope == "cell" else ("all" if row.level is None else row.level)
    effect = "-"
    if row.effect is not None:
        effect = f"{number(row.effect.estimate)} {interval_words(row.effect.interval)}"
    cells = [
        name,
        level,
        f"{row.n} {row.unit}s",
        *(number(s) for s in row.scores),
        f"{number(row.difference)} {interval_words(row.interval)}",
        effect,
        number(row.test.p or 0.0),
        number(row.p_adjusted),
        row.verdict,
    ]
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _findings(c: Comparison) -> list[str]:
    first, second = c.systems
    cells = [r for r in c.rows if r.scope == "cell"]
    counts = [sum(r.verdict == f"{s} higher" for r in cells) for s in c.systems]
    lines = [
        f"In {counts[0]} of {len(cells)} cells {first} is higher, in {counts[1]} {second}; in "
        f"{len(cells) - sum(counts)} the data cannot tell (family-wise threshold {number(c.alpha)}, "
        f"{c.correction} over {c.planned} planned comparisons)."
    ]
    if c.correction == "bh":
        lines[0] = lines[0].replace("family-wise threshold", "false discovery rate")
    for row in c.rows:
        if row.scope in ("all", BENCHMARKS_AS_UNITS):
            over = "Over all units pooled" if row.scope == "all" else "With the benchmark as the unit"
            lines.append(
                f"{over} ({row.n} {row.unit}s) the difference is {number(row.difference)}, "
                f"{percent(c.confidence)} interval "
                f"{interval_words(row.interval)}, adjusted p {number(row.p_adjusted)}: {row.verdict}."
            )
    if c.trend is not None:
        lines.append(
            f"Over {c.trend.n} ordered levels Kendall's tau of the difference is "
            f"{number(c.trend.estimate)}, adjusted p "
            f"{number(c.trend.details['p_adjusted'])}: {c.trend.verdict}."
        )
    return lines


def _methods(c: Comparison) -> str:
    tests = ", ".join(dict.fromkeys(r.test.test for r in c.rows))
    pooled = "averaged within a unit over its cells" if c.crossed else "every unit counts once, drawn inside its cell"
    return (
        f"Scores: {c.metric}. Unit of resampling: {c.unit}. Tests: {tests}. Intervals: BCa bootstrap, or "
        "below "
        f"{FEW_UNITS} units the inverted sign-flip test; not adjusted for multiplicity. Pooled rows: "
        f"{pooled}. Random "
        f"resamples: {c.resamples}, seed {c.seed}."
    )
