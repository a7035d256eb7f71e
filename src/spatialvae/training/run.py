"""A run folder: what is where, and whether a command may go on with what is there."""

from __future__ import annotations

from pathlib import Path

import yaml

from spatialvae.config import AbstractOptimisation
from spatialvae.data.record import DataRecord
from spatialvae.errors import UserError
from spatialvae.files import replacing, write_json
from spatialvae.records import as_json

__all__ = ["Run"]


class Run:
    """The files of one training run.

    config.yaml             the settings
    data.json               the images that it was trained on: source, options, fingerprint
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
        self.data = folder / "data.json"
        self.journal = folder / "metrics.jsonl"
        self.checkpoints = folder / "checkpoints"
        self.grids = folder / "grids"
        self.tensorboard = folder / "tensorboard"

    def record(self) -> DataRecord | None:
        """What the model was trained on; None in a folder that does not say, such as one of a model alone.

        Raises:
            UserError: the file is damaged.
        """
        return DataRecord.read(self.data)

    def check(self, config: AbstractOptimisation, images: int, free: frozenset[str]) -> None:
        """Check that these settings may train in the folder; nothing is written.

        A larger `images` goes on with a run, unless its learning rate is a function of the length.

        Args:
            images: the length that `config` comes to.
            free: settings that may change when a run goes on.

        Raises:
            UserError: the folder holds something else, or a run with other settings; the changed ones are named.
        """
        if self.config.is_file():
            self._keep_foreign(type(config))
            self._compare(type(config).read(self.config), _with_length(config, images), free)
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise UserError(f"{self.folder} is not empty and holds no run: name a new folder as `out`.")

    def write(self, config: AbstractOptimisation, images: int, record: DataRecord | None) -> None:
        """Make the folder, and write its settings and what is trained on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.config) as path:
            path.write_text(_text(_with_length(config, images)))
        if record is not None:
            write_json(self.data, as_json(record))

    def _keep_foreign(self, kind: type[AbstractOptimisation]) -> None:
        """Refuse to write over a config.yaml that is no run's, such as a file of settings that somebody typed."""
        if (
            not self.journal.exists()
            and not self.data.exists()
            and self.config.read_text() != _text(kind.read(self.config))
        ):
            raise UserError(f"{self.config} is of no run, and a run would write over it: name another folder as `out`.")

    def _compare(self, before: AbstractOptimisation, now: AbstractOptimisation, free: frozenset[str]) -> None:
        names = [name for name in type(now).model_fields if name not in free]
        changed = [name for name in names if getattr(before, name) != getattr(now, name)]
        longer = (now.images or 0) > (before.images or 0) and now.schedule == "constant"
        if changed == ["images"] and longer:
            return
        if changed:
            changes = "; ".join(f"`{name}` was {getattr(before, name)}, now {getattr(now, name)}" for name in changed)
            raise UserError(
                f"{self.folder} is a run with other settings: {changes}.\n"
                "Name a new folder as `out`, or give the settings of before."
            )


def _with_length(config: AbstractOptimisation, images: int) -> AbstractOptimisation:
    """The settings with their length in images, however it was given."""
    return config.model_copy(update={"images": images, "epochs": None})


def _text(config: AbstractOptimisation) -> str:
    """What config.yaml says of these settings."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
