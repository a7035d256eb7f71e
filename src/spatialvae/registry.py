"""Tables of named parts: a name on the command line, in a file or a report stands for a class and its options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from spatialvae.errors import UserError, nearest
from spatialvae.options import Option, as_option_text, options_of, place_of
from spatialvae.plugins import REGISTERED, load_entry_points

__all__ = ["Registry", "split_spec"]

Part = TypeVar("Part")
Kind = TypeVar("Kind", bound=Callable[..., Any])


class Registry(Mapping[str, Callable[..., Part]], Generic[Part]):
    """A table of parts of one kind by name: the only place where a part's name stands.

    A part is a class, or a function that returns an object; its parameters with their annotations and defaults are
    its options (int, float, bool, str, a `Literal`, or one of these or None). An object keeps each option as an
    attribute of the same name, so that `spell` can write it again. A part whose class attribute ``free_options`` names
    an attribute also takes options of any other name, as texts, and keeps them there in a dict.

    >>> from dataclasses import dataclass
    >>> shapes = Registry("shape")
    >>> @shapes.register("box")
    ... @dataclass(frozen=True)
    ... class Box:
    ...     side: int
    ...     weight: float = 1.0
    >>> shapes.parse("box:side=2,weight=0.5")
    Box(side=2, weight=0.5)
    >>> shapes.spell(Box(side=3))
    'box:side=3'

    Args:
        kind: what a part is called in messages, such as ``latent``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: dict[str, Callable[..., Part]] = {}

    def register(self, name: str) -> Callable[[Kind], Kind]:
        """A decorator that gives a part its name.

        Raises:
            UserError: the name is another part's already, or no name.
        """
        if not name or any(mark in name for mark in ":,=/ "):
            raise UserError(f"{name!r} is no name for a {self.kind}: use letters, digits, '-' and '.' only.")

        def add(part: Kind) -> Kind:
            before = self._parts.get(name)
            if before is not None and place_of(before) != place_of(part):
                raise UserError(
                    f"The {self.kind} {name!r} is registered already, as {place_of(before)}: "
                    f"give {place_of(part)} another name."
                )
            self._parts[name] = part
            REGISTERED.append(name)
            return part

        return add

    def parse(self, spec: str, defaults: Mapping[str, Any] | None = None) -> Part:
        """The object that a text such as ``low-rank:rank=2`` spells.

        Args:
            spec: ``name`` or ``name:option=value,option=value``.
            defaults: values for options that the text leaves out.

        Raises:
            UserError: an unknown name or option, or a value that it cannot take.
        """
        name, pairs = self.split(spec)
        options = self.options(name)
        values: dict[str, Any] = {}
        free = _free_options(self[name])
        for key, text in pairs:
            if key not in options and free:
                values[key] = text
                continue
            if key not in options:
                hint = nearest(key, options) if options else "It has none."
                raise UserError(f"{name} has no option {key!r}. {hint}")
            values[key] = options[key].parse(name, text)
        merged = {**{key: value for key, value in (defaults or {}).items() if key in options}, **values}
        for option in options.values():
            if option.required and option.name not in merged:
                raise UserError(f"{spec.strip()} leaves out {option.name}: {option.rule(name, '')}")
        return self[name](**merged)

    def split(self, spec: str) -> tuple[str, list[tuple[str, str]]]:
        """The name in a text, one of the table's, and its (option, value) pairs; see `split_spec`."""
        return split_spec(spec, self.kind, self)

    def spell(self, part: Part) -> str:
        """The text of an object, with the options that are not at their defaults; `parse` gives the same back.

        Raises:
            UserError: the object's class has no name here, or an option has a value that no text spells.
        """
        name = self.name_of(part)
        if name is None:
            raise UserError(
                f"{type(part).__name__} has no name among the {self.kind}s: register it with a name of your own."
            )
        options = self.options(name)
        missing = [key for key in options if not hasattr(part, key)]
        if missing:
            raise UserError(
                f"{type(part).__name__} does not keep its option {missing[0]!r}: "
                f"write self.{missing[0]} = {missing[0]} in its __init__."
            )
        given = {key: value for key in options if (value := getattr(part, key)) != options[key].default}
        free: dict[str, str] = getattr(part, _free_options(self[name]), {})
        text = ",".join(f"{key}={as_option_text(value)}" for key, value in {**given, **free}.items())
        spec = f"{name}:{text}" if text else name
        try:
            again = {key: options[key].parse(name, value) for key, value in self.split(spec)[1] if key not in free}
        except (UserError, KeyError):
            again = {}
        if again != given:
            raise UserError(f"{part} cannot be written as text: {spec!r} does not give its options back.")
        return spec

    def complete(self, spec: str) -> str:
        """The same text with every option that a text can spell, so that it outlives a change of defaults.

        >>> from spatialvae.networks import NETWORKS
        >>> NETWORKS.complete("paper")
        'paper:stem=matched'

        Raises:
            UserError: an unknown name, or a value that its option cannot take.
        """
        name, pairs = self.split(spec)
        options = self.options(name)
        values = {key: as_option_text(one.default) for key, one in options.items() if not one.required and one.is_text}
        for key, text in pairs:
            values[key] = as_option_text(options[key].parse(name, text)) if key in options else text
        text = ",".join(f"{key}={value}" for key, value in values.items())
        return f"{name}:{text}" if text else name

    def name_of(self, part: object) -> str | None:
        """The name of an object's class; None where it has none."""
        return next((name for name, kind in self._parts.items() if kind is type(part)), None)

    def options(self, name: str) -> dict[str, Option]:
        """The options of a part by name, in order."""
        return options_of(self[name])

    @property
    def registered(self) -> tuple[str, ...]:
        """The names so far: installed packages are not asked, so that a help text imports none of them."""
        return tuple(self._parts)

    def __getitem__(self, name: str) -> Callable[..., Part]:
        if name not in self._parts:
            load_entry_points()  # installed packages may know it
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        load_entry_points()
        return iter(self._parts)

    def __len__(self) -> int:
        load_entry_points()
        return len(self._parts)


def split_spec(spec: str, kind: str, names: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """The name, one of `names`, and the (option, value) pairs of a text; an option without ``=`` has the value ``""``.

    Raises:
        UserError: a name that is not there.

    >>> split_spec("mixture:components=20", "prior", {"gaussian": None, "mixture": None})
    ('mixture', [('components', '20')])
    """
    name, _, rest = spec.strip().partition(":")
    if name not in names:
        raise UserError(f"There is no {kind} {name!r}. {nearest(name, names)}")
    pairs = (item.partition("=") for item in rest.split(",") if item)
    return name, [(key, value) for key, _, value in pairs]


def _free_options(part: Callable[..., Any]) -> str:
    """The attribute that holds a part's options of other names; "" where it takes none."""
    return getattr(part, "free_options", "")
