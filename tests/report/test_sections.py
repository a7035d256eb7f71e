"""The list of a report's sections: both pages and the figures' files walk it."""

from __future__ import annotations

from spatialvae.report.sections import SECTIONS, Plot, Section
from tests.report import made_up
from tests.report.test_pages import written


def test_a_plotted_section_is_one_entry_of_the_list(tmp_path, monkeypatch):
    def line(results, *, narrow=False, attributes=""):
        return f'<svg {attributes} viewBox="0 0 8 8" role="img" aria-label="a line"><path d="M0 0L8 8"/></svg>'

    added = Section("line", "A line", plot=Plot("The line", line, lambda results: f"Of {len(results.models)} models."))
    for module in (
        "spatialvae.report.pages.html",
        "spatialvae.report.pages.markdown",
        "spatialvae.report.plots.figures",
    ):
        monkeypatch.setattr(f"{module}.SECTIONS", (*SECTIONS[:3], added, *SECTIONS[3:]))
    markdown, html = written(tmp_path, made_up.comparison())
    assert "## A line\n\n![The line](figures/line.svg)\n\nOf 3 models.\n\n## Latent health" in markdown
    assert (tmp_path / "figures" / "line.svg").is_file()
    assert '<h2 id="line">A line</h2>' in html and html.count("M0 0L8 8") == 2 and "Of 3 models." in html
