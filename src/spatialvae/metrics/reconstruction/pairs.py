"""The metrics of images and their reconstructions that were asked for, side by side."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_

import torch
from torch import Tensor

from spatialvae.config import EvaluationConfig
from spatialvae.metrics.provenance import NetworkDescription
from spatialvae.metrics.reconstruction.perceptual import PerceptualDistance
from spatialvae.metrics.reconstruction.pictures import mean_squared_error, peak_signal_to_noise, structural_similarity
from spatialvae.metrics.result import FAILURES, Measurement, reason

__all__ = ["PairMetrics"]

ON_PIXELS = {"mse": mean_squared_error, "psnr": peak_signal_to_noise, "ssim": structural_similarity}


class PairMetrics:
    """`mse`, `psnr`, `ssim` and `lpips`, one value an image, as far as they are wanted.

    >>> import torch
    >>> pairs = PairMetrics(("mse",), EvaluationConfig())
    >>> pairs.add(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.full((2, 1, 8, 8), 255, dtype=torch.uint8))
    >>> pairs.measurement().values
    {'mse': tensor([1., 1.], dtype=torch.float64)}
    """

    def __init__(self, wanted: tuple[str, ...], config: EvaluationConfig, device: torch.device | None = None) -> None:
        self._metrics: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
            name: metric for name, metric in ON_PIXELS.items() if name in wanted
        }
        self._parts: dict[str, list[Tensor]] = {}
        self._failed: dict[str, str] = {}
        self.network: NetworkDescription | None = None
        """The perceptual network, where there is one."""
        if "lpips" in wanted and config.lpips is not None:
            network = PerceptualDistance.open(config.lpips, device)
            self._metrics["lpips"] = network
            self.network = NetworkDescription(network.name, network.sha256)

    def add(self, images: Tensor, others: Tensor) -> None:
        """Measure a batch of uint8 images [B C H W] and their reconstructions; a metric that failed is left out."""
        for name, metric in self._metrics.items():
            if name in self._failed:
                continue
            try:
                self._parts.setdefault(name, []).append(metric(images, others).cpu())
            except FAILURES as failure:
                self._failed[name] = reason(failure)

    def measurement(self) -> Measurement:
        """The metrics of all batches."""
        whole = {name: parts for name, parts in self._parts.items() if name not in self._failed}
        measured = (Measurement.of(name, torch.cat(parts)) for name, parts in whole.items())
        return reduce(or_, measured, Measurement(failed=self._failed))
