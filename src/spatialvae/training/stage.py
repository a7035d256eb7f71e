"""What the loop needs to know about what it trains: its network, batches, loss, and what is kept of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from spatialvae.config import AbstractOptimisation
from spatialvae.data.record import DataRecord
from spatialvae.settings import AbstractSettings
from spatialvae.training.adversary import Adversary
from spatialvae.training.run import Run
from spatialvae.training.schedule import schedule_cautions

__all__ = ["AbstractStage", "Network"]

Network = TypeVar("Network", bound=nn.Module)


class AbstractStage(ABC, Generic[Network]):
    """One thing to train: the model on images, or a prior's network on the codes of a finished model.

    The loop owns steps, schedule, clipping, average, checkpoints and journal; all else it asks here. Whatever is
    random in `build` and `loss` is drawn from torch's global generator, which the loop seeds.
    """

    settings: AbstractSettings
    """All of them, as config.yaml has them."""
    optimisation: AbstractOptimisation
    """What the loop reads of them."""
    total: int
    """The length of the run in images; a code counts as the image that it is of."""
    fingerprint: str
    """Of what it is trained on: a run goes on with the same only."""
    record: DataRecord | None = None
    """The images that it is trained on, for the run folder; None for what is trained in a folder within a run's."""
    free: ClassVar[frozenset[str]]
    """Settings that may change when a run goes on, since they change no weights."""
    stops_early: ClassVar[bool] = False
    """Whether `converged` can ever be true."""

    @abstractmethod
    def check(self) -> None:
        """Refuse what would only fail once the run has begun.

        Raises:
            UserError: a name or a number format that does not exist.
        """

    @abstractmethod
    def build(self, device: torch.device) -> Network:
        """The network before its first step, on the device."""

    def begin(self, network: Network) -> list[str]:
        """What happens to the network once, before the first step of a run; in lines for the start.

        Raises:
            UserError: it cannot begin so.
        """
        return []

    def optimizer(self, network: Network, *, fused: bool) -> torch.optim.Optimizer:
        """Adam over every parameter; each group's `factor` multiplies the schedule's rate."""
        groups: list[dict[str, Any]] = [{"params": list(network.parameters()), "factor": 1.0}]
        return torch.optim.Adam(groups, lr=self.optimisation.learning_rate, fused=fused)

    @abstractmethod
    def batches(self, device: torch.device, *, rank: int, world: int) -> Callable[[int], Any]:
        """Gives one process's batch of a step, on the device."""

    def stepped(self, network: Network) -> nn.Module:
        """What a training step calls: the network, or a module around it that computes more than it."""
        return network

    def make_adversary(self, network: Network) -> Adversary | None:
        """What is trained against the network, step by step; nothing, unless a stage says otherwise."""
        return None

    def compiled(self, wrapped: nn.Module, network: Network) -> nn.Module:
        """`wrapped` in the form that a long run on a GPU steps through."""
        return wrapped

    @abstractmethod
    def loss(self, wrapped: nn.Module, network: Network, batch: Any, seen: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch after `seen` images, and its terms, each [B], still on the device.

        Args:
            wrapped: what to call, `network` in the number format of the run and shared with other processes.
        """

    def named(self, means: dict[str, float]) -> dict[str, float]:
        """What the journal says of the mean terms."""
        return means

    def rates(self, seen: int) -> dict[str, float]:
        """Further numbers of the journal that are functions of the images seen."""
        return {}

    @abstractmethod
    def described(self, network: Network) -> str:
        """What is trained and how large it is, in a line for the start."""

    def cautions(self) -> list[str]:
        """What of the settings cannot come true in a run of this length, each in a sentence."""
        return schedule_cautions(self.optimisation, self.total)

    @abstractmethod
    def details(self, values: dict[str, float]) -> list[str]:
        """The terms of a loss, or what `validate` measured, in words for the progress line; the first matter most."""

    @abstractmethod
    def not_finite(self, values: dict[str, float]) -> str:
        """The terms of a loss that is not finite, in words."""

    @property
    def command(self) -> str:
        """What a user repeats to go on, in the words of a message."""
        return "the same command"

    @abstractmethod
    def validate(self, network: Network) -> dict[str, float]:
        """What is measured on held-out data at a checkpoint."""

    @abstractmethod
    def save(self, network: Network, run: Run) -> None:
        """What is stored of the network whenever a checkpoint is written."""

    @abstractmethod
    def validated(self, network: Network, run: Run, seen: int) -> None:
        """What follows a line of validation in the journal: pictures, the best weights so far."""

    def converged(self, lines: list[dict[str, Any]]) -> bool:
        """Whether to stop before the end: a function of the journal, so that a resumed run decides the same."""
        return False

    @abstractmethod
    def finish(self, network: Network, run: Run, say: Callable[[str], None]) -> None:
        """What follows the last step, and is there after a run that was complete before."""

    @abstractmethod
    def other_data(self, folder: Path) -> str:
        """The message for a run in `folder` that has another fingerprint."""
