"""Reads an entry of a ZIP with no more memory than what is asked for, however it is packed."""

import bz2
import copy
import lzma
import struct
import zipfile
import zlib
from typing import Any, Protocol

PIECE_BYTES = 64 * 1024
MAX_WINDOW_BYTES = 128 * 1024 * 1024
"""What unpacking LZMA may keep of what it has unpacked; programs use up to half of it, an entry may ask for 4 GiB."""

LZMA_HEAD = struct.Struct("<2sH")
"""The version, and the number of bytes of the properties that follow."""
LZMA_PROPERTIES = 5
ENDS_BY_ITSELF = 0x2
"""The flag of LZMA data that has a mark at its end; other data ends with the entry's size."""


class Packed(Protocol):
    """An entry to read."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, not more than asked for; none at the end."""

    def close(self) -> None:
        """Let go of the ZIP, and of what unpacking keeps."""


def open_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Packed:
    """An entry's bytes; opening and reading raise whatever the libraries do."""
    if info.compress_type in {zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}:
        return _Unpacked(archive, info)
    return archive.open(info)


class _Unpacked:
    """zipfile unpacks all that some kilobytes of these methods become, and that may be gigabytes."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        packed = copy.copy(info)
        packed.compress_type, packed.file_size = zipfile.ZIP_STORED, info.compress_size
        del packed.CRC  # it is that of what is unpacked
        self._packed = archive.open(packed)
        self._expected, self._crc = info.CRC, 0
        self._unpacker: Any = bz2.BZ2Decompressor()
        self._head = b""
        if info.compress_type == zipfile.ZIP_LZMA:
            self._unpacker = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MAX_WINDOW_BYTES)
            self._head = self._lzma_head(-1 if info.flag_bits & ENDS_BY_ITSELF else info.file_size)

    def _lzma_head(self, size: int) -> bytes:
        """How the data begins when it is not in a ZIP."""
        _, length = LZMA_HEAD.unpack(self._packed.read(LZMA_HEAD.size))
        if length != LZMA_PROPERTIES:
            raise zipfile.BadZipFile("the properties of LZMA have another length")
        return self._packed.read(length) + struct.pack("<q", size)

    def read(self, size: int, /) -> bytes:
        data = b""
        while not data and not self._unpacker.eof:
            more, self._head = self._head, b""
            if not more and self._unpacker.needs_input and not (more := self._packed.read(PIECE_BYTES)):
                raise EOFError("the data ends too soon")
            data = self._unpacker.decompress(more, size)
        self._crc = zlib.crc32(data, self._crc)
        if not data and self._crc != self._expected:
            raise zipfile.BadZipFile("the checksum is wrong")
        return data

    def close(self) -> None:
        self._unpacker = None  # it keeps what it may refer to
        self._packed.close()
