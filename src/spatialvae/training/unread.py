"""What a call of `train` would not read: settings of images that are prepared already, and maps that a latent sets."""

from __future__ import annotations

from pathlib import Path

from spatialvae.config import DataOptions, ModelOptions
from spatialvae.data import ImageData, parse_image_size
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS, AbstractLatent
from spatialvae.sizes import parse_size

__all__ = ["refuse_other_images", "refuse_other_maps"]


def refuse_other_images(images: object, options: DataOptions) -> None:
    """Refuse settings of the data that the images contradict, where images are given.

    Args:
        images: as they were given; None where the settings name them.
        options: those that were given are compared, not the defaults.

    Raises:
        UserError: the first such setting, and where it belongs.
    """
    given = options.given()
    name = given.pop("data", None)
    if images is not None and name is not None and not _named(str(name), images):
        raise UserError(f"`data` {name} and other images are given: leave one of them out.")
    if not isinstance(images, ImageData):
        return  # they are prepared as the settings say
    size = None if options.image_size is None else parse_image_size(options.image_size)
    own: dict[str, object] = {**vars(images.options), "image_size": (images.height, images.width)}
    own |= {"channels": images.channels}
    for setting, value in {**given, **({"image_size": size} if "image_size" in given else {})}.items():
        if value is not None and value != own[setting]:
            raise UserError(f"`{setting}` is decided where ImageData is made: give it to as_image_data.")


def refuse_other_maps(options: ModelOptions) -> None:
    """Refuse `maps` and `map_size` beside a latent that says its own, where its codes are of such maps.

    Raises:
        UserError: the first of them that the latent contradicts.

    >>> refuse_other_maps(ModelOptions(latent="vector:maps=81", maps=64))
    >>> refuse_other_maps(ModelOptions(latent="naive:maps=5", maps=64))
    Traceback (most recent call last):
    spatialvae.errors.UserError: maps 64 is not read: latent naive:maps=5 has maps 5. Leave one of them out.
    """
    name, pairs = LATENTS.split(options.latent)
    own = dict(pairs)
    on_grid = getattr(LATENTS[name], "on_grid", AbstractLatent.on_grid)
    if on_grid.__func__ is not AbstractLatent.on_grid.__func__:
        return  # the maps that are asked for are those of the decoders that it is compared with
    sides = (None, None) if options.map_size is None else parse_size(options.map_size, "map_size")
    asked = {"maps": ("maps", options.maps), "height": ("map_size", sides[0]), "width": ("map_size", sides[1])}
    for key, (setting, value) in asked.items():
        has = own.get(key)
        if value is not None and has is not None and has != str(value):
            raise UserError(
                f"`{setting}` {getattr(options, setting)} is not read: `latent` {options.latent} has {key} {has}. "
                "Leave one of them out."
            )


def _named(name: str, images: object) -> bool:
    """Whether the images are those of this name or path."""
    source = images.source if isinstance(images, ImageData) else images
    return source is not None and (str(source) == name or str(source) == str(Path(name).expanduser().absolute()))
