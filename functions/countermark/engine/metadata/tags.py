"""The tags of EXIF that a marked copy may carry, and what each may hold."""

from collections.abc import Mapping
from enum import Enum

from PIL.ExifTags import IFD, Base


class Holds(Enum):
    """What the value of a tag may be."""

    NUMBERS = "a few numbers or bytes"
    TEXT = "a text in ASCII or UTF-8"
    WIDE = "a text in UTF-16, as Windows writes it"
    COMMENT = "a text behind eight bytes that name its encoding"
    NOTES = "the notes of a camera's maker"


MAKE, ORIENTATION = Base.Make, Base.Orientation
CHANGED, ARTIST, COPYRIGHT = Base.DateTime, Base.Artist, Base.Copyright
EXIF_IFD, GPS_IFD, INTEROP_IFD = IFD.Exif, IFD.GPSInfo, IFD.Interop
TAKEN, MAKER_NOTE, USER_COMMENT = Base.DateTimeOriginal, Base.MakerNote, Base.UserComment

Known = Mapping[int, "Holds | Known"]


def _known(holds: Holds, *tags: int | range) -> dict[int, Holds]:
    return {tag: holds for each in tags for tag in (each if isinstance(each, range) else (each,))}


_INTEROP: Known = {**_known(Holds.TEXT, 1), **_known(Holds.NUMBERS, 2)}

_EXIF: Known = {
    # Exposure time, f-number, program, sensitivities, version
    **_known(Holds.NUMBERS, 0x829A, 0x829D, 0x8822, 0x8827, range(0x882A, 0x882C), range(0x8830, 0x8836), 0x9000),
    **_known(Holds.TEXT, 0x8824, 0x9003, 0x9004, range(0x9010, 0x9013), range(0x9290, 0x9293)),  # dates and zones
    # Components, shutter, aperture, brightness, bias, distance, metering, light, flash, focal length, subject's area
    **_known(Holds.NUMBERS, 0x9101, 0x9102, range(0x9201, 0x920B), 0x9214),
    MAKER_NOTE: Holds.NOTES,
    USER_COMMENT: Holds.COMMENT,
    INTEROP_IFD: _INTEROP,
    **_known(Holds.NUMBERS, range(0x9400, 0x9406)),  # temperature, humidity, pressure, depth, acceleration, angle
    # FlashPix version, colour space, size, flash energy, focal plane, subject's place, exposure index, sensing
    **_known(Holds.NUMBERS, range(0xA000, 0xA004), 0xA20B, range(0xA20E, 0xA211), 0xA214, 0xA215, 0xA217),
    # Source, scene, filters, modes, white balance, zoom, 35 mm, contrast, saturation, sharpness, distance range
    **_known(Holds.NUMBERS, range(0xA300, 0xA303), range(0xA401, 0xA40B), 0xA40C),
    **_known(Holds.TEXT, 0xA420, 0xA430, 0xA431, range(0xA433, 0xA43D)),  # ids, owner, serials, lens, people, programs
    **_known(Holds.NUMBERS, 0xA432, range(0xA460, 0xA463), 0xA500),  # lens, composite image, gamma
}

_GPS: Known = {
    # References, satellites, status, mode, datum, date
    **_known(Holds.TEXT, 1, 3, 8, 9, 10, 12, 14, 16, 18, 19, 21, 23, 25, 29),
    **_known(Holds.NUMBERS, 0, 2, 4, 5, 6, 7, 11, 13, 15, 17, 20, 22, 24, 26, 30, 31),
    **_known(Holds.COMMENT, 27, 28),  # method, area
}

#: Of the first directory. What says how a file is laid out is not among them.
FIRST: Known = {
    # DocumentName, ImageDescription, Make, Model, PageName, Software, DateTime, Artist, HostComputer, Copyright
    **_known(Holds.TEXT, 0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298),
    # Orientation, resolution, white point, primaries, YCbCr coefficients and positioning, black and white, rating
    **_known(Holds.NUMBERS, 0x0112, 0x011A, 0x011B, 0x0128, 0x013E, 0x013F, 0x0211, 0x0213, 0x0214, 0x4746, 0x4749),
    **_known(Holds.WIDE, range(0x9C9B, 0x9CA0)),  # XPTitle, XPComment, XPAuthor, XPKeywords, XPSubject
    EXIF_IFD: _EXIF,
    GPS_IFD: _GPS,
}
