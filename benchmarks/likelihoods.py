"""How long the likelihoods take, forward and backward, for one batch of noise: medians over interleaved rounds.

python benchmarks/likelihoods.py
python benchmarks/likelihoods.py --likelihood gaussian logistic-mixture --size 64 --batch-size 16 --threads 2
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch

from spatialvae.benchmarking.timing import Spread, interleaved
from spatialvae.likelihoods import LIKELIHOODS
from spatialvae.runtime.allocator import freed_memory_kept

SPECS = ["gaussian", "gaussian:scale=pixel", "logistic", "logistic:scale=pixel", "logistic-mixture", "pixelcnn"]
CHANNELS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--likelihood", nargs="+", default=SPECS)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    shape = (arguments.batch_size, CHANNELS, arguments.size, arguments.size)
    works = {spec: work(spec, shape) for spec in arguments.likelihood}
    with freed_memory_kept():
        taken = interleaved(works, arguments.rounds, torch.device("cpu"))
    for spec, seconds in taken.items():
        spread = Spread.of([1000 * second for second in seconds])
        print(f"{spec:<24}{spread.median:8.1f} ms  ({spread.lower:.1f} to {spread.upper:.1f})")


def work(spec: str, shape: tuple[int, ...]) -> Callable[[], None]:
    likelihood = LIKELIHOODS.parse(spec)
    likelihood.build(CHANNELS)
    images = torch.randint(0, 256, shape) / 127.5 - 1
    output = 0.5 * torch.randn(shape[0], likelihood.outputs(CHANNELS), *shape[2:])

    def both_ways() -> None:
        leaf = output.detach().requires_grad_()
        likelihood(leaf).log_prob(images).sum().backward()

    return both_ways


if __name__ == "__main__":
    main()
