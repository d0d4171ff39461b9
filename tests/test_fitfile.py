"""Fit files: the same forecasts after the round trip, the same bytes every time, and sentences for broken files."""

import json
import os
import stat

import numpy as np
import pytest

import lawful
from lawful import datasets
from lawful.files import write_text
from lawful.fit import Fits
from lawful.fitfile import load_fit, save, to_json
from lawful.law import amplitude, exponent, law, offset

MINE = '''
from lawful import amplitude, exponent, law


@law()
def mine(N, *, A=amplitude("N", "alpha"), alpha=exponent()):
    """$L = A N^{-\\\\alpha}$"""
    return A * N**-alpha
'''


@law()
def notebook(N, *, E=offset(), A=amplitude("N", "alpha"), alpha=exponent()):
    return E + A * N**-alpha


@pytest.fixture(scope="module")
def runs():
    return datasets.load("cerebras_gpt")


@pytest.fixture
def grid(rng):
    N, D = (x.ravel() for x in np.meshgrid(np.logspace(8, 10, 5), np.logspace(9, 11, 5)))
    noise = np.exp(0.01 * rng.standard_normal(25))
    family = np.where(np.arange(25) % 2, "odd", "even")
    return {"N": N, "D": D, "L": (1.7 + 400 * N**-0.34 + 400 * D**-0.28) * noise, "family": family}


def same(one, other, **at):
    """Whether two fits give the same forecast to the last bit."""
    a, b = (lawful.forecast(fit, **{"draws": 60, **at}) for fit in (one, other))
    return all((getattr(a, name) == getattr(b, name)).all() for name in ("estimate", "lower", "upper"))


@pytest.mark.parametrize("objective", ["log_lsq", "lsq", "log_huber:1e-3", "log_lad", "envelope:0.1"])
def test_forecasts_survive_to_the_last_bit(runs, tmp_path, objective):
    fit = lawful.fit("power_law_constant", runs, variables={"x": "C"}, objective=objective)
    back = load_fit(save(fit, tmp_path / "fit.json"))
    assert same(fit, back, x=[1e20, 1e24])
    assert same(fit, back, x=[1e20, 1e24], kind="run", method="pairs")
    assert to_json(back) == to_json(fit)
    assert list(back.estimates) == list(fit.estimates) and back.findings == fit.findings


def test_groups_and_shared_parameters_survive(grid, tmp_path):
    fit = lawful.fit("chinchilla", grid, by="family", shared=("alpha", "beta"), fixed={"E": 1.7})
    back = load_fit(save(fit, tmp_path / "shared.json"))
    assert back.values == fit.values and same(fit, back, N=1e11, D=1e12, family=["odd", "even"])
    fits = lawful.fit("power_law_constant", grid, variables={"x": "N"}, by="family")
    back = load_fit(save(fits, tmp_path / "many.json"))
    assert isinstance(back, Fits) and list(back) == ["even", "odd"] and back.by == "family"
    assert all(same(fits[label], back[label], x=1e11) for label in fits)


def test_binomial_and_clusters_survive(tmp_path):
    runs = datasets.tasks("pythia_v1", where="task == 'lambada' and shots == 0", by=())
    fit = lawful.fit("logistic_log_n", runs, objective="binomial", bounds={"ceiling": (0.5, 1.0)})
    back = load_fit(save(fit, tmp_path / "fit.json"))
    assert same(fit, back, N=1e11, method="sandwich") and back.settings.bounds == {"ceiling": (0.5, 1.0)}
    table = lawful.read({"run": list("aabbccdd"), "N": [1e8, 2e8, 4e8, 8e8, 1e9, 2e9, 4e9, 8e9],
                         "L": [4, 3.7, 3.4, 3.2, 3.1, 2.9, 2.7, 2.6]})  # fmt: skip
    fit = lawful.fit("power_law", table, variables={"x": "N"})
    back = load_fit(save(fit, tmp_path / "fit.json"))
    assert fit.points.cluster is not None and (back.points.cluster == fit.points.cluster).all()


def test_the_bytes_depend_on_the_input_alone(runs, tmp_path):
    texts = []
    for name in ("a.json", "b.json"):
        fit = lawful.fit("chinchilla", runs, seed=3)
        texts.append(save(fit, tmp_path / name).read_bytes())
    assert texts[0] == texts[1]
    data = json.loads(texts[0], parse_constant=pytest.fail)
    assert list(data) == sorted(data)


def test_nan_and_infinity_are_written_in_plain_json(tmp_path):
    fit = lawful.fit("power_law", {"x": [1e3, 1e4], "y": [2.0, 1.0]}, target="y", bounds={"alpha": (-np.inf, np.inf)})
    path = save(fit, tmp_path / "fit.json")
    data = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert data["sigma"] is None and data["settings"]["bounds"] == {"alpha": ["-inf", "inf"]}
    back = load_fit(path)
    assert np.isnan(back.sigma) and back.settings.bounds == fit.settings.bounds


