"""The Fréchet distance of pictures halfway between codes: what it says of a model's latent space for a second stage."""

from __future__ import annotations

from torch import Tensor

from spatialvae.data.pixels import to_uint8
from spatialvae.errors import UserError
from spatialvae.metrics.latent.codes import mean_codes
from spatialvae.metrics.measurement import Measurement
from spatialvae.metrics.samples.feature_cache import reference_features
from spatialvae.metrics.samples.features import FeatureNetwork
from spatialvae.metrics.samples.frechet import frechet, too_few
from spatialvae.metrics.samples.nearest import nearest
from spatialvae.metrics.subjects import ModelOnSplit
from spatialvae.model import SpatialVAE
from spatialvae.progress import Progress

__all__ = ["halfway", "interpolated_frechet"]

AT_ONCE = 250


def interpolated_frechet(subject: ModelOnSplit) -> Measurement:
    """The distance of the decoded `halfway` codes of a split's images to these images.

    Xu et al., "Making reconstruction FID predictive of diffusion generation FID", 2026, with the middle of each pair.

    Raises:
        UserError: fewer than three images, or codes that are not finite.
    """
    rows = subject.rows(subject.count)
    if len(rows) < 3:
        raise UserError(f"There are {len(rows)} images: codes are interpolated between three or more.")
    config, model = subject.config, subject.model
    assert config.features is not None  # the metric needs them
    codes = halfway(mean_codes(model, subject.split, rows))
    network = FeatureNetwork.open(config.features, model.device)
    real = reference_features(
        network, subject.data, config.split, subject.count, seed=config.seed, progress=subject.progress
    )
    with Progress("features, interpolations", len(codes), shown=subject.progress) as work:
        features = network.extract(_pictures(model, part, work) for part in codes.split(AT_ONCE))
    estimate = frechet(features, real, seed=config.seed)
    warning = too_few(len(rows), real.shape[1])
    return Measurement({subject.key: estimate}, warnings=(warning,) if warning else ())


def halfway(codes: Tensor) -> Tensor:
    """(z_i + z_j) / 2 for each code z_i and the nearest other one z_j: [n, numbers].

    >>> import torch
    >>> halfway(torch.tensor([[0.0], [1.0], [3.0]])).flatten()
    tensor([0.5000, 0.5000, 2.0000])
    """
    return (codes + codes[nearest(codes, codes, names=("codes", "codes"), itself=False).indices[:, 0]]) / 2


def _pictures(model: SpatialVAE, codes: Tensor, work: Progress) -> Tensor:
    shaped = codes.reshape(-1, *model.latent.event_shape).to(device=model.device, dtype=model.dtype)
    work.advance(len(codes))
    return to_uint8(model.decode(shaped).mean).cpu()
