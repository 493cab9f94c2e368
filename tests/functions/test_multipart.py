"""Multipart bodies are read part by part, whatever is in them."""

import io
import itertools
from collections.abc import Callable

import pytest
from countermark.http.problems import Problem

from functions.upload.multipart import BUFFER_BYTES, CHUNK_BYTES, read_parts

TYPE = "multipart/form-data; boundary=XX"


def body(*parts: tuple[str, bytes]) -> bytes:
    """A body with parts of given headers and bytes."""
    sent = b"".join(
        b"--XX\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"
        for head, data in parts
    )
    return sent + b"--XX--\r\n"


def test_fields_and_files_come_in_their_order() -> None:
    sent = body(('name="text"', "© 2026".encode()), ('name="files"; filename="day1/ночь.jpg"', b"\xff\xd8\r\n--X\r\n"))
    seen = [(part.name, part.filename, part.read()) for part in read_parts(io.BytesIO(sent), TYPE)]
    assert seen == [("text", None, "© 2026".encode()), ("files", "day1/ночь.jpg", b"\xff\xd8\r\n--X\r\n")]


def test_a_large_file_is_read_in_pieces_of_the_size_asked_for() -> None:
    data = bytes(itertools.islice(itertools.cycle(range(251)), 3 * CHUNK_BYTES + 17))
    (part,) = [
        (part.read(4), part.read(CHUNK_BYTES), part.read())
        for part in read_parts(io.BytesIO(body(('name="files"; filename="a"', data))), TYPE)
    ]
    assert [len(piece) for piece in part[:2]] == [4, CHUNK_BYTES]
    assert b"".join(part) == data


def test_a_part_that_nobody_read_is_passed_over() -> None:
    sent = body(('name="files"; filename="a"', b"x" * 999_999), ('name="last"', b"1"))
    assert [part.name for part in read_parts(io.BytesIO(sent), TYPE)] == ["files", "last"]


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
        [part.read() for part in read_parts(io.BytesIO(sent), content_type)]


def test_a_field_must_be_text() -> None:
    (part,) = itertools.islice(read_parts(io.BytesIO(body(('name="text"', b"\xff\xfe"))), TYPE), 1)
    with pytest.raises(Problem, match="not UTF-8"):
        part.text()


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
        [part.read() for part in read_parts(stream, TYPE)]
    assert stream.tell() <= BUFFER_BYTES + 2 * CHUNK_BYTES
