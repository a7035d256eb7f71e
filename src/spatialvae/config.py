"""Every setting, typed and documented, in one place. The text of a field is the help of its flag."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from spatialvae.settings import AbstractSettings, Length, Plain, Seed, WarmUp, several

__all__ = [
    "NOT_COMPARED",
    "AbstractModelOptions",
    "AbstractOptimisation",
    "BenchConfig",
    "CompareConfig",
    "DataOptions",
    "EvaluationConfig",
    "ModelConfig",
    "ModelOptions",
    "Optimisation",
    "PriorConfig",
    "TrainConfig",
]


class DataOptions(AbstractSettings):
    """Where the images come from, and what happens to them before the cache."""

    data: str | None = Field(
        default="digits", description="A name (digits, mnist, cifar10, ...), hub:OWNER/NAME, or a path."
    )
    image_size: str | None = Field(
        default=None, description="Size to resize to, SIDE or HEIGHTxWIDTH. Default: keep the images' size."
    )
    crop: str = Field(
        default="none",
        description="What to cut out before resizing: none, center, or the side of a centred square such as 148.",
    )
    layout: str = Field(default="auto", description="Order of the axes of arrays: auto, nchw or nhwc.")
    skip_bad_images: bool = Field(default=False, description="Continue without the pictures that cannot be read.")
    channels: int | None = Field(
        default=None,
        ge=1,
        le=4,
        description="1 converts pictures to grey, 3 to colour. Default: keep the images' channels.",
    )

    @field_validator("image_size", mode="before")
    @classmethod
    def _pair_as_text(cls, value: Any) -> Any:
        """(height, width), as `as_image_data` takes it too, in the form that a file has."""
        return "x".join(map(str, value)) if isinstance(value, tuple | list) and len(value) == 2 else value

    def preparing(self) -> dict[str, Plain]:
        """What happens to the images, wherever they come from."""
        return {name: value for name, value in self.flat().items() if name != "data"}


class AbstractModelOptions(AbstractSettings):
    """What a model is made of, the images' size aside."""

    latent: str = Field(
        default="tensor-normal",
        description="The latent, with options if any: tensor-normal, naive, matrix-normal:covariance=ar1, "
        "low-rank:rank=2, vector:maps=81.",
    )
    maps: int | None = Field(
        default=None, ge=1, le=2**16, description="Number of latent maps. Default: the network's for the image size."
    )
    map_size: str | None = Field(
        default=None,
        description="Size of the maps, SIDE or HEIGHTxWIDTH. Default: the network's. paper has 3, and a 21st of each "
        "side for images of more than 73 pixels; residual has a quarter of each side or less, 8 at 32x32.",
    )
    prior: str = Field(
        default="standard",
        description="p(z): standard is N(0, I), learned is trained with the model, and learned:latent=matrix-normal,"
        "covariance=full takes the form of another latent.",
    )
    likelihood: str | None = Field(
        default=None,
        description="p(x|z): gaussian, gaussian:scale=0.1, gaussian:scale=pixel, logistic, "
        "logistic-mixture:components=5, pixelcnn:layers=4,width=32 or bernoulli. Default: the network's, a Gaussian.",
    )
    network: str = Field(
        default="paper",
        description="Encoder and decoder: paper, residual:width=64,depth=3, or paper:stem=authors for the authors' own "
        "decoder of a vector.",
    )
    head: Literal["dense", "conv"] | None = Field(
        default=None,
        description="The layer from features to q(z|x): dense is fully connected; conv consists of convolutions, whose "
        "size does not grow with the images. Default: the network's, dense for paper and conv for residual.",
    )


class ModelOptions(AbstractModelOptions):
    """What a run asks of its model; the images say how large it is."""


class ModelConfig(AbstractModelOptions):
    """All that rebuilds a model: what config.json beside the weights holds."""

    image_size: tuple[int, int] = Field(default=(64, 64), description="Height and width of the images, in pixels.")
    channels: int = Field(default=3, ge=1, le=4, description="Channels of the images.")


