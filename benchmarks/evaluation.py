"""What an evaluation costs: all metrics of one model on 10,000 images, its profile and its peak memory.

    python benchmarks/evaluation.py --data cifar10 --features FILE.pt

prints the seconds in network forwards (encoder, decoder, feature network) and outside them, and the most memory the
process held. `--json FILE` stores the numbers with a description of the machine. `--run RUN` measures a trained model;
without it an untrained one, which costs the same.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from spatialvae.benchmarking import describe_machine
from spatialvae.config import EvaluationConfig, ModelConfig
from spatialvae.data import ImageData, prepare
from spatialvae.metrics import FeatureNetwork, evaluate
from spatialvae.model import SpatialVAE
from spatialvae.store import load

MEMORY_GIB, SHARE = 4.0, 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--features", required=True, help="a TorchScript feature network")
    parser.add_argument("--run", type=Path, help="a trained run")
    parser.add_argument("--latent", default="low-rank")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--importance-samples", type=int, default=64)
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    arguments = parser.parse_args()

    data = prepare(arguments.data, progress=True)
    model = load(arguments.run) if arguments.run else _untrained(arguments.latent, data)
    config = EvaluationConfig(
        metrics="all",
        limit=arguments.images,
        nll_images=arguments.images,
        generated=arguments.images,
        importance_samples=arguments.importance_samples,
        features=arguments.features,
    )
    clock = _Clock()
    _watch(model, clock)
    begin = time.perf_counter()
    evaluate(model, data, config, progress=True)
    total = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux

    inside = sum(clock.seconds.values())
    print(f"{arguments.images} images, K = {arguments.importance_samples}, {torch.get_num_threads()} threads")
    for name, seconds in {**clock.seconds, "outside networks": total - inside}.items():
        print(f"{name:<20}{seconds:>9.1f} s{seconds / total:>8.1%}")
    print(f"{'all':<20}{total:>9.1f} s; peak memory {peak:.2f} GiB")
    reached = peak <= MEMORY_GIB and inside / total >= SHARE
    print(f"target: at most {MEMORY_GIB} GiB, {SHARE:.0%} in networks: {'reached' if reached else 'missed'}")
    if arguments.json:
        result = {
            "machine": describe_machine("fp32"),
            "data": data.name,
            "latent": model.config.latent,
            "images": arguments.images,
            "importance_samples": arguments.importance_samples,
            "seconds": {**clock.seconds, "outside networks": total - inside, "all": total},
            "share_in_networks": inside / total,
            "peak_gib": peak,
        }
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def _untrained(latent: str, data: ImageData) -> SpatialVAE:
    torch.manual_seed(0)
    return SpatialVAE.from_config(
        ModelConfig(latent=latent, image_size=(data.height, data.width), channels=data.channels)
    ).eval()


class _Clock:
    """Seconds by name, each counted once however deep the calls nest."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            begin = time.perf_counter()
            try:
                return call(*arguments, **options)
            finally:
                self.seconds[name] += time.perf_counter() - begin

        return timed


def _watch(model: SpatialVAE, clock: _Clock) -> None:
    """Time the forwards of the encoder with its head, of the decoder, and of every feature network opened later."""
    model.encoder.forward = clock.around("encoder", model.encoder.forward)
    model.posterior.forward = clock.around("encoder", model.posterior.forward)
    model.decoder.forward = clock.around("decoder", model.decoder.forward)
    opened = FeatureNetwork.open

    def watched(spec: str) -> FeatureNetwork:
        network = opened(spec)
        object.__setattr__(network, "forward", clock.around("feature network", network.forward))
        return network

    FeatureNetwork.open = staticmethod(watched)  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    main()
