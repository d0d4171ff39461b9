"""The command line from runs to forecasts: the contract that scripts rely on, and one sentence for every mistake."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from typer.testing import CliRunner

import lawful
from lawful import cli, cli_options
from lawful.fitfile import load_fit

ROOT = Path(__file__).resolve().parents[1]
RUNS = """model,n_par,tok,val,family
a,1e8,2e9,3.5,odd
b,2e8,8e9,3.2,even
c,4e8,8e9,3.02,odd
d,1e9,2e10,2.73,even
e,2e9,8e10,2.5,odd
f,4e9,8e10,2.41,even
g,8e9,1.6e11,2.31,odd
h,8e9,4e10,2.36,even
i,,4e10,2.36,even
"""
MAPPED = ["--target", "val", "--columns", "N=n_par,D=tok,L=val"]
MINE = '''from lawful import amplitude, exponent, law


@law()
def mine(N, *, A=amplitude("N", "alpha"), alpha=exponent()):
    """$L = A N^{-\\\\alpha}$"""
    return A * N**-alpha
'''


@pytest.fixture
def lf(tmp_path, monkeypatch, capsys):
    """Run a command line in a folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs.csv").write_text(RUNS)
    (tmp_path / "points.csv").write_text("label,n_par,tok\nnear,5e9,1e11\nfar,7e11,1.4e13\n")

    def run(*args):
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main(list(map(str, args)))
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return run


def fitted(lf, *more, out="fit.json"):
    code, _, err = lf("fit", "runs.csv", *MAPPED, "--law", "power_law", "--variables", "x=n_par", *more, "--out", out)
    assert code == 0, err
    return out


# ---- the contract


def test_the_contract_end_to_end_in_processes_of_its_own(tmp_path):
    (tmp_path / "runs.csv").write_text(RUNS)
    (tmp_path / "points.csv").write_text("label,flops,n_par\nnear,3e21,5e9\nfar,5.9e25,7e11\n")

    def lawful(*args):
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "lawful", *args]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)

    made = lawful(
        "fit", "runs.csv", "--target", "loss", "--law", "power_law", "--columns", "N=n_par,D=tok,L=val",
        "--variables", "x=N", "--where", "loss > 2", "--objective", "log_lsq", "--seed", "1", "--out", "fit.json",
    )  # fmt: skip
    assert made.returncode == 0 and made.stderr == "fit.json: written\n", made.stderr
    assert "alpha" in made.stdout and "95% interval" in made.stdout and "dropped" in made.stdout
    done = lawful("forecast", "fit.json", "--at", "points.csv", "--level", "0.8", "--kind", "run", "--out", "f.csv")
    assert done.returncode == 0, done.stderr
    frame = pl.read_csv(tmp_path / "f.csv")
    assert frame.columns == ["label", "flops", "n_par", "estimate", "lower", "upper", "flag"]
    assert (frame["lower"] < frame["estimate"]).all() and (frame["estimate"] < frame["upper"]).all()
    assert "decades" not in frame["flag"][0] and "1.9 decades beyond the runs" in frame["flag"][1]
    wrong = lawful("fit", "nofile.csv", "--target", "loss", "--out", "x.json")
    assert wrong.returncode == 2 and wrong.stdout == "" and "Traceback" not in wrong.stderr
    assert wrong.stderr.startswith("lawful: there is no file nofile.csv")


def test_the_command_gives_what_the_library_gives(lf, tmp_path):
    fitted(lf)
    runs = lawful.read("runs.csv", "N=n_par,D=tok,L=val", target="val", need=["n_par"])
    fit = lawful.fit("power_law", runs, variables={"x": "N"}, target="val")
    assert load_fit("fit.json").estimates == fit.estimates
    code, out, _ = lf("forecast", "fit.json", "--at", "points.csv", "--json")
    forecast = lawful.forecast(fit, x=[5e9, 7e11])
    points = json.loads(out)["points"]
    assert code == 0 and [p["estimate"] for p in points] == forecast.estimate.tolist()
    assert [p["lower"] for p in points] == forecast.lower.tolist()


