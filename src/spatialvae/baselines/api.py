"""The baselines of any images in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from spatialvae.baselines.measure import values_of
from spatialvae.baselines.result import LinearBaseline, LinearBaselines
from spatialvae.baselines.spectrum import basis_of, spectrum_of
from spatialvae.baselines.stored import Basis, read_stored, stored
from spatialvae.baselines.tiles import Tiles
from spatialvae.data import ImageData, ImageSplit, as_image_data
from spatialvae.data.subset import subset
from spatialvae.errors import UserError, nearest
from spatialvae.estimate import Estimate
from spatialvae.latents import parse_latent
from spatialvae.sizes import default_grid

__all__ = ["default_numbers", "linear_baselines", "pixel_gaussian", "possible_numbers", "ppca"]

LOOKED_AT = 1000
"""Images whose black and white pixels are counted."""
Kind = int | None
"""Numbers of a code, or None for the Gaussian over the pixels."""


def pixel_gaussian(
    images: object, *, split: str = "test", limit: int | None = None, seed: int = 0, progress: bool = False, **how: Any
) -> LinearBaseline:
    """One Gaussian over the pixels with a full covariance, fitted to the training images, measured on a split.

        x + n ~ N(m + 1/2, S + I / 12),    bits per dim = E_n[-log2 p(x + n)] / D

    x are grey levels 0 to 255, n is uniform on [0, 1) in every number of the image, m and S are the mean and the
    covariance (divided by N) of the training images. Both means over n, of the fit and of the log-density, are exact:
    nothing is drawn. The bits per dim bound the code length of the 8-bit image from above, as a model's do.

    Images of more than 4,096 numbers are cut into the fewest equal tiles of at most as many, each with a mean of its
    own and one covariance for all, independent of each other. Fits and measurements are kept in the cache.

    >>> from sklearn.datasets import load_digits
    >>> one = pixel_gaussian((load_digits().images * 15).astype("uint8"))
    >>> one
    one Gaussian over the pixels, full covariance: 6... ± 0.0... bits per dim
    >>> one.train_images, one.dimensions, one.bits_per_dim.n
    (..., 64, ...)

    Args:
        images: anything that `as_image_data` takes, with training images.
        split: which images are measured: test, validation, train or all.
        limit: so many of them, drawn with `seed`; default: all.
        seed: of that draw.
        progress: show bars on stderr.
        **how: what `as_image_data` takes besides, such as `image_size`.

    Raises:
        UserError: no such split, no training images or only one, images of another kind.
    """
    return _measured(_prepared(images, how, progress), (None,), split, limit, seed, progress).models[0]


def ppca(
    images: object,
    numbers: int,
    *,
    split: str = "test",
    limit: int | None = None,
    seed: int = 0,
    progress: bool = False,
    **how: Any,
) -> LinearBaseline:
    """Probabilistic PCA with codes of so many numbers, which is what the bound of a linear VAE attains.

        x + n ~ N(m + 1/2, W W^T + s^2 I),    E[z|x] = (W^T W + s^2 I)^-1 W^T (x - m)

    by maximum likelihood in closed form (Tipping and Bishop, 1999): W holds the first principal directions and s^2 is
    the mean of the other variances of S + I / 12. See `pixel_gaussian` for the noise n, for large images and for what
    is kept. The squared error is that of the image that E[z|x] decodes to, rounded to 8 bits, as `mse` of `evaluate`.

    >>> from sklearn.datasets import load_digits
    >>> ppca((load_digits().images * 15).astype("uint8"), 16)
    probabilistic PCA, 16 numbers: 7... ± 0.0... bits per dim, squared error 0.0... ± 0.00...

    Args:
        images: anything that `as_image_data` takes, with training images.
        numbers: of a code, fewer than an image has; shared out equally where images are cut into tiles.
        split: which images are measured: test, validation, train or all.
        limit: so many of them, drawn with `seed`; default: all.
        seed: of that draw.
        progress: show bars on stderr.
        **how: what `as_image_data` takes besides, such as `image_size`.

    Raises:
        UserError: numbers that are not possible, no such split, no training images or only one.
    """
    return _measured(_prepared(images, how, progress), (numbers,), split, limit, seed, progress).models[0]


def linear_baselines(
    images: object,
    numbers: int | Sequence[int] | None = None,
    *,
    split: str = "test",
    limit: int | None = None,
    seed: int = 0,
    progress: bool = False,
    **how: Any,
) -> LinearBaselines:
    """`ppca` with each of these numbers and `pixel_gaussian`, in one pass over the images.

    Args:
        images: anything that `as_image_data` takes, with training images.
        numbers: of the codes; default: those of the vector and of the maps that are the default for images of this
            size, where they are fewer than an image has.
        split: which images are measured: test, validation, train or all.
        limit: so many of them, drawn with `seed`; default: all.
        seed: of that draw.
        progress: show bars on stderr.
        **how: what `as_image_data` takes besides, such as `image_size`.

    Raises:
        UserError: numbers that are not possible, no such split, no training images or only one.
    """
    data = _prepared(images, how, progress)
    wanted = default_numbers(data) if numbers is None else [numbers] if isinstance(numbers, int) else numbers
    return _measured(data, (*dict.fromkeys(wanted), None), split, limit, seed, progress)


def default_numbers(data: ImageData) -> list[int]:
    """The sizes of the default vector and maps for these images; a quarter of an image's numbers where both are larger.

    >>> import numpy as np
    >>> default_numbers(ImageData.from_arrays({"train": np.zeros((4, 3, 32, 32), np.uint8)}))
    [150, 1152]
    """
    grid, dimensions = default_grid((data.height, data.width)), data.channels * data.height * data.width
    sizes = sorted({parse_latent(latent, grid).numbers for latent in ("vector", "naive")})
    return [size for size in sizes if size < dimensions] or [max(1, dimensions // 4)]


def _prepared(images: object, how: dict[str, Any], progress: bool) -> ImageData:
    known = list(signature(as_image_data).parameters)[1:]
    for name in how:
        if name not in known:
            raise UserError(f"`{name}` is no setting of images. {nearest(name, known)}")
    return as_image_data(images, progress=progress, **how)


def _measured(
    data: ImageData, kinds: Sequence[Kind], split: str, limit: int | None, seed: int, progress: bool
) -> LinearBaselines:
    """The baselines in this order; those of the cache are read, and the others measured in one pass."""
    tiles, part = Tiles.of(data.channels, data.height, data.width), data.split(split)
    kept = {kind: tiles.size if kind is None else _share(kind, tiles) for kind in kinds}
    if limit is not None and limit < 1:
        raise UserError(f"`limit` {limit} is not possible: use at least 1, or leave it out for all images.")
    rows = subset(len(part), limit, seed=seed)
    shapes = {"bits_per_dim": (len(rows),), "mse": (len(rows),)}
    basis: Basis = {
        "kind": "values",
        "fit": basis_of(data, tiles),
        "split": split,
        "of": len(part),
        "images": len(rows),
        "seed": seed if len(rows) < len(part) else None,
    }
    values = {one: entry for one in kept.values() if (entry := read_stored({**basis, "kept": one}, shapes))}
    missing = [one for one in kept.values() if one not in values]
    if missing:
        spectrum = spectrum_of(data, tiles, progress=progress)
        new = values_of(spectrum, tiles, part, rows, missing, progress=progress)
        values |= {one: stored({**basis, "kept": one}, shapes, lambda one=one: new[one]) for one in missing}
    saturated = _saturated(part, rows)
    return LinearBaselines(
        data=data.source or data.name,
        fingerprint=data.fingerprint,
        split=split,
        images=len(rows),
        of=len(part),
        seed=seed,
        models=tuple(_baseline(data, tiles, kind, one, values[one], saturated) for kind, one in kept.items()),
    )


def possible_numbers(data: ImageData) -> range:
    """The numbers that a code of PCA can have: at least one for each tile of an image, and fewer than the image.

    >>> import numpy as np
    >>> possible_numbers(ImageData.from_arrays({"train": np.zeros((4, 3, 32, 32), np.uint8)}))
    range(1, 3072)
    """
    return _possible(Tiles.of(data.channels, data.height, data.width))


def _possible(tiles: Tiles) -> range:
    return range(tiles.count, tiles.count * (tiles.size - 1) + 1)


def _share(numbers: int, tiles: Tiles) -> int:
    """How many numbers of a code each tile has."""
    most = _possible(tiles)[-1] if _possible(tiles) else 0
    if numbers not in _possible(tiles):
        parts = "" if tiles.count == 1 else f", one for each of the {tiles.count:,} tiles of these images,"
        near = tiles.count if numbers < tiles.count else most
        raise UserError(
            f"`numbers` {numbers:,} is not possible: PCA of images of {tiles.dimensions:,} numbers has at least "
            f"{tiles.count:,}{parts} and at most {most:,}; give {near:,}. With all numbers it is the pixel Gaussian."
        )
    return numbers // tiles.count


def _baseline(
    data: ImageData, tiles: Tiles, kind: Kind, kept: int, values: Mapping[str, Tensor], saturated: float
) -> LinearBaseline:
    return LinearBaseline(
        kind="pixel-gaussian" if kind is None else "ppca",
        asked=kind,
        numbers=None if kind is None else kept * tiles.count,
        bits_per_dim=Estimate.of(values["bits_per_dim"]),
        mse=None if kind is None else Estimate.of(values["mse"]),
        train_images=len(data.split("train")),
        dimensions=tiles.dimensions,
        tiles=tiles.count,
        tile_size=None if tiles.count == 1 else (tiles.tile_height, tiles.tile_width),
        saturated=saturated,
        values=values,
    )


def _saturated(part: ImageSplit, rows: npt.NDArray[np.int64]) -> float:
    """The share of numbers that are 0 or 255, of at most `LOOKED_AT` of the images."""
    images = np.asarray(part.images[rows[:: -(-len(rows) // LOOKED_AT)]])
    return float(((images == 0) | (images == 255)).mean())
