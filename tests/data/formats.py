"""Pictures written byte by byte, in the number formats that Pillow reads and does not write."""

from __future__ import annotations

import struct
import zlib

import numpy.typing as npt

KINDS = {"u": 1, "i": 2, "f": 3}


def tiff(values: npt.NDArray, white: int = 1, *, compressed: bool = False, bits: int | None = None) -> bytes:
    """An uncompressed or deflated TIFF of one strip, in the byte order of `values` [H, W] or [H, W, C].

    `white` is the photometric tag: 0 where zero is white, 1 where it is black, 2 for colour. With `bits` 12, two values
    are packed into three bytes.
    """
    order = ">" if values.dtype.byteorder == ">" else "<"
    height, width, *channels = values.shape
    count = channels[0] if channels else 1
    body = _packed(values) if bits == 12 else values.tobytes()
    if compressed:
        body = zlib.compress(body)
    per_sample = {258: bits or 8 * values.itemsize, 339: KINDS[values.dtype.kind]}
    one = {256: width, 257: height, 259: 8 if compressed else 1, 262: white, 277: count, 278: height}
    tags: dict[int, list[int]] = {tag: [value] for tag, value in one.items()}
    tags.update({tag: [value] * count for tag, value in per_sample.items()})
    tags.update({273: [0], 279: [len(body)]})
    after = 8 + 2 + 12 * len(tags) + 4
    long = b"".join(struct.pack(f"{order}{count}H", *value) for _, value in sorted(tags.items()) if 2 * len(value) > 4)
    tags[273] = [after + len(long)]
    entries, place = b"", after
    for tag, value in sorted(tags.items()):
        kind = 4 if tag in (273, 279) else 3
        raw = struct.pack(f"{order}{len(value)}{'I' if kind == 4 else 'H'}", *value)
        if len(raw) > 4:
            raw, place = struct.pack(f"{order}I", place), place + len(raw)
        entries += struct.pack(f"{order}HHI", tag, kind, len(value)) + raw.ljust(4, b"\0")
    start = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(tags))
    return start + entries + bytes(4) + long + body


def _packed(values: npt.NDArray) -> bytes:
    pairs = values.reshape(-1, 2).astype(int)
    return b"".join(int((first << 12) | second).to_bytes(3, "big") for first, second in pairs)


def png(values: npt.NDArray, depth: int, colour: int, transparent: tuple[int, ...] = ()) -> bytes:
    """A PNG of `values` [H, W] or [H, W, C], `depth` bits each; `transparent` is the one sample that is clear."""
    flat = values.reshape(len(values), -1)
    if depth == 16:
        rows = [row.astype(">u2").tobytes() for row in flat]
    else:
        bits = [[format(int(value), f"0{depth}b") for value in row] for row in flat]
        rows = [int("".join(row), 2).to_bytes(len(row) * depth // 8, "big") for row in bits]

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], depth, colour, 0, 0, 0)
    clear = chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)) if transparent else b""
    body = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + clear + body + chunk(b"IEND", b"")
