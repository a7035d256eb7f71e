"""From settings to prepared images, and from a run to the images that suit it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatialvae.cli.output import say_notes
from spatialvae.config import AbstractDataOptions, TrainConfig
from spatialvae.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from spatialvae.data import ImageData
    from spatialvae.model import SpatialVAE

__all__ = ["images_for", "pictures_for", "prepare_images"]


def prepare_images(config: AbstractDataOptions, *, channels: int | None = None, progress: bool = True) -> ImageData:
    """The images that the settings name, decoded once into the cache; `channels` None keeps what they have."""
    from spatialvae.data import ImageOptions, parse_image_size, prepare

    options = ImageOptions(
        image_size=parse_image_size(config.image_size) if config.image_size else None,
        crop=config.crop,
        layout=config.layout,
        skip_bad_images=config.skip_bad_images,
        channels=channels,
    )
    return prepare(config.data, options, progress=progress)


def images_for(run: Path, model: SpatialVAE, values: dict[str, Any], *, progress: bool = True) -> ImageData:
    """Images for an existing run: its own, or other ones brought to its size and channels."""
    from spatialvae.training import Run

    path = Run(run).config
    before = TrainConfig.read(path).model_dump() if path.is_file() else {}
    fields = AbstractDataOptions.model_fields
    settings = TrainConfig.parse({**{key: before[key] for key in fields if key in before}, **values}, str(run))
    if settings.data == before.get("data"):
        return prepare_images(settings, progress=progress)
    if settings.image_size is None:
        size = f"{model.config.image_size[0]}x{model.config.image_size[1]}"
        settings = settings.model_copy(update={"image_size": size})
    return prepare_images(settings, channels=model.config.channels, progress=progress)


def pictures_for(model: SpatialVAE, paths: Sequence[Path], count: int, rule: str) -> Tensor:
    """Exactly `count` pictures brought to the model's size, uint8 [count C H W]; `rule` says why no other number."""
    from spatialvae.data.chosen import read_pictures

    images, _, notes = read_pictures(paths, model.config.image_size, model.config.channels)
    say_notes(notes)
    if len(images) != count:
        raise UserError(f"{len(images)} pictures came, and {rule}.")
    return images
