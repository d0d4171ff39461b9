"""`lawful plan next`: which runs to make next for a decision, as a table, a CSV, shell commands or a Slurm array."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lawful.cli_options import Json, Level, Seed, pairs, ranges

Fits = Annotated[list[Path], typer.Argument(metavar="FIT...", help="Files of `lawful fit --out`; two for winner.")]
Decide = Annotated[str, typer.Option(help="size, loss, or winner (of two fits).")]
At = Annotated[str, typer.Option("--at", metavar="C=... | N=...,D=...", help="Where: a budget, or a size and tokens.")]
Flops = Annotated[float, typer.Option(help="FLOP for all runs together.")]
RunFlops = Annotated[float | None, typer.Option(help="FLOP for the largest run (default: all).")]
Limits = Annotated[str | None, typer.Option(metavar="N=LOW:HIGH,...", help="Least and most of N, D, ratio (= D/N).")]
Like = Annotated[str | None, typer.Option(metavar="layers=12,...", help="A shape to resemble, so sizes can be built.")]
Template = Annotated[str, typer.Option(help='Command of a run: "train.py --n {N} --d {D} --lr {lr} --seed {seed}".')]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write the runs as a table.")]
Shell = Annotated[Path | None, typer.Option("--shell", metavar="FILE", help="Write a script of commands.")]
Slurm = Annotated[Path | None, typer.Option("--slurm", metavar="FILE", help="Write a Slurm job array.")]
Figure = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Draw the design into this folder.")]


def next_command(
    fits: Fits,
    at: At,
    flops: Flops,
    decide: Decide = "size",
    tolerance: Annotated[float | None, typer.Option(help="What is near enough, as a share (see the docs).")] = None,
    run_flops: RunFlops = None,
    limits: Limits = None,
    most: Annotated[int, typer.Option(help="Runs at most.")] = 40,
    repeats: Annotated[int | None, typer.Option(help="Runs at one place at most (default: one).")] = None,
    like: Like = None,
    criterion: Annotated[str, typer.Option(help="decision (c-optimal) or law (D-optimal).")] = "decision",
    worth: Annotated[float, typer.Option(help="Shrink the interval by this share, or stop.")] = 0.1,
    one_law: Annotated[bool, typer.Option("--one-law", help="Trust the fitted law; average over no others.")] = False,
    level: Level = 0.9,
    seed: Seed = 0,
    template: Template = "",
    csv: Csv = None,
    shell: Shell = None,
    slurm: Slurm = None,
    figure: Figure = None,
    json: Json = False,
) -> None:
    """Propose the runs that shrink a decision's interval most per FLOP, or say that you know enough."""
    from lawful.files import write_text
    from lawful.next_runs import next_runs
    from lawful.run_files import shell_script, slurm_script, to_csv

    given = _fits(fits)
    made = next_runs(
        given, _decision(decide, at, tolerance), flops, laws=[] if one_law else None, run_flops=run_flops,
        most=most, repeats=repeats, like=_shape(like), criterion=criterion, level=level, worth=worth, seed=seed,
        **_ranges(limits),
    )  # fmt: skip
    if json:
        _print(made)
    else:
        typer.echo(str(made))
    written = (
        (csv, lambda: to_csv(made)),
        (shell, lambda: shell_script(made, template)),
        (slurm, lambda: slurm_script(made, template)),
    )
    for path, text in written:
        if path is not None and made.runs:
            write_text(path, text())
        if path is not None:
            typer.echo(f"{path}: {'written' if made.runs else 'not written, as there is no run to make'}", err=True)
    if figure is not None:
        from lawful.plot import save
        from lawful.plot_design import design_figure

        for path in save(design_figure(made, given), figure):
            typer.echo(f"{path}: written", err=True)


def _fits(paths: list[Path]) -> Any:
    from lawful.fit import Fit
    from lawful.fitfile import load_fit

    found = {}
    for path in paths:
        one = load_fit(path)
        if not isinstance(one, Fit):
            raise ValueError(f"{path} holds fits by {one.by}: fit one group with --where")
        found[path.stem] = one
    return next(iter(found.values())) if len(paths) == 1 else found


def _decision(kind: str, at: str, tolerance: float | None) -> Any:
    from lawful.cli_options import numbers
    from lawful.decisions import loss_at, size_at, winner_at

    place = numbers("--at", at)
    if set(place) not in ({"C"}, {"N", "D"}):
        raise ValueError(f"--at is {at}; write --at C=1e22, or --at N=7e10,D=1.4e12 for a loss")
    more = {} if tolerance is None else {"tolerance": tolerance}
    if kind == "loss":
        return loss_at(place.get("C"), N=place.get("N"), D=place.get("D"), **more)
    if kind not in ("size", "winner"):
        raise ValueError(f"--decide is {kind!r}; allowed: size, loss, winner")
    if "C" not in place:
        raise ValueError(f"--decide {kind} is asked at a budget: write --at C=1e22")
    return (size_at if kind == "size" else winner_at)(place["C"], **more)


def _ranges(text: str | None) -> dict[str, Any]:
    found = ranges("--limits", text)
    for name in found:
        if name not in ("N", "D", "ratio"):
            raise ValueError(f"--limits: {name} is unknown; allowed: N, D, ratio (tokens per parameter)")
    return found


def _shape(text: str | None) -> Any:
    from dataclasses import fields

    from lawful.quantities import did_you_mean
    from lawful.shapes import Shape

    if not text:
        return None
    known = {f.name: f.type for f in fields(Shape)}
    values: dict[str, Any] = {}
    for name, value in pairs("--like", text).items():
        if name not in known:
            raise ValueError(f"--like: a shape has no {name!r}{did_you_mean(name, list(known))}")
        values[name] = int(value) if value.isdigit() else {"true": True, "false": False}.get(value.lower(), value)
    for name in ("layers", "width", "heads"):
        if name not in values:
            raise ValueError(f"--like: say {name}= as well, such as layers=12,width=768,heads=12,vocab=50257")
    return Shape(**values)


def _print(made: Any) -> None:
    import json
    from dataclasses import asdict

    from lawful.fitfile import plain

    typer.echo(json.dumps(plain(asdict(made) | {"flops": made.flops}), indent=1, allow_nan=False))
