"""What a comparison trains: every latent with every beta and seed, each in its folder."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from spatialvae.config import CompareConfig, TrainConfig
from spatialvae.data import ImageData
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS, parse_latent
from spatialvae.model import SpatialVAE
from spatialvae.parts import resolve_latent
from spatialvae.seeding import seeded
from spatialvae.training.model_stage import with_run_defaults

__all__ = ["Plan", "default_latents", "make_plan", "run_folder"]

PAPER = ("vector", "naive", "matrix-normal", "low-rank")
SMALL = 10_000
"""Training images under which a run is short enough to do thrice."""


@dataclass(frozen=True)
class Plan:
    """The runs of a comparison, and which of them its table is about."""

    latents: list[str]
    betas: list[float]
    seeds: list[int]

    @property
    def beta(self) -> float:
        """The table's: the bound itself where it is among the betas, else the first."""
        return 1.0 if 1.0 in self.betas else self.betas[0]

    @property
    def baseline(self) -> str:
        """What the others are compared with."""
        return "vector" if "vector" in self.latents else self.latents[0]


def make_plan(wanted: CompareConfig, config: TrainConfig, data: ImageData) -> Plan:
    """The runs that the settings ask for, with what they leave out filled in; all models were built once to try.

    Raises:
        UserError: a latent that cannot be built, or the same latent or beta twice.
    """
    model = with_run_defaults(config).sized((data.height, data.width), data.channels)
    latents = default_latents(config, data) if wanted.latent is None else list(wanted.latent)
    spelled: dict[str, str] = {}
    for latent in latents:
        with seeded(0):
            built = SpatialVAE.from_config(model.model_copy(update={"latent": latent}))
        full = LATENTS.spell(built.latent)
        if full in spelled:
            same = "" if spelled[full] == latent else f" ({latent} and {spelled[full]} are the same)"
            raise UserError(f"`latent` {latent} is named twice{same}: name each latent to compare once.")
        spelled[full] = latent
    for index, beta in enumerate(wanted.beta):
        if f"{beta:g}" in [f"{before:g}" for before in wanted.beta[:index]]:
            raise UserError(f"`beta` {beta:g} is named twice: name each beta once.")
    seeds = wanted.seeds or (3 if len(data.split("train")) < SMALL else 1)
    return Plan(latents, list(wanted.beta), list(range(seeds)))


def default_latents(config: TrainConfig, data: ImageData) -> list[str]:
    """The paper's four, and the control of equal size: a vector with as many numbers as the maps.

    The paper's vector is much shorter than its maps are together (81 numbers against 576), which leaves open whether
    the maps' shape or their mere count makes the difference. The control is left out where the vector has that size.
    """
    model = with_run_defaults(config).sized((data.height, data.width), data.channels)
    _, grid = resolve_latent(model.model_copy(update={"latent": "vector"}))
    numbers = math.prod(grid)
    control = [] if parse_latent("vector", grid).numbers == numbers else [f"vector:maps={numbers}"]
    return [*PAPER, *control]


def run_folder(out: Path, latent: str, beta: float, seed: int) -> Path:
    """Where a run lies.

    >>> run_folder(Path("runs/a"), "low-rank:rank=2", 1.0, 0).as_posix()
    'runs/a/low-rank-rank2/beta-1/seed-0'
    """
    name = re.sub(r"[:,]", "-", latent).replace("=", "")
    return out / name / f"beta-{beta:g}" / f"seed-{seed}"
