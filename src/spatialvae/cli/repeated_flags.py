"""Flags that take several values after one name: `--beta 0.3 1 3` as well as `--beta 0.3 --beta 1 --beta 3`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from spatialvae.errors import UserError

__all__ = ["SeveralValues", "spread"]


class SeveralValues(TyperCommand):
    """A command without arguments, so that bare words after a flag that may be repeated are all its values."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        repeated = {name for option in self.params if getattr(option, "multiple", False) for name in option.opts}
        return super().parse_args(ctx, spread(args, repeated))


def spread(words: list[str], repeated: set[str]) -> list[str]:
    """The words of a command line with the name of a `repeated` flag before each of its values.

    Numbers may also stand in one word with commas between them; other words are left whole, since a latent's options
    have commas of their own.

    Raises:
        UserError: a repeated flag without a value.

    >>> spread(["--beta", "0.3,1", "3", "--latent", "vector", "low-rank:rank=2", "--json"], {"--beta", "--latent"})
    ['--beta=0.3', '--beta=1', '--beta=3', '--latent=vector', '--latent=low-rank:rank=2', '--json']
    """
    result: list[str] = []
    flag = None
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in repeated:
            flag = name
            if equals:
                result += [f"{flag}={part}" for part in _numbers(value)]
            elif index + 1 == len(words) or _is_flag(words[index + 1]):
                raise UserError(f"{flag} names nothing: give it one or more values.")
        elif flag is None or _is_flag(word):
            flag = None
            result.append(word)
        else:
            result += [f"{flag}={part}" for part in _numbers(word)]
    return result


def _is_flag(word: str) -> bool:
    return word.startswith("-") and not _is_number(word)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _numbers(word: str) -> list[str]:
    """The parts between commas, if all of them are numbers."""
    parts = word.split(",")
    return parts if all(map(_is_number, parts)) else [word]
