"""report.md and report.html: complete, safe, and asking nothing of any network."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from spatialvae.errors import UserError
from spatialvae.report import draw_figures, write_report
from spatialvae.report.pages.layout import picture_figures
from tests.report import made_up


class Page(HTMLParser):
    """What a test asks of a page: its elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def written(folder, comparison, channels=1, side=8):
    """The two texts, made as `compare` makes them: the comparison comes back from its JSON file."""
    names = tuple(model["latent"] for model in comparison["models"])
    comparison["figures"] = draw_figures(made_up.pictures(channels, side, names), made_up.read(comparison), folder)
    markdown, html = write_report(folder, made_up.read(comparison))
    assert (markdown, html) == (folder / "report.md", folder / "report.html")
    return markdown.read_text(encoding="utf-8"), html.read_text(encoding="utf-8")


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (3, 64)])
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_the_page_is_one_file_that_asks_for_nothing(tmp_path, channels, side, seeds):
    comparison = made_up.comparison(seeds=seeds, channels=channels, side=side)
    _, html = written(tmp_path, comparison, channels, side)
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.elements}
    assert "http://" not in html and "https://" not in html and "url(" not in html and "@import" not in html
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in page.all("img"))
    assert all(name not in attributes for _, attributes in page.elements for name in ("srcset", "onload"))
    targets = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = [attributes["href"] or "" for _, attributes in page.elements if "href" in attributes]
    assert links and all(link.startswith("#") and link[1:] in targets for link in links)
    assert len(page.all("img")) == 3 * 4  # three figures of real images and three models
    # A plot is there for a wide page and for a narrow one; with a single beta the curves are the only one.
    assert sum(svg.get("class") in ("wide", "narrow") for svg in page.all("svg")) == 2
    assert len(html) < 5e6


def test_every_row_of_every_figure_is_embedded(tmp_path):
    import base64

    comparison = made_up.comparison()
    _, html = written(tmp_path, comparison)
    for figure in picture_figures(made_up.read(comparison), comparison["figures"]):
        for row in figure.rows:
            content = (tmp_path / comparison["figures"][row.id]).read_bytes()
            assert base64.b64encode(content).decode() in html


def test_where_only_whole_figures_exist_they_are_embedded(tmp_path):
    comparison = made_up.comparison()
    written(tmp_path, comparison)
    comparison["figures"] = {name: path for name, path in comparison["figures"].items() if "/" not in name}
    _, html = write_report(tmp_path, made_up.read(comparison))
    assert len(Page(html.read_text(encoding="utf-8")).all("img")) == 3


def test_the_page_is_accessible(tmp_path):
    _, html = written(tmp_path, made_up.comparison())
    page = Page(html)
    assert page.all("html")[0]["lang"] == "en"
    assert all(image["alt"] for image in page.all("img"))
    assert all(svg.get("aria-label") for svg in page.all("svg") if svg.get("role") == "img")
    assert {scope["scope"] for scope in page.all("th")} == {"row", "col", "rowgroup"}
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes]
    assert set(named) <= set(ids)
    assert [int(tag[1]) for tag, _ in page.elements if tag in ("h1", "h2", "h3")][:3] == [1, 2, 3]
    assert "prefers-color-scheme:dark" in html
    assert any(meta.get("name") == "viewport" for meta in page.all("meta"))


def test_both_priors_are_labelled_in_both_texts(tmp_path):
    markdown, html = written(tmp_path, made_up.comparison())
    for text in (markdown, Page(html).text):
        assert "Samples from N(0, I)" in text
        assert "Samples from the fitted Gaussian" in text


HOSTILE = '<script>alert("1")</script>|`*x*`'