def test_the_same_input_and_seed_give_the_same_bytes(lf, tmp_path):
    for command in (
        ["fit", "runs.csv", *MAPPED, "--law", "chinchilla", "--objective", "log_huber:1e-3", "--seed", "5"],
        ["forecast", fitted(lf, out="given.json"), "--at", "points.csv", "--method", "pairs", "--seed", "2"],
    ):
        written = []
        for name in ("one", "two"):
            assert lf(*command, "--out", name)[0] == 0
            written.append((tmp_path / name).read_bytes())
        assert written[0] == written[1]


def test_auto_is_the_default_law(lf):
    pytest.importorskip("lawful.choose")
    code, out, err = lf("fit", "runs.csv", *MAPPED, "--out", "fit.json")
    assert code == 0, err
    assert "chosen" in {f.code for f in load_fit("fit.json").findings}
    code, _, err = lf("fit", "runs.csv", *MAPPED, "--fix", "E=1.7", "--shared", "alpha")
    assert code == 2 and "--fix, --shared needs a law: name it with --law" in err


@pytest.mark.parametrize("header", ["n_par", "params", "N", "num_params"])
def test_points_are_found_under_any_of_their_names(lf, tmp_path, header):
    for law in (["--law", "chinchilla", "--fix", "E=1.7", "--tie", "beta=alpha"],):
        assert lf("fit", "runs.csv", *MAPPED, *law, "--out", "fit.json")[0] == 0
    (tmp_path / "points.csv").write_text(f"{header},tok\n5e9,1e11\n")
    code, out, err = lf("forecast", "fit.json", "--at", "points.csv", "--json")
    assert code == 0, err
    assert set(json.loads(out)["points"][0]) == {header, "tok", "estimate", "lower", "upper", "flag"}


def test_points_of_a_generic_law_are_found_too(lf, tmp_path):
    fitted(lf)
    for header in ("x", "n_par", "params"):
        (tmp_path / "points.csv").write_text(f"{header}\n5e9\n")
        assert lf("forecast", "fit.json", "--at", "points.csv")[0] == 0, header


def test_converted_units_are_not_mistaken_at_the_points(lf, tmp_path):
    (tmp_path / "b.csv").write_text("size,L\n0.1,3.5\n0.2,3.2\n0.4,3.0\n0.8,2.8\n")
    command = ["--law", "power_law", "--columns", "N=size", "--units", "N=billions", "--variables", "x=N"]
    assert lf("fit", "b.csv", *command, "--out", "fit.json")[0] == 0
    (tmp_path / "points.csv").write_text("size\n1.6\n")
    code, _, err = lf("forecast", "fit.json", "--at", "points.csv")
    assert code == 2 and "there is no column" in err
    options = ["--columns", "N=size", "--units", "N=billions", "--json"]
    code, out, err = lf("forecast", "fit.json", "--at", "points.csv", *options)
    (tmp_path / "points.csv").write_text("N\n1.6e9\n")
    plain = lf("forecast", "fit.json", "--at", "points.csv", "--json")[1]
    assert code == 0, err
    assert json.loads(out)["points"][0]["estimate"] == json.loads(plain)["points"][0]["estimate"]


def test_fits_by_group_forecast_their_own_groups(lf, tmp_path):
    fitted(lf, "--by", "family")
    (tmp_path / "points.csv").write_text("family,n_par\nodd,1e10\neven,1e10\nodd,2e10\n")
    code, out, err = lf("forecast", "fit.json", "--at", "points.csv", "--json")
    estimates = [p["estimate"] for p in json.loads(out)["points"]]
    assert code == 0 and estimates[0] > estimates[2] and estimates[0] != estimates[1], err
    code, out, _ = lf("fit", "runs.csv", *MAPPED, "--law", "power_law", "--variables", "x=N", "--by", "family")
    assert code == 0 and "family = even" in out and "family = odd" in out
    code, out, _ = lf("diagnose", "fit.json")
    assert code == 0 and "family = even" in out


# ---- what a person reads


