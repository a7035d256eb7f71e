"""The journal of a run: one JSON object a line in metrics.jsonl, and the same numbers for the run's trackers."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatialvae.training.run import Run

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

__all__ = ["Journal", "numbers_of", "read_journal"]


class Journal:
    """Appends what was measured after so many images; a resumed run first forgets what came after its checkpoint.

    With several processes only the main one is `enabled`; the others' journals write nothing.

    Args:
        changed: settings that are others from here on, {name: [before, now]}; a line of its own.
        trackers: started, of Accelerate's kind; each gets every line's numbers, and is finished with the journal.

    >>> import tempfile
    >>> run = Run(Path(tempfile.mkdtemp()))
    >>> with Journal(run, seen=0) as journal:
    ...     journal.write(100, {"loss": 2.5})
    >>> read_journal(run.journal)
    [{'images': 100, 'loss': 2.5}]
    """

    def __init__(
        self,
        run: Run,
        seen: int,
        changed: dict[str, Any] | None = None,
        *,
        trackers: Sequence[GeneralTracker] = (),
        enabled: bool = True,
    ) -> None:
        self._file, self._trackers = None, tuple(trackers)
        if not enabled:
            return
        kept = [line for line in read_journal(run.journal) if line["images"] <= seen]
        run.journal.write_text("".join(_spelled(line) for line in kept))
        self._file = run.journal.open("a")
        if changed:
            self.write(seen, {"changed": changed})

    def write(self, images: int, values: dict[str, Any]) -> None:
        """One line: the images seen so far, then `values`; a number that is not finite is null, as JSON has none."""
        if self._file is None:
            return
        self._file.write(_spelled({"images": images, **values}))
        self._file.flush()
        numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
        for tracker in self._trackers if numbers else ():
            tracker.log(numbers, step=images)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        for tracker in self._trackers:
            tracker.finish()


def read_journal(path: Path) -> list[dict[str, Any]]:
    """All lines of a journal, oldest first; a last line that a crash cut short is left out."""
    lines: list[dict[str, Any]] = []
    if path.exists():
        for line in path.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                lines.append(json.loads(line))
    return lines


def numbers_of(line: dict[str, Any]) -> dict[str, float]:
    """The numbers of a line, without how many images it comes after; one that was not finite is NaN.

    >>> numbers_of({"images": 100, "loss": 2.5, "kl": None})
    {'loss': 2.5, 'kl': nan}
    """
    return {
        name: float("nan") if value is None else value
        for name, value in line.items()
        if name != "images" and (value is None or isinstance(value, int | float))
    }


def _spelled(line: dict[str, Any]) -> str:
    finite = {key: None if isinstance(one, float) and not math.isfinite(one) else one for key, one in line.items()}
    return json.dumps(finite, allow_nan=False) + "\n"
