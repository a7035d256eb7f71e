"""One value an image of several metrics, gathered batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_

import torch
from torch import Tensor

from spatialvae.config import EvaluationConfig
from spatialvae.errors import UserError
from spatialvae.metrics.base import AbstractCodeMetric, AbstractMetric, AbstractPairMetric
from spatialvae.metrics.measurement import Measurement, failures_of, reason
from spatialvae.metrics.provenance import NetworkDescription
from spatialvae.metrics.reconstruction.perceptual import PerceptualDistance
from spatialvae.metrics.subjects import EncodedBatch, Pairs
from spatialvae.model import SpatialVAE

__all__ = ["ImageValues"]


class ImageValues:
    """The wanted metrics that have one value an image of its posterior, or of its reconstruction.

    A metric that fails on a batch is left out, with all that it gave before, and its reason is kept.

    >>> from spatialvae.metrics.selection import select
    >>> config = EvaluationConfig(metrics="mse")
    >>> values = ImageValues(select(config), config)
    >>> values.add_pairs(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.full((2, 1, 8, 8), 255, dtype=torch.uint8))
    >>> values.measurement().values
    {'mse': tensor([1., 1.], dtype=torch.float64)}
    """

    def __init__(
        self, wanted: Mapping[str, AbstractMetric], config: EvaluationConfig, device: torch.device | None = None
    ) -> None:
        self._of_codes = {key: one for key, one in wanted.items() if isinstance(one, AbstractCodeMetric)}
        self._of_pairs = {key: one for key, one in wanted.items() if isinstance(one, AbstractPairMetric)}
        self._parts: dict[str, dict[str, list[Tensor]]] = {}
        """By the metric's key, and then by the quantity: a batch's values each."""
        self._failed: dict[str, str] = {}
        needed = any("lpips" in metric.needs for metric in wanted.values())
        self._perceptual = PerceptualDistance.open(config.lpips, device) if needed and config.lpips else None

    def __len__(self) -> int:
        return len(self._of_codes) + len(self._of_pairs)

    @property
    def network(self) -> NetworkDescription | None:
        """The perceptual network, where one is used."""
        network = self._perceptual
        return None if network is None else NetworkDescription(network.name, network.sha256)

    def add_codes(self, model: SpatialVAE, images: Tensor, posterior: torch.distributions.Distribution) -> None:
        """Measure a batch of images, floats in [0, 1] [B C H W], by their posteriors."""
        for key, metric in self._of_codes.items():
            batch = EncodedBatch(key, model, images, posterior)
            self._gather(key, metric, len(images), lambda metric=metric, batch=batch: metric.measure(batch))

    def add_pairs(self, images: Tensor, reconstructions: Tensor) -> None:
        """Measure a batch of uint8 images [B C H W] by their reconstructions."""
        pairs = Pairs(images, reconstructions, self._perceptual)
        for key, metric in self._of_pairs.items():
            self._gather(key, metric, len(images), lambda key=key, metric=metric: {key: metric.measure(pairs)})

    def measurement(self) -> Measurement:
        """The metrics of all batches."""
        given = (item for quantities in self._parts.values() for item in quantities.items())
        networks = {key: metric.network for key, metric in self._of_pairs.items()}
        measured = (Measurement.of(name, torch.cat(parts), networks.get(name)) for name, parts in given)
        return reduce(or_, measured, Measurement(failed=self._failed))

    def _gather(
        self, key: str, metric: AbstractMetric, count: int, measure: Callable[[], Mapping[str, Tensor]]
    ) -> None:
        """Add a metric's values of a batch of `count` images."""
        if key in self._failed:
            return
        try:
            for name, values in measure().items():
                self._parts.setdefault(key, {}).setdefault(name, []).append(_checked(name, values, count))
        except failures_of(metric) as failure:
            self._failed[key] = reason(failure)
            self._parts.pop(key, None)


def _checked(name: str, values: Tensor, count: int) -> Tensor:
    """The values of a batch on the CPU, [B].

    Raises:
        UserError: they are of another shape.
    """
    if not isinstance(values, Tensor):
        raise UserError(f"{name} is a {type(values).__name__} and not a tensor [{count}], one value an image.")
    if values.shape != (count,):
        raise UserError(f"{name} has the shape {list(values.shape)} and not [{count}], one value an image.")
    return values.cpu()
