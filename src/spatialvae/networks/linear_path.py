"""A path image -> code -> image that is linear, beside a network: it starts as the PCA of the images' patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from spatialvae.networks.residual_layers import zeroed

__all__ = ["PatchPCA", "PathIn", "PathOut", "patch_pca", "start_paths"]

SLOW = 0.1
"""Of the learning rate. Adam moves every weight by about the learning rate in a step, whatever its size: those of paths
that start at the principal components would lose in the first steps what they start with."""
CHUNK = 20_000  # patches that are added up at once
LEAST_NOISE = 0.02**2  # variance of a pixel in [-1, 1], 2.5 grey levels: of patches that are kept whole
NEGLIGIBLE = 1e-10  # of the largest variance: a direction with less does not vary


class PathIn(nn.Module):
    """Images [B C H W] -> numbers [B n H/p W/p]: one linear map of each patch of p x p pixels. It starts at zero."""

    is_fitted: Tensor
    learning_rate_factor: ClassVar[float] = SLOW

    def __init__(self, channels: int, patch: int, numbers: int) -> None:
        super().__init__()
        self.patch = patch
        self.linear = zeroed(nn.Conv2d(channels * patch**2, numbers, 1))
        self.register_buffer("is_fitted", torch.tensor(False))
        """Whether images have said where it starts; in the state, so that a loaded model keeps what it has."""

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(pixel_unshuffle(images, self.patch))


class PathOut(nn.Module):
    """Numbers [B n h w] -> the decoder's outputs [B O (h p) (w p)], linear in the numbers of one site."""

    learning_rate_factor: ClassVar[float] = SLOW

    def __init__(self, numbers: int, patch: int, outputs: int) -> None:
        super().__init__()
        self.patch = patch
        self.linear = zeroed(nn.Conv2d(numbers, outputs * patch**2, 1))

    def forward(self, numbers: Tensor) -> Tensor:
        return pixel_shuffle(self.linear(numbers), self.patch)


@dataclass(frozen=True)
class PatchPCA:
    """The mean [D], variances [k] and directions [D k] of patches, the largest first, in float64."""

    mean: Tensor
    variances: Tensor
    directions: Tensor
    noise: float
    """s^2, the mean of the variances that are left out: the noise of probabilistic PCA."""

    def scales(self, numbers: int) -> Tensor:
        """Standard deviations of the whitened numbers given an image, [numbers]; 1 for those that say nothing.

        z_i | x ~ N(., s^2 / (s^2 + l_i))
        """
        scales = self.mean.new_ones(numbers)
        scales[: len(self.variances)] = (self.noise / (self.noise + self.variances)).sqrt()
        return scales


def patch_pca(images: Tensor, patch: int, numbers: int) -> PatchPCA:
    """The first `numbers` principal components of all p x p patches of `images`, fewer where fewer vary.

        C = E[(x - m)(x - m)^T] = V diag(l) V^T

    Args:
        images: floats [B C H W] whose sides are multiples of `patch`.
        patch: p, pixels.
        numbers: at most so many directions.

    >>> pca = patch_pca(torch.tensor([[[[0.0, 1.0]]], [[[2.0, 3.0]]]]), 1, 5)
    >>> pca.mean, pca.variances
    (tensor([1.5000], dtype=torch.float64), tensor([1.2500], dtype=torch.float64))
    """
    total = sums = squares = 0
    for part in images.split(max(1, CHUNK * patch**2 // images[0, 0].numel())):
        patches = pixel_unshuffle(part.double(), patch).movedim(1, -1).flatten(0, -2)
        total += len(patches)
        sums, squares = sums + patches.sum(0), squares + patches.mT @ patches
    mean = torch.as_tensor(sums) / total
    variances, directions = torch.linalg.eigh(torch.as_tensor(squares) / total - mean.outer(mean))
    varies = variances > NEGLIGIBLE * variances[-1].clamp(min=NEGLIGIBLE)
    kept = min(numbers, int(varies.sum()))
    left = variances[: len(variances) - kept]
    noise = max(LEAST_NOISE, float(left.mean()) if len(left) else 0.0)
    return PatchPCA(mean, variances.flip(0)[:kept], directions.flip(1)[:, :kept], noise)


@torch.no_grad()
def start_paths(into: PathIn, out: PathOut, images: Tensor, means: Sequence[int | None]) -> PatchPCA:
    """Start both paths as the whitened PCA of the images' patches and its way back.

        z_i = v_i . (x - m) / sqrt(l_i),      x ~ m + sum_i sqrt(l_i) v_i z_i

    Args:
        into: from images to numbers.
        out: from numbers to the decoder's outputs.
        images: floats [B C H W] in [-1, 1] whose sides are multiples of the patch.
        means: for each output the image channel whose mean it shifts; other outputs start at zero.
    """
    weight, bias, inverse, offset = (p.zero_() for path in (into, out) for p in path.linear.parameters())
    pca = patch_pca(images, into.patch, len(weight))
    scales, kept = pca.variances.sqrt(), len(pca.variances)
    whitened = (pca.directions / scales).mT
    weight[:kept] = whitened.to(weight)[:, :, None, None]
    bias[:kept] = -(whitened @ pca.mean).to(bias)
    # The outputs of a patch lie as its channels do: p * p numbers of the first, then of the next.
    size = into.patch**2
    back, mean = (pca.directions * scales).unflatten(0, (-1, size)), pca.mean.unflatten(0, (-1, size))
    for place, channel in enumerate(means):
        if channel is not None:
            rows = slice(place * size, (place + 1) * size)
            inverse[rows, :kept, 0, 0] = back[channel].to(inverse)
            offset[rows] = mean[channel].to(offset)
    into.is_fitted.fill_(True)
    return pca
