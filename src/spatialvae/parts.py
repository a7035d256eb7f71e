"""The parts that a model's settings name, as objects, and the settings that a model made of objects has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn
from torch.distributions import Distribution, kl_divergence

from spatialvae.config import AbstractModelOptions, ModelConfig
from spatialvae.errors import UserError, last_line
from spatialvae.heads import Head
from spatialvae.latents import LATENTS, AbstractLatent, parse_latent
from spatialvae.likelihoods import LIKELIHOODS, AbstractLikelihood
from spatialvae.networks import NETWORKS, AbstractNetworks, PaperNetworks
from spatialvae.networks.shapes import Shape, check_image_shape
from spatialvae.priors import PRIORS, AbstractModelFamily, LearnedFamily, StandardFamily, parse_own
from spatialvae.registry import Registry
from spatialvae.sizes import default_grid, parse_size

__all__ = [
    "OWN",
    "Parts",
    "check_divergence",
    "complete_parts",
    "named_parts",
    "own_name",
    "refuse_objects",
    "resolve_latent",
    "spelled",
    "with_defaults",
]

Options = TypeVar("Options", bound=AbstractModelOptions)

OWN = "own:"
"""What stands before the class of a part without a registered name."""


@dataclass(frozen=True)
class Parts:
    """What a model is made of, as objects: `SpatialVAE(**vars(parts))` takes them."""

    latent: AbstractLatent
    likelihood: AbstractLikelihood
    networks: AbstractNetworks
    prior: AbstractModelFamily
    image_shape: Shape
    head: Head
    grid: Shape
    """(maps, height, width) that the decoder is matched to."""

    def __post_init__(self) -> None:
        self.networks.check(self.image_shape, self.latent.event_shape, self.grid)

    @property
    def output_shape(self) -> Shape:
        """(outputs, H, W) that the likelihood wants of the decoder."""
        return (self.likelihood.outputs(self.image_shape[0]), *self.image_shape[1:])


def complete_parts(
    latent: AbstractLatent,
    image_shape: Shape,
    likelihood: AbstractLikelihood | None,
    networks: AbstractNetworks | None,
    encoder: nn.Module | None,
    decoder: nn.Module | None,
    prior: AbstractModelFamily | None,
    head: Head | None,
    grid: Shape | None,
) -> Parts:
    """The parts that a model was given, with the default for each that it was not; `SpatialVAE` says what they are.

    Raises:
        UserError: a name in place of an object, a prior that does not suit the latent, or images of no shape.
    """
    given = {"latent": latent, "likelihood": likelihood, "networks": networks, "prior": prior}
    _refuse_others(**given, encoder=encoder, decoder=decoder)
    prior = StandardFamily() if prior is None else prior
    prior.check(latent)
    networks = PaperNetworks() if networks is None else networks
    return Parts(
        latent=latent,
        likelihood=LIKELIHOODS.parse(networks.likelihood) if likelihood is None else likelihood,
        networks=networks,
        prior=prior,
        image_shape=check_image_shape(image_shape),
        head=networks.head if head is None else head,
        grid=latent.event_shape if grid is None else grid,
    )


def with_defaults(options: Options) -> Options:
    """The settings with all options of the network, and its own head and likelihood where they name none.

    Raises:
        UserError: a network that does not exist.
    """
    if options.network.startswith(OWN) and None not in (options.head, options.likelihood):
        return options
    networks = NETWORKS.parse(options.network)
    head, likelihood = options.head or networks.head, options.likelihood or networks.likelihood
    changes = {"network": NETWORKS.complete(options.network), "head": head, "likelihood": likelihood}
    return options.model_copy(update=changes)


def named_parts(config: ModelConfig) -> Parts:
    """The parts that the settings name.

    Raises:
        UserError: a name or an option that does not exist, or maps that do not fit into the images or that the network
            does not reach.
    """
    config = with_defaults(config)
    assert config.likelihood is not None
    assert config.head is not None
    latent, grid = resolve_latent(config)
    return Parts(
        latent=latent,
        likelihood=LIKELIHOODS.parse(config.likelihood),
        networks=NETWORKS.parse(config.network),
        prior=parse_own(config.prior),
        image_shape=(config.channels, *config.image_size),
        head=config.head,
        grid=grid,
    )


def resolve_latent(config: ModelConfig) -> tuple[AbstractLatent, Shape]:
    """The latent that the settings name, and (maps, height, width) of the grid that its decoder is matched to.

    Raises:
        UserError: a name or an option that does not exist, or maps that do not fit into the images.
    """
    shape = (config.channels, *config.image_size)
    own = config.network.startswith(OWN)
    maps, height, width = default_grid(shape[1:]) if own else NETWORKS.parse(config.network).default_grid(shape)
    if config.map_size is not None:
        height, width = parse_size(config.map_size, "map_size")
    maps = config.maps or maps
    if height > config.image_size[0] or width > config.image_size[1]:
        size = "x".join(str(side) for side in config.image_size)
        raise UserError(f"`map_size` {height}x{width} does not fit into images of {size}: use at most {size}.")
    return parse_latent(config.latent, (maps, height, width)), (maps, height, width)


def spelled(parts: Parts, halves: tuple[nn.Module, nn.Module] | None) -> ModelConfig:
    """The settings of a model made of objects: names and options, and `own:CLASS` for a part without a name.

    Args:
        parts: what the model is made of.
        halves: its encoder and decoder, where one of them does not come from the networks.

    Raises:
        UserError: images of a shape that cannot be.
    """
    own = None if halves is None else OWN + "+".join(type(half).__name__ for half in halves)
    maps, height, width = parts.grid
    channels, *image_size = parts.image_shape
    values = {
        "latent": _spell(LATENTS, parts.latent),
        "maps": maps,
        "map_size": f"{height}x{width}",
        "prior": _spell_prior(parts.prior),
        "likelihood": _spell(LIKELIHOODS, parts.likelihood),
        "network": own or _complete(_spell(NETWORKS, parts.networks)),
        "head": parts.head,
        "image_size": image_size,
        "channels": channels,
    }
    return ModelConfig.parse(values, "SpatialVAE")


def own_name(prior: AbstractModelFamily) -> str:
    """What p(z) of a model's bound is called: the name in the table, or `own:CLASS`."""
    return PRIORS.name_of(prior) or OWN + type(prior).__name__


