"""Checks of named tensors, before they are stored or believed: their shapes, and whether their numbers are finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from spatialvae.errors import UserError

__all__ = ["check_shapes", "not_finite"]


def check_shapes(complaint: str, tensors: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]]) -> None:
    """Refuse tensors that are not just those of `shapes`, by name and shape.

    Args:
        complaint: what a misfit means, the beginning of the message.
        tensors: what was read.
        shapes: the shape that each name should have.

    Raises:
        UserError: the first misfit, with both shapes.

    >>> import torch
    >>> check_shapes("This is no prior of this model", {"loc": torch.zeros(3)}, {"loc": (4,)})
    Traceback (most recent call last):
        ...
    spatialvae.errors.UserError: This is no prior of this model: loc came as [3], wanted is [4].
    """
    for name in [*shapes, *tensors]:
        given = list(tensors[name].shape) if name in tensors else "nothing"
        wanted = list(shapes[name]) if name in shapes else "nothing"
        if given != wanted:
            raise UserError(f"{complaint}: {name} came as {given}, wanted is {wanted}.")


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of the tensors that hold NaN or an infinity, in their order.

    All are looked at before the first answer is read, so that an accelerator's queue is waited for once.

    >>> import torch
    >>> not_finite({"a": torch.ones(2), "b": torch.tensor([1.0, float("inf")]), "c": torch.tensor(3)})
    ['b']
    """
    answers = {name: tensor.isfinite().all() for name, tensor in tensors.items() if tensor.is_floating_point()}
    return [name for name, answer in answers.items() if not answer]
