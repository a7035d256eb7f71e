"""The second stage: a prior's network, trained on the codes of a finished model by the loop that trained the model."""

from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from spatialvae.config import PriorConfig
from spatialvae.data.batches import batch_indices
from spatialvae.errors import UserError
from spatialvae.files import replacing
from spatialvae.priors import AbstractTrainedPrior
from spatialvae.seeding import seeded
from spatialvae.training.journal import read_journal
from spatialvae.training.loop import train_stage
from spatialvae.training.opening import check_start
from spatialvae.training.run import Run
from spatialvae.training.stage import AbstractStage

__all__ = ["BEST", "IndexedCodes", "PriorStage", "train_prior"]

BEST = "network.safetensors"
PATIENCE = 3
"""Validations without a better held-out loss after which training stops."""
EARLIEST = 0.4
"""Of the length, before which it does not: a loss that stands still at first may only not have begun to fall."""
SCORED = 2000
SCORED_AT_ONCE = 250

Prior = TypeVar("Prior", bound=AbstractTrainedPrior)
Batch = tuple[Tensor, Tensor | None]


class IndexedCodes(Protocol):
    """Codes of which any can be asked for, in batches."""

    event_shape: tuple[int, int, int]
    held_out: Tensor
    """One draw for each of some other images, [m, maps, height, width]."""
    held_out_labels: Tensor | None
    """Their labels [m], where there are any."""

    def __len__(self) -> int:
        """How many images there are."""
        ...

    def batch(self, indices: np.ndarray) -> Batch:
        """A fresh draw for each of the images at `indices`, from torch's global generator, and their labels."""
        ...


def train_prior(
    prior: Prior,
    codes: IndexedCodes,
    config: PriorConfig,
    folder: Path,
    *,
    again: bool = False,
    progress: bool = True,
) -> Prior:
    """The prior with the network of the smallest held-out loss, trained in `folder` or gone on with there.

    The folder gets config.yaml, metrics.jsonl and checkpoints as a run of a model does, and network.safetensors, the
    best weights so far. After k codes they are a function of (prior, codes, config, k).

    Args:
        again: begin anew where the training in `folder` is complete, or of other settings or codes; one of the same
            that was interrupted goes on.

    Raises:
        UserError: settings or codes that do not fit what is in `folder`; a loss that is not finite.
        Interrupted: Ctrl-C or SIGTERM came; the state was saved first.
    """
    stage = PriorStage(prior, codes, config)
    if again and not _was_interrupted(stage, Run(folder)):
        shutil.rmtree(folder, ignore_errors=True)
    train_stage(stage, folder, progress=progress, device=prior.gaussian.loc.device)
    trained = copy.deepcopy(prior)
    trained.network.load_state_dict(load_file(folder / BEST))
    return trained


