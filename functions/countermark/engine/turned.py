"""Orientation: how a picture lies in its file, by EXIF, and where things are in it."""

from PIL import Image

from .layout import Size, Spot

T = Image.Transpose
#: Orientation -> what turns the stored pixels upright.
UPRIGHT = {
    2: T.FLIP_LEFT_RIGHT,
    3: T.ROTATE_180,
    4: T.FLIP_TOP_BOTTOM,
    5: T.TRANSPOSE,
    6: T.ROTATE_270,
    7: T.TRANSVERSE,
    8: T.ROTATE_90,
}
_STORED = {**UPRIGHT, 6: T.ROTATE_90, 8: T.ROTATE_270}


def swaps(orientation: int) -> bool:
    """Tell whether the stored picture's width is the upright one's height."""
    return orientation >= 5


def as_stored(image: Image.Image, orientation: int) -> Image.Image:
    """Return an upright image as it lies in a file of this orientation."""
    return image.transpose(_STORED[orientation]) if orientation in _STORED else image


def as_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return an image upright that lies in a file of this orientation."""
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def spot_as_stored(spot: Spot, mark: Size, picture: Size, orientation: int) -> Spot:
    """Return where the corner of a mark lies in the file; all arguments are upright."""
    x, y = spot
    right, below = picture[0] - mark[0] - x, picture[1] - mark[1] - y
    moved = {
        2: (right, y),
        3: (right, below),
        4: (x, below),
        5: (y, x),
        6: (y, right),
        7: (below, right),
        8: (below, x),
    }
    return moved.get(orientation, spot)
