"""Figures: every kind is drawn without a warning, with the same bytes each time, and shows what the fit says."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import lawful
from lawful import plot
from lawful.plot_style import log_ticks, styles, tick_text, tick_texts
from lawful.profiles import profile
from lawful.studies.results import Figure, Layer, Panel

X = (1e8, 1e9, 1e10)
LAYERS = (
    Layer("band", "95 %", X, (), (1.0, 0.8, 0.6), (1.2, 1.0, 0.9), "ours"),
    Layer("interval", "binomial", X, (), (1.0, 0.8, 0.6), (1.2, 1.0, 0.9)),
    Layer("line", "law", X, (1.1, 0.9, 0.7), role="ours"),
    Layer("line", "theirs", X, (1.2, 0.9, 0.8), role="published"),
    Layer("line", "last value", X, (1.2, 1.2, 1.2), role="naive"),
    Layer("line", "zero", X, (0.6, 0.6, 0.6), role="reference"),
    Layer("points", "data", X[:2], (1.1, 0.9)),
    Layer("points", "held out", X[2:], (0.7,), role="held_out"),
)


def figure(panels: int = 1) -> Figure:
    one = Panel("A <b> & title", "parameters", "loss (nats per token)", LAYERS, True, True)
    return Figure("some_figure", "Section", "A caption.", (one,) * panels)


@pytest.fixture(scope="module")
def one_variable() -> lawful.Fit:
    N = np.geomspace(1e8, 1e10, 8)
    noise = 1 + 0.005 * np.random.default_rng(0).normal(size=8)
    made = lawful.fit("power_law", {"N": N, "L": 18 * N**-0.1 * noise}, variables={"x": "N"}, target="L")
    assert isinstance(made, lawful.Fit)
    return made


@pytest.fixture(scope="module")
def two_variables() -> lawful.Fit:
    N, D = (v.ravel() for v in np.meshgrid([1e8, 3e8, 1e9, 3e9], [2e9, 1e10, 5e10]))
    L = 1.7 + 400 * N**-0.34 + 410 * D**-0.28 + 0.003 * np.random.default_rng(1).normal(size=12)
    made = lawful.fit("chinchilla", {"N": N, "D": D, "L": L})
    assert isinstance(made, lawful.Fit)
    return made


@pytest.mark.parametrize("panels", [1, 2, 3, 4, 7])
def test_every_layer_and_number_of_panels_is_drawn(panels):
    drawn = plot.draw(figure(panels))
    assert len(drawn.axes) == panels
    (legend,) = drawn.legends
    assert [text.get_text() for text in legend.get_texts()] == [layer.label for layer in LAYERS]


def test_labels_stay_inside_the_picture():
    drawn = plot.draw(figure(4))
    drawn.canvas.draw()
    picture = drawn.bbox
    for ax in drawn.axes:
        box = ax.get_tightbbox()
        assert box.x0 >= picture.x0 and box.x1 <= picture.x1 and box.y0 >= picture.y0 and box.y1 <= picture.y1
    legend = drawn.legends[0].get_window_extent()
    assert legend.x1 <= picture.x1 and all(legend.y0 >= ax.get_tightbbox().y1 - 1 for ax in drawn.axes)


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    first = [path.read_bytes() for path in plot.save(figure(2), tmp_path / "a")]
    second = [path.read_bytes() for path in plot.save(figure(2), tmp_path / "b")]
    assert first == second
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["some_figure.png", "some_figure.svg"]
    assert first[0].startswith(b"\x89PNG") and b"<dc:date>" not in first[1]


def test_drawing_leaves_matplotlib_as_it_was():
    import matplotlib

    before = dict(matplotlib.rcParams)
    plot.draw(figure())
    plot.panels_svg(figure())
    assert dict(matplotlib.rcParams) == before


def test_axes_of_ones_own_take_one_panel():
    from matplotlib.figure import Figure as Canvas

    ax = Canvas().subplots()
    assert plot.draw(figure(), ax) is ax.figure
    assert ax.get_title(loc="center") or ax.get_title(loc="left")
    with pytest.raises(ValueError, match="2 panels"):
        plot.draw(figure(2), ax)


def test_held_out_points_are_hollow_and_each_role_has_its_colour():
    found = styles(figure())
    assert found["held_out", "held out"].hollow and not found["data", "data"].hollow
    assert len({found[key].tone for key in (("ours", "law"), ("published", "theirs"), ("naive", "last value"))}) == 3
    assert found["ours", "95 %"].tone == found["ours", "law"].tone


def test_panels_for_a_page_have_ids_of_their_own_and_take_the_pages_colours():
    pieces = plot.panels_svg(figure(2))
    ids = [[e.get("id") for e in ElementTree.fromstring(piece).iter() if e.get("id")] for piece in pieces]
    assert all(ids) and len({i for one in ids for i in one}) == sum(map(len, ids))
    for piece in pieces:
        assert "var(--blue)" in piece and "http" not in piece
        assert not any(colour in piece for colour in ("#0072b2", "#d55e00", "#24292f"))
    assert [label for _, label in plot.legend_svg(figure())] == [layer.label for layer in LAYERS]


def test_the_figure_of_a_fit_shows_its_points_curve_and_band(one_variable):
    top, below = plot.fit_figure(one_variable).panels
    band, line, points = top.layers
    assert points.y == tuple(one_variable.points.y) and (top.log_x, top.x) == (True, "parameters")
    np.testing.assert_allclose(line.y, one_variable.predict(x=np.array(line.x)), rtol=1e-12)
    assert all(low < middle < high for low, middle, high in zip(band.lower, line.y, band.upper))
    np.testing.assert_allclose(below.layers[1].y, one_variable.residuals)
    assert len(plot.plot_fit(one_variable).axes) == 2


def test_a_law_of_two_variables_has_lines_at_values_of_the_second(two_variables):
    top, _ = plot.fit_figure(two_variables).panels
    lines = {layer.label: layer for layer in top.layers if layer.kind == "line"}
    assert list(lines) == ["D = 2B", "D = 10B", "D = 50B"]
    shown = [y for layer in top.layers if layer.kind == "points" for y in layer.y]
    assert sorted(shown) == sorted(two_variables.points.y)
    line = lines["D = 10B"]
    np.testing.assert_allclose(line.y, two_variables.predict(N=np.array(line.x), D=1e10), rtol=1e-9)


def test_a_second_variable_that_follows_the_first_gives_one_line_along_the_runs():
    N = np.geomspace(1e8, 1e10, 9)
    L = 1.7 + 400 * N**-0.34 + 410 * (20 * N) ** -0.28
    made = lawful.fit("chinchilla", {"N": N, "D": 20 * N, "L": L}, tied={"beta": "alpha"}, fixed={"A": 400.0})
    assert isinstance(made, lawful.Fit)
    layers = plot.fit_figure(made).panels[0].layers
    (line,) = (layer for layer in layers if layer.kind == "line")
    np.testing.assert_allclose(line.y, made.predict(N=np.array(line.x), D=20 * np.array(line.x)), rtol=1e-9)


def test_profile_and_forecast_show_their_numbers(one_variable):
    scan = profile(one_variable, "alpha")
    (panel,) = plot.profile_figure(scan).panels
    curve, edge, best = panel.layers
    assert best.x == (scan.estimate,) and edge.y == (1.0, 1.0) and max(curve.y) <= 4
    made = lawful.forecast(one_variable, x=[3e10, 1e11], kind="run")
    (panel,) = plot.forecast_figure(made, one_variable).panels
    bars = next(layer for layer in panel.layers if layer.kind == "interval")
    assert bars.lower == tuple(made.lower) and bars.upper == tuple(made.upper) and bars.x == (3e10, 1e11)
    assert plot.plot_profile(scan).axes and plot.plot_forecast(made, one_variable).axes


def test_numbers_on_axes():
    assert [tick_text(v) for v in (0, 1e8, 1e9, 1.5e10, 2e12, -0.25, 20000, 300)] == [
        "0", "100M", "1B", "15B", "2T", "\N{MINUS SIGN}0.25", "20K", "300",
    ]  # fmt: skip
    assert tick_text(1e21) == "$10^{21}$" and tick_text(3e-7) == "$3×10^{-7}$"
    assert tick_texts([1.5, 1.75, 2.0]) == ["1.50", "1.75", "2.00"]
    assert log_ticks(9e7, 1.5e10) == [1e8, 1e9, 1e10]
    assert log_ticks(1.4, 2.7) == [1.5, 2.0, 2.5]
    assert log_ticks(1e18, 1e24) == [1e18, 1e20, 1e22, 1e24]


def test_a_legend_stays_inside_its_figure():
    lines = tuple(Layer("line", f"L = 2.{i}", X, (1.0, 0.9, 0.8 - i / 100), role="ours") for i in range(8))
    drawn = plot.draw(Figure("legend", "", "", (Panel("One", "parameters", "loss", lines, True),)))
    box = drawn.legends[0].get_window_extent(FigureCanvasAgg(drawn).get_renderer())
    assert box.x1 <= drawn.bbox.x1 + 2
