"""`lawful train`: make the runs of a sweep file with the small-model lab."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def train(
    sweep: Annotated[Path, typer.Argument(metavar="SWEEP.toml", help="The grid of runs, see lawful/lab/sweep.py.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the runs are kept; finished ones are not redone.")],
    jobs: Annotated[int, typer.Option(help="Runs at a time, one thread each.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    shard: Annotated[str | None, typer.Option(metavar="i/n", help="This machine's part of the sweep.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds after which a run is ended.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print the cost and stop. Needs no PyTorch.")] = False,
) -> None:
    """Train the runs of a sweep: costed first, in parallel, resumed after a kill. Writes FOLDER/runs.csv."""
    make_runs(sweep, out, jobs, device, shard=shard, timeout=timeout, plan=plan)


def make_runs(
    file: Path,
    out: Path,
    jobs: int,
    device: str,
    *,
    shard: str | None = None,
    timeout: float | None = None,
    plan: bool = False,
) -> None:
    """Make the runs of a sweep file in the folder `out`, or print their cost; failed runs end the command with 1."""
    from lawful.lab import sweep as lab
    from lawful.lab.cost import Speed

    grid = lab.load(file)
    if shard is not None:
        grid = lab.shard(grid, shard)
    cost = lab.estimate(grid, out, jobs, Speed() if plan else None)
    typer.echo(str(cost), err=not plan)
    if plan:
        return
    try:
        show = sys.stderr.isatty()
        ended = lab.run(grid, out, jobs=jobs, device=device, timeout=timeout, speed=cost.speed, show=show)
    except ImportError as problem:
        raise ValueError(str(problem)) from None
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(ended.statuses.items())) or "none new"
    typer.echo(f"{out / 'runs.csv'}: {statuses}; {ended.found} were there", err=True)
    for error in ended.errors:
        typer.echo(error, err=True)
    if ended.errors:
        raise typer.Exit(1)
