"""Learning rate and KL weight as functions of the images seen: nothing to save, nothing to restore."""

from __future__ import annotations

import math

from spatialvae.config import AbstractOptimisation, TrainConfig

__all__ = ["kl_weight", "learning_rate", "total_images"]

DEFAULT_EPOCHS = 20


def total_images(config: AbstractOptimisation, training_images: int) -> int:
    """The length of a run in images: --images, or --epochs, or 20 epochs."""
    if config.images is not None:
        return config.images
    epochs = DEFAULT_EPOCHS if config.epochs is None else config.epochs
    return max(1, round(epochs * training_images))


def learning_rate(config: AbstractOptimisation, seen: int, total: int) -> float:
    """The step size after `seen` of `total` images: a linear warm-up, then constant or half a cosine to zero.

    >>> config = TrainConfig(schedule="cosine", learning_rate=1.0, warmup=100)
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
