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
from contextlib import nullcontext
from pathlib import Path

from spatialvae.benchmarking import random_images
from spatialvae.config import TrainConfig
from spatialvae.training import loop

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


def measure(way: str, batch_size: int, steps: int) -> None:
    if way == "given back":
        loop.freed_memory_kept = nullcontext
    config = TrainConfig(latent="low-rank", batch_size=batch_size, images=100 * (steps + WARM_UP) * batch_size)
    data = random_images((64, 64), 3, least=batch_size)
    with tempfile.TemporaryDirectory() as folder:
        training = loop.train_stepwise(config, data, Path(folder) / "run", progress=False)
        for _ in range(WARM_UP):
            next(training)
        faults, taken = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, []
        for _ in range(steps):
            begin = time.perf_counter()
            next(training)
            taken.append(time.perf_counter() - begin)
        used = resource.getrusage(resource.RUSAGE_SELF)
        training.close()
    step = statistics.median(taken)
    print(
        f"{way:<11} batch {batch_size}: {1e3 * step:8.1f} ms a step, {batch_size / step:6.0f} images/s, "
        f"{(used.ru_minflt - faults) // steps:8,} page faults a step, peak {used.ru_maxrss / 2**20:.2f} GiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
