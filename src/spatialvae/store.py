"""Models and fitted priors on disk: config.json and safetensors, no code and nothing pickled."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from spatialvae.config import ModelConfig
from spatialvae.errors import UserError
from spatialvae.model import SpatialVAE
from spatialvae.priors import AbstractPrior, Labels, parse_family
from spatialvae.seeding import seeded
from spatialvae.tensors import check_shapes, not_finite

__all__ = [
    "load",
    "load_priors",
    "prior_file",
    "replacing",
    "save_default_prior",
    "save_model",
    "save_prior",
    "weights_hash",
    "write_json",
]

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
DEFAULT = "prior-default.json"


def load(run_or_folder: str | os.PathLike[str], device: torch.device | str = "cpu") -> SpatialVAE:
    """The model of a run folder, or of any folder with config.json and model.safetensors, in eval mode on `device`.

    Raises:
        UserError: no such folder, a file missing or damaged, or weights that are not of this model or not finite.
    """
    folder = Path(run_or_folder)
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise UserError(f"{folder} holds no model: a folder with {CONFIG} and {WEIGHTS} is wanted.")
    with seeded(0):  # weights that the file's replace
        model = SpatialVAE(_read_config(folder / CONFIG))
    tensors = _read_tensors(folder / WEIGHTS)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    check_shapes(f"{folder / WEIGHTS} does not fit its config.json", tensors, shapes)
    model.load_state_dict(tensors)
    if found := not_finite(tensors):
        raise UserError(
            f"{folder / WEIGHTS} holds numbers that are not finite ({found[0]}): its training diverged.\n"
            "Train it again into a new folder, with a smaller --learning-rate."
        )
    model = model.to(device)
    load_priors(folder, model)
    return model.eval()


def load_priors(folder: Path, model: SpatialVAE) -> None:
    """Attach the priors that were fitted to the weights in `folder`, and which of them is the default.

    A prior of other weights (of another run, or from before more training), of another form or of an earlier version is
    not attached: the model says why when it is asked for.

    Raises:
        UserError: a file is damaged.
    """
    paths = sorted(folder.glob("prior-*.safetensors"))
    weights = weights_hash(folder) if paths else None
    for path in paths:
        tensors, told = _read_tensors(path), _read_metadata(path)
        name = told.get("prior", path.stem.removeprefix("prior-"))
        if told.get("weights") != weights:
            model.priors.unusable[name] = f"The prior {name} was fitted to other weights than this model's."
            continue
        try:
            prior = parse_family(name).restore(model.latent.event_shape, tensors).to(model.device)
            model.priors[name] = prior.labelled(Labels.parse(told.get("labels", "")) if prior.classes else Labels())
        except UserError as error:
            model.priors.unusable[name] = f"{path} cannot be used: {error}"
    if (folder / DEFAULT).is_file():
        model.priors.chosen = str(_read_json(folder / DEFAULT).get("prior"))


def save_model(folder: Path, model: SpatialVAE) -> None:
    """config.json and model.safetensors in `folder`, each replaced in one step; priors fitted before are outdated."""
    write_json(folder / CONFIG, model.config.model_dump(mode="json"))
    with replacing(folder / WEIGHTS) as path:
        save_file({name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}, path)


def save_prior(folder: Path, prior: AbstractPrior) -> None:
    """prior-NAME.safetensors in `folder`, replaced in one step, with the name of the weights it was fitted to.

    Raises:
        UserError: a number of the prior is not finite.
    """
    name = prior.family.spelled
    # The logarithm of a weight of 0 is no fault.
    if found := not_finite({key: one.exp() if key.startswith("log_") else one for key, one in prior.tensors().items()}):
        raise UserError(f"The prior {name} came to numbers that are not finite ({found[0]}): it is not stored.")
    told = {"prior": name, "weights": weights_hash(folder), "labels": prior.labels.spelled()}
    with replacing(prior_file(folder, name)) as path:
        save_file({key: tensor.contiguous().cpu() for key, tensor in prior.tensors().items()}, path, told)


def save_default_prior(folder: Path, name: str) -> None:
    """Make `name` what `spatialvae sample` draws from when it is not told."""
    write_json(folder / DEFAULT, {"prior": name})


def prior_file(folder: Path, name: str) -> Path:
    """Where a prior lies; no character that a file system refuses.

    >>> prior_file(Path("run"), "mixture:components=20").as_posix()
    'run/prior-mixture-components=20.safetensors'
    """
    return folder / f"prior-{name.replace(':', '-').replace(',', '-')}.safetensors"


def weights_hash(folder: Path) -> str:
    """The sha256 of a run's weights: the name by which its priors know them."""
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: object) -> None:
    """One JSON value in a file, replaced in one step."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary neighbour of `path` to write; it takes the place of `path` only once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read_config(path: Path) -> ModelConfig:
    return ModelConfig.parse(_read_json(path), str(path))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError):
        raise UserError(f"{path} is not valid JSON: copy it again from the run.") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no settings: a JSON object is wanted.")
    return values


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read as safetensors ({error}): copy it again from the run.") from None


def _read_metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}
