"""Encoders and decoders in families with options and names; the paper's stacks, for any image size, are one."""

from spatialvae.networks.base import NETWORKS, AbstractNetworks
from spatialvae.networks.paper import PaperDecoder, PaperEncoder, PaperNetworks
from spatialvae.networks.shapes import feature_shape

__all__ = ["NETWORKS", "AbstractNetworks", "PaperDecoder", "PaperEncoder", "PaperNetworks", "feature_shape"]
