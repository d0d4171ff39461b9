"""The further questions of `lawful plan` on the command line: every command answers, files and JSON are written."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from lawful import cli
from lawful.cli_plan import plans

BESIROGLU = ["chinchilla", "--values", "besiroglu2024"]
ASKED = {
    "limits": [*BESIROGLU, "--days", "14", "--hardware", "8x h100", "--money", "5000",
               "--assume", "price=2.2,utilisation=0.3:0.5"],
    "overtraining": ["gadre", "--values", "gadre2024_c4", "--flops", "1e21"],
    "hardware": ["8x h100", "--flops", "1e22"],
    "serving": ["--params", "7e9", "--hardware", "l4", "--token-ms", "60"],
    "pareto": [*BESIROGLU, "--objectives", "loss,flops"],
    "advise": ["--flops", "1e21", "--on", "size,quantisation"],
    "filtering": [*BESIROGLU, "--flops", "1e20", "--unique-tokens", "1e10", "--kept", "0.3,1", "--worth", "1.4,1"],
    "continued": ["--tokens", "2e10"],
    "vocabulary": ["--params", "7e9", "--width", "4096"],
    "attempts": ["--model", "small:8e9:0.3:100:0.83", "--model", "large:7e10:0.5:100:0.9", "--accuracy", "0.6"],
    "architecture": ["--params", "1.25e8"],
    "tuning": ["--params", "4e8", "--tokens", "2e10"],
    "schedule": ["--steps", "4000"],
    "experts": ["--flops", "1e21", "--memory", "2e10"],
    "granularity": ["--flops", "1e20"],
    "sparsity": ["--flops", "1e20", "--nonzero", "4e7"],
    "distillation": ["--params", "3e8", "--teacher", "1e9:2e10"],
    "precision": ["--memory", "4e9"],
}  # fmt: skip


def run(*args):
    return CliRunner().invoke(cli.app, ["plan", *args])


@pytest.mark.parametrize("question", ASKED)
def test_every_question_answers(question, tmp_path):
    done = run(question, *ASKED[question])
    assert done.exit_code == 0, done.output
    assert len(done.output.splitlines()) > 4
    again = run(question, *ASKED[question], "--json")
    facts = json.loads(again.stdout)
    assert facts and again.exit_code == 0
    if isinstance(facts, dict) and "answers" in facts:
        file = tmp_path / "plan.json"
        assert run(question, *ASKED[question], "--out", str(file)).exit_code == 0
        assert json.loads(file.read_text()) == facts


def test_no_command_is_forgotten():
    names = {c.name or c.callback.__name__ for c in plans.registered_commands if c.callback}
    assert names >= {*ASKED, "budget", "mixture", "pruning"}


def test_devices_are_listed():
    done = run("hardware")
    assert "h100" in done.output and "989.4 in bf16" in done.output and "80 GB at 3350 GB/s" in done.output
    assert json.loads(run("hardware", "--json").stdout)["m1"]["kind"] == "laptop"


def test_a_front_is_drawn(tmp_path):
    done = run("pareto", *BESIROGLU, "--objectives", "loss,flops,memory", "--figure", str(tmp_path))
    assert done.exit_code == 0 and (tmp_path / "pareto.png").stat().st_size > 10_000


def test_a_mixture_from_runs(tmp_path):
    rng = np.random.default_rng(0)
    shares = rng.dirichlet([2, 2, 2], 40)
    loss = 2.0 + 0.5 * np.exp(shares @ np.array([-2.0, -1.0, 0.5])) + 0.002 * rng.standard_normal(40)
    rows = ["web,code,books,loss", *(",".join(f"{x:.6f}" for x in (*r, y)) for r, y in zip(shares, loss))]
    file = tmp_path / "runs.csv"
    file.write_text("\n".join(rows))
    for method in ("ye", "regmix"):
        done = run("mixture", str(file), "--mixture", "web,code,books", "--target", "loss", "--method", method)
        assert done.exit_code == 0, done.output
        assert "gain over the average mixture" in done.output


@pytest.mark.parametrize(
    "args, words",
    [
        (["limits", *BESIROGLU, "--days", "3"], "days=3 needs hardware"),
        (["limits", *BESIROGLU, "--loss", "1.5"], "out of reach"),
        (["hardware", "8x h100"], "give --flops"),
        (["serving", "--params", "1e9"], "give --params and --hardware"),
        (["pareto", *BESIROGLU, "--params", "x"], "write LOW:HIGH"),
        (
            ["filtering", *BESIROGLU, "--flops", "1", "--unique-tokens", "1", "--kept", "a", "--worth", "1"],
            "--kept: 'a'",
        ),
        (["attempts", "--model", "small:8e9"], "write NAME:PARAMS:ACC:K:COVERAGE"),
        (["experts", "--flops", "1e20", "--experts", "two"], "write whole numbers"),
        (["experts", "--flops", "1e20", "--values", "x"], "name the law with --believe"),
        (["mixture", "runs.csv"], "give --mixture"),
    ],
)
def test_refusals_are_one_sentence(args, words, capsys):
    assert cli._run(["plan", *args]) == 2
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said and len(said.strip().splitlines()) == 1
