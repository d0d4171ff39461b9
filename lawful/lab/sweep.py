"""A sweep: a grid of runs in a TOML file, costed before it starts, run in parallel, resumed after a kill.

    name = "quick"
    seed = [0, 1, 2, 3]            # a list is an axis of the grid; settings up here hold for every [[sweep]]

    [[sweep]]
    task = "facts"
    steps = 2000
    batch = 384
    width = [4, 8, 16, 32]

    [[sweep]]
    task = "swaps"
    knobs = { cups = [5, 7] }      # a knob can be an axis too
    depth = 1
    loops = [1, 2, 4, 8]
    test_loops = [16, 32]          # one setting that is itself a list; [[16], [16, 32]] would be an axis

Settings are those of `Config` and `Shape`, and `match_params`. Planning needs no PyTorch.
"""

import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

from . import store
from .config import Config, as_dict, config, from_dict, key
from .cost import Speed, calibrate, seconds
from .tasks import TASKS

_LISTS = {"loops_train", "test_loops", "datastore"} | {
    f.name for declared in TASKS for f in fields(declared) if isinstance(f.default, tuple)
}


@dataclass(frozen=True)
class Sweep:
    """The runs of a sweep, none twice; `repeated` counts grid points that named a run already there."""

    name: str
    configs: tuple[Config, ...]
    repeated: int = 0


@dataclass(frozen=True)
class Estimate:
    """What is still to do: runs, training FLOPs, core-seconds, and wall seconds with `jobs` at a time."""

    runs: int
    done: int
    flops: float
    core_seconds: float
    wall_seconds: float
    speed: Speed

    def __str__(self) -> str:
        how = "calibrated on this machine" if self.speed.measured else "not calibrated: a typical core assumed"
        return (
            f"{self.runs} runs to do, {self.done} done; {self.flops:.3g} training FLOP, about "
            f"{self.core_seconds:.0f} core-seconds, {self.wall_seconds:.0f} s by the clock ({how})"
        )


@dataclass(frozen=True)
class Outcome:
    """How a sweep ended: new runs by status, runs found finished, errors of runs that could not be made."""

    statuses: dict[str, int]
    found: int
    errors: tuple[str, ...]


def load(path: str | Path) -> Sweep:
    """Read a sweep file. Raises FileNotFoundError, or ValueError naming file, part and setting."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no sweep file {str(path)!r}.")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not TOML: {error}.") from None
    parts = data.pop("sweep", [{}])
    name = data.pop("name", path.stem)
    configs = []
    for i, part in enumerate(parts, 1):
        try:
            configs.extend(config(point) for point in grid({**data, **part}))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}, [[sweep]] number {i}: {error}") from None
    return sweep(name, configs)


def sweep(name: str, configs: Iterable[Config]) -> Sweep:
    """A sweep of these runs; runs named twice are kept once and counted."""
    every = list(configs)
    unique = {key(c): c for c in every}
    return Sweep(name, tuple(unique.values()), len(every) - len(unique))


def grid(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every point of the grid that lists among the settings, and among the knobs, span."""
    knobs = settings.get("knobs", {})
    plain = {k: v for k, v in settings.items() if k != "knobs"}
    for values in product(*(_axis(k, v) for k, v in plain.items())):
        for chosen in product(*(_axis(k, v) for k, v in knobs.items())):
            point = dict(zip(plain, values))
            yield {**point, "knobs": dict(zip(knobs, chosen))} if knobs else point


def _axis(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list) or (name in _LISTS and not any(isinstance(v, list) for v in value)):
        return [value]
    if not value:
        raise ValueError(f"{name} is an empty list; give it values, or leave it out.")
    return value


def estimate(plan: Sweep, out: str | Path, jobs: int = 1, speed: Speed | None = None) -> Estimate:
    """Cost of the runs of `plan` not yet in `out`, calibrated here unless `speed` is given."""
    speed = speed or calibrate()
    todo = [c for c in plan.configs if not store.done(Path(out), key(c))]
    each = [seconds(c, speed) for c in todo]
    wall = max([sum(each) / jobs, *each]) if each else 0.0
    return Estimate(
        runs=len(todo),
        done=len(plan.configs) - len(todo),
        flops=float(sum(c.train_flops for c in todo)),
        core_seconds=sum(each),
        wall_seconds=wall,
        speed=speed,
    )