class AbstractOptimisation(AbstractSettings):
    """What the training loop reads, whatever it trains: length, steps, optimiser, number format."""

    images: Length = Field(
        default=None, description="Length of training, as the number of images that the model sees. Default: 20 epochs."
    )
    epochs: float | None = Field(
        default=None, gt=0, le=10**6, description="Length of training in epochs, instead of `images`."
    )
    batch_size: int = Field(default=100, ge=2, le=10**6, description="Images per step, over all devices.")
    learning_rate: float = Field(default=1e-3, gt=0, description="Adam's step size (the authors: 1e-4).")
    schedule: Literal["constant", "cosine"] = Field(
        default="constant", description="How the learning rate changes after the warm-up."
    )
    warmup: WarmUp = Field(default=0, description="Images over which the learning rate rises from 0.")
    clip: float | None = Field(
        default=None, gt=0, description="Largest allowed norm of the gradient, in nats. Default: no clipping."
    )
    ema: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Decay per step of an average of the weights, which all results use.",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="Number format; auto is bf16 where the hardware multiplies it faster (CUDA, CPUs with AMX), else "
        "fp32.",
    )
    seed: Seed = Field(default=0, description="Seed of the initial weights, the order of the data and the noise.")
    checkpoint_every: Length = Field(
        default=None, description="Number of images between checkpoints. Default: a tenth of the run."
    )

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.images is not None and self.epochs is not None:
            raise ValueError("give `images` or `epochs`, not both")
        return self


class Optimisation(AbstractOptimisation):
    """How a model is trained on images, by the defaults of a first stage."""

    checkpointing: bool = Field(
        default=False,
        description="Compute the inner values of residual blocks again for the gradient: less memory, slower.",
    )


class PriorConfig(AbstractOptimisation):
    """How a prior with a network is trained on the codes of a finished model: optimiser, length."""

    images: Length = Field(
        default=None,
        description="Length of training, as the most codes that the prior sees. Default: 120,000 for flow, 600,000 for "
        "diffusion.",
    )
    batch_size: int = Field(default=250, ge=2, le=10**6, description="Codes per step, over all devices.")
    learning_rate: float = Field(default=2e-3, gt=0, description="Adam's step size.")
    schedule: Literal["constant", "cosine"] = Field(
        default="cosine", description="How the learning rate changes after the warm-up."
    )
    warmup: WarmUp = Field(default=10_000, description="Codes over which the learning rate rises from 0.")
    clip: float | None = Field(
        default=1.0, gt=0, description="Largest allowed norm of the gradient of the loss per number of the code."
    )
    ema: float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="Decay per step of an average of the weights, which all results use.",
    )
    checkpoint_every: Length = Field(
        default=None,
        description="Number of codes between checkpoints, each with a held-out loss. Default: a tenth of the length.",
    )


class TrainConfig(AbstractSettings):
    """A training run: model, data, optimiser and length, objective.

    >>> config = TrainConfig(model=ModelOptions(latent="vector"), optimisation=Optimisation(images=500), beta=2)
    >>> config == TrainConfig.parse({"latent": "vector", "images": 500, "beta": 2}, "a flat file")
    True
    """

    model: ModelOptions = Field(default=ModelOptions(), description="What the model is made of.")
    data: DataOptions = Field(default=DataOptions(), description="The images, and how they are prepared.")
    optimisation: Optimisation = Field(default=Optimisation(), description="Length, steps, optimiser, number format.")
    objective: Literal["elbo", "paper"] = Field(
        default="elbo",
        description="The loss: elbo is the bound in nats, paper the released mean-reduced loss, whose KL weight "
        "changes with the latent.",
    )
    beta: float = Field(default=1.0, ge=0, description="Weight of the KL in the objective.")
    kl_warmup: WarmUp = Field(default=0, description="Images over which beta rises from 0.")
    flip: bool = Field(default=False, description="Mirror half of the images left to right, at random.")

    @model_validator(mode="after")
    def _paper_objective_is_a_unit_gaussian(self) -> Self:
        if self.objective == "paper" and self.model.likelihood not in (None, "gaussian", "gaussian:scale=1"):
            raise ValueError("`objective` paper is a squared error: leave `likelihood` out")
        return self

    def sized(self, image_size: tuple[int, int], channels: int) -> ModelConfig:
        """The model's own settings, once the data has said how large its images are."""
        options = self.model.flat()
        if self.objective == "paper":  # its squared error is the log-density of a unit-variance Gaussian
            options["likelihood"] = "gaussian:scale=1"
        return ModelConfig.model_validate({**options, "image_size": image_size, "channels": channels})


