"""A run's results, kept beside it with what they depend on, so that a repeated comparison only reads them."""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from spatialvae._version import __version__
from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData
from spatialvae.metrics import Estimate
from spatialvae.metrics.evaluate import evaluate
from spatialvae.metrics.reconstruction.perceptual import PerceptualDistance
from spatialvae.metrics.samples.features import FeatureNetwork
from spatialvae.model import SpatialVAE
from spatialvae.store import WEIGHTS, prior_file, replacing, write_json

__all__ = ["FILE", "Measured", "evaluated", "network_hashes"]

FILE = "evaluation.json"
VALUES = "evaluation.safetensors"


@dataclass(frozen=True)
class Measured:
    """What evaluation.json and evaluation.safetensors of a run hold."""

    metrics: dict[str, Estimate]
    values: dict[str, Tensor]
    """One value an image, float64 [n], for the metrics that have one."""
    health: dict[str, Any] | None
    provenance: dict[str, Any]
    warnings: list[str]
    command: str
    """The line that measures the same again."""
    failed: dict[str, str] = field(default_factory=dict)
    """By key, why a metric that was wanted could not be measured."""


def evaluated(
    folder: Path,
    model: SpatialVAE,
    data: ImageData,
    config: EvaluationConfig,
    networks: dict[str, str | None],
    progress: bool,
) -> Measured:
    """The results of the run in `folder`, measured again only if something that they depend on has changed.

    Args:
        networks: what `network_hashes` gives for `config`.
    """
    basis = {
        "version": __version__,
        "fingerprint": data.fingerprint,
        "weights": _sha256(folder / WEIGHTS),
        "priors": {name: _sha256(prior_file(folder, name)) for name in sorted(model.priors)},
        "settings": config.model_dump(mode="json"),
        "networks": networks,
    }
    command = _command(folder, config)
    stored = _stored(folder)
    if stored is not None and stored[0]["basis"] == basis:
        told, values = stored
        if told["command"] != command:  # the folder was moved
            told["command"] = command
            write_json(folder / FILE, told)
    else:
        found = evaluate(model, data, config, progress=progress)
        told, values = {"basis": basis, "command": command, **found.as_dict()}, found.values
        (folder / FILE).unlink(missing_ok=True)  # so that it never stands beside values that are not its own
        with replacing(folder / VALUES) as path:
            save_file({key: value.contiguous() for key, value in values.items()}, path)
        write_json(folder / FILE, told)
    metrics = {key: Estimate(**estimate) for key, estimate in told["metrics"].items()}
    return Measured(metrics, values, told["health"], told["provenance"], told["warnings"], command, told["failed"])


def network_hashes(config: EvaluationConfig, image_size: tuple[int, int]) -> dict[str, str | None]:
    """The sha256 of the networks that the settings name, None for none; that of features was tried on this size.

    Raises:
        UserError: a file that is not there or is no such network, or that takes no images.

    >>> network_hashes(EvaluationConfig(), (8, 8))
    {'features': None, 'lpips': None}
    """
    features = None if config.features is None else FeatureNetwork.open(config.features)
    if features is not None:
        features.size(*image_size)
    return {
        "features": None if features is None else features.sha256,
        "lpips": None if config.lpips is None else PerceptualDistance.open(config.lpips).sha256,
    }


def _stored(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Both files of an earlier evaluation; None where one is missing, damaged or of another version."""
    try:
        told = json.loads((folder / FILE).read_text())
        values = load_file(folder / VALUES)
    except (OSError, ValueError, SafetensorError):
        return None
    parts = {"basis", "command", "metrics", "health", "provenance", "warnings", "failed"}
    return (told, values) if isinstance(told, dict) and parts <= told.keys() else None


def _command(folder: Path, config: EvaluationConfig) -> str:
    """`spatialvae evaluate` with every setting that is not the default."""
    words = ["spatialvae", "evaluate", str(folder)]
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
