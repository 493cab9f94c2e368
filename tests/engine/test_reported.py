"""Files that users of other programs report, and that viewers show: each is marked, and its picture stays as it was.

Each is a kind, made from a sound photograph by what is wrong with it, or only unusual.
"""

import base64
import struct
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from countermark import engine
from PIL import Image, ImageCms

from tests.engine.hostile import chunk, segment

Change = Callable[[bytes], bytes]
MARK = {"text": "Mark", "position": "center", "size": 0.5}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
REFUSED = {"damaged_image", "truncated_image", "unsupported_format"}


def in_front(data: bytes) -> Change:
    """Return what puts segments or chunks behind the first mark of a JPEG or the header of a PNG file."""
    return lambda file: file[:2] + data + file[2:] if file[:1] == b"\xff" else file[:33] + data + file[33:]


def behind(data: bytes) -> Change:
    return lambda file: file + data


def before_scan(data: bytes) -> Change:
    return lambda file: file[: file.index(b"\xff\xda")] + data + file[file.index(b"\xff\xda") :]


def before_end(data: bytes) -> Change:
    """Return what puts chunks in front of a PNG file's last one."""
    return lambda file: file[:-12] + data + file[-12:]


def exif(orientation: int) -> bytes:
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    return segment(0xE1, b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4))


def scan_of_one_coefficient(file: bytes) -> bytes:
    """Say of a sequential scan that it has the first coefficient alone, as some telephones do."""
    at = file.index(b"\xff\xda")
    end = at + 2 + int.from_bytes(file[at + 2 : at + 4], "big")
    return file[: end - 3] + bytes(3) + file[end:]


def of_two_pictures(file: bytes) -> bytes:
    """Promise a second picture, for larger screens, that is not there."""
    index = b"II*\0" + struct.pack("<IHHHI4sI", 8, 1, 0xB001, 4, 1, struct.pack("<I", 2), 0)
    return in_front(segment(0xE2, b"MPF\0" + index))(file)


def idat_split(file: bytes) -> bytes:
    """Write the pixels in chunks of nothing, of one byte, and of the rest."""
    at = file.index(b"IDAT")
    size = int.from_bytes(file[at - 4 : at], "big")
    data = file[at + 4 : at + 4 + size]
    parts = [b"", data[:1], b"", data[1:]]
    return file[: at - 4] + b"".join(chunk(b"IDAT", part) for part in parts) + file[at + 8 + size :]


#: What is wrong -> the format, the kind of pixels, and how it comes about.
SHOWN: dict[str, tuple[str, str, Change]] = {
    "EXIF that is something else": (
        "JPEG",
        "RGB",
        in_front(segment(0xE1, b"Exif\0\0http://ns.adobe.com/xap/1.0/\0<x")),
    ),
    "EXIF of nothing": ("JPEG", "RGB", in_front(segment(0xE1, b"Exif\0\0"))),
    "an orientation of 0": ("JPEG", "RGB", in_front(exif(0))),
    "an orientation of 9": ("JPEG", "RGB", in_front(exif(9))),
    "a maker's data behind the end": ("JPEG", "RGB", behind(b"SEFHk\0\0\0" + bytes(300))),
    "a film behind the end": ("JPEG", "RGB", behind(b"\0\0\0\x18ftypmp42" + bytes(4000))),
    "bytes between segments": ("JPEG", "RGB", before_scan(bytes(24_242))),
    "a scan of one coefficient": ("JPEG", "RGB", scan_of_one_coefficient),
    "a second picture that is not there": ("JPEG", "RGB", of_two_pictures),
    "a thumbnail of JFIF that is cut off": ("JPEG", "RGB", in_front(segment(0xE0, b"JFXX\0\x10\xff\xd8\xff\xdb"))),
    "Adobe's segment in front of JFIF": ("JPEG", "RGB", in_front(segment(0xEE, b"Adobe\0d\0\0\0\0\1"))),
    "a comment in no encoding": ("JPEG", "RGB", in_front(segment(0xFE, b"Gr\xf6\xdfe"))),
    "a profile that is none": ("JPEG", "RGB", in_front(segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(200)))),
    "a profile that lacks a part": ("JPEG", "RGB", in_front(segment(0xE2, b"ICC_PROFILE\0\1\3" + SRGB[:100]))),
    "a profile of colours in grey": ("JPEG", "L", in_front(segment(0xE2, b"ICC_PROFILE\0\1\1" + SRGB))),
    "a text with a wrong sum": ("PNG", "RGB", in_front(chunk(b"tEXt", b"Title\0x")[:-1] + b"\0")),
    "a chunk that nobody knows": ("PNG", "RGB", in_front(chunk(b"ABCD", b"x"))),
    "a profile that is not compressed": ("PNG", "RGB", in_front(chunk(b"iCCP", b"x\0\0garbage"))),
    "EXIF in a chunk that is something else": ("PNG", "RGB", in_front(chunk(b"eXIf", b"garbage"))),
    "a palette for true colours": ("PNG", "RGB", in_front(chunk(b"PLTE", bytes(9)))),
    "pixels in chunks of nothing": ("PNG", "RGB", idat_split),
    "pixels behind the pixels, and a text": ("PNG", "RGB", before_end(chunk(b"IDAT", b"x") + chunk(b"tEXt", b"a\0b"))),
    "no last chunk": ("PNG", "RGB", lambda file: file[:-12]),
    "bytes behind the last chunk": ("PNG", "RGB", behind(bytes(2))),
    "a GIF without its end": ("GIF", "P", lambda file: file[:-1]),
    "a screen of 0 x 0": ("GIF", "P", lambda file: file[:6] + bytes(4) + file[10:]),
    "bytes behind a WebP": ("WEBP", "RGB", behind(bytes(77))),
    "bytes behind an AVIF": ("AVIF", "RGB", behind(bytes(60))),
    "bytes behind a TIFF": ("TIFF", "RGB", behind(bytes(10))),
    "a bitmap that says a size of 0": ("BMP", "RGB", lambda file: file[:2] + bytes(4) + file[6:]),
}

