"""The progress bar of a run, on stderr: what is measured as it goes, and when it will be done."""

from __future__ import annotations

from spatialvae.globals import globals_kept

with globals_kept():
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

__all__ = ["TrainingProgress"]


class TrainingProgress:
    """A bar with the images seen, images a second, what the stage says of its terms, and time left."""

    def __init__(self, name: str, total: int, done: int, shown: bool) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[said]}"),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not shown)
        self._task = self._bar.add_task(name, total=total, completed=done, said="")

    def update(self, seen: int, images_per_second: float, terms: str) -> None:
        self._bar.update(self._task, completed=seen, said=f"{images_per_second:.0f} images/s  {terms}")

    def say(self, what: str) -> None:
        """What is going on now, in place of the numbers."""
        self._bar.update(self._task, said=what)

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
