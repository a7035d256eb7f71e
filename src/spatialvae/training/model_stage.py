"""The first stage: a model, trained on images to raise the bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from spatialvae.config import UNIT_GAUSSIANS, AbstractOptimisation, DataOptions, TrainConfig
from spatialvae.data import ImageData
from spatialvae.data.batches import some_images
from spatialvae.data.random_crops import CroppedBatches
from spatialvae.data.record import DataRecord
from spatialvae.data.training_batches import training_batches
from spatialvae.elbo import ELBO, elbo_loss, paper_loss
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS
from spatialvae.model import SpatialVAE
from spatialvae.networks.memory import recompute
from spatialvae.parts import named_parts, with_defaults
from spatialvae.priors.shelf import PriorShelf
from spatialvae.representation import spell_parameters
from spatialvae.sizes import spell_shape
from spatialvae.store import load_priors, read_weights, save_model
from spatialvae.training.acceleration import compiled_training, suit_layout
from spatialvae.training.adversary import Adversary
from spatialvae.training.finish import fit_run_prior
from spatialvae.training.picture_checks import check_picture_losses
from spatialvae.training.pictures import Seen, WithPictures
from spatialvae.training.run import Run
from spatialvae.training.schedule import kl_weight, model_cautions, total_images
from spatialvae.training.stage import AbstractStage
from spatialvae.training.validation import draw_grids, validate
from spatialvae.training.warm_start import take_weights

__all__ = ["ModelStage", "check_settings", "make_optimizer", "with_run_defaults"]

START_NUMBERS = 30_000_000
"""Of the images that a network may start from: 10,000 of 32x32 in colour."""


class ModelStage(AbstractStage[SpatialVAE]):
    """Trains `config`'s model, or `model` itself, on the images of `data`, for as long as `config` says.

    What `config` says of the data itself gives way to what `data` is.

    Args:
        model: begins with the weights that it has; None: `config` says what is built.
        image_shape: [C, H, W] that the images must have; None: the model is built for what they are.
    """

    # The data has its fingerprint, which its options are part of.
    free: ClassVar[frozenset[str]] = frozenset({"checkpoint_every", *DataOptions.model_fields})

    def __init__(
        self,
        config: TrainConfig,
        data: ImageData,
        *,
        model: SpatialVAE | None = None,
        image_shape: tuple[int, int, int] | None = None,
    ) -> None:
        self.data, self.record = data, DataRecord.of(data)
        self.config = with_run_defaults(config.replaced(**self.record.settings))
        self.settings, self.optimisation = self.config, self.config.optimisation
        self.model, self.image_shape = model, image_shape
        self.total = total_images(self.optimisation, len(data.split("train")))
        self.fingerprint = data.fingerprint
        self.adversary: Adversary | None = None
        self.numbers = 1
        """Of a code, once the model is built."""

    @property
    def _sees_pictures(self) -> bool:
        return bool(self.config.perceptual_weight or self.config.adversarial)

    def check(self) -> None:
        shape = (self.data.channels, self.data.height, self.data.width)
        if self.image_shape is not None and self.image_shape != shape:
            raise UserError(
                f"The images are {spell_shape(shape)}, and the model is for {spell_shape(self.image_shape)}: make "
                "the model for these images, or resize them with `image_size`."
            )
        units = UNIT_GAUSSIANS.values()
        if self.model is not None and self.config.objective == "paper" and self.config.model.likelihood not in units:
            raise UserError(
                f"`objective` paper is a squared error: give the model the likelihood {' or '.join(units)}."
            )
        check_settings(self.config, self.data, parts=self.model is None)

    def build(self, device: torch.device) -> SpatialVAE:
        model = self.model
        if model is None:
            model = SpatialVAE.from_config(self.config.sized((self.data.height, self.data.width), self.data.channels))
        else:
            model.priors = PriorShelf(own=model.priors.own)  # fitted to the weights of before
        recompute(model, on=self.config.optimisation.checkpointing)
        if hasattr(model.encoder, "start_from"):
            train, numbers = self.data.split("train"), math.prod(model.image_shape)
            model.start_from(some_images(train, max(1, START_NUMBERS // numbers)))
        self.numbers = model.latent.numbers
        return suit_layout(model, device)

    def begin(self, network: SpatialVAE) -> list[str]:
        source = self.config.from_run
        if source is None:
            return []
        try:
            weights = read_weights(Path(source).expanduser())
        except UserError as error:
            raise UserError(f"`from_run`: {error}") from None
        return take_weights(network, weights, source).lines(source)

    def optimizer(self, network: SpatialVAE, *, fused: bool) -> torch.optim.Optimizer:
        return make_optimizer(network, self.optimisation, fused)

    def batches(self, device: torch.device, *, rank: int, world: int) -> Callable[[int], Tensor]:
        options = {"seed": self.optimisation.seed, "flip": self.config.flip, "rank": rank, "world": world}
        batches = training_batches(self.data.split("train"), self.optimisation.batch_size, device, **options)
        if self.config.random_crop == 1:
            return batches
        return CroppedBatches(batches, self.config.random_crop, self.optimisation.seed, rank)

    def stepped(self, network: SpatialVAE) -> nn.Module:
        if not self._sees_pictures:
            return network
        return WithPictures(network, distance=self.config.perceptual_weight > 0)

    def make_adversary(self, network: SpatialVAE) -> Adversary | None:
        share, begins = self.config.adversarial, self.config.adversarial_from
        if not share:
            return None
        self.adversary = Adversary(
            network.image_shape,
            network.device,
            share=share,
            begins=self.total // 2 if begins is None else begins,
            learning_rate=self.optimisation.learning_rate,
        )
        return self.adversary

    def compiled(self, wrapped: nn.Module, network: SpatialVAE) -> nn.Module:
        if self._sees_pictures or self.optimisation.accumulate > 1:  # not tried
            return wrapped
        return compiled_training(wrapped, network, self.optimisation.batch_size)

    def loss(
        self, wrapped: nn.Module, network: SpatialVAE, batch: Tensor, seen: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        made: ELBO | Seen = wrapped(batch)
        terms, numbers = made.terms if isinstance(made, Seen) else made, batch[0].numel()
        beta = kl_weight(self.config, seen)
        if self.config.objective == "elbo":
            loss = elbo_loss(terms, beta)
        else:
            loss = paper_loss(terms, pixels=numbers, latents=network.latent.numbers, beta=beta)
        named = {"reconstruction": terms.reconstruction, "kl": terms.kl}
        if not isinstance(made, Seen):
            return loss, named
        if made.perceptual is not None:  # nats for each number of an image
            loss = loss + self.config.perceptual_weight * numbers * made.perceptual.mean()
            named["perceptual"] = made.perceptual
        if self.adversary is not None:
            added, judged = self.adversary.judge(loss, batch, made, seen)
            loss, named = loss + added, {**named, **judged}
        return loss, named

    def named(self, means: dict[str, float]) -> dict[str, float]:
        return {"loss": means["loss"], "bound": means["reconstruction"] - means["kl"], **means}

    def rates(self, seen: int) -> dict[str, float]:
        return {"beta": kl_weight(self.config, seen)}

    def described(self, network: SpatialVAE) -> str:
        latent, named = network.latent, LATENTS.name_of(network.latent) is not None
        words = LATENTS.spell(latent) if named else network.config.latent
        return f"{words}: parameters {spell_parameters(network)}, {self.total:,} images"

    def cautions(self) -> list[str]:
        return model_cautions(self.config, self.total)

    def details(self, values: dict[str, float]) -> list[str]:
        if "validation_bound" in values:
            return [f"validation bound {values['validation_bound']:.1f}"]
        bits = values["kl"] / self.numbers / math.log(2)
        words = [f"bound {values['bound']:.1f}", f"KL {values['kl']:.1f}, {bits:.2f} bits a number"]
        return words + [f"{name} {values[name]:.3f}" for name in ("perceptual", "discriminator") if values.get(name)]

    def not_finite(self, values: dict[str, float]) -> str:
        words = f"reconstruction {values['reconstruction']:.4g}, KL {values['kl']:.4g} nats"
        others = [name for name in ("perceptual", "adversarial", "discriminator") if name in values]
        return ", ".join([words, *(f"{name} {values[name]:.4g}" for name in others)])

    def validate(self, network: SpatialVAE) -> dict[str, float]:
        return validate(network, self.data.split("validation"), seed=self.optimisation.seed)

    def save(self, network: SpatialVAE, run: Run) -> None:
        save_model(run.folder, network)

    def validated(self, network: SpatialVAE, run: Run, seen: int) -> None:
        draw_grids(network, self.data.split("validation"), run.grids / f"{seen:09d}", self.optimisation.seed)

    def finish(self, network: SpatialVAE, run: Run, say: Callable[[str], None]) -> None:
        load_priors(run.folder, network)
        if "gaussian" not in network.priors:
            say("fitting a Gaussian to the aggregate posterior")
            fit_run_prior(network, self.data, run.folder, seen=self.total, seed=self.optimisation.seed)

    def other_data(self, folder: Path) -> str:
        before, now = Run(folder).record(), DataRecord.of(self.data)
        which = ""
        if before is not None:
            changed = before.words == now.words
            which = f": {now.words} has changed since" if changed else f": {before.words}, not {now.words}"
        return (
            f"{folder} was trained on other images than these{which}.\n"
            "Name a new folder as `out`, or give the data of before."
        )


def with_run_defaults(config: TrainConfig) -> TrainConfig:
    """The settings with what the network says of the model, as the run's file has them.

    >>> with_run_defaults(TrainConfig.parse({"network": "residual", "objective": "paper"}, "here")).model.likelihood
    'gaussian:mean=linear'
    """
    model = with_defaults(config.model)
    if config.objective == "paper" and config.model.likelihood is None and model.likelihood not in UNIT_GAUSSIANS:
        model = model.model_copy(update={"likelihood": "gaussian"})  # the objective's own, see `sized`
    return config.model_copy(update={"model": model})


def check_settings(config: TrainConfig, data: ImageData, *, parts: bool = True) -> None:
    """Refuse names of parts, and data without a split, that would only fail once the run has begun."""
    data.split("train")
    check_picture_losses(config, (data.channels, data.height, data.width))
    if "validation" not in data.splits:
        raise UserError(f"Training wants validation images too; {data.name} has only {', '.join(data.splits)}.")
    if parts:
        named_parts(config.sized((data.height, data.width), data.channels))


def make_optimizer(model: SpatialVAE, optimisation: AbstractOptimisation, fused: bool) -> torch.optim.Optimizer:
    """Adam over every parameter, a group for each factor of the learning rate.

    A module may have an attribute `learning_rate_factor`, for its parameters and those of the modules inside it.
    """
    factors = dict.fromkeys(model.parameters(), 1.0)
    for module in model.modules():  # outer ones before inner ones
        factor = getattr(module, "learning_rate_factor", None)
        if factor is not None:
            factors |= dict.fromkeys(module.parameters(), factor)
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter, own in factors.items() if own == factor], "factor": factor}
        for factor in dict.fromkeys([1.0, *factors.values()])
    ]
    return torch.optim.Adam(groups, lr=optimisation.learning_rate, fused=fused)
