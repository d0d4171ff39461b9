"""Every check on the way in, each against a deliberately broken table."""

import math

import numpy as np
import polars as pl
import pytest
from tables_of_runs import GOOD, found, refused

from lawful.runs import read

# --- Numbers and units --------------------------------------------------------------------------------------


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


# --- Compute ------------------------------------------------------------------------------------------------


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


# --- Designs ------------------------------------------------------------------------------------------------


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
    assert "1 row repeated another" in found(runs, "duplicates").message


def test_replicates(write):
    runs = read(write("N,D,L,seed\n1e8,1e9,3,1\n1e8,1e9,3.1,2\n2e8,9e9,2.8,1\n1e8,1e9,3.05,3\n"))
    assert runs.replicates() == ((0, 1, 3),)
    assert "3 rows are replicates, 1 design run" in found(runs, "replicates").message
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


# --- Rows that are left out ---------------------------------------------------------------------------------


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


def test_a_row_without_its_group_is_left_out(write):
    runs = read(write(GOOD + "1e9,3e10,2.5,\n"), by="family")
    assert [(d.row, d.reason) for d in runs.dropped] == [(7, "family is missing")]


def test_columns_without_any_value_are_no_trouble():
    runs = read(
        {"N": [None, 1e8], "D": [None, None], "C": [None, 1e20], "L": [3.0, 2.5], "accuracy": [None] * 2},
        need=(),
    )
    assert runs.findings == () and "D = tokens: no value, 2 missing" in str(runs)


def test_all_rows_dropped(write):
    refused(
        write("N,D,L\n1e8,,3\n2e8,,2\n"),
        "runs.csv, line 2, column 'tokens'",
        "all 2 rows",
        "tokens is missing",
    )
