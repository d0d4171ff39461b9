"""The documentation: every law's page and formula, the figures, and every block of the hand-written pages."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from lawful.laws import all_laws, find
from lawful.pages import page, write_pages
from lawful.pages_example import shipped_fit
from lawful.pages_figure import draw, shape, short
from lawful.pages_formula import formula, lines, to_mathtext
from lawful.pages_tables import cell, index, literature, quantities

DOCS = Path(__file__).resolve().parents[1] / "docs"
WRITTEN = ("index", "guide", "intervals", "validate", "plan", "decisions", "next-runs", "laws-of-your-own")


def svgs(text: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)]


def tables(text: str) -> list[list[str]]:
    return [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]


@pytest.mark.slow
@pytest.mark.parametrize("name", all_laws())
def test_every_law_has_a_page(name):
    law = find(name)
    text = page(law, figures=False)
    assert text.startswith(f"# {name}\n")
    assert len(svgs(text)) == len(lines(law.latex)) > 0
    for word in (*law.values, *law.parameter_names, *law.variables, law.predicts):
        assert f"`{word}`" in text
    for rows in tables(text):
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {rows[0].count("|")}
    assert not law.paper or law.paper.bibtex() in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chinchilla", "kaplan_n", "tissue", "ye_mixing", "sum_of_powers", "zhao_moe"])
def test_shapes_are_drawn_and_the_same_every_time(name):
    once, again = (draw(shape(find(name))) for _ in range(2))
    assert once == again
    assert len(svgs(once)) == 1 and "currentColor" in once and "#010203" not in once


def test_shape_follows_the_published_values():
    law = find("chinchilla")
    curves = shape(law)
    assert curves is not None
    expected = law.at("hoffmann2022", N=curves.x, D=5e11)
    assert np.allclose(curves.lines["D = 500B"], expected, rtol=1e-12)


def test_nothing_is_drawn_without_published_values():
    assert shape(find("power_law")) is None
    assert shape(find("datastore_flops")) is not None  # nothing to publish: an identity


@pytest.mark.parametrize(
    ("latex", "typeset"),
    [
        (r"accuracy = 1 - a N^{-\alpha}", r"\mathrm{accuracy} = 1 - a N^{-\alpha}"),
        (r"y = eps_{inf} + \beta x^{c}", r"y = \varepsilon_{\infty} + \beta x^{c}"),
        (r"B_{\star} / L_{min}", r"B_{*} / L_{\mathrm{min}}"),
        (r"a\, TPP^{\eta}", r"a\, \mathrm{TPP}^{\eta}"),
        (r"\frac{K+1}{2} \mathrm{elo}", r"\frac{K+1}{2} \mathrm{elo}"),
    ],
)
def test_words_become_upright(latex, typeset):
    assert to_mathtext(latex) == typeset


def test_an_equation_is_a_line():
    assert lines(r"R = a T^{s} + b, T = D / 2") == ["R = a T^{s} + b", "T = D / 2"]
    assert lines(r"I = I_p(\frac{K}{2}, \frac{K}{2})") == [r"I = I_p(\frac{K}{2}, \frac{K}{2})"]
    assert lines("y = a\n    + b") == ["y = a + b"]


def test_a_formula_that_cannot_be_typeset_is_named():
    with pytest.raises(ValueError, match=r"'\\\\nosuch\{x\}' cannot be typeset"):
        formula(r"\nosuch{x}")


@pytest.mark.parametrize(
    ("x", "said"),
    [(7e7, "70M"), (1.4e12, "1.4T"), (6e23, "6·10²³"), (0.12, "0.12"), (0, "0"), (-1500, "-1500"), (3e-5, "3·10⁻⁵")],
)
def test_numbers_as_people_say_them(x, said):
    assert short(x) == said


def test_cells_cannot_break_a_table():
    assert cell("a|b\nc < d*e") == "a\\|b c &lt; d\\*e"


def test_tables_round_the_pages():
    listing = index()
    assert all(f"]({name}.md)" in listing for name in all_laws())
    assert "| `N` | `params` |" in quantities()
    assert "chinchilla.md" in literature()


@pytest.mark.slow
def test_a_law_is_fitted_on_runs_that_ship():
    text = shipped_fit(find("power_law_constant_n"))
    assert "7 runs" in text and "| `alpha` | 0.1289 |" in text
    assert "cannot tell: 0 is not excluded" in text  # of E
    assert shipped_fit(find("krajewski_moe")) == ""


def test_only_changed_pages_are_written_again(tmp_path):
    first = write_pages(tmp_path, ["chinchilla"], figures=False)
    assert sorted(p.name for p in first) == ["chinchilla.md", "index.md", "literature.md", "quantities.md"]
    stamps = [p.stat().st_mtime_ns for p in first]
    (tmp_path / "index.md").write_text("old")
    write_pages(tmp_path, ["chinchilla"], figures=False)
    assert [p.stat().st_mtime_ns == s for p, s in zip(first, stamps)] == [p.stem != "index" for p in first]


def test_links_between_pages_lead_somewhere():
    generated = {f"laws/{name}.md" for name in (*all_laws(), "index", "quantities", "literature")}
    for name in WRITTEN:
        for target in re.findall(r"\]\(([^)#:]+\.md)", (DOCS / f"{name}.md").read_text("utf-8")):
            assert target in generated or (DOCS / target).exists(), f"{name}.md links to {target}"


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITTEN)
def test_blocks_run_as_written(name, tmp_path, monkeypatch, capsys):
    from lawful.cli import main

    monkeypatch.chdir(tmp_path)
    scope: dict = {"__name__": "__docs__"}
    text = (DOCS / f"{name}.md").read_text("utf-8")
    blocks = re.findall(r"^```(python|bash)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert blocks or name == "index"
    for language, block in blocks:
        if language == "python":
            exec(compile(block, f"{name}.md", "exec"), scope)
            continue
        for line in block.splitlines():
            program, *arguments = shlex.split(line, comments=True)
            assert program == "lawful"
            with pytest.raises(SystemExit) as ended:
                main(arguments)
            assert ended.value.code == 0, capsys.readouterr().err
