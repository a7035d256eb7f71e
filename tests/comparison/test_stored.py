"""A comparison that is stored: read again, from earlier versions too, drawn again, and shown in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spatialvae.comparison import Comparison
from spatialvae.errors import UserError
from spatialvae.report import draw_figures
from tests.report import made_up

STUDIES = Path(__file__).resolve().parents[2] / "docs" / "studies"
STORED = [path for path in sorted(STUDIES.glob("*.json")) if "models" in json.loads(path.read_text())]


def written(folder: Path) -> tuple[Path, dict[str, Any]]:
    """A comparison.json with its figures, and what it holds."""
    content = made_up.comparison(betas=(0.3, 1.0))
    content["figures"] = draw_figures(made_up.pictures(), made_up.read(content), folder)
    (folder / "comparison.json").write_text(json.dumps(content))
    return folder, content


def within(part: Any, whole: Any) -> bool:
    """Whether all of `part` stands in `whole`, which may have more entries."""
    if isinstance(part, dict):
        return all(key in whole and within(value, whole[key]) for key, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(within, part, whole))
    return part == whole


def test_there_are_stored_comparisons_of_both_formats() -> None:
    assert {json.loads(path.read_text())["format"] for path in STORED} == {1, 2}


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.name)
def test_comparisons_of_earlier_versions_are_read_and_drawn(path: Path, tmp_path: Path) -> None:
    content = json.loads(path.read_text())
    comparison = Comparison.read(path)
    assert [model.latent for model in comparison.models] == [model["latent"] for model in content["models"]]
    for model, stored in zip(comparison.models, content["models"], strict=True):
        assert {key: estimate.value for key, estimate in model.metrics.items()} == {
            key: estimate["value"] for key, estimate in stored["metrics"].items()
        }
        assert model.description == stored["law"]
    results = replace(comparison.results, figures={})  # their pictures are not stored
    drawn = Comparison(tmp_path, results)
    markdown, html = drawn.write()
    assert drawn.report == html and len(markdown.read_text()) > 3000
    assert Comparison.read(tmp_path).results == results
    assert within({**content, "figures": {}}, drawn.as_dict())


def test_a_comparison_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    folder, content = written(tmp_path)
    (folder / "comparison.json").write_text(json.dumps({**content, "format": 3}))
    with pytest.raises(UserError, match=r"comparison\.json has format 3, and spatialvae .* reads formats up to 2"):
        Comparison.read(folder)


def test_a_file_loses_nothing_and_is_drawn_again(tmp_path: Path) -> None:
    folder, content = written(tmp_path)
    comparison = Comparison.read(folder)
    assert within(content, comparison.as_dict())
    comparison.write()
    before = comparison.report.read_text()
    comparison.report.unlink()
    Comparison.read(folder).write()
    assert comparison.report.read_text() == before


def test_what_is_best_is_named_by_its_label(tmp_path: Path) -> None:
    best = Comparison.read(written(tmp_path)[0]).best
    assert (best["elbo"], best["frechet/gaussian"], best["mse"]) == ("low-rank", "matrix-normal", None)


def test_it_shows_its_table(tmp_path: Path) -> None:
    comparison = Comparison.read(written(tmp_path)[0])
    assert "−26.0 ± 0.4 *" in repr(comparison) and f"report: {comparison.report}" in repr(comparison)
    html = comparison._repr_html_()
    assert "<b>−26.0 ± 0.4</b><br><small>+4.0 (3.5 to 4.5)</small>" in html and str(comparison.report) in html


def test_hostile_names_stay_text_in_a_notebook(tmp_path: Path) -> None:
    content = made_up.comparison()
    content["models"][1]["latent"] = content["command"] = "<script>alert(1)</script>"
    assert "<script" not in Comparison(tmp_path / "<script>", made_up.read(content))._repr_html_()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "There is no file"),
        ("{", "is not valid JSON"),
        ("[]", "the whole is [] and not an object"),
        ('{"models": [{"spec": "a"}]}', "models.0.latent is missing"),
        ('{"models": [], "seeds": ["a"]}', 'seeds.0 is "a" and not a whole number'),
    ],
)
def test_a_damaged_file_is_named_with_the_place(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "comparison.json").write_text(text)
    with pytest.raises(UserError) as caught:
        Comparison.read(tmp_path)
    assert words in str(caught.value) and "comparison.json" in str(caught.value)
