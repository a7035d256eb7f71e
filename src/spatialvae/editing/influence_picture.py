"""One picture of what cells write and read and how they are correlated: heat maps with titles and scales."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spatialvae.editing.cells import pixels_of
from spatialvae.editing.correlation import SiteCorrelations
from spatialvae.editing.influence import Influence
from spatialvae.report.plots.shades import diverging, sequential
from spatialvae.report.spelling import amount

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

__all__ = ["influence_picture"]

LETTERS, MARGIN, GAP = 14, 20, 4
PANELS = 270  # pixels that all panels of a grid are wide, at least: small images are enlarged by a whole factor
MATRIX = 180
BAR = (120, 12)
INK, MUTED, PAGE = "#1d1f22", "#4a4f57", "white"
SHADES = 60
BLOCK = np.array((255, 120, 0), dtype=np.uint8)


def influence_picture(influence: Influence, correlations: SiteCorrelations, prior: str) -> Tensor:
    """The maps of `influence` and the matrices of `correlations` as one uint8 picture [3 H W].

    A panel stands where its cell stands in the map, and an orange line marks the cell's own block of pixels in it.

    Args:
        prior: what the prior is called.
    """
    over = f"root mean square over {influence.images} image{'' if influence.images == 1 else 's'}, pixels in -1 to 1"
    jacobians = [
        _titled("What each cell writes", "|d pixel / d cell|", _panels(influence.writes), _scale(influence.writes)),
        _titled("What each cell reads", "|d cell / d pixel|", _panels(influence.reads), _scale(influence.reads)),
    ]
    matrices = [
        _titled(title, "", _matrix(matrix), None)
        for title, matrix in (
            ("within an image", correlations.posterior),
            (f"prior {prior}", correlations.prior),
            ("over images", correlations.aggregate),
        )
    ]
    scale = _bar(diverging, -1.0, 1.0, "-1", "1")
    return _stacked(
        [
            _words(f"A panel a cell, placed as in the map; {over}"),
            _beside(jacobians),
            _words("Correlation between cells, mean over maps; cells in reading order", bold=True),
            scale,
            _beside(matrices),
        ]
    )


def _panels(maps: Tensor) -> Image:
    """A heat map for every cell in a grid like the map's, all on one scale from 0 to the largest."""
    from PIL import Image

    height, width, rows, columns = maps.shape
    factor = max(1, -(-PANELS // (width * columns)))
    shares = maps / maps.max().clamp(min=torch.finfo(maps.dtype).tiny)
    side = rows * factor + GAP, columns * factor + GAP
    canvas = np.full((height * side[0] - GAP, width * side[1] - GAP, 3), 255, dtype=np.uint8)
    for row in range(height):
        for column in range(width):
            panel = _shaded(shares[row, column].numpy(), sequential, 0.0, 1.0).repeat(factor, 0).repeat(factor, 1)
            cell = torch.zeros(height, width, dtype=torch.bool)
            cell[row, column] = True
            block = pixels_of(cell, (rows, columns)).numpy().repeat(factor, 0).repeat(factor, 1)
            panel[_line(block)] = BLOCK
            top, left = row * side[0], column * side[1]
            canvas[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
    return Image.fromarray(canvas)


def _line(block: np.ndarray) -> np.ndarray:
    """The outermost pixels of a rectangle in a mask."""
    padded = np.pad(block, 1)
    return block & ~(padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:])


def _matrix(matrix: Tensor) -> Image:
    from PIL import Image

    factor = max(1, round(MATRIX / len(matrix)))
    return Image.fromarray(_shaded(matrix.numpy(), diverging, -1.0, 1.0).repeat(factor, 0).repeat(factor, 1))


def _shaded(values: np.ndarray, shade: Callable[[float], str], low: float, high: float) -> np.ndarray:
    """Numbers [rows, columns] as colours, uint8 [rows, columns, 3]."""
    colours = [shade(low + (high - low) * index / SHADES) for index in range(SHADES + 1)]
    table = np.array([[int(colour[start : start + 2], 16) for start in (1, 3, 5)] for colour in colours], np.uint8)
    places = np.clip(np.rint((values - low) / (high - low) * SHADES), 0, SHADES)
    return table[places.astype(int)]


def _scale(maps: Tensor) -> Image:
    return _bar(sequential, 0.0, 1.0, "0", amount(maps.max().item()))


def _bar(shade: Callable[[float], str], low: float, high: float, first: str, last: str) -> Image:
    """The colours of a scale with the numbers at its ends."""
    from PIL import Image, ImageDraw

    colours = _shaded(np.linspace(low, high, BAR[0])[None].repeat(BAR[1], 0), shade, low, high)
    wide = [round(_font().getlength(text)) for text in (first, last)]
    image = Image.new("RGB", (sum(wide) + BAR[0] + 16, LETTERS + 6), PAGE)
    draw = ImageDraw.Draw(image)
    draw.text((0, 0), first, MUTED, font=_font())
    image.paste(Image.fromarray(colours), (wide[0] + 8, 3))
    draw.text((wide[0] + BAR[0] + 16, 0), last, MUTED, font=_font())
    return image


def _words(text: str, *, bold: bool = False) -> Image:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (round(_font().getlength(text)) + 2, LETTERS + 6), PAGE)
    ImageDraw.Draw(image).text((0, 0), text, INK if bold else MUTED, font=_font())
    return image


def _titled(title: str, what: str, image: Image, scale: Image | None) -> Image:
    """A heat map under its title, what its colours mean, and their scale."""
    head = [_words(title, bold=True)]
    if scale is not None:
        head += [_words(what), scale]
    return _joined([*head, image], down=True, gap=GAP)


def _beside(images: list[Image]) -> Image:
    return _joined(images, down=False, gap=2 * MARGIN)


def _stacked(images: list[Image]) -> Tensor:
    """Images under each other with a margin: uint8 [3 H W]."""
    from PIL import Image

    content = _joined(images, down=True, gap=MARGIN // 2)
    page = Image.new("RGB", (content.width + 2 * MARGIN, content.height + 2 * MARGIN), PAGE)
    page.paste(content, (MARGIN, MARGIN))
    return torch.from_numpy(np.array(page)).permute(2, 0, 1)


def _joined(images: list[Image], *, down: bool, gap: int) -> Image:
    from PIL import Image

    wide, high = [image.width for image in images], [image.height for image in images]
    along = sum(high if down else wide) + gap * (len(images) - 1)
    page = Image.new("RGB", (max(wide), along) if down else (along, max(high)), PAGE)
    place = 0
    for image in images:
        page.paste(image, (0, place) if down else (place, 0))
        place += (image.height if down else image.width) + gap
    return page


def _font() -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(LETTERS)
