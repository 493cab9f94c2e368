"""Files changed in ways that know how they are built: parts lost, doubled, moved and taken from other files.

Lengths and checksums are put right again most of the time, so that what reads the parts is reached.
"""

import random
import struct
import zlib

NUMBERS = (0, 1, 2, 3, 4, 7, 8, 16, 32, 64, 127, 128, 255, 256, 1000, 4096, 32767, 32768, 65535, 65536)
LARGE = (2**20, 2**24, 2**30, 2**31 - 1, 2**31, 2**32 - 1)


def mutated(dice: random.Random, form: str, data: bytes, others: list[bytes]) -> bytes:
    """Return `data`, a file of a format, changed up to four times; `others` lend their parts."""
    for _ in range(dice.choice((0, 1, 1, 1, 1, 1, 2, 2, 3, 4))):
        way = dice.random()
        if way < 0.5 and form in _SPLIT:
            data = _in_parts(dice, form, data, dice.choice(others))
        elif way < 0.65 and form in {"TIFF", "JPEG", "PNG", "WebP", "AVIF", "HEIC"}:
            data = _in_directory(dice, data)
        else:
            data = _anywhere(dice, data)
    return data


def _in_parts(dice: random.Random, form: str, data: bytes, other: bytes) -> bytes:
    split, join = _SPLIT[form]
    parts, more = split(data), split(other)
    if len(parts) < 2:
        return _anywhere(dice, data)
    at = dice.randrange(len(parts))
    match dice.randrange(7):
        case 0:
            del parts[at]
        case 1:
            parts[at:at] = [parts[at]] * dice.choice((1, 2, 30))
        case 2:
            parts.insert(dice.randrange(len(parts)), parts.pop(at))
        case 3 if more:
            parts.insert(at, dice.choice(more))
        case 4 if more:
            parts[at] = dice.choice(more)
        case 5:
            parts[at] = (parts[at][0], parts[at][1][: dice.randint(0, len(parts[at][1]))])
        case _:
            parts[at] = (parts[at][0], _anywhere(dice, parts[at][1]))
    return join(data, parts)


def _anywhere(dice: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    if not changed:
        return dice.randbytes(dice.randint(0, 20))
    # What stands in front says more than what comes behind.
    at = dice.randrange(len(changed)) if dice.random() < 0.5 else dice.randrange(min(len(changed), 200))
    match dice.randrange(7):
        case 0:
            changed[at] ^= 1 << dice.randrange(8)
        case 1:
            changed[at] = dice.choice((0, 1, 127, 128, 254, 255))
        case 2:
            size = dice.choice((1, 2, 2, 4, 4, 8))
            number = dice.choice(NUMBERS + LARGE) % 256**size
            changed[at : at + size] = number.to_bytes(size, dice.choice(("big", "little")))
        case 3:
            del changed[at : at + dice.choice((1, 2, 4, 16, 200))]
        case 4:
            changed[at:at] = dice.randbytes(dice.choice((1, 2, 4, 16, 200)))
        case 5:
            size = dice.randint(1, 64)
            changed[at : at + size] = dice.randbytes(size)
        case _:
            del changed[at + 1 :]
    return bytes(changed)


def _in_directory(dice: random.Random, data: bytes) -> bytes:
    """Change an entry of a directory of a TIFF structure: its tag, kind, count or value."""
    heads = [(at, order) for magic, order in ((b"II*\0", "<"), (b"MM\0*", ">")) if (at := data.find(magic)) >= 0]
    if not heads:
        return _anywhere(dice, data)
    begin, order = heads[0]
    try:
        first = begin + struct.unpack_from(order + "I", data, begin + 4)[0]
        count = struct.unpack_from(order + "H", data, first)[0]
    except struct.error:
        return _anywhere(dice, data)
    entry = first + 2 + 12 * dice.randrange(max(min(count, 60), 1))
    changed = bytearray(data)
    what, kind = dice.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I"), (8, "H")))
    number = dice.choice(NUMBERS + LARGE) if what else dice.choice((256, 257, 258, 259, 262, 273, 277, 339, 274, 34665))
    if what == 2:
        number = dice.randint(0, 14)
    if entry + what + struct.calcsize(kind) <= len(changed):
        struct.pack_into(order + kind, changed, entry + what, number % 256 ** struct.calcsize(kind))
    return bytes(changed)


Parts = list[tuple[bytes, bytes]]


def split_png(data: bytes) -> Parts:
    found, at = [], 8
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        found.append((kind, data[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def join_png(data: bytes, parts: Parts) -> bytes:
    return data[:8] + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


def _split_jpeg(data: bytes) -> Parts:
    """Return markers with their segments; that of a scan has what is coded behind it."""
    found, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        head = end
        if data[at + 1] == 0xDA:
            while end + 1 < len(data) and (data[end] != 0xFF or data[end + 1] == 0 or 0xD0 <= data[end + 1] <= 0xD7):
                end += 1
        found.append((data[at : at + 2], data[at + 4 : head] + b"|" * (end > head) + data[head:end]))
        at = end
    return found


def _join_jpeg(_data: bytes, parts: Parts) -> bytes:
    out = b"\xff\xd8"
    for marker, body in parts:
        head, coded = body, b""
        if marker == b"\xff\xda" and b"|" in body[:40]:
            head, _, coded = body.partition(b"|")
        out += marker + struct.pack(">H", min(len(head) + 2, 65535)) + head + coded
    return out + b"\xff\xd9"


def _split_riff(data: bytes) -> Parts:
    found, at = [], 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        found.append((kind, data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return found


def _join_riff(_data: bytes, parts: Parts) -> bytes:
    body = b"".join(kind + struct.pack("<I", len(each)) + each + bytes(len(each) % 2) for kind, each in parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _split_boxes(data: bytes) -> Parts:
    found, at = [], 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8:
            break
        found.append((kind, data[at + 8 : at + size]))
        at += size
    return found


def _join_boxes(_data: bytes, parts: Parts) -> bytes:
    return b"".join(struct.pack(">I", len(body) + 8) + kind + body for kind, body in parts)


def _split_gif(data: bytes) -> Parts:
    """Return the blocks behind the screen and its colours: extensions and frames."""
    at = _gif_head(data)
    found = []
    while at + 1 < len(data) and data[at] in {0x21, 0x2C}:
        begin = at
        at += 2
        if data[begin] == 0x2C and begin + 9 < len(data):
            at = begin + 11 + (3 << data[begin + 9] % 8 + 1) * (data[begin + 9] >> 7)
        while at < len(data) and data[at]:
            at += data[at] + 1
        at += 1
        found.append((data[begin : begin + 1], data[begin + 1 : at]))
    return found


def _join_gif(data: bytes, parts: Parts) -> bytes:
    return data[: _gif_head(data)] + b"".join(kind + body for kind, body in parts) + b";"


def _gif_head(data: bytes) -> int:
    return 13 + (3 << data[10] % 8 + 1) * (data[10] >> 7) if len(data) > 10 else len(data)


_SPLIT = {
    "PNG": (split_png, join_png),
    "JPEG": (_split_jpeg, _join_jpeg),
    "WebP": (_split_riff, _join_riff),
    "AVIF": (_split_boxes, _join_boxes),
    "HEIC": (_split_boxes, _join_boxes),
    "GIF": (_split_gif, _join_gif),
}
