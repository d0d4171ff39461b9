"""What can be read, how rows are chosen, and what `Runs` keeps and gives."""

import doctest
import gzip
import json
import pickle
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_of_runs import GOOD, found, refused

import lawful.runs
from lawful.runs import RunsError, read

# --- What comes in ------------------------------------------------------------------------------------------


def test_names_are_recognised_and_values_kept(write):
    runs = read(write(GOOD))
    assert runs.frame.columns == ["params", "tokens", "loss", "family"]
    assert runs.columns["params"] == "n_params" and runs.target == "loss"
    assert runs.rows == (2, 3, 4, 5, 6) and runs.at(0) == "line 2"
    for name in ("N", "params", "n_params", "num_params"):
        assert runs[name].tolist() == [70e6, 70e6, 160e6, 410e6, 410e6]
    assert runs["N"].dtype == np.float64 and runs["family"].tolist() == list("aabbb")
    assert "C" not in runs and "D" in runs and 3 not in runs
    assert runs.findings == () and runs.dropped == ()


def test_all_sources_give_the_same_runs(write, tmp_path):
    reference = read(write(GOOD))
    frame = pl.read_csv(write(GOOD))
    frame.write_parquet(tmp_path / "runs.parquet")
    records = "\n".join(json.dumps(row) for row in frame.to_dicts())
    (tmp_path / "runs.csv.gz").write_bytes(gzip.compress(GOOD.encode()))
    (tmp_path / "runs.jsonl.gz").write_bytes(gzip.compress(records.encode()))
    sources = [
        write(GOOD.replace(",", "\t"), "runs.tsv"),
        write(GOOD.replace(",", ";"), "semicolons.csv"),
        write("# a comment\n\n" + GOOD, "comment.csv"),
        write(records, "runs.ndjson"),
        tmp_path / "runs.parquet",
        tmp_path / "runs.csv.gz",
        tmp_path / "runs.jsonl.gz",
        str(tmp_path / "runs.csv"),
        frame,
        frame.lazy(),
        frame.to_dict(as_series=False),
        {column: frame[column].to_numpy() for column in frame.columns},
        pd.DataFrame(frame.to_dict(as_series=False)),
    ]
    for source in sources:
        runs = read(source)
        assert runs.fingerprint == reference.fingerprint, source
        assert runs.columns == reference.columns


def test_to_native_gives_back_the_kind_that_came_in():
    columns = {"N": [1e8, 2e8, None], "L": [3.0, 2.5, 2.2], "run": ["a", "b", "c"]}
    native = read(pd.DataFrame(columns), target="L", columns="L=L").to_native()
    assert isinstance(native, pd.DataFrame) and native["params"].tolist() == [1e8, 2e8]
    assert isinstance(read(columns).to_native(), pl.DataFrame)


def test_missing_values_of_pandas_and_values_of_mixed_kinds():
    table = {
        "N": pd.array([100_000_000, None, 300_000_000], dtype="Int64"),
        "L": [3.0, 2.9, np.nan],
        "family": pd.Categorical(["a", "b", "a"]),
        "flag": pd.array([True, None, False], dtype="boolean"),
        "day": pd.to_datetime(["2024-01-01", None, "2024-01-03"]),
        "mixed": [1, "a", None],
    }
    runs = read(pd.DataFrame(table, index=[5, 7, 9]))
    assert runs.rows == (0,) and [d.reason for d in runs.dropped] == ["params is missing", "loss is missing"]
    everything = read(pd.DataFrame(table), need=(), target="family").frame
    assert everything["mixed"].to_list() == ["1", "a", None] and everything["day"].null_count() == 1
    refused(pd.DataFrame({"N": [1e8, "2B"], "L": [3, 2]}), "the frame given, row 1, column 'N'", "Write 2e+09")


def test_columns_as_a_string_and_as_a_mapping(write):
    path = write("a,b,c\n1e8,2e9,3\n2e8,9e9,2.8\n3e8,8e9,2.7\n")
    one, two = read(path, "N=a, D=b,L=c"), read(path, {"params": "a", "D": "b", "loss": "c"})
    assert one.fingerprint == two.fingerprint and one.frame.columns == ["params", "tokens", "loss"]
    with pytest.raises(RunsError, match=r"cannot be read at 'N'"):
        read(path, "N,D=b")


def test_what_the_user_maps_wins_and_the_other_column_is_kept(write):
    runs = read(write("N,params_nominal,L\n111e6,1e8,3\n256e6,3e8,2\n"), {"N": "params_nominal"})
    assert runs["N"].tolist() == [1e8, 3e8] and runs["params_nominal"].tolist() == [1e8, 3e8]
    assert runs["N_other"].tolist() == [111e6, 256e6]
    runs = read(write("params,params_nominal,L\n111e6,1e8,3\n256e6,3e8,2\n"), {"N": "params_nominal"})
    assert runs["params_other"].tolist() == [111e6, 256e6]
    assert "the 2 values of the file's own column params" in found(runs, "unused-column").message


