"""Why a low-rank mean loses bound, and what would cure it: means of other forms, trained alike.

    python benchmarks/low_rank_cures.py --data cifar10 --json benchmarks/results/low_rank_cures.json
    python benchmarks/low_rank_cures.py --data cifar10 --cure unit shared-1 --seed 1

Each cure is a latent of this file alone, entered into the table of latents while the script runs: the mean of map k
from factors u_k [h, r] and v_k [w, r], with diagonal scales a map or the tensor-normal's shared covariance.
`low-rank@3e-3` is an existing latent at another learning rate. Prints bound, KL (nats) and squared error.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent
from torch.nn.functional import normalize

from spatialvae.cli.images import prepare_images
from spatialvae.config import DataOptions, EvaluationConfig, ModelOptions, Optimisation, TrainConfig
from spatialvae.distributions import MatrixNormal, TensorNormal
from spatialvae.latents import LATENTS, AbstractLatent
from spatialvae.latents.covariance import side, side_shapes
from spatialvae.metrics import evaluate
from spatialvae.training import train

Numbers = dict[str, Tensor]


def product(p: Numbers) -> Tensor:
    """u v^T, the latent `low-rank`."""
    return p["u"] @ p["v"].mT


def ones(p: Numbers) -> Tensor:
    """u (1 + v)^T: the product has a gradient from the first step."""
    return p["u"] @ (1 + p["v"]).mT


def unit(p: Numbers) -> Tensor:
    """s a b^T with unit vectors a and b: the scale is one number, with no gauge between the factors."""
    return p["s"] * normalize(1 + p["u"], dim=-2) @ normalize(1 + p["v"], dim=-2).mT


def orthogonal(p: Numbers) -> Tensor:
    """A diag(s) B^T with orthonormal columns: a singular value decomposition."""
    start = torch.eye(p["u"].shape[-2], p["u"].shape[-1], device=p["u"].device)
    rows, columns = (torch.linalg.qr(start + p[name])[0] for name in ("u", "v"))
    return rows * p["s"] @ columns.mT


def additive(p: Numbers) -> Tensor:
    """a 1^T + 1 b^T: as many numbers as rank 1, and linear in them."""
    return p["u"] + p["v"].mT


def diagonal(p: Numbers) -> Tensor:
    """u v^T + diag(s): rank 1 and a free diagonal."""
    return product(p) + torch.diag_embed(p["s"].squeeze(-2))


class AbstractCure(AbstractLatent):
    """A low-rank mean of rank `rank` in the form `mean`, with `scales` further numbers a map."""

    mean: ClassVar[Callable[[Numbers], Tensor]]
    rank: ClassVar[int]
    scales: ClassVar[int]
    shared: ClassVar[bool]
    description = "study"
    equation = "F_k ~ N(mean(u_k, v_k, s_k), ...)"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        lead = () if self.shared else (self.maps,)
        sizes = {"u": (self.height, self.rank), "v": (self.width, self.rank), "s": (1, self.scales)}
        factors = {name: (self.maps, *size) for name, size in sizes.items() if 0 not in size}
        return (
            factors
            | side_shapes("diagonal", "row", lead, self.height)
            | side_shapes("diagonal", "column", lead, self.width)
        )

    @property
    def shared_shapes(self) -> dict[str, tuple[int, ...]]:
        return side_shapes("full", "map", (), self.maps) if self.shared else {}

    def distribution(self, parameters: Numbers) -> Distribution:
        loc = type(self).mean(parameters)
        if self.shared:
            return TensorNormal(loc, [side(name, parameters) for name in ("map", "row", "column")], validate_args=False)
        maps = MatrixNormal.of_sides(loc, side("row", parameters), side("column", parameters))
        return Independent(maps, 1, validate_args=False)


def cure(mean: Callable[[Numbers], Tensor], rank: int = 1, scales: int = 0, shared: bool = False) -> type[AbstractCure]:
    fields = {"mean": staticmethod(mean), "rank": rank, "scales": scales, "shared": shared}
    return dataclass(frozen=True)(type(mean.__name__.title(), (AbstractCure,), fields))


CURES: dict[str, type[AbstractLatent]] = {
    "ones": cure(ones),
    "unit": cure(unit, scales=1),
    "orthogonal-3": cure(orthogonal, rank=3, scales=3),
    "additive": cure(additive),
    "diagonal": cure(diagonal, scales=3),
    "shared-1": cure(product, shared=True),
    "shared-2": cure(product, rank=2, shared=True),
    "shared-3": cure(product, rank=3, shared=True),
}
OTHERS = ["low-rank", "low-rank:maps=192", "low-rank@3e-4", "low-rank@3e-3", "matrix-normal", "matrix-normal@3e-3"]


def measured(name: str, arguments: argparse.Namespace) -> dict[str, float]:
    """The bound and its parts of one training, in nats an image, on test images."""
    latent, _, rate = name.partition("@")
    config = TrainConfig(
        model=ModelOptions(latent=latent),
        data=DataOptions(data=arguments.data),
        optimisation=Optimisation(
            images=arguments.images, schedule="cosine", seed=arguments.seed, learning_rate=float(rate or 1e-3)
        ),
    )
    data = prepare_images(config.data)
    with tempfile.TemporaryDirectory() as folder:
        model = train(config, data, Path(folder) / "run", progress=False).model
    metrics = evaluate(model, data, EvaluationConfig(metrics="bound,mse", limit=5000), progress=False).metrics
    values = {key: estimate.value for key, estimate in metrics.items()}
    return {"encoder_outputs": model.latent.encoder_outputs, **values}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a name or path, as for `spatialvae train`")
    parser.add_argument("--cure", nargs="+", default=[*CURES, *OTHERS], help="default: all")
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="add the numbers to this file")
    arguments = parser.parse_args()
    for name, kind in CURES.items():
        LATENTS.register(name)(kind)
    for name in arguments.cure:
        values = measured(name, arguments)
        shown = {key: round(value, 4) for key, value in values.items()}
        print(name, shown, flush=True)
        if arguments.json:
            file = arguments.json
            kept = json.loads(file.read_text()) if file.exists() else {}
            kept.setdefault(name, {})[f"seed {arguments.seed}, {arguments.images} images"] = values
            file.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
