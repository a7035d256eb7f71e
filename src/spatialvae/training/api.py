"""Training in one call: any model, any images, one folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spatialvae.calls import refuse_twice
from spatialvae.config import DataOptions, ModelConfig, ModelOptions, TrainConfig
from spatialvae.data.anything import images_by
from spatialvae.devices import resolve_device
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS, AbstractLatent
from spatialvae.model import SpatialVAE
from spatialvae.parts import refuse_objects
from spatialvae.training.callbacks import Callback
from spatialvae.training.finished import FinishedRun
from spatialvae.training.loop import train_stage
from spatialvae.training.model_stage import ModelStage
from spatialvae.training.trackers import Track
from spatialvae.training.unread import refuse_other_images, refuse_other_maps

__all__ = ["train"]

Trainable = SpatialVAE | TrainConfig | ModelConfig | AbstractLatent | str

LENGTH = "give the length as `epochs`, or in images by TrainConfig(optimisation=Optimisation(images=...))."


@refuse_twice(
    {
        "images": f"They are the images themselves: {LENGTH}",
        "model": "It is what is trained: give settings of a model by their own names, such as `latent`.",
    }
)
def train(
    model: Trainable | None = None,
    images: object = None,
    out: str | os.PathLike[str] = "runs/model",
    *,
    epochs: float | None = None,
    callbacks: Sequence[Callback] = (),
    track: Track = None,
    device: torch.device | str | None = None,
    progress: bool = True,
    **settings: Any,
) -> FinishedRun:
    """Train one model into the run folder `out`, or go on with the run that is there.

    The state after k images is a function of (settings, images, k), and of the weights that `model` begins with if it
    is a `SpatialVAE`: batches, noise, learning rate and KL weight are all functions of the seed and the images seen,
    and a checkpoint restores weights and moments bit for bit. So the same call goes on where a run was stopped.

        run = spatialvae.train("matrix-normal", "digits", "runs/digits", epochs=5, beta=2)
        run.model.sample(16), run.curves()["validation_bound"].values

    Args:
        model: a model made of objects, which is trained itself (with ``ema`` the run's model is another object, the
            average of its weights); a latent or its text such as ``"low-rank:rank=2"``;
            a `ModelConfig` or a whole `TrainConfig`; None for the default model.
        images: all that `as_image_data` takes: an array, a tensor, a pair with labels, a torch or `datasets` Dataset,
            a path, a source's name, `ImageData`. None: what the settings name, ``digits`` by default.
        out: the run folder.
        epochs: how long, in passes over the training images; default: 20. A length in images is a `TrainConfig`'s:
            ``TrainConfig(optimisation=Optimisation(images=100_000))``.
        callbacks: called on the way, see `Callback`.
        track: trackers by name or as objects, ``"none"`` for none; default: TensorBoard where it is installed.
        device: where to compute; default: the fastest device of this machine, of this process where there are several.
        progress: whether a bar on stderr shows how far it is.
        settings: the fields of `TrainConfig` and of its parts by name: ``beta``, ``learning_rate``,
            ``batch_size``, ``image_size``, ...

    Raises:
        UserError: an unknown setting; settings or images that do not fit the model or the run in `out`; losses,
            weights or validation that are not finite, of which nothing is stored; a tracker that is not there.
        Interrupted: Ctrl-C or SIGTERM came; the state was saved first.
    """
    if isinstance(images, int | float):
        raise UserError(f"`images` {images} is a number, and they are the images themselves: {LENGTH}")
    asked = _asked(model, {**settings, **({} if epochs is None else {"epochs": epochs})})
    where = resolve_device(device) if isinstance(device, str) else device
    refuse_other_images(images, _of_images(model, settings))
    if asked.model is None:
        refuse_other_maps(asked.config.model)
    data = images_by(asked.config.data, images, progress=progress)
    folder = Path(out).expanduser()
    stage = ModelStage(asked.config, data, model=asked.model, image_shape=asked.image_shape)
    network = train_stage(stage, folder, callbacks=callbacks, track=track, progress=progress, device=where)
    return FinishedRun(folder, network)


@dataclass(frozen=True)
class _Asked:
    """What the arguments of `train` come to."""

    config: TrainConfig
    model: SpatialVAE | None = None
    image_shape: tuple[int, int, int] | None = None
    """[C, H, W] where the model is of one size."""


def _asked(model: Trainable | None, settings: dict[str, Any]) -> _Asked:
    """The settings of a run, from what is to be trained and what was asked for by name."""
    if "data" in settings:
        raise UserError("`data` is given as `images`, the second argument of train.")
    refuse_objects(settings, "train")
    if isinstance(model, FinishedRun):
        raise UserError("A run is not trained as such: give its model, run.model, as the first argument of train.")
    if not isinstance(model, Trainable | None):
        raise UserError(
            f"A {model.__name__ if isinstance(model, type) else type(model).__name__} cannot be trained: give the name "
            "of a latent or a latent, a SpatialVAE, a ModelConfig or a TrainConfig as the first argument of train."
        )
    if isinstance(model, TrainConfig):
        if "epochs" in settings:  # one length takes the place of the other
            settings = {"images": None, **settings}
        return _Asked(TrainConfig.parse({**model.given(), **settings}, "train"))
    if isinstance(model, str | AbstractLatent):
        if "latent" in settings:
            raise UserError("`latent` is given twice: leave it out, or leave out the first argument of train.")
        settings = {"latent": model if isinstance(model, str) else LATENTS.spell(model), **settings}
    if not isinstance(model, SpatialVAE | ModelConfig):
        return _Asked(TrainConfig.parse(settings, "train"))
    config = model.config if isinstance(model, SpatialVAE) else model
    own = {name: getattr(config, name) for name in ModelOptions.model_fields}
    for name in own.keys() & settings.keys():
        raise UserError(f"`{name}` is the model's own: give it where the model is made.")
    (height, width), channels = config.image_size, config.channels
    if isinstance(model, SpatialVAE):
        return _Asked(TrainConfig.parse({**own, **settings}, "train"), model, (channels, height, width))
    # A size that the settings leave out is that of the images.
    size = {"image_size": f"{height}x{width}"} if "image_size" in model.model_fields_set else {}
    size |= {"channels": channels} if "channels" in model.model_fields_set else {}
    shape = (channels, height, width) if len(size) == 2 else None
    return _Asked(TrainConfig.parse({**own, **size, **settings}, "train"), None, shape)


def _of_images(model: Trainable | None, settings: dict[str, Any]) -> DataOptions:
    """What was asked of the images: the size of a `ModelConfig` is compared with theirs elsewhere."""
    own = model.data.given() if isinstance(model, TrainConfig) else {}
    named = {name: value for name, value in settings.items() if name in DataOptions.model_fields}
    return DataOptions.parse({**own, **named}, "train")
