"""Heat maps, strips of bars and their colours: that they show the numbers, in pictures and in words."""

from __future__ import annotations

import colorsys
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialvae.report.plots.bars import MOST, bar_strip
from spatialvae.report.plots.frame import svg_file
from spatialvae.report.plots.health import alarms, health_figures, health_svg, informative
from spatialvae.report.plots.heatmaps import heat_map
from spatialvae.report.plots.panel import Panel, panel_svg
from spatialvae.report.plots.shades import diverging, ink_on, luminance, sequential
from tests.report import made_up


def elements(panel: Panel, tag: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(panel_svg(panel))
    return [element for element in root.iter() if element.tag == tag]


def figure(comparison, title):
    return next(figure for figure in health_figures(made_up.read(comparison)) if figure.title == title)


@given(st.floats(-1, 1))
def test_letters_stand_out_from_every_colour(value):
    for colour in (sequential(abs(value)), diverging(value)):
        one, other = luminance(colour), luminance(ink_on(colour))
        assert (max(one, other) + 0.05) / (min(one, other) + 0.05) >= 4.5


def test_amounts_rise_in_lightness_and_signs_differ_in_hue():
    lightness = [luminance(sequential(step / 60)) for step in range(61)]
    assert lightness == sorted(lightness) and len(set(lightness)) == 61
    hues = [colorsys.rgb_to_hsv(*(int(diverging(v)[i : i + 2], 16) / 255 for i in (1, 3, 5)))[0] for v in (-1, 1)]
    assert abs(hues[0] - hues[1]) > 0.3


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 3), (2, 5), (8, 8)])
def test_a_small_map_has_a_cell_and_a_number_for_each_value(rows, columns):
    values = [[10.0 * row + column for column in range(columns)] for row in range(rows)]
    panel = heat_map(values, lambda value: sequential(value / 80), lambda value: f"{value:g}", "map")
    cells, numbers = elements(panel, "rect"), elements(panel, "text")
    assert [cell.get("fill") for cell in cells] == [sequential(value / 80) for row in values for value in row]
    assert [number.text for number in numbers] == [f"{value:g}" for row in values for value in row]
    across = [(float(cell.get("y") or 0), float(cell.get("x") or 0)) for cell in cells]
    assert across == sorted(across) and len(set(across)) == rows * columns
    for cell, number in zip(cells, numbers, strict=True):
        size, left = float(number.get("font-size") or 0), float(cell.get("x") or 0)
        half = 0.31 * size * len(number.text or "")
        middle = float(number.get("x") or 0)
        assert left <= middle - half and middle + half <= left + float(cell.get("width") or 0) + 1
    assert f"row {rows}: {values[-1][0]:g}" in panel.label


def test_a_large_map_joins_the_cells_of_a_colour_and_stays_small():
    values = [[float(row + column) for column in range(40)] for row in range(40)]
    panel = heat_map(values, lambda value: sequential(value / 78), str, "map")
    paths = elements(panel, "path")
    assert not elements(panel, "text") and len(paths) <= 61
    assert sum((path.get("d") or "").count("h1v1h-1z") for path in paths) == 1600
    where = {square: path.get("fill") for path in paths for square in re.findall(r"M(\d+ \d+)", path.get("d") or "")}
    assert where["3 7"] == sequential(10 / 78) and where["39 39"] == sequential(1)
    assert len(panel.content) < 40_000
    assert panel.label == "map; 40 × 40 values from 0.0 to 78.0"


