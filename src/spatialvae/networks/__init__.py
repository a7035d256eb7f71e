"""Encoders and decoders in families with options and names; the paper's stacks, and residual networks."""

from spatialvae.networks.base import NETWORKS, AbstractNetworks
from spatialvae.networks.paper import PaperDecoder, PaperEncoder, PaperNetworks
from spatialvae.networks.residual import ResidualDecoder, ResidualEncoder, ResidualNetworks
from spatialvae.networks.shapes import feature_shape

__all__ = [
    "NETWORKS",
    "AbstractNetworks",
    "PaperDecoder",
    "PaperEncoder",
    "PaperNetworks",
    "ResidualDecoder",
    "ResidualEncoder",
    "ResidualNetworks",
    "feature_shape",
]
