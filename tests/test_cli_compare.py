"""The commands compare and posterior, and the table given to diagnose."""

import json

import numpy as np
import pytest

from lawful import cli


@pytest.fixture
def lf(tmp_path, monkeypatch, capsys):
    """Run a command line in a folder that holds runs.csv: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    N, D = (a.ravel() for a in np.meshgrid(np.logspace(7.5, 9.5, 6), np.logspace(9, 11, 6)))
    loss = (1.8 + 480 * N**-0.348 + 2080 * D**-0.366) * np.exp(0.005 * rng.standard_normal(36))
    lr = 10 ** rng.uniform(-4, -2, 36)
    rows = [f"{n:.0f},{d:.0f},{y:.6f},{e:.3g},{'ab'[i % 2]}" for i, (n, d, y, e) in enumerate(zip(N, D, loss, lr))]
    (tmp_path / "runs.csv").write_text("\n".join(["params,tokens,loss,lr,family", *rows]) + "\n")

    def run(*args):
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main(list(map(str, args)))
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return run


def test_laws_are_compared_on_the_command_line(lf):
    args = ("compare", "runs.csv", "--laws", "chinchilla,power_law", "--variables", "x=params", "--draws", "39")
    code, out, err = lf(*args)
    assert code == 0, err
    assert "36 points; errors on" in out and "chinchilla contains power_law(params)" in " ".join(out.split())
    data = json.loads(lf(*args, "--json")[1])
    assert data["rows"][0]["law"] == "chinchilla" and data["origins"] > 2
    groups = json.loads(lf(*args, "--by", "family", "--json")[1])
    assert set(groups) == {"a", "b"} and groups["a"]["n"] == 18


def test_choices_are_gone_through_and_drawn(lf, tmp_path):
    args = ("compare", "runs.csv", "--choices", "objective", "--flops", "1e22", "--at", "N=1e10,D=2e11")
    code, out, err = lf(*args, "--figure", "figures")
    assert code == 0, err
    assert "5 combinations of objective at 1e+22 FLOP" in out and "does not hang on choices" in " ".join(out.split())
    assert (tmp_path / "figures" / "choices.png").stat().st_size > 10_000
    data = json.loads(lf(*args, "--json")[1])
    assert len(data["rows"]) == 5 and data["at"] == {"N": 1e10, "D": 2e11}
    assert data["range"]["ratio"][0] < data["range"]["ratio"][1]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--choices", "outlier"), "there is no choice 'outlier'; did you mean 'outliers'"),
        (("--choices", "weights"), "leaves nothing to choose for 'weights'"),
        (("--laws", "chinchila"), "there is no law 'chinchila'; near it: chinchilla"),
        (("--laws", "chinchilla", "--figure", "x"), "--figure draws choices: add --choices"),
    ],
)
def test_a_mistake_is_one_sentence(lf, args, sentence):
    code, out, err = lf("compare", "runs.csv", *args)
    assert code == 2 and sentence in err and "Traceback" not in err


def test_a_posterior_stands_beside_the_runs_alone(lf):
    pytest.importorskip("emcee", reason="needs the extra bayes: emcee")
    assert lf("fit", "runs.csv", "--law", "chinchilla", "--out", "fit.json")[0] == 0
    code, out, err = lf("posterior", "fit.json", "--prior", "alpha=0.34:0.02", "--steps", "100")
    assert code in (0, 1), err  # 1: the chain is short, and says so
    assert "runs alone" in out and "0.34 +- 0.02" in out
    data = json.loads(lf("posterior", "fit.json", "--prior", "literature", "--steps", "60", "--json")[1])
    assert set(data["posterior"]) == {"E", "A", "B", "alpha", "beta"} and "hoffmann2022" in data["priors"]["alpha"]
    assert "no free number 'gamma'" in lf("posterior", "fit.json", "--prior", "gamma=1:1")[2]


def test_diagnose_asks_the_table_what_else_it_knows(lf):
    assert lf("fit", "runs.csv", "--law", "chinchilla", "--out", "fit.json")[0] == 0
    code, out, err = lf("diagnose", "fit.json", "--runs", "runs.csv")
    assert code == 0, err
    assert "The residuals follow none of lr" in " ".join(out.split())
    assert "diagnose(fit, runs=runs)" in " ".join(lf("diagnose", "fit.json")[1].split())
