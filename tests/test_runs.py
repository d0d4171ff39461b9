"""Every check on the way in, each against a deliberately broken file; and what `Runs` keeps and gives."""

import gzip
import json
import math
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

from lawful.runs import Finding, Runs, RunsError, read

GOOD = """n_params,train_tokens,val_loss,family
70e6,1e9,3.9,a
70e6,9e9,3.3,a
160e6,2e9,3.5,b
410e6,2e9,3.2,b
410e6,30e9,2.7,b
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "runs.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def refused(source, *parts: str, **options) -> RunsError:
    """The table is refused, and the message holds all these parts."""
    with pytest.raises(RunsError) as caught:
        read(source, **options)
    for part in parts:
        assert part in str(caught.value)
    return caught.value


def found(runs: Runs, code: str) -> Finding:
    findings = [f for f in runs.findings if f.code == code]
    assert len(findings) == 1, [f.code for f in runs.findings]
    assert re.search(r"\d", findings[0].message), "a finding is a sentence with a number"
    return findings[0]


# --- What comes in -----------------------------------------------------------------------------------------


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


# --- Files that are no tables ------------------------------------------------------------------------------


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


# --- Names -------------------------------------------------------------------------------------------------


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


# --- Numbers and units -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("1.3B", "Write 1.3e+09 instead"),
        ("410M", "Write 4.1e+08 instead"),
        ('"1,300,000"', "Write 1.3e+06 instead"),
        ("about 5", "Write a number, or leave the cell empty"),
    ],
)
def test_text_among_numbers_names_the_cell(write, cell, remedy):
    path = write(f"n_params,train_tokens,loss\n70e6,1e9,3\n{cell},2e9,2.9\n")
    error = refused(path, "runs.csv, line 3, column 'n_params'", "is not a number", "Allowed: plain numbers", remedy)
    assert error.value == cell.strip('"') and error.column == "n_params" and error.row == "line 3"


@pytest.mark.parametrize(
    ("header", "cells", "unit", "expected"),
    [
        ("N,D,L", ["0.07,1e9,3", "0.16,5e9,2.8", "1.4,2e9,2.7"], {"N": "billions"}, 70e6),
        ("N,D,L", ["70.4,1e9,3", "162.3,5e9,2.8", "405.3,2e9,2.7"], {"N": "millions"}, 70.4e6),
        ("N,D,L", ["7.85,1e9,3", "8.2,5e9,2.8", "8.6,2e9,2.7"], {"N": "log10"}, 10**7.85),
        ("D,N,L", ["2.2,111e6,3", "5.1,256e6,2.8", "11.8,9e8,2.7"], {"D": "billions"}, 2.2e9),
        ("C,L", ["18.5,3", "19.2,2.8", "21.7,2.7"], {"C": "log10"}, 10**18.5),
        ("C,L", ["0.01,3", "3,2.8", "11,2.7"], {"C": "pf_days"}, 8.64e17),
    ],
)
def test_unit_slips_are_refused_and_can_be_stated(write, header, cells, unit, expected):
    path = write("\n".join([header, *cells]))
    symbol, name = next(iter(unit.items()))
    value = float(cells[0].split(",")[0])
    error = refused(
        path,
        f"runs.csv, line 2, column '{symbol}'",
        "all 3 values lie between",
        f"units={{'{symbol}': '{name}'}}",
    )
    assert error.value == value and "plain counts" in str(error)
    runs = read(path, units=unit)
    assert runs[symbol][0] == pytest.approx(expected, rel=1e-12)
    assert runs.units == {runs.frame.columns[0]: name}
    assert f"3 values of {symbol} were converted from {name}" in found(runs, "unit").message


def test_small_counts_can_be_confirmed(write):
    path = write("N,D,L\n1.5,10,3\n2.5,90,2.8\n3.5,20,2.7\n")
    assert read(path, units={"N": "counts", "D": "counts"})["N"][0] == 1.5
    whole = read(write("N,D,L\n70,1e9,3\n160,9e9,2.8\n"))
    assert "largest 160" in found(whole, "small-counts").message
    assert "units={'N': 'millions'}" in found(whole, "small-counts").remedy


@pytest.mark.parametrize("name", ["val_ppl", "perplexity", "bpb", "loss_bits", "eval/bpb"])
def test_a_loss_whose_name_says_another_unit(write, name):
    path = write(f"N,{name}\n1e8,3\n2e8,2\n")
    unit = "perplexity" if "p" in name.replace("bpb", "") else "bits"
    refused(
        path,
        f"runs.csv, column '{name}'",
        f"the name says {unit}",
        "Allowed: nats, bits, perplexity",
        f"units={{'L': '{unit}'}}",
        columns={"L": name},
    )
    factor = math.log(2) if unit == "bits" else math.log(3) / 3
    assert read(path, {"L": name}, units={"L": unit})["L"][0] == pytest.approx(3 * factor)


def test_a_size_whose_name_says_billions(write):
    refused(
        write("params_billions,L\n70,3\n160,2\n"),
        "column 'params_billions'",
        "the name says billions",
        "units={'N': 'billions'}",
        columns={"N": "params_billions"},
    )


def test_unknown_units(write):
    path = write(GOOD)
    refused(path, "'billion' is not one for params", "did you mean 'billions'", units={"N": "billion"})
    refused(path, "'percent' is not one for loss", "Allowed: nats, bits, perplexity", units={"L": "percent"})
    refused(path, "no column flops", units={"C": "pf_days"})


def test_loss_worse_than_guessing_is_an_error_level_finding(write):
    finding = found(read(write("N,L\n1e8,3\n2e8,40\n4e8,2.8\n")), "high-loss")
    assert finding.severity == "error" and finding.rows == (3,)
    assert "1 of 3 losses exceed 12.5" in finding.message and "40 in line 3" in finding.message
    assert "units={'L': 'bits'}" in finding.remedy


def test_accuracy_in_percent(write):
    path = write("N,accuracy\n1e8,26.8\n2e8,31.2\n")
    error = refused(path, "runs.csv, line 2, column 'accuracy'", "26.8 is no fraction", "2 of 2", "0 to 1")
    assert "units={'accuracy': 'percent'}" in str(error) and error.value == 26.8
    assert read(path, units={"accuracy": "percent"})["accuracy"].tolist() == pytest.approx([0.268, 0.312])
    refused(write("N,accuracy\n1e8,-0.2\n2e8,0.4\n"), "-0.2 is no fraction", "Correct the value")


# --- Compute -----------------------------------------------------------------------------------------------


def with_flops(factors) -> dict:
    N, D = np.array([1e8, 3e8, 1e9, 2e9]), np.array([9e9, 2e9, 8e9, 5e10])
    return {"N": N, "D": D, "C": 6 * N * D * np.array(factors), "L": [3.2, 3.1, 2.8, 2.5]}


def test_flops_that_disagree_with_6nd():
    finding = found(read(with_flops([1, 1.2, 1.8, 2.1])), "flops-6nd")
    assert finding.severity == "warning" and finding.rows == (2, 3)
    assert "1.8 to 2.1 times 6 x params x tokens in 2 of 4 rows" in finding.message
    assert "factor 1.5" in finding.message and "attention" in finding.message
    assert read(with_flops([1, 1.2, 1.8, 2.1]), flops_tolerance=3).findings == ()
    assert "2ND" in found(read(with_flops([1 / 3] * 4)), "flops-6nd").message
    assert "nominal" in found(read(with_flops([0.5, 1, 1, 2])), "flops-6nd").message


@pytest.mark.parametrize("factor", [1e9, 1 / 8.64e19, 1e-3 / 2])
def test_flops_off_by_a_constant_are_a_unit_slip(factor, tmp_path):
    path = tmp_path / "runs.csv"
    table = pl.DataFrame(with_flops([factor] * 4))
    table.write_csv(path)
    units = {"C": "counts"}
    error = refused(path, "runs.csv, line 2, column 'C'", "slip of units", "plain counts", "'pf_days'", units=units)
    assert error.value == table["C"][0] and f"{factor:.3g} times" in str(error)


# --- Designs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("N", "D", "told"),
    [
        ([1e8, 1e9, 1e10], [2e9, 2e10, 2e11], "D is 20 times N in all 3 runs"),
        ([1e8, 1e9, 1e10], [3e11] * 3, "D is 3e+11 tokens in all 3 runs"),
        ([1e8] * 3, [1e9, 1e10, 3e10], "N is 1e+08 in all 3 runs"),
        (
            [1e8, 1e9, 1e10, 1e11],
            [1e9, 1e9 * 10**0.7, 1e9 * 10**1.4, 1e9 * 10**2.1],
            "D goes as N^0.70 in all 4",
        ),
    ],
)
def test_size_and_data_that_cannot_be_told_apart(N, D, told):
    finding = found(read({"N": N, "D": D, "L": [3.0, 2.5, 2.2, 2.0][: len(N)]}), "confounded")
    assert finding.severity == "warning" and told in finding.message and len(finding.rows) == len(N)


def test_groups_are_looked_at_one_by_one(write):
    rows = ["1e8,2e9,3,a", "1e9,2e10,2.5,a", "1e8,9e9,2.9,b", "2e8,3e9,2.8,b", "4e8,9e9,2.6,b"]
    path = write("\n".join(["N,D,L,family", *rows]))
    assert read(path).findings == ()
    finding = found(read(path, by="family"), "confounded")
    assert "1 of 2 groups: a: D is 20 times N" in finding.message and finding.rows == (2, 3)


def test_exact_duplicates_are_kept_once_and_listed(write):
    runs = read(write(GOOD + "160e6,2e9,3.5,b\n"))
    assert len(runs) == 5 and [(d.row, d.reason) for d in runs.dropped] == [(7, "the same as line 4 in every column")]
    assert "1 rows repeat" in found(runs, "duplicates").message


def test_replicates(write):
    runs = read(write("N,D,L,seed\n1e8,1e9,3,1\n1e8,1e9,3.1,2\n2e8,9e9,2.8,1\n1e8,1e9,3.05,3\n"))
    assert runs.replicates() == ((0, 1, 3),)
    assert "3 rows are replicates: 1 designs" in found(runs, "replicates").message
    assert found(runs, "replicates").rows == (2, 3, 5)
    other = read({"N": [1e8, 1e8, 2e8], "L": [3, 3.1, 2.5], "optimizer": ["adam", "sgd", "adam"]})
    assert other.replicates() == ()


CURVES = "run,N,D,L\n" + "".join(
    f"{run},{N},{D}e9,{3 - D / 20 + N / 1e10}\n" for run, N in (("a", 1e8), ("b", 2e8)) for D in range(1, 8)
)


def test_checkpoints_of_one_run_are_not_independent(write):
    runs = read(write(CURVES))
    finding = found(runs, "checkpoints")
    assert runs.run_column == "run" and finding.severity == "warning"
    assert "14 rows are checkpoints of 2 runs" in finding.message and len(finding.rows) == 14
    unnamed = CURVES.replace("run,", "job,")
    assert "14 rows share 2 designs" in found(read(write(unnamed), where="N > 0"), "curves").message
    assert found(read(write(unnamed), run="job"), "checkpoints").rows == finding.rows


def test_unlike_measurements(write):
    path = write("N,task,metric,accuracy\n1e8,arc,acc,.2\n1e8,arc,acc_norm,.25\n2e8,arc,acc,.3\n2e8,arc,acc_norm,.4\n")
    error = refused(path, "runs.csv, line 3, column 'metric'", "'acc', 'acc_norm'", "unlike", 'by="metric"')
    assert error.value == "acc_norm" and "where=\"metric == 'acc'\"" in str(error)
    assert len(read(path, where="metric == 'acc'")) == 2
    assert set(read(path, by="metric").groups()) == {"acc", "acc_norm"}
    refused(write("N,shots,accuracy\n1e8,0,.2\n1e8,5,.3\n"), "line 3, column 'shots'", "0, 5")
    refused(write("N,harness,accuracy\n1e8,v1,.2\n1e8,v2,.3\n"), "line 3, column 'harness'", "'v1', 'v2'")


# --- Rows that are left out --------------------------------------------------------------------------------


def test_unusable_rows_are_listed_with_their_lines(write):
    text = "N,D,L,note\n1e8,1e9,3,x\n,9e9,2.9,x\n2e8,-5,2.8,x\n2e8,9e9,nan,x\n4e8,2e9,inf,x\n4e8,3e9,2.7,\n"
    runs = read(write(text))
    assert [(d.row, d.reason) for d in runs.dropped] == [
        (3, "params is missing"),
        (4, "tokens is -5, not positive"),
        (5, "loss is missing"),
        (6, "loss is not finite"),
    ]
    assert runs.rows == (2, 7) and "dropped 1: loss is not finite (line 6)" in str(runs)


def test_what_is_needed_follows_from_what_is_mapped(write):
    path = write("N,D,L,w8\n1e8,,3,1\n2e8,9e9,2.8,0\n4e8,9e9,2.7,1\n")
    assert read(path).rows == (3, 4)
    assert read(path, {"N": "N", "L": "L"}).rows == (2, 3, 4)
    assert read(path, {"L": "L"}).rows == (3, 4)
    assert read(path, weights="w8").rows == (4,)
    assert read(path, need=()).rows == (2, 3, 4) and read(path, need=("D",)).rows == (3, 4)
    assert read(path, {"N": "N"}).complete("D").dropped[0].reason == "tokens is missing"


def test_all_rows_dropped(write):
    refused(
        write("N,D,L\n1e8,,3\n2e8,,2\n"),
        "runs.csv, line 2, column 'tokens'",
        "all 2 rows",
        "tokens is missing",
    )


# --- Choosing rows -----------------------------------------------------------------------------------------


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


# --- The noun ----------------------------------------------------------------------------------------------


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


def test_reading_is_not_paid_for_by_importing():
    code = "import sys, lawful.runs; print({'polars', 'narwhals', 'pandas', 'scipy'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
