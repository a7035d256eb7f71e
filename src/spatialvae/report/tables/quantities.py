"""What the rows of a report's table are: a title, a unit, a meaning, and how a model's cell reads."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from spatialvae.metrics.catalogue import CATALOGUE, OF, describe
from spatialvae.report import spelling
from spatialvae.report.models import baseline_label
from spatialvae.report.plots.health import INFORMATIVE, informative

__all__ = ["GROUPS", "Model", "Quantity", "quantities"]

Model = dict[str, Any]
GROUPS = ("samples", "reconstruction", "likelihood", "latent", "size", "cost")
"""The order of the table."""
DIRECTION = {"higher": ("↑", "higher is better"), "lower": ("↓", "lower is better")}


@dataclass(frozen=True)
class Quantity:
    """A row of the table before it is read from the models."""

    title: str
    unit: str
    meaning: str
    group: str
    text: Callable[[Model], str]
    metric: str = ""
    """The key of the models' metrics, for rows that are one."""
    of: str = ""
    """What a metric was taken of, where it is of sets of images."""
    better: Literal["higher", "lower", ""] = ""


def quantities(comparison: dict[str, Any]) -> list[Quantity]:
    """Every row that some model has something for, in the order of GROUPS."""
    rows = [*_metrics(comparison), *_health(comparison), *_sizes(comparison), *_costs(comparison)]
    return sorted(rows, key=lambda row: GROUPS.index(row.group))


def _metrics(comparison: dict[str, Any]) -> list[Quantity]:
    """The metrics that any model has, in the catalogue's order within what they were taken of."""
    keys = {key for model in comparison["models"] for key in model.get("metrics") or {}}
    names, parts = list(CATALOGUE), ["", *OF]

    def place(key: str) -> tuple[bool, int, str, int]:
        name, _, of = key.partition("/")
        known = of in parts
        # Samples from every prior come before the reconstructions.
        return of == "reconstructions", parts.index(of) if known else len(parts), of, names.index(name)

    return [_metric(comparison, key) for key in sorted(keys, key=lambda key: describe(key) and place(key))]


def _metric(comparison: dict[str, Any], key: str) -> Quantity:
    whole, plain = describe(key), describe(key.partition("/")[0])
    features = (comparison.get("evaluation") or {}).get("features") or {}
    # "FID" belongs to one network alone: the features' own title says whether it is that one.
    title = str(features.get("title") or plain.title) if plain.name == "frechet" else plain.title
    arrow, direction = DIRECTION.get(whole.better, ("", ""))
    return Quantity(
        title=title,
        unit=f"{whole.unit}, {arrow}" if arrow else whole.unit,
        meaning=f"{whole.meaning}; {direction}" if direction else whole.meaning,
        group=whole.group,
        text=_active if key == "active_units" else lambda model: spelling.estimate(*_estimate(model, key)),
        metric=key,
        of=whole.title.removeprefix(plain.title).removeprefix(", "),
        better=whole.better,
    )


def _estimate(model: Model, key: str) -> tuple[Any, Any]:
    entry = (model.get("metrics") or {}).get(key) or {}
    return entry.get("value"), entry.get("standard_error")


def _active(model: Model) -> str:
    """How many numbers of the code are active, and of how many."""
    value, error = _estimate(model, "active_units")
    whole = not spelling.finite(error) and spelling.finite(value) is not None and value == int(value)
    count = spelling.integer(value) if whole else spelling.estimate(value, error)
    code = model.get("code")
    return f"{count} of {math.prod(code):,}" if code and count != spelling.MISSING else count


def _health(comparison: dict[str, Any]) -> list[Quantity]:
    """What the latent's health says in single numbers."""
    if not any(model.get("health") for model in comparison["models"]):
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
        ("prior draws outside", "share", holes, lambda health: spelling.share(health.get("outside"))),
        (
            "aggregate to prior",
            "nats",
            "the KL to N(0, I) of a Gaussian with the moments of all images' codes together; 0 if they fill the prior",
            lambda health: _aggregate(health, "kl_to_prior"),
        ),
        (
            "variance of the codes",
            "smallest / median / largest",
            "over all images, of the numbers of the code; 1 under N(0, I)",
            lambda health: _aggregate(health, "smallest_variance", "median_variance", "largest_variance"),
        ),
        (
            "largest mean of the codes",
            "absolute",
            "over all images, of the numbers of the code; 0 under N(0, I)",
            lambda health: _aggregate(health, "largest_mean"),
        ),
    ]
    return [
        Quantity(title, unit, meaning, "latent", lambda model, read=read: read(model.get("health") or {}))
        for title, unit, meaning, read in rows
    ]


def _maps(health: dict[str, Any]) -> str:
    found = informative(health)
    return f"{found[0]:,} of {found[1]:,}" if found else spelling.MISSING


def _aggregate(health: dict[str, Any], *names: str) -> str:
    """Numbers of the aggregate posterior, all or none."""
    values = [spelling.finite((health.get("aggregate") or {}).get(name)) for name in names]
    known = [value for value in values if value is not None]
    return " / ".join(spelling.amount(value) for value in known) if len(known) == len(values) else spelling.MISSING


def _sizes(comparison: dict[str, Any]) -> list[Quantity]:
    """How large each model is: what one has in mind when comparing the results."""
    outputs = "how many numbers the encoder puts out for one image, the parameters of q(z|x)"
    rows = [
        Quantity("latent", "maps × h × w", "the shape of a code; a vector is maps of 1 × 1", "size", _code),
        Quantity("encoder outputs", "numbers", outputs, "size", lambda model: _integer(model, "encoder_outputs")),
    ]
    for part in ("encoder", "decoder"):
        trainable = f"trainable numbers of the {part}"
        rows.append(Quantity(part, "parameters", trainable, "size", _inside("parameters", part, spelling.integer)))
    if any(spelling.finite(model.get("kl_weight")) is not None for model in comparison["models"]):
        weight = "the factor of the KL, both terms in nats, that the paper's loss amounts to: pixels / (2 latents)"
        rows.append(
            Quantity("KL weight", "factor", weight, "size", lambda model: spelling.estimate(model.get("kl_weight")))
        )
    return rows


def _costs(comparison: dict[str, Any]) -> list[Quantity]:
    baseline = baseline_label(comparison) or "the first"
    unit = f"× {baseline}"
    epoch = f"the time of one pass over the training images, as a ratio to {baseline}"
    generation = f"the time to generate 10,000 images, as a ratio to {baseline}"
    return [
        Quantity("epoch time", unit, epoch, "cost", _inside("cost", "epoch_ratio", spelling.ratio)),
        Quantity("10,000 images", unit, generation, "cost", _inside("cost", "generation_ratio", spelling.ratio)),
    ]


def _integer(model: Model, name: str) -> str:
    return spelling.integer(model.get(name))


def _inside(part: str, name: str, spell: Callable[[Any], str]) -> Callable[[Model], str]:
    return lambda model: spell((model.get(part) or {}).get(name))


def _code(model: Model) -> str:
    code = model.get("code")
    return " × ".join(spelling.integer(side) for side in code) if code else spelling.MISSING
