"""`spatialvae bench`."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from spatialvae.cli.images import prepare_images
from spatialvae.cli.machine import use_machine
from spatialvae.cli.options import Device, Json, Threads, given, with_settings
from spatialvae.cli.output import emit, say
from spatialvae.config import BenchConfig, TrainConfig
from spatialvae.errors import UserError
from spatialvae.settings import divided

__all__ = ["bench"]

Data = Annotated[
    str | None,
    typer.Option(
        help="The images, given like --data of train. Default: noise of --image-size, or of 64x64 without that."
    ),
]
CELEBA_EPOCHS = 20 * 162_770
"""The run that noise stands for, in images, where none is asked for: checkpoints are shared out over it."""


@with_settings(BenchConfig, TrainConfig, without=("data",))
def bench(
    *, data: Data = None, device: Device = None, threads: Threads = None, json: Json = False, **settings: Any
) -> None:
    """Measure the speed of training and sampling: images per second, stages of a step, share of the machine's peak."""
    measuring, chosen = divided(given(settings), "bench", BenchConfig, TrainConfig)
    options = BenchConfig.parse(measuring, "bench")
    if data is None and not {"images", "epochs"} & set(chosen):
        chosen["images"] = CELEBA_EPOCHS
    for name in ("crop", "layout", "skip_bad_images") if data is None else ():
        if name in chosen:
            raise UserError(f"`{name}` is for images, and noise is measured: give `data` too, or leave it out.")
    config = TrainConfig.parse({**chosen, **({} if data is None else {"data": data})}, "bench")
    where = use_machine(device, threads)
    if data is not None:
        images = prepare_images(config.data)
    else:
        from spatialvae.benchmarking import random_images
        from spatialvae.data import parse_image_size

        images = random_images(
            parse_image_size(config.data.image_size or "64"), config.data.channels or 3, seed=config.optimisation.seed
        )
    from spatialvae import benchmarking
    from spatialvae.training import Interrupted

    try:
        result = benchmarking.bench(config, images, options, device=where, say=say)
    except Interrupted as stop:
        say("Stopped; nothing was kept.")
        sys.exit(128 + stop.signum)
    emit(result, json, _lines(result))


def _lines(result: dict[str, Any]) -> list[str]:
    """The numbers in words, each with its quartiles over the rounds."""
    machine, settings, operations = result["machine"], result["settings"], result["operations"]
    model = settings["model"]
    size = "x".join(str(side) for side in model["image_size"])
    peaks = ", ".join(
        f"{name} {spread['median'] / 1e9:,.0f}" for name, spread in result["peak_flops_per_second"].items()
    )

    def spread(name: str, digits: int = 2, scale: float = 1.0) -> str:
        values = (f"{scale * result['spreads'][name][key]:,.{digits}f}" for key in ("median", "lower", "upper"))
        return "{} ({} to {})".format(*values)

    def work(name: str) -> str:
        return f"{operations[name]['flops'] / 1e6:.1f} MFLOP and {operations[name]['bytes'] / 1e6:.1f} MB an image"

    step = sum(stage["median"] for stage in result["stages"].values())
    stages = [
        f"  {name:<17}{1e3 * stage['median']:>9.2f} ms {stage['median'] / step:>6.1%}"
        for name, stage in result["stages"].items()
    ]
    return [
        f"{model['latent']}, {settings['data']} {size}, batch {settings['batch_size']}, {machine['precision']}, "
        f"{settings['rounds']} rounds; {machine['processor']}, {machine['threads']} threads, {machine['device']}",
        f"training   {spread('training_images_per_second', 0)} images/s",
        f"  over a bare loop    {spread('ratio_to_bare_loop', 3)}",
        f"  over eager fp32     {spread('ratio_to_eager_fp32')}",
        f"  share of the peak   {spread('peak_share', 1, 100)} %",
        f"  {work('training')}",
        f"sampling   {spread('sampling_images_per_second', 0)} images/s",
        f"  over eager fp32     {spread('sampling_ratio_to_eager_fp32')}",
        f"  {work('sampling')}",
        f"a step by its stages, taken apart (the real one takes {1e3 * result['step_seconds']:.2f} ms)",
        *stages,
        f"latent     {spread('latent_share', 1, 100)} % of a step, "
        f"{spread('latent_share_with_backward', 1, 100)} % with its backward",
        f"peak       {peaks} GFLOP/s",
        f"memory     {result['memory_bytes'] / 2**30:.2f} GiB; a checkpoint takes {result['checkpoint_seconds']:.2f} s",
    ]
