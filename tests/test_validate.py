"""Holding out by scale: what is seen and what is not, scores against an independent loop, and honest verdicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lawful
from lawful import scores
from lawful.plot_validation import plot_validation, validation_figure
from lawful.validate import validate
from lawful.validation import Validation
from lawful.validation_words import distance_rows, table_rows

FAST = {"method": "sandwich", "levels": (0.5, 0.9)}


def curve(n: int = 12, noise: float = 0.003, seed: int = 0) -> dict[str, np.ndarray]:
    x = np.geomspace(1e7, 1e10, n)
    return {"x": x, "L": (1.7 + 400 * x**-0.34) * np.exp(noise * np.random.default_rng(seed).normal(size=n))}


def families(count: int = 3, n: int = 8) -> lawful.Runs:
    x = np.tile(np.geomspace(1e7, 1e10, n), count)
    family = np.repeat([f"f{i}" for i in range(count)], n)
    level = np.repeat(1 + 0.05 * np.arange(count), n)
    noise = np.exp(0.003 * np.random.default_rng(1).normal(size=len(x)))
    return lawful.read(
        {"N": x, "D": np.full(len(x), 1e10), "L": level * (1.7 + 400 * x**-0.34) * noise, "family": family}
    )


@pytest.fixture(scope="module")
def one() -> Validation:
    return validate(["power_law_constant", "power_law"], curve(), over="x", **FAST)


def test_every_origin_is_a_fit_that_saw_the_smaller_runs_alone(one: Validation) -> None:
    data, said = curve(), one["power_law_constant"]
    splits = list(dict.fromkeys(one.held.split))
    assert len(splits) == 6
    for name in splits:
        here = one.held.split == name
        origin = one.held.scale[here].min()
        seen = {k: v[data["x"] < origin] for k, v in data.items()}
        made = lawful.forecast(
            lawful.fit("power_law_constant", seen), x=one.held.scale[here], kind="run", method="sandwich", level=0.9
        )
        np.testing.assert_allclose(said.estimate[here], made.estimate, rtol=1e-10)
        np.testing.assert_allclose(said.ends[0.9][0][here], made.lower, rtol=1e-10)
        assert np.array(said.flags)[here].tolist() == list(made.flag)
        np.testing.assert_allclose(one.held.distance[here], np.log10(one.held.scale[here] / seen["x"].max()))
        np.testing.assert_array_equal(one.held.truth[here], data["L"][data["x"] >= origin])


def test_scores_are_those_of_the_forecasts(one: Validation) -> None:
    y, said, s = one.held.truth, one["power_law_constant"], one.scores["power_law_constant"]
    assert s.relative_error == pytest.approx(np.mean(np.abs(said.estimate / y - 1)))
    assert s.rmse_log == pytest.approx(scores.rmse_log(y, said.estimate))
    low, high = said.ends[0.9]
    assert s.coverage[0.9] == np.mean((low <= y) & (y <= high))
    assert s.interval_score[0.9] == pytest.approx(
        scores.interval_score(np.log(y), np.log(low), np.log(high), 0.9).mean()
    )
    naive = np.mean(np.abs(one["last value"].estimate / y - 1))
    assert one.skill("power_law_constant", "last value").estimate == pytest.approx(1 - s.relative_error / naive)
    assert sum(b.points for b in one.distances("power_law")) == len(y)


def test_baselines_are_what_anyone_could_have_said(one: Validation) -> None:
    data = curve()
    first = one.held.split == one.held.split[0]
    seen = data["x"] < one.held.scale[first].min()
    x, y = np.log(data["x"][seen]), np.log(data["L"][seen])
    np.testing.assert_allclose(one["last value"].estimate[first], data["L"][seen][-1])
    slope = (y[-1] - y[-2]) / (x[-1] - x[-2])
    line = np.exp(y[-1] + slope * (np.log(one.held.scale[first]) - x[-1]))
    np.testing.assert_allclose(one["last two points"].estimate[first], line)
    straight = np.polyval(np.polyfit(x, y, 1), np.log(one.held.scale[first]))
    np.testing.assert_allclose(one["power law"].estimate[first], np.exp(straight), rtol=1e-6)


def test_the_better_law_is_seen_to_be_better(one: Validation) -> None:
    assert one.best == "power_law_constant"
    assert {f.code for f in one.findings} >= {"beats_naive"}
    found = one.error("power_law")
    assert found.lower < found.estimate < found.upper
    assert one.skill("power_law_constant", "power law").lower > 0


def test_the_table_has_a_row_for_each_and_the_text_says_the_same(one: Validation) -> None:
    frame = one.table()
    assert frame["law"].to_list() == ["power_law_constant", "power_law", "last value", "last two points", "power law"]
    assert frame["error"][0] == one.scores["power_law_constant"].relative_error
    assert len(table_rows(one)) == len(distance_rows(one)) - 1 == 6
    assert "power_law_constant errs by" in str(one)
    assert max(map(len, str(one).splitlines())) <= 120
    assert one.to_frame().height == 5 * len(one.held.truth)
    assert one.facts()["best"] == "power_law_constant"


def test_a_law_that_is_wrong_does_not_pass_for_good() -> None:
    # a loss that stops falling beyond the first runs: a power law goes on
    x = np.geomspace(1e6, 1e10, 14)
    y = np.maximum(3 * (x / 1e6) ** -0.1, 2.2) * np.exp(0.002 * np.random.default_rng(0).normal(size=14))
    found = validate("power_law", {"x": x, "L": y}, over="x", **FAST)
    assert {"naive_wins", "naive_may_win"} & {f.code for f in found.findings}
    assert found.scores["power_law"].coverage[0.9] < 0.5


def test_intervals_of_the_right_law_hold() -> None:
    worlds, n = 40, 20
    x = np.tile(np.geomspace(1e7, 1e10, n), worlds)
    y = 30 * x**-0.12 * np.exp(0.01 * np.random.default_rng(0).normal(size=len(x)))
    runs = {"x": x, "L": y, "world": np.repeat([f"w{i}" for i in range(worlds)], n)}
    found = validate("power_law", runs, over="x", by="world", levels=(0.9,), method="profile", origins=1)
    assert found.scores["power_law"].coverage[0.9] == pytest.approx(0.9, abs=0.05)
    assert "too_narrow" not in {f.code for f in found.findings}
    sure = found.coverage("power_law", 0.9)
    assert sure.lower < 0.9 < sure.upper


def test_intervals_much_too_narrow_are_called_so() -> None:
    # noise that the fit sees as small: the first two thirds are ten times as quiet as what comes
    rng, x = np.random.default_rng(0), np.tile(np.geomspace(1e7, 1e10, 20), 10)
    noise = np.where(x < 2e8, 0.0005, 0.05) * rng.normal(size=len(x))
    runs = {"x": x, "L": 30 * x**-0.12 * np.exp(noise), "g": np.repeat([f"g{i}" for i in range(10)], 20)}
    found = validate("power_law", runs, over="x", by="g", origins=1, **FAST)
    assert "too_narrow" in {f.code for f in found.findings}


def test_by_group_each_has_a_law_and_origins_of_its_own() -> None:
    runs = families()
    found = validate("power_law_constant", runs, over="N", by="family", variables={"x": "N"}, **FAST)
    assert set(found.held.group) == {"f0", "f1", "f2"}
    single = validate("power_law_constant", runs.where("family == 'f1'"), over="N", variables={"x": "N"}, **FAST)
    mine = found.held.group == "f1"
    np.testing.assert_allclose(
        found["power_law_constant"].estimate[mine], single["power_law_constant"].estimate, rtol=1e-6
    )


def test_a_group_left_out_is_forecast_from_the_others() -> None:
    runs = families()
    found = validate("power_law_constant", runs, over="group", by="family", variables={"x": "N"}, **FAST)
    assert list(dict.fromkeys(found.held.split)) == ["without f0", "without f1", "without f2"]
    others = lawful.fit("power_law_constant", runs.where("family != 'f0'"), variables={"x": "N"})
    here = found.held.group == "f0"
    np.testing.assert_allclose(
        found["power_law_constant"].estimate[here], others.predict(x=found.held.scale[here]), rtol=1e-6
    )
    assert "3 groups left out" in found.headline


def test_laws_are_compared_on_the_runs_that_all_of_them_forecast() -> None:
    N = np.repeat(np.geomspace(1e7, 1e9, 6), 2)
    D = N * np.tile([10.0, 60.0], 6)
    y = 1.7 + 400 * N**-0.34 + 410 * D**-0.28
    data = {"N": N, "D": D, "L": y * np.exp(0.003 * np.random.default_rng(0).normal(size=12))}
    found = validate(["chinchilla", "power_law"], data, over="N", **FAST)
    assert list(found["chinchilla"].why_not) == ["N < 6.31e+07"]
    assert np.isfinite(found["power_law"].estimate).all()
    assert len(found.common) == np.isfinite(found["chinchilla"].estimate).sum() < len(found.held.truth)
    assert found.scores["power_law"].points == found.scores["chinchilla"].points
    assert "not_fitted" in {f.code for f in found.findings}


def test_auto_is_chosen_anew_below_each_origin() -> None:
    found = validate("auto", curve(), over="x", origins=2, **FAST)
    assert len(found["auto"].fitted) == 2
    assert "auto chose" in str(found)


def test_a_fit_is_fitted_anew_with_its_settings() -> None:
    made = lawful.fit("power_law_constant", curve(), fixed={"alpha": 0.34}, objective="log_huber:1e-3")
    found = validate(made, curve(), over="x", **FAST)
    seen = {k: v[curve()["x"] < found.held.scale[0]] for k, v in curve().items()}
    again = lawful.fit("power_law_constant", seen, fixed={"alpha": 0.34}, objective="log_huber:1e-3")
    assert found["power_law_constant"].estimate[0] == pytest.approx(again.predict(x=found.held.scale[0])[()])


def test_few_scales_cannot_tell() -> None:
    found = validate("power_law", curve(4), over="x", **FAST)
    assert "few_scales" in {f.code for f in found.findings}
    assert found.error("power_law").verdict.startswith("cannot tell")
    assert np.isnan(found.error("power_law").lower)


def test_an_outcome_of_zero_and_a_silent_baseline_are_named() -> None:
    data = curve() | {"L": np.r_[curve()["L"][:-1], 0.0]}
    with pytest.raises(ValueError, match="L is 0 in row 12"):
        validate("power_law", data, over="x", **FAST)
    # mixtures have no scale: groups are left out, and the last two points cannot be had
    h = np.random.default_rng(0).dirichlet([2, 2, 2], 24)
    mixed = {"mixture": h, "L": 2 + 0.4 * np.exp(h @ [1.0, -1.0, 0.5]), "part": np.tile(["a", "b", "c"], 8)}
    found = validate("ye_mixing", mixed, over="group", by="part", count=32, **FAST)
    assert found.headline == "loss held out over groups of part: 24 forecasts of 24 runs, 3 groups left out"
    assert "no_baseline" in {f.code for f in found.findings}
    assert "last two points" not in found.scores


def test_an_average_is_chosen_anew() -> None:
    data = families(1, 10)
    made = lawful.fit("auto", data)
    found = validate(made, data, over="N", origins=1, **FAST)
    assert [one.name for one in found.laws] == (["auto"] if made.others else [made.law.name])


def test_rows_without_outcome_or_scale_are_named() -> None:
    data = curve()
    data["L"][3] = np.nan
    found = validate("power_law", data, over="x", **FAST)
    assert [f.rows for f in found.findings if f.code == "incomplete_rows"] == [(4,)]


def test_compute_that_is_not_in_the_table_is_6nd() -> None:
    x = np.geomspace(1e7, 1e9, 6)
    found = validate("power_law", {"N": x, "D": 20 * x, "L": 30 * x**-0.1}, over="C", **FAST)
    assert found.over == "6ND"
    np.testing.assert_allclose(found.held.scale.max(), 120 * x[-1] ** 2)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: validate("power_law", curve(2), over="x"), ValueError, "takes 2 distinct values"),
        (lambda: validate("power_law", curve(), over="y"), ValueError, "no column 'y'"),
        (lambda: validate("power_law", curve(), over="group"), ValueError, "say which column holds them with by="),
        (lambda: validate("power_law", curve(), over="x", by="g"), ValueError, "by: the table has no column 'g'"),
        (lambda: validate("power_law", curve(), over="x", levels=(90,)), ValueError, "levels is"),
        (lambda: validate("power_law", curve(), over="x", origins=0), ValueError, "origins is 0"),
        (lambda: validate("power_low", curve(), over="x"), ValueError, "power_law"),
        (lambda: validate(3, curve(), over="x"), TypeError, "law is 3"),
        (lambda: validate("bnsl_1", curve(5), over="x"), ValueError, "no law can be fitted below any origin"),
        (lambda: validate("power_law", curve(), target="acc"), ValueError, "no column 'acc'"),
        (lambda: validate("auto", {"x": np.arange(1.0, 9), "z": np.ones(8)}), ValueError, "say with target="),
    ],
)
def test_errors_say_what_to_do(call: object, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        call()  # type: ignore[operator]


def test_the_figure_shows_every_law_and_all_three_panels(one: Validation) -> None:
    made = validation_figure(one)
    assert [p.title for p in made.panels] == ["Error by distance", "Forecast against truth", "Intervals"]
    assert {layer.label for layer in made.panels[0].layers} == set(one.scores)
    drawn = made.panels[1].layers
    assert len(drawn[2].x) == len(one.common)
    assert all(b > a for a, b in zip(drawn[2].x, drawn[2].x[1:]))
    assert len(plot_validation(one).axes) == 3


# ---- the command


@pytest.fixture
def lf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command line in a folder with a table: exit code, stdout, stderr."""
    from lawful import cli

    monkeypatch.chdir(tmp_path)
    families(2, 6).frame.write_csv("runs.csv")

    def run(*args: object) -> tuple[object, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main(list(map(str, args)))
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return run


def test_validate_on_the_command_line(lf) -> None:
    import json

    asked = ["--law", "power_law,power_law_constant", "--variables", "x=N", "--over", "N", "--by", "family"]
    fast = ["--method", "sandwich", "--levels", "0.9"]
    code, out, err = lf("validate", "runs.csv", *asked, *fast, "--figure", "f.png", "--out", "all.csv")
    assert code == 0, err
    assert "loss held out over N, by family" in out
    assert Path("f.png").read_bytes()[:4] == b"\x89PNG"
    assert "lower_90" in Path("all.csv").read_text().splitlines()[0]
    code, out, _ = lf("validate", "runs.csv", *asked, *fast, "--json")
    facts = json.loads(out)
    assert code == 0
    assert {row["law"] for row in facts["table"]} >= {"power_law", "power_law_constant", "last value"}


def test_the_command_line_registers_and_scores(lf) -> None:
    import json

    Path("points.csv").write_text("params\n3e10\n1e11\n")
    where = ["--where", "family == 'f0'"]
    asked = ["--law", "power_law", "--variables", "x=params", *where]
    assert lf("fit", "runs.csv", *asked, "--out", "fit.json")[0] == 0
    code, out, err = lf("forecast", "fit.json", "--at", "points.csv", "--register", "book.jsonl")
    assert code == 0, err
    assert "one new run" in out
    assert "book.jsonl: line 1" in err
    Path("new.csv").write_text("params,tokens,loss\n3e10,1e10,1.9\n")
    code, out, err = lf("validate", "new.csv", "--ledger", "book.jsonl")
    assert code == 0, err
    assert "1 outcome scored" in out
    assert "no run yet: line 1, x = 1e+11" in out
    code, _, err = lf("forecast", "fit.json", "--at", "points.csv", "--register", "--level", "0.8")
    assert code == 0
    assert "forecasts.jsonl: line 1" in err
    code, _, err = lf("forecast", "fit.json", "--at", "points.csv", "--register", "fit.json")
    assert code == 2
    assert "no registered forecast" in err or "is not JSON" in err
    line = json.loads(Path("book.jsonl").read_text())
    Path("book.jsonl").write_text(json.dumps(line | {"note": "it was 1.9 all along"}, sort_keys=True) + "\n")
    code, out, _ = lf("validate", "new.csv", "--ledger", "book.jsonl", "--json")
    assert code == 1
    assert json.loads(out)["findings"][0]["code"] == "ledger_changed"


def test_mistakes_on_the_command_line_are_one_sentence(lf) -> None:
    for args, said in [
        (["runs.csv", "--levels", "a"], "--levels: 'a' cannot be read"),
        (["runs.csv", "--ledger", "none.jsonl"], "there is no ledger"),
        (["runs.csv", "--ledger", "none.jsonl", "--over", "N"], "--over holds runs out"),
        (["runs.csv", "--over", "depth"], "no column 'depth'"),
        (["runs.csv", "--variables", "x=N"], "--variables needs a law"),
    ]:
        code, _, err = lf("validate", *args)
        assert code == 2
        assert said in err
        assert err.count("\n") == 1


def test_a_law_that_is_clearly_worse_than_naive_fails_the_command(lf) -> None:
    # the loss stops falling: the last value is right and the power law is not
    x = np.geomspace(1e6, 1e10, 12)
    loss = np.maximum(3 * (x / 1e6) ** -0.15, 2.2) * np.exp(0.001 * np.random.default_rng(0).normal(size=12))
    Path("flat.csv").write_text("params,loss\n" + "".join(f"{a},{b}\n" for a, b in zip(x, loss)))
    code, out, _ = lf("validate", "flat.csv", "--law", "power_law", "--over", "N", "--method", "sandwich")
    assert code == 1
    assert "error    power_law errs by" in out
