"""How fast we are beside others: pythae's trainer and eager fp32 PyTorch with the same network, in one run.

    python benchmarks/peers.py                    # the paper's CelebA setting: 64x64, low-rank, batch 100
    python benchmarks/peers.py --json benchmarks/results/peers.json

Each contender has a process of its own, and every round lets all work in turn, so that a busy machine hits all alike;
ratios are medians over rounds of the ratio within a round, with their quartiles. Ours is the real training loop with
journal, progress bar and checkpoints. pythae is no dependency; without it its rows are left out, and the script says
so. On a machine with CUDA everything runs there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from pythae_peer import MISSING, PythaePeer, installed

from spatialvae.benchmarking import Spread, describe_machine, interleaved, random_images, ratios
from spatialvae.benchmarking.contenders import RealLoop, eager_loop, resident_batches, sample_eagerly
from spatialvae.benchmarking.timing import Work
from spatialvae.config import ModelOptions, Optimisation, TrainConfig
from spatialvae.devices import fastest_device, synchronize
from spatialvae.model import SpatialVAE
from spatialvae.runtime.precision import resolve_precision

LENGTH = 20 * 162_770  # images of the run that ours is started with: 20 epochs of CelebA


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
        results = compare(arguments, Path(folder))
    for kind in ("training", "sampling"):
        print(f"{kind:<34}{'images/s':>10}  {'ours over it':>12}  quartiles")
        for name, numbers in results[kind].items():
            ratio = numbers["ours_over_it"]
            print(
                f"  {name:<32}{numbers['images_per_second']['median']:>10,.0f}  {ratio['median']:>12.2f}  "
                f"{ratio['lower']:.2f} to {ratio['upper']:.2f}"
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


def compare(arguments: argparse.Namespace, folder: Path) -> dict:
    """Time all in turn; images a second and how many times as fast ours is."""
    config, batch_size = settings(arguments), arguments.batch_size
    makers = {"ours": Ours, "eager fp32": Eager}
    if installed():
        makers |= {"pythae": Pythae} | ({"pythae, autocast": PythaeAutocast} if torch.cuda.is_available() else {})
    else:
        print(MISSING, file=sys.stderr)
    contenders = {name: InItsProcess(maker, arguments, folder / name) for name, maker in makers.items()}
    works: dict[str, Work] = {}
    for name, contender in contenders.items():
        works |= {f"{kind} {name}": partial(contender, kind) for kind in ("training", "sampling")}
    works["checkpoint"] = partial(contenders["ours"], "checkpoint")
    device = torch.device("cpu")  # each process waits for its own
    taken = interleaved(works, arguments.rounds, device, say=partial(print, file=sys.stderr, flush=True))

    # Ours pays for its checkpoints too: each divided over the steps between two of them.
    steps, between = arguments.steps, max(1, LENGTH // 10) / batch_size
    slices = zip(taken["checkpoint"], taken["training ours"], strict=True)
    taken["training ours"] = [some + steps * max(0.0, one - some / steps) / between for one, some in slices]

    def numbers(kind: str, name: str, images: int) -> dict:
        seconds = taken[f"{kind} {name}"]
        ratio = Spread.of(ratios(seconds, taken[f"{kind} ours"]))
        rate = Spread.of([images / value for value in seconds])
        return {"images_per_second": asdict(rate), "ours_over_it": asdict(ratio)}

    return {
        "machine": describe_machine(resolve_precision(config.optimisation.precision)),
        "settings": {**vars(arguments), "json": None},
        "training": {name: numbers("training", name, steps * batch_size) for name in makers},
        "sampling": {name: numbers("sampling", name, arguments.generated) for name in makers},
    }


def settings(arguments: argparse.Namespace) -> TrainConfig:
    return TrainConfig(
        model=ModelOptions(latent=arguments.latent),
        optimisation=Optimisation(batch_size=arguments.batch_size, precision=arguments.precision, images=LENGTH),
    )


class InItsProcess:
    """A contender in a process of its own, which works when it is asked to and waits otherwise.

    Apart, as its user would run it: what one asks of the allocator or of torch does not reach the others.
    """

    def __init__(self, maker: Callable[[argparse.Namespace, Path], object], *options: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        context.Process(target=serve, args=(theirs, maker, options), daemon=True).start()

    def __call__(self, kind: str) -> None:
        self._ours.send(kind)
        if failure := self._ours.recv():
            raise RuntimeError(failure)


def serve(pipe: Connection, maker: Callable[..., object], options: tuple) -> None:
    """Build a contender, then do each work whose name arrives; ours trains on from one name to the next."""
    contender = maker(*options)
    with suppress(EOFError):  # the benchmark is over
        if isinstance(contender, Ours):
            contender.serve(pipe)
        while True:
            answer(contender, pipe, pipe.recv())


def answer(contender: object, pipe: Connection, kind: str) -> None:
    """Do the work of that name, and say when it is done."""
    try:
        getattr(contender, kind)()
        synchronize(fastest_device())
        pipe.send(None)
    except Exception as error:  # of another's library: passed on to where somebody reads it
        pipe.send(f"{type(contender).__name__}: {error}")


class Ours:
    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        config, size = settings(arguments), (arguments.image_size, arguments.image_size)
        data = random_images(size, 3, least=config.optimisation.batch_size)
        self.real = RealLoop(config, data, folder, steps=arguments.steps, slices=arguments.rounds + 1)
        model = SpatialVAE.from_config(config.sized(size, 3)).to(fastest_device()).eval()
        self.sampling = partial(model.sample, arguments.generated)

    def serve(self, pipe: Connection) -> None:
        """Train from one request for a part of a slice to the next; other work is done in between."""

        def wait() -> None:
            while (kind := pipe.recv()) not in ("training", "checkpoint"):
                answer(self, pipe, kind)

        def turn(_: str) -> None:
            synchronize(fastest_device())
            pipe.send(None)
            wait()

        wait()
        self.real.run(turn)


class Eager:
    def __init__(self, arguments: argparse.Namespace, _: Path) -> None:
        config, device = settings(arguments), fastest_device()
        model = config.sized((arguments.image_size, arguments.image_size), 3)
        batches = resident_batches(model, config.optimisation.batch_size, device)
        self.training = eager_loop(config.optimisation, model, batches, arguments.steps).steps
        self.sampling = partial(sample_eagerly, SpatialVAE.from_config(model).to(device).eval(), arguments.generated)


class Pythae:
    amp = False

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        config = settings(arguments)
        model = config.sized((arguments.image_size, arguments.image_size), 3)
        options = {
            "batch_size": config.optimisation.batch_size,
            "steps": arguments.steps,
            "learning_rate": config.optimisation.learning_rate,
        }
        peer = PythaePeer(model, folder, amp=self.amp, **options)
        self.training, self.sampling = peer.steps, partial(peer.sample, arguments.generated)


class PythaeAutocast(Pythae):
    amp = True


if __name__ == "__main__":
    main()
