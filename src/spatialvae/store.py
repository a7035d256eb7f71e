"""Models and fitted priors on disk: config.json and safetensors, no code and nothing pickled."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from spatialvae.config import ModelConfig
from spatialvae.errors import UserError
from spatialvae.files import replacing, write_json
from spatialvae.latents import LATENTS
from spatialvae.likelihoods import LIKELIHOODS
from spatialvae.model import SpatialVAE
from spatialvae.networks import NETWORKS
from spatialvae.networks.earlier import as_stored
from spatialvae.parts import OWN, resolve_latent
from spatialvae.priors import PRIORS, AbstractPrior, GaussianPrior, Labels, parse_family
from spatialvae.priors.shelf import PriorShelf
from spatialvae.records import refuse_newer
from spatialvae.seeding import seeded
from spatialvae.settings import translated
from spatialvae.tensors import check_shapes, not_finite

__all__ = [
    "load",
    "load_priors",
    "prior_file",
    "read_weights",
    "save_default_prior",
    "save_model",
    "save_prior",
    "weights_hash",
]

CONFIG = "config.json"
FORMAT = 1
"""Of config.json; one that names none is of this format."""
WEIGHTS = "model.safetensors"
DEFAULT = "prior-default.json"
CODES = "codes.json"


def load(
    run_or_folder: str | os.PathLike[str],
    device: torch.device | str = "cpu",
    *,
    like: SpatialVAE | None = None,
) -> SpatialVAE:
    """The model of a run folder, or of any folder with config.json and model.safetensors, in eval mode on `device`.

    The names in config.json are looked up among the registered parts; nothing that a file names is ever imported.

    Args:
        run_or_folder: the folder.
        device: where the model goes.
        like: a model with the same parts, for a run whose parts have no name here; a copy of it takes the weights.

    Raises:
        UserError: no such folder; a file missing or damaged; a part that is not registered; weights that are not
            finite, or of other shapes than those of the model.
    """
    folder = Path(run_or_folder).expanduser()
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise UserError(f"{folder} holds no model: a folder with {CONFIG} and {WEIGHTS} is wanted.")
    config = _read_config(folder / CONFIG)
    with seeded(0):  # weights that the file's replace
        model = _named(config, folder) if like is None else _copied(like, config, folder)
    tensors = _read_tensors(folder / WEIGHTS)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    check_shapes(f"{folder / WEIGHTS} does not fit {'its config.json' if like is None else 'like='}", tensors, shapes)
    model.load_state_dict(tensors)
    if broken := not_finite(tensors):
        raise UserError(
            f"{folder / WEIGHTS} holds numbers that are not finite ({broken[0]}): its training diverged.\n"
            "Train it again into a new folder, with a smaller `learning_rate`."
        )
    model = model.to(device)
    load_priors(folder, model)
    return model.eval()


def _named(config: ModelConfig, folder: Path) -> SpatialVAE:
    """The model whose parts the settings name; an error says which registration is missing."""
    tables = ((LATENTS, config.latent), (LIKELIHOODS, config.likelihood), (NETWORKS, config.network))
    for table, spec in tables:
        if spec is None:  # the network's own
            continue
        if spec.startswith(OWN):
            raise UserError(
                f"The {table.kind} of {folder} has no registered name ({spec}):\n"
                "load(folder, like=model) or open_run(folder, like=model) take it, with a model of the same parts."
            )
        if _name(spec) not in table:
            raise UserError(
                f"The {table.kind} {spec!r} of {folder} is not registered here: give `plugin` FILE.py, which registers "
                "it,\nor load(folder, like=model) in Python, with a model made of the same parts."
            )
    if config.prior.startswith(OWN):
        raise UserError(f"The prior of {folder} has no registered name ({config.prior}): use load(folder, like=model).")
    return SpatialVAE.from_config(config)


def _copied(like: SpatialVAE, config: ModelConfig, folder: Path) -> SpatialVAE:
    """A copy of `like` without its fitted priors; refused where the settings name other parts."""
    if not isinstance(like, SpatialVAE):
        raise UserError(f"like={like!r} is not possible: give a SpatialVAE made of the same parts.")
    shape = (config.channels, *config.image_size)
    if like.image_shape != shape:
        raise UserError(
            f"like= is a model of images {list(like.image_shape)}, and the model of {folder} is of {list(shape)}."
        )
    for name in ("likelihood", "head", "prior", "network"):
        theirs, ours = getattr(like.config, name), getattr(config, name)
        if not _may_be_the_same(theirs, ours):
            raise UserError(f"like= has the {name} {theirs}, and the model of {folder} has {ours}.")
    if _name(config.latent) in LATENTS and (latent := resolve_latent(config)[0]) != like.latent:
        raise UserError(f"like= has the latent {like.latent}, and the model of {folder} has {latent}.")
    model = copy.deepcopy(like)
    model.priors = PriorShelf(own=like.priors.own)
    model.config = config
    return model


def _may_be_the_same(first: str, second: str) -> bool:
    """Whether two texts may stand for one part: `own:CLASS` may be a class that has a name in another process."""
    own = [text.startswith(OWN) for text in (first, second)]
    if all(own) or not any(own):
        return first == second
    known = second if own[0] else first
    # Of the package's own parts the text alone decides: they have a name everywhere.
    return not any(
        _name(known) in table and table[_name(known)].__module__.startswith("spatialvae.")
        for table in (LIKELIHOODS, NETWORKS, PRIORS)
    )


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a model's file by name, whatever model it is of.

    Raises:
        UserError: there is none, or it is damaged.
    """
    if not (folder / WEIGHTS).is_file():
        raise UserError(f"{folder} holds no model ({WEIGHTS}): give a run folder.")
    return _read_tensors(folder / WEIGHTS)


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
        tensors, metadata = _read_tensors(path), _read_metadata(path)
        name = metadata.get("prior", path.stem.removeprefix("prior-"))
        if metadata.get("weights") != weights:
            model.priors.unusable[name] = f"The prior {name} was fitted to other weights than this model's."
            continue
        try:
            prior = parse_family(name).restore(model.latent.event_shape, tensors).to(model.device)
            prior.name_classes(Labels.parse(metadata.get("labels", "")) if prior.classes else Labels())
            model.priors[name] = prior
        except UserError as error:
            model.priors.unusable[name] = f"{path} cannot be used: {error}"
    if (folder / DEFAULT).is_file():
        model.priors.chosen = str(_read_json(folder / DEFAULT).get("prior"))


