"""How a process and a cell speak: messages over a socket, and files through a small piece of shared memory.

A message is one JSON object. A file follows it piece by piece: the sender puts a piece into the shared memory, and the
receiver, when it has copied it, asks for the next. So neither a message nor a file costs more memory than is
expected, and whatever the other side says, it is copied before anything is made of it.
"""

import fcntl
import json
import mmap
import os
import select
import socket
import time
from io import BytesIO
from typing import Any

PIECE = 4 * 1024 * 1024
LONGEST = 64 * 1024  # bytes of a message
_NEXT = b"+"
_SEALS = fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


class Malformed(Exception):
    """The other side says something that has no meaning."""


class Ended(Exception):
    """The other side is gone."""


def make_area() -> int:
    """Return a file in memory of one piece, whose size nobody can change: who reads it would be killed by that."""
    file = os.memfd_create("cell", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(file, PIECE)
    fcntl.fcntl(file, *_SEALS)
    return file


class Line:
    """One end of the line between a process and its cell."""

    def __init__(self, connection: socket.socket, area: int) -> None:
        """Take a socket that keeps messages apart, and the shared memory's file, which is closed."""
        self._socket = connection
        self._area = mmap.mmap(area, PIECE)
        self._until: float | None = None
        os.close(area)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
        self._area.close()

    def wait_until(self, moment: float) -> None:
        """Let everything from now on end at a moment of the monotonic clock; what takes longer raises TimeoutError."""
        self._until = moment

    def has_news(self) -> bool:
        """Tell whether something can be received, or the other side is gone."""
        looked = select.poll()
        looked.register(self._socket, select.POLLIN)
        return bool(looked.poll(0))

    def send(self, message: dict[str, Any], data: bytes = b"") -> None:
        """Send a message, and the file that belongs to it.

        Raises `Ended` or TimeoutError.
        """
        packet = json.dumps({**message, "size": len(data)}).encode()
        if len(packet) > LONGEST:
            raise ValueError(f"A message of {len(packet)} bytes is too long.")
        for start in range(0, max(len(data), 1), PIECE):
            if start and self._receive() != _NEXT:
                raise Malformed("a piece was not asked for")
            piece = memoryview(data)[start : start + PIECE]
            self._area[: len(piece)] = piece
            self._send(_NEXT if start else packet)

    def receive(self, most: int) -> tuple[dict[str, Any], bytes]:
        """Return the next message, and its file, which has at most so many bytes.

        Raises `Ended`, `Malformed` or TimeoutError.
        """
        message = _parsed(self._receive())
        size = message.pop("size", None)
        if type(size) is not int or not 0 <= size <= most:
            raise Malformed(f"a file of {size!r:.40} bytes")
        if size <= PIECE:
            return message, self._area[:size]
        whole = BytesIO()
        while True:
            whole.write(memoryview(self._area)[: min(PIECE, size - whole.tell())])
            if whole.tell() == size:
                return message, whole.getvalue()
            self._send(_NEXT)
            if self._receive() != _NEXT:
                raise Malformed("a piece did not come")

    def _send(self, packet: bytes) -> None:
        self._bound()
        try:
            self._socket.send(packet, socket.MSG_NOSIGNAL)
        except (BrokenPipeError, ConnectionResetError):
            raise Ended from None

    def _receive(self) -> bytes:
        self._bound()
        try:
            packet = self._socket.recv(LONGEST)
        except ConnectionResetError:
            packet = b""
        if not packet:
            raise Ended
        return packet

    def _bound(self) -> None:
        if self._until is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)


def _parsed(packet: bytes) -> dict[str, Any]:
    try:
        message = json.loads(packet)
    except (ValueError, RecursionError):
        raise Malformed("no JSON") from None
    if not isinstance(message, dict):
        raise Malformed("no object")
    return message
