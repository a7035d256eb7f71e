"""A run folder: what is where, and whether a command may go on with what is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import yaml

from spatialvae.data.record import DataRecord
from spatialvae.errors import UserError
from spatialvae.files import replacing, write_json
from spatialvae.networks.earlier import as_stored
from spatialvae.records import as_json
from spatialvae.settings import AbstractSettings, Plain

__all__ = ["Run"]

Settings = TypeVar("Settings", bound=AbstractSettings)


class Run:
    """The files of one training run.

    config.yaml             the settings
    data.json               the images that it was trained on: source, options, fingerprint
    config.json             the model's own settings, with
    model.safetensors       its weights: together all that `spatialvae.load` needs
    prior-gaussian.safetensors   the Gaussian fitted to the aggregate posterior, with
    codes.json              the mean and deviation of the codes by map
    priors/, codes/         trainings of other priors, and what they are drawn from
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

    def settings(self, kind: type[Settings]) -> Settings:
        """The settings of config.yaml.

        Raises:
            UserError: no such file, or settings of another kind.
        """
        stored = kind.read(self.config)
        network = stored.flat().get("network")
        return stored.replaced(network=as_stored(network)) if isinstance(network, str) else stored

    def check(self, settings: AbstractSettings, images: int, free: frozenset[str]) -> None:
        """Check that these settings may train in the folder; nothing is written.

        A larger `images` goes on with a run, unless its learning rate is a function of the length.

        Args:
            images: the length that `settings` come to.
            free: settings that may change when a run goes on.

        Raises:
            UserError: the folder holds something else, or a run with other settings; the changed ones are named.
        """
        if self.config.is_file():
            self._keep_foreign(type(settings))
            self._compare(self.settings(type(settings)), _with_length(settings, images), free)
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise UserError(f"{self.folder} is not empty and holds no run: name a new folder as `out`.")

    def write(self, settings: AbstractSettings, images: int, record: DataRecord | None) -> None:
        """Make the folder, and write its settings and what is trained on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.config) as path:
            path.write_text(_text(_with_length(settings, images)))
        if record is not None:
            write_json(self.data, as_json(record))

    def _keep_foreign(self, kind: type[AbstractSettings]) -> None:
        """Refuse to write over a config.yaml that is no run's, such as a file of settings that somebody typed."""
        if (
            not self.journal.exists()
            and not self.data.exists()
            and self.config.read_text() != _text(kind.read(self.config))
        ):
            raise UserError(f"{self.config} is of no run, and a run would write over it: name another folder as `out`.")

    def _compare(self, settings: AbstractSettings, now: AbstractSettings, free: frozenset[str]) -> None:
        before, after = settings.flat(), now.flat()
        changed = [name for name in after if name not in free and before[name] != after[name]]
        longer = _images(after) > _images(before) and after["schedule"] == "constant"
        if changed == ["images"] and longer:
            return
        if changed:
            changes = "; ".join(f"`{name}` was {before[name]}, now {after[name]}" for name in changed)
            hint = "Name a new folder as `out`, or give the settings of before."
            if "latent" in changed and "latent" not in now.given():
                hint = (
                    f"No `latent` was given, and the default, low-rank in earlier versions, is {after['latent']}: this "
                    f"run goes on with `latent` {before['latent']}."
                )
            raise UserError(f"{self.folder} is a run with other settings: {changes}.\n{hint}")


def _with_length(settings: AbstractSettings, images: int) -> AbstractSettings:
    """The settings with their length in images, however it was given."""
    return settings.replaced(images=images, epochs=None)


def _images(values: Mapping[str, Plain]) -> int:
    images = values["images"]
    return images if isinstance(images, int) else 0


def _text(settings: AbstractSettings) -> str:
    """What config.yaml says of these settings."""
    return yaml.safe_dump(settings.flat(), sort_keys=False)
