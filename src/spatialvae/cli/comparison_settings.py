"""A comparison's settings of three kinds, side by side in one YAML file and on one command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatialvae.settings import read_settings

if TYPE_CHECKING:
    from spatialvae.comparison.settings import ComparisonSettings

__all__ = ["comparison_settings"]


def comparison_settings(path: Path | None, flags: dict[str, Any]) -> ComparisonSettings:
    """What to compare, how to train and what to measure, from a YAML file and flags, which go before the file.

    Raises:
        UserError: an unknown name, a value that is not possible, in the file or on the command line.
    """
    from spatialvae.comparison.settings import ComparisonSettings

    before: dict[str, object] = {}
    if path is not None:
        before = read_settings(path)
        ComparisonSettings.of(before, str(path))  # so that the message about a mistake in the file names the file
    if {"images", "epochs"} & flags.keys():  # one length takes the place of the other
        before = {name: value for name, value in before.items() if name not in ("images", "epochs")}
    return ComparisonSettings.of({**before, **flags}, "compare")
