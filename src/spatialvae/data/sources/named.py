"""The data sets of the hub that have a name of their own here."""

from __future__ import annotations

from spatialvae.data.options import ImageOptions
from spatialvae.data.sources.hub import HubSource
from spatialvae.data.sources.source import SOURCES

__all__ = ["celeba", "cifar10", "fashion_mnist", "mnist"]


@SOURCES.register("mnist")
def mnist() -> HubSource:
    """70,000 handwritten digits, grey, 28x28."""
    return HubSource("mnist", "ylecun/mnist")


@SOURCES.register("fashion-mnist")
def fashion_mnist() -> HubSource:
    """70,000 pieces of clothing, grey, 28x28."""
    return HubSource("fashion-mnist", "zalando-datasets/fashion_mnist")


@SOURCES.register("cifar10")
def cifar10() -> HubSource:
    """60,000 things and animals, in colour, 32x32."""
    return HubSource("cifar10", "uoft-cs/cifar10")


@SOURCES.register("celeba")
def celeba() -> HubSource:
    """202,599 faces, in colour: the 148 pixels in the middle, at 64x64 unless the options say otherwise."""
    return HubSource("celeba", "flwrlabs/celeba", ImageOptions(image_size=(64, 64), crop="148"))
