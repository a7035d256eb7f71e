"""An encoder and a decoder of your own: any modules, trained and loaded again."""

import os

import torch
from torch import nn

import spatialvae as sv

EPOCHS = float(os.environ.get("EPOCHS", "2"))


class Skip(nn.Module):
    """x + f(x)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.f = nn.Sequential(nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.f(x)


def make_model() -> sv.SpatialVAE:
    # Images [B, 1, 8, 8] in [-1, 1] become features of any shape: [B, F] or maps [B, F, h, w].
    encoder = nn.Sequential(nn.Conv2d(1, 32, 3, stride=2, padding=1), Skip(32), Skip(32))
    # Codes [B, 8, 3, 3] become the parameters of the likelihood: for a Gaussian, one number a pixel.
    decoder = nn.Sequential(nn.Conv2d(8, 32, 1), nn.Upsample((8, 8)), Skip(32), Skip(32), nn.Conv2d(32, 1, 1))
    latent = sv.latents.MatrixNormalMaps(maps=8, height=3, width=3)
    return sv.SpatialVAE(latent=latent, encoder=encoder, decoder=decoder, image_shape=(1, 8, 8))


run = sv.train(make_model(), "digits", out="runs/own-network", epochs=EPOCHS)
print(run)

# A run folder holds no code: what has no name in the library is given as a model of the same shape.
model = sv.load("runs/own-network", like=make_model())
print("samples:", tuple(model.sample(16, seed=0).shape))
