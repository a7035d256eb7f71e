"""What keeping freed memory gains in training on a CPU, and what it costs: steps with it and without, in turn.

    python benchmarks/freed_memory.py
    python benchmarks/freed_memory.py --batch-size 1000 --steps 6 --rounds 2

Each measurement is a process of its own, since what an allocator does depends on all that happened before. Prints for
either way the median time of a step, the page faults in it and the process's peak memory.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext, suppress
from pathlib import Path

from spatialvae.benchmarking import random_images
from spatialvae.config import ModelOptions, Optimisation, TrainConfig
from spatialvae.training import Callback, TrainingEvent, loop, train

WARM_UP = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=["given back", "kept"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        measure(arguments.way, arguments.batch_size, arguments.steps)
        return
    for _ in range(arguments.rounds):
        for way in ("given back", "kept"):
            subprocess.run([sys.executable, __file__, *sys.argv[1:], "--way", way], check=True)


class Enough(Exception):
    """All steps were timed."""


class Watch(Callback):
    """Times `steps` steps after the warm-up, and counts the page faults before them."""

    def __init__(self, steps: int) -> None:
        self.taken: list[float] = []
        self.faults, self._steps, self._seen, self._began = 0, steps, 0, 0.0

    def on_step(self, event: TrainingEvent) -> None:
        now = time.perf_counter()
        self._seen += 1
        if self._seen == WARM_UP:
            self.faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        elif self._seen > WARM_UP:
            self.taken.append(now - self._began)
        if len(self.taken) == self._steps:
            raise Enough
        self._began = time.perf_counter()


def measure(way: str, batch_size: int, steps: int) -> None:
    if way == "given back":
        loop.freed_memory_kept = nullcontext
    config = TrainConfig(
        model=ModelOptions(latent="low-rank"),
        optimisation=Optimisation(batch_size=batch_size, images=100 * (steps + WARM_UP) * batch_size),
    )
    data = random_images((64, 64), 3, least=batch_size)
    watch = Watch(steps)
    with tempfile.TemporaryDirectory() as folder, suppress(Enough):
        train(config, data, Path(folder) / "run", callbacks=[watch], progress=False)
    faults, taken, used = watch.faults, watch.taken, resource.getrusage(resource.RUSAGE_SELF)
    step = statistics.median(taken)
    print(
        f"{way:<11} batch {batch_size}: {1e3 * step:8.1f} ms a step, {batch_size / step:6.0f} images/s, "
        f"{(used.ru_minflt - faults) // steps:8,} page faults a step, peak {used.ru_maxrss / 2**20:.2f} GiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
