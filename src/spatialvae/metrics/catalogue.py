"""The words for a result's key, from the registry of metrics, and the order of reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from typing import get_args

from spatialvae.errors import UserError, nearest
from spatialvae.metrics.base import METRICS, RECONSTRUCTIONS, AbstractMetric, Better, Group, Quantity, split_key
from spatialvae.plugins import load_entry_points

__all__ = ["check_apart", "describe", "kind_of", "metrics_help", "owner_of", "quantities", "rank"]

for _group in get_args(Group):  # importing them registers the package's own metrics, in this order
    import_module(f"spatialvae.metrics.{_group}.registered")

WORDS = "title, unit, better, group and meaning"


def kind_of(name: str) -> type[AbstractMetric]:
    """The class of a metric by its registered name.

    Raises:
        UserError: it is no class of a metric.
    """
    kind = METRICS[name]
    if not (isinstance(kind, type) and issubclass(kind, AbstractMetric)):
        raise UserError(
            f"The metric {name} is no class that extends AbstractMetric: register one, such as a dataclass."
        )
    return kind


def quantities() -> dict[str, Quantity]:
    """Every number that a metric can give, by its name, in the order of reports.

    >>> list(quantities())[:4], quantities()["frechet"].unit
    (['elbo', 'bits_per_dim', 'reconstruction', 'kl'], 'squared')

    Raises:
        UserError: a metric lacks one of its words, or two give a quantity of one name.
    """
    every = [(name, one) for name in METRICS for one in _quantities_of(name)]
    check_apart((name, one.name) for name, one in every)
    return {one.name: one for _, one in every}


def owner_of(quantity: str) -> str | None:
    """The metric that gives a number of this name; None where none does.

    >>> owner_of("elbo"), owner_of("elb")
    ('bound', None)
    """
    return next((name for name in METRICS if any(one.name == quantity for one in _quantities_of(name))), None)


def _quantities_of(name: str) -> tuple[Quantity, ...]:
    """The numbers of one metric, whose words were looked at: a report reads those of every metric."""
    try:
        numbers = kind_of(name).quantities(name)
    except AttributeError as error:
        raise UserError(f"The metric {name} lacks its {error.name}: give its class {WORDS}.") from None
    for one in numbers:
        for word, choices in (("group", get_args(Group)), ("better", get_args(Better))):
            if (value := getattr(one, word)) not in choices:
                raise UserError(f"The metric {name} has {word}={value!r}. {nearest(str(value), filter(None, choices))}")
    return numbers


def check_apart(given: Iterable[tuple[str, str]]) -> None:
    """Refuse two metrics that give a quantity of one name, since only one of them can stand in a result.

    Args:
        given: each metric, by its name or spec, with the name of a quantity of it.

    Raises:
        UserError: a quantity of two metrics.
    """
    owners: dict[str, str] = {}
    for metric, quantity in given:
        if owners.setdefault(quantity, metric) != metric:
            raise UserError(
                f"The metrics {owners[quantity]} and {metric} both give {quantity!r}: call it something else in one "
                "of them, or measure one at a time."
            )


def describe(key: str) -> Quantity:
    """The words for a result's key: a metric's name, or name/of-what for metrics of sets of images.

    >>> describe("elbo").title, describe("frechet/gaussian").title
    ('bound', 'Fréchet distance, samples from the fitted Gaussian')
    >>> describe("recall/mixture:components=20").title
    'recall, samples from the fitted mixture (components=20)'

    Raises:
        UserError: no such metric.
    """
    spec, of = split_key(key)
    name, _, options = spec.partition(":")
    if name not in quantities():
        load_entry_points()  # installed packages may know it
    known = quantities()
    if name not in known:
        raise UserError(f"There is no metric {name!r}. {nearest(name, known)}")
    words = known[name]
    title = f"{words.title} ({options})" if options else words.title
    return replace(words, name=key, title=f"{title}, {_subject(of)}" if of else title)


def rank(key: str) -> tuple[bool, int, str, int]:
    """Where a key stands in a report: by what it was taken of, samples before reconstructions, then by metric."""
    spec, of = split_key(key)
    from spatialvae.priors import PRIORS

    subjects = ["", *PRIORS]
    place = subjects.index(of) if of in subjects else len(subjects)
    return of == RECONSTRUCTIONS, place, of, list(quantities()).index(spec.partition(":")[0])


def metrics_help() -> str:
    """What can be asked for, in words for a help text.

    >>> metrics_help()
    'bound, nll, gaps, prior_gain, mse, baselines, psnr, ssim, perceptual, lpips, frechet, interpolated_frechet, kernel,
    precision, recall, density, coverage, parzen, health, probe; all; or default: all that the given files and labels
    allow, but gaps, perceptual, interpolated_frechet, parzen.'
    """
    rare = [name for name in METRICS.registered if not kind_of(name).by_default]
    left_out = f", but {', '.join(rare)}" if rare else ""
    return f"{', '.join(METRICS.registered)}; all; or default: all that the given files and labels allow{left_out}."


def _subject(of: str) -> str:
    """What a metric was taken of, in words."""
    from spatialvae.priors import prior_title  # it waits for torch, which a help text does not

    return of if of == RECONSTRUCTIONS else f"samples from {prior_title(of)}"
