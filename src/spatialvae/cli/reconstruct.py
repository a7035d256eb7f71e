"""`spatialvae reconstruct`: pictures, each above what a model makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from spatialvae.cli.images import read_for
from spatialvae.cli.machine import load_model
from spatialvae.cli.options import Device, Json, Out, Overwrite, RunFolder, Seed, Shown, Threads
from spatialvae.cli.output import check_free, emit, write_images

if TYPE_CHECKING:
    from spatialvae.likelihoods.shown import Pixels

__all__ = ["reconstruct"]


def reconstruct(
    run: RunFolder,
    pictures: Annotated[list[Path], typer.Argument(help="Picture files, or folders of them.")],
    skip_bad_images: Annotated[
        bool, typer.Option("--skip-bad-images", help="Leave out pictures that cannot be read.")
    ] = False,
    pixels: Shown = "mean",
    seed: Seed = 0,
    out: Out = Path("pairs.png"),
    device: Device = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Encode and decode pictures, and show each above its reconstruction."""
    check_free(out, overwrite)
    from spatialvae.data.user_pictures import own_names
    from spatialvae.metrics import peak_signal_to_noise
    from spatialvae.picture_grid import pairs_grid, save_picture

    model = load_model(run, device, threads)
    images, names = read_for(run, model, pictures, skip_bad_images=skip_bad_images)
    decoded = model.reconstruct(images, pixels=cast("Pixels", pixels), seed=seed)
    quality = peak_signal_to_noise(images, decoded)
    alone = out.suffix.lower() == ".npz" or not out.suffix
    if alone:
        write_images(decoded, out, names=own_names(names, pictures))
    else:
        save_picture(pairs_grid(images, decoded), out)
    pairs = [{"picture": name, "psnr": value} for name, value in zip(names, quality.tolist(), strict=True)]
    lines = [f"  {pair['picture']}  {pair['psnr']:.1f} dB" for pair in pairs]
    what = "reconstructions" if alone else "pairs"
    emit({"run": str(run), "out": str(out), "pixels": pixels, "pictures": pairs}, json, [*lines, f"{what}: {out}"])
