"""How good and how fast the draws of a run's flow-matching prior are, and whether they are copies.

    python benchmarks/second_stage.py RUN --prior flow-matching --steps 5 10 20 --guidance 1.5 2 --json FILE.json

One row for each number of steps without guidance, and one for each guidance at the first of these: Fréchet distance,
precision and recall of as many samples as test images, on the ImageNet features (the extra `imagenet`), and the seconds
that the codes took. With `--nearest FILE.png` also a picture: samples above, and below each the training images that
are nearest to it in feature space.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spatialvae.data import ImageData
from spatialvae.data.subset import subset
from spatialvae.metrics.samples.feature_cache import reference_features
from spatialvae.metrics.samples.features import FeatureNetwork
from spatialvae.metrics.samples.frechet import frechet
from spatialvae.metrics.samples.nearest import nearest
from spatialvae.metrics.samples.neighbours import neighbour_metrics
from spatialvae.picture_grid import grid, save_picture
from spatialvae.sampling import sampler
from spatialvae.training import FinishedRun, open_run

SHOWN, NEIGHBOURS = 12, 4


def solvers(steps: list[int], guidance: list[float]) -> list[dict[str, Any]]:
    """The rows, each as what a draw takes."""
    return [*({"steps": one} for one in steps), *({"steps": steps[0], "guidance": one} for one in guidance)]


def row(run: FinishedRun, prior: str, solver: dict[str, Any], count: int, network: FeatureNetwork, real: Tensor):
    """One row: what is drawn by, and how good and how fast it is."""
    draw = sampler(run.model, prior, **solver)
    torch.manual_seed(0)
    with torch.inference_mode():
        draw(1)
        began = time.perf_counter()
        draw(500)
    seconds = (time.perf_counter() - began) / 500
    features = network.extract(run.model.sample(count, seed=0, prior=prior, **solver).split(500))
    distance, neighbours = frechet(features, real), neighbour_metrics(real, features)
    return {
        **solver,
        "frechet": distance.as_dict(),
        **{name: neighbours[name].as_dict() for name in ("precision", "recall")},
        "milliseconds_per_code": 1000 * seconds,
    }


def nearest_picture(
    run: FinishedRun, data: ImageData, network: FeatureNetwork, pictures: Tensor, count: int, out: Path
):
    """Samples and the training images nearest to each; returns the mean distances of samples and of test images."""
    train, test = data.split("train"), data.split("test")
    rows = subset(len(train), count, seed=0)
    known = reference_features(network, data, "train", count)
    names = ("features", "features")
    near = nearest(network.extract([pictures]), known, NEIGHBOURS, names=names)
    shown = torch.from_numpy(train.take(rows[near.indices[:SHOWN].flatten().numpy()]))
    shown = shown.reshape(SHOWN, NEIGHBOURS, *shown.shape[1:]).transpose(0, 1).flatten(0, 1)
    save_picture(grid(torch.cat([pictures[:SHOWN], shown]), SHOWN), out)
    held_out = torch.from_numpy(test.take(subset(len(test), len(pictures), seed=0)))
    other = nearest(network.extract([held_out]), known, 1, names=names)
    return {
        "training_images": len(rows),
        "samples_to_nearest": near.squared[:, 0].sqrt().mean().item(),
        "test_images_to_nearest": other.squared[:, 0].sqrt().mean().item(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # pyright: ignore[reportOptionalMemberAccess]
    parser.add_argument("run", type=Path)
    parser.add_argument("--prior", default="flow-matching")
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--guidance", type=float, nargs="*", default=[])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--training-images", type=int, default=5000)
    parser.add_argument("--nearest", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    run = open_run(options.run, device=torch.device("cpu"))
    data, network = run.images, FeatureNetwork.open("imagenet")
    real, rows = reference_features(network, data, "test", options.count), []
    for solver in solvers(options.steps, options.guidance):
        rows.append(row(run, options.prior, solver, options.count, network, real))
        print(json.dumps(rows[-1]), flush=True)
    report: dict[str, Any] = {"prior": options.prior, "count": options.count, "rows": rows}
    if options.nearest is not None:
        pictures = run.model.sample(250, seed=0, prior=options.prior, **solvers(options.steps, options.guidance)[-1])
        report["nearest"] = nearest_picture(run, data, network, pictures, options.training_images, options.nearest)
        print(json.dumps(report["nearest"]))
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
