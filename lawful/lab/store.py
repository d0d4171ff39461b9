"""Where runs are kept: one JSON file per finished run, safe against kills and against several writers.

A run is done if and only if ``KEY.json`` exists, and that file appears whole or not at all (temporary file,
fsync, rename). A worker that starts a run first creates ``KEY.lease`` exclusively; a lease whose process is
gone, or that is older than three times the run was expected to take, may be taken over. There is no database:
folders of several machines are merged by copying files.
"""

import csv
import io
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from lawful.logs.lab import columns, records, rows

_PATIENCE = 3.0  # a lease is stale after this many times the expected duration ...
_LEAST_PATIENCE = 60.0  # ... but never before this many seconds


def done(folder: Path, key: str) -> bool:
    """Whether the run is finished."""
    return (folder / f"{key}.json").exists()


def save(folder: Path, record: dict[str, Any]) -> Path:
    """Keep a finished run; the file appears at once and whole, and survives a power cut."""
    return _write(folder / f"{record['key']}.json", json.dumps(record, allow_nan=False, indent=1) + "\n")


def claim(folder: Path, key: str, seconds: float) -> bool:
    """Take the lease of a run expected to last `seconds`; False while somebody else works on it."""
    lease = folder / f"{key}.lease"
    text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "time": time.time(), "seconds": seconds})
    for _ in range(2):
        try:
            handle = os.open(lease, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            if not _take_away_if_stale(lease):
                return False
        else:
            with os.fdopen(handle, "w") as file:
                file.write(text)
            return True
    return False


def release(folder: Path, key: str) -> None:
    """Give the lease back, unless it has been taken over meanwhile."""
    lease = folder / f"{key}.lease"
    held = _read_lease(lease)
    if held is not None and (held["pid"], held["host"]) == (os.getpid(), socket.gethostname()):
        lease.unlink(missing_ok=True)


def tidy(folder: Path) -> None:
    """Remove what kills leave behind: leases of finished runs, temporary files more than an hour old."""
    for lease in folder.glob("*.lease"):
        if done(folder, lease.stem):
            lease.unlink(missing_ok=True)
    for temporary in folder.glob("*.tmp"):
        if time.time() - temporary.stat().st_mtime > 3600:
            temporary.unlink(missing_ok=True)


def _take_away_if_stale(lease: Path) -> bool:
    """Remove a stale lease; True if it is gone. The rename makes sure that only one of many succeeds."""
    held = _read_lease(lease)
    if held is None:
        return True
    if not _stale(held):
        return False
    aside = lease.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}.stale")
    try:
        os.rename(lease, aside)
    except FileNotFoundError:
        return True
    taken = _read_lease(aside)
    if taken != held and taken is not None:  # somebody took it over between the look and the rename: give it back
        os.replace(aside, lease)
        return False
    aside.unlink(missing_ok=True)
    return True


def _read_lease(lease: Path) -> dict[str, Any] | None:
    try:
        text, written = lease.read_text(), lease.stat().st_mtime
    except FileNotFoundError:
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:  # killed, or caught, between creating and writing it
        return {"pid": None, "host": None, "time": written, "seconds": 0.0}


def _stale(held: dict[str, Any]) -> bool:
    age = time.time() - held["time"]
    if held["pid"] is None:
        return age > 5.0
    if age > max(_LEAST_PATIENCE, _PATIENCE * held["seconds"]):
        return True
    return held["host"] == socket.gethostname() and not _alive(held["pid"])


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write(path: Path, text: str) -> Path:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return path


def write_table(folder: str | Path) -> Path:
    """Write ``runs.csv`` beside the runs, from all that are finished: the table that `lawful.read` makes of them."""
    table = columns(rows(records(folder)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values()))
    return _write(Path(folder) / "runs.csv", text.getvalue())
