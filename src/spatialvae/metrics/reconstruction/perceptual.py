"""The perceptual distance of two images (LPIPS: Zhang et al., 2018) by a network: a TorchScript file, or ImageNet's."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from spatialvae.data.batches import to_device
from spatialvae.devices import fastest_device
from spatialvae.errors import UserError
from spatialvae.imagenet import NAME, SHA256, SMALLEST, imagenet
from spatialvae.metrics.samples.features import CPU, arguments, as_colour, images_at_once, open_script, others_code

__all__ = ["PerceptualDistance"]


@dataclass(frozen=True, eq=False)
class PerceptualDistance:
    """How far apart two images look to a network, 0 for equal ones; which network: name and sha256.

    >>> distance = PerceptualDistance("pixels", "0a", lambda one, other: (one.float() - other.float()).mean((1, 2, 3)))
    >>> grey = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    >>> distance(grey + 3, grey)
    tensor([3., 3.])
    """

    name: str
    sha256: str
    compare: Callable[[Tensor, Tensor], Tensor] = field(repr=False)
    """From two uint8 [B 3 H W] to [B] or [B 1 1 1]."""
    device: torch.device = CPU
    """Where `compare` wants its images."""
    least: int = 1
    """What `compare` enlarges the shorter side of images to, if it does."""

    @classmethod
    def open(cls, path: str | os.PathLike[str], device: torch.device | None = None) -> PerceptualDistance:
        """The distance of a TorchScript file; which of two conventions it follows is read from its forward.

        - The VGG16 that StyleGAN publishes: `return_lpips` makes vectors of images of 0 to 255, and the distance is
          |v1 - v2|^2.
        - Any other module: two images of -1 to 1 in, distances out, as the authors' package makes them.

        Open only files that you trust (see `FeatureNetwork.open`).

        Raises:
            UserError: no such file, not TorchScript, or a forward of neither convention.
        """
        device = device or fastest_device()
        module, sha256 = open_script(path, device)
        takes = arguments(module)
        if "return_lpips" in takes:
            return cls(Path(path).stem, sha256, _by_vectors(module, resizes="resize_images" in takes), device)
        if len(takes) < 2 or sum(takes.values()) > 2:
            raise UserError(
                f"{path} takes {', '.join(takes) or 'nothing'}: two images are wanted, or one and return_lpips."
            )
        return cls(Path(path).stem, sha256, lambda one, other: module(_signed(one), _signed(other)), device)

    @classmethod
    def of_imagenet(cls, device: torch.device | None = None) -> PerceptualDistance:
        """The distance by the maps of EfficientNet-Lite0, see `ImageNetwork.distance`.

        Raises:
            UserError: the extra `imagenet` is not installed.
        """
        device = device or fastest_device()
        return cls(NAME, SHA256, imagenet(device).distance, device, SMALLEST)

    def __call__(self, images: Tensor, others: Tensor) -> Tensor:
        """One distance an image: uint8 [B C H W] twice -> float32 [B]; grey is repeated to three channels.

        Raises:
            UserError: images of two shapes, images that the network refuses, or distances that are not finite [B].
        """
        if images.shape != others.shape:
            raise UserError(
                f"Images {list(images.shape)} and {list(others.shape)}: a distance needs two of the same shape."
            )
        at_once = images_at_once(*self._enlarged(*images.shape[2:])) if images.ndim == 4 else 1
        pairs = zip(as_colour(images).split(at_once), as_colour(others).split(at_once), strict=True)
        return torch.cat([self._distances(*pair) for pair in pairs])

    def _enlarged(self, height: int, width: int) -> tuple[int, int]:
        factor = max(1.0, self.least / min(height, width))
        return round(height * factor), round(width * factor)

    def _distances(self, images: Tensor, others: Tensor) -> Tensor:
        images, others = to_device(images, self.device), to_device(others, self.device)
        with others_code(f"{self.name} refuses images {list(images.shape)}"):
            values = self.compare(images, others)
        if not isinstance(values, Tensor) or values.shape[:1] != images.shape[:1] or values.numel() != len(images):
            output = list(values.shape) if isinstance(values, Tensor) else f"a {type(values).__name__}"
            raise UserError(f"{self.name} puts out {output} for {len(images)} pairs: one distance each is wanted.")
        if not values.isfinite().all():
            raise UserError(f"{self.name} puts out distances that are not finite numbers: use another network.")
        return values.reshape(-1).float().cpu().clone()


def _by_vectors(module: torch.jit.ScriptModule, *, resizes: bool) -> Callable[[Tensor, Tensor], Tensor]:
    options = {"return_lpips": True, **({"resize_images": False} if resizes else {})}

    def compare(one: Tensor, other: Tensor) -> Tensor:
        apart = module(one.float(), **options) - module(other.float(), **options)
        return apart.square().flatten(1).sum(1)

    return compare


def _signed(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1
