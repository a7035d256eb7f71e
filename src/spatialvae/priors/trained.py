"""What priors with a network share: they work on whitened codes, and begin as the Gaussian that whitens."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from spatialvae.priors.base import AbstractFittedFamily, AbstractPrior
from spatialvae.priors.gaussian import GaussianFamily, GaussianPrior
from spatialvae.priors.normal import axes_of
from spatialvae.seeding import seeded
from spatialvae.tensors import check_shapes

__all__ = ["CHUNK", "AbstractTrainedFamily", "AbstractTrainedPrior", "in_chunks", "noise_log_prob"]

CHUNK = 500
"""Codes that go through a network at once."""


class AbstractTrainedPrior(AbstractPrior):
    """p(z) for y = whiten(z) that a network defines; with the network's last layers at zero it is the Gaussian.

    Args:
        family: what it is.
        gaussian: the Gaussian whose `whiten` gives the codes mean 0 and covariance I.
        network: a module that `family` made for codes of this shape.
    """

    family: AbstractTrainedFamily
    gaussian: GaussianPrior
    network: nn.Module

    def __init__(self, family: AbstractTrainedFamily, gaussian: GaussianPrior, network: nn.Module) -> None:
        super().__init__(family, gaussian.event_shape)
        self.gaussian, self.network = gaussian, network

    @abstractmethod
    def loss(self, codes: Tensor, labels: Tensor | None, network: nn.Module | None = None) -> Tensor:
        """What training makes small, for each of the codes [B, maps, h, w] with labels [B]: [B].

        Args:
            codes: [B, maps, h, w].
            labels: [B], -1 for none; None where no code has one.
            network: takes the place of the prior's own, of the same form.
        """

    @property
    def fingerprint(self) -> str:
        """A name for the codes that it is trained on and for its form: of the Gaussian's numbers and the network's."""
        shapes = [tuple(tensor.shape) for tensor in self.network.state_dict().values()]
        digest = hashlib.sha256(f"{self.family.spelled} {self.classes} {shapes}".encode())
        for tensor in self.gaussian.state_dict().values():
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def noise(self, count: int, temperature: float) -> Tensor:
        """The Gaussian noise that draws are made of, [count, maps, h, w]."""
        loc = self.gaussian.loc
        return temperature * torch.randn(count, *self.event_shape, dtype=loc.dtype, device=loc.device)


def noise_log_prob(noise: Tensor, temperature: float) -> Tensor:
    """The log-density of the noise of that temperature, [B, maps, h, w], in nats: [B]."""
    return torch.distributions.Normal(0.0, temperature, validate_args=False).log_prob(noise).flatten(1).sum(1)


class AbstractTrainedFamily(AbstractFittedFamily):
    """A kind of prior with a network, and the sizes of that network."""

    codes: ClassVar[int]
    """How many codes it is trained on by default."""

    @abstractmethod
    def start(
        self, gaussian: GaussianPrior, classes: int, *, signal: Tensor | None = None, seed: int = 0
    ) -> AbstractTrainedPrior:
        """The prior before training, which is `gaussian`, on its device and in its number format.

        Args:
            classes: how many labels the codes have, 0 for none.
            signal: directions of whitened codes [numbers, k], from `signal_directions`: the network works on these
                alone. None: on all, as maps where they are large.
            seed: of the network's weights.
        """

    def restore(self, event_shape: tuple[int, int, int], tensors: dict[str, Tensor]) -> AbstractTrainedPrior:
        axes = axes_of(event_shape)
        wanted = {"gaussian.loc": event_shape, **{f"gaussian.factor_{i}": (n, n) for i, n in enumerate(axes)}}
        known = {name: tensors[name] for name in tensors if name.startswith("gaussian.")}
        check_shapes(f"This is no {self.name} prior of this model", known, wanted)
        gaussian = GaussianFamily().restore(event_shape, _without("gaussian.", known))
        labels = next((tensor for name, tensor in tensors.items() if name.endswith("labels.weight")), None)
        signal = tensors.get("network.basis")
        if signal is not None:
            check_shapes(
                f"This is no {self.name} prior of this model",
                {"network.basis": signal},
                {"network.basis": (gaussian.loc.numel(), signal.shape[-1])},
            )
        prior = self.start(gaussian, 0 if labels is None else len(labels) - 1, signal=signal)
        check_shapes(
            f"This is no {self.name} prior of this model",
            tensors,
            {name: tuple(tensor.shape) for name, tensor in prior.state_dict().items()},
        )
        prior.network.load_state_dict(_without("network.", tensors))
        return prior

    def made(self, make: Callable[[], nn.Module], like: Tensor, seed: int) -> nn.Module:
        """What `make` makes with the weights of `seed`, on the device and in the number format of `like`."""
        with seeded(seed):
            return make().to(like)


def in_chunks(function: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """`function` of some of `values` at a time, put together."""
    return torch.cat([function(part) for part in values.split(CHUNK)]) if len(values) else function(values)


def _without(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
