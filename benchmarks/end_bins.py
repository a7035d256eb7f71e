"""What the open bins of black and white pixels are worth to a run with `gaussian`, in bits a dimension.

    python benchmarks/end_bins.py RUN --images 1000

The mass of an 8-bit value is that of its bin, and the bins of 0 and 255 reach to infinity. A density, which linear
models are measured by, has no such bins. Prints -log2 p(x|z) a dimension by the density times the bin's width, by the
mass with closed bins, and by the mass with open ones, for one draw of z; the KL is not in it.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import torch
from torch import Tensor
from torch.special import log_ndtr

import spatialvae as sv
from spatialvae.data.batches import in_order
from spatialvae.data.pixels import to_float
from spatialvae.likelihoods.base import HALF_BIN
from spatialvae.likelihoods.gaussian import GaussianPixels
from spatialvae.seeding import seeded


@torch.no_grad()
def bits(pixels: GaussianPixels, value: Tensor) -> list[Tensor]:
    """By the density, by closed bins, by open bins; each a number of every pixel."""
    loc, scale = pixels.loc.double(), torch.as_tensor(pixels.scale).double()
    away = (value - loc).abs()
    density = ((away / scale).square() + math.log(2 * math.pi)) / 2 + scale.log() - math.log(2 * HALF_BIN)
    near, far = log_ndtr((HALF_BIN - away) / scale), log_ndtr((-HALF_BIN - away) / scale)
    closed = -(near + torch.log1p(-torch.exp(far - near)))
    black = -log_ndtr((value + HALF_BIN - loc) / scale)
    white = -log_ndtr((loc - value + HALF_BIN) / scale)
    ends = torch.where(value < 0, black, white)
    opened = torch.where(value.abs() > 1 - HALF_BIN, ends, closed)
    return [nats / math.log(2) for nats in (density, closed, opened)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--images", type=int, default=1000)
    asked = parser.parse_args()
    run = sv.open_run(asked.run)
    part = run.images.split("test")
    images = torch.cat(list(in_order(part, 1000, np.random.default_rng(0).permutation(len(part))[: asked.images])))
    value = to_float(images)
    with torch.no_grad(), seeded(0):
        pixels = run.model.decode(run.model.encode(value).rsample())
    assert isinstance(pixels, GaussianPixels)
    value = value.double()
    share = (value.abs() > 1 - HALF_BIN).double().mean().item()
    for name, each in zip(("density", "closed bins", "open bins"), bits(pixels, value), strict=True):
        print(f"{name}: {each.mean().item():.4f} bits a dimension")
    print(f"{share:.1%} of the numbers are 0 or 255")


if __name__ == "__main__":
    main()
