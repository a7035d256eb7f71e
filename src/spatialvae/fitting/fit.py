"""Fit a prior to the codes of a run's training images, and keep it beside the run."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from spatialvae.config import PriorConfig
from spatialvae.data import ImageData
from spatialvae.data.subset import spell_subset, subset
from spatialvae.errors import UserError
from spatialvae.fitting.stage import train_prior
from spatialvae.metrics import Estimate
from spatialvae.metrics.latent.codes import check_images
from spatialvae.metrics.measurement import FAILURES, reason
from spatialvae.model import SpatialVAE
from spatialvae.posterior_codes import LIMIT, PosteriorCodes
from spatialvae.priors import (
    PRIORS,
    AbstractDirectFamily,
    AbstractFittedFamily,
    AbstractPrior,
    AbstractTrainedFamily,
    GaussianFamily,
    GaussianPrior,
    seen_flat,
    signal_directions,
)
from spatialvae.runtime.precision import resolve_precision
from spatialvae.seeding import seeded
from spatialvae.store import prior_file, save_prior, weights_hash

__all__ = ["Fitted", "check_priors", "fit_missing", "fit_prior", "present"]

CODES = "codes"
"""The folder beside a model's weights for what the encoder puts out."""


@dataclass(frozen=True, repr=False)
class Fitted:
    """A prior, how well it describes codes that it has not seen, and what to know of the fit; printed, a few lines."""

    prior: AbstractPrior
    held_out: Estimate
    """log p(z) in nats of one draw for each of up to 2,000 validation images, 256 where an equation must be solved.

    The error holds what the draws leave open, and the signs by which the density of flow matching is estimated.
    """
    notes: list[str]
    seconds: float
    fitted_to: dict[str, int]
    """`images`, `of` how many training images, and the `seed` that they were drawn with."""

    def __repr__(self) -> str:
        error = self.held_out.standard_error or 0.0
        to = spell_subset(self.fitted_to["images"], self.fitted_to["of"], self.fitted_to["seed"])
        lines = [
            f"{self.prior.family.spelled}: log-density of held-out codes {self.held_out.value:.1f} ± {error:.1f} nats "
            f"(over images, this fit only), {self.seconds:.1f} s",
            f"  fitted to the training split, {to}",
        ]
        return "\n".join([*lines, *(f"  ! {note}" for note in self.notes)])


def fit_prior(
    model: SpatialVAE,
    folder: Path,
    family: AbstractFittedFamily,
    codes: PosteriorCodes,
    *,
    seed: int = 0,
    training: PriorConfig | None = None,
    again: bool = False,
    progress: bool = False,
) -> Fitted:
    """Fit one prior, attach it to the model, and store it in the run folder `folder`.

    A prior with a network is trained in ``folder/priors/NAME-WEIGHTS``, or goes on there.

    Args:
        training: how long and how, for a prior with a network; the defaults with `seed` where there is none.
        again: begin anew where a training in that folder is complete or of other settings; an interrupted one goes on.

    Raises:
        UserError: more components than codes; another training in that folder.
        Interrupted: training was asked to stop; the same call goes on from there.
    """
    began = time.perf_counter()
    prior, notes = _fitted(model, folder, family, codes, training or PriorConfig(seed=seed), seed, again, progress)
    prior.to(model.device).name_classes(codes.labels)
    save_prior(folder, prior)  # before it is measured: a measure that fails loses no fit
    model.priors[family.spelled] = prior
    scored = codes.held_out[torch.from_numpy(subset(len(codes.held_out), prior.scored, seed=seed))]
    density = prior()
    with seeded(seed), torch.no_grad():  # the density by flow matching is an estimate
        values = torch.cat([density.log_prob(part.to(model.device)) for part in scored.split(500)])
    return Fitted(prior, Estimate.of(values.double().cpu()), notes, time.perf_counter() - began, dict(codes.provenance))


def _fitted(
    model: SpatialVAE,
    folder: Path,
    family: AbstractFittedFamily,
    codes: PosteriorCodes,
    training: PriorConfig,
    seed: int,
    again: bool,
    progress: bool,
) -> tuple[AbstractPrior, list[str]]:
    if isinstance(family, AbstractDirectFamily):
        with seeded(seed), torch.no_grad():
            return family.fit(codes, progress=progress)
    assert isinstance(family, AbstractTrainedFamily)
    gaussian = model.priors.get("gaussian")
    if not isinstance(gaussian, GaussianPrior):
        with seeded(seed), torch.no_grad():
            gaussian, _ = GaussianFamily().fit(codes, progress=progress)
    gaussian, notes = copy.deepcopy(gaussian).to(model.device), list[str]()
    signal = signal_directions(codes, gaussian) if seen_flat(gaussian.event_shape) else None
    if signal is not None and signal.shape[1] < len(signal):
        notes.append(
            f"Its network works on the {signal.shape[1]:,} of {len(signal):,} directions that tell images apart."
        )
    else:
        signal = None
    start = family.start(gaussian, len(codes.labels), signal=signal, seed=seed)
    where = training_folder(folder, family)
    return train_prior(start, codes, training, where, again=again, progress=progress), notes


def training_folder(folder: Path, family: AbstractFittedFamily) -> Path:
    """Where a prior with a network is trained: a folder for each family and each state of the model's weights."""
    name = prior_file(folder, family.spelled).stem.removeprefix("prior-")
    return folder / "priors" / f"{name}-{weights_hash(folder)[:12]}"


def fit_missing(
    model: SpatialVAE,
    data: ImageData,
    folder: Path,
    names: Sequence[str],
    *,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
    training: PriorConfig | None = None,
    again: bool = False,
    failed: dict[str, str] | None = None,
    progress: bool = False,
) -> dict[str, Fitted]:
    """Fit those of `names` that the model in `folder` does not have yet; with `again` all of them.

    `again` begins anew, but for a training of the same settings that was interrupted: it goes on.

    Args:
        failed: gets the reason of every prior that could not be fitted or measured, and the others go on; None: raised.
    """
    families = _families(names)
    missing = [family for family in families if again or family.spelled not in model.priors]
    if not missing:
        return {}
    check_images(model, data.split("train"), None)
    for family in missing:  # all of them, before the first is stored
        family.check(min(LIMIT, len(data.split("train"))))
        if training is not None and isinstance(family, AbstractTrainedFamily):
            resolve_precision(training.precision)
    fits = {}
    flip = training is not None and training.flip
    with PosteriorCodes(model, data, seed=seed, folder=folder / CODES, flip=flip, progress=progress) as codes:
        for family in missing:
            say(f"fitting {family.spelled}")
            try:
                fits[family.spelled] = fit_prior(
                    model, folder, family, codes, seed=seed, training=training, again=again, progress=progress
                )
            except FAILURES as failure:
                if failed is None:
                    raise
                failed[family.spelled] = reason(failure)
    return fits


def present(model: SpatialVAE, names: Sequence[str] | None) -> list[str] | None:
    """Those of `names` that are priors of the model; None for None, and where none of them is."""

    def there(name: str) -> bool:
        try:
            model.prior(name)
        except UserError:
            return False
        return True

    return [name for name in names or [] if there(name)] or None


def check_priors(names: Sequence[str], images: int) -> None:
    """Refuse names that are no prior, and priors that want more training images than `images`, before any work."""
    for family in _families(names):
        family.check(min(LIMIT, images))


def _families(names: Sequence[str]) -> list[AbstractFittedFamily]:
    """What is fitted of the priors `names`: a model's own priors are not."""
    families = [PRIORS.parse(name) for name in names]
    return [family for family in families if isinstance(family, AbstractFittedFamily)]
