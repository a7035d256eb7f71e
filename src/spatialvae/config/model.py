"""What a model is made of, by names: the settings of its parts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from spatialvae.settings import AbstractSettings

__all__ = ["AbstractModelOptions", "ModelConfig", "ModelOptions"]


class AbstractModelOptions(AbstractSettings):
    """What a model is made of, the images' size aside."""

    latent: str = Field(
        default="tensor-normal",
        description="The latent, with options if any: tensor-normal, naive, matrix-normal:covariance=ar1, "
        "low-rank:rank=2, vector:maps=81.",
    )
    maps: int | None = Field(
        default=None, ge=1, le=2**16, description="Number of latent maps. Default: the network's for the image size."
    )
    map_size: str | None = Field(
        default=None,
        description="Size of the maps, SIDE or HEIGHTxWIDTH. Default: the network's. paper has 3, and a 21st of each "
        "side for images of more than 73 pixels; residual has a quarter of each side or less, 8 at 32x32.",
    )
    prior: str = Field(
        default="standard",
        description="p(z): standard is N(0, I), learned is trained with the model, and learned:latent=matrix-normal,"
        "covariance=full takes the form of another latent.",
    )
    likelihood: str | None = Field(
        default=None,
        description="p(x|z): gaussian, gaussian:scale=0.1, gaussian:scale=pixel, logistic, "
        "logistic-mixture:components=5, pixelcnn:layers=4,width=32 or bernoulli. Default: the network's, a Gaussian.",
    )
    network: str = Field(
        default="paper",
        description="Encoder and decoder: paper, residual:width=64,depth=3, or paper:stem=authors for the authors' own "
        "decoder of a vector.",
    )
    head: Literal["dense", "conv"] | None = Field(
        default=None,
        description="The layer from features to q(z|x): dense is fully connected; conv consists of convolutions, whose "
        "size does not grow with the images. Default: the network's, dense for paper and conv for residual.",
    )


class ModelOptions(AbstractModelOptions):
    """What a run asks of its model; the images say how large it is."""


class ModelConfig(AbstractModelOptions):
    """All that rebuilds a model: what config.json beside the weights holds."""

    image_size: tuple[int, int] = Field(default=(64, 64), description="Height and width of the images, in pixels.")
    channels: int = Field(default=3, ge=1, le=4, description="Channels of the images.")
