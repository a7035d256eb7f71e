"""The files of a comparison's figures: rows of images with their labels, and the plots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from spatialvae.files import replacing
from spatialvae.metrics.base import RECONSTRUCTIONS
from spatialvae.report.models import light_colour
from spatialvae.report.pages.layout import Figure, FigureRow, picture_figures, samples_id
from spatialvae.report.plots.frame import svg_file
from spatialvae.report.sections import SECTIONS
from spatialvae.results import Results

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Pictures", "draw_figures"]

FOLDER = "figures"
TILE = 64  # smaller images are enlarged by a whole factor to about this side, so that one sees their pixels
GAP = 4
MOST = 12  # images in a row: more would be too small to see on a page


@dataclass(frozen=True)
class Pictures:
    """Images for the figures of a comparison: uint8 on the CPU, models by their latent's name or its whole spelling."""

    training: Tensor
    """[K C H W], training images."""
    samples: dict[str, dict[str, Tensor]]
    """Model -> prior ("standard", "gaussian", ...) -> [K' C H W]; the first K are shown."""
    originals: Tensor
    """[R C H W], held-out images."""
    reconstructions: dict[str, Tensor]
    """Model -> [R C H W]."""


def draw_figures(pictures: Pictures, results: Results, folder: Path) -> dict[str, str]:
    """Write the figures under folder/figures; {figure id: path relative to `folder`}.

    Each figure of images is one PNG with its labels ("samples-standard", "samples-gaussian", "reconstructions"), and a
    PNG without labels for every row ("samples-standard/images", "samples-standard/0" for the first model, ...), which a
    page labels itself. The plots of `SECTIONS`, where there is anything to draw, are SVGs that follow light and dark.
    """
    priors = {prior for by_prior in pictures.samples.values() for prior in by_prior}
    wanted = [*(samples_id(prior) for prior in priors), *([RECONSTRUCTIONS] if len(pictures.originals) else [])]
    paths: dict[str, str] = {}
    for figure in picture_figures(results, wanted):
        rows = [(row, images) for row in figure.rows if (images := _images(pictures, results, figure, row)) is not None]
        strips = [(row, _strip(images)) for row, images in rows]
        paths[figure.id] = _save(_labelled(figure.title, strips), folder, figure.id)
        for row, strip in strips:
            paths[row.id] = _save(strip, folder, row.id)
    for section in SECTIONS:
        drawn = section.file(results)
        if drawn is not None:
            paths[section.id] = f"{FOLDER}/{section.id}.svg"
            with replacing(folder / paths[section.id]) as temporary:
                temporary.write_text(svg_file(drawn), encoding="utf-8")
    return paths


def _images(pictures: Pictures, results: Results, figure: Figure, row: FigureRow) -> Tensor | None:
    """The images of a row, at most as many as the figure shows; None where a model has none."""
    reconstructed = figure.id == RECONSTRUCTIONS
    real = pictures.originals if reconstructed else pictures.training
    if row.model is None:
        images = real
    else:
        model = results.models[row.model]
        source = pictures.reconstructions if reconstructed else _samples_of(pictures, figure)
        images = next((source[name] for name in (model.spec, model.latent) if name in source), None)
    return None if images is None or not len(images) else images[: min(MOST, len(real) or MOST)]


def _samples_of(pictures: Pictures, figure: Figure) -> dict[str, Tensor]:
    """The samples that a figure shows, by model."""
    return {
        model: images
        for model, by_prior in pictures.samples.items()
        for prior, images in by_prior.items()
        if samples_id(prior) == figure.id
    }


def _strip(images: Tensor) -> Image:
    """Images [K C H W] side by side, with transparent gaps."""
    from PIL import Image

    if images.shape[1] in (2, 4):  # a fourth channel cannot be shown
        images = images[:, : images.shape[1] - 1]
    factor = max(1, round(TILE / max(images.shape[-2:])))
    array = images.detach().cpu().permute(0, 2, 3, 1).numpy().astype(np.uint8)
    array = array.repeat(factor, 1).repeat(factor, 2)
    count, height, width, channels = array.shape
    strip = Image.new("RGBA", (count * (width + GAP) - GAP, height), (0, 0, 0, 0))
    for index, image in enumerate(array):
        picture = Image.fromarray(image[:, :, 0] if channels == 1 else image).convert("RGBA")
        strip.paste(picture, (index * (width + GAP), 0))
    return strip


def _labelled(title: str, strips: list[tuple[FigureRow, Image]]) -> Image:
    """The strips under each other on white, each below its label, the figure's title above."""
    from PIL import Image, ImageDraw, ImageFont

    strip_width = max(strip.width for _, strip in strips)
    size = max(15, round(strip_width / 44))
    margin, label_height = size, round(size * 1.5)
    label_font, title_font = ImageFont.load_default(size), ImageFont.load_default(round(size * 1.2))
    names = [*(row.label for row, _ in strips), title]
    width = max(strip_width, *(round(title_font.getlength(name)) + 2 * size for name in names)) + 2 * margin
    top = margin + round(size * 1.9)
    height = top + sum(strip.height + label_height + size for _, strip in strips) + margin - size // 2
    canvas = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(canvas)
    draw.text((margin, margin), title, "#1d1f22", font=title_font)
    for row, strip in strips:
        left = margin
        if row.model is not None:  # the colour the model has in the curves
            side = round(size * 0.6)
            box = (left, top + size * 0.35, left + side, top + size * 0.35 + side)
            draw.rectangle(box, fill=light_colour(row.model))
            left += round(size * 0.95)
        draw.text((left, top + size * 0.1), row.label, "#4a4f57", font=label_font)
        canvas.paste(strip, (margin, top + label_height), strip)
        top += label_height + strip.height + size
    return canvas


def _save(image: Image, folder: Path, figure: str) -> str:
    """The picture as a PNG; its path relative to `folder`."""
    relative = f"{FOLDER}/{figure}.png"
    with replacing(folder / relative) as temporary:
        image.save(temporary, format="PNG", optimize=True)
    return relative
