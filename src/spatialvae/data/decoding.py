"""One pass over a source: every image decoded, cropped and resized, and sent to its split."""

from __future__ import annotations

import os
import warnings
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from spatialvae.data.description import Description
from spatialvae.data.labels import LabelTable
from spatialvae.data.notes import Seen
from spatialvae.data.options import MINIMUM_SIDE, ImageOptions
from spatialvae.data.picture import BadImage, Picture
from spatialvae.data.sources.source import AbstractImages, Record
from spatialvae.data.splits import SplitRule, content_key, count_duplicates, fraction_of
from spatialvae.data.writer import AbstractWriter
from spatialvae.errors import UserError
from spatialvae.progress import Progress

__all__ = ["decode_images"]

CHUNK = 16  # records a worker takes at once
LISTED = 10  # bad images named in an error
NewWriter = Callable[[str], AbstractWriter]


def decode_images(source: AbstractImages, options: ImageOptions, writer: NewWriter, progress: bool) -> Description:
    """Decode all images of a source and hand each to the writer of its split.

    A pass starts again where something seen late changes what all images become, with fresh writers.

    Args:
        source: the images.
        options: size, crop, layout and channels.
        writer: makes the writer of the split of this name.
        progress: whether a bar on stderr shows how far it is.

    Raises:
        UserError: images that cannot be read, that differ in size, or that are too few.
    """
    channels, rule = options.channels, SplitRule.for_source(source.name, source.named)
    with warnings.catch_warnings():
        # Pillow warns of odd metadata and of large pictures; the size has a limit of our own.
        warnings.simplefilter("ignore")
        while True:
            try:
                return _Pass(source, options, writer, channels, rule).run(progress)
            except _StartAgain as again:
                channels, rule = again.channels, again.rule


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


class _Pass:
    """One pass over a source: every record decoded in order and written to its split."""

    def __init__(
        self,
        source: AbstractImages,
        options: ImageOptions,
        writer: NewWriter,
        channels: int | None,
        rule: SplitRule,
    ) -> None:
        self.source, self.options, self.channels, self.rule = source, options, channels, rule
        self.writers = {name: writer(name) for name in rule.splits}
        self.labels = LabelTable(source.label_names)
        self.keys = {name: array("Q") for name in rule.splits}  # 8 bytes an image
        self.first: _Decoded | None = None
        self.seen = Seen()
        self.bad: list[str] = []
        self.skipped = 0
        self.row = -1  # of the image at hand, in the source

    def run(self, progress: bool) -> Description:
        try:
            with Progress(f"decoding {self.source.name}", self.source.total, shown=progress) as work:
                for decoded in _decode_in_order(self._decode, self.source.records()):
                    self._add(decoded)
                    work.advance(1)
            return self._finish()
        finally:
            for writer in self.writers.values():
                writer.close()

    def _decode(self, record: Record) -> _Decoded:
        try:
            picture = record.picture(self.options, self.channels)
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
                    f"{MINIMUM_SIDE} pixels or more. Give a larger `image_size`."
                )
            self.first = decoded
            return
        shape, wanted_shape = decoded.picture.pixels.shape, self.first.picture.pixels.shape
        (channels, *size), (wanted, *first_size) = shape, wanted_shape
        if size != first_size:
            raise UserError(
                f"The images differ in size: {self.first.record.name} is {first_size[0]}x{first_size[1]}, "
                f"{decoded.record.name} is {size[0]}x{size[1]} (height x width).\n"
                "Give one size for all with `image_size`, for instance `image_size` 64 with `crop` center."
            )
        if channels != wanted:
            raise _StartAgain(3, self.rule)

    def _finish(self) -> Description:
        if self.skipped and not self.options.skip_bad_images:
            more = f"\n... and {self.skipped - len(self.bad)} more" if self.skipped > len(self.bad) else ""
            raise UserError(
                f"{self.skipped} of the images in '{self.source.name}' cannot be used; "
                "`skip_bad_images` leaves them out:\n" + "\n".join(self.bad) + more
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
        return Description(
            height=height,
            width=width,
            channels=channels,
            splits=splits,
            carved=self.rule.carved,
            channel_means=[float(mean) for mean in means_of.sums / (means_of.count * height * width)],
            skipped=self.skipped,
            duplicates=count_duplicates(self.keys),
            seen=self.seen,
            label_names=names if any(split.labels for split in splits.values()) else None,
        )


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
