"""The literature of scaling laws as a table: which paper measured what, over which range, with which code public.

The rows are the papers that Sengupta, Goel and Chakraborty tabulate in "How to Upscale Neural Networks with Scaling
Law?" (2025): categories, ranges, variables and code as their tables have them, spelling corrected. Our own are the
modality, whether results of the runs are known to be public, the laws of the catalogue, and the check: what we found
where an equation circulates in a wrong form. An empty cell means that the survey does not say.

    >>> from lawful import literature
    >>> [p.key for p in literature.papers(variable="N", modality="vision", analysis_code=True)]
    ['caballero2023', 'alabdulmohsin2022']
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

# Symbols of lawful.quantities under the survey's names for scaling variables.
_SYMBOLS = {
    "N": "Model Parameters", "D": "Data", "C": "Compute", "S": "Training Steps", "D_f": "Fine-tuning Data",
    "epochs": "Epochs", "experts": "Number Of Experts", "G": "Granularity", "sparsity": "Sparsity",
    "k": "Number Of Samples", "e_US": "Upstream Error", "mixture": "Proportion Of Training Domains",
    "share": "Mixture Ratio",
}  # fmt: skip
TAXONOMY = ("model", "data", "post-training", "inference", "efficient", "multimodal", "RL", "criticism")


@dataclass(frozen=True)
class Study:
    """One surveyed paper.

    key: first author and year, with the survey's letter where it cites several. taxonomy: nodes of `TAXONOMY`, none
    where the survey has no place for it. model_range and data_range: as printed (parameters, tokens or examples).
    predicts, variables: the dependent variable and what it scales with. training_code, analysis_code: public or not,
    None where the survey does not say. data: True where results of the runs are known to be public, None where not.
    laws: names for `lawful.laws.find`. check: our findings on the equations, empty where there is nothing to say.
    """

    key: str
    authors: str
    year: int
    title: str
    arxiv: str
    taxonomy: tuple[str, ...]
    category: tuple[str, ...]
    modality: tuple[str, ...]
    task: str
    architecture: str
    datasets: str
    model_range: str
    data_range: str
    predicts: str
    variables: tuple[str, ...]
    training_code: bool | None
    analysis_code: bool | None
    data: bool | None
    laws: tuple[str, ...]
    check: str


def papers(
    *,
    variable: str | None = None,
    modality: str | None = None,
    year: int | Iterable[int] | None = None,
    predicts: str | None = None,
    taxonomy: str | None = None,
    training_code: bool | None = None,
    analysis_code: bool | None = None,
    data: bool | None = None,
    law: str | None = None,
) -> tuple[Study, ...]:
    """The surveyed papers that fit every filter given, in the survey's order.

    variable: a scaling variable, by symbol (``"N"``) or by the survey's name, whole. modality: language, code, vision,
    video, multimodal, games or graphs. year: one or several (``range(2020, 2023)``). predicts: any part of the
    dependent variable's name (``"loss"``). taxonomy: a node of `TAXONOMY`. training_code, analysis_code, data: True or
    False; a paper of which it is not known fits neither. law: a name or an alias of a law of the catalogue.
    Letter case does not matter.

    Raises ValueError for a variable, modality or taxonomy that no paper has, with those there are.
    """
    rows = _read()
    years = None if year is None else {year} if isinstance(year, int) else set(year)
    if variable is not None:
        variable = _one_of("variable", _SYMBOLS.get(variable, variable), (v for r in rows for v in r.variables))
    if modality is not None:
        modality = _one_of("modality", modality, (m for r in rows for m in r.modality))
    if taxonomy is not None:
        taxonomy = _one_of("taxonomy", taxonomy, TAXONOMY)
    names = None if law is None else _names(law)
    return tuple(
        r
        for r in rows
        if (variable is None or variable in r.variables)
        and (modality is None or modality in r.modality)
        and (taxonomy is None or taxonomy in r.taxonomy)
        and (years is None or r.year in years)
        and (predicts is None or predicts.casefold() in r.predicts.casefold())
        and (training_code is None or r.training_code is training_code)
        and (analysis_code is None or r.analysis_code is analysis_code)
        and (data is None or r.data is data)
        and (names is None or names & set(r.laws))
    )


def _one_of(argument: str, given: str, known: Iterable[str]) -> str:
    by_folded = {k.casefold(): k for k in known}
    if given.casefold() not in by_folded:
        from lawful.quantities import did_you_mean

        there = sorted(by_folded.values())
        near = did_you_mean(given, there)
        listed = near if near.startswith("; known") else f"{near}; known: {', '.join(there)}"
        raise ValueError(f"{argument}: no surveyed paper has {given!r}{listed}")
    return by_folded[given.casefold()]


def _names(law: str) -> set[str]:
    from lawful.laws import find

    found = find(law)
    return {found.name, *found.aliases}


@cache
def _read() -> tuple[Study, ...]:
    import csv
    from importlib.resources import files

    text = files("lawful").joinpath("literature.csv").read_text(encoding="utf-8")
    return tuple(_study(row) for row in csv.DictReader(text.splitlines()))


def _study(row: dict[str, str]) -> Study:
    cells: dict = dict(row)
    cells["year"] = int(row["year"])
    for name, mark in {"taxonomy": ";", "category": ",", "modality": ";", "variables": ",", "laws": ";"}.items():
        cells[name] = tuple(part.strip() for part in row[name].split(mark) if part.strip())
    for name in ("training_code", "analysis_code", "data"):
        cells[name] = {"Y": True, "N": False, "": None}[row[name]]
    return Study(**cells)
