"""One GPU, the whole table: epochs of CelebA's size, 10,000 images generated, idle share, pythae beside, the roofline.

    python benchmarks/gpu.py                                          # prints the table
    python benchmarks/gpu.py --json benchmarks/results/h200.json

Needs a CUDA device and of packages: torch, numpy, accelerate, pydantic, pyyaml, rich, safetensors and pillow (the
training path imports no more). pythae is measured beside where it is installed. The images are noise, as many and as
large as CelebA's, resident on the device as in training; every number comes after warm-up. Takes some minutes, most
of them compiling; `--batch-size` once or more picks the batch sizes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pythae_peer import MISSING, PythaePeer, installed

from spatialvae.benchmarking import Spread, describe_machine, interleaved, ratios
from spatialvae.benchmarking.contenders import RealLoop, as_torch_comes
from spatialvae.benchmarking.operations import Operations, of_sampling, of_training
from spatialvae.benchmarking.peak import probes
from spatialvae.benchmarking.timing import Work, one_round
from spatialvae.config import ModelConfig, ModelOptions, Optimisation, TrainConfig
from spatialvae.data import ImageData
from spatialvae.model import SpatialVAE
from spatialvae.runtime.precision import resolve_precision

EPOCH, EPOCHS, SIDE, GENERATED = 162_770, 20, 64, 10_000
TARGETS = {100: 1.0, 1000: 0.3}
"""Seconds of an epoch by batch size."""
TARGET_SAMPLING, TARGET_IDLE = 0.010, 0.05
BATCHES = {"paper": (100, 1000), "residual": (100,)}
"""Batch sizes that each network is timed with."""
PEER_STEPS = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latent", default="low-rank")
    parser.add_argument("--network", action="append", help="default: paper and residual")
    parser.add_argument("--batch-size", type=int, action="append", help="default: 100, and for paper 1000")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=200, help="training steps a round")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("This table is of a GPU, and torch finds no CUDA device here: `spatialvae bench` measures a CPU.")

    device = torch.device("cuda")
    precision = resolve_precision(arguments.precision)
    data = noise()
    roof = roofline(precision, device)
    report("roofline", roof)
    results: dict[str, Any] = {"machine": describe_machine(precision), "roofline": roof, "networks": {}}
    if not installed():
        print(MISSING, file=sys.stderr)
    for network in arguments.network or BATCHES:
        config = TrainConfig(
            model=ModelOptions(latent=arguments.latent, network=network),
            optimisation=Optimisation(precision=arguments.precision, images=EPOCHS * EPOCH),
        )
        for part, numbers in of_network(config, data, roof, arguments, device):
            results["networks"].setdefault(network, {})[part] = numbers
            if arguments.json:
                arguments.json.write_text(json.dumps(results, indent=2) + "\n")


def of_network(
    config: TrainConfig, data: ImageData, roof: dict[str, float], asked: argparse.Namespace, device: torch.device
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Training at each batch size, then sampling."""
    model, network = config.sized((SIDE, SIDE), 3), config.model.network
    for batch_size in asked.batch_size or BATCHES.get(network.partition(":")[0], (100,)):
        with tempfile.TemporaryDirectory(prefix="spatialvae-gpu-") as folder:
            sized = config.replaced(batch_size=batch_size)
            numbers = training(sized, data, Path(folder), asked.steps, asked.rounds, device)
        numbers |= limits(of_training(model), EPOCH / numbers["epoch_seconds"]["median"], roof)
        target = TARGETS.get(batch_size) if network == "paper" else None
        report(f"{network}: training, batch {batch_size}", {**numbers, "target epoch_seconds": target})
        yield f"training, batch {batch_size}", numbers
    sampled = sampling(model, asked.rounds, device)
    sampled |= limits(of_sampling(model), GENERATED / sampled["seconds"]["median"], roof)
    target = TARGET_SAMPLING if network == "paper" else None
    report(f"{network}: sampling {GENERATED:,}", {**sampled, "target seconds": target})
    yield "sampling", sampled


def noise() -> ImageData:
    """As many images as CelebA has for training, and 2,000 for validation."""
    random = np.random.default_rng(0)
    shapes = {"train": (EPOCH, 3, SIDE, SIDE), "validation": (2000, 3, SIDE, SIDE)}
    images = {name: random.integers(0, 256, shape, dtype=np.uint8) for name, shape in shapes.items()}
    return ImageData.from_arrays(images, name="noise")


