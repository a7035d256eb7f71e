"""Whether the decoders of a comparison are of one size, in words where they are not."""

from __future__ import annotations

from collections.abc import Sequence

from spatialvae.report.models import labels
from spatialvae.results import Results

__all__ = ["decoder_note"]

PARAMETERS, FLOPS = 1.05, 1.10
"""The largest over the smallest up to which decoders count as equal."""


def decoder_note(results: Results) -> str:
    """That decoders differ by more than 5 % of parameters or 10 % of FLOPs, and what to do; empty where they do not.

    >>> from spatialvae.results import ModelResult, Parameters
    >>> models = [ModelResult(name, parameters=Parameters(1, size)) for name, size in (("vector", 100), ("naive", 120))]
    >>> decoder_note(Results(models=tuple(models)))
    'The decoders differ, so that a difference is not of the latents alone: naive has 20 % more parameters than vector.
    The network residual gives every latent the same layers.'
    """
    names = labels(results)
    parameters = [model.parameters.decoder if model.parameters else None for model in results.models]
    flops = [model.decoder_flops for model in results.models]
    notes = [_apart(names, parameters, PARAMETERS, "parameters"), _apart(names, flops, FLOPS, "FLOPs")]
    if not any(notes):
        return ""
    network = str(results.settings.get("network", "")).partition(":")[0]
    advice = (
        "Their layers are the same: the difference is in the numbers of a code."
        if network == "residual"
        else "The network residual gives every latent the same layers."
    )
    words = " and ".join(filter(None, notes))
    return f"The decoders differ, so that a difference is not of the latents alone: {words}. {advice}"


def _apart(names: Sequence[str], sizes: Sequence[int | None], most: float, unit: str) -> str:
    """Which decoder is how much larger than the smallest, where that is more than `most` times; else nothing."""
    known = [(size, name) for size, name in zip(sizes, names, strict=True) if size]
    if not known:
        return ""
    (least, small), (largest, large) = min(known), max(known)
    if largest <= most * least:
        return ""
    return f"{large} has {largest / least - 1:.0%} more {unit} than {small}".replace("%", " %")
