"""Why a low-rank mean loses bound, and what would cure it: means of other forms, trained alike.

    python benchmarks/low_rank_cures.py --data cifar10 --json benchmarks/results/low_rank_cures.json
    python benchmarks/low_rank_cures.py --data cifar10 --cure unit shared-1 --seed 1
    spatialvae compare --plugin benchmarks/low_rank_cures.py --latent grown-4 free-4 orthogonal-4 --network residual ...

Each cure is a latent of this file alone: the mean of map k from factors u_k [h, r] and v_k [w, r], with diagonal scales
a map, the tensor-normal's shared covariance, or a free scale for each number. `low-rank@3e-3` is an existing latent at
another learning rate. Prints bound, KL (nats) and squared error.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent
from torch.nn.functional import normalize

from spatialvae.cli.images import prepare_images
from spatialvae.config import DataOptions, EvaluationConfig, ModelOptions, Optimisation, TrainConfig
from spatialvae.distributions import MatrixNormal, TensorNormal
from spatialvae.latents import LATENTS, AbstractLatent
from spatialvae.latents.base import independent_normals, positive
from spatialvae.latents.covariance import row_and_column_axes, side, side_shapes
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


class Grown:
    """u diag(g) v^T, whose ranks come in one after the other: each g_r rises to 1 over `steps` training steps.

    Steps are counted in this process: train one seed a process, and an interrupted training from its start. Without
    gradients, as in measuring, all ranks are whole.
    """

    __name__ = "grown"

    def __init__(self, steps: int) -> None:
        self.steps, self.taken = steps, 0

    def __call__(self, p: Numbers) -> Tensor:
        if not torch.is_grad_enabled():
            return product(p)
        self.taken += 1
        ranks = torch.arange(p["u"].shape[-1], device=p["u"].device)
        return (p["u"] * (1 + self.taken / self.steps - ranks).clamp(0, 1)) @ p["v"].mT


class AbstractCure(AbstractLatent):
    """A low-rank mean of rank `rank` in the form `mean`, with `scales` further numbers a map.

    `sides` says what the scales are: row and column factors of each map, one covariance for all, or a free one each.
    """

    mean: ClassVar[Callable[[Numbers], Tensor]]
    rank: ClassVar[int]
    scales: ClassVar[int]
    sides: ClassVar[Literal["each", "shared", "free"]]
    description = "study"
    equation = "F_k ~ N(mean(u_k, v_k, s_k), ...)"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        lead = () if self.sides == "shared" else (self.maps,)
        sizes = {"u": (self.height, self.rank), "v": (self.width, self.rank), "s": (1, self.scales)}
        factors = {name: (self.maps, *size) for name, size in sizes.items() if 0 not in size}
        if self.sides == "free":
            return {**factors, "scale": self.event_shape}
        return (
            factors
            | side_shapes("diagonal", "row", lead, self.height)
            | side_shapes("diagonal", "column", lead, self.width)
        )

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        own = {"u": ("map", "row", "rank"), "v": ("map", "column", "rank"), "s": ("map", "one", "scale")}
        sites = {"scale": ("map", "row", "column")} if self.sides == "free" else {}
        if self.sides != "free":
            sites = row_and_column_axes(self.shapes, () if self.sides == "shared" else ("map",))
        return {name: axes for name, axes in {**own, **sites}.items() if name in self.shapes}

    @property
    def shared_shapes(self) -> dict[str, tuple[int, ...]]:
        return side_shapes("full", "map", (), self.maps) if self.sides == "shared" else {}

    def distribution(self, parameters: Numbers) -> Distribution:
        loc = type(self).mean(parameters)
        if self.sides == "free":
            return independent_normals(loc, positive(parameters["scale"]))
        if self.sides == "shared":
            return TensorNormal(loc, [side(name, parameters) for name in ("map", "row", "column")], validate_args=False)
        maps = MatrixNormal.of_sides(loc, side("row", parameters), side("column", parameters))
        return Independent(maps, 1, validate_args=False)


def cure(mean: Callable[[Numbers], Tensor], rank: int = 1, scales: int = 0, sides: str = "each") -> type[AbstractCure]:
    fields = {"mean": staticmethod(mean), "rank": rank, "scales": scales, "sides": sides}
    return dataclass(frozen=True)(type(mean.__name__.title(), (AbstractCure,), fields))


CURES: dict[str, type[AbstractLatent]] = {
    "ones": cure(ones),
    "unit": cure(unit, scales=1),
    "orthogonal-3": cure(orthogonal, rank=3, scales=3),
    "additive": cure(additive),
    "diagonal": cure(diagonal, scales=3),
    "shared-1": cure(product, sides="shared"),
    "shared-2": cure(product, rank=2, sides="shared"),
    "shared-3": cure(product, rank=3, sides="shared"),
}
LARGER: dict[str, type[AbstractLatent]] = {
    "orthogonal-4": cure(orthogonal, rank=4, scales=4),
    "free-4": cure(product, rank=4, sides="free"),
    "grown-4": cure(Grown(steps=250), rank=4),
}
"""For maps of at least 4x4."""
for _name, _kind in {**CURES, **LARGER}.items():
    LATENTS.register(_name)(_kind)
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
