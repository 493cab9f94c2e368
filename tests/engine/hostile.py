"""Files that mean harm, of every kind that is known: small, and asking for much memory, time, or room.

python -m tests.engine.hostile     run each in a cell of its own and write bench/hostile.md
"""

import os
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path

from countermark import engine
from countermark.engine import cell
from countermark.engine.cell.budget import SETTING, Budget
from countermark.engine.cell.keeper import Cell, Helper
from PIL import Image, ImageDraw

from tests.engine.carriers import chunk
from tests.engine.needs import status

REPORT = Path(__file__).parents[2] / "bench" / "hostile.md"
LIMIT = "2Gi"  # of the function that marks
BAD = "**wrong**"

# ---- PNG ----


def png(
    width: int, height: int, rows: bytes, *, depth: int = 8, kind: int = 2, extra: bytes = b"", last: bytes = b""
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
    return head + chunk(b"IDAT", zlib.compress(rows, 9)) + last + chunk(b"IEND", b"")


def small_png(extra: bytes = b"", last: bytes = b"") -> bytes:
    return png(64, 64, (b"\0" + bytes(range(192))) * 64, extra=extra, last=last)


def flat_png(width: int, height: int) -> bytes:
    """Black and white, 1 bit a pixel, and a few bytes in the file."""
    return png(width, height, bytes(height * (1 + (width + 7) // 8)), depth=1, kind=0)


def packed_text(name: bytes, size: int) -> bytes:
    return chunk(b"zTXt", name + b"\0\0" + zlib.compress(bytes(size), 9))


def apng(count: int, width: int, height: int, *, claimed: tuple[int, int] | None = None) -> bytes:
    """Frames of one picture; `claimed` is the size that each but the first says to have."""
    body = [chunk(b"acTL", struct.pack(">II", count, 0))]
    data = zlib.compress((b"\0" + bytes(width)) * height, 9)
    for number in range(count):
        size = claimed if claimed and number else (width, height)
        body.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", max(2 * number - 1, 0), *size, 0, 0, 1, 10, 0, 0)))
        body.append(chunk(b"fdAT", struct.pack(">I", 2 * number) + data) if number else chunk(b"IDAT", data))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(body) + chunk(b"IEND", b"")


# ---- JPEG ----


@cache
def jpeg(width: int = 64, height: int = 64, *, progressive: bool = False) -> bytes:
    buffer = BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(buffer, "JPEG", progressive=progressive)
    return buffer.getvalue()


def jpeg_of(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A JPEG whose header promises more than there is."""
    data = bytearray(jpeg(16, 16, progressive=progressive))
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def scans(count: int, width: int, height: int) -> bytes:
    """A progressive JPEG that repeats one scan."""
    data = jpeg(width, height, progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + data[-2:]


def empty_scans(count: int, width: int, height: int) -> bytes:
    """A sequential JPEG of one component in a scan each, which hold nothing."""
    data = jpeg_of(width, height)
    scan = b"".join(b"\xff\xda\0\x08\1" + bytes((1 + each % 3, 0x11 if each % 3 else 0, 0, 63, 0)) for each in range(3))
    return data[: data.index(b"\xff\xda")] + scan * (count // 3) + b"\xff\xd9"


def with_segments(segments: bytes) -> bytes:
    return jpeg()[:2] + segments + jpeg()[2:]


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def exif_bomb(size: int) -> bytes:
    """An EXIF block of many entries, each of which says that it is nearly the whole block."""
    count = min(size // 24, 65_000)
    entries = b"".join(struct.pack("<HHII", 0x9000 + each % 999, 7, size - 100, 8) for each in range(count))
    block = b"II*\0" + struct.pack("<IH", 8, count) + entries
    return block + bytes(max(size - len(block), 0))


def exif_in_segments(size: int) -> bytes:
    block = exif_bomb(size)
    parts = [block[at : at + 65_000] for at in range(0, size, 65_000)]
    return with_segments(b"".join(segment(0xE1, b"Exif\0\0" + part) for part in parts))


# ---- GIF ----


@cache
def gif_data(width: int, height: int) -> bytes:
    """Return the compressed pixels of a frame."""
    if width * height > 1_000_000:
        return b"\2\2\x4c\1\0"
    buffer = BytesIO()
    Image.new("L", (width, height)).save(buffer, "GIF", interlace=0)
    described = struct.pack("<BHHHHB", 0x2C, 0, 0, width, height, 0)
    return buffer.getvalue().partition(described)[2][:-1]


def gif(screen: tuple[int, int], *images: tuple[int, int, int, int]) -> bytes:
    """Frames (left, top, width, height) in black; of the larger ones only the beginning is there."""
    body = b"".join(struct.pack("<BHHHHB", 0x2C, *image, 0) + gif_data(*image[2:]) for image in images)
    return b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + body + b";"


def gif_blocks(count: int) -> bytes:
    """An extension of blocks of one byte each."""
    return gif((64, 64))[:-1] + b"!\xfe" + b"\1x" * count + b"\0" + gif((64, 64), (0, 0, 64, 64))[19:]


# ---- TIFF ----


def tiff(*pages: list[tuple[int, int, int, int]], data: bytes = b"") -> bytes:
    """Pages of entries (tag, kind, number of values, value); `data` follows the 8 bytes of the head."""
    out, at = b"II*\0" + struct.pack("<I", 8 + len(data)) + data, 8 + len(data)
    for number, page in enumerate(pages, 1):
        at += 2 + 12 * len(page) + 4
        entries = b"".join(struct.pack("<HHII", *entry) for entry in sorted(page))
        out += struct.pack("<H", len(page)) + entries + struct.pack("<I", at if number < len(pages) else 0)
    return out


def page(width: int, height: int, *more: tuple[int, int, int, int], coded: int = 1, size: int = 4096) -> list:
    """A page of 8 bits whose pixels begin at 8."""
    usual = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, coded), 262: (3, 1, 1)}
    usual |= {273: (4, 1, 8), 277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, size)}
    usual |= {tag: rest for tag, *rest in more}
    return [(tag, *rest) for tag, rest in usual.items()]


PIXELS = bytes(range(256)) * 16


def packed_tiff(width: int, height: int) -> bytes:
    data = zlib.compress(bytes(width * height), 9)
    return tiff(page(width, height, coded=8, size=len(data)), data=data)


def fax(rows: int) -> bytes:
    """A fax in which every row is wrong."""
    data = b"\x00\x10\x5a\xa5" * rows
    return tiff(page(1728, rows, (258, 3, 1, 1), (292, 4, 1, 0), coded=3, size=len(data)), data=data)


def one_table_many_pages(count: int, entries: int) -> bytes:
    """Directories of many entries each, nearly all of them in the same place."""
    table = b"".join(struct.pack("<HHII", 65_000 + each % 500, 3, 1, 0) for each in range(entries))
    starts = [8 + 2 * each for each in range(count)]
    head = b"II*\0" + struct.pack("<I", starts[0])
    return head + struct.pack("<H", entries) * count + table + struct.pack("<I", starts[1]) * (count * 3)


# ---- WebP ----


def riff(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def piece(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def three(*sides: int) -> bytes:
    return b"".join(side.to_bytes(3, "little") for side in sides)


@cache
def webp_data(width: int, height: int) -> bytes:
    """The picture of a lossless WebP file."""
    buffer = BytesIO()
    Image.new("RGB", (width, height), "gray").save(buffer, "WEBP", lossless=True, quality=0, method=0)
    return buffer.getvalue()[12:]


def webp(canvas: tuple[int, int], *frames: tuple[int, int]) -> bytes:
    head = piece(b"VP8X", bytes((2, 0, 0, 0)) + three(canvas[0] - 1, canvas[1] - 1))
    body = head + piece(b"ANIM", bytes(6))
    for width, height in frames:
        body += piece(b"ANMF", three(0, 0, width - 1, height - 1, 100) + b"\0" + webp_data(width, height))
    return riff(body)


# ---- HEIC and AVIF ----


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + kind + data


def boxed(form: str, size: tuple[int, int], said: tuple[int, int]) -> bytes:
    """A picture whose container says another size than it has."""
    buffer = BytesIO()
    image = Image.new("RGB", size, "gray")
    ImageDraw.Draw(image).rectangle((9, 9, size[0] // 2, size[1] // 2), "white")
    image.save(buffer, form, quality=10, **({"speed": 10} if form == "AVIF" else {}))
    data = bytearray(buffer.getvalue())
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", *said)
    return bytes(data)


def after_brand(brand: bytes, body: bytes) -> bytes:
    return box(b"ftyp", brand + bytes(4) + b"mif1" + brand) + body


def nested(depth: int) -> bytes:
    """Boxes in boxes, all as long as the file."""
    return b"".join(struct.pack(">I4s", 12 * (depth - each) + 8, b"meta") + bytes(4) for each in range(depth)) + bytes(
        8
    )


def grid(form: bytes, parts: int, tile: tuple[int, int]) -> bytes:
    """A small picture that is made of one large tile many times."""
    properties = box(b"ispe", bytes(4) + struct.pack(">II", 64, 64)) + box(
        b"ispe", bytes(4) + struct.pack(">II", *tile)
    )
    of = struct.pack(">BBHI", 0, 0, 0, 2) + struct.pack(">HBBHBB", 1, 1, 1, 2, 1, 2)
    kinds = b"".join(
        box(b"infe", b"\2\0\0\0" + struct.pack(">HH4s", number, 0, kind) + b"\0")
        for number, kind in ((1, b"grid"), (2, form))
    )
    made = struct.pack(">HH", 1, parts) + struct.pack(">H", 2) * parts
    body = box(b"hdlr", bytes(8) + b"pict" + bytes(13)) + box(b"pitm", bytes(4) + struct.pack(">H", 1))
    body += box(b"iinf", bytes(4) + struct.pack(">H", 2) + kinds) + box(b"iref", bytes(4) + box(b"dimg", made))
    body += box(b"iprp", box(b"ipco", properties) + box(b"ipma", of))
    return box(b"meta", bytes(4) + body)


def track(frames: int) -> bytes:
    table = box(b"stsz", bytes(4) + struct.pack(">II", 1, frames))
    return box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table)))))


# ---- BMP ----


def bmp(width: int, height: int, data: bytes, *, coded: int = 1) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, coded, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(data), 0, 0, 1078) + head + bytes(1024) + data


def bmp_runs(width: int, height: int) -> bytes:
    """One grey, in runs of 255 pixels."""
    line = (b"\xff\x80" * (width // 255) + bytes((width % 255, 0x80))) if width % 255 else b"\xff\x80" * (width // 255)
    return bmp(width, height, (line + b"\0\0") * height + b"\0\1")


XMP = b"XML:com.adobe.xmp\0\0\0\0\0"

#: Name -> maker of a file. All are small, or as large as their kind needs.
HOSTILE: dict[str, Callable[[], bytes]] = {
    "JPEG of 4 billion pixels": lambda: jpeg_of(65_500, 65_500),
    "JPEG of 99 million pixels without data": lambda: jpeg_of(9_950, 9_950),
    "progressive JPEG of 99 million pixels without data": lambda: jpeg_of(9_950, 9_950, progressive=True),
    "JPEG of 6,000 progressive scans": lambda: scans(6000, 1024, 1024),
    "JPEG of 99 million pixels in 150 progressive scans": lambda: scans(150, 9_950, 9_950),
    "JPEG of 9,000 empty sequential scans": lambda: empty_scans(9000, 8000, 8000),
    "JPEG of 30 empty scans of 99 million pixels": lambda: empty_scans(30, 9_950, 9_950),
    "JPEG with 10 million filling bytes": lambda: with_segments(b"\xff" * 10_000_000),
    "JPEG with 10 million bytes between segments": lambda: with_segments(segment(0xE5, b"x") + bytes(10_000_000)),
    "JPEG with 2 million empty segments": lambda: with_segments(segment(0xE5, b"") * 2_000_000),
    "JPEG with 300,000 comments": lambda: with_segments(segment(0xFE, b"comment") * 300_000),
    "JPEG with EXIF of values as large as itself": lambda: exif_in_segments(6_000_000),
    "PNG of 4 billion pixels": lambda: png(65_000, 65_000, b"\0"),
    "PNG of 99 million pixels, 1 bit each": lambda: flat_png(9_950, 9_950),
    "PNG with a text of 200 million bytes": lambda: small_png(packed_text(b"Comment", 200_000_000)),
    "PNG with 60 texts of 1 million bytes": lambda: small_png(
        b"".join(packed_text(b"Title%d" % each, 1_000_000) for each in range(60))
    ),
    "PNG with 2,000 texts behind its pixels": lambda: small_png(
        last=b"".join(packed_text(b"Title%d" % each, 900_000) for each in range(2000))
    ),
    "PNG with a profile of 200 million bytes": lambda: small_png(
        chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(200_000_000), 9))
    ),
    "PNG with 3 million empty chunks": lambda: small_png(chunk(b"prVt", b"") * 3_000_000),
    "PNG with EXIF of values as large as itself": lambda: small_png(chunk(b"eXIf", exif_bomb(6_000_000))),
    "PNG with XMP that a pattern is slow on": lambda: small_png(
        chunk(b"iTXt", XMP + b"<x:xmpmeta><exif:GPSLatitude" + b" " * 900_000 + b"x")
    ),
    "PNG with XMP of 60,000 levels": lambda: small_png(chunk(b"iTXt", XMP + b"<x:xmpmeta>" + b"<dc:x>" * 60_000)),
    "PNG with 999 frames of 100,000 pixels": lambda: apng(999, 400, 250),
    "PNG with 5,000 frames": lambda: apng(5000, 8, 8),
    "PNG with frames larger than itself": lambda: apng(3, 64, 64, claimed=(30_000, 30_000)),
    "GIF with a frame of 900 million pixels": lambda: gif((1, 1), (0, 0, 30_000, 30_000)),
    "GIF whose second frame is larger than its screen": lambda: gif((1, 1), (0, 0, 1, 1), (0, 0, 7000, 7000)),
    "GIF with a first frame far outside": lambda: gif((8, 8), (65_000, 65_000, 8, 8), (0, 0, 8, 8)),
    "GIF with 900 frames of 100,000 pixels": lambda: gif((400, 250), *[(0, 0, 1, 1)] * 900),
    "GIF with 20,000 frames": lambda: gif((8, 8), *[(0, 0, 8, 8)] * 20_000),
    "GIF with 10 million blocks of one byte": lambda: gif_blocks(10_000_000),
    "TIFF with a second page of 900 million pixels": lambda: tiff(page(64, 64), page(30_000, 30_000), data=PIXELS),
    "TIFF with a tile of 900 million pixels": lambda: tiff(
        page(64, 64, (322, 4, 1, 30_000), (323, 4, 1, 30_000), (324, 4, 1, 8), (325, 4, 1, 4096), coded=8), data=PIXELS
    ),
    "TIFF of 99 million pixels, packed": lambda: packed_tiff(9_950, 9_950),
    "TIFF with 60,000 samples in a pixel": lambda: tiff(page(64, 64, (277, 3, 1, 60_000)), data=PIXELS),
    "TIFF with 16 million places of strips": lambda: tiff(
        page(64, 64, (273, 4, 16_000_000, 8), (279, 4, 16_000_000, 8)), data=bytes(64_000_000)
    ),
    "TIFF with 20,000 pages": lambda: tiff(*[page(8, 8)] * 20_000, data=PIXELS),
    "TIFF with 1,000 pages of 60,000 entries": lambda: one_table_many_pages(1000, 60_000),
    "TIFF with 900 values as large as itself": lambda: tiff(
        page(64, 64, *[(50_000 + each, 7, 30_000_000, 8) for each in range(900)]), data=PIXELS + bytes(30_000_000)
    ),
    "TIFF with a fax of 50,000 wrong rows": lambda: fax(50_000),
    "WebP with a canvas of 270 million pixels": lambda: webp((16_383, 16_383), (16, 16)),
    "WebP with a canvas of 98 million pixels and one frame": lambda: webp((9_900, 9_900), (16, 16)),
    "WebP with a frame larger than its canvas": lambda: webp((64, 64), (8_000, 8_000)),
    "WebP with 999 frames of 100,000 pixels": lambda: webp((400, 250), *[(2, 2)] * 999),
    "WebP with 300,000 chunks": lambda: webp((64, 64), (64, 64)) + piece(b"prVt", b"") * 300_000,
    "AVIF that says 64 x 64 and holds 100 million pixels": lambda: boxed("AVIF", (11_000, 9_200), (64, 64)),
    "AVIF with a grid of one tile 60,000 times": lambda: after_brand(b"avif", grid(b"av01", 60_000, (8_000, 8_000))),
    "AVIF with 4 billion frames": lambda: after_brand(b"avis", track(4_000_000_000)),
    "AVIF with 100,000 levels of boxes": lambda: after_brand(b"avif", nested(100_000)),
    "AVIF with 2 million empty boxes": lambda: after_brand(
        b"avif", box(b"meta", bytes(4) + box(b"free", b"") * 2_000_000)
    ),
    "HEIC that says 64 x 64 and holds 25 million pixels": lambda: boxed("HEIF", (5_000, 5_000), (64, 64)),
    "HEIC with a grid of one tile 60,000 times": lambda: after_brand(b"heic", grid(b"hvc1", 60_000, (8_000, 8_000))),
    "HEIC with 2 million empty boxes": lambda: after_brand(
        b"heic", box(b"meta", bytes(4) + box(b"free", b"") * 2_000_000)
    ),
    "BMP of 4 billion pixels": lambda: bmp(65_000, 65_000, b"", coded=0),
    "BMP of 99 million pixels in 0.8 MB": lambda: bmp_runs(9_945, 9_950),
    "BMP of 9 million runs": lambda: bmp(9_000, 9_000, b"\1\x80" * 9_000_000),
}


class Watched(Helper):
    """A helper that knows what the last cell took that was ended."""

    memory, seconds, _before = 0, 0.0, 0

    def take(self) -> Cell:
        """Return a new cell."""
        new = super().take()
        self._before = status("VmRSS", new.pid)
        return new

    def end(self, cell: Cell) -> int | None:
        """Look at a cell, and kill it; of one that has ended by itself nothing is known."""
        self.memory, self.seconds = 0, 0.0
        with suppress(OSError, StopIteration):
            self.memory = status("VmHWM", cell.pid) - self._before
            self.seconds = cell.cpu_seconds()
        return super().end(cell)


class Counted(Budget):
    """Memory of which it is known how much was out at the most."""

    most = 0

    def try_hold(self, size: int) -> bool:
        """Take `size` bytes if they are free."""
        held = super().try_hold(size)
        self.most = max(self.most, self.used)
        return held


def main() -> int:
    """Run all, and write the report; return 1 when a cell was lost, or took more than it held."""
    os.environ[SETTING] = LIMIT
    lines = [run(name, make()) for name, make in HOSTILE.items()]
    cell.close()
    REPORT.write_text("\n".join([HEAD, *lines]) + "\n")
    return 1 if any(BAD in line for line in lines) else 0


def run(name: str, source: bytes, options: engine.Options | None = None) -> str:
    """Return a line of the report: what a file takes in a cell, what was held for it, and how it ends."""
    pool = cell.own_pool()
    if not isinstance(pool.helper, Watched) or not pool.helper.is_of_today:
        cell.close()
        pool = cell.own_pool()
        pool.helper = Watched()
    pool.budget = budget = Counted(pool.budget.total)
    try:
        edited = cell.process(source, options or engine.Options())
        end = f"{edited.frames} frames of {edited.width} x {edited.height}, {_bytes(len(edited.data))}"
    except engine.ImageError as error:
        end = error.code
    except cell.CellError as error:
        end = f"{BAD}: {error} {error.__context__}"
    helper = pool.helper
    assert isinstance(helper, Watched)
    if helper.memory > budget.most:
        end += f", {BAD}: more memory than held"
    figures = f"{helper.memory / 1e6:,.0f} | {budget.most / 1e6:,.0f} | {helper.seconds:.1f}"
    line = f"| {name} | {_bytes(len(source))} | {figures} | {end} |"
    print(line, flush=True)
    return line


def _bytes(size: int) -> str:
    return f"{size:,} bytes" if size < 10_000 else f"{size / 1e6:,.2f} MB"


HEAD = f"""# Hostile files

Written by `make hostile`: each file in a cell of its own, with the default limits and options, where watermark has the
{LIMIT} of memory that stack.yml gives it. Memory is the most that the cell took beyond what a new one has, with the
file and its result; held is what was kept free for it, of which every cell has some. Seconds are of the processor, of
one thread or all. A cell writes to no log.

| File | Size | MB | Held, MB | Seconds | End |
|---|--:|--:|--:|--:|---|"""

if __name__ == "__main__":
    raise SystemExit(main())
