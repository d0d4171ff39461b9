"""`lawful laws`: what the catalogue holds, one law in full, and its source for a bibliography."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lawful.cli_options import Json

if TYPE_CHECKING:
    from lawful.law import Law

laws = typer.Typer(rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A law's name, alias, or FILE.py:law.")]


@laws.callback(invoke_without_command=True)
def listing(
    context: typer.Context,
    topic: Annotated[str | None, typer.Option(help="Laws under this heading.")] = None,
    variable: Annotated[str | None, typer.Option(metavar="N,D", help="Laws with all these variables.")] = None,
    predicts: Annotated[str | None, typer.Option(help="Laws that predict this, such as L or accuracy.")] = None,
    search: Annotated[str | None, typer.Option(metavar="TEXT", help="Laws whose name, paper or text has this.")] = None,
    as_json: Json = False,
) -> None:
    """List the laws of the catalogue; `laws show NAME` has all of one, `laws cite NAME` its BibTeX."""
    if context.invoked_subcommand is not None:
        return
    from lawful.laws import all_laws

    every = list(all_laws().values())
    chosen = [law for law in every if _matches(law, topic, variable, predicts, search)]
    if as_json:
        typer.echo(json.dumps([_facts(law) for law in chosen], indent=1, ensure_ascii=False))
    elif chosen:
        typer.echo("\n".join(_table(chosen)))
    if not chosen:
        typer.echo(f"lawful: none of {len(every)} laws match; {_allowed(every)}", err=True)
        raise typer.Exit(1)


laws.command("list", short_help="List the laws, as `lawful laws` does.")(listing)


@laws.command(no_args_is_help=True)
def show(name: Name, as_json: Json = False) -> None:
    """Show one law: formula, variables, parameters, published values and traps."""
    law = load_law(name)
    typer.echo(json.dumps(_facts(law), indent=1, ensure_ascii=False) if as_json else "\n".join(_page(law)))


@laws.command(no_args_is_help=True)
def cite(name: Name, as_json: Json = False) -> None:
    """Print the BibTeX entry of a law's paper."""
    law = load_law(name)
    if law.paper is None:
        typer.echo(f"lawful: law {law.name} names no paper", err=True)
        raise typer.Exit(1)
    entry = law.paper.bibtex()
    typer.echo(json.dumps({"law": law.name, "key": law.paper.key, "bibtex": entry}, indent=1) if as_json else entry)


def load_law(reference: str) -> "Law":
    """A law by name or FILE.py:law; what goes wrong in a user's file is said with the file and the line."""
    from lawful.laws import load

    try:
        return load(reference)
    except (ValueError, FileNotFoundError):
        raise
    except Exception as problem:
        import traceback

        file = reference.rpartition(":")[0]
        lines = [f.lineno for f in traceback.extract_tb(problem.__traceback__) if f.filename.endswith(file)]
        line = getattr(problem, "lineno", None) or (lines[-1] if lines else None)
        place = f"{file}, line {line}" if line else file
        raise ValueError(f"{place}: {type(problem).__name__}: {problem}") from None


def _matches(law: "Law", topic: str | None, variable: str | None, predicts: str | None, search: str | None) -> bool:
    wanted = [v.strip() for v in (variable or "").split(",") if v.strip()]
    text = " ".join([law.name, *law.aliases, law.latex, *law.notes, *_paper(law).values()]).casefold()
    return (
        (topic is None or topic.casefold() in law.topic.casefold())
        and all(v in law.variables for v in wanted)
        and (predicts is None or predicts == law.predicts)
        and (search is None or search.casefold() in text)
    )


def _allowed(every: list["Law"]) -> str:
    topics = dict.fromkeys(law.topic for law in every if law.topic)
    return f"topics: {', '.join(topics)}; predicted: {', '.join(dict.fromkeys(law.predicts for law in every))}"


def _paper(law: "Law") -> dict[str, str]:
    p = law.paper
    return {"key": p.key, "authors": p.authors, "title": p.title, "arxiv": p.arxiv} if p else {}


def _table(chosen: list["Law"]) -> list[str]:
    from lawful.describe import columns, readable

    lines, topic = [], None
    for law in sorted(chosen, key=lambda law: law.topic):
        if law.topic != topic:
            topic = law.topic
            lines += ["", topic or "other"]
        formula = readable(law.latex)
        lines += columns([(law.name.ljust(26), law.paper.key.ljust(20) if law.paper else " " * 20, formula)])
    return [
        *lines[1:],
        "",
        f"{len(chosen)} law{'s' * (len(chosen) != 1)}; `lawful laws show NAME` for values and traps",
    ]


def _page(law: "Law") -> list[str]:
    import textwrap

    from lawful.describe import columns, readable
    from lawful.quantities import find

    def block(title: str, rows: list[tuple[str, ...]]) -> list[str]:
        return ["", title, *columns(rows)] if rows else []

    paper = law.paper
    lines = [f"{law.name}: {readable(law.latex)}"]
    if paper:
        place = f"arXiv {paper.arxiv}" if paper.arxiv else paper.venue
        lines += textwrap.wrap(f"{paper.authors} ({paper.year}). {paper.title}. {place}", 100)
    lines += block("variables", [(v, *_variable(law, v, find(v))) for v in law.variables])
    lines += block("parameters", [(p.name, p.kind, f"{p.lower:g} to {p.upper:g}", p.meaning) for p in law.parameters])
    sets = [
        (
            key,
            v.status,
            ", ".join(f"{n} = {_short(x)}" for n, x in v.values.items()) + (f" ({v.source})" * bool(v.source)),
        )
        for key, v in law.values.items()
    ]
    lines += block("published values", sets)
    notes: list[str] = []
    for line in law.notes:  # a sentence may run over several lines
        if notes and not notes[-1].endswith("."):
            notes[-1] += f" {line}"
        else:
            notes.append(line)
    return lines + ([""] if notes else []) + [w for note in notes for w in textwrap.wrap(note, 100)]


def _variable(law: "Law", name: str, quantity: Any) -> tuple[str, str]:
    low, high = law.over.get(name, (None, None))
    span = f"published for {low:.3g} to {high:.3g}" if low is not None else ""
    return span, f"{quantity.column}: {quantity.meaning}, {quantity.unit}" if quantity else "your own column"


def _short(x: Any) -> str:
    return f"{x:.6g}" if isinstance(x, int | float) else str(x)


def _facts(law: "Law") -> dict[str, Any]:
    from lawful.fitfile import plain

    parameters = [{"name": p.name, "kind": p.kind, "lower": p.lower, "upper": p.upper} for p in law.parameters]
    sets = {k: {"values": v.values, "source": v.source, "status": v.status} for k, v in law.values.items()}
    return plain({
        "name": law.name, "aliases": law.aliases, "topic": law.topic, "formula": law.latex,
        "predicts": law.predicts, "variables": law.variables, "parameters": parameters, "published": sets,
        "over": law.over, "paper": _paper(law), "notes": law.notes,
    })  # fmt: skip
