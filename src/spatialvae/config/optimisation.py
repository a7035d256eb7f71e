"""Length, steps, optimiser and number format of a training, of a model or of a prior."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from spatialvae.settings import AbstractSettings, Length, Seed, WarmUp

__all__ = ["AbstractOptimisation", "Optimisation", "PriorConfig"]


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
    accumulate: int = Field(
        default=1,
        ge=1,
        le=10**6,
        description="Parts that a process takes its share of a batch in, one after the other: less memory for the same "
        "step. Batch norms see a part.",
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
        "flow-matching.",
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
    flip: bool = Field(default=False, description="Fit to the codes of the images mirrored left to right as well.")
    checkpoint_every: Length = Field(
        default=None,
        description="Number of codes between checkpoints, each with a held-out loss. Default: a tenth of the length.",
    )
