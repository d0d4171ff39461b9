"""`lawful plan`: budgets and targets from the command line."""

import json

import pytest
from test_belief import grid

from lawful import cli


@pytest.fixture
def lf(tmp_path, monkeypatch, capsys):
    """Run a command line in a folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    table = grid()
    rows = [",".join(table), *(",".join(map(repr, map(float, row))) for row in zip(*table.values()))]
    (tmp_path / "runs.csv").write_text("\n".join(rows))

    def run(*args):
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main(list(map(str, args)))
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return run


PUBLISHED = ("plan", "chinchilla", "--values", "besiroglu2024")


def test_a_budget_of_a_published_law(lf):
    code, out, _ = lf(*PUBLISHED, "--flops", "5.88e23")
    assert code == 0 and "18.38" in out and "published without interval" in out
    same = lf("plan", "budget", *PUBLISHED[1:], "--flops", "5.88e23")
    assert same[1] == out
    given = lf(
        "plan", "chinchilla", "--values", "E=1.8172,A=482.01,B=2085.43,alpha=0.3478,beta=0.3658", "--flops", "1e21"
    )
    assert given[0] == 0 and "given values" in given[1]


def test_a_plan_of_runs_and_of_a_kept_fit_are_the_same(lf, tmp_path):
    code, out, _ = lf("plan", "runs.csv", "--flops", "1e21", "--draws", 100, "--json", "--out", "plan.json")
    made = json.loads(out)
    assert code == 0 and made["answers"]["N"]["lower"] < made["answers"]["N"]["estimate"]
    assert json.loads((tmp_path / "plan.json").read_text()) == made
    lf("fit", "runs.csv", "--law", "chinchilla", "--out", "fit.json")
    again = json.loads(lf("plan", "fit.json", "--flops", "1e21", "--draws", 100, "--json")[1])
    assert again["answers"] == made["answers"]


def test_a_target_that_nothing_reaches_exits_with_one(lf):
    code, out, _ = lf(*PUBLISHED, "--loss", "1.7")
    assert code == 1 and "the law's floor is 1.818" in out
    code, out, _ = lf(*PUBLISHED, "--loss", "2.2", "--max-params", "1e9", "--max-tokens", "1e10")
    assert code == 1 and "That limit binds" in " ".join(out.split())


def test_runs_on_a_line_cannot_tell(lf):
    code, out, _ = lf("plan", "cerebras_gpt", "--flops", "1e22", "--draws", 50)
    assert code == 1 and "cannot tell" in out and "lie on one line" in " ".join(out.split())


def test_further_variables_tasks_and_figures(lf, tmp_path):
    code, out, _ = lf("plan", "ludziejewski_moe", "--flops", "1e21", "--with", "experts=8")
    assert code == 0 and "N_act" in out
    code, out, err = lf(*PUBLISHED, "--flops", "1e21", "--figure", "figures")
    assert code == 0 and (tmp_path / "figures" / "plan_near.png").exists() and "plan_frontier.svg" in err
    ladder = ("plan", "bhagia_task_loss", "--values", "bhagia2024_hellaswag")
    code, out, _ = lf(*ladder, "--accuracy", "0.7", "--task", "bhagia_loss_to_accuracy:bhagia2024_hellaswag")
    assert code == 0 and "accuracy 0.7, bpb = " in out


@pytest.mark.parametrize("args, said", [
    (("plan", "chinchilla", "--flops", "1e21"), "say which values"),
    (("plan", "nothing.csv", "--flops", "1e21"), "nothing.csv"),
    ((*PUBLISHED,), "nothing was asked"),
    (("plan", "runs.csv", "--values", "besiroglu2024", "--flops", "1e21"), "--values goes with a law"),
    ((*PUBLISHED, "--flops", "1e21", "--with", "experts=8"), "takes no 'experts'"),
])  # fmt: skip
def test_mistakes_are_one_sentence(lf, args, said):
    code, out, err = lf(*args)
    assert code == 2 and out == "" and said in err and "Traceback" not in err
