"""Encoders and decoders: the paper's convolutional stacks and their generalisation to any image size."""

from spatialvae.networks.paper import PaperDecoder, PaperEncoder

__all__ = ["PaperDecoder", "PaperEncoder"]
