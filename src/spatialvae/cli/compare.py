"""`spatialvae compare`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from spatialvae.cli.comparison_settings import comparison_settings
from spatialvae.cli.images import prepare_images
from spatialvae.cli.machine import use_machine
from spatialvae.cli.options import Device, Json, Threads, given, with_settings
from spatialvae.cli.output import emit, say, say_notes
from spatialvae.cli.train import ConfigFile
from spatialvae.config import NOT_COMPARED, CompareConfig, EvaluationConfig, TrainConfig
from spatialvae.errors import UserError

__all__ = ["compare"]


@with_settings(CompareConfig, TrainConfig, EvaluationConfig, without=NOT_COMPARED)
def compare(
    *, config: ConfigFile = None, device: Device = None, threads: Threads = None, json: Json = False, **settings: Any
) -> None:
    """Train several latents under equal conditions, measure them, and write a report."""
    asked = comparison_settings(config, given(settings))
    if asked.plan.out is None:
        raise UserError("compare writes runs and a report: name their folder by `out`, such as runs/NAME.")
    where = use_machine(device, threads)
    data = prepare_images(asked.training.data)
    say_notes(data.notes)
    from spatialvae import comparison
    from spatialvae.training import Interrupted

    try:
        command = shlex.join(["spatialvae", *sys.argv[1:]])
        result = comparison.run_comparison(asked, data, Path(asked.plan.out), command=command, device=where, say=say)
    except Interrupted as stop:
        say(str(stop))
        sys.exit(128 + stop.signum)
    if json:
        emit(result.as_dict(), True, [])
        return
    from rich.console import Console

    from spatialvae.report import terminal_table

    Console().print(terminal_table(result.results))
    print(f"report: {result.report}")
