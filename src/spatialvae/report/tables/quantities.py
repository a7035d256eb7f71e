"""What the rows of a report's table are: a title, a unit, a meaning, and how a model's cell reads."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from spatialvae.metrics.catalogue import describe, rank
from spatialvae.metrics.latent.summary import AggregateSummary, LatentHealth
from spatialvae.report import spelling
from spatialvae.report.models import baseline_label
from spatialvae.report.plots.health import INFORMATIVE, informative
from spatialvae.report.sections import GROUPS
from spatialvae.results import ModelResult, Results

__all__ = ["Quantity", "quantities"]

DIRECTION = {"higher": ("↑", "higher is better"), "lower": ("↓", "lower is better")}


@dataclass(frozen=True)
class Quantity:
    """A row of the table before it is read from the models."""

    title: str
    unit: str
    meaning: str
    group: str
    text: Callable[[ModelResult], str]
    metric: str = ""
    """The key of the models' metrics, for rows that are one."""
    of: str = ""
    """What a metric was taken of, where it is of sets of images."""
    better: Literal["higher", "lower", ""] = ""


def quantities(results: Results) -> list[Quantity]:
    """Every row that some model has something for, in the order of GROUPS."""
    rows = [*_metrics(results), *_health(results), *_sizes(results), *_costs(results)]
    return sorted(rows, key=lambda row: GROUPS.index(row.group))


def _metrics(results: Results) -> list[Quantity]:
    """The metrics that any model has, in the catalogue's order within what they were taken of."""
    keys = {key for model in results.models for key in model.metrics}
    return [_metric(results, key) for key in sorted(keys, key=lambda key: describe(key) and rank(key))]


def _metric(results: Results, key: str) -> Quantity:
    whole, plain = describe(key), describe(key.partition("/")[0])
    features = results.evaluation.features
    # "FID" belongs to one network alone: the features' own title says whether it is that one.
    named = features.title if features and plain.name == "frechet" else None
    arrow, direction = DIRECTION.get(whole.better, ("", ""))
    return Quantity(
        title=named or plain.title,
        unit=f"{whole.unit}, {arrow}" if arrow else whole.unit,
        meaning=f"{whole.meaning}; {direction}" if direction else whole.meaning,
        group=whole.group,
        text=_active if key == "active_units" else lambda model: _estimate(model, key),
        metric=key,
        of=whole.title.removeprefix(plain.title).removeprefix(", "),
        better=whole.better,
    )


def _estimate(model: ModelResult, key: str) -> str:
    estimate = model.metrics.get(key)
    return spelling.estimate(estimate.value, estimate.standard_error) if estimate else spelling.MISSING


def _active(model: ModelResult) -> str:
    """How many numbers of the code are active, and of how many."""
    active = model.metrics.get("active_units")
    whole = active is not None and not active.standard_error and active.value.is_integer()
    count = spelling.integer(active.value) if active and whole else _estimate(model, "active_units")
    return f"{count} of {math.prod(model.code):,}" if model.code and count != spelling.MISSING else count


def _health(results: Results) -> list[Quantity]:
    """What the latent's health says in single numbers."""
    if not any(model.health for model in results.models):
        return []
    holes = (
        "of 1,000 draws from N(0, I), those farther from the middle of the codes than 99 % of the images' codes: where "
        "they are many, samples from N(0, I) do not look like the data"
    )
    rows = [
        (
            "informative maps",
            f"above {INFORMATIVE:g} nats",
            f"maps whose KL exceeds {INFORMATIVE:g} nats an image",
            _maps,
        ),
        ("prior draws outside", "share", holes, lambda health: spelling.share(health.outside)),
        (
            "aggregate to prior",
            "nats",
            "the KL to N(0, I) of a Gaussian with the moments of all images' codes together; 0 if they fill the prior",
            lambda health: _amounts(health.aggregate.kl_to_prior),
        ),
        (
            "variance of the codes",
            "smallest / median / largest",
            "over all images, of the numbers of the code; 1 under N(0, I)",
            lambda health: _variances(health.aggregate),
        ),
        (
            "largest mean of the codes",
            "absolute",
            "over all images, of the numbers of the code; 0 under N(0, I)",
            lambda health: _amounts(health.aggregate.largest_mean),
        ),
    ]
    return [Quantity(title, unit, meaning, "latent", _of_health(read)) for title, unit, meaning, read in rows]


def _of_health(read: Callable[[LatentHealth], str]) -> Callable[[ModelResult], str]:
    return lambda model: read(model.health) if model.health else spelling.MISSING


def _maps(health: LatentHealth) -> str:
    if not health.kl_per_map:
        return spelling.MISSING
    many, maps = informative(health.kl_per_map)
    return f"{many:,} of {maps:,}"


def _variances(aggregate: AggregateSummary) -> str:
    return _amounts(aggregate.smallest_variance, aggregate.median_variance, aggregate.largest_variance)


def _amounts(*values: float | None) -> str:
    """Numbers, all or none."""
    known = [value for value in map(spelling.finite, values) if value is not None]
    return " / ".join(spelling.amount(value) for value in known) if len(known) == len(values) else spelling.MISSING


def _sizes(results: Results) -> list[Quantity]:
    """How large each model is: what one has in mind when comparing the results."""
    outputs = "how many numbers the encoder puts out for one image, the parameters of q(z|x)"
    weight = "the factor of the KL, both terms in nats, that the paper's loss amounts to: pixels / (2 latents)"
    rows = [
        Quantity("latent", "maps × h × w", "the shape of a code; a vector is maps of 1 × 1", "size", _code),
        Quantity("encoder outputs", "numbers", outputs, "size", lambda model: spelling.integer(model.encoder_outputs)),
        Quantity("encoder", "parameters", "trainable numbers of the encoder", "size", _of_parameters("encoder")),
        Quantity("decoder", "parameters", "trainable numbers of the decoder", "size", _of_parameters("decoder")),
    ]
    if any(model.decoder_flops is not None for model in results.models):
        flops = "floating point operations of the decoder for one image"
        rows.append(Quantity("decoder", "FLOPs", flops, "size", lambda model: spelling.integer(model.decoder_flops)))
    if any(model.kl_weight is not None for model in results.models):
        rows.append(Quantity("KL weight", "factor", weight, "size", lambda model: spelling.estimate(model.kl_weight)))
    return rows


def _costs(results: Results) -> list[Quantity]:
    baseline = baseline_label(results) or "the first"
    unit = f"× {baseline}"
    epoch = f"the time of one pass over the training images, as a ratio to {baseline}"
    generation = f"the time to generate 10,000 images, as a ratio to {baseline}"
    return [
        Quantity(
            "epoch time", unit, epoch, "cost", lambda model: spelling.ratio(model.cost and model.cost.epoch_ratio)
        ),
        Quantity(
            "10,000 images",
            unit,
            generation,
            "cost",
            lambda model: spelling.ratio(model.cost and model.cost.generation_ratio),
        ),
    ]


def _of_parameters(part: Literal["encoder", "decoder"]) -> Callable[[ModelResult], str]:
    return lambda model: spelling.integer(getattr(model.parameters, part) if model.parameters else None)


def _code(model: ModelResult) -> str:
    return " × ".join(spelling.integer(side) for side in model.code) or spelling.MISSING
