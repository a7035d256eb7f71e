"""What all settings share: checked when they are made, refused in a line, read from a file that runs nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo

from spatialvae.errors import UserError, nearest

__all__ = [
    "LAST_SEED",
    "AbstractSettings",
    "Length",
    "Plain",
    "Seed",
    "WarmUp",
    "divided",
    "read_settings",
    "several",
    "translated",
]

Plain: TypeAlias = str | int | float | list[Any] | tuple[Any, ...] | None
"""The value of a setting, as a file and a command line have it."""


LAST_SEED = 2**63 - 1
"""The largest seed that torch and numpy both take."""
Seed = Annotated[int, Field(ge=0, le=LAST_SEED)]
Length = Annotated[int | None, Field(ge=1, le=10**12)]
"""Of training or a part of it, in images; weeks of the fastest machine see fewer."""
WarmUp = Annotated[int, Field(ge=0, le=10**12)]


def several(*names: str) -> Any:
    """A check of fields that are lists: one value is a list of one, as in `beta: 1` in a file; none is refused."""

    def check(value: Any) -> Any:
        values = value if value is None or isinstance(value, list | tuple) else [value]
        if values is not None and not values:
            raise ValueError("name at least one")
        return values

    return field_validator(*names, mode="before")(check)


class AbstractSettings(BaseModel):
    """Settings that refuse unknown keys and numbers that are not finite, and never change once made.

    A field may be settings itself: a part. Command lines, YAML files and keywords name the fields of all parts side by
    side; `parse` puts such flat values in their parts, and `flat` gives them back.

    >>> from spatialvae.config import TrainConfig
    >>> config = TrainConfig.parse({"latent": "vector", "images": 500}, "here")
    >>> config.model.latent, config.optimisation.images, config.flat()["batch_size"], config.given()
    ('vector', 500, 100, {'latent': 'vector', 'images': 500})
    >>> config.replaced(images=600, beta=2).given()
    {'latent': 'vector', 'images': 600, 'beta': 2.0}
    """

    # A YAML file says `image_size: 64`, a flag says the same as text.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, allow_inf_nan=False)

    def __init__(self, /, **values: Any) -> None:
        _refuse_unknown(values, type(self).__name__, type(self).model_fields, self.parts())
        self._fill(values, type(self).__name__)

    def _fill(self, values: dict[str, Any], where: str) -> None:
        """Check and take the values of the fields; a UserError names what holds them, the value and the rule."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise UserError(f"{where}: {_complaint(error)}.") from None

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        cls.flat_fields()

    @classmethod
    def parts(cls) -> dict[str, type[AbstractSettings]]:
        """The fields that are settings themselves."""
        kinds = {name: field.annotation for name, field in cls.model_fields.items()}
        return {
            name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, AbstractSettings)
        }

    @classmethod
    def flat_fields(cls) -> dict[str, FieldInfo]:
        """All fields by name, those of the parts in the place of the parts.

        Raises:
            TypeError: two fields of one name.
        """
        parts, fields = cls.parts(), dict[str, FieldInfo]()
        for name, field in cls.model_fields.items():
            own = parts[name].flat_fields() if name in parts else {name: field}
            if twice := own.keys() & fields.keys():
                raise TypeError(f"{cls.__name__} has two fields called {', '.join(sorted(twice))}.")
            fields |= own
        return fields

    @classmethod
    def parse(cls, values: Mapping[str, object], where: str) -> Self:
        """Settings from flat, plain values; a UserError names the field, the value and the rule."""
        _refuse_unknown(values, where, cls.flat_fields(), cls.parts())
        own = dict(values)
        for name, kind in cls.parts().items():
            of_part = {key: own.pop(key) for key in kind.flat_fields() if key in own}
            if of_part:
                own[name] = kind.parse(of_part, where)
        settings = cls.__new__(cls)
        settings._fill(own, where)
        return settings

    @classmethod
    def read(cls, path: Path) -> Self:
        """Settings from a YAML file (never executed: the safe subset)."""
        return cls.parse(read_settings(path), str(path))

    def flat(self) -> dict[str, Plain]:
        """Every value by the name of its field, as a YAML file and a command line have them."""
        return self._flat(given=False)

    def given(self) -> dict[str, Plain]:
        """Those of the values that were given, and not left at their defaults."""
        return self._flat(given=True)

    def replaced(self, **values: object) -> Self:
        """The same settings with others of these names, checked like all.

        Raises:
            UserError: a name that does not exist, or a value that is not possible.
        """
        return type(self).parse({**self.given(), **values}, type(self).__name__)

    def _flat(self, *, given: bool) -> dict[str, Plain]:
        values: dict[str, Plain] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, AbstractSettings):
                values |= value._flat(given=given)
            elif not given or name in self.model_fields_set:
                values[name] = value
        return values


