"""The ledger: what is written, what shows when it is changed, and which runs count against which forecast."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import lawful
from lawful.ledger import Entry, read_ledger, register
from lawful.ledger_score import score


def loss(x: np.ndarray) -> np.ndarray:
    return 1.7 + 400 * np.asarray(x, float) ** -0.34


def table(x: np.ndarray, seed: int = 0, **more: object) -> lawful.Runs:
    noise = np.exp(0.003 * np.random.default_rng(seed).normal(size=len(x)))
    return lawful.read({"N": x, "D": np.full(len(x), 1e10), "L": loss(x) * noise} | more)


RUNS = table(np.geomspace(1e7, 1e9, 9))
FIT = lawful.fit("power_law_constant", RUNS, variables={"x": "N"})
NEW = np.array([3e9, 1e10, 3e10])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ledger") / "forecasts.jsonl"
    register(lawful.forecast(FIT, x=NEW, kind="run"), FIT, path, note="first")
    return path


@pytest.fixture
def book(written: Path, tmp_path: Path) -> Path:
    """A ledger of one line: three points beyond the runs."""
    return Path(shutil.copy(written, tmp_path / "forecasts.jsonl"))


def test_an_average_keeps_every_law_that_shares_it(tmp_path: Path) -> None:
    others = tuple((0.3, lawful.fit("power_law", RUNS, variables={"x": x})) for x in ("N", "6ND"))
    average = dataclasses.replace(FIT, others=others)
    entry = register(lawful.forecast(average, x=NEW), average, tmp_path / "a.jsonl", levels=())
    assert entry.shared == {"power_law(N)": 0.3, "power_law(6ND)": 0.3}
    assert "3 forecasts of loss by an average of 3 laws led by power_law_constant;" in str(entry)
    alone = register(lawful.forecast(average, x=NEW, calibration="law"), average, tmp_path / "a.jsonl", levels=())
    assert alone.shared == {} and "loss by power_law_constant;" in str(alone)


def test_a_line_holds_all_that_was_said(book: Path) -> None:
    made = lawful.forecast(FIT, x=NEW, kind="run")
    (entry,) = read_ledger(book)
    assert (entry.law, entry.target, entry.kind, entry.note) == ("power_law_constant", "loss", "run", "first")
    assert entry.fingerprint == RUNS.fingerprint == FIT.fingerprint
    assert entry.values == dict(FIT.values)
    assert entry.sound
    np.testing.assert_array_equal(entry.points["x"], NEW)
    np.testing.assert_array_equal(entry.estimate, made.estimate)
    np.testing.assert_array_equal(entry.intervals[0.9], (made.lower, made.upper))
    assert sorted(entry.intervals) == [0.5, 0.8, 0.9, 0.95]
    lower = [entry.intervals[level][0] for level in sorted(entry.intervals)]
    assert (np.diff(lower, axis=0) < 0).all()


def test_lines_are_chained_and_only_added(book: Path) -> None:
    first = book.read_text()
    one = read_ledger(book)[0]
    register(lawful.forecast(FIT, x=5e10, kind="run", level=0.68), FIT, book, levels=())
    assert book.read_text().startswith(first)
    both = read_ledger(book)
    assert not both.findings
    assert json.loads(book.read_text().splitlines()[1])["previous"] == one.sha256
    assert list(both[1].intervals) == [0.68]


def test_a_note_may_hold_any_text_and_a_last_line_may_lack_its_end(book: Path) -> None:
    register(lawful.forecast(FIT, x=5e10, kind="run"), FIT, book, levels=(), note="one\u2028two\nthree, déjà vu")
    book.write_bytes(book.read_bytes().removesuffix(b"\n"))
    register(lawful.forecast(FIT, x=6e10, kind="run"), FIT, book, levels=())
    found = read_ledger(book)
    assert len(found) == 3
    assert not found.findings
    assert found[1].note == "one\u2028two\nthree, déjà vu"
    book.write_text("")
    assert len(read_ledger(book)) == 0


def rewritten(book: Path, number: int, **changed: object) -> None:
    lines = [json.loads(line) for line in book.read_text().splitlines()]
    lines[number - 1] |= changed
    book.write_text("".join(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n" for line in lines))


def test_a_changed_number_shows_and_is_not_scored(book: Path) -> None:
    rewritten(book, 1, estimate=[1.9, 1.8, 1.75])
    found = read_ledger(book)
    assert [f.code for f in found.findings] == ["ledger_changed"]
    assert not found[0].sound
    scored = score(found, table(NEW[:1]))
    assert scored.scores is None
    assert scored.outcomes[0].why_not == "the line was changed"
    with pytest.raises(ValueError, match=r"not added to.*SHA-256"):
        register(lawful.forecast(FIT, x=5e10), FIT, book)


def test_a_line_taken_out_or_hashed_anew_breaks_the_chain(book: Path) -> None:
    from lawful.ledger import _digest

    for x in (4e10, 5e10):
        register(lawful.forecast(FIT, x=x, kind="run"), FIT, book, levels=())
    lines = book.read_text().splitlines(keepends=True)
    book.write_text(lines[0] + lines[2])
    assert [e.sound for e in read_ledger(book)] == [False, False]
    forged = json.loads(lines[1]) | {"estimate": [1.0]}
    forged["sha256"] = _digest(forged)
    book.write_text(lines[0] + json.dumps(forged, sort_keys=True) + "\n" + lines[2])
    found = read_ledger(book)
    assert [e.sound for e in found] == [True, False, False]
    assert "line 3" in found.findings[0].message.lower()


def test_runs_are_scored_where_they_belong(book: Path) -> None:
    # within a per cent of the first point, the second point twice, and two that nobody forecast
    x = np.array([3e9 * 1.005, 1e10, 1e10 * 0.999, 2e10, 1e7])
    found = score(book, table(x, seed=1))
    assert [(o.point, o.row) for o in found.scored] == [(0, 0), (1, 1), (1, 2)]
    assert found.waiting == ((1, "x = 3e+10"),)
    assert found.unmatched == (3, 4)
    truth = np.array([o.truth for o in found.scored])
    estimate = np.array([o.estimate for o in found.scored])
    assert found.scores is not None
    assert found.scores.relative_error == pytest.approx(np.mean(np.abs(estimate / truth - 1)))
    inside = [o.ends[0.9][0] <= o.truth <= o.ends[0.9][1] for o in found.scored]
    assert found.scores.coverage[0.9] == np.mean(inside)
    assert found.to_frame().height == 3
    assert {"no_dates", "unmatched"} == {f.code for f in found.findings}
    assert "no run yet: line 1, x = 3e+10" in str(found)
    assert len(score(book, table(x, seed=1), tolerance=1e-4).scored) == 1


def test_runs_of_the_fit_do_not_count(tmp_path: Path) -> None:
    ledger = tmp_path / "f.jsonl"
    register(lawful.forecast(FIT, x=[1e9, 3e9], kind="run"), FIT, ledger, levels=())
    found = score(ledger, RUNS)
    assert {"same_runs", "not_scored"} <= {f.code for f in found.findings}
    assert found.scored == ()
    # another run at the same place is news
    again = score(ledger, table(np.array([1e9]), seed=5))
    assert len(again.scored) == 1


def test_runs_older_than_the_forecast_do_not_count(book: Path) -> None:
    dates = ["2020-01-01", "2999-01-01T10:00:00"]
    found = score(book, table(NEW[:2], date=np.array(dates, object)))
    assert [o.why_not for o in found.outcomes] == ["the run is older than the forecast", ""]
    assert "no_dates" not in {f.code for f in found.findings}


def test_intervals_of_the_mean_are_said_to_be_so(tmp_path: Path) -> None:
    register(lawful.forecast(FIT, x=3e9), FIT, tmp_path / "f.jsonl", levels=())
    assert "mean_intervals" in {f.code for f in score(tmp_path / "f.jsonl", table(NEW[:1])).findings}


def test_groups_are_matched_by_name(tmp_path: Path) -> None:
    x = np.tile(np.geomspace(1e7, 1e9, 6), 2)
    family = np.repeat(["a", "b"], 6)
    runs = lawful.read({"N": x, "D": x * 20, "L": loss(x) * np.where(family == "a", 1, 1.2), "family": family})
    fits = lawful.fit("power_law", runs, variables={"x": "N"}, by="family")
    made = lawful.forecast(fits, {"x": [3e9, 3e9], "family": ["a", "b"]}, kind="run")
    entry = register(made, fits, tmp_path / "f.jsonl", levels=())
    assert isinstance(entry, Entry)
    assert entry.groups == ("a", "b")
    assert set(entry.values) == {"a", "b"}
    found = score(tmp_path / "f.jsonl", {"N": [3e9], "loss": [2.3], "family": ["b"]})
    assert [o.place for o in found.outcomes] == ["family = b, x = 3e+09"]
    assert found.waiting == ((1, "family = a, x = 3e+09"),)


def test_a_mixture_is_matched_entry_by_entry(tmp_path: Path) -> None:
    h = np.random.default_rng(0).dirichlet([2, 2, 2], 30)
    y = 2 + 0.4 * np.exp(h @ [1.0, -1.0, 0.5])
    fit = lawful.fit("ye_mixing", {"mixture": h, "L": y}, count=64)
    register(lawful.forecast(fit, mixture=[0.2, 0.3, 0.5]), fit, tmp_path / "f.jsonl", levels=())
    found = score(
        tmp_path / "f.jsonl", {"mixture": np.array([[0.2, 0.3, 0.5], [0.3, 0.2, 0.5]]), "L": np.array([2.3, 2.4])}
    )
    assert [o.row for o in found.outcomes] == [1]


def test_runs_that_lack_a_column_leave_the_line_waiting(book: Path) -> None:
    found = score(book, {"D": [1e10], "L": [2.0]})
    assert "no column for x (N)" in next(f.message for f in found.findings if f.code == "no_column")
    assert len(found.waiting) == 3


def test_what_is_no_ledger_is_refused(tmp_path: Path, book: Path) -> None:
    made = lawful.forecast(FIT, x=3e9)
    (tmp_path / "fit.json").write_text('{"format": "lawful fit 1"}\n')
    with pytest.raises(ValueError, match="line 1 is no registered forecast: its format is 'lawful fit 1'"):
        register(made, FIT, tmp_path / "fit.json")
    (tmp_path / "notes.txt").write_text("hello\n")
    with pytest.raises(ValueError, match="line 1 is not JSON"):
        read_ledger(tmp_path / "notes.txt")
    with pytest.raises(FileNotFoundError, match="there is no ledger"):
        read_ledger(tmp_path / "none.jsonl")
    other = lawful.fit("power_law", RUNS, variables={"x": "N"})
    with pytest.raises(ValueError, match="not of this fit"):
        register(made, other, book)
    with pytest.raises(ValueError, match="tolerance is -1"):
        score(book, RUNS, tolerance=-1)
