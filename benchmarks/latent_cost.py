"""What a spatial latent costs: the step and generation time of each latent over `vector`, interleaved.

    python benchmarks/latent_cost.py                  # the paper's CelebA setting: 64x64, 64 maps of 3x3, batch 100
    python benchmarks/latent_cost.py --image-size 32  # the CIFAR-10 setting: 128 maps of 3x3

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
from spatialvae.latents import LATENTS
from spatialvae.model import SpatialVAE

TARGET = 1.10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    arguments = parser.parse_args()

    torch.manual_seed(0)
    side = arguments.image_size
    device = "cuda" if torch.cuda.is_available() else "cpu"
    models = {name: SpatialVAE(ModelConfig(latent=name, image_size=(side, side))).to(device) for name in LATENTS}
    images = torch.randint(0, 256, (arguments.batch_size, 3, side, side), dtype=torch.uint8)
    costs = measure_costs(models, images, baseline="vector", rounds=arguments.rounds)

    print(f"{side}x{side}, batch {arguments.batch_size}, {arguments.rounds} rounds, {torch.get_num_threads()} threads")
    print(f"{'latent':<16}{'outputs':>8}{'step ms':>10}{'over vector':>13}{'10,000 images s':>17}{'over vector':>13}")
    for name, cost in costs.items():
        outputs = models[name].latent.encoder_outputs
        print(
            f"{name:<16}{outputs:>8}{1e3 * cost.step_seconds:>10.1f}{cost.step_ratio:>13.3f}"
            f"{1e4 * cost.picture_seconds:>17.2f}{cost.picture_ratio:>13.3f}"
        )
    worst = max(cost.step_ratio for name, cost in costs.items() if name != "vector")
    print(f"largest step ratio {worst:.3f}, target at most {TARGET}: {'reached' if worst <= TARGET else 'missed'}")
    if arguments.json:
        result = {
            "machine": describe_machine("fp32"),
            "image_size": side,
            "batch_size": arguments.batch_size,
            "largest_step_ratio": worst,
            "latents": {name: asdict(cost) for name, cost in costs.items()},
        }
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
