"""What all settings share: checked when they are made, refused in a line, read from a file that runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from spatialvae.errors import UserError, nearest

__all__ = ["AbstractSettings", "read_settings", "several", "translated"]


def several(*names: str) -> Any:
    """A check of fields that are lists: one value is a list of one, as in `beta: 1` in a file; none is refused."""

    def check(value: Any) -> Any:
        values = value if value is None or isinstance(value, list | tuple) else [value]
        if values is not None and not values:
            raise ValueError("name at least one")
        return values

    return field_validator(*names, mode="before")(check)


class AbstractSettings(BaseModel):
    """Settings that refuse unknown keys and numbers that are not finite, and never change once made."""

    # A YAML file says `image_size: 64`, a flag says the same as text.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, allow_inf_nan=False)

    @classmethod
    def parse(cls, values: dict[str, Any], where: str) -> Self:
        """Settings from plain values; a UserError names the field, the value and the rule."""
        for key in values:
            if key not in cls.model_fields:
                raise UserError(f"{where} has an unknown setting {key!r}. {nearest(str(key), cls.model_fields)}")
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = f"`{first['loc'][0]}`" if first["loc"] else "settings"
            rule = first["msg"].removeprefix("Value error, ").replace("Input should", "it should")
            value = f" {first['input']}" if first["loc"] else ""
            raise UserError(f"{where}: {name}{value} is not possible: {rule}.") from None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Settings from a YAML file (never executed: the safe subset)."""
        return cls.parse(read_settings(path), str(path))


def read_settings(path: Path) -> dict[str, Any]:
    """The plain values of a YAML file (never executed: the safe subset), not yet checked against any settings.

    Raises:
        UserError: no such file, no YAML, or something else than names with values.
    """
    import yaml  # here, since the command line's help should not wait for it

    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read as settings: {str(error).splitlines()[0]}.") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no settings: a YAML mapping of names to values is wanted.")
    return translated(values)


def translated(values: dict[str, Any]) -> dict[str, Any]:
    """Settings as earlier versions wrote them into files, under the names of today.

    >>> translated({"latent": "vector", "decoder_stem": "authors"})
    {'latent': 'vector', 'network': 'paper:stem=authors'}
    """
    if "decoder_stem" not in values:
        return values
    stem = values["decoder_stem"]
    rest = {name: value for name, value in values.items() if name != "decoder_stem"}
    return {**rest, "network": "paper" if stem == "matched" else f"paper:stem={stem}"}
