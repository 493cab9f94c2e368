"""A multipart/form-data body as parts that are read one after the other, without keeping them (RFC 7578)."""

from collections.abc import Iterator
from typing import IO

from countermark.http.problems import Problem
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import NEED_DATA, Data, Epilogue, Field, File, MultipartDecoder

CHUNK_BYTES = 256 * 1024
MAX_FIELD_BYTES = 8 * 1024 * 1024
"""Room for an option; a logo is sent as one."""
BUFFER_BYTES = 4 * CHUNK_BYTES
"""The decoder keeps no more; what comes before the first part, or is the head of one, has to fit."""
BROKEN = "The multipart body is broken: it is cut off, or a part has no Content-Disposition with a name."


class Part:
    """One part: its name, the file name if it is a file, and its bytes, to be read before the next part."""

    def __init__(self, head: Field | File, reader: "_Reader") -> None:
        self.name = head.name
        self.filename: str | None = head.filename if isinstance(head, File) else None
        self._reader = reader
        self._left = b""
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """The next bytes: as many as asked for, fewer at the end; all that are left for -1."""
        chunks, have = [self._left], len(self._left)
        while not self._ended and (size < 0 or have < size):
            event = self._reader.next()
            if not isinstance(event, Data):
                raise Problem("The multipart body is broken: a part does not end.")
            chunks.append(event.data)
            have += len(event.data)
            self._ended = not event.more_data
        data = b"".join(chunks)
        if size < 0:
            self._left = b""
            return data
        self._left = data[size:]
        return data[:size]

    def text(self) -> str:
        """The value of a field.

        Raises:
            Problem: it is too long or no text.
        """
        value = self.read(MAX_FIELD_BYTES + 1)
        if len(value) > MAX_FIELD_BYTES:
            raise Problem(f"The field {self.name} has more than {MAX_FIELD_BYTES} bytes.")
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise Problem(f"The field {self.name} is not UTF-8 text.") from None

    def skip(self) -> None:
        """Read past what is left of the part."""
        while self.read(CHUNK_BYTES):
            pass


class _Reader:
    """The decoder's events, fed from the stream."""

    def __init__(self, stream: IO[bytes], boundary: str) -> None:
        self._stream = stream
        self._decoder = MultipartDecoder(boundary.encode("ascii"), max_form_memory_size=BUFFER_BYTES)

    def next(self) -> object:
        try:
            while (event := self._decoder.next_event()) is NEED_DATA:
                self._decoder.receive_data(self._stream.read(CHUNK_BYTES) or None)
        except RequestEntityTooLarge as error:
            raise Problem(
                "The multipart body is broken: before the first part, after the last one or in a part's head are"
                f" {BUFFER_BYTES} bytes."
            ) from error
        except ValueError as error:
            raise Problem(BROKEN) from error
        return event


def read_parts(stream: IO[bytes], content_type: str) -> Iterator[Part]:
    """The parts of a body in their order.

    Raises:
        Problem: the body is not multipart/form-data, or is broken or cut off.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not (boundary and boundary.isascii()):
        raise Problem(
            "Send multipart/form-data with the images as `files` (curl -F files=@photo.jpg), or JSON with their names"
            f" and sizes. This request says {content_type or 'no content type'}."
        )
    reader = _Reader(stream, boundary)
    while not isinstance(event := reader.next(), Epilogue):
        if isinstance(event, Field | File):
            if not event.name:  # the decoder passes on that there is none
                raise Problem(BROKEN)
            part = Part(event, reader)
            yield part
            part.skip()
