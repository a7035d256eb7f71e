"""Tables of named parts: a name on the command line, in a file or a report stands for a class and its options."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin

from spatialvae.errors import UserError, nearest
from spatialvae.plugins import load_entry_points

__all__ = ["Option", "Registry", "check_options", "options_of", "split_spec"]

Part = TypeVar("Part")
Kind = TypeVar("Kind", bound=Callable[..., Any])
TRUTHS = {"true": True, "false": False}
WORDS = {int: "a whole number", float: "a finite number", bool: "true or false", str: "a word"}
EXAMPLES = {int: "2", float: "0.1", bool: "true", str: "NAME"}
NUMBER = re.compile("[-+0-9.eE]+")


@dataclass(frozen=True)
class Option:
    """One option of a part: its name, the types that it takes, and its default (`inspect.Parameter.empty`: none)."""

    name: str
    types: tuple[Any, ...]
    default: Any

    @property
    def required(self) -> bool:
        """Whether a text has to give it."""
        return self.default is inspect.Parameter.empty

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of an option that takes one of a few; empty for the others."""
        return tuple(choice for kind in self.types if get_origin(kind) is Literal for choice in get_args(kind))

    def parse(self, owner: str, text: str) -> Any:
        """The value that `text` spells.

        Raises:
            UserError: it spells none; the message names the rule.
        """
        if text == "none" and type(None) in self.types:
            return None
        for kind in self.types:
            value = _value(kind, text)
            if value is not None:
                return value
        raise UserError(f"{owner}:{self.name}={text} is not possible: {self.rule(owner, text)}")

    def check(self, owner: str, value: object) -> None:
        """Refuse a value of another type, given in Python.

        Raises:
            UserError: it is none of the option's types.
        """
        if not any(_allows(kind, value) for kind in self.types):
            raise UserError(f"{self.name}={value!r} is not possible: {self.rule(owner, str(value))}")

    def rule(self, owner: str, text: str) -> str:
        """A sentence on what the option takes, with an example or the choice nearest to `text`."""
        kinds = [kind for kind in self.types if kind in WORDS]
        words = [f"one of {', '.join(map(str, self.choices))}"] if self.choices else []
        words += [WORDS[kind] for kind in kinds]
        if not words:
            return f"{owner} takes {self.name} from Python only."
        words += ["none"] if type(None) in self.types else []
        if self.choices:
            return f"{self.name} is {' or '.join(words)}. {nearest(text, map(str, self.choices))}"
        return f"{self.name} is {' or '.join(words)}, for instance {owner}:{self.name}={EXAMPLES[kinds[0]]}."


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
            if before is not None and _place(before) != _place(part):
                raise UserError(
                    f"The {self.kind} {name!r} is registered already, as {_place(before)}: "
                    f"give {_place(part)} another name."
                )
            self._parts[name] = part
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
        text = ",".join(f"{key}={_text(value)}" for key, value in {**given, **free}.items())
        spec = f"{name}:{text}" if text else name
        try:
            again = {key: options[key].parse(name, value) for key, value in self.split(spec)[1] if key not in free}
        except (UserError, KeyError):
            again = {}
        if again != given:
            raise UserError(f"{part} cannot be written as text: {spec!r} does not give its options back.")
        return spec

    def name_of(self, part: object) -> str | None:
        """The name of an object's class; None where it has none."""
        return next((name for name, kind in self._parts.items() if kind is type(part)), None)

    def options(self, name: str) -> dict[str, Option]:
        """The options of a part by name, in order."""
        return options_of(self[name])

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


@cache
def options_of(part: Callable[..., Any]) -> dict[str, Option]:
    """The options of a class or function: its parameters by name, in order, `*args` and `**kwargs` left out.

    Raises:
        UserError: an annotation names what its module does not define.

    >>> list(options_of(split_spec))
    ['spec', 'kind', 'names']
    """
    function = part if not inspect.isclass(part) or dataclasses.is_dataclass(part) else part.__init__
    try:
        hints = typing.get_type_hints(function)  # of a dataclass: each field in the module of the class that has it
    except NameError as error:
        raise UserError(
            f"The options of {_place(part)} cannot be read ({error}): import their types at the top of its module."
        ) from None
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = [one for one in inspect.signature(part).parameters.values() if one.kind in named]
    return {one.name: Option(one.name, _types(hints.get(one.name, str)), one.default) for one in parameters}


def check_options(part: object) -> None:
    """Refuse an object that holds an option of another type than its class says: for a dataclass's `__post_init__`.

    Raises:
        UserError: the first such option, with the rule.
    """
    for option in options_of(type(part)).values():
        option.check(type(part).__name__, getattr(part, option.name))


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


def _types(hint: Any) -> tuple[Any, ...]:
    """The plain types that an annotation allows."""
    if isinstance(hint, types.UnionType) or get_origin(hint) is typing.Union:
        return tuple(kind for part in get_args(hint) for kind in _types(part))
    return (hint,)


def _value(kind: Any, text: str) -> Any:
    """The value of one type that a text spells; None where it spells none."""
    if get_origin(kind) is Literal:
        return next((choice for choice in get_args(kind) if _text(choice) == text), None)
    if kind is bool:
        return True if text == "" else TRUTHS.get(text)
    if kind is str:
        return text or None
    if kind in (int, float) and NUMBER.fullmatch(text):
        try:
            number = kind(text)
        except ValueError:
            return None
        return number if abs(number) < float("inf") else None
    return None


def _allows(kind: Any, value: object) -> bool:
    """Whether a value in Python is of one type; types that no text spells are left to the part itself."""
    if get_origin(kind) is Literal:
        return any(value == choice and type(value) is type(choice) for choice in get_args(kind))
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    if kind in (int, bool, str, type(None)):
        return type(value) is kind
    return True


def _text(value: Any) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _place(part: Any) -> str:
    """Where a part was defined, the same for a notebook's cell that runs again."""
    return f"{part.__module__}.{part.__qualname__}"
