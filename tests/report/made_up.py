"""A made-up comparison as comparison.json has it: three models, any seeds and betas, small and soon drawn."""

from __future__ import annotations

import json
from typing import Any

import torch

from spatialvae.records import parse
from spatialvae.report import Pictures
from spatialvae.results import Results

NAMES = ("vector", "matrix-normal", "low-rank")
SHA = "0123456789abcdef" * 4


def read(comparison: dict[str, Any]) -> Results:
    """The results that a file with this content holds."""
    return parse(Results, json.loads(json.dumps(comparison)), "comparison.json")


def estimate(value: float, error: float | None, n: int = 2) -> dict[str, Any]:
    return {"value": value, "standard_error": error, "n": n}


def difference(value: float, half: float, paired: str = "seed and image") -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "confidence": 0.95, "paired": paired}


def metrics(index: int) -> dict[str, Any]:
    """The bound clearly better with the index, the squared error not; the last model's features were not measured."""
    results = {
        "elbo": estimate(-30.0 + 2 * index, 0.4),
        "kl": estimate(12.0 + index, 0.1),
        "reconstruction": estimate(-18.0 + index, 0.3),
        "bits_per_dim": estimate(3.4 - 0.1 * index, 0.01),
        "nll": estimate(25.0 - index, 0.6),
        "mse": estimate(0.01 - 0.0001 * index, 0.0004),
        "psnr": estimate(20.0 + index, 0.2),
        "ssim": estimate(0.8 + 0.05 * index, 0.01),
        "active_units": estimate(36.0 - index, None),
        "probe": estimate(0.81 + 0.01 * index, 0.02),
    }
    if index:  # maps of one site have no rank
        results["rank_one_share"] = estimate(0.5 * index, 0.01)
    if index < 2:
        for of, worse in (("standard", 20.0), ("gaussian", 10.0), ("reconstructions", 0.0)):
            results[f"frechet/{of}"] = estimate(30.0 + worse - 8 * index, 0.7)
            results[f"precision/{of}"] = estimate(0.7 - worse / 100, 0.01)
    return results


def differences(index: int) -> dict[str, Any]:
    """To the first model, as `metrics` has them."""
    results = {
        "elbo": difference(2.0 * index, 0.5),
        "kl": difference(1.0 * index, 0.2),
        "bits_per_dim": difference(-0.1 * index, 0.012),
        "nll": difference(-1.0 * index, 1.4 * index),
        "mse": difference(-0.0001 * index, 0.0004),
        "psnr": difference(1.0 * index, 0.3),
        "ssim": difference(0.05 * index, 0.02),
        "probe": difference(0.01 * index, 0.05),
    }
    if index < 2:
        for of in ("standard", "gaussian", "reconstructions"):
            results[f"frechet/{of}"] = difference(-8.0 * index, 2.1, "seed")
            results[f"precision/{of}"] = difference(0.0, 0.02, "seed")
    return results


def health(index: int, maps: int = 4, height: int = 3, width: int = 3) -> dict[str, Any]:
    """A latent's health; the vector's code is maps of one site and has no scales."""
    height, width = (1, 1) if index == 0 else (height, width)
    sites = height * width
    kl = 12.0 + index
    per_map = [kl * 2 ** -(k + 1) for k in range(maps - 1)]
    weights = [[1.0 + 0.4 * row + 0.1 * column for column in range(width)] for row in range(height)]
    whole = sum(map(sum, weights))
    correlation = [
        [1.0 if i == j else 0.6 * (-1) ** (i + j) / (1 + abs(i - j)) for j in range(sites)] for i in range(sites)
    ]
    alarms = ["Prior holes: 97 % of the draws from N(0, I) lie outside the codes."] if index == 2 else []
    return {
        "n": 85,
        "units": maps * sites,
        "kl": kl,
        "kl_per_map": [*per_map, kl - sum(per_map)],
        "kl_per_site": [[kl * weight / whole for weight in row] for row in weights],
        "active_units": 36 - index,
        "active_per_site": [[maps] * width for _ in range(height)],
        "row_scale": [0.9 + 0.1 * row for row in range(height)] if index else None,
        "column_scale": [1.1 - 0.1 * column for column in range(width)] if index else None,
        "total_scale": 0.4 if index else None,
        "rank_one_share": estimate(0.5 * index, 0.01) if index else None,
        "aggregate": {
            "largest_mean": 0.12,
            "smallest_variance": 0.71,
            "median_variance": 0.98,
            "largest_variance": 1.31,
            "kl_to_prior": 3.21,
            "site_correlation": correlation,
            "absolute_site_correlation": [[abs(value) for value in row] for row in correlation],
        },
        "outside": 0.02 + 0.475 * index,
        "alarms": alarms,
    }


