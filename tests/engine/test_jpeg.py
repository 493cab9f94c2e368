"""JPEG files of every kind are marked in the colours that viewers show, or refused by name."""

import contextlib
import struct
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from countermark import engine
from PIL import Image

from tests.engine.tiffs import by_vips

ADOBE = b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0"
MARK = engine.parse_options({"position": "top-left", "size": "0.3", "color": "orange"})
RGB = {"keep_rgb": True}


def segments(data: bytes) -> Iterator[bytes]:
    """The segments before the first scan, and then all the rest."""
    at = 2
    while data[at + 1] != 0xDA:
        length = struct.unpack_from(">H", data, at + 2)[0] + 2
        yield data[at : at + length]
        at += length
    yield data[at:]


def told(data: bytes, *, jfif: bool, adobe: int | None, names: bytes | None = None) -> bytes:
    """The file with what tells decoders its colours: a JFIF segment, an Adobe one, the components' names."""
    found = [each for each in segments(data) if each[1] not in {0xE0, 0xEE}]
    head = [b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"] if jfif else []
    head += [ADOBE + bytes((adobe,))] if adobe is not None else []
    if names:
        found = [_renamed(each, names) for each in found]
    return b"".join([data[:2], *head, *found])


def _renamed(segment: bytes, names: bytes) -> bytes:
    segment = bytearray(segment)
    if segment[1] in {0xC0, 0xC2}:
        segment[10 : 10 + 3 * len(names) : 3] = names
    elif segment[1] == 0xDA:
        segment[5 : 5 + 2 * len(names) : 2] = names
    return bytes(segment)


def pixels(data: bytes) -> np.ndarray:
    return by_vips(data).astype(int)


@pytest.mark.parametrize("settings", [{"subsampling": "4:2:0"}, {"subsampling": "4:4:4"}, RGB], ids=str)
@pytest.mark.parametrize("jfif", [False, True])
@pytest.mark.parametrize("adobe", [None, 0, 1, 2])
@pytest.mark.parametrize("names", [b"\1\2\3", b"RGB", b"\0\1\2"])
def test_the_colours_outside_the_mark_are_what_another_decoder_shows(make, settings, jfif, adobe, names):
    source = told(make("JPEG", size=(120, 90), quality=95, **settings), jfif=jfif, adobe=adobe, names=names)
    before, after = pixels(source), pixels(engine.process(source, MARK).data)
    difference = np.abs(before - after)
    assert difference[60:].mean() < 1.5
    assert (difference[:50, :60] > 40).any()


@pytest.mark.parametrize("adobe", [None, 0, 2])
def test_inks_outside_the_mark_are_what_another_decoder_shows(make, adobe):
    source = told(make("JPEG", "CMYK", size=(120, 90), quality=95), jfif=False, adobe=adobe)
    difference = np.abs(pixels(source) - pixels(engine.process(source, MARK).data))
    assert difference[60:].mean() < 1.5
    assert (difference[:50, :60] > 40).any()


@pytest.mark.parametrize(
    "sampling", [b"\x22\x11\x11", b"\x41\x11\x11", b"\x12\x11\x11", b"\x11\x22\x22", b"\x22\x21\x12"]
)
def test_odd_samplings_are_marked_or_refused(make, sampling):
    """Nonsense to look at, as the data are of another sampling, but a decoder takes it."""
    parts = list(segments(make("JPEG", size=(96, 96), subsampling="4:4:4")))
    found = bytearray(next(each for each in parts if each[1] == 0xC0))
    found[11::3] = sampling
    source = b"\xff\xd8" + b"".join(bytes(found) if each[1] == 0xC0 else each for each in parts)
    with contextlib.suppress(engine.ImageError):
        assert engine.process(source, engine.parse_options({"quality": "90"})).width == 96


@pytest.mark.parametrize(
    ("marker", "bits", "kind"),
    [(0xC3, 8, "lossless"), (0xC7, 8, "hierarchical"), (0xCB, 8, "lossless"), (0xC1, 12, "of 12 bits")],
)
def test_a_kind_that_cannot_be_read_is_called_by_its_name(make, marker, bits, kind):
    source = make("JPEG")
    at = source.index(b"\xff\xc0")
    changed = source[: at + 1] + bytes((marker,)) + source[at + 2 : at + 4] + bytes((bits,)) + source[at + 5 :]
    with pytest.raises(engine.UnsupportedFormat, match=kind):
        engine.process(changed, MARK)


KINDS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 3},
    "grey": {},
    "rgb": RGB,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_lacks_only_its_end_is_marked_as_the_whole_one(make, kind):
    whole = make("JPEG", "L" if kind == "grey" else "RGB", **KINDS[kind])
    expected = engine.process(whole, MARK).data
    assert whole.endswith(b"\xff\xd9")
    for source in (whole[:-2], whole[:-1]):
        assert engine.process(source, MARK).data == expected
    assert engine.preview(whole[:-2], MARK).data == engine.preview(whole, MARK).data


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_lacks_more_is_cut_off(make, kind):
    whole = make("JPEG", "L" if kind == "grey" else "RGB", **KINDS[kind])
    scans = whole.index(b"\xff\xda")
    for at in (*range(len(whole) - 12, len(whole) - 4), *np.linspace(scans, len(whole) - 20, 12).astype(int)):
        with pytest.raises(engine.TruncatedImage):
            engine.process(whole[:at], MARK)