def check_divergence(latent: AbstractLatent, prior: Distribution) -> None:
    """Refuse a latent whose KL divergence to p(z), which the bound is made of, has no formula.

    Raises:
        UserError: with what to do.
    """
    shapes = {**latent.shapes, **latent.shared_shapes}
    posterior = latent.distribution({name: torch.zeros(shape) for name, shape in shapes.items()})
    try:
        kl_divergence(posterior, prior)
    except NotImplementedError as error:
        raise UserError(
            f"The KL divergence of {type(latent).__name__} to p(z) has no formula: {last_line(error)}\n"
            "Return independent_normals, MatrixNormal or TensorNormal, or register one with torch's register_kl."
        ) from error


PARTS: dict[str, tuple[Registry, type]] = {
    "latent": (LATENTS, AbstractLatent),
    "likelihood": (LIKELIHOODS, AbstractLikelihood),
    "network": (NETWORKS, AbstractNetworks),
    "prior": (PRIORS, AbstractModelFamily),
}
"""By setting the table of names, and what the objects are; `SpatialVAE` calls them the same, but for its `networks`."""


def refuse_objects(settings: Mapping[str, object], where: str) -> None:
    """Refuse a part as an object, or its class, where a setting takes its name.

    Args:
        settings: by name.
        where: what they were given to, for messages.

    Raises:
        UserError: the first such part, with its text if it has one.

    >>> refuse_objects({"network": PaperNetworks(stem="authors")}, "train")
    Traceback (most recent call last):
    spatialvae.errors.UserError: train takes network as text: give network="paper:stem=authors".
    An object belongs into a model made of objects: SpatialVAE(networks=...).
    """
    for name, (registry, kind) in PARTS.items():
        part = settings.get(name)
        of_class = isinstance(part, type) and issubclass(part, kind)
        if not isinstance(part, kind) and not of_class:
            continue
        texts = [text for text in registry if registry[text] is part] if of_class else [_spell(registry, part)]
        named = texts and not texts[0].startswith(OWN)
        give = f'give {name}="{texts[0]}"' if named else "this one has no name among them"
        argument = "networks" if name == "network" else name
        raise UserError(
            f"{where} takes `{name}` as text: {give}.\n"
            f"An object belongs into a model made of objects: SpatialVAE({argument}=...)."
        )


def _refuse_others(**parts: object) -> None:
    """Refuse a name, a class or an object of another kind where a model takes an object.

    Raises:
        UserError: with what to write.
    """
    for name, part in parts.items():
        kind = nn.Module if name in ("encoder", "decoder") else PARTS[name.removesuffix("s")][1]
        if part is None or isinstance(part, kind):
            continue
        if isinstance(part, type):
            raise UserError(
                f"{name}={part.__name__} is a class, and SpatialVAE takes objects: write {part.__name__}()."
            )
        if isinstance(part, str):
            raise UserError(
                f"{name}={part!r} is a name, and SpatialVAE takes objects.\n"
                f"SpatialVAE.from_config(ModelConfig(...)) takes names."
            )
        raise UserError(f"{name}={part!r} is no {kind.__name__}, which SpatialVAE takes there.")


def _spell(registry: Registry, part: object) -> str:
    return OWN + type(part).__name__ if registry.name_of(part) is None else registry.spell(part)


def _complete(network: str) -> str:
    return network if network.startswith(OWN) else NETWORKS.complete(network)


def _spell_prior(prior: AbstractModelFamily) -> str:
    if isinstance(prior, LearnedFamily) and isinstance(prior.latent, AbstractLatent):
        return OWN + type(prior.latent).__name__
    return _spell(PRIORS, prior)
