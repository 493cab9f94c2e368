"""Pictures in other colours than sRGB: the picture stays in them, and the mark is brought into them."""

import struct
from io import BytesIO

import numpy as np
import pytest
from countermark import engine
from countermark.engine.metadata import icc
from PIL import Image, ImageCms

from tests.engine.carriers import payload, traces
from tests.engine.profiles import USUAL, assembled, fixed, gamma, lut, name_of, pipeline, profiles, shown

CURVE = gamma(2.19921875)
#: The primaries of Adobe RGB (1998) and a gamma of 2.2.
WIDE = assembled(
    {
        **USUAL,
        b"rXYZ": b"XYZ " + bytes(4) + fixed(0.60974, 0.31111, 0.01947),
        b"gXYZ": b"XYZ " + bytes(4) + fixed(0.20528, 0.62567, 0.06087),
        b"bXYZ": b"XYZ " + bytes(4) + fixed(0.14919, 0.06322, 0.74457),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), CURVE),
    }
)
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
    edited = engine.process(buffer.getvalue(), engine.parse_options(SOLID))
    assert edited.notes == ("profile_dropped",)
    image = Image.open(BytesIO(edited.data))
    assert "icc_profile" not in image.info
    assert image.getextrema()[0][1] > 200


def test_a_grey_result_does_not_carry_a_profile_of_colours():
    buffer = BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (64, 64)).save(buffer, "JPEG", icc_profile=profile)
    data = engine.process(buffer.getvalue(), engine.load_options({"tasks": [{"task": "grayscale"}]})).data
    assert "icc_profile" not in Image.open(BytesIO(data)).info


@pytest.mark.parametrize("name", profiles())
def test_a_profile_of_any_kind_shows_the_same_colours(name):
    profile = profiles()[name]
    kept = icc.checked(profile)
    assert kept is not None
    assert shown(kept) == shown(profile)
    assert icc.checked(kept) == kept


NOISE = payload("raw")
#: The tags of versions 2 and 4, and those of Apple's, Microsoft's and other makers' profiles.
TAGS = (
    b"A2B0 A2B1 A2B2 A2B3 B2A0 B2A1 B2A2 B2D0 D2B0 bXYZ bTRC bkpt calt chad chrm cicp ciis clro clrt cprt crdi "
    b"desc devs dmdd dmnd "
    b"gTRC gXYZ gamt kTRC lumi meas meta ncl2 pre0 ps2i ps2s pseq psid rTRC rXYZ resp rig0 scrd scrn "
    b"targ tech ucrI vcgt view vued wtpt aabg dscm mmod ndin MSCA MS00 mine"
).split()


def noisy(grid: int) -> np.ndarray:
    """Return a table of colours that is noise."""
    return np.frombuffer(NOISE, np.uint8)[: grid**3 * 3].reshape(grid, grid, grid, 3) / 255


def values() -> dict[str, bytes]:
    """Return values of every type with noise where it may be, or behind what they are."""
    wide = b"\0".join(NOISE[at : at + 1] for at in range(len(NOISE)))
    count = len(NOISE) // 2
    types = (b"text", b"data", b"dict", b"desc", b"mluc", b"curv", b"para", b"sf32", b"XYZ ", b"sig ", b"mft1", b"mft2",
             b"mAB ", b"mBA ", b"mpet", b"vcgt", b"chrm", b"cicp", b"uf32", b"dtim", b"\0\0\0\0")  # fmt: skip
    gap = struct.pack(">II4sII", 1, 12, b"enUS", 4, 28 + len(NOISE)) + NOISE + "hi".encode("utf-16-be")
    return {
        **{f"{kind.decode()} of noise": kind + bytes(4) + NOISE for kind in types},
        **{f"{kind.decode()} of sixteen zeros and noise": kind + bytes(20) + NOISE for kind in types},
        "mluc with a gap": b"mluc" + bytes(4) + gap,
        "mluc of noise in letters": b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(wide), 28) + wide,
        "desc with other words": name_of("x")[:-78] + struct.pack(">II", 0, count) + NOISE + bytes(70),
        "curv": b"curv" + bytes(4) + struct.pack(">I", count) + NOISE,
        "curv with more": gamma(2.2) + NOISE,
        "XYZ with more": USUAL[b"wtpt"] + NOISE,
        "para with more": b"para" + bytes(4) + struct.pack(">HH", 0, 0) + fixed(2.2) + NOISE,
        **{f"{kind.decode()} as a table": lut(kind, 3, 3, 9, noisy(9)) for kind in (b"mft1", b"mft2")},
        **{f"{kind.decode()} with more": lut(kind, 3, 3, 9) + NOISE for kind in (b"mft1", b"mft2")},
        **{f"{kind.decode()} with more": pipeline(kind, 3, 3, 6) + NOISE for kind in (b"mAB ", b"mBA ")},
        "mAB with a gap": widened(pipeline(b"mAB ", 3, 3, 6)),
    }


def widened(value: bytes) -> bytes:
    """Return a lutAToBType with noise between its head and its parts."""
    offsets = [each + len(NOISE) for each in struct.unpack_from(">5I", value, 12)]
    return value[:12] + struct.pack(">5I", *offsets) + NOISE + value[32:]


@pytest.mark.parametrize("value", values())
def test_nothing_stays_of_noise_in_any_tag_of_any_type(value):
    data = values()[value]
    for tag in TAGS:
        for gap in (b"", NOISE):
            kept = icc.checked(assembled({**TRUE, tag: data}, gap=gap)) or b""
            assert not [trace for trace in TRACES if trace in kept], tag
            assert len(kept) < 200_000


#: What colours need, both as a matrix and as tables, so that a profile is one whatever else is in it.
TRUE = {
    **USUAL,
    **{tag: b"XYZ " + bytes(4) + fixed(0.3, 0.3, 0.3) for tag in (b"rXYZ", b"gXYZ", b"bXYZ")},
    **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), CURVE),
}
TRACES = traces(NOISE)


def test_a_photograph_is_no_table_of_colours(photograph):
    for name in ("dogs", "meadow", "sunset"):
        small = Image.open(BytesIO(photograph(name))).resize((71, 70))
        table = np.asarray(small).reshape(-1)[: 17**3 * 3].reshape(17, 17, 17, 3) / 255
        tags = {**USUAL, b"A2B0": lut(b"mft2", 3, 3, 17, table)}
        assert icc.checked(assembled({**tags, b"A2B0": lut(b"mft2", 3, 3, 17)}, pcs=b"Lab ")) is not None
        assert icc.checked(assembled(tags, pcs=b"Lab ")) is None


def test_name_and_copyright_are_one_text_that_people_read():
    words = "© 2026 Studio Müller. Anyone may use this profile."
    for text in (words, "\x07" * 80, "QWxhZGRpbjpvcGVu" * 40, "a" * 1001):
        wide = text.encode("utf-16-be")
        records = b"deDE" + struct.pack(">II", 8, 40) + b"enGB" + struct.pack(">II", len(wide), 48)
        value = b"mluc" + bytes(4) + struct.pack(">II", 2, 12) + records + "Wort".encode("utf-16-be") + wide
        kept = icc.checked(assembled({**TRUE, b"cprt": value, b"desc": value}, version=4))
        assert kept is not None
        found = ImageCms.ImageCmsProfile(BytesIO(kept)).profile
        expected = words if text == words else None
        assert (found.copyright or None, found.profile_description or None) == (expected, expected)
        assert kept.count(wide) == (2 if expected else 0)
