"""Reports: whole, self-contained, escaped, and honest about what is missing."""

import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import lawful
from lawful.report import report, write_study
from lawful.report_markdown import cell, grid, plain, row_table
from lawful.report_words import words
from lawful.studies.results import Figure, Layer, Panel, Row, Statement, Study, Table

SECTIONS = (
    "Loss Scaling", "Task Scaling", "Cross-Metric Correlation", "Extrapolation Risk", "Cross-Family Transfer",
    "Methodology", "Limitations", "What cannot be told",
)  # fmt: skip
NASTY = "<script>alert(1)</script> & a|b *c* `d`"
VOID = {"meta", "br", "hr", "img", "input", "link", "path", "rect", "circle", "use"}


def study() -> Study:
    points = Layer("points", "data", (1e8, 1e9), (2.5, 2.0))
    panel = Panel(NASTY, "parameters", "loss", (points,), log_x=True)
    return Study(
        name="small", title=f"A study {NASTY}", summary=("Of 2 numbers, 1 is reproduced.",), sections=SECTIONS,
        rows=(
            Row("a", SECTIONS[0], f"alpha {NASTY}", 0.106, 0.1061, "reproduced", golden=0.1061),
            Row("b", SECTIONS[0], "upper end", None, math.inf, "not checkable", "Not printed."),
        ),
        statements=(
            Statement("s", SECTIONS[7], f"Nobody knows {NASTY}.", "cannot tell", {"p": 0.3, "by": {"x": [1, 2]}}),
        ),
        tables=(
            Table("t", SECTIONS[1], "A table", ("task", "error"), (("piqa", 1.25), ("openbookqa", None)), "A note."),
        ),
        figures=(Figure("loss_scaling", SECTIONS[0], f"Caption {NASTY}", (panel,)),),
        sources=("A paper",), settings={"seed": 0},
    )  # fmt: skip


class Page(HTMLParser):
    """What a page would load, its headings, ids and links within, and whether its elements are closed."""

    def __init__(self, text: str):
        super().__init__()
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = {k: v or "" for k, v in attrs}
        self.loads += [v for k, v in given.items() if k in ("src", "srcset", "data", "poster") and v]
        self.loads += [given["href"]] if tag == "link" else []
        if given.get("id"):
            self.ids.append(given["id"])
        if given.get("href", "").startswith("#"):
            self.links.append(given["href"][1:])
        if tag not in VOID or tag in ("path", "rect", "circle", "use"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return folder, write_study(study(), folder)


def test_the_folder_has_every_file_and_no_other(written):
    folder, paths = written
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {"report.md", "report.html", "figures/loss_scaling.png", "figures/loss_scaling.svg"}
    assert names == {str(path.relative_to(folder)) for path in paths}


def test_the_page_needs_nothing_but_itself(written):
    text = (written[0] / "report.html").read_text("utf-8")
    page = Page(text)
    assert page.loads == [] and page.open == []
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert len(page.ids) == len(set(page.ids)) and set(page.links) <= set(page.ids)
    assert page.headings == [*SECTIONS, "Sources and settings"]


def test_what_others_wrote_is_escaped(written):
    page, text = ((written[0] / name).read_text("utf-8") for name in ("report.html", "report.md"))
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page
    assert "<script>" not in text and r"a\|b" in text


def test_markdown_has_every_section_row_statement_table_and_figure(written):
    text = (written[0] / "report.md").read_text("utf-8")
    assert re.findall(r"^## (.*)$", text, re.M) == [*SECTIONS, "Sources and settings"]
    assert "| 0.106 | 0.1061 | 0.1061 | yes | reproduced |" in text
    assert "| upper end | – | ∞ | – | – | not checkable | Not printed. |" in text
    assert "* **cannot tell**: Nobody knows" in text and "| openbookqa | – |" in text
    assert "](figures/loss_scaling.png)" in text and "Nothing was computed for this section." in text


def test_the_same_study_gives_the_same_bytes(written, tmp_path):
    for first, second in zip(written[1], write_study(study(), tmp_path)):
        assert first.read_bytes() == second.read_bytes()


def test_something_without_a_section_is_refused(tmp_path):
    whole = study()
    lost = replace(whole, tables=(replace(whole.tables[0], section="Elsewhere"),))
    with pytest.raises(ValueError, match="Table 't' is in section 'Elsewhere'; the study has Loss Scaling"):
        write_study(lost, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_page_on_a_fit_and_a_forecast(tmp_path):
    N = np.geomspace(1e8, 1e10, 8)
    noise = 1 + 0.005 * np.random.default_rng(0).normal(size=8)
    made = lawful.fit("power_law", {"N": N, "L": 18 * N**-0.1 * noise}, variables={"x": "N"}, target="L", seed=7)
    assert isinstance(made, lawful.Fit)
    ahead = lawful.forecast(made, x=[3e12], kind="run")
    path = report(made, ahead, to=tmp_path / "deep" / "report.html")
    text = path.read_text("utf-8")
    page = Page(text)
    assert page.loads == [] and page.open == [] and page.headings == ["power_law", "Forecast"]
    assert words(made.estimates["alpha"]) in text and words(float(ahead.upper[0])) in text
    assert ahead.flag[0] in text and "decades beyond" in text
    assert re.search(r"<td>seed</td><td>7</td>", text) and "log_lsq" in text
    with pytest.raises(TypeError, match="given a str"):
        report(made, "fit.json", to=tmp_path / "x.html")  # pyright: ignore[reportArgumentType]


def test_a_page_with_a_validation(tmp_path):
    runs = {"x": np.geomspace(1e7, 1e10, 9), "y": 30 * np.geomspace(1e7, 1e10, 9) ** -0.1}
    held_out = lawful.validate("power_law", runs, over="x", levels=(0.9,))
    page = report(lawful.fit("power_law", runs), held_out, to=tmp_path / "page.html").read_text("utf-8")
    assert "y held out over x" in page
    assert "Error by distance" in page
    assert all(name in page for name in ("last value", "last two points", "What was found", "skill value"))


def test_cells_in_words():
    said = {
        None: "–", True: "yes", 3: "3", 0.10612: "0.1061", -46.92: "−46.92", 2.6e9: "2.6B", 1.2e-7: "1.2×10⁻⁷",
        math.inf: "∞", -math.inf: "−∞", 1234.56: "1234.6", 3e21: "3×10²¹", (): "–", (1, 2.5): "1, 2.5", 0.0: "0",
    }  # fmt: skip
    assert {value: words(value) for value in said} == said
    assert words(np.float64(0.25)) == "0.25" and words(math.nan) == "not a number"


def test_cells_of_markdown():
    assert cell("a|b\nc") == r"a\|b c" and plain("L_inf of *x*") == r"L_inf of \*x\*"
    assert grid(("name", "value"), [("a", 1.5)]) == ["| name | value |", "| :-- | --: |", "| a | 1.5 |"]


def test_rows_show_only_columns_that_say_something():
    ours = Row("a", "S", "alpha", None, 1.0, "not checkable", golden=1.2, tolerance=0.1)
    near = replace(ours, golden=1.05)
    assert row_table([ours, near]) == (
        ("what", "recomputed", "independent", "agrees"),
        [("alpha", 1.0, 1.2, "no"), ("alpha", 1.0, 1.05, "yes")],
    )
    printed = Row("b", "S", "best", "Kaplan", "Kaplan", "reproduced", golden="Kaplan")
    assert row_table([printed])[0] == ("what", "published", "recomputed", "independent", "agrees", "outcome")
    assert row_table([replace(printed, recomputed="Chinchilla")])[1][0][4] == "no"