def test_a_law_in_a_file_is_found_from_the_fit_file(runs, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    fit = lawful.fit(f"{tmp_path / 'mine.py'}:mine", runs)
    path = save(fit, tmp_path / "fits" / "fit.json")
    assert json.loads(path.read_text())["law"]["reference"] == "../mine.py:mine"
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("mine.py", "fits"):
        os.replace(tmp_path / name, moved / name)
    monkeypatch.chdir(moved / "fits")
    assert same(fit, load_fit("fit.json"), N=1e11)
    (moved / "mine.py").write_text(MINE.replace("A * N**-alpha\n", "2 * A * N**-alpha\n"))
    with pytest.raises(ValueError, match=r"fit\.json: law mine gives the objective .* the file says .* fit again"):
        load_fit("fit.json")
    (moved / "mine.py").write_text(MINE.replace("alpha", "gamma"))
    with pytest.raises(ValueError, match=r"takes N, A, gamma, but the file was fitted with N, A, alpha"):
        load_fit("fit.json")
    (moved / "mine.py").unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no file .*mine\.py"):
        load_fit("fit.json")


def test_a_law_without_a_file_must_be_given(runs, tmp_path):
    own = law()(
        eval(
            "lambda N, *, A=a, alpha=b: A * N**-alpha",
            {"__name__": "__main__", "a": amplitude("N", "alpha"), "b": exponent()},
        )
    )
    path = save(lawful.fit(own, runs), tmp_path / "fit.json")
    with pytest.raises(ValueError, match=r"fit\.json: law <lambda> was made in a session .* load_fit\(path, law="):
        load_fit(path)
    assert load_fit(path, law=own).law is own
    with pytest.raises(ValueError, match="law notebook takes"):
        load_fit(path, law=notebook)


BREAKS = {
    "format": (lambda d: d.pop("format"), r"is not a fit file \(it has no field 'format'; allowed: 'lawful fit 1'"),
    "later": (lambda d: d.update(format="lawful fit 7"), r"'lawful fit 7'.*written by another version of lawful"),
    "missing": (lambda d: d.pop("theta"), r"field 'theta': field required"),
    "text": (lambda d: d.update(F="much"), r"field 'F': input should be a valid number.* \(value 'much'\)"),
    "extra": (lambda d: d.update(note="mine"), r"field 'note': unexpected keyword"),
    "nested": (lambda d: d["points"]["y"].__setitem__(2, "low"), r"field 'points\.y\.2': .*\(value 'low'\)"),
    "length": (lambda d: d["points"]["y"].pop(), r"field 'points\.X\.x' has 7 entries for 6 points"),
    "estimates": (lambda d: d["estimates"].pop("A"), r"field 'estimates' has .* free numbers A, alpha, E"),
    "covariance": (lambda d: d["covariance"].pop(), r"field 'covariance' must be 3 x 3"),
    "edited": (lambda d: d["theta"].__setitem__(0, 9.0), r"gives the objective .* the file says"),
    "law": (lambda d: d["law"].update(reference="power_lw"), r"there is no law 'power_lw'; near it: power_law"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_file_is_refused_in_a_sentence(runs, tmp_path, name):
    harm, sentence = BREAKS[name]
    path = save(lawful.fit("power_law_constant", runs, variables={"x": "C"}), tmp_path / "fit.json")
    data = json.loads(path.read_text())
    harm(data)
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=sentence):
        load_fit(path)


def test_files_that_are_no_json(tmp_path):
    (tmp_path / "fit.json").write_text("{")
    with pytest.raises(ValueError, match=r"fit\.json is not JSON"):
        load_fit(tmp_path / "fit.json")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(ValueError, match="is not a fit file"):
        load_fit(tmp_path / "list.json")
    with pytest.raises(FileNotFoundError, match="there is no fit file"):
        load_fit(tmp_path / "none.json")


# ---- writing


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = write_text(tmp_path / "new" / "a.txt", "old\n")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("lawful.files.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_text(path, "new\n")
    assert path.read_text() == "old\n" and [f.name for f in path.parent.iterdir()] == ["a.txt"]


def test_a_link_and_the_usual_mode_are_kept(tmp_path):
    real = write_text(tmp_path / "real.txt", "1\n")
    plain = tmp_path / "plain.txt"
    plain.touch()
    assert stat.S_IMODE(real.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    (tmp_path / "link.txt").symlink_to(real)
    write_text(tmp_path / "link.txt", "2\n")
    assert (tmp_path / "link.txt").is_symlink() and real.read_text() == "2\n"
    with pytest.raises(IsADirectoryError, match="name a file in it"):
        write_text(tmp_path, "3\n")


def test_an_average_of_laws_is_kept(tmp_path):
    rng = np.random.default_rng(0)
    N = np.geomspace(1e6, 1e9, 12)
    table = {"N": N, "L": (1.7 + 20 * N**-0.15) * np.exp(0.01 * rng.standard_normal(12))}
    fit = lawful.fit("auto", table)
    assert fit.others
    again = load_fit(save(fit, tmp_path / "fit.json"))
    assert [w for w, _ in again.others] == [w for w, _ in fit.others]
    a, b = (lawful.forecast(f, x=3e9, kind="run") for f in (fit, again))
    assert (a.estimate, a.lower, a.flag) == (b.estimate, b.lower, b.flag)
