"""Flags made from the settings themselves: a field's text is its flag's help."""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from spatialvae.config import (
    BenchConfig,
    CompareConfig,
    DataOptions,
    EvaluationConfig,
    ModelOptions,
)
from spatialvae.errors import with_flags
from spatialvae.metrics.catalogue import metrics_help
from spatialvae.settings import LAST_SEED, AbstractSettings

__all__ = [
    "Device",
    "Json",
    "Out",
    "Overwrite",
    "Prior",
    "RunFolder",
    "Seed",
    "Shown",
    "Temperature",
    "Threads",
    "finite",
    "given",
    "usable_seed",
    "with_settings",
]


REGISTERED: dict[str, Callable[[], str]] = {"metrics": metrics_help}
"""What can be named for a setting, in words, where a registry holds it."""


def finite(value: float) -> float:
    """The number, unless it is infinite or NaN: an option's own bounds let both pass."""
    if not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number.")
    return value


def usable_seed(value: int) -> int:
    """The seed, unless torch and numpy cannot both take it; the help would print an option's own bound in full."""
    if value > LAST_SEED:
        raise typer.BadParameter(f"{value} is too large: seeds go from 0 to {LAST_SEED}.")
    return value


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")]
Out = Annotated[Path, typer.Option("--out", help="The file or folder to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace whatever exists at --out.")]
RunFolder = Annotated[Path, typer.Argument(help="A run folder, or any folder with config.json and model.safetensors.")]
Seed = Annotated[int, typer.Option(min=0, callback=usable_seed, help="The same seed gives the same pictures.")]
Temperature = Annotated[
    float,
    typer.Option(min=0, callback=finite, help="Scale of the prior's noise: 0 gives its mean, 1 the prior itself."),
]
Shown = Annotated[
    str,
    typer.Option(
        "--pixels",
        help="What a picture is of p(x|z): its mean, its mode, or a sample with the likelihood's own noise.",
    ),
]
Device = Annotated[
    str | None, typer.Option(help="Where to compute: cpu, cuda, cuda:1 or mps. Default: cuda if available, else cpu.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Number of CPU threads. Default: torch's choice.")]
Prior = Annotated[
    str | None,
    typer.Option(
        help="The prior to draw from: standard (N(0, I), the paper's), learned, or a fitted one such as gaussian "
        "or mixture. Default: the run's default, else gaussian."
    ),
]


def with_settings(
    *settings: type[AbstractSettings], without: Collection[str] = (), default: str | None = None
) -> Callable[[Callable], Callable]:
    """Give a command one flag for each field of `settings`; what was given arrives as keyword arguments.

    A field that several classes have becomes one flag, with the text of the first. The flags' defaults are None, so
    that a command can tell what was given from what was left out; the help names the field's own, or says `default`.
    """
    fields: dict[str, tuple[FieldInfo, str]] = {}
    for kind in settings:
        for name, field in kind.flat_fields().items():
            fields.setdefault(name, (field, _panel(kind, name)))

    def decorate(command: Callable) -> Callable:
        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.kind is not p.VAR_KEYWORD]
        flags = [_flag(name, *field, default) for name, field in fields.items() if name not in without]

        def wrapper(**arguments: Any) -> Any:
            return command(**arguments)

        wrapper.__doc__, wrapper.__name__ = command.__doc__, command.__name__
        wrapper.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
        return wrapper

    return decorate


def given(values: dict[str, Any]) -> dict[str, Any]:
    """The settings that the user gave; a flag that may be repeated and was not given is an empty list."""
    return {name: value for name, value in values.items() if value is not None and value != []}


def _flag(name: str, field: FieldInfo, panel: str, default: str | None) -> inspect.Parameter:
    kind = _plain_type(field.annotation)
    flag = "--" + name.replace("_", "-")
    # No square brackets: the help would take them for rich's markup.
    default_text = "" if field.default in (None, False) else f" (default: {default or _spelled(field.default)})"
    option = typer.Option(
        f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
        help=f"{with_flags(field.description or '')}{default_text}{_registered(name)}{_choices(field)}",
        rich_help_panel=panel,
        show_default=False,
    )
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _plain_type(annotation: Any) -> Any:
    """int, float, bool or str, or a list of one, for a field's annotation; the settings check choices and bounds."""
    if isinstance(annotation, types.UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is list:
        return list[_plain_type(get_args(annotation)[0])]
    return str if get_origin(annotation) is Literal else annotation


def _registered(name: str) -> str:
    """The names of the registry that a setting takes names from; empty for any other."""
    return f": {REGISTERED[name]()}" if name in REGISTERED else ""


def _choices(field: FieldInfo) -> str:
    """The values of a fixed set, where the field's own text does not name them all."""
    values = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    return "" if all(value in (field.description or "") for value in values) else f" One of {', '.join(values)}."


def _spelled(value: Any) -> str:
    return " ".join(f"{part:g}" for part in value) if isinstance(value, list) else str(value)


def _panel(settings: type[AbstractSettings], name: str) -> str:
    """The heading that a flag's help stands under."""
    if settings in PANELS:
        return PANELS[settings]
    if name in DataOptions.model_fields:
        return "Data"
    return "Model" if name in ModelOptions.model_fields else "Training"


PANELS: dict[type[AbstractSettings], str] = {
    BenchConfig: "Benchmark",
    CompareConfig: "Comparison",
    EvaluationConfig: "Evaluation",
}
