"""Rate against distortion: a line a latent, a point a beta, and no two words on one another."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from spatialvae.report.models import colour_variable
from spatialvae.report.plots.frame import FONT, svg_file
from spatialvae.report.plots.rate_distortion import rate_distortion_svg
from tests.report import made_up

BETAS = (0.3, 1.0, 3.0)


def drawn(comparison, **options) -> ElementTree.Element:
    drawing = rate_distortion_svg(made_up.read(comparison), **options)
    assert drawing is not None
    return ElementTree.fromstring(svg_file(drawing))


def named(root: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if element.tag.endswith("}" + tag)]


def betas(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [text for text in named(root, "text") if (text.text or "").startswith("β")]


def test_a_line_for_each_latent_through_its_betas_and_a_point_for_each_seed():
    root = drawn(made_up.comparison(seeds=(0, 1, 2), betas=BETAS))
    lines = named(root, "polyline")
    assert [line.get("style") for line in lines] == [f"fill:none;stroke:{colour_variable(k)}" for k in range(3)]
    assert all(len((line.get("points") or "").split()) == 3 for line in lines)
    radii = [circle.get("r") for circle in named(root, "circle")]
    assert radii.count("4.5") == 9 and radii.count("2.2") == 27
    assert sorted(text.text or "" for text in betas(root)) == ["β 0.3"] * 3 + ["β 1"] * 3 + ["β 3"] * 3


def test_points_lie_where_their_numbers_say():
    comparison = made_up.comparison(seeds=(0,), betas=BETAS)
    root = drawn(comparison)
    large = [circle for circle in named(root, "circle") if circle.get("r") == "4.5"]
    places = {circle[0].text: (float(circle.get("cx") or 0), float(circle.get("cy") or 0)) for circle in large}
    for one in comparison["rate_distortion"]:
        for other in comparison["rate_distortion"]:
            (x, y), (u, v) = (places[f"{entry['latent']}, β {entry['beta']:g}"] for entry in (one, other))
            assert (x < u) == (one["rate"] < other["rate"])
            assert (y > v) == (one["distortion"] < other["distortion"])  # downwards is less
    assert not [circle for circle in named(root, "circle") if circle.get("r") == "2.2"]  # one seed is its own mean


@pytest.mark.parametrize("narrow", [False, True])
def test_no_beta_is_written_over_another_even_where_points_crowd(narrow):
    comparison = made_up.comparison(betas=BETAS)
    for entry in comparison["rate_distortion"]:
        entry["rate"] = 100 + 0.02 * entry["rate"]
        entry["distortion"] = 10 + 0.02 * entry["distortion"]
    comparison["rate_distortion"][0] |= {"rate": 300.0, "distortion": 90.0}
    words = betas(drawn(comparison, narrow=narrow))
    boxes = [
        (float(word.get("x") or 0), float(word.get("y") or 0), 0.55 * FONT * len(word.text or "")) for word in words
    ]
    assert 1 < len(boxes) <= 9
    for index, (x, y, width) in enumerate(boxes):
        for u, v, other in boxes[:index]:
            assert x + width <= u or u + other <= x or abs(y - v) >= FONT


def test_it_says_its_numbers_in_words():
    root = drawn(made_up.comparison(betas=BETAS))
    assert "vector, β 0.3 at 21.9089 and 20.1909, β 1 at 12 and 22" in (root.get("aria-label") or "")


def test_one_beta_or_no_numbers_draw_nothing():
    assert rate_distortion_svg(made_up.read(made_up.comparison())) is None
    comparison = made_up.comparison(betas=BETAS)
    for entry in comparison["rate_distortion"]:
        entry["rate"] = float("nan") if entry["beta"] != 1 else entry["rate"]
    assert rate_distortion_svg(made_up.read(comparison)) is None
    del comparison["rate_distortion"]
    assert rate_distortion_svg(made_up.read(comparison)) is None


def test_equal_points_and_gaps_are_survived():
    comparison = made_up.comparison(seeds=(0,), betas=(1.0, 2.0))
    for entry in comparison["rate_distortion"]:
        entry |= {"rate": 5.0, "distortion": 7.0, "seeds": []}
    comparison["rate_distortion"][0]["distortion"] = float("nan")
    assert len(named(drawn(comparison), "polyline")) == 2
