"""A model that begins with another run's weights, wherever name and shape agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from spatialvae.errors import UserError
from spatialvae.tensors import not_finite

__all__ = ["WarmStart", "take_weights"]

NETWORKS = ("encoder", "decoder")
NAMED = 3
"""Tensors that a message names before it counts the others."""


@dataclass(frozen=True)
class WarmStart:
    """Which tensors were taken, and why the others were not."""

    taken: list[str] = field(default_factory=list)
    other_shapes: dict[str, str] = field(default_factory=dict)
    """Names with both shapes, such as ``[2, 8] here, [4, 8] there``."""
    missing: list[str] = field(default_factory=list)
    """Names that only this model has."""
    unused: list[str] = field(default_factory=list)
    """Names that only the other model has."""

    def lines(self, source: str) -> list[str]:
        """What to say of it, a line for each kind.

        >>> WarmStart(["a", "b"], {"c": "[1] here, [2] there"}, ["d"]).lines("runs/a")
        ['started from runs/a: 2 of 4 tensors', 'of another shape: c ([1] here, [2] there)', 'not there: d']
        """
        whole = len(self.taken) + len(self.other_shapes) + len(self.missing)
        shapes = [f"{name} ({words})" for name, words in self.other_shapes.items()]
        lines = [f"started from {source}: {len(self.taken)} of {whole} tensors"]
        kinds = (("of another shape", shapes), ("not there", self.missing), ("left over there", self.unused))
        return [*lines, *(f"{title}: {_some(names)}" for title, names in kinds if names)]


@torch.no_grad()
def take_weights(network: nn.Module, weights: Mapping[str, Tensor], source: str) -> WarmStart:
    """Copy the tensors of `weights` into those of `network` with the same name and shape.

    Raises:
        UserError: none of the encoder or decoder agrees, or numbers that are not finite.
    """
    if broken := not_finite(dict(weights)):
        raise UserError(f"`from_run` {source} holds numbers that are not finite ({broken[0]}): name another run.")
    start, own = WarmStart(), network.state_dict()
    for name, tensor in own.items():
        if name not in weights:
            start.missing.append(name)
        elif weights[name].shape != tensor.shape:
            start.other_shapes[name] = f"{list(tensor.shape)} here, {list(weights[name].shape)} there"
        else:
            tensor.copy_(weights[name])
            start.taken.append(name)
    start.unused.extend(name for name in weights if name not in own)
    if not any("." in name and name.partition(".")[0] in NETWORKS for name in start.taken):
        raise UserError(
            f"No tensor of {source} has the name and the shape of one of this encoder's or decoder's: `from_run` needs "
            "a run with the same kind of network."
        )
    return start


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
