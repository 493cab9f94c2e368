"""ICC profiles of every kind, and whether the engine's copy of one shows the same colours.

python -m tests.engine.profiles /usr/share/color     each profile in a folder; 1 when the colours of one change
"""

import struct
import sys
from collections import Counter
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from countermark.engine.metadata import icc
from PIL import Image, ImageCms

SAMPLES = Path(__file__).parent / "samples" / "profiles"
MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
INKS = {b"RGB ": 3, b"GRAY": 1, b"CMYK": 4}


def fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def name_of(words: str) -> bytes:
    plain = words.encode() + b"\0"
    return b"desc" + bytes(4) + struct.pack(">I", len(plain)) + plain + bytes(78)


def gamma(value: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))


WHITE = b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249)
USUAL = {b"desc": name_of("profile"), b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": WHITE}


def assembled(
    tags: dict[bytes, bytes],
    *,
    space: bytes = b"RGB ",
    pcs: bytes = b"XYZ ",
    kind: bytes = b"mntr",
    version: int = 2,
    gap: bytes = b"",
) -> bytes:
    """Return a profile of these tags, with `gap` before each value and behind the last one."""
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for tag, data in tags.items():
        body += gap
        table += tag + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    body += gap
    head = struct.pack(">I4sBB2x", at + len(body), bytes(4), version, 0x10) + kind + space + pcs
    head += bytes(12) + b"acsp" + bytes(28) + WHITE[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _ramp(shape: tuple[int, ...], out: int) -> np.ndarray:
    """Return a table of colours that rise along each axis, each channel in a way of its own."""
    axes = np.meshgrid(*(np.linspace(0, 1, each) for each in shape), indexing="ij")
    return np.stack([sum(each ** (1 + number / 3) for each in axes) / len(axes) for number in range(out)], axis=-1)


def lut(kind: bytes, across: int, out: int, grid: int, table: np.ndarray | None = None) -> bytes:
    """Return a lut8Type or lut16Type."""
    wide, entries = (1, 256) if kind == b"mft1" else (2, 64)
    most = 256**wide - 1

    def numbers(values: np.ndarray) -> bytes:
        return np.round(values * most).astype(f">u{wide}").tobytes()

    line = numbers(np.linspace(0, 1, entries))
    head = kind + bytes(4) + bytes((across, out, grid, 0)) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    head += struct.pack(">HH", entries, entries) if wide == 2 else b""
    nodes = numbers(_ramp((grid,) * across, out) if table is None else table)
    return head + line * across + nodes + line * out


def pipeline(kind: bytes, across: int, out: int, grid: int) -> bytes:
    """Return a lutAToBType or lutBToAType with all that one may have."""
    para = b"para" + bytes(4) + struct.pack(">HH", 3, 0) + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    curve = gamma(1.8) + bytes(2)
    near, far = (out, across) if kind == b"mAB " else (across, out)
    table = np.round(_ramp((grid,) * across, out) * 65535).astype(">u2").tobytes()
    colors = bytes([grid] * across).ljust(16, b"\0") + bytes((2, 0, 0, 0)) + table + bytes(-len(table) % 4)
    matrix = fixed(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
    parts, offsets, at = [para * near, matrix, curve * near, colors, para * far], [], 32
    for part in parts:
        offsets.append(at)
        at += len(part)
    return kind + bytes(4) + bytes((across, out, 0, 0)) + struct.pack(">5I", *offsets) + b"".join(parts)


@cache
def made() -> dict[str, bytes]:
    """Return profiles of all kinds that are not among the samples."""
    lab = {"pcs": b"Lab ", "kind": b"prtr"}
    both = {
        f"{form} of {inks} inks": assembled(
            {
                **USUAL,
                **{b"A2B%d" % intent: lut(kind, inks, 3, 7) for intent in range(3)},
                **{b"B2A%d" % intent: lut(kind, 3, inks, 9) for intent in range(3)},
            },
            space=space,
            **lab,
        )
        for form, kind in (("8 bits", b"mft1"), ("16 bits", b"mft2"))
        for space, inks in INKS.items()
        if inks > 1
    }
    newer = {
        f"version 4 of {inks} inks": assembled(
            {**USUAL, b"A2B0": pipeline(b"mAB ", inks, 3, 6), b"B2A0": pipeline(b"mBA ", 3, inks, 6)},
            space=space,
            version=4,
            **lab,
        )
        for space, inks in INKS.items()
        if inks > 1
    }
    return {"sRGB": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), **both, **newer}


def profiles() -> dict[str, bytes]:
    """Return a profile of every kind."""
    return {path.stem: path.read_bytes() for path in sorted(SAMPLES.glob("*.icc"))} | made()


def shown(profile: bytes) -> list[object]:
    """Return what LittleCMS makes of colours in a profile, and of colours brought into it, for each intent."""
    mode = MODES[profile[16:20]]
    noise = np.random.default_rng(1).integers(0, 256, (24, 24, INKS[profile[16:20]]), dtype=np.uint8)
    own = Image.fromarray(noise.squeeze(), mode)
    usual = Image.fromarray(np.random.default_rng(2).integers(0, 256, (24, 24, 3), dtype=np.uint8))
    opened, srgb = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
    found: list[object] = []
    for intent in range(4):
        for one, other, image, into in ((opened, srgb, own, "RGB"), (srgb, opened, usual, mode)):
            try:
                way = ImageCms.buildTransform(one, other, image.mode, into, renderingIntent=intent)
                found.append(ImageCms.applyTransform(image, way).tobytes())
            except (ImageCms.PyCMSError, OSError) as error:  # one that LittleCMS cannot use so
                found.append(str(error))
    return found


def main() -> int:
    """Compare all profiles in the folders that are named."""
    ends: Counter[str] = Counter()
    changed = 0
    for path in (path for folder in sys.argv[1:] for path in sorted(Path(folder).rglob("*.ic[cm]"))):
        profile = path.read_bytes()
        kept = icc.checked(profile)
        if kept is None:
            ends[f"dropped, {profile[12:20].decode('latin-1')}"] += 1
        elif shown(kept) == shown(profile):
            ends["the same colours"] += 1
        else:
            changed += 1
            print(f"other colours: {path}")
    print(*(f"{count} {end}" for end, count in sorted(ends.items())), sep="\n")
    return 1 if changed else 0


if __name__ == "__main__":
    raise SystemExit(main())
