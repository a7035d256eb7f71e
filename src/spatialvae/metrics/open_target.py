"""From what a user has at hand to a model, its images and the settings of an evaluation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData
from spatialvae.data.anything import as_image_data
from spatialvae.data.record import DataRecord
from spatialvae.errors import UserError
from spatialvae.metrics.selection import spelled_metrics
from spatialvae.model import SpatialVAE
from spatialvae.store import load

__all__ = ["Images", "TrainedRun", "as_one_split", "merge_settings", "open_images", "open_model"]

RECORD = "data.json"
Images = object
"""Anything that `spatialvae.data.as_image_data` takes."""


@runtime_checkable
class TrainedRun(Protocol):
    """A run folder with its model, such as `spatialvae.train` returns."""

    @property
    def folder(self) -> Path: ...

    @property
    def model(self) -> SpatialVAE: ...


def open_model(target: SpatialVAE | TrainedRun | str | os.PathLike[str]) -> tuple[SpatialVAE, Path | None]:
    """The model of a run or a folder, or the model itself; and the folder, where there is one."""
    if isinstance(target, SpatialVAE):
        return target, None
    if isinstance(target, TrainedRun):
        return target.model, target.folder
    folder = Path(target).expanduser()
    return load(folder), folder


def open_images(images: Images | None, folder: Path | None, model: SpatialVAE, *, progress: bool) -> ImageData:
    """The images that were given, or those that the run was trained on.

    Raises:
        UserError: there are none, or the run's are no longer what they were.
    """
    if images is not None:
        if isinstance(images, ImageData):
            return images
        channels, height, width = model.image_shape
        return as_image_data(as_one_split(images), image_size=(height, width), channels=channels, progress=progress)
    if folder is None:
        raise UserError("A model does not say which images to measure it on: give `images`, or the run's folder.")
    record = DataRecord.read(folder / RECORD)
    if record is None:
        raise UserError(f"{folder} does not say which images it was trained on: give `images`.")
    return record.reopened(folder, progress=progress)


def as_one_split(images: Images) -> Images:
    """Images in memory as a test split, so that none of them is set apart; what names its splits stays what it is."""
    of_datasets = type(images).__module__.partition(".")[0] == "datasets"
    return images if of_datasets or isinstance(images, str | Path | Mapping | ImageData) else {"test": images}


def merge_settings(config: EvaluationConfig | None, settings: dict[str, object]) -> EvaluationConfig | None:
    """The settings of an evaluation: those of `config`, with others put over them; None for none.

    Raises:
        UserError: a setting that does not exist, or a value that it cannot take.
    """
    if not settings:
        return config
    if "metrics" in settings:
        settings = {**settings, "metrics": spelled_metrics(settings["metrics"])}
    before = {} if config is None else config.model_dump(exclude_unset=True)
    return EvaluationConfig.parse({**before, **settings}, "evaluate")
