"""The metrics of images and their reconstructions that were asked for, side by side."""

from __future__ import annotations

import torch
from torch import Tensor

from spatialvae.config import EvaluationConfig
from spatialvae.metrics.reconstruction.perceptual import PerceptualDistance
from spatialvae.metrics.reconstruction.pictures import mean_squared_error, peak_signal_to_noise, structural_similarity
from spatialvae.metrics.result import Evaluation

__all__ = ["PairMetrics"]

ON_PIXELS = {"mse": mean_squared_error, "psnr": peak_signal_to_noise, "ssim": structural_similarity}


class PairMetrics:
    """`mse`, `psnr`, `ssim` and `lpips`, one value an image, as far as they are wanted.

    >>> import torch
    >>> measured = PairMetrics(("mse",), EvaluationConfig(), Evaluation())
    >>> measured(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.full((2, 1, 8, 8), 255, dtype=torch.uint8))
    {'mse': tensor([1., 1.], dtype=torch.float64)}
    """

    def __init__(
        self,
        wanted: tuple[str, ...],
        config: EvaluationConfig,
        found: Evaluation,
        device: torch.device | None = None,
    ) -> None:
        self._found = found
        self._metrics = {name: metric for name, metric in ON_PIXELS.items() if name in wanted}
        if "lpips" in wanted and config.lpips is not None:
            network = PerceptualDistance.open(config.lpips, device)
            self._metrics["lpips"] = network
            found.provenance["lpips"] = {"name": network.name, "sha256": network.sha256}

    def __call__(self, images: Tensor, others: Tensor) -> dict[str, Tensor]:
        """Each metric of uint8 images [B C H W] and their reconstructions: [B]; none any more of one that failed."""
        values = {}
        for name, metric in self._metrics.items():
            if name not in self._found.failed:
                with self._found.attempt(name):
                    values[name] = metric(images, others)
        return values
