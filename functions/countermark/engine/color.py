"""Colours of one profile or mode in another."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms, JpegImagePlugin

_ERRORS = (ImageCms.PyCMSError, OSError, TypeError, ValueError)
_RGB = [0x52, 0x47, 0x42]  # names of components


def is_rgb(image: JpegImagePlugin.JpegImageFile) -> bool:
    """Tell whether the three components of a JPEG file are red, green and blue, by the rule of libjpeg."""
    if "jfif" in image.info:
        return False
    if "adobe" in image.info:
        return image.info.get("adobe_transform") == 0
    return [layer[0] for layer in image.layer] == _RGB


def from_srgb(image: Image.Image, profile: bytes | None, mode: str) -> Image.Image | None:
    """Return an sRGB image in `profile`; None when that is missing, broken or not of `mode`."""
    return _converted(image, None, profile, mode) if profile else None


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return an image in sRGB, by its profile when it has a good one."""
    return (_converted(image, profile, None, "RGB") if profile else None) or image.convert("RGB")


def separated(image: Image.Image) -> Image.Image:
    """Return an RGB image as plain cyan, magenta, yellow and black, with black ink for what is grey."""
    inks = 255 - np.asarray(image.convert("RGB")).astype(np.int16)
    black = inks.min(axis=2, keepdims=True)
    colors = (inks - black) * 255 // np.maximum(255 - black, 1)
    return Image.fromarray(np.concatenate([colors, black], axis=2).astype(np.uint8), mode="CMYK")


def _converted(image: Image.Image, source: bytes | None, target: bytes | None, mode: str) -> Image.Image | None:
    """Convert between profiles, None being sRGB; return None when one of them does not fit."""
    try:
        return ImageCms.applyTransform(image, _transform(source, target, image.mode, mode))
    except _ERRORS:
        return None


@lru_cache(maxsize=16)
def _transform(source: bytes | None, target: bytes | None, from_mode: str, to_mode: str) -> ImageCms.ImageCmsTransform:
    opened = [_profile(each) for each in (source, target)]
    return ImageCms.buildTransform(opened[0], opened[1], from_mode, to_mode)


def _profile(data: bytes | None) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(BytesIO(data) if data else ImageCms.createProfile("sRGB"))