def test_a_fit_is_printed_with_every_interval(lf):
    code, out, _ = lf(
        "fit", "runs.csv", *MAPPED, "--law", "chinchilla", "--fix", "E=1.7", "--tie", "beta=alpha",
        "--bounds", "alpha=0:2",
    )  # fmt: skip
    assert code == 0
    assert "chinchilla fitted to 8 points: val over N = n_par and D = tok" in out
    assert "E = 1.7 fixed; beta tied to alpha; alpha within [0, 2]" in out
    for name in ("A", "B", "alpha"):
        assert re.search(rf"^ {name} +[\d.]+ +[\d.]+ to [\d.]+", out, flags=re.MULTILINE)
    assert "95% interval (profile)" in out and "dropped 1: params is missing (line 10)" in out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 100


def test_json_of_every_command_is_valid(lf):
    fitted(lf)
    for command in (
        ["read", "runs.csv"], ["fit", "runs.csv", *MAPPED, "--law", "power_law", "--variables", "x=N"],
        ["forecast", "fit.json", "--at", "points.csv"], ["diagnose", "fit.json"], ["laws"],
        ["laws", "show", "chinchilla"], ["laws", "cite", "chinchilla"],
    ):  # fmt: skip
        code, out, err = lf(*command, "--json")
        assert code == 0, err
        assert json.loads(out, parse_constant=pytest.fail)
    code, out, _ = lf("fit", "cerebras_gpt", "--law", "power_law", "--variables", "x=C", "--json", "--level", "0.8")
    data = json.loads(out)
    assert data["level"] == 0.8 and set(data["estimates"]["A"]) == {"estimate", "lower", "upper", "verdict"}
    assert data["runs"]["source"] == "cerebras_gpt"


def test_read_says_what_was_dropped_and_exits_with_1_for_errors(lf, tmp_path):
    code, out, _ = lf("read", "runs.csv", "--columns", "N=n_par,L=val", "--out", "clean.csv")
    assert (code, out) == (0, "") and pl.read_csv(tmp_path / "clean.csv").columns[1] == "params"
    code, out, _ = lf("read", "runs.csv", "--columns", "N=n_par,L=val")
    assert code == 0 and "dropped 1: params is missing (line 10)" in out
    (tmp_path / "high.csv").write_text("N,L\n1e8,16\n1e9,15\n")
    code, out, _ = lf("read", "high.csv")
    assert code == 1 and "error:" in out


def test_diagnose_exits_with_1_where_the_fit_is_not_to_be_believed(lf):
    code, out, err = lf("fit", "cerebras_gpt", "--law", "chinchilla", "--out", "fit.json")
    assert code == 0 and "N and D cannot be told apart" in " ".join(out.split())
    code, out, _ = lf("diagnose", "fit.json")
    assert code == 1 and "not to be believed as it stands" in out and "D is proportional to N^1" in out


def test_laws_are_listed_shown_and_cited(lf):
    code, out, _ = lf("laws")
    assert code == 0 and "chinchilla" in out and "L = E + A N^(-alpha) + B D^(-beta)" in out
    code, out, _ = lf("laws", "--variable", "N,D")
    assert "chinchilla" in out and "kaplan_n " not in out
    code, _, err = lf("laws", "--topic", "nothing")
    assert code == 1 and "none of" in err and "topics:" in err
    code, out, _ = lf("laws", "show", "chinchilla")
    assert "besiroglu2024" in out and "Trap:" in out
    assert lf("laws", "cite", "chinchilla")[1].startswith("@misc{hoffmann2022,")
    code, _, err = lf("laws", "cite", "power_law")
    assert code == 1 and "names no paper" in err


def test_help_is_for_every_command(lf):
    code, out, _ = lf()
    assert code == 0 and all(name in out for name in ("read", "fit", "forecast", "diagnose", "study", "laws"))
    for name in ("read", "fit", "forecast", "diagnose", "study", "laws"):
        code, out, _ = lf(name, "--help")
        assert code == 0 and "--json" in out
    assert lf("--version")[1] == f"lawful {lawful.__version__}\n"
    done = CliRunner().invoke(cli.app, ["laws", "cite", "chinchilla"])
    assert done.exit_code == 0 and "2203.15556" in done.output


# ---- mistakes


