"""What is timed against each other: the real training loop, and loops without anything around the step."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from spatialvae.benchmarking.peak import DTYPES
from spatialvae.benchmarking.timing import Clock
from spatialvae.config import ModelConfig, Optimisation, TrainConfig
from spatialvae.data import ImageData
from spatialvae.data.pixels import to_uint8
from spatialvae.devices import fastest_device, synchronize
from spatialvae.elbo import ELBO, elbo_loss
from spatialvae.globals import globals_kept
from spatialvae.model import SpatialVAE
from spatialvae.runtime.allocator import freed_memory_kept
from spatialvae.training.acceleration import compiled_training, suit_layout
from spatialvae.training.api import train
from spatialvae.training.callbacks import Callback, TrainingEvent
from spatialvae.training.model_stage import make_optimizer
from spatialvae.training.schedule import total_images

__all__ = [
    "RealLoop",
    "as_torch_comes",
    "autocast",
    "bare_loop",
    "eager_loop",
    "resident_batches",
    "sample_eagerly",
]

BATCHES = 4
EAGER_BATCH = 100


class RealLoop:
    """`spatialvae.train` itself on a folder of its own, with journal, progress bar and checkpoints, in slices.

    A slice is `steps` steps without a checkpoint, then one step that ends with a checkpoint, so that a slice of a
    second need not carry the checkpoint of ten minutes: whoever times them divides it over `checkpoint_every` images.
    The run has its full length, since what training does may depend on it.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: ImageData,
        folder: Path,
        *,
        steps: int,
        slices: int,
        device: torch.device | None = None,
    ) -> None:
        self.images = total_images(config.optimisation, len(data.split("train")))
        """The length of the run that is asked for."""
        self.checkpoint_every = config.optimisation.checkpoint_every or max(1, self.images // 10)
        """Images between checkpoints of that run."""
        turn = (steps + 1) * config.optimisation.batch_size
        self.length = max(self.images, (slices + 1) * turn)
        """The length of the run that is started: long enough for every slice."""
        self._config = config.replaced(images=self.length, epochs=None, checkpoint_every=turn)
        self._data, self._folder = data, folder
        self._steps, self._slices, self._device = steps, slices, device

    def run(self, turn: Callable[[str], None]) -> None:
        """Train all slices, then leave the run where it is.

        Args:
            turn: called with ``"real"`` after the steps of a slice and with ``"checkpointed"`` after its checkpoint;
                training goes on when it returns.
        """
        slices = _Slices(self._steps, self._slices, turn)
        with contextlib.suppress(_Complete):
            train(self._config, self._data, self._folder, callbacks=[slices], device=self._device)

    def timed(self, between: Callable[[int], None], clock: Clock = time.perf_counter) -> dict[str, list[float]]:
        """Seconds of the steps (``real``) and of the step with a checkpoint (``checkpointed``) of every slice.

        Args:
            between: called after each slice with its number, from 0 on; its own time does not count.
        """
        device = fastest_device() if self._device is None else self._device
        taken: dict[str, list[float]] = {"real": [], "checkpointed": []}
        began = clock()

        def turn(part: str) -> None:
            nonlocal began
            synchronize(device)
            taken[part].append(clock() - began)
            if part == "checkpointed":
                between(len(taken[part]) - 1)
            synchronize(device)
            began = clock()

        self.run(turn)
        return taken


class _Complete(Exception):
    """All slices were run."""


class _Slices(Callback):
    """Gives `turn` the floor after the steps of a slice, and after its checkpoint."""

    def __init__(self, steps: int, slices: int, turn: Callable[[str], None]) -> None:
        self._steps, self._left, self._turn, self._taken = steps, slices, turn, 0

    def on_step(self, event: TrainingEvent) -> None:
        self._taken += 1
        if self._taken == self._steps:
            self._turn("real")

    def on_validation(self, event: TrainingEvent) -> None:
        self._taken = 0
        self._left -= 1
        self._turn("checkpointed")
        if not self._left:
            raise _Complete


class InFormat(nn.Module):
    """A model whose forward computes in one of the number formats of the setting `precision`."""

    def __init__(self, model: SpatialVAE, precision: str) -> None:
        super().__init__()
        self.model, self.precision = model, precision

    def forward(self, images: Tensor) -> ELBO:
        with autocast(images.device, self.precision):
            return self.model(images)


class PlainLoop:
    """Forward, backward, update and nothing else, on batches that are already on the device."""

    def __init__(self, forward: nn.Module, optimizer: torch.optim.Optimizer, batches: list[Tensor], steps: int) -> None:
        self._forward, self._optimizer = forward, optimizer
        self._batches = batches
        self._steps = steps

    def steps(self) -> None:
        """The steps of one slice."""
        for step in range(self._steps):
            elbo_loss(self._forward(self._batches[step % len(self._batches)])).backward()
            self._optimizer.step()
            self._optimizer.zero_grad()


def bare_loop(
    config: Optimisation, model: ModelConfig, batches: list[Tensor], precision: str, steps: int, *, compiled: bool
) -> PlainLoop:
    """What training does to the weights, and nothing around it: the same network in the same memory layout, number
    format and, where training compiles, compiled form; the same optimiser."""
    own = suit_layout(SpatialVAE.from_config(model), batches[0].device).train()
    forward: nn.Module = InFormat(own, precision)
    if compiled:
        forward = compiled_training(forward, own, config.batch_size)
    return PlainLoop(forward, make_optimizer(own, config, fused=True), batches, steps)


def eager_loop(config: Optimisation, model: ModelConfig, batches: list[Tensor], steps: int) -> PlainLoop:
    """What PyTorch gives by itself: fp32, Adam as it comes."""
    own = SpatialVAE.from_config(model).to(batches[0].device).train()
    return PlainLoop(own, torch.optim.Adam(own.parameters(), config.learning_rate), batches, steps)


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """The number format of a forward; nothing at all for fp32."""
    return contextlib.nullcontext() if precision == "fp32" else torch.autocast(device.type, DTYPES[precision])


def resident_batches(config: ModelConfig, batch_size: int, device: torch.device) -> list[Tensor]:
    """A few different uint8 batches [B C H W] of noise on the device."""
    random = torch.Generator().manual_seed(0)
    shape = (batch_size, config.channels, *config.image_size)
    return [torch.randint(0, 256, shape, dtype=torch.uint8, generator=random).to(device) for _ in range(BATCHES)]


@torch.no_grad()
def sample_eagerly(model: SpatialVAE, count: int) -> Tensor:
    """Pictures of N(0, I) as a plain PyTorch loop draws them: fp32, batches of 100; uint8 [count C H W] on the CPU."""
    pictures = []
    for start in range(0, count, EAGER_BATCH):
        codes = torch.randn(min(EAGER_BATCH, count - start), *model.latent.event_shape, device=model.device)
        pictures.append(to_uint8(model.decode(codes).mean).cpu())
    return torch.cat(pictures)


@contextmanager
def as_torch_comes() -> Iterator[None]:
    """PyTorch's own settings of products, kernels and memory inside; those of before afterwards."""
    with globals_kept(), freed_memory_kept(False):
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.benchmark = False
        yield
