"""The real images' side of the metrics of sets: their features and pixels, taken once, measured against often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData
from spatialvae.metrics.feature_cache import reference_features
from spatialvae.metrics.features import FeatureNetwork
from spatialvae.metrics.frechet import frechet, too_few
from spatialvae.metrics.kernel import kernel_distance
from spatialvae.metrics.neighbours import neighbour_metrics
from spatialvae.metrics.parzen import parzen
from spatialvae.metrics.result import Evaluation
from spatialvae.metrics.selection import ON_FEATURES
from spatialvae.progress import bar

__all__ = ["Reference"]

BATCH = 500


@dataclass
class Reference:
    """The first `count` images of a split, which other sets are measured against.

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
    _features: Tensor = field(default_factory=lambda: torch.empty(0), init=False)

    def __post_init__(self) -> None:
        if self.on_features and self.config.features is not None:
            self._network = FeatureNetwork.open(self.config.features, self.device)
            self._features = reference_features(
                self._network, self.data, self.config.split, self.count, progress=self.progress
            )

    @property
    def on_features(self) -> bool:
        """Whether any metric on features is wanted."""
        return bool(set(self.wanted) & set(ON_FEATURES))

    def provenance(self) -> dict[str, Any]:
        """What the numbers depend on: data, crop, resize, split, N, and the features with their sha256."""
        data, options = self.data, self.data.options
        told: dict[str, Any] = {
            "data": data.source,
            "fingerprint": data.fingerprint,
            "crop": options.crop,
            "image_size": [data.height, data.width],
            "resize": "none" if options.image_size is None else f"lanczos to {data.height}x{data.width}",
            "split": self.config.split,
            "images": self.count,
            "seed": self.config.seed,
        }
        if self._network is not None:
            told["features"] = {
                "name": self._network.name,
                "title": self._network.title,
                "sha256": self._network.sha256,
                "dimension": self._features.shape[1],
                "resize": self._network.resize(data.height, data.width),
            }
        return told

    def measure(self, images: Tensor, of: str, found: Evaluation) -> None:
        """Add the wanted metrics on features of `images` uint8 [N C H W] to `found`, their keys ending in /`of`."""
        if self._network is None:
            return
        with bar(f"features, {of or 'images'}", len(images), self.progress) as advance:
            features = self._network.extract(_batches(images, advance))
        values = {}
        if "frechet" in self.wanted:
            values["frechet"] = frechet(features, self._features, seed=self.config.seed)
        if "kernel" in self.wanted:
            values["kernel"] = kernel_distance(features, self._features, seed=self.config.seed)
        if set(self.wanted) & {"precision", "recall", "density", "coverage"}:
            values |= neighbour_metrics(self._features, features)
        found.estimates |= {_key(name, of): value for name, value in values.items() if name in self.wanted}
        warning = too_few(min(len(images), self.count), self._features.shape[1])
        if warning is not None and warning not in found.warnings:
            found.warnings.append(warning)

    def parzen(self, samples: Tensor, of: str, found: Evaluation) -> None:
        """Add the Parzen log-density of the split's images under kernels on `samples`, nats, if it is wanted."""
        if "parzen" not in self.wanted:
            return
        images = _first(self.data, self.config.split, self.count)
        other = "train" if self.config.split == "validation" else "validation"
        validation = _first(self.data, other, self.count)
        key = _key("parzen", of)
        found.estimates[key], how = parzen(images, samples, validation, protocol=self.config.parzen_protocol)
        found.provenance[key] = {**how, "samples": len(samples)}


def _first(data: ImageData, split: str, count: int) -> Tensor:
    return torch.from_numpy(data.split(split).images[:count].copy())


def _key(name: str, of: str) -> str:
    return f"{name}/{of}" if of else name


def _batches(images: Tensor, advance: Callable[[int], None]) -> Iterator[Tensor]:
    for batch in images.split(BATCH):
        yield batch
        advance(len(batch))
