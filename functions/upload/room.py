"""Where the bytes of files are until they are stored: in memory while there is room, else in temporary files."""

import errno
import io
import tempfile
import threading
from typing import IO

from countermark.http.problems import Unavailable

MIB = 1024 * 1024
MEMORY_BYTES = 128 * MIB
"""What all files that are just coming may have in memory together."""


class Room:
    """What the files of all uploads of this process may take together; safe to use from many threads."""

    def __init__(self, *, memory: int = MEMORY_BYTES, disk: int) -> None:
        """Both in bytes."""
        self._memory, self._disk = memory, disk
        self._lock = threading.Lock()

    def take_memory(self, size: int) -> bool:
        """Take some, if there is so much."""
        with self._lock:
            if size > self._memory:
                return False
            self._memory -= size
            return True

    def take_disk(self, size: int) -> None:
        """Take some.

        Raises:
            Unavailable: there is not so much.
        """
        with self._lock:
            if size > self._disk:
                raise Unavailable("There are too many large uploads just now.")
            self._disk -= size

    def give_back(self, *, memory: int = 0, disk: int = 0) -> None:
        """What was taken is free again."""
        with self._lock:
            self._memory += memory
            self._disk += disk


class Held:
    """The bytes of a file, or of a part of one."""

    def __init__(self, room: Room, *, in_memory: bool = True) -> None:
        """Nothing yet.

        Args:
            in_memory: they may be, if there is room.
        """
        self.bytes = 0
        self._room = room
        self._file: IO[bytes] = io.BytesIO() if in_memory else tempfile.TemporaryFile()  # noqa: SIM115 -- close() does
        self._in_memory = in_memory

    def write(self, data: bytes) -> None:
        """Add some bytes.

        Raises:
            Unavailable: there is no room, or the disk is full.
        """
        if self._in_memory and not self._room.take_memory(len(data)):
            self._move_to_disk()
        if not self._in_memory:
            self._room.take_disk(len(data))
        self.bytes += len(data)
        _write(self._file, data)

    def _move_to_disk(self) -> None:
        self._room.take_disk(self.bytes)
        self._room.give_back(memory=self.bytes)
        self._in_memory = False
        data = self.read()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        _write(self._file, data)

    def read(self) -> bytes:
        """All of them."""
        if isinstance(self._file, io.BytesIO):
            return self._file.getvalue()  # without a copy
        return self.open().read()

    def open(self) -> IO[bytes]:
        """The file, from its beginning."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """They are not needed any more."""
        if self._in_memory:
            self._room.give_back(memory=self.bytes)
        else:
            self._room.give_back(disk=self.bytes)
        self.bytes = 0
        self._file.close()


def _write(file: IO[bytes], data: bytes) -> None:
    try:
        file.write(data)
        file.flush()
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Unavailable("There is no room for large uploads just now.") from error
        raise