def test_hostile_text_stays_text(tmp_path):
    comparison = made_up.comparison()
    model = comparison["models"][1]
    model |= {"latent": HOSTILE, "spec": HOSTILE, "law": HOSTILE, "equation": HOSTILE}
    comparison["command"] = f"spatialvae compare --data '{HOSTILE}'\n```\n# out"
    comparison["data"].update(name=HOSTILE, source=HOSTILE + "x", fingerprint=HOSTILE)
    comparison["settings"][HOSTILE] = HOSTILE
    comparison["machine"]["processor"] = HOSTILE
    comparison["version"] = comparison["baseline"] = HOSTILE
    comparison["warnings"] = [HOSTILE]
    comparison["evaluation"]["features"] |= {"name": HOSTILE, "title": HOSTILE, "sha256": HOSTILE, "resize": HOSTILE}
    model["runs"][0].update(evaluation=HOSTILE, command=f"spatialvae evaluate '{HOSTILE}'")
    model["health"]["alarms"] = [HOSTILE]
    markdown, html = written(tmp_path, comparison)
    page = Page(html)
    assert not page.all("script")
    assert HOSTILE in page.text
    rest = re.sub(r"^(`{3,})sh\n.*?\n\1$", "", markdown, flags=re.MULTILINE | re.DOTALL)
    assert "<script" not in rest
    columns = [line.count("|") - line.count("\\|") for line in rest.splitlines() if line.startswith("| bound")]
    assert columns == [5]


def test_markdown_links_exist_and_tables_are_whole(tmp_path):
    comparison = made_up.comparison(betas=(0.5, 1.0))
    markdown, _ = written(tmp_path, comparison)
    links = re.findall(r"!\[[^]]+]\(([^)]+)\)", markdown)
    assert len(links) == 6
    assert all((tmp_path / link).is_file() for link in links)
    lines = markdown.splitlines()
    header = lines.index("| quantity | vector | matrix-normal | low-rank |")
    assert lines[header + 1] == "| --- | ---: | ---: | ---: |"
    bound = "−30.0 ± 0.4 | −28.0 ± 0.4<br>+2.0 (1.5 to 2.5) | **−26.0 ± 0.4**<br>+4.0 (3.5 to 4.5)"
    assert f"| bound (nats, ↑) | {bound} |" in lines
    assert comparison["command"] in lines
    assert "| fingerprint | c0ffee |" in lines
    assert "| split | test |" in lines


SECTIONS = [
    "Pictures",
    "Samples and reconstructions",
    "Likelihood",
    "Latent health",
    "Rate and distortion",
    "Learning curves",
    "Size and cost",
    "The latents",
    "Where the numbers are",
    "How this was made",
]


def test_both_texts_have_the_same_sections_in_the_same_order(tmp_path):
    markdown, html = written(tmp_path, made_up.comparison(betas=(0.3, 1.0, 3.0)))
    assert re.findall(r"^## (.+)$", markdown, re.MULTILINE) == SECTIONS
    assert re.findall(r"<h2[^>]*>(.+?)</h2>", html) == SECTIONS
    markdown, html = written(tmp_path, made_up.comparison())
    assert re.findall(r"<h2[^>]*>(.+?)</h2>", html) == [name for name in SECTIONS if name != "Rate and distortion"]
    assert "The KL was weighted" not in html


def test_every_column_leads_to_its_runs_and_the_commands_that_measure_them(tmp_path):
    comparison = made_up.comparison(seeds=(0, 1, 2), betas=(0.5, 1.0))
    markdown, html = written(tmp_path, comparison)
    page = Page(html)
    for text in (markdown, page.text):
        text = text.replace("\\", "")
        for model in comparison["models"]:
            for run in model["runs"]:
                assert run["evaluation"] in text and run["command"] in text
        assert "comparison.json" in text
        assert "The KL was weighted by β = 0.5 and 1; pictures and tables are of β = 1." in text
    columns = [link["href"] for link in page.all("a")]
    assert columns == ["#runs-0", "#runs-1", "#runs-2"] * 4  # one table each for quality, likelihood, health and cost


def test_arrays_in_memory_have_no_command_that_measures_them(tmp_path):
    comparison = made_up.comparison()
    comparison["data"]["source"] = None
    for text in written(tmp_path, comparison):
        assert "spatialvae evaluate" not in text
        assert "No command measures the same again, since the images were arrays in memory" in text


