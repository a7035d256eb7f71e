"""The same test images and what several runs make of them, one row a run.

    python benchmarks/side_by_side.py runs/paper runs/first --out side-by-side.png

The first row holds the images, a seeded sample of the first run's test split.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from spatialvae.data.batches import some_images
from spatialvae.picture_grid import grid, save_picture
from spatialvae.training import open_run

SHOWN = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # pyright: ignore[reportOptionalMemberAccess]
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    runs = [open_run(folder, device=torch.device("cpu")) for folder in options.runs]
    images = some_images(runs[0].images.split("test"), SHOWN, seed=options.seed)
    save_picture(grid(torch.cat([images, *(run.model.reconstruct(images) for run in runs)]), SHOWN), options.out)


if __name__ == "__main__":
    main()
