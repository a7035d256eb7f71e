"""Why a low-rank mean loses bound: its family, its encoder or its optimisation, by gaps under several families.

    python benchmarks/low_rank_gaps.py --data cifar10 --images 20000 --json benchmarks/results/low_rank_gaps.json
    python benchmarks/low_rank_gaps.py --data digits --images 20000 --latent low-rank matrix-normal

Trains each latent, then refines q of some test images in each of the families of `FAMILIES`, whatever the model was
trained with, and in a dense Gaussian. A row is a model, a column the mean bound under a family, in nats, and the
difference of two columns of a row what a family loses under this model's decoder.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor
from torch.distributions import Distribution

from spatialvae.cli.images import prepare_images
from spatialvae.config import DataOptions, ModelOptions, Optimisation, TrainConfig
from spatialvae.data import ImageData
from spatialvae.data.batches import some_images
from spatialvae.data.pixels import to_float
from spatialvae.latents import AbstractLatent, parse_latent
from spatialvae.metrics import Estimate
from spatialvae.metrics.likelihood.dense_family import best_dense, dense_draws
from spatialvae.metrics.likelihood.gaps import ImageBounds
from spatialvae.metrics.likelihood.refinement import refine
from spatialvae.model import SpatialVAE
from spatialvae.runtime.evaluating import evaluating
from spatialvae.training import train

FAMILIES = ["low-rank", "low-rank:rank=2", "matrix-normal", "naive"]


def numbers_of(latent: AbstractLatent, q: Distribution) -> dict[str, Tensor]:
    """Raw numbers of a family that come near to the mean and the standard deviations of q."""
    loc, log_scale = q.mean, q.stddev.log()
    middle = log_scale.mean((-2, -1), keepdim=True)
    rows = (log_scale.mean(-1, keepdim=True) - middle / 2).squeeze(-1)
    columns = (log_scale.mean(-2, keepdim=True) - middle / 2).squeeze(-2)
    u, s, v = torch.linalg.svd(loc, full_matrices=False)
    rank = getattr(latent, "rank", 1)
    every = {
        "loc": loc,
        "scale": log_scale,
        "row_scale": rows,
        "column_scale": columns,
        "row_factor": (u * s.sqrt().unsqueeze(-2))[..., :rank],
        "column_factor": (v.mT * s.sqrt().unsqueeze(-2))[..., :rank],
    }
    return {name: every[name].detach() for name in latent.shapes}


def bounds_of(model: SpatialVAE, images: Tensor, steps: int) -> dict[str, Tensor]:
    """The bound of each image under the encoder's q, the best of each family, and the best Gaussian; nats, [n]."""
    subject = ImageBounds(model, to_float(images))
    encoder = model.posterior.distribution(subject.outputs)
    heights, best = {"encoder": subject.bound(encoder, seed=0)}, encoder
    for name in FAMILIES:
        latent = parse_latent(name, model.latent.event_shape)
        start = numbers_of(latent, best)
        ended = refine(start, latent.distribution, subject.log_joint, steps=steps, draws=8, seed=1)
        heights[name], best = subject.bound(ended.q, seed=0), ended.q
    size = model.latent.numbers
    draws = dense_draws(8, size)
    dense = best_dense(best, subject.log_joint, block=size, steps=steps, draws=draws, seed=2)
    heights["dense"] = subject.bound(dense.q, seed=0)
    heights["late rise"] = heights["dense"] - subject.bound(dense.before, seed=0)
    return heights


def trained(latent: str, data: ImageData, arguments: argparse.Namespace, folder: Path) -> SpatialVAE:
    config = TrainConfig(
        model=ModelOptions(latent=latent),
        data=DataOptions(data=arguments.data),
        optimisation=Optimisation(images=arguments.images, schedule="cosine", seed=arguments.seed),
    )
    return train(config, data, folder / latent.replace(":", "-"), progress=False).model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a name or path, as for `spatialvae train`")
    parser.add_argument("--latent", nargs="+", default=["low-rank", "naive", "matrix-normal"])
    parser.add_argument("--images", type=int, default=20_000, help="length of each training")
    parser.add_argument("--refined", type=int, default=32, help="test images whose q is refined")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, help="keep the runs here and go on with those that are there")
    parser.add_argument("--json", type=Path, help="add the numbers to this file")
    arguments = parser.parse_args()
    data = prepare_images(DataOptions(data=arguments.data))
    images = some_images(data.split("test"), arguments.refined)
    with tempfile.TemporaryDirectory() as scratch:
        for latent in arguments.latent:
            model = trained(latent, data, arguments, arguments.runs or Path(scratch))
            with evaluating(model):
                parts = [bounds_of(model, part, arguments.steps) for part in images.split(8)]
            heights = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
            report(latent, heights, arguments)


def report(latent: str, heights: dict[str, Tensor], arguments: argparse.Namespace) -> None:
    """A model's row, and what each family gains to the one before it with its standard error over images."""
    names = list(heights)[:-1]
    means = " | ".join(f"{name} {heights[name].mean():.1f}" for name in heights)
    gains = {f"{a} to {b}": Estimate.of(heights[b] - heights[a]) for a, b in pairwise(names)}
    print(f"{latent}: {means}", flush=True)
    for name, gain in gains.items():
        print(f"    {name}: {gain.value:.1f} ± {gain.standard_error or 0:.1f}", flush=True)
    if arguments.json:
        file: Path = arguments.json
        kept = json.loads(file.read_text()) if file.exists() else {}
        values = {**{name: each.mean().item() for name, each in heights.items()}}
        values |= {name: [gain.value, gain.standard_error] for name, gain in gains.items()}
        key = f"seed {arguments.seed}, {arguments.images} images, {arguments.refined} refined"
        kept.setdefault(arguments.data.rpartition("/")[-1], {}).setdefault(latent, {})[key] = values
        file.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
