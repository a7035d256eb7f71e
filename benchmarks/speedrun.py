"""How few bits a dimension a number of minutes buys: one training on a GPU, the test images measured on the way.

    python benchmarks/speedrun.py --data cifar10 --minutes 8 --json benchmarks/results/speedrun.json
    python benchmarks/speedrun.py --data digits --minutes 0.1 --network residual:width=8,depth=1 --maps 4 --map-size 2

The residual network with 1,152 numbers, a mixture of five logistics a pixel and a Kronecker p(z) that is learned with
it, trained by `spatialvae.train` itself. A pilot of the same run says how many images the minutes are good for, unless
`--images` does; whatever it said, training ends with the minutes, in which the pilot is not counted.

Prints and stores the bits a dimension of a seeded subset of the test images beside the seconds of training so far, and
of all of them at the end. `--out` keeps the run, a picture of samples and the averaged weights in float16.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

import spatialvae as sv
from spatialvae.benchmarking import describe_machine
from spatialvae.benchmarking.contenders import RealLoop
from spatialvae.config import ModelOptions, Optimisation, TrainConfig
from spatialvae.data import ImageData, ImageSplit
from spatialvae.data.batches import in_order, to_device
from spatialvae.data.pixels import to_float
from spatialvae.data.subset import subset
from spatialvae.metrics.likelihood.bound import bound_terms
from spatialvae.picture_grid import grid, save_picture
from spatialvae.rounding import full_float32
from spatialvae.runtime.evaluating import evaluating
from spatialvae.runtime.precision import resolve_precision
from spatialvae.seeding import seeded
from spatialvae.training.acceleration import COMPILE_FROM
from spatialvae.training.callbacks import Callback, StopTraining, TrainingEvent

PRIOR = "learned:latent=tensor-normal,covariance=full"
ON_THE_WAY = 2000
"""Test images that are measured at a checkpoint; all are at the end."""
BATCH, SAMPLES = 500, 64
CHECKPOINTS = 12
PILOT_STEPS, PILOT_SLICES = 40, 3
SPARE = 0.96
"""Of the minutes, for what the pilot cannot foresee."""


def main() -> None:
    asked = arguments()
    if asked.minutes <= 0:
        sys.exit(f"--minutes {asked.minutes:g} is not possible: it takes more than 0.")
    if asked.out and any((asked.out / name).exists() for name in ("run", "pilot")):
        sys.exit(
            f"{asked.out} holds a speed run: name a new folder as --out, since seconds are counted from the start."
        )
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.with_suffix(".jsonl").unlink(missing_ok=True)
    try:
        measure(asked)
    except sv.UserError as error:
        sys.exit(str(error))


def measure(asked: argparse.Namespace) -> None:
    data = sv.prepare(asked.data)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory(prefix="spatialvae-speedrun-") as folder:
        out = asked.out or Path(folder)
        result = speedrun(asked, data, device, out)
        if asked.json:
            asked.json.write_text(json.dumps(result, indent=2) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--images", type=int, help="length of training; default: what a pilot run finds")
    parser.add_argument("--network", default="residual:width=256,depth=4,norm=none")
    parser.add_argument("--likelihood", default="logistic-mixture")
    parser.add_argument("--latent", default="naive")
    parser.add_argument("--prior", default=PRIOR)
    parser.add_argument("--maps", type=int, default=18)
    parser.add_argument("--map-size", default="8")
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--out", type=Path, help="keep the run, the samples and the weights in this folder")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    return parser.parse_args()


def settings(asked: argparse.Namespace, images: int) -> TrainConfig:
    """The whole run; its warm-up, clipping and average suit a few thousand steps."""
    parts = {name: getattr(asked, name) for name in ("network", "likelihood", "latent", "prior", "maps", "map_size")}
    return TrainConfig(
        model=ModelOptions(**parts),
        optimisation=Optimisation(
            images=images,
            batch_size=asked.batch_size,
            learning_rate=asked.learning_rate,
            schedule="cosine",
            warmup=min(100_000, images // 10),
            clip=5000,
            ema=0.999 if images > 2000 * asked.batch_size else 0.95,
            precision=asked.precision,
            checkpoint_every=max(1, images // CHECKPOINTS),
        ),
        flip=asked.data != "digits",
    )


def speedrun(asked: argparse.Namespace, data: ImageData, device: torch.device, out: Path) -> dict[str, Any]:
    """Train for the minutes that were asked for, and measure."""
    seconds = 60 * asked.minutes
    images = asked.images or length(asked, data, device, out, SPARE * seconds)
    config = settings(asked, images)
    print(f"{images:,} images in at most {asked.minutes:g} minutes", flush=True)
    watch = Watch(data.split("test"), seconds, asked.json)
    run = sv.train(config, data, out / "run", callbacks=[watch], device=device, track="none", progress=False)
    with torch.inference_mode():
        final = bits_per_dim(run.model, data.split("test"), None)
    result = {
        "machine": describe_machine(resolve_precision(asked.precision), device),
        "settings": config.given(),
        "images": watch.images,
        "parameters": sum(weights.numel() for weights in run.model.parameters()),
        "decoder_parameters": sum(weights.numel() for weights in run.model.decoder.parameters()),
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else None,
        "on_the_way": watch.lines,
        "seconds_to_first_step": watch.first_step,
        "test": final,
    }
    print(json.dumps(final), flush=True)
    save_picture(grid(run.model.sample(SAMPLES, seed=0)), out / "samples.png")
    weights = {name: value.half().contiguous() for name, value in run.model.state_dict().items()}
    save_file(weights, out / "weights-fp16.safetensors")
    return result


def length(asked: argparse.Namespace, data: ImageData, device: torch.device, out: Path, seconds: float) -> int:
    """How many images the real loop sees in so many seconds, in steps that are not compiled."""
    longest = (COMPILE_FROM - 1) * asked.batch_size
    guess = settings(asked, longest if device.type == "cuda" else 10_000)
    loop = RealLoop(guess, data, out / "pilot", steps=PILOT_STEPS, slices=PILOT_SLICES, device=device)
    taken = loop.timed(lambda _: None)
    step = min(taken["real"][1:]) / PILOT_STEPS
    start = max(0.0, taken["real"][0] - PILOT_STEPS * step)
    print(f"pilot: {asked.batch_size / step:,.0f} images/s, {start:.0f} s before the first step", flush=True)
    left = max(0.2 * seconds, seconds - start - CHECKPOINTS * max(0.0, min(taken["checkpointed"]) - step))
    return min(longest, max(asked.batch_size, int(left / step) * asked.batch_size))


class Watch(Callback):
    """Measures test images at every checkpoint, and stops with the time; seconds of measuring do not count."""

    def __init__(self, split: ImageSplit, seconds: float, json_path: Path | None) -> None:
        self.split, self.seconds = split, seconds
        self.lines: list[dict[str, float]] = []
        self.images = 0
        self.first_step: float | None = None
        self._path = json_path.with_suffix(".jsonl") if json_path else None
        self._began, self._measuring = time.perf_counter(), 0.0

    @property
    def trained(self) -> float:
        """Seconds since the run was started, but for those of measuring."""
        return time.perf_counter() - self._began - self._measuring

    def on_step(self, event: TrainingEvent) -> None:
        if self.first_step is None:
            self.first_step = self.trained
        self.images = event.images
        if self.trained > self.seconds:
            raise StopTraining

    def on_validation(self, event: TrainingEvent) -> None:
        trained, began = self.trained, time.perf_counter()
        model = event.model
        assert isinstance(model, sv.SpatialVAE)
        with torch.inference_mode():
            line = {"seconds": trained, "images": event.images, **bits_per_dim(model, self.split, ON_THE_WAY)}
        self.lines.append(line)
        print(json.dumps({name: round(value, 4) for name, value in line.items()}), flush=True)
        if self._path:
            with self._path.open("a") as file:
                file.write(json.dumps(line) + "\n")
        self._measuring += time.perf_counter() - began


def bits_per_dim(model: sv.SpatialVAE, split: ImageSplit, most: int | None) -> dict[str, float]:
    """Bits a dimension of the 8-bit image with its standard error, the KL in nats, by one seeded draw of each code."""
    rows = subset(len(split), most) if most else np.arange(len(split))
    terms: list[dict[str, torch.Tensor]] = []
    with evaluating(model), full_float32(), seeded(0):
        for images in in_order(split, BATCH, rows):
            floats = to_float(to_device(images, model.device))
            terms.append(bound_terms(model, floats, model.encode_checked(floats)))
    bits, kl = (torch.cat([each[name] for each in terms]).double().cpu() for name in ("bits_per_dim", "kl"))
    return {
        "bits_per_dim": bits.mean().item(),
        "standard_error": bits.std().item() / math.sqrt(len(bits)),
        "kl": kl.mean().item(),
        "n": len(bits),
    }


if __name__ == "__main__":
    main()
