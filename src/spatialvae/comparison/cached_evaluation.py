"""A run's results, kept beside it with what they depend on, so that a repeated comparison only reads them."""

from __future__ import annotations

import hashlib
import inspect
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from spatialvae._version import __version__
from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData
from spatialvae.errors import UserError
from spatialvae.files import replacing, write_json
from spatialvae.imagenet import SHA256, is_installed
from spatialvae.metrics import METRICS, Evaluation
from spatialvae.metrics.evaluation import evaluate
from spatialvae.metrics.latent.probe import no_probe
from spatialvae.metrics.measurement import is_own
from spatialvae.metrics.reconstruction.perceptual import PerceptualDistance
from spatialvae.metrics.samples.features import FeatureNetwork
from spatialvae.metrics.selection import ALL, select, split_specs
from spatialvae.model import SpatialVAE
from spatialvae.options import place_of
from spatialvae.plugins import loaded_plugins
from spatialvae.records import OMITTED, as_json, parse, refuse_newer
from spatialvae.store import WEIGHTS, prior_file

__all__ = ["FILE", "evaluated", "network_hashes"]

FILE = "evaluation.json"
VALUES = "evaluation.safetensors"
FORMAT = 1
"""Of the file; one that names none is of this format."""
WRITTEN = {"basis", *(one.name for one in fields(Evaluation) if not {"apart", "omitted"} & one.metadata.keys())}
"""Of the JSON object in the file; those of earlier versions lack some, and are measured again."""


@dataclass(frozen=True)
class Basis:
    """What the results of a run depend on: where all of it is the same, they are read."""

    version: str
    fingerprint: str
    weights: str | None
    priors: dict[str, str | None]
    settings: Mapping[str, object]
    networks: dict[str, str | None]
    metrics: dict[str, str] | None = field(default=None, metadata=OMITTED)
    """By key, a digest of each metric that is not the package's, see `_own_metrics`; None where there is none."""


@dataclass(frozen=True)
class _Written:
    """What the file holds beside the evaluation."""

    format: int
    basis: Basis


def evaluated(
    folder: Path,
    model: SpatialVAE,
    data: ImageData,
    config: EvaluationConfig,
    networks: dict[str, str | None],
    progress: bool,
) -> Evaluation:
    """The results of the run in `folder`, measured again only if something that they depend on has changed.

    Args:
        networks: what `network_hashes` gives for `config`.

    Raises:
        UserError: the results beside the run are of a newer version of this program.
    """
    basis = Basis(
        version=__version__,
        fingerprint=data.fingerprint,
        weights=_sha256(folder / WEIGHTS),
        priors={name: _sha256(prior_file(folder, name)) for name in sorted(model.priors)},
        settings=config.model_dump(mode="json"),
        networks=networks,
        metrics=_own_metrics(config, data) or None,
    )
    command = None if data.source is None else _command(folder, config)
    stored = _stored(folder, basis)
    if stored is not None and stored.command == command:
        return stored
    if stored is None:
        evaluation = replace(evaluate(model, data, config, progress=progress), command=command)
        (folder / FILE).unlink(missing_ok=True)  # so that it never stands beside values that are not its own
        with replacing(folder / VALUES) as path:
            save_file({key: value.contiguous() for key, value in evaluation.values.items()}, path)
    else:
        evaluation = replace(stored, command=command)  # the folder was moved
    write_json(folder / FILE, {**as_json(_Written(FORMAT, basis)), **as_json(evaluation)})
    return evaluation


def network_hashes(config: EvaluationConfig, image_size: tuple[int, int]) -> dict[str, str | None]:
    """The sha256 of the networks that the settings ask for, None for none; that of features was tried on this size.

    Raises:
        UserError: a file that is not there or is no such network, or that takes no images.

    >>> network_hashes(EvaluationConfig(), (8, 8))
    {'features': None, 'lpips': None}
    """
    features = None if config.features is None else FeatureNetwork.open(config.features)
    if features is not None:
        features.size(*image_size)
    asked = split_specs(config.metrics)
    of_imagenet = any(spec == "all" or (spec not in ALL and "imagenet" in METRICS.parse(spec).needs) for spec in asked)
    return {
        "features": None if features is None else features.sha256,
        "lpips": None if config.lpips is None else PerceptualDistance.open(config.lpips).sha256,
        **({"imagenet": SHA256 if is_installed() else None} if of_imagenet else {}),
    }


def _stored(folder: Path, basis: Basis) -> Evaluation | None:
    """An earlier evaluation of the same basis; None where there is none, or a file is missing or damaged."""
    try:
        content = json.loads((folder / FILE).read_text())
        values = load_file(folder / VALUES)
    except (OSError, ValueError, SafetensorError):
        return None
    refuse_newer(content, FORMAT, str(folder / FILE))
    if not isinstance(content, dict) or content.get("basis") != as_json(basis) or not content.keys() >= WRITTEN:
        return None
    try:
        return replace(parse(Evaluation, content, str(folder / FILE)), values=values)
    except UserError:
        return None


def _own_metrics(config: EvaluationConfig, data: ImageData) -> dict[str, str]:
    """By key, the metrics that are not the package's, each with a digest of its class's name and of its file."""
    wanted = select(config, no_probe=no_probe(data, config.split))
    return {key: _digest(type(metric)) for key, metric in wanted.items() if not is_own(type(metric))}


def _digest(kind: type) -> str:
    """The sha256 of a class's qualified name and of the file that it stands in, whose other functions it may call."""
    try:
        source = Path(inspect.getfile(kind)).read_bytes()
    except (OSError, TypeError):  # typed into a prompt
        source = b""
    return hashlib.sha256(place_of(kind).encode() + b"\n" + source).hexdigest()


def _command(folder: Path, config: EvaluationConfig) -> str:
    """`spatialvae evaluate` with the plugins of this process and every setting that is not the default."""
    words = ["spatialvae", "evaluate", str(folder)]
    for plugin in loaded_plugins():
        words += ["--plugin", plugin]
    for name, setting in EvaluationConfig.model_fields.items():
        value = getattr(config, name)
        if value != setting.default:
            for one in value if isinstance(value, list) else [value]:
                words += ["--" + name.replace("_", "-"), str(one)]
    return shlex.join(words)


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
