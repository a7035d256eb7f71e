"""Learning rate and KL weight as functions of the images seen: nothing to save, nothing to restore."""

from __future__ import annotations

import math

from spatialvae.config import AbstractOptimisation, TrainConfig

__all__ = ["kl_weight", "learning_rate", "model_cautions", "schedule_cautions", "total_images"]

DEFAULT_EPOCHS = 20


def total_images(config: AbstractOptimisation, training_images: int) -> int:
    """The length of a run in images: `images`, or `epochs`, or 20 epochs."""
    if config.images is not None:
        return config.images
    epochs = DEFAULT_EPOCHS if config.epochs is None else config.epochs
    return max(1, round(epochs * training_images))


def learning_rate(config: AbstractOptimisation, seen: int, total: int) -> float:
    """The step size after `seen` of `total` images: a linear warm-up, then constant or half a cosine to zero.

    >>> from spatialvae.config import Optimisation
    >>> config = Optimisation(schedule="cosine", learning_rate=1.0, warmup=100)
    >>> [round(learning_rate(config, seen, 300), 3) for seen in (0, 50, 100, 200, 300)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if seen < config.warmup:
        return config.learning_rate * seen / config.warmup
    if config.schedule == "constant":
        return config.learning_rate
    progress = min(1.0, (seen - config.warmup) / max(1, total - config.warmup))
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def kl_weight(config: TrainConfig, seen: int) -> float:
    """beta after `seen` images: it rises from 0 over the KL warm-up.

    >>> [kl_weight(TrainConfig(beta=2.0, kl_warmup=100), seen) for seen in (0, 50, 100, 1000)]
    [0.0, 1.0, 2.0, 2.0]
    """
    return config.beta * (min(1.0, seen / config.kl_warmup) if config.kl_warmup else 1.0)


def schedule_cautions(config: AbstractOptimisation, total: int) -> list[str]:
    """What the learning rate's warm-up does not reach in a run of `total` images, in a sentence.

    >>> from spatialvae.config import Optimisation
    >>> schedule_cautions(Optimisation(learning_rate=1e-3, warmup=400), 100)
    ['`warmup` 400 is longer than the run of 100 images: the learning rate ends at 0.00025, not at 0.001.']
    """
    if config.warmup <= total:
        return []
    ends = learning_rate(config, total, total)
    return [
        _longer("warmup", config.warmup, total, f"the learning rate ends at {ends:g}, not at {config.learning_rate:g}")
    ]


def model_cautions(config: TrainConfig, total: int) -> list[str]:
    """What the warm-ups of learning rate and KL weight and a discriminator do not reach, in a sentence each.

    >>> model_cautions(TrainConfig(kl_warmup=200), 100)
    ['`kl_warmup` 200 is longer than the run of 100 images: beta ends at 0.5, not at 1.']
    >>> model_cautions(TrainConfig(adversarial=1, adversarial_from=100), 100)
    ['`adversarial_from` 100 is past the run of 100 images: there is no discriminator.']
    """
    cautions = schedule_cautions(config.optimisation, total)
    if config.kl_warmup > total:
        ends = kl_weight(config, total)
        cautions.append(_longer("kl_warmup", config.kl_warmup, total, f"beta ends at {ends:g}, not at {config.beta:g}"))
    if config.adversarial_from is not None and config.adversarial_from >= total:
        begins = config.adversarial_from
        cautions.append(f"`adversarial_from` {begins} is past the run of {total} images: there is no discriminator.")
    return cautions


def _longer(setting: str, images: int, total: int, then: str) -> str:
    return f"`{setting}` {images} is longer than the run of {total} images: {then}."
