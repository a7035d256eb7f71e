"""How long `spatialvae train` takes from the start of Python to the end of its first step, on a prepared cache.

    python benchmarks/first_step.py --data digits
    python benchmarks/first_step.py --data cifar10

And how long importing the library takes beyond importing torch. Each measurement is a process of its own; prints the
median and the range over rounds. The first round, which may prepare the cache, does not count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

TORCH = "import torch"
LIBRARY = "import torch, spatialvae; spatialvae.load; spatialvae.SpatialVAE; spatialvae.TrainConfig"
FIRST_STEP = """
import os, sys, time
from spatialvae.cli import main
from spatialvae.training import loop
step = loop.train_step
def first(*given):
    step(*given)
    print(time.time() - float(os.environ["BEGUN"]), flush=True)
    os._exit(0)
loop.train_step = first
sys.argv = ["spatialvae", "train", *sys.argv[1:]]
main()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    beyond, first = [], []
    for round_ in range(arguments.rounds + 1):
        imports = [taken([sys.executable, "-c", code]) for code in (TORCH, LIBRARY)]
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", FIRST_STEP, "--data", arguments.data, "--out", f"{folder}/run"]
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, env={**os.environ, "BEGUN": str(time.time())}
            )
        if round_:
            beyond.append(imports[1] - imports[0])
            first.append(float(done.stdout.split()[-1]))
    for name, values in (("import beyond torch's own", beyond), ("first step", first)):
        print(f"{name:<26}{statistics.median(values):.2f} s  ({min(values):.2f} to {max(values):.2f})")


def taken(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