MISTAKES = [
    (["fit", "nofile.csv"], r"there is no file nofile\.csv"),
    (["fit", "cerebra_gpt"], r"there is no file and no published table 'cerebra_gpt'; did you mean 'cerebras_gpt'"),
    (["fit", "runs.csv", "--law", "chinchila"], r"there is no law 'chinchila'; near it: chinchilla"),
    (["fit", "runs.csv", "--target", "vall"], r"runs\.csv, column 'vall': .*did you mean 'val'"),
    (["fit", "runs.csv", "--columns", "N=npar"], r"there is no column 'npar'; did you mean 'n_par'"),
    (["fit", "runs.csv", "--columns", "N"], r"columns 'N' cannot be read"),
    (["fit", "runs.csv", "--where", "val >"], r"where 'val >' cannot be read"),
    (["fit", "runs.csv", "--by", "famly"], r"'famly'; did you mean 'family'"),
    (["fit", "runs.csv", "--units", "N=bilions", "--columns", "N=n_par"], r"'bilions' is not one for params; did you"),
    (["fit", "bad.csv"], r"bad\.csv, line 3, column 'N': '1\.3B' is not a number.*Write 1\.3e\+09 instead"),
    (["fit", "billions.csv"], r"billions\.csv, line 2, column 'N': .* this looks like billions"),
    (["fit", "runs.csv", "--law", "power_law", "--fix", "E"], r"--fix: 'E' cannot be read; write NAME=VALUE"),
    (["fit", "runs.csv", "--law", "power_law", "--fix", "A=x"], r"--fix: A=x is not a number"),
    (["fit", "runs.csv", "--law", "power_law", "--bounds", "A=3"], r"--bounds: A=3 cannot be read; write A=LOWER:"),
    (["fit", "runs.csv", "--law", "power_law", "--tie", "a=b,a=c"], r"--tie: a is given twice"),
    (["fit", "cerebras_gpt", "--law", "power_law", "--fix", "E=1"], r"law power_law has no parameter 'E'"),
    (["fit", "cerebras_gpt", "--law", "power_law", "--objective", "huge"], r"objective 'huge' is unknown; allowed:"),
    (["fit", "cerebras_gpt", "--law", "power_law", "--level", "95"], r"level is 95.* between 0 and 1"),
    (["fit", "cerebras_gpt", "--law", "broken.py:f"], r"broken\.py, line 3: NameError: name 'nothere'"),
    (["fit", "cerebras_gpt", "--law", "syntax.py:f"], r"syntax\.py, line 1: SyntaxError"),
    (["fit", "cerebras_gpt", "--law", "mine.py:mien"], r"mine\.py declares no law 'mien'; did you mean 'mine'"),
    (["fit", "cerebras_gpt", "--law", "none.py:f"], r"there is no file none\.py"),
    (["fit", "cerebras_gpt", "--law", "power_law", "--out", "."], r"\. is a folder; name a file in it"),
    (["fit", "cerebras_gpt", "--seed", "x"], r"'--seed'.*Try `lawful fit --help`"),
    (["forecast", "none.json", "--at", "points.csv"], r"there is no fit file none\.json"),
    (["forecast", "mine.json"], r"Missing option '--at'"),
    (["forecast", "mine.json", "--at", "none.csv"], r"there is no file none\.csv"),
    (["forecast", "mine.json", "--at", "strange.csv"], r"strange\.csv: law mine needs N, and .* no column N or params"),
    (["forecast", "mine.json", "--at", "gap.csv"], r"gap\.csv, line 3, column 'N': a missing value cannot be forecast"),
    (["forecast", "mine.json", "--at", "empty.csv"], r"empty\.csv"),
    (["forecast", "mine.json", "--at", "again.csv"], r"columns estimate already, which forecast adds: rename"),
    (["forecast", "mine.json", "--at", "good.csv", "--kind", "median"], r"kind is 'median'; allowed: 'mean'"),
    (["forecast", "runs.csv", "--at", "good.csv"], r"runs\.csv is not JSON"),
    (["diagnose", "foreign.json"], r"foreign\.json is not a fit file"),
    (["study", "microscop3"], r"no study is called 'microscop3'; did you mean 'microscope'"),
    (["bogus"], r"No such command 'bogus'"),
]  # fmt: skip


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory):
    """A folder with a good fit of a law in a file, and much that is broken."""
    folder = tmp_path_factory.mktemp("mistakes")
    for name, text in {
        "mine.py": MINE, "broken.py": "from lawful import law\n\nnothere(law)\n", "syntax.py": "def f(:\n",
        "runs.csv": RUNS, "bad.csv": "N,L\n1e8,3.5\n1.3B,3.2\n", "billions.csv": "N,L\n0.1,3.5\n1.3,3.2\n",
        "points.csv": "N\n1e9\n", "good.csv": "N\n1e9\n", "strange.csv": "z\n1\n", "gap.csv": "N,z\n1e9,1\n,2\n",
        "empty.csv": "N\n", "again.csv": "N,estimate\n1e9,2\n", "foreign.json": '{"a": 1}',
    }.items():  # fmt: skip
        (folder / name).write_text(text)
    from lawful import datasets
    from lawful.fitfile import save

    save(lawful.fit(f"{folder / 'mine.py'}:mine", datasets.load("cerebras_gpt")), folder / "mine.json")
    return folder


