"""The most that a machine's arithmetic is seen to do: large matrix products and convolutions, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from spatialvae.benchmarking.timing import Work

__all__ = ["DTYPES", "Probe", "probes"]

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""The number formats of the setting `precision`."""

REPEATS = 5


@dataclass(frozen=True)
class Probe:
    """A piece of pure arithmetic, and how many operations it is."""

    work: Work
    flops: float


def probes(precision: str, device: torch.device, scale: int | None = None) -> dict[str, Probe]:
    """A matrix product and a convolution in either memory layout, in one number format.

    Args:
        scale: size, 1 being a matrix of 64 x 64; large enough by itself to fill a CPU's cores or a GPU.

    >>> sorted(probes("fp32", torch.device("cpu"), scale=1))
    ['conv', 'conv channels_last', 'matmul']
    """
    scale = scale or (128 if device.type == "cuda" else 16)
    dtype = DTYPES[precision]
    side = 64 * scale
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    width, images, size = (256, 4 * scale, 32) if device.type == "cuda" else (64, 2 * scale, 32)
    x = torch.randn(images, width, size, size, device=device, dtype=dtype)
    w = torch.randn(width, width, 3, 3, device=device, dtype=dtype)
    last = [tensor.contiguous(memory_format=torch.channels_last) for tensor in (x, w)]

    def repeat(work: Work) -> Work:
        def repeated() -> None:
            with torch.no_grad():
                for _ in range(REPEATS):
                    work()

        return repeated

    convolution = REPEATS * 2.0 * images * size * size * width * width * 9
    return {
        "matmul": Probe(repeat(lambda: a @ b), REPEATS * 2.0 * side**3),
        "conv": Probe(repeat(lambda: torch.conv2d(x, w, padding=1)), convolution),
        "conv channels_last": Probe(repeat(lambda: torch.conv2d(last[0], last[1], padding=1)), convolution),
    }
