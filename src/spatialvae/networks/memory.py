"""Less memory in training: inner values of layers that are computed again for the gradient instead of kept."""

from __future__ import annotations

from torch import nn

from spatialvae.errors import UserError

__all__ = ["recompute"]


def recompute(network: nn.Module, *, on: bool) -> None:
    """Switch every layer that has an attribute `checkpointing`.

    Raises:
        UserError: there is none to switch on.
    """
    layers = [layer for layer in network.modules() if hasattr(layer, "checkpointing")]
    if on and not layers:
        raise UserError("`checkpointing` has nothing to do in this network: use `network` residual, or leave it out.")
    for layer in layers:
        layer.checkpointing = on  # pyright: ignore[reportArgumentType]
