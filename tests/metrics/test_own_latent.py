"""The health of a latent of one's own, whose distribution groups its axes as it likes."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Distribution, Independent, Normal

from spatialvae.data import ImageSplit
from spatialvae.latents import LATENTS, AbstractLatent
from spatialvae.metrics import latent_health
from spatialvae.model import SpatialVAE
from tests.conftest import smooth_images


@pytest.mark.parametrize("reinterpreted", [1, 2, 3])
def test_a_latent_of_ones_own_however_its_axes_are_grouped(reinterpreted: int) -> None:
    class Grouped(AbstractLatent):
        @property
        def shapes(self) -> dict[str, tuple[int, ...]]:
            return {"loc": self.event_shape, "log_scale": self.event_shape}

        def distribution(self, parameters: dict[str, torch.Tensor]) -> Distribution:
            sites = Normal(parameters["loc"], parameters["log_scale"].exp())
            inner = Independent(sites, 3 - reinterpreted) if reinterpreted < 3 else sites
            return Independent(inner, reinterpreted)

    images, sizes = ImageSplit(smooth_images(20, 1, 8, 8), None), {"maps": 3, "height": 3, "width": 3}
    torch.manual_seed(0)
    own = SpatialVAE(latent=Grouped(**sizes), image_shape=(1, 8, 8)).eval()
    torch.manual_seed(0)
    named = SpatialVAE(latent=LATENTS["naive"](**sizes), image_shape=(1, 8, 8)).eval()
    named.load_state_dict(own.state_dict())
    assert latent_health(own, images) == latent_health(named, images)
