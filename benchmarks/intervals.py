"""The intervals that docs/studies states, from the numbers of every seed that are stored there.

    python benchmarks/intervals.py docs/studies/cifar10-bound.json elbo
    python benchmarks/intervals.py docs/studies/cifar10-priors.json frechet/gaussian frechet/mixture --ratio
    python benchmarks/intervals.py docs/studies/residual-posteriors.json docs/studies/residual-prior-tensor.json elbo
    python benchmarks/intervals.py --seeds 229 224 212
    python benchmarks/intervals.py --means 158 16 18 31

A file is a comparison.json, or holds {model: [the metrics of each seed]}: the difference of every two models and KEYs
is printed with its 95 % interval, paired by seed (Student's t). With several files a model's name begins with that of
its file. `--seeds` takes the differences of the seeds
themselves, `--means` two means over three seeds, each with its standard error, whose seeds are not paired: their half
widths are added as squares, each with its own quantile (Zou and Donner, 2008).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from pathlib import Path

import torch

from spatialvae.comparison import Difference, paired_by_seed
from spatialvae.comparison.paired import t_quantile

SEEDS = 3
"""Of what `--means` takes."""


def columns(paths: list[Path], keys: list[str]) -> dict[str, list[float]]:
    """{model and key: its value with every seed}."""
    models = {}
    for path in paths:
        content = json.loads(path.read_text())
        runs_of = {model["latent"]: model["runs"] for model in content["models"]} if "models" in content else content
        models |= {f"{path.stem} {name}" if len(paths) > 1 else name: runs for name, runs in runs_of.items()}
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
    parser.add_argument("words", nargs="*", metavar="FILE.json|KEY")
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
    files = [Path(word) for word in arguments.words if word.endswith(".json")]
    if files:
        keys = [word for word in arguments.words if not word.endswith(".json")]
        for (name, values), (other, others) in itertools.permutations(columns(files, keys).items(), 2):
            if len(values) != len(others):
                if name > other:
                    print(f"{name}, {other}: {len(values)} and {len(others)} seeds, no pairs", file=sys.stderr)
                continue
            if arguments.ratio:
                ratios = [value / its for value, its in zip(values, others, strict=True)]
                print(f"{name} / {other} - 1: {by_seed(ratios, [1.0] * len(ratios))}")
            elif name > other:
                print(f"{name} - {other}: {by_seed(values, others)}")


if __name__ == "__main__":
    main()
