"""What is measured of models: an evaluation, a benchmark, a comparison."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from spatialvae.settings import AbstractSettings, Length, Seed, several

__all__ = ["NOT_COMPARED", "BenchConfig", "CompareConfig", "EvaluationConfig"]


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
        description="Network for frechet, kernel, precision, recall, density and coverage: imagenet "
        "(EfficientNet-Lite0, the extra of that name), a TorchScript file (uint8 in, features out), or inception.",
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
    steps: int | None = Field(
        default=None, ge=1, description="Solver steps of the draws from flow-matching priors. Default: the prior's own."
    )
    guidance: float | None = Field(
        default=None,
        ge=0,
        description="How strongly classes pull in the draws from flow-matching priors with labels: each draw gets a "
        "class. Default: no classes.",
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
        description="Priors to measure, one or more: standard; gaussian, mixture, flow or flow-matching, which are "
        "fitted if they are not yet; learned, with its options, which is trained with the models. Default: standard, "
        "gaussian.",
    )
    prior_images: Length = Field(
        default=None,
        description="The most codes that the networks of flow and flow-matching see. Default: 120,000 and 600,000.",
    )
    out: str | None = Field(default=None, description="The folder for the runs and the report.")

    _lists = several("latent", "beta", "prior")


NOT_COMPARED = frozenset({"seed"})
"""Settings of training and measuring that a comparison decides itself: seeds 0 to N-1 to train, seed 0 to measure."""
