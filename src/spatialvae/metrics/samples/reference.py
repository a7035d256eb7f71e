"""The real images' side of the metrics of sets: their features and pixels, taken once, measured against often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData
from spatialvae.data.batches import some_images
from spatialvae.errors import UserError
from spatialvae.metrics.estimate import Estimate
from spatialvae.metrics.provenance import NetworkDescription, Provenance
from spatialvae.metrics.result import FAILURES, Measurement, attempt, key_of, reason
from spatialvae.metrics.samples.feature_cache import reference_features
from spatialvae.metrics.samples.features import FeatureNetwork
from spatialvae.metrics.samples.frechet import frechet, too_few
from spatialvae.metrics.samples.kernel import kernel_distance
from spatialvae.metrics.samples.neighbours import neighbour_metrics
from spatialvae.metrics.samples.parzen import parzen
from spatialvae.metrics.selection import ON_FEATURES
from spatialvae.progress import bar
from spatialvae.records import as_json

__all__ = ["Reference"]

BATCH = 500


@dataclass
class Reference:
    """The `subset` of `count` images of a split, which other sets are measured against.

    A network that cannot be opened or takes no images of this size is told at once; one that fails on the images is
    noted in the results of whatever is measured.

    Args:
        wanted: the metrics that were asked for; those that are not metrics of sets are passed over.
    """

    data: ImageData
    config: EvaluationConfig
    count: int
    wanted: tuple[str, ...]
    progress: bool = False
    device: torch.device | None = None
    """Where the network of features computes; the fastest where nothing is said."""
    _network: FeatureNetwork | None = field(default=None, init=False)
    _features: Tensor | None = field(default=None, init=False)
    _failure: str = field(default="", init=False)

    def __post_init__(self) -> None:
        if self.on_features and self.config.features is not None:
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
    def on_features(self) -> bool:
        """Whether any metric on features is wanted."""
        return bool(set(self.wanted) & set(ON_FEATURES))

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

    def measure(self, images: Tensor, of: str) -> Measurement:
        """The wanted metrics on features of `images` uint8 [N C H W], their keys ending in /`of`."""
        network = self._network
        if network is None:
            return Measurement()

        def compare() -> Measurement:
            if self._features is None:
                raise UserError(self._failure)
            with bar(f"features, {of or 'images'}", len(images), self.progress) as advance:
                features = network.extract(_batches(images, advance))
            return self._compare(features, self._features, of)

        return attempt([key_of(name, of) for name in ON_FEATURES if name in self.wanted], compare)

    def _compare(self, features: Tensor, real: Tensor, of: str) -> Measurement:
        groups: list[tuple[tuple[str, ...], Callable[[], dict[str, Estimate]]]] = [
            (("frechet",), lambda: {"frechet": frechet(features, real, seed=self.config.seed)}),
            (("kernel",), lambda: {"kernel": kernel_distance(features, real, seed=self.config.seed)}),
            (("precision", "recall", "density", "coverage"), lambda: neighbour_metrics(real, features)),
        ]
        warning = too_few(min(len(features), self.count), real.shape[1])
        measured = Measurement(warnings=(warning,) if warning else ())
        for names, estimates in groups:
            keys = {name: key_of(name, of) for name in names if name in self.wanted}
            if keys:
                measured |= attempt(keys.values(), lambda keys=keys, estimates=estimates: _named(estimates(), keys))
        return measured

    def parzen(self, samples: Tensor, of: str) -> Measurement:
        """The Parzen log-density of the split's images under kernels on `samples`, nats, if it is wanted."""
        if "parzen" not in self.wanted:
            return Measurement()
        other = "train" if self.config.split == "validation" else "validation"
        images, validation = (
            some_images(self.data.split(split), self.count, seed=self.config.seed)
            for split in (self.config.split, other)
        )
        key = key_of("parzen", of)

        def measured() -> Measurement:
            estimate, details = parzen(images, samples, validation, protocol=self.config.parzen_protocol)
            warnings = (f"{key}: {details.note}",) if details.note else ()
            return Measurement({key: estimate}, details={key: as_json(details)}, warnings=warnings)

        return attempt([key], measured)


def _named(estimates: dict[str, Estimate], keys: dict[str, str]) -> Measurement:
    return Measurement({key: estimates[name] for name, key in keys.items()})


def _batches(images: Tensor, advance: Callable[[int], None]) -> Iterator[Tensor]:
    for batch in images.split(BATCH):
        yield batch
        advance(len(batch))
