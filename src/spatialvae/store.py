"""Models and fitted priors on disk: config.json and safetensors, no code and nothing pickled."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from spatialvae.config import ModelConfig
from spatialvae.errors import UserError
from spatialvae.model import SpatialVAE
from spatialvae.priors import GaussianPrior

__all__ = ["load", "load_prior", "replacing", "save_model", "save_prior", "write_json"]

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
GAUSSIAN = "prior-gaussian.safetensors"


def load(run_or_folder: str | os.PathLike[str], device: torch.device | str = "cpu") -> SpatialVAE:
    """The model of a run folder, or of any folder with config.json and model.safetensors, in eval mode on `device`.

    Raises:
        UserError: no such folder, a file missing or damaged, or weights that are not of this model.
    """
    folder = Path(run_or_folder)
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise UserError(f"{folder} holds no model: a folder with {CONFIG} and {WEIGHTS} is wanted.")
    model = SpatialVAE(_read_config(folder / CONFIG))
    _fill(model, _read_tensors(folder / WEIGHTS), folder / WEIGHTS)
    model = model.to(device)
    load_prior(folder, model)
    return model.eval()


def load_prior(folder: Path, model: SpatialVAE) -> bool:
    """Attach the Gaussian that was fitted for the model in `folder`; False where there is none.

    Raises:
        UserError: the file is damaged or of another model.
    """
    path = folder / GAUSSIAN
    if not path.is_file():
        return False
    tensors = _read_tensors(path)
    numbers, shapes = model.latent.numbers, {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    wanted = [{"loc": model.latent.event_shape, "scale_tril": (numbers,) * axes} for axes in (1, 2)]
    if shapes not in wanted:
        raise UserError(f"{path} is not a prior of this model: delete it, and `spatialvae evaluate` fits one again.")
    model.priors["gaussian"] = GaussianPrior(tensors["loc"], tensors["scale_tril"]).to(model.device)
    return True


def save_model(folder: Path, model: SpatialVAE) -> None:
    """config.json and model.safetensors in `folder`, each replaced in one step; a prior fitted before is taken away."""
    (folder / GAUSSIAN).unlink(missing_ok=True)  # it belongs to the weights of before
    write_json(folder / CONFIG, model.config.model_dump(mode="json"))
    with replacing(folder / WEIGHTS) as path:
        save_file({name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}, path)


def save_prior(folder: Path, prior: GaussianPrior) -> None:
    """prior-gaussian.safetensors in `folder`, replaced in one step."""
    with replacing(folder / GAUSSIAN) as path:
        save_file({"loc": prior.loc.contiguous(), "scale_tril": prior.scale_tril.contiguous()}, path)


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
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError):
        raise UserError(f"{path} is not valid JSON: copy it again from the run.") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no settings: a JSON object is wanted.")
    return ModelConfig.parse(values, str(path))


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read as safetensors ({error}): copy it again from the run.") from None


def _fill(model: torch.nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Put named tensors into a module; the first that does not fit is named."""
    wanted = model.state_dict()
    for name in [*wanted, *tensors]:
        came = list(tensors[name].shape) if name in tensors else "nothing"
        fits = list(wanted[name].shape) if name in wanted else "nothing"
        if came != fits:
            raise UserError(f"{path} does not fit its config.json: {name} came as {came}, wanted is {fits}.")
    model.load_state_dict(tensors)
