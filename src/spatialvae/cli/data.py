"""`spatialvae data`: what a source of images holds."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from spatialvae.cli.images import prepare_images
from spatialvae.cli.options import Json, given, with_settings
from spatialvae.cli.output import emit
from spatialvae.config import DataOptions

__all__ = ["data"]

CLASSES_SHOWN = 10


@with_settings(DataOptions, without=("data",))
def data(
    *,
    source: Annotated[str, typer.Argument(help="A name (digits, mnist, cifar10, ...), hub:OWNER/NAME, or a path.")],
    json: Json = False,
    **settings: Any,
) -> None:
    """Prepare a source of images, print what it holds, and draw a grid of them."""
    chosen = DataOptions.parse({"data": source, **given(settings)}, "data")
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
    counted = {"splits": splits, "classes": classes, "unlabelled": unlabelled, "grid": str(picture)}
    payload = {**{name: getattr(prepared, name) for name in fields}, **counted}
    size = f"{prepared.height}x{prepared.width}"
    means = ", ".join(f"{mean:.1f}" for mean in prepared.channel_means)
    sizes = ", ".join(f"{count} {name}" for name, count in splits.items())
    lines = [
        f"{prepared.name}: {sum(splits.values())} images of {size}, {prepared.channels} channel(s)",
        f"splits: {sizes}",
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
