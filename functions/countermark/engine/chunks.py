"""The chunks that a PNG file is made of."""

import struct
from collections.abc import Iterator

from zlib_ng import zlib_ng

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHECKED = 4  # bytes of the sum behind a chunk's content


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of every chunk of a file, and where its content begins and ends, if the file does not end before.

    The first one begins behind the signature, each other one `CHECKED` bytes behind the last one's content.
    """
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        yield kind, at + 8, end
        at = end + CHECKED


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk as it stands in a file."""
    checked = zlib_ng.crc32(content, zlib_ng.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checked)
