"""TIFF files of every kind, written by hand, and any file read by another decoder than the engine's."""

import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import pyvips

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, OFFSETS, SAMPLES, ROWS, COUNTS = (
    256, 257, 258, 259, 262, 273, 277, 278, 279)  # fmt: skip
PLANAR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, EXTRA, FORMAT = 284, 322, 323, 324, 325, 338, 339
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK = 0, 1, 2, 5
UNSIGNED, SIGNED, FLOAT = 1, 2, 3


def packbits(data: bytes) -> bytes:
    """Return runs of bytes that each stand for themselves."""
    parts = [data[at : at + 128] for at in range(0, len(data), 128)]
    return b"".join(bytes((len(part) - 1,)) + part for part in parts)


def lzw(data: bytes) -> bytes:
    """Return codes of nine bits: those that begin anew come so often that there are never longer ones."""
    parts = [data[at : at + 250] for at in range(0, len(data), 250)]
    codes = [code for part in parts for code in (256, *part)] + [257]
    bits = "".join(f"{code:09b}" for code in codes)
    return int(bits + "0" * (-len(bits) % 8), 2).to_bytes((len(bits) + 7) // 8, "big")


COMPRESSIONS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (1, bytes),
    "lzw": (5, lzw),
    "deflate": (8, zlib.compress),
    "packbits": (32_773, packbits),
}


def tiff(
    samples: np.ndarray,
    photometric: int,
    *,
    order: str = "<",
    big: bool = False,
    separate: bool = False,
    tile: int = 0,
    extra: Sequence[int] = (),
    compression: str = "none",
    tags: dict[int, Sequence[int]] | None = None,
) -> bytes:
    """Return a TIFF file of samples, height by width by bands; `tile` is the side of its tiles."""
    height, width, bands = samples.shape
    kind = {"u": UNSIGNED, "i": SIGNED, "f": FLOAT}[samples.dtype.kind]
    data = samples.astype(samples.dtype.newbyteorder(order))
    planes = [data[..., each : each + 1] for each in range(bands)] if separate else [data]
    pieces = [piece.tobytes() for plane in planes for piece in (_tiles(plane, tile) if tile else _strips(plane))]
    scheme, compress = COMPRESSIONS[compression]
    pieces = [compress(piece) for piece in pieces]
    found: dict[int, tuple[str, Sequence[int]]] = {
        WIDTH: ("I", [width]),
        HEIGHT: ("I", [height]),
        BITS: ("H", [samples.dtype.itemsize * 8] * bands),
        COMPRESSION: ("H", [scheme]),
        PHOTOMETRIC: ("H", [photometric]),
        SAMPLES: ("H", [bands]),
        PLANAR: ("H", [2 if separate else 1]),
        FORMAT: ("H", [kind] * bands),
    }
    if extra:
        found[EXTRA] = ("H", extra)
    if tile:
        found |= {TILE_WIDTH: ("I", [tile]), TILE_HEIGHT: ("I", [tile])}
    else:
        found[ROWS] = ("I", [_ROWS])
    found |= {tag: ("H", values) for tag, values in (tags or {}).items()}
    return _file(found, pieces, (TILE_OFFSETS, TILE_COUNTS) if tile else (OFFSETS, COUNTS), order, big=big)


_ROWS = 16  # of a strip


def _strips(plane: np.ndarray) -> list[np.ndarray]:
    return [plane[top : top + _ROWS] for top in range(0, len(plane), _ROWS)]


def _tiles(plane: np.ndarray, side: int) -> list[np.ndarray]:
    across, down = -plane.shape[1] % side, -plane.shape[0] % side
    plane = np.pad(plane, ((0, down), (0, across), (0, 0)))
    return [
        plane[top : top + side, left : left + side]
        for top in range(0, plane.shape[0], side)
        for left in range(0, plane.shape[1], side)
    ]


def _file(
    tags: dict[int, tuple[str, Sequence[int]]], pieces: list[bytes], where: tuple[int, int], order: str, *, big: bool
) -> bytes:
    address, count, room = ("Q", "Q", 8) if big else ("I", "H", 4)
    head = 16 if big else 8
    places, body = [], b""
    for piece in pieces:
        places.append(head + len(body))
        body += piece + b"\0" * (len(piece) % 2)
    tags = tags | {where[0]: (address, places), where[1]: (address, [len(piece) for piece in pieces])}
    begins = head + len(body)
    behind = begins + struct.calcsize("<" + count) + len(tags) * (4 + 2 * room) + room
    table, values = struct.pack(order + count, len(tags)), b""
    for tag, (letter, numbers) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        kind = {"H": 3, "I": 4, "Q": 16}[letter]
        table += struct.pack(f"{order}HH{address}", tag, kind, len(numbers))
        if len(packed) > room:
            table += struct.pack(order + address, behind + len(values))
            values += packed + b"\0" * (len(packed) % 2)
        else:
            table += packed.ljust(room, b"\0")
    mark = b"II" if order == "<" else b"MM"
    start = struct.pack(order + "HHHQ", 43, 8, 0, begins) if big else struct.pack(order + "HI", 42, begins)
    return mark + start + body + table + struct.pack(order + address, 0) + values


def by_vips(data: bytes, page: int = 0) -> np.ndarray:
    """Return the samples of any file as libvips reads them, with the depth that it has."""
    options = f"page={page}" if page else ""
    image = pyvips.Image.new_from_buffer(data, options)
    pixels = np.asarray(image.numpy())
    return pixels[..., None] if pixels.ndim == 2 else pixels
