"""A model in a few lines of text, and with pictures in a notebook."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from html import escape
from typing import Protocol

from torch import nn

from spatialvae.config import ModelConfig
from spatialvae.picture_grid import as_png, grid
from spatialvae.sampling import Generative, sample
from spatialvae.sizes import spell_shape

__all__ = ["as_html", "as_text", "spell_parameters"]

SHOWN = 16


class Model(Generative, Protocol):
    """What the lines name of a model."""

    config: ModelConfig

    @property
    def encoder(self) -> nn.Module:
        """From images to features."""
        ...

    @property
    def posterior(self) -> nn.Module:
        """From features to q(z|x)."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """All weights."""
        ...


def spell_parameters(model: Model) -> str:
    """How many weights a model has, and how many of them its encoder, the head after it, and its decoder have."""
    parts = (model, model.encoder, model.posterior, model.decoder)
    counts = [sum(weights.numel() for weights in part.parameters()) for part in parts]
    return "{:,} (encoder {:,}, head {:,}, decoder {:,})".format(*counts)


def as_text(model: Model) -> str:
    """The parts of a model and their sizes, a line each."""
    config = model.config
    fitted = f", fitted: {', '.join(model.priors)}" if len(model.priors) else ""
    lines = {
        "images": spell_shape(model.image_shape),
        "latent": f"{config.latent}, codes of {' x '.join(map(str, model.latent.event_shape))} numbers",
        "network": f"{config.network}, {config.head} head",
        "likelihood": config.likelihood,
        "prior": config.prior + fitted,
        "parameters": spell_parameters(model),
    }
    return "\n".join([type(model).__name__, *(f"  {name:<12}{value}" for name, value in lines.items())])


def as_html(model: Model) -> str:
    """Pictures drawn from the default prior, above the lines of `as_text`."""
    png = b64encode(as_png(grid(sample(model, SHOWN, seed=0)))).decode()
    picture = (
        f'<img alt="{SHOWN} pictures drawn from {escape(model.priors.default)}" src="data:image/png;base64,{png}">'
    )
    return f"{picture}<pre>{escape(as_text(model))}</pre>"
