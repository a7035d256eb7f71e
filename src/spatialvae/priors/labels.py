"""The classes that a prior can be asked for: their names, and how many images of each it was fitted to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Self

from spatialvae.errors import UserError, nearest

__all__ = ["Labels"]


@dataclass(frozen=True)
class Labels:
    """K classes by name, and the number of images of each; without `counts` there are images of every class.

    >>> labels = Labels(("cat", "dog", "unicorn"), (90, 10, 0))
    >>> labels.index("dog"), labels.index(1)
    (1, 1)
    >>> labels.index("unicorn")
    Traceback (most recent call last):
    spatialvae.errors.UserError: label unicorn: the prior was fitted to no image of this class.
    Choose from: cat, dog.
    """

    names: tuple[str, ...] = ()
    counts: tuple[int, ...] | None = None

    @classmethod
    def numbered(cls, classes: int) -> Self:
        """Classes called by their numbers, 0 to `classes` - 1."""
        return cls(tuple(str(number) for number in range(classes)))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def seen(self) -> list[int]:
        """The classes that there are images of."""
        return [k for k in range(len(self)) if self.counts is None or self.counts[k] > 0]

    def index(self, label: int | str) -> int:
        """The class that is called `label`; else, where no name is a number, the one with this number.

        Raises:
            UserError: there is no such class, or no image of it.
        """
        word, known = str(label), {name: k for k, name in enumerate(self.names)}
        if not any(name.isdecimal() for name in self.names):
            known |= {str(k): k for k in range(len(self))}
        seen = set(self.seen)
        if (number := known.get(word)) in seen:
            return number
        names = [self.names[k] for k in sorted(seen)]
        if number is not None:
            raise UserError(f"`label` {word}: the prior was fitted to no image of this class.\n{nearest(word, names)}")
        numbers = {int(name): name for name, k in known.items() if k in seen and name.isdecimal()}
        mixed = len({name.isdecimal() for name in names}) > 1
        if mixed or not numbers or not word.removeprefix("-").isdecimal() or min(numbers) < int(word) < max(numbers):
            raise UserError(f"`label` {word} does not exist. {nearest(word, names)}")
        near = min(numbers, key=lambda number: abs(number - int(word)))
        span = f"{numbers[min(numbers)]} to {numbers[max(numbers)]}"
        raise UserError(f"`label` {word} does not exist: labels go from {span}, nearest {numbers[near]}.")

    def spelled(self) -> str:
        """JSON, for a file."""
        return json.dumps({"names": self.names, "counts": self.counts})

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `spelled` gave.

        Raises:
            UserError: something else.

        >>> Labels.parse(Labels(("cat", "dog"), (3, 0)).spelled())
        Labels(names=('cat', 'dog'), counts=(3, 0))
        """
        try:
            record = json.loads(text)
            names, counts = tuple(map(str, record["names"])), record["counts"]
            return cls(names, None if counts is None else tuple(map(int, counts)))
        except (ValueError, KeyError, TypeError):
            raise UserError("its classes are not what this version writes") from None