#: What no viewer shows, or each one otherwise: whatever comes of it is typed.
BROKEN: dict[str, tuple[str, Change]] = {
    "begun twice": ("JPEG", lambda file: b"\xff\xd8" + file),
    "without its last third": ("JPEG", lambda file: file[: len(file) * 2 // 3]),
    "a header with a wrong sum": ("PNG", lambda file: file[:29] + bytes(4) + file[33:]),
    "more bytes than there are": ("WEBP", lambda file: file[:4] + struct.pack("<I", len(file) + 500) + file[8:]),
    "fewer bytes than there are": ("WEBP", lambda file: file[:4] + struct.pack("<I", len(file) - 10) + file[8:]),
}


def corners(data: bytes) -> np.ndarray:
    """Return the means of a picture's corners, far from the mark."""
    pixels = np.asarray(Image.open(BytesIO(data)).convert("RGB"), float)
    across, down = pixels.shape[1] // 8, pixels.shape[0] // 8
    parts = (pixels[:down, :across], pixels[:down, -across:], pixels[-down:, :across], pixels[-down:, -across:])
    return np.array([part.mean(axis=(0, 1)) for part in parts])


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
@pytest.mark.parametrize("wanted", ["keep", "jpeg", "png"])
@pytest.mark.parametrize("name", SHOWN)
def test_what_viewers_show_is_marked_and_stays_as_it_was(make, name, wanted):
    form, mode, change = SHOWN[name]
    sound = make(form, mode)
    changed = change(sound)
    assert changed != sound
    edited = engine.process(changed, engine.load_options({**MARK, "format": wanted}))
    assert (edited.width, edited.height) == (240, 160)
    assert np.abs(corners(edited.data) - corners(sound)).max() < 4
    assert b"SEFHk" not in edited.data
    assert b"ftypmp42" not in edited.data


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_refused_in_words(make, name):
    form, change = BROKEN[name]
    with pytest.raises(engine.ImageError) as caught:
        engine.process(change(make(form)), engine.load_options(MARK))
    assert caught.value.code in REFUSED
    assert str(caught.value).endswith(".")


def test_a_name_says_nothing_of_the_format(make):
    assert engine.process(make("JPEG"), engine.load_options(MARK), name="IMG_2020.HEIC").format == "JPEG"


def test_a_mark_on_clear_ground_is_as_strong_as_it_should_be():
    """Where it were multiplied with what lies under it, nothing would be seen."""
    buffer = BytesIO()
    Image.new("RGBA", (300, 200)).save(buffer, "PNG")
    options = engine.load_options({**MARK, "color": "red", "opacity": 1})
    alpha = Image.open(BytesIO(engine.process(buffer.getvalue(), options).data)).getchannel("A")
    assert alpha.getextrema() == (0, 255)


@pytest.mark.parametrize("mode", ["LA", "L", "RGBA", "P"])
@pytest.mark.parametrize("logo", ["LA", "L", "RGBA", "P"])
def test_a_logo_of_any_kind_is_drawn_on_a_picture_of_any_kind(make, mode, logo):
    image = "data:image/png;base64," + base64.b64encode(make("PNG", logo, (40, 30))).decode()
    options = engine.load_options({"image": image, "position": "center", "size": 0.5})
    assert engine.process(make("PNG", mode), options).format == "PNG"
