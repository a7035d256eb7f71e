"""The difference between two models with its confidence interval, paired as far as their results can be."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor

from spatialvae.metrics import Estimate
from spatialvae.results import CONFIDENCE, Difference, Over

__all__ = ["paired_by_image", "paired_by_seed", "t_quantile", "unpaired"]


def paired_by_image(values: Tensor, baseline: Tensor) -> Difference | None:
    """The mean difference of a metric with one value an image, over S seeds and n images, the same in both models.

        D = mean(d),  d = values - baseline,  half width^2 = t(S - 1)^2 s_seed^2 / S + t(n - 1)^2 s_image^2 / n

    s_seed is the standard deviation over seeds of a seed's mean difference, s_image that over images of an image's
    difference averaged over seeds: seeds and images are both drawn from what the statement is about. t(v) is the
    quantile of Student's t with v degrees of freedom. Each part keeps its own, as Zou and Donner (2008) recover
    variances from intervals: with the pooled degrees of freedom of Welch and Satterthwaite as few as 88 (two seeds) or
    92 (three) of 100 intervals hold the truth, of these 95 and more. What seed and image do together counts in both
    parts, so that the interval is rather too wide than too narrow. A part with one seed or one image is left out; what
    the interval is over then says so.

    Args:
        values: [S, n], row k trained with the k-th seed, column i measured on the i-th image.
        baseline: [S, n], the same seeds and images in the same order.

    Returns:
        The difference; None for one seed and one image, which say nothing about the spread.

    Raises:
        ValueError: shapes that differ or are not [S, n].

    >>> import torch
    >>> change = paired_by_image(torch.tensor([[3.0, 5.0, 4.0]]), torch.tensor([[1.0, 2.0, 3.0]]))
    >>> f"{change.value:.2f} from {change.low:.2f} to {change.high:.2f}"
    '2.00 from -0.48 to 4.48'
    """
    if values.shape != baseline.shape or values.ndim != 2:
        raise ValueError(f"two tables [seeds, images] are wanted, not {list(values.shape)} and {list(baseline.shape)}")
    difference = values.double() - baseline.double()
    means = (difference.mean(1), difference.mean(0))  # of each seed, of each image
    halves = [_half(mean) for mean in means if len(mean) > 1]
    if not halves:
        return None
    half, (seeds, images) = math.hypot(*halves), difference.shape
    over = "images" if seeds == 1 else "seeds" if images == 1 else "seeds and images"
    return _around(difference.mean().item(), half, "seed and image", over)


def paired_by_seed(values: Tensor, baseline: Tensor) -> Difference | None:
    """The mean difference of a metric with one value a model, over the same S seeds; Student's t with S - 1.

    Args:
        values: [S], a number for each seed.
        baseline: [S], the same seeds in the same order.

    Returns:
        The difference; None for one seed: see `unpaired`.

    Raises:
        ValueError: shapes that differ or are not [S].

    >>> import torch
    >>> change = paired_by_seed(torch.tensor([3.0, 5.0, 4.0]), torch.tensor([1.0, 2.0, 3.0]))
    >>> f"{change.value:.2f} from {change.low:.2f} to {change.high:.2f}"
    '2.00 from -0.48 to 4.48'
    """
    if values.shape != baseline.shape or values.ndim != 1:
        raise ValueError(f"two rows [seeds] are wanted, not {list(values.shape)} and {list(baseline.shape)}")
    difference = values.double() - baseline.double()
    return _around(difference.mean().item(), _half(difference), "seed", "seeds") if len(difference) > 1 else None


def unpaired(value: Estimate, baseline: Estimate) -> Difference | None:
    """The difference of two estimates whose errors know nothing of each other: sqrt(a^2 + b^2), normal quantile.

    For one seed and a metric of a whole set, whose error is a bootstrap's: it holds for these two trained models, and
    says nothing of how a second training would differ.

    Returns:
        The difference; None where either has no standard error.

    >>> change = unpaired(Estimate(5.0, 0.3, 100), Estimate(4.0, 0.4, 100))
    >>> f"{change.value:.2f} from {change.low:.2f} to {change.high:.2f}"
    '1.00 from 0.02 to 1.98'
    """
    if value.standard_error is None or baseline.standard_error is None:
        return None
    half = t_quantile(_upper(), math.inf) * math.hypot(value.standard_error, baseline.standard_error)
    return _around(value.value - baseline.value, half, "none", "images")


def t_quantile(probability: float, freedom: float) -> float:
    """The value that Student's t with `freedom` degrees of freedom, whole or not, stays under with `probability`.

    `freedom` may be infinite: the normal distribution. By scipy.

    >>> round(t_quantile(0.975, 2.0), 3), round(t_quantile(0.975, math.inf), 3)
    (4.303, 1.96)
    """
    from scipy.special import ndtri, stdtrit

    return float(ndtri(probability) if math.isinf(freedom) else stdtrit(freedom, probability))


def _half(values: Tensor) -> float:
    """Half the width of Student's interval for the mean of [k] values."""
    count = len(values)
    return t_quantile(_upper(), count - 1) * values.std().item() / math.sqrt(count)


def _upper() -> float:
    """The probability below the upper end of a two-sided interval."""
    return 0.5 + CONFIDENCE / 2


def _around(value: float, half: float, paired: Literal["seed and image", "seed", "none"], over: Over) -> Difference:
    return Difference(value, value - half, value + half, paired, over)