@pytest.mark.parametrize("command, sentence", MISTAKES, ids=[" ".join(c) for c, _ in MISTAKES])
def test_a_mistake_is_one_sentence_on_stderr_and_exit_2(mistakes, lf, monkeypatch, command, sentence):
    monkeypatch.chdir(mistakes)
    code, out, err = lf(*command)
    assert (code, out) == (2, "")
    assert re.search(sentence, err) and err.startswith("lawful: ") and err.count("\n") == 1


def test_interruption_is_one_line_and_130(lf, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_options, "read_runs", interrupt)
    assert lf("read", "runs.csv") == (130, "", "interrupted\n")


def test_a_reader_that_stops_early_is_no_error():
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    lawful = subprocess.Popen([sys.executable, "-m", "lawful", "laws"], env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert lawful.stdout is not None and lawful.stderr is not None
    lawful.stdout.close()
    assert "Traceback" not in lawful.stderr.read()
    lawful.stderr.close()
    lawful.wait()


# ---- studies


def toy(seed=0):
    from lawful.studies.results import Row, Statement, Study

    rows = (Row("a", "Loss", "exponent", 0.1, 0.1, "reproduced"),)
    said = Statement("s", "Loss", f"seed {seed}", "cannot tell")
    return Study("toy", "A toy", ("One line.",), ("Loss",), rows, (said,), (), (), ("nowhere",))


@pytest.mark.parametrize("met", [True, False])
def test_a_study_is_run_and_its_check_decides_the_exit_code(lf, tmp_path, monkeypatch, met):
    import lawful.studies

    module = SimpleNamespace(study=toy, check=lambda made: ((f"{made.name}: compared",), met))
    monkeypatch.setattr(lawful.studies, "load", lambda name: module)
    code, out, err = lf("study", "toy", "--check")
    assert (code, out, err) == (0 if met else 1, "toy: compared\n", "")
    code, out, _ = lf("study", "toy", "--json", "--seed", "7")
    assert code == 0 and json.loads(out)["statements"][0]["text"] == "seed 7"
    code, out, err = lf("study", "toy", "--json", "--check")
    assert json.loads(out)["name"] == err.split(":")[0] == "toy"
    assert list(tmp_path.glob("out*")) == []  # neither writes
    assert lf("study")[1].split() == list(lawful.studies.names())


def test_a_study_writes_its_folder_by_default(lf, tmp_path, monkeypatch):
    pytest.importorskip("lawful.report", reason="needs the module that writes reports")
    import lawful.studies

    monkeypatch.setattr(lawful.studies, "load", lambda name: SimpleNamespace(study=toy))
    code, out, err = lf("study", "toy")
    assert code == 0, err
    assert {"results.json", "report.md", "report.html"} <= {file.name for file in (tmp_path / "out" / "toy").iterdir()}
    assert "statements: 1 cannot tell" in out
