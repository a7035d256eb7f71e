"""The intervals that docs/results.md states, from the numbers of every seed that are stored beside it.

    python benchmarks/intervals.py docs/cifar10-bound.json elbo
    python benchmarks/intervals.py docs/cifar10-priors.json frechet/gaussian frechet/mixture --ratio
    python benchmarks/intervals.py --seeds 229 224 212
    python benchmarks/intervals.py --means 158 16 18 31

A file is a comparison.json, or holds {model: [the metrics of each seed]}: the difference of every two of its models
and KEYs is printed with its 95 % interval, paired by seed (Student's t). `--seeds` takes the differences of the seeds
themselves, `--means` two means over three seeds, each with its standard error, whose seeds are not paired: their half
widths are added as squares, each with its own quantile (Zou and Donner, 2008).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from pathlib import Path

import torch

from spatialvae.comparison import Difference, paired_by_seed
from spatialvae.comparison.paired import t_quantile

SEEDS = 3
"""Of what `--means` takes."""


def columns(path: Path, keys: list[str]) -> dict[str, list[float]]:
    """{model and key: its value with every seed}."""
    content = json.loads(path.read_text())
    models = {model["latent"]: model["runs"] for model in content["models"]} if "models" in content else content
    values_of: dict[str, list[float]] = {}
    for (name, runs), key in itertools.product(models.items(), keys):
        values = [run.get("metrics", run).get(key) for run in runs]
        if None not in values:
            values_of[f"{name} {key}"] = [value["value"] if isinstance(value, dict) else value for value in values]
    return values_of


def spelled(difference: Difference | None) -> str:
    if difference is None:
        return "one seed: no interval over seeds"
    held = "" if difference.excludes_tie else f"   no difference found, ± {(difference.high - difference.low) / 2:.3g}"
    return f"{difference.value:.4g} ({difference.low:.4g} to {difference.high:.4g}){held}"


def by_seed(values: list[float], others: list[float]) -> str:
    return spelled(paired_by_seed(torch.tensor(values).double(), torch.tensor(others).double()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("keys", nargs="*")
    parser.add_argument("--ratio", action="store_true", help="ratios less 1 in place of differences")
    parser.add_argument("--seeds", type=float, nargs="+", metavar="DIFFERENCE")
    parser.add_argument("--means", type=float, nargs=4, metavar=("MEAN", "ERROR", "OTHER", "ITS_ERROR"))
    arguments = parser.parse_args()
    if arguments.seeds:
        print(by_seed(arguments.seeds, [0.0] * len(arguments.seeds)))
    if arguments.means:
        mean, error, other, its_error = arguments.means
        half = t_quantile(0.975, SEEDS - 1) * math.hypot(error, its_error)
        print(spelled(Difference(mean - other, mean - other - half, mean - other + half, "none", "seeds")))
    if arguments.file:
        for (name, values), (other, others) in itertools.permutations(
            columns(arguments.file, arguments.keys).items(), 2
        ):
            if arguments.ratio:
                ratios = [value / its for value, its in zip(values, others, strict=True)]
                print(f"{name} / {other} - 1: {by_seed(ratios, [1.0] * len(ratios))}")
            elif name > other:
                print(f"{name} - {other}: {by_seed(values, others)}")


if __name__ == "__main__":
    main()
