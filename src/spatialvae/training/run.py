"""A run folder: what is where, and whether a command may go on with what is there."""

from __future__ import annotations

from pathlib import Path

import yaml

from spatialvae.config import AbstractOptimisation
from spatialvae.errors import UserError
from spatialvae.store import replacing

__all__ = ["Run"]


class Run:
    """The files of one training run.

    config.yaml             the settings
    config.json             the model's own settings, with
    model.safetensors       its weights: together all that `spatialvae.load` needs
    prior-gaussian.safetensors   the Gaussian fitted to the aggregate posterior
    metrics.jsonl           the journal
    checkpoints/, grids/, tensorboard/

    >>> Run(Path("runs/a")).journal.as_posix()
    'runs/a/metrics.jsonl'
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.journal = folder / "metrics.jsonl"
        self.checkpoints = folder / "checkpoints"
        self.grids = folder / "grids"
        self.tensorboard = folder / "tensorboard"

    def open(self, config: AbstractOptimisation, images: int, free: frozenset[str]) -> None:
        """Make the folder and write its settings, or check that the settings there are the same.

        A longer `--images` goes on with a run, unless its learning rate is a function of the length.

        Args:
            images: the length that `config` comes to.
            free: settings that may change when a run goes on.

        Raises:
            UserError: the folder holds something else, or a run with other settings; the changed ones are named.
        """
        wanted = config.model_copy(update={"images": images, "epochs": None})
        if self.config.is_file():
            self._compare(type(config).read(self.config), wanted, free)
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise UserError(f"{self.folder} is not empty and holds no run: give --out a new folder.")
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.config) as path:
            path.write_text(yaml.safe_dump(wanted.model_dump(mode="json"), sort_keys=False))

    def _compare(self, before: AbstractOptimisation, now: AbstractOptimisation, free: frozenset[str]) -> None:
        names = [name for name in type(now).model_fields if name not in free]
        changed = [name for name in names if getattr(before, name) != getattr(now, name)]
        longer = (now.images or 0) > (before.images or 0) and now.schedule == "constant"
        if changed == ["images"] and longer:
            return
        if changed:
            said = "; ".join(
                f"--{name.replace('_', '-')} was {getattr(before, name)}, now {getattr(now, name)}" for name in changed
            )
            raise UserError(
                f"{self.folder} is a run with other settings: {said}.\n"
                "Give --out a new folder, or the settings of before."
            )
