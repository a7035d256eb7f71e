"""What a metric is: a frozen dataclass with words for its result, what it needs, and a method that measures.

Nothing here waits for torch, so that the command line can name every metric in its help.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args
from urllib.parse import unquote

from spatialvae.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from spatialvae.estimate import Estimate
    from spatialvae.metrics.measurement import Measurement
    from spatialvae.metrics.provenance import NetworkDescription
    from spatialvae.metrics.subjects import EncodedBatch, FeatureSets, ModelOnSplit, Pairs, SampleSet

__all__ = [
    "DRAWN",
    "METRICS",
    "RECONSTRUCTIONS",
    "AbstractCodeMetric",
    "AbstractFeatureMetric",
    "AbstractMetric",
    "AbstractModelMetric",
    "AbstractPairMetric",
    "AbstractSampleMetric",
    "Better",
    "Group",
    "Need",
    "Quantity",
    "Read",
    "key_of",
    "spec_key",
    "split_key",
]

Better = Literal["higher", "lower", ""]
Group = Literal["likelihood", "reconstruction", "samples", "latent"]
Need = Literal["model", "pairs", "labels", "apart", "lpips", "imagenet", "features", "training"]
"""A model; a reconstruction of every image; labels that a classifier can learn; validation images apart from those
measured; a perceptual network; the extra `imagenet`; a network of features; training images."""

Read = Literal[
    "importance_samples",
    "nll_images",
    "features",
    "lpips",
    "generated",
    "prior",
    "steps",
    "guidance",
    "parzen_protocol",
]
"""A setting of `EvaluationConfig` that only some metrics read."""
DRAWN: frozenset[Read] = frozenset({"generated", "prior", "steps", "guidance"})
"""What samples of priors are drawn by."""


@dataclass(frozen=True)
class Quantity:
    """The words for one number of a result: a metric's own, or one of several that a metric gives."""

    name: str
    title: str
    unit: str
    better: Better
    group: Group
    meaning: str


class AbstractMetric(ABC):
    """Something that a model or a set of images is measured by.

    A metric of your own extends one of the five classes below, which differ in what they are measured on, and is
    registered with a name: ``--metrics NAME`` then asks for it, ``NAME:option=value`` with options, which are the
    fields of the dataclass.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class AbsoluteError(AbstractPairMetric):
    ...     title: ClassVar[str] = "absolute error"
    ...     unit: ClassVar[str] = "of 0 to 1"
    ...     better: ClassVar[Better] = "lower"
    ...     meaning: ClassVar[str] = "between image and reconstruction, mean over pixels in [0, 1]"
    ...
    ...     def measure(self, pairs):
    ...         return (pairs.images.double() - pairs.reconstructions.double()).abs().mean((1, 2, 3)) / 255
    >>> AbsoluteError.quantities("mae")[0].title, sorted(AbsoluteError.needs)
    ('absolute error', ['pairs'])
    """

    title: ClassVar[str]
    unit: ClassVar[str]
    better: ClassVar[Better]
    """Which way is better; empty where neither is."""
    group: ClassVar[Group]
    """Under which heading of a report it stands."""
    meaning: ClassVar[str]
    needs: ClassVar[frozenset[Need]] = frozenset()
    reads: ClassVar[frozenset[Read]] = frozenset()
    """The settings of an evaluation that it reads, of those that not every metric does."""
    by_default: ClassVar[bool] = True
    """Whether ``--metrics default`` asks for it."""

    @classmethod
    def quantities(cls, name: str) -> tuple[Quantity, ...]:
        """The numbers that it gives, in order: one, called `name`, unless a metric says otherwise."""
        return (Quantity(name, cls.title, cls.unit, cls.better, cls.group, cls.meaning),)


class AbstractCodeMetric(AbstractMetric):
    """One value an image from its posterior q(z|x), for all images in one pass.

    It may draw from torch's global generator only at the price that metrics after it draw other numbers.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"model"})

    @abstractmethod
    def measure(self, batch: EncodedBatch) -> Mapping[str, Tensor]:
        """The values of a batch, [B] each, by the quantity's name; `batch.key` for a metric of one quantity."""


class AbstractPairMetric(AbstractMetric):
    """One value an image from the image and its reconstruction."""

    group: ClassVar[Group] = "reconstruction"
    needs: ClassVar[frozenset[Need]] = frozenset({"pairs"})

    @property
    def network(self) -> NetworkDescription | None:
        """The network that measures, if one does that no setting names."""
        return None

    @abstractmethod
    def measure(self, pairs: Pairs) -> Tensor:
        """The values of a batch, [B]."""


class AbstractFeatureMetric(AbstractMetric):
    """A comparison of a set's features with the real images', for the samples of each prior and reconstructions."""

    group: ClassVar[Group] = "samples"
    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    reads: ClassVar[frozenset[Read]] = frozenset({"features", *DRAWN})

    @abstractmethod
    def measure(self, sets: FeatureSets) -> Estimate:
        """The estimate for one set."""


class AbstractSampleMetric(AbstractMetric):
    """A comparison of a set's images themselves with the real ones, for the samples of each prior."""

    group: ClassVar[Group] = "samples"
    reads: ClassVar[frozenset[Read]] = DRAWN

    @abstractmethod
    def measure(self, samples: SampleSet) -> Measurement:
        """The measurement of one set, under `samples.key`."""


class AbstractModelMetric(AbstractMetric):
    """Anything that is measured of a model on a split of images.

    One of your own that does not say what it `reads` may read all settings, which stand in `subject.config`.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"model"})
    reads: ClassVar[frozenset[Read]] = frozenset(get_args(Read))

    def check(self, images: int) -> None:
        """Refuse, before anything is measured, what so many images do not allow; nothing by default.

        Raises:
            UserError: with what is possible.
        """

    def keys(self, subject: ModelOnSplit) -> Sequence[str]:
        """Under which keys a failure is noted: `subject.key`, unless a metric says otherwise."""
        return (subject.key,)

    @abstractmethod
    def measure(self, subject: ModelOnSplit) -> Measurement:
        """The measurement, under `subject.key`; draws follow torch's global generator, which is seeded before."""


METRICS: Registry[AbstractMetric] = Registry("metric")
"""Every metric by its name, in the order in which they are measured and reported."""


RECONSTRUCTIONS = "reconstructions"
"""What metrics of sets were taken of, where it is not the samples of a prior."""


def spec_key(spec: str) -> str:
    """The key of a metric by its text, in which a slash stands before what a metric was taken of.

    >>> spec_key("nll"), spec_key("mine:file=a/b")
    ('nll', 'mine:file=a%2Fb')
    """
    return spec.replace("%", "%25").replace("/", "%2F")


def key_of(name: str, of: str) -> str:
    """The key of a metric by what it was taken of.

    >>> key_of("frechet", "gaussian"), key_of("mse", "")
    ('frechet/gaussian', 'mse')
    """
    return f"{name}/{of}" if of else name


def split_key(key: str) -> tuple[str, str]:
    """The text of a metric and what it was taken of, from its key.

    >>> split_key("mine:file=a%2Fb/gaussian"), split_key("mse")
    (('mine:file=a/b', 'gaussian'), ('mse', ''))
    """
    spec, _, of = key.partition("/")
    return unquote(spec), of
