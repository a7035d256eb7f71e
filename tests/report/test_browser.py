"""The page in a browser: it is whole on a phone and on a desktop, light and dark, and asks for nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spatialvae.report import draw_figures, write_report
from tests.report import made_up

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
SECTIONS = [
    "pictures",
    "quality",
    "likelihood",
    "health",
    "rate-distortion",
    "curves",
    "cost",
    "latents",
    "sources",
    "made",
]
LUMINANCE = """color => {
    const part = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map(v => part(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}"""
CONTRASTS = f"""() => {{
    const luminance = {LUMINANCE};
    const behind = element => {{
        for (let at = element; at; at = at.parentElement) {{
            const colour = getComputedStyle(at).backgroundColor;
            if (!/, 0\\)$/.test(colour)) return colour;
        }}
        throw new Error("no background");
    }};
    const words = [...document.querySelectorAll("body *")].filter(element => !element.closest("svg")
        && [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()));
    return words.map(element => {{
        const pair = [getComputedStyle(element).color, behind(element)].map(luminance);
        const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        return [contrast, element.tagName + " " + element.textContent.slice(0, 40)];
    }});
}}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's browser; its downloads of others are never asked for."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything in it: five models, one of them with a long name, one without health and features."""
    folder = tmp_path_factory.mktemp("report")
    comparison = made_up.comparison(seeds=(0, 1, 2), channels=3, side=16, betas=(0.3, 1.0, 3.0))
    names = [*made_up.NAMES, "naive", "vector:maps=1152"]
    for index, name in enumerate(names[3:], 3):
        comparison["models"].append({**made_up.model(1, name, (0, 1, 2)), "code": [1152, 1, 1]})
        comparison["rate_distortion"] += [
            {**entry, "latent": name, "rate": entry["rate"] + index} for entry in comparison["rate_distortion"][:3]
        ]
    comparison["models"][3] |= {"health": None, "metrics": made_up.metrics(2), "differences": made_up.differences(2)}
    comparison["models"][4]["health"]["kl_per_map"] = [3.0 / (1 + k) for k in range(1152)]
    comparison["figures"] = draw_figures(made_up.pictures(3, 16, tuple(names)), made_up.read(comparison), folder)
    return write_report(folder, made_up.read(comparison))[1]


@pytest.fixture(scope="module", params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def opened(request: pytest.FixtureRequest, chromium: Browser, report: Path, scheme: Any) -> Iterator[Page]:
    """The page on one screen in one scheme, where no message and no request but the file came until the end."""
    context = chromium.new_context(viewport=request.param, color_scheme=scheme)
    page = context.new_page()
    messages, asked = [], []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(report.as_uri())
    yield page
    context.close()
    assert messages == []
    assert {url for url in asked if not url.startswith("data:")} == {report.as_uri()}


def test_nothing_sticks_out_and_every_picture_is_there(opened: Page) -> None:
    for _ in range(2):
        assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
        opened.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    widths = opened.evaluate("[...document.images].map(image => [image.naturalWidth, image.clientWidth])")
    assert len(widths) == 3 * 6 and all(min(pair) > 0 for pair in widths)
    outside = """[...document.querySelectorAll("svg, img, p, pre, dd, h1, h2, h3")].filter(element => {
        const box = element.getBoundingClientRect();
        return !element.closest(".scroll") && (box.left < -0.5 || box.right > innerWidth + 0.5);
    }).map(element => element.outerHTML.slice(0, 80))"""
    assert opened.evaluate(outside) == []


def test_the_sections_stand_in_order_one_below_the_other(opened: Page) -> None:
    tops = opened.evaluate(
        "[...document.querySelectorAll('section')].map(s => [s.querySelector('h2').id, s.offsetTop])"
    )
    assert [name for name, _ in tops] == SECTIONS
    assert [top for _, top in tops] == sorted(top for _, top in tops)
    figures = opened.evaluate(
        "[...document.querySelectorAll('section[aria-labelledby=pictures] h3')].map(h => h.id || h.textContent)"
    )
    assert ["Samples" in title for title in figures] == [True, True, False]


def test_heat_maps_and_plots_are_drawn(opened: Page) -> None:
    shown = """[...document.querySelectorAll("section[aria-labelledby=health] svg")].map(svg => {
        const box = svg.getBoundingClientRect();
        return [svg.getAttribute("aria-label"), box.width, box.height, svg.querySelectorAll("rect, path").length];
    })"""
    drawn = opened.evaluate(shown)
    assert all(width > 20 and height > 10 and shapes for _, width, height, shapes in drawn)
    for start in (
        "KL per site of vector:maps=1152",
        "KL per map of low-rank",
        "Row and column scales of",
        "Correlation",
    ):
        assert any(label.startswith(start) for label, *_ in drawn)
    assert not any("naive" in label for label, *_ in drawn)  # it has no health
    plots = "[...document.querySelectorAll('svg.wide, svg.narrow')].filter(svg => svg.clientWidth > 0).length"
    assert opened.evaluate(plots) == 2  # rate and distortion, and the curves, each in one shape


def test_text_stands_out_from_its_background(opened: Page) -> None:
    opened.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    contrasts = opened.evaluate(CONTRASTS)
    assert len(contrasts) > 200
    assert [pair for pair in contrasts if pair[0] < 4.5] == []


def test_a_columns_name_leads_to_its_runs_by_keyboard(opened: Page) -> None:
    link = opened.locator("thead a").nth(2)
    assert link.inner_text() == "low-rank"
    link.focus()
    opened.keyboard.press("Enter")
    opened.wait_for_url("**#runs-2")
    assert opened.locator("#runs-2").is_visible()
    assert "low-rank/beta-1/seed-2/evaluation.json" in opened.locator("#runs-2 + .runs").inner_text()


def test_light_and_dark_differ(chromium: Browser, report: Path) -> None:
    backgrounds = set()
    schemes: list[Any] = ["light", "dark"]
    for scheme in schemes:
        page = chromium.new_page(color_scheme=scheme)
        page.goto(report.as_uri())
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.close()
    assert len(backgrounds) == 2


@pytest.mark.parametrize("name", ["health", "rate-distortion", "curves"])
def test_the_files_of_the_plots_open_by_themselves(chromium: Browser, report: Path, name: str) -> None:
    page = chromium.new_page(color_scheme="dark")
    page.goto((report.parent / "figures" / f"{name}.svg").as_uri())
    assert page.evaluate("document.documentElement.tagName") == "svg"
    assert page.evaluate("getComputedStyle(document.querySelector('rect')).fill") == "rgb(20, 22, 26)"
    page.close()
