"""Animated GIF files, read and written frame by frame.

Pillow lets a frame that does not say what becomes of it do as the one before it, clears to a colour where viewers show
what lies behind the picture, makes the picture larger for a frame that reaches beyond it, and loses frames that are
like the one before them.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageChops

from .animation import CLEARED, PREVIOUS, STAYS, Animation, Frame, needs_alpha
from .errors import DamagedImage

_TABLE, _INTERLACED, _HOLE = 0x80, 0x40, 1  # bits of flags
_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B
_CONTROL, _COMMENT, _APPLICATION = 0xF9, 0xFE, 0xFF
_DISPOSALS = {2: CLEARED, 3: PREVIOUS}
_STAYS, _CLEARED = 1, 2
_UNIT = 10  # milliseconds
_LOOPS = b"NETSCAPE2.0"
_MOST_LOOPS = 65_535
_SOLID = 128  # of 255; what is less opaque becomes transparent
_COLOURS = 255  # and one for what is transparent
_HEAD = 13


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """A frame as it stands in a file."""

    corner: tuple[int, int]
    size: tuple[int, int]
    interlaced: bool
    colours: bytes
    control: bytes  # flags, time and the transparent colour
    data: bytes  # compressed pixels

    @property
    def hole(self) -> int | None:
        """The transparent colour."""
        return self.control[3] if self.control[0] & _HOLE else None

    def decode(self) -> Image.Image:
        """Return the pixels, from a file of one frame."""
        one = _screen(self.size, self.colours) + _written(self, (0, 0), self.control, local=False) + bytes([_END])
        image = Image.open(BytesIO(one), formats=["GIF"])
        image.load()
        return image


def read_gif(source: bytes, size: tuple[int, int]) -> Animation | None:
    """Return the animation in a GIF file of a picture of this size; None for a still picture that is whole."""
    stored, again = _read(source)
    frames = [_frame(each) for each in stored]
    if not frames or (len(frames) == 1 and not needs_alpha(frames, size)):
        return None
    return Animation(
        size=size,
        # A file says how often the frames are played again, and says nothing when once is enough.
        plays=1 if again is None else again and again + 1,
        clear=stored[0].hole is not None or needs_alpha(frames, size),
        frames=frames,
    )


def _frame(stored: _Stored) -> Frame:
    if 0 in stored.size:
        raise DamagedImage("A frame of the GIF animation is empty.")
    return Frame(
        size=stored.size,
        corner=stored.corner,
        duration=_UNIT * int.from_bytes(stored.control[1:3], "little"),
        disposal=_DISPOSALS.get(stored.control[0] >> 2 & 7, STAYS),
        over=True,
        decode=stored.decode,
    )


def _read(source: bytes) -> tuple[list[_Stored], int | None]:
    """Return the frames of a file and how often they are played again; what is cut off ends it."""
    stored: list[_Stored] = []
    again = None
    colours, at = _colours(source, 10, _HEAD)
    control = bytes(4)
    while at + 1 < len(source):
        if source[at] == _IMAGE:
            frame, at = _image(source, at, colours, control)
            stored.append(frame)
            control = bytes(4)
        elif source[at] == _EXTENSION:
            label, begin = source[at + 1], at + 2
            at = _behind_blocks(source, begin)
            blocks = source[begin:at]
            if label == _CONTROL and len(blocks) > 4:
                control = blocks[1:5]
            elif label == _APPLICATION and blocks[1:12] == _LOOPS and blocks[12:14] == b"\3\1" and not stored:
                again = int.from_bytes(blocks[14:16], "little")
        elif source[at] == _END:
            break
        else:
            at += 1  # something between blocks, as other readers allow
    return stored, again


def _image(source: bytes, at: int, colours: bytes, control: bytes) -> tuple[_Stored, int]:
    """Return the frame whose description stands at a place, and where the next block begins."""
    left, top, width, height, flags = struct.unpack_from("<HHHHB", source.ljust(at + 10, b"\0"), at + 1)
    own, begin = _colours(source, at + 9, at + 10)
    end = _behind_blocks(source, begin + 1)
    stored = _Stored(
        corner=(left, top),
        size=(width, height),
        interlaced=bool(flags & _INTERLACED),
        colours=own or colours,
        control=control,
        data=source[begin:end],
    )
    return stored, end


def _colours(source: bytes, flags: int, at: int) -> tuple[bytes, int]:
    """Return the colours that stand at a place when the flags say so, and where they end."""
    if flags >= len(source) or not source[flags] & _TABLE:
        return b"", at
    end = at + (3 << (source[flags] & 7) + 1)
    return source[at:end], end


def _behind_blocks(source: bytes, at: int) -> int:
    """Return the place behind blocks of up to 255 bytes that end with an empty one."""
    while at < len(source) and source[at]:
        at += source[at] + 1
    return at + 1


@dataclass(frozen=True, kw_only=True)
class _Picture:
    """A frame as a GIF file can show it: each pixel is solid or transparent."""

    solid: Image.Image  # RGB, black where it is transparent
    shown: Image.Image  # where it is solid: L, 0 or 255

    @classmethod
    def of(cls, frame: Image.Image) -> "_Picture":
        if frame.mode not in {"LA", "RGBA"}:
            return cls(solid=frame.convert("RGB"), shown=Image.new("L", frame.size, 255))
        shown = frame.getchannel("A").point(lambda alpha: 255 * (alpha >= _SOLID))
        solid = Image.new("RGB", frame.size)
        solid.paste(frame.convert("RGB"), mask=shown)
        return cls(solid=solid, shown=shown)

    def loses(self, behind: "_Picture") -> bool:
        """Tell whether something of this is transparent in the frame behind it."""
        return ImageChops.subtract(self.shown, behind.shown).getbbox() is not None

    def changed_from(self, before: "_Picture") -> Image.Image:
        """Return what has to be drawn over the frame before this one: L, 0 or 255."""
        differs = _largest(ImageChops.difference(before.solid, self.solid)).point(lambda each: 255 * (each > 0))
        return ImageChops.multiply(self.shown, ImageChops.lighter(differs, ImageChops.invert(before.shown)))


def write_gif(frames: Iterator[tuple[Image.Image, float]], plays: int, comment: bytes) -> bytes:
    """Return frames of one size, each with its time, as an animated GIF file.

    Each holds what differs from the one before it. One that has something which is transparent in the next one is
    whole, and is cleared.
    """
    image, duration = next(frames)
    first = picture = _Picture.of(image)
    out = bytearray(_screen(image.size, b""))
    if plays != 1:
        out += bytes([_EXTENSION, _APPLICATION, len(_LOOPS)]) + _LOOPS
        out += struct.pack("<BBHB", 3, 1, min(max(plays - 1, 0), _MOST_LOOPS), 0)
    if comment:
        out += bytes([_EXTENSION, _COMMENT]) + b"".join(_blocks(comment)) + b"\0"
    before: _Picture | None = None
    for image, following in frames:
        behind = _Picture.of(image)
        cleared = picture.loses(behind)
        out += _drawn(picture, before, duration, cleared=cleared)
        before = None if cleared else picture
        picture, duration = behind, following
    out += _drawn(picture, before, duration, cleared=plays != 1 and picture.loses(first))
    return bytes(out) + bytes([_END])


def _drawn(picture: _Picture, before: _Picture | None, duration: float, *, cleared: bool) -> bytes:
    """Return a frame as it stands in a file, with its own colours; one of them is for what is not drawn."""
    corner, solid, drawn = (0, 0), picture.solid, picture.shown
    if before is not None and not cleared:
        drawn = picture.changed_from(before)
        box = drawn.getbbox() or (0, 0, 1, 1)
        corner, solid, drawn = box[:2], solid.crop(box), drawn.crop(box)
    flat = solid.quantize(_COLOURS)
    hole = len(flat.getpalette() or []) // 3
    flat.putpalette([*(flat.getpalette() or []), 0, 0, 0])
    flat.paste(hole, mask=ImageChops.invert(drawn))
    flat.info = {"transparency": hole}
    buffer = BytesIO()
    flat.save(buffer, "GIF", optimize=False)
    flags = (_CLEARED if cleared else _STAYS) << 2 | _HOLE
    control = struct.pack("<BHB", flags, round(duration / _UNIT), hole)
    return _written(_read(buffer.getvalue())[0][0], corner, control)


def _largest(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _screen(size: tuple[int, int], colours: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", *size, _flags(colours), 0, 0) + colours


def _flags(colours: bytes) -> int:
    """Return the flags for a table of so many colours, which are a power of two."""
    return _TABLE | max((len(colours) // 3).bit_length() - 2, 0) if colours else 0


def _written(stored: _Stored, corner: tuple[int, int], control: bytes, *, local: bool = True) -> bytes:
    """Return a frame as it stands in a file, with its colours when they are `local`."""
    flags = (_INTERLACED if stored.interlaced else 0) | (_flags(stored.colours) if local else 0)
    described = bytes([_IMAGE]) + struct.pack("<HHHHB", *corner, *stored.size, flags)
    extension = bytes([_EXTENSION, _CONTROL, len(control)]) + control + b"\0"
    return extension + described + (stored.colours if local else b"") + stored.data


def _blocks(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), 255):
        yield bytes([len(data[at : at + 255])]) + data[at : at + 255]
