"""A latent of your own: independent normals, with one standard deviation for each map."""

import os
from dataclasses import dataclass

from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

import spatialvae as sv
from spatialvae.latents import LATENTS, AbstractLatent

EPOCHS = float(os.environ.get("EPOCHS", "2"))


@LATENTS.register("one-scale")
@dataclass(frozen=True)
class OneScale(AbstractLatent):
    """F_k ~ N(M_k, (s c_k)^2 I): the encoder puts out the mean M_k and one number c_k for each map."""

    scale: float = 1.0
    """s, an option: `--latent one-scale:scale=0.5` on the command line."""

    description = "normal with one scale a map"
    equation = "F_k ~ N(M_k, (s c_k)^2 I)"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"loc": self.event_shape, "log_scale": (self.maps,)}

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        return {"loc": ("map", "row", "column"), "log_scale": ("map",)}

    def distribution(self, parameters: dict[str, Tensor]) -> Distribution:
        scale = self.scale * parameters["log_scale"].exp()[..., None, None]
        return Independent(Normal(parameters["loc"], scale.expand_as(parameters["loc"]), validate_args=False), 3)


latent = OneScale(maps=8, height=3, width=3, scale=0.5)
run = sv.train(sv.SpatialVAE(latent=latent, image_shape=(1, 8, 8)), "digits", out="runs/own-latent", epochs=EPOCHS)
print(run)
print(latent.encoder_outputs, "encoder outputs; a normal with a scale for each site has", 2 * latent.numbers)

# The latent has a name, so that a run folder finds it again; from the command line, `--plugin own_latent.py` does.
print("loaded:", sv.load("runs/own-latent").latent)
