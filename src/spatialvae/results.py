"""The results of a comparison as types: what comparison.json holds, and what a report is drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from spatialvae.estimate import Estimate
from spatialvae.metrics.latent.summary import LatentHealth
from spatialvae.metrics.provenance import NetworkDescription
from spatialvae.records import OMITTED, REST, called

__all__ = [
    "CONFIDENCE",
    "FORMAT",
    "Cost",
    "CurvePoint",
    "DataFacts",
    "Difference",
    "EvaluationFacts",
    "ModelResult",
    "Over",
    "Parameters",
    "RatePoint",
    "Results",
    "RunResult",
    "SeedPoint",
]

FORMAT = 2
CONFIDENCE = 0.95

Over = Literal["images", "seeds", "seeds and images"]


@dataclass(frozen=True)
class Difference:
    """A value minus the baseline's, in the metric's unit, and the interval that holds the true one.

    What the true one is of, `over` says. Over images it is the difference between these two trainings on all images of
    the kind, not the one between the latents: how much another training differs is not in it.

    >>> Difference(2.0, 1.5, 2.5, "seed and image", "seeds and images").excludes_tie
    True
    """

    value: float
    low: float
    high: float
    paired: Literal["seed and image", "seed", "none"]
    over: Over | None
    """None in files of earlier versions."""
    confidence: float = CONFIDENCE

    @property
    def excludes_tie(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Cost:
    """What a model costs: median seconds, and ratios to the baseline's (a ratio is the median of those in a round)."""

    step_seconds: float | None
    """Of one training step."""
    step_ratio: float | None
    picture_seconds: float | None
    """Of one generated image."""
    picture_ratio: float | None
    rounds: int | None
    """In which the models were timed in turn."""
    epoch_seconds: float
    """Of one pass over the training images."""
    epoch_ratio: float
    generation_seconds: float
    """Of 10,000 generated images."""
    generation_ratio: float


@dataclass(frozen=True)
class SeedPoint:
    """Rate and distortion of one run, nats an image."""

    seed: int
    rate: float
    distortion: float


@dataclass(frozen=True)
class RatePoint:
    """One point of a latent's curve, nats an image: rate = KL, distortion = minus the reconstruction's log-density."""

    latent: str
    beta: float
    rate: float
    distortion: float
    seeds: tuple[SeedPoint, ...] = ()


@dataclass(frozen=True)
class CurvePoint:
    """The validation bound and its terms, nats an image, after so many training images."""

    images: int
    validation_bound: float
    validation_reconstruction: float | None = None
    validation_kl: float | None = None


@dataclass(frozen=True)
class RunResult:
    """One seed of a model."""

    seed: int
    folder: str
    """Beside the report, as is the path `evaluation`."""
    evaluation: str = ""
    command: str = ""
    """The line that measures the same again."""
    metrics: dict[str, Estimate] = field(default_factory=dict)
    health: LatentHealth | None = None
    failed: dict[str, str] = field(default_factory=dict)
    """By key, why a metric that was wanted could not be measured."""
    curve: tuple[CurvePoint, ...] = ()


@dataclass(frozen=True)
class Parameters:
    """Trainable numbers."""

    encoder: int
    decoder: int


@dataclass(frozen=True)
class ModelResult:
    """One latent: its make, its runs, its results over seeds, its distance to the baseline, and its cost."""

    latent: str
    """As it was asked for."""
    spec: str = ""
    """Its whole spelling."""
    description: str = field(default="", metadata=called("law"))
    """What kind of posterior it is, in words."""
    equation: str = ""
    code: tuple[int, ...] = ()
    """The shape of a code."""
    encoder_outputs: int | None = None
    """How many numbers the encoder puts out for one image."""
    parameters: Parameters | None = None
    decoder_flops: int | None = field(default=None, metadata=OMITTED)
    """Floating point operations of the decoder for one image; None in files of earlier versions."""
    kl_weight: float | None = None
    """The factor of the KL in the paper's objective; None for the bound."""
    runs: tuple[RunResult, ...] = ()
    metrics: dict[str, Estimate] = field(default_factory=dict)
    health: LatentHealth | None = None
    differences: dict[str, Difference] | None = field(default=None, metadata=OMITTED)
    """By metric, to the baseline; None for the baseline itself."""
    cost: Cost | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True)
class DataFacts:
    """The images of a comparison."""

    source: str | None = None
    name: str = ""
    fingerprint: str = ""
    height: int | None = None
    width: int | None = None
    channels: int | None = None
    channel_means: tuple[float, ...] = ()
    crop: str | None = None
    image_size: str | None = None
    splits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluationFacts:
    """What was measured, on which images and with what."""

    split: str | None = None
    limit: int | None = None
    nll_images: int | None = None
    features: NetworkDescription | None = None
    lpips: NetworkDescription | None = None
    settings: dict[str, object] = field(default_factory=dict, metadata=REST)
    """The other settings of an evaluation, by name."""
    seed: int | None = None


@dataclass(frozen=True)
class Results:
    """All that a comparison measured: the content of comparison.json.

    >>> from spatialvae.records import as_json, parse
    >>> results = Results(models=(ModelResult("vector", metrics={"elbo": Estimate(-12.0, 0.5, 2)}),), seeds=(0, 1))
    >>> results.repeated, parse(Results, as_json(results), "comparison.json") == results
    (True, True)
    """

    format: int = FORMAT
    version: str = ""
    command: str = ""
    data: DataFacts = field(default_factory=DataFacts)
    settings: dict[str, object] = field(default_factory=dict)
    """Of every training."""
    evaluation: EvaluationFacts = field(default_factory=EvaluationFacts)
    seeds: tuple[int, ...] = ()
    intervals: str = ""
    """What errors and intervals are over."""
    training_seconds: float | None = None
    """Of all runs together."""
    betas: tuple[float, ...] = ()
    beta: float | None = None
    """That of the table and of the pictures."""
    baseline: str | None = None
    """The latent that the others are compared with."""
    models: tuple[ModelResult, ...] = ()
    best: dict[str, int | None] = field(default_factory=dict)
    """By metric, the index of the best model; None where intervals leave a tie."""
    rate_distortion: tuple[RatePoint, ...] = ()
    warnings: tuple[str, ...] = ()
    machine: dict[str, object] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)
    """By id, the path of each figure beside the report."""

    @property
    def repeated(self) -> bool:
        """Whether models were trained more than once: only then is anything known of how much trainings differ."""
        return len(self.seeds) > 1
