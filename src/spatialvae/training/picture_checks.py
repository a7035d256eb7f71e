"""What losses of pictures need of data and settings, refused before anything is trained."""

from __future__ import annotations

from spatialvae.config import TrainConfig
from spatialvae.errors import UserError
from spatialvae.imagenet import INSTALL, is_installed
from spatialvae.sizes import spell_size
from spatialvae.training.discriminator import SMALLEST

__all__ = ["check_picture_losses"]


def check_picture_losses(config: TrainConfig, image_shape: tuple[int, int, int]) -> None:
    """Refuse what has no perceptual distance or no patches to tell apart.

    Raises:
        UserError: the network is not installed, channels or sizes that it does not take, another objective, or a
            likelihood whose mean is made pixel by pixel.
    """
    channels, *size = image_shape
    if config.perceptual_weight and not is_installed():
        raise UserError(f"`perceptual_weight` needs the ImageNet network: {INSTALL}")
    if config.perceptual_weight and channels not in (1, 3):
        raise UserError(f"`perceptual_weight` is for images of 1 or 3 channels, not of {channels}: leave it out.")
    if config.adversarial and min(size) < SMALLEST:
        raise UserError(
            f"`adversarial` tells patches apart, and images of {spell_size((size[0], size[1]))} are too small: use "
            f"images of {SMALLEST} pixels or more."
        )
    if config.adversarial_from is not None and not config.adversarial:
        raise UserError("`adversarial_from` says when `adversarial` begins, and that is 0: give both.")
    for name in ("perceptual_weight", "adversarial"):
        if not getattr(config, name):
            continue
        if config.objective != "elbo":
            raise UserError(f"`{name}` goes with the bound: use `objective` elbo, or leave it out.")
        if (config.model.likelihood or "").partition(":")[0] == "pixelcnn":
            raise UserError(
                f"`{name}` takes the mean of p(x|z), which pixelcnn makes pixel by pixel: use the likelihood "
                "logistic-mixture."
            )
