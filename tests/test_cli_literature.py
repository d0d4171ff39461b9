"""`lawful laws papers`, `at` and `optimum`."""

import json

import pytest

from lawful.cli import _run
from lawful.laws import find


def said(capsys, *args):
    code = _run(["laws", *args])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_papers_are_filtered(capsys):
    code, out, err = said(capsys, "papers", "--variable", "N", "--modality", "vision")
    assert code == 0 and "alabdulmohsin2022" in out and "papers" in err
    code, out, _ = said(capsys, "papers", "--law", "chinchilla", "--json")
    assert code == 0 and "hoffmann2022" in [one["key"] for one in json.loads(out)]


def test_a_law_is_evaluated_with_published_values(capsys):
    code, out, _ = said(capsys, "at", "chinchilla", "N=70e9,D=1.4e12", "--values", "besiroglu2024", "--json")
    expected = find("chinchilla").at("besiroglu2024", N=70e9, D=1.4e12)
    assert code == 0 and json.loads(out)["L"] == pytest.approx(float(expected))
    code, out, _ = said(capsys, "at", "chinchilla", "N=70e9,D=1.4e12")
    assert "no interval" in out and "hoffmann2022" in out


def test_list_is_what_laws_alone_gives(capsys):
    code, out, _ = said(capsys, "list", "--topic", "vocabulary")
    assert code == 0 and "vocab_loss" in out
    assert out == said(capsys, "--topic", "vocabulary")[1]


def test_the_optimum_at_a_budget(capsys):
    code, out, _ = said(capsys, "optimum", "chinchilla", "5.76e23", "--json")
    found = json.loads(out)
    assert code == 0 and 6 * found["N"] * found["D"] == pytest.approx(5.76e23)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("at", "chinchilla", "N=1e9"), "variable D"),
        (("at", "chinchilla", "N=1e9,D=2e10", "--values", "hofmann2022"), "did you mean 'hoffmann2022'"),
        (("at", "m1", "x=3"), "no complete set of values"),
        (("optimum", "kaplan_n", "1e21"), "no closed-form optimum"),
        (("optimum", "vocab_loss", "1e21"), "N_nv, w"),
        (("optimum", "chinchilla", "1e21", "--with", "w=3"), "nothing more"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_2(capsys, args, says):
    code, _, err = said(capsys, *args)
    assert code == 2 and says in err
