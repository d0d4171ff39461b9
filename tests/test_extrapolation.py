"""The extrapolation harness on small made-up folders: what it reads, where it cuts, what it infers, how it counts."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import extrapolation
from extrapolation_methods import Auto, auto, catalogue, hindsight, naive, published
from extrapolation_report import line, page, table, totals
from extrapolation_split import cut, levels, split, thin
from extrapolation_tables import Declared, declarations, plans, prepare


def curve(n=9, noise=0.003, seed=0, **columns):
    rng = np.random.default_rng(seed)
    x = np.geomspace(1e7, 1e10, n)
    loss = (1.7 + 40 * x**-0.2) * np.exp(noise * rng.standard_normal(n))
    return pl.DataFrame({"params": x, "loss": loss, **columns})


def two_curves():
    return pl.concat([curve(seed=0, arch=["dense"] * 9), curve(seed=1, arch=["sparse"] * 9)])


# ---- the cut


def test_the_cut_is_at_sixty_percent_of_the_decades():
    scale = np.geomspace(1, 1e5, 51)
    first = cut(scale)
    assert scale[first].max() == pytest.approx(1e3) and scale[~first].min() > 1e3
    steps = np.arange(1, 401.0)  # checkpoints that are equally far apart: the upper part is far in scale all the same
    assert steps[-1] / steps[cut(steps)].max() > 10


def test_the_cut_leaves_enough_to_fit_and_something_to_predict():
    scale = np.array([1, 1e3, 1e4, 2e4, 4e4, 1e5])
    assert cut(scale).tolist() == [True] * 5 + [False]
    with pytest.raises(ValueError, match="5 rows at 5 distinct scales are too few"):
        cut(np.geomspace(1, 10, 5))
    with pytest.raises(ValueError, match="not positive"):
        cut(np.array([0, 1, 2, 3, 4, 5, 6.0]))


def test_runs_of_one_budget_stay_on_one_side():
    scale = np.repeat([1e18, 1e19, 3e19, 1e20, 6e20, 3e21], 7) * (1 + 1e-3 * np.tile(np.arange(7), 6))
    first = cut(scale)
    assert len(np.unique(levels(scale))) == 6 and not set(levels(scale)[first]) & set(levels(scale)[~first])


def test_long_curves_are_thinned_evenly_along_the_scale():
    kept = thin(np.arange(1, 2001.0), 30)
    assert 15 <= len(kept) <= 30 and {0, 1999} <= set(kept)
    assert thin(np.arange(1, 21.0), 30).tolist() == list(range(20))


# ---- inference


def test_outcome_groups_and_axis_are_inferred():
    made = prepare(two_curves(), Declared("made"))
    assert (made.target, made.axis) == ("loss", "params")
    assert set(made.runs.frame["series"]) == {"dense", "sparse"}
    assert set(split(made).train.frame.columns) == {"params", "loss", "series"}


def test_a_label_that_only_names_the_size_is_no_group():
    frame = curve(size=[f"{i}M" for i in range(9)], run=[f"r{i}" for i in range(9)])
    assert set(prepare(frame, Declared("made")).runs.frame["series"]) == {"all"}


def test_sizes_and_tokens_that_vary_apart_are_held_out_by_compute():
    N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
    frame = pl.DataFrame({"n_params": N, "train_tokens": D, "val_loss": 1.7 + 400 / N**0.34 + 400 / D**0.28})
    made = prepare(frame, Declared("made"))
    assert (made.target, made.axis) == ("loss", "6ND")
    assert np.allclose(made.scale, 6 * N * D)


@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        ("loss_c4_val", [3.0, 2.9], "loss"), ("loss_normalised", [-1.0, -2.0], "loss_unigram"),
        ("acc0_piqa", [0.5, 0.6], "accuracy"), ("mmlu", [0.25, 0.6], "accuracy"), ("error_avg", [0.7, 0.6], "error"),
    ],
)  # fmt: skip
def test_outcomes_are_known_by_how_they_sound(column, values, kind):
    y = np.linspace(*values, 8)
    frame = pl.DataFrame({"flops": np.geomspace(1e18, 1e22, 8), column: y, f"{column}_std": 0.01 * np.ones(8)})
    made = prepare(frame, Declared("made"))
    assert made.target == kind and np.allclose(made.runs[kind], y)


def test_no_other_outcome_goes_along():
    frame = curve(train_loss=np.linspace(3, 2, 9), accuracy=np.linspace(0.3, 0.6, 9))
    assert "accuracy" not in prepare(frame, Declared("made")).runs.frame.columns
    assert "accuracy" not in split(prepare(frame, Declared("made"))).test.frame.columns


def test_shares_become_one_mixture():
    frame = curve(mix_web=np.linspace(0, 1, 9), mix_code=np.linspace(1, 0, 9))
    made = prepare(frame, Declared("made"))
    assert made.runs["mixture"].shape == (9, 2)


def test_what_cannot_be_used_says_why():
    with pytest.raises(ValueError, match="no column sounds like an outcome"):
        prepare(pl.DataFrame({"params": [1e6, 1e7], "name": ["a", "b"]}), Declared("made"))
    with pytest.raises(ValueError, match="no column of scale varies"):
        prepare(pl.DataFrame({"params": [1e6] * 8, "loss": np.linspace(3, 2, 8)}), Declared("made"))
    with pytest.raises(ValueError, match="one size"):
        prepare(curve(), Declared("made", skip="one size"))


def test_declared_tables_select_rename_and_keep_the_best():
    frame = two_curves().with_columns(lr=pl.Series([1e-3, 2e-3] * 9), params_b=pl.col("params"))
    declared = Declared(
        "made", where="arch = 'dense'", make={"nats": "loss * 2"}, target="nats", axis="params", groups=(),
        columns={"N": "params_b"}, best=("params",),
    )  # fmt: skip
    made = prepare(frame, declared)
    assert made.target == "loss" and len(made.runs) == 9
    assert np.allclose(np.sort(made.runs["loss"]), np.sort(2 * frame["loss"][:9].to_numpy()))


def test_rows_flagged_in_the_source_are_left_out_and_noted():
    frame = curve().with_columns(outlier=pl.Series([True] + [False] * 8), final=pl.Series([True] * 8 + [False]))
    made = prepare(frame, Declared("made"))
    assert len(made.runs) == 7 and made.notes[:2] == ("1 rows left out by outlier", "1 rows left out by final")


def test_a_sweep_of_learning_rates_leaves_the_best_of_each_cell():
    frame = pl.concat([curve(seed=i).with_columns(lr=pl.lit(1e-3 * (i + 1))) for i in range(3)])
    made = prepare(frame, Declared("made"))
    assert len(made.runs) == 9 and "best of lr in each of 9 cells" in made.notes
    assert np.allclose(np.sort(made.runs["loss"]), np.sort(frame.group_by("params").min()["loss"].to_numpy()))


def test_the_settings_of_the_lowest_loss_can_be_the_outcome():
    frame = pl.DataFrame({"params": [1e6, 1e6, 1e7, 1e7], "lr": [1.0, 2, 3, 4], "loss": [3.0, 2, 1.5, 1.6]})
    made = prepare(
        frame, Declared("made", target="lr", kind="lr", axis="params", groups=(), best=("params",), lowest="loss")
    )
    assert sorted(made.runs["lr"]) == [2, 3]


def test_a_product_of_columns_can_be_the_axis_and_an_unknown_column_is_x():
    frame = pl.DataFrame({"params": [1e6, 2e6], "step": [10.0, 20], "loss": [3.0, 2], "blocks_size": [1.0, 5]})
    made = prepare(frame, Declared("made", axis="params*step", groups=()))
    assert made.scale.tolist() == [1e7, 4e7]
    made = prepare(frame.drop("params", "step"), Declared("made", groups=()))
    assert made.axis == "blocks_size" and made.scale.tolist() == made.runs["x"].tolist() == [1, 5]


# ---- the comparison


def test_the_whole_road_on_one_table():
    task = split(prepare(two_curves(), Declared("made", published={"law": "power_law_constant_n"})))
    made, others = auto(task, (0.9,)), naive(task)
    others["published"] = published(task)
    laws = hindsight(task, catalogue(task, 3))
    measured = line(task, made, others, laws)
    assert measured.groups == 2 and measured.points == len(task.y) == len(task.test)
    assert measured.errors["published"] == pytest.approx(measured.laws["power_law_constant(N)"])
    assert measured.errors["auto"] < measured.errors["last value"]
    assert measured.regret >= -1 and 0 <= measured.coverage[0.9] <= 1
    assert "power_law(N)" in measured.laws and "made" in table([measured])
    written = page("# Title\n\n## Results\n\nold", [measured], [("other", "no scale")])
    assert written.startswith("# Title\n\n## Results\n") and "old" not in written and "* other: no scale" in written
    assert dict((what, told) for what, told, _, _ in totals([measured]))["groups without a forecast"] == "none"


def test_the_plain_power_law_and_the_last_values_are_what_they_say():
    x = np.geomspace(1e6, 1e9, 10)
    task = split(prepare(pl.DataFrame({"params": x, "loss": 50 * x**-0.1}), Declared("made")))
    said = naive(task)
    assert np.allclose(said["power law"], task.y) and np.allclose(said["last two points"], task.y)
    assert np.allclose(said["last value"], 50 * task.before["all"].max() ** -0.1)


def test_the_catalogue_offers_laws_by_their_variables():
    x = np.geomspace(1e6, 1e9, 10)
    frame = pl.DataFrame({"params": x, "loss": 50 * x**-0.1})
    names = [name for name, _, _ in catalogue(split(prepare(frame, Declared("made"))))]
    assert "power_law(N)" in names and "clark_dense" in names
    assert not any(name.startswith(("chinchilla", "kaplan_d")) for name in names)
    assert len(names) == len(set(names))  # params and N are one column


def test_a_group_that_auto_cannot_serve_is_named_and_not_scored():
    task = split(prepare(two_curves(), Declared("made")))
    said = np.where(task.series == "sparse", np.nan, task.y)
    made = Auto(said, {0.9: said - 1}, {0.9: said + 1}, np.full(len(said), ""), {}, {})
    measured = line(task, made, naive(task), {})
    assert measured.groups == 1 and measured.coverage == {0.9: 1} and list(measured.failed) == ["sparse"]


# ---- folders


@pytest.fixture
def folder(tmp_path):
    for name, frame in {"known": two_curves(), "unknown": curve(), "words": pl.DataFrame({"a": ["x"]})}.items():
        (tmp_path / name).mkdir()
        frame.write_csv(tmp_path / name / "runs.csv")
        (tmp_path / name / "README.md").write_text(name)
    (tmp_path / "declared.toml").write_text('[[table]]\nset = "known"\nfile = "runs.csv"\ngroups = ["arch"]\n')
    return tmp_path


def test_declared_and_unknown_sets_are_both_tried(folder):
    entries = plans(folder, declarations(folder / "declared.toml"))
    assert [(d.name, path.name) for d, path in entries] == [
        ("known", "runs.csv"), ("unknown", "runs.csv"), ("words", "runs.csv")
    ]  # fmt: skip


def test_a_folder_in_a_table_out(folder, capsys):
    declared = str(folder / "declared.toml")
    options = [str(folder), "--declared", declared, "--quick", "--sets", "unknown,words", "--cache", str(folder / "c"),
               "--csv", str(folder / "lines.csv"), "--points", str(folder / "points.csv")]  # fmt: skip
    assert extrapolation.main(options) == 0
    said = capsys.readouterr().out
    assert "| unknown | params | 1 |" in said and "not used: words: no column sounds like an outcome" in said
    assert pl.read_csv(folder / "lines.csv")["table"].to_list() == ["unknown"]
    assert pl.read_csv(folder / "points.csv")["decades"].max() > 1


def test_one_folder_fitted_and_another_predicted(folder, tmp_path):
    later = tmp_path / "later" / "unknown"
    later.mkdir(parents=True)
    pl.DataFrame({"params": [1e11, 1e12], "loss": [1.95, 1.86]}).write_csv(later / "runs.csv")
    options = extrapolation._options(["--train", str(folder), "--test", str(tmp_path / "later")])
    task = extrapolation.task_of(Declared("unknown", file="runs.csv"), folder / "unknown" / "runs.csv", options)
    assert len(task.train) == 9 and task.y.tolist() == [1.95, 1.86]
    assert np.allclose(task.distance, [1, 2])


def test_every_declared_law_is_in_the_catalogue():
    from lawful.laws import all_laws

    for entry in declarations(extrapolation.HERE / "extrapolation.toml"):
        assert not entry.published or entry.published["law"] in all_laws(), entry.name
