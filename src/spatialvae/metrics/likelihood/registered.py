"""The metrics of the density: the bound and its terms, a tighter one, what q loses, and what each prior adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from spatialvae.errors import UserError
from spatialvae.metrics.base import (
    METRICS,
    AbstractCodeMetric,
    AbstractModelMetric,
    Better,
    Group,
    Quantity,
    Read,
    key_of,
)
from spatialvae.options import check_options

if TYPE_CHECKING:
    from torch import Tensor

    from spatialvae.metrics.measurement import Measurement
    from spatialvae.metrics.subjects import EncodedBatch, ModelOnSplit

__all__ = ["Bound", "BoundGaps", "NegativeLogLikelihood", "PriorGain"]


@METRICS.register("bound")
@dataclass(frozen=True)
class Bound(AbstractCodeMetric):
    """The evidence lower bound with its terms, and the code length that it bounds."""

    group: ClassVar[Group] = "likelihood"

    @classmethod
    def quantities(cls, name: str) -> tuple[Quantity, ...]:
        return (
            Quantity(
                "elbo",
                "bound",
                "nats",
                "higher",
                cls.group,
                "the evidence lower bound on log p(x): reconstruction minus KL, per image",
            ),
            Quantity(
                "bits_per_dim",
                "bits per dim",
                "bits",
                "lower",
                cls.group,
                "the bound as a code length of the 8-bit image, per number of the image",
            ),
            Quantity(
                "reconstruction",
                "reconstruction",
                "nats",
                "",
                cls.group,
                "the log-density of the image given its code, per image",
            ),
            Quantity(
                "kl",
                "KL",
                "nats",
                "",
                cls.group,
                "how much the code says about the image, per image; neither more nor less is better by itself",
            ),
        )

    def measure(self, batch: EncodedBatch) -> Mapping[str, Tensor]:
        from spatialvae.metrics.likelihood.bound import bound_terms

        return bound_terms(batch.model, batch.images, batch.posterior)


@METRICS.register("nll")
@dataclass(frozen=True)
class NegativeLogLikelihood(AbstractModelMetric):
    """Minus the importance-weighted bound, and the bound of the same images."""

    group: ClassVar[Group] = "likelihood"
    reads: ClassVar[frozenset[Read]] = frozenset({"importance_samples", "nll_images"})

    @classmethod
    def quantities(cls, name: str) -> tuple[Quantity, ...]:
        return (
            Quantity(
                name,
                "neg. log-likelihood",
                "nats",
                "lower",
                cls.group,
                "minus the importance-weighted bound, per image; compare it with the bound of the same images below, "
                "which it is tighter than, and not with the bound above, which is of all images",
            ),
            Quantity(
                "nll_bound",
                "bound, same images",
                "nats",
                "higher",
                cls.group,
                "the evidence lower bound of the images and draws that the neg. log-likelihood is of, per image",
            ),
        )

    def measure(self, subject: ModelOnSplit) -> Measurement:
        from spatialvae.metrics.likelihood.importance import negative_log_likelihood

        return negative_log_likelihood(subject)


@METRICS.register("gaps")
@dataclass(frozen=True)
class BoundGaps(AbstractModelMetric):
    """What the bound of some images gains where q is refined for each, within its family and beyond it.

    Args:
        images: how many; 32 by default, or all where there are fewer.
        steps: of each of the two refinements.
        draws: of the code an image and step, at least.

    Raises:
        UserError: a number below 1.
    """

    group: ClassVar[Group] = "likelihood"
    by_default: ClassVar[bool] = False
    reads: ClassVar[frozenset[Read]] = frozenset()

    images: int | None = None
    steps: int = 300
    draws: int = 8

    def __post_init__(self) -> None:
        check_options(self)
        for name, value in vars(self).items():
            if value is not None and value < 1:
                raise UserError(f"gaps:{name}={value} is not possible: use at least 1.")

    @classmethod
    def quantities(cls, name: str) -> tuple[Quantity, ...]:
        return (
            Quantity(
                "amortisation_gap",
                "amortisation gap",
                "nats",
                "lower",
                cls.group,
                "what the bound of some images gains where q is refined for each of them within its family, per image: "
                "what the encoder loses",
            ),
            Quantity(
                "family_gap",
                "family gap",
                "nats",
                "lower",
                cls.group,
                "what it gains beyond that with a Gaussian of full covariance over the whole code, per image: "
                "what the form of q loses",
            ),
        )

    def check(self, images: int) -> None:
        if self.images is not None and self.images > images:
            raise UserError(
                f"`metrics` gaps:images={self.images} is not possible: {images} images are measured, so take at most "
                "as many."
            )

    def measure(self, subject: ModelOnSplit) -> Measurement:
        from spatialvae.metrics.likelihood.gaps import measure_gaps

        return measure_gaps(subject, self.images, self.steps, self.draws)


@METRICS.register("prior_gain")
@dataclass(frozen=True)
class PriorGain(AbstractModelMetric):
    """What the bound gains with each prior as p(z)."""

    title: ClassVar[str] = "gain of the bound"
    unit: ClassVar[str] = "nats"
    better: ClassVar[Better] = ""
    group: ClassVar[Group] = "samples"
    reads: ClassVar[frozenset[Read]] = frozenset({"prior"})
    meaning: ClassVar[str] = (
        "with this prior as p(z) in place of the model's own, per image: how much better it describes the codes; "
        "compares priors of one model, and beside the bound those of several"
    )

    def keys(self, subject: ModelOnSplit) -> Sequence[str]:
        return [key_of(subject.key, prior) for prior in subject.priors if prior != subject.model.priors.own]

    def measure(self, subject: ModelOnSplit) -> Measurement:
        from spatialvae.metrics.likelihood.prior_gain import measure_gains

        return measure_gains(subject)
