"""From any source to the cache: read, decode, split and write, once."""

from __future__ import annotations

import json
import os
import warnings
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from spatialvae.data.cache import FORMAT, default_cache, fingerprint_of, new_entry, publish, read_entry
from spatialvae.data.dataset import ImageData
from spatialvae.data.labels import LabelTable
from spatialvae.data.notes import Seen
from spatialvae.data.options import MINIMUM_SIDE, ImageOptions
from spatialvae.data.picture import BadImage, Picture, array_pixels, read_picture
from spatialvae.data.sources import open_source, whole_name
from spatialvae.data.sources.source import AbstractSource, Record
from spatialvae.data.splits import SplitRule, content_key, count_duplicates, fraction_of
from spatialvae.data.writer import SplitWriter
from spatialvae.errors import UserError
from spatialvae.progress import bar

__all__ = ["OtherImages", "prepare"]

AS_THEY_ARE = ImageOptions()
CHUNK = 16  # records a worker takes at once
LISTED = 10  # bad images named in an error
DESCRIPTION = ("height", "width", "channels", "channel_means", "skipped", "label_names", "duplicates", "seen")


class OtherImages(UserError):
    """A source, or what is to be done to it, is not what it was when its fingerprint was taken."""


def prepare(
    source: str,
    options: ImageOptions = AS_THEY_ARE,
    *,
    cache: Path | None = None,
    progress: bool = False,
    expected: str | None = None,
) -> ImageData:
    """Give the images of `source`, decoded once to uint8 [N, C, H, W] in the cache and mapped from there.

    `source` is a name of `SOURCE_NAMES`, `hub:OWNER/NAME`, or the path of a folder of pictures, parquet
    files, a saved `datasets` folder, an `.npy` or `.npz` file, or idx files. `cache` replaces the default
    folder; `progress` draws a bar on stderr. `UserError` tells what is wrong with a source or an option;
    `OtherImages`, before anything is decoded, that the fingerprint is not the one `expected`.

    >>> import tempfile
    >>> import numpy as np
    >>> folder = Path(tempfile.mkdtemp())
    >>> images = np.arange(20, dtype=np.uint8)[:, None, None, None].repeat(8, 2).repeat(8, 3)
    >>> np.save(folder / "grey.npy", images)
    >>> data = prepare(str(folder / "grey.npy"), cache=folder / "cache")
    >>> (data.channels, data.height, data.width), sum(len(split) for split in data.splits.values())
    ((1, 8, 8), 20)
    """
    opened, options = open_source(str(source), options)
    root = default_cache() if cache is None else Path(cache)
    before = opened.signature()
    fingerprint = fingerprint_of(opened.identity(root), options)
    if expected not in (None, fingerprint):
        raise OtherImages(f"'{source}' has changed: its fingerprint is {fingerprint}, wanted is {expected}.")
    found = read_entry(root / fingerprint)
    if found is None:
        with new_entry(root) as folder:
            info = _decode_all(opened, options, folder, progress)
            if opened.signature() != before:
                raise UserError(f"'{source}' changed while it was read. Run the command again.")
            (folder / "info.json").write_text(json.dumps({**info, "format": FORMAT, "fingerprint": fingerprint}))
            publish(folder, root / fingerprint)
        found = read_entry(root / fingerprint)
    if found is None:
        raise UserError(f"The cache entry {root / fingerprint} vanished. Run the command again.")
    info, splits = found
    return ImageData(
        source=whole_name(str(source)),
        name=opened.name,
        fingerprint=fingerprint,
        splits=splits,
        options=options,
        passed_over=dict(opened.passed_over),
        carved=tuple(info["carved"]),
        **{key: info[key] for key in DESCRIPTION},
    )


@dataclass(frozen=True)
class _Decoded:
    record: Record
    key: int = 0
    picture: Picture | None = None  # None: a bad image, for this reason
    reason: str = ""


class _StartAgain(Exception):
    """Something seen late in the source (a colour picture after grey ones) changes what all images become."""

    def __init__(self, channels: int | None, rule: SplitRule) -> None:
        self.channels, self.rule = channels, rule


def _decode_all(source: AbstractSource, options: ImageOptions, folder: Path, progress: bool) -> dict[str, Any]:
    channels, rule = options.channels, SplitRule.for_source(source.name, source.named)
    with warnings.catch_warnings():
        # Pillow warns of odd metadata and of large pictures; the size has a limit of our own.
        warnings.simplefilter("ignore")
        while True:
            try:
                return _Pass(source, options, folder, channels, rule).run(progress)
            except _StartAgain as again:
                channels, rule = again.channels, again.rule


