"""What a spatial latent costs: the step and generation time of each latent over the first of the list, interleaved.

    python benchmarks/latent_cost.py                  # the paper's CelebA setting: 64x64, 64 maps of 3x3, batch 100
    python benchmarks/latent_cost.py --image-size 32  # the CIFAR-10 setting: 128 maps of 3x3
    python benchmarks/latent_cost.py --maps 16 --map-size 16 \
        --latent matrix-normal matrix-normal:covariance=ar1 matrix-normal:covariance=full

Without `--latent` all are measured, with each of their options, the vector first.

Every round times all latents in turn, so that a busy machine hits all alike; the ratios are medians over rounds of the
ratio within a round. `--json FILE` stores the numbers with a description of the machine.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch

from spatialvae.benchmarking import describe_machine
from spatialvae.comparison import measure_costs
from spatialvae.config import ModelConfig
from spatialvae.latents import variants
from spatialvae.model import SpatialVAE
from spatialvae.sizes import default_grid

PAPER = ("naive", "matrix-normal", "low-rank")
TARGET = 1.10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--latent", nargs="+", help="default: every latent and option")
    parser.add_argument("--maps", type=int, help="default: the paper's for the image size")
    parser.add_argument("--map-size", help="default: 3")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    arguments = parser.parse_args()

    torch.manual_seed(0)
    side = arguments.image_size
    device = "cuda" if torch.cuda.is_available() else "cpu"
    options = {"image_size": (side, side), "maps": arguments.maps, "map_size": arguments.map_size}
    names = arguments.latent or list(variants(default_grid((side, side))))
    models = {name: SpatialVAE.from_config(ModelConfig(latent=name, **options)).to(device) for name in names}
    images = torch.randint(0, 256, (arguments.batch_size, 3, side, side), dtype=torch.uint8)
    costs = measure_costs(models, images, baseline=names[0], steps=1, rounds=arguments.rounds)

    print(f"{side}x{side}, batch {arguments.batch_size}, {arguments.rounds} rounds, {torch.get_num_threads()} threads")
    over = f"over {names[0]}"
    print(f"{'latent':<32}{'outputs':>8}{'step ms':>10}{over:>20}{'10,000 images s':>17}{over:>20}")
    for name, cost in costs.items():
        outputs = models[name].latent.encoder_outputs
        print(
            f"{name:<32}{outputs:>8}{1e3 * cost.epoch_seconds:>10.1f}{cost.epoch_ratio:>20.3f}"
            f"{cost.generation_seconds:>17.2f}{cost.generation_ratio:>20.3f}"
        )
    worst = max(cost.epoch_ratio for cost in costs.values())
    print(f"largest step ratio {worst:.3f}")
    ratios = [cost.epoch_ratio for name, cost in costs.items() if name in PAPER]
    if names[0] == "vector" and ratios:
        verdict = "reached" if max(ratios) <= TARGET else "missed"
        print(f"of the paper's {max(ratios):.3f}, target at most {TARGET}: {verdict}")
    if arguments.json:
        result = {
            "machine": describe_machine("fp32"),
            "image_size": side,
            "maps": arguments.maps,
            "map_size": arguments.map_size,
            "batch_size": arguments.batch_size,
            "largest_step_ratio": worst,
            "latents": {name: asdict(cost) for name, cost in costs.items()},
        }
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
