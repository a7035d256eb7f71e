"""Networks in the files of models and runs, where an option that is left out means the default of its day."""

from __future__ import annotations

from spatialvae.networks.base import NETWORKS

__all__ = ["as_stored"]


def as_stored(network: str) -> str:
    """A stored network with all its options; files name them all since `norm` of `residual` is group by default.

    >>> as_stored("residual:width=32").partition(",attention")[0]
    'residual:width=32,depth=3,down=none,norm=none'
    >>> as_stored("own:MyNetworks")
    'own:MyNetworks'
    """
    name, _, options = network.strip().partition(":")
    if name == "residual" and "norm=" not in options:
        network = ",".join(filter(None, ("residual:norm=none", options)))
    return NETWORKS.complete(network) if name in NETWORKS else network
