"""What the first steps of `residual` do to the bound, its linear paths at the full learning rate and at their own.

    python benchmarks/linear_path_rate.py --data cifar10 --map-size 8 --maps 16 --steps 150
    python benchmarks/linear_path_rate.py --data photographs --steps 20

`photographs` are crops of 256x256 pixels of the two pictures that scikit-learn brings. Batches of 16, Adam at 1e-3, one
training of each. Prints the bound of held-out images in nats, by one draw of the same noise, after 0, 1, 2, 4 ...
steps, and after the last.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor

from spatialvae.cli.images import prepare_images
from spatialvae.config import DataOptions, ModelConfig, Optimisation
from spatialvae.data.batches import in_order
from spatialvae.model import SpatialVAE
from spatialvae.seeding import seeded
from spatialvae.training.model_stage import make_optimizer
from spatialvae.training.state import set_learning_rate

BATCH, RATE, SIDE = 16, 1e-3, 256
START, HELD_OUT = 5000, 200
"""Images that the paths start from and that the bound is measured on, at most."""


def crops(count: int) -> Tensor:
    """Random squares of two photographs, half of them mirrored, uint8 [count 3 256 256]."""
    from sklearn.datasets import load_sample_images

    random, pictures = np.random.default_rng(0), load_sample_images().images
    squares = []
    for index in range(count):
        picture = pictures[index % 2]
        top, left = (random.integers(0, side - SIDE + 1) for side in picture.shape[:2])
        square = picture[top : top + SIDE, left : left + SIDE]
        squares.append(square[:, ::-1] if random.random() < 0.5 else square)
    return torch.from_numpy(np.stack(squares)).movedim(-1, 1)


def images_of(data: str) -> tuple[Tensor, Tensor]:
    """Training and held-out images."""
    if data == "photographs":
        pictures = crops(240)
        return pictures[:192], pictures[192:]
    prepared = prepare_images(DataOptions(data=data))
    train, held_out = (
        torch.cat(list(in_order(part, 1000, np.arange(min(most, len(part))))))
        for part, most in ((prepared.split("train"), 4 * START), (prepared.split("validation"), HELD_OUT))
    )
    return train, held_out


def bounds(config: ModelConfig, train: Tensor, held_out: Tensor, factor: float | None, steps: int) -> list[int]:
    """The bound after 0, 1, 2, 4 ... steps; `factor` in place of that of the paths."""
    with seeded(0):
        model = SpatialVAE.from_config(config)
        model.start_from(train[:START])
        optimizer = make_optimizer(model, Optimisation(), fused=True)
        for group in optimizer.param_groups:
            if factor is not None and group["factor"] < 1:
                group["factor"] = factor
        set_learning_rate(optimizer, RATE)
        order, rows = torch.randperm(len(train)), []
        for step in range(steps + 1):
            if step & (step - 1) == 0 or step == steps:
                with torch.no_grad(), seeded(0):
                    rows.append(round(float(torch.cat([model(part).bound for part in held_out.split(BATCH)]).mean())))
            batch = train[order[torch.arange(step * BATCH, (step + 1) * BATCH) % len(train)]]
            (-model(batch).bound.mean()).backward()
            optimizer.step()
            optimizer.zero_grad()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="photographs")
    parser.add_argument("--maps", type=int)
    parser.add_argument("--map-size")
    parser.add_argument("--steps", type=int, default=20)
    asked = parser.parse_args()
    train, held_out = images_of(asked.data)
    _, channels, height, width = train.shape
    config = ModelConfig(
        network="residual",
        latent="naive",
        maps=asked.maps,
        map_size=asked.map_size,
        image_size=(height, width),
        channels=channels,
    )
    for words, factor in (("the full rate", 1.0), ("their own", None)):
        print(f"paths at {words}: {bounds(config, train, held_out, factor, asked.steps)}", flush=True)


if __name__ == "__main__":
    main()