def model(index: int, name: str, seeds: tuple[int, ...]) -> dict[str, Any]:
    curve = [{"images": 1000 * k, "validation_bound": -30.0 - 100 / k + index} for k in range(1, 8)]
    runs = [
        {
            "seed": seed,
            "folder": f"{name}/beta-1/seed-{seed}",
            "evaluation": f"{name}/beta-1/seed-{seed}/evaluation.json",
            "command": f"spatialvae evaluate runs/demo/{name}/beta-1/seed-{seed} --features networks/tiny.pt",
            "metrics": metrics(index),
            "health": health(index),
            "curve": [{**row, "validation_bound": row["validation_bound"] + 0.4 * seed} for row in curve],
        }
        for seed in seeds
    ]
    entry = {
        "latent": name,
        "spec": f"{name}:maps=4",
        "law": f"law of {name}",
        "equation": "z ~ N(mu, sigma^2)",
        "code": [36, 1, 1] if index == 0 else [4, 3, 3],
        "encoder_outputs": 72 - index,
        "parameters": {"encoder": 123456, "decoder": 95190},
        "kl_weight": None,
        "runs": runs,
        "metrics": metrics(index),
        "health": health(index),
        "cost": {
            "epoch_seconds": 1.25,
            "epoch_ratio": 1 + index / 100,
            "generation_seconds": 0.9,
            "generation_ratio": 1.0,
            "rounds": 5,
        },
    }
    return entry if index == 0 else {**entry, "differences": differences(index)}


def rate_distortion(betas: tuple[float, ...], seeds: tuple[int, ...]) -> list[dict[str, Any]]:
    """Less rate and more distortion with beta, better with the index."""
    points = []
    for index, name in enumerate(NAMES):
        for beta in betas:
            rate, distortion = 12.0 / beta**0.5 - index, 18.0 + 4 * beta**0.5 - index
            of_seeds = [{"seed": seed, "rate": rate + 0.1 * seed, "distortion": distortion} for seed in seeds]
            points.append({"latent": name, "beta": beta, "rate": rate, "distortion": distortion, "seeds": of_seeds})
    return points


def comparison(
    seeds: tuple[int, ...] = (0, 1), channels: int = 1, side: int = 8, betas: tuple[float, ...] = (1.0,)
) -> dict[str, Any]:
    splits = {"train": 1617, "validation": 95, "test": 85}
    size = {"height": side, "width": side, "channels": channels, "channel_means": [78.3061333, 12.5][:channels]}
    features = {"name": "tiny", "sha256": SHA, "title": "Fréchet distance, tiny", "dimension": 64, "resize": "none"}
    return {
        "format": 2,
        "version": "0.1.0",
        "command": "spatialvae compare --data digits --out runs/demo",
        "machine": {"processor": "some processor", "cores": 2, "torch": "2.13.0", "device": "cpu", "precision": "fp32"},
        "data": {
            **{"source": "digits", "name": "digits", "fingerprint": "c0ffee", **size},
            **{"crop": "none", "image_size": None, "splits": splits},
        },
        "settings": {"objective": "elbo", "images": 30000, "flip": False, "clip": None},
        "evaluation": {
            **{"metrics": "default", "split": "test", "limit": None, "importance_samples": 64, "generated": 10000},
            **{"features": features, "lpips": None, "seed": 0},
        },
        "seeds": list(seeds),
        "training_seconds": 140.0,
        "betas": list(betas),
        "beta": 1.0,
        "baseline": "vector",
        "models": [model(index, name, seeds) for index, name in enumerate(NAMES)],
        "best": {"elbo": 2, "nll": None, "bits_per_dim": 2, "mse": None, "psnr": 2, "ssim": 2, "frechet/gaussian": 1},
        "rate_distortion": rate_distortion(betas, seeds),
        "warnings": ["85 images are few for features of 64 numbers: the Fréchet distance is too large by chance."],
        "figures": {},
    }


def pictures(channels: int = 1, side: int = 8, names: tuple[str, ...] = NAMES) -> Pictures:
    generator = torch.Generator().manual_seed(0)

    def images(count: int) -> torch.Tensor:
        shape = (count, channels, side, side)
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)

    samples = {name: {"standard": images(6), "gaussian": images(6)} for name in names}
    return Pictures(images(4), samples, images(3), {name: images(3) for name in names})
