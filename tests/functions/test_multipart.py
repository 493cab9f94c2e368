"""Multipart bodies are read part by part, whatever is in them."""

import asyncio
import io
import itertools
from collections.abc import AsyncIterator, Callable
from typing import IO

import pytest
from countermark.http.problems import Problem

from functions.upload.multipart import BUFFER_BYTES, Data, read_parts

TYPE = "multipart/form-data; boundary=XX"
CHUNK_BYTES = 65_536


def parts_of(stream: IO[bytes], content_type: str = TYPE) -> list[tuple[str, str | None, list[bytes]]]:
    """Name, file name and the pieces of each part."""

    async def chunks() -> AsyncIterator[bytes]:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk

    async def read() -> list[tuple[str, str | None, list[bytes]]]:
        found: list[tuple[str, str | None, list[bytes]]] = []
        async for event in read_parts(chunks(), content_type):
            if isinstance(event, Data):
                found[-1][2].append(event.data)
            else:
                found.append((event.name, getattr(event, "filename", None), []))
        return found

    return asyncio.run(read())


def body(*parts: tuple[str, bytes]) -> bytes:
    """A body with parts of given headers and bytes."""
    sent = b"".join(
        b"--XX\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"
        for head, data in parts
    )
    return sent + b"--XX--\r\n"


def test_fields_and_files_come_in_their_order() -> None:
    sent = body(('name="text"', "© 2026".encode()), ('name="files"; filename="day1/ночь.jpg"', b"\xff\xd8\r\n--X\r\n"))
    seen = [(name, filename, b"".join(pieces)) for name, filename, pieces in parts_of(io.BytesIO(sent))]
    assert seen == [("text", None, "© 2026".encode()), ("files", "day1/ночь.jpg", b"\xff\xd8\r\n--X\r\n")]


def test_a_large_file_comes_in_pieces() -> None:
    data = bytes(itertools.islice(itertools.cycle(range(251)), 3 * CHUNK_BYTES + 17))
    ((_, _, pieces),) = parts_of(io.BytesIO(body(('name="files"; filename="a"', data))))
    assert max(len(piece) for piece in pieces) <= CHUNK_BYTES
    assert b"".join(pieces) == data


@pytest.mark.parametrize(
    ("sent", "content_type"),
    [
        (b"", TYPE),
        (b"nothing", TYPE),
        (body(('name="files"; filename="a"', b"data"))[:-20], TYPE),
        (body(('x="a"', b"1")), TYPE),
        (body(('filename="a.jpg"', b"1")), TYPE),
        (body(('name="a"', b"1")).replace(b"Content-Disposition", b"X"), TYPE),
        (body(('name="a"', b"1")), "text/plain"),
        (body(('name="a"', b"1")), "multipart/form-data"),
        (body(('name="a"', b"1")), ""),
        (body(('name="a"', b"1")), "multipart/form-data; boundary*=UTF-8''%E2%82%AC"),
        (body(('name="a"', b"1")), "multipart/form-data; boundary=é"),
    ],
)
def test_a_broken_or_cut_off_body_is_a_problem(sent: bytes, content_type: str) -> None:
    with pytest.raises(Problem):
        parts_of(io.BytesIO(sent), content_type)


@pytest.mark.parametrize(
    "sent",
    [
        lambda filler: filler,
        lambda filler: b'--XX\r\nContent-Disposition: form-data; name="a' + filler,
        lambda filler: b"--XX\r\nContent-Disposition: form-data\r\nX: 1" * (len(filler) // 40),
        lambda filler: body(('name="a"', b"1")) + filler,
        lambda filler: b"--XX" + b" " * len(filler),
    ],
    ids=["no boundary", "no end of a head", "heads in a head", "after the end", "a boundary without end"],
)
def test_what_is_no_part_is_not_kept(sent: Callable[[bytes], bytes]) -> None:
    stream = io.BytesIO(sent(b"x" * (20 * BUFFER_BYTES)))
    with pytest.raises(Problem, match="The multipart body is broken"):
        parts_of(stream)
    assert stream.tell() <= BUFFER_BYTES + 2 * CHUNK_BYTES


@pytest.mark.parametrize("chunk", [1000, CHUNK_BYTES, 10 * BUFFER_BYTES])
def test_a_head_has_a_limit_however_it_comes(chunk: int) -> None:
    """Reading one takes long, and nobody else is served meanwhile."""
    sent = body(('name="a"; ' + ";" * 3 * BUFFER_BYTES, b"1"))

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(sent), chunk):
            yield sent[start : start + chunk]

    async def read() -> None:
        async for _ in read_parts(chunks(), TYPE):
            pass

    with pytest.raises(Problem, match="in a part's head"):
        asyncio.run(read())
