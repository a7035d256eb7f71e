"""pythae's trainer and sampler with our networks inside, a slice at a time; for `peers.py` and `gpu.py`.

pythae (https://github.com/clementchadebec/benchmark_VAE) is no dependency; `MISSING` says how to install it.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spatialvae.config import ModelConfig
from spatialvae.model import SpatialVAE

MISSING = (
    "pythae is not installed, so its rows are left out: pip install pythae==0.1.2 -c constraints.txt\n"
    "(beside this environment: pip install --no-deps --target FOLDER pythae==0.1.2 imageio, and PYTHONPATH=FOLDER)"
)


def installed() -> bool:
    """Whether pythae can be imported."""
    return find_spec("pythae") is not None


class PythaePeer:
    """A `pythae.trainers.BaseTrainer` whose model is a pythae VAE around one of ours.

    An epoch of its loader is one slice: `steps` batches of images that it holds as floats in [0, 1], as pythae does.
    Encoder and decoder are those of `SpatialVAE`: the encoder gives the means and log-variances of its
    projection's distribution (all of the paper's are normals with one variance per site); the loss is pythae's own.

    Args:
        amp: pythae's switch for autocast, which works on CUDA alone.
    """

    def __init__(
        self, model: ModelConfig, folder: Path, *, batch_size: int, steps: int, learning_rate: float, amp: bool = False
    ) -> None:
        logging.disable(logging.INFO)  # its messages would be mixed with ours
        from pythae.data.datasets import BaseDataset
        from pythae.models import VAE, VAEConfig
        from pythae.samplers import NormalSampler
        from pythae.trainers import BaseTrainer, BaseTrainerConfig
        from pythae.trainers.training_callbacks import ProgressBarCallback

        ours = SpatialVAE.from_config(model)
        shape = (model.channels, *model.image_size)
        encoder, decoder = _wrapped(ours)
        vae = VAE(VAEConfig(input_dim=shape, latent_dim=ours.latent.numbers), encoder=encoder, decoder=decoder)
        count = batch_size * steps
        config = BaseTrainerConfig(
            output_dir=str(folder),
            per_device_train_batch_size=batch_size,
            learning_rate=learning_rate,
            num_epochs=1,
            amp=amp,
        )
        images = BaseDataset(torch.rand(count, *shape), torch.zeros(count))
        self._trainer: Any = BaseTrainer(vae, images, training_config=config)
        self._trainer.prepare_training()
        handler = self._trainer.callback_handler
        handler.callbacks = [one for one in handler.callbacks if not isinstance(one, ProgressBarCallback)]
        handler.on_train_begin(training_config=config, model_config=vae.model_config)
        self._epoch = 0
        self._sampler = NormalSampler(vae)
        self._vae = vae

    def steps(self) -> None:
        """One epoch of its loader."""
        self._epoch += 1
        self._trainer.train_step(self._epoch)

    @torch.no_grad()
    def sample(self, count: int) -> Tensor:
        """Pictures by its sampler with its batches of 500, as uint8 on the CPU like ours."""
        self._vae.eval()
        pictures = self._sampler.sample(num_samples=count, batch_size=500)
        return (pictures * 255).round().clamp(0, 255).to(torch.uint8).cpu()


def _wrapped(ours: SpatialVAE) -> tuple[nn.Module, nn.Module]:
    """Our encoder with its projection, and our decoder, as pythae wants them."""
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.posterior = ours.encoder, ours.posterior

        def forward(self, x: Tensor) -> ModelOutput:
            distribution = self.posterior(self.encoder(2 * x - 1))
            return ModelOutput(
                embedding=distribution.mean.flatten(1), log_covariance=distribution.variance.log().flatten(1)
            )

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.decoder = ours.decoder

        def forward(self, z: Tensor) -> ModelOutput:
            codes = z.unflatten(1, ours.latent.event_shape)
            return ModelOutput(reconstruction=(self.decoder(codes) + 1) / 2)

    return Encoder(), Decoder()
