"""What linear models reach: a Gaussian over the pixels, and probabilistic PCA with as many numbers as the latents.

    python benchmarks/linear_baselines.py --data cifar10 --json benchmarks/results/linear_baselines.json

Both are fitted to the training images by maximum likelihood, in closed form (Tipping and Bishop, 1999). Pixels are
dequantised, y = u + n with n uniform on [0, 1); means over n are taken exactly, of the moments (1/12 on the diagonal)
as of the log-density. E_n[-log p(u + n)] bounds the code length of the 8-bit image from above, as the models' bits per
dim do. The squared error is that of decode(E[z|x]), not rounded, pixels in [0, 1].
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import torch
from torch import Tensor

from spatialvae.cli.images import prepare_images
from spatialvae.config import TrainConfig
from spatialvae.data import ImageSplit
from spatialvae.metrics import Estimate

NOISE = 1 / 12
"""The variance of the uniform noise, grey levels squared."""


def pixels(split: ImageSplit) -> Tensor:
    """The images of a split as rows of grey levels, float64 [N, D]."""
    return torch.from_numpy(split.images.reshape(len(split), -1).astype("float64"))


def measured(test: Tensor, mean: Tensor, variances: Tensor, axes: Tensor, kept: int) -> dict[str, object]:
    """Bits per dim and squared error on test images of the Gaussian with `kept` free directions, the rest alike.

    Args:
        test: [N, D].
        mean: [D], of the training images without noise.
        variances: [D], of the dequantised ones, falling.
        axes: [D, D], the directions in columns.
    """
    size = len(variances)
    rest = variances[kept:].mean() if kept < size else variances.new_zeros(())
    model = torch.cat([variances[:kept], rest.expand(size - kept)])
    turned = (test - mean) @ axes
    nats = 0.5 * ((turned.square() + NOISE) / model + model.log() + math.log(2 * math.pi)).sum(1)
    shrunk = torch.cat([1 - rest / variances[:kept], variances.new_zeros(size - kept)])
    error = (turned * (1 - shrunk)).square().mean(1) / 255**2
    metrics = {"bits_per_dim": nats / (size * math.log(2)), "mse": error}
    return {"numbers": kept, **{name: Estimate.of(values).as_dict() for name, values in metrics.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--numbers", type=int, nargs="+", default=[150, 576, 1152])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    data = prepare_images(TrainConfig(data=arguments.data))
    train, test = pixels(data.split("train")), pixels(data.split("test"))
    covariance = torch.cov(train.T, correction=0).add_(NOISE * torch.eye(train.shape[1]))
    variances, axes = (values.flip(-1) for values in torch.linalg.eigh(covariance))
    rows = [measured(test, train.mean(0), variances, axes, kept) for kept in (*arguments.numbers, len(variances))]
    for row in rows:
        print(row)
    if arguments.json:
        content = {"train": len(train), "test": len(test), "models": rows}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
