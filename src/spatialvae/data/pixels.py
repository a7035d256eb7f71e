"""The pixel range, owned here: uint8 in files and batches, [-1, 1] in the model."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

__all__ = ["to_float", "to_uint8"]


WANTED = "wanted are uint8 [B C H W], or floats [B C H W] in [-1, 1]"

_doubted = [False]


def to_float(images: Tensor) -> Tensor:
    """Images as floats in [-1, 1]: u / 127.5 - 1 for uint8, floats as they are.

    Floats without a value below 0 are taken too, with a warning, once in a process: they are likely to lie in [0, 1].
    Code that torch traces, to compile or to export it, does not look at values.

    Args:
        images: uint8 [B C H W], or floating point [B C H W] in [-1, 1].

    Raises:
        ValueError: another type, number of axes or range; the message says what was given and what is wanted.

    >>> to_float(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
    tensor([[[[-1.,  1.]]]])
    """
    if not isinstance(images, Tensor):
        raise ValueError(f"images are {type(images).__name__}; {WANTED} in a torch tensor.")
    if images.ndim != 4:
        raise ValueError(f"images have shape {list(images.shape)}; {WANTED}.")
    if images.dtype == torch.uint8:
        return images.to(torch.get_default_dtype()).div_(127.5).sub_(1)  # in place: three passes, one tensor
    if not images.is_floating_point():
        raise ValueError(f"images are {images.dtype}; {WANTED}.")
    if not (torch.compiler.is_compiling() or torch.jit.is_tracing()) and images.numel():  # pyright: ignore[reportPrivateImportUsage]
        _check_range(*torch.stack(images.aminmax()).tolist())  # one wait for a GPU's queue
    return images


def _check_range(low: float, high: float) -> None:
    if not (low >= -1.0001 and high <= 1.0001):
        raise ValueError(f"images have values from {low:.4g} to {high:.4g}; {WANTED}.")
    if low >= 0 and high > 0 and not _doubted[0]:  # zeros alone are what shapes are tried with
        _doubted[0] = True
        warnings.warn(
            f"Float images have values from {low:.4g} to {high:.4g}, and the model's range is [-1, 1]: "
            "if they lie in [0, 1], as torchvision's ToTensor makes them, give it 2 * images - 1, or uint8 images.",
            stacklevel=4,
        )


def to_uint8(images: Tensor) -> Tensor:
    """Floats in [-1, 1] as 8-bit images: round((x + 1) * 127.5), values outside clipped.

    >>> to_uint8(torch.tensor([-1.0, 0.0, 1.2]))
    tensor([  0, 128, 255], dtype=torch.uint8)
    """
    return (images + 1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
