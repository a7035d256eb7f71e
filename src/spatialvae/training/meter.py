"""Running means of the loss terms, kept on the device and read now and then."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from spatialvae.elbo import ELBO

__all__ = ["Meter"]


class Meter:
    """Sums of loss and terms since the last `finish`, without a synchronisation a step on an accelerator.

    >>> meter = Meter()
    >>> meter.add(torch.tensor(3.0), ELBO(torch.tensor([-2.0]), torch.tensor([1.0])), images=1)
    >>> meter.finish()["bound"]
    -3.0
    """

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._sums: Tensor | None = None
        self._steps = 0
        self._images = 0
        self._begin = time.perf_counter()

    def add(self, loss: Tensor, terms: ELBO, images: int) -> None:
        """One step: its loss and terms (still on the device), and how many images it saw."""
        with torch.no_grad():
            values = torch.stack([loss.detach(), terms.reconstruction.mean(), terms.kl.mean()]).float()
            self._sums = values if self._sums is None else self._sums + values
        self._steps += 1
        self._images += images

    @property
    def cheap_to_read(self) -> bool:
        """Whether a read costs no wait for an accelerator's queue."""
        return self._sums is not None and self._sums.device.type == "cpu"

    def read(self) -> dict[str, float]:
        """Means since the last `finish`: loss, bound, reconstruction and KL (nats), and images a second."""
        assert self._sums is not None
        loss, reconstruction, kl = (self._sums / self._steps).tolist()
        return {
            "loss": loss,
            "bound": reconstruction - kl,
            "reconstruction": reconstruction,
            "kl": kl,
            "images_per_second": self._images / (time.perf_counter() - self._begin),
        }

    def finish(self) -> dict[str, float]:
        """What `read` says, and a new start."""
        values = self.read()
        self._start()
        return values
