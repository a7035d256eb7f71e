"""The options of a part: the typed parameters of its class, and the values that texts give them."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin

from spatialvae.errors import UserError, meant

__all__ = ["Option", "as_option_text", "check_options", "options_of", "place_of"]

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
    def is_text(self) -> bool:
        """Whether a text can spell the default."""
        if not isinstance(self.default, int | float | str | None):
            return False
        text = as_option_text(self.default)
        return not any(mark in text for mark in ",=") and self._reads(text)

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

    def _reads(self, text: str) -> bool:
        try:
            return bool(self.parse("", text) == self.default)
        except UserError:
            return False

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
        words = [WORDS[kind] for kind in kinds] + (["none"] if type(None) in self.types else [])
        choices = ", ".join(map(str, self.choices))
        if self.choices and not kinds:
            listed = " or ".join([f"one of {choices}", *words])
            return f"{self.name} is {listed}. {meant(text, map(str, self.choices))}".rstrip()
        if not kinds:
            return f"{owner} takes {self.name} from Python only."
        listed = (f"{choices}, " if choices else "") + " or ".join(words)
        return f"{self.name} is {listed}, for instance {owner}:{self.name}={EXAMPLES[kinds[0]]}."


@cache
def options_of(part: Callable[..., Any]) -> dict[str, Option]:
    """The options of a class or function: its parameters by name, in order, `*args` and `**kwargs` left out.

    Raises:
        UserError: an annotation names what its module does not define.

    >>> list(options_of(check_options))
    ['part']
    """
    function = part if not inspect.isclass(part) or dataclasses.is_dataclass(part) else part.__init__
    try:
        hints = typing.get_type_hints(function)  # of a dataclass: each field in the module of the class that has it
    except NameError as error:
        raise UserError(
            f"The options of {place_of(part)} cannot be read ({error}): import their types at the top of its module."
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


def _types(hint: Any) -> tuple[Any, ...]:
    """The plain types that an annotation allows."""
    if isinstance(hint, types.UnionType) or get_origin(hint) is typing.Union:
        return tuple(kind for part in get_args(hint) for kind in _types(part))
    return (hint,)


def _value(kind: Any, text: str) -> Any:
    """The value of one type that a text spells; None where it spells none."""
    if get_origin(kind) is Literal:
        return next((choice for choice in get_args(kind) if as_option_text(choice) == text), None)
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


def as_option_text(value: Any) -> str:
    """How a text spells a value.

    >>> as_option_text(None), as_option_text(True), as_option_text(0.5)
    ('none', 'true', '0.5')
    """
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def place_of(part: Any) -> str:
    """Where a part was defined, the same for a notebook's cell that runs again."""
    return f"{part.__module__}.{part.__qualname__}"