class _Pass:
    """One pass over a source: every record decoded in order and written to its split."""

    def __init__(
        self,
        source: AbstractSource,
        options: ImageOptions,
        folder: Path,
        channels: int | None,
        rule: SplitRule,
    ) -> None:
        self.source, self.options, self.channels, self.rule = source, options, channels, rule
        self.writers = {name: SplitWriter(folder, name) for name in rule.splits}
        self.labels = LabelTable(source.label_names)
        self.keys = {name: array("Q") for name in rule.splits}  # 8 bytes an image
        self.first: _Decoded | None = None
        self.seen = Seen()
        self.bad: list[str] = []
        self.skipped = 0
        self.row = -1  # of the image at hand, in the source

    def run(self, progress: bool) -> dict[str, Any]:
        try:
            with bar(f"decoding {self.source.name}", self.source.total, progress) as advance:
                for decoded in _decode_in_order(self._decode, self.source.records()):
                    self._add(decoded)
                    advance(1)
            return self._finish()
        finally:
            for writer in self.writers.values():
                writer.close()

    def _decode(self, record: Record) -> _Decoded:
        try:
            content = record.read()
            if isinstance(content, bytes):
                picture = read_picture(content, self.options, self.channels)
            else:
                picture = Picture(array_pixels(content, self.options, self.channels))
        except BadImage as error:
            return _Decoded(record, reason=str(error))
        return _Decoded(record, content_key(picture.pixels), picture)

    def _add(self, decoded: _Decoded) -> None:
        self.row += 1
        if decoded.picture is None:
            self.skipped += 1
            if len(self.bad) < LISTED:
                self.bad.append(f"{decoded.record.name}: {decoded.reason}")
            return
        if self.skipped and not self.options.skip_bad_images:
            return  # already a failure: the rest is read only to name and count the bad ones
        self._check_shape(decoded)
        split = self.rule(decoded.record.split, fraction_of(decoded.key))
        self.keys[split].append(decoded.key)
        self.seen.add(decoded.picture)
        self.writers[split].add(decoded.picture.pixels, self.labels.code(decoded.record.label), self.row)

    def _check_shape(self, decoded: _Decoded) -> None:
        assert decoded.picture is not None
        if self.first is None or self.first.picture is None:
            height, width = decoded.picture.pixels.shape[1:]
            if min(height, width) < MINIMUM_SIDE:
                raise UserError(
                    f"{decoded.record.name} is {height}x{width} (height x width): both sides must be "
                    f"{MINIMUM_SIDE} pixels or more. Give a larger --image-size."
                )
            self.first = decoded
            return
        shape, wanted_shape = decoded.picture.pixels.shape, self.first.picture.pixels.shape
        (channels, *size), (wanted, *first_size) = shape, wanted_shape
        if size != first_size:
            raise UserError(
                f"The images differ in size: {self.first.record.name} is {first_size[0]}x{first_size[1]}, "
                f"{decoded.record.name} is {size[0]}x{size[1]} (height x width).\n"
                "Give one size for all with --image-size, for instance --image-size 64 --crop center."
            )
        if channels != wanted:
            raise _StartAgain(3, self.rule)

    def _finish(self) -> dict[str, Any]:
        if self.skipped and not self.options.skip_bad_images:
            more = f"\n... and {self.skipped - len(self.bad)} more" if self.skipped > len(self.bad) else ""
            raise UserError(
                f"{self.skipped} of the images in '{self.source.name}' cannot be used; "
                "--skip-bad-images leaves them out:\n" + "\n".join(self.bad) + more
            )
        if self.first is None or self.first.picture is None:
            why = f": all {self.skipped} are unreadable, for instance {self.bad[0]}" if self.bad else ""
            raise UserError(f"'{self.source.name}' has no images{why}.")
        carved = (*self.rule.carved, "train") if self.rule.carved else ()
        if any(self.writers[name].count == 0 for name in carved):
            side = [fraction_of(key) for name in carved for key in self.keys[name]]
            raise _StartAgain(self.channels, self.rule.with_every_split(side))
        for name, writer in self.writers.items():
            if writer.count == 0:
                raise UserError(f"The {name} split of '{self.source.name}' has no usable image.")
        self.seen.check(self.source.name)
        names, places = self.labels.finish()
        splits = {name: writer.finish(places) for name, writer in self.writers.items()}
        channels, height, width = self.first.picture.pixels.shape
        means_of = self.writers.get("train") or next(iter(self.writers.values()))
        return {
            "height": height,
            "width": width,
            "channels": channels,
            "splits": splits,
            "carved": list(self.rule.carved),
            "channel_means": [float(mean) for mean in means_of.sums / (means_of.count * height * width)],
            "skipped": self.skipped,
            "duplicates": count_duplicates(self.keys),
            "seen": asdict(self.seen),
            "label_names": names if any(split["labels"] for split in splits.values()) else None,
        }


def _decode_in_order(decode: Callable[[Record], _Decoded], records: Iterable[Record]) -> Iterator[_Decoded]:
    """Decode in a few threads (Pillow releases the interpreter lock), with few images waiting at a time."""
    workers = min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    feed = iter(records)
    waiting: deque[Future[list[_Decoded]]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        while True:
            while len(waiting) < workers + 2 and (chunk := list(islice(feed, CHUNK))):
                waiting.append(pool.submit(lambda records: [decode(record) for record in records], chunk))
            if not waiting:
                return
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
