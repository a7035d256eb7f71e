"""The journal of a run: one JSON object a line in metrics.jsonl, and TensorBoard events beside it."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import Any

from spatialvae.training.run import Run

__all__ = ["Journal", "read_journal"]


class Journal:
    """Appends what was measured after so many images; a resumed run first forgets what came after its checkpoint.

    With several processes only the main one is `enabled`; the others' journals swallow what they are told.

    Args:
        changed: settings that are others from here on, {name: [before, now]}; a line of its own.

    >>> import tempfile
    >>> run = Run(Path(tempfile.mkdtemp()))
    >>> with Journal(run, seen=0) as journal:
    ...     journal.write(100, {"loss": 2.5})
    >>> read_journal(run.journal)
    [{'images': 100, 'loss': 2.5}]
    """

    def __init__(self, run: Run, seen: int, changed: dict[str, Any] | None = None, *, enabled: bool = True) -> None:
        self._file, self._events = None, None
        if not enabled:
            return
        kept = [line for line in read_journal(run.journal) if line["images"] <= seen]
        run.journal.write_text("".join(_spelled(line) for line in kept))
        self._file = run.journal.open("a")
        self._events = _event_writer(run.tensorboard, seen)
        if changed:
            self.write(seen, {"changed": changed})

    def write(self, images: int, values: dict[str, Any]) -> None:
        """One line: the images seen so far, then `values`; a number that is not finite is null, as JSON has none."""
        if self._file is None:
            return
        self._file.write(_spelled({"images": images, **values}))
        self._file.flush()
        if self._events is not None:
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    self._events.add_scalar(name, value, images)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        if self._events is not None:
            self._events.close()


def read_journal(path: Path) -> list[dict[str, Any]]:
    """All lines of a journal, oldest first; a last line that a crash cut short is left out."""
    lines: list[dict[str, Any]] = []
    if path.exists():
        for line in path.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                lines.append(json.loads(line))
    return lines


def _spelled(line: dict[str, Any]) -> str:
    finite = {key: None if isinstance(one, float) and not math.isfinite(one) else one for key, one in line.items()}
    return json.dumps(finite, allow_nan=False) + "\n"


def _event_writer(folder: Path, seen: int) -> Any:
    """TensorBoard's writer where TensorBoard is installed, else None."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=seen)
