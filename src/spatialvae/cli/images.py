"""From settings to prepared images, from a run to the images that suit it, from pictures to its model's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatialvae.cli.output import say, say_notes
from spatialvae.config import DataOptions
from spatialvae.errors import UserError, with_flags

if TYPE_CHECKING:
    from torch import Tensor

    from spatialvae.data import ImageData
    from spatialvae.data.record import DataRecord
    from spatialvae.model import SpatialVAE

__all__ = ["RunImages", "images_for", "pictures_for", "prepare_images", "read_for"]


def prepare_images(config: DataOptions, *, progress: bool = True, expected: str | None = None) -> ImageData:
    """The images that the settings name, decoded once into the cache; `OtherImages` if not `expected`."""
    from spatialvae.data import ImageOptions, parse_image_size, prepare

    if config.data is None:
        raise UserError("These settings are of a run on arrays in memory, which cannot be opened again: say --data.")
    options = ImageOptions(
        image_size=parse_image_size(config.image_size) if config.image_size else None,
        crop=config.crop,
        layout=config.layout,
        skip_bad_images=config.skip_bad_images,
        channels=config.channels,
    )
    return prepare(config.data, options, progress=progress, expected=expected)


@dataclass(frozen=True)
class RunImages:
    """Images that suit a run, and what to know of them.

    `own` when they are, by their fingerprint, those that it was trained on.
    """

    data: ImageData
    own: bool
    notes: list[str] = field(default_factory=list)


def images_for(run: Path, model: SpatialVAE, values: dict[str, Any], *, progress: bool = True) -> RunImages:
    """The images that a run was trained on, or others that `values` name, brought to the model's size and channels.

    What `values` leave open is done as it was for the run, so that the same images at another place are known again.

    Raises:
        UserError: nothing says what the run was trained on, or it is not there any more as it was.
    """
    from spatialvae.data.prepare import OtherImages
    from spatialvae.data.record import DataRecord
    from spatialvae.training import Run

    record = Run(run).record()
    if "data" not in values:
        _check_place(run, record)
    known = {} if record is None else record.settings
    if record is not None:
        try:
            settings = DataOptions.parse({**known, **values}, str(run))
            return RunImages(prepare_images(settings, progress=progress, expected=record.fingerprint), own=True)
        except OtherImages:
            if not values:
                raise UserError(
                    f"{run} was trained on {record.words}, which has changed since.\n"
                    "Say with --data where the images of then lie, or which others to take."
                ) from None
    height, width = model.config.image_size
    fitted = {"image_size": f"{height}x{width}", "channels": model.config.channels}
    data = prepare_images(DataOptions.parse({**known, **fitted, **values}, str(run)), progress=progress)
    now = DataRecord.of(data).words
    notes = [] if record is None else [with_flags(f"the images are {now}; {run} was trained on {record.words}")]
    return RunImages(data, own=False, notes=notes)


def _check_place(run: Path, record: DataRecord | None) -> None:
    """Refuse to guess what a run was trained on."""
    if record is None:
        raise UserError(
            f"{run} does not say what it was trained on (it has no data.json, as a model that was shared): "
            "name the images with --data."
        )
    if record.source is None:
        raise UserError(f"{run} was trained on arrays in memory, which no file holds: name the images with --data.")
    if Path(record.source).is_absolute() and not Path(record.source).exists():
        raise UserError(f"{run} was trained on {record.words}, which is not there any more: say where with --data.")


def read_for(
    run: Path, model: SpatialVAE, paths: Sequence[Path], *, skip_bad_images: bool = False
) -> tuple[Tensor, list[str]]:
    """Pictures prepared as the run's images were, uint8 [N C H W], and their names.

    A run whose images were neither cropped nor resized says nothing of pictures that have another size: those, and all
    pictures of a folder without a record, are cropped to the centre.
    """
    from spatialvae.data import ImageOptions
    from spatialvae.data.user_pictures import read_pictures
    from spatialvae.training import Run

    record, size = Run(run).record(), model.config.image_size
    options = ImageOptions() if record is None else record.options
    if options.image_size is None and options.crop == "none":
        options = replace(options, crop="center")
    if record is None:
        say(f"note: {run} has no data.json: pictures are cropped to the centre and made {size[0]}x{size[1]}")
    options = replace(options, image_size=size, skip_bad_images=skip_bad_images)
    images, names, notes = read_pictures(paths, options, model.config.channels)
    say_notes(notes)
    return images, names


def pictures_for(run: Path, model: SpatialVAE, paths: Sequence[Path], count: int, rule: str) -> Tensor:
    """Exactly `count` pictures by `read_for`, uint8 [count C H W]; `rule` says why no other number."""
    images, _ = read_for(run, model, paths)
    if len(images) != count:
        raise UserError(f"{len(images)} pictures were given, and {rule}.")
    return images
