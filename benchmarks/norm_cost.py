"""What group norm costs: training steps of `residual` with and without it, in turn, in processor time of one core.

    OMP_NUM_THREADS=1 python benchmarks/norm_cost.py

Prints images per second of the core's time by the side of the images, and the median ratio within a round.
"""

from __future__ import annotations

import statistics
import time

import torch

from spatialvae.config import ModelConfig
from spatialvae.elbo import elbo_loss
from spatialvae.model import SpatialVAE

SIZES = {32: 100, 64: 100, 128: 16, 256: 16}
"""The batch by the side of the images."""
ROUNDS = 3


def step_seconds(model: SpatialVAE, optimizer: torch.optim.Optimizer, images: torch.Tensor) -> float:
    """Processor time, which other programs on the core do not add to."""
    begin = time.process_time()
    elbo_loss(model(images)).backward()
    optimizer.step()
    optimizer.zero_grad()
    return time.process_time() - begin


def main() -> None:
    torch.set_num_threads(1)
    for side, batch in SIZES.items():
        images = torch.randint(0, 256, (batch, 3, side, side), dtype=torch.uint8)
        models: dict[str, SpatialVAE] = {}
        for norm in ("none", "group"):
            config = ModelConfig(latent="naive", network=f"residual:norm={norm}", image_size=(side, side), channels=3)
            models[norm] = SpatialVAE.from_config(config).train()
        optimizers = {norm: torch.optim.Adam(model.parameters(), fused=True) for norm, model in models.items()}
        taken: dict[str, list[float]] = {norm: [] for norm in models}
        for round_ in range(ROUNDS + 1):
            for norm, model in models.items():
                seconds = step_seconds(model, optimizers[norm], images)
                if round_:  # the first warms up
                    taken[norm].append(seconds)
        ratio = statistics.median(g / n for g, n in zip(taken["group"], taken["none"], strict=True))
        speeds = "  ".join(f"{norm} {batch / statistics.median(values):.1f}" for norm, values in taken.items())
        print(f"{side}x{side}, batches of {batch}: {speeds} images/s, group over none {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
