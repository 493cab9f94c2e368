"""BMP: one header."""

import struct

from ..errors import DamagedImage
from .tally import Tally

_RUNS = {1, 2}  # kinds of compression by runs of pixels
#: Bytes of such a file; Pillow unpacks it in Python, a second for every two million.
_MOST_RUNS = 8_000_000


def read(source: bytes, tally: Tally) -> None:
    """Read the header of a BMP file."""
    if struct.unpack_from("<I", source, 14)[0] == 12:
        tally.frame(*struct.unpack_from("<HH", source, 18))
        return
    width, height = struct.unpack_from("<ii", source, 18)
    tally.frame(abs(width), abs(height))
    if struct.unpack_from("<I", source, 30)[0] in _RUNS and len(source) > _MOST_RUNS:
        raise DamagedImage("The BMP image is compressed by runs and too large for that.")
