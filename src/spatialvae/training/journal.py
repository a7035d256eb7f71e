"""The journal of a run: one JSON object a line in metrics.jsonl, and TensorBoard events beside it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

__all__ = ["Journal", "read_journal"]


class Journal:
    """Appends what was measured after so many images; a resumed run first forgets what came after its checkpoint.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "metrics.jsonl"
    >>> with Journal(path, seen=0) as journal:
    ...     journal.write(100, {"loss": 2.5})
    >>> read_journal(path)
    [{'images': 100, 'loss': 2.5}]
    """

    def __init__(self, path: Path, seen: int, tensorboard: Path | None = None) -> None:
        kept = [line for line in read_journal(path) if line["images"] <= seen]
        path.write_text("".join(json.dumps(line) + "\n" for line in kept))
        self._file = path.open("a")
        self._events = _event_writer(tensorboard, seen) if tensorboard else None

    def write(self, images: int, values: dict[str, Any]) -> None:
        """One line: the images seen so far, then `values`."""
        self._file.write(json.dumps({"images": images, **values}) + "\n")
        self._file.flush()
        if self._events is not None:
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    self._events.add_scalar(name, value, images)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
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


def _event_writer(folder: Path, seen: int) -> Any:
    """TensorBoard's writer where TensorBoard is installed, else None."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=seen)