def test_one_column_can_be_two_quantities_and_two_can_be_swapped():
    runs = read(
        {"tokens": [1e8, 2e8], "params": [2e9, 3e9], "L": [3, 2]},
        {"N": "tokens", "D": "params", "x": "tokens"},
    )
    assert runs["N"].tolist() == runs["x"].tolist() == [1e8, 2e8] and runs["D"].tolist() == [2e9, 3e9]


def test_a_lone_letter_is_recognised_only_where_it_is_clear():
    runs = read({"N": [1e8, 2e8], "L": [3, 2], "k": [1, 2], "d": [1, 2]})
    assert runs.frame.columns == ["params", "loss", "k", "d"]


def test_text_is_not_taken_for_a_number():
    runs = read({"N": [1e8, 2e8], "L": [3, 2.5], "warmup": ["long", "short"]})
    assert runs["warmup"].tolist() == ["long", "short"]


def test_arrays_and_whole_numbers_beyond_64_bits(write):
    runs = read({"mixture": [[0.2, 0.8], [0.5, 0.5]], "L": [2.0, 3.0], "C": [10**24, 10**25]})
    assert runs["mixture"].shape == (2, 2) and runs["C"].tolist() == [1e24, 1e25]
    ragged = read({"lr_schedule": [[1.0], [1.0, 0.5]], "L": [2.0, 3.0]})["lr_schedule"]
    assert ragged.dtype == object and ragged[1].tolist() == [1.0, 0.5]
    assert read(write("C,L\n1000000000000000000000000,2\n3000000000000000000000000,3\n"))["C"][0] == 1e24


# --- Files that are no tables -------------------------------------------------------------------------------


def test_missing_file_names_the_nearest(write):
    path = write(GOOD, "my_runs.csv")
    with pytest.raises(FileNotFoundError, match=r"there is no file my_run.csv in .*did you mean 'my_runs.csv'"):
        read(path.with_name("my_run.csv"))
    with pytest.raises(FileNotFoundError, match="its folder .* does not exist"):
        read(path.parent / "nowhere" / "runs.csv")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        read(path.parent)


@pytest.mark.parametrize(
    ("text", "name", "parts"),
    [
        ("", "runs.csv", ["runs.csv", "empty", "0 lines"]),
        ("N,D,L\n", "runs.csv", ["runs.csv", "0 rows", "Write one row per run"]),
        ("N,L\n1e8,3\n2e8,2,7\n", "runs.csv", ["runs.csv, line 3", "3 cells", "header 2", "Quote"]),
        ('N,L\n"1\ne8",3\n2e8\n', "runs.csv", ["line 4", "1 cells"]),
        ("N,L,N\n1e8,3,4\n", "runs.csv", ["line 1", "column 'N'", "'N' heads 2 columns", "own name"]),
        ('{"N": 1}\n{"N": \n', "runs.jsonl", ["runs.jsonl, line 2", "not a JSON object"]),
        ("[1, 2]\n", "runs.jsonl", ["line 1", "not a JSON object"]),
        ("nothing", "runs.parquet", ["runs.parquet", "not a Parquet file"]),
        ("N,L", "runs.xlsx", ["runs.xlsx", "'.xlsx'", "Allowed: .csv, .tsv, .jsonl"]),
    ],
)
def test_broken_files(write, text, name, parts):
    refused(write(text, name), *parts)


def test_not_utf8(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_bytes(b"N,L\n1e8,3\n\xff,2\n")
    refused(path, "runs.csv, line 3", "0xff", "Allowed: UTF-8")


def test_not_a_table():
    with pytest.raises(TypeError, match="runs cannot be read from a int"):
        read(3)
    refused({"N": [1, 2], "L": [1]}, "different lengths: N 2, L 1")


# --- Names --------------------------------------------------------------------------------------------------


def test_missing_column_names_the_nearest(write):
    path = write(GOOD)
    refused(path, "runs.csv", "no column 'n_param'", "did you mean 'n_params'", columns={"N": "n_param"})
    refused(path, "no column 'familly'", "did you mean 'family'", by="familly")
    refused(path, "no column 'wieght'", weights="wieght")
    with pytest.raises(ValueError, match="no quantity is called 'Nn'"):
        read(path, {"Nn": "n_params"})
    with pytest.raises(RunsError, match="there is no column 'param'; did you mean 'params'"):
        read(path)["param"]


def test_two_candidates_for_one_quantity(write):
    path = write("N,train_loss,val_loss\n1e8,3,3.1\n2e8,2.8,2.9\n")
    refused(path, "'train_loss' and 'val_loss'", "could each be loss", "columns={'L': 'train_loss'}")
    assert read(path, {"L": "val_loss"})["L"].tolist() == [3.1, 2.9]
    runs = read(write("N,loss,train_loss\n1e8,3,3.1\n2e8,2.8,2.9\n"))
    assert runs["L"].tolist() == [3, 2.8] and "train_loss" in found(runs, "unused-column").message


# --- Choosing rows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("loss < 3.4", (3, 5, 6)),
        ("L < 3.4 and family == 'b'", (5, 6)),
        ("family in ('a', 'c') or not N < 4e8", (2, 3, 5, 6)),
        ("family not in ['a']", (4, 5, 6)),
        ("D/N > 50 and 3 < val_loss <= 3.3", (3,)),
        ("`val_loss` ** 2 > -1 * -15", (2,)),
    ],
)
def test_where(write, expression, rows):
    runs = read(write(GOOD))
    assert runs.where(expression).rows == rows
    assert read(write(GOOD), where=expression).rows == rows


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("familly == 'a'", "names the column 'familly', which is not there; did you mean 'family'"),
        ("__import__('os').system('true')", "is not understood"),
        ("loss.real < 3", "'loss.real' is not understood"),
        ("loss <", "cannot be read"),
        ("loss + 1", "is not true or false of every row"),
        ("1 < 2", "is not true or false of every row"),
        ("family < 3", "does not fit the columns"),
        ("family in 'abc'", "after 'in' comes"),
        ("loss > 99", "holds for none of 5 rows"),
    ],
)
def test_where_explains_itself(write, expression, told):
    with pytest.raises(RunsError, match=re.escape(told)):
        read(write(GOOD)).where(expression)