def shard(plan: Sweep, part: str) -> Sweep:
    """Part "i/n" of a sweep, for n machines that share or later merge a folder: every n-th run by length."""
    try:
        i, n = (int(v) for v in part.split("/"))
        if not 1 <= i <= n:
            raise ValueError
    except ValueError:
        raise ValueError(f"shard is {part!r}; it must read i/n with 1 <= i <= n, such as 2/8.") from None
    ordered = sorted(plan.configs, key=lambda c: (-seconds(c, Speed()), key(c)))
    return Sweep(plan.name, tuple(ordered[i - 1 :: n]), plan.repeated)


def run(
    plan: Sweep,
    out: str | Path,
    *,
    jobs: int | None = None,
    device: str = "cpu",
    timeout: float | None = None,
    speed: Speed | None = None,
    show: bool = False,
) -> Outcome:
    """Make every run of `plan` not yet in the folder `out`, longest first, and write ``runs.csv`` there.

    `jobs` runs at a time, one thread each, through joblib: inside ``joblib.parallel_config(backend=...)`` the
    same call runs on Dask or Ray (a backend of processes: threads would share PyTorch's random numbers).
    `timeout`, seconds per run, ends a run as "timeout". Runs that somebody else is making are waited for.
    `show` draws progress with the time left on the terminal. Needs PyTorch.
    """
    if find_spec("torch") is None:
        raise ImportError("Making runs needs PyTorch: pip install 'lawful[lab]'. Planning works without.")
    out, speed = Path(out), speed or Speed()
    out.mkdir(parents=True, exist_ok=True)
    todo = sorted((c for c in plan.configs if not store.done(out, key(c))), key=lambda c: -seconds(c, speed))
    found = len(plan.configs) - len(todo)
    ended: Counter[str] = Counter()
    errors: list[str] = []
    with _Progress(sum(seconds(c, speed) for c in todo), len(todo), show) as progress:
        while todo:
            held = []
            for c, status, error in _parallel(todo, out, jobs, device, timeout, speed):
                if status == "held":
                    held.append(c)
                    continue
                ended[status] += 1
                errors += [error] if error else []
                progress.advance(seconds(c, speed), status)
            time.sleep(0.5 if held else 0.0)
            todo = held
    store.tidy(out)
    store.write_table(out)
    return Outcome(dict(ended), found, tuple(errors))


def _parallel(
    todo: Sequence[Config], out: Path, jobs: int | None, device: str, timeout: float | None, speed: Speed
) -> Iterator[tuple[Config, str, str]]:
    from joblib import Parallel, delayed

    calls = (delayed(_one)(as_dict(c), str(out), seconds(c, speed), device, timeout) for c in todo)
    by_key = {key(c): c for c in todo}
    ended: Any = Parallel(n_jobs=jobs, return_as="generator_unordered")(calls)
    for name, status, error in ended:
        yield by_key[name], status, error


def _one(data: dict[str, Any], out: str, expected: float, device: str, timeout: float | None) -> tuple[str, str, str]:
    """One run in a worker: (key, status, error); "held" while somebody makes it, "found" once they have."""
    from .train import train

    folder, given = Path(out), from_dict(data)
    name = key(given)
    if store.done(folder, name):
        return name, "found", ""
    if not store.claim(folder, name, max(expected, timeout or 0)):
        return name, "held", ""
    try:
        if store.done(folder, name):  # finished between the look and the claim
            return name, "found", ""
        record = train(given, device, float("inf") if timeout is None else timeout)
        store.save(folder, record)
        return name, record["status"], ""
    except Exception as error:  # one run that cannot be made must not end the others; it is reported
        return name, "failed", f"run {name} (task {given.task}): {type(error).__name__}: {error}"
    finally:
        store.release(folder, name)


class _Progress:
    """A bar in expected seconds, so that the time left is right though the runs differ a hundredfold."""

    def __init__(self, total: float, runs: int, show: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, console=Console(stderr=True), disable=not show)
        self.total, self.runs, self.finished, self.bad = max(total, 1e-9), runs, 0, 0

    def __enter__(self) -> "_Progress":
        self.bar.start()
        self.id = self.bar.add_task(self._words(), total=self.total)
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def advance(self, cost: float, status: str) -> None:
        self.finished += 1
        self.bad += status not in ("ok", "found")
        self.bar.update(self.id, advance=cost, description=self._words())

    def _words(self) -> str:
        bad = f", {self.bad} not ok" if self.bad else ""
        return f"{self.finished} of {self.runs} runs{bad}"
