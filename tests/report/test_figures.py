"""The pictures: which there are, how large, and that they show the images unchanged."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from spatialvae.report import draw_figures
from spatialvae.report.plots.curves import curves_svg
from spatialvae.report.plots.frame import svg_file
from tests.report import made_up


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (3, 64), (2, 9), (4, 33)])
def test_every_figure_is_written_with_a_row_for_each_model(tmp_path, channels, side):
    comparison = made_up.comparison(channels=channels, side=side, betas=(0.3, 1.0))
    paths = draw_figures(made_up.pictures(channels, side), made_up.read(comparison), tmp_path)
    wholes = {name for name in paths if "/" not in name}
    plots = {"curves", "rate-distortion", "health"}
    assert wholes == {"samples-standard", "samples-gaussian", "reconstructions", *plots}
    assert all(paths[name] == f"figures/{name}.svg" for name in plots)
    for name in wholes - plots:
        assert {f"{name}/images", f"{name}/0", f"{name}/1", f"{name}/2"} <= set(paths)
    assert all((tmp_path / path).is_file() and not path.startswith("/") for path in paths.values())
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == set(paths.values())


@pytest.mark.parametrize(("side", "factor"), [(8, 8), (28, 2), (64, 1), (100, 1)])
def test_small_images_are_enlarged_by_a_whole_factor_and_not_changed(tmp_path, side, factor):
    pictures = made_up.pictures(3, side)
    paths = draw_figures(pictures, made_up.read(made_up.comparison(channels=3, side=side)), tmp_path)
    strip = np.asarray(Image.open(tmp_path / paths["samples-gaussian/1"]))
    assert strip.shape == (side * factor, 4 * (side * factor + 4) - 4, 4)  # as many as training images
    second = strip[::factor, side * factor + 4 : 2 * side * factor + 4 : factor, :3]
    expected = pictures.samples["matrix-normal"]["gaussian"][1].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(second, expected)


def test_a_model_without_pictures_leaves_its_row_out(tmp_path):
    pictures = made_up.pictures(names=("vector", "low-rank"))
    paths = draw_figures(pictures, made_up.read(made_up.comparison()), tmp_path)
    assert "samples-standard/1" not in paths
    assert "samples-standard/2" in paths


def test_models_are_found_by_their_whole_spelling_too(tmp_path):
    comparison = made_up.comparison()
    for rank, model in enumerate(comparison["models"]):
        model.update(latent="low-rank", spec=f"low-rank:rank={rank + 1}")
    names = tuple(model["spec"] for model in comparison["models"])
    assert "reconstructions/2" in draw_figures(made_up.pictures(names=names), made_up.read(comparison), tmp_path)


def test_a_hostile_name_reaches_no_path(tmp_path):
    comparison = made_up.comparison()
    comparison["models"][0]["latent"] = "../../<script>"
    pictures = made_up.pictures(names=("../../<script>", "matrix-normal", "low-rank"))
    paths = draw_figures(pictures, made_up.read(comparison), tmp_path)
    assert all(re.fullmatch(r"[a-z0-9./-]+", path) and ".." not in path for path in paths.values())


def curves_file(comparison):
    drawn = curves_svg(made_up.read(comparison))
    return None if drawn is None else svg_file(drawn)


def test_files_of_plots_bring_their_colours_letters_and_background(tmp_path):
    paths = draw_figures(made_up.pictures(), made_up.read(made_up.comparison(betas=(1.0, 2.0))), tmp_path)
    for name in ("curves", "rate-distortion", "health"):
        root = ElementTree.fromstring((tmp_path / paths[name]).read_text(encoding="utf-8"))
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("font-family")
        style, background = root[0], root[1]
        assert "prefers-color-scheme:dark" in (style.text or "") and "--model-2:" in (style.text or "")
        assert background.get("style") == "fill:var(--page)"


def test_without_betas_or_health_their_figures_are_not_drawn(tmp_path):
    comparison = made_up.comparison()
    for model in comparison["models"]:
        model["health"] = None
    paths = draw_figures(made_up.pictures(), made_up.read(comparison), tmp_path)
    assert not {"rate-distortion", "health"} & set(paths)


def test_curves_have_a_thick_line_for_the_mean_and_thin_ones_for_seeds():
    drawn = curves_file(made_up.comparison())
    assert drawn is not None
    lines = [element for element in ElementTree.fromstring(drawn).iter() if element.tag.endswith("polyline")]
    assert len(lines) == 3 * 3
    assert {line.get("stroke-width") for line in lines} == {"1.2", "2.6"}
    single = curves_svg(made_up.read(made_up.comparison(seeds=(0,))))
    assert single is not None and single.count("<polyline") == 3


def test_curves_survive_missing_values_and_single_points():
    comparison = made_up.comparison(seeds=(0,))
    comparison["models"][0]["runs"][0]["curve"] = []
    comparison["models"][1]["runs"][0]["curve"][2]["validation_bound"] = float("nan")
    comparison["models"][2]["runs"][0]["curve"] = [{"images": 0, "validation_bound": -5.0}]
    drawn = curves_file(comparison)
    assert drawn is not None and "nan" not in drawn
    ElementTree.fromstring(drawn)
    for model in comparison["models"]:
        model["runs"] = []
    assert curves_file(comparison) is None


def test_curves_escape_names():
    comparison = made_up.comparison()
    comparison["models"][0]["latent"] = '"><script>alert(1)</script>'
    drawn = curves_file(comparison)
    assert drawn is not None and "<script" not in drawn
    ElementTree.fromstring(drawn)