def test_rows_with_missing_values_are_not_chosen():
    runs = read({"L": [3.0, 2.0, 2.5], "seed": [1, None, 2]})
    assert runs.where("seed != 1").rows == (2,)


# --- The noun -----------------------------------------------------------------------------------------------


def test_groups_and_columns(write):
    runs = read(write(GOOD), by="family")
    groups = runs.groups()
    assert list(groups) == ["a", "b"] and groups["b"].rows == (4, 5, 6) and groups["b"].by == ()
    assert list(read(write(GOOD), by="family,n_params").groups())[:2] == [("a", 70e6), ("b", 160e6)]
    more = runs.with_columns(C=6 * runs["N"] * runs["D"], extra=["u", "v", "w", "x", "y"])
    assert more["flops"][0] == 6 * 70e6 * 1e9 and more["extra"][4] == "y" and "C" not in runs
    with pytest.raises(RunsError, match="C has 1 values for 5 rows"):
        runs.with_columns(C=[1.0])


def test_findings_follow_the_rows():
    runs = read({"N": [1e8, 1e9, 2e8], "D": [2e9, 2e10, 9e9], "L": [3, 2.5, 2.8]})
    assert runs.findings == ()
    assert found(runs.take([0, 1]), "confounded").rows == (0, 1)


def test_summary_and_pickle(write):
    runs = read(write(GOOD), by="family")
    assert "5 rows from runs.csv in 2 groups by family; target loss" in str(runs)
    assert "N = params: 7e+07 to 4.1e+08 parameters" in str(runs) and "5 rows" in repr(runs)
    copy = pickle.loads(pickle.dumps(runs))
    assert copy.fingerprint == runs.fingerprint and copy.rows == runs.rows


def test_errors_survive_pickling(write):
    error = pickle.loads(pickle.dumps(refused(write("N,L\n1e8,3\nx,2\n"), "line 3")))
    assert "line 3" in str(error) and error.value == "x"


positive = st.floats(1e6, 1e15, allow_subnormal=False)
tables = st.lists(st.tuples(positive, positive, st.floats(0.5, 12), st.text("abc", min_size=1)), min_size=2, max_size=8)


@settings(max_examples=40, deadline=None)
@given(rows=tables, data=st.data())
def test_what_is_written_is_read_again_in_any_order(rows, data, tmp_path_factory):
    columns = dict(zip(("params", "tokens", "loss", "family"), map(list, zip(*rows))))
    runs = read(columns)
    folder = tmp_path_factory.mktemp("runs")
    order = data.draw(st.permutations(range(len(runs))))
    names = data.draw(st.permutations(list(columns)))
    shuffled = runs.to_native()[order].select(names)
    shuffled.write_csv(folder / "runs.csv")
    shuffled.write_parquet(folder / "runs.parquet")
    for name in ("runs.csv", "runs.parquet"):
        again = read(folder / name)
        assert again.fingerprint == runs.fingerprint
        np.testing.assert_array_equal(again["L"], runs["L"][order])
    changed = runs.with_columns(loss=np.append(runs["L"][1:], 12.25))
    assert changed.fingerprint != runs.fingerprint


def test_the_examples_hold():
    assert doctest.testmod(lawful.runs).attempted and not doctest.testmod(lawful.runs).failed


def test_reading_is_not_paid_for_by_importing():
    code = "import sys, lawful.runs; print({'polars', 'narwhals', 'pandas', 'scipy'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_where_knows_true_and_false():
    runs = lawful.read({"N": [1e8, 1e9, 1e10], "loss": [3.0, 2.5, 2.2], "kept": [True, False, True]})
    assert len(runs.where("kept == false")) == 1 and len(runs.where("kept")) == 2


def test_counts_beyond_64_bits_are_numbers():
    frame = pl.DataFrame({"flops": pl.Series([10**19, 10**20], dtype=pl.Int128), "loss": [3.0, 2.5]})
    assert read(frame)["C"].tolist() == [1e19, 1e20]
