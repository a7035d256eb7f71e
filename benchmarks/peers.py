"""How fast we are beside others: pythae's trainer and eager fp32 PyTorch with the same network, in one run.

    python benchmarks/peers.py                    # the paper's CelebA setting: 64x64, low-rank, batch 100
    python benchmarks/peers.py --json benchmarks/results/peers.json

Every round times all in turn, so that a busy machine hits all alike; ratios are medians over rounds of the ratio within
a round, with their quartiles. Ours is the real training loop with journal, progress bar and checkpoints. pythae is no
dependency; without it its rows are left out, and the script says so. On a machine with CUDA everything runs there.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path

from pythae_peer import MISSING, PythaePeer, installed

from spatialvae.benchmarking import Spread, describe_machine, interleaved, random_images, ratios
from spatialvae.benchmarking.contenders import RealLoop, as_torch_comes, eager_loop, resident_batches, sample_eagerly
from spatialvae.benchmarking.timing import Work
from spatialvae.config import TrainConfig
from spatialvae.model import SpatialVAE
from spatialvae.precision import resolve_precision
from spatialvae.training.state import make_accelerator

LENGTH = 20 * 162_770  # images of the run that ours is told to be: 20 epochs of CelebA


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--latent", default="low-rank")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--precision", default="auto", help="of ours; the others compute in fp32")
    parser.add_argument("--steps", type=int, default=10, help="training steps a round")
    parser.add_argument("--generated", type=int, default=10_000, help="images generated a round")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="spatialvae-peers-") as folder:
        found = compare(arguments, Path(folder))
    for kind in ("training", "sampling"):
        print(f"{kind:<34}{'images/s':>10}  {'ours over it':>12}  quartiles")
        for name, numbers in found[kind].items():
            ratio = numbers["ours_over_it"]
            print(
                f"  {name:<32}{numbers['images_per_second']['median']:>10,.0f}  {ratio['median']:>12.2f}  "
                f"{ratio['lower']:.2f} to {ratio['upper']:.2f}"
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


def compare(arguments: argparse.Namespace, folder: Path) -> dict:
    """Time all in turn; images a second and how many times as fast ours is."""
    config = TrainConfig(
        latent=arguments.latent, batch_size=arguments.batch_size, precision=arguments.precision, images=LENGTH
    )
    size, steps, generated = (arguments.image_size, arguments.image_size), arguments.steps, arguments.generated
    data, model = random_images(size, 3, least=config.batch_size), config.model(size, 3)
    device = make_accelerator(config).device
    real = RealLoop(config, data, folder / "run", steps=steps, slices=arguments.rounds + 1)
    eager = eager_loop(config, model, resident_batches(model, config.batch_size, device), steps)
    ours, plain = (SpatialVAE(model).to(device).eval() for _ in range(2))

    def by_default(work: Work) -> Work:
        def run() -> None:
            with as_torch_comes():
                work()

        return run

    training: dict[str, Work] = {"ours": real.steps, "eager fp32": by_default(eager.steps)}
    sampling: dict[str, Work] = {
        "ours": partial(ours.sample, generated),
        "eager fp32, batch 100": by_default(partial(sample_eagerly, plain, generated)),
    }
    if installed():
        for amp in (False, True) if device.type == "cuda" else (False,):
            name = "pythae, autocast" if amp else "pythae"
            options = {"batch_size": config.batch_size, "steps": steps, "learning_rate": config.learning_rate}
            peer = PythaePeer(model, folder / name, amp=amp, **options)
            training[name] = by_default(peer.steps)
            sampling |= {} if amp else {name: by_default(partial(peer.sample, generated))}
    else:
        print(MISSING, file=sys.stderr)
    works = {f"training {name}": work for name, work in training.items()}
    works |= {"checkpoint": real.checkpointed} | {f"sampling {name}": work for name, work in sampling.items()}
    taken = interleaved(works, arguments.rounds, device, say=partial(print, file=sys.stderr, flush=True))
    real.close()

    # Ours pays for its checkpoints too: each divided over the steps between two of them.
    between = real.checkpoint_every / config.batch_size
    slices = zip(taken["checkpoint"], taken["training ours"], strict=True)
    taken["training ours"] = [some + steps * max(0.0, one - some / steps) / between for one, some in slices]

    def numbers(kind: str, name: str, images: int) -> dict:
        seconds = taken[f"{kind} {name}"]
        ratio = Spread.of(ratios(seconds, taken[f"{kind} ours"]))
        rate = Spread.of([images / value for value in seconds])
        return {"images_per_second": asdict(rate), "ours_over_it": asdict(ratio)}

    return {
        "machine": describe_machine(resolve_precision(config.precision)),
        "settings": {**vars(arguments), "json": None},
        "training": {name: numbers("training", name, steps * config.batch_size) for name in training},
        "sampling": {name: numbers("sampling", name, generated) for name in sampling},
    }


if __name__ == "__main__":
    main()