SHOWN = 80
"""Characters of a wrong value that a message shows."""


def _complaint(error: ValidationError) -> str:
    """What is wrong with the first of the values, without the full stop."""
    first = error.errors()[0]
    rule = first["msg"].removeprefix("Value error, ").replace("Input should", "it should").rstrip(".")
    if not first["loc"]:
        return rule
    value = " ".join(str(first["input"]).split())
    if first["type"] == "string_type":
        nested = isinstance(first["input"], Mapping)
        rule = "settings are flat, and it should be text" if nested else "it should be text, as a file has it"
    return f"`{first['loc'][0]}` {value[:SHOWN]}{'...' * (len(value) > SHOWN)} is not possible: {rule}"


def _refuse_unknown(
    values: Mapping[str, object], where: str, names: Collection[str], parts: Mapping[str, type[AbstractSettings]]
) -> None:
    """Refuse a name that is not among these.

    Args:
        where: what holds the values, for messages.
        names: those that are asked for here.
        parts: the settings that are parts of these, whichever of the two is asked for: the parts or their fields.

    Raises:
        UserError: the first such name, and what to write instead.
    """
    for name, value in values.items():
        if name in names:
            continue
        for part, kind in parts.items():
            if part in names and name in kind.flat_fields():
                raise UserError(f"{where}: `{name}` belongs to {part!r}: give {part}={kind.__name__}({name}=...).")
        if name in parts or isinstance(value, Mapping):
            some = value if isinstance(value, Mapping) else parts[name].flat_fields()
            fields = ", ".join(map(str, list(some)[:3])) or "their names"
            raise UserError(f"{where}: settings are flat: give {fields}, ... by themselves, not inside {name!r}.")
        raise UserError(f"{where} has an unknown setting {name!r}. {nearest(str(name), names)}")


def divided(
    values: Mapping[str, object], where: str, *kinds: type[AbstractSettings], without: Collection[str] = ()
) -> list[dict[str, object]]:
    """Flat values as those of each kind of settings; a name that several kinds have goes to the first of them.

    Args:
        where: what holds the values, for messages.
        without: names that are not asked for.

    Raises:
        UserError: a name that none of them has.
    """
    names: dict[str, int] = {}
    for index, kind in enumerate(kinds):
        for name in kind.flat_fields().keys() - without:
            names.setdefault(name, index)
    _refuse_unknown(values, where, names, {part: kind for one in kinds for part, kind in one.parts().items()})
    parts: list[dict[str, object]] = [{} for _ in kinds]
    for name, value in values.items():
        parts[names[name]][name] = value
    return parts


def read_settings(path: Path) -> dict[str, object]:
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


def translated(values: dict[str, object]) -> dict[str, object]:
    """Settings as earlier versions wrote them into files, under the names of today.

    >>> translated({"latent": "vector", "decoder_stem": "authors"})
    {'latent': 'vector', 'network': 'paper:stem=authors'}
    >>> translated({"likelihood": "discretized-logistic"})
    {'likelihood': 'logistic'}
    """
    values = dict(values)
    if "decoder_stem" in values:
        stem = values.pop("decoder_stem")
        values["network"] = "paper" if stem == "matched" else f"paper:stem={stem}"
    if values.get("likelihood") == "discretized-logistic":
        values["likelihood"] = "logistic"
    return values
