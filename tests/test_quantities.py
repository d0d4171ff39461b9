"""The vocabulary is closed, unambiguous, and knows the names that the literature uses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lawful.quantities import QUANTITIES, by_column, by_symbol, find, lookup, normalize

CATALOGUE = Path(__file__).parents[2] / "shared" / "laws" / "catalogue.json"

# Symbols that different papers use for different things: no entry may claim them.
OVERLOADED = set("E K M P R T X b c d g h j n q r s t n1 n2 Dn r_i C_train".split())


def test_every_name_stands_for_one_quantity():
    owner: dict[str, str] = {}
    for quantity in QUANTITIES:
        for name in {normalize(n) for n in (quantity.symbol, quantity.column, *quantity.aliases)}:
            assert owner.setdefault(name, quantity.symbol) == quantity.symbol, name


@pytest.mark.parametrize("field", ["symbol", "column"])
def test_symbols_and_columns_are_unique(field):
    values = [getattr(q, field) for q in QUANTITIES]
    assert len(values) == len(set(values))


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda q: q.symbol)
def test_entry_is_complete(quantity):
    assert quantity.unit and quantity.meaning
    assert quantity.column.isidentifier() and quantity.column == quantity.column.lower()
    assert lookup(quantity.symbol) is lookup(quantity.column) is quantity
    assert by_symbol(quantity.symbol) is by_column(quantity.column) is quantity
    assert quantity.numeric == (quantity.kind not in ("label", "array"))


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("N", "N"),
        ("n_params", "N"),
        ("Num Params", "N"),
        ("train_tokens", "D"),
        ("val/loss", "L"),
        ("d_model", "w"),
        ("acc", "accuracy"),
        ("non-embedding-params", "N_nonemb"),
        ("token_multiplier", "TPP"),
    ],
)
def test_lookup_finds_names_that_files_use(name, symbol):
    assert lookup(name).symbol == symbol


def test_a_single_letter_keeps_its_case():
    assert lookup("D").column == "tokens"
    assert find("d") is None


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"no quantity is called 'val_los'; did you mean 'val_loss'"):
        lookup("val_los")
    with pytest.raises(ValueError, match=r"no quantity has the column 'param'; did you mean 'params'"):
        by_column("param")
    with pytest.raises(ValueError, match="symbol 'params'"):
        by_symbol("params")


@pytest.mark.skipif(not CATALOGUE.exists(), reason="the folder shared/ is not beside the repository")
def test_the_literature_is_covered():
    used = {v["symbol"] for law in json.loads(CATALOGUE.read_text()) for v in law["variables"]}
    assert {s for s in used if find(s) is None} <= OVERLOADED
    assert all(find(s) is None for s in OVERLOADED)


def test_importing_the_vocabulary_loads_nothing_heavy():
    code = "import sys, lawful.quantities; print({'numpy', 'polars', 'scipy'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
