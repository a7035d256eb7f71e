"""A feature network of twelve numbers, for whatever measures sets of images."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from tests.metrics.script_files import saved

__all__ = ["feature_file"]


class Quarters(nn.Module):
    """uint8 [B 3 H W] -> [B 12]: the mean colour of each quarter of the image."""

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(images.float() / 255, 2).flatten(1)


def feature_file(folder: Path) -> Path:
    """The network's file, made in `folder`."""
    return saved(Quarters(), folder / "pooled.pt")
