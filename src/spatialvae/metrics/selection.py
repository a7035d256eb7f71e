"""What `--metrics` asks for, and whether it can be had."""

from __future__ import annotations

from spatialvae.config import EvaluationConfig
from spatialvae.data.dataset import WHOLE
from spatialvae.errors import UserError, nearest

__all__ = ["ALL", "ON_FEATURES", "ON_PAIRS", "select"]

ON_PAIRS = ("mse", "psnr", "ssim", "lpips")
ON_FEATURES = ("frechet", "kernel", "precision", "recall", "density", "coverage")
ON_MODELS = ("bound", "nll", "prior_gain", "health", "probe")
NAMES = ("bound", "nll", "prior_gain", *ON_PAIRS, *ON_FEATURES, "health", "probe", "parzen")
"""In the order in which they are measured. `bound` is the bound with its terms and bits per dim."""
ALL = ("all", "default")
"""What asks for all that is possible."""
NO_LABELS = "the data has no labels"


def select(
    config: EvaluationConfig, *, model: bool = True, pairs: bool = True, no_probe: str | None = NO_LABELS
) -> tuple[str, ...]:
    """The metrics to measure, in order: those named, or all that are possible.

    Args:
        model: a model is measured, not a set of images.
        pairs: every image has its reconstruction.
        no_probe: why the images allow no linear probe; None where they do.

    Raises:
        UserError: a name that is not known, or a metric that wants something that is not there.

    >>> select(EvaluationConfig(metrics="nll,bound")), select(EvaluationConfig(), model=False, pairs=False)
    (('bound', 'nll'), ())
    """
    missing = _missing(config, model=model, pairs=pairs, no_probe=no_probe)
    asked = [name.strip() for name in config.metrics.split(",") if name.strip()]
    if len(asked) == 1 and asked[0] in ALL:
        without = ("parzen",) if asked == ["default"] else ()
        return tuple(name for name in NAMES if name not in missing and name not in without)
    for name in asked:
        if name not in NAMES:
            raise UserError(f"--metrics {name} is not known. {nearest(name, (*NAMES, 'all', 'default'))}")
        if name in missing:
            raise UserError(f"--metrics {name} is not possible here: {missing[name]}.")
    if not asked:
        raise UserError(f"--metrics names nothing to measure. {nearest('', NAMES)}")
    return tuple(name for name in NAMES if name in asked)


def _missing(config: EvaluationConfig, *, model: bool, pairs: bool, no_probe: str | None) -> dict[str, str]:
    """Why each metric that cannot be had cannot be had."""
    missing: dict[str, str] = {}
    if config.features is None:
        missing |= dict.fromkeys(ON_FEATURES, "it wants a feature network: --features FILE.pt, a TorchScript file")
    if config.lpips is None:
        missing["lpips"] = "it wants a perceptual network: --lpips FILE.pt, a TorchScript file"
    if config.split == WHOLE:
        missing["parzen"] = "its sigma is picked on validation images, which --split all holds too: say --split test"
    if no_probe is not None:
        missing["probe"] = no_probe
    if not pairs:
        missing |= dict.fromkeys(ON_PAIRS, "it compares images with their own reconstructions: say --paired")
    if not model:
        missing |= dict.fromkeys(ON_MODELS, "it measures a model: give a run folder, not images")
    return missing
