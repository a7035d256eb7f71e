"""Whether a command may train in a run folder: all that can be refused, before anything is written there."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spatialvae.errors import UserError
from spatialvae.settings import Plain
from spatialvae.training.checkpoint import latest_checkpoint
from spatialvae.training.divergence import REMEDIES
from spatialvae.training.journal import read_journal
from spatialvae.training.run import Run
from spatialvae.training.stage import AbstractStage
from spatialvae.training.trackers import start_trackers

if TYPE_CHECKING:
    from accelerate import Accelerator
    from accelerate.tracking import GeneralTracker

__all__ = ["check_start", "write_start"]


def check_start(stage: AbstractStage, run: Run) -> dict[str, list[Plain]]:
    """Refuse settings and data that do not fit what is in the run folder.

    As long as nothing is stored in the folder it takes a run with any settings. A run that diverged takes another of
    `REMEDIES`; what changed of these is given back, {name: [before, now]}.

    Raises:
        UserError: a name that does not exist; a folder of something else; a run with other settings or other data.
    """
    stage.check()
    settings, checkpoint = stage.settings, latest_checkpoint(run.checkpoints)
    if checkpoint is None and not any(run.folder.glob("*.safetensors")):
        run.check(settings, stage.total, frozenset(settings.flat()))
        return {}
    lines = read_journal(run.journal)
    diverged = bool(lines) and "diverged" in lines[-1]
    run.check(settings, stage.total, stage.free | REMEDIES if diverged else stage.free)
    record = run.record()
    fingerprint = checkpoint[1]["fingerprint"] if checkpoint else record.fingerprint if record else stage.fingerprint
    if fingerprint != stage.fingerprint:
        raise UserError(stage.other_data(run.folder))
    before, now = run.settings(type(settings)).flat(), settings.flat()
    pairs = {name: [before[name], now[name]] for name in sorted(REMEDIES)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def write_start(
    stage: AbstractStage, run: Run, accelerator: Accelerator, trackers: Sequence[str | GeneralTracker], seen: int
) -> list[GeneralTracker]:
    """Start the trackers and write the settings, once no process checks the folder any more.

    Args:
        trackers: as `check_trackers` gives them; the main process alone starts them, and gets them back.
        seen: how many images the run has behind it.

    Raises:
        UserError: a tracker does not start; the folder is then left as it was.
    """
    accelerator.wait_for_everyone()
    if not accelerator.is_main_process:
        return []
    there = set(run.folder.iterdir()) if run.folder.exists() else None
    try:
        started = start_trackers(trackers, run, seen, stage.settings.flat())
    except UserError:
        _forget(run.folder, there)
        raise
    run.write(stage.settings, stage.total, stage.record)
    return started


def _forget(folder: Path, there: set[Path] | None) -> None:
    """Remove what a tracker has put into a folder of which only `there` was there; None: not even the folder."""
    if there is None:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in set(folder.iterdir()) - there:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