def training(
    config: TrainConfig, data: ImageData, folder: Path, steps: int, rounds: int, device: torch.device
) -> dict[str, Any]:
    """An epoch of the real loop, its share of the checkpoints included, the GPU's idle share, and pythae's epoch."""
    real = RealLoop(config, data, folder / "run", steps=steps, slices=rounds + 3)
    works: dict[str, Work] = {}
    if installed():
        options = {
            "batch_size": config.optimisation.batch_size,
            "steps": PEER_STEPS,
            "learning_rate": config.optimisation.learning_rate,
        }
        model = config.sized((SIDE, SIDE), 3)
        works["pythae"] = by_default(PythaePeer(model, folder / "pythae", **options).steps)
        works["pythae, autocast"] = by_default(PythaePeer(model, folder / "autocast", amp=True, **options).steps)
    taken: dict[str, list[float]] = {name: [] for name in works}
    profiled = kernels()

    def between(index: int) -> None:  # the first slice starts and compiles, the second warms up, the last is profiled
        if 1 <= index <= rounds + 1:
            print(f"round {index - 1} of {rounds}", file=sys.stderr, flush=True)
            for name, value in one_round(works, device).items():
                if index > 1:
                    taken[name].append(value)
        if index == rounds + 1:
            profiled.start()

    loop = real.timed(between)
    profiled.stop()
    idle = idle_of(profiled)
    start = loop["real"][0] + loop["checkpointed"][0]
    taken |= {"real": loop["real"][2:-1], "checkpoint": loop["checkpointed"][2:-1]}
    checkpoint = Spread.of([max(0.0, b - a / steps) for a, b in zip(taken["real"], taken["checkpoint"], strict=True)])
    share = checkpoint.median * config.optimisation.batch_size / real.checkpoint_every
    step = [value / steps + share for value in taken["real"]]
    batches = EPOCH / config.optimisation.batch_size
    return {
        "epoch_seconds": asdict(Spread.of([value * batches for value in step])),
        "images_per_second": asdict(Spread.of([config.optimisation.batch_size / value for value in step])),
        "idle_share": idle,
        "checkpoint_seconds": checkpoint.median,
        "start_and_compile_seconds": start,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30,
        **{
            f"{name}, epoch_seconds": asdict(Spread.of([value / PEER_STEPS * batches for value in taken[name]]))
            for name in works
            if name.startswith("pythae")
        },
    }


def sampling(model: ModelConfig, rounds: int, device: torch.device) -> dict[str, Any]:
    """10,000 pictures on the host after warm-up, and pythae's."""
    ours = SpatialVAE.from_config(model).to(device).eval()
    works: dict[str, Work] = {"ours": partial(ours.sample, GENERATED)}
    with tempfile.TemporaryDirectory() as folder:
        if installed():
            peer = PythaePeer(model, Path(folder), batch_size=100, steps=1, learning_rate=1e-3)
            works["pythae"] = by_default(partial(peer.sample, GENERATED))
        taken = interleaved(works, rounds, device)
    results: dict[str, Any] = {"seconds": asdict(Spread.of(taken["ours"])), "idle_share": idle_share(works["ours"])}
    if "pythae" in taken:
        results["pythae, seconds"] = asdict(Spread.of(taken["pythae"]))
        results["ours over pythae"] = asdict(Spread.of(ratios(taken["pythae"], taken["ours"])))
    return results


def by_default(work: Work) -> Work:
    """`work` with torch's own settings."""

    def run() -> None:
        with as_torch_comes():
            work()

    return run


def kernels() -> Any:
    """A profiler of what runs on the GPU."""
    from torch.profiler import ProfilerActivity, profile

    torch.cuda.synchronize()
    return profile(activities=[ProfilerActivity.CUDA], acc_events=True)


def idle_share(work: Work) -> float:
    """The part of the time from its first kernel to its last in which no kernel or copy runs on the GPU."""
    with kernels() as profiled:
        work()
        torch.cuda.synchronize()
    return idle_of(profiled)


def idle_of(profiled: Any) -> float:
    """The same of what was profiled."""
    events = (event for event in profiled.events() or () if str(event.device_type) == "DeviceType.CUDA")
    return 1 - busy_share(sorted((event.time_range.start, event.time_range.end) for event in events))


def busy_share(spans: list[tuple[float, float]]) -> float:
    """The part of the time from the first span's begin to the last end that spans, sorted by begin, cover."""
    if not spans:
        return 0.0
    covered, reached = 0.0, spans[0][0]
    for begin, end in spans:
        covered += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return covered / (reached - spans[0][0])


def roofline(precision: str, device: torch.device) -> dict[str, float]:
    """Operations and bytes a second that this GPU is seen to do."""
    numbers = torch.zeros(2**30, device=device, dtype=torch.uint8)
    target = torch.empty_like(numbers)
    tried = probes(precision, device)
    works: dict[str, Work] = {
        **{name: probe.work for name, probe in tried.items()},
        "copy": lambda: target.copy_(numbers),
    }
    taken = interleaved(works, 5, device)
    rates = {name: probe.flops / min(taken[name]) for name, probe in tried.items()}
    return {**rates, "peak_flops": max(rates.values()), "bytes_per_second": 2 * numbers.numel() / min(taken["copy"])}


def limits(work: Operations, images_per_second: float, roof: dict[str, float]) -> dict[str, float]:
    """What the roofline allows for these operations and bytes an image, and how much of it is reached."""
    compute = roof["peak_flops"] / work.flops
    # fp32 bytes of every operator's inputs and outputs: bf16 halves them and fusion takes away most of the rest.
    eager = roof["bytes_per_second"] / work.bytes
    return {
        "flops_per_image": work.flops,
        "eager_fp32_bytes_per_image": work.bytes,
        "compute_bound_images_per_second": compute,
        "eager_fp32_memory_bound_images_per_second": eager,
        "share_of_compute_bound": images_per_second / compute,
        "ratio_to_eager_memory_bound": images_per_second / eager,
    }


def report(title: str, numbers: dict[str, Any]) -> None:
    print(title)
    for name, value in numbers.items():
        if isinstance(value, dict):
            print(f"  {name:<44}{value['median']:>16,.4f}  ({value['lower']:,.4f} to {value['upper']:,.4f})")
        elif value is not None:
            print(f"  {name:<44}{value:>16,.4f}")


if __name__ == "__main__":
    main()
