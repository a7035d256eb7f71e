"""Which metrics the settings ask for, and whether they can be measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from spatialvae.config import EvaluationConfig
from spatialvae.data.dataset import WHOLE
from spatialvae.errors import UserError, nearest
from spatialvae.imagenet import INSTALL, is_installed
from spatialvae.metrics.base import DRAWN, METRICS, AbstractMetric, AbstractModelMetric, Need, Read, spec_key
from spatialvae.metrics.catalogue import check_apart, kind_of, owner_of

__all__ = [
    "ALL",
    "check_count",
    "given_names",
    "reads_prior",
    "refuse_unread",
    "select",
    "settings_read",
    "spelled_metrics",
    "split_specs",
]

ALL = ("all", "default")
"""What asks for all that is possible."""
SOME_READ: tuple[Read, ...] = get_args(Read)
OF_MODELS = frozenset({"importance_samples", "nll_images", *DRAWN})
"""Settings that a set of images has no use for."""
NO_LABELS = "the data has no labels"


def select(
    config: EvaluationConfig,
    *,
    model: bool = True,
    pairs: bool = True,
    no_probe: str | None = NO_LABELS,
    no_training: str | None = None,
) -> dict[str, AbstractMetric]:
    """The metrics to measure, in the registry's order, by key: those named, or all that are possible.

    Args:
        config: whose `metrics` are read.
        model: a model is measured, not a set of images.
        pairs: every image has its reconstruction.
        no_probe: why the images allow no linear probe; None where they do.
        no_training: why nothing can be fitted to the training images; None where it can.

    Raises:
        UserError: a name that is not known, a metric that needs something that is not there, or two metrics that give
            a quantity of one name.

    >>> list(select(EvaluationConfig(metrics="nll,bound"))), select(EvaluationConfig(), model=False, pairs=False)
    (['bound', 'nll'], {})
    """
    missing = _missing(config, model=model, pairs=pairs, no_probe=no_probe, no_training=no_training)
    asked = split_specs(config.metrics)
    if len(asked) == 1 and asked[0] in ALL:
        every = {name: METRICS.parse(name) for name in METRICS if asked == ["all"] or kind_of(name).by_default}
        return _apart({name: metric for name, metric in every.items() if not metric.needs & missing.keys()})
    metrics = [_parsed(spec) for spec in asked]
    for spec, metric in zip(asked, metrics, strict=True):
        for need, why in missing.items():
            if need in metric.needs:
                raise UserError(f"`metrics` {spec} is not possible here: {why}.")
    if not metrics:
        raise UserError(f"`metrics` names nothing to measure. {nearest('', METRICS)}")
    order = list(METRICS)
    by_key = {spec_key(METRICS.spell(metric)): metric for metric in metrics}
    return _apart(dict(sorted(by_key.items(), key=lambda item: order.index(item[0].partition(":")[0]))))


def check_count(wanted: Mapping[str, AbstractMetric], images: int) -> None:
    """Refuse a metric that is not possible on so many images, before any is measured.

    Raises:
        UserError: the first such metric, and what is possible.
    """
    for metric in wanted.values():
        if isinstance(metric, AbstractModelMetric):
            metric.check(images)


def _parsed(spec: str) -> AbstractMetric:
    """The metric of a text; of a number that a metric gives, the error says which metric that is."""
    name = spec.partition(":")[0]
    if name not in METRICS and (owner := owner_of(name)):
        raise UserError(f"There is no metric {name!r}: it is a number that the metric {owner!r} gives.")
    return METRICS.parse(spec)


def settings_read(metrics: Iterable[AbstractMetric]) -> frozenset[str]:
    """The settings that these metrics read, of those that only some do."""
    return frozenset(name for metric in metrics for name in (*metric.reads, *metric.needs) if name in SOME_READ)


def reads_prior(config: EvaluationConfig) -> bool:
    """Whether what is asked for depends on the priors of a model.

    >>> reads_prior(EvaluationConfig(metrics="bound,mse")), reads_prior(EvaluationConfig(metrics="mse,prior_gain"))
    (False, True)

    Raises:
        UserError: a metric that does not exist.
    """
    asked = split_specs(config.metrics)
    return any(spec in ALL or "prior" in _parsed(spec).reads for spec in asked)


def refuse_unread(config: EvaluationConfig, wanted: Mapping[str, AbstractMetric], *, model: bool = True) -> None:
    """Refuse a setting that none of the metrics reads, where metrics are named.

    Args:
        wanted: what is measured, see `select`.
        model: a model is measured, not a set of images.

    Raises:
        UserError: the first such setting, and what reads it.

    >>> refuse_unread(EvaluationConfig(metrics="mse", generated=5), {"mse": METRICS.parse("mse")})
    Traceback (most recent call last):
    spatialvae.errors.UserError: generated is not read by mse: leave it out, or measure one of frechet, kernel, ...
    """
    named = split_specs(config.metrics) not in [[one] for one in ALL]  # else all is measured that is possible
    read = settings_read(wanted.values()) - (frozenset() if model else OF_MODELS)
    for name in SOME_READ if named else ():
        if name in read or getattr(config, name) == EvaluationConfig.model_fields[name].default:
            continue
        if not model and name in OF_MODELS:
            raise UserError(f"`{name}` is for models, and these are images: leave it out.")
        readers = [one for one in METRICS if name in settings_read([METRICS.parse(one)])]
        more = ", ..." if len(readers) > 2 else ""
        raise UserError(
            f"`{name}` is not read by {', '.join(wanted)}: leave it out, or measure one of "
            f"{', '.join(readers[:2])}{more}"
        )


def _apart(wanted: dict[str, AbstractMetric]) -> dict[str, AbstractMetric]:
    """The same metrics; a UserError where two, or one with two choices of options, give a quantity of one name."""
    check_apart((key, name) for key, metric in wanted.items() for name in given_names(key, metric))
    return wanted


def given_names(key: str, metric: AbstractMetric) -> list[str]:
    """What a metric of this key calls its quantities in a result: the one of its own name carries its options too.

    >>> given_names("nll", METRICS.parse("nll")), given_names("mine:power=2", METRICS.parse("mse"))
    (['nll', 'nll_bound'], ['mine:power=2'])
    """
    name = key.partition(":")[0]
    return [key if one.name == name else one.name for one in metric.quantities(name)]


def spelled_metrics(metrics: object) -> object:
    """One text for metrics in a list, texts or objects of registered classes; all else stays for the settings to judge.

    >>> spelled_metrics(["bound", METRICS.parse("mse")]), spelled_metrics("bound,mse")
    ('bound,mse', 'bound,mse')

    Raises:
        UserError: an object whose class has no name among the metrics.
    """
    listed = metrics if isinstance(metrics, list | tuple) else [metrics]
    if metrics is None or not all(isinstance(one, str | AbstractMetric) for one in listed):
        return metrics
    return ",".join(METRICS.spell(one) if isinstance(one, AbstractMetric) else str(one) for one in listed)


def split_specs(text: str) -> list[str]:
    """The parts of a text between commas; an ``option=value`` belongs to the name before it.

    >>> split_specs("nll, mine:power=2,scale=3,mse")
    ['nll', 'mine:power=2,scale=3', 'mse']
    """
    specs: list[str] = []
    for part in filter(None, map(str.strip, text.split(","))):
        if specs and "=" in part and ":" not in part:
            specs[-1] += f",{part}"
        else:
            specs.append(part)
    return specs


def _missing(
    config: EvaluationConfig, *, model: bool, pairs: bool, no_probe: str | None, no_training: str | None
) -> dict[Need, str]:
    """What is not there, and why; the reason to name first stands first."""
    missing: dict[Need, str] = {}
    if not model:
        missing["model"] = "it measures a model: give a run folder, not images"
    if not pairs:
        missing["pairs"] = "it compares images with their own reconstructions: set `paired`"
    if no_probe is not None:
        missing["labels"] = no_probe
    if no_training is not None:
        missing["training"] = no_training
    if config.split == WHOLE:
        missing["apart"] = "its sigma is picked on validation images, which `split` all holds too: use `split` test"
    if config.lpips is None:
        missing["lpips"] = "it needs a perceptual network: `lpips` FILE.pt, a TorchScript file"
    if not is_installed():
        missing["imagenet"] = f"it needs the ImageNet network: {INSTALL}"
    if config.features is None:
        missing["features"] = "it needs a feature network: `features` imagenet, or FILE.pt, a TorchScript file"
    return missing
