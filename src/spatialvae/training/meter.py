"""Running means of the loss terms, kept on the device and read now and then."""

from __future__ import annotations

import time

import torch
from torch import Tensor

__all__ = ["Meter"]


class Meter:
    """Sums of loss and terms since the last `start`, without a synchronisation a step on an accelerator.

    >>> meter = Meter()
    >>> meter.add(torch.tensor(3.0), {"kl": torch.tensor([1.0, 3.0])}, images=2)
    >>> meter.read()["kl"]
    2.0
    """

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Forget what was added."""
        self._names: list[str] = []
        self._sums: Tensor | None = None
        self._steps = 0
        self._images = 0
        self._begin = time.perf_counter()

    def add(self, loss: Tensor, terms: dict[str, Tensor], images: int) -> None:
        """One step: its loss, its terms [B] (still on the device), the same in every step, and its number of images."""
        self._names = ["loss", *terms]
        with torch.no_grad():
            values = torch.stack([loss.detach(), *(term.mean() for term in terms.values())]).float()
            self._sums = values if self._sums is None else self._sums + values
        self._steps += 1
        self._images += images

    @property
    def cheap_to_read(self) -> bool:
        """Whether a read costs no wait for an accelerator's queue."""
        return self._sums is not None and self._sums.device.type == "cpu"

    def read(self) -> dict[str, float]:
        """Means since the last `start` of the loss and the terms, and images a second."""
        assert self._sums is not None
        means = dict(zip(self._names, (self._sums / self._steps).tolist(), strict=True))
        return {**means, "images_per_second": self._images / (time.perf_counter() - self._begin)}
