"""The Parzen log-density of a split's images under kernels on a set of samples."""

from __future__ import annotations

from spatialvae.data.batches import some_images
from spatialvae.metrics.measurement import Measurement
from spatialvae.metrics.samples.parzen import parzen
from spatialvae.metrics.subjects import SampleSet
from spatialvae.records import as_json

__all__ = ["measure_parzen"]


def measure_parzen(samples: SampleSet) -> Measurement:
    """The mean log-density, nats per image, how its sigma was chosen, and a warning where that asks for one."""
    config = samples.config
    other = "train" if config.split == "validation" else "validation"
    images, validation = (
        some_images(samples.data.split(split), samples.count, seed=config.seed) for split in (config.split, other)
    )
    estimate, details = parzen(images, samples.images, validation, protocol=config.parzen_protocol)
    warnings = (f"{samples.key}: {details.note}",) if details.note else ()
    return Measurement({samples.key: estimate}, details={samples.key: as_json(details)}, warnings=warnings)
