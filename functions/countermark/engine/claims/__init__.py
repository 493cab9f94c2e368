"""What a file says of its pictures, read before a decoder believes it.

A decoder takes memory for what a header says, and the headers are many: a GIF has a screen and frames, a TIFF file
pages and tiles, an AVIF file boxes and, in them, the codec's own header. Each of them is read here, in time that grows
with the file's bytes, and no pixel is decoded. What no picture is made of, parts without number, is refused.

    tally.py     what has been read, and how many parts are too many
    jpeg.py, png.py, gif.py, tiff.py, webp.py, bmp.py
    heif.py      HEIC and AVIF: items, grids and tracks; boxes.py their boxes, coded.py the headers of their codecs
"""

import struct
from contextlib import suppress

from . import bmp, gif, heif, jpeg, png, tiff, webp
from .tally import Claims, Tally

_READERS = {
    "JPEG": jpeg.read,
    "PNG": png.read,
    "GIF": gif.read,
    "TIFF": tiff.read,
    "WebP": webp.read,
    "BMP": bmp.read,
    "AVIF": heif.read,
    "HEIC": heif.read,
}


def read_claims(source: bytes, form: str) -> Claims:
    """Return what a file of the format `form` says of its pictures; raise `DamagedImage` for one of too many parts.

    A damaged file says as much as can be read of it: the decoder will refuse it, or stop at the same place.
    """
    tally = Tally()
    with suppress(struct.error, IndexError):  # it ends too early
        _READERS[form](source, tally)
    return tally.claims()


__all__ = ["Claims", "read_claims"]