def test_what_was_measured_on_is_said(tmp_path):
    comparison = made_up.comparison()
    comparison["data"] |= {"crop": "148", "image_size": "8"}
    comparison["evaluation"] |= {"limit": 60, "nll_images": 20, "seed": 3, "lpips": {"name": "vgg", "sha256": "5a5a"}}
    comparison["evaluation"]["features"]["resize"] = "bilinear antialiased to 32x32"
    markdown, html = written(tmp_path, comparison)
    facts = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", html))
    assert facts["split"] == "test" and facts["images, N"] == "60 of 85, drawn with seed 3" and facts["crop"] == "148"
    assert facts["images of nll"] == "20 of 60, drawn with seed 3"
    assert facts["image size"] == "8 × 8 pixels, resized to 8"
    assert facts["features"] == "tiny" and facts["features: sha256"] == made_up.SHA
    assert facts["features: resize"] == "bilinear antialiased to 32x32" and facts["features: dimension"] == "64"
    assert facts["LPIPS"] == "vgg" and facts["LPIPS: sha256"] == "5a5a"
    assert f"| features: sha256 | {made_up.SHA} |" in markdown
    comparison["evaluation"]["limit"] = None
    assert "<dt>images, N</dt><dd>85</dd>" in written(tmp_path, comparison)[1]


def test_warnings_name_flags(tmp_path):
    comparison = made_up.comparison()
    comparison["warnings"] = ["no flow prior: give `prior_images` more"]
    for text in written(tmp_path, comparison):
        assert "give --prior-images more" in text.replace("\\", "")


def test_warnings_and_alarms_are_shown(tmp_path):
    for text in written(tmp_path, made_up.comparison()):
        assert "85 images are few for features of 64 numbers" in text
        assert "Prior holes: 97 %" in text


def test_models_without_health_or_features_are_reported(tmp_path):
    comparison = made_up.comparison(seeds=(0,))
    comparison["models"][1] |= {"health": None, "metrics": {"elbo": made_up.estimate(-3.0, 0.1)}, "differences": {}}
    _, html = written(tmp_path, comparison)
    assert "KL per site" in html
    comparison["evaluation"] |= {"features": None}
    for model in comparison["models"]:
        model["health"], model["metrics"] = None, {"mse": made_up.estimate(0.1, 0.01)}
    comparison["warnings"] = []
    markdown, html = written(tmp_path, comparison)
    for text in (markdown, html):
        assert "Latent health" not in text and "Likelihood" not in text and "Fréchet" not in text
        assert "squared error" in text


def test_the_papers_objective_is_pointed_out(tmp_path):
    comparison = made_up.comparison()
    for text in written(tmp_path, comparison):
        assert "pixels / (2 latents)" not in text
    comparison["settings"]["objective"] = "paper"
    for model, weight in zip(comparison["models"], (75.9, 10.67, 10.67), strict=True):
        model["kl_weight"] = weight
    for text in written(tmp_path, comparison):
        assert "weighs the KL by pixels / (2 latents), so differently for each latent" in text
        assert "vector 75.90" in text
        assert "KL weight" in text


def test_missing_numbers_are_dashes_in_both(tmp_path):
    comparison = made_up.comparison()
    comparison["models"][0]["metrics"]["elbo"] = made_up.estimate(float("nan"), None)
    comparison["models"][1]["metrics"]["nll"] = made_up.estimate(float("inf"), None)
    markdown, html = written(tmp_path, comparison)
    assert "| bound (nats, ↑) | – |" in markdown
    assert re.search(r"<td>–\s*</td>", html)
    assert "nan" not in Page(html).text.lower()


def test_a_comparison_without_pictures_or_curves_still_reports(tmp_path):
    comparison = made_up.comparison()
    for model in comparison["models"]:
        model["runs"] = []
    markdown, html = write_report(tmp_path, made_up.read(comparison))
    assert "![" not in markdown.read_text(encoding="utf-8")
    assert not Page(html.read_text(encoding="utf-8")).all("img")


@pytest.mark.parametrize("path", ["figures/gone.png", "figures/broken.png", "../outside.png"])
def test_figures_that_are_gone_broken_or_outside_are_an_error_that_names_them(tmp_path, path):
    comparison = made_up.comparison()
    comparison["figures"] = {"samples-standard": path}
    folder = tmp_path / "out"
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "broken.png").write_bytes(b"\x89PNG")
    Image.new("L", (8, 8)).save(tmp_path / "outside.png")
    with pytest.raises(UserError, match=path):
        write_report(folder, made_up.read(comparison))
    assert not (folder / "report.md").exists()
