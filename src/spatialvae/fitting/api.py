"""Fitting a prior in one call: to a run, or to a model in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from spatialvae.calls import refuse_twice
from spatialvae.config import PriorConfig
from spatialvae.data import ImageData, as_image_data
from spatialvae.devices import resolve_device
from spatialvae.errors import UserError
from spatialvae.fitting.fit import Fitted, fit_missing
from spatialvae.model import SpatialVAE
from spatialvae.priors import AbstractTrainedFamily, parse_family
from spatialvae.sizes import spell_shape
from spatialvae.store import save_model
from spatialvae.training import FinishedRun, Interrupted, open_run

__all__ = ["fit", "training_settings"]


@refuse_twice({"images": "They are what the prior is fitted to: give the length of training as `epochs`."})
def fit(
    run_or_model: FinishedRun | SpatialVAE | str | os.PathLike[str],
    prior: str = "gaussian",
    images: object = None,
    *,
    device: torch.device | str | None = None,
    progress: bool = True,
    **settings: Any,
) -> Fitted:
    """Fit a prior to the codes of training images, so that samples look like the data, and attach it to the model.

    It takes the place of one of the same name. A run keeps it in its folder; a model in memory keeps it to itself.

        fitted = spatialvae.fit_prior("runs/digits", "mixture:components=20")
        spatialvae.fit_prior(model, "flow", images, epochs=10)

    Args:
        run_or_model: a run, its folder, or a model.
        prior: what is fitted: ``gaussian``, ``mixture:components=20``, ``flow``, ``flow-matching``, ...
        images: all that `as_image_data` takes; of a run, those that it was trained on by default.
        device: where to compute, for a run's folder; default: the fastest device. A model computes where it is.
        progress: whether a bar on stderr shows how far it is.
        settings: ``seed`` and ``flip``, and for a prior with a network the other fields of `PriorConfig` by name. Its
            length is ``epochs``, in passes over the codes; as an argument, ``images`` is what the prior is fitted to.

    Raises:
        UserError: no such prior or setting; a setting that this prior does not read; images of another shape than the
            model's, or none.
        Interrupted: training was asked to stop. For a run, the same call goes on from there; of a model in memory
            nothing is kept.
    """
    family = parse_family(prior)
    training = training_settings([prior], settings)
    if isinstance(run_or_model, FinishedRun | SpatialVAE):
        if device is not None:
            raise UserError("`device` is for a run's folder: a model in memory computes where it is, see model.to.")
        run = run_or_model
    else:
        run = open_run(run_or_model, device=device if isinstance(device, torch.device) else resolve_device(device))
    model = run if isinstance(run, SpatialVAE) else run.model
    if images is None and isinstance(run, SpatialVAE):
        raise UserError("A model in memory does not say what it was trained on: give `images`.")
    data = run.images if images is None and isinstance(run, FinishedRun) else as_image_data(images, progress=progress)
    _check_shape(model, data)
    with tempfile.TemporaryDirectory(prefix="spatialvae-prior-") as scratch:
        folder = Path(scratch) if isinstance(run, SpatialVAE) else run.folder
        if isinstance(run, SpatialVAE):
            save_model(folder, model)
        again = family.spelled in model.priors
        options = {"seed": training.seed, "training": training, "again": again, "progress": progress}
        try:
            return fit_missing(model, data, folder, [family.spelled], **options)[family.spelled]
        except Interrupted as stop:
            if isinstance(run, FinishedRun):
                raise
            message = "Stopped. The prior of a model in memory is trained in one go: nothing of it was kept."
            raise Interrupted(stop.signum, message) from None


def training_settings(priors: Sequence[str], values: Mapping[str, Any]) -> PriorConfig:
    """How the priors with a network among `priors` are trained, from plain values.

    Raises:
        UserError: an impossible value, or one that none of these priors reads.

    >>> training_settings(["gaussian", "flow"], {"images": 1000}).images
    1000
    >>> training_settings(["gaussian"], {"images": 1000})
    Traceback (most recent call last):
    spatialvae.errors.UserError: images is for priors with a network: gaussian is fitted without training.
    """
    training = PriorConfig.parse(dict(values), "fit_prior")
    unread = [name for name in values if name not in ("seed", "flip")]
    if unread and not any(isinstance(parse_family(name), AbstractTrainedFamily) for name in priors):
        raise UserError(f"`{unread[0]}` is for priors with a network: {', '.join(priors)} is fitted without training.")
    return training


def _check_shape(model: SpatialVAE, data: ImageData) -> None:
    shape = (data.channels, data.height, data.width)
    if shape != model.image_shape:
        raise UserError(
            f"The images are {spell_shape(shape)}, and the model is for {spell_shape(model.image_shape)}: prepare them "
            "with that `image_size` and `channels`."
        )
