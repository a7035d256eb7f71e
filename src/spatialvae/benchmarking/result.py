"""From the seconds of a benchmark's rounds to its numbers."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spatialvae.benchmarking.operations import Operations
from spatialvae.benchmarking.stages import STAGES
from spatialvae.benchmarking.timing import Spread, ratios

__all__ = ["Measured"]


@dataclass(frozen=True)
class Measured:
    """What was timed, a value a round; every rate, share and ratio is made within a round, then the median taken.

    The step of the real loop holds its share of a checkpoint: what the step with a checkpoint took more than the
    others, divided over the steps between two checkpoints of the run that was asked for.
    """

    batch_size: int
    steps: int
    """Steps a round of each loop."""
    generated: int
    """Images a round of each sampler."""
    checkpoint_every: int
    """Images between checkpoints of the run that was asked for."""
    real: Sequence[float]
    """Seconds of `steps` steps of the real loop."""
    checkpointed: Sequence[float]
    """Seconds of one step with a checkpoint."""
    bare: Sequence[float]
    eager: Sequence[float]
    sampling: Sequence[float]
    eager_sampling: Sequence[float]
    stages: Sequence[dict[str, float]]
    """Seconds of the stages of one step."""
    peaks: dict[str, Sequence[float]]
    """Operations a second that each probe reached."""
    training: Operations
    """Of one image."""
    decoding: Operations
    """Of one image."""

    @property
    def checkpoint_seconds(self) -> float:
        """The median of what a checkpoint adds to a step."""
        added = (with_ - many / self.steps for with_, many in zip(self.checkpointed, self.real, strict=True))
        return max(0.0, statistics.median(added))

    @property
    def step_seconds(self) -> list[float]:
        """One step of the real loop with its share of a checkpoint."""
        share = self.checkpoint_seconds * self.batch_size / self.checkpoint_every
        return [taken / self.steps + share for taken in self.real]

    def spreads(self) -> dict[str, Spread]:
        """The numbers by name."""
        step = self.step_seconds
        images = [self.batch_size / taken for taken in step]
        drawn = [self.generated / taken for taken in self.sampling]
        peak = [max(values) for values in zip(*self.peaks.values(), strict=True)]
        latent, backward = self._share("latent"), self._share("backward_latent")
        numbers = {
            "training_images_per_second": images,
            "sampling_images_per_second": drawn,
            "ratio_to_bare_loop": ratios([taken / self.steps for taken in self.bare], step),
            "ratio_to_eager_fp32": ratios([taken / self.steps for taken in self.eager], step),
            "sampling_ratio_to_eager_fp32": ratios(self.eager_sampling, self.sampling),
            "latent_share": latent,
            "latent_share_with_backward": [a + b for a, b in zip(latent, backward, strict=True)],
            "peak_share": ratios([rate * self.training.flops for rate in images], peak),
            "sampling_peak_share": ratios([rate * self.decoding.flops for rate in drawn], peak),
            "step_seconds": step,
        }
        return {name: Spread.of(values) for name, values in numbers.items()}

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: medians at the top, their spreads and what they are made of below."""
        spreads = self.spreads()
        return {
            **{name: spread.median for name, spread in spreads.items()},
            "checkpoint_seconds": self.checkpoint_seconds,
            "spreads": {name: asdict(spread) for name, spread in spreads.items()},
            "stages": {name: asdict(Spread.of([one[name] for one in self.stages])) for name in STAGES},
            "operations": {
                name: {"flops": of.flops, "bytes": of.bytes, "flops_per_byte": of.intensity}
                for name, of in (("training", self.training), ("sampling", self.decoding))
            },
            "peak_flops_per_second": {name: asdict(Spread.of(values)) for name, values in self.peaks.items()},
        }

    def _share(self, stage: str) -> list[float]:
        return [one[stage] / sum(one.values()) for one in self.stages]
