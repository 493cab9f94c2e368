"""The colour that a PNG file makes transparent, told as its decoded pixels have it."""

from PIL import Image, PngImagePlugin

_FEW_BITS = {"L;2": 3, "L;4": 15}  # how samples lie -> the largest


def tell_transparent(image: Image.Image) -> None:
    """Correct what Pillow tells of a PNG file, of which nothing is decoded yet, and so shows transparent.

    It makes samples of 2 and 4 bits ones of 8, but not the colour. Of a colour of more bits than there are the low ones
    count, as for other readers.
    """
    color = image.info.get("transparency")
    if not isinstance(image, PngImagePlugin.PngImageFile) or color is None or image.mode not in {"L", "RGB"}:
        return
    raw = image.tile[0].args
    if raw in _FEW_BITS:
        most = _FEW_BITS[raw]
        image.info["transparency"] = (color & most) * 255 // most
    elif raw in {"L", "RGB"}:
        image.info["transparency"] = color & 255 if raw == "L" else tuple(each & 255 for each in color)
