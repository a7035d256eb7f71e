"""From labels as sources have them to class numbers 0 to K - 1, with -1 for none, and the classes' names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spatialvae.data.natural import natural_key
from spatialvae.errors import UserError

__all__ = ["UNLABELLED", "LabelTable", "class_name"]

UNLABELLED = -1


def class_name(label: object, names: Sequence[str] = ()) -> str | None:
    """What the class of a label is called, or None where the label says that there is none.

    Text is the name itself. A whole number stands for the name at that place of `names`, and without `names` for
    itself. None, NaN, negative numbers and empty text are no class.

    Raises:
        UserError: a number beyond `names`, or something that is neither a whole number nor text.

    >>> class_name(1, ["cat", "dog"]), class_name(7), class_name(np.float32(7)), class_name(np.str_("cat"))
    ('dog', '7', '7', 'cat')
    >>> class_name(-1), class_name(float("nan")), class_name(True)
    (None, None, 'True')
    """
    value = label.item() if isinstance(label, np.generic) else label
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if value is None or value == "" or value != value:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool) and not names:
        return str(value)
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        number = int(value)
        if number >= len(names) > 0:
            raise UserError(f"Label {number} is none of the {len(names)} classes that the source names.")
        return None if number < 0 else names[number] if names else str(number)
    raise UserError(f"Label {value!r} is no class: a whole number or text is wanted.")


class LabelTable:
    """Numbers the labels of all splits of a source in one pass, and sorts the classes at the end.

    Classes that the source declares keep their numbers, with images or without. Others follow in natural order, so
    that numbers are compact: 7 and 1,000,000 are two classes. A fraction anywhere means that the labels measure
    something and are no classes; then there are none.

    >>> table = LabelTable()
    >>> codes = [table.code(label) for label in ("10", "2", None, "10")]
    >>> names, places = table.finish()
    >>> names, places[codes].tolist()
    (['2', '10'], [1, 0, -1, 1])
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._names = tuple(names)
        self._codes = {name: place for place, name in enumerate(dict.fromkeys(self._names))}
        self._declared = len(self._codes)
        self._measured = False

    def code(self, label: object) -> int:
        """A number for the class of a label until `finish` says its place, or -1 for none."""
        if isinstance(label, float | np.floating) and not np.isnan(label) and not float(label).is_integer():
            self._measured = True
        if self._measured or (name := class_name(label, self._names)) is None:
            return UNLABELLED
        return self._codes.setdefault(name, len(self._codes))

    def finish(self) -> tuple[list[str], npt.NDArray[np.int64]]:
        """The classes' names in their order, and each code's place in it; the last entry, of code -1, is -1."""
        classes = [*self._codes]
        order = [*range(self._declared)]
        order += sorted(range(self._declared, len(classes)), key=lambda code: natural_key(classes[code]))
        places = np.full(len(classes) + 1, UNLABELLED, np.int64)
        if self._measured:
            return [], places
        places[order] = np.arange(len(classes))
        return [classes[code] for code in order], places