class EvaluationConfig(AbstractSettings):
    """What is measured, on which images, and with what."""

    metrics: str = Field(
        default="default",
        description="What to measure, separated by commas",
    )
    split: str = Field(default="test", description="The images to use: train, validation, test or all.")
    limit: int | None = Field(
        default=None, ge=1, description="Use only this many images, drawn from the split by `seed`. Default: all."
    )
    importance_samples: int = Field(default=64, ge=1, le=10**6, description="K, the number of draws per image for nll.")
    nll_images: int = Field(
        default=1000, ge=1, description="Number of images to measure nll and nll_bound on, drawn by the same seed."
    )
    features: str | None = Field(
        default=None,
        description="Network for frechet, kernel, precision, recall, density and coverage: a TorchScript file (uint8 "
        "in, features out), or inception.",
    )
    lpips: str | None = Field(default=None, description="The TorchScript file of a perceptual distance, for lpips.")
    generated: int = Field(
        default=10_000, ge=2, description="Number of samples drawn from each prior for metrics of sets."
    )
    prior: list[str] | None = Field(
        default=None,
        description="Priors to measure, one or more: standard, learned, or fitted ones such as gaussian or "
        "mixture:components=20. Default: the model's own prior and all fitted ones.",
    )
    parzen_protocol: Literal["held-out", "authors"] = Field(
        default="held-out",
        description="held-out picks sigma on validation images, with pixels in [0, 1]. authors repeats their code, "
        "with pixels in [-1, 1] and sigma picked on the images scored; use it only to compare with old numbers.",
    )
    seed: Seed = Field(default=0, description="Seed of the draws, and of the images if not all are used.")

    _lists = several("prior")


class BenchConfig(AbstractSettings):
    """How long a benchmark measures."""

    rounds: int = Field(
        default=9, ge=1, description="Number of rounds in which everything is timed; medians are over the rounds."
    )
    steps: int | None = Field(
        default=None, ge=1, description="Training steps per round. Default: 10 on a CPU, 200 on an accelerator."
    )
    generated: int = Field(default=10_000, ge=1, description="Images generated per round.")


class CompareConfig(AbstractSettings):
    """Which models a comparison trains, and where it writes."""

    latent: list[str] | None = Field(
        default=None,
        description="The latents to compare, one or more. Default: the paper's four, and a vector with as many numbers "
        "as their maps.",
    )
    beta: list[Annotated[float, Field(ge=0)]] = Field(
        default=[1.0],
        description="Weights of the KL in the objective, one or more: every latent is trained with each.",
    )
    seeds: int | None = Field(
        default=None,
        ge=1,
        description="Train each model with seeds 0 to N-1. Default: 3 with fewer than 10,000 training images, else 1. "
        "One seed does not show how trainings differ: the intervals are then over images, for this training only.",
    )
    prior: list[str] | None = Field(
        default=None,
        description="Priors to measure, one or more: standard; gaussian, mixture, flow or diffusion, which are fitted "
        "if they are not yet; learned, with its options, which is trained with the models. Default: standard, "
        "gaussian.",
    )
    prior_images: Length = Field(
        default=None,
        description="The most codes that the networks of flow and diffusion see. Default: 120,000 and 600,000.",
    )
    out: str | None = Field(default=None, description="The folder for the runs and the report.")

    _lists = several("latent", "beta", "prior")


NOT_COMPARED = frozenset({"seed"})
"""Settings of training and measuring that a comparison decides itself: seeds 0 to N-1 to train, seed 0 to measure."""
