"""torch.compile for those who can do without it: what does not compile runs as it is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch

from spatialvae.globals import globals_kept

__all__ = ["compiled_or_eager"]

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled_or_eager(function: Function, try_out: Callable[[Function], object], **options: Any) -> Function:
    """The compiled `function` if `try_out` gets through with it; else `function` itself, and one warning.

    Compiling happens at the first call for each kind of input, and needs tools that a machine may lack (a C++
    compiler, Triton). So it is tried on inputs like those to come, before any work depends on it.

    Args:
        try_out: calls what it is given as it will be called later, backward included if there is one.
        options: of `torch.compile`.

    >>> compiled_or_eager(lambda x: x + 1, lambda f: f(torch.zeros(2)), backend="eager")(torch.zeros(2))
    tensor([1., 1.])
    """
    try:
        # torch's compiler switches off torch.distributions' checks at first use, and calls what torch deprecates.
        with globals_kept(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`torch._prims_common", category=FutureWarning)
            compiled = cast(Function, torch.compile(function, **options))
            try_out(compiled)
    except Exception as error:  # of torch's many compilers, each with errors of its own
        reason = " ".join(str(error).split()) or type(error).__name__
        warnings.warn(f"torch.compile failed, so it goes on without: slower, same results. {reason:.200}", stacklevel=2)
        return function
    return compiled
