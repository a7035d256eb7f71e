"""A training run: its data, its model, how it is optimised, and the objective."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from spatialvae.config.model import ModelConfig, ModelOptions
from spatialvae.config.optimisation import Optimisation
from spatialvae.settings import AbstractSettings, Length, Plain, WarmUp

__all__ = ["UNIT_GAUSSIANS", "DataOptions", "TrainConfig"]

UNIT_GAUSSIANS = {"gaussian": "gaussian:scale=1", "gaussian:mean=linear": "gaussian:scale=1,mean=linear"}
"""The likelihoods whose logarithm is the squared error of the paper's objective, by what a run's settings call them."""


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
    perceptual_weight: float = Field(
        default=0.0,
        ge=0,
        description="Nats for each number of an image that a perceptual distance of 1 between image and reconstruction "
        "adds to the loss; 0: the bound alone. It takes the extra imagenet.",
    )
    adversarial: float = Field(
        default=0.0,
        ge=0,
        description="Train a discriminator of patches against the decoder: how large its gradient on the decoder's "
        "outputs is, in that of the rest of the loss; 0: none. Not shown to be stable.",
    )
    adversarial_from: Length = Field(
        default=None, description="Images after which the discriminator takes part. Default: half of the run."
    )
    from_run: str | None = Field(
        default=None,
        description="A run, perhaps of images or a latent of another size, whose weights the model begins with where "
        "name and shape agree.",
    )
    kl_warmup: WarmUp = Field(default=0, description="Images over which beta rises from 0.")
    flip: bool = Field(default=False, description="Mirror half of the images left to right, at random.")
    random_crop: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="The smallest share of both sides that a random crop of each training image keeps, resized to the "
        "image's size; 1: no crops.",
    )

    @model_validator(mode="after")
    def _paper_objective_is_a_unit_gaussian(self) -> Self:
        squared = {None, *UNIT_GAUSSIANS, *UNIT_GAUSSIANS.values()}
        if self.objective == "paper" and self.model.likelihood not in squared:
            raise ValueError("`objective` paper is a squared error: leave `likelihood` out")
        return self

    def sized(self, image_size: tuple[int, int], channels: int) -> ModelConfig:
        """The model's own settings, once the data has said how large its images are.

        >>> options = ModelOptions(network="residual", likelihood="gaussian:mean=linear")
        >>> TrainConfig(model=options, objective="paper").sized((32, 32), 3).likelihood
        'gaussian:scale=1,mean=linear'
        """
        options = self.model.flat()
        if self.objective == "paper":  # its squared error is the log-density of a unit-variance Gaussian
            named = self.model.likelihood or "gaussian"
            options["likelihood"] = UNIT_GAUSSIANS.get(named, named)
        return ModelConfig.model_validate({**options, "image_size": image_size, "channels": channels})
