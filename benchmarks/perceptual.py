"""Whether the perceptual distance grows with what is done to pictures, and how it ranks blur against noise.

    python benchmarks/perceptual.py --data cifar10 --json benchmarks/results/perceptual.json

Each distortion is applied with growing strength to a seeded sample of test images. Blur and white noise are then
compared at equal squared error, where the squared error itself sees no difference. Prints means over images.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from spatialvae.cli.images import prepare_images
from spatialvae.config import DataOptions
from spatialvae.data.subset import subset
from spatialvae.metrics.reconstruction.perceptual import PerceptualDistance

Change = Callable[[Tensor, float], Tensor]


def blurred(images: Tensor, sigma: float) -> Tensor:
    """A Gaussian blur, sigma in pixels."""
    return _each(images, lambda picture: picture.filter(ImageFilter.GaussianBlur(sigma)))


def noisy(images: Tensor, sigma: float) -> Tensor:
    """White noise, sigma in levels of 255."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + sigma * noise).round().clamp(0, 255).to(torch.uint8)


def shifted(images: Tensor, pixels: float) -> Tensor:
    """To the right, what leaves comes in again at the left."""
    return images.roll(round(pixels), 3)


def compressed(images: Tensor, loss: float) -> Tensor:
    """JPEG of the quality 100 - loss."""

    def again(picture: Image.Image) -> Image.Image:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=round(100 - loss))
        return Image.open(file)

    return _each(images, again)


def cast(images: Tensor, levels: float) -> Tensor:
    """More of the first channel and less of the last."""
    towards = torch.linspace(1, -1, images.shape[1])[:, None, None]
    return (images + levels * towards).clamp(0, 255).to(torch.uint8)


CHANGES: dict[str, tuple[Change, tuple[float, ...]]] = {
    "blur": (blurred, (0.3, 0.5, 0.7, 1.0, 1.5, 2.5)),
    "noise": (noisy, (2, 5, 10, 15, 20, 30, 50)),
    "shift": (shifted, (1, 2, 3, 4)),
    "jpeg": (compressed, (5, 20, 40, 60, 80, 90)),
    "colour cast": (cast, (4, 8, 16, 32, 64)),
}


def squared_error(images: Tensor, others: Tensor) -> float:
    """Of pixels in [0, 1], the mean over all images."""
    return float(((images.float() - others.float()) / 255).square().mean())


def noise_as_far(images: Tensor, error: float) -> float:
    """The sigma of the white noise that has this squared error."""
    low, high = 0.0, 255.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if squared_error(noisy(images, middle), images) < error else (low, middle)
    return low


def _each(images: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    pictures = [change(Image.fromarray(image.permute(1, 2, 0).squeeze(-1).numpy())) for image in images]
    arrays = [torch.from_numpy(np.array(picture)) for picture in pictures]
    return torch.stack([array[None] if array.ndim == 2 else array.permute(2, 0, 1) for array in arrays])


def measured(images: Tensor) -> dict[str, object]:
    """Distances and squared errors by distortion and strength; noise over blur at equal squared error."""
    distance = PerceptualDistance.of_imagenet()
    result: dict[str, object] = {"images": len(images), "size": list(images.shape[1:])}
    for name, (change, strengths) in CHANGES.items():
        rows = [
            {
                "strength": strength,
                "distance": float(distance(change(images, strength), images).mean()),
                "squared_error": squared_error(change(images, strength), images),
            }
            for strength in strengths
        ]
        result[name] = rows
        print(name, *(f"{row['strength']:g}: {row['distance']:.4f}" for row in rows), sep="  ", flush=True)
    ratios = {}
    for sigma in (0.5, 1.0, 2.0, 4.0):
        blur = blurred(images, sigma)
        noise = noisy(images, noise_as_far(images, squared_error(blur, images)))
        ratios[sigma] = float(distance(noise, images).mean() / distance(blur, images).mean())
        print(f"noise over blur of {sigma:g} pixels, at equal squared error: {ratios[sigma]:.2f}")
    return {**result, "noise_over_blur": ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a name or path, as for `spatialvae train`")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--json", type=Path, help="add the numbers to this file, under --name")
    parser.add_argument("--name", help="default: the name of the data")
    arguments = parser.parse_args()
    data = prepare_images(DataOptions(data=arguments.data))
    split = data.split("test")
    rows = subset(len(split), arguments.images, seed=0)
    result = measured(torch.from_numpy(split.images[rows].copy()))
    if arguments.json:
        kept = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
        arguments.json.write_text(json.dumps({**kept, arguments.name or data.name: result}, indent=1) + "\n")


if __name__ == "__main__":
    main()
