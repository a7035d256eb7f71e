"""Where a run's numbers go besides its journal: TensorBoard, Weights & Biases and whatever else Accelerate knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from spatialvae.errors import UserError, last_line, nearest
from spatialvae.globals import globals_kept
from spatialvae.settings import Plain
from spatialvae.training.run import Run

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

__all__ = ["Track", "check_trackers", "start_trackers"]

Track: TypeAlias = "str | GeneralTracker | Sequence[str | GeneralTracker] | None"
"""Names of trackers or trackers of one's own, one or several; None: TensorBoard where it is installed."""

NONE = "none"
DEFAULT = "tensorboard"


def check_trackers(track: Track) -> list[str | GeneralTracker]:
    """The trackers that `track` asks for, each once; nothing is started.

    Raises:
        UserError: neither a name nor a tracker; a name that Accelerate does not know; a tracker whose package is not
            installed.
    """
    with globals_kept():
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, get_available_trackers
    installed = [str(name) for name in get_available_trackers()]
    if track is None:
        return [DEFAULT] if DEFAULT in installed else []
    named = list(track) if isinstance(track, Sequence) and not isinstance(track, str) else [track]
    for one in named:
        if not isinstance(one, str | GeneralTracker):
            raise UserError(
                f"`track` {one!r} is not possible: give the name of a tracker or a GeneralTracker of Accelerate, one "
                f"or a list of them, or {NONE}."
            )
        if not isinstance(one, str) or one == NONE or one in installed:
            continue
        if one not in LOGGER_TYPE_TO_CLASS:
            raise UserError(f"`track` {one} is not known. {nearest(one, [*LOGGER_TYPE_TO_CLASS, NONE])}")
        raise UserError(
            f"`track` {one} needs a package that is not installed: install it, or choose from: "
            f"{', '.join([*installed, NONE])}."
        )
    return list(dict.fromkeys(one for one in named if one != NONE))


def start_trackers(
    asked: Sequence[str | GeneralTracker], run: Run, seen: int, settings: Mapping[str, Plain]
) -> list[GeneralTracker]:
    """The trackers of a run, started; TensorBoard's events lie in the run folder.

    Args:
        seen: how many images the run has behind it; TensorBoard forgets what it has of later ones.
        settings: of the run, for trackers that show them.

    Raises:
        UserError: a tracker does not start, as for want of a login.
    """
    started: list[GeneralTracker] = []
    try:
        for one in asked:
            started.append(_start(one, run, seen, settings))
    except UserError:
        for tracker in started:
            tracker.finish()
        raise
    return started


def _start(one: str | GeneralTracker, run: Run, seen: int, settings: Mapping[str, Plain]) -> GeneralTracker:
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    try:
        if not isinstance(one, str):
            one.start()
            return one
        kind = LOGGER_TYPE_TO_CLASS[one]
        if one == DEFAULT:  # it would write the settings into a folder of its own
            tracker = kind(run.tensorboard.name, logging_dir=str(run.folder), purge_step=seen)
            tracker.start()
            return tracker
        place = {"logging_dir": str(run.folder)} if kind.requires_logging_directory else {}
        tracker = kind(run.folder.name, **place)
        tracker.start()
        tracker.store_init_configuration(dict(settings))
        return tracker
    except Exception as error:  # other people's code
        name = one if isinstance(one, str) else type(one).__name__
        raise UserError(f"`track` {name} does not start: {last_line(error)}") from error
