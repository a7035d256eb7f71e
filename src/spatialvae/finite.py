"""Numbers that are none: NaN and infinities, found before anything is stored or believed."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

__all__ = ["not_finite"]


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of the tensors that hold NaN or an infinity, in their order.

    All are looked at before the first answer is read, so that an accelerator's queue is waited for once.

    >>> import torch
    >>> not_finite({"a": torch.ones(2), "b": torch.tensor([1.0, float("inf")]), "c": torch.tensor(3)})
    ['b']
    """
    answers = {name: tensor.isfinite().all() for name, tensor in tensors.items() if tensor.is_floating_point()}
    return [name for name, answer in answers.items() if not answer]
