"""The commands that show something: sample, reconstruct, data, latents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from spatialvae.cli.images import prepare_images, read_for
from spatialvae.cli.machine import load_model
from spatialvae.cli.options import (
    Device,
    Json,
    Out,
    Overwrite,
    Prior,
    RunFolder,
    Seed,
    Temperature,
    Threads,
    given,
    with_settings,
)
from spatialvae.cli.output import check_free, emit, say, write_images
from spatialvae.config import AbstractDataOptions, TrainConfig

__all__ = ["data", "latents", "reconstruct", "sample"]

CLASSES_SHOWN = 10
Columns = Annotated[int | None, typer.Option(min=1, help="Pictures a row of the grid.")]


def sample(
    run: RunFolder,
    out: Out = Path("samples.png"),
    count: Annotated[int, typer.Option(min=1, help="How many pictures.")] = 64,
    seed: Seed = 0,
    prior: Prior = None,
    temperature: Temperature = 1.0,
    label: Annotated[
        str | None,
        typer.Option(help="Draw pictures of this class, a name or a number, from a prior that knows labels."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of the equation that draws from diffusion take.")
    ] = None,
    columns: Columns = None,
    device: Device = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Draw new pictures: a grid (.png), a folder of PNG files, or an .npz."""
    check_free(out, overwrite)
    from spatialvae import metrics

    model = load_model(run, device, threads)
    chosen = model.priors.resolve(prior)
    images = model.sample(count, seed=seed, temperature=temperature, prior=chosen, label=label, steps=steps)
    write_images(images, out, columns)
    payload = {"run": str(run), "out": str(out), "count": count, "seed": seed, "prior": chosen, "label": label}
    if chosen == model.priors.own and (warning := metrics.holes_warning(model)):
        say(warning)
    drawn = f"{count} pictures" + ("" if label is None else f" of class {label}")
    emit({**payload, "temperature": temperature}, json, [f"{drawn} from the {chosen} prior: {out}"])


def reconstruct(
    run: RunFolder,
    pictures: Annotated[list[Path], typer.Argument(help="Picture files, or folders of them.")],
    skip_bad_images: Annotated[
        bool, typer.Option("--skip-bad-images", help="Leave out pictures that cannot be read.")
    ] = False,
    out: Out = Path("pairs.png"),
    device: Device = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Encode and decode pictures: each above what the model makes of it."""
    check_free(out, overwrite)
    from spatialvae.data.user_pictures import own_names
    from spatialvae.metrics import peak_signal_to_noise
    from spatialvae.picture_grid import pairs_grid, save_picture

    model = load_model(run, device, threads)
    images, names = read_for(run, model, pictures, skip_bad_images=skip_bad_images)
    decoded = model.reconstruct(images)
    quality = peak_signal_to_noise(images, decoded)
    alone = out.suffix.lower() == ".npz" or not out.suffix
    if alone:
        write_images(decoded, out, names=own_names(names, pictures))
    else:
        save_picture(pairs_grid(images, decoded), out)
    pairs = [{"picture": name, "psnr": value} for name, value in zip(names, quality.tolist(), strict=True)]
    lines = [f"  {pair['picture']}  {pair['psnr']:.1f} dB" for pair in pairs]
    what = "reconstructions" if alone else "pairs"
    emit({"run": str(run), "out": str(out), "pictures": pairs}, json, [*lines, f"{what}: {out}"])


@with_settings(AbstractDataOptions, without=("data",))
def data(
    *,
    source: Annotated[str, typer.Argument(help="A name (digits, mnist, cifar10, ...), hub:OWNER/NAME, or a path.")],
    json: Json = False,
    **settings: Any,
) -> None:
    """Prepare a source of images, tell what it holds, and show a grid of it."""
    chosen = TrainConfig.parse({"data": source, **given(settings)}, "data")
    prepared = prepare_images(chosen)
    from spatialvae.data.batches import some_images
    from spatialvae.data.cache import default_cache
    from spatialvae.picture_grid import grid, save_picture

    picture = default_cache() / prepared.fingerprint / "grid.png"
    save_picture(grid(some_images(next(iter(prepared.splits.values())), 64)), picture)
    splits = {name: len(split) for name, split in prepared.splits.items()}
    fields = (
        "source",
        "name",
        "height",
        "width",
        "channels",
        "channel_means",
        "skipped",
        "fingerprint",
        "label_names",
        "passed_over",
        "duplicates",
        "notes",
    )
    counts = {name: prepared.class_counts(name) for name in splits}
    classes = {
        name: {split: own[k] for split, own in counts.items()} for k, name in enumerate(prepared.label_names or [])
    }
    unlabelled = {name: splits[name] - sum(own) for name, own in counts.items()}
    found = {"splits": splits, "classes": classes, "unlabelled": unlabelled, "grid": str(picture)}
    payload = {**{name: getattr(prepared, name) for name in fields}, **found}
    size = f"{prepared.height}x{prepared.width}"
    means = ", ".join(f"{mean:.1f}" for mean in prepared.channel_means)
    said = ", ".join(f"{count} {name}" for name, count in splits.items())
    lines = [
        f"{prepared.name}: {sum(splits.values())} images of {size}, {prepared.channels} channel(s)",
        f"splits: {said}",
        *_class_lines(classes, unlabelled),
        f"channel means (0 to 255): {means}",
        *prepared.notes,
        f"fingerprint: {prepared.fingerprint}",
        f"grid: {picture}",
    ]
    emit(payload, json, lines)


def _class_lines(classes: dict[str, dict[str, int]], unlabelled: dict[str, int]) -> list[str]:
    """The classes with their images in each split, a class a line, up to a number of them."""
    if not classes:
        return ["classes: none, no image has a label"]
    rows = [*list(classes.items())[:CLASSES_SHOWN], *([("(no label)", unlabelled)] if any(unlabelled.values()) else [])]
    lines = [f"  {name}: {', '.join(map(str, counts.values()))}" for name, counts in rows]
    if len(classes) > CLASSES_SHOWN:
        lines.insert(CLASSES_SHOWN, f"  ... and {len(classes) - CLASSES_SHOWN} more (--json has all)")
    return [f"classes: {len(classes)} (images in {', '.join(unlabelled)})", *lines]


def latents(
    maps: Annotated[int, typer.Option(min=1, help="Latent maps.")] = 64,
    map_size: Annotated[str, typer.Option(help="Their size, SIDE or HEIGHTxWIDTH.")] = "3",
    json: Json = False,
) -> None:
    """List the latents and their options: law, encoder outputs, what all images share, equation."""
    from rich.console import Console
    from rich.table import Table

    from spatialvae.latents import variants
    from spatialvae.sizes import parse_size

    height, width = parse_size(map_size, "--map-size")
    found = variants((maps, height, width))
    if json:
        rows = [
            {
                "name": name,
                "law": law.law,
                "maps": list(law.event_shape),
                "encoder_outputs": law.encoder_outputs,
                "shared_numbers": law.shared_numbers,
                "equation": law.equation,
            }
            for name, law in found.items()
        ]
        emit({"latents": rows}, True, [])
        return
    from rich.markup import escape

    table = Table("name", "law", "code", "encoder outputs", "shared", "equation")
    for name, law in found.items():
        code = "x".join(str(side) for side in law.event_shape)
        table.add_row(name, law.law, code, str(law.encoder_outputs), str(law.shared_numbers), escape(law.equation))
    Console().print(table)