@pytest.mark.parametrize("count", [1, 4, 128, 1152, 10_000])
def test_bars_are_sorted_start_at_zero_and_are_few(count):
    panel = bar_strip([float(k % 97 + 1) for k in range(count)], "red", str, "KL", "maps")
    [bars, _] = elements(panel, "path")
    heights = [float(up) for up in re.findall(r"v-([\d.]+)h", bars.get("d") or "")]
    assert heights == sorted(heights, reverse=True) and heights[0] == 84.0
    assert len(heights) == min(count, len(range(0, count, -(-count // MOST)))) <= MOST
    assert f"{count} maps" in panel.label


def test_bars_of_nothing_draw_nothing():
    [bars, _] = elements(bar_strip([0.0, 0.0, -1e-9], "red", str, "KL", "maps"), "path")
    assert bars.get("d") == ""


def test_maps_of_all_models_share_one_scale_of_colours():
    comparison = made_up.comparison()
    sites = figure(comparison, "KL per site")
    assert [shown.model for shown in sites.panels] == [0, 1, 2]
    high = max(max(row) for model in comparison["models"][1:] for row in model["health"]["kl_per_site"])
    for shown in sites.panels[1:]:
        values = comparison["models"][shown.model]["health"]["kl_per_site"]
        expected = [sequential(value / high) for row in values for value in row]
        assert [cell.get("fill") for cell in elements(shown.panel, "rect")] == expected
    assert "not on the scale" in sites.panels[0].note  # all of a vector's KL is at its one site
    assert sites.legend is not None and sites.legend.label == "colours from 0 to 2.07"


def test_scales_are_the_product_of_total_row_and_column():
    comparison = made_up.comparison()
    scales = figure(comparison, "Row and column scales")
    assert [shown.model for shown in scales.panels] == [1, 2]
    numbers = [text.text for text in elements(scales.panels[0].panel, "text")]
    assert numbers[:3] == ["0.396", "0.360", "0.324"]  # 0.4 * 0.9 * (1.1, 1.0, 0.9)
    assert numbers[9:] == ["0.90", "1.00", "1.10", "1.10", "1.00", "0.90"]
    assert scales.panels[0].note == "total 0.400"


def test_correlation_is_left_out_for_one_site_and_shown_for_the_middle_one_of_many():
    comparison = made_up.comparison()
    assert [shown.model for shown in figure(comparison, "Correlation between sites").panels] == [1, 2]
    comparison["models"][1]["health"] = made_up.health(1, height=9, width=8)
    many = figure(comparison, "Correlation between sites").panels[0]
    assert many.note == "with the middle site" and "9 × 8 values" in many.panel.label
    middle = elements(many.panel, "path")[-1]
    squares = {path.get("fill"): path.get("d") for path in elements(many.panel, "path")}
    assert squares[diverging(1)] == "M4 4h1v1h-1z" and middle is not None


def test_how_many_maps_carry_information_is_said():
    comparison = made_up.comparison()
    comparison["models"][2]["health"]["kl_per_map"] = [3.0, 0.1, 0.11, 0.0]
    assert figure(comparison, "KL per map").panels[2].note == "2 of 4 above 0.1 nats"
    assert informative([3.0, 0.1, 0.11, 0.0]) == (2, 4)


@pytest.mark.parametrize(
    "broken",
    [
        {"kl_per_site": [[float("nan")]], "kl_per_map": [float("inf")], "row_scale": [float("nan")]},
        {"kl_per_site": [[]], "kl_per_map": [], "row_scale": []},
        {"kl_per_site": [], "kl_per_map": None, "row_scale": None},
    ],
)
def test_what_is_missing_or_not_finite_is_left_out(broken):
    comparison = made_up.comparison()
    health = comparison["models"][1]["health"]
    health |= {**broken, "total_scale": None}
    health["aggregate"]["site_correlation"] = None
    results = made_up.read(comparison)
    assert all(1 not in [shown.model for shown in figure.panels] for figure in health_figures(results))
    for model in comparison["models"]:
        model["health"] = None
    results = made_up.read(comparison)
    assert health_figures(results) == [] and health_svg(results) is None and alarms(results) == []


def test_a_collapsed_latent_is_drawn_as_nothing():
    comparison = made_up.comparison()
    for model in comparison["models"]:
        health = model["health"]
        health |= {"kl_per_site": [[0.0] * 3] * 3, "kl_per_map": [0.0] * 4}
    assert "0 of 4 above" in figure(comparison, "KL per map").panels[0].note
    ElementTree.fromstring(svg_file(health_svg(made_up.read(comparison)) or ""))


def test_the_file_holds_every_panel_and_escapes_names():
    comparison = made_up.comparison()
    comparison["models"][1]["latent"] = '"><script>alert(1)</script>'
    drawn = svg_file(health_svg(made_up.read(comparison)) or "")
    root = ElementTree.fromstring(drawn)
    assert "<script" not in drawn
    images = [element for element in root.iter() if element.get("role") == "img" and element is not root]
    figures = health_figures(made_up.read(comparison))
    assert len(images) == sum(len(result.panels) + (result.legend is not None) for result in figures)
    width, height = float(root.get("width") or 0), float(root.get("height") or 0)
    for image in images:
        right, bottom = (
            float(image.get(a) or 0) + float(image.get(b) or 0) for a, b in (("x", "width"), ("y", "height"))
        )
        assert right <= width and bottom <= height
