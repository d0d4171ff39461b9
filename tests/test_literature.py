"""The table of the literature against the survey's own tables, and its filters."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from lawful.laws import find
from lawful.literature import TAXONOMY, Study, papers

# Spelling that the table corrects.
SPELLING = (
    ("Accurancy", "Accuracy"), ("Windogrande", "WinoGrande"), ("Syntheic", "Synthetic"), ("Zincand", "ZINC and"),
)  # fmt: skip


def tables(survey: str) -> tuple[list[list[str]], list[list[str]], list[list[str]]]:
    """Its tables of categories, of variables and of code: rows of cells."""
    lines = survey.splitlines()

    def rows(header: str) -> list[list[str]]:
        start = next(i for i, line in enumerate(lines) if line.startswith(header)) + 2
        found = []
        for line in lines[start:]:
            if "|" not in line or line.startswith("Paper |"):
                break
            found.append([cell.strip() for cell in line.split("|")])
        return found

    return rows("Paper | Category"), rows("Paper | Dependent"), rows("Paper | Training code")


def plain(text: str) -> str:
    """Letters, digits and order only: spelling and spacing are the table's own."""
    for wrong, right in SPELLING:
        text = text.replace(wrong, right)
    return re.sub(r"[^a-z0-9]", "", text.casefold())


def key_of(cited: str) -> str:
    first, year = re.match(r"(.+?)(?: et al\.| and .+)? \((\w+)\)", cited).groups()  # type: ignore[union-attr]
    return re.sub(r"[^a-z]", "", first.casefold()) + year


@pytest.fixture(scope="module")
def survey(shared: Path) -> tuple[list[list[str]], list[list[str]], list[list[str]]]:
    return tables((shared / "sources" / "survey.txt").read_text(encoding="utf-8"))


BY_KEY: dict[str, Study] = {s.key: s for s in papers()}


def test_every_tabulated_paper_is_a_row(survey) -> None:
    categories, _, _ = survey
    assert [s.key for s in papers()] == [key_of(row[0]) for row in categories]
    assert len(BY_KEY) == len(papers()) == 53


def test_cells_are_the_survey_s(survey) -> None:
    categories, variables, code = survey
    for row in categories:
        cited, category, task, architecture, datasets, model_range, data_range = [*row, *[""] * 7][:7]
        s = BY_KEY[key_of(cited)]
        assert plain(" ".join(s.category)) == plain(category)
        ours = (s.task, s.architecture, s.datasets, s.model_range, s.data_range)
        assert [plain(x) for x in ours] == [plain(x) for x in (task, architecture, datasets, model_range, data_range)]
    for cited, predicts, scaling, *_ in variables:
        s = BY_KEY[key_of(cited)]
        assert (plain(s.predicts), plain("".join(s.variables))) == (plain(predicts), plain(scaling))
    for cited, training, analysis, *_ in code:
        s = BY_KEY[key_of(cited)]
        assert (s.training_code, s.analysis_code) == (training == "Y", analysis == "Y")
    said = {key_of(row[0]) for row in code}
    assert all(s.training_code is None and s.analysis_code is None for k, s in BY_KEY.items() if k not in said)
    assert {s.key for s in papers() if s.predicts} == {key_of(row[0]) for row in variables}


def test_references_are_the_survey_s(shared: Path) -> None:
    text = (shared / "sources" / "survey.txt").read_text(encoding="utf-8")
    listed = {key_of(m[1]): m[2] for m in re.finditer(r"^- (.+? \(\d{4}[a-z]?\)) (.+)$", text, re.MULTILINE)}
    for s in papers():
        assert plain(s.title.split(":")[0].removeprefix("Circuits updates, April")) in plain(listed[s.key])
        assert s.arxiv in listed[s.key]
        assert all(plain(author) in plain(listed[s.key]) for author in s.authors.split(", "))


def test_laws_are_those_of_the_catalogue(shared: Path) -> None:
    entries = {e["id"]: e for e in json.loads((shared / "laws" / "catalogue.json").read_text())}
    for s in papers():
        for name in s.laws:
            assert entries[name]["paper"].get("arxiv", "") == s.arxiv or not s.arxiv, (s.key, name)
    named = {name for s in papers() for name in s.laws}
    surveyed = {s.arxiv for s in papers() if s.arxiv}
    ours = {i for i, e in entries.items() if e["paper"].get("arxiv") in surveyed}
    assert ours - named == {"li2024_vlm_encoder"}  # no formula was ever found


def test_laws_are_found_under_their_names() -> None:
    for s in papers():
        for name in s.laws:
            assert s in papers(law=find(name).name)


def test_rows_are_frozen_and_well_formed() -> None:
    assert all(set(s.taxonomy) <= set(TAXONOMY) for s in papers())
    with pytest.raises(dataclasses.FrozenInstanceError):
        papers()[0].year = 1999  # type: ignore[misc]
    assert all(re.fullmatch(r"\d{4}\.\d{5}", s.arxiv) for s in papers() if s.arxiv)
    assert all(2020 <= s.year <= 2025 and s.title and s.authors for s in papers())


def test_filters() -> None:
    def keys(**filters) -> set[str]:
        return {s.key for s in papers(**filters)}

    assert keys(variable="D_f") == keys(variable="fine-tuning data") == {"hernandez2021", "zhang2024", "lin2024a"}
    assert keys(predicts="Elo") == {"jones2021"}
    assert keys(year=2020) == {"kaplan2020", "henighan2020", "sharma2020"}
    assert keys(year=range(2020, 2022)) > keys(year=2020)
    assert "krajewski2024" in keys(training_code=True, analysis_code=True, taxonomy="efficient")
    assert keys(modality="games") == {"jones2021", "neumann2023", "hilton2023"}
    assert keys(taxonomy="criticism") == {"diaz2024", "sorscher2023"}
    assert keys(training_code=True) | keys(training_code=False) < set(BY_KEY)  # some are not known
    assert "ye2024" in keys(data=True) and "kaplan2020" not in keys(data=True)
    assert keys(law="rectified") == keys(law="rectified_scaling_law") == {"lin2024a"}
    assert keys(variable="N", year=2020, modality="vision") == {"henighan2020"}
    assert keys(variable="N", training_code=True, analysis_code=False) == {"hu2024", "wu2024"}


def test_equations_that_circulate_wrongly_are_named() -> None:
    for key in ("kaplan2020", "caballero2023", "krajewski2024", "frantar2023", "brown2024", "aghajanyan2023"):
        assert "survey" in BY_KEY[key].check or "circulate" in BY_KEY[key].check
    assert BY_KEY["kumar2024"].check and BY_KEY["hu2024"].check


def test_unknown_filters_are_refused_with_what_there_is() -> None:
    with pytest.raises(ValueError, match="modality: no surveyed paper has 'visoin'.*did you mean 'vision'"):
        papers(modality="visoin")
    with pytest.raises(ValueError, match="variable: no surveyed paper has 'batch size'.*Model Parameters"):
        papers(variable="batch size")
    with pytest.raises(ValueError, match="known: RL, criticism, data"):
        papers(taxonomy="vision")
    with pytest.raises(ValueError, match="no law 'nothing'"):
        papers(law="nothing")
