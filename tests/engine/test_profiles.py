"""Pictures in other colours than sRGB: the picture stays in them, and the mark is brought into them."""

import struct
from io import BytesIO

import numpy as np
import pytest
from countermark import engine
from PIL import Image, ImageCms


def wide_profile() -> bytes:
    """Return a profile with the primaries of Adobe RGB (1998) and a gamma of 2.2."""

    def fixed(*values: float) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

    name = b"wide\0"
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.19921875 * 256)) + bytes(2)
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(79),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249),
        b"rXYZ": b"XYZ " + bytes(4) + fixed(0.60974, 0.31111, 0.01947),
        b"gXYZ": b"XYZ " + bytes(4) + fixed(0.20528, 0.62567, 0.06087),
        b"bXYZ": b"XYZ " + bytes(4) + fixed(0.14919, 0.06322, 0.74457),
        b"rTRC": curve, b"gTRC": curve, b"bTRC": curve,
    }  # fmt: skip
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for tag, data in tags.items():
        data += bytes(-len(data) % 4)
        table += tag + struct.pack(">II", at + len(body), len(data))
        body += data
    head = (
        struct.pack(">I4sI", at + len(body), bytes(4), 0x02100000) + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    )
    return (head + fixed(0.9642, 1.0, 0.8249)).ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


WIDE = wide_profile()
SOLID = {"text": "I", "position": "center", "size": "1", "opacity": "1", "effect": "none", "color": "#ff0000"}


def marked(form: str, **settings: object) -> Image.Image:
    buffer = BytesIO()
    Image.new("RGB", (64, 64), (10, 120, 200)).save(buffer, form, icc_profile=WIDE, **settings)
    return Image.open(BytesIO(engine.process(buffer.getvalue(), engine.parse_options(SOLID)).data))


@pytest.mark.parametrize(
    ("form", "settings"),
    [("JPEG", {"quality": 98, "subsampling": 0}), ("PNG", {}), ("TIFF", {}), ("WebP", {"lossless": True})],
)
def test_a_red_mark_is_the_same_red_in_a_wide_picture(form, settings):
    image = marked(form, **settings)
    assert image.info["icc_profile"] == WIDE
    pixels = np.asarray(image.convert("RGB"), dtype=int)
    red = pixels[(pixels[..., 2] < 30) & (pixels[..., 0] > 190)]
    assert np.median(red[:, 0]) == pytest.approx(219, abs=3)  # 255 of sRGB
    assert tuple(pixels[1, 1]) == pytest.approx((10, 120, 200), abs=2)


def test_a_broken_profile_is_dropped_and_does_not_stop_the_mark():
    buffer = BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG", icc_profile=WIDE[:200])
    image = Image.open(BytesIO(engine.process(buffer.getvalue(), engine.parse_options(SOLID)).data))
    assert "icc_profile" not in image.info
    assert image.getextrema()[0][1] > 200


def test_a_grey_result_does_not_carry_a_profile_of_colours():
    buffer = BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (64, 64)).save(buffer, "JPEG", icc_profile=profile)
    data = engine.process(buffer.getvalue(), engine.load_options({"tasks": [{"task": "grayscale"}]})).data
    assert "icc_profile" not in Image.open(BytesIO(data)).info
