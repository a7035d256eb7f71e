"""How a GPU's convolutions and products of float32 round: to TF32's ten bits, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["full_float32", "rounding", "set_rounding"]


def rounding() -> tuple[bool, str] | None:
    """Whether convolutions of float32 round to TF32 on a GPU, and by which rule products do.

    None where their owner has set them by torch's newer names (`fp32_precision`), beside which torch refuses to tell:
    then they stay as they are.
    """
    try:
        return torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    except RuntimeError:
        return None


def set_rounding(convolutions: bool, products: str) -> None:
    """Set what `rounding` tells, where it tells anything and it differs."""
    now = rounding()
    if now is not None and now[0] != convolutions:
        torch.backends.cudnn.allow_tf32 = convolutions
    if now is not None and now[1] != products:
        torch.set_float32_matmul_precision(products)


@contextmanager
def full_float32() -> Iterator[None]:
    """A GPU's convolutions and products of float32 keep all their digits inside.

    By itself torch lets convolutions round to the ten bits of TF32, and training in bf16 lets products do so too. Where
    p(x|z) is narrow, log p moves by some percent with that.

    >>> with full_float32():
    ...     rounding()
    (False, 'highest')
    """
    before = rounding()
    set_rounding(False, "highest")
    try:
        yield
    finally:
        if before is not None:
            set_rounding(*before)
