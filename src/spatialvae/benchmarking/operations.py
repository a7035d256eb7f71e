"""What a piece of work asks of a machine: floating-point operations, and bytes that go through memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from spatialvae.benchmarking.timing import Work
from spatialvae.config import ModelConfig
from spatialvae.elbo import elbo_loss
from spatialvae.model import SpatialVAE

__all__ = ["Operations", "count", "of_sampling", "of_training"]

COUNTED = 2  # images; every count is linear in them, and batch norm wants more than one


@dataclass(frozen=True)
class Operations:
    """Operations and bytes of one image.

    flops: of convolutions and matrix products, a multiplication and an addition being two. What FlopCounterMode leaves
        out stays out: batch norm, activations, the latent's and the likelihood's arithmetic, the optimiser. In these
        networks that is little arithmetic, and much of the traffic.
    bytes: read and written by all operators, each tensor once an operator and views not at all: the traffic of
        eager execution without caches. Fused kernels and caches need less.
    """

    flops: float
    bytes: float

    @property
    def intensity(self) -> float:
        """Operations a byte: below the machine's own ratio of the two, memory is what limits."""
        return self.flops / self.bytes


def count(work: Work, images: int = 1) -> Operations:
    """Operations and bytes of `work`, which is done once, divided by `images`.

    >>> x, w = torch.zeros(2, 3), torch.zeros(3, 5)
    >>> count(lambda: x @ w)  # 2 x 2 x 3 x 5 operations; 6 + 15 + 10 numbers of 4 bytes
    Operations(flops=60.0, bytes=124.0)
    """
    with FlopCounterMode(display=False) as flops, _Traffic() as traffic:
        work()
    return Operations(flops.get_total_flops() / images, traffic.bytes / images)


def of_training(config: ModelConfig) -> Operations:
    """One image in training in fp32: forward, bound and backward."""
    model = SpatialVAE.from_config(config).train()
    images = torch.zeros(COUNTED, config.channels, *config.image_size, dtype=torch.uint8)
    return count(lambda: elbo_loss(model(images)).backward(), COUNTED)


def of_sampling(config: ModelConfig) -> Operations:
    """One generated image in fp32: the decoder."""
    model = SpatialVAE.from_config(config).eval()
    codes = torch.zeros(COUNTED, *model.latent.event_shape)
    with torch.no_grad():
        return count(lambda: model.decode(codes).mean, COUNTED)


class _Traffic(TorchDispatchMode):
    """Adds up the bytes of what operators read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, Tensor)]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return out