def save_model(folder: Path, model: SpatialVAE) -> None:
    """config.json and model.safetensors in `folder`, each replaced in one step; priors fitted before are outdated."""
    write_json(folder / CONFIG, model.config.model_dump(mode="json"))
    with replacing(folder / WEIGHTS) as path:
        save_file({name: _apart(tensor) for name, tensor in model.state_dict().items()}, path)


def save_prior(folder: Path, prior: AbstractPrior) -> None:
    """prior-NAME.safetensors in `folder`, replaced in one step, with the name of the weights it was fitted to.

    A Gaussian also leaves codes.json: the mean and standard deviation of the codes, a number for each map.

    Raises:
        UserError: a number of the prior is not finite.
    """
    name = prior.family.spelled
    # The logarithm of a weight of 0 is no fault.
    tensors = prior.state_dict()
    if broken := not_finite({key: one.exp() if key.startswith("log_") else one for key, one in tensors.items()}):
        raise UserError(f"The prior {name} came to numbers that are not finite ({broken[0]}): it is not stored.")
    metadata = {"prior": name, "weights": weights_hash(folder), "labels": prior.labels.spelled()}
    with replacing(prior_file(folder, name)) as path:
        save_file({key: _apart(tensor) for key, tensor in tensors.items()}, path, metadata)
    if isinstance(prior, GaussianPrior):
        means, deviations = (values.tolist() for values in prior.map_statistics())
        write_json(folder / CODES, {"mean": means, "standard_deviation": deviations, "weights": metadata["weights"]})


def _apart(tensor: Tensor) -> Tensor:
    """A copy in memory of its own: safetensors takes no two tensors that share some, as tied weights do."""
    return tensor.detach().cpu().contiguous().clone()


def save_default_prior(folder: Path, name: str) -> None:
    """Make `name` what `spatialvae sample` draws from when no prior is named."""
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


def _name(spec: str) -> str:
    return spec.strip().partition(":")[0]


def _read_config(path: Path) -> ModelConfig:
    values = _read_json(path)
    refuse_newer(values, FORMAT, str(path))
    values = translated({key: value for key, value in values.items() if key != "format"})
    if isinstance(network := values.get("network"), str):
        values["network"] = as_stored(network)
    return ModelConfig.parse(values, str(path))


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