def test_a_progressive_file_without_its_last_scans_is_cut_off(make):
    whole = make("JPEG", progressive=True)
    at = whole.index(b"\xff\xda", whole.index(b"\xff\xda") + 2)
    for _ in range(3):
        at = whole.index(b"\xff\xc4", at + 2)
        with pytest.raises(engine.TruncatedImage):
            engine.process(whole[:at], MARK)


def test_what_stands_behind_the_end_is_left_out(make):
    whole = make("JPEG")
    assert engine.process(whole + b"trailing bytes" * 100, MARK).data == engine.process(whole, MARK).data


def test_a_picture_of_red_green_and_blue_stays_one(make):
    source = make("JPEG", **RGB)
    result = Image.open(BytesIO(engine.process(source, MARK).data))
    assert result.info["adobe_transform"] == 0


DIVISORS, CODES, FRAMES, SCAN = 0xDB, 0xC4, (0xC0, 0xC1, 0xC2), 0xDA


def tables(data: bytes) -> list[bytes]:
    """The tables in the segments before the first scan, each with its number."""
    found = []
    for each in segments(data):
        at = 4
        while each[1] in {DIVISORS, CODES} and at < len(each):
            size = 65 + 64 * (each[at] >> 4) if each[1] == DIVISORS else 17 + sum(each[at + 1 : at + 17])
            found.append(each[1:2] + each[at : at + size])
            at += size
    return found


def strangers(noise: bytes) -> bytes:
    """Segments that decoders pass over, or forget for the next one of the kind."""
    parts = [noise[at : at + 64].ljust(64, b"\0") for at in range(0, len(noise), 64)]
    counts = bytes([0] * 6 + [64] + [0] * 9)
    return b"".join(
        b"\xff\xdb\0\x43" + bytes((number % 4,)) + part
        + b"\xff\xc4\0\x53" + bytes((0x10 | number % 4,)) + counts + part
        + ADOBE[:9] + part[:6] + b"\1"
        + b"\xff\xe0\0\x10JFIF\0" + part[:9]
        + b"\xff\xdd\0\4\0\0" + b"\xff" * (number % 5)
        for number, part in enumerate(parts)
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wanted", [{}, {"quality": "90"}, {"metadata": "none"}], ids=str)
def test_the_head_of_a_result_has_what_its_picture_needs_and_no_more(make, kind, wanted):
    noise = np.random.default_rng(3).integers(0, 255, 64 * 90, dtype=np.uint8).tobytes()
    whole = make("JPEG", "L" if kind == "grey" else "RGB", **KINDS[kind])
    jfif = 0 if kind == "rgb" else 4 + struct.unpack_from(">H", whole, 4)[0]
    source = whole[: jfif or 2] + strangers(noise) + whole[jfif or 2 :]
    if kind == "rgb":
        source = whole[:2] + strangers(noise).replace(b"JFIF", b"JFXX") + whole[2:]
    options = engine.parse_options({"position": "top-left", "size": "0.3", **wanted})
    data, plain = (engine.process(each, options).data for each in (source, whole))
    assert not [at for at in range(0, len(noise) - 16, 8) if noise[at : at + 12] in data]
    assert sorted(tables(data)) == sorted(tables(plain))
    assert len(data) <= len(plain) + len(ADOBE) + 1
    markers = [each[1] for each in segments(data)]
    assert len(set(markers)) == len(markers)
    frame = next(each for each in segments(data) if each[1] in FRAMES)
    assert {each[1] for each in tables(data) if each[0] == DIVISORS} == set(frame[12::3])


@pytest.mark.parametrize("tasks", ["", '[{"task": "resize", "width": 100}, {"task": "watermark"}]'])
def test_a_picture_whose_table_is_not_the_first_one_keeps_it(make, tasks):
    plain = make("JPEG", "L", quality=40)
    divisors, frame = plain.index(b"\xff\xdb"), plain.index(b"\xff\xc0")
    source = bytearray(plain)
    source[divisors + 4] = source[frame + 12] = 1
    options = engine.parse_options({"tasks": tasks} if tasks else {})
    one, other = (Image.open(BytesIO(engine.process(bytes(each), options).data)) for each in (plain, source))
    assert list(one.quantization.values()) == list(other.quantization.values())
    assert (np.asarray(one) == np.asarray(other)).all()
