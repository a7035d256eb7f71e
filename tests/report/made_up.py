"""A made-up comparison: three models, any seeds, grey or colour, small enough to draw in no time."""

from __future__ import annotations

from typing import Any

import torch

from spatialvae.report import Pictures

NAMES = ("vector", "matrix-normal", "low-rank")


def estimate(value: float | None, error: float | None, n: int = 2) -> dict[str, Any]:
    return {"value": value, "standard_error": error, "n": n}


def model(index: int, name: str, seeds: tuple[int, ...]) -> dict[str, Any]:
    """One model; the bound clearly better with the index, the squared error not."""
    curve = [{"images": 1000 * k, "validation_bound": -30.0 - 100 / k + index} for k in range(1, 8)]
    return {
        "latent": name,
        "spec": f"{name}:maps=4",
        "law": f"law of {name}",
        "equation": "z ~ N(mu, sigma^2)",
        "code": [4, 3, 3],
        "encoder_outputs": 72 - index,
        "parameters": {"encoder": 123456, "decoder": 95190},
        "kl_weight": None,
        "runs": [{"seed": seed, "folder": f"{name}/seed-{seed}", "metrics": {}, "curve": curve} for seed in seeds],
        "metrics": {
            "elbo": estimate(-30.0 + 2 * index, 0.4),
            "kl": estimate(12.0 + index, 0.1),
            "reconstruction": estimate(-18.0 + index, 0.3),
            "bits_per_dim": estimate(3.4 - 0.1 * index, 0.01),
            "nll": estimate(25.0 - index, 0.6),
            "mse": estimate(0.01 - 0.0001 * index, 0.0004),
            "psnr": estimate(20.0 + index, 0.2),
            "ssim": estimate(0.8 + 0.05 * index, 0.01),
        },
        "cost": {
            "epoch_seconds": 1.25,
            "epoch_ratio": 1 + index / 100,
            "generation_seconds": 0.9,
            "generation_ratio": 1.0,
            "rounds": 5,
        },
    }


def comparison(seeds: tuple[int, ...] = (0, 1), channels: int = 1, side: int = 8) -> dict[str, Any]:
    splits = {"train": 1617, "validation": 95, "test": 85}
    size = {"height": side, "width": side, "channels": channels}
    return {
        "format": 1,
        "version": "0.1.0",
        "command": "spatialvae compare --data digits --out runs/demo",
        "machine": {"processor": "some processor", "cores": 2, "torch": "2.13.0", "device": "cpu", "precision": "fp32"},
        "data": {"source": "digits", "name": "digits", "fingerprint": "c0ffee", **size, "splits": splits},
        "settings": {"objective": "elbo", "beta": 1.0, "images": 30000, "flip": False, "clip": None},
        "evaluation": {"split": "test", "importance_samples": 64},
        "seeds": list(seeds),
        "baseline": "vector",
        "models": [model(index, name, seeds) for index, name in enumerate(NAMES)],
        "figures": {},
    }


def pictures(channels: int = 1, side: int = 8, names: tuple[str, ...] = NAMES) -> Pictures:
    generator = torch.Generator().manual_seed(0)

    def images(count: int) -> torch.Tensor:
        shape = (count, channels, side, side)
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)

    samples = {name: {"standard": images(6), "gaussian": images(6)} for name in names}
    return Pictures(images(4), samples, images(3), {name: images(3) for name in names})
