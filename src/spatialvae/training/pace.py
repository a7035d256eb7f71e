"""How long a run will take and how much memory, from a few steps of it."""

from __future__ import annotations

import time

import torch

from spatialvae.devices import peak_memory, synchronize
from spatialvae.progress import spell_time

__all__ = ["Pace"]

WARM_UP, MEASURED, LONG = 2, 20, 10.0
"""Steps that are not timed; steps that are, or fewer where they take so many seconds."""


class Pace:
    """Times some of the first steps, and then says once what follows from them.

    A GPU is waited for twice, before and after. Checkpoints, which come ten times a run, are not in the time told.

    Args:
        images: of a step.
    """

    def __init__(self, device: torch.device, images: int) -> None:
        self._device, self._images = device, images
        self._taken, self._began = 0, 0.0

    def step(self, left: int) -> str | None:
        """Call it after every step with the images that are left; the words, once.

        >>> pace = Pace(torch.device("cpu"), images=10)
        >>> said = [pace.step(left=1000 - 10 * step) for step in range(1, 100)]
        >>> [step for step, words in enumerate(said, start=1) if words]
        [22]
        """
        self._taken += 1
        timed = self._taken - WARM_UP
        if timed == 0:
            synchronize(self._device)
            self._began = time.perf_counter()
        if timed <= 0 or not self._began:
            return None
        if timed < MEASURED and time.perf_counter() - self._began < LONG:
            return None
        synchronize(self._device)
        rate = timed * self._images / max(time.perf_counter() - self._began, 1e-9)
        self._began = 0.0
        memory = peak_memory(self._device)
        used = f", {memory / 2**30:.1f} GiB of memory" if memory else ""
        return f"about {spell_time(left / rate)} to go: {rate:,.0f} images/s{used}"
