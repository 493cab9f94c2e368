"""A multipart/form-data body as events, while it comes and without keeping it (RFC 7578)."""

from collections.abc import AsyncIterator

from countermark.http.problems import Problem
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import NEED_DATA, Data, Epilogue, Field, File, MultipartDecoder

__all__ = ["BUFFER_BYTES", "Data", "Field", "File", "read_parts"]

PIECE_BYTES = 64 * 1024
BUFFER_BYTES = 2 * PIECE_BYTES
"""The decoder keeps no more; what comes before the first part, or is the head of one, has to fit. To read a head of
a megabyte takes it a second, in which nobody else is served."""
BROKEN = "The multipart body is broken: it is cut off, or a part has no Content-Disposition with a name."


async def read_parts(chunks: AsyncIterator[bytes], content_type: str) -> AsyncIterator[Field | File | Data]:
    """The parts of a body in their order: the head of each, and then its bytes, of which the last have no more_data.

    Raises:
        Problem: the body is not multipart/form-data, or is broken or cut off.
    """
    decoder = MultipartDecoder(_boundary(content_type), max_form_memory_size=BUFFER_BYTES)
    async for chunk in chunks:
        for start in range(0, len(chunk), PIECE_BYTES):
            for event in _decoded(decoder, chunk[start : start + PIECE_BYTES]):
                yield event
    for event in _decoded(decoder, None):
        yield event


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not (boundary and boundary.isascii()):
        raise Problem(
            "Send multipart/form-data with the images as `files` (curl -F files=@photo.jpg), or JSON with their names"
            f" and sizes. This request says {content_type or 'no content type'}."
        )
    return boundary.encode("ascii")


def _decoded(decoder: MultipartDecoder, chunk: bytes | None) -> list[Field | File | Data]:
    """What is complete with the next bytes, or with the end of them (None)."""
    events: list[Field | File | Data] = []
    try:
        decoder.receive_data(chunk)
        while (event := decoder.next_event()) is not NEED_DATA and not isinstance(event, Epilogue):
            if isinstance(event, Field | File) and not event.name:  # the decoder passes on that there is none
                raise Problem(BROKEN)
            if isinstance(event, Field | File | Data):
                events.append(event)
    except RequestEntityTooLarge as error:
        raise Problem(
            f"The multipart body is broken: there are more than {BUFFER_BYTES} bytes before the first part, after the"
            " last one or in a part's head."
        ) from error
    except ValueError as error:
        raise Problem(BROKEN) from error
    return events