class PriorStage(AbstractStage[nn.Module]):
    """Trains the network of `prior`, from the weights that it has, on draws of `codes`.

    The loss is the prior's own divided by the numbers of a code, so that clipping and learning rate mean the same for
    codes of every size; so is the held-out loss. It stops early when three validations in a
    row brought no better one, but not in the first two fifths of its length.
    """

    free: ClassVar[frozenset[str]] = frozenset()  # where it is validated decides where it stops
    stops_early: ClassVar[bool] = True

    def __init__(self, prior: AbstractTrainedPrior, codes: IndexedCodes, config: PriorConfig) -> None:
        self.settings = self.optimisation = config
        self.prior, self.codes = prior, codes
        self.total = config.images or prior.family.codes
        if config.epochs is not None:
            self.total = max(1, round(config.epochs * len(codes)))
        self.fingerprint = prior.fingerprint
        self.numbers = math.prod(codes.event_shape)

    def check(self) -> None:
        """Nothing: the family was checked when it was named."""

    def build(self, device: torch.device) -> nn.Module:
        self.prior = self.prior.to(device)
        return copy.deepcopy(self.prior.network)

    def batches(self, device: torch.device, *, rank: int, world: int) -> Callable[[int], Batch]:
        size, seed = self.optimisation.batch_size, self.optimisation.seed

        def batch(step: int) -> Batch:
            codes, labels = self.codes.batch(
                batch_indices(len(self.codes), size, step, seed=seed, rank=rank, world=world)
            )
            return codes.to(device), None if labels is None else labels.to(device)

        return batch

    def loss(self, wrapped: nn.Module, network: nn.Module, batch: Batch, seen: int) -> tuple[Tensor, dict[str, Tensor]]:
        return self.prior.loss(*batch, network=wrapped).mean() / self.numbers, {}

    def described(self, network: nn.Module) -> str:
        parameters = sum(weights.numel() for weights in network.parameters())
        return f"{self.prior.family.spelled}: {parameters:,} parameters, {self.total:,} codes at most"

    def details(self, values: dict[str, float]) -> list[str]:
        if "held_out_loss" in values:
            return [f"held out {values['held_out_loss']:.4f}"]
        return [f"loss {values['loss']:.4f} a number"]

    def not_finite(self, values: dict[str, float]) -> str:
        return f"{values['loss']:.4g} a number of the code"

    @property
    def command(self) -> str:
        return f"fit-prior --prior {self.prior.family.spelled}"

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """The loss a number of the held-out codes, by the same seeded draws every time, and its standard error.

        Few codes are scored several times each, since the loss of flow matching is a draw.
        """
        prior = self.prior
        held_out, labels = self.codes.held_out.to(prior.gaussian.loc), self.codes.held_out_labels
        parts = held_out.split(SCORED_AT_ONCE)
        known = [None] * len(parts) if labels is None else labels.to(prior.gaussian.loc.device).split(SCORED_AT_ONCE)
        with seeded(self.optimisation.seed):
            rounds = [
                torch.cat([prior.loss(*batch, network=network).double() for batch in zip(parts, known, strict=True)])
                for _ in range(math.ceil(SCORED / len(held_out)))
            ]
        losses = torch.stack(rounds).mean(0).cpu() / self.numbers
        values = {"held_out_loss": losses.mean().item()}
        if len(losses) > 1:  # one code says nothing of the error
            values["held_out_error"] = losses.std().item() / len(losses) ** 0.5
        return values

    def save(self, network: nn.Module, run: Run) -> None:
        """Nothing: the checkpoint goes on, and what is kept for use are the best weights."""

    def validated(self, network: nn.Module, run: Run, seen: int) -> None:
        losses = _held_out(read_journal(run.journal))
        if losses[-1] <= min(losses):
            with replacing(run.folder / BEST) as path:
                save_file({name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}, path)

    def converged(self, lines: list[dict[str, Any]]) -> bool:
        losses = _held_out(lines)
        if not losses or lines[-1]["images"] < EARLIEST * self.total:
            return False
        return len(losses) > PATIENCE and min(losses[-PATIENCE:]) >= min(losses[:-PATIENCE])

    def finish(self, network: nn.Module, run: Run, say: Callable[[str], None]) -> None:
        """Nothing: the best weights are stored already."""

    def other_data(self, folder: Path) -> str:
        return f"{folder} holds a {self.prior.family.name} prior of other codes or of another form: delete it first."


def _was_interrupted(stage: PriorStage, run: Run) -> bool:
    """Whether the folder holds the first part of this very training."""
    try:
        check_start(stage, run)
    except UserError:
        return False
    if not run.config.is_file() or run.settings(PriorConfig).images != stage.total:
        return False
    lines = read_journal(run.journal)
    return not stage.converged(lines) and (not lines or lines[-1]["images"] < stage.total)


def _held_out(lines: list[dict[str, Any]]) -> list[float]:
    return [line["held_out_loss"] for line in lines if "held_out_loss" in line]
