"""The real images' side of the metrics of sets: their features and pixels, taken once, measured against often."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData
from spatialvae.errors import UserError
from spatialvae.metrics.base import AbstractFeatureMetric, AbstractMetric, AbstractSampleMetric, key_of
from spatialvae.metrics.measurement import FAILURES, Measurement, attempt, failures_of, reason
from spatialvae.metrics.provenance import NetworkDescription, Provenance
from spatialvae.metrics.samples.feature_cache import reference_features
from spatialvae.metrics.samples.features import FeatureNetwork
from spatialvae.metrics.samples.frechet import too_few
from spatialvae.metrics.subjects import FeatureSets, SampleSet
from spatialvae.progress import Progress

__all__ = ["Reference"]

BATCH = 500


@dataclass
class Reference:
    """The `subset` of `count` images of a split, which other sets are measured against.

    A network that cannot be opened or takes no images of this size raises at once; one that fails on the images is
    noted in the results of whatever is measured.

    Args:
        data: whose split it is.
        config: which split, seed and network of features.
        count: how many images of the split.
        wanted: the metrics that were asked for, by their specs; those that are not of sets are passed over.
        progress: show bars on stderr.
        device: where the network of features computes; the fastest by default.
    """

    data: ImageData
    config: EvaluationConfig
    count: int
    wanted: Mapping[str, AbstractMetric]
    progress: bool = False
    device: torch.device | None = None
    _network: FeatureNetwork | None = field(default=None, init=False)
    _features: Tensor | None = field(default=None, init=False)
    _failure: str = field(default="", init=False)

    def __post_init__(self) -> None:
        needed = any("features" in metric.needs for metric in self.wanted.values())
        if needed and self.config.features is not None:
            self._network = FeatureNetwork.open(self.config.features, self.device)
            self._network.size(self.data.height, self.data.width)
            where = (self.data, self.config.split, self.count)
            try:
                self._features = reference_features(
                    self._network, *where, seed=self.config.seed, progress=self.progress
                )
            except FAILURES as failure:
                self._failure = reason(failure)

    @property
    def wants_features(self) -> bool:
        """Whether any metric on features is wanted."""
        return bool(self._of_features)

    @property
    def wants_images(self) -> bool:
        """Whether any metric on the images of a set is wanted."""
        return bool(self._of_images)

    @property
    def _of_features(self) -> dict[str, AbstractFeatureMetric]:
        return {spec: metric for spec, metric in self.wanted.items() if isinstance(metric, AbstractFeatureMetric)}

    @property
    def _of_images(self) -> dict[str, AbstractSampleMetric]:
        return {spec: metric for spec, metric in self.wanted.items() if isinstance(metric, AbstractSampleMetric)}

    def provenance(self, intervals: str, lpips: NetworkDescription | None) -> Provenance:
        """What the numbers depend on: data, crop, resize, split, N of how many, and the networks with their sha256."""
        data, options = self.data, self.data.options
        return Provenance(
            data=data.source or data.name,
            fingerprint=data.fingerprint,
            crop=options.crop,
            image_size=(data.height, data.width),
            resize="none" if options.image_size is None else f"lanczos to {data.height}x{data.width}",
            split=self.config.split,
            images=self.count,
            of=len(data.split(self.config.split)),
            seed=self.config.seed,
            intervals=intervals,
            features=None if self._network is None else self._description(self._network),
            lpips=lpips,
        )

    def _description(self, network: FeatureNetwork) -> NetworkDescription:
        return NetworkDescription(
            name=network.name,
            sha256=network.sha256,
            title=network.title,
            dimension=None if self._features is None else self._features.shape[1],
            resize=network.resize(self.data.height, self.data.width),
        )

    def on_features(self, images: Tensor, of: str) -> Measurement:
        """The wanted metrics on features of `images` uint8 [N C H W], their keys ending in /`of`."""
        network = self._network
        if network is None:
            return Measurement()

        def compare() -> Measurement:
            if self._features is None:
                raise UserError(self._failure)
            with Progress(f"features, {of or 'images'}", len(images), shown=self.progress) as work:
                features = network.extract(_batches(images, work))
            return self._compare(features, self._features, of)

        return attempt([key_of(spec, of) for spec in self._of_features], compare)

    def _compare(self, features: Tensor, real: Tensor, of: str) -> Measurement:
        warning = too_few(min(len(features), self.count), real.shape[1])
        measured = Measurement(warnings=(warning,) if warning else ())
        sets = FeatureSets(features, real, self.config.seed)
        for spec, metric in self._of_features.items():
            key = key_of(spec, of)
            measured |= attempt(
                [key], lambda key=key, metric=metric: Measurement({key: metric.measure(sets)}), failures_of(metric)
            )
        return measured

    def on_images(self, images: Tensor, of: str) -> Measurement:
        """The wanted metrics on `images` themselves, uint8 [N C H W], their keys ending in /`of`."""
        measured = Measurement()
        for spec, metric in self._of_images.items():
            samples = SampleSet(key_of(spec, of), images, self.data, self.count, self.config)
            measured |= attempt(
                [samples.key], lambda metric=metric, samples=samples: metric.measure(samples), failures_of(metric)
            )
        return measured


def _batches(images: Tensor, work: Progress) -> Iterator[Tensor]:
    for batch in images.split(BATCH):
        yield batch
        work.advance(len(batch))
