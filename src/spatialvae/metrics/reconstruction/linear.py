"""The linear models of `spatialvae.baselines` beside a model, and how far it lies behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from spatialvae.baselines import linear_baselines, possible_numbers
from spatialvae.data import ImageData
from spatialvae.estimate import Estimate
from spatialvae.metrics.measurement import Measurement
from spatialvae.metrics.subjects import ModelOnSplit

__all__ = ["PCA", "Lag", "behind", "measure_linear", "no_training"]

PCA = "linear PCA with as many numbers"
GAUSSIAN = "one Gaussian over the pixels"
REFERENCES = {
    "pca_bits_per_dim": ("bits_per_dim", PCA),
    "pixel_gaussian_bits_per_dim": ("bits_per_dim", GAUSSIAN),
    "pca_mse": ("mse", PCA),
}
"""By key of a linear model's value, the key of the model's own and what the linear model is called in a sentence."""
BEYOND = 2.0
"""Standard errors of the difference, both sides taken as independent, above which a model is called behind."""


def measure_linear(subject: ModelOnSplit) -> Measurement:
    """PCA with as many numbers as the model's code, and the Gaussian over the pixels, on the images of the evaluation.

    A code of no fewer numbers than the image is left with the Gaussian, which PCA with all numbers is.
    """
    data, config, numbers = subject.data, subject.config, subject.model.latent.numbers
    asked = [numbers] if numbers in possible_numbers(data) else []
    where = {"split": config.split, "limit": subject.count, "seed": config.seed, "progress": subject.progress}
    linear = linear_baselines(data, asked, **where)
    measured = Measurement(warnings=tuple(f"linear baselines: {note}" for note in linear.notes))
    for model in linear.models:
        name = "pixel_gaussian" if model.numbers is None else "pca"
        measured |= Measurement.of(f"{name}_bits_per_dim", model.values["bits_per_dim"])
        if model.mse is not None:
            measured |= Measurement.of(f"{name}_mse", model.values["mse"])
    return measured


def no_training(data: ImageData) -> str | None:
    """Why nothing can be fitted to the training images; None where it can.

    >>> import numpy as np
    >>> no_training(ImageData.from_arrays({"test": np.zeros((4, 1, 8, 8), np.uint8)}))
    'it is fitted to training images, and the data has 0: at least 2 are needed'
    """
    count = len(data.splits["train"]) if "train" in data.splits else 0
    return None if count > 1 else f"it is fitted to training images, and the data has {count}: at least 2 are needed"


@dataclass(frozen=True)
class Lag:
    """A value of a model that is worse than a linear model's."""

    key: str
    """Of the model's own value."""
    value: float
    reference: float
    linear: str
    """What the linear model is called in a sentence."""

    @property
    def sentence(self) -> str:
        """What to say of one model.

        >>> print(Lag("bits_per_dim", 6.073, 5.1, PCA).sentence)
        ends 0.97 bits a dimension behind linear PCA with as many numbers (6.07 against 5.10)
        >>> print(Lag("mse", 0.0027, 0.00016, PCA).sentence)
        its squared error, 0.0027, is above that of linear PCA with as many numbers, 0.00016
        """
        if self.key == "mse":
            return f"its squared error, {self.value:.3g}, is above that of {self.linear}, {self.reference:.3g}"
        both = f"{self.value:.2f} against {self.reference:.2f}"
        return f"ends {self.value - self.reference:.2f} bits a dimension behind {self.linear} ({both})"


def behind(metrics: Mapping[str, Estimate]) -> list[Lag]:
    """Where a model is worse than a linear one, by more than two standard errors of the difference.

    >>> ours, theirs = Estimate(6.073, 0.004, 10_000), Estimate(5.1, 0.006, 10_000)
    >>> [lag.linear for lag in behind({"bits_per_dim": ours, "pca_bits_per_dim": theirs})]
    ['linear PCA with as many numbers']
    >>> behind({"bits_per_dim": theirs, "pca_bits_per_dim": ours}), behind({"bits_per_dim": ours})
    ([], [])
    """
    lags = []
    for name, (key, linear) in REFERENCES.items():
        if name in metrics and key in metrics:
            ours, theirs = metrics[key], metrics[name]
            spread = math.hypot(ours.standard_error or 0.0, theirs.standard_error or 0.0)
            if ours.value - theirs.value > BEYOND * spread:
                lags.append(Lag(key, ours.value, theirs.value, linear))
    return lags
